//! How well messages arrive, counted by the hour.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::desk::receivers::WayKind;
use crate::time::Timestamp;

const HOUR_MS: i64 = 3_600_000;

/// Hours that are kept: a day, and the one before for comparison.
const KEEP_HOURS: i64 = 48;

/// Messages that came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    pub delivered: u64,
    /// Given up.
    pub dead: u64,
}

impl Tally {
    /// Share of the ended messages that were delivered, in percent with one decimal; none when
    /// none has ended.
    pub fn delivered_percent(self) -> Option<f64> {
        let ended = self.delivered + self.dead;
        let share = self.delivered as f64 / ended as f64;
        (ended > 0).then(|| (share * 1000.0).round() / 10.0)
    }

    fn plus(self, other: Self) -> Self {
        Self {
            delivered: self.delivered + other.delivered,
            dead: self.dead + other.dead,
        }
    }
}

/// How a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Delivered,
    Dead,
}

/// Tallies by hour and way of the last two days.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Hours(BTreeMap<i64, BTreeMap<WayKind, Tally>>);

impl Hours {
    pub(super) fn count(&mut self, at: Timestamp, way: WayKind, end: End) {
        let hour = at.millis().div_euclid(HOUR_MS);
        let tally = self.0.entry(hour).or_default().entry(way).or_default();
        match end {
            End::Delivered => tally.delivered += 1,
            End::Dead => tally.dead += 1,
        }
        self.0.retain(|kept, _| *kept > hour - KEEP_HOURS);
    }

    /// Takes a death back: the message goes out again.
    pub(super) fn revive(&mut self, died_at: Timestamp, way: WayKind) {
        let hour = died_at.millis().div_euclid(HOUR_MS);
        let tally = self.0.get_mut(&hour).and_then(|ways| ways.get_mut(&way));
        if let Some(tally) = tally {
            tally.dead = tally.dead.saturating_sub(1);
        }
    }

    /// By way, over the hours that have begun since `hours` before `now`.
    pub(super) fn since(&self, now: Timestamp, hours: u64) -> BTreeMap<WayKind, Tally> {
        let from = now.minus_secs(hours * 3600).millis().div_euclid(HOUR_MS);
        let mut sum: BTreeMap<WayKind, Tally> = BTreeMap::new();
        for (way, tally) in self.0.range(from + 1..).flat_map(|(_, ways)| ways) {
            let slot = sum.entry(*way).or_default();
            *slot = slot.plus(*tally);
        }
        sum
    }
}

/// One way's share of [`MessageFigures`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WayFigures {
    pub delivered: u64,
    pub dead: u64,
    pub delivered_percent: Option<f64>,
}

impl From<Tally> for WayFigures {
    fn from(tally: Tally) -> Self {
        Self {
            delivered: tally.delivered,
            dead: tally.dead,
            delivered_percent: tally.delivered_percent(),
        }
    }
}

/// How messages fare.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MessageFigures {
    /// Over how many hours the ended ones are counted, the present one included.
    pub hours: u64,
    pub delivered: u64,
    pub dead: u64,
    /// Of those that ended; none when none has.
    pub delivered_percent: Option<f64>,
    /// Not ended yet, quiet hours included.
    pub waiting: u64,
    /// Of those waiting, failed at least once.
    pub retrying: u64,
    /// How long the one that is due longest has been due.
    pub due_secs_max: u64,
    /// Dead letters that nobody has sent again.
    pub dead_letters: u64,
    pub ways: BTreeMap<WayKind, WayFigures>,
}

impl MessageFigures {
    pub(super) fn of(hours: u64, ways: &BTreeMap<WayKind, Tally>) -> Self {
        let sum = ways
            .values()
            .fold(Tally::default(), |sum, tally| sum.plus(*tally));
        Self {
            hours,
            delivered: sum.delivered,
            dead: sum.dead,
            delivered_percent: sum.delivered_percent(),
            waiting: 0,
            retrying: 0,
            due_secs_max: 0,
            dead_letters: 0,
            ways: ways
                .iter()
                .map(|(way, tally)| (*way, (*tally).into()))
                .collect(),
        }
    }
}
