//! Who may do what, tried role by role and route by route.

use std::collections::BTreeMap;
use std::time::Instant;

use awc::http::Method;
use hallkeeper::web::access::{Action, Role};
use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE, Server, list};

/// One way to do a thing. Bodies are such that an allowed request is either carried out or refused
/// for another reason than the right.
struct Attempt {
    method: Method,
    path: String,
    body: Option<Value>,
    right: Right,
}

/// Who may.
#[derive(Clone, Copy)]
enum Right {
    /// Whom the table names, in the own halls.
    InHall(Action),
    /// Whom the table names, whatever the own halls are.
    Anywhere(Action),
    /// Whom the table names, if their scope is all halls; here nobody's is.
    ForAllHalls,
    /// Managers for clerks of the own halls, administrators for everybody.
    AddClerk,
}

impl Right {
    fn covers(self, role: Role, at_home: bool) -> bool {
        match self {
            Self::InHall(action) => action.roles().contains(&role) && at_home,
            Self::Anywhere(action) => action.roles().contains(&role),
            Self::ForAllHalls => false,
            Self::AddClerk => role == Role::Admin || (role == Role::Manager && at_home),
        }
    }
}

fn attempts() -> Vec<Attempt> {
    use Action::{
        AskProgress, CallAtWindow, CountPeople, ExportTickets, FeedCases, HandleAlerts,
        HandleCases, HandleOrders, IssueTicket, ManageChannels, ManageDevices, ManageHall,
        ManageNotices, ManageRules, ManageTags, PostNotice, Rate, ReadAudit, ReadTickets,
        RecordCalls, RegisterHall, ReportDevice, SeeAlerts, SeeCases, SeeChannels, SeeFloor,
        SeeHall, SeeJourneys, Speak, WorkWindow,
    };
    use Right::{AddClerk, Anywhere, ForAllHalls, InHall};
    let person = json!({"kind": "phone", "id_number": "13812345678"});
    let tag = json!({"person": person, "tag": "elderly"});
    let case = known_case();
    let progress = json!({"kind": "progress", "at": "2025-01-06T10:00:00+08:00"});
    let device = json!({"id": "a b", "kind": "kiosk", "hall": "H1"});
    let clerk = json!({
        "username": "new", "password": "long-enough-7", "roles": ["clerk"], "halls": ["H1"],
    });
    let service = json!({"name": "社保", "prefix": "B"});
    let window = json!({"services": ["S1"]});
    let mut attempts = Vec::new();
    let mut add = |right, method: &Method, path: &str, body: Option<&Value>| {
        attempts.push(Attempt {
            method: method.clone(),
            path: path.to_owned(),
            body: body.cloned(),
            right,
        });
    };
    let (get, post, put, delete) = (&Method::GET, &Method::POST, &Method::PUT, &Method::DELETE);
    let none = json!({});

    add(Anywhere(SeeHall), get, "/halls", None);
    add(InHall(SeeHall), get, "/halls/H1", None);
    add(InHall(SeeHall), get, "/halls/H1/services/S1", None);
    add(InHall(SeeHall), get, "/halls/H1/tickets/1", None);
    let strip = "/halls/H1/windows/1/strip.json";
    add(InHall(SeeHall), get, strip, None);
    add(InHall(ManageDevices), get, "/halls/H1/strips", None);
    let wired = json!({"window": "none", "protocol": "line", "address": "x:1", "size": "64x16"});
    let strip = "/halls/H1/strips/none";
    add(InHall(ManageDevices), get, strip, None);
    add(InHall(ManageDevices), put, strip, Some(&wired));
    add(InHall(ManageDevices), delete, strip, None);
    add(InHall(SeeHall), get, "/halls/H1/services/S1/slip.svg", None);
    let unknown = json!({"service": "none"});
    add(
        InHall(IssueTicket),
        post,
        "/halls/H1/tickets",
        Some(&unknown),
    );
    for verb in ["cancel", "requeue"] {
        let path = format!("/halls/H1/tickets/1/{verb}");
        add(InHall(IssueTicket), post, &path, Some(&none));
    }
    let rating = json!({"stars": 5});
    add(
        InHall(IssueTicket),
        post,
        "/halls/H1/tickets/1/rating",
        Some(&rating),
    );
    for verb in WINDOW_VERBS {
        let path = format!("/halls/H1/windows/1/{verb}");
        add(InHall(CallAtWindow), post, &path, Some(&none));
    }
    let heartbeat = "/halls/H1/windows/1/heartbeat";
    add(InHall(WorkWindow), post, heartbeat, Some(&none));
    for look in ["holder", "next", "my-day", "held"] {
        add(
            InHall(WorkWindow),
            get,
            &format!("/halls/H1/windows/1/{look}"),
            None,
        );
    }
    add(InHall(WorkWindow), get, "/halls/H1/policy", None);
    add(InHall(ReadTickets), get, "/halls/H1/tickets", None);
    add(InHall(ReadTickets), get, "/halls/H1/figures", None);
    add(InHall(SeeFloor), get, "/halls/H1/floor", None);
    let preview = "/halls/H1/policy/preview";
    add(InHall(ManageHall), post, preview, Some(&none));
    add(InHall(ExportTickets), get, "/halls/H1/tickets.csv", None);
    add(InHall(ManageHall), put, "/halls/H1", Some(&none));
    add(InHall(ManageHall), put, "/halls/H1/policy", Some(&none));
    add(
        InHall(ManageHall),
        put,
        "/halls/H1/services/S1",
        Some(&service),
    );
    add(InHall(ManageHall), delete, "/halls/H1/services/none", None);
    add(
        InHall(ManageHall),
        put,
        "/halls/H1/windows/1",
        Some(&window),
    );
    add(InHall(ManageHall), delete, "/halls/H1/windows/none", None);
    for verb in [
        "open",
        "pause-issuing",
        "resume-issuing",
        "close",
        "end-day",
    ] {
        add(
            InHall(ManageHall),
            post,
            &format!("/halls/H1/{verb}"),
            Some(&none),
        );
    }
    let notice = json!({"level": "notice", "text": "x"});
    add(InHall(SeeHall), get, "/halls/H1/notice", None);
    add(InHall(PostNotice), put, "/halls/H1/notice", Some(&notice));
    add(InHall(PostNotice), delete, "/halls/H1/notice", None);
    let page = json!({"page": "p1"});
    add(InHall(SeeHall), get, "/halls/H1/voice/-", None);
    add(InHall(Speak), put, "/halls/H1/voice/-", Some(&page));
    add(InHall(SeeHall), get, "/halls/H1/voice/B001/1.wav", None);
    let hall = json!({"id": "H1", "name": "x"});
    add(InHall(RegisterHall), post, "/halls", Some(&hall));
    add(Anywhere(ManageHall), get, "/users", None);
    add(AddClerk, post, "/users", Some(&clerk));
    add(Anywhere(ManageHall), put, "/users/nobody", Some(&none));
    add(Anywhere(ManageHall), delete, "/users/nobody", None);
    add(Anywhere(ManageDevices), get, "/devices", None);
    add(InHall(ManageDevices), post, "/devices", Some(&device));
    add(Anywhere(ManageDevices), delete, "/devices/none", None);
    add(InHall(ManageDevices), get, "/halls/H1/devices", None);
    let unknown = "/halls/H1/devices/none";
    add(InHall(ManageDevices), put, unknown, Some(&none));
    for verb in ["identify", "reload", "mute", "unmute", "token"] {
        let path = format!("{unknown}/{verb}");
        add(InHall(ManageDevices), post, &path, Some(&none));
    }
    let report = json!({"build": "b", "faults": []});
    add(
        InHall(ManageDevices),
        get,
        "/halls/H1/devices/none/usage",
        None,
    );
    let counted = json!({"people": 3, "source": "main"});
    add(InHall(SeeHall), get, "/halls/H1/occupancy", None);
    add(
        InHall(CountPeople),
        post,
        "/halls/H1/occupancy",
        Some(&counted),
    );
    let stars = json!({"stars": 5});
    add(ForAllHalls, get, "/telemetry/counts", None);
    add(ForAllHalls, post, "/telemetry/events", Some(&json!([])));
    add(InHall(ManageDevices), get, "/halls/H1/invitations", None);
    add(Anywhere(Rate), get, "/rater/invitation", None);
    add(
        Anywhere(Rate),
        post,
        "/rater/invitations/999/answer",
        Some(&none),
    );
    add(
        Anywhere(Rate),
        post,
        "/rater/invitations/999/rating",
        Some(&stars),
    );
    add(
        Anywhere(ReportDevice),
        post,
        "/device/report",
        Some(&report),
    );
    add(
        Anywhere(ManageTags),
        get,
        "/tags?kind=phone&id_number=13812345678",
        None,
    );
    add(
        Anywhere(SeeJourneys),
        get,
        "/journeys?kind=phone&id_number=13812345678",
        None,
    );
    add(Anywhere(ManageTags), post, "/tags", Some(&tag));
    add(Anywhere(ManageTags), delete, "/tags", Some(&tag));
    add(InHall(FeedCases), post, "/cases", Some(&case));
    add(InHall(FeedCases), post, "/cases/K1/steps", Some(&progress));
    add(Anywhere(SeeCases), get, "/cases", None);
    add(Anywhere(SeeCases), get, "/cases?group=todo", None);
    add(Anywhere(SeeCases), get, "/cases/board", None);
    add(InHall(SeeCases), get, "/cases/unregistered?hall=H1", None);
    add(InHall(SeeCases), get, "/cases/K1", None);
    for verb in ["accept", "urge", "assign"] {
        let path = format!("/cases/K1/{verb}");
        add(InHall(HandleCases), post, &path, Some(&none));
    }
    add(Anywhere(ReadAudit), get, "/audit", None);
    for (list, one, verbs) in [
        ("/work-orders", "/work-orders/WO-000000", ORDER_VERBS),
        ("/problems", "/problems/P-000000", PROBLEM_VERBS),
    ] {
        add(Anywhere(HandleOrders), get, list, None);
        add(Anywhere(HandleOrders), post, list, Some(&none));
        let statistics = format!("{list}/statistics");
        add(Anywhere(HandleOrders), get, &statistics, None);
        add(Anywhere(HandleOrders), get, one, None);
        for verb in verbs {
            let path = format!("{one}/{verb}");
            add(Anywhere(HandleOrders), post, &path, Some(&none));
        }
    }
    for path in ["/messages", "/messages/statistics", "/messages/M-000000"] {
        add(Anywhere(SeeAlerts), get, path, None);
    }
    for path in [
        "/messages/M-000000/resend",
        "/message-templates/preview",
        "/receivers/none/test",
    ] {
        add(Anywhere(ManageNotices), post, path, Some(&none));
    }
    for path in ["/message-templates", "/receivers", "/receivers/none"] {
        add(Anywhere(ManageNotices), get, path, None);
    }
    for path in ["/message-templates/none", "/receivers/none"] {
        add(Anywhere(ManageNotices), put, path, Some(&none));
        add(Anywhere(ManageNotices), delete, path, None);
    }
    for path in [
        "/alerts",
        "/alerts/supervision?from=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z",
        "/alerts/A-000000",
        "/silences",
        "/rules",
        "/rules/catalogue",
        "/rules/none",
    ] {
        add(Anywhere(SeeAlerts), get, path, None);
    }
    add(
        InHall(AskProgress),
        get,
        "/halls/H1/case-progress/none",
        None,
    );
    add(ForAllHalls, get, "/alerts/load", None);
    add(Anywhere(SeeChannels), get, "/ops", None);
    for path in [
        "/channels",
        "/channels/none",
        "/channels/none/calls",
        "/channels/none/calls/c1",
        "/channels/none/calls.csv",
    ] {
        add(Anywhere(SeeChannels), get, path, None);
    }
    add(
        Anywhere(SeeChannels),
        get,
        "/channels/none/calls/summary",
        None,
    );
    add(Anywhere(SeeChannels), get, "/channels/usage", None);
    let chart = "/channels/none/charts/calls.svg";
    add(Anywhere(SeeChannels), get, chart, None);
    add(Anywhere(ManageChannels), put, "/channels/none", Some(&none));
    for path in [
        "versions",
        "versions/1/publish",
        "versions/1/revoke",
        "grants",
        "grants/1/revoke",
        "maintenance",
        "probe",
    ] {
        let path = format!("/channels/none/{path}");
        add(Anywhere(ManageChannels), post, &path, Some(&none));
    }
    for path in ["/channels/none/check", "/channels/none/calls"] {
        add(Anywhere(RecordCalls), post, path, Some(&none));
    }
    for path in [
        "/feeds",
        "/feeds/none",
        "/feeds/none/batches",
        "/feeds/none/batches/b1",
        "/feeds/none/records",
        "/feeds/none/anomalies",
        "/directory/organisations",
    ] {
        add(Anywhere(SeeChannels), get, path, None);
    }
    for path in [
        "/feeds/none/quarantine",
        "/feeds/none/batches/b1/records/r1",
    ] {
        add(Anywhere(ManageChannels), get, path, None);
    }
    add(Anywhere(ManageChannels), put, "/feeds/none", Some(&none));
    add(ForAllHalls, put, "/directory/organisations", Some(&none));
    for path in ["retry", "corrections"] {
        let path = format!("/feeds/none/batches/b1/{path}");
        add(Anywhere(ManageChannels), post, &path, Some(&none));
    }
    for path in [
        "/feeds/none/batches",
        "/feeds/none/reconcile",
        "/feeds/none/batches/b1/records",
        "/feeds/none/batches/b1/acknowledgements",
        "/feeds/none/batches/b1/close",
        "/feeds/none/batches/b1/reconcile",
    ] {
        add(Anywhere(RecordCalls), post, path, Some(&none));
    }
    for verb in ALERT_VERBS {
        let path = format!("/alerts/A-000000/{verb}");
        add(Anywhere(HandleAlerts), post, &path, Some(&none));
    }
    add(Anywhere(HandleAlerts), post, "/silences", Some(&none));
    add(Anywhere(HandleAlerts), delete, "/silences/S-000000", None);
    add(Anywhere(ManageRules), post, "/rules/check", Some(&none));
    add(ForAllHalls, put, "/rules/none", Some(&none));
    for verb in ["enable", "disable", "backtest"] {
        let path = format!("/rules/none/{verb}");
        add(ForAllHalls, post, &path, Some(&none));
    }
    attempts
}

