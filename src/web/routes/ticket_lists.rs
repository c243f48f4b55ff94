//! Finding tickets again: lists, their export, and the figures of a day.

use std::collections::BTreeMap;

use actix_web::web::{Bytes, Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get};
use actors::supervisor::HallHandle;
use chrono::NaiveDate;
use dashboards::answer::RatingFace;
use rules::Refusal;
use rules::ids::HallId;
use rules::ticket::Ticket;
use rules::time::{TimeZone, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::store::records::{HallTicket, TicketFilter};
use crate::web::App;
use crate::web::access::Action;
use crate::web::caller::Caller;
use crate::web::error::Problem;

/// Tickets on one page at most.
const PAGE_MAX: u32 = 1000;

pub fn configure(config: &mut ServiceConfig) {
    config.service(list).service(export).service(figures);
}

pub(super) async fn zone_of(handle: &HallHandle) -> Result<TimeZone, Problem> {
    handle
        .read(|hall, _| hall.config().time_zone)
        .await
        .ok_or_else(Problem::unavailable)
}

/// A ticket as the back office lists it; with its holder, masked, for those who may see it.
pub(super) fn row(kept: &HallTicket, zone: TimeZone, with_holder: bool) -> Value {
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

pub(super) fn query<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Problem> {
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
pub(super) fn csv_text(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

const CHANNELS: [&str; 4] = ["kiosk", "phone", "scan", "staff"];

/// A share in percent, rounded to one decimal; none of nothing.
fn share_pct(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 * 1000.0 / whole as f64).round() / 10.0)
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

/// The figures of a day, whole, by service and by channel. They always add up. `scan_share_pct` is
/// the share of tickets that visitors took by scanning the hall's code, in percent with one decimal;
/// null on a day without tickets.
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
    let mut channels = BTreeMap::from(CHANNELS.map(|channel| (channel.to_owned(), 0_u64)));
    channels.extend(app.records.channels_of_day(&id, &day.to_string()).await?);
    let scan_share = share_pct(channels["scan"], channels.values().sum());
    Ok(HttpResponse::Ok().json(json!({
        "day": day, "figures": total, "by_service": by_service,
        "channels": channels, "scan_share_pct": scan_share,
    })))
}
