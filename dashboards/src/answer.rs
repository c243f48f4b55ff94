//! What a command's answer tells of its ticket: to kiosks, clerks and programs that may see it.
//! It names no person; the holder's card is asked for on its own, and leaves an audit row.

use rules::hall::{Event, Hall};
use rules::ids::{ServiceId, TicketId, WindowId};
use rules::name::Name;
use rules::ticket::{Loop, Rating, Ticket};
use rules::time::{TimeZone, Timestamp};
use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TicketFace {
    pub id: TicketId,
    pub number: String,
    pub service: ServiceId,
    pub service_name: Option<Name>,
    pub state: &'static str,
    pub ahead: Option<u64>,
    pub window: Option<WindowId>,
    pub calls: u32,
    pub green: bool,
    pub issued_at: String,
    pub called_at: Option<String>,
    pub started_at: Option<String>,
    pub ended_at: Option<String>,
    /// Seconds from issue to first call.
    pub wait_secs: Option<u64>,
    pub appointment: Option<AppointmentFace>,
    pub rating: Option<RatingFace>,
    /// The four stages of the closed loop.
    #[serde(rename = "loop")]
    pub stages: Loop,
    /// The windows that serve it.
    pub windows: Vec<WindowId>,
    pub window_names: Vec<Name>,
    #[serde(skip)]
    pub token: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AppointmentFace {
    pub number: String,
    pub from: String,
    pub to: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RatingFace {
    pub stars: u8,
    pub text: Option<String>,
    pub at: String,
}

impl RatingFace {
    pub fn of(rating: &Rating, zone: TimeZone) -> Self {
        Self {
            stars: rating.stars,
            text: rating.text.clone(),
            at: zone.rfc3339(rating.at),
        }
    }
}

impl TicketFace {
    /// The ticket as the hall has it at `now`.
    pub fn of(hall: &Hall, ticket: &Ticket, now: Timestamp) -> Self {
        Self {
            ahead: hall.ahead(ticket.id, now),
            ..Self::without_place(hall, ticket)
        }
    }

    /// The ticket without its place in line, which takes a walk along the line to find.
    fn without_place(hall: &Hall, ticket: &Ticket) -> Self {
        let config = hall.config();
        let zone = config.time_zone;
        let at = |at: Option<Timestamp>| at.map(|at| zone.rfc3339(at));
        let windows: Vec<_> = hall.windows_for(&ticket.service).collect();
        Self {
            id: ticket.id,
            number: ticket.number.clone(),
            service: ticket.service.clone(),
            service_name: config.services.get(&ticket.service).map(|s| s.name.clone()),
            state: ticket.state.name(),
            ahead: None,
            window: ticket.window.clone(),
            calls: ticket.calls,
            green: ticket.green.is_some(),
            issued_at: zone.rfc3339(ticket.issued_at),
            called_at: at(ticket.last_called_at),
            started_at: at(ticket.started_at),
            ended_at: at(ticket.ended_at),
            wait_secs: ticket.wait_secs(),
            appointment: ticket.appointment.as_ref().map(|booked| AppointmentFace {
                number: booked.number.clone(),
                from: zone.rfc3339(booked.from),
                to: zone.rfc3339(booked.to),
            }),
            rating: ticket
                .rating
                .as_ref()
                .map(|rating| RatingFace::of(rating, zone)),
            stages: ticket.loop_stages(),
            windows: windows.iter().map(|w| w.id.clone()).collect(),
            window_names: windows.iter().map(|w| w.plan.name.clone()).collect(),
            token: ticket.token.0.clone(),
        }
    }

    /// The ticket as it was right after `event`. For the repeated answer of a command that was
    /// carried out before, later steps are taken back where the event tells them.
    pub fn after(hall: &Hall, ticket: &Ticket, event: &Event, now: Timestamp) -> Self {
        match event {
            Event::TicketRequeued { .. }
            | Event::TicketPostponed { .. }
            | Event::TicketTransferred { .. } => Self::of(hall, ticket, now).rewound_to(event),
            _ => Self::without_place(hall, ticket).rewound_to(event),
        }
    }

    fn rewound_to(mut self, event: &Event) -> Self {
        match event {
            Event::TicketIssued(issued) => {
                self.state = "waiting";
                self.ahead = Some(u64::from(issued.ahead));
                self.window = None;
                self.calls = 0;
            }
            Event::TicketCalled { window, .. } => {
                self.state = "called";
                self.window = Some(window.clone());
                self.calls = 1;
            }
            Event::TicketRecalled { window, call, .. } => {
                self.state = "called";
                self.window = Some(window.clone());
                self.calls = *call;
            }
            Event::ServiceBegun { .. } | Event::TicketResumed { .. } => self.state = "serving",
            Event::ServiceFinished { .. } => self.state = "completed",
            Event::NoShowMarked { .. } => self.state = "missed",
            Event::TicketHeld { .. } => self.state = "held",
            Event::TicketTransferred { .. }
            | Event::TicketRequeued { .. }
            | Event::TicketPostponed { .. } => self.state = "waiting",
            Event::TicketCancelled { .. } => self.state = "cancelled",
            _ => {}
        }
        self
    }
}
