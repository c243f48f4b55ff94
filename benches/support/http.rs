//! HTTP/1.1 over one kept-alive connection: requests encoded once, answers read as far as needed.
//!
//! A client library would cost more than the server's own handling of the request, and both share
//! the machine. Deliberately absent: pipelining, chunked bodies, redirects, TLS.

use crate::support::scan;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Servers close idle connections after some seconds (actix-web after 5); we never find out by writing.
const IDLE_LIMIT: Duration = Duration::from_secs(2);

pub(crate) struct Http {
    addr: SocketAddr,
    token: Option<String>,
    stream: Option<TcpStream>,
    last_used: Instant,
    answer: Vec<u8>,
}

/// Borrowed from the connection until its next request.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Http {
    pub(crate) fn new(addr: SocketAddr, token: Option<&str>) -> Self {
        let token = token.map(str::to_owned);
        Self {
            addr,
            token,
            stream: None,
            last_used: Instant::now(),
            answer: Vec::with_capacity(4096),
        }
    }

    /// The bytes of a request, to be sent as often as wanted.
    pub(crate) fn encode(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let addr = self.addr;
        let authorization = self.token.as_ref().map_or_else(String::new, |token| {
            format!("Authorization: Bearer {token}\r\n")
        });
        let length = body.len();
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {addr}\r\n{authorization}Accept-Language: en\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.write(request).await?;
        self.read().await
    }

    /// Parses a whole answer; for set-up and checks, where cost does not matter.
    pub(crate) async fn json(
        &mut self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<(u16, Value)> {
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = self.encode(method, path, &text);
        let answer = self
            .send(&request)
            .await
            .with_context(|| format!("{method} {path}"))?;
        let value = if answer.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(answer.body)
                .with_context(|| format!("{method} {path}: reading the answer"))?
        };
        Ok((answer.status, value))
    }

    /// Like `json`, where anything but 2xx is a failure.
    pub(crate) async fn done(&mut self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let (status, value) = self.json(method, path, body).await?;
        ensure!(
            (200..300).contains(&status),
            "{method} {path}: {status} {value}"
        );
        Ok(value)
    }

    /// Sends a request; `read` must follow before the next one.
    pub(crate) async fn write(&mut self, request: &[u8]) -> Result<()> {
        if self.last_used.elapsed() > IDLE_LIMIT {
            self.stream = None;
        }
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(connect(self.addr).await?),
        };
        stream.write_all(request).await.context("sending a request")
    }

    pub(crate) async fn read(&mut self) -> Result<Answer<'_>> {
        let stream = self.stream.as_mut().context("no request was sent")?;
        self.answer.clear();
        let head = loop {
            ensure!(
                stream
                    .read_buf(&mut self.answer)
                    .await
                    .context("reading an answer")?
                    > 0,
                "closed without an answer"
            );
            if let Some(end) = scan::find(&self.answer, b"\r\n\r\n") {
                break Head::parse(&self.answer[..end], end + 4)?;
            }
        };
        let whole = head.body_at + head.content_length;
        while self.answer.len() < whole {
            ensure!(
                stream
                    .read_buf(&mut self.answer)
                    .await
                    .context("reading an answer")?
                    > 0,
                "closed within an answer"
            );
        }
        ensure!(
            self.answer.len() == whole,
            "bytes after the end of an answer"
        );
        self.last_used = Instant::now();
        if head.closes {
            self.stream = None;
        }
        Ok(Answer {
            status: head.status,
            body: &self.answer[head.body_at..],
        })
    }
}

impl Answer<'_> {
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        scan::number(self.body, key)
    }

    pub(crate) fn string(&self, key: &str) -> Option<&str> {
        scan::string(self.body, key)
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Status and code of a refusal, for a report.
    pub(crate) fn refusal(&self) -> String {
        format!(
            "{} {}",
            self.status,
            self.string("\"code\":").unwrap_or("without a code")
        )
    }
}

struct Head {
    status: u16,
    content_length: usize,
    closes: bool,
    body_at: usize,
}

impl Head {
    fn parse(head: &[u8], body_at: usize) -> Result<Self> {
        let head = std::str::from_utf8(head).context("an answer's head is not text")?;
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.with_context(|| format!("not a status line: {first:?}"))?;
        let (mut content_length, mut closes) = (0, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                content_length = value.parse().context("reading content-length")?;
            } else if name.eq_ignore_ascii_case("connection") {
                closes = value.eq_ignore_ascii_case("close");
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                bail!("a {value} body where one of known length was expected");
            }
        }
        Ok(Self {
            status,
            content_length,
            closes,
            body_at,
        })
    }
}

async fn connect(addr: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(addr)
        .await
        .with_context(|| format!("connecting to {addr}"))?;
    stream.set_nodelay(true).context("setting TCP_NODELAY")?;
    Ok(stream)
}
