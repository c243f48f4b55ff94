//! All alerts that the desk has at hand, and what every event makes of them.
//!
//! **Invariants.** `standing` holds exactly the alerts whose state stands, one per rule and subject.
//! `agenda` holds exactly the next due instant of every alert, group and silence. Who is suppressed
//! follows from silences in force and inhibiting alerts; `suppression` works it out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alerts::rule::Severity;
use crate::alerts::subject::{Subject, SubjectKind};
use crate::alerts::watch::Phase;
use crate::desk::alert::{Acknowledgement, Alert, Ending, Raise, Shelf, State, Suppression};
use crate::desk::event::{AckEnd, AlertEvent, HeldBy, Waiting};
use crate::desk::group::Group;
use crate::desk::messages::Cause;
use crate::desk::silence::{Silence, SilenceState};
use crate::desk::suppression::inhibits;
use crate::ids::{AlertId, SilenceId};
use crate::time::Timestamp;

/// Resolutions by hand that are remembered, more than there can be between two passes.
const BY_HAND_MAX: usize = 256;

/// One rule on one subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Instance {
    pub rule: Arc<str>,
    pub subject: Subject,
}

impl Instance {
    pub fn new(rule: &Arc<str>, subject: &Subject) -> Self {
        Self {
            rule: Arc::clone(rule),
            subject: subject.clone(),
        }
    }
}

/// Something that time brings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Due {
    Silence(SilenceId),
    Alert(AlertId),
    Group(String),
}

/// The alerts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Alerts {
    pub(crate) last_alert: u64,
    pub(crate) last_silence: u64,
    pub(crate) all: BTreeMap<AlertId, Alert>,
    #[serde(with = "pairs")]
    pub(crate) standing: BTreeMap<Instance, AlertId>,
    #[serde(with = "pairs")]
    pub(crate) waiting: BTreeMap<Instance, Timestamp>,
    #[serde(with = "pairs")]
    pub(crate) held: BTreeMap<Instance, HeldBy>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) silences: BTreeMap<SilenceId, Silence>,
    pub(crate) agenda: BTreeSet<(Timestamp, Due)>,
    /// Standing alerts that inhibit others.
    pub(super) inhibitors: BTreeSet<AlertId>,
    /// Instances whose alert was resolved by hand lately: their watches begin anew.
    pub(crate) by_hand: VecDeque<(Timestamp, Instance)>,
    /// When each of the last alerts was raised, for the load of the desk.
    pub(crate) history: super::load::History,
}

impl Alerts {
    pub fn get(&self, id: AlertId) -> Option<&Alert> {
        self.all.get(&id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Alert> {
        self.all.values()
    }

    /// The alert of a rule that stands on a subject.
    pub fn standing_on(&self, instance: &Instance) -> Option<&Alert> {
        self.all.get(self.standing.get(instance)?)
    }

    /// The instances of one rule that have a standing alert.
    pub fn standing_of<'a>(
        &'a self,
        rule: &'a Arc<str>,
    ) -> impl Iterator<Item = (&'a Instance, &'a AlertId)> {
        of_rule(&self.standing, rule)
    }

    pub fn groups(&self) -> &BTreeMap<String, Group> {
        &self.groups
    }

    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.silences.values()
    }

    pub fn silence(&self, id: SilenceId) -> Option<&Silence> {
        self.silences.get(&id)
    }

    /// Instances that fire without an alert, and why.
    pub fn held(&self) -> impl Iterator<Item = (&Instance, HeldBy)> {
        self.held.iter().map(|(instance, by)| (instance, *by))
    }

    /// Instances whose alert somebody resolved by hand at or after `since`, and that have no other.
    pub fn resolved_by_hand(&self, since: Timestamp) -> Vec<Instance> {
        let lately = self.by_hand.iter().filter(|(at, _)| *at >= since);
        lately
            .map(|(_, instance)| instance.clone())
            .filter(|instance| !self.standing.contains_key(instance))
            .collect()
    }

    /// Alerts that stand, and instances that fire without one.
    pub fn counts(&self) -> (usize, usize) {
        (self.standing.len(), self.held.len())
    }

    /// Every watch that is not quiet, to begin with after a restart.
    pub fn watches(&self) -> Vec<(Instance, Phase, bool, Option<Timestamp>)> {
        let waiting = self.waiting.iter();
        let waiting =
            waiting.map(|(at, since)| (at.clone(), Phase::Pending { since: *since }, false, None));
        let standing = self.standing.iter().filter_map(|(at, id)| {
            let alert = self.all.get(id)?;
            Some((at.clone(), alert.phase, alert.flapping, alert.no_data_since))
        });
        // What is held back fires, and what is offered again has waited long enough.
        let since = Timestamp::default();
        let held = self.held.keys();
        let held = held.map(|at| (at.clone(), Phase::Pending { since }, false, None));
        waiting.chain(standing).chain(held).collect()
    }

