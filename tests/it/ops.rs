//! What those see who keep everything going: what is broken, every channel in a line, one channel.

use awc::http::Method;
use serde_json::{Value, json};

use crate::harness::{Client, Live, PATIENCE, Server, list, number, text};

/// A channel with its hall, its group, and how many calls succeeded and then failed.
pub async fn channel(admin: &Client, id: &str, hall: Option<&str>, group: &str, calls: (u32, u32)) {
    let setup = json!({
        "name": {"zh": format!("接口{id}"), "en": format!("Interface {id}")}, "provider": "ministry",
        "direction": "outbound", "hall": hall, "group": group,
    });
    admin
        .put(&format!("/channels/{id}"), setup)
        .await
        .expect(200);
    let (ok, failed) = calls;
    let calls: Vec<Value> = (0..ok + failed)
        .map(|n| {
            json!({
                "id": format!("c{n}"), "caller": if n % 2 == 0 { "A" } else { "B" }, "at": at_now(), "version": "1",
                "duration_ms": 20 + n, "status": if n < ok { 200 } else { 502 }, "trace_id": format!("t-{n}"),
                "request": {"path": format!("/items/{n}"), "phone": "13812345678"}, "response": {"code": n},
            })
        })
        .collect();
    if !calls.is_empty() {
        let path = format!("/channels/{id}/calls");
        admin.post(&path, json!(calls)).await.expect(201);
    }
}

pub fn at_now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = i64::try_from(now.unwrap().as_millis()).unwrap();
    rules::Timestamp::from_millis(millis).rfc3339_utc()
}

/// Once the view fits.
async fn view(who: &Client, fits: impl Fn(&Value) -> bool) -> Value {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let view = who.get("/ops").await.expect(200);
        if fits(&view) {
            return view;
        }
        assert!(std::time::Instant::now() < until, "{view}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

fn ids(items: &Value) -> Vec<&str> {
    list(items).iter().map(|one| text(&one["id"])).collect()
}

/// AC-F03-1: of eight interfaces one is down and one degraded: 6/1/1, and the group is down.
#[actix_web::test]
async fn what_is_broken_comes_first_and_only_from_within_ones_halls() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    for n in 0..6 {
        channel(&admin, &format!("m{n}"), None, "ministry", (3, 0)).await;
    }
    channel(&admin, "slow", Some("H1"), "ministry", (28, 2)).await;
    channel(&admin, "dead", None, "ministry", (0, 5)).await;
    let fits = |view: &Value| !view["vitals"].is_null() && list(&view["broken"]).len() >= 2;
    let all = view(&admin, fits).await;
    let channels: Vec<&Value> = list(&all["broken"])
        .iter()
        .filter(|one| one["kind"] == "channel")
        .collect();
    assert_eq!(
        (&channels[0]["id"], &channels[0]["state"]),
        (&json!("dead"), &json!("down"))
    );
    assert_eq!(channels[0]["severity"], "critical");
    assert_eq!(channels[0]["detail"]["failures"], 5);
    assert_eq!(
        (&channels[1]["id"], &channels[1]["severity"]),
        (&json!("slow"), &json!("warning"))
    );
    let group = &all["channels"]["groups"]["ministry"];
    assert_eq!(
        (
            number(&group["healthy"]),
            number(&group["degraded"]),
            number(&group["down"])
        ),
        (6, 1, 1)
    );
    assert_eq!(group["health"], "down");
    let vitals = &all["vitals"];
    assert_eq!(
        (&vitals["bus"], &vitals["database"]["kind"]),
        (&json!("in_process"), &json!("sqlite"))
    );
    assert!(
        vitals["database"]["round_trip_ms"].as_f64() > Some(0.0),
        "{vitals}"
    );
    assert!(
        vitals["disk"]["data_bytes"].as_f64() > Some(10_000.0),
        "{vitals}"
    );
    let kinds: Vec<&str> = list(&vitals["actors"])
        .iter()
        .map(|one| text(&one["kind"]))
        .collect();
    assert!(
        ["hall", "window", "channel", "alert_desk"]
            .iter()
            .all(|kind| kinds.contains(kind)),
        "{kinds:?}"
    );
    assert!(
        list(&vitals["actors"]).iter().all(|one| one["silent"] == 0),
        "{vitals}"
    );
    let local = server.person("li", "engineer", &["H1"]).await;
    let own = view(&local, |view| !list(&view["broken"]).is_empty()).await;
    assert_eq!(ids(&own["broken"]), ["slow"]);
    assert!(own["vitals"].is_null(), "{own}");
    assert_eq!(number(&own["channels"]["all"]["down"]), 0);
}

/// A device that lost a function is broken until it says that all is well again.
#[actix_web::test]
async fn a_kiosk_without_paper_is_broken_until_it_has_some() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let kiosk = server.device("k1", "kiosk", "H1").await;
    let report = |faults: Value| json!({"build": "old", "faults": faults});
    let faults = json!([{"function": "print", "code": "paper_out"}]);
    kiosk
        .post("/device/report", report(faults))
        .await
        .expect(200);
    let of_device = |view: &Value| list(&view["broken"]).iter().any(|one| one["id"] == "k1");
    let found = view(&admin, of_device).await;
    let broken = list(&found["broken"])
        .iter()
        .find(|one| one["id"] == "k1")
        .unwrap();
    assert_eq!(
        (&broken["state"], &broken["detail"]["function"]),
        (&json!("paper_out"), &json!("print"))
    );
    assert_eq!(
        (
            number(&found["devices"]["faulty"]),
            number(&found["devices"]["old_build"])
        ),
        (1, 1)
    );
    kiosk
        .post("/device/report", report(json!([])))
        .await
        .expect(200);
    let well = view(&admin, |view| !of_device(view)).await;
    assert_eq!(
        (
            number(&well["devices"]["states"]["online"]),
            number(&well["devices"]["faulty"])
        ),
        (1, 0)
    );
}

