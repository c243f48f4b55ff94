//! A rule's sentence, filled in for one subject.

use crate::alerts::catalogue;
use crate::alerts::rule::Rule;
use crate::alerts::subject::{Facts, Value};
use crate::name::Name;

/// What may stand in braces beside variables and `param.NAME`.
pub const WORDS: [&str; 4] = ["label", "hall", "department", "handler"];

/// The rule's message for a subject. What is not known is a dash.
pub fn fill(rule: &Rule, facts: &Facts) -> Name {
    let text = |template: &str, label: &str, yes: &str, no: &str| {
        replace(template, |name| match name {
            "label" => label.to_owned(),
            "hall" => facts.hall.as_ref().map_or_else(dash, ToString::to_string),
            "department" => facts.department.as_deref().map_or_else(dash, str::to_owned),
            "handler" => facts.handler.as_deref().map_or_else(dash, str::to_owned),
            name => value(rule, facts, name, (yes, no)),
        })
    };
    Name::new(
        text(&rule.message.zh, &facts.label.zh, "是", "否"),
        text(&rule.message.en, &facts.label.en, "yes", "no"),
    )
}

fn dash() -> String {
    "–".to_owned()
}

fn value(rule: &Rule, facts: &Facts, name: &str, (yes, no): (&str, &str)) -> String {
    if let Some(parameter) = name.strip_prefix("param.") {
        let own = facts
            .hall
            .as_ref()
            .and_then(|hall| rule.per_hall.get(hall)?.get(parameter));
        let number = own.or_else(|| rule.parameters.get(parameter));
        return number.map_or_else(dash, |number| decimal(*number));
    }
    let known = catalogue::find(rule.subject, name).and_then(|(slot, _)| facts.values.get(slot));
    match known {
        None | Some(Value::Missing) => dash(),
        Some(Value::Bool(true)) => yes.to_owned(),
        Some(Value::Bool(false)) => no.to_owned(),
        Some(Value::Number(number)) => decimal(*number),
        Some(Value::Text(text)) => text.to_string(),
    }
}

/// One decimal at most.
fn decimal(number: f64) -> String {
    ((number * 10.0).round() / 10.0).to_string()
}

fn replace(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut text = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let Some(length) = rest[open..].find('}') else {
            break;
        };
        text.push_str(&rest[..open]);
        text.push_str(&value(&rest[open + 1..open + length]));
        rest = &rest[open + length + 1..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_filled_and_a_lonely_one_is_left() {
        let upper = |name: &str| name.to_uppercase();
        assert_eq!(replace("等 {a} 分，{b}", upper), "等 A 分，B");
        assert_eq!(replace("{a", upper), "{a");
        assert_eq!(replace("", upper), "");
    }

    #[test]
    fn numbers_have_one_decimal_at_most() {
        assert_eq!(decimal(31.0), "31");
        assert_eq!(decimal(30.04), "30");
        assert_eq!(decimal(30.25), "30.3");
    }
}
