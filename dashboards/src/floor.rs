//! The floor as its supervisor walks it: what the public board does not tell of each window. For
//! staff only; it names clerks, and still nobody who waits.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rules::hall::Hall;
use rules::ids::{ClerkId, ServiceId, WindowId};
use rules::ticket::{Ticket, TicketState};
use rules::window::{Window, WindowState};
use serde::Serialize;

/// Tickets shown of a window's day.
const RECENT_SHOWN: usize = 6;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FloorWindow<'a> {
    pub clerk: Option<&'a ClerkId>,
    /// What the clerk gave as the reason of a pause.
    pub reason: Option<&'a str>,
    /// People who wait for one of its services.
    pub waiting: usize,
    /// Completed here today.
    pub served: usize,
    /// What was called here last, newest first.
    pub recent: Vec<RecentTicket<'a>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecentTicket<'a> {
    pub number: &'a str,
    pub service: &'a ServiceId,
    pub state: &'static str,
    pub called_at: Option<String>,
    pub wait_secs: Option<u64>,
    pub service_secs: Option<u64>,
    pub stars: Option<u8>,
}

/// Every window of the hall.
pub fn windows(hall: &Hall) -> BTreeMap<&WindowId, FloorWindow<'_>> {
    let mut by_window: BTreeMap<&WindowId, Vec<&Ticket>> = BTreeMap::new();
    for ticket in hall.tickets() {
        if let Some(window) = &ticket.window {
            by_window.entry(window).or_default().push(ticket);
        }
    }
    hall.windows()
        .map(|window| {
            let here = by_window.remove(&window.id).unwrap_or_default();
            (&window.id, face(hall, window, here))
        })
        .collect()
}

fn face<'a>(hall: &'a Hall, window: &'a Window, mut here: Vec<&'a Ticket>) -> FloorWindow<'a> {
    let served = here.iter().filter(|t| t.state == TicketState::Completed);
    let served = served.count();
    here.sort_by_key(|ticket| Reverse((ticket.last_called_at, ticket.id)));
    here.truncate(RECENT_SHOWN);
    let services = window.plan.services.iter();
    FloorWindow {
        clerk: window.clerk.as_ref(),
        reason: match &window.state {
            WindowState::Paused { reason } => reason.as_deref(),
            _ => None,
        },
        waiting: services.map(|service| hall.waiting_count(service)).sum(),
        served,
        recent: here
            .into_iter()
            .map(|ticket| recent(hall, ticket))
            .collect(),
    }
}

fn recent<'a>(hall: &Hall, ticket: &'a Ticket) -> RecentTicket<'a> {
    let zone = hall.config().time_zone;
    RecentTicket {
        number: &ticket.number,
        service: &ticket.service,
        state: ticket.state.name(),
        called_at: ticket.last_called_at.map(|at| zone.rfc3339(at)),
        wait_secs: ticket.wait_secs(),
        service_secs: ticket.service_secs(),
        stars: ticket.rating.as_ref().map(|rating| rating.stars),
    }
}
