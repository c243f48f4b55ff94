//! Cases over HTTP: C02, C04, C05, C06, D09. What limits come to is tried in the tests of the rules, where
//! time is a value.

use std::time::Instant;

use rules::time::Timestamp;
use serde_json::{Value, json};

use super::now;
use crate::harness::{Client, PATIENCE, Server, SetClock, list, number};
use crate::notices::receivers::{Receiver, Taken};

fn ago(hours: u64) -> String {
    now().minus_secs(hours * 3600).rfc3339_utc()
}

fn received(case_no: &str, hall: &str) -> Value {
    json!({
        "case_no": case_no, "item": "企业设立", "department": "市场监管局", "handler": "li",
        "hall": hall, "received_at": ago(400), "applicant_masked": "张明明",
    })
}

async fn step(client: &Client, case: &str, kind: &str, hours_ago: u64) -> Value {
    let step = json!({"kind": kind, "at": ago(hours_ago)});
    let path = format!("/cases/{case}/steps");
    client.post(&path, step).await.expect(201)
}

/// AC-A02-3: asked at a machine of the hall, a case's step, department and due date, not whose it is.
#[actix_web::test]
async fn a_machine_tells_how_far_a_case_is_and_not_whose_it_is() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    admin.post("/cases", received("K9", "H1")).await.expect(201);
    step(&admin, "K9", "accepted", 300).await;
    step(&admin, "K9", "review_begun", 200).await;
    let kiosk = server.device("kiosk", "kiosk", "H1").await;
    let found = kiosk.get("/halls/H1/case-progress/K9").await.expect(200);
    assert_eq!(found["state"], "in_review");
    assert_eq!(found["department"], "市场监管局");
    assert!(found.get("due_at").is_some(), "{found}");
    let told = found.to_string();
    assert!(!told.contains('张') && !told.contains("li\""), "{told}");
    let none = kiosk.get("/halls/H1/case-progress/K8").await;
    none.refused(404, "unknown_case");
    let visitor = server.visitor().get("/halls/H1/case-progress/K9").await;
    visitor.refused(401, "not_signed_in");
}

/// AC-C02-4
#[actix_web::test]
async fn steps_may_come_in_any_order_and_twice() {
    let mut server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let case = received("K 1", "H1");
    let refused = admin
        .post("/cases", case)
        .await
        .refused(422, "invalid_field");
    assert_eq!(refused["field"], "case_no");
    admin.post("/cases", received("K1", "H1")).await.expect(201);
    let again = received("K1", "H1");
    let mut corrected = again.clone();
    corrected["department"] = json!("税务局");
    corrected["received_at"] = json!("2025-11-03T09:00:00+08:00");
    admin.post("/cases", corrected.clone()).await.expect(200);
    let same = admin.post("/cases", corrected).await.expect(200);
    assert_eq!(same["changed"], false);
    step(&admin, "K1", "closed", 100).await;
    let late = json!({"kind": "accepted", "at": ago(200)});
    let told = admin
        .post("/cases/K1/steps", late.clone())
        .await
        .expect(201);
    assert_eq!(
        (&told["state"], &told["wrong_order"]),
        (&json!("closed"), &json!(true))
    );
    let repeat = admin.post("/cases/K1/steps", late).await.expect(200);
    assert_eq!(repeat["changed"], false);
    let other = json!({"kind": "refused", "at": ago(50)});
    admin
        .post("/cases/K1/steps", other)
        .await
        .refused(409, "case_already_ended");
    let nobody = json!({"kind": "closed", "at": ago(1)});
    admin
        .post("/cases/K9/steps", nobody)
        .await
        .refused(404, "unknown_case");
    server.kill();
    server.restart();
    let kept = server.admin().get("/cases/K1").await.expect(200);
    assert_eq!(kept["state"], "closed");
    assert_eq!(list(&kept["steps"]).len(), 2);
    assert_eq!(kept["department"], "税务局");
    // The full name did not get past the door.
    assert_eq!(kept["applicant_masked"], "张*明");
}

