//! What rules may ask of a hall, its queues, its windows and its tickets.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::alerts::facts::{flag, minutes, number, text, values};
use crate::alerts::subject::{Facts, Subject, SubjectKind, Unit, Value, Variable};
use crate::forecast::wait_estimate;
use crate::hall::{Hall, Service};
use crate::ids::{ServiceId, TicketId};
use crate::name::Name;
use crate::ticket::{Ticket, TicketState};
use crate::time::Timestamp;
use crate::window::{Window, WindowState};

const HALL_STATES: &[&str] = &["closed", "open", "issuing_paused"];
const WINDOW_STATES: &[&str] = &["closed", "idle", "calling", "serving", "paused", "offline"];
const TICKET_STATES: &[&str] = &[
    "waiting",
    "called",
    "serving",
    "held",
    "completed",
    "missed",
    "cancelled",
    "expired",
];

/// The configured mean service time counts as much as this many observed services.
const PRIOR_WEIGHT: f64 = 5.0;

pub const HALL: &[Variable] = &[
    text("state", HALL_STATES, "大厅状态", "state of the hall"),
    number("waiting", Unit::Count, "等候人数", "people waiting"),
    number(
        "inside",
        Unit::Count,
        "在厅人数",
        "people waiting, called and served",
    ),
    number(
        "occupancy",
        Unit::Count,
        "摄像头清点人数",
        "people that cameras count; missing while nobody counts or the count is stale",
    ),
    number(
        "capacity",
        Unit::Count,
        "核定容量",
        "people the hall may hold; missing until it is set",
    ),
    number(
        "longest_wait_minutes",
        Unit::Minutes,
        "最长等候分钟数",
        "longest wait of those who wait now, 0 if nobody does",
    ),
    number(
        "open_windows",
        Unit::Count,
        "开放窗口数",
        "windows that take people",
    ),
    number(
        "idle_windows",
        Unit::Count,
        "空闲窗口数",
        "windows with nobody before them",
    ),
    number(
        "paused_windows",
        Unit::Count,
        "暂停窗口数",
        "windows that are paused",
    ),
    number(
        "offline_windows",
        Unit::Count,
        "离线窗口数",
        "windows that are offline",
    ),
    number(
        "idle_minutes_while_waiting",
        Unit::Minutes,
        "有人等候时窗口最长空闲分钟数",
        "longest that a window has been idle while somebody it could serve waited",
    ),
    number(
        "missed_share_percent",
        Unit::Percent,
        "今日过号占比",
        "missed tickets among those called today; missing while none was called",
    ),
    number(
        "called_today",
        Unit::Count,
        "今日叫号数",
        "tickets of today that were called",
    ),
    number(
        "issued_today",
        Unit::Count,
        "今日取号数",
        "tickets of today",
    ),
    number(
        "served_today",
        Unit::Count,
        "今日办理数",
        "tickets completed today",
    ),
    number(
        "usual_served",
        Unit::Count,
        "平常办理数",
        "mean of the last four same weekdays; missing until it is known",
    ),
    flag(
        "day_over",
        "当日已结束",
        "the hall is closed and has served today; missing before its day has begun",
    ),
    number(
        "no_show_percent",
        Unit::Percent,
        "预约失约占比",
        "appointments of today whose holder did not come; missing until bookings come with the product",
    ),
    number(
        "appointments_due",
        Unit::Count,
        "已到时预约数",
        "appointments of today whose time has passed; missing until bookings come with the product",
    ),
];

