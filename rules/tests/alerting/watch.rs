//! One rule on one subject over time. The scenarios are those that the public tools test themselves
//! with; where ours differs on purpose the test says so, and the guide has the table.

use rules::Timestamp;
use rules::alerts::rule::{FlapLimits, OnMissing};
use rules::alerts::watch::{Phase, Timing, Verdict, Watch};

const TIMING: Timing = Timing {
    for_ms: 0,
    keep_ms: 0,
    on_missing: OnMissing::Keep,
    flap: None,
};

fn minutes(n: u64) -> u64 {
    n * 60_000
}

fn at(minute: f64) -> Timestamp {
    Timestamp::from_millis((minute * 60_000.0) as i64)
}

/// Samples a minute apart, `x` bad, `.` good, `_` missing; between samples time elapses to the
/// second. Returns the minutes at which an alert was raised and resolved.
fn run(timing: &Timing, samples: &str) -> (Vec<f64>, Vec<f64>) {
    let mut watch = Watch::default();
    play(&mut watch, timing, samples, 0)
}

fn play(watch: &mut Watch, timing: &Timing, samples: &str, from: u64) -> (Vec<f64>, Vec<f64>) {
    let (mut raised, mut resolved) = (Vec::new(), Vec::new());
    let mut note = |change: Option<rules::alerts::watch::Change>, minute: f64| {
        raised.extend(change.filter(|c| c.raised()).map(|_| minute));
        resolved.extend(change.filter(|c| c.resolved()).map(|_| minute));
    };
    for (minute, sample) in (from..).zip(samples.chars()) {
        let verdict = match sample {
            'x' => Verdict::True,
            '.' => Verdict::False,
            _ => Verdict::Missing,
        };
        note(
            watch.step(timing, verdict, true, at(minute as f64)),
            minute as f64,
        );
        for second in 1..60 {
            let minute = minute as f64 + f64::from(second) / 60.0;
            note(watch.elapse(timing, at(minute)), minute);
        }
    }
    (raised, resolved)
}

/// Scenario 1: what resets the wait is a good sample; a missing one does not.
#[test]
fn a_missed_sample_does_not_reset_the_wait_but_a_good_one_does() {
    let timing = Timing {
        for_ms: minutes(5),
        ..TIMING
    };
    assert_eq!(run(&timing, "xxx_xxxxxxx").0, [5.0]);
    assert_eq!(run(&timing, "xxx.xxxxxxx").0, [9.0]);
}

/// Scenario 1, ours: nothing is raised on data that nobody saw. Prometheus looks back five minutes
/// and fires at minute 5 in the midst of a gap from 2 to 6; here the next sample does.
#[test]
fn nothing_is_raised_within_a_gap_and_the_age_is_kept_over_it() {
    let timing = Timing {
        for_ms: minutes(5),
        ..TIMING
    };
    assert_eq!(run(&timing, "xx_____xx").0, [7.0]);
    assert_eq!(run(&timing, "xx_____.x").0, [0.0; 0]);
}

/// Scenario 2, ours: 90 seconds are 90 seconds, also with a sample each minute (Prometheus: 2m).
#[test]
fn a_wait_that_is_no_multiple_of_the_samples_ends_when_it_ends() {
    let timing = Timing {
        for_ms: 90_000,
        ..TIMING
    };
    assert_eq!(run(&timing, "xxxx").0, [1.5]);
    let timing = Timing {
        for_ms: minutes(5),
        ..TIMING
    };
    assert_eq!(
        run(&timing, "xxxxxxx").0,
        [5.0],
        "five minutes to the instant"
    );
}

/// Scenario 3: resolved when it was good for the whole keeping time, counted from the first good.
#[test]
fn an_alert_is_kept_for_the_keeping_time_and_a_pending_one_is_not() {
    let timing = Timing {
        for_ms: minutes(1),
        keep_ms: minutes(3),
        ..TIMING
    };
    assert_eq!(run(&timing, "xxx....."), (vec![1.0], vec![6.0]));
    assert_eq!(run(&timing, "xxx..x....."), (vec![1.0], vec![9.0]));
    let timing = Timing {
        for_ms: minutes(1),
        keep_ms: minutes(1),
        ..TIMING
    };
    assert_eq!(run(&timing, "xx......"), (vec![1.0], vec![3.0]));
    assert_eq!(
        run(&timing, "x......"),
        (vec![], vec![]),
        "pending is never kept"
    );
}

/// Scenario 4: the last heartbeat at minute 4, missing after 5 minutes, for 10 minutes: the three
/// add up to 19, as in Prometheus 3 (2.42 says 20).
#[test]
fn absence_is_a_condition_of_its_own_and_waits_like_any_other() {
    let timing = Timing {
        for_ms: minutes(10),
        ..TIMING
    };
    let silent_for_five_minutes = ".........xxxxxxxxxxxx";
    assert_eq!(run(&timing, silent_for_five_minutes).0, [19.0]);
    let fires_on_missing = Timing {
        for_ms: minutes(10),
        on_missing: OnMissing::Fire,
        ..TIMING
    };
    assert_eq!(run(&fires_on_missing, "....._____________").0, [15.0]);
}

