//! What the history of calls tells of the use of channels: last calls, and sums by caller, version, path
//! and hour. Every query names its channels and a stretch of time, so that the index by channel and time
//! serves it.

use rules::channels::abuse::CallerHour;
use rules::channels::call::Call;
use rules::ids::ChannelId;
use rules::time::Timestamp;
use serde::Serialize;

use super::calls::call;
use super::conditions::Conditions;
use super::db::Fields;
use super::{PAGE_MAX, Records, StoreError};

/// Hours of callers that are read at most.
const CALLER_HOURS_MAX: usize = 50_000;

const HOUR_MS: i64 = 3_600_000;

/// Calls of some channels, made in a stretch of time.
#[derive(Debug, Clone)]
pub struct UseFilter {
    pub channels: Vec<ChannelId>,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// By what the use is summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UseBy {
    Caller,
    Version,
    Path,
    /// The hour that it was, as a number of hours since 1970.
    Hour,
}

impl UseBy {
    const fn expression(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Version => "version",
            Self::Path => "path_family",
            Self::Hour => "cast(at / 3600000 as text)",
        }
    }
}

/// Calls that agree in something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Used {
    /// None: of these it is not known.
    pub key: Option<String>,
    /// Carried out.
    pub calls: u64,
    pub failed: u64,
    pub refused: u64,
    pub channels: u64,
    pub mean_ms: Option<f64>,
    #[serde(serialize_with = "rfc3339")]
    pub first_at: Timestamp,
    #[serde(serialize_with = "rfc3339")]
    pub last_at: Timestamp,
}

fn rfc3339<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&at.rfc3339_utc())
}

impl UseFilter {
    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        let channels = self.channels.iter().map(ToString::to_string).collect();
        conditions.one_of("channel", Some(&channels));
        conditions.compare("at", ">=", self.from.millis());
        conditions.compare("at", "<", self.until.millis());
        conditions
    }
}

impl Records {
    /// A channel's last calls, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn last_calls(
        &self,
        channel: &ChannelId,
        limit: u32,
    ) -> Result<Vec<Call>, StoreError> {
        let statement = sqlx::query(
            "select * from calls where channel = $1 order by at desc, place desc limit $2",
        );
        let statement = statement.bind(channel.as_str()).bind(i64::from(limit));
        self.db.rows(statement, call).await
    }

    /// The use of channels, most first, at most [`PAGE_MAX`] lines.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn channel_use(
        &self,
        filter: &UseFilter,
        by: UseBy,
    ) -> Result<Vec<Used>, StoreError> {
        let conditions = filter.conditions();
        let key = by.expression();
        let text = format!(
            "select {key} as key, count(case when result <> 'refused' then 1 end) as calls, \
             count(case when result = 'failed' then 1 end) as failed, \
             count(case when result = 'refused' then 1 end) as refused, \
             count(distinct channel) as channels, cast(avg(micros) as bigint) as mean, \
             min(at) as first_at, max(at) as last_at \
             from calls where {} group by 1 order by count(*) desc, 1 limit {PAGE_MAX}",
            conditions.text(),
        );
        let read = |row: &Fields<'_>| {
            Ok(Used {
                key: row.text_if_any("key")?,
                calls: row.count("calls")?,
                failed: row.count("failed")?,
                refused: row.count("refused")?,
                channels: row.count("channels")?,
                mean_ms: row.int_if_any("mean")?.map(|micros| micros as f64 / 1000.0),
                first_at: row.time("first_at")?,
                last_at: row.time("last_at")?,
            })
        };
        self.db.rows(conditions.statement(text), read).await
    }

    /// What each caller asked of each channel hour by hour, and whether there is more than was read:
    /// then the busiest hours were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn caller_hours(
        &self,
        filter: &UseFilter,
    ) -> Result<(Vec<CallerHour>, bool), StoreError> {
        let conditions = filter.conditions();
        let text = format!(
            "select channel, caller, at / {HOUR_MS} as hour, count(*) as asked, \
             count(case when result = 'refused' then 1 end) as refused \
             from calls where {} group by channel, caller, at / {HOUR_MS} \
             order by count(*) desc, 1, 2, 3 limit {}",
            conditions.text(),
            CALLER_HOURS_MAX + 1,
        );
        let read = |row: &Fields<'_>| {
            Ok(CallerHour {
                channel: row
                    .parsed::<ChannelId>("channel")
                    .map_err(|_| StoreError::Corrupt("a call of no channel".to_owned()))?,
                caller: row.text("caller")?,
                hour: Timestamp::from_millis(row.int("hour")? * HOUR_MS),
                asked: row.count("asked")?,
                refused: row.count("refused")?,
            })
        };
        let mut hours = self.db.rows(conditions.statement(text), read).await?;
        let more = hours.len() > CALLER_HOURS_MAX;
        hours.truncate(CALLER_HOURS_MAX);
        hours.sort_by_key(|one| one.hour);
        Ok((hours, more))
    }
}
