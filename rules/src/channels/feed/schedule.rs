//! When data is due.

use chrono::Days;
use serde::{Deserialize, Serialize};

use crate::hours::DayTime;
use crate::time::{TimeZone, Timestamp};

/// What was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "when", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Whenever there is some.
    #[default]
    AnyTime,
    /// At least once in so many seconds.
    Every { secs: u64 },
    /// Once a day at this time. Data of half a day before or after it is that day's.
    Daily { at: DayTime },
}

/// How a feed stands with its schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Punctuality {
    /// Deliveries that are due and have not come.
    pub periods_missed: u64,
    /// Since the first of them was due.
    pub late_secs: u64,
}

const HALF_A_DAY: u64 = 43_200;

/// Days that are counted back at most.
const DAYS_MAX: u64 = 400;

impl Schedule {
    /// Seconds between two deliveries; none if they may come at any time.
    pub const fn period_secs(self) -> Option<u64> {
        match self {
            Self::AnyTime => None,
            Self::Every { secs } => Some(secs),
            Self::Daily { .. } => Some(86_400),
        }
    }

    /// When data is due next, when it came last at `last_at`, or none since it was agreed then.
    pub fn due_after(self, zone: TimeZone, last_at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::AnyTime => None,
            Self::Every { secs } => Some(last_at.plus_secs(secs)),
            Self::Daily { at } => Some(daily_after(zone, at, served(zone, at, last_at), 1)),
        }
    }

    /// How it stands at `now`, when data came last at `last_at`, or none since it was agreed then.
    pub fn punctuality(self, zone: TimeZone, last_at: Timestamp, now: Timestamp) -> Punctuality {
        match self {
            Self::AnyTime => Punctuality::default(),
            Self::Every { secs } => {
                let silent = now.secs_since(last_at);
                let periods_missed = silent / secs.max(1);
                Punctuality {
                    periods_missed,
                    late_secs: if periods_missed > 0 { silent - secs } else { 0 },
                }
            }
            Self::Daily { at } => {
                let due = |days| daily_after(zone, at, served(zone, at, last_at), days);
                let missed = (1..=DAYS_MAX).take_while(|days| due(*days) <= now).count() as u64;
                Punctuality {
                    periods_missed: missed,
                    late_secs: if missed > 0 {
                        now.secs_since(due(1))
                    } else {
                        0
                    },
                }
            }
        }
    }

    /// How late data that came at `at` was, in seconds, when data had come at `last_at` before.
    pub fn lateness(self, zone: TimeZone, last_at: Timestamp, at: Timestamp) -> u64 {
        match self {
            Self::AnyTime | Self::Every { .. } => self.punctuality(zone, last_at, at).late_secs,
            Self::Daily { at: time } => at.secs_since(served(zone, time, at)),
        }
    }
}

/// The due instant that data of this instant belongs to: the nearest one.
fn served(zone: TimeZone, time: DayTime, at: Timestamp) -> Timestamp {
    let after = at.plus_secs(HALF_A_DAY);
    let today = zone.at(zone.date_of(after), time.time());
    match today <= after {
        true => today,
        false => daily_before(zone, time, after),
    }
}

fn daily_before(zone: TimeZone, time: DayTime, at: Timestamp) -> Timestamp {
    let date = zone.date_of(at);
    zone.at(
        date.checked_sub_days(Days::new(1)).unwrap_or(date),
        time.time(),
    )
}

/// The due instant so many days after another.
fn daily_after(zone: TimeZone, time: DayTime, due: Timestamp, days: u64) -> Timestamp {
    let date = zone.date_of(due);
    zone.at(
        date.checked_add_days(Days::new(days)).unwrap_or(date),
        time.time(),
    )
}
