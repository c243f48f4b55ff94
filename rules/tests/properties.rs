//! What holds of every day, however it goes: random commands at a small hall whose clock jumps
//! forward, over midnight and back. `rules::testing::step`, by which each step is taken, checks
//! besides that deciding changes nothing, that what fell due falls due once, that the preview tells
//! the tickets as they become, and that no invariant is broken.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rules::ids::{ServiceId, TicketId};
use rules::testing::histories::{Live, Step, histories, policies};
use rules::testing::{service, services_sum_to_the_hall, step, window, window_plan};
use rules::ticket::TicketState;
use rules::window::WindowState;
use rules::{Command, Event, Hall, Recorded};

/// Chosen so that all properties together take a few seconds in a debug build. `PROPTEST_CASES`
/// overrides it.
const CASES: u32 = 72;

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").map_or(CASES, |cases| cases.parse().expect("PROPTEST_CASES"))
}

/// Enough for tickets to be missed, requeued, held, carried over and for series to wrap.
const STEPS: usize = 120;

fn day() -> impl Strategy<Value = (rules::policy::CallPolicy, Vec<Step>)> {
    (policies(), histories(STEPS))
}

fn replayed(journal: &[Recorded]) -> Hall {
    let id = "H1".parse().expect("an id");
    let mut hall = Hall::registered(id, &journal[0]).expect("a registration");
    for recorded in &journal[1..] {
        hall.apply(recorded);
    }
    hall
}

