//! The alert desk on this machine: who tells it what, the rules that come with the product, and its
//! start.

mod usual;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actors::alert_desk::{AlertDriver, Answer, FactSource, Sources};
use actors::clock::SystemClock;
use actors::desk::Desk;
use actors::ports::Clock as _;
use actors::supervisor::{HallHandle, Halls};
use anyhow::{Context as _, anyhow};
use rules::alerts::facts;
use rules::alerts::shipped::shipped;
use rules::alerts::source::RuleFile;
use rules::alerts::subject::{Subject, SubjectKind};
use rules::cases::CaseDesk;
use rules::desk::{AlertDesk, Command, RuleCommand, SourcedRule};
use rules::ids::{HallId, TicketId};
use tracing::warn;

use self::usual::UsualDays;
use crate::channels::ChannelSource;
use crate::devices::Devices;
use crate::feeds::{FeedSource, Feeds};
use crate::occupancy::Occupancies;
use crate::store::Records;

/// Where the facts come from beside the halls.
pub struct Watched {
    pub cases: Desk<CaseDesk>,
    pub devices: Arc<Devices>,
    pub occupancies: Arc<Occupancies>,
    pub channels: ChannelSource,
    pub feeds: Feeds,
    pub records: Records,
}

/// The desk with whoever drives it.
#[derive(Clone)]
pub struct Alerting {
    pub desk: Desk<AlertDesk>,
    pub driver: AlertDriver,
}

impl Alerting {
    /// Puts the shipped rules in force that are new, and starts the passes.
    ///
    /// # Errors
    /// The store does not answer, or a shipped rule cannot be read.
    pub async fn start(
        system: &actors::System,
        desk: Desk<AlertDesk>,
        watched: Watched,
        every: Duration,
    ) -> anyhow::Result<Self> {
        let clock = Arc::new(SystemClock);
        let install = Command::Rule(RuleCommand::Install(shipped_rules()?));
        desk.submit(install, "shipped", None)
            .await
            .context("could not put the shipped rules in force")?;
        let known = Known {
            halls: system.halls.clone(),
            cases: Arc::new(CaseSource {
                desk: watched.cases,
                registered: Arc::default(),
            }),
            devices: Arc::new(DeviceSource(watched.devices)),
            occupancies: watched.occupancies,
            channels: Arc::new(watched.channels),
            feeds: Arc::new(FeedSource(watched.feeds)),
            usual: Arc::new(UsualDays::new(watched.records)),
        };
        let hub = system.hub.clone();
        let driver = AlertDriver::start(desk.clone(), Arc::new(known), hub, clock, every);
        Ok(Self { desk, driver })
    }
}

/// The rules that come with the product, each with the text of its file.
fn shipped_rules() -> anyhow::Result<Vec<SourcedRule>> {
    let mut all = Vec::new();
    for (name, text) in shipped() {
        let file = RuleFile::parse(text).map_err(|faults| anyhow!("{name}: {faults:?}"))?;
        all.extend(file.rules.into_iter().map(|rule| SourcedRule {
            rule,
            source: (*text).to_owned(),
        }));
    }
    Ok(all)
}

/// Everybody who knows something.
struct Known {
    halls: Arc<Halls>,
    cases: Arc<CaseSource>,
    devices: Arc<DeviceSource>,
    occupancies: Arc<Occupancies>,
    channels: Arc<ChannelSource>,
    feeds: Arc<FeedSource>,
    usual: Arc<UsualDays>,
}

impl Sources for Known {
    fn all(&self) -> Vec<Arc<dyn FactSource>> {
        let mut all: Vec<Arc<dyn FactSource>> = vec![
            self.cases.clone(),
            self.devices.clone(),
            self.channels.clone(),
            self.feeds.clone(),
        ];
        for (id, handle) in self.halls.all() {
            let registered = Arc::clone(&self.cases.registered);
            all.push(Arc::new(HallSource {
                id,
                handle,
                registered,
                usual: Arc::clone(&self.usual),
                occupancies: Arc::clone(&self.occupancies),
            }));
        }
        all
    }
}

