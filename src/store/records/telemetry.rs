//! Events that on-line services told, and what they add up to.

use rules::telemetry::Event;
use rules::time::Timestamp;

use super::db::{Fields, Statement};
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
    pub region_name: Option<String>,
    /// When the newest of them happened.
    pub last_at: Timestamp,
    pub visits: u64,
    pub cases: u64,
}

/// Cases of one item in one region that ended alike, in the words of the service that told of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryResult {
    pub class: String,
    pub code: String,
    pub region: String,
    pub result: String,
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
                .bind(event.told["result"].as_str().map(str::to_owned))
                .bind(event.told["region_name"].as_str().map(str::to_owned))
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
        let statement = filtered(include_str!("../queries/count_telemetry.sql"), filter);
        self.db.rows(statement, count).await
    }

    /// Cases by item, region and result, the most frequent first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn telemetry_results(
        &self,
        filter: &TelemetryFilter,
    ) -> Result<Vec<TelemetryResult>, StoreError> {
        let query = include_str!("../queries/count_telemetry_results.sql");
        self.db.rows(filtered(query, filter), result).await
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

fn filtered(query: &'static str, filter: &TelemetryFilter) -> Statement<'static> {
    let any = |text: &Option<String>| text.clone().unwrap_or_default();
    sqlx::query(query)
        .bind(filter.from.millis())
        .bind(filter.before.millis())
        .bind(any(&filter.class))
        .bind(any(&filter.code))
        .bind(any(&filter.region))
        .bind(any(&filter.department))
        .bind(i64::from(filter.limit))
}

fn count(row: &Fields<'_>) -> Result<TelemetryCount, StoreError> {
    Ok(TelemetryCount {
        class: row.text("class")?,
        code: row.text("code")?,
        region: row.text("region")?,
        name: row.text("name")?,
        department: row.text_if_any("department")?,
        region_name: row.text_if_any("region_name")?,
        last_at: row.time("last_at")?,
        visits: row.count("visits")?,
        cases: row.count("cases")?,
    })
}

fn result(row: &Fields<'_>) -> Result<TelemetryResult, StoreError> {
    Ok(TelemetryResult {
        class: row.text("class")?,
        code: row.text("code")?,
        region: row.text("region")?,
        result: row.text("result")?,
        cases: row.count("cases")?,
    })
}
