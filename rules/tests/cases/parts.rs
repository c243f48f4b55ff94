//! Joint approval: several departments, one case.

use rules::alerts::engine::{Compiled, Engine};
use rules::alerts::facts::case::{VARIABLES, facts};
use rules::alerts::shipped::shipped;
use rules::alerts::source::RuleFile;
use rules::alerts::subject::Value;
use rules::cases::{CaseCommand, Limit, PartTold, Settings, State, StepKind as K, Told};

use crate::{Desk, at, moment, no, of_part, received, step};

fn joint() -> Desk {
    let part = |id: &str, due: &str| PartTold {
        id: id.to_owned(),
        department: format!("dept-{id}"),
        handler: Some(format!("clerk-{id}")),
        due: Some(Limit::At(moment(due))),
    };
    let told = Told {
        coordinator: Some("zhao".to_owned()),
        parts: vec![
            part("fire", "11-09 17:30"),
            part("land", "11-10 17:30"),
            part("water", "11-12 17:30"),
        ],
        ..received("11-02 09:00")
    };
    let mut desk = Desk::default();
    desk.tell("C1", told, "11-02 09:00").expect("told");
    desk
}

fn ends(desk: &mut Desk, part: &str, when: &str) {
    desk.step("C1", of_part(part, K::Closed, when), when)
        .expect("told");
}

/// AC-C05-1
#[test]
fn the_whole_is_due_with_its_last_part_and_ends_with_it() {
    let mut desk = joint();
    assert_eq!(desk.case("C1").limits.due, Some(moment("11-12 17:30")));
    ends(&mut desk, "fire", "11-05 10:00");
    ends(&mut desk, "water", "11-06 10:00");
    let whole = step(K::Closed, "11-06 11:00");
    assert_eq!(desk.step_refused("C1", whole, "11-06 11:00"), "parts_open");
    assert!(desk.case("C1").state.is_open());
    ends(&mut desk, "land", "11-09 10:00");
    assert_eq!(desk.case("C1").state, State::Closed);
    assert_eq!(desk.case("C1").ended_at, Some(at("11-09 10:00")));
}

/// AC-C05-2: the progress and the names; the alert is the alert desk's.
#[test]
fn progress_names_the_late_department_and_the_coordinator() {
    let mut desk = joint();
    ends(&mut desk, "fire", "11-05 10:00");
    ends(&mut desk, "water", "11-06 10:00");
    let facts = facts(desk.case("C1"), &Settings::default(), at("11-11 09:00"));
    let value = |name: &str| {
        let slot = VARIABLES.iter().position(|v| v.name == name).expect(name);
        facts.values[slot].clone()
    };
    assert_eq!(value("parts"), Value::Number(3.0));
    assert_eq!(value("parts_closed"), Value::Number(2.0));
    assert_eq!(value("parts_overdue"), Value::Number(1.0));
    assert_eq!(value("late_department"), Value::Text("dept-land".into()));
    assert_eq!(value("coordinator"), Value::Text("zhao".into()));
}

/// AC-C05-2: who of the late departments and who coordinates is told.
#[test]
fn the_alert_of_a_late_department_names_whom_to_tell() {
    let mut desk = joint();
    ends(&mut desk, "fire", "11-05 10:00");
    let files = shipped().iter();
    let rules = files.flat_map(|(_, text)| RuleFile::parse(text).expect("is a rule file").rules);
    let rule = rules
        .into_iter()
        .find(|rule| rule.id == "R19-parallel-department-late");
    let rule = Compiled::new(&rule.expect("is shipped"), 1).expect("is a rule");
    let mut engine = Engine::new(vec![rule]);
    let now = at("11-13 09:00");
    let case = facts(desk.case("C1"), &Settings::default(), now);
    let found = engine.feed("cases", &[case], now);
    let finding = found[0].finding.as_ref().expect("it fires");
    let people: Vec<(&str, &str)> = finding
        .people
        .iter()
        .map(|(variable, account)| (variable.as_str(), &**account))
        .collect();
    assert_eq!(
        people,
        [
            ("late_handlers", "clerk-land"),
            ("late_handlers", "clerk-water"),
            ("coordinator", "zhao")
        ]
    );
    assert_eq!(
        finding.text.zh,
        "企业设立 C1：dept-land、dept-water超期（进度 1/3，牵头人 zhao）"
    );
}

#[test]
fn a_part_that_is_refused_refuses_the_whole_with_the_last() {
    let mut desk = joint();
    let refused = of_part("fire", K::Refused, "11-05 10:00");
    desk.step("C1", refused, "11-05 10:00").expect("told");
    ends(&mut desk, "water", "11-06 10:00");
    assert!(desk.case("C1").state.is_open());
    ends(&mut desk, "land", "11-09 10:00");
    assert_eq!(desk.case("C1").state, State::Refused);
}

#[test]
fn steps_of_parts_that_cannot_be_are_refused() {
    let mut desk = joint();
    let now = "11-05 10:00";
    let refused =
        |desk: &mut Desk, part, kind, when| desk.step_refused("C1", of_part(part, kind, when), now);
    assert_eq!(refused(&mut desk, "gas", K::Closed, now), "unknown_part");
    assert_eq!(
        refused(&mut desk, "fire", K::Archived, now),
        "step_not_for_part"
    );
    ends(&mut desk, "fire", "11-04 10:00");
    assert_eq!(
        refused(&mut desk, "fire", K::Refused, "11-04 09:00"),
        "case_already_ended"
    );
    assert_eq!(
        refused(&mut desk, "fire", K::Suspended, now),
        "case_already_ended"
    );
}

#[test]
fn a_part_that_has_steps_cannot_be_left_out_when_told_again() {
    let mut desk = joint();
    ends(&mut desk, "fire", "11-04 10:00");
    let mut told = desk.case("C1").told.clone();
    told.parts.remove(0);
    let telling = rules::cases::Telling {
        case_no: no("C1"),
        told,
        steps: vec![],
    };
    let again = CaseCommand::Tell(vec![telling]);
    assert_eq!(desk.refused(&again, "11-05 10:00"), "unknown_part");
}
