//! The channels of this machine: each a machine of its own on a journal of its own, beside the history
//! of its calls.
//!
//! ```text
//! calls ──> history (durable) ──> count: what the history has and the channel has not ──> health
//! ```
//!
//! A call is answered for when the history has it. Counting reads the history behind the place up to
//! which the channel has counted, so that a call is counted once, whatever breaks off in between.

mod counters;
mod follow;
pub mod import;
pub mod own;
pub mod retention;
mod taker;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::Arbiter;
use actors::alert_desk::{Answer, FactSource};
use actors::clock::SystemClock;
use actors::desk::{Desk, SubmitError, Submitted};
use actors::journal::Journal;
use actors::ports::{Clock as _, IdempotencyKey, PortError, StreamId};
use anyhow::{Context as _, anyhow};
use futures_util::future::join_all;
use rules::alerts::facts::channel::{Beyond, Node, facts};
use rules::alerts::subject::{Subject, SubjectKind};
use rules::channels::access::CallRefusal;
use rules::channels::call::Call;
use rules::channels::tally::Measured;
use rules::channels::{Channel, ChannelCommand, Direction, Masking, NewCall, Setup};
use rules::ids::ChannelId;
use rules::machine::Machine;
use rules::time::Timestamp;
use serde_json::Value;
use tokio::sync::Mutex;
use tracing::warn;

use counters::Counters;

use crate::store::Records;
use crate::store::records::{CallToCount, Kept, ReadyCalls, StoreError};
use crate::vitals::Collector;

/// Calls that are written in one transaction. Windows wait for the database meanwhile.
pub(crate) const AT_ONCE: usize = 2_000;

/// What calls leave in a channel is kept so often.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(60);

/// One channel.
pub struct Watched {
    pub id: ChannelId,
    pub desk: Desk<Channel>,
    /// Held by whoever keeps and counts calls: how far that has come, and how far a snapshot knows.
    counting: Mutex<Counted>,
    /// Since the process started.
    pub counters: Counters,
    /// Counted in memory alone since the last snapshot.
    touched: AtomicBool,
}

impl Watched {
    /// Notes that the next snapshot has something new.
    pub fn touched(&self) {
        self.touched.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Counted {
    to: u64,
    kept_to: u64,
    /// All that the history has is counted.
    whole: bool,
}

/// All channels.
#[derive(Clone)]
pub struct Channels {
    all: Arc<RwLock<BTreeMap<ChannelId, Arc<Watched>>>>,
    /// Whoever makes a channel; two at once would take it from each other.
    making: Arc<Mutex<()>>,
    journal: Journal,
    records: Records,
    threads: Arc<Arbiter>,
}

impl Channels {
    /// Rebuilds every channel and counts what its last snapshot does not know.
    ///
    /// # Errors
    /// The store does not answer, or holds what cannot be.
    pub async fn start(journal: Journal, records: Records) -> anyhow::Result<Self> {
        let channels = Self {
            all: Arc::default(),
            making: Arc::default(),
            journal,
            records,
            threads: Arc::new(Arbiter::new()),
        };
        let own = format!("@{}.", Channel::NAME);
        for stream in channels.journal.store().streams().await? {
            if let Some(id) = stream.as_str().strip_prefix(&own)
                && let Ok(id) = id.parse::<ChannelId>()
            {
                let watched = channels.watch(id).await?;
                // Of the own ones only examples are in the history.
                if !own::is_own(&watched.id) {
                    let mut counting = watched.counting.lock().await;
                    channels.count(&watched, &mut counting).await?;
                }
            }
        }
        actix_web::rt::spawn(channels.clone().keep_for_ever());
        Ok(channels)
    }

    pub fn get(&self, id: &ChannelId) -> Option<Arc<Watched>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.get(id).cloned()
    }

    pub fn all(&self) -> Vec<Arc<Watched>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.values().cloned().collect()
    }

    /// Sets a channel up, a new one included.
    ///
    /// # Errors
    /// See [`actors::desk::SubmitError`].
    pub async fn set_up(
        &self,
        id: &ChannelId,
        command: ChannelCommand,
        by: &str,
        key: Option<IdempotencyKey>,
    ) -> Submitted<Channel> {
        let _making = self.making.lock().await;
        let watched = match self.get(id) {
            Some(watched) => watched,
            None => {
                let watched = self.watch(id.clone()).await;
                watched.map_err(|cause| SubmitError::Unavailable(cause.to_string()))?
            }
        };
        watched.desk.submit(command, by, key).await
    }

