//! LED strips: what the strip over a window shows, as data and as pictures; and the strips on a wire.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, delete, get, put};
use actors::strip::{StripPlan, StripStatus};
use actors::window::Follow;
use dashboards::strip::{LineView, Size, Strip, StripView};
use rules::ids::{ClerkId, HallId, WindowId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::store::records::StripRow;
use crate::strips::{check_address, protocol};
use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(preview)
        .service(list)
        .service(show)
        .service(put)
        .service(remove);
}

#[derive(Deserialize)]
struct PreviewQuery {
    /// 64x16, 96x16, 128x16 or 128x32; 128x16 unless told.
    size: Option<String>,
}

/// A strip, and what to show in its place when the server is silent.
#[derive(Serialize)]
struct PreviewBody {
    #[serde(flatten)]
    strip: StripView,
    staff: Vec<LineView>,
}

/// What the strip over a window shows now.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/windows/{window}/{strip}", tag = "windows",
    params(("hall" = String, Path), ("window" = String, Path),
        ("strip" = String, Path, description = "strip.json, strip.txt, strip.pbm or strip.png"),
        ("size" = Option<String>, Query, description = "64x16, 96x16, 128x16 or 128x32")),
    responses((status = 200, description = "the strip, dot by dot", body = Object),
        (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[get("/halls/{hall}/windows/{window}/{strip:strip\\.(?:json|txt|pbm|png)}")]
async fn preview(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String, String)>,
    query: Query<PreviewQuery>,
) -> Result<HttpResponse, Problem> {
    let (hall, window, form) = path.into_inner();
    let (hall, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::SeeHall, &hall)?;
    let size = size(query.size.as_deref().unwrap_or("128x16"))?;
    let actor = window_id(&window)
        .ok()
        .and_then(|window| handle.window(&window))
        .ok_or_else(|| unknown_window(&window))?;
    let shown = actor
        .send(Follow)
        .await
        .map_err(|_| Problem::unavailable())?;
    let view = shown.borrow().clone().ok_or_else(Problem::unavailable)?;
    let strip = Strip::of(&view, size, caller.lang);
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CACHE_CONTROL, "no-store"));
    Ok(match form.as_str() {
        "strip.txt" => answer
            .content_type("text/plain; charset=utf-8")
            .body(strip.to_text()),
        "strip.pbm" => answer
            .content_type("image/x-portable-bitmap")
            .body(strip.to_pbm()),
        "strip.png" => answer.content_type("image/png").body(strip.to_png()),
        _ => answer.json(PreviewBody {
            strip: strip.view(),
            staff: Strip::staff(size, caller.lang).view().lines,
        }),
    })
}

fn window_id(text: &str) -> Result<WindowId, Problem> {
    text.parse()
        .map_err(|_| Problem::invalid("window", "1 to 64 letters, digits, '-' or '_'"))
}

fn unknown_window(window: &str) -> Problem {
    Problem::unknown("unknown_window", "没有这个窗口", "there is no such window")
        .with("window", window)
}

fn size(text: &str) -> Result<Size, Problem> {
    text.parse()
        .map_err(|reason| Problem::invalid("size", reason))
}

/// Strips on a wire that one hall may have.
const STRIPS_MAX: usize = 200;

/// A strip on a wire.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StripBody {
    /// The window it shows.
    window: String,
    /// line, line_udp, jqueue or cxt
    protocol: String,
    /// `host:port`, within `strips.networks`
    address: String,
    /// 64x16, 96x16, 128x16 or 128x32
    size: String,
    /// Red, green and yellow; else red alone.
    #[serde(default)]
    two_colours: bool,
    /// Part of the card that shows the text, for `cxt`.
    #[serde(default)]
    zone: u8,
    #[serde(default)]
    english: bool,
}

fn face(id: &str, plan: &StripPlan, status: &StripStatus) -> Value {
    json!({
        "id": id, "window": plan.window, "protocol": plan.protocol, "address": plan.address,
        "size": plan.size, "two_colours": plan.two_colours, "zone": plan.zone,
        "english": plan.english, "state": status.state, "text": status.text,
        "shown_at": status.shown_at.map(rules::Timestamp::rfc3339_utc),
        "took_ms": status.took_ms, "fault": status.fault,
    })
}

