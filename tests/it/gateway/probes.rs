//! An interface that is asked by the gateway itself.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::probed;
use super::upstream::{Manner, OK, Upstream};
use crate::harness::{Client, PATIENCE, Server, list, own_address};

/// How the channel is, once it is so.
async fn turns(admin: &Client, health: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let face = admin.get("/channels/sms").await.expect(200);
        if face["health"] == health {
            return;
        }
        assert!(Instant::now() < until, "not {health}: {face}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// R07, R10: an interface that goes away is found to be down by its probe alone, and to be back; during
/// maintenance it is left alone.
#[actix_web::test]
async fn a_probe_finds_out_that_an_interface_is_down_and_that_it_is_back() {
    let server = Server::start_with(&[("HALLKEEPER__ALERTS__PASS_MS", "100")], &[]).await;
    let admin = server.admin();
    let address = own_address();
    let listener = TcpListener::bind(address).await.unwrap();
    let upstream = Upstream::on(listener, Manner::Says(OK));
    let probe = json!({"kind": "http", "url": format!("{}/health?deep=1", upstream.url), "text": "\"ok\":true", "every_secs": 1});
    admin.put("/channels/sms", probed(&probe)).await.expect(200);
    let well = admin
        .post("/channels/sms/probe", json!({}))
        .await
        .expect(201);
    assert_eq!(
        (&well["result"], &well["status"]),
        (&json!("ok"), &json!(200)),
        "{well}"
    );
    assert_eq!(well["health"], "healthy", "{well}");
    assert!(
        upstream
            .heard(0)
            .starts_with("get /health?deep=1 http/1.1\r\n")
    );
    drop(upstream);
    turns(&admin, "down").await;
    let until = Instant::now() + PATIENCE;
    loop {
        let page = admin
            .get("/alerts?rule=R07-api-failures&ended=false")
            .await
            .expect(200);
        if list(&page["items"]).len() == 1 {
            break;
        }
        assert!(Instant::now() < until, "no alert: {page}");
        sleep(Duration::from_millis(50)).await;
    }
    let bad = admin
        .post("/channels/sms/probe", json!({}))
        .await
        .expect(201);
    assert_eq!(
        (&bad["result"], &bad["reason"]),
        (&json!("failed"), &json!("connect_failed"))
    );
    let again = TcpListener::bind(address).await.unwrap();
    let upstream = Upstream::on(again, Manner::Says(OK));
    turns(&admin, "recovering").await;
    turns(&admin, "healthy").await;
    let calls = admin
        .get("/channels/sms/calls?caller=probe&result=failed")
        .await
        .expect(200);
    assert!(calls["total"].as_u64() >= Some(3), "{calls}");
    let until = crate::scenarios::later(3600);
    let maintenance = json!({"until": until, "reason": "planned"});
    admin
        .post("/channels/sms/maintenance", maintenance)
        .await
        .expect(200);
    turns(&admin, "maintenance").await;
    sleep(Duration::from_millis(300)).await;
    let before = upstream.heard.borrow().len();
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(
        upstream.heard.borrow().len(),
        before,
        "asked during maintenance"
    );
    drop(upstream);
    for _ in 0..3 {
        let by_hand = admin
            .post("/channels/sms/probe", json!({}))
            .await
            .expect(201);
        assert_eq!(
            (&by_hand["result"], &by_hand["health"]),
            (&json!("failed"), &json!("maintenance"))
        );
    }
}

/// What a probe finds wrong is told apart.
#[actix_web::test]
async fn a_probe_says_what_is_wrong() {
    let server = Server::start().await;
    let admin = server.admin();
    let upstream = Upstream::start(Manner::Says(OK)).await;
    let hangs = Upstream::start(Manner::SaysAndHangs(
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
    ))
    .await;
    let garbage = Upstream::start(Manner::SaysAndCloses("what?\r\n\r\n")).await;
    let closes = Upstream::start(Manner::SaysAndCloses("")).await;
    let tcp = |one: &Upstream| one.url.strip_prefix("http://").unwrap().to_owned();
    let probes = [
        (
            json!({"kind": "tcp", "address": tcp(&upstream)}),
            Value::Null,
        ),
        (
            json!({"kind": "tcp", "address": "127.0.0.1:1"}),
            json!("connect_failed"),
        ),
        (
            json!({"kind": "http", "url": upstream.url, "status": [300, 399]}),
            json!("unexpected_status"),
        ),
        (
            json!({"kind": "http", "url": upstream.url, "text": "ok: false"}),
            json!("text_missing"),
        ),
        (
            json!({"kind": "http", "url": hangs.url, "text": "x", "timeout_ms": 300}),
            json!("timeout"),
        ),
        (
            json!({"kind": "http", "url": garbage.url}),
            json!("bad_response"),
        ),
        (
            json!({"kind": "http", "url": closes.url}),
            json!("upstream_closed"),
        ),
    ];
    for (mut probe, reason) in probes {
        probe["every_secs"] = json!(86_400);
        admin.put("/channels/sms", probed(&probe)).await.expect(200);
        let found = admin
            .post("/channels/sms/probe", json!({}))
            .await
            .expect(201);
        assert_eq!(found["reason"], reason, "{probe}: {found}");
        assert!(found["duration_ms"].as_f64().is_some(), "{found}");
    }
    let mut setup = probed(&Value::Null);
    setup.as_object_mut().unwrap().remove("probe");
    admin.put("/channels/sms", setup).await.expect(200);
    admin
        .post("/channels/sms/probe", json!({}))
        .await
        .refused(409, "no_probe");
    let bad = admin
        .put(
            "/channels/sms",
            probed(&json!({"kind": "tcp", "address": "here"})),
        )
        .await;
    bad.refused(422, "invalid_field");
}
