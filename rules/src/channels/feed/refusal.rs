//! Every polite no of a feed.

use serde::Serialize;

use super::check::FieldFault;
use crate::machine::refuse_in_words;
use crate::name::Name;
use crate::reason;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FeedRefusal {
    InvalidField {
        field: String,
        reason: String,
    },
    /// Its set-up was changed since whoever asks has read it.
    ChangedMeanwhile {
        revision: u64,
    },
    NotSetUp,
    UnknownBatch {
        batch: String,
    },
    BatchExists {
        batch: String,
    },
    /// A feed that pushes does not receive, and the other way round.
    WrongDirection {
        direction: &'static str,
    },
    /// Others push for it and tell what came of that.
    NoTarget,
    TooManyFeeds {
        max: usize,
    },
    TooManyRecords {
        max: usize,
    },
    TooManyAtOnce {
        max: usize,
    },
    TooManyToCompare {
        max: usize,
    },
    NotInQuarantine {
        batch: String,
        record: String,
    },
    /// The correction itself cannot be taken.
    StillWrong {
        record: String,
        faults: Vec<FieldFault>,
    },
}

impl FeedRefusal {
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
                "该数据通道尚未登记".to_owned(),
                "this feed is not set up".to_owned(),
            ),
            Self::UnknownBatch { batch } => Name::new(
                format!("没有批次 {batch}"),
                format!("there is no batch {batch}"),
            ),
            Self::BatchExists { batch } => Name::new(
                format!("批次 {batch} 已存在"),
                format!("batch {batch} exists already"),
            ),
            Self::WrongDirection { direction } => Name::new(
                format!("该数据通道的方向是 {direction}"),
                format!("this feed's direction is {direction}"),
            ),
            Self::NoTarget => Name::new(
                "该数据通道没有推送地址，由外部系统推送".to_owned(),
                "this feed has no target: another system pushes for it".to_owned(),
            ),
            Self::TooManyFeeds { max } => Name::new(
                format!("至多登记 {max} 个数据通道"),
                format!("{max} feeds stand already"),
            ),
            Self::TooManyRecords { max } => Name::new(
                format!("一个批次至多 {max} 条记录，请另开批次"),
                format!("a batch has {max} records at most: begin another"),
            ),
            Self::TooManyAtOnce { max } => Name::new(
                format!("一次至多提交 {max} 条记录"),
                format!("{max} records may come in one request"),
            ),
            Self::TooManyToCompare { max } => Name::new(
                format!("一次至多比对 {max} 条记录，请按批次比对"),
                format!("{max} records may be compared at once: compare batch by batch"),
            ),
            Self::NotInQuarantine { batch, record } => Name::new(
                format!("批次 {batch} 的记录 {record} 不在隔离区"),
                format!("record {record} of batch {batch} is not in quarantine"),
            ),
            Self::StillWrong { record, faults } => {
                let fields: Vec<&str> = faults.iter().map(|one| one.field.as_str()).collect();
                let fields = fields.join(", ");
                Name::new(
                    format!("记录 {record} 仍不正确：{fields}"),
                    format!("record {record} is still wrong: {fields}"),
                )
            }
        }
    }

    /// Stable; programs go by it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidField { .. } => "invalid_field",
            Self::ChangedMeanwhile { .. } => "changed_meanwhile",
            Self::NotSetUp => "unknown_feed",
            Self::UnknownBatch { .. } => "unknown_batch",
            Self::BatchExists { .. } => "batch_exists",
            Self::WrongDirection { .. } => "wrong_direction",
            Self::NoTarget => "no_target",
            Self::TooManyFeeds { .. } => "too_many_feeds",
            Self::TooManyRecords { .. } => "too_many_records",
            Self::TooManyAtOnce { .. } => "too_many_at_once",
            Self::TooManyToCompare { .. } => "too_many_to_compare",
            Self::NotInQuarantine { .. } => "not_in_quarantine",
            Self::StillWrong { .. } => "invalid_record",
        }
    }
}

refuse_in_words!(FeedRefusal);
