//! What of a call's parameters and answers is kept: personal data and secrets never.
//!
//! * Fields by name: their value becomes `***`, in JSON at any depth, in JSON inside a text, in pairs of
//!   name and value, in forms and queries, in headers and in XML.
//! * Patterns in any text: numbers of identity cards, phones and bank cards keep their first three and
//!   last four digits, also written with blanks, dashes or in full width, and percent-encoded;
//!   addresses of e-mail keep their first letter.
//!
//! What merely looks like such a number is masked too: keeping one too few does less harm.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

mod numbers;

/// What takes the place of a value.
pub const MASKED: &str = "***";

/// JSON inside a text is looked into so many times.
const NESTED_MAX: usize = 4;

/// How far before a sign the name of its value is looked for, in bytes.
const NAME_MAX: usize = 128;

/// What is masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Masking {
    /// Names whose values are hidden, without regard to case, `_`, `-`, `.` and blanks; `*` at the
    /// beginning or end stands for anything.
    fields: Vec<Field>,
    /// Whether numbers of persons, phones and cards and addresses of e-mail are hidden in all texts.
    patterns: bool,
}

impl Default for Masking {
    fn default() -> Self {
        const FIELDS: &[&str] = &[
            "*password*",
            "*passwd*",
            "pwd",
            "*secret*",
            "*token*",
            "*authorization*",
            "*apikey*",
            "*accesskey*",
            "*privatekey*",
            "*credential*",
            "*cookie*",
            "*session*",
            "signature",
            "*idnumber*",
            "*idcard*",
            "*idno",
            "*certno*",
            "*certnumber*",
            "*cardno*",
            "*cardnumber*",
            "*passport*",
            "*phone*",
            "*mobile*",
            "tel",
            "telno",
            "*telephone*",
            "*email*",
            "mail",
            "*address",
            "*birth*",
            "name",
            "xm",
            "sfzh",
            "sfzhm",
            "sjh",
            "sjhm",
            "lxdh",
            "dz",
            "*realname*",
            "*fullname*",
            "*applicantname*",
            "*personname*",
            "*username*",
            "contact",
            "contactname",
            "*身份证*",
            "*证件号*",
            "*手机*",
            "*电话*",
            "*姓名*",
            "*密码*",
            "*地址*",
            "*住址*",
            "*银行卡*",
            "*邮箱*",
            "*联系人*",
        ];
        Self::new(FIELDS.iter().copied(), true)
    }
}

/// A name of fields as names are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
struct Field {
    name: String,
    pairs: u64,
}

impl From<String> for Field {
    fn from(name: String) -> Self {
        let name = plain(&name).into_owned();
        let pairs = pairs_of(name.trim_matches('*'));
        Self { name, pairs }
    }
}

impl From<Field> for String {
    fn from(field: Field) -> Self {
        field.name
    }
}

/// One bit for each pair of bytes that stand together, several pairs to a bit: a text that lacks one
/// does not contain a text that has it. Most names of fields are let go by this alone.
fn pairs_of(text: &str) -> u64 {
    let bit = |pair: &[u8]| u32::from(pair[0]).wrapping_mul(31) + u32::from(pair[1]);
    let pairs = text.as_bytes().windows(2);
    pairs.fold(0, |bits, pair| bits | 1 << (bit(pair) % 64))
}

/// A name without what people write differently.
fn plain(name: &str) -> Cow<'_, str> {
    if name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    {
        return name.into();
    }
    let signs = name.chars().filter(|c| !matches!(c, '_' | '-' | ' ' | '.'));
    signs.flat_map(char::to_lowercase).collect()
}

fn fits(entry: &str, name: &str) -> bool {
    match (entry.strip_prefix('*'), entry.strip_suffix('*')) {
        (Some(rest), Some(_)) => name.contains(rest.strip_suffix('*').unwrap_or(rest)),
        (Some(rest), None) => name.ends_with(rest),
        (None, Some(rest)) => name.starts_with(rest),
        (None, None) => name == entry,
    }
}

