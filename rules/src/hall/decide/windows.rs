//! What is asked at a window: who is called, again, in vain, elsewhere.

use super::{Decision, one};
use crate::calling::{self, Caller, Why};
use crate::hall::refusal::secs_until;
use crate::hall::{Event, Hall, Refusal};
use crate::ids::{ServiceId, TicketId, WindowId};
use crate::ticket::TicketState;
use crate::time::Timestamp;

impl Hall {
    pub(super) fn call_next(&self, id: &WindowId, now: Timestamp) -> Decision {
        let window = self.idle(id)?;
        let caller = Caller {
            window: id,
            services: &window.plan.services,
            streak: window.streak,
        };
        let waiting = window
            .plan
            .services
            .iter()
            .flat_map(|service| self.waiting(service));
        match calling::choose(waiting, caller, &self.config.policy, now) {
            Some(choice) => one(self.call(id, choice.ticket, choice.why, now)),
            None => Err(Refusal::NobodyWaiting { window: id.clone() }),
        }
    }

    pub(super) fn call_ticket(&self, id: &WindowId, ticket: TicketId, now: Timestamp) -> Decision {
        let window = self.idle(id)?;
        let chosen = self.in_state(ticket, &TicketState::Waiting)?;
        let caller = Caller {
            window: id,
            services: &window.plan.services,
            streak: window.streak,
        };
        if !calling::may_call(chosen, caller) {
            return Err(Refusal::NotForThisWindow {
                window: id.clone(),
                ticket,
            });
        }
        one(self.call(id, ticket, Why::ChosenByClerk, now))
    }

    pub(super) fn call(
        &self,
        window: &WindowId,
        ticket: TicketId,
        why: Why,
        now: Timestamp,
    ) -> Event {
        let priority = self
            .ticket(ticket)
            .is_some_and(|t| calling::standing(t, &self.config.policy, now).has_priority());
        Event::TicketCalled {
            ticket,
            window: window.clone(),
            why,
            priority,
        }
    }

    pub(super) fn recall(&self, window: &WindowId, now: Timestamp) -> Decision {
        let ticket = self.calling(window)?;
        let policy = &self.config.policy;
        if let Some(max) = policy.calls_max.filter(|max| ticket.calls >= *max) {
            return Err(Refusal::RecallLimit {
                calls: ticket.calls,
                max,
            });
        }
        let last = ticket.last_called_at.unwrap_or(now);
        let wait_secs = secs_until(now, last.plus_secs(policy.recall_interval_secs));
        if wait_secs > 0 {
            return Err(Refusal::RecallTooSoon { wait_secs });
        }
        one(Event::TicketRecalled {
            ticket: ticket.id,
            window: window.clone(),
            call: ticket.calls + 1,
        })
    }

    pub(super) fn mark_no_show(&self, window: &WindowId) -> Decision {
        let ticket = self.calling(window)?;
        let needed = self.config.policy.no_show_after_calls;
        if ticket.calls < needed {
            return Err(Refusal::NoShowTooEarly {
                calls: ticket.calls,
                needed,
            });
        }
        one(Event::NoShowMarked {
            ticket: ticket.id,
            window: window.clone(),
        })
    }

    pub(super) fn resume_ticket(&self, id: &WindowId, ticket: TicketId) -> Decision {
        let window = self.idle(id)?;
        let held = self.known_ticket(ticket)?;
        if !matches!(held.state, TicketState::Held { .. }) {
            return Err(Refusal::TicketNotHeld {
                ticket,
                state: held.state.name(),
            });
        }
        if !window.plan.services.contains(&held.service) {
            return Err(Refusal::NotForThisWindow {
                window: id.clone(),
                ticket,
            });
        }
        one(Event::TicketResumed {
            ticket,
            window: id.clone(),
        })
    }

    pub(super) fn transfer(
        &self,
        window: &WindowId,
        service: &ServiceId,
        to_window: Option<&WindowId>,
        now: Timestamp,
    ) -> Decision {
        let ticket = self.serving(window)?;
        self.known_service(service)?;
        if let Some(to) = to_window {
            let serves = self.known_window(to)?.plan.services.contains(service);
            if !serves || ticket.excluded.contains(to) {
                return Err(Refusal::NotForThisWindow {
                    window: to.clone(),
                    ticket: ticket.id,
                });
            }
        } else if ticket.service == *service {
            return Err(Refusal::SameService {
                service: service.clone(),
            });
        }
        let keeps = self.config.policy.transfer_keeps_issue_time;
        one(Event::TicketTransferred {
            ticket: ticket.id,
            window: window.clone(),
            service: service.clone(),
            to_window: to_window.cloned(),
            queued_at: if keeps { ticket.issued_at } else { now },
        })
    }
}
