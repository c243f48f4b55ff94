//! Accounts of people.

use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpResponse, delete, get, post, put};
use rules::ids::{ClerkId, HallId};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::store::records::AccountRow;
use crate::web::App;
use crate::web::access::{Action, Role};
use crate::web::body::Body;
use crate::web::caller::Caller;
use crate::web::error::{Problem, ProblemBody};
use crate::web::once::once;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_users)
        .service(add_user)
        .service(change_user)
        .service(remove_user);
}

/// An account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserBody {
    /// Needed for a new account; elsewhere the path names it.
    username: Option<String>,
    name: Option<String>,
    /// clerk, manager, supervisor, admin
    roles: Option<Vec<Role>>,
    /// Ids of halls, or `*`.
    halls: Option<Vec<String>>,
    /// Windows a clerk may work at; empty is any.
    windows: Option<Vec<String>>,
    /// May call a ticket out of turn.
    call_chosen: Option<bool>,
    password: Option<String>,
    disabled: Option<bool>,
}

fn face(account: &AccountRow) -> Value {
    json!({
        "username": account.username, "name": account.name, "roles": account.roles,
        "halls": account.halls, "windows": account.windows, "call_chosen": account.call_chosen,
        "must_change_password": account.must_change_password, "disabled": account.disabled,
    })
}

/// Administrators manage every account; a manager the clerks of the manager's own halls.
fn may_manage(app: &App, caller: &Caller, account: &AccountRow) -> Result<(), Problem> {
    if caller.principal.may(Action::ManageAccounts) {
        return Ok(());
    }
    let clerk_only = account.roles == [Role::Clerk.name()];
    let within = !account.halls.is_empty() && caller.principal.scope.covers(&account.halls);
    if caller.principal.roles.contains(&Role::Manager) && clerk_only && within {
        return Ok(());
    }
    Err(caller.refuse(app, Action::ManageAccounts, &account.username))
}

/// The accounts one may manage.
#[utoipa::path(get, path = "/api/v1/users", tag = "accounts", responses((status = 200, body = Object)))]
#[get("/users")]
async fn list_users(app: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageHall)?;
    let all = app.auth.accounts();
    let items: Vec<Value> = all
        .iter()
        .filter(|account| {
            caller.principal.may(Action::ManageAccounts)
                || (account.roles == [Role::Clerk.name()]
                    && caller.principal.scope.covers(&account.halls))
        })
        .map(|account| face(account))
        .collect();
    Ok(HttpResponse::Ok().json(json!({"items": items})))
}

fn check_roles(roles: &[Role]) -> Result<Vec<String>, Problem> {
    let people = [
        Role::Clerk,
        Role::Engineer,
        Role::Manager,
        Role::Supervisor,
        Role::Admin,
    ];
    if roles.is_empty() || roles.iter().any(|role| !people.contains(role)) {
        return Err(Problem::invalid(
            "roles",
            "at least one of clerk, manager, supervisor, admin",
        ));
    }
    Ok(roles.iter().map(|role| role.name().to_owned()).collect())
}

fn check_halls(halls: &[String]) -> Result<(), Problem> {
    let known = |hall: &String| hall == "*" || hall.parse::<HallId>().is_ok();
    match halls.iter().find(|hall| !known(hall)) {
        Some(bad) => Err(Problem::invalid("halls", &format!("'{bad}' is no hall id"))),
        None => Ok(()),
    }
}

impl UserBody {
    /// The account after this change.
    async fn applied(self, app: &App, before: AccountRow) -> Result<AccountRow, Problem> {
        let mut after = before;
        if let Some(roles) = &self.roles {
            after.roles = check_roles(roles)?;
        }
        if let Some(halls) = self.halls {
            check_halls(&halls)?;
            after.halls = halls;
        }
        if let Some(name) = self.name {
            if name.chars().count() > 80 {
                return Err(Problem::invalid("name", "at most 80 characters"));
            }
            after.name = name;
        }
        if let Some(password) = &self.password {
            after.password_hash = app.auth.hash_new(&after.username, password).await?;
        }
        after.windows = self.windows.unwrap_or(after.windows);
        after.call_chosen = self.call_chosen.unwrap_or(after.call_chosen);
        after.disabled = self.disabled.unwrap_or(after.disabled);
        Ok(after)
    }
}

/// Adds an account.
#[utoipa::path(post, path = "/api/v1/users", tag = "accounts", request_body = UserBody,
    responses((status = 201, body = Object), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[post("/users")]
async fn add_user(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    let request: UserBody = body.parse()?;
    once(&app, &caller, &body, new_user(&app, &caller, request)).await
}

async fn new_user(app: &App, caller: &Caller, request: UserBody) -> Result<Value, Problem> {
    let username = request.username.clone().unwrap_or_default();
    if username.parse::<ClerkId>().is_err() {
        return Err(Problem::invalid(
            "username",
            "1 to 64 letters, digits, '-' or '_'",
        ));
    }
    if request.roles.is_none() {
        return Err(Problem::invalid("roles", "is needed"));
    }
    if request.password.is_none() {
        return Err(Problem::invalid("password", "is needed"));
    }
    caller.require(app, Action::ManageHall)?;
    let blank = AccountRow {
        name: username.clone(),
        username,
        password_hash: String::new(),
        roles: Vec::new(),
        halls: Vec::new(),
        windows: Vec::new(),
        call_chosen: false,
        must_change_password: false,
        hotkeys: "{}".to_owned(),
        disabled: false,
    };
    let account = request.applied(app, blank).await?;
    may_manage(app, caller, &account)?;
    app.auth.put_account(account.clone(), true).await?;
    let detail = json!({"roles": account.roles, "halls": account.halls});
    app.audit(caller, "account_added", &account.username, detail)
        .await?;
    Ok(face(&account))
}

fn unknown_user() -> Problem {
    Problem::unknown("unknown_user", "没有这个账号", "there is no such account")
}

/// Changes an account.
#[utoipa::path(put, path = "/api/v1/users/{username}", tag = "accounts", params(("username" = String, Path)),
    request_body = UserBody, responses((status = 200, body = Object), (status = 404, body = ProblemBody)))]
#[put("/users/{username}")]
async fn change_user(
    app: Data<App>,
    caller: Caller,
    username: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageHall)?;
    let before = app.auth.account(&username).ok_or_else(unknown_user)?;
    may_manage(&app, &caller, &before)?;
    let account = body
        .parse::<UserBody>()?
        .applied(&app, (*before).clone())
        .await?;
    may_manage(&app, &caller, &account)?;
    app.auth.put_account(account.clone(), false).await?;
    app.audit(
        &caller,
        "account_changed",
        &account.username,
        json!({"before": face(&before), "after": face(&account)}),
    )
    .await?;
    Ok(HttpResponse::Ok().json(face(&account)))
}

/// Removes an account; its sessions end.
#[utoipa::path(delete, path = "/api/v1/users/{username}", tag = "accounts", params(("username" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
#[delete("/users/{username}")]
async fn remove_user(
    app: Data<App>,
    caller: Caller,
    username: Path<String>,
) -> Result<HttpResponse, Problem> {
    caller.require(&app, Action::ManageHall)?;
    let account = app.auth.account(&username).ok_or_else(unknown_user)?;
    may_manage(&app, &caller, &account)?;
    if account.username == caller.principal.name {
        return Err(Problem::invalid("username", "one cannot remove oneself"));
    }
    app.auth.remove_account(&account.username).await?;
    app.audit(&caller, "account_removed", &account.username, json!({}))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
