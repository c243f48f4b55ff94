//! A channel's calls as CSV, page by page in bounded memory.

use actix_web::web::{Bytes, Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get};
use futures_util::stream::{self, Stream, StreamExt as _};
use rules::channels::call::{Call, Part};
use rules::ids::ChannelId;
use serde_json::json;

use super::calls::CallQuery;
use super::find;
use crate::store::Records;
use crate::store::records::{CallFilter, PAGE_MAX, StoreError};
use crate::web::App;
use crate::web::access::Action;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::ticket_lists::csv_text;

const COLUMNS: [&str; 12] = [
    "id",
    "at",
    "caller",
    "version",
    "result",
    "status",
    "reason",
    "duration_ms",
    "trace_id",
    "path_family",
    "request",
    "response",
];

pub fn configure(config: &mut ServiceConfig) {
    config.service(export_calls);
}

/// The same calls as the list, all of them, as CSV. Audited with filter and count.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/calls.csv", tag = "channels",
    params(("channel" = String, Path), CallQuery),
    responses((status = 200, description = "text/csv", body = String),
        (status = 404, body = ProblemBody)))]
#[get("/channels/{channel}/calls.csv")]
async fn export_calls(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    query: Query<CallQuery>,
    request: actix_web::HttpRequest,
) -> Result<HttpResponse, Problem> {
    let watched = find(&app, &caller, Action::SeeChannels, &id).await?;
    let filter = CallFilter {
        limit: PAGE_MAX,
        cursor: None,
        ..query.filter()?
    };
    let count = app.records.count_of_calls(&watched.id, &filter).await?;
    let asked = json!({"filter": request.query_string(), "rows": count});
    app.audit(&caller, "calls_exported", &id, asked).await?;
    // Spreadsheets take UTF-8 for the local code page unless a byte-order mark says otherwise.
    let head = format!("\u{feff}{}\r\n", COLUMNS.join(","));
    let head = stream::once(async { Ok::<_, StoreError>(Bytes::from(head)) });
    let pages = pages(app.records.clone(), watched.id.clone(), filter);
    let name = format!("attachment; filename=\"calls-{id}.csv\"");
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("Content-Disposition", name))
        .streaming(head.chain(pages)))
}

/// One page after the other; whoever reads slowly is waited for.
fn pages(
    records: Records,
    channel: ChannelId,
    filter: CallFilter,
) -> impl Stream<Item = Result<Bytes, StoreError>> {
    stream::try_unfold(Some(filter), move |left| {
        let (records, channel) = (records.clone(), channel.clone());
        async move {
            let Some(filter) = left else { return Ok(None) };
            let (calls, next) = records.calls_of_page(&channel, &filter).await?;
            let more = next.map(|cursor| CallFilter {
                cursor: Some(cursor),
                ..filter
            });
            Ok(Some((rows(&calls)?, more)))
        }
    })
}

fn rows(calls: &[Call]) -> Result<Bytes, StoreError> {
    let failed = |cause: &dyn std::fmt::Display| StoreError::Corrupt(cause.to_string());
    let terminator = csv::Terminator::CRLF;
    let mut csv = csv::WriterBuilder::new();
    let mut csv = csv.terminator(terminator).from_writer(Vec::new());
    for call in calls {
        csv.write_record(row(call))
            .map_err(|cause| failed(&cause))?;
    }
    let bytes = csv.into_inner().map_err(|cause| failed(&cause))?;
    Ok(Bytes::from(bytes))
}

fn row(call: &Call) -> [String; 12] {
    let text = |text: &Option<String>| csv_text(text.as_deref().unwrap_or(""));
    let part = |part: &Option<Part>| part.as_ref().map_or("", Part::text).to_owned();
    [
        csv_text(&call.id),
        call.at.rfc3339_utc(),
        csv_text(&call.caller),
        text(&call.version),
        call.result.name().to_owned(),
        call.status
            .map_or(String::new(), |status| status.to_string()),
        text(&call.reason),
        call.micros
            .map_or(String::new(), |micros| (micros as f64 / 1000.0).to_string()),
        text(&call.trace_id),
        text(&call.path_family),
        part(&call.request),
        part(&call.response),
    ]
}
