//! One rule, one subject: quiet, pending, firing, kept.
//!
//! ```text
//!            bad                    bad for for_secs
//!  Normal ─────────▶ Pending ──────────────────────▶ Firing ◀──────┐
//!    ▲                  │ good                          │ good     │ bad
//!    ├──────────────────┘                               ▼          │
//!    └──────────── good for keep_firing_for_secs ─── Keeping ──────┘
//! ```
//!
//! "Bad" is what the rule's condition says; while an alert stands and the rule has a `clear_when`, it
//! is the opposite of that (hysteresis). An evaluation that lacks data is bad, good or no news at all,
//! as the rule says. A flapping alert is kept until it is steady. Stepping allocates nothing.

use serde::{Deserialize, Serialize};

use crate::alerts::rule::{FlapLimits, OnMissing, Rule};
use crate::time::Timestamp;

/// What one evaluation of a condition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    True,
    False,
    /// A value that decides was not known.
    Missing,
}

impl Verdict {
    /// The opposite; what is not known stays unknown.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Missing => Self::Missing,
        }
    }
}

/// What a watch needs of its rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    pub for_ms: u64,
    pub keep_ms: u64,
    pub on_missing: OnMissing,
    pub flap: Option<FlapLimits>,
}

impl Timing {
    pub fn of(rule: &Rule) -> Self {
        Self {
            for_ms: rule.for_secs.saturating_mul(1000),
            keep_ms: rule.keep_firing_for_secs.saturating_mul(1000),
            on_missing: rule.on_missing,
            flap: rule.flap,
        }
    }
}

/// Where a watch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    #[default]
    Normal,
    /// Bad, not yet for long enough.
    Pending { since: Timestamp },
    /// Bad for long enough; `since` is when it became bad.
    Firing { since: Timestamp },
    /// Good again, not yet for long enough.
    Keeping {
        since: Timestamp,
        false_since: Timestamp,
    },
}

impl Phase {
    /// Whether an alert stands.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Firing { .. } | Self::Keeping { .. })
    }
}

/// What changed at a step, if it matters to anybody: the phase, or a mark of an alert that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub from: Phase,
    pub to: Phase,
}

impl Change {
    pub const fn raised(&self) -> bool {
        !self.from.is_open() && self.to.is_open()
    }

    pub const fn resolved(&self) -> bool {
        self.from.is_open() && !self.to.is_open()
    }
}

/// The state of one rule on one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watch {
    pub phase: Phase,
    pub flapping: bool,
    /// Since when nothing is known; `None` after an evaluation with data.
    pub no_data_since: Option<Timestamp>,
    /// Evaluations that found it bad since it became so.
    pub count: u32,
    /// The last 21 evaluations, the newest in bit 0, bad is 1.
    history: u32,
}

/// Evaluations that flap detection looks at, as Nagios does.
const FLAP_STATES: u32 = 21;

impl Watch {
    /// A watch as it was before a restart: times go on, so time without the desk counts.
    pub const fn restored(phase: Phase, flapping: bool, no_data_since: Option<Timestamp>) -> Self {
        Self {
            phase,
            flapping,
            no_data_since,
            count: 0,
            history: if phase.is_open() { 1 } else { 0 },
        }
    }

    /// Takes one evaluation in. `active` is whether the rule looks at this hour: outside of it
    /// nothing new is raised, and what stands is still followed.
    pub fn step(
        &mut self,
        timing: &Timing,
        verdict: Verdict,
        active: bool,
        now: Timestamp,
    ) -> Option<Change> {
        let from = *self;
        match (verdict, timing.on_missing) {
            (Verdict::Missing, OnMissing::Keep) => {
                self.no_data_since = self.no_data_since.or(Some(now));
                return self.change_since(&from);
            }
            (Verdict::True, _) | (Verdict::Missing, OnMissing::Fire) => {
                self.look(timing, true);
                if active || self.phase.is_open() {
                    self.count = self.count.saturating_add(1);
                    self.phase = self.when_bad(timing, now);
                } else {
                    self.phase = Phase::Normal;
                }
            }
            (Verdict::False, _) | (Verdict::Missing, OnMissing::Clear) => {
                self.look(timing, false);
                self.phase = self.when_good(timing, now);
            }
        }
        self.no_data_since = match verdict {
            Verdict::Missing => self.no_data_since.or(Some(now)),
            Verdict::True | Verdict::False => None,
        };
        if self.phase == Phase::Normal {
            self.count = 0;
        }
        self.change_since(&from)
    }

