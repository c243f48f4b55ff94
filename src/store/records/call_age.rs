//! Calls that grow old: they leave the history in small pieces and stay as counts by the hour.

use rules::time::Timestamp;

use super::db::{Fields, Statement};
use super::{Records, StoreError};

/// Calls that leave at a time, so that nobody waits long for the database meanwhile.
const PIECE: u64 = 2_000;

impl Records {
    /// The place of the call told last; 0 if there is none.
    ///
    /// # Errors
    /// See [`Self::calls_told_before`].
    pub async fn last_call(&self) -> Result<u64, StoreError> {
        let last = self.place(sqlx::query("select max(place) as last from calls"));
        Ok(last.await?.unwrap_or(0))
    }

    /// The last of a piece of the calls that were told before an instant; none if there are none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn calls_told_before(&self, before: Timestamp) -> Result<Option<u64>, StoreError> {
        const LAST: &str = "select max(place) as last from \
             (select place, told_at from calls order by place limit $1) as piece \
             where told_at < $2";
        let statement = sqlx::query(LAST).bind(signed(PIECE)).bind(before.millis());
        self.place(statement).await
    }

    /// The last of a piece of the calls beyond the `keep` that were told last; none if there are none.
    ///
    /// # Errors
    /// See [`Self::calls_told_before`].
    pub async fn calls_beyond(&self, keep: u64) -> Result<Option<u64>, StoreError> {
        // Each bound asked for by itself is found at an end of the index.
        const AT_MOST: &str = "select (select max(place) from calls) \
             - (select min(place) from calls) + 1 as last";
        const LAST: &str = "select max(place) as last from \
             (select place from calls order by place limit $1) as piece";
        // Places have gaps, so there are as many calls at most; counting them takes longer.
        if self.place(sqlx::query(AT_MOST)).await?.unwrap_or(0) <= keep {
            return Ok(None);
        }
        let count = self.place(sqlx::query("select count(*) as last from calls"));
        let excess = count.await?.unwrap_or(0).saturating_sub(keep);
        match excess.min(PIECE) {
            0 => Ok(None),
            piece => self.place(sqlx::query(LAST).bind(signed(piece))).await,
        }
    }

    async fn place(&self, statement: Statement<'_>) -> Result<Option<u64>, StoreError> {
        let row = self.db.row(statement).await?;
        let last = row.map_or(Ok(None), |row| Fields(&row).int_if_any("last"))?;
        Ok(last.and_then(|last| u64::try_from(last).ok()))
    }

    /// Counts the calls up to a place by the hour and takes them out of the history: both, or neither.
    /// How many went.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn roll_up_calls(&self, last: u64) -> Result<u64, StoreError> {
        let last = signed(last);
        let count = sqlx::query(include_str!("../queries/roll_up_calls.sql")).bind(last);
        let remove = sqlx::query("delete from calls where place <= $1").bind(last);
        let changed = self.db.write_together(vec![count, remove]).await?;
        Ok(changed.last().copied().unwrap_or(0))
    }

    /// Forgets a piece of the hours of calls before an instant; how many went.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_call_hours(&self, before: Timestamp) -> Result<u64, StoreError> {
        const SOME: &str = "delete from call_hours where at = \
             (select min(at) from call_hours) and at < $1";
        let some = sqlx::query(SOME).bind(before.millis());
        self.db.write(some).await
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
