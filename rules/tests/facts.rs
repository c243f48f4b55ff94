//! What rules know of a hall, its queues, windows and tickets.

use rules::alerts::catalogue;
use rules::alerts::facts::device::{self, Seen};
use rules::alerts::facts::hall::{Beyond, facts};
use rules::alerts::subject::{Facts, Subject, SubjectKind, Value};
use rules::hall::Options;
use rules::testing::{Story, clock, hall, pause_window};
use rules::{Command, Hall, Timestamp};

fn value<'a>(all: &'a [Facts], kind: SubjectKind, id: &str, name: &str) -> &'a Value {
    let of = |one: &&Facts| one.subject.kind == kind && *one.subject.id == *id;
    let one = all
        .iter()
        .find(of)
        .unwrap_or_else(|| panic!("{kind:?} {id}"));
    let (slot, variable) = catalogue::find(kind, name).unwrap_or_else(|| panic!("{name}"));
    let value = &one.values[slot];
    if !variable.texts.is_empty()
        && let Value::Text(text) = value
    {
        assert!(variable.texts.contains(&&**text), "{name} is never {text}");
    }
    value
}

fn known(hall: &Hall, now: Timestamp) -> Vec<Facts> {
    facts(hall, &Beyond::NONE, now)
}

const N: fn(f64) -> Value = Value::Number;

/// A hall with two windows for A, one for B; three people wait for A since 09:00, 09:10 and 09:20.
fn morning() -> Story {
    let built = hall()
        .service("A", "A")
        .service("B", "B")
        .window("1", &["A"])
        .window("2", &["A"])
        .window("3", &["B"])
        .open();
    let mut story = Story::of(built);
    for time in ["09:00", "09:10", "09:20"] {
        story.at(time).takes("A");
    }
    story
}

#[test]
fn a_queue_is_known_by_its_people_its_windows_and_its_day() {
    let mut story = morning();
    story.at("09:30").does(pause_window("2"));
    let id = format!("{}/A", story.hall.id());
    let now = known(&story.hall, clock("09:30"));
    let queue = |name: &str| value(&now, SubjectKind::Queue, &id, name).clone();
    assert_eq!(
        (queue("waiting"), queue("longest_wait_minutes")),
        (N(3.0), N(30.0))
    );
    assert_eq!((queue("open_windows"), queue("windows")), (N(1.0), N(2.0)));
    assert_eq!(queue("wait_p90_minutes"), Value::Missing);
    // Three ahead, five minutes each, one window.
    assert_eq!(queue("estimate_minutes"), N(15.0));
    story.at("09:40").calls("1");
    let later = known(&story.hall, clock("09:40"));
    assert_eq!(
        *value(&later, SubjectKind::Queue, &id, "wait_p90_minutes"),
        N(40.0)
    );
    assert_eq!(
        *value(&later, SubjectKind::Queue, &id, "called_last_hour"),
        N(1.0)
    );
    assert_eq!(
        *value(&later, SubjectKind::Queue, &id, "missed_share_percent"),
        N(0.0)
    );
    let next_day = known(&story.hall, clock("10:41"));
    assert_eq!(
        *value(&next_day, SubjectKind::Queue, &id, "called_last_hour"),
        N(0.0)
    );
}

#[test]
fn a_hall_without_a_capacity_says_that_it_is_missing() {
    let mut story = morning();
    let id = story.hall.id().to_string();
    let now = known(&story.hall, clock("09:25"));
    let of = |name: &str| value(&now, SubjectKind::Hall, &id, name).clone();
    assert_eq!(
        (of("inside"), of("capacity"), of("state")),
        (N(3.0), Value::Missing, Value::Text("open".into()))
    );
    // Idle since it was opened, but somebody it serves waits for 25 minutes only.
    assert_eq!(of("idle_minutes_while_waiting"), N(25.0));
    let options = Options {
        max_occupancy: Some(40),
        ..story.hall.config().options.clone()
    };
    story.at("09:26").does(Command::ChangeHall {
        name: None,
        options: Some(options),
    });
    let now = known(&story.hall, clock("09:26"));
    assert_eq!(*value(&now, SubjectKind::Hall, &id, "capacity"), N(40.0));
}

#[test]
fn windows_and_tickets_are_known_by_their_clocks() {
    let mut story = morning();
    story.at("09:31").serves("1");
    let hall_id = story.hall.id().to_string();
    let now = known(&story.hall, clock("09:41"));
    let window = |id: &str, name: &str| {
        value(&now, SubjectKind::Window, &format!("{hall_id}/{id}"), name).clone()
    };
    assert_eq!(window("2", "state"), Value::Text("idle".into()));
    assert_eq!(window("2", "waiting"), N(2.0));
    assert_eq!(window("1", "offline"), Value::Bool(false));
    let completed = story.hall.tickets().next().expect("a ticket").id;
    let tickets = |has_case: Option<bool>| {
        let beyond = Beyond {
            has_case: &|_| has_case,
            ..Beyond::NONE
        };
        facts(&story.hall, &beyond, clock("10:01"))
    };
    let id = format!("{hall_id}/{completed}");
    // Nobody knows of cases: the completed ticket is no subject.
    let subject = Subject::new(SubjectKind::Ticket, &id);
    assert!(!tickets(None).iter().any(|one| one.subject == subject));
    // AC-D03-2: completed thirty minutes ago, and no case.
    let known = tickets(Some(false));
    assert_eq!(
        *value(&known, SubjectKind::Ticket, &id, "has_case"),
        Value::Bool(false)
    );
    assert_eq!(
        *value(&known, SubjectKind::Ticket, &id, "minutes_since_completed"),
        N(30.0)
    );
    assert_eq!(
        *value(&known, SubjectKind::Ticket, &id, "waiting_minutes"),
        N(31.0)
    );
}

#[test]
fn closed_windows_are_not_idle_and_a_closed_hall_still_answers() {
    let closed = hall().service("A", "A").window("1", &["A"]).closed();
    let id = closed.id().to_string();
    let now = known(&closed, clock("08:00"));
    assert_eq!(
        *value(&now, SubjectKind::Hall, &id, "day_over"),
        Value::Missing
    );
    assert_eq!(*value(&now, SubjectKind::Hall, &id, "idle_windows"), N(0.0));
}

#[test]
fn a_device_is_offline_when_it_is_silent_and_unknown_when_it_only_speaks_if_used() {
    let seen = Seen {
        id: "kiosk-1",
        name: "kiosk 1",
        kind: "kiosk",
        hall: "H1",
        watched: true,
        seen_at: Some(clock("09:00")),
        silent_secs: 60,
        faults: vec![("print", "paper_low", true), ("print", "paper_out", false)],
        ..Seen::default()
    };
    let of = |seen: &Seen<'_>, now: &str, name: &str| {
        let facts = [device::facts(seen, clock(now))];
        value(&facts, SubjectKind::Device, seen.id, name).clone()
    };
    assert_eq!(of(&seen, "09:01", "online"), Value::Bool(true));
    assert_eq!(of(&seen, "09:02", "online"), Value::Bool(false));
    assert_eq!(of(&seen, "09:02", "silent_minutes"), N(2.0));
    assert_eq!(
        of(&seen, "09:02", "fault"),
        Value::Text("print.paper_out".into())
    );
    assert_eq!(
        (of(&seen, "09:02", "faults"), of(&seen, "09:02", "warnings")),
        (N(1.0), N(1.0))
    );
    let pager = Seen {
        watched: false,
        ..seen
    };
    assert_eq!(of(&pager, "09:02", "online"), Value::Missing);
}
