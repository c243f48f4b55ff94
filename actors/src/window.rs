//! The `WindowActor`: one window's clerk, heartbeat and day. It carries the clerk's commands to the
//! hall, which alone decides; when the console's heartbeat is lost it tells the hall, and when it
//! is back the window is where it was.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use dashboards::window::WindowView;
use rules::hall::{Command, Event, Recorded};
use rules::ids::{HallId, WindowId};
use rules::time::{TimeZone, Timestamp};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::info;

use crate::hall::{HallActor, Submit, Submitted};
use crate::hub::{ScreenHub, Shape};
use crate::ports::Clock;
use crate::publisher::Publisher;

/// A console beats every ten seconds; after three lost beats the window counts as lost.
pub const HEARTBEAT_LOST: Duration = Duration::from_secs(30);

const LOOK: Duration = Duration::from_secs(5);

/// The clerk's day at one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct MyDay {
    pub served: u64,
    pub no_show: u64,
    pub transferred: u64,
    pub mean_service_secs: u64,
    /// Signed in without a ticket, since the process started.
    pub idle_secs: u64,
}

/// A command of the clerk at this window.
#[derive(Message)]
#[rtype(result = "Submitted")]
pub struct Ask(pub Submit);

/// The console is alive.
#[derive(Message)]
#[rtype(result = "Submitted")]
pub struct Beat {
    pub by: String,
}

/// The window as the hall has it now, and what touched it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct WindowChanged {
    pub view: WindowView,
    pub since: Timestamp,
    pub happened: Option<Arc<Recorded>>,
    /// Seconds of service, when a ticket was completed here.
    pub service_secs: Option<u64>,
}

/// What the window shows, now and from now on: always the latest, however slowly one looks. It ends
/// with the actor.
pub type Shown = watch::Receiver<Option<Arc<WindowView>>>;

/// Follows what the window shows.
#[derive(Message)]
#[rtype(result = "Shown")]
pub struct Follow;

/// The clerk's day.
#[derive(Message)]
#[rtype(result = "MyDay")]
pub struct Observe;

pub struct WindowActor {
    id: WindowId,
    hall: Addr<HallActor>,
    zone: TimeZone,
    clock: Arc<dyn Clock>,
    topic: Publisher,
    shown: watch::Sender<Option<Arc<WindowView>>>,
    state: &'static str,
    since: Timestamp,
    /// `None` until the first beat: a window run over the interface alone is not watched.
    last_beat: Option<Instant>,
    day: MyDay,
    service_secs: u64,
    idle_ms: u64,
}

/// What a window actor is made of.
pub struct Seat {
    pub hall_id: HallId,
    pub id: WindowId,
    pub hall: Addr<HallActor>,
    pub zone: TimeZone,
    pub clock: Arc<dyn Clock>,
    pub hub: Addr<ScreenHub>,
    /// Served here today before the process started: count and seconds.
    pub served: (u64, u64),
}

impl WindowActor {
    pub fn new(seat: Seat) -> Self {
        let topic = format!("window.{}.{}", seat.hall_id, seat.id);
        let now = seat.clock.now();
        Self {
            topic: Publisher::open(
                &seat.hub,
                topic,
                Shape::Whole {
                    merge: Duration::ZERO,
                },
            ),
            shown: watch::Sender::new(None),
            id: seat.id,
            hall: seat.hall,
            zone: seat.zone,
            clock: seat.clock,
            state: "closed",
            since: now,
            last_beat: None,
            day: MyDay {
                served: seat.served.0,
                ..MyDay::default()
            },
            service_secs: seat.served.1,
            idle_ms: 0,
        }
    }

