//! Rules by subjects: one pass over what is known, and what changed by it.
//!
//! A source, such as one hall, hands in all that it knows of at once. Every subject has a slot with
//! one watch per rule of its kind; a pass evaluates, steps, and says only what changed, so that an
//! unchanged instance costs no memory and no event. A subject that its source does not name any more
//! is gone. A source that hands nothing in changes nothing.
//!
//! The live desk, unit tests of rules and back-tests run this same engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::alerts::catalogue;
use crate::alerts::condition::{Comparison, Condition, Error, Parameters};
use crate::alerts::message;
use crate::alerts::rule::{ActiveHours, Audience, Rule};
use crate::alerts::subject::{Facts, Subject, SubjectKind, Value};
use crate::alerts::watch::{Change, Phase, Timing, Verdict, Watch};
use crate::hours::Weekday;
use crate::ids::HallId;
use crate::name::Name;
use crate::time::{TimeZone, Timestamp};

/// What is told of a subject when a rule begins to fire.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub rule_version: u32,
    pub label: Name,
    pub hall: Option<HallId>,
    pub department: Option<Arc<str>>,
    pub handler: Option<Arc<str>>,
    /// The accounts in the variables that the rule's audience names.
    pub people: Vec<(String, Arc<str>)>,
    /// Since when the condition holds.
    pub since: Timestamp,
    pub text: Name,
    pub comparisons: Vec<Comparison>,
    /// The condition that ends it.
    pub clears_when: String,
}

/// One rule on one subject has changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    pub rule: Arc<str>,
    pub subject: Subject,
    pub phase: Phase,
    pub flapping: bool,
    pub no_data_since: Option<Timestamp>,
    /// Evaluations that found it bad.
    pub count: u32,
    /// The subject is no more.
    pub gone: bool,
    /// With it when it begins to fire.
    pub finding: Option<Box<Finding>>,
}

/// A rule ready to be evaluated.
#[derive(Debug, Clone)]
pub struct Compiled {
    pub id: Arc<str>,
    pub version: u32,
    pub rule: Rule,
    when: Condition,
    clear: Option<Condition>,
    timing: Timing,
    parameters: Parameters,
    per_hall: BTreeMap<HallId, Parameters>,
    zone: TimeZone,
}

impl Compiled {
    /// # Errors
    /// The mistakes of a condition.
    pub fn new(rule: &Rule, version: u32) -> Result<Self, Vec<Error>> {
        let parse = |text: &str| Condition::parse(text, rule.subject, &rule.parameters);
        let zone = rule
            .active
            .as_ref()
            .and_then(|active| active.time_zone.parse().ok());
        Ok(Self {
            id: rule.id.as_str().into(),
            version,
            when: parse(&rule.when)?,
            clear: rule.clear_when.as_deref().map(parse).transpose()?,
            timing: Timing::of(rule),
            parameters: Parameters::of(&rule.parameters, None),
            per_hall: rule
                .per_hall
                .iter()
                .map(|(hall, own)| (hall.clone(), Parameters::of(&rule.parameters, Some(own))))
                .collect(),
            zone: zone.unwrap_or(TimeZone::SHANGHAI),
            rule: rule.clone(),
        })
    }

    fn parameters(&self, hall: Option<&HallId>) -> &Parameters {
        let own = hall.filter(|_| !self.per_hall.is_empty());
        own.and_then(|hall| self.per_hall.get(hall))
            .unwrap_or(&self.parameters)
    }

    /// What the condition says, the way the watch asks: while an alert stands and the rule has a
    /// `clear_when`, bad is whatever that does not end.
    fn verdict(&self, phase: Phase, facts: &Facts) -> Verdict {
        let parameters = self.parameters(facts.hall.as_ref());
        match &self.clear {
            Some(clear) if phase.is_open() => clear.eval(&facts.values, parameters).opposite(),
            _ => self.when.eval(&facts.values, parameters),
        }
    }

    /// Every comparison of the condition with the values that it has for these facts.
    pub fn explain(&self, facts: &Facts) -> Vec<Comparison> {
        self.when
            .explain(&facts.values, self.parameters(facts.hall.as_ref()))
    }

