//! One service hall as a value: who waits, who is called where, who is served.
//!
//! The hall never reads a clock and never asks for chance. It is used in two steps, so that the
//! journal can stand between them:
//!
//! * [`Hall::decide`] says what a command would make happen, or refuses; it changes nothing.
//! * [`Hall::apply`] remembers what happened; it cannot fail.
//!
//! What falls due by time alone (the end of the day) is told by [`Hall::next_deadline`] and
//! [`Hall::elapse`]; asking too early is harmless. A clock that was set back does not take the
//! hall back: it goes on from the last instant it has seen.

mod apply;
mod command;
pub mod config;
mod decide;
mod event;
pub mod invariants;
mod notice;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

pub use command::{Command, IssueTicket};
pub use config::{HallConfig, MenuEntry, Options, Service, Zone};
pub use event::{Event, Recorded, TicketIssued};
pub use notice::{NOTICE_MAX_CHARS, Notice, NoticeLevel, Posted};
pub use refusal::Refusal;

use crate::calling::{self, Caller, Choice};
use crate::figures::Figures;
use crate::ids::{HallId, ServiceId, TicketId, Token, WindowId};
use crate::number::Counter;
use crate::policy::{CallPolicy, DayEnd};
use crate::ticket::{Ticket, TicketState};
use crate::time::Timestamp;
use crate::window::Window;

/// Whether a hall is open and gives out numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HallState {
    #[default]
    Closed,
    Open,
    IssuingPaused,
}

impl HallState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::IssuingPaused => "issuing_paused",
        }
    }
}

/// The state of one hall. Serialised whole as a snapshot; [`Hall::restore`] makes it live again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hall {
    id: HallId,
    seq: u64,
    last_at: Timestamp,
    config: HallConfig,
    state: HallState,
    day: Option<NaiveDate>,
    last_ticket: TicketId,
    counters: BTreeMap<String, Counter>,
    /// Numbers given by kiosks and phones today, by service.
    self_issued: BTreeMap<ServiceId, u32>,
    tickets: BTreeMap<TicketId, Ticket>,
    windows: BTreeMap<WindowId, Window>,
    figures: Figures,
    by_service: BTreeMap<ServiceId, Figures>,
    #[serde(default)]
    notice: Option<Posted>,
    #[serde(skip)]
    index: Index,
}

/// Tickets by service; no service has an empty line.
type Lines = BTreeMap<ServiceId, BTreeSet<TicketId>>;

/// What is derived from the tickets, kept to find things without a search.
#[derive(Debug, Clone, PartialEq, Default)]
struct Index {
    waiting: Lines,
    /// Those of `waiting` who are not simply called in the order in which they came.
    apart: Lines,
    open_numbers: BTreeMap<String, TicketId>,
    appointments: BTreeMap<String, TicketId>,
    tokens: BTreeMap<Token, TicketId>,
}

impl Index {
    fn of<'a>(tickets: impl Iterator<Item = &'a Ticket>) -> Self {
        let mut index = Self::default();
        for ticket in tickets {
            index.note(ticket);
        }
        index
    }

    fn note(&mut self, ticket: &Ticket) {
        let waits = ticket.state == TicketState::Waiting;
        stand(&mut self.waiting, ticket, waits);
        stand(&mut self.apart, ticket, waits && ticket.stands_apart());
        if ticket.state.is_open() {
            self.open_numbers.insert(ticket.number.clone(), ticket.id);
        } else if self.open_numbers.get(&ticket.number) == Some(&ticket.id) {
            // Only its own: after a wrap another ticket may hold the same number.
            self.open_numbers.remove(&ticket.number);
        }
        if !self.tokens.contains_key(&ticket.token) {
            self.tokens.insert(ticket.token.clone(), ticket.id);
        }
        if let Some(booked) = &ticket.appointment {
            self.appointments.insert(booked.number.clone(), ticket.id);
        }
    }
}

/// Puts a ticket into its service's line, or out of it.
fn stand(lines: &mut Lines, ticket: &Ticket, stands: bool) {
    if stands {
        let line = lines.entry(ticket.service.clone()).or_default();
        line.insert(ticket.id);
    } else if let Some(line) = lines.get_mut(&ticket.service) {
        line.remove(&ticket.id);
        if line.is_empty() {
            lines.remove(&ticket.service);
        }
    }
}

