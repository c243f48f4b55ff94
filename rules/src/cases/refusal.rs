//! Every polite no of the case desk: a stable code, a sentence for a person, and what explains it.

use serde::Serialize;

use super::case::CaseNo;
use super::steps::{State, StepKind};
use crate::machine::refuse_in_words;
use crate::name::Name;
use crate::reason;
use crate::time::Timestamp;

/// Why something told of a case, or asked of one, changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum CaseRefusal {
    InvalidField {
        field: String,
        reason: String,
    },
    UnknownCase {
        case_no: CaseNo,
    },
    /// It ended long ago and is no longer in memory.
    CasePutAway {
        case_no: CaseNo,
    },
    UnknownPart {
        case_no: CaseNo,
        part: String,
    },
    StepNotForPart {
        case_no: CaseNo,
        kind: StepKind,
    },
    /// It has another end already.
    CaseAlreadyEnded {
        case_no: CaseNo,
        state: State,
        ended_at: Option<Timestamp>,
    },
    /// It went back to its applicant, who has not submitted it again.
    CaseReturned {
        case_no: CaseNo,
    },
    CaseNotSubmitted {
        case_no: CaseNo,
    },
    CaseAlreadyAccepted {
        case_no: CaseNo,
    },
    /// What happens once was told with another time.
    StepAlreadyTold {
        case_no: CaseNo,
        kind: StepKind,
        at: Timestamp,
    },
    /// Nothing was granted that could be handed out or archived.
    CaseNotGranted {
        case_no: CaseNo,
        state: State,
    },
    /// Departments of the joint approval are not through.
    PartsOpen {
        case_no: CaseNo,
        parts: Vec<String>,
    },
    TooManySteps {
        case_no: CaseNo,
        max: usize,
    },
    DeskFull {
        max: usize,
    },
}

impl CaseRefusal {
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidField {
            field: field.into(),
            reason: reason.into(),
        }
    }

    fn words(&self) -> Name {
        match self {
            Self::InvalidField { field, reason } => reason::sentence(field, reason),
            Self::UnknownCase { case_no } => Name::new(
                format!("没有办件 {case_no}"),
                format!("there is no case {case_no}"),
            ),
            Self::CasePutAway { case_no } => Name::new(
                format!("办件 {case_no} 早已办结，不再接收变化"),
                format!("case {case_no} ended long ago and takes no more steps"),
            ),
            Self::UnknownPart { case_no, part } => Name::new(
                format!("办件 {case_no} 没有并联部分 {part}"),
                format!("case {case_no} has no part {part}"),
            ),
            Self::StepNotForPart { kind, .. } => Name::new(
                format!("步骤 {} 不属于某一并联部分", kind.name()),
                format!("a step {} is never about one part", kind.name()),
            ),
            Self::CaseAlreadyEnded { case_no, state, .. } => Name::new(
                format!("办件 {case_no} 已经结束（{}）", state.name()),
                format!("case {case_no} has ended already ({})", state.name()),
            ),
            Self::CaseReturned { case_no } => Name::new(
                format!("办件 {case_no} 已退回，申请人尚未重新提交"),
                format!("case {case_no} was returned and not submitted again"),
            ),
            Self::CaseNotSubmitted { case_no } => Name::new(
                format!("办件 {case_no} 仍是草稿"),
                format!("case {case_no} is still a draft"),
            ),
            Self::CaseAlreadyAccepted { case_no } => Name::new(
                format!("办件 {case_no} 已经受理"),
                format!("case {case_no} is accepted already"),
            ),
            Self::StepAlreadyTold { kind, at, .. } => Name::new(
                format!("步骤 {} 已经报送，时间为 {}", kind.name(), at.rfc3339_utc()),
                format!("{} was told already, at {}", kind.name(), at.rfc3339_utc()),
            ),
            Self::CaseNotGranted { case_no, .. } => Name::new(
                format!("办件 {case_no} 未准予，没有可发放或归档的结果"),
                format!("case {case_no} was not granted; there is no result"),
            ),
            Self::PartsOpen { case_no, parts } => Name::new(
                format!("办件 {case_no} 还有部门未办结：{}", parts.join("、")),
                format!(
                    "departments of {case_no} are not through: {}",
                    parts.join(", ")
                ),
            ),
            Self::TooManySteps { case_no, max } => Name::new(
                format!("办件 {case_no} 已有 {max} 个步骤，不能再多"),
                format!("case {case_no} has {max} steps already"),
            ),
            Self::DeskFull { max } => Name::new(
                format!("在办办件已达 {max} 件上限"),
                format!("{max} cases are in memory already"),
            ),
        }
    }

    /// Stable; programs go by it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidField { .. } => "invalid_field",
            Self::UnknownCase { .. } => "unknown_case",
            Self::CasePutAway { .. } => "case_put_away",
            Self::UnknownPart { .. } => "unknown_part",
            Self::StepNotForPart { .. } => "step_not_for_part",
            Self::CaseAlreadyEnded { .. } => "case_already_ended",
            Self::CaseReturned { .. } => "case_returned",
            Self::CaseNotSubmitted { .. } => "case_not_submitted",
            Self::CaseAlreadyAccepted { .. } => "case_already_accepted",
            Self::StepAlreadyTold { .. } => "step_already_told",
            Self::CaseNotGranted { .. } => "case_not_granted",
            Self::PartsOpen { .. } => "parts_open",
            Self::TooManySteps { .. } => "too_many_steps",
            Self::DeskFull { .. } => "desk_full",
        }
    }
}

refuse_in_words!(CaseRefusal);
