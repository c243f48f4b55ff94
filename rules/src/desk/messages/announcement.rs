//! What the desk has to say to people, before it becomes messages.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alerts::rule::{Audience, Severity};
use crate::ids::HallId;
use crate::name::Name;

/// Why something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Raised,
    Escalated,
    Resolved,
    Repeated,
    Urged,
    SilenceEnded,
    /// An acknowledgement's or shelf's time ran out while the alert stands.
    Reopened,
    Assigned,
    /// Somebody tries whether messages arrive.
    Test,
}

impl Cause {
    pub const ALL: [Self; 9] = [
        Self::Raised,
        Self::Escalated,
        Self::Resolved,
        Self::Repeated,
        Self::Urged,
        Self::SilenceEnded,
        Self::Reopened,
        Self::Assigned,
        Self::Test,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Escalated => "escalated",
            Self::Resolved => "resolved",
            Self::Repeated => "repeated",
            Self::Urged => "urged",
            Self::SilenceEnded => "silence_ended",
            Self::Reopened => "reopened",
            Self::Assigned => "assigned",
            Self::Test => "test",
        }
    }

    /// As messages say it.
    pub fn words(self) -> Name {
        let (zh, en) = match self {
            Self::Raised => ("发生", "raised"),
            Self::Escalated => ("升级", "escalated"),
            Self::Resolved => ("恢复", "resolved"),
            Self::Repeated => ("仍在持续", "still standing"),
            Self::Urged => ("催办", "urged"),
            Self::SilenceEnded => ("静默结束，仍在持续", "still standing after a silence"),
            Self::Reopened => ("到期未处理", "due again"),
            Self::Assigned => ("指派", "assigned"),
            Self::Test => ("测试", "test"),
        };
        Name::new(zh, en)
    }
}

/// How bad, as messages say it.
pub fn severity_words(severity: Severity) -> Name {
    let (zh, en) = match severity {
        Severity::Notice => ("一般", "notice"),
        Severity::Warning => ("较重", "warning"),
        Severity::Critical => ("严重", "critical"),
    };
    Name::new(zh, en)
}

/// One thing to say, to everybody whom it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The same for the same thing said again: an alert's id and the number of its transition.
    /// Nobody is told twice under one key.
    pub key: String,
    /// The alert it is about.
    pub alert: Option<String>,
    pub cause: Cause,
    pub severity: Severity,
    pub title: Name,
    pub text: Name,
    pub audience: Vec<Audience>,
    /// The account of who is first responsible.
    pub handler: Option<Arc<str>>,
    pub hall: Option<HallId>,
    pub department: Option<Arc<str>>,
    /// One hall's part of the announcement before it, for those whom that did not reach.
    #[serde(default)]
    pub narrow: bool,
}
