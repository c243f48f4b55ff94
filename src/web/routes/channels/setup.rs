//! Channels: listed, set up, shown with their health and figures, and taken out for maintenance.

use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get, post, put};
use rules::channels::{Channel, ChannelCommand, Grant, Setup, Version, Window};
use rules::ids::{ChannelId, HallId};
use rules::machine::{ItemKind, Machine as _};
use rules::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Change, find, read};
use crate::channels::own::is_own;
use crate::web::App;
use crate::web::access::Action;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::desk::{hall_of, page};
use crate::web::routes::items::{ListQuery, instant};
use crate::web::routes::{revision_seen, tagged};

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(set_up)
        .service(show)
        .service(maintain);
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

/// Sets a channel up, or changes its set-up. With `If-Match`, only the one that was read.
#[utoipa::path(put, path = "/api/v1/channels/{channel}", tag = "channels",
    params(("channel" = String, Path), ("If-Match" = Option<String>, Header, description = "ETag of what was read")),
    request_body = Object,
    responses((status = 200, body = Object, description = "its `revision` is also its ETag"),
        (status = 412, body = ProblemBody, description = "`changed_meanwhile`"),
        (status = 422, body = ProblemBody)))]
#[put("/channels/{channel}")]
async fn set_up(
    change: Change,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (app, caller) = (&change.app, &change.caller);
    let channel: ChannelId = id
        .parse()
        .map_err(|_| Problem::invalid("channel", "is no id of a channel"))?;
    if channel.as_str() == "usage" {
        return Err(Problem::invalid("channel", "is not called usage"));
    }
    if app.channels.get(&channel).is_some() {
        find(app, caller, Action::ManageChannels, &id).await?;
    }
    if app.channels.get(&channel).is_none() && is_own(&channel) {
        return Err(Problem::invalid(
            "channel",
            "begins with own- only for what the product makes",
        ));
    }
    let setup: Setup = change.parse()?;
    let hall = setup.hall.as_ref().map(HallId::as_str);
    hall_of(app, caller, Action::ManageChannels, hall)?;
    if let Some((field, reason)) = setup.fault() {
        return Err(Problem::invalid(field, reason));
    }
    let command = ChannelCommand::SetUp {
        channel: channel.clone(),
        setup,
        revision: revision_seen(&request)?,
    };
    let key = caller.key(&change.body)?;
    let by = &caller.principal.name;
    let done = app.channels.set_up(&channel, command, by, key).await?;
    let watched = app.channels.get(&channel);
    let watched = watched.ok_or_else(Problem::unavailable)?;
    let face = read(&watched, |channel, _| channel.face()).await?;
    change
        .audit("channel_set_up", &id, face["setup"].clone())
        .await?;
    Ok(tagged(HttpResponse::Ok(), done.replayed, &face))
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
    let mut face = shown.await.ok_or_else(Problem::unavailable)?;
    if !face["setup"]["upstream"].is_null() {
        let (all, own) = app.gateway.under_way(&watched.id);
        let recording = app.gateway.recorded();
        face["gateway"] =
            json!({"under_way": own, "under_way_in_all": all, "recording": recording});
    }
    Ok(tagged(HttpResponse::Ok(), false, &face))
}

/// What the page of a channel shows.
pub(crate) fn detail(channel: &Channel, now: Timestamp) -> Value {
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
    face["late"] = json!(channel.late());
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
pub(super) fn grant_face(grant: &Grant) -> Value {
    json!({
        "id": grant.id, "caller": grant.caller, "version": grant.version,
        "since": grant.since.rfc3339_utc(), "revoked_at": at(grant.revoked_at),
    })
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
async fn maintain(change: Change, id: Path<String>) -> Result<HttpResponse, Problem> {
    let asked: MaintenanceBody = change.parse()?;
    let command = match instant("until", asked.until.as_deref())? {
        Some(until) => ChannelCommand::Maintain {
            from: instant("from", asked.from.as_deref())?,
            until,
            reason: asked.reason,
        },
        None => ChannelCommand::EndMaintenance,
    };
    change.carry_out(&id, command).await
}
