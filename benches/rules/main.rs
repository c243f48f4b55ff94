//! What a pass over many rule instances costs: evaluation, watches, the alert desk's decisions, its
//! events and rows as JSON, and their durable append to the database that the server uses. Beside it
//! Prometheus on the same condition, if it is here.

#[path = "../support/mod.rs"]
mod support;

mod prometheus;

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::clock::ReplayClock;
use actors::desk::Desk;
use actors::journal::Journal;
use anyhow::{Context as _, Result, anyhow, ensure};
use rules::alerts::catalogue;
use rules::alerts::engine::{Compiled, Engine, Observation};
use rules::alerts::rule::Rule;
use rules::alerts::source::RuleFile;
use rules::alerts::subject::{Facts, Subject, SubjectKind, Value};
use rules::desk::{AlertDesk, Command, RuleCommand, SourcedRule};
use rules::name::Name;
use rules::time::Timestamp;
use serde_json::{Value as Json, json};
use support::args::Args;
use support::procfs::CpuMeter;
use support::report::{Report, machine, progress, rounded, run, skipped_when_unoptimised};
use support::server::{Launch, sqlite_in};

const USAGE: &str = "\
rules: what a pass over many rule instances costs, events and their durable append included

  cargo bench --bench rules [-- OPTIONS]

  --passes N         passes of each shape (40)
  --shape RxS        only this: rules of each kind x subjects of each kind
  --turns-one-in N   of that shape: one subject in N turns at each pass (100)
  --prometheus PATH  the program to measure beside ours (prometheus)
  --seconds N        how long it is measured (30)
  --quick            5 passes
  --dir DIR          where the database is made (cargo's target directory)

Prints one JSON document.";

/// Typical conditions: a queue's and a channel's.
const E1: &str = "wait_p90_minutes > 30 && waiting > 2 * open_windows";
const E2: &str = "(success_percent_5min < 95 && calls_5min >= 20) || consecutive_failures >= 5 || (p95_ms > 800 && calls_per_minute >= 9 && calls_per_minute < 17)";

const PASSES: u64 = 40;
/// Passes before the measured ones: what is allocated once is allocated then.
const WARM_UP: u64 = 3;
/// Subjects that one source hands in at once, as a hall does.
const PER_SOURCE: usize = 100;
/// One subject in so many turns from good to bad or back, at each pass: as on a bad day, and as in a storm
/// of 1,000 alerts that come and go at each pass over 100,000 instances.
const TURNS_ONE_IN: [u64; 2] = [1_000, 100];
/// Rules of each kind and subjects of each kind: half of the instances are queues, half channels.
const SHAPES: [(usize, usize); 5] = [(1, 5_000), (50, 100), (5_000, 1), (10, 5_000), (500, 100)];
const START: Timestamp = Timestamp::from_millis(1_767_574_800_000);

fn main() -> ExitCode {
    let mut args = Args::read(USAGE);
    let quick = args.flag("--quick");
    if skipped_when_unoptimised("rules", quick) {
        return ExitCode::SUCCESS;
    }
    let launch = match Launch::from_args(&mut args) {
        Ok(launch) => launch,
        Err(error) => args.refuse(&format!("{error:#}")),
    };
    let passes = args
        .value("--passes")
        .unwrap_or(if quick { 5 } else { PASSES });
    let shape: Option<String> = args.value("--shape");
    let turns_one_in = args.value("--turns-one-in").unwrap_or(TURNS_ONE_IN[1]);
    let prometheus = args.value("--prometheus");
    let seconds = args.value("--seconds").unwrap_or(30);
    args.finish();
    if let Some(shape) = shape {
        // The desk's actor needs arbiters, and those a system.
        let measured =
            actix::System::new().block_on(measure_one(&launch, &shape, turns_one_in, passes));
        return run(std::future::ready(measured));
    }
    run(async move {
        let mut report = measure_each(passes)?;
        report.put("prometheus", prometheus::measure(prometheus, seconds));
        Ok(report)
    })
}

/// Each shape in a process of its own, so that none pays for what another left behind.
fn measure_each(passes: u64) -> Result<Report> {
    let mut report = Report::new("rules");
    report.put("conditions", json!([E1, E2]));
    let mut figures = Vec::new();
    let each = |one_in| SHAPES.map(|(rules, subjects)| (one_in, format!("{rules}x{subjects}")));
    for (one_in, shape) in TURNS_ONE_IN.into_iter().flat_map(each) {
        progress(&format!("{shape} of each kind, 1 in {one_in} turning"));
        let own = std::env::current_exe()?;
        let (one_in, passes) = (one_in.to_string(), passes.to_string());
        let output = std::process::Command::new(own)
            .args(["--bench", "--shape", &shape, "--passes", &passes])
            .args(["--turns-one-in", &one_in])
            .args(std::env::args().skip_while(|one| one != "--dir").take(2))
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(output.status.success(), "{shape} failed");
        let printed: Json = serde_json::from_slice(&output.stdout)?;
        report.put("machine", printed["machine"].clone());
        figures.push(printed["instances"].clone());
    }
    report.put("instances", json!(figures));
    Ok(report)
}

async fn measure_one(
    launch: &Launch,
    shape: &str,
    turns_one_in: u64,
    passes: u64,
) -> Result<Report> {
    let (rules, subjects) = shape
        .split_once('x')
        .and_then(|(rules, subjects)| Some((rules.parse().ok()?, subjects.parse().ok()?)))
        .context("--shape is rules x subjects, such as 50x100")?;
    let scratch = launch.scratch("rules")?;
    let data = scratch.data()?;
    let mut report = Report::new("rules");
    report.put("machine", machine(&data, false));
    let world = World::new(subjects, turns_one_in);
    let figures = measure(rules, world, passes, &data).await?;
    report.put("instances", figures);
    Ok(report)
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

    fn one_in(&mut self, of: u64) -> bool {
        self.next().is_multiple_of(of)
    }

    fn below(&mut self, bound: f64) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64 * bound
    }
}

