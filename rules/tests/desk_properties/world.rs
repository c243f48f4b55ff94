//! A desk with all that it lives by: rules and their watches, sources, receivers, a sender, a clock.
//! Every step of it is checked for what must hold of every step.

use std::collections::{BTreeMap, BTreeSet};

use rules::alerts::catalogue;
use rules::alerts::facts;
use rules::alerts::rule::Rule;
use rules::alerts::shipped::shipped;
use rules::alerts::source::RuleFile;
use rules::alerts::subject::{Facts, Subject, SubjectKind, Value, ValueKind};
use rules::alerts::watch::Phase;
use rules::desk::messages::{Message, MessageCommand, MessageState, Outcome, RetryPolicy};
use rules::desk::orders::{OrderCommand, OrderStep};
use rules::desk::pass::Passes;
use rules::desk::problems::{ProblemCommand, ProblemStep};
use rules::desk::receivers::{Receiver, ReceiverCommand};
use rules::desk::silence::{Matcher, SilencePlan};
use rules::desk::{
    self, AlertDesk, AlertEvent, Command, Event, Instance, OrderWish, Refusal, RuleCommand,
    SilenceCommand, SourcedRule, State,
};
use rules::ids::{AlertId, MessageId};
use rules::machine::{Machine as _, Recorded};
use rules::name::Name;
use rules::time::Timestamp;
use serde_json::json;

use crate::checks::{Ledger, check_batch, check_outbox};
use crate::steps::{Change, Fate, Handling, RULES, Step};

/// The subjects, each with the source that knows of it.
const SUBJECTS: [(&str, SubjectKind, &str); 12] = [
    ("H1", SubjectKind::Queue, "H1/A"),
    ("H1", SubjectKind::Queue, "H1/B"),
    ("H1", SubjectKind::Hall, "H1"),
    ("H1", SubjectKind::Ticket, "H1/A001"),
    ("H2", SubjectKind::Queue, "H2/A"),
    ("H2", SubjectKind::Hall, "H2"),
    ("cases", SubjectKind::Case, "C1"),
    ("cases", SubjectKind::Case, "C2"),
    ("cases", SubjectKind::Case, "C3"),
    ("devices", SubjectKind::Device, "H1/kiosk"),
    ("devices", SubjectKind::Device, "H2/kiosk"),
    ("H1", SubjectKind::Window, "H1/1"),
];

const SOURCES: [&str; 4] = ["H1", "H2", "cases", "devices"];

const NUMBERS: [f64; 8] = [0.0, 1.0, 5.0, 25.0, 40.0, 90.0, 130.0, 4000.0];

const TEXTS: [&str; 6] = [
    "application",
    "near_due",
    "overdue",
    "completed",
    "petition",
    "task",
];

/// A random wait for a free test: what would be retried for a quarter of an hour dies after three.
const POLICY: RetryPolicy = RetryPolicy {
    attempts_max: 3,
    fallback_after: 2,
};

pub(crate) struct World {
    pub(crate) desk: AlertDesk,
    pub(crate) journal: Vec<Recorded<Event>>,
    pub(crate) now: Timestamp,
    pub(crate) ledger: Ledger,
    passes: Passes,
    facts: BTreeMap<Subject, Facts>,
    /// Attempts of which the sender has heard nothing yet, and whether they arrived.
    hung: Vec<(MessageId, u32, bool)>,
    /// How many copies of each message its receiver has, by key.
    inbox: BTreeMap<String, u32>,
}

impl World {
    pub(crate) fn new(rules: &[Rule], shipped: u8) -> Self {
        let mut world = Self {
            desk: AlertDesk::default(),
            journal: Vec::new(),
            // A Monday morning in Shanghai.
            now: Timestamp::parse_rfc3339("2026-11-02T09:00:00+08:00").expect("an instant"),
            ledger: Ledger::default(),
            passes: Passes::default(),
            facts: BTreeMap::new(),
            hung: Vec::new(),
            inbox: BTreeMap::new(),
        };
        for receiver in receivers() {
            world.must(Command::Receiver(ReceiverCommand::Put(Box::new(receiver))));
        }
        world.must(Command::Rule(RuleCommand::Install(shipped_rules(shipped))));
        for rule in rules {
            world.must(put(rule, "1"));
        }
        for (_, kind, id) in SUBJECTS {
            world
                .facts
                .insert(Subject::new(kind, id), unknown(kind, id));
        }
        world
    }

