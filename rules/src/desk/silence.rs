//! Silences and maintenance: for a while nobody is told of matching alerts. They are still raised,
//! counted and listed; when a silence ends, what still stands is told.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alerts::rule::{Severity, Topic};
use crate::desk::alert::Alert;
use crate::desk::refusal::Refusal;
use crate::ids::{HallId, SilenceId};
use crate::time::Timestamp;

/// Silences that are planned or in force at a time.
pub const SILENCES_MAX: usize = 500;

/// The longest silence: what is quiet for longer should be a change of the rule.
pub const SILENCE_SECS_MAX: u64 = 31 * 24 * 3600;

/// Which alerts: everything given must fit, and something must be given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matcher {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hall: Option<HallId>,
    /// The subject's id, e.g. `H1/A`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Arc<str>>,
    /// As the rule has it; escalation does not lead out of a silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

impl Matcher {
    pub fn matches(&self, alert: &Alert) -> bool {
        let raise = &alert.raise;
        self.rule.as_deref().is_none_or(|rule| *raise.rule == *rule)
            && self.topic.is_none_or(|topic| raise.topic == topic)
            && self
                .severity
                .is_none_or(|severity| raise.severity == severity)
            && self
                .subject
                .as_ref()
                .is_none_or(|subject| raise.subject.id == *subject)
            && self
                .hall
                .as_ref()
                .is_none_or(|hall| raise.hall.as_ref() == Some(hall))
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilencePlan {
    #[serde(rename = "match")]
    pub matcher: Matcher,
    pub from: Timestamp,
    pub until: Timestamp,
    pub reason: String,
    /// Planned work rather than a nuisance.
    #[serde(default)]
    pub maintenance: bool,
}

impl SilencePlan {
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.matcher == Matcher::default() {
            return Err(Refusal::invalid(
                "match",
                "name a rule, topic, hall, subject or severity",
            ));
        }
        if self.until <= self.from.max(now) {
            return Err(Refusal::invalid(
                "until",
                "must lie after the beginning and in the future",
            ));
        }
        if self.until.secs_since(self.from) > SILENCE_SECS_MAX {
            return Err(Refusal::invalid("until", "31 days at most"));
        }
        crate::desk::check_text("reason", &self.reason)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SilenceState {
    Planned,
    Active,
    Ended,
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub id: SilenceId,
    #[serde(flatten)]
    pub plan: SilencePlan,
    pub by: String,
    pub made_at: Timestamp,
    pub state: SilenceState,
    pub ended_at: Option<Timestamp>,
}

impl Silence {
    /// When it begins or ends; nothing once it has ended.
    pub const fn due(&self) -> Option<Timestamp> {
        match self.state {
            SilenceState::Planned => Some(self.plan.from),
            SilenceState::Active => Some(self.plan.until),
            SilenceState::Ended => None,
        }
    }
}