/// A list of channels as a page keeps it.
fn folded(frames: &[Value]) -> std::collections::BTreeMap<String, Value> {
    let mut all = std::collections::BTreeMap::new();
    for frame in frames {
        if frame["kind"] == "snapshot" {
            all.clear();
        }
        for one in list(&frame["data"]["items"]) {
            all.insert(text(&one["id"]).to_owned(), one.clone());
        }
    }
    all
}

fn health<'a>(frame: &'a Value, id: &str) -> Option<&'a str> {
    let rows = list(&frame["data"]["items"]);
    rows.iter()
        .find(|one| one["id"] == id)
        .map(|one| text(&one["health"]))
}

/// A channel turns in front of whoever follows the list; its own topic tells its last calls.
#[actix_web::test]
async fn a_channel_that_goes_down_is_told_at_once_with_its_last_calls() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    channel(&admin, "sms", None, "city", (4, 0)).await;
    channel(&admin, "mail", Some("H1"), "city", (4, 0)).await;
    let mut feed = admin
        .live(&["channels", "ops", "channel.sms"], json!({}))
        .await;
    let mut frames = Vec::new();
    let counted = |frames: &[Value]| {
        let rows = folded(frames);
        ["sms", "mail"]
            .iter()
            .all(|id| rows.get(*id).is_some_and(|row| row["calls"] == 4))
    };
    while !counted(&frames) {
        frames.push(feed.frame("channels").await);
    }
    assert_eq!(folded(&frames)["sms"]["health"], "healthy");
    let fails: Vec<Value> = (0..5)
        .map(|n| json!({"id": format!("f{n}"), "caller": "A", "at": at_now(), "status": 503, "trace_id": "t-last"}))
        .collect();
    admin
        .post("/channels/sms/calls", json!(fails))
        .await
        .expect(201);
    let down = feed
        .frames_until("channels", |frame| health(frame, "sms") == Some("down"))
        .await;
    frames.extend(down);
    // A rate changes with the clock alone, so others may be told as well: never what they were.
    for at in 1..frames.len() {
        let before = folded(&frames[..at]);
        for row in list(&frames[at]["data"]["items"]) {
            let known = before.get(text(&row["id"]));
            let delta = frames[at]["kind"] == "delta";
            assert!(!delta || known != Some(row), "told again: {row}");
        }
    }
    let last = frames.last().unwrap();
    assert_eq!(number(&last["data"]["sums"]["groups"]["city"]["down"]), 1);
    let told = |frame: &Value| {
        list(&frame["data"]["last_calls"])
            .first()
            .is_some_and(|call| call["trace_id"] == "t-last")
    };
    let own = feed.frames_until("channel.sms", told).await;
    let data = &own.last().unwrap()["data"];
    assert_eq!(
        (&data["health"], list(&data["figures"]).len()),
        (&json!("down"), 4)
    );
    assert!(
        data["last_calls"][0]["request"].is_null(),
        "no bodies in the feed"
    );
    assert_eq!(number(&data["by_version"]["1"]["calls"]), 4);
    let broken = |frame: &Value| {
        list(&frame["data"]["broken"])
            .iter()
            .any(|one| one["id"] == "sms")
    };
    feed.frames_until("ops", broken).await;
    let mut hall = admin.live(&["channels.H1", "ops.H1"], json!({})).await;
    let own = hall
        .frames_until("channels.H1", |frame| {
            !list(&frame["data"]["items"]).is_empty()
        })
        .await;
    assert_eq!(folded(&own).into_keys().collect::<Vec<_>>(), ["mail"]);
    assert!(hall.frame("ops.H1").await["data"]["vitals"].is_null());
}

