//! Records of feeds: kept once each, told of as they are pushed, corrected, counted and listed.

use std::collections::BTreeMap;

use rules::channels::feed::{FeedDirection, Known, Own, Record, RecordState, Totals};
use rules::ids::{FeedId, HallId};
use rules::time::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::conditions::Conditions;
use super::db::{Fields, json};
use super::tickets::hall_ticket;
use super::{HallTicket, PAGE_MAX, Records, StoreError};

/// Rows removed at a time, so that nobody waits for the database meanwhile.
const FORGET_PAGE: i64 = 5000;

/// What came of pushing a record once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    pub id: String,
    /// None: acknowledged. Otherwise why not.
    pub failed: Option<String>,
    /// When it is to be tried again.
    pub next_at: Option<Timestamp>,
}

/// A record that is due to be pushed.
#[derive(Debug, Clone, PartialEq)]
pub struct DueRecord {
    pub batch: String,
    pub id: String,
    pub digest: String,
    pub attempts: u32,
    pub body: Value,
}

/// A record as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeedRecord {
    #[serde(skip)]
    pub place: i64,
    pub batch: String,
    pub id: String,
    pub row: Option<u64>,
    pub state: RecordState,
    pub unit: Option<String>,
    pub attempts: u64,
    pub reason: Option<String>,
    pub changed_at: Option<String>,
    pub at: String,
    pub arrived_at: Option<String>,
    pub held_at: Option<String>,
    pub next_at: Option<String>,
    pub faults: Value,
    pub corrections: Value,
    pub corrected_at: Option<String>,
    pub corrected_by: Option<String>,
    pub original: Option<Value>,
    pub body: Option<Value>,
}

/// Which records; all that is named must match.
#[derive(Debug, Clone, Default)]
pub struct FeedRecordFilter {
    pub batch: Option<String>,
    pub id: Option<String>,
    /// One of these states; empty is any.
    pub states: Vec<String>,
    pub unit: Option<String>,
    /// Only what was held back at some time.
    pub held: bool,
    pub limit: u32,
    pub cursor: Option<String>,
}

/// One page of records, in the order in which they came.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedRecordPage {
    pub items: Vec<FeedRecord>,
    pub total: u64,
    pub next: Option<String>,
}

/// Records of a unit that were held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitAnomalies {
    pub unit: Option<String>,
    pub found: u64,
    pub fixed: u64,
    pub open: u64,
}

#[derive(Serialize)]
struct Row<'a> {
    feed: &'a str,
    batch: &'a str,
    id: &'a str,
    line: Option<u64>,
    digest: &'a str,
    state: &'static str,
    unit: Option<&'a str>,
    changed_at: Option<i64>,
    at: i64,
    arrived_at: Option<i64>,
    held_at: Option<i64>,
    times: u64,
    next_at: Option<i64>,
    original: Option<String>,
    body: Option<String>,
    notes: String,
}

impl<'a> Row<'a> {
    fn of(feed: &'a FeedId, batch: &'a str, record: &'a Record, at: Timestamp) -> Self {
        let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
        let at = at.millis();
        let when = |holds: bool| holds.then_some(at);
        use RecordState::{Accepted, Corrected, Quarantined, Waiting};
        Self {
            feed: feed.as_str(),
            batch,
            id: &record.id,
            line: record.row,
            digest: &record.digest,
            state: record.state.name(),
            unit: record.unit.as_deref(),
            changed_at: record.changed_at.map(Timestamp::millis),
            at,
            arrived_at: when(matches!(record.state, Accepted | Corrected)),
            held_at: when(record.state == Quarantined),
            times: record.times,
            next_at: when(record.state == Waiting),
            original: text(&record.original),
            body: text(&record.body),
            notes: json!({"faults": record.faults, "corrections": record.corrections}).to_string(),
        }
    }
}

