//! Health of a channel: what calls and time make of it.

use rules::channels::{
    Channel, ChannelCommand, GroupHealth, Health, Limits, Measured, Outcome, Reason, Window,
};
use rules::machine::Machine as _;
use rules::testing::clock;

use crate::support::{Story, call, setup};

/// AC-F02-3
#[test]
fn with_limit_five_the_tenth_call_of_ffffsfffff_brings_it_down_and_three_successes_up() {
    let mut story = Story::new(setup());
    story.calls("FFFF S FFFF");
    assert_eq!(story.channel.health(), Health::Healthy);
    assert_eq!(story.channel.streak().failures, 4);
    story.calls("F");
    assert_eq!(story.channel.health(), Health::Down);
    let reason = Reason::ConsecutiveFailures { failures: 5 };
    assert_eq!(story.channel.health_reason(), Some(&reason));
    story.calls("S");
    assert_eq!(story.channel.health(), Health::Recovering);
    story.calls("S");
    assert_eq!(story.channel.health(), Health::Recovering);
    story.calls("S");
    assert_eq!(story.channel.health(), Health::Healthy);
    assert_eq!(
        story.turns(),
        ["healthy-down", "down-recovering", "recovering-healthy"]
    );
}

#[test]
fn a_single_failure_while_recovering_starts_the_successes_anew() {
    let mut story = Story::new(setup());
    story.calls("FFFFF SS F SS");
    assert_eq!(story.channel.health(), Health::Recovering);
    story.calls("S");
    assert_eq!(story.channel.health(), Health::Healthy);
    story.calls("FFFFF S FFFFF");
    assert_eq!(story.channel.health(), Health::Down);
}

#[test]
fn calls_that_are_recorded_together_turn_it_only_once() {
    let mut story = Story::new(setup());
    story.calls("FFFFF");
    for _ in 0..3 {
        story
            .channel
            .record(&call(Outcome::Ok, 10), None, story.now);
    }
    story.at("09:01");
    assert_eq!(story.turns(), ["healthy-down", "down-healthy"]);
}

/// Shares are judged by slots of ten seconds, and the set-up falls within one.
#[test]
fn calls_told_in_the_moment_of_the_set_up_are_judged_too() {
    let mut story = Story::set_up_at("09:00:04", setup());
    for n in 0..30 {
        let outcome = if n % 10 == 9 {
            Outcome::Failed
        } else {
            Outcome::Ok
        };
        story.records(&call(outcome, 100));
    }
    story.at("09:01");
    assert_eq!(story.turns(), ["healthy-degraded"]);
}

#[test]
fn shares_of_failures_degrade_it_from_enough_calls_on_and_until_clearly_better() {
    let mut story = Story::new(setup());
    // One in ten fails, of nineteen calls: nothing can be said.
    story.calls("SSSSFSSSSSSSSSFSSSS").at("09:01");
    assert!(story.turns().is_empty());
    story.calls("S").at("09:01:30");
    assert_eq!(story.turns(), ["healthy-degraded"]);
    assert!(matches!(
        story.channel.health_reason(),
        Some(Reason::Failing { calls: 20, .. })
    ));
    // 2 of 45 are 4.4 %: under the limit of 5, not under 4.
    story.calls(&"S".repeat(25)).at("09:02:10");
    assert_eq!(story.channel.health(), Health::Degraded);
    story.calls(&"S".repeat(10)).at("09:02:40");
    assert_eq!(story.turns(), ["healthy-degraded", "degraded-healthy"]);
    assert_eq!(story.channel.health_reason(), Some(&Reason::WithinLimits));
}

/// AC-F02-4, by the channel's own health.
#[test]
fn slow_answers_degrade_it_when_enough_of_them_are_known() {
    let mut story = Story::new(setup());
    for _ in 0..10 {
        story.records(&call(Outcome::Ok, 2600));
    }
    story.at("09:00:30");
    assert_eq!(story.channel.health(), Health::Healthy);
    for _ in 0..90 {
        story.records(&call(Outcome::Ok, 2600));
    }
    story.at("09:01");
    assert_eq!(story.channel.health(), Health::Degraded);
    let reason = Reason::Slow {
        slow_percent: 100.0,
        slow_ms: 2000,
        calls: 100,
    };
    assert_eq!(story.channel.health_reason(), Some(&reason));
    assert_eq!(
        story.channel.figures(Window::FiveMinutes).times.p95_ms,
        Some(2600.0)
    );
    // The calls pass out of the window; nothing can be said, so nothing is held against it.
    story.at("09:07");
    assert_eq!(story.channel.health(), Health::Healthy);
}

