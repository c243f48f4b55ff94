//! The feeds of this machine: each a machine of its own on a journal of its own, beside the table of its
//! records.
//!
//! ```text
//! records ──> table (durable) ──> count of the batch ──> journal of the feed
//! ```
//!
//! Records are answered for when the table has them. The journal is then told the batch's numbers as
//! counted from the table: told again, after a crash in between, they are the same.

mod held;
pub mod import;
pub mod push;
pub mod settings;
mod tickets;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use actix::Arbiter;
use actors::alert_desk::{Answer, FactSource};
use actors::clock::SystemClock;
use actors::desk::{Desk, SubmitError, Submitted};
use actors::journal::Journal;
use actors::ports::{Clock as _, IdempotencyKey, PortError, StreamId};
use futures_util::future::join_all;
use rules::alerts::facts;
use rules::alerts::subject::{Subject, SubjectKind};
use rules::channels::feed::batch::RECORDS_MAX;
use rules::channels::feed::compare::COMPARED_MAX;
use rules::channels::feed::{
    BatchState, Feed, FeedCommand, FeedDirection, FeedRefusal, FeedSetup, Known, NewRecord, Record,
    RecordState, compare,
};
use rules::ids::FeedId;
use rules::machine::Machine;
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::sync::{Mutex, Notify};

use crate::store::Records;
use crate::store::records::{Pushed, StoreError};
use crate::web::auth::hex;

/// Feeds of one installation.
pub const FEEDS_MAX: usize = 500;

/// Why nothing was taken, or not all of it is known yet.
#[derive(Debug, Error)]
pub enum FeedError {
    #[error(transparent)]
    Refused(#[from] FeedRefusal),
    #[error(transparent)]
    Submit(#[from] SubmitError<FeedRefusal>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn rebuilt() -> FeedError {
    FeedError::Submit(SubmitError::Unavailable(
        "the feed is being rebuilt".to_owned(),
    ))
}

/// What became of records that came together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Taken {
    pub accepted: u64,
    pub corrected: u64,
    pub quarantined: u64,
    pub duplicates: u64,
    /// To be pushed.
    pub waiting: u64,
}

/// One feed.
pub struct Holder {
    pub id: FeedId,
    pub desk: Desk<Feed>,
    /// Held by whoever changes records: what is known of them must not change meanwhile.
    taking: Mutex<()>,
}

impl Holder {
    /// Reads the feed.
    ///
    /// # Errors
    /// It is being rebuilt.
    pub async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Feed, Timestamp) -> R + Send + 'static,
    ) -> Result<R, FeedError> {
        self.desk.read(read).await.ok_or_else(rebuilt)
    }

    /// What was agreed.
    ///
    /// # Errors
    /// Nothing was, or it is being rebuilt.
    pub async fn setup(&self) -> Result<FeedSetup, FeedError> {
        let setup = self.read(|feed, _| feed.setup().cloned()).await?;
        Ok(setup.ok_or(FeedRefusal::NotSetUp)?)
    }

    async fn submit(&self, command: FeedCommand, by: &str) -> Result<(), FeedError> {
        self.desk.submit(command, by, None).await?;
        Ok(())
    }
}

/// All feeds.
#[derive(Clone)]
pub struct Feeds {
    all: Arc<RwLock<BTreeMap<FeedId, Arc<Holder>>>>,
    /// Whoever makes a feed; two at once would take it from each other.
    making: Arc<Mutex<()>>,
    journal: Journal,
    records: Records,
    threads: Arc<Arbiter>,
    /// Told when there may be something to push.
    pub due: Arc<Notify>,
}

impl Feeds {
    /// Rebuilds every feed, and tells it of records that its journal may not know.
    ///
    /// # Errors
    /// The store does not answer, or holds what cannot be.
    pub async fn start(journal: Journal, records: Records) -> anyhow::Result<Self> {
        let feeds = Self {
            all: Arc::default(),
            making: Arc::default(),
            journal,
            records,
            threads: Arc::new(Arbiter::new()),
            due: Arc::default(),
        };
        let own = format!("@{}.", Feed::NAME);
        for stream in feeds.journal.store().streams().await? {
            if let Some(id) = stream.as_str().strip_prefix(&own)
                && let Ok(id) = id.parse::<FeedId>()
            {
                let holder = feeds.hold(id).await?;
                feeds.catch_up(&holder).await?;
            }
        }
        Ok(feeds)
    }

