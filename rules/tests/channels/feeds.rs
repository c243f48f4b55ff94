//! Feeds: schedules, checks, quarantine, retries, reconciliation.

use std::collections::BTreeMap;

use rules::alerts::catalogue;
use rules::alerts::facts::batch::{Beyond, facts};
use rules::alerts::subject::{SubjectKind, Value};
use rules::channels::feed::batch::{RECORDS_MAX, Verdict};
use rules::channels::feed::{
    BatchState, Feed, FeedCommand, FeedDirection, FeedEvent, FeedRefusal, FeedSetup, NewRecord,
    Schedule, Sent,
};
use rules::machine::{Machine as _, Recorded, Refuse as _};
use rules::name::Name;
use rules::testing::clock;
use rules::time::{TimeZone, Timestamp};
use serde_json::json;

struct Story {
    feed: Feed,
    journal: Vec<Recorded<FeedEvent>>,
    now: Timestamp,
}

fn setup(direction: FeedDirection) -> FeedSetup {
    let checks = json!([
        {"name": "date", "kind": "date", "required": true},
        {"name": "item", "kind": "code", "values": ["A1", "A2"]},
        {"name": "count", "kind": "number"},
        {"name": "note", "kind": "text"},
    ]);
    FeedSetup {
        name: Name::new("事项同步", "Items of the province"),
        direction,
        kind: "items".to_owned(),
        party: "province".to_owned(),
        channel: None,
        schedule: Schedule::AnyTime,
        checks: serde_json::from_value(checks).expect("checks"),
        hall: None,
        owner: None,
        time_zone: TimeZone::SHANGHAI,
    }
}

impl Story {
    fn new(setup: FeedSetup) -> Self {
        let mut story = Self {
            feed: Feed::default(),
            journal: Vec::new(),
            now: clock("09:00"),
        };
        let feed = "items".parse().expect("an id");
        story.does(FeedCommand::SetUp {
            feed,
            setup: Box::new(setup),
        });
        story
    }

    fn at(&mut self, time: &str) -> &mut Self {
        self.now = clock(time);
        self
    }

    fn does(&mut self, command: FeedCommand) -> &mut Self {
        let events = self.feed.decide(&command, "steward", self.now);
        for event in events.unwrap_or_else(|refusal| panic!("{refusal}")) {
            let recorded = Recorded {
                seq: self.feed.seq() + 1,
                at: self.now,
                by: "steward".to_owned(),
                event,
            };
            self.feed.apply(&recorded);
            self.journal.push(recorded);
        }
        self
    }

    fn refuses(&self, command: &FeedCommand) -> FeedRefusal {
        self.feed
            .decide(command, "steward", self.now)
            .expect_err("a refusal")
    }

    fn receives(&mut self, records: Vec<NewRecord>) -> &mut Self {
        self.does(FeedCommand::Receive {
            batch: "b1".to_owned(),
            records,
        })
    }

    fn sends(&mut self, results: Vec<Sent>) -> &mut Self {
        self.does(FeedCommand::Send {
            batch: "b1".to_owned(),
            results,
        })
    }

    fn batch(&self) -> &rules::channels::feed::Batch {
        self.feed.batch("b1").expect("a batch")
    }

    fn known(&self, name: &str) -> Value {
        let facts = facts(&self.feed, &Beyond::default(), self.now).expect("a feed");
        let (slot, _) = catalogue::find(SubjectKind::Batch, name).expect("a variable");
        facts.values[slot].clone()
    }
}

fn record(number: usize, date: &str, item: &str) -> NewRecord {
    let body = json!({"date": date, "item": item});
    NewRecord {
        id: format!("r{number}"),
        row: Some(number as u64),
        digest: body.to_string(),
        body,
    }
}

fn sent(number: usize, failed: Option<&str>) -> Sent {
    Sent {
        id: format!("r{number}"),
        failed: failed.map(str::to_owned),
    }
}