const ALERT_VERBS: [&str; 10] = [
    "ack", "assign", "start", "resolve", "close", "comment", "shelve", "unshelve", "urge", "order",
];

fn known_case() -> Value {
    json!({
        "case_no": "K1", "holder": {"kind": "phone", "id_number": "13812345678"}, "item": "x",
        "hall": "H1", "received_at": "2025-01-06T09:00:00+08:00",
    })
}
const ORDER_VERBS: &[&str] = &[
    "assign", "start", "resolve", "verify", "close", "reopen", "transfer", "comment",
];

const PROBLEM_VERBS: &[&str] = &["assign", "check", "correct", "verify", "close", "comment"];

const WINDOW_VERBS: [&str; 12] = [
    "open",
    "pause",
    "resume",
    "call-next",
    "recall",
    "start",
    "complete",
    "no-show",
    "hold",
    "resume-ticket",
    "transfer",
    "close",
];

/// Open to everybody, or to whoever has the slip or is signed in.
const OPEN: [(&str, &str); 13] = [
    ("get", "/session"),
    ("post", "/session"),
    ("delete", "/session"),
    ("put", "/session/password"),
    ("get", "/session/hotkeys"),
    ("put", "/session/hotkeys"),
    ("get", "/tickets/{token}"),
    ("post", "/tickets/{token}/cancel"),
    ("post", "/tickets/{token}/rating"),
    ("post", "/tickets/{token}/postpone"),
    ("get", "/tickets/{token}/slip.escpos"),
    ("get", "/tickets/{token}/slip.svg"),
    ("get", "/halls/{hall}/visitor-menu"),
];

