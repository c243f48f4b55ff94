//! Cases: what other systems tell of them, the board, and what is done about them here.

mod telling;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::NaiveDate;
use dashboards::cases::{detail, face};
use rules::cases::board::{Board, Filter, Group, Stage, Sync, percent};
use rules::cases::{Case, CaseCommand, CaseDesk, CaseEvent, CaseNo, CaseRefusal, State, TimeState};
use rules::ids::HallId;
use rules::machine::ItemKind;
use rules::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::cases::import::says_nothing_new;
use crate::cases::urge::tell_handler;
use crate::cases::{put_away, read};
use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::answer;
use crate::web::routes::desk::submit;
use crate::web::routes::items::{self, ListQuery};
use telling::{CaseBody, StepBody};

/// Rows on a page unless asked otherwise, and at most.
const PAGE: usize = 50;
const PAGE_MAX: usize = 1000;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(tell_case)
        .service(list)
        .service(board)
        .service(unregistered)
        .service(show)
        .service(progress)
        .service(tell_step)
        .service(handle_case);
}

/// What somebody does about a case here.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandleBody {
    note: Option<String>,
    /// Of `assign`: to whom.
    to: Option<String>,
}

/// Tells of a case. Telling again replaces what was told of it besides its steps; the same again
/// changes nothing.
#[utoipa::path(post, path = "/api/v1/cases", tag = "cases", request_body = CaseBody, responses(
    (status = 201, body = Object), (status = 200, body = Object),
    (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[post("/cases")]
async fn tell_case(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::FeedCases)?;
    let mut request: CaseBody = body.parse()?;
    let holder = request.holder.take();
    let holder = holder.map(|person| person.hash(&app)).transpose()?;
    let telling = request.telling()?;
    if let Some(hall) = &telling.told.hall {
        caller.require_in(&app, Action::FeedCases, hall)?;
    }
    let case_no = telling.case_no.clone();
    let (hall, tickets) = (telling.told.hall.clone(), telling.told.tickets.clone());
    if let Some(Found { case, at_desk }) = find(&app, &case_no).await? {
        within_reach(&app, &caller, Action::FeedCases, &case)?;
        if !at_desk && says_nothing_new(&case, &telling) {
            return Ok(HttpResponse::Ok().json(told(&app, &case, false)));
        }
        if !at_desk {
            return Err(Problem::refused(&CaseRefusal::CasePutAway { case_no }));
        }
    }
    let tell = CaseCommand::Tell(vec![telling]);
    let done = submit(&app.cases, &caller, &body, tell).await?;
    if let Some(holder) = &holder {
        app.records
            .add_case_holder(holder, case_no.as_str())
            .await?;
    }
    if let Some(hall) = &hall {
        app.records
            .add_case_tickets(hall, &tickets, case_no.as_str())
            .await?;
    }
    let new = |event: &CaseEvent| matches!(event, CaseEvent::CaseTold { .. });
    let response = match done.recorded.iter().any(|recorded| new(&recorded.event)) {
        true => HttpResponse::Created(),
        false => HttpResponse::Ok(),
    };
    let case = known(&app, &case_no).await?;
    let body = told(&app, &case, !done.recorded.is_empty());
    Ok(answer(response, done.replayed, &body))
}

fn told(app: &App, case: &Case, changed: bool) -> Value {
    let mut body = line(app, case);
    body["changed"] = json!(changed);
    body
}

/// Tells of something that happened to a case; in any order, and again without harm.
#[utoipa::path(post, path = "/api/v1/cases/{case}/steps", tag = "cases", request_body = StepBody, responses(
    (status = 201, body = Object), (status = 200, body = Object),
    (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
#[post("/cases/{case}/steps")]
async fn tell_step(
    app: Data<App>,
    caller: Caller,
    path: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::FeedCases)?;
    let step = body.parse::<StepBody>()?.step("")?;
    let case_no = at_desk(&app, &caller, Action::FeedCases, &path).await?;
    let tell = CaseCommand::TellStep {
        case_no: case_no.clone(),
        step,
    };
    let done = submit(&app.cases, &caller, &body, tell).await?;
    let response = match done.recorded.is_empty() {
        true => HttpResponse::Ok(),
        false => HttpResponse::Created(),
    };
    let case = known(&app, &case_no).await?;
    Ok(answer(
        response,
        done.replayed,
        &told(&app, &case, !done.recorded.is_empty()),
    ))
}