fn close() -> FeedCommand {
    FeedCommand::Close {
        batch: "b1".to_owned(),
    }
}

/// AC-D04-1, and AC-F04-2 with its row numbers.
#[test]
fn of_a_thousand_records_three_are_corrected_and_two_held_back() {
    let mut story = Story::new(setup(FeedDirection::Receive));
    let records = (1..=1000).map(|number| match number {
        7 | 70 | 700 => record(number, "2026/11/2", "A1"),
        8 | 80 => record(number, "2026-11-02", "Z9"),
        _ => record(number, "2026-11-02", "A2"),
    });
    story.receives(records.collect());
    let batch = story.batch();
    assert_eq!(
        (batch.accepted, batch.corrected, batch.rejected()),
        (995, 3, 2)
    );
    assert_eq!(batch.received(), 1000);
    let correction = &batch.corrections["r70"][0];
    assert_eq!(
        (
            correction.field.as_str(),
            correction.from.as_str(),
            correction.to.as_str()
        ),
        ("date", "2026/11/2", "2026-11-02")
    );
    let rows: Vec<Option<u64>> = batch.quarantine.values().map(|held| held.row).collect();
    assert_eq!(rows, [Some(8), Some(80)]);
    let fault = &batch.quarantine["r8"].faults[0];
    assert_eq!(
        (
            fault.field.as_str(),
            fault.reason.as_str(),
            fault.value.as_str()
        ),
        ("item", "unknown_code", "Z9")
    );
    story.does(close());
    assert_eq!(story.batch().state, BatchState::Incomplete);
    assert_eq!(
        story.batch().success_percent(FeedDirection::Receive),
        Some(99.8)
    );

    // A person puts them right: the original stays beside the correction.
    let correct = |record: &str, item: &str| FeedCommand::Correct {
        batch: "b1".to_owned(),
        record: record.to_owned(),
        body: json!({"date": "2026年11月2日", "item": item}),
    };
    let wrong = story.refuses(&correct("r8", "Z8"));
    assert_eq!(wrong.code(), "still_wrong");
    story.at("10:00").does(correct("r8", "A1"));
    assert_eq!(
        story.refuses(&correct("r8", "A1")).code(),
        "not_in_quarantine"
    );
    assert_eq!(story.batch().state, BatchState::Incomplete);
    story.does(correct("r80", "A1"));
    assert_eq!(story.batch().state, BatchState::Corrected);
    let held = &story.batch().quarantine["r8"];
    assert_eq!(held.original["item"], json!("Z9"));
    let mended = held.corrected.as_ref().expect("a correction");
    assert_eq!(
        (mended.by.as_str(), &mended.body["date"]),
        ("steward", &json!("2026-11-02"))
    );
    assert_eq!(story.batch().received(), 1000);
    assert_eq!(story.batch().done_at, Some(clock("10:00")));
}

/// AC-D04-2
#[test]
fn the_same_record_sent_three_times_is_stored_once() {
    let mut story = Story::new(setup(FeedDirection::Receive));
    let one = || record(1, "2026-11-02", "A1");
    story.receives(vec![one(), one()]);
    story.does(FeedCommand::Receive {
        batch: "b2".to_owned(),
        records: vec![one()],
    });
    let first = story.batch();
    assert_eq!((first.accepted, first.duplicates), (1, 1));
    let second = story.feed.batch("b2").expect("a batch");
    assert_eq!((second.accepted, second.duplicates), (0, 1));
    // With other contents it is a correction by its source: the newest stands, counted once.
    story.receives(vec![record(1, "2026-11-03", "A1")]);
    assert_eq!((story.batch().accepted, story.batch().received()), (1, 1));
    // What was held back and comes right is taken.
    story.receives(vec![record(2, "x", "A1")]);
    assert_eq!(story.batch().rejected(), 1);
    story.receives(vec![record(2, "2026-11-02", "A1")]);
    assert_eq!((story.batch().accepted, story.batch().rejected()), (2, 0));
}