async fn principal(server: &Server, role: Role, hall: &str) -> Client {
    let name = format!("{}-{hall}", role.name());
    match role {
        Role::Visitor => server.visitor(),
        role if role.is_device() => server.device(&name, role.name(), hall).await,
        _ => server.person(&name, role.name(), &[hall]).await,
    }
}

/// Design promise 5: every role, at home and in another hall, on every route; and each refusal of
/// somebody who is known leaves one row in the audit.
#[actix_web::test]
async fn each_role_may_do_what_the_table_says_and_every_refusal_is_in_the_audit() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    server.hall("H2", 1).await;
    admin.issue("H1", "S1").await;
    admin.post("/cases", known_case()).await.expect(201);
    let attempts = attempts();
    let mut refusals: BTreeMap<String, u64> = BTreeMap::new();
    for role in Role::ALL {
        for hall in ["H1", "H2"] {
            let who = principal(&server, role, hall).await;
            let mut refused = 0;
            for attempt in &attempts {
                let Attempt {
                    method,
                    path,
                    body,
                    right,
                } = attempt;
                let body = body.as_ref().map(Value::to_string);
                let answer = who.send(method.clone(), path, body, &[]).await;
                let code = answer.body["code"].as_str();
                let forbidden = match answer.status {
                    401 => code == Some("not_signed_in") && role == Role::Visitor,
                    403 => code == Some("forbidden") && role != Role::Visitor,
                    _ => false,
                };
                let place = format!("{role} of {hall}: {method} {path}: {}", answer.text);
                assert_eq!(forbidden, !right.covers(role, hall == "H1"), "{place}");
                assert!(forbidden || !matches!(answer.status, 401 | 403), "{place}");
                assert_ne!(code, Some("unknown_path"), "{place}");
                assert!(answer.status < 500, "{place}");
                refused += u64::from(forbidden);
            }
            let name = format!("{}-{hall}", role.name());
            match role {
                Role::Visitor => None,
                role if role.is_device() => refusals.insert(format!("device:{name}"), refused),
                _ => refusals.insert(name, refused),
            };
        }
    }
    let deadline = Instant::now() + PATIENCE;
    for (actor, refused) in refusals {
        let path = format!("/audit?action=refused&actor={actor}&limit=1000");
        loop {
            let rows = admin.get(&path).await.expect(200);
            let rows = list(&rows["items"]);
            if rows.len() as u64 == refused {
                let told = |row: &Value| row["detail"]["action"].is_string();
                assert!(rows.iter().all(told), "{rows:?}");
                break;
            }
            assert!(
                Instant::now() < deadline,
                "{actor}: {} of {refused}",
                rows.len()
            );
        }
    }
}

