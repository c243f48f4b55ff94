//! Feeds: schedules, checks, quarantine, batches in numbers, comparison.

use std::collections::{BTreeMap, BTreeSet};

use rules::alerts::catalogue;
use rules::alerts::facts::batch::facts;
use rules::alerts::subject::{SubjectKind, Value};
use rules::channels::feed::batch::RECORDS_MAX;
use rules::channels::feed::compare::LISTED_MAX;
use rules::channels::feed::{
    Batch, BatchState, Feed, FeedCommand, FeedDirection, FeedEvent, FeedRefusal, FeedSetup, Known,
    NewRecord, Own, Record, RecordState, Schedule, Totals, compare,
};
use rules::machine::{Machine as _, Recorded};
use rules::testing::clock;
use rules::time::Timestamp;
use serde_json::json;

struct Story {
    feed: Feed,
    journal: Vec<Recorded<FeedEvent>>,
    now: Timestamp,
}

fn setup(direction: FeedDirection) -> FeedSetup {
    let setup = json!({
        "name": {"zh": "事项同步", "en": "Items of the province"},
        "direction": direction, "kind": "items", "party": "province",
        "checks": [
            {"name": "date", "kind": "date", "required": true},
            {"name": "item", "kind": "code", "values": ["A1", "A2"]},
            {"name": "count", "kind": "number", "at_most": "most"},
            {"name": "note", "kind": "text"},
            {"name": "window", "kind": "window"},
        ],
    });
    serde_json::from_value(setup).expect("a set-up")
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
            revision: None,
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

    /// The table has these numbers now, its last record of this instant.
    fn counts(&mut self, batch: &str, totals: Totals) -> &mut Self {
        let first_at = self.feed.batch(batch).and_then(|one| one.totals.first_at);
        let totals = Totals {
            first_at: first_at.or(Some(self.now)),
            last_at: Some(self.now),
            ..totals
        };
        let batch = batch.to_owned();
        self.does(FeedCommand::Count { batch, totals })
    }

    fn batch(&self) -> &Batch {
        self.feed.batch("b1").expect("a batch")
    }

    fn known(&self, name: &str) -> Value {
        let facts = facts(&self.feed, self.now).expect("a feed");
        let (slot, _) = catalogue::find(SubjectKind::Batch, name).expect("a variable");
        facts.values[slot].clone()
    }
}

fn close() -> FeedCommand {
    FeedCommand::Close {
        batch: "b1".to_owned(),
    }
}

fn open(expected: u64) -> FeedCommand {
    FeedCommand::Open {
        batch: "b1".to_owned(),
        expected: Some(expected),
    }
}

fn judged(setup: &FeedSetup, body: serde_json::Value) -> Record {
    let record = NewRecord {
        id: None,
        row: Some(8),
        digest: "d1".to_owned(),
        changed_at: None,
        body,
        unreadable: None,
    };
    let id = record.id(setup, 0).expect("an id");
    let windows = BTreeSet::from(["H1/3".to_owned()]);
    record.judged(id, setup, &windows)
}

#[test]
fn a_record_is_taken_corrected_or_held_back_as_it_came() {
    let setup = setup(FeedDirection::Receive);
    let good = judged(&setup, json!({"date": "2026-11-02", "window": "H1/3"}));
    assert_eq!(good.state, RecordState::Accepted);
    assert_eq!(good.original, None);
    let corrected = judged(&setup, json!({"date": "2026/11/2", "item": "A1"}));
    assert_eq!(corrected.state, RecordState::Corrected);
    let (original, body) = (corrected.original.expect("it"), corrected.body.expect("it"));
    assert_eq!(
        (&original["date"], &body["date"]),
        (&json!("2026/11/2"), &json!("2026-11-02"))
    );
    assert_eq!(corrected.corrections[0].to, "2026-11-02");
    let held = judged(
        &setup,
        json!({"date": "2026-11-02", "item": "Z9", "window": "H1/9"}),
    );
    assert_eq!((held.state, &held.body), (RecordState::Quarantined, &None));
    let reasons: Vec<&str> = held.faults.iter().map(|one| one.reason.as_str()).collect();
    assert_eq!(reasons, ["unknown_code", "unknown_window"]);
    assert_eq!(held.row, Some(8));
}

