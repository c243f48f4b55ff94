//! Raters (评价器): a ticket that is completed at a window with a rater is an invitation to rate.
//!
//! ```text
//! completed ──> asked ──answer──> answered ──> rated
//!                 └──no answer in time──> texting ──> texted
//!                              └──> left (no number, no gateway, or refused)
//! ```
//!
//! The rater hears of it on its topic `rating.{device}` and answers that it shows it. If it does not
//! within `raters.answer_secs`, the holder gets a text message, if a number was given; the page
//! behind the code of the slip asks in any case. Each invitation is one call of the raters' channel,
//! which fails when nobody answered. Invitations are kept, so that a restart loses none; a ticket is
//! rated once, by whichever way comes first.

mod contacts;
mod texts;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::Addr;
use actors::hub::{ScreenHub, Shape};
use actors::publisher::Publisher;
use rules::channels::call::NewCall;
use rules::channels::tally::Outcome;
use rules::ids::{ChannelId, HallId, TicketId, WindowId};
use rules::time::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tracing::{info, warn};

use crate::channels::{Channels, Watched};
use crate::config;
use crate::devices::Devices;
use crate::store::Records;
use crate::store::records::{DeviceRow, InvitationRow, StoreError};
use crate::web::auth::hash_token;
use contacts::Seal;

/// Invitations that nobody answered are looked for so often.
pub const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A number is kept at most so long.
const CONTACT_SECS: u64 = 86_400;

/// Invitations are remembered for so many days.
const DAYS_KEPT: u64 = 90;

/// How far an invitation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The rater was told.
    Asked,
    /// The rater shows it.
    Answered,
    Rated,
    /// The rater is silent; a text message is to be sent.
    Texting,
    /// The text message was sent.
    Texted,
    /// The rater is silent and nobody could be told; the page behind the slip's code still asks.
    Left,
}

impl Progress {
    const ALL: [Self; 6] = [
        Self::Asked,
        Self::Answered,
        Self::Rated,
        Self::Texting,
        Self::Texted,
        Self::Left,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Answered => "answered",
            Self::Rated => "rated",
            Self::Texting => "texting",
            Self::Texted => "texted",
            Self::Left => "left",
        }
    }

    fn of(row: &InvitationRow) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == row.state)
    }
}

/// A ticket that was completed.
pub struct Completed {
    pub hall: HallId,
    pub window: WindowId,
    pub ticket: TicketId,
    pub number: String,
    /// The page of the ticket's holder.
    pub link: String,
}

/// What a rater shows.
#[derive(Debug, Clone, Serialize)]
struct Shown {
    ticket: u64,
    number: String,
    window: String,
    asked_at: String,
    /// The rater answers before.
    answer_by: String,
    /// It shows the invitation until then.
    until: String,
}

/// One rater's topic, and what it shows.
struct Rater {
    topic: Publisher,
    shown: Option<(Shown, Timestamp)>,
}

/// Invitations by hall and ticket.
type Open = BTreeMap<(String, u64), InvitationRow>;

/// All raters.
pub struct Raters {
    records: Records,
    devices: Arc<Devices>,
    channels: Channels,
    hub: Addr<ScreenHub>,
    settings: config::Raters,
    channel: ChannelId,
    /// Whether there is somebody who sends text messages.
    texts: bool,
    seal: Seal,
    /// Asked, and not answered yet.
    asked: Mutex<Open>,
    /// When the next text message of an invitation is due.
    texting: Mutex<BTreeMap<(String, u64), Timestamp>>,
    shown: Mutex<BTreeMap<String, Rater>>,
    /// Held while an invitation is read, changed and written.
    changes: tokio::sync::Mutex<()>,
}

