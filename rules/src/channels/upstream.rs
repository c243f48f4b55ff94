//! Where the gateway forwards a channel's calls to, and within which bounds. The numbers are the
//! project's own defaults.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::masking::{MASKED, Masking};

/// Longest address, in bytes.
const URL_MAX: usize = 512;

/// Names and values of all header rules together, in bytes.
const HEADERS_MAX: usize = 2048;

/// Takes the place of the version in the address.
const VERSION: &str = "{version}";

/// Headers that belong to one connection, or that the gateway answers for itself: no rule changes them.
pub const OWN_HEADERS: [&str; 12] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
];

/// Headers that are set, or taken away, on the way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderRules {
    /// Replaces what is there.
    pub set: BTreeMap<String, String>,
    pub remove: Vec<String>,
}

/// What stands behind a channel's gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// `http` or `https`; `{version}` stands for the version that is called, and the rest of the
    /// path follows.
    pub url: String,
    /// Longest wait for a connection, in milliseconds.
    #[serde(default = "connect_ms")]
    pub connect_ms: u64,
    /// A call ends when nothing has moved for so many milliseconds, in either direction.
    #[serde(default = "idle_ms")]
    pub idle_ms: u64,
    /// A call ends after so many milliseconds altogether.
    #[serde(default = "total_ms")]
    pub total_ms: u64,
    #[serde(default = "max_request_bytes")]
    pub max_request_bytes: u64,
    #[serde(default = "max_response_bytes")]
    pub max_response_bytes: u64,
    /// Calls under way at a time; more are refused.
    #[serde(default = "max_parallel")]
    pub max_parallel: u32,
    /// Whether bodies of text are kept in the history, masked. Their lengths always are.
    #[serde(default = "keep_bodies")]
    pub keep_bodies: bool,
    #[serde(default)]
    pub request_headers: HeaderRules,
    #[serde(default)]
    pub response_headers: HeaderRules,
}

const fn connect_ms() -> u64 {
    2_000
}
const fn idle_ms() -> u64 {
    15_000
}
const fn total_ms() -> u64 {
    60_000
}
const fn max_request_bytes() -> u64 {
    10 << 20
}
const fn max_response_bytes() -> u64 {
    100 << 20
}
const fn max_parallel() -> u32 {
    64
}
const fn keep_bodies() -> bool {
    true
}

impl Upstream {
    /// The first field that cannot be, and why.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        const HOUR_MS: u64 = 3_600_000;
        const GIB: u64 = 1 << 30;
        let faults = [
            (
                !is_address(&self.url),
                "upstream.url",
                "is http://HOST[:PORT][/PATH] or https://…, at most 512 bytes, without user, query or blanks",
            ),
            (
                !(1..=60_000).contains(&self.connect_ms),
                "upstream.connect_ms",
                "is from 1 to 60000",
            ),
            (
                !(1..=HOUR_MS).contains(&self.idle_ms),
                "upstream.idle_ms",
                "is from 1 to 3600000",
            ),
            (
                !(1..=HOUR_MS).contains(&self.total_ms),
                "upstream.total_ms",
                "is from 1 to 3600000",
            ),
            (
                self.max_request_bytes > GIB,
                "upstream.max_request_bytes",
                "is at most 1073741824",
            ),
            (
                self.max_response_bytes > GIB,
                "upstream.max_response_bytes",
                "is at most 1073741824",
            ),
            (
                !(1..=10_000).contains(&self.max_parallel),
                "upstream.max_parallel",
                "is from 1 to 10000",
            ),
            (
                self.request_headers.are_bad(),
                "upstream.request_headers",
                HEADERS_FAULT,
            ),
            (
                self.response_headers.are_bad(),
                "upstream.response_headers",
                HEADERS_FAULT,
            ),
        ];
        let found = faults.into_iter().find(|(bad, ..)| *bad);
        found.map(|(_, field, why)| (field, why))
    }

    /// Whether it is spoken to encrypted, and its `HOST[:PORT]`.
    pub fn authority(&self) -> (bool, &str) {
        let (tls, rest) = match self.url.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, self.url.trim_start_matches("http://")),
        };
        (tls, rest.split('/').next().unwrap_or(rest))
    }

    /// The path and query of a call: those of the address with this version, then the rest of the
    /// path and the query as they came.
    pub fn path(&self, version: &str, rest: &str, query: &str) -> String {
        let (tls, authority) = self.authority();
        let base = &self.url[if tls { 8 } else { 7 } + authority.len()..];
        let mut path = base.trim_end_matches('/').replace(VERSION, version);
        path.push_str(rest);
        if path.is_empty() {
            path.push('/');
        }
        if !query.is_empty() {
            path.push('?');
            path.push_str(query);
        }
        path
    }

    /// As it may be shown: values of headers that carry secrets are hidden.
    #[must_use]
    pub fn shown(&self) -> Self {
        let masking = Masking::default();
        let mut shown = self.clone();
        for rules in [&mut shown.request_headers, &mut shown.response_headers] {
            for (name, value) in &mut rules.set {
                if masking.hides(name) {
                    MASKED.clone_into(value);
                }
            }
        }
        shown
    }

    /// Takes the values that were shown hidden from the set-up that stands.
    pub fn unhide(&mut self, standing: Option<&Self>) {
        let pairs = [
            (
                &mut self.request_headers,
                standing.map(|one| &one.request_headers),
            ),
            (
                &mut self.response_headers,
                standing.map(|one| &one.response_headers),
            ),
        ];
        for (rules, standing) in pairs {
            for (name, value) in rules.set.iter_mut().filter(|(_, value)| *value == MASKED) {
                if let Some(kept) = standing.and_then(|rules| rules.set.get(name)) {
                    value.clone_from(kept);
                }
            }
        }
    }

    /// Bytes that it occupies.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.url.capacity()
            + self.request_headers.heap_bytes()
            + self.response_headers.heap_bytes()
    }
}

