//! `hallkeeper rules`: what it says and how it ends.

use std::path::PathBuf;
use std::process::Command;

/// Exit code, standard output, standard error.
fn rules(arguments: &[&str]) -> (i32, String, String) {
    let ended = Command::new(env!("CARGO_BIN_EXE_hallkeeper"))
        .arg("rules")
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("hallkeeper runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let code = ended.status.code().expect("an exit code");
    (code, text(ended.stdout), text(ended.stderr))
}

/// The shipped rule files.
fn shipped() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/shipped");
    let files = std::fs::read_dir(folder).expect("the shipped rules");
    let mut paths: Vec<String> = files
        .map(|file| file.expect("a file").path().display().to_string())
        .collect();
    paths.sort();
    paths
}

/// A file of this test alone.
fn file(name: &str, text: &str) -> String {
    let name = format!("hallkeeper-rules-{}-{name}", std::process::id());
    let path: PathBuf = std::env::temp_dir().join(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

#[test]
fn the_shipped_rule_files_are_without_mistakes_and_pass_their_tests() {
    let shipped = shipped();
    let files: Vec<&str> = shipped.iter().map(String::as_str).collect();
    let (code, said, complained) = rules(&[&["check"], files.as_slice()].concat());
    let expected = format!("{0} rules in {0} files, no mistakes\n", files.len());
    assert_eq!((code, said, complained), (0, expected, String::new()));
    let (code, said, _) = rules(&[&["test"], files.as_slice()].concat());
    assert!(code == 0 && said.ends_with(" passed, 0 failed\n"), "{said}");
}

#[test]
fn mistakes_of_all_files_are_told_with_line_and_column_and_end_with_2() {
    let head = "version = 1\n[[rule]]\nid = 'R'\nname = 'r'\ntopic = 'flow'\nsubject = 'queue'\n";
    let one = file(
        "one.toml",
        &format!("{head}when = 'wating > 3 && waiting > 3 %'\n"),
    );
    let two = file(
        "two.toml",
        &format!("{head}when = 'waiting > 3'\nrepeat = '5s'\n"),
    );
    let (code, said, complained) = rules(&["check", &one, &two, "/nonexistent.toml"]);
    let lines: Vec<&str> = complained.lines().collect();
    assert_eq!((code, said.as_str()), (2, ""));
    assert_eq!(
        lines[0],
        format!("{one}:7:36: the condition ends too early")
    );
    assert_eq!(
        lines[1],
        format!("{two}:8:10: a standing alert is told again after 60 s at the least")
    );
    assert!(lines[2].starts_with("/nonexistent.toml: "), "{complained}");
    assert_eq!(lines[3], "hallkeeper: 3 mistakes");
    // What follows from the syntax is told once that is mended.
    std::fs::write(&one, format!("{head}when = 'wating > 3 && waiting > 3'\n")).expect("written");
    let (_, _, complained) = rules(&["check", &one]);
    assert!(complained.starts_with(&format!(
        "{one}:7:9: a queue has no variable 'wating', did you mean waiting?\n"
    )));
    for path in [one, two] {
        std::fs::remove_file(path).expect("removed");
    }
}

#[test]
fn a_test_that_fails_tells_why_and_ends_with_1() {
    let rule = file(
        "failing.toml",
        "version = 1\n[[rule]]\nid = 'R'\nname = 'r'\ntopic = 'flow'\nsubject = 'queue'\nwhen = 'waiting > 30'\nfor = '5m'\n\
         [[test]]\nname = 'too early'\nseries.waiting = '40x9'\nraised = ['4m']\n",
    );
    let (code, said, complained) = rules(&["test", &rule]);
    assert_eq!(code, 1);
    assert_eq!(
        said,
        format!("{rule}:9: too early\n  expected raised at [4m], found [5m]\n0 passed, 1 failed\n")
    );
    assert_eq!(complained, "hallkeeper: 1 tests failed\n");
    std::fs::remove_file(rule).expect("removed");
}

#[test]
fn a_backtest_on_a_log_of_cases_tells_each_case_once() {
    let log = file(
        "cases.csv",
        "case_no,department,received_at,due_at,closed_at,activity,at\n\
         in-time,market,2026-11-02T09:00:00+08:00,2026-11-09T17:30:00+08:00,2026-11-09T16:00:00+08:00,Confirmation of receipt,2026-11-02T09:30:00+08:00\n\
         late,market,2026-11-02T09:00:00+08:00,2026-11-09T17:30:00+08:00,2026-11-11T16:00:00+08:00,Confirmation of receipt,2026-11-02T09:30:00+08:00\n\
         open,market,2026-11-02T09:00:00+08:00,2026-11-09T17:30:00+08:00,,Confirmation of receipt,2026-11-02T09:30:00+08:00\n",
    );
    let overdue = shipped();
    let overdue = overdue
        .iter()
        .find(|path| path.contains("R02-"))
        .expect("the rule");
    let until = "2026-11-20T00:00:00+08:00";
    let (code, said, complained) = rules(&[
        "backtest", overdue, "--cases", &log, "--until", until, "--json",
    ]);
    assert_eq!(code, 0, "{complained}");
    let told: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let rule = &told["report"]["rules"][0];
    let counts = ["raised", "resolved", "standing", "subjects_more_than_once"];
    assert_eq!(
        counts.map(|name| rule[name].as_u64()),
        [Some(2), Some(1), Some(1), Some(0)]
    );
    assert_eq!(told["against_rules_in_force"][0]["both"], 2);
    let (code, _, complained) = rules(&["backtest", overdue, "--cases", overdue]);
    assert_eq!(code, 2);
    assert!(
        complained.contains("R02-overdue-case.toml:"),
        "{complained}"
    );
    std::fs::remove_file(log).expect("removed");
}
