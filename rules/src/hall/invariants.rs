//! What must hold in every state of a hall; shared by tests, debug builds and rehearsals.

use std::collections::BTreeMap;

use crate::figures::Figures;
use crate::hall::Hall;
use crate::ids::{TicketId, WindowId};
use crate::ticket::TicketState;
use crate::window::WindowState;

/// Every broken invariant, in words; empty when all is well.
pub fn violations(hall: &Hall) -> Vec<String> {
    let mut broken = Vec::new();
    check_figures(hall, &mut broken);
    check_numbers(hall, &mut broken);
    check_assignments(hall, &mut broken);
    check_waiting(hall, &mut broken);
    broken
}

fn check_figures(hall: &Hall, broken: &mut Vec<String>) {
    let mut counted = Figures::default();
    for ticket in hall.tickets() {
        counted.enter(&ticket.state);
    }
    if counted != hall.figures() {
        broken.push(format!(
            "figures {:?} but counted {counted:?}",
            hall.figures()
        ));
    }
    if !hall.figures().add_up() {
        broken.push(format!("figures do not add up: {:?}", hall.figures()));
    }
}

fn check_numbers(hall: &Hall, broken: &mut Vec<String>) {
    let mut holders: BTreeMap<&str, TicketId> = BTreeMap::new();
    for ticket in hall.tickets().filter(|t| t.state.is_open()) {
        if let Some(other) = holders.insert(&ticket.number, ticket.id) {
            broken.push(format!(
                "number {} held by {other} and {}",
                ticket.number, ticket.id
            ));
        }
    }
}

fn check_assignments(hall: &Hall, broken: &mut Vec<String>) {
    let mut at: BTreeMap<TicketId, &WindowId> = BTreeMap::new();
    for window in hall.windows() {
        let Some(id) = window.state.ticket() else {
            continue;
        };
        if let Some(other) = at.insert(id, &window.id) {
            broken.push(format!("ticket {id} at windows {other} and {}", window.id));
        }
        let state = hall.ticket(id).map(|ticket| &ticket.state);
        let mut inner = &window.state;
        while let WindowState::Offline { before } = inner {
            inner = before;
        }
        let agrees = match (inner, state) {
            (WindowState::Calling { .. }, Some(TicketState::Called { window: w }))
            | (WindowState::Serving { .. }, Some(TicketState::Serving { window: w })) => {
                *w == window.id
            }
            _ => false,
        };
        if !agrees {
            broken.push(format!(
                "window {} is {:?} but ticket {id} is {state:?}",
                window.id, inner
            ));
        }
    }
    for ticket in hall.tickets() {
        let assigned = matches!(
            ticket.state,
            TicketState::Called { .. } | TicketState::Serving { .. }
        );
        if assigned != at.contains_key(&ticket.id) {
            broken.push(format!(
                "ticket {} is {} but no window has it",
                ticket.id,
                ticket.state.name()
            ));
        }
    }
}

fn check_waiting(hall: &Hall, broken: &mut Vec<String>) {
    for ticket in hall.tickets() {
        let listed = hall
            .waiting(&ticket.service)
            .any(|other| other.id == ticket.id);
        if listed != (ticket.state == TicketState::Waiting) {
            broken.push(format!(
                "ticket {} is {} but listed: {listed}",
                ticket.id,
                ticket.state.name()
            ));
        }
    }
}