/// AC-C04-4, AC-C06-4: each number opens its list.
#[actix_web::test]
async fn each_number_of_the_board_opens_its_list() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let steps = [
        ("handled", "accepted"),
        ("closed", "closed"),
        ("supplement", "supplement_asked"),
        ("special", "suspended"),
        ("refused", "refused"),
        ("void", "voided"),
        ("returned", "returned"),
    ];
    for (case, kind) in steps {
        let mut told = received(case, "H1");
        told["steps"] = json!([{"kind": kind, "at": ago(1), "by": "li"}]);
        told["due_at"] = json!(now().plus_secs(90 * 86400).rfc3339_utc());
        admin.post("/cases", told).await.expect(201);
    }
    let mut overdue = received("todo", "H1");
    overdue["due_at"] = json!(ago(48));
    admin.post("/cases", overdue).await.expect(201);
    let mut draft = received("draft", "H1");
    draft.as_object_mut().unwrap().remove("received_at");
    admin.post("/cases", draft).await.expect(201);
    let board = admin.get("/cases/board?hall=H1").await.expect(200);
    for counts in ["groups", "stages", "time", "attention", "sync"] {
        for count in list(&board[counts]) {
            let filter = count["filter"].as_object().unwrap();
            let query: Vec<String> = filter
                .iter()
                .map(|(name, value)| format!("{name}={}", value.to_string().trim_matches('"')))
                .collect();
            let page = admin
                .get(&format!("/cases?{}", query.join("&")))
                .await
                .expect(200);
            assert_eq!(page["total"], count["count"], "{count}");
            if counts == "groups" {
                assert_eq!(count["count"], 1, "{count}");
                assert_eq!(page["items"][0]["case_no"], count["name"]);
            }
        }
    }
    let stages: Vec<u64> = list(&board["stages"])
        .iter()
        .map(|c| number(&c["count"]))
        .collect();
    assert_eq!(stages, [5, 3, 1]);
    assert_eq!(board["departments"][0]["overdue"], 1);
    // Nobody sees cases of other halls, nor those of no hall.
    let other = server.person("zhou", "supervisor", &["H2"]).await;
    assert_eq!(other.get("/cases?group=todo").await.expect(200)["total"], 0);
    assert_eq!(other.get("/cases").await.expect(200)["total"], 0);
    other.get("/cases/todo").await.refused(403, "forbidden");
    other
        .get("/cases/board?hall=H1")
        .await
        .refused(403, "forbidden");
}

/// AC-C05-1, and the figures of AC-C05-2.
#[actix_web::test]
async fn a_joint_approval_ends_with_its_last_department() {
    let server = Server::start().await;
    let admin = server.admin();
    let mut joint = received("J1", "H1");
    joint["coordinator"] = json!("zhao");
    let part = |id: &str, hours: u64| json!({"id": id, "department": format!("dept-{id}"), "due_at": ago(hours)});
    joint["parts"] = json!([part("fire", 72), part("land", 48), part("water", 24)]);
    admin.post("/cases", joint).await.expect(201);
    let end = |part: &'static str| json!({"kind": "closed", "at": ago(100), "part": part});
    admin.post("/cases/J1/steps", end("fire")).await.expect(201);
    admin
        .post("/cases/J1/steps", end("water"))
        .await
        .expect(201);
    let whole = json!({"kind": "closed", "at": ago(99)});
    let refused = admin
        .post("/cases/J1/steps", whole)
        .await
        .refused(409, "parts_open");
    assert_eq!(refused["parts"], json!(["land"]));
    let case = admin.get("/cases/J1").await.expect(200);
    let parts = json!({"ended": 2, "total": 3, "overdue": ["dept-land"]});
    assert_eq!(case["parts"], parts);
    assert_eq!(case["coordinator"], "zhao");
    let ended = admin.post("/cases/J1/steps", end("land")).await.expect(201);
    assert_eq!(ended["state"], "closed");
}

/// AC-D09-2: the list with department and days, and an urge that counts once per click.
#[actix_web::test]
async fn overdue_acceptances_are_listed_and_an_urge_counts_once_per_click() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    for case in ["A1", "A2", "A3", "A4", "A5", "A6"] {
        admin.post("/cases", received(case, "H1")).await.expect(201);
    }
    let chief = server.person("zhou", "supervisor", &["H1"]).await;
    chief.post("/cases/A5/accept", json!({})).await.expect(200);
    let returned = json!({"note": "材料不符"});
    chief.post("/cases/A6/return", returned).await.expect(200);
    chief
        .post("/cases/A5/accept", json!({}))
        .await
        .refused(409, "case_already_accepted");
    let page = chief
        .get("/cases?acceptance_overdue=true")
        .await
        .expect(200);
    assert_eq!(page["total"], 4);
    for line in list(&page["items"]) {
        assert_eq!(line["department"], "市场监管局");
        assert!(number(&line["acceptance_days_overdue"]) > 5, "{line}");
    }
    for _ in 0..3 {
        chief
            .post_keyed("/cases/A1/urge", "click-1", json!({}))
            .await
            .expect(200);
    }
    let urged = chief
        .post_keyed("/cases/A1/urge", "click-2", json!({}))
        .await
        .expect(200);
    assert_eq!(urged["urged"], 2);
    let audit = admin.get("/audit?action=case_urged").await.expect(200);
    let rows = list(&audit["items"]);
    assert_eq!(rows.len(), 2);
    assert!(
        rows.iter()
            .all(|row| row["actor"] == "zhou" && row["object"] == "A1")
    );
    let assigned = chief
        .post("/cases/A1/assign", json!({"to": "wang"}))
        .await
        .expect(200);
    assert_eq!(assigned["handler"], "wang");
    let refused = chief
        .post("/cases/A1/assign", json!({}))
        .await
        .refused(422, "invalid_field");
    assert_eq!(refused["field"], "to");
    let clerk = server.person("qian", "clerk", &["H2"]).await;
    clerk
        .post("/cases/A1/urge", json!({}))
        .await
        .refused(403, "forbidden");
}

