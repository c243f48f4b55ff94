//! What cannot be is refused in words, changes nothing, and harms nobody.

mod noise;

use awc::http::Method;
use serde_json::json;

use crate::harness::{Client, Server};

#[actix_web::test]
async fn what_does_not_exist_is_named() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let take = |service: &str| json!({"service": service});
    admin
        .post("/halls/H9/tickets", take("S1"))
        .await
        .refused(404, "unknown_hall");
    admin
        .post("/halls/no%20such/tickets", take("S1"))
        .await
        .refused(404, "unknown_hall");
    admin
        .post("/halls/H1/tickets", take("S9"))
        .await
        .refused(404, "unknown_service");
    admin
        .at_window("H1", "9", "open")
        .await
        .refused(404, "unknown_window");
    admin
        .get("/halls/H1/tickets/99")
        .await
        .refused(404, "unknown_ticket");
    admin
        .get("/tickets/H1.0123")
        .await
        .refused(404, "unknown_ticket");
    admin.get("/nothing").await.refused(404, "unknown_path");
    admin
        .post("/halls/H1/explode", json!({}))
        .await
        .refused(404, "unknown_path");
}

/// The machine of 2.0.2: every verb of a window in every state that does not allow it changes
/// nothing and is refused by a code of its own.
#[actix_web::test]
async fn a_window_in_the_wrong_state_refuses_each_verb_by_its_own_code() {
    const BUSY: &str = "window_busy";
    const CLOSED: &str = "window_closed";
    const PAUSED: &str = "window_paused";
    const NOT_CALLING: &str = "not_calling";
    const NOT_SERVING: &str = "not_serving";
    /// Allowed in that state.
    const GOES: &str = "";
    const STATES: [&str; 5] = ["closed", "idle", "paused", "calling", "serving"];
    const TABLE: [(&str, [&str; 5]); 13] = [
        (
            "open",
            [
                GOES,
                "window_not_closed",
                "window_not_closed",
                "window_not_closed",
                "window_not_closed",
            ],
        ),
        ("pause", [CLOSED, GOES, PAUSED, BUSY, BUSY]),
        (
            "resume",
            [
                CLOSED,
                "window_not_paused",
                GOES,
                "window_not_paused",
                "window_not_paused",
            ],
        ),
        ("close", [CLOSED, GOES, GOES, BUSY, BUSY]),
        ("call-next", [CLOSED, GOES, PAUSED, BUSY, BUSY]),
        ("call", [CLOSED, GOES, PAUSED, BUSY, BUSY]),
        (
            "resume-ticket",
            [CLOSED, "ticket_not_held", PAUSED, BUSY, BUSY],
        ),
        (
            "recall",
            [CLOSED, NOT_CALLING, NOT_CALLING, GOES, NOT_CALLING],
        ),
        (
            "start",
            [CLOSED, NOT_CALLING, NOT_CALLING, GOES, NOT_CALLING],
        ),
        (
            "no-show",
            [
                CLOSED,
                NOT_CALLING,
                NOT_CALLING,
                "no_show_too_early",
                NOT_CALLING,
            ],
        ),
        (
            "complete",
            [CLOSED, NOT_SERVING, NOT_SERVING, NOT_SERVING, GOES],
        ),
        (
            "hold",
            [CLOSED, NOT_SERVING, NOT_SERVING, NOT_SERVING, GOES],
        ),
        (
            "transfer",
            [CLOSED, NOT_SERVING, NOT_SERVING, NOT_SERVING, GOES],
        ),
    ];
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let ticket = admin.issue("H1", "S1").await;
    let body = |verb: &str| match verb {
        "call" | "resume-ticket" => json!({"ticket": ticket["id"]}),
        "transfer" => json!({"service": "S2"}),
        _ => json!({}),
    };
    let ways: [&[&str]; 5] = [
        &[],
        &["open"],
        &["pause"],
        &["resume", "call-next"],
        &["start"],
    ];
    for (n, state) in STATES.iter().enumerate() {
        for verb in ways[n] {
            admin.window("H1", "1", verb, json!({})).await;
        }
        let before = admin.get("/halls/H1").await.expect(200);
        assert_eq!(before["windows"]["1"]["state"], *state);
        for (verb, codes) in TABLE {
            if codes[n] != GOES {
                let answer = admin
                    .post(&format!("/halls/H1/windows/1/{verb}"), body(verb))
                    .await;
                let place = format!("{verb} at a window that is {state}: {}", answer.text);
                assert_eq!(answer.body["code"], codes[n], "{place}");
                assert_eq!(answer.status, 409, "{place}");
            }
        }
        let after = admin.get("/halls/H1").await.expect(200);
        assert_eq!(
            before["seq"], after["seq"],
            "a refusal in {state} changed something"
        );
    }
    let close = admin.post("/halls/H1/close", json!({})).await;
    close.refused(409, "hall_busy");
}

