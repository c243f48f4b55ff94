//! What managers do with devices: register and remove them, give them names, places and tokens, and
//! tell them what to do.

use actors::hub::CloseTopic;
use rules::time::Timestamp;

use super::device::Device;
use super::{Devices, topic};
use crate::store::records::{DeviceRow, StoreError};
use crate::web::access::Role;
use crate::web::auth::{hash_token, random_hex};

/// How long a device shows its name.
const IDENTIFY_SECS: u64 = 10;

/// What a manager may change of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub name: String,
    pub zone: Option<String>,
    pub window: Option<String>,
}

/// What a device is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Identify,
    Reload,
    Mute,
    Unmute,
}

impl Devices {
    /// Registers a device; its token is told once.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the id exists; [`StoreError::Unavailable`].
    pub async fn add(
        &self,
        id: String,
        kind: Role,
        hall: String,
        place: Place,
        now: Timestamp,
    ) -> Result<String, StoreError> {
        let token = new_token()?;
        let row = DeviceRow {
            id,
            name: place.name,
            kind: kind.name().to_owned(),
            hall,
            zone: place.zone,
            window: place.window,
            token_hash: hash_token(&token),
            created_at: now,
            muted: false,
            seen_at: None,
            report: None,
        };
        let _changing = self.changes.lock().await;
        self.records.insert_device(&row).await?;
        self.known().put(Device::new(row, &self.hub));
        Ok(token)
    }

    /// Gives a device another name and place; `false` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn change(&self, id: &str, place: Place, now: Timestamp) -> Result<bool, StoreError> {
        let _changing = self.changes.lock().await;
        let Some(row) = self.row(id) else {
            return Ok(false);
        };
        let row = DeviceRow {
            name: place.name,
            zone: place.zone,
            window: place.window,
            ..row
        };
        self.replace(row, now).await
    }

    /// A new token for a device; the old one ends. `None` if there is no such device.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn new_token(&self, id: &str, now: Timestamp) -> Result<Option<String>, StoreError> {
        let _changing = self.changes.lock().await;
        let Some(row) = self.row(id) else {
            return Ok(None);
        };
        let token = new_token()?;
        let row = DeviceRow {
            token_hash: hash_token(&token),
            ..row
        };
        Ok(self.replace(row, now).await?.then_some(token))
    }

    /// Writes and remembers a row; the caller holds `changes` since it read it.
    async fn replace(&self, row: DeviceRow, now: Timestamp) -> Result<bool, StoreError> {
        if !self.records.update_device(&row).await? {
            return Ok(false);
        }
        let mut known = self.known();
        let Some(device) = known.by_id.get_mut(&row.id) else {
            return Ok(false);
        };
        let old_token = device.row.token_hash.clone();
        // What a report changed meanwhile stays.
        device.row = DeviceRow {
            seen_at: device.row.seen_at,
            report: device.row.report.take(),
            ..row.clone()
        };
        device.publish(now);
        known.by_token.remove(&old_token);
        known.by_token.insert(row.token_hash, row.id);
        Ok(true)
    }

    /// Tells a device to do something; `false` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn order(&self, id: &str, order: Order, now: Timestamp) -> Result<bool, StoreError> {
        if let Order::Mute | Order::Unmute = order {
            let _changing = self.changes.lock().await;
            let Some(row) = self.row(id) else {
                return Ok(false);
            };
            let muted = order == Order::Mute;
            return self.replace(DeviceRow { muted, ..row }, now).await;
        }
        let mut known = self.known();
        let Some(device) = known.by_id.get_mut(id) else {
            return Ok(false);
        };
        if order == Order::Identify {
            device.identify_until = Some(now.plus_secs(IDENTIFY_SECS));
        } else {
            device.reload = Some(now);
        }
        device.publish(now);
        Ok(true)
    }

    /// Removes a device and its token; `false` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn remove(&self, id: &str) -> Result<bool, StoreError> {
        let _changing = self.changes.lock().await;
        let removed = self.records.delete_device(id).await?;
        let mut known = self.known();
        if let Some(device) = known.by_id.remove(id) {
            known.by_token.remove(&device.row.token_hash);
            self.hub.do_send(CloseTopic(topic(id)));
        }
        Ok(removed)
    }
}

fn new_token() -> Result<String, StoreError> {
    random_hex(32).map_err(|cause| StoreError::Unavailable(cause.to_string()))
}
