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

/// A channel's calls, counted by one of their dimensions. What left the history counts by whole hours: then
/// `whole_hours_before` says before when. By `reason` or `path`, or filtered by what only the calls
/// themselves tell, it does not count: then `incomplete_before` does.
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
    let filter = query.filter()?;
    let mut counted = app.records.count_calls(&watched.id, &filter, *by).await?;
    if *by == CountBy::Hour {
        for one in &mut counted {
            let hour = one.key.as_deref().and_then(|ms| ms.parse().ok());
            one.key = hour.map(|ms| Timestamp::from_millis(ms).rfc3339_utc());
        }
    }
    let mut body = json!({"by": name, "items": counted});
    let until = app.records.hours_until(&watched.id).await?;
    let reached = until.filter(|until| filter.from.is_none_or(|from| from < *until));
    if let Some(until) = reached {
        let told_by_hours = filter.fits_hours() && by.fits_hours();
        let field = if told_by_hours {
            "whole_hours_before"
        } else {
            "incomplete_before"
        };
        body[field] = json!(until.rfc3339_utc());
    }
    Ok(HttpResponse::Ok().json(body))
}
