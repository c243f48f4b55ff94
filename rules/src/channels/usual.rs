//! How many calls are usual at an hour of the week: the median of the last four weeks.

use chrono::{Datelike as _, Timelike as _};
use serde::{Deserialize, Serialize};

use crate::time::{TimeZone, Timestamp};

/// Weeks that are remembered.
const WEEKS: usize = 4;
const HOURS: usize = 7 * 24;

/// Calls of each hour of the week in the last four weeks in which the hour was watched from end to
/// end; the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usual {
    hours: Box<[[Option<Calls>; WEEKS]; HOURS]>,
}

/// One more than the number of calls, so that "not watched" takes no room of its own.
type Calls = std::num::NonZeroU32;

impl Default for Usual {
    fn default() -> Self {
        Self {
            hours: Box::new([[None; WEEKS]; HOURS]),
        }
    }
}

/// The hour of the week by the clock of a zone: 0 is Monday, 00:00 to 01:00.
pub fn hour_of_week(zone: TimeZone, at: Timestamp) -> usize {
    let local = zone.moment(at);
    local.weekday().num_days_from_monday() as usize * 24 + local.hour() as usize
}

impl Usual {
    /// Remembers the calls of an hour that was watched from its beginning to its end.
    pub fn note(&mut self, hour_of_week: usize, calls: u64) {
        let Some(weeks) = self.hours.get_mut(hour_of_week) else {
            return;
        };
        weeks.rotate_right(1);
        let calls = u32::try_from(calls).unwrap_or(u32::MAX - 1);
        weeks[0] = Calls::new(calls.saturating_add(1));
    }

    /// The median of what was seen at this hour of the week, in calls an hour; none before it was
    /// seen twice, for once is no habit.
    pub fn calls_per_hour(&self, hour_of_week: usize) -> Option<f64> {
        let mut seen: Vec<u32> = self.seen(hour_of_week).collect();
        seen.sort_unstable();
        let middle = seen.len() / 2;
        match seen.len() {
            0 | 1 => None,
            even if even % 2 == 0 => {
                Some((f64::from(seen[middle - 1]) + f64::from(seen[middle])) / 2.0)
            }
            _ => Some(f64::from(seen[middle])),
        }
    }

    fn seen(&self, hour_of_week: usize) -> impl Iterator<Item = u32> {
        let weeks = self.hours.get(hour_of_week).into_iter().flatten();
        weeks.flatten().map(|calls| calls.get() - 1)
    }

    /// Bytes that it occupies beside its own size.
    pub const fn heap_bytes(&self) -> usize {
        size_of::<[[Option<Calls>; WEEKS]; HOURS]>()
    }
}

/// In JSON a list of the watched hours: `[hour of the week, calls, calls, …]`.
impl Serialize for Usual {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let line = |hour: usize| -> Option<Vec<u32>> {
            let seen: Vec<u32> = self.seen(hour).collect();
            (!seen.is_empty()).then(|| [vec![hour as u32], seen].concat())
        };
        serializer.collect_seq((0..HOURS).filter_map(line))
    }
}

impl<'de> Deserialize<'de> for Usual {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut usual = Self::default();
        for line in Vec::<Vec<u32>>::deserialize(deserializer)? {
            if let Some((hour, seen)) = line.split_first() {
                for calls in seen.iter().rev() {
                    usual.note(*hour as usize, u64::from(*calls));
                }
            }
        }
        Ok(usual)
    }
}
