//! Devices that sign in by a token of their own.

use rules::time::Timestamp;

use super::db::Fields;
use super::{Records, StoreError};

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    pub id: String,
    pub name: String,
    /// One of [`rules::devices::KINDS`].
    pub kind: String,
    pub hall: String,
    /// The zone it stands in.
    pub zone: Option<String>,
    /// The window it belongs to.
    pub window: Option<String>,
    pub token_hash: String,
    pub created_at: Timestamp,
    pub muted: bool,
    pub seen_at: Option<Timestamp>,
    /// Its last report, as JSON.
    pub report: Option<String>,
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
            .bind(device.created_at.millis())
            .bind(&device.zone)
            .bind(&device.window)
            .bind(i64::from(device.muted))
            .bind(device.seen_at.map(Timestamp::millis))
            .bind(&device.report);
        self.db.insert(statement, "device").await
    }

    /// Changes name, token, place and mute of a device; `false` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn update_device(&self, device: &DeviceRow) -> Result<bool, StoreError> {
        let statement = sqlx::query(include_str!("../queries/update_device.sql"))
            .bind(&device.id)
            .bind(&device.name)
            .bind(&device.token_hash)
            .bind(&device.zone)
            .bind(&device.window)
            .bind(i64::from(device.muted));
        Ok(self.db.write(statement).await? > 0)
    }

    /// Removes a device and what is known of its use; `false` if there was none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_device(&self, id: &str) -> Result<bool, StoreError> {
        let statements = vec![
            sqlx::query("delete from devices where id = $1").bind(id),
            sqlx::query("delete from device_usage where device = $1").bind(id),
        ];
        let removed = self.db.write_together(statements).await?;
        Ok(removed.first().is_some_and(|rows| *rows > 0))
    }
}

fn device(row: &Fields<'_>) -> Result<DeviceRow, StoreError> {
    Ok(DeviceRow {
        id: row.text("id")?,
        name: row.text("name")?,
        kind: row.text("kind")?,
        hall: row.text("hall")?,
        zone: row.text_if_any("zone_id")?,
        window: row.text_if_any("window_id")?,
        token_hash: row.text("token_hash")?,
        created_at: row.time("created_at")?,
        muted: row.flag("muted")?,
        seen_at: row.int_if_any("seen_at")?.map(Timestamp::from_millis),
        report: row.text_if_any("report")?,
    })
}
