//! What is said in a zone: order, repeats, what is dropped and why, and who speaks.

use proptest::prelude::*;
use rules::Timestamp;
use rules::announce::{
    AGE_SECS_MAX, Announcer, Call, End, LEASE_SECS, Moment, RESUMED_AGE_SECS_MAX, Reason,
    SAYING_SECS_MAX, Speaker,
};
use rules::testing::window;

/// Morning; the machine's clock runs from its own zero.
const MORNING_MS: i64 = 1_762_045_500_000;

fn at(ms: i64) -> Moment {
    Moment {
        hall: Timestamp::from_millis(MORNING_MS + ms),
        machine: Timestamp::from_millis(ms),
    }
}

fn call(number: &str, ms: i64) -> Call {
    Call {
        number: number.to_owned(),
        window: window("3"),
        at: at(ms).hall,
    }
}

fn screen(page: &str) -> Speaker {
    Speaker {
        device: "board-1".to_owned(),
        page: page.to_owned(),
    }
}

/// A zone with a speaker since 0.
fn attended() -> Announcer {
    let mut zone = Announcer::default();
    zone.attend(&screen("a"), at(0));
    zone
}

fn calls(zone: &mut Announcer, number: &str, ms: i64) {
    zone.call(call(number, ms), at(ms));
}

/// What is said: number, round, chime.
fn said(zone: &Announcer) -> Option<(&str, u8, bool)> {
    let saying = zone.saying()?;
    Some((saying.call.number.as_str(), saying.round, saying.chime))
}

/// The speaker says what it is to say until `ms`, and stays.
fn ends(zone: &mut Announcer, ms: i64) {
    let id = zone.saying().expect("something is said").id();
    zone.attend(&screen("a"), at(ms));
    zone.ended(&screen("a"), &id, End::Done, at(ms));
}

fn dropped(zone: &Announcer) -> Vec<(&str, Reason)> {
    let dropped = zone.dropped();
    dropped
        .map(|one| (one.call.number.as_str(), one.reason))
        .collect()
}

#[test]
fn a_single_call_is_said_twice_the_chime_once() {
    let mut zone = attended();
    calls(&mut zone, "A012", 0);
    assert_eq!(said(&zone), Some(("A012", 1, true)));
    ends(&mut zone, 5_000);
    assert_eq!(said(&zone), Some(("A012", 2, false)));
    ends(&mut zone, 10_000);
    assert_eq!(said(&zone), None);
    assert_eq!((zone.tally().called, zone.tally().spoken), (1, 1));
}

#[test]
fn two_calls_fifty_milliseconds_apart_are_both_said_in_order() {
    let mut zone = attended();
    calls(&mut zone, "A012", 0);
    calls(&mut zone, "B007", 50);
    let mut heard = Vec::new();
    let mut ms = 50;
    while let Some((number, round, _)) = said(&zone) {
        heard.push((number.to_owned(), round));
        ms += 5_000;
        ends(&mut zone, ms);
    }
    let told: Vec<_> = heard.iter().map(|(n, r)| (n.as_str(), *r)).collect();
    assert_eq!(told, [("A012", 1), ("A012", 2), ("B007", 1), ("B007", 2)]);
}

#[test]
fn from_two_that_wait_a_call_is_said_once_and_from_five_without_the_chime() {
    let mut zone = attended();
    for n in 0..7 {
        calls(&mut zone, &format!("A00{n}"), n);
    }
    // The first began alone, so it has its chime; six wait behind it.
    let mut heard = Vec::new();
    let mut ms = 10;
    while let Some((number, round, chime)) = said(&zone) {
        heard.push(format!("{number}.{round}{}", if chime { "*" } else { "" }));
        ms += 4_000;
        ends(&mut zone, ms);
    }
    let told: Vec<_> = heard.iter().map(String::as_str).collect();
    assert_eq!(
        told,
        [
            "A000.1*", "A001.1", "A002.1*", "A003.1*", "A004.1*", "A005.1*", "A005.2", "A006.1*",
            "A006.2"
        ]
    );
}

#[test]
fn a_call_that_could_not_begin_in_45_s_is_dropped_and_the_reason_told() {
    let mut zone = Announcer::default();
    calls(&mut zone, "A012", 0);
    calls(&mut zone, "A013", 1_000);
    zone.attend(&screen("a"), at(1000 * AGE_SECS_MAX as i64 + 1));
    assert_eq!(dropped(&zone), [("A012", Reason::TooOld)]);
    assert_eq!(said(&zone), Some(("A013", 1, true)));
}

