//! Telling of calls: one, an array, or one on each line. All are good, or none is kept.
//!
//! Bodies are large, so how many are in hand at a time is bounded in bytes; the others wait before they
//! are read. Reading and masking thousands of records takes a while and is done beside the threads that
//! serve screens.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, post};
use rules::channels::{Call, CallFault, Limits, Masking, NewCall};
use rules::ids::ChannelId;
use rules::time::Timestamp;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::{find, read};
use crate::channels::Watched;
use crate::channels::own::is_own;
use crate::config::BULK_MAX;
use crate::web::App;
use crate::web::access::Action;
use crate::web::auth::{hex, random_hex};
use crate::web::body::{Body, body_too_large, malformed};
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};

/// Bodies in hand, in KiB together.
static ROOM: Semaphore = Semaphore::const_new(BULK_MAX >> 10);

/// How long a body waits for room.
const WAIT: Duration = Duration::from_secs(10);

/// How long a body may take to come.
const READ: Duration = Duration::from_secs(60);

/// What is longer than this is read beside the threads that serve others, in bytes.
const LONG: usize = 16 * 1024;

/// Bad records that are listed; more are counted.
const FAULTS_MAX: usize = 100;

pub fn configure(config: &mut ServiceConfig) {
    config.service(tell_calls);
}

/// Tells of one call, of an array of them, or, as `application/x-ndjson`, of one on each line. All are kept, or
/// none; one with an id that is known is the same call. Without ids, those of one `Idempotency-Key` are.
#[utoipa::path(post, path = "/api/v1/channels/{channel}/calls", tag = "channels",
    params(("channel" = String, Path)), request_body = Object,
    responses((status = 201, body = Object), (status = 413, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
#[post("/channels/{channel}/calls")]
async fn tell_calls(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let watched = find(&app, &caller, Action::RecordCalls, &id).await?;
    if is_own(&watched.id) {
        return Err(own_channel());
    }
    let limit = app.settings.calls.body_limit;
    let (_room, body) = take_in(&request, payload, limit).await?;
    let lines = is_lines(&request);
    let checks = Checks::new(&app, &watched, ids(&app, &caller, &body)?).await?;
    let most = app.settings.calls.per_request;
    let calls = if body.0.len() > LONG {
        let checked = web::block(move || checks.all(&body, lines, most)).await;
        checked.map_err(|_| Problem::unavailable())??
    } else {
        checks.all(&body, lines, most)?
    };
    let new = app.channels.record(&watched, &calls).await?;
    let known = calls.len() as u64 - new;
    Ok(HttpResponse::Created().json(json!({"kept": new, "known": known})))
}

/// A call of this product's own making, checked as others are.
pub(super) async fn checked(app: &App, watched: &Watched, call: NewCall) -> Result<Call, Problem> {
    let checks = Checks::new(app, watched, fresh_ids(app)?).await?;
    let checked = checks.one(0, call);
    checked.map_err(|fault| Problem::refused(&fault))
}

/// Reads the body once there is room for it.
async fn take_in(
    request: &HttpRequest,
    payload: web::Payload,
    limit: usize,
) -> Result<(SemaphorePermit<'static>, Body), Problem> {
    let told = request.headers().get("content-length");
    let told = told.and_then(|length| length.to_str().ok()?.parse().ok());
    let length: usize = told.unwrap_or(limit);
    if length > limit {
        return Err(too_large(limit));
    }
    let kib = u32::try_from(length >> 10).unwrap_or(u32::MAX) + 1;
    let kib = kib.min((BULK_MAX >> 10) as u32);
    let room = timeout(WAIT, ROOM.acquire_many(kib)).await;
    let room = room.map_err(|_| overloaded())?;
    let room = room.map_err(|_| Problem::unavailable())?;
    let read = timeout(READ, payload.to_bytes_limited(limit)).await;
    let body: Bytes = read
        .map_err(|_| too_slow())?
        .map_err(|_| too_large(limit))?
        .map_err(|_| Problem::invalid("body", "could not be read"))?;
    Ok((room, Body(body)))
}

fn own_channel() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "own_channel",
        "本系统自身的接口由系统自己计数",
        "the product counts the requests to its own interfaces itself",
    )
}

fn too_large(limit: usize) -> Problem {
    body_too_large()
        .with("limit_bytes", limit)
        .with("setting", "calls.body_limit")
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "body_incomplete",
        "请求内容迟迟没有传完",
        "the body did not come in time",
    )
}

fn overloaded() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "overloaded",
        "正在接收的调用记录过多，请稍后重试",
        "too many calls are being told of just now; please try again",
    )
}

fn is_lines(request: &HttpRequest) -> bool {
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    kind.eq_ignore_ascii_case("application/x-ndjson")
}