/// AC-F01-3
#[test]
fn push_quality_tells_the_first_attempt_from_the_last_and_why_some_failed() {
    let mut story = Story::new(setup(FeedDirection::Push));
    story.does(FeedCommand::Open {
        batch: "b1".to_owned(),
        expected: Some(1000),
    });
    let first = (1..=1000).map(|number| sent(number, (number > 985).then_some("timeout")));
    story.sends(first.collect());
    let again = (986..=1000).map(|number| sent(number, (number > 995).then_some("status_500")));
    story.sends(again.collect());
    let batch = story.batch();
    assert_eq!(batch.success_percent(FeedDirection::Push), Some(99.5));
    assert_eq!(batch.first_pass_percent(FeedDirection::Push), Some(98.5));
    let failures: Vec<(&str, &str)> = batch.failures().collect();
    assert_eq!(failures.len(), 5);
    assert!(failures.contains(&("r996", "status_500")));
    assert_eq!(story.known("success_percent"), Value::Number(99.5));
    assert_eq!(story.known("failed"), Value::Number(5.0));
}

/// AC-A08-1
#[test]
fn what_was_acknowledged_stays_so_and_counts_once() {
    let mut story = Story::new(setup(FeedDirection::Push));
    story.sends(
        (1..=500)
            .map(|number| sent(number, (number <= 5).then_some("timeout")))
            .collect(),
    );
    story.sends((1..=5).map(|number| sent(number, None)).collect());
    // The answer to an earlier attempt comes late.
    story.sends(vec![sent(3, Some("timeout"))]);
    story.does(close());
    assert_eq!(story.batch().acknowledged(), 500);
    assert_eq!(story.batch().state, BatchState::Reconciled);
}

/// AC-F01-2
#[test]
fn data_due_every_ten_minutes_and_last_seen_25_minutes_ago_missed_two_periods() {
    let mut every = setup(FeedDirection::Receive);
    every.schedule = Schedule::Every { secs: 600 };
    let mut story = Story::new(every);
    story
        .at("09:05")
        .receives(vec![record(1, "2026-11-02", "A1")]);
    for (time, missed, late) in [("09:14", 0, 0), ("09:15", 1, 0), ("09:30", 2, 900)] {
        let found = story.feed.punctuality(clock(time));
        assert_eq!(
            (found.periods_missed, found.late_secs),
            (missed, late),
            "{time}"
        );
    }
    story.at("09:30");
    assert_eq!(story.known("periods_missed"), Value::Number(2.0));
    assert_eq!(story.known("minutes_since_last"), Value::Number(25.0));
    assert_eq!(story.known("period_minutes"), Value::Number(10.0));
}

/// AC-F07-1
#[test]
fn a_daily_exchange_due_at_two_that_comes_at_half_past_five_is_three_and_a_half_hours_late() {
    let mut daily = setup(FeedDirection::Receive);
    daily.schedule = Schedule::Daily {
        at: "02:00".parse().expect("a time"),
    };
    let mut story = Story::new(daily);
    // A little early is in time.
    story
        .at("3T01:50")
        .receives(vec![record(1, "2026-11-02", "A1")]);
    assert_eq!(story.batch().late_secs, 0);
    assert_eq!(story.feed.punctuality(clock("4T01:59")).periods_missed, 0);
    let late = story.feed.punctuality(clock("4T04:00"));
    assert_eq!((late.periods_missed, late.late_secs), (1, 7200));
    let records = vec![record(2, "2026-11-02", "A1")];
    story.at("4T05:30").does(FeedCommand::Receive {
        batch: "b2".to_owned(),
        records,
    });
    assert_eq!(
        story.feed.batch("b2").map(|batch| batch.late_secs),
        Some(12_600)
    );
    assert_eq!(story.feed.punctuality(story.now).periods_missed, 0);
    let gone = story.feed.punctuality(clock("7T02:00"));
    assert_eq!((gone.periods_missed, gone.late_secs), (3, 172_800));
}

