//! Who is next, and why.

use rules::calling::Why;
use rules::hall::IssueTicket;
use rules::name::Lang;
use rules::policy::Mix;
use rules::testing::{HallBuilder, Story, booked, call_next, clock, hall, tag};
use rules::{Command, Refusal};

fn one_service() -> HallBuilder {
    hall()
        .service("social", "B")
        .window("1", &["social"])
        .window("2", &["social"])
        .policy(|p| {
            p.green.tags = [tag("elderly")].into();
        })
}

fn elderly(wish: &mut IssueTicket) {
    wish.tags = [tag("elderly")].into();
}

fn with_appointment(number: &str, from: &str, to: &str) -> impl FnOnce(&mut IssueTicket) + use<> {
    let booked = booked(number, from, to);
    move |wish| wish.appointment = Some(booked)
}

#[test]
fn a_green_ticket_is_called_before_ten_ordinary_ones() {
    let mut story = Story::of(one_service().open());
    for _ in 1..=10 {
        story.takes("social");
    }
    story.after_secs(60);
    story.takes_with("social", elderly);
    assert_eq!(story.calls("1"), "B011");
    assert_eq!(*story.why("1"), Why::Green { rule_version: 0 });
    assert_eq!(story.why("1").sentence(Lang::Zh), "绿色通道（规则第0版）");
}

#[test]
fn two_green_tickets_keep_their_own_order() {
    let mut story = Story::of(one_service().open());
    story.takes("social");
    story.takes_with("social", elderly);
    story.after_secs(1);
    story.takes_with("social", elderly);
    let order: Vec<String> = (0..3).map(|_| story.serves("1")).collect();
    assert_eq!(order, ["B002", "B003", "B001"]);
}

#[test]
fn a_ticket_made_green_stays_green_when_the_rule_or_the_persons_tag_changes() {
    let mut story = Story::of(one_service().open());
    let green = story.takes_with("social", elderly);
    story.policy(|p| p.green.tags.clear());
    let after = story.takes_with("social", elderly);
    assert_eq!(story.ticket(green).green, Some(0));
    assert_eq!(story.ticket(after).green, None);
    let without_tag = story.takes("social");
    assert_eq!(story.ticket(without_tag).green, None);
    story.policy(|p| p.green.tags = [tag("elderly")].into());
    let under_version_2 = story.takes_with("social", elderly);
    assert_eq!(story.ticket(under_version_2).green, Some(2));
}

#[test]
fn the_green_rule_has_a_new_version_only_when_its_tags_change() {
    let mut story = Story::of(one_service().open());
    story.policy(|p| p.recall_interval_secs = 5);
    assert_eq!(story.hall.config().policy.version, 2);
    assert_eq!(story.hall.config().policy.green.version, 0);
    story.policy(|p| {
        p.green.tags.insert(tag("veteran"));
        p.green.version = 99;
    });
    assert_eq!(story.hall.config().policy.version, 3);
    assert_eq!(
        story.hall.config().policy.green.version,
        1,
        "the hall counts, not the asker"
    );
}

#[test]
fn the_longest_waiting_is_called_and_the_clerk_told_how_long() {
    let mut story = Story::of(one_service().open());
    story.at("09:00");
    story.takes("social");
    story.after_secs(120);
    story.takes("social");
    story.at("09:14:30");
    assert_eq!(story.calls("1"), "B001");
    assert_eq!(*story.why("1"), Why::LongestWaiting { waited_secs: 870 });
    assert_eq!(
        story.why("1").sentence(Lang::En),
        "waiting longest (14 min)"
    );
}

#[test]
fn a_ticket_the_clerk_chose_says_so() {
    let mut story = Story::of(one_service().open());
    story.takes("social");
    let second = story.takes("social");
    story.does(rules::testing::call_ticket("1", second));
    assert_eq!(*story.why("1"), Why::ChosenByClerk);
}

#[test]
fn waiting_raises_a_ticket_by_one_class_per_step_but_not_above_an_older_green_one() {
    let mut story = Story::of(
        one_service()
            .policy(|p| p.ageing_step_secs = Some(600))
            .open(),
    );
    story.at("09:00");
    story.takes("social");
    story.at("09:19");
    story.takes_with("social", elderly);
    assert_eq!(
        story.line("social"),
        ["B002", "B001"],
        "raised once: still behind green"
    );
    story.at("09:20");
    assert_eq!(
        story.line("social"),
        ["B001", "B002"],
        "raised twice, and older"
    );
    story.takes_with("social", elderly);
    assert_eq!(story.calls("1"), "B001");
    assert_eq!(*story.why("1"), Why::Aged { waited_secs: 1200 });
}

