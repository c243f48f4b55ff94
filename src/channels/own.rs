//! The product's own interfaces as channels: each family of its HTTP routes is one, made at start.
//!
//! Requests are counted in memory, beside the answer: a note in a bounded list, which a task hands to the
//! channels once a second. They cost no write; only some failures and refusals are in the history of
//! calls, at most one of each a second and family, masked as all calls are. What a family has counted
//! comes back from its last snapshot, up to a minute old.
//!
//! A refused or mistaken request is not our failure; an answer of 500 or more is.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actors::clock::SystemClock;
use actors::ports::Clock as _;
use rules::channels::{Channel, Limits, Masking, Measured, NewCall, Outcome};
use rules::ids::ChannelId;
use rules::time::Timestamp;
use serde_json::{Value, json};
use tracing::warn;

use super::{Channels, Watched};
use crate::metrics::spans::traceparent;
use crate::web::App;

/// Ids of these channels begin so; no other's may.
pub const PREFIX: &str = "own-";

/// Requests of a family that wait to be counted; what comes beyond them within a second is not.
const WAITING_MAX: usize = 50_000;

const COUNT_EVERY: Duration = Duration::from_secs(1);

/// The families: id, and name.
const FAMILIES: [(&str, &str, &str); 10] = [
    ("own-tickets", "本系统 取号与票", "Own: tickets"),
    ("own-windows", "本系统 窗口叫号", "Own: windows"),
    ("own-halls", "本系统 大厅设置与状态", "Own: halls"),
    ("own-cases", "本系统 办件", "Own: cases"),
    (
        "own-alerts",
        "本系统 预警与工单",
        "Own: alerts and work orders",
    ),
    (
        "own-channels",
        "本系统 接口与数据",
        "Own: channels and feeds",
    ),
    (
        "own-devices",
        "本系统 设备与屏幕",
        "Own: devices and strips",
    ),
    (
        "own-accounts",
        "本系统 登录与账号",
        "Own: sessions and accounts",
    ),
    ("own-live", "本系统 实时推送", "Own: the live feed"),
    ("own-pages", "本系统 页面", "Own: pages"),
];

/// The family of a path; none of what machines ask that watch. Traffic of others does not come by here.
fn family(path: &str) -> Option<usize> {
    let Some(path) = path.strip_prefix("/api/v1/") else {
        return match path {
            "/healthz" | "/readyz" | "/metrics" => None,
            "/ws" => Some(8),
            _ => Some(9),
        };
    };
    let mut parts = path.split('/');
    let (first, third) = (parts.next().unwrap_or(""), parts.nth(1).unwrap_or(""));
    Some(match (first, third) {
        ("halls", "windows") => 1,
        ("halls", "devices" | "strips" | "occupancy") => 6,
        ("halls", "case-progress") => 3,
        ("halls", third) if third.starts_with("tickets") => 0,
        ("halls", "menu" | "slip" | "visitors") => 0,
        ("halls", _) => 2,
        ("tickets" | "visitors" | "journeys", _) => 0,
        ("cases", _) => 3,
        (
            "alerts" | "silences" | "rules" | "work-orders" | "problems" | "messages"
            | "message-templates" | "receivers",
            _,
        ) => 4,
        ("channels" | "feeds" | "directory" | "ops", _) => 5,
        ("devices" | "strips" | "device", _) => 6,
        ("session" | "users" | "audit" | "tags", _) => 7,
        _ => 2,
    })
}

/// Whether this is the id of one of them.
pub fn is_own(id: &ChannelId) -> bool {
    id.as_str().starts_with(PREFIX)
}

/// A request, as far as it is counted.
#[derive(Debug, Clone, Copy)]
struct Noted {
    micros: u64,
    status: u16,
    signed_in: bool,
}

/// One that goes into the history.
#[derive(Debug)]
struct Example {
    noted: Noted,
    at: Timestamp,
    method: String,
    path: String,
    trace_id: Option<String>,
}

#[derive(Debug, Default)]
struct Waiting {
    noted: Vec<Noted>,
    failed: Option<Example>,
    refused: Option<Example>,
}

/// Requests that wait to be counted, by family.
#[derive(Debug, Default)]
pub struct Own([Mutex<Waiting>; FAMILIES.len()]);

impl Noted {
    const fn outcome(self) -> Outcome {
        match self.status {
            401 | 403 => Outcome::Refused,
            500.. => Outcome::Failed,
            _ => Outcome::Ok,
        }
    }

    const fn caller(self) -> &'static str {
        if self.signed_in {
            "signed-in"
        } else {
            "visitor"
        }
    }

    fn measured(&self) -> Measured<'static> {
        Measured {
            caller: self.caller(),
            version: "v1",
            outcome: self.outcome(),
            status: Some(self.status),
            micros: Some(self.micros),
        }
    }
}

