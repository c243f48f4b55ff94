//! Hallkeeper: the real-time operations center for service halls.
//!
//! This package knows the outside: settings, databases, HTTP, the live feed and the command line.
//! What a hall decides is in `rules`, who carries it in `actors`, what screens see in `dashboards`,
//! recorded and rehearsed days in `simulations`.

pub mod alerting;
pub mod cases;
pub mod channels;
pub mod cli;
pub mod config;
pub mod demo;
pub mod devices;
pub mod directory;
pub mod feeds;
pub mod first_start;
pub mod gateway;
mod http_client;
pub mod metrics;
pub mod notices;
pub mod occupancy;
pub mod ops;
pub mod print_bridge;
pub mod raters;
pub mod replay;
pub mod rule_files;
pub mod store;
pub mod strips;
pub mod telemetry;
mod tls;
pub mod vitals;
pub mod voice;
pub mod web;

use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::{Data, PayloadConfig, scope, to};
use actix_web::{App as HttpApp, HttpServer};
use actors::clock::{ReplayClock, SystemClock};
use actors::ports::Clock as _;
use actors::supervisor::{KeepAll, StartAll};
use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use crate::alerting::{Alerting, Watched};
use crate::channels::own::Own;
use crate::channels::{ChannelSource, Channels};
use crate::config::Settings;
use crate::devices::Devices;
use crate::directory::Directory;
use crate::feeds::Feeds;
use crate::gateway::Gateway;
use crate::metrics::spans::Spans;
use crate::notices::Ways;
use crate::notices::driver::Lanes;
use crate::notices::push::DeskPush;
use crate::occupancy::Occupancies;
use crate::ops::Ops;
use crate::raters::Raters;
use crate::strips::Wires;
use crate::vitals::Collector;
use crate::web::App;
use crate::web::auth::Auth;
use crate::web::connection::{Connection, Peer};

/// Of the server and of whatever measures its parts.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Old keys and sessions are removed so often.
const PRUNE: Duration = Duration::from_secs(3600);

/// Each event that an on-line service tells is remembered for so many days.
const TELEMETRY_DAYS: u64 = 400;

/// Devices that fell silent are looked for so often.
const WATCH_DEVICES: Duration = Duration::from_secs(2);

/// Longest wait for the history of calls when the server stops.
const FLUSH: Duration = Duration::from_secs(5);

/// The whole server, built and listening, not yet answering.
pub struct Application {
    address: SocketAddr,
    app: Data<App>,
    server: Server,
    /// The administrator's one-time password, at the first start only.
    pub first_password: Option<String>,
    demo_clock: Option<Arc<ReplayClock>>,
}

