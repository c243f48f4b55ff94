//! The orders tickets may be sorted in, and a place in one: where a page ends and the next begins.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::tickets::HallTicket;

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
    pub(super) const fn expression(self) -> &'static str {
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
    pub(super) fn of(at: &HallTicket, sort: TicketSort) -> Self {
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
    pub(super) fn cursor(&self, sort: TicketSort) -> String {
        let parts = (sort.to_string(), &self.key, &self.hall, self.id);
        let text = serde_json::to_string(&parts).unwrap_or_default();
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn read(cursor: &str, sort: TicketSort) -> Option<Self> {
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
