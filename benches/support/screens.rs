//! A thousand screens on one thread: handshake, subscribe, read, check the seq of every message.
//!
//! Made to keep up with 50,000 messages a second on one core: one read buffer for all connections, no
//! copy of a frame that arrived whole, and no second look at a message that the screen before
//! received too. Deliberately absent: extensions, fragments, TLS, JSON.
//!
//! What a screen checks:
//!
//! | message  | before                | then                                         |
//! |----------|-----------------------|----------------------------------------------|
//! | snapshot | anything              | its seq is the screen's                      |
//! | delta    | the screen's seq is s | s + 1 is right; anything else is a gap       |
//! | delta    | no snapshot yet       | a gap, except from nchan, which sends none   |

use crate::support::clock::now_ns;
use crate::support::scan;
use anyhow::{Context, Result, bail, ensure};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// The sample of RFC 6455 section 1.3: a fixed key has a known answer.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Any four bytes do: the mask protects proxies, of which there are none.
const MASK: [u8; 4] = [0x3a, 0x91, 0x5c, 0xe7];

/// Handshakes under way at once: more than the server has cores, fewer than its accept queue holds.
const RAMP: usize = 64;

/// The least a Linux socket accepts; the kernel doubles it for its own book-keeping.
const TINY_RECEIVE_BUFFER: u32 = 1152;

thread_local! {
    /// One for all connections: what a read left is either parsed or copied before the next read.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
}

/// Where screens connect and what they say first.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) addr: SocketAddr,
    pub(crate) path: &'static str,
    pub(crate) token: Option<String>,
    /// The subscription; without one the server sends no snapshot.
    pub(crate) subscribe: Option<String>,
}

/// What all screens together received.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) deltas: u64,
    pub(crate) delta_bytes: u64,
    pub(crate) snapshots: u64,
    pub(crate) other: u64,
    pub(crate) refused: u64,
    pub(crate) gaps: u64,
    pub(crate) lost: u64,
    /// Reads that brought at least one delta; fewer than deltas when the server merged writes.
    pub(crate) reads: u64,
}

#[derive(Default)]
struct Ledger {
    counts: Counts,
    /// When each delta arrived, by seq, at every screen that got it.
    arrivals: HashMap<u64, Vec<u64>>,
    latest: Vec<u8>,
    latest_is: Option<Message>,
    first_loss: Option<String>,
}

#[derive(Clone, Copy)]
enum Message {
    Snapshot(u64),
    Delta(u64),
    Refused,
    Other,
}

impl Message {
    fn read(text: &[u8]) -> Self {
        match (
            scan::string(text, "\"kind\":"),
            scan::number(text, "\"seq\":"),
        ) {
            (Some("delta"), Some(seq)) => Self::Delta(seq),
            (Some("snapshot"), Some(seq)) => Self::Snapshot(seq),
            (Some("error"), _) => Self::Refused,
            _ => Self::Other,
        }
    }
}

impl Ledger {
    fn message(&mut self, text: &[u8]) -> Message {
        match self.latest_is {
            Some(message) if self.latest == text => message,
            _ => {
                let message = Message::read(text);
                self.latest.clear();
                self.latest.extend_from_slice(text);
                self.latest_is = Some(message);
                message
            }
        }
    }
}

