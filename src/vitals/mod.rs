//! The vitals: how the database, the journal, the machine, the actors, the devices and the live feed
//! do, sampled every few seconds. One value for everybody who shows them: `/metrics`, the operations
//! page, the rules.
//!
//! A sample costs one query, one question to each actor, and the reading of a few small files. Whoever
//! does not answer within a second is counted as silent; a sample never waits for longer.

pub mod machine;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use actix_web::web::Data;
use actors::desk::Desk;
use actors::hub::HubFigures;
use actors::journal::JournalFigures;
use actors::{hub, supervisor};
use futures_util::future::join_all;
use rules::alerts::facts::channel::Node as NodeFacts;
use rules::machine::Machine;
use rules::time::Timestamp;
use serde::{Serialize, Serializer};

use crate::web::App;
use machine::{Disk, Node, Process, Reading};

/// So often a sample is taken.
pub const EVERY: Duration = Duration::from_secs(3);

/// Whoever answers later is silent in this sample.
const PATIENCE: Duration = Duration::from_secs(1);

/// How the process and what it leans on do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Vitals {
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    pub version: &'static str,
    pub uptime_secs: u64,
    /// By what several machines tell each other: `in_process`, there is only this one.
    pub bus: &'static str,
    pub database: Database,
    pub journal: JournalVitals,
    pub disk: Option<Disk>,
    pub process: Process,
    pub node: Node,
    pub actors: Vec<ActorKind>,
    pub live: Live,
    pub devices: Vec<DeviceCount>,
}

/// The database.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Database {
    /// `sqlite` or `postgresql`.
    pub kind: &'static str,
    /// The time of a query for nothing; none: no answer.
    pub round_trip_ms: Option<f64>,
}

/// The way to the journal. Counts are since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct JournalVitals {
    /// Appends that wait for the next transaction.
    pub waiting: usize,
    pub commits: u64,
    pub appends: u64,
    /// Transactions that did not succeed, or of which it is not known.
    pub failed: u64,
    /// Appends in the last transaction.
    pub last_batch: u64,
    /// Until a transaction was durable: the mean since the last sample, or else of the last one; none
    /// before the first.
    pub commit_ms: Option<f64>,
}

/// All actors of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActorKind {
    pub kind: &'static str,
    pub count: usize,
    /// Most commands and questions that wait at one of them, that being answered included; none where
    /// nobody counts.
    pub in_hand: Option<usize>,
    /// The slowest answer to a question for nothing, so how long a mailbox is in time; none of those
    /// that are not asked.
    pub answer_ms: Option<f64>,
    /// Those that did not answer.
    pub silent: usize,
    /// Times one was built again since the process started.
    pub restarts: Option<u64>,
}

/// The live feed. Frames are counted once, however many follow.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Live {
    /// Screens, consoles and phones that are connected.
    pub sockets: usize,
    pub topics: usize,
    /// Places of subscribers in topics.
    pub followers: usize,
    pub frames: u64,
    pub frames_per_sec: f64,
}

/// Devices that agree in kind and state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceCount {
    pub kind: String,
    /// `online`, `offline`, `never` or `unwatched`.
    pub state: String,
    pub count: usize,
    /// Of these, how many run a page of another build than this.
    pub old_build: usize,
}

fn rfc3339<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&at.rfc3339_utc())
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

/// Where the last sample is; cheap to clone.
#[derive(Clone, Default)]
pub struct Collector {
    latest: Arc<RwLock<Option<Arc<Vitals>>>>,
    sockets: Arc<AtomicUsize>,
}

/// A connection of the live feed, counted as long as it lives.
pub struct OpenSocket(Arc<AtomicUsize>);

