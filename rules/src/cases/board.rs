//! The data board: cases counted by group and by time, and the choice behind each number.
//!
//! A number and its list use the same [`Filter`], so they cannot disagree.

use chrono::NaiveDate;
use serde::Serialize;

use super::Settings;
use super::case::Case;
use super::limits::{TimeState, is_acceptance_overdue};
use super::steps::{State, StepKind};
use crate::ids::HallId;
use crate::time::Timestamp;

/// Unacknowledged by the province's system for longer than this counts as behind.
pub const SYNC_LATE_SECS: u64 = 600;

/// The nine groups of an approval system's work lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// 待办: open, and its handler has not done anything yet.
    Todo,
    /// 已办: open, and its handler has done something.
    Handled,
    /// 办结
    Closed,
    /// 草稿
    Draft,
    /// 补正补齐
    Supplement,
    /// 特别程序
    Special,
    /// 不予许可
    Refused,
    /// 作废
    Void,
    /// 退回
    Returned,
}

impl Group {
    pub const ALL: [Self; 9] = [
        Self::Todo,
        Self::Handled,
        Self::Closed,
        Self::Draft,
        Self::Supplement,
        Self::Special,
        Self::Refused,
        Self::Void,
        Self::Returned,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::Handled => "handled",
            Self::Closed => "closed",
            Self::Draft => "draft",
            Self::Supplement => "supplement",
            Self::Special => "special",
            Self::Refused => "refused",
            Self::Void => "void",
            Self::Returned => "returned",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == text)
    }

    /// The group of a case in the work lists of a person or, without one, of its handler.
    pub fn of(case: &Case, person: Option<&str>) -> Self {
        match case.state {
            State::Draft => Self::Draft,
            State::Supplement => Self::Supplement,
            State::Suspended => Self::Special,
            State::Returned => Self::Returned,
            State::Refused => Self::Refused,
            State::Void => Self::Void,
            State::Closed | State::ResultIssued | State::Archived => Self::Closed,
            _ => match person.or(case.handler.as_deref()) {
                Some(person) if case.was_worked_by(person) => Self::Handled,
                _ => Self::Todo,
            },
        }
    }
}

/// Whether work on a case has begun and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    NotStarted,
    Open,
    Ended,
}

impl Stage {
    pub const fn of(state: State) -> Self {
        match state {
            State::Draft => Self::NotStarted,
            state if state.is_open() => Self::Open,
            _ => Self::Ended,
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "not_started" => Some(Self::NotStarted),
            "open" => Some(Self::Open),
            "ended" => Some(Self::Ended),
            _ => None,
        }
    }
}

/// A choice of cases; what is none does not choose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Filter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acceptance_overdue: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awaiting_materials: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong_order: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_inverted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_overdue: Option<bool>,
    /// `acked`, `pending` or `late`, of those handed to the province's system on the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<Sync>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_on: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hall: Option<HallId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handler: Option<String>,
    /// Whose work lists the groups are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whose: Option<String>,
}

/// How a case handed to the province's system today stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sync {
    Acked,
    /// Not acknowledged yet, within bounds.
    Pending,
    /// Not acknowledged for more than [`SYNC_LATE_SECS`].
    Late,
}

impl Sync {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "acked" => Some(Self::Acked),
            "pending" => Some(Self::Pending),
            "late" => Some(Self::Late),
            _ => None,
        }
    }

    /// None if it was not handed over on the day of `now`.
    pub fn of(case: &Case, settings: &Settings, now: Timestamp) -> Option<Self> {
        let zone = settings.calendar.zone;
        let today = zone.date_of(now);
        let sent = |s: &&super::Step| s.kind == StepKind::SyncSent && zone.date_of(s.at) == today;
        case.steps.iter().find(sent)?;
        Some(match case.sync_pending_since() {
            None => Self::Acked,
            Some(since) if now.secs_since(since) > SYNC_LATE_SECS => Self::Late,
            Some(_) => Self::Pending,
        })
    }
}

impl Filter {
    pub fn matches(&self, case: &Case, settings: &Settings, now: Timestamp) -> bool {
        fn is<T: PartialEq>(wanted: &Option<T>, value: impl FnOnce() -> T) -> bool {
            wanted.as_ref().is_none_or(|wanted| *wanted == value())
        }
        let person = self.whose.as_deref();
        is(&self.group, || Group::of(case, person))
            && is(&self.state, || case.state)
            && is(&self.time, || case.time_state(now))
            && is(&self.stage, || Stage::of(case.state))
            && is(&self.acceptance_overdue, || {
                is_acceptance_overdue(case, now)
            })
            && is(&self.awaiting_materials, || {
                case.state == State::AwaitingMaterials
            })
            && is(&self.wrong_order, || case.wrong_order.is_some())
            && is(&self.time_inverted, || case.time_inverted)
            && is(&self.part_overdue, || part_overdue(case, now))
            && (self.sync.is_none() || self.sync == Sync::of(case, settings, now))
            && (self.accepted_on.is_none() || self.accepted_on == accepted_on(case, settings))
            && (self.hall.is_none() || self.hall == case.told.hall)
            && is(&self.department.as_deref(), || {
                case.told.department.as_str()
            })
            && (self.handler.is_none() || self.handler == case.handler)
    }
}

