//! The `ScreenHub`: topics, their last frames, and who follows them.
//!
//! Each topic has one log of frames, encoded once. A subscriber is a [`Cursor`] on that log, not a
//! queue: a slow one costs nothing but its place, and when its place has fallen out of the log it
//! gets a snapshot. **Invariant:** what a cursor hands out has no gap: the next sequence number, or
//! a snapshot.
//!
//! A topic may have a merge window: frames are shown at once after a pause and when urgent,
//! otherwise gathered for up to the window, so that a busy hall costs each screen ten writes a
//! second and not fifty. While many frames gather, the window is longer, and begins with the first
//! of them in place of the last write.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use dashboards::frame::text_frame;
use tokio::time::Instant;
use tracing::debug;

/// Frames kept of a topic whose deltas are steps.
const STEPS_KEPT: usize = 1024;

/// Frames kept of a topic whose every frame is the whole view: enough for one merge window.
const VIEWS_KEPT: usize = 16;

/// Messages that may wait for the hub. When it is full a frame is dropped, which the log notices
/// by its sequence number and mends by a snapshot.
const MAILBOX: usize = 8192;

/// Topics of which a thread keeps what it handed out last: more than change within one pass, as those of
/// a hall and its queues.
const TOPICS_HANDED: usize = 64;

/// When more frames than this gathered in a merge window, the topic is busy and the next window
/// is [stretched](Shape::window): its readers cannot follow single steps any more.
const BUSY_FRAMES: u64 = 2;

/// How a topic behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Deltas are steps; a snapshot comes from the topic's owner.
    Steps { merge: Duration },
    /// Every frame is the whole view, so the last one is the snapshot.
    Whole { merge: Duration },
}

impl Shape {
    const fn kept(self) -> usize {
        match self {
            Self::Steps { .. } => STEPS_KEPT,
            Self::Whole { .. } => VIEWS_KEPT,
        }
    }

    /// How long frames gather, in a calm or a busy topic.
    fn window(self, busy: bool) -> Duration {
        let (Self::Steps { merge } | Self::Whole { merge }) = self;
        if busy { merge * 9 / 5 } else { merge }
    }
}

/// One topic's log, shared by the hub and all its subscribers.
pub struct Topic {
    name: String,
    shape: Shape,
    log: Mutex<Log>,
    /// Rises with every change of the log, before its followers are woken.
    changes: AtomicU64,
}

#[derive(Default)]
struct Log {
    /// The newest frame's number, shown or not.
    head: u64,
    /// Frames up to this number may be handed out.
    shown: u64,
    /// `steps.len()` newest frames; the last is `head`.
    steps: VecDeque<Bytes>,
    snapshot: Option<(u64, Bytes)>,
    snapshot_wanted: bool,
    followers: usize,
    /// Wakes whoever has looked since the last change: a task once, however many cursors it has.
    waiting: Vec<Waker>,
}

impl Log {
    fn tail(&self) -> u64 {
        self.head + 1 - self.steps.len() as u64
    }

    /// The frames from `next` to the last one shown, as one piece.
    fn frames_from(&self, next: u64) -> Bytes {
        let first = (next - self.tail()) as usize;
        let last = (self.shown - self.tail()) as usize;
        let frames: Vec<&[u8]> = self.steps.range(first..=last).map(Bytes::as_ref).collect();
        Bytes::from(frames.concat())
    }

    fn wait(&mut self, waker: &Waker) {
        if !self
            .waiting
            .last()
            .is_some_and(|last| last.will_wake(waker))
        {
            self.waiting.push(waker.clone());
        }
    }

    /// Wakers stay when their cursor leaves or is polled by another task. Where most may be such, all
    /// are woken: whoever still follows leaves one again.
    fn has_stale_wakers(&self) -> bool {
        self.waiting.len() > 2 * self.followers
    }
}

/// The frames of a topic last handed out on a thread. Most followers stand at the same place and are
/// served in one pass: they take what their neighbour took, without the topic's lock and without a count
/// of owners that the threads would pull from each other with every screen.
struct Handed {
    topic: Weak<Topic>,
    /// The topic's count of changes then, and who is woken by the next one.
    changes: u64,
    waker: Waker,
    first: u64,
    last: u64,
    frames: Bytes,
}