/// How ids begin of calls that have none: the same for the same key, sender and body.
fn ids(app: &App, caller: &Caller, body: &Body) -> Result<String, Problem> {
    let Some(key) = caller.key(body)? else {
        return fresh_ids(app);
    };
    let seed = format!("{}\n{}", key.key, key.fingerprint);
    Ok(format!("k{}", &hex(&Sha256::digest(seed.as_bytes()))[..24]))
}

/// Ids rise with time: the index of ids then grows at its end and not all over.
fn fresh_ids(app: &App) -> Result<String, Problem> {
    let chance = random_hex(6).map_err(|_| Problem::unavailable())?;
    Ok(format!("c{:x}{chance}", app.now().millis()))
}

/// By what told calls are checked.
struct Checks {
    channel: ChannelId,
    limits: Limits,
    masking: Masking,
    now: Timestamp,
    ids: String,
}

/// A record that cannot be.
#[derive(Serialize)]
struct Fault {
    /// From 0.
    record: usize,
    /// From 1, of bodies with a record on each line.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    field: String,
    reason: String,
}

/// A record as it came, and on which line if each has one.
struct Piece<'a> {
    line: Option<usize>,
    text: &'a [u8],
}

impl Checks {
    async fn new(app: &App, watched: &Watched, ids: String) -> Result<Self, Problem> {
        Ok(Self {
            channel: watched.id.clone(),
            limits: read(watched, |channel, _| channel.limits()).await?,
            masking: Masking::default(),
            now: app.now(),
            ids,
        })
    }

    fn one(&self, n: usize, call: NewCall) -> Result<Call, CallFault> {
        let id = || format!("{}-{n}", self.ids);
        call.checked(&self.channel, id, &self.limits, &self.masking, self.now)
    }

    /// The calls of a body as they are kept, or what is wrong with which.
    fn all(&self, body: &Body, lines: bool, most: usize) -> Result<Vec<Call>, Problem> {
        let pieces = match (lines, body.is_list()) {
            (true, _) => of_lines(&body.0),
            (false, true) => of_array(&body.0)?,
            (false, false) => {
                let call = self.one(0, body.parse()?);
                return Ok(vec![call.map_err(|fault| Problem::refused(&fault))?]);
            }
        };
        if pieces.len() > most {
            return Err(too_many(pieces.len(), most));
        }
        let mut calls = Vec::with_capacity(pieces.len());
        let (mut bad, mut faults) = (0, Vec::new());
        for (n, piece) in pieces.iter().enumerate() {
            match self.piece(n, piece) {
                Ok(call) => calls.push(call),
                Err(fault) => {
                    bad += 1;
                    if faults.len() < FAULTS_MAX {
                        faults.push(fault);
                    }
                }
            }
        }
        match faults.first() {
            None => Ok(calls),
            Some(first) => Err(Problem::invalid(&first.field, &first.reason)
                .with("bad", bad)
                .with("faults", &faults)),
        }
    }

    fn piece(&self, n: usize, piece: &Piece<'_>) -> Result<Call, Fault> {
        let fault = |field: &str, reason: String| Fault {
            record: n,
            line: piece.line,
            field: match field {
                "." => format!("[{n}]"),
                _ => format!("[{n}].{field}"),
            },
            reason,
        };
        let call: NewCall = match serde_json::from_slice(piece.text) {
            Ok(call) => call,
            // Once more, slowly, to say where.
            Err(cause) => {
                let mut json = serde_json::Deserializer::from_slice(piece.text);
                let found: Result<NewCall, _> = serde_path_to_error::deserialize(&mut json);
                let field = found.err().map(|error| error.path().to_string());
                return Err(fault(field.as_deref().unwrap_or("."), cause.to_string()));
            }
        };
        let checked = self.one(n, call);
        checked.map_err(|found| fault(found.field, found.to_string()))
    }
}

fn of_array(body: &[u8]) -> Result<Vec<Piece<'_>>, Problem> {
    let records: Vec<&RawValue> =
        serde_json::from_slice(body).map_err(|error| malformed(&error, "."))?;
    let pieces = records.into_iter().map(|record| record.get().as_bytes());
    Ok(pieces.map(|text| Piece { line: None, text }).collect())
}

fn of_lines(body: &[u8]) -> Vec<Piece<'_>> {
    let lines = body.split(|byte| *byte == b'\n').enumerate();
    let filled = lines.filter(|(_, text)| !text.trim_ascii().is_empty());
    filled
        .map(|(n, text)| Piece {
            line: Some(n + 1),
            text,
        })
        .collect()
}

fn too_many(calls: usize, most: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_many_calls",
        "一次请求中的调用记录过多",
        "there are too many calls in one request",
    )
    .with("calls", calls)
    .with("limit", most)
    .with("setting", "calls.per_request")
}
