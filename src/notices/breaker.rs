//! A circuit breaker per lane: a server that keeps failing is left alone for a while.
//!
//! After so many failures in a row the lane is open: whatever is due fails at once, without a
//! connection, and waits for its own next time. When the pause is over one message tries; its
//! success closes the lane, its failure opens it for twice as long, five minutes at most. A refusal
//! is an answer: the server works.

use std::collections::BTreeMap;

use rules::desk::messages::Outcome;
use rules::time::Timestamp;
use serde::Serialize;

use super::letter::Lane;

const PAUSE_SECS_MAX: u64 = 300;

/// How a lane fares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Health {
    failures: u32,
    pause_secs: u64,
    open_until: Option<Timestamp>,
    /// Somebody is trying after a pause.
    trying: bool,
    last_reason: String,
}

/// What people see of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LaneFace {
    pub way: &'static str,
    pub target: String,
    pub failures_in_a_row: u32,
    /// No message is tried before then.
    pub open_until: Option<String>,
    pub last_reason: String,
}

/// The breakers of all lanes.
#[derive(Debug)]
pub struct Breakers {
    failures_max: u32,
    pause_secs: u64,
    lanes: BTreeMap<Lane, Health>,
}

impl Breakers {
    pub fn new(failures_max: u32, pause_secs: u64) -> Self {
        Self {
            failures_max,
            pause_secs,
            lanes: BTreeMap::new(),
        }
    }

    /// Whether a message may try this lane now; if not, why.
    ///
    /// # Errors
    /// The lane is open.
    pub fn pass(&mut self, lane: &Lane, now: Timestamp) -> Result<(), String> {
        let Some(health) = self.lanes.get_mut(lane) else {
            return Ok(());
        };
        match health.open_until {
            None => Ok(()),
            Some(until) if until <= now && !health.trying => {
                health.trying = true;
                Ok(())
            }
            Some(_) => Err(format!(
                "not tried: {} attempts in a row have failed, the last with: {}",
                health.failures, health.last_reason
            )),
        }
    }

    /// Takes note of how a try that was let pass ended. True when the lane opens by it.
    pub fn note(&mut self, lane: &Lane, outcome: &Outcome, now: Timestamp) -> bool {
        let reason = match outcome {
            Outcome::Delivered { .. } | Outcome::Refused { .. } => {
                self.lanes.remove(lane);
                return false;
            }
            Outcome::Uncertain { reason } | Outcome::Failed { reason } => reason,
        };
        let health = self.lanes.entry(lane.clone()).or_default();
        health.failures += 1;
        health.trying = false;
        health.last_reason.clone_from(reason);
        if health.failures < self.failures_max {
            return false;
        }
        health.pause_secs = match health.pause_secs {
            0 => self.pause_secs,
            secs => secs
                .saturating_mul(2)
                .min(PAUSE_SECS_MAX.max(self.pause_secs)),
        };
        health.open_until = Some(now.plus_secs(health.pause_secs));
        true
    }

    /// The lanes with trouble.
    pub fn faces(&self) -> Vec<LaneFace> {
        let face = |(lane, health): (&Lane, &Health)| LaneFace {
            way: lane.way.name(),
            target: lane.target.clone(),
            failures_in_a_row: health.failures,
            open_until: health.open_until.map(Timestamp::rfc3339_utc),
            last_reason: health.last_reason.clone(),
        };
        self.lanes.iter().map(face).collect()
    }
}

#[cfg(test)]
mod tests {
    use rules::desk::receivers::WayKind;

    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(0).plus_secs(secs)
    }

    fn failed() -> Outcome {
        Outcome::Failed {
            reason: "no connection".to_owned(),
        }
    }

    #[test]
    fn a_lane_opens_after_failures_in_a_row_and_one_message_tries_after_the_pause() {
        let mail = Lane::of(WayKind::Email, "a@b");
        let other = Lane::of(WayKind::Webhook, "ops");
        let mut breakers = Breakers::new(3, 30);
        for n in 1..=3 {
            assert_eq!(breakers.pass(&mail, at(0)), Ok(()));
            assert_eq!(breakers.note(&mail, &failed(), at(0)), n == 3);
        }
        assert!(breakers.pass(&mail, at(29)).is_err());
        assert_eq!(breakers.pass(&other, at(29)), Ok(()));
        assert_eq!(breakers.pass(&mail, at(30)), Ok(()));
        assert!(breakers.pass(&mail, at(30)).is_err(), "one at a time");
        assert!(breakers.note(&mail, &failed(), at(30)));
        assert!(breakers.pass(&mail, at(89)).is_err(), "twice as long");
        assert_eq!(breakers.pass(&mail, at(90)), Ok(()));
        assert_eq!(breakers.faces()[0].failures_in_a_row, 4);
        breakers.note(&mail, &Outcome::Delivered { receipt: None }, at(91));
        assert!(breakers.faces().is_empty());
    }

    #[test]
    fn a_refusal_is_an_answer_of_a_server_that_works() {
        let mail = Lane::of(WayKind::Email, "");
        let mut breakers = Breakers::new(2, 30);
        breakers.note(&mail, &failed(), at(0));
        let reason = "no such mailbox".to_owned();
        breakers.note(&mail, &Outcome::Refused { reason }, at(1));
        assert!(!breakers.note(&mail, &failed(), at(2)));
    }
}
