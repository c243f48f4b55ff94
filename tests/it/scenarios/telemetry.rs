//! Telemetry of on-line services: D08.

use serde_json::{Value, json};

use super::{ID_CARD, PHONE, now};
use crate::harness::{Client, Server, list};

/// An event of an item, complete.
fn event(id: &str, happened: &str, class: &str, code: &str) -> Value {
    json!({
        "id": id, "event": happened, "class": class, "item_code": code, "item_name": format!("事项{code}"),
        "region_code": "430100", "region_name": "长沙市", "user_id": "u-123456",
        "location": "28.2,112.9", "at": now().rfc3339_utc(), "device_type": "phone",
        "department": "人社局", "result": "accepted",
    })
}

async fn counts(admin: &Client, filter: &str) -> Vec<Value> {
    let path = format!("/telemetry/counts?{filter}");
    let answer = admin.get(&path).await.expect(200);
    list(&answer["items"]).to_vec()
}

/// AC-D08-1
#[actix_web::test]
pub(super) async fn handling_items_count_visits_and_cases_query_items_visits_only() {
    let mut server = Server::start().await;
    let mut all = Vec::new();
    for n in 0..10 {
        all.push(event(&format!("v{n}"), "visit", "handling", "A"));
        all.push(event(&format!("q{n}"), "visit", "query", "B"));
    }
    for n in 0..4 {
        let mut case = event(&format!("c{n}"), "case", "handling", "A");
        if n == 3 {
            case["result"] = json!("failed");
        }
        all.push(case);
    }
    // Told twice, as after a lost answer: each event counts once.
    for (kept, known) in [(24, 0), (0, 24)] {
        let told = server.admin().post("/telemetry/events", json!(all)).await;
        let told = told.expect(200);
        assert_eq!(told, json!({"kept": kept, "known": known, "refused": []}));
        server.kill();
        server.restart();
    }
    let admin = server.admin();
    let rows = counts(&admin, "").await;
    let pair = |code: &str| {
        let row = rows.iter().find(|row| row["code"] == code).unwrap();
        (row["visits"].clone(), row["cases"].clone())
    };
    assert_eq!(pair("A"), (json!(10), json!(4)));
    let one = |code: &str| rows.iter().find(|row| row["code"] == code).unwrap();
    let results = json!([{"result": "accepted", "cases": 3}, {"result": "failed", "cases": 1}]);
    assert_eq!(
        (&one("A")["results"], &one("B")["results"]),
        (&results, &json!([]))
    );
    assert_eq!(
        (&one("A")["region_name"], one("A")["last_at"].is_string()),
        (&json!("长沙市"), true)
    );
    assert_eq!(pair("B"), (json!(10), Value::Null));
    assert_eq!(counts(&admin, "class=query").await.len(), 1);
    assert_eq!(counts(&admin, "region=430200").await.len(), 0);
    assert_eq!(counts(&admin, "before=2020-01-01T00:00:00Z").await.len(), 0);
    admin
        .get("/telemetry/counts?class=other")
        .await
        .refused(422, "invalid_field");
}

/// AC-D08-2
#[actix_web::test]
pub(super) async fn an_event_without_the_item_code_is_refused_by_name_and_the_others_are_kept() {
    let server = Server::start().await;
    let admin = server.admin();
    let mut without = event("e2", "visit", "handling", "A");
    without["item_code"] = Value::Null;
    let wrong = event("e3", "case", "query", "B");
    let all = json!([
        event("e1", "visit", "handling", "A"),
        without,
        wrong,
        event("e4", "visit", "query", "B")
    ]);
    let told = admin.post("/telemetry/events", all).await.expect(200);
    assert_eq!(told["kept"], 2);
    let refused = list(&told["refused"]);
    assert_eq!(
        (
            &refused[0]["index"],
            &refused[0]["id"],
            &refused[0]["field"]
        ),
        (&json!(1), &json!("e2"), &json!("item_code"))
    );
    assert_eq!(refused[1]["field"], "event");
    assert_eq!(refused.len(), 2);
    let visits: Vec<Value> = counts(&admin, "").await;
    assert_eq!(visits.len(), 2, "{visits:?}");
    let many = vec![json!({}); 201];
    admin
        .post("/telemetry/events", json!(many))
        .await
        .refused(422, "invalid_field");
    // Those who see one hall only see nothing of the city's services.
    let elsewhere = server.hall("H1", 1).await;
    drop(elsewhere);
    let engineer = server.person("zhao", "engineer", &["H1"]).await;
    engineer
        .get("/telemetry/counts")
        .await
        .refused(403, "forbidden");
}

/// AC-D08-3
#[actix_web::test]
async fn an_id_number_in_a_log_is_kept_masked() {
    let mut server = Server::start().await;
    let admin = server.admin();
    let mut logged = event("e1", "visit", "handling", "A");
    logged["log"] = json!(format!("提交失败 身份证 {ID_CARD} 手机 {PHONE}"));
    admin.post("/telemetry/events", logged).await.expect(200);
    server.stop();
    let mut seen = false;
    for entry in std::fs::read_dir(server.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let holds = |signs: &str| bytes.windows(signs.len()).any(|at| at == signs.as_bytes());
            assert!(!holds(ID_CARD) && !holds(PHONE), "{}", path.display());
            seen |= holds("提交失败");
        }
    }
    assert!(seen, "the log is kept");
}