pub const QUEUE: &[Variable] = &[
    number("waiting", Unit::Count, "等候人数", "people waiting"),
    number(
        "longest_wait_minutes",
        Unit::Minutes,
        "最长等候分钟数",
        "longest wait of those who wait now, 0 if nobody does",
    ),
    number(
        "wait_p90_minutes",
        Unit::Minutes,
        "近一小时等候90%分钟数",
        "nine in ten of those called in the last hour waited at most this long; missing if nobody was called",
    ),
    number(
        "estimate_minutes",
        Unit::Minutes,
        "预计等候分钟数",
        "expected wait of somebody who takes a number now; missing if no window is open",
    ),
    number(
        "open_windows",
        Unit::Count,
        "开放窗口数",
        "windows of this queue that take people",
    ),
    number(
        "idle_windows",
        Unit::Count,
        "空闲窗口数",
        "windows of this queue with nobody before them",
    ),
    number(
        "windows",
        Unit::Count,
        "窗口总数",
        "windows set up for this queue",
    ),
    number(
        "called_last_hour",
        Unit::Count,
        "近一小时叫号数",
        "tickets called in the last hour",
    ),
    number(
        "issued_today",
        Unit::Count,
        "今日取号数",
        "tickets of today",
    ),
    number(
        "served_today",
        Unit::Count,
        "今日办理数",
        "tickets completed today",
    ),
    number(
        "called_today",
        Unit::Count,
        "今日叫号数",
        "tickets of today that were called",
    ),
    number(
        "missed_share_percent",
        Unit::Percent,
        "今日过号占比",
        "missed tickets among those called today; missing while none was called",
    ),
    flag("paused", "暂停取号", "the hall gives out no numbers"),
];

pub const WINDOW: &[Variable] = &[
    text("state", WINDOW_STATES, "窗口状态", "state of the window"),
    number(
        "idle_minutes",
        Unit::Minutes,
        "空闲分钟数",
        "minutes idle, 0 if it is not",
    ),
    number(
        "paused_minutes",
        Unit::Minutes,
        "暂停分钟数",
        "minutes paused, 0 if it is not",
    ),
    number(
        "offline_minutes",
        Unit::Minutes,
        "离线分钟数",
        "minutes offline, 0 if it is not",
    ),
    number(
        "serving_minutes",
        Unit::Minutes,
        "本次办理分钟数",
        "minutes with the person now served, 0 if nobody is",
    ),
    number(
        "calling_minutes",
        Unit::Minutes,
        "叫号分钟数",
        "minutes since the person now called was called first, 0 if nobody is",
    ),
    number(
        "usual_service_minutes",
        Unit::Minutes,
        "平常办理分钟数",
        "mean service time of the service now given; missing if none is",
    ),
    number(
        "waiting",
        Unit::Count,
        "可办理的等候人数",
        "people waiting whom this window serves",
    ),
    flag("offline", "离线", "its heartbeat is lost"),
    text(
        "service",
        &[],
        "正在办理的事项",
        "the service now given; missing if none is",
    ),
];

pub const TICKET: &[Variable] = &[
    text("state", TICKET_STATES, "号票状态", "state of the ticket"),
    text("number", &[], "号码", "as printed"),
    text("service", &[], "事项", "the service it is for"),
    number(
        "waiting_minutes",
        Unit::Minutes,
        "等候分钟数",
        "minutes waited from issue to the first call, or until now",
    ),
    flag("green", "绿色通道", "it has priority by a green rule"),
    flag("booked", "预约", "it carries an appointment"),
    number(
        "calls",
        Unit::Count,
        "呼叫次数",
        "calls since it last began to wait",
    ),
    number(
        "requeues",
        Unit::Count,
        "重新排队次数",
        "how often it was queued again",
    ),
    number(
        "serving_minutes",
        Unit::Minutes,
        "办理分钟数",
        "minutes at windows so far",
    ),
    number(
        "minutes_since_completed",
        Unit::Minutes,
        "办结后分钟数",
        "minutes since it was completed; missing before",
    ),
    flag(
        "has_case",
        "已登记办件",
        "a case is registered for it; missing until cases are known",
    ),
    number(
        "stars",
        Unit::Count,
        "评价星级",
        "1 to 5; missing until it is rated",
    ),
];

/// What the hall itself does not know, handed in by who does.
#[derive(Clone, Copy)]
pub struct Beyond<'a> {
    /// Whether a case is registered for a completed ticket; `None` where that is not known. Only
    /// completed tickets with an answer become subjects.
    pub has_case: &'a dyn Fn(TicketId) -> Option<bool>,
    /// Mean number served on the last four same weekdays.
    pub usual_served: Option<f64>,
    /// Appointments whose time has passed today, and how many of their holders did not come.
    pub appointments: Option<(u64, u64)>,
    /// People that cameras count, while the count is fresh.
    pub occupancy: Option<u64>,
}

