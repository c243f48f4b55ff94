//! One case: what was told of it, what happened to it, and what follows from both.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Settings;
use super::limits::{Limits, TimeState};
use super::parts::{Part, PartTold};
use super::steps::{Course, Pause, State, Step, StepKind};
use crate::calendar::{Moment, instant};
use crate::ids::{HallId, TicketId};
use crate::time::Timestamp;

/// Longest case number, in characters.
pub const CASE_NO_MAX: usize = 64;

/// A case's number, as its own system gives it: any text without blanks that a URL can carry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseNo(Arc<str>);

impl CaseNo {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl FromStr for CaseNo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unfit = |c: char| c.is_control() || c.is_whitespace() || "/\\?#%\"".contains(c);
        if (1..=CASE_NO_MAX).contains(&text.chars().count()) && !text.contains(unfit) {
            return Ok(Self(text.into()));
        }
        Err(format!(
            "a case number has 1 to {CASE_NO_MAX} characters, none of them a blank, /, \\, ?, #, % or a quote"
        ))
    }
}

impl fmt::Display for CaseNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for CaseNo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CaseNo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// What a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseKind {
    /// Somebody applied for something.
    #[default]
    Application,
    /// An administrative task with a time limit (限时任务). Nobody accepts it: it runs from the day it
    /// was given.
    Task,
    /// What somebody could not get done and asked for help with (办不成事). Its limit is for its handling.
    Petition,
}

impl CaseKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Task => "task",
            Self::Petition => "petition",
        }
    }
}

/// A limit: a given time, or so many working days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Used as it is, in its own offset from UTC.
    At(Moment),
    /// Working days, the day of acceptance not counted.
    Days(u32),
}

/// What a source tells of a case besides its steps. Telling again replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Told {
    #[serde(default)]
    pub kind: CaseKind,
    /// Code or name of the service item.
    #[serde(default)]
    pub item: String,
    pub department: String,
    /// Within the department.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Account or name of who is responsible.
    #[serde(default)]
    pub handler: Option<String>,
    /// e.g. `张*`
    #[serde(default)]
    pub applicant_masked: Option<String>,
    #[serde(default)]
    pub channel: Option<String>,
    /// When it came in; none while it is a draft.
    #[serde(default)]
    pub received_at: Option<Timestamp>,
    /// The promised limit.
    #[serde(default)]
    pub due: Option<Limit>,
    /// The legal limit.
    #[serde(default)]
    pub legal: Option<Limit>,
    /// Working days in which it must be accepted; 0 for no limit, none for the usual one.
    #[serde(default)]
    pub acceptance_limit_days: Option<u32>,
    /// Working days before its due time from which on it is near due; none for the usual lead.
    #[serde(default)]
    pub near_due_days: Option<u32>,
    /// Who keeps the departments of a joint approval together.
    #[serde(default)]
    pub coordinator: Option<String>,
    #[serde(default)]
    pub parts: Vec<PartTold>,
    #[serde(default)]
    pub hall: Option<HallId>,
    /// Tickets of the hall at which it was registered.
    #[serde(default)]
    pub tickets: Vec<TicketId>,
}

/// A step that was told after one that follows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongOrder {
    /// When it was noticed.
    pub noted_at: Timestamp,
    /// What was told too late.
    pub kind: StepKind,
    pub at: Timestamp,
}

/// A case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    pub case_no: CaseNo,
    pub told: Told,
    /// When it was first heard of.
    pub told_at: Timestamp,
    /// When it was last heard of.
    pub heard_at: Timestamp,
    /// In the order of their times.
    pub steps: Vec<Step>,
    pub wrong_order: Option<WrongOrder>,
    /// Everything below follows from the above and the settings.
    pub state: State,
    pub received_at: Option<Timestamp>,
    pub accepted_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub handler: Option<String>,
    pub limits: Limits,
    pub parts: Vec<Part>,
    pub pauses: Vec<Pause>,
    /// Something is said to have happened before what must precede it.
    pub time_inverted: bool,
}

impl Case {
    pub(crate) fn new(
        case_no: CaseNo,
        told: Told,
        steps: &[Step],
        at: Timestamp,
        settings: &Settings,
    ) -> Self {
        let mut case = Self {
            case_no,
            told,
            told_at: at,
            heard_at: at,
            steps: steps.to_vec(),
            wrong_order: None,
            state: State::Draft,
            received_at: None,
            accepted_at: None,
            ended_at: None,
            handler: None,
            limits: Limits::default(),
            parts: Vec::new(),
            pauses: Vec::new(),
            time_inverted: false,
        };
        case.work_out(settings);
        case
    }

    pub(crate) fn add(&mut self, step: &Step, at: Timestamp, settings: &Settings) {
        self.steps.push(step.clone());
        self.heard_at = at;
        self.work_out(settings);
    }

