//! Tickets: taking a number, watching it, finding it again.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use actors::hall::{Done, Submit, SubmitError};
use actors::queue::Estimate;
use actors::supervisor::HallHandle;
use chrono::NaiveDate;
use dashboards::answer::{RatingFace, TicketFace};
use rules::forecast::WaitEstimate;
use rules::hall::{Command, IssueTicket};
use rules::identity::{Holder, HolderClass, IdentityKind, mask_name, mask_number, tags_are_valid};
use rules::ids::{HallId, ServiceId, Tag, TicketId, Token, WindowId};
use rules::ticket::{BookedTime, Channel, Ticket};
use rules::time::{TimeZone, Timestamp};
use rules::{Event, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::store::records::{HallTicket, TicketFilter};
use crate::web::App;
use crate::web::access::{Action, Role};
use crate::web::auth::random_hex;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::{answer, fields};

/// Tickets on one page at most.
const PAGE_MAX: u32 = 1000;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(issue)
        .service(list)
        .service(export)
        .service(figures)
        .service(show)
        .service(cancel)
        .service(requeue)
        .service(rate_ticket)
        .service(show_by_token)
        .service(cancel_by_token)
        .service(rate_by_token);
}

/// Who takes the number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HolderBody {
    /// id_card, social_security_code, identity_code, foreign_permanent_residence, passport, phone or none
    #[schema(value_type = String)]
    kind: IdentityKind,
    id_number: Option<String>,
    name: Option<String>,
    phone: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    class: HolderClass,
}

/// The appointment that is checked in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AppointmentBody {
    number: String,
    /// RFC 3339.
    from: String,
    to: String,
}

/// A wish for a number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketRequest {
    #[schema(value_type = String)]
    service: ServiceId,
    holder: Option<HolderBody>,
    /// Set by staff or kiosk; those of the tag library are added.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    tags: BTreeSet<Tag>,
    appointment: Option<AppointmentBody>,
    /// Windows that shall not call it.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    exclude_windows: BTreeSet<WindowId>,
}

/// A judgement.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RatingBody {
    /// 1 to 5.
    stars: u8,
    text: Option<String>,
}

fn invalid_identity(field: &str, reason: &str) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_identity",
        "证件号码格式不正确",
        "the identity document cannot be right",
    )
    .with("field", field)
    .with("reason", reason)
}

fn text_within(field: &str, text: Option<&String>, max: usize) -> Result<(), Problem> {
    match text {
        Some(text) if text.chars().count() > max || text.chars().any(char::is_control) => Err(
            invalid_identity(field, &format!("at most {max} characters")),
        ),
        _ => Ok(()),
    }
}

impl HolderBody {
    /// Checks the document and keeps what may be kept.
    pub fn masked(self, app: &App) -> Result<Holder, Problem> {
        text_within("holder.name", self.name.as_ref(), 40)?;
        text_within("holder.phone", self.phone.as_ref(), 20)?;
        let number = self
            .id_number
            .map(|number| number.trim().to_ascii_uppercase());
        let number = match (self.kind, number, &self.phone) {
            (IdentityKind::Phone, None, Some(phone)) => Some(phone.trim().to_owned()),
            (_, number, _) => number,
        };
        match (&number, self.kind.has_number()) {
            (Some(number), true) => {
                self.kind
                    .check(number)
                    .map_err(|why| invalid_identity("holder.id_number", why))?;
            }
            (None, true) => return Err(invalid_identity("holder.id_number", "is needed")),
            (Some(_), false) => {
                return Err(invalid_identity(
                    "holder.id_number",
                    "this kind has no number",
                ));
            }
            (None, false) => {}
        }
        Ok(Holder {
            kind: self.kind,
            class: self.class,
            person: number
                .as_deref()
                .map(|number| app.auth.person(self.kind, number)),
            id_masked: number.as_deref().map(mask_number),
            name_masked: self.name.as_deref().map(mask_name),
            phone_masked: self.phone.as_deref().map(mask_number),
        })
    }
}

