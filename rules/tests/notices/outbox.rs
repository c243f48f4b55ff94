//! An outbox in simulated time, with receivers.

use rules::alerts::rule::{Audience, Severity};
use rules::desk::messages::{
    Announcement, Cause, Message, MessageCommand, MessageEvent, MessageRefusal, Messages, Outcome,
    RetryPolicy,
};
use rules::desk::receivers::{Receiver, ReceiverCommand, Receivers};
use rules::ids::MessageId;
use rules::name::Name;
use rules::testing::clock;
use rules::time::Timestamp;
use serde_json::{Value, json};

pub(crate) fn receiver(json: Value) -> Receiver {
    serde_json::from_value(json).unwrap()
}

pub(crate) fn receivers(all: impl IntoIterator<Item = Value>) -> Receivers {
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
pub(crate) fn supervisor() -> Value {
    json!({
        "id": "sup", "name": "督查员", "account": "sup", "roles": ["supervisor"], "halls": ["*"],
        "ways": [
            {"kind": "email", "address": "sup@example.org"},
            {"kind": "sms", "address": "13800000001", "fallback": true},
        ],
    })
}

pub(crate) fn to_supervisors(key: &str, severity: Severity) -> Announcement {
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
pub(crate) struct Outbox {
    pub(crate) messages: Messages,
    pub(crate) receivers: Receivers,
    pub(crate) at: Timestamp,
}

impl Outbox {
    pub(crate) fn new(all: impl IntoIterator<Item = Value>, at: &str) -> Self {
        Self {
            messages: Messages::default(),
            receivers: receivers(all),
            at: clock(at),
        }
    }

    pub(crate) fn apply(&mut self, events: &[MessageEvent]) {
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

    pub(crate) fn announce(&mut self, about: &Announcement) -> Vec<Message> {
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

    pub(crate) fn ask(
        &mut self,
        command: &MessageCommand,
    ) -> Result<Vec<MessageEvent>, MessageRefusal> {
        let events = self.messages.decide(command, &self.receivers, self.at)?;
        self.apply(&events);
        Ok(events)
    }

    /// Begins what is due, in the order in which it goes out.
    pub(crate) fn begin(&mut self) -> Vec<MessageId> {
        let messages: Vec<MessageId> = self.messages.due(self.at).map(|m| m.id).collect();
        let command = MessageCommand::Begin {
            messages: messages.clone(),
        };
        self.ask(&command).unwrap();
        messages
    }

    pub(crate) fn end(&mut self, message: MessageId, outcome: Outcome) -> Vec<MessageEvent> {
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

    pub(crate) fn get(&self, message: MessageId) -> &Message {
        self.messages.get(message).unwrap()
    }

    /// Goes to when the next message is due.
    pub(crate) fn wait(&mut self) {
        self.at = self.at.max(self.messages.next_due().unwrap());
    }
}

pub(crate) fn failed() -> Outcome {
    Outcome::Failed {
        reason: "no connection".to_owned(),
    }
}

pub(crate) fn delivered() -> Outcome {
    Outcome::Delivered { receipt: None }
}
