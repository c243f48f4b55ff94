//! The `HallActor`: one hall, one command at a time.
//!
//! It promises that a command is answered, shown and announced only after its events are in the
//! journal; that no command is decided while another's events are being written; and that all it
//! knows can be rebuilt from the journal. It does not decide: `rules::Hall` does.
//!
//! If the journal refuses the write or its outcome is unknown, only the journal knows the truth:
//! the actor stops and its supervisor builds a fresh one from what was written.

mod load;
mod publish;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dashboards::answer::TicketFace;
use dashboards::city::HallFace;
use rules::forecast::WaitEstimate;
use rules::hall::{Command, Hall, Recorded, Refusal};
use rules::ids::{ServiceId, TicketId, Token, WindowId};
use rules::time::Timestamp;
use tracing::{error, info, warn};

use crate::answers::{Answers, Reused};
use crate::city::{CityActor, HallChanged};
use crate::hub::{OpenTopic, ScreenHub, Shape, TakeSnapshot};
use crate::journal::{AppendError, Appended, Journal};
use crate::ports::{Append, Clock, Entry, IdempotencyKey, PortError, StreamId};
use crate::queue::{Estimate, QueueActor};
use crate::turn::{Step, answered, in_turn};
use crate::voice::VoiceActor;
use crate::window::WindowActor;

pub use load::{Loaded, load};

/// Commands that may wait for a hall; more than that are made to wait at their connection.
const MAILBOX: usize = 256;

/// Events between two snapshots at least: replaying so many takes a few milliseconds. A hall with
/// many tickets waits for as many events as its tickets have had, so that writing snapshots costs each
/// event about the same, however long the day.
const SNAPSHOT_EVERY: u64 = 2000;

/// Figures on boards are gathered for so long; calls are not. With the frame's own way to the last of
/// a thousand screens it stays below a tenth of a second.
const MERGE: Duration = Duration::from_millis(80);

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

/// A command that gives out a number. It is answered together with the wait expected of the ticket, so
/// that a lone caller goes to the hall's thread and back once.
#[derive(Message, Debug, Clone)]
#[rtype(result = "(Submitted, Option<WaitEstimate>)")]
pub struct Issue(pub Submit);

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

/// A hall's windows, queues and voice, found without asking the hall.
#[derive(Default)]
pub struct Children {
    windows: RwLock<BTreeMap<WindowId, Addr<WindowActor>>>,
    queues: RwLock<BTreeMap<ServiceId, Addr<QueueActor>>>,
    voice: RwLock<Option<Addr<VoiceActor>>>,
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

    /// How many windows and queues there are.
    pub fn counts(&self) -> (usize, usize) {
        let windows = self.windows.read().unwrap_or_else(PoisonError::into_inner);
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        (windows.len(), queues.len())
    }

