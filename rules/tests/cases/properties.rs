//! Random histories of cases.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use rules::cases::history::changes;
use rules::cases::{CaseCommand, CaseDesk, Settings, Step, StepKind as K, Telling, TimeState};
use rules::machine::Machine as _;
use rules::time::Timestamp;

use crate::{Desk, at, due, no, promised, received};

fn begin() -> Timestamp {
    at("11-02 09:00")
}

fn any_step() -> impl Strategy<Value = Step> {
    (select(&K::ALL[..]), 0_u64..20 * 24).prop_map(|(kind, hour)| Step {
        to: (kind == K::Assigned).then(|| "zhou".to_owned()),
        due_at: (kind == K::Extended).then(|| crate::moment("11-16 17:30")),
        ..Step::new(kind, begin().plus_secs(hour * 3600))
    })
}

fn any_command() -> impl Strategy<Value = CaseCommand> {
    let case = || select(&["C1", "C2", "C3"][..]).prop_map(no);
    let told = (select(&["C1", "C2", "C3"][..]), 0_u32..3).prop_map(|(case, kind)| {
        let told = match kind {
            0 => received("11-02 09:00"),
            1 => promised("11-02 09:00", 5),
            _ => due("11-02 09:00", "11-09 17:30"),
        };
        CaseCommand::Tell(vec![Telling {
            case_no: no(case),
            told,
            steps: vec![],
        }])
    });
    prop_oneof![
        2 => told,
        8 => (case(), any_step()).prop_map(|(case_no, step)| CaseCommand::TellStep { case_no, step }),
        1 => case().prop_map(|case_no| CaseCommand::Accept { case_no, note: None }),
        1 => case().prop_map(|case_no| CaseCommand::Return { case_no, note: None }),
        1 => case().prop_map(|case_no| CaseCommand::Urge { case_no, note: None }),
    ]
}

/// A history that can be: some of the steps of a full life, in their order.
fn possible_life() -> impl Strategy<Value = Vec<Step>> {
    let life = vec![
        K::PreReviewBegun,
        K::PreReviewPassed,
        K::Accepted,
        K::ReviewBegun,
        K::SupplementAsked,
        K::SupplementAnswered,
        K::Suspended,
        K::Resumed,
        K::Progress,
        K::Closed,
        K::ResultIssued,
        K::Archived,
    ];
    let count = life.len();
    subsequence(life, 0..=count).prop_map(|kinds| {
        let hours = (0_u64..).map(|n| n * 7);
        let steps = kinds.into_iter().zip(hours);
        steps
            .map(|(kind, hour)| Step::new(kind, begin().plus_secs(hour * 3600)))
            .collect()
    })
}

proptest! {
    #[test]
    fn replay_equals_live_and_a_refusal_changes_nothing(
        commands in prop::collection::vec((any_command(), 0_u64..6), 1..60)
    ) {
        let mut desk = Desk::default();
        let mut now = at("11-21 09:00");
        for (command, hours) in &commands {
            now = now.plus_secs(hours * 3600);
            let before = desk.machine.clone();
            if desk.submit_at(command, now).is_err() {
                prop_assert_eq!(&before, &desk.machine);
            }
        }
        let mut replayed = CaseDesk::default();
        for recorded in &desk.journal {
            replayed.apply(recorded);
        }
        prop_assert_eq!(&replayed, &desk.machine);
        let kept: CaseDesk = serde_json::from_str(&serde_json::to_string(&desk.machine).expect("JSON")).expect("a desk");
        prop_assert_eq!(&kept, &desk.machine);
        let mut elapsed = desk.clone();
        elapsed.pass("12-31 09:00");
        prop_assert!(elapsed.machine.elapse(at("12-31 09:00")).is_empty());
    }

    #[test]
    fn the_order_in_which_steps_are_told_does_not_matter(
        (steps, shuffled) in possible_life().prop_flat_map(|steps| {
            let shuffled = Just(steps.clone()).prop_shuffle();
            (Just(steps), shuffled)
        })
    ) {
        let told = |steps: &[Step]| {
            let mut desk = Desk::default();
            desk.tell("C1", promised("11-02 09:00", 5), "11-20 09:00").expect("told");
            for step in steps {
                desk.step("C1", step.clone(), "11-20 09:00").expect("a possible step");
            }
            let mut case = desk.case("C1").clone();
            case.wrong_order = None;
            case
        };
        let at_once = {
            let mut desk = Desk::default();
            desk.tell_with("C1", promised("11-02 09:00", 5), &shuffled, "11-20 09:00").expect("told");
            desk.case("C1").clone()
        };
        prop_assert_eq!(&told(&steps), &told(&shuffled));
        prop_assert_eq!(&told(&steps), &at_once);
    }

    #[test]
    fn nothing_changes_between_the_instants_of_a_history(
        steps in possible_life(),
        hours in prop::collection::vec(0_u64..30 * 24, 20)
    ) {
        let settings = Settings::default();
        let mut desk = Desk::default();
        desk.tell_with("C1", promised("11-02 09:00", 5), &steps, "11-20 09:00").expect("told");
        let case = desk.case("C1");
        let until = begin().plus_secs(40 * 24 * 3600);
        let changes = changes(case, &settings, begin(), until);
        let face = |at: Timestamp| {
            let then = case.as_of(at, &settings).expect("received");
            let days = then.limits.due.map(|due| {
                let calendar = &settings.calendar;
                (calendar.days_left(due, at), calendar.days_over(due, at))
            });
            let clock = then.time_state(at) != TimeState::None && !then.state.is_paused();
            (then.state, then.time_state(at), days.filter(|_| clock))
        };
        for hour in hours {
            let now = begin().plus_secs(hour * 3600 + 1800);
            let last = changes.range(..=now).next_back().copied().expect("it came in");
            prop_assert_eq!(face(now), face(last), "at {}", now.rfc3339_utc());
        }
    }
}
