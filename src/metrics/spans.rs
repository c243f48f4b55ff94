//! Requests as spans of traces, while somebody wants them: one each, with the route it took and no part of
//! its address that could name a person or a ticket.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::dev::ServiceResponse;

/// Spans that wait to be sent; the oldest make room.
const WAITING_MAX: usize = 4_096;

/// One request, served.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub trace: String,
    pub id: String,
    /// The caller's own span.
    pub parent: Option<String>,
    pub method: String,
    pub route: String,
    pub status: u16,
    pub began: Duration,
    pub ended: Duration,
}

/// Where spans wait.
#[derive(Debug, Default)]
pub struct Spans {
    on: bool,
    waiting: Mutex<VecDeque<Span>>,
    dropped: AtomicU64,
}

impl Spans {
    pub fn new(on: bool) -> Self {
        Self {
            on,
            ..Self::default()
        }
    }

    /// Notes a request that was just answered.
    pub fn note<B>(&self, answer: &ServiceResponse<B>, took: Duration) {
        if !self.on {
            return;
        }
        let request = answer.request();
        let header = request.headers().get("traceparent");
        let parent = header.and_then(|parent| traceparent(parent.to_str().ok()?));
        let ended = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let Some(id) = random_hex::<8>() else { return };
        let (trace, parent) = match parent {
            Some((trace, parent)) => (trace, Some(parent)),
            None => match random_hex::<16>() {
                Some(trace) => (trace, None),
                None => return,
            },
        };
        self.keep(Span {
            trace,
            id,
            parent,
            method: request.method().to_string(),
            route: request
                .match_pattern()
                .unwrap_or_else(|| "unmatched".to_owned()),
            status: answer.status().as_u16(),
            began: ended.saturating_sub(took),
            ended,
        });
    }

    fn keep(&self, span: Span) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING_MAX {
            waiting.pop_front();
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        waiting.push_back(span);
    }

    /// Takes the oldest that wait, so many at most.
    pub fn take(&self, most: usize) -> Vec<Span> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let some = waiting.len().min(most);
        waiting.drain(..some).collect()
    }

    /// Spans that were never sent, since the process started.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub fn give_up(&self, spans: usize) {
        self.dropped.fetch_add(spans as u64, Ordering::Relaxed);
    }
}

fn random_hex<const N: usize>() -> Option<String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok()?;
    Some(crate::web::auth::hex(&bytes))
}

/// Trace and span of a W3C `traceparent` of version 00.
pub fn traceparent(header: &str) -> Option<(String, String)> {
    let parts: Vec<&str> = header.split('-').collect();
    let [_, trace, span, _] = parts.as_slice() else {
        return None;
    };
    let is_id = |id: &str, length: usize| {
        id.len() == length
            && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            && id.bytes().any(|b| b != b'0')
    };
    (is_id(trace, 32) && is_id(span, 16)).then(|| ((*trace).to_owned(), (*span).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_taken_from_a_header_that_has_one() {
        let parent = traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let expected = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let expected = (expected.0.to_owned(), expected.1.to_owned());
        assert_eq!(parent, Some(expected));
        assert_eq!(traceparent("00-xyz-1-01"), None);
        let zero = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        assert_eq!(traceparent(&zero), None);
    }

    #[test]
    fn the_oldest_span_makes_room_and_is_counted() {
        let spans = Spans::new(true);
        for n in 0..=WAITING_MAX {
            spans.keep(Span {
                trace: n.to_string(),
                id: String::new(),
                parent: None,
                method: String::new(),
                route: String::new(),
                status: 200,
                began: Duration::ZERO,
                ended: Duration::ZERO,
            });
        }
        assert_eq!(spans.dropped(), 1);
        assert_eq!(spans.take(1)[0].trace, "1");
        assert_eq!(spans.take(usize::MAX).len(), WAITING_MAX - 1);
    }
}
