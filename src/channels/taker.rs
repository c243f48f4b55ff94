//! Where imported calls go: nowhere, into a running server, or into this machine's database.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::rt::task::JoinHandle;
use actix_web::web::Bytes;
use actors::clock::SystemClock;
use actors::ports::Clock as _;
use anyhow::{Context as _, anyhow, bail};
use rules::channels::access_log::Line;
use rules::channels::seen::Keeping;
use rules::channels::{Call, Limits, Masking, NewCall};
use rules::ids::ChannelId;

use super::import::Options;
use super::{Channels, Watched};
use crate::cli::Failure;
use crate::http_client::HttpClient;
use crate::store::records::ReadyCalls;
use crate::{config, store};

/// A request's body, in bytes: well below what servers take unless set otherwise.
const BODY_BYTES: usize = 1 << 20;

/// Requests under way at a time: while one is being written the next is being read.
const UNDER_WAY: usize = 4;

pub(super) enum Taker {
    Nowhere,
    Server(Box<Server>),
    Database(Box<Database>),
}

pub(super) struct Server {
    client: Rc<HttpClient>,
    path: String,
    under_way: VecDeque<JoinHandle<anyhow::Result<u64>>>,
    new: u64,
}

pub(super) struct Database {
    channels: Channels,
    watched: Arc<Watched>,
    limits: Limits,
    new: u64,
}

impl Taker {
    pub(super) async fn of(options: &Options) -> Result<Self, Failure> {
        let Some(channel) = &options.channel else {
            return Ok(Self::Nowhere);
        };
        if let Some(target) = &options.target {
            let client = HttpClient::sign_in(target, &options.username).await?;
            let found = client.get(&format!("/channels/{channel}")).await;
            found.map_err(|cause| Failure::BadInput(format!("channel {channel}: {cause:#}")))?;
            return Ok(Self::Server(Box::new(Server {
                client: Rc::new(client),
                path: format!("/channels/{channel}/calls"),
                under_way: VecDeque::new(),
                new: 0,
            })));
        }
        let settings = config::Settings::load(options.config.as_deref())
            .map_err(|error| Failure::BadInput(format!("{error:#}")))?;
        let stores = store::open(&settings.database.url, &settings.data.dir)
            .await
            .context("if a server is running on this data, import through it with --target URL")?;
        let system = actors::System::start(stores.journal, 1);
        let channels = Channels::start(system.journal, stores.records).await?;
        let watched = channels.get(channel).ok_or_else(|| {
            Failure::BadInput(format!("there is no channel {channel}: set it up first"))
        })?;
        let limits = watched.desk.read(|channel, _| channel.limits()).await;
        let limits = limits.context("the channel does not answer")?;
        Ok(Self::Database(Box::new(Database {
            channels,
            watched,
            limits,
            new: 0,
        })))
    }

    /// Hands calls over; some may be under way afterwards.
    pub(super) async fn take(&mut self, told: &[NewCall]) -> anyhow::Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Server(server) => server.take(&mut bodies_of(told)?).await,
            Self::Database(database) => {
                let calls = database.checks().checked(told)?;
                database.keep(&mut database.packer().pack(calls)?).await
            }
        }
    }

    /// Waits until all that was handed over is kept.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Server(server) => server.settle(0).await,
            Self::Nowhere | Self::Database(_) => Ok(()),
        }
    }

    /// Signs in again, where that is needed: a session ends, and a server may be another one.
    pub(super) async fn renew(&mut self, options: &Options) -> anyhow::Result<()> {
        if let (Self::Server(server), Some(target)) = (self, &options.target) {
            server.under_way.clear();
            server.client = Rc::new(HttpClient::sign_in(target, &options.username).await?);
        }
        Ok(())
    }

    /// How many calls were new.
    pub(super) async fn finish(mut self) -> anyhow::Result<u64> {
        self.settle().await?;
        match self {
            Self::Nowhere => Ok(0),
            Self::Server(server) => Ok(server.new),
            Self::Database(database) => {
                database.channels.keep_all().await;
                Ok(database.new)
            }
        }
    }
}

