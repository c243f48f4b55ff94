//! What lists, pages and the live feed show of an alert.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

use crate::alerts::condition::Comparison;
use crate::alerts::rule::{RemedyKind, Severity, Topic};
use crate::alerts::subject::{Subject, Value};
use crate::alerts::watch::Verdict;
use crate::desk::alert::{Alert, Entry, State};
use crate::desk::alerts::Alerts;
use crate::desk::event::AlertEvent;
use crate::desk::silence::Silence;
use crate::desk::suppression::inhibits;
use crate::ids::{AlertId, HallId, OrderId, ProblemId};
use crate::machine::{Item, ItemKind};
use crate::name::Name;
use crate::time::Timestamp;

/// An instant as lists show it: RFC 3339 in UTC.
pub(crate) struct At(pub(crate) Timestamp);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.rfc3339_utc())
    }
}

/// A comparison with its values, for a person: `waiting > 20: 31 > 20`.
pub fn comparison_words(comparison: &Comparison) -> String {
    let Comparison {
        text,
        left,
        op,
        right,
        ..
    } = comparison;
    format!("{text}: {} {op} {}", value_words(left), value_words(right))
}

fn value_words(value: &Value) -> String {
    match value {
        Value::Missing => "?".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => ((value * 100.0).round() / 100.0).to_string(),
        Value::Text(value) => value.to_string(),
    }
}

/// A value as JSON; what is missing is null.
pub fn value_json(value: &Value) -> Json {
    json!(Plain(value))
}

struct Plain<'a>(&'a Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Missing => to.serialize_none(),
            Value::Bool(value) => value.serialize(to),
            Value::Number(value) => value.serialize(to),
            Value::Text(value) => value.serialize(to),
        }
    }
}

/// A comparison as the page of an alert shows it.
#[derive(Serialize)]
struct Compared<'a> {
    text: &'a str,
    left: Plain<'a>,
    op: &'a str,
    right: Plain<'a>,
    /// Null where a value is missing.
    holds: Option<bool>,
}

fn compared(comparison: &Comparison) -> Compared<'_> {
    Compared {
        text: &comparison.text,
        left: Plain(&comparison.left),
        op: &comparison.op,
        right: Plain(&comparison.right),
        holds: match comparison.holds {
            Verdict::True => Some(true),
            Verdict::False => Some(false),
            Verdict::Missing => None,
        },
    }
}

/// Comparisons as the page of an alert shows them; `holds` is null where a value is missing.
pub fn comparisons_json(comparisons: &[Comparison]) -> Json {
    json!(comparisons.iter().map(compared).collect::<Vec<_>>())
}

/// An alert as lists show it.
#[derive(Serialize)]
pub struct Face<'a> {
    id: AlertId,
    rule: &'a str,
    rule_version: u32,
    name: &'a Name,
    topic: Topic,
    severity: Severity,
    state: State,
    subject: &'a Subject,
    label: &'a Name,
    hall: Option<&'a HallId>,
    department: Option<&'a str>,
    handler: Option<&'a str>,
    raised_at: At,
    last_true_at: At,
    count: u32,
    text: &'a Name,
    acked_by: Option<&'a str>,
    acked_at: Option<At>,
    ack_until: Option<At>,
    assignee: Option<&'a str>,
    shelved_until: Option<At>,
    suppressed_by: Option<String>,
    escalated: usize,
    flapping: bool,
    no_data_since: Option<At>,
    resolved_at: Option<At>,
    ending: Option<&'static str>,
    closed_at: Option<At>,
    work_order: Option<OrderId>,
    problem: Option<ProblemId>,
    group: GroupFace<'a>,
    remedies: &'a [RemedyKind],
}

/// The alerts that are told together with one.
#[derive(Serialize)]
struct GroupFace<'a> {
    key: &'a str,
    size: usize,
}

/// An alert with its reasons and its history.
#[derive(Serialize)]
pub struct Detail<'a> {
    #[serde(flatten)]
    face: Face<'a>,
    why: WhyFace<'a>,
    ack_comment: Option<&'a str>,
    ack_sticky: Option<bool>,
    shelf: Option<ShelfFace<'a>>,
    timeline: Vec<Step<'a>>,
}

