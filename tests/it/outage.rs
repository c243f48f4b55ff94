//! A real outage: the server is killed while it calls, and the board hears of nothing for 20 s.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE, Server, list, text};
use crate::webdriver::Browser;

const HALL: &str = "H1";
const AWAY: Duration = Duration::from_secs(20);

/// Notes in the page when each state began, what came on top in which order, and when which call
/// began to be heard, all by the wall clock. Sounds run at three times their speed.
const WATCH: &str = "window.began = {}; window.tops = []; window.heard = []; \
    const play = HTMLMediaElement.prototype.play; \
    HTMLMediaElement.prototype.play = function () { \
      const part = /voice\\/([A-Z0-9]+)\\/[0-9]+\\.wav/.exec(this.src); \
      if (part) { \
        window.heard.push({ number: part[1], at: Date.now() }); \
        this.defaultPlaybackRate = 3; this.playbackRate = 3; \
      } \
      return play.call(this); }; \
    document.addEventListener('DOMContentLoaded', () => new MutationObserver(() => { \
      const state = document.body.dataset.state; \
      if (!window.began[state]) window.began[state] = Date.now(); \
      const top = (document.querySelector('#now .big-no') || {}).textContent; \
      if (top && window.tops[window.tops.length - 1] !== top) window.tops.push(top); \
    }).observe(document.body, { subtree: true, childList: true, attributes: true }));";

/// The wire between a board and its server, which can be cut.
struct Relay {
    address: String,
    wire: Arc<Mutex<Wire>>,
}

#[derive(Default)]
struct Wire {
    /// Where the server is; nothing while the wire is cut.
    server: Option<String>,
    open: Vec<TcpStream>,
}

impl Relay {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let wire: Arc<Mutex<Wire>> = Arc::default();
        let shared = Arc::clone(&wire);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let mut wire = shared.lock().unwrap();
                let far = wire.server.as_ref().map(TcpStream::connect);
                if let Some(Ok(far)) = far {
                    carry(&near, &far);
                    carry(&far, &near);
                    wire.open.extend([near, far]);
                }
            }
        });
        Self { address, wire }
    }

    fn lead_to(&self, server: &Server) {
        let address = server.base.trim_start_matches("http://").to_owned();
        self.wire.lock().unwrap().server = Some(address);
    }

    fn cut(&self) {
        let mut wire = self.wire.lock().unwrap();
        wire.server = None;
        for stream in wire.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn carry(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}

fn wall_clock_ms() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs_f64() * 1000.0
}

async fn millis(browser: &Browser, script: &str) -> f64 {
    browser.eval(script).await.as_f64().expect(script)
}

/// Waits until the hall's voice has nothing more to say.
async fn all_is_said(admin: &Client) -> Value {
    let began = Instant::now();
    loop {
        let voice = admin.get("/halls/H1/voice/-").await.expect(200);
        if voice["saying"].is_null() && list(&voice["waiting"]).is_empty() {
            return voice;
        }
        assert!(began.elapsed() < PATIENCE * 2, "{voice}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Two calls right before the server is killed and one right after it is back, all unheard by the
/// board: out of date within 4 s, live within 5 s, all three shown in order, none said when old.
#[actix_web::test]
async fn a_board_cut_off_from_a_killed_server_shows_what_it_missed_and_says_nothing_old() {
    let flag = "--autoplay-policy=no-user-gesture-required";
    let Some(browser) = Browser::start_with(&[flag]).await else {
        return;
    };
    let mut server = Server::start_to_come_back().await;
    let relay = Relay::start();
    relay.lead_to(&server);
    let admin = server.hall(HALL, 4).await;
    admin.open_windows(HALL, &["1", "2", "3", "4"]).await;
    for _ in 0..4 {
        admin.issue(HALL, "S1").await;
    }
    browser.at_each_page(WATCH).await;
    let device = json!({"id": "board", "kind": "screen", "hall": HALL});
    let added = admin.post("/devices", device).await.expect(201);
    let token = text(&added["token"]);
    let page = format!("http://{}/board/{HALL}?t={token}", relay.address);
    browser.open(&page).await;
    browser.until("window.began.live").await;
    let mut called = Vec::new();
    let call = async |window: &str| {
        let answer = admin.at_window(HALL, window, "call-next").await.expect(200);
        let number = text(&answer["ticket"]["number"]).to_owned();
        (number, wall_clock_ms())
    };
    called.push(call("1").await);
    browser
        .until("window.heard.length && window.tops.length")
        .await;
    all_is_said(&admin).await;

    // The wire is cut, two more are called, and the server is gone.
    browser
        .eval("(window.began = {}, window.heard = [], true)")
        .await;
    relay.cut();
    let cut = wall_clock_ms();
    called.push(call("2").await);
    called.push(call("3").await);
    server.kill();
    let killed = Instant::now();
    browser.until("window.began.stale").await;
    let stale = millis(&browser, "window.began.stale").await - cut;
    assert!(stale <= 4000.0, "out of date after {stale} ms");
    assert_eq!(browser.text("#now .big-no").await, "B001");
    assert!(browser.text("#line").await.contains("连接中断 数据截至"));

    tokio::time::sleep(AWAY.saturating_sub(killed.elapsed())).await;
    let started = wall_clock_ms();
    server.restart();
    called.push(call("4").await);
    relay.lead_to(&server);
    browser.until("window.began.live").await;
    let live = millis(&browser, "window.began.live").await - started;
    assert!(live <= 5000.0, "live {live} ms after the start");

    let voice = all_is_said(&admin).await;
    browser
        .until("window.tops[window.tops.length - 1] === 'B004'")
        .await;
    let numbers: Vec<&str> = called.iter().map(|(number, _)| number.as_str()).collect();
    assert_eq!(browser.eval("window.tops").await, json!(numbers));
    let heard = browser.eval("window.heard").await;
    assert!(!list(&heard).is_empty(), "nothing said: {voice}");
    for one in list(&heard) {
        let (number, at) = (text(&one["number"]), one["at"].as_f64().unwrap());
        let of = called.iter().find(|(called, _)| called == number);
        let age = at - of.expect(number).1;
        assert!(age <= 30_000.0, "{number} was said after {age} ms");
    }
    let order: Vec<&str> = list(&heard)
        .iter()
        .map(|one| text(&one["number"]))
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}