#[test]
fn a_call_ages_by_the_halls_clock_and_a_saying_by_the_machines() {
    let tenfold = |machine_ms: i64| Moment {
        hall: at(machine_ms * 10).hall,
        machine: at(machine_ms).machine,
    };
    let mut zone = Announcer::default();
    zone.attend(&screen("a"), tenfold(0));
    zone.call(call("A012", 0), tenfold(0));
    zone.call(call("A013", 0), tenfold(0));
    zone.elapse(tenfold(4_600));
    assert_eq!(said(&zone), Some(("A012", 1, true)), "4.6 s of speech");
    assert_eq!(dropped(&zone), [("A013", Reason::TooOld)], "46 s of hall");
}

#[test]
fn a_recall_takes_the_place_of_the_call_that_waits() {
    let mut zone = attended();
    for (n, number) in ["A001", "A012", "A013"].into_iter().enumerate() {
        calls(&mut zone, number, n as i64);
    }
    let again = Call {
        window: window("4"),
        ..call("A012", 8_000)
    };
    zone.call(again.clone(), at(8_000));
    assert_eq!(dropped(&zone)[0], ("A012", Reason::Recalled));
    let waiting: Vec<_> = zone.waiting().cloned().collect();
    assert_eq!(waiting.iter().find(|c| c.number == "A012"), Some(&again));
    assert_eq!(zone.tally().called, 4);
}

#[test]
fn what_waits_as_a_recall_is_not_said_a_second_time_before() {
    let mut zone = attended();
    calls(&mut zone, "A012", 0);
    calls(&mut zone, "A012", 3_000);
    ends(&mut zone, 5_000);
    assert_eq!(said(&zone), Some(("A012", 1, true)));
    assert_eq!(zone.saying().map(|s| s.call.at), Some(at(3_000).hall));
}

#[test]
fn a_players_error_and_a_missing_end_never_silence_the_next() {
    let mut zone = attended();
    for number in ["A001", "A002", "A003"] {
        calls(&mut zone, number, 0);
    }
    let id = zone.saying().expect("said").id();
    zone.ended(&screen("a"), &id, End::Failed, at(100));
    assert_eq!(said(&zone), Some(("A002", 1, true)));
    zone.attend(&screen("a"), at(8_000));
    zone.elapse(at(100 + 1000 * SAYING_SECS_MAX as i64 - 1));
    assert_eq!(said(&zone), Some(("A002", 1, true)));
    zone.elapse(at(100 + 1000 * SAYING_SECS_MAX as i64));
    assert_eq!(said(&zone), Some(("A003", 1, true)));
    assert_eq!(
        dropped(&zone),
        [("A001", Reason::Failed), ("A002", Reason::NoEnd)]
    );
}

#[test]
fn one_screen_speaks_and_another_takes_over_when_its_lease_ends() {
    let mut zone = attended();
    calls(&mut zone, "A012", 1_000);
    zone.attend(&screen("b"), at(3_000));
    assert_eq!(zone.speaker(), Some(&screen("a")));
    let id = zone.saying().expect("said").id();
    zone.ended(&screen("b"), &id, End::Done, at(3_500));
    assert_eq!(said(&zone), Some(("A012", 1, true)), "b has no say");
    let lost = 1000 * LEASE_SECS as i64;
    zone.attend(&screen("b"), at(lost - 1));
    assert_eq!(zone.speaker(), Some(&screen("a")));
    zone.attend(&screen("b"), at(lost));
    assert_eq!(zone.speaker(), Some(&screen("b")));
    assert_eq!(said(&zone), Some(("A012", 1, true)), "from the start");
    zone.ended(&screen("a"), &id, End::Done, at(lost + 10));
    assert_eq!(said(&zone), Some(("A012", 1, true)), "a has no say now");
    zone.ended(&screen("b"), &id, End::Done, at(lost + 5_000));
    assert_eq!(said(&zone), Some(("A012", 2, false)));
}

