//! One attempt to carry a message, as the ways of sending see it.

use rules::desk::messages::Message;
use rules::desk::receivers::{Receivers, WayKind};
use rules::name::Lang;
use rules::time::Timestamp;
use serde_json::{Value, json};

/// Everything needed to send one message once.
#[derive(Debug, Clone)]
pub struct Letter {
    pub message: Message,
    /// An e-mail address, a number, a target's name; empty for the desk.
    pub address: String,
    pub account: Option<String>,
    pub lang: Lang,
}

impl Letter {
    /// With the address that the receiver has at present.
    ///
    /// # Errors
    /// Why there is nobody to send it to.
    pub fn of(message: &Message, receivers: &Receivers) -> Result<Self, &'static str> {
        let receiver = receivers
            .get(&message.receiver)
            .ok_or("the receiver was removed")?;
        if !receiver.enabled {
            return Err("the receiver is switched off");
        }
        let way = receiver
            .way(message.way)
            .ok_or("the receiver has no such way any more")?;
        Ok(Self {
            message: message.clone(),
            address: way.address.clone(),
            account: receiver.account.clone(),
            lang: receiver.lang,
        })
    }

    /// Messages of one lane share a server, so they share its troubles.
    pub fn lane(&self) -> Lane {
        Lane::of(self.message.way, &self.address)
    }

    /// What another system gets to know.
    pub fn json(&self, at: Timestamp) -> Value {
        let message = &self.message;
        let about = &message.about;
        json!({
            "message": message.id, "key": message.key, "cause": about.cause,
            "severity": about.severity, "alert": about.alert, "hall": about.hall,
            "department": about.department, "title": about.title, "subject": message.subject,
            "text": message.text, "queued_at": message.queued_at.rfc3339_utc(),
            "sent_at": at.rfc3339_utc(), "attempt": message.attempts,
            "possible_duplicate": message.possible_duplicate,
        })
    }
}

/// A server that messages go to: the mail server, the SMS gateway, one target by name, the desk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    pub way: WayKind,
    /// Empty where there is one server for all.
    pub target: String,
}

impl Lane {
    pub fn of(way: WayKind, address: &str) -> Self {
        let target = match way {
            WayKind::Email | WayKind::Sms | WayKind::Desk => "",
            WayKind::Webhook | WayKind::Wecom | WayKind::Dingtalk => address,
        };
        Self {
            way,
            target: target.to_owned(),
        }
    }
}
