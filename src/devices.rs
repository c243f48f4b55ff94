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

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix::Addr;
use actors::hub::{CloseTopic, ScreenHub, Shape};
use actors::publisher::Publisher;
use dashboards::assets;
use rules::alerts::facts::device::{Seen, facts};
use rules::alerts::subject::Facts;
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::store::Records;
use crate::store::records::{DeviceRow, StoreError};
use crate::web::access::{Principal, Role, Scope};
use crate::web::auth::{hash_token, random_hex};

/// How long a device shows its name.
const IDENTIFY_SECS: u64 = 10;

/// Reports taken of one device within [`REPORTS_WITHIN`]; a page sends one a minute and one at each
/// change.
const REPORTS_MAX: u32 = 30;
const REPORTS_WITHIN: Duration = Duration::from_secs(60);

/// A second press of a pager's button within this time is the first one again.
const PRESS_AGAIN: Duration = Duration::from_millis(1500);

/// Codes with which a function still works.
const WARNINGS: &[&str] = &["paper_low"];

/// What is wrong with one function of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Such as `print`, `audio`, `scan` or `display`.
    pub function: String,
    /// Such as `paper_out`.
    pub code: String,
}

impl Fault {
    /// Such as `paper_low`: somebody should look, but the function still works.
    fn is_warning(&self) -> bool {
        WARNINGS.contains(&self.code.as_str())
    }
}

/// What a device says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// The build of its page.
    pub build: String,
    /// Such as `1920x1080`.
    pub viewport: String,
    pub browser: String,
    /// Its clock less the server's.
    pub skew_ms: Option<i64>,
    /// `on`, `blocked` (the browser waits for a touch), `muted` or `none`.
    pub audio: Option<String>,
    /// Path of its page.
    pub page: String,
    /// Every fault it has now; none left means all is well.
    pub faults: Vec<Fault>,
}

impl Report {
    /// What is wrong with the report: field and reason.
    fn fault(&self) -> Option<(&'static str, &'static str)> {
        let long = |text: &str, most: usize| text.chars().count() > most;
        let word = |text: &str| {
            (1..=40).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        if long(&self.build, 64) {
            return Some(("build", "at most 64 characters"));
        }
        if long(&self.viewport, 40) {
            return Some(("viewport", "at most 40 characters"));
        }
        if long(&self.browser, 200) {
            return Some(("browser", "at most 200 characters"));
        }
        if long(&self.page, 200) {
            return Some(("page", "at most 200 characters"));
        }
        if self.audio.as_deref().is_some_and(|audio| !word(audio)) {
            return Some(("audio", "a word of a-z, 0-9 and '_'"));
        }
        if self.faults.len() > 16 {
            return Some(("faults", "at most 16"));
        }
        let words = |fault: &Fault| word(&fault.function) && word(&fault.code);
        if !self.faults.iter().all(words) {
            return Some(("faults", "function and code are words of a-z, 0-9 and '_'"));
        }
        None
    }
}

/// A report as it is kept: with the beginning of each fault, which the device need not remember.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    report: Report,
    since: BTreeMap<String, Timestamp>,
}

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

/// What the device's own topic shows.
#[derive(Serialize)]
struct DeviceView<'a> {
    id: &'a str,
    name: &'a str,
    kind: &'a str,
    hall: &'a str,
    zone: Option<&'a str>,
    window: Option<&'a str>,
    muted: bool,
    identify_until: Option<String>,
    reload: Option<String>,
}

struct Press {
    at: Instant,
    /// What was asked for: the verb and its body.
    what: String,
    key: String,
}

struct Device {
    row: DeviceRow,
    kept: Option<Kept>,
    identify_until: Option<Timestamp>,
    /// When it was last told to load its page again.
    reload: Option<Timestamp>,
    topic: Publisher,
    reports: (Instant, u32),
    press: Option<Press>,
    /// Whether the silence is already known.
    told_offline: bool,
}

impl Device {
    fn new(row: DeviceRow, hub: &Addr<ScreenHub>) -> Self {
        let shape = Shape::Whole {
            merge: Duration::ZERO,
        };
        let kept = row.report.as_deref();
        let mut device = Self {
            kept: kept.and_then(|text| serde_json::from_str(text).ok()),
            identify_until: None,
            reload: None,
            topic: Publisher::open(hub, topic(&row.id), shape),
            reports: (Instant::now(), 0),
            press: None,
            told_offline: false,
            row,
        };
        device.publish(device.row.created_at);
        device
    }

