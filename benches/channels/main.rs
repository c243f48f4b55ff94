//! What channels cost: counting calls, asking for figures, checking and masking records, reading access
//! logs, all in one thread; and calls told to a running server, answered when they are on disk.
//!
//! Each figure of the first part is the best of five rounds, for what else the machine does can only make
//! it worse.

#[path = "../support/mod.rs"]
mod support;

mod push;

use std::hint::black_box;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use rules::alerts::facts::channel::{Beyond, facts};
use rules::channels::access_log::{Format, Import};
use rules::channels::{
    Channel, ChannelCommand, Direction, Limits, Masking, Measured, NewCall, Outcome, Setup, Window,
};
use rules::machine::{Machine as _, Recorded};
use rules::name::Name;
use rules::time::{TimeZone, Timestamp};
use serde_json::{Value, json};
use support::args::Args;
use support::report::{Report, machine, run, skipped_when_unoptimised};
use support::server::Launch;

const ROUNDS: usize = 5;
const CALLERS: [&str; 8] = [
    "a", "bank", "city", "desk", "e-form", "floor", "gate", "hotline",
];

const USAGE: &str = "\
channels: what API channels cost

  cargo bench --bench channels [-- OPTIONS]

  --senders LIST   who tells of calls at once (1,4,16)
  --channels LIST  channels they are spread over (1,4)
  --secs S         measured time of a cell (3)
  --lines N        lines of the access log that is imported (200000)
  --push-only      only what a running server does
  --postgres URL   PostgreSQL too, in a database of its own made with psql
                   (environment: HALLKEEPER_TEST_POSTGRES)
  --quick          a smoke test
  --server PATH    the hallkeeper binary (what cargo built)
  --dir DIR        where data directories are made (cargo's target directory)
  --pin            server on core 0, client on core 1

Prints one JSON document. Exit code 1 when counts do not add up.";

fn main() -> ExitCode {
    let mut args = Args::read(USAGE);
    let quick = args.flag("--quick");
    if skipped_when_unoptimised("channels", quick) {
        return ExitCode::SUCCESS;
    }
    let push_only = args.flag("--push-only");
    run(async move {
        let secs = if quick { 0.5 } else { 3.0 };
        let lines = if quick { 10_000 } else { 200_000 };
        let senders = if quick { vec![4] } else { vec![1, 4, 16] };
        let options = push::Options {
            senders: args.list("--senders").unwrap_or(senders),
            channels: args.list("--channels").unwrap_or_else(|| vec![1, 4]),
            secs: Duration::from_secs_f64(args.value("--secs").unwrap_or(secs)),
            lines: args.value("--lines").unwrap_or(lines),
            postgres: args
                .value("--postgres")
                .or_else(|| std::env::var("HALLKEEPER_TEST_POSTGRES").ok()),
            launch: Launch::from_args(&mut args)?,
        };
        args.finish();
        if options.senders.contains(&0) || options.channels.contains(&0) {
            bail!("--senders and --channels start at 1");
        }
        let (mut report, log) = (Report::new("channels"), recorded());
        report.put(
            "machine",
            machine(&std::env::temp_dir(), options.launch.pinned),
        );
        if !push_only {
            in_one_thread(if quick { 1 } else { 10 }, &log, &mut report);
        }
        push::measure(&options, &log, &mut report).await?;
        Ok(report)
    })
}

fn in_one_thread(size: usize, log: &[u8], report: &mut Report) {
    report.put("rounds", json!(ROUNDS));
    report.put("statistics", statistics(200_000 * size));
    report.put("records", records(2_000 * size));
    report.put(
        "access_logs",
        json!({
            "combined": import(&Format::combined(), log, 4 * size),
            "nginx_json": import(&Format::nginx_json(), &as_json(log), 4 * size),
            "pattern_with_times": import(&pattern(), &as_pattern(log), 4 * size),
        }),
    );
}

/// CPU nanoseconds of this thread so far.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split(' ').next();
    first.and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

/// Least CPU and wall seconds of the rounds.
fn best(mut round: impl FnMut()) -> (f64, f64) {
    let mut found = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        let (cpu, begun) = (cpu_ns(), Instant::now());
        round();
        let wall = begun.elapsed().as_secs_f64();
        // A round shorter than a tick of the kernel shows no CPU time: the wall bounds it.
        let cpu = (cpu_ns() - cpu) as f64 / 1e9;
        let cpu = if cpu > 0.0 { cpu } else { wall };
        found = (found.0.min(cpu), found.1.min(wall));
    }
    found
}

