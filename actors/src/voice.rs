//! The `VoiceActor`: what is said in the zones of one hall. It owns the queues of calls to be said
//! and the leases of the screens that say them; what is next, and what is dropped, `rules::announce`
//! decides.
//!
//! Nothing of it is journalled: after a start the hall tells which numbers are being called.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use dashboards::voice::{VoiceView, view};
use rules::announce::{Announcer, Call, End, Moment, Speaker};
use rules::hall::Options;
use rules::hall::config::NO_ZONE;
use rules::ids::{HallId, ZoneId};
use rules::time::{TimeZone, Timestamp};
use tokio::time::Instant;
use tracing::debug;

use crate::hub::{CloseTopic, ScreenHub, Shape};
use crate::ports::Clock;
use crate::publisher::Publisher;

/// A lost speaker and a call that is too old are noticed within this time.
const LOOK: Duration = Duration::from_millis(500);

/// The hall's zones and how it speaks, at the start and after each change.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SetUp(pub Options);

/// A number is called to a window of a zone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Called {
    pub zone: Option<ZoneId>,
    pub call: Call,
}

/// The calls that stood when the hall was rebuilt, oldest first.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Resume(pub Vec<Called>);

/// What a screen has to say of itself.
#[derive(Debug, Clone)]
pub enum Turn {
    /// It can speak.
    Ready,
    /// It can speak, and has ended the saying of this id.
    Ended(String, End),
    /// It cannot speak any more.
    Leave,
}

/// A screen reports; the answer is the zone's state after it, with what there is to say. `None`
/// when the hall has no such zone. May be repeated.
#[derive(Message)]
#[rtype(result = "Option<VoiceView>")]
pub struct Attend {
    /// A zone's id, or `-`.
    pub zone: String,
    pub speaker: Speaker,
    pub turn: Turn,
}

/// The state of a zone's voice.
#[derive(Message)]
#[rtype(result = "Option<VoiceView>")]
pub struct Observe {
    pub zone: String,
}

struct Zone {
    voice: Announcer,
    topic: Publisher,
}

pub struct VoiceActor {
    hall: HallId,
    time_zone: TimeZone,
    clock: Arc<dyn Clock>,
    hub: Addr<ScreenHub>,
    started: Instant,
    zones: BTreeMap<String, Zone>,
}

impl VoiceActor {
    pub fn new(
        hall: HallId,
        time_zone: TimeZone,
        clock: Arc<dyn Clock>,
        hub: Addr<ScreenHub>,
    ) -> Self {
        Self {
            hall,
            time_zone,
            clock,
            hub,
            started: Instant::now(),
            zones: BTreeMap::new(),
        }
    }

    fn now(&self) -> Moment {
        Moment {
            hall: self.clock.now(),
            machine: Timestamp::from_millis(self.started.elapsed().as_millis() as i64),
        }
    }

    fn topic(&self, zone: &str) -> String {
        format!("voice.{}.{zone}", self.hall)
    }

    /// Changes a zone's voice and shows it; its state after it, or `None` without such a zone.
    fn change(&mut self, zone: &str, change: impl FnOnce(&mut Announcer)) -> Option<VoiceView> {
        let at = self.time_zone.rfc3339(self.clock.now());
        let entry = self.zones.get_mut(zone)?;
        change(&mut entry.voice);
        let view = view(&self.hall, zone, self.time_zone, &entry.voice);
        entry.topic.publish(&at, &view);
        Some(view)
    }

    fn put(&mut self, called: Vec<Called>, put: impl Fn(&mut Announcer, Vec<Call>)) {
        let mut by_zone: BTreeMap<String, Vec<Call>> = BTreeMap::new();
        for Called { zone, call } in called {
            by_zone
                .entry(name_of(zone.as_ref()))
                .or_default()
                .push(call);
        }
        for (zone, calls) in by_zone {
            if self.change(&zone, |voice| put(voice, calls)).is_none() {
                debug!(hall = %self.hall, zone, "a call in a zone that is gone is not said");
            }
        }
    }

    fn elapse(&mut self) {
        let now = self.now();
        let zones: Vec<String> = self.zones.keys().cloned().collect();
        for zone in zones {
            self.change(&zone, |voice| voice.elapse(now));
        }
    }
}

/// What topics call a zone.
fn name_of(zone: Option<&ZoneId>) -> String {
    zone.map_or_else(|| NO_ZONE.to_owned(), ZoneId::to_string)
}

impl Actor for VoiceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(LOOK, |voice, ctx| {
            if ctx.connected() {
                voice.elapse();
            } else {
                ctx.stop(); // its hall is gone; the interval alone would keep it
            }
        });
    }
}

impl Handler<SetUp> for VoiceActor {
    type Result = ();

    fn handle(&mut self, SetUp(options): SetUp, _: &mut Self::Context) {
        let mut wanted = vec![NO_ZONE.to_owned()];
        wanted.extend(options.zones.iter().map(|zone| zone.id.to_string()));
        let gone: Vec<_> = self
            .zones
            .extract_if(.., |id, _| !wanted.contains(id))
            .collect();
        for (id, _) in gone {
            self.hub.do_send(CloseTopic(self.topic(&id)));
        }
        for id in wanted {
            if !self.zones.contains_key(&id) {
                let shape = Shape::Whole {
                    merge: Duration::ZERO,
                };
                let topic = Publisher::open(&self.hub, self.topic(&id), shape);
                let voice = Announcer::default();
                self.zones.insert(id.clone(), Zone { voice, topic });
            }
            self.change(&id, |voice| {
                voice.set_up(options.voice.on, options.voice.languages.len());
            });
        }
    }
}

impl Handler<Called> for VoiceActor {
    type Result = ();

    fn handle(&mut self, called: Called, _: &mut Self::Context) {
        let now = self.now();
        self.put(vec![called], |voice, calls| {
            calls.into_iter().for_each(|call| voice.call(call, now));
        });
    }
}

impl Handler<Resume> for VoiceActor {
    type Result = ();

    fn handle(&mut self, Resume(called): Resume, _: &mut Self::Context) {
        let now = self.now();
        self.put(called, |voice, calls| voice.resume(calls, now));
    }
}

impl Handler<Attend> for VoiceActor {
    type Result = MessageResult<Attend>;

    fn handle(&mut self, attend: Attend, _: &mut Self::Context) -> Self::Result {
        let now = self.now();
        let Attend {
            zone,
            speaker,
            turn,
        } = attend;
        MessageResult(self.change(&zone, |voice| match turn {
            Turn::Ready => voice.attend(&speaker, now),
            Turn::Ended(id, end) => {
                voice.ended(&speaker, &id, end, now);
                voice.attend(&speaker, now);
            }
            Turn::Leave => voice.leave(&speaker, now),
        }))
    }
}

impl Handler<Observe> for VoiceActor {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, Observe { zone }: Observe, _: &mut Self::Context) -> Self::Result {
        let now = self.now();
        MessageResult(self.change(&zone, |voice| voice.elapse(now)))
    }
}
