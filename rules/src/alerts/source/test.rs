//! One `[[test]]` table: a rule tried on series of values in simulated time.

use std::ops::Range;

use toml::de::DeTable;

use super::reader::{Reader, Value, get};
use super::series::{self, Sample};
use crate::alerts::catalogue;
use crate::alerts::duration;
use crate::alerts::rule::Rule;
use crate::ids::HallId;
use crate::time::Timestamp;

const FIELDS: &[&str] = &[
    "name", "rule", "hall", "start", "interval", "series", "raised", "resolved", "expect",
];

/// Monday, 5 January 2026, 09:00 in Shanghai: within ordinary office hours.
const START: Timestamp = Timestamp::from_millis(1_767_574_800_000);

/// A try of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitTest {
    pub name: String,
    /// Id of a rule of the same file.
    pub rule: String,
    pub hall: Option<HallId>,
    pub start: Timestamp,
    pub interval_secs: u64,
    /// Samples by the slot of their variable.
    pub series: Vec<(usize, Vec<Sample>)>,
    /// When alerts are raised, and when resolved, in seconds from the start: all of them.
    pub raised: Option<Vec<u64>>,
    pub resolved: Option<Vec<u64>>,
    pub expect: Vec<Expected>,
    /// Where it stands in the file.
    pub line: usize,
}

/// What is expected at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Seconds from the start.
    pub at_secs: u64,
    /// `normal`, `pending`, `firing` or `keeping`.
    pub phase: Option<&'static str>,
    pub no_data: Option<bool>,
    pub flapping: Option<bool>,
}

const PHASES: &[(&str, &str)] = &[
    ("normal", "normal"),
    ("pending", "pending"),
    ("firing", "firing"),
    ("keeping", "keeping"),
];

pub(super) fn read(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    span: Range<usize>,
    rules: &[Rule],
) -> Option<UnitTest> {
    reader.known(table, FIELDS);
    let name = reader.required(table, &span, "name", Reader::text);
    let rule = match (get(table, "rule"), rules) {
        (Some(value), _) => named(reader, value, rules),
        (None, [only]) => Some(only),
        (None, []) => None,
        (None, _) => {
            reader.required(table, &span, "rule", Reader::text);
            None
        }
    };
    let series = reader.required(table, &span, "series", |r, v| all_series(r, v, rule?));
    let hall = reader.optional(table, "hall", |r, v| match r.text(v)?.parse() {
        Ok(hall) => Some(hall),
        Err(_) => r.wrong(v, "大厅编号", "a hall's id"),
    });
    let start = reader.optional(table, "start", |r, v| {
        match Timestamp::parse_rfc3339(&r.text(v)?) {
            Some(start) => Some(start),
            None => r.wrong(
                v,
                "带时区的时刻，如 \"2026-11-02T09:00:00+08:00\"",
                "an instant such as \"2026-11-02T09:00:00+08:00\"",
            ),
        }
    });
    let interval = reader.optional(table, "interval", |r, v| match r.duration(v)? {
        0 => r.wrong(v, "大于零的间隔", "an interval above zero"),
        secs => Some(secs),
    });
    let instants = |r: &mut Reader<'_>, v: &Value<'_>| r.list(v, 1000, instant);
    let raised = reader.optional(table, "raised", instants);
    let resolved = reader.optional(table, "resolved", instants);
    let expect = reader.optional(table, "expect", |r, v| r.list(v, 1000, expected));
    if raised.is_none() && resolved.is_none() && expect.is_none() {
        let en = "this test expects nothing: give raised, resolved or expect";
        reader.fault(
            span.clone(),
            "nonsense",
            "测试没有写明期望：raised、resolved 或 expect",
            en,
        );
    }
    Some(UnitTest {
        name: name?,
        rule: rule?.id.clone(),
        hall,
        start: start.unwrap_or(START),
        interval_secs: interval.unwrap_or(60),
        series: series?,
        raised,
        resolved,
        expect: expect.unwrap_or_default(),
        line: reader.line(span.start),
    })
}

fn named<'r>(reader: &mut Reader<'_>, value: &Value<'_>, rules: &'r [Rule]) -> Option<&'r Rule> {
    let id = reader.text(value)?;
    let found = rules.iter().find(|rule| rule.id == id);
    if found.is_none() {
        let zh = format!("此文件没有规则 {id}");
        let en = format!("this file has no rule {id} without mistakes");
        reader.fault(value.span(), "value", zh, en);
    }
    found
}

fn all_series(
    reader: &mut Reader<'_>,
    value: &Value<'_>,
    rule: &Rule,
) -> Option<Vec<(usize, Vec<Sample>)>> {
    let table = reader.table(value)?;
    let names: Vec<&str> = catalogue::variables(rule.subject)
        .iter()
        .map(|variable| variable.name)
        .collect();
    reader.known(table, &names);
    let mut all = Vec::new();
    for (key, value) in table {
        let Some((slot, variable)) = catalogue::find(rule.subject, key.get_ref()) else {
            continue;
        };
        let Some(text) = reader.text(value) else {
            continue;
        };
        match series::parse(&text, variable) {
            Ok(samples) => all.push((slot, samples)),
            Err((place, zh, en)) => reader.inside(
                value,
                vec![crate::alerts::condition::Error {
                    start: place.start,
                    end: place.end,
                    code: "value",
                    message: crate::name::Name::new(zh, en),
                }],
            ),
        }
    }
    Some(all)
}

fn instant(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<u64> {
    match value.get_ref().as_str() {
        Some("0") => Some(0),
        Some(text) if duration::parse_secs(text).is_some() => duration::parse_secs(text),
        _ => reader.wrong(
            value,
            "从开始算起的时长，如 \"5m\"",
            "the time since the start, such as \"5m\"",
        ),
    }
}

/// `{at = "5m", is = "firing", no_data = false, flapping = false}`.
fn expected(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Expected> {
    let table = reader.table(value)?;
    reader.known(table, &["at", "is", "no_data", "flapping"]);
    let at = reader.required(table, &value.span(), "at", instant);
    Some(Expected {
        phase: reader.optional(table, "is", |r, v| r.word(v, PHASES)),
        no_data: reader.optional(table, "no_data", Reader::flag),
        flapping: reader.optional(table, "flapping", Reader::flag),
        at_secs: at?,
    })
}
