//! A hall as its manager sets it up.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::hall::Refusal;
use crate::hours::OpeningHours;
use crate::ids::{MenuId, ServiceId, WindowId, ZoneId};
use crate::name::Name;
use crate::number::NumberTemplate;
use crate::policy::CallPolicy;
use crate::speech::VoiceOptions;
use crate::time::TimeZone;
use crate::window::WindowPlan;

/// Services, windows and menu entries a hall may have: far above any real hall, small enough
/// that one hall cannot fill the memory.
pub const PARTS_MAX: usize = 500;

/// Mean service time assumed before any was seen, in seconds.
pub const DEFAULT_SERVICE_SECS: u32 = 300;

/// A service that people queue for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub name: Name,
    pub template: NumberTemplate,
    /// Kiosks and phones give at most so many numbers a day; staff may pass it.
    pub contingent: Option<u32>,
    /// Menu entry under which it stands; top level if none.
    pub menu: Option<MenuId>,
    /// Mean service time before any was observed, in seconds.
    pub avg_service_secs: u32,
}

/// An entry of the multi-level service menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MenuEntry {
    pub id: MenuId,
    pub name: Name,
    pub parent: Option<MenuId>,
}

/// A part of the hall that people wait in: its windows are shown and announced there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    pub id: ZoneId,
    pub name: Name,
}

/// What topics and addresses write in place of a zone's id for the hall as a whole.
pub const NO_ZONE: &str = "-";

/// Switches of a hall.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Visitors may take a number without a device, from their own phone.
    pub visitor_issuing: bool,
    /// Anybody may look at the hall's board, as on a phone, without a device's token.
    pub public_board: bool,
    /// The hall is a demonstration: every screen says so.
    pub demo: bool,
    pub menu: Vec<MenuEntry>,
    /// None: the hall is one.
    pub zones: Vec<Zone>,
    /// Told on the board of a closed hall.
    pub hours: OpeningHours,
    /// People the hall may hold at a time; nobody has said while it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_occupancy: Option<u32>,
    pub voice: VoiceOptions,
}

/// The whole set-up of a hall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HallConfig {
    pub name: Name,
    pub time_zone: TimeZone,
    pub services: BTreeMap<ServiceId, Service>,
    pub windows: BTreeMap<WindowId, WindowPlan>,
    pub policy: CallPolicy,
    pub options: Options,
}

impl HallConfig {
    /// Checks the whole set-up.
    ///
    /// # Errors
    /// [`Refusal::InvalidField`] naming the first field that cannot be.
    pub fn check(&self) -> Result<(), Refusal> {
        check_name("name", &self.name)?;
        check_count("services", self.services.len())?;
        check_count("windows", self.windows.len())?;
        for (id, service) in &self.services {
            self.check_service(id, service)?;
        }
        for (id, plan) in &self.windows {
            self.check_window(id, plan)?;
        }
        self.check_options(&self.options)?;
        check_policy(&self.policy)
    }

    /// The set-up without its lists: enough to apply ticket events to a few tickets.
    pub(crate) fn skeleton(&self) -> Self {
        Self {
            name: self.name.clone(),
            time_zone: self.time_zone,
            services: BTreeMap::new(),
            windows: BTreeMap::new(),
            policy: self.policy.clone(),
            options: Options::default(),
        }
    }

    pub(crate) fn check_service(&self, id: &ServiceId, service: &Service) -> Result<(), Refusal> {
        let field = |name: &str| format!("services.{id}.{name}");
        check_name(&field("name"), &service.name)?;
        if let Some((name, reason)) = service.template.fault() {
            return Err(Refusal::invalid(field(name), reason));
        }
        if service.avg_service_secs == 0 || service.avg_service_secs > 86_400 {
            return Err(Refusal::invalid(field("avg_service_secs"), "1 to 86400"));
        }
        let prefix = &service.template.prefix;
        let twin = self.services.iter().find(|(other, s)| {
            *other != id && s.template.prefix == *prefix && s.template != service.template
        });
        if let Some((other, _)) = twin {
            return Err(Refusal::invalid(
                field("prefix"),
                format!(
                    "service {other} has the prefix '{prefix}' with other digits, first or last"
                ),
            ));
        }
        match &service.menu {
            Some(menu) if !self.options.menu.iter().any(|entry| entry.id == *menu) => Err(
                Refusal::invalid(field("menu"), format!("no menu entry {menu}")),
            ),
            _ => Ok(()),
        }
    }

