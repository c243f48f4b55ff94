//! What is known of a forwarded or refused call, and how the history tells it.

use actix_web::http::{Method, Uri};
use rules::channels::call::{Call, NewCall, PART_MAX_BYTES};
use rules::channels::{Limits, Masking, Outcome};
use rules::time::Timestamp;
use serde_json::{Map, Value};
use std::sync::Arc;

use super::Live;

/// A body as it passes by: its length, and its text if it is one that is kept.
#[derive(Debug, Default)]
pub(super) struct Part {
    bytes: u64,
    text: Option<Vec<u8>>,
}

impl Part {
    /// Only text is kept, and only as a whole: of half a document nobody could tell what to mask.
    pub(super) fn new(keep: bool, content_type: &str, content_encoding: &str) -> Self {
        let plain = matches!(content_encoding, "" | "identity");
        Self {
            bytes: 0,
            text: (keep && plain && is_text(content_type)).then(Vec::new),
        }
    }

    /// So many bytes have passed with these.
    pub(super) fn add(&mut self, chunk: &[u8]) -> u64 {
        self.bytes += chunk.len() as u64;
        if self.bytes > PART_MAX_BYTES as u64 {
            self.text = None;
        }
        if let Some(text) = &mut self.text {
            text.extend_from_slice(chunk);
        }
        self.bytes
    }

    fn held(&self) -> usize {
        self.text.as_ref().map_or(0, Vec::capacity)
    }

    fn told(&self, told: &mut Map<String, Value>) {
        if self.bytes > 0 {
            told.insert("bytes".to_owned(), self.bytes.into());
        }
        if let Some(text) = self.text.as_ref().filter(|text| !text.is_empty()) {
            let json = serde_json::from_slice(text).ok();
            let body = json.unwrap_or_else(|| String::from_utf8_lossy(text).into());
            told.insert("body".to_owned(), body);
        }
    }
}

fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind.starts_with("text/")
        || kind.ends_with("json")
        || kind.ends_with("xml")
        || kind == "application/x-www-form-urlencoded"
}

/// A call, as the gateway knows it.
pub(super) struct Record {
    pub(super) live: Arc<Live>,
    pub(super) limits: Limits,
    pub(super) at: Timestamp,
    pub(super) caller: String,
    pub(super) version: Option<String>,
    pub(super) method: Method,
    /// As it came; the path behind channel and version begins at `rest`.
    pub(super) uri: Uri,
    pub(super) rest: usize,
    pub(super) trace_id: String,
    /// Of the answer; none before there is one.
    pub(super) status: Option<u16>,
    /// By the status, if none.
    pub(super) result: Option<Outcome>,
    pub(super) reason: Option<&'static str>,
    pub(super) micros: Option<u64>,
    pub(super) request: Part,
    pub(super) response: Part,
}

impl Record {
    /// Bytes of bodies that it holds.
    pub(super) fn held(&self) -> usize {
        self.request.held()
            + self.response.held()
            + self
                .uri
                .path_and_query()
                .map_or(0, |asked| asked.as_str().len())
    }

    pub(super) fn is_refused(&self) -> bool {
        self.result == Some(Outcome::Refused)
    }

    /// As the history keeps it; none if it cannot be told.
    pub(super) fn call(self, id: String, masking: &Masking, now: Timestamp) -> Option<Call> {
        let mut request = Map::new();
        request.insert("method".to_owned(), self.method.as_str().into());
        request.insert("path".to_owned(), self.uri.path()[self.rest..].into());
        if let Some(query) = self.uri.query().filter(|query| !query.is_empty()) {
            request.insert("query".to_owned(), query.into());
        }
        self.request.told(&mut request);
        let mut response = Map::new();
        self.response.told(&mut response);
        let told = NewCall {
            id: None,
            caller: self.caller,
            version: self.version,
            at: self.at,
            duration_ms: self.micros.map(|micros| micros as f64 / 1000.0),
            status: self.status,
            result: self.result,
            reason: self.reason.map(str::to_owned),
            trace_id: Some(self.trace_id),
            request: Some(request.into()),
            response: (!response.is_empty()).then(|| response.into()),
        };
        let checked = told.checked(&self.live.watched.id, || id, &self.limits, masking, now);
        checked
            .inspect_err(|fault| tracing::warn!(%fault, "a call could not be recorded"))
            .ok()
    }
}
