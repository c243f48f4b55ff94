//! The live feed: what a subscriber is promised.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rules::time::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Client, Live, PATIENCE, Server, list, number, text};

/// Design 4.3: one snapshot, then deltas whose number rises by one.
#[actix_web::test]
async fn a_subscriber_gets_a_snapshot_and_then_every_step() {
    let server = Server::start().await;
    let admin = server.hall("H1", 2).await;
    let mut feed = admin.live(&["hall.H1"], json!({})).await;
    let hello = feed.next().await.unwrap();
    assert_eq!(hello["kind"], "hello");
    assert!(!text(&hello["build"]).is_empty());
    admin.open_windows("H1", &["1", "2"]).await;
    for _ in 0..20 {
        admin.issue("H1", "S1").await;
    }
    for _ in 0..5 {
        admin.serve_next("H1", "1").await;
    }
    let end = admin.get("/halls/H1").await.expect(200);
    let frames = feed.frames_to("hall.H1", &end["seq"]).await;
    assert_eq!(frames[0]["kind"], "snapshot");
    for pair in frames.windows(2) {
        assert_eq!(pair[1]["kind"], "delta");
        assert_eq!(number(&pair[1]["seq"]), number(&pair[0]["seq"]) + 1);
        assert!(text(&pair[1]["at"]) >= text(&pair[0]["at"]));
    }
    let board = fold(&frames);
    for part in ["figures", "state", "day"] {
        assert_eq!(board[part], end[part], "{part}");
    }
    for (id, service) in end["services"].as_object().unwrap() {
        for part in ["waiting", "windows_open"] {
            assert_eq!(board["services"][id][part], service[part], "{part} of {id}");
        }
    }
    assert_eq!(board["windows"], end["windows"]);
    assert_eq!(board["calls"], end["calls"]);
}

/// Pages may follow what is about everything as soon as the server takes connections.
#[actix_web::test]
async fn the_topics_of_everything_are_there_from_the_start() {
    let server = Server::start().await;
    let topics = ["alerts", "channels", "city", "ops"];
    let mut feed = server.admin().live(&topics, json!({})).await;
    let mut seen = BTreeSet::new();
    while seen.len() < topics.len() {
        let first = feed.find(|frame| !frame["topic"].is_null()).await;
        assert_ne!(first["kind"], "error", "{first}");
        seen.insert(text(&first["topic"]).to_owned());
    }
}

/// A board as a screen keeps it: the snapshot with every step merged in.
fn fold(frames: &[Value]) -> Value {
    let mut board = frames[0]["data"].clone();
    for frame in &frames[1..] {
        let step = &frame["data"];
        assert_ne!(step["reset"], true, "nobody changed the set-up");
        for part in ["figures", "state", "day", "missed"] {
            if !step[part].is_null() {
                board[part] = step[part].clone();
            }
        }
        for (id, fields) in step["services"].as_object().into_iter().flatten() {
            for (field, value) in fields.as_object().unwrap() {
                board["services"][id][field] = value.clone();
            }
        }
        for (id, window) in step["windows"].as_object().into_iter().flatten() {
            board["windows"][id] = window.clone();
        }
        if !step["call"].is_null() {
            let calls = board["calls"].as_array_mut().unwrap();
            calls.retain(|call| call["number"] != step["call"]["number"]);
            calls.insert(0, step["call"].clone());
            calls.truncate(12);
        }
    }
    board
}

