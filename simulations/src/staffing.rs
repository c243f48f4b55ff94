//! Which windows of a recorded day were staffed, half hour by half hour.
//!
//! The record says how many windows were *entitled* to serve a queue, not how many had a clerk in them; its counters
//! hang, at worst for over an hour; and it follows only the busiest queues. What stands here is therefore the least
//! staffing that makes the recorded day possible, by these rules:
//!
//! 1. **Calls.** By any time, at least as many tickets were called as the record's counter says, and as many as came
//!    and no longer wait: a counter that hangs while the line shrinks is thus overruled. A queue that the record does
//!    not follow is taken to be called as it arrives.
//! 2. **Service time.** The running average at the day's last call, which rests on the most visitors; 0 is not an
//!    average. It cannot exceed what the entitled windows had time for. For a queue without a record it is what its
//!    windows had time for in the two busiest hours.
//! 3. **Windows.** A half hour needs its calls' work (averaged over the hour around it, which bridges short hangs)
//!    divided by [`BUSY_SHARE`], but no more windows than were entitled.
//! 4. **Nobody is left behind.** From a queue's first visitor until [`OVERTIME_MIN`] after closing, a window serves it.
//! 5. **Fewest clerks.** A clerk with time to spare helps a related queue before a further window opens.
//! 6. **Nothing is forgotten.** Work for which a half hour had no windows is added to the next one's.
//!
//! Deliberately absent: breaks, shifts and names of clerks, and any look at who waits in the running hall. This is a
//! timetable; whether to open one more window because of a crowd is the decision of the hall's people.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveTime, Timelike};

use crate::office::{OfficeDay, Snapshot};

/// Share of their time that clerks are planned to be busy. Ours: at 0.85 the longest waits of the rehearsal in
/// [`crate::clerks`] are 38 to 49 minutes over four seeds, with half a dozen services or more beyond ten; at 0.9 they
/// are 45 to 53. The recorded day was more crowded still: up to 35 people waited for vehicle registration.
pub const BUSY_SHARE: f64 = 0.85;

/// How long after closing one window per service stays open for those who already hold a number, minutes.
pub const OVERTIME_MIN: u32 = 30;

/// Staffing changes on the half hour, as a supervisor would do it; minutes.
const BLOCK_MIN: u32 = 30;

const DAY_MIN: u32 = 24 * 60;

/// Need below which no further window is opened: the clerks already there absorb it. In windows.
const ABSORBED: f64 = 0.15;

/// The busiest stretch of the day that a supposed service time must fit, minutes.
const BUSIEST_MIN: usize = 120;

/// Bounds of a service time that no recorded average supports, minutes.
const SUPPOSED_MIN: f64 = 2.0;
const SUPPOSED_MAX: f64 = 10.0;

/// Windows by time of day, and the mean service times that go with them.
#[derive(Debug, Clone, PartialEq)]
pub struct Staffing {
    /// Per half hour since midnight.
    open: Vec<BTreeSet<String>>,
    mean_service_min: BTreeMap<String, f64>,
}

impl Staffing {
    pub fn of(day: &OfficeDay) -> Self {
        let flows: Vec<Flow> = day
            .services
            .iter()
            .map(|service| Flow::of(day, &service.id))
            .collect();
        let mut owed = BTreeMap::new();
        let starts = (0..DAY_MIN).step_by(BLOCK_MIN as usize);
        Self {
            open: starts
                .map(|start| open_windows(day, &flows, start, &mut owed))
                .collect(),
            mean_service_min: flows
                .iter()
                .map(|flow| (flow.service.to_owned(), flow.mean_service_min))
                .collect(),
        }
    }

    /// Ids of the windows that should be open at a local time of day.
    pub fn open_windows(&self, time_of_day: NaiveTime) -> &BTreeSet<String> {
        &self.open[(minute_of(time_of_day) / BLOCK_MIN) as usize]
    }

    /// Mean minutes from one call to the next of a busy clerk, including the visitor's walk; `None` for a service
    /// that the office does not have.
    pub fn mean_service_min(&self, service: &str) -> Option<f64> {
        self.mean_service_min.get(service).copied()
    }
}

/// What the record says went through one queue, repaired.
struct Flow<'a> {
    service: &'a str,
    snapshots: &'a [Snapshot],
    /// Tickets called before each minute of the day.
    called: Vec<f64>,
    /// First minute with a visitor.
    first: u32,
    mean_service_min: f64,
}

