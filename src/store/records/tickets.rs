//! Queries over the tickets as they stand: pages, exports, figures, earlier visits.
//!
//! A page is found in the covering index alone; only its own rows are then read from the table.
//! The next page begins behind the last row of this one, so that pages neither repeat nor skip a
//! row while tickets come in.

use std::fmt;
use std::str::FromStr;

use rules::figures::Figures;
use rules::ids::{HallId, ServiceId, TicketId};
use rules::ticket::Ticket;
use serde::{Deserialize, Serialize};

use super::conditions::Conditions;
use super::db::Fields;
use super::{Records, StoreError};

/// Rows on a page at most.
pub const PAGE_MAX: u32 = 1000;

/// A ticket and its hall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HallTicket {
    pub hall: HallId,
    pub ticket: Ticket,
}

/// What tickets are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TicketKey {
    #[default]
    IssuedAt,
    Number,
    /// Those never called come first.
    WaitSecs,
    /// Those not completed come first.
    ServiceSecs,
}

/// An order of tickets. Written as `number` or, falling, `-number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TicketSort {
    pub key: TicketKey,
    pub descending: bool,
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
        let conditions = filter.conditions();
        let total = self.count_tickets(conditions.clone()).await?;
        let limit = filter.limit.clamp(1, PAGE_MAX) as usize;
        let mut items = self.page(filter, conditions, limit + 1).await?;
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

    /// The tickets that follow `after` in the order of hall and issue, whatever the filter's order,
    /// limit and cursor: the way to read all of them in bounded memory.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn tickets_after(
        &self,
        filter: &TicketFilter,
        after: Option<(&HallId, TicketId)>,
        limit: u32,
    ) -> Result<Vec<HallTicket>, StoreError> {
        let mut conditions = filter.conditions();
        if let Some((hall, id)) = after {
            conditions.above(hall.as_str(), id.0);
        }
        let limit = limit.clamp(1, PAGE_MAX) as usize;
        // A day is found by its index; without one, each page goes on in the table where the last
        // one ended.
        let text = if filter.day.is_some() {
            page_text(&conditions, "hall", "asc", limit)
        } else {
            format!(
                "select hall, body from tickets where {} order by hall, id limit {limit}",
                conditions.text()
            )
        };
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
        mut each: impl FnMut(HallTicket) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let mut last: Option<(HallId, TicketId)> = None;
        let mut count = 0;
        loop {
            let after = last.as_ref().map(|(hall, id)| (hall, *id));
            let some = self.tickets_after(filter, after, PAGE_MAX).await?;
            let Some(end) = some.last() else {
                return Ok(count);
            };
            last = Some((end.hall.clone(), end.ticket.id));
            count += some.len() as u64;
            some.into_iter().try_for_each(&mut each)?;
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

    async fn page(
        &self,
        filter: &TicketFilter,
        mut conditions: Conditions,
        limit: usize,
    ) -> Result<Vec<HallTicket>, StoreError> {
        let TicketSort { key, descending } = filter.sort;
        let (direction, behind) = if descending {
            ("desc", "<")
        } else {
            ("asc", ">")
        };
        if let Some(cursor) = &filter.cursor {
            let place = Place::read(cursor, filter.sort).ok_or(StoreError::BadCursor)?;
            conditions.behind(key.expression(), behind, &place);
        }
        let text = page_text(&conditions, key.expression(), direction, limit);
        self.db.rows(conditions.statement(text), hall_ticket).await
    }
}

fn page_text(conditions: &Conditions, key: &str, direction: &str, rows: usize) -> String {
    include_str!("../queries/ticket_page.sql")
        .replace("CONDITIONS", &conditions.text())
        .replace("SORT_KEY", key)
        .replace("DIRECTION", direction)
        .replace("ROWS", &rows.to_string())
}

impl TicketFilter {
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

impl TicketKey {
    const fn name(self) -> &'static str {
        match self {
            Self::IssuedAt => "issued_at",
            Self::Number => "number",
            Self::WaitSecs => "wait_secs",
            Self::ServiceSecs => "service_secs",
        }
    }

    /// Never null: with a null no row could be told to stand before or behind.
    const fn expression(self) -> &'static str {
        match self {
            Self::IssuedAt => "issued_at",
            Self::Number => "number",
            Self::WaitSecs => "coalesce(wait_secs, -1)",
            Self::ServiceSecs => "coalesce(service_secs, -1)",
        }
    }
}

impl fmt::Display for TicketSort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.descending { "-" } else { "" };
        write!(f, "{sign}{}", self.key.name())
    }
}

impl FromStr for TicketSort {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (descending, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, text),
        };
        let key = match name {
            "issued_at" => TicketKey::IssuedAt,
            "number" => TicketKey::Number,
            "wait_secs" => TicketKey::WaitSecs,
            "service_secs" => TicketKey::ServiceSecs,
            _ => return Err(format!("tickets are not sorted by '{name}'")),
        };
        Ok(Self { key, descending })
    }
}

/// A value tickets are sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum SortValue {
    Int(i64),
    Text(String),
}

/// A ticket's place in an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) key: SortValue,
    pub(super) hall: String,
    pub(super) id: u64,
}

impl Place {
    fn of(at: &HallTicket, sort: TicketSort) -> Self {
        let secs = |secs: Option<u64>| {
            SortValue::Int(secs.map_or(-1, |secs| i64::try_from(secs).unwrap_or(i64::MAX)))
        };
        Self {
            key: match sort.key {
                TicketKey::IssuedAt => SortValue::Int(at.ticket.issued_at.millis()),
                TicketKey::Number => SortValue::Text(at.ticket.number.clone()),
                TicketKey::WaitSecs => secs(at.ticket.wait_secs()),
                TicketKey::ServiceSecs => secs(at.ticket.service_secs()),
            },
            hall: at.hall.as_str().to_owned(),
            id: at.ticket.id.0,
        }
    }

    /// The place as opaque text. It names its order, so that another query refuses it.
    fn cursor(&self, sort: TicketSort) -> String {
        let parts = (sort.to_string(), &self.key, &self.hall, self.id);
        let text = serde_json::to_string(&parts).unwrap_or_default();
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    fn read(cursor: &str, sort: TicketSort) -> Option<Self> {
        let pairs = cursor.as_bytes().chunks(2);
        let bytes = pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect::<Option<Vec<u8>>>()?;
        let (order, key, hall, id): (String, SortValue, String, u64) =
            serde_json::from_slice(&bytes).ok()?;
        let textual = matches!(key, SortValue::Text(_));
        let fits = order == sort.to_string() && textual == (sort.key == TicketKey::Number);
        fits.then_some(Self { key, hall, id })
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

fn hall_ticket(row: &Fields<'_>) -> Result<HallTicket, StoreError> {
    Ok(HallTicket {
        hall: row.parsed("hall")?,
        ticket: row.json("body")?,
    })
}

fn signed(id: TicketId) -> i64 {
    i64::try_from(id.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_refused_by_another_order() {
        let place = Place {
            key: SortValue::Text("B005".into()),
            hall: "H1".into(),
            id: 7,
        };
        let by_number: TicketSort = "-number".parse().expect("an order");
        let cursor = place.cursor(by_number);
        assert_eq!(Place::read(&cursor, by_number), Some(place));
        assert_eq!(Place::read(&cursor, TicketSort::default()), None);
        assert_eq!(Place::read("zz", by_number), None);
        assert_eq!(Place::read("é", by_number), None);
    }
}
