//! Work orders and problems from finding to closing.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by a panic"
)]

use proptest::prelude::*;
use rules::alerts::rule::Severity;
use rules::desk::orders::{
    NewOrder, OrderCommand, OrderEvent, OrderRefusal, OrderState, OrderStatistics, OrderStep,
    Orders, WorkOrder,
};
use rules::desk::problems::{
    NewProblem, ProblemCommand, ProblemEvent, ProblemFigures, ProblemRefusal, ProblemState,
    ProblemStep, Problems,
};
use rules::ids::{OrderId, ProblemId};
use rules::name::Name;
use rules::testing::clock;
use rules::time::Timestamp;

fn order() -> NewOrder {
    NewOrder {
        title: Name::new("接口故障", "Interface down"),
        severity: Severity::Warning,
        alert: Some("A-000001".to_owned()),
        rule: Some("R07".to_owned()),
        problem: None,
        hall: Some("H1".parse().unwrap()),
        department: None,
        assignee: None,
        due_at: None,
    }
}

/// Orders with what was done to them; every step is checked for what must hold of every step.
#[derive(Default)]
struct Book {
    orders: Orders,
}

impl Book {
    fn apply(&mut self, at: Timestamp, by: &str, events: &[OrderEvent]) {
        let told: Vec<_> = events.iter().map(|event| (at, by, event)).collect();
        let rows = self.orders.rows_after(&told);
        for event in events {
            self.orders.apply(at, by, event);
        }
        for row in rows {
            let order = self.orders.get(row.id.parse().unwrap()).unwrap();
            assert_eq!(row.body, order.face().to_string());
        }
        let json = serde_json::to_string(&self.orders).unwrap();
        assert_eq!(serde_json::from_str::<Orders>(&json).unwrap(), self.orders);
        for event in events {
            let json = serde_json::to_string(event).unwrap();
            assert_eq!(&serde_json::from_str::<OrderEvent>(&json).unwrap(), event);
        }
    }

    fn tick(&mut self, at: Timestamp) {
        let due = self.orders.elapse(at);
        self.apply(at, "clock", &due);
        assert_eq!(self.orders.elapse(at), []);
        assert!(self.orders.next_deadline().is_none_or(|next| next > at));
    }

    fn ask(&mut self, at: Timestamp, command: &OrderCommand) -> Result<OrderId, OrderRefusal> {
        self.tick(at);
        let events = self.orders.decide(command, at)?;
        self.apply(at, "sup", &events);
        Ok(events[0].order())
    }

    fn create(&mut self, at: &str, new: NewOrder) -> OrderId {
        self.ask(clock(at), &OrderCommand::Create(Box::new(new)))
            .unwrap()
    }

    fn step(&mut self, at: &str, order: OrderId, step: OrderStep) -> Result<OrderId, OrderRefusal> {
        self.ask(clock(at), &OrderCommand::Step { order, step })
    }

    fn get(&self, id: OrderId) -> &WorkOrder {
        self.orders.get(id).unwrap()
    }
}

fn assign(to: &str) -> OrderStep {
    OrderStep::Assign { to: to.to_owned() }
}

fn resolve() -> OrderStep {
    OrderStep::Resolve {
        comment: "已恢复".to_owned(),
    }
}

fn verify() -> OrderStep {
    OrderStep::Verify { comment: None }
}

fn reopen() -> OrderStep {
    OrderStep::Reopen {
        reason: "又出现".to_owned(),
    }
}

fn transfer(to: &str) -> OrderStep {
    OrderStep::Transfer {
        to: to.to_owned(),
        reason: "换班".to_owned(),
    }
}

fn comment() -> OrderStep {
    OrderStep::Comment {
        text: "看过".to_owned(),
    }
}

#[test]
fn an_order_goes_from_created_to_closed_and_remembers_who_did_what() {
    let mut book = Book::default();
    let id = book.create("09:00", order());
    for (at, step) in [
        ("09:01", assign("zhang")),
        ("09:02", OrderStep::Start),
        ("09:10", resolve()),
        ("09:15", reopen()),
        ("09:16", OrderStep::Start),
        ("09:20", resolve()),
        ("09:30", verify()),
        ("09:31", OrderStep::Close),
    ] {
        book.step(at, id, step).unwrap();
    }
    let order = book.get(id);
    assert_eq!(order.state, OrderState::Closed);
    assert_eq!(order.reopened_count, 1);
    assert_eq!(order.resolved_at, Some(clock("09:20")));
    let told: Vec<&str> = order
        .history
        .iter()
        .map(|entry| entry.what.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "order_created",
            "order_assigned",
            "order_started",
            "order_resolved",
            "order_reopened",
            "order_started",
            "order_resolved",
            "order_verified",
            "order_closed",
        ]
    );
    assert_eq!(order.history[1].to.as_deref(), Some("zhang"));
    assert_eq!(order.history[4].text.as_deref(), Some("又出现"));
}

