//! The shell of every machine beside the halls: cases, alerts.
//!
//! It keeps the hall's promises: one command at a time, nothing answered before it is journalled,
//! everything rebuilt from the journal. What it does not do is decide; that is the machine's.
//!
//! ```text
//! Desk (handle) ── finds ──> DeskActor ── append ──> Journal
//!   keeper task: load, start, wait until it is gone, load again
//! ```

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use rules::machine::{Machine, Recorded};
use rules::time::Timestamp;
use tokio::sync::{oneshot, watch};
use tracing::{error, info, warn};

use crate::answers::{Answers, Reused};
use crate::journal::{AppendError, Journal};
use crate::ports::{
    Append, Clock, Entry, IdempotencyKey, PortError, Rejected, Store, StreamId, decode,
};
use crate::turn::{Step, answered, in_turn};

/// Commands that may wait; more are made to wait at their connection.
const MAILBOX: usize = 1024;

/// Events read from the journal at a time.
const PAGE: u32 = 1000;

/// Events between two snapshots at least.
const SNAPSHOT_EVERY: u64 = 2000;

/// An event is about so many bytes: a snapshot is written when the events since the last one weigh
/// as much as the snapshot did, so that writing snapshots costs each event about the same.
const EVENT_BYTES: u64 = 300;

/// How long a desk that ended waits before it is built again.
const REBUILD_AFTER: Duration = Duration::from_millis(100);

/// A command with who asks and, if the client may repeat it, its key.
#[derive(Message)]
#[rtype(result = "Submitted<M>")]
pub struct Submit<M: Machine> {
    pub command: M::Command,
    pub by: String,
    pub key: Option<IdempotencyKey>,
}

/// What a command made happen.
#[derive(Debug)]
pub struct Done<M: Machine> {
    /// The machine's sequence number after it.
    pub seq: u64,
    pub recorded: Vec<Recorded<M::Event>>,
    /// The answer repeats that of an earlier command with the same key.
    pub replayed: bool,
}

pub type Submitted<M> = Result<Arc<Done<M>>, SubmitError<<M as Machine>::Refusal>>;

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError<R: std::error::Error> {
    /// The machine says no; nothing changed.
    #[error("refused: {0}")]
    Refused(R),
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

type Reading<M, R> = Box<dyn FnOnce(&M, Timestamp) -> R + Send>;

/// Reads the machine at the present instant.
struct Read<M, R>(Reading<M, R>);

impl<M: Machine, R: Send + 'static> Message for Read<M, R> {
    type Result = R;
}

/// Keeps a snapshot now.
#[derive(Message)]
#[rtype(result = "()")]
struct KeepSnapshot;

type Change<M, R> = Box<dyn FnOnce(&mut M, Timestamp) -> R + Send>;

/// Changes of the machine what is no event.
struct Update<M, R>(Change<M, R>);

impl<M: Machine, R: Send + 'static> Message for Update<M, R> {
    type Result = R;
}

/// Time has passed.
#[derive(Message)]
#[rtype(result = "()")]
struct Wake;

/// How a desk does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeskFigures {
    /// Commands and questions that are not answered yet.
    pub in_hand: usize,
    /// Times it was built again since the process started.
    pub rebuilt: u64,
}

#[derive(Default)]
struct Counters {
    in_hand: AtomicUsize,
    rebuilt: AtomicU64,
}

/// One command or question in hand, as long as it lives.
struct InHand(Arc<Counters>);

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.in_hand.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The way to one machine; cheap to clone.
pub struct Desk<M: Machine> {
    actor: Arc<RwLock<Option<Addr<DeskActor<M>>>>>,
    changed: watch::Receiver<u64>,
    counters: Arc<Counters>,
}

impl<M: Machine> Clone for Desk<M> {
    fn clone(&self) -> Self {
        Self {
            actor: Arc::clone(&self.actor),
            changed: self.changed.clone(),
            counters: Arc::clone(&self.counters),
        }
    }
}

impl<M: Machine> Desk<M> {
    /// Rebuilds the machine from the journal, starts it on a thread of `arbiter`, and starts it again
    /// whenever it is gone. Returns when it is live.
    ///
    /// # Errors
    /// The store does not answer, or holds what cannot be.
    pub async fn start(
        journal: Journal,
        clock: Arc<dyn Clock>,
        arbiter: ArbiterHandle,
    ) -> Result<Self, PortError> {
        let stream = StreamId::of_machine(M::NAME);
        Self::start_on(stream, journal, clock, arbiter).await
    }