/// Tickets of each hall for which a case was told. A hall without any has no feed of cases, and of
/// its tickets nothing is known.
type Registered = Arc<Mutex<BTreeMap<HallId, Arc<BTreeSet<TicketId>>>>>;

struct HallSource {
    id: HallId,
    handle: HallHandle,
    registered: Registered,
    usual: Arc<UsualDays>,
    occupancies: Arc<Occupancies>,
}

impl FactSource for HallSource {
    fn name(&self) -> String {
        format!("hall:{}", self.id)
    }

    fn facts(&self) -> Answer {
        let handle = self.handle.clone();
        let registered = self
            .registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let registered = registered.get(&self.id).cloned();
        let (id, usual) = (self.id.clone(), Arc::clone(&self.usual));
        let known = usual.known(&id);
        // Cameras tell the machine's time, also in a hall whose clock is another.
        let occupancy = self.occupancies.fresh(&id, SystemClock.now());
        Box::pin(async move {
            let read = handle.read(move |hall, now| {
                let day = hall.day();
                let has_case = |ticket| Some(registered.as_ref()?.contains(&ticket));
                let beyond = facts::hall::Beyond {
                    has_case: &has_case,
                    usual_served: known.filter(|(of, _)| Some(*of) == day).and_then(|it| it.1),
                    occupancy,
                    ..facts::hall::Beyond::NONE
                };
                (facts::hall::facts(hall, &beyond, now), day)
            });
            let (facts, day) = read.await?;
            // For the next pass: what is usual changes with the day.
            if let Some(day) = day.filter(|day| known.is_none_or(|(of, _)| of != *day))
                && let Err(cause) = usual.learn(&id, day).await
            {
                warn!(%cause, hall = %id, "what is usual here is not known");
            }
            Some(facts)
        })
    }

    fn owns(&self, subject: &Subject) -> bool {
        use SubjectKind::{Hall, Queue, Ticket, Window};
        let hall = subject.id.split('/').next();
        matches!(subject.kind, Hall | Queue | Ticket | Window) && hall == Some(self.id.as_str())
    }
}

struct CaseSource {
    desk: Desk<CaseDesk>,
    registered: Registered,
}

impl FactSource for CaseSource {
    fn name(&self) -> String {
        "cases".to_owned()
    }

    fn facts(&self) -> Answer {
        let desk = self.desk.clone();
        let registered = Arc::clone(&self.registered);
        Box::pin(async move {
            let read = desk.read(|desk, now| {
                let settings = desk.settings();
                let mut tickets: BTreeMap<HallId, BTreeSet<TicketId>> = BTreeMap::new();
                let all = desk.cases().map(|case| {
                    if let Some(hall) = &case.told.hall {
                        let own = tickets.entry(hall.clone()).or_default();
                        own.extend(case.told.tickets.iter().copied());
                    }
                    facts::case::facts(case, settings, now)
                });
                let all: Vec<_> = all.collect();
                (all, tickets)
            });
            let (all, tickets) = read.await?;
            let tickets = tickets.into_iter().filter(|(_, own)| !own.is_empty());
            let tickets = tickets.map(|(hall, own)| (hall, Arc::new(own))).collect();
            *registered.lock().unwrap_or_else(PoisonError::into_inner) = tickets;
            Some(all)
        })
    }

    fn owns(&self, subject: &Subject) -> bool {
        subject.kind == SubjectKind::Case
    }
}

struct DeviceSource(Arc<Devices>);

impl FactSource for DeviceSource {
    fn name(&self) -> String {
        "devices".to_owned()
    }

    fn facts(&self) -> Answer {
        let devices = Arc::clone(&self.0);
        Box::pin(async move { Some(devices.facts(SystemClock.now())) })
    }

    fn owns(&self, subject: &Subject) -> bool {
        subject.kind == SubjectKind::Device
    }
}
