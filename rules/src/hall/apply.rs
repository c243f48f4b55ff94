//! It happened; remember it.

use std::collections::BTreeMap;

use crate::figures::Figures;
use crate::hall::{Event, Hall, HallState, Index, Posted, Recorded, TicketIssued};
use crate::ids::TicketId;
use crate::ticket::{Channel, Rating, Ticket, TicketState};
use crate::time::Timestamp;
use crate::window::{Streak, Window, WindowState};

impl Ticket {
    pub(crate) fn issued(issued: &TicketIssued, at: Timestamp) -> Self {
        Self {
            id: issued.ticket,
            number: issued.number.clone(),
            round: issued.counter.round,
            day: issued.day,
            service: issued.service.clone(),
            token: issued.token.clone(),
            channel: issued.channel,
            holder: issued.holder.clone(),
            tags: issued.tags.clone(),
            green: issued.green,
            appointment: issued.appointment.clone(),
            excluded: issued.excluded.clone(),
            only_window: None,
            issued_at: at,
            queued_at: at,
            ahead_at_issue: issued.ahead,
            not_before: None,
            behind: None,
            calls: 0,
            requeues: 0,
            postpones: 0,
            first_called_at: None,
            last_called_at: None,
            called_because: None,
            started_at: None,
            serving_since: None,
            served_ms: 0,
            ended_at: None,
            window: None,
            clerk: None,
            rating: None,
            state: TicketState::Waiting,
        }
    }
}

impl Hall {
    /// Remembers what happened. Never refuses: what is journalled is so.
    pub fn apply(&mut self, recorded: &Recorded) {
        let at = recorded.at;
        self.seq = recorded.seq;
        self.last_at = self.last_at.max(at);
        self.apply_to_window(&recorded.event, at);
        match &recorded.event {
            Event::HallRegistered { .. } => {}
            Event::HallOpened { day } => {
                self.state = HallState::Open;
                self.day = Some(self.day.map_or(*day, |present| present.max(*day)));
            }
            Event::HallClosed => self.state = HallState::Closed,
            Event::IssuingPaused => self.state = HallState::IssuingPaused,
            Event::IssuingResumed => self.state = HallState::Open,
            Event::HallChanged { name, options } => {
                if let Some(name) = name {
                    self.config.name = name.clone();
                }
                if let Some(options) = options {
                    self.config.options = options.clone();
                }
            }
            Event::ServiceConfigured { service, plan } => {
                self.config.services.insert(service.clone(), plan.clone());
            }
            Event::ServiceRemoved { service } => {
                self.config.services.remove(service);
            }
            Event::WindowConfigured { window, plan } => {
                self.config.windows.insert(window.clone(), plan.clone());
                self.windows
                    .entry(window.clone())
                    .or_insert_with(|| Window::new(window.clone(), plan.clone(), at))
                    .plan = plan.clone();
            }
            Event::WindowRemoved { window } => {
                self.config.windows.remove(window);
                self.windows.remove(window);
            }
            Event::PolicyChanged { policy } => self.config.policy = policy.clone(),
            Event::NoticeSet { notice } => {
                self.notice = Some(Posted {
                    notice: notice.clone(),
                    since: at,
                });
            }
            Event::NoticeCleared => self.notice = None,
            Event::TicketIssued(issued) => self.apply_issue(issued, at),
            Event::DayEnded { next, .. } => self.apply_day_end(*next),
            Event::TicketCalled {
                ticket,
                window,
                why,
                ..
            } => {
                let clerk = self.windows.get(window).and_then(|w| w.clerk.clone());
                self.change(*ticket, |t| t.call(window, clerk.as_ref(), why, at));
                self.release_those_behind(*ticket);
            }
            Event::TicketRecalled { ticket, call, .. } => self.change(*ticket, |t| {
                t.calls = *call;
                t.last_called_at = Some(at);
            }),
            Event::ServiceBegun { ticket, window } | Event::TicketResumed { ticket, window } => {
                let clerk = self.windows.get(window).and_then(|w| w.clerk.clone());
                self.change(*ticket, |t| t.serve(window, clerk.as_ref(), at));
            }
            Event::ServiceFinished { ticket, .. } => self.change(*ticket, |t| {
                t.stop_serving(at);
                t.end(TicketState::Completed, at);
            }),
            Event::NoShowMarked { ticket, .. } => {
                self.change(*ticket, |t| t.end(TicketState::Missed, at));
            }
            Event::TicketHeld { ticket, window } => self.change(*ticket, |t| {
                t.stop_serving(at);
                t.state = TicketState::Held {
                    window: window.clone(),
                };
            }),
            Event::TicketTransferred {
                ticket,
                service,
                to_window,
                queued_at,
                ..
            } => {
                self.transfer_ticket(*ticket, at, |t| {
                    t.service = service.clone();
                    t.only_window = to_window.clone();
                    t.queued_at = *queued_at;
                });
            }
            Event::TicketRequeued {
                ticket,
                behind,
                not_before,
            } => self.change(*ticket, |t| {
                t.begin_wait();
                t.requeues += 1;
                t.ended_at = None;
                t.behind = *behind;
                t.not_before = *not_before;
            }),
            Event::TicketPostponed {
                ticket,
                behind,
                followers_behind,
            } => {
                self.place_those_behind(*ticket, *followers_behind);
                self.change(*ticket, |t| {
                    t.postpones += 1;
                    t.behind = Some(*behind);
                });
            }
            Event::TicketCancelled { ticket } => {
                self.change(*ticket, |t| t.end(TicketState::Cancelled, at));
                self.release_those_behind(*ticket);
            }
            Event::TicketExpired { ticket } => {
                self.change(*ticket, |t| t.end(TicketState::Expired, at));
                self.release_those_behind(*ticket);
            }
            Event::TicketRated {
                ticket,
                stars,
                text,
            } => self.change(*ticket, |t| {
                t.rating = Some(Rating {
                    stars: *stars,
                    text: text.clone(),
                    at,
                });
            }),
            Event::WindowOpened { .. }
            | Event::WindowPaused { .. }
            | Event::WindowResumed { .. }
            | Event::WindowClosed { .. }
            | Event::WindowLost { .. }
            | Event::WindowRegained { .. } => {}
        }
    }