thread_local! {
    /// By the topic's place in memory, which belongs to no other as long as it is pointed to.
    static HANDED: RefCell<BTreeMap<*const Topic, Handed>> =
        const { RefCell::new(BTreeMap::new()) };
}

impl Handed {
    /// The topic's frames from `next` on, and the last one's number, if `fits`.
    fn find(
        topic: &Arc<Topic>,
        next: u64,
        fits: impl FnOnce(&Self) -> bool,
    ) -> Option<(u64, Bytes)> {
        HANDED.with_borrow(|all| {
            let handed = all.get(&Arc::as_ptr(topic))?;
            let found = handed.first == next && fits(handed);
            found.then(|| (handed.last, handed.frames.clone()))
        })
    }

    /// Keeps it for the neighbours.
    fn keep(self) {
        let before = HANDED.with_borrow_mut(|all| {
            let full = all.len() == TOPICS_HANDED && !all.contains_key(&self.topic.as_ptr());
            let other = if full { all.pop_first() } else { None };
            let same = all.insert(self.topic.as_ptr(), self);
            (other, same)
        });
        // Its waker may be the last trace of a task, whose end must find the list free.
        drop(before);
    }
}

/// A subscriber's place in a topic.
pub struct Cursor {
    topic: Arc<Topic>,
    place: Place,
    /// The count of changes when the waker was left, and whom it wakes.
    seen: Option<(u64, Waker)>,
}

enum Place {
    /// Of this number or a later one: what was known when the subscriber came.
    NeedsSnapshot { from: u64 },
    /// The next frame to hand out.
    At(u64),
}

