//! What a pass over many rule instances costs: evaluation, watches, the alert desk's decisions, its
//! events as JSON and their durable append. Beside it Prometheus on the same condition, if it is here.
//!
//!     cargo bench -p rules --bench rules [-- --prometheus PATH] [--seconds N] [--quick]
//!
//! Prints one JSON document. Linux only: CPU time is read from `/proc`.

#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock; nothing of the core does"
)]

mod prometheus;

use std::fs::File;
use std::io::Write as _;
use std::time::Instant;

use rules::alerts::catalogue;
use rules::alerts::engine::{Compiled, Engine};
use rules::alerts::rule::Rule;
use rules::alerts::source::RuleFile;
use rules::alerts::subject::{Facts, Subject, SubjectKind, Value};
use rules::desk::{AlertDesk, Command, RuleCommand, SourcedRule};
use rules::machine::{Machine as _, Recorded};
use rules::name::Name;
use rules::time::Timestamp;
use serde_json::{Value as Json, json};

/// Typical conditions: a queue's and a channel's.
const E1: &str = "wait_p90_minutes > 30 && waiting > 2 * open_windows";
const E2: &str = "(success_percent_5min < 95 && calls_5min >= 20) || consecutive_failures >= 5 || (p95_ms > 800 && calls_per_minute >= 9 && calls_per_minute < 17)";

const PASSES: u64 = 40;
/// Subjects that one source hands in at once, as a hall does.
const PER_SOURCE: usize = 100;
/// One subject in so many turns from good to bad or back, at each pass.
const TURNS_ONE_IN: u64 = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        let place = arguments.iter().position(|one| one == name)?;
        arguments.get(place + 1).cloned()
    };
    if cfg!(debug_assertions) {
        println!(
            "{}",
            json!({"program": "rules", "skipped": "built without optimisation"})
        );
        return;
    }
    let quick = arguments.iter().any(|one| one == "--quick");
    let passes = if quick { 5 } else { PASSES };
    // Rules of each kind, subjects of each kind: half of the instances are queues, half channels.
    let shapes: &[(usize, usize)] = &[(1, 5_000), (50, 100), (5_000, 1), (10, 5_000), (500, 100)];
    let figures: Vec<Json> = shapes
        .iter()
        .map(|(rules, subjects)| measure(*rules, *subjects, passes))
        .collect();
    let seconds = after("--seconds").and_then(|text| text.parse().ok());
    let beside = prometheus::measure(after("--prometheus"), seconds.unwrap_or(30));
    let all = json!({
        "program": "rules",
        "conditions": [E1, E2],
        "passes": passes,
        "turning_percent": 100.0 / TURNS_ONE_IN as f64,
        "instances": figures,
        "prometheus": beside,
    });
    println!("{all:#}");
}

/// CPU nanoseconds of this process so far.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|ns| ns.parse().ok())
        .unwrap_or(0)
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
    chance: Chance,
    queue: [usize; 3],
    channel: [usize; 5],
}

