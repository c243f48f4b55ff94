//! Tickets: taking a number, watching it, giving it up, rating.

mod wish;

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use actors::hall::{Done, Submit, SubmitError};
use actors::queue::Estimate;
use actors::supervisor::HallHandle;
use dashboards::answer::TicketFace;
use rules::forecast::WaitEstimate;
use rules::hall::Command;
use rules::ids::{HallId, ServiceId, TicketId, Token};
use rules::name::Name;
use rules::ticket::Channel;
use rules::{Event, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::store::records::HallTicket;
use crate::web::App;
use crate::web::access::{Action, Role};
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::answer;
use crate::web::routes::ticket_lists::{row, zone_of};
use wish::{HolderBody, NUMBER_NEEDED, TicketRequest, invalid_identity, is_visitors, wish};

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(issue)
        .service(show)
        .service(cancel)
        .service(requeue)
        .service(rate_ticket)
        .service(show_by_token)
        .service(cancel_by_token)
        .service(postpone_by_token)
        .service(rate_by_token);
}

/// How many others go first.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostponeBody {
    places: u32,
}

/// A judgement.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RatingBody {
    /// 1 to 5.
    stars: u8,
    text: Option<String>,
}

/// Takes a number.
#[utoipa::path(post, path = "/api/v1/halls/{hall}/tickets", tag = "tickets",
    params(("hall" = String, Path)), request_body = TicketRequest,
    responses((status = 201, description = "the ticket and what stands on its slip", body = Object),
        (status = 200, description = "a ticket was issued for this appointment before", body = Object),
        (status = 409, description = "hall_closed, issuing_paused, contingent_reached …", body = ProblemBody),
        (status = 422, description = "invalid_identity, invalid_field", body = ProblemBody)))]
