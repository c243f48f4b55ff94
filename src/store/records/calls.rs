//! The history of calls: kept once each, listed by every dimension, counted, and forgotten with age.

use rules::channels::call::Call;
use rules::channels::tally::Outcome;
use rules::ids::ChannelId;
use rules::time::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::conditions::Conditions;
use super::db::{Fields, json};
use super::{PAGE_MAX, Records, StoreError};

/// Calls read at a time by whoever counts them.
const COUNT_PAGE: u32 = 2000;

/// Rows removed at a time, so that nobody waits for the database meanwhile.
const FORGET_PAGE: i64 = 5000;

/// Which calls; all that is named must match.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    pub caller: Option<String>,
    pub version: Option<String>,
    pub result: Option<Outcome>,
    pub reason: Option<String>,
    pub status: Option<u16>,
    pub trace_id: Option<String>,
    pub path_family: Option<String>,
    pub from: Option<Timestamp>,
    pub before: Option<Timestamp>,
    pub slower_than_ms: Option<u64>,
    /// Rows on a page, at most [`PAGE_MAX`].
    pub limit: u32,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// One page of calls, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct CallPage {
    pub items: Vec<Call>,
    /// Calls that match, on all pages.
    pub total: u64,
    pub next: Option<String>,
}

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
    const fn expression(self) -> &'static str {
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
}

/// What statistics need of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallToCount {
    /// Its place in the order in which calls were told.
    pub place: u64,
    pub at: Timestamp,
    pub caller: String,
    pub version: Option<String>,
    pub result: Outcome,
    pub reason: Option<String>,
    pub status: Option<u16>,
    pub micros: Option<u64>,
}

#[derive(Serialize)]
struct Row<'a> {
    channel: &'a str,
    id: &'a str,
    at: i64,
    caller: &'a str,
    version: Option<&'a str>,
    result: Outcome,
    status: Option<u16>,
    reason: Option<&'a str>,
    micros: Option<u64>,
    trace_id: Option<&'a str>,
    path_family: Option<&'a str>,
    body: String,
}

impl<'a> Row<'a> {
    fn of(call: &'a Call) -> Self {
        Self {
            channel: call.channel.as_str(),
            id: &call.id,
            at: call.at.millis(),
            caller: &call.caller,
            version: call.version.as_deref(),
            result: call.result,
            status: call.status,
            reason: call.reason.as_deref(),
            micros: call.micros,
            trace_id: call.trace_id.as_deref(),
            path_family: call.path_family.as_deref(),
            body: json!({"request": call.request, "response": call.response}).to_string(),
        }
    }
}

impl Records {
    /// Keeps calls in one transaction; how many were new. A call that is there already stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: then none is kept.
    pub async fn keep_calls(&self, calls: &[Call]) -> Result<u64, StoreError> {
        let rows: Vec<Row<'_>> = calls.iter().map(Row::of).collect();
        let text = match self.db.is_sqlite() {
            true => include_str!("../queries/sqlite/keep_calls.sql"),
            false => include_str!("../queries/postgres/keep_calls.sql"),
        };
        self.db.write(sqlx::query(text).bind(json(&rows)?)).await
    }

