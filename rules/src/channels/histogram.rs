//! Durations counted in log-linear buckets, in fixed memory.
//!
//! Durations are whole microseconds. Below 128 µs each has a bucket of its own; above, each doubling
//! is cut into 64 buckets of equal width, up to 2³² µs (71 minutes), where longer ones are counted
//! too. The middle of a bucket is therefore within 1/128 (0.8 %) of anything in it. The layout is
//! that of Gil Tene's HdrHistogram with 64 sub-buckets.
//!
//! Two histograms add up and subtract bucket by bucket, without loss: a sliding window is a running
//! sum from which what has expired is subtracted. Counters exist by the doubling, 256 bytes each, from
//! the first duration in it on; all 27 are 7 KiB. [`Shape`] is a histogram at rest: only the buckets
//! that hold something, one or two bytes each.

use std::iter::Peekable;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::course::Bar;

/// Buckets of one doubling, as a power of two.
const SUB_BITS: u32 = 6;
const SUB: usize = 1 << SUB_BITS;
/// Blocks of [`SUB`] buckets: one for 0–63 µs, then one for each doubling up to 2³² µs.
const BLOCKS: usize = 27;

/// Buckets of a quarter of a doubling.
const QUARTER: usize = SUB / 4;

/// How far an estimate may be from the exact percentile, as a share of it.
pub const RELATIVE_ERROR_MAX: f64 = 1.0 / 128.0;

/// The bucket of a duration.
const fn bucket_of(micros: u64) -> usize {
    let micros = if micros > u32::MAX as u64 {
        u32::MAX
    } else {
        micros as u32
    };
    if micros < SUB as u32 {
        return micros as usize;
    }
    let shift = micros.ilog2() - SUB_BITS;
    ((shift as usize) << SUB_BITS) + (micros >> shift) as usize
}

/// The shortest duration in a bucket, in microseconds.
const fn least_of(bucket: usize) -> u64 {
    if bucket < SUB {
        return bucket as u64;
    }
    let shift = bucket / SUB - 1;
    ((SUB + bucket % SUB) as u64) << shift
}

/// The middle of a bucket, in microseconds.
const fn middle_of(bucket: usize) -> u64 {
    if bucket < SUB {
        return bucket as u64;
    }
    least_of(bucket) + (least_of(bucket + 1) - least_of(bucket) - 1) / 2
}

/// The rank of a percentile among `count` values, from 1: the smallest value that at least
/// `percent` of all do not exceed (nearest rank).
fn rank(percent: f64, count: u64) -> u64 {
    let rank = (percent / 100.0 * count as f64).ceil();
    (rank as u64).clamp(1, count.max(1))
}

/// The exact percentile of a sorted list by nearest rank; none of an empty one.
pub fn exact_percentile(sorted: &[u64], percent: f64) -> Option<u64> {
    sorted
        .get(rank(percent, sorted.len() as u64) as usize - 1)
        .copied()
}

/// How often durations of each bucket were seen.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    blocks: [Option<Box<[u32; SUB]>>; BLOCKS],
}

impl Histogram {
    /// Counts a duration; says whether that took more memory.
    pub fn record(&mut self, micros: u64) -> bool {
        self.add_to(bucket_of(micros), 1)
    }

    fn add_to(&mut self, bucket: usize, count: u32) -> bool {
        let block = &mut self.blocks[bucket / SUB];
        let grows = block.is_none();
        let counters = block.get_or_insert_with(|| Box::new([0; SUB]));
        let counter = &mut counters[bucket % SUB];
        *counter = counter.saturating_add(count);
        grows
    }

    pub fn add(&mut self, shape: &Shape) {
        for (bucket, count) in shape.buckets() {
            self.add_to(bucket, count);
        }
    }

    /// Takes away what was added before.
    pub fn subtract(&mut self, shape: &Shape) {
        for (bucket, count) in shape.buckets() {
            if let Some(block) = &mut self.blocks[bucket / SUB] {
                let counter = &mut block[bucket % SUB];
                *counter = counter.saturating_sub(count);
            }
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in other.buckets() {
            self.add_to(bucket, count);
        }
    }

    /// Buckets that hold something, from the shortest durations on.
    fn buckets(&self) -> impl Iterator<Item = (usize, u32)> {
        let blocks = self.blocks.iter().enumerate();
        let blocks = blocks.filter_map(|(number, block)| Some((number, block.as_ref()?)));
        blocks.flat_map(|(number, block)| {
            let counters = block.iter().enumerate().filter(|(_, count)| **count > 0);
            counters.map(move |(place, count)| (number * SUB + place, *count))
        })
    }

    /// The counts by quarters of a doubling, from the first to the last that holds something.
    pub(super) fn bars(&self) -> Vec<Bar> {
        let mut bars: Vec<Bar> = Vec::new();
        let mut next = 0;
        for (bucket, count) in self.buckets() {
            let group = bucket / QUARTER;
            if bars.is_empty() {
                next = group;
            }
            for group in next..=group {
                bars.push(Bar {
                    from_micros: least_of(group * QUARTER),
                    to_micros: least_of((group + 1) * QUARTER),
                    calls: 0,
                });
            }
            next = next.max(group + 1);
            if let Some(last) = bars.last_mut() {
                last.calls += u64::from(count);
            }
        }
        bars
    }

    pub fn count(&self) -> u64 {
        self.buckets().map(|(_, count)| u64::from(count)).sum()
    }

    /// Percentiles by nearest rank, in microseconds, within [`RELATIVE_ERROR_MAX`] of the exact ones
    /// up to 71 minutes; `percents` must rise. None when nothing was recorded.
    pub fn percentiles<const N: usize>(&self, percents: [f64; N]) -> Option<[u64; N]> {
        let count = self.count();
        let mut found = [0; N];
        let mut wanted = percents
            .iter()
            .map(|percent| rank(*percent, count))
            .enumerate()
            .peekable();
        let mut seen = 0;
        for (bucket, count) in self.buckets() {
            seen += u64::from(count);
            while let Some((place, _)) = wanted.next_if(|(_, rank)| *rank <= seen) {
                found[place] = middle_of(bucket);
            }
        }
        (count > 0).then_some(found)
    }

    /// The same counts at rest.
    pub fn shape(&self) -> Shape {
        Shape::pack(self.buckets())
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        for block in self.blocks.iter_mut().flatten() {
            block.fill(0);
        }
    }

    /// Bytes that it occupies beside its own size.
    pub fn heap_bytes(&self) -> usize {
        self.blocks.iter().flatten().count() * size_of::<[u32; SUB]>()
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shape().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut histogram = Self::default();
        histogram.add(&Shape::deserialize(deserializer)?);
        Ok(histogram)
    }
}

/// A histogram at rest: for each bucket that holds something its count and how far it is from the
/// one before, as numbers of seven bits a byte. The lowest bit of a count says whether a distance
/// follows; without, it is the next bucket. In JSON the bytes are hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape(Box<[u8]>);

impl Shape {
    fn pack(buckets: impl Iterator<Item = (usize, u32)>) -> Self {
        let mut bytes = Vec::new();
        let mut next = 0;
        for (bucket, count) in buckets {
            let far = bucket > next;
            put(&mut bytes, u64::from(count) << 1 | u64::from(far));
            if far {
                put(&mut bytes, (bucket - next) as u64);
            }
            next = bucket + 1;
        }
        Self(bytes.into_boxed_slice())
    }

