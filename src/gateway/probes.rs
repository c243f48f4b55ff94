//! Interfaces are asked now and then whether they answer. What is found is a call like any other, of the
//! caller `probe`: figures, health and rules follow from it.
//!
//! During maintenance nothing is asked on schedule; a probe by hand is, and nothing is judged by it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use actors::clock::SystemClock;
use actors::ports::Clock as _;
use futures_util::future::poll_fn;
use hyper::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use rules::channels::call::{Call, NewCall};
use rules::channels::probe::{CALLER, Probe, ProbeMethod};
use rules::channels::{Channel, Limits, Maintenance, Masking, Outcome};
use rules::ids::ChannelId;
use rules::machine::Machine as _;
use rules::time::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tracing::warn;

use super::exchange::{Fault, fault_of, fault_of_opening};
use super::trace::Traces;
use super::upstream::{Address, Link};
use crate::channels::{Channels, Watched};
use crate::store::records::StoreError;
use crate::web::auth::random_hex;

/// What is due is looked for so often.
const TICK: Duration = Duration::from_millis(250);

/// Probes under way at a time.
const PARALLEL: usize = 64;

/// So much of an answer is searched for a text.
const SEARCHED_MAX: usize = 64 * 1024;

/// A request without a body.
struct Nothing;

impl Body for Nothing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}

/// What a probe found: the status, or why there is none, and what is wrong with it.
struct Found {
    status: Option<u16>,
    wrong: Option<&'static str>,
}

impl Found {
    fn fault(fault: Fault) -> Self {
        Self {
            status: None,
            wrong: Some(fault.code()),
        }
    }
}

/// Asks, and waits no longer than the probe says.
async fn ask(probe: &Probe, traceparent: &str) -> Found {
    let within = Duration::from_millis(probe.timeout_ms());
    let asked = tokio::time::timeout(within, async {
        match probe {
            Probe::Tcp { address, .. } => connect(address, within).await,
            Probe::Http {
                url,
                method,
                status,
                text,
                ..
            } => {
                let answer = request(url, *method, traceparent, within).await;
                match answer {
                    Ok((answer, _link)) => judge(answer, *status, text.as_deref()).await,
                    Err(fault) => Found::fault(fault),
                }
            }
        }
    });
    let found = asked.await;
    found.unwrap_or_else(|_| Found::fault(Fault::Timeout))
}

async fn connect(address: &str, within: Duration) -> Found {
    let connected = match Address::new(false, address, within) {
        Ok(address) => address.connect().await.is_ok(),
        Err(_) => false,
    };
    Found {
        status: None,
        wrong: (!connected).then_some(Fault::ConnectFailed.code()),
    }
}

