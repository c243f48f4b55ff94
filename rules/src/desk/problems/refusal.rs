//! Why nothing happens to a problem.

use serde::Serialize;

use super::{Problem, ProblemStep};
use crate::ids::ProblemId;
use crate::name::Name;
use crate::reason;

/// Why nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ProblemRefusal {
    InvalidField {
        field: String,
        reason: String,
    },
    UnknownProblem {
        problem: ProblemId,
    },
    AlreadyListed {
        problem: ProblemId,
    },
    AlreadyCorrected {
        problem: ProblemId,
        state: &'static str,
    },
    NotAssigned {
        problem: ProblemId,
        state: &'static str,
    },
    NotChecking {
        problem: ProblemId,
        state: &'static str,
    },
    NotCorrected {
        problem: ProblemId,
        state: &'static str,
    },
    NotVerified {
        problem: ProblemId,
        state: &'static str,
    },
    HistoryFull {
        problem: ProblemId,
    },
}

impl ProblemRefusal {
    /// Why this step cannot be taken from where the problem stands.
    pub(super) fn for_step(step: &ProblemStep, problem: &Problem) -> Self {
        let (problem, state) = (problem.id, problem.state.name());
        match step {
            ProblemStep::Assign { .. } => Self::AlreadyCorrected { problem, state },
            ProblemStep::Check { .. } => Self::NotAssigned { problem, state },
            ProblemStep::Correct { .. } => Self::NotChecking { problem, state },
            ProblemStep::Verify { .. } => Self::NotCorrected { problem, state },
            ProblemStep::Close => Self::NotVerified { problem, state },
            ProblemStep::Comment { .. } => Self::HistoryFull { problem },
        }
    }

    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidField { .. } => "invalid_field",
            Self::UnknownProblem { .. } => "unknown_problem",
            Self::AlreadyListed { .. } => "problem_already_listed",
            Self::AlreadyCorrected { .. } => "problem_already_corrected",
            Self::NotAssigned { .. } => "problem_not_assigned",
            Self::NotChecking { .. } => "problem_not_checking",
            Self::NotCorrected { .. } => "problem_not_corrected",
            Self::NotVerified { .. } => "problem_not_verified",
            Self::HistoryFull { .. } => "history_full",
        }
    }

    /// The refusal in words.
    pub fn sentence(&self) -> Name {
        let both = |zh: &str, en: &str| Name::new(zh, en);
        match self {
            Self::InvalidField { field, reason } => reason::sentence(field, reason),
            Self::UnknownProblem { problem } => Name::new(
                format!("没有问题 {problem}"),
                format!("there is no problem {problem}"),
            ),
            Self::AlreadyListed { problem } => Name::new(
                format!("该记录已在问题清单中（{problem}）"),
                format!("the record is on the list already, as {problem}"),
            ),
            Self::AlreadyCorrected { .. } => {
                both("问题已经整改", "the problem is corrected already")
            }
            Self::NotAssigned { .. } => both("问题还没有派出", "the problem is with nobody"),
            Self::NotChecking { .. } => both("问题不在排查中", "nobody is checking the problem"),
            Self::NotCorrected { .. } => both("问题还没有整改", "the problem is not corrected"),
            Self::NotVerified { .. } => both("问题还没有核实", "the problem is not verified"),
            Self::HistoryFull { .. } => both(
                "问题的记录已满，不能再评论",
                "the problem's history is full; no more comments",
            ),
        }
    }
}
