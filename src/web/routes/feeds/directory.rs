//! The directory of organisations and windows.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, get, put};
use serde_json::json;

use crate::directory::{Organisation, fault};
use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};

pub fn configure(config: &mut ServiceConfig) {
    config.service(show).service(load);
}

/// Organisations as they were loaded, and the windows of each hall as they are now.
#[utoipa::path(get, path = "/api/v1/directory/organisations", tag = "feeds",
    responses((status = 200, body = Object)))]
#[get("/directory/organisations")]
async fn show(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeChannels)?;
    let scope = &caller.principal.scope;
    let face = app.directory.face(|hall| scope.holds(hall)).await;
    Ok(HttpResponse::Ok().json(face.ok_or_else(Problem::unavailable)?))
}

/// Loads all organisations in place of those there were: `[{id, name, parent?, halls}]`.
#[utoipa::path(put, path = "/api/v1/directory/organisations", tag = "feeds", request_body = Object,
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[put("/directory/organisations")]
async fn load(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageChannels)?;
    // It is the whole city's.
    if !caller.principal.scope.everywhere() {
        return Err(caller.refuse(&app, Action::ManageChannels, "directory"));
    }
    let all: Vec<Organisation> = body.parse()?;
    if let Some((field, reason)) = fault(&all) {
        return Err(Problem::invalid(&field, reason));
    }
    let count = all.len();
    app.directory.load_organisations(all).await?;
    app.audit(
        &caller,
        "directory_loaded",
        "-",
        json!({"organisations": count}),
    )
    .await?;
    let face = app.directory.face(|_| true).await;
    Ok(HttpResponse::Ok().json(face.ok_or_else(Problem::unavailable)?))
}
