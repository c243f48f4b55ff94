//! Random days of a small hall: commands of every kind, good and bad, with a clock that jumps
//! forward, over midnight and back.
//!
//! The hall is small on purpose (series of five numbers, three windows): what happens seldom in a
//! large hall, such as a series that wraps onto a held number, happens here all the time.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{HallBuilder, hall, service, service_plan, step, tag, window, window_plan};
use crate::hall::{Command, Hall, IssueTicket, Notice, NoticeLevel, Recorded, Refusal};
use crate::ids::{ServiceId, TicketId, Token, WindowId};
use crate::number::NumberTemplate;
use crate::policy::{
    AppointmentRule, CallPolicy, DayEnd, GreenRule, Mix, PostponeRule, RequeueRule,
};
use crate::ticket::{BookedTime, Channel, Ticket, TicketState};
use crate::time::Timestamp;

/// Something asked of the hall some time after the step before. A ticket in the command is only a
/// hint which one is meant, since nobody can know the ids beforehand.
#[derive(Debug, Clone)]
pub struct Step {
    /// May be negative: clocks are set back.
    pub after_ms: i64,
    /// Asked at a window where it can be done, if there is one. Without such luck a random day
    /// would soon be one of closed windows and refusals.
    pub lucky: bool,
    pub command: Command,
}

/// A hall on a random day, and all that happened so far.
pub struct Live {
    pub hall: Hall,
    pub now: Timestamp,
    pub journal: Vec<Recorded>,
    steps: u32,
}

impl Live {
    /// The hall of the random days, registered, open, two of its three windows signed in.
    pub fn begin(policy: CallPolicy) -> Self {
        let closed = small_hall(policy).closed();
        let event = Hall::register(closed.config().clone()).expect("the set-up is sound");
        let mut live = Self {
            now: closed.last_at(),
            journal: vec![Recorded {
                seq: 1,
                at: closed.last_at(),
                by: "test".to_owned(),
                event,
            }],
            hall: closed,
            steps: 0,
        };
        let open = |id: &str| Command::OpenWindow {
            window: window(id),
            clerk: None,
        };
        for command in [Command::OpenHall, open("1"), open("2")] {
            let begun = live.play(&Step {
                after_ms: 0,
                lucky: false,
                command,
            });
            assert!(begun.is_ok(), "{begun:?}");
        }
        live
    }

    /// Plays one step; what happened is journalled.
    ///
    /// # Errors
    /// The refusal of the command.
    pub fn play(&mut self, next: &Step) -> Result<Vec<Recorded>, Refusal> {
        self.now = Timestamp::from_millis(self.now.millis() + next.after_ms);
        self.steps += 1;
        let mut command = self.resolve(next.command.clone());
        if next.lucky {
            command = self.where_it_can_be_done(command);
        }
        let due = self
            .hall
            .recorded(self.hall.elapse(self.now), self.now, "test");
        let result = step(&mut self.hall, &command, self.now);
        match &result {
            Ok(recorded) => self.journal.extend(recorded.iter().cloned()),
            Err(_) => self.journal.extend(due),
        }
        result
    }

