//! A rule as checked data. Rule files and the console make these; see the guide for their form.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::alerts::subject::SubjectKind;
use crate::hours::Weekday;
use crate::ids::HallId;
use crate::name::Name;

/// How bad it is. Screens say 一般, 较重, 严重; notices call them yellow, orange and red.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    #[default]
    Notice,
    Warning,
    Critical,
}

impl Severity {
    /// Every severity and its name in rule files, filters and stored rows, the least first.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("notice", Self::Notice),
        ("warning", Self::Warning),
        ("critical", Self::Critical),
    ];
}

/// What a rule guards, for filters and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Time limits of cases and tasks.
    Overdue,
    /// What happens on the floor: waiting, windows, tickets.
    Flow,
    Crowd,
    Api,
    Data,
    Device,
    Rating,
    /// Assessment data.
    Assessment,
    /// The centre itself.
    Operations,
}

impl Topic {
    /// Every topic and its name in rule files, filters and stored rows.
    pub const NAMES: [(&'static str, Self); 9] = [
        ("overdue", Self::Overdue),
        ("flow", Self::Flow),
        ("crowd", Self::Crowd),
        ("api", Self::Api),
        ("data", Self::Data),
        ("device", Self::Device),
        ("rating", Self::Rating),
        ("assessment", Self::Assessment),
        ("operations", Self::Operations),
    ];

    /// Its name in rule files, filters and stored rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// What a condition that cannot be evaluated does to its alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// Everything stays as it is, and the alert is marked "no data since".
    #[default]
    Keep,
    /// As if the condition held.
    Fire,
    /// As if it did not.
    Clear,
}

/// When a rule looks: outside of these hours nothing new is raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveHours {
    /// Name in the tz database.
    pub time_zone: String,
    /// Minutes since local midnight, from and until; `until` below `from` passes midnight.
    pub from_minute: u16,
    pub until_minute: u16,
    pub weekdays: BTreeSet<Weekday>,
}

/// Flap detection over the last 21 evaluations, weighted 0.75 for the oldest to 1.25 for the newest:
/// above `high_percent` of changes an alert is called flapping, and again steady below `low_percent`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FlapLimits {
    pub low_percent: f64,
    pub high_percent: f64,
}

/// Who hears of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The person in [`crate::alerts::subject::Facts::handler`].
    Handler,
    /// All receivers of this role whose scope holds the subject's hall.
    Role(String),
    /// One receiver by its id.
    Receiver(String),
    /// Whoever a text variable of the subject names, such as a joint approval's coordinator.
    Person(String),
    /// An account: what [`Audience::Person`] has become in an alert.
    Account(String),
}

/// One step of an escalation: if the alert stands unacknowledged (or unresolved) for so long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    pub after_secs: u64,
    /// Counted while nobody has acknowledged it; else while it is not resolved.
    pub while_unacknowledged: bool,
    pub to: Vec<Audience>,
    /// Raises the alert to this.
    pub severity: Option<Severity>,
}

/// One cause, one notice: alerts with equal values here are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    Rule,
    Topic,
    Hall,
    Department,
    Subject,
}

/// What can be done about it from the alert itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemedyKind {
    Urge,
    /// Accept or return the case.
    AcceptOrReturn,
    /// Open one more window for the queue.
    OpenWindow,
    WorkOrder,
}

/// A rule. Its condition is kept as text and as a checked [`crate::alerts::condition::Condition`]
/// beside it, made when the rule is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// e.g. `R02-overdue-case`.
    pub id: String,
    pub name: Name,
    pub topic: Topic,
    pub subject: SubjectKind,
    /// The condition as written, in CEL's syntax.
    pub when: String,
    /// What ends the alert, if that is not simply the opposite of `when`.
    pub clear_when: Option<String>,
    /// How long it must hold before the alert is raised.
    pub for_secs: u64,
    /// How long it must not hold before the alert is resolved.
    pub keep_firing_for_secs: u64,
    pub on_missing: OnMissing,
    pub severity: Severity,
    pub active: Option<ActiveHours>,
    /// Numbers that the condition names as `param.NAME`.
    pub parameters: BTreeMap<String, f64>,
    /// Other numbers for single halls.
    pub per_hall: BTreeMap<HallId, BTreeMap<String, f64>>,
    /// The notice's sentence; `{variable}`, `{param.NAME}`, `{label}`, `{hall}`, `{department}` are filled in.
    pub message: Name,
    pub flap: Option<FlapLimits>,
    pub notify: Vec<Audience>,
    pub escalate: Vec<Escalation>,
    pub group_by: Vec<GroupBy>,
    /// Rules whose alert about the same subject this one puts out (overdue takes the place of near due).
    pub supersedes: Vec<String>,
    /// Rules whose alerts of the same hall are not told while this one stands.
    pub inhibits: Vec<String>,
    /// Told again so often while it stands; 0 is never.
    pub repeat_secs: u64,
    /// Alerts of this rule at a time; more are counted, not raised, and the overload is itself an alert.
    pub limit: u32,
    /// Also put on the problem list, as this kind of problem.
    pub problem: Option<String>,
    pub remedies: Vec<RemedyKind>,
}
