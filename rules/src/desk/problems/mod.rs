//! The problem list: faults in data and business, each with who checks and corrects it.
//!
//! ```text
//! listed ─assign→ assigned ─check→ checking ─correct→ corrected ─verify→ verified ─close→ closed
//!                    ↑ assign to another ┘ └───────check again──────┘
//! ```
//! A correction that does not hold is checked again. Over it lies whether it is overdue: what
//! counts is when it was corrected. A record is on the list once per kind of problem while that
//! is open.

mod event;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use event::{NewProblem, ProblemCommand, ProblemEvent, ProblemStep};
pub use refusal::ProblemRefusal;

use crate::desk::history::{Entry, HISTORY_MAX, note, percent, written};
use crate::ids::{OrderId, ProblemId};
use crate::machine::{Item, ItemKind};
use crate::name::Name;
use crate::time::Timestamp;

/// Closed problems are at hand, and in the figures, for so long; lists know them for ever.
const KEEP_CLOSED_SECS: u64 = 92 * 86_400;

const TITLE_MAX_CHARS: usize = 200;
const KIND_MAX_CHARS: usize = 64;
/// Longest raw record, in characters.
const RAW_MAX_CHARS: usize = 8_000;
/// Steps of a trace at most.
const TRACE_MAX: usize = 50;

/// Where a problem stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemState {
    Listed,
    Assigned,
    Checking,
    Corrected,
    Verified,
    Closed,
}

impl ProblemState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Assigned => "assigned",
            Self::Checking => "checking",
            Self::Corrected => "corrected",
            Self::Verified => "verified",
            Self::Closed => "closed",
        }
    }

    /// Whether it is still to be corrected.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Listed | Self::Assigned | Self::Checking)
    }
}

/// An entry of the problem list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub id: ProblemId,
    /// What it was listed with: kind, source, record, trace.
    #[serde(flatten)]
    pub listed: NewProblem,
    pub state: ProblemState,
    pub assignee: Option<String>,
    pub listed_at: Timestamp,
    pub listed_by: String,
    #[serde(default)]
    pub work_order: Option<OrderId>,
    /// What checking brought to light.
    #[serde(default)]
    pub finding: Option<String>,
    #[serde(default)]
    pub correction: Option<String>,
    #[serde(default)]
    pub corrected_at: Option<Timestamp>,
    #[serde(default)]
    pub closed_at: Option<Timestamp>,
    #[serde(default)]
    pub overdue_at: Option<Timestamp>,
    pub history: Vec<Entry>,
}

impl Problem {
    pub fn is_overdue(&self) -> bool {
        self.state.is_open() && self.overdue_at.is_some()
    }

    /// What lists and pages show.
    pub fn face(&self) -> Value {
        let at = |at: Option<Timestamp>| at.map(Timestamp::rfc3339_utc);
        let listed = &self.listed;
        json!({
            "id": self.id, "kind": listed.kind, "title": listed.title, "state": self.state,
            "severity": listed.severity, "source": listed.source, "record": listed.record,
            "raw": listed.raw, "trace": listed.trace, "alert": listed.alert, "rule": listed.rule,
            "hall": listed.hall, "department": listed.department, "assignee": self.assignee,
            "work_order": self.work_order, "finding": self.finding,
            "correction": self.correction, "listed_at": self.listed_at.rfc3339_utc(),
            "listed_by": self.listed_by, "due_at": at(listed.due_at),
            "corrected_at": at(self.corrected_at), "closed_at": at(self.closed_at),
            "overdue": self.is_overdue(), "overdue_at": at(self.overdue_at),
            "history": self.history.iter().map(Entry::face).collect::<Vec<_>>(),
        })
    }

