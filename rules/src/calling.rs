//! Who is next, and why. Pure functions over the tickets that wait.
//!
//! Every waiting ticket has a *standing*: its class (green, appointment, ordinary), raised by one
//! for each ageing step waited, and the instant from which its place counts. Lower rank first,
//! then the earlier instant, then the lower ticket id.
//!
//! * A green ticket ranks 1, an appointment whose time has come ranks 2, all others rank 3.
//! * An appointment before its time stands with the ordinary tickets, at its booked time: it is
//!   not called early while others wait, and not starved once it is due.
//! * A ticket that came back after a missed call stands behind the ticket it was placed behind.
//! * The mix of the policy (a ratio, or a cap on consecutive calls with priority) lets an ordinary
//!   ticket through when a window owes one.

use std::collections::BTreeSet;

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

impl Standing {
    fn key(&self, id: TicketId) -> (u8, Timestamp, TicketId) {
        (self.rank, self.since, id)
    }

    /// Whether a call of it counts as a call with priority.
    pub fn has_priority(&self) -> bool {
        self.class < Class::Ordinary
    }
}

/// The next ticket for a window, or `None` when nobody waits for it.
pub fn choose<'a>(
    waiting: impl Iterator<Item = &'a Ticket>,
    caller: Caller<'_>,
    policy: &CallPolicy,
    now: Timestamp,
) -> Option<Choice> {
    let eligible: Vec<(&Ticket, Standing)> = waiting
        .filter(|ticket| may_call(ticket, caller))
        .map(|ticket| (ticket, standing(ticket, policy, now)))
        .collect();
    let ready = |(ticket, standing): &&(&Ticket, Standing)| {
        !standing.early
            && ticket.behind.is_none()
            && ticket.not_before.is_none_or(|from| from <= now)
    };
    let best = |pool: &mut dyn Iterator<Item = &(&'a Ticket, Standing)>| {
        pool.min_by_key(|(ticket, standing)| standing.key(ticket.id))
            .copied()
    };
    if caller.streak.owes_ordinary(policy) {
        let ordinary = best(
            &mut eligible
                .iter()
                .filter(ready)
                .filter(|(_, s)| !s.has_priority()),
        );
        let priority_waits = eligible.iter().filter(ready).any(|(_, s)| s.has_priority());
        if let Some((ticket, _)) = ordinary.filter(|_| priority_waits) {
            let why = Why::OrdinaryTurn {
                after_priority: caller.streak.priority,
            };
            return Some(Choice {
                ticket: ticket.id,
                why,
            });
        }
    }
    if let Some((ticket, standing)) = best(&mut eligible.iter().filter(ready)) {
        return Some(Choice {
            ticket: ticket.id,
            why: reason(ticket, standing, now),
        });
    }
    // Only early appointments and tickets that came back are left: better served than kept.
    best(
        &mut eligible
            .iter()
            .filter(|(t, _)| t.not_before.is_none_or(|from| from <= now)),
    )
    .map(|(ticket, _)| Choice {
        ticket: ticket.id,
        why: Why::NobodyElse,
    })
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
/// nobody else came. Those that came back stand behind the ticket they were placed behind.
pub fn line<'a>(
    waiting: impl Iterator<Item = &'a Ticket>,
    policy: &CallPolicy,
    now: Timestamp,
) -> Vec<TicketId> {
    let mut placed: Vec<(&Ticket, Standing)> = Vec::new();
    let mut returned: Vec<(&Ticket, TicketId)> = Vec::new();
    for ticket in waiting {
        match ticket.behind {
            Some(other) => returned.push((ticket, other)),
            None => placed.push((ticket, standing(ticket, policy, now))),
        }
    }
    placed.sort_by_key(|(ticket, standing)| standing.key(ticket.id));
    let mut order = mixed(&placed, policy);
    returned.sort_by_key(|(ticket, _)| (ticket.queued_at, ticket.id));
    for (ticket, other) in returned {
        let place = order
            .iter()
            .position(|id| *id == other)
            .map_or(0, |i| i + 1);
        order.insert(place, ticket.id);
    }
    order
}

/// Interleaves tickets with priority and ordinary ones as the mix would call them.
fn mixed(sorted: &[(&Ticket, Standing)], policy: &CallPolicy) -> Vec<TicketId> {
    let mut rest: std::collections::VecDeque<_> = sorted.iter().collect();
    let mut streak = Streak::default();
    let mut order = Vec::with_capacity(sorted.len());
    while let Some((_, front)) = rest.front() {
        let owed = streak.owes_ordinary(policy) && front.has_priority();
        let pick = if owed {
            rest.iter()
                .position(|(_, s)| !s.has_priority())
                .unwrap_or(0)
        } else {
            0
        };
        if let Some((ticket, standing)) = rest.remove(pick) {
            streak = streak.after(standing.has_priority(), policy);
            order.push(ticket.id);
        }
    }
    order
}
