//! The topics of the alert desk: `alerts` with everything, for those whose scope is all halls, and
//! `alerts.{hall}` with one hall's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use dashboards::frame::{Kind, encode};
use rules::alerts::catalogue;
use rules::alerts::rule::Severity;
use rules::alerts::subject::{Facts, SubjectKind, Value};
use rules::desk::load::Load;
use rules::desk::{Alert, AlertDesk, State};
use rules::ids::{AlertId, HallId};
use rules::time::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::{Ask, PassFigures};
use crate::clock::SystemClock;
use crate::desk::Desk;
use crate::hub::{
    Find, OpenTopic, Publish, PublishSnapshot, ScreenHub, Shape, TakeSnapshot, Topic,
};
use crate::ports::Clock as _;

/// The topic with everything.
const ALL: &str = "alerts";

/// Alerts shown at a time; the counts tell of all.
const SHOWN_MAX: usize = 2_000;

/// Asks the driver for snapshots when the hub wants one.
struct Door(mpsc::Sender<Ask>);

impl Actor for Door {
    type Context = Context<Self>;
}

impl Handler<TakeSnapshot> for Door {
    type Result = ();

    fn handle(&mut self, _: TakeSnapshot, _: &mut Self::Context) {
        // When it is full the driver is about to show everything anyway.
        let _ = self.0.try_send(Ask::Show);
    }
}

/// An alert as it was shown last.
struct Shown {
    changes: u64,
    hall: Option<HallId>,
    severity: Severity,
    state: State,
    muted: (bool, bool),
    face: Box<RawValue>,
}

#[derive(Default)]
struct Stream {
    seq: u64,
    topic: Option<Arc<Topic>>,
    load: Option<Load>,
}

/// How many alerts are in which state.
#[derive(Debug, Default, Serialize)]
struct Counts {
    unacknowledged: usize,
    acknowledged: usize,
    in_progress: usize,
    shelved: usize,
    suppressed: usize,
    notice: usize,
    warning: usize,
    critical: usize,
}

/// How the time of open cases stands.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct CaseCounts {
    on_time: usize,
    near_due: usize,
    overdue: usize,
}

/// The desk as a whole.
#[derive(Serialize)]
struct DeskView<'a> {
    as_of: String,
    last_pass_at: Option<String>,
    pass_ms: f64,
    late_passes: u64,
    silent_sources: &'a [String],
    counts: Counts,
    load: Option<&'a Load>,
    cases: CaseCounts,
}

#[derive(Serialize)]
struct Snapshot<'a> {
    #[serde(flatten)]
    desk: DeskView<'a>,
    alerts: Vec<&'a RawValue>,
}

#[derive(Serialize)]
struct DeskDelta<'a> {
    desk: DeskView<'a>,
}

#[derive(Serialize)]
struct AlertDelta<'a> {
    alert: &'a RawValue,
}

#[derive(Serialize)]
struct Gone {
    gone: AlertId,
}

/// What the desk says has changed since it was asked last.
struct News {
    changed: Vec<(AlertId, Shown)>,
    gone: Vec<AlertId>,
}

pub(super) struct Feed {
    hub: Addr<ScreenHub>,
    door: Addr<Door>,
    shown: BTreeMap<AlertId, Shown>,
    streams: BTreeMap<Option<HallId>, Stream>,
    figures: PassFigures,
    cases: BTreeMap<Option<HallId>, CaseCounts>,
}

fn topic_name(hall: Option<&HallId>) -> String {
    hall.map_or_else(|| ALL.to_owned(), |hall| format!("{ALL}.{hall}"))
}

impl Feed {
    /// Must be called where actors run. The topic with everything can be followed as soon as this returns.
    pub(super) fn new(hub: Addr<ScreenHub>, asks: mpsc::Sender<Ask>) -> Self {
        let mut feed = Self {
            hub,
            door: Door(asks).start(),
            shown: BTreeMap::new(),
            streams: BTreeMap::new(),
            figures: PassFigures::default(),
            cases: BTreeMap::new(),
        };
        feed.open(None);
        feed
    }

