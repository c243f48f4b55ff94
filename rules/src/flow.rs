//! The flow through one queue, learnt from what really happens: arrivals, services, their times.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::forecast::{WaitEstimate, wait_estimate};
use crate::time::Timestamp;

/// Service times remembered: enough to be steady, few enough to follow the day.
const RECENT_SERVICES: usize = 20;

/// The configured mean counts as much as this many observed services.
const PRIOR_WEIGHT: f64 = 5.0;

const MINUTES: usize = 60;

/// Counts per minute over the last hour, in fixed memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LastHour {
    counts: Vec<u32>,
    /// Minute number of the newest cell.
    newest: i64,
}

impl Default for LastHour {
    fn default() -> Self {
        Self {
            counts: vec![0; MINUTES],
            newest: 0,
        }
    }
}

impl LastHour {
    fn advance(&mut self, at: Timestamp) {
        let minute = at.millis().div_euclid(60_000);
        let steps = (minute - self.newest).clamp(0, MINUTES as i64);
        for step in 1..=steps {
            let cell = (minute - steps + step).rem_euclid(MINUTES as i64) as usize;
            self.counts[cell] = 0;
        }
        self.newest = self.newest.max(minute);
    }

    fn add(&mut self, at: Timestamp) {
        self.advance(at);
        self.counts[self.newest.rem_euclid(MINUTES as i64) as usize] += 1;
    }

    fn total(&mut self, now: Timestamp) -> u32 {
        self.advance(now);
        self.counts.iter().sum()
    }
}

/// What is known of one queue's flow.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct QueueFlow {
    expected_service_secs: f64,
    recent_service_secs: VecDeque<f64>,
    arrivals: LastHour,
    served: LastHour,
}

impl QueueFlow {
    /// A queue of which only the configured mean service time is known.
    pub fn new(expected_service_secs: u32) -> Self {
        Self {
            expected_service_secs: f64::from(expected_service_secs),
            ..Self::default()
        }
    }

    pub fn expect(&mut self, service_secs: u32) {
        self.expected_service_secs = f64::from(service_secs);
    }

    pub fn arrived(&mut self, at: Timestamp) {
        self.arrivals.add(at);
    }

    pub fn completed(&mut self, service_secs: f64, at: Timestamp) {
        self.served.add(at);
        self.recent_service_secs.push_back(service_secs);
        if self.recent_service_secs.len() > RECENT_SERVICES {
            self.recent_service_secs.pop_front();
        }
    }

    /// Mean of the recent services, drawn towards the configured mean while they are few.
    pub fn mean_service_secs(&self) -> f64 {
        let n = self.recent_service_secs.len() as f64;
        let sum: f64 = self.recent_service_secs.iter().sum();
        (self.expected_service_secs * PRIOR_WEIGHT + sum) / (PRIOR_WEIGHT + n)
    }

    pub fn arrivals_per_hour(&mut self, now: Timestamp) -> u32 {
        self.arrivals.total(now)
    }

    pub fn served_per_hour(&mut self, now: Timestamp) -> u32 {
        self.served.total(now)
    }

    /// Wait of a ticket with `ahead` people before it.
    pub fn estimate(&self, ahead: u64, windows_open: u64) -> Option<WaitEstimate> {
        wait_estimate(ahead, self.mean_service_secs(), windows_open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_follows_the_services_and_starts_at_the_configured_one() {
        let mut flow = QueueFlow::new(360);
        assert_eq!(flow.mean_service_secs(), 360.0);
        for _ in 0..50 {
            flow.completed(120.0, Timestamp::from_millis(0));
        }
        assert_eq!(
            flow.mean_service_secs(),
            (360.0 * 5.0 + 120.0 * 20.0) / 25.0
        );
    }

    #[test]
    fn arrivals_older_than_an_hour_are_forgotten() {
        let mut flow = QueueFlow::new(60);
        for minute in 0..90 {
            flow.arrived(Timestamp::from_millis(minute * 60_000));
        }
        assert_eq!(
            flow.arrivals_per_hour(Timestamp::from_millis(89 * 60_000)),
            60
        );
        assert_eq!(
            flow.arrivals_per_hour(Timestamp::from_millis(300 * 60_000)),
            0
        );
    }
}
