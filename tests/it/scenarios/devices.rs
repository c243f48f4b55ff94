//! Devices and pagers: A10, and the buttons of C01.

use awc::http::Method;
use futures_util::future::join3;
use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE, Server, list, text};

async fn report(device: &Client, faults: Value) -> Value {
    let said = json!({
        "build": "b1", "viewport": "1920x1080", "browser": "Chrome/80", "skew_ms": 120,
        "audio": "on", "page": "/board/H1", "faults": faults,
    });
    device.post("/device/report", said).await.expect(200)
}

/// The device as its manager sees it.
fn one<'a>(listed: &'a Value, id: &str) -> &'a Value {
    let found = list(&listed["items"]).iter().find(|item| item["id"] == id);
    found.unwrap_or_else(|| panic!("no {id} in {listed}"))
}

/// AC-A10-1: the alert itself is the alert desk's; here is the count, and the row that names device
/// and hall.
#[actix_web::test]
async fn of_twelve_kiosks_one_silent_beyond_the_limit_leaves_eleven_online() {
    let settings = [("HALLKEEPER__DEVICES__SILENT_SECS", "3")];
    let server = Server::start_with(&settings, &[]).await;
    let admin = server.hall("H1", 1).await;
    let mut kiosks = Vec::new();
    for n in 1..=12 {
        kiosks.push(server.device(&format!("kiosk-{n}"), "kiosk", "H1").await);
    }
    server.device("button", "pager", "H1").await;
    let listed = admin.get("/halls/H1/devices").await.expect(200);
    assert_eq!(listed["summary"]["online"], 0);
    assert_eq!(one(&listed, "kiosk-1")["state"], "never");
    for kiosk in &kiosks {
        report(kiosk, json!([])).await;
    }
    let began = std::time::Instant::now();
    loop {
        for kiosk in &kiosks[..11] {
            report(kiosk, json!([])).await;
        }
        let listed = admin.get("/halls/H1/devices").await.expect(200);
        // A pager speaks only when it is pressed; it is not in the sum.
        assert_eq!(listed["summary"]["total"], 12, "{listed}");
        assert_eq!(one(&listed, "button")["state"], "unwatched");
        if listed["summary"]["online"] == 11 {
            let silent = one(&listed, "kiosk-12");
            assert_eq!(silent["state"], "offline");
            assert_eq!(silent["functions"]["print"]["available"], false);
            assert_eq!(
                listed["summary"]["by_kind"]["kiosk"],
                json!({"online": 11, "total": 12})
            );
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{listed}");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    let rows = loop {
        let rows = admin.get("/audit?action=device_offline").await.expect(200);
        if !list(&rows["items"]).is_empty() {
            break rows;
        }
        assert!(began.elapsed() < PATIENCE, "no row");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    };
    let row = &list(&rows["items"])[0];
    assert_eq!(
        (&row["object"], &row["detail"]["hall"]),
        (&json!("kiosk-12"), &json!("H1"))
    );
    // It is heard again.
    report(&kiosks[11], json!([])).await;
    let listed = admin.get("/halls/H1/devices").await.expect(200);
    assert_eq!(listed["summary"]["online"], 12);
}

/// AC-A10-2
#[actix_web::test]
async fn paper_out_takes_printing_away_and_nothing_else() {
    let mut server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let kiosk = server.device("kiosk-1", "kiosk", "H1").await;
    report(&kiosk, json!([{"function": "print", "code": "paper_out"}])).await;
    let listed = admin.get("/halls/H1/devices").await.expect(200);
    let seen = one(&listed, "kiosk-1");
    assert_eq!(seen["state"], "online");
    assert_eq!(seen["functions"]["print"]["available"], false);
    assert_eq!(seen["functions"]["print"]["code"], "paper_out");
    for other in ["display", "scan"] {
        assert_eq!(seen["functions"][other]["available"], true, "{other}");
    }
    assert_eq!(seen["report"]["skew_ms"], 120);
    assert_eq!(seen["newest_build"], false);
    let since = seen["functions"]["print"]["since"].clone();
    // Said again it began when it began, also over a restart.
    server.restart();
    let kiosk = Client::new(&server.base, kiosk.token.clone());
    let again = report(&kiosk, json!([{"function": "print", "code": "paper_out"}])).await;
    assert_eq!(again["functions"]["print"]["since"], since);
    let well = report(&kiosk, json!([])).await;
    assert_eq!(well["functions"]["print"]["available"], true);
    let admin = server.admin();
    for (action, count) in [("device_fault", 1), ("device_fault_over", 1)] {
        let rows = admin
            .get(&format!("/audit?action={action}"))
            .await
            .expect(200);
        assert_eq!(list(&rows["items"]).len(), count, "{rows}");
    }
}

#[actix_web::test]
async fn a_report_is_bounded_and_may_not_come_too_often() {
    let server = Server::start().await;
    server.hall("H1", 1).await;
    let kiosk = server.device("kiosk-1", "kiosk", "H1").await;
    let long = "x".repeat(201);
    let fault = json!({"function": "print", "code": "paper_out"});
    for (field, wrong) in [
        ("browser", json!({"browser": long})),
        ("page", json!({"page": long})),
        ("audio", json!({"audio": "<b>"})),
        ("faults", json!({"faults": vec![fault; 17]})),
        (
            "faults",
            json!({"faults": [{"function": "打印", "code": "x"}]}),
        ),
    ] {
        let refused = kiosk.post("/device/report", wrong).await;
        assert_eq!(refused.refused(422, "invalid_field")["field"], field);
    }
    kiosk
        .post("/device/report", json!({"name": "other"}))
        .await
        .refused(422, "invalid_field");
    for _ in 0..30 {
        report(&kiosk, json!([])).await;
    }
    let refused = kiosk.post("/device/report", json!({})).await;
    refused.refused(429, "too_many_reports");
}

/// What a device is told reaches its own topic, and nobody else's.
#[actix_web::test]
async fn a_device_hears_its_orders_and_a_stranger_hears_nothing() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    server.hall("H2", 1).await;
    let screen = server.device("wall", "screen", "H1").await;
    let mut live = screen.live(&["device.wall"], json!({})).await;
    let hello = live.find(|message| message["kind"] == "hello").await;
    assert_eq!(hello["device"], "wall");
    let first = live.frame("device.wall").await;
    assert_eq!(
        first["data"],
        json!({"id": "wall", "name": "wall", "kind": "screen", "hall": "H1", "zone": null,
            "window": null, "muted": false, "identify_until": null, "reload": null})
    );
    for (verb, field) in [("identify", "identify_until"), ("reload", "reload")] {
        let path = format!("/halls/H1/devices/wall/{verb}");
        admin.post(&path, json!({})).await.expect(200);
        let frame = live.frame("device.wall").await;
        assert!(frame["data"][field].is_string(), "{frame}");
    }
    admin
        .post("/halls/H1/devices/wall/mute", json!({}))
        .await
        .expect(200);
    assert_eq!(live.frame("device.wall").await["data"]["muted"], true);
    let place = json!({"name": "东区大屏", "zone": "east", "window": "1"});
    admin.put("/halls/H1/devices/wall", place).await.expect(200);
    let frame = live.frame("device.wall").await;
    assert_eq!(
        (
            &frame["data"]["name"],
            &frame["data"]["zone"],
            &frame["data"]["window"]
        ),
        (&json!("东区大屏"), &json!("east"), &json!("1"))
    );
    admin
        .put("/halls/H1/devices/wall", json!({"window": "99"}))
        .await
        .refused(422, "invalid_field");
    admin
        .post("/halls/H2/devices/wall/identify", json!({}))
        .await
        .refused(404, "unknown_device");

    // Another device of the same hall, a clerk of it, and a manager of another hall.
    let neighbour = server.device("wall-2", "screen", "H1").await;
    let clerk = server.person("wang", "clerk", &["H1"]).await;
    let elsewhere = server.person("zhou", "manager", &["H2"]).await;
    for stranger in [&neighbour, &clerk, &elsewhere] {
        let mut live = stranger.live(&["device.wall"], json!({})).await;
        let refused = live.frame("device.wall").await;
        assert_eq!(
            (&refused["kind"], &refused["code"]),
            (&json!("error"), &json!("forbidden"))
        );
    }
    let manager = server.person("chen", "manager", &["H1"]).await;
    let mut watched = manager.live(&["device.wall"], json!({})).await;
    assert_eq!(watched.frame("device.wall").await["kind"], "snapshot");

    // Another hall's topics, and a token that was never given out.
    let mut live = neighbour.live(&["hall.H2", "queue.H2.S1"], json!({})).await;
    for topic in ["hall.H2", "queue.H2.S1"] {
        assert_eq!(live.frame(topic).await["code"], "forbidden");
    }
    let wrong = Client::new(&server.base, Some("0".repeat(64)));
    assert_eq!(wrong.socket("/ws").await.err(), Some(401));
    assert_eq!(wrong.get("/board/H1?t=wrong").await.status, 401);
    // A browser on a wall shows the page, which says so in words.
    let looking = [("Accept", "text/html,*/*;q=0.8")];
    let shown = wrong.send(Method::GET, "/board/H1?t=wrong", None, &looking);
    let shown = shown.await;
    assert_eq!(shown.status, 401);
    assert!(shown.text.contains("board.js"), "{}", shown.text);
    wrong
        .post("/device/report", json!({}))
        .await
        .refused(401, "not_signed_in");
}