    /// Buckets and their counts, from the shortest durations on.
    fn buckets(&self) -> Buckets<'_> {
        Buckets {
            bytes: &self.0,
            next: 0,
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self::pack(Merged(
            self.buckets().peekable(),
            other.buckets().peekable(),
        ))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that it occupies beside its own size.
    pub fn heap_bytes(&self) -> usize {
        self.0.len()
    }

    fn parse(text: &str) -> Option<Self> {
        let digit = |at: usize| (*text.as_bytes().get(at)? as char).to_digit(16);
        let byte = |at: usize| Some((digit(at)? << 4 | digit(at + 1)?) as u8);
        let bytes: Option<Box<[u8]>> = (0..text.len()).step_by(2).map(byte).collect();
        let shape = Self(bytes?);
        let in_range = |(bucket, _): (usize, u32)| bucket < BLOCKS * SUB;
        // One way to write it: nothing is left over, cut off or beyond the range.
        (shape.buckets().all(in_range) && Self::pack(shape.buckets()) == shape).then_some(shape)
    }
}

impl Serialize for Shape {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |four: u8| DIGITS[usize::from(four)] as char;
        let mut text = String::with_capacity(2 * self.0.len());
        for byte in &self.0 {
            text.push(digit(byte >> 4));
            text.push(digit(byte & 15));
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("these are no counts of buckets"))
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

struct Buckets<'a> {
    bytes: &'a [u8],
    next: usize,
}

impl Buckets<'_> {
    fn take(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

impl Iterator for Buckets<'_> {
    type Item = (usize, u32);

    fn next(&mut self) -> Option<Self::Item> {
        let count = self.take()?;
        let distance = if count & 1 == 1 { self.take()? } else { 0 };
        let bucket = self
            .next
            .saturating_add(usize::try_from(distance).unwrap_or(usize::MAX));
        self.next = bucket.saturating_add(1);
        Some((bucket, u32::try_from(count >> 1).unwrap_or(u32::MAX)))
    }
}

/// Two rising lists of buckets as one.
struct Merged<'a>(Peekable<Buckets<'a>>, Peekable<Buckets<'a>>);

impl Iterator for Merged<'_> {
    type Item = (usize, u32);

    fn next(&mut self) -> Option<Self::Item> {
        let Self(one, two) = self;
        match (one.peek(), two.peek()) {
            (Some((a, _)), Some((b, _))) if a == b => {
                let ((bucket, count), (_, more)) = (one.next()?, two.next()?);
                Some((bucket, count.saturating_add(more)))
            }
            (Some((a, _)), Some((b, _))) if b < a => two.next(),
            (Some(_), _) => one.next(),
            (None, _) => two.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_within_the_error_of_its_buckets_middle() {
        let edges = (0..32).flat_map(|bit| {
            let at = 1_u64 << bit;
            (0..=64).flat_map(move |sub| {
                let at = at + at * sub / 64;
                [at.saturating_sub(1), at, at + 1]
            })
        });
        let mut last = 0;
        let mut all: Vec<u64> = (0..200_000).chain(edges).collect();
        all.sort_unstable();
        for micros in all {
            let micros = micros.min(u64::from(u32::MAX));
            let bucket = bucket_of(micros);
            assert!(
                bucket == last || bucket == last + 1 || micros > 200_000,
                "{micros}"
            );
            assert!(bucket >= last && bucket < BLOCKS * SUB, "{micros}");
            last = bucket;
            let error = middle_of(bucket).abs_diff(micros) as f64;
            assert!(
                error <= RELATIVE_ERROR_MAX * micros as f64,
                "{micros}: {error}"
            );
        }
        assert_eq!(bucket_of(u64::MAX), BLOCKS * SUB - 1);
    }

    #[test]
    fn bytes_that_are_no_shape_are_refused() {
        for text in ["0", "0g", "ffffffffffffffffffff01", "03ffff7f"] {
            let text = format!("\"{text}\"");
            let read = serde_json::from_str::<Shape>(&text);
            assert!(read.is_err(), "{text}: {read:?}");
        }
    }
}
