//! Every polite no to somebody who sets up a channel. Refused calls are [`super::CallRefusal`].

use serde::Serialize;

use super::access::VersionState;
use crate::ids::ChannelId;
use crate::machine::{RefusalKind, Refuse};
use crate::name::Lang;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ChannelRefusal {
    InvalidField {
        field: String,
        reason: String,
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

    fn sentences(&self) -> (String, String) {
        match self {
            Self::InvalidField { field, reason } => (
                format!("字段 {field} 不正确：{reason}"),
                format!("the field {field} {reason}"),
            ),
            Self::NotSetUp => (
                "该通道尚未登记".to_owned(),
                "this channel is not set up".to_owned(),
            ),
            Self::OtherChannel { channel } => (
                format!("这是通道 {channel}"),
                format!("this is channel {channel}"),
            ),
            Self::UnknownVersion { version } => (
                format!("没有版本 {version}"),
                format!("there is no version {version}"),
            ),
            Self::VersionExists { version } => (
                format!("版本 {version} 已存在，请另取版本号"),
                format!("version {version} exists already: take another name"),
            ),
            Self::VersionState { version, state } => {
                let (zh, en) = match state {
                    VersionState::Draft => ("尚未发布", "is a draft"),
                    VersionState::Published => ("已发布", "is published"),
                    VersionState::Revoked => ("已停用", "was withdrawn"),
                };
                (
                    format!("版本 {version} {zh}"),
                    format!("version {version} {en}"),
                )
            }
            Self::VersionsFull { max } => (
                format!("未停用的版本已达 {max} 个上限"),
                format!("{max} versions stand already"),
            ),
            Self::UnknownGrant { grant } => (
                format!("没有授权 {grant}"),
                format!("there is no grant {grant}"),
            ),
            Self::GrantRevoked { grant } => (
                format!("授权 {grant} 已撤销"),
                format!("grant {grant} is revoked already"),
            ),
            Self::AlreadyGranted { grant } => (
                format!("该调用方已以此密钥获得授权 {grant}"),
                format!("the caller has grant {grant} with this key"),
            ),
            Self::GrantsFull { max } => (
                format!("有效授权已达 {max} 个上限"),
                format!("{max} grants stand already"),
            ),
            Self::NoMaintenance => (
                "没有维护安排".to_owned(),
                "no maintenance is announced".to_owned(),
            ),
        }
    }
}

impl std::fmt::Display for ChannelRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence(Lang::En))
    }
}

impl std::error::Error for ChannelRefusal {}

impl Refuse for ChannelRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::InvalidField { .. } => RefusalKind::Invalid,
            Self::NotSetUp | Self::UnknownVersion { .. } | Self::UnknownGrant { .. } => {
                RefusalKind::Unknown
            }
            _ => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InvalidField { .. } => "invalid_field",
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

    fn sentence(&self, lang: Lang) -> String {
        let (zh, en) = self.sentences();
        match lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }
}