fn rule(kind: SubjectKind, number: usize) -> Rule {
    let when = if kind == SubjectKind::Queue { E1 } else { E2 };
    let text = format!(
        "version = 1\n[[rule]]\nid = '{kind}-{number}'\nname = 'rule {number}'\ntopic = 'flow'\nsubject = '{kind}'\n\
         when = '{when}'\nfor = '1s'\nflap = true\nlimit = 100000\nnotify = ['role:supervisor']\n",
        kind = kind.name()
    );
    let file = RuleFile::parse(&text);
    file.unwrap_or_else(|faults| panic!("{faults:?}"))
        .rules
        .remove(0)
}

fn slot(kind: SubjectKind, name: &str) -> usize {
    let found = catalogue::find(kind, name);
    found.unwrap_or_else(|| panic!("{name} is no variable")).0
}

/// Watched things whose values change at every pass.
struct World {
    facts: Vec<Facts>,
    bad: Vec<bool>,
    turns_one_in: u64,
    chance: Chance,
    queue: [usize; 3],
    channel: [usize; 5],
}

impl World {
    fn new(subjects: usize, turns_one_in: u64) -> Self {
        use SubjectKind::{Channel, Queue};
        let of = |kind: SubjectKind, number: usize| Facts {
            subject: Subject::new(kind, &format!("H{}/{number}", number / PER_SOURCE)),
            label: Name::same(format!("{} {number}", kind.name())),
            hall: None,
            department: None,
            handler: None,
            values: vec![Value::Missing; catalogue::variables(kind).len()].into(),
        };
        let kinds = [Queue, Channel];
        let facts = kinds
            .iter()
            .flat_map(|kind| (0..subjects).map(|n| of(*kind, n)));
        Self {
            facts: facts.collect(),
            bad: vec![false; 2 * subjects],
            turns_one_in,
            chance: Chance(88_172_645_463_325_252),
            queue: ["wait_p90_minutes", "waiting", "open_windows"].map(|name| slot(Queue, name)),
            channel: [
                "success_percent_5min",
                "calls_5min",
                "consecutive_failures",
                "p95_ms",
                "calls_per_minute",
            ]
            .map(|name| slot(Channel, name)),
        }
    }