/// AC-H01-2
#[test]
fn a_promised_limit_longer_than_the_legal_one_is_held_back() {
    let setup = setup(FeedDirection::Receive);
    let item = |promised: u32| json!({"date": "2026-11-02", "count": promised, "most": 5});
    assert_eq!(judged(&setup, item(5)).state, RecordState::Accepted);
    let held = judged(&setup, item(10));
    assert_eq!(held.state, RecordState::Quarantined);
    assert_eq!(
        (
            held.faults[0].reason.as_str(),
            held.faults[0].value.as_str()
        ),
        ("above_limit", "10 > most 5")
    );
}

#[test]
fn personal_data_is_hidden_before_anything_is_kept() {
    let mut setup = setup(FeedDirection::Receive);
    setup.checks.0.extend([
        serde_json::from_value(json!({"name": "phone", "kind": "number"})).expect("a check"),
        serde_json::from_value(json!({"name": "remark", "kind": "number"})).expect("a check"),
    ]);
    let body = json!({
        "date": "2026-11-02", "phone": "13812345678x", "id_card": "11010519491231002X",
        "remark": "电话 13812345678",
    });
    let held = judged(&setup, body);
    let kept = serde_json::to_string(&held).expect("JSON");
    assert!(!kept.contains("13812345678"), "{kept}");
    assert!(!kept.contains("11010519491231002X"), "{kept}");
    let mut keyed = setup;
    keyed.key = Some("id_card".to_owned());
    assert_eq!(keyed.fault().map(|(field, _)| field), Some("key"));
}

#[test]
fn a_record_is_named_by_its_id_its_key_field_or_its_contents() {
    let mut keyed = setup(FeedDirection::Receive);
    assert_eq!(judged(&keyed, json!({"order": 7})).id, "d1");
    keyed.key = Some("order".to_owned());
    assert_eq!(judged(&keyed, json!({"order": 7})).id, "7");
    assert_eq!(judged(&keyed, json!({"order": " x "})).id, "x");
    assert_eq!(judged(&keyed, json!({"order": ""})).id, "d1");
    let mut nameless = NewRecord {
        id: Some(String::new()),
        row: None,
        digest: String::new(),
        changed_at: None,
        body: json!({}),
        unreadable: None,
    };
    let refusal = nameless.id(&keyed, 3).expect_err("a refusal");
    assert!(refusal.to_string().contains("records[3].id"), "{refusal}");
    nameless.id = None;
    assert!(
        nameless.id(&keyed, 3).is_err(),
        "contents without a checksum"
    );
}

/// AC-D04-2
#[test]
fn what_another_batch_has_the_same_says_nothing_new() {
    let setup = setup(FeedDirection::Receive);
    let record = judged(&setup, json!({"date": "2026-11-02"}));
    let known = |batch: &str, digest: &str| Known {
        batch: batch.to_owned(),
        digest: digest.to_owned(),
        state: RecordState::Accepted,
    };
    let beside = |known: &Known| record.clone().beside("b2", Some(known));
    let same = beside(&known("b1", "d1"));
    assert_eq!((same.state, same.body), (RecordState::Duplicate, None));
    assert_eq!(beside(&known("b1", "d0")).state, RecordState::Accepted);
    assert_eq!(beside(&known("b2", "d1")).state, RecordState::Accepted);
}

/// AC-D04-1: 995 + 3 + 2 = 1000; a person puts the two right.
#[test]
fn a_batch_with_records_held_back_is_incomplete_until_they_are_right() {
    let mut story = Story::new(setup(FeedDirection::Receive));
    let totals = Totals {
        accepted: 995,
        corrected: 3,
        rejected: 2,
        ..Totals::default()
    };
    story.counts("b1", totals).does(close());
    assert_eq!(story.batch().state, BatchState::Incomplete);
    assert_eq!(story.batch().totals.records(), 1000);
    let percent = story.batch().success_percent(FeedDirection::Receive);
    assert_eq!(percent, Some(99.8));
    assert_eq!(story.feed.state(story.now), "incomplete");
    let right = Totals {
        corrected: 5,
        rejected: 0,
        ..totals
    };
    story.at("10:00").counts("b1", right);
    assert_eq!(story.batch().state, BatchState::Corrected);
    assert_eq!(story.batch().done_at, Some(clock("10:00")));
    assert_eq!(story.feed.state(story.now), "ok");
    let seq = story.feed.seq();
    story.counts("b1", right);
    assert_eq!(story.feed.seq(), seq, "told twice it is the same");
}