#[test]
fn an_order_made_for_somebody_is_assigned_at_once_and_can_be_handed_on() {
    let mut book = Book::default();
    let id = book.create(
        "09:00",
        NewOrder {
            assignee: Some(" zhang ".to_owned()),
            ..order()
        },
    );
    assert_eq!(book.get(id).assignee.as_deref(), Some("zhang"));
    assert_eq!(book.get(id).state, OrderState::Assigned);
    book.step("09:01", id, OrderStep::Start).unwrap();
    book.step("09:02", id, transfer("li")).unwrap();
    assert_eq!(book.get(id).state, OrderState::Assigned);
    assert_eq!(book.get(id).assignee.as_deref(), Some("li"));
    let same = book.step("09:03", id, transfer("li")).unwrap_err();
    assert_eq!(same.code(), "same_assignee");
}

#[test]
fn every_step_out_of_turn_has_a_code_of_its_own_and_changes_nothing() {
    use OrderState::{Assigned, Closed, Created, Processing, Reopened, Resolved, Verified};
    let steps: [(OrderStep, &str, &[OrderState]); 8] = [
        (assign("li"), "order_already_assigned", &[Created]),
        (
            OrderStep::Start,
            "order_not_assigned",
            &[Assigned, Reopened],
        ),
        (resolve(), "order_not_processing", &[Processing]),
        (verify(), "order_not_resolved", &[Resolved]),
        (reopen(), "order_not_resolved", &[Resolved]),
        (OrderStep::Close, "order_not_verified", &[Verified]),
        (
            transfer("li"),
            "order_not_in_hand",
            &[Assigned, Processing, Reopened],
        ),
        (
            comment(),
            "",
            &[
                Created, Assigned, Processing, Reopened, Resolved, Verified, Closed,
            ],
        ),
    ];
    let ways: [(OrderState, Vec<OrderStep>); 7] = [
        (Created, vec![]),
        (Assigned, vec![assign("zhang")]),
        (Processing, vec![assign("zhang"), OrderStep::Start]),
        (Resolved, vec![assign("zhang"), OrderStep::Start, resolve()]),
        (
            Reopened,
            vec![assign("zhang"), OrderStep::Start, resolve(), reopen()],
        ),
        (
            Verified,
            vec![assign("zhang"), OrderStep::Start, resolve(), verify()],
        ),
        (
            Closed,
            vec![
                assign("zhang"),
                OrderStep::Start,
                resolve(),
                verify(),
                OrderStep::Close,
            ],
        ),
    ];
    for (state, way) in ways {
        for (step, code, from) in &steps {
            let mut book = Book::default();
            let id = book.create("09:00", order());
            for step in &way {
                book.step("09:01", id, step.clone()).unwrap();
            }
            assert_eq!(book.get(id).state, state);
            let before = book.orders.clone();
            let answer = book.step("09:02", id, step.clone());
            if from.contains(&state) {
                assert!(answer.is_ok(), "{step:?} from {state:?}");
            } else {
                let refusal = answer.unwrap_err();
                assert_eq!(refusal.code(), *code, "{step:?} from {state:?}");
                assert!(!refusal.sentence().zh.is_empty() && !refusal.sentence().en.is_empty());
                assert_eq!(book.orders, before);
            }
        }
    }
}

#[test]
fn what_cannot_be_is_refused_with_the_field() {
    let mut book = Book::default();
    let field = |refusal: OrderRefusal| match refusal {
        OrderRefusal::InvalidField { field, .. } => field,
        other => panic!("{other:?}"),
    };
    let past = Some(clock("08:59"));
    for (new, named) in [
        (
            NewOrder {
                title: Name::same(" "),
                ..order()
            },
            "title",
        ),
        (
            NewOrder {
                title: Name::same("x".repeat(201)),
                ..order()
            },
            "title",
        ),
        (
            NewOrder {
                assignee: Some(String::new()),
                ..order()
            },
            "assignee",
        ),
        (
            NewOrder {
                due_at: past,
                ..order()
            },
            "due_at",
        ),
    ] {
        let create = OrderCommand::Create(Box::new(new));
        assert_eq!(field(book.ask(clock("09:00"), &create).unwrap_err()), named);
    }
    let id = book.create("09:00", order());
    assert_eq!(
        field(book.step("09:01", id, assign(" ")).unwrap_err()),
        "to"
    );
    let empty = OrderStep::Comment {
        text: "\t".to_owned(),
    };
    assert_eq!(field(book.step("09:01", id, empty).unwrap_err()), "text");
    let unknown = book
        .step("09:01", OrderId(9), OrderStep::Close)
        .unwrap_err();
    assert_eq!(unknown.code(), "unknown_work_order");
}

