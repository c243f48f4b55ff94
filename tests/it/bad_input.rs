//! What cannot be is refused in words, changes nothing, and harms nobody.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use awc::http::Method;
use serde_json::{Value, json};

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

/// Every verb of a window in every state that does not allow it.
#[actix_web::test]
async fn a_window_in_the_wrong_state_refuses_each_verb_by_its_own_code() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let refuse = async |state: &str, verbs: &[(&str, &str)]| {
        for (verb, code) in verbs {
            let answer = admin.at_window("H1", "1", verb).await;
            assert_eq!(
                answer.body["code"], *code,
                "{verb} at a {state} window: {}",
                answer.text
            );
            assert_eq!(answer.status, 409, "{verb} at a {state} window");
        }
    };
    let each = |code: &'static str| {
        [
            "pause",
            "resume",
            "close",
            "call-next",
            "recall",
            "start",
            "complete",
            "no-show",
            "hold",
        ]
        .map(|verb| (verb, code))
    };
    refuse("closed", &each("window_closed")).await;
    admin.at_window("H1", "1", "open").await.expect(200);
    refuse(
        "idle",
        &[
            ("open", "window_not_closed"),
            ("resume", "window_not_paused"),
            ("call-next", "nobody_waiting"),
            ("recall", "not_calling"),
            ("start", "not_calling"),
            ("no-show", "not_calling"),
            ("complete", "not_serving"),
            ("hold", "not_serving"),
        ],
    )
    .await;
    admin.at_window("H1", "1", "pause").await.expect(200);
    refuse(
        "paused",
        &[
            ("call-next", "window_paused"),
            ("pause", "window_paused"),
            ("start", "not_calling"),
        ],
    )
    .await;
    admin.at_window("H1", "1", "resume").await.expect(200);
    admin.issue("H1", "S1").await;
    admin.at_window("H1", "1", "call-next").await.expect(200);
    refuse(
        "calling",
        &[
            ("call-next", "window_busy"),
            ("pause", "window_busy"),
            ("close", "window_busy"),
            ("complete", "not_serving"),
            ("no-show", "no_show_too_early"),
        ],
    )
    .await;
    admin.at_window("H1", "1", "start").await.expect(200);
    refuse(
        "serving",
        &[
            ("call-next", "window_busy"),
            ("start", "not_calling"),
            ("recall", "not_calling"),
        ],
    )
    .await;
    admin
        .post("/halls/H1/close", json!({}))
        .await
        .refused(409, "hall_busy");
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

/// Pseudo-random numbers with a seed: a failing run can be repeated.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

fn raw_socket(server: &Server) -> TcpStream {
    let address = server.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    stream
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let handshake = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Authorization: Bearer {}\r\n\r\n",
        server.token
    );
    stream.write_all(handshake.as_bytes()).unwrap();
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 101"));
    stream
}

/// A frame of any sort: any flags and opcode, any stated length, masked or not.
fn any_frame(chance: &mut Chance) -> Vec<u8> {
    let mut frame = vec![chance.next() as u8];
    let len = (chance.next() % 200) as usize;
    match chance.next() % 4 {
        0 => frame.push(0x80 | (len.min(125) as u8)),
        1 => frame.push(len.min(125) as u8),
        2 => frame.extend([0x80 | 126, chance.next() as u8, chance.next() as u8]),
        _ => {
            frame.push(0x80 | 127);
            frame.extend(chance.bytes(8));
        }
    }
    frame.extend(chance.bytes(4 + len));
    frame
}

/// A well-formed masked text frame around anything.
fn text_frame(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend((text.len() as u16).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(text);
    frame
}

#[actix_web::test]
async fn ten_thousand_frames_of_any_sort_harm_nobody() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let seed = 20_261_122;
    let mut chance = Chance(seed);
    let messages: [&[u8]; 6] = [
        b"{\"subscribe\": [\"hall.H1\", \"nothing\", \"hall.H9\", \"\", \"window..\"]}",
        b"{\"subscribe\": 7}",
        b"{\"since\": {\"hall.H1\": -1}}",
        b"\xff\xfe",
        b"[[[[[[[[[[",
        b"{\"subscribe\": [\"hall.H1\"], \"since\": {\"hall.H1\": 18446744073709551615}}",
    ];
    let mut sent = 0;
    while sent < 10_000 {
        let mut stream = raw_socket(&server);
        for _ in 0..100 {
            let frame = match chance.next() % 3 {
                0 => text_frame(messages[(chance.next() % 6) as usize]),
                _ => any_frame(&mut chance),
            };
            sent += 1;
            if stream.write_all(&frame).is_err() {
                break; // shown the door
            }
        }
    }
    assert_eq!(
        server.visitor().get("/readyz").await.status,
        200,
        "seed {seed}"
    );
    admin.issue("H1", "S1").await;
    let mut live = admin.live(&["hall.H1"], json!({})).await;
    let snapshot: Value = live.frame("hall.H1").await;
    assert_eq!(snapshot["data"]["figures"]["issued"], 1);
}
