//! A ticket's life: served, missed and back, held, transferred, cancelled, rated.

use rules::ids::TicketId;
use rules::testing::{
    Story, begin, call_next, call_ticket, cancel, clock, finish, given, hold, no_show, postpone,
    rate, recall, requeue, resume_ticket, service, transfer, transfer_to_window, window,
};
use rules::ticket::TicketState;
use rules::{Command, Event, Refusal};

use crate::two_services;

/// A story in which the first ticket stands in the state of this name, at window 1 if at one.
fn first_ticket_is(state: &str) -> (Story, TicketId) {
    let mut story = Story::of(two_services().policy(|p| p.no_show_after_calls = 1).open());
    let ticket = story.takes("social");
    let way: Vec<Command> = match state {
        "waiting" => vec![],
        "called" => vec![call_next("1")],
        "serving" => vec![call_next("1"), begin("1")],
        "held" => vec![call_next("1"), begin("1"), hold("1")],
        "completed" => vec![call_next("1"), begin("1"), finish("1")],
        "missed" => vec![call_next("1"), no_show("1")],
        "cancelled" => vec![cancel(ticket)],
        other => panic!("no state {other}"),
    };
    for command in way {
        story.does(command);
    }
    assert_eq!(story.state(ticket).name(), state);
    (story, ticket)
}

#[test]
fn each_state_takes_the_commands_of_its_transitions_and_names_why_not_the_others() {
    let ticket = TicketId(1);
    // At window 2, which is idle, so that only the ticket's state decides.
    let commands = [
        call_ticket("2", ticket),
        requeue(ticket),
        cancel(ticket),
        resume_ticket("2", ticket),
        rate(ticket, 5),
    ];
    #[rustfmt::skip]
    let table = [
        ("waiting", ["called", "ticket_not_missed", "cancelled", "ticket_not_held", "ticket_not_completed"]),
        ("called", ["ticket_not_waiting", "ticket_not_missed", "ticket_not_waiting", "ticket_not_held", "ticket_not_completed"]),
        ("serving", ["ticket_not_waiting", "ticket_not_missed", "ticket_not_waiting", "ticket_not_held", "ticket_not_completed"]),
        ("held", ["ticket_not_waiting", "ticket_not_missed", "ticket_not_waiting", "serving", "ticket_not_completed"]),
        ("completed", ["ticket_not_waiting", "ticket_not_missed", "ticket_not_waiting", "ticket_not_held", "completed"]),
        ("missed", ["ticket_not_waiting", "waiting", "ticket_not_waiting", "ticket_not_held", "ticket_not_completed"]),
        ("cancelled", ["ticket_not_waiting", "ticket_not_missed", "ticket_not_waiting", "ticket_not_held", "ticket_not_completed"]),
    ];
    for (state, row) in table {
        for (command, expected) in commands.iter().zip(row) {
            let (mut story, _) = first_ticket_is(state);
            let found = match rules::testing::step(&mut story.hall, command, story.now) {
                Ok(_) => story.state(ticket).name(),
                Err(refusal) => refusal.code(),
            };
            assert_eq!(found, expected, "{command:?} of a {state} ticket");
        }
    }
}

#[test]
fn a_call_takes_the_first_and_leaves_the_rest_waiting() {
    let mut story = Story::of(two_services().open());
    story.at("09:00");
    for _ in 1..=5 {
        story.takes("social");
    }
    let after = given(story.hall)
        .when(call_next("3"))
        .at("09:02")
        .then([Event::TicketCalled {
            ticket: TicketId(1),
            window: window("3"),
            why: rules::calling::Why::LongestWaiting { waited_secs: 120 },
            priority: false,
        }]);
    assert_eq!(after.0.figures().waiting, 4);
    assert_eq!(
        after.0.window(&window("3")).and_then(|w| w.state.ticket()),
        Some(TicketId(1))
    );
}

#[test]
fn of_two_windows_that_call_for_the_one_ticket_the_second_finds_nobody() {
    let mut story = Story::of(two_services().open());
    story.takes("social");
    assert_eq!(story.calls("1"), "B001");
    let refusal = story.is_refused(call_next("2"));
    assert_eq!(
        refusal,
        Refusal::NobodyWaiting {
            window: window("2")
        }
    );
}

