//! What the actors need from the world, as a page of verbs. No driver's type passes through here.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use rules::ids::HallId;
use rules::machine::{Item, JournalEvent, Recorded};
use rules::ticket::Ticket;
use rules::time::Timestamp;
use thiserror::Error;

use crate::strip::{StripMessage, StripPlan, StripStatus};

/// An answer that takes its time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, PortError>> + Send + 'a>>;

/// What can go wrong behind a port.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PortError {
    /// Nothing was written; trying again later may work.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// It may have been written or not; only the store knows.
    #[error("the outcome of the write is not known: {0}")]
    Unknown(String),
    /// What was read cannot be true.
    #[error("the store holds what cannot be: {0}")]
    Corrupt(String),
}

/// One stream of events in the journal: a hall's, by its id, or that of a machine beside the halls,
/// whose name carries a sign that no hall's id can have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(String);

impl StreamId {
    /// The stream of the machine of this name ([`rules::machine::Machine::NAME`]).
    pub fn of_machine(name: &str) -> Self {
        Self(format!("@{name}"))
    }

    /// A stream as the store names it.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hall whose stream it is, if it is one's.
    pub fn hall(&self) -> Option<HallId> {
        self.0.parse().ok()
    }
}

impl From<&HallId> for StreamId {
    fn from(hall: &HallId) -> Self {
        Self(hall.as_str().to_owned())
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub seq: u64,
    pub at: Timestamp,
    pub by: String,
    pub kind: &'static str,
    /// JSON of the event.
    pub body: String,
}

impl Entry {
    /// Events in their written form.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] if one cannot be written as JSON; nothing of it is stored then.
    pub fn all<E: JournalEvent>(recorded: &[Recorded<E>]) -> Result<Vec<Self>, PortError> {
        let entry = |one: &Recorded<E>| {
            Ok(Self {
                seq: one.seq,
                at: one.at,
                by: one.by.clone(),
                kind: one.event.kind(),
                body: serde_json::to_string(&one.event)
                    .map_err(|error| PortError::Unavailable(error.to_string()))?,
            })
        };
        recorded.iter().map(entry).collect()
    }
}

/// Reads an event as the store gave it.
///
/// # Errors
/// [`PortError::Corrupt`] if it is none of this kind.
pub fn decode<E: JournalEvent>(stored: Recorded<String>) -> Result<Recorded<E>, PortError> {
    let event = serde_json::from_str(&stored.event)
        .map_err(|error| PortError::Corrupt(format!("event {}: {error}", stored.seq)))?;
    Ok(Recorded {
        seq: stored.seq,
        at: stored.at,
        by: stored.by,
        event,
    })
}

/// A stream's place in the journal as this process holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Rises with each process that takes the stream; writes of an older epoch are fenced off.
    pub epoch: i64,
    /// Sequence number of the stream's last event, 0 before the first.
    pub seq: u64,
}

/// A client's key for one command, and a fingerprint of what it asked, so that a repeat can be
/// told from another command under the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: String,
    pub fingerprint: String,
}

/// What one command adds to one stream of the journal.
#[derive(Debug, Clone)]
pub struct Append {
    pub stream: StreamId,
    pub epoch: i64,
    /// Sequence numbers rise by one and follow the head's. An append without events only asks
    /// whether its key was used: it is rejected, as a duplicate or else as fenced.
    pub events: Vec<Entry>,
    /// The tickets touched, as they are after the events: the projection's rows.
    pub tickets: Vec<Ticket>,
    /// What else was touched, as rows of the lists.
    pub items: Vec<Item>,
    pub key: Option<IdempotencyKey>,
}

impl Append {
    /// An append of nothing yet.
    pub fn nothing(stream: StreamId, epoch: i64, key: Option<IdempotencyKey>) -> Self {
        Self {
            stream,
            epoch,
            events: Vec::new(),
            tickets: Vec::new(),
            items: Vec::new(),
            key,
        }
    }
}

/// Why the store took nothing of one append, while others of the same batch may have passed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Rejected {
    /// The head has another epoch or sequence number: this process no longer owns the stream.
    #[error("another owner writes this stream")]
    Fenced,
    /// The key was used before, by the events `first_seq ..first_seq + count`.
    #[error("the key was used before")]
    Duplicate {
        fingerprint: String,
        first_seq: u64,
        count: u64,
    },
}

/// The journal's store: append-only events, snapshots, and the projections written with them.
pub trait Store: Send + Sync {
    /// Takes a stream for this process: raises its epoch, creating the head if there is none.
    fn acquire<'a>(&'a self, stream: &'a StreamId) -> Answer<'a, Head>;

    /// Commits a batch in one durable transaction: first the fenced step of each head, then the
    /// events, keys and projections of those that passed. One result per append, in order.
    fn commit<'a>(&'a self, batch: &'a [Append]) -> Answer<'a, Vec<Result<(), Rejected>>>;

    /// All streams that have a head, in order of id.
    fn streams(&self) -> Answer<'_, Vec<StreamId>>;

    /// Events after `seq`, oldest first, at most `limit`.
    fn read_after<'a>(
        &'a self,
        stream: &'a StreamId,
        seq: u64,
        limit: u32,
    ) -> Answer<'a, Vec<Recorded<String>>>;

    /// The newest snapshot: its sequence number and its body (JSON of the machine).
    fn latest_snapshot<'a>(&'a self, stream: &'a StreamId) -> Answer<'a, Option<(u64, String)>>;

    /// Keeps a snapshot and forgets older ones.
    fn keep_snapshot<'a>(&'a self, stream: &'a StreamId, seq: u64, body: String) -> Answer<'a, ()>;
}

/// The way to one LED strip.
pub trait StripLink: Send {
    /// Puts a message on the strip, connecting first where that is needed. Done when the strip has
    /// confirmed it or, if it cannot, when it is sent. It takes a second at most.
    fn show<'a>(&'a mut self, message: &'a StripMessage) -> Answer<'a, ()>;
}

/// All ways to LED strips, and who is told of them.
pub trait StripPort: Send + Sync {
    /// A link that is not yet connected.
    fn link(&self, plan: &StripPlan) -> Box<dyn StripLink>;

    /// A strip was tried: it shows what it shall, or it does not answer. Must not block.
    fn noticed(&self, hall: &HallId, strip: &str, status: &StripStatus);
}

/// A hall's clock. Most halls live by the machine's; a replayed day runs by its own.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

    /// How long the machine must sleep until the clock shows `at`.
    fn until(&self, at: Timestamp) -> Duration;

    /// Seconds of this clock per second of the machine.
    fn rate(&self) -> f64 {
        1.0
    }
}
