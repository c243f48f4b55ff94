//! How everything does: what is broken, the sums of channels and devices, the machine's vitals.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, get};

use crate::ops::view::Seen;
use crate::web::App;
use crate::web::access::Action;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};

pub fn configure(config: &mut ServiceConfig) {
    config.service(show);
}

/// What is broken now, the gravest first, with the sums of channels and devices within the caller's
/// halls; for those who may see all halls also the machine's own vitals. Live: topic `ops`.
#[utoipa::path(get, path = "/api/v1/ops", tag = "operations",
    responses((status = 200, body = Object), (status = 403, body = ProblemBody)))]
#[get("/ops")]
async fn show(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeChannels)?;
    let seen = Seen::now(&app).await;
    Ok(HttpResponse::Ok().json(seen.within(&caller.principal.scope)))
}
