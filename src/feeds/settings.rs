//! `[feeds]`: how records are pushed and how long they are kept.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;
use serde::Deserialize;

use crate::notices::settings::Secret;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub remembered_days: u32,
    pub timeout_secs: u64,
    pub parallel: usize,
    pub retry_ms: u64,
    pub breaker_failures: u32,
    pub breaker_secs: u64,
    /// With which records are signed, by the name that a feed's set-up gives.
    pub secrets: BTreeMap<String, Secret>,
}

impl Settings {
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_secs)
    }

    /// # Errors
    /// A value cannot be; the message names its key.
    pub fn check(&self) -> anyhow::Result<()> {
        for (key, value, range) in [
            ("remembered_days", u64::from(self.remembered_days), 1..=3660),
            ("timeout_secs", self.timeout_secs, 1..=60),
            ("parallel", self.parallel as u64, 1..=64),
            ("retry_ms", self.retry_ms, 10..=600_000),
            (
                "breaker_failures",
                u64::from(self.breaker_failures),
                1..=1000,
            ),
            ("breaker_secs", self.breaker_secs, 1..=3600),
        ] {
            ensure!(
                range.contains(&value),
                "feeds.{key} must lie between {} and {}",
                range.start(),
                range.end()
            );
        }
        Ok(())
    }
}
