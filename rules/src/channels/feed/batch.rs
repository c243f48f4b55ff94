//! One delivery of a feed.
//!
//! ```text
//! open ─first record→ receiving | sending ─close, reconcile→ reconciled | incomplete ─nothing is left→ corrected
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::{FieldCorrection, FieldFault};
use super::machine::FeedDirection;
use crate::channels::tally::percent;
use crate::time::Timestamp;

/// Records of one batch that are known one by one.
pub const RECORDS_MAX: usize = 50_000;

/// Differences that are listed; all are counted.
pub const LISTED_MAX: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchState {
    Open,
    Receiving,
    Sending,
    Reconciled,
    Incomplete,
    Corrected,
}

impl BatchState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Receiving => "receiving",
            Self::Sending => "sending",
            Self::Reconciled => "reconciled",
            Self::Incomplete => "incomplete",
            Self::Corrected => "corrected",
        }
    }
}

/// A record that came.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRecord {
    /// Unique in its feed.
    pub id: String,
    /// Its row in a file.
    #[serde(default)]
    pub row: Option<u64>,
    /// Checksum of the record as it came, made at the edge.
    #[serde(default)]
    pub digest: String,
    pub body: Value,
}

/// What became of a record that came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    pub id: String,
    pub row: Option<u64>,
    pub digest: String,
    #[serde(flatten)]
    pub verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    Accepted,
    Corrected {
        corrections: Vec<FieldCorrection>,
    },
    /// Held back as it came.
    Quarantined {
        faults: Vec<FieldFault>,
        original: Value,
    },
    /// The same was there already.
    Duplicate,
}

/// What came of pushing a record once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    pub id: String,
    /// None: acknowledged. Otherwise why not.
    #[serde(default)]
    pub failed: Option<String>,
}

/// A record in quarantine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    pub row: Option<u64>,
    pub faults: Vec<FieldFault>,
    /// As it came; it stays when the record is corrected.
    pub original: Value,
    pub corrected: Option<Mended>,
}

/// What a person made of a record in quarantine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mended {
    pub at: Timestamp,
    pub by: String,
    pub body: Value,
}

/// A record that was pushed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Pushed {
    attempts: u32,
    acknowledged: bool,
    /// Why the last attempt failed.
    reason: Option<Box<str>>,
}

/// What differs between the two sides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Difference {
    /// They have it, we have not (or, of a push, the other way round: we have it, they have not).
    pub missing: u64,
    pub missing_ids: Vec<String>,
    /// The other way round.
    pub extra: u64,
    pub extra_ids: Vec<String>,
    /// Both have it, with different digests.
    pub different: u64,
    pub different_ids: Vec<String>,
}

impl Difference {
    pub const fn count(&self) -> u64 {
        self.missing + self.extra + self.different
    }
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub state: BatchState,
    pub opened_at: Timestamp,
    pub expected: Option<u64>,
    pub first_at: Option<Timestamp>,
    pub last_at: Option<Timestamp>,
    pub done_at: Option<Timestamp>,
    /// How late its first record was.
    pub late_secs: u64,
    /// Of records that came: taken as they are.
    pub accepted: u64,
    /// Taken after a correction, by rule or by a person.
    pub corrected: u64,
    pub duplicates: u64,
    /// Digests of the records that were taken.
    records: BTreeMap<Box<str>, Box<str>>,
    pub corrections: BTreeMap<String, Vec<FieldCorrection>>,
    pub quarantine: BTreeMap<String, Held>,
    pushed: BTreeMap<Box<str>, Pushed>,
    pub difference: Option<Difference>,
}

impl Batch {
    pub(super) fn open(at: Timestamp, expected: Option<u64>) -> Self {
        Self {
            state: BatchState::Open,
            opened_at: at,
            expected,
            first_at: None,
            last_at: None,
            done_at: None,
            late_secs: 0,
            accepted: 0,
            corrected: 0,
            duplicates: 0,
            records: BTreeMap::new(),
            corrections: BTreeMap::new(),
            quarantine: BTreeMap::new(),
            pushed: BTreeMap::new(),
            difference: None,
        }
    }

