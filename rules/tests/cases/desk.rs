//! What happens to cases: the lifecycle, repeats, a wrong order, and every step that cannot be.

use rules::cases::{CaseCommand, CaseEvent, Settings, State, Step, StepKind as K, Telling, Told};
use rules::machine::Machine as _;

use crate::{Desk, at, due, no, received, step};

fn known() -> Desk {
    let mut desk = Desk::default();
    desk.tell("C1", received("11-02 09:00"), "11-02 09:00")
        .expect("told");
    desk
}

#[track_caller]
fn goes_through(steps: &[(K, State)]) {
    let mut desk = known();
    for (minute, (kind, state)) in steps.iter().enumerate() {
        desk.happens("C1", *kind, &format!("11-02 10:{minute:02}"));
        assert_eq!(desk.case("C1").state, *state, "after {kind:?}");
    }
    assert_eq!(desk.case("C1").wrong_order, None);
}

#[test]
fn every_state_is_reached_by_its_step() {
    goes_through(&[
        (K::PreReviewBegun, State::PreReview),
        (K::PreReviewPassed, State::PreReviewPassed),
        (K::MaterialsDelayed, State::AwaitingMaterials),
        (K::MaterialsSubmitted, State::Accepted),
        (K::ReviewBegun, State::InReview),
        (K::SupplementAsked, State::Supplement),
        (K::SupplementAnswered, State::InReview),
        (K::Suspended, State::Suspended),
        (K::Resumed, State::InReview),
        (K::Closed, State::Closed),
        (K::ResultIssued, State::ResultIssued),
        (K::Archived, State::Archived),
    ]);
    goes_through(&[(K::Accepted, State::Accepted), (K::Refused, State::Refused)]);
    goes_through(&[(K::Voided, State::Void)]);
    goes_through(&[
        (K::Returned, State::Returned),
        (K::Submitted, State::Submitted),
        (K::Accepted, State::Accepted),
    ]);
}

#[test]
fn a_draft_has_no_clock_until_it_is_submitted() {
    let mut desk = Desk::default();
    let draft = Told {
        received_at: None,
        ..due("11-02 09:00", "11-09 17:30")
    };
    desk.tell("C1", draft, "11-02 09:00").expect("told");
    assert_eq!(desk.case("C1").state, State::Draft);
    assert_eq!(desk.case("C1").limits.acceptance_due, None);
    let urge = CaseCommand::Urge {
        case_no: no("C1"),
        note: None,
    };
    assert_eq!(desk.refused(&urge, "11-02 10:00"), "case_not_submitted");
    desk.happens("C1", K::Submitted, "11-03 09:00");
    assert_eq!(desk.case("C1").state, State::Submitted);
    assert!(desk.case("C1").limits.acceptance_due.is_some());
}

/// AC-C02-3
#[test]
fn the_applicants_choice_moves_the_case_on_or_lists_it_as_awaiting() {
    let mut desk = known();
    desk.tell("C2", received("11-02 09:00"), "11-02 09:00")
        .expect("told");
    for case in ["C1", "C2"] {
        desk.happens(case, K::PreReviewPassed, "11-02 10:00");
    }
    desk.happens("C1", K::MaterialsSubmitted, "11-02 11:00");
    desk.happens("C2", K::MaterialsDelayed, "11-02 11:00");
    assert_eq!(desk.case("C1").state, State::Accepted);
    assert_eq!(desk.case("C1").accepted_at, Some(at("11-02 11:00")));
    assert_eq!(desk.case("C2").state, State::AwaitingMaterials);
}

/// AC-C02-4
#[test]
fn a_closing_told_before_the_acceptance_is_kept_and_noted_once() {
    let mut desk = known();
    desk.happens("C1", K::Closed, "11-04 15:00");
    let late = |desk: &mut Desk, kind, when| {
        desk.step("C1", step(kind, when), "11-05 09:00")
            .expect("told")
    };
    late(&mut desk, K::Accepted, "11-03 10:00");
    late(&mut desk, K::ReviewBegun, "11-03 11:00");
    let case = desk.case("C1");
    assert_eq!(case.state, State::Closed);
    assert_eq!(case.accepted_at, Some(at("11-03 10:00")));
    assert_eq!(case.steps.len(), 3);
    assert_eq!(case.wrong_order.as_ref().map(|w| w.kind), Some(K::Accepted));
    assert!(!case.time_inverted);
    let notes = |r: &&rules::machine::Recorded<CaseEvent>| {
        matches!(r.event, CaseEvent::WrongOrderNoted { .. })
    };
    assert_eq!(desk.journal.iter().filter(notes).count(), 1);
}

