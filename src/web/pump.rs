//! One task per worker thread that writes to all of its live sockets in one pass.
//!
//! A frame for a thousand screens would else wake a thousand connections one by one, each through
//! the whole of the server's connection machinery, which costs nearly as much as the writes do.
//!
//! A socket joins when it is sure that nothing waits in front of it (see `screen_socket`), and
//! leaves by itself when the kernel takes no more.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::{Instant, interval};

/// Sockets written to before others on this thread have their turn.
const SLICE: usize = 128;

/// Heartbeats are looked for so long after the pass before.
const TICK: Duration = Duration::from_millis(250);

/// What the pump serves.
pub(super) trait Pumped {
    /// Writes what is due, and leaves the task's waker where more will come from.
    fn pump(&mut self, task: &mut Context<'_>, now: Instant) -> Pumping;
}

/// What became of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pumping {
    NothingDue,
    Written,
    /// It is no longer to be served.
    Left,
}

type Member = Weak<RefCell<dyn Pumped>>;

#[derive(Default)]
struct Pump {
    members: RefCell<Vec<Member>>,
    /// From the first member on.
    running: Cell<bool>,
    news: Arc<News>,
}

/// What the members' topics wake: the pump's task, which learns by it that this was not merely its own
/// turn to go on.
#[derive(Default)]
struct News {
    due: AtomicBool,
    task: AtomicWaker,
}

impl Wake for News {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.due.store(true, Ordering::Release);
        self.task.wake();
    }
}

thread_local! {
    static PUMP: Rc<Pump> = Rc::default();
}

/// Has a socket served on this thread from now on.
pub(super) fn join(member: Member) {
    PUMP.with(|pump| {
        pump.members.borrow_mut().push(member);
        if !pump.running.replace(true) {
            actix_web::rt::spawn(Rc::clone(pump).run());
        }
    });
    wake();
}

/// Has the sockets of this thread looked at soon.
pub(super) fn wake() {
    PUMP.with(|pump| pump.news.wake_by_ref());
}

impl Pump {
    async fn run(self: Rc<Self>) {
        let mut tick = interval(TICK);
        let mut next = 0;
        let news = Waker::from(Arc::clone(&self.news));
        poll_fn(|task| {
            self.news.task.register(task.waker());
            if next == 0 {
                // Not a mere store: it would not see the change whose news it takes.
                self.news.due.swap(false, Ordering::AcqRel);
                tick.reset();
            }
            while tick.poll_tick(task).is_ready() {}
            next = self.slice(next, &mut Context::from_waker(&news));
            // What happened since a pass began may concern those it served first.
            if next > 0 || self.news.due.load(Ordering::Acquire) {
                task.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        })
        .await;
    }

    /// Serves a slice, and says where the next one begins; 0 when all were served.
    fn slice(&self, mut next: usize, news: &mut Context<'_>) -> usize {
        let now = Instant::now();
        let mut written = 0;
        while let Some(member) = self.member(next) {
            let pumping = member
                .upgrade()
                .map_or(Pumping::Left, |member| member.borrow_mut().pump(news, now));
            match pumping {
                Pumping::Left => {
                    self.members.borrow_mut().swap_remove(next);
                }
                Pumping::NothingDue => next += 1,
                Pumping::Written => {
                    next += 1;
                    written += 1;
                }
            }
            if written == SLICE {
                return next;
            }
        }
        0
    }

    fn member(&self, at: usize) -> Option<Member> {
        self.members.borrow().get(at).cloned()
    }
}
