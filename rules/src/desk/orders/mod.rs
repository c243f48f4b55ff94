//! Work orders: from an alert, from a problem or by hand, through to verified and closed.
//!
//! ```text
//! created ─assign→ assigned ─start→ processing ─resolve→ resolved ─verify→ verified ─close→ closed
//!                     ↑ transfer ──────┘                    └─reopen→ reopened ─start→ processing
//! ```
//! Over it lies whether it is overdue: what counts is when it was resolved, not when somebody came
//! to verify it. An order that ends leaves its alert alone: only the alert's own condition ends that.

mod event;
mod refusal;
mod statistics;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use event::{NewOrder, OrderCommand, OrderEvent, OrderStep};
pub use refusal::OrderRefusal;
pub use statistics::{OrderGroup, OrderStatistics};

use crate::desk::history::{Entry, HISTORY_MAX, TEXT_MAX_CHARS, note, written};
use crate::ids::OrderId;
use crate::machine::{Item, ItemKind};
use crate::name::Name;
use crate::time::Timestamp;

/// Closed orders are at hand, and in the statistics, for so long; lists know them for ever.
const KEEP_CLOSED_SECS: u64 = 92 * 86_400;

/// Longest title in each language, in characters.
const TITLE_MAX_CHARS: usize = 200;

/// Longest name of a person or department, in characters.
const PERSON_MAX_CHARS: usize = 64;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    Created,
    Assigned,
    Processing,
    Resolved,
    Reopened,
    Verified,
    Closed,
}

impl OrderState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Assigned => "assigned",
            Self::Processing => "processing",
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
            Self::Verified => "verified",
            Self::Closed => "closed",
        }
    }

    /// Whether the work itself is still to be done.
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Created | Self::Assigned | Self::Processing | Self::Reopened
        )
    }
}

/// A work order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkOrder {
    pub id: OrderId,
    /// What it was made with: title, links, hall, due time.
    #[serde(flatten)]
    pub made: NewOrder,
    pub state: OrderState,
    pub assignee: Option<String>,
    pub created_at: Timestamp,
    pub created_by: String,
    #[serde(default)]
    pub assigned_at: Option<Timestamp>,
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When the work was last said to be done; none while it goes on.
    #[serde(default)]
    pub resolved_at: Option<Timestamp>,
    #[serde(default)]
    pub verified_at: Option<Timestamp>,
    #[serde(default)]
    pub closed_at: Option<Timestamp>,
    /// When the due time passed without the work being done.
    #[serde(default)]
    pub overdue_at: Option<Timestamp>,
    #[serde(default)]
    pub reopened_count: u32,
    pub history: Vec<Entry>,
}

impl WorkOrder {
    /// How long past its due time the work was done, or is undone, in seconds; 0 in time.
    pub fn late_secs(&self, now: Timestamp) -> u64 {
        let done_at = self.resolved_at.unwrap_or(now);
        self.made
            .due_at
            .map_or(0, |due_at| done_at.secs_since(due_at))
    }

    pub fn is_overdue(&self) -> bool {
        self.state.is_open() && self.overdue_at.is_some()
    }

    /// What lists and pages show.
    pub fn face(&self) -> Value {
        let at = |at: Option<Timestamp>| at.map(Timestamp::rfc3339_utc);
        let made = &self.made;
        let late_secs = self.resolved_at.map(|done_at| self.late_secs(done_at));
        json!({
            "id": self.id, "title": made.title, "state": self.state, "severity": made.severity,
            "alert": made.alert, "problem": made.problem, "rule": made.rule, "hall": made.hall,
            "department": made.department, "assignee": self.assignee,
            "created_at": self.created_at.rfc3339_utc(), "created_by": self.created_by,
            "due_at": at(made.due_at), "assigned_at": at(self.assigned_at),
            "started_at": at(self.started_at), "resolved_at": at(self.resolved_at),
            "verified_at": at(self.verified_at), "closed_at": at(self.closed_at),
            "overdue": self.is_overdue(), "overdue_at": at(self.overdue_at),
            "late_secs": late_secs, "reopened_count": self.reopened_count,
            "history": self.history.iter().map(Entry::face).collect::<Vec<_>>(),
        })
    }

