//! Kiosks and screens that sign in by a token of their own.

use rules::time::Timestamp;

use super::db::Fields;
use super::{Records, StoreError};

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    pub id: String,
    pub name: String,
    /// `kiosk` or `screen`.
    pub kind: String,
    pub hall: String,
    pub token_hash: String,
    pub created_at: Timestamp,
}

impl Records {
    /// All devices, by id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn devices(&self) -> Result<Vec<DeviceRow>, StoreError> {
        let statement = sqlx::query("select * from devices order by id");
        self.db.rows(statement, device).await
    }

    /// Adds a device.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if the id or the token exists; [`StoreError::Unavailable`].
    pub async fn insert_device(&self, device: &DeviceRow) -> Result<(), StoreError> {
        let statement = sqlx::query(include_str!("../queries/insert_device.sql"))
            .bind(&device.id)
            .bind(&device.name)
            .bind(&device.kind)
            .bind(&device.hall)
            .bind(&device.token_hash)
            .bind(device.created_at.millis());
        self.db.insert(statement, "device").await
    }

    /// Removes a device; `false` if there was none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_device(&self, id: &str) -> Result<bool, StoreError> {
        let statement = sqlx::query("delete from devices where id = $1").bind(id);
        Ok(self.db.write(statement).await? > 0)
    }
}

fn device(row: &Fields<'_>) -> Result<DeviceRow, StoreError> {
    Ok(DeviceRow {
        id: row.text("id")?,
        name: row.text("name")?,
        kind: row.text("kind")?,
        hall: row.text("hall")?,
        token_hash: row.text("token_hash")?,
        created_at: row.time("created_at")?,
    })
}