impl Records {
    /// What is known of these ids: the newest record of each that is no repeat.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn known_feed_records(
        &self,
        feed: &FeedId,
        ids: &[&str],
    ) -> Result<BTreeMap<String, Known>, StoreError> {
        let list = self.list_of("$2");
        let text = format!(
            "select id, batch, digest, state from feed_records where feed = $1 \
             and id in ({list}) and state <> 'duplicate' order by place"
        );
        let statement = sqlx::query(sqlx::AssertSqlSafe(text));
        let statement = statement.bind(feed.as_str().to_owned()).bind(json(&ids)?);
        let read = |row: &Fields<'_>| {
            let known = Known {
                batch: row.text("batch")?,
                digest: row.text("digest")?,
                state: state(row)?,
            };
            Ok((row.text("id")?, known))
        };
        // Of several the newest comes last and stays.
        Ok(self.db.rows(statement, read).await?.into_iter().collect())
    }

    /// Keeps records of one batch in one transaction; one that the batch has is replaced.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: then none is kept.
    pub async fn keep_feed_records(
        &self,
        feed: &FeedId,
        batch: &str,
        records: &[Record],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let rows = records
            .iter()
            .map(|record| Row::of(feed, batch, record, at));
        let rows: Vec<Row<'_>> = rows.collect();
        let text = match self.db.is_sqlite() {
            true => include_str!("../queries/sqlite/keep_feed_records.sql"),
            false => include_str!("../queries/postgres/keep_feed_records.sql"),
        };
        let statement = sqlx::query(text).bind(json(&rows)?);
        self.db.write(statement).await.map(drop)
    }

    /// A record of this batch came again so many times.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn repeat_feed_records(
        &self,
        feed: &FeedId,
        batch: &str,
        times: &BTreeMap<&str, u64>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let given = match self.db.is_sqlite() {
            true => "select key as id, cast(value as integer) as more from json_each($1)",
            false => "select key as id, value::bigint as more from json_each_text($1::json)",
        };
        let text = format!(
            "update feed_records set times = times + given.more, seen_at = $2 from ({given}) as given \
             where feed = $3 and batch = $4 and feed_records.id = given.id"
        );
        let statement = sqlx::query(sqlx::AssertSqlSafe(text)).bind(json(&times)?);
        let statement = statement.bind(at.millis()).bind(feed.as_str().to_owned());
        self.db
            .write(statement.bind(batch.to_owned()))
            .await
            .map(drop)
    }

    /// A later batch brought these records with other contents: in the earlier one they are neither held
    /// back nor pushed any more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn release_feed_records(
        &self,
        feed: &FeedId,
        batch: &str,
        ids: &[&str],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let list = self.list_of("$4");
        let text = format!(
            "update feed_records set state = 'corrected', corrected_at = $1, corrected_by = 'source', \
             arrived_at = case when state = 'quarantined' then $1 end, next_at = null where feed = $2 and batch = $3 \
             and state in ('quarantined', 'waiting', 'failed') and id in ({list})"
        );
        let statement = sqlx::query(sqlx::AssertSqlSafe(text)).bind(at.millis());
        let statement = statement
            .bind(feed.as_str().to_owned())
            .bind(batch.to_owned());
        self.db.write(statement.bind(json(&ids)?)).await.map(drop)
    }

    fn list_of(&self, place: &str) -> String {
        match self.db.is_sqlite() {
            true => format!("select value from json_each({place})"),
            false => {
                format!(
                    "select value from json_array_elements_text({place}::json) as given (value)"
                )
            }
        }
    }

    /// Takes note of what came of pushing records. One that was acknowledged stays so; one that nobody
    /// knew is known from then on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: then nothing is noted.
    pub async fn tell_pushes(
        &self,
        feed: &FeedId,
        batch: &str,
        pushed: &[Pushed],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let row = |one: &Pushed| {
            let arrived = one.failed.is_none();
            let state = match arrived {
                true => RecordState::Acknowledged,
                false => RecordState::Failed,
            };
            json!({
                "feed": feed, "batch": batch, "id": one.id, "state": state, "at": at.millis(),
                "arrived_at": arrived.then_some(at.millis()), "reason": one.failed,
                "next_at": one.next_at.map(Timestamp::millis),
            })
        };
        let rows: Vec<Value> = pushed.iter().map(row).collect();
        let text = match self.db.is_sqlite() {
            true => include_str!("../queries/sqlite/tell_pushes.sql"),
            false => include_str!("../queries/postgres/tell_pushes.sql"),
        };
        let statement = sqlx::query(text).bind(json(&rows)?);
        self.db.write(statement).await.map(drop)
    }

    /// Puts a record in quarantine right; false if it is not there any more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn correct_feed_record(
        &self,
        feed: &FeedId,
        batch: &str,
        record: &Record,
        by: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let waits = record.state == RecordState::Waiting;
        let state = if waits {
            RecordState::Waiting
        } else {
            RecordState::Corrected
        };
        let statement = sqlx::query(
            "update feed_records set state = $1, corrected_at = $2, corrected_by = $3, body = $4, \
             arrived_at = $5, next_at = $6 \
             where feed = $7 and batch = $8 and id = $9 and state = 'quarantined'",
        );
        let statement = statement.bind(state.name()).bind(at.millis()).bind(by);
        let statement = statement
            .bind(record.body.as_ref().map(Value::to_string))
            .bind((!waits).then_some(at.millis()))
            .bind(waits.then_some(at.millis()));
        let statement = statement
            .bind(feed.as_str())
            .bind(batch)
            .bind(record.id.as_str());
        Ok(self.db.write(statement).await? > 0)
    }

    /// What was pushed in vain is due again at once; how many records those are.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn retry_feed_records(
        &self,
        feed: &FeedId,
        batch: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let statement = sqlx::query(
            "update feed_records set next_at = $1 \
             where feed = $2 and batch = $3 and state = 'failed' and body is not null",
        );
        let statement = statement.bind(at.millis()).bind(feed.as_str()).bind(batch);
        self.db.write(statement).await
    }

    /// A feed's records that are due to be pushed, the longest due first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn due_feed_records(
        &self,
        feed: &FeedId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueRecord>, StoreError> {
        let statement = sqlx::query(
            "select batch, id, digest, attempts, body from feed_records \
             where feed = $1 and next_at <= $2 and body is not null \
             order by next_at, place limit $3",
        );
        let statement = statement
            .bind(feed.as_str())
            .bind(now.millis())
            .bind(i64::from(limit));
        let read = |row: &Fields<'_>| {
            Ok(DueRecord {
                batch: row.text("batch")?,
                id: row.text("id")?,
                digest: row.text("digest")?,
                attempts: u32::try_from(row.int("attempts")?).unwrap_or(u32::MAX),
                body: row.json("body")?,
            })
        };
        self.db.rows(statement, read).await
    }

    /// The numbers of a batch. Data of a feed that pushes is what was acknowledged.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn count_feed_records(
        &self,
        feed: &FeedId,
        batch: &str,
        direction: FeedDirection,
    ) -> Result<Totals, StoreError> {
        let (first, last) = match direction {
            FeedDirection::Receive => ("at", "seen_at"),
            FeedDirection::Push => ("arrived_at", "arrived_at"),
        };
        let counts = RecordState::ALL.map(|state| {
            let name = state.name();
            format!("count(case when state = '{name}' then 1 end) as {name}")
        });
        let text = format!(
            "select {}, count(case when state = 'acknowledged' and attempts <= 1 then 1 end) as at_once, \
             cast(coalesce(sum(times - case when state = 'duplicate' then 0 else 1 end), 0) as bigint) as again, \
             count(arrived_at - changed_at) as delays, min({first}) as first_at, max({last}) as last_at, \
             min(case when state in ('waiting', 'failed') then at end) as unacknowledged_since \
             from feed_records where feed = $1 and batch = $2",
            counts.join(", ")
        );
        let statement = sqlx::query(sqlx::AssertSqlSafe(text));
        let row = self
            .db
            .row(statement.bind(feed.as_str()).bind(batch))
            .await?;
        let Some(row) = row else {
            return Ok(Totals::default());
        };
        let row = Fields(&row);
        let time = |name: &str| Ok(row.int_if_any(name)?.map(Timestamp::from_millis));
        Ok(Totals {
            accepted: row.count("accepted")?,
            corrected: row.count("corrected")?,
            rejected: row.count("quarantined")?,
            waiting: row.count("waiting")?,
            acknowledged: row.count("acknowledged")?,
            failed: row.count("failed")?,
            at_once: row.count("at_once")?,
            duplicates: row.count("again")?,
            delay_p95_ms: self.delay_p95(feed, batch, row.count("delays")?).await?,
            first_at: time("first_at")?,
            last_at: time("last_at")?,
            unacknowledged_since: time("unacknowledged_since")?,
        })
    }

    /// The delay that 95 % of so many did not exceed: the nearest rank.
    async fn delay_p95(
        &self,
        feed: &FeedId,
        batch: &str,
        delays: u64,
    ) -> Result<Option<u64>, StoreError> {
        if delays == 0 {
            return Ok(None);
        }
        let rank = (delays * 95).div_ceil(100);
        let statement = sqlx::query(
            "select arrived_at - changed_at as delay from feed_records where feed = $1 and batch = $2 \
             and arrived_at is not null and changed_at is not null order by 1 limit 1 offset $3",
        );
        let statement = statement.bind(feed.as_str()).bind(batch);
        let statement = statement.bind(i64::try_from(rank - 1).unwrap_or(i64::MAX));
        let row = self.db.row(statement).await?;
        let delay = row.map(|row| Fields(&row).int("delay")).transpose()?;
        Ok(delay.map(|delay| u64::try_from(delay).unwrap_or(0)))
    }

    /// A page of a feed's records, in the order in which they came.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`], [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn feed_records(
        &self,
        feed: &FeedId,
        filter: &FeedRecordFilter,
    ) -> Result<FeedRecordPage, StoreError> {
        let mut conditions = filter.conditions(feed);
        let text = format!(
            "select count(*) as n from feed_records where {}",
            conditions.text()
        );
        let row = self.db.row(conditions.clone().statement(text)).await?;
        let total = row.map_or(Ok(0), |row| Fields(&row).count("n"))?;
        if let Some(cursor) = &filter.cursor {
            let place = cursor.parse().map_err(|_| StoreError::BadCursor)?;
            conditions.compare("place", ">", place);
        }
        let limit = filter.limit.clamp(1, PAGE_MAX) as usize;
        let text = format!(
            "select * from feed_records where {} order by place limit {}",
            conditions.text(),
            limit + 1
        );
        let mut items = self.db.rows(conditions.statement(text), record).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        Ok(FeedRecordPage {
            next: last.map(|last| last.place.to_string()),
            items,
            total,
        })
    }

    /// Records that were held back, by unit, those with most open first; and how many units there are.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn feed_anomalies(
        &self,
        feed: &FeedId,
    ) -> Result<(u64, Vec<UnitAnomalies>), StoreError> {
        let units =
            sqlx::query("select count(distinct unit) as n from feed_records where feed = $1");
        let row = self.db.row(units.bind(feed.as_str())).await?;
        let units = row.map_or(Ok(0), |row| Fields(&row).count("n"))?;
        let text = "select unit, count(distinct id) as found, \
             count(distinct case when state = 'quarantined' then id end) as still from feed_records \
             where feed = $1 and held_at is not null group by unit order by 3 desc, 1 limit $2";
        let statement = sqlx::query(text).bind(feed.as_str());
        let read = |row: &Fields<'_>| {
            let (found, open) = (row.count("found")?, row.count("still")?);
            Ok(UnitAnomalies {
                unit: row.text_if_any("unit")?,
                found,
                fixed: found.saturating_sub(open),
                open,
            })
        };
        let rows = self
            .db
            .rows(statement.bind(i64::from(PAGE_MAX)), read)
            .await?;
        Ok((units, rows))
    }

    /// What we have, to be compared: of one batch, or the newest of each record; one more than `most`
    /// at most.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn own_feed_records(
        &self,
        feed: &FeedId,
        batch: Option<&str>,
        most: usize,
    ) -> Result<BTreeMap<String, Own>, StoreError> {
        let which = match batch {
            Some(_) => "batch = $2",
            None => {
                "$2 = '' and state <> 'duplicate' and not exists (select 1 from feed_records as newer \
                 where newer.feed = one.feed and newer.id = one.id and newer.place > one.place \
                 and newer.state <> 'duplicate')"
            }
        };
        let text = format!(
            "select id, digest, state, reason from feed_records as one where feed = $1 and {which} \
             limit {}",
            most + 1
        );
        let statement = sqlx::query(sqlx::AssertSqlSafe(text)).bind(feed.as_str().to_owned());
        let statement = statement.bind(batch.unwrap_or_default().to_owned());
        let read = |row: &Fields<'_>| {
            let own = Own {
                digest: row.text("digest")?,
                state: state(row)?,
                reason: row.text_if_any("reason")?,
            };
            Ok((row.text("id")?, own))
        };
        Ok(self.db.rows(statement, read).await?.into_iter().collect())
    }

    /// Completed tickets of a hall that a feed does not have, from a day and an instant on, the earliest
    /// first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn completed_tickets_beside(
        &self,
        feed: &FeedId,
        hall: &HallId,
        from_day: &str,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<HallTicket>, StoreError> {
        let statement = sqlx::query(
            "select t.hall, t.body from tickets as t \
             where t.hall = $1 and t.day >= $2 and t.state = 'completed' and t.ended_at >= $3 \
             and not exists (select 1 from feed_records as r \
                 where r.feed = $4 and r.id = t.hall || '/' || cast(t.id as text)) \
             order by t.ended_at, t.id limit $5",
        );
        let statement = statement
            .bind(hall.as_str())
            .bind(from_day)
            .bind(since.millis());
        let statement = statement.bind(feed.as_str()).bind(i64::from(limit));
        self.db.rows(statement, hall_ticket).await
    }

    /// Records held back that the problem list has not been told of, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn unlisted_feed_records(
        &self,
        feed: &FeedId,
        limit: u32,
    ) -> Result<Vec<FeedRecord>, StoreError> {
        let statement = sqlx::query(
            "select * from feed_records where feed = $1 and held_at is not null \
             and state = 'quarantined' and listed = 0 order by place limit $2",
        );
        let statement = statement.bind(feed.as_str()).bind(i64::from(limit));
        self.db.rows(statement, record).await
    }

    /// Notes that the problem list was told of a record.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn feed_record_listed(&self, place: i64) -> Result<(), StoreError> {
        let statement = sqlx::query("update feed_records set listed = 1 where place = $1");
        self.db.write(statement.bind(place)).await.map(drop)
    }

    /// Forgets records that came last before an instant and wait for nothing. Their batches' numbers
    /// stay.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_feed_records(&self, before: Timestamp) -> Result<(), StoreError> {
        const SOME: &str = "delete from feed_records where place in \
             (select place from feed_records where seen_at < $1 and next_at is null \
             order by seen_at limit $2)";
        let some = || sqlx::query(SOME).bind(before.millis()).bind(FORGET_PAGE);
        while self.db.write(some()).await? > 0 {}
        Ok(())
    }
}