impl Drop for OpenSocket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Collector {
    /// The last sample; none before the first.
    pub fn latest(&self) -> Option<Arc<Vitals>> {
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner);
        latest.clone()
    }

    pub fn open_socket(&self) -> OpenSocket {
        self.sockets.fetch_add(1, Ordering::Relaxed);
        OpenSocket(Arc::clone(&self.sockets))
    }

    /// What rules may know of this machine. Graphics and tasks are of machines that compute; this one
    /// does not tell them.
    pub fn node(&self) -> NodeFacts {
        let Some(vitals) = self.latest() else {
            return NodeFacts::default();
        };
        NodeFacts {
            cpu_percent: vitals.node.cpu_percent,
            memory_percent: vitals.node.memory_percent,
            disk_percent: vitals.disk.map(|disk| disk.used_percent),
            ..NodeFacts::default()
        }
    }

    fn put(&self, vitals: Vitals) {
        let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        *latest = Some(Arc::new(vitals));
    }
}

/// Samples until the process ends.
pub async fn sample_for_ever(app: Data<App>) {
    let mut before = Before {
        at: Instant::now(),
        reading: Reading::take(),
        journal: app.system.journal.figures(),
        frames: 0,
    };
    loop {
        let vitals = sample(&app, &mut before).await;
        app.vitals.put(vitals);
        tokio::time::sleep(EVERY).await;
    }
}

/// The last sample's counters.
struct Before {
    at: Instant,
    reading: Reading,
    journal: JournalFigures,
    frames: u64,
}

async fn sample(app: &App, before: &mut Before) -> Vitals {
    let (database, actors, hub) = tokio::join!(database(app), actors(app), hub_figures(app));
    let folder = app.settings.data.dir.clone();
    let then = before.reading;
    let machine = move || {
        let reading = Reading::take();
        (reading, reading.since(&then), machine::disk(&folder))
    };
    let read = tokio::task::spawn_blocking(machine).await;
    let (process, node, disk) = match read {
        Ok((reading, (process, node), disk)) => {
            before.reading = reading;
            (process, node, disk)
        }
        Err(_) => (Process::default(), Node::default(), None),
    };
    let figures = app.system.journal.figures();
    let secs = before.at.elapsed().as_secs_f64().max(0.001);
    let frames = hub.frames.saturating_sub(before.frames) as f64 / secs;
    let vitals = Vitals {
        at: app.now(),
        version: env!("CARGO_PKG_VERSION"),
        uptime_secs: app.started.elapsed().as_secs(),
        bus: "in_process",
        database,
        journal: journal(&figures, &before.journal),
        disk,
        process,
        node,
        actors,
        live: Live {
            sockets: app.vitals.sockets.load(Ordering::Relaxed),
            topics: hub.topics,
            followers: hub.followers,
            frames: hub.frames,
            frames_per_sec: (frames * 10.0).round() / 10.0,
        },
        devices: devices(app),
    };
    (before.at, before.journal, before.frames) = (Instant::now(), figures, hub.frames);
    vitals
}

fn journal(now: &JournalFigures, before: &JournalFigures) -> JournalVitals {
    let commits = u32::try_from(now.commits.saturating_sub(before.commits)).unwrap_or(u32::MAX);
    let spent = now.commit_time.saturating_sub(before.commit_time);
    let mean = spent.checked_div(commits);
    JournalVitals {
        waiting: now.waiting,
        commits: now.commits,
        appends: now.appends,
        failed: now.failed,
        last_batch: now.last_batch,
        commit_ms: (now.commits > 0).then(|| ms(mean.unwrap_or(now.last_commit))),
    }
}

/// How long an answer took; none if there was none in time.
async fn timed<T>(answer: impl Future<Output = Option<T>>) -> Option<(T, f64)> {
    let began = Instant::now();
    let answer = tokio::time::timeout(PATIENCE, answer).await.ok().flatten();
    answer.map(|answer| (answer, ms(began.elapsed())))
}

async fn database(app: &App) -> Database {
    let postgres = app.settings.database.url.starts_with("postgres");
    let answer = timed(async { app.records.ping().await.ok() }).await;
    Database {
        kind: if postgres { "postgresql" } else { "sqlite" },
        round_trip_ms: answer.map(|(_, ms)| ms),
    }
}

