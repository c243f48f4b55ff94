//! What the staff says over all public screens, and the hours that visitors are told.

use rules::hall::{Notice, NoticeLevel, Options};
use rules::name::Name;
use rules::testing::{clock, given};
use rules::{Command, Event};

use crate::two_services;

fn notice(until: Option<&str>) -> Notice {
    Notice {
        level: NoticeLevel::Notice,
        text: Name::new(
            "社保业务已增开9号窗口",
            "Window 9 is open for social security",
        ),
        until: until.map(clock),
    }
}

fn post(notice: Notice) -> Command {
    Command::PostNotice { notice }
}

#[test]
fn a_notice_takes_the_place_of_the_one_before_and_hangs_until_it_is_taken_down() {
    let emergency = Notice {
        level: NoticeLevel::Emergency,
        ..notice(None)
    };
    let hung = given(two_services().open())
        .when(post(notice(None)))
        .at("09:00")
        .then([Event::NoticeSet {
            notice: notice(None),
        }])
        .when(post(emergency.clone()))
        .at("09:05")
        .then([Event::NoticeSet {
            notice: emergency.clone(),
        }]);
    let posted = hung.0.notice().expect("a notice");
    assert_eq!((&posted.notice, posted.since), (&emergency, clock("09:05")));
    let cleared = hung
        .when(Command::ClearNotice)
        .then([Event::NoticeCleared])
        .when(Command::ClearNotice)
        .then_refused("no_notice");
    assert_eq!(cleared.0.notice(), None);
}

#[test]
fn a_notice_with_an_end_goes_by_itself_at_that_very_moment() {
    let hung = given(two_services().open())
        .when(post(notice(Some("10:00"))))
        .at("09:00")
        .then([Event::NoticeSet {
            notice: notice(Some("10:00")),
        }]);
    assert_eq!(hung.0.next_deadline(), Some(clock("10:00")));
    let (hung, due) = hung.when_it_is("09:59:59");
    assert_eq!(due, []);
    let (gone, due) = hung.when_it_is("10:00");
    assert_eq!(due, [Event::NoticeCleared]);
    assert_eq!(gone.0.notice(), None);
    assert_eq!(gone.0.next_deadline(), Some(clock("3T00:00")), "midnight");
}

#[test]
fn a_notice_lives_through_midnight_and_one_that_ends_then_goes_with_the_day() {
    let hung = given(two_services().open())
        .when(post(notice(Some("3T00:00"))))
        .then([Event::NoticeSet {
            notice: notice(Some("3T00:00")),
        }]);
    let (_, due) = hung.when_it_is("3T00:00");
    assert_eq!(due.last(), Some(&Event::NoticeCleared));
    assert_eq!(due.len(), 2, "{due:?}");
    let hung = given(two_services().open())
        .when(post(notice(None)))
        .then([Event::NoticeSet {
            notice: notice(None),
        }]);
    let (hung, _) = hung.when_it_is("3T00:00");
    assert!(hung.0.notice().is_some());
}

#[test]
fn a_notice_that_is_empty_too_long_or_over_already_is_refused() {
    let bad = [
        Notice {
            text: Name::same(" "),
            ..notice(None)
        },
        Notice {
            text: Name::new("好", "x".repeat(201)),
            ..notice(None)
        },
        Notice {
            text: Name::same("two\nlines"),
            ..notice(None)
        },
        notice(Some("08:30")),
        Notice {
            until: Some(clock("08:30").plus_secs(40 * 86_400)),
            ..notice(None)
        },
    ];
    let mut hall = given(two_services().open());
    for notice in bad {
        hall = hall
            .when(post(notice))
            .at("08:30")
            .then_refused("invalid_field");
    }
    assert_eq!(hall.0.notice(), None);
}

/// Options with these opening hours, as JSON writes them.
fn hours(json: &str) -> Result<Options, String> {
    serde_json::from_str(&format!(r#"{{"hours": {json}}}"#)).map_err(|error| error.to_string())
}

#[test]
fn opening_hours_are_checked_day_by_day() {
    let good = r#"{"mon": [{"from": "08:30", "to": "12:00"}, {"from": "12:00", "to": "24:00"}], "sun": []}"#;
    let options = hours(good).expect("good hours");
    let text = serde_json::to_string(&options.hours).expect("JSON");
    assert_eq!(text.replace([' '], ""), good.replace([' '], ""));
    let change = |options| Command::ChangeHall {
        name: None,
        options: Some(options),
    };
    let mut hall = given(two_services().open())
        .when(change(options.clone()))
        .then([Event::HallChanged {
            name: None,
            options: Some(options),
        }]);
    for (bad, field) in [
        (
            r#"{"mon": [{"from": "12:00", "to": "08:30"}]}"#,
            "options.hours.mon",
        ),
        (
            r#"{"tue": [{"from": "08:00", "to": "12:00"}, {"from": "11:59", "to": "17:00"}]}"#,
            "options.hours.tue",
        ),
    ] {
        let command = change(hours(bad).expect("well formed"));
        let refusal = hall.0.decide(&command, hall.0.last_at()).expect_err(bad);
        let said = refusal.sentence(rules::name::Lang::En);
        assert!(said.contains(field), "{said}");
        hall = hall.when(command).then_refused("invalid_field");
    }
    for malformed in [
        r#"{"monday": []}"#,
        r#"{"mon": [{"from": "8:30", "to": "12:00"}]}"#,
        r#"{"mon": [{"from": "08:60", "to": "12:00"}]}"#,
        r#"{"mon": [{"from": "08:30", "to": "24:01"}]}"#,
        r#"{"mon": [{"from": "08:30"}]}"#,
    ] {
        assert!(hours(malformed).is_err(), "{malformed}");
    }
}
