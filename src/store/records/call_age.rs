//! Calls that grow old: they leave the history in small pieces and stay as counts by the hour.

use rules::time::Timestamp;

use super::db::Fields;
use super::{Records, StoreError};

/// Calls that leave at a time, so that nobody waits long for the database meanwhile.
const PIECE: u64 = 2_000;

impl Records {
    /// The place of the call told last; 0 if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn last_call(&self) -> Result<u64, StoreError> {
        let row = self
            .db
            .row(sqlx::query("select max(place) as last from calls"));
        let row = row.await?;
        let last = row.map_or(Ok(None), |row| Fields(&row).int_if_any("last"))?;
        Ok(last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0))
    }

    /// Counts a piece of the calls by the hour that were told before an instant, and takes them out of the
    /// history: both, or neither. None after place `up_to` goes. How many went.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn roll_up_calls_told(
        &self,
        before: Timestamp,
        up_to: u64,
    ) -> Result<u64, StoreError> {
        const LAST: &str = "select max(place) as last from \
             (select place, told_at from calls where place <= $1 order by place limit $2) as piece \
             where told_at < $3";
        let statement = sqlx::query(LAST)
            .bind(signed(up_to))
            .bind(signed(PIECE))
            .bind(before.millis());
        let row = self.db.row(statement).await?;
        match row.map_or(Ok(None), |row| Fields(&row).int_if_any("last"))? {
            Some(last) => self.roll_up(last).await,
            None => Ok(0),
        }
    }

    /// The same for calls beyond the `keep` that were told last.
    ///
    /// # Errors
    /// See [`Self::roll_up_calls_told`].
    pub async fn roll_up_calls_beyond(&self, keep: u64, up_to: u64) -> Result<u64, StoreError> {
        // Each bound asked for by itself is found at an end of the index.
        const BOUNDS: &str = "select (select min(place) from calls) as first, \
             (select max(place) from calls) as last";
        let row = self.db.row(sqlx::query(BOUNDS)).await?;
        let bounds = row.map_or(Ok(None), |row| {
            let row = Fields(&row);
            Ok::<_, StoreError>(row.int_if_any("first")?.zip(row.int_if_any("last")?))
        })?;
        // Places have gaps, so there are as many calls at most; counting them takes longer.
        let at_most = |(first, last): (i64, i64)| u64::try_from(last - first + 1).unwrap_or(0);
        if bounds.map_or(0, at_most) <= keep {
            return Ok(0);
        }
        let row = self.db.row(sqlx::query("select count(*) as n from calls"));
        let count = row.await?.map_or(Ok(0), |row| Fields(&row).count("n"))?;
        let excess = count.saturating_sub(keep).min(PIECE);
        if excess == 0 {
            return Ok(0);
        }
        const LAST: &str = "select max(place) as last from \
             (select place from calls where place <= $1 order by place limit $2) as piece";
        let statement = sqlx::query(LAST).bind(signed(up_to)).bind(signed(excess));
        let row = self.db.row(statement).await?;
        match row.map_or(Ok(None), |row| Fields(&row).int_if_any("last"))? {
            Some(last) => self.roll_up(last).await,
            None => Ok(0),
        }
    }

    async fn roll_up(&self, last: i64) -> Result<u64, StoreError> {
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
