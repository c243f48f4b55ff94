//! What a pass over the rules found, turned into what happens: alerts raised, changed and resolved,
//! one in place of another, and what is held back because there are too many.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::alerts::condition::Comparison;
use crate::alerts::engine::{Finding, Observation};
use crate::alerts::rule::{Audience, Escalation, Rule};
use crate::alerts::subject::Subject;
use crate::alerts::watch::Phase;
use crate::desk::alert::{Ending, Raise, Why};
use crate::desk::alerts::{Alerts, Instance, of_rule};
use crate::desk::event::{AlertEvent, HeldBy, Waiting};
use crate::desk::group::group_key;
use crate::desk::rulebook::Rulebook;
use crate::ids::AlertId;

impl Alerts {
    /// What follows from these observations. What is known already says nothing, so a pass that is
    /// handed in twice happens once.
    pub(crate) fn observe(
        &self,
        observations: &[Observation],
        rules: &Rulebook,
    ) -> Vec<AlertEvent> {
        let mut pass = Pass {
            alerts: self,
            rules,
            next: self.last_alert + 1,
            raised: BTreeMap::new(),
            ended: BTreeSet::new(),
            held: BTreeSet::new(),
            counts: BTreeMap::new(),
            waits: Vec::new(),
            events: Vec::new(),
        };
        // Whoever takes another's place comes first, so that the other ends as superseded.
        let (raising, rest): (Vec<_>, Vec<_>) = observations
            .iter()
            .partition(|o| o.phase.is_open() && o.finding.is_some());
        let superseding = |o: &&&Observation| {
            let version = rules.current(&o.rule);
            version.is_some_and(|version| !version.rule.supersedes.is_empty())
        };
        raising
            .iter()
            .filter(superseding)
            .for_each(|o| pass.observe(o));
        rest.iter().for_each(|o| pass.observe(o));
        raising
            .iter()
            .filter(|o| !superseding(o))
            .for_each(|o| pass.observe(o));
        if !pass.waits.is_empty() {
            pass.events.push(AlertEvent::Waited {
                watches: pass.waits,
            });
        }
        pass.events
    }

    /// The end of every alert of a rule that was switched off.
    pub(crate) fn disable(&self, rule: &Arc<str>) -> Vec<AlertEvent> {
        let resolved = self
            .standing_of(rule)
            .map(|(_, id)| AlertEvent::AlertResolved {
                alert: *id,
                ending: Ending::RuleDisabled,
                count: 0,
                comment: None,
            });
        let held = of_rule(&self.held, rule).map(|(at, _)| AlertEvent::HeldBackEnded {
            rule: Arc::clone(rule),
            subject: at.subject.clone(),
        });
        let watches: Vec<Waiting> = of_rule(&self.waiting, rule)
            .map(|(at, _)| Waiting {
                rule: Arc::clone(rule),
                subject: at.subject.clone(),
                since: None,
            })
            .collect();
        let waited = (!watches.is_empty()).then_some(AlertEvent::Waited { watches });
        resolved.chain(held).chain(waited).collect()
    }

    /// Instances that were held back and may have an alert: whoever watches should offer them
    /// again. At most as many per rule as there is room for.
    pub fn to_offer_again(&self, rules: &Rulebook) -> Vec<Instance> {
        let mut room: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        let mut free = Vec::new();
        for (instance, by) in &self.held {
            let may = match by {
                HeldBy::Alert(id) => !self.get(*id).is_some_and(|alert| alert.state.stands()),
                HeldBy::Limit => {
                    let left = room.entry(Arc::clone(&instance.rule)).or_insert_with(|| {
                        let limit = rules.current(&instance.rule).map_or(0, |v| v.rule.limit);
                        let count = of_rule(&self.standing, &instance.rule).count();
                        (limit as usize).saturating_sub(count)
                    });
                    let may = *left > 0;
                    *left = left.saturating_sub(1);
                    may
                }
            };
            if may {
                free.push(instance.clone());
            }
        }
        free
    }
}

