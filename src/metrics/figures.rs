//! What is told, gathered from those who know.

use std::time::Duration;

use actors::supervisor::HallHandle;
use rules::channels::Health;
use rules::hall::Hall;
use rules::time::Timestamp;

use super::{Buckets, Family, Kind, Value};
use crate::channels::Watched;
use crate::vitals::Vitals;
use crate::web::App;

/// Whoever answers later is left out.
const PATIENCE: Duration = Duration::from_secs(2);

/// All figures as they are now; those of the machine are as old as the last sample of its vitals.
pub async fn collect(app: &App) -> Vec<Family> {
    let mut all = live(app).await;
    all.extend(halls(app).await);
    all.extend(journal(app));
    all.extend(channels(app).await);
    all.extend(lists(app).await);
    if let Some(vitals) = app.vitals.latest() {
        all.extend(process(&vitals));
        all.extend(machine(&vitals));
    }
    all
}

async fn live(app: &App) -> Vec<Family> {
    let hub = app.system.hub.send(actors::hub::Observe).await;
    let halls = app
        .system
        .supervisor
        .send(actors::supervisor::Observe)
        .await;
    let (hub, halls) = (hub.unwrap_or_default(), halls.unwrap_or_default());
    let gauge = |name, help, value| Family::one(name, Kind::Gauge, help, value);
    let counter = |name, help, value| Family::one(name, Kind::Counter, help, value);
    vec![
        Family::new(
            "hallkeeper_build_info",
            Kind::Gauge,
            "The running version; always 1.",
        )
        .with(&[("version", env!("CARGO_PKG_VERSION"))], 1.0),
        gauge(
            "hallkeeper_uptime_seconds",
            "Time since the process started.",
            app.started.elapsed().as_secs_f64(),
        ),
        gauge(
            "hallkeeper_halls",
            "Halls that are live.",
            halls.halls as f64,
        ),
        counter(
            "hallkeeper_halls_rebuilt_total",
            "Halls built again since the process started.",
            halls.rebuilt as f64,
        ),
        gauge(
            "hallkeeper_topics",
            "Topics of the live feed.",
            hub.topics as f64,
        ),
        gauge(
            "hallkeeper_followers",
            "Places of subscribers in topics.",
            hub.followers as f64,
        ),
        counter(
            "hallkeeper_frames_total",
            "Frames published, each counted once however many follow.",
            hub.frames as f64,
        ),
    ]
}

