//! What is told of the use of channels: last calls, and sums by caller, version, path and hour, of the
//! calls in the history together with those that left it. Every query names its channels and a stretch
//! of time, so that the indexes by channel and time serve it.

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

/// Hours that are told apart at most: those of six weeks.
const HOURS_MAX: u32 = 42 * 24;

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
    pub const NAMES: [(&'static str, Self); 4] = [
        ("caller", Self::Caller),
        ("version", Self::Version),
        ("path", Self::Path),
        ("hour", Self::Hour),
    ];

    const fn of_call(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Version => "version",
            Self::Path => "path_family",
            Self::Hour => "cast(at / 3600000 as text)",
        }
    }

    /// Whether hours of calls tell it.
    pub const fn fits_hours(self) -> bool {
        self.of_hour().is_some()
    }

    /// The same of an hour of calls; none where only the calls themselves would tell.
    const fn of_hour(self) -> Option<&'static str> {
        match self {
            Self::Caller => Some("caller"),
            Self::Version => Some("nullif(version, '')"),
            Self::Hour => Some("cast(at / 3600000 as text)"),
            Self::Path => None,
        }
    }

    /// Hours there are no more of than the stretch of time has; of the others the most used count.
    const fn lines_max(self) -> u32 {
        match self {
            Self::Hour => HOURS_MAX,
            Self::Caller | Self::Version | Self::Path => PAGE_MAX,
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
    /// First and last call; of those that left the history their hour.
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

    /// The use of channels, most first. What has left the history counts by whole hours, except by path.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn channel_use(
        &self,
        filter: &UseFilter,
        by: UseBy,
    ) -> Result<Vec<Used>, StoreError> {
        let conditions = filter.conditions();
        let mut inner = format!(
            "select {} as key, channel, result, count(*) as calls, count(micros) as timed, \
             cast(coalesce(sum(micros), 0) as bigint) as total, min(at) as first_at, \
             max(at) as last_at from calls where {} group by 1, 2, 3",
            by.of_call(),
            conditions.text(),
        );
        if let Some(key) = by.of_hour() {
            inner += &format!(
                " union all select {key}, channel, result, cast(sum(calls) as bigint), \
                 cast(sum(timed) as bigint), cast(sum(total) as bigint), min(at), max(at) \
                 from call_hours where {} group by 1, 2, 3",
                conditions.text(),
            );
        }
        let text = format!(
            "select key, {} as calls, {} as failed, {} as refused, \
             count(distinct channel) as channels, cast(sum(timed) as bigint) as timed, \
             cast(sum(total) as bigint) as total, min(first_at) as first_at, \
             max(last_at) as last_at from ({inner}) as used \
             group by key order by sum(calls) desc, 1 limit {}",
            calls_where("result <> 'refused'"),
            calls_where("result = 'failed'"),
            calls_where("result = 'refused'"),
            by.lines_max(),
        );
        let read = |row: &Fields<'_>| {
            Ok(Used {
                key: row.text_if_any("key")?,
                calls: row.count("calls")?,
                failed: row.count("failed")?,
                refused: row.count("refused")?,
                channels: row.count("channels")?,
                mean_ms: mean_ms(row.int("timed")?, row.int("total")?),
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
        let which = conditions.text();
        let text = format!(
            "select channel, caller, hour, cast(sum(calls) as bigint) as asked, \
             {} as refused from ( \
             select channel, caller, at / {HOUR_MS} as hour, result, count(*) as calls \
             from calls where {which} group by 1, 2, 3, 4 \
             union all select channel, caller, at / {HOUR_MS}, result, calls \
             from call_hours where {which}) as used \
             group by channel, caller, hour order by sum(calls) desc, 1, 2, 3 limit {}",
            calls_where("result = 'refused'"),
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

    /// Until when calls of these channels have left the history, all or some: before this instant they
    /// count by whole hours. None: all of that stretch of time are there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn use_by_hours_until(
        &self,
        filter: &UseFilter,
    ) -> Result<Option<Timestamp>, StoreError> {
        let conditions = filter.conditions();
        let text = format!(
            "select max(at) + {HOUR_MS} as until from call_hours where {}",
            conditions.text(),
        );
        let row = self.db.row(conditions.statement(text)).await?;
        let until = row.map_or(Ok(None), |row| Fields(&row).int_if_any("until"))?;
        Ok(until.map(Timestamp::from_millis))
    }
}

fn calls_where(condition: &str) -> String {
    format!("cast(sum(case when {condition} then calls else 0 end) as bigint)")
}

fn mean_ms(timed: i64, total: i64) -> Option<f64> {
    (timed > 0).then(|| (total / timed.max(1)) as f64 / 1000.0)
}
