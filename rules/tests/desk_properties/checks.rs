//! What must hold of every step, worked out from the journal and not from the desk's own figures.

use std::collections::{BTreeMap, BTreeSet};

use rules::alerts::rule::Audience;
use rules::alerts::subject::Subject;
use rules::desk::alert::{Alert, State, Suppression};
use rules::desk::event::AckEnd;
use rules::desk::messages::{Cause, Message, MessageEvent, MessageState};
use rules::desk::orders::{OrderEvent, OrderState, Orders};
use rules::desk::problems::{ProblemEvent, ProblemState, Problems};
use rules::desk::receivers::{Receiver, Receivers, WayKind};
use rules::desk::{AlertDesk, AlertEvent, Alerts, Event};
use rules::ids::{AlertId, HallId, MessageId, OrderId, ProblemId};
use rules::machine::{Item, ItemKind, Machine as _, Recorded};

/// What people have heard of one alert.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    raised: u32,
    resolved: u32,
    /// Anything at all before it was over.
    any: bool,
    /// Somebody waits to hear of it again: a silence, a shelf or an acknowledgement is over.
    owed: bool,
}

/// The journal's story so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    ids: BTreeSet<String>,
    keys: BTreeSet<String>,
    heard: BTreeMap<AlertId, Heard>,
    /// How often each kind of event and notice came.
    pub(crate) seen: BTreeMap<String, u32>,
}

/// Applies what was recorded in one write, and checks it on the way.
pub(crate) fn check_batch(desk: &mut AlertDesk, recorded: &[Recorded<Event>], ledger: &mut Ledger) {
    if recorded.is_empty() {
        return;
    }
    let rows = desk.items(recorded);
    let before = Before::of(desk);
    for one in recorded {
        ledger.new_ids(&one.event);
        ledger.count(&one.event);
        let earlier = States::of(desk, &one.event);
        if let Event::Alert(AlertEvent::AlertsTold { cause, alerts, .. }) = &one.event {
            ledger.told(desk, *cause, alerts);
        }
        desk.apply(one);
        check_transitions(&earlier, desk, &one.event);
        if let Event::Alert(event) = &one.event {
            ledger.hear(&earlier, desk, event);
        }
    }
    check_standing(desk);
    check_rows(&before, desk, &rows);
    check_notices(&before, recorded);
}

/// The desk before a write, without its rules.
struct Before {
    alerts: Alerts,
    orders: Orders,
    problems: Problems,
    messages: BTreeMap<MessageId, (MessageState, u32, bool)>,
    receivers: Receivers,
}

impl Before {
    fn of(desk: &AlertDesk) -> Self {
        Self {
            alerts: desk.alerts().clone(),
            orders: desk.orders().clone(),
            problems: desk.problems().clone(),
            messages: desk.messages().iter().map(states).collect(),
            receivers: desk.receivers().clone(),
        }
    }
}

fn states(message: &Message) -> (MessageId, (MessageState, u32, bool)) {
    let Message {
        state,
        attempts,
        fell_back,
        ..
    } = message;
    (message.id, (*state, *attempts, *fell_back))
}

/// Where everything that an event may touch stood before it.
struct States {
    alerts: BTreeMap<AlertId, (State, bool)>,
    orders: BTreeMap<OrderId, OrderState>,
    problems: BTreeMap<ProblemId, ProblemState>,
    message: Option<Message>,
}

impl States {
    fn of(desk: &AlertDesk, event: &Event) -> Self {
        let alerts = desk.alerts().iter();
        let message = match event {
            Event::Message(event) => event.message(),
            _ => None,
        };
        Self {
            alerts: alerts
                .map(|one| (one.id, (one.state, is_silenced(one))))
                .collect(),
            orders: desk
                .orders()
                .iter()
                .map(|one| (one.id, one.state))
                .collect(),
            problems: desk
                .problems()
                .iter()
                .map(|one| (one.id, one.state))
                .collect(),
            message: message.and_then(|id| desk.messages().get(id).cloned()),
        }
    }
}

