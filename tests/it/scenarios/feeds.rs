//! Data received and pushed by agreement: D04, F01, F04, F07, H01, H03, and A08 in `pushes`.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cases::{fails, run, succeeds};
use crate::harness::{Client, PATIENCE, Server, SetClock, list, number, text};

async fn quick() -> Server {
    Server::start_with(&[("HALLKEEPER__ALERTS__PASS_MS", "100")], &[]).await
}

/// Quick too, and its time is the clock's; sessions last through the days that are passed over.
pub(super) async fn by(clock: &SetClock) -> Server {
    let mut settings = clock.settings();
    settings.push(("HALLKEEPER__ALERTS__PASS_MS".to_owned(), "100".to_owned()));
    settings.push(("HALLKEEPER__SESSION__HOURS".to_owned(), "100".to_owned()));
    let settings: Vec<_> = settings
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    Server::start_with(&settings, &[]).await
}

/// A feed as most of them are, with what is special about it.
pub(super) fn setup(direction: &str, kind: &str, more: Value) -> Value {
    let mut setup = json!({
        "name": {"zh": "省级数据", "en": "Province data"}, "direction": direction, "kind": kind,
        "party": "省数据局", "masking": {"fields": ["phone", "id_number"], "patterns": true},
    });
    for (field, value) in more.as_object().unwrap() {
        setup[field] = value.clone();
    }
    setup
}

pub(super) async fn feed(admin: &Client, id: &str, setup: Value) -> Value {
    admin.put(&format!("/feeds/{id}"), setup).await.expect(200)
}

pub(super) async fn take(admin: &Client, feed: &str, batch: &str, records: &[Value]) -> Value {
    let path = format!("/feeds/{feed}/batches/{batch}/records");
    let answer = admin.post(&path, json!({"records": records})).await;
    answer.expect(201)["taken"].clone()
}

async fn close(admin: &Client, feed: &str, batch: &str) -> Value {
    let path = format!("/feeds/{feed}/batches/{batch}/close");
    admin.post(&path, json!({})).await.expect(200)
}

pub(super) async fn show(admin: &Client, feed: &str) -> Value {
    admin.get(&format!("/feeds/{feed}")).await.expect(200)
}

pub(super) fn record(id: usize, body: Value) -> Value {
    json!({"id": format!("r{id}"), "body": body})
}

/// Standing alerts of a rule on a feed, once there are so many.
pub(super) async fn alerts(admin: &Client, rule: &str, count: usize) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let path = format!("/alerts?rule={rule}&ended=false");
        let page = admin.get(&path).await.expect(200);
        if list(&page["items"]).len() == count {
            return list(&page["items"]).to_vec();
        }
        assert!(Instant::now() < until, "not {count}: {page}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn checked() -> Value {
    json!([
        {"name": "date", "kind": "date", "required": true},
        {"name": "item", "kind": "code", "values": ["A1", "A2"]},
    ])
}

