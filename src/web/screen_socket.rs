//! The live feed: one WebSocket per screen, console or phone.
//!
//! After the handshake (`opening.rs`) the socket is a response body: a stream that hands
//! out the shared, already encoded frames of the topics it follows, each with a cursor of its own.
//! An actor per socket would queue frames for a jammed socket without end and could not be stopped
//! while it is jammed; a cursor queues nothing, and the kernel drops a jammed socket
//! (`server.stalled_secs`).
//!
//! Most sockets are written to directly, by the pump of their thread (`pump.rs`). That is safe
//! only while the server's own buffer in front of the socket is empty, and the server does not say
//! so; the client does: a pong to a ping that nothing has followed proves that all before it has
//! left. When the kernel takes no more, the rest goes by way of the server again.
//!
//! What waits for one socket is bounded: its unsent write, one answer per message it sent, and at
//! most `TOPICS_MAX` cursors. Who sends too much or too often is shown the door.

mod line;
mod opening;
mod topics;

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix::Addr;
use actix_http::ws::{CloseCode, CloseReason, Codec, Frame, Item, Message, ProtocolError};
use actix_web::error::PayloadError;
use actix_web::web::{Bytes, BytesMut, Payload};
use actors::hall::Watch;
use actors::hub::{Cursor, Found, ScreenHub, Topic, WantSnapshot};
use dashboards::assets;
use dashboards::frame::text_frame;
use futures_util::Stream;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rules::ids::Token;
use rules::name::Lang;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::codec::{Decoder as _, Encoder as _};

use self::line::{Line, Way};
pub use self::opening::configure;
use self::opening::{Who, shows_everybody};
use self::topics::{NoTopic, find};
use crate::vitals::OpenSocket;
use crate::web::App;
use crate::web::access::{Action, Principal};
use crate::web::pump::{self, Pumped, Pumping};

/// Largest message a client may send, in bytes: a list of all topics of a large hall fits.
const MESSAGE_MAX: usize = 32 * 1024;

/// Topics one socket may follow.
const TOPICS_MAX: usize = 400;

/// Messages a client may send at once, and per second after that.
const BURST: f64 = 40.0;
const PER_SECOND: f64 = 20.0;

const HEARTBEAT: Duration = Duration::from_secs(1);

/// A heartbeat this close to its time goes out with other frames, which saves a write.
const HEARTBEAT_EARLY: Duration = Duration::from_millis(250);

/// Every so many heartbeats the rights are looked at again.
const RIGHTS_EVERY: u32 = 4;

/// Told with the ping that asks whether all before it has left.
const ALL_LEFT: &[u8] = b"all-left";

/// What a client may say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    subscribe: Vec<String>,
    unsubscribe: Vec<String>,
    since: std::collections::BTreeMap<String, u64>,
}

/// Asks whether a hall still lets everybody look.
type Looking = Pin<Box<dyn Future<Output = bool>>>;

type Subscribing = Pin<Box<dyn Future<Output = Result<(Arc<Topic>, Option<u64>), NoTopic>>>>;

struct ScreenSocket {
    app: Arc<App>,
    hub: Addr<ScreenHub>,
    who: Who,
    address: String,
    lang: Lang,
    payload: Payload,
    payload_ended: bool,
    codec: Codec,
    unread: BytesMut,
    /// A message that comes in parts.
    parts: Vec<u8>,
    cursors: Vec<Cursor>,
    subscribing: FuturesUnordered<Subscribing>,
    looking: Option<Looking>,
    /// What is told to this person alone, once the page follows the alerts.
    notices: Option<mpsc::Receiver<Value>>,
    out: Vec<Bytes>,
    line: Option<Line>,
    way: Way,
    /// Wakes the server's own handling of this connection.
    server: Option<Waker>,
    own: Weak<RefCell<Self>>,
    beat_at: Instant,
    beat: Pin<Box<Sleep>>,
    beats: u32,
    allowance: f64,
    allowance_at: Instant,
    closing: bool,
    _counted: OpenSocket,
}

