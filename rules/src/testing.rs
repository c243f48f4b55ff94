//! What tests of a hall are written with: a small hall, the commands in short, `given … when …
//! then`, a [`Story`] for longer days, and ([`histories`]) random ones.
//!
//! Every step that goes through here is also checked for what must hold of every step: a refusal
//! changed nothing, the preview told the tickets as they became, no invariant is broken.
//!
//! Days are those of November 2026, whose 2nd is a Monday: `"09:05"` is that Monday,
//! `"3T00:10:30"` ten and a half minutes into the Tuesday.

// A test that cannot go on says so by a panic; that is the purpose here.
#![allow(clippy::unwrap_used)]

pub mod histories;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, NaiveTime};

use crate::hall::invariants::violations;
use crate::hall::{
    Command, Event, Hall, HallConfig, IssueTicket, Options, Recorded, Refusal, Service, Zone,
};
use crate::ids::{HallId, ServiceId, Tag, TicketId, Token, WindowId, ZoneId};
use crate::name::Name;
use crate::number::NumberTemplate;
use crate::policy::CallPolicy;
use crate::ticket::{BookedTime, Channel, Ticket, TicketState};
use crate::time::{TimeZone, Timestamp};
use crate::window::{WindowKind, WindowPlan, WindowState};

/// An instant by a hall's clock, e.g. `09:05`, `09:05:30` or, on another day of the month, `3T00:10`.
pub fn on_clock(zone: TimeZone, text: &str) -> Timestamp {
    let (day, clock) = text.split_once('T').unwrap_or(("2", text));
    let day = day
        .parse()
        .ok()
        .and_then(|day| NaiveDate::from_ymd_opt(2026, 11, day));
    let time = NaiveTime::parse_from_str(clock, "%H:%M:%S%.f")
        .or_else(|_| NaiveTime::parse_from_str(clock, "%H:%M"));
    match (day, time) {
        (Some(day), Ok(time)) => zone.at(day, time),
        _ => panic!("'{text}' is no instant such as 09:05, 09:05:30 or 3T00:10"),
    }
}

/// An instant in Shanghai, where the halls of the tests stand.
pub fn clock(text: &str) -> Timestamp {
    on_clock(TimeZone::SHANGHAI, text)
}

pub fn service(id: &str) -> ServiceId {
    id.parse().unwrap()
}

pub fn window(id: &str) -> WindowId {
    id.parse().unwrap()
}

pub fn tag(id: &str) -> Tag {
    id.parse().unwrap()
}

/// A hall to be set up. See [`hall`].
#[derive(Debug, Clone)]
pub struct HallBuilder(HallConfig);

/// A hall in Shanghai without services and windows.
pub fn hall() -> HallBuilder {
    HallBuilder(HallConfig {
        name: Name::new("测试大厅", "Test hall"),
        time_zone: TimeZone::SHANGHAI,
        services: BTreeMap::new(),
        windows: BTreeMap::new(),
        policy: CallPolicy::default(),
        options: Options::default(),
    })
}

/// A service whose numbers have three digits after `prefix`.
pub fn service_plan(id: &str, prefix: &str) -> Service {
    Service {
        name: Name::same(id),
        template: NumberTemplate::new(prefix, 3),
        contingent: None,
        menu: None,
        avg_service_secs: 300,
    }
}

/// A window for these services.
pub fn window_plan(id: &str, services: &[&str]) -> WindowPlan {
    WindowPlan {
        name: Name::same(id),
        services: services.iter().map(|id| service(id)).collect(),
        kind: WindowKind::Comprehensive,
        zone: None,
    }
}

impl HallBuilder {
    /// A service with numbers such as `B001`.
    #[must_use]
    pub fn service(self, id: &str, prefix: &str) -> Self {
        self.service_with(id, prefix, |_| ())
    }

    #[must_use]
    pub fn service_with(mut self, id: &str, prefix: &str, set: impl FnOnce(&mut Service)) -> Self {
        let mut plan = service_plan(id, prefix);
        set(&mut plan);
        self.0.services.insert(service(id), plan);
        self
    }

    #[must_use]
    pub fn window(mut self, id: &str, services: &[&str]) -> Self {
        self.0.windows.insert(window(id), window_plan(id, services));
        self
    }

