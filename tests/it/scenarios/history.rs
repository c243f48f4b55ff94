//! The history of calls as a whole: told many at a time, taken out, and counted when it has grown old. F02.

use std::collections::BTreeMap;

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, PATIENCE, Server, list, number, text};

async fn channel(admin: &Client, id: &str) {
    let setup =
        json!({"name": {"zh": id, "en": id}, "provider": "省政务平台", "direction": "outbound"});
    admin
        .put(&format!("/channels/{id}"), setup)
        .await
        .expect(200);
}

/// Tells with a record on each line.
async fn tell_lines(admin: &Client, body: String, headers: &[(&str, &str)]) -> Answer {
    let kind = ("Content-Type", "application/x-ndjson");
    let headers = [&[kind][..], headers].concat();
    admin
        .send(Method::POST, "/channels/sms/calls", Some(body), &headers)
        .await
}

/// Of each caller calls of one kind: their share, version, status, result and duration.
const KINDS: [(&str, &str, u16, &str, u64); 3] = [
    ("desk", "v1", 200, "ok", 5),
    ("bank", "v2", 201, "ok", 200),
    ("city", "v2", 502, "failed", 4_000),
];

/// Six thousand calls of three callers, half of them of two hours ago.
fn calls() -> Vec<Value> {
    let now = super::now();
    let call = |n: usize| {
        let (caller, version, status, result, ms) = KINDS[n % 3];
        let at = now.minus_secs(if n < 3_000 { 7_200 } else { 0 });
        json!({
            "id": format!("c{n}"), "caller": caller, "version": version, "at": at.rfc3339_utc(),
            "duration_ms": ms, "status": status, "result": result,
            "request": {"path": format!("/send/{n}")},
        })
    };
    (0..6_000).map(call).collect()
}

async fn tell_all(admin: &Client) {
    for some in calls().chunks(1_000) {
        let path = "/channels/sms/calls";
        admin.post(path, json!(some)).await.expect(201);
    }
}

async fn summary(admin: &Client, query: &str) -> Value {
    let path = format!("/channels/sms/calls/summary?{query}");
    admin.get(&path).await.expect(200)
}

fn counts(summary: &Value) -> BTreeMap<String, u64> {
    let pair = |one: &Value| (text(&one["key"]).to_owned(), number(&one["calls"]));
    list(&summary["items"]).iter().map(pair).collect()
}

fn two_thousand_of<const N: usize>(keys: [&str; N]) -> BTreeMap<String, u64> {
    keys.map(|key| (key.to_owned(), 2_000)).into()
}

async fn in_history(admin: &Client) -> u64 {
    let page = admin.get("/channels/sms/calls?limit=1").await.expect(200);
    number(&page["total"])
}

