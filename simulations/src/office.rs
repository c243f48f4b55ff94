//! The recorded day that ships with the crate: the Praga-Południe district office of Warsaw, Monday 2020-01-13.
//!
//! `data/README.md` names the source, tells what was selected and which faults the record has. This module only reads
//! it; [`crate::staffing`] decides what to believe. Deliberately absent: any repair of the record.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime};

use crate::arrivals::{Arrivals, Counts, local_time, parse};
use crate::schedule::{self, Arrival};
use crate::table::split_fields;

const ARRIVALS: &str = include_str!("../data/office-day-arrivals.csv");
const SNAPSHOTS: &str = include_str!("../data/office-day-windows.csv");
const SERVICES: &str = include_str!("../data/office-services.csv");
const WINDOWS: &str = include_str!("../data/office-windows.csv");

/// One open day of one office.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfficeDay {
    /// The hall as the record names it.
    pub hall: String,
    pub name: Name,
    /// IANA name of the zone in which all times of the record are local.
    pub time_zone: String,
    pub date: NaiveDate,
    /// First recorded snapshot; the first visitors take numbers a few minutes earlier.
    pub opens: NaiveTime,
    /// Last recorded snapshot, to the full hour.
    pub closes: NaiveTime,
    /// Related services stand beside each other.
    pub services: Vec<Service>,
    /// In order of number.
    pub windows: Vec<Window>,
    /// Visitors per quarter of an hour and service.
    pub arrivals: Counts,
    /// Per service, in order of time. Empty for the services that the record does not follow.
    pub snapshots: BTreeMap<String, Vec<Snapshot>>,
}

/// A name in the languages of the record and of the screens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Polish, as recorded.
    pub pl: String,
    pub zh: String,
    pub en: String,
}

/// One service line of the office.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The queue as the record names it.
    pub id: String,
    /// Letter in front of the ticket number, unique in the office.
    pub prefix: String,
    pub name: Name,
}

/// One window and what it may serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The number above the window.
    pub id: String,
    /// Ids of one to three related services.
    pub services: Vec<String>,
}

/// What the office's system said about one service at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    pub at: NaiveTime,
    /// Windows *entitled* to serve; not all of them are staffed.
    pub windows_open: u32,
    /// Running average, whole minutes; 0 or a default before the first visitors are done.
    pub avg_service_min: u32,
    pub waiting: u32,
    /// Tickets called since the morning; stands still when the feed hangs.
    pub called: u32,
}

/// The embedded day.
pub fn recorded_day() -> OfficeDay {
    let Ok(Arrivals::Counts(arrivals)) = parse(ARRIVALS) else {
        unreachable!("the embedded arrivals are counts without bad rows, as the tests below prove");
    };
    OfficeDay {
        hall: "Praga_Poludnie".to_owned(),
        name: Name {
            pl: "Urząd Dzielnicy Praga-Południe".to_owned(),
            zh: "华沙布拉格南区政务服务大厅".to_owned(),
            en: "Praga-Południe District Office, Warsaw".to_owned(),
        },
        time_zone: "Europe/Warsaw".to_owned(),
        date: arrivals.bins[0].start.date(),
        opens: NaiveTime::from_hms_opt(8, 0, 0).expect("a time of day"),
        closes: NaiveTime::from_hms_opt(18, 0, 0).expect("a time of day"),
        services: rows(SERVICES).map(service).collect(),
        windows: rows(WINDOWS).map(window).collect(),
        arrivals,
        snapshots: snapshots(),
    }
}

impl OfficeDay {
    /// How many visitors the day counts.
    pub fn total(&self) -> u64 {
        self.arrivals
            .bins
            .iter()
            .map(|bin| u64::from(bin.count))
            .sum()
    }

    /// Everybody who comes that day as single arrivals, in order of time.
    pub fn schedule(&self, seed: u64) -> Vec<Arrival> {
        schedule::of_counts(&self.arrivals, None, self.date, seed)
    }

    /// The windows that may serve `service`, in order of number.
    pub fn windows_for<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Window> {
        self.windows
            .iter()
            .filter(move |window| window.serves(service))
    }
}

impl Window {
    pub fn serves(&self, service: &str) -> bool {
        self.services.iter().any(|served| served == service)
    }
}

fn service([queue, prefix, pl, zh, en]: [String; 5]) -> Service {
    Service {
        id: queue,
        prefix,
        name: Name { pl, zh, en },
    }
}

fn window([id, services]: [String; 2]) -> Window {
    Window {
        id,
        services: services.split(' ').map(str::to_owned).collect(),
    }
}

