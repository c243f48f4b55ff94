//! One ticket as its holder sees it on the phone: topic `ticket.{token}`. Every frame is the whole
//! view. It names no person: whoever finds a slip learns nothing of its holder.

use rules::forecast::WaitEstimate;
use rules::hall::Hall;
use rules::name::Name;
use rules::ticket::{Ticket, TicketState};
use rules::time::Timestamp;
use serde::Serialize;

use crate::board::ClockFace;

#[derive(Debug, Clone, Serialize)]
pub struct TicketView {
    pub number: String,
    pub hall: String,
    pub hall_name: Name,
    pub service: String,
    pub service_name: Option<Name>,
    pub state: &'static str,
    pub ahead: Option<u64>,
    pub estimate: Option<WaitEstimate>,
    pub window: Option<String>,
    pub window_name: Option<Name>,
    pub calls: u32,
    pub issued_at: String,
    pub called_at: Option<String>,
    pub rated: bool,
    /// What the holder may still postpone, where the hall allows it at all.
    pub postpone: Option<PostponeFace>,
    /// What the desk may still do for one who missed the call.
    pub requeue: Option<RequeueFace>,
    pub demo: bool,
    pub clock: ClockFace,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PostponeFace {
    pub places_max: u32,
    pub times_left: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequeueFace {
    pub times_left: u32,
    /// Behind so many others.
    pub after: u32,
}

fn postpone_face(hall: &Hall, ticket: &Ticket) -> Option<PostponeFace> {
    let rule = hall.config().policy.postpone;
    let waits = ticket.state == TicketState::Waiting && !rule.is_off();
    waits.then(|| PostponeFace {
        places_max: rule.places_max,
        times_left: rule.times_max.saturating_sub(ticket.postpones),
    })
}

fn requeue_face(hall: &Hall, ticket: &Ticket) -> Option<RequeueFace> {
    let rule = hall.config().policy.requeue;
    (ticket.state == TicketState::Missed).then(|| RequeueFace {
        times_left: rule.times.saturating_sub(ticket.requeues),
        after: rule.after,
    })
}

/// The view of a ticket with `ahead` people before it, without its estimate, which the queue knows.
pub fn view(
    hall: &Hall,
    ticket: &Ticket,
    ahead: Option<u64>,
    now: Timestamp,
    rate: f64,
) -> TicketView {
    let config = hall.config();
    let zone = config.time_zone;
    let window = ticket.window.as_ref();
    TicketView {
        number: ticket.number.clone(),
        hall: hall.id().to_string(),
        hall_name: config.name.clone(),
        service: ticket.service.to_string(),
        service_name: config.services.get(&ticket.service).map(|s| s.name.clone()),
        state: ticket.state.name(),
        ahead,
        estimate: None,
        window: window.map(ToString::to_string),
        window_name: window
            .and_then(|id| hall.window(id))
            .map(|w| w.plan.name.clone()),
        calls: ticket.calls,
        issued_at: zone.rfc3339(ticket.issued_at),
        called_at: ticket.last_called_at.map(|at| zone.rfc3339(at)),
        rated: ticket.rating.is_some(),
        postpone: postpone_face(hall, ticket),
        requeue: requeue_face(hall, ticket),
        demo: config.options.demo,
        clock: ClockFace {
            at: zone.rfc3339(now),
            rate,
        },
    }
}