/// AC-D04-1: of 1,000 records 995 are accepted as they are, 3 corrected by rule, 2 held back; the
/// originals stay beside what a person corrects, and reading and correcting them is audited.
#[actix_web::test]
pub(super) async fn records_are_checked_corrected_or_held_back_with_their_originals() {
    let server = Server::start().await;
    let admin = server.admin();
    feed(
        &admin,
        "demand",
        setup("receive", "cases", json!({"checks": checked()})),
    )
    .await;
    let records: Vec<Value> = (1..=1000)
        .map(|n| match n {
            7 | 70 | 700 => record(n, json!({"date": "2026/11/2", "item": "A1"})),
            8 | 80 => record(
                n,
                json!({"date": "2026-11-02", "item": "Z9", "phone": "13812345678"}),
            ),
            _ => record(n, json!({"date": "2026-11-02", "item": "A2"})),
        })
        .collect();
    let taken = take(&admin, "demand", "b1", &records).await;
    let counts = ["accepted", "corrected", "quarantined"].map(|name| number(&taken[name]));
    assert_eq!(counts, [995, 3, 2], "{taken}");
    let batch = close(&admin, "demand", "b1").await;
    assert_eq!(
        (&batch["state"], &batch["received"]),
        (&json!("incomplete"), &json!(1000))
    );
    assert_eq!(batch["first_pass_percent"], 99.5);

    let corrected = "/feeds/demand/batches/b1/records/r70";
    let corrected = admin.get(corrected).await.expect(200);
    assert_eq!(corrected["original"]["date"], "2026/11/2");
    assert_eq!(corrected["body"]["date"], "2026-11-02");
    let held = admin.get("/feeds/demand/quarantine").await.expect(200);
    assert_eq!(
        (&held["total"], &held["items"][0]["id"]),
        (&json!(2), &json!("r8"))
    );
    assert_eq!(held["items"][0]["faults"][0]["reason"], "unknown_code");
    assert!(!held.to_string().contains("13812345678"), "{held}");

    let correct = async |item: &str| {
        let body = json!({"record": "r8", "body": {"date": "2026年11月2日", "item": item}});
        let path = "/feeds/demand/batches/b1/corrections";
        admin.post(path, body).await
    };
    let wrong = correct("Z8").await.refused(422, "invalid_record");
    assert_eq!(wrong["faults"][0]["field"], "item");
    let made = correct("A1").await.expect(201);
    assert_eq!(
        (&made["original"]["item"], &made["body"]["item"]),
        (&json!("Z9"), &json!("A1"))
    );
    assert_eq!(
        (&made["corrected_by"], &made["body"]["date"]),
        (&json!("admin"), &json!("2026-11-02"))
    );
    correct("A1").await.refused(409, "not_in_quarantine");
    let face = show(&admin, "demand").await;
    assert_eq!(
        (&face["corrected"], &face["rejected"]),
        (&json!(4), &json!(1))
    );

    let audit = admin.get("/audit?limit=50").await.expect(200).to_string();
    for action in [
        "quarantine_read",
        "feed_record_read",
        "feed_record_corrected",
    ] {
        assert!(audit.contains(action), "{action}: {audit}");
    }
}

/// AC-D04-2: the same record sent three times is stored once, also in another batch and after a crash.
#[actix_web::test]
pub(super) async fn the_same_record_sent_again_is_stored_once() {
    let mut server = Server::start().await;
    let admin = server.admin();
    feed(
        &admin,
        "demand",
        setup("receive", "cases", json!({"checks": checked()})),
    )
    .await;
    let one = [record(1, json!({"date": "2026-11-02", "item": "A1"}))];
    take(&admin, "demand", "b1", &one).await;
    let again = take(&admin, "demand", "b1", &one).await;
    assert_eq!(number(&again["duplicates"]), 1, "{again}");
    server.kill();
    server.restart();
    let admin = server.admin();
    let again = take(&admin, "demand", "b2", &one).await;
    assert_eq!(
        (number(&again["accepted"]), number(&again["duplicates"])),
        (0, 1)
    );
    let stored = admin
        .get("/feeds/demand/records?state=accepted,corrected")
        .await;
    assert_eq!(stored.expect(200)["total"], 1);
    let face = show(&admin, "demand").await;
    assert_eq!(face["since_set_up"]["received"], 1, "{face}");
    assert_eq!(face["since_set_up"]["duplicates"], 2, "{face}");
    // A request that is repeated under its key is carried out once.
    let body = json!({"records": one});
    let path = "/feeds/demand/batches/b1/records";
    for _ in 0..2 {
        admin.post_keyed(path, "k1", body.clone()).await.expect(201);
    }
    assert_eq!(
        show(&admin, "demand").await["since_set_up"]["duplicates"],
        3
    );
}

