//! Rules and facts for the tests of alerting.

use std::collections::{BTreeMap, BTreeSet};

use rules::Timestamp;
use rules::alerts::catalogue;
use rules::alerts::rule::{Audience, OnMissing, Rule, Severity, Topic};
use rules::alerts::subject::{Facts, Subject, SubjectKind, Value};
use rules::ids::HallId;
use rules::name::Name;

/// A rule that only says what it must.
pub(crate) fn rule(id: &str, subject: SubjectKind, when: &str) -> Rule {
    Rule {
        id: id.to_owned(),
        name: Name::new(format!("规则{id}"), format!("rule {id}")),
        topic: Topic::Flow,
        subject,
        when: when.to_owned(),
        clear_when: None,
        for_secs: 0,
        keep_firing_for_secs: 0,
        on_missing: OnMissing::Keep,
        severity: Severity::Warning,
        active: None,
        parameters: BTreeMap::new(),
        per_hall: BTreeMap::new(),
        message: Name::new("{label}：{waiting} 人等候", "{label}: {waiting} waiting"),
        flap: None,
        notify: vec![Audience::Role("supervisor".to_owned())],
        escalate: Vec::new(),
        group_by: Vec::new(),
        supersedes: Vec::new(),
        inhibits: Vec::new(),
        repeat_secs: 0,
        limit: 1000,
        problem: None,
        remedies: Vec::new(),
    }
}

pub(crate) fn hall_id(id: &str) -> HallId {
    id.parse().expect("a hall id")
}

/// What is known of a queue or a hall, by name; everything else is missing.
pub(crate) fn facts(kind: SubjectKind, id: &str, known: &[(&str, f64)]) -> Facts {
    let mut values = vec![Value::Missing; catalogue::variables(kind).len()];
    for (name, value) in known {
        let (slot, _) = catalogue::find(kind, name).expect("a variable");
        values[slot] = Value::Number(*value);
    }
    let hall = id.split('/').next().unwrap_or_default();
    Facts {
        subject: Subject::new(kind, id),
        label: Name::same(id),
        hall: hall.parse().ok(),
        department: None,
        handler: None,
        values: values.into(),
    }
}

pub(crate) fn queue(id: &str, waiting: f64) -> Facts {
    facts(SubjectKind::Queue, id, &[("waiting", waiting)])
}

pub(crate) fn at(secs: u64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000).plus_secs(secs)
}

pub(crate) fn every_day() -> BTreeSet<rules::hours::Weekday> {
    use rules::hours::Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
    [Mon, Tue, Wed, Thu, Fri, Sat, Sun].into()
}
