//! A channel's probe, put by hand.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpResponse, post};

use super::{find, read};
use crate::gateway::probes;
use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::once::once;

pub fn configure(config: &mut ServiceConfig) {
    config.service(probe_now);
}

/// Asks the interface now whether it answers, and says what was found: `result`, `reason`, `status`,
/// `duration_ms`, and the health that follows. It stands in the history as a call of caller `probe`.
#[utoipa::path(post, path = "/api/v1/channels/{channel}/probe", tag = "channels",
    params(("channel" = String, Path)),
    responses((status = 201, body = Object), (status = 409, body = ProblemBody)))]
#[post("/channels/{channel}/probe")]
async fn probe_now(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let watched = find(&app, &caller, Action::ManageChannels, &id).await?;
    once(&app, &caller, &body, async {
        let known = read(&watched, |channel, _| {
            let setup = channel.setup()?;
            Some((setup.probe.clone()?, setup.limits))
        });
        let (probe, limits) = known.await?.ok_or_else(no_probe)?;
        let call = probes::put(&app.channels, &watched, &probe, &limits).await?;
        let mut face = probes::face(&call);
        let health = read(&watched, |channel, _| channel.health()).await?;
        face["health"] = serde_json::json!(health);
        Ok(face)
    })
    .await
}

fn no_probe() -> Problem {
    Problem::new(
        actix_web::http::StatusCode::CONFLICT,
        "no_probe",
        "该通道未设置探测",
        "this channel has no probe",
    )
}