/// Accepts a case, returns it to its applicant, urges its handler, or assigns it. Each is noted with
/// who did it and when.
#[utoipa::path(post, path = "/api/v1/cases/{case}/{verb}", tag = "cases", request_body = HandleBody,
    params(("case" = String, Path), ("verb" = String, Path, description = "accept, return, urge or assign")),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
#[post("/cases/{case}/{verb:accept|return|urge|assign}")]
async fn handle_case(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::HandleCases)?;
    let (case, verb) = path.into_inner();
    let HandleBody { note, to } = body.parse()?;
    let case_no = at_desk(&app, &caller, Action::HandleCases, &case).await?;
    let detail = json!({"note": note, "to": to});
    let name = case_no.clone();
    let (command, action) = match (verb.as_str(), to) {
        ("assign", Some(to)) if (1..=200).contains(&to.chars().count()) => {
            let case_no = name;
            (CaseCommand::Assign { case_no, to, note }, "case_assigned")
        }
        ("assign", _) => return Err(Problem::invalid("to", "1 to 200 characters")),
        (_, Some(_)) => return Err(Problem::invalid("to", "belongs to assign only")),
        ("accept", None) => (
            CaseCommand::Accept {
                case_no: name,
                note,
            },
            "case_accepted",
        ),
        ("return", None) => (
            CaseCommand::Return {
                case_no: name,
                note,
            },
            "case_returned",
        ),
        (_, None) => (
            CaseCommand::Urge {
                case_no: name,
                note,
            },
            "case_urged",
        ),
    };
    let done = submit(&app.cases, &caller, &body, command).await?;
    if !done.replayed {
        app.audit(&caller, action, case_no.as_str(), detail).await?;
    }
    let case = known(&app, &case_no).await?;
    tell_handler(&app.desk, &case, &done.recorded).await?;
    Ok(answer(
        HttpResponse::Ok(),
        done.replayed,
        &line(&app, &case),
    ))
}

/// One case with its steps, departments and limits.
#[utoipa::path(get, path = "/api/v1/cases/{case}", tag = "cases",
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/cases/{case}")]
async fn show(app: Data<App>, caller: Caller, path: Path<String>) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeCases)?;
    let case_no = number(&path)?;
    let found = find(&app, &case_no).await?;
    let case = found.ok_or_else(|| unknown(&case_no))?.case;
    within_reach(&app, &caller, Action::SeeCases, &case)?;
    if case.told.applicant_masked.is_some() {
        app.audit(&caller, "case_seen", case_no.as_str(), json!({}))
            .await?;
    }
    Ok(HttpResponse::Ok().json(detail(&case, &app.case_settings, app.now())))
}

/// How far a case is, for whoever has its number: nothing in it tells whose it is.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/case-progress/{case}", tag = "cases",
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/halls/{hall}/case-progress/{case}")]
async fn progress(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (hall, case_no) = path.into_inner();
    let (hall, _) = app.hall(&hall)?;
    caller.require_in(&app, Action::AskProgress, &hall)?;
    let case_no = number(&case_no)?;
    let found = find(&app, &case_no).await?;
    let case = found.ok_or_else(|| unknown(&case_no))?.case;
    let seen = face(&case, &app.case_settings, app.now());
    Ok(HttpResponse::Ok().json(json!({
        "case_no": seen.case_no, "item": seen.item, "state": seen.state,
        "department": seen.department, "due_at": seen.due_at, "ended_at": seen.ended_at,
    })))
}