    fn publish(&mut self, now: Timestamp) {
        let view = DeviceView {
            id: &self.row.id,
            name: &self.row.name,
            kind: &self.row.kind,
            hall: &self.row.hall,
            zone: self.row.zone.as_deref(),
            window: self.row.window.as_deref(),
            muted: self.row.muted,
            identify_until: self.identify_until.map(Timestamp::rfc3339_utc),
            reload: self.reload.map(Timestamp::rfc3339_utc),
        };
        self.topic.publish(&now.rfc3339_utc(), &view);
    }

    /// A pager speaks when it is pressed; its silence says nothing.
    fn is_watched(&self) -> bool {
        self.row.kind != Role::Pager.name() || self.kept.is_some()
    }

    fn state(&self, silent_secs: u64, now: Timestamp) -> &'static str {
        match self.row.seen_at {
            _ if !self.is_watched() => "unwatched",
            None => "never",
            Some(seen) if now.secs_since(seen) > silent_secs => "offline",
            Some(_) => "online",
        }
    }

    fn functions(&self, state: &str) -> Value {
        let usual: &[&str] = match self.row.kind.as_str() {
            "kiosk" => &["display", "print", "scan"],
            "screen" => &["display", "audio"],
            "strip" => &["display"],
            _ => &["call"],
        };
        let kept = self.kept.as_ref();
        let faults = kept.map_or(&[][..], |kept| &kept.report.faults);
        let names = usual
            .iter()
            .copied()
            .chain(faults.iter().map(|fault| fault.function.as_str()));
        let silent = matches!(state, "offline" | "never").then_some(state);
        let face = |name: &str| {
            let own = || faults.iter().filter(move |fault| fault.function == name);
            let stops = own().find(|fault| !fault.is_warning());
            let fault = stops.or_else(|| own().next());
            let since = kept.and_then(|kept| kept.since.get(name));
            json!({
                "available": silent.is_none() && stops.is_none(),
                "code": silent.or(fault.map(|fault| fault.code.as_str())),
                "since": fault.and(since).map(|at| at.rfc3339_utc()),
            })
        };
        let functions: BTreeMap<&str, Value> = names.map(|name| (name, face(name))).collect();
        json!(functions)
    }

    /// The device as its manager sees it; never its token.
    fn face(&self, silent_secs: u64, now: Timestamp) -> Value {
        let row = &self.row;
        let state = self.state(silent_secs, now);
        let report = self.kept.as_ref().map(|kept| &kept.report);
        json!({
            "id": row.id, "name": row.name, "kind": row.kind, "hall": row.hall, "zone": row.zone,
            "window": row.window, "muted": row.muted, "created_at": row.created_at.rfc3339_utc(),
            "state": state, "last_seen_at": row.seen_at.map(Timestamp::rfc3339_utc),
            "functions": self.functions(state), "report": report,
            "newest_build": report.map(|report| report.build == assets::build()),
        })
    }

    fn principal(&self) -> Option<Principal> {
        Some(Principal {
            name: format!("device:{}", self.row.id),
            roles: BTreeSet::from([self.row.kind.parse().ok()?]),
            scope: Scope::of([self.row.hall.clone()]),
            call_chosen: false,
            windows: self.row.window.iter().cloned().collect(),
        })
    }

    fn happened(&self, what: &'static str, fault: Option<&Fault>) -> Happened {
        Happened {
            device: self.row.id.clone(),
            hall: self.row.hall.clone(),
            what,
            fault: fault.cloned(),
        }
    }

    /// Remembers a report that the database has; what it changed.
    fn take(&mut self, kept: Kept, now: Timestamp) -> Vec<Happened> {
        let before = self.kept.take().unwrap_or_default().report.faults;
        let mut happened = Vec::new();
        if std::mem::take(&mut self.told_offline) {
            happened.push(self.happened("device_online", None));
        }
        for fault in kept.report.faults.iter().filter(|f| !before.contains(f)) {
            happened.push(self.happened("device_fault", Some(fault)));
        }
        for fault in before.iter().filter(|f| !kept.report.faults.contains(f)) {
            happened.push(self.happened("device_fault_over", Some(fault)));
        }
        self.row.seen_at = Some(now);
        self.kept = Some(kept);
        happened
    }
}

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

/// What a manager may change of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub name: String,
    pub zone: Option<String>,
    pub window: Option<String>,
}

