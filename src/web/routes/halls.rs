//! Halls and their set-up.

use std::collections::BTreeMap;

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpResponse, delete, get, post, put};
use actors::hall::Submit;
use actors::ports::IdempotencyKey;
use actors::supervisor::{Register, RegisterError};
use dashboards::board::{self, ClockFace};
use dashboards::city::HallFace;
use rules::figures::Figures;
use rules::hall::{Command, Event, HallConfig, HallState, Options, Service};
use rules::ids::{HallId, MenuId, ServiceId, WindowId, ZoneId};
use rules::name::Name;
use rules::number::NumberTemplate;
use rules::policy::CallPolicy;
use rules::time::TimeZone;
use rules::window::{WindowKind, WindowPlan};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::once::once;
use crate::web::routes::{answer, fields};

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(register)
        .service(show)
        .service(change)
        .service(show_policy)
        .service(set_policy)
        .service(put_service)
        .service(delete_service)
        .service(put_window)
        .service(delete_window)
        .service(show_service)
        .service(switch);
}

/// A service as the manager writes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceBody {
    /// Needed in a list of services; elsewhere the path names it.
    #[schema(value_type = Option<String>)]
    id: Option<ServiceId>,
    /// `{"zh": …, "en": …}` or one string for both.
    #[schema(value_type = Object)]
    name: Name,
    /// Letters before the digits, 0 to 4 of A–Z.
    #[serde(default)]
    prefix: String,
    #[serde(default = "three")]
    digits: u8,
    #[serde(default = "one")]
    first: u32,
    /// Last number before the series wraps; by default the largest that fits the digits.
    last: Option<u32>,
    /// Numbers a day from kiosks and phones.
    contingent: Option<u32>,
    #[schema(value_type = Option<String>)]
    menu: Option<MenuId>,
    avg_service_secs: Option<u32>,
}

const fn three() -> u8 {
    3
}

const fn one() -> u32 {
    1
}

impl From<ServiceBody> for Service {
    fn from(body: ServiceBody) -> Self {
        let largest = 10_u32.pow(u32::from(body.digits.clamp(1, 6))) - 1;
        Self {
            name: body.name,
            template: NumberTemplate {
                prefix: body.prefix,
                digits: body.digits,
                first: body.first,
                last: body.last.unwrap_or(largest),
            },
            contingent: body.contingent,
            menu: body.menu,
            avg_service_secs: body
                .avg_service_secs
                .unwrap_or(rules::hall::config::DEFAULT_SERVICE_SECS),
        }
    }
}

/// A window as the manager writes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowBody {
    /// Needed in a list of windows; elsewhere the path names it.
    #[schema(value_type = Option<String>)]
    id: Option<WindowId>,
    /// By default `N 号窗口` / `Window N`.
    #[schema(value_type = Option<Object>)]
    name: Option<Name>,
    #[schema(value_type = Vec<String>)]
    services: Vec<ServiceId>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    kind: WindowKind,
    /// One of the hall's zones.
    #[schema(value_type = Option<String>)]
    zone: Option<ZoneId>,
}

impl WindowBody {
    fn plan(self, id: &WindowId) -> WindowPlan {
        let name = || Name::new(format!("{id}号窗口"), format!("Window {id}"));
        WindowPlan {
            name: self.name.unwrap_or_else(name),
            services: self.services.into_iter().collect(),
            kind: self.kind,
            zone: self.zone,
        }
    }
}

/// A new hall.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHall {
    #[schema(value_type = String)]
    id: HallId,
    #[schema(value_type = Object)]
    name: Name,
    /// Name in the tz database; Asia/Shanghai if none.
    #[schema(value_type = Option<String>)]
    time_zone: Option<TimeZone>,
    #[serde(default)]
    services: Vec<ServiceBody>,
    #[serde(default)]
    windows: Vec<WindowBody>,
    #[schema(value_type = Option<Object>)]
    policy: Option<CallPolicy>,
    #[schema(value_type = Option<Object>)]
    options: Option<Options>,
}

