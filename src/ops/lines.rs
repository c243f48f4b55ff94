//! The list of channels as a topic: a snapshot, and then the lines that changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, Recipient};
use actors::clock::SystemClock;
use actors::hub::{
    Find, OpenTopic, Publish, PublishSnapshot, ScreenHub, Shape, TakeSnapshot, Topic,
};
use actors::ports::Clock as _;
use dashboards::channels::{ChannelRow, ChannelSums};
use dashboards::frame::{Kind, encode};
use rules::ids::ChannelId;
use serde::Serialize;

/// Lines as they were told last.
pub(super) struct Lines {
    hub: Addr<ScreenHub>,
    name: String,
    topic: Option<Arc<Topic>>,
    seq: u64,
    told: BTreeMap<ChannelId, ChannelRow>,
}

#[derive(Serialize)]
struct Snapshot<'a> {
    sums: ChannelSums,
    items: Vec<&'a ChannelRow>,
}

#[derive(Serialize)]
struct Delta<'a> {
    sums: ChannelSums,
    items: Vec<&'a ChannelRow>,
    gone: Vec<&'a ChannelId>,
}

impl Lines {
    /// Makes the topic known to the hub.
    pub(super) async fn open(
        hub: &Addr<ScreenHub>,
        name: String,
        owner: Recipient<TakeSnapshot>,
    ) -> Self {
        hub.do_send(OpenTopic {
            name: name.clone(),
            shape: Shape::Steps {
                merge: Duration::ZERO,
            },
            owner: Some(owner),
        });
        let topic = hub.send(Find(name.clone())).await.ok().flatten();
        let lines = Self {
            hub: hub.clone(),
            name,
            topic,
            seq: SystemClock.now().millis().unsigned_abs(),
            told: BTreeMap::new(),
        };
        lines.snapshot();
        lines
    }

    pub(super) fn topic(&self) -> Option<&Arc<Topic>> {
        self.topic.as_ref()
    }

    /// Tells what has changed since the last time.
    pub(super) fn show<'a>(&mut self, at: &str, rows: impl Iterator<Item = &'a ChannelRow>) {
        let rows: BTreeMap<&ChannelId, &ChannelRow> = rows.map(|row| (&row.id, row)).collect();
        let changed = rows
            .values()
            .filter(|row| self.told.get(&row.id) != Some(**row));
        let items: Vec<&ChannelRow> = changed.copied().collect();
        let gone: Vec<&ChannelId> = self
            .told
            .keys()
            .filter(|id| !rows.contains_key(id))
            .collect();
        if items.is_empty() && gone.is_empty() {
            return;
        }
        self.seq += 1;
        let delta = Delta {
            sums: ChannelSums::of(rows.values().copied()),
            items,
            gone,
        };
        let frame = encode(&self.name, Kind::Delta, self.seq, at, &delta);
        self.told = rows
            .into_values()
            .map(|row| (row.id.clone(), row.clone()))
            .collect();
        self.hub.do_send(Publish {
            topic: self.name.clone(),
            frames: vec![(self.seq, frame)],
            urgent: true,
        });
    }

    /// Publishes all lines.
    pub(super) fn snapshot(&self) {
        let at = SystemClock.now().rfc3339_utc();
        let view = Snapshot {
            sums: ChannelSums::of(self.told.values()),
            items: self.told.values().collect(),
        };
        self.hub.do_send(PublishSnapshot {
            frame: encode(&self.name, Kind::Snapshot, self.seq, &at, &view),
            topic: self.name.clone(),
            seq: self.seq,
        });
    }
}
