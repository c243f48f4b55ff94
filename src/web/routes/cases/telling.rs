//! What the case system tells: the bodies of requests, and the cases and steps they mean.

use rules::calendar::Moment;
use rules::cases::case::CaseKind;
use rules::cases::{CaseNo, Limit, PartTold, Step, StepKind, Telling, Told};
use rules::identity::mask_name;
use rules::ids::{HallId, TicketId};
use rules::time::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::web::error::Problem;
use crate::web::routes::people::Person;

/// A case, as the case system tells it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseBody {
    #[schema(value_type = String)]
    case_no: CaseNo,
    /// `application` or `task`.
    #[serde(default)]
    #[schema(value_type = String)]
    kind: CaseKind,
    #[serde(default)]
    item: String,
    #[serde(default)]
    department: String,
    group: Option<String>,
    handler: Option<String>,
    /// Whose case it is. Only a keyed hash of the document is kept, apart from the case.
    pub(super) holder: Option<Person>,
    /// A name without an asterisk is masked before it is kept.
    applicant_masked: Option<String>,
    channel: Option<String>,
    /// When it came in; without it the case is a draft.
    received_at: Option<String>,
    accepted_at: Option<String>,
    /// The promised limit in working days, or as a time.
    promise_days: Option<u32>,
    due_at: Option<String>,
    /// The legal limit in working days, or as a time.
    legal_days: Option<u32>,
    legal_due_at: Option<String>,
    /// Working days in which it must be accepted; 0 is no limit.
    acceptance_limit_days: Option<u32>,
    near_due_days: Option<u32>,
    coordinator: Option<String>,
    #[serde(default)]
    parts: Vec<PartBody>,
    #[schema(value_type = Option<String>)]
    hall: Option<HallId>,
    /// Tickets of the hall at which it was registered.
    #[serde(default)]
    tickets: Vec<u64>,
    #[serde(default)]
    steps: Vec<StepBody>,
}

/// One department's part of a joint approval.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PartBody {
    id: String,
    department: String,
    handler: Option<String>,
    promise_days: Option<u32>,
    due_at: Option<String>,
}

/// Something that happened to a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StepBody {
    #[schema(value_type = String)]
    kind: StepKind,
    /// RFC 3339: when it happened.
    at: String,
    by: Option<String>,
    note: Option<String>,
    /// The part of a joint approval it is about.
    part: Option<String>,
    /// Of `assigned`: who has it in hand from then on.
    to: Option<String>,
    /// Of `extended`: the new due time.
    due_at: Option<String>,
}

fn moment(field: &str, text: &str) -> Result<Moment, Problem> {
    Moment::parse_from_rfc3339(text).map_err(|_| Problem::invalid(field, "RFC 3339 is needed"))
}

fn instant(field: &str, text: &str) -> Result<Timestamp, Problem> {
    moment(field, text).map(rules::calendar::instant)
}

/// A limit told as a time or in working days, not as both.
fn limit(days: (&str, Option<u32>), at: (&str, Option<&String>)) -> Result<Option<Limit>, Problem> {
    match (days.1, at.1) {
        (Some(_), Some(_)) => Err(Problem::invalid(at.0, &format!("not beside {}", days.0))),
        (Some(days), None) => Ok(Some(Limit::Days(days))),
        (None, Some(text)) => Ok(Some(Limit::At(moment(at.0, text)?))),
        (None, None) => Ok(None),
    }
}

impl StepBody {
    pub(super) fn step(self, prefix: &str) -> Result<Step, Problem> {
        let field = |name: &str| format!("{prefix}{name}");
        Ok(Step {
            at: instant(&field("at"), &self.at)?,
            due_at: match &self.due_at {
                Some(text) => Some(moment(&field("due_at"), text)?),
                None => None,
            },
            kind: self.kind,
            by: self.by,
            note: self.note,
            part: self.part,
            to: self.to,
        })
    }
}

impl PartBody {
    pub(super) fn told(self, index: usize) -> Result<PartTold, Problem> {
        let field = |name: &str| format!("parts[{index}].{name}");
        Ok(PartTold {
            due: limit(
                (&field("promise_days"), self.promise_days),
                (&field("due_at"), self.due_at.as_ref()),
            )?,
            id: self.id,
            department: self.department,
            handler: self.handler,
        })
    }
}

impl CaseBody {
    pub(super) fn telling(self) -> Result<Telling, Problem> {
        let due = limit(
            ("promise_days", self.promise_days),
            ("due_at", self.due_at.as_ref()),
        )?;
        let legal = limit(
            ("legal_days", self.legal_days),
            ("legal_due_at", self.legal_due_at.as_ref()),
        )?;
        let parts = self.parts.into_iter().enumerate();
        let steps = self.steps.into_iter().enumerate();
        let mut steps = steps
            .map(|(index, step)| step.step(&format!("steps[{index}].")))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(text) = &self.accepted_at {
            steps.push(Step::new(StepKind::Accepted, instant("accepted_at", text)?));
        }
        let received_at = self.received_at.as_deref();
        Ok(Telling {
            case_no: self.case_no,
            told: Told {
                kind: self.kind,
                item: self.item,
                department: self.department,
                group: self.group,
                handler: self.handler,
                applicant_masked: self.applicant_masked.map(masked),
                channel: self.channel,
                received_at: received_at
                    .map(|at| instant("received_at", at))
                    .transpose()?,
                due,
                legal,
                acceptance_limit_days: self.acceptance_limit_days,
                near_due_days: self.near_due_days,
                coordinator: self.coordinator,
                parts: parts
                    .map(|(index, part)| part.told(index))
                    .collect::<Result<_, _>>()?,
                hall: self.hall,
                tickets: self.tickets.into_iter().map(TicketId).collect(),
            },
            steps,
        })
    }
}

/// The source should have masked it; a full name must not get further than here.
fn masked(name: String) -> String {
    match name.contains('*') || name.is_empty() {
        true => name,
        false => mask_name(&name),
    }
}