#[actix_web::test]
async fn a_new_token_ends_the_old_one() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let screen = server.device("wall", "screen", "H1").await;
    let answer = admin
        .post("/halls/H1/devices/wall/token", json!({}))
        .await
        .expect(200);
    let renewed = Client::new(&server.base, Some(text(&answer["token"]).to_owned()));
    screen.get("/halls/H1").await.refused(401, "not_signed_in");
    renewed.get("/halls/H1").await.expect(200);
    let listed = admin.get("/halls/H1/devices").await.expect(200).to_string();
    assert!(!listed.contains(text(&answer["token"])), "{listed}");
}

/// A button pressed twice at once, and one whose answer was lost: one person is called.
#[actix_web::test]
async fn a_pager_pressed_twice_calls_one_person() {
    let server = Server::start().await;
    let admin = server.hall("H1", 2).await;
    let pager = server.device("button", "pager", "H1").await;
    for _ in 0..3 {
        admin.issue("H1", "S1").await;
    }
    pager.at_window("H1", "1", "open").await.expect(200);
    let press = || pager.at_window("H1", "1", "call-next");
    let (first, second) = tokio::join!(press(), press());
    let numbers = [first, second].map(|answer| answer.expect(200)["ticket"]["number"].clone());
    assert_eq!(numbers, [json!("B001"), json!("B001")]);
    // The answer was lost; the tool asks again.
    let third = press().await;
    assert_eq!(third.header("idempotency-replayed"), Some("true"));
    assert_eq!(third.expect(200)["ticket"]["number"], "B001");
    let hall = admin.get("/halls/H1").await.expect(200);
    assert_eq!(
        (&hall["figures"]["called"], &hall["figures"]["waiting"]),
        (&json!(1), &json!(2))
    );
    // Later it is a press of its own.
    tokio::time::sleep(std::time::Duration::from_millis(1600)).await;
    press().await.refused(409, "window_busy");
    pager.at_window("H1", "1", "start").await.expect(200);
    pager.at_window("H1", "1", "complete").await.expect(200);
    let keyed = |key| pager.post_keyed("/halls/H1/windows/1/call-next", key, json!({}));
    for _ in 0..2 {
        assert_eq!(
            keyed("press-2").await.expect(200)["ticket"]["number"],
            "B002"
        );
    }
}

