//! Conditions of rules: what they mean, and what is refused.

use std::collections::BTreeMap;

use rules::alerts::catalogue;
use rules::alerts::condition::{Condition, Error, Parameters, Verdict};
use rules::alerts::subject::{SubjectKind, Value};

fn parameters() -> BTreeMap<String, f64> {
    BTreeMap::from([("most".to_owned(), 30.0), ("share".to_owned(), 0.5)])
}

fn condition(text: &str) -> Condition {
    Condition::parse(text, SubjectKind::Queue, &parameters()).expect("a condition")
}

fn errors(text: &str) -> Vec<Error> {
    Condition::parse(text, SubjectKind::Queue, &parameters()).expect_err("mistakes")
}

/// The values of a queue of which only these are known.
fn queue(known: &[(&str, Value)]) -> Vec<Value> {
    let mut values = vec![Value::Missing; catalogue::variables(SubjectKind::Queue).len()];
    for (name, value) in known {
        let (slot, _) = catalogue::find(SubjectKind::Queue, name).expect("a variable");
        values[slot] = value.clone();
    }
    values
}

fn number(number: f64) -> Value {
    Value::Number(number)
}

fn verdict(text: &str, known: &[(&str, Value)]) -> Verdict {
    let bound = Parameters::of(&parameters(), None);
    condition(text).eval(&queue(known), &bound)
}

#[test]
fn numbers_compare_without_regard_to_integer_or_decimal() {
    let known = [("waiting", number(31.0)), ("open_windows", number(2.0))];
    for (text, expected) in [
        ("waiting > 2 * open_windows", true),
        ("waiting * 1.5 > 46", true),
        ("waiting / open_windows == 15.5", true),
        ("waiting > param.most && waiting < param.most + 2", true),
        ("-waiting < -30", true),
        ("!(waiting > 30)", false),
        ("waiting in [30, 31]", true),
        ("(waiting > 40 ? 1 : 2) == 2", true),
        ("waiting > 40 ? true : open_windows == 2", true),
        ("waiting - (open_windows - 1) == 30", true),
    ] {
        let expected = if expected {
            Verdict::True
        } else {
            Verdict::False
        };
        assert_eq!(verdict(text, &known), expected, "{text}");
    }
}

#[test]
fn what_is_missing_follows_kleenes_table() {
    use Verdict::{False, Missing, True};
    let cases = [
        ("waiting > 1", True),
        ("waiting > 9", False),
        ("idle_windows > 1", Missing),
    ];
    let known = [("waiting", number(5.0))];
    let and = |a, b| match (a, b) {
        (False, _) | (_, False) => False,
        (True, True) => True,
        _ => Missing,
    };
    let or = |a, b| match (a, b) {
        (True, _) | (_, True) => True,
        (False, False) => False,
        _ => Missing,
    };
    for (left, a) in cases {
        for (right, b) in cases {
            assert_eq!(
                verdict(&format!("{left} && {right}"), &known),
                and(a, b),
                "{a:?} and {b:?}"
            );
            assert_eq!(
                verdict(&format!("{left} || {right}"), &known),
                or(a, b),
                "{a:?} or {b:?}"
            );
        }
        let not = match a {
            True => False,
            False => True,
            Missing => Missing,
        };
        assert_eq!(verdict(&format!("!({left})"), &known), not);
    }
}

#[test]
fn a_division_by_zero_is_missing_and_has_asks_what_is_known() {
    let known = [("waiting", number(5.0)), ("open_windows", number(0.0))];
    assert_eq!(
        verdict("waiting / open_windows > 3", &known),
        Verdict::Missing
    );
    assert_eq!(
        verdict("has(waiting) && !has(idle_windows)", &known),
        Verdict::True
    );
    assert_eq!(
        condition("waiting > idle_windows").missing(&queue(&known)),
        ["idle_windows"]
    );
}

#[test]
fn a_duration_takes_the_unit_of_what_it_is_compared_with() {
    let known = [("longest_wait_minutes", number(31.0))];
    assert_eq!(
        verdict("longest_wait_minutes > duration(\"30m\")", &known),
        Verdict::True
    );
    assert_eq!(
        verdict("duration('1h') > longest_wait_minutes", &known),
        Verdict::True
    );
    assert_eq!(
        verdict("longest_wait_minutes > duration('15m') * 2", &known),
        Verdict::True
    );
}