impl Hall {
    /// The first event of a hall's journal.
    ///
    /// # Errors
    /// [`Refusal::InvalidField`] when the set-up cannot be.
    pub fn register(config: HallConfig) -> Result<Event, Refusal> {
        config.check()?;
        Ok(Event::HallRegistered { config })
    }

    /// The hall that a first event registers; `None` when the event is another.
    pub fn registered(id: HallId, first: &Recorded) -> Option<Self> {
        let Event::HallRegistered { config } = &first.event else {
            return None;
        };
        let windows = config
            .windows
            .iter()
            .map(|(id, plan)| (id.clone(), Window::new(id.clone(), plan.clone(), first.at)));
        Some(Self {
            id,
            seq: first.seq,
            last_at: first.at,
            windows: windows.collect(),
            config: config.clone(),
            state: HallState::Closed,
            day: None,
            last_ticket: TicketId(0),
            counters: BTreeMap::new(),
            self_issued: BTreeMap::new(),
            tickets: BTreeMap::new(),
            figures: Figures::default(),
            by_service: BTreeMap::new(),
            notice: None,
            index: Index::default(),
        })
    }

    /// Makes a hall read back from a snapshot live again.
    #[must_use]
    pub fn restore(mut self) -> Self {
        self.index = Index::of(self.tickets.values());
        self
    }

    /// Decides and applies at once, first what fell due, then the command: for rehearsals and
    /// tests, where no journal stands between. Returns all that happened.
    ///
    /// # Errors
    /// The refusal of the command; what fell due stays applied.
    pub fn handle(&mut self, command: &Command, now: Timestamp) -> Result<Vec<Recorded>, Refusal> {
        let mut happened = self.record(self.elapse(now), now, "clock");
        let events = self.decide(command, now)?;
        happened.extend(self.record(events, now, "test"));
        Ok(happened)
    }

    fn record(&mut self, events: Vec<Event>, now: Timestamp, by: &str) -> Vec<Recorded> {
        let recorded = self.recorded(events, now, by);
        for one in &recorded {
            self.apply(one);
        }
        recorded
    }

    /// Numbers and dates events that are to be journalled next.
    pub fn recorded(&self, events: Vec<Event>, now: Timestamp, by: &str) -> Vec<Recorded> {
        let at = self.steady(now);
        (self.seq + 1..)
            .zip(events)
            .map(|(seq, event)| Recorded {
                seq,
                at,
                by: by.to_owned(),
                event,
            })
            .collect()
    }

    /// `now`, unless the clock was set back.
    pub fn steady(&self, now: Timestamp) -> Timestamp {
        now.max(self.last_at)
    }