async fn history_falls_to(admin: &Client, most: u64) {
    let until = std::time::Instant::now() + PATIENCE;
    while in_history(admin).await > most {
        assert!(std::time::Instant::now() < until, "the history stays long");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// All that summaries say of all calls told.
async fn summaries_hold(admin: &Client) {
    let by = async |dimension: &str| summary(admin, &format!("by={dimension}")).await;
    assert_eq!(
        counts(&by("caller").await),
        two_thousand_of(["desk", "bank", "city"])
    );
    assert_eq!(
        counts(&by("status").await),
        two_thousand_of(["200", "201", "502"])
    );
    let results = BTreeMap::from([("ok".to_owned(), 4_000), ("failed".to_owned(), 2_000)]);
    assert_eq!(counts(&by("result").await), results);
    let versions = BTreeMap::from([("v1".to_owned(), 2_000), ("v2".to_owned(), 4_000)]);
    assert_eq!(counts(&by("version").await), versions);
    let hours = by("hour").await;
    let hours: Vec<u64> = list(&hours["items"])
        .iter()
        .map(|one| number(&one["calls"]))
        .collect();
    assert_eq!(hours, [3_000, 3_000]);
    let v2 = summary(admin, "by=version&version=v2").await;
    let v2 = &v2["items"][0];
    assert_eq!((&v2["ok"], &v2["failed"]), (&json!(2_000), &json!(2_000)));
    assert_eq!(
        (&v2["min_ms"], &v2["max_ms"]),
        (&json!(200.0), &json!(4000.0))
    );
    assert_eq!(v2["mean_ms"], 2100.0);
    let times: BTreeMap<String, u64> = list(&v2["times"])
        .iter()
        .map(|one| (one["up_to_ms"].to_string(), number(&one["calls"])))
        .filter(|(_, calls)| *calls > 0)
        .collect();
    assert_eq!(times, two_thousand_of(["300", "10000"]));
}

async fn usage(admin: &Client, query: &str) -> Value {
    let path = format!("/channels/usage?channel=sms&{query}");
    admin.get(&path).await.expect(200)
}

/// What the usage analysis says of all calls told: by each dimension that hours tell, with suspects.
async fn usage_holds(admin: &Client) {
    let of = |one: &Value| ["calls", "failed", "refused"].map(|name| number(&one[name]));
    let lines = |answer: &Value| -> BTreeMap<String, [u64; 3]> {
        let items = list(&answer["items"]).iter();
        items
            .map(|one| (one["key"].as_str().unwrap_or_default().to_owned(), of(one)))
            .collect()
    };
    let by_caller = usage(admin, "by=caller").await;
    let expected = [
        ("bank", [2_000, 0, 0]),
        ("city", [2_000, 2_000, 0]),
        ("desk", [2_000, 0, 0]),
        ("spy", [3, 0, 25]),
    ];
    let expected = expected.map(|(caller, figures)| (caller.to_owned(), figures));
    assert_eq!(lines(&by_caller), expected.into());
    let bank = list(&by_caller["items"])
        .iter()
        .find(|one| one["key"] == "bank");
    assert_eq!(bank.unwrap()["mean_ms"], 200.0);
    let suspects: Vec<(&str, &Value)> = list(&by_caller["suspects"])
        .iter()
        .map(|one| (text(&one["caller"]), &one["reasons"][0]["asked"]))
        .collect();
    assert_eq!(suspects, [("spy", &json!(28))]);
    let by_version = lines(&usage(admin, "by=version").await);
    assert_eq!(by_version["v2"], [4_000, 2_000, 0]);
    assert_eq!(by_version[""], [3, 0, 25]);
    let cells = usage(admin, "by=hour").await;
    let busy: Vec<[u64; 3]> = list(&cells["items"]).iter().map(of).collect();
    let sum = |place: usize| busy.iter().map(|one| one[place]).sum::<u64>();
    assert_eq!([sum(0), sum(1), sum(2)], [6_003, 2_000, 25]);
    assert_eq!(
        busy.iter().filter(|one| one[0] == 3_003).count(),
        1,
        "{cells}"
    );
}

/// Somebody who is refused most of the time, two hours ago.
async fn tell_of_a_spy(admin: &Client, now: rules::Timestamp) {
    let at = now.minus_secs(7_200).rfc3339_utc();
    let call = |n: usize| {
        let refused = json!({"result": "refused", "reason": "wrong_key", "status": 403});
        let mut call = json!({"id": format!("s{n}"), "caller": "spy", "at": at, "status": 200});
        let told = refused.as_object().unwrap().iter().filter(|_| n < 25);
        told.for_each(|(field, value)| call[field] = value.clone());
        call
    };
    let calls: Vec<Value> = (0..28).map(call).collect();
    admin
        .post("/channels/sms/calls", json!(calls))
        .await
        .expect(201);
}

/// F02, usage analysis: over a stretch of time that is longer than the history its figures add up all the
/// same; by path, which hours do not tell, it says since when it is whole.
#[actix_web::test]
pub(super) async fn the_use_of_channels_adds_up_over_calls_that_left_the_history() {
    let settings = [
        ("HALLKEEPER__CALLS__KEEP_ROWS", "1000"),
        ("HALLKEEPER__CALLS__TIDY_SECS", "1"),
    ];
    let server = Server::start_with(&settings, &[]).await;
    let admin = server.admin();
    channel(&admin, "sms").await;
    let now = super::now();
    tell_of_a_spy(&admin, now).await;
    tell_all(&admin).await;
    usage_holds(&admin).await;
    history_falls_to(&admin, 1_000).await;
    usage_holds(&admin).await;
    let by_hour = usage(&admin, "by=hour").await;
    assert!(by_hour["whole_hours_before"].is_string(), "{by_hour}");
    let by_path = usage(&admin, "by=path").await;
    assert!(by_path["incomplete_before"].is_string(), "{by_path}");
    assert_eq!(number(&by_path["items"][0]["calls"]), 1_000);
    // Whole hours count that begin within the stretch of time.
    let until = now.minus_secs(3_600).rfc3339_utc();
    let early = usage(&admin, &format!("by=version&until={until}")).await;
    let calls = list(&early["items"])
        .iter()
        .map(|one| number(&one["calls"]));
    assert_eq!(calls.sum::<u64>(), 3_003);
}

/// F02: what has left the history counts in summaries as it did before, also after the server was killed
/// while it left.
#[actix_web::test]
pub(super) async fn summaries_of_calls_that_left_the_history_are_what_they_were() {
    let settings = [
        ("HALLKEEPER__CALLS__KEEP_ROWS", "1000"),
        ("HALLKEEPER__CALLS__TIDY_SECS", "1"),
    ];
    let mut server = Server::start_with(&settings, &[]).await;
    let admin = server.admin();
    channel(&admin, "sms").await;
    tell_all(&admin).await;
    summaries_hold(&admin).await;
    history_falls_to(&admin, 5_999).await;
    server.kill();
    server.restart();
    let admin = server.admin();
    summaries_hold(&admin).await;
    history_falls_to(&admin, 1_000).await;
    assert_eq!(in_history(&admin).await, 1_000);
    summaries_hold(&admin).await;
    let by_caller = summary(&admin, "by=caller").await;
    assert!(by_caller["whole_hours_before"].is_string(), "{by_caller}");
    let by_path = summary(&admin, "by=path").await;
    assert!(by_path["incomplete_before"].is_string(), "{by_path}");
    assert_eq!(number(&by_path["items"][0]["calls"]), 1_000);
    // The channel has counted each once, whatever left meanwhile; those of two hours ago are no news.
    let face = admin.get("/channels/sms").await.expect(200);
    assert_eq!(face["figures"][3]["calls"], 3_000);
}

/// A record on each line; of bad ones line, record and field are named, and nothing is kept; without
/// ids the calls of one key are the same calls.
#[actix_web::test]
pub(super) async fn calls_are_told_line_by_line_and_each_bad_one_is_named() {
    let server = Server::start().await;
    let admin = server.admin();
    channel(&admin, "sms").await;
    let at = super::now().rfc3339_utc();
    let good = json!({"caller": "A", "at": at, "status": 200}).to_string();
    let odd = json!({"caller": "A", "at": at, "status": 7}).to_string();
    let wrong = json!({"caller": 5, "at": at}).to_string();
    let body = format!("{good}\n{odd}\n\n{wrong}\nnonsense\n{good}");
    let refused = tell_lines(&admin, body, &[]).await;
    let refused = refused.refused(422, "invalid_field");
    let faults: Vec<(u64, u64, &str)> = list(&refused["faults"])
        .iter()
        .map(|one| {
            (
                number(&one["line"]),
                number(&one["record"]),
                text(&one["field"]),
            )
        })
        .collect();
    let expected = [(2, 1, "[1].status"), (4, 2, "[2].caller"), (5, 3, "[3]")];
    assert_eq!((&refused["bad"], faults), (&json!(3), expected.to_vec()));
    assert_eq!(in_history(&admin).await, 0);
    let body = format!("{good}\r\n{good}\n\n");
    let key = [("Idempotency-Key", "k1")];
    let first = tell_lines(&admin, body.clone(), &key).await.expect(201);
    assert_eq!((&first["kept"], &first["known"]), (&json!(2), &json!(0)));
    let again = tell_lines(&admin, body.clone(), &key).await.expect(201);
    assert_eq!((&again["kept"], &again["known"]), (&json!(0), &json!(2)));
    let without = tell_lines(&admin, body, &[]).await.expect(201);
    assert_eq!(without["kept"], 2);
    assert_eq!(in_history(&admin).await, 4);
}

/// More than 64 KiB of calls go into one request; what is too much is refused and says how much is not.
#[actix_web::test]
pub(super) async fn a_request_takes_many_calls_and_refuses_too_many() {
    let settings = [
        ("HALLKEEPER__CALLS__BODY_LIMIT", "1000000"),
        ("HALLKEEPER__CALLS__PER_REQUEST", "2000"),
    ];
    let server = Server::start_with(&settings, &[]).await;
    let admin = server.admin();
    channel(&admin, "sms").await;
    let calls = calls();
    let told = admin
        .post("/channels/sms/calls", json!(calls[..2_000]))
        .await;
    assert_eq!(told.expect(201)["kept"], 2_000);
    let refused = admin
        .post("/channels/sms/calls", json!(calls[..3_000]))
        .await;
    let refused = refused.refused(413, "too_many_calls");
    assert_eq!(
        (&refused["calls"], &refused["limit"]),
        (&json!(3_000), &json!(2_000))
    );
    let refused = tell_lines(&admin, " ".repeat(1_000_001), &[]).await;
    let refused = refused.refused(413, "body_too_large");
    assert_eq!(refused["limit_bytes"], 1_000_000);
    assert_eq!(refused["setting"], "calls.body_limit");
    assert_eq!(in_history(&admin).await, 2_000);
}

/// The list as CSV, whole and filtered; one row in the audit says who, which and how many.
#[actix_web::test]
pub(super) async fn the_history_is_taken_out_as_csv() {
    let server = Server::start().await;
    let admin = server.admin();
    channel(&admin, "sms").await;
    tell_all(&admin).await;
    let odd = json!({"id": "odd", "caller": "=1+1", "at": super::now().rfc3339_utc(),
        "result": "failed", "reason": "a, \"b\"", "request": {"phone": "13812345678"}});
    admin.post("/channels/sms/calls", odd).await.expect(201);
    let filter = "result=failed";
    let export = admin
        .get(&format!("/channels/sms/calls.csv?{filter}"))
        .await;
    assert_eq!(
        (export.status, export.header("content-type")),
        (200, Some("text/csv; charset=utf-8"))
    );
    let csv = export.text.trim_start_matches('\u{feff}');
    let mut csv = csv::Reader::from_reader(csv.as_bytes());
    let columns = csv.headers().unwrap().clone();
    let column = |name: &str| columns.iter().position(|column| column == name).unwrap();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2_001);
    assert!(rows.iter().all(|row| &row[column("result")] == "failed"));
    let mut ids: Vec<&str> = rows.iter().map(|row| &row[column("id")]).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2_001, "a row repeats");
    let odd = rows.iter().find(|row| &row[column("id")] == "odd").unwrap();
    assert_eq!(&odd[column("caller")], "'=1+1");
    assert_eq!(&odd[column("reason")], "a, \"b\"");
    assert!(!export.text.contains("13812345678"), "not masked");
    let trail = admin.get("/audit?action=calls_exported").await.expect(200);
    let trail = list(&trail["items"]);
    assert_eq!(trail.len(), 1);
    assert_eq!(
        (&trail[0]["actor"], &trail[0]["object"]),
        (&json!("admin"), &json!("sms"))
    );
    assert_eq!(trail[0]["detail"], json!({"filter": filter, "rows": 2_001}));
}
