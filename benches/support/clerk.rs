//! One clerk at one window with a service of its own: issue, call, start, complete, again and again.
//!
//! Nobody else touches the service, so every command must succeed and the ticket called must be the
//! ticket just issued.

use crate::support::http::Http;
use crate::support::office::{Office, prefix, service, window};
use anyhow::{Context, Result, bail, ensure};
use std::time::Instant;

/// Where a clerk sits. The service bears the window's id.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) hall: String,
    window: String,
}

#[derive(Clone, Copy)]
pub(crate) enum Step {
    Issue,
    CallNext,
    Start,
    Complete,
}

impl Step {
    pub(crate) const ALL: [Self; 4] = [Self::Issue, Self::CallNext, Self::Start, Self::Complete];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::CallNext => "call_next",
            Self::Start => "start",
            Self::Complete => "complete",
        }
    }
}

/// Opens `halls` halls with `seats` seats between them; the seats go round the halls in turn.
pub(crate) async fn open_halls(
    office: &mut Office,
    name: &str,
    halls: usize,
    seats: usize,
) -> Result<Vec<Seat>> {
    let per_hall = seats.div_ceil(halls);
    let ids: Vec<String> = (1..=per_hall).map(|n| n.to_string()).collect();
    let services: Vec<_> = ids
        .iter()
        .enumerate()
        .map(|(n, id)| service(&format!("S{id}"), &prefix(n)))
        .collect();
    let windows: Vec<_> = ids
        .iter()
        .map(|id| window(id, &[&format!("S{id}")]))
        .collect();
    let names: Vec<String> = (1..=halls).map(|n| format!("{name}{n:02}")).collect();
    for hall in &names {
        office.open_hall(hall, &services, &windows).await?;
    }
    let seat = |n: usize| Seat {
        hall: names[n % halls].clone(),
        window: ids[n / halls].clone(),
    };
    Ok((0..seats).map(seat).collect())
}

pub(crate) struct Clerk {
    http: Http,
    /// In the order of `Step::ALL`, encoded once.
    requests: [Vec<u8>; 4],
}

impl Clerk {
    pub(crate) fn at(seat: &Seat, office: &Office) -> Self {
        let http = office.connection();
        let hall = format!("/api/v1/halls/{}", seat.hall);
        let window = format!("{hall}/windows/{}", seat.window);
        let issue = format!("{{\"service\":\"S{}\"}}", seat.window);
        let requests = [
            http.encode("POST", &format!("{hall}/tickets"), &issue),
            http.encode("POST", &format!("{window}/call-next"), "{}"),
            http.encode("POST", &format!("{window}/start"), "{}"),
            http.encode("POST", &format!("{window}/complete"), "{}"),
        ];
        Self { http, requests }
    }

    /// One ticket from issue to completion; returns its id. `note` hears when each command was
    /// sent and answered.
    pub(crate) async fn serve_one(
        &mut self,
        mut note: impl FnMut(Step, Instant, Instant),
    ) -> Result<u64> {
        let mut issued = None;
        for step in Step::ALL {
            let sent = Instant::now();
            let answer = self.http.send(&self.requests[step as usize]).await?;
            note(step, sent, Instant::now());
            if !answer.is_success() {
                bail!("{} refused: {}", step.name(), answer.refusal());
            }
            match step {
                Step::Issue => {
                    issued = Some(
                        answer
                            .number("\"id\":")
                            .context("an issued ticket without an id")?,
                    )
                }
                Step::CallNext => {
                    let called = answer.number("\"id\":");
                    ensure!(
                        called == issued,
                        "issued ticket {issued:?} but was called {called:?}"
                    );
                }
                Step::Start | Step::Complete => {}
            }
        }
        issued.context("no ticket was issued")
    }
}
