//! What people do with an alert. Every step that may not be taken is refused by a code of its own.

use crate::desk::alert::{Alert, Ending, State};
use crate::desk::alerts::Alerts;
use crate::desk::check_text;
use crate::desk::event::AlertEvent;
use crate::desk::refusal::Refusal;
use crate::desk::silence::{SILENCES_MAX, SilencePlan, SilenceState};
use crate::ids::{AlertId, SilenceId};
use crate::time::Timestamp;

/// The longest shelf: one shift of a week's work, not a grave.
pub const SHELF_SECS_MAX: u64 = 7 * 24 * 3600;

/// Urging again sooner reaches nobody's heart.
pub const URGE_PAUSE_SECS: u64 = 60;

/// What a person does with one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handling {
    Acknowledge {
        comment: Option<String>,
        until: Option<Timestamp>,
        sticky: bool,
    },
    Assign {
        to: String,
    },
    /// Begins to work on it.
    Start,
    /// It is over though no data says so. While its condition holds this is refused.
    Resolve {
        comment: String,
    },
    Close,
    Comment {
        text: String,
    },
    Shelve {
        until: Timestamp,
        reason: String,
    },
    Unshelve,
    /// Reminds whoever answers for it.
    Urge,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SilenceCommand {
    Silence(SilencePlan),
    End(SilenceId),
}

impl Alerts {
    /// # Errors
    /// See [`Refusal::UnknownAlert`].
    pub(crate) fn known(&self, alert: AlertId) -> Result<&Alert, Refusal> {
        self.get(alert).ok_or(Refusal::UnknownAlert { alert })
    }

    pub(crate) fn handle(
        &self,
        id: AlertId,
        handling: &Handling,
        now: Timestamp,
    ) -> Result<AlertEvent, Refusal> {
        let alert = self.known(id)?;
        match handling {
            Handling::Acknowledge {
                comment,
                until,
                sticky,
            } => acknowledge(alert, comment.as_deref(), *until, *sticky, now),
            Handling::Assign { to } => {
                stands(alert)?;
                check_account("to", to)?;
                let to = to.clone();
                Ok(AlertEvent::AlertAssigned { alert: id, to })
            }
            Handling::Start => {
                stands(alert)?;
                match alert.state {
                    State::Acknowledged => Ok(AlertEvent::AlertBegun { alert: id }),
                    State::InProgress => Err(Refusal::AlreadyInProgress { alert: id }),
                    _ => Err(Refusal::NotAcknowledged { alert: id }),
                }
            }
            Handling::Resolve { comment } => resolve(alert, comment),
            Handling::Close => match alert.state {
                State::Resolved => Ok(AlertEvent::AlertClosed { alert: id }),
                State::Closed => Err(Refusal::AlertClosed { alert: id }),
                _ => Err(Refusal::NotResolved { alert: id }),
            },
            Handling::Comment { text } => {
                check_text("text", text)?;
                let text = text.clone();
                Ok(AlertEvent::AlertCommented { alert: id, text })
            }
            Handling::Shelve { until, reason } => shelve(alert, *until, reason, now),
            Handling::Unshelve => match alert.shelf {
                Some(_) => Ok(AlertEvent::AlertUnshelved {
                    alert: id,
                    expired: false,
                }),
                None => Err(Refusal::NotShelved { alert: id }),
            },
            Handling::Urge => urge(alert, now),
        }
    }

    pub(crate) fn silence_command(
        &self,
        command: &SilenceCommand,
        now: Timestamp,
    ) -> Result<AlertEvent, Refusal> {
        match command {
            SilenceCommand::Silence(plan) => {
                plan.check(now)?;
                let open = |state| state != SilenceState::Ended;
                let silences = self.silences.values();
                if silences.filter(|silence| open(silence.state)).count() >= SILENCES_MAX {
                    return Err(Refusal::TooManySilences { max: SILENCES_MAX });
                }
                Ok(AlertEvent::Silenced {
                    silence: SilenceId(self.last_silence + 1),
                    plan: plan.clone(),
                })
            }
            SilenceCommand::End(silence) => match self.silences.get(silence) {
                None => Err(Refusal::UnknownSilence { silence: *silence }),
                Some(known) if known.state == SilenceState::Ended => {
                    Err(Refusal::SilenceOver { silence: *silence })
                }
                Some(_) => Ok(AlertEvent::SilenceEnded {
                    silence: *silence,
                    early: true,
                }),
            },
        }
    }
}

