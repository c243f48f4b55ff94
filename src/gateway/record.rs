//! What is known of a forwarded or refused call, and how the history tells it.

use std::time::Instant;

use actix_web::http::Method;
use rules::channels::Outcome;
use rules::channels::call::{Call, PART_MAX_BYTES};
use rules::channels::seen::{Body, Keeping, Seen};
use rules::channels::trace::push_hex;
use rules::ids::ChannelId;
use rules::time::Timestamp;

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

    /// Its text, as far as it is kept.
    pub(super) fn kept(&self) -> &[u8] {
        self.text.as_deref().unwrap_or_default()
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

/// Texts of a call: caller, version, path behind channel and version, query, and the two bodies.
const TEXTS: usize = 6;

/// What is known of a call beside its texts.
pub(super) struct Head {
    /// The channel's number on the thread's shelf.
    pub(super) channel: usize,
    pub(super) at: Timestamp,
    pub(super) begun: Instant,
    pub(super) ended: Instant,
    /// Whether it was allowed, so that its time tells something of the channel.
    pub(super) carried: bool,
    pub(super) method: Method,
    pub(super) trace: u128,
    /// Of the answer; none before there is one.
    pub(super) status: Option<u16>,
    /// A status from here on is a failure.
    pub(super) fails_from_status: u16,
    /// By the status, if none.
    pub(super) result: Option<Outcome>,
    pub(super) reason: Option<&'static str>,
    /// Where its texts begin among those of others.
    pub(super) start: usize,
    lengths: [usize; TEXTS],
    /// Of the bodies, whether they are kept or not.
    bytes: [u64; 2],
}

impl Head {
    pub(super) fn new(channel: usize, at: Timestamp) -> Self {
        let begun = Instant::now();
        Self {
            channel,
            at,
            begun,
            ended: begun,
            carried: false,
            method: Method::GET,
            trace: 0,
            status: None,
            fails_from_status: u16::MAX,
            result: None,
            reason: None,
            start: 0,
            lengths: [0; TEXTS],
            bytes: [0; 2],
        }
    }

    pub(super) fn is_refused(&self) -> bool {
        self.result == Some(Outcome::Refused)
    }

    /// As the history keeps it, with its own texts at the beginning of these; none if it cannot be told.
    pub(super) fn call(
        &self,
        texts: &[u8],
        channel: &ChannelId,
        id: String,
        keeping: &Keeping,
        now: Timestamp,
    ) -> Option<Call> {
        let mut rest = texts;
        let [caller, version, path, query, asked, answered] = self.lengths.map(|length| {
            let (text, behind) = rest.split_at_checked(length).unwrap_or_default();
            rest = behind;
            text
        });
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        let known = |bytes| Some(text(bytes)).filter(|text| !text.is_empty());
        let body = |n: usize, text| Body {
            bytes: Some(self.bytes[n]).filter(|bytes| *bytes > 0),
            text,
        };
        let mut trace = String::with_capacity(32);
        push_hex(&mut trace, &self.trace.to_be_bytes());
        let took = self.carried.then(|| self.ended - self.begun);
        let seen = Seen {
            id,
            caller: text(caller),
            version: known(version),
            at: self.at,
            micros: took.map(|time| time.as_micros() as u64),
            status: self.status,
            result: self.result,
            reason: self.reason,
            trace_id: Some(trace),
            method: Some(self.method.as_str()),
            path: text(path),
            path_family: None,
            query: known(query),
            request: body(0, asked),
            response: body(1, answered),
        };
        let kept = keeping.call(seen, channel, self.fails_from_status, now);
        kept.inspect_err(|fault| tracing::warn!(%fault, "a call could not be recorded"))
            .ok()
    }
}

/// A call under way.
pub(super) struct Record {
    pub(super) head: Head,
    /// All texts before the bodies.
    texts: String,
    pub(super) request: Part,
    pub(super) response: Part,
}

impl Record {
    /// `texts`: caller, version (empty: none), path behind channel and version, and query.
    pub(super) fn new(mut head: Head, texts: [&str; TEXTS - 2], request: Part) -> Self {
        for (length, text) in head.lengths.iter_mut().zip(texts) {
            *length = text.len();
        }
        Self {
            head,
            texts: texts.concat(),
            request,
            response: Part::default(),
        }
    }

    /// Bytes of its texts.
    pub(super) fn held(&self) -> usize {
        self.texts.len() + self.request.kept().len() + self.response.kept().len()
    }

    /// Nothing is known of the bodies any more.
    pub(super) fn let_bodies_go(&mut self) {
        (self.request, self.response) = (Part::default(), Part::default());
    }

    /// All that is to be kept of it.
    pub(super) fn told(self) -> (Head, String, [Part; 2]) {
        let Self {
            mut head,
            texts,
            request,
            response,
        } = self;
        let bodies = [request, response];
        for (n, body) in bodies.iter().enumerate() {
            head.bytes[n] = body.bytes;
            head.lengths[TEXTS - 2 + n] = body.kept().len();
        }
        (head, texts, bodies)
    }
}
