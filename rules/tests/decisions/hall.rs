//! Closed → Open → issuing paused → Open → Closed.

use rules::hall::HallState;
use rules::testing::{
    Story, call_next, clock, given, issue, open_window, service_plan, window, window_plan, wish,
};
use rules::{Command, Event};

use crate::two_services;

#[test]
fn a_closed_hall_opens_with_the_day_of_its_own_clock() {
    // 23:30 in Shanghai is still the 2nd, though in UTC+9 the 3rd has begun.
    given(two_services().closed())
        .when(Command::OpenHall)
        .at("23:30")
        .then([Event::HallOpened {
            day: "2026-11-02".parse().expect("a date"),
        }]);
}

#[test]
fn issuing_is_paused_and_resumed_while_windows_go_on() {
    let paused = given(two_services().open())
        .when(issue("social"))
        .at("09:00")
        .then([issued()])
        .when(Command::PauseIssuing)
        .then([Event::IssuingPaused])
        .when(issue("social"))
        .then_refused("issuing_paused");
    assert_eq!(paused.0.state(), HallState::IssuingPaused);
    let mut story = Story::of(paused.0);
    assert_eq!(story.calls("1"), "B001");
    story.does(Command::ResumeIssuing);
    assert_eq!(story.hall.state(), HallState::Open);
    story.takes("social");
}

fn issued() -> Event {
    let mut story = Story::of(two_services().open());
    story.at("09:00");
    story.does(Command::IssueTicket(wish("social"))).remove(0)
}

#[test]
fn closing_signs_every_window_out_and_those_who_wait_keep_waiting() {
    let mut story = Story::of(two_services().open());
    let ticket = story.takes("social");
    let events = story.does(Command::CloseHall);
    let closed = |id| Event::WindowClosed { window: window(id) };
    assert_eq!(
        events,
        [closed("1"), closed("2"), closed("3"), Event::HallClosed]
    );
    assert_eq!(story.state(ticket).name(), "waiting");
    assert_eq!(story.hall.state(), HallState::Closed);
    story.does(Command::OpenHall);
    story.does(open_window("1"));
    assert_eq!(story.calls("1"), "B001");
}

#[test]
fn a_hall_does_not_close_over_someone_at_a_window() {
    let mut story = Story::of(two_services().open());
    story.takes("social");
    story.does(call_next("2"));
    let refusal = story.is_refused(Command::CloseHall);
    assert_eq!(
        refusal,
        rules::Refusal::HallBusy {
            windows: vec![window("2")]
        }
    );
}

#[test]
fn a_service_and_a_window_added_at_noon_work_at_once() {
    let mut story = Story::of(two_services().open());
    story.at("12:00");
    story.does(Command::ConfigureService {
        service: "permit".parse().expect("an id"),
        plan: service_plan("permit", "P"),
    });
    story.does(Command::ConfigureWindow {
        window: window("4"),
        plan: window_plan("4", &["permit"]),
    });
    story.does(open_window("4"));
    story.takes("permit");
    assert_eq!(story.calls("4"), "P001");
}

#[test]
fn a_service_whose_last_window_and_ticket_are_gone_can_be_removed() {
    let mut story = Story::of(two_services().open());
    story.takes("fee");
    let remove = || Command::RemoveService {
        service: "fee".parse().expect("an id"),
    };
    story.does(Command::ConfigureWindow {
        window: window("1"),
        plan: window_plan("1", &["fee"]),
    });
    story.does(Command::ConfigureWindow {
        window: window("3"),
        plan: window_plan("3", &["social"]),
    });
    assert_eq!(story.is_refused(remove()).code(), "service_in_use");
    story.serves("1");
    assert_eq!(story.is_refused(remove()).code(), "service_in_use");
    story.does(Command::ConfigureWindow {
        window: window("1"),
        plan: window_plan("1", &[]),
    });
    story.does(remove());
    assert_eq!(story.hall.figures().completed, 1, "its tickets still count");
}

#[test]
fn a_window_that_a_transferred_ticket_waits_for_is_not_removed() {
    let mut story = Story::of(two_services().open());
    story.takes("social");
    story.does(call_next("1"));
    story.does(rules::testing::begin("1"));
    story.does(rules::testing::transfer_to_window("1", "social", "2"));
    story.does(rules::testing::close_window("2"));
    let remove = Command::RemoveWindow {
        window: window("2"),
    };
    assert_eq!(story.is_refused(remove).code(), "window_in_use");
}

