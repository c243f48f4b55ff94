//! What screens show: A02, A04.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{FULL_NAME, ID_CARD, PHONE, assert_adds_up, holder};
use crate::harness::{Client, PATIENCE, Server, list, number, text};

/// A call is on the screens after so long at most.
const REALTIME: Duration = Duration::from_secs(1);

/// AC-A02-2
#[actix_web::test]
async fn a_call_lights_the_strip_of_its_own_window_and_no_other() {
    let server = Server::start().await;
    let admin = server.hall("H1", 2).await;
    let series = json!({"name": "咨询", "prefix": "A", "first": 17});
    admin.put("/halls/H1/services/S3", series).await.expect(200);
    for window in ["1", "2"] {
        let plan = json!({"services": ["S1", "S2", "S3"]});
        admin
            .put(&format!("/halls/H1/windows/{window}"), plan)
            .await
            .expect(200);
    }
    admin.open_windows("H1", &["1", "2"]).await;
    admin.issue("H1", "S3").await;
    let screen = server.device("strip", "screen", "H1").await;
    let mut own = screen.live(&["window.H1.2"], json!({})).await;
    let mut other = screen.live(&["window.H1.1"], json!({})).await;
    own.frame("window.H1.2").await;
    other.frame("window.H1.1").await;

    admin.window("H1", "2", "call-next", json!({})).await;
    let asked = Instant::now();
    let shown = own.frame("window.H1.2").await;
    assert!(asked.elapsed() < REALTIME, "{:?}", asked.elapsed());
    assert_eq!(shown["data"]["ticket"]["number"], "A017");
    assert_eq!(shown["data"]["state"], "calling");
    // The other strip's next frame is of its own doing.
    admin.window("H1", "1", "pause", json!({})).await;
    let quiet = other.frame("window.H1.1").await;
    assert_eq!(quiet["data"]["state"], "paused");
    assert!(quiet["data"]["ticket"].is_null(), "{quiet}");
}

/// AC-A04-1
#[actix_web::test]
async fn a_call_is_on_the_wall_within_a_second_and_no_public_frame_names_a_person() {
    let server = Server::start().await;
    let admin = server.hall("H1", 3).await;
    let policy = json!({"no_show_after_calls": 1});
    admin.put("/halls/H1/policy", policy).await.expect(200);
    let screen = server.device("wall", "screen", "H1").await;
    let mut wall = screen.live(&["hall.H1"], json!({})).await;
    let snapshot = wall.frame("hall.H1").await;
    assert_eq!(snapshot["data"]["services"]["S1"]["name"]["zh"], "社保");
    let topics = [
        "hall.H1",
        "queue.H1.S1",
        "queue.H1.S2",
        "window.H1.3",
        "city",
        "voice.H1.-",
        "device.wall",
    ];
    let mut everything = admin.live(&topics, json!({})).await;

    admin.open_windows("H1", &["3"]).await;
    let wish = json!({"service": "S1", "holder": holder(), "tags": ["elderly"]});
    let issued = admin
        .post("/halls/H1/tickets", wish.clone())
        .await
        .expect(201);
    let topic = format!("ticket.{}", text(&issued["token"]));
    everything.say(&json!({"subscribe": [topic]})).await;
    admin.window("H1", "3", "call-next", json!({})).await;
    let asked = Instant::now();
    let frames = wall
        .frames_until("hall.H1", |frame| !frame["data"]["call"].is_null())
        .await;
    assert!(asked.elapsed() < REALTIME, "{:?}", asked.elapsed());
    let call = &frames.last().unwrap()["data"]["call"];
    assert_eq!(
        (
            &call["number"],
            &call["window"],
            &call["service"],
            &call["kind"]
        ),
        (&json!("B001"), &json!("3"), &json!("S1"), &json!("call"))
    );

    // The rest of a ticket's life, and what else may be told of it.
    admin.window("H1", "3", "recall", json!({})).await;
    admin.get("/halls/H1/windows/3/holder").await.expect(200);
    admin.window("H1", "3", "start", json!({})).await;
    admin.window("H1", "3", "hold", json!({})).await;
    let which = json!({"ticket": issued["id"]});
    admin.window("H1", "3", "resume-ticket", which).await;
    admin
        .window("H1", "3", "transfer", json!({"service": "S2"}))
        .await;
    admin.serve_next("H1", "3").await;
    let rating = format!("/tickets/{}/rating", text(&issued["token"]));
    let words = json!({"stars": 5, "text": format!("谢谢 {FULL_NAME}")});
    server.visitor().post(&rating, words).await.expect(200);
    admin
        .post("/halls/H1/tickets", wish.clone())
        .await
        .expect(201);
    admin.window("H1", "3", "call-next", json!({})).await;
    admin.window("H1", "3", "no-show", json!({})).await;
    let cancelled = admin.post("/halls/H1/tickets", wish).await.expect(201);
    let cancel = format!("/halls/H1/tickets/{}/cancel", cancelled["id"]);
    admin.post(&cancel, json!({})).await.expect(200);

    // All that was sent, until both feeds know of the last step.
    let end = admin.get("/halls/H1").await.expect(200)["seq"].clone();
    let mut seen = wall.frames_to("hall.H1", &end).await;
    seen.extend(everything.frames_to("hall.H1", &end).await);
    for topic in topics.iter().copied().chain([topic.as_str()]) {
        let mut other = admin.live(&[topic], json!({})).await;
        seen.push(other.frame(topic).await);
    }
    let public = server
        .visitor()
        .get(&format!("/tickets/{}", text(&issued["token"])))
        .await;
    seen.push(public.expect(200));
    for place in ["", "/voice/-", "/windows/3/strip.json?size=128x16"] {
        let shown = screen.get(&format!("/halls/H1{place}")).await;
        seen.push(shown.expect(200));
    }
    let parts = [
        ID_CARD, "110*", FULL_NAME, "张*", PHONE, "138*", "id_card", "elderly",
    ];
    for frame in &seen {
        let frame = frame.to_string();
        for part in parts {
            assert!(!frame.contains(part), "{part} in {frame}");
        }
    }
}

