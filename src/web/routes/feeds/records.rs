//! Records: what came, what is held back, and its correction. Contents are for those who may correct
//! them, and who read them is audited.

use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use rules::channels::tally::percent;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{BatchRequest, find, windows};
use crate::feeds::Holder;
use crate::store::records::{FeedRecord, FeedRecordFilter};
use crate::web::App;
use crate::web::access::Action;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::once::once;

/// Records on a page unless asked otherwise.
const PAGE: u32 = 50;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(quarantine)
        .service(show)
        .service(correct)
        .service(anomalies);
}

/// Which records; all that is named must match.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct RecordQuery {
    pub batch: Option<String>,
    pub id: Option<String>,
    /// One or more states, separated by commas.
    pub state: Option<String>,
    pub unit: Option<String>,
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
    pub lang: Option<String>,
}

impl RecordQuery {
    fn filter(self) -> FeedRecordFilter {
        let states = self.state.unwrap_or_default();
        let states = states.split(',').filter(|state| !state.is_empty());
        FeedRecordFilter {
            batch: self.batch,
            id: self.id,
            states: states.map(str::to_owned).collect(),
            unit: self.unit,
            held: false,
            limit: self.limit.unwrap_or(PAGE),
            cursor: self.after,
        }
    }
}

/// A record without its contents: of a fault only where it lies and what it is.
fn outline(record: FeedRecord) -> Value {
    let mut face = json!(record);
    for field in ["original", "body", "corrections"] {
        face[field] = Value::Null;
    }
    for fault in face["faults"].as_array_mut().into_iter().flatten() {
        fault["value"] = Value::Null;
    }
    face
}

/// Records of a feed in the order in which they came, without their contents.
#[utoipa::path(get, path = "/api/v1/feeds/{feed}/records", tag = "feeds",
    params(("feed" = String, Path), RecordQuery),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/{feed}/records")]
async fn list(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    query: Query<RecordQuery>,
) -> Result<HttpResponse, Problem> {
    let (holder, _) = find(&app, &caller, Action::SeeChannels, &id).await?;
    let filter = query.into_inner().filter();
    let page = app.records.feed_records(&holder.id, &filter).await?;
    let items: Vec<Value> = page.items.into_iter().map(outline).collect();
    Ok(HttpResponse::Ok().json(json!({"items": items, "total": page.total, "next": page.next})))
}

/// Records held back, as they came, with their rows and faults; with `state=corrected` those that were
/// put right, with what they are now, by whom and when.
#[utoipa::path(get, path = "/api/v1/feeds/{feed}/quarantine", tag = "feeds",
    params(("feed" = String, Path), RecordQuery),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/{feed}/quarantine")]
async fn quarantine(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    query: Query<RecordQuery>,
) -> Result<HttpResponse, Problem> {
    let (holder, _) = find(&app, &caller, Action::ManageChannels, &id).await?;
    let mut filter = query.into_inner().filter();
    filter.held = true;
    if filter.states.is_empty() {
        filter.states.push("quarantined".to_owned());
    }
    let page = app.records.feed_records(&holder.id, &filter).await?;
    let seen = json!({"batch": filter.batch, "records": page.items.len()});
    app.audit(&caller, "quarantine_read", &id, seen).await?;
    let page = json!({"items": page.items, "total": page.total, "next": page.next});
    Ok(HttpResponse::Ok().json(page))
}

/// One record with its contents: as it came, as it is, and what was corrected.
#[utoipa::path(get, path = "/api/v1/feeds/{feed}/batches/{batch}/records/{record}", tag = "feeds",
    params(("feed" = String, Path), ("batch" = String, Path), ("record" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/{feed}/batches/{batch}/records/{record:.+}")]
async fn show(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String, String)>,
) -> Result<HttpResponse, Problem> {
    let (id, batch, record) = path.into_inner();
    let (holder, _) = find(&app, &caller, Action::ManageChannels, &id).await?;
    let found = one(&app, &holder, &batch, &record).await?.ok_or_else(|| {
        Problem::unknown("unknown_record", "没有这条记录", "there is no such record")
            .with("record", &record)
    })?;
    let seen = json!({"batch": batch, "record": record});
    app.audit(&caller, "feed_record_read", &id, seen).await?;
    Ok(HttpResponse::Ok().json(found))
}

/// A record of a batch by its id.
async fn one(
    app: &App,
    holder: &Holder,
    batch: &str,
    record: &str,
) -> Result<Option<FeedRecord>, Problem> {
    let filter = FeedRecordFilter {
        batch: Some(batch.to_owned()),
        id: Some(record.to_owned()),
        limit: 1,
        ..FeedRecordFilter::default()
    };
    let page = app.records.feed_records(&holder.id, &filter).await?;
    Ok(page.items.into_iter().next())
}

/// What a record in quarantine should be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectionBody {
    record: String,
    /// The whole record, right.
    #[schema(value_type = Object)]
    body: Value,
}

/// Puts a record in quarantine right. What it was stays beside what it is, with who corrected it and
/// when. One that is still wrong is refused with its faults.
#[utoipa::path(post, path = "/api/v1/feeds/{feed}/batches/{batch}/corrections", tag = "feeds",
    params(("feed" = String, Path), ("batch" = String, Path)), request_body = CorrectionBody,
    responses((status = 201, body = Object), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[post("/{feed}/batches/{batch}/corrections")]
async fn correct(asked: BatchRequest) -> Result<HttpResponse, Problem> {
    let batch = asked.batch.as_str();
    let (holder, setup) = asked.find(Action::ManageChannels).await?;
    once(&asked.app, &asked.caller, &asked.body, async {
        let CorrectionBody { record, body } = asked.body.parse()?;
        let windows = windows(&asked.app, &setup).await?;
        asked
            .app
            .feeds
            .correct(&holder, batch, &record, body, windows, asked.by())
            .await?;
        let made = one(&asked.app, &holder, batch, &record).await?;
        let made = made.ok_or_else(Problem::unavailable)?;
        let what = json!({
            "batch": batch, "record": record, "before": made.original, "after": made.body,
        });
        asked.audit("feed_record_corrected", what).await?;
        Ok(json!(made))
    })
    .await
}

/// Records that were held back, by the unit they belong to: how many were found and fixed since, and
/// the units with open ones first.
#[utoipa::path(get, path = "/api/v1/feeds/{feed}/anomalies", tag = "feeds",
    params(("feed" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/{feed}/anomalies")]
async fn anomalies(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (holder, _) = find(&app, &caller, Action::SeeChannels, &id).await?;
    let (units, by_unit) = app.records.feed_anomalies(&holder.id).await?;
    let found: u64 = by_unit.iter().map(|one| one.found).sum();
    let fixed: u64 = by_unit.iter().map(|one| one.fixed).sum();
    let open = by_unit.iter().filter(|one| one.open > 0).count();
    Ok(HttpResponse::Ok().json(json!({
        "found": found, "fixed": fixed, "fixed_percent": percent(fixed, found),
        "units": units, "units_open": open, "by_unit": by_unit,
    })))
}
