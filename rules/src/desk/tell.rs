//! What time brings to alerts, and what people are told: first notices of a group, what came and
//! went since, escalations, repeats, the ends of silences, shelves and acknowledgements.

use std::collections::{BTreeMap, BTreeSet};

use crate::alerts::rule::{Audience, Severity};
use crate::desk::alert::{Alert, State};
use crate::desk::alerts::{Alerts, Due};
use crate::desk::event::{AckEnd, AlertEvent};
use crate::desk::group::Group;
use crate::desk::messages::{Announcement, Cause};
use crate::desk::silence::SilenceState;
use crate::ids::AlertId;
use crate::name::Name;
use crate::time::Timestamp;

/// Things that fell due and are taken in one go; the rest follows at once.
const DUE_MAX: usize = 2_000;

/// Alerts named in a notice of many.
const NAMED_MAX: usize = 5;

type Step = (String, usize, Option<Severity>, Vec<Audience>);

impl Alerts {
    /// What has fallen due until `now`.
    pub(crate) fn elapse(&self, now: Timestamp) -> Vec<AlertEvent> {
        let due = self.agenda.iter().take_while(|(at, _)| *at <= now);
        let mut events = Vec::new();
        let mut steps: BTreeMap<Step, Vec<AlertId>> = BTreeMap::new();
        for (_, due) in due.take(DUE_MAX) {
            match due {
                Due::Silence(id) => {
                    let state = self.silences.get(id).map(|silence| silence.state);
                    let silence = *id;
                    events.push(match state {
                        Some(SilenceState::Planned) => AlertEvent::SilenceBegan { silence },
                        _ => AlertEvent::SilenceEnded {
                            silence,
                            early: false,
                        },
                    });
                }
                Due::Alert(id) => {
                    if let Some(alert) = self.all.get(id) {
                        events.extend(fell_due(alert, now));
                        for (no, step, _) in alert.open_steps().filter(|(.., at)| *at <= now) {
                            let group = alert.raise.group.clone();
                            let step = (group, no, step.severity, step.to.clone());
                            steps.entry(step).or_default().push(*id);
                        }
                    }
                }
                Due::Group(key) => {
                    if let Some(group) = self.groups.get(key) {
                        events.extend(self.tell(key, group));
                    }
                }
            }
        }
        for ((_, step, severity, to), alerts) in steps {
            events.extend(self.acknowledgements_ended(&alerts, severity));
            events.push(AlertEvent::AlertsEscalated {
                alerts,
                step,
                severity,
                to,
            });
        }
        events
    }

    /// Acknowledgements that a rise in severity ends.
    fn acknowledgements_ended(
        &self,
        alerts: &[AlertId],
        severity: Option<Severity>,
    ) -> impl Iterator<Item = AlertEvent> {
        let alerts = alerts.iter().filter_map(|id| self.all.get(id));
        let ended = alerts.filter(move |alert| {
            let rises = severity.is_some_and(|severity| severity > alert.severity_now);
            let sticky = alert.ack.as_ref().is_none_or(|ack| ack.sticky);
            rises && !sticky && alert.state == State::Acknowledged
        });
        let ended: Vec<AlertId> = ended.map(|alert| alert.id).collect();
        ended
            .into_iter()
            .map(|alert| AlertEvent::AcknowledgementEnded {
                alert,
                why: AckEnd::SeverityRose,
            })
    }

    fn tell(&self, key: &str, group: &Group) -> Vec<AlertEvent> {
        let mut by_cause: BTreeMap<Cause, Vec<AlertId>> = BTreeMap::new();
        for (id, cause) in &group.again {
            by_cause.entry(*cause).or_default().push(*id);
        }
        if !group.cleared.is_empty() {
            let cleared = group.cleared.iter().copied().collect();
            by_cause.insert(Cause::Resolved, cleared);
        }
        if !group.raised.is_empty() {
            by_cause.insert(Cause::Raised, group.raised.iter().copied().collect());
        }
        if by_cause.is_empty() {
            // What somebody has in hand is not repeated to everybody.
            let open = |id: &&AlertId| {
                let alert = self.all.get(id);
                alert.is_some_and(|alert| alert.state == State::Firing && !alert.is_muted())
            };
            let open = group.told.iter().filter(open).copied().collect();
            by_cause.insert(Cause::Repeated, open);
        }
        by_cause
            .into_iter()
            .map(|(cause, alerts)| AlertEvent::AlertsTold {
                group: key.to_owned(),
                cause,
                alerts,
            })
            .collect()
    }

    /// What these events have to say to people.
    pub(crate) fn announcements(&self, events: &[AlertEvent]) -> Vec<Announcement> {
        let mut told: BTreeMap<&str, u32> = BTreeMap::new();
        events
            .iter()
            .filter_map(|event| self.announcement(event, &mut told))
            .collect()
    }

