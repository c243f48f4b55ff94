//! Idempotency keys for requests that change no hall; those of halls are kept in the journal.
//!
//! Two answers are never kept: those of a sign-in and of a device's registration hold a secret that
//! is told once. A repeated sign-in opens another session; a repeated registration is refused as
//! taken.

use std::future::Future;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::Value;

use crate::store::records::Claim;
use crate::web::App;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, key_reused};

/// Does the work, or repeats the answer it had under the same key.
///
/// # Errors
/// The refusal of the work, which is not kept: a repeat tries again; or `idempotency_key_reused`.
pub async fn once(
    app: &App,
    caller: &Caller,
    body: &Body,
    work: impl Future<Output = Result<Value, Problem>>,
) -> Result<HttpResponse, Problem> {
    let Some(key) = caller.key(body)? else {
        return Ok(HttpResponse::Created().json(work.await?));
    };
    let scope = &caller.principal.name;
    match app
        .records
        .claim_http_key(scope, &key.key, &key.fingerprint, app.now())
        .await?
    {
        Claim::New => {}
        Claim::Done { status, body } => return Ok(replay(status, body)),
        Claim::OtherRequest => return Err(key_reused()),
        Claim::UnderWay => {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "under_way",
                "相同的请求正在处理",
                "the same request is under way",
            ));
        }
    }
    match work.await {
        Ok(answer) => {
            let status = StatusCode::CREATED.as_u16();
            app.records
                .store_http_answer(scope, &key.key, status, &answer.to_string())
                .await?;
            Ok(HttpResponse::Created().json(answer))
        }
        Err(problem) => {
            app.records.release_http_key(scope, &key.key).await?;
            Err(problem)
        }
    }
}

fn replay(status: u16, body: String) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::OK))
        .insert_header(("Idempotency-Replayed", "true"))
        .content_type("application/json")
        .body(body)
}
