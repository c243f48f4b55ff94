//! The voice of a hall's zones: who speaks, what is to be said, and how it sounds.

use actix_web::http::header::{CACHE_CONTROL, ETAG, EntityTag, IfNoneMatch};
use actix_web::web::{Data, Header, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, put};
use actors::voice::{Attend, Observe, Turn};
use dashboards::voice::VoiceView;
use rules::announce::{End, Speaker};
use rules::ids::WindowId;
use rules::speech;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::web::App;
use crate::web::access::Action;
use crate::web::auth::hex;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};

/// Longest number said, in signs: no template makes a longer one.
const NUMBER_MAX_CHARS: usize = 12;

/// Longest name of a page, in characters.
const PAGE_MAX_CHARS: usize = 64;

pub fn configure(config: &mut ServiceConfig) {
    config.service(show).service(attend).service(sound);
}

/// What a screen says of itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SpeakerBody {
    /// A name that the page drew by chance, 1 to 64 letters, digits, `-` or `_`.
    page: String,
    /// Id of the saying that ended.
    ended: Option<String>,
    /// Id of the saying that could not be played.
    failed: Option<String>,
    /// It cannot or shall not speak any more; another screen may at once.
    #[serde(default)]
    leave: bool,
}

impl SpeakerBody {
    fn turn(&self) -> Result<Turn, Problem> {
        match (&self.ended, &self.failed, self.leave) {
            (None, None, false) => Ok(Turn::Ready),
            (Some(id), None, false) => Ok(Turn::Ended(id.clone(), End::Done)),
            (None, Some(id), false) => Ok(Turn::Ended(id.clone(), End::Failed)),
            (None, None, true) => Ok(Turn::Leave),
            _ => Err(Problem::invalid("ended", "one of ended, failed and leave")),
        }
    }
}

fn unknown_zone(zone: &str) -> Problem {
    Problem::unknown("unknown_zone", "没有这个区域", "there is no such zone").with("zone", zone)
}

fn checked(view: Option<VoiceView>, zone: &str) -> Result<HttpResponse, Problem> {
    match view {
        Some(view) => Ok(HttpResponse::Ok().json(view)),
        None => Err(unknown_zone(zone)),
    }
}

/// What is said in a zone at the moment, by which screen, what waits and what was dropped.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/voice/{zone}", tag = "voice",
    params(("hall" = String, Path), ("zone" = String, Path, description = "`-` for windows that stand in none")),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/halls/{hall}/voice/{zone}")]
async fn show(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (hall, zone) = path.into_inner();
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::SeeHall, &id)?;
    let voice = handle.children.voice().ok_or_else(Problem::unavailable)?;
    let observe = Observe { zone: zone.clone() };
    let view = voice
        .send(observe)
        .await
        .map_err(|_| Problem::unavailable())?;
    checked(view, &zone)
}

/// A screen offers to speak in a zone, goes on to, or reports how a saying ended. The answer is the
/// zone's state: whoever is its `speaker` plays `saying`. To be repeated at least every ten
/// seconds; a repeat changes nothing.
#[utoipa::path(put, path = "/api/v1/halls/{hall}/voice/{zone}", tag = "voice",
    params(("hall" = String, Path), ("zone" = String, Path)), request_body = SpeakerBody,
    responses((status = 200, body = Object), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[put("/halls/{hall}/voice/{zone}")]
async fn attend(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (hall, zone) = path.into_inner();
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::Speak, &id)?;
    let body: SpeakerBody = body.parse()?;
    let is_sign = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !(1..=PAGE_MAX_CHARS).contains(&body.page.len()) || !body.page.bytes().all(is_sign) {
        let reason = "1 to 64 letters, digits, '-' or '_'";
        return Err(Problem::invalid("page", reason));
    }
    let turn = body.turn()?;
    let voice = handle.children.voice().ok_or_else(Problem::unavailable)?;
    let attend = Attend {
        zone: zone.clone(),
        speaker: Speaker {
            device: caller.principal.name.clone(),
            page: body.page,
        },
        turn,
    };
    let view = voice
        .send(attend)
        .await
        .map_err(|_| Problem::unavailable())?;
    checked(view, &zone)
}

#[derive(Debug, Deserialize)]
struct Sound {
    #[serde(default)]
    chime: bool,
}

/// A number called to a window, as one WAV file in the hall's languages.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/voice/{number}/{window}.wav", tag = "voice",
    params(("hall" = String, Path), ("number" = String, Path), ("window" = String, Path),
        ("chime" = Option<bool>, Query, description = "begin with the chime")),
    responses((status = 200, content_type = "audio/wav"), (status = 304), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
#[get("/halls/{hall}/voice/{number}/{window}.wav")]
async fn sound(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String, String)>,
    query: Query<Sound>,
    known: Header<IfNoneMatch>,
) -> Result<HttpResponse, Problem> {
    let (hall, number, window) = path.into_inner();
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::SeeHall, &id)?;
    let is_sign = |b: u8| b.is_ascii_alphanumeric();
    if !(1..=NUMBER_MAX_CHARS).contains(&number.len()) || !number.bytes().all(is_sign) {
        return Err(Problem::invalid("number", "1 to 12 letters or digits"));
    }
    let chime = query.chime;
    let wanted = window.clone();
    let sounds = handle.read(move |hall, _| {
        let wanted: WindowId = wanted.parse().ok()?;
        let window = hall.window(&wanted)?;
        let place = speech::place(&window.id, &window.plan.name);
        let options = &hall.config().options.voice;
        Some(speech::call(&number, &place, options, chime))
    });
    let Some(sounds) = sounds.await.ok_or_else(Problem::unavailable)? else {
        let unknown = Problem::unknown("unknown_window", "没有这个窗口", "there is no such window");
        return Err(unknown.with("window", window));
    };
    let wav = app.clips.join(&sounds);
    let tag = EntityTag::new_strong(hex(&Sha256::digest(&wav)[..16]));
    let is_known = match known.into_inner() {
        IfNoneMatch::Any => true,
        IfNoneMatch::Items(tags) => tags.iter().any(|one| one.weak_eq(&tag)),
    };
    let mut response = if is_known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    // Kept by the browser, and asked for again: the hall may change its languages or its voice.
    response
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .insert_header((ETAG, tag.to_string()));
    Ok(if is_known {
        response.finish()
    } else {
        response.content_type("audio/wav").body(wav)
    })
}