    /// A page of a channel's calls, the newest first.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`], [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn calls(
        &self,
        channel: &ChannelId,
        filter: &CallFilter,
    ) -> Result<CallPage, StoreError> {
        let mut conditions = filter.conditions(channel);
        let text = format!(
            "select count(*) as n from calls where {}",
            conditions.text()
        );
        let row = self.db.row(conditions.clone().statement(text)).await?;
        let total = row.map_or(Ok(0), |row| Fields(&row).count("n"))?;
        if let Some(cursor) = &filter.cursor {
            conditions.behind_pair("at", "place", read_cursor(cursor)?);
        }
        let limit = filter.limit.clamp(1, PAGE_MAX) as usize;
        let text = format!(
            "select * from calls where {} order by at desc, place desc limit {}",
            conditions.text(),
            limit + 1
        );
        let read = |row: &Fields<'_>| Ok((row.int("place")?, call(row)?));
        let mut rows = self.db.rows(conditions.statement(text), read).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        Ok(CallPage {
            next: last.map(|(place, call)| format!("{}.{place}", call.at.millis())),
            items: rows.into_iter().map(|(_, call)| call).collect(),
            total,
        })
    }

    /// One call.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn call(&self, channel: &ChannelId, id: &str) -> Result<Option<Call>, StoreError> {
        let statement = sqlx::query("select * from calls where channel = $1 and id = $2")
            .bind(channel.as_str())
            .bind(id);
        let row = self.db.row(statement).await?;
        row.map(|row| call(&Fields(&row))).transpose()
    }

    /// A channel's calls, counted by something, most first; hours in their order.
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
        let key = by.expression();
        let order = if by == CountBy::Hour {
            "1"
        } else {
            "2 desc, 1"
        };
        let text = format!(
            "select {key} as key, count(*) as calls, \
             count(case when result = 'ok' then 1 end) as ok, \
             count(case when result = 'failed' then 1 end) as failed, \
             count(case when result = 'refused' then 1 end) as refused, \
             min(micros) as least, max(micros) as most, cast(avg(micros) as bigint) as mean \
             from calls where {} group by {key} order by {order} limit {PAGE_MAX}",
            conditions.text(),
        );
        let ms = |micros: Option<i64>| micros.map(|micros| micros as f64 / 1000.0);
        let read = |row: &Fields<'_>| {
            Ok(Counted {
                key: row.text_if_any("key")?,
                calls: row.count("calls")?,
                ok: row.count("ok")?,
                failed: row.count("failed")?,
                refused: row.count("refused")?,
                min_ms: ms(row.int_if_any("least")?),
                mean_ms: ms(row.int_if_any("mean")?),
                max_ms: ms(row.int_if_any("most")?),
            })
        };
        self.db.rows(conditions.statement(text), read).await
    }

    /// What statistics need of the calls told after a place, in the order in which they were; a page
    /// at most.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn calls_after(
        &self,
        channel: &ChannelId,
        place: u64,
    ) -> Result<Vec<CallToCount>, StoreError> {
        let statement = sqlx::query(
            "select place, at, caller, version, result, reason, status, micros from calls \
             where channel = $1 and place > $2 order by place limit $3",
        );
        let statement = statement
            .bind(channel.as_str())
            .bind(i64::try_from(place).unwrap_or(i64::MAX))
            .bind(i64::from(COUNT_PAGE));
        let read = |row: &Fields<'_>| {
            Ok(CallToCount {
                place: row.count("place")?,
                at: row.time("at")?,
                caller: row.text("caller")?,
                version: row.text_if_any("version")?,
                result: outcome(row)?,
                reason: row.text_if_any("reason")?,
                status: small(row.int_if_any("status")?),
                micros: small(row.int_if_any("micros")?),
            })
        };
        self.db.rows(statement, read).await
    }

    /// Forgets the calls made before an instant. What they left in the statistics stays.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_calls(&self, before: Timestamp) -> Result<(), StoreError> {
        const SOME: &str = "delete from calls where place in \
             (select place from calls where at < $1 order by at limit $2)";
        let some = || sqlx::query(SOME).bind(before.millis()).bind(FORGET_PAGE);
        while self.db.write(some()).await? > 0 {}
        Ok(())
    }
}

impl CallFilter {
    fn conditions(&self, channel: &ChannelId) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.equal("channel", Some(channel.as_str()));
        conditions.equal("caller", self.caller.as_deref());
        conditions.equal("version", self.version.as_deref());
        conditions.equal("result", self.result.map(Outcome::name));
        conditions.equal("reason", self.reason.as_deref());
        conditions.equal("trace_id", self.trace_id.as_deref());
        conditions.equal("path_family", self.path_family.as_deref());
        if let Some(status) = self.status {
            conditions.compare("status", "=", i64::from(status));
        }
        if let Some(from) = self.from {
            conditions.compare("at", ">=", from.millis());
        }
        if let Some(before) = self.before {
            conditions.compare("at", "<", before.millis());
        }
        if let Some(ms) = self.slower_than_ms {
            let micros = i64::try_from(ms.saturating_mul(1000)).unwrap_or(i64::MAX);
            conditions.compare("micros", ">", micros);
        }
        conditions
    }
}

fn read_cursor(cursor: &str) -> Result<(i64, i64), StoreError> {
    let pair = cursor.split_once('.').and_then(|(at, place)| {
        let (at, place) = (at.parse().ok()?, place.parse().ok()?);
        Some((at, place))
    });
    pair.ok_or(StoreError::BadCursor)
}

fn outcome(row: &Fields<'_>) -> Result<Outcome, StoreError> {
    let name = row.text("result")?;
    Outcome::from_name(&name).ok_or_else(|| StoreError::Corrupt(format!("a call that is {name}")))
}

fn small<T: TryFrom<i64>>(number: Option<i64>) -> Option<T> {
    number.and_then(|number| T::try_from(number).ok())
}

fn call(row: &Fields<'_>) -> Result<Call, StoreError> {
    let channel = row.text("channel")?;
    let body: Value = row.json("body")?;
    let part = |name: &str| body.get(name).filter(|part| !part.is_null()).cloned();
    Ok(Call {
        id: row.text("id")?,
        channel: channel
            .parse()
            .map_err(|_| StoreError::Corrupt(format!("a call of channel {channel}")))?,
        caller: row.text("caller")?,
        version: row.text_if_any("version")?,
        at: row.time("at")?,
        micros: small(row.int_if_any("micros")?),
        status: small(row.int_if_any("status")?),
        result: outcome(row)?,
        reason: row.text_if_any("reason")?,
        trace_id: row.text_if_any("trace_id")?,
        path_family: row.text_if_any("path_family")?,
        request: part("request"),
        response: part("response"),
    })
}
