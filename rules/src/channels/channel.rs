//! One channel: its set-up, versions and grants, its statistics and its health, as a machine that lives
//! by its journal.
//!
//! Calls are no events: [`Channel::record`] counts them, the record itself is kept elsewhere, and the
//! statistics come back from a snapshot. What the calls make of the channel's health is an event:
//! [`Machine::elapse`] says so, after [`Channel::record`] answered that something turns and at the
//! deadlines. Whoever drives a channel calls [`Channel::advance`] before it asks for what elapsed.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::access::{Access, CallRefusal, Grant, KeyHash, VersionState, is_version};
use super::access::{GRANTS_MAX, VERSIONS_MAX};
use super::event::{ChannelCommand, ChannelEvent};
use super::health::{Frequency, Health, Reason, Streak, by_shares, by_streak};
use super::probe::Probe;
use super::refusal::ChannelRefusal;
use super::setup::{Limits, Setup, is_text};
use super::statistics::{Figures, Statistics, Window};
use super::tally::{Measured, Outcome};
use super::upstream::Upstream;
use crate::ids::ChannelId;
use crate::machine::{Item, ItemKind, Machine, Recorded};
use crate::time::{TimeZone, Timestamp};

/// Longest reason or note, in characters.
const REASON_MAX_CHARS: usize = 200;

/// Longest maintenance.
const MAINTENANCE_MAX_SECS: u64 = 30 * 86_400;

/// A call told later than this is history: it says nothing of how the channel is.
pub const LATE_SECS: u64 = 300;

/// How long a call of a withdrawn version is remarked on.
const WITHDRAWN_SECS: u64 = 300;

/// Changes of health a minute: a channel that turns more often than this stays as it is until the
/// minute is over.
const CHANGES_A_MINUTE_MAX: u32 = 20;

/// When nothing is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    pub from: Timestamp,
    pub until: Timestamp,
    pub reason: String,
}

/// A channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Channel {
    seq: u64,
    id: Option<ChannelId>,
    setup: Option<Box<Setup>>,
    set_up_at: Timestamp,
    #[serde(default)]
    revision: u64,
    access: Access,
    health: Health,
    health_since: Timestamp,
    health_reason: Option<Reason>,
    maintenance: Option<Maintenance>,
    /// Shares are judged over calls from here on: an outage that is over is not held against it.
    judged_from: Timestamp,
    /// Changes of health in the minute of the last one.
    changes: u32,
    streak: Streak,
    /// Refused calls by [`CallRefusal::ALL`].
    #[serde(deserialize_with = "counts")]
    refusals: [u64; CallRefusal::ALL.len()],
    withdrawn_at: Option<Timestamp>,
    /// Calls that were told too late to count.
    #[serde(default)]
    late: u64,
    /// The place in the history of the last call that was counted.
    #[serde(default)]
    counted: u64,
    statistics: Statistics,
}

/// Counts of reasons, of which later programs know more than earlier ones.
fn counts<'de, D: Deserializer<'de>, const N: usize>(
    deserializer: D,
) -> Result<[u64; N], D::Error> {
    let known = Vec::<u64>::deserialize(deserializer)?;
    Ok(std::array::from_fn(|n| known.get(n).copied().unwrap_or(0)))
}

impl Default for Channel {
    fn default() -> Self {
        let never = Timestamp::default();
        Self {
            seq: 0,
            id: None,
            setup: None,
            set_up_at: never,
            revision: 0,
            access: Access::default(),
            health: Health::default(),
            health_since: never,
            health_reason: None,
            maintenance: None,
            judged_from: never,
            changes: 0,
            streak: Streak::default(),
            refusals: [0; CallRefusal::ALL.len()],
            withdrawn_at: None,
            late: 0,
            counted: 0,
            statistics: Statistics::new(never),
        }
    }
}

impl Channel {
    /// Its id; none before it is set up.
    pub const fn id(&self) -> Option<&ChannelId> {
        self.id.as_ref()
    }

    pub fn setup(&self) -> Option<&Setup> {
        self.setup.as_deref()
    }

    pub fn limits(&self) -> Limits {
        self.setup()
            .map_or_else(Limits::default, |setup| setup.limits)
    }

    pub fn time_zone(&self) -> TimeZone {
        self.setup()
            .map_or(TimeZone::SHANGHAI, |setup| setup.time_zone)
    }

    pub const fn access(&self) -> &Access {
        &self.access
    }

    pub const fn health(&self) -> Health {
        self.health
    }

    pub const fn health_since(&self) -> Timestamp {
        self.health_since
    }

