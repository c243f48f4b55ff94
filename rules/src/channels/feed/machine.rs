//! A feed: its agreement and its last batches, as a machine that lives by its journal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::batch::{Batch, NewRecord, RECORDS_MAX, Sent, Taken, Verdict};
use super::check::{Checked, Checks, FIELDS_MAX};
use super::refusal::FeedRefusal;
use super::schedule::{Punctuality, Schedule};
use crate::channels::setup::is_text;
use crate::ids::{ChannelId, FeedId, HallId};
use crate::machine::{Item, ItemKind, JournalEvent, Machine, Recorded};
use crate::name::Name;
use crate::time::{TimeZone, Timestamp};

/// Batches that are remembered; older ones are in lists only.
pub const BATCHES_MAX: usize = 32;

/// Records in one command at most.
pub const RECORDS_AT_ONCE_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedDirection {
    Receive,
    Push,
}

impl FeedDirection {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Push => "push",
        }
    }
}

/// A feed as it is set up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedSetup {
    pub name: Name,
    pub direction: FeedDirection,
    /// What it is: `items`, `cases`, `ratings`, `licences` …
    pub kind: String,
    /// Where it comes from or goes to.
    pub party: String,
    /// The channel that carries it.
    #[serde(default)]
    pub channel: Option<ChannelId>,
    #[serde(default)]
    pub schedule: Schedule,
    #[serde(default)]
    pub checks: Checks,
    #[serde(default)]
    pub hall: Option<HallId>,
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default = "shanghai")]
    pub time_zone: TimeZone,
}

fn shanghai() -> TimeZone {
    TimeZone::SHANGHAI
}

impl FeedSetup {
    fn fault(&self) -> Option<(&'static str, &'static str)> {
        let texts = [
            ("kind", Some(&self.kind)),
            ("party", Some(&self.party)),
            ("owner", self.owner.as_ref()),
        ];
        let bad = |(_, text): &(&str, Option<&String>)| text.is_some_and(|text| !is_text(text));
        if !self.name.is_valid() {
            return Some(("name", "is one line of 1 to 80 characters in each language"));
        }
        if let Some((field, _)) = texts.into_iter().find(bad) {
            return Some((field, "is one line of 1 to 64 bytes"));
        }
        if self
            .schedule
            .period_secs()
            .is_some_and(|secs| !(10..=31_622_400).contains(&secs))
        {
            return Some(("schedule", "is every 10 seconds to every 366 days"));
        }
        (self.checks.0.len() > FIELDS_MAX).then_some(("checks", "has 100 fields at most"))
    }
}

/// What is asked of a feed.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedCommand {
    SetUp {
        feed: FeedId,
        setup: Box<FeedSetup>,
    },
    Open {
        batch: String,
        expected: Option<u64>,
    },
    /// Records that came. A batch that was not opened is.
    Receive {
        batch: String,
        records: Vec<NewRecord>,
    },
    /// What came of pushing records.
    Send {
        batch: String,
        results: Vec<Sent>,
    },
    /// Everything was handed over.
    Close {
        batch: String,
    },
    /// What the other side has: ids, with digests where it knows them.
    Reconcile {
        batch: String,
        theirs: BTreeMap<String, Option<String>>,
    },
    /// Puts a record in quarantine right.
    Correct {
        batch: String,
        record: String,
        body: Value,
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
    RecordsReceived {
        batch: String,
        records: Vec<Taken>,
    },
    RecordsSent {
        batch: String,
        results: Vec<Sent>,
    },
    BatchClosed {
        batch: String,
    },
    BatchReconciled {
        batch: String,
        difference: super::Difference,
    },
    RecordCorrected {
        batch: String,
        record: String,
        body: Value,
    },
}

impl JournalEvent for FeedEvent {
    fn kind(&self) -> &'static str {
        match self {
            Self::FeedSetUp { .. } => "feed_set_up",
            Self::BatchOpened { .. } => "batch_opened",
            Self::RecordsReceived { .. } => "records_received",
            Self::RecordsSent { .. } => "records_sent",
            Self::BatchClosed { .. } => "batch_closed",
            Self::BatchReconciled { .. } => "batch_reconciled",
            Self::RecordCorrected { .. } => "record_corrected",
        }
    }
}

