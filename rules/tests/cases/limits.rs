//! Due times and how the time stands.

use rules::alerts::facts::case::{VARIABLES, facts};
use rules::alerts::subject::Value;
use rules::calendar::Moment;
use rules::cases::limits::next_change;
use rules::cases::{Case, CaseCommand, CaseKind, Limit, Settings, StepKind as K, TimeState, Told};

use crate::{Desk, at, due, moment, no, promised, received, step};

fn value(case: &Case, name: &str, now: &str) -> Value {
    let slot = VARIABLES.iter().position(|v| v.name == name).expect(name);
    facts(case, &Settings::default(), at(now)).values[slot].clone()
}

fn accepted(days: u32) -> Desk {
    let mut desk = Desk::default();
    desk.tell("C1", promised("11-02 09:00", days), "11-02 09:00")
        .expect("told");
    desk.happens("C1", K::Accepted, "11-02 10:00");
    desk
}

#[track_caller]
fn is_due(desk: &Desk, when: &str) {
    assert_eq!(desk.case("C1").limits.due, Some(moment(when)));
}

/// AC-C04-1
#[test]
fn a_promise_runs_from_the_day_after_acceptance() {
    is_due(&accepted(5), "11-09 17:30");
}

/// AC-C04-2
#[test]
fn time_in_a_special_procedure_does_not_count() {
    let mut desk = accepted(5);
    desk.happens("C1", K::Suspended, "11-04 11:00");
    assert_eq!(
        desk.case("C1").time_state(at("11-20 12:00")),
        TimeState::OnTime
    );
    desk.happens("C1", K::Resumed, "11-06 09:00");
    is_due(&desk, "11-11 17:30");
}

/// AC-C04-3
#[test]
fn time_for_a_supplement_does_not_count() {
    let mut desk = accepted(5);
    desk.happens("C1", K::SupplementAsked, "11-04 16:00");
    desk.happens("C1", K::SupplementAnswered, "11-09 10:00");
    is_due(&desk, "11-12 17:30");
}

#[test]
fn a_supplement_within_a_suspension_is_not_counted_twice() {
    let mut desk = accepted(5);
    desk.happens("C1", K::Suspended, "11-04 11:00");
    desk.happens("C1", K::SupplementAsked, "11-05 11:00");
    desk.happens("C1", K::Resumed, "11-06 09:00");
    assert_eq!(desk.case("C1").state.name(), "supplement");
    desk.happens("C1", K::SupplementAnswered, "11-09 10:00");
    assert_eq!(desk.case("C1").state.name(), "in_review");
    is_due(&desk, "11-12 17:30");
}

#[test]
fn a_pause_after_the_due_time_changes_nothing() {
    let mut desk = accepted(1);
    is_due(&desk, "11-03 17:30");
    desk.happens("C1", K::Suspended, "11-05 11:00");
    desk.happens("C1", K::Resumed, "11-09 11:00");
    is_due(&desk, "11-03 17:30");
}

#[test]
fn a_given_due_time_keeps_its_own_offset_and_moves_on_with_a_pause() {
    let mut desk = Desk::default();
    let given = Moment::parse_from_rfc3339("2026-11-09T01:06:40+01:00").expect("a moment");
    let told = Told {
        due: Some(Limit::At(given)),
        ..received("11-02 09:00")
    };
    desk.tell("C1", told, "11-02 09:00").expect("told");
    assert_eq!(desk.case("C1").limits.due, Some(given));
    desk.happens("C1", K::Suspended, "11-04 11:00");
    desk.happens("C1", K::Resumed, "11-06 09:00");
    let moved = Moment::parse_from_rfc3339("2026-11-11T01:06:40+01:00").expect("a moment");
    assert_eq!(desk.case("C1").limits.due, Some(moved));
}

#[test]
fn an_extension_replaces_every_earlier_due_time() {
    let mut desk = accepted(5);
    let mut extended = step(K::Extended, "11-05 09:00");
    extended.due_at = Some(moment("11-20 12:00"));
    desk.step("C1", extended, "11-05 09:00").expect("told");
    is_due(&desk, "11-20 12:00");
}

/// AC-C06-1, AC-C06-2: how the time stands; the alert is the alert desk's.
#[test]
fn near_due_begins_a_working_day_before_and_overdue_after_the_due_time() {
    let mut desk = Desk::default();
    desk.tell("C1", due("11-02 09:00", "11-09 17:30"), "11-02 09:00")
        .expect("told");
    let case = desk.case("C1");
    for (when, state) in [
        ("11-06 17:29", TimeState::OnTime),
        ("11-06 17:30", TimeState::NearDue),
        ("11-08 12:00", TimeState::NearDue),
        ("11-09 17:30", TimeState::NearDue),
        ("11-09 17:30:01", TimeState::Overdue),
    ] {
        assert_eq!(case.time_state(at(when)), state, "{when}");
    }
    assert_eq!(value(case, "days_left", "11-06 17:30"), Value::Number(1.0));
    assert_eq!(
        value(case, "days_overdue", "11-11 12:00"),
        Value::Number(2.0)
    );
    assert_eq!(value(case, "hours_left", "11-09 16:00"), Value::Number(1.5));
    assert_eq!(
        value(case, "hours_left", "11-09 18:00"),
        Value::Number(-0.5)
    );
    assert_eq!(
        value(case, "legal_days_left", "11-09 18:00"),
        Value::Missing
    );
}

