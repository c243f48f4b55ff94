//! Batches: opened, filled, told of, closed, sent again, compared with the other side.

use std::collections::BTreeMap;

use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use rules::channels::feed::compare::COMPARED_MAX;
use rules::channels::feed::machine::RECORDS_AT_ONCE_MAX;
use rules::channels::feed::{FeedCommand, FeedRefusal, NewRecord};
use rules::machine::ItemKind;
use rules::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{BatchRequest, find, windows};
use crate::feeds::{FeedError, Holder, digest};
use crate::store::records::Pushed;
use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::once::once;
use crate::web::routes::answer;
use crate::web::routes::desk::{page, submit};
use crate::web::routes::items::{ListQuery, instant};

/// Longest reason why pushing a record failed, in characters.
const REASON_MAX_CHARS: usize = 200;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(open)
        .service(show)
        .service(take)
        .service(acknowledge)
        .service(close)
        .service(retry)
        .service(compare_batch)
        .service(compare_all);
}

/// Batches of a feed, the newest first; all of them, also those the feed itself no longer remembers.
#[utoipa::path(get, path = "/api/v1/feeds/{feed}/batches", tag = "feeds",
    params(("feed" = String, Path), ListQuery),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/{feed}/batches")]
async fn list(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    find(&app, &caller, Action::SeeChannels, &id).await?;
    let mut query = query.into_inner();
    query.about = Some(id.into_inner());
    query.sort = query.sort.or_else(|| Some("newest".to_owned()));
    page(&app, &caller, ItemKind::Batch, &query).await
}

/// A batch to be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchBody {
    batch: String,
    /// How many records it will have, if that is known.
    expected: Option<u64>,
}

/// Opens a batch. One whose first records come is opened by them.
#[utoipa::path(post, path = "/api/v1/feeds/{feed}/batches", tag = "feeds",
    params(("feed" = String, Path)), request_body = BatchBody,
    responses((status = 201, body = Object), (status = 409, body = ProblemBody)))]
#[post("/{feed}/batches")]
async fn open(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (holder, _) = find(&app, &caller, Action::RecordCalls, &id).await?;
    let BatchBody { batch, expected } = body.parse()?;
    let command = FeedCommand::Open {
        batch: batch.clone(),
        expected,
    };
    let done = submit(&holder.desk, &caller, &body, command).await?;
    let face = face(&holder, &batch).await?;
    Ok(answer(HttpResponse::Created(), done.replayed, &face))
}

async fn face(holder: &Holder, batch: &str) -> Result<Value, Problem> {
    let asked = batch.to_owned();
    let face = holder.read(move |feed, _| feed.batch_face(&asked));
    face.await?.ok_or_else(|| unknown(batch))
}

fn unknown(batch: &str) -> Problem {
    let batch = batch.to_owned();
    FeedError::from(FeedRefusal::UnknownBatch { batch }).into()
}

/// A batch, with what differs from the other side if it was compared.
#[utoipa::path(get, path = "/api/v1/feeds/{feed}/batches/{batch}", tag = "feeds",
    params(("feed" = String, Path), ("batch" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/{feed}/batches/{batch}")]
async fn show(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (id, batch) = path.into_inner();
    let (holder, _) = find(&app, &caller, Action::SeeChannels, &id).await?;
    let asked = batch.clone();
    let known = holder.read(move |feed, _| {
        let mut face = feed.batch_face(&asked)?;
        face["difference"] = json!(feed.batch(&asked)?.difference);
        Some(face)
    });
    if let Some(face) = known.await? {
        return Ok(HttpResponse::Ok().json(face));
    }
    // Long ago: the list still has it.
    let item = app
        .records
        .item(ItemKind::Batch, &format!("{id}/{batch}"))
        .await?;
    let item = item.ok_or_else(|| unknown(&batch))?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(item.body))
}

/// A record as it comes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordBody {
    /// Unique in its feed; without it the feed's key field or the contents name it.
    id: Option<String>,
    /// Its row in a file.
    row: Option<u64>,
    /// Checksum that the other side knows it by; without it one is made of the contents.
    digest: Option<String>,
    /// RFC 3339; when it changed at its source.
    changed_at: Option<String>,
    /// The record: a JSON object.
    #[schema(value_type = Object)]
    body: Value,
    /// Why the row of a file could not be read; it is held back as it came.
    unreadable: Option<String>,
}

/// Records in bulk.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordsBody {
    records: Vec<RecordBody>,
}