fn rate(count: usize, secs: (f64, f64)) -> Value {
    json!({
        "per_cpu_second": (count as f64 / secs.0).round(),
        "per_second": (count as f64 / secs.1).round(),
        "cpu_ns_each": (secs.0 * 1e10 / count as f64).round() / 10.0,
    })
}

/// Chance that is the same at every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Around 80 ms, one in a hundred around two seconds.
    fn micros(&mut self) -> u64 {
        let spread: u64 = (0..4).map(|_| self.next() % 40_000).sum();
        match self.next().is_multiple_of(100) {
            true => 1_000_000 + spread * 12,
            false => 1_000 + spread,
        }
    }

    fn call(&mut self) -> Measured<'static> {
        let failed = self.next().is_multiple_of(200);
        Measured {
            caller: CALLERS[self.next() as usize % CALLERS.len()],
            version: "v2",
            outcome: if failed { Outcome::Failed } else { Outcome::Ok },
            status: Some(if failed { 502 } else { 200 }),
            micros: Some(self.micros()),
        }
    }
}

fn channel(start: Timestamp) -> Channel {
    let setup = Setup {
        name: Name::same("bench"),
        provider: "bench".to_owned(),
        direction: Direction::Through,
        consumer: None,
        group: None,
        endpoint: None,
        owner: None,
        hall: None,
        time_zone: TimeZone::SHANGHAI,
        expected_every_secs: None,
        upstream: None,
        probe: None,
        limits: Limits::default(),
    };
    let mut channel = Channel::default();
    let id = "bench".parse().unwrap_or_else(|error| panic!("{error}"));
    let command = ChannelCommand::SetUp {
        channel: id,
        setup,
        revision: None,
    };
    for event in channel.decide(&command, "bench", start).unwrap_or_default() {
        let recorded = Recorded {
            seq: channel.seq() + 1,
            at: start,
            by: String::new(),
            event,
        };
        channel.apply(&recorded);
    }
    channel
}

/// A day of calls at 20 a second, then as fast as can be, 50 to a millisecond.
fn statistics(count: usize) -> Value {
    let start = Timestamp::from_millis(1_767_574_800_000);
    let mut channel = channel(start);
    let mut chance = Chance(88_172_645_463_325_252);
    let mut now = start;
    for _ in 0..86_400 {
        now = now.plus_secs(1);
        for _ in 0..20 {
            channel.record(&chance.call(), None, now);
        }
    }
    let bytes_after_a_day = channel.bytes();
    let making = best(|| {
        for _ in 0..count {
            black_box(chance.call());
        }
    });
    let recording = best(|| {
        for number in 0..count {
            now = Timestamp::from_millis(now.millis() + i64::from(number % 50 == 0));
            black_box(channel.record(&chance.call(), None, now));
        }
    });
    channel.advance(now);
    let times = count / 100;
    let asked = |ask: &dyn Fn(&Channel)| {
        let secs = best(|| (0..times).for_each(|_| ask(&channel)));
        (secs.0 * 1e9 / times as f64).round()
    };
    let figures = |window: Window| {
        asked(&|channel| {
            black_box(channel.figures(window));
        })
    };
    let known = asked(&|channel| {
        black_box(facts(channel, &Beyond::default(), now));
    });
    let judged = asked(&|channel| {
        black_box(channel.elapse(now));
    });
    json!({
        "recorded": rate(count, recording),
        "of_it_making_the_calls_cpu_ns_each": (making.0 * 1e10 / count as f64).round() / 10.0,
        "figures_cpu_ns": {
            "minute": figures(Window::Minute),
            "five_minutes": figures(Window::FiveMinutes),
            "hour": figures(Window::Hour),
            "day": figures(Window::Day),
        },
        "facts_for_rules_cpu_ns": known,
        "judged_cpu_ns": judged,
        "bytes_after_a_day_of_20_calls_a_second": bytes_after_a_day,
        "bytes": channel.bytes(),
    })
}