    pub(crate) fn play(&mut self, step: &Step) {
        match step {
            Step::Sample { changes, silent } => {
                changes.iter().for_each(|change| self.change(change));
                self.pass(silent.map(|which| pick(which, &SOURCES)));
            }
            Step::Wait { millis, late } => self.wait(*millis, *late),
            Step::Handle { alert, how } => self.handle(*alert, *how),
            Step::Silence {
                of,
                from_secs,
                secs,
            } => {
                let from = self.now.plus_secs(*from_secs);
                let _ = self.ask(Command::Silence(SilenceCommand::Silence(SilencePlan {
                    matcher: matcher(*of),
                    from,
                    until: from.plus_secs(*secs),
                    reason: "painters".to_owned(),
                    maintenance: false,
                })));
            }
            Step::EndSilence { which } => {
                let all: Vec<_> = self.desk.alerts().silences().map(|one| one.id).collect();
                if !all.is_empty() {
                    let id = *pick(*which, &all);
                    let _ = self.ask(Command::Silence(SilenceCommand::End(id)));
                }
            }
            Step::OrderFrom { alert, assigned } => self.order_from(*alert, *assigned),
            Step::Order { order, how } => self.step_order(*order, *how),
            Step::Problem { problem, how } => self.step_problem(*problem, *how),
            Step::Rule { which, how } => self.change_rule(*which, *how),
            Step::Receiver { which, enabled } => {
                let mut receiver = pick(*which, &receivers()).clone();
                receiver.enabled = *enabled;
                let _ = self.ask(Command::Receiver(ReceiverCommand::Put(Box::new(receiver))));
            }
            Step::Send { fates } => self.send(fates),
            Step::Resend { which } => {
                // Mostly one that may be.
                let dead = |one: &&Message| {
                    which % 8 == 7 || matches!(one.state, MessageState::Dead { .. })
                };
                let all = self.desk.messages().iter().filter(dead);
                let all: Vec<_> = all.map(|one| one.id).collect();
                if !all.is_empty() {
                    let message = *pick(*which, &all);
                    let _ = self.ask(Command::Message(MessageCommand::Resend { message }));
                }
            }
            Step::Try { receiver } => {
                let receiver = pick(*receiver, &receivers()).id.clone();
                let _ = self.ask(Command::Message(MessageCommand::Test { receiver }));
            }
            Step::Restart { snapshot } => self.restart(*snapshot),
        }
        check_outbox(&self.desk);
    }

    fn change(&mut self, change: &Change) {
        let (_, kind, id) = *pick(change.subject, &SUBJECTS);
        let subject = Subject::new(kind, id);
        if change.gone {
            self.facts.remove(&subject);
            return;
        }
        let facts = self
            .facts
            .entry(subject)
            .or_insert_with(|| unknown(kind, id));
        let variables = catalogue::variables(kind);
        for (which, value) in &change.values {
            // Queues have few variables that the random rules name; they come up more often.
            let slot = match (kind, which % 3) {
                (SubjectKind::Queue, 0) => slot(kind, "waiting"),
                (SubjectKind::Queue, 1) => slot(kind, "called_today"),
                _ => usize::from(*which) % variables.len(),
            };
            facts.values[slot] = match variables[slot].kind {
                _ if value % 9 == 8 => Value::Missing,
                ValueKind::Bool => Value::Bool(value % 2 == 0),
                ValueKind::Number => Value::Number(*pick(*value, &NUMBERS)),
                ValueKind::Text => match variables[slot].texts {
                    [] => Value::Text((*pick(*value, &TEXTS)).into()),
                    texts => Value::Text((*pick(*value, texts)).into()),
                },
            };
        }
    }