/// AC-F04-1, AC-F07-2 and AC-H01-1
#[test]
fn reconciliation_lists_what_differs_and_invents_nothing() {
    // Pushed 900, the province has 896.
    let mut story = Story::new(setup(FeedDirection::Push));
    story.sends((1..=900).map(|number| sent(number, None)).collect());
    let theirs: BTreeMap<String, Option<String>> = (5..=900)
        .map(|number| (format!("r{number}"), None))
        .collect();
    story.does(FeedCommand::Reconcile {
        batch: "b1".to_owned(),
        theirs,
    });
    let difference = story.batch().difference.clone().expect("a difference");
    assert_eq!((difference.missing, difference.extra), (4, 0));
    assert_eq!(difference.missing_ids, ["r1", "r2", "r3", "r4"]);
    assert_eq!(story.batch().state, BatchState::Incomplete);
    assert_eq!(story.known("mismatches"), Value::Number(4.0));

    // The province has 8,269 items, we have 8,260, one of them with other contents.
    let mut story = Story::new(setup(FeedDirection::Receive));
    story.receives(
        (1..=8260)
            .map(|number| record(number, "2026-11-02", "A1"))
            .collect(),
    );
    let digest = |number: usize| match number {
        17 => "other".to_owned(),
        _ => record(number, "2026-11-02", "A1").digest,
    };
    let theirs = |last: usize| -> BTreeMap<String, Option<String>> {
        (1..=last)
            .map(|number| (format!("r{number}"), Some(digest(number))))
            .collect()
    };
    story.does(FeedCommand::Reconcile {
        batch: "b1".to_owned(),
        theirs: theirs(8269),
    });
    let batch = story.batch();
    let difference = batch.difference.clone().expect("a difference");
    assert_eq!(
        (difference.missing, difference.different, difference.extra),
        (9, 1, 0)
    );
    assert_eq!(difference.different_ids, ["r17"]);
    assert_eq!(
        (batch.received(), batch.state),
        (8260, BatchState::Incomplete)
    );

    // Sent 10,000, received 9,990.
    let mut story = Story::new(setup(FeedDirection::Receive));
    story.does(FeedCommand::Open {
        batch: "b1".to_owned(),
        expected: Some(10_000),
    });
    story.receives(
        (1..=9990)
            .map(|number| record(number, "2026-11-02", "A1"))
            .collect(),
    );
    story.does(close());
    assert_eq!(
        story.batch().success_percent(FeedDirection::Receive),
        Some(99.9)
    );
    story.does(FeedCommand::Reconcile {
        batch: "b1".to_owned(),
        theirs: theirs(10_000)
            .into_iter()
            .filter(|(id, _)| id != "r17")
            .collect(),
    });
    let found = story
        .batch()
        .difference
        .as_ref()
        .map(|one| (one.missing, one.extra));
    assert_eq!(found, Some((10, 1)));
}