/// What the board's numbers choose by. With one of these the list is that of the cases in memory:
/// all that have not ended, and those that ended lately.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct BoardQuery {
    /// `todo`, `handled`, `closed`, `draft`, `supplement`, `special`, `refused`, `void` or `returned`.
    group: Option<String>,
    state: Option<String>,
    /// `none`, `on_time`, `near_due` or `overdue`.
    time: Option<String>,
    /// `not_started`, `open` or `ended`.
    stage: Option<String>,
    acceptance_overdue: Option<bool>,
    awaiting_materials: Option<bool>,
    wrong_order: Option<bool>,
    time_inverted: Option<bool>,
    part_overdue: Option<bool>,
    /// `acked`, `pending` or `late`.
    sync: Option<String>,
    accepted_on: Option<NaiveDate>,
    hall: Option<String>,
    department: Option<String>,
    handler: Option<String>,
    /// Whose work lists `todo` and `handled` are; without it each handler's own.
    whose: Option<String>,
    /// Of the closed-loop rate; today unless given.
    date: Option<NaiveDate>,
    limit: Option<usize>,
    /// The `next` of the page before.
    after: Option<String>,
    #[allow(
        dead_code,
        reason = "`lang_of` reads it; here it must not count as unknown"
    )]
    lang: Option<String>,
}

/// The parameters that a list from memory is known by.
const OF_BOARD: [&str; 12] = [
    "group",
    "time",
    "stage",
    "acceptance_overdue",
    "awaiting_materials",
    "wrong_order",
    "time_inverted",
    "part_overdue",
    "sync",
    "accepted_on",
    "handler",
    "whose",
];

impl BoardQuery {
    fn filter(&self) -> Result<Filter, Problem> {
        fn one_of<T>(
            field: &str,
            text: &Option<String>,
            read: impl Fn(&str) -> Option<T>,
        ) -> Result<Option<T>, Problem> {
            let read = |text: &String| {
                read(text).ok_or_else(|| Problem::invalid(field, "there is no such choice"))
            };
            text.as_ref().map(read).transpose()
        }
        Ok(Filter {
            group: one_of("group", &self.group, Group::parse)?,
            state: one_of("state", &self.state, State::parse)?,
            time: one_of("time", &self.time, TimeState::parse)?,
            stage: one_of("stage", &self.stage, Stage::parse)?,
            sync: one_of("sync", &self.sync, Sync::parse)?,
            hall: one_of("hall", &self.hall, |hall| hall.parse().ok())?,
            acceptance_overdue: self.acceptance_overdue,
            awaiting_materials: self.awaiting_materials,
            wrong_order: self.wrong_order,
            time_inverted: self.time_inverted,
            part_overdue: self.part_overdue,
            accepted_on: self.accepted_on,
            department: self.department.clone(),
            handler: self.handler.clone(),
            whose: self.whose.clone(),
        })
    }
}

/// A page of cases: by a choice of the board, or else over everything ever told.
#[utoipa::path(get, path = "/api/v1/cases", tag = "cases", params(ListQuery, BoardQuery),
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[get("/cases")]
async fn list(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeCases)?;
    let query = request.query_string();
    let given = Query::<BTreeMap<String, String>>::from_query(query);
    let given = given.map_err(|error| Problem::invalid("query", &error.to_string()))?;
    if OF_BOARD.iter().any(|name| given.contains_key(*name)) {
        let query = Query::<BoardQuery>::from_query(query)
            .map_err(|error| Problem::invalid("query", &error.to_string()))?;
        return from_memory(&app, &caller, &query).await;
    }
    let query = Query::<ListQuery>::from_query(query)
        .map_err(|error| Problem::invalid("query", &error.to_string()))?;
    let filter = query.filter(&caller)?;
    let face = |item: &rules::machine::Item| Ok(line(&app, &read(&item.body)?));
    let page = items::list(&app, ItemKind::Case, &filter, face).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// The cases of a choice, those due first first.
async fn from_memory(
    app: &App,
    caller: &Caller,
    query: &BoardQuery,
) -> Result<HttpResponse, Problem> {
    let filter = query.filter()?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let after = query.after.as_deref().map(place).transpose()?;
    let scope = caller.principal.scope.clone();
    let (total, cases, next) = on_desk(app, move |desk, now| {
        let settings = desk.settings();
        let mine = |case: &&Case| scope.holds_any(case.told.hall.as_ref());
        let mut chosen: Vec<&Case> = desk
            .cases()
            .filter(mine)
            .filter(|case| filter.matches(case, settings, now))
            .collect();
        chosen.sort_by_key(|case| sort_key(case));
        let behind = |case: &&Case| after.as_ref().is_none_or(|after| sort_key(case) > *after);
        let mut page = chosen.iter().copied().filter(behind);
        let cases: Vec<Case> = page.by_ref().take(limit).cloned().collect();
        let last = cases.last().filter(|_| page.next().is_some());
        let next = last.map(|case| {
            let (due, case_no) = sort_key(case);
            format!("{due}.{case_no}")
        });
        (chosen.len(), cases, next)
    })
    .await?;
    let items: Vec<Value> = cases.iter().map(|case| line(app, case)).collect();
    Ok(HttpResponse::Ok().json(json!({"items": items, "total": total, "next": next})))
}

