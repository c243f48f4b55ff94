//! A channel's calls, counted: those in the history together with those that left it.

use rules::ids::ChannelId;
use rules::time::Timestamp;
use serde::Serialize;

use super::calls::CallFilter;
use super::db::Fields;
use super::{PAGE_MAX, Records, StoreError};

/// By what calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountBy {
    Status,
    Hour,
    Caller,
    Version,
    Result,
    Reason,
    Path,
}

impl CountBy {
    pub const NAMES: [(&'static str, Self); 7] = [
        ("status", Self::Status),
        ("hour", Self::Hour),
        ("caller", Self::Caller),
        ("version", Self::Version),
        ("result", Self::Result),
        ("reason", Self::Reason),
        ("path", Self::Path),
    ];

    /// Hours are UTC instants: a zone whose offset is no whole hour would cut them otherwise.
    const fn of_call(self) -> &'static str {
        match self {
            Self::Status => "cast(status as text)",
            Self::Hour => "cast(at / 3600000 * 3600000 as text)",
            Self::Caller => "caller",
            Self::Version => "version",
            Self::Result => "result",
            Self::Reason => "reason",
            Self::Path => "path_family",
        }
    }

    /// Whether hours of calls tell it.
    pub const fn fits_hours(self) -> bool {
        self.of_hour().is_some()
    }

    /// The same of an hour of calls; none where only the calls themselves would tell.
    const fn of_hour(self) -> Option<&'static str> {
        match self {
            Self::Status => Some("cast(nullif(status, 0) as text)"),
            Self::Hour => Some("cast(at as text)"),
            Self::Caller => Some("caller"),
            Self::Version => Some("nullif(version, '')"),
            Self::Result => Some("result"),
            Self::Reason | Self::Path => None,
        }
    }
}

/// Bounds of the times that are told apart, in milliseconds; what took longer than all of them counts
/// as well.
pub const TIMES_MS: [u64; 7] = [10, 30, 100, 300, 1_000, 3_000, 10_000];

/// Calls that took so long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Within {
    /// At most so long, and longer than the one before; none: longer than all.
    pub up_to_ms: Option<u64>,
    pub calls: u64,
}

/// Calls that agree in something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counted {
    /// None: of these it is not known.
    pub key: Option<String>,
    pub calls: u64,
    pub ok: u64,
    pub failed: u64,
    pub refused: u64,
    pub min_ms: Option<f64>,
    pub mean_ms: Option<f64>,
    pub max_ms: Option<f64>,
    pub times: Vec<Within>,
}

impl Records {
    /// A channel's calls, counted by something, most first; hours in their order. What has left the
    /// history counts by whole hours, unless the filter or what is counted by asks for what only the
    /// calls themselves tell.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn count_calls(
        &self,
        channel: &ChannelId,
        filter: &CallFilter,
        by: CountBy,
    ) -> Result<Vec<Counted>, StoreError> {
        let conditions = filter.conditions(channel);
        let mut inner = format!(
            "select {} as key, result, count(*) as calls, count(micros) as timed, \
             min(micros) as shortest, max(micros) as longest, \
             cast(coalesce(sum(micros), 0) as bigint) as total, {} \
             from calls where {} group by 1, 2",
            by.of_call(),
            times_of_calls(),
            conditions.text(),
        );
        if let Some(key) = by.of_hour().filter(|_| filter.fits_hours()) {
            inner += &format!(
                " union all select {key}, result, cast(sum(calls) as bigint), \
                 cast(sum(timed) as bigint), min(shortest), max(longest), \
                 cast(sum(total) as bigint), {} from call_hours where {} group by 1, 2",
                each_time(|n| format!("cast(sum(t{n}) as bigint)")),
                conditions.text(),
            );
        }
        let text = format!(
            "select key, cast(sum(calls) as bigint) as calls, {}, \
             cast(sum(timed) as bigint) as timed, min(shortest) as shortest, \
             max(longest) as longest, cast(sum(total) as bigint) as total, {} \
             from ({inner}) as counted group by key order by {} limit {PAGE_MAX}",
            ["ok", "failed", "refused"].map(of_result).join(", "),
            each_time(|n| format!("cast(sum(t{n}) as bigint) as t{n}")),
            if by == CountBy::Hour {
                "1"
            } else {
                "2 desc, 1"
            },
        );
        self.db.rows(conditions.statement(text), counted).await
    }

    /// Until when a channel's calls have left the history, all or some: before this instant they
    /// count by whole hours. None: all are there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn hours_until(&self, channel: &ChannelId) -> Result<Option<Timestamp>, StoreError> {
        const LAST: &str = "select max(at) + 3600000 as until from call_hours where channel = $1";
        let statement = sqlx::query(LAST).bind(channel.as_str());
        let row = self.db.row(statement).await?;
        let until = row.map_or(Ok(None), |row| Fields(&row).int_if_any("until"))?;
        Ok(until.map(Timestamp::from_millis))
    }
}

fn of_result(result: &str) -> String {
    format!("cast(sum(case when result = '{result}' then calls else 0 end) as bigint) as {result}")
}

/// Columns for each of the times that are told apart.
fn each_time(column: impl Fn(usize) -> String) -> String {
    let columns: Vec<String> = (0..=TIMES_MS.len()).map(column).collect();
    columns.join(", ")
}

fn times_of_calls() -> String {
    each_time(|n| {
        let above = n.checked_sub(1).map(|n| TIMES_MS[n] * 1000);
        let above = above.map_or(String::new(), |micros| format!("micros > {micros}"));
        let up_to = TIMES_MS.get(n).map(|ms| ms * 1000);
        let up_to = up_to.map_or(String::new(), |micros| format!("micros <= {micros}"));
        let and = if above.is_empty() || up_to.is_empty() {
            ""
        } else {
            " and "
        };
        format!("count(case when {above}{and}{up_to} then 1 end) as t{n}")
    })
}

fn counted(row: &Fields<'_>) -> Result<Counted, StoreError> {
    let ms = |micros: i64| micros as f64 / 1000.0;
    let (timed, total) = (row.int("timed")?, row.int("total")?);
    let within = |n: usize| {
        Ok(Within {
            up_to_ms: TIMES_MS.get(n).copied(),
            calls: row.count(&format!("t{n}"))?,
        })
    };
    Ok(Counted {
        key: row.text_if_any("key")?,
        calls: row.count("calls")?,
        ok: row.count("ok")?,
        failed: row.count("failed")?,
        refused: row.count("refused")?,
        min_ms: row.int_if_any("shortest")?.map(ms),
        mean_ms: (timed > 0).then(|| ms(total / timed.max(1))),
        max_ms: row.int_if_any("longest")?.map(ms),
        times: (0..=TIMES_MS.len())
            .map(within)
            .collect::<Result<_, StoreError>>()?,
    })
}

impl CallFilter {
    /// Whether hours of calls tell what it asks for.
    pub fn fits_hours(&self) -> bool {
        let only_calls = [&self.reason, &self.trace_id, &self.path_family];
        only_calls.iter().all(|one| one.is_none()) && self.slower_than_ms.is_none()
    }
}