async fn refused(feed: &mut Live, topic: &str) -> String {
    feed.say(&json!({"subscribe": [topic]})).await;
    let message = feed
        .find(|message| message["topic"] == topic && message["kind"] == "error")
        .await;
    text(&message["code"]).to_owned()
}

/// Topics of channels are for those who keep them, and of their own halls.
#[actix_web::test]
async fn topics_of_operations_are_for_engineers_of_the_hall() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    server.hall("H2", 1).await;
    channel(&admin, "city", None, "g", (0, 0)).await;
    channel(&admin, "own", Some("H1"), "g", (0, 0)).await;
    let local = server.person("li", "engineer", &["H1"]).await;
    let manager = server.person("wu", "manager", &["*"]).await;
    // Each on a feed of its own: waiting for one topic passes over the frames of others.
    for topic in ["ops.H1", "channels.H1", "channel.own"] {
        let mut feed = local.live(&[topic], json!({})).await;
        assert_eq!(feed.frame(topic).await["kind"], "snapshot", "{topic}");
    }
    let mut feed = local.live(&[], json!({})).await;
    for topic in ["ops", "channels", "ops.H2", "channels.H2", "channel.city"] {
        assert_eq!(refused(&mut feed, topic).await, "forbidden", "{topic}");
    }
    for topic in ["channel.none", "channel.", "ops.", "channels.a b"] {
        let code = refused(&mut feed, topic).await;
        assert!(
            ["unknown_topic", "forbidden"].contains(&code.as_str()),
            "{topic} {code}"
        );
    }
    let mut feed = manager.live(&[], json!({})).await;
    for topic in ["ops", "channels", "ops.H1", "channels.H1", "channel.own"] {
        assert_eq!(refused(&mut feed, topic).await, "forbidden", "{topic}");
    }
}

/// So many calls by one caller, made so many hours ago, all within one hour of the clock.
fn hour_of_calls(
    now: rules::Timestamp,
    (caller, hours_ago): (&str, i64),
    count: u64,
    refused: u64,
) -> Vec<Value> {
    let now = now.millis();
    let hour = now - now.rem_euclid(3_600_000) - hours_ago * 3_600_000;
    let one = |n: u64| {
        let at = rules::Timestamp::from_millis(hour + n as i64 * 1000).rfc3339_utc();
        let mut call = json!({"id": format!("{caller}-{hours_ago}-{n}"), "caller": caller, "at": at, "version": "2", "status": 200,
            "duration_ms": 40, "request": {"path": format!("/cases/{n}")}});
        if n < refused {
            call["result"] = json!("refused");
            call["reason"] = json!("wrong_key");
            call["status"] = json!(403);
        }
        call
    };
    (0..count).map(one).collect()
}