/// One pass as it is decided: what it has brought so far beside what was known.
struct Pass<'a> {
    alerts: &'a Alerts,
    rules: &'a Rulebook,
    next: u64,
    raised: BTreeMap<Instance, AlertId>,
    ended: BTreeSet<AlertId>,
    held: BTreeSet<Instance>,
    /// Standing alerts of a rule.
    counts: BTreeMap<Arc<str>, usize>,
    waits: Vec<Waiting>,
    events: Vec<AlertEvent>,
}

impl Pass<'_> {
    fn observe(&mut self, seen: &Observation) {
        let instance = Instance::new(&seen.rule, &seen.subject);
        let standing = self.standing(&instance);
        match (seen.phase, standing) {
            (Phase::Normal, Some(alert)) => {
                let endings = [Ending::ConditionGone, Ending::SubjectGone];
                let ending = endings[usize::from(seen.gone)].clone();
                self.resolve(&instance, alert, ending, seen.count);
            }
            (Phase::Normal | Phase::Pending { .. }, None) => self.wait(instance, seen.phase),
            (Phase::Firing { .. } | Phase::Keeping { .. }, Some(id)) => self.change(id, seen),
            (Phase::Firing { .. } | Phase::Keeping { .. }, None) => {
                if let Some(finding) = &seen.finding {
                    self.raise(instance, finding, seen);
                }
            }
            (Phase::Pending { .. }, Some(_)) => (),
        }
    }

    fn standing(&self, instance: &Instance) -> Option<AlertId> {
        let raised = self.raised.get(instance).copied();
        let known = self.alerts.standing.get(instance).copied();
        raised.or(known).filter(|id| !self.ended.contains(id))
    }

    fn wait(&mut self, instance: Instance, phase: Phase) {
        let held = self.alerts.held.contains_key(&instance) || self.held.contains(&instance);
        if matches!(phase, Phase::Normal) && held {
            self.events.push(AlertEvent::HeldBackEnded {
                rule: Arc::clone(&instance.rule),
                subject: instance.subject.clone(),
            });
        }
        let since = match phase {
            Phase::Pending { since } => Some(since),
            _ => None,
        };
        // While it is held back it waits for its turn, not for time.
        let held = since.is_some() && held;
        if !held && self.alerts.waiting.get(&instance).copied() != since {
            self.waits.push(Waiting {
                rule: instance.rule,
                subject: instance.subject,
                since,
            });
        }
    }

    fn change(&mut self, id: AlertId, seen: &Observation) {
        let Some(alert) = self.alerts.get(id) else {
            return;
        };
        let known = (alert.phase, alert.flapping, alert.no_data_since);
        if known != (seen.phase, seen.flapping, seen.no_data_since) {
            self.events.push(observed(id, seen));
        }
    }

    fn resolve(&mut self, instance: &Instance, alert: AlertId, ending: Ending, count: u32) {
        self.ended.insert(alert);
        *self.count(&instance.rule) -= 1;
        self.events.push(AlertEvent::AlertResolved {
            alert,
            ending,
            count,
            comment: None,
        });
    }

    fn count(&mut self, rule: &Arc<str>) -> &mut usize {
        let alerts = self.alerts;
        let standing = || of_rule(&alerts.standing, rule).count();
        self.counts.entry(Arc::clone(rule)).or_insert_with(standing)
    }

    fn raise(&mut self, instance: Instance, finding: &Finding, seen: &Observation) {
        let rules = self.rules;
        let Some(version) = rules.current(&instance.rule) else {
            return;
        };
        let rule = &version.rule;
        let held_by = match self.superseder(&instance) {
            Some(graver) => Some(HeldBy::Alert(graver)),
            None => {
                let full = *self.count(&instance.rule) >= rule.limit as usize;
                full.then_some(HeldBy::Limit)
            }
        };
        if let Some(held_by) = held_by {
            self.hold_back(&instance, held_by);
            return;
        }
        let id = AlertId(self.next);
        self.next += 1;
        self.events.push(AlertEvent::AlertRaised {
            alert: id,
            raise: Box::new(raise_of(rule, id, &instance, finding)),
            count: seen.count,
        });
        if seen.flapping || seen.no_data_since.is_some() {
            self.events.push(observed(id, seen));
        }
        *self.count(&instance.rule) += 1;
        self.supersede(rule, &instance.subject, id);
        self.raised.insert(instance, id);
    }

    fn hold_back(&mut self, instance: &Instance, held_by: HeldBy) {
        self.held.insert(instance.clone());
        if self.alerts.held.get(instance) != Some(&held_by) {
            self.events.push(AlertEvent::HeldBack {
                rule: Arc::clone(&instance.rule),
                subject: instance.subject.clone(),
                held_by,
            });
        }
    }

    /// A standing alert about the same subject whose rule takes this one's place.
    fn superseder(&self, instance: &Instance) -> Option<AlertId> {
        let graver = self.rules.in_force().filter(|version| {
            version
                .rule
                .supersedes
                .iter()
                .any(|rule| **rule == *instance.rule)
        });
        graver
            .map(|version| Instance {
                rule: version.rule.id.as_str().into(),
                subject: instance.subject.clone(),
            })
            .find_map(|graver| self.standing(&graver))
    }

    /// Resolves the alerts whose place a new one takes.
    fn supersede(&mut self, rule: &Rule, subject: &Subject, by: AlertId) {
        for lesser in &rule.supersedes {
            let instance = Instance {
                rule: lesser.as_str().into(),
                subject: subject.clone(),
            };
            if let Some(alert) = self.standing(&instance) {
                let count = self.alerts.get(alert).map_or(0, |alert| alert.count);
                self.resolve(&instance, alert, Ending::Superseded(by), count);
                self.hold_back(&instance, HeldBy::Alert(by));
            }
        }
    }
}

