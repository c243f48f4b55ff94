//! The `Supervisor`: every hall of this node, started by a factory and started again when it is
//! gone. Halls do not notice each other's end.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use rules::forecast::WaitEstimate;
use rules::hall::{Hall, HallConfig, Recorded};
use rules::ids::HallId;
use tracing::{error, info, warn};

use crate::city::CityActor;
use crate::clock::SystemClock;
use crate::hall::{
    Children, HallActor, Issue, KeepSnapshot, Read, Submit, SubmitError, Tools, load,
};
use crate::hub::ScreenHub;
use crate::journal::{AppendError, Journal};
use crate::ports::{Append, Clock, Entry, IdempotencyKey, PortError, Rejected, StreamId, decode};
use crate::queue::QueueActor;
use crate::window::WindowActor;
use rules::ids::{ServiceId, WindowId};

/// How long a hall that ended waits before it is built again, so that a hall that cannot live does
/// not eat the machine.
const REBUILD_AFTER: Duration = Duration::from_millis(100);

/// And how long when the store did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The way to one hall and its windows and queues.
#[derive(Clone)]
pub struct HallHandle {
    pub actor: Addr<HallActor>,
    pub children: Arc<Children>,
    pub clock: Arc<dyn Clock>,
}

impl HallHandle {
    pub fn window(&self, id: &WindowId) -> Option<Addr<WindowActor>> {
        self.children.window(id)
    }

    pub fn queue(&self, id: &ServiceId) -> Option<Addr<QueueActor>> {
        self.children.queue(id)
    }

    /// Hands a command to the hall.
    ///
    /// # Errors
    /// See [`SubmitError`].
    pub async fn submit(&self, submit: Submit) -> crate::hall::Submitted {
        self.actor
            .send(submit)
            .await
            .unwrap_or_else(|_| Err(SubmitError::gone()))
    }

    /// Hands a command to the hall that gives out a number; also the wait expected of the ticket.
    pub async fn issue(&self, submit: Submit) -> (crate::hall::Submitted, Option<WaitEstimate>) {
        self.actor
            .send(Issue(submit))
            .await
            .unwrap_or_else(|_| (Err(SubmitError::gone()), None))
    }

    /// Reads the hall; `None` while it is being rebuilt.
    pub async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Hall, rules::Timestamp) -> R + Send + 'static,
    ) -> Option<R> {
        self.actor.send(Read::new(read)).await.ok()
    }
}

/// The halls that are live, found without asking anyone.
#[derive(Default)]
pub struct Halls(RwLock<BTreeMap<HallId, HallHandle>>);

impl Halls {
    pub fn get(&self, id: &HallId) -> Option<HallHandle> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    pub fn all(&self) -> Vec<(HallId, HallHandle)> {
        let halls = self.0.read().unwrap_or_else(PoisonError::into_inner);
        halls
            .iter()
            .map(|(id, handle)| (id.clone(), handle.clone()))
            .collect()
    }

    fn put(&self, id: HallId, handle: HallHandle) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, handle);
    }
}

/// Starts every hall that the journal knows; answers with their number when all are live.
#[derive(Message)]
#[rtype(result = "Result<usize, PortError>")]
pub struct StartAll;

/// Registers a new hall.
#[derive(Message)]
#[rtype(result = "Result<(), RegisterError>")]
pub struct Register {
    pub id: HallId,
    pub config: HallConfig,
    pub by: String,
    pub key: Option<IdempotencyKey>,
    /// The clock it lives by; the machine's unless it replays a recorded day.
    pub clock: Option<Arc<dyn Clock>>,
}

/// Why a hall was not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    #[error("the hall exists")]
    Exists {
        /// The same registration under the same key: a repeat, and no fault.
        repeated: bool,
    },
    #[error(transparent)]
    Refused(#[from] rules::Refusal),
    #[error("unavailable: {0}")]
    Unavailable(String),
}

/// Gives a hall its own clock from the next start on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SetClock {
    pub hall: HallId,
    pub clock: Arc<dyn Clock>,
}

/// Every hall keeps a snapshot, before the process ends in good order.
#[derive(Message)]
#[rtype(result = "()")]
pub struct KeepAll;

/// A hall actor was dropped.
#[derive(Message)]
#[rtype(result = "()")]
struct HallGone(HallId);