/// Design 4.3: after a gap the missing deltas, or a fresh snapshot where they are gone.
#[actix_web::test]
async fn whoever_comes_back_gets_what_was_missed_or_a_snapshot() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let mut feed = admin.live(&["hall.H1"], json!({})).await;
    feed.frame("hall.H1").await;
    let mut seqs = Vec::new();
    for _ in 0..10 {
        seqs.push(number(&admin.issue("H1", "S1").await["seq"]));
    }
    let last = *seqs.last().unwrap();
    feed.frames_to("hall.H1", &json!(last)).await;
    let mut feed = admin.live(&["hall.H1"], json!({"hall.H1": seqs[4]})).await;
    for expected in seqs[4] + 1..=last {
        let frame = feed.frame("hall.H1").await;
        assert_eq!(
            (&frame["kind"], number(&frame["seq"])),
            (&json!("delta"), expected)
        );
    }
    // Who is up to date gets nothing until something happens.
    let mut feed = admin.live(&["hall.H1"], json!({"hall.H1": last})).await;
    feed.find(|message| message["kind"] == "heartbeat").await;
    let next = admin.issue("H1", "S1").await;
    let frame = feed.frame("hall.H1").await;
    assert_eq!(
        (&frame["kind"], &frame["seq"]),
        (&json!("delta"), &next["seq"])
    );
    // A number from the future, or from another life of the server, is worth nothing.
    for since in [number(&next["seq"]) + 1, u64::MAX, 0] {
        let mut feed = admin.live(&["hall.H1"], json!({"hall.H1": since})).await;
        let frames = feed.frames_to("hall.H1", &next["seq"]).await;
        assert_eq!(frames[0]["kind"], "snapshot", "since {since}");
    }
    // More than the log keeps.
    for _ in 0..4 {
        let issuing = (0..300).map(|n| admin.issue("H1", ["S1", "S2"][n % 2]));
        futures_util::future::join_all(issuing).await;
    }
    let end = admin.get("/halls/H1").await.expect(200);
    let mut feed = admin.live(&["hall.H1"], json!({"hall.H1": seqs[0]})).await;
    let frames = feed.frames_to("hall.H1", &end["seq"]).await;
    assert_eq!(frames[0]["kind"], "snapshot");
    assert!(
        frames.len() < 200,
        "{} frames after a snapshot",
        frames.len()
    );
}

/// Design 4.3: a heartbeat each second carries the server's clock.
#[actix_web::test]
async fn a_heartbeat_comes_about_each_second_with_the_servers_clock() {
    let server = Server::start().await;
    let admin = server.admin();
    let mut feed = admin.live(&[], json!({})).await;
    let beat = |message: &Value| message["kind"] == "heartbeat";
    let mut before = at(&feed.find(beat).await);
    for _ in 0..3 {
        let message = feed.find(beat).await;
        assert!(!text(&message["build"]).is_empty());
        let now = at(&message);
        let between = now.millis_since(before);
        assert!((700..2500).contains(&between), "{between} ms");
        before = now;
    }
    let own = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let apart = own
        .as_millis()
        .abs_diff(before.millis().unsigned_abs().into());
    assert!(apart < 2000, "{apart} ms apart");
}

fn at(message: &Value) -> Timestamp {
    Timestamp::parse_rfc3339(text(&message["at"])).unwrap()
}