#[post("/halls/{hall}/tickets")]
async fn issue(
    app: Data<App>,
    caller: Caller,
    hall: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (id, handle) = app.hall(&hall)?;
    let channel = channel_of(&app, &caller, &id, &handle).await?;
    let request: TicketRequest = body.parse()?;
    let channel = request.through(channel)?;
    if is_visitors(channel) {
        if !request.tags.is_empty() {
            return Err(caller.refuse(&app, Action::IssueTicket, "tags"));
        }
        let named = |holder: &HolderBody| holder.kind.has_number();
        if request.appointment.is_some() && !request.holder.as_ref().is_some_and(named) {
            return Err(invalid_identity("holder", NUMBER_NEEDED));
        }
    }
    let mobile = request.holder.as_ref().and_then(HolderBody::mobile);
    let wish = wish(&app, &id, request, channel).await?;
    let person = wish
        .holder
        .as_ref()
        .and_then(|holder| holder.person.clone());
    let key = caller.key(&body)?;
    let command = Command::IssueTicket(wish);
    let submit = Submit {
        command,
        by: caller.principal.name.clone(),
        key,
    };
    let (submitted, estimate) = handle.issue(submit).await;
    match submitted {
        Ok(done) => {
            if let (false, Some(device)) = (done.replayed, caller.principal.device()) {
                app.devices.used(device, "issue", app.now());
            }
            if let (Some(mobile), Some(ticket)) = (mobile, &done.ticket) {
                let kept = app.raters.keep_contact(&id, ticket.id, &mobile, app.now());
                if let Err(cause) = kept.await {
                    tracing::warn!(%cause, "a number to invite by is not kept");
                }
            }
            issued(&done, estimate)
        }
        Err(SubmitError::Refused(Refusal::AlreadyIssued { ticket })) => {
            if is_visitors(channel) && !holds(&handle, ticket, person).await {
                return Err(Refusal::AlreadyIssued { ticket }.into());
            }
            again(&handle, ticket).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the ticket is that person's. Whoever only knows the appointment's number is not told
/// the token of the ticket.
async fn holds(handle: &HallHandle, ticket: TicketId, person: Option<String>) -> bool {
    let holder = handle
        .read(move |hall, _| hall.ticket(ticket)?.holder.as_ref()?.person.clone())
        .await
        .flatten();
    person.is_some() && holder == person
}

/// Staff, kiosk, or a visitor's own phone where the hall allows it.
async fn channel_of(
    app: &App,
    caller: &Caller,
    hall: &HallId,
    handle: &HallHandle,
) -> Result<Channel, Problem> {
    if caller.principal.may_in(Action::IssueTicket, hall) {
        let kiosk = caller.principal.roles.contains(&Role::Kiosk);
        return Ok(if kiosk {
            Channel::Kiosk
        } else {
            Channel::Staff
        });
    }
    let open = handle
        .read(|hall, _| hall.config().options.visitor_issuing)
        .await;
    if open == Some(true) && caller.principal.is_visitor() {
        return Ok(Channel::Phone);
    }
    Err(caller.refuse(app, Action::IssueTicket, hall.as_str()))
}

pub(super) async fn estimate(
    handle: &HallHandle,
    service: &ServiceId,
    ahead: Option<u64>,
) -> Option<WaitEstimate> {
    let ahead = ahead?;
    handle
        .queue(service)?
        .send(Estimate { ahead })
        .await
        .ok()
        .flatten()
}

fn issued(done: &Done, estimate: Option<WaitEstimate>) -> Result<HttpResponse, Problem> {
    let response = HttpResponse::Created();
    if let Some(face) = &done.ticket {
        let body = Issued::of(face, estimate, done.seq);
        return Ok(answer(response, done.replayed, &body));
    }
    // The day has ended since the first answer: what the journal says of the ticket is left.
    let journalled = done.recorded.iter().find_map(|one| match &one.event {
        Event::TicketIssued(t) => Some(json!({
            "id": t.ticket, "number": t.number, "service": t.service, "state": "waiting",
            "ahead": t.ahead, "token": t.token, "issued_at": one.at.rfc3339_utc(), "seq": one.seq,
        })),
        _ => None,
    });
    let body = journalled.ok_or_else(Problem::unavailable)?;
    Ok(answer(response, done.replayed, &body))
}

/// The answer to who takes a number.
#[derive(Serialize)]
struct Issued<'a> {
    #[serde(flatten)]
    ticket: &'a TicketFace,
    estimate: Option<WaitEstimate>,
    token: &'a str,
    seq: u64,
    slip: Slip<'a>,
}

/// The five things that stand on a slip.
#[derive(Serialize)]
struct Slip<'a> {
    windows: &'a [Name],
    service: Option<&'a Name>,
    number: &'a str,
    ahead: Option<u64>,
    qr: String,
}

impl<'a> Issued<'a> {
    fn of(ticket: &'a TicketFace, estimate: Option<WaitEstimate>, seq: u64) -> Self {
        Self {
            ticket,
            estimate,
            token: &ticket.token,
            seq,
            slip: Slip {
                windows: &ticket.window_names,
                service: ticket.service_name.as_ref(),
                number: &ticket.number,
                ahead: ticket.ahead,
                qr: format!("/t/{}", ticket.token),
            },
        }
    }
}

/// A second check-in of one appointment prints the same ticket again.
async fn again(handle: &HallHandle, ticket: TicketId) -> Result<HttpResponse, Problem> {
    let found = handle
        .read(move |hall, now| {
            let ticket = hall.ticket(ticket)?;
            Some((TicketFace::of(hall, ticket, now), hall.seq()))
        })
        .await
        .flatten();
    let (face, seq) = found.ok_or_else(Problem::unavailable)?;
    let estimate = estimate(handle, &face.service, face.ahead).await;
    Ok(HttpResponse::Ok().json(Issued::of(&face, estimate, seq)))
}

pub(super) fn unknown_ticket() -> Problem {
    Problem::unknown(
        "unknown_ticket",
        "号码不存在或已失效",
        "the ticket does not exist or is no longer valid",
    )
}

/// One ticket: its place, estimate and state.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/tickets/{ticket}", tag = "tickets",
    params(("hall" = String, Path), ("ticket" = u64, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/halls/{hall}/tickets/{ticket:[0-9]+}")]
async fn show(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, u64)>,
) -> Result<HttpResponse, Problem> {
    let (hall, ticket) = path.into_inner();
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::SeeHall, &id)?;
    let live = handle
        .read(move |hall, now| {
            hall.ticket(TicketId(ticket))
                .map(|ticket| TicketFace::of(hall, ticket, now))
        })
        .await
        .flatten();
    if let Some(face) = live {
        return Ok(HttpResponse::Ok().json(Expected::of(&handle, Some(&face)).await));
    }
    let zone = zone_of(&handle).await?;
    let kept = app
        .records
        .ticket(&id, TicketId(ticket))
        .await?
        .ok_or_else(unknown_ticket)?;
    Ok(HttpResponse::Ok().json(row(
        &HallTicket {
            hall: id,
            ticket: kept,
        },
        zone,
        false,
    )))
}

/// A ticket, as far as the hall still knows it, and how long it will probably wait.
#[derive(Serialize)]
struct Expected<'a> {
    #[serde(flatten)]
    ticket: Option<&'a TicketFace>,
    estimate: Option<WaitEstimate>,
}

