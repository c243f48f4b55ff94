//! The journal in a PostgreSQL database, for a city on several machines.
//!
//! The sibling of [`super::sqlite`]: the same verbs, the same order of steps. The server keeps
//! what it has acknowledged (`synchronous_commit = on`). Limits on the time of a statement and of an
//! idle transaction keep a frozen process from holding a hall's head for longer than seconds.
//!
//! Deliberately absent: a lock taken for the process's life, which a lost connection would lose
//! unnoticed. The epoch in the head's row is the only fence.

use std::collections::HashSet;
use std::time::Duration;

use actors::ports::{Answer, Append, Head, PortError, Rejected, Store, StreamId};
use anyhow::Context as _;
use rules::machine::Recorded;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgPool};

use crate::store::batch::{Plan, Used};
use crate::store::rows::{
    EventFields, KeyFields, Rows, json, key_questions, number, recorded, signed, unavailable, used,
};

/// One writes, the others read snapshots and events when halls start.
const CONNECTIONS: u32 = 8;

/// How long a request waits for a connection before it is told that the database is away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// The journal's adapter for PostgreSQL.
pub struct PostgresStore {
    owner: String,
    pool: PgPool,
}

impl PostgresStore {
    /// Connects and brings the schema up to date.
    ///
    /// # Errors
    /// The server cannot be reached or the schema cannot be brought up to date.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        let options: PgConnectOptions = url.parse()?;
        migrate(&options).await?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options.disable_statement_logging().options([
                ("synchronous_commit", "on"),
                ("statement_timeout", "5s"),
                ("idle_in_transaction_session_timeout", "2s"),
            ]));
        Ok(Self {
            owner: super::fresh_owner()?,
            pool,
        })
    }
}

/// Runs without the time limits: a new index may take long on a large table.
async fn migrate(options: &PgConnectOptions) -> anyhow::Result<()> {
    let mut connection = options.connect().await?;
    sqlx::migrate!("migrations/postgres")
        .run(&mut connection)
        .await
        .context("could not bring the schema up to date")
}

impl Store for PostgresStore {
    fn acquire<'a>(&'a self, stream: &'a StreamId) -> Answer<'a, Head> {
        Box::pin(async move {
            let failed = unavailable("could not take the stream");
            let mut transaction = self.pool.begin().await.map_err(&failed)?;
            let (epoch, seq) = sqlx::query_as(include_str!("queries/acquire.sql"))
                .bind(stream.as_str())
                .bind(&self.owner)
                .fetch_one(&mut *transaction)
                .await
                .map_err(&failed)?;
            transaction.commit().await.map_err(&failed)?;
            Ok(Head {
                epoch,
                seq: number(seq),
            })
        })
    }

    fn commit<'a>(&'a self, batch: &'a [Append]) -> Answer<'a, Vec<Result<(), Rejected>>> {
        Box::pin(commit(&self.pool, &self.owner, batch))
    }

    fn streams(&self) -> Answer<'_, Vec<StreamId>> {
        Box::pin(async move {
            let ids: Vec<String> = sqlx::query_scalar("select stream from heads order by stream")
                .fetch_all(&self.pool)
                .await
                .map_err(unavailable("could not list the streams"))?;
            Ok(ids.into_iter().map(StreamId::stored).collect())
        })
    }

    fn read_after<'a>(
        &'a self,
        stream: &'a StreamId,
        seq: u64,
        limit: u32,
    ) -> Answer<'a, Vec<Recorded<String>>> {
        Box::pin(async move {
            let rows: Vec<EventFields> = sqlx::query_as(include_str!("queries/read_after.sql"))
                .bind(stream.as_str())
                .bind(signed(seq))
                .bind(i64::from(limit))
                .fetch_all(&self.pool)
                .await
                .map_err(unavailable("could not read the journal"))?;
            Ok(rows.into_iter().map(recorded).collect())
        })
    }

    fn latest_snapshot<'a>(&'a self, stream: &'a StreamId) -> Answer<'a, Option<(u64, String)>> {
        Box::pin(async move {
            let row = sqlx::query_as("select seq, body from snapshots where stream = $1")
                .bind(stream.as_str())
                .fetch_optional(&self.pool)
                .await
                .map_err(unavailable("could not read the snapshot"))?;
            Ok(row.map(|(seq, body)| (number(seq), body)))
        })
    }

    fn keep_snapshot<'a>(&'a self, stream: &'a StreamId, seq: u64, body: String) -> Answer<'a, ()> {
        Box::pin(async move {
            sqlx::query(include_str!("queries/keep_snapshot.sql"))
                .bind(stream.as_str())
                .bind(signed(seq))
                .bind(body)
                .execute(&self.pool)
                .await
                .map_err(unavailable("could not keep the snapshot"))?;
            Ok(())
        })
    }
}