/// Design 4.3 and promise 5: who may follow what.
#[actix_web::test]
async fn a_topic_that_is_unknown_or_not_ones_own_is_refused_by_name() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    server.hall("H2", 1).await;
    let one = admin.issue("H1", "S1").await;
    let two = admin.issue("H1", "S1").await;
    let (one, two) = (text(&one["token"]), text(&two["token"]));
    let own = format!("ticket.{one}");
    let other = format!("ticket.{two}");
    let screen = server.device("screen", "screen", "H1").await;
    let clerk = server.person("wang", "clerk", &["H1"]).await;
    let supervisor = server.person("zhou", "supervisor", &["*"]).await;
    let holder = Client::new(&server.base, Some(one.to_owned()));
    let shown = ["hall.H1", "queue.H1.S1", "window.H1.1"];
    let elsewhere = ["hall.H2", "queue.H2.S1", "window.H2.1"];
    let nothing = [
        "hall.H9",
        "queue.H1.S9",
        "window.H1.9",
        "queue.H1",
        "alerts.H9",
        "",
        "hall",
        "ticket.H1.0",
    ];
    for (who, may, may_not) in [
        (
            &admin,
            [&shown[..], &elsewhere, &["city", &own]].concat(),
            vec![],
        ),
        (
            &supervisor,
            [&shown[..], &elsewhere, &["city", "alerts", "alerts.H2"]].concat(),
            vec![],
        ),
        (
            &screen,
            shown.to_vec(),
            [&elsewhere[..], &["city", "alerts", "alerts.H1"]].concat(),
        ),
        (
            &clerk,
            shown.to_vec(),
            [&elsewhere[..], &["city", "alerts", "alerts.H1"]].concat(),
        ),
        (
            &holder,
            vec![own.as_str()],
            [&shown[..], &["city", "alerts", &other]].concat(),
        ),
    ] {
        let mut feed = who.live(&[], json!({})).await;
        for topic in may {
            feed.say(&json!({"subscribe": [topic]})).await;
            let frame = feed.frame(topic).await;
            assert!(
                frame["kind"] == "snapshot" || frame["kind"] == "delta",
                "{frame}"
            );
        }
        for topic in may_not {
            assert_eq!(refusal(&mut feed, topic).await, "forbidden", "{topic}");
        }
    }
    let mut feed = admin.live(&[], json!({})).await;
    for topic in nothing {
        assert_eq!(refusal(&mut feed, topic).await, "unknown_topic", "{topic}");
    }
    assert_eq!(server.visitor().socket("/ws").await.err(), Some(401));
    assert_eq!(
        server.visitor().socket("/ws?t=nonsense").await.err(),
        Some(401)
    );
    let forged = format!("/ws?t={}", one.replace("H1.", "H2."));
    assert_eq!(server.visitor().socket(&forged).await.err(), Some(401));
    // A screen's and a slip's token in the address do as well.
    for token in [screen.token.as_deref().unwrap(), one] {
        assert!(
            server
                .visitor()
                .socket(&format!("/ws?t={token}"))
                .await
                .is_ok()
        );
    }
    // Refused looks stand in the audit.
    let deadline = Instant::now() + PATIENCE;
    for topic in elsewhere {
        let rows = format!("/audit?action=refused&actor=device:screen&object={topic}");
        while list(&admin.get(&rows).await.expect(200)["items"]).is_empty() {
            assert!(Instant::now() < deadline, "{topic} is not in the audit");
        }
    }
}

async fn refusal(feed: &mut Live, topic: &str) -> String {
    feed.say(&json!({"subscribe": [topic]})).await;
    let message = feed.frame(topic).await;
    assert_eq!(message["kind"], "error", "{message}");
    assert!(!text(&message["detail"]).is_empty());
    text(&message["code"]).to_owned()
}

/// A04, A05: the phone's place goes down as others are called, up to one's own call.
#[actix_web::test]
async fn a_phone_sees_its_place_go_down_and_then_its_window() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    admin.open_windows("H1", &["1"]).await;
    let mut last = json!(null);
    for _ in 0..5 {
        last = admin.issue("H1", "S1").await;
    }
    let token = text(&last["token"]).to_owned();
    let topic = format!("ticket.{token}");
    let phone = Client::new(&server.base, Some(token));
    let mut feed = phone.live(&[&topic], json!({})).await;
    let first = feed.frame(&topic).await;
    assert_eq!(
        (&first["data"]["ahead"], &first["data"]["state"]),
        (&json!(4), &json!("waiting"))
    );
    for ahead in (0..4).rev() {
        admin.serve_next("H1", "1").await;
        let shown = |frame: &Value| frame["data"]["ahead"] == ahead;
        feed.frames_until(&topic, shown).await;
    }
    admin.window("H1", "1", "call-next", json!({})).await;
    let called = |frame: &Value| frame["data"]["state"] == "called";
    let frames = feed.frames_until(&topic, called).await;
    let data = &frames.last().unwrap()["data"];
    assert_eq!(
        (&data["window"], &data["ahead"]),
        (&json!("1"), &json!(null))
    );
    assert_eq!(data["window_name"]["en"], "Window 1");
}

