//! What is known of people by a keyed hash of their document: tags, and the cases they have.

use actix_web::web::{Data, Query, ServiceConfig};
use actix_web::{HttpResponse, delete, get, post};
use rules::identity::IdentityKind;
use rules::ids::Tag;
use rules::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::store::records::{CaseRow, TagRow};
use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::once::once;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(show_tags)
        .service(add_tag)
        .service(remove_tag)
        .service(feed_case);
}

/// A person, by a document.
#[derive(Debug, Deserialize, ToSchema, IntoParams)]
pub struct Person {
    #[schema(value_type = String)]
    #[param(value_type = String)]
    kind: IdentityKind,
    id_number: String,
}

impl Person {
    fn hash(&self, app: &App) -> Result<String, Problem> {
        let number = self.id_number.trim().to_ascii_uppercase();
        self.kind
            .check(&number)
            .map_err(|fault| Problem::invalid("id_number", fault.en))?;
        Ok(app.auth.person(self.kind, &number))
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TagBody {
    person: Person,
    #[schema(value_type = String)]
    tag: Tag,
}

/// A person's tags.
#[utoipa::path(get, path = "/api/v1/tags", tag = "people", params(Person), responses((status = 200, body = Object)))]
#[get("/tags")]
async fn show_tags(
    app: Data<App>,
    caller: Caller,
    person: Query<Person>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageTags)?;
    let hash = person.hash(&app)?;
    app.audit(&caller, "tags_seen", &hash, json!({})).await?;
    let tags = app.records.tags_of(&hash).await?;
    let tags: Vec<&str> = tags.iter().map(|row| row.tag.as_str()).collect();
    Ok(HttpResponse::Ok().json(json!({"tags": tags})))
}

/// Gives a person a tag; it counts from the next ticket on.
#[utoipa::path(post, path = "/api/v1/tags", tag = "people", request_body = TagBody,
    responses((status = 201, body = Object), (status = 422, body = ProblemBody)))]
#[post("/tags")]
async fn add_tag(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageTags)?;
    let request: TagBody = body.parse()?;
    once(&app, &caller, &body, give_tag(&app, &caller, request)).await
}

async fn give_tag(app: &App, caller: &Caller, request: TagBody) -> Result<Value, Problem> {
    let TagBody { person, tag } = request;
    let row = TagRow {
        person: person.hash(app)?,
        tag: tag.to_string(),
        added_at: app.now(),
        by: caller.principal.name.clone(),
    };
    app.records.add_tag(&row).await?;
    app.audit(caller, "tag_added", &row.person, json!({"tag": tag}))
        .await?;
    Ok(json!({"tag": tag}))
}

/// Takes a tag from a person; a ticket already issued does not change.
#[utoipa::path(delete, path = "/api/v1/tags", tag = "people", request_body = TagBody,
    responses((status = 204), (status = 404, body = ProblemBody)))]
#[delete("/tags")]
async fn remove_tag(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageTags)?;
    let TagBody { person, tag } = body.parse()?;
    let hash = person.hash(&app)?;
    if !app.records.remove_tag(&hash, tag.as_str()).await? {
        return Err(Problem::unknown(
            "unknown_tag",
            "没有这个标签",
            "the person does not have this tag",
        ));
    }
    app.audit(&caller, "tag_removed", &hash, json!({"tag": tag}))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A case of a person, as the case system tells it. The console lists it beside the ticket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseBody {
    case_no: String,
    holder: Person,
    item: String,
    /// As in the case system; closed, refused, returned, void and archived count as ended.
    state: String,
    #[serde(default)]
    department: String,
    /// RFC 3339.
    due_at: Option<String>,
}

/// Whether a case lies behind.
pub fn is_closed(state: &str) -> bool {
    matches!(
        state,
        "closed" | "refused" | "returned" | "void" | "result_issued" | "archived"
    )
}

pub fn case_face(case: &CaseRow) -> Value {
    json!({
        "case_no": case.case_no, "item": case.item, "state": case.state,
        "department": case.department, "due_at": case.due_at.map(Timestamp::rfc3339_utc),
    })
}

/// Tells of a case; telling again replaces what was told.
#[utoipa::path(post, path = "/api/v1/cases", tag = "people", request_body = CaseBody,
    responses((status = 201, body = Object), (status = 422, body = ProblemBody)))]
#[post("/cases")]
async fn feed_case(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::FeedCases)?;
    let case: CaseBody = body.parse()?;
    once(&app, &caller, &body, keep_case(&app, case)).await
}

async fn keep_case(app: &App, case: CaseBody) -> Result<Value, Problem> {
    let texts = [
        ("case_no", &case.case_no, 1),
        ("item", &case.item, 1),
        ("state", &case.state, 1),
        ("department", &case.department, 0),
    ];
    for (field, text, least) in texts {
        if !(least..=200).contains(&text.chars().count()) {
            return Err(Problem::invalid(field, "1 to 200 characters"));
        }
    }
    let due_at = match &case.due_at {
        Some(text) => Some(
            Timestamp::parse_rfc3339(text)
                .ok_or_else(|| Problem::invalid("due_at", "RFC 3339 is needed"))?,
        ),
        None => None,
    };
    let row = CaseRow {
        person: case.holder.hash(app)?,
        case_no: case.case_no,
        item: case.item,
        state: case.state,
        department: case.department,
        due_at,
        updated_at: app.now(),
    };
    app.records.upsert_case(&row).await?;
    Ok(case_face(&row))
}
