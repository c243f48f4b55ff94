//! One file per resource.
#![allow(
    unused_qualifications,
    reason = "the interface description's macros write them"
)]

pub mod accounts;
pub mod alerts;
pub mod audit;
pub mod cases;
pub mod channels;
pub mod desk;
pub mod devices;
pub mod feeds;
pub mod floor;
pub mod halls;
pub mod health;
pub mod items;
pub mod journeys;
pub mod messages;
pub mod metrics;
pub mod notice;
pub mod occupancy;
pub mod ops;
pub mod pages;
pub mod people;
pub mod problems;
pub mod raters;
pub mod receivers;
pub mod rules;
pub mod session;
pub mod silences;
pub mod strips;
pub mod telemetry;
pub mod ticket_lists;
pub mod tickets;
pub mod visitors;
pub mod voice;
pub mod windows;
pub mod work_orders;

use actix_web::http::header::{ETAG, IF_MATCH};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use serde_json::Value;

use crate::web::error::Problem;

/// Nothing lives at this path.
pub async fn unknown_path() -> Result<HttpResponse, Problem> {
    Err(no_such_path())
}

pub fn no_such_path() -> Problem {
    Problem::unknown(
        "unknown_path",
        "没有这个地址",
        "there is nothing at this address",
    )
}

/// The answer to a command; a repeated one says so.
fn answer(
    mut response: HttpResponseBuilder,
    replayed: bool,
    body: &impl Serialize,
) -> HttpResponse {
    if replayed {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    response.json(body)
}

/// The answer with a thing that has a `revision`, which is its entity tag.
fn tagged(mut response: HttpResponseBuilder, replayed: bool, face: &Value) -> HttpResponse {
    response.insert_header((ETAG, format!("\"{}\"", face["revision"])));
    answer(response, replayed, face)
}

/// The revision that the sender has read and changed, if the request names one.
///
/// # Errors
/// `invalid_field`: `If-Match` is no entity tag of such a thing.
fn revision_seen(request: &HttpRequest) -> Result<Option<u64>, Problem> {
    let Some(tag) = request.headers().get(IF_MATCH) else {
        return Ok(None);
    };
    let tag = tag.to_str().unwrap_or_default().trim();
    if tag == "*" {
        return Ok(None);
    }
    let seen = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    let seen = seen.and_then(|tag| tag.parse().ok());
    let wrong = || Problem::invalid("If-Match", "is the ETag of what was read, such as \"3\"");
    seen.map(Some).ok_or_else(wrong)
}

/// A view as JSON, to which fields may be added.
fn fields(view: &impl Serialize) -> serde_json::Map<String, Value> {
    match serde_json::to_value(view) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    }
}