/// AC-D03-1: the fault; the alarm is the alert desk's.
#[test]
fn an_acceptance_after_the_closing_is_kept_and_called_inverted() {
    let mut desk = known();
    desk.happens("C1", K::Closed, "11-04 09:40");
    desk.happens("C1", K::Accepted, "11-04 10:00");
    let case = desk.case("C1");
    assert_eq!(case.state, State::Closed);
    assert!(case.time_inverted);
    let before = case.as_of(at("11-04 09:50"), &Settings::default());
    assert!(!before.expect("it was open").time_inverted);
}

#[test]
fn what_was_told_before_is_a_repeat_and_not_a_second_step() {
    let mut desk = known();
    let accepted = || step(K::Accepted, "11-02 10:00");
    assert_eq!(desk.step("C1", accepted(), "11-02 10:00"), Ok(1));
    assert_eq!(desk.step("C1", accepted(), "11-02 12:00"), Ok(0));
    let again = desk.tell_with("C1", received("11-02 09:00"), &[accepted()], "11-03 09:00");
    assert_eq!(again, Ok(0));
    let mut corrected = received("11-02 09:00");
    corrected.department = "taxes".to_owned();
    assert_eq!(desk.tell("C1", corrected, "11-03 09:00"), Ok(1));
    assert_eq!(desk.case("C1").told.department, "taxes");
    assert_eq!(desk.case("C1").state, State::Accepted);
}

#[test]
fn steps_that_contradict_what_is_known_are_refused_by_their_own_code() {
    let now = "11-10 09:00";
    let after = |kinds: &[K], kind: K, when: &str| {
        let mut desk = known();
        for (minute, kind) in kinds.iter().enumerate() {
            desk.happens("C1", *kind, &format!("11-03 10:{minute:02}"));
        }
        desk.step_refused("C1", step(kind, when), now)
    };
    let later = "11-09 09:00";
    assert_eq!(after(&[K::Closed], K::Refused, later), "case_already_ended");
    assert_eq!(after(&[K::Closed], K::Voided, later), "case_already_ended");
    assert_eq!(
        after(&[K::Closed], K::Returned, later),
        "case_already_ended"
    );
    assert_eq!(
        after(&[K::Closed], K::Suspended, later),
        "case_already_ended"
    );
    assert_eq!(after(&[K::Closed], K::Closed, later), "step_already_told");
    assert_eq!(
        after(&[K::Accepted], K::Accepted, later),
        "step_already_told"
    );
    assert_eq!(
        after(&[K::MaterialsSubmitted], K::Accepted, later),
        "case_already_accepted"
    );
    assert_eq!(
        after(&[K::Refused], K::ResultIssued, later),
        "case_not_granted"
    );
    assert_eq!(after(&[K::Voided], K::Archived, later), "case_not_granted");
    assert_eq!(
        after(&[K::ResultIssued], K::Refused, later),
        "case_already_ended"
    );
    assert_eq!(after(&[K::Returned], K::Closed, later), "case_returned");
    let mut desk = known();
    assert_eq!(
        desk.step_refused("C9", step(K::Closed, now), now),
        "unknown_case"
    );
}

#[test]
fn fields_that_cannot_be_are_refused_by_name() {
    let mut desk = known();
    let field = |desk: &mut Desk, step: Step| {
        let command = CaseCommand::TellStep {
            case_no: no("C1"),
            step,
        };
        let refusal = desk.submit(&command, "11-02 10:00").expect_err("refused");
        refusal.to_string()
    };
    let ahead = field(&mut desk, step(K::Closed, "11-04 10:00"));
    assert_eq!(ahead, "the field at lies more than a day ahead");
    let without = field(&mut desk, step(K::Extended, "11-02 10:00"));
    assert!(
        without.starts_with("the field due_at belongs to extended"),
        "{without}"
    );
    let early = desk.tell("C2", due("11-02 09:00", "11-01 09:00"), "11-02 10:00");
    assert_eq!(
        early.expect_err("refused").to_string(),
        "the field due_at lies before received_at"
    );
}