impl ScreenSocket {
    fn new(
        app: Arc<App>,
        who: Who,
        address: String,
        lang: Lang,
        payload: Payload,
        line: Option<Line>,
    ) -> Self {
        let device = match &who {
            Who::Known { token } => app.auth.recognise(token, app.now()),
            Who::Holder(_) | Who::Viewer(_) => None,
        };
        let mut hello =
            json!({"kind": "hello", "build": assets::build(), "at": app.now().rfc3339_utc()});
        if let Some(id) = device.as_ref().and_then(Principal::device) {
            // By this a page learns which device it runs on.
            hello["device"] = json!(id);
        }
        Self {
            hub: app.system.hub.clone(),
            who,
            address,
            lang,
            payload,
            payload_ended: false,
            codec: Codec::new().max_size(MESSAGE_MAX),
            unread: BytesMut::new(),
            parts: Vec::new(),
            cursors: Vec::new(),
            subscribing: FuturesUnordered::new(),
            looking: None,
            notices: None,
            out: vec![Bytes::from(text_frame(&hello.to_string()))],
            line,
            way: Way::Server,
            server: None,
            own: Weak::new(),
            beat_at: Instant::now() + HEARTBEAT,
            beat: Box::pin(sleep_until(Instant::now() + HEARTBEAT)),
            beats: 0,
            allowance: BURST,
            allowance_at: Instant::now(),
            closing: false,
            _counted: app.vitals.open_socket(),
            app,
        }
    }

    fn say(&mut self, message: &Value) {
        self.out.push(Bytes::from(text_frame(&message.to_string())));
    }

    fn send(&mut self, message: Message) {
        let mut bytes = BytesMut::new();
        if self.codec.encode(message, &mut bytes).is_ok() {
            self.out.push(bytes.freeze());
        }
    }

    fn close(&mut self, code: CloseCode, why: &str) {
        if !self.closing {
            self.closing = true;
            self.cursors.clear();
            self.send(Message::Close(Some(CloseReason::from((code, why)))));
        }
    }

    /// Reads what the client sent.
    fn read(&mut self, task: &mut Context<'_>) {
        while !self.payload_ended && !self.closing {
            match self.payload.poll_next_unpin(task) {
                Poll::Ready(Some(Ok(bytes))) => {
                    self.unread.extend_from_slice(&bytes);
                    self.decode();
                }
                Poll::Ready(Some(Err(PayloadError::Incomplete(_))) | None) => {
                    self.payload_ended = true
                }
                Poll::Ready(Some(Err(_))) => self.payload_ended = true,
                Poll::Pending => return,
            }
        }
    }

    fn decode(&mut self) {
        while !self.closing {
            match self.codec.decode(&mut self.unread) {
                Ok(Some(frame)) => self.take(frame),
                Ok(None) => return,
                Err(ProtocolError::Overflow) => self.close(CloseCode::Size, "message too large"),
                Err(_) => self.close(CloseCode::Protocol, "not the WebSocket protocol"),
            }
        }
    }

    fn take(&mut self, frame: Frame) {
        if !self.allow() {
            return self.close(CloseCode::Policy, "too many messages");
        }
        match frame {
            Frame::Text(text) => self.obey(&text),
            Frame::Ping(data) => self.send(Message::Pong(data)),
            Frame::Pong(data) => {
                if self.way == (Way::Asked { last: true }) && *data == *ALL_LEFT {
                    self.way = Way::Direct;
                    pump::join(self.own.clone());
                } else if matches!(self.way, Way::Asked { .. }) {
                    self.way = Way::Server;
                }
            }
            Frame::Close(reason) => {
                let code = reason.map_or(CloseCode::Normal, |reason| reason.code);
                self.close(code, "");
            }
            Frame::Binary(_) => self.close(CloseCode::Unsupported, "text only"),
            Frame::Continuation(item) => self.gather(item),
        }
    }

