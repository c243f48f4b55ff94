//! API channels, told of their calls from outside: A09, F02, F03.

use awc::http::Method;
use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE, Server, list, number, text};

async fn quick() -> Server {
    Server::start_with(&[("HALLKEEPER__ALERTS__PASS_MS", "100")], &[]).await
}

fn setup(name: &str) -> Value {
    json!({"name": {"zh": name, "en": name}, "provider": "省政务平台", "direction": "outbound"})
}

async fn channel(admin: &Client, id: &str) {
    admin
        .put(&format!("/channels/{id}"), setup(id))
        .await
        .expect(200);
}

fn call(n: usize, result: &str, ms: f64) -> Value {
    let at = super::now().rfc3339_utc();
    json!({"id": format!("c{n}"), "caller": "A", "at": at, "duration_ms": ms, "result": result})
}

async fn tell(admin: &Client, channel: &str, calls: Value) -> Value {
    let path = format!("/channels/{channel}/calls");
    admin.post(&path, calls).await.expect(201)
}

async fn health(admin: &Client, channel: &str) -> String {
    let face = admin.get(&format!("/channels/{channel}")).await.expect(200);
    text(&face["health"]).to_owned()
}

/// Standing alerts of a rule, once there are so many.
async fn alerts(admin: &Client, rule: &str, count: usize) -> Vec<Value> {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let path = format!("/alerts?rule={rule}&ended=false");
        let page = admin.get(&path).await.expect(200);
        if list(&page["items"]).len() == count {
            return list(&page["items"]).to_vec();
        }
        assert!(std::time::Instant::now() < until, "not {count}: {page}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// AC-F02-1: of 1,000 calls 37 failed, 12 of them by a time-out of caller C; each shows what was asked
/// and answered, without its secrets.
#[actix_web::test]
async fn the_history_of_calls_is_filtered_by_every_dimension() {
    let server = Server::start().await;
    let admin = server.admin();
    channel(&admin, "sms").await;
    let calls: Vec<Value> = (0..1000)
        .map(|n| {
            let failed = n % 27 == 0 && n < 37 * 27;
            let timeout = failed && n < 12 * 27;
            let mut call = call(n, if failed { "failed" } else { "ok" }, 20.0);
            call["caller"] = json!(if timeout { "C" } else { "A" });
            call["reason"] = json!(match (failed, timeout) {
                (true, true) => "timeout",
                (true, false) => "status_500",
                _ => "",
            });
            call["version"] = json!("v1");
            call["request"] = json!({"path": format!("/send/{n}"), "phone": "13812345678", "password": "hunter2"});
            call["response"] = json!({"code": n});
            call
        })
        .collect();
    for some in calls.chunks(100) {
        assert_eq!(tell(&admin, "sms", json!(some)).await["kept"], 100);
    }
    let failed = admin.get("/channels/sms/calls?result=failed").await;
    assert_eq!(failed.expect(200)["total"], 37);
    let path = "/channels/sms/calls?result=failed&reason=timeout&caller=C&limit=5";
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let page = admin.get(&format!("{path}{after}")).await.expect(200);
        assert_eq!(page["total"], 12);
        found.extend(list(&page["items"]).to_vec());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    let mut ids: Vec<&str> = found.iter().map(|call| text(&call["id"])).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(
        (found.len(), ids.len()),
        (12, 12),
        "a page repeats or skips"
    );
    for call in &found {
        assert_eq!(call["reason"], "timeout");
        assert!(!call["response"].is_null());
        let told = call.to_string();
        assert!(
            !told.contains("hunter2") && !told.contains("13812345678"),
            "{told}"
        );
    }
    let by = admin.get("/channels/sms/calls/summary?by=reason").await;
    let by = by.expect(200);
    let count = |key: &str| {
        let found = list(&by["items"]).iter().find(|one| one["key"] == key);
        found.map_or(0, |one| number(&one["calls"]))
    };
    assert_eq!((count("timeout"), count("status_500")), (12, 25));
    let paths = admin
        .get("/channels/sms/calls/summary?by=path")
        .await
        .expect(200);
    assert_eq!(list(&paths["items"]).len(), 1, "{paths}");
}

/// AC-F02-2: success 80.0 %, least 100, most 5,000, median 300, mean 1,200.
#[actix_web::test]
async fn a_channel_shows_share_of_success_least_most_median_and_mean() {
    let server = Server::start().await;
    let admin = server.admin();
    channel(&admin, "pay").await;
    let calls: Vec<Value> = [100.0, 200.0, 300.0, 400.0, 5000.0]
        .iter()
        .enumerate()
        .map(|(n, ms)| call(n, if *ms > 4000.0 { "failed" } else { "ok" }, *ms))
        .collect();
    tell(&admin, "pay", json!(calls)).await;
    let face = admin.get("/channels/pay").await.expect(200);
    let figures = &face["figures"][1];
    assert_eq!(figures["success_percent"], 80.0, "{figures}");
    assert_eq!(figures["min_ms"], 100.0);
    assert_eq!(figures["max_ms"], 5000.0);
    assert_eq!(figures["mean_ms"], 1200.0);
    let median = figures["p50_ms"].as_f64().unwrap();
    assert!((median - 300.0).abs() <= 3.0, "{median}");
}

/// AC-F02-3, A09-2: F F F F S F F F F F alarms at the tenth call, not before, and only this channel; one
/// success afterwards is recovering, three are healthy.
#[actix_web::test]
async fn failures_in_a_row_alarm_at_the_limit_and_successes_recover() {
    let server = quick().await;
    let admin = server.admin();
    channel(&admin, "sms").await;
    channel(&admin, "pay").await;
    for (n, sign) in "FFFFSFFFF".chars().enumerate() {
        let result = if sign == 'F' { "failed" } else { "ok" };
        tell(&admin, "sms", call(n, result, 10.0)).await;
        assert_ne!(health(&admin, "sms").await, "down", "at call {}", n + 1);
    }
    tell(&admin, "sms", call(9, "failed", 10.0)).await;
    assert_eq!(health(&admin, "sms").await, "down");
    let alert = alerts(&admin, "R07-api-failures", 1).await.remove(0);
    assert_eq!(alert["subject"]["id"], "sms");
    assert_eq!(health(&admin, "pay").await, "healthy");
    tell(&admin, "sms", call(10, "ok", 10.0)).await;
    assert_eq!(health(&admin, "sms").await, "recovering");
    tell(&admin, "sms", call(11, "ok", 10.0)).await;
    tell(&admin, "sms", call(12, "ok", 10.0)).await;
    assert_eq!(health(&admin, "sms").await, "healthy");
    alerts(&admin, "R07-api-failures", 0).await;
}

/// AC-F02-4: a hundred calls with a 95th percentile of 2.6 s raise one alert; ten raise none.
#[actix_web::test]
async fn slow_calls_alarm_only_when_there_are_enough_of_them() {
    let server = quick().await;
    let admin = server.admin();
    channel(&admin, "few").await;
    channel(&admin, "many").await;
    let calls = |count: usize| -> Value {
        let slow = |n: usize| call(n, "ok", if n.is_multiple_of(10) { 2600.0 } else { 50.0 });
        (0..count).map(slow).collect()
    };
    tell(&admin, "few", calls(10)).await;
    tell(&admin, "many", calls(100)).await;
    let alert = alerts(&admin, "R08-api-slow", 1).await.remove(0);
    assert_eq!(alert["subject"]["id"], "many");
}

/// A call told again, alone or in a list, is the same call; a list with one that cannot be is kept not
/// at all, and the answer says which.
#[actix_web::test]
async fn a_call_is_kept_and_counted_once_also_after_a_crash() {
    let mut server = Server::start().await;
    let admin = server.admin();
    channel(&admin, "sms").await;
    let calls: Vec<Value> = (0..40).map(|n| call(n, "ok", 5.0)).collect();
    let first = tell(&admin, "sms", json!(calls[..25])).await;
    assert_eq!((&first["kept"], &first["known"]), (&json!(25), &json!(0)));
    let again = tell(&admin, "sms", json!(calls)).await;
    assert_eq!((&again["kept"], &again["known"]), (&json!(15), &json!(25)));
    let mut bad = calls.clone();
    bad.push(call(99, "ok", 5.0));
    bad[3]["status"] = json!(7);
    let refused = admin.post("/channels/sms/calls", json!(bad)).await;
    let refused = refused.refused(422, "invalid_field");
    assert!(refused.to_string().contains("[3].status"), "{refused}");
    server.kill();
    server.restart();
    let admin = server.admin();
    let face = admin.get("/channels/sms").await.expect(200);
    assert_eq!(face["figures"][3]["calls"], 40, "{face}");
    assert_eq!(
        admin.get("/channels/sms/calls").await.expect(200)["total"],
        40
    );
    tell(&admin, "sms", json!(calls)).await;
    let face = admin.get("/channels/sms").await.expect(200);
    assert_eq!(face["figures"][3]["calls"], 40);
}

/// Many tell of calls at once: each call is counted.
#[actix_web::test]
async fn calls_told_at_the_same_time_are_all_counted() {
    let server = Server::start().await;
    let admin = server.admin();
    channel(&admin, "sms").await;
    let some = (0..16).map(|teller| {
        let calls: Value = (0..10).map(|n| call(teller * 10 + n, "ok", 5.0)).collect();
        let admin = &admin;
        async move { tell(admin, "sms", calls).await }
    });
    futures_util::future::join_all(some).await;
    let face = admin.get("/channels/sms").await.expect(200);
    assert_eq!(face["figures"][3]["calls"], 160, "{face}");
}

/// Only who was granted a published version may call it; what is refused is in the history, with the
/// reason; taking back counts at once.
#[actix_web::test]
async fn versions_and_grants_decide_who_may_call() {
    let server = Server::start().await;
    let admin = server.admin();
    channel(&admin, "map").await;
    let post =
        async |path: &str, body: Value| admin.post(&format!("/channels/map/{path}"), body).await;
    post("versions", json!({"version": "1.0"}))
        .await
        .expect(200);
    post("versions", json!({"version": "1.0"}))
        .await
        .refused(409, "version_exists");
    let granted = post("grants", json!({"caller": "kiosk"})).await.expect(201);
    let key = text(&granted["key"]).to_owned();
    let ask = async |key: &str| {
        let asked = json!({"caller": "kiosk", "key": key, "version": "1.0"});
        post("check", asked).await
    };
    ask(&key).await.refused(403, "version_not_published");
    post("versions/1.0/publish", json!({})).await.expect(200);
    ask(&key).await.expect(200);
    ask("wrong").await.refused(403, "wrong_key");
    let face = admin.get("/channels/map").await.expect(200);
    assert!(!face.to_string().contains(&key), "a key is told again");
    let path = format!("grants/{}/revoke", granted["id"]);
    post(&path, json!({"reason": "合同到期"})).await.expect(200);
    ask(&key).await.refused(403, "grant_revoked");
    let refused = admin
        .get("/channels/map/calls?result=refused")
        .await
        .expect(200);
    assert_eq!(refused["total"], 3, "{refused}");
    assert_eq!(refused["items"][0]["reason"], "grant_revoked");
}

/// AC-F03-2: during maintenance nothing alarms, and the figures are kept all the same.
#[actix_web::test]
async fn maintenance_alarms_nobody_and_keeps_the_figures() {
    let server = quick().await;
    let admin = server.admin();
    channel(&admin, "ministry").await;
    let until = super::now().plus_secs(3600).rfc3339_utc();
    let plan = json!({"until": until, "reason": "部级平台升级"});
    let path = "/channels/ministry/maintenance";
    admin.post(path, plan).await.expect(200);
    let failed: Vec<Value> = (0..10).map(|n| call(n, "failed", 5.0)).collect();
    tell(&admin, "ministry", json!(failed)).await;
    assert_eq!(health(&admin, "ministry").await, "maintenance");
    let face = admin.get("/channels/ministry").await.expect(200);
    assert_eq!(face["figures"][1]["failed"], 10);
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    alerts(&admin, "R07-api-failures", 0).await;
    admin.post(path, json!({})).await.expect(200);
    let over = std::time::Instant::now() + PATIENCE;
    while health(&admin, "ministry").await != "healthy" {
        assert!(std::time::Instant::now() < over, "still under maintenance");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// A channel that is nobody's, or of another hall, is not shown, and a set-up that cannot be says why.
#[actix_web::test]
async fn channels_keep_to_the_scope_and_refuse_what_cannot_be() {
    let server = Server::start().await;
    let admin = server.admin();
    server.hall("H1", 1).await;
    server.hall("H2", 1).await;
    channel(&admin, "city").await;
    let mut own = setup("own");
    own["hall"] = json!("H1");
    admin.put("/channels/own", own).await.expect(200);
    let engineer = server.person("eng", "engineer", &["H2"]).await;
    let seen = engineer.get("/channels").await.expect(200);
    assert_eq!(seen["total"], 0, "{seen}");
    engineer
        .get("/channels/own")
        .await
        .refused(403, "forbidden");
    engineer
        .get("/channels/city")
        .await
        .refused(403, "forbidden");
    engineer
        .put("/channels/own", setup("mine"))
        .await
        .refused(403, "forbidden");
    admin
        .get("/channels/none")
        .await
        .refused(404, "unknown_channel");
    let mut odd = setup("odd");
    odd["limits"] = json!({"slow_ms": 0});
    let refused = admin.put("/channels/odd", odd).await;
    let refused = refused.refused(422, "invalid_field");
    assert!(refused.to_string().contains("limits.slow_ms"), "{refused}");
    admin
        .get("/channels/odd")
        .await
        .refused(404, "unknown_channel");
}

/// Issue: two who change one set-up at a time do not undo each other's change, unless they mean to.
#[actix_web::test]
async fn a_change_of_what_was_changed_meanwhile_is_refused() {
    let server = quick().await;
    let admin = server.admin();
    let feed = json!({"name": {"zh": "数据", "en": "Data"}, "direction": "receive", "kind": "items", "party": "city"});
    let channel = json!({"name": {"zh": "接口", "en": "Interface"}, "provider": "city", "direction": "outbound"});
    for (path, field, setup) in [
        ("/feeds/items", "party", feed),
        ("/channels/pay", "provider", channel),
    ] {
        let named = |who: &str| {
            let mut setup = setup.clone();
            setup[field] = json!(who);
            Some(setup.to_string())
        };
        let made = admin.put(path, setup.clone()).await;
        assert_eq!(made.header("etag"), Some("\"1\""), "{}", made.text);
        let read = admin.get(path).await;
        let tag = read.header("etag").expect("a tag").to_owned();
        let seen = [("If-Match", tag.as_str())];
        let first = admin.send(Method::PUT, path, named("first"), &seen).await;
        assert_eq!(first.expect(200)["revision"], 2);
        let second = admin.send(Method::PUT, path, named("second"), &seen).await;
        second.refused(412, "changed_meanwhile");
        let bad = [("If-Match", "yesterday")];
        let bad = admin.send(Method::PUT, path, named("second"), &bad).await;
        bad.refused(422, "invalid_field");
        // Sent again, because the answer was lost, it is no conflict; without a tag it is meant.
        let again = admin.send(Method::PUT, path, named("first"), &seen).await;
        assert_eq!(again.expect(200)["setup"][field], "first");
        let meant = admin.send(Method::PUT, path, named("third"), &[]).await;
        assert_eq!(meant.expect(200)["setup"][field], "third");
    }
}