/// AC-A04-2
#[actix_web::test]
async fn a_screen_that_was_away_gets_exactly_what_it_missed_in_order() {
    let server = Server::start().await;
    let admin = server.hall("H1", 3).await;
    admin.open_windows("H1", &["1", "2", "3"]).await;
    let series = json!({"name": "社保", "prefix": "B", "first": 2});
    admin.put("/halls/H1/services/S1", series).await.expect(200);
    let mut last = json!(null);
    for _ in 0..3 {
        last = admin.issue("H1", "S1").await;
    }
    let screen = server.device("board", "screen", "H1").await;
    let mut board = screen.live(&["hall.H1"], json!({})).await;
    board.frames_to("hall.H1", &last["seq"]).await;
    let last_seen = number(&last["seq"]);
    drop(board);
    for window in ["1", "2", "3"] {
        admin.window("H1", window, "call-next", json!({})).await;
    }
    let mut board = screen
        .live(&["hall.H1"], json!({"hall.H1": last_seen}))
        .await;
    let mut calls = Vec::new();
    for seq in last_seen + 1..=last_seen + 3 {
        let frame = board.frame("hall.H1").await;
        assert_eq!(
            (&frame["kind"], number(&frame["seq"])),
            (&json!("delta"), seq)
        );
        calls.push(text(&frame["data"]["call"]["number"]).to_owned());
    }
    assert_eq!(calls, ["B002", "B003", "B004"]);
}

/// AC-A04-3
#[actix_web::test]
async fn eight_ahead_at_six_minutes_wait_24_with_two_windows_and_48_with_one() {
    let server = Server::start().await;
    let admin = server.hall("H1", 2).await;
    let service = json!({"name": "社保", "prefix": "B", "avg_service_secs": 360});
    admin
        .put("/halls/H1/services/S1", service)
        .await
        .expect(200);
    admin.open_windows("H1", &["1", "2"]).await;
    for _ in 0..8 {
        admin.issue("H1", "S1").await;
    }
    let mut queue = admin.live(&["queue.H1.S1"], json!({})).await;
    let ninth = admin.issue("H1", "S1").await;
    assert_eq!(ninth["ahead"], 8);
    assert_eq!(ninth["estimate"]["p50_secs"], 24 * 60);
    let phone = format!("/tickets/{}", text(&ninth["token"]));
    let view = server.visitor().get(&phone).await.expect(200);
    assert_eq!(view["estimate"]["p50_secs"], 24 * 60);
    admin.window("H1", "2", "pause", json!({})).await;
    let kept = admin
        .get(&format!("/halls/H1/tickets/{}", ninth["id"]))
        .await
        .expect(200);
    assert_eq!(kept["estimate"]["p50_secs"], 48 * 60);
    assert!(number(&kept["estimate"]["p80_secs"]) > 48 * 60);
    let view = server.visitor().get(&phone).await.expect(200);
    assert_eq!(view["estimate"]["p50_secs"], 48 * 60);
    // On the board: nine wait, so a tenth would wait 54 min.
    let shown = |frame: &Value| frame["data"]["windows_open"] == 1;
    let frames = queue.frames_until("queue.H1.S1", shown).await;
    let data = &frames.last().unwrap()["data"];
    assert_eq!(
        (&data["waiting"], &data["estimate"]["p50_secs"]),
        (&json!(9), &json!(54 * 60))
    );
    admin.window("H1", "2", "resume", json!({})).await;
    for window in ["1", "2"] {
        admin.window("H1", window, "close", json!({})).await;
    }
    let view = server.visitor().get(&phone).await.expect(200);
    assert!(
        view["estimate"].is_null(),
        "nobody can say when no window is open: {view}"
    );
}

