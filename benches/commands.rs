//! Durable commands a second, and how long a clerk waits for one.
//!
//! Callers are a closed loop, as clerks are: each sends its next command when the last is answered, and
//! every answer means that the command is on disk.

mod support;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::args::Args;
use support::clerk::{Clerk, Seat, Step, open_halls};
use support::database::OwnDatabase;
use support::disk;
use support::office::Office;
use support::procfs::{Cpu, CpuMeter};
use support::report::{Report, machine, progress, rounded, run, skipped_when_unoptimised};
use support::samples::{Samples, median};
use support::server::{Launch, sqlite_in};

const USAGE: &str = "\
commands: durable commands per second and their latency

  cargo bench --bench commands [-- OPTIONS]

  --callers LIST   clerks at work at once (1,8,64)
  --halls LIST     halls they are spread over (1,50)
  --secs S         measured time of a cell (4), after --warmup S (1)
  --repeats N      all cells in turn, N times (3)
  --postgres URL   PostgreSQL too, in a database of its own made with psql
                   (environment: HALLKEEPER_TEST_POSTGRES)
  --quick          callers 1,16, a second each, once
  --server PATH    the hallkeeper binary (what cargo built)
  --dir DIR        where data directories are made (cargo's target directory)
  --pin            server on core 0, client on core 1

Prints one JSON document. Exit code 1 when counts do not add up.";

struct Options {
    launch: Launch,
    callers: Vec<usize>,
    halls: Vec<usize>,
    warmup: Duration,
    secs: Duration,
    repeats: usize,
    postgres: Option<String>,
}

fn main() -> ExitCode {
    let mut args = Args::read(USAGE);
    let quick = args.flag("--quick");
    if skipped_when_unoptimised("commands", quick) {
        return ExitCode::SUCCESS;
    }
    run(async move {
        let (callers, warmup, secs, repeats) = if quick {
            (vec![1, 16], 0.3, 1.0, 1)
        } else {
            (vec![1, 8, 64], 1.0, 4.0, 3)
        };
        let options = Options {
            callers: args.list("--callers").unwrap_or(callers),
            halls: args.list("--halls").unwrap_or_else(|| vec![1, 50]),
            warmup: Duration::from_secs_f64(args.value("--warmup").unwrap_or(warmup)),
            secs: Duration::from_secs_f64(args.value("--secs").unwrap_or(secs)),
            repeats: args.value("--repeats").unwrap_or(repeats),
            postgres: args
                .value("--postgres")
                .or_else(|| std::env::var("HALLKEEPER_TEST_POSTGRES").ok()),
            launch: Launch::from_args(&mut args)?,
        };
        args.finish();
        if options.callers.contains(&0) || options.halls.contains(&0) {
            bail!("--callers and --halls start at 1");
        }
        commands(&options).await
    })
}

async fn commands(options: &Options) -> Result<Report> {
    let mut report = Report::new("commands");
    let scratch = options.launch.scratch("commands")?;
    report.put("machine", machine(scratch.path(), options.launch.pinned));

    let data = scratch.data()?;
    let sqlite = measure("sqlite", &data, &sqlite_in(&data), options, &mut report).await?;
    report.put("sqlite", sqlite);

    let postgres = match &options.postgres {
        None => json!({ "skipped": "no --postgres URL" }),
        Some(server) => {
            let scratch = options.launch.scratch("commands-postgres")?;
            let database = OwnDatabase::create(server)?;
            measure(
                "postgres",
                &scratch.data()?,
                &database.url,
                options,
                &mut report,
            )
            .await?
        }
    };
    report.put("postgres", postgres);
    Ok(report)
}

/// All cells on one store, in turn, as often as asked.
async fn measure(
    store: &str,
    data: &Path,
    url: &str,
    options: &Options,
    report: &mut Report,
) -> Result<Value> {
    let server = options.launch.start(data, url)?;
    let mut office = Office::enter(server.addr()?, data).await?;
    let mut meter = CpuMeter::of(vec![server.pid()]);
    let mut cells = open_cells(&mut office, options).await?;
    let mut fdatasync = disk::fdatasync(data, 200)?;
    let mut completed: BTreeMap<String, u64> = BTreeMap::new();
    for repeat in 1..=options.repeats {
        for cell in &mut cells {
            progress(&format!(
                "{store}, {} callers, {} halls, {repeat}/{}",
                cell.seats.len(),
                cell.halls,
                options.repeats
            ));
            let shift = work(&office, &cell.seats, options, &mut meter).await?;
            for clerk in &shift.clerks {
                *completed.entry(clerk.hall.clone()).or_default() += clerk.tickets.len() as u64;
                if let Some(trouble) = &clerk.trouble {
                    report.violation(format!("{store}, hall {}: {trouble}", clerk.hall));
                }
            }
            cell.take(shift, report);
            fdatasync.absorb(&disk::fdatasync(data, 50)?);
        }
    }
    let checked = check(&mut office, &completed, report).await?;
    Ok(json!({
        "cells": cells.iter().map(Cell::summary).collect::<Vec<_>>(),
        "fdatasync_8_kb": fdatasync.summary(),
        "tickets_checked": checked,
        "data_mib": rounded(disk::size(data) as f64 / 1_048_576.0),
    }))
}

/// Halls are registered once per hall count, with seats for the largest number of callers.
async fn open_cells(office: &mut Office, options: &Options) -> Result<Vec<Cell>> {
    let most = options.callers.iter().copied().max().unwrap_or(1);
    let mut cells = Vec::new();
    for halls in &options.halls {
        let seats = open_halls(office, &format!("C{halls}H"), *halls, most).await?;
        cells.extend(
            options
                .callers
                .iter()
                .map(|callers| Cell::new(*halls, &seats[..*callers])),
        );
    }
    Ok(cells)
}

/// One combination of callers and halls, with what all its repeats brought.
struct Cell {
    halls: usize,
    seats: Vec<Seat>,
    called: HashSet<(String, u64)>,
    latency: [Samples; 4],
    per_second: Vec<f64>,
    server: Cpu,
    client: Cpu,
    wall: f64,
}

impl Cell {
    fn new(halls: usize, seats: &[Seat]) -> Self {
        Self {
            halls,
            seats: seats.to_vec(),
            called: HashSet::new(),
            latency: Default::default(),
            per_second: Vec::new(),
            server: Cpu::default(),
            client: Cpu::default(),
            wall: 0.0,
        }
    }

    fn take(&mut self, shift: Shift, report: &mut Report) {
        let mut answered = 0;
        for clerk in shift.clerks {
            for (all, new) in self.latency.iter_mut().zip(&clerk.latency) {
                answered += new.len();
                all.absorb(new);
            }
            for id in clerk.tickets {
                let hall = clerk.hall.clone();
                report.expect(self.called.insert((hall, id)), || {
                    format!("ticket {id} of {} was assigned twice", clerk.hall)
                });
            }
        }
        self.per_second.push(answered as f64 / shift.wall);
        self.server = add(self.server, shift.server);
        self.client = add(self.client, shift.client);
        self.wall += shift.wall;
    }

    fn summary(&self) -> Value {
        let mut all = Samples::default();
        self.latency.iter().for_each(|samples| all.absorb(samples));
        let by_kind: serde_json::Map<_, _> = Step::ALL
            .iter()
            .map(|step| {
                (
                    step.name().to_owned(),
                    self.latency[*step as usize].summary(),
                )
            })
            .collect();
        json!({
            "callers": self.seats.len(),
            "halls": self.halls,
            "commands_per_s": median(&self.per_second).map(f64::round),
            "commands_per_s_repeats": self.per_second.iter().map(|rate| rate.round()).collect::<Vec<_>>(),
            "latency": all.summary(),
            "latency_by_kind": by_kind,
            "server_cpu_us_per_command": rounded(self.server.ran * 1e6 / all.len().max(1) as f64),
            "server_cpu_pct": rounded(100.0 * self.server.ran / self.wall),
            "server_wait_pct": rounded(100.0 * self.server.waited / self.wall),
            "client_cpu_pct": rounded(100.0 * self.client.ran / self.wall),
        })
    }
}

fn add(a: Cpu, b: Cpu) -> Cpu {
    Cpu {
        ran: a.ran + b.ran,
        waited: a.waited + b.waited,
    }
}

/// One cell at work once.
struct Shift {
    clerks: Vec<Worked>,
    server: Cpu,
    client: Cpu,
    wall: f64,
}

struct Worked {
    hall: String,
    tickets: Vec<u64>,
    latency: [Samples; 4],
    trouble: Option<String>,
}

/// Clerks finish the ticket in hand when time is up, so that nobody is left waiting; only commands
/// answered inside the measured time count.
async fn work(
    office: &Office,
    seats: &[Seat],
    options: &Options,
    meter: &mut CpuMeter,
) -> Result<Shift> {
    let from = Instant::now() + options.warmup;
    let until = from + options.secs;
    let tasks: Vec<_> = seats
        .iter()
        .map(|seat| {
            let (clerk, hall) = (Clerk::at(seat, office), seat.hall.clone());
            tokio::task::spawn_local(serve_until(clerk, hall, from, until))
        })
        .collect();
    let mut own = CpuMeter::of_this_process();
    tokio::time::sleep_until(from.into()).await;
    let (server, client, began) = (meter.read(), own.read(), Instant::now());
    tokio::time::sleep_until(until.into()).await;
    let (server, client, wall) = (
        meter.read() - server,
        own.read() - client,
        began.elapsed().as_secs_f64(),
    );
    let mut clerks = Vec::with_capacity(tasks.len());
    for task in tasks {
        clerks.push(task.await.context("a clerk broke down")?);
    }
    Ok(Shift {
        clerks,
        server,
        client,
        wall,
    })
}

async fn serve_until(mut clerk: Clerk, hall: String, from: Instant, until: Instant) -> Worked {
    let mut worked = Worked {
        hall,
        tickets: Vec::new(),
        latency: Default::default(),
        trouble: None,
    };
    while Instant::now() < until {
        let latency = &mut worked.latency;
        let note = |step: Step, sent: Instant, answered: Instant| {
            if answered >= from && answered <= until {
                latency[step as usize].push(answered - sent);
            }
        };
        match clerk.serve_one(note).await {
            Ok(ticket) => worked.tickets.push(ticket),
            Err(error) => {
                worked.trouble = Some(format!("{error:#}"));
                break;
            }
        }
    }
    worked
}

/// Every hall counts what its clerks counted, and nobody is left over.
async fn check(
    office: &mut Office,
    completed: &BTreeMap<String, u64>,
    report: &mut Report,
) -> Result<u64> {
    for (hall, count) in completed {
        let figures = office.figures(hall).await?;
        let right = figures.issued == *count
            && figures.completed == *count
            && figures.sum_of_states == *count;
        report.expect(right, || {
            format!("hall {hall}: clerks completed {count} tickets, the server counts {figures:?}")
        });
    }
    Ok(completed.values().sum())
}
