//! What rules know of a channel, and the shipped rules on channels as they live.

use rules::alerts::catalogue;
use rules::alerts::engine::{Compiled, Engine};
use rules::alerts::facts::channel::{Beyond, Node, facts};
use rules::alerts::shipped::shipped;
use rules::alerts::source::RuleFile;
use rules::alerts::subject::{SubjectKind, Value};
use rules::alerts::watch::Phase;
use rules::channels::{CallRefusal, Outcome};

use crate::support::{Story, call, setup};

fn known(story: &Story, name: &str) -> Value {
    let beyond = Beyond {
        unacknowledged: Some(2),
        node: Node {
            cpu_percent: Some(12.5),
            ..Node::default()
        },
        ..Beyond::default()
    };
    let facts = facts(&story.channel, &beyond, story.now).expect("a channel");
    let (slot, _) = catalogue::find(SubjectKind::Channel, name).expect("a variable");
    facts.values[slot].clone()
}

#[test]
fn a_channel_is_known_by_its_last_five_minutes() {
    let mut set_up = setup();
    set_up.group = Some("ministry".to_owned());
    set_up.expected_every_secs = Some(600);
    let mut story = Story::new(set_up);
    assert_eq!(known(&story, "success_percent_5min"), Value::Missing);
    assert_eq!(known(&story, "p95_ms"), Value::Missing);
    for millis in [100, 200, 300, 400] {
        story.records(&call(Outcome::Ok, millis));
    }
    story.records(&call(Outcome::Failed, 5000));
    let refused = call(Outcome::Refused, 0);
    story
        .channel
        .record(&refused, Some(CallRefusal::VersionRevoked), story.now);
    story.at("09:02:30");
    for (name, value) in [
        ("consecutive_failures", 1.0),
        ("calls_5min", 5.0),
        ("failures_5min", 1.0),
        ("success_percent_5min", 80.0),
        ("p50_ms", 300.0),
        ("p95_ms", 5000.0),
        ("slow_percent_5min", 20.0),
        ("calls_per_minute", 1.0),
        ("refused_5min", 1.0),
        ("top_caller_percent", 100.0),
        ("silent_minutes", 2.5),
        ("expected_every_minutes", 10.0),
        ("unacknowledged", 2.0),
        ("cpu_percent", 12.5),
    ] {
        assert_eq!(known(&story, name), Value::Number(value), "{name}");
    }
    assert_eq!(known(&story, "state"), Value::Text("healthy".into()));
    assert_eq!(known(&story, "group"), Value::Text("ministry".into()));
    assert_eq!(known(&story, "withdrawn_version_called"), Value::Bool(true));
    for name in [
        "gpu_percent",
        "usual_calls_per_minute",
        "oldest_unacknowledged_minutes",
    ] {
        assert_eq!(known(&story, name), Value::Missing, "{name}");
    }
}

/// Rules of channels over one story.
struct Watched {
    engine: Engine,
    told: Vec<String>,
}

impl Watched {
    fn new() -> Self {
        let files = shipped()
            .iter()
            .map(|(_, text)| RuleFile::parse(text).expect("a rule file"));
        let rules = files.flat_map(|file| file.rules);
        let of_channels = rules.filter(|rule| rule.subject == SubjectKind::Channel);
        let compiled = of_channels.map(|rule| Compiled::new(&rule, 1).expect("a rule"));
        Self {
            engine: Engine::new(compiled.collect()),
            told: Vec::new(),
        }
    }

    fn look(&mut self, story: &Story) {
        let facts = facts(&story.channel, &Beyond::default(), story.now).expect("a channel");
        for observation in self.engine.feed("channel sms", &[facts], story.now) {
            let what = match (observation.phase, &observation.finding) {
                (Phase::Firing { .. }, Some(_)) => "raised",
                (Phase::Normal, _) => "resolved",
                _ => continue,
            };
            self.told.push(format!("{what} {}", observation.rule));
        }
    }
}

/// AC-F02-3 and AC-A09-2, from calls to the alert.
#[test]
fn the_tenth_call_raises_one_alert_and_the_third_success_ends_it() {
    let mut story = Story::new(setup());
    let mut watched = Watched::new();
    for (number, outcome) in "FFFFSFFFFF".chars().enumerate() {
        story.calls(&outcome.to_string());
        watched.look(&story);
        let alarms = if number < 9 { 0 } else { 1 };
        assert_eq!(
            watched.told.len(),
            alarms,
            "call {}: {:?}",
            number + 1,
            watched.told
        );
    }
    for _ in 0..3 {
        story.calls("S");
        watched.look(&story);
    }
    assert_eq!(
        watched.told,
        ["raised R07-api-failures", "resolved R07-api-failures"]
    );
}

/// AC-F02-4, from calls to the alert.
#[test]
fn a_hundred_slow_calls_raise_one_alert_and_ten_none() {
    let mut story = Story::new(setup());
    let mut watched = Watched::new();
    for _ in 0..10 {
        story.records(&call(Outcome::Ok, 2600));
    }
    story.at("09:00:30");
    watched.look(&story);
    assert!(watched.told.is_empty());
    for _ in 0..90 {
        story.records(&call(Outcome::Ok, 2600));
    }
    for time in ["09:01", "09:02", "09:03"] {
        story.at(time);
        watched.look(&story);
    }
    assert_eq!(watched.told, ["raised R08-api-slow"]);
}
