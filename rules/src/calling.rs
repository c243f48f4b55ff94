//! Who is next, and why. Pure functions over the tickets that wait.
//!
//! Every waiting ticket has a *standing*: its class (green, appointment, ordinary), raised by one
//! for each ageing step waited, and the instant from which its place counts. Lower rank first,
//! then the earlier instant, then the lower ticket id.
//!
//! * A green ticket ranks 1, an appointment whose time has come ranks 2, all others rank 3.
//! * An appointment before its time stands with the ordinary tickets, at its booked time: it is
//!   not called early while others wait, and not starved once it is due.
//! * A ticket that came back after a missed call waits until the ticket it was placed behind has
//!   been called; then it has its own standing again.
//! * The mix of the policy (a ratio, or a cap on consecutive calls with priority) lets an ordinary
//!   ticket through when a window owes one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::{ServiceId, TicketId, WindowId};
use crate::name::{Lang, Name};
use crate::policy::CallPolicy;
use crate::ticket::Ticket;
use crate::time::Timestamp;
use crate::window::Streak;

/// The classes of tickets, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Green = 1,
    Appointment = 2,
    Ordinary = 3,
}

/// What decides a ticket's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub class: Class,
    /// 1 (first) to 3.
    pub rank: u8,
    pub since: Timestamp,
    /// Its booked time has not come.
    pub early: bool,
}

/// Why a ticket was called, recorded with the call and told to the clerk in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Why {
    Green {
        rule_version: u32,
    },
    Appointment {
        number: String,
    },
    Aged {
        waited_secs: u64,
    },
    /// Ordinary, since the window had called its share with priority.
    OrdinaryTurn {
        after_priority: u32,
    },
    LongestWaiting {
        waited_secs: u64,
    },
    /// Nobody else could be called: an early appointment, or one just returned.
    NobodyElse,
    ChosenByClerk,
}

impl Why {
    /// The code in JSON.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Green { .. } => "green",
            Self::Appointment { .. } => "appointment",
            Self::Aged { .. } => "aged",
            Self::OrdinaryTurn { .. } => "ordinary_turn",
            Self::LongestWaiting { .. } => "longest_waiting",
            Self::NobodyElse => "nobody_else",
            Self::ChosenByClerk => "chosen_by_clerk",
        }
    }

    /// The reason in words.
    pub fn words(&self) -> Name {
        let minutes = |secs: &u64| secs / 60;
        match self {
            Self::Green { rule_version } => Name::new(
                format!("绿色通道（规则第{rule_version}版）"),
                format!("green channel (rule version {rule_version})"),
            ),
            Self::Appointment { number } => Name::new(
                format!("预约时间已到（{number}）"),
                format!("appointment due ({number})"),
            ),
            Self::Aged { waited_secs } => Name::new(
                format!("已等候{}分钟，按等候时间提前", minutes(waited_secs)),
                format!("moved up after waiting {} min", minutes(waited_secs)),
            ),
            Self::OrdinaryTurn { after_priority } => Name::new(
                format!("已连续优先{after_priority}位，轮到普通号"),
                format!("an ordinary turn after {after_priority} with priority"),
            ),
            Self::LongestWaiting { waited_secs } => Name::new(
                format!("等候最久（{}分钟）", minutes(waited_secs)),
                format!("waiting longest ({} min)", minutes(waited_secs)),
            ),
            Self::NobodyElse => Name::new("没有其他人等候", "nobody else is waiting"),
            Self::ChosenByClerk => Name::new("窗口指定呼叫", "chosen by the clerk"),
        }
    }

    /// The reason in words of one language.
    pub fn sentence(&self, lang: Lang) -> String {
        let words = self.words();
        match lang {
            Lang::Zh => words.zh,
            Lang::En => words.en,
        }
    }
}

/// The window that asks for its next ticket.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    pub window: &'a WindowId,
    pub services: &'a BTreeSet<ServiceId>,
    pub streak: Streak,
}

/// The ticket chosen for a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub ticket: TicketId,
    pub why: Why,
}

/// What decides a ticket's turn at `now`.
pub fn standing(ticket: &Ticket, policy: &CallPolicy, now: Timestamp) -> Standing {
    let waited = now.secs_since(ticket.queued_at);
    let (class, since, early) = match (&ticket.green, &ticket.appointment) {
        (Some(_), _) => (Class::Green, ticket.queued_at, false),
        (None, Some(booked)) => {
            let rule = &policy.appointment;
            let due = booked.from.minus_secs(rule.early_secs);
            let late = ticket.issued_at > booked.to.plus_secs(rule.late_grace_secs);
            if late {
                (Class::Ordinary, ticket.queued_at, false)
            } else if now >= due {
                (Class::Appointment, booked.from.min(ticket.queued_at), false)
            } else {
                (Class::Ordinary, due.max(ticket.queued_at), true)
            }
        }
        (None, None) => (Class::Ordinary, ticket.queued_at, false),
    };
    let raised = match policy.ageing_step_secs {
        Some(step) if !early => (waited / step).min(2) as u8,
        _ => 0,
    };
    Standing {
        class,
        rank: (class as u8).saturating_sub(raised).max(1),
        since,
        early,
    }
}

/// Rank, instant, id: lower is earlier.
type Key = (u8, Timestamp, TicketId);

impl Standing {
    fn key(&self, id: TicketId) -> Key {
        (self.rank, self.since, id)
    }

    /// Whether a call of it counts as a call with priority.
    pub fn has_priority(&self) -> bool {
        self.class < Class::Ordinary
    }
}

