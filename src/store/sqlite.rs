//! The journal in one SQLite file, for a hall or a small city on one machine.
//!
//! One connection writes; a few others read. Every commit reaches the disk (`synchronous = full`)
//! before it is answered: a power cut after the answer loses nothing. A lock file beside the
//! database keeps a second process out, and the rising epoch fences it off in any case.
//!
//! Deliberately absent: an in-memory database (use `actors::memory`) and a write without its fence.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actors::ports::{Answer, Append, Head, PortError, Rejected, Store, StreamId};
use anyhow::{Context as _, bail, ensure};
use futures_util::TryStreamExt as _;
use rules::machine::Recorded;
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions,
    SqliteQueryResult, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Either, Executor as _, Sqlite, SqlitePool};
use tokio::sync::{Mutex, MutexGuard};

use crate::store::batch::{Plan, Step, Used};
use crate::store::rows::{
    EventFields, KeyFields, Lone, Rows, json, key_questions, number, recorded, signed, unavailable,
    used, word,
};

/// Older ones may corrupt a write-ahead log that several connections share.
const OLDEST_VERSION: [u32; 3] = [3, 51, 3];

/// How long a connection waits for another one's write. Within the process writers take turns, so
/// this is met only when a tool outside holds the file.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages kept in memory per connection, as kibibytes below zero: the open day's tickets and the
/// upper levels of the indexes fit.
pub(super) const CACHE_SIZE: &str = "-32000";

/// Pages of write-ahead log (32 MiB) before they are carried into the file. The pages at the end of
/// each hall's events change with every batch; carried seldom, they are carried once for many.
pub(super) const CHECKPOINT_PAGES: &str = "8000";

/// Rows that may wait between the database's thread and who reads them: a page of the journal, so
/// that neither waits for the other row by row.
const ROWS_WAITING: usize = 1024;

/// Connections for reading. Reads are short; more would only compete for the page cache.
const READERS: u32 = 4;

/// A statement that only SQLite is told.
pub(super) type SqliteStatement = Query<'static, Sqlite, SqliteArguments>;

/// SQLite has one writer at a time. Those of this process queue here in fair order instead of
/// polling for the file's lock. Holds the lock file for as long as anything writes.
pub(super) struct Turn {
    gate: Mutex<()>,
    _lock: File,
}

impl Turn {
    pub(super) async fn take(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().await
    }
}

/// The journal's adapter for SQLite.
pub struct SqliteStore {
    owner: String,
    options: SqliteConnectOptions,
    turn: Arc<Turn>,
    /// Empty after an error: the next commit opens another connection.
    writer: Mutex<Option<SqliteConnection>>,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens or creates the file and brings its schema up to date.
    ///
    /// # Errors
    /// Another process holds the file, SQLite is too old, or the file cannot be used.
    pub async fn open(path: &Path) -> anyhow::Result<Self> {
        let turn = Arc::new(Turn {
            gate: Mutex::new(()),
            _lock: lock_beside(path)?,
        });
        let options = connect_options(path);
        let mut writer = options.connect().await?;
        check_version(&mut writer).await?;
        sqlx::migrate!("migrations/sqlite")
            .run(&mut writer)
            .await
            .context("could not bring the schema up to date")?;
        prepare_to_write(&mut writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_lazy_with(options.clone().read_only(true).create_if_missing(false));
        Ok(Self {
            owner: super::fresh_owner()?,
            options,
            turn,
            writer: Mutex::new(Some(writer)),
            readers,
        })
    }

    pub(super) fn turn(&self) -> Arc<Turn> {
        Arc::clone(&self.turn)
    }

    /// Lends the writing connection. One that met an error, or whose user went away half-way, is
    /// closed, which rolls back what it had begun.
    async fn with_writer<T>(
        &self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let _turn = self.turn.take().await;
        let mut slot = self.writer.lock().await;
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => {
                let failed = unavailable("could not open the database again");
                let mut opened = self.options.connect().await.map_err(&failed)?;
                prepare_to_write(&mut opened).await.map_err(&failed)?;
                opened
            }
        };
        let outcome = work(&mut connection).await;
        if outcome.is_ok() {
            *slot = Some(connection);
        } else {
            // Its own error adds nothing to the one at hand.
            let _ = connection.close().await;
        }
        outcome
    }
}

