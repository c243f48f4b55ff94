//! Upstreams and callers that do not keep to the protocol, or to any time.

use std::time::{Duration, Instant};

use awc::http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use super::upstream::{Manner, OK, Upstream};
use super::{call, calls, channel, connect, last, raw, read_until, set_up};
use crate::harness::{PATIENCE, Server, list, own_address};

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
