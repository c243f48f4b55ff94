//! What lists, pages and the live feed show of an alert.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::alerts::condition::Comparison;
use crate::alerts::subject::Value;
use crate::alerts::watch::Verdict;
use crate::desk::alert::{Alert, State};
use crate::desk::alerts::{Alerts, inhibits};
use crate::desk::event::AlertEvent;
use crate::desk::silence::Silence;
use crate::ids::AlertId;
use crate::machine::{Item, ItemKind};
use crate::time::Timestamp;

fn at(at: Option<Timestamp>) -> Option<String> {
    at.map(Timestamp::rfc3339_utc)
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
    match value {
        Value::Missing => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Number(value) => json!(value),
        Value::Text(value) => json!(value),
    }
}

/// Comparisons as the page of an alert shows them; `holds` is null where a value is missing.
pub fn comparisons_json(comparisons: &[Comparison]) -> Json {
    let one = |comparison: &Comparison| {
        json!({
            "text": comparison.text,
            "left": value_json(&comparison.left),
            "op": comparison.op,
            "right": value_json(&comparison.right),
            "holds": match comparison.holds {
                Verdict::True => Some(true),
                Verdict::False => Some(false),
                Verdict::Missing => None,
            },
        })
    };
    comparisons.iter().map(one).collect()
}

impl Alerts {
    /// The alert as lists show it.
    pub fn face(&self, alert: &Alert) -> Json {
        let raise = &alert.raise;
        let size = self
            .groups
            .get(&raise.group)
            .map_or(0, |group| group.size());
        json!({
            "id": alert.id,
            "rule": raise.rule,
            "rule_version": raise.rule_version,
            "name": raise.name,
            "topic": raise.topic,
            "severity": alert.severity_now,
            "state": alert.state,
            "subject": raise.subject,
            "label": raise.label,
            "hall": raise.hall,
            "department": raise.department,
            "handler": raise.handler,
            "raised_at": alert.raised_at.rfc3339_utc(),
            "last_true_at": alert.last_true_at.rfc3339_utc(),
            "count": alert.count,
            "text": raise.text,
            "acked_by": alert.ack.as_ref().map(|ack| &ack.by),
            "acked_at": at(alert.ack.as_ref().map(|ack| ack.at)),
            "ack_until": at(alert.ack.as_ref().and_then(|ack| ack.until)),
            "assignee": alert.assignee,
            "shelved_until": at(alert.shelf.as_ref().map(|shelf| shelf.until)),
            "suppressed_by": alert.suppressed_by.map(|by| by.to_string()),
            "escalated": alert.escalated.len(),
            "flapping": alert.flapping,
            "no_data_since": at(alert.no_data_since),
            "resolved_at": at(alert.resolved_at),
            "ending": alert.ending.as_ref().map(|ending| ending.name()),
            "closed_at": at(alert.closed_at),
            "work_order": alert.work_order,
            "problem": alert.problem,
            "group": {"key": raise.group, "size": size.max(1)},
            "remedies": raise.remedies,
        })
    }

    /// The alert with its reasons and its history.
    pub fn detail(&self, alert: &Alert) -> Json {
        let raise = &alert.raise;
        let mut face = self.face(alert);
        face["why"] = json!({
            "since": raise.since.rfc3339_utc(),
            "then": comparisons_json(&raise.why.comparisons),
            "clears_when": raise.why.clears_when,
        });
        face["ack_comment"] = json!(alert.ack.as_ref().and_then(|ack| ack.comment.as_ref()));
        face["ack_sticky"] = json!(alert.ack.as_ref().map(|ack| ack.sticky));
        face["shelf"] = json!(alert.shelf.as_ref().map(|shelf| json!({
            "by": shelf.by, "until": shelf.until.rfc3339_utc(), "reason": shelf.reason,
        })));
        face["timeline"] = alert
            .entries
            .iter()
            .map(|entry| {
                json!({
                    "at": entry.at.rfc3339_utc(), "by": entry.by, "what": entry.what,
                    "note": entry.note,
                })
            })
            .collect();
        face
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
            body: self.detail(alert).to_string(),
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
        let mut part = self.part(&touched);
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
        "ended_at": at(silence.ended_at),
    })
}
