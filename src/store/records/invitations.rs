//! Invitations to rate, and the sealed numbers of phones they may have to be sent to.

use rules::time::Timestamp;

use super::db::Fields;
use super::{Records, StoreError};

/// An invitation as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationRow {
    pub hall: String,
    pub ticket: u64,
    pub number: String,
    pub window: String,
    pub device: String,
    pub state: String,
    pub reason: Option<String>,
    pub link: String,
    pub asked_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    pub attempts: u32,
    pub next_at: Option<Timestamp>,
}

impl Records {
    /// Keeps an invitation as it is now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put_invitation(&self, row: &InvitationRow) -> Result<(), StoreError> {
        let statement = sqlx::query(include_str!("../queries/put_invitation.sql"))
            .bind(&row.hall)
            .bind(row.ticket.cast_signed())
            .bind(&row.number)
            .bind(&row.window)
            .bind(&row.device)
            .bind(&row.state)
            .bind(&row.reason)
            .bind(&row.link)
            .bind(row.asked_at.millis())
            .bind(row.answered_at.map(Timestamp::millis))
            .bind(i64::from(row.attempts))
            .bind(row.next_at.map(Timestamp::millis));
        self.db.write(statement).await.map(drop)
    }

    /// Invitations of which something is still to come.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn open_invitations(&self) -> Result<Vec<InvitationRow>, StoreError> {
        let statement = sqlx::query(
            "select * from invitations where state in ('asked', 'texting') order by asked_at",
        );
        self.db.rows(statement, invitation).await
    }

    /// One invitation.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn invitation(
        &self,
        hall: &str,
        ticket: u64,
    ) -> Result<Option<InvitationRow>, StoreError> {
        let statement = sqlx::query("select * from invitations where hall = $1 and ticket = $2")
            .bind(hall)
            .bind(ticket.cast_signed());
        let row = self.db.row(statement).await?;
        row.map(|row| invitation(&Fields(&row))).transpose()
    }

    /// A hall's latest invitations, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn invitations(
        &self,
        hall: &str,
        limit: u32,
    ) -> Result<Vec<InvitationRow>, StoreError> {
        let statement = sqlx::query(
            "select * from invitations where hall = $1 order by asked_at desc, ticket desc limit $2",
        )
        .bind(hall)
        .bind(i64::from(limit));
        self.db.rows(statement, invitation).await
    }

    /// Keeps a sealed number.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put_contact(
        &self,
        hall: &str,
        ticket: u64,
        sealed: &str,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let statement = sqlx::query(
            "insert into contacts (hall, ticket, sealed, expires_at) values ($1, $2, $3, $4) \
             on conflict (hall, ticket) do update set \
             sealed = excluded.sealed, expires_at = excluded.expires_at",
        )
        .bind(hall)
        .bind(ticket.cast_signed())
        .bind(sealed)
        .bind(expires_at.millis());
        self.db.write(statement).await.map(drop)
    }

    /// A sealed number, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn contact(&self, hall: &str, ticket: u64) -> Result<Option<String>, StoreError> {
        let statement = sqlx::query("select sealed from contacts where hall = $1 and ticket = $2")
            .bind(hall)
            .bind(ticket.cast_signed());
        let row = self.db.row(statement).await?;
        row.map(|row| Fields(&row).text("sealed")).transpose()
    }

    /// Forgets a number that is not needed any more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_contact(&self, hall: &str, ticket: u64) -> Result<(), StoreError> {
        let statement = sqlx::query("delete from contacts where hall = $1 and ticket = $2")
            .bind(hall)
            .bind(ticket.cast_signed());
        self.db.write(statement).await.map(drop)
    }

    /// Forgets numbers whose time is over, and invitations made before `oldest`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_invitations(
        &self,
        now: Timestamp,
        oldest: Timestamp,
    ) -> Result<(), StoreError> {
        let contacts = sqlx::query("delete from contacts where expires_at <= $1");
        self.db.write(contacts.bind(now.millis())).await?;
        let invitations = sqlx::query("delete from invitations where asked_at < $1");
        self.db.write(invitations.bind(oldest.millis())).await?;
        Ok(())
    }
}

fn invitation(row: &Fields<'_>) -> Result<InvitationRow, StoreError> {
    Ok(InvitationRow {
        hall: row.text("hall")?,
        ticket: row.count("ticket")?,
        number: row.text("number")?,
        window: row.text("window_id")?,
        device: row.text("device")?,
        state: row.text("state")?,
        reason: row.text_if_any("reason")?,
        link: row.text("link")?,
        asked_at: row.time("asked_at")?,
        answered_at: row.int_if_any("answered_at")?.map(Timestamp::from_millis),
        attempts: u32::try_from(row.count("attempts")?).unwrap_or(u32::MAX),
        next_at: row.int_if_any("next_at")?.map(Timestamp::from_millis),
    })
}