fn stands(alert: &Alert) -> Result<(), Refusal> {
    match alert.state {
        State::Resolved => Err(Refusal::AlertResolved { alert: alert.id }),
        State::Closed => Err(Refusal::AlertClosed { alert: alert.id }),
        State::Firing | State::Acknowledged | State::InProgress => Ok(()),
    }
}

fn acknowledge(
    alert: &Alert,
    comment: Option<&str>,
    until: Option<Timestamp>,
    sticky: bool,
    now: Timestamp,
) -> Result<AlertEvent, Refusal> {
    stands(alert)?;
    if let Some(ack) = &alert.ack {
        let by = ack.by.clone();
        return Err(Refusal::AlreadyAcknowledged {
            alert: alert.id,
            by,
        });
    }
    if let Some(comment) = comment {
        check_text("comment", comment)?;
    }
    if until.is_some_and(|until| until <= now) {
        return Err(Refusal::invalid("until", "must lie in the future"));
    }
    Ok(AlertEvent::AlertAcknowledged {
        alert: alert.id,
        comment: comment.map(str::to_owned),
        until,
        sticky,
    })
}

fn resolve(alert: &Alert, comment: &str) -> Result<AlertEvent, Refusal> {
    stands(alert)?;
    if alert.state != State::InProgress {
        return Err(Refusal::NotInProgress { alert: alert.id });
    }
    check_text("comment", comment)?;
    if alert.condition_holds() {
        return Err(Refusal::ConditionHolds {
            alert: alert.id,
            clears_when: alert.raise.why.clears_when.clone(),
        });
    }
    Ok(AlertEvent::AlertResolved {
        alert: alert.id,
        ending: Ending::ByHand,
        count: alert.count,
        comment: Some(comment.to_owned()),
    })
}

fn shelve(
    alert: &Alert,
    until: Timestamp,
    reason: &str,
    now: Timestamp,
) -> Result<AlertEvent, Refusal> {
    stands(alert)?;
    if let Some(shelf) = &alert.shelf {
        let until = shelf.until;
        return Err(Refusal::AlreadyShelved {
            alert: alert.id,
            until,
        });
    }
    check_text("reason", reason)?;
    if until <= now || until.secs_since(now) > SHELF_SECS_MAX {
        return Err(Refusal::invalid(
            "until",
            "must lie in the future, seven days ahead at most",
        ));
    }
    Ok(AlertEvent::AlertShelved {
        alert: alert.id,
        until,
        reason: reason.to_owned(),
    })
}

fn urge(alert: &Alert, now: Timestamp) -> Result<AlertEvent, Refusal> {
    stands(alert)?;
    let Some(person) = alert.responsible() else {
        return Err(Refusal::NobodyToUrge { alert: alert.id });
    };
    let since = alert.urged_at.map_or(u64::MAX, |at| now.secs_since(at));
    if since < URGE_PAUSE_SECS {
        let wait_secs = URGE_PAUSE_SECS - since;
        return Err(Refusal::UrgedJustNow {
            alert: alert.id,
            wait_secs,
        });
    }
    Ok(AlertEvent::AlertUrged {
        alert: alert.id,
        person: person.to_owned(),
    })
}

/// An account's name.
pub(crate) fn check_account(field: &str, name: &str) -> Result<(), Refusal> {
    let fits = (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    match fits {
        true => Ok(()),
        false => Err(Refusal::invalid(field, "an account has 1 to 64 characters")),
    }
}
