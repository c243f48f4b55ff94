//! A store that needs nothing: for tests and rehearsals. It can be told to fail.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rules::hall::Recorded;
use rules::ids::HallId;

use crate::ports::{Answer, Append, Head, PortError, Rejected, Store};

#[derive(Default)]
struct Shelf {
    head: Option<Head>,
    events: Vec<Recorded>,
    snapshot: Option<(u64, String)>,
    keys: BTreeMap<String, (String, u64, u64)>,
}

/// The journal in memory.
#[derive(Default)]
pub struct MemoryStore {
    halls: Mutex<BTreeMap<HallId, Shelf>>,
    failing: Mutex<Option<PortError>>,
}

impl MemoryStore {
    /// Makes every commit fail with `error` until told otherwise.
    pub fn fail_with(&self, error: Option<PortError>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    fn shelves(&self) -> MutexGuard<'_, BTreeMap<HallId, Shelf>> {
        self.halls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self) -> Option<PortError> {
        self.failing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn admit(shelf: &Shelf, append: &Append) -> Result<(), Rejected> {
    if let Some(key) = &append.key
        && let Some((fingerprint, first_seq, count)) = shelf.keys.get(&key.key)
    {
        return Err(Rejected::Duplicate {
            fingerprint: fingerprint.clone(),
            first_seq: *first_seq,
            count: *count,
        });
    }
    let follows = append.events.first().map(|event| event.seq - 1);
    match &shelf.head {
        Some(head) if head.epoch == append.epoch && follows == Some(head.seq) => Ok(()),
        _ => Err(Rejected::Fenced),
    }
}

fn take(shelf: &mut Shelf, append: &Append) {
    let count = append.events.len() as u64;
    if let Some(head) = &mut shelf.head {
        head.seq += count;
    }
    if let (Some(key), Some(first)) = (&append.key, append.events.first()) {
        shelf
            .keys
            .insert(key.key.clone(), (key.fingerprint.clone(), first.seq, count));
    }
    shelf.events.extend(append.events.iter().cloned());
}

impl Store for MemoryStore {
    fn acquire<'a>(&'a self, hall: &'a HallId) -> Answer<'a, Head> {
        Box::pin(async move {
            let mut shelves = self.shelves();
            let shelf = shelves.entry(hall.clone()).or_default();
            let (epoch, seq) = shelf.head.as_ref().map_or((0, 0), |h| (h.epoch, h.seq));
            let head = Head {
                epoch: epoch + 1,
                seq,
            };
            shelf.head = Some(head.clone());
            Ok(head)
        })
    }

    fn commit<'a>(&'a self, batch: &'a [Append]) -> Answer<'a, Vec<Result<(), Rejected>>> {
        Box::pin(async move {
            if let Some(error) = self.failure() {
                return Err(error);
            }
            let mut shelves = self.shelves();
            let mut results = Vec::with_capacity(batch.len());
            for append in batch {
                let Some(shelf) = shelves.get_mut(&append.hall) else {
                    results.push(Err(Rejected::Fenced));
                    continue;
                };
                let admitted = admit(shelf, append);
                if admitted.is_ok() {
                    take(shelf, append);
                }
                results.push(admitted);
            }
            Ok(results)
        })
    }

    fn halls(&self) -> Answer<'_, Vec<HallId>> {
        Box::pin(async move { Ok(self.shelves().keys().cloned().collect()) })
    }

    fn read_after<'a>(
        &'a self,
        hall: &'a HallId,
        seq: u64,
        limit: u32,
    ) -> Answer<'a, Vec<Recorded>> {
        Box::pin(async move {
            let shelves = self.shelves();
            let events = shelves.get(hall).map_or(&[][..], |shelf| &shelf.events);
            let after = events.iter().filter(|event| event.seq > seq);
            Ok(after.take(limit as usize).cloned().collect())
        })
    }

    fn latest_snapshot<'a>(&'a self, hall: &'a HallId) -> Answer<'a, Option<(u64, String)>> {
        Box::pin(async move {
            Ok(self
                .shelves()
                .get(hall)
                .and_then(|shelf| shelf.snapshot.clone()))
        })
    }

    fn keep_snapshot<'a>(&'a self, hall: &'a HallId, seq: u64, body: String) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut shelves = self.shelves();
            let shelf = shelves.entry(hall.clone()).or_default();
            if shelf
                .snapshot
                .as_ref()
                .is_none_or(|(present, _)| *present < seq)
            {
                shelf.snapshot = Some((seq, body));
            }
            Ok(())
        })
    }
}
