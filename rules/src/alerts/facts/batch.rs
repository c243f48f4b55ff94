//! What rules may ask of data received or pushed by agreement: a feed and its newest batch with data.

use crate::alerts::facts::{flag, number, text, values};
use crate::alerts::subject::{Facts, Subject, SubjectKind, Unit, Value, Variable};
use crate::channels::feed::{Batch, Feed, FeedDirection};
use crate::time::Timestamp;

pub const VARIABLES: &[Variable] = &[
    text(
        "state",
        &[
            "open",
            "receiving",
            "sending",
            "reconciled",
            "incomplete",
            "corrected",
        ],
        "批次状态",
        "state of the batch",
    ),
    text(
        "direction",
        &["receive", "push"],
        "方向",
        "received or pushed",
    ),
    text(
        "kind",
        &[],
        "数据种类",
        "what data it is, such as items, cases, ratings or licences",
    ),
    number("expected", Unit::Count, "应有条数", "records expected"),
    number("arrived", Unit::Count, "到达条数", "records that arrived"),
    number("failed", Unit::Count, "失败条数", "records that failed"),
    number(
        "success_percent",
        Unit::Percent,
        "成功率",
        "records that arrived in the end",
    ),
    number(
        "first_pass_percent",
        Unit::Percent,
        "一次成功率",
        "records that arrived at the first attempt",
    ),
    number(
        "invalid_percent",
        Unit::Percent,
        "格式错误占比",
        "records that are not of the agreed form",
    ),
    number(
        "duplicate_percent",
        Unit::Percent,
        "重复占比",
        "records that came twice",
    ),
    number(
        "mismatches",
        Unit::Count,
        "比对不一致条数",
        "records that differ from their source",
    ),
    number(
        "minutes_since_last",
        Unit::Minutes,
        "距上次数据的分钟数",
        "minutes since the last data",
    ),
    number(
        "period_minutes",
        Unit::Minutes,
        "约定周期",
        "minutes agreed between two deliveries",
    ),
    number(
        "periods_missed",
        Unit::Count,
        "缺失周期数",
        "deliveries that did not come",
    ),
    number(
        "late_minutes",
        Unit::Minutes,
        "逾期分钟数",
        "minutes since the first delivery that did not come was due, 0 if none is",
    ),
    number(
        "limit_minutes",
        Unit::Minutes,
        "允许逾期分钟数",
        "minutes that data may be late by agreement; missing if nothing is agreed",
    ),
    number(
        "delay_p95_minutes",
        Unit::Minutes,
        "95%延迟",
        "95 % of records came at most this late",
    ),
    number(
        "unacknowledged",
        Unit::Count,
        "对方未确认条数",
        "records to be pushed that the other side has not acknowledged; missing of data that is received",
    ),
    number(
        "unacknowledged_minutes",
        Unit::Minutes,
        "最久未确认的分钟数",
        "minutes since the oldest of these came, 0 if there is none; missing of data that is received",
    ),
    number(
        "stuck_minutes",
        Unit::Minutes,
        "停滞分钟数",
        "minutes without progress",
    ),
    flag("check_failed", "检测未通过", "a check of the batch failed"),
];

/// What is known of a feed now; none of one that is not set up.
pub fn facts(feed: &Feed, now: Timestamp) -> Option<Facts> {
    let (id, setup) = (feed.id()?, feed.setup()?);
    let direction = setup.direction;
    let batch = feed.newest().map(|(_, batch)| batch);
    let known = |number: Option<f64>| number.map_or(Value::Missing, Value::Number);
    let of = |value: &dyn Fn(&Batch) -> Option<f64>| known(batch.and_then(value));
    let came = |batch: &Batch| (batch.totals.records() + batch.totals.duplicates) as f64;
    let share =
        |part: u64, batch: &Batch| (came(batch) > 0.0).then(|| part as f64 * 100.0 / came(batch));
    let punctuality = feed.punctuality(now);
    let scheduled = setup.schedule.period_secs();
    let minutes = |secs: u64| Value::Number(secs as f64 / 60.0);
    let stuck = |batch: &Batch| {
        let moving = !matches!(batch.state.name(), "reconciled" | "corrected");
        let since = batch.totals.last_at.unwrap_or(batch.opened_at);
        moving.then(|| now.millis_since(since) as f64 / 60_000.0)
    };
    let owed = |value: &dyn Fn(&Feed) -> f64| {
        let pushed = direction == FeedDirection::Push;
        known(pushed.then(|| value(feed)))
    };
    let fill = [
        (
            "state",
            batch.map_or(Value::Missing, |batch| {
                Value::Text(batch.state.name().into())
            }),
        ),
        ("direction", Value::Text(direction.name().into())),
        ("kind", Value::Text(setup.kind.as_str().into())),
        ("expected", of(&|batch| Some(batch.due() as f64))),
        (
            "arrived",
            of(&|batch| Some(batch.totals.arrived(direction) as f64)),
        ),
        (
            "failed",
            of(&|batch| Some(batch.totals.came_to_nothing() as f64)),
        ),
        (
            "success_percent",
            of(&|batch| batch.success_percent(direction)),
        ),
        (
            "first_pass_percent",
            of(&|batch| batch.first_pass_percent(direction)),
        ),
        (
            "invalid_percent",
            of(&|batch| share(batch.totals.rejected, batch)),
        ),
        (
            "duplicate_percent",
            of(&|batch| share(batch.totals.duplicates, batch)),
        ),
        (
            "mismatches",
            known(feed.compared().map(|one| one.difference.count() as f64)),
        ),
        (
            "minutes_since_last",
            feed.last_data_at()
                .map_or(Value::Missing, |at| super::minutes(at, now)),
        ),
        ("period_minutes", scheduled.map_or(Value::Missing, minutes)),
        (
            "periods_missed",
            known(scheduled.map(|_| punctuality.periods_missed as f64)),
        ),
        (
            "late_minutes",
            known(scheduled.map(|_| punctuality.late_secs as f64 / 60.0)),
        ),
        (
            "limit_minutes",
            setup.limit_secs.map_or(Value::Missing, minutes),
        ),
        (
            "delay_p95_minutes",
            of(&|batch| Some(batch.totals.delay_p95_ms? as f64 / 60_000.0)),
        ),
        ("unacknowledged", owed(&|feed| feed.unacknowledged() as f64)),
        (
            "unacknowledged_minutes",
            owed(&|feed| {
                let since = feed.unacknowledged_since();
                since.map_or(0.0, |at| now.millis_since(at) as f64 / 60_000.0)
            }),
        ),
        ("stuck_minutes", of(&stuck)),
        (
            "check_failed",
            batch.map_or(Value::Missing, |batch| {
                Value::Bool(batch.totals.rejected > 0)
            }),
        ),
    ];
    Some(Facts {
        subject: Subject::new(SubjectKind::Batch, id.as_str()),
        label: setup.name.clone(),
        hall: setup.hall.clone(),
        department: Some(setup.party.as_str().into()),
        handler: setup.owner.as_deref().map(Into::into),
        values: values(VARIABLES, fill),
    })
}
