//! A store that needs nothing: for tests and rehearsals. It can be told to fail.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rules::machine::{Item, ItemKind, Recorded};

use crate::ports::{Answer, Append, Head, PortError, Rejected, Store, StreamId};

#[derive(Default)]
struct Shelf {
    head: Option<Head>,
    events: Vec<Recorded<String>>,
    snapshot: Option<(u64, String)>,
    keys: BTreeMap<String, (String, u64, u64)>,
}

/// The journal in memory.
#[derive(Default)]
pub struct MemoryStore {
    streams: Mutex<BTreeMap<StreamId, Shelf>>,
    items: Mutex<BTreeMap<(ItemKind, String), Item>>,
    failing: Mutex<Option<PortError>>,
}

impl MemoryStore {
    /// Makes every commit fail with `error` until told otherwise.
    pub fn fail_with(&self, error: Option<PortError>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    fn shelves(&self) -> MutexGuard<'_, BTreeMap<StreamId, Shelf>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One row of the lists.
    pub fn item(&self, kind: ItemKind, id: &str) -> Option<Item> {
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.get(&(kind, id.to_owned())).cloned()
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
    let stored = append.events.iter().map(|entry| Recorded {
        seq: entry.seq,
        at: entry.at,
        by: entry.by.clone(),
        event: entry.body.clone(),
    });
    shelf.events.extend(stored);
}

impl Store for MemoryStore {
    fn acquire<'a>(&'a self, stream: &'a StreamId) -> Answer<'a, Head> {
        Box::pin(async move {
            let mut shelves = self.shelves();
            let shelf = shelves.entry(stream.clone()).or_default();
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
                let Some(shelf) = shelves.get_mut(&append.stream) else {
                    results.push(Err(Rejected::Fenced));
                    continue;
                };
                let admitted = admit(shelf, append);
                if admitted.is_ok() {
                    take(shelf, append);
                    let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
                    for item in &append.items {
                        items.insert((item.kind, item.id.clone()), item.clone());
                    }
                }
                results.push(admitted);
            }
            Ok(results)
        })
    }

    fn streams(&self) -> Answer<'_, Vec<StreamId>> {
        Box::pin(async move { Ok(self.shelves().keys().cloned().collect()) })
    }

    fn read_after<'a>(
        &'a self,
        stream: &'a StreamId,
        seq: u64,
        limit: u32,
    ) -> Answer<'a, Vec<Recorded<String>>> {
        Box::pin(async move {
            let shelves = self.shelves();
            let events = shelves.get(stream).map_or(&[][..], |shelf| &shelf.events);
            let after = events.iter().filter(|event| event.seq > seq);
            Ok(after.take(limit as usize).cloned().collect())
        })
    }

    fn latest_snapshot<'a>(&'a self, stream: &'a StreamId) -> Answer<'a, Option<(u64, String)>> {
        Box::pin(async move {
            Ok(self
                .shelves()
                .get(stream)
                .and_then(|shelf| shelf.snapshot.clone()))
        })
    }

    fn keep_snapshot<'a>(&'a self, stream: &'a StreamId, seq: u64, body: String) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut shelves = self.shelves();
            let shelf = shelves.entry(stream.clone()).or_default();
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
