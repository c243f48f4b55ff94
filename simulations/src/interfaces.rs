//! Interfaces in use, for demonstrations: systems that ask for licences, send text messages and hand cases to the
//! province. Nearly all goes well, but for the text messages, which are not answered for three minutes of each hour.
//!
//! The calls of a step follow from the seed, the steps before and the instant.

use rules::channels::NewCall;
use rules::time::Timestamp;
use serde_json::json;

use crate::random::Stream;

/// When in each hour the text messages fail, in seconds.
const OUTAGE: std::ops::Range<i64> = 1200..1380;

/// Of a thousand calls so many fail at other times.
const FAULTS_PERMILLE: u32 = 8;

/// An interface, and who calls it for what.
#[derive(Debug)]
pub struct Interface {
    pub id: &'static str,
    /// Chinese and English.
    pub name: (&'static str, &'static str),
    pub provider: &'static str,
    callers: &'static [&'static str],
    paths: &'static [&'static str],
    /// A call takes half of this to one and a half times as long.
    millis: u32,
}

pub const INTERFACES: [Interface; 3] = [
    Interface {
        id: "licences",
        name: ("电子证照库", "Licence library"),
        provider: "province",
        callers: &["registration", "housing", "traffic"],
        paths: &["/licences/query", "/licences/issue"],
        millis: 90,
    },
    Interface {
        id: TEXT_MESSAGES,
        name: ("短信平台", "Text messages"),
        provider: "carrier",
        callers: &["calling", "cases"],
        paths: &["/send"],
        millis: 40,
    },
    Interface {
        id: "exchange",
        name: ("省数据交换平台", "Province's exchange"),
        provider: "province",
        callers: &["cases"],
        paths: &["/cases/push", "/cases/state"],
        millis: 160,
    },
];

const TEXT_MESSAGES: &str = "sms";

/// What goes over the interfaces.
#[derive(Debug, Clone)]
pub struct Traffic {
    chance: Stream,
}

impl Traffic {
    pub fn new(seed: u64) -> Self {
        Self {
            chance: Stream::new(seed, "interfaces", "calls"),
        }
    }

    /// The calls that have just ended: one of most interfaces.
    pub fn next(&mut self, now: Timestamp) -> Vec<(&'static str, NewCall)> {
        let mut calls = Vec::new();
        for interface in &INTERFACES {
            if !self.chance.chance(250) {
                calls.push((interface.id, self.call(interface, now)));
            }
        }
        calls
    }

    fn call(&mut self, interface: &Interface, now: Timestamp) -> NewCall {
        let second = now.millis().div_euclid(1000).rem_euclid(3600);
        let unanswered = interface.id == TEXT_MESSAGES && OUTAGE.contains(&second);
        let fault = self.chance.chance(FAULTS_PERMILLE);
        let took = interface.millis / 2 + self.chance.below(interface.millis);
        NewCall {
            id: Some(format!("demo-{}", now.millis())),
            caller: self.one_of(interface.callers).to_owned(),
            version: Some("v1".to_owned()),
            at: now,
            duration_ms: Some(if unanswered { 3000.0 } else { f64::from(took) }),
            status: match (unanswered, fault) {
                (true, _) => None,
                (false, true) => Some(503),
                (false, false) => Some(200),
            },
            result: None,
            reason: unanswered.then(|| "timeout".to_owned()),
            trace_id: None,
            request: Some(json!({"method": "POST", "path": self.one_of(interface.paths)})),
            response: None,
        }
    }

    fn one_of(&mut self, all: &'static [&'static str]) -> &'static str {
        all[self.chance.below(all.len() as u32) as usize]
    }
}

#[cfg(test)]
mod tests {
    use rules::channels::Outcome;
    use rules::channels::{Limits, Masking};

    use super::*;

    const NINE: Timestamp = Timestamp::from_millis(1_767_574_800_000);

    #[test]
    fn the_same_seed_makes_the_same_calls_and_all_can_be_kept() {
        let (mut one, mut other) = (Traffic::new(7), Traffic::new(7));
        for step in 0..1000 {
            let now = NINE.plus_secs(2 * step);
            let calls = one.next(now);
            assert_eq!(calls, other.next(now));
            for (id, call) in calls {
                let channel = id.parse().expect("an id");
                let checked = call.checked(
                    &channel,
                    String::new,
                    &Limits::default(),
                    &Masking::default(),
                    now,
                );
                checked.expect("a call");
            }
        }
    }

    #[test]
    fn text_messages_are_not_answered_for_three_minutes_of_an_hour() {
        let mut traffic = Traffic::new(7);
        let mut unanswered = Vec::new();
        for step in 0..1800 {
            for (id, call) in traffic.next(NINE.plus_secs(2 * step)) {
                if call.reason.as_deref() == Some("timeout") {
                    assert_eq!(
                        (id, call.status, call.result),
                        (TEXT_MESSAGES, None, None::<Outcome>)
                    );
                    unanswered.push(2 * step);
                }
            }
        }
        assert!(unanswered.len() > 50, "{unanswered:?}");
        assert!(unanswered.iter().all(|at| (1200..1380).contains(at)));
    }
}
