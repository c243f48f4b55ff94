//! What time brings to alerts, and what people are told: first notices of a group, what came and
//! went since, escalations, repeats, the ends of silences, shelves and acknowledgements.

use std::collections::{BTreeMap, BTreeSet};

use crate::alerts::rule::{Audience, Severity};
use crate::desk::alert::{Alert, Raise, State};
use crate::desk::alerts::{Alerts, Due};
use crate::desk::event::{AckEnd, AlertEvent};
use crate::desk::group::Group;
use crate::desk::messages::{Announcement, Cause};
use crate::desk::silence::SilenceState;
use crate::ids::{AlertId, HallId, SilenceId};
use crate::name::Name;
use crate::time::Timestamp;

/// Things that fell due and are taken in one go; the rest follows at once.
const DUE_MAX: usize = 2_000;

/// Alerts named in a notice of many.
const NAMED_MAX: usize = 5;

/// Steps of one rule's escalation, for alerts of one group.
type Step<'a> = (&'a str, usize, Option<Severity>, Vec<Audience>);

/// Things that fell due and do not touch one another.
#[derive(Default)]
struct Round<'a> {
    events: Vec<AlertEvent>,
    steps: BTreeMap<Step<'a>, Vec<AlertId>>,
    silences: usize,
    /// Groups of which an alert came, and those that had their say.
    touched: BTreeSet<&'a str>,
    told: BTreeSet<&'a str>,
}

impl<'a> Round<'a> {
    fn has_room_for(&mut self, due: &Due, group: Option<&'a str>) -> bool {
        let Some(group) = group else {
            self.silences += 1;
            return self.touched.is_empty() && self.told.is_empty() && self.silences == 1;
        };
        let room = self.silences == 0 && !self.told.contains(group);
        match due {
            Due::Group(_) => {
                self.told.insert(group);
                room && !self.touched.contains(group)
            }
            _ => {
                self.touched.insert(group);
                room
            }
        }
    }

    fn take_steps(&mut self, alert: &'a Alert, at: Timestamp) {
        let due = alert.open_steps().filter(|(.., due)| *due <= at);
        for (no, step, _) in due {
            let group = alert.raise.group.as_str();
            let step = (group, no, step.severity, step.to.clone());
            self.steps.entry(step).or_default().push(alert.id);
        }
    }
}

impl Alerts {
    /// What has fallen due until `now`, in order of time. What a step changes for a later one, such as
    /// a silence that begins or a group that has to say more by now, ends the round: the rest follows
    /// at once, decided on what then is.
    pub(crate) fn elapse(&self, now: Timestamp) -> Vec<AlertEvent> {
        let due = self.agenda.iter().take_while(|(at, _)| *at <= now);
        let mut round = Round::default();
        for (at, due) in due.take(DUE_MAX) {
            if !round.has_room_for(due, self.group_of(due)) {
                break;
            }
            match due {
                Due::Silence(silence) => round.events.push(self.silence_due(*silence)),
                Due::Alert(id) => {
                    if let Some(alert) = self.all.get(id) {
                        round.events.extend(fell_due(alert, *at));
                        round.take_steps(alert, *at);
                    }
                }
                Due::Group(key) => {
                    if let Some(group) = self.groups.get(key) {
                        round.events.extend(self.tell(key, group));
                    }
                }
            }
        }
        let Round {
            mut events, steps, ..
        } = round;
        let mut ended: BTreeSet<AlertId> = events.iter().filter_map(acknowledgement_end).collect();
        for ((_, step, severity, to), alerts) in steps {
            let rises = self.acknowledgements_ended(&alerts, severity);
            events.extend(rises.filter(|event| {
                let alert = acknowledgement_end(event);
                alert.is_some_and(|alert| ended.insert(alert))
            }));
            events.push(AlertEvent::AlertsEscalated {
                alerts,
                step,
                severity,
                to,
            });
        }
        events
    }

    fn group_of<'a>(&'a self, due: &'a Due) -> Option<&'a str> {
        match due {
            Due::Silence(_) => None,
            Due::Alert(id) => Some(&self.all.get(id)?.raise.group),
            Due::Group(key) => Some(key),
        }
    }

    fn silence_due(&self, silence: SilenceId) -> AlertEvent {
        let state = self.silences.get(&silence).map(|silence| silence.state);
        match state {
            Some(SilenceState::Planned) => AlertEvent::SilenceBegan { silence },
            _ => AlertEvent::SilenceEnded {
                silence,
                early: false,
            },
        }
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
            .filter_map(|event| self.announced(event, &mut told))
            .flatten()
            .collect()
    }