/// Promise 6: one that never reads costs the others nothing.
#[actix_web::test]
async fn a_reader_that_never_reads_does_not_hinder_the_others() {
    let server = Server::start_with(&[("HALLKEEPER__SERVER__STALLED_SECS", "2")], &[]).await;
    let admin = server.hall("H1", 3).await;
    admin.open_windows("H1", &["1", "2", "3"]).await;
    let token = admin.token.clone().unwrap();
    let jammed: Vec<TcpStream> = (0..20).map(|_| never_reads(&server.base, &token)).collect();
    let mut feed = admin.live(&["hall.H1"], json!({})).await;
    feed.frame("hall.H1").await;
    let mut slowest = Duration::ZERO;
    for round in 0..400 {
        let issued = admin.issue("H1", "S1").await;
        if round % 40 == 0 {
            let asked = Instant::now();
            admin.serve_next("H1", "1").await;
            let seq = json!(number(&issued["seq"]) + 3);
            feed.frames_to("hall.H1", &seq).await;
            slowest = slowest.max(asked.elapsed());
        }
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    // In the end the kernel drops them, and only the reader is left.
    let deadline = Instant::now() + PATIENCE;
    let followers = |count: &str| format!("hallkeeper_followers {count}\n");
    loop {
        let metrics = admin.get("/metrics").await.text;
        if metrics.contains(&followers("1")) {
            break;
        }
        assert!(Instant::now() < deadline, "{metrics}");
        admin.window("H1", "2", "pause", json!({})).await;
        admin.window("H1", "2", "resume", json!({})).await;
        feed.next().await;
    }
    drop(jammed);
}

/// A screen that is written to directly, then takes nothing for a while, then reads on: what it gets
/// is whole frames without a gap.
#[actix_web::test]
async fn a_reader_that_falls_asleep_and_wakes_misses_nothing() {
    let server = Server::start().await;
    let admin = server.hall("H1", 400).await;
    let screen = server.device("screen", "screen", "H1").await;
    let mut stream = never_reads(&server.base, screen.token.as_deref().unwrap());
    let mut frames = RawFrames::default();
    // The ping that comes with the first frames is answered: from then on writes are direct.
    while !frames.ping {
        frames.read(&mut stream);
    }
    stream.write_all(&[0x8a, 0x88, 0, 0, 0, 0]).unwrap();
    stream.write_all(b"all-left").unwrap();
    frames.read(&mut stream);
    // More than the kernel holds: the snapshot of a large hall, asked for again and again.
    for _ in 0..30 {
        stream.write_all(&subscription()).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut last = Value::Null;
    for round in 0..20 {
        let notice = json!({"level": "notice", "text": {"zh": "忙", "en": format!("{round}")}});
        let put = admin.put("/halls/H1/notice", notice).await;
        last = put.expect(200)["seq"].clone();
    }
    let deadline = Instant::now() + PATIENCE;
    while frames.seq < number(&last) {
        assert!(Instant::now() < deadline, "{} of {last}", frames.seq);
        frames.read(&mut stream);
    }
    assert!(frames.texts > 30, "{}", frames.texts);
}

/// The frames of one hall as they come in, taken apart by hand.
#[derive(Default)]
struct RawFrames {
    unread: Vec<u8>,
    ping: bool,
    texts: u32,
    seq: u64,
}

impl RawFrames {
    fn read(&mut self, stream: &mut TcpStream) {
        let mut some = [0; 4096];
        let read = stream.read(&mut some).unwrap();
        assert_ne!(read, 0, "the socket ended");
        self.unread.extend_from_slice(&some[..read]);
        while let Some((start, end)) = self.first() {
            match self.unread[0] {
                0x81 => self.take(start, end),
                0x89 => {
                    assert_eq!(&self.unread[start..end], b"all-left");
                    self.ping = true;
                }
                // The end of the handshake's head.
                other => panic!("no frame begins with {other:#x}"),
            }
            self.unread.drain(..end);
        }
    }

    /// Where the first frame's payload begins and ends, if it is whole.
    fn first(&mut self) -> Option<(usize, usize)> {
        if self.texts == 0
            && !self.ping
            && let Some(head) = self.unread.windows(4).position(|four| four == b"\r\n\r\n")
        {
            self.unread.drain(..head + 4);
        }
        let (start, len) = match *self.unread.get(1)? {
            126 => {
                let two = self.unread.get(2..4)?;
                (4, usize::from(u16::from_be_bytes([two[0], two[1]])))
            }
            127 => {
                let eight = self.unread.get(2..10)?.try_into().unwrap();
                (10, usize::try_from(u64::from_be_bytes(eight)).unwrap())
            }
            short => (2, usize::from(short)),
        };
        (self.unread.len() >= start + len).then_some((start, start + len))
    }

    fn take(&mut self, start: usize, end: usize) {
        let text: Value = serde_json::from_slice(&self.unread[start..end]).expect("whole JSON");
        self.texts += 1;
        if text["topic"] != "hall.H1" {
            return;
        }
        let seq = number(&text["seq"]);
        if text["kind"] == "delta" {
            assert_eq!(seq, self.seq + 1, "a gap");
        }
        self.seq = seq;
    }
}

/// A socket that follows a hall and is never read from; its buffers are small.
fn never_reads(base: &str, token: &str) -> TcpStream {
    let address = base.trim_start_matches("http://");
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address: std::net::SocketAddr = address.parse().unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET /ws?t={token} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    stream.write_all(&subscription()).unwrap();
    stream
}

/// A wish to follow hall H1, as a masked text frame whose mask is zero.
fn subscription() -> Vec<u8> {
    let wish = br#"{"subscribe":["hall.H1"]}"#;
    let mut frame = vec![0x81, 0x80 | wish.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(wish);
    frame
}

/// Promise 5: what ends a session ends its sockets.
#[actix_web::test]
async fn a_socket_closes_when_its_session_or_device_has_ended() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let clerk = server.person("wang", "clerk", &["H1"]).await;
    let removed = server.person("zhao", "clerk", &["H1"]).await;
    let screen = server.device("screen", "screen", "H1").await;
    let mut feeds = Vec::new();
    for who in [&clerk, &removed, &screen] {
        let mut feed = who.live(&["hall.H1"], json!({})).await;
        feed.frame("hall.H1").await;
        feeds.push(feed);
    }
    assert_eq!(clerk.delete("/session").await.status, 204);
    assert_eq!(admin.delete("/users/zhao").await.status, 204);
    assert_eq!(admin.delete("/devices/screen").await.status, 204);
    for feed in &mut feeds {
        let deadline = Instant::now() + PATIENCE;
        while feed.next().await.is_some() {
            assert!(Instant::now() < deadline, "the socket is still open");
        }
    }
    for who in [&clerk, &removed, &screen] {
        who.get("/halls/H1").await.refused(401, "not_signed_in");
    }
}

/// A service or window that is taken away takes its topic along, and a new one has its own.
#[actix_web::test]
async fn a_changed_set_up_asks_boards_for_a_snapshot_and_opens_its_topics() {
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    let mut feed = admin.live(&["hall.H1"], json!({})).await;
    feed.frame("hall.H1").await;
    let plan = json!({"services": ["S1"], "name": {"zh": "九号", "en": "Nine"}});
    let hall = admin.put("/halls/H1/windows/9", plan).await.expect(200);
    let frames = feed.frames_to("hall.H1", &hall["seq"]).await;
    assert_eq!(frames.last().unwrap()["data"]["reset"], true);
    feed.say(&json!({"subscribe": ["window.H1.9"]})).await;
    let strip = feed.frame("window.H1.9").await;
    assert_eq!(strip["data"]["name"]["en"], "Nine");
    feed.say(&json!({"subscribe": ["hall.H1"]})).await;
    let shown = |frame: &Value| !frame["data"]["windows"]["9"].is_null();
    feed.frames_until("hall.H1", shown).await;
}

/// `serve --demo`: a recorded office that lives by itself.
#[actix_web::test]
async fn the_demonstration_answers_at_once_and_its_hall_lives() {
    let asked = Instant::now();
    let server = Server::start_with(&[], &["--demo", "--speed", "60"]).await;
    assert!(
        asked.elapsed() < Duration::from_secs(6),
        "{:?}",
        asked.elapsed()
    );
    let admin = server.admin();
    let deadline = Instant::now() + PATIENCE;
    while admin.get("/halls/demo").await.status != 200 {
        assert!(Instant::now() < deadline, "no demonstration");
        actix_web::rt::time::sleep(Duration::from_millis(20)).await;
    }
    let mut feed = admin.live(&["hall.demo"], json!({})).await;
    let first = feed.frame("hall.demo").await;
    assert_eq!(
        (&first["kind"], &first["data"]["demo"]),
        (&json!("snapshot"), &json!(true))
    );
    assert_eq!(first["data"]["clock"]["rate"], 60.0);
    // A minute of the office each second: the first are served after some.
    let mut seen = BTreeSet::new();
    let deadline = Instant::now() + 3 * PATIENCE;
    while !["ticket_issued", "ticket_called", "service_finished"]
        .iter()
        .all(|event| seen.contains(*event))
    {
        assert!(Instant::now() < deadline, "nothing but {seen:?}");
        let step = feed.frame("hall.demo").await;
        seen.extend(step["data"]["event"].as_str().map(str::to_owned));
    }
    // Its departments have cases in hand, and the desk tells of those that are late.
    let deadline = Instant::now() + PATIENCE;
    for (rule, count) in [
        ("R01-near-due-case", 6),
        ("R02-overdue-case", 4),
        ("R03-overdue-acceptance", 2),
        ("R19-parallel-department-late", 1),
    ] {
        let path = format!("/alerts?rule={rule}&hall=demo");
        while list(&admin.get(&path).await.expect(200)["items"]).len() < count {
            assert!(Instant::now() < deadline, "no {rule}");
            actix_web::rt::time::sleep(Duration::from_millis(100)).await;
        }
    }
    // Data comes in every five minutes, but for once an hour, and on-line services are visited.
    let epoch = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let missing = epoch.as_secs() / 300 % 12 == 7;
    let deadline = Instant::now() + PATIENCE;
    let of = async |path: &str| list(&admin.get(path).await.expect(200)["items"]).len();
    while of("/telemetry/counts").await < 5
        || (!missing && of("/feeds/decisions/batches").await == 0)
    {
        assert!(Instant::now() < deadline, "no data comes in");
        actix_web::rt::time::sleep(Duration::from_millis(50)).await;
    }
    let deadline = Instant::now() + PATIENCE;
    while !server.printed().contains("password 密码 ") {
        assert!(Instant::now() < deadline, "no guide: {}", server.printed());
        actix_web::rt::time::sleep(Duration::from_millis(20)).await;
    }
    let guide = server.printed();
    for page in [
        "/board/demo?t=",
        "/led/demo/",
        "/kiosk/demo?t=",
        "/console?hall=demo",
        "/desk",
        "/manage",
    ] {
        assert!(
            guide.contains(&format!("{}{page}", server.base)),
            "{page} in {guide}"
        );
    }
    assert!(guide.contains("60×"), "{guide}");
    let word = |after: &str| {
        let rest = guide
            .split(after)
            .nth(1)
            .unwrap_or_else(|| panic!("{after} in {guide}"));
        rest.split_whitespace().next().unwrap().to_owned()
    };
    let clerk = server.sign_in("demo-clerk", &word("password 密码 ")).await;
    clerk.window("demo", "88", "open", json!({})).await;
    let screen = Client::new(&server.base, Some(word("/board/demo?t=")));
    screen.get("/halls/demo").await.expect(200);
    let kiosk = Client::new(&server.base, Some(word("/kiosk/demo?t=")));
    let service = admin.get("/halls/demo").await.expect(200)["services"].clone();
    let service = service.as_object().unwrap().keys().next().unwrap().clone();
    let issued = kiosk
        .post("/halls/demo/tickets", json!({"service": service}))
        .await;
    assert!(
        issued.status == 201 || issued.body["code"] == "hall_closed",
        "{}",
        issued.text
    );
}
