//! Who may do what, tried role by role and route by route.

use std::time::{Duration, Instant};

use awc::http::Method;
use hallkeeper::web::access::{Action, Role};
use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE, Server};

/// One way to do a thing: method, path and body. Bodies are such that an allowed request is either
/// carried out or refused for another reason than the right.
struct Attempt {
    action: Action,
    method: Method,
    path: &'static str,
    body: Option<Value>,
}

fn attempts() -> Vec<Attempt> {
    let get = |action, path| Attempt {
        action,
        method: Method::GET,
        path,
        body: None,
    };
    let post = |action, path, body| Attempt {
        action,
        method: Method::POST,
        path,
        body: Some(body),
    };
    let put = |action, path, body| Attempt {
        action,
        method: Method::PUT,
        path,
        body: Some(body),
    };
    let delete = |action, path| Attempt {
        action,
        method: Method::DELETE,
        path,
        body: None,
    };
    let person = json!({"kind": "phone", "id_number": "13812345678"});
    vec![
        get(Action::SeeHall, "/halls/H1"),
        get(Action::SeeHall, "/halls/H1/services/S1"),
        get(Action::SeeHall, "/halls/H1/tickets/1"),
        post(
            Action::IssueTicket,
            "/halls/H1/tickets",
            json!({"service": "none"}),
        ),
        post(Action::IssueTicket, "/halls/H1/tickets/1/cancel", json!({})),
        post(
            Action::IssueTicket,
            "/halls/H1/tickets/1/requeue",
            json!({}),
        ),
        post(
            Action::IssueTicket,
            "/halls/H1/tickets/1/rating",
            json!({"stars": 5}),
        ),
        post(Action::WorkWindow, "/halls/H1/windows/1/recall", json!({})),
        post(
            Action::WorkWindow,
            "/halls/H1/windows/1/heartbeat",
            json!({}),
        ),
        get(Action::WorkWindow, "/halls/H1/windows/1/holder"),
        get(Action::WorkWindow, "/halls/H1/windows/1/next"),
        get(Action::WorkWindow, "/halls/H1/windows/1/my-day"),
        get(Action::WorkWindow, "/halls/H1/windows/1/held"),
        get(Action::WorkWindow, "/halls/H1/policy"),
        get(Action::ReadTickets, "/halls/H1/tickets"),
        get(Action::ReadTickets, "/halls/H1/figures"),
        get(Action::ExportTickets, "/halls/H1/tickets.csv"),
        post(Action::ManageHall, "/halls/H1/open", json!({})),
        put(Action::ManageHall, "/halls/H1", json!({})),
        put(Action::ManageHall, "/halls/H1/policy", json!({})),
        put(
            Action::ManageHall,
            "/halls/H1/services/S1",
            json!({"name": "社保", "prefix": "B"}),
        ),
        put(
            Action::ManageHall,
            "/halls/H1/windows/1",
            json!({"services": ["S1"]}),
        ),
        delete(Action::ManageHall, "/halls/H1/services/none"),
        delete(Action::ManageHall, "/halls/H1/windows/none"),
        post(
            Action::ManageDevices,
            "/devices",
            json!({"id": "a b", "kind": "kiosk", "hall": "H1"}),
        ),
    ]
    .into_iter()
    .chain([
        post(
            Action::ManageTags,
            "/tags",
            json!({"person": person, "tag": "elderly"}),
        ),
        post(
            Action::FeedCases,
            "/cases",
            json!({
                "case_no": "K1", "holder": person, "item": "x", "state": "accepted",
            }),
        ),
        post(
            Action::RegisterHall,
            "/halls",
            json!({"id": "H1", "name": "x"}),
        ),
        get(Action::ReadAudit, "/audit"),
    ])
    .collect()
}

/// Actions that are not bound to one hall: a scope elsewhere does not forbid them.
fn is_bound_to_a_hall(action: Action) -> bool {
    !matches!(
        action,
        Action::ManageTags | Action::FeedCases | Action::RegisterHall | Action::ReadAudit
    )
}

async fn principal(server: &Server, role: Role, hall: &str) -> Client {
    let admin = server.admin();
    match role {
        Role::Visitor => server.visitor(),
        Role::Kiosk | Role::Screen => {
            let id = format!("{}-{hall}", role.name());
            let device = json!({"id": id, "kind": role.name(), "hall": hall});
            let added = admin.post("/devices", device).await.expect(201);
            Client::new(&server.base, added["token"].as_str().map(str::to_owned))
        }
        Role::Clerk | Role::Manager | Role::Supervisor | Role::Admin => {
            let username = format!("{}-{hall}", role.name());
            let user = json!({
                "username": username, "password": "long enough 1", "roles": [role.name()], "halls": [hall],
            });
            admin.post("/users", user).await.expect(201);
            server.sign_in(&username, "long enough 1").await
        }
    }
}