#[test]
fn an_outage_that_is_over_is_not_held_against_it() {
    let mut story = Story::new(setup());
    story.calls(&"F".repeat(30)).calls("SSS").at("09:02");
    assert_eq!(story.channel.health(), Health::Healthy);
    story.calls(&"S".repeat(20)).at("09:04");
    assert_eq!(story.channel.health(), Health::Healthy);
}

#[test]
fn far_more_or_far_fewer_calls_than_usual_degrade_it() {
    let mut story = Story::new(setup());
    // Ten calls a minute at this hour of two Mondays.
    for day in ["2", "9"] {
        for minute in 0..60 {
            story.at(&format!("{day}T10:{minute:02}"));
            for _ in 0..10 {
                story.records(&call(Outcome::Ok, 20));
            }
        }
        story.at(&format!("{day}T11:30"));
    }
    story.at("16T10:00");
    let usual = story.channel.figures(Window::Minute).usual_calls_per_minute;
    assert_eq!(usual, Some(10.0));
    let turned = story.turns().len();
    // Silence is usual before ten: nothing is said of it before five minutes of the busy hour.
    story.at("16T10:04:50");
    assert_eq!(story.channel.health(), Health::Healthy);
    story.at("16T10:06");
    assert_eq!(story.channel.health(), Health::Degraded);
    assert!(matches!(
        story.channel.health_reason(),
        Some(Reason::OddFrequency {
            calls_per_minute: 0.0,
            usual: 10.0
        })
    ));
    for minute in 7..14 {
        story.at(&format!("16T10:{minute:02}"));
        for _ in 0..10 {
            story.records(&call(Outcome::Ok, 20));
        }
    }
    story.at("16T10:14");
    assert_eq!(story.channel.health(), Health::Healthy);
    for _ in 0..400 {
        story.records(&call(Outcome::Ok, 20));
    }
    story.at("16T10:15");
    assert_eq!(story.channel.health(), Health::Degraded);
    assert_eq!(story.turns().len() - turned, 3);
}

/// AC-F03-2
#[test]
fn announced_maintenance_judges_nothing_and_keeps_the_figures() {
    let mut story = Story::new(setup());
    story.does(ChannelCommand::Maintain {
        from: Some(clock("22:00")),
        until: clock("23:00"),
        reason: "by the ministry".to_owned(),
    });
    story.at("21:59:50").calls("S");
    story.at("22:00");
    assert_eq!(story.channel.health(), Health::Maintenance);
    story.calls(&"F".repeat(50));
    assert_eq!(story.channel.health(), Health::Maintenance);
    assert_eq!(story.channel.figures(Window::Hour).times.failed, 50);
    story.at("23:00");
    assert_eq!(story.channel.health(), Health::Healthy);
    assert_eq!(story.channel.maintenance(), None);
    story.calls("FFFF");
    assert_eq!(story.channel.health(), Health::Healthy);
    story.calls("F");
    assert_eq!(story.channel.health(), Health::Down);
    assert_eq!(
        story.turns(),
        ["healthy-maintenance", "maintenance-healthy", "healthy-down"]
    );
}

#[test]
fn maintenance_can_end_early_and_one_that_nobody_saw_is_put_away() {
    let maintain = |from: &str, until: &str| ChannelCommand::Maintain {
        from: Some(clock(from)),
        until: clock(until),
        reason: "new version".to_owned(),
    };
    let mut story = Story::new(setup());
    assert!(
        story
            .refuses(maintain("10:00", "10:00"))
            .to_string()
            .contains("until")
    );
    story.does(maintain("09:00", "12:00"));
    assert_eq!(story.channel.health(), Health::Maintenance);
    story.at("09:30").does(ChannelCommand::EndMaintenance);
    assert_eq!(story.channel.health(), Health::Healthy);
    story.does(maintain("10:00", "11:00"));
    // The program stood still in between.
    story.now = clock("13:00");
    story.at("13:00");
    assert_eq!(story.channel.maintenance(), None);
    assert_eq!(story.channel.health(), Health::Healthy);
}

