//! One message: to one receiver, by one way.

use serde::{Deserialize, Serialize};

use super::announcement::{Announcement, Cause};
use crate::alerts::rule::Severity;
use crate::desk::face::{At, body_of};
use crate::desk::receivers::WayKind;
use crate::ids::{HallId, MessageId, ReceiverId};
use crate::machine::{Item, ItemKind};
use crate::time::Timestamp;

/// Attempts that a message remembers one by one.
const LOG_MAX: usize = 20;

/// Where a message stands.
///
/// ```text
/// queued ─begun→ sent ─→ delivered
///                 │  ↖ begun again
///                 ├─→ failed ┘
///                 └─→ dead ─resent→ queued
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum MessageState {
    /// Goes out at this instant: at once, or when the quiet hours end.
    Queued {
        not_before: Timestamp,
    },
    /// Under way since; the receiver has not confirmed.
    Sent {
        since: Timestamp,
    },
    /// The last attempt did not succeed; the next is then.
    Failed {
        next_at: Timestamp,
    },
    Delivered {
        at: Timestamp,
    },
    /// Given up; somebody may send it again.
    Dead {
        at: Timestamp,
    },
}

impl MessageState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Sent { .. } => "sent",
            Self::Failed { .. } => "failed",
            Self::Delivered { .. } => "delivered",
            Self::Dead { .. } => "dead",
        }
    }

    /// When it has to go out, if it has to.
    pub const fn due_at(self) -> Option<Timestamp> {
        match self {
            Self::Queued { not_before } => Some(not_before),
            Self::Failed { next_at } => Some(next_at),
            Self::Sent { .. } | Self::Delivered { .. } | Self::Dead { .. } => None,
        }
    }

    pub const fn ended_at(self) -> Option<Timestamp> {
        match self {
            Self::Delivered { at } | Self::Dead { at } => Some(at),
            Self::Queued { .. } | Self::Sent { .. } | Self::Failed { .. } => None,
        }
    }
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub no: u32,
    pub began_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// What came of it: `delivered`, `failed`, `uncertain` or `refused`; empty while under way.
    pub outcome: String,
    /// In the words of the receiver's server, or ours; a receipt's number if it was delivered.
    pub note: String,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub id: MessageId,
    /// The same however often it is tried, so that a receiver can tell a repeat:
    /// announcement, receiver, way.
    pub key: String,
    pub receiver: ReceiverId,
    pub way: WayKind,
    pub about: Announcement,
    pub subject: String,
    pub text: String,
    pub queued_at: Timestamp,
    pub state: MessageState,
    /// All attempts so far.
    pub attempts: u32,
    /// Attempts since it was queued or sent again by hand.
    pub tries: u32,
    /// An earlier attempt broke off after the body was sent: the receiver may have it already.
    pub possible_duplicate: bool,
    /// The message in whose place this one goes out.
    #[serde(default)]
    pub fallback_for: Option<MessageId>,
    #[serde(default)]
    pub fell_back: bool,
    #[serde(default)]
    pub log: Vec<Attempt>,
}

/// A message as lists and pages show it.
#[derive(Serialize)]
pub struct MessageFace<'a> {
    id: MessageId,
    key: &'a str,
    receiver: &'a ReceiverId,
    way: WayKind,
    state: &'static str,
    alert: Option<&'a str>,
    cause: Cause,
    severity: Severity,
    hall: Option<&'a HallId>,
    department: Option<&'a str>,
    subject: &'a str,
    text: &'a str,
    queued_at: At,
    due_at: Option<At>,
    ended_at: Option<At>,
    attempts: u32,
    possible_duplicate: bool,
    fallback_for: Option<MessageId>,
    log: Vec<AttemptFace<'a>>,
}

#[derive(Serialize)]
struct AttemptFace<'a> {
    no: u32,
    began_at: At,
    ended_at: Option<At>,
    outcome: &'a str,
    note: &'a str,
}

impl Attempt {
    fn face(&self) -> AttemptFace<'_> {
        AttemptFace {
            no: self.no,
            began_at: At(self.began_at),
            ended_at: self.ended_at.map(At),
            outcome: &self.outcome,
            note: &self.note,
        }
    }
}

impl Message {
    pub(super) fn begin(&mut self, at: Timestamp, no: u32) {
        self.state = MessageState::Sent { since: at };
        self.attempts = no;
        self.tries += 1;
        if self.log.len() >= LOG_MAX {
            self.log.remove(0);
        }
        self.log.push(Attempt {
            no,
            began_at: at,
            ended_at: None,
            outcome: String::new(),
            note: String::new(),
        });
    }

    pub(super) fn end(&mut self, at: Timestamp, no: u32, outcome: &str, note: &str) {
        if let Some(attempt) = self.log.iter_mut().find(|attempt| attempt.no == no) {
            attempt.ended_at = Some(at);
            outcome.clone_into(&mut attempt.outcome);
            note.clone_into(&mut attempt.note);
        }
    }

    /// What lists and pages show. The address is the receiver's affair and not in it.
    pub fn face(&self) -> MessageFace<'_> {
        let about = &self.about;
        MessageFace {
            id: self.id,
            key: &self.key,
            receiver: &self.receiver,
            way: self.way,
            state: self.state.name(),
            alert: about.alert.as_deref(),
            cause: about.cause,
            severity: about.severity,
            hall: about.hall.as_ref(),
            department: about.department.as_deref(),
            subject: &self.subject,
            text: &self.text,
            queued_at: At(self.queued_at),
            due_at: self.state.due_at().map(At),
            ended_at: self.state.ended_at().map(At),
            attempts: self.attempts,
            possible_duplicate: self.possible_duplicate,
            fallback_for: self.fallback_for,
            log: self.log.iter().map(Attempt::face).collect(),
        }
    }

    pub(super) fn item(&self) -> Item {
        let dead = matches!(self.state, MessageState::Dead { .. });
        Item {
            kind: ItemKind::Message,
            id: self.id.to_string(),
            state: self.state.name().to_owned(),
            hall: self.about.hall.clone(),
            department: self.about.department.as_deref().map(str::to_owned),
            person: Some(self.receiver.to_string()),
            about: self.about.alert.clone(),
            topic: None,
            subject: None,
            rank: self.about.severity as u8 + if dead { 4 } else { 0 },
            opened_at: self.queued_at,
            due_at: self.state.due_at(),
            ended_at: self.state.ended_at(),
            body: body_of(&self.face()),
        }
    }
}
