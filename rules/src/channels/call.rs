//! The record of one call: what its maker tells, checked, judged and masked.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::access::{CallRefusal, is_version};
use super::masking::Masking;
use super::path::{DEPTH, family_of};
use super::setup::{Limits, is_text};
use super::tally::{Measured, Outcome};
use crate::ids::{ChannelId, ID_MAX_CHARS};
use crate::machine::{RefusalKind, Refuse};
use crate::name::Lang;
use crate::time::Timestamp;

/// Longest call that is believed: a day.
const DURATION_MAX_MS: f64 = 86_400_000.0;

/// How far ahead of ours the teller's clock may be.
const AHEAD_MAX_SECS: u64 = 300;

/// Longest reason, in characters.
const REASON_MAX_CHARS: usize = 200;

/// What is kept of a request or of a response, in bytes of JSON.
pub const PART_MAX_BYTES: usize = 8 * 1024;

/// A call as it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCall {
    /// Unique in its channel: a repeat is the same call. None: one is made.
    #[serde(default)]
    pub id: Option<String>,
    pub caller: String,
    #[serde(default)]
    pub version: Option<String>,
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// None: nobody measured.
    #[serde(default)]
    pub duration_ms: Option<f64>,
    /// Status of HTTP; none when there was no answer.
    #[serde(default)]
    pub status: Option<u16>,
    /// None: by the status and the channel's limits.
    #[serde(default)]
    pub result: Option<Outcome>,
    /// Why it failed, or the code of a refusal.
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub trace_id: Option<String>,
    /// Anything; `path` in an object gives the call its path family.
    #[serde(default)]
    pub request: Option<Value>,
    #[serde(default)]
    pub response: Option<Value>,
}

/// A call as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub id: String,
    pub channel: ChannelId,
    pub caller: String,
    pub version: Option<String>,
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// Whole microseconds.
    pub micros: Option<u64>,
    pub status: Option<u16>,
    pub result: Outcome,
    pub reason: Option<String>,
    pub trace_id: Option<String>,
    pub path_family: Option<String>,
    pub request: Option<Part>,
    pub response: Option<Part>,
}

/// What was asked or answered as it is kept: masked, and the text of its JSON, which is written once
/// and read by whoever wants to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Part(Box<RawValue>);

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Part {
    /// A part that is not too long; of a longer one its beginning, as text.
    pub(super) fn of(value: &impl Serialize) -> Self {
        let raw = raw(value);
        if raw.get().len() <= PART_MAX_BYTES {
            return Self(raw);
        }
        let text = raw.get();
        let end = (0..=PART_MAX_BYTES)
            .rev()
            .find(|at| text.is_char_boundary(*at));
        Self(self::raw(
            &json!({"cut": &text[..end.unwrap_or(0)], "bytes": text.len()}),
        ))
    }

    /// Its JSON.
    pub fn text(&self) -> &str {
        self.0.get()
    }
}

/// The text of a value; each has one.
fn raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// A field of a told call that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallFault {
    pub field: &'static str,
    #[serde(skip)]
    zh: &'static str,
    #[serde(rename = "reason")]
    en: &'static str,
}

impl std::fmt::Display for CallFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence(Lang::En))
    }
}

impl std::error::Error for CallFault {}

impl Refuse for CallFault {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Invalid
    }

    fn code(&self) -> &'static str {
        "invalid_field"
    }

    fn sentence(&self, lang: Lang) -> String {
        match lang {
            Lang::Zh => format!("字段 {} 不正确：{}", self.field, self.zh),
            Lang::En => format!("the field {} {}", self.field, self.en),
        }
    }
}

impl NewCall {
    /// Checks the call, says how it ended and hides what nobody shall see. `id` is taken if it has none.
    ///
    /// # Errors
    /// The first field that cannot be.
    pub fn checked(
        self,
        channel: &ChannelId,
        id: impl FnOnce() -> String,
        limits: &Limits,
        masking: &Masking,
        now: Timestamp,
    ) -> Result<Call, CallFault> {
        let facts = self.facts();
        if let Some(fault) = facts.fault(now) {
            return Err(fault);
        }
        let result = facts.outcome(limits.fails_from_status);
        let reason = facts.why(result).map(|reason| masking.text(&reason));
        let path = self.request.as_ref().and_then(path_of);
        let path_family = path.map(|path| masking.text(&family_of(path, DEPTH)));
        let part = |value: Option<Value>| value.map(|value| Part::of(&masking.value(value)));
        Ok(Call {
            id: self.id.unwrap_or_else(id),
            channel: channel.clone(),
            caller: self.caller,
            version: self.version,
            at: self.at,
            micros: self.duration_ms.map(|ms| (ms * 1000.0).round() as u64),
            status: self.status,
            result,
            reason,
            trace_id: self.trace_id,
            path_family,
            request: part(self.request),
            response: part(self.response),
        })
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            id: self.id.as_deref(),
            caller: &self.caller,
            version: self.version.as_deref(),
            at: self.at,
            duration_ms: self.duration_ms,
            status: self.status,
            result: self.result,
            reason: self.reason.as_deref(),
            trace_id: self.trace_id.as_deref(),
        }
    }
}