/// AC-A04-4
#[actix_web::test]
async fn the_figures_of_320_tickets_add_up_on_the_screen_in_the_interface_and_the_database() {
    let server = Server::start().await;
    let admin = server.hall("H1", 25).await;
    let policy = json!({"no_show_after_calls": 1});
    admin.put("/halls/H1/policy", policy).await.expect(200);
    let mut screen = admin.live(&["hall.H1", "city"], json!({})).await;
    join_all((0..8).map(|_| async {
        for _ in 0..40 {
            admin.issue("H1", "S1").await;
        }
    }))
    .await;
    let to_cancel: Vec<Value> = admin
        .get("/halls/H1/tickets?limit=10&sort=-number")
        .await
        .expect(200)["items"]
        .as_array()
        .unwrap()
        .clone();
    let cancel = |ticket: &Value| {
        let path = format!("/halls/H1/tickets/{}/cancel", ticket["id"]);
        let admin = admin.clone();
        async move { admin.post(&path, json!({})).await.expect(200) }
    };
    join_all(to_cancel.iter().map(cancel)).await;
    // 230 are completed, 15 missed, 20 served and 5 called: 25 windows share them.
    join_all((1..=25_usize).map(|n| at_one_window(&admin, n))).await;

    let expected = json!({
        "issued": 320, "waiting": 40, "called": 5, "serving": 20, "held": 0, "completed": 230,
        "missed": 15, "cancelled": 10, "expired": 0,
    });
    let in_database = admin.get("/halls/H1/figures").await.expect(200);
    assert_eq!(in_database["figures"], expected);
    assert_eq!(
        in_database["by_service"],
        json!([{"service": "S1", "figures": expected}])
    );
    let hall = admin.get("/halls/H1").await.expect(200);
    assert_eq!(hall["figures"], expected);
    let city = admin.get("/halls").await.expect(200);
    assert_eq!(
        (&city["totals"], &city["halls"][0]["figures"]),
        (&expected, &expected)
    );
    let metrics = admin.get("/metrics").await.text;
    assert!(
        metrics.contains("hallkeeper_tickets{hall=\"H1\",state=\"completed\"} 230"),
        "{metrics}"
    );
    for (state, count) in [("waiting", 40), ("missed", 15), ("cancelled", 10)] {
        let listed = admin
            .get(&format!("/halls/H1/tickets?state={state}&limit=1"))
            .await;
        assert_eq!(listed.expect(200)["total"], count, "{state}");
    }
    let mut last = 0;
    let mut in_city = false;
    let deadline = Instant::now() + PATIENCE;
    while last < number(&hall["seq"]) || !in_city {
        assert!(Instant::now() < deadline, "the screen is behind");
        let frame = screen.next().await.expect("a frame");
        if frame["topic"] == "hall.H1" {
            assert_adds_up(&frame["data"]["figures"]);
            last = number(&frame["seq"]);
            if last == number(&hall["seq"]) {
                assert_eq!(frame["data"]["figures"], expected);
            }
        } else if frame["topic"] == "city" {
            assert_adds_up(&frame["data"]["totals"]);
            in_city = frame["data"]["totals"] == expected;
        }
    }
}

/// Window `n` of 25: missed at the first 15, ten completed at the first five and nine at the
/// others, and then five call and twenty serve.
async fn at_one_window(admin: &Client, n: usize) {
    let window = n.to_string();
    let run = async |verb: &str| admin.window("H1", &window, verb, json!({})).await;
    run("open").await;
    if n <= 15 {
        run("call-next").await;
        run("no-show").await;
    }
    for _ in 0..if n <= 5 { 10 } else { 9 } {
        admin.serve_next("H1", &window).await;
    }
    run("call-next").await;
    if n > 5 {
        run("start").await;
    }
}

