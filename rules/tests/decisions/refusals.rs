//! Every refusal at least once, each with its code and a sentence in both languages.

use std::collections::BTreeSet;

use rules::ids::TicketId;
use rules::name::Lang;
use rules::testing::{
    Story, begin, booked, call_next, call_ticket, cancel, close_window, finish, hold, issue,
    lose_window, no_show, open_window, pause_window, postpone, rate, recall, regain_window,
    requeue, resume_ticket, resume_window, service, transfer, window, wish,
};
use rules::{Command, Refusal};

use crate::two_services;

/// Not a hall's own refusal: the kiosk's menu is walked at the edge, in the same words.
const OF_THE_EDGE: [&str; 1] = ["unknown_menu"];

fn with_appointment(from: &str, to: &str) -> Command {
    let mut wish = wish("social");
    wish.appointment = Some(booked("AP1", from, to));
    Command::IssueTicket(wish)
}

/// A policy under which a number may be postponed once.
fn patient() -> Command {
    let mut policy = rules::policy::CallPolicy::default();
    policy.postpone.places_max = 1;
    policy.postpone.times_max = 1;
    Command::SetPolicy { policy }
}

/// Commands that are refused, after those that lead there; the last one is refused.
fn cases() -> Vec<(&'static str, Vec<Command>)> {
    let first = TicketId(1);
    let served = || vec![issue("social"), call_next("1"), begin("1"), finish("1")];
    let missed = || {
        vec![
            issue("social"),
            call_next("1"),
            recall("1"),
            recall("1"),
            no_show("1"),
        ]
    };
    let and = |mut way: Vec<Command>, more: Vec<Command>| {
        way.extend(more);
        way
    };
    vec![
        ("invalid_field", and(served(), vec![rate(first, 9)])),
        ("hall_closed", vec![Command::CloseHall, issue("social")]),
        ("hall_closed", vec![Command::CloseHall, open_window("1")]),
        ("hall_closed", vec![Command::CloseHall, Command::CloseHall]),
        (
            "hall_closed",
            vec![Command::CloseHall, Command::PauseIssuing],
        ),
        (
            "hall_closed",
            vec![Command::CloseHall, Command::ResumeIssuing],
        ),
        ("postpone_off", vec![issue("social"), postpone(first, 1)]),
        (
            "postpone_limit",
            vec![
                patient(),
                issue("social"),
                issue("social"),
                issue("social"),
                postpone(first, 1),
                postpone(first, 1),
            ],
        ),
        (
            "nobody_behind",
            vec![patient(), issue("social"), postpone(first, 1)],
        ),
        ("hall_not_closed", vec![Command::OpenHall]),
        (
            "hall_not_closed",
            vec![Command::PauseIssuing, Command::OpenHall],
        ),
        (
            "hall_busy",
            vec![issue("social"), call_next("1"), Command::CloseHall],
        ),
        (
            "issuing_paused",
            vec![Command::PauseIssuing, issue("social")],
        ),
        (
            "issuing_paused",
            vec![Command::PauseIssuing, Command::PauseIssuing],
        ),
        ("issuing_not_paused", vec![Command::ResumeIssuing]),
        ("unknown_service", vec![issue("nowhere")]),
        (
            "unknown_service",
            vec![Command::RemoveService {
                service: service("nowhere"),
            }],
        ),
        (
            "unknown_service",
            vec![
                issue("social"),
                call_next("1"),
                begin("1"),
                transfer("1", "nowhere"),
            ],
        ),
        ("unknown_window", vec![call_next("9")]),
        (
            "unknown_window",
            vec![Command::RemoveWindow {
                window: window("9"),
            }],
        ),
        ("unknown_ticket", vec![cancel(TicketId(77))]),
        (
            "service_in_use",
            vec![Command::RemoveService {
                service: service("fee"),
            }],
        ),
        (
            "window_in_use",
            vec![Command::RemoveWindow {
                window: window("1"),
            }],
        ),
        (
            "contingent_reached",
            vec![issue("fee"), issue("fee"), issue("fee")],
        ),
        ("numbers_exhausted", vec![issue("tax"), issue("tax")]),
        (
            "appointment_too_early",
            vec![with_appointment("12:00", "12:30")],
        ),
        (
            "appointment_too_late",
            vec![with_appointment("07:00", "07:30")],
        ),
        ("invalid_field", vec![with_appointment("09:00", "08:59")]),
        (
            "already_issued",
            vec![
                with_appointment("08:40", "09:00"),
                with_appointment("08:40", "09:00"),
            ],
        ),
        ("nobody_waiting", vec![call_next("1")]),
        ("window_closed", vec![close_window("1"), call_next("1")]),
        ("window_not_closed", vec![open_window("1")]),
        ("window_paused", vec![pause_window("1"), call_next("1")]),
        ("window_not_paused", vec![resume_window("1")]),
        ("window_offline", vec![lose_window("1"), call_next("1")]),
        ("window_not_offline", vec![regain_window("1")]),
        (
            "window_busy",
            vec![issue("social"), call_next("1"), call_next("1")],
        ),
        ("not_calling", vec![begin("1")]),
        ("not_serving", vec![finish("1")]),
        (
            "recall_limit",
            vec![
                issue("social"),
                call_next("1"),
                recall("1"),
                recall("1"),
                recall("1"),
                recall("1"),
            ],
        ),
        (
            "no_show_too_early",
            vec![issue("social"), call_next("1"), no_show("1")],
        ),
        ("ticket_not_waiting", and(served(), vec![cancel(first)])),
        ("ticket_not_missed", vec![issue("social"), requeue(first)]),
        (
            "ticket_not_held",
            vec![issue("social"), resume_ticket("1", first)],
        ),
        (
            "ticket_not_completed",
            vec![issue("social"), rate(first, 5)],
        ),
        (
            "already_rated",
            and(served(), vec![rate(first, 5), rate(first, 5)]),
        ),
        (
            "requeue_limit",
            and(
                missed(),
                vec![
                    requeue(first),
                    call_next("1"),
                    recall("1"),
                    recall("1"),
                    no_show("1"),
                    requeue(first),
                ],
            ),
        ),
        (
            "not_for_this_window",
            vec![issue("fee"), call_ticket("1", first)],
        ),
        (
            "same_service",
            vec![
                issue("social"),
                call_next("1"),
                begin("1"),
                transfer("1", "social"),
            ],
        ),
        (
            "not_serving",
            vec![issue("social"), call_next("1"), hold("1")],
        ),
    ]
}

