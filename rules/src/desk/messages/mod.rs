//! Notices as an outbox: what the desk has to say becomes one message per receiver and way, and
//! each goes on until its receiver has confirmed it or it is a dead letter.
//!
//! An attempt is journalled twice: that it begins, before a byte goes out, and how it ended. So
//! whatever happens to the server, no message is forgotten, and one that may have arrived already
//! is marked when it goes out again. Sending itself is the driver's, outside.

mod announcement;
mod event;
mod figures;
mod message;
mod refusal;
mod retry;
mod template;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use announcement::{Announcement, Cause, severity_words};
pub use event::{MessageCommand, MessageEvent, Outcome};
pub use figures::{MessageFigures, Tally, WayFigures};
pub use message::{Attempt, Message, MessageState};
pub use refusal::MessageRefusal;
pub use retry::{RetryPolicy, pause_ms};
pub(crate) use template::local_minute;
pub use template::{Template, VARIABLES};

use crate::alerts::rule::{Audience, Severity};
use crate::desk::receivers::{Receiver, Receivers, Way, WayKind};
use crate::ids::{MessageId, ReceiverId};
use crate::machine::Item;
use crate::name::Name;
use crate::time::Timestamp;
use figures::{End, Hours};

/// An attempt of which nothing was heard for so long is taken for broken off. Longer than any
/// driver waits for a receiver.
pub const ATTEMPT_SECS_MAX: u64 = 120;

/// Delivered messages are at hand for so long; lists know them for ever.
const KEEP_DELIVERED_SECS: u64 = 3_600;

/// Dead letters can be sent again for so long.
const KEEP_DEAD_SECS: u64 = 7 * 86_400;

/// All messages that are not done with, and the templates.
///
/// **Invariant:** `due` holds exactly the messages that wait to go out, `under_way` exactly those
/// in state sent, `ended` exactly the delivered and dead ones that are still at hand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Messages {
    /// Number of the last message.
    last: u64,
    all: BTreeMap<MessageId, Message>,
    keys: BTreeSet<String>,
    due: BTreeSet<(Timestamp, MessageId)>,
    under_way: BTreeSet<MessageId>,
    ended: BTreeSet<(Timestamp, MessageId)>,
    dead_letters: u64,
    hours: Hours,
    templates: BTreeMap<WayKind, Template>,
}

impl Messages {
    /// Messages for all these announcements: one per receiver and way, except ways that are only
    /// for fallback, and except what was said under the same key before.
    ///
    /// Numbers are given from the last one on, so one decision asks once, with all it has to say.
    pub fn announce(
        &self,
        announcements: &[Announcement],
        receivers: &Receivers,
        now: Timestamp,
    ) -> Vec<MessageEvent> {
        let mut queue = Queue::after(self);
        let mut reached: BTreeSet<&ReceiverId> = BTreeSet::new();
        for about in announcements {
            if !about.narrow {
                reached.clear();
            }
            let meant = receivers.resolve(
                &about.audience,
                about.handler.as_deref(),
                about.hall.as_ref(),
            );
            for receiver in meant {
                if !reached.insert(&receiver.id) {
                    continue;
                }
                for way in receiver.ways.iter().filter(|way| !way.fallback) {
                    queue.push(about, receiver, way, None, now);
                }
            }
        }
        queue.events
    }