    /// Whether it holds this record with this digest; none if it does not hold it.
    pub(super) fn holds(&self, id: &str, digest: &str) -> Option<bool> {
        if let Some(own) = self.records.get(id) {
            return Some(**own == *digest);
        }
        let held = self.quarantine.get(id)?;
        Some(held.corrected.is_some())
    }

    /// Records known one by one.
    pub(super) fn known(&self) -> usize {
        self.records.len() + self.quarantine.len() + self.pushed.len()
    }

    /// Records that came: taken and held back, each once.
    pub fn received(&self) -> u64 {
        self.accepted + self.corrected + self.rejected()
    }

    /// Held back, and not corrected yet.
    pub fn rejected(&self) -> u64 {
        self.quarantine
            .values()
            .filter(|held| held.corrected.is_none())
            .count() as u64
    }

    /// Pushed: acknowledged in the end.
    pub fn acknowledged(&self) -> u64 {
        self.pushed.values().filter(|one| one.acknowledged).count() as u64
    }

    /// Pushed and not acknowledged, each with its reason.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        let failed = self.pushed.iter().filter(|(_, one)| !one.acknowledged);
        failed.map(|(id, one)| (&**id, one.reason.as_deref().unwrap_or("")))
    }

    /// How many records this batch should have.
    pub fn due(&self, direction: FeedDirection) -> u64 {
        let known = match direction {
            FeedDirection::Receive => self.received(),
            FeedDirection::Push => self.pushed.len() as u64,
        };
        self.expected.unwrap_or(known)
    }

    /// Records that arrived where they should, in the end.
    pub fn arrived(&self, direction: FeedDirection) -> u64 {
        match direction {
            FeedDirection::Receive => self.accepted + self.corrected,
            FeedDirection::Push => self.acknowledged(),
        }
    }

    /// Records that came to nothing so far: held back, or pushed and not acknowledged.
    pub fn failed(&self, direction: FeedDirection) -> u64 {
        match direction {
            FeedDirection::Receive => self.rejected(),
            FeedDirection::Push => self.failures().count() as u64,
        }
    }

    /// Those that arrived of those that should, in percent.
    pub fn success_percent(&self, direction: FeedDirection) -> Option<f64> {
        percent(self.arrived(direction), self.due(direction))
    }

    /// The same at the first attempt, without correction.
    pub fn first_pass_percent(&self, direction: FeedDirection) -> Option<f64> {
        let at_once = |one: &&Pushed| one.acknowledged && one.attempts == 1;
        let arrived = match direction {
            FeedDirection::Receive => self.accepted,
            FeedDirection::Push => self.pushed.values().filter(at_once).count() as u64,
        };
        percent(arrived, self.due(direction))
    }

    /// Whether nothing is left to do.
    pub(super) fn is_whole(&self, direction: FeedDirection) -> bool {
        let complete = match direction {
            FeedDirection::Receive => {
                self.rejected() == 0 && self.received() >= self.due(direction)
            }
            FeedDirection::Push => self.acknowledged() >= self.due(direction),
        };
        let differs = self.difference.as_ref().is_some_and(|one| one.count() > 0);
        complete && !differs
    }

    /// Compares with what the other side says it has: ids, and digests where it knows them.
    pub fn compare(
        &self,
        direction: FeedDirection,
        theirs: &BTreeMap<String, Option<String>>,
    ) -> Difference {
        let mended = self
            .quarantine
            .iter()
            .filter(|(_, held)| held.corrected.is_some());
        let ours: BTreeSet<&str> = match direction {
            FeedDirection::Receive => {
                let taken = self.records.keys().map(|id| &**id);
                taken.chain(mended.map(|(id, _)| id.as_str())).collect()
            }
            FeedDirection::Push => self.pushed.keys().map(|id| &**id).collect(),
        };
        let only_theirs = || theirs.keys().filter(|id| !ours.contains(id.as_str()));
        let only_ours = || ours.iter().filter(|id| !theirs.contains_key(**id));
        let differs = |(id, digest): &(&String, &Option<String>)| {
            let own = self.records.get(id.as_str());
            own.zip(digest.as_ref())
                .is_some_and(|(own, theirs)| **own != **theirs)
        };
        let list = |ids: &mut dyn Iterator<Item = String>| -> (u64, Vec<String>) {
            let listed: Vec<String> = Vec::from_iter((&mut *ids).take(LISTED_MAX));
            (listed.len() as u64 + ids.count() as u64, listed)
        };
        let theirs_only = list(&mut only_theirs().cloned());
        let ours_only = list(&mut only_ours().map(|id| (*id).to_owned()));
        let ((missing, missing_ids), (extra, extra_ids)) = match direction {
            FeedDirection::Receive => (theirs_only, ours_only),
            FeedDirection::Push => (ours_only, theirs_only),
        };
        let both = theirs.iter().filter(differs).map(|(id, _)| id.clone());
        let (different, different_ids) = list(&mut both.into_iter());
        Difference {
            missing,
            missing_ids,
            extra,
            extra_ids,
            different,
            different_ids,
        }
    }

    pub(super) fn take(&mut self, at: Timestamp, taken: &Taken) {
        let store = |batch: &mut Self| {
            batch.quarantine.remove(&taken.id);
            batch
                .records
                .insert(taken.id.as_str().into(), taken.digest.as_str().into())
        };
        match &taken.verdict {
            Verdict::Duplicate => self.duplicates += 1,
            Verdict::Accepted => {
                if store(self).is_none() {
                    self.accepted += 1;
                }
            }
            Verdict::Corrected { corrections } => {
                if store(self).is_none() {
                    self.corrected += 1;
                }
                self.corrections
                    .insert(taken.id.clone(), corrections.clone());
            }
            Verdict::Quarantined { faults, original } => {
                let held = Held {
                    row: taken.row,
                    faults: faults.clone(),
                    original: original.clone(),
                    corrected: None,
                };
                self.quarantine.insert(taken.id.clone(), held);
            }
        }
        self.touched(at, BatchState::Receiving);
    }

    pub(super) fn sent(&mut self, at: Timestamp, sent: &Sent) {
        let one = self.pushed.entry(sent.id.as_str().into()).or_default();
        // What was acknowledged stays so: a repeat tells nothing new.
        if !one.acknowledged {
            one.attempts += 1;
            one.acknowledged = sent.failed.is_none();
            one.reason = sent.failed.as_deref().map(Into::into);
        }
        self.touched(at, BatchState::Sending);
    }

    fn touched(&mut self, at: Timestamp, state: BatchState) {
        self.first_at = self.first_at.or(Some(at));
        self.last_at = Some(at);
        if self.state == BatchState::Open {
            self.state = state;
        }
    }

    pub(super) fn mend(&mut self, at: Timestamp, by: &str, id: &str, body: &Value) {
        if let Some(held) = self.quarantine.get_mut(id) {
            held.corrected = Some(Mended {
                at,
                by: by.to_owned(),
                body: body.clone(),
            });
            self.corrected += 1;
        }
    }

    /// Judges it after it was closed or compared, or when something changed after that.
    pub(super) fn settle(&mut self, at: Timestamp, direction: FeedDirection) {
        let whole = self.is_whole(direction);
        self.state = match (whole, self.state) {
            (true, BatchState::Incomplete | BatchState::Corrected) => BatchState::Corrected,
            (true, _) => BatchState::Reconciled,
            (false, _) => BatchState::Incomplete,
        };
        self.done_at = whole.then_some(at);
    }

    pub(super) const fn is_settled(&self) -> bool {
        matches!(
            self.state,
            BatchState::Reconciled | BatchState::Incomplete | BatchState::Corrected
        )
    }
}
