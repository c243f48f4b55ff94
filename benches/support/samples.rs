//! Every measured duration, kept: exact percentiles, and a run has fewer than a few million of them.

use crate::support::report::rounded;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Clone, Default)]
pub(crate) struct Samples(Vec<u64>);

impl Samples {
    pub(crate) fn push(&mut self, took: Duration) {
        self.push_ns(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn push_ns(&mut self, ns: u64) {
        self.0.push(ns);
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn summary(&self) -> Value {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let ms = |q: f64| rank(&sorted, q).map(|ns| rounded(ns as f64 / 1e6));
        json!({
            "count": sorted.len(),
            "p50_ms": ms(0.50),
            "p95_ms": ms(0.95),
            "p99_ms": ms(0.99),
            "max_ms": ms(1.0),
        })
    }

    pub(crate) fn quantile_ms(&self, q: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        rank(&sorted, q).map(|ns| rounded(ns as f64 / 1e6))
    }
}

/// The smallest sample that at least the share `q` of all samples does not exceed.
fn rank(sorted: &[u64], q: f64) -> Option<u64> {
    let nth = (q * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(nth.min(sorted.len()).wrapping_sub(1)).copied()
}

/// The middle one; of an even number the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}
