//! Figures for machines: `/metrics` as Prometheus reads it, and OpenTelemetry as a collector gets it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Server, list, number, text};

fn now() -> String {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let millis = i64::try_from(at.as_millis()).unwrap();
    rules::time::Timestamp::from_millis(millis).rfc3339_utc()
}

/// Series by name and labels, after everything that Prometheus demands was checked.
fn parsed(exposition: &str) -> BTreeMap<String, f64> {
    let name = regex::Regex::new("^[a-z][a-z0-9_]*$").unwrap();
    let sample = regex::Regex::new(
        r#"^([a-z][a-z0-9_]*)(\{([a-z]+="(\\.|[^"\\])*",?)+\})? (-?[0-9.e+-]+|NaN|\+Inf)$"#,
    )
    .unwrap();
    let (mut series, mut families) = (BTreeMap::new(), BTreeSet::new());
    let mut of = (String::new(), String::new());
    for line in exposition.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (family, words) = help.split_once(' ').expect("words");
            assert!(words.len() > 10 && words.ends_with('.'), "{line}");
            assert!(families.insert(family.to_owned()), "{family} comes twice");
            of = (family.to_owned(), String::new());
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (family, kind) = kind.split_once(' ').expect("a type");
            assert!(name.is_match(family), "{line}");
            assert_eq!(family, of.0, "no help before {line}");
            assert_eq!(family.ends_with("_total"), kind == "counter", "{line}");
            kind.clone_into(&mut of.1);
        } else {
            let found = sample
                .captures(line)
                .unwrap_or_else(|| panic!("no sample: {line}"));
            let suffix = found[1].strip_prefix(of.0.as_str());
            let suffix = suffix.unwrap_or_else(|| panic!("{line} stands below {}", of.0));
            let may = match of.1.as_str() {
                "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
                "summary" => ["_sum", "_count"].contains(&suffix),
                _ => suffix.is_empty(),
            };
            assert!(may, "{line} is no {}", of.1);
            let (key, value) = line.rsplit_once(' ').expect("a value");
            let value: f64 = value.parse().expect("a number");
            assert!(
                series.insert(key.to_owned(), value).is_none(),
                "{key} comes twice"
            );
        }
    }
    for (key, count) in &series {
        if let Some((name, labels)) = key.split_once("_count") {
            let labels = labels.trim_start_matches('{').trim_end_matches('}');
            let comma = if labels.is_empty() { "" } else { "," };
            let all = format!("{name}_bucket{{{labels}{comma}le=\"+Inf\"}}");
            if let Some(all) = series.get(&all) {
                assert_eq!(all, count, "{key}");
            }
        }
    }
    series
}