    pub fn get(&self, id: &FeedId) -> Option<Arc<Holder>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.get(id).cloned()
    }

    pub fn all(&self) -> Vec<Arc<Holder>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.values().cloned().collect()
    }

    /// Sets a feed up, a new one included.
    ///
    /// # Errors
    /// See [`SubmitError`].
    pub async fn set_up(
        &self,
        id: &FeedId,
        setup: FeedSetup,
        revision: Option<u64>,
        by: &str,
        key: Option<IdempotencyKey>,
    ) -> Submitted<Feed> {
        let _making = self.making.lock().await;
        let holder = match self.get(id) {
            Some(holder) => holder,
            None => {
                let holder = self.hold(id.clone()).await;
                holder.map_err(|cause| SubmitError::Unavailable(cause.to_string()))?
            }
        };
        let command = FeedCommand::SetUp {
            feed: id.clone(),
            setup: Box::new(setup),
            revision,
        };
        let done = holder.desk.submit(command, by, key).await;
        self.due.notify_one();
        done
    }

    async fn hold(&self, id: FeedId) -> Result<Arc<Holder>, PortError> {
        let stream = StreamId::of_machine(&format!("{}.{id}", Feed::NAME));
        let clock = Arc::new(SystemClock);
        let arbiter = self.threads.handle();
        let desk = Desk::start_on(stream, self.journal.clone(), clock, arbiter).await?;
        let holder = Arc::new(Holder {
            id: id.clone(),
            desk,
            taking: Mutex::default(),
        });
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(id, Arc::clone(&holder));
        Ok(holder)
    }

    /// Counts the batches that are under way: the table may have what the journal was not told.
    async fn catch_up(&self, holder: &Holder) -> Result<(), FeedError> {
        let open = holder.read(|feed, _| {
            let settled = |state| matches!(state, BatchState::Reconciled | BatchState::Corrected);
            let newest = feed.newest().map(|(id, _)| id.to_owned());
            let all = feed.batches().filter(|(_, batch)| !settled(batch.state));
            let mut ids: BTreeSet<String> = all.map(|(id, _)| id.to_owned()).collect();
            ids.extend(newest);
            ids
        });
        for batch in open.await? {
            self.count(holder, &batch, "clock").await?;
        }
        Ok(())
    }

    /// Tells the feed what the table has of a batch.
    async fn count(&self, holder: &Holder, batch: &str, by: &str) -> Result<(), FeedError> {
        let direction = holder.read(|feed, _| feed.direction()).await?;
        let totals = self
            .records
            .count_feed_records(&holder.id, batch, direction)
            .await?;
        let batch = batch.to_owned();
        holder
            .submit(FeedCommand::Count { batch, totals }, by)
            .await
    }

    /// Takes records into a batch: checks them, keeps them, counts them. `windows` are those of the
    /// directory.
    ///
    /// # Errors
    /// The refusal, and nothing was taken; or the database does not answer, and a repeat is safe.
    pub async fn take(
        &self,
        holder: &Holder,
        batch: &str,
        records: Vec<NewRecord>,
        windows: BTreeSet<String>,
        by: &str,
    ) -> Result<Taken, FeedError> {
        let _taking = holder.taking.lock().await;
        let setup = self.admit(holder, batch, records.len()).await?;
        let judged = judge(records, &setup, &windows)?;
        let ids: Vec<&str> = judged.keys().map(String::as_str).collect();
        let known = self.records.known_feed_records(&holder.id, &ids).await?;
        let sorted = Sorted::of(judged, batch, &known);
        let (id, at) = (&holder.id, SystemClock.now());
        if !sorted.fresh.is_empty() {
            self.records
                .keep_feed_records(id, batch, &sorted.fresh, at)
                .await?;
        }
        if !sorted.again.is_empty() {
            let again = sorted.again.iter();
            let again = again.map(|(id, times)| (id.as_str(), *times)).collect();
            self.records
                .repeat_feed_records(id, batch, &again, at)
                .await?;
        }
        for (earlier, ids) in &sorted.released {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            self.records
                .release_feed_records(id, earlier, &ids, at)
                .await?;
            self.count(holder, earlier, by).await?;
        }
        self.count(holder, batch, by).await?;
        if sorted.taken.waiting + sorted.taken.quarantined > 0 {
            self.due.notify_one();
        }
        Ok(sorted.taken)
    }

    async fn admit(
        &self,
        holder: &Holder,
        batch: &str,
        count: usize,
    ) -> Result<FeedSetup, FeedError> {
        let batch = batch.to_owned();
        let admits = holder.read(move |feed, _| {
            feed.admits(&batch, count)?;
            feed.setup().cloned().ok_or(FeedRefusal::NotSetUp)
        });
        Ok(admits.await??)
    }

    /// Takes note of what came of pushing records of a batch.
    ///
    /// # Errors
    /// See [`Self::take`].
    pub async fn told(
        &self,
        holder: &Holder,
        batch: &str,
        pushed: &[Pushed],
        by: &str,
    ) -> Result<(), FeedError> {
        let _taking = holder.taking.lock().await;
        let setup = self.admit(holder, batch, 0).await?;
        if setup.direction != FeedDirection::Push {
            let direction = setup.direction.name();
            return Err(FeedRefusal::WrongDirection { direction }.into());
        }
        // Records that nobody told of before count against the batch's limit.
        let ids: Vec<&str> = pushed.iter().map(|one| one.id.as_str()).collect();
        let known = self.records.known_feed_records(&holder.id, &ids).await?;
        let strange = ids.iter().filter(|id| !known.contains_key(**id)).count();
        self.admit(holder, batch, strange).await?;
        self.records
            .tell_pushes(&holder.id, batch, pushed, SystemClock.now())
            .await?;
        self.count(holder, batch, by).await
    }

    /// Puts a record in quarantine right. What it was stays beside what it is.
    ///
    /// # Errors
    /// It is not in quarantine, or the correction cannot be taken either.
    pub async fn correct(
        &self,
        holder: &Holder,
        batch: &str,
        id: &str,
        body: Value,
        windows: BTreeSet<String>,
        by: &str,
    ) -> Result<(), FeedError> {
        let _taking = holder.taking.lock().await;
        let setup = holder.setup().await?;
        let new = NewRecord {
            id: Some(id.to_owned()),
            row: None,
            digest: digest(&body),
            changed_at: None,
            body,
            unreadable: None,
        };
        let record = new.judged(id.to_owned(), &setup, &windows);
        if record.state == RecordState::Quarantined {
            return Err(FeedRefusal::StillWrong {
                record: id.to_owned(),
                faults: record.faults,
            }
            .into());
        }
        let at = SystemClock.now();
        let kept = self
            .records
            .correct_feed_record(&holder.id, batch, &record, by, at);
        if !kept.await? {
            return Err(FeedRefusal::NotInQuarantine {
                batch: batch.to_owned(),
                record: id.to_owned(),
            }
            .into());
        }
        self.count(holder, batch, by).await?;
        self.due.notify_one();
        Ok(())
    }

    /// Sends what failed again, now; how many records those are.
    ///
    /// # Errors
    /// There is no such batch, or the feed has no target.
    pub async fn retry(&self, holder: &Holder, batch: &str) -> Result<u64, FeedError> {
        let setup = holder.setup().await?;
        let (asked, name) = (batch.to_owned(), batch.to_owned());
        let known = holder.read(move |feed, _| feed.batch(&asked).is_some());
        if !known.await? {
            return Err(FeedRefusal::UnknownBatch { batch: name }.into());
        }
        if setup.target.is_none() {
            return Err(FeedRefusal::NoTarget.into());
        }
        let again = self
            .records
            .retry_feed_records(&holder.id, batch, SystemClock.now())
            .await?;
        self.due.notify_one();
        Ok(again)
    }

    /// Compares a batch, or all there is, with what the other side has.
    ///
    /// # Errors
    /// There is no such batch, or there are too many records on either side.
    pub async fn compare(
        &self,
        holder: &Holder,
        batch: Option<&str>,
        theirs: &BTreeMap<String, Option<String>>,
        by: &str,
    ) -> Result<(), FeedError> {
        let _taking = holder.taking.lock().await;
        let direction = holder.setup().await?.direction;
        let most = COMPARED_MAX.max(RECORDS_MAX);
        let ours = self
            .records
            .own_feed_records(&holder.id, batch, most)
            .await?;
        if ours.len() > most || theirs.len() > most {
            return Err(FeedRefusal::TooManyToCompare { max: most }.into());
        }
        let command = FeedCommand::Compare {
            batch: batch.map(str::to_owned),
            difference: Box::new(compare(direction, &ours, theirs)),
        };
        holder.submit(command, by).await
    }

    /// Keeps a snapshot of each feed.
    pub async fn keep_all(&self) {
        for holder in self.all() {
            holder.desk.keep_snapshot().await;
        }
    }
}