    /// A zone and the windows that stand in it.
    #[must_use]
    pub fn zone_of(mut self, id: &str, windows: &[&str]) -> Self {
        let id: ZoneId = id.parse().unwrap();
        let name = Name::same(id.as_str());
        for one in windows {
            self.0.windows.get_mut(&window(one)).unwrap().zone = Some(id.clone());
        }
        self.0.options.zones.push(Zone { id, name });
        self
    }

    #[must_use]
    pub fn policy(mut self, set: impl FnOnce(&mut CallPolicy)) -> Self {
        set(&mut self.0.policy);
        self
    }

    #[must_use]
    pub fn zone(mut self, name: &str) -> Self {
        self.0.time_zone = name.parse().unwrap();
        self
    }

    pub fn config(self) -> HallConfig {
        self.0
    }

    /// The hall as registered at 08:00: closed.
    pub fn closed(self) -> Hall {
        let id: HallId = "H1".parse().unwrap();
        let at = on_clock(self.0.time_zone, "08:00");
        let event = match Hall::register(self.0) {
            Ok(event) => event,
            Err(refusal) => panic!("the hall cannot be so: {refusal}"),
        };
        let by = "test".to_owned();
        let first = Recorded {
            seq: 1,
            at,
            by,
            event,
        };
        Hall::registered(id, &first).unwrap()
    }

    /// The hall open since 08:30, all windows signed in and idle.
    pub fn open(self) -> Hall {
        let mut hall = self.closed();
        let at = on_clock(hall.config().time_zone, "08:30");
        step(&mut hall, &Command::OpenHall, at).unwrap();
        let windows: Vec<WindowId> = hall.windows().map(|w| w.id.clone()).collect();
        for window in windows {
            let clerk = None;
            step(&mut hall, &Command::OpenWindow { window, clerk }, at).unwrap();
        }
        hall
    }
}

/// Carries out a command after what fell due, and checks what must hold of every step.
///
/// # Errors
/// The refusal; what fell due stays applied.
pub fn step(hall: &mut Hall, command: &Command, now: Timestamp) -> Result<Vec<Recorded>, Refusal> {
    let mut happened = Vec::new();
    let due = hall.elapse(now);
    if !due.is_empty() {
        happened = record(hall, due, now);
        assert!(hall.elapse(now).is_empty(), "what fell due falls due twice");
    }
    let before = hall.clone();
    let events = hall.decide(command, now);
    assert!(before == *hall, "deciding changed the hall");
    happened.extend(record(hall, events?, now));
    Ok(happened)
}

fn record(hall: &mut Hall, events: Vec<Event>, now: Timestamp) -> Vec<Recorded> {
    let recorded = hall.recorded(events, now, "test");
    let previewed = hall.preview(&recorded);
    for one in &recorded {
        hall.apply(one);
    }
    check_preview(hall, &recorded, &previewed);
    assert_eq!(
        violations(hall),
        Vec::<String>::new(),
        "after {recorded:#?}"
    );
    recorded
}

/// The preview holds every ticket the events touch, as the hall has it after them.
fn check_preview(hall: &Hall, recorded: &[Recorded], previewed: &[Ticket]) {
    for ticket in previewed {
        match hall.ticket(ticket.id) {
            Some(now) => assert_eq!(ticket, now, "previewed otherwise"),
            None => assert!(
                !ticket.state.is_open(),
                "an open ticket is gone: {ticket:?}"
            ),
        }
    }
    let seen: BTreeSet<TicketId> = previewed.iter().map(|ticket| ticket.id).collect();
    for id in recorded.iter().filter_map(|one| one.event.ticket()) {
        assert!(seen.contains(&id), "ticket {id} is not in the preview");
    }
}

/// A hall about to be asked something.
pub struct Given(pub Hall);

pub fn given(hall: Hall) -> Given {
    Given(hall)
}

impl Given {
    #[must_use]
    pub fn when(self, command: Command) -> When {
        let now = self.0.last_at();
        When {
            hall: self.0,
            command,
            now,
        }
    }

    /// What falls due by this time, and nothing else.
    #[must_use]
    pub fn when_it_is(mut self, clock: &str) -> (Self, Vec<Event>) {
        let now = on_clock(self.0.config().time_zone, clock);
        let due = self.0.elapse(now);
        let recorded = record(&mut self.0, due, now);
        (self, events(recorded))
    }
}

/// A command about to be decided.
pub struct When {
    hall: Hall,
    command: Command,
    now: Timestamp,
}

