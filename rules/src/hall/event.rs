//! What happened in a hall.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::calling::Why;
use crate::hall::Notice;
use crate::hall::config::{HallConfig, Options, Service};
use crate::identity::Holder;
use crate::ids::{ClerkId, ServiceId, Tag, TicketId, Token, WindowId};
use crate::name::Name;
use crate::number::Counter;
use crate::policy::CallPolicy;
use crate::ticket::{BookedTime, Channel};
use crate::time::Timestamp;
use crate::window::WindowPlan;

/// A ticket as it was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketIssued {
    pub ticket: TicketId,
    pub number: String,
    /// The series after this number.
    pub counter: Counter,
    pub day: NaiveDate,
    pub service: ServiceId,
    pub token: Token,
    pub channel: Channel,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<Tag>,
    /// Version of the green rule that the tags met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub green: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appointment: Option<BookedTime>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub excluded: BTreeSet<WindowId>,
    /// People ahead in its line at the moment of issue.
    pub ahead: u32,
}

/// One thing that happened. The stored form: fields may be added, never changed or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    HallRegistered {
        config: HallConfig,
    },
    HallOpened {
        day: NaiveDate,
    },
    HallClosed,
    IssuingPaused,
    IssuingResumed,
    HallChanged {
        name: Option<Name>,
        options: Option<Options>,
    },
    ServiceConfigured {
        service: ServiceId,
        plan: Service,
    },
    ServiceRemoved {
        service: ServiceId,
    },
    WindowConfigured {
        window: WindowId,
        plan: WindowPlan,
    },
    WindowRemoved {
        window: WindowId,
    },
    PolicyChanged {
        policy: CallPolicy,
    },
    NoticeSet {
        notice: Notice,
    },
    NoticeCleared,
    TicketIssued(TicketIssued),
    TicketCancelled {
        ticket: TicketId,
    },
    TicketRequeued {
        ticket: TicketId,
        /// The ticket behind which it stands; none if it is first.
        behind: Option<TicketId>,
        not_before: Option<Timestamp>,
    },
    TicketPostponed {
        ticket: TicketId,
        /// The ticket behind which it stands now.
        behind: TicketId,
        /// Behind which those stand that stood behind it; none if they take their own places.
        followers_behind: Option<TicketId>,
    },
    TicketRated {
        ticket: TicketId,
        stars: u8,
        text: Option<String>,
    },
    TicketCalled {
        ticket: TicketId,
        window: WindowId,
        why: Why,
        /// The call counted as one with priority.
        priority: bool,
    },
    TicketRecalled {
        ticket: TicketId,
        window: WindowId,
        /// This is the so manieth call, the first included.
        call: u32,
    },
    ServiceBegun {
        ticket: TicketId,
        window: WindowId,
    },
    ServiceFinished {
        ticket: TicketId,
        window: WindowId,
    },
    NoShowMarked {
        ticket: TicketId,
        window: WindowId,
    },
    TicketHeld {
        ticket: TicketId,
        window: WindowId,
    },
    TicketResumed {
        ticket: TicketId,
        window: WindowId,
    },
    TicketTransferred {
        ticket: TicketId,
        window: WindowId,
        service: ServiceId,
        to_window: Option<WindowId>,
        /// From when its place in the new queue counts.
        queued_at: Timestamp,
    },
    TicketExpired {
        ticket: TicketId,
    },
    DayEnded {
        day: NaiveDate,
        next: NaiveDate,
    },
    WindowOpened {
        window: WindowId,
        clerk: Option<ClerkId>,
    },
    WindowPaused {
        window: WindowId,
        reason: Option<String>,
    },
    WindowResumed {
        window: WindowId,
    },
    WindowClosed {
        window: WindowId,
    },
    WindowLost {
        window: WindowId,
    },
    WindowRegained {
        window: WindowId,
    },
}

impl crate::machine::JournalEvent for Event {
    fn kind(&self) -> &'static str {
        Self::kind(self)
    }
}

