//! Notices as an outbox: who is told, when, how often, and what becomes of a message whatever
//! happens to the server.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by a panic"
)]

use proptest::prelude::*;
use rules::alerts::rule::{Audience, Severity};
use rules::desk::messages::{
    ATTEMPT_SECS_MAX, Announcement, Cause, Message, MessageCommand, MessageEvent, MessageRefusal,
    MessageState, Messages, Outcome, RetryPolicy, Template,
};
use rules::desk::receivers::{
    Receiver, ReceiverCommand, ReceiverEvent, ReceiverRefusal, Receivers, WayKind,
};
use rules::ids::MessageId;
use rules::name::Name;
use rules::testing::clock;
use rules::time::Timestamp;
use serde_json::{Value, json};

fn receiver(json: Value) -> Receiver {
    serde_json::from_value(json).unwrap()
}

fn receivers(all: impl IntoIterator<Item = Value>) -> Receivers {
    let mut receivers = Receivers::default();
    for one in all {
        let put = ReceiverCommand::Put(Box::new(receiver(one)));
        for event in receivers.decide(&put).unwrap() {
            receivers.apply(&event);
        }
    }
    receivers
}

/// A supervisor of all halls with an e-mail and, when that fails, an SMS.
fn supervisor() -> Value {
    json!({
        "id": "sup", "name": "督查员", "account": "sup", "roles": ["supervisor"], "halls": ["*"],
        "ways": [
            {"kind": "email", "address": "sup@example.org"},
            {"kind": "sms", "address": "13800000001", "fallback": true},
        ],
    })
}

fn to_supervisors(key: &str, severity: Severity) -> Announcement {
    Announcement {
        key: key.to_owned(),
        alert: Some("A-000001".to_owned()),
        cause: Cause::Raised,
        severity,
        title: Name::new("办件超期", "Case overdue"),
        text: Name::new("办件 C1 已超期 2 天", "Case C1 is 2 days overdue"),
        audience: vec![Audience::Role("supervisor".to_owned())],
        handler: None,
        hall: Some("H1".parse().unwrap()),
        department: Some("住建局".into()),
        narrow: false,
    }
}

/// Messages with what was done to them; every step is checked for what must hold of every step.
struct Outbox {
    messages: Messages,
    receivers: Receivers,
    at: Timestamp,
}

impl Outbox {
    fn new(all: impl IntoIterator<Item = Value>, at: &str) -> Self {
        Self {
            messages: Messages::default(),
            receivers: receivers(all),
            at: clock(at),
        }
    }

    fn apply(&mut self, events: &[MessageEvent]) {
        let told: Vec<_> = events.iter().map(|event| (self.at, "x", event)).collect();
        let rows = self.messages.rows_after(&told);
        for event in events {
            self.messages.apply(self.at, event);
        }
        for row in &rows {
            let message = self.messages.get(row.id.parse().unwrap()).unwrap();
            assert_eq!(row.body, serde_json::to_string(&message.face()).unwrap());
            assert!(!row.body.contains('@'), "an address is in a list");
        }
        let json = serde_json::to_string(&self.messages).unwrap();
        assert_eq!(
            serde_json::from_str::<Messages>(&json).unwrap(),
            self.messages
        );
    }

    fn announce(&mut self, about: &Announcement) -> Vec<Message> {
        let events = self
            .messages
            .announce(std::slice::from_ref(about), &self.receivers, self.at);
        self.apply(&events);
        let queued = |event: &MessageEvent| match event {
            MessageEvent::MessageQueued { message } => Some((**message).clone()),
            _ => None,
        };
        events.iter().filter_map(queued).collect()
    }

    fn ask(&mut self, command: &MessageCommand) -> Result<Vec<MessageEvent>, MessageRefusal> {
        let events = self.messages.decide(command, &self.receivers, self.at)?;
        self.apply(&events);
        Ok(events)
    }