/// AC-F01-4.
#[test]
fn what_counts_is_when_it_was_resolved_not_when_it_was_verified() {
    let resolved_at = |at: &str| {
        let mut book = Book::default();
        let due_at = Some(clock("17:00"));
        let id = book.create("09:00", NewOrder { due_at, ..order() });
        book.step("09:01", id, assign("zhang")).unwrap();
        book.step("09:02", id, OrderStep::Start).unwrap();
        book.step(at, id, resolve()).unwrap();
        book.step("3T10:00", id, verify()).unwrap();
        book.tick(clock("3T12:00"));
        let order = book.get(id).clone();
        let statistics = OrderStatistics::of(book.orders.iter());
        (order, statistics.all.in_time_percent)
    };
    let (order, in_time) = resolved_at("16:40");
    assert_eq!(order.overdue_at, None);
    assert_eq!(order.late_secs(clock("3T12:00")), 0);
    assert_eq!(in_time, Some(100.0));
    let (order, _) = resolved_at("17:00");
    assert_eq!(order.overdue_at, None);
    let (order, in_time) = resolved_at("17:05");
    assert_eq!(order.overdue_at, Some(clock("17:00")));
    assert_eq!(order.late_secs(clock("3T12:00")), 5 * 60);
    assert_eq!(in_time, Some(0.0));
}

#[test]
fn an_order_left_lying_becomes_overdue_once_and_stands_first() {
    let mut book = Book::default();
    let due_at = Some(clock("10:00"));
    let id = book.create("09:00", NewOrder { due_at, ..order() });
    assert_eq!(
        book.orders.next_deadline().map(Timestamp::millis),
        Some(clock("10:00").millis() + 1)
    );
    book.tick(clock("10:00"));
    assert!(!book.get(id).is_overdue());
    let at = clock("10:00:01");
    let due = book.orders.elapse(at);
    assert_eq!(due, [OrderEvent::OrderOverdue { order: id }]);
    let rows = book.orders.rows_after(&[(at, "clock", &due[0])]);
    assert_eq!(rows[0].rank, 5);
    book.tick(at);
    assert!(book.get(id).is_overdue());
    assert_eq!(book.orders.next_deadline(), None);
}

#[test]
fn the_statistics_tell_how_long_orders_took_by_rule_person_and_hall() {
    let mut book = Book::default();
    for (minutes, to, rule) in [
        (10, "zhang", "R07"),
        (20, "zhang", "R08"),
        (60, "li", "R07"),
    ] {
        let id = book.create(
            "09:00",
            NewOrder {
                rule: Some(rule.to_owned()),
                ..order()
            },
        );
        book.step("09:01", id, assign(to)).unwrap();
        book.step("09:02", id, OrderStep::Start).unwrap();
        let done = clock("09:00").plus_secs(minutes * 60);
        let step = |step| OrderCommand::Step { order: id, step };
        book.ask(done, &step(resolve())).unwrap();
        if to == "li" {
            book.ask(done, &step(reopen())).unwrap();
        } else {
            book.ask(done, &step(verify())).unwrap();
            book.ask(done.plus_secs(60), &step(OrderStep::Close))
                .unwrap();
        }
    }
    let all = OrderStatistics::of(book.orders.iter());
    assert_eq!((all.all.orders, all.all.open, all.all.closed), (3, 1, 2));
    assert_eq!(all.all.reopened_percent, Some(33.3));
    assert_eq!(all.all.to_assign.p50_secs, Some(60));
    assert_eq!(all.all.to_resolve.p50_secs, Some(600));
    assert_eq!(all.all.to_resolve.p90_secs, Some(1200));
    assert_eq!(all.by_person["zhang"].to_close.p90_secs, Some(1260));
    assert_eq!(all.by_rule["R07"].orders, 2);
    assert_eq!(all.by_hall["H1"].orders, 3);
}

