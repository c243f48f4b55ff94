//! The devices of all halls, each with a token of its own: kiosks, screens, strips, pagers, raters,
//! readers, printers and cameras.
//!
//! Here is what is known of each device: where it stands, what it last said of itself, and which of
//! its functions fail. It hears what it shall do over its own topic, `device.{id}`: its name in
//! large letters for ten seconds, a reload, silence. Reports come from the pages themselves and,
//! for what has no page (an LED strip on a wire), from the link that drives it; both enter by
//! [`Devices::report`].
//!
//! Rows are in the database first and then in memory; what only matters for seconds (identify,
//! reload, the pager's last press) is in memory alone. Uses that the server itself counts are
//! written every two seconds.

mod device;
mod heard;
mod manage;
mod report;
mod usage;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix::Addr;
use actors::hub::ScreenHub;
use rules::alerts::facts::device::{Seen, facts};
use rules::alerts::subject::Facts;
use rules::devices::version::newest;
use rules::time::{TimeZone, Timestamp};
use serde_json::{Value, json};

use crate::config;
use crate::store::Records;
use crate::store::records::{DeviceRow, StoreError};
use crate::web::access::Principal;

use self::device::{Device, Look};
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

    /// The version that each kind's software should have: as set, else the newest that any device
    /// of the kind has.
    fn expected(&self, set: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut told: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for device in self.by_id.values() {
            let report = device.kept.as_ref().map(|kept| &kept.report);
            if let Some(version) = report.and_then(|report| report.version.as_deref()) {
                told.entry(&device.row.kind).or_default().push(version);
            }
        }
        let newest = told
            .into_iter()
            .filter_map(|(kind, versions)| Some((kind.to_owned(), newest(versions)?.to_owned())));
        let mut expected: BTreeMap<String, String> = newest.collect();
        expected.extend(set.clone());
        expected
    }
}

/// All devices.
pub struct Devices {
    records: Records,
    hub: Addr<ScreenHub>,
    settings: config::Devices,
    /// By which days of use are told apart.
    zone: TimeZone,
    /// Nobody could be heard before.
    listening_since: Timestamp,
    known: Mutex<Known>,
    /// Held while a row is read, written and remembered, so that no change undoes another.
    changes: tokio::sync::Mutex<()>,
    /// What happened to devices without a page, for the log and the audit.
    untold: Mutex<Vec<Happened>>,
    /// Uses that are counted but not yet written.
    unwritten: Mutex<usage::Uses>,
}

impl Devices {
    /// Loads the devices and opens their topics.
    ///
    /// # Errors
    /// The database is not available.
    pub async fn load(
        records: Records,
        hub: Addr<ScreenHub>,
        settings: config::Devices,
        zone: TimeZone,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut known = Known::default();
        for row in records.devices().await? {
            known.put(Device::new(row, &hub));
        }
        let today = zone.date_of(now);
        for row in records.device_usage(None, today, today).await? {
            if let Some(device) = known.by_id.get_mut(&row.device) {
                device.count(row.day, &row.function, row.used);
            }
        }
        Ok(Self {
            records,
            hub,
            settings,
            zone,
            listening_since: now,
            known: Mutex::new(known),
            changes: tokio::sync::Mutex::default(),
            untold: Mutex::default(),
            unwritten: Mutex::default(),
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
        self.faces(|row| row.id == id, now).pop()
    }

    /// Some devices as their manager sees them, by id.
    pub fn faces(&self, wanted: impl Fn(&DeviceRow) -> bool, now: Timestamp) -> Vec<Value> {
        let known = self.known();
        let expected = known.expected(&self.settings.expected_versions);
        let look = self.look(&expected, now);
        let wanted = known.by_id.values().filter(|device| wanted(&device.row));
        wanted.map(|device| device.face(&look)).collect()
    }

    fn look<'a>(&self, expected: &'a BTreeMap<String, String>, now: Timestamp) -> Look<'a> {
        Look {
            now,
            day: self.zone.date_of(now),
            silent_secs: self.settings.silent_secs,
            expected,
        }
    }

    /// How many of a hall's devices are online, all and by kind, and each of them.
    pub fn of_hall(&self, hall: &str, now: Timestamp) -> Value {
        let known = self.known();
        let expected = known.expected(&self.settings.expected_versions);
        let look = self.look(&expected, now);
        let devices = known
            .by_id
            .values()
            .filter(|device| device.row.hall == hall);
        let mut sums: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        let mut items = Vec::new();
        for device in devices {
            let online = device.state(look.silent_secs, now) == "online";
            items.push(device.face(&look));
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
        json!({"summary": summary, "silent_secs": look.silent_secs, "items": items})
    }

    /// What alert rules may know of every device.
    pub fn facts(&self, now: Timestamp) -> Vec<Facts> {
        let known = self.known();
        let expected = known.expected(&self.settings.expected_versions);
        let devices = known.by_id.values();
        devices
            .map(|device| self.facts_of(device, &expected, now))
            .collect()
    }

    fn facts_of(
        &self,
        device: &Device,
        expected: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Facts {
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
            silent_secs: self.settings.silent_secs,
            faults: faults
                .iter()
                .map(|fault| (&*fault.function, &*fault.code, fault.is_warning()))
                .collect(),
            skew_ms: report.and_then(|report| report.skew_ms),
            newest_build: device.version(expected).map(|version| !version.old),
            muted: row.muted,
        };
        facts(&seen, now)
    }
}
