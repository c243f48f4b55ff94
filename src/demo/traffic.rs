//! What happens beside the demonstration's hall, by the clock on the wall: departments work at cases,
//! interfaces are called, data comes in, on-line services are visited.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actors::clock::SystemClock;
use actors::desk::Desk;
use actors::ports::Clock as _;
use anyhow::Context as _;
use rules::cases::CaseDesk;
use rules::channels::Masking;
use rules::channels::feed::{FeedCommand, NewRecord};
use rules::ids::{ChannelId, FeedId, HallId};
use rules::telemetry;
use rules::time::Timestamp;
use serde_json::json;
use simulations::deliveries::{self, Delivery};
use simulations::departments::Departments;
use simulations::interfaces::{INTERFACES, Traffic};
use simulations::online;
use tokio::time::MissedTickBehavior;
use tracing::warn;

use super::HALL;
use crate::channels::Channels;
use crate::feeds::{FeedError, Feeds, Holder, digest};
use crate::store::Records;
use crate::web::App;

/// Something happens to a case so often.
const DEPARTMENTS_EVERY: Duration = Duration::from_secs(30);

/// Most interfaces are called so often.
const CALLS_EVERY: Duration = Duration::from_secs(2);

/// When the demonstration starts its on-line services have been visited for so long.
const VISITS_BEFORE: Duration = Duration::from_secs(3 * 3600);

/// Whether another delivery is due is looked at so often.
const DELIVERIES_EVERY: Duration = Duration::from_secs(5);

/// The feed that data of the demonstration comes in by.
const FEED: &str = "decisions";

/// Sets up what is not there, and lets it happen for ever.
///
/// # Errors
/// An interface or the feed cannot be set up.
pub(super) async fn start(app: &App, seed: u64, hall: HallId) -> anyhow::Result<()> {
    let departments = Departments::new(seed, hall, app.now());
    actix_web::rt::spawn(work_for_ever(departments, app.cases.clone()));
    set_interfaces_up(&app.channels).await?;
    actix_web::rt::spawn(call_for_ever(Traffic::new(seed), app.channels.clone()));
    let holder = feed(&app.feeds).await?;
    actix_web::rt::spawn(deliver_for_ever(seed, app.feeds.clone(), holder));
    actix_web::rt::spawn(visit_for_ever(seed, app.records.clone()));
    Ok(())
}

/// Cases have no day that could be played faster: their departments work by the clock on the wall.
async fn work_for_ever(mut departments: Departments, desk: Desk<CaseDesk>) {
    let mut steps = tokio::time::interval(DEPARTMENTS_EVERY);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        steps.tick().await;
        let mut at_work = departments.clone();
        let read = desk.read(move |desk, now| {
            let commands = at_work.next(desk, now);
            (at_work, commands)
        });
        let Some((at_work, commands)) = read.await else {
            continue;
        };
        departments = at_work;
        for command in commands {
            if let Err(cause) = desk.submit(command, HALL, None).await {
                warn!(%cause, "a case of the demonstration stays as it is");
            }
        }
    }
}

/// Makes the interfaces that are not there; what an engineer has changed stays.
async fn set_interfaces_up(channels: &Channels) -> anyhow::Result<()> {
    for interface in &INTERFACES {
        let channel: ChannelId = interface.id.parse()?;
        let setup = json!({
            "name": {"zh": interface.name.0, "en": interface.name.1},
            "provider": interface.provider, "direction": "outbound",
        });
        channels.made(&channel, setup, HALL).await?;
    }
    Ok(())
}

/// Like cases, calls between systems happen by the clock on the wall.
async fn call_for_ever(mut traffic: Traffic, channels: Channels) {
    let mut steps = tokio::time::interval(CALLS_EVERY);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        steps.tick().await;
        let now = SystemClock.now();
        for (id, call) in traffic.next(now) {
            let watched = id.parse().ok().and_then(|id| channels.get(&id));
            let Some(watched) = watched else { continue };
            if let Err(cause) = channels.tell(&watched, call, now).await {
                warn!(%cause, "a call of the demonstration is not in the history");
            }
        }
    }
}

