//! What rules may ask of an API channel. Its values come with the channels.

use crate::alerts::facts::{flag, number, text};
use crate::alerts::subject::{Unit, Variable};

pub const VARIABLES: &[Variable] = &[
    text(
        "state",
        &["healthy", "degraded", "down", "recovering", "maintenance"],
        "通道状态",
        "state of the channel",
    ),
    number(
        "consecutive_failures",
        Unit::Count,
        "连续失败次数",
        "failed calls in a row",
    ),
    number(
        "calls_5min",
        Unit::Count,
        "近5分钟调用次数",
        "calls of the last 5 minutes",
    ),
    number(
        "failures_5min",
        Unit::Count,
        "近5分钟失败次数",
        "failed calls of the last 5 minutes",
    ),
    number(
        "success_percent_5min",
        Unit::Percent,
        "近5分钟成功率",
        "successful calls of the last 5 minutes",
    ),
    number(
        "p50_ms",
        Unit::Ms,
        "近5分钟响应时间中位数",
        "median answer time of the last 5 minutes",
    ),
    number(
        "p95_ms",
        Unit::Ms,
        "近5分钟95%响应时间",
        "95 % of answers of the last 5 minutes were at most this slow",
    ),
    number(
        "slow_percent_5min",
        Unit::Percent,
        "近5分钟慢调用占比",
        "share of calls over the channel's own limit",
    ),
    number(
        "calls_per_minute",
        Unit::PerMinute,
        "每分钟调用次数",
        "calls a minute over the last 5 minutes",
    ),
    number(
        "usual_calls_per_minute",
        Unit::PerMinute,
        "同一时段的平常每分钟调用次数",
        "median calls a minute of the same hour of the week",
    ),
    number(
        "refused_percent_5min",
        Unit::Percent,
        "近5分钟被拒绝占比",
        "share of calls that were not allowed",
    ),
    number(
        "top_caller_percent",
        Unit::Percent,
        "最多调用方的占比",
        "share of the caller that calls most",
    ),
    number(
        "silent_minutes",
        Unit::Minutes,
        "距上次调用的分钟数",
        "minutes since the last call",
    ),
    number(
        "unacknowledged",
        Unit::Count,
        "未确认的记录数",
        "records sent and not acknowledged",
    ),
    number(
        "oldest_unacknowledged_minutes",
        Unit::Minutes,
        "最早未确认记录的分钟数",
        "age of the oldest record not acknowledged",
    ),
    number(
        "cpu_percent",
        Unit::Percent,
        "处理器占用率",
        "processor in use on its node",
    ),
    number(
        "memory_percent",
        Unit::Percent,
        "内存占用率",
        "memory in use on its node",
    ),
    number(
        "gpu_percent",
        Unit::Percent,
        "显卡占用率",
        "graphics processor in use on its node",
    ),
    number(
        "disk_percent",
        Unit::Percent,
        "磁盘占用率",
        "disk in use on its node",
    ),
    number(
        "tasks",
        Unit::Count,
        "运行任务数",
        "tasks running on its node",
    ),
    flag(
        "withdrawn_version_called",
        "有调用使用已停用版本",
        "somebody calls a withdrawn version",
    ),
];
