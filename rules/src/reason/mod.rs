//! Why a field of a request is refused, as a sentence in both languages.
//!
//! Whoever refuses gives the reason once, in English, which programs read beside the field's name. People
//! read the sentence made of it here: the Chinese one by the table beside this.

mod table;

use crate::name::Name;

/// What stands for a reason that the table does not know.
const UNFIT: &str = "取值不符合要求";

/// Beginnings of reasons that go on from the field's name.
const PREDICATES: [&str; 13] = [
    "is", "are", "has", "lies", "stands", "belongs", "begins", "must", "needs", "opens", "differs",
    "does", "could",
];

/// The sentence that refuses a field for a reason.
pub fn sentence(field: &str, reason: &str) -> Name {
    let reason = said(reason);
    let zh = chinese(reason).unwrap_or_else(|| UNFIT.to_owned());
    let first = reason.split(' ').next().unwrap_or_default();
    let en = match PREDICATES.contains(&first) {
        true => format!("the field {field} {reason}"),
        false => format!("the field {field} is not right: {reason}"),
    };
    Name::new(format!("字段 {field} 不正确：{zh}"), en)
}

/// The reason in Chinese, if the table has it.
pub fn chinese(reason: &str) -> Option<String> {
    let reason = said(reason);
    let told = table::REASONS.iter().find_map(|(english, chinese)| {
        let found = captured(english, reason)?;
        Some(filled(chinese, &found))
    });
    told.or_else(|| range(reason))
}

/// A reason that is nothing but the figures allowed.
fn range(reason: &str) -> Option<String> {
    let figure = |text: &str| text.parse::<u64>().ok();
    let reason = reason.strip_prefix("is ").unwrap_or(reason);
    if let Some(most) = reason.strip_prefix("at most ").and_then(figure) {
        return Some(format!("至多 {most}"));
    }
    if let Some(least) = reason.strip_prefix("at least ").and_then(figure) {
        return Some(format!("至少 {least}"));
    }
    let (from, to) = reason.split_once(" to ")?;
    Some(format!("须为 {} 至 {}", figure(from)?, figure(to)?))
}

/// A reason without who says it and the place in the text, which parsers add and nobody who filled a
/// form can use.
fn said(whole: &str) -> &str {
    let reason = whole.strip_prefix("Query deserialize error: ");
    let reason = reason.unwrap_or(whole);
    reason
        .rsplit_once(" at line ")
        .map_or(reason, |(said, _)| said)
}

/// What stands in the text where the pattern has `{}`; none if it does not fit.
fn captured<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = pattern.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut found = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let at = match parts.peek() {
            Some(_) => rest.find(part)?,
            None if rest.ends_with(part) => rest.len() - part.len(),
            None => return None,
        };
        found.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    rest.is_empty().then_some(found)
}

/// The pattern with the words found, in their order; what it has no place for is left out.
fn filled(pattern: &str, found: &[&str]) -> String {
    let mut found = found.iter();
    let mut parts = pattern.split("{}");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(found.next().copied().unwrap_or_default());
        text.push_str(part);
    }
    text
}