#[test]
fn only_what_can_mean_one_thing_is_corrected() {
    let checks = setup(FeedDirection::Receive).checks;
    use rules::channels::feed::check::Checked;
    let of = |field: &str, value: serde_json::Value| {
        let mut body = json!({"date": "2026-11-02"});
        body[field] = value;
        match checks.check(&body) {
            Checked::Good => "good".to_owned(),
            Checked::Corrected(right, _) => right[field].to_string(),
            Checked::Bad(faults) => faults[0].reason.clone(),
        }
    };
    for (field, value, result) in [
        ("date", json!("2026-11-02"), "good"),
        ("date", json!("2026/11/2"), "\"2026-11-02\""),
        ("date", json!("20261102"), "\"2026-11-02\""),
        ("date", json!("２０２６年１１月２日"), "\"2026-11-02\""),
        ("date", json!(" 2026.11.02 "), "\"2026-11-02\""),
        ("date", json!("2/11/2026"), "not_date"),
        ("date", json!("2026-02-30"), "not_date"),
        ("date", json!("26-1-2"), "not_date"),
        ("date", json!(20_261_102), "not_date"),
        ("date", json!(null), "missing"),
        ("item", json!(" Ａ1 "), "\"A1\""),
        ("item", json!("a1"), "unknown_code"),
        ("count", json!(7), "good"),
        ("count", json!(" 7.5"), "7.5"),
        ("count", json!("7 or 8"), "not_number"),
        ("note", json!("办 "), "\"办\""),
        ("note", json!(["x"]), "not_text"),
        ("more", json!({"any": "thing"}), "good"),
    ] {
        assert_eq!(of(field, value.clone()), result, "{field} = {value}");
    }
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut bad = setup(FeedDirection::Receive);
    bad.schedule = Schedule::Every { secs: 1 };
    let mut story = Story::new(setup(FeedDirection::Receive));
    let feed = || "items".parse().expect("an id");
    let again = FeedCommand::SetUp {
        feed: feed(),
        setup: Box::new(bad),
    };
    assert!(story.refuses(&again).to_string().contains("schedule"));
    let push = FeedCommand::Send {
        batch: "b1".to_owned(),
        results: vec![sent(1, None)],
    };
    assert_eq!(story.refuses(&push).code(), "wrong_direction");
    assert_eq!(story.refuses(&close()).code(), "unknown_batch");
    let open = FeedCommand::Open {
        batch: "b1".to_owned(),
        expected: None,
    };
    story.does(open.clone());
    assert_eq!(story.refuses(&open).code(), "batch_exists");
    let many = vec![record(1, "2026-11-02", "A1"); RECORDS_MAX + 1];
    let many = FeedCommand::Receive {
        batch: "b1".to_owned(),
        records: many,
    };
    assert_eq!(story.refuses(&many).code(), "too_many_records");
    let mut nameless = record(1, "2026-11-02", "A1");
    nameless.id = String::new();
    let nameless = FeedCommand::Receive {
        batch: "b1".to_owned(),
        records: vec![nameless],
    };
    assert!(
        story
            .refuses(&nameless)
            .to_string()
            .contains("records[0].id")
    );
    let nobody = Feed::default()
        .decide(&close(), "x", story.now)
        .expect_err("a refusal");
    assert_eq!(nobody.code(), "unknown_feed");
}

#[test]
fn a_feed_comes_back_from_its_journal_and_remembers_a_bounded_past() {
    let mut story = Story::new(setup(FeedDirection::Receive));
    for number in 0..40 {
        let records = vec![
            record(number, "2026/11/2", "A1"),
            record(1000 + number, "x", "A1"),
        ];
        story.does(FeedCommand::Receive {
            batch: format!("b{number}"),
            records,
        });
    }
    assert_eq!(story.feed.batches().count(), 32);
    assert_eq!(story.feed.batches().next().map(|(id, _)| id), Some("b39"));
    let mut again = Feed::default();
    for recorded in &story.journal {
        let text = serde_json::to_string(recorded).expect("JSON");
        again.apply(&serde_json::from_str(&text).expect("an event"));
    }
    let json = |feed: &Feed| serde_json::to_string(feed).expect("JSON");
    assert_eq!(json(&again), json(&story.feed));
    let rows = again.items(&story.journal[story.journal.len() - 1..]);
    assert_eq!(
        (rows[0].id.as_str(), rows[0].state.as_str()),
        ("items/b39", "receiving")
    );
    let held = story.journal.iter().any(|recorded| match &recorded.event {
        FeedEvent::RecordsReceived { records, .. } => records
            .iter()
            .any(|taken| matches!(taken.verdict, Verdict::Quarantined { .. })),
        _ => false,
    });
    assert!(held);
}