/// A feed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Feed {
    seq: u64,
    id: Option<FeedId>,
    setup: Option<Box<FeedSetup>>,
    set_up_at: Timestamp,
    batches: BTreeMap<String, Batch>,
    /// Batches in the order of their opening.
    order: Vec<String>,
    last_data_at: Option<Timestamp>,
}

impl Feed {
    pub const fn id(&self) -> Option<&FeedId> {
        self.id.as_ref()
    }

    pub fn setup(&self) -> Option<&FeedSetup> {
        self.setup.as_deref()
    }

    pub fn batch(&self, batch: &str) -> Option<&Batch> {
        self.batches.get(batch)
    }

    /// Batches with their ids, the newest first.
    pub fn batches(&self) -> impl Iterator<Item = (&str, &Batch)> {
        let newest = self.order.iter().rev();
        newest.filter_map(|id| Some((id.as_str(), self.batches.get(id)?)))
    }

    pub const fn last_data_at(&self) -> Option<Timestamp> {
        self.last_data_at
    }

    /// How it stands with its schedule.
    pub fn punctuality(&self, now: Timestamp) -> Punctuality {
        self.setup().map_or_else(Punctuality::default, |setup| {
            let since = self.last_data_at.unwrap_or(self.set_up_at);
            setup.schedule.punctuality(setup.time_zone, since, now)
        })
    }

