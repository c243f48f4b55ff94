//! Who hears of alerts: people and machines, by role and scope.
//!
//! A receiver is told by its ways, such as e-mail and SMS. A rule names its audience: the person
//! whose work it is, a role, or one receiver; [`Receivers::resolve`] tells who that is for a hall.
//! Addresses are personal data: [`Receiver::face`] masks them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Timelike as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::alerts::rule::Audience;
use crate::hours::DayTime;
use crate::ids::{HallId, ReceiverId};
use crate::name::{Lang, Name};
use crate::reason;
use crate::time::{TimeZone, Timestamp};

/// Receivers at most: a large city's staff, and a bound for every look through them.
pub const RECEIVERS_MAX: usize = 5_000;

/// Roles and halls of one receiver at most.
const LIST_MAX: usize = 100;

/// Longest address: that of an e-mail by RFC 5321.
const ADDRESS_MAX_CHARS: usize = 254;

/// How a message gets to its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WayKind {
    Email,
    /// A signed POST to another system.
    Webhook,
    Sms,
    /// A group robot of WeCom 企业微信.
    Wecom,
    /// A group robot of DingTalk 钉钉.
    Dingtalk,
    /// The desk page that the receiver has open.
    Desk,
}

impl WayKind {
    pub const ALL: [Self; 6] = [
        Self::Email,
        Self::Webhook,
        Self::Sms,
        Self::Wecom,
        Self::Dingtalk,
        Self::Desk,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
            Self::Sms => "sms",
            Self::Wecom => "wecom",
            Self::Dingtalk => "dingtalk",
            Self::Desk => "desk",
        }
    }

    /// Why this cannot be an address of this kind, if so.
    fn fault(self, address: &str) -> Option<&'static str> {
        let bad = |is: bool, why| is.then_some(why);
        if address.chars().count() > ADDRESS_MAX_CHARS || address.chars().any(char::is_control) {
            return Some("is too long or not printable");
        }
        match self {
            Self::Email => {
                let parts = address.rsplit_once('@');
                let fits = parts.is_some_and(|(local, domain)| {
                    !local.is_empty()
                        && !domain.is_empty()
                        && !address.contains(char::is_whitespace)
                });
                bad(!fits, "is no e-mail address")
            }
            Self::Sms => {
                let digits = address.strip_prefix('+').unwrap_or(address);
                let fits = (5..=15).contains(&digits.len())
                    && digits.bytes().all(|digit| digit.is_ascii_digit());
                bad(
                    !fits,
                    "is no telephone number: 5 to 15 digits, '+' before them if need be",
                )
            }
            Self::Webhook | Self::Wecom | Self::Dingtalk => bad(
                address.parse::<ReceiverId>().is_err(),
                "is the name of a target in the settings, not an address",
            ),
            Self::Desk => bad(
                !address.is_empty(),
                "is empty: the receiver's account is told",
            ),
        }
    }

    /// The address as lists show it: enough to tell it from others.
    fn mask(self, address: &str) -> String {
        let chars: Vec<char> = address.chars().collect();
        match self {
            Self::Email => match address.rsplit_once('@') {
                Some((local, domain)) => {
                    let first: String = local.chars().take(1).collect();
                    format!("{first}***@{domain}")
                }
                None => "***".to_owned(),
            },
            Self::Sms => {
                let last: String = chars.iter().skip(chars.len().saturating_sub(3)).collect();
                format!("***{last}")
            }
            Self::Webhook | Self::Wecom | Self::Dingtalk | Self::Desk => address.to_owned(),
        }
    }
}

/// One way to a receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    pub kind: WayKind,
    /// An e-mail address, a telephone number, or the name of a target in the settings; empty for
    /// the desk.
    #[serde(default)]
    pub address: String,
    /// Used only when another way has failed.
    #[serde(default)]
    pub fallback: bool,
}

/// Hours of each day in which a mere notice waits; they may pass midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    pub from: DayTime,
    pub until: DayTime,
}

