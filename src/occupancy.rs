//! How many people are in each hall, as cameras count them.
//!
//! A reading is taken into memory, published on `occupancy.{hall}` and answered; it is no event of
//! the hall and stands in no journal, since one comes each second and only the last one matters. The
//! last reading of each source is written every ten seconds and at a stop in good order: after a
//! crash one sees a number at most ten seconds older than the last, marked as old as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::Addr;
use actors::hub::{ScreenHub, Shape};
use actors::publisher::Publisher;
use rules::devices::occupancy::{Occupancy, OccupancyFace, Reading, Taken};
use rules::ids::HallId;
use rules::time::Timestamp;

use crate::store::Records;
use crate::store::records::{OccupancyRow, StoreError};

/// The last readings are written so often.
pub const WRITE_EVERY: Duration = Duration::from_secs(10);

/// Screens hear of a hall's people at most so often.
const MERGE: Duration = Duration::from_millis(500);

struct Counted {
    occupancy: Occupancy,
    /// Sources whose last reading is not written.
    unwritten: BTreeSet<String>,
    topic: Publisher,
}

/// The people of all halls.
pub struct Occupancies {
    records: Records,
    hub: Addr<ScreenHub>,
    halls: Mutex<BTreeMap<HallId, Counted>>,
}

/// The topic of a hall's people.
pub fn topic(hall: &HallId) -> String {
    format!("occupancy.{hall}")
}

impl Occupancies {
    /// Loads the last readings.
    ///
    /// # Errors
    /// The database is not available.
    pub async fn load(
        records: Records,
        hub: Addr<ScreenHub>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let rows = records.occupancy().await?;
        let all = Self {
            records,
            hub,
            halls: Mutex::default(),
        };
        for OccupancyRow {
            hall,
            source,
            reading,
        } in rows
        {
            if let Ok(hall) = hall.parse() {
                all.with(&hall, now, |counted| {
                    counted.occupancy.take(&source, reading, now)
                });
            }
        }
        Ok(all)
    }

    fn halls(&self) -> MutexGuard<'_, BTreeMap<HallId, Counted>> {
        self.halls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with a hall's counts and publishes them.
    fn with<R>(&self, hall: &HallId, now: Timestamp, act: impl FnOnce(&mut Counted) -> R) -> R {
        let mut halls = self.halls();
        let counted = halls.entry(hall.clone()).or_insert_with(|| Counted {
            occupancy: Occupancy::default(),
            unwritten: BTreeSet::new(),
            topic: Publisher::open(&self.hub, topic(hall), Shape::Whole { merge: MERGE }),
        });
        let done = act(counted);
        counted.publish(now);
        done
    }

    /// Makes a hall's topic known; the hall is.
    pub fn open(&self, hall: &HallId, now: Timestamp) {
        self.with(hall, now, |_| ());
    }

    /// Takes a reading.
    pub fn take(&self, hall: &HallId, source: &str, reading: Reading, now: Timestamp) -> Taken {
        self.with(hall, now, |counted| {
            let taken = counted.occupancy.take(source, reading, now);
            if taken == Taken::New {
                counted.unwritten.insert(source.to_owned());
            }
            taken
        })
    }

    /// What is known of a hall.
    pub fn face(&self, hall: &HallId, now: Timestamp) -> OccupancyFace {
        let halls = self.halls();
        let counted = halls.get(hall);
        counted.map_or_else(
            || Occupancy::default().face(now),
            |counted| counted.occupancy.face(now),
        )
    }

    /// The people of a hall while the count is fresh, for rules.
    pub fn fresh(&self, hall: &HallId, now: Timestamp) -> Option<u64> {
        self.halls().get(hall)?.occupancy.fresh(now)
    }

    /// Publishes what time alone has changed: a count that became stale.
    pub fn look(&self, now: Timestamp) {
        for counted in self.halls().values_mut() {
            counted.publish(now);
        }
    }

    /// Writes the last readings that are not written; what cannot be written stays to be.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn write(&self) -> Result<(), StoreError> {
        let rows = self.unwritten();
        if rows.is_empty() {
            return Ok(());
        }
        let written = self.records.keep_occupancy(&rows).await;
        if written.is_err() {
            let mut halls = self.halls();
            for row in rows {
                let hall = row.hall.parse::<HallId>().ok();
                if let Some(counted) = hall.and_then(|hall| halls.get_mut(&hall)) {
                    counted.unwritten.insert(row.source);
                }
            }
        }
        written
    }

    fn unwritten(&self) -> Vec<OccupancyRow> {
        let mut rows = Vec::new();
        for (hall, counted) in self.halls().iter_mut() {
            for source in std::mem::take(&mut counted.unwritten) {
                if let Some(reading) = counted.occupancy.reading(&source) {
                    rows.push(OccupancyRow {
                        hall: hall.to_string(),
                        reading: reading.clone(),
                        source,
                    });
                }
            }
        }
        rows
    }

    /// Forgets what a device counted that is no more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget(&self, by: &str, now: Timestamp) -> Result<(), StoreError> {
        for counted in self.halls().values_mut() {
            for source in counted.occupancy.forget(by) {
                counted.unwritten.remove(&source);
            }
            counted.publish(now);
        }
        self.records.forget_occupancy(by).await
    }
}

impl Counted {
    fn publish(&mut self, now: Timestamp) {
        let face = self.occupancy.face(now);
        self.topic.publish(&now.rfc3339_utc(), &face);
    }
}