impl<'a> Expected<'a> {
    async fn of(handle: &HallHandle, ticket: Option<&'a TicketFace>) -> Self {
        let estimate = match ticket {
            Some(face) => estimate(handle, &face.service, face.ahead).await,
            None => None,
        };
        Self { ticket, estimate }
    }
}

/// The answer to a command on a ticket.
#[derive(Serialize)]
struct Changed<'a> {
    ticket: Expected<'a>,
    seq: u64,
}

async fn ticket_command(
    caller: &Caller,
    body: &Body,
    handle: &HallHandle,
    command: Command,
) -> Result<HttpResponse, Problem> {
    let submit = Submit {
        command,
        by: caller.principal.name.clone(),
        key: caller.key(body)?,
    };
    let done = handle.submit(submit).await?;
    let body = Changed {
        ticket: Expected::of(handle, done.ticket.as_ref()).await,
        seq: done.seq,
    };
    Ok(answer(HttpResponse::Ok(), done.replayed, &body))
}

/// Cancels a waiting ticket.
#[utoipa::path(post, path = "/api/v1/halls/{hall}/tickets/{ticket}/cancel", tag = "tickets",
    params(("hall" = String, Path), ("ticket" = u64, Path)),
    responses((status = 200, body = Object), (status = 409, body = ProblemBody)))]
#[post("/halls/{hall}/tickets/{ticket:[0-9]+}/cancel")]
async fn cancel(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, u64)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (hall, ticket) = path.into_inner();
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::IssueTicket, &id)?;
    let command = Command::CancelTicket {
        ticket: TicketId(ticket),
    };
    ticket_command(&caller, &body, &handle, command).await
}

/// Lets a missed ticket wait again, behind as many others as the policy says.
#[utoipa::path(post, path = "/api/v1/halls/{hall}/tickets/{ticket}/requeue", tag = "tickets",
    params(("hall" = String, Path), ("ticket" = u64, Path)),
    responses((status = 200, body = Object), (status = 409, body = ProblemBody)))]
#[post("/halls/{hall}/tickets/{ticket:[0-9]+}/requeue")]
async fn requeue(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, u64)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (hall, ticket) = path.into_inner();
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::IssueTicket, &id)?;
    let command = Command::RequeueTicket {
        ticket: TicketId(ticket),
    };
    ticket_command(&caller, &body, &handle, command).await
}

/// Rates a completed ticket.
#[utoipa::path(post, path = "/api/v1/halls/{hall}/tickets/{ticket}/rating", tag = "tickets",
    params(("hall" = String, Path), ("ticket" = u64, Path)), request_body = RatingBody,
    responses((status = 200, body = Object), (status = 409, body = ProblemBody)))]
#[post("/halls/{hall}/tickets/{ticket:[0-9]+}/rating")]
async fn rate_ticket(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, u64)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (hall, ticket) = path.into_inner();
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::IssueTicket, &id)?;
    let RatingBody { stars, text } = body.parse()?;
    let command = Command::RateTicket {
        ticket: TicketId(ticket),
        stars,
        text,
    };
    let done = ticket_command(&caller, &body, &handle, command).await?;
    uninvite(&app, &id, TicketId(ticket)).await;
    Ok(done)
}

