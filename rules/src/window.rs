//! One window's life:
//!
//! ```text
//! Closed ─sign in→ Idle ─call→ Calling ─start→ Serving ─complete/transfer/hold→ Idle
//!                  Calling ─no-show→ Idle      Idle ↔ Paused      Idle/Paused ─sign out→ Closed
//! any but Closed ↔ Offline (heartbeat lost / regained: the state before is restored)
//! ```

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::{ClerkId, ServiceId, TicketId, WindowId, ZoneId};
use crate::name::Name;
use crate::policy::{CallPolicy, Mix};
use crate::time::Timestamp;

/// What a window is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    #[default]
    Comprehensive,
    Acceptance,
    Consultation,
    Payment,
    ResultIssue,
    Dedicated,
    Petition,
}

/// A window as the manager sets it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowPlan {
    pub name: Name,
    pub services: BTreeSet<ServiceId>,
    #[serde(default)]
    pub kind: WindowKind,
    /// Where in the hall it stands; only a hall with zones has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneId>,
}

/// Where a window stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum WindowState {
    #[default]
    Closed,
    Idle,
    Calling {
        ticket: TicketId,
    },
    Serving {
        ticket: TicketId,
    },
    Paused {
        reason: Option<String>,
    },
    Offline {
        before: Box<Self>,
    },
}

impl WindowState {
    /// The state's name in JSON and SQL.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Idle => "idle",
            Self::Calling { .. } => "calling",
            Self::Serving { .. } => "serving",
            Self::Paused { .. } => "paused",
            Self::Offline { .. } => "offline",
        }
    }

    /// The ticket at the window, also behind a lost heartbeat.
    pub fn ticket(&self) -> Option<TicketId> {
        match self {
            Self::Calling { ticket } | Self::Serving { ticket } => Some(*ticket),
            Self::Offline { before } => before.ticket(),
            Self::Closed | Self::Idle | Self::Paused { .. } => None,
        }
    }

    /// Whether the window takes people: signed in, not paused, not offline.
    pub const fn is_working(&self) -> bool {
        matches!(
            self,
            Self::Idle | Self::Calling { .. } | Self::Serving { .. }
        )
    }
}

/// How many calls of each sort came in a row; what the mix of the policy goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Streak {
    pub priority: u32,
    pub ordinary: u32,
}

impl Streak {
    /// Whether the next call belongs to an ordinary ticket, if one waits.
    pub fn owes_ordinary(self, policy: &CallPolicy) -> bool {
        let ratio = match policy.mix {
            Mix::Ratio { priority, .. } => self.priority >= priority,
            Mix::Strict => false,
        };
        ratio
            || policy
                .max_consecutive_priority
                .is_some_and(|cap| self.priority >= cap)
    }

    /// The streak after a call.
    pub fn after(self, with_priority: bool, policy: &CallPolicy) -> Self {
        if with_priority {
            return Self {
                priority: self.priority + 1,
                ordinary: 0,
            };
        }
        let share = match policy.mix {
            Mix::Ratio { ordinary, .. } => ordinary,
            Mix::Strict => 1,
        };
        if self.ordinary + 1 >= share {
            Self::default()
        } else {
            Self {
                ordinary: self.ordinary + 1,
                ..self
            }
        }
    }
}

/// A window and who sits there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub id: WindowId,
    pub plan: WindowPlan,
    pub state: WindowState,
    pub since: Timestamp,
    pub clerk: Option<ClerkId>,
    pub streak: Streak,
}

impl Window {
    pub(crate) fn new(id: WindowId, plan: WindowPlan, at: Timestamp) -> Self {
        Self {
            id,
            plan,
            state: WindowState::Closed,
            since: at,
            clerk: None,
            streak: Streak::default(),
        }
    }

    pub(crate) fn enter(&mut self, state: WindowState, at: Timestamp) {
        self.state = state;
        self.since = at;
    }
}
