//! How often devices are used, and how many people cameras count.

use chrono::NaiveDate;
use rules::devices::occupancy::Reading;
use rules::time::Timestamp;

use super::db::Fields;
use super::{Records, StoreError};

const ADD_USAGE: &str = include_str!("../queries/add_device_usage.sql");

/// Uses of one function of a device on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    pub device: String,
    pub day: NaiveDate,
    pub function: String,
    pub used: u64,
}

/// The last reading of one source in a hall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OccupancyRow {
    pub hall: String,
    pub source: String,
    pub reading: Reading,
}

impl Records {
    /// Keeps a device's report and the uses it tells of, both or neither; `false` if there is no
    /// such device.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn keep_device_report(
        &self,
        id: &str,
        report: &str,
        used: &[UsageRow],
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let kept = sqlx::query("update devices set report = $2, seen_at = $3 where id = $1")
            .bind(id)
            .bind(report)
            .bind(at.millis());
        let mut statements = vec![kept];
        statements.extend(used.iter().map(added));
        let changed = self.db.write_together(statements).await?;
        Ok(changed.first().is_some_and(|rows| *rows > 0))
    }

    /// Adds uses to what is known of those days; all of them or none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn add_device_usage(&self, used: &[UsageRow]) -> Result<(), StoreError> {
        let statements = used.iter().map(added).collect();
        self.db.write_together(statements).await.map(drop)
    }

    /// Uses of one device, or of all, from a day to another, both included.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn device_usage(
        &self,
        device: Option<&str>,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<UsageRow>, StoreError> {
        let statement = sqlx::query(
            "select * from device_usage where ($1 = '' or device = $1) and day >= $2 and day <= $3 \
             order by day, device, function",
        )
        .bind(device.unwrap_or_default())
        .bind(from.to_string())
        .bind(to.to_string());
        self.db.rows(statement, usage).await
    }

    /// Forgets uses of days before this one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_device_usage(&self, before: NaiveDate) -> Result<(), StoreError> {
        let statement = sqlx::query("delete from device_usage where day < $1");
        let statement = statement.bind(before.to_string());
        self.db.write(statement).await.map(drop)
    }

    /// The last readings of all halls.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn occupancy(&self) -> Result<Vec<OccupancyRow>, StoreError> {
        let statement = sqlx::query("select * from occupancy order by hall, source");
        self.db.rows(statement, occupancy).await
    }

    /// Keeps the last readings of some sources.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: then none is kept.
    pub async fn keep_occupancy(&self, rows: &[OccupancyRow]) -> Result<(), StoreError> {
        let statements = rows.iter().map(|row| {
            sqlx::query(include_str!("../queries/keep_occupancy.sql"))
                .bind(&row.hall)
                .bind(&row.source)
                .bind(i64::from(row.reading.people))
                .bind(row.reading.at.millis())
                .bind(&row.reading.by)
        });
        self.db.write_together(statements.collect()).await.map(drop)
    }

    /// Forgets what somebody counted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_occupancy(&self, by: &str) -> Result<(), StoreError> {
        let statement = sqlx::query("delete from occupancy where told_by = $1").bind(by);
        self.db.write(statement).await.map(drop)
    }
}

fn added(row: &UsageRow) -> super::db::Statement<'_> {
    sqlx::query(ADD_USAGE)
        .bind(&row.device)
        .bind(row.day.to_string())
        .bind(&row.function)
        .bind(row.used.cast_signed())
}

fn usage(row: &Fields<'_>) -> Result<UsageRow, StoreError> {
    Ok(UsageRow {
        device: row.text("device")?,
        day: row.parsed("day")?,
        function: row.text("function")?,
        used: row.count("used")?,
    })
}

fn occupancy(row: &Fields<'_>) -> Result<OccupancyRow, StoreError> {
    let people = row.count("people")?;
    Ok(OccupancyRow {
        hall: row.text("hall")?,
        source: row.text("source")?,
        reading: Reading {
            people: u32::try_from(people).unwrap_or(u32::MAX),
            at: row.time("at")?,
            by: row.text("told_by")?,
        },
    })
}