    /// A channel of this product's own making, set up so unless it is there: what somebody has changed
    /// stays.
    ///
    /// # Errors
    /// It cannot be set up so, or the journal cannot be written.
    pub async fn made(
        &self,
        id: &ChannelId,
        setup: Value,
        by: &str,
    ) -> anyhow::Result<Arc<Watched>> {
        if let Some(watched) = self.get(id) {
            return Ok(watched);
        }
        let command = ChannelCommand::SetUp {
            channel: id.clone(),
            setup: serde_json::from_value(setup)?,
            revision: None,
        };
        let made = self.set_up(id, command, by, None).await;
        made.map_err(|cause| anyhow!("channel {id}: {cause}"))?;
        self.get(id)
            .with_context(|| format!("channel {id} is not set up"))
    }

    async fn watch(&self, id: ChannelId) -> Result<Arc<Watched>, PortError> {
        let stream = StreamId::of_machine(&format!("{}.{id}", Channel::NAME));
        let clock = Arc::new(SystemClock);
        let arbiter = self.threads.handle();
        let desk = Desk::start_on(stream, self.journal.clone(), clock, arbiter).await?;
        let watched = Arc::new(Watched {
            id: id.clone(),
            desk,
            counting: Mutex::default(),
            counters: Counters::default(),
            touched: AtomicBool::default(),
        });
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(id, Arc::clone(&watched));
        Ok(watched)
    }

    /// Checks a call of this product's own making and keeps it.
    ///
    /// # Errors
    /// The call cannot be, or the history cannot be written.
    pub async fn tell(
        &self,
        watched: &Watched,
        call: NewCall,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let limits = watched.desk.read(|channel, _| channel.limits()).await;
        let limits = limits.ok_or_else(being_rebuilt)?;
        let call = call.checked(&watched.id, String::new, &limits, &Masking::default(), now)?;
        self.record(watched, &[call]).await?;
        Ok(())
    }

    /// Keeps calls of one channel and counts them; how many were new.
    ///
    /// # Errors
    /// The history cannot be written. Of very many the first may be kept by then: telling of all of
    /// them again adds the others.
    pub async fn record(&self, watched: &Watched, calls: &[Call]) -> Result<u64, StoreError> {
        let mut new = 0;
        for some in calls.chunks(AT_ONCE) {
            let ready = self.ready(some)?;
            new += self.record_at_once(watched, some, ready).await?;
        }
        Ok(new)
    }

    /// Makes calls ready for [`Self::record_at_once`].
    ///
    /// # Errors
    /// One has no JSON.
    pub fn ready(&self, calls: &[Call]) -> Result<ReadyCalls, StoreError> {
        self.records.ready_calls(calls, SystemClock.now())
    }

    /// The same in one transaction, however many they are, of calls that are ready: for who keeps
    /// nobody waiting meanwhile.
    ///
    /// # Errors
    /// The history cannot be written; then none is kept.
    pub async fn record_at_once(
        &self,
        watched: &Watched,
        calls: &[Call],
        ready: ReadyCalls,
    ) -> Result<u64, StoreError> {
        // Places rise in the order of commits only while one writes at a time: a place that came late
        // would lie behind what is counted already.
        let mut counting = watched.counting.lock().await;
        let kept = self.records.keep_calls(ready).await?;
        let new = kept.new;
        if new > 0
            && let Err(cause) = self.count_kept(watched, &mut counting, calls, kept).await
        {
            // They are safe; the next count takes them along.
            counting.whole = false;
            warn!(channel = %watched.id, %cause, "calls kept but not counted yet");
        }
        Ok(new)
    }

    /// Counts calls that were just kept, without reading them back where that can be.
    async fn count_kept(
        &self,
        watched: &Watched,
        counting: &mut Counted,
        calls: &[Call],
        kept: Kept,
    ) -> Result<(), StoreError> {
        // Of the own ones only examples are in the history.
        if own::is_own(&watched.id) {
            return Ok(());
        }
        let Some(places) = kept.places.filter(|_| counting.whole) else {
            return self.count(watched, counting).await;
        };
        let last = places.last().copied().unwrap_or(counting.to);
        let told = calls.iter().zip(places);
        let told = told.map(|(call, place)| CallToCount::of(call, place));
        if count_page(watched, counting.to, told.collect()).await? {
            counting.to = last;
            return Ok(());
        }
        self.count(watched, counting).await
    }

