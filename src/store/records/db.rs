//! The connections of the records, and how a row becomes values.

use std::path::Path;
use std::sync::{Arc, Once};
use std::time::Duration;

use anyhow::Context as _;
use rules::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::pool::{Pool, PoolOptions};
use sqlx::{
    Any, AnyConnection, AnyPool, Connection as _, Database, Executor as _, Row as _,
    SqliteConnection, SqlitePool, query::Query,
};

use super::StoreError;
use crate::store::sqlite::{
    BUSY_TIMEOUT, CACHE_SIZE, CHECKPOINT_PAGES, SqliteStatement, Turn, carry_out,
};

/// Connections at most; more would only compete with the journal's.
const CONNECTIONS: u32 = 6;

/// How long a request waits for a connection before it is told that the database is away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) type Statement<'q> = Query<'q, Any, AnyArguments>;

#[derive(Clone)]
pub(super) struct Db {
    pool: AnyPool,
    /// Where changes are made, but for those in bulk. With SQLite this is one connection: whenever
    /// another one writes, a connection forgets the pages it knows.
    writer: AnyPool,
    /// SQLite only: where very many rows are written. On the way that both databases share, each text
    /// of a row is copied twice on this side of the database's thread.
    bulk: Option<SqlitePool>,
    /// SQLite only: the turn to write, shared with the journal.
    turn: Option<Arc<Turn>>,
}

impl Db {
    pub(super) async fn sqlite(path: &Path, turn: Option<Arc<Turn>>) -> anyhow::Result<Self> {
        let prepare = format!(
            "pragma busy_timeout = {}; pragma synchronous = full; pragma foreign_keys = on; \
             pragma wal_autocheckpoint = {CHECKPOINT_PAGES};",
            BUSY_TIMEOUT.as_millis()
        );
        let url = file_url(path)?;
        let writing = format!("{prepare} pragma cache_size = {CACHE_SIZE};");
        Ok(Self {
            pool: connect(sqlite_pool(CONNECTIONS, prepare), &url).await?,
            writer: connect(sqlite_pool(1, writing.clone()), &url).await?,
            bulk: Some(connect(sqlite_pool(1, writing), &url).await?),
            turn,
        })
    }

    pub(super) async fn postgres(url: &str) -> anyhow::Result<Self> {
        let options = pool_options::<Any>().after_connect(|connection, _| {
            Box::pin(async move {
                let prepare = "set statement_timeout = '60s'";
                connection.execute(prepare).await.map(drop)
            })
        });
        let pool = connect(options, url).await?;
        Ok(Self {
            writer: pool.clone(),
            pool,
            bulk: None,
            turn: None,
        })
    }

    /// Number of rows changed.
    pub(super) async fn write(&self, statement: Statement<'_>) -> Result<u64, StoreError> {
        let _turn = self.turn().await;
        let done = statement.execute(&self.writer).await;
        Ok(done.map_err(broken)?.rows_affected())
    }

    /// Writes, and reads what the statement says of it.
    pub(super) async fn write_and_read<T>(
        &self,
        statement: Statement<'_>,
        read: impl Fn(&Fields<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let _turn = self.turn().await;
        fetch(statement, &self.writer, read).await
    }

    /// Makes several changes, all or none; the number of rows that each changed.
    pub(super) async fn write_together(
        &self,
        statements: Vec<Statement<'_>>,
    ) -> Result<Vec<u64>, StoreError> {
        let _turn = self.turn().await;
        transaction(&self.writer, async |connection: &mut AnyConnection| {
            let mut changed = Vec::with_capacity(statements.len());
            for statement in statements {
                let done = statement.execute(&mut *connection).await;
                changed.push(done.map_err(broken)?.rows_affected());
            }
            Ok(changed)
        })
        .await
    }

    /// Adds very many rows to SQLite, all or none: how many they are, and the number of the last one.
    pub(super) async fn add_in_bulk(
        &self,
        statements: Vec<SqliteStatement>,
    ) -> Result<(u64, i64), StoreError> {
        let _turn = self.turn().await;
        let pool = self.bulk.as_ref();
        let pool = pool.ok_or_else(|| StoreError::Unavailable("not SQLite".to_owned()))?;
        transaction(pool, async |connection: &mut SqliteConnection| {
            let (mut added, mut last) = (0, 0);
            for statement in statements {
                let done = carry_out(statement, connection).await;
                let done = done.map_err(broken)?;
                added += done.rows_affected();
                last = done.last_insert_rowid();
            }
            Ok((added, last))
        })
        .await
    }

    /// Like [`Self::write`], where another row may have the same name.
    pub(super) async fn insert(
        &self,
        statement: Statement<'_>,
        what: &'static str,
    ) -> Result<(), StoreError> {
        let _turn = self.turn().await;
        match statement.execute(&self.writer).await {
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                Err(StoreError::Taken { what })
            }
            Err(error) => Err(broken(error)),
        }
    }

    pub(super) async fn row(&self, statement: Statement<'_>) -> Result<Option<AnyRow>, StoreError> {
        statement.fetch_optional(&self.pool).await.map_err(broken)
    }

    pub(super) async fn rows<T>(
        &self,
        statement: Statement<'_>,
        read: impl Fn(&Fields<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        fetch(statement, &self.pool, read).await
    }

    pub(super) const fn is_sqlite(&self) -> bool {
        self.bulk.is_some()
    }

    /// Lets SQLite renew the statistics its query planner goes by; PostgreSQL does so by itself.
    pub(super) async fn tidy(&self) -> Result<(), StoreError> {
        if self.is_sqlite() {
            self.write(sqlx::query("pragma optimize")).await?;
        }
        Ok(())
    }

    async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match &self.turn {
            Some(turn) => Some(turn.take().await),
            None => None,
        }
    }
}

