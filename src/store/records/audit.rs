//! Who did or looked at what. Entries are only ever added.

use rules::time::Timestamp;
use sqlx::AssertSqlSafe;

use super::conditions::Conditions;
use super::db::Fields;
use super::{Records, StoreError};

/// Something done or looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub at: Timestamp,
    /// The account or device.
    pub actor: String,
    pub role: String,
    pub action: String,
    /// What it was done to, e.g. `hall/H1/ticket/5`.
    pub object: String,
    /// JSON
    pub detail: String,
    pub ip: String,
}

/// An entry with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    pub id: i64,
    pub entry: AuditEntry,
}

/// Which entries; all that is named must match.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub actor: Option<String>,
    pub action: Option<String>,
    pub object: Option<String>,
}

/// A page of the log, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    pub items: Vec<AuditRow>,
    /// Hand it in for the next page; none at the end.
    pub next_cursor: Option<String>,
}

/// Entries per statement; seven values each, far below the least limit of 32,766 values.
const ENTRIES_PER_STATEMENT: usize = 200;

impl Records {
    /// Adds an entry.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn insert_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.insert_audits(std::slice::from_ref(entry)).await
    }

    /// Adds entries in their order, many with one write to the disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn insert_audits(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        for some in entries.chunks(ENTRIES_PER_STATEMENT) {
            let rows: Vec<String> = (0..some.len()).map(placeholders).collect();
            let text = format!(
                "insert into audit (at, actor, role, action, object, detail, ip) values {}",
                rows.join(", ")
            );
            let statement = some.iter().fold(
                // Only placeholders were put in.
                sqlx::query(AssertSqlSafe(text)),
                |statement, entry| {
                    statement
                        .bind(entry.at.millis())
                        .bind(&entry.actor)
                        .bind(&entry.role)
                        .bind(&entry.action)
                        .bind(&entry.object)
                        .bind(&entry.detail)
                        .bind(&entry.ip)
                },
            );
            self.db.write(statement).await?;
        }
        Ok(())
    }

    /// A page of the log.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`], [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn audit_page(
        &self,
        filter: &AuditFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<AuditPage, StoreError> {
        let limit = limit.clamp(1, super::PAGE_MAX) as usize;
        let mut conditions = Conditions::default();
        conditions.equal("actor", filter.actor.as_deref());
        conditions.equal("action", filter.action.as_deref());
        conditions.equal("object", filter.object.as_deref());
        if let Some(cursor) = cursor {
            let before: i64 = cursor.parse().map_err(|_| StoreError::BadCursor)?;
            conditions.below("id", before);
        }
        let text = format!(
            "select * from audit where {} order by id desc limit {}",
            conditions.text(),
            limit + 1
        );
        let mut items = self.db.rows(conditions.statement(text), audit_row).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(|row| row.id.to_string());
        Ok(AuditPage { items, next_cursor })
    }
}

fn placeholders(row: usize) -> String {
    let first = row * 7;
    let names: Vec<String> = (first + 1..=first + 7).map(|n| format!("${n}")).collect();
    format!("({})", names.join(", "))
}

fn audit_row(row: &Fields<'_>) -> Result<AuditRow, StoreError> {
    Ok(AuditRow {
        id: row.int("id")?,
        entry: AuditEntry {
            at: row.time("at")?,
            actor: row.text("actor")?,
            role: row.text("role")?,
            action: row.text("action")?,
            object: row.text("object")?,
            detail: row.text("detail")?,
            ip: row.text("ip")?,
        },
    })
}
