//! One task per worker thread that writes to all of its live sockets in one pass.
//!
//! A frame for a thousand screens would else wake a thousand connections one by one, each through
//! the whole of the server's connection machinery, which costs nearly as much as the writes do.
//!
//! A socket joins when it is sure that nothing waits in front of it (see `screen_socket`), and
//! leaves by itself when the kernel takes no more.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, Interval, interval};

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
    /// Whom to wake; none before the first member.
    waker: RefCell<Option<Waker>>,
}

thread_local! {
    static PUMP: Rc<Pump> = Rc::default();
}

/// Has a socket served on this thread from now on.
pub(super) fn join(member: Member) {
    PUMP.with(|pump| {
        pump.members.borrow_mut().push(member);
        if pump.waker.borrow().is_none() {
            // Until its first pass has left a waker, a second member must not start a second one.
            *pump.waker.borrow_mut() = Some(Waker::noop().clone());
            actix_web::rt::spawn(Rc::clone(pump).run());
        }
    });
    wake();
}

/// Has the sockets of this thread looked at soon.
pub(super) fn wake() {
    PUMP.with(|pump| {
        if let Some(waker) = &*pump.waker.borrow() {
            waker.wake_by_ref();
        }
    });
}

/// Where a pass stands.
#[derive(Default)]
struct Place {
    next: usize,
    interrupted: bool,
}

impl Pump {
    async fn run(self: Rc<Self>) {
        let mut tick = interval(TICK);
        let mut place = Place::default();
        poll_fn(|task| {
            if !matches!(&*self.waker.borrow(), Some(known) if known.will_wake(task.waker())) {
                *self.waker.borrow_mut() = Some(task.waker().clone());
            }
            self.pass(&mut tick, &mut place, task);
            Poll::<()>::Pending
        })
        .await;
    }

    /// Serves a slice; the pass goes on in the next one. What happened while a pass was interrupted
    /// may concern those it served first, so another one follows.
    fn pass(&self, tick: &mut Interval, place: &mut Place, task: &mut Context<'_>) {
        if place.next == 0 {
            tick.reset();
        }
        while tick.poll_tick(task).is_ready() {}
        let now = Instant::now();
        let mut written = 0;
        while let Some(member) = self.member(place.next) {
            let pumping = member
                .upgrade()
                .map_or(Pumping::Left, |member| member.borrow_mut().pump(task, now));
            match pumping {
                Pumping::Left => {
                    self.members.borrow_mut().swap_remove(place.next);
                }
                Pumping::NothingDue => place.next += 1,
                Pumping::Written => {
                    place.next += 1;
                    written += 1;
                }
            }
            if written == SLICE {
                place.interrupted = true;
                return task.waker().wake_by_ref();
            }
        }
        if place.interrupted {
            task.waker().wake_by_ref();
        }
        *place = Place::default();
    }

    fn member(&self, at: usize) -> Option<Member> {
        self.members.borrow().get(at).cloned()
    }
}