    fn announced<'a>(
        &self,
        event: &'a AlertEvent,
        told: &mut BTreeMap<&'a str, u32>,
    ) -> Option<Vec<Announcement>> {
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
                let standing = known.told.iter().chain(&known.raised);
                let standing = self.several(standing);
                let notice = Notice {
                    key,
                    lead,
                    cause: *cause,
                    standing: &standing,
                };
                Some(notice.by_hall(&alerts, |alerts| match cause {
                    Cause::Raised => audience(alerts, |alert| &alert.raise.notify),
                    _ => audience(alerts, |alert| &alert.told_to),
                }))
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
                let notice = Notice {
                    key: format!("{}/escalation-{}", ids.first()?, step + 1),
                    lead,
                    cause: Cause::Escalated,
                    standing: &alerts,
                };
                let mut all = notice.by_hall(&alerts, |_| to.clone());
                for said in &mut all {
                    said.severity = said.severity.max(severity.unwrap_or_default());
                }
                Some(all)
            }
            AlertEvent::AlertUrged { alert, person } => {
                let alert = self.all.get(alert)?;
                let key = format!("{}/urged-{}", alert.id, alert.changes);
                let notice = Notice {
                    key,
                    lead: alert.id,
                    cause: Cause::Urged,
                    standing: &[],
                };
                let mut said = notice.say(&[alert])?;
                said.audience = vec![Audience::Handler];
                said.handler = Some(person.as_str().into());
                Some(vec![said])
            }
            _ => None,
        }
    }

    fn several<'a>(&self, ids: impl IntoIterator<Item = &'a AlertId>) -> Vec<&Alert> {
        let ids = ids.into_iter();
        ids.filter_map(|id| self.all.get(id)).collect()
    }
}

fn acknowledgement_end(event: &AlertEvent) -> Option<AlertId> {
    match event {
        AlertEvent::AcknowledgementEnded { alert, .. } => Some(*alert),
        _ => None,
    }
}

/// What has fallen due for one alert at this instant, besides steps of its escalation.
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

/// One notice about alerts of one group.
struct Notice<'a> {
    key: String,
    lead: AlertId,
    cause: Cause,
    /// Alerts of the group that stand.
    standing: &'a [&'a Alert],
}

impl Notice<'_> {
    /// One announcement of all these alerts and, if they are of several halls, one of each hall's for
    /// those who hear of that hall only.
    fn by_hall(
        &self,
        alerts: &[&Alert],
        audience: impl Fn(&[&Alert]) -> Vec<Audience>,
    ) -> Vec<Announcement> {
        let mut all: Vec<Announcement> = self.say(alerts).into_iter().collect();
        all.iter_mut()
            .for_each(|whole| whole.audience = audience(alerts));
        let halls: BTreeSet<_> = alerts.iter().map(|alert| &alert.raise.hall).collect();
        if halls.len() < 2 {
            return all;
        }
        for hall in halls.into_iter().flatten() {
            let here = |alert: &&&Alert| alert.raise.hall.as_ref() == Some(hall);
            let standing: Vec<&Alert> = self.standing.iter().filter(here).copied().collect();
            let part: Vec<&Alert> = alerts.iter().filter(here).copied().collect();
            let notice = Notice {
                key: format!("{}/{hall}", self.key),
                // The link leads to an alert that they may see.
                lead: part.first().map_or(self.lead, |alert| alert.id),
                cause: self.cause,
                standing: &standing,
            };
            all.extend(notice.say(&part).map(|said| Announcement {
                audience: audience(&part),
                narrow: true,
                ..said
            }));
        }
        all
    }

    fn say(&self, alerts: &[&Alert]) -> Option<Announcement> {
        let first = *alerts.first()?;
        let raise = &first.raise;
        let same = |of: fn(&Raise) -> Option<&str>| {
            let value = of(raise);
            alerts.iter().all(|alert| of(&alert.raise) == value)
        };
        let one_hall = same(|raise| raise.hall.as_ref().map(HallId::as_str));
        let one_department = same(|raise| raise.department.as_deref());
        let (title, text) = match alerts.len() {
            1 => (raise.name.clone(), raise.text.clone()),
            n => many(alerts, n, self.standing.len()),
        };
        Some(Announcement {
            key: self.key.clone(),
            alert: Some(self.lead.to_string()),
            cause: self.cause,
            severity: alerts.iter().map(|alert| alert.severity_now).max()?,
            title,
            text,
            audience: Vec::new(),
            handler: raise.handler.clone(),
            hall: raise.hall.clone().filter(|_| one_hall),
            department: raise.department.clone().filter(|_| one_department),
            narrow: false,
        })
    }
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
