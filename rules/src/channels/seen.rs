//! Calls that this product saw itself or read in a log, as the history keeps them: the same as a
//! [`NewCall`](super::call::NewCall) that tells of them, without the detour over JSON.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::call::{Call, CallFault, Facts, Part};
use super::masking::{MASKED, Masking};
use super::path::{DEPTH, family_of};
use super::tally::Outcome;
use crate::ids::ChannelId;
use crate::time::Timestamp;

/// A call as it was seen.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    pub id: String,
    pub caller: &'a str,
    pub version: Option<&'a str>,
    pub at: Timestamp,
    /// Whole microseconds; none: nobody measured.
    pub micros: Option<u64>,
    /// Status of HTTP; none when there was no answer.
    pub status: Option<u16>,
    /// None: by the status.
    pub result: Option<Outcome>,
    pub reason: Option<&'a str>,
    pub trace_id: Option<String>,
    pub method: Option<&'a str>,
    pub path: &'a str,
    /// The family of the path, by who knows it already.
    pub path_family: Option<&'a str>,
    pub query: Option<&'a str>,
    pub request: Body<'a>,
    pub response: Body<'a>,
}

/// What was sent one way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Body<'a> {
    /// None: nobody counted.
    pub bytes: Option<u64>,
    /// What is kept of it; empty if nothing is.
    pub text: &'a [u8],
}

/// A request as it is kept. The fields are in the order of their names, as in all JSON here.
#[derive(Serialize)]
struct Request<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<Value>,
    method: Option<Cow<'a, str>>,
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<Cow<'a, str>>,
}

/// An answer as it is kept.
#[derive(Serialize)]
struct Response {
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<Value>,
}

/// How calls that were seen are kept.
#[derive(Debug, Clone)]
pub struct Keeping {
    masking: Masking,
    hides: Hides,
}

/// Whether fields of these names are hidden.
#[derive(Debug, Clone, Copy)]
struct Hides {
    body: bool,
    bytes: bool,
    method: bool,
    path: bool,
    query: bool,
}

impl Keeping {
    pub fn new(masking: Masking) -> Self {
        let hides = Hides {
            body: masking.hides("body"),
            bytes: masking.hides("bytes"),
            method: masking.hides("method"),
            path: masking.hides("path"),
            query: masking.hides("query"),
        };
        Self { masking, hides }
    }

    pub const fn masking(&self) -> &Masking {
        &self.masking
    }

    /// Checks a call, says how it ended and hides what nobody shall see. A status from
    /// `fails_from_status` on is a failure.
    ///
    /// # Errors
    /// The first field that cannot be.
    pub fn call(
        &self,
        seen: Seen<'_>,
        channel: &ChannelId,
        fails_from_status: u16,
        now: Timestamp,
    ) -> Result<Call, CallFault> {
        let facts = Facts {
            id: Some(&seen.id),
            caller: seen.caller,
            version: seen.version,
            at: seen.at,
            duration_ms: seen.micros.map(|micros| micros as f64 / 1000.0),
            status: seen.status,
            result: seen.result,
            reason: seen.reason,
            trace_id: seen.trace_id.as_deref(),
        };
        if let Some(fault) = facts.fault(now) {
            return Err(fault);
        }
        let result = facts.outcome(fails_from_status);
        let reason = facts.why(result);
        let family = match seen.path_family {
            Some(family) => family.to_owned(),
            None => family_of(seen.path, DEPTH),
        };
        Ok(Call {
            reason: reason.map(|reason| self.masking.owned(reason.into_owned())),
            path_family: Some(self.masking.owned(family)),
            request: Some(self.request(&seen)),
            response: self.response(seen.response),
            id: seen.id,
            channel: channel.clone(),
            caller: seen.caller.to_owned(),
            version: seen.version.map(str::to_owned),
            at: seen.at,
            micros: seen.micros,
            status: seen.status,
            result,
            trace_id: seen.trace_id,
        })
    }

    fn request(&self, seen: &Seen<'_>) -> Part {
        let hides = self.hides;
        Part::of(&Request {
            body: self.body(seen.request.text),
            bytes: self.bytes(seen.request.bytes),
            method: seen.method.map(|text| self.text(text, hides.method)),
            path: self.text(seen.path, hides.path),
            query: seen.query.map(|text| self.text(text, hides.query)),
        })
    }

    fn response(&self, body: Body<'_>) -> Option<Part> {
        let response = Response {
            body: self.body(body.text),
            bytes: self.bytes(body.bytes),
        };
        let nothing = response.body.is_none() && response.bytes.is_none();
        (!nothing).then(|| Part::of(&response))
    }

    fn text<'a>(&self, text: &'a str, hidden: bool) -> Cow<'a, str> {
        match hidden {
            true => MASKED.into(),
            false => self.masking.cow(text),
        }
    }

    fn bytes(&self, bytes: Option<u64>) -> Option<Value> {
        let hidden = || Value::String(MASKED.to_owned());
        bytes.map(|bytes| match self.hides.bytes {
            true => hidden(),
            false => self.masking.value(bytes.into()),
        })
    }

    /// JSON if it is that, and else text.
    fn body(&self, text: &[u8]) -> Option<Value> {
        if text.is_empty() {
            return None;
        }
        let json = serde_json::from_slice(text).ok();
        let body = json.unwrap_or_else(|| String::from_utf8_lossy(text).into());
        Some(match (body, self.hides.body) {
            (kept @ (Value::Null | Value::Bool(_)), _) => kept,
            (_, true) => Value::String(MASKED.to_owned()),
            (shown, false) => self.masking.value(shown),
        })
    }
}