    pub const fn health_reason(&self) -> Option<&Reason> {
        self.health_reason.as_ref()
    }

    pub const fn maintenance(&self) -> Option<&Maintenance> {
        self.maintenance.as_ref()
    }

    pub const fn streak(&self) -> Streak {
        self.streak
    }

    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    pub const fn set_up_at(&self) -> Timestamp {
        self.set_up_at
    }

    /// How often its set-up was made or changed.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// How often calls were refused, by the reason, since the channel was set up.
    pub fn refusals(&self) -> impl Iterator<Item = (CallRefusal, u64)> {
        CallRefusal::ALL.into_iter().zip(self.refusals)
    }

    /// Whether somebody called a withdrawn version in the last five minutes.
    pub fn withdrawn_version_called(&self, now: Timestamp) -> bool {
        self.withdrawn_at
            .is_some_and(|at| now.secs_since(at) < WITHDRAWN_SECS)
    }

    /// Figures of the last minute, five minutes, hour or day before the latest instant heard of.
    pub fn figures(&self, window: Window) -> Figures {
        self.statistics.figures(window, self.time_zone())
    }

    /// Whether this caller with this key may call this version at this instant. A refusal changes
    /// nothing: record it as a call that was refused.
    ///
    /// # Errors
    /// What stands against it.
    pub fn permit(
        &self,
        caller: &str,
        key_hash: &KeyHash,
        version: &str,
        at: Timestamp,
    ) -> Result<(), CallRefusal> {
        self.access.permit(caller, key_hash, version, at)
    }

    /// Counts a call made at `at` and told at `now`, as [`Channel::record`] does. One that is older
    /// than [`LATE_SECS`] is counted as late and nothing else.
    pub fn record_told(
        &mut self,
        at: Timestamp,
        call: &Measured<'_>,
        refusal: Option<CallRefusal>,
        now: Timestamp,
    ) -> bool {
        if now.secs_since(at) > LATE_SECS {
            self.late += 1;
            return false;
        }
        self.record(call, refusal, now)
    }

    /// Calls that were told too late to count, since the channel was set up.
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// Counts a call, heard of at `now`; for a refused one also why. Answers whether the health turns
    /// with it: then ask [`Machine::elapse`] and journal what it says before the next call.
    pub fn record(
        &mut self,
        call: &Measured<'_>,
        refusal: Option<CallRefusal>,
        now: Timestamp,
    ) -> bool {
        let limits = self.limits();
        self.statistics
            .record(call, limits.slow_micros(), self.time_zone(), now);
        if let (Outcome::Refused, Some(refusal)) = (call.outcome, refusal) {
            self.refusals[refusal as usize] += 1;
            if refusal == CallRefusal::VersionRevoked {
                self.withdrawn_at = Some(now);
            }
        }
        if self.health != Health::Maintenance {
            self.streak.record(call.outcome);
        }
        !self.changes_too_often(now) && by_streak(self.health, self.streak, &limits).is_some()
    }

    /// The place in the history of the last call that was counted: after a restart the later ones
    /// are recorded once more, since a snapshot may be older than the history.
    pub const fn counted(&self) -> u64 {
        self.counted
    }

    /// The calls up to this place in the history are counted.
    pub fn count_to(&mut self, place: u64) {
        self.counted = self.counted.max(place);
    }

    /// What the channel's health should be, if it is not what it is.
    fn judge(&self, now: Timestamp) -> Option<(Health, Reason)> {
        let under_maintenance = self
            .maintenance
            .as_ref()
            .is_some_and(|maintenance| maintenance.from <= now && now < maintenance.until);
        match (under_maintenance, self.health) {
            (true, Health::Maintenance) => return None,
            (true, _) => return Some((Health::Maintenance, Reason::Maintenance)),
            (false, Health::Maintenance) => {
                return Some((Health::Healthy, Reason::MaintenanceOver));
            }
            (false, _) => {}
        }
        if self.changes_too_often(now) {
            return None;
        }
        let limits = self.limits();
        by_streak(self.health, self.streak, &limits).or_else(|| {
            let since = now
                .minus_secs(Window::FiveMinutes.secs())
                .max(self.judged_from);
            let tally = self.statistics.since(since);
            by_shares(
                self.health,
                &tally,
                self.frequency(tally.calls, now),
                &limits,
            )
        })
    }