fn connect_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .row_buffer_size(ROWS_WAITING)
        .pragma("cache_size", CACHE_SIZE)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("temp_store", "memory")
        .disable_statement_logging()
}

/// Makes what `write_batch` writes through; it lasts as long as the connection.
async fn prepare_to_write(writer: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let batches = sqlx::raw_sql(include_str!("queries/sqlite/batches.sql"));
    batches.execute(writer).await.map(drop)
}

fn lock_beside(path: &Path) -> anyhow::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .with_context(|| format!("could not create the folder {}", folder.display()))?;
    let lock_path = folder.join("hallkeeper.lock");
    let lock = File::create(&lock_path)
        .with_context(|| format!("could not create {}", lock_path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            bail!("another process holds {}", lock_path.display())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("could not lock {}", lock_path.display()))
        }
    }
}

async fn check_version(connection: &mut SqliteConnection) -> anyhow::Result<()> {
    let version: String = sqlx::query_scalar("select sqlite_version()")
        .fetch_one(connection)
        .await?;
    let parts: Vec<u32> = version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect();
    ensure!(
        parts.as_slice() >= OLDEST_VERSION.as_slice(),
        "SQLite {version} may corrupt a shared write-ahead log; 3.51.3 or newer is needed"
    );
    Ok(())
}

impl Store for SqliteStore {
    fn acquire<'a>(&'a self, stream: &'a StreamId) -> Answer<'a, Head> {
        Box::pin(self.with_writer(async |writer| {
            // In a transaction of its own: a statement that returns rows hides whether it could
            // be committed.
            let failed = unavailable("could not take the stream");
            let mut transaction = writer
                .begin_with("begin immediate")
                .await
                .map_err(&failed)?;
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
        }))
    }

    fn commit<'a>(&'a self, batch: &'a [Append]) -> Answer<'a, Vec<Result<(), Rejected>>> {
        Box::pin(self.with_writer(async |writer| commit(writer, &self.owner, batch).await))
    }

    fn streams(&self) -> Answer<'_, Vec<StreamId>> {
        Box::pin(async move {
            let ids: Vec<String> = sqlx::query_scalar("select stream from heads order by stream")
                .fetch_all(&self.readers)
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
                .fetch_all(&self.readers)
                .await
                .map_err(unavailable("could not read the journal"))?;
            Ok(rows.into_iter().map(recorded).collect())
        })
    }

    fn latest_snapshot<'a>(&'a self, stream: &'a StreamId) -> Answer<'a, Option<(u64, String)>> {
        Box::pin(async move {
            let row = sqlx::query_as("select seq, body from snapshots where stream = $1")
                .bind(stream.as_str())
                .fetch_optional(&self.readers)
                .await
                .map_err(unavailable("could not read the snapshot"))?;
            Ok(row.map(|(seq, body)| (number(seq), body)))
        })
    }

    fn keep_snapshot<'a>(&'a self, stream: &'a StreamId, seq: u64, body: String) -> Answer<'a, ()> {
        Box::pin(self.with_writer(async move |writer| {
            sqlx::query(include_str!("queries/keep_snapshot.sql"))
                .bind(stream.as_str())
                .bind(signed(seq))
                .bind(body)
                .execute(writer)
                .await
                .map_err(unavailable("could not keep the snapshot"))?;
            Ok(())
        }))
    }
}