    /// One pass as the driver makes it. Afterwards the watches and the desk say the same.
    fn pass(&mut self, silent: Option<&&str>) {
        self.elapse();
        let glance = self.desk.glance(self.passes.since(), self.now);
        let (mut found, faulty) = self.passes.take_up(&glance);
        assert_eq!(faulty, [""; 0]);
        for source in SOURCES.iter().filter(|source| Some(*source) != silent) {
            let owned = |subject: &Subject| {
                let all = SUBJECTS.iter();
                all.filter(|(of, ..)| of == source)
                    .any(|(_, kind, id)| *subject == Subject::new(*kind, id))
            };
            let known = self.facts.iter().filter(|(subject, _)| owned(subject));
            let known: Vec<Facts> = known.map(|(_, facts)| facts.clone()).collect();
            found.extend(self.passes.feed(source, &known, owned, self.now));
        }
        let itself = [facts::desk::facts(&self.desk.known(0, self.now))];
        let own = |subject: &Subject| subject.kind == SubjectKind::Desk;
        found.extend(self.passes.feed("desk", &itself, own, self.now));
        if silent.is_none() {
            self.passes.all_answered();
        }
        if !found.is_empty() {
            self.ask_by("clock", Command::Observe(found.clone()))
                .expect("what a pass found is never refused");
            // Handed in again, as after an answer that was lost, it happens once.
            let again = self
                .desk
                .decide(&Command::Observe(found), "clock", self.now);
            let again = again.expect("what a pass found is never refused");
            // Only what was held back may find room that the same pass made, or another reason.
            let held: BTreeSet<_> = self
                .desk
                .alerts()
                .held()
                .map(|(at, _)| at.clone())
                .collect();
            let waits = |event: &Event| match event {
                Event::Alert(AlertEvent::AlertRaised { raise, .. }) => {
                    held.contains(&Instance::new(&raise.rule, &raise.subject))
                }
                Event::Alert(AlertEvent::HeldBack { rule, subject, .. }) => {
                    held.contains(&Instance::new(rule, subject))
                }
                _ => false,
            };
            assert!(
                again.first().is_none_or(waits),
                "told twice, it happens twice: {again:#?}"
            );
        }
        self.watches_and_desk_agree(silent.is_none());
    }

    fn watches_and_desk_agree(&self, all_answered: bool) {
        let alerts = self.desk.alerts();
        let held: BTreeSet<Instance> = alerts
            .held()
            .map(|(instance, _)| instance.clone())
            .collect();
        for rule in self.passes.engine().rules() {
            for subject in self.facts.keys() {
                let Some(watch) = self.passes.engine().watch(&rule.id, subject) else {
                    continue;
                };
                let instance = Instance::new(&rule.id, subject);
                let raised = alerts.standing_on(&instance).is_some() || held.contains(&instance);
                assert!(
                    raised || !watch.phase.is_open(),
                    "{instance:?} fires and there is no alert"
                );
            }
        }
        for alert in alerts.iter().filter(|alert| alert.state.stands()) {
            let instance = Instance::new(&alert.raise.rule, &alert.raise.subject);
            let watch = self
                .passes
                .engine()
                .watch(&instance.rule, &instance.subject);
            let open = watch.is_some_and(|watch| watch.phase.is_open());
            assert!(open, "{instance:?} stands and its watch is quiet");
            let phase = watch.map(|watch| watch.phase);
            assert_eq!(phase, Some(alert.phase), "{instance:?}");
        }
        for instance in &held {
            let watch = self
                .passes
                .engine()
                .watch(&instance.rule, &instance.subject);
            let quiet = watch.is_none_or(|watch| watch.phase == Phase::Normal);
            assert!(
                !(all_answered && quiet),
                "{instance:?} is held back for ever"
            );
        }
    }

    /// Time goes on. The desk is woken when it asks for it, or only at the end.
    pub(crate) fn wait(&mut self, millis: u64, late: bool) {
        let until = Timestamp::from_millis(self.now.millis() + millis as i64);
        while let Some(due) = self
            .desk
            .next_deadline()
            .filter(|due| *due <= until && !late)
        {
            self.now = due.max(self.now);
            self.wake();
        }
        self.now = until;
        self.elapse();
    }

    fn elapse(&mut self) {
        let mut rounds = 0;
        while self.desk.next_deadline().is_some_and(|due| due <= self.now) {
            self.wake();
            rounds += 1;
            assert!(rounds < 1_000, "the desk never comes to rest");
        }
        assert!(
            self.desk.elapse(self.now).is_empty(),
            "due before its deadline"
        );
    }

    fn wake(&mut self) {
        let events = self.desk.elapse(self.now);
        assert!(!events.is_empty(), "woken at {:?} for nothing", self.now);
        self.record(events, "clock");
    }

    fn must(&mut self, command: Command) {
        self.ask(command).expect("is allowed");
    }

    fn ask(&mut self, command: Command) -> Result<(), Refusal> {
        self.ask_by("ann", command)
    }