/// The machine of 2.0.2: what a ticket's state does not allow.
#[actix_web::test]
async fn a_ticket_in_the_wrong_state_refuses_each_verb_by_its_own_code() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    admin.open_windows("H1", &["1"]).await;
    let ticket = admin.issue("H1", "S1").await;
    let codes = async |state: &str, expected: [&str; 3]| {
        let path = format!("/halls/H1/tickets/{}", ticket["id"]);
        assert_eq!(admin.get(&path).await.expect(200)["state"], state);
        let bodies = [
            ("cancel", json!({})),
            ("requeue", json!({})),
            ("rating", json!({"stars": 5})),
        ];
        for ((verb, body), code) in bodies.into_iter().zip(expected) {
            let answer = admin.post(&format!("{path}/{verb}"), body).await;
            answer.refused(409, code);
        }
    };
    let all = [
        "ticket_not_waiting",
        "ticket_not_missed",
        "ticket_not_completed",
    ];
    admin.window("H1", "1", "call-next", json!({})).await;
    codes("called", all).await;
    admin.window("H1", "1", "start", json!({})).await;
    codes("serving", all).await;
    admin.window("H1", "1", "hold", json!({})).await;
    codes("held", all).await;
    let which = json!({"ticket": ticket["id"]});
    admin.window("H1", "1", "resume-ticket", which).await;
    admin.window("H1", "1", "complete", json!({})).await;
    let path = format!("/halls/H1/tickets/{}/rating", ticket["id"]);
    admin.post(&path, json!({"stars": 5})).await.expect(200);
    codes(
        "completed",
        ["ticket_not_waiting", "ticket_not_missed", "already_rated"],
    )
    .await;
}

/// The machine of 2.0.2: what a hall's state does not allow.
#[actix_web::test]
async fn a_hall_in_the_wrong_state_refuses_each_verb_by_its_own_code() {
    let server = Server::start().await;
    let admin = server.admin();
    let hall = json!({
        "id": "H1", "name": "x", "services": [{"id": "S1", "name": "x"}],
        "windows": [{"id": "1", "services": ["S1"]}],
    });
    admin.post("/halls", hall).await.expect(201);
    let refuse = async |verbs: &[(&str, &str)]| {
        for (verb, code) in verbs {
            let body = json!({"service": "S1"});
            admin
                .post(&format!("/halls/H1/{verb}"), body)
                .await
                .refused(409, code);
        }
    };
    admin.get("/halls/H1/figures").await.refused(409, "no_day");
    refuse(&[
        ("close", "hall_closed"),
        ("pause-issuing", "hall_closed"),
        ("resume-issuing", "hall_closed"),
        ("end-day", "no_day"),
        ("tickets", "hall_closed"),
        ("windows/1/open", "hall_closed"),
    ])
    .await;
    admin.post("/halls/H1/open", json!({})).await.expect(200);
    refuse(&[
        ("open", "hall_not_closed"),
        ("resume-issuing", "issuing_not_paused"),
        ("end-day", "hall_not_closed"),
    ])
    .await;
    let paused = admin
        .post("/halls/H1/pause-issuing", json!({}))
        .await
        .expect(200);
    assert_eq!(paused["state"], "issuing_paused");
    refuse(&[
        ("open", "hall_not_closed"),
        ("pause-issuing", "issuing_paused"),
        ("tickets", "issuing_paused"),
    ])
    .await;
    let parts = [
        ("services/S1", "service_in_use"),
        ("windows/1", "window_in_use"),
    ];
    admin.open_windows("H1", &["1"]).await;
    for (part, code) in parts {
        admin
            .delete(&format!("/halls/H1/{part}"))
            .await
            .refused(409, code);
    }
}