const HEADERS_FAULT: &str = "has names of headers and values of visible ASCII, 2048 bytes in all; those of the \
     connection, its length and the key are the gateway's own";

impl HeaderRules {
    fn are_bad(&self) -> bool {
        let values = |(name, value): (&String, &String)| {
            is_header(name) && value.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        };
        let removed = self.remove.iter().all(|name| is_header(name));
        self.text_bytes() > HEADERS_MAX || !removed || !self.set.iter().all(values)
    }

    fn text_bytes(&self) -> usize {
        let set = self
            .set
            .iter()
            .map(|(name, value)| name.len() + value.len());
        set.chain(self.remove.iter().map(String::len)).sum()
    }

    fn heap_bytes(&self) -> usize {
        let entries = self.set.len() * 2 + self.remove.len();
        self.text_bytes() + entries * size_of::<String>() * 2
    }
}

fn is_header(name: &str) -> bool {
    let sign = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let own = |own: &&str| name.eq_ignore_ascii_case(own);
    !name.is_empty() && name.bytes().all(sign) && !OWN_HEADERS.iter().any(own)
}

/// An address of HTTP without user, query and fragment.
pub(super) fn is_address(url: &str) -> bool {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    let Some(rest) = rest else { return false };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let sign = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`|#?".contains(&b);
    url.len() <= URL_MAX
        && is_authority(authority)
        && path
            .replace(VERSION, "")
            .bytes()
            .all(|b| sign(b) && b != b'{' && b != b'}')
}

/// `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`.
pub(super) fn is_authority(text: &str) -> bool {
    let port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let (host, rest) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => match host.parse::<std::net::Ipv6Addr>() {
            Ok(_) => ("v6", rest),
            Err(_) => return false,
        },
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let sign = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let named = !host.is_empty() && host.bytes().all(sign);
    named && (rest.is_empty() || rest.strip_prefix(':').is_some_and(port))
}

/// The first segment of a path, and the rest with its `/`.
pub fn first_segment(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split_at(path.find('/').unwrap_or(path.len()))
}

/// Whether a path would leave its place: `.` or `..` as a segment, also percent-encoded.
pub fn leaves_its_place(path: &str) -> bool {
    if !path.contains("/.") && !path.contains('%') && !path.contains('\\') {
        return false;
    }
    let plain = path.to_ascii_lowercase();
    let plain = plain
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "\\");
    plain
        .split(['/', '\\'])
        .any(|segment| matches!(segment, "." | ".."))
}
