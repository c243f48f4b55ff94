//! The pusher: sends what waits to each feed's target, record by record, until the target has it.
//!
//! ```text
//! due records ──> attempts, a few at a time ──> what came of them (durable) ──> count of the batch
//! ```
//!
//! Each record goes under an `Idempotency-Key` of its own, the same at every attempt: when an answer is
//! lost, or this process dies between the answer and its note, the record is sent again and the target
//! knows it. Attempts are calls of the feed's channel.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::web::Data;
use awc::Client;
use awc::http::StatusCode;
use futures_util::{StreamExt as _, stream};
use rules::channels::NewCall;
use rules::channels::Outcome as CallOutcome;
use rules::channels::feed::{FeedDirection, FeedSetup, Source, Target};
use rules::desk::messages::Outcome;
use rules::desk::receivers::WayKind;
use rules::ids::{FeedId, HallId};
use rules::time::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::{FeedError, Holder};
use crate::notices::breaker::Breakers;
use crate::notices::letter::Lane;
use crate::notices::post::{by_status, client, unanswered};
use crate::notices::webhook::sign;
use crate::store::records::{DueRecord, Pushed};
use crate::web::App;
use crate::web::auth::hex;

/// The pusher looks by itself so often, whatever it is told or not told.
const LOOK: Duration = Duration::from_millis(500);

/// Records whose outcomes are noted together.
const WAVE: u32 = 64;

/// Longest wait between two attempts.
const RETRY_MAX_SECS: u64 = 300;

/// Largest answer that is read, and what of it is shown.
const ANSWER_MAX: usize = 64 * 1024;

/// Who the journal and the history of calls say it was.
pub const BY: &str = "pusher";

/// What the feeds' passes share. All of it lives on one thread.
pub(super) struct Pusher {
    pub(super) app: Data<App>,
    client: Client,
    breakers: RefCell<Breakers>,
    /// Feeds whose pass is under way.
    busy: RefCell<BTreeSet<FeedId>>,
    /// Up to which event of a hall a feed has its tickets.
    pub(super) gathered: RefCell<BTreeMap<(FeedId, HallId), u64>>,
}

