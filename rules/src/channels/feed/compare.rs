//! What differs between the two sides: by ids, and by digests where the other side knows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::RecordState;
use super::setup::FeedDirection;

/// Records that may be compared at once, on either side.
pub const COMPARED_MAX: usize = 100_000;

/// Differences that are listed; all are counted.
pub const LISTED_MAX: usize = 1_000;

/// A record as this side has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    pub digest: String,
    pub state: RecordState,
    /// Why pushing it failed.
    pub reason: Option<String>,
}

/// How a record differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Differs {
    /// They have it and we have not; of a push the other way round.
    Missing,
    /// The other way round.
    Extra,
    /// Both have it, with other contents.
    Different,
}

/// A record that differs, and what is known of why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differing {
    pub id: String,
    pub differs: Differs,
    /// `never_came`, `in_quarantine`, `not_pushed`, `not_acknowledged`, `acknowledged_but_gone`,
    /// `not_theirs`, `other_contents`, or why pushing it failed.
    pub reason: String,
}

/// What differs between the two sides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Difference {
    /// Records that the other side has.
    pub theirs: u64,
    /// Records that we have.
    pub ours: u64,
    pub missing: u64,
    pub extra: u64,
    pub different: u64,
    pub listed: Vec<Differing>,
}

impl Difference {
    pub const fn count(&self) -> u64 {
        self.missing + self.extra + self.different
    }

    /// Records of the side that should have given that the other has, in percent.
    pub fn arrived_percent(&self, direction: FeedDirection) -> Option<f64> {
        let whole = match direction {
            FeedDirection::Receive => self.theirs,
            FeedDirection::Push => self.ours,
        };
        crate::channels::tally::percent(whole - self.missing.min(whole), whole)
    }

    fn note(&mut self, id: &str, differs: Differs, reason: &str) {
        match differs {
            Differs::Missing => self.missing += 1,
            Differs::Extra => self.extra += 1,
            Differs::Different => self.different += 1,
        }
        if self.listed.len() < LISTED_MAX {
            self.listed.push(Differing {
                id: id.to_owned(),
                differs,
                reason: reason.to_owned(),
            });
        }
    }
}

/// Compares what we have with what the other side says it has.
pub fn compare(
    direction: FeedDirection,
    ours: &BTreeMap<String, Own>,
    theirs: &BTreeMap<String, Option<String>>,
) -> Difference {
    let has = |own: &Own| own.state != RecordState::Quarantined;
    let mut found = Difference {
        theirs: theirs.len() as u64,
        ours: ours.values().filter(|own| has(own)).count() as u64,
        ..Difference::default()
    };
    let (theirs_only, ours_only) = match direction {
        FeedDirection::Receive => (Differs::Missing, Differs::Extra),
        FeedDirection::Push => (Differs::Extra, Differs::Missing),
    };
    for (id, digest) in theirs {
        match ours.get(id) {
            None => found.note(id, theirs_only, "never_came"),
            Some(own) if !has(own) => found.note(id, theirs_only, "in_quarantine"),
            Some(own) if digest.as_ref().is_some_and(|digest| *digest != own.digest) => {
                found.note(id, Differs::Different, "other_contents");
            }
            Some(_) => {}
        }
    }
    for (id, own) in ours {
        if has(own) && !theirs.contains_key(id) {
            let reason = match own.state {
                RecordState::Waiting => "not_pushed",
                RecordState::Acknowledged => "acknowledged_but_gone",
                RecordState::Failed => own.reason.as_deref().unwrap_or("not_acknowledged"),
                _ => "not_theirs",
            };
            found.note(id, ours_only, reason);
        }
    }
    found
}