    /// Begins what is due, in the order in which it goes out.
    fn begin(&mut self) -> Vec<MessageId> {
        let messages: Vec<MessageId> = self.messages.due(self.at).map(|m| m.id).collect();
        let command = MessageCommand::Begin {
            messages: messages.clone(),
        };
        self.ask(&command).unwrap();
        messages
    }

    fn end(&mut self, message: MessageId, outcome: Outcome) -> Vec<MessageEvent> {
        let attempt = self.get(message).attempts;
        let policy = RetryPolicy::default();
        self.ask(&MessageCommand::End {
            message,
            attempt,
            outcome,
            policy,
        })
        .unwrap()
    }

    fn get(&self, message: MessageId) -> &Message {
        self.messages.get(message).unwrap()
    }

    /// Goes to when the next message is due.
    fn wait(&mut self) {
        self.at = self.at.max(self.messages.next_due().unwrap());
    }
}

fn failed() -> Outcome {
    Outcome::Failed {
        reason: "no connection".to_owned(),
    }
}

fn delivered() -> Outcome {
    Outcome::Delivered { receipt: None }
}

/// AC-F05-1.
#[test]
fn an_alert_to_three_receivers_by_two_ways_makes_six_messages_with_states_of_their_own() {
    let three = (1..=3).map(|i| {
        json!({
            "id": format!("r{i}"), "name": "值班", "account": format!("r{i}"),
            "roles": ["supervisor"], "halls": ["H1"],
            "ways": [{"kind": "desk"}, {"kind": "sms", "address": format!("1380000000{i}")}],
        })
    });
    let mut outbox = Outbox::new(three, "09:00");
    let queued = outbox.announce(&to_supervisors("A-000001/1", Severity::Warning));
    assert_eq!(queued.len(), 6);
    let begun = outbox.begin();
    assert_eq!(begun.len(), 6);
    outbox.end(begun[0], delivered());
    outbox.end(begun[1], failed());
    let refused = Outcome::Refused {
        reason: "no such number".to_owned(),
    };
    outbox.end(begun[3], refused);
    let states: Vec<&str> = begun
        .iter()
        .map(|id| outbox.get(*id).state.name())
        .collect();
    assert_eq!(
        states,
        ["delivered", "failed", "sent", "dead", "sent", "sent"]
    );
}

#[test]
fn nobody_is_told_twice_under_one_key() {
    let mut outbox = Outbox::new([supervisor()], "09:00");
    let mut about = to_supervisors("A-000001/1", Severity::Warning);
    about.audience.push(Audience::Receiver("sup".to_owned()));
    assert_eq!(outbox.announce(&about).len(), 1);
    assert_eq!(outbox.announce(&about).len(), 0);
    about.key = "A-000001/2".to_owned();
    assert_eq!(outbox.announce(&about).len(), 1);
}

#[test]
fn several_announcements_of_one_decision_get_numbers_of_their_own() {
    let outbox = Outbox::new([supervisor()], "09:00");
    let both = [
        to_supervisors("A-000001/1", Severity::Warning),
        to_supervisors("A-000002/1", Severity::Warning),
        to_supervisors("A-000002/1", Severity::Warning),
    ];
    let events = outbox
        .messages
        .announce(&both, &outbox.receivers, outbox.at);
    let ids: Vec<String> = outbox
        .messages
        .clone()
        .after(outbox.at, &events)
        .map(|m| m.to_string())
        .collect();
    assert_eq!(ids, ["M-000001", "M-000002"]);
}

/// Applies and tells the ids.
trait After {
    fn after(self, at: Timestamp, events: &[MessageEvent]) -> impl Iterator<Item = MessageId>;
}

impl After for Messages {
    fn after(mut self, at: Timestamp, events: &[MessageEvent]) -> impl Iterator<Item = MessageId> {
        for event in events {
            self.apply(at, event);
        }
        let ids: Vec<MessageId> = self.due(at).map(|m| m.id).collect();
        ids.into_iter()
    }
}