/// Pushes for ever, on the present thread.
///
/// # Errors
/// The encryption cannot be set up.
pub async fn run(app: Data<App>) -> anyhow::Result<()> {
    let settings = &app.settings.feeds;
    let pusher = Rc::new(Pusher {
        client: client(settings.timeout())?,
        breakers: RefCell::new(Breakers::new(
            settings.breaker_failures,
            settings.breaker_secs,
        )),
        busy: RefCell::default(),
        gathered: RefCell::default(),
        app: app.clone(),
    });
    loop {
        for holder in app.feeds.all() {
            if pusher.busy.borrow_mut().insert(holder.id.clone()) {
                let pusher = Rc::clone(&pusher);
                actix_web::rt::spawn(async move {
                    if let Err(cause) = pusher.pass(&holder).await {
                        warn!(feed = %holder.id, %cause, "feed not pushed yet");
                    }
                    pusher.busy.borrow_mut().remove(&holder.id);
                });
            }
        }
        tokio::select! {
            () = app.feeds.due.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// One attempt and what is told of it.
struct Attempt {
    batch: String,
    pushed: Pushed,
    call: NewCall,
}

/// What a target answered, if it did.
struct Answered {
    status: Option<StatusCode>,
    body: Value,
    outcome: Outcome,
}

impl Pusher {
    /// Whatever is to be done for one feed now.
    async fn pass(&self, holder: &Holder) -> Result<(), FeedError> {
        let setup = holder.read(|feed, _| feed.setup().cloned()).await?;
        let Some(setup) = setup.filter(|setup| setup.direction == FeedDirection::Push) else {
            return Ok(());
        };
        if setup.source == Some(Source::Tickets) {
            self.gather_tickets(holder, &setup).await?;
        }
        self.list_held(holder, &setup).await?;
        let Some(target) = &setup.target else {
            return Ok(());
        };
        while self.wave(holder, &setup, target).await? {}
        Ok(())
    }

    /// Tries some of the records that are due; whether there may be more.
    async fn wave(
        &self,
        holder: &Holder,
        setup: &FeedSetup,
        target: &Target,
    ) -> Result<bool, FeedError> {
        let records = &self.app.records;
        let due = records
            .due_feed_records(&holder.id, self.app.now(), WAVE)
            .await?;
        let whole = due.len() == WAVE as usize;
        let tries = due
            .into_iter()
            .map(|record| self.attempt(&holder.id, target, record));
        let tries = stream::iter(tries).buffer_unordered(self.app.settings.feeds.parallel);
        let tried: Vec<Option<Attempt>> = tries.collect().await;
        let all_tried = tried.iter().all(Option::is_some);
        let mut by_batch: BTreeMap<String, Vec<Pushed>> = BTreeMap::new();
        let mut calls = Vec::new();
        for attempt in tried.into_iter().flatten() {
            by_batch
                .entry(attempt.batch)
                .or_default()
                .push(attempt.pushed);
            calls.push(attempt.call);
        }
        for (batch, pushed) in by_batch {
            self.app.feeds.told(holder, &batch, &pushed, BY).await?;
        }
        self.record(setup, calls).await?;
        Ok(whole && all_tried)
    }

    /// One attempt; none while the target is left alone.
    async fn attempt(&self, feed: &FeedId, target: &Target, record: DueRecord) -> Option<Attempt> {
        let lane = Lane::of(WayKind::Webhook, feed.as_str());
        let at = self.app.now();
        self.breakers.borrow_mut().pass(&lane, at).ok()?;
        let (started, key) = (Instant::now(), idempotency_key(feed, &record));
        let answered = self.send(feed, target, &record, &key, at).await;
        let took = started.elapsed();
        if self
            .breakers
            .borrow_mut()
            .note(&lane, &answered.outcome, self.app.now())
        {
            warn!(%feed, outcome = ?answered.outcome, "target of a feed left alone for a while");
        }
        let failed = match &answered.outcome {
            Outcome::Delivered { .. } => None,
            Outcome::Refused { reason }
            | Outcome::Failed { reason }
            | Outcome::Uncertain { reason } => Some(reason.clone()),
        };
        let attempts = record.attempts + 1;
        let for_good = matches!(answered.outcome, Outcome::Refused { .. });
        let again = failed.is_some() && !for_good && attempts < target.attempts_max;
        let call = NewCall {
            id: Some(format!("{}-{attempts}-{}", &key[..24], at.millis())),
            caller: "hallkeeper".to_owned(),
            version: None,
            at,
            duration_ms: Some(took.as_secs_f64() * 1000.0),
            status: answered.status.map(|status| status.as_u16()),
            result: Some(match failed {
                None => CallOutcome::Ok,
                Some(_) => CallOutcome::Failed,
            }),
            reason: failed.clone(),
            trace_id: None,
            request: Some(json!({
                "method": "POST", "path": path_of(&target.url), "feed": feed,
                "batch": record.batch, "record": record.id, "idempotency_key": key,
                "attempt": attempts,
            })),
            response: Some(answered.body),
        };
        Some(Attempt {
            pushed: Pushed {
                id: record.id,
                failed,
                next_at: again.then(|| self.retry_at(attempts)),
            },
            batch: record.batch,
            call,
        })
    }

    /// After so many attempts: twice as long each time.
    fn retry_at(&self, attempts: u32) -> Timestamp {
        let first = self.app.settings.feeds.retry_ms;
        let doubled = first.saturating_mul(1 << attempts.saturating_sub(1).min(20));
        let wait = doubled.min(RETRY_MAX_SECS * 1000);
        let now = self.app.now().millis();
        Timestamp::from_millis(now.saturating_add(i64::try_from(wait).unwrap_or(i64::MAX)))
    }

    async fn send(
        &self,
        feed: &FeedId,
        target: &Target,
        record: &DueRecord,
        key: &str,
        at: Timestamp,
    ) -> Answered {
        let body = json!({
            "feed": feed, "batch": record.batch, "id": record.id, "record": record.body,
        });
        let body = body.to_string();
        let timestamp = (at.millis() / 1000).to_string();
        let mut request = self
            .client
            .post(&target.url)
            .insert_header(("Content-Type", "application/json"))
            .insert_header(("Idempotency-Key", key))
            .insert_header(("X-Hallkeeper-Attempt", (record.attempts + 1).to_string()))
            .insert_header(("X-Hallkeeper-Timestamp", timestamp.clone()));
        let secrets = &self.app.settings.feeds.secrets;
        if let Some(name) = &target.secret {
            let Some(secret) = secrets.get(name) else {
                // The settings changed since the feed was set up: unsigned it must not go.
                let reason = format!("the secret {name} is not in this server's settings");
                return Answered::nothing(Outcome::Failed { reason });
            };
            let signature = sign(secret.reveal(), format!("{timestamp}.{body}").as_bytes());
            let signature = format!("sha256={}", hex(&signature));
            request = request.insert_header(("X-Hallkeeper-Signature", signature));
        }
        let mut answer = match request.send_body(body).await {
            Ok(answer) => answer,
            Err(cause) => return Answered::nothing(unanswered(&cause)),
        };
        let status = answer.status();
        let text = answer.body().limit(ANSWER_MAX).await;
        let outcome = match (status.is_success(), &text) {
            (true, Ok(_)) => Outcome::Delivered { receipt: None },
            (true, Err(cause)) => Outcome::Uncertain {
                reason: format!("answered {status}, then broke off: {cause}"),
            },
            (false, _) => by_status(status),
        };
        let text = text.unwrap_or_default();
        Answered {
            status: Some(status),
            body: Value::String(String::from_utf8_lossy(&text).into_owned()),
            outcome,
        }
    }

    /// Notes attempts in the history of the feed's channel, if it has one.
    async fn record(&self, setup: &FeedSetup, calls: Vec<NewCall>) -> Result<(), FeedError> {
        let channel = setup.channel.as_ref();
        let Some(watched) = channel.and_then(|channel| self.app.channels.get(channel)) else {
            return Ok(());
        };
        let limits = watched.desk.read(|channel, _| channel.limits()).await;
        let limits = limits.unwrap_or_default();
        let now = self.app.now();
        let checked = calls.into_iter().filter_map(|call| {
            let checked = call.checked(&watched.id, String::new, &limits, &setup.masking, now);
            checked
                .inspect_err(|fault| warn!(%fault, "attempt not in the history"))
                .ok()
        });
        let checked: Vec<_> = checked.collect();
        if !checked.is_empty() {
            self.app.channels.record(&watched, &checked).await?;
        }
        Ok(())
    }
}

impl Answered {
    const fn nothing(outcome: Outcome) -> Self {
        Self {
            status: None,
            body: Value::Null,
            outcome,
        }
    }
}

/// The same for the same contents at every attempt, and another one for others.
fn idempotency_key(feed: &FeedId, record: &DueRecord) -> String {
    let mut key = Sha256::new();
    for part in [feed.as_str(), &record.id, &record.digest] {
        key.update((part.len() as u64).to_be_bytes());
        key.update(part.as_bytes());
    }
    // A corrected record has the digest of what it was: what is sent counts, too.
    key.update(record.body.to_string().as_bytes());
    hex(&key.finalize())[..48].to_owned()
}

fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    path.split('?').next().unwrap_or(path)
}