/// A batch is written whole, as if all of it may pass: one statement, which is one exchange with the
/// database's thread and its own transaction. Every further exchange would cost two changes of
/// context, as much as the work itself. Only when a head does not stand where it should, or a key
/// was used before, nothing is written and the batch is settled one by one.
async fn commit(
    writer: &mut SqliteConnection,
    owner: &str,
    batch: &[Append],
) -> Result<Vec<Result<(), Rejected>>, PortError> {
    match commit_whole(writer, owner, batch).await? {
        Some(results) => Ok(results),
        None => commit_what_may_pass(writer, owner, batch).await,
    }
}

/// The batch as if all of it may pass, or nothing if the database says otherwise.
async fn commit_whole(
    writer: &mut SqliteConnection,
    owner: &str,
    batch: &[Append],
) -> Result<Option<Vec<Result<(), Rejected>>>, PortError> {
    let plan = Plan::of(batch, &[]);
    let streams = plan.steps().iter().map(|s| s.stream.to_owned()).collect();
    let steps = plan.steps().to_vec();
    let results = plan.settle(&streams);
    if results.iter().any(Result::is_err) {
        // What cannot be appended may still be a repeat: an append without events asks just that.
        return Ok(None);
    }
    match write_batch(writer, owner, &steps, &Rows::of(batch, &results)?).await? {
        Ok(()) => Ok(Some(results)),
        Err(error) if says_no(&error) => Ok(None),
        Err(error) => Err(not_written(error)),
    }
}

/// Those of the batch whose heads stand and whose keys are new.
///
/// The look-ups and the write need not be one statement to be safe: `begin immediate` takes the
/// file's only write lock before anything is read, so that no other writer's epoch or sequence
/// number can come between the fence and the commit.
async fn commit_what_may_pass(
    writer: &mut SqliteConnection,
    owner: &str,
    batch: &[Append],
) -> Result<Vec<Result<(), Rejected>>, PortError> {
    sqlx::query("begin immediate")
        .execute(&mut *writer)
        .await
        .map_err(unavailable("could not begin"))?;
    let used = used_keys(writer, batch).await?;
    let plan = Plan::of(batch, &used);
    let standing = standing_heads(writer, owner, &plan).await?;
    let steps = plan.steps_of(&standing);
    let results = plan.settle(&standing);
    write_batch(writer, owner, &steps, &Rows::of(batch, &results)?)
        .await?
        .map_err(unavailable("could not write"))?;
    sqlx::query("commit")
        .execute(writer)
        .await
        .map_err(|error| PortError::Unknown(error.to_string()))?;
    Ok(results)
}

