//! The day's figures, which always add up.

use serde::{Deserialize, Serialize};

use crate::ticket::TicketState;

/// How many tickets of the day stand in which state. **Invariant:** `issued` is the sum of the
/// others, because every ticket is counted in exactly one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Figures {
    pub issued: u64,
    pub waiting: u64,
    pub called: u64,
    pub serving: u64,
    pub held: u64,
    pub completed: u64,
    pub missed: u64,
    pub cancelled: u64,
    pub expired: u64,
}

impl Figures {
    pub(crate) fn enter(&mut self, state: &TicketState) {
        self.issued += 1;
        *self.slot(state) += 1;
    }

    pub(crate) fn shift(&mut self, from: &TicketState, to: &TicketState) {
        let slot = self.slot(from);
        *slot = slot.saturating_sub(1);
        *self.slot(to) += 1;
    }

    pub(crate) fn leave(&mut self, state: &TicketState) {
        self.issued = self.issued.saturating_sub(1);
        let slot = self.slot(state);
        *slot = slot.saturating_sub(1);
    }

    fn slot(&mut self, state: &TicketState) -> &mut u64 {
        match state {
            TicketState::Waiting => &mut self.waiting,
            TicketState::Called { .. } => &mut self.called,
            TicketState::Serving { .. } => &mut self.serving,
            TicketState::Held { .. } => &mut self.held,
            TicketState::Completed => &mut self.completed,
            TicketState::Missed => &mut self.missed,
            TicketState::Cancelled => &mut self.cancelled,
            TicketState::Expired => &mut self.expired,
        }
    }

    /// Whether issued equals the sum of all states.
    pub fn add_up(&self) -> bool {
        self.issued
            == self.waiting
                + self.called
                + self.serving
                + self.held
                + self.completed
                + self.missed
                + self.cancelled
                + self.expired
    }

    /// Sum over halls or services.
    pub fn plus(self, other: &Self) -> Self {
        Self {
            issued: self.issued + other.issued,
            waiting: self.waiting + other.waiting,
            called: self.called + other.called,
            serving: self.serving + other.serving,
            held: self.held + other.held,
            completed: self.completed + other.completed,
            missed: self.missed + other.missed,
            cancelled: self.cancelled + other.cancelled,
            expired: self.expired + other.expired,
        }
    }
}
