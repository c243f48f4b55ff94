//! What supervisors see of a hall beyond its public board, and what a manager sees before a change.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use rules::Refusal;
use rules::hall::{Command, Event, Hall};
use rules::ids::TicketId;
use rules::policy::CallPolicy;
use rules::time::Timestamp;
use serde_json::{Value, json};

use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};

/// Numbers of one line that a preview lists; the rest is counted.
const LINE_SHOWN: usize = 60;

pub fn configure(config: &mut ServiceConfig) {
    config.service(floor).service(preview_policy);
}

/// Who works at each window, what was called there last, and how many wait for it.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/floor", tag = "halls", params(("hall" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/halls/{hall}/floor")]
async fn floor(
    app: Data<App>,
    caller: Caller,
    hall: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::SeeFloor, &id)?;
    let view = handle
        .read(|hall, _| json!({"seq": hall.seq(), "windows": dashboards::floor::windows(hall)}));
    Ok(HttpResponse::Ok().json(view.await.ok_or_else(Problem::unavailable)?))
}

/// The order that a policy would give to the people who wait now, beside the present order. Nothing
/// is changed.
#[utoipa::path(post, path = "/api/v1/halls/{hall}/policy/preview", tag = "halls",
    params(("hall" = String, Path)), request_body = Object,
    responses((status = 200, description = "by service the numbers now and then", body = Object),
        (status = 422, body = ProblemBody)))]
#[post("/halls/{hall}/policy/preview")]
async fn preview_policy(
    app: Data<App>,
    caller: Caller,
    hall: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::ManageHall, &id)?;
    let policy: CallPolicy = body.parse()?;
    let preview = handle
        .read(move |hall, now| preview(hall, policy, now))
        .await;
    Ok(HttpResponse::Ok().json(preview.ok_or_else(Problem::unavailable)??))
}

fn preview(hall: &Hall, policy: CallPolicy, now: Timestamp) -> Result<Value, Refusal> {
    // What would be refused when saved is refused here.
    let decided = hall.decide(&Command::SetPolicy { policy }, now)?;
    let then = decided.iter().find_map(|event| match event {
        Event::PolicyChanged { policy } => Some(policy),
        _ => None,
    });
    let then = then.unwrap_or(&hall.config().policy);
    let numbers = |line: &[TicketId]| -> Vec<String> {
        let tickets = line.iter().filter_map(|id| hall.ticket(*id));
        tickets.take(LINE_SHOWN).map(|t| t.number.clone()).collect()
    };
    let services = hall.config().services.iter().filter_map(|(id, service)| {
        let before = hall.line(id, now);
        if before.is_empty() {
            return None;
        }
        let after = hall.line_under(then, id, now);
        let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        Some(json!({
            "service": id, "name": service.name, "waiting": before.len(), "moved": moved,
            "now": numbers(&before), "then": numbers(&after),
        }))
    });
    let services: Vec<Value> = services.collect();
    Ok(json!({"seq": hall.seq(), "version": then.version, "services": services}))
}
