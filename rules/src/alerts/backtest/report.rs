//! What a back-test found, as figures.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Backtest, Span};
use crate::alerts::engine::Compiled;
use crate::alerts::watch::Phase;
use crate::desk::alert::Ending;
use crate::name::Name;
use crate::time::{TimeZone, Timestamp};

/// More alerts than this within ten minutes are a flood for one operator (ISA-18.2, EEMUA 191).
const FLOOD_PER_10MIN: usize = 10;

const TEN_MINUTES_SECS: u64 = 600;

/// What one rule would have done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleReport {
    pub rule: String,
    pub name: Name,
    pub raised: usize,
    pub resolved: usize,
    /// Raised and not resolved at the end of the record.
    pub standing: usize,
    /// Resolved because a graver rule took its place.
    pub superseded: usize,
    /// Fired while as many stood as the rule allows.
    pub over_limit: u64,
    /// Fired while a graver rule's alert stood in its place.
    pub in_favour_of_graver: u64,
    /// Different subjects.
    pub subjects: usize,
    /// Subjects that more than one alert was raised about.
    pub subjects_more_than_once: usize,
    /// Standing ones are counted up to the end of the record.
    pub median_secs: Option<u64>,
    pub longest_secs: Option<u64>,
    /// What the longest was about.
    pub longest: Option<String>,
    pub busiest_10min: usize,
    /// Raised by hour of day.
    pub by_hour: [usize; 24],
    /// Raised by day; days without any are not named.
    pub by_day: BTreeMap<String, usize>,
    /// Subjects on which the rule could not be evaluated at the end, and what was missing.
    pub without_data: usize,
    pub missing: BTreeSet<String>,
}

/// What all rules together would have asked of the people at the desk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Load {
    pub alerts: usize,
    pub days: f64,
    pub operators: u32,
    pub per_operator_day: f64,
    pub busiest_10min: usize,
    /// Most in one hour, by the clock.
    pub busiest_hour: usize,
    /// Share of ten-minute spans with more than ten alerts per operator.
    pub flood_percent: f64,
}

/// A back-test's result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub from: String,
    pub until: String,
    pub evaluations: u64,
    pub rules: Vec<RuleReport>,
    pub load: Load,
}

/// What another version of the rules would have done differently.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    pub rule: String,
    /// Whether a rule of this id is in force.
    pub in_force: bool,
    pub raised_in_force: usize,
    pub raised: usize,
    /// Alerts of the one that have none about the same subject at the same time in the other.
    pub only_in_force: usize,
    pub only_new: usize,
    pub both: usize,
    /// Of those that both raise: how much later the new one does, negative if earlier.
    pub mean_delay_secs: Option<f64>,
}

impl Backtest {
    /// The figures of the whole record. `zone` tells what an hour and a day is.
    pub fn report(
        &mut self,
        from: Timestamp,
        until: Timestamp,
        operators: u32,
        zone: TimeZone,
    ) -> Report {
        self.pass_until(until);
        let rules = self.rules.iter().map(|rule| self.rule(rule, until, zone));
        Report {
            from: zone.rfc3339(from),
            until: zone.rfc3339(until),
            evaluations: self.evaluations,
            rules: rules.collect(),
            load: self.load(from, until, operators, zone),
        }
    }

    fn rule(&self, rule: &Compiled, until: Timestamp, zone: TimeZone) -> RuleReport {
        let spans: Vec<&Span> = self.spans.iter().filter(|s| s.rule == rule.id).collect();
        let mut lengths: Vec<(u64, &Span)> = spans
            .iter()
            .map(|span| {
                (
                    span.resolved_at.unwrap_or(until).secs_since(span.raised_at),
                    *span,
                )
            })
            .collect();
        lengths.sort_by_key(|(secs, _)| *secs);
        let mut about: BTreeMap<&str, usize> = BTreeMap::new();
        let mut by_hour = [0; 24];
        let mut by_day = BTreeMap::new();
        for span in &spans {
            *about.entry(&span.subject.id).or_default() += 1;
            by_hour[hour(span.raised_at, zone)] += 1;
            *by_day
                .entry(zone.date_of(span.raised_at).to_string())
                .or_default() += 1;
        }
        let ended = |with: fn(&Ending) -> bool| {
            let endings = spans.iter().filter_map(|span| span.ending.as_ref());
            endings.filter(|ending| with(ending)).count()
        };
        let (over_limit, in_favour_of_graver) =
            self.held.get(&rule.id).copied().unwrap_or_default();
        let (without_data, missing) = self.without_data(rule);
        RuleReport {
            rule: rule.id.to_string(),
            name: rule.rule.name.clone(),
            raised: spans.len(),
            resolved: ended(|_| true),
            standing: spans.iter().filter(|s| s.resolved_at.is_none()).count(),
            superseded: ended(|ending| matches!(ending, Ending::Superseded(_))),
            over_limit,
            in_favour_of_graver,
            subjects: about.len(),
            subjects_more_than_once: about.values().filter(|count| **count > 1).count(),
            median_secs: lengths.get(lengths.len() / 2).map(|(secs, _)| *secs),
            longest_secs: lengths.last().map(|(secs, _)| *secs),
            longest: lengths.last().map(|(_, span)| span.subject.id.to_string()),
            busiest_10min: busiest(&raises(&spans), TEN_MINUTES_SECS),
            by_hour,
            by_day,
            without_data,
            missing,
        }
    }

