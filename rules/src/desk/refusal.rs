//! Every no of the alert desk: a stable code, a sentence for a person, and what explains it.

use serde::Serialize;

use crate::desk::messages::MessageRefusal;
use crate::desk::orders::OrderRefusal;
use crate::desk::problems::ProblemRefusal;
use crate::desk::receivers::ReceiverRefusal;
use crate::ids::{AlertId, OrderId, SilenceId};
use crate::machine::refuse_in_words;
use crate::name::Name;
use crate::reason;
use crate::time::Timestamp;

/// Why a command changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Refusal {
    InvalidField { field: String, reason: String },
    UnknownAlert { alert: AlertId },
    AlreadyAcknowledged { alert: AlertId, by: String },
    NotAcknowledged { alert: AlertId },
    AlreadyInProgress { alert: AlertId },
    NotInProgress { alert: AlertId },
    ConditionHolds { alert: AlertId, clears_when: String },
    AlertResolved { alert: AlertId },
    NotResolved { alert: AlertId },
    AlertClosed { alert: AlertId },
    AlreadyShelved { alert: AlertId, until: Timestamp },
    NotShelved { alert: AlertId },
    NobodyToUrge { alert: AlertId },
    UrgedJustNow { alert: AlertId, wait_secs: u64 },
    HasOrder { alert: AlertId, order: OrderId },
    UnknownSilence { silence: SilenceId },
    SilenceOver { silence: SilenceId },
    TooManySilences { max: usize },
    UnknownRule { rule: String },
    RuleEnabled { rule: String },
    RuleDisabled { rule: String },
    RuleUnchanged { rule: String, version: u32 },
    TooManyRules { max: usize },
    Order(OrderRefusal),
    Problem(ProblemRefusal),
    Message(MessageRefusal),
    Receiver(ReceiverRefusal),
}

impl From<OrderRefusal> for Refusal {
    fn from(refusal: OrderRefusal) -> Self {
        Self::Order(refusal)
    }
}

impl From<ProblemRefusal> for Refusal {
    fn from(refusal: ProblemRefusal) -> Self {
        Self::Problem(refusal)
    }
}

impl From<MessageRefusal> for Refusal {
    fn from(refusal: MessageRefusal) -> Self {
        Self::Message(refusal)
    }
}

impl From<ReceiverRefusal> for Refusal {
    fn from(refusal: ReceiverRefusal) -> Self {
        Self::Receiver(refusal)
    }
}