/// F02, usage analysis: by caller, hour, version and path, and who may be abusing the interface, with the reason.
#[actix_web::test]
async fn the_use_of_channels_is_told_by_caller_hour_version_and_path_with_suspects() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    channel(&admin, "sms", None, "g", (0, 0)).await;
    channel(&admin, "own", Some("H1"), "g", (0, 0)).await;
    let now = rules::Timestamp::parse_rfc3339(&at_now()).unwrap();
    let mut calls: Vec<Value> = (2..6)
        .flat_map(|hour| hour_of_calls(now, ("batch", hour), 10, 0))
        .collect();
    calls.extend(hour_of_calls(now, ("batch", 8), 120, 0));
    calls.extend(hour_of_calls(now, ("denied", 3), 30, 25));
    admin
        .post("/channels/sms/calls", json!(calls))
        .await
        .expect(201);
    let own = hour_of_calls(now, ("local", 2), 5, 0);
    admin
        .post("/channels/own/calls", json!(own))
        .await
        .expect(201);

    let use_of = |who: &Client, query: &str| {
        let (who, path) = (who.clone(), format!("/channels/usage?{query}"));
        async move { who.get(&path).await.expect(200) }
    };
    let by_caller = use_of(&admin, "by=caller").await;
    let line = |answer: &Value| -> Vec<(String, u64, u64)> {
        let items = list(&answer["items"]).iter();
        items
            .map(|one| {
                (
                    text(&one["key"]).to_owned(),
                    number(&one["calls"]),
                    number(&one["refused"]),
                )
            })
            .collect()
    };
    assert_eq!(
        line(&by_caller),
        [
            ("batch".to_owned(), 160, 0),
            ("denied".to_owned(), 5, 25),
            ("local".to_owned(), 5, 0)
        ]
    );
    let suspects: Vec<(&str, &str)> = list(&by_caller["suspects"])
        .iter()
        .map(|one| (text(&one["caller"]), text(&one["reasons"][0]["why"])))
        .collect();
    assert_eq!(
        suspects,
        [("batch", "far_above_usual"), ("denied", "often_refused")]
    );
    let batch = &by_caller["suspects"][0]["reasons"][0];
    assert_eq!(
        (
            number(&batch["asked"]),
            batch["usual"].as_f64(),
            batch["times"].as_f64()
        ),
        (120, Some(10.0), Some(12.0))
    );
    let denied = &by_caller["suspects"][1]["reasons"][0];
    assert_eq!(
        (number(&denied["asked"]), number(&denied["refused"])),
        (30, 25)
    );

    let by_hour = use_of(&admin, "by=hour&channel=sms").await;
    let cells = list(&by_hour["items"]);
    assert_eq!(cells.len(), 168);
    let calls: u64 = cells.iter().map(|cell| number(&cell["calls"])).sum();
    let refused: u64 = cells.iter().map(|cell| number(&cell["refused"])).sum();
    assert_eq!((calls, refused), (165, 25));
    let busiest = cells
        .iter()
        .max_by_key(|cell| number(&cell["calls"]))
        .unwrap();
    assert_eq!(number(&busiest["calls"]), 120);
    let zone = rules::time::TimeZone::SHANGHAI;
    let hour = chrono::Timelike::hour(&zone.moment(now.minus_secs(8 * 3600)));
    assert_eq!(number(&busiest["hour"]), u64::from(hour));

    assert_eq!(
        line(&use_of(&admin, "by=version").await),
        [("2".to_owned(), 170, 25)]
    );
    assert_eq!(
        line(&use_of(&admin, "by=path").await),
        [("/cases/{n}".to_owned(), 170, 25)]
    );
    let early = format!("by=caller&until={}", now.minus_secs(7 * 3600).rfc3339_utc());
    assert_eq!(
        line(&use_of(&admin, &early).await),
        [("batch".to_owned(), 120, 0)]
    );
    let local = server.person("li", "engineer", &["H1"]).await;
    assert_eq!(
        line(&use_of(&local, "by=caller").await),
        [("local".to_owned(), 5, 0)]
    );
    local
        .get("/channels/usage?channel=sms")
        .await
        .refused(403, "forbidden");
    for bad in [
        "by=nothing",
        "from=2020-01-01T00:00:00Z",
        "from=tomorrow",
        "until=2020-01-01T00:00:00Z&from=2021-01-01T00:00:00Z",
    ] {
        admin
            .get(&format!("/channels/usage?{bad}"))
            .await
            .refused(422, "invalid_field");
    }
    admin
        .put("/channels/usage", json!({}))
        .await
        .refused(422, "invalid_field");
}

/// A chart is drawn by the server, says what it shows, and is not sent again while it is the same.
#[actix_web::test]
async fn a_chart_is_a_picture_that_says_what_it_shows() {
    let server = Server::start().await;
    let admin = server.admin();
    channel(&admin, "sms", None, "g", (7, 3)).await;
    let ask = |path: &str, known: Option<String>| {
        let (admin, path) = (admin.clone(), format!("/channels/sms/charts/{path}"));
        async move {
            let known: Vec<(&str, &str)> = known
                .iter()
                .map(|tag| ("if-none-match", tag.as_str()))
                .collect();
            admin.send(Method::GET, &path, None, &known).await
        }
    };
    let first = ask("calls.svg?window=day&lang=en", None).await;
    assert_eq!(first.header("content-type"), Some("image/svg+xml"));
    let drawn = first.text.clone();
    assert!(
        drawn.contains("<desc>10 calls, 3 failed, 0 refused</desc>"),
        "{drawn}"
    );
    for path in [
        "times.svg?window=hour",
        "distribution.svg?window=five_minutes&theme=dark",
    ] {
        let answer = ask(path, None).await;
        assert!(
            answer.text.starts_with("<svg") && answer.text.contains("<title>响应时间"),
            "{path}"
        );
    }
    for path in [
        "nothing.svg",
        "calls.svg?window=year",
        "calls.svg?theme=pink",
    ] {
        ask(path, None).await.refused(422, "invalid_field");
    }
    admin
        .get("/channels/none/charts/calls.svg")
        .await
        .refused(404, "unknown_channel");
    // The picture is of the last ten seconds: sooner or later two fall into the same ones.
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let one = ask("calls.svg", None).await;
        let tag = one.header("etag").expect("a tag").to_owned();
        if ask("calls.svg", Some(tag)).await.status == 304 {
            break;
        }
        assert!(std::time::Instant::now() < until, "never the same");
    }
}
