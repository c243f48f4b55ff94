//! LED strips: previews, the page that paints the dots, and hardware strips against emulators.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

use crate::harness::{Client, PATIENCE, Server, list, own_address, text};
use crate::webdriver::Browser;

const HALL: &str = "H1";

/// The dots of the page's canvas as the server's `strip.txt` writes them.
const PAINTED: &str = "(() => {
    const canvas = document.querySelector('#dots');
    const dot = Math.floor(Math.min(innerWidth / 128, innerHeight / 16));
    const pen = canvas.getContext('2d');
    let all = '';
    for (let y = 0; y < 16; y += 1) {
        for (let x = 0; x < 128; x += 1) {
            const [red, green] = pen.getImageData(x * dot + (dot >> 1), y * dot + (dot >> 1), 1, 1).data;
            all += red > 90 || green > 90 ? '#' : '.';
        }
        all += '\\n';
    }
    return all;
})()";

const LABEL: &str = "document.querySelector('#dots').getAttribute('aria-label')";

fn label_is(text: &str) -> String {
    format!("{LABEL} === {text:?}")
}

async fn called(admin: &Client, window: &str) -> String {
    admin.issue(HALL, "S1").await;
    let answer = admin.at_window(HALL, window, "call-next").await.expect(200);
    text(&answer["ticket"]["number"]).to_owned()
}

#[actix_web::test]
async fn a_strip_is_told_as_data_text_and_pictures_and_bad_sizes_are_refused() {
    let server = Server::start().await;
    let admin = server.hall(HALL, 2).await;
    admin.open_windows(HALL, &["2"]).await;
    called(&admin, "2").await;
    let strip = |form: &str| format!("/halls/{HALL}/windows/2/strip.{form}");
    let data = admin.get(&strip("json?size=96x16")).await.expect(200);
    assert_eq!(data["lines"][0]["text"], "请B001号办理");
    assert_eq!(
        (&data["show"], &data["colour"]),
        (&json!("call"), &json!("yellow"))
    );
    assert_eq!(
        (&data["call"]["number"], &data["call"]["calls"]),
        (&json!("B001"), &json!(1))
    );
    assert_eq!(data["staff"][0]["text"], "请听工作人员");
    let rows = list(&data["lines"][0]["dots"]);
    assert!(rows.len() == 16 && rows.iter().all(|row| text(row).len() == 24));
    let drawn = admin.get(&strip("txt")).await;
    assert!(
        drawn.text.starts_with("请B001号到本窗口\n"),
        "{}",
        drawn.text
    );
    assert_eq!(
        drawn.text.lines().skip(1).map(str::len).collect::<Vec<_>>(),
        [128; 16]
    );
    let english = admin.get(&strip("txt?lang=en")).await;
    assert!(
        english.text.starts_with("B001 please come\n"),
        "{}",
        english.text
    );
    for (form, media_type) in [("pbm", "image/x-portable-bitmap"), ("png", "image/png")] {
        let picture = admin.get(&strip(form)).await;
        assert_eq!(picture.header("content-type"), Some(media_type));
    }
    // Only the window that called shows it.
    let other = admin
        .get(&format!("/halls/{HALL}/windows/1/strip.json"))
        .await
        .expect(200);
    assert_eq!(
        (&other["show"], &other["call"]),
        (&json!("off"), &Value::Null)
    );
    for size in ["64x15", "", "9999x9999"] {
        let refused = admin.get(&strip(&format!("json?size={size}"))).await;
        refused.refused(422, "invalid_field");
    }
    let unknown = admin
        .get(&format!("/halls/{HALL}/windows/none/strip.json"))
        .await;
    unknown.refused(404, "unknown_window");
}