    /// First what fell due, then the command, as the shell does.
    fn ask_by(&mut self, by: &str, command: Command) -> Result<(), Refusal> {
        let due = self.desk.elapse(self.now);
        if !due.is_empty() {
            self.record(due, "clock");
        }
        let events = self.desk.decide(&command, by, self.now)?;
        self.record(events, by);
        Ok(())
    }

    fn record(&mut self, events: Vec<Event>, by: &str) {
        let recorded: Vec<_> = (self.desk.seq() + 1..)
            .zip(events)
            .map(|(seq, event)| Recorded {
                seq,
                at: self.now,
                by: by.to_owned(),
                event,
            })
            .collect();
        check_batch(&mut self.desk, &recorded, &mut self.ledger);
        self.journal.extend(recorded);
    }

    fn alert(&self, which: u8) -> Option<AlertId> {
        // Mostly one that stands.
        let any = which % 8 == 7;
        let alerts = self.desk.alerts().iter();
        let all = alerts.filter(|alert| any || alert.state.stands());
        let all: Vec<AlertId> = all.map(|alert| alert.id).collect();
        (!all.is_empty()).then(|| *pick(which / 8, &all))
    }

    fn handle(&mut self, which: u8, how: Handling) {
        let Some(alert) = self.alert(which) else {
            return;
        };
        let text = || "seen".to_owned();
        let handling = match how {
            Handling::Acknowledge { for_secs, sticky } => desk::Handling::Acknowledge {
                comment: None,
                until: for_secs.map(|secs| self.now.plus_secs(secs)),
                sticky,
            },
            Handling::Assign => desk::Handling::Assign {
                to: "li".to_owned(),
            },
            Handling::Start => desk::Handling::Start,
            Handling::Resolve => desk::Handling::Resolve { comment: text() },
            Handling::Close => desk::Handling::Close,
            Handling::Comment => desk::Handling::Comment { text: text() },
            Handling::Shelve { secs } => desk::Handling::Shelve {
                until: self.now.plus_secs(secs),
                reason: text(),
            },
            Handling::Unshelve => desk::Handling::Unshelve,
            Handling::Urge => desk::Handling::Urge,
        };
        let _ = self.ask(Command::Handle { alert, handling });
    }

    fn order_from(&mut self, which: u8, assigned: bool) {
        let Some(alert) = self.alert(which) else {
            return;
        };
        let wish = OrderWish {
            title: None,
            assignee: assigned.then(|| "li".to_owned()),
            due_at: Some(self.now.plus_secs(3_600)),
        };
        let _ = self.ask(Command::OrderFrom { alert, wish });
    }

    fn step_order(&mut self, which: u8, how: u8) {
        let all: Vec<_> = self.desk.orders().iter().map(|order| order.id).collect();
        if all.is_empty() {
            return;
        }
        let text = || "done".to_owned();
        let to = || ["li", "wu"][usize::from(how / 16) % 2].to_owned();
        let step = match how % 8 {
            0 => OrderStep::Assign { to: to() },
            1 | 2 => OrderStep::Start,
            3 => OrderStep::Resolve { comment: text() },
            4 => OrderStep::Verify { comment: None },
            5 => OrderStep::Close,
            6 => OrderStep::Reopen { reason: text() },
            _ => OrderStep::Transfer {
                to: to(),
                reason: text(),
            },
        };
        let order = *pick(which, &all);
        let _ = self.ask(Command::Order(OrderCommand::Step { order, step }));
    }

    fn step_problem(&mut self, which: u8, how: u8) {
        let all: Vec<_> = self.desk.problems().iter().map(|one| one.id).collect();
        if all.is_empty() {
            return;
        }
        let to = ["li", "wu"][usize::from(how / 16) % 2].to_owned();
        let step = match how % 6 {
            0 | 1 => ProblemStep::Assign { to },
            2 => ProblemStep::Check { finding: None },
            3 => ProblemStep::Correct {
                finding: None,
                correction: "put right".to_owned(),
            },
            4 => ProblemStep::Verify { comment: None },
            _ => ProblemStep::Close,
        };
        let problem = *pick(which, &all);
        let _ = self.ask(Command::Problem(ProblemCommand::Step { problem, step }));
    }