impl Beyond<'_> {
    /// Nothing is known beyond the hall.
    pub const NONE: Beyond<'static> = Beyond {
        has_case: &|_| None,
        usual_served: None,
        appointments: None,
        occupancy: None,
    };
}

/// What one pass over the day's tickets tells of a queue.
#[derive(Default)]
struct Line {
    oldest: Option<Timestamp>,
    called_today: u64,
    missed: u64,
    recent_waits: Vec<u64>,
    served: u64,
    served_ms: u64,
}

impl Line {
    fn count(&mut self, ticket: &Ticket, now: Timestamp) {
        if ticket.state == TicketState::Waiting {
            let since = self
                .oldest
                .map_or(ticket.issued_at, |at| at.min(ticket.issued_at));
            self.oldest = Some(since);
        }
        if let Some(called) = ticket.first_called_at {
            self.called_today += 1;
            self.missed += u64::from(ticket.state == TicketState::Missed);
            if now.secs_since(called) < 3600 {
                self.recent_waits
                    .push(called.millis_since(ticket.issued_at));
            }
        }
        if ticket.state == TicketState::Completed {
            self.served += 1;
            self.served_ms += ticket.served_ms;
        }
    }

    fn mean_service_secs(&self, service: &Service) -> f64 {
        let expected = f64::from(service.avg_service_secs) * PRIOR_WEIGHT;
        (expected + self.served_ms as f64 / 1000.0) / (PRIOR_WEIGHT + self.served as f64)
    }

    fn longest(&self, now: Timestamp) -> Value {
        self.oldest
            .map_or(Value::Number(0.0), |since| minutes(since, now))
    }

    /// The smallest wait that nine in ten did not pass.
    fn wait_p90(&mut self) -> Value {
        let rank = (self.recent_waits.len() * 9).div_ceil(10);
        if rank == 0 {
            return Value::Missing;
        }
        let (_, wait, _) = self.recent_waits.select_nth_unstable(rank - 1);
        Value::Number(*wait as f64 / 60_000.0)
    }
}

fn count(number: u64) -> Value {
    Value::Number(number as f64)
}

fn percent(part: u64, of: u64) -> Value {
    match of {
        0 => Value::Missing,
        _ => Value::Number(part as f64 * 100.0 / of as f64),
    }
}

fn or_missing<T>(known: Option<T>, value: impl FnOnce(T) -> Value) -> Value {
    known.map_or(Value::Missing, value)
}

/// All that is known of a hall now: the hall, its queues, its windows, and its tickets that are
/// waiting, called, served or held, and those completed of which one knows whether a case is
/// registered.
pub fn facts(hall: &Hall, beyond: &Beyond<'_>, now: Timestamp) -> Vec<Facts> {
    let now = hall.steady(now);
    let mut lines: BTreeMap<&ServiceId, Line> = BTreeMap::new();
    let mut all = Vec::new();
    for ticket in hall.tickets() {
        lines.entry(&ticket.service).or_default().count(ticket, now);
        let has_case = match ticket.state {
            TicketState::Completed => match (beyond.has_case)(ticket.id) {
                None => continue,
                known => known,
            },
            TicketState::Waiting
            | TicketState::Called { .. }
            | TicketState::Serving { .. }
            | TicketState::Held { .. } => None,
            TicketState::Missed | TicketState::Cancelled | TicketState::Expired => continue,
        };
        all.push(ticket_facts(hall, ticket, has_case, now));
    }
    for window in hall.windows() {
        all.push(window_facts(hall, window, &lines, now));
    }
    let longest = lines.values().filter_map(|line| line.oldest).min();
    all.push(hall_facts(hall, &lines, longest, beyond, now));
    for (id, service) in &hall.config().services {
        let mut line = lines.remove(id).unwrap_or_default();
        all.push(queue_facts(hall, id, service, &mut line, now));
    }
    all
}