/// A04: what a board shows after a while is the newest calls first.
#[actix_web::test]
async fn a_board_lists_the_latest_calls_first_and_tells_recalls_from_calls() {
    let server = Server::start().await;
    let admin = server.hall("H1", 2).await;
    admin.open_windows("H1", &["1", "2"]).await;
    for _ in 0..2 {
        admin.issue("H1", "S1").await;
    }
    admin.window("H1", "1", "call-next", json!({})).await;
    admin.window("H1", "2", "call-next", json!({})).await;
    admin.window("H1", "1", "recall", json!({})).await;
    let hall = admin.get("/halls/H1").await.expect(200);
    let calls: Vec<(&str, &str, &str, u64)> = list(&hall["calls"])
        .iter()
        .map(|call| {
            let calls = number(&call["calls"]);
            (
                text(&call["number"]),
                text(&call["window"]),
                text(&call["kind"]),
                calls,
            )
        })
        .collect();
    assert_eq!(
        calls,
        [("B001", "1", "recall", 2), ("B002", "2", "call", 1)]
    );
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// What the staff says over the screens is in the next frame, is null when it is taken down or its
/// time is over, outlives a restart, and leaves a row in the audit.
#[actix_web::test]
async fn a_notice_reaches_every_screen_of_the_hall_and_goes_when_its_time_is_over() {
    let mut server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let supervisor = server.person("sun", "supervisor", &["H1"]).await;
    let screen = server.device("wall", "screen", "H1").await;
    let mut wall = screen.live(&["hall.H1"], json!({})).await;
    let snapshot = wall.frame("hall.H1").await;
    assert!(snapshot["data"]["notice"].is_null(), "{snapshot}");
    assert_eq!(snapshot["data"]["hours"], json!({}));

    let words = json!({"zh": "请有序离场", "en": "Please leave calmly"});
    let emergency = json!({"level": "emergency", "text": words});
    let path = "/halls/H1/notice";
    let posted = supervisor.put(path, emergency).await.expect(200);
    assert_eq!(posted["notice"]["level"], "emergency");
    let asked = Instant::now();
    let shown = wall.frame("hall.H1").await;
    assert!(asked.elapsed() < REALTIME, "{:?}", asked.elapsed());
    assert_eq!(shown["data"]["notice"]["text"], words);
    assert_eq!(shown["data"]["notice"]["until"], Value::Null);

    server.restart();
    let admin = Client::new(&server.base, admin.token.clone());
    let kept = admin.get(path).await.expect(200);
    assert_eq!(kept["notice"]["text"], words);

    let mut wall = admin.live(&["hall.H1"], json!({})).await;
    wall.frame("hall.H1").await;
    admin.delete(path).await.expect(200);
    let gone = wall.frame("hall.H1").await;
    assert!(
        gone["data"].as_object().unwrap().contains_key("notice")
            && gone["data"]["notice"].is_null(),
        "{gone}"
    );
    admin.delete(path).await.refused(409, "no_notice");

    let soon = now_ms() + 3000;
    let until = rules::Timestamp::from_millis(soon).rfc3339_utc();
    let short = json!({"level": "notice", "text": "增开9号窗口", "until": until});
    admin.put(path, short).await.expect(200);
    let frames = wall
        .frames_until("hall.H1", |frame| {
            frame["data"]["event"] == "notice_cleared"
        })
        .await;
    assert_eq!(frames.len(), 2, "{frames:?}");
    assert!(now_ms() >= soon);

    let audit = admin.get("/audit").await.expect(200);
    let done: Vec<&str> = list(&audit["items"])
        .iter()
        .map(|row| text(&row["action"]))
        .filter(|action| action.starts_with("notice_"))
        .collect();
    assert_eq!(done, ["notice_set", "notice_cleared", "notice_set"]);
}

/// A notice or hours that cannot be are refused by name, and nothing is changed.
#[actix_web::test]
async fn a_bad_notice_and_bad_hours_are_refused_with_the_field() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let good = json!({"level": "notice", "text": "x"});
    for (field, value) in [
        ("level", json!("loud")),
        ("text", json!("")),
        ("text", json!({"zh": "好", "en": "x".repeat(201)})),
        ("until", json!("tomorrow")),
        ("until", json!("2020-01-01T00:00:00Z")),
        ("until", json!("2999-01-01T00:00:00Z")),
    ] {
        let mut notice = good.clone();
        notice[field] = value;
        let said = admin.put("/halls/H1/notice", notice).await;
        let said = said.refused(422, "invalid_field");
        assert!(text(&said["field"]).starts_with(field), "{said}");
    }
    assert!(admin.get("/halls/H1/notice").await.expect(200)["notice"].is_null());
    let hours = json!({"mon": [{"from": "13:30", "to": "09:00"}]});
    let said = admin
        .put("/halls/H1", json!({"options": {"hours": hours}}))
        .await
        .refused(422, "invalid_field");
    assert_eq!(said["field"], "options.hours.mon");
    let hours =
        json!({"mon": [{"from": "09:00", "to": "12:00"}, {"from": "13:30", "to": "17:00"}]});
    let changed = admin
        .put("/halls/H1", json!({"options": {"hours": hours}}))
        .await
        .expect(200);
    assert_eq!(changed["hours"], hours);
}