fn observed(alert: AlertId, seen: &Observation) -> AlertEvent {
    AlertEvent::AlertObserved {
        alert,
        phase: seen.phase,
        flapping: seen.flapping,
        no_data_since: seen.no_data_since,
        count: seen.count,
    }
}

fn raise_of(rule: &Rule, id: AlertId, instance: &Instance, finding: &Finding) -> Raise {
    let notify = with_accounts(&rule.notify, finding);
    let group = group_key(
        rule,
        id,
        &instance.subject.id,
        finding.hall.as_ref(),
        finding.department.as_deref(),
        finding.handler.as_deref(),
        &notify,
    );
    let comparisons = finding.comparisons.iter().cloned();
    Raise {
        rule: Arc::clone(&instance.rule),
        rule_version: finding.rule_version,
        name: rule.name.clone(),
        topic: rule.topic,
        severity: rule.severity,
        subject: instance.subject.clone(),
        label: finding.label.clone(),
        hall: finding.hall.clone(),
        department: finding.department.clone(),
        handler: finding.handler.clone(),
        since: finding.since,
        text: finding.text.clone(),
        why: Why {
            comparisons: comparisons.map(Comparison::rounded).collect(),
            clears_when: finding.clears_when.clone(),
        },
        group,
        notify,
        escalate: rule
            .escalate
            .iter()
            .map(|step| Escalation {
                to: with_accounts(&step.to, finding),
                ..step.clone()
            })
            .collect(),
        repeat_secs: rule.repeat_secs,
        inhibits: rule.inhibits.clone(),
        remedies: rule.remedies.clone(),
    }
}

/// The audience with the accounts of the people that it names by variables. A variable that names
/// nobody now means nobody.
fn with_accounts(audience: &[Audience], finding: &Finding) -> Vec<Audience> {
    let mut all = Vec::new();
    for one in audience {
        match one {
            Audience::Person(variable) => {
                let named = finding.people.iter().filter(|(name, _)| name == variable);
                all.extend(named.map(|(_, account)| Audience::Account(account.to_string())));
            }
            _ => all.push(one.clone()),
        }
    }
    all
}