fn is_silenced(alert: &Alert) -> bool {
    matches!(alert.suppressed_by, Some(Suppression::Silence(_)))
}

impl Ledger {
    fn new_ids(&mut self, event: &Event) {
        let id = match event {
            Event::Alert(AlertEvent::AlertRaised { alert, .. }) => alert.to_string(),
            Event::Alert(AlertEvent::Silenced { silence, .. }) => silence.to_string(),
            Event::Order(OrderEvent::OrderCreated { order, .. }) => order.to_string(),
            Event::Problem(ProblemEvent::ProblemListed { problem, .. }) => problem.to_string(),
            Event::Message(MessageEvent::MessageQueued { message }) => {
                let key = message.key.clone();
                assert!(self.keys.insert(key), "{} is said twice", message.key);
                message.id.to_string()
            }
            _ => return,
        };
        assert!(self.ids.insert(id.clone()), "{id} is given twice");
    }

    fn count(&mut self, event: &Event) {
        use rules::machine::JournalEvent as _;
        *self.seen.entry(event.kind().to_owned()).or_default() += 1;
        let cause = match event {
            Event::Alert(AlertEvent::AlertsTold { cause, .. }) => cause.name(),
            Event::Message(MessageEvent::MessageQueued { message }) => match message.about.cause {
                cause @ (Cause::Assigned | Cause::Urged) => cause.name(),
                _ => return,
            },
            _ => return,
        };
        *self.seen.entry(format!("told {cause}")).or_default() += 1;
    }

    fn told(&mut self, desk: &AlertDesk, cause: Cause, alerts: &[AlertId]) {
        for id in alerts {
            let alert = desk.alerts().get(*id).expect("told of an alert at hand");
            self.heard.entry(*id).or_default().tell(cause, alert);
        }
    }

    /// Follows who is to hear of an alert again.
    fn hear(&mut self, before: &States, after: &AlertDesk, event: &AlertEvent) {
        if let AlertEvent::AlertsEscalated { alerts, .. } = event {
            for id in alerts {
                self.heard.entry(*id).or_default().any = true;
            }
        }
        for alert in after.alerts().iter() {
            let heard = self.heard.entry(alert.id).or_default();
            let Some((_, silenced)) = before.alerts.get(&alert.id).filter(|_| heard.any) else {
                continue;
            };
            let run_out = match event {
                AlertEvent::AlertUnshelved {
                    alert,
                    expired: true,
                } => Some(*alert),
                AlertEvent::AcknowledgementEnded { alert, why } if *why == AckEnd::Expired => {
                    Some(*alert)
                }
                _ => None,
            };
            heard.owed |= (*silenced && !is_silenced(alert)) || run_out == Some(alert.id);
            heard.owed &= alert.state.stands();
        }
    }

    /// With nobody kept from hearing, and time to tell: each alert was told once as raised and, if
    /// anybody heard of it, once as over; and whoever was to hear of it again has.
    pub(crate) fn all_is_told(&self, desk: &AlertDesk) {
        for alert in desk.alerts().iter() {
            let heard = self.heard.get(&alert.id).cloned().unwrap_or_default();
            let id = alert.id;
            assert!(heard.raised <= 1, "{id} was told as raised twice");
            if !alert.state.stands() {
                assert_eq!(
                    heard.resolved,
                    u32::from(heard.any),
                    "{id} is over: {heard:?}"
                );
            } else if !alert.is_muted() {
                assert_eq!(heard.raised, 1, "{id} stands and was not told: {alert:?}");
                assert!(!heard.owed, "{id} was to be told again: {alert:?}");
            }
        }
    }
}