/// AC-D04-3: hall A streams and is there at once; hall B sends at 18:00 and is there then; figures carry
/// their time.
#[actix_web::test]
pub(super) async fn a_hall_streams_or_sends_on_schedule_and_figures_carry_their_time() {
    let Some(clock) = SetClock::new() else { return };
    let settings = clock.settings();
    let settings: Vec<_> = settings
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    clock.set_ahead(until_daily(17, 50));
    let server = Server::start_with(&settings, &[]).await;
    let admin = server.hall("A", 1).await;
    server.hall("B", 1).await;
    feed(&admin, "a", setup("receive", "cases", json!({"hall": "A"}))).await;
    let daily = json!({"hall": "B", "schedule": {"when": "daily", "at": "18:00"}});
    feed(&admin, "b", setup("receive", "cases", daily)).await;
    take(&admin, "a", "today", &[record(1, json!({"n": 1}))]).await;
    let sent = Instant::now();
    let a = show(&admin, "a").await;
    assert!(
        sent.elapsed() < Duration::from_secs(1),
        "{:?}",
        sent.elapsed()
    );
    assert_eq!((&a["received"], &a["as_of"]), (&json!(1), &a["last_at"]));
    assert_eq!(show(&admin, "b").await["state"], "empty");
    clock.set_ahead(until_daily(18, 0));
    take(
        &admin,
        "b",
        "today",
        &[record(1, json!({"n": 1})), record(2, json!({"n": 2}))],
    )
    .await;
    let b = show(&admin, "b").await;
    assert_eq!((&b["received"], &b["late_secs"]), (&json!(2), &json!(0)));
    assert!(text(&b["as_of"]).contains("T18:00:"), "{b}");
    assert!(text(&a["as_of"]).contains("T17:50:"), "{a}");
    // Who works in hall A sees its feed, and not B's.
    let engineer = server.person("e1", "engineer", &["A"]).await;
    assert_eq!(engineer.get("/feeds").await.expect(200)["total"], 1);
    engineer.get("/feeds/b").await.refused(403, "forbidden");
}

/// Seconds from now to such a time of day in Shanghai: of the day that was tomorrow when it was first
/// asked, so that it never lies behind and is one day for all who ask.
pub(super) fn until_daily(hour: i64, minute: i64) -> i64 {
    static MIDNIGHT: OnceLock<i64> = OnceLock::new();
    let now = super::now().millis() / 1000 + 8 * 3600;
    let midnight = MIDNIGHT.get_or_init(|| now - now.rem_euclid(86_400) + 86_400);
    midnight + hour * 3600 + minute * 60 + 1 - now
}

/// AC-F01-2: due every ten minutes, last data 25 minutes ago: two periods missed, one alert; over when
/// data comes.
#[actix_web::test]
pub(super) async fn missed_periods_are_counted_and_raise_one_alert() {
    let Some(clock) = SetClock::new() else { return };
    let server = by(&clock).await;
    let admin = server.admin();
    let every = json!({"schedule": {"when": "every", "secs": 600}});
    feed(&admin, "p", setup("receive", "cases", every)).await;
    take(&admin, "p", "b1", &[record(1, json!({"n": 1}))]).await;
    clock.set_ahead(15 * 60);
    let face = show(&admin, "p").await;
    assert_eq!(
        (&face["missed"], &face["state"]),
        (&json!(1), &json!("late"))
    );
    alerts(&admin, "R14-data-late", 0).await;
    clock.set_ahead(25 * 60);
    assert_eq!(show(&admin, "p").await["missed"], 2);
    let alert = alerts(&admin, "R14-data-late", 1).await.remove(0);
    assert_eq!(alert["subject"]["id"], "p", "{alert}");
    let all = admin.get("/feeds?state=late").await.expect(200);
    assert_eq!(all["items"][0]["id"], "p");
    take(&admin, "p", "b2", &[record(2, json!({"n": 2}))]).await;
    alerts(&admin, "R14-data-late", 0).await;
    let face = show(&admin, "p").await;
    assert_eq!(face["gaps"][0]["periods_missed"], 2, "{face}");
}

/// AC-F01-3: of 1,000 pushes 985 are accepted the first time, 10 after a retry, 5 failed with reasons.
#[actix_web::test]
pub(super) async fn push_quality_tells_first_attempts_from_retries_and_names_what_failed() {
    let server = Server::start().await;
    let admin = server.admin();
    feed(&admin, "push", setup("push", "ratings", json!({}))).await;
    let open = json!({"batch": "b1", "expected": 1000});
    admin.post("/feeds/push/batches", open).await.expect(201);
    let told = |from: usize, to: usize, failed: Option<&str>| -> Vec<Value> {
        (from..=to)
            .map(|n| json!({"id": format!("r{n}"), "failed": failed}))
            .collect()
    };
    let path = "/feeds/push/batches/b1/acknowledgements";
    let mut first = told(1, 985, None);
    first.extend(told(986, 1000, Some("timeout")));
    admin.post(path, json!(first)).await.expect(201);
    let mut again = told(986, 995, None);
    again.extend(told(996, 1000, Some("answered 500, phone 13812345678")));
    // The answer to an earlier attempt of one that was acknowledged comes late.
    again.extend(told(3, 3, Some("timeout")));
    admin.post(path, json!(again)).await.expect(201);
    let batch = close(&admin, "push", "b1").await;
    assert_eq!(batch["success_percent"], 99.5, "{batch}");
    assert_eq!(batch["first_pass_percent"], 98.5);
    let failed = admin
        .get("/feeds/push/records?state=failed")
        .await
        .expect(200);
    assert_eq!(
        (&failed["total"], &failed["items"][0]["attempts"]),
        (&json!(5), &json!(2))
    );
    assert!(
        text(&failed["items"][0]["reason"]).starts_with("answered 500"),
        "{failed}"
    );
    assert!(!failed.to_string().contains("13812345678"));
    let refused = admin.post("/feeds/push/batches/b1/retry", json!({})).await;
    refused.refused(409, "no_target");
}

