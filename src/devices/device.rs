//! One device: where it stands, what it said last, and what of it works.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use actix::Addr;
use actors::hub::{ScreenHub, Shape};
use actors::publisher::Publisher;
use chrono::NaiveDate;
use dashboards::assets;
use rules::devices::functions_of;
use rules::devices::version::is_older;
use rules::time::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::heard::Happened;
use super::report::{Fault, Kept};
use super::topic;
use crate::store::records::DeviceRow;
use crate::web::access::{Principal, Role, Scope};

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

pub(super) struct Press {
    pub(super) at: Instant,
    /// What was asked for: the verb and its body.
    pub(super) what: String,
    pub(super) key: String,
}

pub(super) struct Device {
    pub(super) row: DeviceRow,
    pub(super) kept: Option<Kept>,
    pub(super) identify_until: Option<Timestamp>,
    /// When it was last told to load its page again.
    pub(super) reload: Option<Timestamp>,
    pub(super) topic: Publisher,
    pub(super) reports: (Instant, u32),
    pub(super) press: Option<Press>,
    /// Whether the silence is already known.
    pub(super) told_offline: bool,
    used: Used,
}

/// How often each function was used on the last day on which any was.
#[derive(Debug, Default)]
struct Used {
    day: NaiveDate,
    by_function: BTreeMap<String, u64>,
}

/// What one needs to know to look at a device.
pub(super) struct Look<'a> {
    pub(super) now: Timestamp,
    pub(super) day: NaiveDate,
    pub(super) silent_secs: u64,
    /// The version that a kind's software should have.
    pub(super) expected: &'a BTreeMap<String, String>,
}

/// What software a device runs.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Version<'a> {
    own: &'a str,
    expected: &'a str,
    pub(super) old: bool,
}

impl Device {
    pub(super) fn new(row: DeviceRow, hub: &Addr<ScreenHub>) -> Self {
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
            used: Used::default(),
            row,
        };
        device.publish(device.row.created_at);
        device
    }

    pub(super) fn publish(&mut self, now: Timestamp) {
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
    pub(super) fn is_watched(&self) -> bool {
        self.row.kind != Role::Pager.name() || self.kept.is_some()
    }

    pub(super) fn state(&self, silent_secs: u64, now: Timestamp) -> &'static str {
        match self.row.seen_at {
            _ if !self.is_watched() => "unwatched",
            None => "never",
            Some(seen) if now.secs_since(seen) > silent_secs => "offline",
            Some(_) => "online",
        }
    }

    fn functions(&self, state: &str) -> Value {
        let kept = self.kept.as_ref();
        let faults = kept.map_or(&[][..], |kept| &kept.report.faults);
        let usual = functions_of(&self.row.kind);
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

    /// A page is old when it is not this server's, other software when a newer one is known.
    pub(super) fn version<'a>(
        &'a self,
        expected: &'a BTreeMap<String, String>,
    ) -> Option<Version<'a>> {
        let report = &self.kept.as_ref()?.report;
        if !report.build.is_empty() {
            let (own, expected) = (report.build.as_str(), assets::build());
            let old = own != expected;
            return Some(Version { own, expected, old });
        }
        let own = report.version.as_deref()?;
        let expected = expected.get(&self.row.kind).map_or(own, String::as_str);
        let old = is_older(own, expected);
        Some(Version { own, expected, old })
    }

    /// Counts uses of a function.
    pub(super) fn count(&mut self, day: NaiveDate, function: &str, uses: u64) {
        if self.used.day != day {
            self.used = Used {
                day,
                by_function: BTreeMap::new(),
            };
        }
        *self
            .used
            .by_function
            .entry(function.to_owned())
            .or_default() += uses;
    }

    /// The device as its manager sees it; never its token.
    pub(super) fn face(&self, look: &Look<'_>) -> Value {
        let row = &self.row;
        let state = self.state(look.silent_secs, look.now);
        let report = self.kept.as_ref().map(|kept| &kept.report);
        let page = report.filter(|report| !report.build.is_empty());
        let nothing = BTreeMap::new();
        let used = match self.used.day == look.day {
            true => &self.used.by_function,
            false => &nothing,
        };
        json!({
            "id": row.id, "name": row.name, "kind": row.kind, "hall": row.hall, "zone": row.zone,
            "window": row.window, "muted": row.muted, "created_at": row.created_at.rfc3339_utc(),
            "state": state, "last_seen_at": row.seen_at.map(Timestamp::rfc3339_utc),
            "functions": self.functions(state), "report": report,
            "newest_build": page.map(|report| report.build == assets::build()),
            "version": self.version(look.expected),
            "usage": {"day": look.day, "functions": used},
        })
    }

    pub(super) fn principal(&self) -> Option<Principal> {
        Some(Principal {
            name: format!("device:{}", self.row.id),
            roles: BTreeSet::from([self.row.kind.parse().ok()?]),
            scope: Scope::of([self.row.hall.clone()]),
            call_chosen: false,
            windows: self.row.window.iter().cloned().collect(),
        })
    }

    pub(super) fn happened(&self, what: &'static str, fault: Option<&Fault>) -> Happened {
        Happened {
            device: self.row.id.clone(),
            hall: self.row.hall.clone(),
            what,
            fault: fault.cloned(),
        }
    }

    /// Remembers a report that the database has; what it changed.
    pub(super) fn take(&mut self, kept: Kept, now: Timestamp) -> Vec<Happened> {
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
