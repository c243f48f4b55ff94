//! The `HallActor`: one hall, one command at a time.
//!
//! It promises that a command is answered, shown and announced only after its events are in the
//! journal; that no command is decided while another's events are being written; and that all it
//! knows can be rebuilt from the journal. It does not decide: `rules::Hall` does.
//!
//! If the journal refuses the write or its outcome is unknown, only the journal knows the truth:
//! the actor stops and its supervisor builds a fresh one from what was written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::fut::{ready, wrap_future};
use actix::prelude::*;
use dashboards::answer::TicketFace;
use dashboards::board::{self, ClockFace};
use dashboards::city::HallFace;
use dashboards::frame::{Kind, encode};
use rules::flow::QueueFlow;
use rules::hall::{Command, Event, Hall, Recorded, Refusal};
use rules::ids::{HallId, ServiceId, TicketId, Token, WindowId};
use rules::ticket::TicketState;
use rules::time::Timestamp;
use tracing::{debug, error, info, warn};

use crate::city::{CityActor, HallChanged};
use crate::hub::{OpenTopic, Publish, PublishSnapshot, ScreenHub, Shape, TakeSnapshot};
use crate::journal::{AppendError, Journal};
use crate::ports::{Append, Clock, IdempotencyKey, PortError, Rejected, Store};
use crate::queue::{Expect, Flowed, Forget, QueueActor, QueueChanged};
use crate::window::{Seat, WindowActor, WindowChanged};

/// Commands that may wait for a hall; more than that are made to wait at their connection.
const MAILBOX: usize = 256;

/// Events between two snapshots: replaying so many takes a few milliseconds.
const SNAPSHOT_EVERY: u64 = 2000;

/// Answers remembered for repeated keys; older ones are found in the journal.
const ANSWERS_KEPT: usize = 512;

/// Events read from the journal at a time.
const PAGE: u32 = 1000;

/// Figures on boards are gathered for so long; calls are not.
const MERGE: Duration = Duration::from_millis(100);

/// A command with who asks and, if the client may repeat it, its key.
#[derive(Message, Debug, Clone)]
#[rtype(result = "Submitted")]
pub struct Submit {
    pub command: Command,
    pub by: String,
    pub key: Option<IdempotencyKey>,
}

impl Submit {
    pub fn new(command: Command, by: &str) -> Self {
        Self {
            command,
            by: by.to_owned(),
            key: None,
        }
    }
}

/// What a command made happen.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// The hall's sequence number after it.
    pub seq: u64,
    pub recorded: Vec<Recorded>,
    /// The ticket concerned, right after it.
    pub ticket: Option<TicketFace>,
    /// The answer repeats that of an earlier command with the same key.
    pub replayed: bool,
}

pub type Submitted = Result<Arc<Done>, SubmitError>;

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The hall says no; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The key belongs to another command.
    #[error("the idempotency key was used for another command")]
    KeyReused,
    /// Too much is waiting; nothing changed.
    #[error("too busy")]
    Overloaded,
    /// The store does not answer; a repeat with the same key is safe.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

impl SubmitError {
    pub(crate) fn gone() -> Self {
        Self::Unavailable("the hall is being rebuilt".to_owned())
    }
}

type Reading<R> = Box<dyn FnOnce(&Hall, Timestamp) -> R + Send>;

/// Reads the hall at the present instant.
pub struct Read<R>(Reading<R>);

impl<R> Read<R> {
    pub fn new(read: impl FnOnce(&Hall, Timestamp) -> R + Send + 'static) -> Self {
        Self(Box::new(read))
    }
}

impl<R: Send + 'static> Message for Read<R> {
    type Result = R;
}

/// Somebody watches a ticket: its place is published from now on.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct Watch(pub Token);

/// Keeps a snapshot now, before the process ends.
#[derive(Message)]
#[rtype(result = "()")]
pub struct KeepSnapshot;

/// Time has passed.
#[derive(Message)]
#[rtype(result = "()")]
struct Wake;

/// A hall's windows and queues, found without asking the hall.
#[derive(Default)]
pub struct Children {
    windows: RwLock<BTreeMap<WindowId, Addr<WindowActor>>>,
    queues: RwLock<BTreeMap<ServiceId, Addr<QueueActor>>>,
}

