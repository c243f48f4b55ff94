//! The `StripActor`: the link to one LED strip on a wire.
//!
//! A strip follows what its window shows ([`crate::window::Follow`]), always the latest: while a
//! slow strip takes its time nothing queues, and nobody waits for it. What it shows is sent again
//! every ten seconds with the time it holds for, so that a strip that can count falls back to its
//! own words when the server is gone. A strip that does not answer is `offline` after three tries
//! and is tried again with growing, spread pauses.
//!
//! ```text
//! starting ──answered──→ online ──three tries in vain──→ offline ──answered──→ online
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use dashboards::strip::{CallMark, Colour, Show, Size, Strip};
use dashboards::window::WindowView;
use rules::ids::{HallId, WindowId};
use rules::name::Lang;
use rules::time::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::clock::SystemClock;
use crate::ports::{Clock, PortError, StripLink, StripPort};
use crate::supervisor::Halls;
use crate::window::{Follow, Shown};

/// Tries before a strip counts as offline, and the pause between them.
const TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// What stands on a strip is sent again so often, and holds for so long without that.
pub const REFRESH: Duration = Duration::from_secs(10);
pub const HOLDS: Duration = Duration::from_secs(30);

/// A window that nobody can tell of for so long shows the words for a silent server.
const WINDOW_SILENT: Duration = Duration::from_secs(30);

/// Pauses before an offline strip is tried again, from and to.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_LONGEST: Duration = Duration::from_secs(10);

/// A number called again within this time does not flash anew.
const SAME_CALL: Duration = Duration::from_secs(5);

/// A call that could not be shown for so long no longer flashes.
const CALL_FRESH: Duration = Duration::from_secs(30);

/// How long the words for a silent server may take when the process ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// How bytes are put for a strip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Hallkeeper's own lines over TCP; the strip answers each.
    Line,
    /// The same, a datagram each.
    LineUdp,
    /// JQueue's serial frames through a serial server (TCP); strips do not answer.
    Jqueue,
    /// CXT CX-H cards over UDP; they do not answer.
    Cxt,
}

impl Protocol {
    pub const ALL: [Self; 4] = [Self::Line, Self::LineUdp, Self::Jqueue, Self::Cxt];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::LineUdp => "line_udp",
            Self::Jqueue => "jqueue",
            Self::Cxt => "cxt",
        }
    }
}

/// A strip as its manager sets it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StripPlan {
    pub window: WindowId,
    pub protocol: Protocol,
    /// `host:port`
    pub address: String,
    pub size: Size,
    /// Red, green and yellow; else red alone.
    pub two_colours: bool,
    /// Part of the card that shows the text, for cards with several.
    pub zone: u8,
    /// English words in place of Chinese ones.
    pub english: bool,
}

impl StripPlan {
    const fn lang(&self) -> Lang {
        if self.english { Lang::En } else { Lang::Zh }
    }
}

/// What a strip is told to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripMessage {
    pub window: WindowId,
    pub show: Show,
    /// The call is new: flash for three seconds, then stand. Otherwise stand at once.
    pub flash: bool,
    /// One or two lines.
    pub lines: Vec<String>,
    /// The text is wider than the strip.
    pub scrolls: bool,
    pub colour: Colour,
    pub holds: Duration,
}

/// Whether a strip shows what it shall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StripState {
    Starting,
    Online,
    Offline,
}

/// What is known of a strip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StripStatus {
    pub state: StripState,
    /// What it shows as far as is known.
    pub text: Option<String>,
    pub shown_at: Option<Timestamp>,
    /// Milliseconds from the window's change to the strip's answer, for the last change.
    pub took_ms: Option<u64>,
    /// Why it is offline: a code, such as `no_answer`.
    pub fault: Option<String>,
}

impl StripStatus {
    const fn starting() -> Self {
        Self {
            state: StripState::Starting,
            text: None,
            shown_at: None,
            took_ms: None,
            fault: None,
        }
    }
}

/// A strip's name within its hall.
pub type StripId = String;

/// Whether a link goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    GoOn,
    End,
    /// End, after the words for a silent server.
    Farewell,
}

struct StripActor {
    link: Option<Link>,
}

impl Actor for StripActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(link) = self.link.take() {
            let run = wrap_future::<_, Self>(link.run());
            ctx.spawn(run.map(|(), _, ctx| ctx.stop()));
        }
    }
}

/// All strips of this node.
#[derive(Clone)]
pub struct Strips {
    halls: Arc<Halls>,
    port: Arc<dyn StripPort>,
    /// The thread of all links; none of them ever blocks it.
    arbiter: ArbiterHandle,
    live: Arc<Mutex<BTreeMap<(HallId, StripId), Live>>>,
}