fn part_overdue(case: &Case, now: Timestamp) -> bool {
    let late = |part: &super::parts::Part| part.time_state(now) == TimeState::Overdue;
    case.state.is_open() && case.parts.iter().any(late)
}

fn accepted_on(case: &Case, settings: &Settings) -> Option<NaiveDate> {
    let zone = settings.calendar.zone;
    case.accepted_at.map(|at| zone.date_of(at))
}

/// A number of the board, and what lists the cases it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    pub name: &'static str,
    pub count: usize,
    pub filter: Filter,
}

/// The board of the cases in memory.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Board {
    pub groups: Vec<Count>,
    /// Open, ended and not started.
    pub stages: Vec<Count>,
    /// Of the open ones.
    pub time: Vec<Count>,
    /// What needs somebody's eye.
    pub attention: Vec<Count>,
    /// Accepted today.
    pub accepted_today: Count,
    /// Handed to the province's system today; the rate is none when nothing was.
    pub sync: Vec<Count>,
    pub sync_percent: Option<f64>,
}

impl Board {
    /// Counts the cases that `within` lets through.
    pub fn of<'a>(
        cases: impl Iterator<Item = &'a Case>,
        within: &Filter,
        settings: &Settings,
        now: Timestamp,
    ) -> Self {
        let mut board = Self::empty(within, settings.calendar.zone.date_of(now));
        for case in cases.filter(|case| within.matches(case, settings, now)) {
            for count in board.counts() {
                count.count += usize::from(count.filter.matches(case, settings, now));
            }
        }
        let sync = |name| {
            board
                .sync
                .iter()
                .find(|c| c.name == name)
                .map_or(0, |c| c.count)
        };
        let (acked, sent) = (
            sync("acked"),
            board.sync.iter().map(|c| c.count).sum::<usize>(),
        );
        board.sync_percent = percent(acked, sent);
        board
    }

    fn counts(&mut self) -> impl Iterator<Item = &mut Count> {
        self.groups
            .iter_mut()
            .chain(&mut self.stages)
            .chain(&mut self.time)
            .chain(&mut self.attention)
            .chain(&mut self.sync)
            .chain(std::iter::once(&mut self.accepted_today))
    }

    fn empty(within: &Filter, today: NaiveDate) -> Self {
        let count = |name, choose: &dyn Fn(&mut Filter)| {
            let mut filter = within.clone();
            choose(&mut filter);
            Count {
                name,
                count: 0,
                filter,
            }
        };
        let time = |name, state| {
            count(name, &|f: &mut Filter| {
                f.time = Some(state);
                f.stage = Some(Stage::Open);
            })
        };
        Self {
            groups: Group::ALL
                .into_iter()
                .map(|group| count(group.name(), &|f: &mut Filter| f.group = Some(group)))
                .collect(),
            stages: vec![
                count("open", &|f| f.stage = Some(Stage::Open)),
                count("ended", &|f| f.stage = Some(Stage::Ended)),
                count("not_started", &|f| f.stage = Some(Stage::NotStarted)),
            ],
            time: vec![
                time("on_time", TimeState::OnTime),
                time("near_due", TimeState::NearDue),
                time("overdue", TimeState::Overdue),
                time("no_limit", TimeState::None),
            ],
            attention: vec![
                count("acceptance_overdue", &|f| f.acceptance_overdue = Some(true)),
                count("awaiting_materials", &|f| f.awaiting_materials = Some(true)),
                count("part_overdue", &|f| f.part_overdue = Some(true)),
                count("wrong_order", &|f| f.wrong_order = Some(true)),
                count("time_inverted", &|f| f.time_inverted = Some(true)),
            ],
            accepted_today: count("accepted_today", &|f| f.accepted_on = Some(today)),
            sync: vec![
                count("acked", &|f| f.sync = Some(Sync::Acked)),
                count("pending", &|f| f.sync = Some(Sync::Pending)),
                count("late", &|f| f.sync = Some(Sync::Late)),
            ],
            sync_percent: None,
        }
    }
}

/// `part` of `whole` in percent, to a tenth; none of nothing.
pub fn percent(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| (part as f64 * 1000.0 / whole as f64).round() / 10.0)
}
