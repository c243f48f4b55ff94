//! Plays a recorded office day through a hall's own commands, day after day.
//!
//! The hall runs by a [`ReplayClock`]: so its waits, estimates and day's end are those of the
//! recorded day, however fast it is played. The player holds no second copy of the hall: at each
//! step it looks at the hall and does what the people of that moment would do. Windows that the
//! record does not know are left to whoever wants to try them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use rules::hall::{Command, Hall, HallState, IssueTicket, Refusal};
use rules::ids::{ServiceId, Tag, TicketId, Token, WindowId};
use rules::ticket::Channel;
use rules::time::{TimeZone, Timestamp};
use rules::window::WindowState;
use simulations::clerks::Clerks;
use simulations::office::OfficeDay;
use simulations::schedule::Arrival;
use tracing::{info, warn};

use crate::clock::ReplayClock;
use crate::hall::{Submit, SubmitError};
use crate::ports::Clock as _;
use crate::supervisor::HallHandle;

/// Steps of the player, in the machine's time.
const STEP: Duration = Duration::from_millis(200);

/// The office opens its door this long before the record's first bin, to let the clerks sign in.
const BEFORE_FIRST: TimeDelta = TimeDelta::minutes(2);

/// Nobody is left in the office at this time.
const NIGHT: NaiveTime = NaiveTime::from_hms_opt(20, 0, 0).expect("a time of day");

/// A recall comes after so many seconds without an answer.
const RECALL_SECS: u64 = 25;

/// One visitor in so many takes the green channel.
const GREEN_ONE_IN: u64 = 17;

/// The tag that opens the green channel of the demonstration.
pub const GREEN_TAG: &str = "elderly";

/// Who the player is in the journal.
const BY: &str = "demo";

/// What the people at one window wait for.
#[derive(Debug, Clone, Copy)]
struct Due {
    ticket: TicketId,
    at: Timestamp,
    shows_up: bool,
}

/// What the player needs to know of the hall at one moment.
struct Scene {
    now: Timestamp,
    state: HallState,
    day: Option<NaiveDate>,
    windows: Vec<(WindowId, WindowState, u32)>,
    waiting: BTreeSet<ServiceId>,
    services_of: BTreeMap<WindowId, BTreeSet<ServiceId>>,
    service_of: BTreeMap<TicketId, ServiceId>,
}

/// The player of one hall.
pub struct Player {
    hall: HallHandle,
    clock: Arc<ReplayClock>,
    office: OfficeDay,
    seed: u64,
    zone: TimeZone,
    /// The day that is being played.
    date: NaiveDate,
    clerks: Clerks,
    arrivals: Vec<Arrival>,
    next_arrival: usize,
    taken: u64,
    due: BTreeMap<WindowId, Due>,
}

impl Player {
    /// A player that goes on where the hall stands.
    pub fn new(
        hall: HallHandle,
        clock: Arc<ReplayClock>,
        office: OfficeDay,
        zone: TimeZone,
        seed: u64,
    ) -> Self {
        let date = zone.date_of(clock.now());
        let mut player = Self {
            clerks: Clerks::new(&office, seed),
            arrivals: Vec::new(),
            hall,
            clock,
            office,
            seed,
            zone,
            date,
            next_arrival: 0,
            taken: 0,
            due: BTreeMap::new(),
        };
        player.begin_day(date);
        let now = player.clock.now();
        player.next_arrival = player
            .arrivals
            .partition_point(|arrival| player.at(arrival) < now);
        player
    }

