//! What a visitor's phone needs to take a number, and the slip of a ticket for paper.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get};
use dashboards::slip::{self, Paper, Slip};
use rules::ids::ServiceId;
use rules::name::Lang;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::web::App;
use crate::web::access::Action;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::pages::base_url;
use crate::web::routes::ticket_lists::query;
use crate::web::routes::tickets::{by_token, estimate, unknown_ticket};

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(menu)
        .service(slip_bytes)
        .service(slip_picture)
        .service(sample);
}

/// The services of a hall for visitors' own phones: names, people waiting, estimates. Open to
/// everybody while the hall lets visitors take numbers by phone.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/visitor-menu", tag = "tickets", params(("hall" = String, Path)),
    responses((status = 200, body = Object),
        (status = 403, description = "visitor_issuing_off", body = ProblemBody)))]
#[get("/halls/{hall}/visitor-menu")]
async fn menu(app: Data<App>, hall: Path<String>) -> Result<HttpResponse, Problem> {
    let (_, handle) = app.hall(&hall)?;
    let rate = handle.clock.rate();
    let menu = handle
        .read(move |hall, now| {
            let config = hall.config();
            let service = |id: &ServiceId| {
                let plan = config.services.get(id)?;
                Some(json!({
                    "id": id, "name": plan.name, "menu": plan.menu,
                    "waiting": hall.waiting_count(id), "left": hall.self_service_left(id),
                    "windows": hall.windows_for(id).count(), "windows_open": hall.windows_open(id),
                }))
            };
            let services: Vec<Value> = config.services.keys().filter_map(service).collect();
            config.options.visitor_issuing.then(|| {
                json!({
                    "hall": hall.id(), "name": config.name, "state": hall.state().name(),
                    "demo": config.options.demo, "menu": config.options.menu, "services": services,
                    "clock": {"at": config.time_zone.rfc3339(now), "rate": rate},
                })
            })
        })
        .await
        .ok_or_else(Problem::unavailable)?;
    let mut menu = menu.ok_or_else(|| {
        Problem::new(
            StatusCode::FORBIDDEN,
            "visitor_issuing_off",
            "本大厅不支持手机取号，请到取号机取号",
            "this hall gives no numbers by phone; please use the kiosk",
        )
    })?;
    for service in menu["services"].as_array_mut().into_iter().flatten() {
        let id = service["id"].as_str().and_then(|id| id.parse().ok());
        let ahead = service["waiting"].as_u64();
        if let Some(id) = id {
            service["estimate"] = json!(estimate(&handle, &id, ahead).await);
        }
    }
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(menu))
}

/// How a slip is to be printed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct SlipQuery {
    /// Paper in millimetres, 58 or 80; 80 if none.
    width: Option<u32>,
    /// `zh-CN` or `en`.
    lang: Option<String>,
}

impl SlipQuery {
    fn paper(&self) -> Result<Paper, Problem> {
        Paper::of_mm(self.width.unwrap_or(80)).ok_or_else(|| Problem::invalid("width", "58 or 80"))
    }

    /// The slip's own language: visitors read it, whatever the kiosk's browser is set to.
    fn lang(&self) -> Lang {
        self.lang
            .as_deref()
            .and_then(Lang::from_tag)
            .unwrap_or(Lang::Zh)
    }
}

async fn slip_of(app: &App, request: &HttpRequest, token: &str) -> Result<Slip, Problem> {
    let (handle, ticket, _) = by_token(app, token).await?;
    let address = format!("{}/t/{token}", base_url(request, app));
    let slip = handle
        .read(move |hall, now| {
            let ticket = hall.ticket(ticket)?;
            let ahead = hall.ahead(ticket.id, now).unwrap_or(0);
            Slip::of(hall, &ticket.service, ticket.number.clone(), ahead, address)
        })
        .await
        .flatten();
    slip.ok_or_else(unknown_ticket)
}

/// A ticket's slip as the bytes an ESC/POS printer takes. Whoever has the token may print it.
#[utoipa::path(get, path = "/api/v1/tickets/{token}/slip.escpos", tag = "tickets",
    params(("token" = String, Path), SlipQuery),
    responses((status = 200, content_type = "application/octet-stream"), (status = 404, body = ProblemBody)))]
#[get("/tickets/{token}/slip.escpos")]
async fn slip_bytes(
    app: Data<App>,
    request: HttpRequest,
    token: Path<String>,
) -> Result<HttpResponse, Problem> {
    let wanted: SlipQuery = query(request.query_string())?;
    let paper = wanted.paper()?;
    let slip = slip_of(&app, &request, &token).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(slip::escpos(&slip, paper, wanted.lang())))
}

/// A ticket's slip as a picture.
#[utoipa::path(get, path = "/api/v1/tickets/{token}/slip.svg", tag = "tickets",
    params(("token" = String, Path), SlipQuery),
    responses((status = 200, content_type = "image/svg+xml"), (status = 404, body = ProblemBody)))]
#[get("/tickets/{token}/slip.svg")]
async fn slip_picture(
    app: Data<App>,
    request: HttpRequest,
    token: Path<String>,
) -> Result<HttpResponse, Problem> {
    let wanted: SlipQuery = query(request.query_string())?;
    let paper = wanted.paper()?;
    let slip = slip_of(&app, &request, &token).await?;
    Ok(picture(&slip, paper, wanted.lang()))
}

/// How the slip of a service will look, for whoever sets the hall up. Its number is made up.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/services/{service}/slip.svg", tag = "halls",
    params(("hall" = String, Path), ("service" = String, Path), SlipQuery),
    responses((status = 200, content_type = "image/svg+xml"), (status = 404, body = ProblemBody)))]
#[get("/halls/{hall}/services/{service}/slip.svg")]
async fn sample(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (hall, service) = path.into_inner();
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::SeeHall, &id)?;
    let wanted: SlipQuery = query(request.query_string())?;
    let paper = wanted.paper()?;
    let address = format!("{}/t/{id}.{:032}", base_url(&request, &app), 0);
    let slip = handle
        .read(move |hall, _| {
            let service: ServiceId = service.parse().ok()?;
            let template = &hall.config().services.get(&service)?.template;
            let number = template.format(template.first);
            Slip::of(hall, &service, number, 4, address)
        })
        .await
        .flatten();
    let slip = slip.ok_or_else(|| {
        Problem::unknown(
            "unknown_service",
            "没有这项业务",
            "there is no such service",
        )
    })?;
    Ok(picture(&slip, paper, wanted.lang()))
}

fn picture(slip: &Slip, paper: Paper, lang: Lang) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("image/svg+xml")
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(slip::svg(slip, paper, lang))
}
