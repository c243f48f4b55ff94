//! A channel's calls: listed and shown.

use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get};
use rules::channels::{Call, Outcome};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::find;
use crate::store::records::CallFilter;
use crate::web::App;
use crate::web::access::Action;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::items::instant;

/// Calls on a page unless asked otherwise.
const PAGE: u32 = 50;

pub fn configure(config: &mut ServiceConfig) {
    config.service(list_calls).service(show_call);
}

/// Which calls; all that is named must match.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct CallQuery {
    pub caller: Option<String>,
    pub version: Option<String>,
    /// `ok`, `failed` or `refused`.
    pub result: Option<String>,
    pub reason: Option<String>,
    pub status: Option<u16>,
    pub trace_id: Option<String>,
    /// A path with its numbers and ids left out, e.g. `/items/{n}`.
    pub path_family: Option<String>,
    /// RFC 3339; made at or after.
    pub from: Option<String>,
    /// RFC 3339; made before.
    pub before: Option<String>,
    pub slower_than_ms: Option<u64>,
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// By what to count: `status`, `hour`, `caller`, `version`, `result`, `reason` or `path`.
    pub by: Option<String>,
    pub lang: Option<String>,
}

impl CallQuery {
    pub(super) fn filter(&self) -> Result<CallFilter, Problem> {
        let result = self.result.as_deref().map(|name| {
            Outcome::from_name(name)
                .ok_or_else(|| Problem::invalid("result", "ok, failed or refused"))
        });
        Ok(CallFilter {
            caller: self.caller.clone(),
            version: self.version.clone(),
            result: result.transpose()?,
            reason: self.reason.clone(),
            status: self.status,
            trace_id: self.trace_id.clone(),
            path_family: self.path_family.clone(),
            from: instant("from", self.from.as_deref())?,
            before: instant("before", self.before.as_deref())?,
            slower_than_ms: self.slower_than_ms,
            limit: self.limit.unwrap_or(PAGE),
            cursor: self.after.clone(),
        })
    }
}

/// A channel's calls, the newest first.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/calls", tag = "channels",
    params(("channel" = String, Path), CallQuery),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/channels/{channel}/calls")]
async fn list_calls(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    query: Query<CallQuery>,
) -> Result<HttpResponse, Problem> {
    let watched = find(&app, &caller, Action::SeeChannels, &id).await?;
    let page = app.records.calls(&watched.id, &query.filter()?).await?;
    let items: Vec<Value> = page.items.iter().map(Call::face).collect();
    let page = json!({"items": items, "total": page.total, "next": page.next});
    Ok(HttpResponse::Ok().json(page))
}

/// One call, with what was asked and answered, masked.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/calls/{call}", tag = "channels",
    params(("channel" = String, Path), ("call" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/channels/{channel}/calls/{call}")]
async fn show_call(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (id, call) = path.into_inner();
    let watched = find(&app, &caller, Action::SeeChannels, &id).await?;
    let found = app.records.call(&watched.id, &call).await?;
    let found = found.ok_or_else(|| {
        Problem::unknown("unknown_call", "没有这次调用", "there is no such call")
            .with("call", &call)
    })?;
    Ok(HttpResponse::Ok().json(found.face()))
}
