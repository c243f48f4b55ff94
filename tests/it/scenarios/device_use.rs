//! What devices are used for and what is told of them: A10 (alerts, use, versions) and the people
//! that cameras count, A09-3.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE, Server, SetClock, list, text};

const QUICK: (&str, &str) = ("HALLKEEPER__ALERTS__PASS_MS", "100");

/// The shipped rule, but it waits only so long.
async fn hurried(admin: &Client, rule: &str, from: &str, to: &str) {
    let shown = admin.get(&format!("/rules/{rule}")).await.expect(200);
    let source = text(&shown["source"]);
    assert!(source.contains(from), "{source}");
    let own_tests = source.find("[[test]]").unwrap_or(source.len());
    let source = source[..own_tests].replace(from, to);
    admin
        .put(&format!("/rules/{rule}"), json!({"source": source}))
        .await
        .expect(200);
}

/// Alerts of a rule once there is one.
async fn alerts(admin: &Client, rule: &str) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let page = admin.get(&format!("/alerts?rule={rule}")).await.expect(200);
        let found = list(&page["items"]).to_vec();
        if !found.is_empty() {
            return found;
        }
        assert!(Instant::now() < until, "no alert of {rule}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The device in its hall's list.
async fn listed(admin: &Client, id: &str) -> Value {
    let listed = admin.get("/devices").await.expect(200);
    let found = list(&listed["items"]).iter().find(|item| item["id"] == id);
    found.unwrap_or_else(|| panic!("no {id}")).clone()
}

/// AC-A10-1
#[actix_web::test]
pub(super) async fn one_silent_kiosk_of_twelve_is_one_alert_that_names_device_and_hall() {
    let settings = [("HALLKEEPER__DEVICES__SILENT_SECS", "2"), QUICK];
    let server = Server::start_with(&settings, &[]).await;
    let admin = server.hall("H1", 1).await;
    hurried(&admin, "R23-device-offline", "for = \"2m\"", "for = \"1s\"").await;
    let mut kiosks = Vec::new();
    for n in 1..=12 {
        kiosks.push(server.device(&format!("kiosk-{n}"), "kiosk", "H1").await);
    }
    let began = Instant::now();
    let raised = loop {
        for kiosk in &kiosks[..11] {
            kiosk.post("/device/report", json!({})).await.expect(200);
        }
        let page = admin.get("/alerts?rule=R23-device-offline").await;
        let found = list(&page.expect(200)["items"]).to_vec();
        if !found.is_empty() {
            break found;
        }
        assert!(began.elapsed() < PATIENCE, "no alert");
        tokio::time::sleep(Duration::from_millis(700)).await;
    };
    assert_eq!(raised.len(), 1, "{raised:?}");
    let alert = &raised[0];
    let said = text(&alert["text"]["en"]);
    assert!(said.contains("H1") && said.contains("kiosk-12"), "{said}");
    assert_eq!(alert["hall"], "H1");
    let summary = &admin.get("/halls/H1/devices").await.expect(200)["summary"];
    assert_eq!(
        (&summary["online"], &summary["total"]),
        (&json!(11), &json!(12))
    );
}

/// AC-A10-2: the alert of the fault; what is left of the device is in `devices`.
#[actix_web::test]
pub(super) async fn a_kiosk_without_paper_is_one_alert_that_says_so() {
    let server = Server::start_with(&[QUICK], &[]).await;
    let admin = server.hall("H1", 1).await;
    hurried(&admin, "R23-device-fault", "for = \"30s\"", "for = \"1s\"").await;
    let kiosk = server.device("kiosk-1", "kiosk", "H1").await;
    let faults = json!([{"function": "print", "code": "paper_out"}]);
    kiosk
        .post("/device/report", json!({"faults": faults}))
        .await
        .expect(200);
    let raised = alerts(&admin, "R23-device-fault").await;
    assert_eq!(raised.len(), 1, "{raised:?}");
    let said = text(&raised[0]["text"]["en"]);
    for part in ["H1", "kiosk-1", "print.paper_out"] {
        assert!(said.contains(part), "{said}");
    }
    let functions = &listed(&admin, "kiosk-1").await["functions"];
    assert_eq!(functions["print"]["available"], false);
    for other in ["display", "issue", "scan"] {
        assert_eq!(functions[other]["available"], true, "{other}");
    }
}

/// A10: usage counts, each use once, whatever is told twice, lost or killed between.
#[actix_web::test]
pub(super) async fn each_use_is_counted_once_over_repeated_reports_and_restarts() {
    let mut server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let kiosk = server.device("kiosk-1", "kiosk", "H1").await;
    let totals = |run: &str, print: u64| json!({"usage": {"run": run, "used": {"print": print}}});
    for _ in 0..2 {
        let told = kiosk.post("/device/report", totals("a", 3)).await;
        assert_eq!(told.expect(200)["usage"]["functions"], json!({"print": 3}));
    }
    // Written with the report: nothing is lost with the process.
    server.kill();
    server.restart();
    let (admin, kiosk) = (
        Client::new(&server.base, admin.token),
        Client::new(&server.base, kiosk.token),
    );
    assert_eq!(
        listed(&admin, "kiosk-1").await["usage"]["functions"],
        json!({"print": 3})
    );
    kiosk
        .post("/device/report", totals("a", 5))
        .await
        .expect(200);
    kiosk
        .post("/device/report", totals("b", 2))
        .await
        .expect(200);
    // What the server sees itself: a number taken, and the same number asked for again.
    for _ in 0..2 {
        let asked = json!({"service": "S1"});
        let taken = kiosk.post_keyed("/halls/H1/tickets", "t1", asked).await;
        taken.expect(201);
    }
    let days = admin
        .get("/halls/H1/devices/kiosk-1/usage")
        .await
        .expect(200);
    let items = list(&days["items"]);
    let sum = |function: &str| -> u64 {
        let counts = items
            .iter()
            .filter_map(|d| d["functions"][function].as_u64());
        counts.sum()
    };
    assert_eq!((sum("print"), sum("issue")), (7, 1), "{days}");

    let no_run = json!({"usage": {"run": "", "used": {}}});
    let refused = kiosk.post("/device/report", no_run).await;
    assert_eq!(refused.refused(422, "invalid_field")["field"], "usage.run");
    let wrong = admin
        .get("/halls/H1/devices/kiosk-1/usage?from=2020-01-01")
        .await;
    assert_eq!(wrong.refused(422, "invalid_field")["field"], "from");
    admin
        .get("/halls/H1/devices/none/usage")
        .await
        .refused(404, "unknown_device");
}

/// A10: software is old against the newest of its kind, or against what is expected of it.
#[actix_web::test]
pub(super) async fn old_software_is_marked_against_the_newest_or_what_is_expected() {
    let settings = [("HALLKEEPER__DEVICES__EXPECTED_VERSIONS__CAMERA", "3.0.1")];
    let server = Server::start_with(&settings, &[]).await;
    let admin = server.hall("H1", 1).await;
    for (id, kind, version) in [
        ("reader-1", "reader", "2.9"),
        ("reader-2", "reader", "2.10"),
        ("camera-1", "camera", "2.99"),
        ("printer-1", "printer", "1"),
    ] {
        let device = server.device(id, kind, "H1").await;
        let said = json!({"version": version});
        device.post("/device/report", said).await.expect(200);
    }
    let version = async |id: &str| listed(&admin, id).await["version"].clone();
    assert_eq!(
        version("reader-1").await,
        json!({"own": "2.9", "expected": "2.10", "old": true})
    );
    assert_eq!(version("reader-2").await["old"], false);
    assert_eq!(
        version("camera-1").await,
        json!({"own": "2.99", "expected": "3.0.1", "old": true})
    );
    assert_eq!(version("printer-1").await["old"], false);
    assert_eq!(
        listed(&admin, "reader-1").await["functions"],
        json!({"scan": {"available": true, "code": null, "since": null}})
    );
}

/// AC-A09-3
#[actix_web::test]
pub(super) async fn counted_people_stand_beside_the_waiting_and_go_stale_after_a_minute() {
    let Some(clock) = SetClock::new() else {
        return;
    };
    let settings = clock.settings();
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain([QUICK])
        .collect();
    let mut server = Server::start_with(&settings, &[]).await;
    let admin = server.hall("H1", 1).await;
    let mut live = admin.live(&["occupancy.H1"], json!({})).await;
    assert_eq!(
        live.frame("occupancy.H1").await["data"]["people"],
        json!(null)
    );
    for _ in 0..120 {
        admin.issue("H1", "S1").await;
    }
    let camera = server.device("camera-1", "camera", "H1").await;
    let told = json!({"people": 180, "source": "main"});
    let answer = camera.post("/halls/H1/occupancy", told).await.expect(200);
    assert_eq!(answer["new"], true);
    let hall = admin.get("/halls/H1").await.expect(200);
    assert_eq!(hall["figures"]["waiting"], 120);
    assert_eq!(
        (&hall["occupancy"]["people"], &hall["occupancy"]["stale"]),
        (&json!(180), &json!(false))
    );
    live.find(|frame| frame["data"]["people"] == 180 && frame["data"]["stale"] == false)
        .await;

    // A rule can use it.
    let crowd = "version = 1\n\n[[rule]]\nid = \"C1\"\nname = {zh = \"人多\", en = \"Crowd\"}\ntopic = \"crowd\"\n\
        subject = \"hall\"\nwhen = \"occupancy > 150\"\nseverity = \"warning\"\n\
        message = {zh = \"{label} {occupancy} 人\", en = \"{label}: {occupancy} counted\"}\n";
    admin
        .put("/rules/C1", json!({"source": crowd}))
        .await
        .expect(200);
    let raised = alerts(&admin, "C1").await;
    assert!(text(&raised[0]["text"]["en"]).ends_with(": 180 counted"));

    // What comes late, from the future, or from who may not.
    let early = json!({"people": 9, "source": "main", "at": "2020-01-01T00:00:00Z"});
    let answer = camera.post("/halls/H1/occupancy", early).await.expect(200);
    assert_eq!(
        (&answer["new"], &answer["occupancy"]["people"]),
        (&json!(false), &json!(180))
    );
    for (field, wrong) in [
        ("at", json!({"people": 9, "at": "2999-01-01T00:00:00Z"})),
        ("at", json!({"people": 9, "at": "noon"})),
        ("people", json!({"people": 1_000_001})),
        ("source", json!({"people": 9, "source": "a b"})),
    ] {
        let refused = camera.post("/halls/H1/occupancy", wrong).await;
        assert_eq!(refused.refused(422, "invalid_field")["field"], field);
    }

    clock.set_ahead(61);
    live.find(|frame| frame["data"]["people"] == 180 && frame["data"]["stale"] == true)
        .await;
    let stale = admin.get("/halls/H1/occupancy").await.expect(200);
    assert_eq!(
        (&stale["people"], &stale["stale"]),
        (&json!(180), &json!(true))
    );

    // A stop in good order keeps the last reading, as old as it is; without its camera it is gone.
    server.stop();
    server.restart();
    let admin = Client::new(&server.base, admin.token);
    let kept = admin.get("/halls/H1/occupancy").await.expect(200);
    assert_eq!(
        (&kept["people"], &kept["stale"]),
        (&json!(180), &json!(true))
    );
    assert_eq!(admin.delete("/devices/camera-1").await.status, 204);
    let gone = admin.get("/halls/H1/occupancy").await.expect(200);
    assert_eq!(gone["people"], json!(null));
}
