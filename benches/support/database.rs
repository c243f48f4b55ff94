//! A PostgreSQL database for one run.

use anyhow::{Context, Result, bail};
use std::process::Command;

/// A PostgreSQL database of this run alone, dropped with it. `psql` does both: a driver would be a
/// dependency for two statements.
pub(crate) struct OwnDatabase {
    server: String,
    name: String,
    pub(crate) url: String,
}

impl OwnDatabase {
    pub(crate) fn create(server: &str) -> Result<Self> {
        let name = format!("hallkeeper_bench_{}", std::process::id());
        psql(server, &format!("create database {name}"))?;
        Ok(Self {
            server: server.to_owned(),
            url: with_database(server, &name)?,
            name,
        })
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        // A database left behind is a nuisance, not a failed measurement.
        let _ = psql(
            &self.server,
            &format!("drop database {} with (force)", self.name),
        );
    }
}

/// `postgres://user@host/old?x=y` with another database.
fn with_database(url: &str, name: &str) -> Result<String> {
    let (base, parameters) = url
        .split_once('?')
        .map_or((url, ""), |(base, parameters)| (base, parameters));
    let (scheme, rest) = base.split_once("://").context("not a PostgreSQL URL")?;
    let host = rest.split('/').next().unwrap_or_default();
    let mark = if parameters.is_empty() { "" } else { "?" };
    Ok(format!("{scheme}://{host}/{name}{mark}{parameters}"))
}

fn psql(url: &str, statement: &str) -> Result<()> {
    let output = Command::new("psql")
        .args([url, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement])
        .output();
    let output = output.context("running psql, which makes the database")?;
    if !output.status.success() {
        bail!(
            "psql: {statement}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
