//! Sliding statistics of a channel: the last minute, five minutes, hour and day, in fixed memory.
//!
//! ```text
//! call ─> open slot, 10 s ─> 30 slots of 10 s ─> 12 slots of 5 min ─> 24 slots of 1 h
//!                            1 and 5 minutes      1 hour               1 day
//! ```
//! A call is counted once, in the open slot; a slot that ended is put to rest and handed to the next
//! ring. A window is what its slots hold, with what is under way: it reaches back as far as asked, and
//! up to one slot further. Five minutes, which rules read each second, are a running sum as well, from
//! which expired slots are subtracted; the others are added up when somebody asks.
//!
//! Counts, shortest and longest are exact. Percentiles are exact up to [`EXACT_MAX`] calls and within
//! one percent beyond. Calls count when they are heard of: one told late belongs to the present.
//!
//! Memory: counters 2 × 7 KiB at most, 66 slots 10 KiB, callers 7 KiB, usual hours 3 KiB, and the
//! times of ended slots, typically 5 to 15 KiB. Where hostile times would need more than
//! [`BYTES_MAX`], the oldest slots give up their times, not their counts, and the figures say since
//! when there are times.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::callers::Callers;
use super::histogram::{Histogram, exact_percentile};
use super::ring::{Ring, Slot, Sum};
use super::tally::{Measured, Outcome, Tally};
use super::usual::{Usual, hour_of_week};
use crate::time::{TimeZone, Timestamp};

/// Most that statistics occupy, in bytes.
pub const BYTES_MAX: usize = 46 * 1024;

/// A window with at most so many timed calls has exact percentiles.
pub const EXACT_MAX: usize = 128;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const TICK: i64 = 10 * SECOND;

/// How far statistics look back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    Minute,
    FiveMinutes,
    Hour,
    Day,
}

impl Window {
    pub const ALL: [Self; 4] = [Self::Minute, Self::FiveMinutes, Self::Hour, Self::Day];

    const fn millis(self) -> i64 {
        match self {
            Self::Minute => MINUTE,
            Self::FiveMinutes => 5 * MINUTE,
            Self::Hour => HOUR,
            Self::Day => 24 * HOUR,
        }
    }

    pub const fn secs(self) -> u64 {
        (self.millis() / SECOND) as u64
    }
}

/// The figures of a window. Times are in milliseconds, percentiles by nearest rank; what cannot be
/// said of no calls is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    pub window: Window,
    /// The window reaches back to here: as far as its name says, and up to one slot further.
    pub from: Timestamp,
    #[serde(flatten)]
    pub times: Times,
    /// Since when there are times, if that is later than `from`.
    pub times_from: Option<Timestamp>,
    /// Whether the percentiles are exact.
    pub exact: bool,
    /// Carried out, per minute.
    pub calls_per_minute: f64,
    /// The median of this hour of the week, once it was seen twice.
    pub usual_calls_per_minute: Option<f64>,
    #[serde(skip)]
    pub tally: Tally,
}

/// Counts and times of some calls, as people read them.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Times {
    pub calls: u64,
    pub failed: u64,
    pub refused: u64,
    pub slow: u64,
    pub success_percent: Option<f64>,
    pub slow_percent: Option<f64>,
    pub refused_percent: Option<f64>,
    /// Answers of 1xx to 5xx, and calls without any.
    pub by_class: [u64; super::tally::CLASSES],
    pub min_ms: Option<f64>,
    pub mean_ms: Option<f64>,
    pub max_ms: Option<f64>,
    pub p50_ms: Option<f64>,
    pub p90_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
}

/// The percentiles that are told.
const PERCENTS: [f64; 4] = [50.0, 90.0, 95.0, 99.0];

