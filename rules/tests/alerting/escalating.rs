//! Who hears of an alert again and when: steps of escalation, repeats, urges.

use rules::alerts::rule::{Audience, Escalation, Rule, Severity};
use rules::desk::messages::Cause::{
    Assigned, Escalated, Raised, Reopened, Repeated, Resolved, Urged,
};
use rules::desk::{Handling, State};

use crate::bench::{Bench, ack, plain};
use crate::support::at;

fn escalating() -> Rule {
    let step = |after_secs, while_unacknowledged, severity| Escalation {
        after_secs,
        while_unacknowledged,
        to: vec![Audience::Role("leader".to_owned())],
        severity,
    };
    Rule {
        escalate: vec![
            step(300, true, None),
            step(900, false, Some(Severity::Critical)),
        ],
        ..plain("Q1")
    }
}

#[test]
fn escalation_tells_each_step_once_and_the_end_to_everybody_it_told() {
    let mut bench = Bench::with(&[escalating()]);
    bench.receiver("chief", Some("chief"), "leader");
    bench.at(1).fire("Q1", "H1/A");
    assert_eq!(bench.at(300).causes("chief"), []);
    assert_eq!(bench.at(301).causes("chief"), [Escalated]);
    assert_eq!(bench.at(901).causes("chief"), [Escalated, Escalated]);
    assert_eq!(bench.alert("A-000001").severity_now, Severity::Critical);
    assert_eq!(bench.at(9000).causes("chief").len(), 2, "once per step");
    bench.clear("Q1", "H1/A");
    bench.at(9001);
    assert_eq!(bench.causes("chief"), [Escalated, Escalated, Resolved]);
    assert_eq!(bench.causes("boss"), [Raised, Resolved]);
    bench.replay_is_equal();
}

#[test]
fn an_acknowledged_alert_does_not_escalate_as_unacknowledged() {
    let mut bench = Bench::with(&[escalating()]);
    bench.receiver("chief", Some("chief"), "leader");
    bench.at(1).fire("Q1", "H1/A");
    let sticky = Handling::Acknowledge {
        comment: None,
        until: None,
        sticky: true,
    };
    bench.at(2).handle("A-000001", sticky).expect("is allowed");
    assert_eq!(bench.at(899).causes("chief"), []);
    assert_eq!(bench.at(901).causes("chief"), [Escalated]);
}

/// Scenario 13: a rise in severity ends an ordinary acknowledgement and not a sticky one.
#[test]
fn a_rise_in_severity_ends_an_acknowledgement_unless_it_is_sticky() {
    for (sticky, state) in [(false, State::Firing), (true, State::Acknowledged)] {
        let mut bench = Bench::with(&[escalating()]);
        bench.at(1).fire("Q1", "H1/A");
        let ack = Handling::Acknowledge {
            comment: None,
            until: None,
            sticky,
        };
        bench.at(2).handle("A-000001", ack).expect("is allowed");
        bench.at(902);
        assert_eq!(bench.state("A-000001"), state);
        bench.replay_is_equal();
    }
}

/// Scenario 13: an acknowledgement with an end is over then, and the alert is told again.
#[test]
fn an_acknowledgement_that_runs_out_tells_again() {
    let mut bench = Bench::with(&[plain("Q1")]);
    bench.at(1).fire("Q1", "H1/A");
    let until = |secs| Handling::Acknowledge {
        comment: Some("soon".to_owned()),
        until: Some(at(secs)),
        sticky: false,
    };
    bench.at(2);
    assert_eq!(bench.refused("A-000001", until(1)), "invalid_field");
    bench.handle("A-000001", until(600)).expect("is allowed");
    assert_eq!(bench.at(599).state("A-000001"), State::Acknowledged);
    assert_eq!(bench.at(600).state("A-000001"), State::Firing);
    assert_eq!(bench.causes("boss"), [Raised, Reopened]);
}

#[test]
fn what_stands_is_repeated_until_somebody_has_it_in_hand() {
    let mut bench = Bench::with(&[Rule {
        repeat_secs: 3600,
        ..plain("Q1")
    }]);
    bench.at(1).fire("Q1", "H1/A");
    assert_eq!(bench.at(7300).causes("boss"), [Raised, Repeated, Repeated]);
    bench.handle("A-000001", ack()).expect("is allowed");
    assert_eq!(bench.at(20_000).causes("boss").len(), 3);
    bench.replay_is_equal();
}

/// AC-D09-2: urging reaches whoever answers for it, once per click, and not twice in a minute.
#[test]
fn urging_reaches_the_person_responsible_once_per_click() {
    let mut bench = Bench::with(&[plain("Q1")]);
    bench.receiver("r-li", Some("li"), "clerk");
    bench.at(1).fire("Q1", "H1/A");
    bench
        .at(5)
        .handle("A-000001", Handling::Urge)
        .expect("is allowed");
    assert_eq!(bench.causes("r-li"), [Urged]);
    assert_eq!(bench.refused("A-000001", Handling::Urge), "urged_just_now");
    bench
        .at(65)
        .handle("A-000001", Handling::Urge)
        .expect("a minute later");
    assert_eq!(bench.causes("r-li"), [Urged, Urged]);
    bench
        .handle(
            "A-000001",
            Handling::Assign {
                to: "boss".to_owned(),
            },
        )
        .expect("is allowed");
    bench
        .at(125)
        .handle("A-000001", Handling::Urge)
        .expect("is allowed");
    assert_eq!(
        bench.causes("boss"),
        [Raised, Assigned, Urged],
        "the assignee answers for it now"
    );
}