    fn announcement<'a>(
        &self,
        event: &'a AlertEvent,
        told: &mut BTreeMap<&'a str, u32>,
    ) -> Option<Announcement> {
        match event {
            AlertEvent::AlertsTold {
                group,
                cause,
                alerts,
            } => {
                let alerts = self.several(alerts);
                let known = self.groups.get(group.as_str())?;
                let lead = known.lead.or(alerts.first().map(|alert| alert.id))?;
                let count = told.entry(group).or_default();
                *count += 1;
                let key = format!("{lead}/{}", known.notices + *count);
                let standing = known.size();
                let mut announcement = say(key, lead, *cause, &alerts, standing)?;
                announcement.audience = match cause {
                    Cause::Raised => audience(&alerts, |alert| &alert.raise.notify),
                    _ => audience(&alerts, |alert| &alert.told_to),
                };
                Some(announcement)
            }
            AlertEvent::AlertsEscalated {
                alerts,
                step,
                to,
                severity,
            } => {
                let ids = alerts;
                let alerts = self.several(ids);
                let group = self.groups.get(&alerts.first()?.raise.group);
                let lead = group.and_then(|group| group.lead).unwrap_or(*ids.first()?);
                let key = format!("{}/escalation-{}", ids.first()?, step + 1);
                let mut announcement = say(key, lead, Cause::Escalated, &alerts, alerts.len())?;
                announcement.audience.clone_from(to);
                announcement.severity = announcement.severity.max(severity.unwrap_or_default());
                Some(announcement)
            }
            AlertEvent::AlertUrged { alert, person } => {
                let alert = self.all.get(alert)?;
                let key = format!("{}/urged-{}", alert.id, alert.entries.len());
                let mut announcement = say(key, alert.id, Cause::Urged, &[alert], 1)?;
                announcement.audience = vec![Audience::Handler];
                announcement.handler = Some(person.as_str().into());
                Some(announcement)
            }
            _ => None,
        }
    }

    fn several(&self, ids: &[AlertId]) -> Vec<&Alert> {
        ids.iter().filter_map(|id| self.all.get(id)).collect()
    }
}

/// What has fallen due for one alert, besides steps of its escalation.
fn fell_due(alert: &Alert, now: Timestamp) -> Vec<AlertEvent> {
    let id = alert.id;
    let mut events = Vec::new();
    match alert.state {
        State::Resolved if alert.next_due() <= Some(now) => {
            events.push(AlertEvent::AlertClosed { alert: id });
        }
        State::Closed if alert.next_due() <= Some(now) => {
            events.push(AlertEvent::AlertsForgotten { alerts: vec![id] });
        }
        State::Acknowledged => {
            let until = alert.ack.as_ref().and_then(|ack| ack.until);
            if until.is_some_and(|until| until <= now) {
                events.push(AlertEvent::AcknowledgementEnded {
                    alert: id,
                    why: AckEnd::Expired,
                });
            }
        }
        _ => (),
    }
    if alert.shelf.as_ref().is_some_and(|shelf| shelf.until <= now) {
        events.push(AlertEvent::AlertUnshelved {
            alert: id,
            expired: true,
        });
    }
    events
}

fn audience<'a, I>(alerts: &[&'a Alert], of: impl Fn(&'a Alert) -> &'a I) -> Vec<Audience>
where
    I: 'a,
    &'a I: IntoIterator<Item = &'a Audience>,
{
    let all: BTreeSet<&Audience> = alerts.iter().flat_map(|alert| of(alert)).collect();
    all.into_iter().cloned().collect()
}

/// One notice about these alerts of one group; `standing` is how many stand.
fn say(
    key: String,
    lead: AlertId,
    cause: Cause,
    alerts: &[&Alert],
    standing: usize,
) -> Option<Announcement> {
    let first = *alerts.first()?;
    let raise = &first.raise;
    let same = |of: fn(&Alert) -> Option<String>| {
        let value = of(first);
        alerts
            .iter()
            .all(|alert| of(alert) == value)
            .then_some(value)
            .flatten()
    };
    let one_hall = same(|alert| alert.raise.hall.as_ref().map(ToString::to_string));
    let (title, text) = match alerts.len() {
        1 => (raise.name.clone(), raise.text.clone()),
        n => many(alerts, n, standing),
    };
    Some(Announcement {
        key,
        alert: Some(lead.to_string()),
        cause,
        severity: alerts.iter().map(|alert| alert.severity_now).max()?,
        title,
        text,
        audience: Vec::new(),
        handler: raise.handler.clone(),
        hall: one_hall.and_then(|_| raise.hall.clone()),
        department: same(|alert| alert.raise.department.as_deref().map(str::to_owned))
            .and_then(|_| raise.department.clone()),
    })
}

fn many(alerts: &[&Alert], n: usize, standing: usize) -> (Name, Name) {
    let raise = &alerts[0].raise;
    let rules: BTreeSet<&str> = alerts.iter().map(|alert| &*alert.raise.rule).collect();
    let others = rules.len() - 1;
    let title = match others {
        0 => Name::new(
            format!("{}：{n} 项", raise.name.zh),
            format!("{}: {n} alerts", raise.name.en),
        ),
        _ => Name::new(
            format!("{}等 {} 类：{n} 项", raise.name.zh, rules.len()),
            format!("{} and {others} more: {n} alerts", raise.name.en),
        ),
    };
    let named = alerts.iter().take(NAMED_MAX);
    let zh: Vec<&str> = named
        .clone()
        .map(|alert| alert.raise.label.zh.as_str())
        .collect();
    let en: Vec<&str> = named.map(|alert| alert.raise.label.en.as_str()).collect();
    let more = ["", "…"][usize::from(n > NAMED_MAX)];
    let text = Name::new(
        format!("{}{more}。当前共 {standing} 项未解除。", zh.join("、")),
        format!("{}{more}. {standing} standing now.", en.join(", ")),
    );
    (title, text)
}