fn hall_facts(
    hall: &Hall,
    lines: &BTreeMap<&ServiceId, Line>,
    longest: Option<Timestamp>,
    beyond: &Beyond<'_>,
    now: Timestamp,
) -> Facts {
    let figures = hall.figures();
    let windows = |is: fn(&WindowState) -> bool| {
        count(hall.windows().filter(|w| is(&w.state)).count() as u64)
    };
    let called: u64 = lines.values().map(|line| line.called_today).sum();
    let missed: u64 = lines.values().map(|line| line.missed).sum();
    let idle = hall.windows().filter(|w| w.state == WindowState::Idle);
    let idle_while_waiting = idle
        .filter_map(|w| Some(oldest_for(w, lines)?.max(w.since)))
        .min();
    let closed = hall.state() == crate::hall::HallState::Closed;
    let fill = [
        ("state", Value::Text(hall.state().name().into())),
        ("waiting", count(figures.waiting)),
        (
            "inside",
            count(figures.waiting + figures.called + figures.serving),
        ),
        ("occupancy", or_missing(beyond.occupancy, count)),
        (
            "capacity",
            or_missing(hall.config().options.max_occupancy, |most| {
                count(most.into())
            }),
        ),
        (
            "longest_wait_minutes",
            longest.map_or(Value::Number(0.0), |since| minutes(since, now)),
        ),
        ("open_windows", windows(WindowState::is_working)),
        ("idle_windows", windows(|state| *state == WindowState::Idle)),
        (
            "paused_windows",
            windows(|state| matches!(state, WindowState::Paused { .. })),
        ),
        (
            "offline_windows",
            windows(|state| matches!(state, WindowState::Offline { .. })),
        ),
        (
            "idle_minutes_while_waiting",
            idle_while_waiting.map_or(Value::Number(0.0), |since| minutes(since, now)),
        ),
        ("missed_share_percent", percent(missed, called)),
        ("called_today", count(called)),
        ("issued_today", count(figures.issued)),
        ("served_today", count(figures.completed)),
        (
            "usual_served",
            or_missing(beyond.usual_served, Value::Number),
        ),
        (
            "day_over",
            or_missing(hall.day(), |_| Value::Bool(closed && figures.completed > 0)),
        ),
        (
            "no_show_percent",
            or_missing(beyond.appointments, |(due, missed)| percent(missed, due)),
        ),
        (
            "appointments_due",
            or_missing(beyond.appointments, |(due, _)| count(due)),
        ),
    ];
    Facts {
        subject: Subject::new(SubjectKind::Hall, hall.id().as_str()),
        label: hall.config().name.clone(),
        hall: Some(hall.id().clone()),
        department: None,
        handler: None,
        values: values(HALL, fill),
    }
}

/// Since when somebody waits whom this window serves.
fn oldest_for(window: &Window, lines: &BTreeMap<&ServiceId, Line>) -> Option<Timestamp> {
    let services = window.plan.services.iter();
    services.filter_map(|id| lines.get(id)?.oldest).min()
}

fn queue_facts(
    hall: &Hall,
    id: &ServiceId,
    service: &Service,
    line: &mut Line,
    now: Timestamp,
) -> Facts {
    let waiting = hall.waiting_count(id) as u64;
    let open = hall.windows_open(id);
    let figures = hall.figures_of(id);
    let idle = hall
        .windows_for(id)
        .filter(|w| w.state == WindowState::Idle);
    let estimate = wait_estimate(waiting, line.mean_service_secs(service), open);
    let fill = [
        ("waiting", count(waiting)),
        ("longest_wait_minutes", line.longest(now)),
        ("wait_p90_minutes", line.wait_p90()),
        (
            "estimate_minutes",
            or_missing(estimate, |e| Value::Number(e.p50_secs as f64 / 60.0)),
        ),
        ("open_windows", count(open)),
        ("idle_windows", count(idle.count() as u64)),
        ("windows", count(hall.windows_for(id).count() as u64)),
        ("called_last_hour", count(line.recent_waits.len() as u64)),
        ("issued_today", count(figures.issued)),
        ("served_today", count(figures.completed)),
        ("called_today", count(line.called_today)),
        (
            "missed_share_percent",
            percent(line.missed, line.called_today),
        ),
        (
            "paused",
            Value::Bool(hall.state() == crate::hall::HallState::IssuingPaused),
        ),
    ];
    part(
        hall,
        SubjectKind::Queue,
        id.as_str(),
        &service.name,
        values(QUEUE, fill),
    )
}