/// AC-F05-2.
#[test]
fn an_sms_that_fails_twice_is_delivered_by_the_third_attempt_and_goes_out_no_more() {
    let sms = json!({
        "id": "r1", "name": "值班", "ways": [{"kind": "sms", "address": "13800000001"}],
    });
    let mut outbox = Outbox::new([sms], "09:00");
    let mut about = to_supervisors("A-000001/1", Severity::Warning);
    about.audience = vec![Audience::Receiver("r1".to_owned())];
    let id = outbox.announce(&about)[0].id;
    for outcome in [failed(), failed(), delivered()] {
        outbox.wait();
        assert_eq!(outbox.begin(), [id]);
        outbox.end(id, outcome);
    }
    let message = outbox.get(id);
    assert_eq!((message.state.name(), message.attempts), ("delivered", 3));
    assert!(!message.possible_duplicate);
    assert_eq!(outbox.messages.next_due(), None);
}

/// AC-F05-3: the share that rule R26 compares with its limit of 98 %.
#[test]
fn of_two_hundred_messages_eight_failed_leave_ninety_six_percent() {
    let mut outbox = Outbox::new([supervisor()], "09:00");
    for i in 0..200 {
        outbox.announce(&to_supervisors(&format!("A-{i}/1"), Severity::Warning));
    }
    let no_fallback = receivers([json!({
        "id": "sup", "name": "督查员", "ways": [{"kind": "email", "address": "sup@example.org"}],
    })]);
    outbox.receivers = no_fallback;
    for (i, id) in outbox.begin().into_iter().enumerate() {
        let refused = Outcome::Refused {
            reason: "no such mailbox".to_owned(),
        };
        outbox.end(id, if i % 25 == 0 { refused } else { delivered() });
    }
    let figures = outbox.messages.figures(outbox.at, 24);
    assert_eq!((figures.delivered, figures.dead), (192, 8));
    assert_eq!(figures.delivered_percent, Some(96.0));
    assert_eq!(figures.dead_letters, 8);
    assert_eq!(figures.ways[&WayKind::Email].dead, 8);
}

/// AC-F05-4.
#[test]
fn a_notice_waits_for_the_end_of_the_quiet_hours_and_a_red_alert_does_not() {
    for (now, due) in [
        ("2T21:59", "2T21:59"),
        ("2T22:00", "3T07:00"),
        ("2T23:30", "3T07:00"),
        ("3T06:59:59", "3T07:00"),
        ("3T07:00", "3T07:00"),
    ] {
        let mut outbox = Outbox::new([supervisor()], now);
        let notice = outbox.announce(&to_supervisors("A-1/1", Severity::Notice));
        assert_eq!(notice[0].state.due_at(), Some(clock(due)), "at {now}");
        let red = outbox.announce(&to_supervisors("A-2/1", Severity::Critical));
        assert_eq!(red[0].state.due_at(), Some(clock(now)), "at {now}");
        let orange = outbox.announce(&to_supervisors("A-3/1", Severity::Warning));
        assert_eq!(orange[0].state.due_at(), Some(clock(now)), "at {now}");
    }
}

#[test]
fn quiet_hours_are_those_of_the_receivers_own_zone_and_may_be_none() {
    let mut other = supervisor();
    other["time_zone"] = json!("Europe/Berlin");
    // 23:00 in Shanghai is 16:00 in Berlin.
    let mut outbox = Outbox::new([other.clone()], "23:00");
    let first = outbox.announce(&to_supervisors("A-1/1", Severity::Notice));
    assert_eq!(first[0].state.due_at(), Some(clock("23:00")));
    other["time_zone"] = json!("Asia/Shanghai");
    other["quiet"] = Value::Null;
    let mut outbox = Outbox::new([other.clone()], "23:00");
    let first = outbox.announce(&to_supervisors("A-1/1", Severity::Notice));
    assert_eq!(first[0].state.due_at(), Some(clock("23:00")));
    other["quiet"] = json!({"from": "12:00", "until": "24:00"});
    let mut outbox = Outbox::new([other], "13:00");
    let first = outbox.announce(&to_supervisors("A-1/1", Severity::Notice));
    assert_eq!(first[0].state.due_at(), Some(clock("3T00:00")));
}