impl Topic {
    fn new(name: String, shape: Shape) -> Self {
        Self {
            name,
            shape,
            log: Mutex::default(),
            changes: AtomicU64::default(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the log and wakes whoever waits, outside of the lock that they all need next.
    fn change(&self, change: impl FnOnce(&mut Log)) {
        let mut log = self.log();
        change(&mut log);
        self.wake(log);
    }

    fn wake(&self, mut log: MutexGuard<'_, Log>) {
        self.changes.fetch_add(1, Ordering::Release);
        let waiting = mem::take(&mut log.waiting);
        drop(log);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// A new subscriber; it goes on after `since` if the log still has what followed.
    pub fn follow(self: &Arc<Self>, since: Option<u64>) -> Cursor {
        let mut log = self.log();
        log.followers += 1;
        let known = since.filter(|seq| *seq > 0 && *seq <= log.shown && *seq + 1 >= log.tail());
        let from = log.head;
        drop(log);
        Cursor {
            topic: Arc::clone(self),
            place: known.map_or(Place::NeedsSnapshot { from }, |seq| Place::At(seq + 1)),
            seen: None,
        }
    }

    /// How many follow the topic.
    pub fn followers(&self) -> usize {
        self.log().followers
    }
}

/// What a cursor found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Frames were handed out, or there is nothing new; the waker is kept.
    UpToDate,
    /// The owner must be asked for a snapshot; the waker is kept.
    SnapshotWanted,
}

impl Cursor {
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Hands out every frame that is due, and keeps the waker for the next.
    pub fn poll(&mut self, task: &TaskContext<'_>, out: &mut Vec<Bytes>) -> Found {
        let changes = self.topic.changes.load(Ordering::Acquire);
        if self.has_seen(changes, task.waker()) || self.joins_neighbour(changes, task.waker(), out)
        {
            return Found::UpToDate;
        }
        let mut log = self.topic.log();
        if log.has_stale_wakers() {
            self.topic.wake(log);
            log = self.topic.log();
        }
        let changes = self.topic.changes.load(Ordering::Acquire);
        log.wait(task.waker());
        if let Place::At(next) = self.place
            && next < log.tail()
        {
            self.place = Place::NeedsSnapshot { from: log.head };
        }
        if let Place::NeedsSnapshot { from } = self.place {
            let fresh = log
                .snapshot
                .as_ref()
                .filter(|(seq, _)| *seq + 1 >= log.tail() && *seq >= from);
            let Some((seq, frame)) = fresh else {
                let first = !log.snapshot_wanted;
                log.snapshot_wanted = true;
                return if first {
                    Found::SnapshotWanted
                } else {
                    Found::UpToDate
                };
            };
            out.push(frame.clone());
            self.place = Place::At(seq + 1);
        }
        let due = match self.place {
            Place::At(next) if next <= log.shown => {
                let (last, frames) =
                    Handed::find(&self.topic, next, |handed| handed.last == log.shown)
                        .unwrap_or_else(|| (log.shown, log.frames_from(next)));
                Some((next, last, frames))
            }
            _ => None,
        };
        drop(log);
        if let Some((first, last, frames)) = due {
            out.push(frames.clone());
            self.place = Place::At(last + 1);
            let handed = Handed {
                topic: Arc::downgrade(&self.topic),
                changes,
                waker: task.waker().clone(),
                first,
                last,
                frames,
            };
            handed.keep();
        }
        self.saw(changes, task.waker());
        Found::UpToDate
    }

    /// A socket looks again after every write, when there is mostly nothing new.
    fn has_seen(&self, changes: u64, waker: &Waker) -> bool {
        let (Place::At(_), Some((seen, known))) = (&self.place, &self.seen) else {
            return false;
        };
        *seen == changes && known.will_wake(waker)
    }

    fn saw(&mut self, changes: u64, waker: &Waker) {
        match &mut self.seen {
            Some((seen, known)) if known.will_wake(waker) => *seen = changes,
            seen => *seen = Some((changes, waker.clone())),
        }
    }

    /// Takes what a neighbour took since the last change. That one has left the waker of both.
    fn joins_neighbour(&mut self, changes: u64, waker: &Waker, out: &mut Vec<Bytes>) -> bool {
        let Place::At(next) = self.place else {
            return false;
        };
        let found = Handed::find(&self.topic, next, |handed| {
            handed.changes == changes && handed.waker.will_wake(waker)
        });
        let Some((last, frames)) = found else {
            return false;
        };
        out.push(frames);
        self.place = Place::At(last + 1);
        self.saw(changes, waker);
        true
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        let mut log = self.topic.log();
        log.followers -= 1;
        // It may have been the one to ask for the snapshot that the others wait for.
        let asked = matches!(self.place, Place::NeedsSnapshot { .. });
        if asked {
            log.snapshot_wanted = false;
        }
        if asked || log.has_stale_wakers() {
            self.topic.wake(log);
        }
    }
}

/// Asks a topic's owner to publish a snapshot.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct TakeSnapshot;

/// Makes a topic known. Doing it again replaces its owner.
#[derive(Message)]
#[rtype(result = "()")]
pub struct OpenTopic {
    pub name: String,
    pub shape: Shape,
    /// Who makes snapshots, for topics of steps.
    pub owner: Option<Recipient<TakeSnapshot>>,
}

/// Forgets a topic.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CloseTopic(pub String);

/// Frames of one topic, oldest first: sequence number and JSON text.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Publish {
    pub topic: String,
    pub frames: Vec<(u64, String)>,
    /// Do not wait for the merge window.
    pub urgent: bool,
}

/// A snapshot: for topics of steps from the owner, for whole topics beside every frame.
#[derive(Message)]
#[rtype(result = "()")]
pub struct PublishSnapshot {
    pub topic: String,
    pub seq: u64,
    pub frame: String,
}

/// Finds a topic to follow.
#[derive(Message)]
#[rtype(result = "Option<Arc<Topic>>")]
pub struct Find(pub String);

/// A subscriber found no usable snapshot.
#[derive(Message)]
#[rtype(result = "()")]
pub struct WantSnapshot(pub String);

/// Counts for the health page.
#[derive(Message)]
#[rtype(result = "HubFigures")]
pub struct Observe;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct HubFigures {
    pub topics: usize,
    pub followers: usize,
    pub frames: u64,
}

struct Entry {
    topic: Arc<Topic>,
    owner: Option<Recipient<TakeSnapshot>>,
    last_shown: Instant,
    busy: bool,
    /// When what gathers is to be shown.
    planned: Option<SpawnHandle>,
}

/// The hub of one node.
#[derive(Default)]
pub struct ScreenHub {
    topics: BTreeMap<String, Entry>,
    frames: u64,
}

impl Actor for ScreenHub {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Supervised for ScreenHub {}

impl Handler<OpenTopic> for ScreenHub {
    type Result = ();

    fn handle(&mut self, message: OpenTopic, _: &mut Self::Context) {
        let OpenTopic { name, shape, owner } = message;
        match self.topics.get_mut(&name) {
            Some(entry) => {
                entry.owner = owner;
                entry.topic.change(|log| log.snapshot_wanted = false);
            }
            None => {
                let entry = Entry {
                    topic: Arc::new(Topic::new(name.clone(), shape)),
                    owner,
                    last_shown: Instant::now(),
                    busy: false,
                    planned: None,
                };
                self.topics.insert(name, entry);
            }
        }
    }
}

impl Handler<CloseTopic> for ScreenHub {
    type Result = ();

    fn handle(&mut self, CloseTopic(name): CloseTopic, _: &mut Self::Context) {
        self.topics.remove(&name);
    }
}

impl Handler<Find> for ScreenHub {
    type Result = Option<Arc<Topic>>;

    fn handle(&mut self, Find(name): Find, _: &mut Self::Context) -> Self::Result {
        self.topics.get(&name).map(|entry| Arc::clone(&entry.topic))
    }
}

impl Handler<Publish> for ScreenHub {
    type Result = ();

    fn handle(&mut self, message: Publish, ctx: &mut Self::Context) {
        let Some(entry) = self.topics.get_mut(&message.topic) else {
            return;
        };
        self.frames += message.frames.len() as u64;
        append(
            &mut entry.topic.log(),
            message.frames,
            entry.topic.shape.kept(),
        );
        let merge = entry.topic.shape.window(entry.busy);
        let since_last = entry.last_shown.elapsed();
        if message.urgent || since_last >= merge {
            if let Some(planned) = entry.planned.take() {
                ctx.cancel_future(planned);
            }
            show(entry);
        } else if entry.planned.is_none() {
            let wait = if entry.busy {
                merge
            } else {
                merge - since_last
            };
            let name = message.topic;
            entry.planned = Some(ctx.run_later(wait, move |hub, _| {
                if let Some(entry) = hub.topics.get_mut(&name) {
                    entry.planned = None;
                    show(entry);
                }
            }));
        }
    }
}

fn append(log: &mut Log, frames: Vec<(u64, String)>, kept: usize) {
    for (seq, text) in frames {
        if seq <= log.head {
            continue; // seen already: the owner was rebuilt and repeats itself
        }
        if seq != log.head + 1 {
            debug!(
                head = log.head,
                seq, "frames were lost; followers get a snapshot"
            );
            log.steps.clear();
            log.snapshot = None;
            log.snapshot_wanted = false;
        }
        log.head = seq;
        log.steps.push_back(Bytes::from(text_frame(&text)));
        if log.steps.len() > kept {
            log.steps.pop_front();
        }
    }
}

fn show(entry: &mut Entry) {
    entry.last_shown = Instant::now();
    let mut gathered = 0;
    entry.topic.change(|log| {
        gathered = log.head - log.shown;
        log.shown = log.head;
    });
    entry.busy = gathered > BUSY_FRAMES;
}

impl Handler<PublishSnapshot> for ScreenHub {
    type Result = ();

    fn handle(&mut self, message: PublishSnapshot, _: &mut Self::Context) {
        let Some(entry) = self.topics.get_mut(&message.topic) else {
            return;
        };
        entry.topic.change(|log| {
            if message.seq > log.head {
                // The first sign of life of this topic, or the steps before it were lost.
                log.steps.clear();
                log.head = message.seq;
                log.shown = message.seq;
            }
            log.snapshot = Some((message.seq, Bytes::from(text_frame(&message.frame))));
            log.snapshot_wanted = false;
        });
    }
}

impl Handler<WantSnapshot> for ScreenHub {
    type Result = ();

    fn handle(&mut self, WantSnapshot(name): WantSnapshot, _: &mut Self::Context) {
        let Some(entry) = self.topics.get(&name) else {
            return;
        };
        let asked = entry
            .owner
            .as_ref()
            .is_some_and(|owner| owner.try_send(TakeSnapshot).is_ok());
        if !asked {
            entry.topic.log().snapshot_wanted = false;
        }
    }
}

impl Handler<Observe> for ScreenHub {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        MessageResult(HubFigures {
            topics: self.topics.len(),
            followers: self
                .topics
                .values()
                .map(|entry| entry.topic.followers())
                .sum(),
            frames: self.frames,
        })
    }
}
