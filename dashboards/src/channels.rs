//! API channels as those see them who keep them going: a line each, the sickest first, and the groups
//! they are counted in.

use std::collections::BTreeMap;

use rules::channels::{Channel, Direction, GroupHealth, Health, Reason, Window};
use rules::ids::{ChannelId, HallId};
use rules::name::Name;
use rules::time::Timestamp;
use serde::Serialize;

/// A channel in one line. What cannot be said of no calls is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChannelRow {
    pub id: ChannelId,
    pub name: Name,
    pub hall: Option<HallId>,
    pub group: Option<String>,
    pub provider: String,
    pub direction: Direction,
    pub health: Health,
    pub health_since: String,
    pub health_reason: Option<Reason>,
    /// Until when maintenance was announced, if it was.
    pub maintenance_until: Option<String>,
    /// Carried out, over the last minute.
    pub calls_per_sec: f64,
    /// These are of the last five minutes.
    pub calls: u64,
    pub failed: u64,
    pub refused: u64,
    pub error_percent: Option<f64>,
    pub p95_ms: Option<f64>,
    pub last_call_at: Option<String>,
    pub last_success_at: Option<String>,
}

impl ChannelRow {
    /// Of a channel that is set up, after time was let pass until the present.
    pub fn of(channel: &Channel) -> Option<Self> {
        let (id, setup) = (channel.id()?, channel.setup()?);
        let minute = channel.figures(Window::Minute);
        let recent = channel.figures(Window::FiveMinutes).times;
        let statistics = channel.statistics();
        let at = |at: Option<Timestamp>| at.map(Timestamp::rfc3339_utc);
        let errors = recent.success_percent.map(|percent| 100.0 - percent);
        Some(Self {
            id: id.clone(),
            name: setup.name.clone(),
            hall: setup.hall.clone(),
            group: setup.group.clone(),
            provider: setup.provider.clone(),
            direction: setup.direction,
            health: channel.health(),
            health_since: channel.health_since().rfc3339_utc(),
            health_reason: channel.health_reason().cloned(),
            maintenance_until: at(channel.maintenance().map(|one| one.until)),
            calls_per_sec: hundredths(minute.calls_per_minute / 60.0),
            calls: recent.calls,
            failed: recent.failed,
            refused: recent.refused,
            error_percent: errors.map(hundredths),
            p95_ms: recent.p95_ms.map(hundredths),
            last_call_at: at(statistics.last_call_at()),
            last_success_at: at(statistics.last_success_at()),
        })
    }
}

fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// How channels are, all together and group by group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ChannelSums {
    pub all: GroupHealth,
    pub groups: BTreeMap<String, GroupHealth>,
}

impl ChannelSums {
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a ChannelRow>) -> Self {
        let mut all = Vec::new();
        let mut groups: BTreeMap<&str, Vec<Health>> = BTreeMap::new();
        for row in rows {
            all.push(row.health);
            if let Some(group) = &row.group {
                groups.entry(group).or_default().push(row.health);
            }
        }
        let groups = groups.into_iter();
        Self {
            all: GroupHealth::of(all),
            groups: groups
                .map(|(name, healths)| (name.to_owned(), GroupHealth::of(healths)))
                .collect(),
        }
    }
}
