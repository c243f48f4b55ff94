//! The hall as its public board shows it: topic `hall.{h}`.
//!
//! The snapshot is the whole hall; each event of the journal makes exactly one delta with the same
//! sequence number, so that a screen can tell a missed step from a quiet hall.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use rules::figures::Figures;
use rules::hall::{Event, Hall, MenuEntry, NoticeLevel, Posted, Recorded, Zone};
use rules::hours::OpeningHours;
use rules::ids::{MenuId, ServiceId, WindowId, ZoneId};
use rules::name::Name;
use rules::number::NumberTemplate;
use rules::ticket::{Ticket, TicketState};
use rules::time::Timestamp;
use rules::window::{Window, WindowKind};
use serde::Serialize;

/// Calls kept on a board.
const CALLS_SHOWN: usize = 12;

/// Missed numbers kept on a board.
const MISSED_SHOWN: usize = 8;

/// What the hall's clock shows, and how fast it runs.
#[derive(Debug, Clone, Serialize)]
pub struct ClockFace {
    pub at: String,
    /// Seconds of the hall per second of the machine; 1 outside demonstrations.
    pub rate: f64,
}

#[derive(Debug, Serialize)]
pub struct Snapshot<'a> {
    pub hall: &'a str,
    pub name: &'a Name,
    pub state: &'static str,
    pub demo: bool,
    pub time_zone: String,
    pub clock: ClockFace,
    pub day: Option<NaiveDate>,
    pub figures: Figures,
    pub services: BTreeMap<&'a ServiceId, ServiceFace<'a>>,
    pub windows: BTreeMap<&'a WindowId, WindowFace<'a>>,
    pub calls: Vec<Call<'a>>,
    pub missed: Vec<&'a str>,
    pub menu: &'a [MenuEntry],
    pub zones: &'a [Zone],
    pub hours: &'a OpeningHours,
    pub visitor_issuing: bool,
    pub public_board: bool,
    pub notice: Option<NoticeFace<'a>>,
}

#[derive(Debug, Serialize)]
pub struct ServiceFace<'a> {
    pub name: &'a Name,
    #[serde(flatten)]
    pub template: &'a NumberTemplate,
    pub contingent: Option<u32>,
    /// Numbers that kiosks and phones may still give today.
    pub left: Option<u32>,
    pub menu: Option<&'a MenuId>,
    pub waiting: usize,
    pub windows_open: u64,
    pub windows: Vec<&'a WindowId>,
    pub avg_service_secs: u32,
    pub figures: Figures,
}

#[derive(Debug, Serialize)]
pub struct WindowFace<'a> {
    pub name: &'a Name,
    pub kind: WindowKind,
    pub state: &'static str,
    pub since: String,
    pub services: &'a BTreeSet<ServiceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<&'a ZoneId>,
    pub ticket: Option<AtWindow<'a>>,
}

/// What the staff has to say over the hall's public screens.
#[derive(Debug, Serialize)]
pub struct NoticeFace<'a> {
    pub level: NoticeLevel,
    pub text: &'a Name,
    pub since: String,
    /// When it goes by itself.
    pub until: Option<String>,
}

/// The ticket at a window: its number, never its holder.
#[derive(Debug, Serialize)]
pub struct AtWindow<'a> {
    pub number: &'a str,
    pub service: &'a ServiceId,
    pub calls: u32,
    pub at: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Call<'a> {
    pub number: &'a str,
    pub window: &'a WindowId,
    pub service: &'a ServiceId,
    pub at: String,
    pub calls: u32,
    pub kind: &'static str,
}

#[derive(Debug, Serialize)]
pub struct Delta<'a> {
    pub event: &'static str,
    pub figures: Figures,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<&'a ServiceId, QueueStep>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub windows: BTreeMap<&'a WindowId, WindowFace<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<NaiveDate>,
    /// `null` when it was taken down or its time is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<Option<NoticeFace<'a>>>,
    /// The set-up changed: ask for a snapshot.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
}

#[derive(Debug, Serialize)]
pub struct QueueStep {
    pub waiting: usize,
    pub windows_open: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<u32>,
}

/// The whole hall.
pub fn snapshot(hall: &Hall, clock: ClockFace) -> Snapshot<'_> {
    let config = hall.config();
    Snapshot {
        hall: hall.id().as_str(),
        name: &config.name,
        state: hall.state().name(),
        demo: config.options.demo,
        time_zone: config.time_zone.to_string(),
        clock,
        day: hall.day(),
        figures: hall.figures(),
        services: config
            .services
            .keys()
            .filter_map(|id| Some((id, service_face(hall, id)?)))
            .collect(),
        windows: hall
            .windows()
            .map(|w| (&w.id, window_face(hall, w)))
            .collect(),
        calls: latest_calls(hall),
        missed: missed(hall),
        menu: &config.options.menu,
        zones: &config.options.zones,
        hours: &config.options.hours,
        visitor_issuing: config.options.visitor_issuing,
        public_board: config.options.public_board,
        notice: notice_face(hall),
    }
}

