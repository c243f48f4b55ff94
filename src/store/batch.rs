//! What of a batch may pass: the part of a commit that needs no database.
//!
//! A batch is settled in three steps, in one transaction:
//!
//! 1. The database says which of the batch's keys were used before; those appends are repeats.
//! 2. The rest of each stream is chained into one [`Step`] of its head. A step passes if the head
//!    stands where it begins, under this owner and epoch.
//! 3. [`Plan::settle`] turns that into one result per append.
//!
//! An adapter may also write first, as if nothing were used and every step passed, and ask only
//! when the database refuses.
//!
//! Within a stream an append is decided upon those before it, so a chain stands or falls as one. Of
//! several epochs only the highest can be the head's: each lower one was taken over since.

use std::collections::{HashMap, HashSet};

use actors::ports::{Append, Rejected};
use serde::Serialize;

/// A key found in the database, with the events it stands for.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) stream: String,
    pub(super) key: String,
    pub(super) fingerprint: String,
    pub(super) first_seq: u64,
    pub(super) count: u64,
}

/// A stream's head moves from `before` to `last`, if it stands there in this epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Step<'a> {
    pub(super) stream: &'a str,
    pub(super) epoch: i64,
    pub(super) before: u64,
    pub(super) last: u64,
}

#[derive(Debug)]
enum Fate {
    /// Passes if its stream's step does.
    WithItsStream,
    /// Has the key of an earlier append of the same batch, at this place.
    Repeats(usize),
    Rejected(Rejected),
}

/// The steps to try, and what becomes of each append.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    batch: &'a [Append],
    steps: Vec<Step<'a>>,
    fates: Vec<Fate>,
}

impl<'a> Plan<'a> {
    pub(super) fn of(batch: &'a [Append], used: &[Used]) -> Self {
        let used: HashMap<_, _> = used
            .iter()
            .map(|used| ((used.stream.as_str(), used.key.as_str()), used))
            .collect();
        let mut chains = Chains::newest_epochs(batch);
        let fates = batch
            .iter()
            .enumerate()
            .map(|(place, append)| match key_of(append) {
                Some(key) if used.contains_key(&key) => Fate::Rejected(duplicate(used[&key])),
                key => chains.extend(place, append, key),
            })
            .collect();
        Self {
            batch,
            steps: chains.steps,
            fates,
        }
    }

    pub(super) fn steps(&self) -> &[Step<'a>] {
        &self.steps
    }

    /// The steps of these streams only.
    pub(super) fn steps_of(&self, streams: &HashSet<String>) -> Vec<Step<'a>> {
        let steps = self.steps.iter().copied();
        steps.filter(|step| streams.contains(step.stream)).collect()
    }

    /// One result per append, given the streams whose heads moved.
    pub(super) fn settle(self, moved: &HashSet<String>) -> Vec<Result<(), Rejected>> {
        let batch = self.batch;
        let passed = |append: &Append| moved.contains(append.stream.as_str());
        let settle = |(fate, append): (Fate, &Append)| match fate {
            Fate::Rejected(rejected) => Err(rejected),
            Fate::WithItsStream if passed(append) => Ok(()),
            Fate::Repeats(place) if passed(append) => Err(repeat_of(&batch[place])),
            Fate::WithItsStream | Fate::Repeats(_) => Err(Rejected::Fenced),
        };
        self.fates.into_iter().zip(batch).map(settle).collect()
    }
}

type Key<'a> = (&'a str, &'a str);

/// The chains of a batch while they are built.
struct Chains<'a> {
    epochs: HashMap<&'a str, i64>,
    steps: Vec<Step<'a>>,
    by_stream: HashMap<&'a str, usize>,
    by_key: HashMap<Key<'a>, usize>,
}

impl<'a> Chains<'a> {
    fn newest_epochs(batch: &'a [Append]) -> Self {
        let mut epochs = HashMap::new();
        for append in batch {
            let newest = epochs.entry(append.stream.as_str()).or_insert(append.epoch);
            *newest = append.epoch.max(*newest);
        }
        Self {
            epochs,
            steps: Vec::new(),
            by_stream: HashMap::new(),
            by_key: HashMap::new(),
        }
    }

