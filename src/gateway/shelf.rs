//! Where one thread lays the calls that have ended, until they are fetched to be written.
//!
//! Everything of a call is copied into two long rows, which are handed over and come back empty: no
//! memory that one thread takes is given back by another, and the lock is wanted by the other side
//! only a few times a second.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::Live;
use super::record::{Head, Record};

/// Calls that may lie on one shelf. As many may be on their way into the history.
pub(super) const WAITING_MAX: usize = 8_192;

/// Refused ones among them: whoever may not call must not crowd out those who may.
const REFUSED_MAX: usize = WAITING_MAX / 4;

/// Bytes of texts on one shelf; beyond, calls are recorded without bodies.
const HELD_MAX: usize = 16 << 20;

/// A row that has grown beyond this many bytes is not used again.
const ROOM: usize = 1 << 20;

/// Calls and their texts.
#[derive(Default)]
pub(super) struct Rows {
    /// In the order in which they ended.
    pub(super) heads: Vec<Head>,
    texts: Vec<u8>,
}

impl Rows {
    fn push(&mut self, record: Record) {
        let (mut head, texts, bodies) = record.told();
        head.start = self.texts.len();
        self.texts.extend_from_slice(texts.as_bytes());
        for body in &bodies {
            self.texts.extend_from_slice(body.kept());
        }
        self.heads.push(head);
    }

    /// The texts of a call, one behind the other, and whatever follows.
    pub(super) fn texts(&self, head: &Head) -> &[u8] {
        self.texts.get(head.start..).unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        self.heads.clear();
        self.texts.clear();
        if self.texts.capacity() > ROOM {
            self.texts = Vec::new();
        }
    }
}

/// What lies on a shelf.
#[derive(Default)]
pub(super) struct Shelved {
    pub(super) rows: Rows,
    refused: usize,
    /// Calls that found no room.
    pub(super) lost: u64,
    /// The channels of its calls, by [`Head::channel`]. It only grows.
    pub(super) channels: Vec<Arc<Live>>,
}

impl Shelved {
    /// Lays a call that ends now behind the others, if there is room.
    fn put(&mut self, mut record: Record) {
        record.head.ended = Instant::now();
        let waiting = self.rows.heads.len();
        let refused = record.head.is_refused();
        if waiting >= WAITING_MAX || (refused && self.refused >= REFUSED_MAX) {
            self.lost += 1;
            return;
        }
        if self.rows.texts.len() + record.held() > HELD_MAX {
            record.let_bodies_go();
        }
        self.refused += usize::from(refused);
        self.rows.push(record);
    }

    /// Hands over what lies here, and takes rows that are empty.
    pub(super) fn swap(&mut self, rows: &mut Rows) {
        std::mem::swap(&mut self.rows, rows);
        self.refused = 0;
    }
}

/// One thread's shelf.
pub(super) struct Shelf {
    shelved: Mutex<Shelved>,
    /// Told when there is something on a shelf that was empty.
    writer: Arc<Notify>,
}

impl Shelf {
    pub(super) fn new(writer: Arc<Notify>) -> Self {
        Self {
            shelved: Mutex::default(),
            writer,
        }
    }

    /// Takes a call that ends now, if there is room.
    pub(super) fn put(&self, record: Record) {
        let mut shelved = self.lock();
        let was_empty = shelved.rows.heads.is_empty();
        shelved.put(record);
        drop(shelved);
        if was_empty {
            self.writer.notify_one();
        }
    }

    /// The number of a channel here.
    pub(super) fn number_of(&self, live: &Arc<Live>) -> usize {
        let channels = &mut self.lock().channels;
        let known = channels.iter().position(|one| Arc::ptr_eq(one, live));
        known.unwrap_or_else(|| {
            channels.push(Arc::clone(live));
            channels.len() - 1
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shelved> {
        self.shelved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use rules::channels::Outcome;
    use rules::time::Timestamp;

    use super::*;
    use crate::gateway::record::Part;

    fn record(body: &[u8]) -> Record {
        let mut part = Part::new(true, "text/plain", "");
        part.add(body);
        let head = Head::new(0, Timestamp::from_millis(0));
        Record::new(head, ["c", "v1", "/things", ""], part)
    }

    fn refused() -> Record {
        let mut record = record(b"");
        record.head.result = Some(Outcome::Refused);
        record
    }

    #[test]
    fn refused_calls_leave_room_for_the_others() {
        let mut shelf = Shelved::default();
        (0..REFUSED_MAX).for_each(|_| shelf.put(refused()));
        assert_eq!(shelf.lost, 0);
        shelf.put(refused());
        assert_eq!(shelf.lost, 1);
        (REFUSED_MAX..WAITING_MAX).for_each(|_| shelf.put(record(b"x")));
        assert_eq!((shelf.rows.heads.len(), shelf.lost), (WAITING_MAX, 1));
        shelf.put(record(b"x"));
        assert_eq!((shelf.rows.heads.len(), shelf.lost), (WAITING_MAX, 2));
        shelf.swap(&mut Rows::default());
        shelf.put(refused());
        assert_eq!((shelf.rows.heads.len(), shelf.lost), (1, 2));
    }

    #[test]
    fn without_room_for_bodies_calls_are_kept_without_them() {
        let mut shelf = Shelved::default();
        let body = [b'b'; 8 * 1024];
        let fit = HELD_MAX / (body.len() + "cv1/things".len());
        (0..fit).for_each(|_| shelf.put(record(&body)));
        assert!(shelf.rows.texts.len() <= HELD_MAX);
        let before = shelf.rows.texts.len();
        shelf.put(record(&body));
        let held = shelf.rows.texts.len() - before;
        assert_eq!(
            (shelf.rows.heads.len(), held),
            (fit + 1, "cv1/things".len())
        );
        assert_eq!(shelf.lost, 0);
    }
}