async fn request(
    url: &str,
    method: ProbeMethod,
    traceparent: &str,
    within: Duration,
) -> Result<(hyper::Response<Incoming>, Link<Nothing>), Fault> {
    let uri: hyper::Uri = url.parse().map_err(|_| Fault::ConnectFailed)?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let tls = uri.scheme_str() == Some("https");
    let address = Address::new(tls, authority, within).map_err(|_| Fault::ConnectFailed)?;
    let mut link = address.link().await.map_err(|cause| match cause.kind() {
        std::io::ErrorKind::TimedOut => Fault::Timeout,
        _ => fault_of_opening(&cause),
    })?;
    let request = Request::builder()
        .method(method.name())
        .uri(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header("host", authority)
        .header("user-agent", "hallkeeper-probe")
        .header("connection", "close")
        .header(&super::headers::TRACEPARENT.theirs, traceparent)
        .body(Nothing)
        .map_err(|_| Fault::ConnectFailed)?;
    let answer = link.sender.send_request(request).await;
    Ok((answer.map_err(|cause| fault_of(&cause))?, link))
}

async fn judge(answer: hyper::Response<Incoming>, well: (u16, u16), text: Option<&str>) -> Found {
    let status = answer.status().as_u16();
    let wrong = match text {
        _ if !(well.0..=well.1).contains(&status) => Some("unexpected_status"),
        None => None,
        Some(text) => match stands_in(answer.into_body(), text.as_bytes()).await {
            Ok(true) => None,
            Ok(false) => Some("text_missing"),
            Err(fault) => Some(fault.code()),
        },
    };
    Found {
        status: Some(status),
        wrong,
    }
}

async fn stands_in(mut body: Incoming, text: &[u8]) -> Result<bool, Fault> {
    let mut read = Vec::new();
    loop {
        if read.windows(text.len()).any(|part| part == text) {
            return Ok(true);
        }
        if read.len() >= SEARCHED_MAX {
            return Ok(false);
        }
        match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            None => return Ok(false),
            Some(Err(cause)) => return Err(fault_of(&cause)),
            Some(Ok(frame)) => {
                let chunk = frame.into_data().unwrap_or_default();
                let room = SEARCHED_MAX - read.len();
                read.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
        }
    }
}

/// A probe, put and recorded.
fn call(probe: &Probe, found: &Found, took: Duration, at: Timestamp, trace_id: &str) -> NewCall {
    let request = match probe {
        Probe::Tcp { address, .. } => json!({"address": address}),
        Probe::Http { url, method, .. } => json!({"method": method, "url": url}),
    };
    NewCall {
        id: None,
        caller: CALLER.to_owned(),
        version: None,
        at,
        duration_ms: Some(took.as_secs_f64() * 1000.0),
        status: found.status,
        result: Some(match found.wrong {
            None => Outcome::Ok,
            Some(_) => Outcome::Failed,
        }),
        reason: found.wrong.map(str::to_owned),
        trace_id: Some(trace_id.to_owned()),
        request: Some(request),
        response: None,
    }
}

/// Puts a channel's probe now, and records it.
///
/// # Errors
/// The history cannot be written.
pub(crate) async fn put(
    channels: &Channels,
    watched: &Watched,
    probe: &Probe,
    limits: &Limits,
) -> Result<Call, StoreError> {
    let at = SystemClock.now();
    let traceparent = Traces::new().next().1;
    let trace_id = rules::channels::trace::trace_id(&traceparent).unwrap_or_default();
    let begun = Instant::now();
    let found = ask(probe, &traceparent).await;
    let told = call(probe, &found, begun.elapsed(), at, trace_id);
    let id = random_hex(12).map_err(|cause| StoreError::Unavailable(cause.to_string()))?;
    let (masking, now) = (Masking::default(), SystemClock.now());
    let checked = told.checked(&watched.id, || id, limits, &masking, now);
    let call = checked.map_err(|fault| StoreError::Unavailable(fault.to_string()))?;
    channels
        .record(watched, std::slice::from_ref(&call))
        .await?;
    Ok(call)
}

/// What is known of a channel's probe, and when it is due.
struct Plan {
    seq: u64,
    changed: watch::Receiver<u64>,
    probe: Option<Arc<Probe>>,
    limits: Limits,
    maintenance: Option<Maintenance>,
    due: Instant,
    /// One place.
    under_way: Arc<Semaphore>,
}

/// A channel's sequence number, its probe, limits and maintenance.
type Read = (u64, Option<Arc<Probe>>, Limits, Option<Maintenance>);

fn read(channel: &Channel) -> Read {
    let setup = channel.setup();
    let probe = setup.and_then(|setup| setup.probe.as_deref().cloned());
    let maintenance = channel.maintenance().cloned();
    (
        channel.seq(),
        probe.map(Arc::new),
        channel.limits(),
        maintenance,
    )
}

impl Plan {
    async fn of(watched: &Watched, before: Option<&Self>) -> Option<Self> {
        let changed = watched.desk.changed();
        let found = watched.desk.read(|channel, _| read(channel)).await?;
        let (seq, probe, limits, maintenance) = found;
        let same = before.filter(|before| before.probe == probe);
        Some(Self {
            seq,
            changed,
            probe,
            limits,
            maintenance,
            due: same.map_or_else(Instant::now, |before| before.due),
            under_way: before.map_or_else(
                || Arc::new(Semaphore::new(1)),
                |one| Arc::clone(&one.under_way),
            ),
        })
    }

    /// The probe, if it is due now; then the next one is set.
    fn due(&mut self, now: Timestamp) -> Option<Arc<Probe>> {
        let probe = self.probe.as_ref()?;
        let resting = |one: &Maintenance| one.from <= now && now < one.until;
        let rests = self.maintenance.as_ref().is_some_and(resting);
        if rests || Instant::now() < self.due {
            return None;
        }
        self.due = Instant::now() + Duration::from_secs(probe.every_secs());
        Some(Arc::clone(probe))
    }
}

/// Puts every channel's probe when it is due, for ever.
pub(super) async fn run(channels: Channels) {
    let mut plans = BTreeMap::<ChannelId, Plan>::new();
    let all = Arc::new(Semaphore::new(PARALLEL));
    loop {
        tokio::time::sleep(TICK).await;
        for watched in channels.all() {
            let known = plans.get(&watched.id);
            if known.is_none_or(|plan| *plan.changed.borrow() != plan.seq) {
                let Some(plan) = Plan::of(&watched, known).await else {
                    continue;
                };
                plans.insert(watched.id.clone(), plan);
            }
            let Some(plan) = plans.get_mut(&watched.id) else {
                continue;
            };
            let Some(probe) = plan.due(SystemClock.now()) else {
                continue;
            };
            // One that is still under way is not put again.
            let (all, own) = (Arc::clone(&all), Arc::clone(&plan.under_way));
            let (Ok(all), Ok(own)) = (all.try_acquire_owned(), own.try_acquire_owned()) else {
                continue;
            };
            let (channels, limits) = (channels.clone(), plan.limits);
            actix_web::rt::spawn(async move {
                let _places = (all, own);
                if let Err(cause) = put(&channels, &watched, &probe, &limits).await {
                    warn!(channel = %watched.id, %cause, "a probe is not recorded");
                }
            });
        }
    }
}

/// What somebody who asked for a probe is told.
pub(crate) fn face(call: &Call) -> Value {
    json!({
        "call": call.id, "at": call.at.rfc3339_utc(), "result": call.result, "reason": call.reason,
        "status": call.status, "trace_id": call.trace_id,
        "duration_ms": call.micros.map(|micros| micros as f64 / 1000.0),
    })
}
