//! The gateway from outside: callers and upstreams are real sockets, well-behaved and otherwise.

mod encrypted;
mod upstream;

use std::time::{Duration, Instant};

use awc::http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use self::upstream::{Manner, OK, Upstream};
use crate::harness::{Answer, Client, PATIENCE, Server, list, own_address, text};

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

async fn last(admin: &Client, count: u64) -> (Value, Value, Value) {
    let call = calls(admin, count).await.remove(0);
    (
        call["result"].clone(),
        call["reason"].clone(),
        call["status"].clone(),
    )
}

/// A02, F02: a call goes through as it came, without the key and what belongs to one connection; the
/// answer comes back, and the history has it, masked.
#[actix_web::test]
async fn a_call_is_forwarded_and_recorded() {
    let server = Server::start().await;
    let admin = server.admin();
    let upstream = Upstream::start(Manner::Says(
        "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nX-Powered-By: old\r\nX-Id: 7\r\nKeep-Alive: timeout=9\r\nContent-Length: 39\r\n\r\n{\"order\": 17, \"phone\": \"13812345678\"}  ",
    ))
    .await;
    let rules = json!({
        "request_headers": {"set": {"X-Site": "hall", "Authorization": "Basic c2VjcmV0"}, "remove": ["X-Drop"]},
        "response_headers": {"set": {"Cache-Control": "no-store"}, "remove": ["X-Powered-By"]},
    });
    let key = channel(&admin, &format!("{}/api/{{version}}", upstream.url), rules).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let body = "{\"amount\": 5, \"password\": \"hunter2\"}";
    let request = format!(
        "POST /gateway/pay/v1/orders/a%20b?token=abc&n=1 HTTP/1.1\r\nHost: hall.example\r\nConnection: close, X-Hop\r\n\
         X-Hop: 1\r\nX-Drop: 1\r\nX-Api-Key: {key}\r\nX-Forwarded-For: 10.9.8.7\r\nContent-Type: application/json\r\n\
         traceparent: 00-{trace}-00f067aa0ba902b7-01\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = raw(&server, &request).await;
    let lower = answer.to_lowercase();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(
        answer.ends_with("{\"order\": 17, \"phone\": \"13812345678\"}  "),
        "{answer}"
    );
    for header in [
        "x-id: 7",
        "cache-control: no-store",
        "content-length: 39",
        "x-content-type-options: nosniff",
    ] {
        assert!(lower.contains(header), "{header}: {answer}");
    }
    assert!(
        !lower.contains("x-powered-by") && !lower.contains("keep-alive"),
        "{answer}"
    );
    let heard = upstream.heard(0);
    assert!(
        heard.starts_with("post /api/v1/orders/a%20b?token=abc&n=1 http/1.1\r\n"),
        "{heard}"
    );
    assert!(heard.ends_with(body), "{heard}");
    for header in [
        "x-site: hall",
        "authorization: basic c2vjcmv0",
        "x-api-caller: app",
        "x-api-version: v1",
        "x-forwarded-for: 10.9.8.7, 127.0.0.1",
        "x-forwarded-host: hall.example",
        "x-forwarded-proto: http",
        "forwarded: for=127.0.0.1;host=\"hall.example\";proto=http",
        &format!("traceparent: 00-{trace}-00f067aa0ba902b7-01"),
        &format!("host: {}", upstream.url.strip_prefix("http://").unwrap()),
        &format!("content-length: {}", body.len()),
    ] {
        assert!(
            heard.contains(&format!("\r\n{header}\r\n")),
            "{header}: {heard}"
        );
    }
    for gone in ["x-api-key", "x-hop", "x-drop", &key] {
        assert!(!heard.contains(gone), "{gone}: {heard}");
    }
    let call = calls(&admin, 1).await.remove(0);
    assert_eq!(call["caller"], "app");
    assert_eq!(call["version"], "v1");
    assert_eq!(
        (&call["result"], &call["status"]),
        (&json!("ok"), &json!(201))
    );
    assert_eq!(call["trace_id"], trace);
    assert!(call["duration_ms"].as_f64().unwrap() > 0.0, "{call}");
    assert_eq!(call["request"]["method"], "POST");
    assert_eq!(
        call["request"]["body"],
        json!({"amount": 5, "password": "***"})
    );
    assert_eq!(call["response"]["body"]["order"], 17);
    let kept = call.to_string();
    for secret in ["hunter2", "13812345678", "abc"] {
        assert!(!kept.contains(secret), "{secret}: {kept}");
    }
    let face = admin.get("/channels/pay").await.expect(200);
    assert_eq!(face["figures"][0]["calls"], 1, "{face}");
    assert!(!face.to_string().contains("c2VjcmV0"), "{face}");
}

/// F04: who may not call is told why, the history knows it, and what is taken back is taken back for
/// the next call.
#[actix_web::test]
async fn a_call_is_refused_for_each_reason_and_the_history_tells_it() {
    let server = Server::start().await;
    let admin = server.admin();
    let upstream = Upstream::start(Manner::Says(OK)).await;
    let key = channel(&admin, &upstream.url, json!({})).await;
    let version = [("X-Api-Key", key.as_str()), ("X-Api-Version", "v1")];
    let visitor = server.visitor();
    let by_header = visitor
        .send(Method::GET, "/gateway/pay/orders", None, &version)
        .await;
    assert_eq!(by_header.expect(200), json!({"ok": true}));
    call(&server, &key, "/v1/orders").await.expect(200);
    assert!(
        upstream.heard(0).starts_with("get /orders "),
        "{}",
        upstream.heard(0)
    );
    assert!(
        upstream.heard(1).starts_with("get /orders "),
        "{}",
        upstream.heard(1)
    );
    let refused = call(&server, "none", "/v1/x?lang=en").await;
    assert_eq!(refused.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(refused.body["detail"], "the caller is not known here");
    refused.refused(401, "unknown_caller");
    call(&server, &key, "/v9/x")
        .await
        .refused(403, "unknown_version");
    call(&server, &key, "")
        .await
        .refused(403, "unknown_version");
    admin
        .post("/channels/pay/versions", json!({"version": "v2"}))
        .await
        .expect(200);
    call(&server, &key, "/v2/x")
        .await
        .refused(403, "version_not_published");
    call(&server, &key, "/v1/a/%2e%2E/b")
        .await
        .refused(422, "invalid_field");
    let until = crate::scenarios::later(3600);
    let maintenance = json!({"until": until, "reason": "planned"});
    admin
        .post("/channels/pay/maintenance", maintenance)
        .await
        .expect(200);
    call(&server, &key, "/v1/x")
        .await
        .refused(503, "channel_in_maintenance");
    admin
        .post("/channels/pay/maintenance", json!({}))
        .await
        .expect(200);
    call(&server, &key, "/v1/x").await.expect(200);
    admin
        .post("/channels/pay/grants/1/revoke", json!({}))
        .await
        .expect(200);
    call(&server, &key, "/v1/x")
        .await
        .refused(403, "grant_revoked");
    let granted = admin
        .post("/channels/pay/grants", json!({"caller": "web"}))
        .await
        .expect(201);
    let other = text(&granted["key"]);
    call(&server, other, "/v1/x").await.expect(200);
    admin
        .post("/channels/pay/versions/v1/revoke", json!({}))
        .await
        .expect(200);
    call(&server, other, "/v1/x")
        .await
        .refused(403, "version_revoked");
    let found = calls(&admin, 11).await;
    let reasons: Vec<&str> = found
        .iter()
        .rev()
        .filter_map(|call| call["reason"].as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            "unknown_caller",
            "unknown_version",
            "unknown_version",
            "version_not_published",
            "channel_in_maintenance",
            "grant_revoked",
            "version_revoked"
        ]
    );
    let face = admin.get("/channels/pay").await.expect(200);
    assert_eq!(face["refusals"]["channel_in_maintenance"], 1, "{face}");
    assert_eq!(upstream.heard.borrow().len(), 4);
    let mut setup = face["setup"].clone();
    setup.as_object_mut().unwrap().remove("upstream");
    admin.put("/channels/pay", setup).await.expect(200);
    call(&server, other, "/v1/x")
        .await
        .refused(404, "no_upstream");
    let nowhere = visitor.get("/gateway/none/v1/x").await;
    nowhere.refused(404, "unknown_channel");
}

/// Both bodies pass piece by piece: the answer's first piece is there before the request's last is sent.
#[actix_web::test]
async fn bodies_pass_piece_by_piece_both_ways() {
    let server = Server::start().await;
    let admin = server.admin();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let key = channel(&admin, &url, json!({})).await;
    let upstream = actix_web::rt::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, "first").await;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            .await
            .unwrap();
        read_until(&mut stream, "second").await;
        stream.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
    });
    let mut stream = connect(&server).await;
    let head = format!(
        "POST /gateway/pay/v1/x HTTP/1.1\r\nHost: h\r\nX-Api-Key: {key}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    read_until(&mut stream, "one").await;
    stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await.unwrap();
    let end = read_until(&mut stream, "0\r\n\r\n").await;
    assert!(end.contains("two"), "{end}");
    upstream.await.unwrap();
    assert_eq!(
        last(&admin, 1).await,
        (json!("ok"), Value::Null, json!(200))
    );
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

/// Whatever an upstream does wrong, its caller is told in time, and the history why. After all of it
/// nothing is left over.
#[actix_web::test]
async fn a_bad_upstream_is_told_apart_by_what_it_does_and_holds_nothing() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let piece = format!("400\r\n{}\r\n", "x".repeat(0x400));
    let piece: &'static str = Box::leak(piece.into_boxed_str());
    let server = Server::start().await;
    let admin = server.admin();
    let bounds = json!({"connect_ms": 500, "idle_ms": 300, "total_ms": 3000, "max_response_bytes": 100_000, "max_parallel": 1});
    let mut upstream = Upstream::start(Manner::Says(OK)).await;
    let key = channel(&admin, &upstream.url, bounds.clone()).await;
    call(&server, &key, "/v1/x").await.expect(200);
    // Each has the only place after the one before.
    // What it does, what the caller is told (nothing: the answer is cut), and what the history says.
    let manners = [
        (Manner::SaysAndHangs(""), 504, "timeout", 504),
        (
            Manner::SaysAndHangs("HTTP/1.1 200 OK\r\nContent-Le"),
            504,
            "timeout",
            504,
        ),
        (
            Manner::SaysAndHangs("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegi"),
            0,
            "timeout",
            200,
        ),
        (Manner::SaysAndCloses(""), 502, "upstream_closed", 502),
        (
            Manner::SaysAndCloses("HTTP/1.1 200 OK\r\nConte"),
            502,
            "upstream_closed",
            502,
        ),
        (
            Manner::SaysAndCloses("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegi"),
            0,
            "upstream_closed",
            200,
        ),
        (
            Manner::SaysAndCloses(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbegi\r\n",
            ),
            0,
            "upstream_closed",
            200,
        ),
        (
            Manner::SaysAndCloses("\u{1}\u{2} this is no HTTP \r\n\r\n"),
            502,
            "bad_response",
            502,
        ),
        (
            Manner::SaysAndCloses("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
            502,
            "bad_response",
            502,
        ),
        (
            Manner::SaysAndHangs("HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n"),
            502,
            "response_too_large",
            502,
        ),
        (
            Manner::Endless(CHUNKED, piece),
            0,
            "response_too_large",
            200,
        ),
        (
            Manner::Endless("HTTP/1.1 200 OK\r\n", "X-More: and more\r\n"),
            502,
            "bad_response",
            502,
        ),
    ];
    let mut count = 1;
    for (n, (manner, told, reason, status)) in manners.into_iter().enumerate() {
        upstream = Upstream::start(manner).await;
        set_up(&admin, &upstream.url, bounds.clone()).await;
        let request = format!(
            "GET /gateway/pay/v1/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Api-Key: {key}\r\n\r\n"
        );
        let answer = raw(&server, &request).await;
        match told {
            0 => {
                let whole = answer.ends_with("0\r\n\r\n");
                assert!(
                    answer.is_empty() || answer.starts_with("HTTP/1.1 200"),
                    "{n}: {answer}"
                );
                assert!(
                    !whole && !answer.ends_with("begi}"),
                    "{n}: taken for whole: {answer}"
                );
            }
            told => {
                assert!(
                    answer.starts_with(&format!("HTTP/1.1 {told}")),
                    "{n}: {answer}"
                );
                assert!(
                    answer.contains(&format!("\"code\":\"{reason}\"")),
                    "{n}: {answer}"
                );
            }
        }
        count += 1;
        let recorded = last(&admin, count).await;
        assert_eq!(
            recorded,
            (json!("failed"), json!(reason), json!(status)),
            "{n}"
        );
    }
    drop(upstream);
    let url = format!("http://{}", own_address());
    set_up(&admin, &url, bounds.clone()).await;
    call(&server, &key, "/v1/x")
        .await
        .refused(502, "connect_failed");
    assert_eq!(last(&admin, count + 1).await.1, "connect_failed");
    let face = admin.get("/channels/pay").await.expect(200);
    assert_eq!(face["health"], "down", "{face}");
}

fn descriptors(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid()))
        .unwrap()
        .count()
}

