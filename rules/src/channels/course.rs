//! A window of a channel's calls slot by slot, and how its times are distributed: what charts are
//! drawn from.

use serde::Serialize;

use super::histogram::Histogram;
use super::statistics::{Statistics, Times, Window};
use crate::time::Timestamp;

/// The calls of one slot of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stretch {
    pub from: Timestamp,
    /// Its end, which may lie ahead: the last one is still going on.
    pub until: Timestamp,
    pub times: Times,
}

/// How many calls took how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bar {
    pub from_micros: u64,
    pub to_micros: u64,
    pub calls: u64,
}

impl Statistics {
    /// The slots of a window, the oldest first, with those that hold no calls left out: of 10 s for a
    /// minute and five, of 5 min for an hour, of 1 h for a day. A slot that gave up its times has
    /// counts only.
    pub fn course(&self, window: Window) -> Vec<Stretch> {
        let (slots, width) = self.slots(window);
        let stretch = |slot: super::ring::Slot| {
            let mut histogram = Histogram::default();
            let times = match &slot.shape {
                Some(shape) => {
                    histogram.add(shape);
                    Times::of(&slot.tally, &histogram)
                }
                None => Times::new(&slot.tally, None),
            };
            Stretch {
                from: Timestamp::from_millis(slot.from),
                until: Timestamp::from_millis(slot.from + width),
                times,
            }
        };
        slots.into_iter().map(stretch).collect()
    }

    /// The times of a window in quarters of a doubling, from the shortest to the longest that occurred;
    /// empty ones between are there.
    pub fn distribution(&self, window: Window) -> Vec<Bar> {
        self.histogram(window).bars()
    }
}
