//! Rules on subjects, pass by pass.

use rules::Timestamp;
use rules::alerts::engine::{Compiled, Engine, Observation};
use rules::alerts::rule::{ActiveHours, Rule};
use rules::alerts::subject::{Subject, SubjectKind};
use rules::alerts::watch::Phase;

use crate::support::{at, every_day, facts, hall_id, queue, rule};

fn engine(rules: &[Rule]) -> Engine {
    let compiled = rules
        .iter()
        .map(|rule| Compiled::new(rule, 1).expect("a condition"));
    Engine::new(compiled.collect())
}

fn long_queue() -> Rule {
    rule("Q1", SubjectKind::Queue, "waiting > 20")
}

fn said(found: &[Observation]) -> Vec<(&str, &str, bool)> {
    let all = found.iter();
    all.map(|o| (&*o.rule, &*o.subject.id, o.phase.is_open()))
        .collect()
}

#[test]
fn only_what_changed_is_said() {
    let mut engine = engine(&[long_queue()]);
    let mut pass = |secs, a, b| engine.feed("H1", &[queue("H1/A", a), queue("H1/B", b)], at(secs));
    assert_eq!(said(&pass(0, 10.0, 5.0)), []);
    assert_eq!(said(&pass(1, 21.0, 5.0)), [("Q1", "H1/A", true)]);
    assert_eq!(said(&pass(2, 30.0, 5.0)), []);
    assert_eq!(
        said(&pass(3, 5.0, 25.0)),
        [("Q1", "H1/A", false), ("Q1", "H1/B", true)]
    );
}

#[test]
fn what_begins_to_fire_says_why_in_words_and_values() {
    let mut engine = engine(&[long_queue()]);
    let found = engine.feed("H1", &[queue("H1/A", 31.0)], at(0));
    let finding = found[0].finding.as_ref().expect("a finding");
    assert_eq!(finding.text.zh, "H1/A：31 人等候");
    assert_eq!(finding.comparisons[0].text, "waiting > 20");
    assert_eq!(finding.clears_when, "!(waiting > 20)");
    assert_eq!(finding.hall, Some(hall_id("H1")));
}

/// On above 20, off below 10: between the two it stays what it was.
#[test]
fn different_levels_for_on_and_off_keep_an_alert_between_them() {
    let rule = Rule {
        clear_when: Some("waiting < 10".to_owned()),
        ..long_queue()
    };
    let mut engine = engine(&[rule]);
    let mut pass = |secs, n| said(&engine.feed("H1", &[queue("H1/A", n)], at(secs))).len();
    assert_eq!(
        [15.0, 21.0, 15.0, 10.0, 9.0, 15.0].map(|n| pass(n as u64, n)),
        [0, 1, 0, 0, 1, 0]
    );
}

/// Scenario 5: a hall without a capacity is not silently left out; the rule says that it cannot
/// be evaluated there, and since when.
#[test]
fn a_subject_without_the_value_is_named_instead_of_left_out() {
    let crowd = rule("C1", SubjectKind::Hall, "inside > capacity");
    let mut engine = engine(&[crowd]);
    let known = [
        facts(
            SubjectKind::Hall,
            "a",
            &[("inside", 50.0), ("capacity", 40.0)],
        ),
        facts(SubjectKind::Hall, "b", &[("inside", 50.0)]),
    ];
    assert_eq!(
        said(&engine.feed("halls", &known, at(0))),
        [("C1", "a", true)]
    );
    let blind = engine.without_data("C1");
    assert_eq!(blind.len(), 1);
    assert_eq!((&*blind[0].0.id, blind[0].1), ("b", at(0)));
    let rule = engine.rule("C1").expect("the rule");
    assert_eq!(rule.missing(&known[1]), ["capacity"]);
}

#[test]
fn a_subject_that_its_source_names_no_longer_is_gone_and_a_silent_source_changes_nothing() {
    let mut engine = engine(&[long_queue()]);
    let both = [queue("H1/A", 30.0), queue("H1/B", 30.0)];
    engine.feed("H1", &both, at(0));
    assert_eq!(said(&engine.feed("H2", &[queue("H2/A", 1.0)], at(60))), []);
    let found = engine.feed("H1", &both[1..], at(61));
    assert_eq!(said(&found), [("Q1", "H1/A", false)]);
    assert!(found[0].gone);
    assert_eq!(engine.len(), 2, "its place is free again");
}

