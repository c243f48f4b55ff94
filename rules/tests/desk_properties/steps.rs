//! What may happen to a desk: random rules, facts, people, receivers, crashes and time.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use rules::alerts::rule::{
    Audience, Escalation, FlapLimits, GroupBy, OnMissing, Rule, Severity, Topic,
};
use rules::alerts::subject::SubjectKind;
use rules::name::Name;

/// One thing that happens. Numbers choose among what there is at that moment.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A source says something else of these subjects, and a pass looks at all of them.
    Sample {
        changes: Vec<Change>,
        silent: Option<u8>,
    },
    Wait {
        millis: u64,
        late: bool,
    },
    Handle {
        alert: u8,
        how: Handling,
    },
    Silence {
        of: u8,
        from_secs: u64,
        secs: u64,
    },
    EndSilence {
        which: u8,
    },
    OrderFrom {
        alert: u8,
        assigned: bool,
    },
    Order {
        order: u8,
        how: u8,
    },
    Problem {
        problem: u8,
        how: u8,
    },
    /// A rule is switched off, on, off and on, or gets another version.
    Rule {
        which: u8,
        how: u8,
    },
    Receiver {
        which: u8,
        enabled: bool,
    },
    /// The sender takes what is due; each attempt ends in one of these ways.
    Send {
        fates: Vec<Fate>,
    },
    Resend {
        which: u8,
    },
    Try {
        receiver: u8,
    },
    /// The process ends and begins again, from its snapshot or from the whole journal.
    Restart {
        snapshot: bool,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) subject: u8,
    /// It is no more, until it is named again.
    pub(crate) gone: bool,
    /// Picks a value for each variable of its kind; the others stay.
    pub(crate) values: Vec<(u8, u8)>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Handling {
    Acknowledge { for_secs: Option<u64>, sticky: bool },
    Assign,
    Start,
    Resolve,
    Close,
    Comment,
    Shelve { secs: u64 },
    Unshelve,
    Urge,
}

/// What becomes of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrives,
    /// It arrives and the confirmation is lost.
    ArrivesUnheard,
    BreaksOff,
    Fails,
    Refused,
    /// The sender ends before it hears anything; whether it arrived nobody knows.
    Crash {
        arrived: bool,
    },
}

fn change() -> impl Strategy<Value = Change> {
    let values = prop::collection::vec((any::<u8>(), any::<u8>()), 1..6);
    (any::<u8>(), prop::bool::weighted(0.08), values).prop_map(|(subject, gone, values)| Change {
        subject,
        gone,
        values,
    })
}

fn handling() -> impl Strategy<Value = Handling> {
    let end = prop::option::of(select(&[30_u64, 400, 5_000][..]));
    prop_oneof![
        4 => (end, any::<bool>())
            .prop_map(|(for_secs, sticky)| Handling::Acknowledge { for_secs, sticky }),
        1 => Just(Handling::Assign),
        2 => Just(Handling::Start),
        3 => Just(Handling::Resolve),
        1 => Just(Handling::Close),
        1 => Just(Handling::Comment),
        2 => select(&[10_u64, 700, 90_000][..]).prop_map(|secs| Handling::Shelve { secs }),
        1 => Just(Handling::Unshelve),
        1 => Just(Handling::Urge),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Arrives),
        1 => Just(Fate::ArrivesUnheard),
        1 => Just(Fate::BreaksOff),
        2 => Just(Fate::Fails),
        1 => Just(Fate::Refused),
        1 => any::<bool>().prop_map(|arrived| Fate::Crash { arrived }),
    ]
}

/// Pauses around every limit of the desk: a group's wait and interval, an attempt's end, shelves,
/// escalations, a day.
const PAUSES_MS: [u64; 13] = [
    0, 1, 500, 1_999, 2_000, 5_000, 30_000, 61_000, 121_000, 301_000, 1_200_000, 7_300_000,
    95_000_000,
];

