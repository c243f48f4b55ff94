//! Who is suspected of abuse, and why.

use rules::channels::abuse::{CallerHour, Suspicion, Terms, suspects};
use rules::testing::clock;

/// Hours of one caller, one behind the other: how many were asked, and how many of these refused.
fn hours(channel: &str, caller: &str, counts: &[(u64, u64)]) -> Vec<CallerHour> {
    let counts = counts.iter().enumerate();
    counts
        .map(|(n, (asked, refused))| CallerHour {
            channel: channel.parse().expect("an id"),
            caller: caller.to_owned(),
            hour: clock("09:00").plus_secs(n as u64 * 3600),
            asked: *asked,
            refused: *refused,
        })
        .collect()
}

fn of(all: &[CallerHour]) -> Vec<(String, String, Vec<Suspicion>)> {
    let found = suspects(all, &Terms::default()).into_iter();
    found
        .map(|one| (one.channel.to_string(), one.caller, one.reasons))
        .collect()
}

#[test]
fn a_caller_is_suspected_from_more_than_five_times_its_own_median_on() {
    let calm = hours("sms", "calm", &[(40, 0), (50, 0), (60, 0), (250, 0)]);
    assert_eq!(of(&calm), [], "five times is not more than five times");
    let wild = hours("sms", "wild", &[(40, 0), (50, 0), (251, 0), (60, 0)]);
    let reason = Suspicion::FarAboveUsual {
        hour: clock("11:00"),
        asked: 251,
        usual: 50.0,
        times: 5.02,
    };
    assert_eq!(
        of(&wild),
        [("sms".to_owned(), "wild".to_owned(), vec![reason])]
    );
}

#[test]
fn what_is_not_known_or_too_little_is_no_suspicion() {
    assert_eq!(
        of(&hours("sms", "new", &[(1, 0), (1, 0), (900, 0)])),
        [],
        "two other hours are not enough"
    );
    assert_eq!(
        of(&hours("sms", "small", &[(1, 0), (1, 0), (1, 0), (19, 0)])),
        []
    );
    let elsewhere = [
        hours("a", "x", &[(5, 0), (5, 0), (5, 0)]),
        hours("b", "x", &[(500, 0)]),
    ]
    .concat();
    assert_eq!(of(&elsewhere), [], "each channel has its own level");
    assert_eq!(of(&[]), []);
}

#[test]
fn refusals_count_from_twenty_and_a_fifth_on() {
    assert_eq!(of(&hours("sms", "few", &[(19, 19)])), []);
    assert_eq!(of(&hours("sms", "fifth", &[(60, 10), (40, 10)])), []);
    let found = of(&hours("sms", "denied", &[(60, 11), (40, 10)]));
    let reason = Suspicion::OftenRefused {
        asked: 100,
        refused: 21,
        percent: 21.0,
    };
    assert_eq!(
        found,
        [("sms".to_owned(), "denied".to_owned(), vec![reason])]
    );
}

#[test]
fn both_reasons_are_told_and_whoever_asks_most_stands_first() {
    let all = [
        hours(
            "sms",
            "b",
            &[(10, 0), (10, 0), (10, 0), (30, 25), (400, 390)],
        ),
        hours("sms", "a", &[(25, 25)]),
    ];
    let found = of(&all.concat());
    let names: Vec<(&str, usize)> = found
        .iter()
        .map(|one| (one.1.as_str(), one.2.len()))
        .collect();
    assert_eq!(names, [("b", 2), ("a", 1)]);
}