    /// # Errors
    /// See [`MessageRefusal`].
    pub fn decide(
        &self,
        command: &MessageCommand,
        receivers: &Receivers,
        now: Timestamp,
    ) -> Result<Vec<MessageEvent>, MessageRefusal> {
        match command {
            MessageCommand::Begin { messages } => self.begin(messages, now),
            MessageCommand::End {
                message,
                attempt,
                outcome,
                policy,
            } => {
                let message = self.known(*message)?;
                self.end(message, *attempt, outcome, *policy, receivers, now)
            }
            MessageCommand::Resend { message } => {
                let known = self.known(*message)?;
                let state = known.state.name();
                let message = *message;
                match known.state {
                    MessageState::Dead { .. } => Ok(vec![MessageEvent::MessageResent { message }]),
                    _ => Err(MessageRefusal::NotDead { message, state }),
                }
            }
            MessageCommand::Announce(about) => {
                Ok(self.announce(std::slice::from_ref(about), receivers, now))
            }
            MessageCommand::Test { receiver } => self.test(receiver, receivers, now),
            MessageCommand::SetTemplate { way, template } => {
                if let Some((field, reason)) = template.fault() {
                    let field = field.to_owned();
                    return Err(MessageRefusal::InvalidField { field, reason });
                }
                let (way, template) = (*way, template.clone());
                Ok(vec![MessageEvent::TemplateSet { way, template }])
            }
            MessageCommand::ResetTemplate { way } => {
                Ok(vec![MessageEvent::TemplateReset { way: *way }])
            }
        }
    }

    fn known(&self, message: MessageId) -> Result<&Message, MessageRefusal> {
        self.all
            .get(&message)
            .ok_or(MessageRefusal::UnknownMessage { message })
    }

    fn begin(
        &self,
        messages: &[MessageId],
        now: Timestamp,
    ) -> Result<Vec<MessageEvent>, MessageRefusal> {
        let begin = |id: &MessageId| {
            let message = self.known(*id)?;
            match message.state.due_at() {
                Some(due_at) if due_at <= now => Ok(MessageEvent::MessageBegun {
                    message: *id,
                    attempt: message.attempts + 1,
                }),
                _ => Err(MessageRefusal::NotDue {
                    message: *id,
                    state: message.state.name(),
                }),
            }
        };
        let once: BTreeSet<&MessageId> = messages.iter().collect();
        once.into_iter().map(begin).collect()
    }

    fn end(
        &self,
        message: &Message,
        attempt: u32,
        outcome: &Outcome,
        policy: RetryPolicy,
        receivers: &Receivers,
        now: Timestamp,
    ) -> Result<Vec<MessageEvent>, MessageRefusal> {
        let under_way = matches!(message.state, MessageState::Sent { .. });
        let current = under_way && message.attempts == attempt;
        // A confirmation counts however late it comes: it spares the receiver a repeat.
        let late = !matches!(message.state, MessageState::Delivered { .. })
            && (1..=message.attempts).contains(&attempt)
            && matches!(outcome, Outcome::Delivered { .. });
        if !current && !late {
            let message = message.id;
            return Err(MessageRefusal::AttemptOver { message, attempt });
        }
        let (reason, uncertain, refused) = match outcome {
            Outcome::Delivered { receipt } => {
                return Ok(vec![MessageEvent::MessageDelivered {
                    message: message.id,
                    attempt,
                    receipt: receipt.clone(),
                }]);
            }
            Outcome::Uncertain { reason } => (reason, true, false),
            Outcome::Failed { reason } => (reason, false, false),
            Outcome::Refused { reason } => (reason, false, true),
        };
        let dies = refused || message.tries >= policy.attempts_max;
        let event = match dies {
            true => MessageEvent::MessageDied {
                message: message.id,
                attempt,
                reason: reason.clone(),
                uncertain,
                refused,
            },
            false => MessageEvent::MessageFailed {
                message: message.id,
                attempt,
                reason: reason.clone(),
                uncertain,
                next_at: next_try(message, now),
            },
        };
        let mut events = vec![event];
        if dies || message.tries >= policy.fallback_after {
            events.extend(self.fall_back(message, receivers, now));
        }
        Ok(events)
    }

    /// The same by the receiver's other ways, once. A trial goes by all of them at once.
    fn fall_back(
        &self,
        message: &Message,
        receivers: &Receivers,
        now: Timestamp,
    ) -> Vec<MessageEvent> {
        let mut queue = Queue::after(self);
        let receiver = receivers.get(&message.receiver);
        let trial = message.about.cause == Cause::Test;
        let done = message.fell_back || message.fallback_for.is_some() || trial;
        if let Some(receiver) = receiver.filter(|_| !done) {
            for way in receiver.ways.iter().filter(|way| way.fallback) {
                queue.push(&message.about, receiver, way, Some(message.id), now);
            }
        }
        queue.events
    }

