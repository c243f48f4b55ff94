//! LED strips on a wire: adapters over TCP and UDP, and what is known of them.
//!
//! A manager may name any address a strip has, so the server only ever connects within
//! `strips.networks`, looked at after the name is resolved, and never below port 1024.

mod frames;
mod networks;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actors::clock::SystemClock;
use actors::ports::{Answer, Clock as _, PortError, StripLink, StripPort};
use actors::strip::{Protocol, StripMessage, StripPlan, StripState, StripStatus, Strips};
use rules::ids::HallId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::devices::{Devices, Fault, Report, ReportError};
use crate::store::Records;
use crate::store::records::{StoreError, StripRow};

pub use networks::Networks;

/// A name that takes longer to resolve, or a strip to accept or answer, does not answer.
const RESOLVE: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_millis(500);
const ANSWER: Duration = Duration::from_millis(500);

/// Data that a serial server does not acknowledge for so long means that it is gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// Longest answer of a strip, in bytes.
const ANSWER_MAX: usize = 200;

/// A strip that is well is written into the devices' records so often.
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// Lowest port a strip may have: below lie the services of other machines.
pub const PORT_MIN: u16 = 1024;

/// Starts the links of all strips that are set up, on a thread of their own.
///
/// # Errors
/// The database is not available.
pub async fn start(
    system: &actors::System,
    records: &Records,
    wires: Wires,
) -> Result<Strips, StoreError> {
    let arbiter = actix::Arbiter::new().handle();
    let strips = Strips::new(Arc::clone(&system.halls), Arc::new(wires), arbiter);
    for row in records.strips().await? {
        match (row.hall.parse(), plan(&row)) {
            (Ok(hall), Some(plan)) => strips.put(hall, row.id, plan),
            _ => warn!(
                hall = row.hall,
                strip = row.id,
                "an LED strip's set-up cannot be read"
            ),
        }
    }
    Ok(strips)
}

fn plan(row: &StripRow) -> Option<StripPlan> {
    Some(StripPlan {
        window: row.window.parse().ok()?,
        protocol: protocol(&row.protocol)?,
        address: row.address.clone(),
        size: row.size.parse().ok()?,
        two_colours: row.two_colours,
        zone: row.zone,
        english: row.english,
    })
}

/// A protocol by its name.
pub fn protocol(name: &str) -> Option<Protocol> {
    Protocol::ALL.into_iter().find(|known| known.name() == name)
}

/// Checks an address without asking anybody: `host:port`, a plain name or an address within the
/// networks.
///
/// # Errors
/// What is wrong with it.
pub fn check_address(address: &str, networks: &Networks) -> Result<(), &'static str> {
    const FORM: &str = "host:port, such as 10.0.3.21:5000";
    let (host, port) = address.rsplit_once(':').ok_or(FORM)?;
    let port: u16 = port.parse().map_err(|_| FORM)?;
    if port < PORT_MIN {
        return Err("the port must be at least 1024");
    }
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if let Ok(ip) = bare.unwrap_or(host).parse::<IpAddr>() {
        return match networks.hold(ip) {
            true => Ok(()),
            false => Err("the address is outside of strips.networks"),
        };
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let name = (1..=253).contains(&host.len()) && host.bytes().all(plain);
    // What is written like an address but is none would be resolved in ways nobody expects.
    match name && host.bytes().any(|b| b.is_ascii_alphabetic()) {
        true => Ok(()),
        false => Err(FORM),
    }
}

/// The world of strips.
pub struct Wires {
    networks: Networks,
    devices: Arc<Devices>,
    /// When each strip was last reported, and as what.
    reported: Mutex<BTreeMap<(HallId, String), (StripState, Instant)>>,
}

impl Wires {
    pub fn new(networks: Networks, devices: Arc<Devices>) -> Self {
        Self {
            networks,
            devices,
            reported: Mutex::default(),
        }
    }
}

impl StripPort for Wires {
    fn link(&self, plan: &StripPlan) -> Box<dyn StripLink> {
        Box::new(Wire {
            plan: plan.clone(),
            networks: self.networks.clone(),
            socket: Socket::None,
        })
    }

    fn noticed(&self, hall: &HallId, strip: &str, status: &StripStatus) {
        let key = (hall.clone(), strip.to_owned());
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let before = reported.get(&key).copied();
        let changed = before.is_none_or(|(state, _)| state != status.state);
        let due = before.is_none_or(|(_, at)| at.elapsed() > REPORT_EVERY);
        let offline = status.state == StripState::Offline;
        if !changed && (offline || !due) {
            return;
        }
        reported.insert(key, (status.state, Instant::now()));
        drop(reported);
        if changed && offline {
            let fault = status.fault.as_deref().unwrap_or_default();
            warn!(%hall, strip, fault, "LED strip {strip} does not answer");
        } else if changed && before.is_some() {
            info!(%hall, strip, "LED strip {strip} answers again");
        }
        self.report(hall, strip, offline);
    }
}

