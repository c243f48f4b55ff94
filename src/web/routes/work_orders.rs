//! Work orders: made from alerts, problems or by hand, and brought to their end.

use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use rules::Timestamp;
use rules::alerts::rule::Severity;
use rules::desk::orders::{NewOrder, OrderCommand, OrderEvent, OrderStatistics, OrderStep};
use rules::desk::{AlertDesk, Command, Event, OrderWish};
use rules::ids::{AlertId, HallId, OrderId, ProblemId};
use rules::machine::ItemKind;
use rules::name::Name;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

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
        .service(create)
        .service(statistics)
        .service(show)
        .service(step);
}

/// An order to be made. From an alert or a problem it takes what is not said here.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderBody {
    alert: Option<String>,
    problem: Option<String>,
    /// `{"zh": …, "en": …}` or one string for both.
    #[schema(value_type = Object)]
    title: Option<Name>,
    #[schema(value_type = Option<String>)]
    severity: Option<Severity>,
    hall: Option<String>,
    department: Option<String>,
    assignee: Option<String>,
    /// RFC 3339.
    due_at: Option<String>,
}

/// What a step needs: `assign` to; `resolve` comment; `reopen` reason; `transfer` to and reason;
/// `comment` text; `verify` may have a comment; `start` and `close` need nothing.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepBody {
    to: Option<String>,
    comment: Option<String>,
    reason: Option<String>,
    text: Option<String>,
}

/// Work orders of one's halls, the overdue and grave first.
#[utoipa::path(get, path = "/api/v1/work-orders", tag = "orders", params(ListQuery),
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[get("/work-orders")]
async fn list(
    app: Data<App>,
    caller: Caller,
    query: Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::HandleOrders)?;
    page(&app, &caller, ItemKind::WorkOrder, &query).await
}

/// Makes an order. Made from an alert or a problem, both point to each other.
#[utoipa::path(post, path = "/api/v1/work-orders", tag = "orders", request_body = OrderBody,
    responses((status = 201, body = Object), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[post("/work-orders")]
async fn create(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::HandleOrders)?;
    let wanted: OrderBody = body.parse()?;
    let command = match (&wanted.alert, &wanted.problem) {
        (Some(_), Some(_)) => return Err(Problem::invalid("problem", "is given beside an alert")),
        (Some(alert), None) => {
            let alert = alert.clone();
            from_alert(&app, &caller, &alert, wanted).await?
        }
        (None, Some(problem)) => {
            let problem = problem.clone();
            from_problem(&app, &caller, &problem, wanted).await?
        }
        (None, None) => by_hand(&app, &caller, wanted)?,
    };
    let done = submit(&app.desk, &caller, &body, command).await?;
    let made = done.recorded.iter().find_map(|one| match &one.event {
        Event::Order(OrderEvent::OrderCreated { order, .. }) => Some(*order),
        _ => None,
    });
    let order = made.ok_or_else(Problem::unavailable)?;
    let face = face(&app, order).await?;
    Ok(answer(HttpResponse::Created(), done.replayed, &face))
}

async fn from_alert(
    app: &App,
    caller: &Caller,
    alert: &str,
    wanted: OrderBody,
) -> Result<Command, Problem> {
    seen(app, caller, Desired::ALERT, alert).await?;
    let alert: AlertId = alert.parse().map_err(|_| Desired::ALERT.unknown(alert))?;
    Ok(Command::OrderFrom {
        alert,
        wish: OrderWish {
            title: wanted.title,
            assignee: wanted.assignee,
            due_at: instant("due_at", wanted.due_at.as_deref())?,
        },
    })
}

async fn from_problem(
    app: &App,
    caller: &Caller,
    problem: &str,
    wanted: OrderBody,
) -> Result<Command, Problem> {
    seen(app, caller, Desired::PROBLEM, problem).await?;
    let id: ProblemId = problem
        .parse()
        .map_err(|_| Desired::PROBLEM.unknown(problem))?;
    let listed = app.desk.read(move |desk, _| {
        let problem = desk.problems().get(id)?;
        Some(problem.listed.clone())
    });
    let listed = listed.await.ok_or_else(Problem::unavailable)?;
    let listed = listed.ok_or_else(|| Desired::PROBLEM.unknown(problem))?;
    let due_at = instant("due_at", wanted.due_at.as_deref())?;
    // The order for an overdue problem has no due time unless one is given.
    let ahead = listed.due_at.filter(|due_at| *due_at > app.now());
    Ok(created(NewOrder {
        title: wanted.title.unwrap_or(listed.title),
        severity: wanted.severity.unwrap_or(listed.severity),
        alert: None,
        rule: listed.rule,
        problem: Some(id),
        hall: listed.hall,
        department: wanted.department.or(listed.department),
        assignee: wanted.assignee,
        due_at: due_at.or(ahead),
    }))
}

