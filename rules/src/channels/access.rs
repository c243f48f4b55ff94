//! Versions of an interface, and who may call which of them.
//!
//! ```text
//! version:  draft ─publish→ published ─revoke→ revoked       (never back: a new version is published)
//! grant:    given, from an instant on ─revoke→ revoked
//! ```
//! A grant holds a hash of the caller's key, never the key. Two grants of one caller with different
//! keys may stand side by side, so that a key can be changed without a pause.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::name::Lang;
use crate::time::Timestamp;

/// Versions that are remembered; revoked ones give way to new ones, the oldest first.
pub const VERSIONS_MAX: usize = 24;

/// Grants that are remembered; revoked ones give way to new ones, the oldest first.
pub const GRANTS_MAX: usize = 64;

/// Longest name of a version, in bytes.
pub const VERSION_MAX: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    Draft,
    Published,
    Revoked,
}

/// A version with its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub version: Box<str>,
    pub state: VersionState,
    pub drafted_at: Timestamp,
    pub published_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// Whether a text may name a version: letters, digits, `.`, `-` and `_`.
pub fn is_version(text: &str) -> bool {
    let sign = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=VERSION_MAX).contains(&text.len()) && text.bytes().all(sign)
}

/// A hash of a caller's key, 256 bits; 64 hexadecimal digits in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(pub [u8; 32]);

impl Serialize for KeyHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = self.0.iter().map(|byte| format!("{byte:02x}"));
        serializer.serialize_str(&digits.collect::<String>())
    }
}

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        let well_formed = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !well_formed {
            return Err(serde::de::Error::custom("a hash is 64 hexadecimal digits"));
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).unwrap_or(0);
        }
        Ok(Self(bytes))
    }
}

/// Who may call, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Unique within its channel, rising.
    pub id: u32,
    pub caller: Box<str>,
    /// None: every published version.
    pub version: Option<Box<str>>,
    pub key_hash: KeyHash,
    /// From here on.
    pub since: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// Why a call is not carried out. Each has a stable code, which the history keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallRefusal {
    UnknownCaller,
    WrongKey,
    /// It was allowed once.
    GrantRevoked,
    /// It will be allowed later.
    GrantNotYet,
    /// Allowed, but not this version.
    VersionNotGranted,
    UnknownVersion,
    VersionNotPublished,
    VersionRevoked,
    /// Nothing is forwarded meanwhile.
    ChannelInMaintenance,
    /// As many calls are under way as may be.
    ChannelBusy,
}

impl CallRefusal {
    pub const ALL: [Self; 10] = [
        Self::UnknownCaller,
        Self::WrongKey,
        Self::GrantRevoked,
        Self::GrantNotYet,
        Self::VersionNotGranted,
        Self::UnknownVersion,
        Self::VersionNotPublished,
        Self::VersionRevoked,
        Self::ChannelInMaintenance,
        Self::ChannelBusy,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownCaller => "unknown_caller",
            Self::WrongKey => "wrong_key",
            Self::GrantRevoked => "grant_revoked",
            Self::GrantNotYet => "grant_not_yet",
            Self::VersionNotGranted => "version_not_granted",
            Self::UnknownVersion => "unknown_version",
            Self::VersionNotPublished => "version_not_published",
            Self::VersionRevoked => "version_revoked",
            Self::ChannelInMaintenance => "channel_in_maintenance",
            Self::ChannelBusy => "channel_busy",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }

    /// A sentence for a person.
    pub const fn sentence(self, lang: Lang) -> &'static str {
        let (zh, en) = match self {
            Self::UnknownCaller => ("调用方未登记", "the caller is not known here"),
            Self::WrongKey => ("密钥不正确", "the key is not the caller's"),
            Self::GrantRevoked => ("授权已撤销", "the grant was revoked"),
            Self::GrantNotYet => ("授权尚未生效", "the grant is not in force yet"),
            Self::VersionNotGranted => ("未获得该版本的授权", "this version was not granted"),
            Self::UnknownVersion => ("没有该版本", "there is no such version"),
            Self::VersionNotPublished => ("该版本尚未发布", "this version is not published"),
            Self::VersionRevoked => ("该版本已停用", "this version was withdrawn"),
            Self::ChannelInMaintenance => ("通道维护中", "the channel is under maintenance"),
            Self::ChannelBusy => (
                "并发调用过多，请稍后重试",
                "too many calls are under way; please try again",
            ),
        };
        match lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }
}

/// Versions and grants of one channel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Access {
    versions: Vec<Version>,
    grants: Vec<Grant>,
    last_grant: u32,
}

impl Access {
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    pub fn version(&self, version: &str) -> Option<&Version> {
        self.versions.iter().find(|one| *one.version == *version)
    }

    pub fn grant(&self, id: u32) -> Option<&Grant> {
        self.grants.iter().find(|grant| grant.id == id)
    }