impl NewHall {
    fn config(self) -> Result<(HallId, HallConfig), Problem> {
        let mut services = BTreeMap::new();
        for service in self.services {
            let id = listed_id("services", service.id.clone(), &services)?;
            services.insert(id, service.into());
        }
        let mut windows = BTreeMap::new();
        for window in self.windows {
            let id = listed_id("windows", window.id.clone(), &windows)?;
            let plan = window.plan(&id);
            windows.insert(id, plan);
        }
        let config = HallConfig {
            name: self.name,
            time_zone: self.time_zone.unwrap_or(TimeZone::SHANGHAI),
            services,
            windows,
            policy: self.policy.unwrap_or_default(),
            options: self.options.unwrap_or_default(),
        };
        Ok((self.id, config))
    }
}

/// The id of an entry of a list, which must be there and new.
fn listed_id<K: Ord + std::fmt::Display, V>(
    field: &str,
    id: Option<K>,
    seen: &BTreeMap<K, V>,
) -> Result<K, Problem> {
    let place = format!("{field}[{}].id", seen.len());
    match id {
        None => Err(Problem::invalid(&place, "is needed")),
        Some(id) if seen.contains_key(&id) => {
            Err(Problem::invalid(&place, &format!("{id} stands twice")))
        }
        Some(id) => Ok(id),
    }
}

/// What may be changed of a hall itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HallChange {
    #[schema(value_type = Option<Object>)]
    name: Option<Name>,
    #[schema(value_type = Option<Object>)]
    options: Option<Options>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct HallSwitched {
    state: &'static str,
    seq: u64,
}

/// All halls one may see, with their figures.
#[utoipa::path(get, path = "/api/v1/halls", tag = "halls",
    responses((status = 200, description = "halls, their figures, and the sum", body = Object)))]
#[get("/halls")]
async fn list(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeHall)?;
    let mut halls = Vec::new();
    let mut totals = Figures::default();
    for (id, handle) in app.system.halls.all() {
        if !caller.principal.scope.holds(&id) {
            continue;
        }
        let Some(face) = handle.read(|hall, _| HallFace::of(hall)).await else {
            continue;
        };
        totals = totals.plus(&face.figures);
        let mut row = fields(&face);
        row.insert("id".into(), json!(id));
        halls.push(Value::Object(row));
    }
    let at = app.now().rfc3339_utc();
    Ok(HttpResponse::Ok().json(json!({"at": at, "totals": totals, "halls": halls})))
}

/// Registers a hall.
#[utoipa::path(post, path = "/api/v1/halls", tag = "halls", request_body = NewHall,
    responses((status = 201, description = "the hall", body = Object),
        (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[post("/halls")]
async fn register(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::RegisterHall)?;
    let hall: NewHall = body.parse()?;
    let key = caller.key(&body)?;
    once(&app, &caller, &body, new_hall(&app, &caller, hall, key)).await
}

async fn new_hall(
    app: &App,
    caller: &Caller,
    hall: NewHall,
    key: Option<IdempotencyKey>,
) -> Result<Value, Problem> {
    let (id, config) = hall.config()?;
    if !caller.principal.scope.holds(&id) {
        return Err(caller.refuse(app, Action::RegisterHall, id.as_str()));
    }
    let wanted = Register {
        id: id.clone(),
        config,
        by: caller.principal.name.clone(),
        key,
        clock: None,
    };
    match app.system.supervisor.send(wanted).await {
        Ok(Ok(()) | Err(RegisterError::Exists { repeated: true })) => {}
        Ok(Err(RegisterError::Exists { repeated: false })) => {
            return Err(Problem::new(
                actix_web::http::StatusCode::CONFLICT,
                "hall_exists",
                "大厅编号已存在",
                "a hall with this id exists",
            )
            .with("hall", &id));
        }
        Ok(Err(RegisterError::Refused(refusal))) => return Err(refusal.into()),
        Ok(Err(RegisterError::Unavailable(cause))) => {
            tracing::warn!(%cause, hall = %id, "hall not registered");
            return Err(Problem::unavailable());
        }
        Err(_) => return Err(Problem::unavailable()),
    }
    snapshot(app, id.as_str()).await
}

async fn snapshot(app: &App, hall: &str) -> Result<Value, Problem> {
    let (_, handle) = app.hall(hall)?;
    let rate = handle.clock.rate();
    let snapshot = handle
        .read(move |hall, now| {
            let at = hall.config().time_zone.rfc3339(now);
            let mut body = fields(&board::snapshot(hall, ClockFace { at, rate }));
            body.insert("id".into(), json!(hall.id()));
            body.insert("seq".into(), json!(hall.seq()));
            body.insert("options".into(), json!(hall.config().options));
            Value::Object(body)
        })
        .await;
    let mut body = snapshot.ok_or_else(Problem::unavailable)?;
    if let Ok(id) = hall.parse() {
        body["occupancy"] = json!(app.occupancies.face(&id, app.now()));
    }
    Ok(body)
}

/// A hall as it is now.
#[utoipa::path(get, path = "/api/v1/halls/{hall}", tag = "halls", params(("hall" = String, Path)),
    responses((status = 200, description = "the live snapshot with its seq", body = Object),
        (status = 404, body = ProblemBody)))]