#[test]
fn a_screen_that_leaves_hands_over_at_once() {
    let mut zone = attended();
    calls(&mut zone, "A012", 0);
    zone.leave(&screen("b"), at(100));
    assert_eq!(zone.speaker(), Some(&screen("a")));
    zone.leave(&screen("a"), at(200));
    assert_eq!((zone.speaker(), said(&zone)), (None, None));
    zone.attend(&screen("b"), at(300));
    assert_eq!(said(&zone), Some(("A012", 1, true)));
}

#[test]
fn a_report_that_is_repeated_ends_nothing_else() {
    let mut zone = attended();
    calls(&mut zone, "A001", 0);
    calls(&mut zone, "A002", 10);
    calls(&mut zone, "A003", 20);
    let id = zone.saying().expect("said").id();
    for _ in 0..3 {
        zone.ended(&screen("a"), &id, End::Done, at(5_000));
    }
    assert_eq!(said(&zone).map(|s| s.0), Some("A002"));
}

#[test]
fn after_a_start_nothing_older_than_30_s_is_said_also_when_a_screen_comes_late() {
    let mut zone = Announcer::default();
    let limit = 1000 * RESUMED_AGE_SECS_MAX as i64;
    let before = vec![
        call("A001", -limit - 1),
        call("A002", -limit + 4_000),
        call("A003", -limit + 9_000),
    ];
    zone.resume(before, at(0));
    assert_eq!(dropped(&zone), [("A001", Reason::TooOld)]);
    calls(&mut zone, "A004", 1_000);
    zone.attend(&screen("a"), at(6_000));
    assert_eq!(said(&zone), Some(("A003", 1, true)));
    zone.attend(&screen("a"), at(10_000));
    ends(&mut zone, 11_000);
    assert_eq!(said(&zone).map(|s| s.0), Some("A004"), "not A003 again");
}

#[test]
fn a_hall_without_a_voice_says_nothing_and_tells_so() {
    let mut zone = attended();
    calls(&mut zone, "A001", 0);
    calls(&mut zone, "A002", 0);
    zone.set_up(false, 1);
    calls(&mut zone, "A003", 10);
    assert_eq!(said(&zone), None);
    let off = ["A002", "A001", "A003"].map(|number| (number, Reason::SwitchedOff));
    assert_eq!(dropped(&zone), off);
}

#[test]
fn more_languages_have_more_time() {
    let mut zone = Announcer::default();
    zone.set_up(true, 2);
    zone.attend(&screen("a"), at(0));
    calls(&mut zone, "A001", 0);
    for s in 1..=7 {
        zone.attend(&screen("a"), at(s * 3_000));
    }
    assert_eq!(said(&zone), Some(("A001", 1, true)));
    zone.attend(&screen("a"), at(24_000));
    assert_eq!(said(&zone), None);
}

/// How long a call sounds, as measured of the built-in Mandarin voice, with the player's gap.
const CHIME_MS: i64 = 750;
const SENTENCE_MS: i64 = 4_950;
const GAP_MS: i64 = 400;

/// A generator for the test's own days (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as i64
    }
}

/// 40 windows, each calls every six minutes give or take one, for an hour.
fn busy_hour(seed: u64) -> Vec<(i64, String)> {
    let mut dice = Dice(seed);
    let mut calls = Vec::new();
    for window in 0..40 {
        let mut ms = dice.below(360_000);
        let mut n = 0;
        while ms < 3_600_000 {
            calls.push((ms, format!("{window}-{n}")));
            n += 1;
            ms += 300_000 + dice.below(120_000);
        }
    }
    calls.sort();
    calls
}

/// Plays a day of calls to a zone with one speaker; the latest beginning, and how it ended.
fn play(calls: &[(i64, String)]) -> (i64, Announcer) {
    let mut zone = Announcer::default();
    let mut latest = 0;
    let mut calls = calls.iter().peekable();
    let mut busy: Option<(String, i64)> = None;
    for ms in (0..3_700_000).step_by(50) {
        while let Some((called, number)) = calls.next_if(|(called, _)| *called <= ms) {
            zone.call(call(number, *called), at(ms));
        }
        if ms % 3_000 == 0 {
            zone.attend(&screen("a"), at(ms));
        }
        if let Some((id, _)) = busy.take_if(|(_, until)| *until <= ms) {
            zone.ended(&screen("a"), &id, End::Done, at(ms));
        }
        match zone.saying() {
            Some(saying) if busy.is_none() => {
                latest = latest.max(at(ms).hall.millis() - saying.call.at.millis());
                let chime = if saying.chime { CHIME_MS } else { 0 };
                busy = Some((saying.id(), ms + chime + SENTENCE_MS + GAP_MS));
            }
            _ => {}
        }
    }
    (latest, zone)
}