    /// Whose key this is. A key whose grants were all taken back still tells whose it was.
    pub fn caller_of(&self, key_hash: &KeyHash) -> Option<&str> {
        let mut with_key = self.grants.iter().filter(|one| one.key_hash == *key_hash);
        with_key.next().map(|grant| &*grant.caller)
    }

    /// The version that was published last and stands.
    pub fn current(&self) -> Option<&Version> {
        let published = self
            .versions
            .iter()
            .filter(|v| v.state == VersionState::Published);
        published.max_by_key(|version| version.published_at)
    }

    /// Number for the next grant.
    pub(super) const fn next_grant(&self) -> u32 {
        self.last_grant + 1
    }

    /// Whether there is room for one more that is not revoked.
    pub(super) fn has_room_for_version(&self) -> bool {
        let revoked = |version: &Version| version.state == VersionState::Revoked;
        self.versions.len() < VERSIONS_MAX || self.versions.iter().any(revoked)
    }

    pub(super) fn has_room_for_grant(&self) -> bool {
        let revoked = |grant: &Grant| grant.revoked_at.is_some();
        self.grants.len() < GRANTS_MAX || self.grants.iter().any(revoked)
    }

    /// Whether this caller with this key may call this version at this instant.
    ///
    /// # Errors
    /// What stands against it; who the caller is comes first, then what it may do.
    pub fn permit(
        &self,
        caller: &str,
        key_hash: &KeyHash,
        version: &str,
        at: Timestamp,
    ) -> Result<(), CallRefusal> {
        let of_caller = || self.grants.iter().filter(|grant| *grant.caller == *caller);
        if of_caller().next().is_none() {
            return Err(CallRefusal::UnknownCaller);
        }
        let with_key = || of_caller().filter(|grant| grant.key_hash == *key_hash);
        if with_key().next().is_none() {
            return Err(CallRefusal::WrongKey);
        }
        let standing = || with_key().filter(|grant| grant.revoked_at.is_none_or(|end| at < end));
        if standing().next().is_none() {
            return Err(CallRefusal::GrantRevoked);
        }
        let in_force = || standing().filter(|grant| grant.since <= at);
        if in_force().next().is_none() {
            return Err(CallRefusal::GrantNotYet);
        }
        let found = self.version(version).ok_or(CallRefusal::UnknownVersion)?;
        match found.state {
            VersionState::Draft => return Err(CallRefusal::VersionNotPublished),
            VersionState::Revoked => return Err(CallRefusal::VersionRevoked),
            VersionState::Published => {}
        }
        let covers = |grant: &Grant| grant.version.as_deref().is_none_or(|only| only == version);
        match in_force().any(covers) {
            true => Ok(()),
            false => Err(CallRefusal::VersionNotGranted),
        }
    }

    pub(super) fn draft(&mut self, version: &str, at: Timestamp) {
        if self.versions.len() >= VERSIONS_MAX {
            let revoked = |one: &Version| one.state == VersionState::Revoked;
            if let Some(oldest) = self.versions.iter().position(revoked) {
                self.versions.remove(oldest);
            }
        }
        self.versions.push(Version {
            version: version.into(),
            state: VersionState::Draft,
            drafted_at: at,
            published_at: None,
            revoked_at: None,
        });
    }

    pub(super) fn publish(&mut self, version: &str, at: Timestamp) {
        if let Some(one) = self.version_mut(version) {
            one.state = VersionState::Published;
            one.published_at = Some(at);
        }
    }

    pub(super) fn revoke_version(&mut self, version: &str, at: Timestamp) {
        if let Some(one) = self.version_mut(version) {
            one.state = VersionState::Revoked;
            one.revoked_at = Some(at);
        }
    }

    fn version_mut(&mut self, version: &str) -> Option<&mut Version> {
        let is = |one: &&mut Version| *one.version == *version;
        self.versions.iter_mut().find(is)
    }

    pub(super) fn give(&mut self, grant: Grant) {
        if self.grants.len() >= GRANTS_MAX {
            let revoked = |one: &Grant| one.revoked_at.is_some();
            if let Some(oldest) = self.grants.iter().position(revoked) {
                self.grants.remove(oldest);
            }
        }
        self.last_grant = self.last_grant.max(grant.id);
        self.grants.push(grant);
    }

    pub(super) fn revoke_grant(&mut self, id: u32, at: Timestamp) {
        if let Some(grant) = self.grants.iter_mut().find(|grant| grant.id == id) {
            grant.revoked_at = Some(at);
        }
    }

    /// Bytes that it occupies beside its own size.
    pub fn heap_bytes(&self) -> usize {
        let grant = |grant: &Grant| {
            grant.caller.len() + grant.version.as_ref().map_or(0, |version| version.len())
        };
        let version = |version: &Version| version.version.len();
        self.versions.capacity() * size_of::<Version>()
            + self.grants.capacity() * size_of::<Grant>()
            + self.versions.iter().map(version).sum::<usize>()
            + self.grants.iter().map(grant).sum::<usize>()
    }
}
