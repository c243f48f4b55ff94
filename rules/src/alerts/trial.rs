//! Runs the unit tests of a rule file in simulated time, on the engine that the live desk runs.
//!
//! Between two samples the last one stands, and what time alone brings comes when it is due, not at
//! the next sample.

use std::fmt;

use crate::alerts::catalogue;
use crate::alerts::condition::{Comparison, Error};
use crate::alerts::duration::write_secs;
use crate::alerts::engine::{Compiled, Engine};
use crate::alerts::rule::Rule;
use crate::alerts::source::series::Sample;
use crate::alerts::source::{Expected, UnitTest};
use crate::alerts::subject::{Facts, Subject, Value};
use crate::alerts::watch::{Phase, Watch};
use crate::name::Name;
use crate::time::Timestamp;

/// Name of the one subject of a test.
const SUBJECT: &str = "test";

/// Where a test did not come out as expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Seconds from the start, where it is about an instant.
    pub at_secs: Option<u64>,
    pub expected: String,
    pub found: String,
    /// Every comparison with its values at that instant.
    pub why: Vec<Comparison>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at_secs {
            write!(f, "at {}: ", write_secs(at))?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        for one in &self.why {
            let holds = format!("{:?}", one.holds).to_lowercase();
            let (left, right) = (told(&one.left), told(&one.right));
            write!(
                f,
                "\n    {}: {left} {} {right} is {holds}",
                one.text, one.op
            )?;
        }
        Ok(())
    }
}

fn told(value: &Value) -> String {
    match value {
        Value::Missing => "?".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => format!("\"{text}\""),
    }
}

/// Where the watch stood from an instant on.
struct Point {
    at: Timestamp,
    watch: Watch,
    facts: Facts,
}

/// Runs one test of a rule. No failures is a pass.
///
/// # Errors
/// The mistakes of the rule's conditions.
pub fn run(test: &UnitTest, rule: &Rule) -> Result<Vec<Failure>, Vec<Error>> {
    let compiled = Compiled::new(rule, 1)?;
    let mut engine = Engine::new(vec![compiled.clone()]);
    let course = course(test, rule, &mut engine);
    let mut failures = Vec::new();
    for expected in &test.expect {
        failures.extend(compare(test, expected, &course, &compiled));
    }
    let opens = |point: &Point| point.watch.phase.is_open();
    let turns = |open: bool| -> Vec<u64> {
        let mut before = false;
        let mut turns = Vec::new();
        for point in &course {
            if opens(point) != before && opens(point) == open {
                turns.push(point.at.secs_since(test.start));
            }
            before = opens(point);
        }
        turns
    };
    for (name, expected, open) in [
        ("raised", &test.raised, true),
        ("resolved", &test.resolved, false),
    ] {
        let found = turns(open);
        if let Some(expected) = expected.as_ref().filter(|expected| **expected != found) {
            failures.push(Failure {
                at_secs: None,
                expected: format!("{name} at [{}]", written(expected)),
                found: format!("[{}]", written(&found)),
                why: Vec::new(),
            });
        }
    }
    Ok(failures)
}

fn written(instants: &[u64]) -> String {
    let instants: Vec<String> = instants.iter().map(|secs| write_secs(*secs)).collect();
    instants.join(", ")
}

