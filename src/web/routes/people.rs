//! What is known of people by a keyed hash of their document: their tags.

use actix_web::web::{Data, Query, ServiceConfig};
use actix_web::{HttpResponse, delete, get, post};
use rules::identity::IdentityKind;
use rules::ids::Tag;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::store::records::TagRow;
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
        .service(remove_tag);
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
    /// The keyed hash of the document.
    ///
    /// # Errors
    /// `invalid_field` when there is no such number.
    pub fn hash(&self, app: &App) -> Result<String, Problem> {
        let number = self.id_number.trim().to_ascii_uppercase();
        self.kind
            .check(&number)
            .map_err(|fault| Problem::invalid("id_number", fault.en).saying(fault.zh, fault.en))?;
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