#[actix_web::test]
async fn a_pager_works_at_its_own_window_and_sees_nobody() {
    let server = Server::start().await;
    let admin = server.hall("H1", 2).await;
    let pager = server.device("button", "pager", "H1").await;
    pager
        .at_window("H1", "2", "open")
        .await
        .refused(403, "forbidden");
    pager.at_window("H1", "1", "open").await.expect(200);
    admin.issue("H1", "S1").await;
    pager.at_window("H1", "1", "call-next").await.expect(200);
    for look in ["holder", "next", "my-day", "held"] {
        let path = format!("/halls/H1/windows/1/{look}");
        pager.get(&path).await.refused(403, "forbidden");
    }
    pager.get("/halls/H1").await.refused(403, "forbidden");
    pager
        .post("/halls/H1/windows/1/call", json!({"ticket": 1}))
        .await
        .refused(403, "forbidden");
    let mut live = pager.live(&["hall.H1"], json!({})).await;
    assert_eq!(live.frame("hall.H1").await["code"], "forbidden");
    // Without a window there is no pager.
    let homeless = json!({"id": "b2", "kind": "pager", "hall": "H1"});
    let refused = admin.post("/devices", homeless).await;
    assert_eq!(refused.refused(422, "invalid_field")["field"], "window");
}

/// Changes of one device that come at once are written one after the other: none brings an old
/// token back.
#[actix_web::test]
async fn a_token_given_anew_survives_changes_that_come_with_it() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let mut screen = server.device("screen-1", "screen", "H1").await;
    let path = "/halls/H1/devices/screen-1";
    for round in 0..15 {
        let place = json!({"name": format!("screen {round}")});
        let (again, other) = (format!("{path}/token"), format!("{path}/mute"));
        let (changed, given, muted) = join3(
            admin.put(path, place),
            admin.post(&again, json!({})),
            admin.post(&other, json!({})),
        )
        .await;
        changed.expect(200);
        muted.expect(200);
        let fresh = given.expect(200);
        let fresh = Client::new(&server.base, fresh["token"].as_str().map(str::to_owned));
        report(&fresh, json!([])).await;
        let old = screen.post("/device/report", json!({})).await;
        assert_eq!(old.status, 401, "round {round}: {}", old.text);
        screen = fresh;
    }
    // So says the database, too.
    let mut server = server;
    server.restart();
    let again = Client::new(&server.base, screen.token.clone());
    report(&again, json!([])).await;
}
