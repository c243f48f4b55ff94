//! Signing in and out, and what a person keeps for themselves.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put};
use rules::time::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::store::records::AccountRow;
use crate::web::App;
use crate::web::access::Scope;
use crate::web::auth::{DEVICE_COOKIE, SESSION_COOKIE, cookie};
use crate::web::body::Body;
use crate::web::caller::{Caller, address_of};
use crate::web::error::{Problem, ProblemBody};

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(sign_in)
        .service(show)
        .service(sign_out)
        .service(change_password)
        .service(show_hotkeys)
        .service(set_hotkeys);
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    username: String,
    password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    old: String,
    new: String,
}

fn face(account: &AccountRow) -> Value {
    json!({
        "username": account.username,
        "name": account.name,
        "roles": account.roles,
        "halls": account.halls,
        "windows": account.windows,
        "call_chosen": account.call_chosen,
        "must_change_password": account.must_change_password,
    })
}

/// Signs in; sets the session cookie and returns the token.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = Credentials,
    responses((status = 200, description = "token, expires_at, roles", body = Object),
        (status = 401, body = ProblemBody), (status = 429, body = ProblemBody)))]
#[post("/session")]
async fn sign_in(
    app: Data<App>,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let Credentials { username, password } = body.parse()?;
    let address = address_of(&request);
    let entry = |action: &str| crate::store::records::AuditEntry {
        at: app.now(),
        actor: username.chars().take(64).collect(),
        role: "visitor".to_owned(),
        action: action.to_owned(),
        object: "session".to_owned(),
        detail: "{}".to_owned(),
        ip: address.clone(),
    };
    let signed_in = app
        .auth
        .sign_in(&username, &password, &address, app.now())
        .await;
    let (token, session, account) = match signed_in {
        Ok(signed_in) => signed_in,
        Err(problem) => {
            app.records.insert_audit(&entry("sign_in_refused")).await?;
            return Err(problem);
        }
    };
    app.records.insert_audit(&entry("signed_in")).await?;
    let mut answer = face(&account);
    answer["token"] = json!(token);
    answer["expires_at"] = json!(session.expires_at.rfc3339_utc());
    let secs = session.expires_at.secs_since(app.now()) as i64;
    let secure = request.connection_info().scheme() == "https";
    Ok(HttpResponse::Ok()
        .cookie(cookie(SESSION_COOKIE, &token, secs, secure))
        .json(answer))
}

fn account_of(app: &App, caller: &Caller) -> Result<std::sync::Arc<AccountRow>, Problem> {
    app.auth
        .account(&caller.principal.name)
        .ok_or_else(Problem::unauthorized)
}

/// The zone in which this person's pages show times: that of their halls, if it is one, and else the
/// installation's.
async fn time_zone(app: &App, account: &AccountRow) -> TimeZone {
    let installation = app.settings.cases.time_zone;
    let scope = Scope::of(account.halls.clone());
    let mut one = None;
    for (id, handle) in app.system.halls.all() {
        if !scope.holds(&id) {
            continue;
        }
        let zone = handle.read(|hall, _| hall.config().time_zone).await;
        if zone.is_none() || one.is_some_and(|one| Some(one) != zone) {
            return installation;
        }
        one = zone;
    }
    one.unwrap_or(installation)
}

/// Who is signed in, and in which time zone their pages show times.
#[utoipa::path(get, path = "/api/v1/session", tag = "session",
    responses((status = 200, body = Object), (status = 401, body = ProblemBody)))]
#[get("/session")]
async fn show(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    let account = account_of(&app, &caller)?;
    let mut answer = face(&account);
    answer["time_zone"] = json!(time_zone(&app, &account).await);
    Ok(HttpResponse::Ok().json(answer))
}

/// Signs out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 204)))]
#[delete("/session")]
async fn sign_out(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    if let Some(token) = &caller.token {
        app.auth.sign_out(token).await?;
        app.audit(&caller, "signed_out", "session", json!({}))
            .await?;
    }
    let mut response = HttpResponse::NoContent();
    for name in [SESSION_COOKIE, DEVICE_COOKIE] {
        response.cookie(cookie(name, "", 0, false));
    }
    Ok(response.finish())
}

/// Changes one's own password; other sessions of the account end.
#[utoipa::path(put, path = "/api/v1/session/password", tag = "session", request_body = PasswordChange,
    responses((status = 204), (status = 401, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[put("/session/password")]
async fn change_password(
    app: Data<App>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let account = account_of(&app, &caller)?;
    let PasswordChange { old, new } = body.parse()?;
    app.auth
        .change_password(&account.username, &old, &new, caller.token.as_deref())
        .await?;
    if account.username == crate::first_start::ADMIN {
        crate::first_start::forget_password(&app.settings.data.dir);
    }
    app.audit(&caller, "password_changed", &account.username, json!({}))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// One's own hot keys: from action to key.
#[utoipa::path(get, path = "/api/v1/session/hotkeys", tag = "session", responses((status = 200, body = Object)))]
#[get("/session/hotkeys")]
async fn show_hotkeys(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    let account = account_of(&app, &caller)?;
    let keys: Value = serde_json::from_str(&account.hotkeys).unwrap_or_else(|_| json!({}));
    Ok(HttpResponse::Ok().json(keys))
}

/// Binds hot keys, in force at once. The object replaces the one before.
#[utoipa::path(put, path = "/api/v1/session/hotkeys", tag = "session", request_body = Object,
    responses((status = 200, body = Object), (status = 422, body = ProblemBody)))]
#[put("/session/hotkeys")]
async fn set_hotkeys(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    let account = account_of(&app, &caller)?;
    let keys: std::collections::BTreeMap<String, String> = body.parse()?;
    let long = |text: &String| text.chars().count() > 40;
    if keys.len() > 40 || keys.iter().any(|(action, key)| long(action) || long(key)) {
        return Err(Problem::invalid(
            "hotkeys",
            "at most 40 of at most 40 characters each",
        ));
    }
    let mut seen = std::collections::BTreeSet::new();
    // An empty key unbinds an action.
    if let Some(twice) = keys
        .values()
        .find(|key| !key.is_empty() && !seen.insert(*key))
    {
        return Err(Problem::invalid(
            "hotkeys",
            &format!("{twice} is bound twice"),
        ));
    }
    app.auth
        .set_hotkeys(&account.username, &json!(keys).to_string())
        .await?;
    Ok(HttpResponse::Ok().json(keys))
}