/// What is told of a call beside what was asked and answered.
pub(super) struct Facts<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) caller: &'a str,
    pub(super) version: Option<&'a str>,
    pub(super) at: Timestamp,
    pub(super) duration_ms: Option<f64>,
    pub(super) status: Option<u16>,
    pub(super) result: Option<Outcome>,
    pub(super) reason: Option<&'a str>,
    pub(super) trace_id: Option<&'a str>,
}

impl<'a> Facts<'a> {
    pub(super) fn fault(&self, now: Timestamp) -> Option<CallFault> {
        let is_id = |text: &str| {
            (1..=ID_MAX_CHARS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
        };
        let id_is_bad = |id: Option<&str>| id.is_some_and(|id| !is_id(id));
        let ms_is_bad = |ms: f64| !(0.0..=DURATION_MAX_MS).contains(&ms);
        let reason_is_bad = |reason: &str| {
            reason.chars().count() > REASON_MAX_CHARS || reason.chars().any(char::is_control)
        };
        let faults = [
            (
                id_is_bad(self.id),
                "id",
                "应为 1 至 64 个可见 ASCII 字符",
                "has 1 to 64 visible ASCII characters",
            ),
            (
                !is_text(self.caller),
                "caller",
                "应为 1 至 64 字节的一行文字",
                "is one line of 1 to 64 bytes",
            ),
            (
                self.version.is_some_and(|version| !is_version(version)),
                "version",
                "应为 1 至 32 个字母、数字、“.”、“-”或“_”",
                "has 1 to 32 letters, digits, '.', '-' or '_'",
            ),
            (
                self.at > now.plus_secs(AHEAD_MAX_SECS),
                "at",
                "晚于当前时间 5 分钟以上",
                "is more than five minutes ahead",
            ),
            (
                self.duration_ms.is_some_and(ms_is_bad),
                "duration_ms",
                "应为 0 至 86400000",
                "is from 0 to 86400000",
            ),
            (
                self.status
                    .is_some_and(|status| !(100..600).contains(&status)),
                "status",
                "应为 100 至 599",
                "is from 100 to 599",
            ),
            (
                self.reason.is_some_and(reason_is_bad),
                "reason",
                "应为至多 200 个字符的一行文字",
                "is one line of at most 200 characters",
            ),
            (
                id_is_bad(self.trace_id),
                "trace_id",
                "应为 1 至 64 个可见 ASCII 字符",
                "has 1 to 64 visible ASCII characters",
            ),
        ];
        let found = faults.into_iter().find(|(bad, ..)| *bad);
        found.map(|(_, field, zh, en)| CallFault { field, zh, en })
    }

    pub(super) fn outcome(&self, fails_from_status: u16) -> Outcome {
        let by_status = match self.status {
            Some(status) if status < fails_from_status => Outcome::Ok,
            _ => Outcome::Failed,
        };
        self.result.unwrap_or(by_status)
    }

    /// Why it did not succeed, as far as can be said.
    pub(super) fn why(&self, result: Outcome) -> Option<Cow<'a, str>> {
        let told = self.reason.map(str::trim);
        let told = told.filter(|reason| !reason.is_empty()).map(Cow::from);
        if result == Outcome::Ok {
            return told;
        }
        let by_status = || match self.status {
            Some(status) => format!("status_{status}").into(),
            None => "no_answer".into(),
        };
        Some(told.unwrap_or_else(by_status))
    }
}

fn path_of(request: &Value) -> Option<&str> {
    request.get("path").or_else(|| request.get("url"))?.as_str()
}

impl Call {
    /// What statistics need of it.
    pub fn measured(&self) -> Measured<'_> {
        Measured {
            caller: &self.caller,
            version: self.version.as_deref().unwrap_or(""),
            outcome: self.result,
            status: self.status,
            micros: self.micros,
        }
    }

    /// Why it was refused, if it was, for a reason that is known here.
    pub fn refusal(&self) -> Option<CallRefusal> {
        let refused = self.result == Outcome::Refused;
        CallRefusal::from_code(self.reason.as_deref().filter(|_| refused)?)
    }

    /// What lists and pages show.
    pub fn face(&self) -> Value {
        json!({
            "id": self.id, "channel": self.channel, "caller": self.caller,
            "version": self.version, "at": self.at.rfc3339_utc(),
            "duration_ms": self.micros.map(|micros| micros as f64 / 1000.0),
            "status": self.status, "result": self.result, "reason": self.reason,
            "trace_id": self.trace_id, "path_family": self.path_family,
            "request": self.request, "response": self.response,
        })
    }
}

/// Instants as RFC 3339 in JSON.
mod rfc3339 {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    pub(super) fn serialize<S: Serializer>(
        at: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&at.rfc3339_utc())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse_rfc3339(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("'{text}' is no RFC 3339 instant with an offset"))
        })
    }
}
