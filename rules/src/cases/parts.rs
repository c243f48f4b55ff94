//! Joint approval: one application, several departments, each with a part and a limit of its own.

use serde::{Deserialize, Serialize};

use super::Settings;
use super::case::Limit;
use super::limits::{TimeState, due_of, time_state};
use super::steps::{Course, Pause, State, Step, StepKind};
use crate::calendar::{Moment, instant};
use crate::time::Timestamp;

/// Parts of one case at most.
pub const PARTS_MAX: usize = 30;

/// What a source tells of one department's part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartTold {
    /// Unique in its case.
    pub id: String,
    pub department: String,
    #[serde(default)]
    pub handler: Option<String>,
    #[serde(default)]
    pub due: Option<Limit>,
}

/// One department's part, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub id: String,
    pub department: String,
    pub handler: Option<String>,
    pub state: State,
    pub accepted_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub due: Option<Moment>,
    pub near_due_at: Option<Timestamp>,
    pub pauses: Vec<Pause>,
}

impl Part {
    /// Reads a part off the steps of its case, which stand in their order. Its limit in days runs from
    /// its own acceptance, or from that of the whole.
    pub(crate) fn read(
        told: &PartTold,
        received_at: Option<Timestamp>,
        steps: &[Step],
        settings: &Settings,
    ) -> Self {
        let own = steps.iter().filter(|s| s.part.as_ref() == Some(&told.id));
        let course = Course::read(received_at, own.clone());
        let whole = steps
            .iter()
            .find(|s| s.part.is_none() && s.kind == StepKind::Accepted)
            .map(|s| s.at);
        let accepted_at = course.accepted_at;
        let extended = own.filter(|s| s.kind == StepKind::Extended);
        let due = due_of(
            told.due,
            received_at,
            accepted_at.or(whole),
            extended,
            &course.pauses,
            settings,
        );
        let lead = settings.near_due_days;
        Self {
            id: told.id.clone(),
            department: told.department.clone(),
            handler: told.handler.clone(),
            state: course.state,
            accepted_at,
            ended_at: course.ended_at,
            due,
            near_due_at: due.map(|due| instant(settings.calendar.back(due, lead))),
            pauses: course.pauses,
        }
    }

    pub fn is_ended(&self) -> bool {
        self.ended_at.is_some()
    }

    pub fn time_state(&self, now: Timestamp) -> TimeState {
        time_state(self.state, self.due.map(instant), self.near_due_at, now)
    }
}
