//! The `CityActor`: every hall's latest face, and the topic `city`.

use std::time::Duration;

use actix::prelude::*;
use dashboards::city::{City, HallFace};
use dashboards::frame::{Kind, encode};
use rules::ids::HallId;

use crate::clock::SystemClock;
use crate::hub::{OpenTopic, Publish, PublishSnapshot, ScreenHub, Shape, TakeSnapshot};
use crate::ports::Clock;

/// So long the changes of all halls are gathered into one step.
const STEP: Duration = Duration::from_millis(100);

const TOPIC: &str = "city";

/// A hall's figures at its latest sequence number.
#[derive(Message)]
#[rtype(result = "()")]
pub struct HallChanged {
    pub hall: HallId,
    pub face: HallFace,
}

/// The city as JSON.
#[derive(Message)]
#[rtype(result = "String")]
pub struct Observe;

pub struct CityActor {
    city: City,
    seq: u64,
    hub: Addr<ScreenHub>,
    /// The next step is on its way.
    due: bool,
}

impl CityActor {
    pub fn new(hub: Addr<ScreenHub>) -> Self {
        let seq = SystemClock.now().millis().unsigned_abs();
        Self {
            city: City::default(),
            seq,
            hub,
            due: false,
        }
    }

    fn step(&mut self) {
        let Some(changes) = self.city.take_changes() else {
            return;
        };
        self.seq += 1;
        let at = SystemClock.now().rfc3339_utc();
        let text = encode(TOPIC, Kind::Delta, self.seq, &at, &changes);
        self.hub.do_send(Publish {
            topic: TOPIC.to_owned(),
            frames: vec![(self.seq, text)],
            urgent: true,
        });
    }
}

impl Actor for CityActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.hub.do_send(OpenTopic {
            name: TOPIC.to_owned(),
            shape: Shape::Steps {
                merge: Duration::ZERO,
            },
            owner: Some(ctx.address().recipient()),
        });
        ctx.notify(TakeSnapshot);
    }
}

impl Handler<HallChanged> for CityActor {
    type Result = ();

    fn handle(&mut self, message: HallChanged, ctx: &mut Self::Context) {
        self.city.put(message.hall, message.face);
        if !self.due {
            self.due = true;
            ctx.run_later(STEP, |city, _| {
                city.due = false;
                city.step();
            });
        }
    }
}

impl Handler<TakeSnapshot> for CityActor {
    type Result = ();

    fn handle(&mut self, _: TakeSnapshot, _: &mut Self::Context) {
        self.step();
        let at = SystemClock.now().rfc3339_utc();
        let frame = encode(TOPIC, Kind::Snapshot, self.seq, &at, &self.city.snapshot());
        self.hub.do_send(PublishSnapshot {
            topic: TOPIC.to_owned(),
            seq: self.seq,
            frame,
        });
    }
}

impl Handler<Observe> for CityActor {
    type Result = String;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        serde_json::to_string(&self.city.snapshot()).unwrap_or_default()
    }
}
