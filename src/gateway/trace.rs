//! Traces that begin at the gateway. Their ids must be unlike each other, not secret: each thread goes
//! through a sequence of its own from a random start.

use std::cell::Cell;

pub(super) struct Traces(Cell<u64>, u64);

impl Traces {
    pub(super) fn new() -> Self {
        let seed = || getrandom::u64().unwrap_or_default();
        Self(Cell::new(seed()), seed())
    }

    /// A new trace, and its `traceparent`.
    pub(super) fn next(&self) -> (u128, String) {
        let high = u128::from(self.number() ^ self.1) << 64;
        let trace = (high | u128::from(self.number())).max(1);
        let parent = rules::channels::trace::traceparent(trace, self.number());
        (trace, parent)
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
