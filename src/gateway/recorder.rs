//! The way of forwarded calls into the history: gathered, masked and written beside the traffic, which
//! never waits for it.
//!
//! ```text
//! a thread's calls ─→ its shelf ─┐
//! a thread's calls ─→ its shelf ─┴→ put in order, masked ─→ history
//! ```
//! What comes faster than the history can be written is let go, the bodies first, and counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actors::clock::SystemClock;
use actors::ports::Clock as _;
use rules::channels::Masking;
use rules::channels::call::Call;
use rules::channels::seen::Keeping;
use rules::channels::trace::push_hex;
use rules::ids::ChannelId;
use tokio::sync::{Notify, oneshot};
use tracing::warn;

use super::Live;
use super::shelf::{Rows, Shelf, Shelved, WAITING_MAX};
use crate::channels::{AT_ONCE, Channels, Watched};

/// Calls are gathered for so long, so that one write keeps many.
const GATHER: Duration = Duration::from_millis(50);

/// A write that failed is tried again after this long, while there is room for what comes.
const AGAIN: Duration = Duration::from_millis(500);

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

/// What the writer shares with all others.
#[derive(Default)]
struct Shared {
    store: Mutex<Storeroom>,
    writer: Arc<Notify>,
}

/// The shelves, and what became of the calls that lay there.
#[derive(Default)]
struct Storeroom {
    shelves: Vec<Arc<Shelf>>,
    /// To be answered when everything before is written.
    flushes: Vec<oneshot::Sender<()>>,
    /// Calls fetched and not written yet.
    fetched: usize,
    kept: u64,
    lost: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Storeroom> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storeroom {
    /// Calls on each shelf.
    fn lying(&self) -> impl Iterator<Item = usize> {
        let shelves = self.shelves.iter();
        shelves.map(|shelf| shelf.lock().rows.heads.len())
    }
}

/// Takes calls.
pub(super) struct Recorder(Arc<Shared>);

impl Recorder {
    /// Starts writing on a thread of its own.
    pub(super) fn start(channels: Channels, thread: &actix::ArbiterHandle) -> Self {
        let shared = Arc::<Shared>::default();
        let writer = Writer {
            channels,
            shared: Arc::clone(&shared),
            keeping: Keeping::new(Masking::default()),
            numbered: 0,
            run: crate::web::auth::random_hex(6).unwrap_or_default(),
        };
        thread.spawn(writer.run());
        Self(shared)
    }

    /// A shelf for one more thread.
    pub(super) fn shelf(&self) -> Arc<Shelf> {
        let shelf = Arc::new(Shelf::new(Arc::clone(&self.0.writer)));
        self.0.lock().shelves.push(Arc::clone(&shelf));
        shelf
    }

    /// Waits until everything told so far is written.
    pub(super) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        self.0.lock().flushes.push(done);
        self.0.writer.notify_one();
        let _ = written.await;
    }

    pub(super) fn figures(&self) -> Recorded {
        let store = self.0.lock();
        let lost = store.shelves.iter().map(|shelf| shelf.lock().lost);
        Recorded {
            waiting: store.fetched + store.lying().sum::<usize>(),
            kept: store.kept,
            lost: store.lost + lost.sum::<u64>(),
        }
    }
}

struct Writer {
    channels: Channels,
    shared: Arc<Shared>,
    keeping: Keeping,
    numbered: u64,
    /// Sets this run's ids apart from those of others.
    run: String,
}

/// What was fetched of one shelf.
#[derive(Default)]
struct Fetched {
    rows: Rows,
    channels: Vec<Arc<Live>>,
}