/// Does something whole or not at all.
///
/// A connection on which it failed is closed. After an error of the disk SQLite has rolled back by
/// itself, and the pool, which does not know, would go on counting its transactions from there: the
/// next one that fails stays open, and with it the file's only write lock.
async fn transaction<D: Database, T>(
    pool: &Pool<D>,
    work: impl AsyncFnOnce(&mut D::Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut connection = pool.acquire().await.map_err(broken)?;
    let done = whole::<D, T>(&mut connection, work).await;
    if done.is_err() {
        // Its own error adds nothing to the one at hand.
        let _ = connection.close().await;
    }
    done
}

async fn whole<D: Database, T>(
    connection: &mut D::Connection,
    work: impl AsyncFnOnce(&mut D::Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut transaction = connection.begin().await.map_err(broken)?;
    let done = work(&mut transaction).await?;
    transaction.commit().await.map_err(broken)?;
    Ok(done)
}

async fn fetch<T>(
    statement: Statement<'_>,
    pool: &AnyPool,
    read: impl Fn(&Fields<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let rows = statement.fetch_all(pool).await.map_err(broken)?;
    rows.iter().map(|row| read(&Fields(row))).collect()
}

fn pool_options<D: Database>() -> PoolOptions<D> {
    static DRIVERS: Once = Once::new();
    DRIVERS.call_once(sqlx::any::install_default_drivers);
    PoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
}

/// Connections to SQLite, `most` of them, each of which is told this before its first use.
fn sqlite_pool<D: Database>(most: u32, prepare: String) -> PoolOptions<D>
where
    for<'c> &'c mut D::Connection: sqlx::Executor<'c, Database = D>,
{
    let options = pool_options::<D>().max_connections(most);
    options.after_connect(move |connection, _| {
        let prepare = sqlx::AssertSqlSafe(prepare.clone());
        Box::pin(async move { connection.execute(prepare).await.map(drop) })
    })
}

async fn connect<D: Database>(options: PoolOptions<D>, url: &str) -> anyhow::Result<Pool<D>> {
    let pool = options.connect(url).await;
    pool.context("could not connect to the records")
}

/// The path as an address, with the few characters escaped that would end it.
fn file_url(path: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(path)?;
    let text = path.to_str().context("the path is not valid UTF-8")?;
    let escaped = text
        .replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23");
    Ok(format!("sqlite://{escaped}?mode=rw"))
}

fn broken(error: sqlx::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

fn corrupt(error: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

/// JSON of a list of texts; it cannot fail.
pub(super) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(corrupt)
}

/// A row's values by name.
pub(super) struct Fields<'r>(pub(super) &'r AnyRow);

impl Fields<'_> {
    pub(super) fn text(&self, name: &str) -> Result<String, StoreError> {
        self.0.try_get(name).map_err(corrupt)
    }

    pub(super) fn text_if_any(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.0.try_get(name).map_err(corrupt)
    }

    pub(super) fn int(&self, name: &str) -> Result<i64, StoreError> {
        self.0.try_get(name).map_err(corrupt)
    }

    pub(super) fn int_if_any(&self, name: &str) -> Result<Option<i64>, StoreError> {
        self.0.try_get(name).map_err(corrupt)
    }

    pub(super) fn count(&self, name: &str) -> Result<u64, StoreError> {
        u64::try_from(self.int(name)?).map_err(corrupt)
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.int(name)? != 0)
    }

    pub(super) fn time(&self, name: &str) -> Result<Timestamp, StoreError> {
        self.int(name).map(Timestamp::from_millis)
    }

    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(name)?).map_err(corrupt)
    }

    pub(super) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        name: &str,
    ) -> Result<T, StoreError> {
        self.text(name)?.parse().map_err(corrupt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn set(db: &Db, settings: &[(&str, &str)]) -> Result<Vec<u64>, StoreError> {
        let statement = |(key, value): &(&str, &str)| {
            let set = "insert into settings (key, value) values ($1, $2)";
            sqlx::query(set)
                .bind(key.to_string())
                .bind(value.to_string())
        };
        db.write_together(settings.iter().map(statement).collect())
            .await
    }

    /// The database rolls back by itself when it is full, and not when a row is refused.
    #[tokio::test]
    async fn what_is_written_after_a_failure_of_each_kind_is_kept() {
        let name = format!("hallkeeper-records-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let stores = crate::store::open("sqlite", &folder).await;
        drop(stores.expect("a store"));
        let file = folder.join("hallkeeper.db");
        let db = Db::sqlite(&file, None).await.expect("connections");
        let full = db.write(sqlx::query("pragma max_page_count = 1")).await;
        full.expect("a file that may not grow");
        let large = "x".repeat(1 << 20);
        let failed = [
            set(&db, &[("a", ""), ("b", &large)]).await,
            set(&db, &[("c", ""), ("c", "")]).await,
        ];
        assert!(failed.iter().all(Result::is_err), "{failed:?}");
        assert_eq!(set(&db, &[("d", "")]).await, Ok(vec![1]));
        // As another connection sees it.
        let keys = sqlx::query("select key from settings where length(key) = 1");
        let seen = db.rows(keys, |row| row.text("key")).await;
        assert_eq!(seen, Ok(vec!["d".to_owned()]));
        drop(db);
        let _ = std::fs::remove_dir_all(&folder);
    }
}
