//! Is it alive, and is it ready.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, get};

use crate::web::App;

pub fn configure(config: &mut ServiceConfig) {
    config.service(alive).service(ready);
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
