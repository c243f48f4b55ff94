//! Whether a record may be taken: legality of each field, and what can be corrected without asking.
//!
//! Corrected is only what can mean one thing: blanks around a value, full-width digits and letters, dates
//! such as `2026/11/2` or `20261102`. What was there before is kept with the correction.
//!
//! A field may also be bounded by another one of its record: the promised limit of an item must not be
//! longer than the legal one.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::channels::masking::{MASKED, Masking};

/// Fields that a feed may check.
pub const FIELDS_MAX: usize = 100;

/// Longest text of a fault or a correction, in characters.
const SHOWN_MAX_CHARS: usize = 200;

/// What a field must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FieldKind {
    Text,
    Number,
    /// `2026-11-02`.
    Date,
    /// One of a list, such as item codes or windows of the directory.
    Code {
        values: BTreeSet<String>,
    },
    /// `HALL/WINDOW`, a window that is in the directory when the record comes.
    Window,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldCheck {
    pub name: String,
    #[serde(flatten)]
    pub kind: FieldKind,
    #[serde(default)]
    pub required: bool,
    /// Another field of the record, whose number this one must not exceed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<String>,
}

/// What is checked of each record. Fields that are not named may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Checks(pub Vec<FieldCheck>);

/// A value that was corrected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldCorrection {
    pub field: String,
    pub from: String,
    pub to: String,
}

/// A value that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldFault {
    pub field: String,
    /// `missing`, `not_text`, `not_number`, `not_date`, `unknown_code`, `unknown_window`, `above_limit`,
    /// `not_object` or `unreadable`.
    pub reason: String,
    pub value: String,
}

/// What came of a check: the record with its corrections, or why it cannot be taken.
#[derive(Debug, Clone, PartialEq)]
pub enum Checked {
    Good,
    Corrected(Value, Vec<FieldCorrection>),
    Bad(Vec<FieldFault>),
}

impl FieldCorrection {
    pub(super) fn masked(mut self, masking: &Masking) -> Self {
        let from = std::mem::take(&mut self.from);
        let to = std::mem::take(&mut self.to);
        self.from = hidden(masking, &self.field, &from);
        self.to = hidden(masking, &self.field, &to);
        self
    }
}

impl FieldFault {
    /// A record of which nothing could be read.
    pub(super) fn unreadable(why: &str) -> Self {
        fault("", "unreadable", &Value::String(why.to_owned()))
    }

    pub(super) fn masked(mut self, masking: &Masking) -> Self {
        self.value = hidden(masking, &self.field, &self.value);
        self
    }
}

fn hidden(masking: &Masking, field: &str, value: &str) -> String {
    match masking.hides(field) && !value.is_empty() && value != "null" {
        true => MASKED.to_owned(),
        false => masking.text(value),
    }
}

impl Checks {
    /// Whether a check needs the directory.
    pub fn needs_windows(&self) -> bool {
        self.0.iter().any(|check| check.kind == FieldKind::Window)
    }

    /// Checks one record, a JSON object; `windows` are those of the directory.
    pub fn check(&self, record: &Value, windows: &BTreeSet<String>) -> Checked {
        let Some(object) = record.as_object() else {
            return Checked::Bad(vec![fault("", "not_object", record)]);
        };
        let mut corrected = record.clone();
        let (mut corrections, mut faults) = (Vec::new(), Vec::new());
        for check in &self.0 {
            let value = object.get(&check.name).filter(|value| !value.is_null());
            let Some(value) = value else {
                if check.required {
                    faults.push(fault(&check.name, "missing", &Value::Null));
                }
                continue;
            };
            match check.kind.correct(value, windows) {
                Ok(None) => {}
                Ok(Some(right)) => {
                    corrections.push(FieldCorrection {
                        field: check.name.clone(),
                        from: shown(value),
                        to: shown(&right),
                    });
                    corrected[&check.name] = right;
                }
                Err(reason) => faults.push(fault(&check.name, reason, value)),
            }
        }
        faults.extend(self.0.iter().filter_map(|check| check.above(&corrected)));
        match (faults.is_empty(), corrections.is_empty()) {
            (false, _) => Checked::Bad(faults),
            (true, true) => Checked::Good,
            (true, false) => Checked::Corrected(corrected, corrections),
        }
    }
}

impl FieldCheck {
    /// The fault that this field's number exceeds the other's; fields that are no numbers say nothing.
    fn above(&self, record: &Value) -> Option<FieldFault> {
        let limit = self.at_most.as_ref()?;
        let (own, most) = (record.get(&self.name)?, record.get(limit)?);
        let exceeds = own.as_f64()? > most.as_f64()?;
        let shown = Value::String(format!("{own} > {limit} {most}"));
        exceeds.then(|| fault(&self.name, "above_limit", &shown))
    }
}

fn shown(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(SHOWN_MAX_CHARS).collect()
}

fn fault(field: &str, reason: &str, value: &Value) -> FieldFault {
    FieldFault {
        field: field.to_owned(),
        reason: reason.to_owned(),
        value: shown(value),
    }
}

impl FieldKind {
    /// The value that is right, if another one than this; why it cannot be, otherwise.
    fn correct(
        &self,
        value: &Value,
        windows: &BTreeSet<String>,
    ) -> Result<Option<Value>, &'static str> {
        let text = value.as_str().map(narrow);
        let right = match (self, text) {
            (Self::Text, Some(text)) => Value::String(text.trim().to_owned()),
            (Self::Text, None) => return Err("not_text"),
            (Self::Number, None) if value.is_number() => return Ok(None),
            (Self::Number, text) => text
                .and_then(|text| serde_json::from_str(text.trim()).ok())
                .filter(Value::is_number)
                .ok_or("not_number")?,
            (Self::Date, text) => text
                .and_then(|text| date(text.trim()))
                .map(|date| Value::String(date.to_string()))
                .ok_or("not_date")?,
            (Self::Code { values }, text) => {
                let code = text.map(|text| text.trim().to_owned());
                let known = code.filter(|code| values.contains(code));
                Value::String(known.ok_or("unknown_code")?)
            }
            (Self::Window, text) => {
                let window = text.map(|text| text.trim().to_owned());
                let known = window.filter(|window| windows.contains(window));
                Value::String(known.ok_or("unknown_window")?)
            }
        };
        Ok((right != *value).then_some(right))
    }
}

/// Full-width letters, digits and blanks as the ordinary ones.
fn narrow(text: &str) -> String {
    let one = |c: char| match c {
        '\u{3000}' => ' ',
        '！'..='～' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    };
    text.chars().map(one).collect()
}

/// A date however it is written, the year first.
fn date(text: &str) -> Option<NaiveDate> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    if digits && text.len() == 8 {
        return NaiveDate::parse_from_str(text, "%Y%m%d").ok();
    }
    let text = text.replace(['年', '月'], "-").replace('日', "");
    let mut parts = text.split(['-', '/', '.']);
    let mut next = |most: usize| {
        let part = parts.next()?;
        let good = (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        good.then(|| part.parse::<u32>().ok()).flatten()
    };
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    let alone = parts.next().is_none() && year >= 1000;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day).filter(|_| alone)
}