/// AC-F01-3
#[test]
fn push_quality_tells_the_first_attempt_from_the_last() {
    let mut story = Story::new(setup(FeedDirection::Push));
    let first = Totals {
        acknowledged: 985,
        at_once: 985,
        failed: 15,
        ..Totals::default()
    };
    story.does(open(1000)).counts("b1", first);
    let in_the_end = Totals {
        acknowledged: 995,
        failed: 5,
        ..first
    };
    story.counts("b1", in_the_end).does(close());
    let batch = story.batch();
    assert_eq!(batch.success_percent(FeedDirection::Push), Some(99.5));
    assert_eq!(batch.first_pass_percent(FeedDirection::Push), Some(98.5));
    assert_eq!(batch.state, BatchState::Incomplete);
    assert_eq!(story.known("success_percent"), Value::Number(99.5));
    assert_eq!(story.known("failed"), Value::Number(5.0));
}

#[test]
fn what_still_waits_to_be_pushed_is_no_failure_yet() {
    let mut story = Story::new(setup(FeedDirection::Push));
    let under_way = Totals {
        waiting: 900,
        acknowledged: 100,
        at_once: 100,
        ..Totals::default()
    };
    story.does(open(1000)).counts("b1", under_way).does(close());
    assert_eq!(story.batch().state, BatchState::Sending);
    let mut story = Story::new(setup(FeedDirection::Push));
    story.does(open(1000)).counts("b1", under_way);
    assert_eq!(story.known("success_percent"), Value::Number(100.0));
    let all = Totals {
        waiting: 0,
        acknowledged: 1000,
        at_once: 1000,
        ..under_way
    };
    story.does(close()).counts("b1", all);
    assert_eq!(story.batch().state, BatchState::Reconciled);
}

/// AC-C02-2 for cases that are pushed record by record.
#[test]
fn what_is_not_acknowledged_is_known_by_number_and_age() {
    let mut story = Story::new(setup(FeedDirection::Push));
    let owed = |story: &Story| ["unacknowledged", "unacknowledged_minutes"].map(|n| story.known(n));
    let number = |values: [f64; 2]| values.map(Value::Number);
    assert_eq!(owed(&story), number([0.0, 0.0]));
    let waits = |waiting, failed, since: &str| Totals {
        waiting,
        failed,
        acknowledged: 98,
        unacknowledged_since: Some(clock(since)),
        ..Totals::default()
    };
    story.at("10:00").counts("b1", waits(1, 1, "09:48"));
    story.counts("b2", waits(3, 0, "09:59"));
    assert_eq!(owed(&story), number([5.0, 12.0]));
    let done = Totals {
        acknowledged: 100,
        ..Totals::default()
    };
    story.counts("b1", done);
    assert_eq!(owed(&story), number([3.0, 1.0]));
    let received = Story::new(setup(FeedDirection::Receive));
    assert_eq!(owed(&received), [Value::Missing, Value::Missing]);
}

/// AC-F01-2
#[test]
fn data_due_every_ten_minutes_and_last_seen_25_minutes_ago_missed_two_periods() {
    let mut every = setup(FeedDirection::Receive);
    every.schedule = Schedule::Every { secs: 600 };
    let mut story = Story::new(every);
    let one = |accepted| Totals {
        accepted,
        ..Totals::default()
    };
    story.at("09:05").counts("b1", one(1));
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
    assert_eq!(story.known("limit_minutes"), Value::Missing);
    assert_eq!(story.feed.state(story.now), "late");
    // The gap is remembered when data comes again.
    story.counts("b1", one(2));
    let detail = story.feed.detail(story.now).expect("a feed");
    assert_eq!(detail["gaps"][0]["periods_missed"], 2, "{detail}");
    assert_eq!(
        detail["due_at"], "2026-11-02T09:40:00.000+08:00",
        "{detail}"
    );
}

