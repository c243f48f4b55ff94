//! The actor that holds a machine: one command at a time, each answered when it is journalled.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use rules::machine::{Machine, Recorded};
use rules::time::Timestamp;
use tokio::sync::{oneshot, watch};
use tracing::{error, info, warn};

use super::{Done, KeepSnapshot, Loaded, Read, Submit, SubmitError, Submitted, Update, Wake, gone};
use crate::answers::{Answers, Reused};
use crate::journal::{AppendError, Appended, Journal};
use crate::ports::{Append, Clock, Entry, IdempotencyKey, PortError, Rejected, StreamId};
use crate::turn::{Step, answered, in_turn};

/// Commands that may wait; more are made to wait at their connection.
const MAILBOX: usize = 1024;

/// Events between two snapshots at least.
const SNAPSHOT_EVERY: u64 = 2000;

/// An event is about so many bytes: a snapshot is written when the events since the last one weigh
/// as much as the snapshot did, so that writing snapshots costs each event about the same.
const EVENT_BYTES: u64 = 300;

/// The answer to a repeat.
fn again<M: Machine>(recorded: Vec<Recorded<M::Event>>) -> Arc<Done<M>> {
    Arc::new(Done {
        seq: recorded.last().map_or(0, |last| last.seq),
        recorded,
        replayed: true,
    })
}

/// One machine, one command at a time.
pub(super) struct DeskActor<M: Machine> {
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
    pub(super) fn new(
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
        let asked = wrap_future::<_, Self>(self.journal.clone().append_or_repeat(question));
        Box::pin(asked.map(move |result, _, _| match result {
            Ok(Appended::Before(recorded)) => Ok(again(recorded)),
            Ok(Appended::Now) | Err(AppendError::Rejected(_)) => Err(SubmitError::Refused(refusal)),
            Err(AppendError::KeyReused) => Err(SubmitError::KeyReused),
            Err(AppendError::Overloaded) => Err(SubmitError::Overloaded),
            Err(AppendError::Port(cause)) => Err(SubmitError::Unavailable(cause.to_string())),
        }))
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
        let written = wrap_future::<_, Self>(self.journal.clone().append_or_repeat(append));
        Box::pin(written.map(move |result, desk, ctx| match result {
            Ok(Appended::Now) => Ok(desk.settle(recorded, key, ctx)),
            Ok(Appended::Before(recorded)) => Ok(again(recorded)),
            Err(AppendError::Rejected(Rejected::Fenced)) if nothing => {
                Ok(desk.settle(recorded, key, ctx))
            }
            Err(error) => Err(desk.fail(error, ctx)),
        }))
    }

    fn fail(&self, error: AppendError, ctx: &mut Context<Self>) -> SubmitError<M::Refusal> {
        match error {
            AppendError::KeyReused => SubmitError::KeyReused,
            AppendError::Overloaded => SubmitError::Overloaded,
            AppendError::Port(PortError::Unavailable(cause)) => SubmitError::Unavailable(cause),
            cause => {
                error!(desk = %self.stream, %cause, "write refused or its outcome unknown; the desk is rebuilt");
                ctx.stop();
                gone()
            }
        }
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