    /// Publishes what has changed; after a pass also how the desk stands.
    pub(super) async fn show(
        &mut self,
        desk: &Desk<AlertDesk>,
        figures: &PassFigures,
        cases: &[Facts],
        passed: bool,
    ) {
        self.figures = figures.clone();
        if passed {
            self.cases = count_cases(cases);
        }
        let Some(news) = self.news(desk).await else {
            return;
        };
        let halls = news.changed.iter().map(|(_, shown)| shown.hall.clone());
        let wanted: BTreeSet<Option<HallId>> = halls.chain(self.cases.keys().cloned()).collect();
        wanted.into_iter().for_each(|hall| self.open(hall));
        let mut deltas: BTreeMap<Option<HallId>, Vec<String>> = BTreeMap::new();
        for (id, shown) in news.changed {
            let delta = json(&AlertDelta { alert: &shown.face });
            if let Some(hall) = &shown.hall {
                deltas
                    .entry(Some(hall.clone()))
                    .or_default()
                    .push(delta.clone());
            }
            deltas.entry(None).or_default().push(delta);
            self.shown.insert(id, shown);
        }
        for id in news.gone {
            let delta = json(&Gone { gone: id });
            if let Some(hall) = self.shown.remove(&id).and_then(|shown| shown.hall) {
                deltas.entry(Some(hall)).or_default().push(delta.clone());
            }
            deltas.entry(None).or_default().push(delta);
        }
        if passed {
            self.look_at_loads(desk).await;
        }
        let halls: Vec<Option<HallId>> = self.streams.keys().cloned().collect();
        for hall in halls {
            let mut own = deltas.remove(&hall).unwrap_or_default();
            if passed || !own.is_empty() {
                own.push(json(&DeskDelta {
                    desk: self.view(hall.as_ref()),
                }));
                self.publish(hall.as_ref(), own);
            }
        }
    }

    async fn news(&self, desk: &Desk<AlertDesk>) -> Option<News> {
        let known: BTreeMap<AlertId, u64> = self
            .shown
            .iter()
            .map(|(id, shown)| (*id, shown.changes))
            .collect();
        desk.read(move |desk, _| {
            let alerts = desk.alerts();
            let open = |alert: &&Alert| alert.state != State::Closed;
            let gone = |id: &&AlertId| alerts.get(**id).filter(open).is_none();
            let room = SHOWN_MAX.saturating_sub(known.len());
            let is_known = |alert: &Alert| known.contains_key(&alert.id);
            let new = alerts
                .iter()
                .filter(open)
                .filter(|alert| !is_known(alert))
                .take(room);
            let changed = alerts.iter().filter(open).filter(|alert| {
                known
                    .get(&alert.id)
                    .is_some_and(|changes| *changes != alert.changes)
            });
            News {
                gone: known.keys().filter(gone).copied().collect(),
                changed: changed
                    .chain(new)
                    .filter_map(|alert| Some((alert.id, shown(desk, alert)?)))
                    .collect(),
            }
        })
        .await
    }

    async fn look_at_loads(&mut self, desk: &Desk<AlertDesk>) {
        for stream in self
            .streams
            .iter_mut()
            .filter(|(_, stream)| stream.topic.is_none())
        {
            let name = topic_name(stream.0.as_ref());
            stream.1.topic = self.hub.send(Find(name)).await.ok().flatten();
        }
        let operators: BTreeMap<Option<HallId>, usize> = self
            .streams
            .iter()
            .map(|(hall, stream)| {
                let topic = stream.topic.as_ref();
                (hall.clone(), topic.map_or(0, |topic| topic.followers()))
            })
            .collect();
        let loads = desk.read(move |desk, now| {
            let load = |(hall, operators): (Option<HallId>, usize)| {
                let load = desk.alerts().load(operators, hall.as_ref(), now);
                (hall, load)
            };
            operators.into_iter().map(load).collect::<Vec<_>>()
        });
        for (hall, load) in loads.await.unwrap_or_default() {
            if let Some(stream) = self.streams.get_mut(&hall) {
                stream.load = Some(load);
            }
        }
    }

    /// Makes a topic known to the hub.
    pub(super) fn open(&mut self, hall: Option<HallId>) {
        if self.streams.contains_key(&hall) {
            return;
        }
        self.hub.do_send(OpenTopic {
            name: topic_name(hall.as_ref()),
            shape: Shape::Steps {
                merge: Duration::ZERO,
            },
            owner: Some(self.door.clone().recipient()),
        });
        let seq = SystemClock.now().millis().unsigned_abs();
        let stream = Stream {
            seq,
            ..Stream::default()
        };
        self.streams.insert(hall.clone(), stream);
        self.snapshot(hall.as_ref());
    }