/// Calls of some channels.
type Batch<'a> = BTreeMap<&'a ChannelId, (&'a Watched, Vec<Call>)>;

impl Writer {
    async fn run(mut self) {
        let mut fetched = Vec::new();
        loop {
            self.shared.writer.notified().await;
            if !self.is_pressed() {
                tokio::time::sleep(GATHER).await;
            }
            let flushes = self.fetch(&mut fetched);
            self.write(&fetched).await;
            fetched.iter_mut().for_each(|one| one.rows.clear());
            for done in flushes {
                let _ = done.send(());
            }
        }
    }

    /// Small writes cost as much as large ones: only a whole batch, and whoever waits, is not kept waiting.
    fn is_pressed(&self) -> bool {
        let store = self.shared.lock();
        !store.flushes.is_empty() || store.lying().sum::<usize>() >= AT_ONCE
    }

    /// Fetches what lies on the shelves into as many empty rows; gives back who waits for that.
    fn fetch(&self, fetched: &mut Vec<Fetched>) -> Vec<oneshot::Sender<()>> {
        let mut store = self.shared.lock();
        store.let_go_of_dead();
        fetched.resize_with(store.shelves.len(), Fetched::default);
        store.fetched = fetch(&store.shelves, fetched);
        std::mem::take(&mut store.flushes)
    }

    /// Writes calls in the order in which they ended.
    async fn write(&mut self, fetched: &[Fetched]) {
        for some in in_order(fetched).chunks(AT_ONCE) {
            let mut batch = Batch::new();
            for (shelf, n) in some {
                self.add(&mut batch, &fetched[*shelf], *n);
            }
            for (watched, calls) in batch.into_values() {
                self.keep(watched, &calls).await;
            }
        }
    }

    fn add<'a>(&mut self, batch: &mut Batch<'a>, fetched: &'a Fetched, n: usize) {
        let head = &fetched.rows.heads[n];
        let watched = &*fetched.channels[head.channel].watched;
        self.numbered += 1;
        // Of one length, so that they rise and an index of them only grows at its end.
        let mut id = ["g-", &self.run, "-"].concat();
        push_hex(&mut id, &self.numbered.to_be_bytes()[3..]);
        let texts = fetched.rows.texts(head);
        match head.call(texts, &watched.id, id, &self.keeping, SystemClock.now()) {
            Some(call) => {
                let entry = batch.entry(&watched.id);
                entry.or_insert_with(|| (watched, Vec::new())).1.push(call);
            }
            None => self.written(1, false),
        }
    }

    /// Writes calls; tries again while there is room for those that come.
    async fn keep(&self, watched: &Watched, calls: &[Call]) {
        let kept = loop {
            match self.channels.record(watched, calls).await {
                Ok(_) => break true,
                Err(cause) => {
                    warn!(channel = %watched.id, calls = calls.len(), %cause, "calls not recorded yet");
                }
            }
            if self
                .shared
                .lock()
                .lying()
                .any(|calls| calls > WAITING_MAX / 2)
            {
                break false;
            }
            tokio::time::sleep(AGAIN).await;
        };
        self.written(calls.len(), kept);
    }

    /// Calls wait no longer: they are kept, or they are lost.
    fn written(&self, calls: usize, kept: bool) {
        let mut store = self.shared.lock();
        store.fetched -= calls;
        let count = match kept {
            true => &mut store.kept,
            false => &mut store.lost,
        };
        *count += calls as u64;
    }
}

impl Storeroom {
    /// Forgets empty shelves whose threads are gone.
    fn let_go_of_dead(&mut self) {
        let lost = &mut self.lost;
        self.shelves.retain(|shelf| {
            let stays = Arc::strong_count(shelf) > 1 || !shelf.lock().rows.heads.is_empty();
            if !stays {
                *lost += shelf.lock().lost;
            }
            stays
        });
    }
}

/// Fetches what lies on shelves; how many calls that are.
fn fetch(shelves: &[Arc<Shelf>], fetched: &mut [Fetched]) -> usize {
    // All locks are taken before the first shelf is emptied: what is laid down later has ended later.
    let mut all: Vec<MutexGuard<'_, Shelved>> = shelves.iter().map(|shelf| shelf.lock()).collect();
    let mut calls = 0;
    for (shelved, fetched) in all.iter_mut().zip(fetched) {
        shelved.swap(&mut fetched.rows);
        fetched.channels.clone_from(&shelved.channels);
        calls += fetched.rows.heads.len();
    }
    calls
}