fn through_json(hall: &Hall) -> Hall {
    let text = serde_json::to_string(hall).expect("a snapshot");
    let hall: Hall = serde_json::from_str(&text).expect("what was written is readable");
    hall.restore()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn figures_add_up_for_the_hall_and_over_its_services((policy, steps) in day()) {
        let mut live = Live::begin(policy);
        let ever: BTreeSet<ServiceId> =
            ["social", "tax", "fee", "nowhere"].into_iter().map(service).collect();
        for step in &steps {
            let _ = live.play(step);
            prop_assert!(services_sum_to_the_hall(&live.hall, &ever), "{:?}", live.hall.figures());
        }
    }

    #[test]
    fn a_refused_command_changes_nothing_but_what_fell_due((policy, steps) in day()) {
        let mut live = Live::begin(policy);
        for step in &steps {
            let mut expected = live.hall.clone();
            if live.play(step).is_err() {
                let due = expected.elapse(live.now);
                for recorded in expected.recorded(due, live.now, "test") {
                    expected.apply(&recorded);
                }
                prop_assert_eq!(&live.hall, &expected);
            }
        }
    }

    #[test]
    fn the_journal_replayed_is_the_live_hall_also_from_a_snapshot((policy, steps) in day(), at in 0..STEPS) {
        let mut live = Live::begin(policy);
        let mut from_snapshot = None;
        for (index, step) in steps.iter().enumerate() {
            if index == at {
                from_snapshot = Some(through_json(&live.hall));
                prop_assert_eq!(from_snapshot.as_ref(), Some(&live.hall));
            }
            let _ = live.play(step);
        }
        prop_assert_eq!(&replayed(&live.journal), &live.hall);
        if let Some(mut hall) = from_snapshot {
            let seq = hall.seq();
            for recorded in live.journal.iter().filter(|one| one.seq > seq) {
                hall.apply(recorded);
            }
            prop_assert_eq!(&hall, &live.hall);
        }
    }

    #[test]
    fn what_is_journalled_reads_back_as_it_was((policy, steps) in day()) {
        let mut live = Live::begin(policy);
        for step in &steps {
            let _ = live.play(step);
        }
        for recorded in &live.journal {
            let text = serde_json::to_string(recorded).expect("an event");
            let back: Recorded = serde_json::from_str(&text).expect("what was written is readable");
            prop_assert_eq!(&back, recorded);
        }
    }

    #[test]
    fn the_journal_counts_by_one_and_its_time_never_falls((policy, steps) in day()) {
        let mut live = Live::begin(policy);
        for step in &steps {
            let _ = live.play(step);
        }
        for (before, after) in live.journal.iter().zip(&live.journal[1..]) {
            prop_assert_eq!(before.seq + 1, after.seq);
            prop_assert!(before.at <= after.at);
        }
    }

    #[test]
    fn no_number_is_handed_out_twice_a_day_and_round((policy, steps) in day()) {
        let mut live = Live::begin(policy);
        for step in &steps {
            let _ = live.play(step);
        }
        let mut given = BTreeSet::new();
        let mut last = TicketId(0);
        for recorded in &live.journal {
            if let Event::TicketIssued(issued) = &recorded.event {
                let number = (issued.day, issued.number.clone(), issued.counter.round);
                prop_assert!(given.insert(number.clone()), "{:?} twice", number);
                prop_assert!(issued.ticket > last, "ticket ids rise");
                last = issued.ticket;
            }
        }
    }

    #[test]
    fn a_called_ticket_was_waiting_and_the_window_idle((policy, steps) in day()) {
        let mut live = Live::begin(policy);
        for step in &steps {
            let before = live.hall.clone();
            let Ok(recorded) = live.play(step) else { continue };
            for one in &recorded {
                let Event::TicketCalled { ticket, window, .. } = &one.event else { continue };
                let state = before.ticket(*ticket).map(|t| &t.state);
                prop_assert_eq!(state, Some(&TicketState::Waiting));
                let state = before.window(window).map(|w| &w.state);
                prop_assert_eq!(state, Some(&WindowState::Idle));
            }
        }
    }

    #[test]
    fn the_next_shown_to_a_window_is_the_next_it_calls((policy, steps) in day()) {
        let mut live = Live::begin(policy);
        for step in &steps {
            let Ok(recorded) = live.play(step) else { continue };
            drop(recorded);
            for window in live.hall.windows().filter(|w| w.state == WindowState::Idle) {
                let shown = live.hall.next_for(window, 3, live.now);
                let call = Command::CallNext { window: window.id.clone() };
                let called = live.hall.decide(&call, live.now).ok();
                let called = called.and_then(|events| match &events[0] {
                    Event::TicketCalled { ticket, why, .. } => Some((*ticket, why.clone())),
                    _ => None,
                });
                let first = shown.first().map(|choice| (choice.ticket, choice.why.clone()));
                prop_assert_eq!(first, called);
            }
        }
    }

    /// Two who waited for one another would both be called last.
    #[test]
    fn nobody_stands_behind_one_who_stands_behind_him((policy, steps) in day()) {
        let mut live = Live::begin(policy);
        for step in &steps {
            let _ = live.play(step);
            for ticket in live.hall.tickets() {
                let mut seen = BTreeSet::from([ticket.id]);
                let mut next = ticket.behind;
                while let Some(other) = next {
                    prop_assert!(seen.insert(other), "a circle of {:?}", seen);
                    next = live.hall.ticket(other).and_then(|t| t.behind);
                }
            }
        }
    }

    #[test]
    fn the_line_shown_is_the_order_in_which_a_window_calls((policy, steps) in day()) {
        let mut live = Live::begin(policy);
        for step in &steps {
            let _ = live.play(step);
        }
        let Live { hall, now, .. } = live;
        // After the longest cool-down; a ticket that is not called yet is shown where it will stand.
        let now = hall.steady(now).plus_secs(120);
        for id in hall.config().services.keys() {
            let mut hall = hall.clone();
            let fresh = window("9");
            let plan = window_plan("9", &[id.as_str()]);
            let mut ask = |command: Command| step(&mut hall, &command, now);
            let _ = ask(Command::OpenHall);
            let set_up = [
                Command::ConfigureWindow { window: fresh.clone(), plan },
                Command::OpenWindow { window: fresh.clone(), clerk: None },
            ];
            for command in set_up {
                prop_assert!(ask(command).is_ok());
            }
            let shown = hall.line(id, now);
            // One bound to another window is never called by this one.
            if hall.waiting(id).any(|ticket| ticket.only_window.is_some()) {
                continue;
            }
            let seat = hall.window(&fresh).expect("the window");
            let next: Vec<_> = hall.next_for(seat, shown.len(), now).iter().map(|c| c.ticket).collect();
            prop_assert_eq!(&next, &shown, "the next ones shown to the window");
            let mut called = Vec::new();
            while let Ok(recorded) = step(&mut hall, &Command::CallNext { window: fresh.clone() }, now) {
                called.extend(recorded.iter().filter_map(|one| match &one.event {
                    Event::TicketCalled { ticket, .. } => Some(*ticket),
                    _ => None,
                }));
                for command in [
                    Command::BeginService { window: fresh.clone() },
                    Command::FinishService { window: fresh.clone() },
                ] {
                    prop_assert!(step(&mut hall, &command, now).is_ok());
                }
            }
            prop_assert_eq!(&called, &shown);
        }
    }

    #[test]
    fn the_place_told_is_the_place_in_line((policy, steps) in day()) {
        let mut live = Live::begin(policy);
        for step in &steps {
            let known = live.journal.len();
            let _ = live.play(step);
            let (hall, now) = (&live.hall, live.now);
            let place = |ticket: TicketId| {
                let line = hall.line(&hall.ticket(ticket)?.service, now);
                line.iter().position(|other| *other == ticket).map(|place| place as u64)
            };
            for ticket in hall.tickets() {
                prop_assert_eq!(hall.ahead(ticket.id, now), place(ticket.id), "{:?}", ticket);
            }
            for recorded in &live.journal[known..] {
                if let Event::TicketIssued(issued) = &recorded.event {
                    prop_assert_eq!(Some(u64::from(issued.ahead)), place(issued.ticket), "{:?}", issued);
                }
            }
        }
    }

    #[test]
    fn every_line_holds_each_waiting_ticket_once_and_nobody_stands_behind_one_who_left(
        (policy, steps) in day()
    ) {
        let mut live = Live::begin(policy);
        for step in &steps {
            let _ = live.play(step);
            let hall = &live.hall;
            for id in hall.config().services.keys() {
                let line = hall.line(id, live.now);
                let once: BTreeSet<TicketId> = line.iter().copied().collect();
                let waiting: BTreeSet<TicketId> = hall.waiting(id).map(|t| t.id).collect();
                prop_assert_eq!(line.len(), once.len());
                prop_assert_eq!(once, waiting.clone());
                for ticket in hall.waiting(id) {
                    prop_assert!(ticket.behind.is_none_or(|other| waiting.contains(&other)));
                }
            }
        }
    }

    #[test]
    fn a_hall_that_calls_on_leaves_nobody_who_may_be_called((policy, steps) in day()) {
        let mut live = Live::begin(policy);
        for step in &steps {
            let _ = live.play(step);
        }
        let Live { mut hall, now, .. } = live;
        // After the longest cool-down and before the next midnight, if the day is not yet over.
        let now = hall.steady(now).plus_secs(120);
        let windows: Vec<_> = hall.windows().map(|w| w.id.clone()).collect();
        let mut ask = |command: Command| step(&mut hall, &command, now);
        let _ = ask(Command::OpenHall);
        for window in &windows {
            let window = || window.clone();
            let _ = ask(Command::RegainWindow { window: window() });
            let _ = ask(Command::OpenWindow { window: window(), clerk: None });
            let _ = ask(Command::ResumeWindow { window: window() });
            let _ = ask(Command::BeginService { window: window() });
            let _ = ask(Command::FinishService { window: window() });
            while ask(Command::CallNext { window: window() }).is_ok() {
                let _ = ask(Command::BeginService { window: window() });
                let _ = ask(Command::FinishService { window: window() });
            }
        }
        for ticket in hall.tickets().filter(|t| t.state == TicketState::Waiting) {
            let callable = hall.windows().any(|w| {
                let caller = rules::calling::Caller {
                    window: &w.id,
                    services: &w.plan.services,
                    streak: w.streak,
                };
                rules::calling::may_call(ticket, caller)
            });
            prop_assert!(!callable, "{:?} was left waiting", ticket);
        }
    }

    #[test]
    fn time_at_windows_is_never_longer_than_the_time_in_the_hall((policy, steps) in day()) {
        let mut live = Live::begin(policy);
        for step in &steps {
            let _ = live.play(step);
        }
        for ticket in live.hall.tickets() {
            let there = live.hall.last_at().millis_since(ticket.issued_at);
            prop_assert!(ticket.served_ms <= there, "{:?}", ticket);
            prop_assert!(ticket.queued_at >= ticket.issued_at);
        }
    }
}

