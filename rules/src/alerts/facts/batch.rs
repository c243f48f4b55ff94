//! What rules may ask of a batch of data received or pushed. Its values come with the data exchange.

use crate::alerts::facts::{flag, number, text};
use crate::alerts::subject::{Unit, Variable};

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
        "delay_p95_minutes",
        Unit::Minutes,
        "95%延迟",
        "95 % of records came at most this late",
    ),
    number(
        "stuck_minutes",
        Unit::Minutes,
        "停滞分钟数",
        "minutes without progress",
    ),
    flag("check_failed", "检测未通过", "a check of the batch failed"),
];
