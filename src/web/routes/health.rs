//! Is it alive, is it ready, and how does it do.

use std::fmt::Write as _;

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, get};

use crate::web::App;

pub fn configure(config: &mut ServiceConfig) {
    config.service(alive).service(ready).service(metrics);
}

/// The process answers.
#[get("/healthz")]
async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// The halls are live and the database answers.
#[get("/readyz")]
async fn ready(app: Data<App>) -> HttpResponse {
    match app.records.ping().await {
        Ok(()) => HttpResponse::Ok()
            .content_type("text/plain")
            .body("ready\n"),
        Err(cause) => {
            tracing::warn!(%cause, "not ready");
            HttpResponse::ServiceUnavailable()
                .content_type("text/plain")
                .body("database\n")
        }
    }
}

/// Figures in the Prometheus text format. They name halls, never people.
#[get("/metrics")]
async fn metrics(app: Data<App>) -> HttpResponse {
    let mut text = String::new();
    let hub = app
        .system
        .hub
        .send(actors::hub::Observe)
        .await
        .unwrap_or_default();
    let halls = app
        .system
        .supervisor
        .send(actors::supervisor::Observe)
        .await
        .unwrap_or_default();
    let mut gauge = |name: &str, help: &str, value: f64| {
        let _ = writeln!(
            text,
            "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}"
        );
    };
    gauge(
        "hallkeeper_uptime_seconds",
        "Seconds since the process started.",
        app.started.elapsed().as_secs_f64(),
    );
    gauge(
        "hallkeeper_halls",
        "Halls that are live.",
        halls.halls as f64,
    );
    gauge(
        "hallkeeper_halls_rebuilt",
        "Halls built again since the process started.",
        halls.rebuilt as f64,
    );
    gauge(
        "hallkeeper_topics",
        "Topics of the live feed.",
        hub.topics as f64,
    );
    gauge(
        "hallkeeper_followers",
        "Places of subscribers in topics.",
        hub.followers as f64,
    );
    gauge(
        "hallkeeper_frames",
        "Frames published since the process started.",
        hub.frames as f64,
    );
    let _ = writeln!(
        text,
        "# HELP hallkeeper_tickets Tickets of the business day by hall and state."
    );
    let _ = writeln!(text, "# TYPE hallkeeper_tickets gauge");
    for (id, handle) in app.system.halls.all() {
        let Some(figures) = handle.read(|hall, _| hall.figures()).await else {
            continue;
        };
        for (state, count) in [
            ("waiting", figures.waiting),
            ("called", figures.called),
            ("serving", figures.serving),
            ("held", figures.held),
            ("completed", figures.completed),
            ("missed", figures.missed),
            ("cancelled", figures.cancelled),
            ("expired", figures.expired),
        ] {
            let _ = writeln!(
                text,
                "hallkeeper_tickets{{hall=\"{id}\",state=\"{state}\"}} {count}"
            );
        }
    }
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(text)
}
