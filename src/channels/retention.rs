//! Calls leave the history with age and by number, and stay as counts by the hour for longer.
//!
//! A piece is counted and removed in one transaction, so that a call counts once wherever a process
//! ends. Between pieces others have their turn at the database.

use std::time::Duration;

use actors::clock::SystemClock;
use actors::ports::Clock as _;
use rules::time::Timestamp;
use tracing::{info, warn};

use super::Channels;
use crate::config::Calls;
use crate::store::records::StoreError;

/// How long others have the database to themselves after each piece.
const PAUSE: Duration = Duration::from_millis(50);

const DAY_SECS: u64 = 86_400;

impl Channels {
    /// Keeps the history within its bounds, for ever.
    pub async fn keep_within(self, bounds: Calls) {
        loop {
            actix_web::rt::time::sleep(Duration::from_secs(bounds.tidy_secs)).await;
            match self.tidy(&bounds).await {
                Ok(0) => {}
                Ok(calls) => info!(calls, "calls left the history and count by the hour"),
                Err(cause) => warn!(%cause, "old calls are still in the history"),
            }
        }
    }

    /// How many calls left.
    async fn tidy(&self, bounds: &Calls) -> Result<u64, StoreError> {
        let (mut left, mut kept_to) = (0, 0);
        while let Some(last) = self.old_calls(bounds).await? {
            if last > kept_to {
                // What a channel would count again after a crash must still be there.
                kept_to = self.records.last_call().await?;
                self.keep_all().await;
            }
            left += self.records.roll_up_calls(last).await?;
            actix_web::rt::time::sleep(PAUSE).await;
        }
        let before = days_ago(bounds.keep_hours_days);
        while self.records.forget_call_hours(before).await? > 0 {
            actix_web::rt::time::sleep(PAUSE).await;
        }
        Ok(left)
    }

    /// Where a piece ends of the calls that are too old or too many.
    async fn old_calls(&self, bounds: &Calls) -> Result<Option<u64>, StoreError> {
        let before = days_ago(bounds.keep_days);
        match self.records.calls_told_before(before).await? {
            None if bounds.keep_rows > 0 => self.records.calls_beyond(bounds.keep_rows).await,
            last => Ok(last),
        }
    }
}

fn days_ago(days: u32) -> Timestamp {
    SystemClock.now().minus_secs(u64::from(days) * DAY_SECS)
}
