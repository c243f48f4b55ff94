//! What is broken now, the gravest first: the first thing that somebody who keeps all of it going
//! wants to see.

use dashboards::channels::ChannelRow;
use rules::alerts::rule::Severity;
use rules::channels::Health;
use rules::name::Name;
use serde::Serialize;
use serde_json::{Value, json};

use crate::vitals::Vitals;

/// Broken things that are listed at most; the counts tell of all.
pub const LISTED_MAX: usize = 200;

/// Above this share in use, a disk or a memory is nearly full, in percent; the project's own default,
/// as the rule about a node's resources has it.
const NEARLY_FULL: f64 = 90.0;

/// Above this share little time is left, in percent.
const FULL: f64 = 97.0;

/// So many appends wait only when the database does not keep up.
const JOURNAL_BEHIND: usize = 1000;

/// Something that does not do what it should.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Broken {
    pub severity: Severity,
    /// `channel`, `device`, `database`, `journal`, `disk`, `memory` or `actor`.
    pub kind: &'static str,
    pub id: String,
    pub name: Option<Name>,
    /// The hall it stands in; none: it is the city's, or the machine's own.
    pub hall: Option<String>,
    /// A channel's health, a device's state or fault, or what is wrong in one word.
    pub state: String,
    /// When it began, as far as that is known.
    pub since: Option<String>,
    /// What is known beyond, such as a channel's reason.
    pub detail: Value,
}

impl Broken {
    fn of_machine(
        severity: Severity,
        kind: &'static str,
        id: &str,
        state: &str,
        detail: Value,
    ) -> Self {
        Self {
            severity,
            kind,
            id: id.to_owned(),
            name: None,
            hall: None,
            state: state.to_owned(),
            since: None,
            detail,
        }
    }
}

/// The gravest first, then the longest.
pub fn sorted(mut all: Vec<Broken>) -> Vec<Broken> {
    all.sort_by(|a, b| {
        let since = |one: &Broken| one.since.clone().unwrap_or_default();
        let order = b.severity.cmp(&a.severity);
        order
            .then_with(|| since(a).cmp(&since(b)))
            .then_with(|| (a.kind, &a.id).cmp(&(b.kind, &b.id)))
    });
    all
}

/// A channel that is not healthy; one that is being worked on as announced is not broken.
pub fn channel(row: &ChannelRow) -> Option<Broken> {
    let severity = match row.health {
        Health::Down => Severity::Critical,
        Health::Degraded | Health::Recovering => Severity::Warning,
        Health::Healthy | Health::Maintenance => return None,
    };
    Some(Broken {
        severity,
        kind: "channel",
        id: row.id.to_string(),
        name: Some(row.name.clone()),
        hall: row.hall.as_ref().map(ToString::to_string),
        state: row.health.name().to_owned(),
        since: Some(row.health_since.clone()),
        detail: json!(row.health_reason),
    })
}

/// A device, as its manager sees it, that is silent or has lost a function.
pub fn device(face: &Value) -> Option<Broken> {
    let text = |field: &str| face[field].as_str().map(str::to_owned);
    let state = text("state")?;
    let functions = face["functions"].as_object();
    let lost = functions
        .into_iter()
        .flatten()
        .find(|(_, one)| one["available"] == false);
    let (state, since, detail) = match (state.as_str(), lost) {
        ("offline", _) => (state, text("last_seen_at"), Value::Null),
        ("online", Some((function, one))) => (
            one["code"].as_str().unwrap_or("fault").to_owned(),
            one["since"].as_str().map(str::to_owned),
            json!({"function": function}),
        ),
        _ => return None,
    };
    let name = text("name").filter(|name| !name.is_empty());
    let mut detail = detail;
    if detail.is_null() {
        detail = json!({});
    }
    detail["device"] = face["kind"].clone();
    Some(Broken {
        severity: Severity::Warning,
        kind: "device",
        id: text("id")?,
        name: name.map(|name| Name::new(name.clone(), name)),
        hall: text("hall"),
        state,
        since,
        detail,
    })
}

/// What is wrong with the machine and what it leans on.
pub fn machine(vitals: &Vitals) -> Vec<Broken> {
    use Severity::{Critical, Warning};
    let mut all = Vec::new();
    if vitals.database.round_trip_ms.is_none() {
        let kind = vitals.database.kind;
        all.push(Broken::of_machine(
            Critical,
            "database",
            kind,
            "silent",
            Value::Null,
        ));
    }
    let waiting = vitals.journal.waiting;
    if waiting > JOURNAL_BEHIND {
        let detail = json!({"waiting": waiting});
        all.push(Broken::of_machine(
            Warning, "journal", "journal", "behind", detail,
        ));
    }
    let shares = [
        ("disk", vitals.disk.map(|disk| disk.used_percent)),
        ("memory", vitals.node.memory_percent),
    ];
    for (kind, percent) in shares {
        let Some(percent) = percent.filter(|percent| *percent > NEARLY_FULL) else {
            continue;
        };
        let severity = if percent > FULL { Critical } else { Warning };
        let detail = json!({"percent": percent});
        all.push(Broken::of_machine(
            severity,
            kind,
            kind,
            "nearly_full",
            detail,
        ));
    }
    for actor in vitals.actors.iter().filter(|actor| actor.silent > 0) {
        let detail = json!({"silent": actor.silent, "count": actor.count});
        all.push(Broken::of_machine(
            Critical, "actor", actor.kind, "silent", detail,
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_broken_when_it_is_silent_or_lost_a_function_and_not_before() {
        let face = |state: &str, available: bool| {
            json!({"id": "k1", "name": "取号机", "kind": "kiosk", "hall": "H1", "state": state,
                "last_seen_at": "2025-01-06T01:00:00Z",
                "functions": {"print": {"available": available, "code": "paper_out", "since": "2025-01-06T02:00:00Z"}}})
        };
        assert_eq!(device(&face("online", true)), None);
        assert_eq!(device(&face("never", false)), None);
        let paper = device(&face("online", false)).expect("broken");
        assert_eq!(
            (paper.state.as_str(), paper.detail["function"].as_str()),
            ("paper_out", Some("print"))
        );
        assert_eq!(paper.since.as_deref(), Some("2025-01-06T02:00:00Z"));
        let silent = device(&face("offline", false)).expect("broken");
        assert_eq!(
            (silent.state.as_str(), silent.since.as_deref()),
            ("offline", Some("2025-01-06T01:00:00Z"))
        );
        assert_eq!(silent.hall.as_deref(), Some("H1"));
    }

    #[test]
    fn the_gravest_stand_first_and_of_these_the_longest() {
        let one = |severity, id: &str, since: Option<&str>| Broken {
            since: since.map(str::to_owned),
            ..Broken::of_machine(severity, "channel", id, "down", Value::Null)
        };
        let all = sorted(vec![
            one(Severity::Warning, "a", Some("2025-01-06T01:00:00Z")),
            one(Severity::Critical, "b", Some("2025-01-06T03:00:00Z")),
            one(Severity::Critical, "c", Some("2025-01-06T02:00:00Z")),
        ]);
        let ids: Vec<&str> = all.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["c", "b", "a"]);
    }
}
