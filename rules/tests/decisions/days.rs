//! The end of the day: what expires, what is carried over, what goes on at the windows.

use rules::hall::HallState;
use rules::policy::DayEnd;
use rules::testing::{Story, begin, call_next, cancel, clock, finish, given, hold, resume_ticket};
use rules::{Command, Event};

use crate::two_services;

fn day_ended(day: &str, next: &str) -> Event {
    Event::DayEnded {
        day: day.parse().expect("a date"),
        next: next.parse().expect("a date"),
    }
}

#[test]
fn midnight_expires_those_who_wait_or_were_missed_and_leaves_those_at_windows() {
    let mut story = Story::of(two_services().open());
    let missed = story.takes("social");
    story.misses("1");
    let (served, held, called) = (
        story.takes("social"),
        story.takes("social"),
        story.takes("social"),
    );
    let waiting = story.takes("social");
    for window in ["1", "2", "3"] {
        story.does(call_next(window));
    }
    for window in ["1", "2"] {
        story.does(begin(window));
    }
    story.does(hold("2"));
    let (given, due) = given(story.hall).when_it_is("3T00:00");
    assert_eq!(
        due,
        [
            Event::TicketExpired { ticket: missed },
            Event::TicketExpired { ticket: waiting },
            day_ended("2026-11-02", "2026-11-03"),
        ]
    );
    let mut story = Story::of(given.0);
    assert_eq!(story.hall.ticket(missed), None);
    let figures = story.hall.figures();
    assert_eq!(
        (
            figures.issued,
            figures.serving,
            figures.held,
            figures.called
        ),
        (3, 1, 1, 1)
    );
    story.does(finish("1"));
    story.does(resume_ticket("1", held));
    for (ticket, state) in [(served, "completed"), (held, "serving"), (called, "called")] {
        assert_eq!(story.state(ticket).name(), state);
        assert_eq!(story.ticket(ticket).day.to_string(), "2026-11-03");
    }
}

#[test]
fn the_deadline_is_the_halls_midnight_and_asking_early_changes_nothing() {
    let hall = two_services().open();
    assert_eq!(hall.next_deadline(), Some(clock("3T00:00")));
    let (given, due) = given(hall.clone()).when_it_is("23:59:59.999");
    assert_eq!(due, []);
    assert_eq!(given.0, hall);
    assert_eq!(two_services().closed().next_deadline(), None);
}

#[test]
fn carried_over_they_keep_their_number_and_place_and_belong_to_the_new_day() {
    let mut story = Story::of(
        two_services()
            .policy(|p| p.day_end = DayEnd::CarryOver)
            .open(),
    );
    story.at("16:00");
    let gone = story.takes("social");
    story.does(cancel(gone));
    let (first, second) = (story.takes("social"), story.takes("social"));
    story.at("3T09:00");
    assert_eq!(story.ticket(first).day.to_string(), "2026-11-03");
    assert_eq!(story.hall.figures().issued, 2);
    let new = [story.takes("social"), story.takes("social")];
    let numbers = new.map(|id| story.ticket(id).number.clone());
    assert_eq!(numbers, ["B001", "B004"], "B002 and B003 are still held");
    assert_eq!(story.line("social"), ["B002", "B003", "B001", "B004"]);
    assert_eq!(story.ticket(second).issued_at, clock("16:00"));
}

#[test]
fn a_hall_asleep_for_days_ends_its_day_once() {
    let (_, due) = given(two_services().open()).when_it_is("9T08:00");
    assert_eq!(due, [day_ended("2026-11-02", "2026-11-09")]);
}

#[test]
fn the_day_that_ends_by_command_needs_a_closed_hall_and_the_next_opening_does_not_take_it_back() {
    let mut story = Story::of(two_services().open());
    story.takes("social");
    assert_eq!(story.is_refused(Command::EndDay).code(), "hall_not_closed");
    story.does(Command::CloseHall);
    let events = story.does(Command::EndDay);
    assert_eq!(events[1], day_ended("2026-11-02", "2026-11-03"));
    story.does(Command::OpenHall);
    assert_eq!(
        story.hall.day().map(|day| day.to_string()),
        Some("2026-11-03".to_owned())
    );
    let ticket = story.takes("social");
    assert_eq!(story.ticket(ticket).number, "B001");
    story.at("3T09:00");
    assert_eq!(
        story.state(ticket).name(),
        "waiting",
        "the day that has begun goes on"
    );
}

#[test]
fn the_hall_and_its_windows_stay_open_over_midnight() {
    let mut story = Story::of(two_services().open());
    story.at("3T00:01");
    assert_eq!(story.hall.state(), HallState::Open);
    assert_eq!(story.window("1").name(), "idle");
}

#[test]
fn the_same_days_clock_set_back_ends_no_day() {
    let mut story = Story::of(two_services().open());
    story.at("3T00:00");
    let hall = story.hall.clone();
    let (given, due) = given(hall.clone()).when_it_is("12:00");
    assert_eq!(due, []);
    assert_eq!(given.0, hall);
}
