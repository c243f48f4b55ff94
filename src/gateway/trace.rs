//! Traces that begin at the gateway. Their ids must be unlike each other, not secret: each thread goes
//! through a sequence of its own from a random start.

use std::cell::Cell;

pub(super) struct Traces(Cell<u64>, u64);

impl Traces {
    pub(super) fn new() -> Self {
        let seed = || getrandom::u64().unwrap_or_default();
        Self(Cell::new(seed()), seed())
    }

    /// A `traceparent` of a new trace.
    pub(super) fn next(&self) -> String {
        let high = u128::from(self.number() ^ self.1) << 64;
        rules::channels::trace::traceparent(high | u128::from(self.number()), self.number())
    }

    /// The next of a sequence that does not repeat (splitmix64).
    fn number(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
