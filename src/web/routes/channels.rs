//! API channels: set up, their versions and grants, their calls, and what the calls say.

use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post, put};
use actors::desk::Done;
use rules::channels::call::{Call, NewCall};
use rules::channels::masking::Masking;
use rules::channels::{
    CallRefusal, Channel, ChannelCommand, ChannelEvent, Grant, KeyHash, Limits, Outcome, Setup,
    Version, Window,
};
use rules::ids::{ChannelId, HallId};
use rules::machine::{ItemKind, Machine as _};
use rules::name::Lang;
use rules::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

use crate::channels::Watched;
use crate::store::records::{CallFilter, CountBy};
use crate::web::App;
use crate::web::access::Action;
use crate::web::auth::random_hex;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::answer;
use crate::web::routes::desk::{hall_of, page};
use crate::web::routes::items::{ListQuery, instant};

/// Calls told in one request at most.
const CALLS_MAX: usize = 5_000;

/// Calls on a page unless asked otherwise.
const PAGE: u32 = 50;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(set_up)
        .service(show)
        .service(draft_version)
        .service(change_version)
        .service(add_grant)
        .service(revoke_grant)
        .service(maintain)
        .service(check_caller)
        .service(tell_calls)
        .service(summarize)
        .service(list_calls)
        .service(show_call);
}

fn unknown(id: &str) -> Problem {
    Problem::unknown(
        "unknown_channel",
        "没有这个通道",
        "there is no such channel",
    )
    .with("channel", id)
}

/// A channel that the caller may treat so.
async fn find(
    app: &App,
    caller: &Caller,
    action: Action,
    id: &str,
) -> Result<Arc<Watched>, Problem> {
    caller.require(app, action)?;
    let known = id.parse().ok().and_then(|id| app.channels.get(&id));
    let watched = known.ok_or_else(|| unknown(id))?;
    let hall = read(&watched, |channel, _| {
        channel.setup().map(|setup| setup.hall.clone())
    });
    // One whose set-up was refused is there, but nobody's yet.
    let hall = hall.await?.ok_or_else(|| unknown(id))?;
    match caller.principal.scope.holds_any(hall.as_ref()) {
        true => Ok(watched),
        false => Err(caller.refuse(app, action, id)),
    }
}

async fn read<R: Send + 'static>(
    watched: &Watched,
    read: impl FnOnce(&Channel, Timestamp) -> R + Send + 'static,
) -> Result<R, Problem> {
    let read = watched.desk.read(read).await;
    read.ok_or_else(Problem::unavailable)
}

/// Channels, the sickest first.
#[utoipa::path(get, path = "/api/v1/channels", tag = "channels", params(ListQuery),
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[get("/channels")]
async fn list(
    app: Data<App>,
    caller: Caller,
    query: Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeChannels)?;
    page(&app, &caller, ItemKind::Channel, &query).await
}

/// Sets a channel up, or changes its set-up.
#[utoipa::path(put, path = "/api/v1/channels/{channel}", tag = "channels",
    params(("channel" = String, Path)), request_body = Object,
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[put("/channels/{channel}")]
async fn set_up(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageChannels)?;
    let channel: ChannelId = id
        .parse()
        .map_err(|_| Problem::invalid("channel", "is no id of a channel"))?;
    if app.channels.get(&channel).is_some() {
        find(&app, &caller, Action::ManageChannels, &id).await?;
    }
    let setup: Setup = body.parse()?;
    let hall = setup.hall.as_ref().map(HallId::as_str);
    hall_of(&app, &caller, Action::ManageChannels, hall)?;
    if let Some((field, reason)) = setup.fault() {
        return Err(Problem::invalid(field, reason));
    }
    let command = ChannelCommand::SetUp {
        channel: channel.clone(),
        setup,
    };
    let key = caller.key(&body)?;
    let by = &caller.principal.name;
    let done = app.channels.set_up(&channel, command, by, key).await?;
    let watched = app
        .channels
        .get(&channel)
        .ok_or_else(Problem::unavailable)?;
    let face = read(&watched, |channel, _| channel.face()).await?;
    app.audit(&caller, "channel_set_up", &id, face["setup"].clone())
        .await?;
    Ok(answer(HttpResponse::Ok(), done.replayed, &face))
}

