//! Which steps cannot be. What merely comes in the wrong order is kept; what contradicts what is known,
//! in whatever order it came, is refused.

use super::{CASES_MAX, CaseDesk, CaseEvent, STEPS_MAX};
use crate::cases::case::{Case, CaseKind};
use crate::cases::refusal::CaseRefusal;
use crate::cases::steps::{State, Step, StepKind};

/// Whether a step told of a case, and not known yet, can be.
pub(super) fn can_be(case: &Case, step: &Step) -> Result<(), CaseRefusal> {
    if case.steps.len() >= STEPS_MAX {
        return Err(CaseRefusal::TooManySteps {
            case_no: case.case_no.clone(),
            max: STEPS_MAX,
        });
    }
    if step.part.is_some() {
        return part_can_be(case, step);
    }
    if !step.kind.moves() {
        return Ok(());
    }
    once(case, step)?;
    let known = |kind: StepKind| whole(case).any(|s| s.kind == kind);
    match step.kind {
        StepKind::Closed | StepKind::Refused | StepKind::Voided | StepKind::Returned => {
            if step.kind != StepKind::Voided && step.kind != StepKind::Returned {
                parts_are_through(case)?;
            }
            ends_once(case, step)
        }
        StepKind::ResultIssued | StepKind::Archived => {
            if matches!(case.state, State::Refused | State::Void | State::Returned) {
                return Err(CaseRefusal::CaseNotGranted {
                    case_no: case.case_no.clone(),
                    state: case.state,
                });
            }
            Ok(())
        }
        StepKind::Accepted | StepKind::MaterialsSubmitted => {
            let both = [StepKind::Accepted, StepKind::MaterialsSubmitted];
            let other_way = both
                .into_iter()
                .any(|kind| kind != step.kind && known(kind));
            if other_way && step.kind == StepKind::Accepted && !known(StepKind::Returned) {
                return Err(CaseRefusal::CaseAlreadyAccepted {
                    case_no: case.case_no.clone(),
                });
            }
            Ok(())
        }
        _ => before_its_end(case, step),
    }
}

fn whole(case: &Case) -> impl Iterator<Item = &Step> {
    case.steps.iter().filter(|step| step.part.is_none())
}

fn already_ended(case: &Case) -> CaseRefusal {
    CaseRefusal::CaseAlreadyEnded {
        case_no: case.case_no.clone(),
        state: case.state,
        ended_at: case.ended_at,
    }
}

/// What happens once has one time. A case that went back to its applicant goes through it all again.
fn once(case: &Case, step: &Step) -> Result<(), CaseRefusal> {
    let same_part = |s: &&Step| s.kind == step.kind && s.part == step.part;
    let returned = whole(case).any(|s| s.kind == StepKind::Returned);
    match case.steps.iter().find(same_part) {
        Some(told) if step.kind.is_once() && !returned => Err(CaseRefusal::StepAlreadyTold {
            case_no: case.case_no.clone(),
            kind: step.kind,
            at: told.at,
        }),
        _ => Ok(()),
    }
}

fn ends_once(case: &Case, step: &Step) -> Result<(), CaseRefusal> {
    if case.state == State::Returned && step.kind != StepKind::Voided {
        return Err(CaseRefusal::CaseReturned {
            case_no: case.case_no.clone(),
        });
    }
    let granted = matches!(case.state, State::ResultIssued | State::Archived)
        && !whole(case).any(|s| s.kind == StepKind::Closed);
    if case.state.is_ended() && !(granted && step.kind == StepKind::Closed) {
        return Err(already_ended(case));
    }
    Ok(())
}

/// Nothing happens to a case after its end; news of what happened before may come late.
fn before_its_end(case: &Case, step: &Step) -> Result<(), CaseRefusal> {
    match case.ended_at {
        Some(end) if step.at > end => Err(already_ended(case)),
        _ => Ok(()),
    }
}

fn parts_are_through(case: &Case) -> Result<(), CaseRefusal> {
    let open = case.parts.iter().filter(|part| !part.is_ended());
    let open: Vec<String> = open.map(|part| part.id.clone()).collect();
    if open.is_empty() {
        return Ok(());
    }
    Err(CaseRefusal::PartsOpen {
        case_no: case.case_no.clone(),
        parts: open,
    })
}

fn part_can_be(case: &Case, step: &Step) -> Result<(), CaseRefusal> {
    let name = step.part.as_deref().unwrap_or_default();
    let part = case.parts.iter().find(|part| part.id == name);
    let Some(part) = part else {
        return Err(CaseRefusal::UnknownPart {
            case_no: case.case_no.clone(),
            part: name.to_owned(),
        });
    };
    if !step.kind.is_for_parts() {
        return Err(CaseRefusal::StepNotForPart {
            case_no: case.case_no.clone(),
            kind: step.kind,
        });
    }
    once(case, step)?;
    let ended = part.is_ended() && (step.kind.ends() || part.ended_at < Some(step.at));
    let voided = case.state == State::Void;
    if (ended && step.kind.moves() && step.kind != StepKind::Accepted) || voided {
        return Err(already_ended(case));
    }
    Ok(())
}

/// Whether somebody at this desk may accept it now.
pub(super) fn may_be_accepted(case: &Case) -> Result<(), CaseRefusal> {
    is_in_hand(case)?;
    if case.accepted_at.is_some()
        || case.told.kind == CaseKind::Task
        || case.state == State::InReview
    {
        return Err(CaseRefusal::CaseAlreadyAccepted {
            case_no: case.case_no.clone(),
        });
    }
    Ok(())
}

/// Whether it is open and with the department or on its way through it.
pub(super) fn is_in_hand(case: &Case) -> Result<(), CaseRefusal> {
    let case_no = || case.case_no.clone();
    match case.state {
        State::Draft => Err(CaseRefusal::CaseNotSubmitted { case_no: case_no() }),
        State::Returned => Err(CaseRefusal::CaseReturned { case_no: case_no() }),
        state if state.is_ended() => Err(already_ended(case)),
        _ if case.steps.len() >= STEPS_MAX => Err(CaseRefusal::TooManySteps {
            case_no: case_no(),
            max: STEPS_MAX,
        }),
        _ => Ok(()),
    }
}

/// Refuses what would make the desk hold too many cases.
pub(super) fn within_bounds(
    desk: &CaseDesk,
) -> impl FnOnce(Vec<CaseEvent>) -> Result<Vec<CaseEvent>, CaseRefusal> {
    let held = desk.cases.len();
    move |events| {
        let told = |event: &&CaseEvent| matches!(event, CaseEvent::CaseTold { .. });
        if held + events.iter().filter(told).count() > CASES_MAX {
            return Err(CaseRefusal::DeskFull { max: CASES_MAX });
        }
        Ok(events)
    }
}