impl Masking {
    /// Hides the values of these fields, and with `patterns` numbers and addresses in all texts.
    pub fn new<'a>(fields: impl IntoIterator<Item = &'a str>, patterns: bool) -> Self {
        let fields = fields.into_iter().map(|name| Field::from(name.to_owned()));
        Self {
            fields: fields.collect(),
            patterns,
        }
    }

    /// Whether the value of a field of this name is hidden.
    pub fn hides(&self, name: &str) -> bool {
        let name = plain(name);
        let pairs = pairs_of(&name);
        let may_fit = |field: &&Field| field.pairs & !pairs == 0;
        let mut fields = self.fields.iter().filter(may_fit);
        !name.is_empty() && fields.any(|field| fits(&field.name, &name))
    }

    /// JSON with everything hidden that should be.
    pub fn value(&self, value: Value) -> Value {
        self.value_at(value, 0)
    }

    fn value_at(&self, value: Value, nested: usize) -> Value {
        match value {
            Value::Null | Value::Bool(_) => value,
            Value::Number(number) if number.as_u64().is_some_and(numbers::is_short) => {
                Value::Number(number)
            }
            Value::Number(number) => {
                let masked = self.patterns.then(|| numbers::masked(&number.to_string()));
                match masked.flatten() {
                    Some(masked) => Value::String(masked),
                    None => Value::Number(number),
                }
            }
            Value::String(text) => Value::String(self.text_at(text, nested)),
            Value::Array(list) => {
                let masked = list.into_iter().map(|one| self.value_at(one, nested));
                Value::Array(masked.collect())
            }
            Value::Object(object) => Value::Object(self.object(object, nested)),
        }
    }

    fn object(&self, mut object: Map<String, Value>, nested: usize) -> Map<String, Value> {
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        // {"name": "phone", "value": "…"}: a field that is named in a value.
        let named = ["name", "key", "field", "code"].into_iter().find_map(text);
        let hides_values = named.is_some_and(|name| self.hides(name));
        let has_value = object.contains_key("value");
        for (key, value) in &mut object {
            let is_value = matches!(key.as_str(), "value" | "values" | "text" | "data");
            let is_name_of_field = key == "name" && has_value;
            let hidden = (hides_values && is_value) || (self.hides(key) && !is_name_of_field);
            *value = match value.take() {
                kept @ (Value::Null | Value::Bool(_)) => kept,
                _ if hidden => Value::String(MASKED.to_owned()),
                shown => self.value_at(shown, nested),
            };
        }
        if object.keys().all(|key| is_plain(key)) {
            return object;
        }
        let keys_too = object.into_iter();
        keys_too
            .map(|(key, value)| (self.text_at(key, nested), value))
            .collect()
    }

    /// A text with everything hidden that should be.
    pub fn text(&self, text: &str) -> String {
        self.text_at(text.to_owned(), 0)
    }

    /// A text of one's own with everything hidden that should be.
    pub(super) fn owned(&self, text: String) -> String {
        self.text_at(text, 0)
    }

    /// A text with everything hidden that should be; the text itself, if that is nothing.
    pub(super) fn cow<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match is_plain(text) {
            true => text.into(),
            false => self.text(text).into(),
        }
    }

    fn text_at(&self, text: String, nested: usize) -> String {
        if is_plain(&text) {
            return text;
        }
        let trimmed = text.trim_start();
        if nested < NESTED_MAX
            && trimmed.starts_with(['{', '[', '"'])
            && let Ok(inner) = serde_json::from_str::<Value>(&text)
        {
            return self.value_at(inner, nested + 1).to_string();
        }
        let pairs = self.pairs(&text);
        let masked = self.patterns.then(|| numbers::masked(&pairs)).flatten();
        let masked = masked.unwrap_or(pairs);
        if nested < NESTED_MAX
            && let Some(decoded) = percent_decoded(&masked)
        {
            let plain = self.text_at(decoded.clone(), nested + 1);
            if plain != decoded {
                return plain;
            }
        }
        masked
    }

    /// Hides values behind names in forms, queries, headers and XML: `phone=…`, `Cookie: …`, `<phone>…<`.
    fn pairs(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['=', ':', '>']) {
            let (sign, after) = (&rest[at..=at], &rest[at + 1..]);
            out.push_str(&rest[..at]);
            let hidden = self.hides(name_before(&out, sign));
            out.push_str(sign);
            let length = if hidden { value_length(after, sign) } else { 0 };
            let value = &after[..length];
            let empty = value.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
            if !empty.is_empty() {
                out.push_str(MASKED);
                rest = &after[length..];
            } else {
                rest = after;
            }
        }
        out.push_str(rest);
        out
    }
}

/// Whether a text can hold nothing that is looked for: no JSON, no sign behind which a value stands,
/// no percent-encoding, no address and few digits. Most texts are so.
fn is_plain(text: &str) -> bool {
    let mut digits = 0;
    text.bytes().all(|byte| {
        digits += usize::from(byte.is_ascii_digit());
        byte.is_ascii() && !matches!(byte, b'=' | b':' | b'>' | b'%' | b'@')
    }) && digits < numbers::SHORTEST
        && !text.trim_start().starts_with(['{', '[', '"'])
}

/// The name that ends before a sign.
fn name_before<'a>(before: &'a str, sign: &str) -> &'a str {
    let start = before.len().saturating_sub(NAME_MAX);
    let start = (start..before.len()).find(|at| before.is_char_boundary(*at));
    let before = &before[start.unwrap_or(0)..];
    if sign == ">" {
        // The tag that ends here, without its attributes.
        let tag = before.rsplit('<').next().unwrap_or("");
        let tag = if tag.len() == before.len() { "" } else { tag };
        let name = tag.split(char::is_whitespace).next().unwrap_or("");
        return name.rsplit(':').next().unwrap_or(name);
    }
    let before =
        before.trim_end_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'' || c == '\\');
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start = before
        .char_indices()
        .rev()
        .take_while(|(_, c)| is_name(*c))
        .last();
    start.map_or("", |(at, _)| &before[at..])
}

/// How long the value behind a sign is.
fn value_length(after: &str, sign: &str) -> usize {
    let blanks = after.len() - after.trim_start_matches([' ', '\\']).len();
    let value = &after[blanks..];
    let end = match (sign, value.chars().next()) {
        (">", _) => value.find('<'),
        (_, Some(quote @ ('"' | '\''))) => value[1..].find(quote).map(|at| at + 2),
        // A header's value goes to the end of its line, a form's to the next field.
        (":", _) => value.find(['\r', '\n']),
        _ => value
            .find(|c: char| c.is_whitespace() || matches!(c, '&' | ';' | ',' | '"' | '<' | '>')),
    };
    blanks + end.unwrap_or(value.len())
}

/// A text without percent-encoding; none if it has none.
fn percent_decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: usize| (*bytes.get(at)? as char).to_digit(16);
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    let mut found = false;
    while at < bytes.len() {
        let escaped = match bytes[at] {
            b'%' => digit(at + 1).zip(digit(at + 2)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push((high << 4 | low) as u8);
                found = true;
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    found.then(|| String::from_utf8_lossy(&out).into_owned())
}
