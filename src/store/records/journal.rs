//! The journal as a record of the past, for whoever reads it beside a running server.

use actors::ports::StreamId;
use rules::machine::Recorded;
use rules::time::Timestamp;

use super::db::Fields;
use super::{Records, StoreError};

impl Records {
    /// All streams of the journal that hold events, in order of id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn streams(&self) -> Result<Vec<StreamId>, StoreError> {
        let statement = sqlx::query("select distinct stream from events order by stream");
        let stream = |row: &Fields<'_>| Ok(StreamId::stored(row.text("stream")?));
        self.db.rows(statement, stream).await
    }

    /// Events of a stream after `seq`, oldest first, at most `limit`; each as JSON.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn events_after(
        &self,
        stream: &StreamId,
        seq: u64,
        limit: u32,
    ) -> Result<Vec<Recorded<String>>, StoreError> {
        let statement = sqlx::query(include_str!("../queries/read_after.sql"))
            .bind(stream.as_str().to_owned())
            .bind(i64::try_from(seq).unwrap_or(i64::MAX))
            .bind(i64::from(limit));
        let event = |row: &Fields<'_>| {
            Ok(Recorded {
                seq: row.count("seq")?,
                at: row.time("at")?,
                by: row.text("by")?,
                event: row.text("body")?,
            })
        };
        self.db.rows(statement, event).await
    }

    /// When a stream's last event happened.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn last_event_at(&self, stream: &StreamId) -> Result<Option<Timestamp>, StoreError> {
        let statement =
            sqlx::query("select at from events where stream = $1 order by seq desc limit 1")
                .bind(stream.as_str().to_owned());
        let row = self.db.row(statement).await?;
        row.map(|row| Fields(&row).time("at")).transpose()
    }
}