impl World {
    fn new(subjects: usize) -> Self {
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
            *bad ^= self.chance.one_in(TURNS_ONE_IN);
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

/// What one pass cost, in milliseconds of CPU; the append to disk also by the wall.
#[derive(Default)]
struct Cost {
    values: f64,
    evaluate: f64,
    desk: f64,
    journal: f64,
    journal_wall: f64,
    events: usize,
    turned: usize,
}

impl Cost {
    fn all(&self) -> f64 {
        self.values + self.evaluate + self.desk + self.journal
    }
}

fn measure(rules: usize, subjects: usize, passes: u64) -> Json {
    use SubjectKind::{Channel, Queue};
    let kinds = [Queue, Channel];
    let all: Vec<Rule> = kinds
        .iter()
        .flat_map(|kind| (0..rules).map(|n| rule(*kind, n)))
        .collect();
    let compiled = all.iter().map(|rule| Compiled::new(rule, 1));
    let compiled: Result<Vec<Compiled>, _> = compiled.collect();
    let mut engine = Engine::new(compiled.unwrap_or_else(|errors| panic!("{errors:?}")));
    let mut desk = AlertDesk::default();
    let start = Timestamp::from_millis(1_767_574_800_000);
    for some in all.chunks(500) {
        let sourced = some.iter().map(|rule| SourcedRule {
            rule: rule.clone(),
            source: String::new(),
        });
        // The rulebook holds a thousand rules; beyond that only the engine is asked.
        let install = Command::Rule(RuleCommand::Install(sourced.collect()));
        if let Ok(events) = desk.decide(&install, "bench", start) {
            apply(&mut desk, events, start);
        }
    }
    let path = std::env::temp_dir().join(format!("hallkeeper-rules-{}", std::process::id()));
    let mut journal = File::create(&path).unwrap_or_else(|error| panic!("{error}"));
    let mut world = World::new(subjects);
    world.turn();
    feed(&mut engine, &world, start);
    let costs: Vec<Cost> = (1..=passes)
        .map(|pass| {
            one_pass(
                &mut engine,
                &mut desk,
                &mut world,
                &mut journal,
                start.plus_secs(pass),
            )
        })
        .collect();
    let _ = std::fs::remove_file(&path);
    report(engine.len(), rules, subjects, &costs)
}

fn feed(
    engine: &mut Engine,
    world: &World,
    now: Timestamp,
) -> Vec<rules::alerts::engine::Observation> {
    let mut found = Vec::new();
    for (source, facts) in world.facts.chunks(PER_SOURCE).enumerate() {
        found.extend(engine.feed(&format!("source {source}"), facts, now));
    }
    found
}

fn apply(
    desk: &mut AlertDesk,
    events: Vec<rules::desk::Event>,
    now: Timestamp,
) -> Vec<Recorded<rules::desk::Event>> {
    let recorded: Vec<_> = (desk.seq() + 1..)
        .zip(events)
        .map(|(seq, event)| Recorded {
            seq,
            at: now,
            by: "clock".to_owned(),
            event,
        })
        .collect();
    for one in &recorded {
        desk.apply(one);
    }
    recorded
}

fn one_pass(
    engine: &mut Engine,
    desk: &mut AlertDesk,
    world: &mut World,
    journal: &mut File,
    now: Timestamp,
) -> Cost {
    let mut last = cpu_ns();
    let mut lap = || {
        let now = cpu_ns();
        let spent = (now - last) as f64 / 1e6;
        last = now;
        spent
    };
    world.turn();
    let values = lap();
    let observations = feed(engine, world, now);
    let evaluate = lap();
    let turned = observations.len();
    let decided = desk.decide(&Command::Observe(observations), "clock", now);
    let mut events = decided.unwrap_or_default();
    events.extend(desk.elapse(now));
    let recorded = apply(desk, events, now);
    let rows = desk.items(&recorded);
    let desk_cost = lap();
    let begun = Instant::now();
    let mut text = Vec::new();
    for one in &recorded {
        serde_json::to_writer(&mut text, one).unwrap_or_else(|error| panic!("{error}"));
        text.push(b'\n');
    }
    for row in &rows {
        serde_json::to_writer(&mut text, row).unwrap_or_else(|error| panic!("{error}"));
        text.push(b'\n');
    }
    journal
        .write_all(&text)
        .unwrap_or_else(|error| panic!("{error}"));
    journal
        .sync_data()
        .unwrap_or_else(|error| panic!("{error}"));
    Cost {
        values,
        evaluate,
        desk: desk_cost,
        journal: lap(),
        journal_wall: begun.elapsed().as_secs_f64() * 1e3,
        events: recorded.len(),
        turned,
    }
}

fn report(instances: usize, rules: usize, subjects: usize, costs: &[Cost]) -> Json {
    // The kernel counts in ticks of some milliseconds, so only the mean of many passes is exact.
    let mean = |of: &dyn Fn(&Cost) -> f64| {
        let sum: f64 = costs.iter().map(of).sum();
        (sum / costs.len() as f64 * 1000.0).round() / 1000.0
    };
    let worst = costs.iter().map(Cost::all).fold(0.0, f64::max);
    let evaluate = mean(&|cost| cost.evaluate);
    json!({
        "instances": instances,
        "rules": 2 * rules,
        "subjects": 2 * subjects,
        "cpu_ms_per_pass": mean(&Cost::all),
        "cpu_ms_worst_pass": (worst * 1000.0).round() / 1000.0,
        "of_it_values": mean(&|cost| cost.values),
        "of_it_evaluation": evaluate,
        "of_it_desk": mean(&|cost| cost.desk),
        "of_it_journal": mean(&|cost| cost.journal),
        "append_wall_ms": mean(&|cost| cost.journal_wall),
        "evaluation_ns_per_instance": (evaluate * 1e6 / instances as f64).round(),
        "changes_per_pass": mean(&|cost| cost.turned as f64),
        "events_per_pass": mean(&|cost| cost.events as f64),
    })
}