impl Times {
    /// From counts, and percentiles in microseconds that were found elsewhere.
    pub fn new(tally: &Tally, percentiles: Option<[u64; 4]>) -> Self {
        let ms = |micros: u64| micros as f64 / 1000.0;
        let timed = tally.timed > 0;
        // An estimate never leaves what was really seen.
        let bounded = |micros: u64| ms(micros.clamp(tally.min_micros, tally.max_micros));
        let percentile = |at: usize| Some(bounded(percentiles?[at]));
        Self {
            calls: tally.calls,
            failed: tally.failed,
            refused: tally.refused,
            slow: tally.slow,
            success_percent: tally.success_percent(),
            slow_percent: tally.slow_percent(),
            refused_percent: tally.refused_percent(),
            by_class: tally.classes,
            min_ms: timed.then(|| ms(tally.min_micros)),
            mean_ms: timed.then(|| ms(tally.micros) / tally.timed as f64),
            max_ms: timed.then(|| ms(tally.max_micros)),
            p50_ms: percentile(0),
            p90_ms: percentile(1),
            p95_ms: percentile(2),
            p99_ms: percentile(3),
        }
    }

    /// From counts and a histogram of the same calls.
    pub fn of(tally: &Tally, histogram: &Histogram) -> Self {
        Self::new(tally, histogram.percentiles(PERCENTS))
    }
}

/// What is known of a channel's calls.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Statistics {
    /// The latest instant heard of: time does not run backwards here.
    now: i64,
    /// Every call was heard of from here on.
    watched_from: i64,
    open: Open,
    seconds: Ring,
    minutes: Ring,
    hours: Ring,
    /// Times of the last five minutes: those of the open slot and of `seconds`.
    five_minutes: Histogram,
    /// Times of the last calls, the newest last.
    latest: VecDeque<u64>,
    callers: Callers,
    usual: Usual,
    last_call_at: Option<Timestamp>,
    #[serde(default)]
    last_success_at: Option<Timestamp>,
    /// Calls and refusals since the channel was set up.
    total: Tally,
}

/// The slot that calls are counted in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Open {
    from: i64,
    tally: Tally,
    histogram: Histogram,
}

impl Open {
    fn close(&mut self, from: i64) -> Slot {
        let slot = Slot {
            from: self.from,
            tally: std::mem::take(&mut self.tally),
            shape: Some(self.histogram.shape()),
        };
        self.histogram.clear();
        self.from = from;
        slot
    }
}

impl Statistics {
    /// Empty, and watching from `now` on.
    pub fn new(now: Timestamp) -> Self {
        let now = now.millis();
        let span = |window: Window| window.millis();
        Self {
            now,
            watched_from: now,
            open: Open {
                from: now - now.rem_euclid(TICK),
                ..Open::default()
            },
            seconds: Ring::new(TICK, span(Window::FiveMinutes)),
            minutes: Ring::new(5 * MINUTE, span(Window::Hour)),
            hours: Ring::new(HOUR, span(Window::Day)),
            five_minutes: Histogram::default(),
            latest: VecDeque::new(),
            callers: Callers::default(),
            usual: Usual::default(),
            last_call_at: None,
            last_success_at: None,
            total: Tally::default(),
        }
    }

    /// Counts one call, heard of at `now`; slow is what took longer than `slow_micros`.
    pub fn record(
        &mut self,
        call: &Measured<'_>,
        slow_micros: u64,
        zone: TimeZone,
        now: Timestamp,
    ) {
        self.advance(zone, now);
        self.open.tally.record(call, slow_micros);
        self.total.record(call, slow_micros);
        let now = Timestamp::from_millis(self.now);
        self.callers.record(call, now);
        self.last_call_at = Some(now);
        if call.outcome == Outcome::Ok {
            self.last_success_at = Some(now);
        }
        if let (Some(micros), true) = (call.micros, call.outcome != Outcome::Refused) {
            let grown = self.open.histogram.record(micros) | self.five_minutes.record(micros);
            if grown {
                self.keep_within_memory();
            }
            if self.latest.len() == EXACT_MAX {
                self.latest.pop_front();
            }
            self.latest.push_back(micros);
        }
    }

    /// Lets time pass until `now`. Asking for figures does not; ask for this first.
    pub fn advance(&mut self, zone: TimeZone, now: Timestamp) {
        self.now = self.now.max(now.millis());
        let begin = self.now - self.now.rem_euclid(TICK);
        if begin <= self.open.from {
            return;
        }
        let hour_before = self.hours.begin(self.open.from);
        let slot = self.open.close(begin);
        self.seconds.take(&slot);
        // What was open ends before the present slot begins, whatever time has passed since.
        let (ended, expired) = self.seconds.advance(self.now);
        for shape in expired.iter().filter_map(|slot| slot.shape.as_ref()) {
            self.five_minutes.subtract(shape);
        }
        if let Some(ended) = ended {
            self.minutes.take(&ended);
        }
        if let (Some(ended), _) = self.minutes.advance(self.now) {
            self.hours.take(&ended);
        }
        let (ended, _) = self.hours.advance(self.now);
        self.note_hours(zone, hour_before, ended.as_ref());
        self.callers.advance(Timestamp::from_millis(self.now));
        self.keep_within_memory();
    }