    /// A copy with these alerts only, and all that decides who is told of them; and with the groups
    /// that new ones come into.
    pub(crate) fn part<'a>(
        &'a self,
        ids: &BTreeSet<AlertId>,
        groups: impl Iterator<Item = &'a String>,
    ) -> Self {
        let all: BTreeMap<AlertId, Alert> = ids
            .iter()
            .chain(&self.inhibitors)
            .filter_map(|id| Some((*id, self.all.get(id)?.clone())))
            .collect();
        let mut keys: BTreeSet<&String> = groups.collect();
        let known = ids.iter().chain(&self.inhibitors);
        keys.extend(known.filter_map(|id| Some(&self.all.get(id)?.raise.group)));
        Self {
            groups: keys
                .into_iter()
                .filter_map(|key| Some((key.clone(), self.groups.get(key)?.clone())))
                .collect(),
            standing: all
                .values()
                .filter(|alert| alert.state.stands())
                .map(|alert| {
                    (
                        Instance::new(&alert.raise.rule, &alert.raise.subject),
                        alert.id,
                    )
                })
                .collect(),
            silences: self.silences.clone(),
            inhibitors: self.inhibitors.clone(),
            all,
            ..Self::default()
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.agenda.first().map(|(at, _)| *at)
    }

    pub(crate) fn apply(&mut self, at: Timestamp, by: &str, event: &AlertEvent) {
        match event {
            AlertEvent::Waited { watches } => watches.iter().for_each(|watch| self.waited(watch)),
            AlertEvent::AlertRaised {
                alert,
                raise,
                count,
            } => self.raised(at, by, *alert, raise, *count),
            AlertEvent::AlertObserved {
                alert,
                phase,
                flapping,
                no_data_since,
                count,
            } => self.observed(at, *alert, *phase, *flapping, *no_data_since, *count),
            AlertEvent::AlertResolved {
                alert,
                ending,
                count,
                comment,
            } => self.resolved(at, by, *alert, ending, *count, comment.clone()),
            AlertEvent::HeldBack {
                rule,
                subject,
                held_by,
            } => {
                let instance = Instance::new(rule, subject);
                self.waiting.remove(&instance);
                self.held.insert(instance, *held_by);
            }
            AlertEvent::HeldBackEnded { rule, subject } => {
                self.held.remove(&Instance::new(rule, subject));
            }
            AlertEvent::AlertsEscalated {
                alerts,
                step,
                severity,
                to,
            } => alerts
                .iter()
                .for_each(|id| self.escalated(at, *id, *step, *severity, to)),
            AlertEvent::AlertsTold {
                group,
                cause,
                alerts,
            } => self.told(at, group, *cause, alerts),
            AlertEvent::AlertsForgotten { alerts } => alerts.iter().for_each(|id| self.forget(*id)),
            AlertEvent::Silenced { silence, plan } => self.silenced(at, by, *silence, plan),
            AlertEvent::SilenceBegan { silence } => {
                self.set_silence(at, *silence, SilenceState::Active);
            }
            AlertEvent::SilenceEnded { silence, .. } => {
                self.set_silence(at, *silence, SilenceState::Ended);
            }
            handled => self.handled(at, by, handled),
        }
    }

    fn waited(&mut self, watch: &Waiting) {
        let instance = Instance::new(&watch.rule, &watch.subject);
        match watch.since {
            Some(since) => self.waiting.insert(instance, since),
            None => self.waiting.remove(&instance),
        };
    }

    fn raised(&mut self, at: Timestamp, by: &str, id: AlertId, raise: &Raise, count: u32) {
        let mut alert = Alert::new(id, at, raise.clone());
        alert.count = count;
        alert.note(at, by, "alert_raised", None);
        let instance = Instance::new(&raise.rule, &raise.subject);
        self.last_alert = self.last_alert.max(id.0);
        self.waiting.remove(&instance);
        self.held.remove(&instance);
        self.standing.insert(instance, id);
        alert.suppressed_by = self.suppression_of(&alert);
        let muted = alert.is_muted();
        let group = self.groups.entry(raise.group.clone()).or_default();
        group.repeat_secs = raise.repeat_secs;
        group.single = raise.group == id.to_string();
        if !muted {
            group.wait(id, alert.severity_now);
        }
        self.history.raised(at, raise);
        self.all.insert(id, alert);
        if !raise.inhibits.is_empty() {
            self.inhibitors.insert(id);
            let touches = |alert: &Alert| inhibits(raise, alert);
            self.refresh_suppressions(at, touches);
        }
        self.replan_alert(id);
        self.replan_group(at, &raise.group.clone());
    }

    fn observed(
        &mut self,
        at: Timestamp,
        id: AlertId,
        phase: Phase,
        flapping: bool,
        no_data_since: Option<Timestamp>,
        count: u32,
    ) {
        let Some(alert) = self.all.get_mut(&id) else {
            return;
        };
        let before = (alert.phase, alert.flapping, alert.no_data_since.is_some());
        (alert.phase, alert.flapping, alert.no_data_since) = (phase, flapping, no_data_since);
        alert.count = alert.count.max(count);
        if matches!(before.0, Phase::Firing { .. }) || matches!(phase, Phase::Firing { .. }) {
            alert.last_true_at = at;
        }
        let what = match (before, no_data_since.is_some()) {
            ((_, _, false), true) => "data_lost",
            ((_, _, true), false) => "data_back",
            ((_, false, _), _) if flapping => "flapping_began",
            ((_, true, _), _) if !flapping => "flapping_ended",
            _ => match phase {
                Phase::Keeping { .. } => "condition_false",
                _ => "condition_true",
            },
        };
        alert.note(at, "clock", what, None);
        self.history.changed(at, id);
    }

    fn resolved(
        &mut self,
        at: Timestamp,
        by: &str,
        id: AlertId,
        ending: &Ending,
        count: u32,
        comment: Option<String>,
    ) {
        let Some(alert) = self.all.get_mut(&id) else {
            return;
        };
        alert.state = State::Resolved;
        alert.phase = Phase::Normal;
        alert.resolved_at = Some(at);
        alert.ending = Some(ending.clone());
        alert.count = alert.count.max(count);
        alert.no_data_since = None;
        alert.shelf = None;
        alert.suppressed_by = None;
        let note = comment.unwrap_or_else(|| ending.name().to_owned());
        alert.note(at, by, "alert_resolved", Some(note));
        let (group, instance) = (
            alert.raise.group.clone(),
            Instance::new(&alert.raise.rule, &alert.raise.subject),
        );
        // Whoever was told of a step hears of the end, also when the first notice never came.
        let known = !alert.told_to.is_empty();
        self.standing.remove(&instance);
        if *ending == Ending::ByHand {
            self.by_hand.push_back((at, instance));
            let surplus = self.by_hand.len().saturating_sub(BY_HAND_MAX);
            self.by_hand.drain(..surplus);
        }
        let entry = self.groups.entry(group.clone()).or_default();
        entry.unwait(id);
        entry.again.remove(&id);
        entry.told.remove(&id);
        if known {
            entry.cleared.insert(id);
        }
        self.history.changed(at, id);
        self.replan_alert(id);
        self.replan_group(at, &group);
        if self.inhibitors.remove(&id) {
            let freed = Some(Suppression::Alert(id));
            self.refresh_suppressions(at, |alert| alert.suppressed_by == freed);
        }
    }

    fn handled(&mut self, at: Timestamp, by: &str, event: &AlertEvent) {
        match event {
            AlertEvent::AlertAcknowledged {
                alert,
                comment,
                until,
                sticky,
            } => self.change(at, by, *alert, event, comment.clone(), |alert| {
                alert.state = State::Acknowledged;
                alert.ack = Some(Acknowledgement {
                    by: by.to_owned(),
                    at,
                    comment: comment.clone(),
                    until: *until,
                    sticky: *sticky,
                });
            }),
            AlertEvent::AcknowledgementEnded { alert, why } => {
                self.change(at, by, *alert, event, None, |alert| {
                    alert.state = State::Firing;
                    alert.ack = None;
                });
                if *why == AckEnd::Expired {
                    self.tell_again(at, *alert, Cause::Reopened);
                }
            }
            AlertEvent::AlertAssigned { alert, to } => {
                self.change(at, by, *alert, event, Some(to.clone()), |alert| {
                    alert.assignee = Some(to.clone());
                });
            }
            AlertEvent::AlertBegun { alert } => {
                self.change(at, by, *alert, event, None, |alert| {
                    alert.state = State::InProgress;
                    alert.assignee.get_or_insert_with(|| by.to_owned());
                });
            }
            AlertEvent::AlertClosed { alert } => {
                self.change(at, by, *alert, event, None, |alert| {
                    alert.state = State::Closed;
                    alert.closed_at = Some(at);
                });
            }
            AlertEvent::AlertCommented { alert, text } => {
                self.change(at, by, *alert, event, Some(text.clone()), |_| ());
            }
            AlertEvent::AlertUrged { alert, person } => {
                self.change(at, by, *alert, event, Some(person.clone()), |alert| {
                    alert.urged_at = Some(at);
                });
            }
            AlertEvent::OrderLinked { alert, order } => {
                self.change(at, by, *alert, event, Some(order.to_string()), |alert| {
                    alert.work_order = Some(*order);
                });
            }
            AlertEvent::ProblemLinked { alert, problem } => {
                self.change(at, by, *alert, event, Some(problem.to_string()), |alert| {
                    alert.problem = Some(*problem);
                });
            }
            AlertEvent::AlertShelved {
                alert,
                until,
                reason,
            } => {
                self.change(at, by, *alert, event, Some(reason.clone()), |alert| {
                    alert.shelf = Some(Shelf {
                        by: by.to_owned(),
                        until: *until,
                        reason: reason.clone(),
                    });
                });
                self.muted(at, *alert);
            }
            AlertEvent::AlertUnshelved { alert, expired } => {
                self.change(at, by, *alert, event, None, |alert| alert.shelf = None);
                self.unmuted(at, *alert, expired.then_some(Cause::Reopened));
            }
            _ => (),
        }
    }

    /// Changes one alert, writes the line of its history and plans what time brings next.
    fn change(
        &mut self,
        at: Timestamp,
        by: &str,
        id: AlertId,
        event: &AlertEvent,
        note: Option<String>,
        change: impl FnOnce(&mut Alert),
    ) {
        if let Some(alert) = self.all.get_mut(&id) {
            change(alert);
            alert.note(at, by, event.kind(), note);
            self.replan_alert(id);
        }
    }

    fn escalated(
        &mut self,
        at: Timestamp,
        id: AlertId,
        step: usize,
        severity: Option<Severity>,
        to: &[crate::alerts::rule::Audience],
    ) {
        let Some(alert) = self.all.get_mut(&id) else {
            return;
        };
        alert.escalated.insert(step);
        alert.told_to.extend(to.iter().cloned());
        alert.severity_now = severity.map_or(alert.severity_now, |to| to.max(alert.severity_now));
        alert.note(
            at,
            "clock",
            "alerts_escalated",
            Some((step + 1).to_string()),
        );
        self.replan_alert(id);
    }

    fn told(&mut self, at: Timestamp, key: &str, cause: Cause, alerts: &[AlertId]) {
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        for id in alerts {
            match cause {
                Cause::Resolved => {
                    group.cleared.remove(id);
                }
                Cause::Raised => {
                    group.unwait(*id);
                    group.told.insert(*id);
                }
                _ => {
                    group.again.remove(id);
                }
            }
        }
        group.lead = group.lead.or(alerts.first().copied());
        group.told_at = Some(at);
        group.notices += 1;
        for id in alerts {
            if let Some(alert) = self.all.get_mut(id) {
                group.told_severity = group.told_severity.max(Some(alert.severity_now));
                if cause != Cause::Resolved {
                    alert.told_at = Some(at);
                    alert.told_to.extend(alert.raise.notify.iter().cloned());
                }
                alert.told_count += 1;
                alert.note(at, "clock", "alerts_told", Some(cause.name().to_owned()));
            }
        }
        self.replan_group(at, key);
    }

    fn forget(&mut self, id: AlertId) {
        if let Some(alert) = self.all.remove(&id)
            && let Some(due) = alert.due
        {
            self.agenda.remove(&(due, Due::Alert(id)));
        }
    }

    pub(super) fn replan_alert(&mut self, id: AlertId) {
        let Some(alert) = self.all.get_mut(&id) else {
            return;
        };
        let next = alert.next_due();
        if next == alert.due {
            return;
        }
        if let Some(due) = alert.due {
            self.agenda.remove(&(due, Due::Alert(id)));
        }
        if let Some(due) = next {
            self.agenda.insert((due, Due::Alert(id)));
        }
        alert.due = next;
    }

    pub(super) fn replan_group(&mut self, at: Timestamp, key: &str) {
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        let graver = group.raised_severity > group.told_severity;
        let next = group.next_due(at, graver);
        let before = std::mem::replace(&mut group.due, next);
        let over = group.is_over();
        if let Some(due) = before.filter(|due| over || Some(*due) != next) {
            self.agenda.remove(&(due, Due::Group(key.to_owned())));
        }
        if over {
            self.groups.remove(key);
        } else if let Some(due) = next.filter(|due| Some(*due) != before) {
            self.agenda.insert((due, Due::Group(key.to_owned())));
        }
    }
}

/// The entries of one rule.
pub(crate) fn of_rule<'a, V>(
    map: &'a BTreeMap<Instance, V>,
    rule: &'a Arc<str>,
) -> impl Iterator<Item = (&'a Instance, &'a V)> {
    let first = Instance {
        rule: Arc::clone(rule),
        subject: Subject::new(SubjectKind::Case, ""),
    };
    map.range(first..)
        .take_while(|(instance, _)| instance.rule == *rule)
}

/// Maps whose keys JSON cannot have, as lists of pairs.
pub(crate) mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(crate) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}
