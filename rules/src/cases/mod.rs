//! Cases: what departments have in hand, how far it is, and whether it is in time.
//!
//! * [`steps`]: what can happen to a case, and the state that follows.
//! * [`case`]: one case. * [`parts`]: the departments of a joint approval.
//! * [`limits`]: due times on the working calendar.
//! * [`desk`]: all cases together, as a machine that lives by its journal. * [`refusal`]: every polite no.
//! * [`board`]: counting and choosing cases. * [`history`]: the instants at which a case changes.
//!
//! Other systems tell what happened; this desk keeps it, orders it by its own times, counts the limits
//! and says how the time stands. It decides nothing about an application.

use serde::{Deserialize, Serialize};

use crate::calendar::Calendar;

pub mod board;
pub mod case;
pub mod desk;
pub mod history;
pub mod limits;
pub mod parts;
pub mod refusal;
pub mod steps;

pub use case::{Case, CaseKind, CaseNo, Limit, Told};
pub use desk::{CaseCommand, CaseDesk, CaseEvent, Telling};
pub use limits::TimeState;
pub use parts::PartTold;
pub use refusal::CaseRefusal;
pub use steps::{State, Step, StepKind};

/// What limits are counted by. The numbers are the project's own defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub calendar: Calendar,
    /// A case is near due from so many working days before its due time on.
    pub near_due_days: u32,
    /// Working days in which a case must be accepted, unless it says otherwise; 0 for no limit.
    pub acceptance_limit_days: u32,
    /// An ended case is put away so many days after it was last heard of.
    pub keep_ended_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            calendar: Calendar::default(),
            near_due_days: 1,
            acceptance_limit_days: 1,
            keep_ended_days: 30,
        }
    }
}
