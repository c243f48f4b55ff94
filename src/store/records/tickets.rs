//! Queries over the tickets as they stand: pages, exports, figures, earlier visits.
//!
//! A page is found in the covering index alone; only its own rows are then read from the table.
//! The next page begins behind the last row of this one, so that pages neither repeat nor skip a
//! row while tickets come in.

use rules::figures::Figures;
use rules::ids::{HallId, ServiceId, TicketId};
use rules::ticket::Ticket;

use super::conditions::Conditions;
use super::db::Fields;
use super::order::{Place, TicketSort};
use super::{Records, StoreError};

/// Rows on a page at most.
pub const PAGE_MAX: u32 = 1000;

/// A ticket and its hall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HallTicket {
    pub hall: HallId,
    pub ticket: Ticket,
}

/// Which tickets; all that is named must match.
#[derive(Debug, Clone, Default)]
pub struct TicketFilter {
    pub hall: Option<String>,
    /// Business day as ISO text.
    pub day: Option<String>,
    pub service: Option<String>,
    pub state: Option<String>,
    pub window: Option<String>,
    pub clerk: Option<String>,
    pub number: Option<String>,
    pub person: Option<String>,
    pub sort: TicketSort,
    /// Rows on a page, at most [`PAGE_MAX`].
    pub limit: u32,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// One page of tickets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketPage {
    pub items: Vec<HallTicket>,
    /// Tickets that match, on all pages.
    pub total: u64,
    /// Hand it in for the next page; none at the end.
    pub next_cursor: Option<String>,
}

impl Records {
    /// A page of tickets.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`], [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn tickets(&self, filter: &TicketFilter) -> Result<TicketPage, StoreError> {
        let place = filter.place()?;
        let conditions = filter.conditions();
        let total = self.count_tickets(conditions.clone()).await?;
        let limit = filter.limit.clamp(1, PAGE_MAX) as usize;
        let mut items = self.page(filter.sort, conditions, place, limit + 1).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|last| Place::of(last, filter.sort).cursor(filter.sort));
        Ok(TicketPage {
            items,
            total,
            next_cursor,
        })
    }

    /// The tickets that follow `after` in the order of issue, whatever the filter's order, limit
    /// and cursor: the way to read all of them in bounded memory. Without a day they come hall by
    /// hall.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn tickets_after(
        &self,
        filter: &TicketFilter,
        after: Option<&HallTicket>,
        limit: u32,
    ) -> Result<Vec<HallTicket>, StoreError> {
        let limit = limit.clamp(1, PAGE_MAX) as usize;
        let sort = TicketSort::default();
        let place = after.map(|after| Place::of(after, sort));
        let mut conditions = filter.conditions();
        // A day is found by its index; all days are read as they lie in the table.
        if filter.day.is_some() {
            return self.page(sort, conditions, place, limit).await;
        }
        if let Some(place) = place {
            conditions.above(&place.hall, place.id);
        }
        let text = format!(
            "select hall, body from tickets where {} order by hall, id limit {limit}",
            conditions.text()
        );
        self.db.rows(conditions.statement(text), hall_ticket).await
    }

    /// Hands every matching ticket to `each`, in the order of [`Self::tickets_after`], and says
    /// how many there were. Stops at the first error.
    ///
    /// # Errors
    /// What `each` answers; [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn tickets_each(
        &self,
        filter: &TicketFilter,
        mut each: impl FnMut(&HallTicket) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let mut some: Vec<HallTicket> = Vec::new();
        let mut count = 0;
        loop {
            some = self.tickets_after(filter, some.last(), PAGE_MAX).await?;
            if some.is_empty() {
                return Ok(count);
            }
            count += some.len() as u64;
            some.iter().try_for_each(&mut each)?;
        }
    }

    /// One ticket, of any day.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn ticket(&self, hall: &HallId, id: TicketId) -> Result<Option<Ticket>, StoreError> {
        let statement = sqlx::query("select body from tickets where hall = $1 and id = $2")
            .bind(hall.as_str())
            .bind(signed(id));
        let row = self.db.row(statement).await?;
        row.map(|row| Fields(&row).json("body")).transpose()
    }

    /// A hall's figures of a day, and those of each service that had a ticket.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn figures_of_day(
        &self,
        hall: &HallId,
        day: &str,
    ) -> Result<(Figures, Vec<(ServiceId, Figures)>), StoreError> {
        let statement = sqlx::query(include_str!("../queries/figures_of_day.sql"))
            .bind(hall.as_str())
            .bind(day);
        let counted = |row: &Fields<'_>| {
            let part = figures(&row.text("state")?, row.count("tickets")?)?;
            Ok((row.parsed::<ServiceId>("service")?, part))
        };
        let mut total = Figures::default();
        let mut by_service: Vec<(ServiceId, Figures)> = Vec::new();
        for (service, part) in self.db.rows(statement, counted).await? {
            total = total.plus(&part);
            match by_service.last_mut() {
                Some((last, figures)) if *last == service => *figures = figures.plus(&part),
                _ => by_service.push((service, part)),
            }
        }
        Ok((total, by_service))
    }

    /// How many tickets of a day were taken through which channel.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn channels_of_day(
        &self,
        hall: &HallId,
        day: &str,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let statement = sqlx::query(include_str!("../queries/channels_of_day.sql"))
            .bind(hall.as_str())
            .bind(day);
        let counted = |row: &Fields<'_>| Ok((row.text("channel")?, row.count("tickets")?));
        self.db.rows(statement, counted).await
    }

    /// What a person came for before this ticket, in any hall, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn earlier_visits(
        &self,
        person: &str,
        hall: &HallId,
        before: TicketId,
        limit: u32,
    ) -> Result<Vec<HallTicket>, StoreError> {
        let statement = sqlx::query(include_str!("../queries/earlier_visits.sql"))
            .bind(person)
            .bind(hall.as_str())
            .bind(signed(before))
            .bind(i64::from(limit.min(PAGE_MAX)));
        self.db.rows(statement, hall_ticket).await
    }

    async fn count_tickets(&self, conditions: Conditions) -> Result<u64, StoreError> {
        let text = format!(
            "select count(*) as tickets from tickets where {}",
            conditions.text()
        );
        let row = self.db.row(conditions.statement(text)).await?;
        row.map_or(Ok(0), |row| Fields(&row).count("tickets"))
    }

    /// Tickets behind a place in an order.
    async fn page(
        &self,
        TicketSort { key, descending }: TicketSort,
        mut conditions: Conditions,
        place: Option<Place>,
        limit: usize,
    ) -> Result<Vec<HallTicket>, StoreError> {
        let (direction, behind) = if descending {
            ("desc", "<")
        } else {
            ("asc", ">")
        };
        if let Some(place) = &place {
            conditions.behind(key.expression(), behind, place);
        }
        let text = include_str!("../queries/ticket_page.sql")
            .replace("CONDITIONS", &conditions.text())
            .replace("SORT_KEY", key.expression())
            .replace("DIRECTION", direction)
            .replace("ROWS", &limit.to_string());
        self.db.rows(conditions.statement(text), hall_ticket).await
    }
}

