//! Tickets as a source of records: those that complete go to the province's register of numbers taken.

use std::collections::BTreeMap;

use chrono::Days;
use rules::channels::feed::{FeedRefusal, FeedSetup, NewRecord};
use rules::ids::HallId;
use rules::ticket::Ticket;
use rules::time::Timestamp;
use serde_json::{Value, json};
use tracing::warn;

use super::push::{BY, Pusher};
use super::{FeedError, Holder, digest};
use crate::store::records::HallTicket;

/// Tickets taken over at a time.
const PAGE: u32 = 500;

/// At the first look after a start, and at later ones, days on which a ticket may have completed.
const FIRST_DAYS: u64 = 7;
const LATER_DAYS: u64 = 1;

/// Batches of one day at most; each has tens of thousands of records.
const BATCHES_A_DAY: u32 = 99;

impl Pusher {
    /// Takes tickets over that completed since the feed was set up and that it does not have.
    pub(super) async fn gather_tickets(
        &self,
        holder: &Holder,
        setup: &FeedSetup,
    ) -> Result<(), FeedError> {
        let since = holder.read(|feed, _| feed.set_up_at()).await?;
        for (hall, handle) in self.app.system.halls.all() {
            if setup.hall.as_ref().is_some_and(|own| *own != hall) {
                continue;
            }
            // One that is being rebuilt is asked at the next pass.
            let Some(seq) = handle.read(|hall, _| hall.seq()).await else {
                continue;
            };
            let place = (holder.id.clone(), hall.clone());
            let gathered = self.gathered.borrow().get(&place).copied();
            if gathered == Some(seq) {
                continue;
            }
            let days = if gathered.is_none() {
                FIRST_DAYS
            } else {
                LATER_DAYS
            };
            self.gather_hall(holder, setup, &hall, since, days).await?;
            self.gathered.borrow_mut().insert(place, seq);
        }
        self.close_past(holder, setup).await
    }

    async fn gather_hall(
        &self,
        holder: &Holder,
        setup: &FeedSetup,
        hall: &HallId,
        since: Timestamp,
        days: u64,
    ) -> Result<(), FeedError> {
        let today = setup.time_zone.date_of(self.app.now());
        let from = today.checked_sub_days(Days::new(days + 1)).unwrap_or(today);
        let from = from.to_string();
        loop {
            let records = &self.app.records;
            let some = records
                .completed_tickets_beside(&holder.id, hall, &from, since, PAGE)
                .await?;
            let more = some.len() == PAGE as usize;
            let mut by_day: BTreeMap<String, Vec<NewRecord>> = BTreeMap::new();
            for ticket in &some {
                let of_day = by_day.entry(ticket.ticket.day.to_string()).or_default();
                of_day.push(self.record_of(ticket));
            }
            for (day, records) in by_day {
                self.take_day(holder, setup, &day, records).await?;
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// A day's tickets are a batch; when that is full, another.
    async fn take_day(
        &self,
        holder: &Holder,
        setup: &FeedSetup,
        day: &str,
        records: Vec<NewRecord>,
    ) -> Result<(), FeedError> {
        let windows = match setup.checks.needs_windows() {
            true => self.app.directory.windows().await,
            false => Some(Default::default()),
        };
        // While a hall is being rebuilt nobody knows its windows.
        let Some(windows) = windows else {
            return Err(super::rebuilt());
        };
        for number in 1..=BATCHES_A_DAY {
            let batch = match number {
                1 => day.to_owned(),
                _ => format!("{day}.{number}"),
            };
            let feeds = &self.app.feeds;
            let taken = feeds
                .take(holder, &batch, records.clone(), windows.clone(), BY)
                .await;
            match taken {
                Err(FeedError::Refused(FeedRefusal::TooManyRecords { .. })) => {}
                other => return other.map(drop),
            }
        }
        warn!(feed = %holder.id, day, "more tickets than a day's batches hold");
        Ok(())
    }

    /// Closes the batches of days that are over, once nothing of them waits.
    async fn close_past(&self, holder: &Holder, setup: &FeedSetup) -> Result<(), FeedError> {
        let yesterday = setup.time_zone.date_of(self.app.now().minus_secs(86_400));
        let limit = format!("{yesterday}.~");
        let past = holder.read(move |feed, _| {
            let open = feed.batches().filter(|(id, batch)| {
                batch.closed_at.is_none() && batch.totals.waiting == 0 && **id < *limit
            });
            open.map(|(id, _)| id.to_owned()).collect::<Vec<_>>()
        });
        for batch in past.await? {
            let close = rules::channels::feed::FeedCommand::Close { batch };
            holder.submit(close, BY).await?;
        }
        Ok(())
    }

    fn record_of(&self, one: &HallTicket) -> NewRecord {
        let body = self.body_of(&one.hall, &one.ticket);
        NewRecord {
            id: Some(format!("{}/{}", one.hall, one.ticket.id)),
            row: None,
            digest: digest(&body),
            changed_at: one.ticket.ended_at,
            body,
            unreadable: None,
        }
    }

    /// What is told of a ticket: nothing of who held it.
    fn body_of(&self, hall: &HallId, ticket: &Ticket) -> Value {
        let at = |at: Option<Timestamp>| at.map(Timestamp::rfc3339_utc);
        let window = ticket
            .window
            .as_ref()
            .map(|window| format!("{hall}/{window}"));
        json!({
            "hall": hall, "organisation": self.app.directory.of_hall(hall), "window": window,
            "number": ticket.number, "day": ticket.day.to_string(), "service": ticket.service,
            "taken_by": ticket.channel, "state": ticket.state.name(),
            "issued_at": at(Some(ticket.issued_at)), "called_at": at(ticket.first_called_at),
            "started_at": at(ticket.started_at), "ended_at": at(ticket.ended_at),
            "wait_secs": ticket.wait_secs(), "service_secs": ticket.service_secs(),
        })
    }
}