/// The topic of a rater.
pub fn topic(device: &str) -> String {
    format!("rating.{device}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Raters {
    /// Loads the invitations of which something is still to come.
    ///
    /// # Errors
    /// The database is not available, or the key of the numbers cannot be read.
    pub async fn load(
        records: Records,
        devices: Arc<Devices>,
        channels: Channels,
        hub: Addr<ScreenHub>,
        settings: &config::Settings,
    ) -> anyhow::Result<Self> {
        let seal = Seal::load(&settings.data.dir)?;
        let open = records.open_invitations().await?;
        let (asked, texting): (Vec<_>, Vec<_>) = open
            .into_iter()
            .partition(|row| Progress::of(row) == Some(Progress::Asked));
        let key = |row: InvitationRow| ((row.hall.clone(), row.ticket), row);
        let due = |row: &InvitationRow| Some(((row.hall.clone(), row.ticket), row.next_at?));
        let raters = Self {
            asked: Mutex::new(asked.into_iter().map(key).collect()),
            texting: Mutex::new(texting.iter().filter_map(due).collect()),
            records,
            devices,
            channels,
            hub,
            channel: channel_of(&settings.raters)?,
            texts: !settings.notices.sms.url.is_empty(),
            settings: settings.raters.clone(),
            seal,
            shown: Mutex::default(),
            changes: tokio::sync::Mutex::default(),
        };
        // The server stopped while one was on its way: it may have arrived.
        for row in texting.iter().filter(|row| row.next_at.is_none()) {
            let reason = "the server stopped while it was sent".to_owned();
            raters.end(row, Progress::Texted, Some(reason)).await?;
        }
        Ok(raters)
    }

    /// Keeps the number of a holder's phone, sealed, where it may be needed: in a hall with a rater
    /// and with somebody who sends text messages.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn keep_contact(
        &self,
        hall: &HallId,
        ticket: TicketId,
        phone: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let any = |row: &DeviceRow| row.kind == "rater" && row.hall == hall.as_str();
        if !self.texts || !self.devices.rows().iter().any(any) {
            return Ok(());
        }
        let place = format!("{hall}/{}", ticket.0);
        let Some(sealed) = self.seal.seal(&place, phone) else {
            return Ok(());
        };
        let until = now.plus_secs(CONTACT_SECS);
        self.records
            .put_contact(hall.as_str(), ticket.0, &sealed, until)
            .await
    }

    /// Invites on the rater of the window, if it has one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn invite(&self, completed: Completed, now: Timestamp) -> Result<(), StoreError> {
        let (hall, window) = (completed.hall.as_str(), completed.window.as_str());
        let Some(device) = self.devices.rater_at(hall, window, now) else {
            return Ok(());
        };
        let row = InvitationRow {
            hall: hall.to_owned(),
            ticket: completed.ticket.0,
            number: completed.number,
            window: window.to_owned(),
            device,
            state: Progress::Asked.name().to_owned(),
            reason: None,
            link: completed.link,
            asked_at: now,
            answered_at: None,
            attempts: 0,
            next_at: None,
        };
        self.records.put_invitation(&row).await?;
        self.show(&row, now);
        lock(&self.asked).insert((row.hall.clone(), row.ticket), row);
        Ok(())
    }

    fn show(&self, row: &InvitationRow, now: Timestamp) {
        let until = row.asked_at.plus_secs(self.settings.shown_secs);
        let shown = Shown {
            ticket: row.ticket,
            number: row.number.clone(),
            window: row.window.clone(),
            asked_at: row.asked_at.rfc3339_utc(),
            answer_by: self.answer_by(row).rfc3339_utc(),
            until: until.rfc3339_utc(),
        };
        self.publish(&row.device, now, |rater| rater.shown = Some((shown, until)));
    }

    fn publish(&self, device: &str, now: Timestamp, change: impl FnOnce(&mut Rater)) {
        let mut all = lock(&self.shown);
        let rater = all.entry(device.to_owned()).or_insert_with(|| Rater {
            topic: Publisher::open(
                &self.hub,
                topic(device),
                Shape::Whole {
                    merge: Duration::ZERO,
                },
            ),
            shown: None,
        });
        change(rater);
        let shown = rater.shown.as_ref().map(|(shown, _)| shown);
        rater
            .topic
            .publish(&now.rfc3339_utc(), &json!({"invitation": shown}));
    }

    /// Makes a rater's topic known.
    pub fn open(&self, device: &str, now: Timestamp) {
        self.publish(device, now, |_| ());
    }

    /// What a rater shall show now.
    pub fn shown(&self, device: &str) -> Value {
        let all = lock(&self.shown);
        let shown = all.get(device).and_then(|rater| rater.shown.as_ref());
        json!({"invitation": shown.map(|(shown, _)| shown)})
    }

    fn take_down(&self, row: &InvitationRow, now: Timestamp) {
        self.publish(&row.device, now, |rater| {
            let own = |(shown, _): &(Shown, Timestamp)| shown.ticket == row.ticket;
            if rater.shown.as_ref().is_some_and(own) {
                rater.shown = None;
            }
        });
    }

    fn answer_by(&self, row: &InvitationRow) -> Timestamp {
        row.asked_at.plus_secs(self.settings.answer_secs)
    }

    /// An invitation of this rater; `None` if it was given none for the ticket.
    async fn own(
        &self,
        hall: &str,
        device: &str,
        ticket: u64,
    ) -> Result<Option<InvitationRow>, StoreError> {
        let row = self.records.invitation(hall, ticket).await?;
        Ok(row.filter(|row| row.device == device))
    }

    /// The rater says that it shows the invitation; how far the invitation then is. `None` if it was
    /// given none for the ticket.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn answer(
        &self,
        hall: &str,
        device: &str,
        ticket: u64,
        now: Timestamp,
    ) -> Result<Option<Progress>, StoreError> {
        let _changing = self.changes.lock().await;
        let Some(mut row) = self.own(hall, device, ticket).await? else {
            return Ok(None);
        };
        let progress = Progress::of(&row);
        if progress != Some(Progress::Asked) {
            // It was said before, or it comes too late to undo what followed.
            return Ok(progress);
        }
        row.state = Progress::Answered.name().to_owned();
        row.answered_at = Some(now);
        self.record(&row, Ok(now)).await;
        self.records.put_invitation(&row).await?;
        lock(&self.asked).remove(&(row.hall.clone(), row.ticket));
        Ok(Some(Progress::Answered))
    }

    /// The ticket was rated on this rater.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn rated_on(
        &self,
        hall: &HallId,
        device: &str,
        ticket: TicketId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.devices.used(device, "rate", now);
        self.rated(hall, ticket, now).await
    }

    /// The ticket was rated, wherever: nobody is asked any more, and no number is needed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn rated(
        &self,
        hall: &HallId,
        ticket: TicketId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let _changing = self.changes.lock().await;
        let (hall, ticket) = (hall.as_str(), ticket.0);
        if let Some(mut row) = self.records.invitation(hall, ticket).await? {
            row.state = Progress::Rated.name().to_owned();
            row.next_at = None;
            self.records.put_invitation(&row).await?;
            lock(&self.asked).remove(&(hall.to_owned(), ticket));
            self.take_down(&row, now);
        }
        self.records.forget_contact(hall, ticket).await
    }

    /// What time alone brings: raters that did not answer, and invitations that were shown long
    /// enough.
    pub async fn look(&self, now: Timestamp) {
        let late: Vec<(String, u64)> = lock(&self.asked)
            .values()
            .filter(|row| now > self.answer_by(row))
            .map(|row| (row.hall.clone(), row.ticket))
            .collect();
        for (hall, ticket) in late {
            if let Err(cause) = self.unanswered(&hall, ticket, now).await {
                warn!(%cause, hall, ticket, "an invitation that nobody answered is not kept yet");
            }
        }
        let over: Vec<String> = lock(&self.shown)
            .iter()
            .filter(|(_, rater)| rater.shown.as_ref().is_some_and(|(_, until)| now > *until))
            .map(|(device, _)| device.clone())
            .collect();
        for device in over {
            self.publish(&device, now, |rater| rater.shown = None);
        }
    }

    async fn unanswered(&self, hall: &str, ticket: u64, now: Timestamp) -> Result<(), StoreError> {
        let _changing = self.changes.lock().await;
        let key = (hall.to_owned(), ticket);
        let Some(mut row) = self.records.invitation(hall, ticket).await? else {
            lock(&self.asked).remove(&key);
            return Ok(());
        };
        if Progress::of(&row) == Some(Progress::Asked) {
            let contact = self.records.contact(hall, ticket).await?;
            let (progress, reason) = match (self.texts, contact) {
                (true, Some(_)) => (Progress::Texting, None),
                (true, None) => (Progress::Left, Some("no_phone")),
                (false, _) => (Progress::Left, Some("no_gateway")),
            };
            row.state = progress.name().to_owned();
            row.reason = reason.map(str::to_owned);
            row.next_at = (progress == Progress::Texting).then_some(now);
            self.record(&row, Err("no_answer")).await;
            self.records.put_invitation(&row).await?;
            if let Some(next) = row.next_at {
                lock(&self.texting).insert(key.clone(), next);
            }
            info!(
                hall,
                ticket,
                device = row.device,
                state = row.state,
                "the rater did not answer"
            );
        }
        lock(&self.asked).remove(&key);
        Ok(())
    }

    /// One invitation is one call of the raters' channel: answered, or failed. Kept by its id, it
    /// counts once; told before the invitation moves on, it counts also when the process ends between.
    async fn record(&self, row: &InvitationRow, answered: Result<Timestamp, &str>) {
        let now = answered.unwrap_or_else(|_| self.answer_by(row));
        let call = NewCall {
            // Of 64 signs, however long the hall's name is.
            id: Some(hash_token(&format!(
                "{}/{}/{}",
                row.hall,
                row.ticket,
                row.asked_at.millis()
            ))),
            caller: row.device.clone(),
            version: None,
            at: now,
            duration_ms: Some(now.millis_since(row.asked_at) as f64),
            status: None,
            result: Some(match answered {
                Ok(_) => Outcome::Ok,
                Err(_) => Outcome::Failed,
            }),
            reason: answered.err().map(str::to_owned),
            trace_id: None,
            request: Some(json!({"path": "/invitation", "hall": row.hall, "number": row.number})),
            response: None,
        };
        if let Err(cause) = self.tell(call, now).await {
            warn!(%cause, channel = %self.channel, "an invitation is not counted");
        }
    }

    async fn tell(&self, call: NewCall, now: Timestamp) -> anyhow::Result<()> {
        let watched = self.watched().await?;
        self.channels.tell(&watched, call, now).await
    }

    /// The raters' channel, set up at the first invitation unless somebody has done so.
    async fn watched(&self) -> anyhow::Result<Arc<Watched>> {
        let setup = json!({
            "name": {"zh": "评价器", "en": "Rating devices"},
            "provider": "raters", "direction": "outbound",
        });
        self.channels.made(&self.channel, setup, "raters").await
    }

    /// A hall's latest invitations.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn of_hall(&self, hall: &str, limit: u32) -> Result<Vec<Value>, StoreError> {
        let rows = self.records.invitations(hall, limit).await?;
        Ok(rows.iter().map(face).collect())
    }

    /// Forgets numbers and invitations whose time is over.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_old(&self, now: Timestamp) -> Result<(), StoreError> {
        let oldest = now.minus_secs(DAYS_KEPT * 86_400);
        self.records.forget_invitations(now, oldest).await
    }
}

fn channel_of(settings: &config::Raters) -> anyhow::Result<ChannelId> {
    let channel = settings.channel.parse();
    channel.map_err(|_| anyhow::anyhow!("raters.channel is no id of a channel"))
}

/// An invitation as a manager sees it; never the number of a phone, nor the link, by which one could
/// rate.
fn face(row: &InvitationRow) -> Value {
    json!({
        "ticket": row.ticket, "number": row.number, "window": row.window, "device": row.device,
        "state": row.state, "reason": row.reason, "asked_at": row.asked_at.rfc3339_utc(),
        "answered_at": row.answered_at.map(Timestamp::rfc3339_utc), "attempts": row.attempts,
    })
}
