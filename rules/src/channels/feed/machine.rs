//! A feed: its agreement and its last batches, as a machine that lives by its journal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::batch::{Batch, BatchState, RECORDS_MAX, Totals};
use super::compare::Difference;
use super::refusal::FeedRefusal;
use super::schedule::Punctuality;
use super::setup::{FeedDirection, FeedSetup};
use crate::channels::masking::Masking;
use crate::channels::setup::is_text;
use crate::channels::tally::percent;
use crate::ids::FeedId;
use crate::machine::{Item, ItemKind, JournalEvent, Machine, Recorded};
use crate::time::Timestamp;

/// Batches that are remembered; older ones are in lists only.
pub const BATCHES_MAX: usize = 32;

/// Records in one request at most.
pub const RECORDS_AT_ONCE_MAX: usize = 10_000;

/// Times without data that are remembered.
const GAPS_MAX: usize = 50;

/// What is asked of a feed.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedCommand {
    SetUp {
        feed: FeedId,
        setup: Box<FeedSetup>,
        /// The revision that was changed, see [`Feed::revision`]; none: whichever stands.
        revision: Option<u64>,
    },
    Open {
        batch: String,
        expected: Option<u64>,
    },
    /// What the table has of a batch. A batch that was not opened is.
    Count { batch: String, totals: Totals },
    /// Everything was handed over.
    Close { batch: String },
    /// How a batch, or all there is, compares with the other side.
    Compare {
        batch: Option<String>,
        difference: Box<Difference>,
    },
}

/// What happened to a feed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum FeedEvent {
    FeedSetUp {
        feed: FeedId,
        setup: Box<FeedSetup>,
    },
    BatchOpened {
        batch: String,
        expected: Option<u64>,
    },
    BatchCounted {
        batch: String,
        totals: Totals,
    },
    BatchClosed {
        batch: String,
    },
    FeedCompared {
        batch: Option<String>,
        difference: Box<Difference>,
    },
}

impl JournalEvent for FeedEvent {
    fn kind(&self) -> &'static str {
        match self {
            Self::FeedSetUp { .. } => "feed_set_up",
            Self::BatchOpened { .. } => "batch_opened",
            Self::BatchCounted { .. } => "batch_counted",
            Self::BatchClosed { .. } => "batch_closed",
            Self::FeedCompared { .. } => "feed_compared",
        }
    }
}

/// A time in which data was due and did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// When data had come last.
    pub since: Timestamp,
    /// When it came again.
    pub until: Timestamp,
    pub periods_missed: u64,
}

/// How what we have compares with the other side, as asked last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    pub at: Timestamp,
    /// None: all there is.
    pub batch: Option<String>,
    pub difference: Difference,
}

/// A feed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Feed {
    seq: u64,
    id: Option<FeedId>,
    setup: Option<Box<FeedSetup>>,
    set_up_at: Timestamp,
    #[serde(default)]
    revision: u64,
    batches: BTreeMap<String, Batch>,
    /// Batches in the order of their opening.
    order: Vec<String>,
    /// Of batches no longer remembered.
    #[serde(default)]
    earlier: Totals,
    last_data_at: Option<Timestamp>,
    #[serde(default)]
    gaps: Vec<Gap>,
    #[serde(default)]
    compared: Option<Compared>,
}

impl Feed {
    pub const fn id(&self) -> Option<&FeedId> {
        self.id.as_ref()
    }

    pub fn setup(&self) -> Option<&FeedSetup> {
        self.setup.as_deref()
    }

    pub const fn set_up_at(&self) -> Timestamp {
        self.set_up_at
    }

