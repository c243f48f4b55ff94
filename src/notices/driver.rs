//! The driver of deliveries: follows what the desk has to send and sends it.
//!
//! ```text
//! desk ── due ──> Begin (journalled) ──> attempt ──> End (journalled) ──> desk
//! ```
//! Nothing goes out before its attempt is in the journal. An attempt that was under way when the
//! server stopped is told as uncertain at the next start: the receiver may have it.
//!
//! Each server has a lane of its own with a few places, so that one that hangs holds up nobody
//! else's messages.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::desk::{Desk, SubmitError};
use rules::desk::messages::{MessageCommand, Outcome, RetryPolicy};
use rules::desk::{AlertDesk, Command};
use rules::ids::MessageId;
use rules::time::Timestamp;
use tokio::sync::Notify;
use tracing::{info, warn};

use super::breaker::{Breakers, LaneFace};
use super::letter::{Lane, Letter};
use super::push::DeskPush;
use super::settings::Notices;
use super::{Ways, by_desk};

/// Messages to one server at a time.
const LANE_PLACES: usize = 4;

/// The driver looks by itself so often, whatever it is told or not told.
const LOOK: Duration = Duration::from_secs(30);

/// An outcome that cannot be journalled is tried again after so long ...
const AGAIN: Duration = Duration::from_secs(1);

/// ... and so often; then the desk itself takes the attempt for broken off.
const AGAIN_MAX: u32 = 60;

/// Who the journal says did it.
const BY: &str = "messenger";

/// How the lanes fare, for everybody to see.
#[derive(Clone, Default)]
pub struct Lanes(Arc<Mutex<Vec<LaneFace>>>);

impl Lanes {
    /// The lanes with trouble.
    pub fn faces(&self) -> Vec<LaneFace> {
        let faces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        faces.clone()
    }

    fn set(&self, faces: Vec<LaneFace>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = faces;
    }
}

/// What the attempts share. All of it lives on one thread.
struct Driver {
    desk: Desk<AlertDesk>,
    ways: Ways,
    push: DeskPush,
    policy: RetryPolicy,
    parallel: usize,
    breakers: RefCell<Breakers>,
    /// Attempts under way by lane.
    busy: RefCell<BTreeMap<Lane, usize>>,
    /// Messages whose attempt has begun and not ended here.
    own: RefCell<BTreeSet<MessageId>>,
    lanes: Lanes,
    freed: Notify,
}

/// Delivers for ever, on the present thread.
///
/// # Errors
/// The encryption cannot be set up.
pub async fn run(
    desk: Desk<AlertDesk>,
    settings: Notices,
    push: DeskPush,
    lanes: Lanes,
) -> anyhow::Result<()> {
    let driver = Rc::new(Driver {
        ways: Ways::new(settings.clone())?,
        push,
        policy: settings.policy(),
        parallel: settings.parallel,
        breakers: RefCell::new(Breakers::new(
            settings.breaker_failures,
            settings.breaker_secs,
        )),
        busy: RefCell::default(),
        own: RefCell::default(),
        lanes,
        freed: Notify::new(),
        desk,
    });
    driver.give_up_the_stopped().await;
    let mut changed = driver.desk.changed();
    loop {
        let next = driver.start_due().await;
        tokio::select! {
            still = changed.changed() => if still.is_err() { return Ok(()) },
            () = driver.freed.notified() => {}
            () = tokio::time::sleep(next) => {}
        }
        changed.mark_unchanged();
    }
}

/// What is to be sent and where.
struct Due {
    letters: Vec<Letter>,
    /// Messages that there is nobody to send to, and why.
    nowhere: Vec<(MessageId, &'static str)>,
    /// How long until the next is due.
    next: Duration,
}

impl Driver {
    /// Attempts that were under way when the server stopped may have arrived.
    async fn give_up_the_stopped(&self) {
        let under_way = |desk: &AlertDesk, _| {
            let all = desk.messages().under_way();
            all.map(|message| (message.id, message.attempts))
                .collect::<Vec<_>>()
        };
        let Some(stopped) = self.desk.read(under_way).await else {
            return;
        };
        if !stopped.is_empty() {
            info!(messages = stopped.len(), "attempts broken off by a stop");
        }
        for (message, attempt) in stopped {
            let reason = "the server stopped while it was under way".to_owned();
            self.end(message, attempt, Outcome::Uncertain { reason })
                .await;
        }
    }