/// AC-F07-1
#[test]
fn a_daily_exchange_due_at_two_that_comes_at_half_past_five_is_three_and_a_half_hours_late() {
    let mut daily = setup(FeedDirection::Receive);
    daily.schedule = Schedule::Daily {
        at: "02:00".parse().expect("a time"),
    };
    daily.limit_secs = Some(7200);
    let mut story = Story::new(daily);
    let one = Totals {
        accepted: 1,
        ..Totals::default()
    };
    // A little early is in time.
    story.at("3T01:50").counts("b1", one);
    assert_eq!(story.batch().late_secs, 0);
    assert_eq!(story.feed.punctuality(clock("4T01:59")).periods_missed, 0);
    let late = story.feed.punctuality(clock("4T04:00"));
    assert_eq!((late.periods_missed, late.late_secs), (1, 7200));
    assert_eq!(story.feed.state(clock("4T03:59")), "ok");
    assert_eq!(story.feed.state(clock("4T04:01")), "late");
    story.at("4T05:30").counts("b2", one);
    assert_eq!(
        story.feed.batch("b2").map(|batch| batch.late_secs),
        Some(12_600)
    );
    assert_eq!(story.feed.punctuality(story.now).periods_missed, 0);
    let gone = story.feed.punctuality(clock("7T02:00"));
    assert_eq!((gone.periods_missed, gone.late_secs), (3, 172_800));
}

fn own(count: usize, state: RecordState) -> BTreeMap<String, Own> {
    let one = |number: usize| {
        let own = Own {
            digest: format!("d{number}"),
            state,
            reason: None,
        };
        (format!("r{number}"), own)
    };
    (1..=count).map(one).collect()
}

/// AC-F04-1: pushed 900, the province has 896.
#[test]
fn what_the_other_side_lacks_is_listed_with_why() {
    let mut ours = own(900, RecordState::Acknowledged);
    let failed = ours.get_mut("r2").expect("a record");
    (failed.state, failed.reason) = (RecordState::Failed, Some("answered 500".to_owned()));
    ours.get_mut("r3").expect("a record").state = RecordState::Waiting;
    ours.get_mut("r4").expect("a record").state = RecordState::Quarantined;
    let theirs = (6..=900)
        .map(|number| (format!("r{number}"), None))
        .collect();
    let found = compare(FeedDirection::Push, &ours, &theirs);
    let why: Vec<(&str, &str)> = found
        .listed
        .iter()
        .map(|one| (one.id.as_str(), one.reason.as_str()))
        .collect();
    assert_eq!(
        why,
        [
            ("r1", "acknowledged_but_gone"),
            ("r2", "answered 500"),
            ("r3", "not_pushed"),
            ("r5", "acknowledged_but_gone"),
        ]
    );
    assert_eq!((found.missing, found.extra, found.different), (4, 0, 0));

    let mut story = Story::new(setup(FeedDirection::Push));
    let totals = Totals {
        acknowledged: 900,
        at_once: 900,
        ..Totals::default()
    };
    story.counts("b1", totals).does(FeedCommand::Compare {
        batch: Some("b1".to_owned()),
        difference: Box::new(found),
    });
    assert_eq!(story.batch().state, BatchState::Incomplete);
    assert_eq!(story.known("mismatches"), Value::Number(4.0));
}

/// AC-H01-1 and AC-F07-2
#[test]
fn comparison_lists_what_differs_and_invents_nothing() {
    let mut ours = own(8260, RecordState::Accepted);
    ours.get_mut("r17").expect("a record").digest = "other".to_owned();
    let theirs = |last: usize| -> BTreeMap<String, Option<String>> {
        let one = |number: usize| (format!("r{number}"), Some(format!("d{number}")));
        (1..=last).map(one).collect()
    };
    let found = compare(FeedDirection::Receive, &ours, &theirs(8269));
    assert_eq!((found.missing, found.different, found.extra), (9, 1, 0));
    assert_eq!(found.listed.len(), 10);
    let found = compare(
        FeedDirection::Receive,
        &own(9990, RecordState::Accepted),
        &theirs(10_000),
    );
    assert_eq!(found.arrived_percent(FeedDirection::Receive), Some(99.9));
    assert_eq!(found.missing, 10);
    let nothing = compare(FeedDirection::Receive, &BTreeMap::new(), &theirs(5000));
    assert_eq!((nothing.missing, nothing.listed.len()), (5000, LISTED_MAX));
    let held = compare(
        FeedDirection::Receive,
        &own(1, RecordState::Quarantined),
        &theirs(1),
    );
    assert_eq!(held.listed[0].reason, "in_quarantine");
}