fn problem(record: &str) -> NewProblem {
    NewProblem {
        kind: "time_inversion".to_owned(),
        title: Name::new("时间倒置", "Time inversion"),
        severity: Severity::Warning,
        source: "case".to_owned(),
        record: record.to_owned(),
        raw: "{\"closed\":\"09:40\",\"accepted\":\"10:00\"}".to_owned(),
        trace: vec!["R13".to_owned(), "A-000001".to_owned()],
        alert: Some("A-000001".to_owned()),
        rule: Some("R13".to_owned()),
        hall: None,
        department: Some("住建局".to_owned()),
        due_at: None,
    }
}

#[derive(Default)]
struct List {
    problems: Problems,
}

impl List {
    fn apply(&mut self, at: Timestamp, events: &[ProblemEvent]) {
        let told: Vec<_> = events.iter().map(|event| (at, "sup", event)).collect();
        let rows = self.problems.rows_after(&told);
        for event in events {
            self.problems.apply(at, "sup", event);
        }
        for row in rows {
            let problem = self.problems.get(row.id.parse().unwrap()).unwrap();
            assert_eq!(row.body, problem.face().to_string());
        }
        let json = serde_json::to_string(&self.problems).unwrap();
        assert_eq!(
            serde_json::from_str::<Problems>(&json).unwrap(),
            self.problems
        );
    }

    fn tick(&mut self, at: Timestamp) {
        let due = self.problems.elapse(at);
        self.apply(at, &due);
        assert_eq!(self.problems.elapse(at), []);
    }

    fn ask(&mut self, at: &str, command: &ProblemCommand) -> Result<ProblemId, ProblemRefusal> {
        self.tick(clock(at));
        let events = self.problems.decide(command, clock(at))?;
        self.apply(clock(at), &events);
        Ok(events[0].problem())
    }

    fn step(
        &mut self,
        at: &str,
        problem: ProblemId,
        step: ProblemStep,
    ) -> Result<ProblemId, ProblemRefusal> {
        self.ask(at, &ProblemCommand::Step { problem, step })
    }
}

fn check() -> ProblemStep {
    ProblemStep::Check { finding: None }
}

fn correct() -> ProblemStep {
    ProblemStep::Correct {
        finding: Some("录入错误".to_owned()),
        correction: "已更正".to_owned(),
    }
}

fn to_zhang() -> ProblemStep {
    ProblemStep::Assign {
        to: "zhang".to_owned(),
    }
}

fn verified() -> ProblemStep {
    ProblemStep::Verify { comment: None }
}

/// AC-D03-3.
#[test]
fn of_twenty_five_problems_eighteen_closed_make_seventy_two_percent_and_the_late_ones_come_first() {
    let mut list = List::default();
    for i in 0..25 {
        let due_at = (i % 4 == 1 && i < 8).then(|| clock("12:00"));
        let new = NewProblem {
            due_at,
            ..problem(&format!("C{i}"))
        };
        let id = list
            .ask("09:00", &ProblemCommand::List(Box::new(new)))
            .unwrap();
        if i >= 7 {
            for step in [
                to_zhang(),
                check(),
                correct(),
                verified(),
                ProblemStep::Close,
            ] {
                list.step("10:00", id, step).unwrap();
            }
        }
    }
    list.tick(clock("13:00"));
    let figures = ProblemFigures::of(list.problems.iter());
    assert_eq!((figures.closed, figures.open, figures.overdue), (18, 5, 2));
    assert_eq!(figures.closed_percent, Some(72.0));
    let rank = |problem: &rules::desk::problems::Problem| problem.is_overdue();
    assert_eq!(list.problems.iter().filter(|p| rank(p)).count(), 2);
}

#[test]
fn a_problem_listed_for_somebody_is_assigned_at_once() {
    let mut list = List::default();
    let new = Box::new(problem("C1"));
    let to = " zhang ".to_owned();
    let id = list
        .ask("09:00", &ProblemCommand::ListFor { new, to })
        .unwrap();
    let problem = list.problems.get(id).unwrap();
    assert_eq!(problem.state, ProblemState::Assigned);
    assert_eq!(problem.assignee.as_deref(), Some("zhang"));
}

