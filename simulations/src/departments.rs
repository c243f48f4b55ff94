//! Departments with cases in hand, for demonstrations: some on time, some near due, a few overdue, a joint approval
//! with a late department, and people who accept and close cases while somebody looks on.
//!
//! Like the simulated clerks they hold no second copy: at each step they look at the case desk and do what the
//! people of that moment would do. What they do follows from a seed, the desk and the instant alone.

use rules::calendar::Calendar;
use rules::cases::{
    Case, CaseCommand, CaseDesk, CaseKind, Limit, PartTold, State, Step, StepKind, Telling,
    TimeState, Told,
};
use rules::ids::HallId;
use rules::time::Timestamp;

use crate::random::Stream;

/// What the numbers of the demonstration's cases begin with.
const PREFIX: &str = "DEMO-";

/// Open cases that the departments have in hand at a time.
const IN_HAND: usize = 44;

/// A case is accepted so many seconds after it came in, unless it is forgotten.
const ACCEPTED_AFTER_SECS: u64 = 40;

/// The case with every so manieth number is forgotten at first ...
const FORGOTTEN_ONE_IN: u64 = 12;
/// ... and accepted only then.
const FOUND_AFTER_SECS: u64 = 30 * HOUR;

/// Nobody closes an overdue case sooner, so that whoever looks on can see it.
const OVERDUE_LEAST_SECS: u64 = 10 * MINUTE;

/// The first numbers: forty with a promise, two forgotten, a task, a joint approval.
const WITH_PROMISE: u64 = 40;
const FORGOTTEN: [u64; 2] = [48, 60];
const TASK: u64 = 61;
const JOINT: u64 = 62;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Service items with their department, who handles them there, and the promised working days.
const ITEMS: [(&str, &str, &str, u32); 8] = [
    ("企业设立登记", "市场监管局", "approver-1", 8),
    ("食品经营许可", "市场监管局", "approver-1", 10),
    ("不动产转移登记", "自然资源局", "approver-2", 8),
    ("建设工程规划许可", "自然资源局", "approver-2", 15),
    ("施工许可", "住建局", "approver-3", 12),
    ("社保关系转移", "人社局", "approver-4", 10),
    ("居住证办理", "公安局", "approver-5", 10),
    ("道路运输经营许可", "交通局", "approver-6", 12),
];

/// The departments' people at their cases.
#[derive(Debug, Clone)]
pub struct Departments {
    hall: HallId,
    chance: Stream,
    /// What lies before was not seen by anybody.
    began: Timestamp,
}

impl Departments {
    /// People who begin to work now.
    pub fn new(seed: u64, hall: HallId, now: Timestamp) -> Self {
        Self {
            hall,
            chance: Stream::new(seed, "departments", "cases"),
            began: now,
        }
    }

    /// What is done next: everything in hand when nothing is known yet, and then one thing after another. To be
    /// asked every half minute or so.
    pub fn next(&mut self, desk: &CaseDesk, now: Timestamp) -> Vec<CaseCommand> {
        let calendar = &desk.settings().calendar;
        let own = desk.cases().filter(|case| number(case).is_some());
        let own: Vec<&Case> = own.collect();
        let Some(last) = own.iter().filter_map(|case| number(case)).max() else {
            let all = self.in_hand(calendar, now).map(CaseCommand::Tell);
            return all.into_iter().collect();
        };
        let open = own.into_iter().filter(|case| case.state.is_open());
        let open: Vec<&Case> = open.collect();
        let accepted = open.iter().filter_map(|case| self.accept(case, now));
        let mut commands: Vec<CaseCommand> = accepted.collect();
        commands.extend(open.iter().find_map(|case| self.close(case, now)));
        if open.len() < IN_HAND {
            let new = self.new_case(last + 1, calendar, now);
            commands.extend(new.map(|new| CaseCommand::Tell(vec![new])));
        }
        commands
    }

    /// Of forty cases with a promise thirty are on time, six near due and four overdue.
    fn in_hand(&mut self, calendar: &Calendar, now: Timestamp) -> Option<Vec<Telling>> {
        let due = |at: Timestamp| Some(Limit::At(calendar.moment(at)));
        let ahead = |minutes: u64| due(now.plus_secs(minutes * MINUTE));
        let before = |hours: u64| now.minus_secs(hours * HOUR);
        let near = [2, 6, 11, 130, 240, 350].map(|minutes| (190, ahead(minutes)));
        let over = [3, 27, 52, 125].map(|hours| (400, due(before(hours))));
        let mut promised: Vec<(u64, Option<Limit>)> = near.into_iter().chain(over).collect();
        while promised.len() < WITH_PROMISE as usize {
            promised.push((1 + u64::from(self.chance.below(30)), None));
        }
        let mut all: Vec<Telling> = (1..)
            .zip(promised)
            .map(|(number, (hours, due))| self.accepted(number, before(hours), due))
            .collect::<Option<_>>()?;
        for (number, hours) in FORGOTTEN.into_iter().zip([80, 130]) {
            all.push(self.telling(number, before(hours))?);
        }
        let mut task = self.telling(TASK, before(200))?;
        task.told.kind = CaseKind::Task;
        "季度考核材料报送".clone_into(&mut task.told.item);
        task.told.due = ahead(20 * 60);
        all.push(task);
        let parts = [due(before(50)), due(before(4)), ahead(72 * 60)];
        all.push(self.joint(parts, now)?);
        Some(all)
    }

