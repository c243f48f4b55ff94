//! The rows of a batch, as both dialects take them: each kind as one JSON array, so that a
//! transaction has few statements however many appends it carries.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use actors::ports::{Append, PortError, Rejected};
use rules::identity::{HolderClass, IdentityKind};
use rules::ids::HallId;
use rules::machine::{Item, Recorded};
use rules::ticket::{Channel, Ticket, TicketState};
use rules::time::Timestamp;
use serde::Serialize;

use crate::store::batch::Used;

#[derive(Serialize)]
pub(super) struct KeyQuestion<'a> {
    stream: &'a str,
    key: &'a str,
}

#[derive(Serialize)]
pub(super) struct EventRow<'a> {
    pub(super) stream: &'a str,
    pub(super) seq: u64,
    pub(super) at: i64,
    pub(super) kind: &'static str,
    pub(super) by: &'a str,
    pub(super) body: &'a str,
}

#[derive(Serialize)]
pub(super) struct KeyRow<'a> {
    pub(super) stream: &'a str,
    pub(super) key: &'a str,
    pub(super) fingerprint: &'a str,
    pub(super) first_seq: u64,
    pub(super) count: u64,
    pub(super) at: i64,
}

#[derive(Serialize)]
pub(super) struct ItemRow<'a> {
    kind: &'static str,
    id: &'a str,
    state: &'a str,
    hall: Option<&'a str>,
    department: Option<Cow<'a, str>>,
    person: Option<Cow<'a, str>>,
    about: Option<Cow<'a, str>>,
    topic: Option<&'a str>,
    subject: Option<Cow<'a, str>>,
    rank: u8,
    opened_at: i64,
    due_at: Option<i64>,
    ended_at: Option<i64>,
    body: &'a str,
}

impl<'a> ItemRow<'a> {
    fn of(item: &'a Item) -> Self {
        let millis = |at: Option<Timestamp>| at.map(Timestamp::millis);
        Self {
            kind: item.kind.name(),
            id: &item.id,
            state: &item.state,
            hall: item.hall.as_ref().map(HallId::as_str),
            department: plain(item.department.as_deref()),
            person: plain(item.person.as_deref()),
            about: plain(item.about.as_deref()),
            topic: item.topic.as_deref(),
            subject: plain(item.subject.as_deref()),
            rank: item.rank,
            opened_at: item.opened_at.millis(),
            due_at: millis(item.due_at),
            ended_at: millis(item.ended_at),
            body: &item.body,
        }
    }
}

#[derive(Serialize)]
pub(super) struct TicketRow<'a> {
    pub(super) hall: &'a str,
    pub(super) id: u64,
    pub(super) day: String,
    pub(super) issued_day: String,
    pub(super) number: &'a str,
    pub(super) round: u32,
    pub(super) service: &'a str,
    pub(super) state: &'static str,
    pub(super) window: Option<&'a str>,
    pub(super) clerk: Option<&'a str>,
    pub(super) channel: Channel,
    pub(super) class: Option<HolderClass>,
    pub(super) green: Option<u32>,
    pub(super) tags: String,
    pub(super) holder_kind: Option<IdentityKind>,
    pub(super) name_masked: Option<Cow<'a, str>>,
    pub(super) id_masked: Option<Cow<'a, str>>,
    pub(super) phone_masked: Option<Cow<'a, str>>,
    pub(super) person: Option<Cow<'a, str>>,
    pub(super) appointment: Option<Cow<'a, str>>,
    pub(super) issued_at: i64,
    pub(super) first_called_at: Option<i64>,
    pub(super) started_at: Option<i64>,
    pub(super) ended_at: Option<i64>,
    pub(super) calls: u32,
    pub(super) requeues: u32,
    pub(super) wait_secs: Option<u64>,
    pub(super) service_secs: Option<u64>,
    pub(super) stars: Option<u8>,
    pub(super) rated_at: Option<i64>,
    pub(super) body: String,
}

/// A batch of one event, the ticket that it concerns, and its key if it has one.
pub(super) struct Lone<'a> {
    pub(super) event: &'a EventRow<'a>,
    pub(super) key: Option<&'a KeyRow<'a>>,
    pub(super) ticket: &'a TicketRow<'a>,
}