#[test]
fn a_correction_that_does_not_hold_is_checked_again() {
    let mut list = List::default();
    let new = ProblemCommand::List(Box::new(problem("C1")));
    let id = list.ask("09:00", &new).unwrap();
    for step in [
        to_zhang(),
        check(),
        correct(),
        check(),
        correct(),
        verified(),
    ] {
        list.step("09:10", id, step).unwrap();
    }
    let problem = list.problems.get(id).unwrap();
    assert_eq!(problem.state, ProblemState::Verified);
    assert_eq!(problem.finding.as_deref(), Some("录入错误"));
    assert_eq!(problem.correction.as_deref(), Some("已更正"));
}

#[test]
fn a_record_is_on_the_list_once_per_kind_until_that_is_closed() {
    let mut list = List::default();
    let new = ProblemCommand::List(Box::new(problem("C1")));
    let id = list.ask("09:00", &new).unwrap();
    let again = list.ask("09:01", &new).unwrap_err();
    assert_eq!(again, ProblemRefusal::AlreadyListed { problem: id });
    let found = [problem("C1"), problem("C2"), problem("C2")];
    let events = list.problems.list(&found);
    list.apply(clock("09:02"), &events);
    assert_eq!(events.len(), 1);
    for step in [
        to_zhang(),
        check(),
        correct(),
        verified(),
        ProblemStep::Close,
    ] {
        list.step("09:10", id, step).unwrap();
    }
    assert!(list.ask("09:11", &new).is_ok());
}

#[test]
fn every_step_of_a_problem_out_of_turn_has_a_code_and_changes_nothing() {
    use ProblemState::{Assigned, Checking, Closed, Corrected, Listed, Verified};
    let steps: [(ProblemStep, &str, &[ProblemState]); 5] = [
        (
            to_zhang(),
            "problem_already_corrected",
            &[Listed, Assigned, Checking],
        ),
        (check(), "problem_not_assigned", &[Assigned, Corrected]),
        (correct(), "problem_not_checking", &[Checking]),
        (verified(), "problem_not_corrected", &[Corrected]),
        (ProblemStep::Close, "problem_not_verified", &[Verified]),
    ];
    let way = [
        to_zhang(),
        check(),
        correct(),
        verified(),
        ProblemStep::Close,
    ];
    for (taken, state) in [Listed, Assigned, Checking, Corrected, Verified, Closed]
        .into_iter()
        .enumerate()
    {
        for (step, code, from) in &steps {
            let mut list = List::default();
            let new = ProblemCommand::List(Box::new(problem("C1")));
            let id = list.ask("09:00", &new).unwrap();
            for step in &way[..taken] {
                list.step("09:01", id, step.clone()).unwrap();
            }
            assert_eq!(list.problems.get(id).unwrap().state, state);
            let before = list.problems.clone();
            match list.step("09:02", id, step.clone()) {
                Ok(_) => assert!(from.contains(&state), "{step:?} from {state:?}"),
                Err(refusal) => {
                    assert!(!from.contains(&state), "{step:?} from {state:?}");
                    assert_eq!(refusal.code(), *code);
                    assert_eq!(list.problems, before);
                }
            }
        }
    }
}

fn any_step() -> impl Strategy<Value = OrderStep> {
    prop_oneof![
        Just(assign("zhang")),
        Just(OrderStep::Start),
        Just(resolve()),
        Just(verify()),
        Just(OrderStep::Close),
        Just(reopen()),
        Just(transfer("li")),
        Just(comment()),
    ]
}

proptest! {
    /// Whatever is tried in whatever order: the order stays true to itself.
    #[test]
    fn an_order_is_true_to_itself(steps in prop::collection::vec((any_step(), 0u64..4000), 1..40)) {
        let mut book = Book::default();
        let due_at = Some(clock("12:00"));
        let id = book.create("09:00", NewOrder { due_at, ..order() });
        let mut at = clock("09:00");
        for (step, secs) in steps {
            at = at.plus_secs(secs);
            book.tick(at);
            let ticked = book.orders.clone();
            if book.ask(at, &OrderCommand::Step { order: id, step }).is_err() {
                prop_assert_eq!(&book.orders, &ticked);
            }
            // Opened again after its due time, it is overdue at once.
            book.tick(at);
            let order = book.get(id);
            let done = order.resolved_at.is_some();
            prop_assert_eq!(done, !order.state.is_open());
            prop_assert_eq!(order.closed_at.is_some(), order.state == OrderState::Closed);
            prop_assert!(order.assignee.is_some() || order.state == OrderState::Created);
            let late = order.late_secs(at) > 0;
            prop_assert!(!late || order.overdue_at.is_some());
        }
    }
}
