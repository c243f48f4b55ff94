//! How many people are in a hall, as cameras count them.
//!
//! Each source counts an area of its own; the hall's number is their sum. The sum is only as fresh
//! as its oldest part: one silent camera makes it stale, and says which one it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A sum is stale when one of its parts is older.
pub const STALE_SECS: u64 = 60;

/// A source that said nothing for so long has no part in the sum any more.
const FORGOTTEN_SECS: u64 = 12 * 3600;

/// Areas of one hall.
pub const SOURCES_MAX: usize = 32;

/// More people than any hall holds.
pub const PEOPLE_MAX: u32 = 1_000_000;

/// What one source counted last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    pub people: u32,
    /// When it counted.
    pub at: Timestamp,
    /// The device or account that told it.
    pub by: String,
}

/// What happened to a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is the source's last.
    New,
    /// A later one is known: it changes nothing.
    Late,
    /// There are [`SOURCES_MAX`] others.
    TooMany,
}

/// The counts of one hall.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Occupancy {
    sources: BTreeMap<String, Reading>,
}

/// The sum as people and screens see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OccupancyFace {
    /// `None`: nobody counts.
    pub people: Option<u64>,
    /// When the oldest part of the sum was counted.
    pub at: Option<String>,
    pub stale: bool,
    pub stale_secs: u64,
    pub sources: Vec<SourceFace>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceFace {
    pub source: String,
    pub people: u32,
    pub at: String,
    pub stale: bool,
}

impl Occupancy {
    /// Takes a reading of a source; room for a new source is made of those that are forgotten.
    pub fn take(&mut self, source: &str, reading: Reading, now: Timestamp) -> Taken {
        self.sources
            .retain(|_, known| now.secs_since(known.at) <= FORGOTTEN_SECS);
        match self.sources.get(source) {
            Some(known) if known.at >= reading.at => return Taken::Late,
            None if self.sources.len() >= SOURCES_MAX => return Taken::TooMany,
            _ => {}
        }
        self.sources.insert(source.to_owned(), reading);
        Taken::New
    }

    /// Forgets what a device told, because it is no more; the names of its sources.
    pub fn forget(&mut self, by: &str) -> Vec<String> {
        let own =
            |(source, reading): (&String, &Reading)| (reading.by == by).then(|| source.clone());
        let gone: Vec<String> = self.sources.iter().filter_map(own).collect();
        self.sources.retain(|_, reading| reading.by != by);
        gone
    }

    pub fn reading(&self, source: &str) -> Option<&Reading> {
        self.sources.get(source)
    }

    fn parts(&self, now: Timestamp) -> impl Iterator<Item = (&String, &Reading)> {
        let remembered = move |reading: &Reading| now.secs_since(reading.at) <= FORGOTTEN_SECS;
        self.sources.iter().filter(move |(_, it)| remembered(it))
    }

    /// The people counted, if the whole sum is fresh.
    pub fn fresh(&self, now: Timestamp) -> Option<u64> {
        let face = self.face(now);
        face.people.filter(|_| !face.stale)
    }

    pub fn face(&self, now: Timestamp) -> OccupancyFace {
        let is_stale = |reading: &Reading| now.secs_since(reading.at) > STALE_SECS;
        let sources: Vec<SourceFace> = self
            .parts(now)
            .map(|(source, reading)| SourceFace {
                source: source.clone(),
                people: reading.people,
                at: reading.at.rfc3339_utc(),
                stale: is_stale(reading),
            })
            .collect();
        let sum = sources.iter().map(|source| u64::from(source.people)).sum();
        let oldest = self.parts(now).map(|(_, reading)| reading.at).min();
        OccupancyFace {
            people: oldest.map(|_| sum),
            at: oldest.map(Timestamp::rfc3339_utc),
            stale: sources.iter().any(|source| source.stale),
            stale_secs: STALE_SECS,
            sources,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).plus_secs(secs)
    }

    fn reading(people: u32, secs: u64) -> Reading {
        Reading {
            people,
            at: at(secs),
            by: "device:cam".to_owned(),
        }
    }

    #[test]
    fn areas_add_up_and_one_silent_camera_makes_the_sum_stale() {
        let mut counted = Occupancy::default();
        assert_eq!(counted.face(at(0)).people, None);
        assert_eq!(counted.take("east", reading(100, 0), at(0)), Taken::New);
        assert_eq!(counted.take("west", reading(80, 30), at(30)), Taken::New);
        let face = counted.face(at(60));
        assert_eq!((face.people, face.stale), (Some(180), false));
        assert_eq!(face.at, Some(at(0).rfc3339_utc()));
        let later = counted.face(at(61));
        assert_eq!((later.people, later.stale), (Some(180), true));
        assert_eq!(later.sources.iter().filter(|s| s.stale).count(), 1);
        assert_eq!(
            (counted.fresh(at(60)), counted.fresh(at(61))),
            (Some(180), None)
        );
    }

    #[test]
    fn a_late_reading_changes_nothing() {
        let mut counted = Occupancy::default();
        counted.take("hall", reading(10, 20), at(20));
        assert_eq!(counted.take("hall", reading(99, 20), at(21)), Taken::Late);
        assert_eq!(counted.take("hall", reading(99, 5), at(21)), Taken::Late);
        assert_eq!(counted.face(at(21)).people, Some(10));
    }

    #[test]
    fn sources_are_bounded_and_forgotten() {
        let mut counted = Occupancy::default();
        for n in 0..SOURCES_MAX {
            counted.take(&format!("s{n}"), reading(1, 0), at(0));
        }
        let more = |counted: &mut Occupancy, secs| counted.take("x", reading(1, secs), at(secs));
        assert_eq!(more(&mut counted, 60), Taken::TooMany);
        assert_eq!(more(&mut counted, FORGOTTEN_SECS + 1), Taken::New);
        assert_eq!(counted.face(at(FORGOTTEN_SECS + 1)).people, Some(1));
        assert_eq!(counted.forget("device:cam"), ["x"]);
        assert_eq!(counted.face(at(FORGOTTEN_SECS + 2)).people, None);
    }
}