/// AC-D09-2: each click of an urge reaches the handler once, whoever repeats the request; without a
/// handler it reaches whoever coordinates.
#[actix_web::test]
async fn an_urge_reaches_the_handler_once_per_click() {
    let inbox = Receiver::http(&[]).await;
    let settings = [
        ("HALLKEEPER__NOTICES__WEBHOOKS__LI__URL", &*inbox.url()),
        ("HALLKEEPER__NOTICES__WEBHOOKS__LI__SECRET", "S3cret"),
    ];
    let server = Server::start_with(&settings, &[]).await;
    let admin = server.hall("H1", 1).await;
    let own = json!({
        "name": "经办人", "account": "li", "ways": [{"kind": "webhook", "address": "li"}],
    });
    admin.put("/receivers/li", own).await.expect(200);
    admin.post("/cases", received("A1", "H1")).await.expect(201);
    let mut joint = received("A2", "H1");
    joint["handler"] = Value::Null;
    joint["coordinator"] = json!("li");
    admin.post("/cases", joint).await.expect(201);
    let chief = server.person("zhou", "supervisor", &["H1"]).await;
    let soon = json!({"note": "请尽快受理"});
    for key in ["click-1", "click-1", "click-2", "click-1"] {
        let urge = chief.post_keyed("/cases/A1/urge", key, soon.clone()).await;
        urge.expect(200);
    }
    chief.post("/cases/A2/urge", json!({})).await.expect(200);
    let urged = |taken: &[Taken]| -> Vec<String> {
        let bodies = taken.iter();
        bodies
            .map(|one| serde_json::from_str::<Value>(&one.body).unwrap())
            .filter(|body| body["cause"] == "urged")
            .map(|body| body["text"].to_string())
            .collect()
    };
    let deadline = Instant::now() + PATIENCE;
    while urged(&inbox.taken()).len() < 3 {
        assert!(Instant::now() < deadline, "{:?}", inbox.taken());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let words = urged(&inbox.taken());
    assert_eq!(words.len(), 3, "{words:?}");
    let both = words
        .iter()
        .filter(|text| text.contains("zhou 催办 企业设立 A1：请尽快受理"));
    assert_eq!(both.count(), 2, "{words:?}");
    let audit = admin.get("/audit?action=case_urged").await.expect(200);
    assert_eq!(list(&audit["items"]).len(), 3);
}

/// AC-C02-3: the applicant's choice after the pre-review moves the case, or leaves it in the list of
/// those that wait for paper documents.
#[actix_web::test]
async fn the_applicants_choice_after_the_pre_review_decides_what_comes_next() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    for (case, choice, state) in [
        ("C1", "materials_submitted", "accepted"),
        ("C2", "materials_delayed", "awaiting_materials"),
    ] {
        admin.post("/cases", received(case, "H1")).await.expect(201);
        step(&admin, case, "pre_review_begun", 300).await;
        step(&admin, case, "pre_review_passed", 200).await;
        assert_eq!(step(&admin, case, choice, 100).await["state"], state);
    }
    let waiting = admin
        .get("/cases?awaiting_materials=true")
        .await
        .expect(200);
    assert_eq!(
        (&waiting["total"], &waiting["items"][0]["case_no"]),
        (&json!(1), &json!("C2"))
    );
}