/// The whole course of a test, one point per sample and per deadline between.
fn course(test: &UnitTest, rule: &Rule, engine: &mut Engine) -> Vec<Point> {
    let samples = test.series.iter().map(|(_, samples)| samples.len()).max();
    let samples = samples.unwrap_or(0);
    let after = |secs: u64| test.start.plus_secs(secs);
    let asked = test.expect.iter().map(|expected| expected.at_secs);
    let turns = test.raised.iter().chain(&test.resolved).flatten().copied();
    // A while longer than the last expectation, so that a late alert is seen.
    let last = asked.chain(turns).max().unwrap_or(0) + test.interval_secs;
    let end = after(last.max(samples as u64 * test.interval_secs));
    let mut course = Vec::new();
    let mut facts = nothing(test, rule);
    for step in 0.. {
        let now = after(step as u64 * test.interval_secs);
        if now > end {
            break;
        }
        if step < samples {
            let gone = fill(test, step, &mut facts);
            let all = [facts.clone()];
            engine.feed(SUBJECT, if gone { &[] } else { &all }, now);
            course.push(point(engine, rule, &facts, now));
        }
        let next = match step + 1 < samples {
            true => after((step as u64 + 1) * test.interval_secs),
            false => end.plus_secs(1),
        };
        pass_time(engine, rule, &facts, next, &mut course);
        if step + 1 >= samples {
            break;
        }
    }
    course
}

/// Everything that falls due before `next`.
fn pass_time(
    engine: &mut Engine,
    rule: &Rule,
    facts: &Facts,
    next: Timestamp,
    course: &mut Vec<Point>,
) {
    let mut last = None;
    while let Some(due) = engine.next_deadline().filter(|due| *due < next) {
        if last.is_some_and(|last| due <= last) {
            return;
        }
        engine.elapse(std::slice::from_ref(facts), due);
        course.push(point(engine, rule, facts, due));
        last = Some(due);
    }
}

fn point(engine: &Engine, rule: &Rule, facts: &Facts, at: Timestamp) -> Point {
    let watch = engine.watch(&rule.id, &facts.subject);
    Point {
        at,
        watch: watch.copied().unwrap_or_default(),
        facts: facts.clone(),
    }
}

fn nothing(test: &UnitTest, rule: &Rule) -> Facts {
    let variables = catalogue::variables(rule.subject).len();
    Facts {
        subject: Subject::new(rule.subject, SUBJECT),
        label: Name::same(test.name.as_str()),
        hall: test.hall.clone(),
        department: None,
        handler: None,
        values: vec![Value::Missing; variables].into(),
    }
}

/// Puts the values of one sample in place; whether the subject is gone. A series that is shorter
/// than the others goes on with its last value.
fn fill(test: &UnitTest, step: usize, facts: &mut Facts) -> bool {
    let mut gone = false;
    for (slot, samples) in &test.series {
        match samples.get(step) {
            Some(Sample::Value(value)) => facts.values[*slot] = value.clone(),
            Some(Sample::Stale) => gone = true,
            None => {}
        }
    }
    gone
}

fn compare(
    test: &UnitTest,
    expected: &Expected,
    course: &[Point],
    rule: &Compiled,
) -> Option<Failure> {
    let at = test.start.plus_secs(expected.at_secs);
    let point = course.iter().rev().find(|point| point.at <= at)?;
    let found = [
        Some(phase_name(point.watch.phase)),
        expected
            .no_data
            .map(|_| mark(point.watch.no_data_since.is_some(), "no data", "data")),
        expected
            .flapping
            .map(|_| mark(point.watch.flapping, "flapping", "steady")),
    ];
    let wanted = [
        expected.phase.or(found[0]),
        expected
            .no_data
            .map(|wanted| mark(wanted, "no data", "data")),
        expected
            .flapping
            .map(|wanted| mark(wanted, "flapping", "steady")),
    ];
    let join =
        |words: [Option<&str>; 3]| words.into_iter().flatten().collect::<Vec<_>>().join(", ");
    (found != wanted).then(|| Failure {
        at_secs: Some(expected.at_secs),
        expected: join(wanted),
        found: join(found),
        why: rule.explain(&point.facts),
    })
}

const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Normal => "normal",
        Phase::Pending { .. } => "pending",
        Phase::Firing { .. } => "firing",
        Phase::Keeping { .. } => "keeping",
    }
}

const fn mark(is: bool, yes: &'static str, no: &'static str) -> &'static str {
    if is { yes } else { no }
}
