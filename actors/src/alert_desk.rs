//! The driver of the alert desk: every second it asks all sources what they know, evaluates the
//! rules in force, and hands what changed to the desk in one command.
//!
//! It keeps nothing that the desk's journal does not have, besides figures of the last pass and the
//! curves of alerts. If a command is not carried out, or the desk was rebuilt, it begins anew from
//! the desk. A source that does not answer changes nothing; a pass that comes late is counted, and
//! the time of the last one is shown, so that calm is never mistaken for blindness.

mod feed;

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rules::alerts::condition::Comparison;
use rules::alerts::engine::{Observation, leading_value};
use rules::alerts::facts;
use rules::alerts::subject::{Facts, Subject, SubjectKind};
use rules::desk::pass::{Glance, Passes};
use rules::desk::{AlertDesk, Command, Instance};
use rules::ids::{AlertId, HallId};
use rules::time::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{error, warn};

use crate::desk::Desk;
use crate::hub::ScreenHub;
use crate::ports::Clock;
use feed::Feed;

/// A source that takes longer is taken for silent in this pass.
const SOURCE_PATIENCE: Duration = Duration::from_millis(800);

/// Alerts are shown at most this long after they changed.
const SHOW_AFTER: Duration = Duration::from_millis(100);

/// Points of an alert's curve, one a minute.
const CURVE_POINTS: usize = 60;
const CURVE_EVERY_SECS: u64 = 60;

/// Late passes are counted over ten minutes.
const LATE_OVER_SECS: u64 = 600;

/// What a source knows, or nothing if it did not answer.
pub type Answer = Pin<Box<dyn Future<Output = Option<Vec<Facts>>> + Send>>;

/// Somebody who knows things that rules are about: a hall, the case desk, the devices' keeper.
pub trait FactSource: Send + Sync {
    fn name(&self) -> String;

    /// All that it knows now.
    fn facts(&self) -> Answer;

    /// Whether a subject is one of its own.
    fn owns(&self, subject: &Subject) -> bool;
}

/// All sources there are now; halls may be added at any time.
pub trait Sources: Send + Sync + 'static {
    fn all(&self) -> Vec<Arc<dyn FactSource>>;
}

/// How the last pass went.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct PassFigures {
    #[serde(skip)]
    pub last_pass: Option<Timestamp>,
    pub pass_ms: f64,
    /// Passes of the last ten minutes that came late or not at all.
    pub late_passes: u64,
    pub instances: usize,
    pub silent_sources: Vec<String>,
}

/// What is known of one alert beyond its journal.
#[derive(Debug, Clone, Default)]
pub struct Present {
    pub as_of: Option<Timestamp>,
    /// The comparisons with the values of the last pass.
    pub comparisons: Vec<Comparison>,
    pub count: Option<u32>,
    pub curve: Vec<(Timestamp, f64)>,
}

/// What is known of one rule beyond its text.
#[derive(Debug, Clone, Default)]
pub struct RulePresent {
    pub instances: usize,
    /// Subjects on which it cannot be evaluated, since when, and what is missing.
    pub without_data: Vec<(Subject, Timestamp, Vec<&'static str>)>,
}

pub(crate) enum Ask {
    Figures(oneshot::Sender<PassFigures>),
    Alert(AlertId, Instance, oneshot::Sender<Present>),
    Rule(String, oneshot::Sender<RulePresent>),
    /// A topic needs a snapshot.
    Show,
    /// Somebody wants to follow a hall's alerts.
    Open(HallId, oneshot::Sender<()>),
}

/// The way to the driver.
#[derive(Clone)]
pub struct AlertDriver {
    asks: mpsc::Sender<Ask>,
}

impl AlertDriver {
    /// Starts passing, once per `every`, until the process ends.
    pub fn start(
        desk: Desk<AlertDesk>,
        sources: Arc<dyn Sources>,
        hub: actix::Addr<ScreenHub>,
        clock: Arc<dyn Clock>,
        every: Duration,
    ) -> Self {
        let (asks, asked) = mpsc::channel(256);
        let feed = Feed::new(hub, asks.clone());
        let arbiter = actix::Arbiter::new();
        arbiter.spawn(async move {
            let driver = Driver {
                desk,
                sources,
                clock,
                every,
                passes: Passes::default(),
                known: BTreeMap::new(),
                late: VecDeque::new(),
                figures: PassFigures::default(),
                curves: BTreeMap::new(),
                sampled_at: None,
                feed,
            };
            driver.run(asked).await;
        });
        Self { asks }
    }