#[test]
fn roles_reach_only_those_whose_scope_holds_the_hall() {
    let of = |id: &str, halls: Value, enabled: bool| {
        json!({
            "id": id, "name": "x", "account": id, "roles": ["supervisor"], "halls": halls,
            "enabled": enabled, "ways": [{"kind": "desk"}],
        })
    };
    let all = receivers([
        of("city", json!(["*"]), true),
        of("h1", json!(["H1"]), true),
        of("h2", json!(["H2"]), true),
        of("gone", json!(["*"]), false),
    ]);
    let role = [Audience::Role("supervisor".to_owned())];
    let ids = |audience: &[Audience], handler, hall: Option<&str>| -> Vec<String> {
        let hall = hall.map(|hall| hall.parse().unwrap());
        let found = all.resolve(audience, handler, hall.as_ref());
        found.iter().map(|r| r.id.to_string()).collect()
    };
    assert_eq!(ids(&role, None, Some("H1")), ["city", "h1"]);
    assert_eq!(ids(&role, None, None), ["city"]);
    assert_eq!(ids(&[Audience::Handler], Some("h2"), Some("H1")), ["h2"]);
    assert_eq!(
        ids(&[Audience::Handler], None, Some("H1")),
        Vec::<String>::new()
    );
    let named = [
        Audience::Receiver("h2".to_owned()),
        Audience::Receiver("gone".to_owned()),
    ];
    assert_eq!(ids(&named, None, Some("H1")), ["h2"]);
}

#[test]
fn a_broken_connection_makes_the_next_attempt_a_possible_duplicate() {
    let mut outbox = Outbox::new([supervisor()], "09:00");
    let id = outbox.announce(&to_supervisors("A-1/1", Severity::Warning))[0].id;
    outbox.begin();
    outbox.end(
        id,
        Outcome::Uncertain {
            reason: "connection reset".to_owned(),
        },
    );
    assert!(outbox.get(id).possible_duplicate);
    outbox.wait();
    outbox.begin();
    outbox.end(id, delivered());
    assert_eq!(outbox.get(id).log[0].outcome, "uncertain");
    assert_eq!(outbox.get(id).state.name(), "delivered");
}

#[test]
fn an_attempt_of_which_nothing_is_heard_may_have_arrived() {
    let mut outbox = Outbox::new([supervisor()], "09:00");
    let id = outbox.announce(&to_supervisors("A-1/1", Severity::Warning))[0].id;
    outbox.begin();
    let over = outbox.at.plus_secs(ATTEMPT_SECS_MAX);
    assert_eq!(outbox.messages.next_deadline(), Some(over));
    assert_eq!(
        outbox
            .messages
            .elapse(Timestamp::from_millis(over.millis() - 1)),
        []
    );
    outbox.at = over;
    let events = outbox.messages.elapse(over);
    outbox.apply(&events);
    assert_eq!(outbox.messages.elapse(over), []);
    let message = outbox.get(id);
    assert!(message.possible_duplicate && message.state.name() == "failed");
    // The confirmation comes after all: it spares the receiver the repeat.
    let late = MessageCommand::End {
        message: id,
        attempt: 1,
        outcome: delivered(),
        policy: RetryPolicy::default(),
    };
    outbox.ask(&late).unwrap();
    assert_eq!(outbox.messages.next_due(), None);
    assert_eq!(outbox.ask(&late).unwrap_err().code(), "attempt_over");
}