impl TicketFilter {
    fn place(&self) -> Result<Option<Place>, StoreError> {
        let read = |cursor: &String| Place::read(cursor, self.sort).ok_or(StoreError::BadCursor);
        self.cursor.as_ref().map(read).transpose()
    }

    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.equal("hall", self.hall.as_deref());
        conditions.equal("day", self.day.as_deref());
        conditions.equal("service", self.service.as_deref());
        conditions.equal("state", self.state.as_deref());
        conditions.equal("\"window\"", self.window.as_deref());
        conditions.equal("clerk", self.clerk.as_deref());
        conditions.equal("number", self.number.as_deref());
        conditions.equal("person", self.person.as_deref());
        conditions
    }
}

fn figures(state: &str, count: u64) -> Result<Figures, StoreError> {
    let mut figures = Figures {
        issued: count,
        ..Figures::default()
    };
    let slot = match state {
        "waiting" => &mut figures.waiting,
        "called" => &mut figures.called,
        "serving" => &mut figures.serving,
        "held" => &mut figures.held,
        "completed" => &mut figures.completed,
        "missed" => &mut figures.missed,
        "cancelled" => &mut figures.cancelled,
        "expired" => &mut figures.expired,
        other => return Err(StoreError::Corrupt(format!("a ticket that is '{other}'"))),
    };
    *slot = count;
    Ok(figures)
}

pub(super) fn hall_ticket(row: &Fields<'_>) -> Result<HallTicket, StoreError> {
    Ok(HallTicket {
        hall: row.parsed("hall")?,
        ticket: row.json("body")?,
    })
}

fn signed(id: TicketId) -> i64 {
    i64::try_from(id.0).unwrap_or(i64::MAX)
}
