//! A rule's sentence, filled in for one subject.

use crate::alerts::catalogue;
use crate::alerts::rule::Rule;
use crate::alerts::subject::{Facts, Value};
use crate::name::Name;

/// What may stand in braces beside variables and `param.NAME`.
pub const WORDS: [&str; 4] = ["label", "hall", "department", "handler"];

/// What a sentence may end with only if something follows.
const SEPARATORS: [char; 5] = [' ', ',', ';', '，', '；'];

/// The rule's message for a subject. What is not known is a dash; a part in square brackets with
/// something that is not known is left out, or what stands behind its `|` is said instead.
pub fn fill(rule: &Rule, facts: &Facts) -> Name {
    let text = |template: &str, label: &str, yes: &str, no: &str| {
        told(template, |name| match name {
            "label" => Some(label.to_owned()),
            "hall" => facts.hall.as_ref().map(ToString::to_string),
            "department" => facts.department.as_deref().map(str::to_owned),
            "handler" => facts.handler.as_deref().map(str::to_owned),
            name => value(rule, facts, name, (yes, no)),
        })
    };
    Name::new(
        text(&rule.message.zh, &facts.label.zh, "是", "否"),
        text(&rule.message.en, &facts.label.en, "yes", "no"),
    )
}

fn value(rule: &Rule, facts: &Facts, name: &str, (yes, no): (&str, &str)) -> Option<String> {
    if let Some(parameter) = name.strip_prefix("param.") {
        let own = facts
            .hall
            .as_ref()
            .and_then(|hall| rule.per_hall.get(hall)?.get(parameter));
        let number = own.or_else(|| rule.parameters.get(parameter));
        return number.map(|number| decimal(*number));
    }
    let known = catalogue::find(rule.subject, name).and_then(|(slot, _)| facts.values.get(slot));
    match known? {
        Value::Missing => None,
        Value::Bool(true) => Some(yes.to_owned()),
        Value::Bool(false) => Some(no.to_owned()),
        Value::Number(number) => Some(decimal(*number)),
        Value::Text(text) => Some(text.to_string()),
    }
}

/// One decimal at most.
fn decimal(number: f64) -> String {
    ((number * 10.0).round() / 10.0).to_string()
}

/// The template with its values, and of its optional parts those that can be told.
fn told(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::with_capacity(template.len() + 16);
    let mut rest = template;
    let mut left_out = false;
    while let Some((before, part, after)) = optional(rest) {
        text.push_str(&filled(before, &value).0);
        let (part, otherwise) = part.split_once('|').unwrap_or((part, ""));
        match filled(part, &value) {
            (part, true) => text.push_str(&part),
            _ => {
                text.push_str(&filled(otherwise, &value).0);
                left_out = true;
            }
        }
        rest = after;
    }
    text.push_str(&filled(rest, &value).0);
    if left_out {
        text.truncate(text.trim_end_matches(SEPARATORS).len());
    }
    text
}

/// What stands before, in and behind the first square brackets that hold a value.
fn optional(template: &str) -> Option<(&str, &str, &str)> {
    template.match_indices('[').find_map(|(open, _)| {
        let (part, after) = template[open + 1..].split_once(']')?;
        part.contains('{')
            .then_some((&template[..open], part, after))
    })
}

/// The template with its values, a dash for what is not known, and whether all is.
fn filled(template: &str, value: impl Fn(&str) -> Option<String>) -> (String, bool) {
    let (mut text, mut whole, mut rest) = (String::new(), true, template);
    while let Some(open) = rest.find('{') {
        let Some(length) = rest[open..].find('}') else {
            break;
        };
        text.push_str(&rest[..open]);
        let known = value(&rest[open + 1..open + length]);
        whole &= known.is_some();
        text.push_str(known.as_deref().unwrap_or("–"));
        rest = &rest[open + length + 1..];
    }
    text.push_str(rest);
    (text, whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_filled_and_a_lonely_one_is_left() {
        let upper = |name: &str| Some(name.to_uppercase());
        assert_eq!(told("等 {a} 分，{b}", upper), "等 A 分，B");
        assert_eq!(told("{a", upper), "{a");
        assert_eq!(told("", upper), "");
        assert_eq!(told("[a] {a}]", upper), "[a] A]");
    }

    #[test]
    fn a_part_with_something_unknown_is_left_out() {
        let known = |name: &str| (name != "b").then(|| "6".to_owned());
        assert_eq!(told("{a}, {b}", known), "6, –");
        assert_eq!(told("x:[ {b} more,][ {a} less]", known), "x: 6 less");
        assert_eq!(told("x:[ {a} more,][ {b} less]", known), "x: 6 more");
        assert_eq!(told("x[, {b} minutes|, never]", known), "x, never");
        assert_eq!(told("x[, {a} minutes|, never]", known), "x, 6 minutes");
    }

    #[test]
    fn numbers_have_one_decimal_at_most() {
        assert_eq!(decimal(31.0), "31");
        assert_eq!(decimal(30.04), "30");
        assert_eq!(decimal(30.25), "30.3");
    }
}
