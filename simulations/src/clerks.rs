//! Simulated clerks: when which window is staffed, how long each visitor takes, who does not come when called.
//!
//! Pure state over [`Staffing`]: a caller that owns time and the hall asks, and carries out. Recorded are the mean
//! service times and the staffing; **ours** are everything else here, and named as such:
//!
//! | what | value | why |
//! |---|---|---|
//! | spread of service times | lognormal, coefficient of variation 0.6 | right-skewed, as service times usually are; the record has averages only |
//! | shortest and longest service | 1 and 60 minutes | a mistaken ticket still costs a minute; nobody sits for two hours |
//! | no-shows | 2 in 100 calls | few leave after a wait; enough to see the rule at work |
//! | walk from seat to window | 8 to 32 seconds, evenly | across a hall of forty windows |
//!
//! Each window, and each of the other questions, draws from its own seeded stream: a window that serves more visitors
//! does not change how long another's take.
//!
//! Deliberately absent: calling, and what happens to a no-show. The hall decides both.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveTime;

use crate::office::OfficeDay;
use crate::random::Stream;
use crate::staffing::Staffing;

/// Calls of a thousand to which nobody comes.
pub const NO_SHOW_PERMILLE: u32 = 20;

/// Shortest and longest service, seconds.
pub const SERVICE_SECS_MIN: u32 = 60;
pub const SERVICE_SECS_MAX: u32 = 3600;

/// Shortest and longest walk from seat to window, seconds.
pub const WALK_SECS_MIN: u32 = 8;
pub const WALK_SECS_MAX: u32 = 32;

/// Mean service time of a service that the office does not know, minutes.
const UNKNOWN_SERVICE_MIN: f64 = 8.0;

/// The clerks of one simulated day.
#[derive(Debug, Clone)]
pub struct Clerks {
    seed: u64,
    staffing: Staffing,
    service_times: BTreeMap<String, Stream>,
    no_shows: Stream,
    walks: Stream,
}

impl Clerks {
    pub fn new(day: &OfficeDay, seed: u64) -> Self {
        Self {
            seed,
            staffing: Staffing::of(day),
            service_times: BTreeMap::new(),
            no_shows: Stream::new(seed, "no-shows", ""),
            walks: Stream::new(seed, "walks", ""),
        }
    }

    /// Ids of the windows that should be open at a local time of day. A clerk whose window is no longer among them
    /// finishes with the visitor at hand first.
    pub fn open_windows(&self, time_of_day: NaiveTime) -> BTreeSet<String> {
        self.staffing.open_windows(time_of_day).clone()
    }

    /// How long the next visitor for `service` takes at `window`, seconds, from sitting down to leaving.
    pub fn service_secs(&mut self, window: &str, service: &str) -> u32 {
        let recorded = self.staffing.mean_service_min(service);
        // The record measures from call to call, hence includes the walk.
        let mean_secs = recorded.unwrap_or(UNKNOWN_SERVICE_MIN) * 60.0
            - f64::from(WALK_SECS_MIN + WALK_SECS_MAX) / 2.0;
        let stream = self
            .service_times
            .entry(window.to_owned())
            .or_insert_with(|| Stream::new(self.seed, "service times", window));
        let secs = stream.lognormal(mean_secs).round() as u32;
        secs.clamp(SERVICE_SECS_MIN, SERVICE_SECS_MAX)
    }

    /// Whether the visitor just called comes to the window.
    pub fn shows_up(&mut self) -> bool {
        !self.no_shows.chance(NO_SHOW_PERMILLE)
    }

