//! Text messages to holders whose window's rater was silent.

use rules::desk::messages::Outcome;
use rules::time::Timestamp;
use tracing::warn;

use super::{Progress, Raters, lock};
use crate::notices::Ways;
use crate::store::records::{InvitationRow, StoreError};

/// A message that surely did not arrive is tried again after so long, and so often at most.
const AGAIN_SECS: u64 = 30;
const ATTEMPTS_MAX: u32 = 3;

/// While the database is away it is asked again so often.
const STORE_AGAIN_SECS: u64 = 5;

impl Raters {
    /// Sends what is due. An attempt is kept before it is made: after a crash in between a message is
    /// rather not sent than sent twice.
    pub async fn send_due(&self, ways: &Ways, now: Timestamp) {
        let due: Vec<(String, u64)> = lock(&self.texting)
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            let next = match self.send(ways, &key, now).await {
                Ok(next) => next,
                Err(cause) => {
                    warn!(%cause, "a text message of a rater waits for the database");
                    Some(now.plus_secs(STORE_AGAIN_SECS))
                }
            };
            let mut texting = lock(&self.texting);
            match next {
                Some(next) => texting.insert(key, next),
                None => texting.remove(&key),
            };
        }
    }

    /// Makes one attempt; when the next is due, if any.
    async fn send(
        &self,
        ways: &Ways,
        (hall, ticket): &(String, u64),
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some((row, phone)) = self.begin(hall, *ticket).await? else {
            return Ok(None);
        };
        // Nobody who answers waits for the gateway.
        let key = format!("rating-{hall}-{ticket}");
        let outcome = ways.text(&phone, &self.text(&row), &key).await;
        let _changing = self.changes.lock().await;
        let (progress, reason) = match outcome {
            Outcome::Delivered { .. } => (Progress::Texted, None),
            // It may have arrived; a second one would be a nuisance.
            Outcome::Uncertain { reason } => (Progress::Texted, Some(reason)),
            Outcome::Failed { .. } if row.attempts < ATTEMPTS_MAX => {
                let next_at = Some(now.plus_secs(AGAIN_SECS));
                if self.is_texting(hall, *ticket).await? {
                    let again = InvitationRow { next_at, ..row };
                    self.records.put_invitation(&again).await?;
                }
                return Ok(next_at);
            }
            Outcome::Failed { reason } | Outcome::Refused { reason } => {
                (Progress::Left, Some(reason))
            }
        };
        self.end(&row, progress, reason).await?;
        Ok(None)
    }

    async fn is_texting(&self, hall: &str, ticket: u64) -> Result<bool, StoreError> {
        let known = self.records.invitation(hall, ticket).await?;
        Ok(known.and_then(|known| Progress::of(&known)) == Some(Progress::Texting))
    }

    /// Keeps that an attempt is made; the invitation as it then is, and where to send it.
    async fn begin(
        &self,
        hall: &str,
        ticket: u64,
    ) -> Result<Option<(InvitationRow, String)>, StoreError> {
        let _changing = self.changes.lock().await;
        let Some(mut row) = self.records.invitation(hall, ticket).await? else {
            return Ok(None);
        };
        // Rated meanwhile, it needs no text.
        if Progress::of(&row) != Some(Progress::Texting) {
            return Ok(None);
        }
        let place = format!("{}/{}", row.hall, row.ticket);
        let sealed = self.records.contact(&row.hall, row.ticket).await?;
        let phone = sealed.and_then(|sealed| self.seal.open(&place, &sealed));
        row.attempts += 1;
        row.next_at = None;
        let Some(phone) = phone else {
            self.end(&row, Progress::Left, Some("no_phone".to_owned()))
                .await?;
            return Ok(None);
        };
        self.records.put_invitation(&row).await?;
        Ok(Some((row, phone)))
    }

    /// Ends an invitation by text, unless the ticket was rated meanwhile; its number is forgotten.
    pub(super) async fn end(
        &self,
        row: &InvitationRow,
        progress: Progress,
        reason: Option<String>,
    ) -> Result<(), StoreError> {
        if self.is_texting(&row.hall, row.ticket).await? {
            let ended = InvitationRow {
                state: progress.name().to_owned(),
                reason,
                next_at: None,
                ..row.clone()
            };
            self.records.put_invitation(&ended).await?;
        }
        self.records.forget_contact(&row.hall, row.ticket).await
    }

    fn text(&self, row: &InvitationRow) -> String {
        self.settings
            .text
            .replace("{number}", &row.number)
            .replace("{window}", &row.window)
            .replace("{link}", &row.link)
    }
}
