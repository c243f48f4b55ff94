//! A tree of actors on one thread under paused time, a clock that is steered with it, and a store
//! that fails on demand.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use actix::prelude::{Actor as _, Addr, Arbiter, System};
use actors::city::CityActor;
use actors::hall::{Done, Submit, Submitted};
use actors::hub::{Cursor, Find, Found, ScreenHub, Topic, WantSnapshot};
use actors::journal::Journal;
use actors::memory::MemoryStore;
use actors::ports::{
    Answer, Append, Clock, Head, IdempotencyKey, PortError, Rejected, Store, StreamId, decode,
};
use actors::supervisor::{HallHandle, Halls, Register, Supervisor};
use rules::hall::{HallConfig, Recorded};
use rules::ids::HallId;
use rules::machine::{Item, ItemKind};
use rules::testing::{hall, issue};
use rules::{Command, Hall, Timestamp};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

/// How long a test waits for what must come, in the runtime's own time: longer than a lost
/// heartbeat and a queue's refresh take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a test on one thread with time that moves only while everybody waits.
pub(crate) fn paused<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    };
    System::with_tokio_rt(runtime).block_on(async { test().await });
}

/// Waits until something is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let waiting = async {
        while !is_so().await {
            sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(
        timeout(PATIENCE, waiting).await.is_ok(),
        "waited in vain: {what}"
    );
}

/// A clock that moves with the runtime's time, and by hand.
#[derive(Debug)]
pub(crate) struct SteeredClock {
    started: Instant,
    origin_ms: AtomicI64,
    broken: AtomicBool,
}

impl SteeredClock {
    pub(crate) fn at(time: Timestamp) -> Arc<Self> {
        let origin_ms = AtomicI64::new(time.millis());
        Arc::new(Self {
            started: Instant::now(),
            origin_ms,
            broken: AtomicBool::new(false),
        })
    }

    /// Whoever asks next for the time panics.
    pub(crate) fn break_once(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    pub(crate) fn put(&self, time: Timestamp) {
        let passed = self.started.elapsed().as_millis() as i64;
        self.origin_ms
            .store(time.millis() - passed, Ordering::Relaxed);
    }
}

impl Clock for SteeredClock {
    fn now(&self) -> Timestamp {
        assert!(
            !self.broken.swap(false, Ordering::Relaxed),
            "broken on purpose"
        );
        let passed = self.started.elapsed().as_millis() as i64;
        Timestamp::from_millis(self.origin_ms.load(Ordering::Relaxed) + passed)
    }

    fn until(&self, at: Timestamp) -> Duration {
        Duration::from_millis(at.millis_since(self.now()))
    }
}

/// What a store does to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Trouble {
    #[default]
    None,
    Unavailable,
    /// The connection breaks before the write is done.
    UnknownNotWritten,
    /// The connection breaks after the write is done.
    UnknownWritten,
}

/// The memory store behind a connection that may break; counts its commits.
pub(crate) struct TroubledStore {
    inner: MemoryStore,
    trouble: Mutex<Trouble>,
    pub(crate) commits: AtomicU64,
    acquired: AtomicU64,
    /// From which sequence number events were last read.
    pub(crate) read_from: AtomicU64,
    /// Whoever writes takes one permit while it is under way, as with a database of one writer.
    pub(crate) gate: Semaphore,
}

impl TroubledStore {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::default(),
            trouble: Mutex::default(),
            commits: AtomicU64::new(0),
            acquired: AtomicU64::new(0),
            read_from: AtomicU64::new(u64::MAX),
            gate: Semaphore::new(1),
        })
    }

    pub(crate) fn suffer(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap() = trouble;
    }

    /// How often a stream was taken.
    pub(crate) fn acquired(&self) -> u64 {
        self.acquired.load(Ordering::Relaxed)
    }

    pub(crate) fn item(&self, kind: ItemKind, id: &str) -> Option<Item> {
        self.inner.item(kind, id)
    }

    pub(crate) async fn journal(&self, hall: &HallId) -> Vec<Recorded> {
        let stored = self.inner.read_after(&hall.into(), 0, u32::MAX).await;
        let events = stored.unwrap().into_iter().map(decode);
        events.collect::<Result<_, _>>().unwrap()
    }
}

impl Store for TroubledStore {
    fn acquire<'a>(&'a self, stream: &'a StreamId) -> Answer<'a, Head> {
        if *self.trouble.lock().unwrap() == Trouble::Unavailable {
            return Box::pin(async { Err(PortError::Unavailable("no connection".to_owned())) });
        }
        self.acquired.fetch_add(1, Ordering::Relaxed);
        self.inner.acquire(stream)
    }