    /// How often its set-up was made or changed.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    pub fn batch(&self, batch: &str) -> Option<&Batch> {
        self.batches.get(batch)
    }

    /// Batches with their ids, the newest first.
    pub fn batches(&self) -> impl Iterator<Item = (&str, &Batch)> {
        let newest = self.order.iter().rev();
        newest.filter_map(|id| Some((id.as_str(), self.batches.get(id)?)))
    }

    /// The newest batch that has data.
    pub fn newest(&self) -> Option<(&str, &Batch)> {
        let mut all = self.batches();
        all.find(|(_, batch)| batch.totals.records() + batch.totals.duplicates > 0)
    }

    pub const fn last_data_at(&self) -> Option<Timestamp> {
        self.last_data_at
    }

    pub const fn compared(&self) -> Option<&Compared> {
        self.compared.as_ref()
    }

    /// How it stands with its schedule.
    pub fn punctuality(&self, now: Timestamp) -> Punctuality {
        self.setup().map_or_else(Punctuality::default, |setup| {
            let since = self.since();
            setup.schedule.punctuality(setup.time_zone, since, now)
        })
    }

    fn since(&self) -> Timestamp {
        self.last_data_at.unwrap_or(self.set_up_at)
    }

    /// Records of the batches remembered that the other side has not acknowledged.
    pub fn unacknowledged(&self) -> u64 {
        let each = self.batches.values();
        each.map(|batch| batch.totals.unacknowledged()).sum()
    }

    /// When the oldest of them came.
    pub fn unacknowledged_since(&self) -> Option<Timestamp> {
        let each = self.batches.values();
        each.filter_map(|batch| batch.totals.unacknowledged_since)
            .min()
    }

    pub fn direction(&self) -> FeedDirection {
        self.setup()
            .map_or(FeedDirection::Receive, |setup| setup.direction)
    }

    fn found(&self, batch: &str) -> Result<&Batch, FeedRefusal> {
        self.batches
            .get(batch)
            .ok_or_else(|| FeedRefusal::UnknownBatch {
                batch: batch.to_owned(),
            })
    }

    /// Whether a batch may take so many records more.
    ///
    /// # Errors
    /// Why not.
    pub fn admits(&self, batch: &str, count: usize) -> Result<(), FeedRefusal> {
        if self.setup.is_none() {
            return Err(FeedRefusal::NotSetUp);
        }
        if !is_text(batch) || batch.contains('/') {
            return Err(FeedRefusal::invalid(
                "batch",
                "is one line of 1 to 64 bytes without /",
            ));
        }
        let has = self.batches.get(batch).map_or(0, |batch| {
            usize::try_from(batch.totals.records() + batch.totals.duplicates).unwrap_or(usize::MAX)
        });
        if count > RECORDS_AT_ONCE_MAX {
            return Err(FeedRefusal::TooManyAtOnce {
                max: RECORDS_AT_ONCE_MAX,
            });
        }
        // Those that come again would not count: near the limit a batch is ended early rather than late.
        match has.saturating_add(count) > RECORDS_MAX {
            true => Err(FeedRefusal::TooManyRecords { max: RECORDS_MAX }),
            false => Ok(()),
        }
    }

    /// The event that opens a batch that is not there.
    fn opening(&self, batch: &str) -> Option<FeedEvent> {
        (!self.batches.contains_key(batch)).then(|| FeedEvent::BatchOpened {
            batch: batch.to_owned(),
            expected: None,
        })
    }

    fn count(&self, batch: &str, totals: Totals) -> Vec<FeedEvent> {
        if self.batch(batch).is_some_and(|one| one.totals == totals) {
            return Vec::new();
        }
        let counted = FeedEvent::BatchCounted {
            batch: batch.to_owned(),
            totals,
        };
        self.opening(batch).into_iter().chain([counted]).collect()
    }

    fn remember(&mut self, batch: &str, opened: Batch) {
        self.batches.insert(batch.to_owned(), opened);
        self.order.push(batch.to_owned());
        if self.order.len() > BATCHES_MAX {
            let oldest = self.order.remove(0);
            if let Some(batch) = self.batches.remove(&oldest) {
                self.earlier.add(&batch.totals);
            }
        }
    }

    /// The table was counted; new is what came after the last data.
    fn counted(&mut self, at: Timestamp, batch: &str, totals: Totals) {
        let (direction, since) = (self.direction(), self.since());
        let agreed = self.setup().map(|setup| (setup.schedule, setup.time_zone));
        let Some(one) = self.batches.get_mut(batch) else {
            return;
        };
        if let (None, Some(first_at), Some((schedule, zone))) =
            (one.totals.first_at, totals.first_at, agreed)
        {
            one.late_secs = schedule.lateness(zone, since, first_at);
        }
        one.count(at, totals, direction);
        let Some(last_at) = totals.last_at.filter(|at| *at > since) else {
            return;
        };
        let came_at = totals.first_at.filter(|at| *at > since).unwrap_or(last_at);
        let missed = self.punctuality(came_at).periods_missed;
        if missed > 0 {
            self.gaps.push(Gap {
                since,
                until: came_at,
                periods_missed: missed,
            });
            let excess = self.gaps.len().saturating_sub(GAPS_MAX);
            self.gaps.drain(..excess);
        }
        self.last_data_at = Some(last_at);
    }

    fn settle(&mut self, at: Timestamp, batch: &str) {
        let direction = self.direction();
        if let Some(one) = self.batches.get_mut(batch) {
            one.closed_at = one.closed_at.or(Some(at));
            one.settle(at, direction);
        }
    }

    /// In a word: `empty`, `late`, `incomplete` or `ok`.
    pub fn state(&self, now: Timestamp) -> &'static str {
        let limit = self.setup().and_then(|setup| setup.limit_secs);
        let punctuality = self.punctuality(now);
        let late = punctuality.periods_missed > 0 && punctuality.late_secs > limit.unwrap_or(0);
        let lacks = |batch: &Batch| {
            batch.state == BatchState::Incomplete || batch.totals.came_to_nothing() > 0
        };
        match self.newest() {
            _ if late => "late",
            None => "empty",
            Some((_, batch)) if lacks(batch) => "incomplete",
            Some(_) => "ok",
        }
    }

    /// What lists show of the feed now; the figures are of the newest batch with data, whose time they
    /// carry.
    pub fn face(&self, now: Timestamp) -> Option<Value> {
        let (id, setup) = (self.id()?, self.setup()?);
        let at = |at: Option<Timestamp>| at.map(|at| setup.time_zone.rfc3339(at));
        let punctuality = self.punctuality(now);
        let due_at = setup.schedule.due_after(setup.time_zone, self.since());
        let newest = self.newest();
        let totals = newest.map_or_else(Totals::default, |(_, batch)| batch.totals);
        let direction = setup.direction;
        Some(json!({
            "id": id, "name": setup.name, "direction": direction, "kind": setup.kind,
            "party": setup.party, "channel": setup.channel, "hall": setup.hall,
            "owner": setup.owner, "state": self.state(now), "last_at": at(self.last_data_at),
            "due_at": at(due_at), "missed": punctuality.periods_missed,
            "late_secs": punctuality.late_secs, "batch": newest.map(|(id, _)| id),
            "batch_state": newest.map(|(_, batch)| batch.state), "as_of": at(totals.last_at),
            "received": totals.records(), "accepted": totals.accepted,
            "corrected": totals.corrected, "rejected": totals.rejected,
            "duplicates": totals.duplicates, "waiting": totals.waiting,
            "acknowledged": totals.acknowledged, "failed": totals.failed,
            "success_percent": newest.and_then(|(_, batch)| batch.success_percent(direction)),
            "first_pass_percent": newest.and_then(|(_, batch)| batch.first_pass_percent(direction)),
        }))
    }

    /// The feed with all that is known of it.
    pub fn detail(&self, now: Timestamp) -> Option<Value> {
        let mut face = self.face(now)?;
        let zone = self.setup()?.time_zone;
        let at = |at: Timestamp| zone.rfc3339(at);
        let mut all = self.earlier;
        self.batches
            .values()
            .for_each(|batch| all.add(&batch.totals));
        let direction = self.direction();
        let gaps = self.gaps.iter().rev().map(|gap| {
            json!({"since": at(gap.since), "until": at(gap.until), "periods_missed": gap.periods_missed})
        });
        face["now"] = json!(at(now));
        face["set_up_at"] = json!(at(self.set_up_at));
        face["setup"] = json!(self.setup);
        face["revision"] = json!(self.revision);
        face["standard_masking"] = json!(self.setup()?.masking == Masking::default());
        face["gaps"] = gaps.collect();
        face["since_set_up"] = json!({
            "received": all.records(), "accepted": all.accepted, "corrected": all.corrected,
            "rejected": all.rejected, "duplicates": all.duplicates, "waiting": all.waiting,
            "acknowledged": all.acknowledged, "failed": all.failed,
            "success_percent": percent(all.arrived(direction), all.records()),
            "first_pass_percent": percent(all.arrived_at_once(direction), all.records()),
            "as_of": all.last_at.map(at),
        });
        face["compared"] = json!(self.compared.as_ref().map(|one| {
            json!({
                "at": at(one.at), "batch": one.batch, "difference": one.difference,
                "arrived_percent": one.difference.arrived_percent(direction),
            })
        }));
        Some(face)
    }

    /// What lists and pages show of a batch.
    pub fn batch_face(&self, id: &str) -> Option<Value> {
        let (batch, zone) = (self.batch(id)?, self.setup()?.time_zone);
        let direction = self.direction();
        let at = |at: Option<Timestamp>| at.map(|at| zone.rfc3339(at));
        let totals = &batch.totals;
        Some(json!({
            "id": id, "feed": self.id, "state": batch.state, "direction": direction,
            "opened_at": at(Some(batch.opened_at)), "first_at": at(totals.first_at),
            "last_at": at(totals.last_at), "closed_at": at(batch.closed_at),
            "done_at": at(batch.done_at), "late_secs": batch.late_secs,
            "expected": batch.expected, "received": totals.records(),
            "accepted": totals.accepted, "corrected": totals.corrected,
            "rejected": totals.rejected, "duplicates": totals.duplicates,
            "waiting": totals.waiting, "acknowledged": totals.acknowledged,
            "failed": totals.failed, "delay_p95_ms": totals.delay_p95_ms,
            "success_percent": batch.success_percent(direction),
            "first_pass_percent": batch.first_pass_percent(direction),
            "differences": batch.difference.as_ref().map(Difference::count),
        }))
    }

    fn item(&self, id: &str) -> Option<Item> {
        let (feed, setup, batch) = (self.id.as_ref()?, self.setup()?, self.batch(id)?);
        Some(Item {
            kind: ItemKind::Batch,
            id: format!("{feed}/{id}"),
            state: batch.state.name().to_owned(),
            hall: setup.hall.clone(),
            department: Some(setup.party.clone()),
            person: setup.owner.clone(),
            about: Some(feed.to_string()),
            topic: Some(setup.kind.clone()),
            subject: None,
            rank: 0,
            opened_at: batch.opened_at,
            due_at: None,
            ended_at: batch.done_at,
            body: self.batch_face(id)?.to_string(),
        })
    }

    fn set_up(
        &self,
        feed: &FeedId,
        setup: &FeedSetup,
        revision: Option<u64>,
    ) -> Result<Vec<FeedEvent>, FeedRefusal> {
        if self.id.as_ref().is_some_and(|id| id != feed) {
            return Err(FeedRefusal::invalid("feed", "is another one than this"));
        }
        if let Some((field, reason)) = setup.fault() {
            return Err(FeedRefusal::invalid(field, reason));
        }
        if self.setup.is_some() && self.direction() != setup.direction {
            let direction = self.direction().name();
            return Err(FeedRefusal::WrongDirection { direction });
        }
        let same = self.setup().is_some_and(|own| own == setup);
        // One that comes again, because its answer was lost, changes nothing.
        if !same && revision.is_some_and(|seen| seen != self.revision) {
            let revision = self.revision;
            return Err(FeedRefusal::ChangedMeanwhile { revision });
        }
        let event = || FeedEvent::FeedSetUp {
            feed: feed.clone(),
            setup: Box::new(setup.clone()),
        };
        Ok((!same).then(event).into_iter().collect())
    }
}