/// The checksum of a record's contents, in hexadecimal digits: SHA-256 of its JSON, fields in the order
/// of their names, without blanks.
pub fn digest(body: &Value) -> String {
    hex(&Sha256::digest(body.to_string().as_bytes()))
}

/// Judged records by id, each with its place among those that came.
type Judged = BTreeMap<String, (usize, Record)>;

/// Judges records; of those with the same id the last stands, and the same ones count as repeats.
fn judge(
    records: Vec<NewRecord>,
    setup: &FeedSetup,
    windows: &BTreeSet<String>,
) -> Result<Judged, FeedRefusal> {
    let mut judged = Judged::new();
    for (place, record) in records.into_iter().enumerate() {
        let id = record.id(setup, place)?;
        let mut record = record.judged(id.clone(), setup, windows);
        if let Some((_, before)) = judged.get(&id) {
            record.times = match before.digest == record.digest {
                true => before.times + 1,
                false => before.times,
            };
        }
        judged.insert(id, (place, record));
    }
    Ok(judged)
}

/// Judged records by what is to be done with them.
#[derive(Default)]
struct Sorted {
    /// To be kept, new or with new contents.
    fresh: Vec<Record>,
    /// The batch has them, the same.
    again: BTreeMap<String, u64>,
    /// Held back, or still to be pushed, in earlier batches until now.
    released: BTreeMap<String, Vec<String>>,
    taken: Taken,
}

