//! The data board, its numbers and the lists behind them.

use rules::cases::board::{Board, Count, Filter, Group, Stage, Sync};
use rules::cases::{CaseCommand, Settings, Step, StepKind as K, TimeState, Told};

use crate::{Desk, at, due, received, step};

fn board(desk: &Desk, now: &str) -> Board {
    let settings = Settings::default();
    Board::of(desk.machine.cases(), &Filter::default(), &settings, at(now))
}

fn counts(counts: &[Count]) -> Vec<(&'static str, usize)> {
    counts
        .iter()
        .map(|count| (count.name, count.count))
        .collect()
}

/// Every number lists as many cases as it says.
fn numbers_open_their_lists(desk: &Desk, board: &Board, now: &str) {
    let settings = Settings::default();
    let all = [
        &board.groups,
        &board.stages,
        &board.time,
        &board.attention,
        &board.sync,
    ];
    for count in all.into_iter().flatten().chain([&board.accepted_today]) {
        let listed = desk
            .machine
            .cases()
            .filter(|c| count.filter.matches(c, &settings, at(now)));
        assert_eq!(listed.count(), count.count, "{}", count.name);
    }
}

/// AC-C04-4
#[test]
fn one_case_in_each_group_shows_nine_groups_of_one() {
    let mut desk = Desk::default();
    let by_handler = |kind| Step {
        by: Some("li".to_owned()),
        ..step(kind, "11-02 10:00")
    };
    let cases = [
        ("todo", None),
        ("handled", Some(by_handler(K::Accepted))),
        ("closed", Some(step(K::Closed, "11-02 10:00"))),
        ("supplement", Some(step(K::SupplementAsked, "11-02 10:00"))),
        ("special", Some(step(K::Suspended, "11-02 10:00"))),
        ("refused", Some(step(K::Refused, "11-02 10:00"))),
        ("void", Some(step(K::Voided, "11-02 10:00"))),
        ("returned", Some(step(K::Returned, "11-02 10:00"))),
    ];
    for (case, step) in &cases {
        let steps: Vec<Step> = step.iter().cloned().collect();
        desk.tell_with(case, received("11-02 09:00"), &steps, "11-02 11:00")
            .expect("told");
    }
    let draft = Told {
        received_at: None,
        ..received("11-02 09:00")
    };
    desk.tell("draft", draft, "11-02 11:00").expect("told");
    let board = board(&desk, "11-02 12:00");
    let groups: Vec<_> = Group::ALL.iter().map(|group| (group.name(), 1)).collect();
    assert_eq!(counts(&board.groups), groups);
    assert_eq!(
        counts(&board.stages),
        [("open", 5), ("ended", 3), ("not_started", 1)]
    );
    for group in &board.groups {
        let settings = Settings::default();
        let mut listed = desk
            .machine
            .cases()
            .filter(|case| group.filter.matches(case, &settings, at("11-02 12:00")));
        assert_eq!(
            listed.next().map(|case| case.case_no.as_str()),
            Some(group.name)
        );
    }
    assert_eq!(Stage::parse("open"), Some(Stage::Open));
    numbers_open_their_lists(&desk, &board, "11-02 12:00");
}

/// AC-C06-4
#[test]
fn forty_open_cases_stand_thirty_six_and_four() {
    let mut desk = Desk::default();
    for index in 0..40 {
        let due_at = match index {
            0..30 => "11-20 17:30",
            30..36 => "11-10 12:00",
            _ => "11-09 09:00",
        };
        desk.tell(
            &format!("C{index}"),
            due("11-02 09:00", due_at),
            "11-02 09:00",
        )
        .expect("told");
    }
    let board = board(&desk, "11-09 12:00");
    assert_eq!(
        counts(&board.time),
        [
            ("on_time", 30),
            ("near_due", 6),
            ("overdue", 4),
            ("no_limit", 0)
        ]
    );
    assert_eq!(board.time[2].filter.time, Some(TimeState::Overdue));
    numbers_open_their_lists(&desk, &board, "11-09 12:00");
}

/// AC-C02-2: the rate and the two that lag; the alert is the alert desk's.
#[test]
fn the_sync_rate_counts_what_was_handed_over_today() {
    let mut desk = Desk::default();
    for index in 0..100 {
        let case = format!("C{index}");
        desk.tell(&case, received("11-02 09:00"), "11-02 09:00")
            .expect("told");
        desk.happens(&case, K::SyncSent, "11-02 10:00");
        if index >= 2 {
            desk.happens(&case, K::SyncAcked, "11-02 10:01");
        }
    }
    let board = board(&desk, "11-02 10:11");
    assert_eq!(board.sync_percent, Some(98.0));
    assert_eq!(
        counts(&board.sync),
        [("acked", 98), ("pending", 0), ("late", 2)]
    );
    assert_eq!(board.sync[2].filter.sync, Some(Sync::Late));
    numbers_open_their_lists(&desk, &board, "11-02 10:11");
}

/// AC-D09-2: the list of overdue acceptances. AC-D09-1: the figure of the day.
#[test]
fn overdue_acceptances_and_todays_acceptances_are_counted() {
    let mut desk = Desk::default();
    for index in 0..6 {
        desk.tell(&format!("C{index}"), received("11-02 09:00"), "11-02 09:00")
            .expect("told");
    }
    let accept = |case: &str| CaseCommand::Accept {
        case_no: crate::no(case),
        note: None,
    };
    desk.submit(&accept("C0"), "11-03 08:00").expect("accepted");
    desk.submit(&accept("C1"), "11-04 08:00").expect("accepted");
    let board = board(&desk, "11-04 12:00");
    assert_eq!(board.attention[0].count, 4);
    assert_eq!(board.accepted_today.count, 1);
    numbers_open_their_lists(&desk, &board, "11-04 12:00");
}