impl QuietHours {
    /// 22:00 to 07:00, the project's own choice.
    #[allow(
        clippy::unnecessary_wraps,
        reason = "serde's default for an optional field"
    )]
    fn usual() -> Option<Self> {
        let at = |hour: u16| DayTime::from_minutes(hour * 60);
        Some(Self {
            from: at(22)?,
            until: at(7)?,
        })
    }

    /// When the quiet that `at` falls into ends; none outside of it.
    pub fn end(self, zone: TimeZone, at: Timestamp) -> Option<Timestamp> {
        let (from, until) = (self.from.minutes(), self.until.minutes());
        let time = zone.time_of(at);
        let minute = (time.num_seconds_from_midnight() / 60) as u16;
        let evening = minute >= from && (from > until || minute < until);
        let morning = from > until && minute < until;
        if !evening && !morning {
            return None;
        }
        let today = zone.date_of(at);
        let date = match evening && from > until {
            true => today.succ_opt()?,
            false => today,
        };
        let secs = u32::from(until) * 60;
        match chrono::NaiveTime::from_num_seconds_from_midnight_opt(secs, 0) {
            Some(time) => Some(zone.at(date, time)),
            None => Some(zone.end_of(date)),
        }
    }
}

fn enabled() -> bool {
    true
}

fn shanghai() -> TimeZone {
    TimeZone::SHANGHAI
}

/// Somebody or something that hears of alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    pub id: ReceiverId,
    pub name: Name,
    /// The account whose work the receiver hears of; none for machines and groups.
    #[serde(default)]
    pub account: Option<String>,
    /// Roles by which rules name an audience, e.g. `supervisor`.
    #[serde(default)]
    pub roles: BTreeSet<String>,
    /// Halls whose alerts reach it by role; `*` is all, and those that are of no hall.
    #[serde(default)]
    pub halls: BTreeSet<String>,
    #[serde(default)]
    pub lang: Lang,
    #[serde(default = "shanghai")]
    pub time_zone: TimeZone,
    pub ways: Vec<Way>,
    /// When a mere notice waits; `null` is never.
    #[serde(default = "QuietHours::usual")]
    pub quiet: Option<QuietHours>,
    #[serde(default = "enabled")]
    pub enabled: bool,
}

impl Receiver {
    pub fn way(&self, kind: WayKind) -> Option<&Way> {
        self.ways.iter().find(|way| way.kind == kind)
    }

    fn hears_of(&self, hall: Option<&HallId>) -> bool {
        self.halls.contains("*") || hall.is_some_and(|hall| self.halls.contains(hall.as_str()))
    }

    /// What lists and pages show: without the addresses themselves.
    pub fn face(&self) -> Value {
        let ways = self.ways.iter().map(|way| {
            json!({
                "kind": way.kind, "address": way.kind.mask(&way.address), "fallback": way.fallback,
            })
        });
        let mut face = serde_json::to_value(self).unwrap_or_default();
        face["ways"] = ways.collect();
        face
    }

    fn check(&self) -> Result<(), ReceiverRefusal> {
        let invalid = |field: String, reason: &str| {
            Err(ReceiverRefusal::InvalidField {
                field,
                reason: reason.to_owned(),
            })
        };
        if !self.name.is_valid() {
            return invalid("name".into(), "is empty or too long");
        }
        let lists = [("roles", &self.roles), ("halls", &self.halls)];
        for (field, list) in lists {
            let fits = |entry: &String| entry == "*" || entry.parse::<HallId>().is_ok();
            if list.len() > LIST_MAX || !list.iter().all(fits) {
                return invalid(field.into(), "are at most 100 names of letters and digits");
            }
        }
        if let Some(account) = &self.account
            && (account.is_empty() || account.chars().count() > 64)
        {
            return invalid("account".into(), "has 1 to 64 characters");
        }
        if self.ways.is_empty() {
            return invalid("ways".into(), "are none");
        }
        let mut kinds = BTreeSet::new();
        for (i, way) in self.ways.iter().enumerate() {
            if !kinds.insert(way.kind) {
                return invalid(format!("ways[{i}].kind"), "is there twice");
            }
            if let Some(fault) = way.kind.fault(&way.address) {
                return invalid(format!("ways[{i}].address"), fault);
            }
            if way.kind == WayKind::Desk && self.account.is_none() {
                return invalid(format!("ways[{i}].kind"), "needs an account");
            }
        }
        if self.ways.iter().all(|way| way.fallback) {
            return invalid("ways".into(), "are all for fallback only");
        }
        if self.quiet.is_some_and(|quiet| quiet.from == quiet.until) {
            return invalid(
                "quiet".into(),
                "begins and ends at one time; use null for none",
            );
        }
        Ok(())
    }
}

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverCommand {
    /// Makes a receiver, or sets it anew.
    Put(Box<Receiver>),
    Remove(ReceiverId),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReceiverEvent {
    ReceiverSet { receiver: Box<Receiver> },
    ReceiverRemoved { receiver: ReceiverId },
}

impl ReceiverEvent {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ReceiverSet { .. } => "receiver_set",
            Self::ReceiverRemoved { .. } => "receiver_removed",
        }
    }
}

