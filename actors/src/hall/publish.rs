//! What the hall tells after something happened: its board, the window, the queues, the phones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use actix::prelude::*;
use dashboards::board::{self, ClockFace};
use dashboards::frame::{Kind, encode};
use rules::announce::Call;
use rules::flow::QueueFlow;
use rules::hall::{Event, Hall, Recorded};
use rules::ids::{ServiceId, TicketId, Token, WindowId};
use rules::ticket::{Ticket, TicketState};
use tracing::debug;

use crate::hall::{HallActor, Watch};
use crate::hub::{Publish, PublishSnapshot, TakeSnapshot};
use crate::queue::{Expect, Flowed, Forget, QueueActor, QueueChanged};
use crate::voice::{Called, Resume, SetUp, VoiceActor};
use crate::window::{Seat, WindowActor, WindowChanged};

impl HallActor {
    pub(super) fn apply_and_publish(&mut self, recorded: &Recorded, ctx: &mut Context<Self>) {
        let event = &recorded.event;
        let mut services = touched_queues(&self.hall, event);
        self.hall.apply(recorded);
        services.extend(touched_queues(&self.hall, event));
        services.retain(|id| self.hall.config().services.contains_key(id));
        self.rebuild_children_if_needed(event, ctx);
        self.publish_board(recorded, &services);
        self.tell_window(recorded);
        self.tell_voice(recorded);
        for service in &services {
            self.tell_queue(service, Some(recorded));
        }
    }

    fn publish_board(&self, recorded: &Recorded, services: &BTreeSet<ServiceId>) {
        let at = self.hall.config().time_zone.rfc3339(recorded.at);
        let delta = board::delta(&self.hall, recorded, services);
        let frame = encode(&self.topic, Kind::Delta, recorded.seq, &at, &delta);
        let publish = Publish {
            topic: self.topic.clone(),
            frames: vec![(recorded.seq, frame)],
            urgent: board::is_urgent(&recorded.event),
        };
        if self.tools.hub.try_send(publish).is_err() {
            debug!(
                topic = self.topic,
                "hub is full; its screens get a snapshot"
            );
        }
        if delta.reset {
            // Who now asks for a snapshot must not be handed one from before the change.
            self.publish_snapshot();
        }
    }

    fn publish_snapshot(&self) {
        let at = self.hall.config().time_zone.rfc3339(self.now());
        let clock = ClockFace {
            at: at.clone(),
            rate: self.tools.clock.rate(),
        };
        let view = board::snapshot(&self.hall, clock);
        let frame = encode(&self.topic, Kind::Snapshot, self.hall.seq(), &at, &view);
        let publish = PublishSnapshot {
            topic: self.topic.clone(),
            seq: self.hall.seq(),
            frame,
        };
        self.tools.hub.do_send(publish);
    }

    fn tell_window(&self, recorded: &Recorded) {
        let Some(id) = recorded.event.window() else {
            return;
        };
        let (Some(window), Some(actor)) = (self.hall.window(id), self.tools.children.window(id))
        else {
            return;
        };
        let ticket = recorded.event.ticket().and_then(|id| self.hall.ticket(id));
        actor.do_send(WindowChanged {
            view: dashboards::window::view(&self.hall, window),
            since: window.since,
            happened: Some(Arc::new(recorded.clone())),
            service_secs: ticket.and_then(Ticket::service_secs),
        });
    }

    /// The voice is rebuilt with the hall, which tells it whom it calls at the moment.
    pub(super) fn start_voice(&self) {
        let mut slot = self
            .tools
            .children
            .voice
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let living = slot.take().filter(|voice| voice.connected());
        let voice = living.unwrap_or_else(|| {
            VoiceActor::new(
                self.hall.id().clone(),
                self.hall.config().time_zone,
                Arc::clone(&self.tools.clock),
                self.tools.hub.clone(),
            )
            .start()
        });
        *slot = Some(voice.clone());
        drop(slot);
        voice.do_send(SetUp(self.hall.config().options.clone()));
        let called = |ticket: &&Ticket| matches!(ticket.state, TicketState::Called { .. });
        let mut calls: Vec<Called> = self
            .hall
            .tickets()
            .filter(called)
            .filter_map(|ticket| self.called(ticket))
            .collect();
        calls.sort_by_key(|one| one.call.at);
        voice.do_send(Resume(calls));
    }

