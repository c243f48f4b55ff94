//! Signing in and being recognised: passwords (argon2id), sessions, device tokens.
//!
//! Tokens are 256 random bits, kept only as SHA-256. Accounts and sessions are held in
//! memory beside the database, which is written first; so recognising a request costs one hash.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use anyhow::Context as _;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rules::identity::IdentityKind;
use rules::time::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::config;
use crate::devices::Devices;
use crate::store::Records;
use crate::store::records::{AccountRow, SessionRow, StoreError};
use crate::web::access::{Principal, Scope};
use crate::web::error::Problem;

pub const SESSION_COOKIE: &str = "hallkeeper_session";
pub const DEVICE_COOKIE: &str = "hallkeeper_device";

/// Shortest password accepted, in characters.
const PASSWORD_MIN_CHARS: usize = 10;

/// Addresses and names whose failures are remembered at once; beyond it the oldest are forgotten.
const FAILURES_KEPT: usize = 10_000;

type Known<T> = RwLock<BTreeMap<String, Arc<T>>>;

pub struct Auth {
    records: Records,
    accounts: Known<AccountRow>,
    /// By hash of the token.
    sessions: Known<SessionRow>,
    devices: Arc<Devices>,
    failures: RwLock<BTreeMap<String, (u32, Instant)>>,
    settings: config::Session,
    /// Hashing a password takes tens of milliseconds of a core; no more at once than cores.
    hashing: Semaphore,
    /// Key under which document numbers are hashed.
    secret: Vec<u8>,
    /// A hash to check against when there is no such account, so that both take as long.
    decoy: String,
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl Auth {
    /// Loads what is known; makes the secret of this installation at the first start.
    ///
    /// # Errors
    /// The database or the machine's random numbers are not available.
    pub async fn load(
        records: Records,
        devices: Arc<Devices>,
        settings: config::Session,
    ) -> anyhow::Result<Self> {
        let fresh = random_hex(32)?;
        let secret = records
            .set_setting_if_absent("person_secret", &fresh)
            .await?;
        let accounts = records.accounts().await?;
        let sessions = records.sessions().await?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            decoy: hash_password(&random_hex(16)?)?,
            accounts: RwLock::new(by(accounts, |row| row.username.clone())),
            sessions: RwLock::new(by(sessions, |row| row.token_hash.clone())),
            devices,
            failures: RwLock::default(),
            settings,
            hashing: Semaphore::new(cores),
            secret: secret.into_bytes(),
            records,
        })
    }

    pub fn has_accounts(&self) -> bool {
        !read(&self.accounts).is_empty()
    }

    pub fn account(&self, username: &str) -> Option<Arc<AccountRow>> {
        read(&self.accounts).get(username).cloned()
    }

    pub fn accounts(&self) -> Vec<Arc<AccountRow>> {
        read(&self.accounts).values().cloned().collect()
    }

    /// Checks a password and opens a session; the token is told once.
    ///
    /// # Errors
    /// `bad_credentials`, the same for unknown names and wrong passwords; `too_many_attempts`.
    pub async fn sign_in(
        &self,
        username: &str,
        password: &str,
        address: &str,
        now: Timestamp,
    ) -> Result<(String, SessionRow, Arc<AccountRow>), Problem> {
        let doors = [format!("name:{username}"), format!("address:{address}")];
        self.check_attempts(&doors)?;
        let account = self.account(username).filter(|account| !account.disabled);
        let hash = account
            .as_ref()
            .map_or(&self.decoy, |account| &account.password_hash)
            .clone();
        let right = self.verify(password.to_owned(), hash).await?;
        let Some(account) = account.filter(|_| right) else {
            self.count_failure(&doors);
            return Err(bad_credentials());
        };
        write(&self.failures).remove(&doors[0]);
        let token = random_hex(32).map_err(|_| Problem::unavailable())?;
        let session = SessionRow {
            token_hash: hash_token(&token),
            username: account.username.clone(),
            created_at: now,
            expires_at: now.plus_secs(u64::from(self.settings.hours) * 3600),
        };
        self.records.insert_session(&session).await?;
        write(&self.sessions).insert(session.token_hash.clone(), Arc::new(session.clone()));
        Ok((token, session, account))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// The database is not available.
    pub async fn sign_out(&self, token: &str) -> Result<(), StoreError> {
        let hash = hash_token(token);
        self.records.delete_session(&hash).await?;
        write(&self.sessions).remove(&hash);
        Ok(())
    }

    /// Changes a password and ends the account's other sessions.
    ///
    /// # Errors
    /// `bad_credentials` if the old one is wrong, `password_unchanged` if the new one is the old one,
    /// `invalid_field` if it is too weak.
    pub async fn change_password(
        &self,
        username: &str,
        old: &str,
        new: &str,
        keep: Option<&str>,
    ) -> Result<(), Problem> {
        let account = self.account(username).ok_or_else(bad_credentials)?;
        if !self
            .verify(old.to_owned(), account.password_hash.clone())
            .await?
        {
            return Err(bad_credentials());
        }
        if old == new {
            return Err(unchanged_password());
        }
        let hash = self.hash_new(username, new).await?;
        self.records.set_password(username, &hash, false).await?;
        let changed = AccountRow {
            password_hash: hash,
            must_change_password: false,
            ..(*account).clone()
        };
        write(&self.accounts).insert(username.to_owned(), Arc::new(changed));
        self.end_sessions_of(username, keep).await?;
        Ok(())
    }

    /// Hashes a new password after checking it against the rules.
    ///
    /// # Errors
    /// `invalid_field` naming the rule.
    pub async fn hash_new(&self, username: &str, password: &str) -> Result<String, Problem> {
        if password.chars().count() < PASSWORD_MIN_CHARS {
            return Err(Problem::invalid("password", "at least 10 characters"));
        }
        if password.chars().count() > 200 {
            return Err(Problem::invalid("password", "at most 200 characters"));
        }
        if password.to_lowercase().contains(&username.to_lowercase()) {
            return Err(Problem::invalid("password", "must not hold the username"));
        }
        let password = password.to_owned();
        let _turn = self
            .hashing
            .acquire()
            .await
            .map_err(|_| Problem::unavailable())?;
        let hashed = tokio::task::spawn_blocking(move || hash_password(&password)).await;
        hashed
            .ok()
            .and_then(Result::ok)
            .ok_or_else(Problem::unavailable)
    }

    async fn verify(&self, password: String, hash: String) -> Result<bool, Problem> {
        let _turn = self
            .hashing
            .acquire()
            .await
            .map_err(|_| Problem::unavailable())?;
        let verified = tokio::task::spawn_blocking(move || {
            PasswordHash::new(&hash).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(password.as_bytes(), &hash)
                    .is_ok()
            })
        });
        verified.await.map_err(|_| Problem::unavailable())
    }

    fn check_attempts(&self, doors: &[String]) -> Result<(), Problem> {
        let lock = Duration::from_secs(self.settings.lock_secs);
        let failures = read(&self.failures);
        for door in doors {
            let Some((count, since)) = failures.get(door) else {
                continue;
            };
            // One office shares one address, so an address may fail more often than a name.
            let limit = if door.starts_with("name:") { 1 } else { 10 } * self.settings.attempts;
            if *count >= limit && since.elapsed() < lock {
                let wait = lock.saturating_sub(since.elapsed()).as_secs() + 1;
                return Err(Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too_many_attempts",
                    "登录失败次数过多，请稍后再试",
                    "too many failed attempts; please try later",
                )
                .with("retry_after_secs", wait));
            }
        }
        Ok(())
    }

    fn count_failure(&self, doors: &[String]) {
        let lock = Duration::from_secs(self.settings.lock_secs);
        let mut failures = write(&self.failures);
        if failures.len() >= FAILURES_KEPT {
            failures.retain(|_, (_, since)| since.elapsed() < lock);
        }
        for door in doors {
            let entry = failures.entry(door.clone()).or_insert((0, Instant::now()));
            if entry.1.elapsed() >= lock {
                entry.0 = 0;
            }
            *entry = (entry.0 + 1, Instant::now());
        }
    }

    /// Adds or replaces an account.
    ///
    /// # Errors
    /// `taken` when it exists already and shall be new.
    pub async fn put_account(&self, account: AccountRow, new: bool) -> Result<(), Problem> {
        if new {
            self.records.insert_account(&account).await?;
        } else {
            self.records.update_account(&account).await?;
        }
        let username = account.username.clone();
        let disabled = account.disabled;
        write(&self.accounts).insert(username.clone(), Arc::new(account));
        if disabled {
            self.end_sessions_of(&username, None).await?;
        }
        Ok(())
    }

    /// Removes an account and ends its sessions.
    ///
    /// # Errors
    /// The database is not available.
    pub async fn remove_account(&self, username: &str) -> Result<(), StoreError> {
        self.end_sessions_of(username, None).await?;
        self.records.delete_account(username).await?;
        write(&self.accounts).remove(username);
        Ok(())
    }

    /// Remembers a clerk's keys.
    ///
    /// # Errors
    /// The database is not available.
    pub async fn set_hotkeys(&self, username: &str, hotkeys: &str) -> Result<(), StoreError> {
        self.records.set_hotkeys(username, hotkeys).await?;
        if let Some(account) = self.account(username) {
            let changed = AccountRow {
                hotkeys: hotkeys.to_owned(),
                ..(*account).clone()
            };
            write(&self.accounts).insert(username.to_owned(), Arc::new(changed));
        }
        Ok(())
    }

    async fn end_sessions_of(&self, username: &str, keep: Option<&str>) -> Result<(), StoreError> {
        let keep = keep.map(hash_token);
        let ended: Vec<String> = read(&self.sessions)
            .values()
            .filter(|s| s.username == username && Some(&s.token_hash) != keep.as_ref())
            .map(|s| s.token_hash.clone())
            .collect();
        for hash in ended {
            self.records.delete_session(&hash).await?;
            write(&self.sessions).remove(&hash);
        }
        Ok(())
    }

    /// Who a token belongs to.
    pub fn recognise(&self, token: &str, now: Timestamp) -> Option<Principal> {
        let hash = hash_token(token);
        if let Some(session) = read(&self.sessions).get(&hash) {
            return (session.expires_at > now)
                .then(|| self.account(&session.username))
                .flatten()
                .filter(|account| !account.disabled)
                .map(|account| principal_of(&account));
        }
        self.devices.recognise(&hash)
    }

    /// Hash by which the holder of a document is found again. Keyed, so that the short space of
    /// document numbers cannot be searched without the key.
    pub fn person(&self, kind: IdentityKind, number: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret) else {
            unreachable!("HMAC takes keys of any length");
        };
        mac.update(format!("{kind:?}:{number}").as_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

fn by<T>(rows: Vec<T>, key: impl Fn(&T) -> String) -> BTreeMap<String, Arc<T>> {
    rows.into_iter()
        .map(|row| (key(&row), Arc::new(row)))
        .collect()
}

fn unchanged_password() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "password_unchanged",
        "新密码不能与原密码相同",
        "the new password must differ from the old one",
    )
    .with("field", "new")
}

