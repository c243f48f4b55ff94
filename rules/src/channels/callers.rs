//! Who calls, in which version: the busiest pairs one by one, all others together.
//!
//! A pair that is not in the table takes the place of the one with the fewest calls in the last
//! minutes, and among equals of the one silent for longest; what that one had counts with the others.
//! So a caller with a real share of the calls is in the table whoever else calls, and the parts always
//! add up to the whole.

use serde::{Deserialize, Serialize};

use super::tally::{Measured, Outcome};
use crate::time::Timestamp;

/// Pairs of caller and version that are counted one by one.
pub const CALLERS_MAX: usize = 16;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Minutes that are looked back, and the one that is going on.
const MINUTES: usize = 6;
/// Hours that are looked back, and the one that is going on.
const HOURS: usize = 25;

/// Calls, those of them that failed, and what was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Count {
    pub calls: u32,
    pub failed: u32,
    pub refused: u32,
}

impl Count {
    fn record(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Refused => self.refused = self.refused.saturating_add(1),
            Outcome::Ok | Outcome::Failed => self.calls = self.calls.saturating_add(1),
        }
        if outcome == Outcome::Failed {
            self.failed = self.failed.saturating_add(1);
        }
    }

    fn add(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.failed = self.failed.saturating_add(other.failed);
        self.refused = self.refused.saturating_add(other.refused);
    }
}

/// The minutes and hours of one pair.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Counts {
    /// All that was asked, by the minute modulo [`MINUTES`].
    minutes: [u32; MINUTES],
    /// By the hour modulo [`HOURS`].
    hours: [Count; HOURS],
}

impl Counts {
    fn record(&mut self, outcome: Outcome, minute: usize, hour: usize) {
        self.minutes[minute] = self.minutes[minute].saturating_add(1);
        self.hours[hour].record(outcome);
    }

    fn add(&mut self, other: &Self) {
        for (sum, more) in self.minutes.iter_mut().zip(other.minutes) {
            *sum = sum.saturating_add(more);
        }
        for (sum, more) in self.hours.iter_mut().zip(other.hours) {
            sum.add(more);
        }
    }

    fn asked_lately(&self) -> u64 {
        self.minutes.iter().map(|count| u64::from(*count)).sum()
    }

    fn day(&self) -> Count {
        let mut sum = Count::default();
        for hour in self.hours {
            sum.add(hour);
        }
        sum
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pair {
    caller: Box<str>,
    version: Box<str>,
    last_at: Timestamp,
    counts: Counts,
}

/// What a caller did with a version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallerFigures {
    /// None: all that have no line of their own.
    pub caller: Option<String>,
    pub version: Option<String>,
    pub last_at: Option<Timestamp>,
    /// All asked in the last five minutes, and up to one more.
    pub asked_5min: u64,
    /// The last 24 hours, and up to one more.
    #[serde(flatten)]
    pub day: Count,
}

/// The table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Callers {
    pairs: Vec<Pair>,
    others: Counts,
    /// Which minute and hour the counts reach to, since 1970.
    minute: i64,
    hour: i64,
}

impl Callers {
    pub fn record(&mut self, call: &Measured<'_>, now: Timestamp) {
        self.advance(now);
        let (minute, hour) = (place(self.minute, MINUTES), place(self.hour, HOURS));
        let is = |pair: &Pair| *pair.caller == *call.caller && *pair.version == *call.version;
        let at = match self.pairs.iter().position(is) {
            Some(at) => at,
            None => self.seat(call),
        };
        let pair = &mut self.pairs[at];
        pair.last_at = now;
        pair.counts.record(call.outcome, minute, hour);
        // Callers come in runs: the last one is found first.
        if at > 0 {
            self.pairs.swap(0, at);
        }
    }

