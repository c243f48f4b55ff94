//! LED strips: what the strip over a window shows, as data and as pictures.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get};
use actors::window::Follow;
use dashboards::strip::{LineView, Size, Strip, StripView};
use rules::ids::WindowId;
use serde::{Deserialize, Serialize};

use crate::web::App;
use crate::web::access::Action;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};

pub fn configure(config: &mut ServiceConfig) {
    config.service(preview);
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
