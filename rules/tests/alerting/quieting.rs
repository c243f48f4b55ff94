//! What keeps an alert quiet: another that inhibits it, a silence, a shelf.

use rules::alerts::rule::Rule;
use rules::desk::alert::Suppression;
use rules::desk::messages::Cause::{Raised, Reopened, Resolved, SilenceEnded};
use rules::desk::silence::{Matcher, SilencePlan};
use rules::desk::{Command, Handling, SilenceCommand};

use crate::bench::{Bench, firing, plain};
use crate::support::{at, hall_id};

pub(crate) fn shelve(secs: u64) -> Handling {
    Handling::Shelve {
        until: at(secs),
        reason: "known".to_owned(),
    }
}

fn silence(secs: u64) -> Command {
    silence_from(0, secs)
}

fn silence_from(from: u64, until: u64) -> Command {
    Command::Silence(SilenceCommand::Silence(SilencePlan {
        matcher: Matcher {
            hall: Some(hall_id("H1")),
            ..Matcher::default()
        },
        from: at(from),
        until: at(until),
        reason: "painters".to_owned(),
        maintenance: true,
    }))
}

/// Scenario 10: while the graver one stands, the others of its hall are not told; when it is over
/// they are. A restart in between lets nothing slip.
#[test]
fn an_inhibited_alert_is_not_told_until_the_other_is_over() {
    let closed = Rule {
        inhibits: vec!["Q1".to_owned()],
        ..plain("H9")
    };
    let mut bench = Bench::with(&[plain("Q1"), closed]);
    bench.at(1).see(vec![
        firing("Q1", "H1/A", at(1)),
        firing("H9", "H1/hall", at(1)),
        firing("Q1", "H2/A", at(1)),
    ]);
    bench.at(60);
    let told = |bench: &Bench| -> Vec<String> {
        bench
            .said()
            .into_iter()
            .filter(|said| said.0 == Raised)
            .map(|said| said.2)
            .collect()
    };
    let kept = bench.alert("A-000001");
    assert_eq!(
        kept.suppressed_by,
        Some(Suppression::Alert("A-000002".parse().expect("an id")))
    );
    assert_eq!(told(&bench), ["A-000002", "A-000003"]);
    bench.replay_is_equal();
    bench.at(61).clear("H9", "H1/hall");
    assert_eq!(told(bench.at(90)), ["A-000002", "A-000003", "A-000001"]);
    assert_eq!(bench.alert("A-000001").suppressed_by, None);
    bench.replay_is_equal();
}

#[test]
fn a_silence_keeps_quiet_and_what_stands_at_its_end_is_told() {
    let mut bench = Bench::with(&[plain("Q1")]);
    bench.at(1).fire("Q1", "H1/A");
    bench.at(5).ask(silence(100));
    bench.at(6).fire("Q1", "H1/B");
    bench.fire("Q1", "H2/A");
    bench.at(99);
    assert_eq!(
        bench.causes("boss"),
        [Raised, Raised],
        "H1/A before it, H2/A outside of it"
    );
    assert_eq!(
        bench
            .alert("A-000002")
            .suppressed_by
            .map(|by| by.to_string()),
        Some("S-000001".into())
    );
    bench.at(101);
    assert_eq!(bench.causes("boss")[2..], [SilenceEnded, Raised]);
    bench.at(102).clear("Q1", "H1/B");
    assert_eq!(bench.at(110).causes("boss")[4..], [Resolved]);
    bench.replay_is_equal();
}

#[test]
fn a_silence_has_an_end_a_reason_and_something_to_match_and_may_begin_later_or_end_early() {
    let mut bench = Bench::with(&[plain("Q1")]);
    let refused = |bench: &mut Bench, plan: SilencePlan| {
        let command = Command::Silence(SilenceCommand::Silence(plan));
        bench.ask_by("ann", command).expect_err("is refused").code()
    };
    let plan = |until: u64, reason: &str| SilencePlan {
        matcher: Matcher {
            rule: Some("Q1".to_owned()),
            ..Matcher::default()
        },
        from: at(0),
        until: at(until),
        reason: reason.to_owned(),
        maintenance: false,
    };
    bench.at(10);
    assert_eq!(refused(&mut bench, plan(5, "past")), "invalid_field");
    assert_eq!(
        refused(&mut bench, plan(40 * 86_400, "for ever")),
        "invalid_field"
    );
    assert_eq!(refused(&mut bench, plan(50, " ")), "invalid_field");
    let all = SilencePlan {
        matcher: Matcher::default(),
        ..plan(50, "all")
    };
    assert_eq!(refused(&mut bench, all), "invalid_field");
    bench.ask(silence_from(20, 100));
    bench.at(15).fire("Q1", "H1/A");
    assert!(bench.alert("A-000001").suppressed_by.is_none());
    assert!(bench.at(21).alert("A-000001").suppressed_by.is_some());
    let end = || Command::Silence(SilenceCommand::End("S-000001".parse().expect("an id")));
    bench.ask(end());
    assert!(bench.alert("A-000001").suppressed_by.is_none());
    assert_eq!(
        bench.ask_by("ann", end()).expect_err("it has ended").code(),
        "silence_over"
    );
    assert_eq!(bench.at(30).causes("boss"), [Raised, SilenceEnded]);
    bench.replay_is_equal();
}

#[test]
fn a_shelved_alert_comes_back_at_its_time_and_says_so() {
    let mut bench = Bench::with(&[plain("Q1")]);
    bench.at(1).fire("Q1", "H1/A");
    bench.at(2);
    assert_eq!(bench.refused("A-000001", shelve(1)), "invalid_field");
    assert_eq!(
        bench.refused("A-000001", shelve(8 * 86_400)),
        "invalid_field"
    );
    bench.handle("A-000001", shelve(600)).expect("is allowed");
    assert_eq!(bench.refused("A-000001", shelve(700)), "already_shelved");
    let shelf = bench.alert("A-000001").shelf.clone().expect("a shelf");
    assert_eq!((shelf.by.as_str(), shelf.reason.as_str()), ("ann", "known"));
    assert_eq!(bench.at(599).causes("boss"), [Raised]);
    assert_eq!(bench.at(600).causes("boss"), [Raised, Reopened]);
    bench.replay_is_equal();
}
