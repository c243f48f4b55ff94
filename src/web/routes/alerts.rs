//! Alerts: what stands, why, who has it in hand, and what may be done about it.

use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use actors::alert_desk::Present;
use rules::Timestamp;
use rules::desk::face::comparisons_json;
use rules::desk::{Command, Event, Handling, Instance, OrderWish};
use rules::ids::{AlertId, HallId};
use rules::machine::{Item, ItemKind};
use rules::name::Name;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::store::records::ItemFilter;
use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::answer;
use crate::web::routes::items::{self, ListQuery, instant};

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(figures)
        .service(supervision)
        .service(show)
        .service(handle);
}

/// Alerts, the newest first; closed ones, too.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", params(ListQuery),
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[get("/alerts")]
async fn list(
    app: Data<App>,
    caller: Caller,
    query: Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeAlerts)?;
    let filter = query.filter(&caller)?;
    let page = items::list(&app, ItemKind::Alert, &filter, face_of).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// A row without what only the alert's own page shows.
fn face_of(item: &Item) -> Result<Value, Problem> {
    let mut face: Value = serde_json::from_str(&item.body).map_err(|_| Problem::unavailable())?;
    if let Some(fields) = face.as_object_mut() {
        for heavy in ["why", "timeline", "shelf", "ack_comment", "ack_sticky"] {
            fields.remove(heavy);
        }
    }
    Ok(face)
}

/// How the desk bears its load, and how the passes go.
#[utoipa::path(get, path = "/api/v1/alerts/load", tag = "alerts",
    responses((status = 200, body = Object)))]
#[get("/alerts/load")]
async fn figures(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeAlerts)?;
    if !caller.principal.scope.everywhere() {
        return Err(caller.refuse(&app, Action::SeeAlerts, "-"));
    }
    let load = app
        .alerting
        .desk
        .read(|desk, now| desk.alerts().load(1, None, now));
    let load = load.await.ok_or_else(Problem::unavailable)?;
    let pass = app
        .alerting
        .driver
        .figures()
        .await
        .ok_or_else(Problem::unavailable)?;
    let last = pass.last_pass.map(Timestamp::rfc3339_utc);
    Ok(HttpResponse::Ok().json(json!({"load": load, "pass": pass, "last_pass_at": last})))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SupervisionQuery {
    /// RFC 3339; raised at or after.
    pub from: String,
    /// RFC 3339; raised before.
    pub until: String,
    pub lang: Option<String>,
}

/// Results of supervision over a time: alerts raised, handled and still open, by department.
#[utoipa::path(get, path = "/api/v1/alerts/supervision", tag = "alerts", params(SupervisionQuery),
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[get("/alerts/supervision")]
async fn supervision(
    app: Data<App>,
    caller: Caller,
    query: Query<SupervisionQuery>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeAlerts)?;
    let mut filter = ItemFilter {
        opened_from: instant("from", Some(&query.from))?,
        opened_before: instant("until", Some(&query.until))?,
        halls: caller.principal.scope.filter(),
        limit: 500,
        ..ItemFilter::default()
    };
    let mut all = Vec::new();
    loop {
        let page = app.records.items(ItemKind::Alert, &filter).await?;
        all.extend(
            page.items
                .iter()
                .map(|item| (item.department.clone(), face_of(item))),
        );
        filter.cursor = page.next;
        if filter.cursor.is_none() || all.len() >= 100_000 {
            break;
        }
    }
    let mut departments = std::collections::BTreeMap::<Option<String>, (usize, usize)>::new();
    let mut open = Vec::new();
    for (department, face) in all {
        let face = face?;
        let stands = face["resolved_at"].is_null();
        for of in [None, department.filter(|name| !name.is_empty())]
            .into_iter()
            .enumerate()
        {
            if of.0 == 0 || of.1.is_some() {
                let sum = departments.entry(of.1).or_default();
                *sum = (sum.0 + 1, sum.1 + usize::from(!stands));
            }
        }
        if stands {
            open.push(face);
        }
    }
    let row = |name: &Option<String>, (raised, handled): (usize, usize)| {
        let percent = (handled as f64 * 1000.0 / raised as f64).round() / 10.0;
        json!({"department": name, "raised": raised, "handled": handled, "handled_percent": percent})
    };
    let total = departments.remove(&None).unwrap_or_default();
    let by: Vec<Value> = departments
        .iter()
        .map(|(name, sum)| row(name, *sum))
        .collect();
    let mut answer = match total.0 {
        0 => json!({"raised": 0, "handled": 0, "handled_percent": null}),
        _ => row(&None, total),
    };
    answer["departments"] = json!(by);
    answer["open"] = json!(open);
    Ok(HttpResponse::Ok().json(answer))
}

