//! Feeds: data that is received or pushed by agreement, from its set-up to the correction of a record.
//!
//! * Here: set up, listed, one. * [`batches`]: opened, filled, told of, closed, sent again, compared.
//! * [`records`]: what came, what is held back, and its correction. * [`directory`]: organisations and
//!   windows.

pub mod batches;
pub mod directory;
pub mod records;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::web::{Data, Path, PayloadConfig, Query, ServiceConfig, scope};
use actix_web::{FromRequest, HttpRequest, HttpResponse, get, put};
use rules::channels::feed::{FeedSetup, FieldCheck, FieldKind, Source};
use rules::ids::{FeedId, HallId};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::feeds::{FEEDS_MAX, FeedError, Holder};
use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::desk::hall_of;
use crate::web::routes::{revision_seen, tagged};

/// Records come in bulk: a body may have so many bytes here, whatever the server takes elsewhere.
const BODY_MAX: usize = 4 << 20;

pub fn configure(config: &mut ServiceConfig) {
    let feeds = scope("/feeds")
        .app_data(PayloadConfig::new(BODY_MAX))
        .service(list)
        .service(set_up)
        .service(show)
        .configure(batches::configure)
        .configure(records::configure);
    config.service(feeds).configure(directory::configure);
}

impl From<FeedError> for Problem {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Refused(refusal) => Self::refused(&refusal),
            FeedError::Submit(error) => error.into(),
            FeedError::Store(error) => error.into(),
        }
    }
}

fn unknown(id: &str) -> Problem {
    Problem::unknown("unknown_feed", "没有这个数据通道", "there is no such feed").with("feed", id)
}

/// A feed that the caller may treat so, and what was agreed about it.
///
/// # Errors
/// It is unknown, or of a hall outside of the caller's scope.
pub(super) async fn find(
    app: &App,
    caller: &Caller,
    action: Action,
    id: &str,
) -> Result<(Arc<Holder>, FeedSetup), Problem> {
    caller.require(app, action)?;
    let known = id.parse().ok().and_then(|id| app.feeds.get(&id));
    let holder = known.ok_or_else(|| unknown(id))?;
    // One whose set-up was refused is there, but nobody's yet.
    let setup = holder.read(|feed, _| feed.setup().cloned()).await?;
    let setup = setup.ok_or_else(|| unknown(id))?;
    match caller.principal.scope.holds_any(setup.hall.as_ref()) {
        true => Ok((holder, setup)),
        false => Err(caller.refuse(app, action, id)),
    }
}

/// A request that changes something of a batch.
pub(super) struct BatchRequest {
    app: Data<App>,
    caller: Caller,
    feed: String,
    batch: String,
    body: Body,
}

impl BatchRequest {
    /// See [`find`].
    async fn find(&self, action: Action) -> Result<(Arc<Holder>, FeedSetup), Problem> {
        find(&self.app, &self.caller, action, &self.feed).await
    }

    /// Whoever asks.
    fn by(&self) -> &str {
        &self.caller.principal.name
    }

    async fn audit(&self, what: &str, detail: Value) -> Result<(), Problem> {
        self.app.audit(&self.caller, what, &self.feed, detail).await
    }
}

impl FromRequest for BatchRequest {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        type Parts = (Data<App>, Caller, Path<(String, String)>, Body);
        let parts = Parts::from_request(request, payload);
        Box::pin(async move {
            let (app, caller, path, body) = parts.await?;
            let (feed, batch) = path.into_inner();
            Ok(Self {
                app,
                caller,
                feed,
                batch,
                body,
            })
        })
    }
}

/// Windows of the directory, if the feed's checks need them.
///
/// # Errors
/// `unavailable`, while a hall is being rebuilt.
pub(super) async fn windows(app: &App, setup: &FeedSetup) -> Result<BTreeSet<String>, Problem> {
    if !setup.checks.needs_windows() {
        return Ok(BTreeSet::new());
    }
    let windows = app.directory.windows().await;
    windows.ok_or_else(Problem::unavailable)
}

/// Which feeds.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct FeedQuery {
    /// `receive` or `push`.
    pub direction: Option<String>,
    /// `late`, `incomplete`, `ok` or `empty`.
    pub state: Option<String>,
    pub channel: Option<String>,
    pub lang: Option<String>,
}

/// All feeds by id, each with how it stands now and the figures of its newest batch with data, which
/// carry their time (`as_of`).
#[utoipa::path(get, path = "/api/v1/feeds", tag = "feeds", params(FeedQuery),
    responses((status = 200, body = Object)))]