#[test]
fn every_mistake_is_found_at_once_with_its_place() {
    let text =
        "wating > 2 && open_windows > longest_wait_minutes || paused > 3 || waiting > param.mst";
    let found = errors(text);
    let seen: Vec<(&str, &str)> = found
        .iter()
        .map(|e| (e.code, &text[e.start..e.end]))
        .collect();
    assert_eq!(
        seen,
        [
            ("unknown_variable", "wating"),
            ("unit", "open_windows > longest_wait_minutes"),
            ("type", "paused > 3"),
            ("unknown_parameter", "param.mst"),
        ]
    );
    assert!(
        found[0].message.en.contains("did you mean waiting?"),
        "{:?}",
        found[0]
    );
    assert!(
        found[3].message.en.contains("did you mean param.most?"),
        "{:?}",
        found[3]
    );
}

#[test]
fn what_is_no_part_of_the_language_is_refused_where_it_stands() {
    for (text, code, at) in [
        ("waiting > ", "syntax", ""),
        ("waiting > 3 and paused", "syntax", "and"),
        ("waiting > 30m", "syntax", "m"),
        ("waiting = 3", "syntax", "="),
        ("等候 > 3", "syntax", "等"),
        (
            "waiting > 99999999999999999999",
            "syntax",
            "99999999999999999999",
        ),
        ("waiting", "type", "waiting"),
        ("waiting + 1", "type", "waiting + 1"),
        ("1 < 2", "constant", "1 < 2"),
        (
            "[1, 2].all(x, x > waiting)",
            "unsupported",
            "[1, 2].all(x, x > waiting)",
        ),
        ("size('abc') > waiting", "unsupported", "size('abc')"),
        ("waiting % 2 == 0", "unsupported", "waiting % 2"),
        ("hall.waiting > 3", "unsupported", "hall.waiting"),
        ("waiting == null", "unsupported", "null"),
        ("waiting in [1, open_windows]", "type", "open_windows"),
        ("waiting == 'many'", "type", "waiting == 'many'"),
        ("waiting > duration('5')", "type", "'5'"),
    ] {
        let found = errors(text);
        let first = &found[0];
        assert_eq!(
            (first.code, &text[first.start..first.end]),
            (code, at),
            "{text}: {found:?}"
        );
    }
    let found = Condition::parse("state == 'firng'", SubjectKind::Hall, &BTreeMap::new())
        .expect_err("a mistake");
    assert_eq!(found[0].code, "unknown_text");
}

#[test]
fn a_condition_is_bounded_in_length_depth_and_parts() {
    let long = format!("waiting > 3 {}", " ".repeat(5000));
    let deep = format!("{}paused{}", "!(".repeat(40), ")".repeat(40));
    let many = vec!["waiting > 3"; 80].join(" || ");
    let nested = format!("{}paused", "!".repeat(4000));
    for (text, code) in [
        (&long, "too_long"),
        (&deep, "too_deep"),
        (&many, "too_many_nodes"),
    ] {
        assert_eq!(errors(text)[0].code, code);
    }
    // Whatever the parser makes of it, it answers.
    let _ = Condition::parse(&nested, SubjectKind::Queue, &parameters());
}

#[test]
fn why_gives_every_comparison_with_its_values() {
    let known = [("waiting", number(31.0)), ("open_windows", number(2.0))];
    let bound = Parameters::of(
        &parameters(),
        Some(&BTreeMap::from([("most".to_owned(), 20.0)])),
    );
    let why = condition("waiting > 2*open_windows && (paused || waiting > param.most)")
        .explain(&queue(&known), &bound);
    let lines: Vec<(&str, Value, Value, Verdict)> = why
        .iter()
        .map(|c| (c.text.as_str(), c.left.clone(), c.right.clone(), c.holds))
        .collect();
    assert_eq!(
        lines,
        [
            (
                "waiting > 2 * open_windows",
                number(31.0),
                number(4.0),
                Verdict::True
            ),
            (
                "paused",
                Value::Missing,
                Value::Bool(true),
                Verdict::Missing
            ),
            (
                "waiting > param.most",
                number(31.0),
                number(20.0),
                Verdict::True
            ),
        ]
    );
}
