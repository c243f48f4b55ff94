//! Walking through recorded cases: the instants at which something about them changes.
//!
//! A back-test evaluates rules at these instants and nowhere between: between two of them everything that
//! is said of a case in states and in days stays the same. Only hours and minutes run on.

use std::collections::BTreeSet;

use super::Settings;
use super::case::Case;
use super::limits::next_change;
use crate::time::Timestamp;

/// Instants of one case at most: an open case with a due time long past changes each working day.
const INSTANTS_MAX: usize = 5000;

/// The instants from `from` until `until` at which this case changes, in order: when it comes in, each of
/// its steps, and what time alone brings.
pub fn changes(
    case: &Case,
    settings: &Settings,
    from: Timestamp,
    until: Timestamp,
) -> BTreeSet<Timestamp> {
    let steps = case.steps.iter().map(|step| step.at);
    let came_in = case.told.received_at.unwrap_or(case.told_at);
    let mut all: BTreeSet<Timestamp> = steps.chain([came_in]).collect();
    all.retain(|at| (from..=until).contains(at) && *at >= came_in);
    let told: Vec<Timestamp> = all.iter().copied().chain([until]).collect();
    for pair in told.windows(2) {
        let Some(then) = case.as_of(pair[0], settings) else {
            continue;
        };
        let mut now = pair[0];
        while let Some(next) = next_change(&then, settings, now).filter(|at| *at < pair[1]) {
            all.insert(next);
            now = next;
            if all.len() >= INSTANTS_MAX {
                return all;
            }
        }
    }
    all
}