    /// Counts what the history has and the channel has not.
    async fn count(&self, watched: &Watched, counting: &mut Counted) -> Result<(), StoreError> {
        loop {
            let read = watched.desk.read(|channel, _| channel.counted());
            let counted = read.await.ok_or_else(being_rebuilt)?;
            let calls = self.records.calls_after(&watched.id, counted).await?;
            if calls.is_empty() {
                (counting.to, counting.whole) = (counted, true);
                return Ok(());
            }
            count_page(watched, counted, calls).await?;
        }
    }

    async fn keep_for_ever(self) {
        loop {
            actix_web::rt::time::sleep(SNAPSHOT_EVERY).await;
            self.keep_all().await;
        }
    }

    /// Keeps a snapshot of each channel, so that the next start has nothing to read again.
    pub async fn keep_each(&self) {
        for watched in self.all() {
            watched.desk.keep_snapshot().await;
        }
    }

    /// Keeps a snapshot of each channel that has counted since the last one.
    pub async fn keep_all(&self) {
        for watched in self.all() {
            let mut counting = watched.counting.lock().await;
            let touched = watched.touched.swap(false, Ordering::Relaxed);
            if touched || counting.to > counting.kept_to {
                counting.kept_to = counting.to;
                watched.desk.keep_snapshot().await;
            }
        }
    }
}

fn being_rebuilt() -> StoreError {
    StoreError::Unavailable("the channel is being rebuilt".to_owned())
}

/// Counts calls that follow on a place; false if the channel stands elsewhere, because it was rebuilt.
async fn count_page(
    watched: &Watched,
    mut after: u64,
    mut calls: Vec<CallToCount>,
) -> Result<bool, StoreError> {
    // Each turn of health is journalled before the next call is counted.
    for call in &calls {
        watched.counters.note(call.result, call.micros);
    }
    while !calls.is_empty() {
        let update = watched.desk.update(move |channel, now| {
            (channel.counted() == after).then(|| {
                let turned = calls.iter().position(|call| {
                    channel.count_to(call.place);
                    channel.record_told(call.at, &measured(call), refusal(call), now)
                });
                let rest = calls.split_off(turned.map_or(calls.len(), |at| at + 1));
                (channel.counted(), rest)
            })
        });
        match update.await.ok_or_else(being_rebuilt)? {
            Some((counted, rest)) => (after, calls) = (counted, rest),
            None => return Ok(false),
        }
    }
    Ok(true)
}

fn measured(call: &CallToCount) -> Measured<'_> {
    Measured {
        caller: &call.caller,
        version: call.version.as_deref().unwrap_or(""),
        outcome: call.result,
        status: call.status,
        micros: call.micros,
    }
}

fn refusal(call: &CallToCount) -> Option<CallRefusal> {
    CallRefusal::from_code(call.reason.as_deref()?)
}

/// What rules may ask of channels.
pub struct ChannelSource {
    channels: Channels,
    vitals: Collector,
}

impl ChannelSource {
    pub const fn new(channels: Channels, vitals: Collector) -> Self {
        Self { channels, vitals }
    }
}

/// Of the product's own interfaces, which all run on this machine, one stands for all: one full disk is
/// one alert.
const STANDS_FOR_OWN: &str = "own-halls";

/// What is known of a channel beside its calls. One that calls go through runs on this machine.
fn beyond(channel: &Channel, node: Node) -> Beyond {
    let through = |setup: &Setup| setup.direction == Direction::Through;
    let own = channel.id().is_some_and(|id| id.as_str() == STANDS_FOR_OWN);
    let here = own || channel.setup().is_some_and(through);
    Beyond {
        node: if here { node } else { Node::default() },
        ..Beyond::default()
    }
}

impl FactSource for ChannelSource {
    fn name(&self) -> String {
        "channels".to_owned()
    }

    fn facts(&self) -> Answer {
        let (all, node) = (self.channels.all(), self.vitals.node());
        Box::pin(async move {
            // At once: asked one by one, each would be two more changes of threads every second.
            let reads = all.iter().map(|watched| {
                watched.desk.update(move |channel, now| {
                    channel.advance(now);
                    facts(channel, &beyond(channel, node), now)
                })
            });
            let found: Option<Vec<_>> = join_all(reads).await.into_iter().collect();
            // One that is being rebuilt is asked again at the next pass, with all the others.
            Some(found?.into_iter().flatten().collect())
        })
    }

    fn owns(&self, subject: &Subject) -> bool {
        subject.kind == SubjectKind::Channel
    }
}
