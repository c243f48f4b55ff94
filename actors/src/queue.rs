//! The `QueueActor`: the flow through one queue. It owns what is learnt from arrivals and services
//! and the wait estimates made of it; it never knows who waits, only how many.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use dashboards::queue::QueueView;
use dashboards::ticket::TicketView;
use rules::flow::QueueFlow;
use rules::forecast::WaitEstimate;
use rules::ids::{HallId, ServiceId, Token};
use rules::time::{TimeZone, Timestamp};
use tokio::time::Instant;

use crate::hub::{CloseTopic, ScreenHub, Shape};
use crate::ports::Clock;
use crate::publisher::Publisher;

/// Rates fall while nothing happens; so often they are looked at again.
const REFRESH: Duration = Duration::from_secs(30);

/// Figures change often and are read by eyes: after a pause they are shown at once, and then so
/// often at most. What nobody would see is not made either.
const PACE: Duration = Duration::from_millis(100);

/// What happened in the queue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Flowed {
    Arrived,
    Completed { service_secs: f64 },
}

/// The queue as the hall has it now, after something touched it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct QueueChanged {
    pub at: Timestamp,
    pub flowed: Option<Flowed>,
    pub waiting: u64,
    pub windows_open: u64,
    pub oldest: Option<Timestamp>,
    /// Tickets of this queue that somebody watches on a phone.
    pub watched: Vec<(String, TicketView)>,
}

/// The service's set-up changed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Expect {
    pub service_secs: u32,
}

/// The tickets with these tokens are gone; nobody watches them any more.
#[derive(Message, Clone)]
#[rtype(result = "()")]
pub struct Forget(pub Vec<Token>);

/// Wait of a ticket with so many people ahead.
#[derive(Message)]
#[rtype(result = "Option<WaitEstimate>")]
pub struct Estimate {
    pub ahead: u64,
}

/// The queue's view now.
#[derive(Message)]
#[rtype(result = "QueueView")]
pub struct Observe;

pub struct QueueActor {
    service: ServiceId,
    zone: TimeZone,
    flow: QueueFlow,
    waiting: u64,
    windows_open: u64,
    oldest: Option<Timestamp>,
    clock: Arc<dyn Clock>,
    topic: Publisher,
    published: Option<Instant>,
    /// The next view is on its way.
    due: bool,
    phones: std::collections::BTreeMap<String, Publisher>,
    hub: Addr<ScreenHub>,
}

impl QueueActor {
    pub fn new(
        hall: &HallId,
        service: ServiceId,
        zone: TimeZone,
        flow: QueueFlow,
        clock: Arc<dyn Clock>,
        hub: Addr<ScreenHub>,
    ) -> Self {
        let topic = format!("queue.{hall}.{service}");
        let shape = Shape::Whole {
            merge: Duration::ZERO,
        };
        Self {
            topic: Publisher::open(&hub, topic, shape),
            published: None,
            due: false,
            service,
            zone,
            flow,
            waiting: 0,
            windows_open: 0,
            oldest: None,
            clock,
            phones: std::collections::BTreeMap::new(),
            hub,
        }
    }

    fn view(&mut self) -> QueueView {
        let now = self.clock.now();
        QueueView {
            service: self.service.to_string(),
            waiting: self.waiting,
            windows_open: self.windows_open,
            estimate: self.flow.estimate(self.waiting, self.windows_open),
            mean_service_secs: self.flow.mean_service_secs().round() as u64,
            arrivals_per_hour: self.flow.arrivals_per_hour(now),
            served_per_hour: self.flow.served_per_hour(now),
            longest_wait_secs: self
                .oldest
                .map_or(0, |oldest| now.secs_since(oldest) / 60 * 60),
        }
    }

    /// Publishes the view now, or as soon as the pace allows.
    fn changed(&mut self, ctx: &mut Context<Self>) {
        if self.due {
            return;
        }
        let since = self.published.map(|at| at.elapsed());
        match since.and_then(|since| PACE.checked_sub(since)) {
            Some(left) => {
                self.due = true;
                ctx.run_later(left, |queue, _| queue.publish());
            }
            None => self.publish(),
        }
    }

    fn publish(&mut self) {
        (self.published, self.due) = (Some(Instant::now()), false);
        let view = self.view();
        let at = self.zone.rfc3339(self.clock.now());
        self.topic.publish(&at, &view);
    }

    fn publish_watched(&mut self, watched: Vec<(String, TicketView)>) {
        for (token, mut view) in watched {
            view.estimate = view
                .ahead
                .and_then(|n| self.flow.estimate(n, self.windows_open));
            let at = view.clock.at.clone();
            let hub = &self.hub;
            let phone = self.phones.entry(token).or_insert_with_key(|token| {
                let shape = Shape::Whole {
                    merge: Duration::ZERO,
                };
                Publisher::open(hub, format!("ticket.{token}"), shape)
            });
            phone.publish(&at, &view);
        }
    }
}

impl Actor for QueueActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(REFRESH, |queue, ctx| {
            if ctx.connected() {
                queue.publish();
            } else {
                ctx.stop(); // its hall is gone or has removed it; the interval alone would keep it
            }
        });
    }
}

impl Handler<QueueChanged> for QueueActor {
    type Result = ();

    fn handle(&mut self, changed: QueueChanged, ctx: &mut Self::Context) {
        match changed.flowed {
            Some(Flowed::Arrived) => self.flow.arrived(changed.at),
            Some(Flowed::Completed { service_secs }) => {
                self.flow.completed(service_secs, changed.at)
            }
            None => {}
        }
        self.waiting = changed.waiting;
        self.windows_open = changed.windows_open;
        self.oldest = changed.oldest;
        self.changed(ctx);
        self.publish_watched(changed.watched);
    }
}

impl Handler<Expect> for QueueActor {
    type Result = ();

    fn handle(&mut self, message: Expect, ctx: &mut Self::Context) {
        self.flow.expect(message.service_secs);
        self.changed(ctx);
    }
}

impl Handler<Forget> for QueueActor {
    type Result = ();

    fn handle(&mut self, Forget(tokens): Forget, _: &mut Self::Context) {
        for token in tokens {
            if self.phones.remove(&token.0).is_some() {
                self.hub.do_send(CloseTopic(format!("ticket.{}", token.0)));
            }
        }
    }
}

impl Handler<Estimate> for QueueActor {
    type Result = MessageResult<Estimate>;

    fn handle(&mut self, message: Estimate, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.flow.estimate(message.ahead, self.windows_open))
    }
}

impl Handler<Observe> for QueueActor {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.view())
    }
}
