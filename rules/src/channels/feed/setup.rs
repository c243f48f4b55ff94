//! What was agreed about a feed.

use serde::{Deserialize, Serialize};

use super::check::{Checks, FIELDS_MAX};
use super::schedule::Schedule;
use crate::channels::masking::Masking;
use crate::channels::setup::is_text;
use crate::ids::{ChannelId, HallId};
use crate::name::Name;
use crate::time::TimeZone;

/// Longest address of a target, in bytes.
const URL_MAX: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedDirection {
    Receive,
    Push,
}

impl FeedDirection {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Push => "push",
        }
    }
}

/// Where this server pushes records itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `http://` or `https://`; each record is POSTed there.
    pub url: String,
    /// Name of the secret in this server's settings with which records are signed.
    #[serde(default)]
    pub secret: Option<String>,
    /// Attempts per record before it is left to people.
    #[serde(default = "attempts_max")]
    pub attempts_max: u32,
}

const fn attempts_max() -> u32 {
    8
}

/// Where records come from by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Tickets of the feed's hall, or of all halls, as they complete.
    Tickets,
}

/// A feed as it is set up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedSetup {
    pub name: Name,
    pub direction: FeedDirection,
    /// What it is: `items`, `cases`, `ratings`, `licences` …
    pub kind: String,
    /// Where it comes from or goes to.
    pub party: String,
    /// The channel that carries it.
    #[serde(default)]
    pub channel: Option<ChannelId>,
    #[serde(default)]
    pub schedule: Schedule,
    /// How late data may be, in seconds; none leaves it to the rules.
    #[serde(default)]
    pub limit_secs: Option<u64>,
    #[serde(default)]
    pub checks: Checks,
    /// The field that names a record, where it is not told with an id.
    #[serde(default)]
    pub key: Option<String>,
    /// The field that names the unit a record belongs to.
    #[serde(default)]
    pub unit: Option<String>,
    #[serde(default)]
    pub masking: Masking,
    #[serde(default)]
    pub target: Option<Target>,
    #[serde(default)]
    pub source: Option<Source>,
    #[serde(default)]
    pub hall: Option<HallId>,
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default = "shanghai")]
    pub time_zone: TimeZone,
}

fn shanghai() -> TimeZone {
    TimeZone::SHANGHAI
}

impl FeedSetup {
    /// The first field that cannot be, and why.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        let texts = [
            ("kind", Some(&self.kind)),
            ("party", Some(&self.party)),
            ("owner", self.owner.as_ref()),
            ("key", self.key.as_ref()),
            ("unit", self.unit.as_ref()),
        ];
        let bad = |(_, text): &(&str, Option<&String>)| text.is_some_and(|text| !is_text(text));
        if !self.name.is_valid() {
            return Some(("name", "is one line of 1 to 80 characters in each language"));
        }
        if let Some((field, _)) = texts.into_iter().find(bad) {
            return Some((field, "is one line of 1 to 64 bytes"));
        }
        let period = self.schedule.period_secs();
        if period.is_some_and(|secs| !(10..=31_622_400).contains(&secs)) {
            return Some(("schedule", "is every 10 seconds to every 366 days"));
        }
        if self.checks.0.len() > FIELDS_MAX {
            return Some(("checks", "has 100 fields at most"));
        }
        for (field, name) in [("key", &self.key), ("unit", &self.unit)] {
            if name.as_ref().is_some_and(|name| self.masking.hides(name)) {
                return Some((field, "is hidden by the masking: take another field"));
            }
        }
        self.pushing_fault()
    }

    fn pushing_fault(&self) -> Option<(&'static str, &'static str)> {
        if self.direction == FeedDirection::Receive {
            if self.target.is_some() {
                return Some(("target", "is for a feed that pushes"));
            }
            return (self.source.is_some()).then_some(("source", "is for a feed that pushes"));
        }
        let target = self.target.as_ref()?;
        let rest = ["http://", "https://"];
        let rest = rest
            .iter()
            .find_map(|scheme| target.url.strip_prefix(scheme));
        let host = rest.map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
        let plain = !target.url.contains(|c: char| c.is_control() || c == ' ');
        let named = host.is_some_and(|host| !host.is_empty() && !host.contains('@'));
        if !(named && plain && target.url.len() <= URL_MAX) {
            return Some((
                "target.url",
                "is an address http://… or https://… without a password",
            ));
        }
        (!(1..=100).contains(&target.attempts_max))
            .then_some(("target.attempts_max", "is 1 to 100"))
    }
}