impl AppointmentBody {
    fn booked(self) -> Result<BookedTime, Problem> {
        let instant = |field: &str, text: &str| {
            Timestamp::parse_rfc3339(text).ok_or_else(|| {
                Problem::invalid(&format!("appointment.{field}"), "RFC 3339 is needed")
            })
        };
        if self.number.is_empty() || self.number.chars().count() > 64 {
            return Err(Problem::invalid("appointment.number", "1 to 64 characters"));
        }
        Ok(BookedTime {
            from: instant("from", &self.from)?,
            to: instant("to", &self.to)?,
            number: self.number,
        })
    }
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
    if channel == Channel::Phone && !request.tags.is_empty() {
        return Err(caller.refuse(&app, Action::IssueTicket, "tags"));
    }
    let wish = wish(&app, &id, request, channel).await?;
    let service = wish.service.clone();
    let key = caller.key(&body)?;
    let command = Command::IssueTicket(wish);
    let submit = Submit {
        command,
        by: caller.principal.name.clone(),
        key,
    };
    match handle.submit(submit).await {
        Ok(done) => {
            let response = HttpResponse::Created();
            Ok(answer(
                response,
                &done,
                &issued_body(&handle, &service, &done).await?,
            ))
        }
        Err(SubmitError::Refused(Refusal::AlreadyIssued { ticket })) => {
            again(&handle, ticket).await
        }
        Err(error) => Err(error.into()),
    }
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

async fn wish(
    app: &App,
    hall: &HallId,
    request: TicketRequest,
    channel: Channel,
) -> Result<IssueTicket, Problem> {
    let holder = request
        .holder
        .map(|holder| holder.masked(app))
        .transpose()?;
    let mut tags = request.tags;
    if let Some(person) = holder.as_ref().and_then(|holder| holder.person.as_deref()) {
        let known = app.records.tags_of(person).await?;
        tags.extend(known.iter().filter_map(|row| row.tag.parse().ok()));
    }
    if !tags_are_valid(&tags) {
        return Err(Problem::invalid("tags", "at most 16"));
    }
    let secret = random_hex(16).map_err(|_| Problem::unavailable())?;
    Ok(IssueTicket {
        service: request.service,
        token: Token(format!("{hall}.{secret}")),
        channel,
        holder,
        tags,
        appointment: request
            .appointment
            .map(AppointmentBody::booked)
            .transpose()?,
        excluded: request.exclude_windows,
    })
}

async fn estimate(
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

async fn issued_body(
    handle: &HallHandle,
    service: &ServiceId,
    done: &Done,
) -> Result<Value, Problem> {
    let Some(face) = &done.ticket else {
        // The day has ended since the first answer: what the journal says of the ticket is left.
        return done
            .recorded
            .iter()
            .find_map(|one| match &one.event {
                Event::TicketIssued(t) => Some(json!({
                    "id": t.ticket, "number": t.number, "service": t.service, "state": "waiting",
                    "ahead": t.ahead, "token": t.token, "issued_at": one.at.rfc3339_utc(), "seq": one.seq,
                })),
                _ => None,
            })
            .ok_or_else(Problem::unavailable);
    };
    Ok(slip(
        face,
        estimate(handle, service, face.ahead).await,
        done.seq,
    ))
}

/// The answer with the five things that stand on a slip.
fn slip(face: &TicketFace, estimate: Option<WaitEstimate>, seq: u64) -> Value {
    let mut body = fields(face);
    body.insert("estimate".into(), json!(estimate));
    body.insert("token".into(), json!(face.token));
    body.insert("seq".into(), json!(seq));
    body.insert(
        "slip".into(),
        json!({
            "windows": face.window_names,
            "service": face.service_name,
            "number": face.number,
            "ahead": face.ahead,
            "qr": format!("/t/{}", face.token),
        }),
    );
    Value::Object(body)
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
    Ok(HttpResponse::Ok().json(slip(&face, estimate, seq)))
}

fn unknown_ticket() -> Problem {
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
#[get("/halls/{hall}/tickets/{ticket:\\d+}")]
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
        let estimate = estimate(&handle, &face.service, face.ahead).await;
        let mut body = fields(&face);
        body.insert("estimate".into(), json!(estimate));
        return Ok(HttpResponse::Ok().json(body));
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

async fn zone_of(handle: &HallHandle) -> Result<TimeZone, Problem> {
    handle
        .read(|hall, _| hall.config().time_zone)
        .await
        .ok_or_else(Problem::unavailable)
}

/// A ticket as the back office lists it; with its holder, masked, for those who may see it.
fn row(kept: &HallTicket, zone: TimeZone, with_holder: bool) -> Value {
    let ticket: &Ticket = &kept.ticket;
    let at = |at: Option<Timestamp>| at.map(|at| zone.rfc3339(at));
    let mut body = json!({
        "hall": kept.hall,
        "id": ticket.id,
        "number": ticket.number,
        "day": ticket.day,
        "service": ticket.service,
        "state": ticket.state.name(),
        "window": ticket.window,
        "clerk": ticket.clerk,
        "channel": ticket.channel,
        "green": ticket.green.is_some(),
        "tags": ticket.tags,
        "calls": ticket.calls,
        "issued_at": zone.rfc3339(ticket.issued_at),
        "called_at": at(ticket.first_called_at),
        "started_at": at(ticket.started_at),
        "ended_at": at(ticket.ended_at),
        "wait_secs": ticket.wait_secs(),
        "service_secs": ticket.service_secs(),
        "loop": ticket.loop_stages(),
        "appointment": ticket.appointment.as_ref().map(|booked| json!({
            "number": booked.number, "from": zone.rfc3339(booked.from), "to": zone.rfc3339(booked.to),
        })),
        "rating": ticket.rating.as_ref().map(|rating| RatingFace::of(rating, zone)),
    });
    if with_holder {
        body["holder"] = json!(ticket.holder.as_ref().map(|holder| json!({
            "kind": holder.kind, "class": holder.class, "name_masked": holder.name_masked,
            "id_masked": holder.id_masked, "phone_masked": holder.phone_masked,
        })));
    }
    body
}

/// Filters, order and place of a list of tickets.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Business day, `YYYY-MM-DD`.
    day: Option<String>,
    service: Option<String>,
    state: Option<String>,
    window: Option<String>,
    clerk: Option<String>,
    number: Option<String>,
    /// issued_at, number, wait_secs or service_secs; `-` before it for descending.
    sort: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
    #[allow(
        dead_code,
        reason = "`lang_of` reads it; here it must not count as unknown"
    )]
    lang: Option<String>,
}