/// What a device is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Identify,
    Reload,
    Mute,
    Unmute,
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

    /// Registers a device; its token is told once.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the id exists; [`StoreError::Unavailable`].
    pub async fn add(
        &self,
        id: String,
        kind: Role,
        hall: String,
        place: Place,
        now: Timestamp,
    ) -> Result<String, StoreError> {
        let token = new_token()?;
        let row = DeviceRow {
            id,
            name: place.name,
            kind: kind.name().to_owned(),
            hall,
            zone: place.zone,
            window: place.window,
            token_hash: hash_token(&token),
            created_at: now,
            muted: false,
            seen_at: None,
            report: None,
        };
        let _changing = self.changes.lock().await;
        self.records.insert_device(&row).await?;
        self.known().put(Device::new(row, &self.hub));
        Ok(token)
    }

    /// Gives a device another name and place; `false` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn change(&self, id: &str, place: Place, now: Timestamp) -> Result<bool, StoreError> {
        let _changing = self.changes.lock().await;
        let Some(row) = self.row(id) else {
            return Ok(false);
        };
        let row = DeviceRow {
            name: place.name,
            zone: place.zone,
            window: place.window,
            ..row
        };
        self.replace(row, now).await
    }

    /// A new token for a device; the old one ends. `None` if there is no such device.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn new_token(&self, id: &str, now: Timestamp) -> Result<Option<String>, StoreError> {
        let _changing = self.changes.lock().await;
        let Some(row) = self.row(id) else {
            return Ok(None);
        };
        let token = new_token()?;
        let row = DeviceRow {
            token_hash: hash_token(&token),
            ..row
        };
        Ok(self.replace(row, now).await?.then_some(token))
    }

    /// Writes and remembers a row; the caller holds `changes` since it read it.
    async fn replace(&self, row: DeviceRow, now: Timestamp) -> Result<bool, StoreError> {
        if !self.records.update_device(&row).await? {
            return Ok(false);
        }
        let mut known = self.known();
        let Some(device) = known.by_id.get_mut(&row.id) else {
            return Ok(false);
        };
        let old_token = device.row.token_hash.clone();
        // What a report changed meanwhile stays.
        device.row = DeviceRow {
            seen_at: device.row.seen_at,
            report: device.row.report.take(),
            ..row.clone()
        };
        device.publish(now);
        known.by_token.remove(&old_token);
        known.by_token.insert(row.token_hash, row.id);
        Ok(true)
    }

    /// Tells a device to do something; `false` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn order(&self, id: &str, order: Order, now: Timestamp) -> Result<bool, StoreError> {
        if let Order::Mute | Order::Unmute = order {
            let _changing = self.changes.lock().await;
            let Some(row) = self.row(id) else {
                return Ok(false);
            };
            let muted = order == Order::Mute;
            return self.replace(DeviceRow { muted, ..row }, now).await;
        }
        let mut known = self.known();
        let Some(device) = known.by_id.get_mut(id) else {
            return Ok(false);
        };
        if order == Order::Identify {
            device.identify_until = Some(now.plus_secs(IDENTIFY_SECS));
        } else {
            device.reload = Some(now);
        }
        device.publish(now);
        Ok(true)
    }

    /// Removes a device and its token; `false` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn remove(&self, id: &str) -> Result<bool, StoreError> {
        let _changing = self.changes.lock().await;
        let removed = self.records.delete_device(id).await?;
        let mut known = self.known();
        if let Some(device) = known.by_id.remove(id) {
            known.by_token.remove(&device.row.token_hash);
            self.hub.do_send(CloseTopic(topic(id)));
        }
        Ok(removed)
    }

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
        let kept = self.dated(id, report, now)?;
        let text = serde_json::to_string(&kept).unwrap_or_default();
        let stored = self.records.keep_device_report(id, &text, now).await;
        if !stored.map_err(ReportError::Store)? {
            return Err(ReportError::Unknown);
        }
        let mut known = self.known();
        let device = known.by_id.get_mut(id).ok_or(ReportError::Unknown)?;
        Ok(device.take(kept, now))
    }

    /// Counts a report, and gives each fault its beginning.
    fn dated(&self, id: &str, report: Report, now: Timestamp) -> Result<Kept, ReportError> {
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
        Ok(Kept {
            since: since.collect(),
            report,
        })
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
        if now.secs_since(self.listening_since) <= self.silent_secs {
            return Vec::new();
        }
        let mut known = self.known();
        let mut happened = Vec::new();
        for device in known.by_id.values_mut() {
            if !device.told_offline && device.state(self.silent_secs, now) == "offline" {
                device.told_offline = true;
                happened.push(device.happened("device_offline", None));
            }
        }
        happened
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
        Some(key)
    }
}

fn new_token() -> Result<String, StoreError> {
    random_hex(32).map_err(|cause| StoreError::Unavailable(cause.to_string()))
}