/// The keys to look up; empty when the batch has none.
pub(super) fn key_questions(batch: &[Append]) -> Vec<KeyQuestion<'_>> {
    batch
        .iter()
        .filter_map(|append| {
            let key = append.key.as_ref()?;
            Some(KeyQuestion {
                stream: append.stream.as_str(),
                key: &key.key,
            })
        })
        .collect()
}

/// What is written for the appends that passed.
pub(super) struct Rows<'a> {
    pub(super) events: Vec<EventRow<'a>>,
    pub(super) keys: Vec<KeyRow<'a>>,
    /// One row per ticket. Those at no window come first: a window is left before it is entered,
    /// else the index that allows one ticket per window would refuse the hand-over.
    pub(super) tickets: Vec<TicketRow<'a>>,
    /// Tickets may change windows crosswise; see [`Rows::may_cross`].
    pub(super) may_cross: bool,
    pub(super) items: Vec<ItemRow<'a>>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(
        batch: &'a [Append],
        results: &[Result<(), Rejected>],
    ) -> Result<Self, PortError> {
        let passed = || {
            let both = batch.iter().zip(results);
            both.filter_map(|(append, result)| result.is_ok().then_some(append))
        };
        let tickets = ticket_rows(passed())?;
        Ok(Self {
            events: passed().flat_map(event_rows).collect(),
            keys: passed().filter_map(key_row).collect(),
            may_cross: Self::may_cross(&tickets),
            tickets,
            items: item_rows(passed()),
        })
    }

    /// The rows of most commands that come alone.
    pub(super) fn lone(&self) -> Option<Lone<'_>> {
        match (&*self.events, &*self.tickets, &*self.items) {
            ([event], [ticket], []) => Some(Lone {
                event,
                key: self.keys.first(),
                ticket,
            }),
            _ => None,
        }
    }

    /// Whether a hall has two tickets at windows among the rows. Then one may enter a window that
    /// the other leaves for a third, in an order that no sorting makes safe.
    fn may_cross(tickets: &[TicketRow<'_>]) -> bool {
        let mut at_windows = tickets.iter().filter(|row| occupies(row.state));
        let mut halls = BTreeSet::new();
        at_windows.any(|row| !halls.insert(row.hall))
    }
}

fn occupies(state: &str) -> bool {
    matches!(state, "called" | "serving")
}

fn event_rows(append: &Append) -> impl Iterator<Item = EventRow<'_>> {
    append.events.iter().map(|entry| EventRow {
        stream: append.stream.as_str(),
        seq: entry.seq,
        at: entry.at.millis(),
        kind: entry.kind,
        by: &entry.by,
        body: &entry.body,
    })
}

/// Of several versions of an item the last is written.
fn item_rows<'a>(passed: impl Iterator<Item = &'a Append>) -> Vec<ItemRow<'a>> {
    let mut newest = BTreeMap::new();
    for item in passed.flat_map(|append| &append.items) {
        newest.insert((item.kind, item.id.as_str()), item);
    }
    newest.into_values().map(ItemRow::of).collect()
}

fn key_row(append: &Append) -> Option<KeyRow<'_>> {
    let (key, first) = (append.key.as_ref()?, append.events.first()?);
    Some(KeyRow {
        stream: append.stream.as_str(),
        key: &key.key,
        fingerprint: &key.fingerprint,
        first_seq: first.seq,
        count: append.events.len() as u64,
        at: first.at.millis(),
    })
}

/// Of several versions of a ticket the last is written, with the first one's day of issue.
fn ticket_rows<'a>(
    passed: impl Iterator<Item = &'a Append>,
) -> Result<Vec<TicketRow<'a>>, PortError> {
    let mut newest: BTreeMap<(&str, u64), (&Ticket, &Ticket)> = BTreeMap::new();
    for append in passed {
        for ticket in &append.tickets {
            newest
                .entry((append.stream.as_str(), ticket.id.0))
                .and_modify(|(_, last)| *last = ticket)
                .or_insert((ticket, ticket));
        }
    }
    let mut rows = newest
        .into_iter()
        .map(|((hall, _), (first, last))| ticket_row(hall, first, last))
        .collect::<Result<Vec<_>, _>>()?;
    rows.sort_by_key(|row| occupies(row.state));
    Ok(rows)
}