#[test]
fn a_no_show_needs_three_calls_and_leaves_the_ticket_missed_with_three() {
    let mut story = Story::of(two_services().open());
    let ticket = story.takes("social");
    story.does(call_next("1"));
    assert_eq!(
        story.is_refused(no_show("1")),
        Refusal::NoShowTooEarly {
            calls: 1,
            needed: 3
        }
    );
    story.does(recall("1"));
    story.does(recall("1"));
    story.does(no_show("1"));
    assert_eq!(*story.state(ticket), TicketState::Missed);
    assert_eq!(story.ticket(ticket).calls, 3);
    assert_eq!(story.window("1").name(), "idle");
}

#[test]
fn a_recall_waits_for_its_interval_and_stops_at_its_limit() {
    let mut story = Story::of(
        two_services()
            .policy(|p| {
                p.recall_interval_secs = 20;
                p.calls_max = Some(3);
            })
            .open(),
    );
    story.at("09:00");
    story.takes("social");
    story.does(call_next("1"));
    story.after_secs(19);
    assert_eq!(
        story.is_refused(recall("1")),
        Refusal::RecallTooSoon { wait_secs: 1 }
    );
    story.after_secs(1);
    let recalled = story.does(recall("1"));
    assert_eq!(
        recalled,
        [Event::TicketRecalled {
            ticket: TicketId(1),
            window: window("1"),
            call: 2
        }]
    );
    assert_eq!(story.is_refused(recall("1")).code(), "recall_too_soon");
    story.after_secs(20);
    story.does(recall("1"));
    story.after_secs(20);
    assert_eq!(
        story.is_refused(recall("1")),
        Refusal::RecallLimit { calls: 3, max: 3 }
    );
}

#[test]
fn one_who_comes_back_with_six_waiting_stands_fourth_keeps_the_issue_time_and_may_not_twice() {
    let mut story = Story::of(two_services().open());
    story.at("09:00");
    for _ in 1..=7 {
        story.takes("social");
        story.after_secs(60);
    }
    let late = story.misses("1");
    assert_eq!(story.ticket(late).number, "B001");
    story.at("09:30");
    story.does(requeue(late));
    assert_eq!(
        story.line("social"),
        ["B002", "B003", "B004", "B001", "B005", "B006", "B007"]
    );
    assert_eq!(story.hall.ahead(late, story.now), Some(3));
    assert_eq!(story.ticket(late).issued_at, clock("09:00"));

    let order: Vec<String> = (0..4).map(|_| story.serves("1")).collect();
    assert_eq!(order[..3], ["B002", "B003", "B004"]);
    assert_eq!(order[3], "B001");
}

#[test]
fn a_second_miss_is_the_last() {
    let mut story = Story::of(two_services().open());
    let ticket = story.takes("social");
    story.misses("1");
    story.does(requeue(ticket));
    assert_eq!(story.misses("1"), ticket);
    assert_eq!(
        story.is_refused(requeue(ticket)),
        Refusal::RequeueLimit { ticket, times: 1 }
    );
}

#[test]
fn one_who_comes_back_to_an_empty_line_is_first() {
    let mut story = Story::of(two_services().open());
    let ticket = story.takes("social");
    story.misses("1");
    let back = story.does(requeue(ticket));
    assert_eq!(
        back,
        [Event::TicketRequeued {
            ticket,
            behind: None,
            not_before: None
        }]
    );
    assert_eq!(story.calls("1"), "B001");
}

#[test]
fn one_who_comes_back_is_not_called_before_the_cool_down_ends() {
    let mut story = Story::of(
        two_services()
            .policy(|p| p.requeue.cool_down_secs = 300)
            .open(),
    );
    let ticket = story.takes("social");
    story.misses("1");
    story.at("09:00");
    story.does(requeue(ticket));
    story.at("09:04:59");
    assert_eq!(story.is_refused(call_next("1")).code(), "nobody_waiting");
    story.at("09:05");
    assert_eq!(story.calls("1"), "B001");
}

#[test]
fn one_who_comes_back_is_not_stuck_behind_a_cancelled_ticket() {
    let mut story = Story::of(two_services().open());
    for _ in 1..=3 {
        story.takes("social");
    }
    let late = story.misses("1");
    story.does(requeue(late));
    let last = TicketId(3);
    assert_eq!(story.ticket(late).behind, Some(last));
    story.does(cancel(last));
    assert_eq!(story.ticket(late).behind, None);
    assert_eq!(story.calls("1"), "B001", "its own place again");
}