impl Machine for Feed {
    type Command = FeedCommand;
    type Event = FeedEvent;
    type Refusal = FeedRefusal;

    /// Each feed has a journal of its own: its name goes with its id.
    const NAME: &'static str = "feed";

    fn seq(&self) -> u64 {
        self.seq
    }

    fn decide(
        &self,
        command: &FeedCommand,
        _by: &str,
        _now: Timestamp,
    ) -> Result<Vec<FeedEvent>, FeedRefusal> {
        if let FeedCommand::SetUp {
            feed,
            setup,
            revision,
        } = command
        {
            return self.set_up(feed, setup, *revision);
        }
        if self.setup.is_none() {
            return Err(FeedRefusal::NotSetUp);
        }
        match command {
            FeedCommand::SetUp { .. } => Ok(Vec::new()),
            FeedCommand::Open { batch, expected } => {
                self.admits(batch, 0)?;
                if self.batches.contains_key(batch) {
                    let batch = batch.clone();
                    return Err(FeedRefusal::BatchExists { batch });
                }
                let (batch, expected) = (batch.clone(), *expected);
                Ok(vec![FeedEvent::BatchOpened { batch, expected }])
            }
            FeedCommand::Count { batch, totals } => {
                self.admits(batch, 0)?;
                Ok(self.count(batch, *totals))
            }
            FeedCommand::Close { batch } => {
                self.found(batch)?;
                let batch = batch.clone();
                Ok(vec![FeedEvent::BatchClosed { batch }])
            }
            FeedCommand::Compare { batch, difference } => {
                if let Some(batch) = batch {
                    self.found(batch)?;
                }
                let (batch, difference) = (batch.clone(), difference.clone());
                Ok(vec![FeedEvent::FeedCompared { batch, difference }])
            }
        }
    }