impl Children {
    pub fn window(&self, id: &WindowId) -> Option<Addr<WindowActor>> {
        self.windows
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    pub fn queue(&self, id: &ServiceId) -> Option<Addr<QueueActor>> {
        self.queues
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }
}

/// A hall as rebuilt from the journal, and the epoch under which this process writes it.
pub struct Loaded {
    pub hall: Hall,
    pub epoch: i64,
}

/// Takes a hall and rebuilds it from snapshot and events. `None` if nothing was ever journalled.
///
/// # Errors
/// When the store does not answer, or holds what cannot be.
pub async fn load(store: &dyn Store, id: &HallId) -> Result<Option<Loaded>, PortError> {
    let head = store.acquire(id).await?;
    let mut hall = match store.latest_snapshot(id).await? {
        Some((seq, body)) => match serde_json::from_str::<Hall>(&body) {
            Ok(hall) => Some(hall.restore()),
            Err(cause) => {
                warn!(hall = %id, seq, %cause, "snapshot not readable; replaying from the start");
                None
            }
        },
        None => None,
    };
    loop {
        let after = hall.as_ref().map_or(0, Hall::seq);
        let page = store.read_after(id, after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for recorded in &page {
            match &mut hall {
                Some(hall) => hall.apply(recorded),
                None => hall = Hall::registered(id.clone(), recorded),
            }
        }
        if hall.is_none() {
            return Err(PortError::Corrupt(format!(
                "hall {id} does not begin with its registration"
            )));
        }
    }
    match hall {
        Some(hall) if hall.seq() == head.seq => Ok(Some(Loaded {
            hall,
            epoch: head.epoch,
        })),
        Some(hall) => Err(PortError::Corrupt(format!(
            "hall {id} has events up to {} but its head says {}",
            hall.seq(),
            head.seq
        ))),
        None => Ok(None),
    }
}

/// What a hall actor works with.
#[derive(Clone)]
pub struct Tools {
    pub journal: Journal,
    pub hub: Addr<ScreenHub>,
    pub city: Addr<CityActor>,
    pub clock: Arc<dyn Clock>,
    pub children: Arc<Children>,
}

/// Answers of late, by key.
#[derive(Default)]
struct Answers {
    by_key: BTreeMap<String, (String, Arc<Done>)>,
    order: VecDeque<String>,
}

impl Answers {
    fn keep(&mut self, key: IdempotencyKey, done: Arc<Done>) {
        self.order.push_back(key.key.clone());
        self.by_key.insert(key.key, (key.fingerprint, done));
        if self.order.len() > ANSWERS_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_key.remove(&oldest);
        }
    }
}

pub struct HallActor {
    hall: Hall,
    epoch: i64,
    tools: Tools,
    topic: String,
    answers: Answers,
    watched: BTreeMap<TicketId, Token>,
    snapshot_seq: u64,
    wake: Option<SpawnHandle>,
    /// Tells the supervisor when this value is dropped, for whatever reason.
    _gone: Box<dyn std::any::Any + Send>,
}

type Step<T> = std::pin::Pin<Box<dyn ActorFuture<HallActor, Output = T>>>;

impl HallActor {
    /// A hall actor over what was loaded. `gone` is dropped with it.
    pub fn new(loaded: Loaded, tools: Tools, gone: Box<dyn std::any::Any + Send>) -> Self {
        Self {
            topic: format!("hall.{}", loaded.hall.id()),
            snapshot_seq: loaded.hall.seq(),
            hall: loaded.hall,
            epoch: loaded.epoch,
            tools,
            answers: Answers::default(),
            watched: BTreeMap::new(),
            wake: None,
            _gone: gone,
        }
    }

    fn now(&self) -> Timestamp {
        self.hall.steady(self.tools.clock.now())
    }

    /// First what fell due, then the command, each in its own write.
    fn submit(&mut self, submit: Submit) -> Step<Submitted> {
        if let Some(answer) = self.known_answer(submit.key.as_ref()) {
            return Box::pin(ready(answer));
        }
        let now = self.now();
        let due = self.hall.elapse(now);
        if due.is_empty() {
            return self.carry_out(submit, now);
        }
        let commit = self.commit(self.hall.recorded(due, now, "clock"), None);
        Box::pin(
            commit.then(move |result, hall: &mut Self, _| -> Step<Submitted> {
                match result {
                    Ok(_) => hall.carry_out(submit, now),
                    Err(error) => Box::pin(ready(Err(error))),
                }
            }),
        )
    }