/// Counts each request, whatever becomes of it.
pub async fn count(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let begun = Instant::now();
    let answer = next.call(request).await?;
    let request = answer.request();
    if let (Some(app), Some(family)) = (request.app_data::<Data<App>>(), family(request.path())) {
        let headers = request.headers();
        let noted = Noted {
            micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            status: answer.status().as_u16(),
            signed_in: headers.contains_key("authorization") || headers.contains_key("cookie"),
        };
        app.spans.note(&answer, begun.elapsed());
        app.own.note(family, noted, || Example {
            noted,
            at: SystemClock.now(),
            method: request.method().to_string(),
            // The route, not the address: that may name a ticket.
            path: request.match_pattern().unwrap_or_default(),
            trace_id: headers
                .get("traceparent")
                .and_then(|parent| traceparent(parent.to_str().ok()?))
                .map(|(trace, _)| trace),
        });
    }
    Ok(answer)
}

impl Own {
    fn note(&self, family: usize, noted: Noted, example: impl FnOnce() -> Example) {
        let mut waiting = self.0[family]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if waiting.noted.len() < WAITING_MAX {
            waiting.noted.push(noted);
        }
        let slot = match noted.outcome() {
            Outcome::Ok => return,
            Outcome::Failed => &mut waiting.failed,
            Outcome::Refused => &mut waiting.refused,
        };
        slot.get_or_insert_with(example);
    }

    fn take(&self, family: usize) -> Waiting {
        let mut waiting = self.0[family]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *waiting)
    }
}

/// Makes the channels that are not there yet.
///
/// # Errors
/// The journal cannot be written.
pub async fn make(channels: &Channels) -> anyhow::Result<()> {
    for (id, zh, en) in FAMILIES {
        let id: ChannelId = id.parse()?;
        channels.made(&id, setup(zh, en), "hallkeeper").await?;
    }
    Ok(())
}

fn setup(zh: &str, en: &str) -> Value {
    json!({
        "name": {"zh": zh, "en": en}, "provider": "hallkeeper", "direction": "inbound", "group": "own",
        // A request that was refused or mistaken is not our failure.
        "limits": {"fails_from_status": 500},
    })
}

/// Hands what was noted to the channels, for ever.
pub async fn count_for_ever(app: Data<App>) {
    loop {
        tokio::time::sleep(COUNT_EVERY).await;
        count_noted(&app).await;
    }
}

/// Hands over what was noted so far.
pub async fn count_noted(app: &App) {
    for (family, (id, ..)) in FAMILIES.into_iter().enumerate() {
        let waiting = app.own.take(family);
        let watched = id.parse().ok().and_then(|id| app.channels.get(&id));
        let Some(watched) = watched.filter(|_| !waiting.noted.is_empty()) else {
            continue;
        };
        record(&watched, waiting.noted).await;
        let examples = [waiting.failed, waiting.refused].into_iter().flatten();
        for example in examples {
            if let Err(cause) = keep(app, &watched, example).await {
                warn!(channel = %watched.id, %cause, "a failure is not in the history");
            }
        }
    }
}

async fn record(watched: &Watched, mut noted: Vec<Noted>) {
    for one in &noted {
        watched.counters.note(one.outcome(), Some(one.micros));
    }
    watched.touched();
    // Each turn of health is journalled before the next request is counted.
    while !noted.is_empty() {
        let update = watched.desk.update(move |channel: &mut Channel, now| {
            let turned = noted
                .iter()
                .position(|one| channel.record(&one.measured(), None, now));
            noted.split_off(turned.map_or(noted.len(), |at| at + 1))
        });
        match update.await {
            Some(rest) => noted = rest,
            // It is being rebuilt; these are few.
            None => return,
        }
    }
}

async fn keep(app: &App, watched: &Watched, example: Example) -> anyhow::Result<()> {
    let noted = example.noted;
    let call = NewCall {
        id: None,
        caller: noted.caller().to_owned(),
        version: Some("v1".to_owned()),
        at: example.at,
        duration_ms: Some(noted.micros as f64 / 1000.0),
        status: Some(noted.status),
        result: Some(noted.outcome()),
        reason: None,
        trace_id: example.trace_id,
        request: Some(json!({"method": example.method, "path": example.path})),
        response: None,
    };
    let id = format!("o{:x}-{}", example.at.millis(), noted.status);
    let (limits, masking) = (Limits::default(), Masking::default());
    let call = call.checked(&watched.id, || id, &limits, &masking, app.now())?;
    let ready = app.records.ready_calls(&[call], app.now())?;
    app.records.keep_calls(ready).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_one_family() {
        let id = |path| family(path).map(|at| FAMILIES[at].0);
        assert_eq!(id("/api/v1/halls/H1/tickets.csv"), Some("own-tickets"));
        assert_eq!(
            id("/api/v1/halls/H1/windows/3/call-next"),
            Some("own-windows")
        );
        assert_eq!(id("/api/v1/halls"), Some("own-halls"));
        assert_eq!(id("/api/v1/channels/sms/calls"), Some("own-channels"));
        assert_eq!(id("/api/v1/session"), Some("own-accounts"));
        assert_eq!(id("/ws"), Some("own-live"));
        assert_eq!(id("/board/H1"), Some("own-pages"));
        assert_eq!(id("/metrics"), None);
    }
}
