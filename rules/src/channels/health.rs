//! How a channel is, and why.
//!
//! ```text
//! healthy ⇄ degraded          shares of failed or slow calls, odd frequency, over five minutes
//!    │ ╲       │
//!    │  failures in a row ─→ down ─a success→ recovering ─successes in a row→ healthy
//!    │                        ↑──── failures in a row ────┘
//!    └─ any ⇄ maintenance     as announced; nothing is judged meanwhile, figures are kept
//! ```
//! A single failure while recovering starts the successes anew and no more, so that a channel that
//! fails every other time does not change its state with each call.

use serde::{Deserialize, Serialize};

use super::setup::Limits;
use super::tally::{Outcome, Tally};

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    #[default]
    Healthy,
    Maintenance,
    Recovering,
    Degraded,
    Down,
}

impl Health {
    pub const ALL: [Self; 5] = [
        Self::Healthy,
        Self::Maintenance,
        Self::Recovering,
        Self::Degraded,
        Self::Down,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Recovering => "recovering",
            Self::Maintenance => "maintenance",
        }
    }
}

/// What made a channel's health change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Reason {
    ConsecutiveFailures {
        failures: u32,
    },
    Successes {
        successes: u32,
    },
    Failing {
        failed_percent: f64,
        calls: u64,
    },
    Slow {
        slow_percent: f64,
        slow_ms: u64,
        calls: u64,
    },
    OddFrequency {
        calls_per_minute: f64,
        usual: f64,
    },
    /// Nothing of the above holds any more.
    WithinLimits,
    Maintenance,
    MaintenanceOver,
}

/// Successes and failures in a row; one of the two is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Streak {
    pub failures: u32,
    pub successes: u32,
}

impl Streak {
    pub fn record(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ok => {
                self.successes = self.successes.saturating_add(1);
                self.failures = 0;
            }
            Outcome::Failed => {
                self.failures = self.failures.saturating_add(1);
                self.successes = 0;
            }
            Outcome::Refused => {}
        }
    }
}

/// What calls in a row alone make of a health, if anything.
pub fn by_streak(health: Health, streak: Streak, limits: &Limits) -> Option<(Health, Reason)> {
    let Streak {
        failures,
        successes,
    } = streak;
    match health {
        Health::Healthy | Health::Degraded | Health::Recovering
            if failures >= limits.consecutive_failures =>
        {
            Some((Health::Down, Reason::ConsecutiveFailures { failures }))
        }
        Health::Down | Health::Recovering if successes >= limits.recovery_successes => {
            Some((Health::Healthy, Reason::Successes { successes }))
        }
        Health::Down if successes > 0 => {
            Some((Health::Recovering, Reason::Successes { successes }))
        }
        _ => None,
    }
}

/// Calls of the last minutes beside what is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frequency {
    pub calls_per_minute: f64,
    pub usual: f64,
}

/// Where a degraded channel is healthy again, as a share of the limit that made it degraded.
const BACK: f64 = 0.8;

/// What shares and frequency of the last minutes make of a healthy or degraded channel, if anything.
/// Too few calls say nothing, and a channel of which nothing can be said is not degraded.
pub fn by_shares(
    health: Health,
    tally: &Tally,
    frequency: Option<Frequency>,
    limits: &Limits,
) -> Option<(Health, Reason)> {
    let ease = match health {
        Health::Healthy => 1.0,
        Health::Degraded => BACK,
        Health::Down | Health::Recovering | Health::Maintenance => return None,
    };
    let found = failing(tally, limits, ease)
        .or_else(|| slow(tally, limits, ease))
        .or_else(|| odd(frequency?, limits, ease));
    match (health, found) {
        (Health::Healthy, Some(reason)) => Some((Health::Degraded, reason)),
        (Health::Degraded, None) => Some((Health::Healthy, Reason::WithinLimits)),
        _ => None,
    }
}

fn failing(tally: &Tally, limits: &Limits, ease: f64) -> Option<Reason> {
    let calls = tally.calls;
    let failed_percent = super::tally::percent(tally.failed, calls)?;
    let many = calls >= u64::from(limits.min_calls);
    (many && failed_percent > limits.failed_percent * ease).then_some(Reason::Failing {
        failed_percent,
        calls,
    })
}

fn slow(tally: &Tally, limits: &Limits, ease: f64) -> Option<Reason> {
    let slow_percent = tally.slow_percent()?;
    let many = tally.timed >= u64::from(limits.min_calls);
    (many && slow_percent > limits.slow_percent * ease).then_some(Reason::Slow {
        slow_percent,
        slow_ms: limits.slow_ms,
        calls: tally.timed,
    })
}

/// Odd is so many times more than usual, or less, where the larger of the two is enough to judge by.
/// More than usual is measured from the least that says something: the first calls of a quiet hour
/// are not odd.
fn odd(frequency: Frequency, limits: &Limits, ease: f64) -> Option<Reason> {
    let Frequency {
        calls_per_minute,
        usual,
    } = frequency;
    let least = f64::from(limits.min_calls) / 5.0;
    let times = (limits.odd_times * ease).max(1.0);
    let too_many = calls_per_minute > usual.max(least) * times;
    let too_few = usual >= least && calls_per_minute * times < usual;
    (too_many || too_few).then_some(Reason::OddFrequency {
        calls_per_minute,
        usual,
    })
}

/// How a group of channels is: how many are how, and the worst of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct GroupHealth {
    pub healthy: u32,
    pub degraded: u32,
    pub down: u32,
    pub recovering: u32,
    pub maintenance: u32,
    pub health: Health,
}

impl GroupHealth {
    pub fn of(all: impl IntoIterator<Item = Health>) -> Self {
        let mut group = Self::default();
        for health in all {
            *match health {
                Health::Healthy => &mut group.healthy,
                Health::Degraded => &mut group.degraded,
                Health::Down => &mut group.down,
                Health::Recovering => &mut group.recovering,
                Health::Maintenance => &mut group.maintenance,
            } += 1;
            group.health = group.health.max(health);
        }
        group
    }
}