    /// Calls of the last five minutes beside what is usual, when all of them were watched. Where an
    /// hour ends within them what is usual lies between the two hours, as near as can be.
    fn frequency(&self, calls: u64, now: Timestamp) -> Option<Frequency> {
        let secs = Window::FiveMinutes.secs();
        let watched_from = self.statistics.watched_from();
        let watched_from = watched_from.max(self.judged_from).max(self.set_up_at);
        (now.secs_since(watched_from) >= secs).then_some(())?;
        let calls_per_minute = calls as f64 * 60.0 / secs as f64;
        let usual = |at| self.statistics.usual_at(self.time_zone(), at);
        let (first, last) = (usual(now.minus_secs(secs))?, usual(now)?);
        Some(Frequency {
            calls_per_minute,
            usual: calls_per_minute.clamp(first.min(last), first.max(last)),
        })
    }

    fn changes_too_often(&self, now: Timestamp) -> bool {
        let minute = |at: Timestamp| at.millis().div_euclid(60_000);
        self.changes >= CHANGES_A_MINUTE_MAX && minute(self.health_since) == minute(now)
    }

    fn turn(&mut self, at: Timestamp, to: Health, reason: &Reason) {
        let minute = |at: Timestamp| at.millis().div_euclid(60_000);
        self.changes = match minute(self.health_since) == minute(at) {
            true => self.changes + 1,
            false => 1,
        };
        let was_ill = !matches!(self.health, Health::Healthy | Health::Degraded);
        if was_ill && to == Health::Healthy {
            self.judged_from = at;
        }
        if to == Health::Maintenance || self.health == Health::Maintenance {
            self.streak = Streak::default();
        }
        if *reason == Reason::MaintenanceOver {
            self.maintenance = None;
        }
        self.health = to;
        self.health_since = at;
        self.health_reason = Some(reason.clone());
    }

    fn set_up(
        &self,
        channel: &ChannelId,
        setup: &Setup,
        revision: Option<u64>,
    ) -> Result<ChannelEvent, ChannelRefusal> {
        if let Some(id) = self.id.as_ref().filter(|id| *id != channel) {
            return Err(ChannelRefusal::OtherChannel {
                channel: id.clone(),
            });
        }
        if let Some((field, reason)) = setup.fault() {
            return Err(ChannelRefusal::invalid(field, reason));
        }
        let mut setup = Box::new(setup.clone());
        let standing = self.setup().and_then(|setup| setup.upstream.as_deref());
        if let Some(upstream) = &mut setup.upstream {
            upstream.unhide(standing);
        }
        // One that comes again, because its answer was lost, changes nothing.
        let stale = revision.is_some_and(|seen| seen != self.revision);
        if stale && self.setup() != Some(&*setup) {
            let revision = self.revision;
            return Err(ChannelRefusal::ChangedMeanwhile { revision });
        }
        Ok(ChannelEvent::ChannelSetUp {
            channel: channel.clone(),
            setup,
        })
    }

    fn version_in(&self, version: &str, state: VersionState) -> Result<(), ChannelRefusal> {
        let found = self.access.version(version);
        let found = found.ok_or_else(|| ChannelRefusal::UnknownVersion {
            version: version.to_owned(),
        })?;
        match found.state == state {
            true => Ok(()),
            false => Err(ChannelRefusal::VersionState {
                version: version.to_owned(),
                state: found.state,
            }),
        }
    }

    fn draft(&self, version: &str) -> Result<(), ChannelRefusal> {
        if !is_version(version) {
            let reason = "has 1 to 32 letters, digits, '.', '-' or '_'";
            return Err(ChannelRefusal::invalid("version", reason));
        }
        if self.access.version(version).is_some() {
            return Err(ChannelRefusal::VersionExists {
                version: version.to_owned(),
            });
        }
        match self.access.has_room_for_version() {
            true => Ok(()),
            false => Err(ChannelRefusal::VersionsFull { max: VERSIONS_MAX }),
        }
    }

    fn grant(
        &self,
        caller: &str,
        version: Option<&str>,
        key_hash: KeyHash,
        since: Timestamp,
    ) -> Result<Grant, ChannelRefusal> {
        if !is_text(caller) {
            return Err(ChannelRefusal::invalid(
                "caller",
                "is one line of 1 to 64 bytes",
            ));
        }
        if let Some(version) = version {
            let found = self.access.version(version);
            let revoked = found.is_none_or(|one| one.state == VersionState::Revoked);
            if revoked {
                self.version_in(version, VersionState::Published)?;
            }
        }
        let same = |grant: &&Grant| {
            grant.revoked_at.is_none()
                && *grant.caller == *caller
                && grant.key_hash == key_hash
                && grant.version.as_deref() == version
        };
        if let Some(grant) = self.access.grants().iter().find(same) {
            return Err(ChannelRefusal::AlreadyGranted { grant: grant.id });
        }
        if !self.access.has_room_for_grant() {
            return Err(ChannelRefusal::GrantsFull { max: GRANTS_MAX });
        }
        Ok(Grant {
            id: self.access.next_grant(),
            caller: caller.into(),
            version: version.map(Into::into),
            key_hash,
            since,
            revoked_at: None,
        })
    }

