//! Tags such as `elderly` on a person, who is known by the keyed hash of a document only.

use rules::time::Timestamp;

use super::db::Fields;
use super::{Records, StoreError};

/// A tag on a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRow {
    pub person: String,
    pub tag: String,
    pub added_at: Timestamp,
    /// The account that added it.
    pub by: String,
}

impl Records {
    /// A person's tags, in order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn tags_of(&self, person: &str) -> Result<Vec<TagRow>, StoreError> {
        let statement =
            sqlx::query("select * from person_tags where person = $1 order by tag").bind(person);
        self.db.rows(statement, tag).await
    }

    /// Adds a tag; `false` if the person has it already.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn add_tag(&self, tag: &TagRow) -> Result<bool, StoreError> {
        let statement = sqlx::query(include_str!("../queries/add_tag.sql"))
            .bind(&tag.person)
            .bind(&tag.tag)
            .bind(tag.added_at.millis())
            .bind(&tag.by);
        Ok(self.db.write(statement).await? > 0)
    }

    /// Removes a tag; `false` if the person had it not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn remove_tag(&self, person: &str, tag: &str) -> Result<bool, StoreError> {
        let statement = sqlx::query("delete from person_tags where person = $1 and tag = $2")
            .bind(person)
            .bind(tag);
        Ok(self.db.write(statement).await? > 0)
    }
}

fn tag(row: &Fields<'_>) -> Result<TagRow, StoreError> {
    Ok(TagRow {
        person: row.text("person")?,
        tag: row.text("tag")?,
        added_at: row.time("added_at")?,
        by: row.text("by")?,
    })
}
