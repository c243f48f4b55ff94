//! What the staff has to say over all of a hall's public screens.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpResponse, delete, get, put};
use actors::hall::Submit;
use dashboards::board;
use rules::Timestamp;
use rules::hall::{Command, Notice, NoticeLevel};
use rules::name::Name;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::web::App;
use crate::web::access::Action;
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::routes::answer;

pub fn configure(config: &mut ServiceConfig) {
    config.service(show).service(post).service(clear);
}

/// A notice as the staff writes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeBody {
    /// `notice`: one line beside the calls; `emergency`: the whole of every screen.
    #[schema(value_type = String)]
    level: NoticeLevel,
    /// `{"zh": …, "en": …}` or one string for both; at most 200 characters each.
    #[schema(value_type = Object)]
    text: Name,
    /// When it goes by itself, RFC 3339; at most 31 days ahead. Without it, when it is taken down.
    until: Option<String>,
}

impl NoticeBody {
    fn notice(self) -> Result<Notice, Problem> {
        let until = match &self.until {
            Some(text) => Some(
                Timestamp::parse_rfc3339(text)
                    .ok_or_else(|| Problem::invalid("until", "is no RFC 3339 time"))?,
            ),
            None => None,
        };
        Ok(Notice {
            level: self.level,
            text: self.text,
            until,
        })
    }
}

/// The notice as the boards show it, and the hall's seq.
async fn present(app: &App, hall: &str) -> Result<Value, Problem> {
    let (_, handle) = app.hall(hall)?;
    let present = handle
        .read(|hall, _| json!({"notice": board::notice_face(hall), "seq": hall.seq()}))
        .await;
    present.ok_or_else(Problem::unavailable)
}

/// What is said over the hall's screens; `notice` is null when nothing is.
#[utoipa::path(get, path = "/api/v1/halls/{hall}/notice", tag = "halls", params(("hall" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[get("/halls/{hall}/notice")]
async fn show(app: Data<App>, caller: Caller, hall: Path<String>) -> Result<HttpResponse, Problem> {
    let (id, _) = app.hall(&hall)?;
    caller.require_in(&app, Action::SeeHall, &id)?;
    Ok(HttpResponse::Ok().json(present(&app, &hall).await?))
}

/// Says something over all of the hall's boards and kiosks, in the place of what was said before.
#[utoipa::path(put, path = "/api/v1/halls/{hall}/notice", tag = "halls", params(("hall" = String, Path)),
    request_body = NoticeBody,
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[put("/halls/{hall}/notice")]
async fn post(
    app: Data<App>,
    caller: Caller,
    hall: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::PostNotice, &id)?;
    let notice = body.parse::<NoticeBody>()?.notice()?;
    let detail = json!({"level": notice.level, "text": notice.text});
    let command = Command::PostNotice { notice };
    let done = handle
        .submit(Submit::new(command, &caller.principal.name))
        .await?;
    app.audit(&caller, "notice_set", id.as_str(), detail)
        .await?;
    let present = present(&app, &hall).await?;
    Ok(answer(HttpResponse::Ok(), done.replayed, &present))
}

/// Takes the notice down.
#[utoipa::path(delete, path = "/api/v1/halls/{hall}/notice", tag = "halls", params(("hall" = String, Path)),
    responses((status = 200, body = Object), (status = 409, body = ProblemBody)))]
#[delete("/halls/{hall}/notice")]
async fn clear(
    app: Data<App>,
    caller: Caller,
    hall: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (id, handle) = app.hall(&hall)?;
    caller.require_in(&app, Action::PostNotice, &id)?;
    let done = handle
        .submit(Submit::new(Command::ClearNotice, &caller.principal.name))
        .await?;
    app.audit(&caller, "notice_cleared", id.as_str(), json!({}))
        .await?;
    let present = present(&app, &hall).await?;
    Ok(answer(HttpResponse::Ok(), done.replayed, &present))
}