    fn tell_voice(&self, recorded: &Recorded) {
        let voice = self.tools.children.voice();
        let Some(voice) = voice.filter(Addr::connected) else {
            // A new one is told everything, this event with it.
            return self.start_voice();
        };
        match &recorded.event {
            Event::HallChanged {
                options: Some(_), ..
            } => voice.do_send(SetUp(self.hall.config().options.clone())),
            Event::TicketCalled { ticket, .. } | Event::TicketRecalled { ticket, .. } => {
                let called = self.hall.ticket(*ticket).and_then(|one| self.called(one));
                called.into_iter().for_each(|one| voice.do_send(one));
            }
            _ => {}
        }
    }

    fn called(&self, ticket: &Ticket) -> Option<Called> {
        let window = self.hall.window(ticket.window.as_ref()?)?;
        Some(Called {
            zone: window.plan.zone.clone(),
            call: Call {
                number: ticket.number.clone(),
                window: window.id.clone(),
                at: ticket.last_called_at?,
            },
        })
    }

    fn tell_queue(&self, service: &ServiceId, recorded: Option<&Recorded>) {
        if let Some(queue) = self.tools.children.queue(service) {
            queue.do_send(self.queue_changed(service, recorded));
        }
    }

    pub(super) fn queue_changed(
        &self,
        service: &ServiceId,
        recorded: Option<&Recorded>,
    ) -> QueueChanged {
        let flowed = recorded.and_then(|recorded| {
            let ticket = self.hall.ticket(recorded.event.ticket()?)?;
            match &recorded.event {
                Event::TicketIssued(_) => Some(Flowed::Arrived),
                Event::ServiceFinished { .. } => Some(Flowed::Completed {
                    service_secs: ticket.served_ms as f64 / 1000.0,
                }),
                _ => None,
            }
        });
        QueueChanged {
            at: recorded.map_or_else(|| self.now(), |recorded| recorded.at),
            flowed,
            waiting: self.hall.waiting_count(service) as u64,
            windows_open: self.hall.windows_open(service),
            oldest: self
                .hall
                .waiting(service)
                .next()
                .map(|ticket| ticket.issued_at),
            watched: self.watched_views(service),
        }
    }

    fn watched_views(&self, service: &ServiceId) -> Vec<(String, dashboards::ticket::TicketView)> {
        if self.watched.is_empty() {
            return Vec::new();
        }
        let now = self.now();
        let rate = self.tools.clock.rate();
        let line = self.hall.line(service, now);
        let places: BTreeMap<TicketId, u64> = line.into_iter().zip(0..).collect();
        let tickets = self
            .watched
            .iter()
            .filter_map(|(id, token)| Some((self.hall.ticket(*id)?, token)));
        tickets
            .filter(|(ticket, _)| ticket.service == *service)
            .map(|(ticket, token)| {
                let ahead = places.get(&ticket.id).copied();
                let view = dashboards::ticket::view(&self.hall, ticket, ahead, now, rate);
                (token.0.clone(), view)
            })
            .collect()
    }

    /// Starts the actors of windows and queues that have none, and lets go of those removed.
    pub(super) fn rebuild_children(&self, ctx: &mut Context<Self>) {
        let children = &self.tools.children;
        let mut windows = children
            .windows
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        windows.retain(|id, actor| self.hall.window(id).is_some() && actor.connected());
        for window in self.hall.windows() {
            let actor = windows
                .entry(window.id.clone())
                .or_insert_with(|| WindowActor::new(self.seat(&window.id, ctx.address())).start());
            actor.do_send(WindowChanged {
                view: dashboards::window::view(&self.hall, window),
                since: window.since,
                happened: None,
                service_secs: None,
            });
        }
        drop(windows);
        let config = self.hall.config();
        let mut queues = children
            .queues
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        queues.retain(|id, actor| config.services.contains_key(id) && actor.connected());
        for (id, service) in &config.services {
            let queue = queues.entry(id.clone()).or_insert_with(|| {
                let flow = flow_of(&self.hall, id, service.avg_service_secs);
                let clock = Arc::clone(&self.tools.clock);
                let hub = self.tools.hub.clone();
                QueueActor::new(
                    self.hall.id(),
                    id.clone(),
                    config.time_zone,
                    flow,
                    clock,
                    hub,
                )
                .start()
            });
            queue.do_send(Expect {
                service_secs: service.avg_service_secs,
            });
            queue.do_send(self.queue_changed(id, None));
        }
    }

