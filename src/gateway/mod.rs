//! The gateway: calls of others to an interface, checked, forwarded and recorded.
//!
//! ```text
//! /gateway/{channel}/…  ─ key, version, maintenance, places ─→ upstream      (bodies pass piece by piece)
//!        each end, good or bad ─→ shelf ─→ recorder ─ masked, in batches ─→ history ─→ figures and health
//! ```
//! A call is carried by the thread that took it. No body is held whole, every wait has an end, and
//! calls under way are bounded, for each channel and altogether.

mod exchange;
mod forward;
mod headers;
pub(crate) mod probes;
mod record;
mod recorder;
mod route;
mod shelf;
mod trace;
mod upstream;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use actix::Arbiter;
use actix_web::web::{self, ServiceConfig};
use rules::ids::ChannelId;

use crate::channels::{Channels, Watched};
pub use recorder::Recorded;
use recorder::Recorder;
use route::Route;

/// Where the gateway lies.
const ROOT: &str = "/gateway";

/// The gateway's part that all threads share.
pub struct Gateway {
    channels: Channels,
    recorder: Recorder,
    live: RwLock<BTreeMap<ChannelId, Arc<Live>>>,
    under_way: Arc<AtomicUsize>,
    /// Calls under way at a time.
    parallel: usize,
    _thread: Arbiter,
}

/// A channel as the gateway sees it.
pub(crate) struct Live {
    watched: Arc<Watched>,
    under_way: AtomicUsize,
    /// Of all channels.
    all_under_way: Arc<AtomicUsize>,
}

impl Gateway {
    /// `parallel` calls under way at most. Probes are put from now on.
    pub fn start(channels: Channels, parallel: usize) -> Self {
        let thread = Arbiter::new();
        thread.spawn(probes::run(channels.clone()));
        Self {
            recorder: Recorder::start(channels.clone(), &thread.handle()),
            channels,
            live: RwLock::default(),
            under_way: Arc::default(),
            parallel,
            _thread: thread,
        }
    }

    /// A channel that somebody made.
    fn live(&self, id: &ChannelId) -> Option<Arc<Live>> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = live.get(id) {
            return Some(Arc::clone(known));
        }
        drop(live);
        let watched = self.channels.get(id)?;
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let entry = live.entry(id.clone()).or_insert_with(|| {
            Arc::new(Live {
                watched,
                under_way: AtomicUsize::default(),
                all_under_way: Arc::clone(&self.under_way),
            })
        });
        Some(Arc::clone(entry))
    }

    /// Calls under way in all, and of one channel.
    pub fn under_way(&self, id: &ChannelId) -> (usize, usize) {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let of = |live: &Arc<Live>| live.under_way.load(Ordering::Relaxed);
        let all = self.under_way.load(Ordering::Relaxed);
        (all, live.get(id).map_or(0, of))
    }

    /// How recording does.
    pub fn recorded(&self) -> Recorded {
        self.recorder.figures()
    }

    /// Waits until all calls that have ended are in the history.
    pub async fn flush(&self) {
        self.recorder.flush().await;
    }
}

/// A place among the calls under way.
struct Slot(Rc<Route>);

impl Slot {
    /// A place, while fewer than `all` calls, and fewer than `own` of this channel, are under way.
    fn take(route: &Rc<Route>, all: usize, own: usize) -> Option<Self> {
        let slot = Self(Rc::clone(route));
        let live = &route.live;
        let all = live.all_under_way.fetch_add(1, Ordering::Relaxed) < all;
        let own = live.under_way.fetch_add(1, Ordering::Relaxed) < own;
        (all && own).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let live = &self.0.live;
        live.all_under_way.fetch_sub(1, Ordering::Relaxed);
        live.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

pub fn configure(config: &mut ServiceConfig) {
    let worker = Rc::new(route::Worker::new());
    config
        .app_data(worker)
        .service(web::scope(ROOT).default_service(web::to(forward::forward)));
}