/// Waiting tickets in the order of their calls. One machine says who is next, who the next three
/// are and how the whole line stands, so that what is shown is what will be called.
struct Order<'a> {
    /// Who can be called now, ordinary and with priority.
    ready: [BTreeMap<Key, (&'a Ticket, Standing)>; 2],
    /// Early appointments, and those behind another who has not been called.
    rest: BTreeMap<Key, (&'a Ticket, Standing)>,
    streak: Streak,
    policy: &'a CallPolicy,
    now: Timestamp,
}

impl<'a> Order<'a> {
    fn of(
        tickets: impl Iterator<Item = &'a Ticket>,
        streak: Streak,
        policy: &'a CallPolicy,
        now: Timestamp,
    ) -> Self {
        let (mut ready, mut rest) = ([Vec::new(), Vec::new()], Vec::new());
        for ticket in tickets {
            let standing = standing(ticket, policy, now);
            let part = if standing.early || ticket.behind.is_some() {
                &mut rest
            } else {
                &mut ready[usize::from(standing.has_priority())]
            };
            part.push((standing.key(ticket.id), (ticket, standing)));
        }
        // Built from whole lists: they are nearly sorted, and a tree grown one by one costs several times as much.
        Self {
            ready: ready.map(BTreeMap::from_iter),
            rest: BTreeMap::from_iter(rest),
            streak,
            policy,
            now,
        }
    }

    fn join(&mut self, ticket: &'a Ticket, standing: Standing) {
        let class = &mut self.ready[usize::from(standing.has_priority())];
        class.insert(standing.key(ticket.id), (ticket, standing));
    }

    /// Those who stood behind a ticket that was called take their own place.
    fn release_those_behind(&mut self, called: TicketId) {
        let follows = |(ticket, standing): &(&Ticket, Standing)| {
            ticket.behind == Some(called) && !standing.early
        };
        let keys = self.rest.iter().filter(|(_, entry)| follows(entry));
        let keys: Vec<Key> = keys.map(|(key, _)| *key).collect();
        for key in keys {
            if let Some((ticket, standing)) = self.rest.remove(&key) {
                self.join(ticket, standing);
            }
        }
    }

    fn pick(&mut self) -> Option<(&'a Ticket, Standing, Why)> {
        let [ordinary, priority] = &mut self.ready;
        if self.streak.owes_ordinary(self.policy)
            && !priority.is_empty()
            && let Some((_, (ticket, standing))) = ordinary.pop_first()
        {
            let why = Why::OrdinaryTurn {
                after_priority: self.streak.priority,
            };
            return Some((ticket, standing, why));
        }
        let first = |class: &BTreeMap<Key, _>| class.keys().next().copied();
        let best = match (first(ordinary), first(priority)) {
            (Some(one), Some(other)) if one < other => ordinary,
            (Some(_), None) => ordinary,
            _ => priority,
        };
        if let Some((_, (ticket, standing))) = best.pop_first() {
            return Some((ticket, standing, reason(ticket, standing, self.now)));
        }
        // Only early appointments and tickets behind those are left: better served than kept.
        let (_, (ticket, standing)) = self.rest.pop_first()?;
        Some((ticket, standing, Why::NobodyElse))
    }
}

impl Iterator for Order<'_> {
    type Item = Choice;

    fn next(&mut self) -> Option<Choice> {
        let (ticket, standing, why) = self.pick()?;
        self.release_those_behind(ticket.id);
        self.streak = self.streak.after(standing.has_priority(), self.policy);
        Some(Choice {
            ticket: ticket.id,
            why,
        })
    }
}

/// The tickets a window would call one after the other, with the reasons, if nobody else called and
/// nobody else came.
pub fn choices<'a>(
    waiting: impl Iterator<Item = &'a Ticket>,
    caller: Caller<'_>,
    policy: &'a CallPolicy,
    now: Timestamp,
) -> impl Iterator<Item = Choice> {
    let callable = waiting.filter(|ticket| {
        may_call(ticket, caller) && ticket.not_before.is_none_or(|from| from <= now)
    });
    Order::of(callable, caller.streak, policy, now)
}

/// The next ticket for a window, or `None` when nobody waits for it.
pub fn choose<'a>(
    waiting: impl Iterator<Item = &'a Ticket>,
    caller: Caller<'_>,
    policy: &'a CallPolicy,
    now: Timestamp,
) -> Option<Choice> {
    choices(waiting, caller, policy, now).next()
}

/// Whether this window may call this ticket at all.
pub fn may_call(ticket: &Ticket, caller: Caller<'_>) -> bool {
    caller.services.contains(&ticket.service)
        && !ticket.excluded.contains(caller.window)
        && ticket
            .only_window
            .as_ref()
            .is_none_or(|only| only == caller.window)
}

fn reason(ticket: &Ticket, standing: Standing, now: Timestamp) -> Why {
    let waited_secs = now.secs_since(ticket.issued_at);
    match (&ticket.green, &ticket.appointment) {
        (Some(version), _) => Why::Green {
            rule_version: *version,
        },
        (None, Some(booked)) if standing.class == Class::Appointment => Why::Appointment {
            number: booked.number.clone(),
        },
        _ if standing.rank < standing.class as u8 => Why::Aged { waited_secs },
        _ => Why::LongestWaiting { waited_secs },
    }
}

/// The line of one service: all its waiting tickets in the order in which they would be called if
/// nobody else came. One that came back and is not called yet has the place it will have then.
pub fn line<'a>(
    waiting: impl Iterator<Item = &'a Ticket>,
    policy: &'a CallPolicy,
    now: Timestamp,
) -> Vec<TicketId> {
    Order::of(waiting, Streak::default(), policy, now)
        .map(|choice| choice.ticket)
        .collect()
}
