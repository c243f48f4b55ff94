//! A desk driven by hand: commands at instants, time that elapses, and everything that was said.

use rules::Timestamp;
use rules::alerts::engine::{Finding, Observation};
use rules::alerts::rule::Rule;
use rules::alerts::subject::{Subject, SubjectKind};
use rules::alerts::watch::Phase;
use rules::desk::messages::Cause;
use rules::desk::receivers::{ReceiverCommand, Way, WayKind};
use rules::desk::{
    Alert, AlertDesk, AlertEvent, Command, Event, Handling, Refusal, RuleCommand, SourcedRule,
    State,
};
use rules::ids::AlertId;
use rules::machine::{Machine, Recorded};
use rules::name::{Lang, Name};

use crate::support::{at, rule};

/// A message as a test looks at it: cause, receiver, alert, how the title reads in Chinese.
pub(crate) type Said = (Cause, String, String, String);

#[derive(Default)]
pub(crate) struct Bench {
    pub(crate) desk: AlertDesk,
    pub(crate) journal: Vec<Recorded<Event>>,
    now: u64,
}

impl Bench {
    /// A desk with these rules and a supervisor who hears of everything.
    pub(crate) fn with(rules: &[Rule]) -> Self {
        let mut bench = Self::default();
        bench.receiver("boss", Some("boss"), "supervisor");
        for rule in rules {
            bench.put(rule, "1");
        }
        bench
    }

    pub(crate) fn put(&mut self, rule: &Rule, source: &str) {
        let rule = rule.clone();
        let source = source.to_owned();
        self.ask(Command::Rule(RuleCommand::Put(Box::new(SourcedRule {
            rule,
            source,
        }))));
    }

    pub(crate) fn receiver(&mut self, id: &str, account: Option<&str>, role: &str) {
        self.receiver_in(id, account, role, Lang::Zh);
    }

    pub(crate) fn receiver_in(&mut self, id: &str, account: Option<&str>, role: &str, lang: Lang) {
        let receiver = rules::desk::receivers::Receiver {
            id: id.parse().expect("an id"),
            name: Name::same(id),
            account: account.map(str::to_owned),
            roles: [role.to_owned()].into(),
            halls: ["*".to_owned()].into(),
            lang,
            time_zone: rules::time::TimeZone::SHANGHAI,
            ways: vec![Way {
                kind: WayKind::Email,
                address: format!("{id}@example.org"),
                fallback: false,
            }],
            quiet: None,
            enabled: true,
        };
        self.ask(Command::Receiver(ReceiverCommand::Put(Box::new(receiver))));
    }

    /// Lets time go on to this second, waking the desk when it asks for it.
    pub(crate) fn at(&mut self, secs: u64) -> &mut Self {
        assert!(secs >= self.now, "time goes forward");
        while let Some(due) = self.desk.next_deadline().filter(|due| *due <= at(secs)) {
            let now = due.max(at(self.now));
            let events = self.desk.elapse(now);
            assert!(!events.is_empty(), "woken at {now:?} for nothing");
            self.record(events, "clock", now);
        }
        self.now = secs;
        self
    }

    pub(crate) fn ask(&mut self, command: Command) -> usize {
        self.ask_by("ann", command).expect("is allowed")
    }

    pub(crate) fn ask_by(&mut self, by: &str, command: Command) -> Result<usize, Refusal> {
        let now = at(self.now);
        let events = self.desk.decide(&command, by, now)?;
        let count = events.len();
        self.record(events, by, now);
        Ok(count)
    }

    fn record(&mut self, events: Vec<Event>, by: &str, now: Timestamp) {
        let recorded: Vec<_> = (self.desk.seq() + 1..)
            .zip(events)
            .map(|(seq, event)| Recorded {
                seq,
                at: now,
                by: by.to_owned(),
                event,
            })
            .collect();
        let rows = self.desk.items(&recorded);
        for one in &recorded {
            self.desk.apply(one);
        }
        for row in rows.iter().filter(|row| row.id.starts_with("A-")) {
            let alert = self.alert(&row.id);
            assert_eq!(row.state, alert.state.name(), "the row of {}", row.id);
            let detail = serde_json::json!(self.desk.alerts().detail(alert));
            let shown: serde_json::Value = serde_json::from_str(&row.body).expect("JSON");
            assert_eq!(
                shown["suppressed_by"], detail["suppressed_by"],
                "{}",
                row.id
            );
            assert_eq!(shown["timeline"], detail["timeline"], "{}", row.id);
        }
        self.journal.extend(recorded);
    }