/// The step that one event made. `services` are those whose queue the event touched.
pub fn delta<'a>(
    hall: &'a Hall,
    recorded: &'a Recorded,
    services: &'a BTreeSet<ServiceId>,
) -> Delta<'a> {
    let event = &recorded.event;
    let window = event.window().and_then(|id| hall.window(id));
    Delta {
        event: event.kind(),
        figures: hall.figures(),
        services: services
            .iter()
            .map(|id| (id, queue_step(hall, id)))
            .collect(),
        windows: window
            .into_iter()
            .map(|w| (&w.id, window_face(hall, w)))
            .collect(),
        call: called(event).and_then(|_| call_face(hall, hall.ticket(event.ticket()?)?)),
        missed: touches_missed(event).then(|| missed(hall)),
        state: touches_state(event).then(|| hall.state().name()),
        day: hall.day().filter(|_| touches_state(event)),
        notice: touches_notice(event).then(|| notice_face(hall)),
        reset: touches_set_up(event),
    }
}

/// A call that must not wait for a merge window.
pub fn is_urgent(event: &Event) -> bool {
    called(event).is_some() || touches_state(event) || touches_notice(event)
}

fn called(event: &Event) -> Option<()> {
    matches!(
        event,
        Event::TicketCalled { .. } | Event::TicketRecalled { .. }
    )
    .then_some(())
}

fn touches_state(event: &Event) -> bool {
    matches!(
        event,
        Event::HallOpened { .. }
            | Event::HallClosed
            | Event::IssuingPaused
            | Event::IssuingResumed
            | Event::DayEnded { .. }
    )
}

fn touches_missed(event: &Event) -> bool {
    matches!(
        event,
        Event::NoShowMarked { .. } | Event::TicketRequeued { .. }
    )
}

fn touches_notice(event: &Event) -> bool {
    matches!(event, Event::NoticeSet { .. } | Event::NoticeCleared)
}

fn touches_set_up(event: &Event) -> bool {
    matches!(
        event,
        Event::HallChanged { .. }
            | Event::ServiceConfigured { .. }
            | Event::ServiceRemoved { .. }
            | Event::WindowConfigured { .. }
            | Event::WindowRemoved { .. }
            | Event::DayEnded { .. }
    )
}

fn service_face<'a>(hall: &'a Hall, id: &'a ServiceId) -> Option<ServiceFace<'a>> {
    let service = hall.config().services.get(id)?;
    Some(ServiceFace {
        name: &service.name,
        template: &service.template,
        contingent: service.contingent,
        left: hall.self_service_left(id),
        menu: service.menu.as_ref(),
        waiting: hall.waiting_count(id),
        windows_open: hall.windows_open(id),
        windows: hall.windows_for(id).map(|w| &w.id).collect(),
        avg_service_secs: service.avg_service_secs,
        figures: hall.figures_of(id),
    })
}

fn queue_step(hall: &Hall, id: &ServiceId) -> QueueStep {
    QueueStep {
        waiting: hall.waiting_count(id),
        windows_open: hall.windows_open(id),
        left: hall.self_service_left(id),
    }
}

/// The notice that hangs, if one does.
pub fn notice_face(hall: &Hall) -> Option<NoticeFace<'_>> {
    let Posted { notice, since } = hall.notice()?;
    let zone = hall.config().time_zone;
    Some(NoticeFace {
        level: notice.level,
        text: &notice.text,
        since: zone.rfc3339(*since),
        until: notice.until.map(|until| zone.rfc3339(until)),
    })
}

fn window_face<'a>(hall: &'a Hall, window: &'a Window) -> WindowFace<'a> {
    let ticket = window.state.ticket().and_then(|id| hall.ticket(id));
    WindowFace {
        name: &window.plan.name,
        kind: window.plan.kind,
        state: window.state.name(),
        since: hall.config().time_zone.rfc3339(window.since),
        services: &window.plan.services,
        zone: window.plan.zone.as_ref(),
        ticket: ticket.map(|ticket| AtWindow {
            number: &ticket.number,
            service: &ticket.service,
            calls: ticket.calls,
            at: ticket
                .last_called_at
                .map(|at| hall.config().time_zone.rfc3339(at)),
        }),
    }
}

fn call_face<'a>(hall: &'a Hall, ticket: &'a Ticket) -> Option<Call<'a>> {
    Some(Call {
        number: &ticket.number,
        window: ticket.window.as_ref()?,
        service: &ticket.service,
        at: hall.config().time_zone.rfc3339(ticket.last_called_at?),
        calls: ticket.calls,
        kind: if ticket.calls > 1 { "recall" } else { "call" },
    })
}

fn latest_calls(hall: &Hall) -> Vec<Call<'_>> {
    let mut called: Vec<(Timestamp, &Ticket)> = hall
        .tickets()
        .filter_map(|t| Some((t.last_called_at?, t)))
        .collect();
    called.sort_by_key(|(at, ticket)| std::cmp::Reverse((*at, ticket.id)));
    called
        .iter()
        .filter_map(|(_, ticket)| call_face(hall, ticket))
        .take(CALLS_SHOWN)
        .collect()
}

fn missed(hall: &Hall) -> Vec<&str> {
    let mut missed: Vec<&Ticket> = hall
        .tickets()
        .filter(|t| t.state == TicketState::Missed)
        .collect();
    missed.sort_by_key(|ticket| std::cmp::Reverse(ticket.ended_at));
    missed
        .iter()
        .take(MISSED_SHOWN)
        .map(|ticket| ticket.number.as_str())
        .collect()
}