/// Scenario 6, ours: time without the desk counts. A wait of 25 minutes that began at 0 and was seen
/// to minute 5 ends at 25 when the desk is back at 15 (Prometheus: 35), and at once when it is back
/// at 40 and finds it still so (Prometheus: starts anew).
#[test]
fn a_restart_within_the_wait_keeps_its_age() {
    let timing = Timing {
        for_ms: minutes(25),
        ..TIMING
    };
    for (back, raised) in [(15, 25.0), (40, 40.0)] {
        let mut watch = Watch::default();
        assert_eq!(play(&mut watch, &timing, "xxxxxx", 0).0, [0.0; 0]);
        let mut watch = Watch::restored(watch.phase, watch.flapping, watch.no_data_since);
        let again = play(&mut watch, &timing, "xxxxxxxxxxxxxxxx", back);
        assert_eq!(again.0, [raised], "back at {back}");
    }
}

/// Scenario 6: what fires stays firing over a restart and is not raised again.
#[test]
fn a_restart_while_firing_or_kept_raises_nothing_anew() {
    let timing = Timing {
        keep_ms: minutes(3),
        ..TIMING
    };
    let mut watch = Watch::default();
    assert_eq!(play(&mut watch, &timing, "xx.", 0).0, [0.0]);
    let mut watch = Watch::restored(watch.phase, watch.flapping, watch.no_data_since);
    assert_eq!(play(&mut watch, &timing, "....", 3), (vec![], vec![5.0]));
}

/// AC-D01-4: one alert with a count of ten, resolved once, over a single good evaluation within.
#[test]
fn ten_bad_evaluations_are_one_alert_with_a_count_of_ten() {
    let timing = Timing {
        keep_ms: minutes(1),
        ..TIMING
    };
    let mut watch = Watch::default();
    let (raised, resolved) = play(&mut watch, &timing, "xxxxx.xxxxx", 0);
    assert_eq!((raised, resolved), (vec![0.0], vec![]));
    assert_eq!(watch.count, 10);
    assert_eq!(play(&mut watch, &timing, "..", 11), (vec![], vec![12.0]));
}

/// Scenario 12: the percentages of Nagios Core, change by change.
#[test]
fn flapping_begins_and_ends_where_nagios_says() {
    let timing = Timing {
        flap: Some(FlapLimits {
            low_percent: 5.0,
            high_percent: 20.0,
        }),
        ..TIMING
    };
    let flaps = |every: usize, checks: usize| {
        let mut watch = Watch::default();
        (1..=checks).find(|check| {
            let bad = (check.div_ceil(every)) % 2 == 1;
            let verdict = if bad { Verdict::True } else { Verdict::False };
            watch.step(&timing, verdict, true, at(*check as f64));
            watch.flapping
        })
    };
    assert_eq!(
        flaps(1, 40),
        Some(4),
        "changing every time: 24.21 % at the fourth"
    );
    assert_eq!(
        flaps(3, 40),
        Some(10),
        "every third time: the fourth change, 22.6 %"
    );
    assert_eq!(flaps(8, 80), None, "every eighth: 15.6 % at most");

    let mut watch = Watch::default();
    play(&mut watch, &timing, "x.x.", 0);
    assert!(
        watch.flapping && watch.phase.is_open(),
        "kept while it flaps"
    );
    let steady = (4..).take_while(|minute| {
        watch.step(&timing, Verdict::False, true, at(*minute as f64));
        watch.flapping
    });
    assert_eq!(steady.count(), 18, "steady at the nineteenth equal check");
    assert_eq!(watch.phase, Phase::Normal);
}

/// Scenario 14: a subject without data keeps its alert and says since when (Grafana resolves it
/// after two evaluations).
#[test]
fn an_alert_without_data_stays_and_says_since_when() {
    let mut watch = Watch::default();
    assert_eq!(play(&mut watch, &TIMING, "x___", 0), (vec![0.0], vec![]));
    assert_eq!(watch.no_data_since, Some(at(1.0)));
    assert!(watch.phase.is_open());
    assert_eq!(play(&mut watch, &TIMING, ".", 4), (vec![], vec![4.0]));
    assert_eq!(watch.no_data_since, None);
    let clears = Timing {
        on_missing: OnMissing::Clear,
        ..TIMING
    };
    assert_eq!(run(&clears, "x_"), (vec![0.0], vec![1.0]));
}

#[test]
fn outside_its_hours_a_rule_raises_nothing_and_still_resolves() {
    let mut watch = Watch::default();
    assert_eq!(watch.step(&TIMING, Verdict::True, false, at(0.0)), None);
    assert!(
        watch
            .step(&TIMING, Verdict::True, true, at(1.0))
            .is_some_and(|c| c.raised())
    );
    assert_eq!(watch.step(&TIMING, Verdict::True, false, at(2.0)), None);
    let over = watch.step(&TIMING, Verdict::False, false, at(3.0));
    assert!(over.is_some_and(|c| c.resolved()));
}