#[test]
fn one_who_comes_back_is_not_kept_behind_an_appointment_for_the_afternoon() {
    let mut story = Story::of(
        two_services()
            .policy(|p| p.appointment.check_in_before_secs = 86_400)
            .open(),
    );
    story.at("09:00");
    let late = story.takes("social");
    story.misses("1");
    story.takes_with("social", |wish| {
        wish.appointment = Some(rules::testing::booked("AP1", "16:00", "16:30"));
    });
    story.takes("social");
    story.does(requeue(late));
    story.after_secs(60);
    story.takes("social");
    assert_eq!(story.calls("1"), "B003");
    assert_eq!(
        story.calls("2"),
        "B001",
        "before one who came after its return"
    );
}

fn patient_hall() -> rules::testing::HallBuilder {
    two_services().policy(|p| {
        p.postpone.places_max = 3;
        p.postpone.times_max = 2;
    })
}

#[test]
fn one_who_lets_two_go_first_keeps_the_number_and_stands_behind_them() {
    let mut story = Story::of(patient_hall().open());
    for _ in 1..=4 {
        story.takes("social");
    }
    let first = TicketId(1);
    let after = given(story.hall).when(postpone(first, 2));
    let after = after.then([Event::TicketPostponed {
        ticket: first,
        behind: TicketId(3),
        followers_behind: None,
    }]);
    let mut story = Story::of(after.0);
    assert_eq!(story.line("social"), ["B002", "B003", "B001", "B004"]);
    assert_eq!(story.hall.ahead(first, story.now), Some(2));
    // What the console says beforehand is what is called, and why.
    let window = story.hall.window(&window("1")).expect("window 1");
    let next = story.hall.next_for(window, 4, story.now);
    let shown: Vec<u64> = next.iter().map(|choice| choice.ticket.0).collect();
    assert_eq!(shown, [2, 3, 1, 4]);
    let calls: Vec<String> = (0..4).map(|_| story.serves("1")).collect();
    assert_eq!(calls, ["B002", "B003", "B001", "B004"]);
    assert_eq!(
        story.ticket(first).called_because,
        Some(next[2].why.clone())
    );
}

#[test]
fn one_who_lets_more_go_first_than_wait_is_the_last() {
    let mut story = Story::of(patient_hall().open());
    for _ in 1..=3 {
        story.takes("social");
    }
    story.does(postpone(TicketId(2), 3));
    assert_eq!(story.line("social"), ["B001", "B003", "B002"]);
    let refused = story.is_refused(postpone(TicketId(2), 1));
    let ticket = TicketId(2);
    assert_eq!(refused, Refusal::NobodyBehind { ticket });
    assert_eq!(story.ticket(ticket).postpones, 1, "a refusal costs none");
}

#[test]
fn two_who_let_each_other_go_first_do_not_wait_for_one_another() {
    let mut story = Story::of(patient_hall().open());
    for _ in 1..=4 {
        story.takes("social");
    }
    let (first, second) = (TicketId(1), TicketId(2));
    story.does(postpone(first, 1));
    assert_eq!(story.line("social")[..2], ["B002", "B001"]);
    story.does(postpone(second, 1));
    assert_eq!(story.line("social")[..2], ["B001", "B002"]);
    story.does(postpone(first, 2));
    assert_eq!(story.line("social"), ["B002", "B003", "B001", "B004"]);
    let calls: Vec<String> = (0..4).map(|_| story.serves("1")).collect();
    assert_eq!(calls, ["B002", "B003", "B001", "B004"]);
}

#[test]
fn one_who_stands_behind_a_postponed_ticket_does_not_go_back_with_it() {
    let mut story = Story::of(patient_hall().open());
    for _ in 1..=5 {
        story.takes("social");
    }
    let returned = story.misses("1");
    story.does(requeue(returned));
    assert_eq!(
        story.line("social"),
        ["B002", "B003", "B004", "B001", "B005"]
    );
    story.does(postpone(TicketId(4), 3));
    assert_eq!(
        story.line("social"),
        ["B002", "B003", "B001", "B005", "B004"]
    );
    let calls: Vec<String> = (0..5).map(|_| story.serves("1")).collect();
    assert_eq!(calls, ["B002", "B003", "B001", "B005", "B004"]);
}

