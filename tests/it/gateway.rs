//! The gateway from outside: callers and upstreams are real sockets, well-behaved and otherwise.

mod bad_peers;
mod encrypted;
mod forwarding;
mod probes;
mod upstream;

use std::time::{Duration, Instant};

use awc::http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::harness::{Answer, Client, PATIENCE, Server, list, text};

/// A channel `pay` with version `v1`, and the key of its caller `app`.
async fn channel(admin: &Client, upstream: &str, more: Value) -> String {
    set_up(admin, upstream, more).await;
    admin
        .post("/channels/pay/versions", json!({"version": "v1"}))
        .await
        .expect(200);
    admin
        .post("/channels/pay/versions/v1/publish", json!({}))
        .await
        .expect(200);
    let granted = admin
        .post("/channels/pay/grants", json!({"caller": "app"}))
        .await;
    text(&granted.expect(201)["key"]).to_owned()
}

async fn set_up(admin: &Client, upstream: &str, more: Value) {
    let mut way = json!({"url": upstream});
    for (name, value) in more.as_object().unwrap() {
        way[name] = value.clone();
    }
    let setup = json!({
        "name": {"zh": "支付", "en": "Payment"}, "provider": "银行", "direction": "through",
        "upstream": way,
    });
    admin.put("/channels/pay", setup).await.expect(200);
}

async fn call(server: &Server, key: &str, path: &str) -> Answer {
    let path = format!("/gateway/pay{path}");
    let visitor = server.visitor();
    visitor
        .send(Method::GET, &path, None, &[("X-Api-Key", key)])
        .await
}

/// Sends bytes as they are; what came back until the connection ended or was quiet.
async fn raw(server: &Server, request: &str) -> String {
    let mut stream = connect(server).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

async fn connect(server: &Server) -> TcpStream {
    let address = server.base.strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("an end in time");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The channel's calls, the newest first, once there are so many.
async fn calls(admin: &Client, count: u64) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let page = admin.get("/channels/pay/calls?limit=200").await.expect(200);
        if page["total"].as_u64() >= Some(count) {
            assert_eq!(page["total"], count, "{page}");
            return list(&page["items"]).to_vec();
        }
        assert!(Instant::now() < until, "not {count}: {page}");
        sleep(Duration::from_millis(30)).await;
    }
}

/// The channel once it fits: its calls are counted after they are in the history.
async fn face(admin: &Client, fits: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let face = admin.get("/channels/pay").await.expect(200);
        if fits(&face) {
            return face;
        }
        assert!(Instant::now() < until, "{face}");
        sleep(Duration::from_millis(30)).await;
    }
}

async fn last(admin: &Client, count: u64) -> (Value, Value, Value) {
    let call = calls(admin, count).await.remove(0);
    (
        call["result"].clone(),
        call["reason"].clone(),
        call["status"].clone(),
    )
}

async fn read_until(stream: &mut TcpStream, what: &str) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !text.contains(what) {
        let read = timeout(PATIENCE, stream.read(&mut buffer))
            .await
            .expect("in time")
            .unwrap();
        assert!(read > 0, "ended before {what}: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    text
}

/// A channel whose probe is put every second.
fn probed(probe: &Value) -> Value {
    json!({
        "name": {"zh": "短信", "en": "SMS"}, "provider": "运营商", "direction": "outbound",
        "probe": probe, "limits": {"consecutive_failures": 2, "recovery_successes": 4},
    })
}
