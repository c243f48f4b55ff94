//! One call under way: what moves, who is waited for, and how it ends. It ends once, whoever ends it:
//! the answer's last byte, a fault, the caller that goes away, or the watch over time.

use std::cell::{Cell, RefCell};
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::{future::poll_fn, stream::Stream as _};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use rules::channels::{Outcome, Upstream};

use super::Slot;
use super::record::{Part, Record};
use super::shelf::Shelf;
use super::upstream::{Link, Pool};
use crate::web::connection::Connection;
use crate::web::error::Problem;

/// Calls under way are looked at so often.
const WATCH: Duration = Duration::from_millis(50);

/// Why a call that was allowed came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    ConnectFailed,
    CertificateNotTrusted,
    Timeout,
    UpstreamClosed,
    BadResponse,
    ResponseTooLarge,
    RequestTooLarge,
    ClientStalled,
    ClientGone,
}

impl Fault {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::ConnectFailed => "connect_failed",
            Self::CertificateNotTrusted => "certificate_not_trusted",
            Self::Timeout => "timeout",
            Self::UpstreamClosed => "upstream_closed",
            Self::BadResponse => "bad_response",
            Self::ResponseTooLarge => "response_too_large",
            Self::RequestTooLarge => "request_too_large",
            Self::ClientStalled => "client_stalled",
            Self::ClientGone => "client_gone",
        }
    }

    /// What the caller is told, or would be if it were there still.
    pub(super) const fn status(self) -> u16 {
        match self {
            Self::ConnectFailed
            | Self::CertificateNotTrusted
            | Self::UpstreamClosed
            | Self::BadResponse
            | Self::ResponseTooLarge => 502,
            Self::Timeout => 504,
            Self::RequestTooLarge => 413,
            Self::ClientStalled => 408,
            Self::ClientGone => 499,
        }
    }

    /// The caller's own doing says nothing of the channel.
    pub(super) const fn is_the_callers(self) -> bool {
        matches!(
            self,
            Self::RequestTooLarge | Self::ClientStalled | Self::ClientGone
        )
    }

    pub(super) fn problem(self) -> Problem {
        let (zh, en) = match self {
            Self::ConnectFailed => ("无法连接上游服务", "the upstream cannot be reached"),
            Self::CertificateNotTrusted => (
                "上游服务的证书不受信任",
                "the upstream's certificate is not trusted",
            ),
            Self::Timeout => (
                "上游服务未在时限内应答",
                "the upstream did not answer in time",
            ),
            Self::UpstreamClosed => (
                "上游服务中断了连接",
                "the upstream closed the connection without a whole answer",
            ),
            Self::BadResponse => (
                "上游服务的应答不是正确的 HTTP",
                "the upstream's answer is not well-formed HTTP",
            ),
            Self::ResponseTooLarge => ("上游服务的应答过大", "the upstream's answer is too large"),
            Self::RequestTooLarge => ("请求内容过大", "the request's body is too large"),
            Self::ClientStalled => (
                "请求内容未在时限内送达",
                "the request's body did not arrive in time",
            ),
            Self::ClientGone => ("调用方已断开", "the caller went away"),
        };
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::BAD_GATEWAY);
        Problem::new(status, self.code(), zh, en)
    }
}

/// Why no connection to the upstream came about.
pub(super) fn fault_of_opening(cause: &std::io::Error) -> Fault {
    let refused = cause.get_ref();
    match refused.and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => Fault::CertificateNotTrusted,
        _ => Fault::ConnectFailed,
    }
}

/// What a broken exchange with the upstream was.
pub(super) fn fault_of(cause: &hyper::Error) -> Fault {
    match cause.is_parse() {
        true => Fault::BadResponse,
        false => Fault::UpstreamClosed,
    }
}

/// The answer on its way, and what is held for it.
struct Flow {
    body: Incoming,
    link: Link<RequestBody>,
    pool: Rc<Pool<RequestBody>>,
}

pub(super) struct Exchange {
    upstream: Rc<Upstream>,
    shelf: Arc<Shelf>,
    started: Instant,
    /// Whether anything moved since the watch looked last, and when it saw that something had.
    moved: Cell<bool>,
    seen_moving: Cell<Instant>,
    waits_for_caller: Cell<bool>,
    fault: Cell<Option<Fault>>,
    /// Of whoever carries the call on.
    waker: RefCell<Option<Waker>>,
    caller: Option<Connection>,
    flow: RefCell<Option<Flow>>,
    /// Until the call has ended.
    record: RefCell<Option<Record>>,
    slot: Cell<Option<Slot>>,
}

