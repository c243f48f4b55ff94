//! One alert: from raised to closed, who has it in hand, and why it was raised.
//!
//! ```text
//!  Firing ──ack──▶ Acknowledged ──start──▶ InProgress ──resolve──▶ Resolved ──close──▶ Closed
//!    ▲  └─────────────┬─────────────────────────┴── condition gone ──▲
//!    └─ ack ends ─────┘
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alerts::condition::Comparison;
use crate::alerts::rule::{Audience, Escalation, RemedyKind, Severity, Topic};
use crate::alerts::subject::Subject;
use crate::alerts::watch::Phase;
use crate::desk::messages::Cause;
use crate::ids::{AlertId, HallId, OrderId, ProblemId, SilenceId};
use crate::name::Name;
use crate::time::Timestamp;

/// Where people stand with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Firing,
    Acknowledged,
    InProgress,
    Resolved,
    Closed,
}

impl State {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Acknowledged => "acknowledged",
            Self::InProgress => "in_progress",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    /// Whether its condition is not over yet.
    pub const fn stands(self) -> bool {
        matches!(self, Self::Firing | Self::Acknowledged | Self::InProgress)
    }
}

/// Why an alert was raised, and what would end it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Why {
    pub comparisons: Vec<Comparison>,
    /// The condition that ends it, as written, or the opposite of the rule's.
    pub clears_when: String,
}

/// All that is told of an alert when it is raised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Raise {
    pub rule: Arc<str>,
    pub rule_version: u32,
    pub name: Name,
    pub topic: Topic,
    pub severity: Severity,
    pub subject: Subject,
    pub label: Name,
    pub hall: Option<HallId>,
    pub department: Option<Arc<str>>,
    pub handler: Option<Arc<str>>,
    /// Since when the condition holds.
    pub since: Timestamp,
    pub text: Name,
    pub why: Why,
    /// Which notice it belongs to.
    pub group: String,
    pub notify: Vec<Audience>,
    pub escalate: Vec<Escalation>,
    pub repeat_secs: u64,
    /// Rules whose alerts of the same hall are not told while this one stands.
    pub inhibits: Vec<String>,
    pub remedies: Vec<RemedyKind>,
}

/// Somebody has seen it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    pub by: String,
    pub at: Timestamp,
    pub comment: Option<String>,
    /// Ends then, if the alert still stands.
    pub until: Option<Timestamp>,
    /// Outlives a rise in severity.
    pub sticky: bool,
}

/// Laid aside by a person for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf {
    pub by: String,
    pub until: Timestamp,
    pub reason: String,
}

/// What keeps an alert from being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suppression {
    Silence(SilenceId),
    /// An alert of the same hall whose rule inhibits this one.
    Alert(AlertId),
}

impl fmt::Display for Suppression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence(id) => id.fmt(f),
            Self::Alert(id) => id.fmt(f),
        }
    }
}

/// Why an alert is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    ConditionGone,
    /// The case is closed, the ticket done, the device removed.
    SubjectGone,
    ByHand,
    /// A graver rule has taken its place.
    Superseded(AlertId),
    RuleDisabled,
}

impl Ending {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ConditionGone => "condition_gone",
            Self::SubjectGone => "subject_gone",
            Self::ByHand => "by_hand",
            Self::Superseded(_) => "superseded",
            Self::RuleDisabled => "rule_disabled",
        }
    }
}

/// A line of an alert's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    pub by: String,
    pub what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Lines of history kept with an alert; the first and the newest are.
const ENTRIES_MAX: usize = 100;

/// A resolved alert that nobody closes is closed after a day.
const CLOSE_SECS: u64 = 24 * 3600;

/// A closed one is at hand for another hour; lists know it for ever.
const FORGET_SECS: u64 = 3600;