    /// When something falls due by time alone: the hall's midnight, the end of a notice.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let midnight = self.day.map(|day| self.config.time_zone.end_of(day));
        let notice = self.notice().and_then(|posted| posted.notice.until);
        midnight.into_iter().chain(notice).min()
    }

    /// What fell due. Empty when nothing did.
    pub fn elapse(&self, now: Timestamp) -> Vec<Event> {
        let mut events = match self.day {
            Some(day) if self.today(now) > day => self.end_of_day(day, self.today(now)),
            _ => Vec::new(),
        };
        let until = self.notice().and_then(|posted| posted.notice.until);
        if until.is_some_and(|until| until <= self.steady(now)) {
            events.push(Event::NoticeCleared);
        }
        events
    }

    fn today(&self, now: Timestamp) -> NaiveDate {
        self.config.time_zone.date_of(self.steady(now))
    }

    fn end_of_day(&self, day: NaiveDate, next: NaiveDate) -> Vec<Event> {
        let expires = |ticket: &&Ticket| {
            self.config.policy.day_end == DayEnd::Expire
                && matches!(ticket.state, TicketState::Waiting | TicketState::Missed)
        };
        let mut events: Vec<Event> = self
            .tickets
            .values()
            .filter(expires)
            .map(|ticket| Event::TicketExpired { ticket: ticket.id })
            .collect();
        events.push(Event::DayEnded { day, next });
        events
    }

    pub fn id(&self) -> &HallId {
        &self.id
    }

    /// Sequence number of the last event applied.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    pub fn last_at(&self) -> Timestamp {
        self.last_at
    }

    pub fn config(&self) -> &HallConfig {
        &self.config
    }

    pub fn state(&self) -> HallState {
        self.state
    }

    /// What is said over all of the hall's public screens.
    pub fn notice(&self) -> Option<&Posted> {
        self.notice.as_ref()
    }

    /// The business day, once one has begun.
    pub fn day(&self) -> Option<NaiveDate> {
        self.day
    }

    pub fn figures(&self) -> Figures {
        self.figures
    }

    pub fn figures_of(&self, service: &ServiceId) -> Figures {
        self.by_service.get(service).copied().unwrap_or_default()
    }

    /// The tickets of the business day, by id.
    pub fn tickets(&self) -> impl Iterator<Item = &Ticket> {
        self.tickets.values()
    }

    pub fn ticket(&self, id: TicketId) -> Option<&Ticket> {
        self.tickets.get(&id)
    }

    /// The ticket whose slip carries this token.
    pub fn ticket_by_token(&self, token: &Token) -> Option<&Ticket> {
        self.ticket(*self.index.tokens.get(token)?)
    }

    pub fn windows(&self) -> impl Iterator<Item = &Window> {
        self.windows.values()
    }

    pub fn window(&self, id: &WindowId) -> Option<&Window> {
        self.windows.get(id)
    }

    /// The tickets waiting for a service, by id.
    pub fn waiting(&self, service: &ServiceId) -> impl Iterator<Item = &Ticket> {
        self.index
            .waiting
            .get(service)
            .into_iter()
            .flatten()
            .filter_map(|id| self.tickets.get(id))
    }

    pub fn waiting_count(&self, service: &ServiceId) -> usize {
        self.index.waiting.get(service).map_or(0, BTreeSet::len)
    }

    /// The windows set up for a service.
    pub fn windows_for<'a>(&'a self, service: &'a ServiceId) -> impl Iterator<Item = &'a Window> {
        self.windows
            .values()
            .filter(move |w| w.plan.services.contains(service))
    }

    /// How many windows take people of a service now.
    pub fn windows_open(&self, service: &ServiceId) -> u64 {
        self.windows_for(service)
            .filter(|w| w.state.is_working())
            .count() as u64
    }

    /// Numbers that kiosks and phones may still give for a service today; `None` is no limit.
    pub fn self_service_left(&self, service: &ServiceId) -> Option<u32> {
        let contingent = self.config.services.get(service)?.contingent?;
        let given = self.self_issued.get(service).copied().unwrap_or(0);
        Some(contingent.saturating_sub(given))
    }

    /// The order of a service's line.
    pub fn line(&self, service: &ServiceId, now: Timestamp) -> Vec<TicketId> {
        self.line_under(&self.config.policy, service, now)
    }

    /// The order a service's line would have under another policy.
    pub fn line_under(
        &self,
        policy: &CallPolicy,
        service: &ServiceId,
        now: Timestamp,
    ) -> Vec<TicketId> {
        calling::line(self.waiting(service), policy, self.steady(now))
    }

    /// People ahead of a waiting ticket; `None` when it is not waiting.
    pub fn ahead(&self, id: TicketId, now: Timestamp) -> Option<u64> {
        let ticket = self
            .ticket(id)
            .filter(|t| t.state == TicketState::Waiting)?;
        if self.is_by_arrival(&ticket.service) {
            let came = |ticket: &Ticket| (ticket.queued_at, ticket.id);
            let earlier = |other: &&Ticket| came(other) < came(ticket);
            return Some(self.waiting(&ticket.service).filter(earlier).count() as u64);
        }
        let line = self.line(&ticket.service, now);
        line.iter()
            .position(|other| *other == id)
            .map(|place| place as u64)
    }

    /// Whether all who wait for a service are called in the order in which they came. Ageing does not
    /// change it: who came earlier has waited longer.
    fn is_by_arrival(&self, service: &ServiceId) -> bool {
        !self.index.apart.contains_key(service)
    }

    /// The next tickets this window would call, with the reasons, if nobody else called.
    pub fn next_for(&self, window: &Window, count: usize, now: Timestamp) -> Vec<Choice> {
        let now = self.steady(now);
        let caller = Caller {
            window: &window.id,
            services: &window.plan.services,
            streak: window.streak,
        };
        let waiting = window.plan.services.iter().flat_map(|s| self.waiting(s));
        calling::choices(waiting, caller, &self.config.policy, now)
            .take(count)
            .collect()
    }
}
