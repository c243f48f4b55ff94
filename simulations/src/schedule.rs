//! One day of an arrivals file as single arrivals.
//!
//! A file of counts says how many came in a bin, not when. The visitors of a bin are placed at independent uniform
//! instants within it, which is what a Poisson stream of known count looks like. Each queue and day draws from its own
//! seeded stream, so adding a queue or a day moves nobody else.
//!
//! **Invariant:** for every bin, exactly as many arrivals fall into it as it counts.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use crate::arrivals::{Arrivals, Bin, Counts, Visit};
use crate::random::Stream;

/// One visitor coming to take a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// Milliseconds since local midnight of the scheduled day. Reaches past 24 hours only if a bin does.
    pub offset_ms: u32,
    /// The service or queue as the file names it.
    pub service: String,
}

/// Everybody who comes on `date`, in order of time; visitors of the same millisecond in order of service.
///
/// With a `hall`, only the rows of that hall count, and rows of files that name no hall. Single visitors keep their
/// recorded times and need no `seed`.
pub fn of_day(arrivals: &Arrivals, hall: Option<&str>, date: NaiveDate, seed: u64) -> Vec<Arrival> {
    match arrivals {
        Arrivals::Visits(visits) => of_visits(visits, hall, date),
        Arrivals::Counts(counts) => of_counts(counts, hall, date, seed),
    }
}

fn of_visits(visits: &[Visit], hall: Option<&str>, date: NaiveDate) -> Vec<Arrival> {
    let mut arrivals: Vec<Arrival> = visits
        .iter()
        .filter(|visit| visit.at.date() == date && is_in(hall, Some(&visit.hall)))
        .map(|visit| Arrival {
            offset_ms: offset_ms(visit.at),
            service: visit.service.clone(),
        })
        .collect();
    arrivals.sort();
    arrivals
}

pub(crate) fn of_counts(
    counts: &Counts,
    hall: Option<&str>,
    date: NaiveDate,
    seed: u64,
) -> Vec<Arrival> {
    let mut bins: Vec<&Bin> = counts
        .bins
        .iter()
        .filter(|bin| bin.start.date() == date && is_in(hall, bin.hall.as_deref()))
        .collect();
    bins.sort_by_key(|bin| (&bin.hall, &bin.queue, bin.start));
    let mut arrivals: Vec<Arrival> = bins
        .chunk_by(|one, next| (&one.hall, &one.queue) == (&next.hall, &next.queue))
        .flat_map(|queue| spread(queue, counts.bin_secs, seed))
        .collect();
    arrivals.sort();
    arrivals
}

/// Whether a row of hall `found` belongs to the `wanted` one; a side that names no hall fits any.
fn is_in(wanted: Option<&str>, found: Option<&str>) -> bool {
    wanted.is_none() || found.is_none() || wanted == found
}

/// The visitors of one queue's bins of one day.
fn spread(bins: &[&Bin], bin_secs: u32, seed: u64) -> Vec<Arrival> {
    let Some(first) = bins.first() else {
        return Vec::new();
    };
    let hall = first.hall.as_deref().unwrap_or_default();
    let name = format!("{hall}/{}/{}", first.queue, first.start.date());
    let mut stream = Stream::new(seed, "arrivals", &name);
    let width_ms = bin_secs.saturating_mul(1000);
    let mut arrivals = Vec::new();
    for bin in bins {
        let start_ms = offset_ms(bin.start);
        arrivals.extend((0..bin.count).map(|_| Arrival {
            offset_ms: start_ms.saturating_add(stream.below(width_ms)),
            service: bin.queue.clone(),
        }));
    }
    arrivals
}

impl Arrival {
    /// The local time of arrival on `date`.
    pub fn at(&self, date: NaiveDate) -> NaiveDateTime {
        date.and_time(NaiveTime::MIN) + TimeDelta::milliseconds(i64::from(self.offset_ms))
    }
}

fn offset_ms(at: NaiveDateTime) -> u32 {
    let since_midnight = at.time() - NaiveTime::MIN;
    u32::try_from(since_midnight.num_milliseconds())
        .expect("a day has fewer than 2^32 milliseconds")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::arrivals::parse;

    const TWO_QUEUES: &str = "timestamp,hall,queue,count\n\
        2020-01-13 08:00,H,a,3\n2020-01-13 08:15,H,a,40\n2020-01-13 08:00,H,b,7\n2020-01-13 08:15,H,b,0\n\
        2020-01-14 08:00,H,a,9\n";

    #[test]
    fn every_bin_gets_exactly_its_count() {
        let mut per_bin = BTreeMap::new();
        for arrival in schedule_of(TWO_QUEUES, 1) {
            let bin = (arrival.service, arrival.offset_ms / 900_000);
            *per_bin.entry(bin).or_insert(0) += 1;
        }
        let expected = [
            (("a".to_owned(), 32), 3),
            (("a".to_owned(), 33), 40),
            (("b".to_owned(), 32), 7),
        ];
        assert_eq!(per_bin, BTreeMap::from(expected));
    }

    #[test]
    fn arrivals_come_in_order_of_time() {
        assert!(schedule_of(TWO_QUEUES, 1).is_sorted());
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_seed_another() {
        assert_eq!(schedule_of(TWO_QUEUES, 1), schedule_of(TWO_QUEUES, 1));
        assert_ne!(schedule_of(TWO_QUEUES, 1), schedule_of(TWO_QUEUES, 2));
    }

    #[test]
    fn a_known_seed_gives_its_known_first_arrivals() {
        let first: Vec<String> = schedule_of(TWO_QUEUES, 1)
            .iter()
            .take(4)
            .map(|arrival| format!("{} {}", arrival.offset_ms, arrival.service))
            .collect();
        assert_eq!(
            first,
            ["28891136 b", "28937621 a", "29014690 a", "29051605 b"]
        );
    }

    #[test]
    fn adding_a_queue_or_a_day_leaves_the_other_arrivals_unchanged() {
        let longer = format!("{TWO_QUEUES}2020-01-13 08:00,H,aa,100\n2020-01-12 08:00,H,a,100\n");
        let mut with_more = schedule_of(&longer, 1);
        with_more.retain(|arrival| arrival.service != "aa");
        assert_eq!(with_more, schedule_of(TWO_QUEUES, 1));
    }

    #[test]
    fn single_visitors_keep_their_times() {
        let file = "at,hall,service\n2020-01-13 08:00:05,H,a\n2020-01-13 08:00:01,H,b\n2020-01-13 08:00:02,other,a\n";
        let arrivals = schedule_of(file, 1);
        let times: Vec<u32> = arrivals.iter().map(|arrival| arrival.offset_ms).collect();
        assert_eq!(times, [28_801_000, 28_805_000]);
        assert_eq!(arrivals[0].at(day()).to_string(), "2020-01-13 08:00:01");
    }

    #[test]
    fn counts_without_a_hall_belong_to_whichever_hall_asks() {
        assert_eq!(
            schedule_of("timestamp,count\n2020-01-13 08:00,4\n", 1).len(),
            4
        );
    }

    fn schedule_of(file: &str, seed: u64) -> Vec<Arrival> {
        of_day(&parse(file).expect("a good file"), Some("H"), day(), seed)
    }

    fn day() -> NaiveDate {
        NaiveDate::from_ymd_opt(2020, 1, 13).expect("a real day")
    }
}