    fn commit<'a>(&'a self, batch: &'a [Append]) -> Answer<'a, Vec<Result<(), Rejected>>> {
        Box::pin(async move {
            let _under_way = self.gate.acquire().await.unwrap();
            self.commits.fetch_add(1, Ordering::Relaxed);
            let trouble = *self.trouble.lock().unwrap();
            let broken = || "the connection broke".to_owned();
            match trouble {
                Trouble::None => self.inner.commit(batch).await,
                Trouble::Unavailable => Err(PortError::Unavailable(broken())),
                Trouble::UnknownNotWritten => Err(PortError::Unknown(broken())),
                Trouble::UnknownWritten => {
                    self.inner.commit(batch).await?;
                    Err(PortError::Unknown(broken()))
                }
            }
        })
    }

    fn streams(&self) -> Answer<'_, Vec<StreamId>> {
        self.inner.streams()
    }

    fn read_after<'a>(
        &'a self,
        stream: &'a StreamId,
        seq: u64,
        limit: u32,
    ) -> Answer<'a, Vec<rules::machine::Recorded<String>>> {
        self.read_from.fetch_min(seq, Ordering::Relaxed);
        self.inner.read_after(stream, seq, limit)
    }

    fn latest_snapshot<'a>(&'a self, stream: &'a StreamId) -> Answer<'a, Option<(u64, String)>> {
        self.inner.latest_snapshot(stream)
    }

    fn keep_snapshot<'a>(&'a self, stream: &'a StreamId, seq: u64, body: String) -> Answer<'a, ()> {
        Box::pin(async move {
            let _under_way = self.gate.acquire().await.unwrap();
            // A real write is not done at once: whoever holds the turn must be polled again.
            tokio::task::yield_now().await;
            self.inner.keep_snapshot(stream, seq, body).await
        })
    }
}

/// A tree of actors, all on the present thread.
pub(crate) struct Tree {
    pub(crate) store: Arc<TroubledStore>,
    pub(crate) clock: Arc<SteeredClock>,
    pub(crate) hub: Addr<ScreenHub>,
    pub(crate) city: Addr<CityActor>,
    pub(crate) halls: Arc<Halls>,
    pub(crate) supervisor: Addr<Supervisor>,
}

pub(crate) fn id(text: &str) -> HallId {
    text.parse().unwrap()
}

/// A service with two windows.
pub(crate) fn config() -> HallConfig {
    hall()
        .service("social", "B")
        .window("1", &["social"])
        .window("2", &["social"])
        .config()
}

impl Tree {
    /// A tree over this store at 09:00.
    pub(crate) fn over(store: &Arc<TroubledStore>) -> Self {
        let hub = ScreenHub::default().start();
        let city = CityActor::new(hub.clone()).start();
        let journal = Journal::start(Arc::clone(store) as Arc<dyn Store>);
        let halls = Arc::<Halls>::default();
        let here = vec![Arbiter::current()];
        let supervisor =
            Supervisor::new(journal, hub.clone(), city.clone(), Arc::clone(&halls), here);
        Self {
            store: Arc::clone(store),
            clock: SteeredClock::at(rules::testing::clock("09:00")),
            hub,
            city,
            halls,
            supervisor: supervisor.start(),
        }
    }

    /// A tree with one open hall H1, whose windows 1 and 2 are signed in.
    pub(crate) async fn with_open_hall() -> Self {
        let tree = Self::over(&TroubledStore::new());
        tree.register("H1", config()).await;
        tree.open("H1").await;
        tree
    }

    pub(crate) async fn register(&self, hall: &str, config: HallConfig) {
        let register = Register {
            id: id(hall),
            config,
            by: "manager".to_owned(),
            key: None,
            clock: Some(Arc::clone(&self.clock) as Arc<dyn Clock>),
        };
        self.supervisor.send(register).await.unwrap().unwrap();
    }

    pub(crate) async fn open(&self, hall: &str) {
        self.does(hall, Command::OpenHall).await;
        for window in ["1", "2"] {
            self.does(hall, rules::testing::open_window(window)).await;
        }
    }

    pub(crate) fn hall(&self, hall: &str) -> HallHandle {
        self.halls.get(&id(hall)).unwrap()
    }

    pub(crate) async fn ask(&self, hall: &str, command: Command) -> Submitted {
        self.hall(hall).submit(Submit::new(command, "test")).await
    }

    pub(crate) async fn does(&self, hall: &str, command: Command) -> Arc<Done> {
        match self.ask(hall, command.clone()).await {
            Ok(done) => done,
            Err(error) => panic!("{command:?}: {error:?}"),
        }
    }