    fn change_rule(&mut self, which: u8, how: u8) {
        let ids: Vec<String> = self
            .desk
            .rules()
            .iter()
            .map(|(id, _)| id.to_string())
            .collect();
        // The random rules change more often than the shipped ones.
        let id = match which % 2 {
            0 => (*pick(which / 2, &RULES)).to_owned(),
            _ => pick(which / 2, &ids).clone(),
        };
        let command = |command: fn(String) -> RuleCommand| Command::Rule(command(id.clone()));
        match how % 5 {
            0 => drop(self.ask(command(RuleCommand::Disable))),
            1 | 2 => drop(self.ask(command(RuleCommand::Enable))),
            3 => {
                let _ = self.ask(command(RuleCommand::Disable));
                let _ = self.ask(command(RuleCommand::Enable));
            }
            _ => {
                let entry = self.desk.rules().get(&id);
                if let Some(version) = entry.and_then(|entry| entry.current()) {
                    let mut rule = version.rule.clone();
                    rule.limit = [1, 5, 1_000][usize::from(how) % 3];
                    let _ = self.ask(put(&rule, &format!("{how}")));
                }
            }
        }
    }

    /// The sender: takes what is due, sends it, and tells how each fared.
    fn send(&mut self, fates: &[Fate]) {
        for (message, attempt, arrived) in std::mem::take(&mut self.hung) {
            if arrived {
                let outcome = Outcome::Delivered { receipt: None };
                let _ = self.end(message, attempt, outcome);
            }
        }
        let due: Vec<MessageId> = self.desk.messages().due(self.now).map(|m| m.id).collect();
        let messages = due.clone();
        self.must(Command::Message(MessageCommand::Begin { messages }));
        for (message, fate) in due.into_iter().zip(fates.iter().cycle()) {
            let begun = self.desk.messages().get(message).expect("under way");
            let (attempt, key) = (begun.attempts, begun.key.clone());
            let arrives = matches!(
                fate,
                Fate::Arrives | Fate::ArrivesUnheard | Fate::Crash { arrived: true }
            );
            if arrives {
                let copies = self.inbox.entry(key).or_default();
                *copies += 1;
                assert!(
                    *copies == 1 || begun.possible_duplicate,
                    "{message} comes a second time and does not say so"
                );
            }
            let reason = || "it was so".to_owned();
            let outcome = match fate {
                Fate::Arrives => Outcome::Delivered { receipt: None },
                Fate::ArrivesUnheard | Fate::BreaksOff => Outcome::Uncertain { reason: reason() },
                Fate::Fails => Outcome::Failed { reason: reason() },
                Fate::Refused => Outcome::Refused { reason: reason() },
                Fate::Crash { arrived } => {
                    self.hung.push((message, attempt, *arrived));
                    continue;
                }
            };
            self.end(message, attempt, outcome).expect("is under way");
        }
    }

    fn end(&mut self, message: MessageId, attempt: u32, outcome: Outcome) -> Result<(), Refusal> {
        self.ask(Command::Message(MessageCommand::End {
            message,
            attempt,
            outcome,
            policy: POLICY,
        }))
    }

    fn restart(&mut self, snapshot: bool) {
        let live = serde_json::to_string(&self.desk).expect("JSON");
        self.desk = match snapshot {
            true => serde_json::from_str(&live).expect("a snapshot reads back"),
            false => self.replayed(),
        };
        assert_eq!(serde_json::to_string(&self.desk).expect("JSON"), live);
        self.passes = Passes::default();
        self.hung.clear();
    }

    /// The desk that the journal gives, read back line by line.
    pub(crate) fn replayed(&self) -> AlertDesk {
        let mut again = AlertDesk::default();
        for one in &self.journal {
            let line = serde_json::to_string(one).expect("JSON");
            let read: Recorded<Event> = serde_json::from_str(&line).expect("reads back");
            assert_eq!(&read, one, "{line}");
            again.apply(&read);
        }
        again
    }

    /// How everything stands, without the instants at which it came to stand so.
    pub(crate) fn standing(&self) -> Vec<String> {
        let alerts = self.desk.alerts();
        let silences = alerts
            .silences()
            .map(|one| format!("{} {:?}", one.id, one.state));
        let orders = self.desk.orders().iter();
        let orders = orders.map(|one| format!("{} {:?} {}", one.id, one.state, one.is_overdue()));
        let problems = self.desk.problems().iter();
        let problems =
            problems.map(|one| format!("{} {:?} {}", one.id, one.state, one.is_overdue()));
        let alerts = alerts
            .iter()
            .filter(|alert| alert.state != State::Closed)
            .map(|alert| {
                format!(
                    "{} {:?} {:?} ack {} shelf {} {:?} steps {:?}",
                    alert.id,
                    alert.state,
                    alert.severity_now,
                    alert.ack.is_some(),
                    alert.shelf.is_some(),
                    alert.suppressed_by,
                    alert.escalated,
                )
            });
        alerts
            .chain(silences)
            .chain(orders)
            .chain(problems)
            .collect()
    }

