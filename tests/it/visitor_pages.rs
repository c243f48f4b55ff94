//! Kiosk, phone and scan-to-take in a real browser: what a visitor touches, scans and sees.

mod kiosk;
mod phone;

use rules::time::{TimeZone, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Client, Server, text};
use crate::webdriver::Browser;

const HALL: &str = "H1";
const ID_CARD: &str = "11010519491231002X";
const SOCIAL_CODE: &str = "DE45F6F7F9A8E6A4B1C2D3E4F5061728";

/// Nothing of a visitor in the page, its address or what the browser keeps.
fn traces_of(what: &str) -> String {
    format!(
        "[document.documentElement.outerHTML, location.href, JSON.stringify(localStorage), \
         JSON.stringify(sessionStorage), document.title, String(document.getElementById('main').looks)]\
         .filter((kept) => kept.includes({what:?}))"
    )
}

fn step_is(step: &str) -> String {
    format!("document.body.dataset.step === {step:?}")
}

async fn open_kiosk(browser: &Browser, server: &Server, admin: &Client, rest: &str) {
    let body = json!({"id": "kiosk", "name": "kiosk", "kind": "kiosk", "hall": HALL});
    let token = admin.post("/devices", body).await.expect(201);
    let token = text(&token["token"]);
    browser
        .open(&format!("{}/kiosk/{HALL}?t={token}{rest}", server.base))
        .await;
    browser
        .until("document.querySelector('[data-service=S1]')")
        .await;
}

/// A reader types quickly and ends with Enter, whatever has the focus.
async fn scan(browser: &Browser, code: &str) {
    // In one go: a pause between two keys would make two codes of one.
    let script = format!(
        "(() => {{ for (const key of [...{code:?}, 'Enter']) document.dispatchEvent(new \
         KeyboardEvent('keydown', {{key, bubbles: true, cancelable: true}})); return true; }})()"
    );
    browser.eval(&script).await;
}

async fn issued(admin: &Client) -> Value {
    admin.get("/halls/H1/figures").await.expect(200)["figures"]["issued"].clone()
}

/// An appointment's code from and to so many minutes from now, in the hall's time.
fn booking_code(number: &str, from_min: i64, to_min: i64) -> String {
    let at = |min: i64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let millis = i64::try_from(now.unwrap().as_millis()).unwrap() + min * 60_000;
        let clock = TimeZone::SHANGHAI.rfc3339(Timestamp::from_millis(millis));
        let digits: String = clock
            .chars()
            .filter(char::is_ascii_digit)
            .take(12)
            .collect();
        digits
    };
    format!("HKA.{number}.S1.{}.{}", at(from_min), at(to_min))
}