#[derive(Serialize)]
struct WhyFace<'a> {
    since: At,
    then: Vec<Compared<'a>>,
    clears_when: &'a str,
}

#[derive(Serialize)]
struct ShelfFace<'a> {
    by: &'a str,
    until: At,
    reason: &'a str,
}

#[derive(Serialize)]
struct Step<'a> {
    at: At,
    by: &'a str,
    what: &'a str,
    note: Option<&'a str>,
}

impl Entry {
    fn step(&self) -> Step<'_> {
        Step {
            at: At(self.at),
            by: &self.by,
            what: &self.what,
            note: self.note.as_deref(),
        }
    }
}

/// Its JSON. What these structures hold always has one.
pub(crate) fn body_of(face: &impl Serialize) -> String {
    serde_json::to_string(face).unwrap_or_default()
}

impl Alerts {
    /// The alert as lists show it.
    pub fn face<'a>(&'a self, alert: &'a Alert) -> Face<'a> {
        let raise = &alert.raise;
        let size = self
            .groups
            .get(&raise.group)
            .map_or(0, |group| group.size());
        let ack = alert.ack.as_ref();
        Face {
            id: alert.id,
            rule: &raise.rule,
            rule_version: raise.rule_version,
            name: &raise.name,
            topic: raise.topic,
            severity: alert.severity_now,
            state: alert.state,
            subject: &raise.subject,
            label: &raise.label,
            hall: raise.hall.as_ref(),
            department: raise.department.as_deref(),
            handler: raise.handler.as_deref(),
            raised_at: At(alert.raised_at),
            last_true_at: At(alert.last_true_at),
            count: alert.count,
            text: &raise.text,
            acked_by: ack.map(|ack| ack.by.as_str()),
            acked_at: ack.map(|ack| At(ack.at)),
            ack_until: ack.and_then(|ack| ack.until).map(At),
            assignee: alert.assignee.as_deref(),
            shelved_until: alert.shelf.as_ref().map(|shelf| At(shelf.until)),
            suppressed_by: alert.suppressed_by.map(|by| by.to_string()),
            escalated: alert.escalated.len(),
            flapping: alert.flapping,
            no_data_since: alert.no_data_since.map(At),
            resolved_at: alert.resolved_at.map(At),
            ending: alert.ending.as_ref().map(|ending| ending.name()),
            closed_at: alert.closed_at.map(At),
            work_order: alert.work_order,
            problem: alert.problem,
            group: GroupFace {
                key: &raise.group,
                size: size.max(1),
            },
            remedies: &raise.remedies,
        }
    }

    /// The alert with its reasons and its history.
    pub fn detail<'a>(&'a self, alert: &'a Alert) -> Detail<'a> {
        let raise = &alert.raise;
        let ack = alert.ack.as_ref();
        Detail {
            face: self.face(alert),
            why: WhyFace {
                since: At(raise.since),
                then: raise.why.comparisons.iter().map(compared).collect(),
                clears_when: &raise.why.clears_when,
            },
            ack_comment: ack.and_then(|ack| ack.comment.as_deref()),
            ack_sticky: ack.map(|ack| ack.sticky),
            shelf: alert.shelf.as_ref().map(|shelf| ShelfFace {
                by: &shelf.by,
                until: At(shelf.until),
                reason: &shelf.reason,
            }),
            timeline: alert.entries.iter().map(Entry::step).collect(),
        }
    }

    fn item(&self, alert: &Alert) -> Item {
        let raise = &alert.raise;
        Item {
            kind: ItemKind::Alert,
            id: alert.id.to_string(),
            state: alert.state.name().to_owned(),
            hall: raise.hall.clone(),
            department: raise.department.as_deref().map(str::to_owned),
            person: alert.responsible().map(str::to_owned),
            about: Some(raise.rule.to_string()),
            topic: Some(raise.topic.name().to_owned()),
            subject: Some(raise.subject.id.to_string()),
            rank: alert.severity_now as u8 + if alert.state == State::Firing { 4 } else { 0 },
            opened_at: alert.raised_at,
            due_at: None,
            ended_at: alert.resolved_at,
            body: body_of(&self.detail(alert)),
        }
    }

