//! What people ask of a hall.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::hall::Notice;
use crate::hall::config::{Options, Service};
use crate::identity::Holder;
use crate::ids::{ClerkId, ServiceId, Tag, TicketId, Token, WindowId};
use crate::name::Name;
use crate::policy::CallPolicy;
use crate::ticket::{BookedTime, Channel};
use crate::window::WindowPlan;

/// A wish for a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueTicket {
    pub service: ServiceId,
    /// Drawn at the edge; the hall has no chance of its own.
    pub token: Token,
    pub channel: Channel,
    pub holder: Option<Holder>,
    pub tags: BTreeSet<Tag>,
    pub appointment: Option<BookedTime>,
    pub excluded: BTreeSet<WindowId>,
}

/// One thing asked of a hall. Who asks, and whether that person may, is settled before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    OpenHall,
    CloseHall,
    PauseIssuing,
    ResumeIssuing,
    /// Ends the hall's business day before its midnight, for rehearsals.
    EndDay,
    ChangeHall {
        name: Option<Name>,
        options: Option<Options>,
    },
    ConfigureService {
        service: ServiceId,
        plan: Service,
    },
    RemoveService {
        service: ServiceId,
    },
    ConfigureWindow {
        window: WindowId,
        plan: WindowPlan,
    },
    RemoveWindow {
        window: WindowId,
    },
    /// The versions inside are set by the hall.
    SetPolicy {
        policy: CallPolicy,
    },
    /// Takes the place of the notice that hangs, if one does.
    PostNotice {
        notice: Notice,
    },
    ClearNotice,
    IssueTicket(IssueTicket),
    CancelTicket {
        ticket: TicketId,
    },
    RequeueTicket {
        ticket: TicketId,
    },
    /// The holder lets `places` others go first.
    PostponeTicket {
        ticket: TicketId,
        places: u32,
    },
    RateTicket {
        ticket: TicketId,
        stars: u8,
        text: Option<String>,
    },
    OpenWindow {
        window: WindowId,
        clerk: Option<ClerkId>,
    },
    PauseWindow {
        window: WindowId,
        reason: Option<String>,
    },
    ResumeWindow {
        window: WindowId,
    },
    CloseWindow {
        window: WindowId,
    },
    /// The window's heartbeat is lost.
    LoseWindow {
        window: WindowId,
    },
    /// The window's heartbeat is back.
    RegainWindow {
        window: WindowId,
    },
    CallNext {
        window: WindowId,
    },
    CallTicket {
        window: WindowId,
        ticket: TicketId,
    },
    Recall {
        window: WindowId,
    },
    BeginService {
        window: WindowId,
    },
    FinishService {
        window: WindowId,
    },
    MarkNoShow {
        window: WindowId,
    },
    PlaceOnHold {
        window: WindowId,
    },
    ResumeTicket {
        window: WindowId,
        ticket: TicketId,
    },
    Transfer {
        window: WindowId,
        service: ServiceId,
        to_window: Option<WindowId>,
    },
}
