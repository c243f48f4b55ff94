//! Walking a back-test through recorded cases.

use super::Backtest;
use crate::alerts::catalogue;
use crate::alerts::condition::Condition;
use crate::alerts::facts::case::facts;
use crate::alerts::rule::Rule;
use crate::alerts::subject::{SubjectKind, Unit};
use crate::cases::history::changes;
use crate::cases::{Case, Settings};
use crate::time::Timestamp;

/// Hours and minutes run on between the changes of a case: they are looked at so often.
const STEP_SECS: u64 = 3600;

/// The instants at which cases are to be looked at, in order, each with the place of its case:
/// whenever something about a case changes, and hourly while it is open where a rule counts hours.
pub fn instants(
    cases: &[Case],
    settings: &Settings,
    rules: &[Rule],
    from: Timestamp,
    until: Timestamp,
) -> Vec<(Timestamp, usize)> {
    let hourly = rules.iter().any(counts_hours);
    let mut all = Vec::new();
    for (place, case) in cases.iter().enumerate() {
        let mut own = changes(case, settings, from, until);
        if hourly && let Some(first) = own.first().copied() {
            let end = case.ended_at.unwrap_or(until).min(until);
            let mut at = first.plus_secs(STEP_SECS);
            while at < end {
                own.insert(at);
                at = at.plus_secs(STEP_SECS);
            }
        }
        all.extend(own.into_iter().map(|at| (at, place)));
    }
    all.sort_unstable();
    all
}

/// Whether a condition of the rule reads a time that runs on by itself.
fn counts_hours(rule: &Rule) -> bool {
    let reads = |text: &String| {
        let condition = Condition::parse(text, rule.subject, &rule.parameters);
        condition.is_ok_and(|condition| {
            condition.variables().any(|name| {
                let unit = catalogue::find(rule.subject, name).map(|(_, v)| v.unit);
                matches!(unit, Some(Unit::Hours | Unit::Minutes))
            })
        })
    };
    rule.subject == SubjectKind::Case
        && std::iter::once(&rule.when)
            .chain(&rule.clear_when)
            .any(reads)
}

impl Backtest {
    /// Takes in a case as it was known at an instant.
    pub fn feed_case(&mut self, case: &Case, settings: &Settings, at: Timestamp) {
        if let Some(then) = case.as_of(at, settings) {
            self.feed(case.case_no.as_str(), &[facts(&then, settings, at)], at);
        }
    }
}
