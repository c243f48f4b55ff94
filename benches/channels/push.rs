//! Calls told to a running server, many at a time: each answer means that they are on disk.
//!
//! Senders are a closed loop: each sends its next thousand when the last is answered. Beside them a recorded
//! access log is imported by the product's own command.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::support::database::OwnDatabase;
use crate::support::disk;
use crate::support::http::Http;
use crate::support::office::Office;
use crate::support::procfs::{Cpu, CpuMeter};
use crate::support::report::{Report, progress, rounded};
use crate::support::samples::Samples;
use crate::support::server::{Launch, Server, sqlite_in};

/// Calls in a request.
const BULK: usize = 1_000;

/// Digits of the number that makes each call's id another one.
const DIGITS: usize = 12;

pub(crate) struct Options {
    pub(crate) launch: Launch,
    pub(crate) senders: Vec<usize>,
    pub(crate) channels: Vec<usize>,
    pub(crate) secs: Duration,
    pub(crate) lines: usize,
    pub(crate) postgres: Option<String>,
}

/// All cells on each store.
pub(crate) async fn measure(options: &Options, log: &[u8], report: &mut Report) -> Result<()> {
    let scratch = options.launch.scratch("channels")?;
    let data = scratch.data()?;
    let sqlite = store(options, "sqlite", &data, &sqlite_in(&data), log, report).await?;
    report.put("pushed_to_sqlite", sqlite);
    let postgres = match &options.postgres {
        None => json!({"skipped": "no --postgres URL"}),
        Some(server) => {
            let scratch = options.launch.scratch("channels-postgres")?;
            let database = OwnDatabase::create(server)?;
            store(
                options,
                "postgres",
                &scratch.data()?,
                &database.url,
                log,
                report,
            )
            .await?
        }
    };
    report.put("pushed_to_postgres", postgres);
    Ok(())
}

async fn store(
    options: &Options,
    name: &str,
    data: &Path,
    url: &str,
    log: &[u8],
    report: &mut Report,
) -> Result<Value> {
    let server = options.launch.start(data, url)?;
    let mut office = Office::enter(server.addr()?, data).await?;
    let mut meter = CpuMeter::of(vec![server.pid()]);
    let mut cells = Vec::new();
    for channels in &options.channels {
        for senders in &options.senders {
            progress(&format!("{name}: {senders} senders, {channels} channels"));
            let cell = Cell {
                name: format!("{name}-{senders}-{channels}"),
                senders: *senders,
                channels: *channels,
            };
            cells.push(
                cell.run(&mut office, &mut meter, options.secs, report)
                    .await?,
            );
        }
    }
    progress(&format!("{name}: import of an access log"));
    let import = import(options, &server, &mut office, data, log, report).await?;
    Ok(json!({
        "calls_in_a_request": BULK,
        "fdatasync_8_kb": disk::fdatasync(data, 100)?.summary(),
        "cells": cells,
        "access_log_imported": import,
    }))
}

struct Cell {
    name: String,
    senders: usize,
    channels: usize,
}

impl Cell {
    fn channel(&self, n: usize) -> String {
        format!("{}-{}", self.name, n % self.channels)
    }

    async fn run(
        &self,
        office: &mut Office,
        meter: &mut CpuMeter,
        secs: Duration,
        report: &mut Report,
    ) -> Result<Value> {
        for n in 0..self.channels {
            set_up(office, &self.channel(n)).await?;
        }
        let mut senders: Vec<Sender> = (0..self.senders)
            .map(|n| Sender::new(office.connection(), &self.channel(n), n))
            .collect();
        // What is allocated once is allocated before.
        futures_util::future::try_join_all(senders.iter_mut().map(Sender::send)).await?;
        let (cpu, begun) = (meter.read(), Instant::now());
        let until = begun + secs;
        let work = senders.iter_mut().map(|sender| async move {
            while Instant::now() < until {
                sender.send().await?;
            }
            anyhow::Ok(())
        });
        futures_util::future::try_join_all(work).await?;
        let (took, cpu) = (begun.elapsed().as_secs_f64(), meter.read() - cpu);
        let told: usize = senders.iter().map(|sender| sender.told).sum();
        let measured = told - BULK * self.senders;
        let mut times = Samples::default();
        senders
            .iter()
            .for_each(|sender| times.absorb(&sender.times));
        self.verify(office, told, report).await?;
        Ok(json!({
            "senders": self.senders,
            "channels": self.channels,
            "calls_per_second": (measured as f64 / took).round(),
            "answered_ms": times.summary(),
            "bytes_of_a_call": senders[0].bytes_of_a_call(),
            "server_cpu_us_per_call": per_call(cpu, measured),
            "server_wait_pct": rounded(cpu.waited * 100.0 / took),
        }))
    }

