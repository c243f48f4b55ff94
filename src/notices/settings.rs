//! `[notices]`: servers, targets and limits. Secrets print as `****`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use awc::http::Uri;
use regex::Regex;
use rules::desk::messages::RetryPolicy;
use rules::ids::ReceiverId;
use serde::Deserialize;

/// A text that is never printed.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "\"\"" } else { "****" })
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notices {
    pub attempts_max: u32,
    pub fallback_after: u32,
    pub timeout_secs: u64,
    pub parallel: usize,
    pub breaker_failures: u32,
    pub breaker_secs: u64,
    pub email: Email,
    pub sms: Sms,
    pub webhooks: BTreeMap<String, Target>,
    pub wecom: BTreeMap<String, Target>,
    pub dingtalk: BTreeMap<String, Target>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// In the clear: only to a server on the same machine or network.
    None,
    /// In the clear at first, then encrypted; refused if the server cannot.
    Starttls,
    /// Encrypted from the first byte.
    Tls,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    pub server: String,
    pub port: u16,
    pub security: Security,
    pub user: String,
    pub password: Secret,
    pub from: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    pub url: Secret,
    pub method: String,
    pub content_type: String,
    pub body: String,
    pub headers: BTreeMap<String, Secret>,
    pub success: String,
    pub refused: String,
}

/// A system or robot that is told by HTTP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Robots' addresses hold their key.
    pub url: Secret,
    #[serde(default)]
    pub secret: Secret,
}

impl Notices {
    pub fn policy(&self) -> RetryPolicy {
        RetryPolicy {
            attempts_max: self.attempts_max,
            fallback_after: self.fallback_after,
        }
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_secs)
    }

    /// # Errors
    /// A value cannot be; the message names its key.
    pub fn check(&self) -> anyhow::Result<()> {
        for (key, value, range) in [
            ("attempts_max", u64::from(self.attempts_max), 1..=100),
            ("fallback_after", u64::from(self.fallback_after), 1..=100),
            // Below the time after which an attempt counts as broken off.
            ("timeout_secs", self.timeout_secs, 1..=60),
            ("parallel", self.parallel as u64, 1..=256),
            (
                "breaker_failures",
                u64::from(self.breaker_failures),
                1..=1000,
            ),
            ("breaker_secs", self.breaker_secs, 1..=3600),
        ] {
            let (low, high) = (range.start(), range.end());
            ensure!(
                range.contains(&value),
                "notices.{key} must lie between {low} and {high}"
            );
        }
        self.email.check()?;
        self.sms.check()?;
        let all = [
            ("webhooks", &self.webhooks),
            ("wecom", &self.wecom),
            ("dingtalk", &self.dingtalk),
        ];
        for (kind, targets) in all {
            for (name, target) in targets {
                let key = format!("notices.{kind}.{name}");
                ensure!(
                    name.parse::<ReceiverId>().is_ok(),
                    "{key}: a name is letters, digits, '-' and '_'"
                );
                check_url(&target.url).with_context(|| format!("{key}.url"))?;
                ensure!(
                    kind != "webhooks" || !target.secret.is_empty(),
                    "{key}.secret is needed: receivers know by it who speaks"
                );
            }
        }
        Ok(())
    }
}

impl Email {
    fn check(&self) -> anyhow::Result<()> {
        if self.server.is_empty() {
            return Ok(());
        }
        self.from
            .parse::<lettre::message::Mailbox>()
            .with_context(|| format!("notices.email.from: '{}'", self.from))?;
        ensure!(
            self.user.is_empty() || self.security != Security::None,
            "notices.email.user would go out in the clear; set notices.email.security"
        );
        Ok(())
    }
}

impl Sms {
    fn check(&self) -> anyhow::Result<()> {
        if self.url.is_empty() {
            return Ok(());
        }
        // With its places filled, as it will be asked for.
        let filled = self.url.reveal().replace(['{', '}'], "");
        check_url(&Secret(filled)).context("notices.sms.url")?;
        ensure!(
            matches!(self.method.as_str(), "GET" | "POST" | "PUT"),
            "notices.sms.method must be GET, POST or PUT"
        );
        let kinds = ["application/json", "application/x-www-form-urlencoded"];
        ensure!(
            self.method == "GET" || kinds.contains(&self.content_type.as_str()),
            "notices.sms.content_type must be one of {kinds:?}"
        );
        let told = format!("{}{}", self.url.reveal(), self.body);
        for place in ["{to}", "{text}"] {
            ensure!(
                told.contains(place),
                "notices.sms.body (or its url) must contain {place}"
            );
        }
        Regex::new(&self.success).context("notices.sms.success")?;
        Regex::new(&self.refused).context("notices.sms.refused")?;
        Ok(())
    }
}

fn check_url(url: &Secret) -> anyhow::Result<()> {
    let uri: Uri = url.reveal().parse().context("is no address")?;
    ensure!(
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some(),
        "is no http or https address"
    );
    Ok(())
}
