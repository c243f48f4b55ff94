//! Slots of time that follow each other: what is older than the ring's span drops out.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::histogram::{Histogram, Shape};
use super::tally::Tally;

/// The calls of one stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Slot {
    /// When it began, in milliseconds since 1970.
    pub(super) from: i64,
    pub(super) tally: Tally,
    /// Times of its calls; none when they were given up to keep the memory's limit.
    pub(super) shape: Option<Shape>,
}

impl Slot {
    pub(super) fn at(from: i64) -> Self {
        Self {
            from,
            tally: Tally::default(),
            shape: Some(Shape::default()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tally.asked() == 0
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.tally.add(&other.tally);
        self.shape = match (&self.shape, &other.shape) {
            (Some(one), Some(two)) => Some(one.plus(two)),
            _ => None,
        };
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.shape.as_ref().map_or(0, Shape::heap_bytes)
    }
}

/// Slots of equal width, the oldest first; empty ones are left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ring {
    width_ms: i64,
    /// Slots that lie wholly before this long ago are dropped.
    span_ms: i64,
    slots: VecDeque<Slot>,
    /// What belongs to the slot that is still going on, as far as it was handed over.
    pending: Slot,
}

impl Ring {
    pub(super) fn new(width_ms: i64, span_ms: i64) -> Self {
        Self {
            width_ms,
            span_ms,
            slots: VecDeque::new(),
            pending: Slot::at(i64::MIN),
        }
    }

    /// The beginning of the slot that an instant lies in.
    pub(super) const fn begin(&self, at: i64) -> i64 {
        at - at.rem_euclid(self.width_ms)
    }

    /// Takes over calls of a stretch of time that lies within one slot.
    pub(super) fn take(&mut self, slot: &Slot) {
        if self.pending.from == i64::MIN {
            self.pending.from = self.begin(slot.from);
        }
        self.pending.add(slot);
    }

    /// Lets time pass until `now`: the slot that ended, if any, and those that dropped out.
    pub(super) fn advance(&mut self, now: i64) -> (Option<Slot>, Vec<Slot>) {
        let begin = self.begin(now);
        let mut ended = None;
        if begin > self.pending.from {
            let slot = std::mem::replace(&mut self.pending, Slot::at(begin));
            if !slot.is_empty() {
                // One more than are kept: the newest comes before the oldest goes.
                let slots_max = (self.span_ms / self.width_ms + 2) as usize;
                if self.slots.capacity() < slots_max {
                    self.slots.reserve_exact(slots_max - self.slots.len());
                }
                self.slots.push_back(slot.clone());
                ended = Some(slot);
            }
        }
        let limit = now - self.span_ms;
        let old = |slot: &Slot| slot.from + self.width_ms <= limit;
        let count = self.slots.iter().take_while(|slot| old(slot)).count();
        (ended, self.slots.drain(..count).collect())
    }

    /// Closed slots that reach beyond `after`, the oldest first.
    pub(super) fn since(&self, after: i64) -> impl Iterator<Item = &Slot> {
        let width = self.width_ms;
        self.slots
            .iter()
            .skip_while(move |slot| slot.from + width <= after)
    }

    pub(super) const fn pending(&self) -> &Slot {
        &self.pending
    }

    /// Gives up the times of the oldest slot that has some, of the one under way at last.
    pub(super) fn forget_oldest_shape(&mut self) -> Option<Shape> {
        let mut all = self.slots.iter_mut().chain([&mut self.pending]);
        all.find(|slot| slot.heap_bytes() > 0)?.shape.take()
    }

    /// Bytes of the times that could be given up.
    pub(super) fn shape_bytes(&self) -> usize {
        let all = self.slots.iter().chain([&self.pending]);
        all.map(Slot::heap_bytes).sum()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.shape_bytes()
    }
}

/// Slots added up.
#[derive(Debug, Clone, Default)]
pub(super) struct Sum {
    pub(super) tally: Tally,
    pub(super) histogram: Histogram,
    /// Since when there are times, if some slots gave theirs up.
    pub(super) times_from: Option<i64>,
}

impl Sum {
    pub(super) fn add(&mut self, slot: &Slot, until: i64) {
        self.tally.add(&slot.tally);
        match &slot.shape {
            Some(shape) => self.histogram.add(shape),
            None => self.times_from = Some(until),
        }
    }
}
