//! What rules may ask of an indicator. Its values come with the assessment.

use crate::alerts::facts::{flag, number, text};
use crate::alerts::subject::{Unit, Variable};

pub const VARIABLES: &[Variable] = &[
    number(
        "value",
        Unit::None,
        "指标值",
        "the indicator's value, in its own unit",
    ),
    number("target", Unit::None, "目标值", "what it should be"),
    number(
        "last_value",
        Unit::None,
        "上期值",
        "its value of the period before",
    ),
    number(
        "usual",
        Unit::None,
        "平常值",
        "its mean at the same time of the last four weeks",
    ),
    number(
        "change_percent",
        Unit::Percent,
        "较上期变化",
        "change against the period before",
    ),
    number(
        "deviation_percent",
        Unit::Percent,
        "较平常值偏离",
        "deviation from the usual value",
    ),
    number(
        "rank",
        Unit::Count,
        "排名",
        "its place among the subjects assessed, 1 the best",
    ),
    number(
        "samples",
        Unit::Count,
        "样本数",
        "observations behind the value",
    ),
    number(
        "age_minutes",
        Unit::Minutes,
        "数据已有分钟数",
        "minutes since the value was made",
    ),
    number(
        "forecast_value",
        Unit::None,
        "预测值",
        "what is forecast for the period ahead",
    ),
    number(
        "forecast_high",
        Unit::None,
        "预测上限",
        "upper bound of the forecast",
    ),
    number(
        "limit",
        Unit::None,
        "上限",
        "what it must not pass, such as a capacity",
    ),
    text(
        "pillar",
        &["smart", "standard", "convenient"],
        "考核维度",
        "which part of the assessment it belongs to",
    ),
    flag("higher_is_better", "数值越高越好", "whether more is better"),
    flag("provisional", "暂定", "the period has not ended"),
];
