//! Answers to repeated requests that change no hall: those of the journal have their own keys.
//!
//! A request claims its key, does its work and stores its answer. A repeat finds the answer, or
//! that the first is still under way.

use rules::time::Timestamp;

use super::db::Fields;
use super::{Records, StoreError};

/// What a request finds under its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is the first: do the work, then store the answer.
    New,
    /// The first is still under way.
    UnderWay,
    /// The first one's answer.
    Done { status: u16, body: String },
    /// The key belongs to another request.
    OtherRequest,
}

/// A claim without an answer after this time was left by a process that died.
const ABANDONED_AFTER_SECS: u64 = 60;

impl Records {
    /// Claims a key for a request.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn claim_http_key(
        &self,
        scope: &str,
        key: &str,
        fingerprint: &str,
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        let statement = sqlx::query(include_str!("../queries/claim_http_key.sql"))
            .bind(scope)
            .bind(key)
            .bind(fingerprint)
            .bind(now.millis())
            .bind(now.minus_secs(ABANDONED_AFTER_SECS).millis());
        if self.db.write(statement).await? > 0 {
            return Ok(Claim::New);
        }
        let statement = sqlx::query("select * from http_keys where scope = $1 and key = $2")
            .bind(scope)
            .bind(key);
        match self.db.row(statement).await? {
            Some(row) => claimed(&Fields(&row), fingerprint),
            None => Ok(Claim::UnderWay),
        }
    }

    /// Stores the answer to a claimed request.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn store_http_answer(
        &self,
        scope: &str,
        key: &str,
        status: u16,
        body: &str,
    ) -> Result<(), StoreError> {
        let statement = sqlx::query(include_str!("../queries/store_http_answer.sql"))
            .bind(scope)
            .bind(key)
            .bind(i64::from(status))
            .bind(body);
        self.db.write(statement).await.map(drop)
    }

    /// Gives a claimed key back: nothing was done.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn release_http_key(&self, scope: &str, key: &str) -> Result<(), StoreError> {
        let statement = sqlx::query(include_str!("../queries/release_http_key.sql"))
            .bind(scope)
            .bind(key);
        self.db.write(statement).await.map(drop)
    }
}

fn claimed(row: &Fields<'_>, fingerprint: &str) -> Result<Claim, StoreError> {
    if row.text("fingerprint")? != fingerprint {
        return Ok(Claim::OtherRequest);
    }
    let (Some(status), Some(body)) = (row.int_if_any("status")?, row.text_if_any("body")?) else {
        return Ok(Claim::UnderWay);
    };
    let status =
        u16::try_from(status).map_err(|_| StoreError::Corrupt(format!("the status {status}")))?;
    Ok(Claim::Done { status, body })
}
