//! What people ask of a channel, and what happened to it.

use serde::{Deserialize, Serialize};

use super::access::{Grant, KeyHash};
use super::health::{Health, Reason};
use super::setup::Setup;
use crate::ids::ChannelId;
use crate::machine::JournalEvent;
use crate::time::Timestamp;

/// What people ask. Calls are not asked for: they are recorded, see [`super::Channel::record`].
#[derive(Debug, Clone, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "people ask seldom, and what they ask is handed over once"
)]
pub enum ChannelCommand {
    /// Sets the channel up, or changes its set-up.
    SetUp {
        channel: ChannelId,
        setup: Setup,
        /// The revision that was changed, see [`super::Channel::revision`]; none: whichever stands.
        revision: Option<u64>,
    },
    DraftVersion {
        version: String,
        notes: Option<String>,
    },
    PublishVersion {
        version: String,
    },
    RevokeVersion {
        version: String,
        reason: Option<String>,
    },
    Grant {
        caller: String,
        /// None: every published version.
        version: Option<String>,
        key_hash: KeyHash,
        /// None: at once.
        since: Option<Timestamp>,
    },
    RevokeGrant {
        grant: u32,
        reason: Option<String>,
    },
    /// Announces maintenance; one that was announced before is replaced.
    Maintain {
        from: Option<Timestamp>,
        until: Timestamp,
        reason: String,
    },
    EndMaintenance,
}

/// What happened to a channel. Calls are no events: there are too many, and each has its record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ChannelEvent {
    ChannelSetUp {
        channel: ChannelId,
        setup: Box<Setup>,
    },
    VersionDrafted {
        version: String,
        notes: Option<String>,
    },
    VersionPublished {
        version: String,
    },
    VersionRevoked {
        version: String,
        reason: Option<String>,
    },
    Granted {
        grant: Grant,
    },
    GrantRevoked {
        grant: u32,
        reason: Option<String>,
    },
    MaintenanceAnnounced {
        from: Timestamp,
        until: Timestamp,
        reason: String,
    },
    MaintenanceEnded,
    HealthChanged {
        from: Health,
        to: Health,
        reason: Reason,
    },
}

impl JournalEvent for ChannelEvent {
    fn kind(&self) -> &'static str {
        match self {
            Self::ChannelSetUp { .. } => "channel_set_up",
            Self::VersionDrafted { .. } => "version_drafted",
            Self::VersionPublished { .. } => "version_published",
            Self::VersionRevoked { .. } => "version_revoked",
            Self::Granted { .. } => "granted",
            Self::GrantRevoked { .. } => "grant_revoked",
            Self::MaintenanceAnnounced { .. } => "maintenance_announced",
            Self::MaintenanceEnded => "maintenance_ended",
            Self::HealthChanged { .. } => "health_changed",
        }
    }
}