impl Application {
    /// Opens the database, rebuilds every hall from the journal and binds the address.
    ///
    /// # Errors
    /// Whatever keeps the server from starting, with the step that failed.
    pub async fn build(settings: Settings, with_demo: bool) -> anyhow::Result<Self> {
        let started = Instant::now();
        let dir = &settings.data.dir;
        std::fs::create_dir_all(dir)
            .with_context(|| format!("could not make {}", dir.display()))?;
        // The address first: whoever finds it taken shall not touch the data.
        let listener = TcpListener::bind(settings.server.addr)
            .with_context(|| format!("could not listen on {}", settings.server.addr))?;
        let address = listener.local_addr()?;
        let stores = store::open(&settings.database.url, dir).await?;
        let threads = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(4);
        let system = actors::System::start(stores.journal, threads);
        let devices = Devices::load(
            stores.records.clone(),
            system.hub.clone(),
            settings.devices.clone(),
            settings.cases.time_zone,
            SystemClock.now(),
        );
        let devices = Arc::new(devices.await.context("could not load the devices")?);
        let session = settings.session.clone();
        let auth = Auth::load(stores.records.clone(), devices.clone(), session).await?;
        let first_password = first_start::make_admin(&auth, dir).await?;
        let demo_clock = match with_demo {
            true => Some(demo::set_clock(&system, settings.demo.speed).await?),
            false => None,
        };
        let halls = system
            .supervisor
            .send(StartAll)
            .await?
            .context("could not rebuild the halls")?;
        info!(
            halls,
            ms = started.elapsed().as_millis() as u64,
            "halls are live"
        );
        let wires = Wires::new(settings.strips.networks.clone(), devices.clone());
        let strips = strips::start(&system, &stores.records, wires)
            .await
            .context("could not load the LED strips")?;
        let case_settings = Arc::new(cases::settings(&settings.cases)?);
        let cases = cases::start(&system, &case_settings).await?;
        let desk = system
            .start_desk(Arc::new(SystemClock))
            .await
            .context("could not rebuild the alert desk")?;
        let channels = Channels::start(system.journal.clone(), stores.records.clone())
            .await
            .context("could not rebuild the channels")?;
        channels::own::make(&channels)
            .await
            .context("could not set up the own channels")?;
        let vitals = Collector::default();
        let feeds = Feeds::start(system.journal.clone(), stores.records.clone())
            .await
            .context("could not rebuild the feeds")?;
        let directory = Directory::load(stores.records.clone(), system.halls.clone()).await?;
        let occupancies = Occupancies::load(
            stores.records.clone(),
            system.hub.clone(),
            SystemClock.now(),
        );
        let occupancies = Arc::new(occupancies.await.context("could not load the occupancy")?);
        let raters = Raters::load(
            stores.records.clone(),
            devices.clone(),
            channels.clone(),
            system.hub.clone(),
            &settings,
        );
        let raters = Arc::new(
            raters
                .await
                .context("could not load the invitations to rate")?,
        );
        let every = Duration::from_millis(settings.alerts.pass_ms);
        let watched = Watched {
            cases: cases.clone(),
            devices: devices.clone(),
            occupancies: occupancies.clone(),
            channels: ChannelSource::new(channels.clone(), vitals.clone()),
            feeds: feeds.clone(),
            records: stores.records.clone(),
        };
        let alerting = Alerting::start(&system, desk.clone(), watched, every).await?;
        let gateway = Gateway::start(channels.clone(), settings.gateway.parallel);
        let (ops, asked) = Ops::new();
        let app = Data::new(App {
            gateway,
            system,
            alerting,
            cases,
            case_settings,
            channels,
            feeds,
            directory,
            desk,
            push: DeskPush::default(),
            lanes: Lanes::default(),
            records: stores.records,
            auth,
            devices,
            occupancies,
            raters,
            strips,
            vitals,
            own: Own::default(),
            spans: Spans::new(!settings.telemetry.otlp_endpoint.is_empty()),
            ops,
            clips: voice::load(&settings.voice_dir()),
            settings,
            started,
        });
        actix_web::rt::spawn(ops::tell_for_ever(app.clone(), asked));
        let server = serve(listener, app.clone())?;
        Ok(Self {
            address,
            app,
            server,
            first_password,
            demo_clock,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn app(&self) -> Data<App> {
        self.app.clone()
    }

    /// Starts the demonstration, if it was asked for, and says where everything is.
    ///
    /// # Errors
    /// See [`demo::start`].
    pub async fn start_demo(&self) -> anyhow::Result<Option<String>> {
        let Some(clock) = &self.demo_clock else {
            return Ok(None);
        };
        let base = format!("http://{}", self.address);
        demo::start(self.app(), Arc::clone(clock), &base)
            .await
            .map(Some)
    }

    /// Answers until a signal asks to stop; then every hall keeps a snapshot.
    ///
    /// # Errors
    /// The server failed.
    pub async fn run_until_stopped(self) -> anyhow::Result<()> {
        let app = self.app.clone();
        actix_web::rt::spawn(prune_for_ever(app.clone()));
        actix_web::rt::spawn(watch_devices_for_ever(app.clone()));
        actix_web::rt::spawn(write_occupancy_for_ever(app.clone()));
        actix_web::rt::spawn(watch_raters_for_ever(app.clone()));
        actix_web::rt::spawn(deliver_for_ever(app.clone()));
        actix_web::rt::spawn(push_for_ever(app.clone()));
        actix_web::rt::spawn(vitals::sample_for_ever(app.clone()));
        actix_web::rt::spawn(channels::own::count_for_ever(app.clone()));
        if !app.settings.telemetry.otlp_endpoint.is_empty() {
            actix_web::rt::spawn(metrics::otlp::export_for_ever(app.clone()));
        }
        let calls = app.settings.calls.clone();
        actix_web::rt::spawn(app.channels.clone().keep_within(calls));
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let server = self.server.handle();
        actix_web::rt::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            server.stop(true).await;
        });
        self.server.await?;
        info!("stopping");
        app.strips.farewell().await;
        if let Err(cause) = app.devices.write_usage().await {
            warn!(%cause, "the last uses of devices are not written");
        }
        if let Err(cause) = app.occupancies.write().await {
            warn!(%cause, "the last counts of people are not written");
        }
        app.cases.keep_snapshot().await;
        channels::own::count_noted(&app).await;
        if tokio::time::timeout(FLUSH, app.gateway.flush())
            .await
            .is_err()
        {
            warn!("the last calls through the gateway are not recorded");
        }
        app.channels.keep_each().await;
        app.feeds.keep_all().await;
        app.desk.keep_snapshot().await;
        let _ = app.system.supervisor.send(KeepAll).await;
        Ok(())
    }
}

fn serve(listener: TcpListener, app: Data<App>) -> anyhow::Result<Server> {
    let server = app.settings.server.clone();
    let stalled = Duration::from_secs(server.stalled_secs);
    let workers = match server.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let server = HttpServer::new(move || {
        HttpApp::new()
            .app_data(app.clone())
            .app_data(PayloadConfig::new(server.body_limit))
            // Also for the scopes, at whatever depth, that have no default of their own.
            .default_service(to(web::routes::unknown_path))
            .configure(gateway::configure)
            .service(
                scope("")
                    .wrap(from_fn(web::error::finish))
                    .wrap(from_fn(channels::own::count))
                    .configure(web::configure),
            )
    })
    .workers(workers)
    // Small frames go out at once, and a peer that acknowledges nothing is dropped by the kernel:
    // a jammed socket is never polled, so no timer of ours could do it.
    .tcp_nodelay(true)
    .on_connect(move |connection, data| {
        if let Some(stream) = connection.downcast_ref::<TcpStream>() {
            set_user_timeout(stream, stalled);
            data.insert(Connection(stream.as_raw_fd()));
            if let Ok(peer) = stream.peer_addr() {
                data.insert(Peer(peer.ip().to_string()));
            }
        }
    })
    .shutdown_timeout(2)
    // Its own handling of signals would end the halls' threads before they have kept a snapshot.
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}

fn set_user_timeout(stream: &TcpStream, stalled: Duration) {
    if let Err(cause) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(stalled)) {
        warn!(%cause, "a stalled client of this connection will linger");
    }
}