#[actix_web::test]
async fn the_page_paints_the_strips_own_dots_and_wipes_an_old_number() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let mut server = Server::start().await;
    let admin = server.hall(HALL, 2).await;
    admin.open_windows(HALL, &["1", "2"]).await;
    let screen = server.device("strip", "screen", HALL).await;
    let token = screen.token.as_deref().unwrap();
    browser.resize(1280, 240).await;
    let page = format!("{}/led/{HALL}/2?size=128x16", server.base);
    browser.open(&format!("{page}&t={token}")).await;
    browser.until(&label_is("2号综合窗口")).await;

    // A call flashes for three seconds and then stands, dot for dot as the server draws it.
    called(&admin, "2").await;
    browser.until(&label_is("请B001号到本窗口")).await;
    browser.until("document.body.dataset.flash === 'yes'").await;
    browser.until("document.body.dataset.flash === 'no'").await;
    // Called again so soon it does not flash anew; later it does.
    admin.at_window(HALL, "2", "recall").await.expect(200);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        browser.eval("document.body.dataset.flash").await,
        json!("no")
    );
    let drawn = screen
        .get(&format!("/halls/{HALL}/windows/2/strip.txt"))
        .await;
    let (_, dots) = drawn.text.split_once('\n').unwrap();
    assert_eq!(browser.eval(PAINTED).await, json!(dots));
    tokio::time::sleep(Duration::from_millis(2000)).await;
    admin.at_window(HALL, "2", "recall").await.expect(200);
    browser.until("document.body.dataset.flash === 'yes'").await;

    // A call at another window is none of its business.
    called(&admin, "1").await;
    admin.at_window(HALL, "2", "start").await.expect(200);
    browser.until(&label_is("B001 正在办理中")).await;
    browser
        .eval("location.assign(location.href + '&lang=en')")
        .await;
    browser.until(&label_is("Serving B001")).await;
    let mut complaints = browser.complaints().await;
    complaints.retain(|text| !text.contains("getImageData")); // this test's own reading
    assert_eq!(complaints, Vec::<String>::new());

    // The server is gone: half a minute later the number is, too.
    server.kill();
    let later = "(() => { const real = performance.now.bind(performance); performance.now = () => \
         real() + 31000; return true; })()";
    browser.eval(later).await;
    browser.until(&label_is("Please ask staff")).await;
    browser.stop().await;
}

/// What a strip was told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    at: Instant,
    what: String,
    /// How long it holds; vendors' frames do not say.
    ttl: Option<Duration>,
    text: String,
}

/// How an emulated strip treats who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Answers,
    /// Takes connections and messages, and never says anything.
    Hangs,
    TalksNonsense,
}

/// What the bytes must be, to the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Line,
    LineUdp,
    Jqueue,
    Cxt,
}

/// A strip on this machine.
struct Emulator {
    framing: Framing,
    port: u16,
    told: Rc<RefCell<Vec<Told>>>,
    manner: Rc<Cell<Manner>>,
    tasks: Rc<RefCell<Vec<JoinHandle<()>>>>,
}

impl Emulator {
    async fn start(framing: Framing) -> Self {
        let emulator = Self {
            framing,
            port: own_address().port(),
            told: Rc::default(),
            manner: Rc::new(Cell::new(Manner::Answers)),
            tasks: Rc::default(),
        };
        emulator.listen().await;
        emulator
    }

