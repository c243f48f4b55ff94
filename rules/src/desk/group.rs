//! Grouping: alerts of one cause make one notice.
//!
//! A group waits a moment before its first notice, so that alerts which come together are told
//! together; what comes or goes later is told once per interval, unless it is graver than what was
//! told, or the last one is over. Each alert is told once as raised and, if it was, once as over.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::alerts::rule::{Audience, GroupBy, Rule, Severity};
use crate::desk::messages::Cause;
use crate::ids::{AlertId, HallId};
use crate::time::Timestamp;

/// How long a group gathers before its first notice.
pub const GROUP_WAIT_SECS: u64 = 2;

/// How often changes of a group that was told are told.
pub const GROUP_INTERVAL_SECS: u64 = 300;

/// What one notice is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Group {
    /// The alert whose number the group's notices carry: the first that was told.
    pub lead: Option<AlertId>,
    /// Standing, and told.
    pub told: BTreeSet<AlertId>,
    /// Standing, not yet told.
    pub raised: BTreeSet<AlertId>,
    /// The gravest that came to [`Group::raised`] since it was empty.
    #[serde(default)]
    pub raised_severity: Option<Severity>,
    /// Over, and not yet told to be.
    pub cleared: BTreeSet<AlertId>,
    /// Told before, to be told again.
    pub again: BTreeMap<AlertId, Cause>,
    pub told_at: Option<Timestamp>,
    /// The gravest that was told.
    pub told_severity: Option<Severity>,
    pub notices: u32,
    pub repeat_secs: u64,
    /// Whether it is of one alert only, and so waits for no others.
    pub single: bool,
    /// Its place in the desk's agenda.
    pub due: Option<Timestamp>,
}

impl Group {
    /// One more to be told as raised. Its severity is kept at hand: to look through all that wait, for
    /// each that comes, would cost a group of thousands the square of them.
    pub(crate) fn wait(&mut self, id: AlertId, severity: Severity) {
        self.raised.insert(id);
        self.raised_severity = self.raised_severity.max(Some(severity));
    }

    /// It is not to be told as raised any more; says whether it was.
    pub(crate) fn unwait(&mut self, id: AlertId) -> bool {
        let waited = self.raised.remove(&id);
        if self.raised.is_empty() {
            self.raised_severity = None;
        }
        waited
    }

    /// Alerts that stand.
    pub fn size(&self) -> usize {
        self.told.len() + self.raised.len()
    }

    pub fn is_over(&self) -> bool {
        self.size() == 0 && self.cleared.is_empty() && self.again.is_empty()
    }

    /// When it has something to say, given that `at` is when it last changed and `graver` whether
    /// what waits to be told is graver than what was.
    pub fn next_due(&self, at: Timestamp, graver: bool) -> Option<Timestamp> {
        let changed = !(self.raised.is_empty() && self.cleared.is_empty() && self.again.is_empty());
        if !changed {
            let repeats = self.repeat_secs > 0 && !self.told.is_empty();
            let told_at = self.told_at.filter(|_| repeats);
            return told_at.map(|told_at| told_at.plus_secs(self.repeat_secs));
        }
        if self.single {
            return Some(at);
        }
        let soon = at.plus_secs(GROUP_WAIT_SECS);
        let interval = self.told_at.map(|at| at.plus_secs(GROUP_INTERVAL_SECS));
        let at_once = graver || self.size() == 0 || !self.again.is_empty();
        let due = match interval {
            Some(interval) if !at_once => interval.max(soon),
            _ => soon,
        };
        // What waits already does not wait longer because more comes.
        let waited = self.due.filter(|due| *due >= at && !self.repeats_at(*due));
        Some(waited.map_or(due, |waited| waited.min(due)))
    }

    fn repeats_at(&self, due: Timestamp) -> bool {
        self.repeat_secs > 0 && self.told_at.map(|at| at.plus_secs(self.repeat_secs)) == Some(due)
    }
}

/// The group of an alert: equal values of what the rule groups by, and the same people if a notice or
/// a step of the escalation goes to certain people. A rule that does not group has a group for each
/// alert.
pub fn group_key(
    rule: &Rule,
    alert: AlertId,
    subject: &str,
    hall: Option<&HallId>,
    department: Option<&str>,
    handler: Option<&str>,
    notify: &[Audience],
) -> String {
    if rule.group_by.is_empty() {
        return alert.to_string();
    }
    let mut by = rule.group_by.clone();
    by.sort_unstable();
    by.dedup();
    let mut parts: Vec<String> = by
        .into_iter()
        .map(|by| match by {
            GroupBy::Rule => format!("rule={}", rule.id),
            GroupBy::Topic => format!("topic={:?}", rule.topic).to_lowercase(),
            GroupBy::Hall => format!("hall={}", hall.map_or("-", HallId::as_str)),
            GroupBy::Department => format!("department={}", department.unwrap_or("-")),
            GroupBy::Subject => format!("subject={subject}"),
        })
        .collect();
    let steps = rule.escalate.iter().flat_map(|step| &step.to);
    let mut named = notify.iter().chain(steps);
    if named.any(|to| *to == Audience::Handler) {
        parts.push(format!("handler={}", handler.unwrap_or("-")));
    }
    for audience in notify {
        if let Audience::Account(account) = audience {
            parts.push(format!("person={account}"));
        }
    }
    parts.join(" ")
}
