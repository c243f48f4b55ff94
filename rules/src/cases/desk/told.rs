//! What sources tell: checking it field by field, passing over repeats, and noting a wrong order.

use std::collections::BTreeSet;

use super::{CaseDesk, CaseEvent, STEPS_MAX, Telling, judge};
use crate::calendar::instant;
use crate::cases::Settings;
use crate::cases::case::{Case, Limit, Told};
use crate::cases::parts::PARTS_MAX;
use crate::cases::refusal::CaseRefusal;
use crate::cases::steps::{Step, StepKind};
use crate::time::Timestamp;

/// Longest text of a field, in characters.
const TEXT_MAX: usize = 200;

/// Longest note of a step, in characters.
const NOTE_MAX: usize = 1000;

/// Working days in a limit at most: some twenty years.
const DAYS_MAX: u32 = 5000;

const TICKETS_MAX: usize = 50;

/// A source's clock may be ahead by so much.
const AHEAD_SECS: u64 = 24 * 3600;

impl CaseDesk {
    pub(super) fn tell(
        &self,
        tellings: &[Telling],
        now: Timestamp,
    ) -> Result<Vec<CaseEvent>, CaseRefusal> {
        let mut seen = BTreeSet::new();
        let mut events = Vec::new();
        for telling in tellings {
            if !seen.insert(&telling.case_no) {
                return Err(CaseRefusal::invalid(
                    "case_no",
                    format!("{} is told twice at once", telling.case_no),
                ));
            }
            check(telling, now)?;
            events.extend(match self.case(&telling.case_no) {
                Some(case) => again(case, telling, &self.settings, now)?,
                None => vec![first(telling, &self.settings, now)?],
            });
        }
        Ok(events)
    }
}

/// A case told for the first time, whatever the order of its steps.
fn first(telling: &Telling, settings: &Settings, now: Timestamp) -> Result<CaseEvent, CaseRefusal> {
    let Telling { case_no, told, .. } = telling;
    let mut steps: Vec<Step> = Vec::new();
    let mut in_order = telling.steps.clone();
    in_order.sort_by(Step::order);
    let mut case = Case::new(case_no.clone(), told.clone(), &[], now, settings);
    for step in in_order {
        if steps.iter().any(|known| step.is_repeat_of(known)) {
            continue;
        }
        judge::can_be(&case, &step)?;
        case.steps.push(step.clone());
        if step.kind.moves() {
            case.work_out(settings);
        }
        steps.push(step);
    }
    Ok(CaseEvent::CaseTold {
        case_no: case_no.clone(),
        told: told.clone(),
        steps,
    })
}

/// A case that is known: what is new of it.
fn again(
    case: &Case,
    telling: &Telling,
    settings: &Settings,
    now: Timestamp,
) -> Result<Vec<CaseEvent>, CaseRefusal> {
    let mut case = case.clone();
    let mut events = Vec::new();
    if case.told != telling.told {
        case.tell(&telling.told, now, settings);
        parts_still_there(&case)?;
        events.push(CaseEvent::CaseChanged {
            case_no: case.case_no.clone(),
            told: telling.told.clone(),
        });
    }
    for step in &telling.steps {
        for event in take_step(&case, step, now)? {
            if let CaseEvent::StepTold { step, .. } = &event {
                case.add(step, now, settings);
            }
            if let CaseEvent::WrongOrderNoted { step, at, .. } = &event {
                case.wrong_order = Some(crate::cases::case::WrongOrder {
                    noted_at: now,
                    kind: *step,
                    at: *at,
                });
            }
            events.push(event);
        }
    }
    Ok(events)
}

fn parts_still_there(case: &Case) -> Result<(), CaseRefusal> {
    let named = case.steps.iter().filter_map(|step| step.part.as_ref());
    let known = |part: &&String| case.told.parts.iter().any(|p| p.id == **part);
    match named.into_iter().find(|part| !known(part)) {
        Some(part) => Err(CaseRefusal::UnknownPart {
            case_no: case.case_no.clone(),
            part: part.clone(),
        }),
        None => Ok(()),
    }
}

/// One step told of a known case; nothing if it was told before.
pub(super) fn take_step(
    case: &Case,
    step: &Step,
    now: Timestamp,
) -> Result<Vec<CaseEvent>, CaseRefusal> {
    if case.steps.iter().any(|known| step.is_repeat_of(known)) {
        return Ok(Vec::new());
    }
    judge::can_be(case, step)?;
    let case_no = case.case_no.clone();
    let mut events = vec![CaseEvent::StepTold {
        case_no: case_no.clone(),
        step: step.clone(),
    }];
    if case.wrong_order.is_none() && comes_late(case, step, now) {
        events.push(CaseEvent::WrongOrderNoted {
            case_no,
            step: step.kind,
            at: step.at,
        });
    }
    Ok(events)
}

/// Whether a step that must follow this one is known already.
fn comes_late(case: &Case, step: &Step, now: Timestamp) -> bool {
    let follows = |known: &&Step| {
        let same = known.part == step.part && known.kind.moves();
        same && known.kind != StepKind::Submitted && (known.at > step.at || ends_after(known, step))
    };
    step.at <= now && step.kind.moves() && case.steps.iter().any(|known| follows(&known))
}

