//! The problem list.

use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use rules::alerts::rule::Severity;
use rules::desk::problems::{
    NewProblem, ProblemCommand, ProblemEvent, ProblemFigures, ProblemStep,
};
use rules::desk::{AlertDesk, Command, Event};
use rules::ids::ProblemId;
use rules::machine::ItemKind;
use rules::name::Name;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::answer;
use crate::web::routes::desk::{Desired, hall_of, needed, page, seen, submit};
use crate::web::routes::items::{ListQuery, instant};

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(add)
        .service(statistics)
        .service(show)
        .service(step);
}

/// A fault in data or business to be listed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultBody {
    /// What kind of fault, e.g. `time_inversion`. A record is listed once per kind while open.
    kind: String,
    /// `{"zh": …, "en": …}` or one string for both.
    #[schema(value_type = Object)]
    title: Name,
    #[schema(value_type = Option<String>)]
    severity: Option<Severity>,
    /// The system that the record came from.
    source: String,
    /// What names the record, e.g. a case number; the title if there is none.
    record: Option<String>,
    /// The record as it came.
    raw: Option<String>,
    /// Where it went and what it touched, in order.
    trace: Option<Vec<String>>,
    hall: Option<String>,
    department: Option<String>,
    /// Who is to check it, if that is known at once.
    assignee: Option<String>,
    /// RFC 3339.
    due_at: Option<String>,
}

/// What a step needs: `assign` to; `correct` correction, and it may have a finding; `check` may
/// have a finding, `verify` a comment; `comment` text; `close` needs nothing.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultStepBody {
    to: Option<String>,
    finding: Option<String>,
    correction: Option<String>,
    comment: Option<String>,
    text: Option<String>,
}

/// Problems of one's halls, the overdue and grave first.
#[utoipa::path(get, path = "/api/v1/problems", tag = "problems", params(ListQuery),
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[get("/problems")]
async fn list(
    app: Data<App>,
    caller: Caller,
    query: Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::HandleOrders)?;
    page(&app, &caller, ItemKind::Problem, &query).await
}

/// Lists a problem by hand, or from another system.
#[utoipa::path(post, path = "/api/v1/problems", tag = "problems", request_body = FaultBody,
    responses((status = 201, body = Object), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[post("/problems")]
async fn add(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::HandleOrders)?;
    let fault: FaultBody = body.parse()?;
    let hall = hall_of(&app, &caller, Action::HandleOrders, fault.hall.as_deref())?;
    let record = fault.record.unwrap_or_else(|| fault.title.zh.clone());
    let new = NewProblem {
        kind: fault.kind,
        title: fault.title,
        severity: fault.severity.unwrap_or_default(),
        source: fault.source,
        record,
        raw: fault.raw.unwrap_or_default(),
        trace: fault.trace.unwrap_or_default(),
        alert: None,
        rule: None,
        hall,
        department: fault.department,
        due_at: instant("due_at", fault.due_at.as_deref())?,
    };
    let new = Box::new(new);
    let command = Command::Problem(match fault.assignee {
        Some(to) => ProblemCommand::ListFor { new, to },
        None => ProblemCommand::List(new),
    });
    let done = submit(&app.desk, &caller, &body, command).await?;
    let listed = done.recorded.iter().find_map(|one| match &one.event {
        Event::Problem(ProblemEvent::ProblemListed { problem, .. }) => Some(*problem),
        _ => None,
    });
    let face = face(&app, listed.ok_or_else(Problem::unavailable)?).await?;
    Ok(answer(HttpResponse::Created(), done.replayed, &face))
}

/// How the list stands: closed, open, overdue, and the share that is closed. Problems closed more
/// than 92 days ago are not counted.
#[utoipa::path(get, path = "/api/v1/problems/statistics", tag = "problems",
    responses((status = 200, body = Object)))]
#[get("/problems/statistics")]
async fn statistics(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::HandleOrders)?;
    let scope = caller.principal.scope.clone();
    let figures = app.desk.read(move |desk: &AlertDesk, _| {
        let all = desk.problems().iter();
        ProblemFigures::of(all.filter(|problem| scope.holds_any(problem.listed.hall.as_ref())))
    });
    let figures = figures.await.ok_or_else(Problem::unavailable)?;
    Ok(HttpResponse::Ok().json(figures))
}

/// A problem with its record, trace and history.
#[utoipa::path(get, path = "/api/v1/problems/{problem}", tag = "problems", params(("problem" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/problems/{problem}")]
async fn show(app: Data<App>, caller: Caller, id: Path<String>) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::HandleOrders)?;
    let item = seen(&app, &caller, Desired::PROBLEM, &id).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(item.body))
}

/// Takes a step: assign, check, correct, verify, close or comment.
#[utoipa::path(post, path = "/api/v1/problems/{problem}/{step}", tag = "problems",
    params(("problem" = String, Path), ("step" = String, Path)), request_body = FaultStepBody,
    responses((status = 200, body = Object), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[post("/problems/{problem}/{step:assign|check|correct|verify|close|comment}")]
async fn step(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::HandleOrders)?;
    let (id, verb) = path.into_inner();
    seen(&app, &caller, Desired::PROBLEM, &id).await?;
    let problem: ProblemId = id.parse().map_err(|_| Desired::PROBLEM.unknown(&id))?;
    let said: FaultStepBody = body.parse()?;
    let step = match verb.as_str() {
        "assign" => ProblemStep::Assign {
            to: needed("to", said.to)?,
        },
        "check" => ProblemStep::Check {
            finding: said.finding,
        },
        "correct" => ProblemStep::Correct {
            finding: said.finding,
            correction: needed("correction", said.correction)?,
        },
        "verify" => ProblemStep::Verify {
            comment: said.comment,
        },
        "close" => ProblemStep::Close,
        _ => ProblemStep::Comment {
            text: needed("text", said.text)?,
        },
    };
    let command = Command::Problem(ProblemCommand::Step { problem, step });
    let done = submit(&app.desk, &caller, &body, command).await?;
    let face = face(&app, problem).await?;
    Ok(answer(HttpResponse::Ok(), done.replayed, &face))
}

async fn face(app: &App, problem: ProblemId) -> Result<Value, Problem> {
    let face = app
        .desk
        .read(move |desk: &AlertDesk, _| Some(desk.problems().get(problem)?.face()));
    let face = face.await.flatten();
    face.ok_or_else(|| Desired::PROBLEM.unknown(&problem.to_string()))
}