fn bad_credentials() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "bad_credentials",
        "用户名或密码不正确",
        "the username or the password is wrong",
    )
}

/// An account's rights.
pub fn principal_of(account: &AccountRow) -> Principal {
    Principal {
        name: account.username.clone(),
        roles: account
            .roles
            .iter()
            .filter_map(|role| role.parse().ok())
            .collect(),
        scope: Scope::of(account.halls.iter().cloned()),
        call_chosen: account.call_chosen,
        windows: account.windows.iter().cloned().collect(),
    }
}

/// What a request showed to prove who it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    Bearer(String),
    Session(String),
    Device(String),
}

impl Proof {
    pub fn token(&self) -> &str {
        match self {
            Self::Bearer(token) | Self::Session(token) | Self::Device(token) => token,
        }
    }

    /// The browser adds cookies by itself, so a request proved by one may be another page's doing.
    pub const fn is_cookie(&self) -> bool {
        matches!(self, Self::Session(_) | Self::Device(_))
    }
}

/// What the request shows, most telling first.
pub fn proofs(request: &HttpRequest) -> Vec<Proof> {
    let header = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    if let Some(token) = header.and_then(|value| value.strip_prefix("Bearer ")) {
        return vec![Proof::Bearer(token.trim().to_owned())];
    }
    let cookie = |name: &str| request.cookie(name).map(|cookie| cookie.value().to_owned());
    let session = cookie(SESSION_COOKIE).map(Proof::Session);
    let device = cookie(DEVICE_COOKIE).map(Proof::Device);
    session.into_iter().chain(device).collect()
}

/// The cookie that keeps a token in a browser: not readable by scripts, not sent across sites.
pub fn cookie(name: &'static str, token: &str, secs: i64, secure: bool) -> Cookie<'static> {
    Cookie::build(name, token.to_owned())
        .path("/")
        .http_only(true)
        .secure(secure)
        .same_site(SameSite::Strict)
        .max_age(actix_web::cookie::time::Duration::seconds(secs))
        .finish()
}

/// Hashes a password with argon2id at the crate's defaults (19 MiB, two passes: OWASP's minimum).
///
/// # Errors
/// The machine's random numbers are not available.
pub fn hash_password(password: &str) -> anyhow::Result<String> {
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|cause| anyhow::anyhow!("could not hash a password: {cause}"))?;
    Ok(hash.to_string())
}

/// So many random bytes as hexadecimal digits.
///
/// # Errors
/// The machine's random numbers are not available.
pub fn random_hex(bytes: usize) -> anyhow::Result<String> {
    let mut random = vec![0_u8; bytes];
    getrandom::fill(&mut random).context("could not draw random numbers")?;
    Ok(hex(&random))
}

/// SHA-256 of a token, as it is kept.
pub fn hash_token(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