fn by_hand(app: &App, caller: &Caller, wanted: OrderBody) -> Result<Command, Problem> {
    let hall = hall_of(app, caller, Action::HandleOrders, wanted.hall.as_deref())?;
    Ok(created(NewOrder {
        title: needed("title", wanted.title)?,
        severity: wanted.severity.unwrap_or_default(),
        alert: None,
        rule: None,
        problem: None,
        hall,
        department: wanted.department,
        assignee: wanted.assignee,
        due_at: instant("due_at", wanted.due_at.as_deref())?,
    }))
}

fn created(new: NewOrder) -> Command {
    Command::Order(OrderCommand::Create(Box::new(new)))
}

/// Which orders the figures are of.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// RFC 3339; made at or after. Orders closed more than 92 days ago are not counted.
    from: Option<String>,
    /// RFC 3339; made before.
    until: Option<String>,
    hall: Option<String>,
    #[allow(dead_code, reason = "read for refusals")]
    lang: Option<String>,
}

/// How soon orders are assigned, resolved and closed; in time; opened again: in all, by rule,
/// person and hall.
#[utoipa::path(get, path = "/api/v1/work-orders/statistics", tag = "orders", params(Period),
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[get("/work-orders/statistics")]
async fn statistics(
    app: Data<App>,
    caller: Caller,
    query: Query<Period>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::HandleOrders)?;
    let from = instant("from", query.from.as_deref())?;
    let until = instant("until", query.until.as_deref())?;
    let hall = query.into_inner().hall;
    let scope = caller.principal.scope.clone();
    let figures = app.desk.read(move |desk: &AlertDesk, _| {
        let within = |at: Timestamp| from <= Some(at) && until.is_none_or(|until| at < until);
        let wanted = |own: Option<&HallId>| {
            scope.holds_any(own) && (hall.is_none() || hall.as_deref() == own.map(HallId::as_str))
        };
        let all = desk.orders().iter();
        OrderStatistics::of(all.filter(|o| within(o.created_at) && wanted(o.made.hall.as_ref())))
    });
    let figures = figures.await.ok_or_else(Problem::unavailable)?;
    Ok(HttpResponse::Ok().json(figures))
}

/// An order with its history.
#[utoipa::path(get, path = "/api/v1/work-orders/{order}", tag = "orders", params(("order" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/work-orders/{order}")]
async fn show(app: Data<App>, caller: Caller, id: Path<String>) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::HandleOrders)?;
    let item = seen(&app, &caller, Desired::ORDER, &id).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(item.body))
}

/// Takes a step: assign, start, resolve, verify, close, reopen, transfer or comment.
#[utoipa::path(post, path = "/api/v1/work-orders/{order}/{step}", tag = "orders",
    params(("order" = String, Path), ("step" = String, Path)), request_body = StepBody,
    responses((status = 200, body = Object), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[post("/work-orders/{order}/{step:assign|start|resolve|verify|close|reopen|transfer|comment}")]
async fn step(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::HandleOrders)?;
    let (id, verb) = path.into_inner();
    seen(&app, &caller, Desired::ORDER, &id).await?;
    let order: OrderId = id.parse().map_err(|_| Desired::ORDER.unknown(&id))?;
    let said: StepBody = body.parse()?;
    let step = match verb.as_str() {
        "assign" => OrderStep::Assign {
            to: needed("to", said.to)?,
        },
        "start" => OrderStep::Start,
        "resolve" => OrderStep::Resolve {
            comment: needed("comment", said.comment)?,
        },
        "verify" => OrderStep::Verify {
            comment: said.comment,
        },
        "close" => OrderStep::Close,
        "reopen" => OrderStep::Reopen {
            reason: needed("reason", said.reason)?,
        },
        "transfer" => OrderStep::Transfer {
            to: needed("to", said.to)?,
            reason: needed("reason", said.reason)?,
        },
        _ => OrderStep::Comment {
            text: needed("text", said.text)?,
        },
    };
    let command = Command::Order(OrderCommand::Step { order, step });
    let done = submit(&app.desk, &caller, &body, command).await?;
    let face = face(&app, order).await?;
    Ok(answer(HttpResponse::Ok(), done.replayed, &face))
}

async fn face(app: &App, order: OrderId) -> Result<Value, Problem> {
    let face = app
        .desk
        .read(move |desk: &AlertDesk, _| Some(desk.orders().get(order)?.face()));
    let face = face.await.flatten();
    face.ok_or_else(|| Desired::ORDER.unknown(&order.to_string()))
}
