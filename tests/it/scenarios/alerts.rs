//! Alerts from a fact to their end: D01, D09, F01. Those that days bring are in `days`.

use rules::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE, Server, list, number, text};

/// A server whose rules are evaluated often, so that tests need not wait.
async fn quick() -> Server {
    Server::start_with(&[("HALLKEEPER__ALERTS__PASS_MS", "100")], &[]).await
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_millis(since.unwrap_or_default().as_millis() as i64)
}

fn ago(secs: u64) -> String {
    now().minus_secs(secs).rfc3339_utc()
}

fn ahead(secs: u64) -> String {
    now().plus_secs(secs).rfc3339_utc()
}

/// A rule about queues that fires as soon as three people wait.
fn long_line(id: &str, more: &str) -> Value {
    json!({"source": format!(r#"version = 1

[[rule]]
id = "{id}"
name = {{zh = "排队积压", en = "Long line"}}
topic = "flow"
subject = "queue"
when = "waiting >= param.most"
severity = "warning"
message = {{zh = "{{label}} {{waiting}} 人等候", en = "{{label}}: {{waiting}} waiting"}}
notify = ["role:supervisor"]
{more}
[rule.param]
most = 3
"#)})
}

/// Alerts of a rule once there are so many, whatever their state.
async fn alerts(client: &Client, filter: &str, count: usize) -> Vec<Value> {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let page = client.get(&format!("/alerts?{filter}")).await.expect(200);
        let found = list(&page["items"]).to_vec();
        if found.len() == count {
            return found;
        }
        assert!(std::time::Instant::now() < until, "not {count}: {page}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// The alert once it is in this state.
async fn in_state(client: &Client, id: &str, state: &str) -> Value {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let alert = client.get(&format!("/alerts/{id}")).await.expect(200);
        if alert["state"] == state {
            return alert;
        }
        assert!(std::time::Instant::now() < until, "not {state}: {alert}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn three_wait(server: &Server, hall: &str) -> (Client, Vec<Value>) {
    let admin = server.hall(hall, 1).await;
    let mut tickets = Vec::new();
    for _ in 0..3 {
        tickets.push(admin.issue(hall, "S1").await);
    }
    (admin, tickets)
}

async fn cancel(client: &Client, hall: &str, ticket: &Value) {
    let path = format!("/halls/{hall}/tickets/{}/cancel", ticket["id"]);
    client.post(&path, json!({})).await.expect(200);
}

/// From a fact to closed: told on the feed, explained, handled, and over when the fact is.
#[actix_web::test]
async fn an_alert_is_raised_explained_handled_and_over() {
    let server = quick().await;
    let (admin, tickets) = three_wait(&server, "H1").await;
    let mut feed = admin.live(&["alerts", "alerts.H1"], json!({})).await;
    // What happens before the snapshot is made is told by it, and by no frame of its own.
    feed.frame("alerts").await;
    feed.frame("alerts.H1").await;
    admin
        .put("/rules/T1", long_line("T1", ""))
        .await
        .expect(200);
    let raised = feed
        .find(|frame| frame["topic"] == "alerts" && frame["data"]["alert"]["rule"] == "T1")
        .await;
    let face = &raised["data"]["alert"];
    let id = text(&face["id"]).to_owned();
    assert!(text(&face["text"]["en"]).ends_with(": 3 waiting"), "{face}");
    assert_eq!(face["hall"], "H1");
    let shown = admin.get(&format!("/alerts/{id}")).await.expect(200);
    assert_eq!(shown["why"]["then"][0]["text"], "waiting >= param.most");
    assert_eq!(shown["why"]["then"][0]["left"], 3.0);
    assert_eq!(shown["why"]["now"][0]["holds"], true);
    assert_eq!(shown["why"]["clears_when"], "!(waiting >= param.most)");
    let step =
        async |verb: &str, body: Value| admin.post(&format!("/alerts/{id}/{verb}"), body).await;
    step("start", json!({}))
        .await
        .refused(409, "not_acknowledged");
    let acked = step("ack", json!({"comment": "seen"})).await.expect(200);
    assert_eq!(acked["acked_by"], "admin");
    step("ack", json!({}))
        .await
        .refused(409, "already_acknowledged");
    step("start", json!({})).await.expect(200);
    step("resolve", json!({"comment": "done"}))
        .await
        .refused(409, "condition_holds");
    step("close", json!({})).await.refused(409, "not_resolved");
    cancel(&admin, "H1", &tickets[0]).await;
    let over = in_state(&admin, &id, "resolved").await;
    assert_eq!(over["ending"], "condition_gone");
    step("close", json!({})).await.expect(200);
    let gone = feed.find(|frame| frame["topic"] == "alerts.H1" && frame["data"]["gone"] == *id);
    gone.await;
}

/// Idempotency: the same key does a thing once.
#[actix_web::test]
async fn a_repeated_acknowledgement_is_answered_again() {
    let server = quick().await;
    let (admin, _) = three_wait(&server, "H1").await;
    admin
        .put("/rules/T1", long_line("T1", ""))
        .await
        .expect(200);
    let id = text(&alerts(&admin, "rule=T1", 1).await[0]["id"]).to_owned();
    let path = format!("/alerts/{id}/ack");
    admin.post_keyed(&path, "k1", json!({})).await.expect(200);
    let again = admin.post_keyed(&path, "k1", json!({})).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    again.expect(200);
}

/// A filter holds for the whole list, so that pages of what it leaves are full ones.
#[actix_web::test]
async fn a_page_of_a_filtered_list_is_full() {
    let server = quick().await;
    let (admin, _) = three_wait(&server, "H1").await;
    let calm = long_line("T1", "").to_string().replace("warning", "notice");
    let calm: Value = serde_json::from_str(&calm).expect("JSON");
    admin.put("/rules/T1", calm).await.expect(200);
    alerts(&admin, "rule=T1", 1).await;
    admin
        .put("/rules/T2", long_line("T2", ""))
        .await
        .expect(200);
    alerts(&admin, "rule=T2", 1).await;
    let first = alerts(&admin, "severity=notice&limit=1", 1).await;
    assert_eq!(first[0]["rule"], "T1");
    let fits = "topic=flow&subject=H1/S1&severity=warning&limit=1";
    assert_eq!(alerts(&admin, fits, 1).await[0]["rule"], "T2");
    for none in ["topic=crowd", "subject=H1/S2", "severity=critical"] {
        alerts(&admin, none, 0).await;
    }
    admin
        .get("/alerts?severity=orange")
        .await
        .refused(422, "invalid_field");
}

/// Nobody sees or handles alerts of halls outside the own scope, in lists, by id or on the feed.
#[actix_web::test]
async fn alerts_of_other_halls_are_not_seen() {
    let server = quick().await;
    let (admin, _) = three_wait(&server, "H1").await;
    server.hall("H2", 1).await;
    admin
        .put("/rules/T1", long_line("T1", ""))
        .await
        .expect(200);
    let id = text(&alerts(&admin, "rule=T1", 1).await[0]["id"]).to_owned();
    let other = server.person("boss2", "supervisor", &["H2"]).await;
    assert_eq!(
        list(&other.get("/alerts").await.expect(200)["items"]),
        [] as [Value; 0]
    );
    other
        .get(&format!("/alerts/{id}"))
        .await
        .refused(403, "forbidden");
    other
        .post(&format!("/alerts/{id}/ack"), json!({}))
        .await
        .refused(403, "forbidden");
    other
        .put("/rules/T1", long_line("T1", ""))
        .await
        .refused(403, "forbidden");
    let silence = json!({"match": {"rule": "T1"}, "until": ahead(60), "reason": "x"});
    other
        .post("/silences", silence)
        .await
        .refused(403, "forbidden");
    let mut feed = other.live(&["alerts"], json!({})).await;
    let refused = feed.find(|frame| frame["topic"] == "alerts").await;
    assert_eq!(refused["code"], "forbidden");
    let own = server.person("boss1", "supervisor", &["H1"]).await;
    assert_eq!(alerts(&own, "rule=T1", 1).await[0]["id"], *id);
    own.post(&format!("/alerts/{id}/ack"), json!({}))
        .await
        .expect(200);
}

/// Mistakes in a rule are refused with their places and nothing changes; every version is kept.
#[actix_web::test]
async fn rules_are_checked_versioned_and_switched() {
    let server = quick().await;
    let (admin, _) = three_wait(&server, "H1").await;
    let wrong = text(&long_line("T1", "")["source"]).replace("waiting >=", "wating >=");
    let checked = admin
        .post("/rules/check", json!({"source": wrong}))
        .await
        .expect(200);
    let fault = &checked["faults"][0];
    assert_eq!(
        (&fault["code"], &fault["line"]),
        (&json!("unknown_variable"), &json!(8))
    );
    let refused = admin.put("/rules/T1", json!({"source": wrong})).await;
    assert_eq!(refused.refused(422, "invalid_rule")["faults"][0]["line"], 8);
    admin.get("/rules/T1").await.refused(404, "unknown_rule");
    admin
        .put("/rules/T1", long_line("T1", ""))
        .await
        .expect(200);
    admin
        .put("/rules/T1", long_line("T1", ""))
        .await
        .refused(409, "rule_unchanged");
    admin
        .put("/rules/T2", long_line("T1", ""))
        .await
        .refused(422, "invalid_field");
    let id = text(&alerts(&admin, "rule=T1", 1).await[0]["id"]).to_owned();
    let second = admin
        .put("/rules/-", long_line("T1", "repeat = \"1h\"\n"))
        .await
        .expect(200);
    assert_eq!(number(&second["version"]), 2);
    assert_eq!(list(&second["versions"]).len(), 2);
    assert_eq!(in_state(&admin, &id, "firing").await["rule_version"], 1);
    admin.post("/rules/T1/disable", json!({})).await.expect(200);
    assert_eq!(
        in_state(&admin, &id, "resolved").await["ending"],
        "rule_disabled"
    );
    admin
        .post("/rules/T1/disable", json!({}))
        .await
        .refused(409, "rule_disabled");
    admin.post("/rules/T1/enable", json!({})).await.expect(200);
    assert_eq!(alerts(&admin, "rule=T1&state=firing", 1).await.len(), 1);
    let all = admin.get("/rules").await.expect(200);
    assert!(
        list(&all["items"])
            .iter()
            .any(|rule| rule["id"] == "R02-overdue-case" && rule["by"] == "shipped")
    );
    let catalogue = admin.get("/rules/catalogue").await.expect(200);
    assert!(
        list(&catalogue["subjects"])
            .iter()
            .any(|subject| subject["kind"] == "queue")
    );
}

/// A silence keeps alerts from being told, and ends.
#[actix_web::test]
async fn a_silence_suppresses_and_ends() {
    let server = quick().await;
    let (admin, _) = three_wait(&server, "H1").await;
    admin
        .post(
            "/silences",
            json!({"match": {}, "until": ahead(60), "reason": "x"}),
        )
        .await
        .refused(422, "invalid_field");
    let silence = json!({"match": {"hall": "H1"}, "until": ahead(600), "reason": "painters", "maintenance": true});
    let made = admin.post("/silences", silence).await.expect(201);
    admin
        .put("/rules/T1", long_line("T1", ""))
        .await
        .expect(200);
    let alert = alerts(&admin, "rule=T1", 1).await.remove(0);
    assert_eq!(alert["suppressed_by"], made["id"]);
    let path = format!("/silences/{}", text(&made["id"]));
    admin.delete(&path).await.expect(200);
    admin.delete(&path).await.refused(409, "silence_over");
    let id = text(&alert["id"]);
    assert_eq!(
        in_state(&admin, id, "firing").await["suppressed_by"],
        Value::Null
    );
    assert_eq!(
        list(&admin.get("/silences").await.expect(200)["items"])[0]["state"],
        "ended"
    );
}

/// AC-F01-1: an order from an alert; each points to the other, and its alert stands on.
#[actix_web::test]
async fn a_work_order_from_an_alert_points_both_ways() {
    let server = quick().await;
    let (admin, _) = three_wait(&server, "H1").await;
    admin
        .put("/rules/T1", long_line("T1", ""))
        .await
        .expect(200);
    let id = text(&alerts(&admin, "rule=T1", 1).await[0]["id"]).to_owned();
    let path = format!("/alerts/{id}/order");
    let made = admin
        .post(&path, json!({"assignee": "eng"}))
        .await
        .expect(200);
    let order = text(&made["work_order"]).to_owned();
    admin.post(&path, json!({})).await.refused(409, "has_order");
    let alert = in_state(&admin, &id, "firing").await;
    assert_eq!(alert["work_order"], *order);
    let path = format!("/work-orders/{order}");
    assert_eq!(admin.get(&path).await.expect(200)["alert"], *id);
    for (verb, body) in [
        ("start", json!({})),
        ("resolve", json!({"comment": "已加开窗口"})),
        ("verify", json!({})),
        ("close", json!({})),
    ] {
        admin
            .post(&format!("{path}/{verb}"), body)
            .await
            .expect(200);
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(in_state(&admin, &id, "firing").await["id"], *id);
}

/// AC-D01-1: one rule each on assessment data, on business operation and on tasks with a time limit:
/// three alerts, each under its topic.
#[actix_web::test]
async fn assessment_operation_and_tasks_are_three_topics() {
    let server = quick().await;
    let (admin, _) = three_wait(&server, "H1").await;
    let rule = |id: &str, topic: &str, when: &str| {
        json!({"source": format!(r#"version = 1

[[rule]]
id = "{id}"
name = {{zh = "{id}", en = "{id}"}}
topic = "{topic}"
subject = "hall"
when = "{when}"
"#)})
    };
    let share = rule("missed-share", "assessment", "missed_share_percent > 10");
    admin.put("/rules/missed-share", share).await.expect(200);
    let waiting = rule("waiting", "operations", "waiting >= 2");
    admin.put("/rules/waiting", waiting).await.expect(200);
    let task = json!({
        "case_no": "T1", "kind": "task", "item": "月度考核材料", "department": "住建",
        "hall": "H1", "received_at": ago(86_400), "due_at": ahead(3600),
    });
    admin.post("/cases", task).await.expect(201);
    admin.open_windows("H1", &["1"]).await;
    admin.window("H1", "1", "call-next", json!({})).await;
    for verb in ["recall", "recall", "no-show"] {
        admin.window("H1", "1", verb, json!({})).await;
    }
    for (topic, rule) in [
        ("assessment", "missed-share"),
        ("operations", "waiting"),
        ("overdue", "R04-time-limited-task"),
    ] {
        let found = alerts(&admin, &format!("topic={topic}"), 1).await;
        assert_eq!(found[0]["rule"], rule);
    }
}

/// AC-D01-4, by the clock: true for a while, false for a moment, true, then false for good: one alert,
/// its count, resolved once. The exact numbers are tried in the rules' own tests.
#[actix_web::test]
async fn a_moment_without_the_cause_makes_no_second_alert() {
    let server = quick().await;
    let (admin, tickets) = three_wait(&server, "H1").await;
    let kept = long_line("T1", "keep_firing_for = \"6s\"\n");
    admin.put("/rules/T1", kept).await.expect(200);
    let id = text(&alerts(&admin, "rule=T1", 1).await[0]["id"]).to_owned();
    cancel(&admin, "H1", &tickets[0]).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    in_state(&admin, &id, "firing").await;
    admin.issue("H1", "S1").await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    cancel(&admin, "H1", &tickets[1]).await;
    let over = in_state(&admin, &id, "resolved").await;
    assert!(number(&over["count"]) > 1, "{over}");
    let all = alerts(&admin, "rule=T1", 1).await;
    assert_eq!(
        (&all[0]["id"], &all[0]["state"]),
        (&json!(id), &json!("resolved"))
    );
    let ends = list(&over["timeline"]).iter();
    assert_eq!(
        ends.filter(|entry| entry["what"] == "alert_resolved")
            .count(),
        1
    );
}

/// AC-D09-3: the share handled over a time, and those still open.
#[actix_web::test]
async fn supervision_counts_what_was_handled_and_names_what_is_open() {
    let server = quick().await;
    let (admin, tickets) = three_wait(&server, "H1").await;
    admin
        .put("/rules/T1", long_line("T1", ""))
        .await
        .expect(200);
    let id = text(&alerts(&admin, "rule=T1", 1).await[0]["id"]).to_owned();
    let path = format!("/alerts/supervision?from={}&until={}", ago(3600), ahead(60));
    let open = admin.get(&path).await.expect(200);
    assert_eq!((number(&open["raised"]), number(&open["handled"])), (1, 0));
    assert_eq!(open["open"][0]["id"], *id);
    cancel(&admin, "H1", &tickets[0]).await;
    in_state(&admin, &id, "resolved").await;
    let done = admin.get(&path).await.expect(200);
    assert_eq!(done["handled_percent"], 100.0);
    assert_eq!(list(&done["open"]), [] as [Value; 0]);
}

/// A restart loses no alert and raises none again.
#[actix_web::test]
async fn a_restart_keeps_alerts_and_raises_none_again() {
    let mut server = quick().await;
    let (admin, tickets) = three_wait(&server, "H1").await;
    admin
        .put("/rules/T1", long_line("T1", ""))
        .await
        .expect(200);
    let id = text(&alerts(&admin, "rule=T1", 1).await[0]["id"]).to_owned();
    admin
        .post(&format!("/alerts/{id}/ack"), json!({}))
        .await
        .expect(200);
    server.kill();
    server.restart();
    let admin = server.admin();
    assert_eq!(in_state(&admin, &id, "acknowledged").await["id"], *id);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(alerts(&admin, "rule=T1", 1).await[0]["id"], *id);
    cancel(&admin, "H1", &tickets[0]).await;
    in_state(&admin, &id, "resolved").await;
}
