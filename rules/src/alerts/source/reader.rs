//! Reads the values of a TOML table with the place of every mistake.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Fault;
use crate::alerts::condition::Error;
use crate::alerts::{catalogue, duration};
use crate::name::Name;

/// A value and where it stands.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

pub(super) struct Reader<'a> {
    text: &'a str,
    faults: Vec<Fault>,
}

/// A field of a table.
pub(super) fn get<'a, 't>(table: &'a DeTable<'t>, name: &str) -> Option<&'a Value<'t>> {
    let mut fields = table.iter();
    let field = fields.find(|(key, _)| key.get_ref() == name);
    field.map(|(_, value)| value)
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            faults: Vec::new(),
        }
    }

    /// The mistakes, in the order of the file.
    pub(super) fn finish(mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|fault| (fault.start, fault.end));
        self.faults.dedup();
        self.faults
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, byte: usize) -> usize {
        let before = &self.text.as_bytes()[..byte.min(self.text.len())];
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    pub(super) fn fault(
        &mut self,
        span: Range<usize>,
        code: &'static str,
        zh: impl Into<String>,
        en: impl Into<String>,
    ) {
        let start = self.text.floor_char_boundary(span.start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.faults.push(Fault {
            line: self.line(start),
            column: before[line_start..].chars().count() + 1,
            start,
            end: span.end.clamp(start, self.text.len()),
            code,
            message: Name::new(zh, en),
        });
    }

    /// Mistakes inside a text value, at their places in the file.
    pub(super) fn inside(&mut self, value: &Value<'_>, errors: Vec<Error>) {
        let text = value.get_ref().as_str().unwrap_or_default();
        let begin = self.beginning(value.span(), text);
        for error in errors {
            let span = match begin {
                Some(begin) => begin + error.start..begin + error.end,
                None => value.span(),
            };
            self.fault(span, error.code, error.message.zh, error.message.en);
        }
    }

    /// Where the contents of a quoted value begin; none when it has escapes, so that places in it
    /// are not those in the file.
    fn beginning(&self, span: Range<usize>, contents: &str) -> Option<usize> {
        let raw = self.text.get(span.clone())?;
        let quoted = [
            "\"\"\"\n",
            "'''\n",
            "\"\"\"\r\n",
            "'''\r\n",
            "\"\"\"",
            "'''",
            "\"",
            "'",
        ];
        let quote = quoted.into_iter().find(|quote| raw.starts_with(quote))?;
        let begin = span.start + quote.len();
        self.text[begin..].starts_with(contents).then_some(begin)
    }

    /// Refuses the fields that are not among those known.
    pub(super) fn known(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let near = catalogue::nearest(name, known.iter().copied());
            let zh = near.map_or_else(String::new, |near| format!("，是否指 {near}？"));
            let en = near.map_or_else(String::new, |near| format!(", did you mean {near}?"));
            let message = (
                format!("没有字段“{name}”{zh}"),
                format!("there is no field '{name}'{en}"),
            );
            self.fault(key.span(), "unknown_field", message.0, message.1);
        }
    }

    /// A field that may be absent.
    pub(super) fn optional<T>(
        &mut self,
        table: &DeTable<'_>,
        name: &str,
        read: impl FnOnce(&mut Self, &Value<'_>) -> Option<T>,
    ) -> Option<T> {
        get(table, name).and_then(|value| read(self, value))
    }

    /// A field that must be there.
    pub(super) fn required<T>(
        &mut self,
        table: &DeTable<'_>,
        span: &Range<usize>,
        name: &str,
        read: impl FnOnce(&mut Self, &Value<'_>) -> Option<T>,
    ) -> Option<T> {
        if get(table, name).is_none() {
            // The table's first line is place enough.
            let end = self.text[span.start.min(self.text.len())..]
                .find('\n')
                .map_or(self.text.len(), |length| span.start + length);
            self.fault(
                span.start..end,
                "missing",
                format!("缺少字段 {name}"),
                format!("the field {name} is missing"),
            );
        }
        self.optional(table, name, read)
    }

    /// The tables of an array of tables, with their places.
    pub(super) fn tables<'v, 't>(
        &mut self,
        table: &'v DeTable<'t>,
        name: &str,
        most: usize,
    ) -> Vec<(&'v DeTable<'t>, Range<usize>)> {
        let Some(value) = get(table, name) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong::<()>(value, "表的列表", "a list of tables");
            return Vec::new();
        };
        if array.len() > most {
            self.fault(
                value.span(),
                "value",
                format!("最多 {most} 个"),
                format!("at most {most} are allowed"),
            );
        }
        let mut tables = Vec::new();
        for one in array.iter().take(most) {
            match one.get_ref().as_table() {
                Some(table) => tables.push((table, one.span())),
                None => {
                    self.wrong::<()>(one, "表", "a table");
                }
            }
        }
        tables
    }

    /// Says what is expected in place of a value.
    pub(super) fn wrong<T>(&mut self, value: &Value<'_>, zh: &str, en: &str) -> Option<T> {
        self.fault(
            value.span(),
            "value",
            format!("此处应为{zh}"),
            format!("{en} is expected here"),
        );
        None
    }

    pub(super) fn text(&mut self, value: &Value<'_>) -> Option<String> {
        match value.get_ref().as_str() {
            Some(text) => Some(text.to_owned()),
            None => self.wrong(value, "文本", "a text"),
        }
    }

    pub(super) fn flag(&mut self, value: &Value<'_>) -> Option<bool> {
        match value.get_ref().as_bool() {
            Some(flag) => Some(flag),
            None => self.wrong(value, " true 或 false", "true or false"),
        }
    }

    pub(super) fn number(&mut self, value: &Value<'_>) -> Option<f64> {
        let read = match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .ok()
                .map(|number| number as f64),
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => None,
        };
        match read {
            Some(number) if f64::is_finite(number) => Some(number),
            _ => self.wrong(value, "数", "a number"),
        }
    }

    /// A whole number within bounds.
    pub(super) fn whole(&mut self, value: &Value<'_>, least: u32, most: u32) -> Option<u32> {
        let number = self.number(value)?;
        let within =
            number.fract() == 0.0 && number >= f64::from(least) && number <= f64::from(most);
        match within {
            true => Some(number as u32),
            false => self.wrong(
                value,
                &format!("{least} 至 {most} 的整数"),
                &format!("a whole number from {least} to {most}"),
            ),
        }
    }

    /// A span of time such as `"5m"`, in seconds.
    pub(super) fn duration(&mut self, value: &Value<'_>) -> Option<u64> {
        match value.get_ref().as_str().and_then(duration::parse_secs) {
            Some(secs) => Some(secs),
            None => self.wrong(
                value,
                "时长，如 \"90s\"、\"5m\"、\"1h30m\"",
                "a duration such as \"90s\", \"5m\" or \"1h30m\"",
            ),
        }
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&mut self, value: &Value<'_>, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(value)?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let near = catalogue::nearest(&text, all.iter().copied());
        let all = all.join(", ");
        let zh = near.map_or_else(String::new, |near| format!("，是否指 {near}？"));
        let en = near.map_or_else(String::new, |near| format!(", did you mean {near}?"));
        self.fault(
            value.span(),
            "value",
            format!("“{text}”不可用{zh}可用：{all}"),
            format!("'{text}' is not one of {all}{en}"),
        );
        None
    }

    /// A list, each entry read by itself.
    pub(super) fn list<T>(
        &mut self,
        value: &Value<'_>,
        most: usize,
        read: impl Fn(&mut Self, &Value<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(array) = value.get_ref().as_array() else {
            return self.wrong(value, "列表", "a list");
        };
        if array.len() > most {
            return self.wrong(
                value,
                &format!("至多 {most} 项的列表"),
                &format!("a list of at most {most}"),
            );
        }
        // Every entry is read, so that all mistakes are found.
        let entries: Vec<Option<T>> = array.iter().map(|one| read(self, one)).collect();
        entries.into_iter().collect()
    }

    pub(super) fn table<'v, 't>(&mut self, value: &'v Value<'t>) -> Option<&'v DeTable<'t>> {
        match value.get_ref().as_table() {
            Some(table) => Some(table),
            None => self.wrong(value, "表", "a table"),
        }
    }

    /// A name or sentence: one text for both languages, or `{zh = …, en = …}`.
    pub(super) fn name(&mut self, value: &Value<'_>, most: usize) -> Option<Name> {
        let name = match value.get_ref() {
            DeValue::String(text) => Name::same(text.as_ref()),
            DeValue::Table(table) => {
                self.known(table, &["zh", "en"]);
                let zh = self.required(table, &value.span(), "zh", Self::text);
                let en = self.required(table, &value.span(), "en", Self::text);
                Name::new(zh?, en?)
            }
            _ => {
                return self.wrong(
                    value,
                    "文本或 {zh = …, en = …}",
                    "a text or {zh = …, en = …}",
                );
            }
        };
        let fits = |text: &str| {
            let count = text.chars().count();
            (1..=most).contains(&count)
                && !text.trim().is_empty()
                && !text.chars().any(char::is_control)
        };
        match fits(&name.zh) && fits(&name.en) {
            true => Some(name),
            false => self.wrong(
                value,
                &format!("1 至 {most} 个字符的一行"),
                &format!("one line of 1 to {most} characters"),
            ),
        }
    }
}
