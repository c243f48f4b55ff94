//! Where everything is kept: the journal with its projections, and the records beside it.
//!
//! [`SqliteStore`] and [`PostgresStore`] are siblings of like shape behind the port
//! `actors::ports::Store`; [`Records`] is one piece of code for both, because nothing in it is hot.
//! Migrations of both dialects carry the same numbers and names and run when a store is opened.
//!
//! Deliberately absent: a cache, a clock and a retry. Whoever calls knows whether to try again.

mod batch;
mod postgres;
pub mod records;
mod rows;
mod sqlite;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};

pub use postgres::PostgresStore;
pub use records::Records;
pub use sqlite::SqliteStore;

/// The journal and the records of one database.
#[derive(Clone)]
pub struct Stores {
    pub journal: Arc<dyn actors::ports::Store>,
    pub records: Records,
}

/// Opens the database that `url` names and brings its schema up to date.
///
/// `sqlite` alone is the file `hallkeeper.db` in `data_dir`; `sqlite:NAME` is another file, taken
/// from `data_dir` unless the path is absolute; `postgres://…` is a server.
///
/// # Errors
/// The database cannot be reached, is held by another process, or is of a version not supported.
pub async fn open(url: &str, data_dir: &Path) -> anyhow::Result<Stores> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let store = PostgresStore::open(url)
            .await
            .context("could not open the PostgreSQL database")?;
        let records = Records::postgres(url).await?;
        return Ok(Stores {
            journal: Arc::new(store),
            records,
        });
    }
    let Some(path) = sqlite_path(url, data_dir) else {
        bail!("the database's address must begin with sqlite: or postgres://");
    };
    let store = SqliteStore::open(&path)
        .await
        .with_context(|| format!("could not open the SQLite database {}", path.display()))?;
    let records = Records::sqlite(&path, Some(store.turn())).await?;
    Ok(Stores {
        journal: Arc::new(store),
        records,
    })
}

/// Opens the records of a database to read them, also while a server has it open. The schema must be
/// up to date; nothing may be written.
///
/// # Errors
/// The database cannot be reached.
pub async fn open_to_read(url: &str, data_dir: &Path) -> anyhow::Result<Records> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Records::postgres(url).await;
    }
    let Some(path) = sqlite_path(url, data_dir) else {
        bail!("the database's address must begin with sqlite: or postgres://");
    };
    if !path.exists() {
        bail!("there is no database at {}", path.display());
    }
    Records::sqlite(&path, None).await
}

fn sqlite_path(url: &str, data_dir: &Path) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite")?;
    let name = match rest.strip_prefix(':') {
        None if rest.is_empty() => "",
        None => return None,
        Some(name) => name.strip_prefix("//").unwrap_or(name),
    };
    let name = if name.is_empty() {
        "hallkeeper.db"
    } else {
        name
    };
    (name != ":memory:").then(|| data_dir.join(name))
}

/// A name for this process as owner of halls, drawn afresh each time.
fn fresh_owner() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow!("could not draw a name for this process: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_path_is_the_file_in_the_data_folder() {
        let data = Path::new("/data");
        let path = |url| sqlite_path(url, data);
        assert_eq!(path("sqlite"), Some("/data/hallkeeper.db".into()));
        assert_eq!(path("sqlite:"), Some("/data/hallkeeper.db".into()));
        assert_eq!(path("sqlite:city.db"), Some("/data/city.db".into()));
        assert_eq!(path("sqlite:///srv/city.db"), Some("/srv/city.db".into()));
        assert_eq!(path("sqlite::memory:"), None);
        assert_eq!(path("mysql://x"), None);
    }
}