#[test]
fn of_several_cases_told_at_once_all_are_taken_or_none() {
    let mut desk = known();
    let telling = |case: &str, told: Told| Telling {
        case_no: no(case),
        told,
        steps: vec![],
    };
    let bad = CaseCommand::Tell(vec![
        telling("C2", received("11-02 09:00")),
        telling("C3", due("11-02 09:00", "11-01 09:00")),
    ]);
    assert_eq!(desk.refused(&bad, "11-02 10:00"), "invalid_field");
    let twice = CaseCommand::Tell(vec![
        telling("C2", received("11-02 09:00")),
        telling("C2", received("11-02 09:00")),
    ]);
    assert_eq!(desk.refused(&twice, "11-02 10:00"), "invalid_field");
    assert!(desk.machine.case(&no("C2")).is_none());
}

/// AC-D09-2: who urged and when; that it reaches the handler is the message centre's.
#[test]
fn urging_and_assigning_are_steps_with_who_did_it() {
    let mut desk = known();
    let urge = CaseCommand::Urge {
        case_no: no("C1"),
        note: Some("请尽快".to_owned()),
    };
    desk.submit(&urge, "11-03 09:00").expect("urged");
    desk.submit(&urge, "11-03 09:01").expect("urged again");
    let assign = CaseCommand::Assign {
        case_no: no("C1"),
        to: "zhou".to_owned(),
        note: None,
    };
    desk.submit(&assign, "11-03 10:00").expect("assigned");
    let changed: Vec<&str> = desk
        .machine
        .changed_after(0)
        .map(|case| case.case_no.as_str())
        .collect();
    assert_eq!(changed, ["C1"], "each changed case once");
    let case = desk.case("C1");
    assert_eq!(case.urged(), 2);
    assert_eq!(case.steps[0].by.as_deref(), Some("wang"));
    assert_eq!(case.handler.as_deref(), Some("zhou"));
    // The source's own handler, told again, does not undo it.
    assert_eq!(
        desk.tell("C1", received("11-02 09:00"), "11-04 09:00"),
        Ok(0)
    );
    desk.happens("C1", K::Closed, "11-05 09:00");
    assert_eq!(desk.refused(&urge, "11-05 10:00"), "case_already_ended");
}

#[test]
fn an_ended_case_is_put_away_after_a_month_and_a_late_step_changes_nothing() {
    let mut desk = known();
    desk.happens("C1", K::Closed, "11-02 10:00");
    assert_eq!(desk.machine.next_deadline(), Some(at("12-02 10:00")));
    desk.pass("12-02 09:59");
    assert_eq!(desk.case("C1").state, State::Closed);
    desk.pass("12-02 10:00");
    assert!(desk.machine.case(&no("C1")).is_none());
    assert_eq!(desk.machine.next_deadline(), None);
    let late = step(K::Archived, "12-02 12:00");
    assert_eq!(desk.step_refused("C1", late, "12-02 12:00"), "unknown_case");
}

#[test]
fn other_settings_count_the_limits_of_known_cases_anew() {
    let mut desk = Desk::default();
    desk.tell("C1", crate::promised("11-02 09:00", 1), "11-02 09:00")
        .expect("told");
    desk.happens("C1", K::Accepted, "11-02 10:00");
    let mut settings = Settings::default();
    settings
        .calendar
        .holidays
        .insert("2026-11-03".parse().expect("a date"));
    let set = CaseCommand::SetSettings(settings);
    assert_eq!(desk.submit(&set, "11-02 11:00"), Ok(1));
    assert_eq!(
        desk.case("C1").limits.due,
        Some(crate::moment("11-04 17:30"))
    );
    assert_eq!(desk.submit(&set, "11-02 12:00"), Ok(0));
    let changed: Vec<&str> = desk
        .machine
        .changed_after(2)
        .map(|c| c.case_no.as_str())
        .collect();
    assert_eq!(changed, ["C1"]);
}

#[test]
fn the_row_of_a_case_carries_the_whole_case() {
    let mut desk = known();
    let before = desk.machine.clone();
    desk.happens("C1", K::Accepted, "11-02 10:00");
    let rows = before.items(&desk.journal[1..]);
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].id.as_str(), rows[0].state.as_str()),
        ("C1", "accepted")
    );
    let whole: rules::cases::Case = serde_json::from_str(&rows[0].body).expect("a case");
    assert_eq!(whole, *desk.case("C1"));
}
