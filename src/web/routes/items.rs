//! What the lists of the desks have in common: their query, their scope, their answer.

use rules::alerts::rule::Severity;
use rules::machine::{Item, ItemKind};
use rules::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::store::records::{ItemFilter, ItemSort};
use crate::web::App;
use crate::web::caller::Caller;
use crate::web::error::Problem;

/// Rows on a page unless asked otherwise.
const PAGE: u32 = 50;

/// What every list of a desk may be filtered and sorted by.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// One or more states, separated by commas.
    pub state: Option<String>,
    pub hall: Option<String>,
    pub department: Option<String>,
    /// Handler, assignee or receiver; `assignee` means the same.
    #[serde(alias = "assignee")]
    pub person: Option<String>,
    /// An alert's rule (`rule` means the same), an order's or problem's source, a case's item.
    #[serde(alias = "rule")]
    pub about: Option<String>,
    /// An alert's topic, e.g. `flow`.
    pub topic: Option<String>,
    /// The id of an alert's subject, e.g. `H1/A`.
    pub subject: Option<String>,
    /// `notice`, `warning` or `critical`.
    pub severity: Option<String>,
    /// Urgency, 0 the least.
    pub rank: Option<u8>,
    /// Only what has, or has not, ended.
    pub ended: Option<bool>,
    /// RFC 3339; opened at or after.
    pub opened_from: Option<String>,
    /// RFC 3339; opened before.
    pub opened_before: Option<String>,
    pub due_from: Option<String>,
    pub due_before: Option<String>,
    /// `newest`, `due` or `rank`.
    pub sort: Option<String>,
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
    pub lang: Option<String>,
}

impl ListQuery {
    /// The filter within what the caller may see.
    ///
    /// # Errors
    /// `invalid_field` naming what does not fit.
    pub fn filter(&self, caller: &Caller) -> Result<ItemFilter, Problem> {
        let scope = caller.principal.scope.filter();
        let halls = match (&self.hall, scope) {
            (Some(hall), Some(scope)) => Some(
                scope
                    .into_iter()
                    .filter(|own| own == hall)
                    .collect::<Vec<_>>(),
            ),
            (Some(hall), None) => Some(vec![hall.clone()]),
            (None, scope) => scope,
        };
        let states = self.state.as_deref().unwrap_or_default().split(',');
        Ok(ItemFilter {
            states: states
                .filter(|state| !state.is_empty())
                .map(str::to_owned)
                .collect(),
            halls,
            department: self.department.clone(),
            person: self.person.clone(),
            about: self.about.clone(),
            topic: self.topic.clone(),
            subject: self.subject.clone(),
            severity: severity(self.severity.as_deref())?,
            rank: self.rank,
            ended: self.ended,
            opened_from: instant("opened_from", self.opened_from.as_deref())?,
            opened_before: instant("opened_before", self.opened_before.as_deref())?,
            due_from: instant("due_from", self.due_from.as_deref())?,
            due_before: instant("due_before", self.due_before.as_deref())?,
            sort: match self.sort.as_deref() {
                None | Some("newest") => ItemSort::Newest,
                Some("due") => ItemSort::Due,
                Some("rank") => ItemSort::Rank,
                Some(_) => return Err(Problem::invalid("sort", "newest, due or rank")),
            },
            limit: self.limit.unwrap_or(PAGE),
            cursor: self.after.clone(),
        })
    }
}

/// An instant by RFC 3339, if one is given.
///
/// # Errors
/// `invalid_field`.
pub fn instant(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let read = |text| {
        Timestamp::parse_rfc3339(text).ok_or_else(|| Problem::invalid(field, "RFC 3339 is needed"))
    };
    text.map(read).transpose()
}

fn severity(name: Option<&str>) -> Result<Option<Severity>, Problem> {
    let read = |name| {
        let known = Severity::NAMES.iter().find(|known| known.0 == name);
        known
            .map(|known| known.1)
            .ok_or_else(|| Problem::invalid("severity", "notice, warning or critical"))
    };
    name.map(read).transpose()
}

/// A page of a list, each item given as `face` makes it of its stored JSON.
///
/// # Errors
/// `invalid_field`, or the database is not available.
pub async fn list(
    app: &App,
    kind: ItemKind,
    filter: &ItemFilter,
    face: impl Fn(&Item) -> Result<Value, Problem>,
) -> Result<Value, Problem> {
    let page = app.records.items(kind, filter).await?;
    let items = page.items.iter().map(face).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"items": items, "total": page.total, "next": page.next}))
}
