//! All halls at a glance: topic `city`, and the list of halls.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use rules::figures::Figures;
use rules::hall::Hall;
use rules::ids::HallId;
use rules::name::Name;
use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HallFace {
    pub name: Name,
    pub state: &'static str,
    /// The hall's sequence number at which the figures hold.
    pub seq: u64,
    pub day: Option<NaiveDate>,
    pub demo: bool,
    pub figures: Figures,
}

impl HallFace {
    pub fn of(hall: &Hall) -> Self {
        Self {
            name: hall.config().name.clone(),
            state: hall.state().name(),
            seq: hall.seq(),
            day: hall.day(),
            demo: hall.config().options.demo,
            figures: hall.figures(),
        }
    }
}

/// The city: every hall's latest face, and which of them changed since the last frame.
#[derive(Debug, Default)]
pub struct City {
    halls: BTreeMap<HallId, HallFace>,
    changed: BTreeSet<HallId>,
}

#[derive(Debug, Serialize)]
pub struct CityView<'a> {
    pub totals: Figures,
    pub halls: BTreeMap<&'a HallId, &'a HallFace>,
}

impl City {
    /// Takes a hall's new face; an older one that comes late is dropped.
    pub fn put(&mut self, hall: HallId, face: HallFace) {
        if self
            .halls
            .get(&hall)
            .is_none_or(|present| present.seq < face.seq)
        {
            self.halls.insert(hall.clone(), face);
            self.changed.insert(hall);
        }
    }

    /// **Invariant:** the totals are the sum of the faces shown beside them.
    pub fn snapshot(&self) -> CityView<'_> {
        CityView {
            totals: self.totals(),
            halls: self.halls.iter().collect(),
        }
    }

    /// The halls that changed since the last call, or `None` if none did.
    pub fn take_changes(&mut self) -> Option<CityView<'_>> {
        let changed = std::mem::take(&mut self.changed);
        (!changed.is_empty()).then(|| CityView {
            totals: self.totals(),
            halls: self
                .halls
                .iter()
                .filter(|(id, _)| changed.contains(*id))
                .collect(),
        })
    }

    fn totals(&self) -> Figures {
        self.halls
            .values()
            .fold(Figures::default(), |sum, face| sum.plus(&face.figures))
    }
}
