//! Settings: the embedded, commented `default.toml`, then a file, then the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use config::{Config, Environment, File, FileFormat};
use rules::hours::{DayTime, Weekday};
use rules::time::TimeZone;
use serde::Deserialize;

use crate::notices::settings::Notices;
use crate::strips::Networks;

/// The defaults, which are also the manual.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Bodies of calls that are read at a time, in bytes together.
pub const BULK_MAX: usize = 64 << 20;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub server: Server,
    pub data: Data,
    pub database: Database,
    pub session: Session,
    pub devices: Devices,
    pub raters: Raters,
    pub alerts: Alerts,
    pub calls: Calls,
    pub metrics: Metrics,
    pub telemetry: Telemetry,
    pub gateway: Gateway,
    pub feeds: crate::feeds::settings::Settings,
    pub strips: Strips,
    pub voice: Voice,
    pub cases: Cases,
    pub notices: Notices,
    pub demo: Demo,
    pub log: Log,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub addr: SocketAddr,
    pub public_url: String,
    pub origins: Vec<String>,
    pub workers: usize,
    pub body_limit: usize,
    pub stalled_secs: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    pub dir: PathBuf,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: String,
}

/// Never prints the password that the address may hold.
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = self.url.split(':').next().unwrap_or_default();
        write!(f, "Database({scheme}:****)")
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    pub hours: u32,
    pub attempts: u32,
    pub lock_secs: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Devices {
    pub silent_secs: u64,
    /// The version that the software of a kind of device should have, by kind.
    pub expected_versions: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raters {
    /// The channel that invitations are counted on.
    pub channel: String,
    /// A rater answers within so many seconds.
    pub answer_secs: u64,
    /// And shows the invitation so long.
    pub shown_secs: u64,
    /// The text message to a holder, with {number}, {window} and {link}.
    pub text: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strips {
    pub networks: Networks,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voice {
    pub dir: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    pub pass_ms: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    pub body_limit: usize,
    pub per_request: usize,
    pub keep_days: u32,
    /// 0: as many as there are.
    pub keep_rows: u64,
    pub keep_hours_days: u32,
    pub tidy_secs: u64,
}

/// Never prints its secret.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Empty: figures are told to this machine only.
    pub token: String,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics(****)")
    }
}

/// Never prints its secrets.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Empty: nothing is sent.
    pub otlp_endpoint: String,
    pub otlp_every_secs: u64,
    pub otlp_headers: BTreeMap<String, String>,
}

impl Telemetry {
    fn check(&self) -> anyhow::Result<()> {
        let endpoint = self.otlp_endpoint.as_str();
        ensure!(
            endpoint.is_empty()
                || endpoint.starts_with("http://")
                || endpoint.starts_with("https://"),
            "telemetry.otlp_endpoint must begin with http:// or https://"
        );
        ensure!(
            self.otlp_every_secs > 0,
            "telemetry.otlp_every_secs must be at least 1"
        );
        Ok(())
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Telemetry({}, ****)", self.otlp_endpoint)
    }
}

impl Calls {
    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            (1024..=BULK_MAX).contains(&self.body_limit),
            "calls.body_limit must lie between 1024 and {BULK_MAX}"
        );
        ensure!(self.per_request > 0, "calls.per_request must be at least 1");
        ensure!(self.keep_days > 0, "calls.keep_days must be at least 1");
        ensure!(
            self.keep_rows == 0 || self.keep_rows >= 1000,
            "calls.keep_rows must be 0 or at least 1000"
        );
        ensure!(
            self.keep_hours_days >= self.keep_days,
            "calls.keep_hours_days must be calls.keep_days at the least"
        );
        ensure!(self.tidy_secs > 0, "calls.tidy_secs must be at least 1");
        Ok(())
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Calls under way at a time.
    pub parallel: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    pub time_zone: TimeZone,
    pub weekdays: BTreeSet<Weekday>,
    pub closes_at: DayTime,
    pub calendar: PathBuf,
    pub near_due_days: u32,
    pub acceptance_limit_days: u32,
    pub keep_ended_days: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demo {
    pub speed: f64,
    pub seed: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub filter: String,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// The file cannot be read, a key is unknown, or a value cannot be; the message names it.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let mut layers = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("could not read {}", path.display()))?;
            layers = layers.add_source(File::from_str(&text, FileFormat::Toml));
        }
        let environment = Environment::with_prefix("HALLKEEPER")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("server.origins")
            .with_list_parse_key("cases.weekdays")
            .with_list_parse_key("strips.networks");
        let settings: Self = layers
            .add_source(environment)
            .build()
            .and_then(Config::try_deserialize)
            .context(match file {
                Some(path) => format!("settings ({} or HALLKEEPER__…)", path.display()),
                None => "settings (HALLKEEPER__…)".to_owned(),
            })?;
        settings.check()?;
        Ok(settings)
    }

    /// Where a hall's own recordings lie.
    pub fn voice_dir(&self) -> PathBuf {
        if self.voice.dir.as_os_str().is_empty() {
            self.data.dir.join("voice")
        } else {
            self.voice.dir.clone()
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(self.session.hours > 0, "session.hours must be at least 1");
        ensure!(
            self.session.attempts > 0,
            "session.attempts must be at least 1"
        );
        ensure!(
            self.devices.silent_secs > 0,
            "devices.silent_secs must be at least 1"
        );
        for kind in self.devices.expected_versions.keys() {
            ensure!(
                rules::devices::KINDS.contains(&kind.as_str()),
                "devices.expected_versions.{kind}: there is no such kind of device"
            );
        }
        ensure!(
            self.raters.channel.parse::<rules::ids::ChannelId>().is_ok(),
            "raters.channel must be the id of a channel"
        );
        ensure!(
            (1..=300).contains(&self.raters.answer_secs)
                && (self.raters.answer_secs..=3600).contains(&self.raters.shown_secs),
            "raters.answer_secs must lie between 1 and 300, raters.shown_secs between it and 3600"
        );
        crate::cases::settings(&self.cases)?;
        self.calls.check()?;
        self.telemetry.check()?;
        self.feeds.check()?;
        ensure!(
            (1..=100_000).contains(&self.gateway.parallel),
            "gateway.parallel must lie between 1 and 100000"
        );
        ensure!(
            (100..=60_000).contains(&self.alerts.pass_ms),
            "alerts.pass_ms must lie between 100 and 60000"
        );
        ensure!(
            (0.1..=600.0).contains(&self.demo.speed),
            "demo.speed must lie between 0.1 and 600"
        );
        ensure!(
            self.server.body_limit >= 1024,
            "server.body_limit must be at least 1024"
        );
        ensure!(
            self.server.stalled_secs >= 1,
            "server.stalled_secs must be at least 1"
        );
        self.notices.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_defaults_are_complete() {
        let settings = Settings::load(None).expect("defaults");
        assert_eq!(settings.database.url, "sqlite:");
    }

    #[test]
    fn an_unknown_key_is_named() {
        let path =
            std::env::temp_dir().join(format!("hallkeeper-config-{}.toml", std::process::id()));
        std::fs::write(&path, "[server]\nadress = \"x\"\n").expect("a file");
        let error = format!("{:#}", Settings::load(Some(&path)).expect_err("refused"));
        std::fs::remove_file(&path).expect("removed");
        assert!(error.contains("adress"), "{error}");
    }
}