    /// Plays for ever.
    pub async fn play(mut self) {
        let mut steps = tokio::time::interval(STEP);
        steps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            steps.tick().await;
            self.step().await;
        }
    }

    fn begin_day(&mut self, date: NaiveDate) {
        self.date = date;
        let number = date
            .signed_duration_since(self.office.date)
            .num_days()
            .unsigned_abs();
        // Every day has its own chance, and the same day always the same.
        let seed = self.seed.wrapping_add(number);
        self.arrivals = self.office.schedule(seed);
        self.clerks = Clerks::new(&self.office, seed);
        self.next_arrival = 0;
        self.due.clear();
        let first = self.arrivals.first().map(|arrival| arrival.at(date));
        let opens = first.unwrap_or_else(|| date.and_time(self.office.opens)) - BEFORE_FIRST;
        self.clock.skip_to(self.zone.at(opens.date(), opens.time()));
    }

    fn at(&self, arrival: &Arrival) -> Timestamp {
        let local = arrival.at(self.date);
        self.zone.at(local.date(), local.time())
    }

    async fn step(&mut self) {
        let Some(scene) = self.look().await else {
            return;
        };
        let over = scene.now >= self.zone.at(self.date, NIGHT)
            || (self.next_arrival == self.arrivals.len() && self.is_quiet(&scene));
        if over {
            return self.end_day(&scene).await;
        }
        if scene.state == HallState::Closed {
            self.submit(Command::OpenHall).await;
            return;
        }
        self.take_numbers(scene.now).await;
        self.work_windows(&scene).await;
    }

    async fn look(&self) -> Option<Scene> {
        self.hall
            .read(|hall, now| Scene {
                now,
                state: hall.state(),
                day: hall.day(),
                windows: hall
                    .windows()
                    .map(|window| {
                        let ticket = window.state.ticket().and_then(|id| hall.ticket(id));
                        (
                            window.id.clone(),
                            window.state.clone(),
                            ticket.map_or(0, |t| t.calls),
                        )
                    })
                    .collect(),
                waiting: with_someone_waiting(hall),
                services_of: hall
                    .windows()
                    .map(|w| (w.id.clone(), w.plan.services.clone()))
                    .collect(),
                service_of: hall
                    .windows()
                    .filter_map(|window| hall.ticket(window.state.ticket()?))
                    .map(|ticket| (ticket.id, ticket.service.clone()))
                    .collect(),
            })
            .await
    }

    fn is_quiet(&self, scene: &Scene) -> bool {
        scene.waiting.is_empty()
            && scene
                .windows
                .iter()
                .filter(|(id, _, _)| self.is_recorded(id))
                .all(|(_, state, _)| state.ticket().is_none())
    }

    fn is_recorded(&self, window: &WindowId) -> bool {
        self.office
            .windows
            .iter()
            .any(|known| known.id == window.as_str())
    }

    /// Everybody goes home; the clock is put to the next morning.
    async fn end_day(&mut self, scene: &Scene) {
        for (window, state, _) in &scene.windows {
            if state.ticket().is_some() {
                self.clear(window, state).await;
            }
        }
        if scene.state != HallState::Closed && !self.submit(Command::CloseHall).await {
            return;
        }
        let next = self.date.succ_opt().unwrap_or(self.date);
        info!(day = ?scene.day, tickets = self.taken, "the recorded day is over");
        self.taken = 0;
        self.begin_day(next);
    }

    /// Ends what still stands at a window at night.
    async fn clear(&self, window: &WindowId, state: &WindowState) {
        let window = || window.clone();
        if matches!(state, WindowState::Offline { .. }) {
            self.submit(Command::RegainWindow { window: window() })
                .await;
        }
        if matches!(state, WindowState::Calling { .. }) {
            self.submit(Command::BeginService { window: window() })
                .await;
        }
        self.submit(Command::FinishService { window: window() })
            .await;
    }

    async fn take_numbers(&mut self, now: Timestamp) {
        while let Some(arrival) = self.arrivals.get(self.next_arrival) {
            if self.at(arrival) > now {
                break;
            }
            let service = arrival.service.parse::<ServiceId>();
            self.next_arrival += 1;
            self.taken += 1;
            if let Ok(service) = service {
                let wish = self.wish(service);
                self.submit(Command::IssueTicket(wish)).await;
            }
        }
    }

    fn wish(&self, service: ServiceId) -> IssueTicket {
        let green = self.taken.is_multiple_of(GREEN_ONE_IN);
        // Nobody holds these slips; the token only has to be unlike any other.
        let token = format!("{BY}.{:016x}{:016x}", self.clock.now().millis(), self.taken);
        IssueTicket {
            service,
            token: Token(token),
            channel: Channel::Kiosk,
            holder: None,
            tags: GREEN_TAG
                .parse::<Tag>()
                .ok()
                .filter(|_| green)
                .into_iter()
                .collect(),
            appointment: None,
            excluded: BTreeSet::new(),
        }
    }

    async fn work_windows(&mut self, scene: &Scene) {
        let staffed = self.clerks.open_windows(self.time_of_day(scene.now));
        for (window, state, calls) in &scene.windows {
            if !self.is_recorded(window) {
                continue;
            }
            let on_duty = staffed.contains(window.as_str());
            let window = || window.clone();
            match state {
                WindowState::Closed if on_duty => {
                    self.submit(Command::OpenWindow {
                        window: window(),
                        clerk: None,
                    })
                    .await;
                }
                WindowState::Idle if !on_duty => {
                    self.submit(Command::CloseWindow { window: window() }).await;
                }
                WindowState::Idle => {
                    let waited_for = scene.services_of.get(&window()).is_some_and(|services| {
                        services
                            .iter()
                            .any(|service| scene.waiting.contains(service))
                    });
                    if waited_for {
                        self.submit(Command::CallNext { window: window() }).await;
                    }
                }
                WindowState::Paused { .. } => {
                    self.submit(Command::ResumeWindow { window: window() })
                        .await;
                }
                WindowState::Offline { .. } => {
                    self.submit(Command::RegainWindow { window: window() })
                        .await;
                }
                WindowState::Calling { ticket } => {
                    self.answer_call(scene, &window(), *ticket, *calls).await;
                }
                WindowState::Serving { ticket } => self.serve(scene, &window(), *ticket).await,
                WindowState::Closed => {}
            }
        }
    }

    /// Somebody walks to the window, or nobody comes and the clerk calls again.
    async fn answer_call(
        &mut self,
        scene: &Scene,
        window: &WindowId,
        ticket: TicketId,
        calls: u32,
    ) {
        let known = self
            .due
            .get(window)
            .filter(|due| due.ticket == ticket)
            .copied();
        let due = known.unwrap_or_else(|| {
            let shows_up = self.clerks.shows_up();
            let secs = if shows_up {
                u64::from(self.clerks.walk_secs())
            } else {
                RECALL_SECS
            };
            Due {
                ticket,
                at: scene.now.plus_secs(secs),
                shows_up,
            }
        });
        self.due.insert(window.clone(), due);
        if scene.now < due.at {
            return;
        }
        let window = window.clone();
        if due.shows_up {
            self.due.remove(&window);
            self.submit(Command::BeginService { window }).await;
        } else if calls < 3 {
            let again = Due {
                at: scene.now.plus_secs(RECALL_SECS),
                ..due
            };
            self.due.insert(window.clone(), again);
            self.submit(Command::Recall { window }).await;
        } else {
            self.due.remove(&window);
            self.submit(Command::MarkNoShow { window }).await;
        }
    }

    async fn serve(&mut self, scene: &Scene, window: &WindowId, ticket: TicketId) {
        let known = self
            .due
            .get(window)
            .filter(|due| due.ticket == ticket)
            .copied();
        let due = known.unwrap_or_else(|| {
            let service = scene.service_of.get(&ticket).map_or("", ServiceId::as_str);
            let secs = self.clerks.service_secs(window.as_str(), service);
            Due {
                ticket,
                at: scene.now.plus_secs(u64::from(secs)),
                shows_up: true,
            }
        });
        self.due.insert(window.clone(), due);
        if scene.now >= due.at {
            self.due.remove(window);
            self.submit(Command::FinishService {
                window: window.clone(),
            })
            .await;
        }
    }

    fn time_of_day(&self, now: Timestamp) -> NaiveTime {
        let since = now.millis_since(self.zone.at(self.date, NaiveTime::MIN));
        NaiveTime::MIN + TimeDelta::milliseconds(since as i64)
    }

    /// Whether it was done. A refusal is part of the day: somebody else was quicker.
    async fn submit(&self, command: Command) -> bool {
        match self.hall.submit(Submit::new(command, BY)).await {
            Ok(_) => true,
            Err(SubmitError::Refused(Refusal::NobodyWaiting { .. })) => false,
            Err(error) => {
                warn!(%error, "the demonstration stumbled");
                false
            }
        }
    }
}

fn with_someone_waiting(hall: &Hall) -> BTreeSet<ServiceId> {
    let services = hall.config().services.keys();
    services
        .filter(|id| hall.waiting_count(id) > 0)
        .cloned()
        .collect()
}
