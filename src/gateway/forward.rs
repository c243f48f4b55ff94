//! A call from its request to its answer.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BodySize;
use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse};
use hyper::body::{Body as _, Incoming};
use hyper::{Request, Response, header};
use rules::channels::upstream::{first_segment, leaves_its_place};
use rules::channels::{CallRefusal, KeyHash, Outcome, trace};
use rules::name::Lang;
use rules::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::exchange::{
    Carried, Exchange, Fault, NoBody, RequestBody, ResponseBody, fault_of, fault_of_opening,
};
use super::headers::{self, About, text};
use super::record::{Head, Part, Record};
use super::route::{Route, Way, Worker};
use super::upstream::Link;
use super::{ROOT, Slot};
use crate::web::App;
use crate::web::connection::{Connection, Peer};
use crate::web::error::{Problem, be_careful};

/// Attempts to send a request that did not get onto a connection.
const ATTEMPTS: usize = 3;

/// A caller that did not send its request to the end has so long to read the answer.
const FAREWELL: Duration = Duration::from_secs(2);

/// What is asked, taken apart.
struct Asked<'a> {
    request: &'a HttpRequest,
    route: Rc<Route>,
    way: Rc<Way>,
    /// The path behind channel and version.
    rest: &'a str,
    version: &'a str,
    key: KeyHash,
    caller: String,
    peer: &'a str,
    trace: u128,
    traceparent: String,
    /// Of the request's body, where it is told.
    length: Option<u64>,
    at: Timestamp,
}

/// Forwards a call, whatever its method.
pub(super) async fn forward(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    match answer(&request, payload).await {
        Ok(mut answer) => {
            be_careful(answer.headers_mut());
            answer
        }
        Err(problem) => problem.told(&request),
    }
}

async fn answer(request: &HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let app = request.app_data::<Data<App>>();
    let worker = request.app_data::<Rc<Worker>>();
    let (Some(app), Some(worker)) = (app, worker) else {
        return Err(Problem::unavailable());
    };
    let path = request.path().strip_prefix(ROOT).unwrap_or_default();
    let (channel, behind) = first_segment(path);
    let route = worker.route(&app.gateway, channel).await?;
    let asked = take_apart(app, worker, request, route, behind)?;
    let refused = |refusal| refuse(&asked, refusal);
    check(&asked).map_err(refused)?;
    let own = asked.way.upstream.max_parallel as usize;
    let slot = Slot::take(&asked.route, app.gateway.parallel, own);
    let slot = slot.ok_or_else(|| refused(CallRefusal::ChannelBusy))?;
    let call = Exchange::new(
        Rc::clone(&asked.way.upstream),
        Arc::clone(&asked.route.shelf),
        request.conn_data::<Connection>().copied(),
        asked.record(),
        slot,
    );
    worker.watch.over(&call);
    let carried = Carried(Rc::clone(&call));
    match carry(&asked, carried, payload.into_inner()).await {
        Ok(response) => Ok(response),
        Err(fault) => {
            let connection = request.conn_data::<Connection>().copied();
            if let Some(connection) = connection.filter(|_| fault.is_the_callers()) {
                connection.cut_after(FAREWELL);
            }
            Err(fault
                .problem()
                .with("channel", &asked.route.live.watched.id)
                .with("trace_id", trace_id(&asked.traceparent)))
        }
    }
}

fn trace_id(traceparent: &str) -> &str {
    trace::trace_id(traceparent).unwrap_or_default()
}

/// Says who calls what, as far as it can be said.
fn take_apart<'a>(
    app: &App,
    worker: &Worker,
    request: &'a HttpRequest,
    route: Rc<Route>,
    behind: &'a str,
) -> Result<Asked<'a>, Problem> {
    let way = route.way.clone().ok_or_else(|| {
        Problem::unknown(
            "no_upstream",
            "该通道未设置转发地址",
            "this channel forwards nothing",
        )
        .with("channel", &route.live.watched.id)
    })?;
    if leaves_its_place(behind) {
        return Err(Problem::invalid("path", "has no segments '.' or '..'"));
    }
    let headers = request.headers();
    let (version, rest) = match text(headers, &headers::VERSION.ours) {
        "" => first_segment(behind),
        version => (version, behind),
    };
    let peer = request.conn_data::<Peer>();
    let peer = peer.map_or("", |peer| peer.0.as_str());
    let came = text(headers, &headers::TRACEPARENT.ours);
    let key = key_hash(headers);
    let known = trace::trace_id(came);
    let known = known.and_then(|id| u128::from_str_radix(id, 16).ok());
    let (trace, traceparent) = match known {
        Some(trace) => (trace, came.to_owned()),
        None => worker.traces.next(),
    };
    Ok(Asked {
        trace,
        traceparent,
        // Until a key says more.
        caller: route.access.caller_of(&key).unwrap_or(peer).to_owned(),
        key,
        length: text(headers, &CONTENT_LENGTH).parse().ok(),
        at: app.now(),
        request,
        route,
        way,
        rest,
        version,
        peer,
    })
}

