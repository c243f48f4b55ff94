//! What is asked of a ticket: that it be issued, come back, wait longer, be judged.

use super::{Decision, one};
use crate::calling;
use crate::hall::{Event, Hall, HallState, IssueTicket, Refusal, TicketIssued};
use crate::ids::TicketId;
use crate::ticket::{BookedTime, Channel, Ticket, TicketState};
use crate::time::Timestamp;

impl Hall {
    pub(super) fn issue(&self, wish: &IssueTicket, now: Timestamp) -> Decision {
        match self.state {
            HallState::Closed => return Err(Refusal::HallClosed {}),
            HallState::IssuingPaused => return Err(Refusal::IssuingPaused {}),
            HallState::Open => {}
        }
        let service = self.known_service(&wish.service)?;
        if let Some(booked) = &wish.appointment {
            self.check_in(booked, now)?;
        }
        self.check_contingent(wish)?;
        let counter = self
            .counters
            .get(&service.template.prefix)
            .copied()
            .unwrap_or_default();
        let (counter, number) = counter
            .next(&service.template, |number| {
                self.index.open_numbers.contains_key(number)
            })
            .ok_or_else(|| Refusal::NumbersExhausted {
                service: wish.service.clone(),
            })?;
        let rule = &self.config.policy.green;
        let mut issued = TicketIssued {
            ticket: TicketId(self.last_ticket.0 + 1),
            number,
            counter,
            day: self.day.unwrap_or_else(|| self.today(now)),
            service: wish.service.clone(),
            token: wish.token.clone(),
            channel: wish.channel,
            holder: wish.holder.clone(),
            tags: wish.tags.clone(),
            green: wish
                .tags
                .iter()
                .any(|tag| rule.tags.contains(tag))
                .then_some(rule.version),
            appointment: wish.appointment.clone(),
            excluded: wish.excluded.clone(),
            ahead: 0,
        };
        let ticket = Ticket::issued(&issued, now);
        issued.ahead = if self.is_by_arrival(&wish.service) && !ticket.stands_apart() {
            self.waiting_count(&wish.service) as u32
        } else {
            let others = self.waiting(&wish.service);
            let line = calling::line(others.chain([&ticket]), &self.config.policy, now);
            line.iter().position(|id| *id == ticket.id).unwrap_or(0) as u32
        };
        one(Event::TicketIssued(issued))
    }

    pub(super) fn check_in(&self, booked: &BookedTime, now: Timestamp) -> Result<(), Refusal> {
        if booked.to < booked.from {
            return Err(Refusal::invalid("appointment.to", "not before from"));
        }
        if let Some(ticket) = self.index.appointments.get(&booked.number) {
            return Err(Refusal::AlreadyIssued { ticket: *ticket });
        }
        let rule = &self.config.policy.appointment;
        let zone = self.config.time_zone;
        let opens = booked.from.minus_secs(rule.check_in_before_secs);
        let ends = booked.to.plus_secs(rule.late_grace_secs);
        if now < opens {
            return Err(Refusal::too_early(zone.rfc3339(opens)));
        }
        if now > ends {
            return Err(Refusal::AppointmentTooLate {
                until: zone.rfc3339(ends),
            });
        }
        Ok(())
    }

    pub(super) fn check_contingent(&self, wish: &IssueTicket) -> Result<(), Refusal> {
        let Some(contingent) = self.known_service(&wish.service)?.contingent else {
            return Ok(());
        };
        let given = self.self_issued.get(&wish.service).copied().unwrap_or(0);
        if wish.channel != Channel::Staff && given >= contingent {
            return Err(Refusal::ContingentReached {
                service: wish.service.clone(),
                contingent,
            });
        }
        Ok(())
    }

    pub(super) fn requeue(&self, id: TicketId, now: Timestamp) -> Decision {
        let ticket = self.in_state(id, &TicketState::Missed)?;
        let rule = &self.config.policy.requeue;
        if ticket.requeues >= rule.times {
            return Err(Refusal::RequeueLimit {
                ticket: id,
                times: rule.times,
            });
        }
        let line = self.callable_line(ticket, now);
        let place = (rule.after as usize).min(line.len());
        let not_before = (rule.cool_down_secs > 0).then(|| now.plus_secs(rule.cool_down_secs));
        one(Event::TicketRequeued {
            ticket: id,
            behind: place.checked_sub(1).map(|last| line[last]),
            not_before,
        })
    }

    /// The line in which a ticket is placed behind another, without those whose time has not come:
    /// one placed behind an early appointment would be passed by everybody who comes before that
    /// appointment's time.
    pub(super) fn callable_line(&self, ticket: &Ticket, now: Timestamp) -> Vec<TicketId> {
        let policy = &self.config.policy;
        let mut line = self.line(&ticket.service, now);
        line.retain(|id| {
            *id == ticket.id
                || self
                    .ticket(*id)
                    .is_some_and(|other| !calling::standing(other, policy, now).early)
        });
        line
    }

    pub(super) fn postpone(&self, id: TicketId, places: u32, now: Timestamp) -> Decision {
        let ticket = self.in_state(id, &TicketState::Waiting)?;
        let rule = self.config.policy.postpone;
        if rule.is_off() {
            return Err(Refusal::PostponeOff {});
        }
        if !(1..=rule.places_max).contains(&places) {
            return Err(Refusal::invalid(
                "places",
                format!("1 to {}", rule.places_max),
            ));
        }
        if ticket.postpones >= rule.times_max {
            return Err(Refusal::PostponeLimit {
                ticket: id,
                times: rule.times_max,
            });
        }
        let line = self.callable_line(ticket, now);
        let here = line.iter().position(|other| *other == id).unwrap_or(0);
        let after: Vec<TicketId> = line[here..].iter().skip(1).copied().collect();
        let Some(behind) = after.get(places as usize - 1).or(after.last()) else {
            return Err(Refusal::NobodyBehind { ticket: id });
        };
        // Those placed behind it do not go back with it: they follow whom it followed.
        let before = line[..here].last();
        one(Event::TicketPostponed {
            ticket: id,
            behind: *behind,
            followers_behind: before.copied(),
        })
    }

    pub(super) fn rate(&self, id: TicketId, stars: u8, text: Option<&str>) -> Decision {
        let ticket = self.known_ticket(id)?;
        if ticket.state != TicketState::Completed {
            return Err(Refusal::TicketNotCompleted {
                ticket: id,
                state: ticket.state.name(),
            });
        }
        if ticket.rating.is_some() {
            return Err(Refusal::AlreadyRated { ticket: id });
        }
        if !(1..=5).contains(&stars) {
            return Err(Refusal::invalid("stars", "1 to 5"));
        }
        if text.is_some_and(|text| text.chars().count() > 500) {
            return Err(Refusal::invalid("text", "at most 500 characters"));
        }
        one(Event::TicketRated {
            ticket: id,
            stars,
            text: text.map(str::to_owned),
        })
    }
}
