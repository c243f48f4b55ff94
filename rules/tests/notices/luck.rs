//! Whatever receivers, the network and the server do, nothing is lost.

use proptest::prelude::*;
use rules::alerts::rule::Severity;
use rules::desk::messages::{MessageCommand, MessageState, Outcome, RetryPolicy};
use rules::ids::MessageId;
use serde_json::json;

use crate::outbox::{Outbox, delivered, failed, receivers, supervisor, to_supervisors};

/// What a receiver and the network may do to one attempt.
#[derive(Debug, Clone, Copy)]
enum Luck {
    /// Taken and confirmed.
    Good,
    /// Taken; the confirmation is lost.
    Unheard,
    /// Not taken.
    Bad,
    /// The server is killed before a byte went out, or after it was taken.
    KilledBefore,
    KilledAfter,
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        3 => Just(Luck::Good),
        1 => Just(Luck::Unheard),
        2 => Just(Luck::Bad),
        1 => Just(Luck::KilledBefore),
        1 => Just(Luck::KilledAfter),
    ]
}

proptest! {
    /// However receivers and the server fail: each message arrives, and whatever arrives a second
    /// time was marked as a possible duplicate.
    #[test]
    fn no_message_is_lost_and_every_repeat_is_marked(all in prop::collection::vec(luck(), 1..60)) {
        let mut outbox = Outbox::new([supervisor()], "09:00");
        outbox.receivers = receivers([json!({
            "id": "sup", "name": "x", "roles": ["supervisor"], "halls": ["*"],
            "ways": [{"kind": "email", "address": "sup@example.org"},
                     {"kind": "sms", "address": "13800000001"}],
        })]);
        outbox.announce(&to_supervisors("A-1/1", Severity::Warning));
        outbox.announce(&to_supervisors("A-2/1", Severity::Warning));
        let mut taken = std::collections::BTreeMap::<MessageId, u32>::new();
        let mut lucks = all.into_iter();
        let policy = RetryPolicy { attempts_max: 1_000, ..RetryPolicy::default() };
        while let Some(next) = outbox.messages.next_due() {
            outbox.at = outbox.at.max(next);
            for id in outbox.begin() {
                let luck = lucks.next().unwrap_or(Luck::Good);
                if matches!(luck, Luck::Good | Luck::Unheard | Luck::KilledAfter) {
                    let times = taken.entry(id).or_default();
                    *times += 1;
                    prop_assert!(*times == 1 || outbox.get(id).possible_duplicate);
                }
                let reason = String::new();
                let outcome = match luck {
                    Luck::Good => delivered(),
                    Luck::Bad => failed(),
                    // After a restart the driver knows of no attempt and says so.
                    Luck::Unheard | Luck::KilledBefore | Luck::KilledAfter => {
                        Outcome::Uncertain { reason }
                    }
                };
                let attempt = outbox.get(id).attempts;
                outbox.ask(&MessageCommand::End { message: id, attempt, outcome, policy }).unwrap();
            }
        }
        prop_assert_eq!(taken.len(), 4);
        for id in taken.keys() {
            let state = outbox.get(*id).state;
            prop_assert!(matches!(state, MessageState::Delivered { .. }), "{:?}", state);
        }
        let figures = outbox.messages.figures(outbox.at, 48);
        prop_assert_eq!((figures.delivered, figures.waiting), (4, 0));
    }
}