#[test]
fn a_hall_set_up_from_impossible_parts_is_refused_with_the_field() {
    type Spoil = fn(&mut rules::hall::HallConfig);
    let faults: [(&str, Spoil); 6] = [
        ("name", |c| c.name = rules::name::Name::same(" ")),
        ("policy.no_show_after_calls", |c| {
            c.policy.no_show_after_calls = 0
        }),
        ("policy.calls_max", |c| c.policy.calls_max = Some(1)),
        ("windows.9.services", |c| {
            c.windows
                .insert(window("9"), window_plan("9", &["nowhere"]));
        }),
        ("services.fee.digits", |c| {
            let fee = c.services.values_mut().next().expect("a service");
            fee.template.digits = 7;
        }),
        ("services.twin.prefix", |c| {
            let mut twin = service_plan("twin", "F");
            twin.template.last = 50;
            c.services.insert("twin".parse().expect("an id"), twin);
        }),
    ];
    for (field, spoil) in faults {
        let mut config = two_services().config();
        spoil(&mut config);
        match rules::Hall::register(config) {
            Err(rules::Refusal::InvalidField { field: found, .. }) => {
                // Of two twins the first in order is named.
                assert!(
                    found == field || field.ends_with("twin.prefix"),
                    "{found} for {field}"
                );
            }
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn a_menu_entry_stands_after_its_parent_and_once() {
    let entry = |id: &str, parent: Option<&str>| rules::hall::MenuEntry {
        id: id.parse().expect("an id"),
        name: rules::name::Name::same(id),
        parent: parent.map(|id| id.parse().expect("an id")),
    };
    let options = |menu| Command::ChangeHall {
        name: None,
        options: Some(rules::hall::Options {
            menu,
            ..rules::hall::Options::default()
        }),
    };
    let mut story = Story::of(two_services().open());
    story.does(options(vec![entry("a", None), entry("b", Some("a"))]));
    for menu in [
        vec![entry("b", Some("a")), entry("a", None)],
        vec![entry("a", Some("a"))],
        vec![entry("a", None), entry("a", None)],
    ] {
        assert_eq!(story.is_refused(options(menu)).code(), "invalid_field");
    }
    let mut plan = service_plan("fee", "F");
    plan.menu = Some("b".parse().expect("an id"));
    story.does(Command::ConfigureService {
        service: "fee".parse().expect("an id"),
        plan,
    });
    assert_eq!(
        story.is_refused(options(vec![])).code(),
        "invalid_field",
        "fee stands under b"
    );
}

#[test]
fn a_window_stands_in_a_zone_of_its_hall_and_a_zone_stands_once() {
    let zone = |id: &str| rules::hall::Zone {
        id: id.parse().expect("an id"),
        name: rules::name::Name::same(id),
    };
    let options = |zones| Command::ChangeHall {
        name: None,
        options: Some(rules::hall::Options {
            zones,
            ..rules::hall::Options::default()
        }),
    };
    let stand = |zone: &str| {
        let mut plan = window_plan("1", &["social"]);
        plan.zone = Some(zone.parse().expect("an id"));
        Command::ConfigureWindow {
            window: "1".parse().expect("an id"),
            plan,
        }
    };
    let mut story = Story::of(two_services().open());
    let fault = |refusal: rules::Refusal| match refusal {
        rules::Refusal::InvalidField { field, reason } => format!("{field}: {reason}"),
        other => panic!("{other}"),
    };
    assert_eq!(
        fault(story.is_refused(stand("A"))),
        "windows.1.zone: no zone A"
    );
    story.does(options(vec![zone("A"), zone("B")]));
    story.does(stand("A"));
    for (zones, told) in [
        (vec![zone("B")], "options.zones: window 1 stands in A"),
        (vec![zone("A"), zone("A")], "options.zones: A stands twice"),
        (
            vec![zone("A"), zone("-")],
            "options.zones: '-' stands for the hall as a whole",
        ),
    ] {
        assert_eq!(fault(story.is_refused(options(zones))), told);
    }
    story.does(options(vec![zone("A")]));
}

#[test]
fn instants_beyond_all_calendars_are_refused_and_break_nothing() {
    use rules::Timestamp;
    for at in [i64::MIN, i64::MIN + 1, -1, i64::MAX - 1, i64::MAX].map(Timestamp::from_millis) {
        let mut hall = two_services().open();
        let mut wish = wish("social");
        wish.appointment = Some(rules::ticket::BookedTime {
            number: "AP1".into(),
            from: at,
            to: at,
            booked_at: None,
        });
        let refused = hall
            .handle(&Command::IssueTicket(wish), clock("09:00"))
            .expect_err("no such time");
        assert!(refused.code().starts_with("appointment_too"), "{refused:?}");
    }
}
