//! How a live feed is opened: where its page comes from, and who is at its other end.
//!
//! The handshake is actix-web-actors'; this is the only file that knows it, so that another crate
//! can take its place here.

use actix_web::body::BodyStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, ORIGIN};
use actix_web::web::{Data, Payload, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get};
use actix_web_actors::ws::handshake;
use rules::ids::{HallId, Token};
use serde::Deserialize;

use super::line::Line;
use super::{Feed, ScreenSocket};
use crate::web::App;
use crate::web::auth::proofs;
use crate::web::caller::address_of;
use crate::web::connection::Connection;
use crate::web::error::{Problem, lang_of};

pub fn configure(config: &mut ServiceConfig) {
    config.service(open);
}

#[derive(Deserialize)]
struct SocketQuery {
    /// A device's token, or the token of a slip.
    t: Option<String>,
    /// The hall whose board somebody without a token would like to see.
    board: Option<String>,
}

/// Opens the live feed.
#[get("/ws")]
async fn open(
    app: Data<App>,
    request: HttpRequest,
    query: Query<SocketQuery>,
    payload: Payload,
) -> Result<HttpResponse, actix_web::Error> {
    check_origin(&request, &app.settings.server.origins)?;
    let who = admit(&app, &request, &query).await?;
    let lang = lang_of(&request);
    let mut response = handshake(&request).map_err(|error| not_a_socket(&error))?;
    let address = address_of(&request);
    let line = request.conn_data::<Connection>().copied();
    let line = line.and_then(Line::of);
    let socket = ScreenSocket::new(app.into_inner(), who, address, lang, payload, line);
    Ok(response
        .message_body(BodyStream::new(Feed::of(socket)))?
        .map_into_boxed_body())
}

fn not_a_socket(error: &actix_web_actors::ws::HandshakeError) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "not_a_websocket",
        "该地址只接受 WebSocket 连接",
        "this address takes WebSocket connections only",
    )
    .with("reason", error.to_string())
}

/// A page of another site must not open a socket with this site's cookies.
fn check_origin(request: &HttpRequest, allowed: &[String]) -> Result<(), Problem> {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    // Programs send no origin; they have no cookies of a browser either.
    if !request.headers().contains_key(ORIGIN) {
        return Ok(());
    }
    let origin = header(ORIGIN).unwrap_or_default();
    let host = header(HOST).unwrap_or_default();
    let own = origin
        .split_once("://")
        .is_some_and(|(_, rest)| rest == host);
    if own || allowed.iter().any(|known| known == origin) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "foreign_origin",
        "不接受来自其他网站的连接",
        "connections from pages of other sites are not accepted",
    )
    .with("origin", origin))
}

/// Who is at the other end.
pub(super) enum Who {
    /// Proved by a token that is looked at again from time to time.
    Known { token: Box<str> },
    /// Has a slip.
    Holder(Token),
    /// Looks at the board of a hall that lets everybody look.
    Viewer(HallId),
}

async fn admit(app: &App, request: &HttpRequest, query: &SocketQuery) -> Result<Who, Problem> {
    let shown = query.t.clone().into_iter();
    for token in shown.chain(proofs(request).iter().map(|proof| proof.token().to_owned())) {
        if app.auth.recognise(&token, app.now()).is_some() {
            return Ok(Who::Known {
                token: token.into_boxed_str(),
            });
        }
        if ticket_of(app, &token).await.is_some() {
            return Ok(Who::Holder(Token(token)));
        }
    }
    if let Some(Ok((hall, _))) = query.board.as_deref().map(|hall| app.hall(hall))
        && shows_everybody(app, &hall).await
    {
        return Ok(Who::Viewer(hall));
    }
    Err(Problem::unauthorized())
}

/// Whether a hall's board is for everybody.
pub(super) async fn shows_everybody(app: &App, hall: &HallId) -> bool {
    let Ok((_, handle)) = app.hall(hall.as_str()) else {
        return false;
    };
    let public = handle.read(|hall, _| hall.config().options.public_board);
    public.await == Some(true)
}

/// The hall of a slip's token, if the ticket lives.
pub(super) async fn ticket_of(app: &App, token: &str) -> Option<HallId> {
    let (hall, _) = token.split_once('.')?;
    let (id, handle) = app.hall(hall).ok()?;
    let token = Token(token.to_owned());
    let known = handle
        .read(move |hall, _| hall.ticket_by_token(&token).is_some())
        .await;
    (known == Some(true)).then_some(id)
}