    /// What time alone brings: the last evaluation stands until the next. Nothing comes due while
    /// there is no data.
    pub fn elapse(&mut self, timing: &Timing, now: Timestamp) -> Option<Change> {
        if self.next_deadline(timing).is_none_or(|due| due > now) {
            return None;
        }
        let from = *self;
        self.phase = match self.phase {
            Phase::Pending { .. } => self.when_bad(timing, now),
            _ => self.when_good(timing, now),
        };
        self.change_since(&from)
    }

    /// When [`Watch::elapse`] has something to say.
    pub fn next_deadline(&self, timing: &Timing) -> Option<Timestamp> {
        if self.no_data_since.is_some() && timing.on_missing == OnMissing::Keep {
            return None;
        }
        match self.phase {
            Phase::Pending { since } => Some(later(since, timing.for_ms)),
            Phase::Keeping { false_since, .. } if !self.flapping => {
                Some(later(false_since, timing.keep_ms))
            }
            _ => None,
        }
    }

    fn when_bad(&self, timing: &Timing, now: Timestamp) -> Phase {
        let since = match self.phase {
            Phase::Normal => now,
            Phase::Pending { since } => since,
            Phase::Firing { since } | Phase::Keeping { since, .. } => {
                return Phase::Firing { since };
            }
        };
        if now.millis_since(since) >= timing.for_ms {
            Phase::Firing { since }
        } else {
            Phase::Pending { since }
        }
    }

    fn when_good(&self, timing: &Timing, now: Timestamp) -> Phase {
        let (since, false_since) = match self.phase {
            Phase::Normal | Phase::Pending { .. } => return Phase::Normal,
            Phase::Firing { since } => (since, now),
            Phase::Keeping { since, false_since } => (since, false_since),
        };
        if self.flapping || now.millis_since(false_since) < timing.keep_ms {
            Phase::Keeping { since, false_since }
        } else {
            Phase::Normal
        }
    }

    /// Remembers one more evaluation, and whether it flaps.
    fn look(&mut self, timing: &Timing, bad: bool) {
        let Some(limits) = timing.flap else {
            return;
        };
        let changed = (self.history & 1 == 1) != bad;
        self.history = (self.history << 1 | u32::from(bad)) & ((1 << FLAP_STATES) - 1);
        if self.flapping {
            self.flapping = flap_percent(self.history) >= limits.low_percent;
        } else if changed {
            self.flapping = flap_percent(self.history) > limits.high_percent;
        }
    }

    fn change_since(&self, from: &Self) -> Option<Change> {
        let marks = self.phase.is_open()
            && (self.flapping != from.flapping
                || self.no_data_since.is_some() != from.no_data_since.is_some());
        (self.phase != from.phase || marks).then_some(Change {
            from: from.phase,
            to: self.phase,
        })
    }
}

const fn later(at: Timestamp, millis: u64) -> Timestamp {
    Timestamp::from_millis(at.millis().saturating_add_unsigned(millis))
}

/// Share of changes among the last 21 states: 20 places for a change, weighted from 0.75 for the
/// oldest to 1.25 for the newest (Nagios Core, "Detection and Handling of State Flapping").
fn flap_percent(history: u32) -> f64 {
    const PLACES: u32 = FLAP_STATES - 1;
    const STEP: f64 = 0.5 / (PLACES - 1) as f64;
    let mut changes = (history ^ (history >> 1)) & ((1 << PLACES) - 1);
    let mut weight = 0.0;
    while changes != 0 {
        weight += 1.25 - STEP * f64::from(changes.trailing_zeros());
        changes &= changes - 1;
    }
    weight * 100.0 / f64::from(PLACES)
}