impl Heard {
    fn tell(&mut self, cause: Cause, alert: &Alert) {
        let id = alert.id;
        if cause == Cause::Resolved {
            assert!(!alert.state.stands(), "{id} stands and is told to be over");
            assert!(self.any, "{id} is told to be over and nobody heard of it");
            self.resolved += 1;
            assert_eq!(self.resolved, 1, "{id} is told to be over twice");
            return;
        }
        assert!(alert.state.stands(), "{id} is over and told as {cause:?}");
        assert!(!alert.is_muted(), "{id} is muted and told as {cause:?}");
        self.raised += u32::from(cause == Cause::Raised);
        assert!(self.raised <= 1, "{id} is told as raised twice");
        assert_eq!(
            self.raised, 1,
            "{id} is told as {cause:?} and was never told"
        );
        assert!(
            cause != Cause::Repeated || alert.state == State::Firing,
            "{id}"
        );
        self.any = true;
        self.owed = false;
    }
}

/// One alert per rule and subject, and the index of those that stand holds them and no others.
fn check_standing(desk: &AlertDesk) {
    let mut standing: BTreeSet<(&str, &Subject)> = BTreeSet::new();
    for alert in desk.alerts().iter().filter(|alert| alert.state.stands()) {
        let instance = (&*alert.raise.rule, &alert.raise.subject);
        assert!(standing.insert(instance), "two alerts on {instance:?}");
    }
    assert_eq!(standing.len(), desk.alerts().counts().0);
}

/// Requirements 2.0.2: no state is reached but by its transition.
fn check_transitions(before: &States, after: &AlertDesk, event: &Event) {
    for alert in after.alerts().iter() {
        let was = before.alerts.get(&alert.id).map(|(state, _)| *state);
        let allowed = match (was, alert.state) {
            (Some(was), now) if was == now => true,
            (None, now) => now == State::Firing,
            (Some(State::Firing), now) => matches!(now, State::Acknowledged | State::Resolved),
            (Some(State::Acknowledged), now) => {
                matches!(now, State::InProgress | State::Resolved | State::Firing)
            }
            (Some(State::InProgress), now) => now == State::Resolved,
            (Some(State::Resolved), now) => now == State::Closed,
            (Some(State::Closed), _) => false,
        };
        assert!(
            allowed,
            "{} {was:?} -> {:?} by {event:?}",
            alert.id, alert.state
        );
    }
    if let Event::Alert(AlertEvent::AcknowledgementEnded { alert, .. }) = event {
        let was = before.alerts.get(alert).map(|(state, _)| *state);
        assert_eq!(
            was,
            Some(State::Acknowledged),
            "{alert}: nobody had acknowledged it"
        );
    }
    for order in after.orders().iter() {
        use OrderState::{Assigned, Closed, Created, Processing, Reopened, Resolved, Verified};
        let was = before.orders.get(&order.id).copied();
        let allowed: &[OrderState] = match was {
            Some(was) if was == order.state => continue,
            None => &[Created, Assigned],
            Some(Created) => &[Assigned],
            Some(Assigned) => &[Processing],
            Some(Processing) => &[Resolved, Assigned],
            Some(Resolved) => &[Verified, Reopened],
            Some(Reopened) => &[Processing, Assigned],
            Some(Verified) => &[Closed],
            Some(Closed) => &[],
        };
        assert!(
            allowed.contains(&order.state),
            "{} {was:?} -> {:?}",
            order.id,
            order.state
        );
    }
    for problem in after.problems().iter() {
        use ProblemState::{Assigned, Checking, Closed, Corrected, Listed, Verified};
        let was = before.problems.get(&problem.id).copied();
        let allowed: &[ProblemState] = match was {
            Some(was) if was == problem.state => continue,
            None => &[Listed],
            Some(Listed) => &[Assigned],
            Some(Assigned) => &[Checking],
            Some(Checking) => &[Corrected, Assigned],
            Some(Corrected) => &[Verified, Checking],
            Some(Verified) => &[Closed],
            Some(Closed) => &[],
        };
        assert!(
            allowed.contains(&problem.state),
            "{} {was:?} -> {:?}",
            problem.id,
            problem.state
        );
    }
    if let Event::Message(event) = event
        && let Some(message) = event.message()
    {
        let now = after.messages().get(message).expect("at hand");
        check_message(before.message.as_ref(), now);
    }
}