    fn item(&self) -> Item {
        let listed = &self.listed;
        Item {
            kind: ItemKind::Problem,
            id: self.id.to_string(),
            state: self.state.name().to_owned(),
            hall: listed.hall.clone(),
            department: listed.department.clone(),
            person: self.assignee.clone(),
            about: Some(listed.source.clone()),
            topic: None,
            subject: None,
            rank: listed.severity as u8 + if self.is_overdue() { 4 } else { 0 },
            opened_at: self.listed_at,
            due_at: listed.due_at,
            ended_at: self.closed_at,
            body: self.face().to_string(),
        }
    }

    fn take(&mut self, at: Timestamp, step: &ProblemStep) {
        match step {
            ProblemStep::Assign { to } => {
                self.state = ProblemState::Assigned;
                self.assignee = Some(to.clone());
            }
            ProblemStep::Check { finding } => {
                self.state = ProblemState::Checking;
                self.corrected_at = None;
                if finding.is_some() {
                    self.finding.clone_from(finding);
                }
            }
            ProblemStep::Correct {
                finding,
                correction,
            } => {
                self.state = ProblemState::Corrected;
                self.corrected_at = Some(at);
                if finding.is_some() {
                    self.finding.clone_from(finding);
                }
                self.correction = Some(correction.clone());
                let late = self.listed.due_at.filter(|due_at| *due_at < at);
                self.overdue_at = self.overdue_at.or(late);
            }
            ProblemStep::Verify { .. } => self.state = ProblemState::Verified,
            ProblemStep::Close => {
                self.state = ProblemState::Closed;
                self.closed_at = Some(at);
            }
            ProblemStep::Comment { .. } => {}
        }
    }
}

/// How the list stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ProblemFigures {
    pub problems: usize,
    pub closed: usize,
    /// Neither closed nor overdue.
    pub open: usize,
    /// Not corrected in time.
    pub overdue: usize,
    /// Share of all that is closed, in percent.
    pub closed_percent: Option<f64>,
}

impl ProblemFigures {
    pub fn of<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> Self {
        let mut figures = Self::default();
        for problem in problems {
            figures.problems += 1;
            if problem.state == ProblemState::Closed {
                figures.closed += 1;
            } else if problem.is_overdue() {
                figures.overdue += 1;
            } else {
                figures.open += 1;
            }
        }
        figures.closed_percent = percent(figures.closed, figures.problems);
        figures
    }
}

/// All problems at hand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Problems {
    last: u64,
    all: BTreeMap<ProblemId, Problem>,
    /// Open problems that are not overdue yet, by their due time.
    due: BTreeSet<(Timestamp, ProblemId)>,
    closed: BTreeSet<(Timestamp, ProblemId)>,
    /// What is not closed, by kind and record.
    open: BTreeMap<String, BTreeMap<String, ProblemId>>,
}

impl Problems {
    /// Lists what is not on the list yet.
    ///
    /// Numbers are given from the last one on, so one decision asks once, with all it has found.
    pub fn list(&self, found: &[NewProblem]) -> Vec<ProblemEvent> {
        let mut events: Vec<ProblemEvent> = Vec::new();
        let mut records = BTreeSet::new();
        for new in found {
            let known = self.open_about(&new.kind, &new.record).is_some();
            if known || !records.insert((&new.kind, &new.record)) {
                continue;
            }
            events.push(ProblemEvent::ProblemListed {
                problem: ProblemId(self.last + 1 + events.len() as u64),
                new: Box::new(new.clone()),
            });
        }
        events
    }

    /// The open problem of this kind about a record.
    pub fn open_about(&self, kind: &str, record: &str) -> Option<&Problem> {
        self.all.get(self.open.get(kind)?.get(record)?)
    }

