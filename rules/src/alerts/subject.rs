//! What a rule can be about, and what is known of it at an instant.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::HallId;

/// The kinds of things that rules watch. Each has its own catalogue of variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    Case,
    Ticket,
    Queue,
    Hall,
    Window,
    Channel,
    Device,
    Indicator,
    Batch,
    /// The centre's own working: notices delivered, passes late, work orders.
    Desk,
}

impl SubjectKind {
    pub const ALL: [Self; 10] = [
        Self::Case,
        Self::Ticket,
        Self::Queue,
        Self::Hall,
        Self::Window,
        Self::Channel,
        Self::Device,
        Self::Indicator,
        Self::Batch,
        Self::Desk,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Ticket => "ticket",
            Self::Queue => "queue",
            Self::Hall => "hall",
            Self::Window => "window",
            Self::Channel => "channel",
            Self::Device => "device",
            Self::Indicator => "indicator",
            Self::Batch => "batch",
            Self::Desk => "desk",
        }
    }
}

/// One watched thing. `id` is unique within its kind: `H1/A` is queue A of hall H1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    pub kind: SubjectKind,
    pub id: Arc<str>,
}

impl Subject {
    pub fn new(kind: SubjectKind, id: &str) -> Self {
        Self {
            kind,
            id: id.into(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.id)
    }
}

/// A value of a variable. What is not known is `Missing`, never a silent zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    Missing,
    Bool(bool),
    Number(f64),
    Text(Arc<str>),
}

/// The type of a variable's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    Bool,
    Number,
    Text,
}

/// What a number counts. Comparing seconds with people is a mistake that the check finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    None,
    Count,
    Secs,
    Ms,
    Minutes,
    Hours,
    /// Working days on the calendar.
    Days,
    Percent,
    PerMinute,
    Bytes,
}

impl Unit {
    /// Its name in Chinese and English.
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::None => ("无单位", "no unit"),
            Self::Count => ("个数", "a count"),
            Self::Secs => ("秒", "seconds"),
            Self::Ms => ("毫秒", "milliseconds"),
            Self::Minutes => ("分钟", "minutes"),
            Self::Hours => ("小时", "hours"),
            Self::Days => ("工作日", "working days"),
            Self::Percent => ("百分比", "percent"),
            Self::PerMinute => ("每分钟次数", "times a minute"),
            Self::Bytes => ("字节", "bytes"),
        }
    }
}

/// One variable of a kind of subject.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Variable {
    /// As conditions name it.
    pub name: &'static str,
    pub kind: ValueKind,
    pub unit: Unit,
    pub zh: &'static str,
    pub en: &'static str,
    /// The texts it may take; empty for any.
    pub texts: &'static [&'static str],
}

/// What is known of a subject: one value per variable of its kind, in the catalogue's order, and
/// what an alert about it needs besides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub subject: Subject,
    /// What a person calls it, in both languages.
    pub label: crate::name::Name,
    pub hall: Option<HallId>,
    pub department: Option<Arc<str>>,
    /// Who is first responsible: a handler's account, a window's clerk.
    pub handler: Option<Arc<str>>,
    pub values: Box<[Value]>,
}