    pub(crate) fn check_window(&self, id: &WindowId, plan: &WindowPlan) -> Result<(), Refusal> {
        check_name(&format!("windows.{id}.name"), &plan.name)?;
        if let Some(unknown) = plan
            .services
            .iter()
            .find(|s| !self.services.contains_key(*s))
        {
            return Err(Refusal::invalid(
                format!("windows.{id}.services"),
                format!("no service {unknown}"),
            ));
        }
        match &plan.zone {
            Some(zone) if !self.options.zones.iter().any(|one| one.id == *zone) => Err(
                Refusal::invalid(format!("windows.{id}.zone"), format!("no zone {zone}")),
            ),
            _ => Ok(()),
        }
    }

    pub(crate) fn check_options(&self, options: &Options) -> Result<(), Refusal> {
        if let Some((day, reason)) = options.hours.fault() {
            let field = format!("options.hours.{}", day.name());
            return Err(Refusal::invalid(field, reason));
        }
        if options.max_occupancy == Some(0) {
            return Err(Refusal::invalid("options.max_occupancy", "at least 1"));
        }
        self.check_menu(options)?;
        self.check_zones(options)?;
        match options.voice.fault() {
            Some(reason) => Err(Refusal::invalid("options.voice.languages", reason)),
            None => Ok(()),
        }
    }

    fn check_zones(&self, options: &Options) -> Result<(), Refusal> {
        check_count("options.zones", options.zones.len())?;
        let mut seen: BTreeSet<&ZoneId> = BTreeSet::new();
        for zone in &options.zones {
            check_name(&format!("options.zones.{}.name", zone.id), &zone.name)?;
            if zone.id.as_str() == NO_ZONE {
                return Err(Refusal::invalid(
                    "options.zones",
                    format!("'{NO_ZONE}' stands for the hall as a whole"),
                ));
            }
            if !seen.insert(&zone.id) {
                return Err(Refusal::invalid(
                    "options.zones",
                    format!("{} stands twice", zone.id),
                ));
            }
        }
        let lost = self.windows.iter().find_map(|(id, plan)| {
            let zone = plan.zone.as_ref().filter(|zone| !seen.contains(zone))?;
            Some((id, zone))
        });
        match lost {
            Some((id, zone)) => Err(Refusal::invalid(
                "options.zones",
                format!("window {id} stands in {zone}"),
            )),
            None => Ok(()),
        }
    }

    fn check_menu(&self, options: &Options) -> Result<(), Refusal> {
        check_count("options.menu", options.menu.len())?;
        let mut seen: BTreeSet<&MenuId> = BTreeSet::new();
        for entry in &options.menu {
            check_name(&format!("options.menu.{}.name", entry.id), &entry.name)?;
            // A parent stands before its children, so the menu cannot run in a circle.
            if let Some(parent) = entry.parent.as_ref().filter(|p| !seen.contains(p)) {
                return Err(Refusal::invalid(
                    format!("options.menu.{}.parent", entry.id),
                    format!("no menu entry {parent} before this one"),
                ));
            }
            if !seen.insert(&entry.id) {
                return Err(Refusal::invalid(
                    "options.menu",
                    format!("{} stands twice", entry.id),
                ));
            }
        }
        let lost = self.services.iter().find_map(|(id, service)| {
            service
                .menu
                .as_ref()
                .filter(|menu| !seen.contains(menu))
                .map(|menu| (id, menu))
        });
        match lost {
            Some((id, menu)) => Err(Refusal::invalid(
                "options.menu",
                format!("service {id} stands under {menu}"),
            )),
            None => Ok(()),
        }
    }
}

pub(crate) fn check_policy(policy: &CallPolicy) -> Result<(), Refusal> {
    match policy.fault() {
        Some((field, reason)) => Err(Refusal::invalid(format!("policy.{field}"), reason)),
        None => Ok(()),
    }
}

pub(crate) fn check_name(field: &str, name: &Name) -> Result<(), Refusal> {
    if name.is_valid() {
        Ok(())
    } else {
        Err(Refusal::invalid(
            field,
            "1 to 80 characters in each language",
        ))
    }
}

fn check_count(field: &str, count: usize) -> Result<(), Refusal> {
    if count <= PARTS_MAX {
        Ok(())
    } else {
        Err(Refusal::invalid(field, format!("at most {PARTS_MAX}")))
    }
}
