//! Sliding statistics against the same figures found by keeping every call, and their memory.

use proptest::prelude::*;
use rules::channels::callers::CALLERS_MAX;
use rules::channels::histogram::{RELATIVE_ERROR_MAX, exact_percentile};
use rules::channels::{ChannelCommand, Measured, Outcome, Statistics, Tally, Window};
use rules::testing::clock;
use rules::time::{TimeZone, Timestamp};

use crate::support::{Story, call, key, setup};

const ZONE: TimeZone = TimeZone::SHANGHAI;
const SLOW: u64 = 2_000_000;

fn measured(micros: u64) -> Measured<'static> {
    Measured {
        micros: Some(micros),
        ..call(Outcome::Ok, 0)
    }
}

/// AC-F02-2
#[test]
fn five_calls_have_the_figures_that_one_reckons_by_hand() {
    let mut story = Story::new(setup());
    for millis in [100, 200, 300, 400] {
        story.records(&call(Outcome::Ok, millis));
    }
    story.records(&call(Outcome::Failed, 5000));
    for window in Window::ALL {
        let figures = story.channel.figures(window);
        let times = &figures.times;
        assert_eq!(times.success_percent, Some(80.0));
        assert_eq!((times.min_ms, times.max_ms), (Some(100.0), Some(5000.0)));
        assert_eq!((times.p50_ms, times.mean_ms), (Some(300.0), Some(1200.0)));
        assert_eq!((times.p99_ms, figures.exact), (Some(5000.0), true));
        assert_eq!(times.by_class, [0, 4, 0, 0, 0, 1]);
    }
}

#[test]
fn no_calls_have_no_figures_rather_than_zero_percent() {
    let story = Story::new(setup());
    let times = story.channel.figures(Window::Hour).times;
    assert_eq!((times.calls, times.success_percent), (0, None));
    assert_eq!(
        (times.p50_ms, times.min_ms, times.slow_percent),
        (None, None, None)
    );
}

/// Every call that was made, with its instant.
struct Exact(Vec<(i64, u64)>);

impl Exact {
    fn since(&self, from: Timestamp) -> Vec<u64> {
        let calls = self.0.iter().filter(|(at, _)| *at >= from.millis());
        let mut micros: Vec<u64> = calls.map(|(_, micros)| *micros).collect();
        micros.sort_unstable();
        micros
    }
}

