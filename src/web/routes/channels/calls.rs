//! A channel's calls: told, listed and shown.

use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use rules::channels::{Call, Limits, Masking, NewCall, Outcome};
use rules::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::{find, read};
use crate::channels::Watched;
use crate::store::records::CallFilter;
use crate::web::App;
use crate::web::access::Action;
use crate::web::auth::random_hex;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::items::instant;

/// Calls told in one request at most.
const CALLS_MAX: usize = 5_000;

/// Calls on a page unless asked otherwise.
const PAGE: u32 = 50;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(tell_calls)
        .service(list_calls)
        .service(show_call);
}

/// The calls as they are kept, or the first that cannot be.
pub(super) async fn checked(
    app: &App,
    watched: &Watched,
    calls: Vec<NewCall>,
    in_a_list: bool,
) -> Result<Vec<Call>, Problem> {
    let limits = read(watched, |channel, _| channel.limits()).await?;
    let (now, masking) = (app.now(), Masking::default());
    let calls = calls.into_iter().enumerate();
    calls
        .map(|(n, call)| {
            check_one(
                watched,
                call,
                &limits,
                &masking,
                now,
                in_a_list.then_some(n),
            )
        })
        .collect()
}

fn check_one(
    watched: &Watched,
    call: NewCall,
    limits: &Limits,
    masking: &Masking,
    now: Timestamp,
    n: Option<usize>,
) -> Result<Call, Problem> {
    let id = match &call.id {
        Some(id) => id.clone(),
        None => random_hex(12).map_err(|_| Problem::unavailable())?,
    };
    let checked = call.checked(&watched.id, || id, limits, masking, now);
    checked.map_err(|fault| match n {
        Some(n) => {
            let field = format!("[{n}].{}", fault.field);
            Problem::invalid(&field, &fault.to_string())
        }
        None => Problem::refused(&fault),
    })
}

/// Tells of one call or of many. All are kept, or none; one with an id that is known is the same call.
#[utoipa::path(post, path = "/api/v1/channels/{channel}/calls", tag = "channels",
    params(("channel" = String, Path)), request_body = Object,
    responses((status = 201, body = Object), (status = 422, body = ProblemBody)))]
#[post("/channels/{channel}/calls")]
async fn tell_calls(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let watched = find(&app, &caller, Action::RecordCalls, &id).await?;
    let many = body.is_list();
    let told: Vec<NewCall> = match many {
        true => body.parse()?,
        false => vec![body.parse()?],
    };
    if told.len() > CALLS_MAX {
        return Err(Problem::invalid(".", "has 5000 calls at most"));
    }
    let calls = checked(&app, &watched, told, many).await?;
    let new = app.channels.record(&watched, &calls).await?;
    let known = calls.len() as u64 - new;
    Ok(HttpResponse::Created().json(json!({"kept": new, "known": known})))
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