    fn extend(&mut self, place: usize, append: &'a Append, key: Option<Key<'a>>) -> Fate {
        let fenced = Fate::Rejected(Rejected::Fenced);
        let stream = append.stream.as_str();
        if self.epochs.get(stream) != Some(&append.epoch) {
            return fenced;
        }
        if let Some(earlier) = key.and_then(|key| self.by_key.get(&key)) {
            return Fate::Repeats(*earlier);
        }
        let Some((first, last)) = span(append) else {
            return fenced;
        };
        match self.by_stream.get(stream) {
            Some(at) if self.steps[*at].last + 1 == first => self.steps[*at].last = last,
            Some(_) => return fenced,
            None => {
                self.by_stream.insert(stream, self.steps.len());
                self.steps.push(Step {
                    stream,
                    epoch: append.epoch,
                    before: first - 1,
                    last,
                });
            }
        }
        if let Some(key) = key {
            self.by_key.insert(key, place);
        }
        Fate::WithItsStream
    }
}

/// First and last sequence number, if they rise by one from at least 1.
fn span(append: &Append) -> Option<(u64, u64)> {
    let first = append.events.first()?.seq;
    let gapless = (first..)
        .zip(&append.events)
        .all(|(seq, event)| event.seq == seq);
    let last = append.events.last()?.seq;
    (first > 0 && gapless).then_some((first, last))
}

fn key_of(append: &Append) -> Option<Key<'_>> {
    let key = append.key.as_ref()?;
    Some((append.stream.as_str(), key.key.as_str()))
}

fn duplicate(used: &Used) -> Rejected {
    Rejected::Duplicate {
        fingerprint: used.fingerprint.clone(),
        first_seq: used.first_seq,
        count: used.count,
    }
}

fn repeat_of(append: &Append) -> Rejected {
    let (first_seq, last) = span(append).unwrap_or_default();
    Rejected::Duplicate {
        fingerprint: append
            .key
            .as_ref()
            .map(|key| key.fingerprint.clone())
            .unwrap_or_default(),
        first_seq,
        count: last + 1 - first_seq,
    }
}

#[cfg(test)]
mod tests {
    use actors::ports::{Entry, IdempotencyKey, StreamId};
    use rules::time::Timestamp;

    use super::*;

    fn append(hall: &str, epoch: i64, seqs: &[u64], key: Option<&str>) -> Append {
        Append {
            stream: StreamId::stored(hall.to_owned()),
            epoch,
            events: seqs
                .iter()
                .map(|seq| Entry {
                    seq: *seq,
                    at: Timestamp::from_millis(0),
                    by: "test".into(),
                    kind: "hall_closed",
                    body: "{}".to_owned(),
                })
                .collect(),
            tickets: Vec::new(),
            items: Vec::new(),
            key: key.map(|key| IdempotencyKey {
                key: key.into(),
                fingerprint: "f".into(),
            }),
        }
    }

    fn moved(halls: &[&str]) -> HashSet<String> {
        halls.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn appends_of_one_hall_are_one_step() {
        let batch = [
            append("H1", 3, &[5, 6], None),
            append("H2", 1, &[1], None),
            append("H1", 3, &[7], None),
        ];
        let plan = Plan::of(&batch, &[]);
        let spans: Vec<_> = plan
            .steps()
            .iter()
            .map(|step| (step.stream, step.before, step.last))
            .collect();
        assert_eq!(spans, [("H1", 4, 7), ("H2", 0, 1)]);
        let results = plan.settle(&moved(&["H1"]));
        assert_eq!(results, [Ok(()), Err(Rejected::Fenced), Ok(())]);
    }

    #[test]
    fn an_older_epoch_does_not_hurt_the_newer_one_in_its_batch() {
        let batch = [append("H1", 1, &[5], None), append("H1", 2, &[5], None)];
        let results = Plan::of(&batch, &[]).settle(&moved(&["H1"]));
        assert_eq!(results, [Err(Rejected::Fenced), Ok(())]);
    }

    #[test]
    fn a_key_repeated_within_a_batch_is_told_the_first_events() {
        let batch = [
            append("H1", 1, &[5, 6], Some("k")),
            append("H1", 1, &[7], Some("k")),
        ];
        let results = Plan::of(&batch, &[]).settle(&moved(&["H1"]));
        let repeat = Rejected::Duplicate {
            fingerprint: "f".into(),
            first_seq: 5,
            count: 2,
        };
        assert_eq!(results, [Ok(()), Err(repeat)]);
    }

    #[test]
    fn an_append_with_a_gap_or_nothing_in_it_is_fenced() {
        for seqs in [&[5, 7][..], &[], &[0]] {
            let batch = [append("H1", 1, seqs, None)];
            let plan = Plan::of(&batch, &[]);
            assert!(plan.steps().is_empty());
            assert_eq!(plan.settle(&moved(&[])), [Err(Rejected::Fenced)]);
        }
    }
}