    fn without_data(&self, rule: &Compiled) -> (usize, BTreeSet<String>) {
        let mut subjects = 0;
        let mut missing = BTreeSet::new();
        for lane in self.lanes.values() {
            for facts in &lane.facts {
                let watch = lane.engine.watch(&rule.id, &facts.subject);
                if watch.is_some_and(|watch| {
                    watch.no_data_since.is_some() && watch.phase == Phase::Normal
                }) {
                    subjects += 1;
                    missing.extend(rule.missing(facts).into_iter().map(str::to_owned));
                }
            }
        }
        (subjects, missing)
    }

    fn load(&self, from: Timestamp, until: Timestamp, operators: u32, zone: TimeZone) -> Load {
        let spans: Vec<&Span> = self.spans.iter().collect();
        let raises = raises(&spans);
        let days = (until.millis_since(from) as f64 / 86_400_000.0).max(1.0 / 24.0);
        let operators = operators.max(1);
        let mut hours: BTreeMap<(String, usize), usize> = BTreeMap::new();
        for at in &raises {
            let day = zone.date_of(*at).to_string();
            *hours.entry((day, hour(*at, zone))).or_default() += 1;
        }
        let mut tens: BTreeMap<u64, usize> = BTreeMap::new();
        for at in &raises {
            *tens
                .entry(at.secs_since(from) / TEN_MINUTES_SECS)
                .or_default() += 1;
        }
        let most = FLOOD_PER_10MIN * operators as usize;
        let floods = tens.values().filter(|count| **count > most).count();
        let all = (days * 144.0).ceil().max(1.0);
        Load {
            alerts: raises.len(),
            days,
            operators,
            per_operator_day: raises.len() as f64 / days / f64::from(operators),
            busiest_10min: busiest(&raises, TEN_MINUTES_SECS),
            busiest_hour: hours.values().copied().max().unwrap_or(0),
            flood_percent: floods as f64 * 100.0 / all,
        }
    }

    /// What these rules would have done differently from those in force, rule by rule.
    pub fn against(&self, in_force: &Self, until: Timestamp) -> Vec<Difference> {
        let compare = |rule: &Compiled| {
            let of = |backtest: &Self| -> Vec<Span> {
                let spans = backtest.spans.iter().filter(|span| span.rule == rule.id);
                spans.cloned().collect()
            };
            let known = in_force.rules.iter().any(|other| other.id == rule.id);
            difference(rule, known, &of(self), &of(in_force), until)
        };
        self.rules.iter().map(compare).collect()
    }
}

fn difference(
    rule: &Compiled,
    in_force: bool,
    new: &[Span],
    old: &[Span],
    until: Timestamp,
) -> Difference {
    let overlap = |a: &Span, b: &Span| {
        a.subject == b.subject
            && a.raised_at <= b.resolved_at.unwrap_or(until)
            && b.raised_at <= a.resolved_at.unwrap_or(until)
    };
    let mut by_subject: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in old {
        by_subject.entry(&span.subject.id).or_default().push(span);
    }
    let mut met = BTreeSet::new();
    let mut delays = Vec::new();
    for span in new {
        let others = by_subject
            .get(&*span.subject.id)
            .map_or(&[][..], Vec::as_slice);
        if let Some(other) = others.iter().find(|other| overlap(span, other)) {
            met.insert((&*other.subject.id, other.raised_at));
            delays.push((span.raised_at.millis() - other.raised_at.millis()) as f64 / 1000.0);
        }
    }
    let both = delays.len();
    Difference {
        rule: rule.id.to_string(),
        in_force,
        raised_in_force: old.len(),
        raised: new.len(),
        only_in_force: old.len() - met.len(),
        only_new: new.len() - both,
        both,
        mean_delay_secs: (both > 0).then(|| delays.iter().sum::<f64>() / both as f64),
    }
}

fn raises(spans: &[&Span]) -> Vec<Timestamp> {
    let mut raises: Vec<Timestamp> = spans.iter().map(|span| span.raised_at).collect();
    raises.sort();
    raises
}

/// Most instants within a span of time.
fn busiest(instants: &[Timestamp], secs: u64) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, at) in instants.iter().enumerate() {
        while at.secs_since(instants[first]) >= secs {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

fn hour(at: Timestamp, zone: TimeZone) -> usize {
    use chrono::Timelike as _;
    zone.time_of(at).hour() as usize
}
