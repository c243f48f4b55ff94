//! What rules may ask of a case.

use std::sync::Arc;

use crate::alerts::catalogue::LIST_COMMA;
use crate::alerts::facts::{flag, minutes, number, text, values};
use crate::alerts::subject::{Facts, Subject, SubjectKind, Unit, Value, Variable};
use crate::calendar::{Moment, instant};
use crate::cases::case::Case;
use crate::cases::limits::is_acceptance_overdue;
use crate::cases::parts::Part;
use crate::cases::{Settings, State, TimeState};
use crate::name::Name;
use crate::time::Timestamp;

const STATES: &[&str] = &[
    "draft",
    "submitted",
    "pre_review",
    "pre_review_passed",
    "awaiting_materials",
    "accepted",
    "in_review",
    "supplement",
    "suspended",
    "returned",
    "closed",
    "refused",
    "void",
    "result_issued",
    "archived",
];

pub const VARIABLES: &[Variable] = &[
    text("state", STATES, "办件状态", "state of the case"),
    flag("open", "已提交且未结束", "begun and not ended"),
    text(
        "kind",
        &["application", "task", "petition"],
        "类别：申请、限时任务或诉求",
        "an application, an administrative task with a time limit, or a petition",
    ),
    text("item", &[], "事项", "service item"),
    text("department", &[], "部门", "department"),
    text("channel", &[], "来源渠道", "channel it came through"),
    flag("accepted", "已受理", "accepted by its department"),
    text(
        "time_state",
        &["none", "on_time", "near_due", "overdue"],
        "时限状态",
        "how its time stands: none while no clock runs",
    ),
    number(
        "days_left",
        Unit::Days,
        "距承诺时限的工作日（向上取整）",
        "working days until it is due, rounded up; missing while no clock runs",
    ),
    number(
        "days_overdue",
        Unit::Days,
        "超过承诺时限的工作日（向上取整）",
        "working days begun since it was due; missing while no clock runs",
    ),
    number(
        "hours_left",
        Unit::Hours,
        "距承诺时限的小时数，超期为负",
        "hours by the clock until it is due, negative after; missing while no clock runs",
    ),
    number(
        "legal_days_left",
        Unit::Days,
        "距法定时限的工作日（向上取整）",
        "working days until its legal limit, rounded up; missing while no clock runs",
    ),
    flag(
        "acceptance_overdue",
        "逾期未受理",
        "not accepted or returned in time",
    ),
    number(
        "acceptance_hours_overdue",
        Unit::Hours,
        "逾期未受理的小时数",
        "hours since it should have been accepted; 0 if it is not late",
    ),
    number(
        "idle_hours",
        Unit::Hours,
        "无进展的小时数",
        "hours since the last step; missing once it has ended",
    ),
    number(
        "parts",
        Unit::Count,
        "并联部门数",
        "departments of the joint approval",
    ),
    number(
        "parts_closed",
        Unit::Count,
        "已办结部门数",
        "departments that are through",
    ),
    number(
        "parts_overdue",
        Unit::Count,
        "超期部门数",
        "departments that are overdue",
    ),
    text(
        "late_department",
        &[],
        "超期部门",
        "the departments that are overdue; missing if none is",
    ),
    text(
        "late_handlers",
        &[],
        "超期部门的经办人",
        "who has the overdue departments' parts in hand; missing if nobody is named",
    ),
    text(
        "coordinator",
        &[],
        "牵头人",
        "who keeps the departments together",
    ),
    flag(
        "time_inverted",
        "时间倒置",
        "something is said to have happened before what must precede it",
    ),
    flag(
        "wrong_order",
        "报送顺序颠倒",
        "a step was told after one that follows it",
    ),
    flag(
        "awaiting_materials",
        "待交纸质材料",
        "waits for the applicant's paper documents",
    ),
    flag(
        "suspended",
        "特别程序（挂起）",
        "suspended for a special procedure",
    ),
    number(
        "sync_pending_minutes",
        Unit::Minutes,
        "省网未确认的分钟数",
        "minutes without acknowledgement by the province's system; 0 if none is owed",
    ),
    number(
        "tickets",
        Unit::Count,
        "关联号码数",
        "tickets at which it was registered",
    ),
    number("urged", Unit::Count, "催办次数", "times it was urged"),
];

/// What is known of a case at an instant.
pub fn facts(case: &Case, settings: &Settings, now: Timestamp) -> Facts {
    let label = match case.told.item.as_str() {
        "" => Name::new(
            format!("办件 {}", case.case_no),
            format!("case {}", case.case_no),
        ),
        item => Name::same(format!("{item} {}", case.case_no)),
    };
    let shared = |text: &str| Some(Arc::<str>::from(text)).filter(|text| !text.is_empty());
    Facts {
        subject: Subject {
            kind: SubjectKind::Case,
            id: case.case_no.shared(),
        },
        label,
        hall: case.told.hall.clone(),
        department: shared(&case.told.department),
        handler: case.handler.as_deref().and_then(shared),
        values: case_values(case, settings, now),
    }
}