/// AC-F04-1: today 900 here, 896 accepted by the province: the 4 are listed with why.
#[actix_web::test]
pub(super) async fn what_the_province_lacks_is_listed_with_its_reason() {
    let server = Server::start().await;
    let admin = server.admin();
    feed(&admin, "ratings", setup("push", "ratings", json!({}))).await;
    let told: Vec<Value> = (1..=900)
        .map(|n| json!({"id": format!("r{n}"), "failed": (n <= 2).then_some("answered 422")}))
        .collect();
    let path = "/feeds/ratings/batches/today/acknowledgements";
    admin.post(path, json!(told)).await.expect(201);
    let theirs: Vec<String> = (5..=900).map(|n| format!("r{n}")).collect();
    let path = "/feeds/ratings/batches/today/reconcile";
    let found = admin.post(path, json!({"ids": theirs})).await.expect(201);
    assert_eq!(found["difference"]["missing"], 4, "{found}");
    let listed = list(&found["difference"]["listed"]);
    let reasons: Vec<&str> = listed.iter().map(|one| text(&one["reason"])).collect();
    let gone = "acknowledged_but_gone";
    assert_eq!(reasons, ["answered 422", "answered 422", gone, gone]);
    let batch = admin.get("/feeds/ratings/batches/today").await.expect(200);
    assert_eq!(
        (&batch["state"], &batch["difference"]["ours"]),
        (&json!("incomplete"), &json!(900))
    );
}

/// AC-F07-1: a daily exchange expected at 02:00 arrives at 05:30, limit 2 h: late by 3 h 30 min, one
/// alert meanwhile.
#[actix_web::test]
pub(super) async fn a_daily_exchange_that_is_late_says_by_how_much_and_alarms() {
    let Some(clock) = SetClock::new() else { return };
    clock.set_ahead(until_daily(1, 50));
    let server = by(&clock).await;
    let admin = server.admin();
    let daily = json!({"schedule": {"when": "daily", "at": "02:00"}, "limit_secs": 7200});
    feed(&admin, "exchange", setup("receive", "exchange", daily)).await;
    take(&admin, "exchange", "d1", &[record(1, json!({"n": 1}))]).await;
    clock.set_ahead(until_daily(1, 50) + 86_400 + 2 * 3600);
    assert_eq!(show(&admin, "exchange").await["missed"], 1);
    tokio::time::sleep(Duration::from_millis(400)).await;
    alerts(&admin, "R14-data-late", 0).await;
    clock.set_ahead(until_daily(1, 50) + 86_400 + 2 * 3600 + 900);
    alerts(&admin, "R14-data-late", 1).await;
    clock.set_ahead(until_daily(5, 30) + 86_400);
    take(&admin, "exchange", "d2", &[record(2, json!({"n": 2}))]).await;
    let batch = admin.get("/feeds/exchange/batches/d2").await.expect(200);
    let late = number(&batch["late_secs"]);
    assert!((12_600..12_660).contains(&late), "3 h 30 min: {late}");
    alerts(&admin, "R14-data-late", 0).await;
}