impl<'a> Flow<'a> {
    fn of(day: &'a OfficeDay, service: &'a str) -> Self {
        let snapshots = day.snapshots.get(service).map_or(&[][..], Vec::as_slice);
        let arrived = arrived_by_minute(day, service);
        let first = (0..DAY_MIN)
            .find(|minute| arrived[*minute as usize + 1] > 0.0)
            .unwrap_or(DAY_MIN);
        let called = called_by_minute(&arrived, snapshots);
        let mean_service_min = if snapshots.is_empty() {
            supposed_service_min(day, service, &arrived)
        } else {
            recorded_service_min(snapshots, called[DAY_MIN as usize])
        };
        Self {
            service,
            snapshots,
            called,
            first,
            mean_service_min,
        }
    }

    /// How many windows' time the half hour from `start` brings (rule 3), and at most may take. `None` while nobody is
    /// served (rule 4).
    fn need(&self, day: &OfficeDay, start: u32) -> Option<(f64, f64)> {
        let end = start + BLOCK_MIN;
        let is_open = start >= minute_of(day.opens) && start < minute_of(day.closes) + OVERTIME_MIN;
        if !is_open || end <= self.first {
            return None;
        }
        let around = BLOCK_MIN / 2;
        let (from, to) = (start.saturating_sub(around), (end + around).min(DAY_MIN));
        let calls = self.called[to as usize] - self.called[from as usize];
        let work_min = calls * self.mean_service_min;
        let windows = work_min / f64::from(to - from) / BUSY_SHARE;
        Some((windows, f64::from(self.entitled(from, to))))
    }

    /// The most windows the record knows of from one minute to another; never fewer than one, since people were
    /// served while it said none.
    fn entitled(&self, from: u32, to: u32) -> u32 {
        if self.snapshots.is_empty() {
            return u32::MAX;
        }
        let within = |snapshot: &&Snapshot| (from..to).contains(&minute_of(snapshot.at));
        let recorded = self
            .snapshots
            .iter()
            .filter(within)
            .map(|snapshot| snapshot.windows_open);
        recorded.max().unwrap_or(0).max(1)
    }
}

/// Visitors who came before each minute of the day, those of a bin spread evenly over it.
fn arrived_by_minute(day: &OfficeDay, service: &str) -> Vec<f64> {
    let bin_min = (day.arrivals.bin_secs / 60).max(1);
    let mut per_minute = vec![0.0; DAY_MIN as usize];
    for bin in day.arrivals.bins.iter().filter(|bin| bin.queue == service) {
        let start = minute_of(bin.start.time());
        for minute in start..(start + bin_min).min(DAY_MIN) {
            per_minute[minute as usize] += f64::from(bin.count) / f64::from(bin_min);
        }
    }
    let mut total = 0.0;
    let before = per_minute.iter().map(|came| {
        total += came;
        total
    });
    std::iter::once(0.0).chain(before).collect()
}

/// Tickets called before each minute (rule 1): a line from snapshot to snapshot, never falling.
fn called_by_minute(arrived: &[f64], snapshots: &[Snapshot]) -> Vec<f64> {
    if snapshots.is_empty() {
        return arrived.to_vec();
    }
    let mut called = vec![0.0; arrived.len()];
    let (mut last_minute, mut last) = (0, 0.0_f64);
    for snapshot in snapshots {
        let minute = (minute_of(snapshot.at) as usize).max(last_minute);
        let gone = arrived[minute] - f64::from(snapshot.waiting);
        let next = last.max(f64::from(snapshot.called)).max(gone);
        let span = (minute - last_minute).max(1) as f64;
        for (passed, called) in called[last_minute..=minute].iter_mut().enumerate() {
            *called = last + (next - last) * passed as f64 / span;
        }
        (last_minute, last) = (minute, next);
    }
    called[last_minute..].fill(last);
    called
}

/// Rule 2 for a queue that the record follows.
fn recorded_service_min(snapshots: &[Snapshot], calls: f64) -> f64 {
    let steps = || snapshots.windows(2).map(|pair| (pair[0], pair[1]));
    let mut averages = steps()
        .filter(|(before, after)| after.called > before.called && after.avg_service_min > 0)
        .map(|(_, after)| f64::from(after.avg_service_min));
    let window_min: u32 = steps()
        .filter(|(before, after)| after.called > 0 && f64::from(before.called) < calls)
        .map(|(before, after)| before.windows_open.max(1) * minutes_between(before, after))
        .sum();
    let possible = BUSY_SHARE * f64::from(window_min) / calls.max(1.0);
    averages
        .next_back()
        .map_or(possible, |average| average.min(possible))
}

