//! Cases as staff see them: a line in a list, and everything that is known of one.

use rules::calendar::{Moment, instant};
use rules::cases::board::Group;
use rules::cases::limits::is_acceptance_overdue;
use rules::cases::parts::Part;
use rules::cases::{Case, Settings, Step, TimeState};
use rules::time::Timestamp;
use serde::Serialize;

/// A line in a list. It does not name who applied.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseFace<'a> {
    pub case_no: &'a str,
    pub kind: &'static str,
    pub item: &'a str,
    pub department: &'a str,
    pub group_name: Option<&'a str>,
    pub handler: Option<&'a str>,
    pub coordinator: Option<&'a str>,
    pub hall: Option<&'a str>,
    pub channel: Option<&'a str>,
    pub state: &'static str,
    /// One of the nine work lists.
    pub group: &'static str,
    /// `none`, `on_time`, `near_due` or `overdue`.
    pub time: &'static str,
    pub received_at: Option<String>,
    pub accepted_at: Option<String>,
    pub ended_at: Option<String>,
    /// In its own offset from UTC.
    pub due_at: Option<String>,
    pub legal_due_at: Option<String>,
    /// Working days, rounded up; none while no clock runs.
    pub days_left: Option<u32>,
    pub days_overdue: Option<u32>,
    pub acceptance_due_at: Option<String>,
    pub acceptance_overdue: bool,
    /// Working days begun since it should have been accepted.
    pub acceptance_days_overdue: Option<u32>,
    pub parts: Option<Progress<'a>>,
    pub urged: usize,
    pub wrong_order: bool,
    pub time_inverted: bool,
}

/// How far the departments of a joint approval are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress<'a> {
    pub ended: usize,
    pub total: usize,
    pub overdue: Vec<&'a str>,
}

/// Everything of one case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseDetail<'a> {
    #[serde(flatten)]
    pub face: CaseFace<'a>,
    pub applicant_masked: Option<&'a str>,
    pub tickets: Vec<u64>,
    pub departments: Vec<PartFace<'a>>,
    pub pauses: Vec<PauseFace>,
    pub steps: Vec<StepFace<'a>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartFace<'a> {
    pub id: &'a str,
    pub department: &'a str,
    pub handler: Option<&'a str>,
    pub state: &'static str,
    pub time: &'static str,
    pub due_at: Option<String>,
    pub ended_at: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PauseFace {
    pub from: String,
    pub until: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepFace<'a> {
    pub kind: &'static str,
    pub at: String,
    pub by: Option<&'a str>,
    pub note: Option<&'a str>,
    pub part: Option<&'a str>,
    pub to: Option<&'a str>,
    pub due_at: Option<String>,
}

/// A case's line at an instant.
pub fn face<'a>(case: &'a Case, settings: &Settings, now: Timestamp) -> CaseFace<'a> {
    let calendar = &settings.calendar;
    let at = |at: Timestamp| calendar.zone.rfc3339(at);
    let told = &case.told;
    let limits = &case.limits;
    let clock_runs = case.state.is_open() && !case.state.is_paused();
    let due = limits.due.filter(|_| clock_runs);
    let acceptance_overdue = is_acceptance_overdue(case, now);
    let late = limits.acceptance_due.filter(|_| acceptance_overdue);
    CaseFace {
        case_no: case.case_no.as_str(),
        kind: told.kind.name(),
        item: &told.item,
        department: &told.department,
        group_name: told.group.as_deref(),
        handler: case.handler.as_deref(),
        coordinator: told.coordinator.as_deref(),
        hall: told.hall.as_ref().map(rules::ids::HallId::as_str),
        channel: told.channel.as_deref(),
        state: case.state.name(),
        group: Group::of(case, None).name(),
        time: case.time_state(now).name(),
        received_at: case.received_at.map(at),
        accepted_at: case.accepted_at.map(at),
        ended_at: case.ended_at.map(at),
        due_at: limits.due.as_ref().map(Moment::to_rfc3339),
        legal_due_at: limits.legal_due.as_ref().map(Moment::to_rfc3339),
        days_left: due.map(|due| calendar.days_left(due, now)),
        days_overdue: due.map(|due| calendar.days_over(due, now)),
        acceptance_due_at: limits.acceptance_due.map(|due| at(instant(due))),
        acceptance_overdue,
        acceptance_days_overdue: late.map(|due| calendar.days_over(due, now)),
        parts: progress(case, now),
        urged: case.urged(),
        wrong_order: case.wrong_order.is_some(),
        time_inverted: case.time_inverted,
    }
}

fn progress(case: &Case, now: Timestamp) -> Option<Progress<'_>> {
    let late = |part: &&Part| part.time_state(now) == TimeState::Overdue;
    (!case.parts.is_empty()).then(|| Progress {
        ended: case.parts.iter().filter(|part| part.is_ended()).count(),
        total: case.parts.len(),
        overdue: match case.state.is_open() {
            true => case
                .parts
                .iter()
                .filter(late)
                .map(|part| part.department.as_str())
                .collect(),
            false => Vec::new(),
        },
    })
}

/// All of a case at an instant.
pub fn detail<'a>(case: &'a Case, settings: &Settings, now: Timestamp) -> CaseDetail<'a> {
    let at = |at: Timestamp| settings.calendar.zone.rfc3339(at);
    let part = |part: &'a Part| PartFace {
        id: &part.id,
        department: &part.department,
        handler: part.handler.as_deref(),
        state: part.state.name(),
        time: part.time_state(now).name(),
        due_at: part.due.as_ref().map(Moment::to_rfc3339),
        ended_at: part.ended_at.map(at),
    };
    let step = |step: &'a Step| StepFace {
        kind: step.kind.name(),
        at: at(step.at),
        by: step.by.as_deref(),
        note: step.note.as_deref(),
        part: step.part.as_deref(),
        to: step.to.as_deref(),
        due_at: step.due_at.as_ref().map(Moment::to_rfc3339),
    };
    CaseDetail {
        face: face(case, settings, now),
        applicant_masked: case.told.applicant_masked.as_deref(),
        tickets: case.told.tickets.iter().map(|ticket| ticket.0).collect(),
        departments: case.parts.iter().map(part).collect(),
        pauses: case
            .pauses
            .iter()
            .map(|pause| PauseFace {
                from: at(pause.from),
                until: pause.until.map(at),
            })
            .collect(),
        steps: case.steps.iter().map(step).collect(),
    }
}