/// An alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    pub id: AlertId,
    #[serde(flatten)]
    pub raise: Raise,
    /// As it is now; escalation may have raised it.
    pub severity_now: Severity,
    pub state: State,
    pub phase: Phase,
    pub raised_at: Timestamp,
    pub last_true_at: Timestamp,
    pub count: u32,
    pub flapping: bool,
    pub no_data_since: Option<Timestamp>,
    pub ack: Option<Acknowledgement>,
    pub assignee: Option<String>,
    pub shelf: Option<Shelf>,
    pub suppressed_by: Option<Suppression>,
    /// Steps of the rule's escalation that were taken.
    pub escalated: BTreeSet<usize>,
    pub resolved_at: Option<Timestamp>,
    pub ending: Option<Ending>,
    pub closed_at: Option<Timestamp>,
    pub work_order: Option<OrderId>,
    pub problem: Option<ProblemId>,
    /// Who was told that it stands, and so will be told that it is over.
    pub told_to: BTreeSet<Audience>,
    pub told_at: Option<Timestamp>,
    /// Notices sent about it, for their keys.
    pub told_count: u32,
    pub entries: Vec<Entry>,
    pub urged_at: Option<Timestamp>,
    /// What it is to be told again for, once nothing keeps it from being told.
    #[serde(default)]
    pub(crate) owed: Option<Cause>,
    /// Rises with every change, so that whoever shows alerts sees which are new.
    pub changes: u64,
    /// Its place in the desk's agenda.
    pub(crate) due: Option<Timestamp>,
}

impl Alert {
    pub(crate) fn new(id: AlertId, at: Timestamp, raise: Raise) -> Self {
        Self {
            id,
            severity_now: raise.severity,
            state: State::Firing,
            phase: Phase::Firing { since: raise.since },
            raised_at: at,
            last_true_at: at,
            count: 1,
            flapping: false,
            no_data_since: None,
            ack: None,
            assignee: None,
            shelf: None,
            suppressed_by: None,
            escalated: BTreeSet::new(),
            resolved_at: None,
            ending: None,
            closed_at: None,
            work_order: None,
            problem: None,
            told_to: BTreeSet::new(),
            told_at: None,
            told_count: 0,
            entries: Vec::new(),
            urged_at: None,
            owed: None,
            changes: 0,
            due: None,
            raise,
        }
    }

    /// Whether nobody is to be told of it for now.
    pub const fn is_muted(&self) -> bool {
        self.shelf.is_some() || self.suppressed_by.is_some()
    }

    /// Whether its condition is known to hold at this moment.
    pub const fn condition_holds(&self) -> bool {
        matches!(self.phase, Phase::Firing { .. }) && self.no_data_since.is_none()
    }

    /// Who answers for it: whoever it was given to, else the subject's own handler.
    pub fn responsible(&self) -> Option<&str> {
        self.assignee.as_deref().or(self.raise.handler.as_deref())
    }

    /// When time brings something next: the end of an acknowledgement or a shelf, a step of the
    /// escalation, closing, forgetting.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        match self.state {
            State::Resolved => self.resolved_at.map(|at| at.plus_secs(CLOSE_SECS)),
            State::Closed => self.closed_at.map(|at| at.plus_secs(FORGET_SECS)),
            State::Firing | State::Acknowledged | State::InProgress => {
                let ack = self.ack.as_ref().and_then(|ack| ack.until);
                let ack = ack.filter(|_| self.state == State::Acknowledged);
                let shelf = self.shelf.as_ref().map(|shelf| shelf.until);
                let step = self.open_steps().map(|(_, _, at)| at).min();
                [ack, shelf, step].into_iter().flatten().min()
            }
        }
    }

    /// Steps of the escalation that are still to come as things stand, with their instants. While
    /// nobody is to be told of the alert, none is taken.
    pub(crate) fn open_steps(&self) -> impl Iterator<Item = (usize, &Escalation, Timestamp)> {
        let all = self.raise.escalate.iter().enumerate();
        let open = self.state.stands() && !self.is_muted();
        all.filter(move |(no, step)| {
            let meant = !step.while_unacknowledged || self.state == State::Firing;
            open && meant && !self.escalated.contains(no)
        })
        .map(|(no, step)| (no, step, self.raised_at.plus_secs(step.after_secs)))
    }

    pub(crate) fn note(&mut self, at: Timestamp, by: &str, what: &str, note: Option<String>) {
        self.changes += 1;
        if self.entries.len() >= ENTRIES_MAX {
            self.entries.remove(1);
        }
        self.entries.push(Entry {
            at,
            by: by.to_owned(),
            what: what.to_owned(),
            note,
        });
    }
}
