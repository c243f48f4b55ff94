//! Who hears of alerts. Lists show masked addresses; whoever looks at one receiver's addresses is
//! noted in the audit first.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpResponse, delete, get, post, put};
use rules::desk::messages::MessageCommand;
use rules::desk::receivers::{Receiver, ReceiverCommand};
use rules::desk::{AlertDesk, Command};
use rules::ids::ReceiverId;
use serde_json::{Value, json};

use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::answer;
use crate::web::routes::desk::submit;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list)
        .service(show)
        .service(put_receiver)
        .service(remove)
        .service(test);
}

fn unknown(id: &str) -> Problem {
    Problem::unknown(
        "unknown_receiver",
        "没有这个接收人",
        "there is no such receiver",
    )
    .with("receiver", id)
}

fn id_of(text: &str) -> Result<ReceiverId, Problem> {
    text.parse().map_err(|_| unknown(text))
}

/// Whether all the halls that it hears of lie within the caller's scope.
fn within(caller: &Caller, receiver: &Receiver) -> bool {
    let halls: Vec<String> = receiver.halls.iter().cloned().collect();
    caller.principal.scope.covers(&halls)
}

/// A receiver that the caller may manage.
async fn own(app: &App, caller: &Caller, id: &ReceiverId) -> Result<Receiver, Problem> {
    let wanted = id.clone();
    let receiver = app
        .desk
        .read(move |desk: &AlertDesk, _| desk.receivers().get(&wanted).cloned());
    let receiver = receiver.await.ok_or_else(Problem::unavailable)?;
    let receiver = receiver.ok_or_else(|| unknown(id.as_str()))?;
    match within(caller, &receiver) {
        true => Ok(receiver),
        false => Err(caller.refuse(app, Action::ManageNotices, id.as_str())),
    }
}

/// The receivers of one's halls, their addresses masked.
#[utoipa::path(get, path = "/api/v1/receivers", tag = "notices", responses((status = 200, body = Object)))]
#[get("/receivers")]
async fn list(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageNotices)?;
    let all = app.desk.read(|desk: &AlertDesk, _| {
        let all = desk.receivers().iter();
        all.cloned().collect::<Vec<_>>()
    });
    let all = all.await.ok_or_else(Problem::unavailable)?;
    let items: Vec<Value> = all
        .iter()
        .filter(|receiver| within(&caller, receiver))
        .map(Receiver::face)
        .collect();
    Ok(HttpResponse::Ok().json(json!({"items": items, "next": null})))
}

/// A receiver with its addresses; who looked is audited.
#[utoipa::path(get, path = "/api/v1/receivers/{receiver}", tag = "notices", params(("receiver" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/receivers/{receiver}")]
async fn show(app: Data<App>, caller: Caller, id: Path<String>) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageNotices)?;
    let id = id_of(&id)?;
    let receiver = own(&app, &caller, &id).await?;
    app.audit(&caller, "receiver_seen", id.as_str(), json!({}))
        .await?;
    Ok(HttpResponse::Ok().json(receiver))
}

/// Makes a receiver, or sets it anew: `{name, account?, roles?, halls?, lang?, time_zone?, ways:
/// [{kind, address?, fallback?}], quiet?: {from, until} | null, enabled?}`.
#[utoipa::path(put, path = "/api/v1/receivers/{receiver}", tag = "notices", params(("receiver" = String, Path)),
    request_body = Object,
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[put("/receivers/{receiver}")]
async fn put_receiver(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageNotices)?;
    let receiver = named(&id, &body)?;
    match own(&app, &caller, &receiver.id).await {
        Err(problem) if problem.code() != "unknown_receiver" => return Err(problem),
        _ => {}
    }
    if !within(&caller, &receiver) {
        return Err(caller.refuse(&app, Action::ManageNotices, &id));
    }
    let ways: Vec<&str> = receiver.ways.iter().map(|way| way.kind.name()).collect();
    let detail = json!({"account": receiver.account, "halls": receiver.halls, "ways": ways});
    let face = receiver.face();
    let put = Command::Receiver(ReceiverCommand::Put(Box::new(receiver)));
    let done = submit(&app.desk, &caller, &body, put).await?;
    app.audit(&caller, "receiver_set", &id, detail).await?;
    Ok(answer(HttpResponse::Ok(), done.replayed, &face))
}

/// The receiver of the body under the id of the path.
fn named(id: &str, body: &Body) -> Result<Receiver, Problem> {
    if id.parse::<ReceiverId>().is_err() {
        let reason = "1 to 64 letters, digits, '-' or '_'";
        return Err(Problem::invalid("receiver", reason));
    }
    let mut fields: serde_json::Map<String, Value> = body.parse()?;
    match fields.get("id") {
        Some(other) if other != id => return Err(Problem::invalid("id", "differs from the path")),
        _ => {}
    }
    fields.insert("id".to_owned(), json!(id));
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "body" } else { &path };
        Problem::invalid(field, &error.inner().to_string())
    })
}

/// Removes a receiver. Messages to it that have not gone out become dead letters.
#[utoipa::path(delete, path = "/api/v1/receivers/{receiver}", tag = "notices", params(("receiver" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
#[delete("/receivers/{receiver}")]
async fn remove(app: Data<App>, caller: Caller, id: Path<String>) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageNotices)?;
    let id = id_of(&id)?;
    own(&app, &caller, &id).await?;
    let command = Command::Receiver(ReceiverCommand::Remove(id.clone()));
    let by = &caller.principal.name;
    app.desk.submit(command, by, None).await?;
    app.audit(&caller, "receiver_removed", id.as_str(), json!({}))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sends a trial by all of a receiver's ways, also those for fallback and at night; the messages.
#[utoipa::path(post, path = "/api/v1/receivers/{receiver}/test", tag = "notices", params(("receiver" = String, Path)),
    responses((status = 202, body = Object), (status = 404, body = ProblemBody)))]
#[post("/receivers/{receiver}/test")]
async fn test(
    app: Data<App>,
    caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageNotices)?;
    let receiver = id_of(&id)?;
    own(&app, &caller, &receiver).await?;
    let command = Command::Message(MessageCommand::Test { receiver });
    let done = submit(&app.desk, &caller, &body, command).await?;
    let messages: Vec<Value> = done
        .recorded
        .iter()
        .filter_map(|one| match &one.event {
            rules::desk::Event::Message(event) => {
                event.queued().map(|message| json!(message.face()))
            }
            _ => None,
        })
        .collect();
    Ok(answer(
        HttpResponse::Accepted(),
        done.replayed,
        &json!({"items": messages}),
    ))
}