    /// What was answered for is in the history, and counted once.
    async fn verify(&self, office: &mut Office, told: usize, report: &mut Report) -> Result<()> {
        let (mut kept, mut counted) = (0, 0);
        for n in 0..self.channels {
            let channel = self.channel(n);
            let page = office
                .get(&format!("/channels/{channel}/calls?limit=1"))
                .await?;
            kept += page["total"].as_u64().unwrap_or(0);
            let face = office.get(&format!("/channels/{channel}")).await?;
            counted += face["figures"][3]["calls"].as_u64().unwrap_or(0);
        }
        let told = told as u64;
        report.expect((kept, counted) == (told, told), || {
            format!("{}: {told} told, {kept} kept, {counted} counted", self.name)
        });
        Ok(())
    }
}

fn per_call(cpu: Cpu, calls: usize) -> f64 {
    rounded(cpu.ran * 1e6 / calls.max(1) as f64)
}

async fn set_up(office: &mut Office, channel: &str) -> Result<()> {
    let setup = json!({"name": {"zh": channel, "en": channel}, "provider": "bench", "direction": "through"});
    office.put(&format!("/channels/{channel}"), &setup).await?;
    Ok(())
}

/// Tells of a thousand calls at a time; only the ids differ from one request to the next.
struct Sender {
    http: Http,
    request: Vec<u8>,
    /// Where the number of each id is.
    ids: Vec<usize>,
    next: u64,
    told: usize,
    times: Samples,
}

impl Sender {
    fn new(http: Http, channel: &str, n: usize) -> Self {
        let zeros = "0".repeat(DIGITS);
        let mark = format!("s{n:02}-{zeros}");
        let now = std::time::SystemTime::now();
        let now = now
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let at = chrono::DateTime::from_timestamp(now.as_secs() as i64, 0).unwrap_or_default();
        let call = json!({
            "id": mark, "caller": "e-form", "version": "v2", "at": at.to_rfc3339(),
            "duration_ms": 83.25, "status": 200,
            "request": {
                "method": "POST", "path": "/cases/350102/steps",
                "body": {"case_no": "2026-000123", "applicant": {"name": "somebody", "phone": "13812345678"}},
            },
            "response": {"code": 0, "message": "ok"},
        });
        let body = format!("{call}\n").repeat(BULK);
        let path = format!("/api/v1/channels/{channel}/calls");
        let request = http.encode("POST", &path, &body);
        let request = String::from_utf8_lossy(&request)
            .replace("application/json", "application/x-ndjson")
            .into_bytes();
        let text = String::from_utf8_lossy(&request);
        let ids = text
            .match_indices(&mark)
            .map(|(at, _)| at + mark.len() - DIGITS);
        let ids = ids.collect();
        Self {
            http,
            request,
            ids,
            next: 0,
            told: 0,
            times: Samples::default(),
        }
    }

    fn bytes_of_a_call(&self) -> usize {
        self.request.len() / BULK
    }

    async fn send(&mut self) -> Result<()> {
        for at in &self.ids {
            self.next += 1;
            let number = format!("{:0DIGITS$}", self.next);
            self.request[*at..*at + DIGITS].copy_from_slice(number.as_bytes());
        }
        let begun = Instant::now();
        let answer = self.http.send(&self.request).await?;
        ensure!(answer.is_success(), "calls refused: {}", answer.refusal());
        ensure!(
            answer.number("\"kept\":") == Some(BULK as u64),
            "not all calls were new"
        );
        self.times.push(begun.elapsed());
        self.told += BULK;
        Ok(())
    }
}

/// A recorded log over and over, with `hallkeeper import calls` into the running server.
async fn import(
    options: &Options,
    server: &Server,
    office: &mut Office,
    data: &Path,
    log: &[u8],
    report: &mut Report,
) -> Result<Value> {
    set_up(office, "imported").await?;
    let path = data.join("access.log");
    let mut file = std::fs::File::create(&path)?;
    let in_log = log.iter().filter(|byte| **byte == b'\n').count().max(1);
    for _ in 0..options.lines.div_ceil(in_log) {
        file.write_all(log)?;
    }
    file.sync_all()?;
    let begun = Instant::now();
    let program = options.launch.program();
    let mut command = tokio::process::Command::new(program);
    command.args(["import", "calls"]).arg(&path).args([
        "--channel",
        "imported",
        "--json",
        "--target",
    ]);
    command.arg(format!("http://{}", server.addr()?));
    command
        .env("HALLKEEPER_PASSWORD", Office::password())
        .stdout(Stdio::piped());
    let output = command.output().await.context("running the import")?;
    let took = begun.elapsed().as_secs_f64();
    ensure!(
        output.status.success(),
        "import: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let counted: Value = serde_json::from_slice(&output.stdout).context("what the import said")?;
    let lines = counted["good"].as_u64().unwrap_or(0);
    let page = office.get("/channels/imported/calls?limit=1").await?;
    let kept = page["total"].as_u64().unwrap_or(0);
    report.expect(kept == lines, || {
        format!("{lines} lines imported, {kept} kept")
    });
    Ok(
        json!({"lines": lines, "secs": rounded(took), "lines_per_second": (lines as f64 / took).round()}),
    )
}