#[test]
fn a_message_that_fails_long_enough_is_a_dead_letter_and_can_be_sent_again() {
    let mut outbox = Outbox::new([supervisor()], "09:00");
    let id = outbox.announce(&to_supervisors("A-1/1", Severity::Warning))[0].id;
    let began = outbox.at;
    let mut fallbacks = 0;
    while outbox.get(id).state.due_at().is_some() {
        outbox.at = outbox.get(id).state.due_at().unwrap();
        outbox
            .ask(&MessageCommand::Begin { messages: vec![id] })
            .unwrap();
        let events = outbox.end(id, failed());
        fallbacks += events
            .iter()
            .filter(|e| e.kind() == "message_queued")
            .count();
    }
    assert_eq!(outbox.get(id).state.name(), "dead");
    assert_eq!((outbox.get(id).attempts, fallbacks), (12, 1));
    let took = outbox.at.secs_since(began);
    assert!((600..1800).contains(&took), "{took} s");
    assert_eq!(outbox.messages.figures(outbox.at, 1).dead_letters, 1);
    let resend = MessageCommand::Resend { message: id };
    outbox.ask(&resend).unwrap();
    assert_eq!(outbox.messages.figures(outbox.at, 1).dead_letters, 0);
    assert_eq!(outbox.ask(&resend).unwrap_err().code(), "message_not_dead");
    outbox
        .ask(&MessageCommand::Begin { messages: vec![id] })
        .unwrap();
    outbox.end(id, delivered());
    let figures = outbox.messages.figures(outbox.at, 1);
    assert_eq!((figures.delivered, figures.dead), (1, 0));
}

#[test]
fn the_fallback_goes_out_when_the_first_way_fails_for_good() {
    let mut outbox = Outbox::new([supervisor()], "09:00");
    let id = outbox.announce(&to_supervisors("A-1/1", Severity::Warning))[0].id;
    outbox.begin();
    let refused = Outcome::Refused {
        reason: "no such mailbox".to_owned(),
    };
    outbox.end(id, refused.clone());
    let second = outbox.begin();
    let sms = outbox.get(second[0]);
    assert_eq!((sms.way, sms.fallback_for), (WayKind::Sms, Some(id)));
    assert!(
        sms.text.starts_with("【较重】办件超期（发生）"),
        "{}",
        sms.text
    );
    assert!(outbox.get(id).fell_back);
    // Its failure has no further fallback.
    assert_eq!(outbox.end(second[0], refused).len(), 1);
}

#[test]
fn every_step_out_of_turn_has_a_code_of_its_own_and_changes_nothing() {
    let mut outbox = Outbox::new([supervisor()], "2T23:00");
    let id = outbox.announce(&to_supervisors("A-1/1", Severity::Notice))[0].id;
    let begin = MessageCommand::Begin { messages: vec![id] };
    let end = |attempt| MessageCommand::End {
        message: id,
        attempt,
        outcome: delivered(),
        policy: RetryPolicy::default(),
    };
    let unknown = MessageCommand::Resend {
        message: MessageId(99),
    };
    let template = Template {
        subject: Name::same("{title}"),
        text: Name::same("{titel}"),
    };
    for (command, code) in [
        (begin, "message_not_due"),
        (end(0), "attempt_over"),
        (end(1), "attempt_over"),
        (MessageCommand::Resend { message: id }, "message_not_dead"),
        (unknown, "unknown_message"),
        (
            MessageCommand::Test {
                receiver: "nobody".parse().unwrap(),
            },
            "unknown_receiver",
        ),
        (
            MessageCommand::SetTemplate {
                way: WayKind::Sms,
                template,
            },
            "invalid_field",
        ),
    ] {
        let before = outbox.messages.clone();
        let refusal = outbox.ask(&command).unwrap_err();
        assert_eq!(refusal.code(), code);
        assert!(!refusal.sentence().zh.is_empty());
        assert_eq!(outbox.messages, before);
    }
}

#[test]
fn a_trial_goes_by_all_ways_at_once_even_at_night() {
    let mut outbox = Outbox::new([supervisor()], "2T23:00");
    let test = MessageCommand::Test {
        receiver: "sup".parse().unwrap(),
    };
    outbox.ask(&test).unwrap();
    assert_eq!(outbox.begin().len(), 2);
    outbox.ask(&test).unwrap();
    assert_eq!(outbox.begin().len(), 2);
}