#[get("/halls/{hall}")]
async fn show(app: Data<App>, caller: Caller, hall: Path<String>) -> Result<HttpResponse, Problem> {
    let (id, _) = app.hall(&hall)?;
    caller.require_in(&app, Action::SeeHall, &id)?;
    Ok(HttpResponse::Ok().json(snapshot(&app, &hall).await?))
}

/// Hands a set-up command to a hall and answers with the hall.
async fn set_up(
    app: &App,
    caller: &Caller,
    hall: &str,
    command: Command,
) -> Result<HttpResponse, Problem> {
    let (id, handle) = app.hall(hall)?;
    caller.require_in(app, Action::ManageHall, &id)?;
    let done = handle
        .submit(Submit::new(command, &caller.principal.name))
        .await?;
    Ok(answer(
        HttpResponse::Ok(),
        done.replayed,
        &snapshot(app, hall).await?,
    ))
}

/// Changes a hall's name or switches.
#[utoipa::path(put, path = "/api/v1/halls/{hall}", tag = "halls", params(("hall" = String, Path)),
    request_body = HallChange,
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[put("/halls/{hall}")]
async fn change(
    app: Data<App>,
    caller: Caller,
    hall: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let HallChange { name, options } = body.parse()?;
    set_up(&app, &caller, &hall, Command::ChangeHall { name, options }).await
}

/// The call policy in force.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/policy", tag = "halls", params(("hall" = String, Path)),
    responses((status = 200, body = Object)))]
#[get("/halls/{hall}/policy")]
async fn show_policy(
    app: Data<App>,
    caller: Caller,
    hall: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::WorkWindow, &id)?;
    let policy = handle.read(|hall, _| hall.config().policy.clone()).await;
    Ok(HttpResponse::Ok().json(policy.ok_or_else(Problem::unavailable)?))
}

/// Sets the call policy, in force from the next call on. Fields left out take their defaults.
#[utoipa::path(put, path = "/api/v1/halls/{hall}/policy", tag = "halls", params(("hall" = String, Path)),
    request_body = Object,
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[put("/halls/{hall}/policy")]
async fn set_policy(
    app: Data<App>,
    caller: Caller,
    hall: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let policy = body.parse()?;
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::ManageHall, &id)?;
    let submit = Submit::new(Command::SetPolicy { policy }, &caller.principal.name);
    let done = handle.submit(submit).await?;
    let policy = handle.read(|hall, _| hall.config().policy.clone()).await;
    Ok(answer(
        HttpResponse::Ok(),
        done.replayed,
        &policy.ok_or_else(Problem::unavailable)?,
    ))
}

fn part<T: std::str::FromStr>(id: &str, field: &str) -> Result<T, Problem> {
    id.parse()
        .map_err(|_| Problem::invalid(field, "1 to 64 letters, digits, '-' or '_'"))
}

fn same_id<T: PartialEq>(body: Option<&T>, path: &T) -> Result<(), Problem> {
    match body {
        Some(id) if id != path => Err(Problem::invalid("id", "differs from the path")),
        _ => Ok(()),
    }
}

