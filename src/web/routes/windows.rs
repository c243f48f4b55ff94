//! Windows: signing in, calling, serving.

use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get, post};
use actors::hall::{Done, Submit};
use actors::ports::IdempotencyKey;
use actors::supervisor::HallHandle;
use actors::window::{self, Ask, Beat};
use dashboards::answer::TicketFace;
use rules::cases::{Case, State};
use rules::hall::{Command, Event, Hall};
use rules::ids::{ClerkId, HallId, ServiceId, TicketId, WindowId};
use rules::name::Name;
use rules::ticket::{Ticket, TicketState};
use rules::{Refusal, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::raters::Completed;
use crate::store::records::HallTicket;
use crate::web::App;
use crate::web::access::{Action, Role};
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::pages::base_url;
use crate::web::routes::{answer, fields};

/// How many of the next tickets a console shows.
const NEXT_SHOWN: usize = 3;

/// Most that may be asked for: a sheet to call by while the network is away.
const NEXT_MAX: usize = 20;

/// Earlier visits shown on a holder's card.
const VISITS_SHOWN: u32 = 10;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(holder)
        .service(next)
        .service(my_day)
        .service(held)
        .service(heartbeat)
        .service(command);
}

/// What some window commands take.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowRequest {
    /// For `call` and `resume-ticket`.
    #[schema(value_type = Option<u64>)]
    ticket: Option<TicketId>,
    /// For `transfer`.
    #[schema(value_type = Option<String>)]
    service: Option<ServiceId>,
    /// For `transfer` to one window.
    #[schema(value_type = Option<String>)]
    window: Option<WindowId>,
    /// For `pause`.
    reason: Option<String>,
}

impl WindowRequest {
    fn ticket(&self) -> Result<TicketId, Problem> {
        self.ticket
            .ok_or_else(|| Problem::invalid("ticket", "is needed"))
    }

    fn command(self, verb: &str, window: WindowId, clerk: &Caller) -> Result<Command, Problem> {
        Ok(match verb {
            "open" => Command::OpenWindow {
                window,
                clerk: clerk.principal.name.parse::<ClerkId>().ok(),
            },
            "pause" => Command::PauseWindow {
                window,
                reason: self.reason,
            },
            "resume" => Command::ResumeWindow { window },
            "close" => Command::CloseWindow { window },
            "call-next" => Command::CallNext { window },
            "call" => Command::CallTicket {
                ticket: self.ticket()?,
                window,
            },
            "recall" => Command::Recall { window },
            "start" => Command::BeginService { window },
            "complete" => Command::FinishService { window },
            "no-show" => Command::MarkNoShow { window },
            "hold" => Command::PlaceOnHold { window },
            "resume-ticket" => Command::ResumeTicket {
                ticket: self.ticket()?,
                window,
            },
            _ => Command::Transfer {
                window,
                service: self
                    .service
                    .ok_or_else(|| Problem::invalid("service", "is needed"))?,
                to_window: self.window,
            },
        })
    }
}

#[derive(Debug, Serialize)]
struct WhyFace {
    code: &'static str,
    #[serde(flatten)]
    words: Name,
}

/// A hall, one of its windows, and the right to work there.
struct Place {
    hall: HallId,
    window: WindowId,
    handle: HallHandle,
}

fn place(
    app: &App,
    caller: &Caller,
    action: Action,
    hall: &str,
    window: &str,
) -> Result<Place, Problem> {
    let (hall, handle) = app.hall(hall)?;
    caller.require_in(app, action, &hall)?;
    let unknown = || {
        Problem::unknown("unknown_window", "没有这个窗口", "there is no such window")
            .with("window", window)
    };
    let window: WindowId = window.parse().map_err(|_| unknown())?;
    let only = &caller.principal.windows;
    if !only.is_empty() && !only.contains(window.as_str()) {
        return Err(caller.refuse(app, action, &format!("{hall}/{window}")));
    }
    if handle.window(&window).is_none() {
        return Err(unknown());
    }
    Ok(Place {
        hall,
        window,
        handle,
    })
}

/// Opens, pauses, resumes or closes a window; calls, recalls, starts, completes, marks a no-show,
/// holds, resumes a ticket, or transfers it.
#[utoipa::path(post, path = "/api/v1/halls/{hall}/windows/{window}/{verb}", tag = "windows",
    params(("hall" = String, Path), ("window" = String, Path),
        ("verb" = String, Path, description = "open, pause, resume, close, call-next, call, recall, start, complete, no-show, hold, resume-ticket or transfer")),
    request_body = WindowRequest,
    responses((status = 200, description = "the ticket, the window, why that ticket", body = Object),
        (status = 404, body = ProblemBody),
        (status = 409, description = "nobody_waiting, window_busy, window_closed …", body = ProblemBody)))]
