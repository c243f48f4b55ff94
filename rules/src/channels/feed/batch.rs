//! One delivery of a feed, in numbers.
//!
//! ```text
//! open ─first record→ receiving | sending ─close, compare→ reconciled | incomplete ─nothing is left→ corrected
//! ```

use serde::{Deserialize, Serialize};

use super::compare::Difference;
use super::setup::FeedDirection;
use crate::channels::tally::percent;
use crate::time::Timestamp;

/// Records of one batch at most.
pub const RECORDS_MAX: usize = 50_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchState {
    Open,
    Receiving,
    Sending,
    Reconciled,
    Incomplete,
    Corrected,
}

impl BatchState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Receiving => "receiving",
            Self::Sending => "sending",
            Self::Reconciled => "reconciled",
            Self::Incomplete => "incomplete",
            Self::Corrected => "corrected",
        }
    }
}

/// Records of a batch by what became of them, counted in the table. Each is in one of `accepted` to
/// `failed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Taken as they came.
    pub accepted: u64,
    /// Taken after a correction, or settled by other contents in a later batch.
    pub corrected: u64,
    /// In quarantine.
    pub rejected: u64,
    /// To be pushed.
    pub waiting: u64,
    /// Pushed, and the other side has them.
    pub acknowledged: u64,
    /// Pushed in vain so far.
    pub failed: u64,
    /// Of `acknowledged` those at the first attempt.
    pub at_once: u64,
    /// Records that came the same again, here or in an earlier batch. They are in none of the others.
    pub duplicates: u64,
    /// 95 % of records arrived at most so long after they had changed at their source.
    pub delay_p95_ms: Option<u64>,
    pub first_at: Option<Timestamp>,
    pub last_at: Option<Timestamp>,
    /// When the oldest of those came that are to be pushed and not acknowledged.
    pub unacknowledged_since: Option<Timestamp>,
}

impl Totals {
    /// Records of the batch, each once.
    pub const fn records(&self) -> u64 {
        self.accepted
            + self.corrected
            + self.rejected
            + self.waiting
            + self.acknowledged
            + self.failed
    }

    /// Records that arrived where they should, in the end.
    pub const fn arrived(&self, direction: FeedDirection) -> u64 {
        match direction {
            FeedDirection::Receive => self.accepted + self.corrected,
            FeedDirection::Push => self.acknowledged + self.corrected,
        }
    }

    /// The same at the first attempt, without correction.
    pub const fn arrived_at_once(&self, direction: FeedDirection) -> u64 {
        match direction {
            FeedDirection::Receive => self.accepted,
            FeedDirection::Push => self.at_once,
        }
    }

    /// Records that the other side does not have yet.
    pub const fn unacknowledged(&self) -> u64 {
        self.waiting + self.failed
    }

    /// Records that came to nothing so far.
    pub const fn came_to_nothing(&self) -> u64 {
        self.rejected + self.failed
    }

    /// Adds the counts of another batch.
    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.corrected += other.corrected;
        self.rejected += other.rejected;
        self.waiting += other.waiting;
        self.acknowledged += other.acknowledged;
        self.failed += other.failed;
        self.at_once += other.at_once;
        self.duplicates += other.duplicates;
        self.last_at = self.last_at.max(other.last_at);
    }
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub state: BatchState,
    pub opened_at: Timestamp,
    pub expected: Option<u64>,
    pub totals: Totals,
    /// When everything had been handed over.
    pub closed_at: Option<Timestamp>,
    /// When nothing was left to do.
    pub done_at: Option<Timestamp>,
    /// How late its first record was.
    pub late_secs: u64,
    pub difference: Option<Difference>,
}

impl Batch {
    pub(super) fn open(at: Timestamp, expected: Option<u64>) -> Self {
        Self {
            state: BatchState::Open,
            opened_at: at,
            expected,
            totals: Totals::default(),
            closed_at: None,
            done_at: None,
            late_secs: 0,
            difference: None,
        }
    }

    /// How many records should have arrived: all that were expected once it is closed, and before that
    /// those that were tried.
    pub fn due(&self) -> u64 {
        let expected = self.expected.filter(|_| self.closed_at.is_some());
        expected.unwrap_or(self.totals.records() - self.totals.waiting)
    }

    /// Those that arrived of those that should, in percent.
    pub fn success_percent(&self, direction: FeedDirection) -> Option<f64> {
        percent(self.totals.arrived(direction), self.due())
    }

    /// The same at the first attempt, without correction.
    pub fn first_pass_percent(&self, direction: FeedDirection) -> Option<f64> {
        percent(self.totals.arrived_at_once(direction), self.due())
    }

    fn is_whole(&self, direction: FeedDirection) -> bool {
        let all = self.totals.arrived(direction) >= self.due();
        let differs = self.difference.as_ref().is_some_and(|one| one.count() > 0);
        all && self.totals.came_to_nothing() == 0 && !differs
    }

    pub(super) fn count(&mut self, at: Timestamp, totals: Totals, direction: FeedDirection) {
        let had = self.totals.records() + self.totals.duplicates;
        self.totals = totals;
        if self.state == BatchState::Open && totals.records() + totals.duplicates > had {
            self.state = match direction {
                FeedDirection::Receive => BatchState::Receiving,
                FeedDirection::Push => BatchState::Sending,
            };
        }
        self.settle(at, direction);
    }

    /// Judges it once it is closed and nothing waits to be pushed.
    pub(super) fn settle(&mut self, at: Timestamp, direction: FeedDirection) {
        if self.closed_at.is_none() || self.totals.waiting > 0 {
            return;
        }
        let whole = self.is_whole(direction);
        self.state = match (whole, self.state) {
            (true, BatchState::Incomplete | BatchState::Corrected) => BatchState::Corrected,
            (true, _) => BatchState::Reconciled,
            (false, _) => BatchState::Incomplete,
        };
        self.done_at = match whole {
            true => self.done_at.or(Some(at)),
            false => None,
        };
    }
}
