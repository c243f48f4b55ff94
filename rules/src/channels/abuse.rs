//! Who may be abusing an interface: callers far above their own usual level, and callers that are refused
//! often. The terms are those of the shipped rules R09; the numbers are the project's own defaults.

use std::collections::BTreeMap;

use serde::Serialize;

use super::tally::percent;
use crate::ids::ChannelId;
use crate::time::Timestamp;

/// What one caller asked of one channel in one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerHour {
    pub channel: ChannelId,
    pub caller: String,
    /// When the hour began.
    pub hour: Timestamp,
    /// Carried out or refused.
    pub asked: u64,
    pub refused: u64,
}

/// From when on somebody is suspected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// An hour with so many times more than usual.
    pub times: f64,
    /// Fewer in an hour, or fewer refusals in all, say nothing.
    pub least: u64,
    /// What is usual is known from so many other hours on in which the caller called.
    pub hours: usize,
    /// More than this share refused, in percent.
    pub refused_percent: f64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            times: 5.0,
            least: 20,
            hours: 3,
            refused_percent: 20.0,
        }
    }
}

/// Why somebody is suspected.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Suspicion {
    /// In the busiest hour; usual is the median of the other hours in which it called.
    FarAboveUsual {
        #[serde(serialize_with = "rfc3339")]
        hour: Timestamp,
        asked: u64,
        usual: f64,
        times: f64,
    },
    OftenRefused {
        asked: u64,
        refused: u64,
        percent: f64,
    },
}

fn rfc3339<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&at.rfc3339_utc())
}

/// A caller of a channel, and all that speaks against it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suspect {
    pub channel: ChannelId,
    pub caller: String,
    pub reasons: Vec<Suspicion>,
}

/// Those who are suspected, whoever asked most first.
pub fn suspects(hours: &[CallerHour], terms: &Terms) -> Vec<Suspect> {
    let mut by_caller: BTreeMap<(&ChannelId, &str), Vec<&CallerHour>> = BTreeMap::new();
    for hour in hours {
        by_caller
            .entry((&hour.channel, &hour.caller))
            .or_default()
            .push(hour);
    }
    let asked = |own: &[&CallerHour]| own.iter().map(|one| one.asked).sum::<u64>();
    let mut found: Vec<(u64, Suspect)> = Vec::new();
    for ((channel, caller), own) in by_caller {
        let reasons = [far_above_usual(&own, terms), often_refused(&own, terms)];
        let reasons: Vec<Suspicion> = reasons.into_iter().flatten().collect();
        if !reasons.is_empty() {
            let suspect = Suspect {
                channel: channel.clone(),
                caller: caller.to_owned(),
                reasons,
            };
            found.push((asked(&own), suspect));
        }
    }
    found.sort_by_key(|(asked, _)| std::cmp::Reverse(*asked));
    found.into_iter().map(|(_, suspect)| suspect).collect()
}

fn far_above_usual(own: &[&CallerHour], terms: &Terms) -> Option<Suspicion> {
    // Of equally busy hours the first.
    let (place, busiest) = own
        .iter()
        .enumerate()
        .max_by_key(|(place, one)| (one.asked, std::cmp::Reverse(*place)))?;
    let others = own.iter().enumerate().filter(|(other, _)| *other != place);
    let mut others: Vec<u64> = others.map(|(_, one)| one.asked).collect();
    if others.len() < terms.hours || busiest.asked < terms.least {
        return None;
    }
    others.sort_unstable();
    let usual = median(&others);
    let times = busiest.asked as f64 / usual.max(1.0);
    (times > terms.times).then_some(Suspicion::FarAboveUsual {
        hour: busiest.hour,
        asked: busiest.asked,
        usual,
        times,
    })
}

fn median(sorted: &[u64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => sorted[middle] as f64,
        _ => (sorted[middle - 1] + sorted[middle]) as f64 / 2.0,
    }
}

fn often_refused(own: &[&CallerHour], terms: &Terms) -> Option<Suspicion> {
    let asked: u64 = own.iter().map(|one| one.asked).sum();
    let refused: u64 = own.iter().map(|one| one.refused).sum();
    let percent = percent(refused, asked)?;
    (refused >= terms.least && percent > terms.refused_percent).then_some(Suspicion::OftenRefused {
        asked,
        refused,
        percent,
    })
}
