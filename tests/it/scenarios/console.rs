//! The clerk's place of work: C01.

use serde_json::{Value, json};

use super::{FULL_NAME, ID_CARD, PHONE, holder};
use crate::harness::{Server, list, number, text};

/// AC-C01-1: the server's part; that F2 does nothing any more is tried in the browser.
#[actix_web::test]
async fn hot_keys_are_kept_for_their_owner_and_bound_again_at_once() {
    let mut server = Server::start().await;
    server.hall("H1", 1).await;
    let clerk = server.person("wang", "clerk", &["H1"]).await;
    let other = server.person("zhao", "clerk", &["H1"]).await;
    assert_eq!(clerk.get("/session/hotkeys").await.expect(200), json!({}));
    for keys in [
        json!({"call_next": "F2", "recall": "F3"}),
        json!({"call_next": "F4", "recall": "F3"}),
    ] {
        assert_eq!(
            clerk
                .put("/session/hotkeys", keys.clone())
                .await
                .expect(200),
            keys
        );
        assert_eq!(clerk.get("/session/hotkeys").await.expect(200), keys);
    }
    let twice = clerk
        .put(
            "/session/hotkeys",
            json!({"call_next": "F2", "recall": "F2"}),
        )
        .await;
    assert_eq!(twice.refused(422, "invalid_field")["field"], "hotkeys");
    clerk
        .put("/session/hotkeys", json!({"call_next": 2}))
        .await
        .refused(422, "invalid_field");
    assert_eq!(other.get("/session/hotkeys").await.expect(200), json!({}));
    server
        .visitor()
        .get("/session/hotkeys")
        .await
        .refused(401, "not_signed_in");
    let token = clerk.token.clone();
    server.kill();
    server.restart();
    let clerk = crate::harness::Client::new(&server.base, token);
    let kept = clerk.get("/session/hotkeys").await.expect(200);
    assert_eq!(kept, json!({"call_next": "F4", "recall": "F3"}));
}

/// AC-C01-2
#[actix_web::test]
async fn the_holders_open_cases_are_current_and_the_closed_one_is_history() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let clerk = server.person("wang", "clerk", &["H1"]).await;
    let person = json!({"kind": "id_card", "id_number": ID_CARD});
    for case in ["K1", "K2", "K3"] {
        let case = json!({
            "case_no": case, "holder": person, "item": "企业设立", "department": "市场监管局",
            "received_at": "2025-11-03T09:00:00+08:00", "due_at": "2025-11-30T17:00:00+08:00",
        });
        admin.post("/cases", case).await.expect(201);
    }
    let closed = json!({"kind": "closed", "at": "2025-11-04T09:00:00+08:00"});
    admin.post("/cases/K3/steps", closed).await.expect(201);
    let other = json!({"kind": "passport", "id_number": "E12345678"});
    let case = json!({"case_no": "K4", "holder": other, "item": "签证"});
    admin.post("/cases", case).await.expect(201);

    clerk.open_windows("H1", &["1"]).await;
    let wish = json!({"service": "S1", "holder": holder()});
    admin.post("/halls/H1/tickets", wish).await.expect(201);
    clerk
        .get("/halls/H1/windows/1/holder")
        .await
        .refused(409, "not_calling");
    clerk.window("H1", "1", "call-next", json!({})).await;
    let card = clerk.get("/halls/H1/windows/1/holder").await.expect(200);
    let names = |which: &Value| -> Vec<String> {
        list(which)
            .iter()
            .map(|case| text(&case["case_no"]).to_owned())
            .collect()
    };
    let mut current = names(&card["cases"]["current"]);
    current.sort();
    assert_eq!(current, ["K1", "K2"]);
    assert_eq!(names(&card["cases"]["history"]), ["K3"]);
    let due = &card["cases"]["history"][0]["due_at"];
    assert_eq!(due, "2025-11-30T17:00:00+08:00");
    for secret in [ID_CARD, FULL_NAME, PHONE] {
        assert!(!card.to_string().contains(secret), "{card}");
    }
}

