//! Raters: what they shall show, what they answer, and what visitors rate on them.

use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use actors::hall::Submit;
use rules::hall::Command;
use rules::ids::TicketId;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::store::records::DeviceRow;
use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};

/// Invitations that one answer lists.
const LISTED_MAX: u32 = 500;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(shown)
        .service(answer)
        .service(rate)
        .service(list);
}

/// A judgement given on a rater.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StarsBody {
    /// 1 to 5.
    stars: u8,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InvitationQuery {
    /// 1 to 500, 100 without it.
    limit: Option<u32>,
}

fn unknown_invitation() -> Problem {
    Problem::unknown(
        "unknown_invitation",
        "该评价器没有这张号票的评价邀请",
        "this rater was not invited to rate this ticket",
    )
}

/// The rater that asks.
fn rater(app: &App, caller: &Caller) -> Result<DeviceRow, Problem> {
    caller.require(app, Action::Rate)?;
    let device = caller.principal.device().unwrap_or_default();
    app.devices.row(device).ok_or_else(unknown_invitation)
}

/// What this rater shall show now; `{"invitation": null}` while there is nothing to rate.
#[utoipa::path(get, path = "/api/v1/rater/invitation", tag = "devices",
    responses((status = 200, body = Object)))]
#[get("/rater/invitation")]
async fn shown(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    let rater = rater(&app, &caller)?;
    Ok(HttpResponse::Ok().json(app.raters.shown(&rater.id)))
}

/// The rater says that it shows the invitation. Said in time, nobody is told otherwise.
#[utoipa::path(post, path = "/api/v1/rater/invitations/{ticket}/answer", tag = "devices",
    params(("ticket" = u64, Path)),
    responses((status = 200, description = "how far the invitation is", body = Object), (status = 404, body = ProblemBody)))]
#[post("/rater/invitations/{ticket:[0-9]+}/answer")]
async fn answer(
    app: Data<App>,
    caller: Caller,
    ticket: Path<u64>,
) -> Result<HttpResponse, Problem> {
    let rater = rater(&app, &caller)?;
    let done = app
        .raters
        .answer(&rater.hall, &rater.id, *ticket, app.now());
    let progress = done.await?.ok_or_else(unknown_invitation)?;
    Ok(HttpResponse::Ok().json(json!({"state": progress.name()})))
}

/// What the visitor rates on the rater.
#[utoipa::path(post, path = "/api/v1/rater/invitations/{ticket}/rating", tag = "devices",
    params(("ticket" = u64, Path)), request_body = StarsBody,
    responses((status = 200, body = Object), (status = 404, body = ProblemBody),
        (status = 409, description = "already_rated …", body = ProblemBody)))]
#[post("/rater/invitations/{ticket:[0-9]+}/rating")]
async fn rate(
    app: Data<App>,
    caller: Caller,
    ticket: Path<u64>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let rater = rater(&app, &caller)?;
    let StarsBody { stars } = body.parse()?;
    let (hall, handle) = app.hall(&rater.hall)?;
    let now = app.now();
    let invited = app.raters.answer(&rater.hall, &rater.id, *ticket, now);
    invited.await?.ok_or_else(unknown_invitation)?;
    let submit = Submit {
        command: Command::RateTicket {
            ticket: TicketId(*ticket),
            stars,
            text: None,
        },
        by: caller.principal.name.clone(),
        key: caller.key(&body)?,
    };
    let done = handle.submit(submit).await?;
    if !done.replayed {
        app.raters
            .rated_on(&hall, &rater.id, TicketId(*ticket), now)
            .await?;
    }
    let mut response = HttpResponse::Ok();
    if done.replayed {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    Ok(response.json(json!({"state": "rated", "stars": stars, "seq": done.seq})))
}

/// A hall's latest invitations to rate, and what became of them; never whom they went to.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/invitations", tag = "devices",
    params(("hall" = String, Path), InvitationQuery),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/halls/{hall}/invitations")]
async fn list(
    app: Data<App>,
    caller: Caller,
    hall: Path<String>,
    query: Query<InvitationQuery>,
) -> Result<HttpResponse, Problem> {
    let (id, _) = app.hall(&hall)?;
    caller.require_in(&app, Action::ManageDevices, &id)?;
    let limit = query.limit.unwrap_or(100);
    if !(1..=LISTED_MAX).contains(&limit) {
        return Err(Problem::invalid("limit", "1 to 500"));
    }
    let items = app.raters.of_hall(&hall, limit).await?;
    Ok(HttpResponse::Ok().json(json!({"items": items})))
}