#[post(
    "/halls/{hall}/windows/{window}/{verb:open|pause|resume|close|call-next|call|recall|start|complete|no-show|hold|resume-ticket|transfer}"
)]
async fn command(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    path: Path<(String, String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (hall, window, verb) = path.into_inner();
    let place = place(&app, &caller, Action::CallAtWindow, &hall, &window)?;
    if verb == "call" && !caller.principal.call_chosen {
        return Err(caller.refuse(&app, Action::CallAtWindow, &format!("{hall}/{window}/call")));
    }
    let wanted: WindowRequest = body.parse()?;
    let command = wanted.command(&verb, place.window.clone(), &caller)?;
    let key = match caller.key(&body)? {
        None => press_key(&app, &caller, &verb, &body),
        key => key,
    };
    let submit = Submit {
        command,
        by: caller.principal.name.clone(),
        key,
    };
    let actor = place
        .handle
        .window(&place.window)
        .ok_or_else(Problem::unavailable)?;
    let done = actor
        .send(Ask(submit))
        .await
        .map_err(|_| Problem::unavailable())??;
    if verb == "complete" && !done.replayed {
        invite(&app, &request, &hall, &place.window, &done).await;
    }
    Ok(answer(
        HttpResponse::Ok(),
        done.replayed,
        &command_answer(&place.window, &done),
    ))
}

/// A completed ticket is an invitation to rate; the clerk does not wait for what becomes of it.
async fn invite(app: &App, request: &HttpRequest, hall: &str, window: &WindowId, done: &Done) {
    let (Ok((hall, _)), Some(ticket)) = (app.hall(hall), &done.ticket) else {
        return;
    };
    let completed = Completed {
        link: format!("{}/t/{}", base_url(request, app), ticket.token),
        number: ticket.number.clone(),
        ticket: ticket.id,
        window: window.clone(),
        hall,
    };
    if let Err(cause) = app.raters.invite(completed, app.now()).await {
        tracing::warn!(%cause, "nobody is invited to rate");
    }
}

/// A pager's buttons bounce, and its answers get lost: a press that comes twice counts once.
fn press_key(app: &App, caller: &Caller, verb: &str, body: &Body) -> Option<IdempotencyKey> {
    let pager = caller
        .principal
        .device()
        .filter(|_| caller.principal.roles.contains(&Role::Pager))?;
    let what = format!("{verb} {}", String::from_utf8_lossy(&body.0));
    let key = app.devices.press(pager, &what, app.now())?;
    Some(caller.keyed(&key, body))
}

fn command_answer(window: &WindowId, done: &Done) -> Value {
    let mut body = json!({"window": {"id": window, "state": window_state(done)}, "seq": done.seq});
    if let Some(ticket) = &done.ticket {
        body["ticket"] = json!(ticket);
        body["window"]["ticket"] = match window_state(done) {
            "calling" | "serving" => {
                json!({"id": ticket.id, "number": ticket.number, "service": ticket.service})
            }
            _ => Value::Null,
        };
    }
    if let Some(Event::TicketCalled { why, .. }) = done.recorded.last().map(|one| &one.event) {
        body["why"] = json!(WhyFace {
            code: why.code(),
            words: why.words()
        });
    }
    body
}

/// The window's state right after the command, as its last event tells.
fn window_state(done: &Done) -> &'static str {
    match done.recorded.last().map(|one| &one.event) {
        Some(Event::TicketCalled { .. } | Event::TicketRecalled { .. }) => "calling",
        Some(Event::ServiceBegun { .. } | Event::TicketResumed { .. }) => "serving",
        Some(Event::WindowPaused { .. }) => "paused",
        Some(Event::WindowClosed { .. }) => "closed",
        _ => "idle",
    }
}

/// Tells that the console is alive; a window that was lost is brought back to where it was.
#[utoipa::path(post, path = "/api/v1/halls/{hall}/windows/{window}/heartbeat", tag = "windows",
    params(("hall" = String, Path), ("window" = String, Path)),
    responses((status = 200, body = Object)))]