    /// Rows of the alerts that these events touch, as they are after them.
    pub(crate) fn rows_after(&self, events: &[(Timestamp, &str, &AlertEvent)]) -> Vec<Item> {
        let mut touched: BTreeSet<AlertId> = BTreeSet::new();
        for (_, _, event) in events {
            touched.extend(self.touched_by(event));
        }
        if touched.is_empty() {
            return Vec::new();
        }
        let raised = events.iter().filter_map(|(.., event)| match event {
            AlertEvent::AlertRaised { raise, .. } => Some(&raise.group),
            _ => None,
        });
        let mut part = self.part(&touched, raised);
        events
            .iter()
            .for_each(|(at, by, event)| part.apply(*at, by, event));
        let rows = touched.iter().filter_map(|id| part.get(*id));
        rows.map(|alert| part.item(alert)).collect()
    }

    /// The alerts whose row changes by an event.
    pub fn touched_by(&self, event: &AlertEvent) -> Vec<AlertId> {
        let standing = |touches: &dyn Fn(&Alert) -> bool| -> Vec<AlertId> {
            let all = self.standing.values().filter_map(|id| self.all.get(id));
            all.filter(|alert| touches(alert))
                .map(|alert| alert.id)
                .collect()
        };
        match event {
            AlertEvent::AlertRaised { alert, raise, .. } => {
                let mut touched = match raise.inhibits.is_empty() {
                    true => Vec::new(),
                    false => standing(&|other| inhibits(raise, other)),
                };
                touched.push(*alert);
                touched
            }
            AlertEvent::AlertResolved { alert, .. } => {
                let raise = self.all.get(alert).map(|alert| &alert.raise);
                let mut touched = match raise {
                    Some(raise) if !raise.inhibits.is_empty() => {
                        standing(&|other| inhibits(raise, other))
                    }
                    _ => Vec::new(),
                };
                touched.push(*alert);
                touched
            }
            AlertEvent::AlertsEscalated { alerts, .. } | AlertEvent::AlertsTold { alerts, .. } => {
                alerts.clone()
            }
            AlertEvent::Silenced { plan, .. } => standing(&|alert| plan.matcher.matches(alert)),
            AlertEvent::SilenceBegan { silence } | AlertEvent::SilenceEnded { silence, .. } => {
                let silence = self.silences.get(silence);
                silence.map_or_else(Vec::new, |silence| {
                    standing(&|alert| silence.plan.matcher.matches(alert))
                })
            }
            AlertEvent::Waited { .. }
            | AlertEvent::HeldBack { .. }
            | AlertEvent::HeldBackEnded { .. }
            | AlertEvent::AlertsForgotten { .. } => Vec::new(),
            AlertEvent::AlertObserved { alert, .. }
            | AlertEvent::AlertAcknowledged { alert, .. }
            | AlertEvent::AcknowledgementEnded { alert, .. }
            | AlertEvent::AlertAssigned { alert, .. }
            | AlertEvent::AlertBegun { alert }
            | AlertEvent::AlertClosed { alert }
            | AlertEvent::AlertCommented { alert, .. }
            | AlertEvent::AlertShelved { alert, .. }
            | AlertEvent::AlertUnshelved { alert, .. }
            | AlertEvent::AlertUrged { alert, .. }
            | AlertEvent::OrderLinked { alert, .. }
            | AlertEvent::ProblemLinked { alert, .. } => vec![*alert],
        }
    }
}

/// A silence as lists show it.
pub fn silence_face(silence: &Silence) -> Json {
    json!({
        "id": silence.id,
        "match": silence.plan.matcher,
        "from": silence.plan.from.rfc3339_utc(),
        "until": silence.plan.until.rfc3339_utc(),
        "reason": silence.plan.reason,
        "maintenance": silence.plan.maintenance,
        "state": silence.state,
        "by": silence.by,
        "made_at": silence.made_at.rfc3339_utc(),
        "ended_at": silence.ended_at.map(At),
    })
}
