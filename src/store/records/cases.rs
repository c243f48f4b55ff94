//! What is kept of cases beside the case desk's journal: whose they are and at which tickets they
//! were registered; and what the tickets served without a case are.

use rules::cases::Case;
use rules::ids::{HallId, TicketId};
use rules::time::Timestamp;

use super::db::Fields;
use super::{Records, StoreError};

/// Cases shown at most; the newest ones count at a window.
const CASES_MAX: i64 = 200;

/// Tickets completed on a day, and those of them registered as cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedLoop {
    pub completed: u64,
    pub linked: u64,
}

/// A ticket that was served without registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unregistered {
    pub ticket: u64,
    pub number: String,
    pub service: String,
    pub window: Option<String>,
    pub completed_at: Option<Timestamp>,
}

impl Records {
    /// Notes whose case it is; again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn add_case_holder(&self, person: &str, case_no: &str) -> Result<(), StoreError> {
        let statement = sqlx::query(
            "insert into case_holders (person, case_no) values ($1, $2) on conflict do nothing",
        );
        let statement = statement.bind(person).bind(case_no);
        self.db.write(statement).await.map(drop)
    }

    /// Notes at which tickets a case was registered; again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn add_case_tickets(
        &self,
        hall: &HallId,
        tickets: &[TicketId],
        case_no: &str,
    ) -> Result<(), StoreError> {
        for ticket in tickets {
            let statement = sqlx::query(
                "insert into case_tickets (hall, ticket, case_no) values ($1, $2, $3) \
                 on conflict do nothing",
            );
            let ticket = i64::try_from(ticket.0).unwrap_or(i64::MAX);
            let statement = statement.bind(hall.as_str()).bind(ticket).bind(case_no);
            self.db.write(statement).await?;
        }
        Ok(())
    }

    /// A person's cases, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn cases_of(&self, person: &str) -> Result<Vec<Case>, StoreError> {
        let statement = sqlx::query(include_str!("../queries/cases_of.sql"))
            .bind(person)
            .bind(CASES_MAX);
        self.db.rows(statement, |row| row.json("body")).await
    }

    /// How many tickets of a hall's day were completed, and how many of them are cases.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn closed_loop(&self, hall: &HallId, day: &str) -> Result<ClosedLoop, StoreError> {
        let statement = sqlx::query(include_str!("../queries/closed_loop.sql"))
            .bind(hall.as_str())
            .bind(day);
        let row = self.db.row(statement).await?;
        let count = |name| row.as_ref().map_or(Ok(0), |row| Fields(row).count(name));
        Ok(ClosedLoop {
            completed: count("completed")?,
            linked: count("linked")?,
        })
    }

    /// Completed tickets of a hall's day without a case, behind one of them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn unregistered(
        &self,
        hall: &HallId,
        day: &str,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Unregistered>, StoreError> {
        let statement = sqlx::query(include_str!("../queries/unregistered.sql"))
            .bind(hall.as_str())
            .bind(day)
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .bind(i64::from(limit));
        self.db.rows(statement, unregistered).await
    }
}

fn unregistered(row: &Fields<'_>) -> Result<Unregistered, StoreError> {
    Ok(Unregistered {
        ticket: row.count("id")?,
        number: row.text("number")?,
        service: row.text("service")?,
        window: row.text_if_any("window")?,
        completed_at: row.int_if_any("ended_at")?.map(Timestamp::from_millis),
    })
}
