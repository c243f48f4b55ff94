//! Percentiles of histograms against exact ones, on recorded and on hostile series.

use proptest::prelude::*;
use rules::channels::histogram::{Histogram, RELATIVE_ERROR_MAX, Shape, exact_percentile};

const PERCENTS: [f64; 8] = [0.1, 10.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9];

/// Chance that is the same at every run.
struct Chance(u64);

impl Chance {
    /// Between 0 and 1, never 0.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

fn of(series: &[u64]) -> Histogram {
    let mut histogram = Histogram::default();
    for micros in series {
        histogram.record(*micros);
    }
    histogram
}

/// The largest relative error over all percentiles.
fn error(series: &[u64]) -> f64 {
    let mut sorted = series.to_vec();
    sorted.sort_unstable();
    let found = of(series).percentiles(PERCENTS).expect("some durations");
    let errors = PERCENTS.iter().zip(found).map(|(percent, estimate)| {
        let exact = exact_percentile(&sorted, *percent).expect("some durations");
        match exact {
            0 => estimate as f64,
            _ => estimate.abs_diff(exact) as f64 / exact as f64,
        }
    });
    errors.fold(0.0, f64::max)
}

/// What an access log recorded: the sizes of its answers, whose tail is heavy, and the seconds
/// between its lines.
fn recorded() -> [Vec<u64>; 2] {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/access-log.txt");
    let text = std::fs::read_to_string(path).expect("the log");
    let after_request = |line: &str| line.split("\" ").nth(1).map(str::to_owned);
    let sizes = text.lines().filter_map(|line| {
        let fields = after_request(line)?;
        fields.split(' ').nth(1)?.parse::<u64>().ok()
    });
    let second = |line: &str| -> Option<i64> {
        let (_, at) = line.split_once('[')?;
        let number = |range: std::ops::Range<usize>| at.get(range)?.parse::<i64>().ok();
        let minutes = (number(0..2)? * 24 + number(12..14)?) * 60 + number(15..17)?;
        Some(minutes * 60 + number(18..20)?)
    };
    let seconds: Vec<i64> = text.lines().filter_map(second).collect();
    let gaps = seconds.windows(2).map(|two| two[0].abs_diff(two[1]));
    [sizes.collect(), gaps.collect()]
}

#[test]
fn percentiles_of_recorded_series_are_within_one_percent() {
    for (series, least) in recorded().iter().zip([4000, 4524]) {
        assert!(series.len() >= least, "{}", series.len());
        for unit in [1, 17, 1_000] {
            let series: Vec<u64> = series
                .iter()
                .map(|one| (one * unit).min(3_600_000_000))
                .collect();
            assert!(
                error(&series) <= RELATIVE_ERROR_MAX,
                "{unit}: {}",
                error(&series)
            );
        }
    }
}

#[test]
fn percentiles_of_hostile_series_are_within_one_percent() {
    const HOUR: f64 = 3.6e9;
    let mut chance = Chance(88_172_645_463_325_252);
    let mut series = |make: &dyn Fn(f64) -> f64| -> Vec<u64> {
        (0..50_000)
            .map(|_| make(chance.next()).clamp(1.0, HOUR) as u64)
            .collect()
    };
    let hostile: Vec<(&str, Vec<u64>)> = vec![
        ("constant", vec![81_234; 1000]),
        ("one", vec![3_599_999_999]),
        (
            "bimodal",
            series(&|u| if u < 0.5 { 900.0 + u } else { 59e6 + u * 1e5 }),
        ),
        (
            "powers of two",
            (0..32).flat_map(|bit| vec![1 << bit; 7]).collect(),
        ),
        (
            "one below powers of two",
            (1..32).flat_map(|bit| vec![(1 << bit) - 1; 7]).collect(),
        ),
        ("Pareto, index 0.5", series(&|u| u.powi(-2))),
        (
            "Pareto, index 1.1",
            series(&|u| 80_000.0 * u.powf(-1.0 / 1.1)),
        ),
        ("log-uniform over 1 µs to 1 h", series(&|u| HOUR.powf(u))),
        ("uniform over 1 h", series(&|u| u * HOUR)),
        ("exponential", series(&|u| -u.ln() * 120_000.0)),
        ("lower edge of one bucket", vec![65 << 20; 1000]),
        ("upper edge of one bucket", vec![(66 << 20) - 1; 1000]),
        (
            "both edges of one bucket",
            [65 << 20, (66 << 20) - 1].repeat(500),
        ),
        ("rising", (1..=200_000).collect()),
    ];
    for (name, series) in &hostile {
        assert!(
            error(series) <= RELATIVE_ERROR_MAX,
            "{name}: {}",
            error(series)
        );
    }
}

#[test]
fn a_duration_beyond_the_range_is_counted_and_stays_at_its_end() {
    let histogram = of(&[u64::MAX, 5_000_000_000]);
    assert_eq!(histogram.count(), 2);
    let [median] = histogram.percentiles([50.0]).expect("a percentile");
    assert!(median > 3_600_000_000, "{median}");
}

#[test]
fn nothing_recorded_has_no_percentiles() {
    assert_eq!(Histogram::default().percentiles([50.0]), None);
    assert_eq!(exact_percentile(&[], 50.0), None);
    assert_eq!(
        exact_percentile(&[100, 200, 300, 400, 5000], 50.0),
        Some(300)
    );
}

#[test]
fn memory_has_a_limit_whatever_is_recorded() {
    let everything: Vec<u64> = (0..=u32::BITS * 4096)
        .map(|i| 2_f64.powf(f64::from(i) / 4096.0) as u64)
        .collect();
    let histogram = of(&everything);
    assert!(
        histogram.heap_bytes() <= 7 * 1024,
        "{}",
        histogram.heap_bytes()
    );
    // At rest, with thousands of calls in each of the 1,728 buckets: at most three bytes each.
    let shape = (0..12).fold(histogram.shape(), |shape, _| shape.plus(&shape));
    assert!(
        shape.heap_bytes() <= 3 * 1728 + 64,
        "{}",
        shape.heap_bytes()
    );
    // What calls of one kind leave behind is small.
    let usual = of(&(0..600).map(|i| 80_000 + i * 100).collect::<Vec<_>>());
    assert!(
        usual.shape().heap_bytes() < 128,
        "{}",
        usual.shape().heap_bytes()
    );
}

fn durations() -> impl Strategy<Value = Vec<u64>> {
    let one = prop_oneof![0..200_u64, 1_000..100_000_u64, 0..4_000_000_000_u64];
    prop::collection::vec(one, 0..200)
}

fn same(one: &Histogram, two: &Histogram) -> bool {
    one.shape() == two.shape()
}

proptest! {
    #[test]
    fn what_was_added_can_be_subtracted(first in durations(), second in durations()) {
        let mut sum = of(&first);
        let expired = of(&second).shape();
        sum.add(&expired);
        let both: Vec<u64> = first.iter().chain(&second).copied().collect();
        prop_assert!(same(&sum, &of(&both)));
        prop_assert_eq!(of(&first).shape().plus(&expired), sum.shape());
        let mut merged = of(&first);
        merged.merge(&of(&second));
        prop_assert!(same(&merged, &sum));
        sum.subtract(&expired);
        prop_assert!(same(&sum, &of(&first)));
        prop_assert_eq!(sum.count(), first.len() as u64);
    }

    #[test]
    fn a_shape_survives_its_json(series in durations()) {
        let histogram = of(&series);
        let text = serde_json::to_string(&histogram).expect("JSON");
        let read: Histogram = serde_json::from_str(&text).expect("a histogram");
        prop_assert!(same(&read, &histogram));
        let shape: Shape = serde_json::from_str(&text).expect("a shape");
        prop_assert_eq!(shape, histogram.shape());
    }
}