    pub fn voice(&self) -> Option<Addr<VoiceActor>> {
        self.voice
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
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

pub struct HallActor {
    hall: Hall,
    epoch: i64,
    tools: Tools,
    topic: String,
    answers: Answers<Done>,
    watched: BTreeMap<TicketId, Token>,
    snapshot_seq: u64,
    wake: Option<SpawnHandle>,
    /// Tells the supervisor when this value is dropped, for whatever reason.
    _gone: Box<dyn std::any::Any + Send>,
}

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
    fn submit(&mut self, submit: Submit) -> Step<Self, Submitted> {
        if let Some(answer) = self.known_answer(submit.key.as_ref()) {
            return answered(answer);
        }
        let now = self.now();
        let due = self.hall.elapse(now);
        if due.is_empty() {
            return self.carry_out(submit, now);
        }
        let commit = self.commit(self.hall.recorded(due, now, "clock"), None);
        Box::pin(
            commit.then(move |result, hall: &mut Self, _| -> Step<Self, Submitted> {
                match result {
                    Ok(_) => hall.carry_out(submit, now),
                    Err(error) => answered(Err(error)),
                }
            }),
        )
    }

    /// The wait expected of the ticket that a command was about, as its queue knows it afterwards.
    fn estimate(&self, submitted: &Submitted) -> Step<Self, Option<WaitEstimate>> {
        let ticket = submitted
            .as_ref()
            .ok()
            .and_then(|done| done.ticket.as_ref());
        let asked = ticket.and_then(|ticket| {
            let queue = self.tools.children.queue(&ticket.service)?;
            Some(queue.send(Estimate {
                ahead: ticket.ahead?,
            }))
        });
        match asked {
            Some(asked) => {
                Box::pin(wrap_future::<_, Self>(asked).map(|answer, _, _| answer.ok().flatten()))
            }
            None => answered(None),
        }
    }

    fn carry_out(&mut self, submit: Submit, now: Timestamp) -> Step<Self, Submitted> {
        match self.hall.decide(&submit.command, now) {
            Ok(events) => {
                let recorded = self.hall.recorded(events, now, &submit.by);
                self.commit(recorded, submit.key)
            }
            Err(refusal) => self.refuse(refusal, submit.key),
        }
    }

    /// What cannot be done may be the repeat of what was done before this actor was born. An append
    /// of nothing asks the journal whether it knows the key.
    fn refuse(&self, refusal: Refusal, key: Option<IdempotencyKey>) -> Step<Self, Submitted> {
        if key.is_none() {
            return answered(Err(refusal.into()));
        }
        let question = Append::nothing(self.hall.id().into(), self.epoch, key.clone());
        let asked = wrap_future::<_, Self>(self.tools.journal.clone().append_or_repeat(question));
        Box::pin(asked.map(move |result, hall, _| match result {
            Ok(Appended::Before(recorded)) => Ok(hall.again(recorded)),
            Ok(Appended::Now) | Err(AppendError::Rejected(_)) => Err(refusal.into()),
            Err(AppendError::KeyReused) => Err(SubmitError::KeyReused),
            Err(AppendError::Overloaded) => Err(SubmitError::Overloaded),
            Err(AppendError::Port(cause)) => Err(SubmitError::Unavailable(cause.to_string())),
        }))
    }

    fn known_answer(&self, key: Option<&IdempotencyKey>) -> Option<Submitted> {
        Some(match self.answers.find(key)? {
            Ok(done) => Ok(Arc::new(Done {
                replayed: true,
                ..(**done).clone()
            })),
            Err(Reused) => Err(SubmitError::KeyReused),
        })
    }

    /// Journals the events; then, and only then, applies and shows them.
    fn commit(
        &self,
        recorded: Vec<Recorded>,
        key: Option<IdempotencyKey>,
    ) -> Step<Self, Submitted> {
        let events = match Entry::all(&recorded) {
            Ok(events) => events,
            Err(cause) => {
                return answered(Err(SubmitError::Unavailable(cause.to_string())));
            }
        };
        let append = Append {
            events,
            tickets: self.hall.preview(&recorded),
            ..Append::nothing(self.hall.id().into(), self.epoch, key.clone())
        };
        let written = wrap_future::<_, Self>(self.tools.journal.clone().append_or_repeat(append));
        Box::pin(written.map(move |result, hall, ctx| match result {
            Ok(Appended::Now) => Ok(hall.settle(recorded, key, ctx)),
            Ok(Appended::Before(recorded)) => Ok(hall.again(recorded)),
            Err(error) => Err(hall.fail(error, ctx)),
        }))
    }

    fn fail(&self, error: AppendError, ctx: &mut Context<Self>) -> SubmitError {
        match error {
            AppendError::KeyReused => SubmitError::KeyReused,
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

    /// The key was used before this actor was born: its events were in the journal.
    fn again(&self, recorded: Vec<Recorded>) -> Arc<Done> {
        Arc::new(Done {
            replayed: true,
            ..self.done(recorded)
        })
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
        let interval = SNAPSHOT_EVERY.max(4 * self.hall.figures().issued);
        if self.hall.seq() >= self.snapshot_seq + interval {
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
        self.start_voice();
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
        in_turn(|hall: &mut Self, _| hall.submit(submit))
    }
}

impl Handler<Issue> for HallActor {
    type Result = AtomicResponse<Self, (Submitted, Option<WaitEstimate>)>;

    fn handle(&mut self, Issue(submit): Issue, _: &mut Self::Context) -> Self::Result {
        in_turn(|hall: &mut Self, _| {
            let submitted = hall.submit(submit);
            Box::pin(submitted.then(|submitted, hall: &mut Self, _| {
                let estimate = hall.estimate(&submitted);
                estimate.map(|estimate, _, _| (submitted, estimate))
            }))
        })
    }
}

impl Handler<Wake> for HallActor {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Wake, _: &mut Self::Context) -> Self::Result {
        in_turn(|hall: &mut Self, ctx| {
            let now = hall.now();
            let due = hall.hall.elapse(now);
            if due.is_empty() {
                hall.rearm(ctx);
                return answered(());
            }
            let commit = hall.commit(hall.hall.recorded(due, now, "clock"), None);
            Box::pin(commit.map(|result, hall, ctx| {
                if let Err(cause) = result {
                    warn!(hall = %hall.hall.id(), %cause, "the day could not be ended yet");
                    hall.wake = Some(ctx.notify_later(Wake, Duration::from_secs(1)));
                }
            }))
        })
    }
}

impl<R: Send + 'static> Handler<Read<R>> for HallActor {
    type Result = MessageResult<Read<R>>;

    fn handle(&mut self, Read(read): Read<R>, _: &mut Self::Context) -> Self::Result {
        let now = self.now();
        MessageResult(read(&self.hall, now))
    }
}

impl Handler<KeepSnapshot> for HallActor {
    type Result = ResponseFuture<()>;

    /// Written outside of the actor: while a command is being journalled the actor polls nothing
    /// else, and a snapshot half written would then hold the database's turn for ever.
    fn handle(&mut self, _: KeepSnapshot, _: &mut Self::Context) -> Self::Result {
        let seq = self.hall.seq();
        let store = Arc::clone(self.tools.journal.store());
        let id = self.hall.id().clone();
        let body = match serde_json::to_string(&self.hall) {
            Ok(body) if seq > self.snapshot_seq => body,
            _ => return Box::pin(std::future::ready(())),
        };
        self.snapshot_seq = seq;
        Box::pin(async move {
            if let Err(cause) = store.keep_snapshot(&StreamId::from(&id), seq, body).await {
                warn!(hall = %id, seq, %cause, "snapshot not kept; the journal has it all");
            }
        })
    }
}