fn check_message(was: Option<&Message>, message: &Message) {
    use MessageState::{Dead, Delivered, Failed, Queued, Sent};
    let allowed = match (was.map(|was| was.state), message.state) {
        (None, now) => matches!(now, Queued { .. }),
        (Some(Queued { .. } | Failed { .. }), now) => {
            matches!(now, Sent { .. } | Delivered { .. })
        }
        (Some(Sent { .. }), now) => matches!(now, Delivered { .. } | Failed { .. } | Dead { .. }),
        (Some(Dead { .. }), now) => matches!(now, Queued { .. } | Delivered { .. }),
        (Some(Delivered { .. }), _) => false,
    };
    assert!(allowed, "{} {was:?} -> {message:?}", message.id);
    if let Some(was) = was {
        assert!(message.attempts >= was.attempts);
        assert!(message.possible_duplicate || !was.possible_duplicate);
    }
}

/// Every message that has not ended is on its way: due at an instant, or under way with an end.
pub(crate) fn check_outbox(desk: &AlertDesk) {
    let messages = desk.messages();
    let far = rules::time::Timestamp::from_millis(i64::MAX);
    let due: BTreeSet<_> = messages.due(far).map(|message| message.id).collect();
    let under_way: BTreeSet<_> = messages.under_way().map(|message| message.id).collect();
    for message in messages.iter() {
        let state = message.state;
        assert_eq!(due.contains(&message.id), state.due_at().is_some());
        let sent = matches!(state, MessageState::Sent { .. });
        assert_eq!(under_way.contains(&message.id), sent);
    }
    assert_eq!(under_way.is_empty(), messages.next_deadline().is_none());
}