/// Rule 2 for a queue that the record does not follow: what its busiest two hours leave for each visitor when each
/// window's time is shared evenly by the services it may serve.
fn supposed_service_min(day: &OfficeDay, service: &str, arrived: &[f64]) -> f64 {
    let busiest = arrived
        .windows(BUSIEST_MIN + 1)
        .map(|span| span[BUSIEST_MIN] - span[0])
        .fold(1.0, f64::max);
    let windows: f64 = day
        .windows_for(service)
        .map(|window| 1.0 / window.services.len() as f64)
        .sum();
    (BUSY_SHARE * windows * BUSIEST_MIN as f64 / busiest).clamp(SUPPOSED_MIN, SUPPOSED_MAX)
}

/// The windows to open for the half hour from `start`: each service first takes the time that open windows have to
/// spare, then opens further ones, those that serve nothing else first (rule 5). `owed` is what earlier half hours
/// left undone (rule 6), in windows per service.
fn open_windows<'a>(
    day: &OfficeDay,
    flows: &[Flow<'a>],
    start: u32,
    owed: &mut BTreeMap<&'a str, f64>,
) -> BTreeSet<String> {
    let mut spare: BTreeMap<&str, f64> = BTreeMap::new();
    for flow in flows {
        let Some((need, entitled)) = flow.need(day, start) else {
            continue;
        };
        let owed = owed.entry(flow.service).or_insert(0.0);
        let wanted = need + *owed;
        let taken = take_windows(day, flow.service, wanted.min(entitled), &mut spare);
        *owed = wanted - taken;
    }
    spare.into_keys().map(str::to_owned).collect()
}

/// Takes `wanted` windows' time for `service`, from at least one window; says how much it got.
fn take_windows<'a>(
    day: &'a OfficeDay,
    service: &'a str,
    wanted: f64,
    spare: &mut BTreeMap<&'a str, f64>,
) -> f64 {
    let mut windows: Vec<_> = day.windows_for(service).collect();
    windows.sort_by_key(|window| {
        (
            !spare.contains_key(window.id.as_str()),
            window.services.len(),
        )
    });
    let mut taken = 0.0;
    let mut is_served = false;
    for window in windows {
        let is_open = spare.contains_key(window.id.as_str());
        if is_served && !is_open && wanted - taken < ABSORBED {
            break;
        }
        let left = spare.entry(&window.id).or_insert(1.0);
        let part = left.min(wanted - taken);
        is_served |= *left > 0.0;
        *left -= part;
        taken += part;
    }
    taken
}

fn minutes_between(before: Snapshot, after: Snapshot) -> u32 {
    minute_of(after.at).saturating_sub(minute_of(before.at))
}

