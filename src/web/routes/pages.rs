//! The pages, their files, and the code on the slip.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, LOCATION,
};
use actix_web::web::{Data, Path, Query, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse, get, web};
use dashboards::assets;
use qrcode::QrCode;
use qrcode::render::svg;
use rules::ids::ZoneId;
use serde::Deserialize;

use crate::web::App;
use crate::web::auth::{DEVICE_COOKIE, cookie};
use crate::web::error::Problem;

/// A screen hangs on its wall for years; its token is revoked, not forgotten.
const DEVICE_COOKIE_SECS: i64 = 5 * 365 * 86_400;

/// Pages run their own scripts and speak to their own server, nothing else.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self' ws: wss:; frame-ancestors 'self'";

/// A kiosk also hands its slips to the print bridge of its own machine.
const KIOSK_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self' ws: wss: http://127.0.0.1:*; frame-ancestors 'self'";

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(asset)
        .service(slip_code)
        .service(board_code)
        .service(take_code)
        .service(favicon)
        .service(loader);
    for (path, name) in [
        ("/", "index"),
        ("/board/{hall}", "board"),
        ("/led/{hall}/{window}", "led"),
        ("/console", "console"),
        ("/kiosk/{hall}", "kiosk"),
        ("/t/{token}", "ticket"),
        ("/take/{hall}", "take"),
        ("/manage", "manage"),
        ("/floor/{hall}", "floor"),
        ("/desk", "desk"),
        ("/rater", "rater"),
        ("/ops", "ops"),
        ("/setup", "setup"),
    ] {
        config.service(resource(path).route(web::get().to(
            move |request: HttpRequest, app: Data<App>, query: Query<PageQuery>| async move {
                page(name, &request, &app, &query)
            },
        )));
    }
}

#[derive(Deserialize)]
struct PageQuery {
    /// A device's token, taken once.
    t: Option<String>,
}

fn page(
    name: &str,
    request: &HttpRequest,
    app: &App,
    query: &PageQuery,
) -> Result<HttpResponse, Problem> {
    // A screen whose token is wrong says so on its page, as one without a token; programs get the problem.
    let taken = query
        .t
        .as_ref()
        .map(|token| take_token(request, app, token));
    let status = match taken {
        Some(Err(_)) if wants_a_page(request) => StatusCode::UNAUTHORIZED,
        Some(taken) => return taken,
        None => StatusCode::OK,
    };
    let Some(html) = assets::page(name) else {
        return Err(Problem::unknown(
            "unknown_path",
            "没有这个页面",
            "there is no such page",
        ));
    };
    let policy = if name == "kiosk" {
        KIOSK_POLICY
    } else {
        POLICY
    };
    Ok(HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .insert_header(("Referrer-Policy", "same-origin"))
        .body(html))
}

/// Whether somebody looks at the answer.
fn wants_a_page(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// Turns a device's token in the address into a cookie, so that it stands in no history.
fn take_token(request: &HttpRequest, app: &App, token: &str) -> Result<HttpResponse, Problem> {
    if app.auth.recognise(token, app.now()).is_none() {
        return Err(Problem::unauthorized());
    }
    let rest: Vec<&str> = request
        .query_string()
        .split('&')
        .filter(|pair| !pair.starts_with("t="))
        .collect();
    let query = if rest.is_empty() {
        String::new()
    } else {
        format!("?{}", rest.join("&"))
    };
    let secure = request.connection_info().scheme() == "https";
    Ok(HttpResponse::SeeOther()
        .insert_header((LOCATION, format!("{}{query}", request.path())))
        .insert_header((CACHE_CONTROL, "no-store"))
        .cookie(cookie(DEVICE_COOKIE, token, DEVICE_COOKIE_SECS, secure))
        .finish())
}

#[get("/assets/{build}/{name:.*}")]
async fn asset(path: Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (build, name) = path.into_inner();
    let Some((content, media_type)) = assets::file(&name) else {
        return Err(Problem::unknown(
            "unknown_path",
            "没有这个文件",
            "there is no such file",
        ));
    };
    // A page of another build asks for files of that build; it reloads itself soon.
    let caching = if build == assets::build() {
        "public, max-age=31536000, immutable"
    } else {
        "no-store"
    };
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((CACHE_CONTROL, caching))
        .body(content.into_owned()))
}

