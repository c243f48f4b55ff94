//! Rules tried on recorded cases.

use rules::alerts::backtest::{Backtest, instants};
use rules::alerts::rule::Rule;
use rules::alerts::shipped::shipped;
use rules::alerts::source::RuleFile;
use rules::cases::{Case, Settings, StepKind};
use rules::time::TimeZone;

use crate::{Desk, at, due};

fn shipped_rule(name: &str) -> Rule {
    let (_, text) = shipped()
        .iter()
        .find(|(id, _)| *id == name)
        .expect("a rule");
    RuleFile::parse(text).expect("a rule file").rules.remove(0)
}

/// Three cases due on Monday 9 November, 17:30: one closed in time, one late, one never.
fn cases() -> Vec<Case> {
    let mut desk = Desk::default();
    for case in ["C1", "C2", "C3"] {
        desk.tell(case, due("11-02 09:00", "11-09 17:30"), "11-02 09:00")
            .expect("told");
    }
    for case in ["C1", "C2", "C3"] {
        desk.happens(case, StepKind::Accepted, "11-02 10:00");
    }
    desk.happens("C1", StepKind::Closed, "11-09 16:00");
    desk.happens("C2", StepKind::Closed, "11-11 16:00");
    ["C1", "C2", "C3"]
        .iter()
        .map(|no| desk.case(no).clone())
        .collect()
}

fn walked(rules: &[Rule]) -> Backtest {
    let cases = cases();
    let settings = Settings::default();
    let (from, until) = (at("11-01 00:00"), at("11-20 00:00"));
    let mut backtest = Backtest::new(rules, from).expect("conditions");
    for (at, place) in instants(&cases, &settings, rules, from, until) {
        backtest.feed_case(&cases[place], &settings, at);
    }
    backtest.pass_until(until);
    backtest
}

/// AC-C06-1, AC-C06-2: near due once a working day before, overdue once a moment after, and the
/// one ends as the other begins.
#[test]
fn each_case_is_told_once_and_resolved_once() {
    let rules = [
        shipped_rule("R01-near-due-case"),
        shipped_rule("R02-overdue-case"),
    ];
    let mut backtest = walked(&rules);
    let spans: Vec<String> = backtest
        .spans()
        .iter()
        .map(|span| {
            let clock = |at| TimeZone::SHANGHAI.rfc3339(at)[5..19].replace('T', " ");
            let end = span.resolved_at.map_or("stands".to_owned(), clock);
            format!(
                "{} {}: {} to {end}",
                &span.rule[..3],
                span.subject.id,
                clock(span.raised_at)
            )
        })
        .collect();
    assert_eq!(
        spans,
        [
            "R01 C1: 11-06 17:30:00 to 11-09 16:00:00",
            "R01 C2: 11-06 17:30:00 to 11-09 17:30:00",
            "R01 C3: 11-06 17:30:00 to 11-09 17:30:00",
            "R02 C2: 11-09 17:30:00 to 11-11 16:00:00",
            "R02 C3: 11-09 17:30:00 to stands",
        ]
    );
    let report = backtest.report(at("11-01 00:00"), at("11-20 00:00"), 2, TimeZone::SHANGHAI);
    let overdue = &report.rules[1];
    assert_eq!(
        (overdue.raised, overdue.resolved, overdue.standing),
        (2, 1, 1)
    );
    assert_eq!(
        (overdue.by_hour[17], overdue.subjects_more_than_once),
        (2, 0)
    );
    assert_eq!(overdue.longest.as_deref(), Some("C3"));
    assert_eq!((report.load.alerts, report.load.busiest_10min), (5, 3));
    assert_eq!(report.load.per_operator_day, 5.0 / 19.0 / 2.0);
}

#[test]
fn the_difference_to_the_rule_in_force_is_told() {
    let in_force = shipped_rule("R02-overdue-case");
    let mut later = in_force.clone();
    later.when = "days_overdue >= 3".to_owned();
    let (new, old) = (walked(&[later]), walked(&[in_force]));
    let difference = &new.against(&old, at("11-20 00:00"))[0];
    assert!(difference.in_force);
    assert_eq!((difference.raised_in_force, difference.raised), (2, 1));
    assert_eq!(
        (
            difference.only_in_force,
            difference.only_new,
            difference.both
        ),
        (1, 0, 1)
    );
    // The third working day begins on Wednesday at midnight or with its hours; two nights later at least.
    assert!(
        difference
            .mean_delay_secs
            .is_some_and(|secs| secs > 86_400.0)
    );
}