#[test]
fn two_with_priority_are_followed_by_one_ordinary_under_two_to_one() {
    let mut story = Story::of(
        one_service()
            .policy(|p| {
                p.mix = Mix::Ratio {
                    priority: 2,
                    ordinary: 1,
                }
            })
            .open(),
    );
    for _ in 1..=3 {
        story.takes("social");
    }
    for _ in 4..=8 {
        story.takes_with("social", elderly);
    }
    let expected = [
        "B004", "B005", "B001", "B006", "B007", "B002", "B008", "B003",
    ];
    assert_eq!(story.line("social"), expected);
    for (place, number) in expected.into_iter().enumerate() {
        assert_eq!(story.calls("1"), number);
        if place == 2 {
            assert_eq!(*story.why("1"), Why::OrdinaryTurn { after_priority: 2 });
        }
        story.does(rules::testing::begin("1"));
        story.does(rules::testing::finish("1"));
    }
}

#[test]
fn a_cap_on_priority_in_a_row_lets_an_ordinary_one_through_and_binds_no_empty_line() {
    let mut story = Story::of(
        one_service()
            .policy(|p| p.max_consecutive_priority = Some(3))
            .open(),
    );
    for _ in 1..=5 {
        story.takes_with("social", elderly);
    }
    story.takes("social");
    let order: Vec<String> = (0..6).map(|_| story.serves("1")).collect();
    assert_eq!(order, ["B001", "B002", "B003", "B006", "B004", "B005"]);
    // Nobody ordinary waits: the cap holds nobody up.
    for _ in 7..=11 {
        story.takes_with("social", elderly);
    }
    for _ in 7..=11 {
        story.serves("1");
    }
}

#[test]
fn each_window_counts_its_own_share() {
    let mut story = Story::of(
        one_service()
            .policy(|p| p.max_consecutive_priority = Some(1))
            .open(),
    );
    story.takes("social");
    for _ in 2..=4 {
        story.takes_with("social", elderly);
    }
    assert_eq!(story.serves("1"), "B002");
    assert_eq!(story.serves("2"), "B003");
    assert_eq!(story.serves("1"), "B001");
}

#[test]
fn an_appointment_is_called_at_its_time_and_not_before_while_others_wait() {
    let mut story = Story::of(one_service().open());
    story.at("09:40");
    story.takes_with("social", with_appointment("AP1", "10:00", "10:30"));
    story.at("09:50");
    story.takes("social");
    story.takes("social");
    assert_eq!(story.serves("1"), "B002", "the appointment is early");
    story.at("10:00");
    assert_eq!(story.calls("1"), "B001", "it is due");
    assert_eq!(
        *story.why("1"),
        Why::Appointment {
            number: "AP1".to_owned()
        }
    );
}

#[test]
fn an_early_appointment_is_called_when_nobody_else_waits() {
    let mut story = Story::of(one_service().open());
    story.at("09:40");
    story.takes_with("social", with_appointment("AP1", "10:00", "10:30"));
    assert_eq!(story.calls("1"), "B001");
    assert_eq!(*story.why("1"), Why::NobodyElse);
}

#[test]
fn a_due_appointment_is_not_starved_by_those_who_came_first() {
    let mut story = Story::of(one_service().open());
    story.at("09:00");
    for _ in 1..=20 {
        story.takes("social");
    }
    story.at("09:45");
    let appointment = story.takes_with("social", with_appointment("AP1", "10:00", "10:30"));
    story.at("10:05");
    assert_eq!(story.hall.ahead(appointment, story.now), Some(0));
    assert_eq!(story.calls("1"), "B021");
}

#[test]
fn check_in_opens_half_an_hour_before_and_ends_a_grace_after() {
    let mut story = Story::of(one_service().open());
    let ask = || {
        let mut wish = rules::testing::wish("social");
        wish.appointment = Some(booked("AP1", "10:00", "10:30"));
        Command::IssueTicket(wish)
    };
    story.at("09:29:59");
    assert_eq!(
        story.is_refused(ask()),
        Refusal::AppointmentTooEarly {
            from: "2026-11-02T09:30:00.000+08:00".to_owned()
        }
    );
    story.at("10:45:01");
    assert_eq!(
        story.is_refused(ask()),
        Refusal::AppointmentTooLate {
            until: "2026-11-02T10:45:00.000+08:00".to_owned()
        }
    );
    // Just in time, a new day's story: the clock of a hall never runs back.
    let mut story = Story::of(one_service().open());
    story.at("10:44");
    story.takes("social");
    let late = story.takes_with("social", with_appointment("AP1", "10:00", "10:30"));
    assert_eq!(
        story.hall.ahead(late, story.now),
        Some(0),
        "within the grace the place is kept"
    );
}