    pub async fn figures(&self) -> Option<PassFigures> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::Figures(reply)).await.ok()?;
        answer.await.ok()
    }

    /// What is known of an alert now.
    pub async fn alert(&self, id: AlertId, instance: Instance) -> Option<Present> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::Alert(id, instance, reply)).await.ok()?;
        answer.await.ok()
    }

    /// Makes a hall's topic known to the hub.
    pub async fn open(&self, hall: HallId) {
        let (reply, answer) = oneshot::channel();
        if self.asks.send(Ask::Open(hall, reply)).await.is_ok() {
            let _ = answer.await;
        }
    }

    pub async fn rule(&self, rule: &str) -> Option<RulePresent> {
        let (reply, answer) = oneshot::channel();
        self.asks
            .send(Ask::Rule(rule.to_owned(), reply))
            .await
            .ok()?;
        answer.await.ok()
    }
}

struct Driver {
    desk: Desk<AlertDesk>,
    sources: Arc<dyn Sources>,
    clock: Arc<dyn Clock>,
    every: Duration,
    passes: Passes,
    /// What each source said last.
    known: BTreeMap<String, Vec<Facts>>,
    late: VecDeque<Timestamp>,
    figures: PassFigures,
    curves: BTreeMap<AlertId, VecDeque<(Timestamp, f64)>>,
    sampled_at: Option<Timestamp>,
    feed: Feed,
}

