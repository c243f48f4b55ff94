//! How often devices are used, by function and day.
//!
//! What a device counts itself comes with its reports and is written with them, once. What the
//! server sees of it (a number taken, a rating given) is counted here and written every two
//! seconds: whoever kills the server loses the uses of the last two seconds, and nothing else.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use chrono::NaiveDate;
use rules::time::Timestamp;
use serde_json::{Value, json};

use super::Devices;
use crate::store::records::{StoreError, UsageRow};

/// Uses by device, day and function.
pub(super) type Uses = BTreeMap<(String, NaiveDate, String), u64>;

/// Days of use that are remembered.
const DAYS_KEPT: u64 = 400;

impl Devices {
    /// Counts one use of a device's function that the server sees.
    pub fn used(&self, id: &str, function: &str, now: Timestamp) {
        let day = self.zone.date_of(now);
        let mut known = self.known();
        let Some(device) = known.by_id.get_mut(id) else {
            return;
        };
        device.count(day, function, 1);
        let mut unwritten = self.unwritten();
        let key = (id.to_owned(), day, function.to_owned());
        *unwritten.entry(key).or_default() += 1;
    }

    /// Uses of today, as they are written.
    pub(super) fn rows_of(
        &self,
        id: &str,
        uses: BTreeMap<String, u64>,
        now: Timestamp,
    ) -> Vec<UsageRow> {
        let day = self.zone.date_of(now);
        let row = |(function, used)| UsageRow {
            device: id.to_owned(),
            day,
            function,
            used,
        };
        uses.into_iter().map(row).collect()
    }

    fn unwritten(&self) -> std::sync::MutexGuard<'_, Uses> {
        self.unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what was counted since the last time; what cannot be written stays counted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn write_usage(&self) -> Result<(), StoreError> {
        let taken = std::mem::take(&mut *self.unwritten());
        if taken.is_empty() {
            return Ok(());
        }
        let rows: Vec<UsageRow> = taken
            .into_iter()
            .map(|((device, day, function), used)| UsageRow {
                device,
                day,
                function,
                used,
            })
            .collect();
        let written = self.records.add_device_usage(&rows).await;
        if written.is_err() {
            let mut unwritten = self.unwritten();
            for row in rows {
                *unwritten
                    .entry((row.device, row.day, row.function))
                    .or_default() += row.used;
            }
        }
        written
    }

    /// How often a device was used, day by day.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn usage(
        &self,
        id: &str,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<Value>, StoreError> {
        self.write_usage().await?;
        let rows = self.records.device_usage(Some(id), from, to).await?;
        let mut days: BTreeMap<NaiveDate, BTreeMap<String, u64>> = BTreeMap::new();
        for row in rows {
            days.entry(row.day)
                .or_default()
                .insert(row.function, row.used);
        }
        let face = |(day, functions)| json!({"day": day, "functions": functions});
        Ok(days.into_iter().map(face).collect())
    }

    /// Today, as days of use are counted.
    pub fn today(&self, now: Timestamp) -> NaiveDate {
        self.zone.date_of(now)
    }

    /// Forgets uses of long ago.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_old_usage(&self, now: Timestamp) -> Result<(), StoreError> {
        let oldest = self.today(now.minus_secs(DAYS_KEPT * 86_400));
        self.records.forget_device_usage(oldest).await
    }
}
