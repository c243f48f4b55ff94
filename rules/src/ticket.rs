//! One ticket's life:
//!
//! ```text
//! Waiting ─call→ Called ─start→ Serving ─complete→ Completed ─rate→ (rated)
//!    ↑  ↑          │ └recall┐      │ └─hold→ Held ─resume→ Serving
//!    │  └─transfer─┼────────┼──────┘
//!    └─requeue─ Missed ←no-show     Waiting ─cancel→ Cancelled
//!                              Waiting/Missed ─day end→ Expired
//! ```

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::calling::Why;
use crate::identity::Holder;
use crate::ids::{ClerkId, ServiceId, Tag, TicketId, Token, WindowId};
use crate::time::Timestamp;

/// Through what a ticket was taken. All but the staff obey the daily contingent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Kiosk,
    /// A visitor's own phone.
    Phone,
    /// A visitor's own phone, by the code shown in the hall.
    Scan,
    Staff,
}

/// The appointment a ticket carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookedTime {
    /// The appointment's own number.
    pub number: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// When it was booked, if the booking system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booked_at: Option<Timestamp>,
}

/// The holder's judgement after service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// 1 (very dissatisfied) to 5 (very satisfied).
    pub stars: u8,
    pub text: Option<String>,
    pub at: Timestamp,
}

/// Where a ticket stands, with the window where one is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TicketState {
    Waiting,
    Called { window: WindowId },
    Serving { window: WindowId },
    Held { window: WindowId },
    Completed,
    Missed,
    Cancelled,
    Expired,
}

impl TicketState {
    /// The state's name in JSON and SQL.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Called { .. } => "called",
            Self::Serving { .. } => "serving",
            Self::Held { .. } => "held",
            Self::Completed => "completed",
            Self::Missed => "missed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// An open ticket holds its number: it may still be called. A missed one may come back.
    pub const fn is_open(&self) -> bool {
        !matches!(self, Self::Completed | Self::Cancelled | Self::Expired)
    }
}

/// A ticket and all that happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    pub id: TicketId,
    /// As printed, e.g. `B005`.
    pub number: String,
    /// How often the series had wrapped; (day of issue, number, round) is unique in a hall.
    pub round: u32,
    /// The business day it is counted in.
    pub day: NaiveDate,
    pub service: ServiceId,
    pub token: Token,
    pub channel: Channel,
    pub holder: Option<Holder>,
    pub tags: BTreeSet<Tag>,
    /// Version of the green rule that made it green.
    pub green: Option<u32>,
    pub appointment: Option<BookedTime>,
    /// Windows that shall not call it.
    pub excluded: BTreeSet<WindowId>,
    /// The one window that shall call it, after a transfer to a window.
    pub only_window: Option<WindowId>,
    pub issued_at: Timestamp,
    /// From when its place in the queue counts.
    pub queued_at: Timestamp,
    pub ahead_at_issue: u32,
    /// Not called before this instant, after a return.
    pub not_before: Option<Timestamp>,
    /// Not called before this other ticket has left the queue, after a return.
    pub behind: Option<TicketId>,
    /// Calls since it last began to wait.
    pub calls: u32,
    pub requeues: u32,
    /// How often its holder let others go first.
    #[serde(default)]
    pub postpones: u32,
    pub first_called_at: Option<Timestamp>,
    pub last_called_at: Option<Timestamp>,
    pub called_because: Option<Why>,
    pub started_at: Option<Timestamp>,
    /// Since when the present stretch of service runs.
    pub serving_since: Option<Timestamp>,
    /// Time at windows so far, without the time on hold.
    pub served_ms: u64,
    pub ended_at: Option<Timestamp>,
    /// The last window and clerk that dealt with it.
    pub window: Option<WindowId>,
    pub clerk: Option<ClerkId>,
    pub rating: Option<Rating>,
    pub state: TicketState,
}

/// The four stages of the closed loop: wait, intake, approval, rating; in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Loop {
    /// From issue to first call.
    pub wait_secs: Option<u64>,
    /// From first call to the start of service.
    pub intake_secs: Option<u64>,
    /// From the start of service to its completion.
    pub approval_secs: Option<u64>,
    /// From completion to the rating.
    pub rating_secs: Option<u64>,
    /// All four are known.
    pub complete: bool,
}

impl Ticket {
    /// Whether something else than its arrival may decide its turn: priority, a booked time, or the ticket
    /// behind which it was placed.
    pub(crate) fn stands_apart(&self) -> bool {
        self.green.is_some() || self.appointment.is_some() || self.behind.is_some()
    }

    /// Seconds from issue to first call.
    pub fn wait_secs(&self) -> Option<u64> {
        self.first_called_at.map(|at| at.secs_since(self.issued_at))
    }

    /// Seconds at windows, for a completed ticket.
    pub fn service_secs(&self) -> Option<u64> {
        matches!(self.state, TicketState::Completed).then_some(self.served_ms / 1000)
    }

    /// The stages that lie behind.
    pub fn loop_stages(&self) -> Loop {
        let between = |from: Option<Timestamp>, to: Option<Timestamp>| Some(to?.secs_since(from?));
        let completed = self
            .ended_at
            .filter(|_| self.state == TicketState::Completed);
        let rated = self.rating.as_ref().map(|rating| rating.at);
        let stages = Loop {
            wait_secs: self.wait_secs(),
            intake_secs: between(self.first_called_at, self.started_at),
            approval_secs: between(self.started_at, completed),
            rating_secs: between(completed, rated),
            complete: false,
        };
        Loop {
            complete: stages.rating_secs.is_some() && stages.intake_secs.is_some(),
            ..stages
        }
    }

    pub(crate) fn begin_wait(&mut self) {
        self.state = TicketState::Waiting;
        self.calls = 0;
        self.window = None;
    }

    pub(crate) fn call(
        &mut self,
        window: &WindowId,
        clerk: Option<&ClerkId>,
        why: &Why,
        at: Timestamp,
    ) {
        self.calls = 1;
        self.first_called_at.get_or_insert(at);
        self.last_called_at = Some(at);
        self.called_because = Some(why.clone());
        self.not_before = None;
        self.behind = None;
        self.window = Some(window.clone());
        self.clerk = clerk.cloned();
        self.state = TicketState::Called {
            window: window.clone(),
        };
    }

    pub(crate) fn serve(&mut self, window: &WindowId, clerk: Option<&ClerkId>, at: Timestamp) {
        self.started_at.get_or_insert(at);
        self.serving_since = Some(at);
        self.window = Some(window.clone());
        self.clerk = clerk.cloned();
        self.state = TicketState::Serving {
            window: window.clone(),
        };
    }

    /// Ends the present stretch of service and counts it.
    pub(crate) fn stop_serving(&mut self, at: Timestamp) {
        if let Some(since) = self.serving_since.take() {
            self.served_ms += at.millis_since(since);
        }
    }

    pub(crate) fn end(&mut self, state: TicketState, at: Timestamp) {
        self.ended_at = Some(at);
        self.state = state;
    }
}
