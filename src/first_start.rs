//! The first start: an administrator with a one-time password, kept where only the owner may read.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;

use crate::store::records::AccountRow;
use crate::web::auth::{Auth, hash_password, random_hex};

pub const ADMIN: &str = "admin";

const PASSWORD_FILE: &str = "initial-admin-password";

/// Makes the administrator if there are no accounts; returns the one-time password then.
///
/// # Errors
/// The password file cannot be written or the account not kept.
pub async fn make_admin(auth: &Auth, data_dir: &Path) -> anyhow::Result<Option<String>> {
    if auth.has_accounts() {
        return Ok(None);
    }
    let password = random_hex(8)?;
    // The file first: an account whose password nobody can learn would lock everybody out.
    write_private(&data_dir.join(PASSWORD_FILE), &password)?;
    let account = AccountRow {
        username: ADMIN.to_owned(),
        name: "管理员 Administrator".to_owned(),
        password_hash: hash_password(&password)?,
        roles: vec!["admin".to_owned()],
        halls: vec!["*".to_owned()],
        windows: Vec::new(),
        call_chosen: true,
        must_change_password: true,
        hotkeys: "{}".to_owned(),
        disabled: false,
    };
    auth.put_account(account, true).await.map_err(|problem| {
        anyhow::anyhow!("could not keep the administrator's account: {problem}")
    })?;
    Ok(Some(password))
}

fn write_private(path: &Path, password: &str) -> anyhow::Result<()> {
    let _ = fs::remove_file(path);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("could not write {}", path.display()))?;
    writeln!(file, "{password}")?;
    file.sync_all()?;
    Ok(())
}

/// Removes the password file once the password was changed.
pub fn forget_password(data_dir: &Path) {
    let _ = fs::remove_file(data_dir.join(PASSWORD_FILE));
}