    /// The tickets that the events touch, as they will be: what the journal's projections store.
    pub fn preview(&self, recorded: &[Recorded]) -> Vec<Ticket> {
        let mut ahead = self.clone_touched(recorded);
        // The end of a day takes those away that are no longer open.
        let mut ended = BTreeMap::new();
        for one in recorded {
            if matches!(one.event, Event::DayEnded { .. }) {
                ended.extend(ahead.tickets.clone());
            }
            ahead.apply(one);
        }
        ended.append(&mut ahead.tickets);
        ended.into_values().collect()
    }

    /// A hall with only those tickets that the events touch.
    fn clone_touched(&self, recorded: &[Recorded]) -> Self {
        let day_ends = recorded
            .iter()
            .any(|r| matches!(r.event, Event::DayEnded { .. }));
        let touched = |ticket: &&Ticket| {
            (day_ends && ticket.state.is_open())
                || recorded.iter().any(|r| r.event.ticket() == Some(ticket.id))
        };
        let tickets: Vec<Ticket> = if day_ends {
            self.tickets.values().filter(touched).cloned().collect()
        } else {
            recorded
                .iter()
                .filter_map(|r| self.tickets.get(&r.event.ticket()?))
                .cloned()
                .collect()
        };
        let windows = recorded
            .iter()
            .filter_map(|r| self.windows.get(r.event.window()?));
        Self {
            windows: windows.map(|w| (w.id.clone(), w.clone())).collect(),
            index: Index::of(tickets.iter()),
            tickets: tickets.into_iter().map(|t| (t.id, t)).collect(),
            id: self.id.clone(),
            seq: self.seq,
            last_at: self.last_at,
            config: self.config.skeleton(),
            state: self.state,
            day: self.day,
            last_ticket: self.last_ticket,
            counters: BTreeMap::new(),
            self_issued: BTreeMap::new(),
            figures: Figures::default(),
            by_service: BTreeMap::new(),
            notice: None,
        }
    }

