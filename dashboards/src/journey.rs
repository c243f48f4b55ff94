//! One person's way through halls, windows and cases, as far as it was recorded: the six aspects
//! consultation, booking, number, application, approval and rating, in the order of time.
//!
//! It names nobody: whoever asks has to know the document.

use rules::cases::{Case, CaseNo, State};
use rules::ids::{HallId, ServiceId, TicketId, WindowId};
use rules::ticket::{Ticket, TicketState};
use rules::time::Timestamp;
use serde::Serialize;

/// What a stop of the way was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// 咨询: served at a window for consultation.
    Consultation,
    /// 预约
    Booking,
    /// 取号
    Number,
    /// 申请
    Application,
    /// 审批: the application was decided.
    Approval,
    /// 评价
    Rating,
}

impl Aspect {
    pub const ALL: [Self; 6] = [
        Self::Consultation,
        Self::Booking,
        Self::Number,
        Self::Application,
        Self::Approval,
        Self::Rating,
    ];
}

/// One stop, with what leads to its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stop {
    pub aspect: Aspect,
    pub at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hall: Option<HallId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<TicketId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stars: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case_no: Option<CaseNo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// The ticket's or the case's.
    pub state: &'static str,
}

/// The way of one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Journey {
    pub stops: Vec<Stop>,
    /// Aspects of which nothing is recorded.
    pub missing: Vec<Aspect>,
}

/// A ticket of the person.
pub struct Visit<'a> {
    pub hall: &'a HallId,
    pub ticket: &'a Ticket,
    /// It was served at a window for consultation.
    pub consultation: bool,
}

impl Journey {
    pub fn of(visits: &[Visit<'_>], cases: &[Case]) -> Self {
        let mut stops: Vec<(Timestamp, Stop)> = visits.iter().flat_map(of_visit).collect();
        stops.extend(cases.iter().flat_map(of_case));
        stops.sort_by_key(|(at, stop)| (*at, stop.aspect));
        let stops: Vec<Stop> = stops.into_iter().map(|(_, stop)| stop).collect();
        let recorded = |aspect: &Aspect| stops.iter().any(|stop| stop.aspect == *aspect);
        Self {
            missing: Aspect::ALL
                .into_iter()
                .filter(|aspect| !recorded(aspect))
                .collect(),
            stops,
        }
    }
}

fn stop(aspect: Aspect, at: Timestamp, state: &'static str) -> Stop {
    Stop {
        aspect,
        at: at.rfc3339_utc(),
        hall: None,
        ticket: None,
        number: None,
        service: None,
        window: None,
        appointment: None,
        stars: None,
        case_no: None,
        item: None,
        department: None,
        state,
    }
}

fn of_visit(visit: &Visit<'_>) -> Vec<(Timestamp, Stop)> {
    let ticket = visit.ticket;
    let at = |aspect, at| Stop {
        hall: Some(visit.hall.clone()),
        ticket: Some(ticket.id),
        number: Some(ticket.number.clone()),
        service: Some(ticket.service.clone()),
        window: ticket.window.clone(),
        ..stop(aspect, at, ticket.state.name())
    };
    let mut stops = Vec::new();
    if let Some(booked) = &ticket.appointment {
        // A source that does not tell when it was booked: before it was used.
        let when = booked
            .booked_at
            .unwrap_or(ticket.issued_at.min(booked.from));
        let appointment = Some(booked.number.clone());
        stops.push((
            when,
            Stop {
                appointment,
                ..at(Aspect::Booking, when)
            },
        ));
    }
    let consulted = visit.consultation && ticket.state == TicketState::Completed;
    match ticket.ended_at.filter(|_| consulted) {
        Some(ended) => stops.push((ended, at(Aspect::Consultation, ended))),
        None => stops.push((ticket.issued_at, at(Aspect::Number, ticket.issued_at))),
    }
    if let Some(rating) = &ticket.rating {
        let stars = Some(rating.stars);
        stops.push((
            rating.at,
            Stop {
                stars,
                ..at(Aspect::Rating, rating.at)
            },
        ));
    }
    stops
}

fn of_case(case: &Case) -> Vec<(Timestamp, Stop)> {
    let told = &case.told;
    let at = |aspect, at| Stop {
        hall: told.hall.clone(),
        case_no: Some(case.case_no.clone()),
        item: Some(told.item.clone()),
        department: Some(told.department.clone()),
        ..stop(aspect, at, case.state.name())
    };
    let decided = case.ended_at.filter(|_| case.state != State::Void);
    let received = told.received_at.map(|when| (Aspect::Application, when));
    let stops = received
        .into_iter()
        .chain(decided.map(|when| (Aspect::Approval, when)));
    stops
        .map(|(aspect, when)| (when, at(aspect, when)))
        .collect()
}
