//! Who is signed in. Only a hash of the token is kept.

use rules::time::Timestamp;

use super::db::Fields;
use super::{Records, StoreError};

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    pub token_hash: String,
    pub username: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Records {
    /// All sessions, run out or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn sessions(&self) -> Result<Vec<SessionRow>, StoreError> {
        let statement = sqlx::query("select * from sessions order by created_at, token_hash");
        self.db.rows(statement, session).await
    }

    /// Adds a session of an account that exists.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if the token exists; [`StoreError::Unavailable`].
    pub async fn insert_session(&self, session: &SessionRow) -> Result<(), StoreError> {
        let statement = sqlx::query(include_str!("../queries/insert_session.sql"))
            .bind(&session.token_hash)
            .bind(&session.username)
            .bind(session.created_at.millis())
            .bind(session.expires_at.millis());
        self.db.insert(statement, "session").await
    }

    /// Ends a session; `false` if there was none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_session(&self, token_hash: &str) -> Result<bool, StoreError> {
        let statement = sqlx::query("delete from sessions where token_hash = $1").bind(token_hash);
        Ok(self.db.write(statement).await? > 0)
    }

    /// Ends all sessions of an account and says how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_sessions_of(&self, username: &str) -> Result<u64, StoreError> {
        let statement = sqlx::query("delete from sessions where username = $1").bind(username);
        self.db.write(statement).await
    }
}

fn session(row: &Fields<'_>) -> Result<SessionRow, StoreError> {
    Ok(SessionRow {
        token_hash: row.text("token_hash")?,
        username: row.text("username")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
    })
}
