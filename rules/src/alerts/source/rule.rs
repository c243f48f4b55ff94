//! One `[[rule]]` table.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::de::DeTable;

use super::reader::{Reader, Value, get};
use super::{sense, sentence};
use crate::alerts::condition::Condition;
use crate::alerts::rule::{
    ActiveHours, Audience, Escalation, FlapLimits, GroupBy, OnMissing, RemedyKind, Rule, Severity,
    Topic,
};
use crate::alerts::subject::SubjectKind;
use crate::hours::{DayTime, Weekday};
use crate::ids::HallId;
use crate::name::NAME_MAX_CHARS;
use crate::time::TimeZone;

const FIELDS: &[&str] = &[
    "id",
    "name",
    "topic",
    "subject",
    "when",
    "clear_when",
    "for",
    "keep_firing_for",
    "on_missing",
    "severity",
    "active",
    "param",
    "hall",
    "message",
    "flap",
    "notify",
    "escalate",
    "group_by",
    "supersedes",
    "inhibits",
    "repeat",
    "limit",
    "problem",
    "remedies",
];

/// Longest sentence of a notice, in characters.
const MESSAGE_MAX_CHARS: usize = 500;
/// Alerts of a rule at a time, unless it says otherwise.
const LIMIT: u32 = 1000;
/// Nagios's limits of flapping.
const FLAP: FlapLimits = FlapLimits {
    low_percent: 5.0,
    high_percent: 20.0,
};

const ON_MISSING: &[(&str, OnMissing)] = &[
    ("keep", OnMissing::Keep),
    ("fire", OnMissing::Fire),
    ("clear", OnMissing::Clear),
];
const GROUPS: &[(&str, GroupBy)] = &[
    ("rule", GroupBy::Rule),
    ("topic", GroupBy::Topic),
    ("hall", GroupBy::Hall),
    ("department", GroupBy::Department),
    ("subject", GroupBy::Subject),
];
const REMEDIES: &[(&str, RemedyKind)] = &[
    ("urge", RemedyKind::Urge),
    ("accept_or_return", RemedyKind::AcceptOrReturn),
    ("open_window", RemedyKind::OpenWindow),
    ("work_order", RemedyKind::WorkOrder),
];
const WEEKDAYS: &[(&str, Weekday)] = &[
    ("mon", Weekday::Mon),
    ("tue", Weekday::Tue),
    ("wed", Weekday::Wed),
    ("thu", Weekday::Thu),
    ("fri", Weekday::Fri),
    ("sat", Weekday::Sat),
    ("sun", Weekday::Sun),
];

/// Reads a rule; none when it has a mistake.
pub(super) fn read(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    span: Range<usize>,
) -> Option<Rule> {
    reader.known(table, FIELDS);
    let kinds = SubjectKind::ALL.map(|kind| (kind.name(), kind));
    let id = reader.required(table, &span, "id", id);
    let name = reader.required(table, &span, "name", |r, v| r.name(v, NAME_MAX_CHARS));
    let topic = reader.required(table, &span, "topic", |r, v| r.word(v, &Topic::NAMES));
    let subject = reader.required(table, &span, "subject", |r, v| r.word(v, &kinds));
    let parameters = reader.optional(table, "param", numbers).unwrap_or_default();
    let mut condition = |name: &str, must: bool| {
        let read = |r: &mut Reader<'_>, v: &Value<'_>| condition(r, v, subject?, &parameters);
        match must {
            true => reader.required(table, &span, name, read),
            false => reader.optional(table, name, read),
        }
    };
    let when = condition("when", true);
    let clear_when = condition("clear_when", false);
    let message = reader.optional(table, "message", |r, v| {
        message(r, v, subject?, &parameters)
    });
    let per_hall = reader.optional(table, "hall", |r, v| per_hall(r, v, &parameters));
    // Everything is read before the first mistake ends it, so that all are told.
    let settings = settings(reader, table);
    let (when, name) = (when?, name?);
    let rule = Rule {
        id: id?,
        message: message.unwrap_or_else(|| name.clone()),
        name,
        topic: topic?,
        subject: subject?,
        when: when.0,
        clear_when: clear_when.as_ref().map(|(text, _)| text.clone()),
        per_hall: per_hall.unwrap_or_default(),
        parameters,
        ..settings
    };
    let clear_when = clear_when.as_ref().map(|(_, condition)| condition);
    sense::check(reader, table, &rule, &when.1, clear_when);
    Some(rule)
}