#[test]
fn those_behind_one_ticket_stand_in_the_order_in_which_they_will_be_called() {
    let mut story = Story::of(patient_hall().open());
    for _ in 1..=4 {
        story.takes("social");
    }
    story.does(postpone(TicketId(2), 1));
    story.does(postpone(TicketId(1), 1));
    assert_eq!(story.line("social"), ["B003", "B001", "B002", "B004"]);
    let calls: Vec<String> = (0..4).map(|_| story.serves("1")).collect();
    assert_eq!(calls, ["B003", "B001", "B002", "B004"]);
}

#[test]
fn the_hall_says_how_far_and_how_often() {
    let mut story = Story::of(patient_hall().open());
    for _ in 1..=9 {
        story.takes("social");
    }
    let ticket = TicketId(1);
    for places in [0, 4] {
        let refused = story.is_refused(postpone(ticket, places));
        assert_eq!(refused, Refusal::invalid("places", "1 to 3"));
    }
    story.does(postpone(ticket, 1));
    story.does(postpone(ticket, 1));
    let refused = story.is_refused(postpone(ticket, 1));
    assert_eq!(refused, Refusal::PostponeLimit { ticket, times: 2 });
    story.policy(|p| p.postpone = rules::policy::PostponeRule::default());
    let refused = story.is_refused(postpone(TicketId(2), 1));
    assert_eq!(refused, Refusal::PostponeOff {});
}

#[test]
fn the_service_time_does_not_count_the_hold() {
    let mut story = Story::of(two_services().open());
    let ticket = story.takes("social");
    story.at("09:00");
    story.does(call_next("1"));
    story.does(begin("1"));
    story.at("09:04");
    story.does(hold("1"));
    assert_eq!(story.window("1").name(), "idle");
    assert_eq!(
        *story.state(ticket),
        TicketState::Held {
            window: window("1")
        }
    );
    story.at("09:30");
    story.does(resume_ticket("1", ticket));
    story.at("09:33");
    story.does(finish("1"));
    assert_eq!(story.ticket(ticket).service_secs(), Some(7 * 60));
    assert_eq!(story.ticket(ticket).started_at, Some(clock("09:00")));
}

#[test]
fn a_held_ticket_is_not_called_and_another_window_of_its_service_may_resume_it() {
    let (mut story, ticket) = first_ticket_is("held");
    assert_eq!(story.is_refused(call_next("2")).code(), "nobody_waiting");
    story.does(Command::ConfigureWindow {
        window: window("2"),
        plan: rules::testing::window_plan("2", &["fee"]),
    });
    assert_eq!(
        story.is_refused(resume_ticket("2", ticket)),
        Refusal::NotForThisWindow {
            window: window("2"),
            ticket
        }
    );
    story.does(resume_ticket("3", ticket));
    assert_eq!(
        *story.state(ticket),
        TicketState::Serving {
            window: window("3")
        }
    );
}

#[test]
fn a_transferred_ticket_keeps_its_wait_and_comes_first() {
    let mut story = Story::of(two_services().open());
    story.at("09:50");
    let moved = story.takes("social");
    story.at("10:20");
    story.takes("fee");
    story.at("10:30");
    story.takes("fee");
    story.does(call_next("1"));
    story.does(begin("1"));
    story.at("10:40");
    story.does(transfer("1", "fee"));
    assert_eq!(story.line("fee"), ["B001", "F001", "F002"]);
    assert_eq!(story.ticket(moved).issued_at, clock("09:50"));
    story.at("10:50");
    assert_eq!(story.calls("3"), "B001");
    assert_eq!(
        *story.why("3"),
        rules::calling::Why::LongestWaiting { waited_secs: 3600 }
    );
    assert_eq!(story.hall.figures_of(&service("social")).issued, 0);
    assert_eq!(story.hall.figures_of(&service("fee")).issued, 3);
}

#[test]
fn a_transferred_ticket_joins_the_end_where_the_policy_says_so() {
    let mut story = Story::of(
        two_services()
            .policy(|p| p.transfer_keeps_issue_time = false)
            .open(),
    );
    story.at("09:50");
    let moved = story.takes("social");
    story.at("10:20");
    story.takes("fee");
    story.does(call_next("1"));
    story.does(begin("1"));
    story.at("10:40");
    story.does(transfer("1", "fee"));
    assert_eq!(story.line("fee"), ["F001", "B001"]);
    assert_eq!(
        story.ticket(moved).issued_at,
        clock("09:50"),
        "the wait is still the whole one"
    );
}