impl RecordBody {
    fn told(self, place: usize, most: usize) -> Result<NewRecord, Problem> {
        let field = |name: &str| format!("records[{place}].{name}");
        if self.body.to_string().len() > most {
            return Err(Problem::invalid(&field("body"), "has 65536 bytes at most"));
        }
        let changed_at = instant(&field("changed_at"), self.changed_at.as_deref())?;
        Ok(NewRecord {
            id: self.id,
            row: self.row,
            digest: self.digest.unwrap_or_else(|| digest(&self.body)),
            changed_at,
            body: self.body,
            unreadable: self.unreadable,
        })
    }
}

/// Takes records into a batch, 10,000 at once and 50,000 in a batch at most. Each is accepted, corrected
/// where that can mean only one thing, or held in quarantine; of a feed that pushes, it waits to be
/// pushed. The same record again changes nothing. All are kept, or none.
#[utoipa::path(post, path = "/api/v1/feeds/{feed}/batches/{batch}/records", tag = "feeds",
    params(("feed" = String, Path), ("batch" = String, Path)), request_body = RecordsBody,
    responses((status = 201, body = Object), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[post("/{feed}/batches/{batch}/records")]
async fn take(asked: BatchRequest) -> Result<HttpResponse, Problem> {
    let batch = asked.batch.as_str();
    let (holder, setup) = asked.find(Action::RecordCalls).await?;
    once(&asked.app, &asked.caller, &asked.body, async {
        let RecordsBody { records } = asked.body.parse()?;
        let most = rules::channels::feed::record::RECORD_MAX_BYTES;
        let records = records.into_iter().enumerate();
        let records = records.map(|(place, record)| record.told(place, most));
        let records = records.collect::<Result<Vec<_>, _>>()?;
        let windows = windows(&asked.app, &setup).await?;
        let taken = asked
            .app
            .feeds
            .take(&holder, batch, records, windows, asked.by())
            .await?;
        Ok(json!({"taken": taken, "batch": face(&holder, batch).await?}))
    })
    .await
}

/// What came of pushing a record once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PushedBody {
    id: String,
    /// Why it failed; without it, it was acknowledged.
    failed: Option<String>,
}

/// Tells what came of pushing records that another system pushes: one attempt each.
#[utoipa::path(post, path = "/api/v1/feeds/{feed}/batches/{batch}/acknowledgements", tag = "feeds",
    params(("feed" = String, Path), ("batch" = String, Path)), request_body = Vec<PushedBody>,
    responses((status = 201, body = Object), (status = 409, body = ProblemBody)))]
#[post("/{feed}/batches/{batch}/acknowledgements")]
async fn acknowledge(asked: BatchRequest) -> Result<HttpResponse, Problem> {
    let batch = asked.batch.as_str();
    let (holder, setup) = asked.find(Action::RecordCalls).await?;
    once(&asked.app, &asked.caller, &asked.body, async {
        let told: Vec<PushedBody> = asked.body.parse()?;
        if told.len() > RECORDS_AT_ONCE_MAX {
            return Err(FeedError::from(FeedRefusal::TooManyAtOnce {
                max: RECORDS_AT_ONCE_MAX,
            })
            .into());
        }
        let mut pushed: BTreeMap<String, Pushed> = BTreeMap::new();
        for (place, one) in told.into_iter().enumerate() {
            let plain = !one.id.trim().is_empty() && one.id.len() <= 64;
            if !plain || one.id.chars().any(char::is_control) {
                let field = format!("[{place}].id");
                return Err(Problem::invalid(&field, "is one line of 1 to 64 bytes"));
            }
            let reason = |text: String| setup.masking.text(&text);
            let short = |text: String| text.chars().take(REASON_MAX_CHARS).collect();
            let failed = one.failed.map(reason).map(short);
            let id = one.id.clone();
            let pushed_one = Pushed {
                id: one.id,
                failed,
                next_at: None,
            };
            if pushed.insert(id, pushed_one).is_some() {
                let field = format!("[{place}].id");
                return Err(Problem::invalid(
                    &field,
                    "stands twice: tell one attempt at a time",
                ));
            }
        }
        let pushed: Vec<Pushed> = pushed.into_values().collect();
        asked
            .app
            .feeds
            .told(&holder, batch, &pushed, asked.by())
            .await?;
        face(&holder, batch).await
    })
    .await
}