/// AC-C01-3: the stages and that they fit the instants; the scenario's minutes are tried in the
/// tests of the rules, where time is a value.
#[actix_web::test]
async fn a_loop_is_complete_once_issued_called_served_closed_and_rated() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    admin.open_windows("H1", &["1"]).await;
    let issued = admin.issue("H1", "S1").await;
    let path = format!("/halls/H1/tickets/{}", issued["id"]);
    let stages = ["wait_secs", "intake_secs", "approval_secs", "rating_secs"];
    let rating = format!("{path}/rating");
    admin
        .post(&rating, json!({"stars": 5}))
        .await
        .refused(409, "ticket_not_completed");
    for (known, verb) in [(0, ""), (1, "call-next"), (2, "start"), (3, "complete")] {
        if !verb.is_empty() {
            admin.window("H1", "1", verb, json!({})).await;
        }
        let ticket = admin.get(&path).await.expect(200);
        let loop_ = &ticket["loop"];
        for (n, stage) in stages.iter().enumerate() {
            assert_eq!(
                loop_[stage].is_u64(),
                n < known,
                "{stage} after {verb}: {loop_}"
            );
        }
        assert_eq!(loop_["complete"], false);
    }
    admin
        .post(&rating, json!({"stars": 6}))
        .await
        .refused(422, "invalid_field");
    admin
        .post(&rating, json!({"stars": 4, "text": "快"}))
        .await
        .expect(200);
    admin
        .post(&rating, json!({"stars": 1}))
        .await
        .refused(409, "already_rated");
    let ticket = admin.get(&path).await.expect(200);
    assert_eq!(ticket["loop"]["complete"], true);
    assert_eq!(
        (&ticket["rating"]["stars"], &ticket["rating"]["text"]),
        (&json!(4), &json!("快"))
    );
    let instants: Vec<&str> = ["issued_at", "called_at", "started_at", "ended_at"]
        .iter()
        .map(|field| text(&ticket[field]))
        .chain([text(&ticket["rating"]["at"])])
        .collect();
    assert!(instants.is_sorted(), "{instants:?}");
    let at = |text: &str| rules::time::Timestamp::parse_rfc3339(text).unwrap();
    for (stage, pair) in stages.iter().zip(instants.windows(2)) {
        let between = at(pair[1]).secs_since(at(pair[0]));
        assert_eq!(number(&ticket["loop"][stage]), between, "{stage}");
    }
}

/// C01: signing in at a window, a day's figures there, and what a clerk may not touch.
#[actix_web::test]
async fn a_clerks_day_counts_what_the_clerk_did() {
    let server = Server::start().await;
    let admin = server.hall("H1", 2).await;
    let policy = json!({"no_show_after_calls": 1});
    admin.put("/halls/H1/policy", policy).await.expect(200);
    let clerk = server
        .account(json!({"username": "wang", "roles": ["clerk"], "halls": ["H1"], "windows": ["1"]}))
        .await;
    clerk.open_windows("H1", &["1"]).await;
    clerk
        .at_window("H1", "2", "open")
        .await
        .refused(403, "forbidden");
    for _ in 0..4 {
        admin.issue("H1", "S1").await;
    }
    for _ in 0..2 {
        clerk.serve_next("H1", "1").await;
    }
    clerk.window("H1", "1", "call-next", json!({})).await;
    clerk.window("H1", "1", "no-show", json!({})).await;
    clerk.window("H1", "1", "call-next", json!({})).await;
    clerk.window("H1", "1", "start", json!({})).await;
    clerk
        .window("H1", "1", "transfer", json!({"service": "S2"}))
        .await;
    let day = clerk.get("/halls/H1/windows/1/my-day").await.expect(200);
    assert_eq!(
        (&day["served"], &day["no_show"], &day["transferred"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert!(
        day["mean_service_secs"].is_u64() && day["idle_secs"].is_u64(),
        "{day}"
    );
    assert_eq!(
        (&day["rated"], &day["mean_stars"]),
        (&json!(0), &Value::Null)
    );
    for (ticket, stars) in [(1, 5), (2, 4)] {
        let path = format!("/halls/H1/tickets/{ticket}/rating");
        admin.post(&path, json!({"stars": stars})).await.expect(200);
    }
    let day = clerk.get("/halls/H1/windows/1/my-day").await.expect(200);
    assert_eq!(
        (&day["rated"], &day["mean_stars"]),
        (&json!(2), &json!(4.5))
    );
    let beat = clerk.window("H1", "1", "heartbeat", json!({})).await;
    assert_eq!(beat["window"]["state"], "idle");
    clerk
        .window("H1", "1", "pause", json!({"reason": "茶歇"}))
        .await;
    clerk
        .at_window("H1", "1", "call-next")
        .await
        .refused(409, "window_paused");
    clerk.window("H1", "1", "resume", json!({})).await;
    clerk.window("H1", "1", "close", json!({})).await;
    let listed = admin
        .get("/halls/H1/tickets?clerk=wang&state=completed")
        .await
        .expect(200);
    assert_eq!(listed["total"], 2);
}
