//! A channel's calls, counted.

use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get};
use rules::time::Timestamp;
use serde_json::json;

use super::calls::CallQuery;
use super::find;
use crate::store::records::CountBy;
use crate::web::App;
use crate::web::access::Action;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};

pub fn configure(config: &mut ServiceConfig) {
    config.service(summarize);
}

/// A channel's calls, counted by one of their dimensions.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/calls/summary", tag = "channels",
    params(("channel" = String, Path), CallQuery),
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[get("/channels/{channel}/calls/summary")]
async fn summarize(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    query: Query<CallQuery>,
) -> Result<HttpResponse, Problem> {
    let watched = find(&app, &caller, Action::SeeChannels, &id).await?;
    let name = query.by.as_deref().unwrap_or("status");
    let by = CountBy::NAMES.iter().find(|known| known.0 == name);
    let (_, by) = by.ok_or_else(|| {
        Problem::invalid(
            "by",
            "status, hour, caller, version, result, reason or path",
        )
    })?;
    let mut counted = app
        .records
        .count_calls(&watched.id, &query.filter()?, *by)
        .await?;
    if *by == CountBy::Hour {
        for one in &mut counted {
            let hour = one.key.as_deref().and_then(|ms| ms.parse().ok());
            one.key = hour.map(|ms| Timestamp::from_millis(ms).rfc3339_utc());
        }
    }
    Ok(HttpResponse::Ok().json(json!({"by": name, "items": counted})))
}