/// A service's set-up.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/services/{service}", tag = "halls",
    params(("hall" = String, Path), ("service" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/halls/{hall}/services/{service}")]
async fn show_service(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (hall, service) = path.into_inner();
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::SeeHall, &id)?;
    let service: ServiceId = part(&service, "service")?;
    let wanted = service.clone();
    let plan = handle
        .read(move |hall, _| hall.config().services.get(&wanted).cloned())
        .await;
    let Some(plan) = plan.flatten() else {
        return Err(rules::Refusal::UnknownService { service }.into());
    };
    Ok(HttpResponse::Ok().json(json!({
        "id": service, "name": plan.name, "prefix": plan.template.prefix,
        "digits": plan.template.digits, "first": plan.template.first, "last": plan.template.last,
        "contingent": plan.contingent, "menu": plan.menu, "avg_service_secs": plan.avg_service_secs,
    })))
}

/// Adds or changes a service.
#[utoipa::path(put, path = "/api/v1/halls/{hall}/services/{service}", tag = "halls",
    params(("hall" = String, Path), ("service" = String, Path)), request_body = ServiceBody,
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[put("/halls/{hall}/services/{service}")]
async fn put_service(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (hall, service) = path.into_inner();
    let plan = body.parse::<ServiceBody>()?;
    let service = part(&service, "service")?;
    same_id(plan.id.as_ref(), &service)?;
    let plan = plan.into();
    set_up(
        &app,
        &caller,
        &hall,
        Command::ConfigureService { service, plan },
    )
    .await
}

/// Removes a service that nobody waits for and no window serves.
#[utoipa::path(delete, path = "/api/v1/halls/{hall}/services/{service}", tag = "halls",
    params(("hall" = String, Path), ("service" = String, Path)),
    responses((status = 200, body = Object), (status = 409, body = ProblemBody)))]
#[delete("/halls/{hall}/services/{service}")]
async fn delete_service(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (hall, service) = path.into_inner();
    let service = part(&service, "service")?;
    set_up(&app, &caller, &hall, Command::RemoveService { service }).await
}

/// Adds or changes a window.
#[utoipa::path(put, path = "/api/v1/halls/{hall}/windows/{window}", tag = "halls",
    params(("hall" = String, Path), ("window" = String, Path)), request_body = WindowBody,
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[put("/halls/{hall}/windows/{window}")]
async fn put_window(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (hall, window) = path.into_inner();
    let plan = body.parse::<WindowBody>()?;
    let window = part(&window, "window")?;
    same_id(plan.id.as_ref(), &window)?;
    let plan = plan.plan(&window);
    set_up(
        &app,
        &caller,
        &hall,
        Command::ConfigureWindow { window, plan },
    )
    .await
}

/// Removes a closed window.
#[utoipa::path(delete, path = "/api/v1/halls/{hall}/windows/{window}", tag = "halls",
    params(("hall" = String, Path), ("window" = String, Path)),
    responses((status = 200, body = Object), (status = 409, body = ProblemBody)))]
#[delete("/halls/{hall}/windows/{window}")]
async fn delete_window(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (hall, window) = path.into_inner();
    let window = part(&window, "window")?;
    set_up(&app, &caller, &hall, Command::RemoveWindow { window }).await
}

/// Opens or closes a hall, pauses or resumes the giving of numbers, or ends a closed hall's day.
#[utoipa::path(post, path = "/api/v1/halls/{hall}/{verb}", tag = "halls",
    params(("hall" = String, Path),
        ("verb" = String, Path, description = "open, close, pause-issuing, resume-issuing or end-day")),
    responses((status = 200, body = HallSwitched), (status = 409, body = ProblemBody)))]
#[post("/halls/{hall}/{verb:open|close|pause-issuing|resume-issuing|end-day}")]
async fn switch(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (hall, verb) = path.into_inner();
    let command = match verb.as_str() {
        "open" => Command::OpenHall,
        "close" => Command::CloseHall,
        "pause-issuing" => Command::PauseIssuing,
        "resume-issuing" => Command::ResumeIssuing,
        _ => Command::EndDay,
    };
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::ManageHall, &id)?;
    let key = caller.key(&body)?;
    let done = handle
        .submit(Submit {
            command,
            by: caller.principal.name.clone(),
            key,
        })
        .await?;
    let state = match done.recorded.last().map(|one| &one.event) {
        Some(Event::HallOpened { .. } | Event::IssuingResumed) => HallState::Open,
        Some(Event::IssuingPaused) => HallState::IssuingPaused,
        _ => HallState::Closed,
    };
    Ok(answer(
        HttpResponse::Ok(),
        done.replayed,
        &HallSwitched {
            state: state.name(),
            seq: done.seq,
        },
    ))
}
