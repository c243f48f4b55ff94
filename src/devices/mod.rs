//! The devices of all halls: kiosks, screens, strips and pagers, each with a token of its own.
//!
//! Here is what is known of each device: where it stands, what it last said of itself, and which of
//! its functions fail. It hears what it shall do over its own topic, `device.{id}`: its name in
//! large letters for ten seconds, a reload, silence. Reports come from the pages themselves and,
//! for what has no page (an LED strip on a wire), from the link that drives it; both enter by
//! [`Devices::report`].
//!
//! Rows are in the database first and then in memory; what only matters for seconds (identify,
//! reload, the pager's last press) is in memory alone.

mod device;
mod heard;
mod manage;
mod report;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix::Addr;
use actors::hub::ScreenHub;
use rules::alerts::facts::device::{Seen, facts};
use rules::alerts::subject::Facts;
use rules::time::Timestamp;
use serde_json::{Value, json};

use crate::store::Records;
use crate::store::records::{DeviceRow, StoreError};
use crate::web::access::Principal;

use self::device::Device;
pub use self::heard::{Happened, ReportError};
pub use self::manage::{Order, Place};
pub use self::report::{Fault, Report};

/// The topic of a device.
pub fn topic(id: &str) -> String {
    format!("device.{id}")
}

#[derive(Default)]
struct Known {
    by_id: BTreeMap<String, Device>,
    /// Ids by hash of the token.
    by_token: BTreeMap<String, String>,
}

impl Known {
    fn put(&mut self, device: Device) {
        let id = device.row.id.clone();
        self.by_token
            .insert(device.row.token_hash.clone(), id.clone());
        self.by_id.insert(id, device);
    }
}

/// All devices.
pub struct Devices {
    records: Records,
    hub: Addr<ScreenHub>,
    silent_secs: u64,
    /// Nobody could be heard before.
    listening_since: Timestamp,
    known: Mutex<Known>,
    /// Held while a row is read, written and remembered, so that no change undoes another.
    changes: tokio::sync::Mutex<()>,
    /// What happened to devices without a page, for the log and the audit.
    untold: Mutex<Vec<Happened>>,
}

impl Devices {
    /// Loads the devices and opens their topics.
    ///
    /// # Errors
    /// The database is not available.
    pub async fn load(
        records: Records,
        hub: Addr<ScreenHub>,
        silent_secs: u64,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut known = Known::default();
        for row in records.devices().await? {
            known.put(Device::new(row, &hub));
        }
        Ok(Self {
            records,
            hub,
            silent_secs,
            listening_since: now,
            known: Mutex::new(known),
            changes: tokio::sync::Mutex::default(),
            untold: Mutex::default(),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who a device's token belongs to.
    pub fn recognise(&self, token_hash: &str) -> Option<Principal> {
        let known = self.known();
        known
            .by_id
            .get(known.by_token.get(token_hash)?)?
            .principal()
    }

    /// The rows of all devices, by id.
    pub fn rows(&self) -> Vec<DeviceRow> {
        let known = self.known();
        known
            .by_id
            .values()
            .map(|device| device.row.clone())
            .collect()
    }

    /// A device's row.
    pub fn row(&self, id: &str) -> Option<DeviceRow> {
        self.known().by_id.get(id).map(|device| device.row.clone())
    }

    /// A device as its manager sees it.
    pub fn face(&self, id: &str, now: Timestamp) -> Option<Value> {
        let known = self.known();
        known
            .by_id
            .get(id)
            .map(|device| device.face(self.silent_secs, now))
    }

    /// How many of a hall's devices are online, all and by kind, and each of them.
    pub fn of_hall(&self, hall: &str, now: Timestamp) -> Value {
        let known = self.known();
        let devices = known
            .by_id
            .values()
            .filter(|device| device.row.hall == hall);
        let mut sums: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        let mut items = Vec::new();
        for device in devices {
            let online = device.state(self.silent_secs, now) == "online";
            items.push(device.face(self.silent_secs, now));
            if device.is_watched() {
                let sum = sums.entry(&device.row.kind).or_default();
                *sum = (sum.0 + u64::from(online), sum.1 + 1);
            }
        }
        let counts = |(online, total): (u64, u64)| json!({"online": online, "total": total});
        let all = sums.values().fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        let mut summary = counts(all);
        let by_kind: BTreeMap<&str, Value> = sums
            .iter()
            .map(|(kind, sum)| (*kind, counts(*sum)))
            .collect();
        summary["by_kind"] = json!(by_kind);
        json!({"summary": summary, "silent_secs": self.silent_secs, "items": items})
    }

    /// What alert rules may know of every device.
    pub fn facts(&self, now: Timestamp) -> Vec<Facts> {
        let known = self.known();
        known
            .by_id
            .values()
            .map(|device| {
                let row = &device.row;
                let report = device.kept.as_ref().map(|kept| &kept.report);
                let faults = report.map_or(&[][..], |report| &report.faults);
                let seen = Seen {
                    id: &row.id,
                    name: &row.name,
                    kind: &row.kind,
                    hall: &row.hall,
                    watched: device.is_watched(),
                    // Nobody could be heard before this process listened.
                    seen_at: row.seen_at.map(|at| at.max(self.listening_since)),
                    created_at: row.created_at.max(self.listening_since),
                    silent_secs: self.silent_secs,
                    faults: faults
                        .iter()
                        .map(|fault| (&*fault.function, &*fault.code, fault.is_warning()))
                        .collect(),
                    skew_ms: report.and_then(|report| report.skew_ms),
                    newest_build: None,
                    muted: row.muted,
                };
                facts(&seen, now)
            })
            .collect()
    }
}
