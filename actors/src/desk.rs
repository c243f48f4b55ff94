//! The shell of every machine beside the halls: cases, alerts.
//!
//! It keeps the hall's promises: one command at a time, nothing answered before it is journalled,
//! everything rebuilt from the journal. What it does not do is decide; that is the machine's.
//!
//! ```text
//! Desk (handle) ── finds ──> DeskActor ── append ──> Journal
//!   keeper task: load, start, wait until it is gone, load again
//! ```

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::prelude::*;
use rules::machine::{Machine, Recorded};
use rules::time::Timestamp;
use tokio::sync::{oneshot, watch};
use tracing::{error, warn};

use crate::journal::Journal;
use crate::ports::{Clock, IdempotencyKey, PortError, Store, StreamId, decode};

mod actor;

use actor::DeskActor;

/// Events read from the journal at a time.
const PAGE: u32 = 1000;

/// How long a desk that ended waits before it is built again.
const REBUILD_AFTER: Duration = Duration::from_millis(100);

/// A command with who asks and, if the client may repeat it, its key.
#[derive(Message)]
#[rtype(result = "Submitted<M>")]
pub struct Submit<M: Machine> {
    pub command: M::Command,
    pub by: String,
    pub key: Option<IdempotencyKey>,
}

/// What a command made happen.
#[derive(Debug)]
pub struct Done<M: Machine> {
    /// The machine's sequence number after it.
    pub seq: u64,
    pub recorded: Vec<Recorded<M::Event>>,
    /// The answer repeats that of an earlier command with the same key.
    pub replayed: bool,
}

pub type Submitted<M> = Result<Arc<Done<M>>, SubmitError<<M as Machine>::Refusal>>;

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError<R: std::error::Error> {
    /// The machine says no; nothing changed.
    #[error("refused: {0}")]
    Refused(R),
    /// The key belongs to another command.
    #[error("the idempotency key was used for another command")]
    KeyReused,
    /// Too much is waiting; nothing changed.
    #[error("too busy")]
    Overloaded,
    /// The store does not answer; a repeat with the same key is safe.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

type Reading<M, R> = Box<dyn FnOnce(&M, Timestamp) -> R + Send>;

/// Reads the machine at the present instant.
struct Read<M, R>(Reading<M, R>);

impl<M: Machine, R: Send + 'static> Message for Read<M, R> {
    type Result = R;
}

/// Keeps a snapshot now.
#[derive(Message)]
#[rtype(result = "()")]
struct KeepSnapshot;

type Change<M, R> = Box<dyn FnOnce(&mut M, Timestamp) -> R + Send>;

/// Changes of the machine what is no event.
struct Update<M, R>(Change<M, R>);

impl<M: Machine, R: Send + 'static> Message for Update<M, R> {
    type Result = R;
}

/// Time has passed.
#[derive(Message)]
#[rtype(result = "()")]
struct Wake;

/// How a desk does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeskFigures {
    /// Commands and questions that are not answered yet.
    pub in_hand: usize,
    /// Times it was built again since the process started.
    pub rebuilt: u64,
}

#[derive(Default)]
struct Counters {
    in_hand: AtomicUsize,
    rebuilt: AtomicU64,
}

/// One command or question in hand, as long as it lives.
struct InHand(Arc<Counters>);

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.in_hand.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The way to one machine; cheap to clone.
pub struct Desk<M: Machine> {
    actor: Arc<RwLock<Option<Addr<DeskActor<M>>>>>,
    changed: watch::Receiver<u64>,
    counters: Arc<Counters>,
}

impl<M: Machine> Clone for Desk<M> {
    fn clone(&self) -> Self {
        Self {
            actor: Arc::clone(&self.actor),
            changed: self.changed.clone(),
            counters: Arc::clone(&self.counters),
        }
    }
}

impl<M: Machine> Desk<M> {
    /// Rebuilds the machine from the journal, starts it on a thread of `arbiter`, and starts it again
    /// whenever it is gone. Returns when it is live.
    ///
    /// # Errors
    /// The store does not answer, or holds what cannot be.
    pub async fn start(
        journal: Journal,
        clock: Arc<dyn Clock>,
        arbiter: ArbiterHandle,
    ) -> Result<Self, PortError> {
        let stream = StreamId::of_machine(M::NAME);
        Self::start_on(stream, journal, clock, arbiter).await
    }

    /// Like [`Self::start`], for one of several machines of a kind, each with a stream of its own.
    ///
    /// # Errors
    /// The store does not answer, or holds what cannot be.
    pub async fn start_on(
        stream: StreamId,
        journal: Journal,
        clock: Arc<dyn Clock>,
        arbiter: ArbiterHandle,
    ) -> Result<Self, PortError> {
        let first = load::<M>(&**journal.store(), &stream).await?;
        let (seq, changed) = watch::channel(first.machine.seq());
        let desk = Self {
            actor: Arc::default(),
            changed,
            counters: Arc::default(),
        };
        let seq = Arc::new(seq);
        let start = {
            let actor = Arc::clone(&desk.actor);
            let journal = journal.clone();
            let stream = stream.clone();
            move |loaded| {
                let (gone, ended) = oneshot::channel();
                let shell = DeskActor::new(
                    stream.clone(),
                    loaded,
                    journal.clone(),
                    Arc::clone(&clock),
                    Arc::clone(&seq),
                    gone,
                );
                let started = DeskActor::start_in_arbiter(&arbiter, |_| shell);
                *actor.write().unwrap_or_else(PoisonError::into_inner) = Some(started);
                ended
            }
        };
        let counters = Arc::clone(&desk.counters);
        tokio::spawn(keep_alive(stream, start(first), journal, start, counters));
        Ok(desk)
    }