    /// # Errors
    /// See [`ProblemRefusal`]; the state is never touched.
    pub fn decide(
        &self,
        command: &ProblemCommand,
        now: Timestamp,
    ) -> Result<Vec<ProblemEvent>, ProblemRefusal> {
        match command {
            ProblemCommand::List(new) => self.list_one(new, now),
            ProblemCommand::ListFor { new, to } => {
                let step = ProblemStep::Assign { to: to.clone() };
                let step = step.tidy().map_err(|(_, why)| invalid("assignee", why))?;
                let mut events = self.list_one(new, now)?;
                let listed = events.first().map(ProblemEvent::problem);
                let stepped = |problem| ProblemEvent::ProblemStepped { problem, step };
                events.extend(listed.map(stepped));
                Ok(events)
            }
            ProblemCommand::Step { problem, step } => {
                let known = self.all.get(problem);
                let known = known.ok_or(ProblemRefusal::UnknownProblem { problem: *problem })?;
                let step = step_of(known, step)?;
                let problem = known.id;
                Ok(vec![ProblemEvent::ProblemStepped { problem, step }])
            }
        }
    }

    fn list_one(
        &self,
        new: &NewProblem,
        now: Timestamp,
    ) -> Result<Vec<ProblemEvent>, ProblemRefusal> {
        let new = checked(new, now)?;
        match self.open_about(&new.kind, &new.record) {
            Some(known) => Err(ProblemRefusal::AlreadyListed { problem: known.id }),
            None => Ok(self.list(&[new])),
        }
    }

    pub fn apply(&mut self, at: Timestamp, by: &str, event: &ProblemEvent) {
        match event {
            ProblemEvent::ProblemListed { problem, new } => self.add(at, by, *problem, new),
            ProblemEvent::ProblemStepped { problem, step } => self.change(*problem, |problem| {
                let mut entry = Entry::new(at, by, step.kind());
                entry.text = step.text().map(str::to_owned);
                if let ProblemStep::Assign { to } = step {
                    entry.to = Some(to.clone());
                }
                note(&mut problem.history, entry);
                problem.take(at, step);
            }),
            ProblemEvent::ProblemOverdue { problem } => self.change(*problem, |problem| {
                problem.overdue_at = problem.listed.due_at;
                note(&mut problem.history, Entry::new(at, by, event.kind()));
            }),
        }
    }

    /// A work order was made for it. The order's own event says so; this keeps the link from here.
    pub fn link(&mut self, problem: ProblemId, order: OrderId) {
        self.change(problem, |problem| problem.work_order = Some(order));
    }

    fn add(&mut self, at: Timestamp, by: &str, id: ProblemId, new: &NewProblem) {
        let problem = Problem {
            id,
            listed: new.clone(),
            state: ProblemState::Listed,
            assignee: None,
            listed_at: at,
            listed_by: by.to_owned(),
            work_order: None,
            finding: None,
            correction: None,
            corrected_at: None,
            closed_at: None,
            overdue_at: None,
            history: vec![Entry::new(at, by, "problem_listed")],
        };
        self.last = self.last.max(id.0);
        let records = self.open.entry(new.kind.clone()).or_default();
        records.insert(new.record.clone(), id);
        self.all.insert(id, problem);
        self.change(id, |_| ());
        let before = (at.minus_secs(KEEP_CLOSED_SECS), ProblemId(0));
        let kept = self.closed.split_off(&before);
        for (_, id) in std::mem::replace(&mut self.closed, kept) {
            self.all.remove(&id);
        }
    }

    /// Changes one problem and keeps the indexes true.
    fn change(&mut self, id: ProblemId, change: impl FnOnce(&mut Problem)) {
        let Some(problem) = self.all.get_mut(&id) else {
            return;
        };
        change(problem);
        if let Some(due_at) = problem.listed.due_at {
            match problem.state.is_open() && problem.overdue_at.is_none() {
                true => self.due.insert((due_at, id)),
                false => self.due.remove(&(due_at, id)),
            };
        }
        if let Some(closed_at) = problem.closed_at {
            self.closed.insert((closed_at, id));
            if let Some(records) = self.open.get_mut(&problem.listed.kind) {
                records.remove(&problem.listed.record);
            }
        }
    }

    pub fn get(&self, id: ProblemId) -> Option<&Problem> {
        self.all.get(&id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.all.values()
    }

    /// When the next problem becomes overdue: the instant after its due time.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(due_at, _)| after(*due_at))
    }

