//! Whoever is given an alert, a work order or a problem is told so, unless they took it themselves.

use crate::alerts::rule::{Audience, Severity};
use crate::desk::messages::{Announcement, Cause, local_minute};
use crate::desk::orders::{NewOrder, OrderEvent, OrderStep};
use crate::desk::problems::{NewProblem, ProblemEvent, ProblemStep};
use crate::desk::{AlertDesk, AlertEvent, Event};
use crate::ids::{AlertId, HallId, OrderId, ProblemId};
use crate::name::Name;
use crate::time::{TimeZone, Timestamp};

/// Something in somebody's hands from now on.
struct Given<'a> {
    /// What it is, with its number.
    what: Name,
    title: &'a Name,
    severity: Severity,
    to: &'a str,
    /// Why it comes from somebody else.
    reason: Option<&'a str>,
    alert: Option<String>,
    hall: Option<&'a HallId>,
    department: Option<&'a str>,
    due_at: Option<Timestamp>,
}

impl AlertDesk {
    /// These events with messages to those who are given something by them.
    pub(super) fn with_given(
        &self,
        mut events: Vec<Event>,
        by: &str,
        now: Timestamp,
    ) -> Vec<Event> {
        let given = events.iter().filter_map(|event| self.given(event, &events));
        let given = given.filter(|given| given.to != by);
        let said: Vec<Announcement> = (self.seq + 1..)
            .zip(given)
            .map(|(seq, given)| given.announcement(seq, by))
            .collect();
        events.extend(self.announce(&said, now));
        events
    }

    fn given<'a>(&'a self, event: &'a Event, all: &'a [Event]) -> Option<Given<'a>> {
        match event {
            Event::Alert(AlertEvent::AlertAssigned { alert, to }) => self.alert_given(*alert, to),
            Event::Order(OrderEvent::OrderCreated { order, new }) => {
                Some(order_given(*order, new, new.assignee.as_deref()?, None))
            }
            Event::Order(OrderEvent::OrderStepped { order, step }) => {
                let (to, reason) = match step {
                    OrderStep::Assign { to } => (to, None),
                    OrderStep::Transfer { to, reason } => (to, Some(reason.as_str())),
                    _ => return None,
                };
                let known = self.orders.get(*order)?;
                Some(order_given(*order, &known.made, to, reason))
            }
            Event::Problem(ProblemEvent::ProblemStepped { problem, step }) => {
                let ProblemStep::Assign { to } = step else {
                    return None;
                };
                let known = self.problems.get(*problem).map(|known| &known.listed);
                Some(problem_given(
                    *problem,
                    known.or_else(|| listed(*problem, all))?,
                    to,
                ))
            }
            _ => None,
        }
    }

    fn alert_given<'a>(&'a self, id: AlertId, to: &'a str) -> Option<Given<'a>> {
        let alert = self.alerts.get(id)?;
        let raise = &alert.raise;
        Some(Given {
            what: Name::new(format!("预警 {id}"), format!("Alert {id}")),
            title: &raise.text,
            severity: alert.severity_now,
            to,
            reason: None,
            alert: Some(id.to_string()),
            hall: raise.hall.as_ref(),
            department: raise.department.as_deref(),
            due_at: None,
        })
    }
}

/// A problem that is listed and given in one decision.
fn listed(problem: ProblemId, all: &[Event]) -> Option<&NewProblem> {
    all.iter().find_map(|event| match event {
        Event::Problem(ProblemEvent::ProblemListed { problem: id, new }) => {
            (*id == problem).then_some(&**new)
        }
        _ => None,
    })
}

fn order_given<'a>(
    id: OrderId,
    order: &'a NewOrder,
    to: &'a str,
    reason: Option<&'a str>,
) -> Given<'a> {
    Given {
        what: Name::new(format!("工单 {id}"), format!("Work order {id}")),
        title: &order.title,
        severity: order.severity,
        to,
        reason,
        alert: order.alert.clone(),
        hall: order.hall.as_ref(),
        department: order.department.as_deref(),
        due_at: order.due_at,
    }
}

fn problem_given<'a>(id: ProblemId, problem: &'a NewProblem, to: &'a str) -> Given<'a> {
    Given {
        what: Name::new(format!("问题 {id}"), format!("Problem {id}")),
        title: &problem.title,
        severity: problem.severity,
        to,
        reason: None,
        alert: problem.alert.clone(),
        hall: problem.hall.as_ref(),
        department: problem.department.as_deref(),
        due_at: problem.due_at,
    }
}

impl Given<'_> {
    /// `seq` is of the decision, so that the same thing given again is another message.
    fn announcement(self, seq: u64, by: &str) -> Announcement {
        let Self {
            what, title, to, ..
        } = self;
        // Texts are the same for every receiver; the product's own zone is that of its halls.
        let due = self
            .due_at
            .map(|due_at| local_minute(TimeZone::SHANGHAI, due_at));
        let (mut zh, mut en) = (
            format!("{}已由 {by} 指派给您：{}。", what.zh, title.zh),
            format!("{} was given to you by {by}: {}.", what.en, title.en),
        );
        if let Some(reason) = self.reason {
            zh.push_str(&format!("说明：{reason}。"));
            en.push_str(&format!(" Reason: {reason}."));
        }
        if let Some(due) = due {
            zh.push_str(&format!("请于 {due} 前办结。"));
            en.push_str(&format!(" Due {due}."));
        }
        Announcement {
            key: format!("{}/given-{seq}", what.en.replace(' ', "-").to_lowercase()),
            alert: self.alert,
            cause: Cause::Assigned,
            severity: self.severity,
            title: Name::new(
                format!("{}：{}", what.zh, title.zh),
                format!("{}: {}", what.en, title.en),
            ),
            text: Name::new(zh, en),
            audience: vec![Audience::Account(to.to_owned())],
            handler: None,
            hall: self.hall.cloned(),
            department: self.department.map(Into::into),
            narrow: false,
        }
    }
}
