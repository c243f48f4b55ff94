//! Devices: registered by managers, told what to do, and what they say of themselves.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put};
use chrono::{Days, NaiveDate};
use rules::devices::KINDS;
use rules::ids::{ClerkId, HallId, WindowId};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::devices::{Happened, Order, Place, Report, ReportError};
use crate::store::records::DeviceRow;
use crate::web::App;
use crate::web::access::{Action, Role};
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::pages::{base_url, picture_of};

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(add)
        .service(remove)
        .service(list_of_hall)
        .service(change)
        .service(order)
        .service(usage)
        .service(report);
}

/// A new device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceBody {
    id: String,
    name: Option<String>,
    /// kiosk, screen, strip, pager, rater, reader, printer or camera
    kind: Role,
    hall: String,
    /// The zone it stands in.
    zone: Option<String>,
    /// The window it belongs to; a pager and a rater need one.
    window: Option<String>,
}

/// What may be changed of a device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceChange {
    name: Option<String>,
    zone: Option<String>,
    window: Option<String>,
}

/// Days that one answer lists.
const DAYS_MAX: i64 = 400;

fn unknown_device() -> Problem {
    Problem::unknown("unknown_device", "没有这个设备", "there is no such device")
}

/// Checks what is said of a device's place.
fn place(
    app: &App,
    hall: &str,
    kind: &str,
    name: String,
    zone: Option<String>,
    window: Option<String>,
) -> Result<Place, Problem> {
    if !(1..=80).contains(&name.chars().count()) {
        return Err(Problem::invalid("name", "1 to 80 characters"));
    }
    // Zones are ids like any other.
    if zone
        .as_deref()
        .is_some_and(|zone| zone.parse::<ClerkId>().is_err())
    {
        return Err(Problem::invalid(
            "zone",
            "1 to 64 letters, digits, '-' or '_'",
        ));
    }
    if ["pager", "rater"].contains(&kind) && window.is_none() {
        return Err(Problem::invalid(
            "window",
            "a pager or rater belongs to a window",
        ));
    }
    if let Some(window) = &window {
        let (_, handle) = app.hall(hall)?;
        let id = window.parse::<WindowId>().ok();
        if id.is_none_or(|id| handle.window(&id).is_none()) {
            return Err(Problem::invalid("window", "the hall has no such window"));
        }
    }
    Ok(Place { name, zone, window })
}

/// The devices of the halls one manages.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", responses((status = 200, body = Object)))]
#[get("/devices")]
async fn list(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageDevices)?;
    let scope = &caller.principal.scope;
    let own = |row: &DeviceRow| scope.covers(std::slice::from_ref(&row.hall));
    let items = app.devices.faces(own, app.now());
    Ok(HttpResponse::Ok().json(json!({"items": items})))
}

