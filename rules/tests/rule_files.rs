//! Rule files: what they may say, and what is refused where.

use rules::alerts::rule::{Audience, OnMissing, Severity, Topic};
use rules::alerts::source::RuleFile;
use rules::alerts::subject::SubjectKind;

const WHOLE: &str = r#"
version = 1

[[rule]]
id = "F01-wait-over-target"
name = {zh = "等候超时", en = "Wait over target"}
topic = "flow"
subject = "queue"
when = "longest_wait_minutes > param.most"
clear_when = 'longest_wait_minutes < param.most - 5'
for = "5m"
keep_firing_for = "2m"
on_missing = "clear"
severity = "warning"
active = {hours = "08:30-17:30", days = ["mon", "tue"], time_zone = "Asia/Shanghai"}
param.most = 30
message = {zh = "{label}最长等候 {longest_wait_minutes} 分钟", en = "{label}: longest wait {longest_wait_minutes} of {param.most} min"}
flap = true
notify = ["role:supervisor", "handler", "receiver:duty"]
escalate = [{after = "30m", unless = "acknowledged", to = ["role:leader"], severity = "critical"}]
group_by = ["hall"]
supersedes = ["F00-wait"]
repeat = "1h"
limit = 50
problem = "process"
remedies = ["open_window", "urge"]

[rule.hall.H1]
most = 45

[[test]]
name = "fires after five minutes"
hall = "H1"
interval = "1m"
start = "2026-11-02T09:00:00+08:00"
raised = ["5m"]
expect = [{at = "1m", is = "pending"}]

[test.series]
longest_wait_minutes = "50x6 _ stale"
"#;

fn faults(text: &str) -> Vec<String> {
    let faults = RuleFile::parse(text).expect_err("mistakes");
    faults.iter().map(ToString::to_string).collect()
}

/// A rule with these lines instead of the condition.
fn with(lines: &str) -> String {
    format!(
        "version = 1\n[[rule]]\nid = \"R\"\nname = \"a\"\ntopic = \"flow\"\nsubject = \"queue\"\n{lines}\n"
    )
}

#[test]
fn a_rule_file_says_everything_of_a_rule() {
    let file = RuleFile::parse(WHOLE).expect("a rule file");
    let [rule] = file.rules.as_slice() else {
        panic!("one rule");
    };
    assert_eq!(
        (rule.topic, rule.subject, rule.severity),
        (Topic::Flow, SubjectKind::Queue, Severity::Warning)
    );
    assert_eq!(
        (rule.for_secs, rule.keep_firing_for_secs, rule.repeat_secs),
        (300, 120, 3600)
    );
    assert_eq!((rule.on_missing, rule.limit), (OnMissing::Clear, 50));
    let active = rule.active.as_ref().expect("hours");
    assert_eq!(
        (
            active.from_minute,
            active.until_minute,
            active.weekdays.len()
        ),
        (510, 1050, 2)
    );
    assert_eq!(rule.per_hall[&"H1".parse().expect("a hall")]["most"], 45.0);
    assert_eq!(rule.notify[0], Audience::Role("supervisor".to_owned()));
    assert_eq!(rule.escalate[0].severity, Some(Severity::Critical));
    let test = &file.tests[0];
    assert_eq!(
        (test.rule.as_str(), test.interval_secs, test.line),
        ("F01-wait-over-target", 60, 31)
    );
    assert_eq!(test.series[0].1.len(), 9);
}

#[test]
fn every_mistake_of_a_file_is_told_at_once_with_line_and_column() {
    let text = r#"version = 1
[[rule]]
id = "R 1"
name = {zh = "一", en = ""}
topic = "flwo"
subject = "queue"
when = "wating > 3"
for = "5 minutes"
reapeat = "1h"
notify = ["supervisor"]
message = "等候 {waitng} 人"
"#;
    assert_eq!(
        faults(text),
        [
            "3:6: 1 to 64 letters, digits, '-', '_' or '.' is expected here",
            "4:8: one line of 1 to 80 characters is expected here",
            "5:9: 'flwo' is not one of overdue, flow, crowd, api, data, device, rating, assessment, operations, did you mean flow?",
            "7:9: a queue has no variable 'wating', did you mean waiting?",
            "8:7: a duration such as \"90s\", \"5m\" or \"1h30m\" is expected here",
            "9:1: there is no field 'reapeat', did you mean repeat?",
            "10:11: \"handler\", \"role:ROLE\", \"receiver:ID\" or \"person:VARIABLE\" is expected here",
            "11:16: there is no 'waitng' to fill in, did you mean waiting?",
        ]
    );
}