impl Wires {
    /// Writes into the records of the device of the same name, if the manager registered one.
    fn report(&self, hall: &HallId, strip: &str, offline: bool) {
        let device = self.devices.row(strip);
        let registered = device.is_some_and(|row| row.hall == hall.as_str() && row.kind == "strip");
        if !registered {
            return;
        }
        let fault = Fault {
            function: "display".to_owned(),
            code: "no_answer".to_owned(),
        };
        let report = Report {
            faults: if offline { vec![fault] } else { Vec::new() },
            ..Report::default()
        };
        let (devices, strip) = (Arc::clone(&self.devices), strip.to_owned());
        tokio::spawn(async move {
            match devices.report(&strip, report, SystemClock.now()).await {
                Ok(happened) => devices.leave(happened),
                Err(ReportError::Store(cause)) => {
                    warn!(%cause, strip, "state of an LED strip not kept");
                }
                Err(_) => {}
            }
        });
    }
}

enum Socket {
    None,
    Tcp(TcpStream),
    Udp(UdpSocket),
}

/// One strip's wire. After any failure it is cut, and the next message connects anew.
struct Wire {
    plan: StripPlan,
    networks: Networks,
    socket: Socket,
}

impl StripLink for Wire {
    fn show<'a>(&'a mut self, message: &'a StripMessage) -> Answer<'a, ()> {
        Box::pin(async move {
            let shown = self.try_show(message).await;
            if shown.is_err() {
                self.socket = Socket::None;
            }
            shown
        })
    }
}

/// Managers see the code alone: what another machine said is for the debug log.
fn silent(code: &'static str, cause: impl std::fmt::Display) -> PortError {
    debug!(code, %cause, "LED strip failed");
    PortError::Unavailable(code.to_owned())
}

impl Wire {
    async fn try_show(&mut self, message: &StripMessage) -> Result<(), PortError> {
        if matches!(self.socket, Socket::None) {
            self.socket = self.connect().await?;
        }
        let text = message.lines.join(" ");
        match self.plan.protocol {
            Protocol::Line | Protocol::LineUdp => {
                self.send(frames::line(message).as_bytes()).await?;
                let answer = self.answer().await?;
                frames::check_answer(&answer, message.window.as_str())
                    .map(drop)
                    .map_err(|cause| silent("bad_answer", cause))
            }
            Protocol::Jqueue => self.send(&frames::jqueue(&text)).await,
            Protocol::Cxt => {
                let frame = frames::cxt(self.plan.zone, message.colour, message.scrolls, &text);
                self.send(&frame).await
            }
        }
    }

    async fn connect(&self) -> Result<Socket, PortError> {
        let address = self.resolve().await?;
        match self.plan.protocol {
            Protocol::Line | Protocol::Jqueue => {
                let stream = timeout(CONNECT, TcpStream::connect(address))
                    .await
                    .map_err(|_| silent("no_answer", "no answer"))?
                    .map_err(|cause| silent("no_answer", cause))?;
                let options = socket2::SockRef::from(&stream);
                stream
                    .set_nodelay(true)
                    .and_then(|()| options.set_tcp_user_timeout(Some(UNACKNOWLEDGED)))
                    .map_err(|cause| silent("no_answer", cause))?;
                Ok(Socket::Tcp(stream))
            }
            Protocol::LineUdp | Protocol::Cxt => {
                let local: SocketAddr = match address {
                    SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
                    SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
                };
                let open = async {
                    let socket = UdpSocket::bind(local).await?;
                    socket.connect(address).await?;
                    Ok::<_, std::io::Error>(socket)
                };
                let socket = open.await.map_err(|cause| silent("no_port", cause))?;
                Ok(Socket::Udp(socket))
            }
        }
    }

    async fn resolve(&self) -> Result<SocketAddr, PortError> {
        let found = timeout(RESOLVE, lookup_host(&self.plan.address))
            .await
            .map_err(|_| silent("unknown_host", "no answer"))?
            .map_err(|cause| silent("unknown_host", cause))?;
        let allowed =
            |address: &SocketAddr| address.port() >= PORT_MIN && self.networks.hold(address.ip());
        found.into_iter().find(allowed).ok_or_else(|| {
            silent(
                "outside_networks",
                "the address is outside of strips.networks",
            )
        })
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        let sent = async {
            match &mut self.socket {
                Socket::Tcp(stream) => stream.write_all(bytes).await,
                Socket::Udp(socket) => socket.send(bytes).await.map(drop),
                Socket::None => Ok(()),
            }
        };
        timeout(ANSWER, sent)
            .await
            .map_err(|_| silent("no_answer", "the strip takes nothing"))?
            .map_err(|cause| silent("no_answer", cause))
    }

    /// One line, without its end.
    async fn answer(&mut self) -> Result<Vec<u8>, PortError> {
        let mut answer = Vec::new();
        let read = async {
            let mut piece = [0; ANSWER_MAX];
            while !answer.ends_with(b"\n") && answer.len() <= ANSWER_MAX {
                let read = match &mut self.socket {
                    Socket::Tcp(stream) => stream.read(&mut piece).await?,
                    Socket::Udp(socket) => socket.recv(&mut piece).await?,
                    Socket::None => 0,
                };
                if read == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                answer.extend_from_slice(&piece[..read]);
            }
            Ok::<_, std::io::Error>(())
        };
        timeout(ANSWER, read)
            .await
            .map_err(|_| silent("no_answer", "none came"))?
            .map_err(|cause| silent("no_answer", cause))?;
        Ok(answer)
    }
}
