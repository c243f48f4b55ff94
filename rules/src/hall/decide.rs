//! May it happen, and what follows?

use crate::calling::{self, Caller, Why};
use crate::hall::config::{self, HallConfig};
use crate::hall::refusal::secs_until;
use crate::hall::{Command, Event, Hall, HallState, IssueTicket, Refusal, TicketIssued};
use crate::ids::{ServiceId, TicketId, WindowId};
use crate::policy::CallPolicy;
use crate::ticket::{BookedTime, Channel, Ticket, TicketState};
use crate::time::Timestamp;
use crate::window::{Window, WindowState};

type Decision = Result<Vec<Event>, Refusal>;

fn one(event: Event) -> Decision {
    Ok(vec![event])
}

impl Hall {
    /// What the command would make happen at `now`. What fell due must have been applied before
    /// ([`Hall::elapse`]).
    ///
    /// # Errors
    /// The reason why the command changes nothing.
    pub fn decide(&self, command: &Command, now: Timestamp) -> Decision {
        let now = self.steady(now);
        match command {
            Command::OpenHall => self.open_hall(now),
            Command::CloseHall => self.close_hall(),
            Command::PauseIssuing => match self.state {
                HallState::Open => one(Event::IssuingPaused),
                HallState::IssuingPaused => Err(Refusal::IssuingPaused {}),
                HallState::Closed => Err(Refusal::HallClosed {}),
            },
            Command::ResumeIssuing => match self.state {
                HallState::IssuingPaused => one(Event::IssuingResumed),
                HallState::Open => Err(Refusal::IssuingNotPaused {}),
                HallState::Closed => Err(Refusal::HallClosed {}),
            },
            Command::EndDay => self.end_day(now),
            Command::ChangeHall { name, options } => {
                if let Some(name) = name {
                    config::check_name("name", name)?;
                }
                if let Some(options) = options {
                    self.config.check_options(options)?;
                }
                one(Event::HallChanged {
                    name: name.clone(),
                    options: options.clone(),
                })
            }
            Command::ConfigureService { service, plan } => {
                if !self.config.services.contains_key(service) {
                    self.check_room("services", self.config.services.len())?;
                }
                self.config.check_service(service, plan)?;
                one(Event::ServiceConfigured {
                    service: service.clone(),
                    plan: plan.clone(),
                })
            }
            Command::RemoveService { service } => self.remove_service(service),
            Command::ConfigureWindow { window, plan } => {
                if !self.config.windows.contains_key(window) {
                    self.check_room("windows", self.config.windows.len())?;
                }
                self.config.check_window(window, plan)?;
                one(Event::WindowConfigured {
                    window: window.clone(),
                    plan: plan.clone(),
                })
            }
            Command::RemoveWindow { window } => {
                let closed = self.known_window(window)?.state == WindowState::Closed;
                // A ticket transferred to this window could be called by no other.
                let awaited = self
                    .tickets()
                    .any(|t| t.state.is_open() && t.only_window.as_ref() == Some(window));
                if !closed || awaited {
                    return Err(Refusal::WindowInUse {
                        window: window.clone(),
                    });
                }
                one(Event::WindowRemoved {
                    window: window.clone(),
                })
            }
            Command::SetPolicy { policy } => self.set_policy(policy),
            Command::PostNotice { notice } => {
                notice.check(now)?;
                one(Event::NoticeSet {
                    notice: notice.clone(),
                })
            }
            Command::ClearNotice => match self.notice {
                Some(_) => one(Event::NoticeCleared),
                None => Err(Refusal::NoNotice {}),
            },
            Command::IssueTicket(wish) => self.issue(wish, now),
            Command::CancelTicket { ticket } => {
                self.in_state(*ticket, &TicketState::Waiting)?;
                one(Event::TicketCancelled { ticket: *ticket })
            }
            Command::RequeueTicket { ticket } => self.requeue(*ticket, now),
            Command::PostponeTicket { ticket, places } => self.postpone(*ticket, *places, now),
            Command::RateTicket {
                ticket,
                stars,
                text,
            } => self.rate(*ticket, *stars, text.as_deref()),
            Command::OpenWindow { window, clerk } => {
                if self.state == HallState::Closed {
                    return Err(Refusal::HallClosed {});
                }
                if self.known_window(window)?.state != WindowState::Closed {
                    return Err(Refusal::WindowNotClosed {
                        window: window.clone(),
                    });
                }
                one(Event::WindowOpened {
                    window: window.clone(),
                    clerk: clerk.clone(),
                })
            }
            Command::PauseWindow { window, reason } => {
                self.idle(window)?;
                if reason
                    .as_ref()
                    .is_some_and(|text| text.chars().count() > 80)
                {
                    return Err(Refusal::invalid("reason", "at most 80 characters"));
                }
                one(Event::WindowPaused {
                    window: window.clone(),
                    reason: reason.clone(),
                })
            }
            Command::ResumeWindow { window } => match &self.known_window(window)?.state {
                WindowState::Paused { .. } => one(Event::WindowResumed {
                    window: window.clone(),
                }),
                WindowState::Closed => Err(Refusal::WindowClosed {
                    window: window.clone(),
                }),
                WindowState::Offline { .. } => Err(Refusal::WindowOffline {
                    window: window.clone(),
                }),
                WindowState::Idle | WindowState::Calling { .. } | WindowState::Serving { .. } => {
                    Err(Refusal::WindowNotPaused {
                        window: window.clone(),
                    })
                }
            },
            Command::CloseWindow { window } => {
                let state = &self.known_window(window)?.state;
                if let Some(ticket) = state.ticket() {
                    return Err(Refusal::WindowBusy {
                        window: window.clone(),
                        ticket,
                    });
                }
                if *state == WindowState::Closed {
                    return Err(Refusal::WindowClosed {
                        window: window.clone(),
                    });
                }
                one(Event::WindowClosed {
                    window: window.clone(),
                })
            }
            Command::LoseWindow { window } => match &self.known_window(window)?.state {
                WindowState::Closed => Err(Refusal::WindowClosed {
                    window: window.clone(),
                }),
                WindowState::Offline { .. } => Err(Refusal::WindowOffline {
                    window: window.clone(),
                }),
                WindowState::Idle
                | WindowState::Calling { .. }
                | WindowState::Serving { .. }
                | WindowState::Paused { .. } => one(Event::WindowLost {
                    window: window.clone(),
                }),
            },
            Command::RegainWindow { window } => match &self.known_window(window)?.state {
                WindowState::Offline { .. } => one(Event::WindowRegained {
                    window: window.clone(),
                }),
                WindowState::Closed
                | WindowState::Idle
                | WindowState::Calling { .. }
                | WindowState::Serving { .. }
                | WindowState::Paused { .. } => Err(Refusal::WindowNotOffline {
                    window: window.clone(),
                }),
            },
            Command::CallNext { window } => self.call_next(window, now),
            Command::CallTicket { window, ticket } => self.call_ticket(window, *ticket, now),
            Command::Recall { window } => self.recall(window, now),
            Command::BeginService { window } => {
                let ticket = self.calling(window)?;
                one(Event::ServiceBegun {
                    ticket: ticket.id,
                    window: window.clone(),
                })
            }
            Command::FinishService { window } => {
                let ticket = self.serving(window)?;
                one(Event::ServiceFinished {
                    ticket: ticket.id,
                    window: window.clone(),
                })
            }
            Command::MarkNoShow { window } => self.mark_no_show(window),
            Command::PlaceOnHold { window } => {
                let ticket = self.serving(window)?;
                one(Event::TicketHeld {
                    ticket: ticket.id,
                    window: window.clone(),
                })
            }
            Command::ResumeTicket { window, ticket } => self.resume_ticket(window, *ticket),
            Command::Transfer {
                window,
                service,
                to_window,
            } => self.transfer(window, service, to_window.as_ref(), now),
        }
    }