    /// Everybody hears of everything again, and there is time to tell.
    pub(crate) fn settle(&mut self) {
        let silences: Vec<_> = self.desk.alerts().silences().map(|one| one.id).collect();
        for id in silences {
            let _ = self.ask(Command::Silence(SilenceCommand::End(id)));
        }
        let alerts: Vec<_> = self.desk.alerts().iter().map(|alert| alert.id).collect();
        for alert in alerts {
            let handling = desk::Handling::Unshelve;
            let _ = self.ask(Command::Handle { alert, handling });
        }
        self.wait(700_000, false);
    }
}

fn pick<T>(which: u8, all: &[T]) -> &T {
    &all[usize::from(which) % all.len()]
}

fn slot(kind: SubjectKind, name: &str) -> usize {
    catalogue::find(kind, name).expect("a variable").0
}

fn unknown(kind: SubjectKind, id: &str) -> Facts {
    let hall = match kind {
        SubjectKind::Case if id == "C1" => Some("H1"),
        SubjectKind::Case if id == "C2" => Some("H2"),
        SubjectKind::Case => None,
        _ => id.split('/').next(),
    };
    Facts {
        subject: Subject::new(kind, id),
        label: Name::same(id),
        hall: hall.map(|hall| hall.parse().expect("a hall's id")),
        department: Some("housing".into()),
        handler: Some(if id.ends_with('A') { "li" } else { "wu" }.into()),
        values: vec![Value::Missing; catalogue::variables(kind).len()].into(),
    }
}

fn matcher(of: u8) -> Matcher {
    let mut matcher = Matcher::default();
    match of % 4 {
        0 => matcher.rule = Some((*pick(of / 4, &RULES)).to_owned()),
        1 => matcher.hall = Some(pick(of / 4, &["H1", "H2"]).parse().expect("a hall's id")),
        2 => matcher.subject = Some(pick(of / 4, &SUBJECTS).2.into()),
        _ => matcher.severity = Some(rules::alerts::rule::Severity::Warning),
    }
    matcher
}

fn put(rule: &Rule, source: &str) -> Command {
    let (rule, source) = (rule.clone(), source.to_owned());
    Command::Rule(RuleCommand::Put(Box::new(SourcedRule { rule, source })))
}

/// Some of the shipped rules, so that all of them come up over many lives.
fn shipped_rules(which: u8) -> Vec<SourcedRule> {
    let files = shipped()
        .iter()
        .cycle()
        .skip(usize::from(which))
        .step_by(5)
        .take(4);
    let rules = files.flat_map(|(name, text)| {
        let file = RuleFile::parse(text);
        let file = file.unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
        file.rules.into_iter().map(|rule| SourcedRule {
            rule,
            source: (*text).to_owned(),
        })
    });
    rules.collect()
}

fn receivers() -> Vec<Receiver> {
    let one = |id: &str, roles: &[&str], halls: &[&str], ways: serde_json::Value| {
        serde_json::from_value(json!({
            "id": id, "name": {"zh": id, "en": id}, "account": id, "roles": roles,
            "halls": halls, "ways": ways,
        }))
        .expect("a receiver")
    };
    let mail = json!({"kind": "email", "address": "a@example.org"});
    let sms = json!({"kind": "sms", "address": "13800000001"});
    let instead = json!({"kind": "sms", "address": "13800000001", "fallback": true});
    vec![
        one(
            "boss",
            &["supervisor", "data_steward"],
            &["*"],
            json!([mail, instead]),
        ),
        one("sup1", &["supervisor", "engineer"], &["H1"], json!([mail])),
        one("sup2", &["supervisor"], &["H2"], json!([mail, sms])),
        one(
            "both",
            &["leader", "engineer"],
            &["H1", "H2"],
            json!([mail]),
        ),
        one("chief", &["leader"], &["*"], json!([sms])),
        one("li", &["supervisor"], &["H1"], json!([mail, instead])),
        one("duty", &[], &["*"], json!([mail])),
    ]
}
