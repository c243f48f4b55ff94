//! What a channel is set up with. The limits' numbers are the project's own defaults.

use serde::{Deserialize, Serialize};

use super::probe::Probe;
use super::upstream::Upstream;
use crate::ids::HallId;
use crate::name::Name;
use crate::time::TimeZone;

/// Longest provider, consumer, group, owner and caller, in bytes.
pub const TEXT_MAX: usize = 64;

/// Longest endpoint, in bytes.
const ENDPOINT_MAX: usize = 512;

/// Who calls whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Others call, or push to, the centre.
    Inbound,
    /// The centre calls, or pushes to, others.
    Outbound,
    /// Others call others, through the centre's gateway.
    Through,
}

impl Direction {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Through => "through",
        }
    }
}

/// A channel as it is set up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    pub name: Name,
    /// Who answers.
    pub provider: String,
    pub direction: Direction,
    /// Whom it is for.
    #[serde(default)]
    pub consumer: Option<String>,
    /// Channels that are counted together, e.g. `ministry`.
    #[serde(default)]
    pub group: Option<String>,
    /// Its address, for people.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// What the gateway forwards to; none: it forwards nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Box<Upstream>>,
    /// What is asked of the interface now and then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Box<Probe>>,
    /// The account that looks after it.
    #[serde(default)]
    pub owner: Option<String>,
    /// The hall it belongs to; none: the city's.
    #[serde(default)]
    pub hall: Option<HallId>,
    /// Whose hours and weekdays "usual" goes by.
    #[serde(default = "shanghai")]
    pub time_zone: TimeZone,
    /// Seconds between two calls, or deliveries, that were agreed.
    #[serde(default)]
    pub expected_every_secs: Option<u64>,
    #[serde(default)]
    pub limits: Limits,
}

fn shanghai() -> TimeZone {
    TimeZone::SHANGHAI
}

/// What is still healthy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// So many failures in a row and the channel is down.
    pub consecutive_failures: u32,
    /// So many successes in a row and it has recovered.
    pub recovery_successes: u32,
    /// Shares and rates say something from so many calls of the last five minutes on.
    pub min_calls: u32,
    /// Degraded above this share of failures, in percent.
    pub failed_percent: f64,
    /// Slow is what takes longer, in milliseconds.
    pub slow_ms: u64,
    /// Degraded above this share of slow calls, in percent: 5 means that the 95th percentile is over
    /// `slow_ms`.
    pub slow_percent: f64,
    /// Degraded when calls are so many times more, or less, than at this hour of other weeks.
    pub odd_times: f64,
    /// A status from here on is a failure, unless the record says otherwise.
    pub fails_from_status: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            recovery_successes: 3,
            min_calls: 20,
            failed_percent: 5.0,
            slow_ms: 2000,
            slow_percent: 5.0,
            odd_times: 5.0,
            fails_from_status: 400,
        }
    }
}

impl Limits {
    pub const fn slow_micros(&self) -> u64 {
        self.slow_ms.saturating_mul(1000)
    }

    fn fault(&self) -> Option<(&'static str, &'static str)> {
        let share = |percent: f64| percent > 0.0 && percent <= 100.0;
        let faults = [
            (
                !(1..=10_000).contains(&self.consecutive_failures),
                "limits.consecutive_failures",
                "is from 1 to 10000",
            ),
            (
                !(1..=1_000).contains(&self.recovery_successes),
                "limits.recovery_successes",
                "is from 1 to 1000",
            ),
            (self.min_calls == 0, "limits.min_calls", "is 1 at the least"),
            (
                !share(self.failed_percent),
                "limits.failed_percent",
                "is above 0 and at most 100",
            ),
            (
                !(1..=3_600_000).contains(&self.slow_ms),
                "limits.slow_ms",
                "is from 1 to 3600000",
            ),
            (
                !share(self.slow_percent),
                "limits.slow_percent",
                "is above 0 and at most 100",
            ),
            (
                !(self.odd_times > 1.0 && self.odd_times.is_finite()),
                "limits.odd_times",
                "is above 1",
            ),
            (
                !(200..=600).contains(&self.fails_from_status),
                "limits.fails_from_status",
                "is from 200 to 600",
            ),
        ];
        let found = faults.into_iter().find(|(bad, ..)| *bad);
        found.map(|(_, field, why)| (field, why))
    }
}

impl Setup {
    /// As it may be shown: without secrets.
    #[must_use]
    pub fn shown(&self) -> Self {
        let mut shown = self.clone();
        shown.upstream = self.upstream.as_deref().map(|one| Box::new(one.shown()));
        shown
    }

    /// The first field that cannot be, and why.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        if !self.name.is_valid() {
            return Some(("name", "is one line of 1 to 80 characters in each language"));
        }
        let texts = [
            ("provider", Some(&self.provider)),
            ("consumer", self.consumer.as_ref()),
            ("group", self.group.as_ref()),
            ("owner", self.owner.as_ref()),
        ];
        for (field, text) in texts {
            if text.is_some_and(|text| !is_text(text)) {
                return Some((field, "is one line of 1 to 64 bytes"));
            }
        }
        if let Some(endpoint) = &self.endpoint
            && (endpoint.len() > ENDPOINT_MAX || endpoint.contains(|c: char| c <= ' '))
        {
            return Some((
                "endpoint",
                "is an address of at most 512 bytes without blanks",
            ));
        }
        if self.expected_every_secs == Some(0) {
            return Some(("expected_every_secs", "is 1 at the least"));
        }
        let upstream = self.upstream.as_deref().and_then(Upstream::fault);
        let probe = self.probe.as_deref().and_then(Probe::fault);
        upstream.or(probe).or_else(|| self.limits.fault())
    }
}

/// One line that is neither empty nor too long.
pub(super) fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= TEXT_MAX && !text.chars().any(char::is_control)
}