/// The alert of a path.
fn id_of(text: &str) -> Result<AlertId, Problem> {
    text.parse().map_err(|_| unknown_alert(text))
}

fn unknown_alert(text: &str) -> Problem {
    Problem::unknown("unknown_alert", "没有这个预警", "there is no such alert").with("alert", text)
}

/// What is needed of an alert before anything is done with it.
struct Found {
    hall: Option<HallId>,
    instance: Instance,
    detail: Value,
}

async fn find(app: &App, id: AlertId) -> Result<Option<Found>, Problem> {
    let read = app.desk.read(move |desk, _| {
        let alert = desk.alerts().get(id)?;
        Some(Found {
            hall: alert.raise.hall.clone(),
            instance: Instance::new(&alert.raise.rule, &alert.raise.subject),
            detail: json!(desk.alerts().detail(alert)),
        })
    });
    read.await.ok_or_else(Problem::unavailable)
}

/// Demands a right for the alert's hall; what is of no hall is for those whose scope is all halls.
pub(super) fn require_of(
    app: &App,
    caller: &Caller,
    action: Action,
    hall: Option<&HallId>,
    object: &str,
) -> Result<(), Problem> {
    caller.require(app, action)?;
    match caller.principal.scope.holds_any(hall) {
        true => Ok(()),
        false => Err(caller.refuse(app, action, object)),
    }
}

/// One alert: why it was raised and how the values are now, its history, messages and curve.
#[utoipa::path(get, path = "/api/v1/alerts/{alert}", tag = "alerts", params(("alert" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/alerts/{alert}")]
async fn show(
    app: Data<App>,
    caller: Caller,
    alert: Path<String>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::SeeAlerts)?;
    let id = id_of(&alert)?;
    let mut detail = match find(&app, id).await? {
        Some(found) => {
            require_of(
                &app,
                &caller,
                Action::SeeAlerts,
                found.hall.as_ref(),
                &alert,
            )?;
            let present = app.alerting.driver.alert(id, found.instance).await;
            with_present(found.detail, &present.unwrap_or_default())
        }
        None => {
            let item = app.records.item(ItemKind::Alert, &id.to_string()).await?;
            let item = item.ok_or_else(|| unknown_alert(&alert))?;
            require_of(&app, &caller, Action::SeeAlerts, item.hall.as_ref(), &alert)?;
            serde_json::from_str(&item.body).map_err(|_| Problem::unavailable())?
        }
    };
    let about = ItemFilter {
        about: Some(id.to_string()),
        limit: 100,
        ..ItemFilter::default()
    };
    let messages = app.records.items(ItemKind::Message, &about).await?;
    let messages = messages
        .items
        .iter()
        .filter_map(|item| serde_json::from_str(&item.body).ok());
    detail["messages"] = json!(messages.collect::<Vec<Value>>());
    Ok(HttpResponse::Ok().json(detail))
}