    /// The command with the ticket that is meant: mostly one in the state the command is for,
    /// sometimes any, sometimes none.
    fn resolve(&self, command: Command) -> Command {
        let of = |hint: TicketId, fits: fn(&Ticket) -> bool| {
            let fitting = self.hall.tickets().filter(|t| fits(t)).map(|t| t.id);
            let mut pool: Vec<TicketId> = fitting.collect();
            if pool.is_empty() || hint.0.is_multiple_of(8) {
                pool = self
                    .hall
                    .tickets()
                    .map(|t| t.id)
                    .chain([TicketId(0)])
                    .collect();
            }
            pool[hint.0 as usize % pool.len()]
        };
        let waits = |t: &Ticket| t.state == TicketState::Waiting;
        match command {
            Command::IssueTicket(wish) => Command::IssueTicket(self.completed(wish)),
            Command::PostNotice { mut notice } => {
                notice.until = notice.until.map(|until| self.counted_from_now(until));
                Command::PostNotice { notice }
            }
            Command::CancelTicket { ticket } => Command::CancelTicket {
                ticket: of(ticket, waits),
            },
            Command::CallTicket { window, ticket } => Command::CallTicket {
                window,
                ticket: of(ticket, waits),
            },
            Command::RequeueTicket { ticket } => Command::RequeueTicket {
                ticket: of(ticket, |t| t.state == TicketState::Missed),
            },
            Command::PostponeTicket { ticket, places } => Command::PostponeTicket {
                ticket: of(ticket, waits),
                places,
            },
            Command::RateTicket {
                ticket,
                stars,
                text,
            } => Command::RateTicket {
                ticket: of(ticket, |t| t.state == TicketState::Completed),
                stars,
                text,
            },
            Command::ResumeTicket { window, ticket } => Command::ResumeTicket {
                window,
                ticket: of(ticket, |t| matches!(t.state, TicketState::Held { .. })),
            },
            other => other,
        }
    }

    fn where_it_can_be_done(&self, command: Command) -> Command {
        if self.hall.decide(&command, self.now).is_ok() {
            return command;
        }
        let mut elsewhere = self.hall.windows().map(|other| {
            let mut command = command.clone();
            if let Some(window) = asked_at(&mut command) {
                *window = other.id.clone();
            }
            command
        });
        elsewhere
            .find(|command| self.hall.decide(command, self.now).is_ok())
            .unwrap_or(command)
    }

    /// The wish with a token of its own, and its appointment counted from the present.
    fn completed(&self, mut wish: IssueTicket) -> IssueTicket {
        wish.token = Token(format!("{:032x}", self.steps));
        if let Some(booked) = &mut wish.appointment {
            booked.from = self.counted_from_now(booked.from);
            booked.to = self.counted_from_now(booked.to);
        }
        wish
    }

    /// An instant that counts from the step's own present.
    fn counted_from_now(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_millis(self.now.millis() + at.millis())
    }
}

/// The window at which a command is asked, for those of clerks.
fn asked_at(command: &mut Command) -> Option<&mut WindowId> {
    match command {
        Command::CallNext { window }
        | Command::CallTicket { window, .. }
        | Command::Recall { window }
        | Command::BeginService { window }
        | Command::FinishService { window }
        | Command::MarkNoShow { window }
        | Command::PlaceOnHold { window }
        | Command::ResumeTicket { window, .. }
        | Command::Transfer { window, .. }
        | Command::OpenWindow { window, .. }
        | Command::ResumeWindow { window }
        | Command::RegainWindow { window } => Some(window),
        _ => None,
    }
}

const SERVICES: [&str; 3] = ["social", "fee", "tax"];
const WINDOWS: [&str; 4] = ["1", "2", "3", "4"];

/// Two services share the short series A, one has the shorter series F.
fn small_hall(policy: CallPolicy) -> HallBuilder {
    let short = |last: u32| move |s: &mut crate::hall::Service| s.template.last = last;
    hall()
        .service_with("social", "A", short(5))
        .service_with("tax", "A", short(5))
        .service_with("fee", "F", |s| {
            s.template.last = 3;
            s.contingent = Some(6);
        })
        .window("1", &["social", "tax"])
        .window("2", &["social", "fee"])
        .window("3", &["fee"])
        .policy(|p| *p = policy)
}