impl Event {
    /// The event's name in the journal and in frames.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::HallRegistered { .. } => "hall_registered",
            Self::HallOpened { .. } => "hall_opened",
            Self::HallClosed => "hall_closed",
            Self::IssuingPaused => "issuing_paused",
            Self::IssuingResumed => "issuing_resumed",
            Self::HallChanged { .. } => "hall_changed",
            Self::ServiceConfigured { .. } => "service_configured",
            Self::ServiceRemoved { .. } => "service_removed",
            Self::WindowConfigured { .. } => "window_configured",
            Self::WindowRemoved { .. } => "window_removed",
            Self::PolicyChanged { .. } => "policy_changed",
            Self::NoticeSet { .. } => "notice_set",
            Self::NoticeCleared => "notice_cleared",
            Self::TicketIssued(_) => "ticket_issued",
            Self::TicketCancelled { .. } => "ticket_cancelled",
            Self::TicketRequeued { .. } => "ticket_requeued",
            Self::TicketPostponed { .. } => "ticket_postponed",
            Self::TicketRated { .. } => "ticket_rated",
            Self::TicketCalled { .. } => "ticket_called",
            Self::TicketRecalled { .. } => "ticket_recalled",
            Self::ServiceBegun { .. } => "service_begun",
            Self::ServiceFinished { .. } => "service_finished",
            Self::NoShowMarked { .. } => "no_show_marked",
            Self::TicketHeld { .. } => "ticket_held",
            Self::TicketResumed { .. } => "ticket_resumed",
            Self::TicketTransferred { .. } => "ticket_transferred",
            Self::TicketExpired { .. } => "ticket_expired",
            Self::DayEnded { .. } => "day_ended",
            Self::WindowOpened { .. } => "window_opened",
            Self::WindowPaused { .. } => "window_paused",
            Self::WindowResumed { .. } => "window_resumed",
            Self::WindowClosed { .. } => "window_closed",
            Self::WindowLost { .. } => "window_lost",
            Self::WindowRegained { .. } => "window_regained",
        }
    }

    /// The ticket concerned, if one is.
    pub const fn ticket(&self) -> Option<TicketId> {
        match self {
            Self::TicketIssued(issued) => Some(issued.ticket),
            Self::TicketCancelled { ticket }
            | Self::TicketRequeued { ticket, .. }
            | Self::TicketPostponed { ticket, .. }
            | Self::TicketRated { ticket, .. }
            | Self::TicketCalled { ticket, .. }
            | Self::TicketRecalled { ticket, .. }
            | Self::ServiceBegun { ticket, .. }
            | Self::ServiceFinished { ticket, .. }
            | Self::NoShowMarked { ticket, .. }
            | Self::TicketHeld { ticket, .. }
            | Self::TicketResumed { ticket, .. }
            | Self::TicketTransferred { ticket, .. }
            | Self::TicketExpired { ticket } => Some(*ticket),
            Self::HallRegistered { .. }
            | Self::HallOpened { .. }
            | Self::HallClosed
            | Self::IssuingPaused
            | Self::IssuingResumed
            | Self::HallChanged { .. }
            | Self::ServiceConfigured { .. }
            | Self::ServiceRemoved { .. }
            | Self::WindowConfigured { .. }
            | Self::WindowRemoved { .. }
            | Self::PolicyChanged { .. }
            | Self::NoticeSet { .. }
            | Self::NoticeCleared
            | Self::DayEnded { .. }
            | Self::WindowOpened { .. }
            | Self::WindowPaused { .. }
            | Self::WindowResumed { .. }
            | Self::WindowClosed { .. }
            | Self::WindowLost { .. }
            | Self::WindowRegained { .. } => None,
        }
    }

    /// The window concerned, if one is.
    pub const fn window(&self) -> Option<&WindowId> {
        match self {
            Self::TicketCalled { window, .. }
            | Self::TicketRecalled { window, .. }
            | Self::ServiceBegun { window, .. }
            | Self::ServiceFinished { window, .. }
            | Self::NoShowMarked { window, .. }
            | Self::TicketHeld { window, .. }
            | Self::TicketResumed { window, .. }
            | Self::TicketTransferred { window, .. }
            | Self::WindowConfigured { window, .. }
            | Self::WindowRemoved { window }
            | Self::WindowOpened { window, .. }
            | Self::WindowPaused { window, .. }
            | Self::WindowResumed { window }
            | Self::WindowClosed { window }
            | Self::WindowLost { window }
            | Self::WindowRegained { window } => Some(window),
            Self::HallRegistered { .. }
            | Self::HallOpened { .. }
            | Self::HallClosed
            | Self::IssuingPaused
            | Self::IssuingResumed
            | Self::HallChanged { .. }
            | Self::ServiceConfigured { .. }
            | Self::ServiceRemoved { .. }
            | Self::PolicyChanged { .. }
            | Self::NoticeSet { .. }
            | Self::NoticeCleared
            | Self::TicketIssued(_)
            | Self::TicketCancelled { .. }
            | Self::TicketRequeued { .. }
            | Self::TicketPostponed { .. }
            | Self::TicketRated { .. }
            | Self::TicketExpired { .. }
            | Self::DayEnded { .. } => None,
        }
    }
}

/// An event with its place in the hall's journal.
pub type Recorded = crate::machine::Recorded<Event>;