#[get("")]
async fn list(
    app: Data<App>,
    caller: Caller,
    query: Query<FeedQuery>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeChannels)?;
    let mut items: Vec<Value> = Vec::new();
    for holder in app.feeds.all() {
        let scope = caller.principal.scope.clone();
        let face = holder.read(move |feed, now| {
            let hall = feed.setup()?.hall.as_ref();
            scope.holds_any(hall).then(|| feed.face(now))?
        });
        items.extend(face.await?);
    }
    let is = |face: &Value, field: &str, asked: &Option<String>| {
        asked
            .as_ref()
            .is_none_or(|asked| face[field] == json!(asked))
    };
    items.retain(|face| {
        is(face, "direction", &query.direction)
            && is(face, "state", &query.state)
            && is(face, "channel", &query.channel)
    });
    Ok(HttpResponse::Ok().json(json!({"total": items.len(), "items": items})))
}

/// Sets a feed up, or changes its set-up; with `If-Match`, only the one that was read. Its direction
/// stays.
#[utoipa::path(put, path = "/api/v1/feeds/{feed}", tag = "feeds",
    params(("feed" = String, Path), ("If-Match" = Option<String>, Header, description = "ETag of what was read")),
    request_body = Object,
    responses((status = 200, body = Object, description = "its `revision` is also its ETag"),
        (status = 412, body = ProblemBody, description = "`changed_meanwhile`"),
        (status = 422, body = ProblemBody)))]
#[put("/{feed}")]
async fn set_up(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageChannels)?;
    let feed: FeedId = id
        .parse()
        .map_err(|_| Problem::invalid("feed", "is no id of a feed"))?;
    let known = app.feeds.get(&feed);
    if let Some(holder) = &known
        && holder.read(|feed, _| feed.setup().is_some()).await?
    {
        find(&app, &caller, Action::ManageChannels, &id).await?;
    }
    if known.is_none() && app.feeds.all().len() >= FEEDS_MAX {
        use rules::channels::feed::FeedRefusal;
        return Err(FeedError::from(FeedRefusal::TooManyFeeds { max: FEEDS_MAX }).into());
    }
    let setup = agreed(&app, &caller, body.parse()?)?;
    let key = caller.key(&body)?;
    let by = &caller.principal.name;
    let seen = revision_seen(&request)?;
    let done = app.feeds.set_up(&feed, setup, seen, by, key).await?;
    let holder = app.feeds.get(&feed).ok_or_else(Problem::unavailable)?;
    let face = holder.read(|feed, now| feed.detail(now)).await?;
    let face = face.ok_or_else(Problem::unavailable)?;
    app.audit(&caller, "feed_set_up", &id, face["setup"].clone())
        .await?;
    Ok(tagged(HttpResponse::Ok(), done.replayed, &face))
}

/// Checks what a feed's own machine cannot know: halls, channels, secrets.
fn agreed(app: &App, caller: &Caller, mut setup: FeedSetup) -> Result<FeedSetup, Problem> {
    let hall = setup.hall.as_ref().map(HallId::as_str);
    hall_of(app, caller, Action::ManageChannels, hall)?;
    if let Some((field, reason)) = setup.fault() {
        return Err(Problem::invalid(field, reason));
    }
    if let Some(channel) = &setup.channel
        && app.channels.get(channel).is_none()
    {
        return Err(Problem::invalid("channel", "is not set up"));
    }
    let secret = setup
        .target
        .as_ref()
        .and_then(|target| target.secret.as_ref());
    if secret.is_some_and(|name| !app.settings.feeds.secrets.contains_key(name)) {
        return Err(Problem::invalid(
            "target.secret",
            "is not among feeds.secrets of this server's settings",
        ));
    }
    let checks = &mut setup.checks.0;
    if setup.source == Some(Source::Tickets) && !checks.iter().any(|one| one.name == "window") {
        checks.push(FieldCheck {
            name: "window".to_owned(),
            kind: FieldKind::Window,
            required: true,
            at_most: None,
        });
    }
    Ok(setup)
}

/// A feed: how it stands with its schedule, its figures, the gaps, and how it compares with the other
/// side.
#[utoipa::path(get, path = "/api/v1/feeds/{feed}", tag = "feeds",
    params(("feed" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/{feed}")]
async fn show(app: Data<App>, caller: Caller, id: Path<String>) -> Result<HttpResponse, Problem> {
    let (holder, _) = find(&app, &caller, Action::SeeChannels, &id).await?;
    let face = holder.read(|feed, now| feed.detail(now)).await?;
    let face = face.ok_or_else(|| unknown(&id))?;
    Ok(tagged(HttpResponse::Ok(), false, &face))
}
