//! What other systems tell of a person's cases, for the clerk's console.

use rules::time::Timestamp;

use super::db::Fields;
use super::{Records, StoreError};

/// A case of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    pub case_no: String,
    /// Keyed hash of the document.
    pub person: String,
    pub item: String,
    pub state: String,
    pub department: String,
    pub due_at: Option<Timestamp>,
    pub updated_at: Timestamp,
}

/// Cases shown at most; the newest ones count at a window.
const CASES_MAX: i64 = 200;

impl Records {
    /// Adds a case or brings it up to date. News older than what is known is passed over.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn upsert_case(&self, case: &CaseRow) -> Result<(), StoreError> {
        let statement = sqlx::query(include_str!("../queries/upsert_case.sql"))
            .bind(&case.case_no)
            .bind(&case.person)
            .bind(&case.item)
            .bind(&case.state)
            .bind(&case.department)
            .bind(case.due_at.map(Timestamp::millis))
            .bind(case.updated_at.millis());
        self.db.write(statement).await.map(drop)
    }

    /// A person's cases, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn cases_of(&self, person: &str) -> Result<Vec<CaseRow>, StoreError> {
        let statement = sqlx::query(include_str!("../queries/cases_of.sql"))
            .bind(person)
            .bind(CASES_MAX);
        self.db.rows(statement, case).await
    }
}

fn case(row: &Fields<'_>) -> Result<CaseRow, StoreError> {
    Ok(CaseRow {
        case_no: row.text("case_no")?,
        person: row.text("person")?,
        item: row.text("item")?,
        state: row.text("state")?,
        department: row.text("department")?,
        due_at: row.int_if_any("due_at")?.map(Timestamp::from_millis),
        updated_at: row.time("updated_at")?,
    })
}