/// Registers a device of any kind; its token is told once.
#[utoipa::path(post, path = "/api/v1/devices", tag = "devices", request_body = DeviceBody,
    responses((status = 201, body = Object), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[post("/devices")]
async fn add(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let DeviceBody {
        id,
        name,
        kind,
        hall,
        zone,
        window,
    } = body.parse()?;
    let (hall_id, _) = app.hall(&hall)?;
    caller.require_in(&app, Action::ManageDevices, &hall_id)?;
    if id.parse::<ClerkId>().is_err() {
        return Err(Problem::invalid(
            "id",
            "1 to 64 letters, digits, '-' or '_'",
        ));
    }
    if !kind.is_device() {
        return Err(Problem::invalid(
            "kind",
            &format!("one of {}", KINDS.join(", ")),
        ));
    }
    let name = name.unwrap_or_else(|| id.clone());
    let place = place(&app, &hall, kind.name(), name, zone, window)?;
    let token = app
        .devices
        .add(id.clone(), kind, hall.clone(), place, app.now())
        .await?;
    let detail = json!({"kind": kind, "hall": hall});
    app.audit(&caller, "device_added", &id, detail).await?;
    Ok(HttpResponse::Created().json(told_once(&app, &request, &id, &token)?))
}

/// The device with its token, and the address that carries the token to it, also as a code for the
/// camera of a tablet.
fn told_once(app: &App, request: &HttpRequest, id: &str, token: &str) -> Result<Value, Problem> {
    let row = app.devices.row(id).ok_or_else(unknown_device)?;
    let hall = &row.hall;
    let page = match (row.kind.as_str(), &row.window) {
        ("kiosk", _) => Some(format!("/kiosk/{hall}")),
        ("strip", Some(window)) => Some(format!("/led/{hall}/{window}")),
        ("rater", _) => Some("/rater".to_owned()),
        ("screen" | "strip", _) => Some(format!("/board/{hall}")),
        _ => None,
    };
    let address = page.map(|page| format!("{}{page}?t={token}", base_url(request, app)));
    let mut answer = face(app, id)?;
    answer["token"] = json!(token);
    answer["code"] = json!(address.as_deref().and_then(picture_of));
    answer["address"] = json!(address);
    Ok(answer)
}

fn face(app: &App, id: &str) -> Result<Value, Problem> {
    app.devices.face(id, app.now()).ok_or_else(unknown_device)
}

/// Removes a device; its token ends at once.
#[utoipa::path(delete, path = "/api/v1/devices/{device}", tag = "devices", params(("device" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
#[delete("/devices/{device}")]
async fn remove(
    app: Data<App>,
    caller: Caller,
    device: Path<String>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageDevices)?;
    let row = app.devices.row(&device).ok_or_else(unknown_device)?;
    if !caller.principal.scope.covers(&[row.hall]) {
        return Err(caller.refuse(&app, Action::ManageDevices, &device));
    }
    app.devices.remove(&device).await?;
    app.occupancies
        .forget(&format!("device:{device}"), app.now())
        .await?;
    app.audit(&caller, "device_removed", &device, json!({}))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A hall's devices: which are online, what they last said, which functions fail.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/devices", tag = "devices", params(("hall" = String, Path)),
    responses((status = 200, description = "summary {online, total, by_kind} and items", body = Object)))]
#[get("/halls/{hall}/devices")]
async fn list_of_hall(
    app: Data<App>,
    caller: Caller,
    hall: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (id, _) = app.hall(&hall)?;
    caller.require_in(&app, Action::ManageDevices, &id)?;
    Ok(HttpResponse::Ok().json(app.devices.of_hall(&hall, app.now())))
}

/// Days of use to be listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// As 2026-03-09; without it 30 days before the last.
    #[param(value_type = Option<String>)]
    from: Option<NaiveDate>,
    /// The last day, today without it.
    #[param(value_type = Option<String>)]
    to: Option<NaiveDate>,
}

/// How often each function of a device was used, day by day; days without any use are left out.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/devices/{device}/usage", tag = "devices",
    params(("hall" = String, Path), ("device" = String, Path), UsageQuery),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[get("/halls/{hall}/devices/{device}/usage")]
async fn usage(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    query: Query<UsageQuery>,
) -> Result<HttpResponse, Problem> {
    let (hall, device) = path.into_inner();
    managed(&app, &caller, &hall, &device)?;
    let to = query.to.unwrap_or_else(|| app.devices.today(app.now()));
    let from = query.from.or_else(|| to.checked_sub_days(Days::new(30)));
    let from = from.filter(|from| *from <= to && (to - *from).num_days() <= DAYS_MAX);
    let from = from.ok_or_else(|| Problem::invalid("from", "at most 400 days before the last"))?;
    let items = app.devices.usage(&device, from, to).await?;
    Ok(HttpResponse::Ok().json(json!({"from": from, "to": to, "items": items})))
}

/// A device of a hall, and the right to manage it.
fn managed(app: &App, caller: &Caller, hall: &str, device: &str) -> Result<DeviceRow, Problem> {
    let (id, _): (HallId, _) = app.hall(hall)?;
    caller.require_in(app, Action::ManageDevices, &id)?;
    app.devices
        .row(device)
        .filter(|row| row.hall == hall)
        .ok_or_else(unknown_device)
}