/// Screens that are connected and, where the server sends snapshots, have theirs.
pub(crate) struct Crowd {
    ledger: Rc<RefCell<Ledger>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Crowd {
    pub(crate) async fn gather(door: &Door, count: usize) -> Result<Self> {
        let ledger = Rc::new(RefCell::new(Ledger::default()));
        let ramp = Rc::new(Semaphore::new(RAMP));
        let connected = Rc::new(RefCell::new(0));
        let mut crowd = Self {
            ledger: ledger.clone(),
            tasks: Vec::with_capacity(count),
        };
        for _ in 0..count {
            let (door, ledger, ramp, connected) = (
                door.clone(),
                ledger.clone(),
                ramp.clone(),
                connected.clone(),
            );
            crowd.tasks.push(tokio::task::spawn_local(async move {
                let end = async {
                    let turn = ramp.acquire().await?;
                    let (stream, early) = open(&door, None).await?;
                    drop(turn);
                    *connected.borrow_mut() += 1;
                    Screen {
                        seq: None,
                        expects_snapshot: door.subscribe.is_some(),
                    }
                    .watch(stream, early, &ledger)
                    .await
                };
                let error = end
                    .await
                    .err()
                    .map_or_else(String::new, |error| format!("{error:#}"));
                let mut ledger = ledger.borrow_mut();
                ledger.counts.lost += 1;
                ledger.first_loss.get_or_insert(error);
            }));
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let counts = crowd.counts();
            crowd.complain_of_losses()?;
            let welcome = door.subscribe.is_none() || counts.snapshots >= count as u64;
            if *connected.borrow() == count && welcome {
                return Ok(crowd);
            }
            ensure!(
                Instant::now() < deadline,
                "{} of {count} screens ready after 60 s",
                counts.snapshots
            );
            ensure!(counts.refused == 0, "the server refused the subscription");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.ledger.borrow().counts
    }

    pub(crate) fn complain_of_losses(&self) -> Result<()> {
        match &self.ledger.borrow().first_loss {
            Some(error) => bail!("a screen lost its connection: {error}"),
            None => Ok(()),
        }
    }

    /// Waits until every screen received this delta, or gives up; either way the counts tell.
    pub(crate) async fn settle(&self, seq: u64, limit: Duration) {
        let deadline = Instant::now() + limit;
        let received = || self.ledger.borrow().arrivals.get(&seq).map_or(0, Vec::len);
        while received() < self.tasks.len() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// When a delta arrived at each screen that received it.
    pub(crate) fn with_arrivals<T>(&self, seq: u64, look: impl FnOnce(&[u64]) -> T) -> T {
        look(
            self.ledger
                .borrow()
                .arrivals
                .get(&seq)
                .map_or(&[], Vec::as_slice),
        )
    }

    /// Closes all connections and waits until the last is closed.
    pub(crate) async fn disperse(self) {
        for task in &self.tasks {
            task.abort();
        }
        for task in self.tasks {
            // Aborted is what we asked for.
            let _ = task.await;
        }
    }
}

/// A screen that subscribes and never reads again. Its tiny receive buffer fills with the snapshot.
pub(crate) struct StuckScreen(TcpStream);

impl StuckScreen {
    pub(crate) async fn connect(door: &Door) -> Result<Self> {
        Ok(Self(open(door, Some(TINY_RECEIVE_BUFFER)).await?.0))
    }

    pub(crate) fn port(&self) -> Result<u16> {
        Ok(self
            .0
            .local_addr()
            .context("asking for a screen's port")?
            .port())
    }
}

/// Handshake and subscription; also returns bytes that came behind the handshake.
async fn open(door: &Door, receive_buffer: Option<u32>) -> Result<(TcpStream, Vec<u8>)> {
    let socket = TcpSocket::new_v4().context("opening a screen's socket")?;
    if let Some(bytes) = receive_buffer {
        socket
            .set_recv_buffer_size(bytes)
            .context("shrinking a receive buffer")?;
    }
    let mut stream = socket
        .connect(door.addr)
        .await
        .with_context(|| format!("connecting to {}", door.addr))?;
    stream.set_nodelay(true).context("setting TCP_NODELAY")?;
    let (path, addr) = (door.path, door.addr);
    let authorization = door.token.as_ref().map_or_else(String::new, |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {addr}\r\nOrigin: http://{addr}\r\n{authorization}Connection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    );
    stream
        .write_all(request.as_bytes())
        .await
        .context("sending a handshake")?;
    let mut early = Vec::with_capacity(1024);
    let end = loop {
        ensure!(
            stream
                .read_buf(&mut early)
                .await
                .context("reading a handshake")?
                > 0,
            "closed during the handshake"
        );
        if let Some(end) = scan::find(&early, b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = &early[..end];
    let first_line = || {
        String::from_utf8_lossy(head)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    ensure!(
        head.starts_with(b"HTTP/1.1 101"),
        "handshake refused: {}",
        first_line()
    );
    ensure!(
        scan::find(head, ACCEPT).is_some(),
        "handshake answered for another key"
    );
    if let Some(text) = &door.subscribe {
        stream
            .write_all(&client_frame(TEXT, text.as_bytes()))
            .await
            .context("subscribing")?;
    }
    early.drain(..end);
    Ok((stream, early))
}

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A final, masked frame. Nothing a screen says is longer than 65,535 bytes.
fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u8::try_from(payload.len()) {
        Ok(short @ 0..=125) => frame.push(0x80 | short),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(
                u16::try_from(payload.len())
                    .unwrap_or(u16::MAX)
                    .to_be_bytes(),
            );
        }
    }
    frame.extend(MASK);
    frame.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

struct Screen {
    seq: Option<u64>,
    expects_snapshot: bool,
}

impl Screen {
    /// Reads until the connection ends; the end is always an error.
    async fn watch(
        mut self,
        mut stream: TcpStream,
        mut rest: Vec<u8>,
        ledger: &RefCell<Ledger>,
    ) -> Result<()> {
        let mut pongs = Vec::new();
        let used = self.receive(&rest, ledger, &mut pongs)?;
        rest.drain(..used);
        loop {
            stream.readable().await.context("waiting for a frame")?;
            SCRATCH.with_borrow_mut(|scratch| -> Result<()> {
                let chunk = match stream.try_read(scratch) {
                    Ok(0) => bail!("closed by the server without a close frame"),
                    Ok(length) => &scratch[..length],
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(error).context("reading a frame"),
                };
                if rest.is_empty() {
                    let used = self.receive(chunk, ledger, &mut pongs)?;
                    rest.extend_from_slice(&chunk[used..]);
                } else {
                    rest.extend_from_slice(chunk);
                    let used = self.receive(&rest, ledger, &mut pongs)?;
                    rest.drain(..used);
                }
                Ok(())
            })?;
            if !pongs.is_empty() {
                stream.write_all(&pongs).await.context("answering a ping")?;
                pongs.clear();
            }
        }
    }

    /// Takes every whole frame; returns how many bytes they had.
    fn receive(
        &mut self,
        bytes: &[u8],
        ledger: &RefCell<Ledger>,
        pongs: &mut Vec<u8>,
    ) -> Result<usize> {
        let at = now_ns();
        let mut ledger = ledger.borrow_mut();
        let deltas_before = ledger.counts.deltas;
        let mut used = 0;
        while let Some(frame) = Frame::first_of(&bytes[used..])? {
            used += frame.length;
            match frame.opcode {
                CLOSE => bail!(
                    "closed by the server: {}",
                    String::from_utf8_lossy(frame.payload.get(2..).unwrap_or(&[]))
                ),
                PING => pongs.extend(client_frame(PONG, frame.payload)),
                PONG => {}
                _ => self.take(frame.payload, at, &mut ledger),
            }
        }
        ledger.counts.reads += u64::from(ledger.counts.deltas > deltas_before);
        Ok(used)
    }

    fn take(&mut self, text: &[u8], at: u64, ledger: &mut Ledger) {
        match ledger.message(text) {
            Message::Snapshot(seq) => {
                ledger.counts.snapshots += 1;
                self.seq = Some(seq);
            }
            Message::Delta(seq) => {
                let expected = self.seq.map(|seq| seq + 1);
                let right = expected.map_or(!self.expects_snapshot, |expected| expected == seq);
                ledger.counts.deltas += 1;
                ledger.counts.delta_bytes += text.len() as u64;
                ledger.counts.gaps += u64::from(!right);
                ledger.arrivals.entry(seq).or_default().push(at);
                self.seq = Some(seq);
            }
            Message::Refused => ledger.counts.refused += 1,
            Message::Other => ledger.counts.other += 1,
        }
    }
}

struct Frame<'a> {
    opcode: u8,
    payload: &'a [u8],
    length: usize,
}

impl<'a> Frame<'a> {
    /// The first frame of `bytes`, or none while it is not whole.
    fn first_of(bytes: &'a [u8]) -> Result<Option<Self>> {
        let &[first, second, ref more @ ..] = bytes else {
            return Ok(None);
        };
        ensure!(
            first & 0xf0 == 0x80,
            "a fragment or an extension nobody asked for: first byte {first:#04x}"
        );
        let (start, payload_length) = match (second, more) {
            (0..=125, _) => (2, usize::from(second)),
            (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                let length = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                (
                    10,
                    usize::try_from(length).context("a frame larger than memory")?,
                )
            }
            (126 | 127, _) => return Ok(None),
            (128.., _) => bail!("a masked frame from the server"),
        };
        let length = start + payload_length;
        Ok(bytes.get(start..length).map(|payload| Self {
            opcode: first & 15,
            payload,
            length,
        }))
    }
}