/// An end is never before what leads to it, whatever the times say.
fn ends_after(known: &Step, step: &Step) -> bool {
    known.kind.ends() && step.kind < StepKind::Returned
}

fn check(telling: &Telling, now: Timestamp) -> Result<(), CaseRefusal> {
    let told = &telling.told;
    text("item", &told.item, 0)?;
    text("department", &told.department, 0)?;
    let optional = [
        ("group", &told.group),
        ("handler", &told.handler),
        ("applicant_masked", &told.applicant_masked),
        ("channel", &told.channel),
        ("coordinator", &told.coordinator),
    ];
    for (field, value) in optional {
        if let Some(value) = value {
            text(field, value, 1)?;
        }
    }
    if let Some(at) = told.received_at {
        not_ahead("received_at", at, now)?;
    }
    check_limits(told)?;
    check_parts(told)?;
    if told.tickets.len() > TICKETS_MAX {
        return Err(CaseRefusal::invalid(
            "tickets",
            format!("at most {TICKETS_MAX}"),
        ));
    }
    if !told.tickets.is_empty() && told.hall.is_none() {
        return Err(CaseRefusal::invalid("hall", "tickets need their hall"));
    }
    if telling.steps.len() > STEPS_MAX {
        return Err(CaseRefusal::invalid(
            "steps",
            format!("at most {STEPS_MAX}"),
        ));
    }
    for (index, step) in telling.steps.iter().enumerate() {
        check_step(step, now).map_err(|refusal| at_index("steps", index, refusal))?;
    }
    Ok(())
}

fn check_limits(told: &Told) -> Result<(), CaseRefusal> {
    let limits = [("promise_days", told.due), ("legal_days", told.legal)];
    for (field, limit) in limits {
        if let Some(Limit::Days(days)) = limit {
            working_days(field, days)?;
        }
    }
    if let (Some(Limit::At(due)), Some(received)) = (told.due, told.received_at)
        && instant(due) < received
    {
        return Err(CaseRefusal::invalid("due_at", "lies before received_at"));
    }
    working_days(
        "acceptance_limit_days",
        told.acceptance_limit_days.unwrap_or(0),
    )?;
    working_days("near_due_days", told.near_due_days.unwrap_or(0))
}

fn check_parts(told: &Told) -> Result<(), CaseRefusal> {
    if told.parts.len() > PARTS_MAX {
        return Err(CaseRefusal::invalid(
            "parts",
            format!("at most {PARTS_MAX}"),
        ));
    }
    let mut ids = BTreeSet::new();
    for (index, part) in told.parts.iter().enumerate() {
        let checked = || {
            text("id", &part.id, 1)?;
            text("department", &part.department, 1)?;
            if let Some(Limit::Days(days)) = part.due {
                working_days("promise_days", days)?;
            }
            match ids.insert(&part.id) {
                true => Ok(()),
                false => Err(CaseRefusal::invalid("id", "stands there twice")),
            }
        };
        let mut checked = checked;
        checked().map_err(|refusal| at_index("parts", index, refusal))?;
    }
    Ok(())
}

pub(super) fn check_step(step: &Step, now: Timestamp) -> Result<(), CaseRefusal> {
    not_ahead("at", step.at, now)?;
    if let Some(note) = &step.note
        && note.chars().count() > NOTE_MAX
    {
        return Err(CaseRefusal::invalid(
            "note",
            format!("at most {NOTE_MAX} characters"),
        ));
    }
    for (field, value) in [("by", &step.by), ("part", &step.part), ("to", &step.to)] {
        if let Some(value) = value {
            text(field, value, 1)?;
        }
    }
    if (step.kind == StepKind::Extended) != step.due_at.is_some() {
        return Err(CaseRefusal::invalid(
            "due_at",
            "belongs to extended, and to nothing else",
        ));
    }
    if (step.kind == StepKind::Assigned) != step.to.is_some() {
        return Err(CaseRefusal::invalid(
            "to",
            "belongs to assigned, and to nothing else",
        ));
    }
    Ok(())
}

fn at_index(list: &str, index: usize, refusal: CaseRefusal) -> CaseRefusal {
    match refusal {
        CaseRefusal::InvalidField { field, reason } => {
            CaseRefusal::invalid(format!("{list}[{index}].{field}"), reason)
        }
        other => other,
    }
}

fn text(field: &str, value: &str, least: usize) -> Result<(), CaseRefusal> {
    let chars = value.chars().count();
    if !(least..=TEXT_MAX).contains(&chars) || value.chars().any(char::is_control) {
        let reason = format!("{least} to {TEXT_MAX} characters, no control characters");
        return Err(CaseRefusal::invalid(field, reason));
    }
    Ok(())
}

fn working_days(field: &str, days: u32) -> Result<(), CaseRefusal> {
    if days > DAYS_MAX {
        return Err(CaseRefusal::invalid(
            field,
            format!("at most {DAYS_MAX} working days"),
        ));
    }
    Ok(())
}

fn not_ahead(field: &str, at: Timestamp, now: Timestamp) -> Result<(), CaseRefusal> {
    if at > now.plus_secs(AHEAD_SECS) {
        return Err(CaseRefusal::invalid(field, "lies more than a day ahead"));
    }
    Ok(())
}