/// Counts for the health page.
#[derive(Message)]
#[rtype(result = "SupervisorFigures")]
pub struct Observe;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct SupervisorFigures {
    pub halls: usize,
    /// Halls built again since the process started.
    pub rebuilt: u64,
}

struct Gone {
    hall: HallId,
    supervisor: Addr<Supervisor>,
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.supervisor.do_send(HallGone(self.hall.clone()));
    }
}

pub struct Supervisor {
    journal: Journal,
    hub: Addr<ScreenHub>,
    city: Addr<CityActor>,
    halls: Arc<Halls>,
    clocks: BTreeMap<HallId, Arc<dyn Clock>>,
    /// Halls are spread over these threads.
    arbiters: Vec<ArbiterHandle>,
    started: usize,
    rebuilt: u64,
    stopping: bool,
}

impl Supervisor {
    pub fn new(
        journal: Journal,
        hub: Addr<ScreenHub>,
        city: Addr<CityActor>,
        halls: Arc<Halls>,
        arbiters: Vec<ArbiterHandle>,
    ) -> Self {
        Self {
            journal,
            hub,
            city,
            halls,
            clocks: BTreeMap::new(),
            arbiters,
            started: 0,
            rebuilt: 0,
            stopping: false,
        }
    }

    /// Builds one hall from the journal and puts it on a thread. `false` if it has no events.
    fn start_hall(
        &mut self,
        id: HallId,
        ctx: &Context<Self>,
    ) -> impl Future<Output = Result<bool, PortError>> + use<> {
        let clock = self
            .clocks
            .get(&id)
            .cloned()
            .unwrap_or_else(|| Arc::new(SystemClock));
        let tools = Tools {
            journal: self.journal.clone(),
            hub: self.hub.clone(),
            city: self.city.clone(),
            clock: Arc::clone(&clock),
            children: Arc::default(),
        };
        let arbiter = self.arbiters[self.started % self.arbiters.len()].clone();
        self.started += 1;
        let supervisor = ctx.address();
        let halls = Arc::clone(&self.halls);
        let start = async move {
            let store = Arc::clone(tools.journal.store());
            let loaded = match load(store, id.clone()).await {
                Ok(Some(loaded)) => loaded,
                Ok(None) => return Ok(false),
                Err(cause) => return Err(cause),
            };
            let gone = Gone {
                hall: id.clone(),
                supervisor,
            };
            let children = Arc::clone(&tools.children);
            let actor = HallActor::start_in_arbiter(&arbiter, move |_| {
                HallActor::new(loaded, tools, Box::new(gone))
            });
            // Its topics are open once it answers; only then is it found.
            let live = actor.send(Read::new(|_, _| ())).await.is_ok();
            if live {
                halls.put(
                    id,
                    HallHandle {
                        actor,
                        children,
                        clock,
                    },
                );
            }
            Ok(live)
        };
        // A task of its own: while the supervisor waits for a registration to be journalled it
        // polls nothing else, and a start half done would hold the database's turn for ever.
        let task = actix::spawn(start);
        async move {
            let stopped = |_| PortError::Unavailable("the start was broken off".to_owned());
            task.await.map_err(stopped)?
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;
}

impl Handler<StartAll> for Supervisor {
    type Result = ResponseActFuture<Self, Result<usize, PortError>>;

    fn handle(&mut self, _: StartAll, _: &mut Self::Context) -> Self::Result {
        let store = Arc::clone(self.journal.store());
        let list = async move {
            let streams = store.streams().await?;
            Ok::<Vec<HallId>, PortError>(streams.iter().filter_map(StreamId::hall).collect())
        };
        Box::pin(wrap_future::<_, Self>(list).then(|ids, supervisor, ctx| {
            let starts: Result<Vec<_>, _> = ids.map(|ids| {
                ids.into_iter()
                    .map(|id| supervisor.start_hall(id, ctx))
                    .collect()
            });
            wrap_future(async move {
                let mut live = 0;
                for start in starts? {
                    match start.await {
                        Ok(started) => live += usize::from(started),
                        // One hall that holds what cannot be does not keep the others closed.
                        Err(cause @ PortError::Corrupt(_)) => error!(%cause, "a hall stays closed"),
                        Err(cause) => return Err(cause),
                    }
                }
                Ok(live)
            })
        }))
    }
}

impl Handler<SetClock> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: SetClock, _: &mut Self::Context) {
        self.clocks.insert(message.hall, message.clock);
    }
}