    fn revoke_grant(&self, id: u32) -> Result<(), ChannelRefusal> {
        let grant = self.access.grant(id);
        let grant = grant.ok_or(ChannelRefusal::UnknownGrant { grant: id })?;
        match grant.revoked_at {
            None => Ok(()),
            Some(_) => Err(ChannelRefusal::GrantRevoked { grant: id }),
        }
    }

    /// What lists and pages show, without figures.
    pub fn face(&self) -> Value {
        let at = |at: Timestamp| at.rfc3339_utc();
        let standing = |grant: &&Grant| grant.revoked_at.is_none();
        let setup = self.setup.as_deref().map(Setup::shown);
        json!({
            "id": self.id, "setup": setup, "set_up_at": at(self.set_up_at),
            "revision": self.revision,
            "health": self.health, "health_since": at(self.health_since),
            "health_reason": self.health_reason,
            "maintenance": self.maintenance.as_ref().map(|one| json!({
                "from": at(one.from), "until": at(one.until), "reason": one.reason,
            })),
            "current_version": self.access.current().map(|one| &one.version),
            "versions": self.access.versions().len(),
            "grants": self.access.grants().iter().filter(standing).count(),
        })
    }

    fn item(&self) -> Option<Item> {
        let (id, setup) = (self.id.as_ref()?, self.setup()?);
        Some(Item {
            kind: ItemKind::Channel,
            id: id.to_string(),
            state: self.health.name().to_owned(),
            hall: setup.hall.clone(),
            department: Some(setup.provider.clone()),
            person: setup.owner.clone(),
            about: setup.group.clone(),
            topic: None,
            subject: None,
            rank: self.health as u8,
            opened_at: self.set_up_at,
            due_at: None,
            ended_at: None,
            body: self.face().to_string(),
        })
    }

    /// Bytes that it occupies, with all that it holds on to.
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        let setup = self.setup().map_or(0, |setup| {
            size_of::<Setup>()
                + setup.name.zh.capacity()
                + setup.name.en.capacity()
                + setup.provider.capacity()
                + [&setup.consumer, &setup.group, &setup.endpoint, &setup.owner]
                    .map(text)
                    .iter()
                    .sum::<usize>()
                + setup.hall.as_ref().map_or(0, |hall| hall.as_str().len())
                + setup.upstream.as_deref().map_or(0, Upstream::bytes)
                + setup.probe.as_deref().map_or(0, Probe::bytes)
        });
        let maintenance = self.maintenance.as_ref();
        size_of::<Self>()
            + setup
            + self.id.as_ref().map_or(0, |id| id.as_str().len())
            + maintenance.map_or(0, |one| one.reason.capacity())
            + self.access.heap_bytes()
            + self.statistics.heap_bytes()
    }
}

/// A note or reason of bearable length.
fn bearable(field: &str, text: Option<&str>) -> Result<(), ChannelRefusal> {
    let text = text.unwrap_or("-");
    let good = !text.trim().is_empty()
        && text.chars().count() <= REASON_MAX_CHARS
        && !text.chars().any(char::is_control);
    match good {
        true => Ok(()),
        false => Err(ChannelRefusal::invalid(
            field,
            "is one line of 1 to 200 characters",
        )),
    }
}

impl Machine for Channel {
    type Command = ChannelCommand;
    type Event = ChannelEvent;
    type Refusal = ChannelRefusal;

    /// Each channel has a journal of its own: its name goes with its id.
    const NAME: &'static str = "channel";

    fn resume(&mut self, now: Timestamp) {
        self.statistics.resume(self.time_zone(), now);
    }

    /// What is older than the windows drops out of the figures.
    fn advance(&mut self, now: Timestamp) {
        self.statistics.advance(self.time_zone(), now);
    }

    fn seq(&self) -> u64 {
        self.seq
    }

