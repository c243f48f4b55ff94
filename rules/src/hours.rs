//! Opening hours, by weekday. They are told to visitors; a hall opens when somebody opens it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::NaiveTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Periods in one day: more than a morning and an afternoon is rare, more than four a mistake.
pub const PERIODS_MAX: usize = 4;

/// A day of the week, by its first three letters in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
            Self::Sat => "sat",
            Self::Sun => "sun",
        }
    }
}

impl From<chrono::Weekday> for Weekday {
    fn from(day: chrono::Weekday) -> Self {
        match day {
            chrono::Weekday::Mon => Self::Mon,
            chrono::Weekday::Tue => Self::Tue,
            chrono::Weekday::Wed => Self::Wed,
            chrono::Weekday::Thu => Self::Thu,
            chrono::Weekday::Fri => Self::Fri,
            chrono::Weekday::Sat => Self::Sat,
            chrono::Weekday::Sun => Self::Sun,
        }
    }
}

/// A time of day to the minute, written `HH:MM`; `24:00` is the end of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayTime(u16);

impl DayTime {
    /// Minutes since midnight, 0 to 1440.
    pub const fn minutes(self) -> u16 {
        self.0
    }

    pub const fn from_minutes(minutes: u16) -> Option<Self> {
        if minutes <= 24 * 60 {
            Some(Self(minutes))
        } else {
            None
        }
    }

    /// As a time of the day; `24:00` is its last second.
    pub fn time(self) -> NaiveTime {
        let hours = u32::from(self.0 / 60);
        NaiveTime::from_hms_opt(hours, u32::from(self.0 % 60), 0)
            .or_else(|| NaiveTime::from_hms_opt(23, 59, 59))
            .unwrap_or(NaiveTime::MIN)
    }
}

impl FromStr for DayTime {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a time of day is HH:MM, from 00:00 to 24:00";
        let digits = |part: &str| {
            let two = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            two.then(|| part.parse::<u16>().ok()).flatten()
        };
        let (hours, minutes) = text.split_once(':').ok_or(FORM)?;
        match (digits(hours), digits(minutes)) {
            (Some(hours), Some(minutes)) if minutes < 60 && hours * 60 + minutes <= 24 * 60 => {
                Ok(Self(hours * 60 + minutes))
            }
            _ => Err(FORM),
        }
    }
}

impl fmt::Display for DayTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for DayTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DayTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// From one time of a day to a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    pub from: DayTime,
    pub to: DayTime,
}

/// When a hall is open in an ordinary week. A day that is missing is a day off; nothing at all
/// means that nobody has said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpeningHours(pub BTreeMap<Weekday, Vec<Period>>);

impl OpeningHours {
    /// The first day with periods that cannot be, and why.
    pub(crate) fn fault(&self) -> Option<(Weekday, String)> {
        self.0.iter().find_map(|(day, periods)| {
            let backwards = periods.iter().find(|p| p.from >= p.to);
            let overlap = periods.windows(2).find(|two| two[0].to > two[1].from);
            let reason = if periods.len() > PERIODS_MAX {
                format!("at most {PERIODS_MAX} periods")
            } else if let Some(p) = backwards {
                format!("{} is not before {}", p.from, p.to)
            } else {
                let [first, second] = overlap? else {
                    return None;
                };
                format!("{} comes before {} has ended", second.from, first.to)
            };
            Some((*day, reason))
        })
    }
}