    /// Like [`Self::start`], for one of several machines of a kind, each with a stream of its own.
    ///
    /// # Errors
    /// The store does not answer, or holds what cannot be.
    pub async fn start_on(
        stream: StreamId,
        journal: Journal,
        clock: Arc<dyn Clock>,
        arbiter: ArbiterHandle,
    ) -> Result<Self, PortError> {
        let first = load::<M>(&**journal.store(), &stream).await?;
        let (seq, changed) = watch::channel(first.machine.seq());
        let desk = Self {
            actor: Arc::default(),
            changed,
            counters: Arc::default(),
        };
        let seq = Arc::new(seq);
        let start = {
            let actor = Arc::clone(&desk.actor);
            let journal = journal.clone();
            let stream = stream.clone();
            move |loaded| {
                let (gone, ended) = oneshot::channel();
                let shell = DeskActor::new(
                    stream.clone(),
                    loaded,
                    journal.clone(),
                    Arc::clone(&clock),
                    Arc::clone(&seq),
                    gone,
                );
                let started = DeskActor::start_in_arbiter(&arbiter, |_| shell);
                *actor.write().unwrap_or_else(PoisonError::into_inner) = Some(started);
                ended
            }
        };
        let counters = Arc::clone(&desk.counters);
        tokio::spawn(keep_alive(stream, start(first), journal, start, counters));
        Ok(desk)
    }

    /// How it does now.
    pub fn figures(&self) -> DeskFigures {
        DeskFigures {
            in_hand: self.counters.in_hand.load(Ordering::Relaxed),
            rebuilt: self.counters.rebuilt.load(Ordering::Relaxed),
        }
    }

    fn take_in_hand(&self) -> InHand {
        self.counters.in_hand.fetch_add(1, Ordering::Relaxed);
        InHand(Arc::clone(&self.counters))
    }

    /// Hands over a command.
    ///
    /// # Errors
    /// See [`SubmitError`].
    pub async fn submit(
        &self,
        command: M::Command,
        by: &str,
        key: Option<IdempotencyKey>,
    ) -> Submitted<M> {
        let submit = Submit {
            command,
            by: by.to_owned(),
            key,
        };
        let _in_hand = self.take_in_hand();
        match self.actor() {
            Some(actor) => actor.send(submit).await.unwrap_or_else(|_| Err(gone())),
            None => Err(gone()),
        }
    }

    /// Reads the machine; `None` while it is being rebuilt.
    pub async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&M, Timestamp) -> R + Send + 'static,
    ) -> Option<R> {
        let actor = self.actor()?;
        let _in_hand = self.take_in_hand();
        actor.send(Read(Box::new(read))).await.ok()
    }

    /// Changes what is no event, such as counts of what is kept elsewhere, and journals what follows
    /// from it. `None` while the machine is being rebuilt.
    pub async fn update<R: Send + 'static>(
        &self,
        update: impl FnOnce(&mut M, Timestamp) -> R + Send + 'static,
    ) -> Option<R> {
        let actor = self.actor()?;
        let _in_hand = self.take_in_hand();
        actor.send(Update(Box::new(update))).await.ok()
    }

    /// The machine's sequence number, to be awaited.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    /// Keeps a snapshot, before the process ends.
    pub async fn keep_snapshot(&self) {
        if let Some(actor) = self.actor() {
            let _ = actor.send(KeepSnapshot).await;
        }
    }

    fn actor(&self) -> Option<Addr<DeskActor<M>>> {
        let actor = self.actor.read().unwrap_or_else(PoisonError::into_inner);
        actor.clone()
    }
}

fn gone<R: std::error::Error>() -> SubmitError<R> {
    SubmitError::Unavailable("the desk is being rebuilt".to_owned())
}

/// Builds the machine anew from the journal each time its actor ends.
async fn keep_alive<M: Machine>(
    stream: StreamId,
    mut ended: oneshot::Receiver<()>,
    journal: Journal,
    start: impl Fn(Loaded<M>) -> oneshot::Receiver<()>,
    counters: Arc<Counters>,
) {
    loop {
        let _ = (&mut ended).await;
        counters.rebuilt.fetch_add(1, Ordering::Relaxed);
        warn!(desk = %stream, "desk ended; building it again from the journal");
        loop {
            tokio::time::sleep(REBUILD_AFTER).await;
            match load::<M>(&**journal.store(), &stream).await {
                Ok(loaded) => {
                    ended = start(loaded);
                    break;
                }
                Err(cause) => error!(desk = %stream, %cause, "desk cannot be built yet"),
            }
        }
    }
}