/// Every route of the description is tried above, or is open on purpose.
#[actix_web::test]
async fn every_described_route_is_in_the_matrix_and_leads_somewhere() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let description = admin.get("/api/openapi.json").await.expect(200);
    let attempts = attempts();
    for (path, operations) in description["paths"].as_object().unwrap() {
        let path = path.strip_prefix("/api/v1").unwrap();
        for method in operations.as_object().unwrap().keys() {
            let open = OPEN.contains(&(method.as_str(), path));
            let tried = attempts.iter().any(|attempt| {
                attempt.method.as_str().eq_ignore_ascii_case(method) && leads(path, &attempt.path)
            });
            assert!(open != tried, "{method} {path}");
        }
    }
    for (method, path) in OPEN {
        let method: Method = method.to_uppercase().parse().unwrap();
        let path = path.replace("{token}", "H1.0");
        let answer = server
            .visitor()
            .send(method.clone(), &path, Some("{}".to_owned()), &[])
            .await;
        assert_ne!(answer.body["code"], "unknown_path", "{method} {path}");
    }
}

/// Whether a concrete path is of the described form.
fn leads(described: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (described, path) = (described.split('/'), path.split('/'));
    described.clone().count() == path.clone().count()
        && described
            .zip(path)
            .all(|(described, part)| described == part || described.starts_with('{'))
}

