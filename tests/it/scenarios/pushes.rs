//! Records pushed to another system by this server: A08, H03, and what a crash leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::web::{Bytes, Data, to};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE, Server, list, number, text};

/// What the other side does to the first attempt of a record.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Trouble {
    /// Answers 500 and stores nothing.
    Fails,
    /// Stores it, and its answer is lost.
    LosesAnswer,
}

/// The other side: stores a record once per idempotency key.
#[derive(Default)]
pub(super) struct Upstream {
    /// By the place of the record among those that came.
    trouble: BTreeMap<usize, Trouble>,
    /// Requests so far.
    seen: usize,
    /// Records by their keys, in the order in which they came.
    stored: BTreeMap<String, Value>,
    /// Keys under which each record was sent.
    keys: BTreeMap<String, BTreeSet<String>>,
    attempts: BTreeMap<String, usize>,
    slow: Duration,
    /// Answers 500 always.
    down: bool,
    signed: usize,
}

impl Upstream {
    pub(super) fn with<const N: usize>(trouble: [(usize, Trouble); N]) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            trouble: trouble.into(),
            ..Self::default()
        }))
    }
}

type Shared = Data<Arc<Mutex<Upstream>>>;

async fn taken(upstream: Shared, request: HttpRequest, body: Bytes) -> HttpResponse {
    let header = |name: &str| {
        request
            .headers()
            .get(name)?
            .to_str()
            .ok()
            .map(str::to_owned)
    };
    let key = header("idempotency-key").unwrap();
    let record: Value = serde_json::from_slice(&body).unwrap();
    let (slow, trouble, down) = {
        let mut upstream = upstream.lock().unwrap();
        upstream.seen += 1;
        let id = text(&record["id"]).to_owned();
        upstream
            .keys
            .entry(id.clone())
            .or_default()
            .insert(key.clone());
        *upstream.attempts.entry(id.clone()).or_default() += 1;
        let first = upstream.attempts[&id] == 1;
        let nth = upstream.attempts.len();
        let trouble = upstream.trouble.get(&nth).copied().filter(|_| first);
        upstream.signed += usize::from(header("x-hallkeeper-signature").is_some());
        if trouble != Some(Trouble::Fails) && !upstream.down {
            upstream.stored.entry(key).or_insert(record);
        }
        (upstream.slow, trouble, upstream.down)
    };
    tokio::time::sleep(slow).await;
    match trouble.is_some() || down {
        true => HttpResponse::InternalServerError().body("later"),
        false => HttpResponse::Ok().json(json!({"taken": true})),
    }
}

pub(super) fn serve(upstream: &Arc<Mutex<Upstream>>) -> (String, ServerHandle) {
    let shared = Data::new(Arc::clone(upstream));
    let app = move || {
        App::new()
            .app_data(shared.clone())
            .default_service(to(taken))
    };
    let server = HttpServer::new(app).workers(1).disable_signals();
    let server = server.bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/tickets", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    (url, handle)
}

fn setup(url: &str, more: Value) -> Value {
    let mut setup = json!({
        "name": {"zh": "取号信息上传", "en": "Numbers taken"}, "direction": "push",
        "kind": "tickets", "party": "省平台", "target": {"url": url},
    });
    for (field, value) in more.as_object().unwrap() {
        setup[field] = value.clone();
    }
    setup
}

