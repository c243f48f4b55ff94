//! The working calendar: which days count, when a working day closes, and counting in working days.
//!
//! A week's working days, public holidays and the weekend days worked in exchange are data; a year that
//! nobody has announced is plain weeks. Counting keeps the time of day: one working day before Monday
//! 17:30 is Friday 17:30.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike as _, Days, FixedOffset, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::hours::{DayTime, Weekday};
use crate::time::{TimeZone, Timestamp};

/// An instant with the offset from UTC in which its days are counted.
pub type Moment = DateTime<FixedOffset>;

/// The instant of a moment.
pub fn instant(moment: Moment) -> Timestamp {
    Timestamp::from_millis(moment.timestamp_millis())
}

/// Days looked through for a working day; a calendar without any cannot hang a count.
const DAYS_MAX: u32 = 4000;

/// When offices close, unless the settings say otherwise: 17:30.
const CLOSES_AT: DayTime = match DayTime::from_minutes(17 * 60 + 30) {
    Some(time) => time,
    None => panic!("17:30 is a time of day"),
};

/// Which days are worked, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    pub zone: TimeZone,
    /// Worked in an ordinary week.
    pub weekdays: BTreeSet<Weekday>,
    /// A limit counted in days ends at this time of its last day.
    pub closes_at: DayTime,
    pub holidays: BTreeSet<NaiveDate>,
    /// Worked although the week says otherwise.
    pub make_up_days: BTreeSet<NaiveDate>,
}

impl Default for Calendar {
    /// Monday to Friday until 17:30 in Shanghai, without holidays.
    fn default() -> Self {
        use Weekday::{Fri, Mon, Thu, Tue, Wed};
        Self {
            zone: TimeZone::SHANGHAI,
            weekdays: BTreeSet::from([Mon, Tue, Wed, Thu, Fri]),
            closes_at: CLOSES_AT,
            holidays: BTreeSet::new(),
            make_up_days: BTreeSet::new(),
        }
    }
}

/// The announced days of one year, as files write them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Year {
    /// Where it was announced.
    #[serde(default)]
    pub source: String,
    /// Days, or first and last day with a slash between.
    #[serde(default)]
    pub holidays: Vec<String>,
    #[serde(default)]
    pub make_up_days: Vec<String>,
}

/// A calendar file: a version and its years.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Years {
    pub version: u32,
    #[serde(flatten)]
    pub years: BTreeMap<String, Year>,
}

/// The announced years that come with the product.
pub const HOLIDAYS_CN: &str = include_str!("../data/holidays-cn.toml");

impl Years {
    /// Reads a calendar file.
    ///
    /// # Errors
    /// What cannot be, with its line and column.
    pub fn read(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    }
}

impl Calendar {
    /// Takes the years of a file, each in place of what was known of that year.
    ///
    /// # Errors
    /// What cannot be, with its year; nothing has been taken then.
    pub fn add(&mut self, file: &Years) -> Result<(), String> {
        if file.version != 1 {
            return Err(format!("version {} is not known; 1 is", file.version));
        }
        let mut changed = self.clone();
        for (name, year) in &file.years {
            let number = name
                .parse::<i32>()
                .ok()
                .filter(|y| (1900..2200).contains(y));
            let number = number.ok_or_else(|| format!("[{name}] is no year"))?;
            changed
                .add_year(number, year)
                .map_err(|why| format!("[{name}] {why}"))?;
        }
        *self = changed;
        Ok(())
    }

    fn add_year(&mut self, number: i32, year: &Year) -> Result<(), String> {
        let dates = |texts: &[String], field: &str| {
            let mut all = BTreeSet::new();
            for text in texts {
                let span = span(text).filter(|days| days.iter().all(|d| d.year() == number));
                all.extend(span.ok_or_else(|| {
                    format!("{field}: '{text}' is no day of {number}, nor FIRST/LAST")
                })?);
            }
            Ok::<_, String>(all)
        };
        let holidays = dates(&year.holidays, "holidays")?;
        let make_up = dates(&year.make_up_days, "make_up_days")?;
        if let Some(both) = holidays.intersection(&make_up).next() {
            return Err(format!("{both} is both a holiday and a make-up day"));
        }
        self.holidays.retain(|day| day.year() != number);
        self.make_up_days.retain(|day| day.year() != number);
        self.holidays.extend(holidays);
        self.make_up_days.extend(make_up);
        Ok(())
    }