/// Adds how it is now to how it was.
fn with_present(mut detail: Value, present: &Present) -> Value {
    detail["why"]["now"] = comparisons_json(&present.comparisons);
    detail["why"]["as_of"] = json!(present.as_of.map(Timestamp::rfc3339_utc));
    if let Some(count) = present.count.filter(|count| *count > 0) {
        detail["count"] = json!(count);
    }
    let curve = present.curve.iter();
    detail["curve"] = curve
        .map(|(at, value)| json!([at.rfc3339_utc(), value]))
        .collect();
    detail
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HandlingBody {
    /// For `ack` and `resolve`.
    comment: Option<String>,
    /// RFC 3339; when an acknowledgement or a shelf ends.
    until: Option<String>,
    /// An acknowledgement that outlives a rise in severity.
    sticky: bool,
    /// For `assign`: the account.
    to: Option<String>,
    /// For `shelve`.
    reason: Option<String>,
    /// For `comment`.
    text: Option<String>,
    /// For `order`, as the following two.
    #[schema(value_type = Option<Object>)]
    title: Option<Name>,
    assignee: Option<String>,
    due_at: Option<String>,
}

impl HandlingBody {
    fn command(self, alert: AlertId, verb: &str) -> Result<Command, Problem> {
        let needed = |field: &str, value: Option<String>| {
            value.ok_or_else(|| Problem::invalid(field, "is needed"))
        };
        let until = instant("until", self.until.as_deref())?;
        let handling = match verb {
            "ack" => Handling::Acknowledge {
                comment: self.comment,
                until,
                sticky: self.sticky,
            },
            "assign" => Handling::Assign {
                to: needed("to", self.to)?,
            },
            "start" => Handling::Start,
            "resolve" => Handling::Resolve {
                comment: needed("comment", self.comment)?,
            },
            "close" => Handling::Close,
            "comment" => Handling::Comment {
                text: needed("text", self.text)?,
            },
            "shelve" => Handling::Shelve {
                until: until.ok_or_else(|| Problem::invalid("until", "is needed"))?,
                reason: needed("reason", self.reason)?,
            },
            "unshelve" => Handling::Unshelve,
            "urge" => Handling::Urge,
            "order" => {
                let wish = OrderWish {
                    title: self.title,
                    assignee: self.assignee,
                    due_at: instant("due_at", self.due_at.as_deref())?,
                };
                return Ok(Command::OrderFrom { alert, wish });
            }
            _ => return Err(crate::web::routes::no_such_path()),
        };
        Ok(Command::Handle { alert, handling })
    }
}

/// Does something with an alert: `ack`, `assign`, `start`, `resolve`, `close`, `comment`, `shelve`,
/// `unshelve`, `urge` or `order`.
#[utoipa::path(post, path = "/api/v1/alerts/{alert}/{verb}", tag = "alerts",
    params(("alert" = String, Path), ("verb" = String, Path)), request_body = HandlingBody,
    responses((status = 200, body = Object), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[post("/alerts/{alert}/{verb}")]
async fn handle(
    app: Data<App>,
    caller: Caller,
    path: Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (alert, verb) = path.into_inner();
    caller.require(&app, Action::HandleAlerts)?;
    let id = id_of(&alert)?;
    if let Some(found) = find(&app, id).await? {
        require_of(
            &app,
            &caller,
            Action::HandleAlerts,
            found.hall.as_ref(),
            &alert,
        )?;
    }
    let command = body.parse::<HandlingBody>()?.command(id, &verb)?;
    let by = &caller.principal.name;
    let done = app
        .alerting
        .desk
        .submit(command, by, caller.key(&body)?)
        .await?;
    app.audit(&caller, &format!("alert_{verb}"), &alert, json!({}))
        .await?;
    let order = done.recorded.iter().find_map(|one| match &one.event {
        Event::Order(event) => Some(event.order()),
        _ => None,
    });
    let mut face = find(&app, id)
        .await?
        .map_or_else(|| json!({"id": id}), |found| found.detail);
    if let Some(order) = order {
        face["work_order"] = json!(order);
    }
    Ok(answer(HttpResponse::Ok(), done.replayed, &face))
}