    /// How long the visitor just called needs to reach the window, seconds.
    pub fn walk_secs(&mut self) -> u32 {
        WALK_SECS_MIN + self.walks.below(WALK_SECS_MAX - WALK_SECS_MIN + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::office::recorded_day;

    const SEEDS: [u64; 4] = [20_200_113, 1, 2, 3];

    /// A hall with the recorded visitors must look like an office: crowds that build up and go, not a line that
    /// explodes and not an empty room.
    #[test]
    fn a_rehearsed_day_builds_up_waits_of_half_an_hour_and_drains_after_closing() {
        for seed in SEEDS {
            let rehearsal = Rehearsal::run(seed);
            let report = rehearsal.report();
            println!("seed {seed}, longest waits by service: {report}");
            let peaks = rehearsal
                .wait_secs
                .values()
                .filter_map(|waits| waits.iter().max());
            let crowded = peaks.filter(|wait| (600..=3600).contains(*wait)).count();
            assert_eq!(
                rehearsal.wait_secs.values().map(Vec::len).sum::<usize>(),
                2354,
                "{report}"
            );
            assert!(rehearsal.longest_wait_secs() >= 25 * 60, "{report}");
            assert!(rehearsal.longest_wait_secs() <= 60 * 60, "{report}");
            assert!(crowded >= 6, "{report}");
            assert!(rehearsal.over_at_secs <= 18 * 3600 + 40 * 60, "{report}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_rehearsal() {
        assert_eq!(Rehearsal::run(SEEDS[0]), Rehearsal::run(SEEDS[0]));
    }

    #[test]
    fn a_busier_window_does_not_change_how_long_another_takes() {
        let (mut quiet, mut busy) = (clerks(), clerks());
        for _ in 0..10 {
            busy.service_secs("1", REGISTRATION);
        }
        assert_eq!(
            quiet.service_secs("2", REGISTRATION),
            busy.service_secs("2", REGISTRATION)
        );
    }

    #[test]
    fn visits_take_the_recorded_time_on_average_within_bounds() {
        let mut clerks = clerks();
        let mean_walk_secs = 20.0;
        for (service, recorded_min) in [(REGISTRATION, 11.0), ("Praga_Poludnie-175", 3.0)] {
            let secs: Vec<u32> = (0..20_000)
                .map(|_| clerks.service_secs("1", service))
                .collect();
            assert!(
                secs.iter()
                    .all(|secs| (SERVICE_SECS_MIN..=SERVICE_SECS_MAX).contains(secs))
            );
            let mean_min = (secs.iter().map(|secs| f64::from(*secs)).sum::<f64>() / 20_000.0
                + mean_walk_secs)
                / 60.0;
            assert!(
                (mean_min / recorded_min - 1.0_f64).abs() < 0.05,
                "{service}: {mean_min}"
            );
        }
    }

    #[test]
    fn few_stay_away_and_the_others_need_a_short_walk() {
        let mut clerks = clerks();
        let absent = (0..10_000).filter(|_| !clerks.shows_up()).count();
        assert!((150..250).contains(&absent), "{absent}");
        let walks: BTreeSet<u32> = (0..10_000).map(|_| clerks.walk_secs()).collect();
        assert_eq!(
            (walks.first(), walks.last()),
            (Some(&WALK_SECS_MIN), Some(&WALK_SECS_MAX))
        );
    }

    /// The day with the simplest hall there is: an idle window calls whoever came first for any of its services, and
    /// waits a minute for a visitor who does not come.
    #[derive(Debug, PartialEq, Eq)]
    struct Rehearsal {
        /// Of everybody called, in order of the call.
        wait_secs: BTreeMap<String, Vec<u32>>,
        /// Second of the day at which the last visitor left.
        over_at_secs: u32,
    }

    impl Rehearsal {
        fn run(seed: u64) -> Self {
            let day = recorded_day();
            let mut clerks = Clerks::new(&day, seed);
            let mut coming = day.schedule(seed).into_iter().peekable();
            let mut queues: BTreeMap<String, VecDeque<u32>> = BTreeMap::new();
            let mut busy_until: BTreeMap<&str, u32> = BTreeMap::new();
            let mut wait_secs: BTreeMap<String, Vec<u32>> = BTreeMap::new();
            for now in 7 * 3600..19 * 3600 {
                while let Some(arrival) = coming.next_if(|arrival| arrival.offset_ms <= now * 1000)
                {
                    queues.entry(arrival.service).or_default().push_back(now);
                }
                let time =
                    NaiveTime::from_num_seconds_from_midnight_opt(now, 0).expect("a time of day");
                let open = clerks.open_windows(time);
                for window in day
                    .windows
                    .iter()
                    .filter(|window| open.contains(&window.id))
                {
                    if busy_until
                        .get(window.id.as_str())
                        .is_some_and(|until| *until > now)
                    {
                        continue;
                    }
                    let head = |service| Some((*queues.get(service)?.front()?, service));
                    let Some((came, service)) = window.services.iter().filter_map(head).min()
                    else {
                        continue;
                    };
                    queues
                        .get_mut(service)
                        .expect("a head has a queue")
                        .pop_front();
                    wait_secs
                        .entry(service.clone())
                        .or_default()
                        .push(now - came);
                    let took_secs = if clerks.shows_up() {
                        clerks.walk_secs() + clerks.service_secs(&window.id, service)
                    } else {
                        60
                    };
                    busy_until.insert(&window.id, now + took_secs);
                }
            }
            let over_at_secs = busy_until.into_values().max().unwrap_or(0);
            Self {
                wait_secs,
                over_at_secs,
            }
        }

        fn longest_wait_secs(&self) -> u32 {
            self.wait_secs
                .values()
                .flatten()
                .copied()
                .max()
                .unwrap_or(0)
        }

        fn report(&self) -> String {
            let mut lines: Vec<String> = Vec::new();
            for (service, waits) in &self.wait_secs {
                let longest = waits.iter().max().unwrap_or(&0) / 60;
                let mean = waits.iter().sum::<u32>() as usize / waits.len() / 60;
                lines.push(format!("{service} {longest} min (mean {mean})"));
            }
            let over = NaiveTime::from_num_seconds_from_midnight_opt(self.over_at_secs, 0)
                .expect("a time of day");
            format!("{}; over at {over}", lines.join(", "))
        }
    }

    const REGISTRATION: &str = "Praga_Poludnie-165";

    fn clerks() -> Clerks {
        Clerks::new(&recorded_day(), SEEDS[0])
    }
}