/// A channel: its health and why, its figures, callers, versions, grants and refusals.
#[utoipa::path(get, path = "/api/v1/channels/{channel}", tag = "channels",
    params(("channel" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/channels/{channel}")]
async fn show(app: Data<App>, caller: Caller, id: Path<String>) -> Result<HttpResponse, Problem> {
    let watched = find(&app, &caller, Action::SeeChannels, &id).await?;
    let shown = watched.desk.update(|channel, now| {
        channel.advance(now);
        detail(channel, now)
    });
    let face = shown.await.ok_or_else(Problem::unavailable)?;
    Ok(HttpResponse::Ok().json(face))
}

fn detail(channel: &Channel, now: Timestamp) -> Value {
    let mut face = channel.face();
    let windows = [
        Window::Minute,
        Window::FiveMinutes,
        Window::Hour,
        Window::Day,
    ];
    face["as_of"] = json!(now.rfc3339_utc());
    face["figures"] = json!(windows.map(|window| channel.figures(window)));
    face["callers"] = json!(channel.statistics().callers().figures());
    face["streak"] = json!(channel.streak());
    face["versions"] = channel.access().versions().iter().map(version).collect();
    face["grants"] = channel.access().grants().iter().map(grant_face).collect();
    face["refusals"] = channel
        .refusals()
        .map(|(refusal, count)| (refusal.code().to_owned(), json!(count)))
        .collect();
    face
}

fn at(at: Option<Timestamp>) -> Option<String> {
    at.map(Timestamp::rfc3339_utc)
}

fn version(version: &Version) -> Value {
    json!({
        "version": version.version, "state": version.state,
        "drafted_at": version.drafted_at.rfc3339_utc(),
        "published_at": at(version.published_at), "revoked_at": at(version.revoked_at),
    })
}

/// A grant without its key, of which only a hash is known.
fn grant_face(grant: &Grant) -> Value {
    json!({
        "id": grant.id, "caller": grant.caller, "version": grant.version,
        "since": grant.since.rfc3339_utc(), "revoked_at": at(grant.revoked_at),
    })
}

async fn submit(
    app: &App,
    caller: &Caller,
    id: &str,
    body: &Body,
    command: ChannelCommand,
) -> Result<(Arc<Watched>, Arc<Done<Channel>>), Problem> {
    let watched = find(app, caller, Action::ManageChannels, id).await?;
    let key = caller.key(body)?;
    let by = &caller.principal.name;
    let done = watched.desk.submit(command, by, key).await?;
    Ok((watched, done))
}

async fn changed(
    app: &App,
    caller: &Caller,
    id: &str,
    body: &Body,
    command: ChannelCommand,
) -> Result<HttpResponse, Problem> {
    let (watched, done) = submit(app, caller, id, body, command).await?;
    for one in &done.recorded {
        let detail = serde_json::to_value(&one.event).unwrap_or_default();
        app.audit(caller, "channel_changed", id, detail).await?;
    }
    let face = read(&watched, detail).await?;
    Ok(answer(HttpResponse::Ok(), done.replayed, &face))
}

/// A version to be drafted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionBody {
    version: String,
    notes: Option<String>,
}

/// Drafts a version of the interface.
#[utoipa::path(post, path = "/api/v1/channels/{channel}/versions", tag = "channels",
    params(("channel" = String, Path)), request_body = VersionBody,
    responses((status = 200, body = Object), (status = 409, body = ProblemBody)))]
#[post("/channels/{channel}/versions")]
async fn draft_version(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageChannels)?;
    let VersionBody { version, notes } = body.parse()?;
    let command = ChannelCommand::DraftVersion { version, notes };
    changed(&app, &caller, &id, &body, command).await
}

/// Why, if anybody shall know.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonBody {
    reason: Option<String>,
}

/// Publishes a version (`publish`), or withdraws it for good (`revoke`).
#[utoipa::path(post, path = "/api/v1/channels/{channel}/versions/{version}/{verb}", tag = "channels",
    params(("channel" = String, Path), ("version" = String, Path), ("verb" = String, Path)),
    request_body = ReasonBody,
    responses((status = 200, body = Object), (status = 409, body = ProblemBody)))]
#[post("/channels/{channel}/versions/{version}/{verb:publish|revoke}")]
async fn change_version(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageChannels)?;
    let (id, version, verb) = path.into_inner();
    let ReasonBody { reason } = body.parse()?;
    let command = match verb.as_str() {
        "publish" => ChannelCommand::PublishVersion { version },
        _ => ChannelCommand::RevokeVersion { version, reason },
    };
    changed(&app, &caller, &id, &body, command).await
}

/// Who may call, and what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantBody {
    caller: String,
    /// Every published version, unless one is named.
    version: Option<String>,
    /// RFC 3339; at once, unless it is given.
    since: Option<String>,
}

/// Lets somebody call. The key is told in this answer and never again.
#[utoipa::path(post, path = "/api/v1/channels/{channel}/grants", tag = "channels",
    params(("channel" = String, Path)), request_body = GrantBody,
    responses((status = 201, body = Object), (status = 409, body = ProblemBody)))]
