//! What belongs to the installation, such as its secret.

use super::db::Fields;
use super::{Records, StoreError};

impl Records {
    /// A setting's value.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        let statement = sqlx::query("select value from settings where key = $1").bind(key);
        let row = self.db.row(statement).await?;
        row.map(|row| Fields(&row).text("value")).transpose()
    }

    /// Sets a value unless there is one, and answers with the one that counts: of several
    /// processes that start at once all get the same.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn set_setting_if_absent(
        &self,
        key: &str,
        value: &str,
    ) -> Result<String, StoreError> {
        let statement = sqlx::query(include_str!("../queries/set_setting_if_absent.sql"))
            .bind(key)
            .bind(value);
        self.db.write(statement).await?;
        let present = self.setting(key).await?;
        present.ok_or_else(|| StoreError::Corrupt(format!("the setting {key} went away")))
    }

    /// Sets a value, whatever there was.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn set_setting(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let statement = sqlx::query(
            "insert into settings (key, value) values ($1, $2) \
             on conflict (key) do update set value = excluded.value",
        );
        self.db
            .write(statement.bind(key).bind(value))
            .await
            .map(drop)
    }
}
