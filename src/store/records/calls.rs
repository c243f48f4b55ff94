//! The history of calls: kept once each, listed by every dimension, counted, and forgotten with age.

use std::sync::{Arc, LazyLock};

use rules::channels::call::{Call, Part};
use rules::channels::tally::Outcome;
use rules::ids::ChannelId;
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::conditions::Conditions;
use super::db::{Fields, Statement, json};
use super::{PAGE_MAX, Records, StoreError};
use crate::store::sqlite::SqliteStatement;

/// Calls read at a time by whoever counts them.
const COUNT_PAGE: u32 = 2000;

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

/// A call as PostgreSQL takes it.
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

/// What was asked and answered.
#[derive(Serialize, Deserialize)]
struct Parts<P> {
    request: Option<P>,
    response: Option<P>,
}

/// What became of calls that were to be kept.
#[derive(Debug, PartialEq, Eq)]
pub struct Kept {
    pub new: u64,
    /// Where each lies, in their order; only when all were new.
    pub places: Option<Vec<u64>>,
}

impl<'a> Row<'a> {
    fn of(call: &'a Call) -> Result<Self, StoreError> {
        Ok(Self {
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
            body: body(call)?,
        })
    }
}

fn body(call: &Call) -> Result<String, StoreError> {
    json(&Parts {
        request: call.request.as_ref(),
        response: call.response.as_ref(),
    })
}

/// How many calls one statement of SQLite keeps; each size is prepared once.
const SIZES: [usize; 5] = [1000, 250, 50, 10, 1];

/// Statements of SQLite for so many calls each. The channel and the
/// instant, which all share, are bound once, behind all others: `$N` is the Nth value bound.
static STATEMENTS: LazyLock<[String; SIZES.len()]> = LazyLock::new(|| {
    SIZES.map(|calls| {
        let own = ["?"; OWN_VALUES].join(", ");
        let (channel, told_at) = (calls * OWN_VALUES + 1, calls * OWN_VALUES + 2);
        let rows = vec![format!("(${channel}, {own}, ${told_at})"); calls].join(", ");
        let begin = include_str!("../queries/sqlite/keep_calls.sql").trim_end();
        format!("{begin} values {rows} on conflict (channel, id) do nothing")
    })
});

/// Values of a call that are not its channel's.
const OWN_VALUES: usize = 11;

/// Texts of one column: calls that follow each other mostly have the same, and then share it.
#[derive(Default)]
struct Column(Option<Arc<str>>);

impl Column {
    fn text(&mut self, text: &str) -> Arc<str> {
        match &self.0 {
            Some(last) if **last == *text => Arc::clone(last),
            _ => Arc::clone(self.0.insert(text.into())),
        }
    }
}

/// A statement that keeps some calls of one channel.
fn keeps(
    text: &'static str,
    channel: &ChannelId,
    calls: &[Call],
    now: Timestamp,
) -> Result<SqliteStatement, StoreError> {
    let mut statement = sqlx::query(text);
    let [mut caller, mut version, mut result, mut reason, mut family] = <[Column; 5]>::default();
    for call in calls {
        let micros = call.micros.map(i64::try_from);
        statement = statement
            .bind(Arc::<str>::from(&*call.id))
            .bind(call.at.millis())
            .bind(caller.text(&call.caller))
            .bind(call.version.as_deref().map(|text| version.text(text)))
            .bind(result.text(call.result.name()))
            .bind(call.status.map(i64::from))
            .bind(call.reason.as_deref().map(|text| reason.text(text)))
            .bind(micros.map(|micros| micros.unwrap_or(i64::MAX)))
            .bind(call.trace_id.as_deref().map(Arc::<str>::from))
            .bind(call.path_family.as_deref().map(|text| family.text(text)))
            .bind(body(call)?);
    }
    Ok(statement.bind(channel.as_str()).bind(now.millis()))
}

/// The statements of SQLite that keep some calls.
fn sqlite_statements(calls: &[Call], now: Timestamp) -> Result<Vec<SqliteStatement>, StoreError> {
    let mut statements = Vec::new();
    for mut rest in calls.chunk_by(|one, next| one.channel == next.channel) {
        let channel = &rest[0].channel;
        for (size, text) in SIZES.iter().zip(STATEMENTS.iter()) {
            while let Some((some, behind)) = rest.split_at_checked(*size) {
                statements.push(keeps(text, channel, some, now)?);
                rest = behind;
            }
        }
    }
    Ok(statements)
}

