//! The operations centre's live topics: what is broken, every channel in a line, one channel in detail.
//!
//! ```text
//! ops            ops.{hall}           the whole view, with the machine's vitals for all halls
//! channels       channels.{hall}      a line of each channel; deltas are the lines that changed
//! channel.{id}                        its figures, the use of its versions, its last calls
//! ```
//! Looks are taken twice a second while somebody follows, every few seconds otherwise; one look
//! serves every topic. A channel's own topic is made known when it is first asked for.

pub mod broken;
pub mod detail;
mod lines;
pub mod view;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler};
use actix_web::web::Data;
use actors::hub::{Find, Shape, TakeSnapshot, Topic};
use actors::publisher::Publisher;
use rules::ids::{ChannelId, HallId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::web::App;
use crate::web::access::Scope;
use lines::Lines;
use view::Seen;

/// So often somebody who follows is told.
const WHILE_FOLLOWED: Duration = Duration::from_millis(500);

/// So often a look is taken for nobody, so that whoever comes sees nothing old.
const FOR_NOBODY: Duration = Duration::from_secs(3);

/// Frames come at most so often; the looks are the limit.
const WHOLE: Shape = Shape::Whole {
    merge: Duration::ZERO,
};

enum Ask {
    /// A hall's topics, or a channel's, shall be there.
    Open(Option<HallId>, oneshot::Sender<()>),
    OpenChannel(ChannelId, oneshot::Sender<()>),
    /// The lists need a snapshot.
    Show,
}

/// The way to the topics; cheap to clone.
#[derive(Clone)]
pub struct Ops {
    asks: mpsc::Sender<Ask>,
}

/// What the topics are told through, until they are driven.
pub struct Asked(mpsc::Receiver<Ask>);

impl Ops {
    pub fn new() -> (Self, Asked) {
        let (asks, asked) = mpsc::channel(256);
        (Self { asks }, Asked(asked))
    }

    /// Makes the topics of a hall, or of everything, known to the hub.
    pub async fn open(&self, hall: Option<HallId>) {
        let (reply, answer) = oneshot::channel();
        if self.asks.send(Ask::Open(hall, reply)).await.is_ok() {
            let _ = answer.await;
        }
    }

    /// Makes a channel's topic known to the hub, with what there is to tell now.
    pub async fn open_channel(&self, channel: ChannelId) {
        let (reply, answer) = oneshot::channel();
        let asked = self.asks.send(Ask::OpenChannel(channel, reply));
        if asked.await.is_ok() {
            let _ = answer.await;
        }
    }
}

/// Asks for snapshots when the hub wants one.
struct Door(mpsc::Sender<Ask>);

impl Actor for Door {
    type Context = Context<Self>;
}

impl Handler<TakeSnapshot> for Door {
    type Result = ();

    fn handle(&mut self, _: TakeSnapshot, _: &mut Self::Context) {
        // When it is full everything is about to be shown anyway.
        let _ = self.0.try_send(Ask::Show);
    }
}

/// A topic of whole views.
struct Whole {
    publisher: Publisher,
    topic: Option<Arc<Topic>>,
}

struct Driver {
    app: Data<App>,
    door: Addr<Door>,
    /// By hall; none is everything.
    views: BTreeMap<Option<HallId>, Whole>,
    lines: BTreeMap<Option<HallId>, Lines>,
    channels: BTreeMap<ChannelId, Whole>,
    looked_at: Option<Instant>,
}

/// Tells the topics until the process ends.
pub async fn tell_for_ever(app: Data<App>, asked: Asked) {
    let Asked(mut asked) = asked;
    let door = Door(app.ops.asks.clone()).start();
    let mut driver = Driver {
        app,
        door,
        views: BTreeMap::new(),
        lines: BTreeMap::new(),
        channels: BTreeMap::new(),
        looked_at: None,
    };
    driver.open(None).await;
    let mut tick = tokio::time::interval(WHILE_FOLLOWED);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => driver.look_if_due().await,
            ask = asked.recv() => match ask {
                Some(ask) => driver.answer(ask).await,
                None => return,
            }
        }
    }
}

fn topic_name(family: &str, hall: Option<&HallId>) -> String {
    hall.map_or_else(|| family.to_owned(), |hall| format!("{family}.{hall}"))
}

fn scope_of(hall: Option<&HallId>) -> Scope {
    Scope::of([hall.map_or_else(|| "*".to_owned(), ToString::to_string)])
}

impl Driver {
    async fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Open(hall, reply) => {
                self.open(hall).await;
                let _ = reply.send(());
            }
            Ask::OpenChannel(channel, reply) => {
                self.show_channel(&channel).await;
                let _ = reply.send(());
            }
            Ask::Show => self.lines.values().for_each(Lines::snapshot),
        }
    }

    /// Makes the two topics of a hall, or of everything, known; they are told at once.
    async fn open(&mut self, hall: Option<HallId>) {
        if self.views.contains_key(&hall) {
            return;
        }
        let whole = self.whole(topic_name("ops", hall.as_ref())).await;
        self.views.insert(hall.clone(), whole);
        let name = topic_name("channels", hall.as_ref());
        let owner = self.door.clone().recipient();
        let lines = Lines::open(&self.app.system.hub, name, owner).await;
        self.lines.insert(hall, lines);
        self.look().await;
    }

    async fn whole(&self, name: String) -> Whole {
        let hub = &self.app.system.hub;
        let publisher = Publisher::open(hub, name.clone(), WHOLE);
        let topic = hub.send(Find(name)).await.ok().flatten();
        Whole { publisher, topic }
    }

    async fn look_if_due(&mut self) {
        let followed =
            |topic: Option<&Arc<Topic>>| topic.is_some_and(|topic| topic.followers() > 0);
        let views = self
            .views
            .values()
            .any(|whole| followed(whole.topic.as_ref()));
        let lists = self.lines.values().any(|lines| followed(lines.topic()));
        let due = |at: Instant| at.elapsed() >= FOR_NOBODY;
        if views || lists || self.looked_at.is_none_or(due) {
            self.look().await;
        }
        let open: Vec<ChannelId> = self
            .channels
            .iter()
            .filter(|(_, whole)| followed(whole.topic.as_ref()))
            .map(|(id, _)| id.clone())
            .collect();
        for id in open {
            self.show_channel(&id).await;
        }
    }

    async fn look(&mut self) {
        self.looked_at = Some(Instant::now());
        let seen = Seen::now(&self.app).await;
        let at = self.app.now().rfc3339_utc();
        for (hall, whole) in &mut self.views {
            let view = seen.within(&scope_of(hall.as_ref()));
            whole.publisher.publish(&at, &view);
        }
        for (hall, lines) in &mut self.lines {
            let scope = scope_of(hall.as_ref());
            let rows = seen.rows.iter();
            let rows = rows.filter(|row| scope.holds_any(row.hall.as_ref()));
            lines.show(&at, rows);
        }
    }

    async fn show_channel(&mut self, id: &ChannelId) {
        let Some(watched) = self.app.channels.get(id) else {
            return;
        };
        let Some(view) = detail::of(&self.app, &watched).await else {
            return;
        };
        if !self.channels.contains_key(id) {
            let whole = self.whole(format!("channel.{id}")).await;
            self.channels.insert(id.clone(), whole);
        }
        if let Some(whole) = self.channels.get_mut(id) {
            let at = self.app.now().rfc3339_utc();
            whole.publisher.publish(&at, &view);
        }
    }
}