    /// A case that came in then.
    fn telling(&mut self, number: u64, received: Timestamp) -> Option<Telling> {
        let place = self.chance.below(ITEMS.len() as u32) as usize;
        let (item, department, handler, days) = ITEMS[place];
        Some(Telling {
            case_no: format!("{PREFIX}{number:04}").parse().ok()?,
            told: Told {
                item: item.to_owned(),
                department: department.to_owned(),
                handler: Some(handler.to_owned()),
                received_at: Some(received),
                due: Some(Limit::Days(days)),
                hall: Some(self.hall.clone()),
                ..Told::default()
            },
            steps: Vec::new(),
        })
    }

    fn accepted(&mut self, number: u64, at: Timestamp, due: Option<Limit>) -> Option<Telling> {
        let mut telling = self.telling(number, at.minus_secs(HOUR))?;
        telling.told.due = due.or(telling.told.due);
        telling
            .steps
            .push(step(StepKind::Accepted, at, telling.told.handler.as_ref()));
        Some(telling)
    }

    /// Three departments: one is through, one late, one on time.
    fn joint(&mut self, due: [Option<Limit>; 3], now: Timestamp) -> Option<Telling> {
        let mut telling = self.accepted(JOINT, now.minus_secs(300 * HOUR), None)?;
        "建设项目并联审批".clone_into(&mut telling.told.item);
        "住建局".clone_into(&mut telling.told.department);
        telling.told.due = None;
        telling.told.coordinator = Some("coordinator-1".to_owned());
        let names = [
            ("fire", "消防救援局"),
            ("land", "自然资源局"),
            ("water", "水务局"),
        ];
        let parts = names.iter().zip(due).enumerate();
        telling.told.parts = parts
            .map(|(place, ((id, department), due))| PartTold {
                id: (*id).to_owned(),
                department: (*department).to_owned(),
                handler: Some(format!("approver-{}", place + 1)),
                due,
            })
            .collect();
        let through = Step {
            part: Some("fire".to_owned()),
            ..step(StepKind::Closed, now.minus_secs(55 * HOUR), None)
        };
        let progress = Step {
            part: Some("water".to_owned()),
            ..step(StepKind::Progress, now.minus_secs(2 * HOUR), None)
        };
        telling.steps.extend([through, progress]);
        Some(telling)
    }

    /// A new case; one in three is due within minutes, so that its time runs out while somebody looks on.
    fn new_case(&mut self, number: u64, calendar: &Calendar, now: Timestamp) -> Option<Telling> {
        let mut telling = self.telling(number, now)?;
        if self.chance.below(3) == 0 {
            let minutes = u64::from(3 + self.chance.below(20));
            let due = calendar.moment(now.plus_secs(minutes * MINUTE));
            telling.told.due = Some(Limit::At(due));
        }
        Some(telling)
    }

    fn accept(&self, case: &Case, now: Timestamp) -> Option<CaseCommand> {
        let received = case
            .told
            .received_at
            .filter(|_| case.accepted_at.is_none())?;
        let waits = match number(case)?.is_multiple_of(FORGOTTEN_ONE_IN) {
            true => now.secs_since(received.max(self.began)) > FOUND_AFTER_SECS,
            false => now.secs_since(received) > ACCEPTED_AFTER_SECS,
        };
        let wanted = waits && case.told.kind == CaseKind::Application;
        wanted.then(|| happens(case, StepKind::Accepted, now))
    }

    /// An overdue case is closed in the end, and now and then one that has time.
    fn close(&mut self, case: &Case, now: Timestamp) -> Option<CaseCommand> {
        if case.state != State::Accepted || !case.parts.is_empty() {
            return None;
        }
        let one_in = match case.time_state(now) {
            TimeState::Overdue => {
                let since = case.due_at().unwrap_or(now).max(self.began);
                (now.secs_since(since) > OVERDUE_LEAST_SECS).then_some(20)?
            }
            TimeState::NearDue => 400,
            TimeState::OnTime | TimeState::None => 80,
        };
        let closes = self.chance.below(one_in) == 0;
        closes.then(|| happens(case, StepKind::Closed, now))
    }
}

/// The number of a case of the demonstration.
fn number(case: &Case) -> Option<u64> {
    case.case_no.as_str().strip_prefix(PREFIX)?.parse().ok()
}

fn happens(case: &Case, kind: StepKind, at: Timestamp) -> CaseCommand {
    CaseCommand::TellStep {
        case_no: case.case_no.clone(),
        step: step(kind, at, case.handler.as_ref()),
    }
}

fn step(kind: StepKind, at: Timestamp, by: Option<&String>) -> Step {
    Step {
        by: by.cloned(),
        ..Step::new(kind, at)
    }
}
