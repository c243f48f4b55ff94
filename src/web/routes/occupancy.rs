//! How many people cameras count in a hall.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use rules::devices::occupancy::{PEOPLE_MAX, Reading, SOURCES_MAX, Taken};
use rules::ids::ClerkId;
use rules::time::Timestamp;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};

/// A camera's clock may be so much ahead of ours.
const AHEAD_SECS: u64 = 5;

pub fn configure(config: &mut ServiceConfig) {
    config.service(show).service(tell);
}

/// What a camera, or a system of cameras, counted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OccupancyBody {
    people: u32,
    /// When it was counted, RFC 3339; now without it.
    at: Option<String>,
    /// The area that was counted, by its id. The hall's number is the sum of its areas. Without it
    /// the device is its own area.
    source: Option<String>,
}

/// How many people are in a hall, by whose count, and whether that is stale.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/occupancy", tag = "devices", params(("hall" = String, Path)),
    responses((status = 200, description = "people, at, stale, sources", body = Object)))]
#[get("/halls/{hall}/occupancy")]
async fn show(app: Data<App>, caller: Caller, hall: Path<String>) -> Result<HttpResponse, Problem> {
    let (id, _) = app.hall(&hall)?;
    caller.require_in(&app, Action::SeeHall, &id)?;
    Ok(HttpResponse::Ok().json(app.occupancies.face(&id, app.now())))
}

/// Tells how many people were counted in an area of a hall. The last reading of each area counts;
/// one that comes late changes nothing.
#[utoipa::path(post, path = "/api/v1/halls/{hall}/occupancy", tag = "devices", params(("hall" = String, Path)),
    request_body = OccupancyBody,
    responses((status = 200, description = "the hall's count, and whether the reading is new", body = Object),
        (status = 409, description = "too_many_sources", body = ProblemBody), (status = 422, body = ProblemBody)))]
#[post("/halls/{hall}/occupancy")]
async fn tell(
    app: Data<App>,
    caller: Caller,
    hall: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (id, _) = app.hall(&hall)?;
    caller.require_in(&app, Action::CountPeople, &id)?;
    let by = caller.principal.name.clone();
    let device = caller.principal.device();
    let OccupancyBody { people, at, source } = body.parse()?;
    if people > PEOPLE_MAX {
        return Err(Problem::invalid("people", "at most 1000000"));
    }
    let now = app.now();
    let at = match at {
        Some(text) => counted_at(&text, now)?,
        None => now,
    };
    let source = source.unwrap_or_else(|| device.unwrap_or(&by).to_owned());
    if source.parse::<ClerkId>().is_err() {
        return Err(Problem::invalid(
            "source",
            "1 to 64 letters, digits, '-' or '_'",
        ));
    }
    let reading = Reading {
        people,
        at,
        by: by.clone(),
    };
    let taken = app.occupancies.take(&id, &source, reading, now);
    if taken == Taken::TooMany {
        return Err(too_many());
    }
    if let Some(device) = device {
        app.devices.used(device, "count", now);
    }
    let face = app.occupancies.face(&id, now);
    Ok(HttpResponse::Ok().json(json!({"new": taken == Taken::New, "occupancy": face})))
}

fn counted_at(text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    let at = Timestamp::parse_rfc3339(text)
        .ok_or_else(|| Problem::invalid("at", "RFC 3339 is needed"))?;
    if at > now.plus_secs(AHEAD_SECS) {
        return Err(Problem::invalid("at", "lies in the future"));
    }
    Ok(at.min(now))
}

fn too_many() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "too_many_sources",
        "该大厅的计数区域过多",
        "too many areas are counted in this hall",
    )
    .with("max", SOURCES_MAX)
}
