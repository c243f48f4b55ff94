//! What one thread knows of a channel's way: read anew whenever the channel's journal has moved on, so
//! that what is taken back is taken back for the next call.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header as ours;
use hyper::header::{HeaderName, HeaderValue};
use rules::channels::access::Access;
use rules::channels::{Channel, Maintenance, Upstream};
use rules::time::Timestamp;
use tokio::sync::watch;

use super::exchange::{RequestBody, Watch};
use super::headers::Changes;
use super::shelf::Shelf;
use super::trace::Traces;
use super::upstream::{Address, Pool};
use super::{Gateway, Live};
use crate::web::error::Problem;

/// What a call is checked against.
pub(super) struct Route {
    /// Tells of the channel's journal since this was read.
    changed: watch::Receiver<u64>,
    pub(super) live: Arc<Live>,
    /// Where its calls are laid down, and the channel's number there.
    pub(super) shelf: Arc<Shelf>,
    pub(super) number: usize,
    pub(super) access: Access,
    pub(super) fails_from_status: u16,
    maintenance: Option<Maintenance>,
    pub(super) way: Option<Rc<Way>>,
}

impl Route {
    fn is_fresh(&self) -> bool {
        // A look that takes no lock, since all threads look at each call.
        !self.changed.has_changed().unwrap_or(false)
    }

    pub(super) fn under_maintenance(&self, at: Timestamp) -> bool {
        let maintenance = self.maintenance.as_ref();
        maintenance.is_some_and(|one| one.from <= at && at < one.until)
    }
}

/// The way to an upstream.
pub(super) struct Way {
    pub(super) upstream: Rc<Upstream>,
    pub(super) host: HeaderValue,
    pub(super) request: Changes<HeaderName, HeaderValue>,
    pub(super) response: Changes<ours::HeaderName, ours::HeaderValue>,
    pub(super) pool: Rc<Pool<RequestBody>>,
}

impl Way {
    fn new(upstream: Upstream) -> anyhow::Result<Self> {
        let (tls, authority) = upstream.authority();
        let connect = Duration::from_millis(upstream.connect_ms);
        Ok(Self {
            host: HeaderValue::from_str(authority)?,
            request: Changes::new(&upstream.request_headers),
            response: Changes::new(&upstream.response_headers),
            pool: Rc::new(Pool::new(Address::new(tls, authority, connect)?)),
            upstream: Rc::new(upstream),
        })
    }
}

/// One thread's part of the gateway.
pub(super) struct Worker {
    routes: RefCell<HashMap<Box<str>, Rc<Route>>>,
    shelf: OnceCell<Arc<Shelf>>,
    pub(super) watch: Rc<Watch>,
    pub(super) traces: Traces,
}

/// What is read of a channel.
struct Read {
    access: Access,
    fails_from_status: u16,
    maintenance: Option<Maintenance>,
    upstream: Option<Upstream>,
}

impl Read {
    /// None before the channel is set up.
    fn of(channel: &Channel) -> Option<Self> {
        let setup = channel.setup()?;
        Some(Self {
            access: channel.access().clone(),
            fails_from_status: setup.limits.fails_from_status,
            maintenance: channel.maintenance().cloned(),
            upstream: setup.upstream.as_deref().cloned(),
        })
    }
}

impl Worker {
    pub(super) fn new() -> Self {
        Self {
            routes: RefCell::default(),
            shelf: OnceCell::new(),
            watch: Rc::default(),
            traces: Traces::new(),
        }
    }

    /// What is known of a channel, as of now.
    ///
    /// # Errors
    /// `unknown_channel`; `unavailable` while the channel is being rebuilt.
    pub(super) async fn route(&self, gateway: &Gateway, id: &str) -> Result<Rc<Route>, Problem> {
        let known = || self.routes.borrow().get(id).cloned();
        if let Some(route) = known().filter(|route| route.is_fresh()) {
            return Ok(route);
        }
        let live = id.parse().ok().and_then(|id| gateway.live(&id));
        let live = live.ok_or_else(|| unknown_channel(id))?;
        let mut changed = live.watched.desk.changed();
        changed.mark_unchanged();
        let read = live.watched.desk.read(|channel, _| Read::of(channel)).await;
        let read = read.ok_or_else(Problem::unavailable)?;
        let read = read.ok_or_else(|| unknown_channel(id))?;
        // Another call may have been here meanwhile; all are to share one way's connections.
        let standing = known().and_then(|route| route.way.clone());
        let same = |way: &Rc<Way>| Some(&*way.upstream) == read.upstream.as_ref();
        let way = match (standing.filter(same), read.upstream) {
            (Some(way), _) => Some(way),
            (None, Some(upstream)) => Some(Rc::new(Way::new(upstream).map_err(|cause| {
                tracing::warn!(channel = id, %cause, "no way to the upstream");
                Problem::unavailable()
            })?)),
            (None, None) => None,
        };
        let shelf = self.shelf.get_or_init(|| gateway.recorder.shelf());
        let route = Rc::new(Route {
            changed,
            number: shelf.number_of(&live),
            shelf: Arc::clone(shelf),
            live,
            access: read.access,
            fails_from_status: read.fails_from_status,
            maintenance: read.maintenance,
            way,
        });
        self.routes
            .borrow_mut()
            .insert(id.into(), Rc::clone(&route));
        Ok(route)
    }
}

pub(super) fn unknown_channel(id: &str) -> Problem {
    Problem::unknown(
        "unknown_channel",
        "没有这个通道",
        "there is no such channel",
    )
    .with("channel", id)
}