fn compare(statistics: &Statistics, exact: &Exact) {
    for window in Window::ALL {
        let figures = statistics.figures(window, ZONE);
        let sorted = exact.since(figures.from);
        assert_eq!(figures.times.calls, sorted.len() as u64, "{window:?}");
        assert_eq!(
            figures.tally.min_micros,
            sorted.first().copied().unwrap_or(0)
        );
        assert_eq!(
            figures.tally.max_micros,
            sorted.last().copied().unwrap_or(0)
        );
        assert_eq!(figures.tally.micros, sorted.iter().sum::<u64>());
        let told = [
            figures.times.p50_ms,
            figures.times.p90_ms,
            figures.times.p95_ms,
            figures.times.p99_ms,
        ];
        for (told, percent) in told.into_iter().zip([50.0, 90.0, 95.0, 99.0]) {
            let Some(exact) = exact_percentile(&sorted, percent) else {
                assert_eq!(told, None);
                continue;
            };
            let error = (told.expect("a percentile") * 1000.0 - exact as f64).abs();
            let most = if figures.exact {
                1e-6
            } else {
                RELATIVE_ERROR_MAX * exact as f64 + 0.5
            };
            assert!(error <= most, "{window:?} p{percent}: {told:?} {exact}");
        }
        assert_eq!(figures.times_from, None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Bursts, lulls and long silences: every window is what its calls are.
    #[test]
    fn windows_slide_as_if_every_call_were_kept(
        steps in prop::collection::vec(
            (
                prop_oneof![0..15_000_i64, 0..400_000_i64, 0..8_000_000_i64, 0..200_000_000_i64],
                prop::collection::vec(1..3_000_000_u64, 0..40),
            ),
            1..60,
        )
    ) {
        let start = clock("09:00:03.217");
        let mut statistics = Statistics::new(start);
        let mut exact = Exact(Vec::new());
        let mut now = start;
        for (pause, calls) in steps {
            now = Timestamp::from_millis(now.millis() + pause);
            for micros in calls {
                statistics.record(&measured(micros), SLOW, ZONE, now);
                exact.0.push((now.millis(), micros));
            }
            statistics.advance(ZONE, now);
            compare(&statistics, &exact);
        }
        let text = serde_json::to_string(&statistics).expect("JSON");
        let again: Statistics = serde_json::from_str(&text).expect("statistics");
        compare(&again, &exact);
    }

    /// Whoever calls, the table's lines add up to all calls of the day.
    #[test]
    fn the_callers_add_up_to_the_whole(
        calls in prop::collection::vec((0..60_u32, 0..3_u32, 0..40_000_i64), 1..600)
    ) {
        let mut now = clock("09:00");
        let mut statistics = Statistics::new(now);
        for (caller, version, pause) in &calls {
            now = Timestamp::from_millis(now.millis() + pause);
            let (caller, version) = (format!("app{caller}"), format!("v{version}"));
            let call = Measured { caller: &caller, version: &version, ..measured(1) };
            statistics.record(&call, SLOW, ZONE, now);
        }
        let lines = statistics.callers().figures();
        let sum: u64 = lines.iter().map(|line| u64::from(line.day.calls)).sum();
        prop_assert_eq!(sum, calls.len() as u64);
        prop_assert!(lines.len() <= CALLERS_MAX + 1);
    }
}

#[test]
fn whoever_makes_a_real_share_of_the_calls_has_a_line_among_any_number_of_callers() {
    let mut now = clock("09:00");
    let mut statistics = Statistics::new(now);
    for number in 0..20_000_u32 {
        now = Timestamp::from_millis(now.millis() + 10);
        let caller = match number % 7 {
            0 => "busy".to_owned(),
            _ => format!("app{number}"),
        };
        let call = Measured {
            caller: &caller,
            ..measured(1)
        };
        statistics.record(&call, SLOW, ZONE, now);
    }
    let lines = statistics.callers().figures();
    assert_eq!(lines[0].caller.as_deref(), Some("busy"));
    assert!(lines[0].day.calls >= 20_000 / 7 - 20, "{:?}", lines[0]);
    let (top, share) = statistics.callers().top().expect("a caller");
    assert_eq!(top, "busy");
    assert!((share - 100.0 / 7.0).abs() < 0.5, "{share}");
    // Five minutes of silence later nobody is busy, and the day remembers.
    let later = now.plus_secs(400);
    statistics.advance(ZONE, later);
    assert_eq!(statistics.callers().top(), None);
    let sum: u64 = statistics
        .callers()
        .figures()
        .iter()
        .map(|line| u64::from(line.day.calls))
        .sum();
    assert_eq!(sum, 20_000);
}

#[test]
fn usual_is_the_median_of_four_weeks_and_unknown_after_one() {
    let mut now = clock("09:00");
    let mut statistics = Statistics::new(now);
    let mut week = |statistics: &mut Statistics, calls: u64| {
        for _ in 0..calls {
            statistics.record(&measured(1000), SLOW, ZONE, now);
        }
        now = now.plus_secs(7 * 86_400);
        statistics.advance(ZONE, now);
        statistics.usual_calls_per_minute(ZONE)
    };
    assert_eq!(week(&mut statistics, 600), None);
    assert_eq!(week(&mut statistics, 1200), Some(15.0));
    assert_eq!(week(&mut statistics, 60_000), Some(20.0));
    // A program that stood still says nothing of what is usual.
    let hours = |statistics: &Statistics| serde_json::to_string(statistics.usual()).expect("JSON");
    let before = hours(&statistics);
    statistics.resume(ZONE, now.plus_secs(3 * 86_400));
    assert_eq!(hours(&statistics), before);
}

/// A channel with everything at its most: names, versions, grants, callers, every bucket of every slot.
fn crammed(mut micros: impl FnMut(u64) -> u64) -> (usize, Story) {
    let mut full = setup();
    full.name = rules::name::Name::same("市".repeat(80));
    for text in [&mut full.consumer, &mut full.group, &mut full.owner] {
        *text = Some("x".repeat(64));
    }
    full.endpoint = Some(format!("http://{}", "x".repeat(500)));
    let mut story = Story::new(full);
    for number in 0..24 {
        let version = format!("{number:032}");
        story.does(ChannelCommand::DraftVersion {
            version,
            notes: None,
        });
    }
    for number in 0..64 {
        story.does(ChannelCommand::Grant {
            caller: format!("{number:064}"),
            version: Some(format!("{:032}", number % 24)),
            key_hash: key(number),
            since: None,
        });
    }
    let mut most = 0;
    let mut number = 0;
    for minute in 0..25 * 60 {
        story.until(clock("09:00").plus_secs(60 * minute));
        for _ in 0..150 {
            number += 1;
            let (caller, version) = (
                format!("{:064}", number % 40),
                format!("{:032}", number % 24),
            );
            let one = Measured {
                caller: &caller,
                version: &version,
                ..measured(micros(number))
            };
            story.records(&one);
        }
        most = most.max(story.channel.bytes());
    }
    (most, story)
}

#[test]
fn a_channel_never_takes_more_than_64_kib() {
    let log_uniform = |number: u64| {
        let share = (number * 2_654_435_761 % 4_294_967_296) as f64 / 4_294_967_296.0;
        2_f64.powf(32.0 * share) as u64
    };
    let (most, story) = crammed(log_uniform);
    assert!(most <= 64 * 1024, "{most} bytes");
    // Counts stay whole where times are given up, and the figures say so.
    let day = story.channel.figures(Window::Day);
    assert!(day.times.calls >= 24 * 60 * 150, "{}", day.times.calls);
    let five = story.channel.figures(Window::FiveMinutes);
    assert_eq!((five.times.calls >= 750, five.times_from), (true, None));
}

#[test]
fn a_busy_channel_of_one_kind_of_call_keeps_all_its_times_in_far_less() {
    // Around 80 ms, a tail of one in a hundred around 2 s.
    let usual = |number: u64| match number % 100 {
        0 => 1_500_000 + number * 7919 % 900_000,
        _ => 40_000 + number * 7919 % 90_000,
    };
    let (most, story) = crammed(usual);
    assert!(most <= 56 * 1024, "{most} bytes");
    for window in Window::ALL {
        assert_eq!(story.channel.figures(window).times_from, None);
    }
    assert_eq!(Tally::default().success_percent(), None);
}

/// The slots of a window add up to the window, lie in order and do not overlap; the bars of its times
/// too, and each call is in the bar that its time lies in.
#[test]
fn a_window_slot_by_slot_and_time_by_time_is_the_window() {
    let start = clock("09:00");
    let mut statistics = Statistics::new(start);
    let mut at = start;
    for n in 0..2_000_u64 {
        at = at.plus_secs(n % 23);
        let micros = 900 + n * n % 70_000;
        statistics.record(&measured(micros), SLOW, ZONE, at);
    }
    statistics.advance(ZONE, at);
    for window in Window::ALL {
        let whole = statistics.figures(window, ZONE);
        let course = statistics.course(window);
        let sum: u64 = course.iter().map(|one| one.times.calls).sum();
        assert_eq!(sum, whole.times.calls, "{window:?}");
        assert!(
            course
                .iter()
                .all(|one| one.times.calls > 0 && one.from < one.until)
        );
        let in_order = course.windows(2).all(|pair| pair[0].until <= pair[1].from);
        assert!(in_order, "{course:?}");
        assert!(course[0].from >= whole.from, "{window:?}");
        assert!(course.last().is_some_and(|last| last.until > at));
        let longest = course.iter().filter_map(|one| one.times.max_ms);
        assert_eq!(longest.reduce(f64::max), whole.times.max_ms);
        let bars = statistics.distribution(window);
        assert_eq!(bars.iter().map(|bar| bar.calls).sum::<u64>(), sum);
        let side_by_side = bars
            .windows(2)
            .all(|pair| pair[0].to_micros == pair[1].from_micros);
        assert!(side_by_side && bars[0].calls > 0, "{bars:?}");
        let least = whole.tally.min_micros;
        assert!((bars[0].from_micros..bars[0].to_micros).contains(&least));
        let (most, last) = (whole.tally.max_micros, bars[bars.len() - 1]);
        assert!((last.from_micros..last.to_micros).contains(&most));
    }
    assert!(Statistics::new(start).course(Window::Day).is_empty());
    assert!(Statistics::new(start).distribution(Window::Day).is_empty());
}