/// Calls as the bodies of requests.
///
/// # Errors
/// One has no JSON.
pub(super) fn bodies_of(told: &[NewCall]) -> anyhow::Result<VecDeque<Bytes>> {
    let (mut bodies, mut body) = (VecDeque::new(), String::with_capacity(BODY_BYTES + 4096));
    for (n, call) in told.iter().enumerate() {
        let line = serde_json::to_string(call)?;
        let _ = writeln!(body, "{line}");
        if body.len() >= BODY_BYTES || n + 1 == told.len() {
            bodies.push_back(Bytes::from(std::mem::take(&mut body)));
        }
    }
    Ok(bodies)
}

impl Server {
    /// Sends the bodies; some requests may be under way afterwards.
    pub(super) async fn take(&mut self, bodies: &mut VecDeque<Bytes>) -> anyhow::Result<()> {
        while let Some(body) = bodies.pop_front() {
            self.settle(UNDER_WAY - 1).await?;
            let (client, path) = (Rc::clone(&self.client), self.path.clone());
            let sending = async move { send(&client, &path, body).await };
            self.under_way.push_back(actix_web::rt::spawn(sending));
        }
        Ok(())
    }

    /// Waits until so many are under way at most.
    async fn settle(&mut self, at_most: usize) -> anyhow::Result<()> {
        while self.under_way.len() > at_most {
            if let Some(oldest) = self.under_way.pop_front() {
                self.new += oldest.await.context("a request was given up")??;
            }
        }
        Ok(())
    }
}

async fn send(client: &HttpClient, path: &str, body: Bytes) -> anyhow::Result<u64> {
    let sent = client.post_as("application/x-ndjson", path, body);
    match sent.await? {
        (StatusCode::CREATED, answer) => Ok(answer["kept"].as_u64().unwrap_or(0)),
        (status, answer) => bail!(
            "{status} {} {}; the same import can be run again",
            answer["detail"],
            answer["setting"].as_str().unwrap_or_default()
        ),
    }
}

impl Database {
    pub(super) fn checks(&self) -> Checks {
        Checks {
            channel: self.watched.id.clone(),
            limits: self.limits,
            keeping: Keeping::new(Masking::default()),
        }
    }

    pub(super) fn packer(&self) -> Packer {
        Packer(self.channels.clone())
    }

    pub(super) async fn keep(&mut self, packed: &mut Packed) -> anyhow::Result<()> {
        if let Some(ready) = packed.ready.take() {
            let (channels, watched) = (&self.channels, &self.watched);
            self.new += channels
                .record_at_once(watched, &packed.calls, ready)
                .await?;
        }
        Ok(())
    }
}

/// Makes calls ready for the database.
pub(super) struct Packer(Channels);

/// Calls, and what their database is told until it has been.
pub(super) struct Packed {
    calls: Vec<Call>,
    ready: Option<ReadyCalls>,
}

impl Packer {
    /// # Errors
    /// A call has no JSON.
    pub(super) fn pack(&self, calls: Vec<Call>) -> anyhow::Result<Packed> {
        let ready = match calls.is_empty() {
            true => None,
            false => Some(self.0.ready(&calls)?),
        };
        Ok(Packed { calls, ready })
    }
}

/// What calls are checked and masked by before they come into the database.
pub(super) struct Checks {
    channel: ChannelId,
    limits: Limits,
    keeping: Keeping,
}

impl Checks {
    /// The call of a line.
    ///
    /// # Errors
    /// It cannot be kept.
    pub(super) fn call(&self, line: &Line<'_>) -> anyhow::Result<Call> {
        let from = self.limits.fails_from_status;
        let call = line.call(&self.keeping, &self.channel, from, SystemClock.now());
        call.map_err(|fault| anyhow!("line {} cannot be kept: {fault}", line.number))
    }

    fn checked(&self, told: &[NewCall]) -> anyhow::Result<Vec<Call>> {
        let (now, masking) = (SystemClock.now(), self.keeping.masking());
        let calls = told.iter().cloned().map(|call| {
            // Each line has an id.
            let call = call.checked(&self.channel, String::new, &self.limits, masking, now);
            call.map_err(|fault| anyhow!("a line cannot be kept: {fault}"))
        });
        calls.collect()
    }
}