    /// Remembers how busy the hours were that ended, if they were watched from end to end.
    fn note_hours(&mut self, zone: TimeZone, from: i64, ended: Option<&Slot>) {
        let mut hour = from;
        // After a long silence only the last week of it says anything.
        hour = hour.max(self.hours.begin(self.now) - 7 * 24 * HOUR);
        while hour < self.hours.begin(self.now) {
            if hour >= self.watched_from {
                let slot = ended.filter(|slot| slot.from == hour);
                let calls = slot.map_or(0, |slot| slot.tally.calls);
                let place = hour_of_week(zone, Timestamp::from_millis(hour));
                self.usual.note(place, calls);
            }
            hour += HOUR;
        }
    }

    /// The program was not running until `now`: the hours between say nothing of what is usual.
    pub fn resume(&mut self, zone: TimeZone, now: Timestamp) {
        if now.millis() > self.now {
            self.watched_from = now.millis();
        }
        self.advance(zone, now);
    }

    fn keep_within_memory(&mut self) {
        while self.heap_bytes() + size_of::<Self>() > BYTES_MAX {
            let rings = [&self.hours, &self.minutes, &self.seconds];
            let sizes = rings.map(Ring::shape_bytes);
            let most = (0..3).max_by_key(|at| (sizes[*at], 3 - at)).unwrap_or(0);
            if sizes[most] == 0 {
                return;
            }
            match most {
                0 => drop(self.hours.forget_oldest_shape()),
                1 => drop(self.minutes.forget_oldest_shape()),
                _ => {
                    if let Some(shape) = self.seconds.forget_oldest_shape() {
                        self.five_minutes.subtract(&shape);
                    }
                }
            }
        }
    }

    /// The figures of a window that ends at the latest instant heard of.
    pub fn figures(&self, window: Window, zone: TimeZone) -> Figures {
        let (sum, first) = self.sum(window);
        let exact = sum.tally.timed <= self.latest.len() as u64;
        let times = if exact {
            Times::new(&sum.tally, self.exact(sum.tally.timed as usize))
        } else {
            let running = window == Window::FiveMinutes;
            let histogram = if running {
                &self.five_minutes
            } else {
                &sum.histogram
            };
            Times::of(&sum.tally, histogram)
        };
        let covered = (self.now - first).max(window.millis());
        let minutes = covered as f64 / MINUTE as f64;
        Figures {
            window,
            from: Timestamp::from_millis(first),
            times,
            times_from: sum
                .times_from
                .filter(|_| !exact)
                .map(Timestamp::from_millis),
            exact,
            calls_per_minute: sum.tally.calls as f64 / minutes,
            usual_calls_per_minute: self.usual_calls_per_minute(zone),
            tally: sum.tally,
        }
    }

    /// The slots of a window that hold calls, the oldest first, the one under way as the last; and
    /// their width in milliseconds.
    pub(super) fn slots(&self, window: Window) -> (Vec<Slot>, i64) {
        let after = self.now - window.millis();
        let (ring, width, under_way): (&Ring, i64, &[&Ring]) = match window {
            Window::Minute | Window::FiveMinutes => (&self.seconds, TICK, &[]),
            Window::Hour => (&self.minutes, 5 * MINUTE, &[&self.minutes]),
            Window::Day => (&self.hours, HOUR, &[&self.minutes, &self.hours]),
        };
        let mut last = Slot::at(ring.begin(self.now));
        for ring in under_way {
            last.add(ring.pending());
        }
        last.add(&Slot {
            from: self.open.from,
            tally: self.open.tally.clone(),
            shape: Some(self.open.histogram.shape()),
        });
        let closed = ring.since(after).cloned();
        let all = closed.chain([last]).filter(|slot| !slot.is_empty());
        (all.collect(), width)
    }