impl Sorted {
    fn of(judged: Judged, batch: &str, known: &BTreeMap<String, Known>) -> Self {
        let (mut sorted, mut fresh) = (Self::default(), BTreeMap::new());
        for (id, (place, record)) in judged {
            let known = known.get(&id);
            let here = known.filter(|known| known.batch == batch);
            let stays = here.is_some_and(|known| {
                let held = known.state == RecordState::Quarantined;
                known.digest == record.digest && !(held && record.is_taken())
            });
            if stays {
                sorted.taken.duplicates += record.times;
                sorted.again.insert(id, record.times);
                continue;
            }
            let record = record.beside(batch, known);
            if let Some(known) = known
                && known.batch != batch
                && known.state.is_open()
                && record.is_taken()
            {
                let of_batch = sorted.released.entry(known.batch.clone()).or_default();
                of_batch.push(id);
            }
            sorted.taken.note(&record);
            fresh.insert(place, record);
        }
        sorted.fresh = fresh.into_values().collect();
        sorted
    }
}

impl Taken {
    fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.corrected += other.corrected;
        self.quarantined += other.quarantined;
        self.duplicates += other.duplicates;
        self.waiting += other.waiting;
    }

    fn note(&mut self, record: &Record) {
        self.duplicates += record.times - 1;
        match record.state {
            RecordState::Accepted | RecordState::Acknowledged | RecordState::Failed => {
                self.accepted += 1;
            }
            RecordState::Corrected => self.corrected += 1,
            RecordState::Quarantined => self.quarantined += 1,
            RecordState::Duplicate => self.duplicates += 1,
            RecordState::Waiting => self.waiting += 1,
        }
    }
}

/// What rules may ask of feeds.
pub struct FeedSource(pub Feeds);

impl FactSource for FeedSource {
    fn name(&self) -> String {
        "feeds".to_owned()
    }

    fn facts(&self) -> Answer {
        let all = self.0.all();
        Box::pin(async move {
            let reads = all.iter().map(|one| one.desk.read(facts::batch::facts));
            let found: Option<Vec<_>> = join_all(reads).await.into_iter().collect();
            // One that is being rebuilt is asked again at the next pass, with all the others.
            Some(found?.into_iter().flatten().collect())
        })
    }

    fn owns(&self, subject: &Subject) -> bool {
        subject.kind == SubjectKind::Batch
    }
}
