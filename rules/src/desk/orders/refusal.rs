//! Why nothing happens to a work order.

use serde::Serialize;

use super::{OrderStep, WorkOrder};
use crate::ids::OrderId;
use crate::name::Name;
use crate::reason;

/// Why nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum OrderRefusal {
    InvalidField { field: String, reason: String },
    UnknownOrder { order: OrderId },
    AlreadyAssigned { order: OrderId, state: &'static str },
    NotAssigned { order: OrderId, state: &'static str },
    NotProcessing { order: OrderId, state: &'static str },
    NotResolved { order: OrderId, state: &'static str },
    NotVerified { order: OrderId, state: &'static str },
    NotInHand { order: OrderId, state: &'static str },
    SameAssignee { order: OrderId, assignee: String },
    HistoryFull { order: OrderId },
}

impl OrderRefusal {
    /// Why this step cannot be taken from where the order stands.
    pub(super) fn for_step(step: &OrderStep, order: &WorkOrder) -> Self {
        let (order, state) = (order.id, order.state.name());
        match step {
            OrderStep::Assign { .. } => Self::AlreadyAssigned { order, state },
            OrderStep::Start => Self::NotAssigned { order, state },
            OrderStep::Resolve { .. } => Self::NotProcessing { order, state },
            OrderStep::Verify { .. } | OrderStep::Reopen { .. } => {
                Self::NotResolved { order, state }
            }
            OrderStep::Close => Self::NotVerified { order, state },
            OrderStep::Transfer { .. } => Self::NotInHand { order, state },
            OrderStep::Comment { .. } => Self::HistoryFull { order },
        }
    }

    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidField { .. } => "invalid_field",
            Self::UnknownOrder { .. } => "unknown_work_order",
            Self::AlreadyAssigned { .. } => "order_already_assigned",
            Self::NotAssigned { .. } => "order_not_assigned",
            Self::NotProcessing { .. } => "order_not_processing",
            Self::NotResolved { .. } => "order_not_resolved",
            Self::NotVerified { .. } => "order_not_verified",
            Self::NotInHand { .. } => "order_not_in_hand",
            Self::SameAssignee { .. } => "same_assignee",
            Self::HistoryFull { .. } => "history_full",
        }
    }

    /// The refusal in words.
    pub fn sentence(&self) -> Name {
        let both = |zh: &str, en: &str| Name::new(zh, en);
        match self {
            Self::InvalidField { field, reason } => reason::sentence(field, reason),
            Self::UnknownOrder { order } => Name::new(
                format!("没有工单 {order}"),
                format!("there is no work order {order}"),
            ),
            Self::AlreadyAssigned { .. } => both(
                "工单已经派出，请使用转派",
                "the order is assigned already; transfer it",
            ),
            Self::NotAssigned { .. } => both(
                "工单不在待处理状态",
                "the order is not waiting for somebody to start",
            ),
            Self::NotProcessing { .. } => both("工单不在处理中", "nobody is working on the order"),
            Self::NotResolved { .. } => both("工单还没有解决", "the order is not resolved"),
            Self::NotVerified { .. } => both("工单还没有核实", "the order is not verified"),
            Self::NotInHand { .. } => both(
                "工单不在任何人手中，不能转派",
                "the order is in nobody's hands",
            ),
            Self::SameAssignee { assignee, .. } => Name::new(
                format!("工单已经由 {assignee} 负责"),
                format!("the order is with {assignee} already"),
            ),
            Self::HistoryFull { .. } => both(
                "工单的记录已满，不能再评论",
                "the order's history is full; no more comments",
            ),
        }
    }
}