    fn carry_out(&mut self, submit: Submit, now: Timestamp) -> Step<Submitted> {
        match self.hall.decide(&submit.command, now) {
            Ok(events) => {
                let recorded = self.hall.recorded(events, now, &submit.by);
                self.commit(recorded, submit.key)
            }
            Err(refusal) => Box::pin(ready(Err(refusal.into()))),
        }
    }

    fn known_answer(&self, key: Option<&IdempotencyKey>) -> Option<Submitted> {
        let key = key?;
        let (fingerprint, done) = self.answers.by_key.get(&key.key)?;
        Some(if *fingerprint == key.fingerprint {
            Ok(Arc::new(Done {
                replayed: true,
                ..(**done).clone()
            }))
        } else {
            Err(SubmitError::KeyReused)
        })
    }

    /// Journals the events; then, and only then, applies and shows them.
    fn commit(&self, recorded: Vec<Recorded>, key: Option<IdempotencyKey>) -> Step<Submitted> {
        let append = Append {
            hall: self.hall.id().clone(),
            epoch: self.epoch,
            tickets: self.hall.preview(&recorded),
            events: recorded.clone(),
            key: key.clone(),
        };
        let written = wrap_future::<_, Self>(self.tools.journal.clone().append(append));
        Box::pin(written.then(move |result, hall, ctx| -> Step<Submitted> {
            match result {
                Ok(()) => Box::pin(ready(Ok(hall.settle(recorded, key, ctx)))),
                Err(AppendError::Rejected(Rejected::Duplicate {
                    fingerprint,
                    first_seq,
                    count,
                })) => hall.answer_again(key, &fingerprint, first_seq, count),
                Err(error) => Box::pin(ready(Err(hall.fail(error, ctx)))),
            }
        }))
    }

    fn fail(&self, error: AppendError, ctx: &mut Context<Self>) -> SubmitError {
        match error {
            AppendError::Overloaded => SubmitError::Overloaded,
            AppendError::Port(PortError::Unavailable(cause)) => SubmitError::Unavailable(cause),
            AppendError::Port(cause) => {
                error!(hall = %self.hall.id(), %cause, "outcome unknown; the hall is rebuilt");
                ctx.stop();
                SubmitError::gone()
            }
            AppendError::Rejected(cause) => {
                error!(hall = %self.hall.id(), %cause, "write refused; the hall is rebuilt");
                ctx.stop();
                SubmitError::gone()
            }
        }
    }

    /// The key was used before this actor was born: its events are in the journal.
    fn answer_again(
        &self,
        key: Option<IdempotencyKey>,
        fingerprint: &str,
        first_seq: u64,
        count: u64,
    ) -> Step<Submitted> {
        if key.is_some_and(|key| key.fingerprint != fingerprint) {
            return Box::pin(ready(Err(SubmitError::KeyReused)));
        }
        let store = Arc::clone(self.tools.journal.store());
        let id = self.hall.id().clone();
        let read = async move { store.read_after(&id, first_seq - 1, count as u32).await };
        Box::pin(
            wrap_future::<_, Self>(read).map(|events, hall, _| match events {
                Ok(recorded) => {
                    let done = hall.done(recorded);
                    Ok(Arc::new(Done {
                        replayed: true,
                        ..done
                    }))
                }
                Err(cause) => Err(SubmitError::Unavailable(cause.to_string())),
            }),
        )
    }

    fn settle(
        &mut self,
        recorded: Vec<Recorded>,
        key: Option<IdempotencyKey>,
        ctx: &mut Context<Self>,
    ) -> Arc<Done> {
        for one in &recorded {
            self.apply_and_publish(one, ctx);
        }
        // Quadratic in the day's tickets, so only small halls pay for it, and only in debug builds.
        debug_assert!(
            self.hall.figures().issued > 100
                || rules::hall::invariants::violations(&self.hall).is_empty(),
            "{:?}",
            rules::hall::invariants::violations(&self.hall)
        );
        self.tools.city.do_send(HallChanged {
            hall: self.hall.id().clone(),
            face: HallFace::of(&self.hall),
        });
        self.rearm(ctx);
        if self.hall.seq() >= self.snapshot_seq + SNAPSHOT_EVERY {
            ctx.notify(KeepSnapshot);
        }
        let done = Arc::new(self.done(recorded));
        if let Some(key) = key {
            self.answers.keep(key, Arc::clone(&done));
        }
        done
    }

