//! The voice in a real browser: what is played, in which order, and what a silent one says.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Client, Server, list, text};
use crate::webdriver::Browser;

/// Notes what the page plays and how it ends. Sounds run at four times their speed, and B003 is not there.
const EAR: &str = "window.heard = []; const play = HTMLMediaElement.prototype.play; \
    HTMLMediaElement.prototype.play = function () { \
      const part = /voice\\/([A-Z0-9]+)\\/[0-9]+\\.wav\\?chime=(true|false)/.exec(this.src); \
      if (part) { \
        const name = part[1] + (part[2] === 'true' ? '*' : ''); \
        const over = new AbortController(); \
        const hear = (what) => { over.abort(); window.heard.push(what); }; \
        this.addEventListener('ended', () => hear(name), {signal: over.signal}); \
        this.addEventListener('error', () => hear(name + '!'), {signal: over.signal}); \
        if (part[1] === 'B003') this.src = '/none.wav'; \
        this.defaultPlaybackRate = 4; this.playbackRate = 4; \
      } \
      return play.call(this); };";

async fn board(browser: &Browser, server: &Server, admin: &Client) {
    let device = json!({"id": "board", "kind": "screen", "hall": "H1"});
    let added = admin.post("/devices", device).await.expect(201);
    let token = text(&added["token"]);
    browser
        .open(&format!("{}/board/H1?t={token}", server.base))
        .await;
    browser
        .until("document.body.dataset.state === 'live'")
        .await;
}

/// Two calls fifty milliseconds apart are both heard, in their order; a sound that is not there
/// does not silence the next call.
#[actix_web::test]
async fn quick_calls_are_heard_in_order_and_a_missing_sound_silences_nobody() {
    let flag = "--autoplay-policy=no-user-gesture-required";
    let Some(browser) = Browser::start_with(&[flag]).await else {
        return;
    };
    let ear = json!({"source": EAR});
    browser
        .devtools("Page.addScriptToEvaluateOnNewDocument", ear)
        .await;
    let server = Server::start().await;
    let admin = server.hall("H1", 4).await;
    admin.open_windows("H1", &["1", "2", "3", "4"]).await;
    board(&browser, &server, &admin).await;
    let none = json!({});
    for _ in 0..4 {
        admin.issue("H1", "S1").await;
    }
    for window in ["1", "2"] {
        admin.window("H1", window, "call-next", none.clone()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let heard = hears(&browser, 4).await;
    assert_eq!(heard, ["B001*", "B001", "B002*", "B002"]);
    for window in ["3", "4"] {
        admin.window("H1", window, "call-next", none.clone()).await;
    }
    browser.until("window.heard.includes('B004')").await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let heard = browser.eval("window.heard.slice(4)").await;
    assert_eq!(heard, json!(["B003*!", "B004*", "B004"]));
    let state = admin.get("/halls/H1/voice/-").await.expect(200);
    assert_eq!(state["speaker"]["device"], "device:board");
    assert_eq!(list(&state["dropped"])[0]["reason"], "failed");
    assert!(state["saying"].is_null(), "{state}");
    browser.stop().await;
}

async fn hears(browser: &Browser, count: usize) -> Vec<String> {
    let began = Instant::now();
    loop {
        let heard = browser.eval("window.heard").await;
        let heard: Vec<String> = list(&heard)
            .iter()
            .map(|one| text(one).to_owned())
            .collect();
        if heard.len() >= count {
            // Whatever follows would follow within a moment.
            tokio::time::sleep(Duration::from_millis(1500)).await;
            let later = browser.eval("window.heard.length").await;
            assert_eq!(later, json!(heard.len()));
            return heard;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "{heard:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A browser that lets no page be heard says so on the board, leaves the voice to others, and
/// speaks after a touch.
#[actix_web::test]
async fn a_board_that_may_not_be_heard_asks_for_a_touch() {
    let flag = "--autoplay-policy=document-user-activation-required";
    let Some(browser) = Browser::start_with(&[flag]).await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    board(&browser, &server, &admin).await;
    browser
        .until("!document.querySelector('#sound').hidden")
        .await;
    let state = admin.get("/halls/H1/voice/-").await.expect(200);
    assert_eq!(state["speaker"], Value::Null);
    browser.click("#sound").await;
    browser
        .until("document.querySelector('#sound').hidden")
        .await;
    let began = Instant::now();
    while admin.get("/halls/H1/voice/-").await.expect(200)["speaker"].is_null() {
        assert!(began.elapsed() < Duration::from_secs(10), "no speaker");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    browser.stop().await;
}