/// The feed, set up unless it is.
async fn feed(feeds: &Feeds) -> anyhow::Result<Arc<Holder>> {
    let id: FeedId = FEED.parse()?;
    if let Some(holder) = feeds.get(&id)
        && holder.read(|feed, _| feed.setup().is_some()).await?
    {
        return Ok(holder);
    }
    let setup = serde_json::from_value(json!({
        "name": {"zh": "省级审批结果", "en": "Province's decisions"},
        "direction": "receive", "kind": "cases", "party": "province", "channel": "exchange",
        "schedule": {"when": "every", "secs": deliveries::PERIOD_SECS},
        "checks": [
            {"name": "case", "kind": "text", "required": true},
            {"name": "item", "kind": "code", "values": deliveries::ITEMS, "required": true},
            {"name": "decided_on", "kind": "date", "required": true},
        ],
    }))?;
    let made = feeds.set_up(&id, setup, None, HALL, None).await;
    made.map_err(|cause| anyhow::anyhow!("feed {id}: {cause}"))?;
    feeds.get(&id).context("the demonstration's feed is gone")
}

/// Deliveries come by the clock on the wall, as calls do.
async fn deliver_for_ever(seed: u64, feeds: Feeds, holder: Arc<Holder>) {
    let mut steps = tokio::time::interval(DELIVERIES_EVERY);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        steps.tick().await;
        let Some(delivery) = deliveries::due(seed, SystemClock.now()) else {
            continue;
        };
        if let Err(cause) = deliver(&feeds, &holder, delivery).await {
            warn!(%cause, "a delivery of the demonstration is not taken");
        }
    }
}

async fn deliver(feeds: &Feeds, holder: &Holder, delivery: Delivery) -> Result<(), FeedError> {
    let batch = delivery.batch.clone();
    let closed = holder.read(move |feed, _| Some(feed.batch(&batch)?.closed_at.is_some()));
    let closed = closed.await?;
    if closed == Some(true) {
        return Ok(());
    }
    let told = delivery.records.into_iter().map(|(id, body)| NewRecord {
        id: Some(id),
        row: None,
        digest: digest(&body),
        changed_at: None,
        body,
        unreadable: None,
    });
    let records: Vec<NewRecord> = told.collect();
    let (batch, expected) = (delivery.batch, Some(records.len() as u64));
    if closed.is_none() {
        let batch = batch.clone();
        let open = FeedCommand::Open { batch, expected };
        holder.desk.submit(open, HALL, None).await?;
    }
    feeds
        .take(holder, &batch, records, BTreeSet::new(), HALL)
        .await?;
    let close = FeedCommand::Close { batch };
    holder.desk.submit(close, HALL, None).await?;
    Ok(())
}

/// On-line services are visited by the clock on the wall as well, and have been for a while.
async fn visit_for_ever(seed: u64, records: Records) {
    let mut told = SystemClock.now().millis() - VISITS_BEFORE.as_millis() as i64;
    let mut events = online::last_words(SystemClock.now());
    let turn = Duration::from_secs(online::TURN_SECS);
    let mut steps = tokio::time::interval(turn);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        steps.tick().await;
        let now = SystemClock.now();
        while told < now.millis() {
            events.extend(online::events(seed, Timestamp::from_millis(told)));
            told += turn.as_millis() as i64;
        }
        let masking = Masking::default();
        let known: Vec<_> = events
            .iter()
            .filter_map(|told| telemetry::Event::told(told, &masking, now).ok())
            .collect();
        match records.keep_telemetry(&known).await {
            Ok(_) => events.clear(),
            Err(cause) => warn!(%cause, "visits of the demonstration are not kept yet"),
        }
    }
}