fn story() -> Story {
    Story::of(
        two_services()
            .service_with("tax", "T", |s| s.template.last = 1)
            .service_with("fee", "F", |s| s.contingent = Some(2))
            .policy(|p| p.calls_max = Some(4))
            .open(),
    )
}

fn refusals() -> Vec<(&'static str, Refusal)> {
    let mut refusals = Vec::new();
    for (code, way) in cases() {
        let mut story = story();
        let (last, way) = way.split_last().expect("a command to refuse");
        for command in way {
            story.does(command.clone());
        }
        refusals.push((code, story.is_refused(last.clone())));
    }
    // Those that need another hall or another time.
    let mut story = Story::of(two_services().closed());
    refusals.push(("no_day", story.is_refused(Command::EndDay)));
    refusals.push(("no_notice", story.is_refused(Command::ClearNotice)));
    let mut story = Story::of(
        two_services()
            .policy(|p| p.recall_interval_secs = 10)
            .open(),
    );
    story.takes("social");
    story.does(call_next("1"));
    refusals.push(("recall_too_soon", story.is_refused(recall("1"))));
    refusals
}

/// The codes as they stand in `Refusal::code`.
fn every_code() -> BTreeSet<&'static str> {
    let source = include_str!("../../src/hall/refusal.rs");
    let lines = source
        .lines()
        .filter(|line| line.trim_start().starts_with("Self::"));
    let codes = lines.filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\","));
    codes.collect()
}

#[test]
fn each_way_there_is_refused_with_its_code() {
    for (code, refusal) in refusals() {
        assert_eq!(refusal.code(), code, "{refusal:?}");
    }
}

#[test]
fn no_refusal_is_without_a_test() {
    let mut missing = every_code();
    assert!(
        missing.len() >= 39,
        "the codes are not found in the source: {missing:?}"
    );
    for (code, _) in refusals() {
        missing.remove(code);
    }
    let left: Vec<&str> = missing.into_iter().collect();
    assert_eq!(left, OF_THE_EDGE);
}

#[test]
fn every_refusal_is_a_sentence_in_both_languages_without_its_code() {
    let mut all: Vec<Refusal> = refusals().into_iter().map(|(_, refusal)| refusal).collect();
    all.push(Refusal::UnknownMenu {
        menu: "m1".parse().expect("an id"),
    });
    for refusal in all {
        let (zh, en) = (refusal.sentence(Lang::Zh), refusal.sentence(Lang::En));
        assert!(zh.chars().any(|c| ('一'..='鿿').contains(&c)), "{zh}");
        assert!(en.is_ascii() && en.contains(' '), "{en}");
        assert!(
            !en.contains(refusal.code()) || !refusal.code().contains('_'),
            "{en}"
        );
        assert_eq!(refusal.to_string(), en);
    }
}

#[test]
fn what_explains_a_refusal_is_in_its_fields() {
    let mut story = story();
    story.takes("social");
    story.does(call_next("1"));
    let refusal = story.is_refused(no_show("1"));
    let fields = serde_json::to_value(&refusal).expect("JSON");
    assert_eq!(fields, serde_json::json!({ "calls": 1, "needed": 3 }));
}
