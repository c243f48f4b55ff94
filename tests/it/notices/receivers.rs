//! Real receivers on free ports, that do to each message what the test says: an SMTP server that
//! takes nothing amiss from a client, and an HTTP server.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::PATIENCE;

/// What a receiver does to one message.
#[derive(Debug, Clone)]
pub enum Manner {
    Accept,
    /// An HTTP answer, or an SMTP reply to the recipient.
    Answer(u16, &'static str),
    /// Takes the body and closes without a word.
    DropAfterBody,
    /// Takes the body and says nothing.
    Hang,
    /// Closes before anything was sent.
    DropAtOnce,
    /// Answers what no protocol knows.
    Garbage,
}

/// A message as it was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The recipient's address, or method and path.
    pub to: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// What has come, and what to do to what comes: the manners in turn, then the last for ever.
#[derive(Clone)]
pub struct Receiver {
    pub port: u16,
    taken: Arc<Mutex<Vec<Taken>>>,
    manners: Arc<Mutex<VecDeque<Manner>>>,
    faults: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    pub async fn smtp(manners: &[Manner]) -> Self {
        let (receiver, listener) = Self::bind(manners).await;
        let own = receiver.clone();
        actix_web::rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = own.clone();
                actix_web::rt::spawn(async move {
                    if let Err(fault) = own.talk_smtp(stream).await {
                        own.faults.lock().unwrap().push(fault);
                    }
                });
            }
        });
        receiver
    }

    pub async fn http(manners: &[Manner]) -> Self {
        let (receiver, listener) = Self::bind(manners).await;
        let own = receiver.clone();
        actix_web::rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = own.clone();
                actix_web::rt::spawn(async move { own.talk_http(stream).await });
            }
        });
        receiver
    }

    async fn bind(manners: &[Manner]) -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            port: listener.local_addr().unwrap().port(),
            taken: Arc::default(),
            manners: Arc::new(Mutex::new(manners.iter().cloned().collect())),
            faults: Arc::default(),
        };
        (receiver, listener)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/in", self.port)
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    /// Waits until so many have come.
    pub async fn wait_for(&self, count: usize) -> Vec<Taken> {
        let deadline = Instant::now() + PATIENCE;
        while self.taken().len() < count {
            assert!(
                Instant::now() < deadline,
                "{} of {count} have come",
                self.taken().len()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.taken()
    }

    /// Where the client did not keep to the protocol.
    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap().clone()
    }

    fn manner(&self) -> Manner {
        let mut manners = self.manners.lock().unwrap();
        match manners.len() {
            0 => Manner::Accept,
            1 => manners[0].clone(),
            _ => manners.pop_front().unwrap(),
        }
    }

    fn take(&self, to: &str, headers: BTreeMap<String, String>, body: String) {
        let to = to.to_owned();
        self.taken.lock().unwrap().push(Taken { to, headers, body });
    }

    async fn talk_http(&self, stream: TcpStream) {
        let manner = self.manner();
        if matches!(manner, Manner::DropAtOnce) {
            return;
        }
        let mut stream = BufReader::new(stream);
        let mut first = String::new();
        let mut headers = BTreeMap::new();
        if stream.read_line(&mut first).await.unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers
            .get("content-length")
            .map_or(0, |text| text.parse::<usize>().unwrap());
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        let to = first.rsplit_once(' ').unwrap().0.to_owned();
        self.take(&to, headers, String::from_utf8(body).unwrap());
        let answer = match manner {
            Manner::Accept => (200, "{\"errcode\":0,\"errmsg\":\"ok\"}"),
            Manner::Answer(status, body) => (status, body),
            Manner::DropAfterBody | Manner::DropAtOnce => return,
            Manner::Hang => return std::future::pending().await,
            Manner::Garbage => {
                let _ = stream.write_all(b"\x00\x01 what? \r\n\r\n").await;
                return;
            }
        };
        let (status, body) = answer;
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(head.as_bytes()).await;
    }

    /// One conversation by RFC 5321, every step in its place and every line with its ending.
    async fn talk_smtp(&self, stream: TcpStream) -> Result<(), String> {
        let manner = self.manner();
        if matches!(manner, Manner::DropAtOnce) {
            return Ok(());
        }
        let mut stream = BufReader::new(stream);
        if matches!(manner, Manner::Garbage) {
            return say(&mut stream, "hello there").await;
        }
        say(&mut stream, "220 test ESMTP").await?;
        expect(&mut stream, "EHLO ").await?;
        say(&mut stream, "250-test\r\n250 8BITMIME").await?;
        expect(&mut stream, "MAIL FROM:<").await?;
        say(&mut stream, "250 ok").await?;
        let to = expect(&mut stream, "RCPT TO:<").await?;
        let to = to.trim_end_matches('>').to_owned();
        if let Manner::Answer(code, words) = manner {
            say(&mut stream, &format!("{code} <{to}> {words}")).await?;
            return Ok(());
        }
        say(&mut stream, "250 ok").await?;
        expect(&mut stream, "DATA").await?;
        say(&mut stream, "354 go on").await?;
        let mut body = String::new();
        loop {
            let line = line(&mut stream).await?;
            if line == "." {
                break;
            }
            body.push_str(line.strip_prefix('.').unwrap_or(&line));
            body.push('\n');
        }
        let headers = body.split("\n\n").next().unwrap_or_default();
        let headers = headers.replace("\n ", " ");
        let headers = headers.lines().filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        self.take(&to, headers.collect(), body.clone());
        match manner {
            Manner::DropAfterBody => return Ok(()),
            Manner::Hang => return std::future::pending().await,
            _ => say(&mut stream, "250 2.0.0 queued as 4711").await?,
        }
        expect(&mut stream, "QUIT").await?;
        say(&mut stream, "221 bye").await
    }
}

async fn say(stream: &mut BufReader<TcpStream>, text: &str) -> Result<(), String> {
    let line = format!("{text}\r\n");
    let said = stream.write_all(line.as_bytes()).await;
    said.map_err(|cause| format!("could not say {text}: {cause}"))
}

async fn line(stream: &mut BufReader<TcpStream>) -> Result<String, String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await;
    read.map_err(|cause| cause.to_string())?;
    match line.strip_suffix("\r\n") {
        Some(line) if line.len() <= 998 => Ok(line.to_owned()),
        _ => Err(format!("no line by RFC 5321: {line:?}")),
    }
}

/// What follows `start` in the next line.
async fn expect(stream: &mut BufReader<TcpStream>, start: &str) -> Result<String, String> {
    let line = line(stream).await?;
    match line.strip_prefix(start) {
        Some(rest) => Ok(rest.to_owned()),
        None => Err(format!("{line:?} where {start:?} was due")),
    }
}
