//! The pages in a real browser: what people see, and how soon.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Client, Server};
use crate::webdriver::Browser;

const HALL: &str = "H1";

/// The board's state, as its body says it.
fn state_is(state: &str) -> String {
    format!("document.body.dataset.state === {state:?}")
}

/// A device of the hall that opens a page without a password.
async fn device(admin: &Client, kind: &str) -> String {
    let body = json!({"id": kind, "name": kind, "kind": kind, "hall": HALL});
    let answer = admin.post("/devices", body).await.expect(201);
    answer["token"].as_str().expect("a token").to_owned()
}

#[actix_web::test]
async fn a_visit_from_the_kiosk_over_the_phone_to_the_window() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall(HALL, 2).await;
    let kiosk = device(&admin, "kiosk").await;
    let clerk = json!({"username": "li", "name": "李", "roles": ["clerk"], "halls": [HALL],
        "password": "a long enough one"});
    admin.post("/users", clerk).await.expect(201);

    let token = take_a_number(&browser, &server, &kiosk).await;
    admin.issue(HALL, "S1").await;

    // The phone follows.
    let tab = browser.page.window().await.unwrap();
    let phone = browser.page.new_window(true).await.unwrap().handle;
    browser.page.switch_to_window(phone.clone()).await.unwrap();
    browser.resize(390, 844).await;
    browser.open(&format!("{}/t/{token}", server.base)).await;
    browser.until(&state_is("waiting")).await;
    assert_eq!(browser.text("#number").await, "B001");
    assert!(browser.text(".card").await.contains("下一位就是您"));
    assert!(browser.text(".card").await.contains("预计"));

    // The clerk signs in, first with a wrong password.
    browser.page.switch_to_window(tab.clone()).await.unwrap();
    browser.resize(1366, 768).await;
    sign_in(&browser, &server).await;
    work_at_the_window(&browser, &admin).await;

    browser.page.switch_to_window(phone.clone()).await.unwrap();
    browser.until(&state_is("called")).await;
    assert!(browser.text(".card").await.contains("请到1号窗口"));
    browser.page.switch_to_window(tab).await.unwrap();
    browser.press("Enter", "Enter", 1).await;
    browser
        .until("document.querySelector('#slot-ticket .tag.good')")
        .await;
    tokio::time::sleep(Duration::from_millis(1700)).await;
    browser.press("0", "Numpad0", 1).await;
    browser
        .until("!document.querySelector('#ticket-number')")
        .await;

    browser.page.switch_to_window(phone).await.unwrap();
    browser.until(&state_is("completed")).await;
    browser.click(".stars button:nth-child(5)").await;
    browser.click(".big.go:enabled").await;
    browser.until("document.querySelector('.card .band')").await;
    let ticket = admin
        .get(&format!("/halls/{HALL}/tickets/1"))
        .await
        .expect(200);
    assert_eq!(
        ticket["rating"]["stars"]
            .as_u64()
            .or(ticket["rating"].as_u64()),
        Some(5),
        "{ticket}"
    );
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    english(&browser, &server, &token).await;
    browser.stop().await;
}

/// Three steps: the service, no identity, the slip. Returns the slip's token.
async fn take_a_number(browser: &Browser, server: &Server, kiosk: &str) -> String {
    browser.resize(1080, 1920).await;
    browser
        .open(&format!("{}/kiosk/{HALL}?t={kiosk}", server.base))
        .await;
    browser.click("[data-service=S1]").await;
    browser.click("[data-choice='kiosk.skip']").await;
    browser.until("document.querySelector('#number')").await;
    assert_eq!(browser.text("#number").await, "B001");
    let inside =
        "document.querySelector('.done > .key').getBoundingClientRect().bottom < innerHeight";
    assert_eq!(
        browser.eval(inside).await,
        json!(true),
        "the whole slip is on the screen"
    );
    let code = browser
        .eval("document.querySelector('.slip img').getAttribute('src')")
        .await;
    let code = code.as_str().unwrap().to_owned();
    browser
        .until("document.querySelector('.slip img').naturalWidth > 0")
        .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    code.split('/').nth(2).unwrap().to_owned()
}