    pub fn is_working(&self, date: NaiveDate) -> bool {
        if self.make_up_days.contains(&date) {
            return true;
        }
        let weekday = Weekday::from(date.weekday());
        self.weekdays.contains(&weekday) && !self.holidays.contains(&date)
    }

    /// The working days after `from`, up to and with `until`.
    pub fn days_after(
        &self,
        from: NaiveDate,
        until: NaiveDate,
    ) -> impl Iterator<Item = NaiveDate> + '_ {
        from.iter_days()
            .skip(1)
            .take_while(move |date| *date <= until)
            .take(DAYS_MAX as usize)
            .filter(|date| self.is_working(*date))
    }

    /// The `days`-th working day after `date`; with 0 the first working day from `date` on.
    pub fn date_after(&self, date: NaiveDate, days: u32) -> NaiveDate {
        let mut date = date;
        if days == 0 {
            for _ in 0..DAYS_MAX {
                if self.is_working(date) {
                    break;
                }
                date = next(date);
            }
        }
        for _ in 0..days {
            date = self.working_day(date, next);
        }
        date
    }

    /// The moment `days` working days later, at the same time of day.
    pub fn forward(&self, moment: Moment, days: u32) -> Moment {
        self.moved(moment, days, next)
    }

    /// The moment `days` working days earlier, at the same time of day.
    pub fn back(&self, moment: Moment, days: u32) -> Moment {
        self.moved(moment, days, previous)
    }

    fn moved(&self, moment: Moment, days: u32, to: fn(NaiveDate) -> NaiveDate) -> Moment {
        let mut date = moment.date_naive();
        for _ in 0..days {
            date = self.working_day(date, to);
        }
        at_date(moment, date)
    }

    /// The nearest working day beside `date` in one direction.
    fn working_day(&self, date: NaiveDate, to: fn(NaiveDate) -> NaiveDate) -> NaiveDate {
        let mut date = to(date);
        for _ in 0..DAYS_MAX {
            if self.is_working(date) {
                break;
            }
            date = to(date);
        }
        date
    }

    /// When the working day of this date closes.
    pub fn close_of(&self, date: NaiveDate) -> Moment {
        self.moment(self.zone.at(date, self.closes_at.time()))
    }

    /// An instant in this calendar's zone.
    pub fn moment(&self, at: Timestamp) -> Moment {
        self.zone.moment(at)
    }

    /// The smallest n for which `now` has reached the moment n working days before `due`: the working
    /// days that are left, rounded up. 0 from `due` on.
    pub fn days_left(&self, due: Moment, now: Timestamp) -> u32 {
        self.days_until(due, previous, |moment| now >= instant(moment))
    }

    /// The working days begun since `due`: 1 from the moment after it. 0 until `due`.
    pub fn days_over(&self, due: Moment, now: Timestamp) -> u32 {
        self.days_until(due, next, |moment| now <= instant(moment))
    }

    fn days_until(
        &self,
        due: Moment,
        to: fn(NaiveDate) -> NaiveDate,
        reached: impl Fn(Moment) -> bool,
    ) -> u32 {
        let mut date = due.date_naive();
        let mut days = 0;
        while days < DAYS_MAX && !reached(at_date(due, date)) {
            date = self.working_day(date, to);
            days += 1;
        }
        days
    }
}

fn next(date: NaiveDate) -> NaiveDate {
    date.checked_add_days(Days::new(1)).unwrap_or(date)
}

fn previous(date: NaiveDate) -> NaiveDate {
    date.checked_sub_days(Days::new(1)).unwrap_or(date)
}

/// The same time of day and offset on another date.
fn at_date(moment: Moment, date: NaiveDate) -> Moment {
    let local = date.and_time(moment.time());
    local
        .and_local_timezone(*moment.offset())
        .single()
        .unwrap_or(moment)
}

