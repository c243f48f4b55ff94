//! Lists of what the desks have in hand: cases, alerts, work orders, problems, messages.
//!
//! One table and one query serve them all. A page begins behind the last row of the one before, so
//! that pages neither repeat nor skip a row while new ones come in.

use rules::alerts::rule::Severity;
use rules::machine::{Item, ItemKind};
use rules::time::Timestamp;

use super::conditions::Conditions;
use super::db::Fields;
use super::{PAGE_MAX, Records, StoreError};

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ItemSort {
    /// The newest first.
    #[default]
    Newest,
    /// The earliest limit first; what has none comes last.
    Due,
    /// The most urgent first, then the oldest.
    Rank,
}

impl ItemSort {
    /// Never null: with a null no row could be told to stand before or behind.
    const fn expression(self) -> &'static str {
        match self {
            Self::Newest => "-opened_at",
            Self::Due => "coalesce(due_at, 9223372036854775807)",
            Self::Rank => "(opened_at - rank * 10000000000000)",
        }
    }
}

/// Which items; all that is named must match.
#[derive(Debug, Clone, Default)]
pub struct ItemFilter {
    /// One of these states; empty is any.
    pub states: Vec<String>,
    /// Only what belongs to one of these halls; none is all halls and what belongs to none.
    pub halls: Option<Vec<String>>,
    pub department: Option<String>,
    pub person: Option<String>,
    pub about: Option<String>,
    pub topic: Option<String>,
    pub subject: Option<String>,
    /// What it was raised or made as; what is urgent ranks four higher.
    pub severity: Option<Severity>,
    pub rank: Option<u8>,
    /// Only what has (or has not) ended.
    pub ended: Option<bool>,
    pub opened_from: Option<Timestamp>,
    pub opened_before: Option<Timestamp>,
    pub due_from: Option<Timestamp>,
    pub due_before: Option<Timestamp>,
    pub sort: ItemSort,
    /// Rows on a page, at most [`PAGE_MAX`].
    pub limit: u32,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// One page of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemPage {
    pub items: Vec<Item>,
    /// Items that match, on all pages.
    pub total: u64,
    /// Hand it in for the next page; none at the end.
    pub next: Option<String>,
}

/// Things of one kind and state that have not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenItems {
    pub kind: String,
    pub state: String,
    pub count: u64,
}

impl Records {
    /// How many things have not ended, by kind and state.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn open_items(&self) -> Result<Vec<OpenItems>, StoreError> {
        const COUNT: &str = "select kind, state, count(*) as n from items where ended_at is null \
             group by kind, state order by kind, state";
        let read = |row: &Fields<'_>| {
            Ok(OpenItems {
                kind: row.text("kind")?,
                state: row.text("state")?,
                count: row.count("n")?,
            })
        };
        self.db.rows(sqlx::query(COUNT), read).await
    }

    /// A page of items of one kind.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`], [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn items(&self, kind: ItemKind, filter: &ItemFilter) -> Result<ItemPage, StoreError> {
        let mut conditions = filter.conditions(kind);
        let text = format!(
            "select count(*) as n from items where {}",
            conditions.text()
        );
        let row = self.db.row(conditions.clone().statement(text)).await?;
        let total = row.map_or(Ok(0), |row| Fields(&row).count("n"))?;
        let sort = filter.sort.expression();
        if let Some(cursor) = &filter.cursor {
            let (key, id) = read_cursor(cursor)?;
            conditions.behind_item(sort, key, id);
        }
        let limit = filter.limit.clamp(1, PAGE_MAX) as usize;
        let text = format!(
            "select *, {sort} as place from items where {} order by {sort}, id limit {}",
            conditions.text(),
            limit + 1
        );
        let read = |row: &Fields<'_>| Ok((row.int("place")?, item(kind, row)?));
        let mut rows = self.db.rows(conditions.statement(text), read).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        Ok(ItemPage {
            next: last.map(|(place, item)| format!("{place}.{}", item.id)),
            items: rows.into_iter().map(|(_, item)| item).collect(),
            total,
        })
    }

    /// One item.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn item(&self, kind: ItemKind, id: &str) -> Result<Option<Item>, StoreError> {
        let statement = sqlx::query("select * from items where kind = $1 and id = $2")
            .bind(kind.name())
            .bind(id);
        let row = self.db.row(statement).await?;
        row.map(|row| item(kind, &Fields(&row))).transpose()
    }

    /// How many items of a kind are in each state, of those that match.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn item_states(
        &self,
        kind: ItemKind,
        filter: &ItemFilter,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let conditions = filter.conditions(kind);
        let text = format!(
            "select state, count(*) as n from items where {} group by state order by state",
            conditions.text()
        );
        let read = |row: &Fields<'_>| Ok((row.text("state")?, row.count("n")?));
        self.db.rows(conditions.statement(text), read).await
    }
}

impl ItemFilter {
    fn conditions(&self, kind: ItemKind) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.equal("kind", Some(kind.name()));
        conditions.one_of(
            "state",
            Some(&self.states).filter(|states| !states.is_empty()),
        );
        conditions.one_of("hall", self.halls.as_ref());
        conditions.equal("department", self.department.as_deref());
        conditions.equal("person", self.person.as_deref());
        conditions.equal("about", self.about.as_deref());
        conditions.equal("topic", self.topic.as_deref());
        conditions.equal("subject", self.subject.as_deref());
        if let Some(severity) = self.severity {
            conditions.compare("rank % 4", "=", severity as i64);
        }
        if let Some(rank) = self.rank {
            conditions.compare("rank", "=", i64::from(rank));
        }
        if let Some(ended) = self.ended {
            conditions.is_null("ended_at", !ended);
        }
        for (column, order, at) in [
            ("opened_at", ">=", self.opened_from),
            ("opened_at", "<", self.opened_before),
            ("due_at", ">=", self.due_from),
            ("due_at", "<", self.due_before),
        ] {
            if let Some(at) = at {
                conditions.compare(column, order, at.millis());
            }
        }
        conditions
    }
}

fn read_cursor(cursor: &str) -> Result<(i64, &str), StoreError> {
    let parts = cursor.split_once('.').ok_or(StoreError::BadCursor)?;
    let key = parts.0.parse().map_err(|_| StoreError::BadCursor)?;
    Ok((key, parts.1))
}

fn item(kind: ItemKind, row: &Fields<'_>) -> Result<Item, StoreError> {
    let hall = row.text_if_any("hall")?;
    Ok(Item {
        kind,
        id: row.text("id")?,
        state: row.text("state")?,
        hall: hall.and_then(|hall| hall.parse().ok()),
        department: row.text_if_any("department")?,
        person: row.text_if_any("person")?,
        about: row.text_if_any("about")?,
        topic: row.text_if_any("topic")?,
        subject: row.text_if_any("subject")?,
        rank: u8::try_from(row.int("rank")?).unwrap_or(u8::MAX),
        opened_at: row.time("opened_at")?,
        due_at: row.int_if_any("due_at")?.map(Timestamp::from_millis),
        ended_at: row.int_if_any("ended_at")?.map(Timestamp::from_millis),
        body: row.text("body")?,
    })
}