    pub(crate) fn tell(&mut self, told: &Told, at: Timestamp, settings: &Settings) {
        self.told = told.clone();
        self.heard_at = at;
        self.work_out(settings);
    }

    /// Reads everything that follows off what is known.
    pub(crate) fn work_out(&mut self, settings: &Settings) {
        self.steps.sort_by(Step::order);
        let told = &self.told;
        self.parts = told
            .parts
            .iter()
            .map(|part| Part::read(part, told.received_at, &self.steps, settings))
            .collect();
        let course = self.course();
        self.state = course.state;
        self.received_at = course.received_at;
        self.accepted_at = course.accepted_at;
        self.ended_at = course.ended_at;
        self.pauses = course.pauses;
        let assigned = self
            .steps
            .iter()
            .rev()
            .find(|s| s.kind == StepKind::Assigned);
        self.handler = assigned
            .and_then(|step| step.to.clone())
            .or_else(|| self.told.handler.clone());
        self.limits = Limits::of(self, settings);
        self.time_inverted = self.is_inverted();
    }

    /// The whole case's course. The departments of a joint approval move it along together: it is
    /// accepted with the first of them, and ends with the last.
    fn course(&self) -> Course {
        let mut steps: Vec<Step> = self
            .steps
            .iter()
            .filter(|step| step.part.is_none() && step.kind.moves())
            .cloned()
            .collect();
        if let Some(first) = self.parts.iter().filter_map(|p| p.accepted_at).min() {
            steps.push(Step::new(StepKind::Accepted, first));
        }
        let all_ended = self
            .parts
            .iter()
            .map(|part| part.ended_at)
            .collect::<Option<Vec<_>>>();
        if let Some(last) = all_ended.and_then(|ends| ends.into_iter().max()) {
            let refused = self.parts.iter().any(|part| part.state == State::Refused);
            let kind = if refused {
                StepKind::Refused
            } else {
                StepKind::Closed
            };
            steps.push(Step::new(kind, last));
        }
        steps.sort_by(Step::order);
        let mut course = Course::read(self.told.received_at, &steps);
        if self.told.kind == CaseKind::Task {
            course.accepted_at = course.accepted_at.or(course.received_at);
            course.state = match course.state {
                State::Submitted => State::Accepted,
                other => other,
            };
        }
        course
    }

    fn is_inverted(&self) -> bool {
        let Some(received) = self.received_at else {
            return false;
        };
        let came_in = self.told.received_at;
        let ends_before = self.ended_at.is_some_and(|end| {
            end < received || self.accepted_at.is_some_and(|accepted| end < accepted)
        });
        ends_before || came_in.is_some_and(|at| self.steps.iter().any(|step| step.at < at))
    }

    /// The case as it was known to be at an instant, by the times of its steps; none before it came
    /// in. What was told of it besides is taken as it is known now.
    pub fn as_of(&self, at: Timestamp, settings: &Settings) -> Option<Self> {
        let from = self.told.received_at.unwrap_or(self.told_at);
        if at < from {
            return None;
        }
        let mut then = self.clone();
        then.steps.retain(|step| step.at <= at);
        then.wrong_order = then.wrong_order.filter(|note| note.noted_at <= at);
        then.work_out(settings);
        Some(then)
    }

    pub fn time_state(&self, now: Timestamp) -> TimeState {
        self.limits.time_state(self.state, now)
    }

    /// The promised due time, as an instant.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.limits.due.map(instant)
    }

    /// Handed to the province's system and not acknowledged since this instant.
    pub fn sync_pending_since(&self) -> Option<Timestamp> {
        let last = |kind| {
            self.steps
                .iter()
                .rev()
                .find(|s| s.kind == kind)
                .map(|s| s.at)
        };
        let sent = self.steps.iter().filter(|s| s.kind == StepKind::SyncSent);
        match last(StepKind::SyncAcked) {
            Some(acked) => sent.map(|s| s.at).find(|at| *at > acked),
            None => sent.map(|s| s.at).next(),
        }
    }

    /// How often it was urged.
    pub fn urged(&self) -> usize {
        self.steps
            .iter()
            .filter(|s| s.kind == StepKind::Urged)
            .count()
    }

    /// When somebody last worked on it or told of it; when it came in, if nobody did.
    pub fn last_worked_at(&self) -> Option<Timestamp> {
        let work = |step: &&Step| !matches!(step.kind, StepKind::Urged | StepKind::Assigned);
        let last = self.steps.iter().rev().find(work).map(|step| step.at);
        last.max(self.received_at)
    }

    /// Whether this person has done something on it.
    pub fn was_worked_by(&self, person: &str) -> bool {
        let work = |step: &Step| !matches!(step.kind, StepKind::Urged | StepKind::Assigned);
        self.steps
            .iter()
            .any(|step| work(step) && step.by.as_deref() == Some(person))
    }
}