/// A machine as rebuilt from the journal, and the epoch under which this process writes it.
pub struct Loaded<M> {
    pub machine: M,
    pub epoch: i64,
    /// Sequence number and bytes of the snapshot it came from.
    snapshot: (u64, u64),
}

/// Takes a machine's stream and rebuilds the machine from snapshot and events.
///
/// # Errors
/// The store does not answer, or holds what cannot be.
pub async fn load<M: Machine>(
    store: &dyn Store,
    stream: &StreamId,
) -> Result<Loaded<M>, PortError> {
    let head = store.acquire(stream).await?;
    let (mut machine, mut snapshot) = (M::default(), (0, 0));
    if let Some((seq, body)) = store.latest_snapshot(stream).await? {
        match serde_json::from_str(&body) {
            Ok(kept) => (machine, snapshot) = (kept, (seq, body.len() as u64)),
            Err(cause) => {
                warn!(desk = %stream, seq, %cause, "snapshot not readable; replaying from the start");
            }
        }
    }
    loop {
        let page = store.read_after(stream, machine.seq(), PAGE).await?;
        if page.is_empty() {
            break;
        }
        for stored in page {
            machine.apply(&decode(stored)?);
        }
    }
    if machine.seq() != head.seq {
        return Err(PortError::Corrupt(format!(
            "{stream} has events up to {} but its head says {}",
            machine.seq(),
            head.seq
        )));
    }
    Ok(Loaded {
        machine,
        epoch: head.epoch,
        snapshot,
    })
}

/// The answer to a repeat.
fn again<M: Machine>(recorded: Vec<Recorded<M::Event>>) -> Arc<Done<M>> {
    Arc::new(Done {
        seq: recorded.last().map_or(0, |last| last.seq),
        recorded,
        replayed: true,
    })
}

/// One machine, one command at a time.
pub struct DeskActor<M: Machine> {
    stream: StreamId,
    machine: M,
    epoch: i64,
    journal: Journal,
    clock: Arc<dyn Clock>,
    answers: Answers<Done<M>>,
    /// Sequence number and bytes of the last snapshot.
    snapshot: (u64, u64),
    changed: Arc<watch::Sender<u64>>,
    /// Whether there is something that only a snapshot keeps.
    updated: bool,
    wake: Option<SpawnHandle>,
    /// Tells the keeper when this value is dropped, for whatever reason.
    _gone: oneshot::Sender<()>,
}

impl<M: Machine> DeskActor<M> {
    fn new(
        stream: StreamId,
        loaded: Loaded<M>,
        journal: Journal,
        clock: Arc<dyn Clock>,
        changed: Arc<watch::Sender<u64>>,
        gone: oneshot::Sender<()>,
    ) -> Self {
        Self {
            stream,
            machine: loaded.machine,
            epoch: loaded.epoch,
            journal,
            clock,
            answers: Answers::default(),
            snapshot: loaded.snapshot,
            changed,
            updated: false,
            wake: None,
            _gone: gone,
        }
    }

    /// First what fell due, then the command, each in its own write.
    fn submit(&mut self, submit: Submit<M>) -> Step<Self, Submitted<M>> {
        if let Some(known) = self.answers.find(submit.key.as_ref()) {
            return answered(match known {
                Ok(done) => Ok(again(done.recorded.clone())),
                Err(Reused) => Err(SubmitError::KeyReused),
            });
        }
        let now = self.clock.now();
        self.machine.advance(now);
        let due = self.machine.elapse(now);
        if due.is_empty() {
            return self.carry_out(submit, now);
        }
        let commit = self.commit(due, "clock", now, None);
        Box::pin(commit.then(
            move |result, desk: &mut Self, _| -> Step<Self, Submitted<M>> {
                match result {
                    Ok(_) => desk.carry_out(submit, now),
                    Err(error) => answered(Err(error)),
                }
            },
        ))
    }

    fn carry_out(&mut self, submit: Submit<M>, now: Timestamp) -> Step<Self, Submitted<M>> {
        let Submit { command, by, key } = submit;
        match self.machine.decide(&command, &by, now) {
            Ok(events) if events.is_empty() && key.is_none() => answered(Ok(Arc::new(Done {
                seq: self.machine.seq(),
                recorded: Vec::new(),
                replayed: false,
            }))),
            Ok(events) => self.commit(events, &by, now, key),
            Err(refusal) => self.refuse(refusal, key),
        }
    }

