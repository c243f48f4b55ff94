//! Unit tests of rules: promtool's scenarios, and where ours differ from it on purpose.

use rules::alerts::shipped::shipped;
use rules::alerts::source::RuleFile;
use rules::alerts::trial;

/// A rule `waiting > 30` with these settings, and one test of it. All failures, one a line.
fn failures(settings: &str, test: &str) -> String {
    let text = format!(
        "version = 1\n[[rule]]\nid = 'R'\nname = 'r'\ntopic = 'flow'\nsubject = 'queue'\n{settings}\n[[test]]\nname = 't'\n{test}\n"
    );
    let file = RuleFile::parse(&text).expect("a rule file");
    let found = trial::run(&file.tests[0], &file.rules[0]).expect("conditions");
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn passes(settings: &str, test: &str) {
    assert_eq!(failures(settings, test), "", "{settings}\n{test}");
}

const FOR_5M: &str = "when = 'waiting > 30'\nfor = '5m'";

#[test]
fn a_missing_sample_does_not_reset_and_a_false_one_does() {
    // As promtool: five minutes, one sample missing at minute 3.
    passes(
        FOR_5M,
        "series.waiting = '40 40 40 _ 40x10'\nraised = ['5m']",
    );
    // A false sample at minute 3 starts anew: silent at 8m, raised at 9m.
    passes(
        FOR_5M,
        "series.waiting = '40 40 40 20 40x10'\nraised = ['9m']\nexpect = [{at = '8m', is = 'pending'}]",
    );
    // So does a subject that is gone.
    passes(
        FOR_5M,
        "series.waiting = '40 40 40 stale 40x10'\nraised = ['9m']",
    );
}

#[test]
fn without_data_nothing_comes_due_and_nothing_is_resolved() {
    // promtool 2.42 fires at 5m through five missing samples, and resolves an alert whose series is
    // lost for longer. Ours waits for data, keeps what stands and says since when there is none.
    passes(
        FOR_5M,
        "series.waiting = '40 40 _x4 40x5'\nraised = ['6m']\nexpect = [{at = '5m', is = 'pending', no_data = true}]",
    );
    passes(
        FOR_5M,
        "series.waiting = '40x6 _x9'\nraised = ['5m']\nresolved = []\nexpect = [{at = '20m', is = 'firing', no_data = true}]",
    );
    let clear = format!("{FOR_5M}\non_missing = 'clear'");
    passes(
        &clear,
        "series.waiting = '40x6 _x9'\nraised = ['5m']\nresolved = ['7m']",
    );
    let fire = "when = 'waiting > 30'\nfor = '5m'\non_missing = 'fire'";
    passes(fire, "series.waiting = '10 _x9'\nraised = ['6m']");
}

#[test]
fn a_hold_that_is_no_multiple_of_the_interval_ends_when_it_is_over() {
    // promtool rounds 90 s up to the next evaluation at 2m.
    passes(
        "when = 'waiting > 30'\nfor = '90s'",
        "series.waiting = '40x5'\nraised = ['90s']",
    );
}

#[test]
fn an_alert_is_kept_while_its_condition_has_been_false_for_less_than_the_time() {
    passes(
        "when = 'waiting > 50'\nfor = '1m'\nkeep_firing_for = '3m'",
        "series.waiting = '60 60 60 10x3'\nraised = ['1m']\nresolved = ['6m']\nexpect = [{at = '5m', is = 'keeping'}]",
    );
    // What is only pending is never kept.
    passes(
        "when = 'waiting > 50'\nfor = '1m'\nkeep_firing_for = '1m'",
        "series.waiting = '75 10 10'\nraised = []\nexpect = [{at = '1m', is = 'normal'}]",
    );
    passes(
        "when = 'waiting > 50'\nfor = '1m'\nkeep_firing_for = '1m'",
        "series.waiting = '75 85 70 70 10 10'\nraised = ['1m']\nresolved = ['5m']\nexpect = [{at = '0', is = 'pending'}]",
    );
}

#[test]
fn absence_is_what_does_not_become_known() {
    // The last known value at minute 4: missing from 5m, and a condition that holds for ten minutes
    // fires at 15m. promtool says 20m, because it looks back for five minutes first.
    passes(
        "when = '!has(waiting)'\nfor = '10m'",
        "series.waiting = '1x4 _x14'\nraised = ['15m']",
    );
}

#[test]
fn a_rule_that_cannot_be_evaluated_says_what_is_missing() {
    // Prometheus alerts for the hall with a capacity and stays silent about the other.
    let settings = "when = 'waiting > 3 * open_windows'";
    let test = "series = {waiting = '50'}\nexpect = [{at = '0', is = 'firing'}]";
    let told = failures(settings, test);
    assert_eq!(
        told,
        "at 0s: expected firing, found normal\n    waiting > 3 * open_windows: 50 > ? is missing"
    );
    passes(
        settings,
        "series = {waiting = '50'}\nexpect = [{at = '0', is = 'normal', no_data = true}]",
    );
}

#[test]
fn levels_apart_and_active_hours_hold_in_tests_too() {
    passes(
        "when = 'waiting > 30'\nclear_when = 'waiting < 20'",
        "series.waiting = '40 25 25 31 19 25'\nraised = ['0']\nresolved = ['4m']",
    );
    passes(
        "when = 'waiting > 30'\nactive = {hours = '09:00-17:00', days = ['mon'], time_zone = 'Asia/Shanghai'}",
        "start = '2026-11-02T08:58:00+08:00'\nseries.waiting = '40x5'\nraised = ['2m']",
    );
}

#[test]
fn a_test_that_fails_names_the_instant_and_why() {
    assert_eq!(
        failures(
            FOR_5M,
            "series.waiting = '40x5'\nraised = ['4m']\nexpect = [{at = '4m', is = 'firing'}]"
        ),
        "at 4m: expected firing, found pending\n    waiting > 30: 40 > 30 is true\nexpected raised at [4m], found [5m]"
    );
}

#[test]
fn the_shipped_rules_are_sound_and_pass_their_tests() {
    let mut ids = std::collections::BTreeSet::new();
    for (name, text) in shipped() {
        let file = RuleFile::parse(text).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
        let [rule] = file.rules.as_slice() else {
            panic!("{name} holds one rule");
        };
        assert_eq!(rule.id, *name);
        assert!(!file.tests.is_empty(), "{name} is tested");
        for test in &file.tests {
            let found = trial::run(test, rule).expect("conditions");
            let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert!(
                found.is_empty(),
                "{name}:{} {}: {}",
                test.line,
                test.name,
                lines.join("\n")
            );
        }
        ids.insert(rule.id.clone());
    }
    let named = shipped().iter().flat_map(|(_, text)| {
        let rules = RuleFile::parse(text).expect("a rule file").rules;
        rules
            .into_iter()
            .flat_map(|rule| [rule.supersedes, rule.inhibits].concat())
    });
    for id in named {
        assert!(ids.contains(&id), "{id} is shipped");
    }
}