/// A chosen ticket is called by permission, whatever the role.
#[actix_web::test]
async fn calling_a_chosen_ticket_needs_its_own_permission_whatever_the_role() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let ticket = admin.issue("H1", "S1").await;
    admin.open_windows("H1", &["1"]).await;
    let which = json!({"ticket": ticket["id"]});
    for role in [Role::Clerk, Role::Manager, Role::Admin] {
        let who = principal(&server, role, "H1").await;
        let answer = who.post("/halls/H1/windows/1/call", which.clone()).await;
        answer.refused(403, "forbidden");
    }
    admin.window("H1", "1", "call", which).await;
}

/// A manager's devices are those of the own halls.
#[actix_web::test]
async fn a_manager_sees_and_removes_the_devices_of_the_own_halls_only() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    server.hall("H2", 1).await;
    let screen = server.device("wall", "screen", "H1").await;
    let other = principal(&server, Role::Manager, "H2").await;
    assert_eq!(other.get("/devices").await.expect(200)["items"], json!([]));
    other
        .delete("/devices/wall")
        .await
        .refused(403, "forbidden");
    screen.get("/halls/H1").await.expect(200);
    let listed = admin.get("/devices").await.expect(200);
    assert!(
        !listed
            .to_string()
            .contains(screen.token.as_deref().unwrap()),
        "{listed}"
    );
    let own = principal(&server, Role::Manager, "H1").await;
    assert_eq!(own.delete("/devices/wall").await.status, 204);
    screen.get("/halls/H1").await.refused(401, "not_signed_in");
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