    /// What cannot be done may be the repeat of what was done before this actor was born. An append
    /// of nothing asks the journal whether it knows the key.
    fn refuse(&self, refusal: M::Refusal, key: Option<IdempotencyKey>) -> Step<Self, Submitted<M>> {
        if key.is_none() {
            return answered(Err(SubmitError::Refused(refusal)));
        }
        let question = Append::nothing(self.stream.clone(), self.epoch, key.clone());
        let asked = wrap_future::<_, Self>(self.journal.clone().append(question));
        Box::pin(
            asked.then(move |result, desk, _| -> Step<Self, Submitted<M>> {
                match result {
                    Err(AppendError::Rejected(Rejected::Duplicate {
                        fingerprint,
                        first_seq,
                        count,
                    })) => desk.answer_again(key, &fingerprint, first_seq, count),
                    Err(AppendError::Port(cause)) => {
                        answered(Err(SubmitError::Unavailable(cause.to_string())))
                    }
                    Err(AppendError::Overloaded) => answered(Err(SubmitError::Overloaded)),
                    Ok(()) | Err(AppendError::Rejected(Rejected::Fenced)) => {
                        answered(Err(SubmitError::Refused(refusal)))
                    }
                }
            }),
        )
    }

    /// Journals the events; then, and only then, applies and tells of them. Without events only the
    /// key is asked for.
    fn commit(
        &self,
        events: Vec<M::Event>,
        by: &str,
        now: Timestamp,
        key: Option<IdempotencyKey>,
    ) -> Step<Self, Submitted<M>> {
        let recorded: Vec<_> = (self.machine.seq() + 1..)
            .zip(events)
            .map(|(seq, event)| Recorded {
                seq,
                at: now,
                by: by.to_owned(),
                event,
            })
            .collect();
        let entries = match Entry::all(&recorded) {
            Ok(entries) => entries,
            Err(cause) => {
                return answered(Err(SubmitError::Unavailable(cause.to_string())));
            }
        };
        let nothing = recorded.is_empty();
        let append = Append {
            events: entries,
            items: self.machine.items(&recorded),
            ..Append::nothing(self.stream.clone(), self.epoch, key.clone())
        };
        let written = wrap_future::<_, Self>(self.journal.clone().append(append));
        Box::pin(
            written.then(move |result, desk, ctx| -> Step<Self, Submitted<M>> {
                match result {
                    Ok(()) => answered(Ok(desk.settle(recorded, key, ctx))),
                    Err(AppendError::Rejected(Rejected::Duplicate {
                        fingerprint,
                        first_seq,
                        count,
                    })) => desk.answer_again(key, &fingerprint, first_seq, count),
                    Err(AppendError::Rejected(Rejected::Fenced)) if nothing => {
                        answered(Ok(desk.settle(recorded, key, ctx)))
                    }
                    Err(error) => answered(Err(desk.fail(error, ctx))),
                }
            }),
        )
    }

    fn fail(&self, error: AppendError, ctx: &mut Context<Self>) -> SubmitError<M::Refusal> {
        match error {
            AppendError::Overloaded => SubmitError::Overloaded,
            AppendError::Port(PortError::Unavailable(cause)) => SubmitError::Unavailable(cause),
            cause => {
                error!(desk = %self.stream, %cause, "write refused or its outcome unknown; the desk is rebuilt");
                ctx.stop();
                gone()
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
    ) -> Step<Self, Submitted<M>> {
        if key.is_some_and(|key| key.fingerprint != fingerprint) {
            return answered(Err(SubmitError::KeyReused));
        }
        let store = Arc::clone(self.journal.store());
        let stream = self.stream.clone();
        let read = async move {
            let stored = store.read_after(&stream, first_seq - 1, count as u32);
            let events = stored.await?.into_iter().map(decode);
            events.collect::<Result<Vec<_>, PortError>>()
        };
        Box::pin(
            wrap_future::<_, Self>(read).map(|events, _, _| match events {
                Ok(recorded) => Ok(again(recorded)),
                Err(cause) => Err(SubmitError::Unavailable(cause.to_string())),
            }),
        )
    }

    fn settle(
        &mut self,
        recorded: Vec<Recorded<M::Event>>,
        key: Option<IdempotencyKey>,
        ctx: &mut Context<Self>,
    ) -> Arc<Done<M>> {
        for one in &recorded {
            self.machine.apply(one);
        }
        self.rearm(ctx);
        let seq = self.machine.seq();
        let (kept_seq, kept_bytes) = self.snapshot;
        if seq >= kept_seq + SNAPSHOT_EVERY.max(kept_bytes / EVENT_BYTES) {
            ctx.notify(KeepSnapshot);
        }
        let done = Arc::new(Done {
            seq,
            recorded,
            replayed: false,
        });
        if !done.recorded.is_empty() {
            self.changed.send_replace(seq);
        }
        if let Some(key) = key {
            self.answers.keep(key, Arc::clone(&done));
        }
        done
    }

    fn rearm(&mut self, ctx: &mut Context<Self>) {
        if let Some(wake) = self.wake.take() {
            ctx.cancel_future(wake);
        }
        self.wake = self.machine.next_deadline().map(|at| {
            // An hour at most: the machine's clock may be set, and its sleep would not know.
            let sleep = self.clock.until(at).min(Duration::from_secs(3600));
            ctx.notify_later(Wake, sleep + Duration::from_millis(5))
        });
    }
}

impl<M: Machine> Actor for DeskActor<M> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.machine.resume(self.clock.now());
        self.changed.send_replace(self.machine.seq());
        self.rearm(ctx);
        info!(
            desk = %self.stream,
            seq = self.machine.seq(),
            epoch = self.epoch,
            "desk is live"
        );
    }
}