/// What is told of one hall.
struct HallFigures {
    tickets: [(&'static str, u64); 8],
    waits: Vec<(String, u64, f64)>,
    windows: Vec<&'static str>,
}

impl HallFigures {
    fn of(hall: &Hall, now: Timestamp) -> Self {
        let figures = hall.figures();
        let services = hall.config().services.keys();
        let waits = services.map(|service| {
            let since = hall.waiting(service).map(|ticket| ticket.issued_at).min();
            let longest = since.map_or(0, |since| now.secs_since(since));
            let waiting = hall.waiting_count(service) as u64;
            (service.to_string(), waiting, longest as f64)
        });
        Self {
            tickets: [
                ("waiting", figures.waiting),
                ("called", figures.called),
                ("serving", figures.serving),
                ("held", figures.held),
                ("completed", figures.completed),
                ("missed", figures.missed),
                ("cancelled", figures.cancelled),
                ("expired", figures.expired),
            ],
            waits: waits.collect(),
            windows: hall.windows().map(|window| window.state.name()).collect(),
        }
    }
}

async fn read_hall(handle: &HallHandle) -> Option<HallFigures> {
    let read = handle.read(HallFigures::of);
    tokio::time::timeout(PATIENCE, read).await.ok().flatten()
}

async fn halls(app: &App) -> Vec<Family> {
    let mut tickets = Family::new(
        "hallkeeper_tickets",
        Kind::Gauge,
        "Tickets of the business day by hall and state.",
    );
    let mut waiting = Family::new(
        "hallkeeper_queue_waiting",
        Kind::Gauge,
        "People waiting by hall and service.",
    );
    let mut longest = Family::new(
        "hallkeeper_queue_longest_wait_seconds",
        Kind::Gauge,
        "Longest wait of those who wait now.",
    );
    let mut windows = Family::new(
        "hallkeeper_windows",
        Kind::Gauge,
        "Windows by hall and state.",
    );
    for (id, handle) in app.system.halls.all() {
        let Some(figures) = read_hall(&handle).await else {
            continue;
        };
        let hall = ("hall", id.as_str());
        for (state, count) in figures.tickets {
            tickets = tickets.with(&[hall, ("state", state)], count as f64);
        }
        for (service, people, secs) in figures.waits {
            let labels = [hall, ("service", service.as_str())];
            waiting = waiting.with(&labels, people as f64);
            longest = longest.with(&labels, secs);
        }
        let mut states = figures.windows;
        states.sort_unstable();
        for of_state in states.chunk_by(|a, b| a == b) {
            windows = windows.with(&[hall, ("state", of_state[0])], of_state.len() as f64);
        }
    }
    vec![tickets, waiting, longest, windows]
}

fn journal(app: &App) -> Vec<Family> {
    let journal = app.system.journal.figures();
    let mut commits = Family::new(
        "hallkeeper_journal_commit_duration_seconds",
        Kind::Summary,
        "Until a transaction of the journal was durable.",
    );
    commits.push(
        &[],
        Value::Summary {
            count: journal.commits,
            sum: journal.commit_time.as_secs_f64(),
        },
    );
    vec![
        commits,
        Family::one(
            "hallkeeper_journal_appends_total",
            Kind::Counter,
            "Appends to the journal: commands that changed something, and what time brought.",
            journal.appends as f64,
        ),
        Family::one(
            "hallkeeper_journal_failed_commits_total",
            Kind::Counter,
            "Transactions of the journal that did not succeed, or of which it is not known.",
            journal.failed as f64,
        ),
        Family::one(
            "hallkeeper_journal_waiting",
            Kind::Gauge,
            "Appends that wait for the next transaction.",
            journal.waiting as f64,
        ),
    ]
}

async fn channels(app: &App) -> Vec<Family> {
    let mut calls = Family::new(
        "hallkeeper_channel_calls_total",
        Kind::Counter,
        "Calls told of by channel and result, since the process started.",
    );
    let mut times = Family::new(
        "hallkeeper_channel_call_duration_seconds",
        Kind::Histogram,
        "Durations of the calls that have one.",
    );
    let mut healths = Family::new(
        "hallkeeper_channel_health",
        Kind::Gauge,
        "1 for the health that a channel is in, 0 for the others.",
    );
    for watched in app.channels.all() {
        let Some(health) = health(&watched).await else {
            continue;
        };
        let channel = ("channel", watched.id.as_str());
        for one in Health::ALL {
            let is = f64::from(u8::from(one == health));
            healths = healths.with(&[channel, ("health", one.name())], is);
        }
        let counted = watched.counters.read();
        for (result, count) in counted.results {
            calls = calls.with(&[channel, ("result", result)], count as f64);
        }
        times.push(
            &[channel],
            Value::Histogram(buckets(counted.times, counted.secs)),
        );
    }
    vec![calls, times, healths]
}

async fn health(watched: &Watched) -> Option<Health> {
    let read = watched
        .desk
        .read(|channel, _| channel.setup().map(|_| channel.health()));
    tokio::time::timeout(PATIENCE, read)
        .await
        .ok()
        .flatten()
        .flatten()
}

fn buckets(counts: Vec<u64>, sum: f64) -> Buckets {
    let bounds = crate::store::records::TIMES_MS.map(|ms| ms as f64 / 1000.0);
    Buckets {
        bounds: bounds.to_vec(),
        counts,
        sum,
    }
}

/// Open things of the desks' lists.
async fn lists(app: &App) -> Vec<Family> {
    const NAMES: [(&str, &str, &str); 4] = [
        ("alert", "hallkeeper_alerts", "Open alerts by state."),
        (
            "work_order",
            "hallkeeper_work_orders",
            "Open work orders by state.",
        ),
        ("problem", "hallkeeper_problems", "Open problems by state."),
        (
            "message",
            "hallkeeper_notices",
            "Notices that are not delivered yet by state.",
        ),
    ];
    let open = app.records.open_items().await.unwrap_or_default();
    let family = |(kind, name, help): (&str, &'static str, &'static str)| {
        let of_kind = open.iter().filter(|one| one.kind == kind);
        of_kind.fold(Family::new(name, Kind::Gauge, help), |family, one| {
            family.with(&[("state", one.state.as_str())], one.count as f64)
        })
    };
    NAMES.map(family).into()
}

/// Under the names that Prometheus' own client libraries give them.
fn process(vitals: &Vitals) -> Vec<Family> {
    let gauge = |name, help, value: Option<u64>| {
        value.map(|value| Family::one(name, Kind::Gauge, help, value as f64))
    };
    let process = &vitals.process;
    let known = [
        gauge(
            "process_resident_memory_bytes",
            "Memory of the process.",
            process.memory_bytes,
        ),
        gauge(
            "process_open_fds",
            "Open files and connections.",
            process.open_files,
        ),
        gauge(
            "process_threads",
            "Threads of the process.",
            process.threads,
        ),
    ];
    known.into_iter().flatten().collect()
}

fn machine(vitals: &Vitals) -> Vec<Family> {
    let gauge = |name, help, value: Option<f64>| {
        value.map(|value| Family::one(name, Kind::Gauge, help, value))
    };
    let ratio = |percent: Option<f64>| percent.map(|percent| percent / 100.0);
    let (node, disk) = (&vitals.node, vitals.disk);
    let devices = Family::new(
        "hallkeeper_devices",
        Kind::Gauge,
        "Devices by kind and state.",
    );
    let devices = vitals.devices.iter().fold(devices, |family, one| {
        let labels = [("kind", one.kind.as_str()), ("state", one.state.as_str())];
        family.with(&labels, one.count as f64)
    });
    let known = [
        gauge(
            "hallkeeper_process_cpu_ratio",
            "Processor time of the process beside that of one core.",
            ratio(vitals.process.cpu_percent),
        ),
        Some(Family::one(
            "hallkeeper_sockets",
            Kind::Gauge,
            "Screens, consoles and phones that are connected.",
            vitals.live.sockets as f64,
        )),
        Some(devices),
        gauge(
            "hallkeeper_database_round_trip_seconds",
            "Time of a query for nothing; missing while there is no answer.",
            vitals.database.round_trip_ms.map(|ms| ms / 1000.0),
        ),
        gauge(
            "hallkeeper_node_cpu_ratio",
            "Share of all cores at work.",
            ratio(node.cpu_percent),
        ),
        gauge(
            "hallkeeper_node_memory_ratio",
            "Share of the machine's memory in use.",
            ratio(node.memory_percent),
        ),
        gauge(
            "hallkeeper_disk_free_bytes",
            "What may still be written to the disk with the data.",
            disk.map(|disk| disk.free_bytes as f64),
        ),
        gauge(
            "hallkeeper_data_bytes",
            "What the files in the data folder take.",
            disk.map(|disk| disk.data_bytes as f64),
        ),
    ];
    known.into_iter().flatten().collect()
}