/// Changes a device's name, zone or window. What is left out stays; an empty text takes it away.
#[utoipa::path(put, path = "/api/v1/halls/{hall}/devices/{device}", tag = "devices",
    params(("hall" = String, Path), ("device" = String, Path)), request_body = DeviceChange,
    responses((status = 200, body = Object), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[put("/halls/{hall}/devices/{device}")]
async fn change(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (hall, device) = path.into_inner();
    let row = managed(&app, &caller, &hall, &device)?;
    let DeviceChange { name, zone, window } = body.parse()?;
    let or_stays = |new: Option<String>, old: Option<String>| match new {
        Some(text) if text.is_empty() => None,
        Some(text) => Some(text),
        None => old,
    };
    let (name, zone) = (name.unwrap_or(row.name), or_stays(zone, row.zone));
    let window = or_stays(window, row.window);
    let place = place(&app, &hall, &row.kind, name, zone, window)?;
    let detail = json!({"name": place.name, "zone": place.zone, "window": place.window});
    if !app.devices.change(&device, place, app.now()).await? {
        return Err(unknown_device());
    }
    app.audit(&caller, "device_changed", &device, detail)
        .await?;
    Ok(HttpResponse::Ok().json(face(&app, &device)?))
}

/// Lets a device show its name for ten seconds, load its page again, or be silent; or gives it a new
/// token, told once, which ends the old one.
#[utoipa::path(post, path = "/api/v1/halls/{hall}/devices/{device}/{verb}", tag = "devices",
    params(("hall" = String, Path), ("device" = String, Path),
        ("verb" = String, Path, description = "identify, reload, mute, unmute or token")),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[post("/halls/{hall}/devices/{device}/{verb:identify|reload|mute|unmute|token}")]
async fn order(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    path: Path<(String, String, String)>,
) -> Result<HttpResponse, Problem> {
    let (hall, device, verb) = path.into_inner();
    managed(&app, &caller, &hall, &device)?;
    let now = app.now();
    let order = match verb.as_str() {
        "identify" => Order::Identify,
        "reload" => Order::Reload,
        "mute" => Order::Mute,
        "unmute" => Order::Unmute,
        _ => return renew_token(&app, &caller, &request, &device).await,
    };
    if !app.devices.order(&device, order, now).await? {
        return Err(unknown_device());
    }
    let detail = json!({"order": verb});
    app.audit(&caller, "device_ordered", &device, detail)
        .await?;
    Ok(HttpResponse::Ok().json(face(&app, &device)?))
}

async fn renew_token(
    app: &App,
    caller: &Caller,
    request: &HttpRequest,
    device: &str,
) -> Result<HttpResponse, Problem> {
    let token = app.devices.new_token(device, app.now()).await?;
    let token = token.ok_or_else(unknown_device)?;
    app.audit(caller, "device_token_renewed", device, json!({}))
        .await?;
    Ok(HttpResponse::Ok().json(told_once(app, request, device, &token)?))
}

/// A device says how it is: at its start, each minute and at each change. Its faults are those of
/// the last report.
#[utoipa::path(post, path = "/api/v1/device/report", tag = "devices", request_body = Report,
    responses((status = 200, description = "the device", body = Object),
        (status = 422, body = ProblemBody), (status = 429, body = ProblemBody)))]
#[post("/device/report")]
async fn report(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ReportDevice)?;
    let id = caller.principal.device().unwrap_or_default();
    let report: Report = body.parse()?;
    let happened = app.devices.report(id, report, app.now()).await;
    for happened in happened.map_err(report_refused)? {
        app.note_device(&happened).await;
    }
    Ok(HttpResponse::Ok().json(face(&app, id)?))
}

fn report_refused(error: ReportError) -> Problem {
    match error {
        ReportError::Unknown => unknown_device(),
        ReportError::Invalid { field, reason } => Problem::invalid(field, reason),
        ReportError::Store(cause) => cause.into(),
        ReportError::TooMany => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_reports",
            "设备上报过于频繁",
            "the device reports too often",
        )
        .with("retry_after_secs", 60),
    }
}

impl App {
    /// Logs and audits what happened to a device, so that one may be called to it.
    pub async fn note_device(&self, happened: &Happened) {
        let Happened {
            device,
            hall,
            what,
            fault,
        } = happened;
        let detail = match fault {
            Some(fault) => json!({"hall": hall, "function": fault.function, "code": fault.code}),
            None => json!({"hall": hall}),
        };
        match *what {
            "device_offline" => tracing::warn!(device, hall, "device {device} fell silent"),
            _ => tracing::info!(device, hall, what, %detail, "device"),
        }
        if let Err(cause) = self.audit_device(device, what, &detail).await {
            tracing::warn!(%cause, "device's event not audited");
        }
    }
}