fn window_facts(
    hall: &Hall,
    window: &Window,
    lines: &BTreeMap<&ServiceId, Line>,
    now: Timestamp,
) -> Facts {
    let ticket = window.state.ticket().and_then(|id| hall.ticket(id));
    let serving = ticket.filter(|_| matches!(window.state, WindowState::Serving { .. }));
    let calling = ticket.filter(|_| matches!(window.state, WindowState::Calling { .. }));
    let since = |is: bool| match is {
        true => minutes(window.since, now),
        false => Value::Number(0.0),
    };
    let usual = serving.and_then(|ticket| {
        let service = hall.config().services.get(&ticket.service)?;
        Some(lines.get(&ticket.service)?.mean_service_secs(service) / 60.0)
    });
    let waiting = window
        .plan
        .services
        .iter()
        .map(|id| hall.waiting_count(id) as u64);
    let fill = [
        ("state", Value::Text(window.state.name().into())),
        ("idle_minutes", since(window.state == WindowState::Idle)),
        (
            "paused_minutes",
            since(matches!(window.state, WindowState::Paused { .. })),
        ),
        (
            "offline_minutes",
            since(matches!(window.state, WindowState::Offline { .. })),
        ),
        (
            "serving_minutes",
            serving.map_or(Value::Number(0.0), |t| served(t, now)),
        ),
        (
            "calling_minutes",
            calling
                .and_then(|t| t.last_called_at)
                .map_or(Value::Number(0.0), |at| minutes(at, now)),
        ),
        ("usual_service_minutes", or_missing(usual, Value::Number)),
        ("waiting", count(waiting.sum())),
        (
            "offline",
            Value::Bool(matches!(window.state, WindowState::Offline { .. })),
        ),
        (
            "service",
            or_missing(serving, |t| Value::Text(t.service.as_str().into())),
        ),
    ];
    let values = values(WINDOW, fill);
    let clerk = window.clerk.as_ref().map(|clerk| Arc::from(clerk.as_str()));
    Facts {
        handler: clerk,
        ..part(
            hall,
            SubjectKind::Window,
            window.id.as_str(),
            &window.plan.name,
            values,
        )
    }
}

/// Minutes at windows, with the present stretch.
fn served(ticket: &Ticket, now: Timestamp) -> Value {
    let stretch = ticket
        .serving_since
        .map_or(0, |since| now.millis_since(since));
    Value::Number((ticket.served_ms + stretch) as f64 / 60_000.0)
}

fn ticket_facts(hall: &Hall, ticket: &Ticket, has_case: Option<bool>, now: Timestamp) -> Facts {
    let completed = ticket
        .ended_at
        .filter(|_| ticket.state == TicketState::Completed);
    let until = ticket.first_called_at.unwrap_or(now);
    let fill = [
        ("state", Value::Text(ticket.state.name().into())),
        ("number", Value::Text(ticket.number.as_str().into())),
        ("service", Value::Text(ticket.service.as_str().into())),
        ("waiting_minutes", minutes(ticket.issued_at, until)),
        ("green", Value::Bool(ticket.green.is_some())),
        ("booked", Value::Bool(ticket.appointment.is_some())),
        ("calls", count(ticket.calls.into())),
        ("requeues", count(ticket.requeues.into())),
        ("serving_minutes", served(ticket, now)),
        (
            "minutes_since_completed",
            or_missing(completed, |at| minutes(at, now)),
        ),
        ("has_case", or_missing(has_case, Value::Bool)),
        (
            "stars",
            or_missing(ticket.rating.as_ref(), |rating| count(rating.stars.into())),
        ),
    ];
    let values = values(TICKET, fill);
    let clerk = ticket.clerk.as_ref().map(|clerk| Arc::from(clerk.as_str()));
    Facts {
        handler: clerk,
        ..part(
            hall,
            SubjectKind::Ticket,
            &ticket.id.to_string(),
            &Name::same(ticket.number.as_str()),
            values,
        )
    }
}

fn part(hall: &Hall, kind: SubjectKind, id: &str, name: &Name, values: Box<[Value]>) -> Facts {
    Facts {
        subject: Subject::new(kind, &format!("{}/{id}", hall.id())),
        label: name.clone(),
        hall: Some(hall.id().clone()),
        department: None,
        handler: None,
        values,
    }
}