#[test]
fn a_hall_may_have_its_own_numbers() {
    let mut rule = rule("Q1", SubjectKind::Queue, "waiting > param.most");
    rule.parameters.insert("most".to_owned(), 20.0);
    rule.per_hall
        .insert(hall_id("H2"), [("most".to_owned(), 50.0)].into());
    let mut engine = engine(&[rule]);
    assert_eq!(
        said(&engine.feed("H1", &[queue("H1/A", 30.0)], at(0))).len(),
        1
    );
    assert_eq!(
        said(&engine.feed("H2", &[queue("H2/A", 30.0)], at(0))).len(),
        0
    );
}

#[test]
fn a_restart_takes_watches_up_and_ends_those_whose_subject_is_no_more() {
    let mut engine = engine(&[Rule {
        for_secs: 60,
        ..long_queue()
    }]);
    let since = at(0);
    let waits = |id: &str| {
        (
            "Q1".into(),
            Subject::new(SubjectKind::Queue, id),
            Phase::Pending { since },
            false,
            None,
        )
    };
    engine.restore([waits("H1/A"), waits("H1/gone"), waits("H2/A")]);
    let found = engine.feed("H1", &[queue("H1/A", 30.0)], at(60));
    assert_eq!(said(&found), [("Q1", "H1/A", true)], "its age is kept");
    let gone = engine.drop_unseen(|subject| subject.id.starts_with("H1/"));
    assert_eq!(said(&gone), [("Q1", "H1/gone", false)]);
    assert_eq!(
        engine.drop_unseen(|subject| subject.id.starts_with("H1/")),
        []
    );
}

#[test]
fn a_new_version_keeps_its_watches_and_a_rule_that_goes_ends_them() {
    let mut engine = engine(&[long_queue(), rule("Q2", SubjectKind::Queue, "waiting > 5")]);
    engine.feed("H1", &[queue("H1/A", 30.0)], at(0));
    let newer = Rule {
        when: "waiting > 25".to_owned(),
        ..long_queue()
    };
    let ended = engine.set_rules(vec![Compiled::new(&newer, 2).expect("a condition")]);
    assert_eq!(said(&ended), [("Q2", "H1/A", false)]);
    assert_eq!(said(&engine.feed("H1", &[queue("H1/A", 26.0)], at(1))), []);
    assert_eq!(
        said(&engine.feed("H1", &[queue("H1/A", 25.0)], at(2))).len(),
        1
    );
}

/// Nine to five in Shanghai; and hours that pass midnight belong to the day they began on.
#[test]
fn a_rule_looks_in_its_hours_only() {
    let hours = |from: u16, until: u16| ActiveHours {
        time_zone: "Asia/Shanghai".to_owned(),
        from_minute: from * 60,
        until_minute: until * 60,
        weekdays: every_day(),
    };
    let fires = |hours: ActiveHours, time: &str| {
        let mut engine = engine(&[Rule {
            active: Some(hours),
            ..long_queue()
        }]);
        let now = Timestamp::parse_rfc3339(time).expect("a time");
        !engine.feed("H1", &[queue("H1/A", 30.0)], now).is_empty()
    };
    assert!(fires(hours(9, 17), "2026-11-02T09:00:00+08:00"));
    assert!(!fires(hours(9, 17), "2026-11-02T17:00:00+08:00"));
    assert!(!fires(hours(9, 17), "2026-11-02T08:59:59+08:00"));
    assert!(fires(hours(22, 6), "2026-11-03T05:59:00+08:00"));
    assert!(!fires(hours(22, 6), "2026-11-03T06:00:00+08:00"));
    let mut weekdays = hours(22, 6);
    weekdays.weekdays = [rules::hours::Weekday::Mon].into();
    assert!(
        fires(weekdays.clone(), "2026-11-03T05:00:00+08:00"),
        "the night of Monday"
    );
    assert!(
        !fires(weekdays, "2026-11-02T05:00:00+08:00"),
        "the night of Sunday"
    );
}

#[test]
fn between_evaluations_time_brings_what_is_due() {
    let mut engine = engine(&[Rule {
        for_secs: 90,
        ..long_queue()
    }]);
    let known = [queue("H1/A", 30.0)];
    engine.feed("H1", &known, at(0));
    assert_eq!(engine.next_deadline(), Some(at(90)));
    assert_eq!(engine.elapse(&known, at(89)), []);
    assert_eq!(said(&engine.elapse(&known, at(90))), [("Q1", "H1/A", true)]);
    assert_eq!(engine.next_deadline(), None);
}