    /// One pass that finds this.
    pub(crate) fn see(&mut self, observations: Vec<Observation>) -> usize {
        self.ask(Command::Observe(observations))
    }

    pub(crate) fn fire(&mut self, rule: &str, subject: &str) {
        self.see(vec![firing(rule, subject, at(self.now))]);
    }

    pub(crate) fn clear(&mut self, rule: &str, subject: &str) {
        self.see(vec![quiet(rule, subject)]);
    }

    pub(crate) fn handle(&mut self, alert: &str, handling: Handling) -> Result<usize, Refusal> {
        let alert = alert.parse().expect("an alert's id");
        self.ask_by("ann", Command::Handle { alert, handling })
    }

    /// The code of the refusal.
    pub(crate) fn refused(&mut self, alert: &str, handling: Handling) -> &'static str {
        let before = serde_json::to_string(&self.desk).expect("JSON");
        let refusal = self.handle(alert, handling).expect_err("is refused");
        assert_eq!(before, serde_json::to_string(&self.desk).expect("JSON"));
        refusal.code()
    }

    pub(crate) fn alert(&self, id: &str) -> &Alert {
        let id: AlertId = id.parse().expect("an alert's id");
        self.desk.alerts().get(id).expect("an alert at hand")
    }

    pub(crate) fn state(&self, id: &str) -> State {
        self.alert(id).state
    }

    /// Every message so far.
    pub(crate) fn said(&self) -> Vec<Said> {
        let queued = self.journal.iter().filter_map(|one| match &one.event {
            Event::Message(rules::desk::messages::MessageEvent::MessageQueued { message }) => {
                let about = &message.about;
                Some((
                    about.cause,
                    message.receiver.to_string(),
                    about.alert.clone().unwrap_or_default(),
                    about.title.zh.clone(),
                ))
            }
            _ => None,
        });
        queued.collect()
    }

    /// The causes of all messages to this receiver.
    pub(crate) fn causes(&self, receiver: &str) -> Vec<Cause> {
        let said = self.said().into_iter();
        said.filter(|(_, to, ..)| to == receiver)
            .map(|(cause, ..)| cause)
            .collect()
    }

    pub(crate) fn alert_events(&self) -> impl Iterator<Item = &AlertEvent> {
        self.journal.iter().filter_map(|one| match &one.event {
            Event::Alert(event) => Some(event),
            _ => None,
        })
    }

    /// The journal gives the same desk, and a snapshot read back is the same, too.
    pub(crate) fn replay_is_equal(&self) {
        let mut again = AlertDesk::default();
        for one in &self.journal {
            let line = serde_json::to_string(one).expect("JSON");
            let read: Recorded<Event> = serde_json::from_str(&line).expect("reads back");
            assert_eq!(&read, one, "{line}");
            again.apply(&read);
        }
        let live = serde_json::to_string(&self.desk).expect("JSON");
        assert_eq!(serde_json::to_string(&again).expect("JSON"), live);
        let kept: AlertDesk = serde_json::from_str(&live).expect("a snapshot reads back");
        assert_eq!(serde_json::to_string(&kept).expect("JSON"), live);
    }
}

pub(crate) fn firing(rule: &str, subject: &str, since: Timestamp) -> Observation {
    let hall = subject.split('/').next().unwrap_or_default();
    Observation {
        rule: rule.into(),
        subject: Subject::new(SubjectKind::Queue, subject),
        phase: Phase::Firing { since },
        flapping: false,
        no_data_since: None,
        count: 1,
        gone: false,
        finding: Some(Box::new(Finding {
            rule_version: 1,
            label: Name::same(subject),
            hall: hall.parse().ok(),
            department: None,
            handler: Some("li".into()),
            people: Vec::new(),
            since,
            text: Name::same(format!("{subject} is long")),
            comparisons: Vec::new(),
            clears_when: "!(waiting > 20)".to_owned(),
        })),
    }
}

pub(crate) fn quiet(rule: &str, subject: &str) -> Observation {
    Observation {
        phase: Phase::Normal,
        finding: None,
        ..firing(rule, subject, at(0))
    }
}

pub(crate) fn kept(rule: &str, subject: &str, false_since: Timestamp) -> Observation {
    Observation {
        phase: Phase::Keeping {
            since: at(0),
            false_since,
        },
        finding: None,
        ..firing(rule, subject, at(0))
    }
}

pub(crate) fn ack() -> Handling {
    Handling::Acknowledge {
        comment: None,
        until: None,
        sticky: false,
    }
}

/// A rule without anything special.
pub(crate) fn plain(id: &str) -> Rule {
    rule(id, SubjectKind::Queue, "waiting > 20")
}
