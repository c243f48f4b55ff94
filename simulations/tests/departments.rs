//! The demonstration's cases: what a newcomer sees at once, and that it goes on for hours.

use rules::cases::limits::is_acceptance_overdue;
use rules::cases::{Case, CaseCommand, CaseDesk, CaseKind, TimeState};
use rules::machine::{Machine, Recorded};
use rules::time::Timestamp;
use simulations::departments::Departments;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect("a time")
}

fn work(desk: &mut CaseDesk, departments: &mut Departments, now: Timestamp) -> usize {
    let commands = departments.next(desk, now);
    for command in &commands {
        submit(desk, command, now);
    }
    commands.len()
}

fn submit(desk: &mut CaseDesk, command: &CaseCommand, now: Timestamp) {
    for event in desk.decide(command, "demo", now).expect("is allowed") {
        let seq = desk.seq() + 1;
        let by = "demo".to_owned();
        desk.apply(&Recorded {
            seq,
            at: now,
            by,
            event,
        });
    }
}

fn begun(now: Timestamp) -> (CaseDesk, Departments) {
    let mut desk = CaseDesk::default();
    let hall = "demo".parse().expect("a hall");
    let mut departments = Departments::new(7, hall, now);
    work(&mut desk, &mut departments, now);
    (desk, departments)
}

#[test]
fn a_newcomer_sees_thirty_on_time_six_near_due_and_four_overdue() {
    // On a working day, on a Sunday, and in a week of holidays.
    for now in [
        "2026-11-04T10:00:00+08:00",
        "2026-11-22T17:00:00+08:00",
        "2026-10-03T09:00:00+08:00",
    ] {
        let now = at(now);
        let (desk, _) = begun(now);
        let promised =
            |case: &&Case| case.told.kind == CaseKind::Application && case.parts.is_empty();
        let applications = desk.cases().filter(promised);
        let applications = applications.filter(|case| case.accepted_at.is_some());
        let states: Vec<TimeState> = applications.map(|case| case.time_state(now)).collect();
        let count = |wanted| states.iter().filter(|state| **state == wanted).count();
        assert_eq!(
            [
                count(TimeState::OnTime),
                count(TimeState::NearDue),
                count(TimeState::Overdue)
            ],
            [30, 6, 4],
            "{}",
            now.rfc3339_utc()
        );
        let joint = desk
            .cases()
            .find(|case| !case.parts.is_empty())
            .expect("a joint case");
        let late = joint
            .parts
            .iter()
            .filter(|part| part.time_state(now) == TimeState::Overdue);
        assert_eq!(late.count(), 1);
    }
    let now = at("2026-11-04T10:00:00+08:00");
    let (desk, _) = begun(now);
    assert_eq!(
        desk.cases()
            .filter(|case| is_acceptance_overdue(case, now))
            .count(),
        2
    );
}

#[test]
fn the_same_seed_does_the_same_work_for_hours_and_the_desk_does_not_fill() {
    let begin = at("2026-11-04T10:00:00+08:00");
    let run = || {
        let (mut desk, mut departments) = begun(begin);
        let mut overdue = Vec::new();
        for step in 1..8 * 120 {
            let now = begin.plus_secs(step * 30);
            work(&mut desk, &mut departments, now);
            let open = desk.cases().filter(|case| case.state.is_open());
            let open: Vec<TimeState> = open.map(|case| case.time_state(now)).collect();
            let late = open.iter().filter(|state| **state == TimeState::Overdue);
            overdue.push(late.count());
            assert!((40..=46).contains(&open.len()), "{} at {step}", open.len());
        }
        (desk, overdue)
    };
    let (desk, overdue) = run();
    assert_eq!(run().0, desk);
    let least = overdue[20..].iter().min().expect("some");
    let most = overdue.iter().max().expect("some");
    assert!(
        (1..=8).contains(least) && (4..=25).contains(most),
        "{least} to {most}"
    );
    assert!(desk.cases().count() > 100);
}