    fn seat(&self, id: &WindowId, hall: Addr<Self>) -> Seat {
        let here = self
            .hall
            .tickets()
            .filter(|t| t.window.as_ref() == Some(id));
        let served = here
            .filter_map(Ticket::service_secs)
            .fold((0, 0), |(count, sum), secs| (count + 1, sum + secs));
        Seat {
            hall_id: self.hall.id().clone(),
            id: id.clone(),
            hall,
            zone: self.hall.config().time_zone,
            clock: Arc::clone(&self.tools.clock),
            hub: self.tools.hub.clone(),
            served,
        }
    }

    fn rebuild_children_if_needed(&mut self, event: &Event, ctx: &mut Context<Self>) {
        match event {
            Event::ServiceConfigured { .. }
            | Event::ServiceRemoved { .. }
            | Event::WindowConfigured { .. }
            | Event::WindowRemoved { .. } => self.rebuild_children(ctx),
            Event::DayEnded { .. } => {
                self.forget_tickets_gone();
                self.rebuild_children(ctx);
            }
            _ => {}
        }
    }

    fn forget_tickets_gone(&mut self) {
        let hall = &self.hall;
        let gone = self
            .watched
            .extract_if(.., |id, _| hall.ticket(*id).is_none());
        let tokens: Vec<Token> = gone.map(|(_, token)| token).collect();
        if tokens.is_empty() {
            return;
        }
        for service in self.hall.config().services.keys() {
            if let Some(queue) = self.tools.children.queue(service) {
                queue.do_send(Forget(tokens.clone()));
            }
        }
    }
}

/// The queues whose figures an event touches.
fn touched_queues(hall: &Hall, event: &Event) -> BTreeSet<ServiceId> {
    if let Some(ticket) = event.ticket() {
        return hall
            .ticket(ticket)
            .map(|t| t.service.clone())
            .into_iter()
            .collect();
    }
    match (event, event.window().and_then(|id| hall.window(id))) {
        (_, Some(window)) => window.plan.services.clone(),
        (Event::DayEnded { .. }, None) => hall.config().services.keys().cloned().collect(),
        _ => BTreeSet::new(),
    }
}

/// A queue's flow as today's tickets tell it.
fn flow_of(hall: &Hall, service: &ServiceId, expected_secs: u32) -> QueueFlow {
    let mut flow = QueueFlow::new(expected_secs);
    let mut completed = Vec::new();
    for ticket in hall.tickets().filter(|ticket| ticket.service == *service) {
        flow.arrived(ticket.issued_at);
        if let (TicketState::Completed, Some(at)) = (&ticket.state, ticket.ended_at) {
            completed.push((at, ticket.served_ms));
        }
    }
    completed.sort_unstable();
    for (at, served_ms) in completed {
        flow.completed(served_ms as f64 / 1000.0, at);
    }
    flow
}

impl Handler<TakeSnapshot> for HallActor {
    type Result = ();

    fn handle(&mut self, _: TakeSnapshot, _: &mut Self::Context) {
        self.publish_snapshot();
    }
}

impl Handler<Watch> for HallActor {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, Watch(token): Watch, _: &mut Self::Context) -> Self::Result {
        let Some(ticket) = self.hall.ticket_by_token(&token) else {
            return Box::pin(std::future::ready(false));
        };
        if self.watched.insert(ticket.id, token).is_some() {
            return Box::pin(std::future::ready(true));
        }
        let Some(queue) = self.tools.children.queue(&ticket.service) else {
            return Box::pin(std::future::ready(false));
        };
        let changed = self.queue_changed(&ticket.service, None);
        Box::pin(async move { queue.send(changed).await.is_ok() })
    }
}
