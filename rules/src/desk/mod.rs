//! The alert desk: what stands wrong, who knows of it, who works on it, and who was told.
//!
//! * [`alert`], [`alerts`]: one alert from raised to closed, and all of them.
//! * [`pass`], `observe`: a pass over the rules and what it found; `handle`: what people do; `tell`: what time
//!   brings, and who is told; [`group`], [`silence`], `suppression`: how little.
//! * [`rulebook`]: the rules with their versions. [`load`]: what the desk has to bear.
//! * [`orders`], [`problems`], [`messages`], [`receivers`]: what follows from an alert; `given`:
//!   whoever gets something to do is told.
//!
//! They are one machine because one decision may touch several: an alert raised lists a problem and
//! queues its messages, an order made from an alert links both, and either all of it is journalled
//! or nothing.

pub mod alert;
pub mod alerts;
pub mod event;
pub mod face;
mod given;
pub mod group;
mod handle;
pub mod history;
pub mod load;
pub mod messages;
mod observe;
pub mod orders;
pub mod pass;
pub mod problems;
pub mod receivers;
pub mod refusal;
pub mod rulebook;
pub mod silence;
mod suppression;
mod tell;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use alert::{Alert, Raise, State};
pub use alerts::{Alerts, Instance};
pub use event::AlertEvent;
pub use handle::{Handling, SHELF_SECS_MAX, SilenceCommand, URGE_PAUSE_SECS};
pub use refusal::Refusal;
pub use rulebook::{RuleCommand, RuleEvent, Rulebook, SourcedRule};

use crate::alerts::engine::Observation;
use crate::alerts::facts::desk::Known;
use crate::desk::messages::{Announcement, MessageCommand, MessageEvent, Messages};
use crate::desk::orders::{NewOrder, OrderCommand, OrderEvent, Orders};
use crate::desk::problems::{NewProblem, ProblemCommand, ProblemEvent, Problems};
use crate::desk::receivers::{ReceiverCommand, ReceiverEvent, Receivers};
use crate::ids::{AlertId, OrderId, ProblemId};
use crate::machine::{Item, JournalEvent, Machine, Recorded};
use crate::name::Name;
use crate::time::Timestamp;

/// Longest comment or reason, in characters.
pub const TEXT_MAX_CHARS: usize = 2_000;

pub(crate) fn check_text(field: &str, text: &str) -> Result<(), Refusal> {
    match history::written(text, TEXT_MAX_CHARS) {
        Ok(_) => Ok(()),
        Err(why) => Err(Refusal::invalid(field, why)),
    }
}

/// A work order as asked for from an alert; what is not given comes from the alert.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderWish {
    pub title: Option<Name>,
    pub assignee: Option<String>,
    pub due_at: Option<Timestamp>,
}

/// What may be asked of the desk.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// What changed in one pass over the rules.
    Observe(Vec<Observation>),
    Handle {
        alert: AlertId,
        handling: Handling,
    },
    /// Makes a work order from an alert; each points to the other.
    OrderFrom {
        alert: AlertId,
        wish: OrderWish,
    },
    Silence(SilenceCommand),
    Rule(RuleCommand),
    Order(OrderCommand),
    Problem(ProblemCommand),
    Message(MessageCommand),
    Receiver(ReceiverCommand),
}

/// What happened at the desk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Event {
    Alert(AlertEvent),
    Rule(RuleEvent),
    Order(OrderEvent),
    Problem(ProblemEvent),
    Message(MessageEvent),
    Receiver(ReceiverEvent),
}

impl JournalEvent for Event {
    fn kind(&self) -> &'static str {
        match self {
            Self::Alert(event) => event.kind(),
            Self::Rule(event) => event.kind(),
            Self::Order(event) => event.kind(),
            Self::Problem(event) => event.kind(),
            Self::Message(event) => event.kind(),
            Self::Receiver(event) => event.kind(),
        }
    }
}

/// The alert desk.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AlertDesk {
    seq: u64,
    alerts: Alerts,
    rules: Rulebook,
    orders: Orders,
    problems: Problems,
    messages: Messages,
    receivers: Receivers,
}

impl AlertDesk {
    pub const fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    pub const fn rules(&self) -> &Rulebook {
        &self.rules
    }

    pub const fn orders(&self) -> &Orders {
        &self.orders
    }

    pub const fn problems(&self) -> &Problems {
        &self.problems
    }

    pub const fn messages(&self) -> &Messages {
        &self.messages
    }

    pub const fn receivers(&self) -> &Receivers {
        &self.receivers
    }

