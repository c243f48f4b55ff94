//! The life of alerts: what people may do and may not, and who hears of what.

use rules::alerts::rule::{Audience, GroupBy, Rule, Severity};
use rules::desk::alert::Ending;
use rules::desk::messages::Cause::{Raised, Resolved};
use rules::desk::orders::{OrderCommand, OrderState, OrderStep};
use rules::desk::{AlertEvent, Command, Handling, OrderWish, RuleCommand, SourcedRule, State};
use rules::ids::OrderId;

use crate::bench::{Bench, ack, firing, kept, plain, quiet};
use crate::quieting::shelve;
use crate::support::at;

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