#[test]
fn a_mistake_in_a_condition_of_several_lines_is_found_in_its_line() {
    let text = with("when = '''\nwaiting > 3\n  && open_windos == 0'''");
    assert_eq!(
        faults(&text),
        ["9:6: a queue has no variable 'open_windos', did you mean open_windows?"]
    );
    // With escapes the places differ, so the whole text is named.
    let escaped = with("when = \"waiting > 3 \\u0026& x\"");
    assert_eq!(faults(&escaped), ["7:8: a queue has no variable 'x'"]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (lines, complaint) in [
        (
            "when = 'waiting > 3'\nrepeat = '30s'",
            "a standing alert is told again after 60 s at the least",
        ),
        (
            "when = 'waiting > 30'\nclear_when = 'waiting < 40'",
            "when waiting = 31, both when and clear_when hold",
        ),
        (
            "when = 'waiting > param.a'\nclear_when = 'waiting <= param.b'\nparam = {a = 30, b = 25}\n[rule.hall.H2]\nb = 50",
            "both when and clear_when hold",
        ),
        (
            "when = 'waiting > 30'\nparam.most = 3",
            "nothing uses the parameter most",
        ),
        (
            "when = 'waiting > 30'\nsupersedes = ['R']",
            "a rule cannot take its own place",
        ),
        (
            "when = 'waiting > 30'\nescalate = [{after = '30m'}]",
            "this escalation tells nobody",
        ),
        (
            "when = 'waiting > 30'\nseverity = 'critical'\nescalate = [{after = '30m', severity = 'warning'}]",
            "raises the severity above",
        ),
        (
            "when = 'waiting > 30'\nactive = {hours = '9-17', time_zone = 'Asia/Shangai'}",
            "hours such as",
        ),
        (
            "when = 'waiting > 30'\nflap = {low = 30, high = 20}",
            "0 < low < high",
        ),
        (
            "when = 'waiting > 30'\nnotify = ['person:waiting']",
            "there is no text variable 'waiting' that names a person",
        ),
        (
            "when = 'waiting > 30'\nlimit = 0",
            "a whole number from 1 to 100000",
        ),
        (
            "when = 'waiting > param.x'\n[rule.param]\nx = 1\n[rule.hall.H1]\ny = 2",
            "there is no field 'y'",
        ),
        (
            "when = 'waiting > 30'\n[[rule]]\nid = 'R'\nname = 'b'\ntopic = 'flow'\nsubject = 'hall'\nwhen = 'waiting > 3'",
            "rule R stands twice",
        ),
        (
            "when = 'waiting > 30'\n[[test]]\nname = 't'\nseries = {waitin = '1'}\nraised = ['5m']",
            "there is no field 'waitin'",
        ),
        (
            "when = 'waiting > 30'\n[[test]]\nname = 't'\nseries = {waiting = '1 zwei'}\nraised = ['5m']",
            "10:24: a number, 1+2x5",
        ),
        (
            "when = 'waiting > 30'\n[[test]]\nname = 't'\nseries = {waiting = '1'}",
            "this test expects nothing",
        ),
        ("when = 'waiting > 30", "invalid literal string"),
        ("", "7:1: the field when is missing"),
    ] {
        let found = RuleFile::parse(&with(lines)).expect_err(lines);
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        // A missing field is told where its table begins.
        let wanted = complaint.replace("7:1", "2:1");
        assert!(
            told.iter().any(|one| one.contains(&wanted)),
            "{lines}: {told:?}"
        );
    }
    assert_eq!(faults("[[rule]]\n")[0], "1:1: the field version is missing");
}

#[test]
fn a_gap_between_the_levels_is_hysteresis_and_allowed() {
    for lines in [
        "when = 'waiting > 30'\nclear_when = 'waiting < 20'",
        "when = 'waiting > 30'\nclear_when = 'waiting <= 30'",
        "when = 'waiting > 30'\nclear_when = 'waiting < 20 && open_windows > 2'",
    ] {
        assert!(RuleFile::parse(&with(lines)).is_ok(), "{lines}");
    }
}