fn step() -> impl Strategy<Value = Step> {
    let sample = (
        prop::collection::vec(change(), 0..5),
        prop::option::weighted(0.1, any::<u8>()),
    );
    prop_oneof![
        12 => sample.prop_map(|(changes, silent)| Step::Sample { changes, silent }),
        8 => (select(&PAUSES_MS[..]), any::<bool>())
            .prop_map(|(millis, late)| Step::Wait { millis, late }),
        8 => (any::<u8>(), handling()).prop_map(|(alert, how)| Step::Handle { alert, how }),
        3 => (any::<u8>(), select(&[0_u64, 3, 90][..]), select(&[4_u64, 200, 4_000][..]))
            .prop_map(|(of, from_secs, secs)| Step::Silence { of, from_secs, secs }),
        1 => any::<u8>().prop_map(|which| Step::EndSilence { which }),
        4 => (any::<u8>(), any::<bool>())
            .prop_map(|(alert, assigned)| Step::OrderFrom { alert, assigned }),
        8 => (any::<u8>(), any::<u8>()).prop_map(|(order, how)| Step::Order { order, how }),
        5 => (any::<u8>(), any::<u8>()).prop_map(|(problem, how)| Step::Problem { problem, how }),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(which, how)| Step::Rule { which, how }),
        1 => (any::<u8>(), any::<bool>())
            .prop_map(|(which, enabled)| Step::Receiver { which, enabled }),
        5 => prop::collection::vec(fate(), 1..8).prop_map(|fates| Step::Send { fates }),
        1 => any::<u8>().prop_map(|which| Step::Resend { which }),
        1 => any::<u8>().prop_map(|receiver| Step::Try { receiver }),
        2 => any::<bool>().prop_map(|snapshot| Step::Restart { snapshot }),
    ]
}

pub(crate) fn history(steps: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..steps)
}

fn audience() -> impl Strategy<Value = Vec<Audience>> {
    let all = vec![
        Audience::Handler,
        Audience::Role("supervisor".to_owned()),
        Audience::Role("leader".to_owned()),
        Audience::Receiver("duty".to_owned()),
    ];
    subsequence(all, 1..=3)
}

fn severity() -> impl Strategy<Value = Severity> {
    select(&[Severity::Notice, Severity::Warning, Severity::Critical][..])
}

fn escalation() -> impl Strategy<Value = Escalation> {
    (
        select(&[1_u64, 60, 301, 900][..]),
        any::<bool>(),
        audience(),
        prop::option::of(severity()),
    )
        .prop_map(
            |(after_secs, while_unacknowledged, to, severity)| Escalation {
                after_secs,
                while_unacknowledged,
                to,
                severity,
            },
        )
}

/// Ids of the random rules; each may take the place of, and keep quiet, those after it.
pub(crate) const RULES: [&str; 4] = ["X0", "X1", "X2", "X3"];

fn rule(no: usize) -> impl Strategy<Value = Rule> {
    let later: Vec<String> = RULES[no + 1..].iter().map(|id| (*id).to_owned()).collect();
    let others = later.len();
    let grouping = vec![
        GroupBy::Rule,
        GroupBy::Topic,
        GroupBy::Hall,
        GroupBy::Subject,
    ];
    let look = (
        select(&["waiting > 20", "waiting > 20 || called_today > 30"][..]),
        prop::option::of(Just("waiting < 10".to_owned())),
        select(&[0_u64, 0, 2, 60][..]),
        select(&[0_u64, 0, 5, 400][..]),
        select(&[OnMissing::Keep, OnMissing::Fire, OnMissing::Clear][..]),
        severity(),
        prop::option::weighted(
            0.2,
            Just(FlapLimits {
                low_percent: 5.0,
                high_percent: 20.0,
            }),
        ),
    );
    let tell = (
        audience(),
        prop::collection::vec(escalation(), 0..3),
        subsequence(grouping, 0..=2),
        subsequence(later.clone(), 0..=others.min(1)),
        subsequence(later, 0..=others.min(1)),
        select(&[0_u64, 0, 20_000][..]),
        select(&[1_u32, 2, 1000][..]),
        prop::option::weighted(0.3, Just("odd".to_owned())),
    );
    (look, tell).prop_map(move |(look, tell)| {
        let (when, clear_when, for_secs, keep_firing_for_secs, on_missing, severity, flap) = look;
        let (notify, escalate, group_by, supersedes, inhibits, repeat_secs, limit, problem) = tell;
        Rule {
            id: RULES[no].to_owned(),
            name: Name::same(RULES[no]),
            topic: Topic::Flow,
            subject: SubjectKind::Queue,
            when: when.to_owned(),
            clear_when,
            for_secs,
            keep_firing_for_secs,
            on_missing,
            severity,
            active: None,
            parameters: BTreeMap::new(),
            per_hall: BTreeMap::new(),
            message: Name::same("{label}: {waiting}"),
            flap,
            notify,
            escalate,
            group_by,
            supersedes,
            inhibits,
            repeat_secs,
            limit,
            problem,
            remedies: Vec::new(),
        }
    })
}

pub(crate) fn rulebook() -> impl Strategy<Value = Vec<Rule>> {
    (rule(0), rule(1), rule(2), rule(3)).prop_map(|(a, b, c, d)| vec![a, b, c, d])
}
