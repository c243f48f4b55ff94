//! What rules may ask of a device.

use std::sync::Arc;

use crate::alerts::facts::{flag, number, text, values};
use crate::alerts::subject::{Facts, Subject, SubjectKind, Unit, Value, Variable};
use crate::devices::KINDS;
use crate::ids::HallId;
use crate::name::Name;
use crate::time::Timestamp;

pub const VARIABLES: &[Variable] = &[
    text("kind", KINDS, "设备种类", "what it is"),
    flag(
        "online",
        "在线",
        "it has spoken lately; missing for a device that only speaks when used",
    ),
    number(
        "silent_minutes",
        Unit::Minutes,
        "未上报分钟数",
        "minutes since it last spoke; missing if it never did",
    ),
    number(
        "faults",
        Unit::Count,
        "故障数",
        "faults that stop a function",
    ),
    number(
        "warnings",
        Unit::Count,
        "提醒数",
        "faults that stop nothing yet, such as little paper",
    ),
    text(
        "fault",
        &[],
        "故障",
        "its first fault as function.code, such as print.paper_out; missing if there is none",
    ),
    number(
        "clock_skew_ms",
        Unit::Ms,
        "时钟偏差",
        "its clock less the server's, without sign",
    ),
    flag(
        "build_old",
        "软件版本过旧",
        "its page is not the server's, or its software older than expected of its kind",
    ),
    flag("muted", "已静音", "its voice is off"),
];

/// A device as its keeper knows it.
#[derive(Debug, Clone, Default)]
pub struct Seen<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub kind: &'a str,
    pub hall: &'a str,
    /// Whether silence says anything of it.
    pub watched: bool,
    pub seen_at: Option<Timestamp>,
    /// Since when it is expected to speak: when it was added.
    pub created_at: Timestamp,
    /// Silent longer than this it is offline.
    pub silent_secs: u64,
    /// Its faults: function, code, and whether it is a warning only.
    pub faults: Vec<(&'a str, &'a str, bool)>,
    pub skew_ms: Option<i64>,
    pub newest_build: Option<bool>,
    pub muted: bool,
}

/// What is known of a device now. A device that was never heard of is offline once it has been
/// known for as long as a silent one.
pub fn facts(seen: &Seen<'_>, now: Timestamp) -> Facts {
    let last = seen.seen_at.unwrap_or(seen.created_at);
    let stops = seen.faults.iter().filter(|fault| !fault.2).count();
    let first = seen.faults.iter().min_by_key(|fault| fault.2);
    let missing = || Value::Missing;
    Facts {
        subject: Subject::new(SubjectKind::Device, seen.id),
        label: Name::same(seen.name),
        hall: seen.hall.parse::<HallId>().ok(),
        department: None,
        handler: None,
        values: values(
            VARIABLES,
            [
                ("kind", Value::Text(seen.kind.into())),
                (
                    "online",
                    match seen.watched {
                        true => Value::Bool(now.secs_since(last) <= seen.silent_secs),
                        false => Value::Missing,
                    },
                ),
                (
                    "silent_minutes",
                    seen.seen_at
                        .map_or_else(missing, |at| super::minutes(at, now)),
                ),
                ("faults", Value::Number(stops as f64)),
                (
                    "warnings",
                    Value::Number((seen.faults.len() - stops) as f64),
                ),
                (
                    "fault",
                    first.map_or_else(missing, |(function, code, _)| {
                        Value::Text(Arc::from(format!("{function}.{code}")))
                    }),
                ),
                (
                    "clock_skew_ms",
                    seen.skew_ms
                        .map_or_else(missing, |ms| Value::Number(ms.unsigned_abs() as f64)),
                ),
                (
                    "build_old",
                    seen.newest_build
                        .map_or_else(missing, |newest| Value::Bool(!newest)),
                ),
                ("muted", Value::Bool(seen.muted)),
            ],
        ),
    }
}