#[test]
fn in_an_hour_of_40_windows_nothing_is_said_after_45_s_and_every_call_has_its_end() {
    for seed in 1..=20 {
        let calls = busy_hour(seed);
        let (latest, zone) = play(&calls);
        let tally = zone.tally();
        let dropped: u64 = tally.dropped.values().sum();
        assert!(latest <= 1000 * AGE_SECS_MAX as i64, "{seed}: {latest} ms");
        assert_eq!(tally.called, calls.len() as u64);
        assert_eq!(tally.spoken + dropped, tally.called, "{seed}: {tally:?}");
        println!(
            "{seed}: {} calls, {dropped} dropped, {latest} ms",
            calls.len()
        );
        assert!(dropped <= 2, "{seed}: {tally:?}");
    }
}

/// A random step of a zone's life.
#[derive(Debug, Clone)]
enum Step {
    Call(u8),
    Attend(u8),
    Leave(u8),
    End(u8, bool),
    Repeat(u8),
    Switch(bool),
    Pass,
}

fn steps() -> impl Strategy<Value = Vec<(Step, u16)>> {
    let step = prop_oneof![
        5 => (0..12_u8).prop_map(Step::Call),
        5 => (0..3_u8).prop_map(Step::Attend),
        1 => (0..3_u8).prop_map(Step::Leave),
        5 => (0..3_u8, prop::bool::weighted(0.9)).prop_map(|(who, ok)| Step::End(who, ok)),
        1 => (0..3_u8).prop_map(Step::Repeat),
        1 => prop::bool::weighted(0.8).prop_map(Step::Switch),
        2 => Just(Step::Pass),
    ];
    prop::collection::vec((step, 0..9_000_u16), 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_calls_add_up_and_nothing_old_begins(steps in steps()) {
        let mut zone = Announcer::default();
        let mut ms = 0_i64;
        let mut before: Option<String> = None;
        let mut last_id = String::new();
        for (step, pause) in steps {
            ms += i64::from(pause);
            let now = at(ms);
            let who = |n: u8| screen(["a", "b", "c"][usize::from(n)]);
            match step {
                Step::Call(n) => zone.call(call(&format!("A{n:03}"), ms), now),
                Step::Attend(n) => zone.attend(&who(n), now),
                Step::Leave(n) => zone.leave(&who(n), now),
                Step::End(n, ok) => {
                    let end = if ok { End::Done } else { End::Failed };
                    if let Some(saying) = zone.saying() {
                        last_id = saying.id();
                    }
                    zone.ended(&who(n), &last_id, end, now);
                }
                Step::Repeat(n) => zone.ended(&who(n), &last_id, End::Done, now),
                Step::Switch(on) => zone.set_up(on, 1),
                Step::Pass => zone.elapse(now),
            }
            let tally = zone.tally();
            let ended = tally.spoken + tally.dropped.values().sum::<u64>();
            let open = zone.waiting().len() as u64 + u64::from(zone.saying().is_some());
            prop_assert_eq!(tally.called, ended + open);
            prop_assert!(zone.saying().is_none() || zone.speaker().is_some());
            let mut numbers: Vec<_> = zone.waiting().map(|c| &c.number).collect();
            numbers.sort();
            numbers.dedup();
            prop_assert_eq!(numbers.len(), zone.waiting().len(), "a number waits once");
            if let Some(saying) = zone.saying() {
                let id = saying.id();
                let age = ms - (saying.call.at.millis() - MORNING_MS);
                prop_assert!(before.as_ref() == Some(&id) || age <= 45_000, "{} at {} ms", id, age);
                before = Some(id);
            } else {
                before = None;
            }
            // Whoever waits is served as soon as somebody can speak.
            let idle = zone.saying().is_none() && zone.speaker().is_some() && zone.is_on();
            if idle && !matches!(step, Step::Switch(_)) {
                prop_assert_eq!(zone.waiting().len(), 0);
            }
        }
    }
}
