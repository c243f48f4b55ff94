//! OpenTelemetry: the same figures, and requests as spans, sent to a collector by OTLP over HTTP in its
//! JSON form. A few lines of JSON take the place of the SDK and a compiler of its schema.
//!
//! Figures are cumulative: a collector that was away has lost nothing but time. Spans that cannot be
//! sent are counted and given up.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::web::Data;
use awc::Client;
use serde_json::{Value as Json, json};
use tracing::{info, warn};

use super::spans::Span;
use super::{Family, Kind, Sample, Value, collect};
use crate::config::Telemetry;
use crate::web::App;

/// Spans in one request.
const SPANS_AT_ONCE: usize = 512;

/// How long the collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Adds up from the beginning of the process on.
const CUMULATIVE: u8 = 2;

/// A span of who serves.
const SERVER: u8 = 2;

/// The status of a span that went wrong.
const ERROR: u8 = 2;

/// Sends to the collector that the settings name, for ever.
pub async fn export_for_ever(app: Data<App>) {
    let settings = app.settings.telemetry.clone();
    let client = match crate::notices::post::client(TIMEOUT) {
        Ok(client) => client,
        Err(cause) => return warn!(%cause, "nothing is sent to the OpenTelemetry collector"),
    };
    let began = now();
    let mut reached = None;
    loop {
        tokio::time::sleep(Duration::from_secs(settings.otlp_every_secs)).await;
        let sent = export(&app, &client, &settings, began).await;
        match &sent {
            Ok(()) if reached != Some(true) => info!("the OpenTelemetry collector answers"),
            Err(cause) if reached != Some(false) => {
                warn!(%cause, "the OpenTelemetry collector takes nothing");
            }
            _ => {}
        }
        reached = Some(sent.is_ok());
    }
}

async fn export(
    app: &App,
    client: &Client,
    settings: &Telemetry,
    began: Duration,
) -> Result<(), String> {
    let figures = metrics(&collect(app).await, began, now());
    let sent = post(client, settings, "metrics", &figures).await;
    loop {
        let some = app.spans.take(SPANS_AT_ONCE);
        if some.is_empty() {
            return sent;
        }
        if let Err(cause) = post(client, settings, "traces", &traces(&some)).await {
            app.spans.give_up(some.len());
            return Err(cause);
        }
    }
}

async fn post(
    client: &Client,
    settings: &Telemetry,
    signal: &str,
    body: &Json,
) -> Result<(), String> {
    let url = format!(
        "{}/v1/{signal}",
        settings.otlp_endpoint.trim_end_matches('/')
    );
    let mut request = client.post(&url).content_type("application/json");
    for (name, value) in &settings.otlp_headers {
        request = request.insert_header((name.as_str(), value.as_str()));
    }
    match request.send_body(body.to_string()).await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("{url}: {}", answer.status())),
        Err(cause) => Err(format!("{url}: {cause}")),
    }
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn nanos(at: Duration) -> String {
    at.as_nanos().to_string()
}

fn attribute(name: &str, text: &str) -> Json {
    json!({"key": name, "value": {"stringValue": text}})
}

fn resource() -> Json {
    json!({"attributes": [
        attribute("service.name", "hallkeeper"),
        attribute("service.version", env!("CARGO_PKG_VERSION")),
    ]})
}

fn scope() -> Json {
    json!({"name": "hallkeeper", "version": env!("CARGO_PKG_VERSION")})
}

/// Figures as `ExportMetricsServiceRequest`.
pub fn metrics(families: &[Family], began: Duration, now: Duration) -> Json {
    let families = families.iter().filter(|family| !family.samples.is_empty());
    let metrics: Vec<Json> = families.map(|family| metric(family, began, now)).collect();
    json!({"resourceMetrics": [{
        "resource": resource(),
        "scopeMetrics": [{"scope": scope(), "metrics": metrics}],
    }]})
}

fn metric(family: &Family, began: Duration, now: Duration) -> Json {
    let points: Vec<Json> = family
        .samples
        .iter()
        .map(|sample| point(sample, began, now))
        .collect();
    let (kind, data) = match family.kind {
        Kind::Gauge => ("gauge", json!({"dataPoints": points})),
        Kind::Counter => (
            "sum",
            json!({"aggregationTemporality": CUMULATIVE, "isMonotonic": true, "dataPoints": points}),
        ),
        Kind::Histogram => (
            "histogram",
            json!({"aggregationTemporality": CUMULATIVE, "dataPoints": points}),
        ),
        Kind::Summary => ("summary", json!({"dataPoints": points})),
    };
    json!({"name": family.name, "description": family.help, "unit": unit(family.name), kind: data})
}

/// Names end in their unit.
fn unit(name: &str) -> &'static str {
    let name = name.strip_suffix("_total").unwrap_or(name);
    match name.rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        _ => "1",
    }
}

fn point(sample: &Sample, began: Duration, now: Duration) -> Json {
    let attributes: Vec<Json> = sample
        .labels
        .iter()
        .map(|(name, text)| attribute(name, text))
        .collect();
    let mut point = json!({
        "attributes": attributes, "startTimeUnixNano": nanos(began), "timeUnixNano": nanos(now),
    });
    match &sample.value {
        Value::Number(value) => point["asDouble"] = json!(value),
        Value::Summary { count, sum } => {
            point["count"] = json!(count.to_string());
            point["sum"] = json!(sum);
        }
        Value::Histogram(buckets) => {
            let count: u64 = buckets.counts.iter().sum();
            let counts = buckets.counts.iter().map(ToString::to_string);
            point["count"] = json!(count.to_string());
            point["sum"] = json!(buckets.sum);
            point["bucketCounts"] = counts.collect();
            point["explicitBounds"] = json!(buckets.bounds);
        }
    }
    point
}

/// Spans as `ExportTraceServiceRequest`.
pub fn traces(spans: &[Span]) -> Json {
    let spans: Vec<Json> = spans.iter().map(span).collect();
    json!({"resourceSpans": [{
        "resource": resource(),
        "scopeSpans": [{"scope": scope(), "spans": spans}],
    }]})
}

fn span(span: &Span) -> Json {
    let failed = if span.status >= 500 { ERROR } else { 0 };
    json!({
        "traceId": span.trace, "spanId": span.id,
        "parentSpanId": span.parent.as_deref().unwrap_or(""),
        "name": format!("{} {}", span.method, span.route), "kind": SERVER,
        "startTimeUnixNano": nanos(span.began), "endTimeUnixNano": nanos(span.ended),
        "attributes": [
            attribute("http.request.method", &span.method),
            attribute("http.route", &span.route),
            {"key": "http.response.status_code", "value": {"intValue": span.status.to_string()}},
        ],
        "status": {"code": failed},
    })
}