/// AC-F07-2: 10,000 sent, 9,990 received: 99.9 %, and the ten are found.
#[actix_web::test]
pub(super) async fn what_was_sent_and_not_received_is_found() {
    let server = Server::start().await;
    let admin = server.admin();
    feed(&admin, "exchange", setup("receive", "exchange", json!({}))).await;
    let open = json!({"batch": "b1", "expected": 10_000});
    admin
        .post("/feeds/exchange/batches", open)
        .await
        .expect(201);
    let records: Vec<Value> = (1..=9990).map(|n| record(n, json!({"n": n}))).collect();
    for some in records.chunks(5000) {
        take(&admin, "exchange", "b1", some).await;
    }
    let batch = close(&admin, "exchange", "b1").await;
    assert_eq!(
        (&batch["success_percent"], &batch["state"]),
        (&json!(99.9), &json!("incomplete"))
    );
    let theirs: Vec<String> = (1..=10_000).map(|n| format!("r{n}")).collect();
    let path = "/feeds/exchange/batches/b1/reconcile";
    let found = admin.post(path, json!({"ids": theirs})).await.expect(201);
    let listed = list(&found["difference"]["listed"]);
    assert_eq!(
        (found["arrived_percent"].as_f64(), listed.len()),
        (Some(99.9), 10)
    );
    assert!(
        listed.iter().all(|one| one["reason"] == "never_came"),
        "{found}"
    );
    let rest: Vec<Value> = (9991..=10_000)
        .map(|n| record(n, json!({"n": n})))
        .collect();
    take(&admin, "exchange", "b1", &rest).await;
    let found = admin.post(path, json!({"ids": theirs})).await.expect(201);
    assert_eq!(found["difference"]["missing"], 0);
    let batch = admin.get("/feeds/exchange/batches/b1").await.expect(200);
    assert_eq!(
        (&batch["state"], &batch["success_percent"]),
        (&json!("corrected"), &json!(100.0))
    );
}

fn items(more: Value) -> Value {
    let mut setup = setup("receive", "items", more);
    setup["key"] = json!("code");
    setup["unit"] = json!("unit");
    setup["checks"] = json!([
        {"name": "promised_days", "kind": "number", "at_most": "legal_days"},
        {"name": "legal_days", "kind": "number"},
    ]);
    setup
}

/// AC-H01-1: the province has 8,269 items, here are 8,260: nine are listed as missing, none is made.
#[actix_web::test]
pub(super) async fn items_the_province_has_and_we_have_not_are_listed_and_not_made() {
    let server = quick().await;
    let admin = server.admin();
    feed(&admin, "items", items(json!({}))).await;
    let item =
        |n: usize| json!({"body": {"code": format!("I{n:05}"), "unit": format!("U{}", n % 40)}});
    let all: Vec<Value> = (1..=8260).map(item).collect();
    take(&admin, "items", "full", &all).await;
    let theirs: Vec<String> = (1..=8269).map(|n| format!("I{n:05}")).collect();
    let found = admin
        .post("/feeds/items/reconcile", json!({"ids": theirs}))
        .await;
    let found = found.expect(201);
    let listed = list(&found["difference"]["listed"]);
    assert_eq!(
        (number(&found["difference"]["missing"]), listed.len()),
        (9, 9)
    );
    assert_eq!(listed[0]["id"], "I08261", "{found}");
    assert_eq!(show(&admin, "items").await["received"], 8260);
    alerts(&admin, "R20-item-anomaly", 1).await;
    let nine: Vec<Value> = (8261..=8269).map(item).collect();
    take(&admin, "items", "more", &nine).await;
    let found = admin
        .post("/feeds/items/reconcile", json!({"ids": theirs}))
        .await;
    assert_eq!(found.expect(201)["difference"]["missing"], 0);
    alerts(&admin, "R20-item-anomaly", 0).await;
}

/// AC-H01-2: a promised limit longer than the legal one is an anomaly without anyone asking.
#[actix_web::test]
pub(super) async fn an_item_promised_later_than_the_law_allows_is_an_anomaly() {
    let server = quick().await;
    let admin = server.admin();
    feed(&admin, "items", items(json!({}))).await;
    let item = |promised: u32| json!({"body": {"code": "I1", "unit": "U1", "promised_days": promised, "legal_days": 5}});
    let taken = take(&admin, "items", "b1", &[item(10)]).await;
    assert_eq!(number(&taken["quarantined"]), 1);
    let held = admin.get("/feeds/items/quarantine").await.expect(200);
    assert_eq!(
        held["items"][0]["faults"][0]["reason"], "above_limit",
        "{held}"
    );
    alerts(&admin, "R20-item-anomaly", 1).await;
    // Its source puts it right in a later delivery: the earlier one is settled, too.
    take(&admin, "items", "b2", &[item(5)]).await;
    alerts(&admin, "R20-item-anomaly", 0).await;
    let batch = admin.get("/feeds/items/batches/b1").await.expect(200);
    assert_eq!(
        (&batch["rejected"], &batch["corrected"]),
        (&json!(0), &json!(1))
    );
}