    fn publish(&mut self, hall: Option<&HallId>, deltas: Vec<String>) {
        let Some(stream) = self.streams.get_mut(&hall.cloned()) else {
            return;
        };
        let name = topic_name(hall);
        let at = SystemClock.now().rfc3339_utc();
        let mut frames = Vec::with_capacity(deltas.len());
        for delta in deltas {
            stream.seq += 1;
            if let Ok(data) = RawValue::from_string(delta) {
                frames.push((
                    stream.seq,
                    encode(&name, Kind::Delta, stream.seq, &at, &data),
                ));
            }
        }
        self.hub.do_send(Publish {
            topic: name,
            frames,
            urgent: true,
        });
    }

    /// Publishes a snapshot of every topic.
    pub(super) fn snapshots(&self) {
        self.streams
            .keys()
            .for_each(|hall| self.snapshot(hall.as_ref()));
    }

    fn snapshot(&self, hall: Option<&HallId>) {
        let Some(stream) = self.streams.get(&hall.cloned()) else {
            return;
        };
        let name = topic_name(hall);
        let at = SystemClock.now().rfc3339_utc();
        let view = Snapshot {
            desk: self.view(hall),
            alerts: self.of(hall).map(|shown| &*shown.face).collect(),
        };
        self.hub.do_send(PublishSnapshot {
            frame: encode(&name, Kind::Snapshot, stream.seq, &at, &view),
            topic: name,
            seq: stream.seq,
        });
    }

    fn of<'a>(&'a self, hall: Option<&'a HallId>) -> impl Iterator<Item = &'a Shown> {
        let mine = move |shown: &&Shown| hall.is_none() || shown.hall.as_ref() == hall;
        self.shown.values().filter(mine)
    }

    fn view(&self, hall: Option<&HallId>) -> DeskView<'_> {
        let stream = self.streams.get(&hall.cloned());
        DeskView {
            as_of: SystemClock.now().rfc3339_utc(),
            last_pass_at: self.figures.last_pass.map(Timestamp::rfc3339_utc),
            pass_ms: self.figures.pass_ms,
            late_passes: self.figures.late_passes,
            silent_sources: match hall {
                None => &self.figures.silent_sources,
                Some(_) => &[],
            },
            counts: count(self.of(hall)),
            load: stream.and_then(|stream| stream.load.as_ref()),
            cases: self.cases.get(&hall.cloned()).copied().unwrap_or_default(),
        }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn shown(desk: &AlertDesk, alert: &Alert) -> Option<Shown> {
    let face = json(&desk.alerts().face(alert));
    Some(Shown {
        changes: alert.changes,
        hall: alert.raise.hall.clone(),
        severity: alert.severity_now,
        state: alert.state,
        muted: (alert.shelf.is_some(), alert.suppressed_by.is_some()),
        face: RawValue::from_string(face).ok()?,
    })
}

fn count<'a>(all: impl Iterator<Item = &'a Shown>) -> Counts {
    let mut counts = Counts::default();
    for shown in all.filter(|shown| shown.state.stands()) {
        match shown.state {
            State::Firing => counts.unacknowledged += 1,
            State::Acknowledged => counts.acknowledged += 1,
            _ => counts.in_progress += 1,
        }
        match shown.severity {
            Severity::Notice => counts.notice += 1,
            Severity::Warning => counts.warning += 1,
            Severity::Critical => counts.critical += 1,
        }
        counts.shelved += usize::from(shown.muted.0);
        counts.suppressed += usize::from(shown.muted.1);
    }
    counts
}

/// How the time of open cases stands, of all and of each hall.
fn count_cases(cases: &[Facts]) -> BTreeMap<Option<HallId>, CaseCounts> {
    let mut all: BTreeMap<Option<HallId>, CaseCounts> = BTreeMap::new();
    let Some((slot, _)) = catalogue::find(SubjectKind::Case, "time_state") else {
        return all;
    };
    for facts in cases {
        let Some(Value::Text(state)) = facts.values.get(slot) else {
            continue;
        };
        let hall = facts.hall.clone().map(Some);
        for scope in [None].into_iter().chain(hall) {
            let counts = all.entry(scope).or_default();
            match &**state {
                "on_time" => counts.on_time += 1,
                "near_due" => counts.near_due += 1,
                "overdue" => counts.overdue += 1,
                _ => (),
            }
        }
    }
    all
}