    fn apply_to_window(&mut self, event: &Event, at: Timestamp) {
        let Some(window) = event.window().and_then(|id| self.windows.get_mut(id)) else {
            return;
        };
        match event {
            Event::WindowOpened { clerk, .. } => {
                window.clerk = clerk.clone();
                window.streak = Streak::default();
                window.enter(WindowState::Idle, at);
            }
            Event::WindowPaused { reason, .. } => {
                window.enter(
                    WindowState::Paused {
                        reason: reason.clone(),
                    },
                    at,
                );
            }
            Event::WindowClosed { .. } => {
                window.clerk = None;
                window.enter(WindowState::Closed, at);
            }
            Event::WindowLost { .. } => {
                let before = Box::new(window.state.clone());
                window.enter(WindowState::Offline { before }, at);
            }
            Event::WindowRegained { .. } => {
                if let WindowState::Offline { before } = window.state.clone() {
                    window.enter(*before, at);
                }
            }
            Event::TicketCalled {
                ticket, priority, ..
            } => {
                window.streak = window.streak.after(*priority, &self.config.policy);
                window.enter(WindowState::Calling { ticket: *ticket }, at);
            }
            Event::ServiceBegun { ticket, .. } | Event::TicketResumed { ticket, .. } => {
                window.enter(WindowState::Serving { ticket: *ticket }, at);
            }
            Event::WindowResumed { .. }
            | Event::ServiceFinished { .. }
            | Event::NoShowMarked { .. }
            | Event::TicketHeld { .. }
            | Event::TicketTransferred { .. } => window.enter(WindowState::Idle, at),
            Event::TicketRecalled { .. }
            | Event::HallRegistered { .. }
            | Event::HallOpened { .. }
            | Event::HallClosed
            | Event::IssuingPaused
            | Event::IssuingResumed
            | Event::HallChanged { .. }
            | Event::ServiceConfigured { .. }
            | Event::ServiceRemoved { .. }
            | Event::WindowConfigured { .. }
            | Event::WindowRemoved { .. }
            | Event::PolicyChanged { .. }
            | Event::NoticeSet { .. }
            | Event::NoticeCleared
            | Event::TicketIssued(_)
            | Event::TicketCancelled { .. }
            | Event::TicketRequeued { .. }
            | Event::TicketPostponed { .. }
            | Event::TicketRated { .. }
            | Event::TicketExpired { .. }
            | Event::DayEnded { .. } => {}
        }
    }

    fn apply_issue(&mut self, issued: &TicketIssued, at: Timestamp) {
        let ticket = Ticket::issued(issued, at);
        self.last_ticket = self.last_ticket.max(ticket.id);
        self.day.get_or_insert(issued.day);
        if let Some(service) = self.config.services.get(&issued.service) {
            self.counters
                .insert(service.template.prefix.clone(), issued.counter);
        }
        if issued.channel != Channel::Staff {
            *self.self_issued.entry(issued.service.clone()).or_default() += 1;
        }
        self.figures.enter(&ticket.state);
        self.by_service
            .entry(ticket.service.clone())
            .or_default()
            .enter(&ticket.state);
        self.index.note(&ticket);
        self.tickets.insert(ticket.id, ticket);
    }

    /// The new day begins with what is still open; the rest lives on in the projections.
    fn apply_day_end(&mut self, next: chrono::NaiveDate) {
        self.tickets.retain(|_, ticket| ticket.state.is_open());
        self.day = Some(next);
        self.counters.clear();
        self.self_issued.clear();
        self.figures = Figures::default();
        self.by_service.clear();
        for ticket in self.tickets.values_mut() {
            ticket.day = next;
            self.figures.enter(&ticket.state);
            self.by_service
                .entry(ticket.service.clone())
                .or_default()
                .enter(&ticket.state);
        }
        self.index = Index::of(self.tickets.values());
    }

    fn change(&mut self, id: TicketId, change: impl FnOnce(&mut Ticket)) {
        let Some(ticket) = self.tickets.get_mut(&id) else {
            return;
        };
        let before = ticket.state.clone();
        change(ticket);
        self.figures.shift(&before, &ticket.state);
        if let Some(figures) = self.by_service.get_mut(&ticket.service) {
            figures.shift(&before, &ticket.state);
        }
        self.index.note(ticket);
    }

    /// Like [`Self::change`] into another queue: the ticket is counted in the new one.
    fn transfer_ticket(&mut self, id: TicketId, at: Timestamp, change: impl FnOnce(&mut Ticket)) {
        let Some(ticket) = self.tickets.get_mut(&id) else {
            return;
        };
        let before = ticket.state.clone();
        if let Some(figures) = self.by_service.get_mut(&ticket.service) {
            figures.leave(&before);
        }
        ticket.stop_serving(at);
        ticket.begin_wait();
        change(ticket);
        self.figures.shift(&before, &ticket.state);
        self.by_service
            .entry(ticket.service.clone())
            .or_default()
            .enter(&ticket.state);
        self.index.note(ticket);
    }

    /// Those placed behind a ticket that has left the line take their own place again.
    fn release_those_behind(&mut self, gone: TicketId) {
        self.place_those_behind(gone, None);
    }

    /// Those placed behind one ticket stand behind another, or, with none, at their own place.
    fn place_those_behind(&mut self, gone: TicketId, other: Option<TicketId>) {
        let Some(service) = self.tickets.get(&gone).map(|t| t.service.clone()) else {
            return;
        };
        let apart = self.index.apart.get(&service).into_iter().flatten();
        let tickets = apart.filter_map(|id| self.tickets.get(id));
        let placed = tickets.filter(|ticket| ticket.behind == Some(gone));
        let placed: Vec<TicketId> = placed.map(|ticket| ticket.id).collect();
        for id in placed {
            self.change(id, |t| t.behind = other);
        }
    }
}
