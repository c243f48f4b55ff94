//! What is heard of devices: their reports, their silence, the presses of pagers.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use rules::time::Timestamp;

use super::Devices;
use super::device::{Device, Press};
use super::report::{Fault, Kept, Report};
use crate::store::records::{StoreError, UsageRow};
use crate::web::auth::random_hex;

/// Reports taken of one device within [`REPORTS_WITHIN`]; a page sends one a minute and one at each
/// change.
const REPORTS_MAX: u32 = 30;
const REPORTS_WITHIN: Duration = Duration::from_secs(60);

/// A second press of a pager's button within this time is the first one again.
const PRESS_AGAIN: Duration = Duration::from_millis(1500);

/// Why a report was not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum ReportError {
    Unknown,
    TooMany,
    Invalid {
        field: &'static str,
        reason: &'static str,
    },
    Store(StoreError),
}

/// What happened to a device, for the log and the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    pub device: String,
    pub hall: String,
    /// `device_offline`, `device_online`, `device_fault` or `device_fault_over`.
    pub what: &'static str,
    pub fault: Option<Fault>,
}

impl Devices {
    /// Takes what a device says of itself. Its faults are replaced by those of the report. Returns
    /// what changed by it.
    ///
    /// # Errors
    /// The report cannot be, comes too often, or of a device that is not known; the database is not
    /// available.
    pub async fn report(
        &self,
        id: &str,
        report: Report,
        now: Timestamp,
    ) -> Result<Vec<Happened>, ReportError> {
        if let Some((field, reason)) = report.fault() {
            return Err(ReportError::Invalid { field, reason });
        }
        // Two reports at once would both count what is new since the one before.
        let _changing = self.changes.lock().await;
        let (kept, used) = self.dated(id, report, now)?;
        let text = serde_json::to_string(&kept).unwrap_or_default();
        let stored = self
            .records
            .keep_device_report(id, &text, &used, now)
            .await
            .map_err(ReportError::Store)?;
        if !stored {
            return Err(ReportError::Unknown);
        }
        let mut known = self.known();
        let device = known.by_id.get_mut(id).ok_or(ReportError::Unknown)?;
        for row in used {
            device.count(row.day, &row.function, row.used);
        }
        Ok(device.take(kept, now))
    }

    /// Counts a report, gives each fault its beginning, and says which uses are new.
    fn dated(
        &self,
        id: &str,
        report: Report,
        now: Timestamp,
    ) -> Result<(Kept, Vec<UsageRow>), ReportError> {
        let mut known = self.known();
        let device = known.by_id.get_mut(id).ok_or(ReportError::Unknown)?;
        let (from, count) = &mut device.reports;
        if from.elapsed() > REPORTS_WITHIN {
            (*from, *count) = (Instant::now(), 0);
        }
        *count += 1;
        if *count > REPORTS_MAX {
            return Err(ReportError::TooMany);
        }
        let before = device.kept.as_ref();
        let begun = |fault: &Fault| {
            let before = before.filter(|kept| kept.report.faults.contains(fault));
            let since = before.and_then(|kept| kept.since.get(&fault.function));
            since.copied().unwrap_or(now)
        };
        let since = report.faults.iter().map(|f| (f.function.clone(), begun(f)));
        let known = before.and_then(|kept| kept.totals.as_ref());
        let told = report.usage.as_ref();
        let new = told.map_or_else(BTreeMap::new, |totals| totals.since(known));
        let kept = Kept {
            since: since.collect(),
            totals: told.or(known).cloned(),
            report,
        };
        Ok((kept, self.rows_of(id, new, now)))
    }

    /// Leaves what happened for [`Self::untold`].
    pub fn leave(&self, happened: Vec<Happened>) {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        untold.extend(happened);
    }

    /// What was left since the last look.
    pub fn untold(&self) -> Vec<Happened> {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *untold)
    }

    /// Devices that fell silent since the last look.
    pub fn fallen_silent(&self, now: Timestamp) -> Vec<Happened> {
        if now.secs_since(self.listening_since) <= self.settings.silent_secs {
            return Vec::new();
        }
        let mut known = self.known();
        let mut happened = Vec::new();
        for device in known.by_id.values_mut() {
            if !device.told_offline && device.state(self.settings.silent_secs, now) == "offline" {
                device.told_offline = true;
                happened.push(device.happened("device_offline", None));
            }
        }
        happened
    }

    /// The rater of a window: one that is online, else any.
    pub fn rater_at(&self, hall: &str, window: &str, now: Timestamp) -> Option<String> {
        let known = self.known();
        let here = known.by_id.values().filter(|device| {
            let row = &device.row;
            row.kind == "rater" && row.hall == hall && row.window.as_deref() == Some(window)
        });
        let silent = |device: &&Device| device.state(self.settings.silent_secs, now) != "online";
        here.min_by_key(silent).map(|device| device.row.id.clone())
    }

    /// The key under which a pager's press is sent to its hall: the first press's when this is the
    /// same press again within a second and a half, so that both get the first one's answer.
    pub fn press(&self, id: &str, what: &str, now: Timestamp) -> Option<String> {
        let mut known = self.known();
        let device = known.by_id.get_mut(id)?;
        device.row.seen_at = Some(now);
        let again = device
            .press
            .as_ref()
            .filter(|press| press.what == what && press.at.elapsed() < PRESS_AGAIN);
        if let Some(press) = again {
            return Some(press.key.clone());
        }
        let key = format!("press-{}", random_hex(8).ok()?);
        device.press = Some(Press {
            at: Instant::now(),
            what: what.to_owned(),
            key: key.clone(),
        });
        drop(known);
        self.used(id, "call", now);
        Some(key)
    }
}
