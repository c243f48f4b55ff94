//! What a command names, if it is there and in the state that the command needs.

use crate::hall::config::HallConfig;
use crate::hall::{Hall, Refusal, config};
use crate::ids::{ServiceId, TicketId, WindowId};
use crate::ticket::{Ticket, TicketState};
use crate::window::{Window, WindowState};

impl Hall {
    pub(super) fn known_service(&self, id: &ServiceId) -> Result<&config::Service, Refusal> {
        let HallConfig { services, .. } = &self.config;
        services.get(id).ok_or_else(|| Refusal::UnknownService {
            service: id.clone(),
        })
    }

    pub(super) fn known_window(&self, id: &WindowId) -> Result<&Window, Refusal> {
        self.window(id)
            .ok_or_else(|| Refusal::UnknownWindow { window: id.clone() })
    }

    pub(super) fn known_ticket(&self, id: TicketId) -> Result<&Ticket, Refusal> {
        self.ticket(id).ok_or(Refusal::UnknownTicket { ticket: id })
    }

    pub(super) fn in_state(&self, id: TicketId, state: &TicketState) -> Result<&Ticket, Refusal> {
        let ticket = self.known_ticket(id)?;
        if ticket.state == *state {
            return Ok(ticket);
        }
        let name = ticket.state.name();
        Err(match state {
            TicketState::Missed => Refusal::TicketNotMissed {
                ticket: id,
                state: name,
            },
            TicketState::Waiting
            | TicketState::Called { .. }
            | TicketState::Serving { .. }
            | TicketState::Held { .. }
            | TicketState::Completed
            | TicketState::Cancelled
            | TicketState::Expired => Refusal::TicketNotWaiting {
                ticket: id,
                state: name,
            },
        })
    }

    pub(super) fn idle(&self, id: &WindowId) -> Result<&Window, Refusal> {
        let window = self.known_window(id)?;
        match &window.state {
            WindowState::Idle => Ok(window),
            WindowState::Calling { ticket } | WindowState::Serving { ticket } => {
                Err(Refusal::WindowBusy {
                    window: id.clone(),
                    ticket: *ticket,
                })
            }
            WindowState::Closed => Err(Refusal::WindowClosed { window: id.clone() }),
            WindowState::Paused { .. } => Err(Refusal::WindowPaused { window: id.clone() }),
            WindowState::Offline { .. } => Err(Refusal::WindowOffline { window: id.clone() }),
        }
    }

    pub(super) fn calling(&self, id: &WindowId) -> Result<&Ticket, Refusal> {
        match &self.known_window(id)?.state {
            WindowState::Calling { ticket } => self.known_ticket(*ticket),
            WindowState::Closed => Err(Refusal::WindowClosed { window: id.clone() }),
            WindowState::Offline { .. } => Err(Refusal::WindowOffline { window: id.clone() }),
            WindowState::Idle | WindowState::Serving { .. } | WindowState::Paused { .. } => {
                Err(Refusal::NotCalling { window: id.clone() })
            }
        }
    }

    pub(super) fn serving(&self, id: &WindowId) -> Result<&Ticket, Refusal> {
        match &self.known_window(id)?.state {
            WindowState::Serving { ticket } => self.known_ticket(*ticket),
            WindowState::Closed => Err(Refusal::WindowClosed { window: id.clone() }),
            WindowState::Offline { .. } => Err(Refusal::WindowOffline { window: id.clone() }),
            WindowState::Idle | WindowState::Calling { .. } | WindowState::Paused { .. } => {
                Err(Refusal::NotServing { window: id.clone() })
            }
        }
    }
}
