//! When a failed message is tried again.
//!
//! The pauses double from one second to five minutes, so that a receiver that stumbles is served
//! soon and one that is down is not hammered. Up to a quarter is added or taken off, so that many
//! messages which failed together do not come together again. The share comes from the message's
//! id and not from chance: the same history gives the same instants.

use serde::{Deserialize, Serialize};

use crate::ids::MessageId;

const FIRST_MS: u64 = 1_000;
const LONGEST_MS: u64 = 300_000;

/// How often it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts until a message is a dead letter. 12 take about a quarter of an hour.
    pub attempts_max: u32,
    /// Attempts after which the receiver's fallback way is used as well. 4 take some seven seconds.
    pub fallback_after: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 12,
            fallback_after: 4,
        }
    }
}

/// The pause after this many failed attempts in a row, in milliseconds: between 1 s and 5 min.
pub fn pause_ms(message: MessageId, failed: u32) -> u64 {
    let doublings = failed.saturating_sub(1).min(20);
    let base = (FIRST_MS << doublings).min(LONGEST_MS);
    let percent = 75 + share(message.0, failed) % 51;
    (base * percent / 100).clamp(FIRST_MS, LONGEST_MS)
}

/// FNV-1a over both numbers.
fn share(message: u64, failed: u32) -> u64 {
    let bytes = message.to_le_bytes();
    let all = bytes.iter().chain(&[0]).copied();
    all.chain(failed.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_a_second_to_five_minutes_and_differ_between_messages() {
        for id in 0..200 {
            let pauses: Vec<u64> = (1..=15).map(|n| pause_ms(MessageId(id), n)).collect();
            assert!((1_000..=1_250).contains(&pauses[0]), "{pauses:?}");
            assert!((225_000..=300_000).contains(&pauses[14]), "{pauses:?}");
            assert!((6_000..=10_000).contains(&pauses[3]), "{pauses:?}");
        }
        let fifth = |id| pause_ms(MessageId(id), 5);
        assert_eq!(fifth(7), fifth(7));
        let differing: std::collections::BTreeSet<u64> = (0..50).map(fifth).collect();
        assert!(differing.len() > 20, "{differing:?}");
    }
}