fn key_hash(headers: &HeaderMap) -> KeyHash {
    let key = headers.get(&headers::KEY).map(|key| key.as_bytes());
    KeyHash(Sha256::digest(key.unwrap_or_default()).into())
}

fn check(asked: &Asked<'_>) -> Result<(), CallRefusal> {
    let Asked { route, at, .. } = asked;
    let access = &route.access;
    access.permit(&asked.caller, &asked.key, asked.version, *at)?;
    match route.under_maintenance(*at) {
        true => Err(CallRefusal::ChannelInMaintenance),
        false => Ok(()),
    }
}

/// Records a refused call, and tells its caller.
fn refuse(asked: &Asked<'_>, refusal: CallRefusal) -> Problem {
    let status = match refusal {
        CallRefusal::UnknownCaller | CallRefusal::WrongKey => StatusCode::UNAUTHORIZED,
        CallRefusal::ChannelInMaintenance | CallRefusal::ChannelBusy => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::FORBIDDEN,
    };
    let mut record = asked.record();
    record.head.status = Some(status.as_u16());
    record.head.result = Some(Outcome::Refused);
    record.head.reason = Some(refusal.code());
    asked.route.shelf.put(record);
    let (zh, en) = (refusal.sentence(Lang::Zh), refusal.sentence(Lang::En));
    Problem::new(status, refusal.code(), zh, en)
        .with("channel", &asked.route.live.watched.id)
        .with("trace_id", trace_id(&asked.traceparent))
}

impl Asked<'_> {
    fn record(&self) -> Record {
        let headers = self.request.headers();
        let kind = text(headers, &CONTENT_TYPE);
        let encoding = text(headers, &CONTENT_ENCODING);
        let keep = self.way.upstream.keep_bodies;
        let named = rules::channels::access::is_version(self.version);
        let version = if named { self.version } else { "" };
        let query = self.request.query_string();
        let mut head = Head::new(self.route.number, self.at);
        head.method = self.request.method().clone();
        head.trace = self.trace;
        head.fails_from_status = self.route.fails_from_status;
        let texts = [&*self.caller, version, self.rest, query];
        Record::new(head, texts, Part::new(keep, kind, encoding))
    }

    /// The request as the upstream gets it.
    fn outgoing(&self, body: RequestBody) -> Result<Request<RequestBody>, Fault> {
        let way = &self.way;
        let about = About {
            host: &way.host,
            caller: &self.caller,
            version: self.version,
            traceparent: &self.traceparent,
            peer: self.peer,
        };
        let query = self.request.query_string();
        let path = way.upstream.path(self.version, self.rest, query);
        let method = hyper::Method::from_bytes(self.request.method().as_str().as_bytes());
        let mut request = Request::new(body);
        *request.method_mut() = method.map_err(|_| Fault::BadResponse)?;
        *request.uri_mut() = path.try_into().map_err(|_| Fault::BadResponse)?;
        *request.headers_mut() = headers::request(self.request.headers(), &about, &way.request);
        Ok(request)
    }
}

/// Carries a call to its answer, or to its end.
async fn carry(
    asked: &Asked<'_>,
    carried: Carried,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let call = Rc::clone(&carried.0);
    let answered = match asked.length > Some(asked.way.upstream.max_request_bytes) {
        true => Err(Fault::RequestTooLarge),
        false => exchange(asked, &call, payload).await,
    };
    match answered {
        Ok((answer, link)) => respond(asked, carried, answer, link),
        Err(fault) => Err(ended(&call, fault)),
    }
}

