//! How everything does, in one view.

use std::collections::BTreeMap;

use dashboards::channels::{ChannelRow, ChannelSums};
use futures_util::future::join_all;
use rules::alerts::rule::Severity;
use rules::ids::HallId;
use rules::machine::Machine as _;
use serde::Serialize;
use serde_json::Value;

use super::broken::{self, Broken, LISTED_MAX};
use crate::vitals::Vitals;
use crate::web::App;
use crate::web::access::Scope;

/// Everything that is watched, as somebody with a scope may see it. The machine's own vitals are for
/// those who may see all halls.
#[derive(Debug, Clone, Serialize)]
pub struct OpsView {
    /// When the machine was looked at last.
    pub as_of: Option<String>,
    pub broken: Vec<Broken>,
    pub broken_counts: BrokenCounts,
    pub channels: ChannelSums,
    pub devices: DeviceSums,
    pub vitals: Option<Vitals>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct BrokenCounts {
    pub critical: usize,
    pub warning: usize,
}

/// Devices by their state, and those that have lost a function.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct DeviceSums {
    pub total: usize,
    pub states: BTreeMap<String, usize>,
    /// By kind, and then by state.
    pub kinds: BTreeMap<String, BTreeMap<String, usize>>,
    /// Online, and with a function that does not work.
    pub faulty: usize,
    /// With a page of an older build than this.
    pub old_build: usize,
}

/// What is looked at once for every view.
pub struct Seen {
    pub rows: Vec<ChannelRow>,
    devices: Vec<Value>,
    vitals: Option<Vitals>,
}

impl Seen {
    /// Asks every channel and every device; a channel that is being rebuilt is left out.
    pub async fn now(app: &App) -> Self {
        let now = app.now();
        let devices = app.devices.rows().into_iter();
        let vitals = app.vitals.latest();
        Self {
            rows: rows(app).await,
            devices: devices
                .filter_map(|row| app.devices.face(&row.id, now))
                .collect(),
            vitals: vitals.map(|vitals| Vitals::clone(&vitals)),
        }
    }

    /// What of it lies within a scope.
    pub fn within(&self, scope: &Scope) -> OpsView {
        let holds = |hall: Option<&str>| match hall.map(str::parse::<HallId>) {
            Some(Ok(hall)) => scope.holds(&hall),
            Some(Err(_)) | None => scope.everywhere(),
        };
        let rows = || {
            self.rows
                .iter()
                .filter(|row| scope.holds_any(row.hall.as_ref()))
        };
        let devices = || {
            self.devices
                .iter()
                .filter(|face| holds(face["hall"].as_str()))
        };
        let vitals = self.vitals.as_ref().filter(|_| scope.everywhere());
        let mut broken: Vec<Broken> = rows().filter_map(broken::channel).collect();
        broken.extend(devices().filter_map(broken::device));
        broken.extend(vitals.map(broken::machine).unwrap_or_default());
        let count = |severity| broken.iter().filter(|one| one.severity == severity).count();
        let counts = BrokenCounts {
            critical: count(Severity::Critical),
            warning: count(Severity::Warning),
        };
        let mut broken = broken::sorted(broken);
        broken.truncate(LISTED_MAX);
        OpsView {
            as_of: self.vitals.as_ref().map(|vitals| vitals.at.rfc3339_utc()),
            broken,
            broken_counts: counts,
            channels: ChannelSums::of(rows()),
            devices: devices().fold(DeviceSums::default(), DeviceSums::with),
            vitals: vitals.cloned(),
        }
    }
}

/// Every channel that is set up.
pub async fn rows(app: &App) -> Vec<ChannelRow> {
    let all = app.channels.all();
    let asked = all.iter().map(|watched| {
        watched.desk.update(|channel, now| {
            channel.advance(now);
            ChannelRow::of(channel)
        })
    });
    let answers = join_all(asked).await;
    answers.into_iter().flatten().flatten().collect()
}

impl DeviceSums {
    fn with(mut self, face: &Value) -> Self {
        let text = |field: &str| face[field].as_str().unwrap_or_default().to_owned();
        let state = text("state");
        let fault = broken::device(face).is_some();
        self.total += 1;
        self.faulty += usize::from(state == "online" && fault);
        self.old_build += usize::from(face["newest_build"] == false);
        let kind = self.kinds.entry(text("kind")).or_default();
        *kind.entry(state.clone()).or_default() += 1;
        *self.states.entry(state).or_default() += 1;
        self
    }
}
