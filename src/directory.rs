//! The directory of organisations and windows. Organisations are loaded; windows come from the halls
//! themselves, as they are now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use actors::supervisor::Halls;
use anyhow::Context as _;
use rules::ids::HallId;
use rules::name::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::store::Records;
use crate::store::records::StoreError;

/// Organisations at most.
pub const ORGANISATIONS_MAX: usize = 2_000;

/// Under which setting it is kept.
const KEY: &str = "directory";

/// Somebody who serves in halls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    pub id: String,
    pub name: Name,
    /// Whose part it is.
    #[serde(default)]
    pub parent: Option<String>,
    /// The halls whose windows are its own.
    #[serde(default)]
    pub halls: Vec<HallId>,
}

/// The directory; cheap to clone.
#[derive(Clone)]
pub struct Directory {
    organisations: Arc<RwLock<Arc<Vec<Organisation>>>>,
    halls: Arc<Halls>,
    records: Records,
}

impl Directory {
    /// # Errors
    /// The store does not answer, or holds what cannot be.
    pub async fn load(records: Records, halls: Arc<Halls>) -> anyhow::Result<Self> {
        let kept = records.setting(KEY).await?;
        let kept = kept.map(|text| serde_json::from_str(&text));
        let kept = kept.transpose().context("the directory cannot be read")?;
        Ok(Self {
            organisations: Arc::new(RwLock::new(kept.unwrap_or_default())),
            halls,
            records,
        })
    }

    pub fn organisations(&self) -> Arc<Vec<Organisation>> {
        let now = self.organisations.read();
        Arc::clone(&now.unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a list in place of the one there was.
    ///
    /// # Errors
    /// It cannot be kept: then the old one stands.
    pub async fn load_organisations(&self, all: Vec<Organisation>) -> Result<(), StoreError> {
        let text = json!(all).to_string();
        self.records.set_setting(KEY, &text).await?;
        let mut now = self
            .organisations
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *now = Arc::new(all);
        Ok(())
    }

    /// The organisation that a hall's windows belong to, if one is named.
    pub fn of_hall(&self, hall: &HallId) -> Option<String> {
        let all = self.organisations();
        let of = all.iter().find(|one| one.halls.contains(hall));
        of.map(|one| one.id.clone())
    }

    /// All windows, as `HALL/WINDOW`; none while a hall is being rebuilt.
    pub async fn windows(&self) -> Option<BTreeSet<String>> {
        let mut all = BTreeSet::new();
        for (id, handle) in self.halls.all() {
            let windows = handle.read(|hall, _| {
                let ids = hall.windows().map(|window| window.id.to_string());
                ids.collect::<Vec<_>>()
            });
            let windows = windows.await?.into_iter();
            all.extend(windows.map(|window| format!("{id}/{window}")));
        }
        Some(all)
    }

    /// The directory as JSON, of the halls that `may` be seen.
    pub async fn face(&self, may: impl Fn(&HallId) -> bool) -> Option<Value> {
        let mut windows: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for window in self.windows().await? {
            if let Some((hall, window)) = window.split_once('/') {
                windows
                    .entry(hall.to_owned())
                    .or_default()
                    .push(window.to_owned());
            }
        }
        let halls = windows.into_iter().filter_map(|(hall, windows)| {
            let id: HallId = hall.parse().ok()?;
            let organisation = self.of_hall(&id);
            may(&id).then(|| json!({"hall": id, "organisation": organisation, "windows": windows}))
        });
        let halls: Vec<Value> = halls.collect();
        Some(json!({"organisations": *self.organisations(), "halls": halls}))
    }
}

/// The first organisation that cannot be: its place, field and why.
pub fn fault(all: &[Organisation]) -> Option<(String, &'static str)> {
    if all.len() > ORGANISATIONS_MAX {
        return Some((".".to_owned(), "has 2000 organisations at most"));
    }
    let mut ids = BTreeSet::new();
    let mut of_hall = BTreeSet::new();
    for (place, one) in all.iter().enumerate() {
        let at = |field: &str| format!("[{place}].{field}");
        let plain = !one.id.trim().is_empty() && one.id.len() <= 64;
        if !plain || one.id.chars().any(char::is_control) {
            return Some((at("id"), "is one line of 1 to 64 bytes"));
        }
        if !ids.insert(&one.id) {
            return Some((at("id"), "stands twice"));
        }
        if !one.name.is_valid() {
            return Some((
                at("name"),
                "is one line of 1 to 80 characters in each language",
            ));
        }
        if one.halls.iter().any(|hall| !of_hall.insert(hall)) {
            return Some((at("halls"), "has a hall of another organisation"));
        }
    }
    let strange = |one: &Organisation| one.parent.as_ref().is_some_and(|id| !ids.contains(id));
    let place = all.iter().position(strange)?;
    Some((format!("[{place}].parent"), "is none of the organisations"))
}
