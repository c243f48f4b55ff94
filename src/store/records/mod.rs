//! Everything that is kept beside the journal: accounts, sessions, devices, tags, cases, the audit
//! log, settings, answers to repeated requests; and the queries over the tickets' projection.
//!
//! One implementation serves both dialects: the statements keep to what both understand, texts and
//! 64-bit integers, and truth values are 0 or 1. Nothing here is on the path of a call.

mod accounts;
mod audit;
mod call_age;
mod call_counts;
mod call_use;
mod calls;
mod cases;
mod conditions;
mod db;
mod device_use;
mod devices;
mod feeds;
mod invitations;
mod items;
mod journal;
mod keys;
mod order;
mod sessions;
mod settings;
mod strips;
mod tags;
mod telemetry;
mod tickets;

use std::path::Path;
use std::sync::Arc;

use rules::time::Timestamp;
use thiserror::Error;

pub use accounts::AccountRow;
pub use audit::{AuditEntry, AuditFilter, AuditPage, AuditRow};
pub use call_counts::{CountBy, Counted, TIMES_MS, Within};
pub use call_use::{UseBy, UseFilter, Used};
pub use calls::{CallFilter, CallPage, CallToCount, Kept, ReadyCalls};
pub use cases::{ClosedLoop, Unregistered};
pub use device_use::{OccupancyRow, UsageRow};
pub use devices::DeviceRow;
pub use feeds::{DueRecord, FeedRecord, FeedRecordFilter, FeedRecordPage, Pushed, UnitAnomalies};
pub use invitations::InvitationRow;
pub use items::{ItemFilter, ItemPage, ItemSort, OpenItems};
pub use keys::Claim;
pub use order::{TicketKey, TicketSort};
pub use sessions::SessionRow;
pub use strips::StripRow;
pub use tags::TagRow;
pub use telemetry::{TelemetryCount, TelemetryFilter, TelemetryResult};
pub use tickets::{HallTicket, PAGE_MAX, TicketFilter, TicketPage};

use crate::store::sqlite::Turn;
use db::Db;

/// What can go wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// Nothing was written; trying again later may work.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// There is one with this name already.
    #[error("this {what} is taken")]
    Taken { what: &'static str },
    /// What was read cannot be true.
    #[error("the database holds what cannot be: {0}")]
    Corrupt(String),
    /// The cursor was not given out by the query it came with.
    #[error("the cursor does not belong to this query")]
    BadCursor,
}

/// The records; cheap to clone.
#[derive(Clone)]
pub struct Records {
    db: Db,
}

impl Records {
    /// Without a turn nothing may be written.
    pub(super) async fn sqlite(path: &Path, turn: Option<Arc<Turn>>) -> anyhow::Result<Self> {
        let db = Db::sqlite(path, turn).await?;
        Ok(Self { db })
    }

    pub(super) async fn postgres(url: &str) -> anyhow::Result<Self> {
        let db = Db::postgres(url).await?;
        Ok(Self { db })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.db.row(sqlx::query("select 1")).await.map(drop)
    }

    /// Forgets what has run out: clients' keys after [`KEYS_KEPT_SECS`], sessions at their end.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; calling again goes on where it stopped.
    pub async fn prune(&self, now: Timestamp) -> Result<(), StoreError> {
        let oldest = now.minus_secs(KEYS_KEPT_SECS).millis();
        for statement in [
            include_str!("../queries/prune_journal_keys.sql"),
            include_str!("../queries/prune_http_keys.sql"),
        ] {
            while self.db.write(sqlx::query(statement).bind(oldest)).await? > 0 {}
        }
        let ended = sqlx::query("delete from sessions where expires_at <= $1").bind(now.millis());
        self.db.write(ended).await?;
        self.db.tidy().await
    }
}

/// Two days: a kiosk that was cut off over night may still repeat its last request.
pub const KEYS_KEPT_SECS: u64 = 48 * 3600;
