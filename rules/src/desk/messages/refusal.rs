//! Why nothing happens to a message.

use serde::Serialize;

use crate::ids::{MessageId, ReceiverId};
use crate::name::Name;
use crate::reason;

/// Why nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum MessageRefusal {
    InvalidField {
        field: String,
        reason: String,
    },
    UnknownMessage {
        message: MessageId,
    },
    UnknownReceiver {
        receiver: ReceiverId,
    },
    NotDue {
        message: MessageId,
        state: &'static str,
    },
    AttemptOver {
        message: MessageId,
        attempt: u32,
    },
    NotDead {
        message: MessageId,
        state: &'static str,
    },
}

impl MessageRefusal {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidField { .. } => "invalid_field",
            Self::UnknownMessage { .. } => "unknown_message",
            Self::UnknownReceiver { .. } => "unknown_receiver",
            Self::NotDue { .. } => "message_not_due",
            Self::AttemptOver { .. } => "attempt_over",
            Self::NotDead { .. } => "message_not_dead",
        }
    }

    /// The refusal in words.
    pub fn sentence(&self) -> Name {
        match self {
            Self::InvalidField { field, reason } => reason::sentence(field, reason),
            Self::UnknownMessage { message } => Name::new(
                format!("没有消息 {message}，或它早已送达"),
                format!("there is no message {message}, or it was delivered long ago"),
            ),
            Self::UnknownReceiver { receiver } => Name::new(
                format!("没有接收人 {receiver}"),
                format!("there is no receiver {receiver}"),
            ),
            Self::NotDue { message, .. } => Name::new(
                format!("消息 {message} 现在不应发送"),
                format!("message {message} is not to go out now"),
            ),
            Self::AttemptOver { message, attempt } => Name::new(
                format!("消息 {message} 的第 {attempt} 次发送已经结束"),
                format!("attempt {attempt} of message {message} is over"),
            ),
            Self::NotDead { message, .. } => Name::new(
                format!("消息 {message} 没有失败，不需要重发"),
                format!("message {message} is no dead letter"),
            ),
        }
    }
}