/// What lists from memory are sorted by: the due time, then the number.
fn sort_key(case: &Case) -> (i64, CaseNo) {
    let due = case.due_at().map_or(i64::MAX, Timestamp::millis);
    (due, case.case_no.clone())
}

fn place(cursor: &str) -> Result<(i64, CaseNo), Problem> {
    let read = || {
        let (due, case_no) = cursor.split_once('.')?;
        Some((due.parse().ok()?, case_no.parse().ok()?))
    };
    read().ok_or_else(|| Problem::invalid("after", "does not belong to this list"))
}

/// The board: cases by work list and by time, each number with the choice that lists it; how many of
/// a hall's tickets became cases; how far the province's system is behind.
#[utoipa::path(get, path = "/api/v1/cases/board", tag = "cases", params(BoardQuery),
    responses((status = 200, body = Object)))]
#[get("/cases/board")]
async fn board(
    app: Data<App>,
    caller: Caller,
    query: Query<BoardQuery>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeCases)?;
    let filter = query.filter()?;
    let scope = caller.principal.scope.clone();
    let hall = filter.hall.clone();
    let (board, departments) = on_desk(&app, move |desk, now| {
        let cases = || {
            let mine = |case: &&Case| scope.holds_any(case.told.hall.as_ref());
            desk.cases().filter(mine)
        };
        let board = Board::of(cases(), &filter, desk.settings(), now);
        let matching = cases().filter(|case| filter.matches(case, desk.settings(), now));
        (board, by_department(matching, now))
    })
    .await?;
    let now = app.now();
    let mut body = serde_json::to_value(&board).unwrap_or_default();
    body["as_of"] = json!(now.rfc3339_utc());
    body["departments"] = departments;
    body["closed_loop"] = match hall {
        Some(hall) => {
            caller.require_in(&app, Action::SeeCases, &hall)?;
            let day = day_of(&app, &hall, query.date).await?;
            let figures = app.records.closed_loop(&hall, &day).await?;
            let (completed, linked) = (figures.completed as usize, figures.linked as usize);
            json!({
                "hall": hall, "date": day, "completed": completed, "linked": linked,
                "percent": percent(linked, completed), "unregistered": completed - linked,
            })
        }
        None => Value::Null,
    };
    Ok(HttpResponse::Ok().json(body))
}

/// Open cases of each department by time, the most overdue first.
fn by_department<'a>(cases: impl Iterator<Item = &'a Case>, now: Timestamp) -> Value {
    let mut all: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    for case in cases.filter(|case| case.state.is_open()) {
        let counts = all.entry(case.told.department.as_str()).or_default();
        counts[case.time_state(now) as usize] += 1;
    }
    let mut rows: Vec<_> = all.into_iter().collect();
    rows.sort_by_key(|(name, counts)| {
        let overdue = counts[TimeState::Overdue as usize];
        (Reverse(overdue), *name)
    });
    let row = |(department, counts): (&str, [usize; 4])| {
        let [no_limit, on_time, near_due, overdue] = counts;
        json!({
            "department": department, "on_time": on_time, "near_due": near_due,
            "overdue": overdue, "no_limit": no_limit,
        })
    };
    rows.into_iter().map(row).collect()
}