    fn open_hall(&self, now: Timestamp) -> Decision {
        if self.state == HallState::Closed {
            one(Event::HallOpened {
                day: self.today(now),
            })
        } else {
            Err(Refusal::HallNotClosed {})
        }
    }

    /// A hall closes while people still wait, but not over one who stands at a window.
    fn close_hall(&self) -> Decision {
        if self.state == HallState::Closed {
            return Err(Refusal::HallClosed {});
        }
        self.no_window_busy()?;
        let windows = self.windows().filter(|w| w.state != WindowState::Closed);
        let mut events: Vec<Event> = windows
            .map(|w| Event::WindowClosed {
                window: w.id.clone(),
            })
            .collect();
        events.push(Event::HallClosed);
        Ok(events)
    }

    fn end_day(&self, now: Timestamp) -> Decision {
        let day = self.day.ok_or(Refusal::NoDay {})?;
        if self.state != HallState::Closed {
            return Err(Refusal::HallNotClosed {});
        }
        let next = day.succ_opt().unwrap_or(day).max(self.today(now));
        Ok(self.end_of_day(day, next))
    }

    fn no_window_busy(&self) -> Result<(), Refusal> {
        let busy = self.windows().filter(|w| w.state.ticket().is_some());
        let windows: Vec<WindowId> = busy.map(|w| w.id.clone()).collect();
        if windows.is_empty() {
            Ok(())
        } else {
            Err(Refusal::HallBusy { windows })
        }
    }

    fn check_room(&self, field: &str, count: usize) -> Result<(), Refusal> {
        if count < config::PARTS_MAX {
            Ok(())
        } else {
            Err(Refusal::invalid(
                field,
                format!("at most {}", config::PARTS_MAX),
            ))
        }
    }

    fn remove_service(&self, service: &ServiceId) -> Decision {
        self.known_service(service)?;
        let open = self
            .tickets()
            .any(|t| t.service == *service && t.state.is_open());
        if open || self.windows_for(service).next().is_some() {
            return Err(Refusal::ServiceInUse {
                service: service.clone(),
            });
        }
        one(Event::ServiceRemoved {
            service: service.clone(),
        })
    }

