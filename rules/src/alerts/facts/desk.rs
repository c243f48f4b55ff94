//! What rules may ask of the centre's own working.

use crate::alerts::facts::{number, values};
use crate::alerts::subject::{Facts, Subject, SubjectKind, Unit, Value, Variable};
use crate::name::Name;

pub const VARIABLES: &[Variable] = &[
    number(
        "messages_24h",
        Unit::Count,
        "近24小时消息数",
        "notices of the last 24 hours",
    ),
    number(
        "messages_success_percent",
        Unit::Percent,
        "近24小时送达率",
        "notices of the last 24 hours that arrived; missing if there was none",
    ),
    number(
        "messages_dead",
        Unit::Count,
        "未送达且不再重试的消息数",
        "notices of the last 24 hours that are given up",
    ),
    number(
        "alerts_10min",
        Unit::Count,
        "近10分钟预警数",
        "alerts raised in the last 10 minutes",
    ),
    number(
        "alerts_standing",
        Unit::Count,
        "未解除预警数",
        "alerts that stand",
    ),
    number(
        "alerts_held_back",
        Unit::Count,
        "超出上限未发出的预警数",
        "alerts not raised because their rule has too many",
    ),
    number(
        "late_passes",
        Unit::Count,
        "近10分钟延迟的检查次数",
        "passes over the rules that came late in the last 10 minutes",
    ),
    number(
        "orders_open",
        Unit::Count,
        "未办完工单数",
        "work orders whose work is not done",
    ),
    number(
        "orders_overdue",
        Unit::Count,
        "超期工单数",
        "work orders past their due time",
    ),
    number(
        "problems_open",
        Unit::Count,
        "未整改问题数",
        "items on the problem list that are not corrected",
    ),
    number(
        "problems_overdue",
        Unit::Count,
        "超期问题数",
        "items on the problem list past their due time",
    ),
];

/// What the desk knows of itself. `None` is not known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Known {
    pub messages_24h: Option<u64>,
    pub messages_arrived_24h: Option<u64>,
    pub messages_dead: Option<u64>,
    pub alerts_10min: Option<u64>,
    pub alerts_standing: Option<u64>,
    pub alerts_held_back: Option<u64>,
    pub late_passes: Option<u64>,
    pub orders_open: Option<u64>,
    pub orders_overdue: Option<u64>,
    pub problems_open: Option<u64>,
    pub problems_overdue: Option<u64>,
}

/// The desk as a subject; there is one.
pub fn facts(known: &Known) -> Facts {
    let count = |number: Option<u64>| number.map_or(Value::Missing, |n| Value::Number(n as f64));
    let success = match (known.messages_arrived_24h, known.messages_24h) {
        (Some(arrived), Some(all)) if all > 0 => Value::Number(arrived as f64 * 100.0 / all as f64),
        _ => Value::Missing,
    };
    let fill = [
        ("messages_24h", count(known.messages_24h)),
        ("messages_success_percent", success),
        ("messages_dead", count(known.messages_dead)),
        ("alerts_10min", count(known.alerts_10min)),
        ("alerts_standing", count(known.alerts_standing)),
        ("alerts_held_back", count(known.alerts_held_back)),
        ("late_passes", count(known.late_passes)),
        ("orders_open", count(known.orders_open)),
        ("orders_overdue", count(known.orders_overdue)),
        ("problems_open", count(known.problems_open)),
        ("problems_overdue", count(known.problems_overdue)),
    ];
    Facts {
        subject: Subject::new(SubjectKind::Desk, "desk"),
        label: Name::new("预警台", "the alert desk"),
        hall: None,
        department: None,
        handler: None,
        values: values(VARIABLES, fill),
    }
}
