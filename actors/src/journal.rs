//! Group commit: what many halls want to write goes to the database in one transaction.
//!
//! While one transaction is being made durable, the appends that arrive gather; the next one takes
//! them all. So a lone command pays one write to the disk, and a hundred at once pay little more.
//! The queue is bounded: a full one is answered with *overloaded*, never with a growing delay.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::ArbiterHandle;
use rules::machine::{JournalEvent, Recorded};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::{error, warn};

use crate::ports::{Append, PortError, Rejected, Store, decode};

/// Appends taken into one transaction at most: large enough to share a disk write widely, small
/// enough that one transaction stays in the low milliseconds.
const BATCH_MAX: usize = 256;

/// Appends that may wait for the next transaction. Every hall has at most one under way, so this
/// is room for a city of halls.
const WAITING_MAX: usize = 4096;

/// Why an append was not journalled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    #[error(transparent)]
    Rejected(#[from] Rejected),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error("the key was used for another command")]
    KeyReused,
    #[error("the journal has too much to write")]
    Overloaded,
}

/// What an append came to.
#[derive(Debug)]
pub enum Appended<E> {
    Now,
    /// Its key was written before, with these events.
    Before(Vec<Recorded<E>>),
}

/// How the journal does. Counts are since the process started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalFigures {
    /// Appends that wait for the next transaction.
    pub waiting: usize,
    pub commits: u64,
    pub appends: u64,
    /// Transactions that did not succeed, or of which it is not known.
    pub failed: u64,
    /// Appends in the last transaction.
    pub last_batch: u64,
    /// How long the last transaction took until it was durable.
    pub last_commit: Duration,
    /// How long all took.
    pub commit_time: Duration,
}

/// What the committing task tells of itself.
#[derive(Default)]
struct Counters {
    commits: AtomicU64,
    appends: AtomicU64,
    failed: AtomicU64,
    last_batch: AtomicU64,
    last_micros: AtomicU64,
    micros: AtomicU64,
}

impl Counters {
    fn note(&self, appends: usize, took: Duration, failed: bool) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let appends = appends as u64;
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.appends.fetch_add(appends, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.last_batch.store(appends, Ordering::Relaxed);
        self.last_micros.store(micros, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

type Reply = oneshot::Sender<Result<(), AppendError>>;

/// The way to the journal; cheap to clone.
#[derive(Clone)]
pub struct Journal {
    queue: mpsc::Sender<(Append, Reply)>,
    store: Arc<dyn Store>,
    counters: Arc<Counters>,
}

impl Journal {
    /// Starts the committing task on the present runtime. It ends when the last clone is dropped.
    pub fn start(store: Arc<dyn Store>) -> Self {
        let (journal, committing) = Self::new(store);
        tokio::spawn(committing);
        journal
    }

    /// Starts the committing task on that thread.
    pub fn start_on(store: Arc<dyn Store>, arbiter: &ArbiterHandle) -> Self {
        let (journal, committing) = Self::new(store);
        arbiter.spawn(committing);
        journal
    }

    fn new(store: Arc<dyn Store>) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let counters = Arc::<Counters>::default();
        let committing = commit_for_ever(Arc::clone(&store), waiting, Arc::clone(&counters));
        let journal = Self {
            queue,
            store,
            counters,
        };
        (journal, committing)
    }

    /// How it does now.
    pub fn figures(&self) -> JournalFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &*self.counters;
        JournalFigures {
            waiting: self.queue.max_capacity() - self.queue.capacity(),
            commits: read(&counters.commits),
            appends: read(&counters.appends),
            failed: read(&counters.failed),
            last_batch: read(&counters.last_batch),
            last_commit: Duration::from_micros(read(&counters.last_micros)),
            commit_time: Duration::from_micros(read(&counters.micros)),
        }
    }

    /// What lies behind, for reading.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Returns when the append is durable, or when it is sure or unknown that it is not.
    ///
    /// # Errors
    /// See [`AppendError`]; after [`PortError::Unknown`] the caller must read the journal again.
    pub async fn append(self, append: Append) -> Result<(), AppendError> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .try_send((append, reply))
            .map_err(|full| match full {
                mpsc::error::TrySendError::Full(_) => AppendError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => stopped(),
            })?;
        answer
            .await
            .unwrap_or_else(|_| Err(PortError::Unknown("the journal stopped".to_owned()).into()))
    }

    /// As [`append`](Self::append), but a key that was written before is answered with what was written then.
    ///
    /// # Errors
    /// See there; [`AppendError::KeyReused`] instead of a duplicate.
    pub async fn append_or_repeat<E: JournalEvent>(
        self,
        append: Append,
    ) -> Result<Appended<E>, AppendError> {
        let (stream, key) = (append.stream.clone(), append.key.clone());
        let store = Arc::clone(&self.store);
        let repeated = match self.append(append).await {
            Err(AppendError::Rejected(Rejected::Duplicate {
                fingerprint,
                first_seq,
                count,
            })) if key.is_none_or(|key| key.fingerprint == fingerprint) => {
                store.read_after(&stream, first_seq - 1, count as u32).await
            }
            Err(AppendError::Rejected(Rejected::Duplicate { .. })) => {
                return Err(AppendError::KeyReused);
            }
            other => return other.map(|()| Appended::Now),
        };
        let events = repeated.and_then(|stored| stored.into_iter().map(decode).collect());
        // It is known to be written; only reading it again failed.
        let events = events.map_err(|cause| PortError::Unavailable(cause.to_string()))?;
        Ok(Appended::Before(events))
    }
}

fn stopped() -> AppendError {
    PortError::Unavailable("the journal stopped".to_owned()).into()
}

async fn commit_for_ever(
    store: Arc<dyn Store>,
    mut waiting: mpsc::Receiver<(Append, Reply)>,
    counters: Arc<Counters>,
) {
    let mut gathered = Vec::with_capacity(BATCH_MAX);
    while waiting.recv_many(&mut gathered, BATCH_MAX).await > 0 {
        let (batch, replies): (Vec<Append>, Vec<Reply>) = gathered.drain(..).unzip();
        let began = Instant::now();
        let committed = store.commit(&batch).await;
        counters.note(batch.len(), began.elapsed(), committed.is_err());
        match committed {
            Ok(results) => {
                if results.len() != replies.len() {
                    error!(
                        batch = replies.len(),
                        results = results.len(),
                        "store answered short"
                    );
                }
                for (reply, result) in replies.into_iter().zip(results) {
                    let _ = reply.send(result.map_err(Into::into));
                }
            }
            Err(cause) => {
                warn!(%cause, batch = replies.len(), "journal could not commit");
                for reply in replies {
                    let _ = reply.send(Err(cause.clone().into()));
                }
            }
        }
    }
}
