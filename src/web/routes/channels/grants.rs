//! Versions of a channel's interface, who may call which, and asking whether somebody may.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpResponse, post};
use rules::channels::{CallRefusal, ChannelCommand, ChannelEvent, KeyHash, NewCall, Outcome};
use rules::name::Lang;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::setup::grant_face;
use super::telling::checked;
use super::{Change, ReasonBody, find, read};
use crate::web::App;
use crate::web::access::Action;
use crate::web::auth::random_hex;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::answer;
use crate::web::routes::items::instant;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(draft_version)
        .service(change_version)
        .service(add_grant)
        .service(revoke_grant)
        .service(check_caller);
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
async fn draft_version(change: Change, id: Path<String>) -> Result<HttpResponse, Problem> {
    let VersionBody { version, notes } = change.parse()?;
    let command = ChannelCommand::DraftVersion { version, notes };
    change.carry_out(&id, command).await
}

/// Publishes a version (`publish`), or withdraws it for good (`revoke`).
#[utoipa::path(post, path = "/api/v1/channels/{channel}/versions/{version}/{verb}", tag = "channels",
    params(("channel" = String, Path), ("version" = String, Path), ("verb" = String, Path)),
    request_body = ReasonBody,
    responses((status = 200, body = Object), (status = 409, body = ProblemBody)))]
#[post("/channels/{channel}/versions/{version}/{verb:publish|revoke}")]
async fn change_version(
    change: Change,
    path: Path<(String, String, String)>,
) -> Result<HttpResponse, Problem> {
    let (id, version, verb) = path.into_inner();
    let ReasonBody { reason } = change.parse()?;
    let command = match verb.as_str() {
        "publish" => ChannelCommand::PublishVersion { version },
        _ => ChannelCommand::RevokeVersion { version, reason },
    };
    change.carry_out(&id, command).await
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
async fn add_grant(change: Change, id: Path<String>) -> Result<HttpResponse, Problem> {
    let asked: GrantBody = change.parse()?;
    let key = random_hex(24).map_err(|_| Problem::unavailable())?;
    let command = ChannelCommand::Grant {
        caller: asked.caller,
        version: asked.version,
        key_hash: key_hash(&key),
        since: instant("since", asked.since.as_deref())?,
    };
    let (_, done) = change.submit(&id, command).await?;
    let made = done.recorded.iter().find_map(|one| match &one.event {
        ChannelEvent::Granted { grant } => Some(grant),
        _ => None,
    });
    let mut face = made.map_or(Value::Null, grant_face);
    change.audit("channel_granted", &id, face.clone()).await?;
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
    change: Change,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (id, grant) = path.into_inner();
    let ReasonBody { reason } = change.parse()?;
    let grant = grant
        .parse()
        .map_err(|_| Problem::invalid("grant", "is a number"))?;
    let command = ChannelCommand::RevokeGrant { grant, reason };
    change.carry_out(&id, command).await
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
    let call = checked(&app, &watched, call).await?;
    app.channels.record(&watched, &[call]).await?;
    Err(not_permitted(refusal))
}

fn not_permitted(refusal: CallRefusal) -> Problem {
    let (zh, en) = (refusal.sentence(Lang::Zh), refusal.sentence(Lang::En));
    Problem::new(StatusCode::FORBIDDEN, refusal.code(), zh, en)
}
