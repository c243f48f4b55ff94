//! What the routes of the desks' things have in common: who may see them, and how commands
//! are handed over.

use std::sync::Arc;

use actix_web::HttpResponse;
use actors::desk::{Desk, Done};
use rules::ids::HallId;
use rules::machine::{Item, ItemKind, Machine};
use serde_json::Value;

use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::Problem;
use crate::web::routes::items::{ListQuery, list};

/// A kind of thing, as refusals name it.
#[derive(Clone, Copy)]
pub struct Desired {
    kind: ItemKind,
    code: &'static str,
    zh: &'static str,
    en: &'static str,
    /// The right that whoever may not see it lacks.
    action: Action,
}

impl Desired {
    pub const ALERT: Self = Self {
        kind: ItemKind::Alert,
        code: "unknown_alert",
        zh: "没有这个预警",
        en: "there is no such alert",
        action: Action::SeeAlerts,
    };
    pub const ORDER: Self = Self {
        kind: ItemKind::WorkOrder,
        code: "unknown_work_order",
        zh: "没有这个工单",
        en: "there is no such work order",
        action: Action::HandleOrders,
    };
    pub const PROBLEM: Self = Self {
        kind: ItemKind::Problem,
        code: "unknown_problem",
        zh: "没有这个问题",
        en: "there is no such problem",
        action: Action::HandleOrders,
    };
    pub const MESSAGE: Self = Self {
        kind: ItemKind::Message,
        code: "unknown_message",
        zh: "没有这条消息",
        en: "there is no such message",
        action: Action::SeeAlerts,
    };

    pub fn unknown(self, id: &str) -> Problem {
        Problem::unknown(self.code, self.zh, self.en).with("id", id)
    }
}

/// The row of a thing that the caller may see.
///
/// # Errors
/// It is unknown, or belongs to a hall outside of the caller's scope.
pub async fn seen(app: &App, caller: &Caller, what: Desired, id: &str) -> Result<Item, Problem> {
    let item = app.records.item(what.kind, id).await?;
    let item = item.ok_or_else(|| what.unknown(id))?;
    if caller.principal.scope.holds_any(item.hall.as_ref()) {
        Ok(item)
    } else {
        Err(caller.refuse(app, what.action, id))
    }
}

/// A page of things of one kind, the most urgent first unless asked otherwise.
///
/// # Errors
/// `invalid_field`, or the database is not available.
pub async fn page(
    app: &App,
    caller: &Caller,
    kind: ItemKind,
    query: &ListQuery,
) -> Result<HttpResponse, Problem> {
    let mut filter = query.filter(caller)?;
    if query.sort.is_none() && kind != ItemKind::Message {
        filter.sort = crate::store::records::ItemSort::Rank;
    }
    let face = |item: &Item| {
        serde_json::from_str::<Value>(&item.body).map_err(|cause| {
            tracing::error!(%cause, id = item.id, "row of a list is no JSON");
            Problem::unavailable()
        })
    };
    Ok(HttpResponse::Ok().json(list(app, kind, &filter, face).await?))
}

/// Hands a command over under the request's idempotency key.
///
/// # Errors
/// The desk's refusal, `idempotency_key_reused`, or it cannot be saved.
pub async fn submit<M: Machine>(
    desk: &Desk<M>,
    caller: &Caller,
    body: &Body,
    command: M::Command,
) -> Result<Arc<Done<M>>, Problem> {
    let key = caller.key(body)?;
    Ok(desk.submit(command, &caller.principal.name, key).await?)
}

/// The hall that a new thing is to belong to.
///
/// # Errors
/// There is no such hall, or it or the whole city is outside of the caller's scope.
pub fn hall_of(
    app: &App,
    caller: &Caller,
    action: Action,
    hall: Option<&str>,
) -> Result<Option<HallId>, Problem> {
    match hall {
        Some(hall) => {
            let (hall, _) = app.hall(hall)?;
            caller.require_in(app, action, &hall)?;
            Ok(Some(hall))
        }
        None if caller.principal.scope.everywhere() => Ok(None),
        None => Err(Problem::invalid("hall", "is needed")),
    }
}

/// A field without which it cannot be done.
///
/// # Errors
/// `invalid_field`.
pub fn needed<T>(field: &str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::invalid(field, "is needed"))
}
