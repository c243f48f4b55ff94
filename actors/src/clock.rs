//! Clocks: the machine's, and one that runs a recorded day at its own pace.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rules::time::Timestamp;

use crate::ports::Clock;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(since.as_millis() as i64)
    }

    fn until(&self, at: Timestamp) -> Duration {
        Duration::from_millis(at.millis_since(self.now()))
    }
}

/// A clock that starts at a given instant, runs `rate` times as fast as the machine, and can be
/// put forward, never back.
#[derive(Debug)]
pub struct ReplayClock {
    started: Instant,
    origin_ms: AtomicI64,
    rate: f64,
}

impl ReplayClock {
    pub fn new(from: Timestamp, rate: f64) -> Self {
        Self {
            started: Instant::now(),
            origin_ms: AtomicI64::new(from.millis()),
            rate,
        }
    }

    /// Puts the clock forward to `at`; an earlier instant changes nothing.
    pub fn skip_to(&self, at: Timestamp) {
        let ahead = at.millis_since(self.now());
        self.origin_ms.fetch_add(ahead as i64, Ordering::Relaxed);
    }
}

impl Clock for ReplayClock {
    fn now(&self) -> Timestamp {
        let passed = self.started.elapsed().as_secs_f64() * 1000.0 * self.rate;
        Timestamp::from_millis(self.origin_ms.load(Ordering::Relaxed) + passed as i64)
    }

    fn until(&self, at: Timestamp) -> Duration {
        Duration::from_secs_f64(at.millis_since(self.now()) as f64 / 1000.0 / self.rate)
    }

    fn rate(&self) -> f64 {
        self.rate
    }
}
