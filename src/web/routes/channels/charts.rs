//! A channel's calls as charts, drawn from what the channel has counted.

use actix_web::http::header::{CACHE_CONTROL, ETAG, EntityTag, Header as _, IfNoneMatch, VARY};
use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get};
use dashboards::charts::{Course, Kind, Theme, draw};
use rules::channels::{Channel, Window};
use rules::machine::Machine as _;
use rules::time::{TimeZone, Timestamp};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa::IntoParams;

use super::{find, zone};
use crate::web::App;
use crate::web::access::Action;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody, lang_of};

/// A chart is of the last whole ten seconds, so that one asked for again is mostly the same.
const STEP_MS: i64 = 10_000;

pub fn configure(config: &mut ServiceConfig) {
    config.service(chart);
}

/// Which chart, and for whom.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ChartQuery {
    /// `minute`, `five_minutes`, `hour` (the default) or `day`.
    pub window: Option<String>,
    /// `light` (the default) or `dark`.
    pub theme: Option<String>,
    /// `zh` or `en`.
    pub lang: Option<String>,
    /// Whose time the hours are, by its name in the tz database; the channel's own, unless it is given.
    pub time_zone: Option<String>,
}

impl ChartQuery {
    fn window(&self) -> Result<Window, Problem> {
        match self.window.as_deref() {
            Some("minute") => Ok(Window::Minute),
            Some("five_minutes") => Ok(Window::FiveMinutes),
            None | Some("hour") => Ok(Window::Hour),
            Some("day") => Ok(Window::Day),
            Some(_) => Err(Problem::invalid(
                "window",
                "minute, five_minutes, hour or day",
            )),
        }
    }

    fn theme(&self) -> Result<Theme, Problem> {
        let name = self.theme.as_deref().unwrap_or("light");
        Theme::from_name(name).ok_or_else(|| Problem::invalid("theme", "light or dark"))
    }
}

/// A chart as SVG: `calls` and failures over time, percentiles of the response `times` over time, or the
/// `distribution` of the response times. It says in words what it shows.
#[utoipa::path(get, path = "/api/v1/channels/{channel}/charts/{kind}.svg", tag = "channels",
    params(("channel" = String, Path), ("kind" = String, Path), ChartQuery),
    responses((status = 200, description = "image/svg+xml", body = String),
        (status = 304, description = "as it was"), (status = 422, body = ProblemBody)))]
#[get("/channels/{channel}/charts/{kind}.svg")]
async fn chart(
    app: Data<App>,
    request: HttpRequest,
    caller: Caller,
    path: Path<(String, String)>,
    query: Query<ChartQuery>,
) -> Result<HttpResponse, Problem> {
    let (id, kind) = path.into_inner();
    let watched = find(&app, &caller, Action::SeeChannels, &id).await?;
    let kind = Kind::from_name(&kind)
        .ok_or_else(|| Problem::invalid("kind", "calls, times or distribution"))?;
    let (window, theme) = (query.window()?, query.theme()?);
    let zone = zone(query.time_zone.as_deref())?;
    let read = watched.desk.update(move |channel, now| {
        channel.advance(now);
        course(channel, window, zone, now)
    });
    let course = read.await.ok_or_else(Problem::unavailable)?;
    let drawn = draw(kind, &course, lang_of(&request), theme).map_err(|cause| {
        tracing::error!(%cause, channel = %watched.id, "no chart");
        Problem::unavailable()
    })?;
    let tag = EntityTag::new_strong(digest(&drawn));
    let known = knows(&request, &tag);
    let mut response = match known {
        true => HttpResponse::NotModified(),
        false => HttpResponse::Ok(),
    };
    response
        .insert_header((ETAG, tag))
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .insert_header((VARY, "Accept-Language"));
    Ok(match known {
        true => response.finish(),
        false => response.content_type("image/svg+xml").body(drawn),
    })
}

/// Whether the client has this very picture.
fn knows(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|one| one.weak_eq(tag)),
        Err(_) => false,
    }
}

fn course(channel: &Channel, window: Window, zone: Option<TimeZone>, now: Timestamp) -> Course {
    let statistics = channel.statistics();
    let step = now.millis() - now.millis().rem_euclid(STEP_MS) + STEP_MS;
    Course {
        window,
        as_of: Timestamp::from_millis(step),
        zone: zone.unwrap_or_else(|| channel.time_zone()),
        stretches: statistics.course(window),
        bars: statistics.distribution(window),
        whole: channel.figures(window).times,
        slow_ms: channel.limits().slow_ms as f64,
    }
}

fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