impl Refusal {
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidField {
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// The stable code; programs outside go by it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidField { .. } => "invalid_field",
            Self::UnknownAlert { .. } => "unknown_alert",
            Self::AlreadyAcknowledged { .. } => "already_acknowledged",
            Self::NotAcknowledged { .. } => "not_acknowledged",
            Self::AlreadyInProgress { .. } => "already_in_progress",
            Self::NotInProgress { .. } => "not_in_progress",
            Self::ConditionHolds { .. } => "condition_holds",
            Self::AlertResolved { .. } => "alert_resolved",
            Self::NotResolved { .. } => "not_resolved",
            Self::AlertClosed { .. } => "alert_closed",
            Self::AlreadyShelved { .. } => "already_shelved",
            Self::NotShelved { .. } => "not_shelved",
            Self::NobodyToUrge { .. } => "nobody_to_urge",
            Self::UrgedJustNow { .. } => "urged_just_now",
            Self::HasOrder { .. } => "has_order",
            Self::UnknownSilence { .. } => "unknown_silence",
            Self::SilenceOver { .. } => "silence_over",
            Self::TooManySilences { .. } => "too_many_silences",
            Self::UnknownRule { .. } => "unknown_rule",
            Self::RuleEnabled { .. } => "rule_enabled",
            Self::RuleDisabled { .. } => "rule_disabled",
            Self::RuleUnchanged { .. } => "rule_unchanged",
            Self::TooManyRules { .. } => "too_many_rules",
            Self::Order(refusal) => refusal.code(),
            Self::Problem(refusal) => refusal.code(),
            Self::Message(refusal) => refusal.code(),
            Self::Receiver(refusal) => refusal.code(),
        }
    }

    /// The refusal in words.
    pub fn words(&self) -> Name {
        match self {
            Self::InvalidField { field, reason } => reason::sentence(field, reason),
            Self::UnknownAlert { alert } => Name::new(
                format!("没有预警 {alert}，或它早已关闭"),
                format!("there is no alert {alert}, or it was closed long ago"),
            ),
            Self::AlreadyAcknowledged { alert, by } => Name::new(
                format!("预警 {alert} 已由 {by} 确认"),
                format!("alert {alert} was acknowledged by {by} already"),
            ),
            Self::NotAcknowledged { alert } => Name::new(
                format!("预警 {alert} 还没有确认，请先确认"),
                format!("alert {alert} is not acknowledged yet; acknowledge it first"),
            ),
            Self::AlreadyInProgress { alert } => Name::new(
                format!("预警 {alert} 已在处理"),
                format!("alert {alert} is being worked on already"),
            ),
            Self::NotInProgress { alert } => Name::new(
                format!("预警 {alert} 还没有开始处理"),
                format!("nobody has begun to work on alert {alert}"),
            ),
            Self::ConditionHolds { alert, clears_when } => Name::new(
                format!("预警 {alert} 的条件仍然成立；解除条件：{clears_when}。可以搁置或静默"),
                format!(
                    "the condition of alert {alert} still holds; it ends when {clears_when}. Shelve or silence it to have quiet"
                ),
            ),
            Self::AlertResolved { alert } => Name::new(
                format!("预警 {alert} 已经解除"),
                format!("alert {alert} is resolved already"),
            ),
            Self::NotResolved { alert } => Name::new(
                format!("预警 {alert} 尚未解除，不能关闭"),
                format!("alert {alert} is not resolved, so it cannot be closed"),
            ),
            Self::AlertClosed { alert } => Name::new(
                format!("预警 {alert} 已经关闭"),
                format!("alert {alert} is closed"),
            ),
            Self::AlreadyShelved { alert, .. } => Name::new(
                format!("预警 {alert} 已经搁置"),
                format!("alert {alert} is shelved already"),
            ),
            Self::NotShelved { alert } => Name::new(
                format!("预警 {alert} 没有搁置"),
                format!("alert {alert} is not shelved"),
            ),
            Self::NobodyToUrge { alert } => Name::new(
                format!("预警 {alert} 没有经办人，请先指派"),
                format!("nobody answers for alert {alert}; assign it first"),
            ),
            Self::UrgedJustNow { alert, wait_secs } => Name::new(
                format!("预警 {alert} 刚刚催办过，请 {wait_secs} 秒后再试"),
                format!("alert {alert} was urged just now; wait {wait_secs} s"),
            ),
            Self::HasOrder { alert, order } => Name::new(
                format!("预警 {alert} 已有工单 {order}"),
                format!("alert {alert} has the work order {order} already"),
            ),
            other => other.other_words(),
        }
    }

    fn other_words(&self) -> Name {
        match self {
            Self::UnknownSilence { silence } => Name::new(
                format!("没有静默 {silence}"),
                format!("there is no silence {silence}"),
            ),
            Self::SilenceOver { silence } => Name::new(
                format!("静默 {silence} 已经结束"),
                format!("silence {silence} has ended"),
            ),
            Self::TooManySilences { max } => Name::new(
                format!("静默最多 {max} 个"),
                format!("there are {max} silences at most"),
            ),
            Self::UnknownRule { rule } => Name::new(
                format!("没有规则 {rule}"),
                format!("there is no rule {rule}"),
            ),
            Self::RuleEnabled { rule } => Name::new(
                format!("规则 {rule} 已经启用"),
                format!("rule {rule} is enabled already"),
            ),
            Self::RuleDisabled { rule } => Name::new(
                format!("规则 {rule} 已经停用"),
                format!("rule {rule} is disabled already"),
            ),
            Self::RuleUnchanged { rule, version } => Name::new(
                format!("规则 {rule} 与第 {version} 版相同"),
                format!("rule {rule} is the same as version {version}"),
            ),
            Self::TooManyRules { max } => Name::new(
                format!("规则最多 {max} 条"),
                format!("there are {max} rules at most"),
            ),
            Self::Order(refusal) => refusal.sentence(),
            Self::Problem(refusal) => refusal.sentence(),
            Self::Message(refusal) => refusal.sentence(),
            Self::Receiver(refusal) => refusal.sentence(),
            _ => Name::same(self.code()),
        }
    }
}

refuse_in_words!(Refusal);
