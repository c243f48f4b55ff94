//! What holds of the alert desk whatever happens to it: random rules beside the shipped ones, random
//! facts, people, silences, receivers, a sender that breaks off, restarts at any point and a clock
//! that may be late. What must hold of every single step stands in `checks`.

mod checks;
mod steps;
mod world;

use std::collections::BTreeMap;

use proptest::prelude::*;
use rules::alerts::rule::Rule;
use steps::{Step, history, rulebook};
use world::World;

/// Chosen so that all properties together take a few seconds in a debug build. `PROPTEST_CASES`
/// overrides it.
const CASES: u32 = 24;

/// Enough for alerts to come, be handled, go and come again.
const STEPS: usize = 90;

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").map_or(CASES, |cases| cases.parse().expect("PROPTEST_CASES"))
}

/// Random rules, which of the shipped ones, and what happens.
type Life = (Vec<Rule>, u8, Vec<Step>);

fn life() -> impl Strategy<Value = Life> {
    (rulebook(), any::<u8>(), history(STEPS))
}

fn lived((rules, shipped, steps): &Life) -> World {
    let mut world = World::new(rules, *shipped);
    steps.iter().for_each(|step| world.play(step));
    world
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    /// Each alert is told once as raised and once as over, unless it is kept from being told; who was
    /// to hear of it again does. `checks` looks at every step on the way.
    #[test]
    fn everything_is_told_once_and_nothing_is_lost(life in life()) {
        let mut world = lived(&life);
        world.settle();
        world.ledger.all_is_told(&world.desk);
    }

    #[test]
    fn the_journal_replayed_is_the_live_desk(life in life()) {
        let world = lived(&life);
        let live = serde_json::to_string(&world.desk).expect("JSON");
        let again = serde_json::to_string(&world.replayed()).expect("JSON");
        prop_assert_eq!(again, live);
    }

    /// A restart from the snapshot changes nothing of what follows.
    #[test]
    fn a_desk_from_its_snapshot_goes_on_as_the_other(life in life(), then in history(20)) {
        let mut world = lived(&life);
        world.play(&Step::Restart { snapshot: false });
        let mut other = lived(&life);
        other.play(&Step::Restart { snapshot: true });
        for step in &then {
            world.play(step);
            other.play(step);
        }
        prop_assert_eq!(&world.journal, &other.journal);
    }

    /// Woken at every deadline or only at the end: alerts, silences, orders and problems stand alike.
    #[test]
    fn a_late_wake_up_leads_where_one_in_time_does(
        life in life(), millis in 0_u64..100_000_000
    ) {
        let mut in_time = lived(&life);
        let mut late = lived(&life);
        in_time.wait(millis, false);
        late.wait(millis, true);
        prop_assert_eq!(late.standing(), in_time.standing());
    }
}

/// The random lives must reach what they are for; a strategy that drifts into refusals tests nothing.
#[test]
fn the_random_lives_reach_every_kind_of_event() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..40 {
        let life = life().new_tree(&mut runner).expect("a life").current();
        let mut world = lived(&life);
        world.wait(100_000_000, false);
        for (kind, count) in world.ledger.seen {
            *seen.entry(kind).or_default() += count;
        }
    }
    let missing: Vec<&str> = [
        "waited",
        "alert_raised",
        "alert_observed",
        "alert_resolved",
        "held_back",
        "held_back_ended",
        "alert_acknowledged",
        "acknowledgement_ended",
        "alert_assigned",
        "alert_begun",
        "alert_closed",
        "alert_commented",
        "alert_shelved",
        "alert_unshelved",
        "alert_urged",
        "order_linked",
        "problem_linked",
        "alerts_escalated",
        "alerts_told",
        "alerts_forgotten",
        "silenced",
        "silence_began",
        "silence_ended",
        "rule_put",
        "rule_enabled",
        "rule_disabled",
        "order_created",
        "order_assigned",
        "order_started",
        "order_overdue",
        "problem_listed",
        "problem_assigned",
        "message_queued",
        "message_begun",
        "message_delivered",
        "message_failed",
        "message_died",
        "message_resent",
        "told raised",
        "told resolved",
        "told repeated",
        "told silence_ended",
        "told reopened",
        "told urged",
    ]
    .into_iter()
    .filter(|kind| !seen.contains_key(*kind))
    .collect();
    assert!(missing.is_empty(), "never seen: {missing:?}; seen {seen:?}");
}