    /// Puts together a message that comes in parts.
    fn gather(&mut self, item: Item) {
        let (part, last) = match item {
            Item::FirstText(part) => {
                self.parts.clear();
                (part, false)
            }
            Item::FirstBinary(_) => return self.close(CloseCode::Unsupported, "text only"),
            Item::Continue(part) => (part, false),
            Item::Last(part) => (part, true),
        };
        if self.parts.len() + part.len() > MESSAGE_MAX {
            return self.close(CloseCode::Size, "message too large");
        }
        self.parts.extend_from_slice(&part);
        if last {
            let whole = std::mem::take(&mut self.parts);
            self.obey(&whole);
        }
    }

    /// A bucket of messages that fills with time.
    fn allow(&mut self) -> bool {
        let now = Instant::now();
        let gained = (now - self.allowance_at).as_secs_f64() * PER_SECOND;
        self.allowance = (self.allowance + gained).min(BURST) - 1.0;
        self.allowance_at = now;
        self.allowance >= 0.0
    }

    fn obey(&mut self, text: &[u8]) {
        let Ok(text) = std::str::from_utf8(text) else {
            return self.close(CloseCode::Invalid, "not UTF-8");
        };
        let wish: Wish = match serde_json::from_str(text) {
            Ok(wish) => wish,
            Err(error) => {
                let detail = error.to_string();
                return self
                    .say(&json!({"kind": "error", "code": "malformed_message", "detail": detail}));
            }
        };
        self.cursors.retain(|cursor| {
            !wish
                .unsubscribe
                .iter()
                .any(|name| name == cursor.topic().name())
        });
        for topic in wish.subscribe {
            if self.cursors.len() + self.subscribing.len() >= TOPICS_MAX {
                self.refuse(NoTopic {
                    topic,
                    code: "too_many_topics",
                });
                continue;
            }
            let since = wish.since.get(&topic).copied();
            self.cursors.retain(|cursor| cursor.topic().name() != topic);
            self.subscribe(topic, since);
        }
    }

    fn subscribe(&mut self, topic: String, since: Option<u64>) {
        match self.may_follow(&topic) {
            Ok(watch) => {
                self.hear_notices(&topic);
                let app = Arc::clone(&self.app);
                let scope = self.principal().map(|principal| principal.scope);
                let viewer = match &self.who {
                    Who::Viewer(hall) => Some(hall.clone()),
                    Who::Known { .. } | Who::Holder(_) => None,
                };
                self.subscribing.push(Box::pin(async move {
                    match viewer {
                        Some(hall) if !shows_everybody(&app, &hall).await => Err(NoTopic {
                            topic,
                            code: "forbidden",
                        }),
                        _ => find(app, topic, watch, scope, since).await,
                    }
                }));
            }
            Err(code) => {
                if let ("forbidden", Some(principal)) = (code, self.principal()) {
                    let address = &self.address;
                    self.app
                        .audit_refusal(&principal, address, Action::SeeHall.name(), &topic);
                }
                self.refuse(NoTopic { topic, code });
            }
        }
    }

    /// Whoever follows the alerts has the desk open and can be told of them there.
    fn hear_notices(&mut self, topic: &str) {
        if self.notices.is_some() || topic.split('.').next() != Some("alerts") {
            return;
        }
        if let Some(principal) = self.principal() {
            self.notices = Some(self.app.push.open(&principal.name));
        }
    }

    fn poll_notices(&mut self, task: &mut Context<'_>) {
        while let Some(Poll::Ready(Some(notice))) =
            self.notices.as_mut().map(|notices| notices.poll_recv(task))
        {
            self.say(&notice);
        }
    }

    fn refuse(&mut self, refused: NoTopic) {
        let detail = match (refused.code, self.lang) {
            ("forbidden", Lang::Zh) => "无权查看",
            ("forbidden", Lang::En) => "you may not see this",
            ("too_many_topics", Lang::Zh) => "订阅过多",
            ("too_many_topics", Lang::En) => "too many topics",
            (_, Lang::Zh) => "没有这个主题",
            (_, Lang::En) => "there is no such topic",
        };
        self.say(&json!({"topic": refused.topic, "kind": "error", "code": refused.code, "detail": detail}));
    }