async fn hub_figures(app: &App) -> HubFigures {
    let answer = timed(async { app.system.hub.send(hub::Observe).await.ok() }).await;
    answer.map_or_else(HubFigures::default, |(figures, _)| figures)
}

async fn actors(app: &App) -> Vec<ActorKind> {
    let system = &app.system;
    let watched = app.channels.all();
    let hub = async { system.hub.send(hub::Observe).await.ok().map(drop) };
    let (mut all, cases, alerts, channels, hub) = tokio::join!(
        halls(app),
        of_desks("case_desk", [&app.cases]),
        of_desks("alert_desk", [&app.desk]),
        of_desks("channel", watched.iter().map(|watched| &watched.desk)),
        of_one("screen_hub", hub),
    );
    all.extend([cases, alerts, channels, hub]);
    all
}

async fn halls(app: &App) -> Vec<ActorKind> {
    let halls = app.system.halls.all();
    let asked = halls.iter().map(|(_, hall)| timed(hall.read(|_, _| ())));
    let observe = timed(async { app.system.supervisor.send(supervisor::Observe).await.ok() });
    let (answers, supervisor) = tokio::join!(join_all(asked), observe);
    let rebuilt = supervisor.as_ref().map(|(figures, _)| figures.rebuilt);
    let counts = halls.iter().map(|(_, hall)| hall.children.counts());
    let (windows, queues) = counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let unasked = |kind, count| ActorKind {
        kind,
        count,
        in_hand: None,
        answer_ms: None,
        silent: 0,
        restarts: None,
    };
    let halls = asked_kind("hall", &answers, None, rebuilt);
    let supervisor = asked_kind(
        "supervisor",
        &[supervisor.map(|(_, ms)| ((), ms))],
        None,
        None,
    );
    vec![
        halls,
        unasked("window", windows),
        unasked("queue", queues),
        supervisor,
    ]
}

async fn of_one(kind: &'static str, answer: impl Future<Output = Option<()>>) -> ActorKind {
    asked_kind(kind, &[timed(answer).await], None, None)
}

async fn of_desks<'a, M: Machine>(
    kind: &'static str,
    desks: impl IntoIterator<Item = &'a Desk<M>>,
) -> ActorKind {
    let desks: Vec<&Desk<M>> = desks.into_iter().collect();
    // Before they are asked, so that the question itself is not counted.
    let figures: Vec<_> = desks.iter().map(|desk| desk.figures()).collect();
    let in_hand = figures.iter().map(|figures| figures.in_hand).max();
    let restarts = figures.iter().map(|figures| figures.rebuilt).sum();
    let answers = join_all(desks.iter().map(|desk| timed(desk.read(|_, _| ())))).await;
    asked_kind(kind, &answers, Some(in_hand.unwrap_or(0)), Some(restarts))
}

fn asked_kind(
    kind: &'static str,
    answers: &[Option<((), f64)>],
    in_hand: Option<usize>,
    restarts: Option<u64>,
) -> ActorKind {
    let times = answers.iter().flatten().map(|(_, ms)| *ms);
    ActorKind {
        kind,
        count: answers.len(),
        in_hand,
        answer_ms: times.max_by(f64::total_cmp),
        silent: answers.iter().filter(|answer| answer.is_none()).count(),
        restarts,
    }
}

fn devices(app: &App) -> Vec<DeviceCount> {
    let now = app.now();
    let mut counts: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    for face in app.devices.faces(|_| true, now) {
        let text = |field: &str| face[field].as_str().unwrap_or_default().to_owned();
        let old = face["version"]["old"] == true;
        let sum = counts.entry((text("kind"), text("state"))).or_default();
        *sum = (sum.0 + 1, sum.1 + usize::from(old));
    }
    let count = |((kind, state), (count, old_build))| DeviceCount {
        kind,
        state,
        count,
        old_build,
    };
    counts.into_iter().map(count).collect()
}