#[post("/halls/{hall}/windows/{window}/heartbeat")]
async fn heartbeat(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (hall, window) = path.into_inner();
    let place = place(&app, &caller, Action::WorkWindow, &hall, &window)?;
    let actor = place
        .handle
        .window(&place.window)
        .ok_or_else(Problem::unavailable)?;
    let beat = Beat {
        by: caller.principal.name.clone(),
    };
    actor
        .send(beat)
        .await
        .map_err(|_| Problem::unavailable())??;
    let id = place.window.clone();
    let view = place
        .handle
        .read(move |hall, _| {
            hall.window(&id)
                .map(|window| dashboards::window::view(hall, window))
        })
        .await
        .flatten();
    Ok(HttpResponse::Ok().json(json!({"window": view})))
}

/// How much of the holder's card is asked for.
#[derive(Debug, Deserialize)]
struct CardQuery {
    show: Option<String>,
}

/// Who holds the ticket that is called or served here. Each look is audited. Document and phone
/// number, masked, are shown only when asked for, which is a look of its own.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/windows/{window}/holder", tag = "windows",
    params(("hall" = String, Path), ("window" = String, Path),
        ("show" = Option<String>, Query, description = "contact: document and phone number too, masked")),
    responses((status = 200, description = "the holder's card, masked", body = Object),
        (status = 409, body = ProblemBody)))]
#[get("/halls/{hall}/windows/{window}/holder")]
async fn holder(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    query: Query<CardQuery>,
) -> Result<HttpResponse, Problem> {
    let (hall, window) = path.into_inner();
    let contact = match query.show.as_deref() {
        None => false,
        Some("contact") => true,
        Some(_) => return Err(Problem::invalid("show", "contact")),
    };
    let place = place(&app, &caller, Action::WorkWindow, &hall, &window)?;
    let id = place.window.clone();
    let found = place
        .handle
        .read(move |hall, now| {
            let ticket = hall.ticket(hall.window(&id)?.state.ticket()?)?;
            Some((
                ticket.clone(),
                TicketFace::of(hall, ticket, now),
                hall.config().time_zone,
            ))
        })
        .await
        .ok_or_else(Problem::unavailable)?;
    let Some((ticket, face, zone)) = found else {
        return Err(Refusal::NotCalling {
            window: place.window,
        }
        .into());
    };
    let object = format!("{}/{}", place.hall, ticket.number);
    app.audit(
        &caller,
        "holder_seen",
        &object,
        json!({"window": place.window, "contact": contact}),
    )
    .await?;
    let holder = ticket.holder.as_ref();
    let person = holder.and_then(|holder| holder.person.as_deref());
    let visits = match person {
        Some(person) => {
            app.records
                .earlier_visits(person, &place.hall, ticket.id, VISITS_SHOWN)
                .await?
        }
        None => Vec::new(),
    };
    let mut earlier = Vec::with_capacity(visits.len());
    for visit in &visits {
        earlier.push(json!({
            "at": zone.rfc3339(visit.ticket.issued_at), "hall": visit.hall,
            "service": visit.ticket.service, "service_name": service_name(&app, visit).await,
            "number": visit.ticket.number, "state": visit.ticket.state.name(),
        }));
    }
    let cases = match person {
        Some(person) => app.records.cases_of(person).await?,
        None => Vec::new(),
    };
    let behind = |case: &&Case| case.state.is_ended() || case.state == State::Returned;
    let (history, current): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(behind);
    let lines = |cases: Vec<&Case>| cases.into_iter().map(case_line).collect::<Vec<_>>();
    Ok(HttpResponse::Ok().json(json!({
        "ticket": ticket.id,
        "number": ticket.number,
        "service": face.service,
        "service_name": face.service_name,
        "kind": holder.map(|h| h.kind),
        "class": holder.map(|h| h.class),
        "name_masked": holder.and_then(|h| h.name_masked.as_ref()),
        "has_contact": holder.is_some_and(|h| h.id_masked.is_some() || h.phone_masked.is_some()),
        "id_masked": holder.filter(|_| contact).and_then(|h| h.id_masked.as_ref()),
        "phone_masked": holder.filter(|_| contact).and_then(|h| h.phone_masked.as_ref()),
        "tags": ticket.tags,
        "green": face.green,
        "appointment": face.appointment,
        "earlier_visits": earlier,
        "cases": {"current": lines(current), "history": lines(history)},
    })))
}

/// A case as the holder's card shows it.
fn case_line(case: &Case) -> Value {
    json!({
        "case_no": case.case_no, "item": case.told.item, "state": case.state,
        "department": case.told.department, "due_at": case.limits.due,
    })
}