/// AC-H01-3: twelve anomalies in a library of 40 units, nine fixed: 75.0 %, and the 3 units are named.
#[actix_web::test]
pub(super) async fn anomalies_are_counted_by_unit_with_the_share_that_is_fixed() {
    let server = Server::start().await;
    let admin = server.admin();
    feed(&admin, "items", items(json!({}))).await;
    let item = |n: usize, promised: u32| {
        json!({"body": {
            "code": format!("I{n}"), "unit": format!("U{n:02}"), "promised_days": promised, "legal_days": 5,
        }})
    };
    let all: Vec<Value> = (1..=40)
        .map(|n| item(n, if n <= 12 { 10 } else { 5 }))
        .collect();
    take(&admin, "items", "b1", &all).await;
    for n in 1..=9 {
        let body = json!({"record": format!("I{n}"), "body": item(n, 5)["body"]});
        let path = "/feeds/items/batches/b1/corrections";
        admin.post(path, body).await.expect(201);
    }
    let face = admin.get("/feeds/items/anomalies").await.expect(200);
    let figures = ["found", "fixed", "units", "units_open"].map(|name| number(&face[name]));
    assert_eq!(
        (figures, &face["fixed_percent"]),
        ([12, 9, 40, 3], &json!(75.0)),
        "{face}"
    );
    let open = list(&face["by_unit"]).iter().filter(|one| one["open"] == 1);
    let units: Vec<&str> = open.map(|one| text(&one["unit"])).collect();
    assert_eq!(units, ["U10", "U11", "U12"]);
}

/// AC-H03-1: changed in the library at 10:00, here at 10:07, limit 5 min: a lag of 7 min, one alert.
#[actix_web::test]
pub(super) async fn a_synchronisation_that_lags_says_by_how_much_and_alarms() {
    let server = quick().await;
    let admin = server.admin();
    feed(&admin, "items", items(json!({}))).await;
    let changed = |code: &str, minutes: u64| {
        let at = super::now().minus_secs(minutes * 60).rfc3339_utc();
        json!({"changed_at": at, "body": {"code": code, "unit": "U1"}})
    };
    take(&admin, "items", "b1", &[changed("I1", 7)]).await;
    let batch = admin.get("/feeds/items/batches/b1").await.expect(200);
    let lag = number(&batch["delay_p95_ms"]);
    assert!((420_000..430_000).contains(&lag), "7 min: {lag}");
    let alert = alerts(&admin, "R21-item-sync", 1).await.remove(0);
    assert_eq!(alert["subject"]["id"], "items");
    take(&admin, "items", "b2", &[changed("I2", 1)]).await;
    alerts(&admin, "R21-item-sync", 0).await;
}

/// What cannot be is refused in words, and nothing changes.
#[actix_web::test]
pub(super) async fn what_cannot_be_is_refused_and_nothing_changes() {
    let server = Server::start().await;
    let admin = server.admin();
    let put = async |setup: Value| admin.put("/feeds/f", setup).await;
    put(json!({"name": "x"}))
        .await
        .refused(422, "invalid_field");
    let odd = setup(
        "receive",
        "cases",
        json!({"schedule": {"when": "every", "secs": 1}}),
    );
    let refused = put(odd).await.refused(422, "invalid_field");
    assert_eq!(refused["field"], "schedule");
    let strange = setup("receive", "cases", json!({"channel": "none"}));
    put(strange).await.refused(422, "invalid_field");
    admin.get("/feeds/f").await.refused(404, "unknown_feed");
    put(setup("receive", "cases", json!({"checks": checked()})))
        .await
        .expect(200);
    let post = async |path: &str, body: Value| admin.post(&format!("/feeds/f/{path}"), body).await;
    let many: Vec<Value> = (0..10_001).map(|n| record(n, json!({}))).collect();
    let refused = post("batches/b1/records", json!({"records": many})).await;
    refused.refused(409, "too_many_at_once");
    let bad =
        json!({"records": [record(1, json!({"date": "2026-11-02"})), {"id": "", "body": {}}]});
    let refused = post("batches/b1/records", bad)
        .await
        .refused(422, "invalid_field");
    assert_eq!(refused["field"], "records[1].id");
    post("batches/b1/close", json!({}))
        .await
        .refused(404, "unknown_batch");
    post("batches/b1/acknowledgements", json!([{"id": "r1"}]))
        .await
        .refused(409, "wrong_direction");
    assert_eq!(admin.get("/feeds/f/records").await.expect(200)["total"], 0);
    post("batches", json!({"batch": "b1"})).await.expect(201);
    post("batches", json!({"batch": "b1"}))
        .await
        .refused(409, "batch_exists");
    let all = admin.get("/feeds/f/batches").await.expect(200);
    assert_eq!(
        (&all["total"], &all["items"][0]["state"]),
        (&json!(1), &json!("open"))
    );
}

