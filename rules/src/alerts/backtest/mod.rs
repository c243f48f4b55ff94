//! What rules would have done in the past: recorded facts through the engine and the alert desk that
//! run live, with nobody told.
//!
//! Each source, such as one hall or one case, hands in what was known of it at an instant, in order of
//! time. Between two instants its last facts stand, and what time alone brings comes when it is due.

mod cases;
mod report;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use crate::alerts::condition::Error;
use crate::alerts::engine::{Compiled, Engine, Observation};
use crate::alerts::rule::Rule;
use crate::alerts::subject::{Facts, Subject};
use crate::desk::alert::Ending;
use crate::desk::event::HeldBy;
use crate::desk::{AlertDesk, AlertEvent, Command, Event, RuleCommand, SourcedRule};
use crate::ids::AlertId;
use crate::machine::{Machine, Recorded};
use crate::name::Name;
use crate::time::Timestamp;
pub use cases::instants;
pub use report::{Difference, Load, Report, RuleReport};

/// One alert that would have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub rule: Arc<str>,
    pub subject: Subject,
    pub label: Name,
    pub text: Name,
    pub raised_at: Timestamp,
    /// None while it stands at the end of the record.
    pub resolved_at: Option<Timestamp>,
    pub ending: Option<Ending>,
}

/// A source with its own engine, so that its deadlines are found without looking at all others.
struct Lane {
    engine: Engine,
    facts: Vec<Facts>,
}

/// A back-test under way.
pub struct Backtest {
    rules: Vec<Compiled>,
    desk: AlertDesk,
    lanes: BTreeMap<Arc<str>, Lane>,
    due: BinaryHeap<Reverse<(Timestamp, Arc<str>)>>,
    spans: Vec<Span>,
    /// Place among the spans of alerts that stand.
    standing: BTreeMap<AlertId, usize>,
    /// Instances that fired and were not raised, by rule: over the limit, in favour of a graver one.
    held: BTreeMap<Arc<str>, (u64, u64)>,
    evaluations: u64,
}

impl Backtest {
    /// # Errors
    /// The mistakes of a rule's conditions.
    pub fn new(rules: &[Rule], start: Timestamp) -> Result<Self, Vec<Error>> {
        let compiled: Result<Vec<_>, _> = rules.iter().map(|r| Compiled::new(r, 1)).collect();
        let mut backtest = Self {
            rules: compiled?,
            desk: AlertDesk::default(),
            lanes: BTreeMap::new(),
            due: BinaryHeap::new(),
            spans: Vec::new(),
            standing: BTreeMap::new(),
            held: BTreeMap::new(),
            evaluations: 0,
        };
        let sourced = rules.iter().map(|rule| SourcedRule {
            rule: rule.clone(),
            source: String::new(),
        });
        let install = Command::Rule(RuleCommand::Install(sourced.collect()));
        backtest.submit(&install, start);
        Ok(backtest)
    }

    /// Takes in all that is known of a source at an instant. Instants of one source rise.
    pub fn feed(&mut self, source: &str, facts: &[Facts], now: Timestamp) {
        self.pass_until(now);
        let rules = &self.rules;
        let lane = self.lanes.entry(source.into()).or_insert_with(|| Lane {
            engine: Engine::new(rules.clone()),
            facts: Vec::new(),
        });
        let observations = lane.engine.feed(source, facts, now);
        lane.facts = facts.to_vec();
        self.evaluations += lane.engine.len() as u64;
        let due = lane.engine.next_deadline();
        self.observe(observations, now);
        self.expect(due, source, now);
    }

    /// What time alone brings, up to and with an instant.
    pub fn pass_until(&mut self, until: Timestamp) {
        while let Some(Reverse((at, source))) = self.due.peek().cloned() {
            if at > until {
                return;
            }
            self.due.pop();
            let Some(lane) = self.lanes.get_mut(&source) else {
                continue;
            };
            let observations = lane.engine.elapse(&lane.facts, at);
            let next = lane.engine.next_deadline();
            self.observe(observations, at);
            self.expect(next, &source, at);
        }
    }

    fn expect(&mut self, due: Option<Timestamp>, source: &str, now: Timestamp) {
        if let Some(due) = due.filter(|due| *due > now) {
            self.due.push(Reverse((due, source.into())));
        }
    }

    fn observe(&mut self, observations: Vec<Observation>, now: Timestamp) {
        if !observations.is_empty() {
            self.submit(&Command::Observe(observations), now);
        }
    }

    fn submit(&mut self, command: &Command, now: Timestamp) {
        // Nothing here can be refused: rules are new and observations never are.
        let events = self
            .desk
            .decide(command, "backtest", now)
            .unwrap_or_default();
        for event in events {
            if let Event::Alert(event) = &event {
                self.note(event, now);
            }
            let recorded = Recorded {
                seq: self.desk.seq() + 1,
                at: now,
                by: "backtest".to_owned(),
                event,
            };
            self.desk.apply(&recorded);
        }
    }

    fn note(&mut self, event: &AlertEvent, now: Timestamp) {
        match event {
            AlertEvent::AlertRaised { alert, raise, .. } => {
                self.standing.insert(*alert, self.spans.len());
                self.spans.push(Span {
                    rule: Arc::clone(&raise.rule),
                    subject: raise.subject.clone(),
                    label: raise.label.clone(),
                    text: raise.text.clone(),
                    raised_at: now,
                    resolved_at: None,
                    ending: None,
                });
            }
            AlertEvent::AlertResolved { alert, ending, .. } => {
                if let Some(place) = self.standing.remove(alert) {
                    self.spans[place].resolved_at = Some(now);
                    self.spans[place].ending = Some(ending.clone());
                }
            }
            AlertEvent::HeldBack { rule, held_by, .. } => {
                let held = self.held.entry(Arc::clone(rule)).or_default();
                match held_by {
                    HeldBy::Limit => held.0 += 1,
                    HeldBy::Alert(_) => held.1 += 1,
                }
            }
            _ => {}
        }
    }

    /// Every alert so far, in the order in which they were raised.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Rule instances evaluated.
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }
}