impl When {
    /// At this time; without it, when the hall last saw something happen.
    #[must_use]
    pub fn at(mut self, clock: &str) -> Self {
        self.now = on_clock(self.hall.config().time_zone, clock);
        self
    }

    /// Exactly these events follow; the hall goes on from them.
    #[track_caller]
    pub fn then(mut self, expected: impl IntoIterator<Item = Event>) -> Given {
        let expected: Vec<Event> = expected.into_iter().collect();
        match step(&mut self.hall, &self.command, self.now) {
            Ok(recorded) => assert_eq!(events(recorded), expected),
            Err(refusal) => panic!("{:?} was refused: {refusal:?}", self.command),
        }
        Given(self.hall)
    }

    /// The command is refused with this code; the hall goes on unchanged.
    #[track_caller]
    pub fn then_refused(mut self, code: &str) -> Given {
        match step(&mut self.hall, &self.command, self.now) {
            Ok(recorded) => panic!("{:?} made happen {recorded:#?}", self.command),
            Err(refusal) => assert_eq!(refusal.code(), code, "{:?}", self.command),
        }
        Given(self.hall)
    }
}

fn events(recorded: Vec<Recorded>) -> Vec<Event> {
    recorded.into_iter().map(|one| one.event).collect()
}

/// A longer day at one hall, told step by step.
pub struct Story {
    pub hall: Hall,
    pub now: Timestamp,
}

impl Story {
    pub fn of(hall: Hall) -> Self {
        let now = hall.last_at();
        Self { hall, now }
    }

    /// The clock shows this; what falls due happens.
    #[track_caller]
    pub fn at(&mut self, clock: &str) -> &mut Self {
        self.now = on_clock(self.hall.config().time_zone, clock);
        let due = self.hall.elapse(self.now);
        record(&mut self.hall, due, self.now);
        self
    }

    pub fn after_secs(&mut self, secs: u64) -> &mut Self {
        self.now = self.now.plus_secs(secs);
        self
    }

    /// Carries out a command that must not be refused.
    #[track_caller]
    pub fn does(&mut self, command: Command) -> Vec<Event> {
        match step(&mut self.hall, &command, self.now) {
            Ok(recorded) => events(recorded),
            Err(refusal) => panic!("{command:?} was refused: {refusal:?}"),
        }
    }

    /// Asks for what must be refused.
    #[track_caller]
    pub fn is_refused(&mut self, command: Command) -> Refusal {
        match step(&mut self.hall, &command, self.now) {
            Ok(recorded) => panic!("{command:?} made happen {recorded:#?}"),
            Err(refusal) => refusal,
        }
    }

    /// Takes a number.
    #[track_caller]
    pub fn takes(&mut self, service: &str) -> TicketId {
        self.takes_with(service, |_| ())
    }

    /// Takes a number with more than a service to it.
    #[track_caller]
    pub fn takes_with(&mut self, service: &str, set: impl FnOnce(&mut IssueTicket)) -> TicketId {
        let mut wish = wish(service);
        wish.token = Token(format!("{:032x}", self.hall.seq()));
        set(&mut wish);
        let events = self.does(Command::IssueTicket(wish));
        events.iter().find_map(Event::ticket).unwrap()
    }

    /// Calls the next and tells its number.
    #[track_caller]
    pub fn calls(&mut self, window: &str) -> String {
        let events = self.does(call_next(window));
        let id = events.iter().find_map(Event::ticket).unwrap();
        self.ticket(id).number.clone()
    }

    /// Calls the next, serves and finishes it; tells its number.
    #[track_caller]
    pub fn serves(&mut self, window: &str) -> String {
        let number = self.calls(window);
        self.does(begin(window));
        self.does(finish(window));
        number
    }

    /// Calls the next as often as a no-show needs, then marks it; tells which.
    #[track_caller]
    pub fn misses(&mut self, window_id: &str) -> TicketId {
        self.does(call_next(window_id));
        for _ in 1..self.hall.config().policy.no_show_after_calls {
            self.does(recall(window_id));
        }
        let id = self.window(window_id).ticket().unwrap();
        self.does(no_show(window_id));
        id
    }

    #[track_caller]
    pub fn ticket(&self, id: TicketId) -> &Ticket {
        self.hall.ticket(id).unwrap()
    }

    #[track_caller]
    pub fn state(&self, id: TicketId) -> &TicketState {
        &self.ticket(id).state
    }