    fn look_for_beat(&mut self, ctx: &mut Context<Self>) {
        if !ctx.connected() {
            ctx.stop(); // its hall is gone or has removed it; the interval alone would keep it
            return;
        }
        let lost = self
            .last_beat
            .is_some_and(|at| at.elapsed() > HEARTBEAT_LOST);
        if !lost || matches!(self.state, "closed" | "offline") {
            return;
        }
        info!(window = %self.id, "heartbeat lost");
        let lose = Submit::new(
            Command::LoseWindow {
                window: self.id.clone(),
            },
            "heartbeat",
        );
        ctx.spawn(self.hall.send(lose).into_actor(self).map(|_, _, _| ()));
    }

    /// A sign of life: if the window was lost it is first brought back to where it was.
    fn regain(&mut self) -> Option<Submit> {
        if self.last_beat.is_some() {
            self.last_beat = Some(Instant::now());
        }
        (self.state == "offline").then(|| {
            Submit::new(
                Command::RegainWindow {
                    window: self.id.clone(),
                },
                "heartbeat",
            )
        })
    }

    fn count(&mut self, event: &Event, service_secs: Option<u64>) {
        match event {
            Event::ServiceFinished { .. } => {
                self.day.served += 1;
                self.service_secs += service_secs.unwrap_or(0);
            }
            Event::NoShowMarked { .. } => self.day.no_show += 1,
            Event::TicketTransferred { .. } => self.day.transferred += 1,
            Event::WindowOpened { .. } => {
                self.day = MyDay::default();
                self.service_secs = 0;
                self.idle_ms = 0;
            }
            Event::WindowClosed { .. } => self.last_beat = None,
            _ => {}
        }
    }
}

impl Actor for WindowActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(LOOK, Self::look_for_beat);
    }
}

impl Handler<Ask> for WindowActor {
    type Result = ResponseFuture<Submitted>;

    fn handle(&mut self, Ask(submit): Ask, _: &mut Self::Context) -> Self::Result {
        let hall = self.hall.clone();
        let regain = self.regain();
        Box::pin(async move {
            if let Some(regain) = regain {
                let _ = hall.send(regain).await;
            }
            hall.send(submit)
                .await
                .unwrap_or_else(|_| Err(crate::hall::SubmitError::gone()))
        })
    }
}

impl Handler<Beat> for WindowActor {
    type Result = ResponseFuture<Submitted>;

    fn handle(&mut self, beat: Beat, _: &mut Self::Context) -> Self::Result {
        self.last_beat = Some(Instant::now());
        let regain = self.regain().map(|submit| Submit {
            by: beat.by,
            ..submit
        });
        let hall = self.hall.clone();
        Box::pin(async move {
            match regain {
                Some(regain) => hall
                    .send(regain)
                    .await
                    .unwrap_or_else(|_| Err(crate::hall::SubmitError::gone())),
                None => Ok(Arc::default()),
            }
        })
    }
}

impl Handler<WindowChanged> for WindowActor {
    type Result = ();

    fn handle(&mut self, changed: WindowChanged, _: &mut Self::Context) {
        if self.state == "idle" {
            self.idle_ms += changed.since.millis_since(self.since);
        }
        if let Some(happened) = &changed.happened {
            self.count(&happened.event, changed.service_secs);
        }
        self.state = changed.view.state;
        self.since = changed.since;
        let view = Arc::new(changed.view);
        // First for who reads, then for who is told and may read at once.
        self.shown.send_replace(Some(Arc::clone(&view)));
        let at = self.zone.rfc3339(self.clock.now());
        self.topic.publish(&at, &*view);
    }
}

impl Handler<Follow> for WindowActor {
    type Result = MessageResult<Follow>;

    fn handle(&mut self, _: Follow, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.shown.subscribe())
    }
}

impl Handler<Observe> for WindowActor {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        let running = if self.state == "idle" {
            self.clock.now().millis_since(self.since)
        } else {
            0
        };
        MessageResult(MyDay {
            mean_service_secs: self.service_secs.checked_div(self.day.served).unwrap_or(0),
            idle_secs: (self.idle_ms + running) / 1000,
            ..self.day
        })
    }
}