#[test]
fn a_channel_that_turns_all_the_time_does_not_flood_the_journal() {
    let mut setup = setup();
    setup.limits = Limits {
        consecutive_failures: 1,
        recovery_successes: 1,
        ..Limits::default()
    };
    let mut story = Story::new(setup);
    for round in 0..10_000 {
        let outcome = [Outcome::Failed, Outcome::Ok][round % 2];
        story.records(&call(outcome, 5));
    }
    assert_eq!(story.turns().len(), 20);
    // A minute later it says how it is.
    story.records(&call(Outcome::Failed, 5)).at("09:01");
    assert_eq!(story.channel.health(), Health::Down);
    assert_eq!(story.turns().len(), 21);
}

/// AC-F03-1
#[test]
fn a_group_is_as_its_worst_channel() {
    use Health::{Degraded, Down, Healthy};
    let all = [
        Healthy, Healthy, Down, Healthy, Degraded, Healthy, Healthy, Healthy,
    ];
    let group = GroupHealth::of(all);
    assert_eq!((group.healthy, group.down, group.degraded), (6, 1, 1));
    assert_eq!(group.health, Down);
    assert_eq!(GroupHealth::of([]).health, Healthy);
}

#[test]
fn a_channel_comes_back_from_its_snapshot_and_its_journal() {
    let mut story = Story::new(setup());
    story.calls("SSSSFFFFF");
    let text = serde_json::to_string(&story.channel).expect("JSON");
    let mut again: Channel = serde_json::from_str(&text).expect("a channel");
    assert_eq!(serde_json::to_string(&again).expect("JSON"), text);
    let before = story.channel.figures(Window::Day);
    again.resume(story.now);
    assert_eq!(again.figures(Window::Day), before);
    // Without a snapshot the journal alone says how it is; the next success counts.
    let mut bare = Channel::default();
    for recorded in &story.journal {
        bare.apply(recorded);
    }
    assert_eq!(
        (bare.health(), bare.seq()),
        (Health::Down, story.channel.seq())
    );
    assert!(bare.elapse(story.now).is_empty());
    assert!(bare.record(&call(Outcome::Ok, 1), None, story.now));
    // The row for lists is the same before and after the events are applied.
    let rows = Channel::default().items(&story.journal);
    assert_eq!(rows, story.channel.items(&story.journal));
    assert_eq!(
        (rows[0].id.as_str(), rows[0].state.as_str()),
        ("sms", "down")
    );
}

#[test]
fn one_callers_trouble_is_not_anothers() {
    let mut story = Story::new(setup());
    for number in 0..40 {
        let mut one = call(Outcome::Ok, 10);
        if number % 4 == 0 {
            one = Measured {
                caller: "b",
                ..call(Outcome::Failed, 10)
            };
        }
        story.records(&one);
    }
    let lines = story.channel.statistics().callers().figures();
    let told: Vec<(Option<&str>, u32, u32)> = lines
        .iter()
        .map(|line| (line.caller.as_deref(), line.day.calls, line.day.failed))
        .collect();
    assert_eq!(told, [(Some("app"), 30, 0), (Some("b"), 10, 10)]);
    assert_eq!(
        story.channel.statistics().callers().top(),
        Some(("app", 75.0))
    );
}

#[test]
fn a_call_told_late_is_history_and_says_nothing_of_now() {
    let mut story = Story::new(setup());
    let told = |at: &str| {
        let json =
            serde_json::json!({"caller": "app", "at": clock(at).rfc3339_utc(), "status": 500});
        let new: rules::channels::NewCall = serde_json::from_value(json).expect("a call");
        let channel = "sms".parse().expect("an id");
        let masking = rules::channels::Masking::default();
        new.checked(
            &channel,
            || "1".to_owned(),
            &Limits::default(),
            &masking,
            clock("10:00"),
        )
        .expect("a call")
    };
    story.at("10:00");
    for _ in 0..100 {
        assert!(!story.channel.record_told(
            told("09:54:59").at,
            &told("09:54:59").measured(),
            None,
            story.now
        ));
    }
    assert_eq!(
        (story.channel.late(), story.channel.streak().failures),
        (100, 0)
    );
    let turns: Vec<bool> = (0..5)
        .map(|_| {
            story.channel.record_told(
                told("09:55:00").at,
                &told("09:55:00").measured(),
                None,
                story.now,
            )
        })
        .collect();
    assert_eq!(turns, [false, false, false, false, true]);
    assert_eq!(story.channel.figures(Window::Minute).times.failed, 5);
}
