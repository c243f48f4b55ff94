//! The audit trail, read only.

use actix_web::web::{Data, Query, ServiceConfig};
use actix_web::{HttpResponse, get};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::store::records::AuditFilter;
use crate::web::App;
use crate::web::access::Action;
use crate::web::caller::Caller;
use crate::web::error::Problem;

pub fn configure(config: &mut ServiceConfig) {
    config.service(list);
}

#[derive(Debug, Deserialize, IntoParams)]
struct AuditQuery {
    actor: Option<String>,
    action: Option<String>,
    object: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// Who did or saw what, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery), responses((status = 200, body = Object)))]
#[get("/audit")]
async fn list(
    app: Data<App>,
    caller: Caller,
    query: Query<AuditQuery>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ReadAudit)?;
    let query = query.into_inner();
    let limit = query.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(Problem::invalid("limit", "1 to 1000"));
    }
    let filter = AuditFilter {
        actor: query.actor,
        action: query.action,
        object: query.object,
    };
    let page = app
        .records
        .audit_page(&filter, query.cursor.as_deref(), limit)
        .await?;
    let items: Vec<Value> = page
        .items
        .iter()
        .map(|row| {
            let detail: Value = serde_json::from_str(&row.entry.detail).unwrap_or(Value::Null);
            json!({
                "id": row.id, "at": row.entry.at.rfc3339_utc(), "actor": row.entry.actor,
                "role": row.entry.role, "action": row.entry.action, "object": row.entry.object,
                "detail": detail, "ip": row.entry.ip,
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({"items": items, "next_cursor": page.next_cursor})))
}
