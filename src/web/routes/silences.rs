//! Silences: for a while nobody is told of matching alerts.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpResponse, delete, get, post};
use rules::desk::face::silence_face;
use rules::desk::silence::{Matcher, SilencePlan};
use rules::desk::{AlertEvent, Command, Event, SilenceCommand};
use rules::ids::{HallId, SilenceId};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::alerts::require_of;
use crate::web::routes::answer;
use crate::web::routes::items::instant;

pub fn configure(config: &mut ServiceConfig) {
    config.service(list).service(add).service(end);
}

/// A silence as it is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SilenceBody {
    /// `rule`, `topic`, `hall`, `subject` (its id) and `severity`: all that are given must fit.
    #[serde(rename = "match")]
    #[schema(value_type = Object)]
    matcher: Matcher,
    /// RFC 3339; at once if it is not given.
    from: Option<String>,
    /// RFC 3339; at most 31 days after the beginning.
    until: String,
    reason: String,
    /// Planned work rather than a nuisance.
    #[serde(default)]
    maintenance: bool,
}

/// Silences planned, in force, and of late.
#[utoipa::path(get, path = "/api/v1/silences", tag = "alerts", responses((status = 200, body = Object)))]
#[get("/silences")]
async fn list(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeAlerts)?;
    let scope = caller.principal.scope.clone();
    let read = app.desk.read(move |desk, _| {
        let all = desk.alerts().silences();
        let mine = all.filter(|silence| scope.holds_any(silence.plan.matcher.hall.as_ref()));
        let mut faces: Vec<Value> = mine.map(silence_face).collect();
        faces.reverse();
        faces
    });
    let items = read.await.ok_or_else(Problem::unavailable)?;
    Ok(HttpResponse::Ok().json(json!({"items": items, "next": null})))
}

/// Silences matching alerts for a while.
#[utoipa::path(post, path = "/api/v1/silences", tag = "alerts", request_body = SilenceBody,
    responses((status = 201, body = Object), (status = 422, body = ProblemBody)))]
#[post("/silences")]
async fn add(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::HandleAlerts)?;
    let asked = body.parse::<SilenceBody>()?;
    let hall = asked.matcher.hall.clone();
    require_of(&app, &caller, Action::HandleAlerts, hall.as_ref(), "-")?;
    let until = instant("until", Some(&asked.until))?;
    let plan = SilencePlan {
        matcher: asked.matcher,
        from: instant("from", asked.from.as_deref())?.unwrap_or_else(|| app.now()),
        until: until.unwrap_or_default(),
        reason: asked.reason,
        maintenance: asked.maintenance,
    };
    let command = Command::Silence(SilenceCommand::Silence(plan));
    let by = &caller.principal.name;
    let done = app
        .alerting
        .desk
        .submit(command, by, caller.key(&body)?)
        .await?;
    let made = done.recorded.iter().find_map(|one| match &one.event {
        Event::Alert(AlertEvent::Silenced { silence, .. }) => Some(*silence),
        _ => None,
    });
    let face = face(&app, made.unwrap_or(SilenceId(0))).await?;
    app.audit(
        &caller,
        "silenced",
        face["id"].as_str().unwrap_or_default(),
        face.clone(),
    )
    .await?;
    let mut response = HttpResponse::Created();
    if done.replayed {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    Ok(response.json(face))
}

async fn face(app: &App, id: SilenceId) -> Result<Value, Problem> {
    let read = app
        .alerting
        .desk
        .read(move |desk, _| desk.alerts().silence(id).map(silence_face));
    read.await.flatten().ok_or_else(Problem::unavailable)
}

/// Ends a silence before its time.
#[utoipa::path(delete, path = "/api/v1/silences/{silence}", tag = "alerts", params(("silence" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
#[delete("/silences/{silence}")]
async fn end(
    app: Data<App>,
    caller: Caller,
    silence: Path<String>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::HandleAlerts)?;
    let unknown = || {
        Problem::unknown(
            "unknown_silence",
            "没有这个静默",
            "there is no such silence",
        )
        .with("silence", silence.as_str())
    };
    let id: SilenceId = silence.parse().map_err(|_| unknown())?;
    let read = app.desk.read(move |desk, _| {
        let silence = desk.alerts().silence(id)?;
        Some(silence.plan.matcher.hall.clone())
    });
    let hall: Option<HallId> = read.await.flatten().ok_or_else(unknown)?;
    require_of(&app, &caller, Action::HandleAlerts, hall.as_ref(), &silence)?;
    let command = Command::Silence(SilenceCommand::End(id));
    let done = app
        .alerting
        .desk
        .submit(command, &caller.principal.name, None)
        .await?;
    app.audit(&caller, "silence_ended", &silence, json!({}))
        .await?;
    Ok(answer(
        HttpResponse::Ok(),
        done.replayed,
        &face(&app, id).await?,
    ))
}