#[test]
fn an_ended_case_has_no_clock() {
    let mut desk = Desk::default();
    desk.tell("C1", due("11-02 09:00", "11-09 17:30"), "11-02 09:00")
        .expect("told");
    desk.happens("C1", K::Closed, "11-10 09:00");
    let case = desk.case("C1");
    assert_eq!(case.time_state(at("11-10 09:01")), TimeState::None);
    assert_eq!(value(case, "days_overdue", "11-10 10:00"), Value::Missing);
    let before = case
        .as_of(at("11-10 08:59"), &Settings::default())
        .expect("open then");
    assert_eq!(before.time_state(at("11-10 08:59")), TimeState::Overdue);
}

/// AC-C06-3: when it is overdue, and that it can be accepted or returned; the alert is the alert desk's.
#[test]
fn acceptance_is_overdue_after_a_working_day_until_it_is_accepted_or_returned() {
    let mut desk = Desk::default();
    for case in ["C1", "C2"] {
        desk.tell(case, received("11-02 09:00"), "11-02 09:00")
            .expect("told");
    }
    let overdue = |desk: &Desk, case, when| value(desk.case(case), "acceptance_overdue", when);
    assert_eq!(overdue(&desk, "C1", "11-03 09:00"), Value::Bool(false));
    assert_eq!(overdue(&desk, "C1", "11-03 09:00:01"), Value::Bool(true));
    let hours = value(desk.case("C1"), "acceptance_hours_overdue", "11-03 11:00");
    assert_eq!(hours, Value::Number(2.0));
    let accept = CaseCommand::Accept {
        case_no: no("C1"),
        note: None,
    };
    let send_back = CaseCommand::Return {
        case_no: no("C2"),
        note: Some("材料不符".to_owned()),
    };
    desk.submit(&accept, "11-03 10:00").expect("accepted");
    desk.submit(&send_back, "11-03 10:00").expect("returned");
    for case in ["C1", "C2"] {
        assert_eq!(overdue(&desk, case, "11-04 12:00"), Value::Bool(false));
    }
    assert_eq!(desk.case("C1").steps[0].by.as_deref(), Some("wang"));
    assert_eq!(
        desk.refused(&accept, "11-04 09:00"),
        "case_already_accepted"
    );
    assert_eq!(desk.refused(&send_back, "11-04 09:00"), "case_returned");
}

/// AC-D01-2: the task's time; the warning is the alert desk's.
#[test]
fn a_task_runs_from_the_day_it_was_given_and_needs_no_acceptance() {
    let mut desk = Desk::default();
    let task = Told {
        kind: CaseKind::Task,
        near_due_days: Some(2),
        ..due("11-02 09:00", "11-30 18:00")
    };
    desk.tell("C1", task, "11-02 09:00").expect("told");
    let case = desk.case("C1");
    assert_eq!(case.time_state(at("11-26 17:59:59")), TimeState::OnTime);
    assert_eq!(case.time_state(at("11-26 18:00")), TimeState::NearDue);
    assert_eq!(value(case, "days_left", "11-26 18:00"), Value::Number(2.0));
    assert_eq!(
        value(case, "acceptance_overdue", "11-26 18:00"),
        Value::Bool(false)
    );
    desk.happens("C1", K::Closed, "11-21 18:00");
    assert_eq!(
        desk.case("C1").time_state(at("11-26 18:00")),
        TimeState::None
    );
}

#[test]
fn what_time_alone_brings_is_foretold() {
    let mut desk = Desk::default();
    desk.tell("C1", due("11-02 09:00", "11-09 17:30"), "11-02 09:00")
        .expect("told");
    let next = |now: &str| next_change(desk.case("C1"), &Settings::default(), at(now));
    // Acceptance overdue comes first, a millisecond after its limit.
    assert_eq!(next("11-03 08:00").map(|at| at.millis() % 1000), Some(1));
    assert_eq!(next("11-05 17:30"), Some(at("11-06 17:30")));
    assert_eq!(next("11-06 17:30"), Some(at("11-09 17:30")));
    let over = next("11-09 17:30").expect("it becomes overdue");
    assert_eq!(over.millis(), at("11-09 17:30").millis() + 1);
    assert_eq!(
        next("11-09 18:00").map(|at| at.millis()),
        Some(at("11-10 17:30").millis() + 1)
    );
}