/// Every path and query that cannot be read is answered with a problem, never with bare text.
#[actix_web::test]
async fn a_path_or_query_that_cannot_be_read_is_a_problem_too() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let long = "x".repeat(3000);
    let paths = [
        "/halls/H1/tickets/99999999999999999999999".to_owned(),
        "/halls/H1/tickets/-1".to_owned(),
        "/halls/H1/tickets/%00".to_owned(),
        "/halls/%E5%A4%A7%E5%8E%85".to_owned(),
        "/halls/%FF".to_owned(),
        "/halls/H1%2F..%2FH2".to_owned(),
        "/halls/H1/services/a%20b".to_owned(),
        format!("/halls/{long}"),
        format!("/tickets/H1.{long}"),
        "/audit?limit=many".to_owned(),
        "/audit?limit=0".to_owned(),
        "/audit?limit=1001".to_owned(),
        "/audit?cursor=%20".to_owned(),
        "/tags".to_owned(),
        "/tags?kind=shoe&id_number=1".to_owned(),
        "/tags?kind=phone&id_number=1".to_owned(),
        "/halls/H1/figures?day=2026-02-30".to_owned(),
        "/halls/H1/figures?hour=1".to_owned(),
        "/halls/H1/tickets?limit=-1".to_owned(),
        "/halls/H1/tickets.csv?sort=-shoe".to_owned(),
        format!("/t/{long}/qr.svg"),
        "/assets/0/../../etc/passwd".to_owned(),
        "/assets/0/nothing.js".to_owned(),
    ];
    for path in paths {
        let answer = admin.get(&path).await;
        let place = format!("{path}: {} {}", answer.status, answer.text);
        assert!((400..500).contains(&answer.status), "{place}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{place}"
        );
        let code = answer.body["code"].as_str();
        assert!(code.is_some_and(|code| !code.is_empty()), "{place}");
        assert_eq!(answer.body["status"], answer.status, "{place}");
    }
}

/// What a body must hold is named.
#[actix_web::test]
async fn a_field_that_is_missing_unknown_or_too_long_is_named() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    admin.open_windows("H1", &["1"]).await;
    let long = "长".repeat(600);
    let at = |verb: &str| format!("/halls/H1/windows/1/{verb}");
    let tickets = "/halls/H1/tickets".to_owned();
    let holder = |field: &str, value: &str| json!({"service": "S1", "holder": {"kind": "none", field: value}});
    let booked = |from: &str, to: &str| json!({"service": "S1", "appointment": {"number": "A", "from": from, "to": to}});
    let noon = "2026-11-02T12:00:00+08:00";
    for (path, body, field) in [
        (at("call"), json!({}), "ticket"),
        (at("resume-ticket"), json!({"ticket": "1"}), "ticket"),
        (at("transfer"), json!({}), "service"),
        (at("pause"), json!({"reason": long}), "reason"),
        (at("pause"), json!({"raison": "x"}), "raison"),
        (at("call-next"), json!([]), "body"),
        (tickets.clone(), json!({}), "body"),
        (
            tickets.clone(),
            json!({"service": "S1", "tags": ["a b"]}),
            "tags[0]",
        ),
        (
            tickets.clone(),
            json!({"service": "S1", "holder": {"kind": "shoe"}}),
            "holder.kind",
        ),
        (tickets.clone(), booked("noon", noon), "appointment.from"),
        (
            tickets.clone(),
            booked(noon, "2026-11-02"),
            "appointment.to",
        ),
        ("/users".to_owned(), json!({"username": "a b"}), "username"),
        ("/users".to_owned(), json!({"username": "a"}), "roles"),
        (
            "/users".to_owned(),
            json!({"username": "a", "roles": ["king"]}),
            "roles[0]",
        ),
        (
            "/users".to_owned(),
            json!({"username": "a", "roles": ["clerk"]}),
            "password",
        ),
        (
            "/devices".to_owned(),
            json!({"id": "d", "kind": "clerk", "hall": "H1"}),
            "kind",
        ),
        ("/session".to_owned(), json!({"username": "a"}), "body"),
    ] {
        let refused = admin
            .post(&path, body.clone())
            .await
            .refused(422, "invalid_field");
        assert_eq!(refused["field"], field, "{path} {body}: {refused}");
    }
    for (field, value) in [
        ("name", long.as_str()),
        ("name", "a\u{7}b"),
        ("phone", long.as_str()),
    ] {
        let refused = admin.post(&tickets, holder(field, value)).await;
        let refused = refused.refused(422, "invalid_identity");
        assert_eq!(refused["field"], format!("holder.{field}"));
    }
    let backwards = booked("2026-11-02T12:00:00+08:00", "2026-11-02T11:00:00+08:00");
    admin
        .post(&tickets, backwards)
        .await
        .refused(422, "invalid_field");
    let bare = admin
        .send(Method::POST, &tickets, Some("\u{0}".to_owned()), &[])
        .await;
    bare.refused(400, "malformed_json");
    assert_eq!(
        admin.get("/halls/H1").await.expect(200)["figures"]["issued"],
        0
    );
}