    fn decide(
        &self,
        command: &ChannelCommand,
        _by: &str,
        now: Timestamp,
    ) -> Result<Vec<ChannelEvent>, ChannelRefusal> {
        if let ChannelCommand::SetUp {
            channel,
            setup,
            revision,
        } = command
        {
            return Ok(vec![self.set_up(channel, setup, *revision)?]);
        }
        if self.setup.is_none() {
            return Err(ChannelRefusal::NotSetUp);
        }
        let event = match command.clone() {
            ChannelCommand::SetUp {
                channel,
                setup,
                revision,
            } => self.set_up(&channel, &setup, revision)?,
            ChannelCommand::DraftVersion { version, notes } => {
                self.draft(&version)?;
                bearable("notes", notes.as_deref())?;
                ChannelEvent::VersionDrafted { version, notes }
            }
            ChannelCommand::PublishVersion { version } => {
                self.version_in(&version, VersionState::Draft)?;
                ChannelEvent::VersionPublished { version }
            }
            ChannelCommand::RevokeVersion { version, reason } => {
                self.version_in(&version, VersionState::Published)?;
                bearable("reason", reason.as_deref())?;
                ChannelEvent::VersionRevoked { version, reason }
            }
            ChannelCommand::Grant {
                caller,
                version,
                key_hash,
                since,
            } => {
                let since = since.unwrap_or(now);
                let grant = self.grant(&caller, version.as_deref(), key_hash, since)?;
                ChannelEvent::Granted { grant }
            }
            ChannelCommand::RevokeGrant { grant, reason } => {
                self.revoke_grant(grant)?;
                bearable("reason", reason.as_deref())?;
                ChannelEvent::GrantRevoked { grant, reason }
            }
            ChannelCommand::Maintain {
                from,
                until,
                reason,
            } => {
                let from = from.unwrap_or(now);
                if until <= from.max(now) || until.secs_since(from) > MAINTENANCE_MAX_SECS {
                    let reason = "lies ahead and at most 30 days after the beginning";
                    return Err(ChannelRefusal::invalid("until", reason));
                }
                bearable("reason", Some(&reason))?;
                ChannelEvent::MaintenanceAnnounced {
                    from,
                    until,
                    reason,
                }
            }
            ChannelCommand::EndMaintenance => match self.maintenance {
                Some(_) => ChannelEvent::MaintenanceEnded,
                None => return Err(ChannelRefusal::NoMaintenance),
            },
        };
        Ok(vec![event])
    }

    fn apply(&mut self, recorded: &Recorded<ChannelEvent>) {
        let at = recorded.at;
        match &recorded.event {
            ChannelEvent::ChannelSetUp { channel, setup } => {
                if self.setup.is_none() {
                    self.id = Some(channel.clone());
                    self.set_up_at = at;
                    self.health_since = at;
                    self.statistics = Statistics::new(at);
                }
                self.revision += 1;
                self.setup = Some(setup.clone());
            }
            ChannelEvent::VersionDrafted { version, .. } => self.access.draft(version, at),
            ChannelEvent::VersionPublished { version } => self.access.publish(version, at),
            ChannelEvent::VersionRevoked { version, .. } => self.access.revoke_version(version, at),
            ChannelEvent::Granted { grant } => self.access.give(grant.clone()),
            ChannelEvent::GrantRevoked { grant, .. } => self.access.revoke_grant(*grant, at),
            ChannelEvent::MaintenanceAnnounced {
                from,
                until,
                reason,
            } => {
                self.maintenance = Some(Maintenance {
                    from: *from,
                    until: *until,
                    reason: reason.clone(),
                });
            }
            ChannelEvent::MaintenanceEnded => self.maintenance = None,
            ChannelEvent::HealthChanged { to, reason, .. } => self.turn(at, *to, reason),
        }
        self.seq = recorded.seq;
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.setup.as_ref()?;
        let maintenance = self.maintenance.as_ref();
        let ends = maintenance.map(|one| match self.health {
            Health::Maintenance => one.until,
            _ => one.from,
        });
        let tick = self.statistics.next_deadline();
        Some(ends.map_or(tick, |at| at.min(tick)))
    }

    fn elapse(&self, now: Timestamp) -> Vec<ChannelEvent> {
        if self.setup.is_none() {
            return Vec::new();
        }
        if let Some((to, reason)) = self.judge(now) {
            let from = self.health;
            return vec![ChannelEvent::HealthChanged { from, to, reason }];
        }
        // Announced, and over before anybody looked.
        let over = self.maintenance.as_ref().filter(|one| one.until <= now);
        over.map(|_| ChannelEvent::MaintenanceEnded)
            .into_iter()
            .collect()
    }

    fn items(&self, recorded: &[Recorded<ChannelEvent>]) -> Vec<Item> {
        let mut after = self.clone();
        for one in recorded.iter().filter(|one| one.seq > self.seq) {
            after.apply(one);
        }
        after.item().into_iter().collect()
    }
}