    /// Begins what is due and has a place. Tells how long there is nothing to do.
    async fn start_due(self: &Rc<Self>) -> Duration {
        let Some(due) = self.look().await else {
            return AGAIN;
        };
        for (message, reason) in due.nowhere {
            self.refuse(message, reason).await;
        }
        if due.letters.is_empty() {
            return due.next;
        }
        let messages: Vec<MessageId> = due.letters.iter().map(|l| l.message.id).collect();
        let begin = MessageCommand::Begin { messages };
        match self.desk.submit(Command::Message(begin), BY, None).await {
            Ok(_) => {}
            // Something else happened to one of them; the next look knows.
            Err(SubmitError::Refused(refusal)) => {
                info!(%refusal, "messages not begun");
                return AGAIN;
            }
            Err(cause) => {
                warn!(%cause, "messages not begun");
                return AGAIN;
            }
        }
        for mut letter in due.letters {
            letter.message.attempts += 1;
            let lane = letter.lane();
            *self.busy.borrow_mut().entry(lane).or_default() += 1;
            self.own.borrow_mut().insert(letter.message.id);
            let driver = Rc::clone(self);
            actix_web::rt::spawn(async move { driver.attempt(letter).await });
        }
        due.next
    }

    /// What is due, as far as there are places for it.
    async fn look(&self) -> Option<Due> {
        let mut busy = self.busy.borrow().clone();
        let own = self.own.borrow().clone();
        let parallel = self.parallel;
        let look = move |desk: &AlertDesk, now: Timestamp| {
            let mut due = Due {
                letters: Vec::new(),
                nowhere: Vec::new(),
                next: LOOK,
            };
            let mut free = parallel.saturating_sub(busy.values().sum());
            for message in desk.messages().due(now) {
                if free == 0 {
                    break;
                }
                if own.contains(&message.id) {
                    continue;
                }
                match Letter::of(message, desk.receivers()) {
                    Ok(letter) => {
                        let places = busy.entry(letter.lane()).or_default();
                        if *places < LANE_PLACES {
                            *places += 1;
                            free -= 1;
                            due.letters.push(letter);
                        }
                    }
                    Err(why) => {
                        free -= 1;
                        due.nowhere.push((message.id, why));
                    }
                }
            }
            if let Some(next) = desk.messages().next_due_after(now) {
                let wait = Duration::from_millis(next.millis_since(now).max(1));
                due.next = due.next.min(wait);
            }
            due
        };
        self.desk.read(look).await
    }

    /// A message that cannot go anywhere still has its attempt in the journal.
    async fn refuse(&self, message: MessageId, reason: &'static str) {
        let attempt = self
            .desk
            .read(move |desk, _| Some(desk.messages().get(message)?.attempts + 1))
            .await
            .flatten();
        let begin = MessageCommand::Begin {
            messages: vec![message],
        };
        let begun = self.desk.submit(Command::Message(begin), BY, None).await;
        if let (Some(attempt), Ok(_)) = (attempt, begun) {
            let reason = reason.to_owned();
            self.end(message, attempt, Outcome::Refused { reason })
                .await;
        }
    }

    /// One attempt from its beginning to its end in the journal.
    async fn attempt(&self, letter: Letter) {
        let (id, attempt, lane) = (letter.message.id, letter.message.attempts, letter.lane());
        let passed = self.breakers.borrow_mut().pass(&lane, now());
        let outcome = match passed {
            Ok(()) => {
                let outcome = match by_desk(&letter) {
                    Some(account) => self.push.tell(account, &letter, now()),
                    None => self.ways.send(&letter, now()).await,
                };
                // Whether somebody sits at the desk says nothing about the desk.
                if by_desk(&letter).is_none() {
                    self.note(&lane, &outcome);
                }
                outcome
            }
            Err(reason) => Outcome::Failed { reason },
        };
        self.end(id, attempt, outcome).await;
        self.own.borrow_mut().remove(&id);
        if let Some(places) = self.busy.borrow_mut().get_mut(&lane) {
            *places -= 1;
        }
        self.freed.notify_one();
    }

    fn note(&self, lane: &Lane, outcome: &Outcome) {
        let mut breakers = self.breakers.borrow_mut();
        if breakers.note(lane, outcome, now()) {
            let (way, target) = (lane.way.name(), lane.target.as_str());
            warn!(
                way,
                target,
                ?outcome,
                "server of notices left alone for a while"
            );
        }
        self.lanes.set(breakers.faces());
    }

    /// Journals how an attempt ended, for as long as the desk would wait for it.
    async fn end(&self, message: MessageId, attempt: u32, outcome: Outcome) {
        let end = MessageCommand::End {
            message,
            attempt,
            outcome,
            policy: self.policy,
        };
        for _ in 0..AGAIN_MAX {
            let command = Command::Message(end.clone());
            match self.desk.submit(command, BY, None).await {
                Ok(_) => return,
                Err(SubmitError::Refused(refusal)) => {
                    info!(%message, %refusal, "outcome came too late");
                    return;
                }
                Err(cause) => warn!(%message, %cause, "outcome not journalled yet"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

fn now() -> Timestamp {
    use actors::ports::Clock as _;
    actors::clock::SystemClock.now()
}