impl<M: Machine> Handler<Submit<M>> for DeskActor<M> {
    type Result = AtomicResponse<Self, Submitted<M>>;

    fn handle(&mut self, submit: Submit<M>, _: &mut Self::Context) -> Self::Result {
        in_turn(|desk: &mut Self, _| desk.submit(submit))
    }
}

impl<M: Machine> Handler<Wake> for DeskActor<M> {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Wake, _: &mut Self::Context) -> Self::Result {
        in_turn(|desk: &mut Self, ctx| {
            let now = desk.clock.now();
            desk.machine.advance(now);
            let due = desk.machine.elapse(now);
            if due.is_empty() {
                desk.rearm(ctx);
                return answered(());
            }
            let commit = desk.commit(due, "clock", now, None);
            Box::pin(commit.map(|result, desk, ctx| {
                if let Err(cause) = result {
                    warn!(desk = %desk.stream, %cause, "what fell due could not be written yet");
                    desk.wake = Some(ctx.notify_later(Wake, Duration::from_secs(1)));
                }
            }))
        })
    }
}

impl<M: Machine, R: Send + 'static> Handler<Update<M, R>> for DeskActor<M> {
    type Result = AtomicResponse<Self, R>;

    fn handle(&mut self, Update(update): Update<M, R>, _: &mut Self::Context) -> Self::Result {
        in_turn(|desk: &mut Self, ctx| {
            let now = desk.clock.now();
            let answer = update(&mut desk.machine, now);
            desk.updated = true;
            desk.machine.advance(now);
            let due = desk.machine.elapse(now);
            if due.is_empty() {
                desk.rearm(ctx);
                return answered(answer);
            }
            let commit = desk.commit(due, "clock", now, None);
            Box::pin(commit.map(move |result, desk: &mut Self, ctx| {
                if let Err(cause) = result {
                    warn!(desk = %desk.stream, %cause, "what followed could not be written yet");
                    desk.wake = Some(ctx.notify_later(Wake, Duration::from_secs(1)));
                }
                answer
            }))
        })
    }
}

impl<M: Machine, R: Send + 'static> Handler<Read<M, R>> for DeskActor<M> {
    type Result = MessageResult<Read<M, R>>;

    fn handle(&mut self, Read(read): Read<M, R>, _: &mut Self::Context) -> Self::Result {
        MessageResult(read(&self.machine, self.clock.now()))
    }
}

impl<M: Machine> Handler<KeepSnapshot> for DeskActor<M> {
    type Result = ResponseFuture<()>;

    /// Written outside of the actor: while a command is being journalled the actor polls nothing
    /// else, and a snapshot half written would then hold the database's turn for ever.
    fn handle(&mut self, _: KeepSnapshot, _: &mut Self::Context) -> Self::Result {
        let seq = self.machine.seq();
        let store = Arc::clone(self.journal.store());
        let body = match serde_json::to_string(&self.machine) {
            Ok(body) if seq > self.snapshot.0 || self.updated => body,
            _ => return Box::pin(std::future::ready(())),
        };
        self.snapshot = (seq, body.len() as u64);
        self.updated = false;
        let stream = self.stream.clone();
        Box::pin(async move {
            if let Err(cause) = store.keep_snapshot(&stream, seq, body).await {
                warn!(desk = %stream, seq, %cause, "snapshot not kept; the journal has it all");
            }
        })
    }
}
