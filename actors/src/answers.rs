//! The answers of late by idempotency key: a client that asks again is told what it was told before.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::ports::IdempotencyKey;

/// Answers remembered; older ones are found in the journal.
const KEPT: usize = 512;

/// The answers of one actor.
pub(crate) struct Answers<D> {
    by_key: BTreeMap<String, (String, Arc<D>)>,
    order: VecDeque<String>,
}

impl<D> Default for Answers<D> {
    fn default() -> Self {
        Self {
            by_key: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }
}

/// The key belongs to another command.
pub(crate) struct Reused;

impl<D> Answers<D> {
    pub(crate) fn keep(&mut self, key: IdempotencyKey, done: Arc<D>) {
        self.order.push_back(key.key.clone());
        self.by_key.insert(key.key, (key.fingerprint, done));
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_key.remove(&oldest);
        }
    }

    /// What was answered under this key, if it is remembered.
    pub(crate) fn find(&self, key: Option<&IdempotencyKey>) -> Option<Result<&Arc<D>, Reused>> {
        let key = key?;
        let (fingerprint, done) = self.by_key.get(&key.key)?;
        Some(match *fingerprint == key.fingerprint {
            true => Ok(done),
            false => Err(Reused),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str, fingerprint: &str) -> IdempotencyKey {
        IdempotencyKey {
            key: key.to_owned(),
            fingerprint: fingerprint.to_owned(),
        }
    }

    #[test]
    fn the_same_command_is_answered_again_and_another_one_refused() {
        let mut answers = Answers::default();
        answers.keep(key("k", "this"), Arc::new(1));
        assert!(matches!(answers.find(Some(&key("k", "this"))), Some(Ok(done)) if **done == 1));
        assert!(matches!(
            answers.find(Some(&key("k", "that"))),
            Some(Err(Reused))
        ));
        assert!(answers.find(Some(&key("l", "this"))).is_none());
        assert!(answers.find(None).is_none());
    }

    #[test]
    fn the_oldest_answer_goes_first() {
        let mut answers = Answers::default();
        for n in 0..=KEPT {
            answers.keep(key(&n.to_string(), ""), Arc::new(n));
        }
        assert!(answers.find(Some(&key("0", ""))).is_none());
        assert!(answers.find(Some(&key("1", ""))).is_some());
    }
}