    fn test(
        &self,
        id: &ReceiverId,
        receivers: &Receivers,
        now: Timestamp,
    ) -> Result<Vec<MessageEvent>, MessageRefusal> {
        let Some(receiver) = receivers.get(id) else {
            let receiver = id.clone();
            return Err(MessageRefusal::UnknownReceiver { receiver });
        };
        let about = Announcement {
            key: format!("test-{}", self.last + 1),
            alert: None,
            cause: Cause::Test,
            // Above the severity that quiet hours hold back: whoever tries wants to see it arrive.
            severity: Severity::Warning,
            title: Name::new("测试消息", "Test message"),
            text: Name::new(
                "这是一条测试消息，无需处理。",
                "This is a test message. Nothing needs to be done.",
            ),
            audience: vec![Audience::Receiver(id.to_string())],
            handler: None,
            hall: None,
            department: None,
            narrow: false,
        };
        let mut queue = Queue::after(self);
        for way in &receiver.ways {
            queue.push(&about, receiver, way, None, now);
        }
        Ok(queue.events)
    }

    pub fn apply(&mut self, at: Timestamp, event: &MessageEvent) {
        match event {
            MessageEvent::MessageQueued { message } => {
                self.last = self.last.max(message.id.0);
                self.keys.insert(message.key.clone());
                if let Some(of) = message.fallback_for
                    && let Some(first) = self.all.get_mut(&of)
                {
                    first.fell_back = true;
                }
                self.all.insert(message.id, (**message).clone());
                self.index(message.id);
                self.forget(at);
            }
            MessageEvent::MessageBegun { message, attempt } => {
                self.change(*message, |message| message.begin(at, *attempt));
            }
            MessageEvent::MessageDelivered {
                message,
                attempt,
                receipt,
            } => self.delivered(at, *message, *attempt, receipt.as_deref()),
            MessageEvent::MessageFailed {
                message,
                attempt,
                reason,
                uncertain,
                next_at,
            } => self.change(*message, |message| {
                let outcome = if *uncertain { "uncertain" } else { "failed" };
                message.end(at, *attempt, outcome, reason);
                message.possible_duplicate |= uncertain;
                message.state = MessageState::Failed { next_at: *next_at };
            }),
            MessageEvent::MessageDied {
                message,
                attempt,
                reason,
                uncertain,
                refused,
            } => self.died(at, *message, *attempt, reason, (*uncertain, *refused)),
            MessageEvent::MessageResent { message } => self.resent(at, *message),
            MessageEvent::TemplateSet { way, template } => {
                self.templates.insert(*way, template.clone());
            }
            MessageEvent::TemplateReset { way } => {
                self.templates.remove(way);
            }
        }
    }

    fn delivered(&mut self, at: Timestamp, id: MessageId, attempt: u32, receipt: Option<&str>) {
        if let Some(message) = self.all.get(&id) {
            let (way, state) = (message.way, message.state);
            if let MessageState::Dead { at } = state {
                self.hours.revive(at, way);
                self.dead_letters = self.dead_letters.saturating_sub(1);
            }
            self.hours.count(at, way, End::Delivered);
        }
        self.change(id, |message| {
            message.end(at, attempt, "delivered", receipt.unwrap_or_default());
            message.state = MessageState::Delivered { at };
        });
    }

    fn died(
        &mut self,
        at: Timestamp,
        id: MessageId,
        attempt: u32,
        reason: &str,
        (uncertain, refused): (bool, bool),
    ) {
        if let Some(message) = self.all.get(&id) {
            self.hours.count(at, message.way, End::Dead);
            self.dead_letters += 1;
        }
        self.change(id, |message| {
            let outcome = match (refused, uncertain) {
                (true, _) => "refused",
                (false, true) => "uncertain",
                (false, false) => "failed",
            };
            message.end(at, attempt, outcome, reason);
            message.possible_duplicate |= uncertain;
            message.state = MessageState::Dead { at };
        });
    }