/// Why nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ReceiverRefusal {
    InvalidField { field: String, reason: String },
    UnknownReceiver { receiver: ReceiverId },
    TooManyReceivers { max: usize },
}

impl ReceiverRefusal {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidField { .. } => "invalid_field",
            Self::UnknownReceiver { .. } => "unknown_receiver",
            Self::TooManyReceivers { .. } => "too_many_receivers",
        }
    }

    /// The refusal in words.
    pub fn sentence(&self) -> Name {
        match self {
            Self::InvalidField { field, reason } => reason::sentence(field, reason),
            Self::UnknownReceiver { receiver } => Name::new(
                format!("没有接收人 {receiver}"),
                format!("there is no receiver {receiver}"),
            ),
            Self::TooManyReceivers { max } => Name::new(
                format!("接收人最多 {max} 个"),
                format!("there are {max} receivers at most"),
            ),
        }
    }
}

/// All receivers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Receivers(BTreeMap<ReceiverId, Receiver>);

impl Receivers {
    /// # Errors
    /// See [`ReceiverRefusal`].
    pub fn decide(&self, command: &ReceiverCommand) -> Result<Vec<ReceiverEvent>, ReceiverRefusal> {
        match command {
            ReceiverCommand::Put(receiver) => {
                receiver.check()?;
                let known = self.0.get(&receiver.id);
                if known == Some(&**receiver) {
                    return Ok(Vec::new());
                }
                if known.is_none() && self.0.len() >= RECEIVERS_MAX {
                    return Err(ReceiverRefusal::TooManyReceivers { max: RECEIVERS_MAX });
                }
                let receiver = receiver.clone();
                Ok(vec![ReceiverEvent::ReceiverSet { receiver }])
            }
            ReceiverCommand::Remove(id) => {
                let receiver = id.clone();
                match self.0.contains_key(id) {
                    true => Ok(vec![ReceiverEvent::ReceiverRemoved { receiver }]),
                    false => Err(ReceiverRefusal::UnknownReceiver { receiver }),
                }
            }
        }
    }

    pub fn apply(&mut self, event: &ReceiverEvent) {
        match event {
            ReceiverEvent::ReceiverSet { receiver } => {
                self.0.insert(receiver.id.clone(), (**receiver).clone());
            }
            ReceiverEvent::ReceiverRemoved { receiver } => {
                self.0.remove(receiver);
            }
        }
    }

    pub fn get(&self, id: &ReceiverId) -> Option<&Receiver> {
        self.0.get(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Receiver> {
        self.0.values()
    }

    /// Everybody whom this audience means for an alert of this hall and handler, once each, in the
    /// order of their ids. Whoever is switched off hears nothing.
    pub fn resolve(
        &self,
        audience: &[Audience],
        handler: Option<&str>,
        hall: Option<&HallId>,
    ) -> Vec<&Receiver> {
        let meant = |receiver: &Receiver, audience: &Audience| match audience {
            Audience::Handler => handler.is_some() && receiver.account.as_deref() == handler,
            Audience::Role(role) => receiver.roles.contains(role) && receiver.hears_of(hall),
            Audience::Receiver(id) => receiver.id.as_str() == id,
            Audience::Account(account) => receiver.account.as_ref() == Some(account),
            // Without its subject nobody knows who that is.
            Audience::Person(_) => false,
        };
        self.iter()
            .filter(|receiver| receiver.enabled)
            .filter(|receiver| audience.iter().any(|one| meant(receiver, one)))
            .collect()
    }
}