fn query<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Problem> {
    Query::<T>::from_query(text)
        .map(Query::into_inner)
        .map_err(|error| Problem::invalid("query", &error.to_string()))
}

fn filter(hall: &HallId, query: ListQuery) -> Result<TicketFilter, Problem> {
    if let Some(day) = &query.day {
        day.parse::<NaiveDate>()
            .map_err(|_| Problem::invalid("day", "YYYY-MM-DD is needed"))?;
    }
    let limit = query.limit.unwrap_or(100);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Problem::invalid("limit", "1 to 1000"));
    }
    let sort = query.sort.as_deref().unwrap_or("issued_at");
    Ok(TicketFilter {
        hall: Some(hall.to_string()),
        day: query.day,
        service: query.service,
        state: query.state,
        window: query.window,
        clerk: query.clerk,
        number: query.number,
        person: None,
        sort: sort.parse().map_err(|_: String| {
            Problem::invalid(
                "sort",
                "issued_at, number, wait_secs or service_secs, with - for descending",
            )
        })?,
        limit,
        cursor: query.cursor,
    })
}

/// Tickets of a hall by day, service, state, window, clerk or number; sorted and paged.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/tickets", tag = "tickets",
    params(("hall" = String, Path), ListQuery),
    responses((status = 200, description = "items, total, pages, next_cursor", body = Object)))]
#[get("/halls/{hall}/tickets")]
async fn list(
    app: Data<App>,
    caller: Caller,
    hall: Path<String>,
    request: actix_web::HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::ReadTickets, &id)?;
    let filter = filter(&id, query(request.query_string())?)?;
    let limit = u64::from(filter.limit);
    let page = app.records.tickets(&filter).await?;
    let zone = zone_of(&handle).await?;
    let items: Vec<Value> = page
        .items
        .iter()
        .map(|kept| row(kept, zone, true))
        .collect();
    app.audit(
        &caller,
        "tickets_listed",
        id.as_str(),
        json!({"filter": request.query_string(), "rows": items.len()}),
    )
    .await?;
    Ok(HttpResponse::Ok().json(json!({
        "items": items,
        "total": page.total,
        "pages": page.total.div_ceil(limit),
        "next_cursor": page.next_cursor,
    })))
}

/// The same list as CSV, whole. Audited with filter and count.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/tickets.csv", tag = "tickets",
    params(("hall" = String, Path), ListQuery),
    responses((status = 200, description = "text/csv", body = String)))]
#[get("/halls/{hall}/tickets.csv")]
async fn export(
    app: Data<App>,
    caller: Caller,
    hall: Path<String>,
    request: actix_web::HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::ExportTickets, &id)?;
    let filter = TicketFilter {
        limit: PAGE_MAX,
        ..filter(&id, query(request.query_string())?)?
    };
    let zone = zone_of(&handle).await?;
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(CSV_COLUMNS)
        .map_err(|_| Problem::unavailable())?;
    let mut count: u64 = 0;
    let mut broken = None;
    app.records
        .tickets_each(&filter, |kept| {
            count += 1;
            if let Err(error) = csv.write_record(csv_row(kept, zone)) {
                broken = Some(error);
            }
            Ok(())
        })
        .await?;
    if let Some(error) = broken {
        tracing::error!(cause = %error, "export failed");
        return Err(Problem::unavailable());
    }
    let bytes = csv.into_inner().map_err(|_| Problem::unavailable())?;
    app.audit(
        &caller,
        "tickets_exported",
        id.as_str(),
        json!({"filter": request.query_string(), "rows": count}),
    )
    .await?;
    // Spreadsheets take UTF-8 for the local code page unless a byte-order mark says otherwise.
    let body = [&b"\xef\xbb\xbf"[..], &bytes].concat();
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((
            "Content-Disposition",
            format!("attachment; filename=\"tickets-{id}.csv\""),
        ))
        .body(Bytes::from(body)))
}

