//! How long a server with a long journal takes from its start, after `kill -9`, until it is ready.
//!
//! The journal is made through the product's own door, so it holds what a busy day leaves behind.

mod support;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::args::Args;
use support::clerk::{Clerk, Seat, open_halls};
use support::disk;
use support::http::Http;
use support::office::{Figures, Office};
use support::procfs::rss_kib;
use support::report::{Report, machine, progress, rounded, run, skipped_when_unoptimised};
use support::samples::median;
use support::server::{Launch, START_LIMIT, Scratch, Server, free_port, sqlite_in};

const USAGE: &str = "\
start: time from the start of the process to ready, with a journal of N events

  cargo bench --bench start [-- OPTIONS]

  --events N      length of the journal (1000000)
  --callers N     clerks that make it (64), over --halls N (20)
  --patience S    stop making it after S seconds, however long it is by then (1800)
  --restarts N    starts measured, each after a kill -9 (5)
  --keep DIR      make the journal in DIR and leave it there
  --data DIR      measure with a journal kept before
  --quick         50,000 events or 10 seconds of making them, 3 starts
  --server PATH   the hallkeeper binary (what cargo built)
  --dir DIR       where the data directory is made (cargo's target directory)
  --pin           server on core 0, client on core 1

Prints one JSON document. Exit code 1 when anything answered before the kill is missing after it.";

/// Memory at rest is read this long after ready: start-up's own buffers have gone back by then.
const REST: Duration = Duration::from_secs(2);

struct Options {
    launch: Launch,
    events: u64,
    callers: usize,
    halls: usize,
    patience: Duration,
    restarts: usize,
    keep: Option<PathBuf>,
    reuse: Option<PathBuf>,
}

fn main() -> ExitCode {
    let mut args = Args::read(USAGE);
    let quick = args.flag("--quick");
    if skipped_when_unoptimised("start", quick) {
        return ExitCode::SUCCESS;
    }
    run(async move {
        let (events, patience, restarts) = if quick {
            (50_000, 10.0, 3)
        } else {
            (1_000_000, 1800.0, 5)
        };
        let options = Options {
            events: args.value("--events").unwrap_or(events),
            callers: args.value("--callers").unwrap_or(64).max(1),
            halls: args.value("--halls").unwrap_or(20).max(1),
            patience: Duration::from_secs_f64(args.value("--patience").unwrap_or(patience)),
            restarts: args.value("--restarts").unwrap_or(restarts).max(1),
            keep: args.value("--keep"),
            reuse: args.value("--data"),
            launch: Launch::from_args(&mut args)?,
        };
        args.finish();
        start(&options).await
    })
}

async fn start(options: &Options) -> Result<Report> {
    let mut report = Report::new("start");
    let scratch = match options.reuse.as_ref().or(options.keep.as_ref()) {
        Some(dir) => Scratch::kept(dir.clone())?,
        None => options.launch.scratch("start")?,
    };
    let data = scratch.data()?;
    report.put("machine", machine(&data, options.launch.pinned));
    let before = if options.reuse.is_some() {
        look(&options.launch, &data).await?
    } else {
        make_journal(options, &data, &mut report).await?
    };
    let events: u64 = before.iter().map(|(_, seq, _)| seq).sum();
    report.put("events", json!(events));
    report.put("halls", json!(before.len()));
    report.put(
        "data_mib",
        json!(rounded(disk::size(&data) as f64 / 1_048_576.0)),
    );

    let mut starts = Vec::new();
    for n in 1..=options.restarts {
        progress(&format!("start {n}/{}", options.restarts));
        let (one, mut server) = measure_start(&options.launch, &data).await?;
        let after = Office::enter(server.addr()?, &data)
            .await?
            .all_halls()
            .await?;
        if let Some(loss) = lost(&before, &after) {
            report.violation(format!("after start {n}: {loss}"));
        }
        server.kill();
        starts.push(one);
    }
    let middle =
        |of: fn(&Start) -> f64| median(&starts.iter().map(of).collect::<Vec<_>>()).map(rounded);
    report.put("ready_ms", json!(middle(|s| s.ready_ms)));
    report.put("listening_line_ms", json!(middle(|s| s.listening_ms)));
    report.put("rss_at_rest_mib", json!(middle(|s| s.rss_mib)));
    report.put(
        "events_per_s_of_start",
        json!(middle(|s| s.ready_ms).map(|ms| (events as f64 / ms * 1000.0).round())),
    );
    report.put("starts", starts.iter().map(Start::summary).collect());
    Ok(report)
}

/// Hall id, seq and figures of every hall.
type Halls = Vec<(String, u64, Figures)>;

async fn make_journal(options: &Options, data: &Path, report: &mut Report) -> Result<Halls> {
    let mut server = options.launch.start(data, &sqlite_in(data))?;
    let mut office = Office::enter(server.addr()?, data).await?;
    let present = office.all_halls().await?;
    ensure!(
        present.is_empty(),
        "{} has halls already; measure it with --data",
        data.display()
    );
    let seats = open_halls(&mut office, "H", options.halls, options.callers).await?;
    let began = Instant::now();
    let enough = Rc::new(Cell::new(false));
    let clerks: Vec<_> = seats
        .iter()
        .map(|seat| {
            tokio::task::spawn_local(serve(
                seat.clone(),
                Clerk::at(seat, &office),
                enough.clone(),
            ))
        })
        .collect();
    let mut events = 0;
    while events < options.events
        && began.elapsed() < options.patience
        && clerks.iter().all(|clerk| !clerk.is_finished())
    {
        tokio::time::sleep(Duration::from_millis(500)).await;
        events = office
            .all_halls()
            .await?
            .iter()
            .map(|(_, seq, _)| seq)
            .sum();
        progress(&format!("{events} of {} events", options.events));
    }
    enough.set(true);
    let mut tickets = 0;
    for clerk in clerks {
        tickets += clerk.await.context("a clerk broke down")??;
    }
    let secs = began.elapsed().as_secs_f64();
    let halls = office.all_halls().await?;
    let completed: u64 = halls.iter().map(|(_, _, figures)| figures.completed).sum();
    report.expect(completed == tickets, || {
        format!("clerks completed {tickets} tickets, the server counts {completed}")
    });
    let made: u64 = halls.iter().map(|(_, seq, _)| seq).sum();
    report.put("made", json!({ "tickets": tickets, "secs": rounded(secs), "events_per_s": (made as f64 / secs).round() }));
    server.kill();
    Ok(halls)
}

async fn serve(seat: Seat, mut clerk: Clerk, enough: Rc<Cell<bool>>) -> Result<u64> {
    let mut tickets = 0;
    while !enough.get() {
        clerk
            .serve_one(|_, _, _| {})
            .await
            .with_context(|| format!("hall {}", seat.hall))?;
        tickets += 1;
    }
    Ok(tickets)
}

/// What a kept journal holds.
async fn look(launch: &Launch, data: &Path) -> Result<Halls> {
    let mut server = launch.start(data, &sqlite_in(data))?;
    let halls = Office::enter(server.addr()?, data)
        .await?
        .all_halls()
        .await?;
    server.kill();
    ensure!(!halls.is_empty(), "{} holds no halls", data.display());
    Ok(halls)
}

struct Start {
    listening_ms: f64,
    ready_ms: f64,
    rss_mib: f64,
}

impl Start {
    fn summary(&self) -> Value {
        let (listening, ready, rss) = (
            rounded(self.listening_ms),
            rounded(self.ready_ms),
            rounded(self.rss_mib),
        );
        json!({ "listening_line_ms": listening, "ready_ms": ready, "rss_mib": rss })
    }
}

/// The port is chosen beforehand, so that `/readyz` can be asked before the server says where it listens.
async fn measure_start(launch: &Launch, data: &Path) -> Result<(Start, Server)> {
    let port = free_port()?;
    let addr = ([127, 0, 0, 1], port).into();
    let mut server = launch.spawn(data, &sqlite_in(data), port)?;
    while !is_ready(addr).await {
        server.alive()?;
        ensure!(
            server.spawned.elapsed() < START_LIMIT,
            "not ready after {} s",
            START_LIMIT.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let ready = server.spawned.elapsed();
    server.wait_until_listening(START_LIMIT)?;
    let listening = server.announced_after().context("no `listening on` line")?;
    tokio::time::sleep(REST).await;
    let start = Start {
        listening_ms: listening.as_secs_f64() * 1e3,
        ready_ms: ready.as_secs_f64() * 1e3,
        rss_mib: rss_kib(&[server.pid()]) as f64 / 1024.0,
    };
    Ok((start, server))
}

async fn is_ready(addr: std::net::SocketAddr) -> bool {
    let mut http = Http::new(addr, None);
    let request = http.encode("GET", "/readyz", "");
    http.send(&request)
        .await
        .is_ok_and(|answer| answer.status == 200)
}

/// Everything answered before the kill is there: each hall's seq or a later one, and its figures.
fn lost(before: &Halls, after: &Halls) -> Option<String> {
    if before.len() != after.len() {
        return Some(format!("{} halls became {}", before.len(), after.len()));
    }
    let kept = |(id, seq, figures): &(String, u64, Figures), now: &(String, u64, Figures)| {
        *id == now.0 && *seq <= now.1 && *figures == now.2
    };
    let changed = before
        .iter()
        .zip(after)
        .find(|(before, after)| !kept(before, after));
    changed.map(|(before, after)| format!("{before:?} became {after:?}"))
}
