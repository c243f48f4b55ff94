//! How many a hall usually serves on a weekday, which rules compare a day with.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{NaiveDate, TimeDelta};
use rules::ids::HallId;

use crate::store::records::{Records, StoreError};

/// So many earlier days of the same weekday are looked at.
const WEEKS: i64 = 4;

/// With fewer of them nothing is called usual.
const DAYS_LEAST: usize = 2;

/// The usual figures of every hall's present day. What lies behind does not change, so they are read
/// once a day.
pub(super) struct UsualDays {
    records: Records,
    known: Mutex<BTreeMap<HallId, (NaiveDate, Option<f64>)>>,
}

impl UsualDays {
    pub(super) fn new(records: Records) -> Self {
        Self {
            records,
            known: Mutex::default(),
        }
    }

    /// The day of which it is known, and the mean number served on the last four same weekdays, if
    /// there is one.
    pub(super) fn known(&self, hall: &HallId) -> Option<(NaiveDate, Option<f64>)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(hall).copied()
    }

    /// Reads what is usual on this day. Days on which nobody came, such as holidays, do not count.
    ///
    /// # Errors
    /// The database is not available.
    pub(super) async fn learn(&self, hall: &HallId, day: NaiveDate) -> Result<(), StoreError> {
        let mut served = Vec::new();
        for week in 1..=WEEKS {
            let Some(before) = day.checked_sub_signed(TimeDelta::weeks(week)) else {
                continue;
            };
            let (figures, _) = self
                .records
                .figures_of_day(hall, &before.to_string())
                .await?;
            if figures.issued > 0 {
                served.push(figures.completed as f64);
            }
        }
        let usual =
            (served.len() >= DAYS_LEAST).then(|| served.iter().sum::<f64>() / served.len() as f64);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(hall.clone(), (day, usual));
        Ok(())
    }
}