impl Driver {
    async fn run(mut self, mut asked: mpsc::Receiver<Ask>) {
        let mut tick = tokio::time::interval(self.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut changed = self.desk.changed();
        let mut last = Instant::now();
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    let late = last.elapsed() > self.every * 2;
                    last = Instant::now();
                    self.pass(late).await;
                    self.show(true).await;
                }
                ok = changed.changed() => {
                    if ok.is_err() {
                        return;
                    }
                    tokio::time::sleep(SHOW_AFTER).await;
                    changed.borrow_and_update();
                    self.show(false).await;
                }
                ask = asked.recv() => match ask {
                    Some(ask) => self.answer(ask),
                    None => return,
                }
            }
        }
    }

    async fn pass(&mut self, mut late: bool) {
        let began = Instant::now();
        let Some((glance, itself)) = self.glance().await else {
            // The desk is being rebuilt; what it knows afterwards counts.
            self.passes.begin_anew();
            self.note_pass(None, began, true);
            return;
        };
        let (mut found, faulty) = self.passes.take_up(&glance);
        for rule in faulty {
            error!(rule, "rule not in force");
        }
        let answers = self.gather().await;
        let now = self.clock.now();
        let mut silent = Vec::new();
        for (source, facts) in answers {
            match facts {
                Some(facts) => {
                    let name = source.name();
                    let owns = |subject: &Subject| source.owns(subject);
                    found.extend(self.passes.feed(&name, &facts, owns, now));
                    self.known.insert(name, facts);
                }
                None => silent.push(source.name()),
            }
        }
        let (itself, own) = (vec![itself], |at: &Subject| at.kind == SubjectKind::Desk);
        found.extend(self.passes.feed("desk", &itself, own, now));
        self.known.insert("desk".to_owned(), itself);
        if silent.is_empty() {
            self.passes.all_answered();
        }
        self.figures.silent_sources = silent;
        if !self.submit(found).await {
            self.passes.begin_anew();
            late = true;
        }
        self.sample(now).await;
        self.note_pass(Some(now), began, late);
    }

    /// What the desk says before a pass, and what it knows of itself.
    async fn glance(&self) -> Option<(Glance, Facts)> {
        let (since, late) = (self.passes.since(), self.late.len() as u64);
        let read = self.desk.read(move |desk, now| {
            let itself = facts::desk::facts(&desk.known(late, now));
            (desk.glance(since, now), itself)
        });
        read.await
    }

    /// Asks all sources at once.
    async fn gather(&self) -> Vec<(Arc<dyn FactSource>, Option<Vec<Facts>>)> {
        let sources = self.sources.all();
        let mut asked = JoinSet::new();
        for (place, source) in sources.iter().enumerate() {
            let facts = source.facts();
            asked.spawn(async move {
                let answer = tokio::time::timeout(SOURCE_PATIENCE, facts).await;
                (place, answer.ok().flatten())
            });
        }
        let mut answers: Vec<_> = sources.into_iter().map(|source| (source, None)).collect();
        while let Some(answered) = asked.join_next().await {
            if let Ok((place, facts)) = answered {
                answers[place].1 = facts;
            }
        }
        answers
    }

    /// Whether the desk has taken it.
    async fn submit(&self, found: Vec<Observation>) -> bool {
        if found.is_empty() {
            return true;
        }
        match self
            .desk
            .submit(Command::Observe(found), "clock", None)
            .await
        {
            Ok(_) => true,
            Err(cause) => {
                warn!(%cause, "what a pass found was not taken; beginning anew");
                false
            }
        }
    }

    /// Once a minute, one point of the curve of every standing alert.
    async fn sample(&mut self, now: Timestamp) {
        let due = |at: Timestamp| now.secs_since(at) >= CURVE_EVERY_SECS;
        if !self.sampled_at.is_none_or(due) {
            return;
        }
        self.sampled_at = Some(now);
        let standing = self.desk.read(|desk, _| {
            let standing = desk.alerts().iter().filter(|alert| alert.state.stands());
            standing
                .map(|alert| {
                    (
                        alert.id,
                        Instance::new(&alert.raise.rule, &alert.raise.subject),
                    )
                })
                .collect::<Vec<_>>()
        });
        let standing = standing.await.unwrap_or_default();
        let by_subject: BTreeMap<&Subject, &Facts> = self
            .known
            .values()
            .flatten()
            .map(|facts| (&facts.subject, facts))
            .collect();
        let mut curves = BTreeMap::new();
        for (id, instance) in standing {
            let mut curve = self.curves.remove(&id).unwrap_or_default();
            let facts = by_subject.get(&instance.subject);
            let rule = self.passes.engine().rule(&instance.rule);
            if let (Some(facts), Some(rule)) = (facts, rule)
                && let Some(value) = leading_value(&rule.explain(facts))
            {
                curve.push_back((now, value));
            }
            while curve.len() > CURVE_POINTS {
                curve.pop_front();
            }
            curves.insert(id, curve);
        }
        self.curves = curves;
    }

    fn note_pass(&mut self, at: Option<Timestamp>, began: Instant, late: bool) {
        let now = self.clock.now();
        if late {
            self.late.push_back(now);
        }
        while self
            .late
            .front()
            .is_some_and(|at| now.secs_since(*at) > LATE_OVER_SECS)
        {
            self.late.pop_front();
        }
        self.figures.last_pass = at.or(self.figures.last_pass);
        self.figures.pass_ms = (began.elapsed().as_secs_f64() * 10_000.0).round() / 10.0;
        self.figures.late_passes = self.late.len() as u64;
        self.figures.instances = self.passes.engine().len();
    }

    async fn show(&mut self, passed: bool) {
        let cases = self.known.get("cases").map_or(&[][..], Vec::as_slice);
        self.feed
            .show(&self.desk, &self.figures, cases, passed)
            .await;
    }

    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Figures(reply) => {
                let _ = reply.send(self.figures.clone());
            }
            Ask::Alert(id, instance, reply) => {
                let _ = reply.send(self.present(id, &instance));
            }
            Ask::Rule(rule, reply) => {
                let _ = reply.send(self.rule_present(&rule));
            }
            Ask::Show => self.feed.snapshots(),
            Ask::Open(hall, reply) => {
                self.feed.open(Some(hall));
                let _ = reply.send(());
            }
        }
    }

    fn facts_of(&self, subject: &Subject) -> Option<&Facts> {
        self.known
            .values()
            .flatten()
            .find(|facts| facts.subject == *subject)
    }

    fn present(&self, id: AlertId, instance: &Instance) -> Present {
        let facts = self.facts_of(&instance.subject);
        let rule = self.passes.engine().rule(&instance.rule);
        let comparisons = match (rule, facts) {
            (Some(rule), Some(facts)) => rule.explain(facts),
            _ => Vec::new(),
        };
        let watch = self
            .passes
            .engine()
            .watch(&instance.rule, &instance.subject);
        Present {
            as_of: self.figures.last_pass,
            comparisons,
            count: watch.map(|watch| watch.count),
            curve: self
                .curves
                .get(&id)
                .into_iter()
                .flatten()
                .copied()
                .collect(),
        }
    }

    fn rule_present(&self, rule: &str) -> RulePresent {
        let Some(compiled) = self.passes.engine().rule(rule) else {
            return RulePresent::default();
        };
        let kind = compiled.rule.subject;
        let blind = self.passes.engine().without_data(rule).into_iter().take(50);
        RulePresent {
            instances: self
                .known
                .values()
                .flatten()
                .filter(|facts| facts.subject.kind == kind)
                .count(),
            without_data: blind
                .map(|(subject, since)| {
                    let facts = self.facts_of(subject);
                    let missing = facts.map(|facts| compiled.missing(facts));
                    (subject.clone(), since, missing.unwrap_or_default())
                })
                .collect(),
        }
    }
}
