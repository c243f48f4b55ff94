//! One person's way through halls, windows and cases.

use actix_web::web::{Data, Query, ServiceConfig};
use actix_web::{HttpResponse, get};
use dashboards::journey::{Journey, Visit};
use rules::ids::{HallId, WindowId};
use rules::window::WindowKind;
use serde_json::json;

use crate::store::records::{HallTicket, PAGE_MAX, TicketFilter};
use crate::web::App;
use crate::web::access::Action;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::people::Person;

pub fn configure(config: &mut ServiceConfig) {
    config.service(show);
}

/// What is recorded of one person: consultations, bookings, numbers, applications, decisions and
/// ratings, in the order of time, as far as they belong to halls of the caller's scope. The look is
/// noted in the audit.
#[utoipa::path(get, path = "/api/v1/journeys", tag = "people", params(Person),
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[get("/journeys")]
async fn show(
    app: Data<App>,
    caller: Caller,
    person: Query<Person>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeJourneys)?;
    let hash = person.hash(&app)?;
    app.audit(&caller, "journey_seen", &hash, json!({})).await?;
    let filter = TicketFilter {
        person: Some(hash.clone()),
        limit: PAGE_MAX,
        ..TicketFilter::default()
    };
    let scope = &caller.principal.scope;
    let mut tickets = app.records.tickets(&filter).await?.items;
    tickets.retain(|one| scope.holds(&one.hall));
    let mut cases = app.records.cases_of(&hash).await?;
    cases.retain(|case| scope.holds_any(case.told.hall.as_ref()));
    let mut visits = Vec::with_capacity(tickets.len());
    for HallTicket { hall, ticket } in &tickets {
        visits.push(Visit {
            hall,
            ticket,
            consultation: is_for_consultation(&app, hall, ticket.window.as_ref()).await,
        });
    }
    Ok(HttpResponse::Ok().json(Journey::of(&visits, &cases)))
}

async fn is_for_consultation(app: &App, hall: &HallId, window: Option<&WindowId>) -> bool {
    let Some((window, (_, handle))) = window.cloned().zip(app.hall(hall.as_str()).ok()) else {
        return false;
    };
    let kind = handle.read(move |hall, _| {
        let mut windows = hall.windows();
        windows
            .find(|one| one.id == window)
            .map(|one| one.plan.kind)
    });
    kind.await.flatten() == Some(WindowKind::Consultation)
}