fn minute_of(time: NaiveTime) -> u32 {
    time.hour() * 60 + time.minute()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::office::recorded_day;

    #[test]
    fn no_window_is_open_before_the_doors_or_after_overtime() {
        let staffing = Staffing::of(&recorded_day());
        for outside in ["00:00", "07:59", "18:30", "23:59"] {
            assert!(staffing.open_windows(time(outside)).is_empty(), "{outside}");
        }
        assert!(!staffing.open_windows(time("08:00")).is_empty());
        assert!(!staffing.open_windows(time("18:29")).is_empty());
    }

    #[test]
    fn from_its_first_visitor_to_closing_every_service_has_a_window() {
        let day = recorded_day();
        let staffing = Staffing::of(&day);
        for service in &day.services {
            let first = day
                .arrivals
                .bins
                .iter()
                .find(|bin| bin.queue == service.id && bin.count > 0);
            let first =
                minute_of(first.expect("every queue has visitors").start.time()).max(8 * 60);
            for minute in first..18 * 60 {
                let now =
                    NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).expect("a time of day");
                let open = staffing.open_windows(now);
                let served = day
                    .windows_for(&service.id)
                    .any(|window| open.contains(&window.id));
                assert!(served, "{} at {now}", service.id);
            }
        }
    }

    #[test]
    fn passports_open_with_their_first_visitors_not_with_the_doors() {
        let day = recorded_day();
        let staffing = Staffing::of(&day);
        let passport_windows = |at: &str| {
            let open = staffing.open_windows(time(at));
            day.windows_for("Praga_Poludnie-179")
                .filter(|window| open.contains(&window.id))
                .count()
        };
        assert_eq!(
            (passport_windows("08:00"), passport_windows("16:00")),
            (0, 2)
        );
    }

    #[test]
    fn no_more_windows_work_for_one_service_alone_than_were_entitled() {
        let day = recorded_day();
        let staffing = Staffing::of(&day);
        for (service, snapshots) in &day.snapshots {
            let entitled = snapshots
                .iter()
                .map(|snapshot| snapshot.windows_open)
                .max()
                .unwrap_or(0);
            for open in &staffing.open {
                let alone = |id: &&String| {
                    let window = day.windows.iter().find(|window| window.id == **id);
                    window.is_some_and(|window| window.services == [service.as_str()])
                };
                assert!(open.iter().filter(alone).count() <= entitled as usize);
            }
        }
    }

    #[test]
    fn the_open_windows_have_time_for_all_recorded_work() {
        let day = recorded_day();
        let staffing = Staffing::of(&day);
        let open_min: usize = staffing
            .open
            .iter()
            .map(|open| open.len() * BLOCK_MIN as usize)
            .sum();
        let visits = day.arrivals.bins.iter();
        let work_min: f64 = visits
            .filter_map(|bin| Some(f64::from(bin.count) * staffing.mean_service_min(&bin.queue)?))
            .sum();
        let busy_share = work_min / open_min as f64;
        assert!((0.7..=BUSY_SHARE).contains(&busy_share), "{busy_share}");
    }

    #[test]
    fn a_counter_that_hangs_is_overruled_by_the_line_that_shrinks() {
        let mut arrived = vec![0.0; 600];
        arrived.resize(DAY_MIN as usize + 1, 20.0);
        let hanging = [
            snapshot("10:05", 2, 3, 15, 5),
            snapshot("10:35", 2, 3, 4, 5),
            snapshot("11:05", 2, 3, 0, 5),
        ];
        let called = called_by_minute(&arrived, &hanging);
        assert_eq!((called[605], called[635], called[665]), (5.0, 16.0, 20.0));
        assert!(called.is_sorted());
    }

    #[test]
    fn a_stale_counter_never_takes_calls_back() {
        let arrived = vec![0.0; DAY_MIN as usize + 1];
        let stale = [
            snapshot("10:05", 2, 3, 0, 9),
            snapshot("10:10", 2, 3, 0, 2),
            snapshot("10:15", 2, 3, 0, 10),
        ];
        let called = called_by_minute(&arrived, &stale);
        assert_eq!((called[605], called[610], called[615]), (9.0, 9.0, 10.0));
    }

    #[test]
    fn a_missing_or_impossible_average_gives_way_to_what_the_windows_had_time_for() {
        let hour = |average| {
            [
                snapshot("10:00", 2, average, 9, 0),
                snapshot("11:00", 2, average, 0, 12),
            ]
        };
        let possible = BUSY_SHARE * 2.0 * 60.0 / 12.0;
        assert_eq!(recorded_service_min(&hour(5), 12.0), 5.0);
        assert_eq!(recorded_service_min(&hour(0), 12.0), possible);
        assert_eq!(recorded_service_min(&hour(30), 12.0), possible);
    }

    #[test]
    fn a_queue_without_a_record_gets_a_believable_service_time() {
        let day = recorded_day();
        let staffing = Staffing::of(&day);
        for service in &day.services {
            let mean = staffing
                .mean_service_min(&service.id)
                .expect("a service of the office");
            assert!((2.0..=15.0).contains(&mean), "{}: {mean}", service.id);
        }
        assert_eq!(staffing.mean_service_min("elsewhere"), None);
    }

    fn snapshot(
        at: &str,
        windows_open: u32,
        avg_service_min: u32,
        waiting: u32,
        called: u32,
    ) -> Snapshot {
        Snapshot {
            at: time(at),
            windows_open,
            avg_service_min,
            waiting,
            called,
        }
    }

    fn time(text: &str) -> NaiveTime {
        NaiveTime::parse_from_str(text, "%H:%M").expect("a time of day")
    }
}
