//! What is asked of work orders, and what happened to them.

use serde::{Deserialize, Serialize};

use super::{OrderState, PERSON_MAX_CHARS, TEXT_MAX_CHARS, tidy};
use crate::alerts::rule::Severity;
use crate::ids::{HallId, OrderId, ProblemId};
use crate::name::Name;
use crate::time::Timestamp;

/// An order to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrder {
    pub title: Name,
    pub severity: Severity,
    /// The alert it comes from.
    #[serde(default)]
    pub alert: Option<String>,
    /// The rule of that alert.
    #[serde(default)]
    pub rule: Option<String>,
    /// The problem it comes from.
    #[serde(default)]
    pub problem: Option<ProblemId>,
    #[serde(default)]
    pub hall: Option<HallId>,
    #[serde(default)]
    pub department: Option<String>,
    /// Who is to do it, if that is known at once.
    #[serde(default, rename = "first_assignee")]
    pub assignee: Option<String>,
    #[serde(default)]
    pub due_at: Option<Timestamp>,
}

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderCommand {
    Create(Box<NewOrder>),
    Step { order: OrderId, step: OrderStep },
}

/// A step of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum OrderStep {
    Assign { to: String },
    Start,
    Resolve { comment: String },
    Verify { comment: Option<String> },
    Close,
    Reopen { reason: String },
    Transfer { to: String, reason: String },
    Comment { text: String },
}

impl OrderStep {
    /// As histories and the journal name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Assign { .. } => "order_assigned",
            Self::Start => "order_started",
            Self::Resolve { .. } => "order_resolved",
            Self::Verify { .. } => "order_verified",
            Self::Close => "order_closed",
            Self::Reopen { .. } => "order_reopened",
            Self::Transfer { .. } => "order_transferred",
            Self::Comment { .. } => "order_commented",
        }
    }

    /// The state after it; none if it changes none.
    pub(super) const fn leads_to(&self) -> Option<OrderState> {
        match self {
            Self::Assign { .. } | Self::Transfer { .. } => Some(OrderState::Assigned),
            Self::Start => Some(OrderState::Processing),
            Self::Resolve { .. } => Some(OrderState::Resolved),
            Self::Verify { .. } => Some(OrderState::Verified),
            Self::Close => Some(OrderState::Closed),
            Self::Reopen { .. } => Some(OrderState::Reopened),
            Self::Comment { .. } => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Resolve { comment: text }
            | Self::Reopen { reason: text }
            | Self::Transfer { reason: text, .. }
            | Self::Comment { text } => Some(text),
            Self::Verify { comment } => comment.as_deref(),
            Self::Assign { .. } | Self::Start | Self::Close => None,
        }
    }

    /// The same with names and texts in order, or the field that is not and why.
    pub(super) fn tidy(&self) -> Result<Self, (&'static str, &'static str)> {
        let person = |to: &str| tidy(to, "to", PERSON_MAX_CHARS);
        Ok(match self {
            Self::Assign { to } => Self::Assign { to: person(to)? },
            Self::Resolve { comment } => Self::Resolve {
                comment: tidy(comment, "comment", TEXT_MAX_CHARS)?,
            },
            Self::Verify {
                comment: Some(text),
            } => Self::Verify {
                comment: Some(tidy(text, "comment", TEXT_MAX_CHARS)?),
            },
            Self::Reopen { reason } => Self::Reopen {
                reason: tidy(reason, "reason", TEXT_MAX_CHARS)?,
            },
            Self::Transfer { to, reason } => Self::Transfer {
                to: person(to)?,
                reason: tidy(reason, "reason", TEXT_MAX_CHARS)?,
            },
            Self::Comment { text } => Self::Comment {
                text: tidy(text, "text", TEXT_MAX_CHARS)?,
            },
            Self::Start | Self::Close | Self::Verify { comment: None } => self.clone(),
        })
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OrderEvent {
    OrderCreated { order: OrderId, new: Box<NewOrder> },
    OrderStepped { order: OrderId, step: OrderStep },
    OrderOverdue { order: OrderId },
}

impl OrderEvent {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OrderCreated { .. } => "order_created",
            Self::OrderStepped { step, .. } => step.kind(),
            Self::OrderOverdue { .. } => "order_overdue",
        }
    }

    pub const fn order(&self) -> OrderId {
        match self {
            Self::OrderCreated { order, .. }
            | Self::OrderStepped { order, .. }
            | Self::OrderOverdue { order } => *order,
        }
    }
}
