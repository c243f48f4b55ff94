//! Figures for Prometheus.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get};
use sha2::{Digest as _, Sha256};

use crate::metrics::{collect, prometheus};
use crate::web::App;
use crate::web::error::Problem;

pub fn configure(config: &mut ServiceConfig) {
    config.service(show);
}

/// Figures in Prometheus' text format. They name halls and channels, never people. From this machine they
/// are open; from elsewhere with the token of the settings.
#[get("/metrics")]
async fn show(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    if !may_see(&request, &app.settings.metrics.token) {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "metrics_token",
            "需要 metrics.token 中设置的令牌",
            "the token set in metrics.token is needed",
        ));
    }
    let text = prometheus::text(&collect(&app).await);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, prometheus::CONTENT_TYPE))
        .body(text))
}

fn may_see(request: &HttpRequest, token: &str) -> bool {
    let bearer = request.headers().get("authorization");
    let bearer = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    // Digests take the same time to compare however much of them agrees.
    let same = |told: &str| Sha256::digest(told.as_bytes()) == Sha256::digest(token.as_bytes());
    if !token.is_empty() && bearer.is_some_and(same) {
        return true;
    }
    // What a proxy on this machine passes on comes from elsewhere.
    let passed_on = ["forwarded", "x-forwarded-for", "x-real-ip"];
    let passed_on = passed_on
        .iter()
        .any(|name| request.headers().contains_key(*name));
    let here = request
        .peer_addr()
        .is_some_and(|peer| peer.ip().is_loopback());
    here && !passed_on
}