/// AC-C02-1, with ten tickets for the scenario's eighty.
#[actix_web::test]
async fn served_without_registration_is_counted_and_listed() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    admin.open_windows("H1", &["1"]).await;
    let mut tickets = Vec::new();
    for _ in 0..10 {
        tickets.push(number(&admin.issue("H1", "S1").await["id"]));
        admin.serve_next("H1", "1").await;
    }
    admin.issue("H1", "S1").await;
    for ticket in &tickets[..8] {
        let mut case = received(&format!("T{ticket}"), "H1");
        case["tickets"] = json!([ticket]);
        admin.post("/cases", case).await.expect(201);
    }
    let board = admin.get("/cases/board?hall=H1").await.expect(200);
    let figures = &board["closed_loop"];
    assert_eq!(
        (&figures["completed"], &figures["linked"]),
        (&json!(10), &json!(8))
    );
    assert_eq!(
        (&figures["percent"], &figures["unregistered"]),
        (&json!(80.0), &json!(2))
    );
    let page = admin
        .get("/cases/unregistered?hall=H1&limit=1")
        .await
        .expect(200);
    assert_eq!(page["items"][0]["ticket"], tickets[8]);
    let after = page["next"].as_str().unwrap();
    let path = format!("/cases/unregistered?hall=H1&limit=1&after={after}");
    let page = admin.get(&path).await.expect(200);
    assert_eq!(page["items"][0]["ticket"], tickets[9]);
    assert_eq!(page["next"], Value::Null);
}

#[actix_web::test]
async fn lists_are_paged_by_due_time_and_bad_input_is_named() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    for day in (0..7).rev() {
        let mut case = received(&format!("P{day}"), "H1");
        let due: Timestamp = now().plus_secs((day + 30) * 86400);
        case["due_at"] = json!(due.rfc3339_utc());
        admin.post("/cases", case).await.expect(201);
    }
    let mut seen = Vec::new();
    let mut path = "/cases?stage=open&limit=3".to_owned();
    loop {
        let page = admin.get(&path).await.expect(200);
        seen.extend(
            list(&page["items"])
                .iter()
                .map(|c| c["case_no"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/cases?stage=open&limit=3&after={next}");
    }
    assert_eq!(seen, ["P0", "P1", "P2", "P3", "P4", "P5", "P6"]);
    let stored = admin.get("/cases?sort=due&limit=2").await.expect(200);
    assert_eq!(
        (&stored["total"], &stored["items"][1]["case_no"]),
        (&json!(7), &json!("P1"))
    );
    for (query, field) in [
        ("time=soon", "time"),
        ("group=x", "group"),
        ("stage=open&after=x", "after"),
        ("sort=x", "sort"),
    ] {
        let refused = admin
            .get(&format!("/cases?{query}"))
            .await
            .refused(422, "invalid_field");
        assert_eq!(refused["field"], field);
    }
    let both = json!({"case_no": "B1", "promise_days": 3, "due_at": ago(1)});
    let refused = admin
        .post("/cases", both)
        .await
        .refused(422, "invalid_field");
    assert_eq!(refused["field"], "due_at");
    let kind = json!({"case_no": "B1", "steps": [{"kind": "eaten", "at": ago(1)}]});
    let refused = admin
        .post("/cases", kind)
        .await
        .refused(422, "invalid_field");
    assert_eq!(refused["field"], "steps[0].kind");
}

#[actix_web::test]
async fn a_case_put_away_is_still_found_and_takes_nothing_more() {
    let Some(clock) = SetClock::new() else {
        return;
    };
    let settings = clock.settings();
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let server = Server::start_with(&settings, &[]).await;
    let admin = server.hall("H1", 1).await;
    let mut case = received("K1", "H1");
    case["steps"] = json!([{"kind": "closed", "at": ago(48)}]);
    admin.post("/cases", case.clone()).await.expect(201);
    clock.set_ahead(31 * 86400);
    let password = server.folder.path().join("initial-admin-password");
    let password = std::fs::read_to_string(password).expect("the first password");
    let admin = server.sign_in("admin", password.trim()).await;
    let deadline = Instant::now() + PATIENCE;
    while admin.get("/cases?group=closed").await.expect(200)["total"] != 0 {
        assert!(Instant::now() < deadline, "the case is still in memory");
        let other = received("K2", "H1");
        admin.post("/cases", other).await;
    }
    let late = json!({"kind": "archived", "at": ago(1)});
    let refused = admin.post("/cases/K1/steps", late).await;
    refused.refused(409, "case_put_away");
    let again = admin.post("/cases", case.clone()).await.expect(200);
    assert_eq!(again["changed"], false);
    case["item"] = json!("企业注销");
    let refused = admin.post("/cases", case).await;
    refused.refused(409, "case_put_away");
    let shown = admin.get("/cases/K1").await.expect(200);
    assert_eq!(
        (&shown["state"], &shown["item"]),
        (&json!("closed"), &json!("企业设立"))
    );
    assert_eq!(
        admin.get("/cases?state=closed").await.expect(200)["total"],
        1
    );
}