    fn item(&self) -> Item {
        let made = &self.made;
        let problem = || made.problem.map(|problem| problem.to_string());
        Item {
            kind: ItemKind::WorkOrder,
            id: self.id.to_string(),
            state: self.state.name().to_owned(),
            hall: made.hall.clone(),
            department: made.department.clone(),
            person: self.assignee.clone(),
            about: made.alert.clone().or_else(problem),
            topic: None,
            subject: None,
            rank: made.severity as u8 + if self.is_overdue() { 4 } else { 0 },
            opened_at: self.created_at,
            due_at: made.due_at,
            ended_at: self.closed_at,
            body: self.face().to_string(),
        }
    }

    fn enter(&mut self, at: Timestamp, state: OrderState) {
        self.state = state;
        match state {
            OrderState::Created => {}
            OrderState::Assigned => {
                self.assigned_at.get_or_insert(at);
            }
            OrderState::Processing => {
                self.started_at.get_or_insert(at);
            }
            OrderState::Resolved => {
                self.resolved_at = Some(at);
                // Whoever was away when it fell due learns it here.
                let late = self.made.due_at.filter(|due_at| *due_at < at);
                self.overdue_at = self.overdue_at.or(late);
            }
            OrderState::Reopened => {
                self.resolved_at = None;
                self.reopened_count += 1;
            }
            OrderState::Verified => self.verified_at = Some(at),
            OrderState::Closed => self.closed_at = Some(at),
        }
    }
}

/// All work orders at hand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Orders {
    last: u64,
    all: BTreeMap<OrderId, WorkOrder>,
    /// Open orders that are not overdue yet, by their due time.
    due: BTreeSet<(Timestamp, OrderId)>,
    closed: BTreeSet<(Timestamp, OrderId)>,
}

impl Orders {
    /// # Errors
    /// See [`OrderRefusal`]; the state is never touched.
    pub fn decide(
        &self,
        command: &OrderCommand,
        now: Timestamp,
    ) -> Result<Vec<OrderEvent>, OrderRefusal> {
        match command {
            OrderCommand::Create(new) => {
                let order = OrderId(self.last + 1);
                let new = Box::new(checked(new, now)?);
                Ok(vec![OrderEvent::OrderCreated { order, new }])
            }
            OrderCommand::Step { order, step } => {
                let known = self.all.get(order);
                let known = known.ok_or(OrderRefusal::UnknownOrder { order: *order })?;
                let order = known.id;
                let step = step_of(known, step)?;
                Ok(vec![OrderEvent::OrderStepped { order, step }])
            }
        }
    }

    pub fn apply(&mut self, at: Timestamp, by: &str, event: &OrderEvent) {
        match event {
            OrderEvent::OrderCreated { order, new } => self.create(at, by, *order, new),
            OrderEvent::OrderStepped { order, step } => self.step(at, by, *order, step),
            OrderEvent::OrderOverdue { order } => self.change(*order, |order| {
                order.overdue_at = order.made.due_at;
                note(&mut order.history, Entry::new(at, by, event.kind()));
            }),
        }
    }

    fn create(&mut self, at: Timestamp, by: &str, id: OrderId, new: &NewOrder) {
        let mut first = Entry::new(at, by, "order_created");
        first.to.clone_from(&new.assignee);
        let mut order = WorkOrder {
            id,
            made: new.clone(),
            state: OrderState::Created,
            assignee: new.assignee.clone(),
            created_at: at,
            created_by: by.to_owned(),
            assigned_at: None,
            started_at: None,
            resolved_at: None,
            verified_at: None,
            closed_at: None,
            overdue_at: None,
            reopened_count: 0,
            history: vec![first],
        };
        if order.assignee.is_some() {
            order.enter(at, OrderState::Assigned);
        }
        self.last = self.last.max(id.0);
        self.all.insert(id, order);
        self.change(id, |_| ());
        self.forget(at);
    }

    fn step(&mut self, at: Timestamp, by: &str, order: OrderId, step: &OrderStep) {
        self.change(order, |order| {
            let mut entry = Entry::new(at, by, step.kind());
            entry.text = step.text().map(str::to_owned);
            if let OrderStep::Assign { to } | OrderStep::Transfer { to, .. } = step {
                entry.to = Some(to.clone());
                order.assignee = Some(to.clone());
            }
            note(&mut order.history, entry);
            if let Some(state) = step.leads_to() {
                order.enter(at, state);
            }
        });
    }

    /// Changes one order and keeps the indexes true.
    fn change(&mut self, id: OrderId, change: impl FnOnce(&mut WorkOrder)) {
        let Some(order) = self.all.get_mut(&id) else {
            return;
        };
        change(order);
        if let Some(due_at) = order.made.due_at {
            match order.state.is_open() && order.overdue_at.is_none() {
                true => self.due.insert((due_at, id)),
                false => self.due.remove(&(due_at, id)),
            };
        }
        if let Some(closed_at) = order.closed_at {
            self.closed.insert((closed_at, id));
        }
    }