/// The start page for a screen's box, to be kept there as a file.
#[get("/loader.html")]
async fn loader() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"loader.html\""))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(assets::loader())
}

#[get("/favicon.ico")]
async fn favicon() -> HttpResponse {
    match assets::file("icon.svg") {
        Some((content, media_type)) => HttpResponse::Ok()
            .content_type(media_type)
            .body(content.into_owned()),
        None => HttpResponse::NoContent().finish(),
    }
}

/// The code of a slip: the address of the ticket's own page.
#[get("/t/{token}/qr.svg")]
async fn slip_code(
    request: HttpRequest,
    app: Data<App>,
    token: Path<String>,
) -> Result<HttpResponse, Problem> {
    if token.len() > 200
        || !token
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    {
        return Err(Problem::unknown(
            "unknown_ticket",
            "号码不存在",
            "there is no such ticket",
        ));
    }
    code(&request, &app, &format!("/t/{token}"))
}

/// What a board's code is for. It stands in the address, so that no other one's picture is kept for it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum BoardCode {
    /// To take a number.
    Take,
    /// To see the board.
    Board,
}

#[derive(Deserialize)]
struct BoardCodeQuery {
    /// Without it, what the hall's options say.
    r#for: Option<BoardCode>,
    /// The zone that the board shows.
    zone: Option<ZoneId>,
}

/// The code on a board: where a visitor takes a number on the own phone, or sees the board there.
#[get("/board/{hall}/code.svg")]
async fn board_code(
    request: HttpRequest,
    app: Data<App>,
    hall: Path<String>,
    query: Query<BoardCodeQuery>,
) -> Result<HttpResponse, Problem> {
    let (hall, handle) = app.hall(&hall)?;
    let issuing = handle
        .read(|hall, _| hall.config().options.visitor_issuing)
        .await
        .ok_or_else(Problem::unavailable)?;
    let page = match query.r#for {
        Some(BoardCode::Take) if !issuing => {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "visitor_issuing_off",
                "本大厅不支持手机取号，请到取号机取号",
                "this hall gives no numbers by phone; please use the kiosk",
            ));
        }
        Some(BoardCode::Board) => "board",
        None if !issuing => "board",
        Some(BoardCode::Take) | None => "take",
    };
    let zone = match &query.zone {
        Some(zone) if page == "board" => format!("?zone={zone}"),
        _ => String::new(),
    };
    code(&request, &app, &format!("/{page}/{hall}{zone}"))
}

/// The code that hangs in a hall: it leads visitors to the page on which they take a number.
#[get("/take/{hall}/qr.svg")]
async fn take_code(
    request: HttpRequest,
    app: Data<App>,
    hall: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (hall, _) = app.hall(&hall)?;
    code(&request, &app, &format!("/take/{hall}"))
}

/// The code of one of this server's addresses.
fn code(request: &HttpRequest, app: &App, path: &str) -> Result<HttpResponse, Problem> {
    let base = base_url(request, app);
    let picture = picture_of(&format!("{base}{path}"))
        .ok_or_else(|| Problem::invalid("token", "too long"))?;
    Ok(HttpResponse::Ok()
        .content_type("image/svg+xml")
        .insert_header((CACHE_CONTROL, "private, max-age=3600"))
        .body(picture))
}

/// Where phones and devices reach this server.
pub fn base_url(request: &HttpRequest, app: &App) -> String {
    match app.settings.server.public_url.trim_end_matches('/') {
        "" => {
            let info = request.connection_info();
            format!("{}://{}", info.scheme(), info.host())
        }
        url => url.to_owned(),
    }
}

/// A text as a code for cameras, an SVG; `None` when it is too long.
pub fn picture_of(text: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    let picture = code
        .render::<svg::Color<'_>>()
        .min_dimensions(200, 200)
        .quiet_zone(true)
        .build();
    Some(picture)
}