#[test]
fn only_what_can_mean_one_thing_is_corrected() {
    let checks = setup(FeedDirection::Receive).checks;
    use rules::channels::feed::check::Checked;
    let of = |field: &str, value: serde_json::Value| {
        let mut body = json!({"date": "2026-11-02"});
        body[field] = value;
        match checks.check(&body, &BTreeSet::new()) {
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
    let mut story = Story::new(setup(FeedDirection::Receive));
    let again = |setup: FeedSetup| FeedCommand::SetUp {
        feed: "items".parse().expect("an id"),
        setup: Box::new(setup),
        revision: None,
    };
    let mut bad = setup(FeedDirection::Receive);
    bad.schedule = Schedule::Every { secs: 1 };
    assert!(story.refuses(&again(bad)).to_string().contains("schedule"));
    let turned = again(setup(FeedDirection::Push));
    assert_eq!(story.refuses(&turned).code(), "wrong_direction");
    let named = |party: &str, revision: u64| FeedCommand::SetUp {
        feed: "items".parse().expect("an id"),
        setup: Box::new(FeedSetup {
            party: party.to_owned(),
            ..setup(FeedDirection::Receive)
        }),
        revision: Some(revision),
    };
    story.does(named("city", 1));
    assert_eq!(
        story.refuses(&named("province", 1)).code(),
        "changed_meanwhile"
    );
    // The same again, because the answer was lost, is no conflict.
    story.does(named("city", 1));
    story.does(named("province", 2));
    assert_eq!(story.refuses(&close()).code(), "unknown_batch");
    story.does(open(7));
    assert_eq!(story.refuses(&open(7)).code(), "batch_exists");
    let full = Totals {
        accepted: RECORDS_MAX as u64,
        ..Totals::default()
    };
    let code = |story: &Story, batch: &str, count: usize| {
        let admits = story.feed.admits(batch, count);
        admits.expect_err("a refusal").code()
    };
    assert_eq!(code(&story, "b1", 10_001), "too_many_at_once");
    assert_eq!(code(&story, "a/b", 1), "invalid_field");
    story.counts("b1", full);
    assert_eq!(code(&story, "b1", 1), "too_many_records");
    assert_eq!(story.feed.admits("b2", 10_000), Ok(()));
    let nobody = Feed::default()
        .decide(&close(), "x", story.now)
        .expect_err("a refusal");
    assert_eq!(nobody.code(), "unknown_feed");
}

#[test]
fn only_a_feed_that_pushes_has_a_target_and_its_address_holds_no_password() {
    let with = |direction: FeedDirection, url: &str| {
        let mut setup = setup(direction);
        let target = json!({"url": url});
        setup.target = Some(serde_json::from_value(target).expect("a target"));
        setup.fault().map(|(field, _)| field)
    };
    let push = FeedDirection::Push;
    assert_eq!(with(push, "https://upstream/tickets"), None);
    assert_eq!(with(FeedDirection::Receive, "https://u/"), Some("target"));
    for url in [
        "",
        "ftp://u/",
        "http://",
        "https://me:pass@u/",
        "http://u/ x",
    ] {
        assert_eq!(with(push, url), Some("target.url"), "{url}");
    }
}

#[test]
fn a_feed_comes_back_from_its_journal_and_remembers_a_bounded_past() {
    let mut story = Story::new(setup(FeedDirection::Receive));
    let totals = Totals {
        accepted: 1,
        rejected: 1,
        ..Totals::default()
    };
    for number in 0..40 {
        story.counts(&format!("b{number}"), totals);
    }
    assert_eq!(story.feed.batches().count(), 32);
    assert_eq!(story.feed.batches().next().map(|(id, _)| id), Some("b39"));
    let detail = story.feed.detail(story.now).expect("a feed");
    assert_eq!(detail["since_set_up"]["received"], 80, "{detail}");
    let mut again = Feed::default();
    for recorded in &story.journal {
        let text = serde_json::to_string(recorded).expect("JSON");
        again.apply(&serde_json::from_str(&text).expect("an event"));
    }
    let json = |feed: &Feed| serde_json::to_string(feed).expect("JSON");
    assert_eq!(json(&again), json(&story.feed));
    assert!(json(&again).len() < 64 * 1024, "{}", json(&again).len());
    let rows = again.items(&story.journal[story.journal.len() - 1..]);
    assert_eq!(
        (rows[0].id.as_str(), rows[0].state.as_str()),
        ("items/b39", "receiving")
    );
}