fn was_forbidden(status: u16, body: &Value) -> bool {
    matches!(
        (status, body["code"].as_str()),
        (401, Some("not_signed_in")) | (403, Some("forbidden"))
    )
}

#[actix_web::test]
async fn each_role_may_do_what_the_table_says_and_nothing_else() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    server.hall("H2", 1).await;
    admin.issue("H1", "S1").await;
    for role in Role::ALL {
        let here = principal(&server, role, "H1").await;
        let elsewhere = principal(&server, role, "H2").await;
        for Attempt {
            action,
            method,
            path,
            body,
        } in attempts()
        {
            let allowed = action.roles().contains(&role);
            let text = body.map(|body| body.to_string());
            let answer = here.send(method.clone(), path, text.clone(), &[]).await;
            let forbidden = was_forbidden(answer.status, &answer.body);
            assert_eq!(
                forbidden, !allowed,
                "{role} {method} {path}: {}",
                answer.text
            );
            let answer = elsewhere.send(method.clone(), path, text, &[]).await;
            let forbidden = was_forbidden(answer.status, &answer.body);
            let expected = !allowed || is_bound_to_a_hall(action) || action == Action::RegisterHall;
            assert_eq!(
                forbidden, expected,
                "{role} of another hall {method} {path}: {}",
                answer.text
            );
        }
    }
}

#[actix_web::test]
async fn a_refusal_leaves_an_audit_row_with_who_and_what() {
    let server = Server::start().await;
    server.hall("H1", 1).await;
    let clerk = principal(&server, Role::Clerk, "H1").await;
    clerk
        .post("/halls/H1/close", json!({}))
        .await
        .refused(403, "forbidden");
    let deadline = Instant::now() + PATIENCE;
    let rows = loop {
        let page = server
            .admin()
            .get("/audit?action=refused")
            .await
            .expect(200);
        if !page["items"].as_array().unwrap().is_empty() {
            break page["items"].clone();
        }
        assert!(Instant::now() < deadline, "the refusal is not in the audit");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(rows[0]["actor"], "clerk-H1");
    assert_eq!(rows[0]["object"], "H1");
    assert_eq!(rows[0]["detail"]["action"], "manage_hall");
}

#[actix_web::test]
async fn a_manager_manages_the_clerks_of_the_own_halls_only() {
    let server = Server::start().await;
    server.hall("H1", 1).await;
    server.hall("H2", 1).await;
    let manager = principal(&server, Role::Manager, "H1").await;
    let user = |name: &str, role: &str, hall: &str| json!({"username": name, "password": "long enough 1", "roles": [role], "halls": [hall]});
    manager
        .post("/users", user("c1", "clerk", "H1"))
        .await
        .expect(201);
    manager
        .post("/users", user("c2", "clerk", "H2"))
        .await
        .refused(403, "forbidden");
    manager
        .post("/users", user("c3", "clerk", "*"))
        .await
        .refused(403, "forbidden");
    manager
        .post("/users", user("a1", "admin", "H1"))
        .await
        .refused(403, "forbidden");
    manager
        .put("/users/admin", json!({"password": "long enough 2"}))
        .await
        .refused(403, "forbidden");
    manager
        .put("/users/c1", json!({"halls": ["H1", "H2"]}))
        .await
        .refused(403, "forbidden");
    let listed = manager.get("/users").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_clerk_of_one_window_works_at_no_other() {
    let server = Server::start().await;
    let admin = server.hall("H1", 2).await;
    let user = json!({
        "username": "c1", "password": "long enough 1", "roles": ["clerk"], "halls": ["H1"], "windows": ["1"],
    });
    admin.post("/users", user).await.expect(201);
    let clerk = server.sign_in("c1", "long enough 1").await;
    clerk.at_window("H1", "1", "open").await.expect(200);
    clerk
        .at_window("H1", "2", "open")
        .await
        .refused(403, "forbidden");
}

#[actix_web::test]
async fn every_described_path_is_routed() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let description = admin.get("/api/openapi.json").await.expect(200);
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() > 30, "{} paths", paths.len());
    for (path, operations) in paths {
        let concrete = path
            .replace("{hall}", "H1")
            .replace("{window}", "1")
            .replace("{ticket}", "1")
            .replace("{service}", "S1")
            .replace("{token}", "H1.0")
            .replace("{username}", "nobody")
            .replace("{device}", "none")
            .replace(
                "{verb}",
                if path.contains("windows") {
                    "recall"
                } else {
                    "open"
                },
            );
        for method in operations.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let answer = admin
                .send(method.clone(), &concrete, Some("{}".to_owned()), &[])
                .await;
            assert_ne!(answer.body["code"], "unknown_path", "{method} {concrete}");
            assert_ne!(answer.status, 405, "{method} {concrete}");
        }
    }
}
