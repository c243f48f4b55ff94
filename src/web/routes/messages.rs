//! Notices on their way, and what they say.

use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, delete, get, post, put};
use rules::desk::messages::{MessageCommand, Template, VARIABLES};
use rules::desk::receivers::WayKind;
use rules::desk::{AlertDesk, Command};
use rules::ids::MessageId;
use rules::machine::ItemKind;
use rules::name::Lang;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::answer;
use crate::web::routes::desk::{Desired, needed, page, seen, submit};
use crate::web::routes::items::ListQuery;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(statistics)
        .service(show)
        .service(resend)
        .service(templates)
        .service(preview)
        .service(set_template)
        .service(reset_template);
}

/// Messages about one's halls, the newest first. `about` is the alert, `person` the receiver.
#[utoipa::path(get, path = "/api/v1/messages", tag = "notices", params(ListQuery),
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[get("/messages")]
async fn list(
    app: Data<App>,
    caller: Caller,
    query: Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeAlerts)?;
    page(&app, &caller, ItemKind::Message, &query).await
}

/// Over how long.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Hours back from now, 1 to 48; 24 if not said.
    hours: Option<u64>,
    #[allow(dead_code, reason = "read for refusals")]
    lang: Option<String>,
}

/// How messages fare: delivered, waiting, dead letters, by way; and servers in trouble.
#[utoipa::path(get, path = "/api/v1/messages/statistics", tag = "notices", params(Hours),
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[get("/messages/statistics")]
async fn statistics(
    app: Data<App>,
    caller: Caller,
    query: Query<Hours>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeAlerts)?;
    let hours = query.hours.unwrap_or(24);
    if !(1..=48).contains(&hours) {
        return Err(Problem::invalid("hours", "1 to 48"));
    }
    let figures = app
        .desk
        .read(move |desk: &AlertDesk, now| desk.messages().figures(now, hours));
    let figures = figures.await.ok_or_else(Problem::unavailable)?;
    let mut body = serde_json::to_value(figures).unwrap_or_default();
    body["servers_in_trouble"] = json!(app.lanes.faces());
    Ok(HttpResponse::Ok().json(body))
}

/// A message with its attempts.
#[utoipa::path(get, path = "/api/v1/messages/{message}", tag = "notices", params(("message" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/messages/{message}")]
async fn show(app: Data<App>, caller: Caller, id: Path<String>) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeAlerts)?;
    let item = seen(&app, &caller, Desired::MESSAGE, &id).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(item.body))
}

/// Sends a dead letter again.
#[utoipa::path(post, path = "/api/v1/messages/{message}/resend", tag = "notices", params(("message" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
#[post("/messages/{message}/resend")]
async fn resend(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageNotices)?;
    seen(&app, &caller, Desired::MESSAGE, &id).await?;
    let message: MessageId = id.parse().map_err(|_| Desired::MESSAGE.unknown(&id))?;
    let command = Command::Message(MessageCommand::Resend { message });
    let done = submit(&app.desk, &caller, &body, command).await?;
    let face = app
        .desk
        .read(move |desk: &AlertDesk, _| Some(json!(desk.messages().get(message)?.face())));
    let face = face.await.flatten().ok_or_else(Problem::unavailable)?;
    Ok(answer(HttpResponse::Ok(), done.replayed, &face))
}

/// What messages say, by way.
#[utoipa::path(get, path = "/api/v1/message-templates", tag = "notices",
    responses((status = 200, body = Object)))]
#[get("/message-templates")]
async fn templates(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageNotices)?;
    let all = app.desk.read(|desk: &AlertDesk, _| {
        WayKind::ALL.map(|way| {
            let messages = desk.messages();
            json!({
                "way": way, "template": messages.template(way),
                "own": messages.has_own_template(way),
            })
        })
    });
    let all = all.await.ok_or_else(Problem::unavailable)?;
    Ok(HttpResponse::Ok().json(json!({"items": all, "variables": VARIABLES})))
}

/// A template to be looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewBody {
    /// email, webhook, sms, wecom, dingtalk or desk
    #[schema(value_type = String)]
    way: Option<WayKind>,
    /// `{"subject": {"zh", "en"}, "text": {"zh", "en"}}`; without it the one in force.
    #[schema(value_type = Object)]
    template: Option<Template>,
}

/// Shows what a template makes of an example, in both languages.
#[utoipa::path(post, path = "/api/v1/message-templates/preview", tag = "notices", request_body = PreviewBody,
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[post("/message-templates/preview")]
async fn preview(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageNotices)?;
    let wanted: PreviewBody = body.parse()?;
    let way = needed("way", wanted.way)?;
    let in_force = app
        .desk
        .read(move |desk: &AlertDesk, _| desk.messages().template(way));
    let template = match wanted.template {
        Some(template) => template,
        None => in_force.await.ok_or_else(Problem::unavailable)?,
    };
    if let Some((field, reason)) = template.fault() {
        return Err(Problem::invalid(&format!("template.{field}"), &reason));
    }
    let shown = |lang| {
        let (subject, text) = template.example(lang, app.now());
        json!({"subject": subject, "text": text})
    };
    Ok(HttpResponse::Ok().json(json!({
        "way": way, "zh": shown(Lang::Zh), "en": shown(Lang::En), "variables": VARIABLES,
    })))
}

fn way_of(text: &str) -> Result<WayKind, Problem> {
    let way = WayKind::ALL.into_iter().find(|way| way.name() == text);
    way.ok_or_else(|| {
        Problem::unknown("unknown_way", "没有这种通知方式", "there is no such way")
            .with("way", text)
    })
}

/// The way of a path. What everybody is told needs a scope of everybody.
fn way_to_change(app: &App, caller: &Caller, way: &str) -> Result<WayKind, Problem> {
    caller.require(app, Action::ManageNotices)?;
    let way = way_of(way)?;
    match caller.principal.scope.everywhere() {
        true => Ok(way),
        false => Err(caller.refuse(app, Action::ManageNotices, way.name())),
    }
}

/// Sets what messages by a way say.
#[utoipa::path(put, path = "/api/v1/message-templates/{way}", tag = "notices", params(("way" = String, Path)),
    request_body = Object,
    responses((status = 200, body = Object), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[put("/message-templates/{way}")]
async fn set_template(
    app: Data<App>,
    caller: Caller,
    way: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let way = way_to_change(&app, &caller, &way)?;
    let template: Template = body.parse()?;
    change(
        &app,
        &caller,
        way,
        MessageCommand::SetTemplate { way, template },
    )
    .await
}

/// Goes back to the standard template of a way.
#[utoipa::path(delete, path = "/api/v1/message-templates/{way}", tag = "notices", params(("way" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[delete("/message-templates/{way}")]
async fn reset_template(
    app: Data<App>,
    caller: Caller,
    way: Path<String>,
) -> Result<HttpResponse, Problem> {
    let way = way_to_change(&app, &caller, &way)?;
    change(&app, &caller, way, MessageCommand::ResetTemplate { way }).await
}

async fn change(
    app: &App,
    caller: &Caller,
    way: WayKind,
    command: MessageCommand,
) -> Result<HttpResponse, Problem> {
    let by = &caller.principal.name;
    app.desk.submit(Command::Message(command), by, None).await?;
    app.audit(caller, "message_template_set", way.name(), json!({}))
        .await?;
    let face = app.desk.read(move |desk: &AlertDesk, _| -> Value {
        let messages = desk.messages();
        json!({
            "way": way, "template": messages.template(way), "own": messages.has_own_template(way),
        })
    });
    Ok(HttpResponse::Ok().json(face.await.ok_or_else(Problem::unavailable)?))
}