#[test]
fn a_template_says_what_it_is_given_in_the_receivers_language() {
    let mut english = supervisor();
    english["lang"] = json!("en");
    let mut outbox = Outbox::new([english], "09:00");
    let standard = outbox.announce(&to_supervisors("A-1/1", Severity::Critical));
    assert_eq!(standard[0].subject, "[critical, raised] Case overdue");
    assert!(
        standard[0].text.contains("Time: 2026-11-02 09:00"),
        "{}",
        standard[0].text
    );
    // Whoever only reads subjects sees that it is over.
    let over = Announcement {
        cause: Cause::Resolved,
        ..to_supervisors("A-1/over", Severity::Critical)
    };
    let over = outbox.announce(&over);
    assert_eq!(over[0].subject, "[critical, resolved] Case overdue");
    let template = Template {
        subject: Name::new("标题", "{alert}\nin {hall}"),
        text: Name::new("{text}", "{text} ({cause}, {department})"),
    };
    let set = MessageCommand::SetTemplate {
        way: WayKind::Email,
        template,
    };
    outbox.ask(&set).unwrap();
    let own = outbox.announce(&to_supervisors("A-1/2", Severity::Critical));
    assert_eq!(own[0].subject, "A-000001 in H1");
    assert_eq!(own[0].text, "Case C1 is 2 days overdue (raised, 住建局)");
    outbox
        .ask(&MessageCommand::ResetTemplate {
            way: WayKind::Email,
        })
        .unwrap();
    let again = outbox.announce(&to_supervisors("A-1/3", Severity::Critical));
    assert_eq!(again[0].subject, "[critical, raised] Case overdue");
}

#[test]
fn a_template_with_a_fault_is_refused_with_the_field() {
    for (text, part) in [
        ("{titel}", "{titel}, which is none of title, text"),
        ("{title", "does not close"),
        (" ", "is empty"),
        ("a\u{7}", "cannot be printed"),
    ] {
        let template = Template {
            subject: Name::same("{title}"),
            text: Name::new("好", text),
        };
        let (field, why) = template.fault().unwrap();
        assert_eq!(field, "text.en");
        assert!(why.contains(part), "{why}");
    }
    for way in WayKind::ALL {
        assert_eq!(Template::standard(way).fault(), None);
    }
}