/// The statement of PostgreSQL that keeps them.
fn postgres_statement(calls: &[Call], now: Timestamp) -> Result<Statement<'static>, StoreError> {
    let rows: Result<Vec<Row<'_>>, StoreError> = calls.iter().map(Row::of).collect();
    Ok(
        sqlx::query(include_str!("../queries/postgres/keep_calls.sql"))
            .bind(json(&rows?)?)
            .bind(now.millis()),
    )
}

/// Calls made ready for their database. Making takes as long as writing, and no turn to write: who
/// has very many does it on a thread of its own.
pub struct ReadyCalls {
    calls: u64,
    told: Told,
}

/// What each database is told.
enum Told {
    Sqlite(Vec<SqliteStatement>),
    Postgres(Statement<'static>),
}

impl Records {
    /// Makes calls ready to be kept.
    ///
    /// # Errors
    /// One has no JSON.
    pub fn ready_calls(&self, calls: &[Call], now: Timestamp) -> Result<ReadyCalls, StoreError> {
        let told = match self.db.is_sqlite() {
            true => Told::Sqlite(sqlite_statements(calls, now)?),
            false => Told::Postgres(postgres_statement(calls, now)?),
        };
        Ok(ReadyCalls {
            calls: calls.len() as u64,
            told,
        })
    }

    /// Keeps calls in one transaction. A call that is there already stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: then none is kept.
    pub async fn keep_calls(&self, ready: ReadyCalls) -> Result<Kept, StoreError> {
        let kept = match ready.told {
            Told::Sqlite(statements) => self.keep_in_sqlite(statements).await?,
            Told::Postgres(statement) => self.keep_in_postgres(statement).await?,
        };
        let all = kept.new > 0 && kept.new == ready.calls;
        Ok(Kept {
            places: kept.places.filter(|_| all),
            ..kept
        })
    }

    async fn keep_in_sqlite(&self, statements: Vec<SqliteStatement>) -> Result<Kept, StoreError> {
        let (new, last) = self.db.add_in_bulk(statements).await?;
        // SQLite numbers the rows of one transaction without a gap.
        let last = u64::try_from(last).ok();
        let first = last.and_then(|last| Some(last.checked_sub(new)? + 1));
        let places = first
            .zip(last)
            .map(|(first, last)| (first..=last).collect());
        Ok(Kept { new, places })
    }

    async fn keep_in_postgres(&self, statement: Statement<'static>) -> Result<Kept, StoreError> {
        let read = |row: &Fields<'_>| {
            let places = row.text_if_any("places")?;
            let places = places.map(|_| row.json("places")).transpose()?;
            let new = row.count("kept")?;
            Ok(Kept { new, places })
        };
        let kept = self.db.write_and_read(statement, read).await?.pop();
        kept.ok_or_else(|| StoreError::Corrupt("no word of what was kept".to_owned()))
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
        let total = self.count_of_calls(channel, filter).await?;
        let (items, next) = self.calls_of_page(channel, filter).await?;
        Ok(CallPage { items, total, next })
    }

    /// How many calls match.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn count_of_calls(
        &self,
        channel: &ChannelId,
        filter: &CallFilter,
    ) -> Result<u64, StoreError> {
        let conditions = filter.conditions(channel);
        let text = format!(
            "select count(*) as n from calls where {}",
            conditions.text()
        );
        let row = self.db.row(conditions.statement(text)).await?;
        row.map_or(Ok(0), |row| Fields(&row).count("n"))
    }

    /// The same page without the total, and where it ends if more follow: the way to read all of them
    /// in bounded memory.
    ///
    /// # Errors
    /// See [`Self::calls`].
    pub async fn calls_of_page(
        &self,
        channel: &ChannelId,
        filter: &CallFilter,
    ) -> Result<(Vec<Call>, Option<String>), StoreError> {
        let mut conditions = filter.conditions(channel);
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
        let next = last.map(|(place, call)| format!("{}.{place}", call.at.millis()));
        Ok((rows.into_iter().map(|(_, call)| call).collect(), next))
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
}

impl CallToCount {
    /// What is to be counted of a call that lies at a place.
    pub fn of(call: &Call, place: u64) -> Self {
        Self {
            place,
            at: call.at,
            caller: call.caller.clone(),
            version: call.version.clone(),
            result: call.result,
            reason: call.reason.clone(),
            status: call.status,
            micros: call.micros,
        }
    }
}

impl CallFilter {
    pub(super) fn conditions(&self, channel: &ChannelId) -> Conditions {
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

pub(super) fn call(row: &Fields<'_>) -> Result<Call, StoreError> {
    let channel = row.text("channel")?;
    let parts: Parts<Part> = row.json("body")?;
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
        request: parts.request,
        response: parts.response,
    })
}