impl Exchange {
    pub(super) fn new(
        upstream: Rc<Upstream>,
        shelf: Arc<Shelf>,
        caller: Option<Connection>,
        mut record: Record,
        slot: Slot,
    ) -> Rc<Self> {
        record.head.carried = true;
        let started = record.head.begun;
        Rc::new(Self {
            upstream,
            shelf,
            started,
            moved: Cell::new(false),
            seen_moving: Cell::new(started),
            waits_for_caller: Cell::new(false),
            fault: Cell::new(None),
            waker: RefCell::default(),
            caller,
            flow: RefCell::default(),
            record: RefCell::new(Some(record)),
            slot: Cell::new(Some(slot)),
        })
    }

    fn moves(&self) {
        self.moved.set(true);
    }

    fn wakes(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if waker
            .as_ref()
            .is_none_or(|known| !known.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
    }

    /// Ends the call with a fault, unless it has ended.
    pub(super) fn fails(&self, fault: Fault) {
        if self.fault.get().is_none() {
            self.fault.set(Some(fault));
        }
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Awaits a step, unless the call ends before.
    ///
    /// # Errors
    /// Why it ended.
    pub(super) async fn step<T>(&self, step: impl Future<Output = T>) -> Result<T, Fault> {
        let mut step = pin!(step);
        let done = poll_fn(|cx| {
            if let Some(fault) = self.fault.get() {
                return Poll::Ready(Err(fault));
            }
            self.wakes(cx);
            step.as_mut().poll(cx).map(Ok)
        });
        let done = done.await?;
        self.moves();
        Ok(done)
    }

    /// Records the call and gives back its place. After the first time nothing.
    pub(super) fn ends(&self) {
        let Some(mut record) = self.record.borrow_mut().take() else {
            return;
        };
        drop(self.slot.take());
        if let Some(fault) = self.fault.get() {
            let head = &mut record.head;
            head.reason = Some(fault.code());
            head.result = match (head.status, fault.is_the_callers()) {
                // It was answered before the caller went away: by the status.
                (Some(_), true) => None,
                (None, true) => Some(Outcome::Refused),
                (_, false) => Some(Outcome::Failed),
            };
            head.status = head.status.or(Some(fault.status()));
        }
        self.shelf.put(record);
    }

    /// Ends a call of which the answer is under way.
    fn breaks_off(&self, fault: Fault) {
        self.fails(fault);
        drop(self.flow.borrow_mut().take());
        self.ends();
    }

    /// Looks whether its time is over.
    fn watch(&self, now: Instant) {
        if self.fault.get().is_some() {
            return;
        }
        if self.moved.take() {
            self.seen_moving.set(now);
        }
        let still = now.saturating_duration_since(self.seen_moving.get());
        let all = now.saturating_duration_since(self.started);
        let over = still >= Duration::from_millis(self.upstream.idle_ms)
            || all >= Duration::from_millis(self.upstream.total_ms);
        if !over {
            return;
        }
        let fault = match self.waits_for_caller.get() {
            true => Fault::ClientStalled,
            false => Fault::Timeout,
        };
        let answering = self.flow.borrow().is_some();
        match answering {
            true => {
                self.breaks_off(fault);
                self.cut();
            }
            false => self.fails(fault),
        }
    }

    /// Cuts the caller's connection: it must not take what it has for the whole answer.
    fn cut(&self) {
        if let Some(caller) = self.caller {
            caller.cut();
        }
    }

    /// The head of the answer is there.
    pub(super) fn answered(&self, status: u16, response: Part) {
        self.note(|record| {
            record.head.status = Some(status);
            record.response = response;
        });
    }

    fn note<R>(&self, note: impl FnOnce(&mut Record) -> R) -> Option<R> {
        self.record.borrow_mut().as_mut().map(note)
    }
}

/// The calls under way on one thread.
#[derive(Default)]
pub(super) struct Watch {
    calls: RefCell<Vec<Weak<Exchange>>>,
    awake: Cell<bool>,
}

impl Watch {
    /// Watches a call until it is gone.
    pub(super) fn over(self: &Rc<Self>, call: &Rc<Exchange>) {
        self.calls.borrow_mut().push(Rc::downgrade(call));
        if !self.awake.replace(true) {
            let watch = Rc::clone(self);
            actix_web::rt::spawn(async move { watch.run().await });
        }
    }

    async fn run(&self) {
        while !self.calls.borrow().is_empty() {
            tokio::time::sleep(WATCH).await;
            let now = Instant::now();
            let standing: Vec<_> = {
                let mut calls = self.calls.borrow_mut();
                let over = |call: &Weak<Exchange>| call.upgrade().is_none_or(|one| one.is_over());
                calls.retain(|call| !over(call));
                calls.iter().filter_map(Weak::upgrade).collect()
            };
            standing.iter().for_each(|call| call.watch(now));
        }
        self.awake.set(false);
    }
}

impl Exchange {
    fn is_over(&self) -> bool {
        self.record.borrow().is_none()
    }
}

/// Carries a call: when it goes away, the call has ended.
pub(super) struct Carried(pub(super) Rc<Exchange>);

impl Drop for Carried {
    fn drop(&mut self) {
        let call = &self.0;
        if !call.is_over() {
            call.breaks_off(Fault::ClientGone);
        }
    }
}

/// The request's body on its way to the upstream.
pub(super) struct RequestBody {
    call: Rc<Exchange>,
    payload: Option<Payload>,
    length: Option<u64>,
}

impl RequestBody {
    /// `length`, where the caller tells it.
    pub(super) fn new(call: Rc<Exchange>, payload: Option<Payload>, length: Option<u64>) -> Self {
        Self {
            call,
            payload,
            length,
        }
    }

    fn fails(&mut self, fault: Fault) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.payload = None;
        self.call.fails(fault);
        Poll::Ready(Some(Err(std::io::Error::other(fault.code()))))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let Some(payload) = &mut self.payload else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(payload).poll_next(cx);
        self.call.waits_for_caller.set(polled.is_pending());
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                self.payload = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(_))) => self.fails(Fault::ClientGone),
            Poll::Ready(Some(Ok(chunk))) => {
                self.call.moves();
                let max = self.call.upstream.max_request_bytes;
                let bytes = self.call.note(|record| record.request.add(&chunk));
                match bytes.is_some_and(|bytes| bytes > max) {
                    true => self.fails(Fault::RequestTooLarge),
                    false => Poll::Ready(Some(Ok(Frame::data(chunk)))),
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.payload.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.payload, self.length) {
            (None, _) => SizeHint::with_exact(0),
            (Some(_), Some(length)) => SizeHint::with_exact(length),
            (Some(_), None) => SizeHint::default(),
        }
    }
}

