//! Whoever causes the frames that screens are measured on, on a thread of its own: the moment an
//! answer arrives must not wait behind a thousand screens being read.

use crate::support::clock::now_ns;
use crate::support::http::Http;
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

#[derive(Clone)]
pub(crate) enum Source {
    /// Real, durable commands: tickets of one service issued and cancelled in turn, one delta each.
    Hall {
        addr: SocketAddr,
        token: String,
        hall: String,
        service: String,
    },
    /// Messages of `size` bytes that look like a hall's deltas, posted to nchan.
    Nchan { addr: SocketAddr, size: usize },
}

/// One message: when it was sent, when the server had accepted it, and the seq its frame bears.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) sent_ns: u64,
    pub(crate) answered_ns: u64,
    pub(crate) seq: Option<u64>,
}

/// Sends `count` messages, `rate` a second by the clock; a late one is sent at once.
pub(crate) fn publish(source: Source, rate: f64, count: usize) -> JoinHandle<Result<Vec<Sent>>> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime
            .context("building the publisher's runtime")?
            .block_on(run(source, rate, count))
    })
}

async fn run(source: Source, rate: f64, count: usize) -> Result<Vec<Sent>> {
    let mut stream = Stream::of(source);
    let began = tokio::time::Instant::now();
    let mut all = Vec::with_capacity(count);
    for n in 0..count {
        tokio::time::sleep_until(began + Duration::from_secs_f64(n as f64 / rate)).await;
        all.push(stream.send(n as u64).await?);
    }
    fill_in(&mut all);
    Ok(all)
}

/// An answer need not name its seq. Where both neighbours do, and leave room for exactly one, it is known.
fn fill_in(all: &mut [Sent]) {
    for n in 1..all.len().saturating_sub(1) {
        if let (Some(before), None, Some(after)) = (all[n - 1].seq, all[n].seq, all[n + 1].seq) {
            all[n].seq = (before + 2 == after).then_some(before + 1);
        }
    }
}

struct Stream {
    source: Source,
    http: Http,
    /// The ticket to cancel next.
    waiting: Option<u64>,
}

impl Stream {
    fn of(source: Source) -> Self {
        let http = match &source {
            Source::Hall { addr, token, .. } => Http::new(*addr, Some(token)),
            Source::Nchan { addr, .. } => Http::new(*addr, None),
        };
        Self {
            source,
            http,
            waiting: None,
        }
    }

    async fn send(&mut self, nth: u64) -> Result<Sent> {
        let request = self.request(nth);
        let sent_ns = now_ns();
        let answer = self.http.send(&request).await?;
        let answered_ns = now_ns();
        ensure!(
            answer.is_success(),
            "a message was refused: {}",
            answer.refusal()
        );
        let seq = match &self.source {
            Source::Hall { .. } => {
                let id = answer.number("\"id\":");
                let seq = answer.number("\"seq\":");
                self.waiting = if self.waiting.is_none() { id } else { None };
                seq
            }
            Source::Nchan { .. } => Some(nth + 1),
        };
        Ok(Sent {
            sent_ns,
            answered_ns,
            seq,
        })
    }

    fn request(&self, nth: u64) -> Vec<u8> {
        match &self.source {
            Source::Hall { hall, service, .. } => {
                let tickets = format!("/api/v1/halls/{hall}/tickets");
                match self.waiting {
                    None => self.http.encode(
                        "POST",
                        &tickets,
                        &format!("{{\"service\":\"{service}\"}}"),
                    ),
                    Some(id) => self
                        .http
                        .encode("POST", &format!("{tickets}/{id}/cancel"), "{}"),
                }
            }
            Source::Nchan { size, .. } => {
                let mut message = format!(
                    "{{\"topic\":\"hall.F1\",\"kind\":\"delta\",\"seq\":{},\"at\":\"2026-01-05T09:00:00+08:00\",\"data\":\"",
                    nth + 1
                );
                let padding = size.saturating_sub(message.len() + 2);
                message.extend(std::iter::repeat_n('x', padding));
                message.push_str("\"}");
                self.http.encode("POST", "/pub", &message)
            }
        }
    }
}