fn snapshots() -> BTreeMap<String, Vec<Snapshot>> {
    let mut by_service: BTreeMap<String, Vec<Snapshot>> = BTreeMap::new();
    for [at, queue, windows_open, avg_service_min, waiting, called] in rows(SNAPSHOTS) {
        let number = |field: String| field.parse().expect("embedded numbers are whole");
        by_service.entry(queue).or_default().push(Snapshot {
            at: local_time(&at)
                .expect("embedded times are local times")
                .time(),
            windows_open: number(windows_open),
            avg_service_min: number(avg_service_min),
            waiting: number(waiting),
            called: number(called),
        });
    }
    by_service
}

/// The rows of an embedded table behind its header. Its shape is fixed when the crate is built, so a row that does
/// not fit is a mistake in the crate and may panic; the tests read every row.
fn rows<const COLUMNS: usize>(table: &'static str) -> impl Iterator<Item = [String; COLUMNS]> {
    table.lines().skip(1).map(|line| {
        let fields = split_fields(line).expect("embedded quotes are closed");
        fields
            .try_into()
            .expect("an embedded row has one field per column")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_day_counts_what_an_independent_sum_of_the_file_counts() {
        let last_fields = ARRIVALS.lines().skip(1).map(|line| line.rsplit(',').next());
        let sum: u64 = last_fields
            .map(|field| field.expect("a field").parse::<u64>().expect("a count"))
            .sum();
        assert_eq!(recorded_day().total(), sum);
        assert_eq!(sum, 2354);
    }

    #[test]
    fn the_schedule_holds_every_recorded_visitor_of_every_service() {
        let day = recorded_day();
        let schedule = day.schedule(1);
        for service in &day.services {
            let of_service = day
                .arrivals
                .bins
                .iter()
                .filter(|bin| bin.queue == service.id);
            let counted: u32 = of_service.map(|bin| bin.count).sum();
            let scheduled = schedule
                .iter()
                .filter(|arrival| arrival.service == service.id);
            assert_eq!(scheduled.count(), counted as usize);
        }
        assert_eq!(schedule, day.schedule(1));
    }

    #[test]
    fn the_record_is_one_day_of_one_hall_in_quarter_hours() {
        let day = recorded_day();
        assert_eq!(day.date.to_string(), "2020-01-13");
        assert_eq!(day.arrivals.bin_secs, 900);
        assert_eq!(day.arrivals.bins.len(), 14 * 41);
        let same = |bin: &crate::arrivals::Bin| {
            bin.start.date() == day.date && bin.hall.as_ref() == Some(&day.hall)
        };
        assert!(day.arrivals.bins.iter().all(same));
    }

    #[test]
    fn every_queue_of_the_record_is_a_service_with_its_own_letter_and_names() {
        let day = recorded_day();
        let queues: BTreeSet<&str> = day
            .arrivals
            .bins
            .iter()
            .map(|bin| bin.queue.as_str())
            .collect();
        let services: BTreeSet<&str> = day
            .services
            .iter()
            .map(|service| service.id.as_str())
            .collect();
        let prefixes: BTreeSet<&str> = day
            .services
            .iter()
            .map(|service| service.prefix.as_str())
            .collect();
        assert_eq!(queues, services);
        assert_eq!((day.services.len(), prefixes.len()), (14, 14));
        for Service { name, .. } in &day.services {
            assert!(
                [&name.pl, &name.zh, &name.en]
                    .iter()
                    .all(|name| !name.is_empty())
            );
        }
    }

    #[test]
    fn every_window_serves_one_to_three_known_services() {
        let day = recorded_day();
        for (index, window) in day.windows.iter().enumerate() {
            assert_eq!(window.id, (index + 1).to_string());
            assert!((1..=3).contains(&window.services.len()), "{window:?}");
            let known = |id: &String| day.services.iter().any(|service| service.id == *id);
            assert!(window.services.iter().all(known), "{window:?}");
        }
    }

    #[test]
    fn there_are_enough_windows_for_the_most_that_were_ever_open_for_a_service() {
        let day = recorded_day();
        for service in &day.services {
            let recorded = day.snapshots.get(&service.id).into_iter().flatten();
            let most = recorded
                .map(|snapshot| snapshot.windows_open)
                .max()
                .unwrap_or(1);
            let windows = day.windows_for(&service.id).count();
            assert!(
                windows >= most as usize,
                "{}: {windows} < {most}",
                service.id
            );
        }
    }

    #[test]
    fn the_busiest_services_were_followed_all_day_long() {
        let day = recorded_day();
        assert_eq!(day.snapshots.len(), 8);
        for snapshots in day.snapshots.values() {
            assert_eq!(snapshots.len(), 117);
            assert!(snapshots.is_sorted_by_key(|snapshot| snapshot.at));
        }
    }
}
