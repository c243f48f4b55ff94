//! Charts: what they show, that they say it in words, and that they are the same everywhere.

use dashboards::charts::{Course, Kind, Theme, draw};
use rules::channels::{Measured, Outcome, Statistics, Times, Window};
use rules::name::Lang;
use rules::testing::clock;
use rules::time::TimeZone;

const ZONE: TimeZone = TimeZone::SHANGHAI;

/// Every twenty seconds for fifty minutes a call of 20 to 79 ms, in the second half each fifth one failed;
/// none in between.
fn course(window: Window, slow_ms: f64) -> Course {
    let start = clock("09:05");
    let mut statistics = Statistics::new(start);
    for n in (0..150_u64).filter(|n| !(60..100).contains(n)) {
        let failed = n >= 100 && n % 5 == 0;
        let call = Measured {
            caller: "app",
            version: "1",
            outcome: if failed { Outcome::Failed } else { Outcome::Ok },
            status: Some(if failed { 502 } else { 200 }),
            micros: Some(20_000 + n % 60 * 1000),
        };
        statistics.record(&call, 2_000_000, ZONE, start.plus_secs(n * 20));
    }
    let now = start.plus_secs(3000);
    statistics.advance(ZONE, now);
    Course {
        window,
        as_of: now,
        zone: ZONE,
        stretches: statistics.course(window),
        bars: statistics.distribution(window),
        whole: statistics.figures(window, ZONE).times,
        slow_ms,
    }
}

fn drawn(kind: Kind, course: &Course, lang: Lang) -> String {
    draw(kind, course, lang, Theme::Light).expect("drawn")
}

fn count(svg: &str, part: &str) -> usize {
    svg.matches(part).count()
}

const ALL: [Kind; 3] = [Kind::Calls, Kind::Times, Kind::Distribution];

#[test]
fn each_chart_says_in_words_what_it_shows_in_the_readers_language() {
    let course = course(Window::Hour, 2000.0);
    let svg = drawn(Kind::Calls, &course, Lang::Zh);
    assert!(
        svg.contains("role=\"img\"") && svg.contains("<title>调用与失败 · 近 1 小时</title>"),
        "{svg}"
    );
    assert!(
        svg.contains("<desc>调用 110 次，失败 10 次，拒绝 0 次</desc>"),
        "{svg}"
    );
    let svg = drawn(Kind::Times, &course, Lang::En);
    assert!(
        svg.contains("<desc>median 47 ms, 95th percentile 77 ms"),
        "{svg}"
    );
    for kind in ALL {
        let svg = drawn(kind, &course, Lang::En);
        assert!(
            !svg.chars()
                .any(|sign| ('\u{4e00}'..='\u{9fff}').contains(&sign)),
            "{kind:?}"
        );
        assert!(
            svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"),
            "{kind:?}"
        );
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{kind:?}");
        assert!(
            !svg.contains("@font-face") && !svg.contains("base64"),
            "{kind:?}"
        );
        assert_eq!(svg, drawn(kind, &course, Lang::En), "{kind:?}");
    }
}

/// A bar a slot of five minutes that had calls, a narrower one where some failed; hours of the hall's clock.
#[test]
fn calls_have_a_bar_a_slot_and_failures_a_narrower_one() {
    let course = course(Window::Hour, 2000.0);
    let slots = course.stretches.len();
    let failing = course
        .stretches
        .iter()
        .filter(|one| one.times.failed > 0)
        .count();
    assert!(slots > failing && failing >= 3, "{slots} {failing}");
    let svg = drawn(Kind::Calls, &course, Lang::Zh);
    // One of each stands in the legend.
    assert_eq!(count(&svg, "fill=\"#9CC3EA\""), slots + 1);
    assert_eq!(count(&svg, "fill=\"#B3261E\""), failing + 1);
    for hour in ["09:00", "09:10", "09:50"] {
        assert!(svg.contains(hour), "{hour}");
    }
    assert!(!svg.contains("10:00"), "{svg}");
}

#[test]
fn times_have_a_gap_where_nothing_was_called_and_a_limit_only_when_it_is_near() {
    let svg = drawn(Kind::Times, &course(Window::Hour, 2000.0), Lang::Zh);
    let thick = svg
        .lines()
        .filter(|line| line.contains("<polyline") && line.contains("stroke-width=\"3\""));
    assert_eq!(thick.count(), 2, "before the gap and after it: {svg}");
    assert!(!svg.contains("限值"));
    let near = drawn(Kind::Times, &course(Window::Hour, 100.0), Lang::Zh);
    assert!(near.contains("限值 100"), "{near}");
}

#[test]
fn the_distribution_has_a_bar_for_each_quarter_of_a_doubling_that_occurred() {
    let course = course(Window::Hour, 2000.0);
    let filled = course.bars.iter().filter(|bar| bar.calls > 0).count();
    let svg = drawn(Kind::Distribution, &course, Lang::En);
    assert_eq!(count(&svg, "fill=\"#9CC3EA\""), filled);
    assert!(
        svg.contains("median") && svg.contains("95%") && svg.contains(" ms"),
        "{svg}"
    );
}

#[test]
fn without_calls_a_chart_says_so_and_one_call_is_drawn() {
    let nothing = Course {
        stretches: Vec::new(),
        bars: Vec::new(),
        whole: Times::default(),
        ..course(Window::Hour, 2000.0)
    };
    for kind in ALL {
        assert!(
            drawn(kind, &nothing, Lang::Zh).contains("这段时间没有调用"),
            "{kind:?}"
        );
    }
    let start = clock("09:00");
    let mut statistics = Statistics::new(start);
    let call = Measured {
        caller: "a",
        version: "",
        outcome: Outcome::Ok,
        status: None,
        micros: Some(0),
    };
    statistics.record(&call, 1, ZONE, start);
    for window in Window::ALL {
        let one = Course {
            window,
            as_of: start.plus_secs(5),
            zone: ZONE,
            stretches: statistics.course(window),
            bars: statistics.distribution(window),
            whole: statistics.figures(window, ZONE).times,
            slow_ms: 2000.0,
        };
        for kind in ALL {
            let svg = draw(kind, &one, Lang::En, Theme::Dark).expect("drawn");
            assert!(
                !svg.contains("NaN") && !svg.contains("no calls"),
                "{kind:?} {window:?} {svg}"
            );
        }
    }
}
