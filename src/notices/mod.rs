//! Carrying messages out of the house: e-mail, SMS, webhooks, robots, the desk.
//!
//! What is to be sent, when and how often is decided in `rules`; here one attempt is made and its
//! outcome told. An outcome is `Delivered` only on the receiver's word, and `Uncertain` whenever
//! the receiver may have the message without our having heard so.

pub mod breaker;
pub mod driver;
mod email;
pub mod letter;
pub(crate) mod post;
pub mod push;
mod robots;
pub mod settings;
mod sms;
pub(crate) mod webhook;

use std::collections::BTreeMap;
use std::time::Duration;

use awc::Client;
use rules::desk::messages::Outcome;
use rules::desk::receivers::WayKind;
use rules::time::Timestamp;

use letter::Letter;
use settings::{Notices, Target};

/// The ways out, except the desk's. One for each thread that sends.
pub struct Ways {
    settings: Notices,
    http: Client,
}

impl Ways {
    /// # Errors
    /// The encryption cannot be set up.
    pub fn new(settings: Notices) -> anyhow::Result<Self> {
        let http = post::client(settings.timeout())?;
        Ok(Self { settings, http })
    }

    /// Makes one attempt. It ends in time, whatever the receiver does.
    pub async fn send(&self, letter: &Letter, now: Timestamp) -> Outcome {
        let limit = attempt_limit(self.settings.timeout());
        let outcome = match tokio::time::timeout(limit, self.attempt(letter, now)).await {
            Ok(outcome) => outcome,
            // Which step it hangs in is not known any more.
            Err(_) => Outcome::Uncertain {
                reason: format!("no end after {} s", limit.as_secs()),
            },
        };
        without_address(outcome, &letter.address)
    }

    /// Makes one attempt at a text message to somebody who is no receiver of notices.
    pub async fn text(&self, to: &str, text: &str, key: &str) -> Outcome {
        let message = sms::Text { to, text, key };
        let limit = attempt_limit(self.settings.timeout());
        let sending = sms::send(&self.http, &self.settings.sms, &message);
        let outcome = tokio::time::timeout(limit, sending).await;
        let outcome = outcome.unwrap_or_else(|_| Outcome::Uncertain {
            reason: format!("no end after {} s", limit.as_secs()),
        });
        without_address(outcome, to)
    }

    async fn attempt(&self, letter: &Letter, now: Timestamp) -> Outcome {
        let settings = &self.settings;
        let target = |all: &'_ BTreeMap<String, Target>| all.get(&letter.address).cloned();
        let found = match letter.message.way {
            WayKind::Email => {
                return email::send(&settings.email, letter, settings.timeout()).await;
            }
            WayKind::Sms => {
                let text = sms::Text {
                    to: &letter.address,
                    text: &letter.message.text,
                    key: &letter.message.key,
                };
                return sms::send(&self.http, &settings.sms, &text).await;
            }
            WayKind::Webhook => target(&settings.webhooks),
            WayKind::Wecom => target(&settings.wecom),
            WayKind::Dingtalk => target(&settings.dingtalk),
            WayKind::Desk => None,
        };
        let Some(target) = found else {
            let way = letter.message.way.name();
            let reason = format!("the settings have no {way} target '{}'", letter.address);
            return Outcome::Refused { reason };
        };
        match letter.message.way {
            WayKind::Wecom => robots::wecom(&self.http, &target, letter).await,
            WayKind::Dingtalk => robots::dingtalk(&self.http, &target, letter, now).await,
            _ => webhook::send(&self.http, &target, letter, now).await,
        }
    }
}

/// The account whose desk pages are told, if that is the way.
fn by_desk(letter: &Letter) -> Option<&str> {
    let desk = letter.message.way == WayKind::Desk;
    desk.then(|| letter.account.as_deref().unwrap_or_default())
}

/// A mail is a conversation of several steps, each of which may take the time-out.
fn attempt_limit(timeout: Duration) -> Duration {
    (timeout * 3).min(Duration::from_secs(100))
}

/// Servers like to repeat the address that they refuse; reasons are shown to people who may not
/// see it.
fn without_address(outcome: Outcome, address: &str) -> Outcome {
    let hide = |reason: String| match address.len() {
        0..=4 => reason,
        _ => reason.replace(address, "***"),
    };
    match outcome {
        Outcome::Delivered { receipt } => Outcome::Delivered {
            receipt: receipt.map(hide),
        },
        Outcome::Uncertain { reason } => Outcome::Uncertain {
            reason: hide(reason),
        },
        Outcome::Failed { reason } => Outcome::Failed {
            reason: hide(reason),
        },
        Outcome::Refused { reason } => Outcome::Refused {
            reason: hide(reason),
        },
    }
}