/// Closes a batch: everything was handed over. It is reconciled if all arrived, incomplete otherwise.
#[utoipa::path(post, path = "/api/v1/feeds/{feed}/batches/{batch}/close", tag = "feeds",
    params(("feed" = String, Path), ("batch" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[post("/{feed}/batches/{batch}/close")]
async fn close(asked: BatchRequest) -> Result<HttpResponse, Problem> {
    let batch = asked.batch.as_str();
    let (holder, _) = asked.find(Action::RecordCalls).await?;
    let command = FeedCommand::Close {
        batch: batch.to_owned(),
    };
    let done = submit(&holder.desk, &asked.caller, &asked.body, command).await?;
    let face = face(&holder, batch).await?;
    Ok(answer(HttpResponse::Ok(), done.replayed, &face))
}

/// Sends what failed again, now. What was acknowledged is not sent again.
#[utoipa::path(post, path = "/api/v1/feeds/{feed}/batches/{batch}/retry", tag = "feeds",
    params(("feed" = String, Path), ("batch" = String, Path)),
    responses((status = 201, body = Object), (status = 409, body = ProblemBody)))]
#[post("/{feed}/batches/{batch}/retry")]
async fn retry(asked: BatchRequest) -> Result<HttpResponse, Problem> {
    let batch = asked.batch.as_str();
    let (holder, _) = asked.find(Action::ManageChannels).await?;
    once(&asked.app, &asked.caller, &asked.body, async {
        let again = asked.app.feeds.retry(&holder, batch).await?;
        asked
            .audit("feed_retried", json!({"batch": batch, "records": again}))
            .await?;
        Ok(json!({"again": again}))
    })
    .await
}

/// What the other side has: ids, or ids with digests.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TheirsBody {
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    digests: BTreeMap<String, String>,
}

impl TheirsBody {
    fn theirs(self) -> Result<BTreeMap<String, Option<String>>, Problem> {
        if self.ids.len() + self.digests.len() > COMPARED_MAX {
            let max = COMPARED_MAX;
            return Err(FeedError::from(FeedRefusal::TooManyToCompare { max }).into());
        }
        let ids = self.ids.into_iter().map(|id| (id, None));
        let digests = self
            .digests
            .into_iter()
            .map(|(id, digest)| (id, Some(digest)));
        Ok(ids.chain(digests).collect())
    }
}

/// Compares a batch with what the other side has: what is missing there, missing here, or differs, each
/// with what is known of why. Nothing is made up or sent by it.
#[utoipa::path(post, path = "/api/v1/feeds/{feed}/batches/{batch}/reconcile", tag = "feeds",
    params(("feed" = String, Path), ("batch" = String, Path)), request_body = TheirsBody,
    responses((status = 201, body = Object), (status = 404, body = ProblemBody)))]
#[post("/{feed}/batches/{batch}/reconcile")]
async fn compare_batch(asked: BatchRequest) -> Result<HttpResponse, Problem> {
    let (feed, batch) = (&asked.feed, Some(asked.batch.as_str()));
    compared(&asked.app, &asked.caller, feed, batch, &asked.body).await
}

/// Compares all records of a feed, the newest of each, with what the other side has.
#[utoipa::path(post, path = "/api/v1/feeds/{feed}/reconcile", tag = "feeds",
    params(("feed" = String, Path)), request_body = TheirsBody,
    responses((status = 201, body = Object), (status = 404, body = ProblemBody)))]
#[post("/{feed}/reconcile")]
async fn compare_all(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    compared(&app, &caller, &id, None, &body).await
}

async fn compared(
    app: &App,
    caller: &Caller,
    id: &str,
    batch: Option<&str>,
    body: &Body,
) -> Result<HttpResponse, Problem> {
    let (holder, setup) = find(app, caller, Action::RecordCalls, id).await?;
    once(app, caller, body, async {
        let theirs = body.parse::<TheirsBody>()?.theirs()?;
        let by = &caller.principal.name;
        app.feeds.compare(&holder, batch, &theirs, by).await?;
        let found = holder.read(move |feed, _: Timestamp| {
            let compared = feed.compared()?;
            let percent = compared.difference.arrived_percent(setup.direction);
            Some(json!({
                "at": setup.time_zone.rfc3339(compared.at), "batch": compared.batch,
                "arrived_percent": percent, "difference": compared.difference,
            }))
        });
        found.await?.ok_or_else(Problem::unavailable)
    })
    .await
}