/// The server holds no more descriptors than it did, but for the database's and a few connections that
/// wait to be used again.
async fn nothing_is_left(server: &Server, open: usize) {
    let until = Instant::now() + PATIENCE;
    while descriptors(server) > open + 20 {
        assert!(
            Instant::now() < until,
            "{} descriptors, {open} before",
            descriptors(server)
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// Thousands of answers that are none leave the gateway as it was.
#[actix_web::test]
async fn garbage_does_not_wear_the_gateway_out() {
    const CALLERS: usize = 8;
    const CALLS: usize = 1250;
    let server = Server::start().await;
    let admin = server.admin();
    let upstream = Upstream::start(Manner::SaysAndCloses(
        "\u{1}\u{2}\u{3} garbage \u{4}\r\n\r\n",
    ))
    .await;
    let key = channel(&admin, &upstream.url, json!({})).await;
    let open = descriptors(&server);
    let request = format!("GET /gateway/pay/v1/x HTTP/1.1\r\nHost: h\r\nX-Api-Key: {key}\r\n\r\n");
    let callers = (0..CALLERS).map(|_| async {
        let mut stream = connect(&server).await;
        for _ in 0..CALLS {
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = read_until(&mut stream, "bad_response").await;
            assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
        }
    });
    futures_util::future::join_all(callers).await;
    let total = (CALLERS * CALLS) as u64;
    let until = Instant::now() + PATIENCE;
    loop {
        let by = admin
            .get("/channels/pay/calls/summary?by=reason")
            .await
            .expect(200);
        let found = list(&by["items"]).to_vec();
        if found.first().is_some_and(|one| one["calls"] == total) {
            assert_eq!(found[0]["key"], "bad_response", "{by}");
            break;
        }
        assert!(Instant::now() < until, "{by}");
        sleep(Duration::from_millis(100)).await;
    }
    nothing_is_left(&server, open).await;
}

/// A caller that is slow, goes away, or sends too much ends its own call and nobody else's, and says
/// nothing of the channel.
#[actix_web::test]
async fn a_bad_caller_holds_nothing_and_is_not_held_against_the_channel() {
    let server = Server::start().await;
    let admin = server.admin();
    let upstream = Upstream::start(Manner::Says(OK)).await;
    let bounds =
        json!({"idle_ms": 300, "total_ms": 1200, "max_request_bytes": 1000, "max_parallel": 2});
    let key = channel(&admin, &upstream.url, bounds.clone()).await;
    call(&server, &key, "/v1/x").await.expect(200);
    let head = format!(
        "POST /gateway/pay/v1/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Api-Key: {key}\r\n"
    );
    // Declared too large, grown too large, never finished, finished too slowly.
    let answer = raw(&server, &format!("{head}Content-Length: 1001\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(
        last(&admin, 2).await,
        (json!("refused"), json!("request_too_large"), json!(413))
    );
    let chunk = format!("258\r\n{}\r\n", "x".repeat(0x258));
    let answer = raw(
        &server,
        &format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}{chunk}"),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(last(&admin, 3).await.1, "request_too_large");
    let answer = raw(&server, &format!("{head}Content-Length: 10\r\n\r\nslow")).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(
        last(&admin, 4).await,
        (json!("refused"), json!("client_stalled"), json!(408))
    );
    let mut stream = connect(&server).await;
    stream
        .write_all(format!("{head}Content-Length: 500\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let (mut reading, mut writing) = stream.split();
    let mut answer = [0; 12];
    let trickle = async {
        loop {
            let _ = writing.write_all(b"x").await;
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        _ = trickle => {}
        read = timeout(PATIENCE, reading.read_exact(&mut answer)) => { read.expect("in time").unwrap(); }
    }
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert_eq!(last(&admin, 5).await.1, "client_stalled");
    // Gone in the middle of its request.
    let mut stream = connect(&server).await;
    stream
        .write_all(format!("{head}Content-Length: 10\r\n\r\ngone").as_bytes())
        .await
        .unwrap();
    while upstream.connections.get() < 2 {
        sleep(Duration::from_millis(10)).await;
    }
    drop(stream);
    assert_eq!(last(&admin, 6).await.0, "refused");
    // Takes nothing of a long answer.
    let endless = Upstream::start(Manner::Endless(
        "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ))
    .await;
    set_up(&admin, &endless.url, bounds).await;
    let request = format!("GET /gateway/pay/v1/x HTTP/1.1\r\nHost: h\r\nX-Api-Key: {key}\r\n\r\n");
    let mut deaf = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&server).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        deaf.push(stream);
    }
    assert_eq!(
        last(&admin, 8).await,
        (json!("ok"), json!("client_stalled"), json!(200))
    );
    let face = admin.get("/channels/pay").await.expect(200);
    assert_eq!(face["health"], "healthy", "{face}");
    assert_eq!(face["figures"][1]["failed"], 0, "{face}");
}

/// An upstream that takes requests and answers none fills its channel's places and no more; whoever
/// comes is told at once, and with the time-out the places are free again.
#[actix_web::test]
async fn a_hanging_upstream_fills_its_own_places_only() {
    let server = Server::start().await;
    let admin = server.admin();
    let deaf = Upstream::start(Manner::Deaf).await;
    let bounds = json!({"idle_ms": 1500, "max_parallel": 3});
    let key = channel(&admin, &deaf.url, bounds.clone()).await;
    let hanging = (0..3).map(|_| call(&server, &key, "/v1/x"));
    let one_more = async {
        while deaf.connections.get() < 3 {
            sleep(Duration::from_millis(10)).await;
        }
        let refused = call(&server, &key, "/v1/x").await;
        assert_eq!(refused.header("retry-after"), Some("1"));
        refused.refused(503, "channel_busy");
        admin.get("/halls").await.expect(200);
    };
    let (answers, ()) =
        futures_util::future::join(futures_util::future::join_all(hanging), one_more).await;
    for answer in answers {
        answer.refused(504, "timeout");
    }
    calls(&admin, 4).await;
    // Its caller sends more than the connection takes: nobody reads it.
    let body = "x".repeat(8 << 20);
    let headers = [("X-Api-Key", key.as_str())];
    let visitor = server.visitor();
    let answer = visitor
        .try_send(Method::POST, "/gateway/pay/v1/x", Some(body), &headers)
        .await;
    // The caller may be cut while it sends still, before it reads the answer.
    if let Some(answer) = answer {
        answer.refused(504, "timeout");
    }
    assert_eq!(last(&admin, 5).await.1, "timeout");
    let well = Upstream::start(Manner::Says(OK)).await;
    set_up(&admin, &well.url, bounds).await;
    call(&server, &key, "/v1/x").await.expect(200);
}

/// Connections are used again; one that the other side closed meanwhile is not noticed by the caller.
#[actix_web::test]
async fn connections_are_used_again_and_replaced_when_they_are_gone() {
    let server = Server::start_with(&[("HALLKEEPER__SERVER__WORKERS", "1")], &[]).await;
    let admin = server.admin();
    let upstream = Upstream::start(Manner::Says(OK)).await;
    let key = channel(&admin, &upstream.url, json!({})).await;
    for _ in 0..20 {
        call(&server, &key, "/v1/x").await.expect(200);
    }
    assert_eq!(upstream.connections.get(), 1);
    // Says that it goes on, and closes.
    let fickle = Upstream::start(Manner::SaysAndCloses(OK)).await;
    set_up(&admin, &fickle.url, json!({})).await;
    for _ in 0..20 {
        call(&server, &key, "/v1/x").await.expect(200);
    }
    let found = calls(&admin, 40).await;
    assert!(found.iter().all(|call| call["result"] == "ok"), "{found:?}");
}

/// A HEAD request has the length and no body, 204 and 304 have neither.
#[actix_web::test]
async fn answers_without_a_body_have_none() {
    let server = Server::start().await;
    let admin = server.admin();
    let answers = [
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n",
            "content-length: 5000",
        ),
        ("GET", "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n", "x-a: 1"),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 70\r\n\r\n",
            "etag: \"a\"",
        ),
        (
            "DELETE",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "content-length: 0",
        ),
    ];
    let mut key = String::new();
    for (n, (method, says, header)) in answers.into_iter().enumerate() {
        let upstream = Upstream::start(Manner::Says(says)).await;
        match n {
            0 => key = channel(&admin, &upstream.url, json!({})).await,
            _ => set_up(&admin, &upstream.url, json!({})).await,
        }
        let request = format!(
            "{method} /gateway/pay/v1/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Api-Key: {key}\r\n\r\n"
        );
        let answer = raw(&server, &request).await.to_lowercase();
        assert!(
            answer.starts_with(&says.to_lowercase()[..12]),
            "{n}: {answer}"
        );
        assert!(answer.contains(header), "{n}: {answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{n}: a body: {answer}");
        let recorded = last(&admin, n as u64 + 1).await;
        assert_eq!(recorded.0, "ok", "{n}: {recorded:?}");
    }
}

/// What went through before the server was asked to stop is in the history.
#[actix_web::test]
async fn the_last_calls_are_recorded_before_the_server_stops() {
    let mut server = Server::start().await;
    let admin = server.admin();
    let upstream = Upstream::start(Manner::Says(OK)).await;
    let key = channel(&admin, &upstream.url, json!({})).await;
    for _ in 0..30 {
        call(&server, &key, "/v1/x").await.expect(200);
    }
    assert!(server.stop().success());
    server.restart();
    let admin = Client::new(&server.base, Some(server.token.clone()));
    assert_eq!(calls(&admin, 30).await.len(), 30);
}

/// A channel whose probe is put every second.
fn probed(probe: &Value) -> Value {
    json!({
        "name": {"zh": "短信", "en": "SMS"}, "provider": "运营商", "direction": "outbound",
        "probe": probe, "limits": {"consecutive_failures": 2, "recovery_successes": 2},
    })
}

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