    /// How it does now.
    pub fn figures(&self) -> DeskFigures {
        DeskFigures {
            in_hand: self.counters.in_hand.load(Ordering::Relaxed),
            rebuilt: self.counters.rebuilt.load(Ordering::Relaxed),
        }
    }

    fn take_in_hand(&self) -> InHand {
        self.counters.in_hand.fetch_add(1, Ordering::Relaxed);
        InHand(Arc::clone(&self.counters))
    }

    /// Hands over a command.
    ///
    /// # Errors
    /// See [`SubmitError`].
    pub async fn submit(
        &self,
        command: M::Command,
        by: &str,
        key: Option<IdempotencyKey>,
    ) -> Submitted<M> {
        let submit = Submit {
            command,
            by: by.to_owned(),
            key,
        };
        let _in_hand = self.take_in_hand();
        match self.actor() {
            Some(actor) => actor.send(submit).await.unwrap_or_else(|_| Err(gone())),
            None => Err(gone()),
        }
    }

    /// Reads the machine; `None` while it is being rebuilt.
    pub async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&M, Timestamp) -> R + Send + 'static,
    ) -> Option<R> {
        let actor = self.actor()?;
        let _in_hand = self.take_in_hand();
        actor.send(Read(Box::new(read))).await.ok()
    }

    /// Changes what is no event, such as counts of what is kept elsewhere, and journals what follows
    /// from it. `None` while the machine is being rebuilt.
    pub async fn update<R: Send + 'static>(
        &self,
        update: impl FnOnce(&mut M, Timestamp) -> R + Send + 'static,
    ) -> Option<R> {
        let actor = self.actor()?;
        let _in_hand = self.take_in_hand();
        actor.send(Update(Box::new(update))).await.ok()
    }

    /// The machine's sequence number, to be awaited.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    /// Keeps a snapshot, before the process ends.
    pub async fn keep_snapshot(&self) {
        if let Some(actor) = self.actor() {
            let _ = actor.send(KeepSnapshot).await;
        }
    }

    fn actor(&self) -> Option<Addr<DeskActor<M>>> {
        let actor = self.actor.read().unwrap_or_else(PoisonError::into_inner);
        actor.clone()
    }
}

fn gone<R: std::error::Error>() -> SubmitError<R> {
    SubmitError::Unavailable("the desk is being rebuilt".to_owned())
}

/// Builds the machine anew from the journal each time its actor ends.
async fn keep_alive<M: Machine>(
    stream: StreamId,
    mut ended: oneshot::Receiver<()>,
    journal: Journal,
    start: impl Fn(Loaded<M>) -> oneshot::Receiver<()>,
    counters: Arc<Counters>,
) {
    loop {
        let _ = (&mut ended).await;
        counters.rebuilt.fetch_add(1, Ordering::Relaxed);
        warn!(desk = %stream, "desk ended; building it again from the journal");
        loop {
            tokio::time::sleep(REBUILD_AFTER).await;
            match load::<M>(&**journal.store(), &stream).await {
                Ok(loaded) => {
                    ended = start(loaded);
                    break;
                }
                Err(cause) => error!(desk = %stream, %cause, "desk cannot be built yet"),
            }
        }
    }
}

/// A machine as rebuilt from the journal, and the epoch under which this process writes it.
pub struct Loaded<M> {
    pub machine: M,
    pub epoch: i64,
    /// Sequence number and bytes of the snapshot it came from.
    snapshot: (u64, u64),
}

/// Takes a machine's stream and rebuilds the machine from snapshot and events.
///
/// # Errors
/// The store does not answer, or holds what cannot be.
pub async fn load<M: Machine>(
    store: &dyn Store,
    stream: &StreamId,
) -> Result<Loaded<M>, PortError> {
    let head = store.acquire(stream).await?;
    let (mut machine, mut snapshot) = (M::default(), (0, 0));
    if let Some((seq, body)) = store.latest_snapshot(stream).await? {
        match serde_json::from_str(&body) {
            Ok(kept) => (machine, snapshot) = (kept, (seq, body.len() as u64)),
            Err(cause) => {
                warn!(desk = %stream, seq, %cause, "snapshot not readable; replaying from the start");
            }
        }
    }
    loop {
        let page = store.read_after(stream, machine.seq(), PAGE).await?;
        if page.is_empty() {
            break;
        }
        for stored in page {
            machine.apply(&decode(stored)?);
        }
    }
    if machine.seq() != head.seq {
        return Err(PortError::Corrupt(format!(
            "{stream} has events up to {} but its head says {}",
            machine.seq(),
            head.seq
        )));
    }
    Ok(Loaded {
        machine,
        epoch: head.epoch,
        snapshot,
    })
}