/// Shelf and place of each call, in the order in which they ended.
fn in_order(fetched: &[Fetched]) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    for (shelf, one) in fetched.iter().enumerate() {
        let heads = one.rows.heads.iter().enumerate();
        all.extend(heads.map(|(n, head)| (head.ended, (shelf, n))));
    }
    // Each shelf's calls are in order already.
    all.sort_by_key(|(ended, _)| *ended);
    all.into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use rules::time::Timestamp;

    use super::*;
    use crate::gateway::record::{Head, Part, Record};

    /// Lays down a call that began at this instant.
    fn put(shelf: &Shelf, at: i64) {
        let head = Head::new(0, Timestamp::from_millis(at));
        let record = Record::new(head, ["caller", "", "/", ""], Part::default());
        shelf.put(record);
    }

    fn began(fetched: &[Fetched]) -> Vec<i64> {
        let order = in_order(fetched).into_iter();
        let head = |(shelf, n): (usize, usize)| fetched[shelf].rows.heads[n].at.millis();
        order.map(head).collect()
    }

    #[test]
    fn calls_of_all_threads_come_in_the_order_in_which_they_ended() {
        let recorder = Recorder(Arc::default());
        let shelves = [recorder.shelf(), recorder.shelf(), recorder.shelf()];
        // They end in another order than that in which they began, now here, now there.
        let ended: Vec<i64> = (0..60).map(|n| (n * 37) % 60).collect();
        for at in &ended {
            put(&shelves[(*at % 3) as usize], *at);
        }
        assert_eq!(recorder.figures().waiting, 60);
        let mut fetched: Vec<Fetched> = Vec::new();
        fetched.resize_with(3, Fetched::default);
        assert_eq!(fetch(&shelves, &mut fetched), 60);
        assert_eq!(began(&fetched), ended);
        // What comes meanwhile is behind all that, and in rows of its own.
        fetched.iter_mut().for_each(|one| one.rows.clear());
        put(&shelves[2], 1);
        put(&shelves[0], 2);
        assert_eq!(fetch(&shelves, &mut fetched), 2);
        assert_eq!(began(&fetched), [1, 2]);
    }

    #[test]
    fn threads_that_end_calls_at_once_mix_nothing_up() {
        let recorder = Recorder(Arc::default());
        let shelves: Vec<_> = (0..2).map(|_| recorder.shelf()).collect();
        let turn = Mutex::new(0);
        let mut fetched: Vec<Fetched> = Vec::new();
        fetched.resize_with(2, Fetched::default);
        let mut found = Vec::new();
        std::thread::scope(|scope| {
            for shelf in &shelves {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let mut at = turn.lock().unwrap_or_else(PoisonError::into_inner);
                        put(shelf, *at);
                        *at += 1;
                    }
                });
            }
            while found.len() < 1000 {
                fetch(&shelves, &mut fetched);
                found.extend(began(&fetched));
                fetched.iter_mut().for_each(|one| one.rows.clear());
            }
        });
        assert!(found.into_iter().eq(0..1000));
    }

    #[test]
    fn a_shelf_is_let_go_when_its_thread_is_gone_and_it_is_empty() {
        let recorder = Recorder(Arc::default());
        let (gone, stays) = (recorder.shelf(), recorder.shelf());
        put(&gone, 1);
        drop(gone);
        let shelves = || recorder.0.lock().shelves.len();
        recorder.0.lock().let_go_of_dead();
        assert_eq!(shelves(), 2);
        recorder.0.lock().shelves[0]
            .lock()
            .swap(&mut Rows::default());
        recorder.0.lock().let_go_of_dead();
        assert_eq!(shelves(), 1);
        drop(stays);
    }
}