pub(super) async fn until(admin: &Client, feed: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let limit = Instant::now() + PATIENCE * 2;
    loop {
        let face = admin.get(&format!("/feeds/{feed}")).await.expect(200);
        if fits(&face["since_set_up"]) {
            return face;
        }
        assert!(Instant::now() < limit, "{face}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Takes so many numbers and serves them at the windows, all windows at once.
async fn serve_tickets(admin: &Client, windows: usize, each: usize) {
    let ids: Vec<String> = (1..=windows).map(|n| n.to_string()).collect();
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    admin.open_windows("H1", &names).await;
    for _ in 0..each {
        join_all((0..windows).map(|_| admin.issue("H1", "S1"))).await;
        join_all(names.iter().map(|window| admin.serve_next("H1", window))).await;
    }
}

const SETTINGS: [(&str, &str); 3] = [
    ("HALLKEEPER__FEEDS__RETRY_MS", "50"),
    ("HALLKEEPER__ALERTS__PASS_MS", "100"),
    ("HALLKEEPER__FEEDS__SECRETS__PROVINCE", "s3cret"),
];

/// AC-A08-1: of 500 tickets 5 pushes fail once, two of them after the other side had stored them: in the
/// end 500 are acknowledged, and the other side has each once.
#[actix_web::test]
pub(super) async fn tickets_are_pushed_again_until_acknowledged_and_never_twice() {
    use Trouble::{Fails, LosesAnswer};
    let trouble = [
        (10, Fails),
        (50, LosesAnswer),
        (90, Fails),
        (300, LosesAnswer),
        (301, Fails),
    ];
    let upstream = Upstream::with(trouble);
    let (url, handle) = serve(&upstream);
    let server = Server::start_with(&SETTINGS, &[]).await;
    let admin = server.hall("H1", 10).await;
    let channel = json!({"name": "上传", "provider": "省平台", "direction": "outbound"});
    admin.put("/channels/upload", channel).await.expect(200);
    let organisations = json!([{"id": "SZ", "name": "市数据局", "halls": ["H1"]}]);
    let directory = admin
        .put("/directory/organisations", organisations)
        .await
        .expect(200);
    assert_eq!(
        list(&directory["halls"][0]["windows"]).len(),
        10,
        "{directory}"
    );
    let target = json!({"url": url, "secret": "province"});
    let more = json!({"source": "tickets", "channel": "upload", "target": target});
    admin
        .put("/feeds/upload", setup(&url, more))
        .await
        .expect(200);
    serve_tickets(&admin, 10, 50).await;
    let face = until(&admin, "upload", |all| all["acknowledged"] == 500).await;
    let all = &face["since_set_up"];
    assert_eq!(
        (&all["received"], &all["failed"]),
        (&json!(500), &json!(0)),
        "{face}"
    );
    assert_eq!(all["first_pass_percent"], 99.0);
    let limit = Instant::now() + PATIENCE;
    let count = async |which: &str| {
        let path = format!("/channels/upload/calls?limit=1{which}");
        number(&admin.get(&path).await.expect(200)["total"])
    };
    while count("").await < 505 {
        assert!(Instant::now() < limit, "attempts are not in the history");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((count("").await, count("&result=failed").await), (505, 5));
    let upstream = upstream.lock().unwrap();
    let ids: BTreeSet<&str> = upstream
        .stored
        .values()
        .map(|one| text(&one["id"]))
        .collect();
    assert_eq!(
        (upstream.stored.len(), ids.len()),
        (500, 500),
        "a duplicate"
    );
    assert!(
        upstream.keys.values().all(|keys| keys.len() == 1),
        "a record under two keys"
    );
    assert_eq!((upstream.seen, upstream.signed), (505, 505));
    let one = upstream.stored.values().next().unwrap();
    assert_eq!(
        (&one["record"]["organisation"], &one["record"]["hall"]),
        (&json!("SZ"), &json!("H1"))
    );
    drop(handle.stop(false));
}

/// AC-A08-2: a ticket names a window that is not in the directory: it is held as a problem and not
/// pushed, until a person puts it right.
#[actix_web::test]
pub(super) async fn a_ticket_of_an_unknown_window_is_held_as_a_problem_and_not_pushed() {
    let upstream = Arc::new(Mutex::new(Upstream::default()));
    let (url, handle) = serve(&upstream);
    let server = Server::start_with(&SETTINGS, &[]).await;
    let admin = server.hall("H1", 1).await;
    let more = json!({"source": "tickets"});
    admin
        .put("/feeds/upload", setup(&url, more))
        .await
        .expect(200);
    serve_tickets(&admin, 1, 1).await;
    until(&admin, "upload", |all| all["acknowledged"] == 1).await;
    let record = json!({"id": "H9/1", "body": {"hall": "H1", "window": "H1/99", "number": "B099"}});
    let path = "/feeds/upload/batches/other/records";
    admin
        .post(path, json!({"records": [record]}))
        .await
        .expect(201);
    let limit = Instant::now() + PATIENCE;
    let problem = loop {
        let page = admin.get("/problems").await.expect(200);
        if let Some(problem) = list(&page["items"]).first() {
            break problem.clone();
        }
        assert!(Instant::now() < limit, "no problem listed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let found = (&problem["kind"], &problem["record"], &problem["hall"]);
    assert_eq!(
        found,
        (
            &json!("unknown_window"),
            &json!("upload/H9/1"),
            &json!("H1")
        )
    );
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(upstream.lock().unwrap().seen, 1, "it was pushed");
    assert_eq!(admin.get("/problems").await.expect(200)["total"], 1);
    let body = json!({"hall": "H1", "window": "H1/1", "number": "B099"});
    let path = "/feeds/upload/batches/other/corrections";
    admin
        .post(path, json!({"record": "H9/1", "body": body}))
        .await
        .expect(201);
    until(&admin, "upload", |all| all["acknowledged"] == 2).await;
    drop(handle.stop(false));
}

/// Killed in the middle of pushing: nothing is lost, and what is sent again goes under its own key.
#[actix_web::test]
pub(super) async fn a_crash_while_pushing_loses_nothing_and_doubles_nothing() {
    let upstream = Arc::new(Mutex::new(Upstream {
        slow: Duration::from_millis(10),
        ..Upstream::default()
    }));
    let (url, handle) = serve(&upstream);
    let mut server = Server::start_with(&SETTINGS, &[]).await;
    let admin = server.admin();
    admin
        .put("/feeds/out", setup(&url, json!({})))
        .await
        .expect(200);
    let records: Vec<Value> = (0..400)
        .map(|n| json!({"id": format!("r{n}"), "body": {"n": n}}))
        .collect();
    let path = "/feeds/out/batches/b1/records";
    admin
        .post(path, json!({"records": records}))
        .await
        .expect(201);
    let limit = Instant::now() + PATIENCE;
    while upstream.lock().unwrap().seen < 100 {
        assert!(Instant::now() < limit, "nothing is pushed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.kill();
    assert!(
        upstream.lock().unwrap().stored.len() < 400,
        "killed too late"
    );
    server.restart();
    let admin = server.admin();
    until(&admin, "out", |all| all["acknowledged"] == 400).await;
    let closed = admin.post("/feeds/out/batches/b1/close", json!({})).await;
    assert_eq!(closed.expect(200)["state"], "reconciled");
    let upstream = upstream.lock().unwrap();
    assert_eq!(upstream.stored.len(), 400, "a duplicate, or one is lost");
    assert!(upstream.keys.values().all(|keys| keys.len() == 1));
    drop(handle.stop(false));
}

/// AC-H03-2: three failed synchronisations in a row, and the channel is down: one alert. What failed for
/// good is sent again when a person asks, and the feed recovers.
#[actix_web::test]
pub(super) async fn three_failed_synchronisations_in_a_row_alarm_and_a_retry_recovers() {
    let upstream = Arc::new(Mutex::new(Upstream {
        down: true,
        ..Upstream::default()
    }));
    let (url, handle) = serve(&upstream);
    let server = Server::start_with(&SETTINGS, &[]).await;
    let admin = server.admin();
    let channel = json!({
        "name": "门牌事项同步", "provider": "小程序", "direction": "outbound",
        "limits": {"consecutive_failures": 3},
    });
    admin.put("/channels/sync", channel).await.expect(200);
    let target = json!({"url": url, "attempts_max": 3});
    let more = json!({"channel": "sync", "target": target, "kind": "items"});
    admin
        .put("/feeds/sync", setup(&url, more))
        .await
        .expect(200);
    let path = "/feeds/sync/batches/b1/records";
    let records = json!({"records": [{"id": "I1", "body": {"code": "I1"}}]});
    admin.post(path, records).await.expect(201);
    until(&admin, "sync", |all| all["failed"] == 1).await;
    let limit = Instant::now() + PATIENCE;
    let alert = loop {
        let page = admin.get("/alerts?rule=R07-api-failures&ended=false").await;
        let page = page.expect(200);
        if let Some(alert) = list(&page["items"]).first() {
            break alert.clone();
        }
        assert!(Instant::now() < limit, "no alert");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(alert["subject"]["id"], "sync");
    let failed = admin
        .get("/feeds/sync/records?state=failed")
        .await
        .expect(200);
    assert_eq!(number(&failed["items"][0]["attempts"]), 3, "{failed}");
    upstream.lock().unwrap().down = false;
    let again = admin.post("/feeds/sync/batches/b1/retry", json!({})).await;
    assert_eq!(again.expect(201)["again"], 1);
    until(&admin, "sync", |all| all["acknowledged"] == 1).await;
    drop(handle.stop(false));
}