    /// A place for a newcomer.
    fn seat(&mut self, call: &Measured<'_>) -> usize {
        let newcomer = Pair {
            caller: call.caller.into(),
            version: call.version.into(),
            last_at: Timestamp::default(),
            counts: Counts::default(),
        };
        if self.pairs.len() < CALLERS_MAX {
            self.pairs.reserve_exact(CALLERS_MAX - self.pairs.len());
            self.pairs.push(newcomer);
            return self.pairs.len() - 1;
        }
        let busy = |pair: &Pair| (pair.counts.asked_lately(), pair.last_at);
        let least = (0..self.pairs.len()).min_by_key(|at| busy(&self.pairs[*at]));
        let at = least.unwrap_or(0);
        let gone = std::mem::replace(&mut self.pairs[at], newcomer);
        self.others.add(&gone.counts);
        at
    }

    /// Lets time pass: minutes and hours that come round again begin at zero.
    pub fn advance(&mut self, now: Timestamp) {
        let minute = now.millis().div_euclid(MINUTE_MS);
        if minute <= self.minute {
            return;
        }
        let hour = now.millis().div_euclid(HOUR_MS);
        let minutes = stale(self.minute, minute, MINUTES);
        let hours = stale(self.hour, hour, HOURS);
        let all = self.pairs.iter_mut().map(|pair| &mut pair.counts);
        for counts in all.chain([&mut self.others]) {
            for minute in minutes.clone() {
                counts.minutes[place(minute, MINUTES)] = 0;
            }
            for hour in hours.clone() {
                counts.hours[place(hour, HOURS)] = Count::default();
            }
        }
        (self.minute, self.hour) = (minute, hour);
    }

    /// The busiest of the last 24 hours first, all others last.
    pub fn figures(&self) -> Vec<CallerFigures> {
        let line = |pair: Option<&Pair>, counts: &Counts| CallerFigures {
            caller: pair.map(|pair| pair.caller.to_string()),
            version: pair.map(|pair| pair.version.to_string()),
            last_at: pair.map(|pair| pair.last_at),
            asked_5min: counts.asked_lately(),
            day: counts.day(),
        };
        let pairs = self.pairs.iter();
        let mut lines: Vec<CallerFigures> =
            pairs.map(|pair| line(Some(pair), &pair.counts)).collect();
        lines.sort_by(|a, b| {
            let busy =
                |line: &CallerFigures| u64::from(line.day.calls) + u64::from(line.day.refused);
            let name = |line: &CallerFigures| (line.caller.clone(), line.version.clone());
            busy(b).cmp(&busy(a)).then_with(|| name(a).cmp(&name(b)))
        });
        if self.others != Counts::default() {
            lines.push(line(None, &self.others));
        }
        lines
    }

    /// The caller that asks most in the last five minutes, over all its versions, and its share in
    /// percent; none if nobody asked.
    pub fn top(&self) -> Option<(&str, f64)> {
        let asked = |counts: &Counts| counts.asked_lately();
        let all: u64 = self.pairs.iter().map(|pair| asked(&pair.counts)).sum();
        let of = |caller: &str| -> u64 {
            let same = self.pairs.iter().filter(|pair| *pair.caller == *caller);
            same.map(|pair| asked(&pair.counts)).sum()
        };
        let callers = self.pairs.iter().map(|pair| &*pair.caller);
        let (count, caller) = callers
            .map(|caller| (of(caller), caller))
            .max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(a.1)))?;
        let all = all + asked(&self.others);
        Some((caller, super::tally::percent(count, all)?))
    }

    /// Bytes that it occupies beside its own size.
    pub fn heap_bytes(&self) -> usize {
        let names = |pair: &Pair| pair.caller.len() + pair.version.len();
        self.pairs.capacity() * size_of::<Pair>() + self.pairs.iter().map(names).sum::<usize>()
    }
}

const fn place(number: i64, of: usize) -> usize {
    number.rem_euclid(of as i64) as usize
}

/// The numbers after `last` up to `now`, at most one round of them.
const fn stale(last: i64, now: i64, round: usize) -> std::ops::RangeInclusive<i64> {
    let first = if last + 1 > now - round as i64 {
        last + 1
    } else {
        now - round as i64 + 1
    };
    first..=now
}
