//! What messages say: a subject and a text per way and language, with variables in braces.

use serde::{Deserialize, Serialize};

use super::announcement::{Announcement, Cause, severity_words};
use crate::alerts::rule::Severity;
use crate::desk::receivers::{Receiver, WayKind};
use crate::name::{Lang, Name};
use crate::time::{TimeZone, Timestamp};

/// The names that a template may have in braces.
pub const VARIABLES: [&str; 8] = [
    "title",
    "text",
    "severity",
    "cause",
    "alert",
    "hall",
    "department",
    "at",
];

/// Longest template, in characters.
const TEMPLATE_MAX_CHARS: usize = 2_000;

/// Longest subject and text of a message, in characters; what is longer is cut with an ellipsis.
const SUBJECT_MAX_CHARS: usize = 200;
const TEXT_MAX_CHARS: usize = 4_000;

/// What a message by one way says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    pub subject: Name,
    pub text: Name,
}

impl Template {
    /// What is said by this way unless somebody writes something else.
    pub fn standard(way: WayKind) -> Self {
        let subject = Name::new(
            "【{severity}·{cause}】{title}",
            "[{severity}, {cause}] {title}",
        );
        let text = match way {
            WayKind::Email => Name::new(
                "{text}\n\n状态：{cause}\n时间：{at}\n大厅：{hall}\n部门：{department}\n编号：{alert}\n",
                "{text}\n\nState: {cause}\nTime: {at}\nHall: {hall}\nDepartment: {department}\nAlert: {alert}\n",
            ),
            WayKind::Sms => Name::new(
                "【{severity}】{title}（{cause}）：{text}",
                "[{severity}] {title} ({cause}): {text}",
            ),
            WayKind::Wecom | WayKind::Dingtalk => Name::new(
                "【{severity}】{title}（{cause}）\n{text}\n{at} {alert}",
                "[{severity}] {title} ({cause})\n{text}\n{at} {alert}",
            ),
            WayKind::Webhook | WayKind::Desk => Name::same("{text}"),
        };
        Self { subject, text }
    }

    /// What is wrong with it, if anything: the field and why.
    pub fn fault(&self) -> Option<(&'static str, String)> {
        let fields = [
            ("subject.zh", &self.subject.zh),
            ("subject.en", &self.subject.en),
            ("text.zh", &self.text.zh),
            ("text.en", &self.text.en),
        ];
        fields
            .into_iter()
            .find_map(|(field, text)| Some((field, fault_of(text)?)))
    }

    /// Subject and text of an example, for whoever writes the template.
    pub fn example(&self, lang: Lang, at: Timestamp) -> (String, String) {
        let about = Announcement {
            key: String::new(),
            alert: Some("A-000123".to_owned()),
            cause: Cause::Raised,
            severity: Severity::Warning,
            title: Name::new("办件超期", "Case overdue"),
            text: Name::new(
                "办件 2026-000123 已超期 2 个工作日",
                "Case 2026-000123 is 2 working days overdue",
            ),
            audience: Vec::new(),
            handler: None,
            hall: "H1".parse().ok(),
            department: Some("住建局".into()),
            narrow: false,
        };
        self.written(&about, lang, TimeZone::SHANGHAI, at)
    }

    /// Subject and text for one receiver. Subjects have one line.
    pub fn render(&self, about: &Announcement, to: &Receiver, at: Timestamp) -> (String, String) {
        self.written(about, to.lang, to.time_zone, at)
    }

    fn written(
        &self,
        about: &Announcement,
        lang: Lang,
        zone: TimeZone,
        at: Timestamp,
    ) -> (String, String) {
        let values = |name: &str| value_of(name, about, lang, zone, at);
        let subject: String = fill(self.subject.get(lang), values)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let text = fill(self.text.get(lang), values);
        (
            cut(subject.trim(), SUBJECT_MAX_CHARS),
            cut(text.trim_end(), TEXT_MAX_CHARS),
        )
    }
}

fn value_of(name: &str, about: &Announcement, lang: Lang, zone: TimeZone, at: Timestamp) -> String {
    let dash = || "–".to_owned();
    let words = |words: Name| words.get(lang).to_owned();
    match name {
        "title" => about.title.get(lang).to_owned(),
        "text" => about.text.get(lang).to_owned(),
        "severity" => words(severity_words(about.severity)),
        "cause" => words(about.cause.words()),
        "alert" => about.alert.clone().unwrap_or_else(dash),
        "hall" => about.hall.as_ref().map_or_else(dash, ToString::to_string),
        "department" => about
            .department
            .as_ref()
            .map_or_else(dash, ToString::to_string),
        "at" => local_minute(zone, at),
        _ => String::new(),
    }
}

/// `2026-11-02 09:05` where the receiver is.
pub(crate) fn local_minute(zone: TimeZone, at: Timestamp) -> String {
    let date = zone.date_of(at);
    let time = zone.time_of(at).to_string();
    format!("{date} {}", time.get(..5).unwrap_or_default())
}

/// A piece of a template: plain text, or a variable's name.
enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let named = rest
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'));
        if let Some((name, after)) = named {
            rest = after;
            return Some(Piece::Variable(name));
        }
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| *c == '{')
            .map_or(rest.len(), |(at, _)| at);
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Text(text))
    })
}

fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let filled = pieces(template).map(|piece| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Variable(name) => value(name),
    });
    filled.collect()
}

fn fault_of(template: &str) -> Option<String> {
    if template.trim().is_empty() {
        return Some("is empty".to_owned());
    }
    if template.chars().count() > TEMPLATE_MAX_CHARS {
        return Some(format!("is longer than {TEMPLATE_MAX_CHARS} characters"));
    }
    if template.chars().any(|c| c.is_control() && c != '\n') {
        return Some("has characters that cannot be printed".to_owned());
    }
    pieces(template).find_map(|piece| match piece {
        Piece::Text(text) if text.starts_with('{') => {
            Some("opens a brace and does not close it".to_owned())
        }
        Piece::Text(_) => None,
        Piece::Variable(name) if VARIABLES.contains(&name) => None,
        Piece::Variable(name) => Some(format!(
            "has {{{name}}}, which is none of {}",
            VARIABLES.join(", ")
        )),
    })
}

fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max - 1).collect();
    short.push('…');
    short
}
