//! Time as data: instants are handed in, never read. Days begin at the hall's own midnight.

use std::fmt;
use std::str::FromStr;

use chrono::{
    DateTime, Days, FixedOffset, LocalResult, NaiveDate, NaiveTime, SecondsFormat, TimeZone as _,
    Utc,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    pub const fn plus_secs(self, secs: u64) -> Self {
        Self(self.0.saturating_add(millis(secs)))
    }

    pub const fn minus_secs(self, secs: u64) -> Self {
        Self(self.0.saturating_sub(millis(secs)))
    }

    /// Whole seconds from `earlier` to here; 0 when `earlier` lies ahead.
    pub const fn secs_since(self, earlier: Self) -> u64 {
        self.millis_since(earlier) / 1000
    }

    /// Milliseconds from `earlier` to here; 0 when `earlier` lies ahead.
    pub const fn millis_since(self, earlier: Self) -> u64 {
        if self.0 > earlier.0 {
            (self.0 - earlier.0) as u64
        } else {
            0
        }
    }

    /// The same instant on the calendar; one beyond the years that RFC 3339 can write stands at
    /// their edge, a day inside it, so that every zone has a local time for it.
    fn utc(self) -> DateTime<Utc> {
        const FIRST: i64 = -62_135_510_400_000; // 0001-01-02T00:00:00Z
        const LAST: i64 = 253_402_214_400_000; // 9999-12-31T00:00:00Z
        DateTime::from_timestamp_millis(self.0.clamp(FIRST, LAST)).unwrap_or_default()
    }

    /// RFC 3339 in UTC, e.g. `2026-11-02T01:05:00.000Z`.
    pub fn rfc3339_utc(self) -> String {
        self.utc().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Reads RFC 3339 with any offset.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| Self(at.timestamp_millis()))
    }
}

/// As many milliseconds, or as many as there can be.
const fn millis(secs: u64) -> i64 {
    let millis = secs.saturating_mul(1000);
    if millis > i64::MAX as u64 {
        i64::MAX
    } else {
        millis as i64
    }
}

/// A hall's time zone, by its name in the tz database, e.g. `Asia/Shanghai`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TimeZone(chrono_tz::Tz);

impl TimeZone {
    pub const SHANGHAI: Self = Self(chrono_tz::Asia::Shanghai);

    /// The calendar date in this zone.
    pub fn date_of(self, at: Timestamp) -> NaiveDate {
        at.utc().with_timezone(&self.0).date_naive()
    }

    /// The local time of day.
    pub fn time_of(self, at: Timestamp) -> NaiveTime {
        at.utc().with_timezone(&self.0).time()
    }

    /// The first instant of the day after `date`. Where a clock change skips midnight the day
    /// begins at the first instant that exists.
    pub fn end_of(self, date: NaiveDate) -> Timestamp {
        let next = date.checked_add_days(Days::new(1)).unwrap_or(date);
        self.at(next, NaiveTime::MIN)
    }

    /// The instant of a local date and time; the earlier one when a clock change repeats it, the
    /// next existing one when a clock change skips it.
    pub fn at(self, date: NaiveDate, time: NaiveTime) -> Timestamp {
        let mut local = date.and_time(time);
        for _ in 0..48 {
            match self.0.from_local_datetime(&local) {
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => {
                    return Timestamp(at.timestamp_millis());
                }
                LocalResult::None => local += chrono::TimeDelta::minutes(30),
            }
        }
        Timestamp(local.and_utc().timestamp_millis())
    }

    /// The instant with this zone's offset at that time.
    pub fn moment(self, at: Timestamp) -> DateTime<FixedOffset> {
        at.utc().with_timezone(&self.0).fixed_offset()
    }

    /// RFC 3339 with this zone's offset, to the millisecond.
    pub fn rfc3339(self, at: Timestamp) -> String {
        at.utc()
            .with_timezone(&self.0)
            .to_rfc3339_opts(SecondsFormat::Millis, false)
    }
}

impl FromStr for TimeZone {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_| format!("'{text}' is no time zone of the tz database"))
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_the_halls_own_midnight() {
        let zone = TimeZone::SHANGHAI;
        let day = NaiveDate::from_ymd_opt(2026, 11, 2).expect("a date");
        let end = zone.end_of(day);
        assert_eq!(zone.rfc3339(end), "2026-11-03T00:00:00.000+08:00");
        assert_eq!(zone.date_of(Timestamp::from_millis(end.millis() - 1)), day);
    }

    #[test]
    fn a_midnight_skipped_by_a_clock_change_moves_to_the_next_instant() {
        let zone: TimeZone = "America/Asuncion".parse().expect("a zone");
        let day = NaiveDate::from_ymd_opt(2023, 9, 30).expect("a date");
        assert_eq!(
            zone.rfc3339(zone.end_of(day)),
            "2023-10-01T01:00:00.000-03:00"
        );
    }
}
