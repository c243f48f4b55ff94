//! Connections to what stands behind a channel: opened in time, used again, and gone with their owner.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// An idle connection is used again within this time, and closed after it: servers close theirs after
/// 5 s or later.
const IDLE: Duration = Duration::from_secs(4);

/// Largest head of an answer, and of what is read ahead.
const READ_MAX: usize = 64 * 1024;

/// Headers of an answer at most.
const HEADERS_MAX: usize = 128;

/// A connection that speaks HTTP/1.1. Dropped, it is closed, whatever is under way.
pub(super) struct Link<B> {
    pub(super) sender: SendRequest<B>,
    task: JoinHandle<()>,
    /// Whether a request went over it before.
    pub(super) used: bool,
}

impl<B> Drop for Link<B> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where to connect to.
#[derive(Clone)]
pub(super) struct Address {
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
    connect: Duration,
}

impl Address {
    /// `authority` is `HOST[:PORT]`.
    ///
    /// # Errors
    /// The encryption cannot be set up.
    pub(super) fn new(tls: bool, authority: &str, connect: Duration) -> anyhow::Result<Self> {
        let port = authority.rsplit_once(':');
        let port = port.and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = port.unwrap_or((authority, if tls { 443 } else { 80 }));
        let tls = match tls {
            true => Some(TlsConnector::from(Arc::new(crate::tls::client_config()?))),
            false => None,
        };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            tls,
            connect,
        })
    }

    /// Connects, encrypted where that is due.
    ///
    /// # Errors
    /// Nobody answers in time, or says no.
    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = connecting.await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Opens a connection to send requests over.
    ///
    /// # Errors
    /// Nobody answers in time, or says no.
    pub(super) async fn link<B>(&self) -> io::Result<Link<B>>
    where
        B: Body + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let opening = async {
            let stream = self.connect().await?;
            let Some(tls) = &self.tls else {
                return speak(stream).await;
            };
            let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
            speak(tls.connect(name, stream).await?).await
        };
        let opened = timeout(self.connect, opening).await;
        opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

async fn speak<B>(stream: impl AsyncRead + AsyncWrite + Unpin + 'static) -> io::Result<Link<B>>
where
    B: Body + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let spoken = http1::Builder::new()
        .max_buf_size(READ_MAX)
        .max_headers(HEADERS_MAX)
        .handshake(TokioIo::new(stream))
        .await;
    let (sender, connection) = spoken.map_err(io::Error::other)?;
    // Its end is told to whoever waits for an answer.
    let task = actix_web::rt::spawn(async move {
        let _ = connection.await;
    });
    Ok(Link {
        sender,
        task,
        used: false,
    })
}

/// Connections of one thread to one upstream: no more than calls were under way at once.
pub(super) struct Pool<B> {
    address: Address,
    /// The one used last at the end.
    idle: RefCell<Vec<(Instant, Link<B>)>>,
    /// Whether a task closes those that are idle for too long.
    swept: Cell<bool>,
}

impl<B> Pool<B>
where
    B: Body + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            idle: RefCell::default(),
            swept: Cell::new(false),
        }
    }

    /// The connection that was used last, if it stands.
    pub(super) fn idle(&self) -> Option<Link<B>> {
        let mut idle = self.idle.borrow_mut();
        while let Some((since, link)) = idle.pop() {
            if since.elapsed() >= IDLE {
                idle.clear();
                return None;
            }
            if link.sender.is_ready() {
                return Some(link);
            }
        }
        None
    }

    /// A new connection.
    ///
    /// # Errors
    /// Nobody answers in time, or says no.
    pub(super) async fn open(&self) -> io::Result<Link<B>> {
        // Boxed, since few calls open a connection and each would carry the room for it.
        Box::pin(self.address.link()).await
    }

    /// Takes a connection back whose answer was read to its end.
    pub(super) fn keep(self: &Rc<Self>, mut link: Link<B>) {
        link.used = true;
        self.idle.borrow_mut().push((Instant::now(), link));
        if !self.swept.replace(true) {
            actix_web::rt::spawn(Self::sweep(Rc::downgrade(self)));
        }
    }

    /// Closes what is idle for too long, until nothing is idle.
    async fn sweep(pool: Weak<Self>) {
        loop {
            tokio::time::sleep(IDLE).await;
            let Some(pool) = pool.upgrade() else { return };
            let mut idle = pool.idle.borrow_mut();
            idle.retain(|(since, _)| since.elapsed() < IDLE);
            if idle.is_empty() {
                idle.shrink_to_fit();
                return pool.swept.set(false);
            }
        }
    }
}