/// Without a token nobody sees anything; of a hall that shows its board to everybody one sees the
/// board and its queues, and nothing else.
#[actix_web::test]
async fn a_public_board_shows_everybody_the_calls_and_nothing_besides() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    server.hall("H2", 1).await;
    let visitor = server.visitor();
    let door = "/ws?board=H1";
    assert_eq!(visitor.socket(door).await.err(), Some(401));
    let open = json!({"options": {"public_board": true}});
    admin.put("/halls/H1", open).await.expect(200);
    assert_eq!(visitor.socket("/ws?board=H2").await.err(), Some(401));
    assert_eq!(visitor.socket("/ws").await.err(), Some(401));

    let mut live = visitor.socket(door).await.expect("a socket");
    let topics = [
        "hall.H1",
        "queue.H1.S1",
        "window.H1.1",
        "city",
        "hall.H2",
        "queue.H2.S1",
        "ticket.H1.x",
        "device.wall",
    ];
    live.say(&json!({"subscribe": topics})).await;
    let mut refused = BTreeMap::new();
    while refused.len() < topics.len() {
        let frame = live.next().await.expect("a frame");
        if let Some(topic) = frame["topic"].as_str() {
            refused.insert(topic.to_owned(), frame["code"] == "forbidden");
        }
    }
    refused.retain(|_, refused| !*refused);
    let allowed: Vec<&String> = refused.keys().collect();
    assert_eq!(allowed, ["hall.H1", "queue.H1.S1"]);

    // The hall thinks better of it: who asks again is refused.
    let shut = json!({"options": {"public_board": false}});
    admin.put("/halls/H1", shut).await.expect(200);
    live.say(&json!({"unsubscribe": ["hall.H1"]})).await;
    live.say(&json!({"subscribe": ["hall.H1"]})).await;
    let refused = live
        .frames_until("hall.H1", |frame| frame["kind"] == "error")
        .await;
    assert_eq!(refused.last().unwrap()["code"], "forbidden");
    assert_eq!(visitor.socket(door).await.err(), Some(401));
}

/// Who looked while everybody might is let go within seconds; a screen with a token stays.
#[actix_web::test]
async fn a_board_that_is_public_no_longer_ends_the_feeds_of_those_without_a_token() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let options = |public: bool| json!({"options": {"public_board": public}});
    admin.put("/halls/H1", options(true)).await.expect(200);
    let mut anybody = server.visitor().socket("/ws?board=H1").await.unwrap();
    anybody.say(&json!({"subscribe": ["hall.H1"]})).await;
    anybody.frame("hall.H1").await;
    let screen = server.device("screen", "screen", "H1").await;
    let mut screen = screen.live(&["hall.H1"], json!({})).await;
    screen.frame("hall.H1").await;

    admin.put("/halls/H1", options(false)).await.expect(200);
    // Rights are looked at with every fourth heartbeat, which is about a second.
    let mut beats = 0;
    while let Some(frame) = anybody.next().await {
        beats += u32::from(frame["kind"] == "heartbeat");
        assert!(beats <= 5, "still fed");
    }
    let issued = admin.issue("H1", "S1").await;
    screen
        .find(|frame| frame["topic"] == "hall.H1" && frame["data"]["figures"]["issued"] == 1)
        .await;
    assert_eq!(issued["number"], "B001");
}
