//! `hallkeeper print-bridge`: the way from a kiosk's page to the printer beside it.
//!
//! A page cannot open a printer, so the kiosk runs this small server on its own machine. The page
//! posts the bytes of a slip; the bridge asks the printer how it is, prints, asks again, and answers
//! `{"ok": true}` or `{"fault": "paper_out"}`. Only pages of the one server named may use it.

mod printer;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, ORIGIN, VARY};
use actix_web::web::{self, Bytes, Data, PayloadConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpResponseBuilder, HttpServer};
use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::cli::Failure;
use printer::{Device, Fault, Printed};

/// A slip has some thirty kilobytes.
const SLIP_MAX_BYTES: usize = 1 << 20;

/// The whole of a slip: asked, printed, asked again. The kiosk waits a little longer than this.
const JOB_MAX: Duration = Duration::from_secs(8);

#[derive(Args)]
pub struct Options {
    /// The printer: a device file such as /dev/usb/lp0, or tcp:ADDRESS:PORT
    #[arg(long, value_name = "DEVICE")]
    device: String,
    /// The server whose kiosk page may print, such as http://10.0.0.2:8080
    #[arg(long, value_name = "URL")]
    origin: String,
    /// Where to listen; keep it on this machine
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9199")]
    listen: SocketAddr,
    /// The printer cannot tell its state: print without asking
    #[arg(long)]
    no_status: bool,
}

struct Bridge {
    origin: String,
    device: Device,
    asks: bool,
    /// One slip at a time; two at once would be mixed on paper.
    turn: Mutex<()>,
}

/// Runs until it is stopped.
///
/// # Errors
/// The device or the origin cannot be; the address is taken.
pub async fn run(options: Options) -> Result<(), Failure> {
    let bridge = Data::new(Bridge {
        origin: origin(&options.origin)?,
        device: Device::parse(&options.device).map_err(Failure::BadInput)?,
        asks: !options.no_status,
        turn: Mutex::new(()),
    });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(bridge.clone())
            .app_data(PayloadConfig::new(SLIP_MAX_BYTES))
            .route("/print", web::post().to(print))
            .route("/status", web::get().to(status))
            .default_service(web::to(preflight))
    })
    .workers(1)
    .bind(options.listen)
    .with_context(|| format!("listen on {}", options.listen))?;
    for address in server.addrs() {
        println!("print bridge listening on http://{address}");
    }
    server.run().await.context("serve")?;
    Ok(())
}

/// Scheme, host and port, as browsers write them.
fn origin(text: &str) -> Result<String, Failure> {
    let text = text.trim_end_matches('/').to_ascii_lowercase();
    let host = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@']) => Ok(text),
        _ => Err(Failure::BadInput(format!(
            "--origin: '{text}' is no address such as http://10.0.0.2:8080"
        ))),
    }
}

async fn print(bridge: Data<Bridge>, request: HttpRequest, slip: Bytes) -> HttpResponse {
    if !bridge.lets_in(&request) {
        return bridge.refuse(&request);
    }
    if slip.is_empty() {
        let nothing = json!({"fault": "empty", "detail": "there is nothing to print"});
        return bridge
            .answer(&request, StatusCode::UNPROCESSABLE_ENTITY)
            .json(nothing);
    }
    let told = bridge.job(Some(&slip)).await;
    bridge.answer(&request, StatusCode::OK).json(told)
}

async fn status(bridge: Data<Bridge>, request: HttpRequest) -> HttpResponse {
    if !bridge.lets_in(&request) {
        return bridge.refuse(&request);
    }
    let told = bridge.job(None).await;
    bridge.answer(&request, StatusCode::OK).json(told)
}

/// Whether a host is a number or this machine itself, and no name that somebody else may lead here.
fn is_plain_address(host: &str) -> bool {
    let bare = host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok();
    bare || host.split(':').next() == Some("localhost")
}

/// What a browser asks before it posts bytes to another origin.
async fn preflight(bridge: Data<Bridge>, request: HttpRequest) -> HttpResponse {
    if request.method() != actix_web::http::Method::OPTIONS {
        return bridge
            .answer(&request, StatusCode::NOT_FOUND)
            .json(json!({"fault": "unknown_path"}));
    }
    if !bridge.lets_in(&request) {
        return bridge.refuse(&request);
    }
    bridge
        .answer(&request, StatusCode::NO_CONTENT)
        .insert_header(("Access-Control-Allow-Methods", "GET, POST"))
        .insert_header(("Access-Control-Allow-Headers", "content-type"))
        .insert_header(("Access-Control-Allow-Private-Network", "true"))
        .insert_header(("Access-Control-Max-Age", "600"))
        .finish()
}

impl Bridge {
    /// A browser names the page's origin; a program on this machine names none. A page that asks
    /// without its origin, or under a name of its own that leads here, is no such program.
    fn lets_in(&self, request: &HttpRequest) -> bool {
        let Some(origin) = request.headers().get(ORIGIN) else {
            let header = |name: &str| request.headers().get(name)?.to_str().ok();
            let typed = header("sec-fetch-site").is_none_or(|site| site == "none");
            return typed && header("host").is_none_or(is_plain_address);
        };
        origin
            .as_bytes()
            .eq_ignore_ascii_case(self.origin.as_bytes())
    }

    fn refuse(&self, request: &HttpRequest) -> HttpResponse {
        self.answer(request, StatusCode::FORBIDDEN)
            .json(json!({"fault": "foreign_origin", "detail": "this page may not print here"}))
    }

    fn answer(&self, request: &HttpRequest, status: StatusCode) -> HttpResponseBuilder {
        let mut answer = HttpResponse::build(status);
        answer.insert_header((VARY, "Origin"));
        if self.lets_in(request)
            && let Ok(origin) = HeaderValue::from_str(&self.origin)
        {
            let allow = HeaderName::from_static("access-control-allow-origin");
            answer.insert_header((allow, origin));
        }
        answer
    }

    /// Prints if there is something to print, and tells how it went.
    async fn job(&self, slip: Option<&[u8]>) -> Value {
        let work = async {
            let _turn = self.turn.lock().await;
            self.device.work(slip, self.asks).await
        };
        // A printer that hangs is as good as none.
        let done = timeout(JOB_MAX, work).await.unwrap_or(Err(Fault::Offline));
        match done {
            Ok(Printed { paper_low: false }) => json!({"ok": true}),
            Ok(Printed { paper_low: true }) => json!({"ok": true, "fault": "paper_low"}),
            Err(fault) => json!({"fault": fault.code()}),
        }
    }
}