/// The fields that have a default.
fn settings(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Rule {
    let severity = reader
        .optional(table, "severity", |r, v| r.word(v, &Severity::NAMES))
        .unwrap_or_default();
    let secs = |reader: &mut Reader<'_>, name: &str| {
        reader
            .optional(table, name, Reader::duration)
            .unwrap_or_default()
    };
    Rule {
        id: String::new(),
        name: crate::name::Name::same(""),
        topic: Topic::Operations,
        subject: SubjectKind::Desk,
        when: String::new(),
        clear_when: None,
        parameters: BTreeMap::new(),
        per_hall: BTreeMap::new(),
        message: crate::name::Name::same(""),
        for_secs: secs(reader, "for"),
        keep_firing_for_secs: secs(reader, "keep_firing_for"),
        on_missing: reader
            .optional(table, "on_missing", |r, v| r.word(v, ON_MISSING))
            .unwrap_or_default(),
        severity,
        active: reader.optional(table, "active", active),
        flap: reader.optional(table, "flap", flap).flatten(),
        notify: reader
            .optional(table, "notify", |r, v| r.list(v, 50, audience))
            .unwrap_or_default(),
        escalate: reader
            .optional(table, "escalate", |r, v| {
                r.list(v, 10, |r, v| escalation(r, v, severity))
            })
            .unwrap_or_default(),
        group_by: reader
            .optional(table, "group_by", |r, v| {
                r.list(v, 5, |r, v| r.word(v, GROUPS))
            })
            .unwrap_or_else(|| vec![GroupBy::Rule, GroupBy::Hall]),
        supersedes: reader
            .optional(table, "supersedes", |r, v| r.list(v, 50, id))
            .unwrap_or_default(),
        inhibits: reader
            .optional(table, "inhibits", |r, v| r.list(v, 50, id))
            .unwrap_or_default(),
        repeat_secs: secs(reader, "repeat"),
        limit: reader
            .optional(table, "limit", |r, v| r.whole(v, 1, 100_000))
            .unwrap_or(LIMIT),
        problem: reader.optional(table, "problem", id),
        remedies: reader
            .optional(table, "remedies", |r, v| {
                r.list(v, 4, |r, v| r.word(v, REMEDIES))
            })
            .unwrap_or_default(),
    }
}

/// An identifier: 1 to 64 letters, digits, `-`, `_` and `.`.
fn id(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<String> {
    let text = reader.text(value)?;
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    match (1..=64).contains(&text.len()) && text.bytes().all(word) {
        true => Some(text),
        false => reader.wrong(
            value,
            "1 至 64 个字母、数字、“-”、“_”或“.”",
            "1 to 64 letters, digits, '-', '_' or '.'",
        ),
    }
}

fn condition(
    reader: &mut Reader<'_>,
    value: &Value<'_>,
    kind: SubjectKind,
    parameters: &BTreeMap<String, f64>,
) -> Option<(String, Condition)> {
    let text = reader.text(value)?;
    match Condition::parse(&text, kind, parameters) {
        Ok(condition) => Some((text, condition)),
        Err(errors) => {
            reader.inside(value, errors);
            None
        }
    }
}

fn message(
    reader: &mut Reader<'_>,
    value: &Value<'_>,
    kind: SubjectKind,
    parameters: &BTreeMap<String, f64>,
) -> Option<crate::name::Name> {
    let name = reader.name(value, MESSAGE_MAX_CHARS)?;
    let texts: Vec<&Value<'_>> = match value.get_ref().as_table() {
        Some(table) => ["zh", "en"]
            .iter()
            .filter_map(|lang| get(table, lang))
            .collect(),
        None => vec![value],
    };
    for text in texts {
        let written = text.get_ref().as_str().unwrap_or_default();
        let names = parameters.keys().map(String::as_str);
        reader.inside(text, sentence::faults(written, kind, names));
    }
    Some(name)
}

/// Names with numbers.
fn numbers(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<BTreeMap<String, f64>> {
    let table = reader.table(value)?;
    let mut numbers = BTreeMap::new();
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let word = name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !word || !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.len() > 40 {
            reader.fault(
                key.span(),
                "value",
                "参数名由小写字母、数字和“_”组成，以字母开头",
                "a parameter's name is made of a-z, 0-9 and '_', a letter first",
            );
        }
        if let Some(number) = reader.number(value) {
            numbers.insert(name.to_owned(), number);
        }
    }
    Some(numbers)
}

fn per_hall(
    reader: &mut Reader<'_>,
    value: &Value<'_>,
    parameters: &BTreeMap<String, f64>,
) -> Option<BTreeMap<HallId, BTreeMap<String, f64>>> {
    let table = reader.table(value)?;
    let known: Vec<&str> = parameters.keys().map(String::as_str).collect();
    let mut halls = BTreeMap::new();
    for (key, value) in table {
        let Ok(hall) = key.get_ref().parse::<HallId>() else {
            reader.fault(key.span(), "value", "不是大厅编号", "this is no hall's id");
            continue;
        };
        if let Some(table) = value.get_ref().as_table() {
            reader.known(table, &known);
        }
        if let Some(numbers) = numbers(reader, value) {
            halls.insert(hall, numbers);
        }
    }
    Some(halls)
}