#[post("/channels/{channel}/grants")]
async fn add_grant(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageChannels)?;
    let asked: GrantBody = body.parse()?;
    let key = random_hex(24).map_err(|_| Problem::unavailable())?;
    let command = ChannelCommand::Grant {
        caller: asked.caller,
        version: asked.version,
        key_hash: key_hash(&key),
        since: instant("since", asked.since.as_deref())?,
    };
    let (_, done) = submit(&app, &caller, &id, &body, command).await?;
    let made = done.recorded.iter().find_map(|one| match &one.event {
        ChannelEvent::Granted { grant } => Some(grant),
        _ => None,
    });
    let mut face = made.map_or(Value::Null, grant_face);
    app.audit(&caller, "channel_granted", &id, face.clone())
        .await?;
    if !done.replayed {
        face["key"] = json!(key);
    }
    Ok(answer(HttpResponse::Created(), done.replayed, &face))
}

fn key_hash(key: &str) -> KeyHash {
    KeyHash(Sha256::digest(key.as_bytes()).into())
}

/// Takes a grant back, at once.
#[utoipa::path(post, path = "/api/v1/channels/{channel}/grants/{grant}/revoke", tag = "channels",
    params(("channel" = String, Path), ("grant" = u32, Path)), request_body = ReasonBody,
    responses((status = 200, body = Object), (status = 409, body = ProblemBody)))]
#[post("/channels/{channel}/grants/{grant}/revoke")]
async fn revoke_grant(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageChannels)?;
    let (id, grant) = path.into_inner();
    let ReasonBody { reason } = body.parse()?;
    let grant = grant
        .parse()
        .map_err(|_| Problem::invalid("grant", "is a number"))?;
    let command = ChannelCommand::RevokeGrant { grant, reason };
    changed(&app, &caller, &id, &body, command).await
}

/// Planned work: nothing is judged meanwhile.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceBody {
    /// RFC 3339; at once, unless it is given.
    from: Option<String>,
    /// RFC 3339; without it, maintenance ends now.
    until: Option<String>,
    #[serde(default)]
    reason: String,
}

/// Announces maintenance, or ends it.
#[utoipa::path(post, path = "/api/v1/channels/{channel}/maintenance", tag = "channels",
    params(("channel" = String, Path)), request_body = MaintenanceBody,
    responses((status = 200, body = Object), (status = 409, body = ProblemBody)))]
#[post("/channels/{channel}/maintenance")]
async fn maintain(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageChannels)?;
    let asked: MaintenanceBody = body.parse()?;
    let command = match instant("until", asked.until.as_deref())? {
        Some(until) => ChannelCommand::Maintain {
            from: instant("from", asked.from.as_deref())?,
            until,
            reason: asked.reason,
        },
        None => ChannelCommand::EndMaintenance,
    };
    changed(&app, &caller, &id, &body, command).await
}

/// Who wants to call what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckBody {
    caller: String,
    key: String,
    version: String,
    trace_id: Option<String>,
}

/// Asks whether somebody may call, as a gateway does before each call. A refusal is kept in the
/// history of calls, with its reason.
#[utoipa::path(post, path = "/api/v1/channels/{channel}/check", tag = "channels",
    params(("channel" = String, Path)), request_body = CheckBody,
    responses((status = 200, body = Object), (status = 403, body = ProblemBody)))]
#[post("/channels/{channel}/check")]
async fn check_caller(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let watched = find(&app, &caller, Action::RecordCalls, &id).await?;
    let asked: CheckBody = body.parse()?;
    let hash = key_hash(&asked.key);
    let (who, version) = (asked.caller.clone(), asked.version.clone());
    let permitted = read(&watched, move |channel, now| {
        channel.permit(&who, &hash, &version, now)
    });
    let Err(refusal) = permitted.await? else {
        return Ok(HttpResponse::Ok().json(json!({"permitted": true})));
    };
    let call = NewCall {
        id: None,
        caller: asked.caller,
        version: Some(asked.version),
        at: app.now(),
        duration_ms: None,
        status: Some(403),
        result: Some(Outcome::Refused),
        reason: Some(refusal.code().to_owned()),
        trace_id: asked.trace_id,
        request: None,
        response: None,
    };
    let calls = checked(&app, &watched, vec![call], false).await?;
    app.channels.record(&watched, &calls).await?;
    Err(not_permitted(refusal))
}

fn not_permitted(refusal: CallRefusal) -> Problem {
    let (zh, en) = (refusal.sentence(Lang::Zh), refusal.sentence(Lang::En));
    Problem::new(
        actix_web::http::StatusCode::FORBIDDEN,
        refusal.code(),
        zh,
        en,
    )
}

/// The calls as they are kept, or the first that cannot be.
async fn checked(
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
    fn filter(&self) -> Result<CallFilter, Problem> {
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