#[test]
fn an_appointment_is_checked_in_once_and_the_second_scan_names_the_ticket() {
    let mut story = Story::of(one_service().open());
    story.at("09:45");
    let ticket = story.takes_with("social", with_appointment("AP1", "10:00", "10:30"));
    assert_eq!(
        story
            .ticket(ticket)
            .appointment
            .as_ref()
            .map(|a| a.number.as_str()),
        Some("AP1")
    );
    let mut wish = rules::testing::wish("social");
    wish.appointment = Some(booked("AP1", "10:00", "10:30"));
    let refusal = story.is_refused(Command::IssueTicket(wish));
    assert_eq!(refusal, Refusal::AlreadyIssued { ticket });
    assert_eq!(story.hall.figures().issued, 1);
}

#[test]
fn green_appointment_ordinary_is_the_order_of_the_classes() {
    let mut story = Story::of(one_service().open());
    story.at("10:00");
    story.takes("social");
    story.takes_with("social", with_appointment("AP1", "10:00", "10:30"));
    story.takes_with("social", elderly);
    assert_eq!(story.line("social"), ["B003", "B002", "B001"]);
    let whys: Vec<&str> = (0..3)
        .map(|_| {
            story.calls("1");
            let code = story.why("1").code();
            story.does(rules::testing::begin("1"));
            story.does(rules::testing::finish("1"));
            code
        })
        .collect();
    assert_eq!(whys, ["green", "appointment", "longest_waiting"]);
}

#[test]
fn an_early_appointment_that_gains_its_place_before_its_time_where_the_policy_says_so() {
    let mut story = Story::of(
        one_service()
            .policy(|p| p.appointment.early_secs = 600)
            .open(),
    );
    story.at("09:45");
    story.takes_with("social", with_appointment("AP1", "10:00", "10:30"));
    story.takes("social");
    story.at("09:49");
    assert_eq!(story.line("social"), ["B002", "B001"]);
    story.at("09:50");
    assert_eq!(story.line("social"), ["B001", "B002"]);
}

#[test]
fn a_window_of_two_services_calls_by_wait_over_both() {
    let mut story = Story::of(
        hall()
            .service("social", "B")
            .service("fee", "F")
            .window("1", &["social", "fee"])
            .open(),
    );
    for id in ["fee", "social", "fee"] {
        story.takes(id);
        story.after_secs(10);
    }
    let order: Vec<String> = (0..3).map(|_| story.serves("1")).collect();
    assert_eq!(order, ["F001", "B001", "F002"]);
}

#[test]
fn the_next_shown_to_a_clerk_come_in_the_order_of_the_calls_with_their_reasons() {
    let mut story = Story::of(
        one_service()
            .policy(|p| {
                p.mix = Mix::Ratio {
                    priority: 1,
                    ordinary: 1,
                }
            })
            .open(),
    );
    for _ in 1..=2 {
        story.takes("social");
    }
    for _ in 3..=4 {
        story.takes_with("social", elderly);
    }
    let window = story.hall.windows().next().expect("a window");
    let next = story.hall.next_for(window, 3, story.now);
    let shown: Vec<(u64, &str)> = next.iter().map(|c| (c.ticket.0, c.why.code())).collect();
    assert_eq!(shown, [(3, "green"), (1, "ordinary_turn"), (4, "green")]);
}

#[test]
fn a_recall_interval_beyond_all_time_is_no_shortcut() {
    let mut story = Story::of(
        one_service()
            .policy(|p| p.recall_interval_secs = u64::MAX)
            .open(),
    );
    story.takes("social");
    story.does(call_next("1"));
    story.after_secs(3600);
    assert_eq!(
        story.is_refused(rules::testing::recall("1")).code(),
        "recall_too_soon"
    );
    assert!(story.now > clock("09:00"));
}

/// The one placed behind B003 has its own standing once B003 is called, and a green ticket stands
/// before it: so it is shown, and so it is called.
#[test]
fn one_who_comes_back_is_shown_behind_the_green_one_who_is_called_before() {
    let mut story = Story::of(
        one_service()
            .policy(|p| {
                p.requeue.after = 1;
                p.mix = Mix::Ratio {
                    priority: 1,
                    ordinary: 1,
                };
            })
            .open(),
    );
    for _ in 1..=3 {
        story.takes("social");
    }
    let late = story.misses("1");
    for _ in 4..=5 {
        story.after_secs(60);
        story.takes_with("social", elderly);
    }
    story.does(rules::testing::requeue(late));
    let shown: Vec<String> = story
        .line("social")
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(shown, ["B004", "B001", "B005", "B002", "B003"]);
    let called: Vec<String> = shown.iter().map(|_| story.serves("2")).collect();
    assert_eq!(called, shown);
}