/// `{hours = "08:30-17:30", days = ["mon", …], time_zone = "Asia/Shanghai"}`.
fn active(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<ActiveHours> {
    let table = reader.table(value)?;
    reader.known(table, &["hours", "days", "time_zone"]);
    let hours = reader.required(table, &value.span(), "hours", hours);
    let days = reader
        .optional(table, "days", |r, v| {
            r.list(v, 7, |r, v| r.word(v, WEEKDAYS))
        })
        .unwrap_or_else(|| WEEKDAYS.iter().map(|(_, day)| *day).collect());
    let zone = reader.required(table, &value.span(), "time_zone", |r, v| {
        let text = r.text(v)?;
        match text.parse::<TimeZone>() {
            Ok(_) => Some(text),
            Err(_) => r.wrong(
                v,
                "时区，如 Asia/Shanghai",
                "a time zone such as Asia/Shanghai",
            ),
        }
    });
    if days.is_empty() {
        reader.fault(
            value.span(),
            "nonsense",
            "没有任何一天生效",
            "it is active on no day",
        );
    }
    let (from_minute, until_minute) = hours?;
    Some(ActiveHours {
        time_zone: zone?,
        from_minute,
        until_minute,
        weekdays: days.into_iter().collect::<BTreeSet<_>>(),
    })
}

fn hours(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<(u16, u16)> {
    let text = reader.text(value)?;
    let read = text.split_once('-').and_then(|(from, until)| {
        let minute = |text: &str| text.trim().parse::<DayTime>().ok().map(DayTime::minutes);
        Some((minute(from)?, minute(until)?))
    });
    match read {
        Some((from, until)) if from != until && from < 24 * 60 => Some((from, until)),
        _ => reader.wrong(
            value,
            "时段，如 \"08:30-17:30\"",
            "hours such as \"08:30-17:30\"",
        ),
    }
}

/// `true` for the usual limits, or `{low = 5, high = 20}` in percent.
fn flap(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Option<FlapLimits>> {
    if let Some(on) = value.get_ref().as_bool() {
        return Some(on.then_some(FLAP));
    }
    let Some(table) = value.get_ref().as_table() else {
        return reader.wrong(
            value,
            " true、false 或 {low = 5, high = 20}",
            "true, false or {low = 5, high = 20}",
        );
    };
    reader.known(table, &["low", "high"]);
    let low = reader.required(table, &value.span(), "low", Reader::number);
    let high = reader.required(table, &value.span(), "high", Reader::number);
    let (low_percent, high_percent) = (low?, high?);
    if !(0.0 < low_percent && low_percent < high_percent && high_percent <= 100.0) {
        reader.fault(
            value.span(),
            "nonsense",
            "应为 0 < low < high ≤ 100",
            "0 < low < high ≤ 100 is expected",
        );
        return None;
    }
    Some(Some(FlapLimits {
        low_percent,
        high_percent,
    }))
}

/// `handler`, `role:ROLE`, `receiver:ID` or `person:VARIABLE`.
fn audience(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Audience> {
    let text = reader.text(value)?;
    let named = |prefix: &str| {
        let name = text.strip_prefix(prefix)?;
        (!name.is_empty() && name.len() <= 64).then(|| name.to_owned())
    };
    let read = match text.as_str() {
        "handler" => Some(Audience::Handler),
        _ => named("role:")
            .map(Audience::Role)
            .or_else(|| named("receiver:").map(Audience::Receiver))
            .or_else(|| named("person:").map(Audience::Person)),
    };
    match read {
        Some(audience) => Some(audience),
        None => reader.wrong(
            value,
            " \"handler\"、\"role:角色\"、\"receiver:编号\" 或 \"person:变量\"",
            "\"handler\", \"role:ROLE\", \"receiver:ID\" or \"person:VARIABLE\"",
        ),
    }
}

/// `{after = "30m", unless = "acknowledged", to = ["role:leader"], severity = "critical"}`.
fn escalation(
    reader: &mut Reader<'_>,
    value: &Value<'_>,
    severity: Severity,
) -> Option<Escalation> {
    let table = reader.table(value)?;
    reader.known(table, &["after", "unless", "to", "severity"]);
    let after = reader.required(table, &value.span(), "after", Reader::duration);
    let unless = reader.optional(table, "unless", |r, v| {
        r.word(v, &[("acknowledged", true), ("resolved", false)])
    });
    let to = reader
        .optional(table, "to", |r, v| r.list(v, 50, audience))
        .unwrap_or_default();
    let raised = reader.optional(table, "severity", |r, v| r.word(v, &Severity::NAMES));
    if raised.is_some_and(|raised| raised <= severity) {
        let en = "an escalation raises the severity above the rule's own";
        reader.fault(
            value.span(),
            "nonsense",
            "升级后的级别应高于规则本身的级别",
            en,
        );
    }
    if to.is_empty() && raised.is_none() {
        let en = "this escalation tells nobody and raises nothing: give to or severity";
        reader.fault(
            value.span(),
            "nonsense",
            "升级没有通知任何人，也没有提高级别",
            en,
        );
    }
    if after.is_some_and(|after| after < 60) {
        reader.fault(
            value.span(),
            "nonsense",
            "升级至少在 60 秒之后",
            "an escalation comes after 60 s at least",
        );
    }
    Some(Escalation {
        after_secs: after?,
        while_unacknowledged: unless.unwrap_or(true),
        to,
        severity: raised,
    })
}