/// AC-F04-2: a file of the hotline with 50 rows, 2 of them ill-formed: 48 are in, 2 in quarantine with
/// their lines; a file whose header cannot be changes nothing; the same file again changes nothing.
#[actix_web::test]
async fn a_file_is_imported_with_its_ill_formed_rows_in_quarantine() {
    let mut server = Server::start().await;
    let admin = server.admin();
    let hotline = setup(
        "receive",
        "ratings",
        json!({"key": "order", "checks": checked()}),
    );
    feed(&admin, "hotline", hotline.clone()).await;
    feed(&admin, "offline", hotline).await;
    let folder = server.folder.path().to_owned();
    let password = std::fs::read_to_string(folder.join("initial-admin-password")).unwrap();
    let (file, broken) = (folder.join("hotline.csv"), folder.join("broken.csv"));
    let rows = (1..=50).map(|n| match n {
        17 => "H17,2026-11-02\n".to_owned(),
        30 => "H30,someday,A1\n".to_owned(),
        _ => format!("H{n},2026-11-02,A1\n"),
    });
    let rows: String = rows.collect();
    std::fs::write(&file, format!("\u{feff}order,date,item\n{rows}")).unwrap();
    std::fs::write(&broken, format!("order,date,date\n{rows}")).unwrap();
    let import = async |path: &std::path::Path, feed: &str, target: Option<&str>| {
        let (folder, password) = (folder.clone(), password.trim().to_owned());
        let mut arguments = vec!["import", "records"];
        let path = path.to_str().unwrap();
        arguments.extend([path, "--feed", feed]);
        arguments.extend(target.map(|_| "--target"));
        arguments.extend(target);
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let done = tokio::task::spawn_blocking(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run(&folder, &password, &arguments)
        });
        done.await.unwrap()
    };
    let base = server.base.clone();
    let why = fails(&import(&broken, "hotline", Some(&base)).await, 2);
    assert!(
        why.contains("line 1") && why.contains("broken.csv"),
        "{why}"
    );
    let none = admin.get("/feeds/hotline/batches").await.expect(200);
    assert_eq!(none["total"], 0, "{none}");
    let told = succeeds(&import(&file, "hotline", Some(&base)).await);
    assert!(
        told.contains("48 accepted, 0 corrected, 2 in quarantine, 0 known"),
        "{told}"
    );
    assert!(
        told.contains("line 18: ") && told.contains("line 31: date not_date someday"),
        "{told}"
    );
    let held = admin.get("/feeds/hotline/quarantine").await.expect(200);
    let lines: Vec<u64> = list(&held["items"])
        .iter()
        .map(|one| number(&one["row"]))
        .collect();
    assert_eq!(lines, [18, 31], "{held}");
    let batch = admin
        .get("/feeds/hotline/batches/hotline")
        .await
        .expect(200);
    assert_eq!(
        (&batch["state"], &batch["accepted"]),
        (&json!("incomplete"), &json!(48))
    );
    let again = succeeds(&import(&file, "hotline", Some(&base)).await);
    assert!(
        again.contains("0 accepted, 0 corrected, 0 in quarantine, 50 known"),
        "{again}"
    );
    // The same without a server, into the database.
    let unknown = fails(&import(&file, "none", Some(&base)).await, 2);
    assert!(unknown.contains("feed"), "{unknown}");
    server.stop();
    let told = succeeds(&import(&file, "offline", None).await);
    assert!(
        told.contains("48 accepted, 0 corrected, 2 in quarantine, 0 known"),
        "{told}"
    );
    server.restart();
    let face = show(&server.admin(), "offline").await;
    assert_eq!(
        (&face["accepted"], &face["rejected"]),
        (&json!(48), &json!(2))
    );
}
