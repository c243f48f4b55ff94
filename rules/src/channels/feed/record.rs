//! One record: what came, and what is kept of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::{Checked, FieldCorrection, FieldFault};
use super::refusal::FeedRefusal;
use super::setup::{FeedDirection, FeedSetup};
use crate::channels::setup::is_text;
use crate::time::Timestamp;

/// Largest record as it is kept, in bytes of JSON.
pub const RECORD_MAX_BYTES: usize = 64 * 1024;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordState {
    /// Taken as it came.
    Accepted,
    /// Taken after a correction: by rule, by a person, or by its source in a later batch.
    Corrected,
    /// Held back as it came.
    Quarantined,
    /// Another batch has it, the same.
    Duplicate,
    /// To be pushed.
    Waiting,
    /// Pushed, and the other side has it.
    Acknowledged,
    /// Pushed in vain so far.
    Failed,
}

impl RecordState {
    pub const ALL: [Self; 7] = [
        Self::Accepted,
        Self::Corrected,
        Self::Quarantined,
        Self::Duplicate,
        Self::Waiting,
        Self::Acknowledged,
        Self::Failed,
    ];

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether something is still to be made of it: put right, or pushed.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Quarantined | Self::Waiting | Self::Failed)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Corrected => "corrected",
            Self::Quarantined => "quarantined",
            Self::Duplicate => "duplicate",
            Self::Waiting => "waiting",
            Self::Acknowledged => "acknowledged",
            Self::Failed => "failed",
        }
    }
}

/// A record as it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRecord {
    /// Unique in its feed; none: by the feed's key, or by its contents.
    pub id: Option<String>,
    /// Its row in a file.
    pub row: Option<u64>,
    /// Checksum of the contents as they came, made at the edge.
    pub digest: String,
    /// When it changed at its source.
    pub changed_at: Option<Timestamp>,
    pub body: Value,
    /// Why it could not be read: a row of a file with too few fields, for instance.
    pub unreadable: Option<String>,
}

/// What is known of a record that came before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub batch: String,
    pub digest: String,
    pub state: RecordState,
}

/// A record as it is kept: everything hidden that nobody shall see.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    pub id: String,
    pub row: Option<u64>,
    pub digest: String,
    pub state: RecordState,
    pub unit: Option<String>,
    pub changed_at: Option<Timestamp>,
    /// How often it came the same.
    pub times: u64,
    /// As it came, where that is not how it was taken.
    pub original: Option<Value>,
    /// As it was taken; none in quarantine.
    pub body: Option<Value>,
    pub faults: Vec<FieldFault>,
    pub corrections: Vec<FieldCorrection>,
}

impl NewRecord {
    /// Its id, by the feed's agreement.
    ///
    /// # Errors
    /// It has an id that cannot be one.
    pub fn id(&self, setup: &FeedSetup, place: usize) -> Result<String, FeedRefusal> {
        let named = || match self.body.get(setup.key.as_ref()?)? {
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let id = self.id.clone().or_else(named);
        let id = id.filter(|id| self.id.is_some() || !id.is_empty());
        let id = id.unwrap_or_else(|| self.digest.clone());
        if is_text(&id) && self.digest.len() <= 128 {
            return Ok(id);
        }
        let field = format!("records[{place}].id");
        Err(FeedRefusal::invalid(field, "is one line of 1 to 64 bytes"))
    }

    /// Checks it and hides what nobody shall see. `windows` are those of the directory.
    pub fn judged(self, id: String, setup: &FeedSetup, windows: &BTreeSet<String>) -> Record {
        let checked = match &self.unreadable {
            Some(why) => Checked::Bad(vec![FieldFault::unreadable(why)]),
            None => setup.checks.check(&self.body, windows),
        };
        let masked = |value: &Value| setup.masking.value(value.clone());
        let taken = match setup.direction {
            FeedDirection::Receive => RecordState::Accepted,
            FeedDirection::Push => RecordState::Waiting,
        };
        let unit = setup.unit.as_ref().and_then(|unit| self.body.get(unit));
        let unit = unit
            .and_then(Value::as_str)
            .map(|unit| setup.masking.text(unit));
        let mut record = Record {
            id,
            row: self.row,
            state: taken,
            unit,
            changed_at: self.changed_at,
            times: 1,
            original: None,
            body: None,
            faults: Vec::new(),
            corrections: Vec::new(),
            digest: self.digest,
        };
        match checked {
            Checked::Good => record.body = Some(masked(&self.body)),
            Checked::Corrected(right, corrections) => {
                if setup.direction == FeedDirection::Receive {
                    record.state = RecordState::Corrected;
                }
                record.original = Some(masked(&self.body));
                record.body = Some(masked(&right));
                let corrections = corrections.into_iter();
                record.corrections = corrections.map(|one| one.masked(&setup.masking)).collect();
            }
            Checked::Bad(faults) => {
                record.state = RecordState::Quarantined;
                record.original = Some(masked(&self.body));
                let faults = faults.into_iter();
                record.faults = faults.map(|one| one.masked(&setup.masking)).collect();
            }
        }
        record
    }
}

impl Record {
    /// What it is in this batch, when this is known of it already. In another batch it stays what it is
    /// there; the same contents again say nothing new.
    pub fn beside(mut self, batch: &str, known: Option<&Known>) -> Self {
        if let Some(known) = known
            && known.batch != batch
            && known.digest == self.digest
        {
            self.state = RecordState::Duplicate;
            (self.original, self.body) = (None, None);
            self.faults.clear();
            self.corrections.clear();
        }
        self
    }

    /// Whether something can be made of it now: what an earlier batch held back, or has not pushed yet, is
    /// settled by it.
    pub const fn is_taken(&self) -> bool {
        !matches!(
            self.state,
            RecordState::Quarantined | RecordState::Duplicate
        )
    }
}