    fn turn(&mut self) {
        for (facts, bad) in self.facts.iter_mut().zip(&mut self.bad) {
            *bad ^= self.chance.one_in(self.turns_one_in);
            let wobble = self.chance.below(10.0);
            let mut set = |slot: usize, number: f64| facts.values[slot] = Value::Number(number);
            match facts.subject.kind {
                SubjectKind::Queue => {
                    set(self.queue[0], if *bad { 35.0 } else { 15.0 } + wobble);
                    set(self.queue[1], 20.0 + wobble);
                    set(self.queue[2], 4.0);
                }
                _ => {
                    set(
                        self.channel[0],
                        if *bad { 80.0 } else { 96.0 } + wobble / 4.0,
                    );
                    set(self.channel[1], 60.0 + wobble);
                    set(self.channel[2], (wobble / 5.0).floor());
                    set(self.channel[3], 400.0 + wobble);
                    set(self.channel[4], 12.0);
                }
            }
        }
    }
}

async fn measure(rules: usize, mut world: World, passes: u64, data: &Path) -> Result<Json> {
    use SubjectKind::{Channel, Queue};
    let all: Vec<Rule> = [Queue, Channel]
        .iter()
        .flat_map(|kind| (0..rules).map(|n| rule(*kind, n)))
        .collect();
    let compiled: Result<Vec<Compiled>, _> =
        all.iter().map(|rule| Compiled::new(rule, 1)).collect();
    let mut engine = Engine::new(compiled.map_err(|faults| anyhow!("{faults:?}"))?);
    let stores = hallkeeper::store::open(&sqlite_in(data), data).await?;
    let clock = Arc::new(ReplayClock::new(START, 1.0));
    let arbiter = actix::Arbiter::new();
    let journal = Journal::start(stores.journal);
    let desk = Desk::<AlertDesk>::start(journal, clock.clone(), arbiter.handle()).await?;
    install(&desk, &all).await?;
    world.turn();
    feed(&mut engine, &world, START);
    let (mut evaluation, mut turned) = (Duration::ZERO, 0);
    let mut before = None;
    let mut meter = CpuMeter::of_this_process();
    for pass in 1..=WARM_UP + passes {
        if pass == WARM_UP + 1 {
            before = Some((settled(&mut meter).await, Instant::now(), seq_of(&desk)));
            (evaluation, turned) = (Duration::ZERO, 0);
        }
        let now = START.plus_secs(pass);
        clock.skip_to(now);
        world.turn();
        let begun = Instant::now();
        let found = feed(&mut engine, &world, now);
        evaluation += begun.elapsed();
        turned += found.len();
        if !found.is_empty() {
            desk.submit(Command::Observe(found), "bench", None).await?;
        }
    }
    let (cpu, begun, seq) = before.context("a pass is measured")?;
    let wall = begun.elapsed().as_secs_f64() * 1e3;
    let cpu = (settled(&mut meter).await - cpu) * 1e3;
    let each = |sum: f64| rounded(sum / passes as f64);
    Ok(json!({
        "instances": engine.len(),
        "rules": 2 * rules,
        "subjects": world.facts.len(),
        "turning_percent": 100.0 / world.turns_one_in as f64,
        "cpu_ms_per_pass": each(cpu),
        "wall_ms_per_pass": each(wall),
        "of_it_evaluation": each(evaluation.as_secs_f64() * 1e3),
        "changes_per_pass": each(turned as f64),
        "events_per_pass": each((seq_of(&desk) - seq) as f64),
    }))
}

async fn install(desk: &Desk<AlertDesk>, rules: &[Rule]) -> Result<()> {
    // The rulebook holds a thousand rules; beyond that only the engine is asked.
    for some in rules.chunks(500).take(2) {
        let sourced = some.iter().map(|rule| SourcedRule {
            rule: rule.clone(),
            source: String::new(),
        });
        let install = Command::Rule(RuleCommand::Install(sourced.collect()));
        desk.submit(install, "bench", None).await?;
    }
    Ok(())
}

/// Seconds of CPU of all threads, once they rest: the kernel counts a thread when it leaves its core.
async fn settled(meter: &mut CpuMeter) -> f64 {
    tokio::time::sleep(Duration::from_millis(50)).await;
    meter.read().ran
}

fn seq_of(desk: &Desk<AlertDesk>) -> u64 {
    *desk.changed().borrow()
}

fn feed(engine: &mut Engine, world: &World, now: Timestamp) -> Vec<Observation> {
    let mut found = Vec::new();
    for (source, facts) in world.facts.chunks(PER_SOURCE).enumerate() {
        found.extend(engine.feed(&format!("source {source}"), facts, now));
    }
    found
}
