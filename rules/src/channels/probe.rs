//! A question that is put to an interface now and then, to see whether it answers.

use serde::{Deserialize, Serialize};

use super::upstream::{is_address, is_authority};

/// Probes are recorded as calls of this caller.
pub const CALLER: &str = "probe";

/// Longest text that an answer is searched for, in bytes.
const TEXT_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    /// A request, whose answer has a status and maybe a text.
    Http {
        url: String,
        #[serde(default)]
        method: ProbeMethod,
        /// First and last status that is well.
        #[serde(default = "success")]
        status: (u16, u16),
        /// Stands in the first 64 KiB of the answer.
        #[serde(default)]
        text: Option<String>,
        #[serde(default = "every_secs")]
        every_secs: u64,
        #[serde(default = "timeout_ms")]
        timeout_ms: u64,
    },
    /// A connection that is accepted.
    Tcp {
        /// `HOST:PORT`.
        address: String,
        #[serde(default = "every_secs")]
        every_secs: u64,
        #[serde(default = "timeout_ms")]
        timeout_ms: u64,
    },
}

/// Methods that change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ProbeMethod {
    #[default]
    Get,
    Head,
    Options,
}

impl ProbeMethod {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }
}

const fn success() -> (u16, u16) {
    (200, 299)
}
const fn every_secs() -> u64 {
    60
}
const fn timeout_ms() -> u64 {
    5_000
}

impl Probe {
    pub const fn every_secs(&self) -> u64 {
        match self {
            Self::Http { every_secs, .. } | Self::Tcp { every_secs, .. } => *every_secs,
        }
    }

    pub const fn timeout_ms(&self) -> u64 {
        match self {
            Self::Http { timeout_ms, .. } | Self::Tcp { timeout_ms, .. } => *timeout_ms,
        }
    }

    /// The first field that cannot be, and why.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        if !(1..=86_400).contains(&self.every_secs()) {
            return Some(("probe.every_secs", "is from 1 to 86400"));
        }
        if !(1..=60_000).contains(&self.timeout_ms()) {
            return Some(("probe.timeout_ms", "is from 1 to 60000"));
        }
        match self {
            Self::Tcp { address, .. } => {
                let with_port = address
                    .rsplit_once(':')
                    .is_some_and(|(_, p)| !p.contains(']'));
                let good = is_authority(address) && with_port;
                (!good).then_some(("probe.address", "is HOST:PORT"))
            }
            Self::Http {
                url, status, text, ..
            } => {
                let (path, _) = url.split_once('?').unwrap_or((url, ""));
                let is_text = |text: &String| (1..=TEXT_MAX).contains(&text.len());
                let blank = url.bytes().any(|b| !b.is_ascii_graphic());
                if !is_address(path) || blank || path.contains('{') || url.len() > 512 {
                    return Some((
                        "probe.url",
                        "is http://HOST[:PORT][/PATH][?QUERY] or https://…, at most 512 bytes",
                    ));
                }
                if !(100 <= status.0 && status.0 <= status.1 && status.1 < 600) {
                    return Some(("probe.status", "is the first and the last, from 100 to 599"));
                }
                let bad = text.as_ref().is_some_and(|text| !is_text(text));
                bad.then_some(("probe.text", "has 1 to 256 bytes"))
            }
        }
    }

    /// Bytes that it occupies.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Tcp { address, .. } => address.capacity(),
                Self::Http { url, text, .. } => {
                    url.capacity() + text.as_ref().map_or(0, String::capacity)
                }
            }
    }
}
