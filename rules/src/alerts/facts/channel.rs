//! What rules may ask of an API channel.

use crate::alerts::facts::{flag, minutes, number, text, values};
use crate::alerts::subject::{Facts, Subject, SubjectKind, Unit, Value, Variable};
use crate::channels::{Channel, Window};
use crate::time::Timestamp;

pub const VARIABLES: &[Variable] = &[
    text(
        "state",
        &["healthy", "degraded", "down", "recovering", "maintenance"],
        "通道状态",
        "state of the channel",
    ),
    text(
        "group",
        &[],
        "分组",
        "group it is counted with; missing if it has none",
    ),
    text(
        "direction",
        &["inbound", "outbound", "through"],
        "方向",
        "others call the centre, the centre calls others, or others each other through its gateway",
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
        "refused_5min",
        Unit::Count,
        "近5分钟被拒绝次数",
        "calls of the last 5 minutes that were not allowed",
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
        "share of the caller that calls most, over the last 5 minutes",
    ),
    number(
        "silent_minutes",
        Unit::Minutes,
        "距上次调用的分钟数",
        "minutes since the last call, or since it was set up if there was none",
    ),
    number(
        "expected_every_minutes",
        Unit::Minutes,
        "约定的调用间隔",
        "minutes agreed between two calls; missing if nothing is",
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

/// What is known of a channel beside its calls. `None` is not known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Beyond {
    pub unacknowledged: Option<u64>,
    pub oldest_unacknowledged_at: Option<Timestamp>,
    /// Of the node it runs on.
    pub node: Node,
}

/// How busy a node is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Node {
    pub cpu_percent: Option<f64>,
    pub memory_percent: Option<f64>,
    pub gpu_percent: Option<f64>,
    pub disk_percent: Option<f64>,
    pub tasks: Option<u64>,
}

/// What is known of a channel now; none of one that is not set up. Time must have been let pass until
/// `now` ([`crate::machine::Machine::advance`]).
pub fn facts(channel: &Channel, beyond: &Beyond, now: Timestamp) -> Option<Facts> {
    let (id, setup) = (channel.id()?, channel.setup()?);
    let figures = channel.figures(Window::FiveMinutes);
    let times = &figures.times;
    let known = |number: Option<f64>| number.map_or(Value::Missing, Value::Number);
    let count = |number: u64| Value::Number(number as f64);
    let statistics = channel.statistics();
    let heard_at = statistics.last_call_at().unwrap_or(channel.set_up_at());
    let node = &beyond.node;
    let group = setup.group.as_deref();
    let fill = [
        ("state", Value::Text(channel.health().name().into())),
        (
            "group",
            group.map_or(Value::Missing, |group| Value::Text(group.into())),
        ),
        ("direction", Value::Text(setup.direction.name().into())),
        (
            "consecutive_failures",
            count(channel.streak().failures.into()),
        ),
        ("calls_5min", count(times.calls)),
        ("failures_5min", count(times.failed)),
        ("success_percent_5min", known(times.success_percent)),
        ("p50_ms", known(times.p50_ms)),
        ("p95_ms", known(times.p95_ms)),
        ("slow_percent_5min", known(times.slow_percent)),
        ("calls_per_minute", Value::Number(figures.calls_per_minute)),
        (
            "usual_calls_per_minute",
            known(figures.usual_calls_per_minute),
        ),
        ("refused_5min", count(times.refused)),
        ("refused_percent_5min", known(times.refused_percent)),
        (
            "top_caller_percent",
            known(statistics.callers().top().map(|(_, percent)| percent)),
        ),
        ("silent_minutes", minutes(heard_at, now)),
        (
            "expected_every_minutes",
            known(setup.expected_every_secs.map(|secs| secs as f64 / 60.0)),
        ),
        (
            "unacknowledged",
            beyond.unacknowledged.map_or(Value::Missing, count),
        ),
        (
            "oldest_unacknowledged_minutes",
            beyond
                .oldest_unacknowledged_at
                .map_or(Value::Missing, |at| minutes(at, now)),
        ),
        ("cpu_percent", known(node.cpu_percent)),
        ("memory_percent", known(node.memory_percent)),
        ("gpu_percent", known(node.gpu_percent)),
        ("disk_percent", known(node.disk_percent)),
        ("tasks", node.tasks.map_or(Value::Missing, count)),
        (
            "withdrawn_version_called",
            Value::Bool(channel.withdrawn_version_called(now)),
        ),
    ];
    Some(Facts {
        subject: Subject::new(SubjectKind::Channel, id.as_str()),
        label: setup.name.clone(),
        hall: setup.hall.clone(),
        department: Some(setup.provider.as_str().into()),
        handler: setup.owner.as_deref().map(Into::into),
        values: values(VARIABLES, fill),
    })
}
