//! The call policy of a hall: data that says who is next, how often one is called, and what
//! happens to those who miss their call. Every number is the project's own default and may be set.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::Tag;

/// How tickets with priority and ordinary tickets share a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Mix {
    /// Priority first, always.
    #[default]
    Strict,
    /// After `priority` calls with priority, `ordinary` ordinary calls, while both wait.
    Ratio { priority: u32, ordinary: u32 },
}

/// Which tags open the green channel. The version is noted on each ticket that it made green, so
/// a later change of the rule never changes a ticket already issued.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GreenRule {
    pub version: u32,
    pub tags: BTreeSet<Tag>,
}

/// When a booked time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppointmentRule {
    /// Check-in opens this long before the booked time.
    pub check_in_before_secs: u64,
    /// A ticket gains its place this long before the booked time.
    pub early_secs: u64,
    /// Check-in this long after the end of the booked time still keeps the place.
    pub late_grace_secs: u64,
}

impl Default for AppointmentRule {
    fn default() -> Self {
        Self {
            check_in_before_secs: 1800,
            early_secs: 0,
            late_grace_secs: 900,
        }
    }
}

/// What a missed ticket may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequeueRule {
    /// How many times a missed ticket may come back.
    pub times: u32,
    /// Behind how many others it comes back.
    pub after: u32,
    /// How long after its return it is not called.
    pub cool_down_secs: u64,
}

impl Default for RequeueRule {
    fn default() -> Self {
        Self {
            times: 1,
            after: 3,
            cool_down_secs: 0,
        }
    }
}

/// Whether one who waits may let others go first. Off unless both numbers are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostponeRule {
    /// At most so many places back at once.
    pub places_max: u32,
    /// How many times one ticket may be postponed.
    pub times_max: u32,
}

impl PostponeRule {
    pub const fn is_off(self) -> bool {
        self.places_max == 0 || self.times_max == 0
    }
}

/// What the hall's midnight does to those who still wait or were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayEnd {
    #[default]
    Expire,
    /// They keep their number and place and belong to the new day.
    CarryOver,
}

/// The whole policy. A change makes a new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallPolicy {
    pub version: u32,
    pub mix: Mix,
    /// At most so many calls with priority in a row at one window while ordinary tickets wait.
    pub max_consecutive_priority: Option<u32>,
    /// Every so many seconds of waiting raise a ticket by one class.
    pub ageing_step_secs: Option<u64>,
    pub green: GreenRule,
    pub appointment: AppointmentRule,
    /// At most so many calls of one ticket, the first included; `None` is no limit.
    pub calls_max: Option<u32>,
    pub recall_interval_secs: u64,
    /// A ticket is missed only after so many calls.
    pub no_show_after_calls: u32,
    pub requeue: RequeueRule,
    pub postpone: PostponeRule,
    /// A transferred ticket keeps its issue time in the other queue; otherwise it joins the end.
    pub transfer_keeps_issue_time: bool,
    pub day_end: DayEnd,
}

impl Default for CallPolicy {
    fn default() -> Self {
        Self {
            version: 1,
            mix: Mix::Strict,
            max_consecutive_priority: None,
            ageing_step_secs: None,
            green: GreenRule::default(),
            appointment: AppointmentRule::default(),
            calls_max: None,
            recall_interval_secs: 0,
            no_show_after_calls: 3,
            requeue: RequeueRule::default(),
            postpone: PostponeRule::default(),
            transfer_keeps_issue_time: true,
            day_end: DayEnd::Expire,
        }
    }
}

impl CallPolicy {
    /// What is wrong with the policy: field and reason.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        if let Mix::Ratio { priority, ordinary } = self.mix
            && (priority == 0 || ordinary == 0)
        {
            return Some(("mix", "both sides of a ratio are at least 1"));
        }
        if self.max_consecutive_priority == Some(0) {
            return Some(("max_consecutive_priority", "at least 1, or null"));
        }
        if self.ageing_step_secs == Some(0) {
            return Some(("ageing_step_secs", "at least 1, or null"));
        }
        if self.no_show_after_calls == 0 {
            return Some(("no_show_after_calls", "at least 1"));
        }
        if self
            .calls_max
            .is_some_and(|max| max < self.no_show_after_calls)
        {
            return Some((
                "calls_max",
                "not below no_show_after_calls, or nobody could be missed",
            ));
        }
        None
    }
}