    /// What rules about the desk itself go by. How many passes came late, its driver knows.
    pub fn known(&self, late_passes: u64, now: Timestamp) -> Known {
        let figures = self.messages.figures(now, 24);
        let (standing, held) = self.alerts.counts();
        let count = |n: usize| Some(n as u64);
        let orders = || self.orders.iter().filter(|order| order.state.is_open());
        let problems = || {
            self.problems
                .iter()
                .filter(|problem| problem.state.is_open())
        };
        Known {
            messages_24h: Some(figures.delivered + figures.dead),
            messages_arrived_24h: Some(figures.delivered),
            messages_dead: Some(figures.dead),
            alerts_10min: count(self.alerts.load(1, None, now).alerts_10min),
            alerts_standing: count(standing),
            alerts_held_back: count(held),
            late_passes: Some(late_passes),
            orders_open: count(orders().count()),
            orders_overdue: count(orders().filter(|order| order.is_overdue()).count()),
            problems_open: count(problems().count()),
            problems_overdue: count(problems().filter(|problem| problem.is_overdue()).count()),
        }
    }

    /// Alert events with what they bring along: messages for those that say something, problems for
    /// alerts whose rule lists one.
    fn with_followers(&self, events: Vec<AlertEvent>, now: Timestamp) -> Vec<Event> {
        let announcements = self.alerts.announcements(&events);
        let problems = self.problems_of(&events);
        let mut all: Vec<Event> = events.into_iter().map(Event::Alert).collect();
        all.extend(problems);
        all.extend(self.announce(&announcements, now));
        all
    }

    fn announce(&self, all: &[Announcement], now: Timestamp) -> Vec<Event> {
        let queued = self.messages.announce(all, &self.receivers, now);
        queued.into_iter().map(Event::Message).collect()
    }

    /// Lists a problem for every alert just raised whose rule says so, and links the two. What is on
    /// the list already is linked.
    fn problems_of(&self, events: &[AlertEvent]) -> Vec<Event> {
        let found: Vec<(AlertId, NewProblem)> = events
            .iter()
            .filter_map(|event| match event {
                AlertEvent::AlertRaised { alert, raise, .. } => {
                    Some((*alert, self.problem_of(*alert, raise)?))
                }
                _ => None,
            })
            .collect();
        let new: Vec<NewProblem> = found.iter().map(|(_, new)| new.clone()).collect();
        let listed = self.problems.list(&new);
        let mut numbers: BTreeMap<(&str, &str), ProblemId> = BTreeMap::new();
        for event in &listed {
            if let ProblemEvent::ProblemListed { problem, new } = event {
                numbers.insert((&new.kind, &new.record), *problem);
            }
        }
        let links = found.iter().filter_map(|(alert, new)| {
            let known = || Some(self.problems.open_about(&new.kind, &new.record)?.id);
            let listed = numbers
                .get(&(new.kind.as_str(), new.record.as_str()))
                .copied();
            let problem = listed.or_else(known)?;
            Some(Event::Alert(AlertEvent::ProblemLinked {
                alert: *alert,
                problem,
            }))
        });
        let links: Vec<Event> = links.collect();
        listed
            .into_iter()
            .map(Event::Problem)
            .chain(links)
            .collect()
    }

    fn problem_of(&self, alert: AlertId, raise: &Raise) -> Option<NewProblem> {
        let rule = &self.rules.current(&raise.rule)?.rule;
        let comparisons = raise.why.comparisons.iter();
        Some(NewProblem {
            kind: rule.problem.clone()?,
            title: raise.text.clone(),
            severity: raise.severity,
            source: raise.subject.kind.name().to_owned(),
            record: raise.subject.id.to_string(),
            raw: comparisons
                .map(face::comparison_words)
                .collect::<Vec<_>>()
                .join("\n"),
            trace: vec![raise.rule.to_string(), alert.to_string()],
            alert: Some(alert.to_string()),
            rule: Some(raise.rule.to_string()),
            hall: raise.hall.clone(),
            department: raise.department.as_deref().map(str::to_owned),
            due_at: None,
        })
    }

    fn order_from(
        &self,
        alert: AlertId,
        wish: &OrderWish,
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let known = self.alerts.known(alert)?;
        if known.state == State::Closed {
            return Err(Refusal::AlertClosed { alert });
        }
        let open = |order: &OrderId| {
            let order = self.orders.get(*order);
            order.is_some_and(|order| order.state.is_open())
        };
        if let Some(order) = known.work_order.filter(open) {
            return Err(Refusal::HasOrder { alert, order });
        }
        let raise = &known.raise;
        let title = || {
            Name::new(
                format!("{}：{}", raise.name.zh, raise.label.zh),
                format!("{}: {}", raise.name.en, raise.label.en),
            )
        };
        let new = NewOrder {
            title: wish.title.clone().unwrap_or_else(title),
            severity: known.severity_now,
            alert: Some(alert.to_string()),
            rule: Some(raise.rule.to_string()),
            problem: known.problem,
            hall: raise.hall.clone(),
            department: raise.department.as_deref().map(str::to_owned),
            assignee: wish.assignee.clone().or_else(|| known.assignee.clone()),
            due_at: wish.due_at,
        };
        let made = self
            .orders
            .decide(&OrderCommand::Create(Box::new(new)), now)?;
        let links: Vec<Event> = made
            .iter()
            .map(|event| AlertEvent::OrderLinked {
                alert,
                order: event.order(),
            })
            .map(Event::Alert)
            .collect();
        Ok(made.into_iter().map(Event::Order).chain(links).collect())
    }