    fn direction(&self) -> FeedDirection {
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

    fn may(&self, direction: FeedDirection, count: usize, batch: &str) -> Result<(), FeedRefusal> {
        if self.direction() != direction {
            let direction = self.direction().name();
            return Err(FeedRefusal::WrongDirection { direction });
        }
        if !is_text(batch) {
            return Err(FeedRefusal::invalid(
                "batch",
                "is one line of 1 to 64 bytes",
            ));
        }
        let known = self.batches.get(batch).map_or(0, Batch::known);
        if count > RECORDS_AT_ONCE_MAX || known + count > RECORDS_MAX {
            return Err(FeedRefusal::TooManyRecords { max: RECORDS_MAX });
        }
        Ok(())
    }

    /// The event that opens a batch that is not there.
    fn opening(&self, batch: &str) -> Option<FeedEvent> {
        (!self.batches.contains_key(batch)).then(|| FeedEvent::BatchOpened {
            batch: batch.to_owned(),
            expected: None,
        })
    }

    fn receive(&self, batch: &str, records: &[NewRecord]) -> Result<Vec<FeedEvent>, FeedRefusal> {
        self.may(FeedDirection::Receive, records.len(), batch)?;
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        let mut taken = Vec::with_capacity(records.len());
        for (place, record) in records.iter().enumerate() {
            if !is_text(&record.id) || record.digest.len() > 128 {
                let field = format!("records[{place}].id");
                return Err(FeedRefusal::invalid(field, "is one line of 1 to 64 bytes"));
            }
            let same = seen.insert(&record.id, &record.digest) == Some(record.digest.as_str());
            let verdict = if same || self.has(record) {
                Verdict::Duplicate
            } else {
                self.verdict(&record.body)
            };
            taken.push(Taken {
                id: record.id.clone(),
                row: record.row,
                digest: record.digest.clone(),
                verdict,
            });
        }
        let received = FeedEvent::RecordsReceived {
            batch: batch.to_owned(),
            records: taken,
        };
        Ok(self.opening(batch).into_iter().chain([received]).collect())
    }

    /// Whether some batch has this record, as it is, already.
    fn has(&self, record: &NewRecord) -> bool {
        let mut all = self.batches.values();
        all.any(|batch| batch.holds(&record.id, &record.digest) == Some(true))
    }

    fn verdict(&self, body: &Value) -> Verdict {
        let Some(setup) = self.setup() else {
            return Verdict::Accepted;
        };
        match setup.checks.check(body) {
            Checked::Good => Verdict::Accepted,
            Checked::Corrected(_, corrections) => Verdict::Corrected { corrections },
            Checked::Bad(faults) => Verdict::Quarantined {
                faults,
                original: body.clone(),
            },
        }
    }

    fn correct(&self, batch: &str, record: &str, body: &Value) -> Result<FeedEvent, FeedRefusal> {
        let held = self.found(batch)?.quarantine.get(record);
        if held.is_none_or(|held| held.corrected.is_some()) {
            return Err(FeedRefusal::NotInQuarantine {
                batch: batch.to_owned(),
                record: record.to_owned(),
            });
        }
        let body = match self.setup().map(|setup| setup.checks.check(body)) {
            Some(Checked::Bad(faults)) => {
                return Err(FeedRefusal::StillWrong {
                    record: record.to_owned(),
                    faults,
                });
            }
            Some(Checked::Corrected(right, _)) => right,
            Some(Checked::Good) | None => body.clone(),
        };
        Ok(FeedEvent::RecordCorrected {
            batch: batch.to_owned(),
            record: record.to_owned(),
            body,
        })
    }

    fn remember(&mut self, batch: &str, opened: Batch) {
        self.batches.insert(batch.to_owned(), opened);
        self.order.push(batch.to_owned());
        if self.order.len() > BATCHES_MAX {
            let oldest = self.order.remove(0);
            self.batches.remove(&oldest);
        }
    }

    /// Data came or went; `change` is what it does to its batch.
    fn data(&mut self, at: Timestamp, batch: &str, change: impl FnOnce(&mut Batch)) {
        let (direction, last_at) = (
            self.direction(),
            self.last_data_at.unwrap_or(self.set_up_at),
        );
        let late = self.setup().map(|setup| (setup.schedule, setup.time_zone));
        if let Some(one) = self.batches.get_mut(batch) {
            if let (None, Some((schedule, zone))) = (one.first_at, late) {
                one.late_secs = schedule.lateness(zone, last_at, at);
            }
            change(one);
            if one.is_settled() {
                one.settle(at, direction);
            }
        }
        self.last_data_at = Some(at);
    }

    fn settle(&mut self, at: Timestamp, batch: &str) {
        let direction = self.direction();
        if let Some(one) = self.batches.get_mut(batch) {
            one.settle(at, direction);
        }
    }

    /// What lists and pages show of a batch.
    pub fn batch_face(&self, id: &str) -> Option<Value> {
        let batch = self.batch(id)?;
        let direction = self.direction();
        let at = |at: Option<Timestamp>| at.map(Timestamp::rfc3339_utc);
        let held = batch.quarantine.iter().map(|(record, held)| {
            json!({
                "record": record, "row": held.row, "faults": held.faults, "original": held.original,
                "corrected": held.corrected.as_ref().map(|one| json!({
                    "at": one.at.rfc3339_utc(), "by": one.by, "body": one.body,
                })),
            })
        });
        let failed = batch
            .failures()
            .map(|(record, reason)| json!({"record": record, "reason": reason}));
        Some(json!({
            "id": id, "feed": self.id, "state": batch.state, "direction": direction,
            "opened_at": batch.opened_at.rfc3339_utc(), "first_at": at(batch.first_at),
            "last_at": at(batch.last_at), "done_at": at(batch.done_at),
            "late_secs": batch.late_secs, "expected": batch.expected,
            "received": batch.received(), "accepted": batch.accepted,
            "corrected": batch.corrected, "rejected": batch.rejected(),
            "duplicates": batch.duplicates, "acknowledged": batch.acknowledged(),
            "success_percent": batch.success_percent(direction),
            "first_pass_percent": batch.first_pass_percent(direction),
            "difference": batch.difference,
            "quarantine": held.take(super::batch::LISTED_MAX).collect::<Vec<_>>(),
            "failed": failed.take(super::batch::LISTED_MAX).collect::<Vec<_>>(),
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
        if let FeedCommand::SetUp { feed, setup } = command {
            let other = self.id.as_ref().is_some_and(|id| id != feed);
            if other {
                return Err(FeedRefusal::invalid("feed", "is another one than this"));
            }
            if let Some((field, reason)) = setup.fault() {
                return Err(FeedRefusal::invalid(field, reason));
            }
            let (feed, setup) = (feed.clone(), setup.clone());
            return Ok(vec![FeedEvent::FeedSetUp { feed, setup }]);
        }
        if self.setup.is_none() {
            return Err(FeedRefusal::NotSetUp);
        }
        match command {
            FeedCommand::SetUp { .. } => Ok(Vec::new()),
            FeedCommand::Open { batch, expected } => {
                self.may(self.direction(), 0, batch)?;
                if self.batches.contains_key(batch) {
                    return Err(FeedRefusal::BatchExists {
                        batch: batch.clone(),
                    });
                }
                let (batch, expected) = (batch.clone(), *expected);
                Ok(vec![FeedEvent::BatchOpened { batch, expected }])
            }
            FeedCommand::Receive { batch, records } => self.receive(batch, records),
            FeedCommand::Send { batch, results } => {
                self.may(FeedDirection::Push, results.len(), batch)?;
                let sent = FeedEvent::RecordsSent {
                    batch: batch.clone(),
                    results: results.clone(),
                };
                Ok(self.opening(batch).into_iter().chain([sent]).collect())
            }
            FeedCommand::Close { batch } => {
                self.found(batch)?;
                let batch = batch.clone();
                Ok(vec![FeedEvent::BatchClosed { batch }])
            }
            FeedCommand::Reconcile { batch, theirs } => {
                if theirs.len() > RECORDS_MAX {
                    return Err(FeedRefusal::TooManyRecords { max: RECORDS_MAX });
                }
                let difference = self.found(batch)?.compare(self.direction(), theirs);
                let batch = batch.clone();
                Ok(vec![FeedEvent::BatchReconciled { batch, difference }])
            }
            FeedCommand::Correct {
                batch,
                record,
                body,
            } => Ok(vec![self.correct(batch, record, body)?]),
        }
    }

    fn apply(&mut self, recorded: &Recorded<FeedEvent>) {
        let at = recorded.at;
        match &recorded.event {
            FeedEvent::FeedSetUp { feed, setup } => {
                if self.setup.is_none() {
                    self.set_up_at = at;
                }
                self.id = Some(feed.clone());
                self.setup = Some(setup.clone());
            }
            FeedEvent::BatchOpened { batch, expected } => {
                self.remember(batch, Batch::open(at, *expected));
            }
            FeedEvent::RecordsReceived { batch, records } => self.data(at, batch, |one| {
                for taken in records {
                    one.take(at, taken);
                }
            }),
            FeedEvent::RecordsSent { batch, results } => self.data(at, batch, |one| {
                for sent in results {
                    one.sent(at, sent);
                }
            }),
            FeedEvent::BatchClosed { batch } => self.settle(at, batch),
            FeedEvent::BatchReconciled { batch, difference } => {
                if let Some(one) = self.batches.get_mut(batch) {
                    one.difference = Some(difference.clone());
                }
                self.settle(at, batch);
            }
            FeedEvent::RecordCorrected {
                batch,
                record,
                body,
            } => {
                let direction = self.direction();
                if let Some(one) = self.batches.get_mut(batch) {
                    one.mend(at, &recorded.by, record, body);
                    if one.is_settled() {
                        one.settle(at, direction);
                    }
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
                FeedEvent::BatchOpened { batch, .. }
                | FeedEvent::RecordsReceived { batch, .. }
                | FeedEvent::RecordsSent { batch, .. }
                | FeedEvent::BatchClosed { batch }
                | FeedEvent::BatchReconciled { batch, .. }
                | FeedEvent::RecordCorrected { batch, .. } => {
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