    #[track_caller]
    pub fn window(&self, id: &str) -> &WindowState {
        &self.hall.window(&window(id)).unwrap().state
    }

    /// The numbers of a line, in order.
    pub fn line(&self, id: &str) -> Vec<&str> {
        let line = self.hall.line(&service(id), self.now);
        line.iter()
            .map(|id| self.ticket(*id).number.as_str())
            .collect()
    }

    /// Why the ticket at this window was called.
    #[track_caller]
    pub fn why(&self, window: &str) -> &crate::calling::Why {
        let id = self.window(window).ticket().unwrap();
        self.ticket(id).called_because.as_ref().unwrap()
    }

    pub fn policy(&mut self, set: impl FnOnce(&mut CallPolicy)) {
        let mut policy = self.hall.config().policy.clone();
        set(&mut policy);
        self.does(Command::SetPolicy { policy });
    }
}

/// A wish for a number of this service at a kiosk.
pub fn wish(id: &str) -> IssueTicket {
    IssueTicket {
        service: service(id),
        token: Token("0".repeat(32)),
        channel: Channel::Kiosk,
        holder: None,
        tags: BTreeSet::new(),
        appointment: None,
        excluded: BTreeSet::new(),
    }
}

/// An appointment between two times of the Monday.
pub fn booked(number: &str, from: &str, to: &str) -> BookedTime {
    BookedTime {
        number: number.to_owned(),
        from: clock(from),
        to: clock(to),
        booked_at: None,
    }
}

// The commands in short, in the order of `Command`.

pub fn issue(service: &str) -> Command {
    Command::IssueTicket(wish(service))
}

pub fn cancel(ticket: TicketId) -> Command {
    Command::CancelTicket { ticket }
}

pub fn requeue(ticket: TicketId) -> Command {
    Command::RequeueTicket { ticket }
}

pub fn postpone(ticket: TicketId, places: u32) -> Command {
    Command::PostponeTicket { ticket, places }
}

pub fn rate(ticket: TicketId, stars: u8) -> Command {
    let text = None;
    Command::RateTicket {
        ticket,
        stars,
        text,
    }
}

pub fn open_window(id: &str) -> Command {
    Command::OpenWindow {
        window: window(id),
        clerk: None,
    }
}

pub fn pause_window(id: &str) -> Command {
    Command::PauseWindow {
        window: window(id),
        reason: None,
    }
}

pub fn resume_window(id: &str) -> Command {
    Command::ResumeWindow { window: window(id) }
}

pub fn close_window(id: &str) -> Command {
    Command::CloseWindow { window: window(id) }
}

pub fn lose_window(id: &str) -> Command {
    Command::LoseWindow { window: window(id) }
}

pub fn regain_window(id: &str) -> Command {
    Command::RegainWindow { window: window(id) }
}

pub fn call_next(id: &str) -> Command {
    Command::CallNext { window: window(id) }
}

pub fn call_ticket(id: &str, ticket: TicketId) -> Command {
    Command::CallTicket {
        window: window(id),
        ticket,
    }
}

pub fn recall(id: &str) -> Command {
    Command::Recall { window: window(id) }
}

pub fn begin(id: &str) -> Command {
    Command::BeginService { window: window(id) }
}

pub fn finish(id: &str) -> Command {
    Command::FinishService { window: window(id) }
}

pub fn no_show(id: &str) -> Command {
    Command::MarkNoShow { window: window(id) }
}

pub fn hold(id: &str) -> Command {
    Command::PlaceOnHold { window: window(id) }
}

pub fn resume_ticket(id: &str, ticket: TicketId) -> Command {
    Command::ResumeTicket {
        window: window(id),
        ticket,
    }
}

pub fn transfer(id: &str, to: &str) -> Command {
    Command::Transfer {
        window: window(id),
        service: service(to),
        to_window: None,
    }
}

pub fn transfer_to_window(id: &str, to: &str, to_window: &str) -> Command {
    Command::Transfer {
        window: window(id),
        service: service(to),
        to_window: Some(window(to_window)),
    }
}

/// Whether all of the day's figures, by service, sum to the hall's.
pub fn services_sum_to_the_hall(hall: &Hall, ever: &BTreeSet<ServiceId>) -> bool {
    let sum = ever
        .iter()
        .fold(crate::figures::Figures::default(), |sum, id| {
            sum.plus(&hall.figures_of(id))
        });
    sum == hall.figures() && hall.figures().add_up()
}
