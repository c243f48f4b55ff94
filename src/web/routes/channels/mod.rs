//! API channels: set up, their versions and grants, their calls, and what the calls say.

pub mod calls;
pub mod charts;
pub mod export;
pub mod grants;
pub mod probes;
pub mod setup;
pub mod summary;
pub mod telling;
pub mod usage;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use actors::desk::Done;
use rules::channels::{Channel, ChannelCommand};
use rules::time::{TimeZone, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::channels::Watched;
use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::Problem;
use crate::web::routes::answer;

pub fn configure(config: &mut ServiceConfig) {
    // Before the channels themselves, of which none may have this name.
    config
        .configure(usage::configure)
        .configure(setup::configure)
        .configure(grants::configure)
        .configure(probes::configure)
        .configure(summary::configure)
        .configure(export::configure)
        .configure(telling::configure)
        .configure(charts::configure)
        .configure(calls::configure);
}

fn unknown(id: &str) -> Problem {
    Problem::unknown(
        "unknown_channel",
        "没有这个通道",
        "there is no such channel",
    )
    .with("channel", id)
}

/// A channel that the caller may treat so.
pub(super) async fn find(
    app: &App,
    caller: &Caller,
    action: Action,
    id: &str,
) -> Result<Arc<Watched>, Problem> {
    caller.require(app, action)?;
    let known = id.parse().ok().and_then(|id| app.channels.get(&id));
    let watched = known.ok_or_else(|| unknown(id))?;
    let hall = read(&watched, |channel, _| {
        channel.setup().map(|setup| setup.hall.clone())
    });
    // One whose set-up was refused is there, but nobody's yet.
    let hall = hall.await?.ok_or_else(|| unknown(id))?;
    match caller.principal.scope.holds_any(hall.as_ref()) {
        true => Ok(watched),
        false => Err(caller.refuse(app, action, id)),
    }
}

/// The time zone that a request names, if it names one.
fn zone(named: Option<&str>) -> Result<Option<TimeZone>, Problem> {
    let zone = named.map(str::parse).transpose();
    zone.map_err(|why: String| Problem::invalid("time_zone", &why))
}

pub(super) async fn read<R: Send + 'static>(
    watched: &Watched,
    read: impl FnOnce(&Channel, Timestamp) -> R + Send + 'static,
) -> Result<R, Problem> {
    let read = watched.desk.read(read).await;
    read.ok_or_else(Problem::unavailable)
}

/// A change of a channel, asked for by somebody who may manage channels.
struct Change {
    app: Data<App>,
    caller: Caller,
    body: Body,
}

impl Change {
    /// # Errors
    /// See [`Body::parse`].
    fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        self.body.parse()
    }

    /// Hands a command over to the channel, under the request's idempotency key.
    async fn submit(
        &self,
        id: &str,
        command: ChannelCommand,
    ) -> Result<(Arc<Watched>, Arc<Done<Channel>>), Problem> {
        let watched = find(&self.app, &self.caller, Action::ManageChannels, id).await?;
        let key = self.caller.key(&self.body)?;
        let by = &self.caller.principal.name;
        let done = watched.desk.submit(command, by, key).await?;
        Ok((watched, done))
    }

    /// The same, audited and answered with the channel as it is afterwards.
    async fn carry_out(&self, id: &str, command: ChannelCommand) -> Result<HttpResponse, Problem> {
        let (watched, done) = self.submit(id, command).await?;
        for one in &done.recorded {
            let event = serde_json::to_value(&one.event).unwrap_or_default();
            self.audit("channel_changed", id, event).await?;
        }
        let face = read(&watched, setup::detail).await?;
        Ok(answer(HttpResponse::Ok(), done.replayed, &face))
    }

    async fn audit(&self, what: &str, id: &str, detail: serde_json::Value) -> Result<(), Problem> {
        self.app.audit(&self.caller, what, id, detail).await
    }
}

impl FromRequest for Change {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload);
        let body = Body::from_request(request, payload);
        let app = request.app_data::<Data<App>>().cloned();
        Box::pin(async move {
            let app = app.ok_or_else(Problem::unavailable)?;
            let (caller, body) = (caller.await?, body.await?);
            caller.require(&app, Action::ManageChannels)?;
            Ok(Self { app, caller, body })
        })
    }
}

/// Why, if anybody shall know.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonBody {
    reason: Option<String>,
}