    fn done(&self, recorded: Vec<Recorded>) -> Done {
        let last = recorded
            .iter()
            .rev()
            .find_map(|one| Some((&one.event, one.event.ticket()?)));
        let ticket = last.and_then(|(event, id)| {
            Some(TicketFace::after(
                &self.hall,
                self.hall.ticket(id)?,
                event,
                self.now(),
            ))
        });
        Done {
            seq: recorded.last().map_or(self.hall.seq(), |one| one.seq),
            ticket,
            recorded,
            replayed: false,
        }
    }

    fn apply_and_publish(&mut self, recorded: &Recorded, ctx: &mut Context<Self>) {
        let event = &recorded.event;
        let mut services = touched_queues(&self.hall, event);
        self.hall.apply(recorded);
        services.extend(touched_queues(&self.hall, event));
        services.retain(|id| self.hall.config().services.contains_key(id));
        self.rebuild_children_if_needed(event, ctx);
        self.publish_board(recorded, &services);
        self.tell_window(recorded);
        for service in &services {
            self.tell_queue(service, Some(recorded));
        }
    }

    fn publish_board(&self, recorded: &Recorded, services: &BTreeSet<ServiceId>) {
        let at = self.hall.config().time_zone.rfc3339(recorded.at);
        let delta = board::delta(&self.hall, recorded, services);
        let frame = encode(&self.topic, Kind::Delta, recorded.seq, &at, &delta);
        let publish = Publish {
            topic: self.topic.clone(),
            frames: vec![(recorded.seq, frame)],
            urgent: board::is_urgent(&recorded.event),
        };
        if self.tools.hub.try_send(publish).is_err() {
            debug!(
                topic = self.topic,
                "hub is full; its screens get a snapshot"
            );
        }
    }

    fn tell_window(&self, recorded: &Recorded) {
        let Some(id) = recorded.event.window() else {
            return;
        };
        let (Some(window), Some(actor)) = (self.hall.window(id), self.tools.children.window(id))
        else {
            return;
        };
        let ticket = recorded.event.ticket().and_then(|id| self.hall.ticket(id));
        actor.do_send(WindowChanged {
            view: dashboards::window::view(&self.hall, window),
            since: window.since,
            happened: Some(Arc::new(recorded.clone())),
            service_secs: ticket.and_then(rules::ticket::Ticket::service_secs),
        });
    }

    fn tell_queue(&self, service: &ServiceId, recorded: Option<&Recorded>) {
        if let Some(queue) = self.tools.children.queue(service) {
            queue.do_send(self.queue_changed(service, recorded));
        }
    }

    fn queue_changed(&self, service: &ServiceId, recorded: Option<&Recorded>) -> QueueChanged {
        let flowed = recorded.and_then(|recorded| {
            let ticket = self.hall.ticket(recorded.event.ticket()?)?;
            match &recorded.event {
                Event::TicketIssued(_) => Some(Flowed::Arrived),
                Event::ServiceFinished { .. } => Some(Flowed::Completed {
                    service_secs: ticket.served_ms as f64 / 1000.0,
                }),
                _ => None,
            }
        });
        QueueChanged {
            at: recorded.map_or_else(|| self.now(), |recorded| recorded.at),
            flowed,
            waiting: self.hall.waiting_count(service) as u64,
            windows_open: self.hall.windows_open(service),
            oldest: self
                .hall
                .waiting(service)
                .next()
                .map(|ticket| ticket.issued_at),
            watched: self.watched_views(service),
        }
    }

    fn watched_views(&self, service: &ServiceId) -> Vec<(String, dashboards::ticket::TicketView)> {
        if self.watched.is_empty() {
            return Vec::new();
        }
        let now = self.now();
        let rate = self.tools.clock.rate();
        let line = self.hall.line(service, now);
        let places: BTreeMap<TicketId, u64> = line.into_iter().zip(0..).collect();
        let tickets = self
            .watched
            .iter()
            .filter_map(|(id, token)| Some((self.hall.ticket(*id)?, token)));
        tickets
            .filter(|(ticket, _)| ticket.service == *service)
            .map(|(ticket, token)| {
                let ahead = places.get(&ticket.id).copied();
                let view = dashboards::ticket::view(&self.hall, ticket, ahead, now, rate);
                (token.0.clone(), view)
            })
            .collect()
    }