    /// Problems whose due time has passed.
    pub fn elapse(&self, now: Timestamp) -> Vec<ProblemEvent> {
        self.due
            .iter()
            .take_while(|(due_at, _)| after(*due_at) <= now)
            .map(|(_, problem)| ProblemEvent::ProblemOverdue { problem: *problem })
            .collect()
    }

    /// Rows of the problems that these events touch, as they will be after them.
    pub fn rows_after(&self, events: &[(Timestamp, &str, &ProblemEvent)]) -> Vec<Item> {
        let mut part = self.part(events.iter().map(|(.., event)| event.problem()));
        for (at, by, event) in events {
            part.apply(*at, by, event);
        }
        part.all.values().map(Problem::item).collect()
    }

    /// The row of a problem once it is linked with a work order.
    pub fn row_linked(&self, problem: ProblemId, order: OrderId) -> Option<Item> {
        let mut part = self.part([problem]);
        part.link(problem, order);
        part.all.values().map(Problem::item).next()
    }

    fn part(&self, ids: impl IntoIterator<Item = ProblemId>) -> Self {
        let copy = |id| Some((id, self.all.get(&id)?.clone()));
        Self {
            all: ids.into_iter().filter_map(copy).collect(),
            ..Self::default()
        }
    }
}

/// What is corrected at its due time is in time.
fn after(due_at: Timestamp) -> Timestamp {
    Timestamp::from_millis(due_at.millis().saturating_add(1))
}

fn invalid(field: &str, reason: &str) -> ProblemRefusal {
    ProblemRefusal::InvalidField {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}

fn checked(new: &NewProblem, now: Timestamp) -> Result<NewProblem, ProblemRefusal> {
    let text = |field: &str, text: &str, max| written(text, max).map_err(|why| invalid(field, why));
    let mut new = new.clone();
    new.title = Name::new(
        text("title", &new.title.zh, TITLE_MAX_CHARS)?,
        text("title", &new.title.en, TITLE_MAX_CHARS)?,
    );
    new.kind = text("kind", &new.kind, KIND_MAX_CHARS)?;
    new.source = text("source", &new.source, KIND_MAX_CHARS)?;
    new.record = text("record", &new.record, TITLE_MAX_CHARS)?;
    if new.raw.chars().count() > RAW_MAX_CHARS {
        return Err(invalid("raw", "is too long"));
    }
    if new.trace.len() > TRACE_MAX {
        return Err(invalid("trace", "has more than 50 steps"));
    }
    for step in &mut new.trace {
        *step = text("trace", step, TITLE_MAX_CHARS)?;
    }
    if let Some(department) = &mut new.department {
        *department = text("department", department, KIND_MAX_CHARS)?;
    }
    if new.due_at.is_some_and(|due_at| due_at <= now) {
        return Err(invalid("due_at", "has passed already"));
    }
    Ok(new)
}

/// Whether the step may be taken from here, and the step with what was written made tidy.
fn step_of(problem: &Problem, step: &ProblemStep) -> Result<ProblemStep, ProblemRefusal> {
    use ProblemState::{Assigned, Checking, Corrected, Listed, Verified};
    let from: &[ProblemState] = match step {
        ProblemStep::Assign { .. } => &[Listed, Assigned, Checking],
        ProblemStep::Check { .. } => &[Assigned, Corrected],
        ProblemStep::Correct { .. } => &[Checking],
        ProblemStep::Verify { .. } => &[Corrected],
        ProblemStep::Close => &[Verified],
        ProblemStep::Comment { .. } => {
            if problem.history.len() >= HISTORY_MAX {
                return Err(ProblemRefusal::HistoryFull {
                    problem: problem.id,
                });
            }
            return step.tidy().map_err(|(field, why)| invalid(field, why));
        }
    };
    if !from.contains(&problem.state) {
        return Err(ProblemRefusal::for_step(step, problem));
    }
    step.tidy().map_err(|(field, why)| invalid(field, why))
}