async fn prune_for_ever(app: Data<App>) {
    loop {
        if let Err(cause) = app.records.prune(app.now()).await {
            warn!(%cause, "old keys and sessions not removed");
        }
        let oldest = app.now().minus_secs(TELEMETRY_DAYS * 86_400);
        if let Err(cause) = app.records.forget_telemetry(oldest).await {
            warn!(%cause, "old telemetry not removed");
        }
        if let Err(cause) = app.raters.forget_old(app.now()).await {
            warn!(%cause, "old invitations to rate not removed");
        }
        if let Err(cause) = app.devices.forget_old_usage(app.now()).await {
            warn!(%cause, "old uses of devices not removed");
        }
        let days = u64::from(app.settings.feeds.remembered_days);
        let before = app.now().minus_secs(days * 86_400);
        if let Err(cause) = app.records.forget_feed_records(before).await {
            warn!(%cause, "old records of feeds not removed");
        }
        tokio::time::sleep(PRUNE).await;
    }
}

async fn deliver_for_ever(app: Data<App>) {
    let settings = app.settings.notices.clone();
    let (push, lanes) = (app.push.clone(), app.lanes.clone());
    if let Err(cause) = notices::driver::run(app.desk.clone(), settings, push, lanes).await {
        error!(%cause, "notices are not delivered");
    }
}

async fn push_for_ever(app: Data<App>) {
    if let Err(cause) = feeds::push::run(app).await {
        error!(%cause, "feeds are not pushed");
    }
}

async fn watch_raters_for_ever(app: Data<App>) {
    let ways = match Ways::new(app.settings.notices.clone()) {
        Ok(ways) => ways,
        Err(cause) => return error!(%cause, "text messages of raters are not sent"),
    };
    let sender = app.clone();
    // Who waits for the gateway does not look for raters meanwhile.
    actix_web::rt::spawn(async move {
        loop {
            sender.raters.send_due(&ways, sender.now()).await;
            tokio::time::sleep(raters::LOOK_EVERY).await;
        }
    });
    loop {
        app.raters.look(app.now()).await;
        tokio::time::sleep(raters::LOOK_EVERY).await;
    }
}

async fn write_occupancy_for_ever(app: Data<App>) {
    loop {
        tokio::time::sleep(occupancy::WRITE_EVERY).await;
        if let Err(cause) = app.occupancies.write().await {
            warn!(%cause, "counts of people not written yet");
        }
    }
}

async fn watch_devices_for_ever(app: Data<App>) {
    loop {
        tokio::time::sleep(WATCH_DEVICES).await;
        let mut all = app.devices.untold();
        all.extend(app.devices.fallen_silent(app.now()));
        for happened in all {
            app.note_device(&happened).await;
        }
        app.occupancies.look(app.now());
        if let Err(cause) = app.devices.write_usage().await {
            warn!(%cause, "uses of devices not written yet");
        }
    }
}
