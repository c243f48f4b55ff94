//! What is asked of the problem list, and what happened to it.

use serde::{Deserialize, Serialize};

use super::KIND_MAX_CHARS;
use crate::alerts::rule::Severity;
use crate::desk::history::{TEXT_MAX_CHARS, written};
use crate::ids::{HallId, ProblemId};
use crate::name::Name;
use crate::time::Timestamp;

/// A problem to be listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewProblem {
    /// What kind of fault it is, e.g. `time_inversion`.
    pub kind: String,
    pub title: Name,
    pub severity: Severity,
    /// The system that the record came from.
    pub source: String,
    /// What names the record, e.g. a case number.
    pub record: String,
    /// The record as it came.
    #[serde(default)]
    pub raw: String,
    /// Where it went and what it touched, in order.
    #[serde(default)]
    pub trace: Vec<String>,
    /// The alert that found it.
    #[serde(default)]
    pub alert: Option<String>,
    /// The rule of that alert.
    #[serde(default)]
    pub rule: Option<String>,
    #[serde(default)]
    pub hall: Option<HallId>,
    #[serde(default)]
    pub department: Option<String>,
    #[serde(default)]
    pub due_at: Option<Timestamp>,
}

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemCommand {
    List(Box<NewProblem>),
    /// Lists it with somebody at once.
    ListFor {
        new: Box<NewProblem>,
        to: String,
    },
    Step {
        problem: ProblemId,
        step: ProblemStep,
    },
}

/// A step of a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum ProblemStep {
    /// To a person, or from one to another before it is corrected.
    Assign {
        to: String,
    },
    Check {
        finding: Option<String>,
    },
    Correct {
        finding: Option<String>,
        correction: String,
    },
    Verify {
        comment: Option<String>,
    },
    Close,
    Comment {
        text: String,
    },
}

impl ProblemStep {
    /// As histories and the journal name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Assign { .. } => "problem_assigned",
            Self::Check { .. } => "problem_checked",
            Self::Correct { .. } => "problem_corrected",
            Self::Verify { .. } => "problem_verified",
            Self::Close => "problem_closed",
            Self::Comment { .. } => "problem_commented",
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Check { finding: text } | Self::Verify { comment: text } => text.as_deref(),
            Self::Correct {
                correction: text, ..
            }
            | Self::Comment { text } => Some(text),
            Self::Assign { .. } | Self::Close => None,
        }
    }

    /// The same with names and texts in order, or the field that is not and why.
    pub(super) fn tidy(&self) -> Result<Self, (&'static str, &'static str)> {
        let text = |text: &str, field| written(text, TEXT_MAX_CHARS).map_err(|why| (field, why));
        let maybe = |given: &Option<String>, field| match given {
            Some(given) => text(given, field).map(Some),
            None => Ok(None),
        };
        Ok(match self {
            Self::Assign { to } => Self::Assign {
                to: written(to, KIND_MAX_CHARS).map_err(|why| ("to", why))?,
            },
            Self::Check { finding } => Self::Check {
                finding: maybe(finding, "finding")?,
            },
            Self::Correct {
                finding,
                correction,
            } => Self::Correct {
                finding: maybe(finding, "finding")?,
                correction: text(correction, "correction")?,
            },
            Self::Verify { comment } => Self::Verify {
                comment: maybe(comment, "comment")?,
            },
            Self::Close => Self::Close,
            Self::Comment { text: given } => Self::Comment {
                text: text(given, "text")?,
            },
        })
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ProblemEvent {
    ProblemListed {
        problem: ProblemId,
        new: Box<NewProblem>,
    },
    ProblemStepped {
        problem: ProblemId,
        step: ProblemStep,
    },
    ProblemOverdue {
        problem: ProblemId,
    },
}

impl ProblemEvent {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ProblemListed { .. } => "problem_listed",
            Self::ProblemStepped { step, .. } => step.kind(),
            Self::ProblemOverdue { .. } => "problem_overdue",
        }
    }

    pub const fn problem(&self) -> ProblemId {
        match self {
            Self::ProblemListed { problem, .. }
            | Self::ProblemStepped { problem, .. }
            | Self::ProblemOverdue { problem } => *problem,
        }
    }
}
