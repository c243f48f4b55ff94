//! Events that on-line services told, and what they add up to.

use rules::telemetry::Event;
use rules::time::Timestamp;

use super::db::Fields;
use super::{Records, StoreError};

/// Rows removed at a time, so that nobody waits for the database meanwhile.
const FORGET_PAGE: i64 = 5000;

/// Which events; all that is named must match.
#[derive(Debug, Clone, Default)]
pub struct TelemetryFilter {
    pub from: Timestamp,
    pub before: Timestamp,
    pub class: Option<String>,
    pub code: Option<String>,
    pub region: Option<String>,
    pub department: Option<String>,
    /// Rows at most.
    pub limit: u32,
}

/// Visits and cases of one item in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryCount {
    pub class: String,
    pub code: String,
    pub region: String,
    pub name: String,
    pub department: Option<String>,
    pub visits: u64,
    pub cases: u64,
}

impl Records {
    /// Keeps events in one transaction; how many were new. One that is there already stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: then none is kept.
    pub async fn keep_telemetry(&self, events: &[Event]) -> Result<u64, StoreError> {
        let statements = events.iter().map(|event| {
            sqlx::query(include_str!("../queries/keep_telemetry.sql"))
                .bind(&event.id)
                .bind(event.at.millis())
                .bind(event.happened.name())
                .bind(event.class.name())
                .bind(&event.code)
                .bind(&event.name)
                .bind(&event.department)
                .bind(&event.region)
                .bind(event.told.to_string())
        });
        let changed = self.db.write_together(statements.collect()).await?;
        Ok(changed.iter().sum())
    }

    /// Visits and cases by item and region, most visited first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn count_telemetry(
        &self,
        filter: &TelemetryFilter,
    ) -> Result<Vec<TelemetryCount>, StoreError> {
        let any = |text: &Option<String>| text.clone().unwrap_or_default();
        let statement = sqlx::query(include_str!("../queries/count_telemetry.sql"))
            .bind(filter.from.millis())
            .bind(filter.before.millis())
            .bind(any(&filter.class))
            .bind(any(&filter.code))
            .bind(any(&filter.region))
            .bind(any(&filter.department))
            .bind(i64::from(filter.limit));
        self.db.rows(statement, count).await
    }

    /// Forgets events from before an instant.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; calling again goes on where it stopped.
    pub async fn forget_telemetry(&self, before: Timestamp) -> Result<(), StoreError> {
        const SOME: &str = "delete from telemetry_events where id in \
             (select id from telemetry_events where at < $1 order by at limit $2)";
        let some = || sqlx::query(SOME).bind(before.millis()).bind(FORGET_PAGE);
        while self.db.write(some()).await? > 0 {}
        Ok(())
    }
}

fn count(row: &Fields<'_>) -> Result<TelemetryCount, StoreError> {
    Ok(TelemetryCount {
        class: row.text("class")?,
        code: row.text("code")?,
        region: row.text("region")?,
        name: row.text("name")?,
        department: row.text_if_any("department")?,
        visits: row.count("visits")?,
        cases: row.count("cases")?,
    })
}