#[test]
fn a_receiver_that_cannot_be_is_refused_with_the_field() {
    let cases = [
        (json!({"ways": []}), "ways"),
        (
            json!({"ways": [{"kind": "email", "address": "nobody"}]}),
            "ways[0].address",
        ),
        (
            json!({"ways": [{"kind": "email", "address": "a b@c"}]}),
            "ways[0].address",
        ),
        (
            json!({"ways": [{"kind": "sms", "address": "12ab"}]}),
            "ways[0].address",
        ),
        (
            json!({"ways": [{"kind": "webhook", "address": "http://x/"}]}),
            "ways[0].address",
        ),
        (json!({"ways": [{"kind": "desk"}]}), "ways[0].kind"),
        (
            json!({"ways": [
                {"kind": "sms", "address": "13800000001"}, {"kind": "sms", "address": "13800000002"},
            ]}),
            "ways[1].kind",
        ),
        (
            json!({"ways": [{"kind": "sms", "address": "13800000001", "fallback": true}]}),
            "ways",
        ),
        (json!({"halls": ["H 1"]}), "halls"),
        (json!({"account": ""}), "account"),
        (
            json!({"quiet": {"from": "07:00", "until": "07:00"}}),
            "quiet",
        ),
    ];
    for (change, field) in cases {
        let mut one = json!({
            "id": "r1", "name": "x", "ways": [{"kind": "sms", "address": "13800000001"}],
        });
        for (key, value) in change.as_object().unwrap() {
            one[key] = value.clone();
        }
        let put = ReceiverCommand::Put(Box::new(receiver(one)));
        match Receivers::default().decide(&put).unwrap_err() {
            ReceiverRefusal::InvalidField { field: found, .. } => assert_eq!(found, field),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn receivers_come_and_go_and_their_addresses_are_masked() {
    let mut all = receivers([supervisor()]);
    let same = ReceiverCommand::Put(Box::new(receiver(supervisor())));
    assert_eq!(all.decide(&same).unwrap(), []);
    let face = serde_json::to_string(&all.iter().next().unwrap().face()).unwrap();
    assert!(
        face.contains("s***@example.org") && face.contains("***001"),
        "{face}"
    );
    assert!(!face.contains("sup@") && !face.contains("138000"), "{face}");
    let remove = ReceiverCommand::Remove("sup".parse().unwrap());
    for event in all.decide(&remove).unwrap() {
        assert_eq!(event.kind(), "receiver_removed");
        all.apply(&event);
    }
    assert_eq!(all.decide(&remove).unwrap_err().code(), "unknown_receiver");
    let unknown: Result<ReceiverEvent, _> = serde_json::from_str("{\"kind\": \"x\"}");
    assert!(unknown.is_err());
}

/// What a receiver and the network may do to one attempt.
#[derive(Debug, Clone, Copy)]
enum Luck {
    /// Taken and confirmed.
    Good,
    /// Taken; the confirmation is lost.
    Unheard,
    /// Not taken.
    Bad,
    /// The server is killed before a byte went out, or after it was taken.
    KilledBefore,
    KilledAfter,
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        3 => Just(Luck::Good),
        1 => Just(Luck::Unheard),
        2 => Just(Luck::Bad),
        1 => Just(Luck::KilledBefore),
        1 => Just(Luck::KilledAfter),
    ]
}

proptest! {
    /// However receivers and the server fail: each message arrives, and whatever arrives a second
    /// time was marked as a possible duplicate.
    #[test]
    fn no_message_is_lost_and_every_repeat_is_marked(all in prop::collection::vec(luck(), 1..60)) {
        let mut outbox = Outbox::new([supervisor()], "09:00");
        outbox.receivers = receivers([json!({
            "id": "sup", "name": "x", "roles": ["supervisor"], "halls": ["*"],
            "ways": [{"kind": "email", "address": "sup@example.org"},
                     {"kind": "sms", "address": "13800000001"}],
        })]);
        outbox.announce(&to_supervisors("A-1/1", Severity::Warning));
        outbox.announce(&to_supervisors("A-2/1", Severity::Warning));
        let mut taken = std::collections::BTreeMap::<MessageId, u32>::new();
        let mut lucks = all.into_iter();
        let policy = RetryPolicy { attempts_max: 1_000, ..RetryPolicy::default() };
        while let Some(next) = outbox.messages.next_due() {
            outbox.at = outbox.at.max(next);
            for id in outbox.begin() {
                let luck = lucks.next().unwrap_or(Luck::Good);
                if matches!(luck, Luck::Good | Luck::Unheard | Luck::KilledAfter) {
                    let times = taken.entry(id).or_default();
                    *times += 1;
                    prop_assert!(*times == 1 || outbox.get(id).possible_duplicate);
                }
                let reason = String::new();
                let outcome = match luck {
                    Luck::Good => delivered(),
                    Luck::Bad => failed(),
                    // After a restart the driver knows of no attempt and says so.
                    Luck::Unheard | Luck::KilledBefore | Luck::KilledAfter => {
                        Outcome::Uncertain { reason }
                    }
                };
                let attempt = outbox.get(id).attempts;
                outbox.ask(&MessageCommand::End { message: id, attempt, outcome, policy }).unwrap();
            }
        }
        prop_assert_eq!(taken.len(), 4);
        for id in taken.keys() {
            let state = outbox.get(*id).state;
            prop_assert!(matches!(state, MessageState::Delivered { .. }), "{:?}", state);
        }
        let figures = outbox.messages.figures(outbox.at, 48);
        prop_assert_eq!((figures.delivered, figures.waiting), (4, 0));
    }
}