    fn poll_subscribing(&mut self, task: &mut Context<'_>) {
        if self.subscribing.is_empty() {
            return;
        }
        while let Poll::Ready(Some(found)) = self.subscribing.poll_next_unpin(task) {
            match found {
                Ok((topic, since)) => self.cursors.push(topic.follow(since)),
                Err(refused) => self.refuse(refused),
            }
        }
    }

    fn poll_cursors(&mut self, task: &Context<'_>) {
        for cursor in &mut self.cursors {
            if cursor.poll(task, &mut self.out) == Found::SnapshotWanted {
                self.hub
                    .do_send(WantSnapshot(cursor.topic().name().to_owned()));
            }
        }
    }

    /// A heartbeat when its time has come, or nearly so and something goes out anyway.
    fn poll_beat(&mut self, task: &mut Context<'_>) {
        if self.beat.deadline() != self.beat_at {
            self.beat.as_mut().reset(self.beat_at);
        }
        let due = self.beat.as_mut().poll(task).is_ready();
        self.beat_if_due(due, Instant::now(), task);
        if self.beat.deadline() != self.beat_at {
            self.beat.as_mut().reset(self.beat_at);
            // The timer must know whom to wake.
            let _ = self.beat.as_mut().poll(task);
        }
    }

    fn beat_if_due(&mut self, due: bool, now: Instant, task: &mut Context<'_>) {
        let near = !self.out.is_empty() && self.beat_at <= now + HEARTBEAT_EARLY;
        if !due && !near {
            return;
        }
        self.beats += 1;
        if self.beats.is_multiple_of(RIGHTS_EVERY) {
            if !self.still_known() {
                return self.close(CloseCode::Policy, "signed out");
            }
            self.watch_again();
            self.look_again(task);
            if self.closing {
                return;
            }
        }
        self.beat_at = now + HEARTBEAT;
        self.out.push(heartbeat(&self.app, now));
    }

    /// A hall that was rebuilt has forgotten whom it shall tell; telling it again costs nothing.
    fn watch_again(&self) {
        for cursor in &self.cursors {
            let Some(token) = cursor.topic().name().strip_prefix("ticket.") else {
                continue;
            };
            let hall = token.split_once('.').map_or("", |(hall, _)| hall);
            if let Ok((_, handle)) = self.app.hall(hall) {
                handle.actor.do_send(Watch(Token(token.to_owned())));
            }
        }
    }

    /// Somebody without a token looks only as long as everybody may.
    fn look_again(&mut self, task: &mut Context<'_>) {
        if let (Who::Viewer(hall), None) = (&self.who, &self.looking) {
            let (app, hall) = (Arc::clone(&self.app), hall.clone());
            self.looking = Some(Box::pin(async move {
                let Ok((_, handle)) = app.hall(hall.as_str()) else {
                    return false;
                };
                let public = handle.read(|hall, _| hall.config().options.public_board);
                // A hall that is just being rebuilt says nothing, which is no refusal.
                public.await != Some(false)
            }));
            self.poll_looking(task);
        }
    }

    fn poll_looking(&mut self, task: &mut Context<'_>) {
        let Some(looking) = &mut self.looking else {
            return;
        };
        if let Poll::Ready(public) = looking.as_mut().poll(task) {
            self.looking = None;
            if !public {
                self.close(CloseCode::Policy, "no longer public");
            }
        }
    }

    /// Whose token it is. Looked up each time: the rights are those of now, and a thousand idle
    /// screens do not each keep a copy.
    fn principal(&self) -> Option<Principal> {
        match &self.who {
            Who::Known { token } => self.app.auth.recognise(token, self.app.now()),
            Who::Holder(_) | Who::Viewer(_) => None,
        }
    }

