//! Telemetry of on-line services (服务埋点): they tell of visits and cases, people see what it adds
//! up to.

use std::collections::BTreeMap;

use actix_web::web::{Data, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use rules::channels::masking::Masking;
use rules::telemetry::{Class, EVENTS_MAX, Event};
use rules::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::store::records::{TelemetryCount, TelemetryFilter, TelemetryResult};
use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::items::instant;

/// Rows of one answer.
const ROWS_MAX: u32 = 1_000;

/// Lines of results that are looked at; of services that tell of more kinds the rare ones are left out.
const RESULTS_MAX: u32 = 5_000;

/// Without a time the last so many days are counted.
const DAYS: u64 = 30;

pub fn configure(config: &mut ServiceConfig) {
    config.service(tell).service(counts);
}

/// What is told here belongs to no hall.
fn require(app: &App, caller: &Caller, action: Action) -> Result<(), Problem> {
    caller.require(app, action)?;
    match caller.principal.scope.everywhere() {
        true => Ok(()),
        false => Err(caller.refuse(app, action, "telemetry")),
    }
}

/// Tells of visits and cases: one event or up to 200. Those that cannot be are refused one by one, with
/// the name of the field; the others are kept, each id once.
#[utoipa::path(post, path = "/api/v1/telemetry/events", tag = "telemetry", request_body = Object,
    responses((status = 200, description = "kept, known, and refused: [{index, id, field, reason}]", body = Object),
        (status = 422, body = ProblemBody)))]
#[post("/telemetry/events")]
async fn tell(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    require(&app, &caller, Action::RecordCalls)?;
    let told: Value = body.parse()?;
    let told = match told {
        Value::Array(all) => all,
        one => vec![one],
    };
    if told.len() > EVENTS_MAX {
        return Err(Problem::invalid(".", "has 200 events at most"));
    }
    let (masking, now) = (Masking::default(), app.now());
    let (mut events, mut refused) = (Vec::new(), Vec::new());
    for (index, value) in told.iter().enumerate() {
        match Event::told(value, &masking, now) {
            Ok(event) => events.push(event),
            Err(fault) => {
                // An id may be anything here; what could name a person is not said again.
                let id = value["id"].as_str().map(|id| masking.text(id));
                let reason = json!({"zh": fault.zh, "en": fault.en});
                refused.push(
                    json!({"index": index, "id": id, "field": fault.field, "reason": reason}),
                );
            }
        }
    }
    let kept = app.records.keep_telemetry(&events).await?;
    let known = events.len() as u64 - kept;
    Ok(HttpResponse::Ok().json(json!({"kept": kept, "known": known, "refused": refused})))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CountsQuery {
    /// RFC 3339; happened at or after. Without it 30 days before the end.
    from: Option<String>,
    /// RFC 3339; happened before. Now without it.
    before: Option<String>,
    /// handling, query, publication or page.
    class: Option<String>,
    /// An item's code, or the code of an application.
    code: Option<String>,
    /// The code of a region.
    region: Option<String>,
    department: Option<String>,
    /// 1 to 1000, 100 without it.
    limit: Option<u32>,
}

/// Visits and cases by item and region, most visited first, each with what became of its cases and when it
/// was heard of last (`last_at`). Only handling items count cases; of others `cases` is null.
#[utoipa::path(get, path = "/api/v1/telemetry/counts", tag = "telemetry", params(CountsQuery),
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[get("/telemetry/counts")]
async fn counts(
    app: Data<App>,
    caller: Caller,
    query: Query<CountsQuery>,
) -> Result<HttpResponse, Problem> {
    require(&app, &caller, Action::SeeChannels)?;
    let query = query.into_inner();
    let before = instant("before", query.before.as_deref())?;
    let before = before.unwrap_or_else(|| app.now().plus_secs(1));
    let from = instant("from", query.from.as_deref())?;
    let from = from.unwrap_or_else(|| before.minus_secs(DAYS * 86_400));
    let known = |name: &String| Class::ALL.iter().any(|class| class.name() == name);
    if query.class.as_ref().is_some_and(|name| !known(name)) {
        return Err(Problem::invalid(
            "class",
            "handling, query, publication or page",
        ));
    }
    let limit = query.limit.unwrap_or(100);
    if !(1..=ROWS_MAX).contains(&limit) {
        return Err(Problem::invalid("limit", "1 to 1000"));
    }
    let filter = TelemetryFilter {
        from,
        before,
        class: query.class,
        code: query.code,
        region: query.region,
        department: query.department,
        limit,
    };
    let rows = app.records.count_telemetry(&filter).await?;
    let filter = TelemetryFilter {
        limit: RESULTS_MAX,
        ..filter
    };
    let results = app.records.telemetry_results(&filter).await?;
    let results = by_service(&results);
    let items: Vec<Value> = rows.iter().map(|row| face(row, &results)).collect();
    let span = |at: Timestamp| at.rfc3339_utc();
    Ok(
        HttpResponse::Ok()
            .json(json!({"from": span(from), "before": span(before), "items": items})),
    )
}

/// An item in a region: its class, its code, and the region's.
type Service<'a> = (&'a str, &'a str, &'a str);

fn by_service(results: &[TelemetryResult]) -> BTreeMap<Service<'_>, Vec<Value>> {
    let mut of: BTreeMap<Service<'_>, Vec<Value>> = BTreeMap::new();
    for one in results {
        let service = (&*one.class, &*one.code, &*one.region);
        let told = json!({"result": one.result, "cases": one.cases});
        of.entry(service).or_default().push(told);
    }
    of
}

fn face(row: &TelemetryCount, results: &BTreeMap<Service<'_>, Vec<Value>>) -> Value {
    let handling = row.class == Class::Handling.name();
    let results = results.get(&(&*row.class, &*row.code, &*row.region));
    json!({
        "class": row.class, "code": row.code, "name": row.name, "region": row.region,
        "department": row.department, "visits": row.visits, "cases": handling.then_some(row.cases),
        "region_name": row.region_name, "last_at": row.last_at.rfc3339_utc(),
        "results": results.map_or(&[][..], Vec::as_slice),
    })
}