/// Heads first, then all that hangs on them, in one transaction.
///
/// The update of the heads and the inserts need not be one statement to be safe: the update locks
/// each head's row until the commit. Whoever takes the hall meanwhile waits for that lock and then
/// sees the new sequence number; whoever took it before has changed the epoch, and the update finds
/// no row. A key committed by another writer after our look-up collides in the insert: then nothing
/// of the batch is written, and a new attempt finds the key.
async fn commit(
    pool: &PgPool,
    owner: &str,
    batch: &[Append],
) -> Result<Vec<Result<(), Rejected>>, PortError> {
    let mut transaction = pool.begin().await.map_err(unavailable("could not begin"))?;
    let used = used_keys(&mut transaction, batch).await?;
    let plan = Plan::of(batch, &used);
    let moved = move_heads(&mut transaction, owner, &plan).await?;
    let results = plan.settle(&moved);
    write_rows(&mut transaction, &Rows::of(batch, &results)?).await?;
    transaction
        .commit()
        .await
        .map_err(|error| PortError::Unknown(error.to_string()))?;
    Ok(results)
}

async fn used_keys(writer: &mut PgConnection, batch: &[Append]) -> Result<Vec<Used>, PortError> {
    let asked = key_questions(batch);
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<KeyFields> = sqlx::query_as(include_str!("queries/postgres/used_keys.sql"))
        .bind(json(&asked)?)
        .fetch_all(writer)
        .await
        .map_err(unavailable("could not look up the keys"))?;
    Ok(rows.into_iter().map(used).collect())
}

async fn move_heads(
    writer: &mut PgConnection,
    owner: &str,
    plan: &Plan<'_>,
) -> Result<HashSet<String>, PortError> {
    if plan.steps().is_empty() {
        return Ok(HashSet::new());
    }
    let moved: Vec<String> = sqlx::query_scalar(include_str!("queries/postgres/move_heads.sql"))
        .bind(json(&plan.steps())?)
        .bind(owner)
        .fetch_all(writer)
        .await
        .map_err(unavailable("could not move the heads"))?;
    Ok(moved.into_iter().collect())
}

async fn write_rows(writer: &mut PgConnection, rows: &Rows<'_>) -> Result<(), PortError> {
    if !rows.events.is_empty() {
        let statement = include_str!("queries/postgres/insert_events.sql");
        write(writer, statement, json(&rows.events)?).await?;
    }
    if !rows.keys.is_empty() {
        let statement = include_str!("queries/postgres/insert_keys.sql");
        write(writer, statement, json(&rows.keys)?).await?;
    }
    if !rows.tickets.is_empty() {
        let tickets = json(&rows.tickets)?;
        if rows.may_cross {
            let statement = include_str!("queries/postgres/vacate_windows.sql");
            write(writer, statement, tickets.clone()).await?;
        }
        let statement = include_str!("queries/postgres/upsert_tickets.sql");
        write(writer, statement, tickets).await?;
    }
    if !rows.items.is_empty() {
        let statement = include_str!("queries/postgres/upsert_items.sql");
        write(writer, statement, json(&rows.items)?).await?;
    }
    Ok(())
}

async fn write(
    writer: &mut PgConnection,
    statement: &'static str,
    rows: String,
) -> Result<(), PortError> {
    sqlx::query(statement)
        .bind(rows)
        .execute(writer)
        .await
        .map_err(unavailable("could not write"))?;
    Ok(())
}