#[test]
fn a_ticket_transferred_to_a_window_is_called_there_only() {
    let mut story = Story::of(two_services().open());
    story.takes("social");
    story.does(call_next("1"));
    story.does(begin("1"));
    story.does(transfer_to_window("1", "social", "2"));
    for other in ["1", "3"] {
        assert_eq!(story.is_refused(call_next(other)).code(), "nobody_waiting");
        let refusal = story.is_refused(call_ticket(other, TicketId(1)));
        assert_eq!(refusal.code(), "not_for_this_window");
    }
    assert_eq!(story.calls("2"), "B001");
}

#[test]
fn a_ticket_is_not_transferred_where_nobody_could_call_it() {
    let mut story = Story::of(two_services().open());
    story.takes_with("social", |wish| wish.excluded = [window("2")].into());
    story.does(call_next("1"));
    story.does(begin("1"));
    let refusal = story.is_refused(transfer_to_window("1", "social", "2"));
    assert_eq!(refusal.code(), "not_for_this_window");
    let refusal = story.is_refused(transfer_to_window("1", "fee", "2"));
    assert_eq!(
        refusal.code(),
        "not_for_this_window",
        "window 2 has no fee matters"
    );
}

#[test]
fn an_excluded_window_calls_the_next_one_instead() {
    let mut story = Story::of(two_services().open());
    let shy = story.takes_with("social", |wish| wish.excluded = [window("1")].into());
    story.takes("social");
    assert_eq!(story.calls("1"), "B002");
    assert_eq!(
        story.is_refused(call_ticket("3", TicketId(2))).code(),
        "ticket_not_waiting"
    );
    assert_eq!(story.calls("2"), "B001");
    assert_eq!(story.state(shy).name(), "called");
}

#[test]
fn a_window_does_not_call_a_ticket_of_another_service() {
    let mut story = Story::of(two_services().open());
    let fee = story.takes("fee");
    assert_eq!(story.is_refused(call_next("1")).code(), "nobody_waiting");
    assert_eq!(
        story.is_refused(call_ticket("1", fee)).code(),
        "not_for_this_window"
    );
    assert_eq!(story.calls("3"), "F001");
}

#[test]
fn the_loop_reads_wait_intake_approval_and_rating() {
    let mut story = Story::of(two_services().open());
    story.at("09:00");
    let ticket = story.takes("social");
    story.at("09:12");
    story.does(call_next("1"));
    story.at("09:15");
    story.does(begin("1"));
    assert!(!story.ticket(ticket).loop_stages().complete);
    story.at("09:25");
    story.does(finish("1"));
    let open = story.ticket(ticket).loop_stages();
    assert_eq!((open.rating_secs, open.complete), (None, false));
    story.at("09:26");
    story.does(rate(ticket, 5));
    let stages = story.ticket(ticket).loop_stages();
    let minutes = [
        stages.wait_secs,
        stages.intake_secs,
        stages.approval_secs,
        stages.rating_secs,
    ]
    .map(|secs| secs.map(|secs| secs / 60));
    assert_eq!(minutes, [Some(12), Some(3), Some(10), Some(1)]);
    assert!(stages.complete);
}

#[test]
fn a_rating_has_one_to_five_stars_and_is_given_once() {
    let (mut story, ticket) = first_ticket_is("completed");
    for stars in [0, 6] {
        assert_eq!(
            story.is_refused(rate(ticket, stars)).code(),
            "invalid_field"
        );
    }
    let long = Command::RateTicket {
        ticket,
        stars: 3,
        text: Some("好".repeat(501)),
    };
    assert_eq!(story.is_refused(long).code(), "invalid_field");
    story.does(rate(ticket, 1));
    assert_eq!(
        story.is_refused(rate(ticket, 5)),
        Refusal::AlreadyRated { ticket }
    );
    assert_eq!(story.hall.figures().completed, 1);
}

#[test]
fn a_missed_ticket_keeps_its_number_from_being_given_out_again() {
    let mut story = Story::of(
        rules::testing::hall()
            .service_with("social", "B", |s| s.template.last = 1)
            .window("1", &["social"])
            .open(),
    );
    story.takes("social");
    story.misses("1");
    let refusal = story.is_refused(rules::testing::issue("social"));
    assert_eq!(refusal.code(), "numbers_exhausted");
}