    fn apply(&mut self, recorded: &Recorded<FeedEvent>) {
        let at = recorded.at;
        match &recorded.event {
            FeedEvent::FeedSetUp { feed, setup } => {
                if self.setup.is_none() {
                    self.set_up_at = at;
                }
                self.revision += 1;
                self.id = Some(feed.clone());
                self.setup = Some(setup.clone());
            }
            FeedEvent::BatchOpened { batch, expected } => {
                self.remember(batch, Batch::open(at, *expected));
            }
            FeedEvent::BatchCounted { batch, totals } => self.counted(at, batch, *totals),
            FeedEvent::BatchClosed { batch } => self.settle(at, batch),
            FeedEvent::FeedCompared { batch, difference } => {
                self.compared = Some(Compared {
                    at,
                    batch: batch.clone(),
                    difference: (**difference).clone(),
                });
                if let Some(batch) = batch {
                    if let Some(one) = self.batches.get_mut(batch) {
                        one.difference = Some((**difference).clone());
                    }
                    self.settle(at, batch);
                }
            }
        }
        self.seq = recorded.seq;
    }

    /// Time alone changes nothing here: what is late is asked for ([`Feed::punctuality`]).
    fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    fn elapse(&self, _now: Timestamp) -> Vec<FeedEvent> {
        Vec::new()
    }

    fn items(&self, recorded: &[Recorded<FeedEvent>]) -> Vec<Item> {
        let mut after = self.clone();
        let mut touched = BTreeSet::new();
        for one in recorded {
            if one.seq > after.seq {
                after.apply(one);
            }
            match &one.event {
                FeedEvent::FeedSetUp { .. } => {}
                FeedEvent::FeedCompared { batch, .. } => touched.extend(batch.as_deref()),
                FeedEvent::BatchOpened { batch, .. }
                | FeedEvent::BatchCounted { batch, .. }
                | FeedEvent::BatchClosed { batch } => {
                    touched.insert(batch.as_str());
                }
            }
        }
        touched
            .into_iter()
            .filter_map(|id| after.item(id))
            .collect()
    }
}
