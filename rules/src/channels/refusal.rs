//! Every polite no to somebody who sets up a channel. Refused calls are [`super::CallRefusal`].

use serde::Serialize;

use super::access::VersionState;
use crate::ids::ChannelId;
use crate::machine::refuse_in_words;
use crate::name::Name;
use crate::reason;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ChannelRefusal {
    InvalidField {
        field: String,
        reason: String,
    },
    /// Its set-up was changed since whoever asks has read it.
    ChangedMeanwhile {
        revision: u64,
    },
    /// Nobody has set it up.
    NotSetUp,
    /// This is another channel.
    OtherChannel {
        channel: ChannelId,
    },
    UnknownVersion {
        version: String,
    },
    VersionExists {
        version: String,
    },
    VersionState {
        version: String,
        state: VersionState,
    },
    VersionsFull {
        max: usize,
    },
    UnknownGrant {
        grant: u32,
    },
    GrantRevoked {
        grant: u32,
    },
    /// The same caller has this key already.
    AlreadyGranted {
        grant: u32,
    },
    GrantsFull {
        max: usize,
    },
    NoMaintenance,
}

impl ChannelRefusal {
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidField {
            field: field.into(),
            reason: reason.into(),
        }
    }

    fn words(&self) -> Name {
        match self {
            Self::InvalidField { field, reason } => reason::sentence(field, reason),
            Self::ChangedMeanwhile { .. } => Name::new(
                "设置已被他人修改，未保存；请核对后重试".to_owned(),
                "the set-up was changed meanwhile: nothing was saved".to_owned(),
            ),
            Self::NotSetUp => Name::new(
                "该通道尚未登记".to_owned(),
                "this channel is not set up".to_owned(),
            ),
            Self::OtherChannel { channel } => Name::new(
                format!("这是通道 {channel}"),
                format!("this is channel {channel}"),
            ),
            Self::UnknownVersion { version } => Name::new(
                format!("没有版本 {version}"),
                format!("there is no version {version}"),
            ),
            Self::VersionExists { version } => Name::new(
                format!("版本 {version} 已存在，请另取版本号"),
                format!("version {version} exists already: take another name"),
            ),
            Self::VersionState { version, state } => {
                let (zh, en) = match state {
                    VersionState::Draft => ("尚未发布", "is a draft"),
                    VersionState::Published => ("已发布", "is published"),
                    VersionState::Revoked => ("已停用", "was withdrawn"),
                };
                Name::new(
                    format!("版本 {version} {zh}"),
                    format!("version {version} {en}"),
                )
            }
            Self::VersionsFull { max } => Name::new(
                format!("未停用的版本已达 {max} 个上限"),
                format!("{max} versions stand already"),
            ),
            Self::UnknownGrant { grant } => Name::new(
                format!("没有授权 {grant}"),
                format!("there is no grant {grant}"),
            ),
            Self::GrantRevoked { grant } => Name::new(
                format!("授权 {grant} 已撤销"),
                format!("grant {grant} is revoked already"),
            ),
            Self::AlreadyGranted { grant } => Name::new(
                format!("该调用方已以此密钥获得授权 {grant}"),
                format!("the caller has grant {grant} with this key"),
            ),
            Self::GrantsFull { max } => Name::new(
                format!("有效授权已达 {max} 个上限"),
                format!("{max} grants stand already"),
            ),
            Self::NoMaintenance => Name::new(
                "没有维护安排".to_owned(),
                "no maintenance is announced".to_owned(),
            ),
        }
    }

    /// Stable; programs go by it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidField { .. } => "invalid_field",
            Self::ChangedMeanwhile { .. } => "changed_meanwhile",
            Self::NotSetUp => "unknown_channel",
            Self::OtherChannel { .. } => "other_channel",
            Self::UnknownVersion { .. } => "unknown_version",
            Self::VersionExists { .. } => "version_exists",
            Self::VersionState { .. } => "version_state",
            Self::VersionsFull { .. } => "versions_full",
            Self::UnknownGrant { .. } => "unknown_grant",
            Self::GrantRevoked { .. } => "grant_revoked",
            Self::AlreadyGranted { .. } => "already_granted",
            Self::GrantsFull { .. } => "grants_full",
            Self::NoMaintenance => "no_maintenance",
        }
    }
}

refuse_in_words!(ChannelRefusal);
