//! LED strips on a wire, as their managers set them up.

use super::db::Fields;
use super::{Records, StoreError};

/// A strip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripRow {
    pub hall: String,
    pub id: String,
    pub window: String,
    pub protocol: String,
    /// `host:port`
    pub address: String,
    pub size: String,
    pub two_colours: bool,
    pub zone: u8,
    pub english: bool,
}

impl Records {
    /// All strips, by hall and id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn strips(&self) -> Result<Vec<StripRow>, StoreError> {
        let statement = sqlx::query("select * from strips order by hall, id");
        self.db.rows(statement, strip).await
    }

    /// Adds a strip, or replaces the one of this name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put_strip(&self, strip: &StripRow) -> Result<(), StoreError> {
        let statement = sqlx::query(include_str!("../queries/put_strip.sql"))
            .bind(&strip.hall)
            .bind(&strip.id)
            .bind(&strip.window)
            .bind(&strip.protocol)
            .bind(&strip.address)
            .bind(&strip.size)
            .bind(i64::from(strip.two_colours))
            .bind(i64::from(strip.zone))
            .bind(i64::from(strip.english));
        self.db.write(statement).await.map(drop)
    }

    /// Removes a strip; `false` if there was none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_strip(&self, hall: &str, id: &str) -> Result<bool, StoreError> {
        let statement = sqlx::query("delete from strips where hall = $1 and id = $2")
            .bind(hall)
            .bind(id);
        Ok(self.db.write(statement).await? > 0)
    }
}

fn strip(row: &Fields<'_>) -> Result<StripRow, StoreError> {
    Ok(StripRow {
        hall: row.text("hall")?,
        id: row.text("id")?,
        window: row.text("window_id")?,
        protocol: row.text("protocol")?,
        address: row.text("address")?,
        size: row.text("size")?,
        two_colours: row.flag("two_colours")?,
        zone: u8::try_from(row.int("zone")?)
            .map_err(|cause| StoreError::Corrupt(cause.to_string()))?,
        english: row.flag("english")?,
    })
}