/// Prometheus' own judgement, where it is installed.
fn promtool_agrees(exposition: &str) {
    let started = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = started else { return };
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(exposition.as_bytes()).unwrap();
    drop(input);
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

async fn with_calls(server: &Server) {
    let admin = server.hall("H1", 2).await;
    admin.open_windows("H1", &["1"]).await;
    admin.issue("H1", "S1").await;
    admin.issue("H1", "S1").await;
    admin.serve_next("H1", "1").await;
    let setup = json!({"name": {"zh": "短信", "en": "SMS"}, "provider": "carrier", "direction": "outbound"});
    admin.put("/channels/sms", setup).await.expect(200);
    let call = |ms: f64, status: u16| json!({"caller": "A", "at": now(), "duration_ms": ms, "status": status});
    let calls = json!([call(5.0, 200), call(50.0, 200), call(20_000.0, 502)]);
    admin.post("/channels/sms/calls", calls).await.expect(201);
}

#[actix_web::test]
async fn figures_are_written_as_prometheus_reads_them() {
    let server = Server::start().await;
    with_calls(&server).await;
    let admin = server.admin();
    let until = std::time::Instant::now() + PATIENCE;
    // The machine's figures come with the first sample of its vitals.
    let exposition = loop {
        let answer = admin.get("/metrics").await;
        assert_eq!(answer.status, 200);
        let kind = answer.header("content-type").unwrap().to_owned();
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        if answer.text.contains("hallkeeper_disk_free_bytes") {
            break answer.text;
        }
        assert!(std::time::Instant::now() < until, "{}", answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let series = parsed(&exposition);
    let value = |key: &str| {
        *series
            .get(key)
            .unwrap_or_else(|| panic!("no {key}\n{exposition}"))
    };
    assert_eq!(value("hallkeeper_halls"), 1.0);
    assert_eq!(
        value("hallkeeper_tickets{hall=\"H1\",state=\"completed\"}"),
        1.0
    );
    assert_eq!(
        value("hallkeeper_queue_waiting{hall=\"H1\",service=\"S1\"}"),
        1.0
    );
    assert_eq!(value("hallkeeper_windows{hall=\"H1\",state=\"idle\"}"), 1.0);
    let calls = "hallkeeper_channel_calls_total{channel=\"sms\",result=";
    assert_eq!(value(&format!("{calls}\"ok\"}}")), 2.0);
    assert_eq!(value(&format!("{calls}\"failed\"}}")), 1.0);
    let bucket = "hallkeeper_channel_call_duration_seconds_bucket{channel=\"sms\",le=";
    assert_eq!(value(&format!("{bucket}\"0.01\"}}")), 1.0);
    assert_eq!(value(&format!("{bucket}\"10\"}}")), 2.0);
    assert_eq!(value(&format!("{bucket}\"+Inf\"}}")), 3.0);
    let sum = "hallkeeper_channel_call_duration_seconds_sum{channel=\"sms\"}";
    assert_eq!(value(sum), 20.055);
    assert_eq!(
        value("hallkeeper_channel_health{channel=\"sms\",health=\"healthy\"}"),
        1.0
    );
    assert!(value("hallkeeper_journal_commit_duration_seconds_count") > 3.0);
    assert!(value("hallkeeper_journal_appends_total") > 5.0);
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(!exposition.contains("admin"), "it names a person");
    promtool_agrees(&exposition);
}

#[actix_web::test]
async fn figures_are_open_to_this_machine_and_to_others_with_the_token() {
    let server = Server::start_with(&[("HALLKEEPER__METRICS__TOKEN", "s3cret")], &[]).await;
    let ask = async |headers: &[(&str, &str)]| {
        let visitor = server.visitor();
        visitor.send(Method::GET, "/metrics", None, headers).await
    };
    assert_eq!(ask(&[]).await.status, 200);
    // A proxy on this machine speaks for somebody elsewhere.
    let elsewhere = ("X-Forwarded-For", "203.0.113.7");
    ask(&[elsewhere]).await.refused(401, "metrics_token");
    let wrong = ("Authorization", "Bearer s3cre");
    ask(&[elsewhere, wrong]).await.refused(401, "metrics_token");
    let right = ("Authorization", "Bearer s3cret");
    assert_eq!(ask(&[elsewhere, right]).await.status, 200);
}

/// A collector of its own small kind: takes OTLP over HTTP and hands on what it was sent.
fn collector() -> (String, Receiver<(String, String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (hand_on, taken) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let hand_on = hand_on.clone();
            std::thread::spawn(move || {
                while let Some(one) = take(&stream) {
                    if hand_on.send(one).is_err() {
                        break;
                    }
                }
            });
        }
    });
    (address, taken)
}

/// One request: its path, its `x-key` and its body.
fn take(mut stream: &TcpStream) -> Option<(String, String, Value)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or(String::new(), |(_, value)| value.to_owned())
    };
    assert_eq!(header("content-type"), "application/json");
    let mut body = vec![0; header("content-length").parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        .ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    Some((path, header("x-key"), serde_json::from_slice(&body).ok()?))
}

fn attributes(of: &Value) -> BTreeMap<String, String> {
    let pair = |one: &Value| {
        let value = one["value"].as_object().unwrap().values().next().unwrap();
        (text(&one["key"]).to_owned(), text(value).to_owned())
    };
    list(&of["attributes"]).iter().map(pair).collect()
}