/// See `batches.sql`.
async fn write_batch(
    writer: &mut SqliteConnection,
    owner: &str,
    steps: &[Step<'_>],
    rows: &Rows<'_>,
) -> Result<Result<(), sqlx::Error>, PortError> {
    let statement = match (steps, rows.lone()) {
        ([step], Some(lone)) => lone_append(owner, step, &lone)?,
        _ => whole_batch(owner, steps, rows)?,
    };
    Ok(carry_out(statement, writer).await.map(drop))
}

fn whole_batch(
    owner: &str,
    steps: &[Step<'_>],
    rows: &Rows<'_>,
) -> Result<SqliteStatement, PortError> {
    let tickets = json(&rows.tickets)?;
    let crossing = if rows.may_cross { &tickets } else { "[]" };
    Ok(
        sqlx::query("insert into batches values (?, ?, ?, ?, ?, ?, ?)")
            .bind(json(&steps)?)
            .bind(owner)
            .bind(json(&rows.events)?)
            .bind(json(&rows.keys)?)
            .bind(crossing)
            .bind(tickets)
            .bind(json(&rows.items)?),
    )
}

fn lone_append(
    owner: &str,
    step: &Step<'_>,
    lone: &Lone<'_>,
) -> Result<SqliteStatement, PortError> {
    let Lone { event, key, ticket } = lone;
    Ok(sqlx::query(include_str!("queries/sqlite/lone_append.sql"))
        .bind(owner)
        .bind(step.epoch)
        .bind(signed(step.before))
        .bind(signed(event.seq))
        .bind(event.at)
        .bind(event.kind)
        .bind(event.by)
        .bind(event.body)
        .bind(key.map(|key| key.key))
        .bind(key.map(|key| key.fingerprint))
        .bind(ticket.hall)
        .bind(signed(ticket.id))
        .bind(&ticket.day)
        .bind(&ticket.issued_day)
        .bind(ticket.number)
        .bind(ticket.round)
        .bind(ticket.service)
        .bind(ticket.state)
        .bind(ticket.window)
        .bind(ticket.clerk)
        .bind(word(&ticket.channel)?)
        .bind(ticket.class.as_ref().map(word).transpose()?)
        .bind(ticket.green)
        .bind(&ticket.tags)
        .bind(ticket.holder_kind.as_ref().map(word).transpose()?)
        .bind(ticket.name_masked.as_deref())
        .bind(ticket.id_masked.as_deref())
        .bind(ticket.phone_masked.as_deref())
        .bind(ticket.person.as_deref())
        .bind(ticket.appointment.as_deref())
        .bind(ticket.issued_at)
        .bind(ticket.first_called_at)
        .bind(ticket.started_at)
        .bind(ticket.ended_at)
        .bind(ticket.calls)
        .bind(ticket.requeues)
        .bind(ticket.wait_secs.map(signed))
        .bind(ticket.service_secs.map(signed))
        .bind(ticket.stars)
        .bind(ticket.rated_at)
        .bind(&ticket.body))
}

/// Carries out a statement that returns no rows, and tells of it as soon as it is done. `execute` also
/// waits until the database's thread has put the statement away: for a lone command that is up to two
/// more changes of context.
pub(super) async fn carry_out(
    statement: SqliteStatement,
    connection: &mut SqliteConnection,
) -> Result<SqliteQueryResult, sqlx::Error> {
    let mut results = connection.fetch_many(statement);
    while let Some(result) = results.try_next().await? {
        if let Either::Left(done) = result {
            return Ok(done);
        }
    }
    Ok(SqliteQueryResult::default())
}

/// Whether the database wrote nothing because of what stands there: a head, or a used key.
fn says_no(error: &sqlx::Error) -> bool {
    /// `SQLITE_CONSTRAINT_TRIGGER`, of `raise` in `batches.sql`.
    const FENCED: &str = "1811";
    match error {
        sqlx::Error::Database(error) => {
            error.is_unique_violation() || error.code().is_some_and(|code| code == FENCED)
        }
        _ => false,
    }
}

/// What an error of a statement that commits itself means: refused by the database it has written
/// nothing; after a failed write or sync nobody knows what of it the disk holds.
fn not_written(error: sqlx::Error) -> PortError {
    /// The lowest byte of every code of an I/O error.
    const IO_ERROR: u32 = 10;
    let code = error.as_database_error().and_then(|error| error.code());
    match code.and_then(|code| code.parse::<u32>().ok()) {
        Some(code) if code & 0xff != IO_ERROR => unavailable("could not write")(error),
        _ => PortError::Unknown(error.to_string()),
    }
}

async fn used_keys(
    writer: &mut SqliteConnection,
    batch: &[Append],
) -> Result<Vec<Used>, PortError> {
    let rows: Vec<KeyFields> = sqlx::query_as(include_str!("queries/sqlite/used_keys.sql"))
        .bind(json(&key_questions(batch))?)
        .fetch_all(writer)
        .await
        .map_err(unavailable("could not look up the keys"))?;
    Ok(rows.into_iter().map(used).collect())
}

async fn standing_heads(
    writer: &mut SqliteConnection,
    owner: &str,
    plan: &Plan<'_>,
) -> Result<HashSet<String>, PortError> {
    let standing: Vec<String> =
        sqlx::query_scalar(include_str!("queries/sqlite/standing_heads.sql"))
            .bind(json(&plan.steps())?)
            .bind(owner)
            .fetch_all(writer)
            .await
            .map_err(unavailable("could not read the heads"))?;
    Ok(standing.into_iter().collect())
}
