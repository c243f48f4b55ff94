//! Calls of a channel since the process started, for whoever watches from outside.

use std::sync::atomic::{AtomicU64, Ordering};

use rules::channels::Outcome;

use crate::store::records::TIMES_MS;

#[derive(Debug, Default)]
pub struct Counters {
    results: [AtomicU64; 3],
    times: [AtomicU64; TIMES_MS.len() + 1],
    micros: AtomicU64,
}

/// The counters at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    pub results: [(&'static str, u64); 3],
    /// By [`TIMES_MS`], and what took longer.
    pub times: Vec<u64>,
    pub secs: f64,
}

const RESULTS: [Outcome; 3] = [Outcome::Ok, Outcome::Failed, Outcome::Refused];

impl Counters {
    pub fn note(&self, result: Outcome, micros: Option<u64>) {
        if let Some(at) = RESULTS.iter().position(|one| *one == result) {
            self.results[at].fetch_add(1, Ordering::Relaxed);
        }
        let Some(micros) = micros else { return };
        let at = TIMES_MS.iter().position(|ms| micros <= ms * 1000);
        self.times[at.unwrap_or(TIMES_MS.len())].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub fn read(&self) -> Counted {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let result = |at: usize| (RESULTS[at].name(), read(&self.results[at]));
        Counted {
            results: [result(0), result(1), result(2)],
            times: self.times.iter().map(read).collect(),
            secs: read(&self.micros) as f64 / 1e6,
        }
    }
}
