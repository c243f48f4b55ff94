//! A window's life: every transition, and what is refused in each state.

use rules::testing::{
    Story, begin, call_next, close_window, finish, given, hold, lose_window, no_show, open_window,
    pause_window, recall, regain_window, resume_window, transfer, window,
};
use rules::{Command, Event, Refusal};

use crate::two_services;

/// A story in which window 1 stands in the state of this name.
fn window_1_is(state: &str) -> Story {
    let mut story = Story::of(two_services().open());
    story.takes("social");
    story.takes("social");
    let way: &[Command] = &match state {
        "closed" => vec![close_window("1")],
        "idle" => vec![],
        "calling" => vec![call_next("1")],
        "serving" => vec![call_next("1"), begin("1")],
        "paused" => vec![pause_window("1")],
        "offline" => vec![lose_window("1")],
        other => panic!("no state {other}"),
    };
    for command in way {
        story.does(command.clone());
    }
    assert_eq!(story.window("1").name(), state);
    story
}

#[test]
fn each_state_takes_the_commands_of_its_transitions_and_names_why_not_the_others() {
    // Per state: what each command leads to, a state or a refusal's code.
    let commands = [
        open_window("1"),
        pause_window("1"),
        resume_window("1"),
        close_window("1"),
        lose_window("1"),
        regain_window("1"),
        call_next("1"),
        recall("1"),
        begin("1"),
        finish("1"),
        no_show("1"),
        hold("1"),
        transfer("1", "fee"),
    ];
    #[rustfmt::skip]
    let table = [
        ("closed", ["idle", "window_closed", "window_closed", "window_closed", "window_closed", "window_not_offline", "window_closed", "window_closed", "window_closed", "window_closed", "window_closed", "window_closed", "window_closed"]),
        ("idle", ["window_not_closed", "paused", "window_not_paused", "closed", "offline", "window_not_offline", "calling", "not_calling", "not_calling", "not_serving", "not_calling", "not_serving", "not_serving"]),
        ("calling", ["window_not_closed", "window_busy", "window_not_paused", "window_busy", "offline", "window_not_offline", "window_busy", "calling", "serving", "not_serving", "no_show_too_early", "not_serving", "not_serving"]),
        ("serving", ["window_not_closed", "window_busy", "window_not_paused", "window_busy", "offline", "window_not_offline", "window_busy", "not_calling", "not_calling", "idle", "not_calling", "idle", "idle"]),
        ("paused", ["window_not_closed", "window_paused", "idle", "closed", "offline", "window_not_offline", "window_paused", "not_calling", "not_calling", "not_serving", "not_calling", "not_serving", "not_serving"]),
        ("offline", ["window_not_closed", "window_offline", "window_offline", "closed", "window_offline", "idle", "window_offline", "window_offline", "window_offline", "window_offline", "window_offline", "window_offline", "window_offline"]),
    ];
    for (state, row) in table {
        for (command, expected) in commands.iter().zip(row) {
            let mut story = window_1_is(state);
            let found = match rules::testing::step(&mut story.hall, command, story.now) {
                Ok(_) => story.window("1").name(),
                Err(refusal) => refusal.code(),
            };
            assert_eq!(found, expected, "{command:?} in {state}");
        }
    }
}

#[test]
fn a_no_show_leaves_the_window_idle() {
    let mut story = window_1_is("calling");
    story.does(recall("1"));
    story.does(recall("1"));
    story.does(no_show("1"));
    assert_eq!(story.window("1").name(), "idle");
}

#[test]
fn a_lost_window_comes_back_to_where_it_was() {
    for state in ["idle", "calling", "serving", "paused"] {
        let mut story = window_1_is(state);
        let before = story.window("1").clone();
        given(story.hall.clone())
            .when(lose_window("1"))
            .then([Event::WindowLost {
                window: window("1"),
            }])
            .when(lose_window("1"))
            .then_refused("window_offline");
        story.does(lose_window("1"));
        assert_eq!(story.window("1").ticket(), before.ticket());
        story.does(regain_window("1"));
        assert_eq!(*story.window("1"), before);
    }
}

#[test]
fn a_lost_window_does_not_count_as_open_nor_does_a_paused_one() {
    let mut story = Story::of(two_services().open());
    let social = "social".parse().expect("an id");
    assert_eq!(story.hall.windows_open(&social), 3);
    story.does(lose_window("1"));
    story.does(pause_window("2"));
    assert_eq!(story.hall.windows_open(&social), 1);
}

#[test]
fn a_lost_window_with_a_ticket_is_not_signed_out() {
    let mut story = window_1_is("serving");
    story.does(lose_window("1"));
    assert_eq!(story.is_refused(close_window("1")).code(), "window_busy");
    assert_eq!(story.is_refused(Command::CloseHall).code(), "hall_busy");
}

#[test]
fn the_clerk_who_signed_in_stands_on_the_tickets_and_leaves_with_the_sign_out() {
    let mut story = Story::of(two_services().closed());
    story.does(Command::OpenHall);
    let clerk = Some("li".parse().expect("an id"));
    story.does(Command::OpenWindow {
        window: window("1"),
        clerk: clerk.clone(),
    });
    let ticket = story.takes("social");
    story.serves("1");
    assert_eq!(story.ticket(ticket).clerk, clerk);
    story.does(close_window("1"));
    assert_eq!(
        story
            .hall
            .window(&window("1"))
            .and_then(|w| w.clerk.clone()),
        None
    );
}

#[test]
fn a_pause_keeps_its_reason_and_a_long_one_is_refused() {
    let pause = |reason: String| Command::PauseWindow {
        window: window("1"),
        reason: Some(reason),
    };
    let mut story = Story::of(two_services().open());
    let refusal = story.is_refused(pause("久".repeat(81)));
    assert!(matches!(refusal, Refusal::InvalidField { field, .. } if field == "reason"));
    story.does(pause("久".repeat(80)));
    assert_eq!(story.window("1").name(), "paused");
}