/// No body, though a length may be told: of what a GET would have been answered.
pub(super) struct NoBody(pub(super) BodySize);

impl MessageBody for NoBody {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}

/// The answer's body on its way to the caller.
pub(super) struct ResponseBody {
    carried: Carried,
    size: BodySize,
}

impl ResponseBody {
    /// Of an answer that has no more than `max` bytes, as far as it tells.
    pub(super) fn new(
        carried: Carried,
        size: BodySize,
        body: Incoming,
        link: Link<RequestBody>,
        pool: Rc<Pool<RequestBody>>,
    ) -> Self {
        *carried.0.flow.borrow_mut() = Some(Flow { body, link, pool });
        Self { carried, size }
    }

    fn breaks_off(&self, fault: Fault) -> Poll<Option<Result<Bytes, std::io::Error>>> {
        self.carried.0.breaks_off(fault);
        self.over()
    }

    /// What the server is told of a call that has ended early.
    fn over(&self) -> Poll<Option<Result<Bytes, std::io::Error>>> {
        let call = &self.carried.0;
        Poll::Ready(match (call.fault.get(), call.caller) {
            // The connection is cut already: whatever the server still writes reaches nobody.
            (Some(_), Some(caller)) => {
                caller.cut();
                None
            }
            (Some(fault), None) => Some(Err(std::io::Error::other(fault.code()))),
            (None, _) => None,
        })
    }
}

impl MessageBody for ResponseBody {
    type Error = std::io::Error;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, std::io::Error>>> {
        let call = &self.carried.0;
        loop {
            let mut flow = call.flow.borrow_mut();
            let Some(now) = flow.as_mut() else {
                drop(flow);
                return self.over();
            };
            call.wakes(cx);
            let polled = Pin::new(&mut now.body).poll_frame(cx);
            call.waits_for_caller.set(polled.is_ready());
            match polled {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => {
                    if let Some(Flow { link, pool, .. }) = flow.take() {
                        pool.keep(link);
                    }
                    call.ends();
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(cause))) => {
                    drop(flow);
                    return self.breaks_off(fault_of(&cause));
                }
                Poll::Ready(Some(Ok(frame))) => {
                    call.moves();
                    // What comes behind the body is not handed on.
                    let Ok(chunk) = frame.into_data() else {
                        continue;
                    };
                    let bytes = call.note(|record| record.response.add(&chunk));
                    if bytes.is_some_and(|bytes| bytes > call.upstream.max_response_bytes) {
                        drop(flow);
                        return self.breaks_off(Fault::ResponseTooLarge);
                    }
                    return Poll::Ready(Some(Ok(chunk)));
                }
            }
        }
    }
}
