//! Notices as an outbox: who is told, when, how often, and what becomes of a message whatever
//! happens to the server.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by a panic"
)]

mod luck;
mod outbox;
mod receivers;
mod wording;

use rules::alerts::rule::{Audience, Severity};
use rules::desk::messages::{
    ATTEMPT_SECS_MAX, MessageCommand, MessageEvent, Messages, Outcome, RetryPolicy, Template,
};
use rules::desk::receivers::WayKind;
use rules::ids::MessageId;
use rules::name::Name;
use rules::testing::clock;
use rules::time::Timestamp;
use serde_json::{Value, json};

use crate::outbox::{Outbox, delivered, failed, receivers, supervisor, to_supervisors};

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