/// The name of a visit's service, if its hall still has it.
async fn service_name(app: &App, visit: &HallTicket) -> Option<Name> {
    let (_, handle) = app.hall(visit.hall.as_str()).ok()?;
    let service = visit.ticket.service.clone();
    let name = handle.read(move |hall, _| Some(hall.config().services.get(&service)?.name.clone()));
    name.await.flatten()
}

fn brief(hall: &Hall, ticket: &Ticket, now: Timestamp) -> Value {
    let mut body = fields(&TicketFace::of(hall, ticket, now));
    body.insert(
        "waited_secs".into(),
        json!(now.secs_since(ticket.issued_at)),
    );
    Value::Object(body)
}

#[derive(Debug, Deserialize)]
struct NextQuery {
    limit: Option<usize>,
}

/// The next tickets this window would call, with the reasons.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/windows/{window}/next", tag = "windows",
    params(("hall" = String, Path), ("window" = String, Path),
        ("limit" = Option<u64>, Query, description = "1 to 20; 3 by default")),
    responses((status = 200, body = Object)))]
#[get("/halls/{hall}/windows/{window}/next")]
async fn next(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    query: Query<NextQuery>,
) -> Result<HttpResponse, Problem> {
    let (hall, window) = path.into_inner();
    let limit = query.limit.unwrap_or(NEXT_SHOWN);
    if !(1..=NEXT_MAX).contains(&limit) {
        return Err(Problem::invalid("limit", "1 to 20"));
    }
    let place = place(&app, &caller, Action::WorkWindow, &hall, &window)?;
    let id = place.window;
    let items = place
        .handle
        .read(move |hall, now| {
            let choices = hall
                .window(&id)
                .map(|window| hall.next_for(window, limit, now));
            let faces = choices.into_iter().flatten().filter_map(|choice| {
                let mut face = brief(hall, hall.ticket(choice.ticket)?, now);
                face["why"] = json!(WhyFace {
                    code: choice.why.code(),
                    words: choice.why.words()
                });
                Some(face)
            });
            faces.collect::<Vec<_>>()
        })
        .await;
    Ok(HttpResponse::Ok().json(json!({"items": items.ok_or_else(Problem::unavailable)?})))
}

/// The clerk's day at this window.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/windows/{window}/my-day", tag = "windows",
    params(("hall" = String, Path), ("window" = String, Path)),
    responses((status = 200, body = Object)))]
#[get("/halls/{hall}/windows/{window}/my-day")]
async fn my_day(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (hall, window) = path.into_inner();
    let place = place(&app, &caller, Action::WorkWindow, &hall, &window)?;
    let actor = place
        .handle
        .window(&place.window)
        .ok_or_else(Problem::unavailable)?;
    let day = actor
        .send(window::Observe)
        .await
        .map_err(|_| Problem::unavailable())?;
    let id = place.window.clone();
    let stars = place.handle.read(move |hall, _| {
        let here = hall.tickets().filter(|t| t.window.as_ref() == Some(&id));
        let stars = here.filter_map(|t| t.rating.as_ref().map(|r| u64::from(r.stars)));
        stars.collect::<Vec<_>>()
    });
    let stars = stars.await.ok_or_else(Problem::unavailable)?;
    let mut body = fields(&day);
    body.insert("rated".into(), json!(stars.len()));
    let mean = (!stars.is_empty()).then(|| stars.iter().sum::<u64>() as f64 / stars.len() as f64);
    body.insert("mean_stars".into(), json!(mean));
    Ok(HttpResponse::Ok().json(body))
}

/// Tickets on hold that this window may resume.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/windows/{window}/held", tag = "windows",
    params(("hall" = String, Path), ("window" = String, Path)),
    responses((status = 200, body = Object)))]
#[get("/halls/{hall}/windows/{window}/held")]
async fn held(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (hall, window) = path.into_inner();
    let place = place(&app, &caller, Action::WorkWindow, &hall, &window)?;
    let id = place.window;
    let items = place
        .handle
        .read(move |hall, now| {
            let Some(window) = hall.window(&id) else {
                return Vec::new();
            };
            let held = hall.tickets().filter(|ticket| {
                matches!(ticket.state, TicketState::Held { .. })
                    && window.plan.services.contains(&ticket.service)
            });
            held.map(|ticket| brief(hall, ticket, now))
                .collect::<Vec<_>>()
        })
        .await;
    Ok(HttpResponse::Ok().json(json!({"items": items.ok_or_else(Problem::unavailable)?})))
}