fn ticket_row<'a>(
    hall: &'a str,
    first: &Ticket,
    ticket: &'a Ticket,
) -> Result<TicketRow<'a>, PortError> {
    let holder = ticket.holder.as_ref();
    let millis = |at: Option<Timestamp>| at.map(Timestamp::millis);
    Ok(TicketRow {
        hall,
        id: ticket.id.0,
        day: ticket.day.to_string(),
        issued_day: first.day.to_string(),
        number: &ticket.number,
        round: ticket.round,
        service: ticket.service.as_str(),
        state: ticket.state.name(),
        window: window_of(ticket),
        clerk: ticket.clerk.as_ref().map(|clerk| clerk.as_str()),
        channel: ticket.channel,
        class: holder.map(|holder| holder.class),
        green: ticket.green,
        tags: json(&ticket.tags)?,
        holder_kind: holder.map(|holder| holder.kind),
        name_masked: holder.and_then(|holder| plain(holder.name_masked.as_deref())),
        id_masked: holder.and_then(|holder| plain(holder.id_masked.as_deref())),
        phone_masked: holder.and_then(|holder| plain(holder.phone_masked.as_deref())),
        person: holder.and_then(|holder| plain(holder.person.as_deref())),
        appointment: plain(ticket.appointment.as_ref().map(|at| at.number.as_str())),
        issued_at: ticket.issued_at.millis(),
        first_called_at: millis(ticket.first_called_at),
        started_at: millis(ticket.started_at),
        ended_at: millis(ticket.ended_at),
        calls: ticket.calls,
        requeues: ticket.requeues,
        wait_secs: ticket.wait_secs(),
        service_secs: ticket.service_secs(),
        stars: ticket.rating.as_ref().map(|rating| rating.stars),
        rated_at: ticket.rating.as_ref().map(|rating| rating.at.millis()),
        body: json(ticket)?,
    })
}

/// The window where it stands, else the last that dealt with it.
fn window_of(ticket: &Ticket) -> Option<&str> {
    let window = match &ticket.state {
        TicketState::Called { window }
        | TicketState::Serving { window }
        | TicketState::Held { window } => Some(window),
        TicketState::Waiting
        | TicketState::Completed
        | TicketState::Missed
        | TicketState::Cancelled
        | TicketState::Expired => ticket.window.as_ref(),
    };
    window.map(|window| window.as_str())
}

/// A visitor's own words without the character that PostgreSQL cannot hold in a text: one such
/// would have the whole batch refused.
fn plain(text: Option<&str>) -> Option<Cow<'_, str>> {
    text.map(|text| match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "")),
        false => Cow::Borrowed(text),
    })
}

/// JSON of what is to be stored. It cannot fail for the types stored here.
pub(super) fn json(value: &impl Serialize) -> Result<String, PortError> {
    serde_json::to_string(value).map_err(|error| PortError::Unavailable(error.to_string()))
}

/// The name of what is one of several, as JSON has it.
pub(super) fn word(value: &impl Serialize) -> Result<String, PortError> {
    Ok(json(value)?.trim_matches('"').to_owned())
}

/// Sequence number, time, author and body of an event.
pub(super) type EventFields = (i64, i64, String, String);

pub(super) fn recorded((seq, at, by, event): EventFields) -> Recorded<String> {
    Recorded {
        seq: number(seq),
        at: Timestamp::from_millis(at),
        by,
        event,
    }
}

/// Stream, key, fingerprint, first sequence number and count of a key used before.
pub(super) type KeyFields = (String, String, String, i64, i64);

pub(super) fn used((stream, key, fingerprint, first_seq, count): KeyFields) -> Used {
    Used {
        stream,
        key,
        fingerprint,
        first_seq: number(first_seq),
        count: number(count),
    }
}

/// A sequence number as the database keeps it. Neither side comes near the end of the range.
pub(super) fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

pub(super) fn number(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}

pub(super) fn unavailable(doing: &'static str) -> impl Fn(sqlx::Error) -> PortError {
    move |error| PortError::Unavailable(format!("{doing}: {error}"))
}