/// Whether all three calls are counted.
fn counts_all(metrics: &Value) -> bool {
    let times = list(metrics)
        .iter()
        .find(|one| one["name"] == "hallkeeper_channel_call_duration_seconds");
    let points = times.map_or(&[][..], |one| list(&one["histogram"]["dataPoints"]));
    points
        .iter()
        .any(|point| attributes(point)["channel"] == "sms" && point["count"] == "3")
}

#[actix_web::test]
async fn a_collector_gets_the_figures_and_each_request_as_a_span() {
    let (address, taken) = collector();
    let settings = [
        ("HALLKEEPER__TELEMETRY__OTLP_ENDPOINT", address.as_str()),
        ("HALLKEEPER__TELEMETRY__OTLP_EVERY_SECS", "1"),
        ("HALLKEEPER__TELEMETRY__OTLP_HEADERS__X-KEY", "k1"),
    ];
    let server = Server::start_with(&settings, &[]).await;
    with_calls(&server).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("traceparent", parent.as_str())];
    let admin = server.admin();
    admin
        .send(Method::GET, "/channels/sms", None, &headers)
        .await
        .expect(200);
    let (mut metrics, mut span) = (None, None);
    while metrics.is_none() || span.is_none() {
        let (path, key, body) = taken.recv_timeout(PATIENCE).expect("something sent");
        assert_eq!(key, "k1");
        let resource = |of: &Value| attributes(&of["resource"]);
        match path.as_str() {
            "/v1/metrics" => {
                let of = &body["resourceMetrics"][0];
                assert_eq!(resource(of)["service.name"], "hallkeeper");
                // One that was gathered before the calls were counted says nothing of them.
                metrics = Some(of["scopeMetrics"][0]["metrics"].clone()).filter(counts_all);
            }
            "/v1/traces" => {
                let of = &body["resourceSpans"][0];
                assert_eq!(resource(of)["service.name"], "hallkeeper");
                let spans = list(&of["scopeSpans"][0]["spans"]);
                span = spans
                    .iter()
                    .find(|one| one["traceId"] == trace)
                    .cloned()
                    .or(span);
            }
            other => panic!("sent to {other}"),
        }
    }
    let (metrics, span) = (metrics.unwrap(), span.unwrap());
    let metric = |name: &str| {
        list(&metrics)
            .iter()
            .find(|one| one["name"] == name)
            .unwrap()
            .clone()
    };
    let calls = metric("hallkeeper_channel_calls_total");
    assert_eq!(calls["sum"]["isMonotonic"], true);
    assert_eq!(calls["sum"]["aggregationTemporality"], 2);
    let failed = list(&calls["sum"]["dataPoints"]).iter().find(|point| {
        let of = attributes(point);
        (of["channel"].as_str(), of["result"].as_str()) == ("sms", "failed")
    });
    assert_eq!(failed.unwrap()["asDouble"], 1.0);
    let times = metric("hallkeeper_channel_call_duration_seconds");
    let times = list(&times["histogram"]["dataPoints"]).iter();
    let times = times
        .clone()
        .find(|point| attributes(point)["channel"] == "sms")
        .unwrap();
    assert_eq!(times["count"], "3");
    assert_eq!(
        list(&times["bucketCounts"]).len(),
        list(&times["explicitBounds"]).len() + 1
    );
    assert!(metric("hallkeeper_halls")["gauge"].is_object());
    assert_eq!(
        (&span["parentSpanId"], &span["kind"]),
        (&json!("00f067aa0ba902b7"), &json!(2))
    );
    assert_eq!(span["name"], "GET /api/v1/channels/{channel}");
    assert_eq!(attributes(&span)["http.response.status_code"], "200");
    let nanos = |name: &str| text(&span[name]).parse::<u64>().unwrap();
    assert!(nanos("startTimeUnixNano") < nanos("endTimeUnixNano"));
    assert_eq!(number(&json!(text(&span["spanId"]).len())), 16);
}