    fn still_known(&self) -> bool {
        match &self.who {
            Who::Known { .. } => self.principal().is_some(),
            Who::Holder(_) | Who::Viewer(_) => true,
        }
    }

    fn take_out(&mut self) -> Option<Bytes> {
        match self.out.len() {
            0 => None,
            1 => self.out.pop(),
            _ => {
                let whole = self.out.concat();
                self.out.clear();
                Some(Bytes::from(whole))
            }
        }
    }
}

impl ScreenSocket {
    /// Hands the server what it shall send, and asks with it whether all before has left.
    fn take_out_asking(&mut self) -> Option<Bytes> {
        match self.way {
            _ if self.out.is_empty() => {}
            Way::Server if self.line.is_some() && !self.closing => {
                self.send(Message::Ping(Bytes::from_static(ALL_LEFT)));
                self.way = Way::Asked { last: true };
            }
            Way::Asked { .. } => self.way = Way::Asked { last: false },
            Way::Server | Way::Direct => {}
        }
        self.take_out()
    }

    /// Writes past the server. What the kernel does not take is left to the server.
    fn write(&mut self) {
        let Some(bytes) = self.take_out() else { return };
        let Some(line) = &self.line else { return };
        match line.send(bytes) {
            Ok(rest) if rest.is_empty() => {}
            Ok(rest) => {
                self.out.push(rest);
                self.way = Way::Server;
            }
            // The server finds the same and ends the connection.
            Err(_) => self.payload_ended = true,
        }
    }

    fn wake_server(&self) {
        if let Some(server) = &self.server {
            server.wake_by_ref();
        }
    }
}

/// The heartbeat of an instant. All sockets that a pass of the pump serves share one.
fn heartbeat(app: &App, now: Instant) -> Bytes {
    thread_local! {
        static LAST: RefCell<Option<(Instant, Bytes)>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| match last {
        Some((at, beat)) if *at == now => beat.clone(),
        _ => {
            let beat = json!({"kind": "heartbeat", "at": app.now().rfc3339_utc(), "build": assets::build()});
            let beat = Bytes::from(text_frame(&beat.to_string()));
            *last = Some((now, beat.clone()));
            beat
        }
    })
}

impl Pumped for ScreenSocket {
    fn pump(&mut self, task: &mut Context<'_>, now: Instant) -> Pumping {
        if self.way != Way::Direct || self.closing {
            return Pumping::Left;
        }
        self.poll_looking(task);
        self.poll_cursors(task);
        self.poll_notices(task);
        self.beat_if_due(self.beat_at <= now, now, task);
        let due = !self.out.is_empty();
        self.write();
        if self.way != Way::Direct || self.closing || self.payload_ended {
            self.wake_server();
            return Pumping::Left;
        }
        if due {
            Pumping::Written
        } else {
            Pumping::NothingDue
        }
    }
}

/// A socket as the server knows it: a response body without end.
struct Feed(Rc<RefCell<ScreenSocket>>);

impl Feed {
    fn of(socket: ScreenSocket) -> Self {
        let socket = Rc::new(RefCell::new(socket));
        socket.borrow_mut().own = Rc::downgrade(&socket);
        Self(socket)
    }
}

impl Stream for Feed {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut socket = self.0.borrow_mut();
        if !socket
            .server
            .as_ref()
            .is_some_and(|known| known.will_wake(task.waker()))
        {
            socket.server = Some(task.waker().clone());
        }
        if !socket.closing {
            let cursors = socket.cursors.len();
            socket.read(task);
            socket.poll_subscribing(task);
            if socket.way == Way::Direct {
                if cursors != socket.cursors.len() || !socket.out.is_empty() {
                    pump::wake();
                }
            } else {
                socket.poll_looking(task);
                socket.poll_cursors(task);
                socket.poll_notices(task);
                socket.poll_beat(task);
            }
        }
        if socket.way == Way::Direct {
            socket.write();
        }
        match socket.take_out_asking() {
            Some(bytes) => Poll::Ready(Some(Ok(bytes))),
            None if socket.closing || socket.payload_ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}
