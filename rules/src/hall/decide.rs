//! May it happen, and what follows?

mod known;
mod tickets;
mod windows;

use crate::hall::{Command, Event, Hall, HallState, Refusal, config};
use crate::ids::{ServiceId, WindowId};
use crate::policy::CallPolicy;
use crate::ticket::TicketState;
use crate::time::Timestamp;
use crate::window::WindowState;

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
}