struct Live {
    plan: StripPlan,
    status: Arc<Mutex<StripStatus>>,
    orders: watch::Sender<Order>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Strips {
    pub fn new(halls: Arc<Halls>, port: Arc<dyn StripPort>, arbiter: ArbiterHandle) -> Self {
        Self {
            halls,
            port,
            arbiter,
            live: Arc::default(),
        }
    }

    /// Starts a strip, in place of the one of this name if there is one.
    pub fn put(&self, hall: HallId, id: StripId, plan: StripPlan) {
        let status = Arc::new(Mutex::new(StripStatus::starting()));
        let (orders, heard) = watch::channel(Order::GoOn);
        let link = Link {
            link: self.port.link(&plan),
            hall: hall.clone(),
            id: id.clone(),
            plan: plan.clone(),
            halls: Arc::clone(&self.halls),
            port: Arc::clone(&self.port),
            status: Arc::clone(&status),
            orders: heard,
            shown: None,
            view: None,
            told_at: Instant::now(),
            knew_window: false,
            changed_at: None,
            flashed: None,
            failures: 0,
        };
        let live = Live {
            plan,
            status,
            orders,
        };
        if let Some(old) = lock(&self.live).insert((hall, id), live) {
            old.orders.send_replace(Order::End);
        }
        StripActor::start_in_arbiter(&self.arbiter, |_| StripActor { link: Some(link) });
    }

    /// Ends a strip's link; it keeps what it shows until that has run out.
    pub fn remove(&self, hall: &HallId, id: &str) {
        if let Some(old) = lock(&self.live).remove(&(hall.clone(), id.to_owned())) {
            old.orders.send_replace(Order::Farewell);
        }
    }

    /// The strips of a hall with what is known of them, by id.
    pub fn of_hall(&self, hall: &HallId) -> Vec<(StripId, StripPlan, StripStatus)> {
        let live = lock(&self.live);
        live.iter()
            .filter(|((at, _), _)| at == hall)
            .map(|((_, id), live)| (id.clone(), live.plan.clone(), lock(&live.status).clone()))
            .collect()
    }

    /// Puts the words for a silent server on every strip, before the process ends in good order:
    /// strips that cannot count would keep the last number for ever.
    pub async fn farewell(&self) {
        let all = std::mem::take(&mut *lock(&self.live));
        for live in all.values() {
            live.orders.send_replace(Order::Farewell);
        }
        let ended = async {
            for live in all.values() {
                live.orders.closed().await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, ended).await;
    }
}

/// One strip's link at work.
struct Link {
    link: Box<dyn StripLink>,
    hall: HallId,
    id: StripId,
    plan: StripPlan,
    halls: Arc<Halls>,
    port: Arc<dyn StripPort>,
    status: Arc<Mutex<StripStatus>>,
    orders: watch::Receiver<Order>,
    /// What the window shows; `None` while there is no such window.
    shown: Option<Shown>,
    /// What the window showed last, and when it told.
    view: Option<Arc<WindowView>>,
    told_at: Instant,
    knew_window: bool,
    /// Since when the strip does not show what the window shows.
    changed_at: Option<Instant>,
    /// The call that flashed last, and when.
    flashed: Option<(CallMark, Instant)>,
    failures: u32,
}

/// Why a link woke up.
enum Woke {
    Changed,
    Due,
    WindowLost,
    Ordered,
}

impl Link {
    async fn run(mut self) {
        loop {
            if self.shown.is_none() {
                self.find_window().await;
            }
            let strip = self.strip();
            let flash = self.flashes(&strip);
            let message = self.message(&strip, flash);
            let shown = self.show(&message).await;
            if shown.is_ok() && flash {
                self.flashed = strip.call.map(|call| (call, Instant::now()));
            }
            self.note(&message, shown);
            match self.wait().await {
                Woke::Changed => self.changed_at = Some(Instant::now()),
                Woke::Due => {}
                Woke::WindowLost => self.shown = None,
                Woke::Ordered => break,
            }
        }
        if *self.orders.borrow() == Order::Farewell {
            let staff = Strip::staff(self.plan.size, self.plan.lang());
            let message = self.message(&staff, false);
            let _ = self.link.show(&message).await;
        }
    }

    async fn find_window(&mut self) {
        let hall = self.halls.get(&self.hall);
        if let Some(window) = hall.and_then(|hall| hall.window(&self.plan.window)) {
            self.shown = window.send(Follow).await.ok();
        }
    }

    /// What the strip shall show now. A window that is lost for a moment, as when its hall is built
    /// again, goes on showing what it showed.
    fn strip(&mut self) -> Strip {
        let shown = self.shown.as_mut();
        let view = shown.and_then(|shown| shown.borrow_and_update().clone());
        if view.is_some() {
            self.told_at = Instant::now();
            self.view = view;
        } else if self.told_at.elapsed() > WINDOW_SILENT {
            self.view = None;
        }
        let (size, lang) = (self.plan.size, self.plan.lang());
        match self.view.as_deref() {
            Some(view) => {
                let strip = Strip::of(view, size, lang);
                if !std::mem::replace(&mut self.knew_window, true) {
                    // Called before the link came: it stands, and does not flash any more.
                    self.flashed = strip.call.clone().map(|call| (call, Instant::now()));
                }
                strip
            }
            None => Strip::staff(size, lang),
        }
    }

    /// Whether this is a call that people have not seen flash, and not an old one.
    fn flashes(&self, strip: &Strip) -> bool {
        let (Some(call), Some(changed_at)) = (&strip.call, self.changed_at) else {
            return false;
        };
        let again = self.flashed.as_ref().is_some_and(|(last, at)| {
            last == call || (last.number == call.number && at.elapsed() < SAME_CALL)
        });
        !again && changed_at.elapsed() < CALL_FRESH
    }

    fn message(&self, strip: &Strip, flash: bool) -> StripMessage {
        StripMessage {
            window: self.plan.window.clone(),
            show: strip.show,
            flash,
            lines: strip.text().into_iter().map(str::to_owned).collect(),
            scrolls: strip.lines.iter().any(|line| line.scrolls),
            colour: match self.plan.two_colours {
                true => strip.show.colour(),
                false => Colour::Red,
            },
            holds: HOLDS,
        }
    }

    /// Up to three tries in a row, over several messages when something newer is to be shown; one
    /// while offline. Counts those in vain.
    async fn show(&mut self, message: &StripMessage) -> Result<(), PortError> {
        loop {
            let shown = self.link.show(message).await;
            self.failures = match shown {
                Ok(()) => 0,
                Err(_) => self.failures.saturating_add(1),
            };
            let newer = self
                .shown
                .as_ref()
                .is_some_and(|s| s.has_changed().unwrap_or(false));
            if shown.is_ok() || self.failures >= TRIES || newer {
                return shown;
            }
            sleep(BETWEEN_TRIES).await;
        }
    }

    fn note(&mut self, message: &StripMessage, shown: Result<(), PortError>) {
        let status = {
            let mut status = lock(&self.status);
            match shown {
                Ok(()) => {
                    status.state = StripState::Online;
                    status.text = Some(message.lines.join(" "));
                    status.shown_at = Some(SystemClock.now());
                    status.fault = None;
                    if let Some(at) = self.changed_at.take() {
                        status.took_ms = Some(at.elapsed().as_millis() as u64);
                    }
                }
                // Something newer ended the tries.
                Err(_) if self.failures < TRIES => return,
                Err(cause) => {
                    status.state = StripState::Offline;
                    let (PortError::Unavailable(step)
                    | PortError::Unknown(step)
                    | PortError::Corrupt(step)) = cause;
                    status.fault = Some(step);
                }
            }
            status.clone()
        };
        self.port.noticed(&self.hall, &self.id, &status);
    }

    async fn wait(&mut self) -> Woke {
        let pause = match (self.failures, &self.shown) {
            (0, Some(_)) => REFRESH,
            (0, None) => PAUSE_FIRST,
            (failures, _) => pause(&self.id, failures.saturating_sub(TRIES - 1).max(1)),
        };
        let Self { shown, orders, .. } = self;
        let news = async {
            match shown {
                Some(shown) => shown.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = orders.changed() => Woke::Ordered,
            changed = news => if changed { Woke::Changed } else { Woke::WindowLost },
            () = sleep(pause) => Woke::Due,
        }
    }
}

/// The pause before an offline strip is tried again: doubling, and spread by up to a third, so that
/// the strips behind a switch that comes back are not all tried at the same instant.
fn pause(id: &str, failures: u32) -> Duration {
    let doubled = PAUSE_FIRST.saturating_mul(1 << (failures - 1).min(8));
    let seed = id.bytes().fold(failures, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    doubled
        .min(PAUSE_LONGEST)
        .mul_f64(1.0 - f64::from(seed % 100) / 300.0)
}