const CSV_COLUMNS: [&str; 20] = [
    "hall",
    "id",
    "number",
    "day",
    "service",
    "state",
    "window",
    "clerk",
    "channel",
    "class",
    "green",
    "appointment",
    "issued_at",
    "called_at",
    "started_at",
    "ended_at",
    "calls",
    "wait_secs",
    "service_secs",
    "stars",
];

fn csv_row(kept: &HallTicket, zone: TimeZone) -> [String; 20] {
    let ticket = &kept.ticket;
    let at = |at: Option<Timestamp>| at.map(|at| zone.rfc3339(at)).unwrap_or_default();
    let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    let name = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    [
        kept.hall.to_string(),
        ticket.id.to_string(),
        ticket.number.clone(),
        ticket.day.to_string(),
        ticket.service.to_string(),
        ticket.state.name().to_owned(),
        ticket
            .window
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        ticket
            .clerk
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        name(&json!(ticket.channel)),
        ticket
            .holder
            .as_ref()
            .map(|holder| name(&json!(holder.class)))
            .unwrap_or_default(),
        ticket.green.is_some().to_string(),
        ticket
            .appointment
            .as_ref()
            .map(|booked| csv_text(&booked.number))
            .unwrap_or_default(),
        at(Some(ticket.issued_at)),
        at(ticket.first_called_at),
        at(ticket.started_at),
        at(ticket.ended_at),
        ticket.calls.to_string(),
        number(ticket.wait_secs()),
        number(ticket.service_secs()),
        number(ticket.rating.as_ref().map(|rating| u64::from(rating.stars))),
    ]
}

/// A spreadsheet runs a cell that begins like a formula; text from outside must not.
fn csv_text(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// The business day asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct DayQuery {
    /// `YYYY-MM-DD`; the present business day if none.
    day: Option<String>,
    #[allow(
        dead_code,
        reason = "`lang_of` reads it; here it must not count as unknown"
    )]
    lang: Option<String>,
}

/// The figures of a day, whole and by service. They always add up.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/figures", tag = "tickets",
    params(("hall" = String, Path), DayQuery), responses((status = 200, body = Object)))]
#[get("/halls/{hall}/figures")]
async fn figures(
    app: Data<App>,
    caller: Caller,
    hall: Path<String>,
    request: actix_web::HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::ReadTickets, &id)?;
    let wanted: DayQuery = query(request.query_string())?;
    let today = handle
        .read(|hall, _| hall.day())
        .await
        .ok_or_else(Problem::unavailable)?;
    let day = match wanted.day {
        Some(day) => Some(
            day.parse::<NaiveDate>()
                .map_err(|_| Problem::invalid("day", "YYYY-MM-DD is needed"))?,
        ),
        None => today,
    };
    let Some(day) = day else {
        return Err(Refusal::NoDay {}.into());
    };
    let (total, by_service) = app.records.figures_of_day(&id, &day.to_string()).await?;
    let by_service: Vec<Value> = by_service
        .into_iter()
        .map(|(service, figures)| json!({"service": service, "figures": figures}))
        .collect();
    Ok(HttpResponse::Ok().json(json!({"day": day, "figures": total, "by_service": by_service})))
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
    let mut face = done.ticket.as_ref().map(fields).unwrap_or_default();
    if let Some(ticket) = &done.ticket {
        face.insert(
            "estimate".into(),
            json!(estimate(handle, &ticket.service, ticket.ahead).await),
        );
    }
    Ok(answer(
        HttpResponse::Ok(),
        &done,
        &json!({"ticket": face, "seq": done.seq}),
    ))
}

/// Cancels a waiting ticket.
#[utoipa::path(post, path = "/api/v1/halls/{hall}/tickets/{ticket}/cancel", tag = "tickets",
    params(("hall" = String, Path), ("ticket" = u64, Path)),
    responses((status = 200, body = Object), (status = 409, body = ProblemBody)))]
#[post("/halls/{hall}/tickets/{ticket:\\d+}/cancel")]
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
#[post("/halls/{hall}/tickets/{ticket:\\d+}/requeue")]
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
#[post("/halls/{hall}/tickets/{ticket:\\d+}/rating")]
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
    ticket_command(&caller, &body, &handle, command).await
}

/// The hall and ticket that a slip's token stands for.
async fn by_token(app: &App, token: &str) -> Result<(HallHandle, TicketId, Token), Problem> {
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
    ticket_command(
        &caller,
        &body,
        &handle,
        Command::RateTicket {
            ticket,
            stars,
            text,
        },
    )
    .await
}