    async fn listen(&self) {
        let (told, manner, framing) = (self.told.clone(), self.manner.clone(), self.framing);
        if matches!(framing, Framing::Cxt | Framing::LineUdp) {
            let socket = UdpSocket::bind(("127.0.0.1", self.port)).await.unwrap();
            let task = actix_web::rt::spawn(async move {
                let mut datagram = [0; 2048];
                while let Ok((len, from)) = socket.recv_from(&mut datagram).await {
                    let mut bytes = datagram[..len].to_vec();
                    let answer = take(framing, &mut bytes, &told).unwrap();
                    assert!(bytes.is_empty(), "{bytes:?}");
                    if manner.get() == Manner::Answers && framing == Framing::LineUdp {
                        socket.send_to(answer.as_bytes(), from).await.unwrap();
                    }
                }
            });
            self.tasks.borrow_mut().push(task);
            return;
        }
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        let tasks = self.tasks.clone();
        let task = actix_web::rt::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (told, manner) = (told.clone(), manner.clone());
                let task = actix_web::rt::spawn(async move {
                    let mut bytes = Vec::new();
                    while stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
                        while let Some(answer) = take(framing, &mut bytes, &told) {
                            let answer = match manner.get() {
                                Manner::Answers => answer,
                                Manner::Hangs => continue,
                                Manner::TalksNonsense => "\u{1b}[2J???\n".to_owned(),
                            };
                            let _ = stream.write_all(answer.as_bytes()).await;
                        }
                    }
                });
                tasks.borrow_mut().push(task);
            }
        });
        self.tasks.borrow_mut().push(task);
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its plug is pulled.
    async fn stop(&self) {
        let tasks = self.tasks.take();
        for task in tasks {
            task.abort();
            let _ = task.await;
        }
    }

    async fn start_again(&self) {
        self.told.borrow_mut().clear();
        self.listen().await;
    }

    fn last(&self) -> Option<Told> {
        self.told.borrow().last().cloned()
    }

    /// What people see on it at an instant: once the time is over, its own words.
    fn shows(&self, at: Instant) -> String {
        let last = self.last();
        let holds = last.filter(|told| told.ttl.is_none_or(|ttl| at < told.at + ttl));
        holds.map_or_else(|| "欢迎光临".to_owned(), |told| told.text)
    }

    /// Waits until it was told this.
    async fn until(&self, what: &str, text: &str) -> Told {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let told = self
                .told
                .borrow()
                .iter()
                .find(|t| t.what == what && t.text == text)
                .cloned();
            if let Some(told) = told {
                return told;
            }
            assert!(
                Instant::now() < deadline,
                "not {what} {text}: {:?}",
                self.told.borrow()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Takes one whole message off the front; what a strip answers to it.
fn take(framing: Framing, bytes: &mut Vec<u8>, told: &RefCell<Vec<Told>>) -> Option<String> {
    let (len, what, ttl, text, window) = match framing {
        Framing::Line | Framing::LineUdp => {
            let len = bytes.iter().position(|byte| *byte == b'\n')? + 1;
            let line = std::str::from_utf8(&bytes[..len - 1]).unwrap();
            let parts: Vec<&str> = line.splitn(5, ' ').collect();
            let [show, window, what, ttl, text] = parts[..] else {
                panic!("{line}")
            };
            assert_eq!(show, "SHOW");
            assert!(
                ["CALL", "SERVE", "IDLE", "PAUSE", "OFF", "TEXT"].contains(&what),
                "{line}"
            );
            let ttl = Duration::from_secs(ttl.parse().unwrap());
            (
                len,
                what.to_owned(),
                Some(ttl),
                text.to_owned(),
                window.to_owned(),
            )
        }
        Framing::Jqueue => {
            let len = 4 + usize::from(*bytes.get(4)?);
            if bytes.len() < len {
                return None;
            }
            assert_eq!(bytes[..4], [0xAA, 0xAA, 0xAA, 0x4E]);
            assert_eq!(bytes[5..9], [0x00, 0x53, 0x00, 0xFF]);
            let sum = bytes[4..len - 3].iter().fold(0, |sum, byte| sum ^ byte);
            assert_eq!(bytes[len - 3..len], [sum >> 4, sum & 0x0F, 0x1A]);
            (
                len,
                "-".to_owned(),
                None,
                gbk(&bytes[9..len - 3]),
                String::new(),
            )
        }
        Framing::Cxt => {
            assert_eq!(bytes[..5], [0x21, 0x21, 0x55, 0xAA, 0x02]);
            let len = 14 + usize::from(u16::from_le_bytes([bytes[12], bytes[13]]));
            assert_eq!(bytes.len(), len);
            let colour = ["", "red", "green", "yellow"][usize::from(bytes[5])];
            (
                len,
                colour.to_owned(),
                None,
                gbk(&bytes[14..]),
                String::new(),
            )
        }
    };
    bytes.drain(..len);
    let mut told = told.borrow_mut();
    told.push(Told {
        at: Instant::now(),
        what,
        ttl,
        text,
    });
    Some(format!("OK {window} {}\n", told.len()))
}

fn gbk(bytes: &[u8]) -> String {
    let (text, _, bad) = encoding_rs::GBK.decode(bytes);
    assert!(!bad, "{bytes:?}");
    text.into_owned()
}

async fn server_with_strips() -> Server {
    Server::start_with(&[("HALLKEEPER__STRIPS__NETWORKS", "127.0.0.0/8")], &[]).await
}

async fn put_strip(admin: &Client, id: &str, window: &str, protocol: &str, strip: &Emulator) {
    let set_up = json!({
        "window": window, "protocol": protocol, "address": strip.address(), "size": "128x16",
        "two_colours": true, "zone": 2,
    });
    let path = format!("/halls/{HALL}/strips/{id}");
    admin.put(&path, set_up).await.expect(200);
}

async fn until_strip(admin: &Client, id: &str, state: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let strip = admin
            .get(&format!("/halls/{HALL}/strips/{id}"))
            .await
            .expect(200);
        if strip["state"] == state {
            return strip;
        }
        assert!(Instant::now() < deadline, "not {state}: {strip}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// AC-A02-2: only the strip of the window that calls is told, within a second.
#[actix_web::test]
async fn only_the_strip_of_the_calling_window_is_told_and_within_a_second() {
    let server = server_with_strips().await;
    let admin = server.hall(HALL, 2).await;
    let one = Emulator::start(Framing::Line).await;
    let two = Emulator::start(Framing::Line).await;
    put_strip(&admin, "s1", "1", "line", &one).await;
    put_strip(&admin, "s2", "2", "line", &two).await;
    one.until("OFF", "本窗口未开放").await;
    admin.open_windows(HALL, &["1", "2"]).await;
    for strip in [&one, &two] {
        let idle = if strip.port == one.port {
            "1号综合窗口"
        } else {
            "2号综合窗口"
        };
        strip.until("IDLE", idle).await;
    }
    let mut worst = Duration::ZERO;
    for n in 1..=5 {
        admin.issue(HALL, "S1").await;
        let asked = Instant::now();
        admin.at_window(HALL, "2", "call-next").await.expect(200);
        let told = two.until("CALL", &format!("请B00{n}号到本窗口")).await;
        assert_eq!(told.ttl, Some(Duration::from_secs(30)));
        worst = worst.max(told.at - asked);
        admin.at_window(HALL, "2", "start").await.expect(200);
        two.until("SERVE", &format!("B00{n} 正在办理中")).await;
        admin.at_window(HALL, "2", "complete").await.expect(200);
    }
    println!("from the clerk's key to the strip: {worst:?} at worst");
    assert!(worst < Duration::from_secs(1), "{worst:?}");
    assert!(
        one.told
            .borrow()
            .iter()
            .all(|told| !told.text.contains('B'))
    );
    let strip = until_strip(&admin, "s2", "online").await;
    assert!(
        strip["took_ms"].is_u64() && strip["fault"].is_null(),
        "{strip}"
    );

    // Taken off its wire, it is told to follow the staff, and nothing more.
    assert_eq!(
        admin
            .delete(&format!("/halls/{HALL}/strips/s2"))
            .await
            .status,
        204
    );
    two.until("TEXT", "请听工作人员").await;
    admin
        .get(&format!("/halls/{HALL}/strips/s2"))
        .await
        .refused(404, "unknown_strip");
}

#[actix_web::test]
async fn a_strip_that_comes_back_shows_what_is_so_now_and_flashes_nothing_old() {
    let mut server = server_with_strips().await;
    let admin = server.hall(HALL, 1).await;
    let device = json!({"id": "s1", "kind": "strip", "hall": HALL, "window": "1"});
    admin.post("/devices", device).await.expect(201);
    let strip = Emulator::start(Framing::Line).await;
    put_strip(&admin, "s1", "1", "line", &strip).await;
    admin.open_windows(HALL, &["1"]).await;
    strip.until("IDLE", "1号综合窗口").await;

    // Unplugged: offline at the next change, in its device's record too.
    strip.stop().await;
    called(&admin, "1").await;
    let offline = until_strip(&admin, "s1", "offline").await;
    assert!(offline["fault"].is_string(), "{offline}");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let devices = admin.get("/devices").await.expect(200);
        if devices["items"][0]["functions"]["display"]["code"] == "no_answer" {
            break;
        }
        assert!(Instant::now() < deadline, "{devices}");
    }
    admin.at_window(HALL, "1", "start").await.expect(200);
    strip.start_again().await;
    strip.until("SERVE", "B001 正在办理中").await;
    until_strip(&admin, "s1", "online").await;
    assert!(strip.told.borrow().iter().all(|told| told.what != "CALL"));

    // The server is killed: the strip falls back to its own words when the time is over.
    server.kill();
    let now = Instant::now();
    assert_eq!(strip.shows(now), "B001 正在办理中");
    assert_eq!(strip.shows(now + Duration::from_secs(31)), "欢迎光临");

    // It is back: the strip is set up still, and shows what is so, without a flash.
    strip.told.borrow_mut().clear();
    server.restart();
    strip.until("SERVE", "B001 正在办理中").await;
    // It ends in good order: no number stays.
    assert!(server.stop().success());
    strip.until("TEXT", "请听工作人员").await;
}

#[actix_web::test]
async fn a_strip_that_hangs_or_talks_nonsense_delays_nobody() {
    let server = server_with_strips().await;
    let admin = server.hall(HALL, 3).await;
    let strips = [
        Emulator::start(Framing::Line).await,
        Emulator::start(Framing::Line).await,
        Emulator::start(Framing::LineUdp).await,
    ];
    strips[0].manner.set(Manner::Hangs);
    strips[1].manner.set(Manner::TalksNonsense);
    put_strip(&admin, "s1", "1", "line", &strips[0]).await;
    put_strip(&admin, "s2", "2", "line", &strips[1]).await;
    put_strip(&admin, "s3", "3", "line_udp", &strips[2]).await;
    for (id, fault) in [("s1", "no_answer"), ("s2", "bad_answer")] {
        let strip = until_strip(&admin, id, "offline").await;
        assert_eq!(strip["fault"], fault, "{strip}");
    }
    until_strip(&admin, "s3", "online").await;
    admin.open_windows(HALL, &["1", "2", "3"]).await;
    for n in 1..=3 {
        admin.issue(HALL, "S1").await;
        let asked = Instant::now();
        admin
            .at_window(HALL, &n.to_string(), "call-next")
            .await
            .expect(200);
        assert!(
            asked.elapsed() < Duration::from_secs(1),
            "{:?}",
            asked.elapsed()
        );
    }
    let asked = Instant::now();
    strips[2].until("CALL", "请B003号到本窗口").await;
    assert!(asked.elapsed() < Duration::from_secs(1));
    // As soon as they answer they show the latest, not what piled up.
    for verb in ["start", "complete"] {
        admin.at_window(HALL, "2", verb).await.expect(200);
    }
    strips[1].manner.set(Manner::Answers);
    until_strip(&admin, "s2", "online").await;
    assert_eq!(strips[1].last().unwrap().text, "2号综合窗口");
}

/// A strip is a device without a page: what becomes of it is in the audit all the same, once.
#[actix_web::test]
async fn what_becomes_of_a_strip_is_in_the_audit() {
    let server = server_with_strips().await;
    let admin = server.hall(HALL, 1).await;
    server.device("s1", "strip", HALL).await;
    let strip = Emulator::start(Framing::Line).await;
    put_strip(&admin, "s1", "1", "line", &strip).await;
    until_strip(&admin, "s1", "online").await;
    strip.stop().await;
    until_strip(&admin, "s1", "offline").await;
    let told = audited(&admin, "device_fault").await;
    assert_eq!(told["object"], "s1");
    assert_eq!(told["detail"]["hall"], HALL);
    assert!(told.to_string().contains("no_answer"), "{told}");
    strip.start_again().await;
    until_strip(&admin, "s1", "online").await;
    assert_eq!(audited(&admin, "device_fault_over").await["object"], "s1");
}

/// The one row of an action, as soon as it is there.
async fn audited(admin: &Client, action: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let path = format!("/audit?action={action}");
        let rows = admin.get(&path).await.expect(200);
        match list(&rows["items"]) {
            [] => assert!(Instant::now() < deadline, "no row of {action}"),
            [row] => return row.clone(),
            more => panic!("{more:?}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[actix_web::test]
async fn vendors_strips_are_told_in_their_own_bytes() {
    let server = server_with_strips().await;
    let admin = server.hall(HALL, 2).await;
    let serial = Emulator::start(Framing::Jqueue).await;
    let card = Emulator::start(Framing::Cxt).await;
    put_strip(&admin, "s1", "1", "jqueue", &serial).await;
    put_strip(&admin, "s2", "2", "cxt", &card).await;
    admin.open_windows(HALL, &["1", "2"]).await;
    serial.until("-", "1号综合窗口").await;
    card.until("green", "2号综合窗口").await;
    called(&admin, "1").await;
    serial.until("-", "请B001号到本窗口").await;
    called(&admin, "2").await;
    card.until("yellow", "请B002号到本窗口").await;
    // The serial server is switched off and on: the next change finds it again.
    serial.stop().await;
    admin.at_window(HALL, "1", "start").await.expect(200);
    until_strip(&admin, "s1", "offline").await;
    serial.start_again().await;
    serial.until("-", "B001 正在办理中").await;
}

#[actix_web::test]
async fn a_strips_set_up_is_checked_and_bounded_to_its_networks() {
    let server = Server::start().await;
    let admin = server.hall(HALL, 1).await;
    let good =
        json!({"window": "1", "protocol": "cxt", "address": "10.9.8.7:8453", "size": "64x16"});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let path = format!("/halls/{HALL}/strips/s1");
    let bad = [
        ("window", json!("9")),
        ("protocol", json!("telnet")),
        ("size", json!("64x64")),
        ("zone", json!(256)),
        ("address", json!("10.9.8.7")),
        ("address", json!("10.9.8.7:22")),
        ("address", json!("127.0.0.1:5432")),
        ("address", json!("169.254.169.254:8080")),
        ("address", json!("8.8.8.8:5300")),
        ("address", json!("[::1]:8080")),
        ("address", json!("2130706433:8080")),
        ("address", json!("a b:8080")),
        ("colour", json!("red")),
    ];
    for (field, value) in bad {
        let refused = admin.put(&path, with(field, value.clone())).await;
        let problem = refused.refused(422, "invalid_field");
        assert!(
            field == "colour" || problem["field"] == field,
            "{value}: {problem}"
        );
    }
    assert_eq!(
        admin
            .get(&format!("/halls/{HALL}/strips"))
            .await
            .expect(200)["items"],
        json!([])
    );
    // A name is looked up by the link, and what it means must lie in the networks, too.
    admin
        .put(&path, with("address", json!("localhost:8080")))
        .await
        .expect(200);
    let strip = until_strip(&admin, "s1", "offline").await;
    assert_eq!(strip["fault"], "outside_networks", "{strip}");
}