/// A row for everything that changed, which says what the desk says.
fn check_rows(before: &Before, after: &AlertDesk, rows: &[Item]) {
    let of = |kind: ItemKind| -> BTreeMap<&str, &Item> {
        let rows = rows.iter().filter(|row| row.kind == kind);
        rows.map(|row| (row.id.as_str(), row)).collect()
    };
    let alerts = of(ItemKind::Alert);
    for alert in after.alerts().iter() {
        let was = before.alerts.get(alert.id);
        let row = alerts.get(alert.id.to_string().as_str());
        let changed = was.is_none_or(|was| was.changes != alert.changes);
        assert!(row.is_some() || !changed, "no row for {}", alert.id);
        if let Some(row) = row {
            assert_eq!(row.state, alert.state.name());
            assert_eq!(row.person.as_deref(), alert.responsible());
            assert_eq!(row.ended_at, alert.resolved_at);
            assert_eq!(row.body, json(&after.alerts().detail(alert)));
        }
    }
    let orders = of(ItemKind::WorkOrder);
    for order in after.orders().iter() {
        let row = orders.get(order.id.to_string().as_str());
        let changed = before.orders.get(order.id) != Some(order);
        assert!(row.is_some() || !changed, "no row for {}", order.id);
        if let Some(row) = row {
            assert_eq!(
                (&*row.state, &row.person),
                (order.state.name(), &order.assignee)
            );
            assert_eq!(row.body, order.face().to_string());
        }
    }
    let problems = of(ItemKind::Problem);
    for problem in after.problems().iter() {
        let row = problems.get(problem.id.to_string().as_str());
        let changed = before.problems.get(problem.id) != Some(problem);
        assert!(row.is_some() || !changed, "no row for {}", problem.id);
        if let Some(row) = row {
            assert_eq!(
                (&*row.state, &row.person),
                (problem.state.name(), &problem.assignee)
            );
            assert_eq!(row.body, problem.face().to_string());
        }
    }
    let messages = of(ItemKind::Message);
    for message in after.messages().iter() {
        let changed = before.messages.get(&message.id) != Some(&states(message).1);
        // That it fell back is in no list.
        let was = before.messages.get(&message.id);
        let fell_back = was.is_some_and(|(.., fell_back)| *fell_back != message.fell_back);
        if changed && !fell_back {
            let row = messages.get(message.id.to_string().as_str());
            let row = row.unwrap_or_else(|| panic!("no row for {}", message.id));
            assert_eq!(row.body, json(&message.face()));
        }
    }
    for (id, (state, ..)) in &before.messages {
        let kept = after.messages().get(*id).is_some();
        assert!(kept || state.ended_at().is_some(), "{id} is lost");
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("JSON")
}

/// Whoever a notice concerns has a message by each way, about one hall or all of them, and nobody
/// else has.
fn check_notices(before: &Before, recorded: &[Recorded<Event>]) {
    let mut notices: BTreeMap<&str, u32> = BTreeMap::new();
    for one in recorded {
        let Event::Alert(event) = &one.event else {
            continue;
        };
        let (key, alerts) = match event {
            AlertEvent::AlertsTold { group, alerts, .. } => {
                let known = before.alerts.groups().get(group).expect("a group");
                let count = notices.entry(group).or_default();
                *count += 1;
                let lead = known.lead.or(alerts.first().copied()).expect("a lead");
                (format!("{lead}/{}", known.notices + *count), alerts)
            }
            AlertEvent::AlertsEscalated { alerts, step, .. } => {
                (format!("{}/escalation-{}", alerts[0], step + 1), alerts)
            }
            _ => continue,
        };
        let all = alerts.iter().map(|id| before.alerts.get(*id));
        let alerts: Vec<&Alert> = all.map(|alert| alert.expect("at hand")).collect();
        let halls: BTreeSet<_> = alerts.iter().map(|alert| &alert.raise.hall).collect();
        for receiver in before.receivers.iter() {
            let meant = |alert: &&Alert| {
                let to = audience(event, alert);
                receiver.enabled && to.iter().any(|to| is_meant(receiver, to, alert))
            };
            let concerned = alerts.iter().any(meant);
            let most = if concerned { halls.len() } else { 0 };
            for way in &receiver.ways {
                let count = messages(recorded, &key, receiver, way.kind);
                let least = usize::from(concerned && !way.fallback);
                let most = if way.fallback { 0 } else { most };
                assert!(
                    (least..=most).contains(&count),
                    "{count} messages to {} by {way:?} under {key} for {event:?}",
                    receiver.id,
                );
            }
        }
    }
}

fn audience<'a>(event: &'a AlertEvent, alert: &'a Alert) -> Vec<&'a Audience> {
    match event {
        AlertEvent::AlertsEscalated { to, .. } => to.iter().collect(),
        AlertEvent::AlertsTold { cause, .. } if *cause == Cause::Raised => {
            alert.raise.notify.iter().collect()
        }
        _ => alert.told_to.iter().collect(),
    }
}

fn is_meant(receiver: &Receiver, to: &Audience, alert: &Alert) -> bool {
    match to {
        Audience::Handler => receiver.account.as_deref() == alert.raise.handler.as_deref(),
        Audience::Role(role) => {
            receiver.roles.contains(role) && sees(receiver, alert.raise.hall.as_ref())
        }
        Audience::Receiver(id) => receiver.id.as_str() == id,
        Audience::Account(account) => receiver.account.as_ref() == Some(account),
        Audience::Person(_) => false,
    }
}

/// Messages of one write to this receiver under this key, or under one that goes on from it.
fn messages(recorded: &[Recorded<Event>], key: &str, receiver: &Receiver, way: WayKind) -> usize {
    let queued = recorded.iter().filter_map(|one| match &one.event {
        Event::Message(event) => event.queued(),
        _ => None,
    });
    queued
        .filter(|message| message.receiver == receiver.id && message.way == way)
        .filter(|message| {
            let rest = message.about.key.strip_prefix(key);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .count()
}

fn sees(receiver: &Receiver, hall: Option<&HallId>) -> bool {
    receiver.halls.contains("*") || hall.is_some_and(|hall| receiver.halls.contains(hall.as_str()))
}
