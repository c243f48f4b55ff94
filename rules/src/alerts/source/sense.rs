//! What can be written and makes no sense: refused where it stands.

use std::collections::BTreeSet;

use toml::de::DeTable;

use super::reader::{Reader, get};
use crate::alerts::catalogue;
use crate::alerts::condition::{Condition, Parameters, Verdict};
use crate::alerts::rule::{Audience, Rule};
use crate::alerts::subject::{Value, ValueKind};

/// Told again more often than this, people stop reading.
const REPEAT_LEAST_SECS: u64 = 60;
/// A condition that must hold for longer than a year never will.
const HOLD_MOST_SECS: u64 = 366 * 86_400;

pub(super) fn check(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    rule: &Rule,
    when: &Condition,
    clear_when: Option<&Condition>,
) {
    let place = |field: &str| get(table, field).map_or(0..0, toml::Spanned::span);
    if (1..REPEAT_LEAST_SECS).contains(&rule.repeat_secs) {
        let en = "a standing alert is told again after 60 s at the least";
        reader.fault(place("repeat"), "nonsense", "重复通知的间隔至少 60 秒", en);
    }
    for (field, secs) in [
        ("for", rule.for_secs),
        ("keep_firing_for", rule.keep_firing_for_secs),
    ] {
        if secs > HOLD_MOST_SECS {
            reader.fault(
                place(field),
                "nonsense",
                "最长一年",
                "a year is the longest",
            );
        }
    }
    for (field, rules) in [
        ("supersedes", &rule.supersedes),
        ("inhibits", &rule.inhibits),
    ] {
        if rules.contains(&rule.id) {
            let en = "a rule cannot take its own place";
            reader.fault(place(field), "nonsense", "规则不能取代或抑制自己", en);
        }
    }
    unused(reader, table, rule);
    nobody(reader, table, rule);
    if let Some(both) = clear_when.and_then(|clear| contradiction(rule, when, clear)) {
        reader.fault(
            place("clear_when"),
            "nonsense",
            format!("{both} 时 when 与 clear_when 同时成立，预警会立即解除又发出"),
            format!("when {both}, both when and clear_when hold, so the alert would end and begin at once"),
        );
    }
}

/// People are named by text variables of the subject.
fn nobody(reader: &mut Reader<'_>, table: &DeTable<'_>, rule: &Rule) {
    let escalated = rule.escalate.iter().flat_map(|step| &step.to);
    let notify = rule.notify.iter().map(|audience| ("notify", audience));
    for (field, audience) in notify.chain(escalated.map(|audience| ("escalate", audience))) {
        let Audience::Person(name) = audience else {
            continue;
        };
        let known = catalogue::find(rule.subject, name);
        if known.is_none_or(|(_, variable)| variable.kind != ValueKind::Text) {
            reader.fault(
                get(table, field).map_or(0..0, toml::Spanned::span),
                "unknown_variable",
                format!("没有表示人员的变量“{name}”"),
                format!("there is no text variable '{name}' that names a person"),
            );
        }
    }
}

/// A parameter that nothing names is a misspelling or a remainder.
fn unused(reader: &mut Reader<'_>, table: &DeTable<'_>, rule: &Rule) {
    let Some(parameters) = get(table, "param").and_then(|value| value.get_ref().as_table()) else {
        return;
    };
    let clear_when = rule.clear_when.as_deref().unwrap_or_default();
    let texts = [
        rule.when.as_str(),
        clear_when,
        &rule.message.zh,
        &rule.message.en,
    ];
    for (key, _) in parameters {
        let name = key.get_ref().as_ref();
        let named = |text: &str| {
            text.match_indices("param.").any(|(at, before)| {
                let rest = &text[at + before.len()..];
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                &rest[..end.unwrap_or(rest.len())] == name
            })
        };
        if !texts.iter().any(|text| named(text)) {
            let zh = format!("参数 {name} 没有用到");
            reader.fault(
                key.span(),
                "nonsense",
                zh,
                format!("nothing uses the parameter {name}"),
            );
        }
    }
}

/// A state in which both conditions hold, where they read one and the same number: tried at every
/// threshold, and between and beside them.
fn contradiction(rule: &Rule, when: &Condition, clear: &Condition) -> Option<String> {
    let name = only_number(when)?;
    if only_number(clear)? != name {
        return None;
    }
    let halls = rule.per_hall.values().map(Some);
    let mut places = halls.chain(std::iter::once(None));
    places.find_map(|own| overlap(when, clear, name, &Parameters::of(&rule.parameters, own)))
}

fn only_number(condition: &Condition) -> Option<&'static str> {
    let mut names = condition.variables();
    let name = names.next()?;
    let (_, variable) = catalogue::find(condition.kind(), name)?;
    (names.next().is_none() && variable.kind == ValueKind::Number).then_some(name)
}

fn overlap(
    when: &Condition,
    clear: &Condition,
    name: &str,
    parameters: &Parameters,
) -> Option<String> {
    let (slot, _) = catalogue::find(when.kind(), name)?;
    let mut values = vec![Value::Missing; catalogue::variables(when.kind()).len()];
    let mut thresholds = BTreeSet::new();
    for condition in [when, clear] {
        thresholds.extend(fixed_sides(condition, &values, parameters));
    }
    let thresholds: Vec<f64> = thresholds.into_iter().map(f64::from_bits).collect();
    let between = thresholds.iter().flat_map(|a| {
        let middles = thresholds.iter().map(move |b| f64::midpoint(*a, *b));
        middles.chain([a - 1.0, a + 1.0])
    });
    let mut candidates: Vec<f64> = between.collect();
    candidates.sort_by(f64::total_cmp);
    let both = candidates.into_iter().find(|candidate| {
        values[slot] = Value::Number(*candidate);
        let holds = |condition: &Condition| condition.eval(&values, parameters) == Verdict::True;
        holds(when) && holds(clear)
    })?;
    Some(format!("{name} = {both}"))
}

/// The sides of comparisons that do not depend on the variable.
fn fixed_sides(condition: &Condition, nothing: &[Value], parameters: &Parameters) -> Vec<u64> {
    let why = condition.explain(nothing, parameters);
    let sides = why.into_iter().flat_map(|one| [one.left, one.right]);
    sides
        .filter_map(|side| match side {
            Value::Number(number) => Some(number.to_bits()),
            _ => None,
        })
        .collect()
}
