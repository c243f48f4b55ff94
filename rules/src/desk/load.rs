//! The desk's own load against the lines of ISA-18.2 and EEMUA 191: how many alerts an operator
//! gets, floods, what stands too long, what chatters, and which rules make most of it.
//!
//! The lines are cited from secondary sources: about one alert per operator in ten minutes is
//! acceptable, more than ten is a flood, which is over below five; an alert that stands for more than
//! a day is stale; three changes within a minute are chattering.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alerts::rule::Severity;
use crate::desk::alert::{Alert, Raise};
use crate::desk::alerts::Alerts;
use crate::ids::{AlertId, HallId};
use crate::time::Timestamp;

const TEN_MINUTES_SECS: u64 = 600;
const DAY_SECS: u64 = 24 * 3600;
const FLOOD_BEGINS: usize = 10;
const FLOOD_ENDS: usize = 5;
const CHATTERING: usize = 3;

/// Alerts that the figures look back on; beyond these a day's count is a lower bound.
const RAISED_MAX: usize = 20_000;
const CHANGES_MAX: usize = 5_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Raised {
    at: Timestamp,
    rule: Arc<str>,
    severity: Severity,
    hall: Option<HallId>,
}

/// When alerts were raised within a day, and changed within a minute.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    raised: VecDeque<Raised>,
    changed: VecDeque<(Timestamp, AlertId)>,
}

impl History {
    pub(crate) fn raised(&mut self, at: Timestamp, raise: &Raise) {
        self.raised.push_back(Raised {
            at,
            rule: Arc::clone(&raise.rule),
            severity: raise.severity,
            hall: raise.hall.clone(),
        });
        let day_ago = at.minus_secs(DAY_SECS);
        while self.raised.len() > RAISED_MAX
            || self
                .raised
                .front()
                .is_some_and(|raised| raised.at < day_ago)
        {
            self.raised.pop_front();
        }
    }

    pub(crate) fn changed(&mut self, at: Timestamp, alert: AlertId) {
        self.changed.push_back((at, alert));
        let minute_ago = at.minus_secs(60);
        while self.changed.len() > CHANGES_MAX
            || self.changed.front().is_some_and(|(at, _)| *at < minute_ago)
        {
            self.changed.pop_front();
        }
    }
}

/// A rule's part in the day's alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleShare {
    pub rule: Arc<str>,
    pub count: usize,
    pub percent: f64,
}

/// The desk's load at an instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    pub alerts_10min: usize,
    /// People at the desk, at least one.
    pub operators: usize,
    pub per_operator_10min: f64,
    pub per_operator_day: f64,
    /// Whether it is a flood, and since when.
    pub flood: bool,
    pub flood_since: Option<Timestamp>,
    /// Standing for more than a day.
    pub stale: usize,
    pub chattering: usize,
    /// The ten rules with most alerts of the last 24 hours.
    pub top_rules: Vec<RuleShare>,
    /// Shares of notice, warning and critical; the aim is about 80, 15 and 5.
    pub severity_percent: [f64; 3],
}

impl Alerts {
    /// The load of the desk with so many people at it; of one hall's alerts only, if one is given.
    pub fn load(&self, operators: usize, hall: Option<&HallId>, now: Timestamp) -> Load {
        let operators = operators.max(1);
        let day_ago = now.minus_secs(DAY_SECS);
        let here = |of: &Option<HallId>| hall.is_none_or(|hall| of.as_ref() == Some(hall));
        let of_day = self
            .history
            .raised
            .iter()
            .filter(|raised| raised.at > day_ago && raised.at <= now && here(&raised.hall));
        let times: Vec<Timestamp> = of_day.clone().map(|raised| raised.at).collect();
        let ten_ago = now.minus_secs(TEN_MINUTES_SECS);
        let alerts_10min = times.iter().filter(|at| **at > ten_ago).count();
        let mut rules: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        let mut severities = [0_usize; 3];
        for raised in of_day {
            *rules.entry(&raised.rule).or_default() += 1;
            severities[raised.severity as usize] += 1;
        }
        let total = times.len();
        let flood_since = flood_since(&times, operators, now);
        Load {
            alerts_10min,
            operators,
            per_operator_10min: alerts_10min as f64 / operators as f64,
            per_operator_day: total as f64 / operators as f64,
            flood: flood_since.is_some(),
            flood_since,
            stale: self.stale(hall, now),
            chattering: self.chattering(hall, now),
            top_rules: top_rules(&rules, total),
            severity_percent: severities.map(|count| percent(count, total)),
        }
    }

    fn stale(&self, hall: Option<&HallId>, now: Timestamp) -> usize {
        let here = |alert: &Alert| hall.is_none_or(|hall| alert.raise.hall.as_ref() == Some(hall));
        let standing = self
            .all
            .values()
            .filter(|alert| alert.state.stands() && here(alert));
        standing
            .filter(|alert| now.secs_since(alert.raised_at) > DAY_SECS)
            .count()
    }

    fn chattering(&self, hall: Option<&HallId>, now: Timestamp) -> usize {
        let minute_ago = now.minus_secs(60);
        let mut changes: BTreeMap<AlertId, usize> = BTreeMap::new();
        let recent = self
            .history
            .changed
            .iter()
            .filter(|(at, _)| *at > minute_ago);
        recent.for_each(|(_, id)| *changes.entry(*id).or_default() += 1);
        let chatter: BTreeSet<AlertId> = changes
            .into_iter()
            .filter(|(_, count)| *count >= CHATTERING)
            .map(|(id, _)| id)
            .filter(|id| {
                let of = self.get(*id).and_then(|alert| alert.raise.hall.as_ref());
                hall.is_none_or(|hall| of == Some(hall))
            })
            .collect();
        chatter.len()
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    match whole {
        0 => 0.0,
        _ => (part as f64 * 1000.0 / whole as f64).round() / 10.0,
    }
}

fn top_rules(rules: &BTreeMap<&Arc<str>, usize>, total: usize) -> Vec<RuleShare> {
    let mut shares: Vec<RuleShare> = rules
        .iter()
        .map(|(rule, count)| RuleShare {
            rule: Arc::clone(rule),
            count: *count,
            percent: percent(*count, total),
        })
        .collect();
    shares.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.rule.cmp(&b.rule)));
    shares.truncate(10);
    shares
}

/// Since when it is a flood: it began above ten alerts per operator in ten minutes and has not been
/// below five since. `raised` is in order of time.
fn flood_since(raised: &[Timestamp], operators: usize, now: Timestamp) -> Option<Timestamp> {
    let leaves = |at: Timestamp| at.plus_secs(TEN_MINUTES_SECS);
    let (mut oldest, mut since) = (0, None);
    for (i, at) in raised.iter().enumerate() {
        since = since.filter(|_| !ebbed(raised, &mut oldest, i, *at, operators));
        while leaves(raised[oldest]) <= *at && oldest < i {
            oldest += 1;
        }
        if i + 1 - oldest > FLOOD_BEGINS * operators {
            since = since.or(Some(*at));
        }
    }
    since.filter(|_| !ebbed(raised, &mut oldest, raised.len(), now, operators))
}

/// Lets alerts before `end` leave the ten minutes until `at`; whether they fell below the line.
fn ebbed(
    raised: &[Timestamp],
    oldest: &mut usize,
    end: usize,
    at: Timestamp,
    operators: usize,
) -> bool {
    while *oldest < end && raised[*oldest].plus_secs(TEN_MINUTES_SECS) <= at {
        *oldest += 1;
    }
    end - *oldest < FLOOD_ENDS * operators
}