    /// The times of a window.
    pub(super) fn histogram(&self, window: Window) -> Histogram {
        match window {
            Window::FiveMinutes => self.five_minutes.clone(),
            _ => self.sum(window).0.histogram,
        }
    }

    /// What a window holds, and since when; the times of five minutes are in the running sum.
    fn sum(&self, window: Window) -> (Sum, i64) {
        let after = self.now - window.millis();
        let mut sum = Sum::default();
        let (ring, width): (&Ring, i64) = match window {
            Window::Minute | Window::FiveMinutes => (&self.seconds, TICK),
            Window::Hour => (&self.minutes, 5 * MINUTE),
            Window::Day => (&self.hours, HOUR),
        };
        let under_way: &[&Ring] = match window {
            Window::Minute | Window::FiveMinutes => &[],
            Window::Hour => &[&self.minutes],
            Window::Day => &[&self.minutes, &self.hours],
        };
        let closed = ring.since(after);
        for slot in closed.chain(under_way.iter().map(|ring| ring.pending())) {
            if window == Window::FiveMinutes {
                sum.tally.add(&slot.tally);
                if slot.shape.is_none() {
                    sum.times_from = Some(slot.from + width);
                }
            } else {
                sum.add(slot, slot.from + width);
            }
        }
        sum.tally.add(&self.open.tally);
        if window != Window::FiveMinutes {
            sum.histogram.merge(&self.open.histogram);
        }
        (sum, after - after.rem_euclid(width))
    }

    /// Exact percentiles of the last `count` timed calls.
    fn exact(&self, count: usize) -> Option<[u64; 4]> {
        let newest = self.latest.iter().rev().take(count);
        let mut sorted: Vec<u64> = newest.copied().collect();
        sorted.sort_unstable();
        exact_percentile(&sorted, 0.0)?;
        Some(PERCENTS.map(|percent| exact_percentile(&sorted, percent).unwrap_or(0)))
    }

    /// Counts since an instant, to a slot of ten seconds; at most five minutes back.
    pub fn since(&self, at: Timestamp) -> Tally {
        // A slot in which the instant lies is left out.
        let after = at.millis() + TICK - 1;
        let mut tally = Tally::default();
        for slot in self.seconds.since(after) {
            tally.add(&slot.tally);
        }
        if self.open.from + TICK > after {
            tally.add(&self.open.tally);
        }
        tally
    }

    /// Since when every call is heard of: the set-up, or the program's last start.
    pub const fn watched_from(&self) -> Timestamp {
        Timestamp::from_millis(self.watched_from)
    }

    /// Carried out in a usual minute of this hour of the week; none before the hour was seen twice.
    pub fn usual_calls_per_minute(&self, zone: TimeZone) -> Option<f64> {
        self.usual_at(zone, Timestamp::from_millis(self.now))
    }

    /// The same for the hour of the week that an instant lies in.
    pub fn usual_at(&self, zone: TimeZone, at: Timestamp) -> Option<f64> {
        Some(self.usual.calls_per_hour(hour_of_week(zone, at))? / 60.0)
    }

    pub const fn callers(&self) -> &Callers {
        &self.callers
    }

    pub const fn usual(&self) -> &Usual {
        &self.usual
    }

    /// When a call that succeeded was last heard of.
    pub const fn last_success_at(&self) -> Option<Timestamp> {
        self.last_success_at
    }

    /// When a call, carried out or refused, was last heard of.
    pub const fn last_call_at(&self) -> Option<Timestamp> {
        self.last_call_at
    }

    /// Everything since the channel was set up.
    pub const fn total(&self) -> &Tally {
        &self.total
    }

    /// When the open slot ends, if it holds calls: time alone then changes the figures.
    pub fn next_deadline(&self) -> Timestamp {
        Timestamp::from_millis(self.open.from + TICK)
    }

    /// Bytes that it occupies beside its own size.
    pub fn heap_bytes(&self) -> usize {
        let rings = [&self.seconds, &self.minutes, &self.hours];
        rings.map(Ring::heap_bytes).iter().sum::<usize>()
            + self.open.histogram.heap_bytes()
            + self.five_minutes.heap_bytes()
            + self.latest.capacity() * size_of::<u64>()
            + self.callers.heap_bytes()
            + self.usual.heap_bytes()
    }
}
