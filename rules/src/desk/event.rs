//! What happened to alerts and silences.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alerts::rule::{Audience, Severity};
use crate::alerts::subject::Subject;
use crate::alerts::watch::Phase;
use crate::desk::alert::{Ending, Raise};
use crate::desk::messages::Cause;
use crate::desk::silence::SilencePlan;
use crate::ids::{AlertId, OrderId, ProblemId, SilenceId};
use crate::time::Timestamp;

/// A watch that began or ceased to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub rule: Arc<str>,
    pub subject: Subject,
    /// `None`: it waits no longer.
    pub since: Option<Timestamp>,
}

/// Why a rule fires on a subject and yet there is no alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// The rule has as many alerts as it may.
    Limit,
    /// This alert of a graver rule stands in its place.
    Alert(AlertId),
}

/// Why an acknowledgement is over before its alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AckEnd {
    Expired,
    SeverityRose,
}

/// One thing that happened. The stored form: fields may be added, never changed or removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AlertEvent {
    /// Watches that began or ceased to wait in one pass.
    Waited {
        watches: Vec<Waiting>,
    },
    AlertRaised {
        alert: AlertId,
        raise: Box<Raise>,
        count: u32,
    },
    /// The alert's watch has changed, and the alert stands.
    AlertObserved {
        alert: AlertId,
        phase: Phase,
        flapping: bool,
        no_data_since: Option<Timestamp>,
        count: u32,
    },
    AlertResolved {
        alert: AlertId,
        ending: Ending,
        count: u32,
        #[serde(default)]
        comment: Option<String>,
    },
    /// A rule fires and no alert is raised.
    HeldBack {
        rule: Arc<str>,
        subject: Subject,
        held_by: HeldBy,
    },
    /// A rule that was held back fires no longer.
    HeldBackEnded {
        rule: Arc<str>,
        subject: Subject,
    },
    AlertAcknowledged {
        alert: AlertId,
        comment: Option<String>,
        until: Option<Timestamp>,
        sticky: bool,
    },
    AcknowledgementEnded {
        alert: AlertId,
        why: AckEnd,
    },
    AlertAssigned {
        alert: AlertId,
        to: String,
    },
    AlertBegun {
        alert: AlertId,
    },
    AlertClosed {
        alert: AlertId,
    },
    AlertCommented {
        alert: AlertId,
        text: String,
    },
    AlertShelved {
        alert: AlertId,
        until: Timestamp,
        reason: String,
    },
    AlertUnshelved {
        alert: AlertId,
        expired: bool,
    },
    AlertUrged {
        alert: AlertId,
        person: String,
    },
    OrderLinked {
        alert: AlertId,
        order: OrderId,
    },
    ProblemLinked {
        alert: AlertId,
        problem: ProblemId,
    },
    /// Steps of one rule's escalation, taken for alerts of one group.
    AlertsEscalated {
        alerts: Vec<AlertId>,
        step: usize,
        severity: Option<Severity>,
        to: Vec<Audience>,
    },
    /// One notice of a group went out, about these alerts.
    AlertsTold {
        group: String,
        cause: Cause,
        alerts: Vec<AlertId>,
    },
    /// Closed long ago: the desk need not know them any longer.
    AlertsForgotten {
        alerts: Vec<AlertId>,
    },
    Silenced {
        silence: SilenceId,
        plan: SilencePlan,
    },
    SilenceBegan {
        silence: SilenceId,
    },
    SilenceEnded {
        silence: SilenceId,
        early: bool,
    },
}

impl AlertEvent {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Waited { .. } => "waited",
            Self::AlertRaised { .. } => "alert_raised",
            Self::AlertObserved { .. } => "alert_observed",
            Self::AlertResolved { .. } => "alert_resolved",
            Self::HeldBack { .. } => "held_back",
            Self::HeldBackEnded { .. } => "held_back_ended",
            Self::AlertAcknowledged { .. } => "alert_acknowledged",
            Self::AcknowledgementEnded { .. } => "acknowledgement_ended",
            Self::AlertAssigned { .. } => "alert_assigned",
            Self::AlertBegun { .. } => "alert_begun",
            Self::AlertClosed { .. } => "alert_closed",
            Self::AlertCommented { .. } => "alert_commented",
            Self::AlertShelved { .. } => "alert_shelved",
            Self::AlertUnshelved { .. } => "alert_unshelved",
            Self::AlertUrged { .. } => "alert_urged",
            Self::OrderLinked { .. } => "order_linked",
            Self::ProblemLinked { .. } => "problem_linked",
            Self::AlertsEscalated { .. } => "alerts_escalated",
            Self::AlertsTold { .. } => "alerts_told",
            Self::AlertsForgotten { .. } => "alerts_forgotten",
            Self::Silenced { .. } => "silenced",
            Self::SilenceBegan { .. } => "silence_began",
            Self::SilenceEnded { .. } => "silence_ended",
        }
    }
}