/// Whoever has rated is not asked any more.
async fn uninvite(app: &App, hall: &HallId, ticket: TicketId) {
    if let Err(cause) = app.raters.rated(hall, ticket, app.now()).await {
        tracing::warn!(%cause, "an invitation to rate stands although the ticket is rated");
    }
}

/// The hall and ticket that a slip's token stands for.
pub(super) async fn by_token(
    app: &App,
    token: &str,
) -> Result<(HallHandle, TicketId, Token), Problem> {
    let hall = token.split_once('.').map_or("", |(hall, _)| hall);
    let (_, handle) = app.hall(hall).map_err(|_| unknown_ticket())?;
    let token = Token(token.to_owned());
    let wanted = token.clone();
    let ticket = handle
        .read(move |hall, _| hall.ticket_by_token(&wanted).map(|t| t.id))
        .await
        .flatten();
    Ok((handle, ticket.ok_or_else(unknown_ticket)?, token))
}

/// A ticket as its holder's phone sees it. Whoever has the slip may ask.
#[utoipa::path(get, path = "/api/v1/tickets/{token}", tag = "tickets", params(("token" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/tickets/{token}")]
async fn show_by_token(app: Data<App>, token: Path<String>) -> Result<HttpResponse, Problem> {
    let (handle, ticket, _) = by_token(&app, &token).await?;
    let rate = handle.clock.rate();
    let view = handle
        .read(move |hall, now| {
            let ticket = hall.ticket(ticket)?;
            let ahead = hall.ahead(ticket.id, now);
            Some((
                dashboards::ticket::view(hall, ticket, ahead, now, rate),
                ticket.service.clone(),
            ))
        })
        .await
        .flatten();
    let (mut view, service) = view.ok_or_else(unknown_ticket)?;
    view.estimate = estimate(&handle, &service, view.ahead).await;
    Ok(HttpResponse::Ok().json(view))
}

/// The holder gives up the number.
#[utoipa::path(post, path = "/api/v1/tickets/{token}/cancel", tag = "tickets", params(("token" = String, Path)),
    responses((status = 200, body = Object), (status = 409, body = ProblemBody)))]
#[post("/tickets/{token}/cancel")]
async fn cancel_by_token(
    app: Data<App>,
    caller: Caller,
    token: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (handle, ticket, _) = by_token(&app, &token).await?;
    ticket_command(&caller, &body, &handle, Command::CancelTicket { ticket }).await
}

/// The holder lets others go first, as far as the hall allows it.
#[utoipa::path(post, path = "/api/v1/tickets/{token}/postpone", tag = "tickets", params(("token" = String, Path)),
    request_body = PostponeBody,
    responses((status = 200, body = Object),
        (status = 409, description = "postpone_off, postpone_limit, nobody_behind, ticket_not_waiting", body = ProblemBody)))]
#[post("/tickets/{token}/postpone")]
async fn postpone_by_token(
    app: Data<App>,
    caller: Caller,
    token: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (handle, ticket, _) = by_token(&app, &token).await?;
    let PostponeBody { places } = body.parse()?;
    let command = Command::PostponeTicket { ticket, places };
    ticket_command(&caller, &body, &handle, command).await
}

/// The holder's judgement.
#[utoipa::path(post, path = "/api/v1/tickets/{token}/rating", tag = "tickets", params(("token" = String, Path)),
    request_body = RatingBody,
    responses((status = 200, body = Object), (status = 409, body = ProblemBody)))]
#[post("/tickets/{token}/rating")]
async fn rate_by_token(
    app: Data<App>,
    caller: Caller,
    token: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (handle, ticket, _) = by_token(&app, &token).await?;
    let RatingBody { stars, text } = body.parse()?;
    let command = Command::RateTicket {
        ticket,
        stars,
        text,
    };
    let done = ticket_command(&caller, &body, &handle, command).await?;
    let hall = token.split_once('.').map_or("", |(hall, _)| hall);
    if let Ok((hall, _)) = app.hall(hall) {
        uninvite(&app, &hall, ticket).await;
    }
    Ok(done)
}