/// The random days must reach what they are for; a strategy that drifts into refusals tests nothing.
#[test]
fn the_random_days_reach_every_kind_of_event() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::{Config, TestRunner};

    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let mut seen: BTreeMap<&'static str, u32> = BTreeMap::new();
    // Three times as many as elsewhere: what is rare (a service that can be removed) must turn up.
    for _ in 0..3 * cases() {
        let (policy, steps) = day().new_tree(&mut runner).expect("a day").current();
        let mut live = Live::begin(policy);
        for step in &steps {
            let _ = live.play(step);
        }
        for recorded in &live.journal {
            *seen.entry(recorded.event.kind()).or_default() += 1;
        }
    }
    let missing: Vec<&str> = [
        "hall_opened",
        "hall_closed",
        "issuing_paused",
        "issuing_resumed",
        "service_configured",
        "service_removed",
        "window_configured",
        "window_removed",
        "policy_changed",
        "notice_set",
        "notice_cleared",
        "ticket_issued",
        "ticket_cancelled",
        "ticket_requeued",
        "ticket_postponed",
        "ticket_rated",
        "ticket_called",
        "ticket_recalled",
        "service_begun",
        "service_finished",
        "no_show_marked",
        "ticket_held",
        "ticket_resumed",
        "ticket_transferred",
        "ticket_expired",
        "day_ended",
        "window_opened",
        "window_paused",
        "window_resumed",
        "window_closed",
        "window_lost",
        "window_regained",
    ]
    .into_iter()
    .filter(|kind| !seen.contains_key(kind))
    .collect();
    assert!(missing.is_empty(), "never seen: {missing:?}; seen {seen:?}");
}