/// Records as JSON: parsed, checked and masked.
fn records(count: usize) -> Value {
    let text = json!({
        "id": "c-000001", "caller": "e-form", "version": "v2", "at": "2026-01-05T09:00:00+08:00",
        "duration_ms": 83.25, "status": 200, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "request": {
            "method": "POST", "path": "/cases/350102/steps?x=1",
            "headers": {"authorization": "Bearer abc"},
            "body": {
                "case_no": "2026-000123", "note": "电话 138 1234 5678",
                "applicant": {"name": "张三", "id_number": "11010519491231002X"},
            },
        },
        "response": {"code": 0, "message": "ok", "data": {"id": 17}},
    })
    .to_string();
    let id = "bench".parse().unwrap_or_else(|error| panic!("{error}"));
    let (limits, masking) = (Limits::default(), Masking::default());
    let now = Timestamp::from_millis(1_767_574_800_000);
    let secs = best(|| {
        for _ in 0..count {
            let new: NewCall =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
            let call = new.checked(&id, String::new, &limits, &masking, now);
            drop(black_box(call));
        }
    });
    json!({"bytes": text.len(), "parsed_checked_and_masked": rate(count, secs)})
}

fn recorded() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/access-log.txt");
    std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn pattern() -> Format {
    let text = r#"$remote_addr [$time_local] "$request" $status $body_bytes_sent $request_time"#;
    Format::pattern(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The recorded log's lines in another form, with times of answers, which it does not have.
fn lines(log: &[u8], write: impl Fn(&str, &str, &str, &str, String) -> String) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, line) in log.split(|b| *b == b'\n').enumerate() {
        let line = String::from_utf8_lossy(line);
        let mut quoted = line.split('"');
        let (head, request) = (quoted.next().unwrap_or(""), quoted.next().unwrap_or(""));
        let status = quoted.next().unwrap_or("").trim().split(' ').next();
        let address = head.split(' ').next().unwrap_or("");
        let Some(time) = head.split(['[', ']']).nth(1) else {
            continue;
        };
        let ms = number * 7919 % 3000;
        let took = format!("{}.{:03}", ms / 1000, ms % 1000);
        let line = write(address, time, request, status.unwrap_or("200"), took);
        out.extend_from_slice(line.as_bytes());
    }
    out
}

fn as_pattern(log: &[u8]) -> Vec<u8> {
    lines(log, |address, time, request, status, took| {
        format!("{address} [{time}] \"{request}\" {status} 1234 {took}\n")
    })
}

fn as_json(log: &[u8]) -> Vec<u8> {
    lines(log, |address, _, request, status, took| {
        let line = json!({
            "time_iso8601": "2026-01-05T09:00:00+08:00", "remote_addr": address,
            "remote_user": "", "request": request, "status": status, "body_bytes_sent": "1234",
            "request_time": took, "http_user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
        });
        format!("{line}\n")
    })
}

/// A log so many times over, in pieces of 64 KiB, with its figures by status, hour, path family and caller.
fn import(format: &Format, log: &[u8], times: usize) -> Value {
    let mut counted = (0, 0);
    let secs = best(|| {
        let mut import = Import::new(format.clone(), 400, 2_000_000);
        for piece in (0..times).flat_map(|_| log.chunks(64 * 1024)) {
            let _ = import.feed(piece, &mut |line| {
                black_box(line.id);
                ControlFlow::Continue(())
            });
        }
        let report = import.report();
        counted = (report.good, report.bad);
    });
    let megabytes = (log.len() * times) as f64 / 1e6;
    json!({
        "lines": counted.0,
        "bad": counted.1,
        "read_and_counted": rate(counted.0 as usize, secs),
        "mb_per_cpu_second": (megabytes / secs.0).round(),
    })
}