async fn sign_in(browser: &Browser, server: &Server) {
    browser
        .open(&format!(
            "{}/?next=%2Fconsole%3Fhall%3D{HALL}%26window%3D1",
            server.base
        ))
        .await;
    browser
        .until("document.querySelector('[name=password]')")
        .await;
    browser.keys("[name=username]", "li").await;
    browser.keys("[name=password]", "wrong").await;
    browser.click("form .btn.go").await;
    browser.until("document.querySelector('.said.bad')").await;
    assert!(browser.text(".said").await.contains("密码不正确"));
    browser
        .page
        .find(fantoccini::Locator::Css("[name=password]"))
        .await
        .unwrap()
        .clear()
        .await
        .unwrap();
    browser.keys("[name=password]", "a long enough one").await;
    browser.click("form .btn.go").await;
    browser.until("location.pathname === '/console'").await;
}

async fn work_at_the_window(browser: &Browser, admin: &Client) {
    // Enter opens the window; a key chosen anew calls at once, and twice pressed it calls one.
    let ready =
        "document.querySelector('#primary') && !document.querySelector('#primary').disabled";
    browser.until(ready).await;
    browser.press("Enter", "NumpadEnter", 1).await;
    browser
        .until("document.querySelector('[data-action=call_next]:enabled')")
        .await;
    rebind_calling(browser, "F7").await;
    browser.press("F2", "F2", 1).await;
    browser.press("F7", "F7", 2).await;
    browser
        .until("document.querySelector('#ticket-number')")
        .await;
    browser.press("F7", "F7", 2).await;
    browser
        .until("document.querySelector('#ticket-number').textContent === 'B001'")
        .await;
    browser.until("document.querySelector('.facts')").await;
    tokio::time::sleep(Duration::from_millis(1700)).await;
    let figures = admin.get(&format!("/halls/{HALL}")).await.expect(200)["figures"].clone();
    assert_eq!(
        (figures["called"].clone(), figures["waiting"].clone()),
        (json!(1), json!(1))
    );
    // The number pad's plus calls again.
    browser.press("+", "NumpadAdd", 1).await;
    browser
        .until("document.querySelector('#slot-ticket').textContent.includes('已呼叫 2 次')")
        .await;
    browser
        .until("document.querySelector('[data-action=start]:enabled')")
        .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

/// Gives "call next" another key in the keys' dialog.
async fn rebind_calling(browser: &Browser, key: &str) {
    browser
        .eval("document.querySelectorAll('#bar .btn')[0].click() || true")
        .await;
    let field = "dialog [data-action=call_next]";
    browser
        .until(&format!("document.querySelector('{field}')"))
        .await;
    let typed = format!(
        "document.querySelector('{field}').dispatchEvent(new KeyboardEvent('keydown', {{key: \
         {key:?}, code: {key:?}, bubbles: true, cancelable: true}})) || true"
    );
    browser.eval(&typed).await;
    browser
        .until(&format!(
            "document.querySelector('{field}').value === {key:?}"
        ))
        .await;
    browser.click("dialog .btn.go").await;
    browser.until("!document.querySelector('dialog')").await;
    let shown = "document.querySelector('#slot-keys [data-action=call_next] kbd').textContent";
    browser.until(&format!("{shown} === {key:?}")).await;
}

/// The pages of desks and visitors in English, where only names may be Chinese.
async fn english(browser: &Browser, server: &Server, token: &str) {
    let pages: [(String, &str); 4] = [
        (
            format!("/t/{token}?lang=en"),
            "document.querySelector('#number')",
        ),
        (
            format!("/kiosk/{HALL}?lang=en"),
            "document.querySelector('.tile')",
        ),
        (
            format!("/console?hall={HALL}&window=1&lang=en"),
            "document.querySelector('#primary')",
        ),
        (
            "/?lang=en".to_owned(),
            "document.querySelector('.hall-row')",
        ),
    ];
    for (path, ready) in pages {
        browser.open(&format!("{}{path}", server.base)).await;
        browser.until(ready).await;
        // the clerk's own name, the other language's name on a tile, the language switch
        let left = browser
            .chinese_outside("#bar > span, .bar > span, .tile small, button")
            .await;
        assert_eq!(left, Value::Array(Vec::new()), "{path}");
        let buttons = "Array.from(document.querySelectorAll('button')).filter((b) => b.offsetParent \
             && !b.matches('.tile') && b.textContent !== '中文' && \
             /[\\u4e00-\\u9fff]/.test(b.textContent)).length";
        assert_eq!(browser.eval(buttons).await, json!(0), "{path}");
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