    /// Gives the new policy its version, and the green rule a new one if its tags changed.
    fn set_policy(&self, wanted: &CallPolicy) -> Decision {
        config::check_policy(wanted)?;
        let mut policy = wanted.clone();
        let present = &self.config.policy;
        policy.version = present.version + 1;
        let changed = policy.green.tags != present.green.tags;
        policy.green.version = present.green.version + u32::from(changed);
        one(Event::PolicyChanged { policy })
    }

    fn issue(&self, wish: &IssueTicket, now: Timestamp) -> Decision {
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
        let others = self.waiting(&wish.service);
        let line = calling::line(others.chain([&ticket]), &self.config.policy, now);
        issued.ahead = line.iter().position(|id| *id == ticket.id).unwrap_or(0) as u32;
        one(Event::TicketIssued(issued))
    }

    fn check_in(&self, booked: &BookedTime, now: Timestamp) -> Result<(), Refusal> {
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

    fn check_contingent(&self, wish: &IssueTicket) -> Result<(), Refusal> {
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

    fn requeue(&self, id: TicketId, now: Timestamp) -> Decision {
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
    fn callable_line(&self, ticket: &Ticket, now: Timestamp) -> Vec<TicketId> {
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

    fn postpone(&self, id: TicketId, places: u32, now: Timestamp) -> Decision {
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

    fn rate(&self, id: TicketId, stars: u8, text: Option<&str>) -> Decision {
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

    fn call_next(&self, id: &WindowId, now: Timestamp) -> Decision {
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

    fn call_ticket(&self, id: &WindowId, ticket: TicketId, now: Timestamp) -> Decision {
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

    fn call(&self, window: &WindowId, ticket: TicketId, why: Why, now: Timestamp) -> Event {
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

    fn recall(&self, window: &WindowId, now: Timestamp) -> Decision {
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

    fn mark_no_show(&self, window: &WindowId) -> Decision {
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

    fn resume_ticket(&self, id: &WindowId, ticket: TicketId) -> Decision {
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

    fn transfer(
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

    fn known_service(&self, id: &ServiceId) -> Result<&config::Service, Refusal> {
        let HallConfig { services, .. } = &self.config;
        services.get(id).ok_or_else(|| Refusal::UnknownService {
            service: id.clone(),
        })
    }

    fn known_window(&self, id: &WindowId) -> Result<&Window, Refusal> {
        self.window(id)
            .ok_or_else(|| Refusal::UnknownWindow { window: id.clone() })
    }

    fn known_ticket(&self, id: TicketId) -> Result<&Ticket, Refusal> {
        self.ticket(id).ok_or(Refusal::UnknownTicket { ticket: id })
    }

    fn in_state(&self, id: TicketId, state: &TicketState) -> Result<&Ticket, Refusal> {
        let ticket = self.known_ticket(id)?;
        if ticket.state == *state {
            return Ok(ticket);
        }
        let name = ticket.state.name();
        Err(match state {
            TicketState::Missed => Refusal::TicketNotMissed {
                ticket: id,
                state: name,
            },
            TicketState::Waiting
            | TicketState::Called { .. }
            | TicketState::Serving { .. }
            | TicketState::Held { .. }
            | TicketState::Completed
            | TicketState::Cancelled
            | TicketState::Expired => Refusal::TicketNotWaiting {
                ticket: id,
                state: name,
            },
        })
    }

    fn idle(&self, id: &WindowId) -> Result<&Window, Refusal> {
        let window = self.known_window(id)?;
        match &window.state {
            WindowState::Idle => Ok(window),
            WindowState::Calling { ticket } | WindowState::Serving { ticket } => {
                Err(Refusal::WindowBusy {
                    window: id.clone(),
                    ticket: *ticket,
                })
            }
            WindowState::Closed => Err(Refusal::WindowClosed { window: id.clone() }),
            WindowState::Paused { .. } => Err(Refusal::WindowPaused { window: id.clone() }),
            WindowState::Offline { .. } => Err(Refusal::WindowOffline { window: id.clone() }),
        }
    }

    fn calling(&self, id: &WindowId) -> Result<&Ticket, Refusal> {
        match &self.known_window(id)?.state {
            WindowState::Calling { ticket } => self.known_ticket(*ticket),
            WindowState::Closed => Err(Refusal::WindowClosed { window: id.clone() }),
            WindowState::Offline { .. } => Err(Refusal::WindowOffline { window: id.clone() }),
            WindowState::Idle | WindowState::Serving { .. } | WindowState::Paused { .. } => {
                Err(Refusal::NotCalling { window: id.clone() })
            }
        }
    }

    fn serving(&self, id: &WindowId) -> Result<&Ticket, Refusal> {
        match &self.known_window(id)?.state {
            WindowState::Serving { ticket } => self.known_ticket(*ticket),
            WindowState::Closed => Err(Refusal::WindowClosed { window: id.clone() }),
            WindowState::Offline { .. } => Err(Refusal::WindowOffline { window: id.clone() }),
            WindowState::Idle | WindowState::Calling { .. } | WindowState::Paused { .. } => {
                Err(Refusal::NotServing { window: id.clone() })
            }
        }
    }
}