#[actix_web::test]
async fn a_body_that_cannot_be_is_refused_with_the_place() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let send = async |body: &str| {
        admin
            .send(
                Method::POST,
                "/halls/H1/tickets",
                Some(body.to_owned()),
                &[],
            )
            .await
    };
    let refused = send("{\n \"service\": \"S1\",}")
        .await
        .refused(400, "malformed_json");
    assert_eq!(
        (refused["line"].as_u64(), refused["column"].as_u64()),
        (Some(2), Some(18))
    );
    let refused = send("{\"service\": 7}").await.refused(422, "invalid_field");
    assert_eq!(refused["field"], "service");
    let refused = send("{\"service\": \"S1\", \"servise\": \"S2\"}")
        .await
        .refused(422, "invalid_field");
    assert!(
        refused["reason"].as_str().unwrap().contains("servise"),
        "{refused}"
    );
    send("{\"service\": \"S1\"} {}")
        .await
        .refused(400, "malformed_json");
    send(&"[".repeat(10_000)).await;
    let large = format!("{{\"service\": \"{}\"}}", "x".repeat(100_000));
    send(&large).await.refused(413, "body_too_large");
    assert_eq!(
        admin.get("/halls/H1").await.expect(200)["figures"]["issued"],
        0
    );
}

#[actix_web::test]
async fn a_set_up_that_cannot_be_names_its_field_and_registers_nothing() {
    let server = Server::start().await;
    let admin = server.admin();
    let service = json!({"id": "S1", "name": "社保", "prefix": "B"});
    let cases = [
        (json!({"id": "a b", "name": "x"}), "id"),
        (json!({"id": "H1", "name": ""}), "name"),
        (
            json!({"id": "H1", "name": "x", "time_zone": "Mars/Base"}),
            "time_zone",
        ),
        (
            json!({"id": "H1", "name": "x", "services": [{"name": "a"}]}),
            "services[0].id",
        ),
        (
            json!({"id": "H1", "name": "x", "services": [service, service]}),
            "services[1].id",
        ),
        (
            json!({"id": "H1", "name": "x", "services": [{"id": "S1", "name": "a", "digits": 9}]}),
            "services.S1.digits",
        ),
        (
            json!({"id": "H1", "name": "x", "windows": [{"id": "1", "services": ["S9"]}]}),
            "windows.1.services",
        ),
        (
            json!({"id": "H1", "name": "x", "policy": {"no_show_after_calls": 0}}),
            "policy.no_show_after_calls",
        ),
    ];
    for (body, field) in cases {
        let refused = admin
            .post("/halls", body.clone())
            .await
            .refused(422, "invalid_field");
        assert_eq!(refused["field"], field, "{body}");
    }
    assert!(
        admin.get("/halls").await.expect(200)["halls"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[actix_web::test]
async fn a_page_of_a_list_that_cannot_be_is_refused() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    for query in [
        "limit=0",
        "limit=5000",
        "sort=shoe",
        "day=tomorrow",
        "cursor=zzz",
        "colour=red",
    ] {
        let answer = admin.get(&format!("/halls/H1/tickets?{query}")).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (422, &json!("invalid_field")),
            "{query}: {}",
            answer.text
        );
    }
}

#[actix_web::test]
async fn a_wrong_token_a_foreign_page_and_a_bare_form_are_turned_away() {
    let server = Server::start().await;
    server.hall("H1", 1).await;
    let stranger = Client::new(&server.base, Some("0".repeat(64)));
    stranger
        .get("/halls/H1")
        .await
        .refused(401, "not_signed_in");
    stranger
        .post("/halls/H1/tickets", json!({"service": "S1"}))
        .await
        .refused(401, "not_signed_in");
    assert_eq!(stranger.socket("/ws").await.err(), Some(401));
    server
        .visitor()
        .get("/board/H1?t=nonsense")
        .await
        .refused(401, "not_signed_in");

    let foreign = [("Origin", "http://evil.example")];
    let upgrade = server
        .admin()
        .send(Method::GET, "/ws", None, &foreign)
        .await;
    upgrade.refused(403, "foreign_origin");
    server
        .admin()
        .send(Method::GET, "/ws", None, &[])
        .await
        .refused(400, "not_a_websocket");

    let cookie = format!("hallkeeper_session={}", server.token);
    let bare = [("Cookie", cookie.as_str())];
    let body = || Some(json!({"service": "S1"}).to_string());
    let form = server
        .visitor()
        .send(Method::POST, "/halls/H1/tickets", body(), &bare)
        .await;
    form.refused(403, "foreign_request");
    let own = [("Cookie", cookie.as_str()), ("X-Hallkeeper", "1")];
    server
        .visitor()
        .send(Method::POST, "/halls/H1/tickets", body(), &own)
        .await
        .expect(201);
}

#[actix_web::test]
async fn guessing_a_password_is_slowed_and_tells_nothing_of_the_account() {
    let server = Server::start_with(&[("HALLKEEPER__SESSION__ATTEMPTS", "3")], &[]).await;
    let guess = |name: &str| json!({"username": name, "password": "wrong password"});
    let known = server
        .visitor()
        .post("/session", guess("admin"))
        .await
        .refused(401, "bad_credentials");
    let unknown = server
        .visitor()
        .post("/session", guess("nobody"))
        .await
        .refused(401, "bad_credentials");
    assert_eq!(known, unknown);
    for _ in 0..2 {
        server
            .visitor()
            .post("/session", guess("admin"))
            .await
            .refused(401, "bad_credentials");
    }
    let refused = server
        .visitor()
        .post("/session", guess("admin"))
        .await
        .refused(429, "too_many_attempts");
    assert!(refused["retry_after_secs"].as_u64() > Some(0));
}

#[actix_web::test]
async fn a_weak_password_is_refused_and_the_first_one_is_forgotten_once_changed() {
    let server = Server::start().await;
    let admin = server.admin();
    let file = server.folder.path().join("initial-admin-password");
    let old = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    for new in ["short", "administrator-admin-1"] {
        let change = json!({"old": old, "new": new});
        admin
            .put("/session/password", change)
            .await
            .refused(422, "invalid_field");
    }
    admin
        .put(
            "/session/password",
            json!({"old": "wrong", "new": "long enough 1"}),
        )
        .await
        .refused(401, "bad_credentials");
    let same = json!({"old": old, "new": old});
    let same = admin.put("/session/password", same).await;
    let same = same.refused(422, "password_unchanged");
    assert_eq!(same["detail"], "新密码不能与原密码相同");
    assert!(file.exists());
    admin
        .put(
            "/session/password",
            json!({"old": old, "new": "long enough 1"}),
        )
        .await
        .expect(204);
    assert!(!file.exists());
    server.sign_in("admin", "long enough 1").await;
}
