//! Calls that go through, and those that are refused at the door.

use std::time::{Duration, Instant};

use awc::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::upstream::{Manner, OK, Upstream};
use super::{call, calls, channel, connect, face, last, raw, read_until, set_up};
use crate::harness::{Client, PATIENCE, Server, text};

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
    let face = face(&admin, |face| face["figures"][0]["calls"] == 1).await;
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
    let face = face(&admin, |face| {
        face["refusals"]["channel_in_maintenance"] == 1
    })
    .await;
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

/// A hundred calls at a time go over the same hundred connections again and again, which are closed
/// when nobody calls any more.
#[actix_web::test]
async fn as_many_connections_are_kept_as_calls_were_under_way() {
    let server = Server::start_with(&[("HALLKEEPER__SERVER__WORKERS", "1")], &[]).await;
    let admin = server.admin();
    let late = Manner::SaysLate(OK, Duration::from_millis(200));
    let upstream = Upstream::start(late).await;
    let key = channel(&admin, &upstream.url, json!({"max_parallel": 200})).await;
    for _ in 0..3 {
        let calls = (0..100).map(|_| call(&server, &key, "/v1/x"));
        for answer in join_all(calls).await {
            answer.expect(200);
        }
    }
    let connections = upstream.connections.get();
    assert!(connections <= 100, "{connections} connections");
    let limit = Instant::now() + PATIENCE;
    while upstream.open.get() > 0 {
        assert!(Instant::now() < limit, "{} stand", upstream.open.get());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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
