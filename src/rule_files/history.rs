//! The recorded past: cases, and halls event by event.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use actors::clock::SystemClock;
use actors::ports::{Clock as _, StreamId, decode};
use anyhow::Context as _;
use chrono::{Datelike as _, Days, NaiveDate};
use rules::alerts::facts::hall::{Beyond, facts};
use rules::alerts::rule::Rule;
use rules::alerts::subject::Facts;
use rules::cases::{Case, CaseCommand, CaseDesk, Settings};
use rules::desk::AlertDesk;
use rules::ids::{HallId, TicketId};
use rules::machine::{ItemKind, Machine, Recorded};
use rules::{Event, Hall, Timestamp};

use crate::cases;
use crate::cli::Failure;
use crate::store::Records;
use crate::store::records::{ItemFilter, PAGE_MAX};

/// Events read at a time.
const PAGE: u32 = 5000;

/// Tellings taken in at a time.
const TELLINGS: usize = 500;

/// The cases of a file, as `hallkeeper import cases` takes it.
///
/// # Errors
/// Bad input names file, line and field.
pub(super) fn cases_of_file(path: &Path, settings: &Settings) -> Result<Vec<Case>, Failure> {
    let file = path.display();
    let content =
        std::fs::read(path).map_err(|error| Failure::BadInput(format!("{file}: {error}")))?;
    let log = cases::log::parse(&content)
        .map_err(|faults| Failure::BadInput(format!("{file}:\n{faults}")))?;
    let mut desk = CaseDesk::default();
    let now = SystemClock.now();
    let mut tell = |command: &CaseCommand| -> Result<(), Failure> {
        let events = desk
            .decide(command, "backtest", now)
            .map_err(|refusal| Failure::BadInput(format!("{file}: {refusal}")))?;
        for event in events {
            let recorded = Recorded {
                seq: desk.seq() + 1,
                at: now,
                by: "backtest".to_owned(),
                event,
            };
            desk.apply(&recorded);
        }
        Ok(())
    };
    tell(&CaseCommand::SetSettings(settings.clone()))?;
    for tellings in log.cases.chunks(TELLINGS) {
        tell(&CaseCommand::Tell(tellings.to_vec()))?;
    }
    Ok(desk.cases().cloned().collect())
}

/// All cases of a database.
///
/// # Errors
/// The database does not answer, or holds what cannot be.
pub(super) async fn cases_of_database(records: &Records) -> anyhow::Result<Vec<Case>> {
    let mut all = Vec::new();
    let mut filter = ItemFilter {
        limit: PAGE_MAX,
        ..ItemFilter::default()
    };
    loop {
        let page = records.items(ItemKind::Case, &filter).await?;
        for item in &page.items {
            all.push(cases::read(&item.body)?);
        }
        filter.cursor = page.next;
        if filter.cursor.is_none() {
            return Ok(all);
        }
    }
}

/// The rules in force in a database; none if it never had any.
///
/// # Errors
/// The database does not answer, or holds what cannot be.
pub(super) async fn rules_in_force(records: &Records) -> anyhow::Result<Vec<Rule>> {
    let stream = StreamId::of_machine(AlertDesk::NAME);
    let mut desk = AlertDesk::default();
    loop {
        let page = records.events_after(&stream, desk.seq(), PAGE).await?;
        if page.is_empty() {
            break;
        }
        for stored in page {
            desk.apply(&decode(stored).context("the alert desk's journal")?);
        }
    }
    Ok(desk.rules().in_force().map(|v| v.rule.clone()).collect())
}

/// Which tickets have a case, by hall; a hall without any is not known to register cases here.
pub(super) fn registered(cases: &[Case]) -> BTreeMap<HallId, BTreeSet<TicketId>> {
    let mut halls: BTreeMap<HallId, BTreeSet<TicketId>> = BTreeMap::new();
    for case in cases {
        if let Some(hall) = &case.told.hall {
            let tickets = halls.entry(hall.clone()).or_default();
            tickets.extend(case.told.tickets.iter().copied());
        }
    }
    halls
}

/// One hall as it was, event by event.
pub(super) struct Tape {
    pub(super) id: HallId,
    stream: StreamId,
    hall: Option<Hall>,
    read: u64,
    ahead: VecDeque<Recorded<Event>>,
    /// Tickets served, by day.
    served: BTreeMap<NaiveDate, u64>,
}

impl Tape {
    /// The tapes of all halls of a database, each at its beginning.
    ///
    /// # Errors
    /// The database does not answer.
    pub(super) async fn all(records: &Records) -> anyhow::Result<Vec<Self>> {
        let streams = records.streams().await?;
        let halls = streams.into_iter().filter_map(|stream| {
            Some(Self {
                id: stream.hall()?,
                stream,
                hall: None,
                read: 0,
                ahead: VecDeque::new(),
                served: BTreeMap::new(),
            })
        });
        Ok(halls.collect())
    }

    pub(super) fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// When the next event happened; none at the end.
    ///
    /// # Errors
    /// The database does not answer, or holds what cannot be.
    pub(super) async fn next_at(&mut self, records: &Records) -> anyhow::Result<Option<Timestamp>> {
        if self.ahead.is_empty() {
            for stored in records.events_after(&self.stream, self.read, PAGE).await? {
                self.read = stored.seq;
                let event = decode(stored).with_context(|| format!("journal of {}", self.id))?;
                self.ahead.push_back(event);
            }
        }
        Ok(self.ahead.front().map(|event| event.at))
    }

    /// Plays on until an instant.
    ///
    /// # Errors
    /// The database does not answer, or holds what cannot be.
    pub(super) async fn play(&mut self, records: &Records, until: Timestamp) -> anyhow::Result<()> {
        while self.next_at(records).await?.is_some_and(|at| at <= until) {
            let Some(recorded) = self.ahead.pop_front() else {
                break;
            };
            match &mut self.hall {
                Some(hall) => {
                    if let Event::DayEnded { day, .. } = &recorded.event {
                        self.served.insert(*day, hall.figures().completed);
                    }
                    hall.apply(&recorded);
                }
                None => self.hall = Hall::registered(self.id.clone(), &recorded),
            }
        }
        Ok(())
    }

    /// What was known of the hall.
    pub(super) fn facts(
        &self,
        registered: Option<&BTreeSet<TicketId>>,
        at: Timestamp,
    ) -> Vec<Facts> {
        let Some(hall) = &self.hall else {
            return Vec::new();
        };
        let has_case = |ticket| registered.map(|tickets| tickets.contains(&ticket));
        let beyond = Beyond {
            has_case: &has_case,
            usual_served: hall.day().and_then(|day| self.usual(day)),
            ..Beyond::NONE
        };
        facts(hall, &beyond, at)
    }

    /// Mean of the four same weekdays before a day; none until there were four.
    fn usual(&self, day: NaiveDate) -> Option<f64> {
        let weeks = (1..=4).map(|week| {
            let before = day.checked_sub_days(Days::new(7 * week))?;
            debug_assert_eq!(before.weekday(), day.weekday());
            self.served.get(&before).copied()
        });
        let served: Option<Vec<u64>> = weeks.collect();
        served.map(|served| served.iter().sum::<u64>() as f64 / 4.0)
    }
}