    /// Lets go of what was closed long ago.
    fn forget(&mut self, now: Timestamp) {
        let before = (now.minus_secs(KEEP_CLOSED_SECS), OrderId(0));
        let kept = self.closed.split_off(&before);
        for (_, id) in std::mem::replace(&mut self.closed, kept) {
            self.all.remove(&id);
        }
    }

    pub fn get(&self, id: OrderId) -> Option<&WorkOrder> {
        self.all.get(&id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &WorkOrder> {
        self.all.values()
    }

    /// When the next order becomes overdue: the instant after its due time.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(due_at, _)| after(*due_at))
    }

    /// Orders whose due time has passed.
    pub fn elapse(&self, now: Timestamp) -> Vec<OrderEvent> {
        self.due
            .iter()
            .take_while(|(due_at, _)| after(*due_at) <= now)
            .map(|(_, order)| OrderEvent::OrderOverdue { order: *order })
            .collect()
    }

    /// Rows of the orders that these events touch, as they will be after them.
    pub fn rows_after(&self, events: &[(Timestamp, &str, &OrderEvent)]) -> Vec<Item> {
        let touched: BTreeSet<OrderId> = events.iter().map(|(.., event)| event.order()).collect();
        let copy = |id: &OrderId| Some((*id, self.all.get(id)?.clone()));
        let mut part = Self {
            all: touched.iter().filter_map(copy).collect(),
            ..Self::default()
        };
        for (at, by, event) in events {
            part.apply(*at, by, event);
        }
        part.all.values().map(WorkOrder::item).collect()
    }
}

/// What is resolved at its due time is in time.
fn after(due_at: Timestamp) -> Timestamp {
    Timestamp::from_millis(due_at.millis().saturating_add(1))
}

fn invalid(field: &str, reason: &str) -> OrderRefusal {
    OrderRefusal::InvalidField {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}

fn checked(new: &NewOrder, now: Timestamp) -> Result<NewOrder, OrderRefusal> {
    let title = |text| written(text, TITLE_MAX_CHARS).map_err(|why| invalid("title", why));
    let mut new = new.clone();
    new.title = Name::new(title(&new.title.zh)?, title(&new.title.en)?);
    for (field, value) in [
        ("assignee", &mut new.assignee),
        ("department", &mut new.department),
    ] {
        if let Some(text) = value {
            *text = written(text, PERSON_MAX_CHARS).map_err(|why| invalid(field, why))?;
        }
    }
    if new.due_at.is_some_and(|due_at| due_at <= now) {
        return Err(invalid("due_at", "has passed already"));
    }
    Ok(new)
}

/// Whether the step may be taken from here, and the step with what was written made tidy.
fn step_of(order: &WorkOrder, step: &OrderStep) -> Result<OrderStep, OrderRefusal> {
    use OrderState::{Assigned, Created, Processing, Reopened, Resolved, Verified};
    let from: &[OrderState] = match step {
        OrderStep::Assign { .. } => &[Created],
        OrderStep::Start => &[Assigned, Reopened],
        OrderStep::Resolve { .. } => &[Processing],
        OrderStep::Verify { .. } | OrderStep::Reopen { .. } => &[Resolved],
        OrderStep::Close => &[Verified],
        OrderStep::Transfer { .. } => &[Assigned, Processing, Reopened],
        OrderStep::Comment { .. } => {
            if order.history.len() >= HISTORY_MAX {
                return Err(OrderRefusal::HistoryFull { order: order.id });
            }
            return step.tidy().map_err(|(field, why)| invalid(field, why));
        }
    };
    if !from.contains(&order.state) {
        return Err(OrderRefusal::for_step(step, order));
    }
    if let OrderStep::Transfer { to, .. } = step
        && order.assignee.as_deref() == Some(to.trim())
    {
        return Err(OrderRefusal::SameAssignee {
            order: order.id,
            assignee: to.trim().to_owned(),
        });
    }
    step.tidy().map_err(|(field, why)| invalid(field, why))
}

/// A person's text or name in a step.
fn tidy(
    text: &str,
    field: &'static str,
    max: usize,
) -> Result<String, (&'static str, &'static str)> {
    written(text, max).map_err(|why| (field, why))
}