    /// The variables that the condition reads and nobody knows.
    pub fn missing(&self, facts: &Facts) -> Vec<&'static str> {
        self.when.missing(&facts.values)
    }

    /// The condition that ends an alert.
    pub fn clears_when(&self) -> String {
        let opposite = || format!("!({})", self.rule.when);
        self.rule.clear_when.clone().unwrap_or_else(opposite)
    }

    fn is_active(&self, now: Timestamp) -> bool {
        let hours = self.rule.active.as_ref();
        hours.is_none_or(|hours| is_within(hours, self.zone, now))
    }

    fn finding(&self, since: Timestamp, facts: &Facts) -> Finding {
        Finding {
            rule_version: self.version,
            label: facts.label.clone(),
            hall: facts.hall.clone(),
            department: facts.department.clone(),
            handler: facts.handler.clone(),
            people: self.people(facts),
            since,
            text: message::fill(&self.rule, facts),
            comparisons: self.explain(facts),
            clears_when: self.clears_when(),
        }
    }

    fn people(&self, facts: &Facts) -> Vec<(String, Arc<str>)> {
        let escalated = self.rule.escalate.iter().flat_map(|step| &step.to);
        let variables = self.rule.notify.iter().chain(escalated);
        let named = variables.filter_map(|audience| match audience {
            Audience::Person(variable) => {
                let (slot, _) = catalogue::find(facts.subject.kind, variable)?;
                match facts.values.get(slot)? {
                    Value::Text(text) => Some((variable, text)),
                    _ => None,
                }
            }
            _ => None,
        });
        named
            .flat_map(|(variable, text)| {
                let accounts = text.split(catalogue::LIST_COMMA).map(Arc::from);
                accounts.map(|account| (variable.clone(), account))
            })
            .collect()
    }

    fn observation(&self, watch: &Watch, change: Change, facts: &Facts) -> Observation {
        let finding = match watch.phase {
            Phase::Firing { since } if change.raised() => {
                Some(Box::new(self.finding(since, facts)))
            }
            _ => None,
        };
        Observation {
            rule: Arc::clone(&self.id),
            subject: facts.subject.clone(),
            phase: watch.phase,
            flapping: watch.flapping,
            no_data_since: watch.no_data_since,
            count: watch.count,
            gone: false,
            finding,
        }
    }
}

const WEEKDAYS: [Weekday; 7] = {
    use Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
    [Mon, Tue, Wed, Thu, Fri, Sat, Sun]
};

/// Whether `now` falls into these hours. Hours that pass midnight belong to the day they began on.
fn is_within(hours: &ActiveHours, zone: TimeZone, now: Timestamp) -> bool {
    use chrono::{Datelike as _, Timelike as _};
    let minute = (zone.time_of(now).num_seconds_from_midnight() / 60) as u16;
    let today = zone.date_of(now);
    let over_midnight = hours.until_minute <= hours.from_minute;
    let after_midnight = over_midnight && minute < hours.until_minute;
    let date = match after_midnight {
        true => today.pred_opt().unwrap_or(today),
        false => today,
    };
    let within = match over_midnight {
        true => minute >= hours.from_minute || after_midnight,
        false => (hours.from_minute..hours.until_minute).contains(&minute),
    };
    let weekday = WEEKDAYS[date.weekday().num_days_from_monday() as usize];
    within && hours.weekdays.contains(&weekday)
}

/// One subject's watches, one per rule of its kind and in the order of those.
#[derive(Debug)]
struct Slot {
    subject: Subject,
    watches: Box<[Watch]>,
    /// Number of the feed that named it last; 0 if none has.
    seen: u64,
}

/// All rules on all subjects.
#[derive(Debug, Default)]
pub struct Engine {
    rules: Vec<Compiled>,
    by_kind: BTreeMap<SubjectKind, Vec<usize>>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    places: BTreeMap<Subject, u32>,
    /// The slots of each source in the order in which it named them last: the next time it mostly
    /// names them alike, and then nothing needs to be looked up.
    sources: BTreeMap<Arc<str>, Vec<u32>>,
    spare: Vec<u32>,
    feeds: u64,
    active: Vec<bool>,
}

/// A watch that is not quiet: rule, subject, phase, flapping, since when without data.
pub type Restored = (Arc<str>, Subject, Phase, bool, Option<Timestamp>);

impl Engine {
    pub fn new(rules: Vec<Compiled>) -> Self {
        let mut engine = Self::default();
        engine.set_rules(rules);
        engine
    }

    pub fn rules(&self) -> &[Compiled] {
        &self.rules
    }

    pub fn rule(&self, id: &str) -> Option<&Compiled> {
        self.rules.iter().find(|rule| *rule.id == *id)
    }