impl Handler<Register> for Supervisor {
    type Result = AtomicResponse<Self, Result<(), RegisterError>>;

    fn handle(&mut self, message: Register, _: &mut Self::Context) -> Self::Result {
        let Register {
            id,
            config,
            by,
            key,
            clock,
        } = message;
        let exists = self.halls.get(&id).is_some();
        if let Some(clock) = clock.filter(|_| !exists) {
            self.clocks.insert(id.clone(), clock);
        }
        let now = self
            .clocks
            .get(&id)
            .map_or_else(|| SystemClock.now(), |clock| clock.now());
        let journal = self.journal.clone();
        let hall = id.clone();
        let write =
            async move { write_registration(journal, hall, config, now, by, key, exists).await };
        AtomicResponse::new(Box::pin(wrap_future::<_, Self>(write).then(
            move |written, supervisor, ctx| {
                let start = written.map(|()| supervisor.start_hall(id, ctx));
                wrap_future(async move {
                    match start?.await {
                        Ok(_) => Ok(()),
                        Err(cause) => Err(RegisterError::Unavailable(cause.to_string())),
                    }
                })
            },
        )))
    }
}

async fn write_registration(
    journal: Journal,
    hall: HallId,
    config: HallConfig,
    now: rules::Timestamp,
    by: String,
    key: Option<IdempotencyKey>,
    exists: bool,
) -> Result<(), RegisterError> {
    let event = Hall::register(config)?;
    let recorded = Recorded {
        seq: 1,
        at: now,
        by,
        event,
    };
    if exists {
        return Err(RegisterError::Exists {
            repeated: was_registered_so(&journal, &hall, &recorded, key).await,
        });
    }
    let unavailable = |cause: PortError| RegisterError::Unavailable(cause.to_string());
    let stream = StreamId::from(&hall);
    let head = journal.store().acquire(&stream).await;
    let append = Append {
        events: Entry::all(&[recorded]).map_err(unavailable)?,
        ..Append::nothing(stream, head.map_err(unavailable)?.epoch, key)
    };
    match journal.append(append).await {
        Ok(()) => Ok(()),
        Err(AppendError::Rejected(Rejected::Duplicate { .. })) => {
            Err(RegisterError::Exists { repeated: true })
        }
        Err(AppendError::Rejected(Rejected::Fenced)) => {
            Err(RegisterError::Exists { repeated: false })
        }
        Err(cause) => Err(RegisterError::Unavailable(cause.to_string())),
    }
}

/// Whether the hall's first event is this very registration, and the client gave a key for it.
async fn was_registered_so(
    journal: &Journal,
    hall: &HallId,
    wanted: &Recorded,
    key: Option<IdempotencyKey>,
) -> bool {
    if key.is_none() {
        return false;
    }
    let first = journal
        .store()
        .read_after(&hall.into(), 0, 1)
        .await
        .unwrap_or_default();
    first
        .into_iter()
        .next()
        .and_then(|first| decode::<rules::Event>(first).ok())
        .is_some_and(|first| first.event == wanted.event)
}

impl Handler<HallGone> for Supervisor {
    type Result = ();

    fn handle(&mut self, HallGone(id): HallGone, ctx: &mut Self::Context) {
        if self.stopping {
            return;
        }
        warn!(hall = %id, "hall ended; building it again from the journal");
        self.rebuilt += 1;
        ctx.run_later(REBUILD_AFTER, move |supervisor, ctx| {
            let start = supervisor.start_hall(id.clone(), ctx);
            ctx.spawn(
                wrap_future::<_, Self>(start).map(move |started, _, ctx| match started {
                    Ok(true) => info!(hall = %id, "hall is back"),
                    Ok(false) => {}
                    Err(cause) => {
                        error!(hall = %id, %cause, "hall cannot be built yet");
                        ctx.notify_later(HallGone(id), RETRY_AFTER);
                    }
                }),
            );
        });
    }
}

impl Handler<KeepAll> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: KeepAll, _: &mut Self::Context) -> Self::Result {
        self.stopping = true;
        let halls = self.halls.all();
        Box::pin(async move {
            for (_, handle) in halls {
                let _ = handle.actor.send(KeepSnapshot).await;
            }
        })
    }
}

impl Handler<Observe> for Supervisor {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        MessageResult(SupervisorFigures {
            halls: self.halls.all().len(),
            rebuilt: self.rebuilt,
        })
    }
}
