//! The way of forwarded calls into the history: gathered, masked and written beside the traffic, which
//! never waits for it.
//!
//! What comes faster than the history can be written is let go, the bodies first, and counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use actors::clock::SystemClock;
use actors::ports::Clock as _;
use rules::channels::Masking;
use rules::channels::call::Call;
use rules::ids::ChannelId;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::record::{Part, Record};
use crate::channels::{Channels, Watched};

/// Calls that may wait to be written.
const WAITING_MAX: usize = 16_384;

/// Refused ones among them: whoever may not call must not crowd out those who may.
const REFUSED_MAX: usize = WAITING_MAX / 4;

/// Bytes of bodies and paths that may wait; beyond, calls are recorded without bodies.
const HELD_MAX: usize = 32 << 20;

/// Calls are gathered for so long, so that one write keeps many.
const GATHER: Duration = Duration::from_millis(50);

/// Calls written at a time.
const BATCH: usize = 1_000;

/// A write that failed is tried again after this long, while there is room for what comes.
const AGAIN: Duration = Duration::from_millis(500);

enum Told {
    Call(Box<Record>),
    /// Answered when everything before it is written.
    Flush(oneshot::Sender<()>),
}

#[derive(Default)]
struct Waiting {
    calls: AtomicUsize,
    refused: AtomicUsize,
    held: AtomicUsize,
    kept: AtomicU64,
    lost: AtomicU64,
}

/// How recording does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Recorded {
    /// Calls that wait to be written.
    pub waiting: usize,
    /// Calls in the history, since the start.
    pub kept: u64,
    /// Calls that could not be kept, since the start: neither history nor figures have them.
    pub lost: u64,
}

/// Takes calls; cheap to clone.
#[derive(Clone)]
pub(super) struct Recorder {
    queue: mpsc::UnboundedSender<Told>,
    waiting: Arc<Waiting>,
}

impl Recorder {
    /// Starts writing on a thread of its own.
    pub(super) fn start(channels: Channels, thread: &actix::ArbiterHandle) -> Self {
        // Unbounded, because the counts in `waiting` bound it.
        let (queue, told) = mpsc::unbounded_channel();
        let waiting = Arc::<Waiting>::default();
        let writer = Writer {
            channels,
            told,
            waiting: Arc::clone(&waiting),
            masking: Masking::default(),
            numbered: 0,
            run: crate::web::auth::random_hex(6).unwrap_or_default(),
        };
        thread.spawn(writer.run());
        Self { queue, waiting }
    }

    /// Takes a call, if there is room.
    pub(super) fn tell(&self, mut record: Box<Record>) {
        let waiting = &self.waiting;
        let refused = record.is_refused();
        let full = waiting.calls.load(Ordering::Relaxed) >= WAITING_MAX
            || (refused && waiting.refused.load(Ordering::Relaxed) >= REFUSED_MAX);
        if full {
            waiting.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if waiting.held.load(Ordering::Relaxed) + record.held() > HELD_MAX {
            (record.request, record.response) = (Part::default(), Part::default());
        }
        waiting.calls.fetch_add(1, Ordering::Relaxed);
        waiting.refused.fetch_add(refused.into(), Ordering::Relaxed);
        waiting.held.fetch_add(record.held(), Ordering::Relaxed);
        if self.queue.send(Told::Call(record)).is_err() {
            waiting.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything told so far is written.
    pub(super) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.queue.send(Told::Flush(done)).is_ok() {
            let _ = written.await;
        }
    }

    pub(super) fn figures(&self) -> Recorded {
        Recorded {
            waiting: self.waiting.calls.load(Ordering::Relaxed),
            kept: self.waiting.kept.load(Ordering::Relaxed),
            lost: self.waiting.lost.load(Ordering::Relaxed),
        }
    }
}

struct Writer {
    channels: Channels,
    told: mpsc::UnboundedReceiver<Told>,
    waiting: Arc<Waiting>,
    masking: Masking,
    numbered: u64,
    /// Sets this run's ids apart from those of others.
    run: String,
}

/// Calls of some channels.
type Batch = BTreeMap<ChannelId, (Arc<Watched>, Vec<Call>)>;

impl Writer {
    async fn run(mut self) {
        while let Some(first) = self.told.recv().await {
            // Small writes cost as much as large ones: only a whole batch is not waited for.
            let whole = self.waiting.calls.load(Ordering::Relaxed) >= BATCH;
            if matches!(first, Told::Call(_)) && !whole {
                tokio::time::sleep(GATHER).await;
            }
            self.write_some(first).await;
        }
    }

    /// Writes a batch of what was told.
    async fn write_some(&mut self, first: Told) {
        let (mut batch, mut calls, mut flush) = (Batch::new(), 0, None);
        let mut next = Some(first);
        while let Some(told) = next.take() {
            match told {
                Told::Call(record) => {
                    calls += 1;
                    self.add(&mut batch, *record);
                }
                Told::Flush(done) => {
                    flush = Some(done);
                    break;
                }
            }
            if calls == BATCH {
                break;
            }
            next = self.told.try_recv().ok();
        }
        self.keep(batch).await;
        self.waiting.calls.fetch_sub(calls, Ordering::Relaxed);
        if let Some(done) = flush {
            let _ = done.send(());
        }
    }

    fn add(&mut self, batch: &mut Batch, record: Record) {
        let watched = Arc::clone(&record.live.watched);
        let refused = usize::from(record.is_refused());
        self.waiting.refused.fetch_sub(refused, Ordering::Relaxed);
        self.waiting
            .held
            .fetch_sub(record.held(), Ordering::Relaxed);
        self.numbered += 1;
        let id = format!("g-{}-{}", self.run, self.numbered);
        match record.call(id, &self.masking, SystemClock.now()) {
            Some(call) => {
                let entry = batch.entry(watched.id.clone());
                entry.or_insert_with(|| (watched, Vec::new())).1.push(call);
            }
            None => {
                self.waiting.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Writes calls; tries again while there is room for those that come.
    async fn keep(&self, batch: Batch) {
        for (watched, calls) in batch.into_values() {
            let kept = loop {
                match self.channels.record(&watched, &calls).await {
                    Ok(_) => break true,
                    Err(cause) => {
                        warn!(channel = %watched.id, calls = calls.len(), %cause, "calls not recorded yet");
                    }
                }
                if self.waiting.calls.load(Ordering::Relaxed) > WAITING_MAX / 2 {
                    break false;
                }
                tokio::time::sleep(AGAIN).await;
            };
            let count = match kept {
                true => &self.waiting.kept,
                false => &self.waiting.lost,
            };
            count.fetch_add(calls.len() as u64, Ordering::Relaxed);
        }
    }
}