    /// Rule instances that are evaluated in a pass.
    pub fn len(&self) -> usize {
        self.slots
            .iter()
            .flatten()
            .map(|slot| slot.watches.len())
            .sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts other rules in force. Watches of rules that stay go on; those of rules that go, or are
    /// about another kind of subject now, end, and what stood by them is said to be quiet.
    pub fn set_rules(&mut self, rules: Vec<Compiled>) -> Vec<Observation> {
        let before = std::mem::take(&mut self.rules);
        let kinds_before = std::mem::take(&mut self.by_kind);
        for (place, rule) in rules.iter().enumerate() {
            self.by_kind
                .entry(rule.rule.subject)
                .or_default()
                .push(place);
        }
        let mut ended = Vec::new();
        for slot in self.slots.iter_mut().flatten() {
            let kind = slot.subject.kind;
            let places = kinds_before.get(&kind).map_or(&[][..], Vec::as_slice);
            let mut watches: BTreeMap<&str, Watch> = places
                .iter()
                .zip(&slot.watches)
                .map(|(place, watch)| (&*before[*place].id, *watch))
                .collect();
            let next = self.by_kind.get(&kind).map_or(&[][..], Vec::as_slice);
            slot.watches = next
                .iter()
                .map(|place| watches.remove(&*rules[*place].id).unwrap_or_default())
                .collect();
            let standing = watches
                .into_iter()
                .filter(|(_, watch)| watch.phase != Phase::Normal);
            ended.extend(standing.map(|(rule, _)| quiet(rule.into(), &slot.subject)));
        }
        self.rules = rules;
        ended
    }

    /// Takes watches up where they were before a restart. Their subjects wait to be named.
    pub fn restore(&mut self, watches: impl IntoIterator<Item = Restored>) {
        for (rule, subject, phase, flapping, no_data_since) in watches {
            let slot = self.slot_of(&subject);
            if let Some(watch) = self.watch_mut(slot, &rule) {
                *watch = Watch::restored(phase, flapping, no_data_since);
            }
        }
    }

    /// Begins anew with every watch that is not quiet and not one of these.
    pub fn quiet_unless(&mut self, known: &BTreeSet<(&Arc<str>, &Subject)>) {
        let Self {
            rules,
            by_kind,
            slots,
            ..
        } = self;
        for slot in slots.iter_mut().flatten() {
            let places = by_kind
                .get(&slot.subject.kind)
                .map_or(&[][..], Vec::as_slice);
            for (watch, place) in slot.watches.iter_mut().zip(places) {
                let quiet = watch.phase == Phase::Normal;
                if !quiet && !known.contains(&(&rules[*place].id, &slot.subject)) {
                    *watch = Watch::default();
                }
            }
        }
    }

    /// Sets one watch, e.g. because somebody resolved its alert by hand.
    pub fn set(&mut self, rule: &str, subject: &Subject, phase: Phase) {
        if let Some(slot) = self.places.get(subject).copied()
            && let Some(watch) = self.watch_mut(slot, rule)
        {
            *watch = Watch::restored(phase, false, None);
        }
    }

    pub fn watch(&self, rule: &str, subject: &Subject) -> Option<&Watch> {
        let slot = self.slots[*self.places.get(subject)? as usize].as_ref()?;
        let places = self.by_kind.get(&subject.kind)?;
        let place = places
            .iter()
            .position(|place| *self.rules[*place].id == *rule)?;
        slot.watches.get(place)
    }

    fn watch_mut(&mut self, slot: u32, rule: &str) -> Option<&mut Watch> {
        let slot = self.slots[slot as usize].as_mut()?;
        let places = self.by_kind.get(&slot.subject.kind)?;
        let place = places
            .iter()
            .position(|place| *self.rules[*place].id == *rule)?;
        slot.watches.get_mut(place)
    }

    /// Evaluates every rule on all that a source knows now, and says what changed. What the source
    /// named before and does not name now is gone.
    pub fn feed(&mut self, source: &str, facts: &[Facts], now: Timestamp) -> Vec<Observation> {
        self.feeds += 1;
        self.look_at_hours(now);
        let before = self.sources.remove(source).unwrap_or_default();
        let mut places = std::mem::take(&mut self.spare);
        let mut found = Vec::new();
        for (i, one) in facts.iter().enumerate() {
            let guess = before.get(i).copied();
            let slot = match guess.filter(|slot| self.is_at(*slot, &one.subject)) {
                Some(slot) => slot,
                None => self.slot_of(&one.subject),
            };
            places.push(slot);
            self.evaluate(slot, one, now, &mut found);
        }
        for slot in &before {
            self.drop_if(*slot, self.feeds, &mut found);
        }
        self.spare = before;
        self.spare.clear();
        self.sources.insert(source.into(), places);
        found
    }

    /// Ends the watches taken up after a restart whose subject no source has named, for subjects of
    /// which this says that their source has answered.
    pub fn drop_unseen(&mut self, answered: impl Fn(&Subject) -> bool) -> Vec<Observation> {
        let mut found = Vec::new();
        for slot in 0..self.slots.len() {
            let unseen = self.slots[slot].as_ref().is_some_and(|slot| slot.seen == 0);
            if unseen
                && self.slots[slot]
                    .as_ref()
                    .is_some_and(|slot| answered(&slot.subject))
            {
                self.drop_if(slot as u32, u64::MAX, &mut found);
            }
        }
        found
    }

    /// What time alone brings for these subjects, whose last evaluation stands. Live passes evaluate
    /// every second instead; tests and back-tests jump from one deadline to the next.
    pub fn elapse(&mut self, facts: &[Facts], now: Timestamp) -> Vec<Observation> {
        let mut found = Vec::new();
        for one in facts {
            let Some(slot) = self.places.get(&one.subject).copied() else {
                continue;
            };
            let Some(slot) = self.slots[slot as usize].as_mut() else {
                continue;
            };
            let places = self
                .by_kind
                .get(&one.subject.kind)
                .map_or(&[][..], Vec::as_slice);
            for (watch, place) in slot.watches.iter_mut().zip(places) {
                let rule = &self.rules[*place];
                if let Some(change) = watch.elapse(&rule.timing, now) {
                    found.push(rule.observation(watch, change, one));
                }
            }
        }
        found
    }

    /// When [`Engine::elapse`] has something to say next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let of_slot = |slot: &Slot| {
            let places = self
                .by_kind
                .get(&slot.subject.kind)
                .map_or(&[][..], Vec::as_slice);
            let watches = slot.watches.iter().zip(places);
            watches
                .filter_map(|(watch, place)| watch.next_deadline(&self.rules[*place].timing))
                .min()
        };
        self.slots.iter().flatten().filter_map(of_slot).min()
    }

    /// Subjects on which a rule cannot be evaluated, and since when.
    pub fn without_data(&self, rule: &str) -> Vec<(&Subject, Timestamp)> {
        let Some(compiled) = self.rule(rule) else {
            return Vec::new();
        };
        let subjects = self.slots.iter().flatten();
        subjects
            .filter(|slot| slot.subject.kind == compiled.rule.subject)
            .filter_map(|slot| {
                let since = self.watch(rule, &slot.subject)?.no_data_since?;
                Some((&slot.subject, since))
            })
            .collect()
    }

    fn look_at_hours(&mut self, now: Timestamp) {
        let Self { rules, active, .. } = self;
        active.clear();
        active.extend(rules.iter().map(|rule| rule.is_active(now)));
    }

    fn is_at(&self, slot: u32, subject: &Subject) -> bool {
        let slot = self.slots.get(slot as usize).and_then(Option::as_ref);
        slot.is_some_and(|slot| slot.subject == *subject)
    }

    fn slot_of(&mut self, subject: &Subject) -> u32 {
        if let Some(slot) = self.places.get(subject) {
            return *slot;
        }
        let rules = self.by_kind.get(&subject.kind).map_or(0, Vec::len);
        let new = Some(Slot {
            subject: subject.clone(),
            watches: vec![Watch::default(); rules].into(),
            seen: 0,
        });
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = new;
                slot
            }
            None => {
                self.slots.push(new);
                (self.slots.len() - 1) as u32
            }
        };
        self.places.insert(subject.clone(), slot);
        slot
    }

    fn evaluate(&mut self, slot: u32, facts: &Facts, now: Timestamp, found: &mut Vec<Observation>) {
        let Some(slot) = self.slots[slot as usize].as_mut() else {
            return;
        };
        slot.seen = self.feeds;
        let Some(places) = self.by_kind.get(&slot.subject.kind) else {
            return;
        };
        for (watch, place) in slot.watches.iter_mut().zip(places) {
            let rule = &self.rules[*place];
            let verdict = rule.verdict(watch.phase, facts);
            if let Some(change) = watch.step(&rule.timing, verdict, self.active[*place], now) {
                found.push(rule.observation(watch, change, facts));
            }
        }
    }

    /// Lets a slot go unless it was seen in this feed.
    fn drop_if(&mut self, place: u32, feed: u64, found: &mut Vec<Observation>) {
        let Some(slot) = self.slots[place as usize].take_if(|slot| slot.seen != feed) else {
            return;
        };
        let places = self
            .by_kind
            .get(&slot.subject.kind)
            .map_or(&[][..], Vec::as_slice);
        for (watch, rule) in slot.watches.iter().zip(places) {
            if watch.phase != Phase::Normal {
                let mut gone = quiet(Arc::clone(&self.rules[*rule].id), &slot.subject);
                gone.gone = true;
                gone.count = watch.count;
                found.push(gone);
            }
        }
        self.places.remove(&slot.subject);
        self.free.push(place);
    }
}

fn quiet(rule: Arc<str>, subject: &Subject) -> Observation {
    Observation {
        rule,
        subject: subject.clone(),
        phase: Phase::Normal,
        flapping: false,
        no_data_since: None,
        count: 0,
        gone: false,
        finding: None,
    }
}

/// The left side of a condition's first comparison: the number whose curve an alert shows.
pub fn leading_value(comparisons: &[Comparison]) -> Option<f64> {
    comparisons
        .iter()
        .find_map(|comparison| match comparison.left {
            Value::Number(number) => Some(number),
            _ => None,
        })
}