/// A random policy, sound in itself.
pub fn policies() -> impl Strategy<Value = CallPolicy> {
    let mix = prop_oneof![
        Just(Mix::Strict),
        (1..4_u32, 1..3_u32).prop_map(|(priority, ordinary)| Mix::Ratio { priority, ordinary }),
    ];
    let calls = (
        1..3_u32,
        prop::option::of(0..3_u32),
        select(vec![0, 0, 20_u64]),
        prop::option::of(1..3_u32),
        prop::option::of(select(vec![60, 600, 3600_u64])),
    );
    let requeue = (0..3_u32, 0..4_u32, select(vec![0, 0, 120_u64]));
    let postpone = (0..4_u32, 0..3_u32);
    (
        mix,
        calls,
        (requeue, postpone),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(
                mix,
                (no_show, more, interval, cap, ageing),
                (requeue, postpone),
                keeps,
                carries,
                green,
            )| {
                CallPolicy {
                    version: 1,
                    mix,
                    max_consecutive_priority: cap,
                    ageing_step_secs: ageing,
                    green: GreenRule {
                        version: 1,
                        tags: green.then(|| tag("elderly")).into_iter().collect(),
                    },
                    appointment: AppointmentRule::default(),
                    calls_max: more.map(|more| no_show + more),
                    recall_interval_secs: interval,
                    no_show_after_calls: no_show,
                    requeue: RequeueRule {
                        times: requeue.0,
                        after: requeue.1,
                        cool_down_secs: requeue.2,
                    },
                    postpone: PostponeRule {
                        places_max: postpone.0,
                        times_max: postpone.1,
                    },
                    transfer_keeps_issue_time: keeps,
                    day_end: if carries {
                        DayEnd::CarryOver
                    } else {
                        DayEnd::Expire
                    },
                }
            },
        )
}

/// Up to `steps` random steps.
pub fn histories(steps: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (pauses(), prop::bool::weighted(0.7), commands());
    let step = step.prop_map(|(after_ms, lucky, command)| Step {
        after_ms,
        lucky,
        command,
    });
    vec(step, steps / 2..=steps)
}

fn pauses() -> impl Strategy<Value = i64> {
    const HOUR: i64 = 3_600_000;
    prop_oneof![
        60 => 0..180_000_i64,
        4 => 0..HOUR,
        1 => (6 * HOUR)..(20 * HOUR),
        1 => (20 * HOUR)..(60 * HOUR),
        2 => -HOUR..0,
        1 => (-30 * HOUR)..0,
    ]
}

fn windows() -> impl Strategy<Value = WindowId> {
    prop_oneof![
        30 => select(WINDOWS[..3].to_vec()),
        1 => Just(WINDOWS[3]),
    ]
    .prop_map(window)
}

fn services() -> impl Strategy<Value = ServiceId> {
    prop_oneof![
        30 => select(SERVICES.to_vec()),
        1 => Just("nowhere"),
    ]
    .prop_map(service)
}

fn hints() -> impl Strategy<Value = TicketId> {
    (0..64_u64).prop_map(TicketId)
}

fn wishes() -> impl Strategy<Value = IssueTicket> {
    // Instants here count from the step's own present.
    let booked = (0..6_u8, -90..120_i64, 0..60_i64).prop_map(|(number, from, long)| BookedTime {
        number: format!("AP{number}"),
        from: Timestamp::from_millis(from * 60_000),
        to: Timestamp::from_millis((from + long) * 60_000),
        booked_at: None,
    });
    let channel = select(vec![
        Channel::Kiosk,
        Channel::Phone,
        Channel::Scan,
        Channel::Staff,
    ]);
    (
        services(),
        channel,
        prop::bool::weighted(0.2),
        prop::option::weighted(0.2, booked),
        prop::option::weighted(0.1, windows()),
    )
        .prop_map(
            |(service, channel, elderly, appointment, excluded)| IssueTicket {
                service,
                token: Token(String::new()),
                channel,
                holder: None,
                tags: elderly.then(|| tag("elderly")).into_iter().collect(),
                appointment,
                excluded: excluded.into_iter().collect(),
            },
        )
}

/// Any command, the everyday ones more often.
pub fn commands() -> impl Strategy<Value = Command> {
    prop_oneof![
        20 => wishes().prop_map(Command::IssueTicket),
        50 => at_windows(),
        10 => of_tickets(),
        8 => of_windows(),
        3 => of_the_hall(),
        2 => of_the_set_up(),
    ]
}