fn found(app: &App, hall: &HallId, id: &str) -> Result<Value, Problem> {
    let strips = app.strips.of_hall(hall);
    let known = strips.iter().find(|(known, ..)| known == id);
    let (id, plan, status) = known.ok_or_else(unknown_strip)?;
    Ok(face(id, plan, status))
}

fn unknown_strip() -> Problem {
    Problem::unknown("unknown_strip", "没有这个条屏", "there is no such strip")
}

/// The strips on a wire of a hall, and whether they answer.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/strips", tag = "devices", params(("hall" = String, Path)),
    responses((status = 200, body = Object)))]
#[get("/halls/{hall}/strips")]
async fn list(app: Data<App>, caller: Caller, hall: Path<String>) -> Result<HttpResponse, Problem> {
    let (hall, _) = app.hall(&hall)?;
    caller.require_in(&app, Action::ManageDevices, &hall)?;
    let strips = app.strips.of_hall(&hall);
    let items: Vec<Value> = strips
        .iter()
        .map(|(id, plan, status)| face(id, plan, status))
        .collect();
    Ok(HttpResponse::Ok().json(json!({"items": items})))
}

/// One strip on a wire.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/strips/{strip}", tag = "devices",
    params(("hall" = String, Path), ("strip" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/halls/{hall}/strips/{strip}")]
async fn show(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (hall, id) = path.into_inner();
    let (hall, _) = app.hall(&hall)?;
    caller.require_in(&app, Action::ManageDevices, &hall)?;
    Ok(HttpResponse::Ok().json(found(&app, &hall, &id)?))
}

/// Sets a strip up, or anew. It shows its window at once.
#[utoipa::path(put, path = "/api/v1/halls/{hall}/strips/{strip}", tag = "devices",
    params(("hall" = String, Path), ("strip" = String, Path)), request_body = StripBody,
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[put("/halls/{hall}/strips/{strip}")]
async fn put(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (hall, id) = path.into_inner();
    let (hall, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::ManageDevices, &hall)?;
    let body: StripBody = body.parse()?;
    if id.parse::<ClerkId>().is_err() {
        return Err(Problem::invalid(
            "strip",
            "1 to 64 letters, digits, '-' or '_'",
        ));
    }
    let window = window_id(&body.window)?;
    if handle.window(&window).is_none() {
        return Err(Problem::invalid("window", "the hall has no such window"));
    }
    let protocol = protocol(&body.protocol)
        .ok_or_else(|| Problem::invalid("protocol", "line, line_udp, jqueue or cxt"))?;
    check_address(&body.address, &app.settings.strips.networks)
        .map_err(|reason| Problem::invalid("address", reason))?;
    let plan = StripPlan {
        window,
        protocol,
        address: body.address,
        size: size(&body.size)?,
        two_colours: body.two_colours,
        zone: body.zone,
        english: body.english,
    };
    let others = app.strips.of_hall(&hall);
    if others.len() >= STRIPS_MAX && !others.iter().any(|(known, ..)| *known == id) {
        return Err(Problem::invalid("strip", "the hall has 200 strips already"));
    }
    let row = StripRow {
        hall: hall.to_string(),
        id: id.clone(),
        window: plan.window.to_string(),
        protocol: plan.protocol.name().to_owned(),
        address: plan.address.clone(),
        size: plan.size.name().to_owned(),
        two_colours: plan.two_colours,
        zone: plan.zone,
        english: plan.english,
    };
    app.records.put_strip(&row).await?;
    app.strips.put(hall.clone(), id.clone(), plan);
    let detail = json!({"hall": hall, "window": row.window, "address": row.address, "protocol": row.protocol});
    app.audit(&caller, "strip_set", &id, detail).await?;
    Ok(HttpResponse::Ok().json(found(&app, &hall, &id)?))
}

/// Takes a strip off its wire, with the words for a silent server on it.
#[utoipa::path(delete, path = "/api/v1/halls/{hall}/strips/{strip}", tag = "devices",
    params(("hall" = String, Path), ("strip" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
#[delete("/halls/{hall}/strips/{strip}")]
async fn remove(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (hall, id) = path.into_inner();
    let (hall, _) = app.hall(&hall)?;
    caller.require_in(&app, Action::ManageDevices, &hall)?;
    if !app.records.delete_strip(hall.as_str(), &id).await? {
        return Err(unknown_strip());
    }
    app.strips.remove(&hall, &id);
    app.audit(&caller, "strip_removed", &id, json!({"hall": hall}))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