    fn resent(&mut self, at: Timestamp, id: MessageId) {
        if let Some(message) = self.all.get(&id)
            && let MessageState::Dead { at } = message.state
        {
            self.hours.revive(at, message.way);
            self.dead_letters = self.dead_letters.saturating_sub(1);
        }
        self.change(id, |message| {
            message.tries = 0;
            message.state = MessageState::Queued { not_before: at };
        });
    }

    /// Changes one message and keeps the indexes true.
    fn change(&mut self, id: MessageId, change: impl FnOnce(&mut Message)) {
        let Some(message) = self.all.get_mut(&id) else {
            return;
        };
        let before = message.state;
        change(message);
        if let Some(due_at) = before.due_at() {
            self.due.remove(&(due_at, id));
        }
        if let Some(ended_at) = before.ended_at() {
            self.ended.remove(&(ended_at, id));
        }
        self.under_way.remove(&id);
        self.index(id);
    }

    fn index(&mut self, id: MessageId) {
        let Some(state) = self.all.get(&id).map(|message| message.state) else {
            return;
        };
        if let Some(due_at) = state.due_at() {
            self.due.insert((due_at, id));
        } else if let Some(ended_at) = state.ended_at() {
            self.ended.insert((ended_at, id));
        } else {
            self.under_way.insert(id);
        }
    }

    /// Lets go of what ended long ago.
    fn forget(&mut self, now: Timestamp) {
        let delivered_before = now.minus_secs(KEEP_DELIVERED_SECS);
        let dead_before = now.minus_secs(KEEP_DEAD_SECS);
        let old: Vec<_> = self
            .ended
            .range(..(delivered_before, MessageId(0)))
            .filter(|(at, id)| *at < dead_before || !self.is_dead(*id))
            .copied()
            .collect();
        for (at, id) in old {
            self.ended.remove(&(at, id));
            if self.is_dead(id) {
                self.dead_letters = self.dead_letters.saturating_sub(1);
            }
            if let Some(message) = self.all.remove(&id) {
                self.keys.remove(&message.key);
            }
        }
    }

    fn is_dead(&self, id: MessageId) -> bool {
        let state = self.all.get(&id).map(|message| message.state);
        matches!(state, Some(MessageState::Dead { .. }))
    }

    pub fn get(&self, id: MessageId) -> Option<&Message> {
        self.all.get(&id)
    }

    /// Every message at hand.
    pub fn iter(&self) -> impl Iterator<Item = &Message> {
        self.all.values()
    }

    /// What is to go out now, longest due first.
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = &Message> {
        self.due
            .range(..=(now, MessageId(u64::MAX)))
            .filter_map(|(_, id)| self.all.get(id))
    }

    /// When the first message after `now` is to go out.
    pub fn next_due_after(&self, now: Timestamp) -> Option<Timestamp> {
        let mut later = self.due.range((now, MessageId(u64::MAX))..);
        later.next().map(|(at, _)| *at)
    }

    /// When the next message is to go out, which may be past.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Those of which an attempt is under way.
    pub fn under_way(&self) -> impl Iterator<Item = &Message> {
        self.under_way.iter().filter_map(|id| self.all.get(id))
    }