    fn rule(&self, command: &RuleCommand, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let events = self.rules.decide(command)?;
        let mut all = Vec::new();
        for event in events {
            if let RuleEvent::RuleDisabled { rule } = &event {
                let ended = self.alerts.disable(&rule.as_str().into());
                all.extend(self.with_followers(ended, now));
            }
            all.push(Event::Rule(event));
        }
        Ok(all)
    }
}

/// The events of one kind among those recorded, with when and by whom.
fn events_of<'a, E: 'a>(
    recorded: &'a [Recorded<Event>],
    of: impl Fn(&'a Event) -> Option<&'a E>,
) -> Vec<(Timestamp, &'a str, &'a E)> {
    let wanted = recorded
        .iter()
        .filter_map(|one| Some((one.at, one.by.as_str(), of(&one.event)?)));
    wanted.collect()
}

impl Machine for AlertDesk {
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    const NAME: &'static str = "desk";

    fn seq(&self) -> u64 {
        self.seq
    }

    fn decide(&self, command: &Command, by: &str, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Observe(observations) => {
                let events = self.alerts.observe(observations, &self.rules);
                Ok(self.with_followers(events, now))
            }
            Command::Handle { alert, handling } => {
                let event = self.alerts.handle(*alert, handling, now)?;
                let events = self.with_followers(vec![event], now);
                Ok(self.with_given(events, by, now))
            }
            Command::OrderFrom { alert, wish } => {
                let events = self.order_from(*alert, wish, now)?;
                Ok(self.with_given(events, by, now))
            }
            Command::Silence(command) => {
                let event = self.alerts.silence_command(command, now)?;
                Ok(vec![Event::Alert(event)])
            }
            Command::Rule(command) => self.rule(command, now),
            Command::Order(command) => {
                let events = self.orders.decide(command, now)?;
                let events = events.into_iter().map(Event::Order).collect();
                Ok(self.with_given(events, by, now))
            }
            Command::Problem(command) => {
                let events = self.problems.decide(command, now)?;
                let events = events.into_iter().map(Event::Problem).collect();
                Ok(self.with_given(events, by, now))
            }
            Command::Message(command) => {
                let events = self.messages.decide(command, &self.receivers, now)?;
                Ok(events.into_iter().map(Event::Message).collect())
            }
            Command::Receiver(command) => {
                let events = self.receivers.decide(command)?;
                Ok(events.into_iter().map(Event::Receiver).collect())
            }
        }
    }

    fn apply(&mut self, recorded: &Recorded<Event>) {
        debug_assert_eq!(recorded.seq, self.seq + 1, "events in order");
        self.seq = recorded.seq;
        let (at, by) = (recorded.at, recorded.by.as_str());
        match &recorded.event {
            Event::Alert(event) => self.alerts.apply(at, by, event),
            Event::Rule(event) => self.rules.apply(at, by, event),
            Event::Order(event) => {
                self.orders.apply(at, by, event);
                if let OrderEvent::OrderCreated { order, new } = event
                    && let Some(problem) = new.problem
                {
                    self.problems.link(problem, *order);
                }
            }
            Event::Problem(event) => self.problems.apply(at, by, event),
            Event::Message(event) => self.messages.apply(at, event),
            Event::Receiver(event) => self.receivers.apply(event),
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let all = [
            self.alerts.next_deadline(),
            self.orders.next_deadline(),
            self.problems.next_deadline(),
            self.messages.next_deadline(),
        ];
        all.into_iter().flatten().min()
    }

    fn elapse(&self, now: Timestamp) -> Vec<Event> {
        let mut all = self.with_followers(self.alerts.elapse(now), now);
        all.extend(self.orders.elapse(now).into_iter().map(Event::Order));
        all.extend(self.problems.elapse(now).into_iter().map(Event::Problem));
        all.extend(self.messages.elapse(now).into_iter().map(Event::Message));
        all
    }

    /// The shell asks before it applies, so the part that the events touch is taken, the events are
    /// applied to it, and its rows are given.
    fn items(&self, recorded: &[Recorded<Event>]) -> Vec<Item> {
        let alerts = events_of(recorded, |event| match event {
            Event::Alert(event) => Some(event),
            _ => None,
        });
        let mut items = self.alerts.rows_after(&alerts);
        let orders = events_of(recorded, |event| match event {
            Event::Order(event) => Some(event),
            _ => None,
        });
        items.extend(self.orders.rows_after(&orders));
        items.extend(orders.iter().filter_map(|(.., event)| match event {
            OrderEvent::OrderCreated { order, new } => {
                self.problems.row_linked(new.problem?, *order)
            }
            OrderEvent::OrderStepped { .. } | OrderEvent::OrderOverdue { .. } => None,
        }));
        items.extend(
            self.problems
                .rows_after(&events_of(recorded, |event| match event {
                    Event::Problem(event) => Some(event),
                    _ => None,
                })),
        );
        items.extend(
            self.messages
                .rows_after(&events_of(recorded, |event| match event {
                    Event::Message(event) => Some(event),
                    _ => None,
                })),
        );
        items
    }
}
