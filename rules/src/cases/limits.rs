//! Time limits of a case on the working calendar: when it is due, and how its time stands.
//!
//! A limit in working days begins on the day after acceptance and ends when that working day closes. A
//! limit given as a time is used as it is. Both move on by the working days for which the case waited for
//! its applicant or for a special procedure: the day on which it stopped counts, the day on which it went
//! on does not, like the day of acceptance. A due time told with an extension replaces all before.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Settings;
use super::case::{Case, CaseKind, Limit};
use super::steps::{Pause, State, Step, StepKind};
use crate::calendar::{Calendar, Moment, instant};
use crate::time::Timestamp;

/// How the time of a case stands against its promised limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeState {
    /// No clock runs: a draft, an ended case, or one without a limit.
    None,
    OnTime,
    NearDue,
    Overdue,
}

impl TimeState {
    pub const ALL: [Self; 4] = [Self::None, Self::OnTime, Self::NearDue, Self::Overdue];

    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::OnTime => "on_time",
            Self::NearDue => "near_due",
            Self::Overdue => "overdue",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == text)
    }
}

/// The limits of a case, worked out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// By the promised limit.
    pub due: Option<Moment>,
    /// From here on it is near due.
    pub near_due_at: Option<Timestamp>,
    /// By the legal limit.
    pub legal_due: Option<Moment>,
    /// Until here it must be accepted.
    pub acceptance_due: Option<Moment>,
}

impl Limits {
    pub(crate) fn of(case: &Case, settings: &Settings) -> Self {
        let calendar = &settings.calendar;
        let told = &case.told;
        let extended = |step: &&Step| step.kind == StepKind::Extended && step.part.is_none();
        let work_out = |limit, steps: &[Step]| {
            due_of(
                limit,
                case.received_at,
                case.accepted_at,
                steps.iter().filter(extended),
                &case.pauses,
                settings,
            )
        };
        let last_part = case.parts.iter().filter_map(|part| part.due).max();
        let due = work_out(told.due, &case.steps).or(last_part);
        let lead = told.near_due_days.unwrap_or(settings.near_due_days);
        Self {
            due,
            near_due_at: due.map(|due| instant(calendar.back(due, lead))),
            legal_due: work_out(told.legal, &[]),
            acceptance_due: acceptance_due(case, settings),
        }
    }

    /// On time while nothing else is to be said; a case that waits for somebody else is on time.
    pub(crate) fn time_state(&self, state: State, now: Timestamp) -> TimeState {
        time_state(state, self.due.map(instant), self.near_due_at, now)
    }
}

pub(crate) fn time_state(
    state: State,
    due: Option<Timestamp>,
    near_due_at: Option<Timestamp>,
    now: Timestamp,
) -> TimeState {
    let Some(due) = due.filter(|_| state.is_open()) else {
        return TimeState::None;
    };
    if state.is_paused() {
        TimeState::OnTime
    } else if now > due {
        TimeState::Overdue
    } else if near_due_at.is_some_and(|near| now >= near) {
        TimeState::NearDue
    } else {
        TimeState::OnTime
    }
}

/// When a limit ends.
pub(crate) fn due_of<'a>(
    limit: Option<Limit>,
    received_at: Option<Timestamp>,
    accepted_at: Option<Timestamp>,
    extended: impl Iterator<Item = &'a Step>,
    pauses: &[Pause],
    settings: &Settings,
) -> Option<Moment> {
    let calendar = &settings.calendar;
    let extension = extended
        .filter_map(|step| Some((step.due_at?, step.at)))
        .last();
    let (due, counted_from) = match (extension, limit) {
        (Some(extension), _) => extension,
        (None, Some(Limit::At(due))) => (due, received_at?),
        (None, Some(Limit::Days(days))) => {
            let accepted_at = accepted_at?;
            let accepted_on = calendar.moment(accepted_at).date_naive();
            let last = calendar.date_after(accepted_on, days);
            (calendar.close_of(last), accepted_at)
        }
        (None, None) => return None,
    };
    Some(moved_on(due, counted_from, pauses, calendar))
}

/// Moves a due time on by the working days of the pauses that ended after it began to count and that
/// began before it was over.
fn moved_on(due: Moment, from: Timestamp, pauses: &[Pause], calendar: &Calendar) -> Moment {
    let mut due = due;
    let mut counted: BTreeSet<NaiveDate> = BTreeSet::new();
    let date = |at: Timestamp| calendar.moment(at).date_naive();
    for pause in pauses {
        let Some(until) = pause.until.filter(|until| *until > from) else {
            continue;
        };
        if pause.from > instant(due) {
            continue;
        }
        let days = calendar.days_after(date(pause.from.max(from)), date(until));
        let fresh = days.filter(|day| counted.insert(*day)).count();
        due = calendar.forward(due, u32::try_from(fresh).unwrap_or(u32::MAX));
    }
    due
}

/// The limit of acceptance keeps the time of day: received Monday 09:00 means accepted until Tuesday
/// 09:00. None for tasks, drafts and where the limit is 0.
fn acceptance_due(case: &Case, settings: &Settings) -> Option<Moment> {
    let days = match case.told.kind {
        CaseKind::Task => 0,
        CaseKind::Application | CaseKind::Petition => case
            .told
            .acceptance_limit_days
            .unwrap_or(settings.acceptance_limit_days),
    };
    let received_at = case.received_at.filter(|_| days > 0)?;
    let received = settings.calendar.moment(received_at);
    let due = settings.calendar.forward(received, days);
    Some(moved_on(due, received_at, &case.pauses, &settings.calendar))
}

/// Whether it should have been accepted or returned by now.
pub fn is_acceptance_overdue(case: &Case, now: Timestamp) -> bool {
    // What waits for the applicant's papers is not the department's delay.
    let waits = case.state.is_before_acceptance() && case.state != State::AwaitingMaterials;
    let due = case.limits.acceptance_due.map(instant);
    waits && case.accepted_at.is_none() && due.is_some_and(|due| now > due)
}

/// When time alone next changes what can be said of a case in days: near due, due, another working day
/// left or over, acceptance due. None when no clock runs.
pub fn next_change(case: &Case, settings: &Settings, now: Timestamp) -> Option<Timestamp> {
    let calendar = &settings.calendar;
    let acceptance = case.limits.acceptance_due.map(after);
    let acceptance = acceptance.filter(|_| case.state.is_before_acceptance());
    let clock_runs = case.state.is_open() && !case.state.is_paused();
    let days = |due: Moment| match calendar.days_left(due, now) {
        0 => after(calendar.forward(due, calendar.days_over(due, now))),
        left => instant(calendar.back(due, left - 1)),
    };
    let due = case.limits.due.filter(|_| clock_runs).map(days);
    let over = case.limits.due.filter(|_| clock_runs).map(after);
    let near = case.limits.near_due_at.filter(|_| clock_runs);
    let legal = case.limits.legal_due.filter(|_| clock_runs).map(days);
    let parts = case.parts.iter().filter(|p| p.state.is_open());
    let parts = parts.filter_map(|part| part.due.map(after));
    [acceptance, due, over, near, legal]
        .into_iter()
        .flatten()
        .chain(parts)
        .filter(|at| *at > now)
        .min()
}

/// The first instant after a limit.
fn after(due: Moment) -> Timestamp {
    Timestamp::from_millis(instant(due).millis().saturating_add(1))
}