    pub(crate) async fn takes(&self, hall: &str) -> String {
        self.does(hall, issue("social"))
            .await
            .ticket
            .as_ref()
            .unwrap()
            .number
            .clone()
    }

    pub(crate) async fn ask_with_key(&self, command: Command, key: &str, body: &str) -> Submitted {
        let key = Some(IdempotencyKey {
            key: key.to_owned(),
            fingerprint: body.to_owned(),
        });
        let submit = Submit {
            command,
            by: "test".to_owned(),
            key,
        };
        self.hall("H1").submit(submit).await
    }

    /// The hall as it is; waits while it is being rebuilt.
    pub(crate) async fn state(&self, hall: &str) -> Hall {
        for _ in 0..10_000 {
            if let Some(hall) = self.hall(hall).read(|hall, _| hall.clone()).await {
                return hall;
            }
            sleep(Duration::from_millis(1)).await;
        }
        panic!("{hall} does not come back");
    }

    /// Makes a hall's actor panic, and waits until it is gone.
    pub(crate) async fn break_down(&self, hall: &str) {
        let broken: Option<()> = self
            .hall(hall)
            .read(|_, _| panic!("broken on purpose"))
            .await;
        assert_eq!(broken, None);
    }

    pub(crate) async fn topic(&self, name: &str) -> Arc<Topic> {
        self.hub.send(Find(name.to_owned())).await.unwrap().unwrap()
    }

    /// A board of hall H1 that has shown all so far, and the number it has seen last.
    pub(crate) async fn board(&self) -> (Screen, u64) {
        let mut board = self.screen("hall.H1", None).await;
        let seq = self.state("H1").await.seq();
        let frames = board.up_to(seq).await;
        (board, frames.last().unwrap().seq)
    }

    pub(crate) async fn screen(&self, topic: &str, since: Option<u64>) -> Screen {
        let topic = self.topic(topic).await;
        Screen {
            cursor: topic.follow(since),
            hub: self.hub.clone(),
        }
    }
}

/// What a frame carries, read back from the bytes a screen gets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) kind: String,
    pub(crate) seq: u64,
    pub(crate) data: serde_json::Value,
}

impl Frame {
    /// All frames of a piece; several may come as one.
    fn read_all(piece: &[u8]) -> Vec<Self> {
        let mut frames = Vec::new();
        let mut rest = piece;
        while !rest.is_empty() {
            let (header, len) = match rest[1] {
                126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
                127 => unreachable!("no frame of these tests is that long"),
                len => (2, usize::from(len)),
            };
            frames.push(Self::read(&rest[header..header + len]));
            rest = &rest[header + len..];
        }
        frames
    }

    fn read(text: &[u8]) -> Self {
        let frame: serde_json::Value = serde_json::from_slice(text).unwrap();
        Self {
            kind: frame["kind"].as_str().unwrap().to_owned(),
            seq: frame["seq"].as_u64().unwrap(),
            data: frame["data"].clone(),
        }
    }
}

/// A subscriber as the socket is one: it hands out what is due and asks for snapshots.
pub(crate) struct Screen {
    pub(crate) cursor: Cursor,
    hub: Addr<ScreenHub>,
}

impl Screen {
    /// What is there now.
    pub(crate) async fn now(&mut self) -> Vec<Frame> {
        poll_fn(|task| {
            let mut out = Vec::new();
            if self.cursor.poll(task, &mut out) == Found::SnapshotWanted {
                self.hub
                    .do_send(WantSnapshot(self.cursor.topic().name().to_owned()));
            }
            Poll::Ready(
                out.iter()
                    .flat_map(|piece| Frame::read_all(piece))
                    .collect(),
            )
        })
        .await
    }

    /// The next frames, at least one.
    pub(crate) async fn next(&mut self) -> Vec<Frame> {
        let next = poll_fn(|task| {
            let mut out = Vec::new();
            if self.cursor.poll(task, &mut out) == Found::SnapshotWanted {
                self.hub
                    .do_send(WantSnapshot(self.cursor.topic().name().to_owned()));
            }
            if out.is_empty() {
                return Poll::Pending;
            }
            Poll::Ready(
                out.iter()
                    .flat_map(|piece| Frame::read_all(piece))
                    .collect(),
            )
        });
        timeout(PATIENCE, next).await.expect("no frame came")
    }

    /// Frames up to this sequence number.
    pub(crate) async fn up_to(&mut self, seq: u64) -> Vec<Frame> {
        let mut frames = Vec::new();
        while frames.last().is_none_or(|frame: &Frame| frame.seq < seq) {
            frames.extend(self.next().await);
        }
        frames
    }
}