/// Records the end of a call that is not answered.
fn ended(call: &Exchange, fault: Fault) -> Fault {
    call.fails(fault);
    call.ends();
    fault
}

type Answered = (Response<Incoming>, Link<RequestBody>);

/// Sends the request and awaits the head of its answer.
async fn exchange(
    asked: &Asked<'_>,
    call: &Rc<Exchange>,
    payload: Payload,
) -> Result<Answered, Fault> {
    let mut payload = Some(payload).filter(|payload| !matches!(payload, Payload::None));
    // What changes nothing may be asked twice.
    let repeatable = payload.is_none() && asked.request.method().is_safe();
    let body = RequestBody::new(Rc::clone(call), payload.take(), asked.length);
    let mut request = asked.outgoing(body)?;
    let pool = &asked.way.pool;
    for attempt in 1.. {
        let mut link = match pool.idle().filter(|_| attempt < ATTEMPTS) {
            Some(link) => link,
            None => {
                let opened = call.step(pool.open()).await?;
                opened.map_err(|cause| fault_of_opening(&cause))?
            }
        };
        let sent = call.step(link.sender.try_send_request(request)).await?;
        let mut refused = match sent {
            Ok(answer) => return Ok((answer, link)),
            Err(refused) => refused,
        };
        let unsent = refused.take_message();
        let cause = refused.into_error();
        // A connection that was idle may have been closed by the other side just now.
        let again = repeatable && link.used && !cause.is_parse();
        request = match unsent {
            _ if attempt >= ATTEMPTS => return Err(fault_of(&cause)),
            Some(unsent) => unsent,
            None if again => asked.outgoing(RequestBody::new(Rc::clone(call), None, None))?,
            None => return Err(fault_of(&cause)),
        };
    }
    Err(Fault::ConnectFailed)
}

/// The answer, whose body is yet to come.
fn respond(
    asked: &Asked<'_>,
    carried: Carried,
    answer: Response<Incoming>,
    link: Link<RequestBody>,
) -> Result<HttpResponse, Fault> {
    let call = &carried.0;
    let (head, body) = answer.into_parts();
    let Ok(status) = StatusCode::from_u16(head.status.as_u16()) else {
        return Err(ended(call, Fault::BadResponse));
    };
    // An upgrade was not asked for.
    if status.is_informational() {
        return Err(ended(call, Fault::BadResponse));
    }
    let length = head.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let is_head = asked.request.method() == Method::HEAD;
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let max = asked.way.upstream.max_response_bytes;
    if !is_head && !bodiless && length > Some(max) {
        return Err(ended(call, Fault::ResponseTooLarge));
    }
    let text_of = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let kind = text_of(header::CONTENT_TYPE).unwrap_or_default();
    let encoding = text_of(header::CONTENT_ENCODING).unwrap_or_default();
    let keep = asked.way.upstream.keep_bodies;
    call.answered(status.as_u16(), Part::new(keep, kind, encoding));
    let size = match (bodiless, is_head, length) {
        (true, ..) => BodySize::None,
        (false, true, length) => length.map_or(BodySize::None, BodySize::Sized),
        (false, false, _) => match body.size_hint().exact() {
            Some(length) => BodySize::Sized(length),
            None => BodySize::Stream,
        },
    };
    let mut response = HttpResponse::new(status);
    let kept_length = status == StatusCode::NOT_MODIFIED;
    headers::response(
        &head.headers,
        kept_length,
        &asked.way.response,
        response.headers_mut(),
    );
    let pool = Rc::clone(&asked.way.pool);
    if body.is_end_stream() {
        pool.keep(link);
        call.ends();
        return Ok(response.set_body(NoBody(size)).map_into_boxed_body());
    }
    let body = ResponseBody::new(carried, size, body, link, pool);
    Ok(response.set_body(body).map_into_boxed_body())
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest as _;
    use actix_web::test::TestRequest;

    use super::*;

    /// A call's state is allocated and moved once for each call: at eight kilobytes, which a step that
    /// few calls take brought along, that was a twentieth of what a call cost.
    #[actix_web::test]
    async fn a_call_takes_little_room() {
        let (request, mut payload) = TestRequest::default().to_http_parts();
        let payload = web::Payload::from_request(&request, &mut payload).await;
        let call = forward(request, payload.expect("a body"));
        assert!(size_of_val(&call) <= 2048, "{} bytes", size_of_val(&call));
    }
}