    /// Starts the actors of windows and queues that have none, and lets go of those removed.
    fn rebuild_children(&self, ctx: &mut Context<Self>) {
        let children = &self.tools.children;
        let mut windows = children
            .windows
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        windows.retain(|id, actor| self.hall.window(id).is_some() && actor.connected());
        for window in self.hall.windows() {
            let actor = windows
                .entry(window.id.clone())
                .or_insert_with(|| WindowActor::new(self.seat(&window.id, ctx.address())).start());
            actor.do_send(WindowChanged {
                view: dashboards::window::view(&self.hall, window),
                since: window.since,
                happened: None,
                service_secs: None,
            });
        }
        drop(windows);
        let config = self.hall.config();
        let mut queues = children
            .queues
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        queues.retain(|id, actor| config.services.contains_key(id) && actor.connected());
        for (id, service) in &config.services {
            let queue = queues.entry(id.clone()).or_insert_with(|| {
                let flow = flow_of(&self.hall, id, service.avg_service_secs);
                let clock = Arc::clone(&self.tools.clock);
                let hub = self.tools.hub.clone();
                QueueActor::new(
                    self.hall.id(),
                    id.clone(),
                    config.time_zone,
                    flow,
                    clock,
                    hub,
                )
                .start()
            });
            queue.do_send(Expect {
                service_secs: service.avg_service_secs,
            });
            queue.do_send(self.queue_changed(id, None));
        }
    }

    fn seat(&self, id: &WindowId, hall: Addr<Self>) -> Seat {
        let here = self
            .hall
            .tickets()
            .filter(|t| t.window.as_ref() == Some(id));
        let served = here
            .filter_map(rules::ticket::Ticket::service_secs)
            .fold((0, 0), |(count, sum), secs| (count + 1, sum + secs));
        Seat {
            hall_id: self.hall.id().clone(),
            id: id.clone(),
            hall,
            zone: self.hall.config().time_zone,
            clock: Arc::clone(&self.tools.clock),
            hub: self.tools.hub.clone(),
            served,
        }
    }

    fn rebuild_children_if_needed(&mut self, event: &Event, ctx: &mut Context<Self>) {
        match event {
            Event::ServiceConfigured { .. }
            | Event::ServiceRemoved { .. }
            | Event::WindowConfigured { .. }
            | Event::WindowRemoved { .. } => self.rebuild_children(ctx),
            Event::DayEnded { .. } => {
                self.forget_tickets_gone();
                self.rebuild_children(ctx);
            }
            _ => {}
        }
    }

    fn forget_tickets_gone(&mut self) {
        let hall = &self.hall;
        let gone = self
            .watched
            .extract_if(.., |id, _| hall.ticket(*id).is_none());
        let tokens: Vec<Token> = gone.map(|(_, token)| token).collect();
        if tokens.is_empty() {
            return;
        }
        for service in self.hall.config().services.keys() {
            if let Some(queue) = self.tools.children.queue(service) {
                queue.do_send(Forget(tokens.clone()));
            }
        }
    }

    fn rearm(&mut self, ctx: &mut Context<Self>) {
        if let Some(wake) = self.wake.take() {
            ctx.cancel_future(wake);
        }
        self.wake = self.hall.next_deadline().map(|at| {
            // An hour at most: the machine's clock may be set, and its sleep would not know.
            let sleep = self.tools.clock.until(at).min(Duration::from_secs(3600));
            ctx.notify_later(Wake, sleep + Duration::from_millis(5))
        });
    }
}

/// The queues whose figures an event touches.
fn touched_queues(hall: &Hall, event: &Event) -> BTreeSet<ServiceId> {
    if let Some(ticket) = event.ticket() {
        return hall
            .ticket(ticket)
            .map(|t| t.service.clone())
            .into_iter()
            .collect();
    }
    match (event, event.window().and_then(|id| hall.window(id))) {
        (_, Some(window)) => window.plan.services.clone(),
        (Event::DayEnded { .. }, None) => hall.config().services.keys().cloned().collect(),
        _ => BTreeSet::new(),
    }
}

/// A queue's flow as today's tickets tell it.
fn flow_of(hall: &Hall, service: &ServiceId, expected_secs: u32) -> QueueFlow {
    let mut flow = QueueFlow::new(expected_secs);
    let mut completed = Vec::new();
    for ticket in hall.tickets().filter(|ticket| ticket.service == *service) {
        flow.arrived(ticket.issued_at);
        if let (TicketState::Completed, Some(at)) = (&ticket.state, ticket.ended_at) {
            completed.push((at, ticket.served_ms));
        }
    }
    completed.sort_unstable();
    for (at, served_ms) in completed {
        flow.completed(served_ms as f64 / 1000.0, at);
    }
    flow
}

impl Actor for HallActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.tools.hub.do_send(OpenTopic {
            name: self.topic.clone(),
            shape: Shape::Steps { merge: MERGE },
            owner: Some(ctx.address().recipient()),
        });
        // Screens may have missed the last step before a rebuild: it was written, but not shown.
        ctx.notify(TakeSnapshot);
        self.rebuild_children(ctx);
        self.tools.city.do_send(HallChanged {
            hall: self.hall.id().clone(),
            face: HallFace::of(&self.hall),
        });
        self.rearm(ctx);
        info!(hall = %self.hall.id(), seq = self.hall.seq(), epoch = self.epoch, "hall is live");
    }
}

