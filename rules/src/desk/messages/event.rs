//! What is asked of messages, and what happened to them.

use serde::{Deserialize, Serialize};

use super::{Announcement, Message, RetryPolicy, Template};
use crate::desk::receivers::WayKind;
use crate::ids::{MessageId, ReceiverId};
use crate::time::Timestamp;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver confirmed it, with its own number for it if it gave one.
    Delivered { receipt: Option<String> },
    /// It broke off after the body was sent: the receiver may have it.
    Uncertain { reason: String },
    /// The receiver does not have it and may take it later.
    Failed { reason: String },
    /// The receiver does not want it, now or later.
    Refused { reason: String },
}

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageCommand {
    /// The driver is about to send these.
    Begin {
        messages: Vec<MessageId>,
    },
    /// How the driver fared.
    End {
        message: MessageId,
        attempt: u32,
        outcome: Outcome,
        policy: RetryPolicy,
    },
    /// Sends a dead letter again.
    Resend {
        message: MessageId,
    },
    /// Something to say that comes from elsewhere than alerts.
    Announce(Box<Announcement>),
    /// Sends a trial to one receiver by all its ways.
    Test {
        receiver: ReceiverId,
    },
    SetTemplate {
        way: WayKind,
        template: Template,
    },
    /// Back to the standard one.
    ResetTemplate {
        way: WayKind,
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MessageEvent {
    MessageQueued {
        message: Box<Message>,
    },
    MessageBegun {
        message: MessageId,
        attempt: u32,
    },
    MessageDelivered {
        message: MessageId,
        attempt: u32,
        #[serde(default)]
        receipt: Option<String>,
    },
    MessageFailed {
        message: MessageId,
        attempt: u32,
        reason: String,
        uncertain: bool,
        next_at: Timestamp,
    },
    MessageDied {
        message: MessageId,
        attempt: u32,
        reason: String,
        uncertain: bool,
        refused: bool,
    },
    MessageResent {
        message: MessageId,
    },
    TemplateSet {
        way: WayKind,
        template: Template,
    },
    TemplateReset {
        way: WayKind,
    },
}

impl MessageEvent {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::MessageQueued { .. } => "message_queued",
            Self::MessageBegun { .. } => "message_begun",
            Self::MessageDelivered { .. } => "message_delivered",
            Self::MessageFailed { .. } => "message_failed",
            Self::MessageDied { .. } => "message_died",
            Self::MessageResent { .. } => "message_resent",
            Self::TemplateSet { .. } => "template_set",
            Self::TemplateReset { .. } => "template_reset",
        }
    }

    /// The new message, if this is one.
    pub fn queued(&self) -> Option<&Message> {
        match self {
            Self::MessageQueued { message } => Some(message),
            _ => None,
        }
    }

    /// The message that it is about, if it is about one.
    pub fn message(&self) -> Option<MessageId> {
        match self {
            Self::MessageQueued { message } => Some(message.id),
            Self::MessageBegun { message, .. }
            | Self::MessageDelivered { message, .. }
            | Self::MessageFailed { message, .. }
            | Self::MessageDied { message, .. }
            | Self::MessageResent { message } => Some(*message),
            Self::TemplateSet { .. } | Self::TemplateReset { .. } => None,
        }
    }
}
