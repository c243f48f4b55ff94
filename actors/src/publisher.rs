//! How an owner publishes a topic whose every frame is the whole view.

use actix::prelude::*;
use dashboards::frame::{Kind, encode};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::hub::{OpenTopic, Publish, PublishSnapshot, ScreenHub, Shape};
use crate::ports::Clock;

/// One topic of whole views and its sequence.
///
/// The numbers begin at the machine's milliseconds when the topic is opened, so that a number from
/// an earlier life of the process never stands for another frame of this one.
pub struct Publisher {
    hub: Addr<ScreenHub>,
    topic: String,
    seq: u64,
    last: Option<Box<RawValue>>,
}

impl Publisher {
    /// Makes the topic known to the hub.
    pub fn open(hub: &Addr<ScreenHub>, topic: String, shape: Shape) -> Self {
        hub.do_send(OpenTopic {
            name: topic.clone(),
            shape,
            owner: None,
        });
        let seq = crate::clock::SystemClock.now().millis().unsigned_abs();
        Self {
            hub: hub.clone(),
            topic,
            seq,
            last: None,
        }
    }

    /// Publishes the view unless it is the one published last.
    pub fn publish<T: Serialize>(&mut self, at: &str, view: &T) {
        let Ok(view) = to_raw_value(view) else { return };
        if self.last.as_ref().map(|last| last.get()) == Some(view.get()) {
            return;
        }
        self.seq += 1;
        if self.last.is_some() {
            let delta = encode(&self.topic, Kind::Delta, self.seq, at, &view);
            self.hub.do_send(Publish {
                topic: self.topic.clone(),
                frames: vec![(self.seq, delta)],
                urgent: false,
            });
        }
        let frame = encode(&self.topic, Kind::Snapshot, self.seq, at, &view);
        self.hub.do_send(PublishSnapshot {
            topic: self.topic.clone(),
            seq: self.seq,
            frame,
        });
        self.last = Some(view);
    }
}