impl Handler<Submit> for HallActor {
    type Result = AtomicResponse<Self, Submitted>;

    fn handle(&mut self, submit: Submit, _: &mut Self::Context) -> Self::Result {
        AtomicResponse::new(self.submit(submit))
    }
}

impl Handler<Wake> for HallActor {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Wake, ctx: &mut Self::Context) -> Self::Result {
        let now = self.now();
        let due = self.hall.elapse(now);
        if due.is_empty() {
            self.rearm(ctx);
            return AtomicResponse::new(Box::pin(ready(())));
        }
        let commit = self.commit(self.hall.recorded(due, now, "clock"), None);
        AtomicResponse::new(Box::pin(commit.map(|result, hall, ctx| {
            if let Err(cause) = result {
                warn!(hall = %hall.hall.id(), %cause, "the day could not be ended yet");
                hall.wake = Some(ctx.notify_later(Wake, Duration::from_secs(1)));
            }
        })))
    }
}

impl<R: Send + 'static> Handler<Read<R>> for HallActor {
    type Result = MessageResult<Read<R>>;

    fn handle(&mut self, Read(read): Read<R>, _: &mut Self::Context) -> Self::Result {
        let now = self.now();
        MessageResult(read(&self.hall, now))
    }
}

impl Handler<Watch> for HallActor {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, Watch(token): Watch, _: &mut Self::Context) -> Self::Result {
        let Some(ticket) = self.hall.ticket_by_token(&token) else {
            return Box::pin(std::future::ready(false));
        };
        self.watched.insert(ticket.id, token);
        let Some(queue) = self.tools.children.queue(&ticket.service) else {
            return Box::pin(std::future::ready(false));
        };
        let changed = self.queue_changed(&ticket.service, None);
        Box::pin(async move { queue.send(changed).await.is_ok() })
    }
}

impl Handler<TakeSnapshot> for HallActor {
    type Result = ();

    fn handle(&mut self, _: TakeSnapshot, _: &mut Self::Context) {
        let at = self.hall.config().time_zone.rfc3339(self.now());
        let clock = ClockFace {
            at: at.clone(),
            rate: self.tools.clock.rate(),
        };
        let view = board::snapshot(&self.hall, clock);
        let frame = encode(&self.topic, Kind::Snapshot, self.hall.seq(), &at, &view);
        let publish = PublishSnapshot {
            topic: self.topic.clone(),
            seq: self.hall.seq(),
            frame,
        };
        self.tools.hub.do_send(publish);
    }
}

impl Handler<KeepSnapshot> for HallActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: KeepSnapshot, _: &mut Self::Context) -> Self::Result {
        let seq = self.hall.seq();
        let store = Arc::clone(self.tools.journal.store());
        let id = self.hall.id().clone();
        let body = match serde_json::to_string(&self.hall) {
            Ok(body) if seq > self.snapshot_seq => body,
            _ => return Box::pin(ready(())),
        };
        self.snapshot_seq = seq;
        let keep = async move { store.keep_snapshot(&id, seq, body).await };
        Box::pin(wrap_future::<_, Self>(keep).map(move |kept, hall, _| {
            if let Err(cause) = kept {
                warn!(hall = %hall.hall.id(), seq, %cause, "snapshot not kept; the journal has it all");
            }
        }))
    }
}
