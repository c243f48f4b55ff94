//! What one call counts, and sums of calls.

use serde::{Deserialize, Serialize};

/// Classes of results: 1xx to 5xx, and no status at all (no answer in time, no connection).
pub const CLASSES: usize = 6;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    Failed,
    /// Not carried out: the caller was not allowed.
    Refused,
}

impl Outcome {
    pub const ALL: [Self; 3] = [Self::Ok, Self::Failed, Self::Refused];

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// What statistics need of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured<'a> {
    pub caller: &'a str,
    /// Empty when the call named none.
    pub version: &'a str,
    pub outcome: Outcome,
    /// Status of HTTP; none when there was no answer.
    pub status: Option<u16>,
    /// Whole microseconds; none when nobody measured.
    pub micros: Option<u64>,
}

/// The class of a status: `0` for 1xx to `4` for 5xx, `5` for none.
pub const fn class_of(status: Option<u16>) -> usize {
    match status {
        Some(status) if status >= 100 && status < 600 => (status / 100) as usize - 1,
        _ => CLASSES - 1,
    }
}

/// A sum of calls. Refused ones were not carried out: they are counted apart and in their class, and
/// are neither in `calls` nor in the times.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Carried out, whether they succeeded or failed.
    pub calls: u64,
    pub failed: u64,
    pub refused: u64,
    /// Took longer than the channel's own limit.
    pub slow: u64,
    /// Of `calls` those whose time is known.
    pub timed: u64,
    pub classes: [u64; CLASSES],
    /// Sum of the known times in microseconds.
    pub micros: u64,
    /// Shortest and longest, exactly; 0 when `timed` is 0.
    pub min_micros: u64,
    pub max_micros: u64,
}

impl Tally {
    /// Counts one call; slow is what took longer than `slow_micros`.
    pub fn record(&mut self, call: &Measured<'_>, slow_micros: u64) {
        self.classes[class_of(call.status)] += 1;
        if call.outcome == Outcome::Refused {
            self.refused += 1;
            return;
        }
        self.calls += 1;
        self.failed += u64::from(call.outcome == Outcome::Failed);
        let Some(micros) = call.micros else {
            return;
        };
        self.slow += u64::from(micros > slow_micros);
        self.min_micros = match self.timed {
            0 => micros,
            _ => self.min_micros.min(micros),
        };
        self.max_micros = self.max_micros.max(micros);
        self.micros = self.micros.saturating_add(micros);
        self.timed += 1;
    }

    pub fn add(&mut self, other: &Self) {
        self.min_micros = match (self.timed, other.timed) {
            (_, 0) => self.min_micros,
            (0, _) => other.min_micros,
            _ => self.min_micros.min(other.min_micros),
        };
        self.max_micros = self.max_micros.max(other.max_micros);
        self.micros = self.micros.saturating_add(other.micros);
        self.calls += other.calls;
        self.failed += other.failed;
        self.refused += other.refused;
        self.slow += other.slow;
        self.timed += other.timed;
        for (sum, more) in self.classes.iter_mut().zip(other.classes) {
            *sum += more;
        }
    }

    /// All that was asked, carried out or not.
    pub const fn asked(&self) -> u64 {
        self.calls + self.refused
    }

    pub fn success_percent(&self) -> Option<f64> {
        percent(self.calls - self.failed, self.calls)
    }

    pub fn slow_percent(&self) -> Option<f64> {
        percent(self.slow, self.timed)
    }

    pub fn refused_percent(&self) -> Option<f64> {
        percent(self.refused, self.asked())
    }
}

/// `part` of `whole` in percent; none when there is no whole.
pub fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}