/// The days of `2026-02-15/2026-02-23`, or of a single day.
fn span(text: &str) -> Option<Vec<NaiveDate>> {
    let (first, last) = text.split_once('/').unwrap_or((text, text));
    let first = first.trim().parse::<NaiveDate>().ok()?;
    let last = last.trim().parse::<NaiveDate>().ok()?;
    let days: Vec<_> = first
        .iter_days()
        .take_while(|day| *day <= last)
        .take(367)
        .collect();
    (!days.is_empty() && days.len() < 367).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    fn moment(text: &str) -> Moment {
        DateTime::parse_from_rfc3339(text).expect("a moment")
    }

    /// May Day 2026: holidays from Friday 1 to Tuesday 5, Saturday 9 worked in exchange.
    fn may() -> Calendar {
        let mut calendar = Calendar::default();
        let year = Year {
            holidays: vec!["2026-05-01/2026-05-05".to_owned()],
            make_up_days: vec!["2026-05-09".to_owned()],
            ..Year::default()
        };
        calendar.add_year(2026, &year).expect("a year");
        calendar
    }

    #[test]
    fn holidays_are_passed_over_and_make_up_days_count() {
        let calendar = may();
        let after = |days| calendar.date_after(date("2026-04-30"), days);
        assert_eq!(after(1), date("2026-05-06"));
        assert_eq!(after(4), date("2026-05-09"));
        assert_eq!(after(5), date("2026-05-11"));
        let between = calendar.days_after(date("2026-04-30"), date("2026-05-10"));
        assert_eq!(between.count(), 4);
    }

    #[test]
    fn a_step_of_a_working_day_keeps_the_time_of_day_and_the_offset() {
        let calendar = may();
        let due = moment("2026-05-06T17:30:00+08:00");
        assert_eq!(calendar.back(due, 1), moment("2026-04-30T17:30:00+08:00"));
        assert_eq!(
            calendar.forward(due, 4),
            moment("2026-05-11T17:30:00+08:00")
        );
        // Monday in its own offset, although it is still Sunday in UTC and Monday noon elsewhere.
        let due = moment("2026-03-02T01:00:00+02:00");
        assert_eq!(calendar.back(due, 1), moment("2026-02-27T01:00:00+02:00"));
    }

    #[test]
    fn a_limit_of_no_days_ends_on_the_first_working_day() {
        let calendar = may();
        assert_eq!(
            calendar.date_after(date("2026-04-30"), 0),
            date("2026-04-30")
        );
        assert_eq!(
            calendar.date_after(date("2026-05-02"), 0),
            date("2026-05-06")
        );
    }

    #[test]
    fn days_left_and_over_are_begun_working_days() {
        let calendar = Calendar::default();
        let due = moment("2026-11-09T17:30:00+08:00");
        let at = |text: &str| instant(moment(text));
        let left = |text: &str| calendar.days_left(due, at(text));
        assert_eq!(left("2026-11-06T17:29:59+08:00"), 2);
        assert_eq!(left("2026-11-06T17:30:00+08:00"), 1);
        assert_eq!(left("2026-11-09T17:29:59+08:00"), 1);
        assert_eq!(left("2026-11-09T17:30:00+08:00"), 0);
        let over = |text: &str| calendar.days_over(due, at(text));
        assert_eq!(over("2026-11-09T17:30:00+08:00"), 0);
        assert_eq!(over("2026-11-09T17:30:01+08:00"), 1);
        assert_eq!(over("2026-11-10T17:30:01+08:00"), 2);
        assert_eq!(over("2026-11-15T12:00:00+08:00"), 5);
    }

    #[test]
    fn a_calendar_without_working_days_does_not_hang() {
        let calendar = Calendar {
            weekdays: BTreeSet::new(),
            ..Calendar::default()
        };
        let due = moment("2026-11-09T17:30:00+08:00");
        assert!(calendar.back(due, 1) < due);
        assert!(calendar.days_left(due, Timestamp::from_millis(0)) > 0);
    }

    #[test]
    fn the_announced_years_are_known() {
        let mut calendar = Calendar::default();
        let years = Years::read(HOLIDAYS_CN).expect("the file reads");
        calendar.add(&years).expect("the years can be");
        let works = |day: &str| calendar.is_working(date(day));
        assert!(!works("2025-10-08") && works("2025-10-11") && works("2025-10-09"));
        assert!(!works("2026-02-23") && works("2026-02-28") && works("2026-11-02"));
        assert!(works("2027-10-01"), "not announced");
    }

    #[test]
    fn a_day_of_another_year_is_refused_and_nothing_is_taken() {
        let mut calendar = may();
        let file = Years {
            version: 1,
            years: BTreeMap::from([(
                "2027".to_owned(),
                Year {
                    holidays: vec!["2026-05-01".to_owned()],
                    ..Year::default()
                },
            )]),
        };
        let why = calendar.add(&file).expect_err("refused");
        assert_eq!(
            why,
            "[2027] holidays: '2026-05-01' is no day of 2027, nor FIRST/LAST"
        );
        assert_eq!(calendar, may());
    }
}
