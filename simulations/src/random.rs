//! Seeded chance: one independent stream per thing that needs it, all grown from one seed.
//!
//! A stream is chosen by what it is for and by name (`("arrivals", "passports")`), never by position in a list, so
//! adding a service or a window leaves every other stream as it was.
//!
//! The draws below use integer arithmetic, addition, multiplication and one exponential. Only the last could differ
//! between two machines' mathematics libraries, in its final bit; callers round to whole seconds.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Spread of the logarithm for the coefficient of variation of [`Stream::lognormal`]: `sqrt(ln(1 + 0.6²))`.
const LOG_SIGMA: f64 = 0.554_513_029_376_186_5;

#[derive(Debug, Clone)]
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    pub(crate) fn new(seed: u64, purpose: &str, name: &str) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(fnv1a([purpose.as_bytes(), &[0], name.as_bytes()]));
        Self(generator)
    }

    /// A whole number from 0 up to, not including, `limit`; 0 if `limit` is 0.
    ///
    /// Multiply-and-shift instead of rejection: one draw each. Its bias, below `limit` in 2⁶⁴, is far under
    /// anything a day of visitors could show.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        let product = u128::from(self.0.next_u64()) * u128::from(limit);
        (product >> 64) as u32
    }

    /// True in `permille` of a thousand cases.
    pub(crate) fn chance(&mut self, permille: u32) -> bool {
        self.below(1000) < permille
    }

    /// A lognormal value with the given mean and a coefficient of variation of 0.6.
    pub(crate) fn lognormal(&mut self, mean: f64) -> f64 {
        mean * (LOG_SIGMA * self.normal() - LOG_SIGMA * LOG_SIGMA / 2.0).exp()
    }

    /// Nearly normal with mean 0 and deviation 1: the sum of twelve uniform values less 6 (Irwin–Hall). Its tails
    /// end at ±6, which suits durations that are clamped anyway.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// Uniform from 0 up to, not including, 1, in steps of 2⁻⁵³.
    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The 64-bit FNV-1a hash: short, fixed by its definition, unlike the standard library's hasher.
fn fnv1a(parts: [&[u8]; 3]) -> u64 {
    let bytes = parts.into_iter().flatten();
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_purpose_and_name() {
        let first = |seed, purpose, name| Stream::new(seed, purpose, name).below(u32::MAX);
        let base = first(1, "arrivals", "a");
        assert_eq!(base, first(1, "arrivals", "a"));
        assert_ne!(base, first(2, "arrivals", "a"));
        assert_ne!(base, first(1, "service", "a"));
        assert_ne!(base, first(1, "arrivals", "b"));
    }

    #[test]
    fn below_reaches_every_value_and_never_its_limit() {
        let mut stream = Stream::new(7, "test", "below");
        let mut seen = [0; 6];
        for _ in 0..6000 {
            seen[stream.below(6) as usize] += 1;
        }
        assert!(
            seen.iter().all(|times| (800..1200).contains(times)),
            "{seen:?}"
        );
        assert_eq!(stream.below(0), 0);
    }

    #[test]
    fn lognormal_values_have_the_promised_mean_and_coefficient_of_variation() {
        let mut stream = Stream::new(7, "test", "lognormal");
        let drawn: Vec<f64> = (0..50_000).map(|_| stream.lognormal(10.0)).collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / drawn.len() as f64;
        assert!((mean - 10.0).abs() < 0.2, "mean {mean}");
        assert!(
            (variance.sqrt() / mean - 0.6).abs() < 0.02,
            "deviation {}",
            variance.sqrt()
        );
    }
}