impl FeedRecordFilter {
    fn conditions(&self, feed: &FeedId) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.equal("feed", Some(feed.as_str()));
        conditions.equal("batch", self.batch.as_deref());
        conditions.equal("id", self.id.as_deref());
        conditions.equal("unit", self.unit.as_deref());
        conditions.one_of(
            "state",
            Some(&self.states).filter(|states| !states.is_empty()),
        );
        if self.held {
            conditions.is_null("held_at", false);
        }
        conditions
    }
}

fn state(row: &Fields<'_>) -> Result<RecordState, StoreError> {
    let name = row.text("state")?;
    let known = RecordState::from_name(&name);
    known.ok_or_else(|| StoreError::Corrupt(format!("a record that is {name}")))
}

fn record(row: &Fields<'_>) -> Result<FeedRecord, StoreError> {
    let at = |name: &str| -> Result<Option<String>, StoreError> {
        let at = row.int_if_any(name)?.map(Timestamp::from_millis);
        Ok(at.map(Timestamp::rfc3339_utc))
    };
    let json = |name: &str| -> Result<Option<Value>, StoreError> {
        let text = row.text_if_any(name)?;
        let read = |text: String| serde_json::from_str(&text);
        let value = text.map(read).transpose();
        value.map_err(|cause| StoreError::Corrupt(format!("{name} of a record: {cause}")))
    };
    let mut notes: Value = row.json("notes")?;
    Ok(FeedRecord {
        place: row.int("place")?,
        batch: row.text("batch")?,
        id: row.text("id")?,
        row: row
            .int_if_any("line")?
            .and_then(|line| u64::try_from(line).ok()),
        state: state(row)?,
        unit: row.text_if_any("unit")?,
        attempts: row.count("attempts")?,
        reason: row.text_if_any("reason")?,
        changed_at: at("changed_at")?,
        at: row.time("at")?.rfc3339_utc(),
        arrived_at: at("arrived_at")?,
        held_at: at("held_at")?,
        next_at: at("next_at")?,
        faults: notes["faults"].take(),
        corrections: notes["corrections"].take(),
        corrected_at: at("corrected_at")?,
        corrected_by: row.text_if_any("corrected_by")?,
        original: json("original")?,
        body: json("body")?,
    })
}
