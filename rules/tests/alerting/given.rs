//! Whoever is given an alert, an order or a problem is told, in their own language.

use rules::alerts::rule::Severity;
use rules::alerts::subject::SubjectKind;
use rules::desk::messages::{Cause::Assigned, Message};
use rules::desk::orders::{NewOrder, OrderCommand, OrderStep};
use rules::desk::problems::{NewProblem, ProblemCommand, ProblemStep};
use rules::desk::{Command, Event, Handling, OrderWish};
use rules::ids::{OrderId, ProblemId};
use rules::name::{Lang, Name};
use rules::time::Timestamp;

use crate::bench::{Bench, firing};
use crate::support::{at, hall_id, rule};

/// A desk with Li, who reads Chinese, and Wu, who reads English.
fn bench() -> Bench {
    let mut bench = Bench::with(&[rule("Q1", SubjectKind::Queue, "waiting > 20")]);
    bench.receiver("r-li", Some("li"), "clerk");
    bench.receiver_in("r-wu", Some("wu"), "clerk", Lang::En);
    bench
}

fn order(assignee: Option<&str>) -> Command {
    Command::Order(OrderCommand::Create(Box::new(NewOrder {
        title: Name::new("接口故障", "Interface down"),
        severity: Severity::Warning,
        alert: None,
        rule: None,
        problem: None,
        hall: Some(hall_id("H1")),
        department: None,
        assignee: assignee.map(str::to_owned),
        due_at: Timestamp::parse_rfc3339("2026-12-01T17:30:00+08:00"),
    })))
}

fn step(step: OrderStep) -> Command {
    let order = OrderId(1);
    Command::Order(OrderCommand::Step { order, step })
}

fn problem() -> Box<NewProblem> {
    Box::new(NewProblem {
        kind: "time_inversion".to_owned(),
        title: Name::new("时间颠倒", "Times reversed"),
        severity: Severity::Warning,
        source: "registration".to_owned(),
        record: "C1".to_owned(),
        raw: String::new(),
        trace: Vec::new(),
        alert: None,
        rule: None,
        hall: None,
        department: None,
        due_at: None,
    })
}

fn given(bench: &Bench) -> Vec<&Message> {
    let queued = bench.journal.iter().filter_map(|one| match &one.event {
        Event::Message(event) => event.queued(),
        _ => None,
    });
    queued
        .filter(|message| message.about.cause == Assigned)
        .collect()
}

#[test]
fn who_is_given_an_order_is_told_with_its_due_time_and_on_transfer_why() {
    let mut bench = bench();
    bench.at(1).ask(order(Some("li")));
    let transfer = |to: &str| OrderStep::Transfer {
        to: to.to_owned(),
        reason: "on leave".to_owned(),
    };
    bench.at(2).ask(step(transfer("wu")));
    bench.at(3).ask(step(transfer("li")));
    let said = given(&bench);
    let to: Vec<&str> = said.iter().map(|one| one.receiver.as_str()).collect();
    assert_eq!(to, ["r-li", "r-wu", "r-li"], "each time anew");
    assert_eq!(said[0].subject, "【较重·指派】工单 WO-000001：接口故障");
    let zh = "工单 WO-000001已由 ann 指派给您：接口故障。请于 2026-12-01 17:30 前办结。";
    assert!(said[0].text.starts_with(zh), "{}", said[0].text);
    assert!(said[0].text.contains("状态：指派"), "{}", said[0].text);
    let en = "Work order WO-000001 was given to you by ann: Interface down. Reason: on leave. \
              Due 2026-12-01 17:30.";
    assert!(said[1].text.starts_with(en), "{}", said[1].text);
    bench.replay_is_equal();
}

#[test]
fn an_order_without_anybody_tells_nobody_until_it_is_assigned() {
    let mut bench = bench();
    bench.at(1).ask(order(None));
    assert_eq!(given(&bench).len(), 0);
    let to = "wu".to_owned();
    bench.at(2).ask(step(OrderStep::Assign { to }));
    assert_eq!(given(&bench)[0].receiver.as_str(), "r-wu");
}

#[test]
fn who_takes_something_without_being_asked_is_not_told() {
    let mut bench = bench();
    let taken = bench.at(1).ask_by("li", order(Some("li")));
    taken.expect("is allowed");
    assert_eq!(given(&bench).len(), 0);
}

#[test]
fn an_order_from_an_alert_links_to_it_in_the_notice() {
    let mut bench = bench();
    bench.at(1).see(vec![firing("Q1", "H1/A", at(1))]);
    let alert = "A-000001".parse().expect("an id");
    let assignee = Some("wu".to_owned());
    let wish = OrderWish {
        assignee,
        ..OrderWish::default()
    };
    bench.at(2).ask(Command::OrderFrom { alert, wish });
    let about = &given(&bench)[0].about;
    assert_eq!(about.alert.as_deref(), Some("A-000001"));
    assert_eq!(about.hall, Some(hall_id("H1")));
}

#[test]
fn who_is_given_an_alert_or_a_problem_is_told() {
    let mut bench = bench();
    bench.at(1).see(vec![firing("Q1", "H1/A", at(1))]);
    let to = || "wu".to_owned();
    bench.at(2);
    let assign = Handling::Assign { to: to() };
    bench.handle("A-000001", assign).expect("is allowed");
    let (new, to_li) = (problem(), "li".to_owned());
    bench.ask(Command::Problem(ProblemCommand::ListFor { new, to: to_li }));
    bench.at(3).ask(Command::Problem(ProblemCommand::Step {
        problem: ProblemId(1),
        step: ProblemStep::Assign { to: to() },
    }));
    let said = given(&bench);
    let titles: Vec<_> = said
        .iter()
        .map(|one| (one.receiver.as_str(), one.subject.as_str()))
        .collect();
    assert_eq!(
        titles,
        [
            ("r-wu", "[warning, assigned] Alert A-000001: H1/A is long"),
            ("r-li", "【较重·指派】问题 P-000001：时间颠倒"),
            (
                "r-wu",
                "[warning, assigned] Problem P-000001: Times reversed"
            ),
        ]
    );
    bench.replay_is_equal();
}