fn case_values(case: &Case, settings: &Settings, now: Timestamp) -> Box<[Value]> {
    let calendar = &settings.calendar;
    let told = &case.told;
    let clock_runs = case.state.is_open() && !case.state.is_paused();
    let running = |due: Option<Moment>| due.filter(|_| clock_runs);
    let days = |due: Option<Moment>, count: &dyn Fn(Moment) -> u32| {
        running(due).map_or(Value::Missing, |due| Value::Number(f64::from(count(due))))
    };
    let due = case.limits.due;
    let acceptance_overdue = is_acceptance_overdue(case, now);
    let parts = Parts::of(case, now);
    values(
        VARIABLES,
        [
            ("state", name(case.state.name())),
            ("open", Value::Bool(case.state.is_open())),
            ("kind", name(told.kind.name())),
            ("item", name(&told.item)),
            ("department", name(&told.department)),
            ("channel", optional(told.channel.as_deref())),
            ("accepted", Value::Bool(case.accepted_at.is_some())),
            ("time_state", name(case.time_state(now).name())),
            ("days_left", days(due, &|due| calendar.days_left(due, now))),
            (
                "days_overdue",
                days(due, &|due| calendar.days_over(due, now)),
            ),
            (
                "hours_left",
                running(due).map_or(Value::Missing, |due| hours(now, instant(due))),
            ),
            (
                "legal_days_left",
                days(case.limits.legal_due, &|due| calendar.days_left(due, now)),
            ),
            ("acceptance_overdue", Value::Bool(acceptance_overdue)),
            (
                "acceptance_hours_overdue",
                match case.limits.acceptance_due.filter(|_| acceptance_overdue) {
                    Some(due) => hours(instant(due), now),
                    None => Value::Number(0.0),
                },
            ),
            (
                "idle_hours",
                match case.last_worked_at().filter(|_| case.state.is_open()) {
                    Some(at) => hours(at, now),
                    None => Value::Missing,
                },
            ),
            ("parts", count(case.parts.len())),
            ("parts_closed", count(parts.closed)),
            ("parts_overdue", count(parts.late.len())),
            ("late_department", parts.late_departments()),
            ("late_handlers", parts.late_handlers()),
            ("coordinator", optional(told.coordinator.as_deref())),
            ("time_inverted", Value::Bool(case.time_inverted)),
            ("wrong_order", Value::Bool(case.wrong_order.is_some())),
            (
                "awaiting_materials",
                Value::Bool(case.state == State::AwaitingMaterials),
            ),
            ("suspended", Value::Bool(case.state == State::Suspended)),
            (
                "sync_pending_minutes",
                case.sync_pending_since()
                    .map_or(Value::Number(0.0), |since| minutes(since, now)),
            ),
            ("tickets", count(told.tickets.len())),
            ("urged", count(case.urged())),
        ],
    )
}

/// How the departments of a joint approval stand.
struct Parts<'a> {
    closed: usize,
    late: Vec<&'a Part>,
}

impl<'a> Parts<'a> {
    fn of(case: &'a Case, now: Timestamp) -> Self {
        let late = |part: &&Part| part.time_state(now) == TimeState::Overdue;
        let open = case.state.is_open();
        Self {
            closed: case.parts.iter().filter(|part| part.is_ended()).count(),
            late: case.parts.iter().filter(|p| open && late(p)).collect(),
        }
    }

    fn late_departments(&self) -> Value {
        listed(self.late.iter().map(|part| part.department.as_str()))
    }

    fn late_handlers(&self) -> Value {
        let handlers = self.late.iter().filter_map(|part| part.handler.as_deref());
        listed(handlers.filter(|handler| !handler.is_empty()))
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Value {
    let names: Vec<&str> = names.collect();
    match names.is_empty() {
        true => Value::Missing,
        false => name(&names.join(LIST_COMMA)),
    }
}

fn name(text: &str) -> Value {
    Value::Text(text.into())
}

fn optional(text: Option<&str>) -> Value {
    text.map_or(Value::Missing, name)
}

fn count(number: usize) -> Value {
    Value::Number(number as f64)
}

/// Hours by the clock, negative backwards.
fn hours(from: Timestamp, to: Timestamp) -> Value {
    Value::Number((to.millis() - from.millis()) as f64 / 3_600_000.0)
}
