//! Who may sign in, and what as.

use super::db::{Fields, json};
use super::{Records, StoreError};

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    pub username: String,
    pub name: String,
    pub password_hash: String,
    pub roles: Vec<String>,
    /// Halls the roles count in; `*` is all of them.
    pub halls: Vec<String>,
    /// Windows a clerk may sit at; none named is any.
    pub windows: Vec<String>,
    /// May call a ticket out of turn.
    pub call_chosen: bool,
    pub must_change_password: bool,
    /// JSON object from action to key.
    pub hotkeys: String,
    pub disabled: bool,
}

impl Records {
    /// All accounts, by username.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        let statement = sqlx::query("select * from accounts order by username");
        self.db.rows(statement, account).await
    }

    /// One account.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn account(&self, username: &str) -> Result<Option<AccountRow>, StoreError> {
        let statement = sqlx::query("select * from accounts where username = $1").bind(username);
        let row = self.db.row(statement).await?;
        row.map(|row| account(&Fields(&row))).transpose()
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if the username exists; [`StoreError::Unavailable`].
    pub async fn insert_account(&self, account: &AccountRow) -> Result<(), StoreError> {
        let statement = sqlx::query(include_str!("../queries/insert_account.sql"))
            .bind(&account.username)
            .bind(&account.name)
            .bind(&account.password_hash)
            .bind(json(&account.roles)?)
            .bind(json(&account.halls)?)
            .bind(json(&account.windows)?)
            .bind(i64::from(account.call_chosen))
            .bind(i64::from(account.must_change_password))
            .bind(&account.hotkeys)
            .bind(i64::from(account.disabled));
        self.db.insert(statement, "username").await
    }

    /// Replaces all but the username; `false` if there is no such account.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn update_account(&self, account: &AccountRow) -> Result<bool, StoreError> {
        let statement = sqlx::query(include_str!("../queries/update_account.sql"))
            .bind(&account.username)
            .bind(&account.name)
            .bind(&account.password_hash)
            .bind(json(&account.roles)?)
            .bind(json(&account.halls)?)
            .bind(json(&account.windows)?)
            .bind(i64::from(account.call_chosen))
            .bind(i64::from(account.must_change_password))
            .bind(&account.hotkeys)
            .bind(i64::from(account.disabled));
        Ok(self.db.write(statement).await? > 0)
    }

    /// Removes an account and its sessions; `false` if there was none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_account(&self, username: &str) -> Result<bool, StoreError> {
        let statement = sqlx::query("delete from accounts where username = $1").bind(username);
        Ok(self.db.write(statement).await? > 0)
    }

    /// Sets another password; `false` if there is no such account.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn set_password(
        &self,
        username: &str,
        hash: &str,
        must_change: bool,
    ) -> Result<bool, StoreError> {
        let statement = sqlx::query(include_str!("../queries/set_password.sql"))
            .bind(username)
            .bind(hash)
            .bind(i64::from(must_change));
        Ok(self.db.write(statement).await? > 0)
    }

    /// Sets the hotkeys (JSON); `false` if there is no such account.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn set_hotkeys(&self, username: &str, hotkeys: &str) -> Result<bool, StoreError> {
        let statement = sqlx::query("update accounts set hotkeys = $2 where username = $1")
            .bind(username)
            .bind(hotkeys);
        Ok(self.db.write(statement).await? > 0)
    }
}

fn account(row: &Fields<'_>) -> Result<AccountRow, StoreError> {
    Ok(AccountRow {
        username: row.text("username")?,
        name: row.text("name")?,
        password_hash: row.text("password_hash")?,
        roles: row.json("roles")?,
        halls: row.json("halls")?,
        windows: row.json("windows")?,
        call_chosen: row.flag("call_chosen")?,
        must_change_password: row.flag("must_change_password")?,
        hotkeys: row.text("hotkeys")?,
        disabled: row.flag("disabled")?,
    })
}