fn at_windows() -> impl Strategy<Value = Command> {
    prop_oneof![
        12 => windows().prop_map(|window| Command::CallNext { window }),
        2 => (windows(), hints()).prop_map(|(window, ticket)| Command::CallTicket { window, ticket }),
        5 => windows().prop_map(|window| Command::Recall { window }),
        8 => windows().prop_map(|window| Command::BeginService { window }),
        7 => windows().prop_map(|window| Command::FinishService { window }),
        4 => windows().prop_map(|window| Command::MarkNoShow { window }),
        3 => windows().prop_map(|window| Command::PlaceOnHold { window }),
        3 => (windows(), hints()).prop_map(|(window, ticket)| Command::ResumeTicket { window, ticket }),
        4 => (windows(), services(), prop::option::of(windows())).prop_map(
            |(window, service, to_window)| Command::Transfer { window, service, to_window }
        ),
    ]
}

fn of_tickets() -> impl Strategy<Value = Command> {
    prop_oneof![
        2 => hints().prop_map(|ticket| Command::CancelTicket { ticket }),
        5 => hints().prop_map(|ticket| Command::RequeueTicket { ticket }),
        4 => (hints(), 0..5_u32)
            .prop_map(|(ticket, places)| Command::PostponeTicket { ticket, places }),
        3 => (hints(), 0..7_u8)
            .prop_map(|(ticket, stars)| Command::RateTicket { ticket, stars, text: None }),
    ]
}

fn of_windows() -> impl Strategy<Value = Command> {
    prop_oneof![
        5 => windows().prop_map(|window| Command::OpenWindow { window, clerk: None }),
        1 => windows().prop_map(|window| Command::PauseWindow { window, reason: None }),
        3 => windows().prop_map(|window| Command::ResumeWindow { window }),
        1 => windows().prop_map(|window| Command::CloseWindow { window }),
        2 => windows().prop_map(|window| Command::LoseWindow { window }),
        4 => windows().prop_map(|window| Command::RegainWindow { window }),
    ]
}

fn of_the_hall() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => Just(Command::OpenHall),
        1 => Just(Command::CloseHall),
        1 => Just(Command::PauseIssuing),
        3 => Just(Command::ResumeIssuing),
        1 => Just(Command::EndDay),
        1 => notices(),
        1 => Just(Command::ClearNotice),
    ]
}

/// Some with an end, so that it falls due on the way.
fn notices() -> impl Strategy<Value = Command> {
    prop::option::of(1..7200_i64).prop_map(|secs| Command::PostNotice {
        notice: Notice {
            level: NoticeLevel::Notice,
            text: crate::name::Name::same("Notice"),
            until: secs.map(|secs| Timestamp::from_millis(secs * 1000)),
        },
    })
}

fn of_the_set_up() -> impl Strategy<Value = Command> {
    let plan = (services(), 1..4_u32, 0..3_u32, select(vec!["A", "F", "X"])).prop_map(
        |(service, first, more, prefix)| {
            let template = NumberTemplate {
                last: first + more,
                first,
                ..NumberTemplate::new(prefix, 3)
            };
            let plan = crate::hall::Service {
                template,
                ..service_plan("plan", prefix)
            };
            Command::ConfigureService { service, plan }
        },
    );
    let window_plans = (
        windows(),
        proptest::sample::subsequence(SERVICES.to_vec(), 0..=3),
    )
        .prop_map(|(window, services)| Command::ConfigureWindow {
            window,
            plan: window_plan("plan", &services),
        });
    let removed = prop_oneof![services(), Just(service("nowhere"))];
    prop_oneof![
        policies().prop_map(|policy| Command::SetPolicy { policy }),
        plan,
        Just(Command::ConfigureService {
            service: service("nowhere"),
            plan: service_plan("nowhere", "N"),
        }),
        window_plans,
        removed.prop_map(|service| Command::RemoveService { service }),
        windows().prop_map(|window| Command::RemoveWindow { window }),
        Just(Command::ChangeHall {
            name: Some(crate::name::Name::same("Hall")),
            options: None
        }),
    ]
}