/// Tickets of a hall's day that were served without registration.
#[utoipa::path(get, path = "/api/v1/cases/unregistered", tag = "cases", params(BoardQuery),
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[get("/cases/unregistered")]
async fn unregistered(
    app: Data<App>,
    caller: Caller,
    query: Query<BoardQuery>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeCases)?;
    let hall = query.filter()?.hall;
    let hall = hall.ok_or_else(|| Problem::invalid("hall", "whose tickets?"))?;
    caller.require_in(&app, Action::SeeCases, &hall)?;
    let day = day_of(&app, &hall, query.date).await?;
    let after = query.after.as_deref().unwrap_or("0").parse();
    let after = after.map_err(|_| Problem::invalid("after", "does not belong to this list"))?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let records = &app.records;
    let mut tickets = records
        .unregistered(&hall, &day, after, limit as u32 + 1)
        .await?;
    let more = tickets.len() > limit;
    tickets.truncate(limit);
    let next = tickets
        .last()
        .filter(|_| more)
        .map(|t| t.ticket.to_string());
    let items: Vec<Value> = tickets
        .iter()
        .map(|ticket| {
            json!({
                "ticket": ticket.ticket, "number": ticket.number, "service": ticket.service,
                "window": ticket.window,
                "completed_at": ticket.completed_at.map(Timestamp::rfc3339_utc),
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({"items": items, "next": next})))
}

/// A hall's business day: the date asked for, or today where the hall is.
async fn day_of(app: &App, hall: &HallId, date: Option<NaiveDate>) -> Result<String, Problem> {
    if let Some(date) = date {
        return Ok(date.to_string());
    }
    let (_, handle) = app.hall(hall.as_str())?;
    let today = handle.read(|hall, now| hall.config().time_zone.date_of(now));
    let today = today.await.ok_or_else(Problem::unavailable)?;
    Ok(today.to_string())
}

/// A case, wherever it is kept.
struct Found {
    case: Case,
    /// The desk still takes steps of it.
    at_desk: bool,
}

async fn find(app: &App, case_no: &CaseNo) -> Result<Option<Found>, Problem> {
    let wanted = case_no.clone();
    let held = on_desk(app, move |desk, _| desk.case(&wanted).cloned()).await?;
    if let Some(case) = held {
        return Ok(Some(Found {
            case,
            at_desk: true,
        }));
    }
    let case = put_away(&app.records, case_no).await?;
    Ok(case.map(|case| Found {
        case,
        at_desk: false,
    }))
}

async fn known(app: &App, case_no: &CaseNo) -> Result<Case, Problem> {
    let found = find(app, case_no).await?;
    Ok(found.ok_or_else(|| unknown(case_no))?.case)
}

/// The case of a path, which the desk must still hold and the caller may touch.
async fn at_desk(
    app: &App,
    caller: &Caller,
    action: Action,
    path: &str,
) -> Result<CaseNo, Problem> {
    let case_no = number(path)?;
    let found = find(app, &case_no).await?;
    let Found { case, at_desk } = found.ok_or_else(|| unknown(&case_no))?;
    within_reach(app, caller, action, &case)?;
    match at_desk {
        true => Ok(case_no),
        false => Err(Problem::refused(&CaseRefusal::CasePutAway { case_no })),
    }
}

fn number(path: &str) -> Result<CaseNo, Problem> {
    path.parse().map_err(|_| super::no_such_path())
}

fn unknown(case_no: &CaseNo) -> Problem {
    Problem::refused(&CaseRefusal::UnknownCase {
        case_no: case_no.clone(),
    })
}

/// A case belongs to its hall's people. One without a hall is seen and handled by those who may see
/// every hall; whoever feeds cases may feed it.
fn within_reach(app: &App, caller: &Caller, action: Action, case: &Case) -> Result<(), Problem> {
    let hall = case.told.hall.as_ref();
    let fed = hall.is_none() && matches!(action, Action::FeedCases);
    if fed || caller.principal.scope.holds_any(hall) {
        return Ok(());
    }
    Err(caller.refuse(app, action, case.case_no.as_str()))
}

async fn on_desk<R: Send + 'static>(
    app: &App,
    read: impl FnOnce(&CaseDesk, Timestamp) -> R + Send + 'static,
) -> Result<R, Problem> {
    app.cases.read(read).await.ok_or_else(Problem::unavailable)
}

fn line(app: &App, case: &Case) -> Value {
    serde_json::to_value(face(case, &app.case_settings, app.now())).unwrap_or_default()
}