    /// When the first attempt under way has to be taken for broken off.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.under_way().filter_map(given_up_at).min()
    }

    /// Attempts of which nothing was heard, and which may have arrived.
    pub fn elapse(&self, now: Timestamp) -> Vec<MessageEvent> {
        let over = |message: &&Message| given_up_at(message).is_some_and(|at| at <= now);
        self.under_way()
            .filter(over)
            .map(|message| MessageEvent::MessageFailed {
                message: message.id,
                attempt: message.attempts,
                reason: "nothing was heard of it".to_owned(),
                uncertain: true,
                next_at: next_try(message, now),
            })
            .collect()
    }

    /// What messages by this way say.
    pub fn template(&self, way: WayKind) -> Template {
        let own = self.templates.get(&way);
        own.cloned().unwrap_or_else(|| Template::standard(way))
    }

    /// Whether somebody has written another than the standard one.
    pub fn has_own_template(&self, way: WayKind) -> bool {
        self.templates.contains_key(&way)
    }

    /// How messages fared over the last hours, 48 at most.
    pub fn figures(&self, now: Timestamp, hours: u64) -> MessageFigures {
        let mut figures = MessageFigures::of(hours, &self.hours.since(now, hours));
        figures.waiting = (self.due.len() + self.under_way.len()) as u64;
        let retrying = |(_, id): &&(Timestamp, MessageId)| {
            self.all.get(id).is_some_and(|message| message.tries > 0)
        };
        figures.retrying = self.due.iter().filter(retrying).count() as u64;
        figures.due_secs_max = self.next_due().map_or(0, |due_at| now.secs_since(due_at));
        figures.dead_letters = self.dead_letters;
        figures
    }

    /// Rows of the messages that these events touch, as they will be after them.
    pub fn rows_after(&self, events: &[(Timestamp, &str, &MessageEvent)]) -> Vec<Item> {
        let touched = events.iter().filter_map(|(.., event)| event.message());
        let copy = |id| Some((id, self.all.get(&id)?.clone()));
        let mut part = Self {
            all: touched.filter_map(copy).collect(),
            ..Self::default()
        };
        for (at, _, event) in events {
            part.apply(*at, event);
        }
        part.all.values().map(Message::item).collect()
    }
}

fn given_up_at(message: &Message) -> Option<Timestamp> {
    match message.state {
        MessageState::Sent { since } => Some(since.plus_secs(ATTEMPT_SECS_MAX)),
        _ => None,
    }
}

fn next_try(message: &Message, now: Timestamp) -> Timestamp {
    let pause = pause_ms(message.id, message.tries);
    Timestamp::from_millis(now.millis().saturating_add(pause as i64))
}

/// When a message may go out: mere notices wait for the end of the receiver's quiet hours.
fn not_before(severity: Severity, receiver: &Receiver, now: Timestamp) -> Timestamp {
    let quiet = receiver.quiet.filter(|_| severity == Severity::Notice);
    quiet
        .and_then(|quiet| quiet.end(receiver.time_zone, now))
        .unwrap_or(now)
}

/// Messages being queued, with their numbers.
struct Queue<'a> {
    messages: &'a Messages,
    events: Vec<MessageEvent>,
    keys: BTreeSet<String>,
}

impl<'a> Queue<'a> {
    fn after(messages: &'a Messages) -> Self {
        Self {
            messages,
            events: Vec::new(),
            keys: BTreeSet::new(),
        }
    }

    fn push(
        &mut self,
        about: &Announcement,
        receiver: &Receiver,
        way: &Way,
        fallback_for: Option<MessageId>,
        now: Timestamp,
    ) {
        let key = format!("{}/{}/{}", about.key, receiver.id, way.kind.name());
        if self.messages.keys.contains(&key) || !self.keys.insert(key.clone()) {
            return;
        }
        let (subject, text) = self
            .messages
            .template(way.kind)
            .render(about, receiver, now);
        let message = Message {
            id: MessageId(self.messages.last + self.events.len() as u64 + 1),
            key,
            receiver: receiver.id.clone(),
            way: way.kind,
            about: about.clone(),
            subject,
            text,
            queued_at: now,
            state: MessageState::Queued {
                not_before: not_before(about.severity, receiver, now),
            },
            attempts: 0,
            tries: 0,
            possible_duplicate: false,
            fallback_for,
            fell_back: false,
            log: Vec::new(),
        };
        let message = Box::new(message);
        self.events.push(MessageEvent::MessageQueued { message });
    }
}
