//! The life of alerts: what people may do and may not, and who hears of what.

use rules::alerts::rule::{Audience, Escalation, GroupBy, Rule, Severity};
use rules::alerts::subject::SubjectKind;
use rules::desk::alert::{Ending, Suppression};
use rules::desk::messages::Cause::{
    Assigned, Escalated, Raised, Reopened, Repeated, Resolved, SilenceEnded, Urged,
};
use rules::desk::orders::{OrderCommand, OrderState, OrderStep};
use rules::desk::silence::{Matcher, SilencePlan};
use rules::desk::{
    AlertEvent, Command, Handling, OrderWish, RuleCommand, SilenceCommand, SourcedRule, State,
};
use rules::ids::OrderId;

use crate::bench::{Bench, ack, firing, kept, quiet};
use crate::support::{at, hall_id, rule};

fn plain(id: &str) -> Rule {
    rule(id, SubjectKind::Queue, "waiting > 20")
}

fn comment() -> Handling {
    Handling::Comment {
        text: "looking into it".to_owned(),
    }
}

fn resolve() -> Handling {
    Handling::Resolve {
        comment: "opened a window".to_owned(),
    }
}

fn shelve(secs: u64) -> Handling {
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

#[test]
fn an_alert_goes_from_firing_to_closed_and_each_wrong_step_has_its_own_no() {
    let mut bench = Bench::with(&[plain("Q1")]);
    bench.at(1).fire("Q1", "H1/A");
    let id = "A-000001";
    assert_eq!(bench.refused("A-000009", ack()), "unknown_alert");
    assert_eq!(bench.refused(id, Handling::Start), "not_acknowledged");
    assert_eq!(bench.refused(id, resolve()), "not_in_progress");
    assert_eq!(bench.refused(id, Handling::Close), "not_resolved");
    assert_eq!(bench.refused(id, Handling::Unshelve), "not_shelved");
    bench.handle(id, ack()).expect("is allowed");
    assert_eq!(bench.state(id), State::Acknowledged);
    assert_eq!(bench.refused(id, ack()), "already_acknowledged");
    bench
        .handle(
            id,
            Handling::Assign {
                to: "li".to_owned(),
            },
        )
        .expect("is allowed");
    bench.handle(id, Handling::Start).expect("is allowed");
    assert_eq!(bench.state(id), State::InProgress);
    assert_eq!(bench.refused(id, Handling::Start), "already_in_progress");
    assert_eq!(bench.refused(id, resolve()), "condition_holds");
    bench.see(vec![kept("Q1", "H1/A", at(1))]);
    bench
        .handle(id, resolve())
        .expect("nobody says that it still holds");
    assert_eq!(bench.state(id), State::Resolved);
    for again in [
        ack(),
        Handling::Start,
        resolve(),
        shelve(99),
        Handling::Urge,
    ] {
        assert_eq!(bench.refused(id, again), "alert_resolved");
    }
    bench.handle(id, comment()).expect("is allowed");
    bench.handle(id, Handling::Close).expect("is allowed");
    assert_eq!(bench.state(id), State::Closed);
    assert_eq!(bench.refused(id, Handling::Close), "alert_closed");
    assert_eq!(bench.refused(id, ack()), "alert_closed");
    assert_eq!(
        bench.alert(id).entries.len(),
        8,
        "every step is in its history"
    );
    bench.replay_is_equal();
}

#[test]
fn one_alert_stands_per_rule_and_subject_and_a_later_one_is_another() {
    let mut bench = Bench::with(&[plain("Q1")]);
    bench.at(1).fire("Q1", "H1/A");
    assert_eq!(
        bench.see(vec![firing("Q1", "H1/A", at(1))]),
        0,
        "the same again says nothing"
    );
    bench.at(5).clear("Q1", "H1/A");
    assert_eq!(bench.alert("A-000001").ending, Some(Ending::ConditionGone));
    bench.at(9).fire("Q1", "H1/A");
    assert_eq!(bench.state("A-000002"), State::Firing);
    assert_eq!(bench.at(10).causes("boss"), [Raised, Resolved, Raised]);
    bench.replay_is_equal();
}

#[test]
fn nobody_hears_of_what_came_and_went_before_it_was_told() {
    let grouped = Rule {
        group_by: vec![GroupBy::Rule],
        ..plain("Q1")
    };
    let mut bench = Bench::with(&[grouped]);
    bench.at(1).fire("Q1", "H1/A");
    bench.at(2).clear("Q1", "H1/A");
    assert_eq!(bench.at(100).said(), []);
    bench.replay_is_equal();
}

/// A thousand alerts of one cause arrive as one notice, and so does their end.
#[test]
fn a_thousand_alerts_of_one_cause_are_one_notice() {
    let grouped = Rule {
        group_by: vec![GroupBy::Rule, GroupBy::Hall],
        ..plain("Q1")
    };
    let mut bench = Bench::with(&[grouped]);
    let all = || (0..1000).map(|n| format!("H1/{n}"));
    bench
        .at(1)
        .see(all().map(|subject| firing("Q1", &subject, at(1))).collect());
    bench.at(30);
    let (cause, to, alert, title) = bench.said().remove(0);
    assert_eq!(
        (cause, to.as_str(), alert.as_str()),
        (Raised, "boss", "A-000001")
    );
    assert_eq!(title, "规则Q1：1000 项");
    assert_eq!(bench.said().len(), 1);
    bench.see(all().map(|subject| quiet("Q1", &subject)).collect());
    assert_eq!(bench.at(60).causes("boss"), [Raised, Resolved]);
    bench.replay_is_equal();
}

/// Scenario 8: what comes together is told together, what comes later once per interval.
#[test]
fn additions_to_a_group_that_was_told_are_told_once_per_interval() {
    let grouped = Rule {
        group_by: vec![GroupBy::Rule],
        ..plain("Q1")
    };
    let mut bench = Bench::with(&[grouped]);
    bench.at(10).fire("Q1", "H1/A");
    bench.at(11).fire("Q1", "H1/B");
    assert_eq!(bench.at(12).said().len(), 1, "two seconds after the first");
    for n in 0..3 {
        bench.at(20 + n).fire("Q1", &format!("H1/C{n}"));
    }
    assert_eq!(bench.at(311).said().len(), 1);
    let said = bench.at(312).said();
    assert_eq!(said.len(), 2, "five minutes after the first notice");
    assert_eq!(
        (said[1].2.as_str(), said[1].3.as_str()),
        ("A-000001", "规则Q1：3 项")
    );
    bench.at(320).clear("Q1", "H1/A");
    assert_eq!(bench.at(600).said().len(), 2);
    for n in ["H1/B", "H1/C0", "H1/C1", "H1/C2"] {
        bench.clear("Q1", n);
    }
    let said = bench.at(603).said();
    assert_eq!(said.len(), 3, "the last one over is told at once");
    assert_eq!((said[2].0, said[2].3.as_str()), (Resolved, "规则Q1：5 项"));
    bench.replay_is_equal();
}

#[test]
fn each_person_responsible_has_a_group_of_their_own() {
    let rule = Rule {
        group_by: vec![GroupBy::Rule],
        notify: vec![Audience::Handler],
        ..plain("Q1")
    };
    let mut bench = Bench::with(&[rule]);
    bench.receiver("r-li", Some("li"), "clerk");
    bench.receiver("r-wang", Some("wang"), "clerk");
    let mut wang = firing("Q1", "H1/B", at(1));
    if let Some(finding) = &mut wang.finding {
        finding.handler = Some("wang".into());
    }
    bench.at(1).see(vec![firing("Q1", "H1/A", at(1)), wang]);
    bench.at(10).clear("Q1", "H1/B");
    bench.at(20);
    assert_eq!(bench.causes("r-li"), [Raised]);
    assert_eq!(bench.causes("r-wang"), [Raised, Resolved]);
}

/// The graver rule takes the place of the lesser one, whose alert is resolved as superseded; while it
/// stands the lesser one raises nothing.
#[test]
fn overdue_takes_the_place_of_near_due() {
    let overdue = Rule {
        supersedes: vec!["R01".to_owned()],
        severity: Severity::Critical,
        ..plain("R02")
    };
    let mut bench = Bench::with(&[plain("R01"), overdue]);
    bench.at(1).fire("R01", "H1/A");
    bench
        .at(2)
        .see(vec![quiet("R01", "H1/A"), firing("R02", "H1/A", at(2))]);
    let graver = bench.alert("A-000002");
    assert_eq!((&*graver.raise.rule, graver.state), ("R02", State::Firing));
    assert_eq!(
        bench.alert("A-000001").ending,
        Some(Ending::Superseded(graver.id))
    );
    bench.at(3).fire("R01", "H1/A");
    assert_eq!(bench.desk.alerts().standing_of(&"R01".into()).count(), 0);
    let rules = bench.desk.rules().clone();
    assert_eq!(bench.desk.alerts().to_offer_again(&rules), []);
    bench.at(4).clear("R02", "H1/A");
    assert_eq!(bench.desk.alerts().to_offer_again(&rules).len(), 1);
    bench.at(5).fire("R01", "H1/A");
    assert_eq!(bench.state("A-000003"), State::Firing);
    assert_eq!(bench.desk.alerts().held().count(), 0);
    bench.replay_is_equal();
}

/// Scenario 7: more than a rule may have are held back and counted, and come when there is room.
#[test]
fn a_rule_at_its_limit_holds_the_rest_back() {
    let mut bench = Bench::with(&[Rule {
        limit: 2,
        ..plain("Q1")
    }]);
    let all = ["H1/A", "H1/B", "H1/C", "H1/D"];
    bench.at(1).see(
        all.iter()
            .map(|subject| firing("Q1", subject, at(1)))
            .collect(),
    );
    assert_eq!(bench.desk.alerts().iter().count(), 2);
    assert_eq!(bench.desk.alerts().held().count(), 2);
    let rules = bench.desk.rules().clone();
    assert_eq!(bench.desk.alerts().to_offer_again(&rules), []);
    bench.at(2).clear("Q1", "H1/A");
    let offered = bench.desk.alerts().to_offer_again(&rules);
    assert_eq!(
        offered.iter().map(|i| &*i.subject.id).collect::<Vec<_>>(),
        ["H1/C"]
    );
    bench.at(3).fire("Q1", "H1/C");
    bench.clear("Q1", "H1/D");
    assert_eq!(bench.desk.alerts().held().count(), 0);
    bench.replay_is_equal();
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

/// AC-F01-1: alert and order point to each other; the order's end does not end the alert.
#[test]
fn an_order_from_an_alert_links_both_and_its_end_is_not_the_alerts() {
    let mut bench = Bench::with(&[plain("R07")]);
    bench.at(1).fire("R07", "H1/A");
    let alert = "A-000001".parse().expect("an id");
    let wish = OrderWish {
        assignee: Some("eng".to_owned()),
        ..OrderWish::default()
    };
    let from = || Command::OrderFrom {
        alert,
        wish: wish.clone(),
    };
    let before = bench.journal.len();
    assert_eq!(bench.ask(from()), 2, "order and link in one decision");
    assert_eq!(bench.journal.len(), before + 2);
    assert_eq!(bench.alert("A-000001").work_order, Some(OrderId(1)));
    let order = bench.desk.orders().get(OrderId(1)).expect("an order");
    assert_eq!(order.made.alert.as_deref(), Some("A-000001"));
    assert_eq!(
        bench.ask_by("ann", from()).expect_err("it has one").code(),
        "has_order"
    );
    for step in [
        OrderStep::Start,
        OrderStep::Resolve {
            comment: "done".to_owned(),
        },
        OrderStep::Verify { comment: None },
        OrderStep::Close,
    ] {
        bench.ask(Command::Order(OrderCommand::Step {
            order: OrderId(1),
            step,
        }));
    }
    let order = bench.desk.orders().get(OrderId(1)).expect("an order");
    assert_eq!(order.state, OrderState::Closed);
    assert_eq!(bench.state("A-000001"), State::Firing);
    bench.replay_is_equal();
}

/// AC-D03-1: an alert about data puts its record on the problem list, in the same decision.
#[test]
fn an_alert_about_data_is_a_problem_on_the_list() {
    let mut bench = Bench::with(&[Rule {
        problem: Some("time_inversion".to_owned()),
        ..plain("R13")
    }]);
    bench.at(1).see(vec![
        firing("R13", "H1/A", at(1)),
        firing("R13", "H1/B", at(1)),
    ]);
    let problems: Vec<_> = bench.desk.problems().iter().collect();
    assert_eq!(problems.len(), 2);
    assert_eq!(problems[0].listed.kind, "time_inversion");
    assert_eq!(problems[0].listed.alert.as_deref(), Some("A-000001"));
    assert_eq!(bench.alert("A-000002").problem, Some(problems[1].id));
    bench.at(2).clear("R13", "H1/A");
    bench.at(3).fire("R13", "H1/A");
    assert_eq!(
        bench.desk.problems().iter().count(),
        2,
        "it is on the list already"
    );
    assert_eq!(
        bench.alert("A-000003").problem,
        Some(bench.desk.problems().iter().next().expect("one").id)
    );
    bench.replay_is_equal();
}

#[test]
fn a_disabled_rule_ends_its_alerts_and_says_why() {
    let mut bench = Bench::with(&[plain("Q1")]);
    bench.at(1).fire("Q1", "H1/A");
    let rule = |command: fn(String) -> RuleCommand| Command::Rule(command("Q1".to_owned()));
    bench.at(2).ask(rule(RuleCommand::Disable));
    assert_eq!(bench.alert("A-000001").ending, Some(Ending::RuleDisabled));
    assert_eq!(
        bench
            .ask_by("ann", rule(RuleCommand::Disable))
            .expect_err("twice")
            .code(),
        "rule_disabled"
    );
    bench.at(3).fire("Q1", "H1/A");
    assert_eq!(bench.desk.alerts().iter().count(), 1, "it raises nothing");
    bench.ask(rule(RuleCommand::Enable));
    assert_eq!(
        bench
            .ask_by("ann", rule(RuleCommand::Enable))
            .expect_err("twice")
            .code(),
        "rule_enabled"
    );
    bench.at(4).fire("Q1", "H1/A");
    assert_eq!(bench.state("A-000002"), State::Firing);
    bench.replay_is_equal();
}

#[test]
fn every_version_of_a_rule_is_kept_and_shipped_rules_give_way_to_what_people_wrote() {
    let mut bench = Bench::default();
    let sourced = |source: &str| SourcedRule {
        rule: plain("Q1"),
        source: source.to_owned(),
    };
    let install = |source: &str| Command::Rule(RuleCommand::Install(vec![sourced(source)]));
    assert_eq!(bench.ask(install("v1")), 1);
    assert_eq!(bench.ask(install("v1")), 0, "nothing new");
    assert_eq!(
        bench.ask(install("v2")),
        1,
        "a newer release brings its rules up to date"
    );
    bench.put(&plain("Q1"), "mine");
    assert_eq!(bench.ask(install("v3")), 0, "what somebody wrote stays");
    let unchanged = Command::Rule(RuleCommand::Put(Box::new(sourced("mine"))));
    assert_eq!(
        bench
            .ask_by("ann", unchanged)
            .expect_err("is the same")
            .code(),
        "rule_unchanged"
    );
    let entry = bench.desk.rules().get("Q1").expect("the rule");
    let by: Vec<_> = entry
        .versions
        .iter()
        .map(|v| (v.number, v.by.as_str()))
        .collect();
    assert_eq!(by, [(1, "shipped"), (2, "shipped"), (3, "ann")]);
}

#[test]
fn data_that_is_lost_is_told_in_the_alert_and_lets_a_person_resolve_it() {
    let mut bench = Bench::with(&[plain("Q1")]);
    bench.at(1).fire("Q1", "H1/A");
    let mut blind = firing("Q1", "H1/A", at(1));
    blind.no_data_since = Some(at(60));
    bench.at(60).see(vec![blind]);
    assert_eq!(bench.alert("A-000001").no_data_since, Some(at(60)));
    bench.handle("A-000001", ack()).expect("is allowed");
    bench
        .handle("A-000001", Handling::Start)
        .expect("is allowed");
    bench
        .handle("A-000001", resolve())
        .expect("nobody knows that it still holds");
    assert_eq!(bench.alert("A-000001").ending, Some(Ending::ByHand));
    bench.replay_is_equal();
}

#[test]
fn a_resolved_alert_is_closed_after_a_day_and_leaves_the_desk() {
    let mut bench = Bench::with(&[plain("Q1")]);
    bench.at(1).fire("Q1", "H1/A");
    bench.at(2).clear("Q1", "H1/A");
    assert_eq!(bench.at(2 + 86_399).state("A-000001"), State::Resolved);
    assert_eq!(bench.at(2 + 86_400).state("A-000001"), State::Closed);
    bench.at(2 + 86_400 + 3600);
    assert_eq!(bench.desk.alerts().iter().count(), 0);
    assert!(
        bench
            .alert_events()
            .any(|event| matches!(event, AlertEvent::AlertsForgotten { .. }))
    );
    bench.replay_is_equal();
}

/// ISA-18.2: more than ten alerts per operator in ten minutes are a flood, until fewer than five.
#[test]
fn a_flood_begins_above_ten_in_ten_minutes_and_ends_below_five() {
    let mut bench = Bench::with(&[plain("Q1"), plain("Q2")]);
    let load = |bench: &Bench, secs| bench.desk.alerts().load(1, None, at(secs));
    for n in 0..10 {
        bench.at(n).fire("Q1", &format!("H1/{n}"));
    }
    assert!(!load(&bench, 10).flood);
    bench.at(10).fire("Q2", "H1/x");
    let now = load(&bench, 10);
    assert_eq!(
        (now.flood, now.flood_since, now.alerts_10min),
        (true, Some(at(10)), 11)
    );
    assert_eq!(
        (&*now.top_rules[0].rule, now.top_rules[0].percent),
        ("Q1", 90.9)
    );
    assert_eq!(now.severity_percent, [0.0, 100.0, 0.0]);
    assert!(load(&bench, 605).flood, "five are left");
    assert!(!load(&bench, 607).flood, "four are left");
    assert!(
        !bench.desk.alerts().load(2, None, at(10)).flood,
        "two operators bear it"
    );
    assert_eq!(load(&bench, 86_401).stale, 1, "raised more than a day ago");
}
