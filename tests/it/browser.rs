//! The pages in a real browser: what people see, and how soon.

use std::net::TcpListener;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::{Client, Server};
use crate::webdriver::Browser;

const HALL: &str = "H1";

/// Sizes of screens that hang in halls, and the number that the board must show in full there.
const SCREENS: [(u32, u32); 3] = [(1920, 1080), (1080, 1920), (3840, 1080)];

/// What a board may never do: scroll, or cut a number, a window or a name. A line of text is judged
/// by the height of its signs, not by the font's generous line.
const CUT_OFF: &str = "(() => {
    const bad = [];
    const page = document.documentElement;
    if (page.scrollWidth > innerWidth || page.scrollHeight > innerHeight) bad.push('the page scrolls');
    for (const node of document.querySelectorAll('.big-no, .big-win, .row-no, .row-win, .row-service, .tile-name, .tile-count, .tile-more, .missed-list, .head-name, .head-clock, .foot p')) {
        if (!node.offsetParent || !node.textContent) continue;
        const box = node.getBoundingClientRect();
        const sign = parseFloat(getComputedStyle(node).fontSize) * 0.4;
        const middle = (box.top + box.bottom) / 2;
        let frame = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
        const around = node.closest('.big, .row, .tile');
        if (around) frame = around.getBoundingClientRect();
        const wide = node.scrollWidth > node.clientWidth + 1;
        const outside = box.left < frame.left - 1 || box.right > frame.right + 1 || middle - sign < frame.top || middle + sign > frame.bottom;
        if (wide || outside) bad.push(node.className + ': ' + node.textContent);
    }
    return bad;
})()";

/// Notes in the page when each number came on top and when each state began, by the wall clock, so
/// that a slow driver does not count, and every call that blinked.
const WATCH: &str = "(() => {
    window.onTop = {};
    window.began = {};
    window.blinked = [];
    const look = () => {
        const top = document.querySelector('#now .big-no');
        if (top && !window.onTop[top.textContent]) window.onTop[top.textContent] = Date.now();
        const state = document.body.dataset.state;
        if (!window.began[state]) window.began[state] = Date.now();
        for (const node of document.querySelectorAll('.fresh')) window.blinked.push(node.textContent);
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
    look();
    return true;
})()";

fn wall_clock_ms() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
        * 1000.0
}

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

async fn call_at(admin: &Client, window: &str) -> String {
    let answer = admin.at_window(HALL, window, "call-next").await.expect(200);
    answer["ticket"]["number"]
        .as_str()
        .expect("a number")
        .to_owned()
}

#[actix_web::test]
async fn the_board_shows_each_call_at_once_and_says_when_it_is_out_of_date() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    // The same port again after the restart, as in a hall.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let address = format!("127.0.0.1:{port}");
    let settings = [("HALLKEEPER__SERVER__ADDR", address.as_str())];
    let mut server = Server::start_with(&settings, &[]).await;
    let admin = server.hall(HALL, 8).await;
    let screen = device(&admin, "screen").await;
    browser.resize(1920, 1080).await;
    browser
        .open(&format!("{}/board/{HALL}?t={screen}", server.base))
        .await;
    browser.until(&state_is("live")).await;

    // Empty, then closed, then open again.
    let address_line = browser.eval("location.href").await;
    assert!(
        !address_line.as_str().unwrap().contains(&screen),
        "the token left the address"
    );
    browser
        .until("document.querySelector('#notice').textContent.includes('暂无叫号')")
        .await;
    admin
        .post(&format!("/halls/{HALL}/close"), json!({}))
        .await
        .expect(200);
    browser
        .until("document.querySelector('#notice').textContent.includes('当前未开放服务')")
        .await;
    admin
        .post(&format!("/halls/{HALL}/open"), json!({}))
        .await
        .expect(200);
    browser
        .until("document.querySelector('#notice').textContent.includes('暂无叫号')")
        .await;

    // Each call is on top within a second, and blinks.
    for n in 1..=8 {
        admin
            .issue(HALL, if n % 2 == 0 { "S1" } else { "S2" })
            .await;
        admin
            .at_window(HALL, &n.to_string(), "open")
            .await
            .expect(200);
    }
    browser.eval(WATCH).await;
    let mut newest = String::new();
    for n in 1..=8 {
        newest = call_at(&admin, &n.to_string()).await;
        let answered = wall_clock_ms();
        browser.until(&format!("window.onTop[{newest:?}]")).await;
        let shown = browser.eval(&format!("window.onTop[{newest:?}]")).await;
        let after = shown.as_f64().unwrap() - answered;
        assert!(
            after < 1000.0,
            "{newest} was shown {after} ms after its call"
        );
    }
    let blinked = browser.eval("window.blinked").await.to_string();
    assert!(blinked.contains(&newest), "{newest} is not among {blinked}");
    assert!(browser.text("#now .big-win").await.contains('8'));
    assert_eq!(
        browser
            .eval("document.querySelectorAll('#recent .row').length")
            .await,
        json!(6)
    );
    assert_eq!(browser.text("#waiting-all").await, "0");

    // A recall puts an older number on top again.
    let older = browser.text("#recent .row-no").await;
    admin.at_window(HALL, "6", "recall").await.expect(200);
    browser
        .until(&format!(
            "document.querySelector('#now .big-no').textContent === {older:?}"
        ))
        .await;

    for (width, height) in SCREENS {
        browser.resize(width, height).await;
        browser
            .until(&format!(
                "innerWidth === {width} && innerHeight === {height}"
            ))
            .await;
        assert_eq!(browser.eval(CUT_OFF).await, json!([]), "{width}×{height}");
    }
    browser.resize(1920, 1080).await;

    // The server dies: the board says so in time and keeps its numbers.
    browser.until("!document.querySelector('.fresh')").await;
    browser.eval(WATCH).await;
    let died = wall_clock_ms();
    server.kill();
    browser.until(&state_is("stale")).await;
    let stale = browser.eval("window.began.stale").await.as_f64().unwrap() - died;
    assert!(stale < 4000.0, "stale after {stale} ms");
    assert!(browser.text("#line").await.contains("连接中断"));
    assert_eq!(browser.text("#now .big-no").await, older);

    // It is back: live again, and nothing old blinks.
    server.restart();
    browser.until(&state_is("live")).await;
    browser
        .until(&format!(
            "document.querySelector('#now .big-no').textContent === {older:?}"
        ))
        .await;
    assert_eq!(browser.eval("window.blinked").await, json!([]));
    assert_eq!(browser.text("#now .big-no").await, older);

    // A new call blinks again. The clerk's old session still holds.
    admin.at_window(HALL, "8", "start").await.expect(200);
    admin.at_window(HALL, "8", "complete").await.expect(200);
    admin.issue(HALL, "S1").await;
    let next = call_at(&admin, "8").await;
    assert_ne!(next, newest);
    browser
        .until(&format!(
            "document.querySelector('#now .fresh .big-no').textContent === {next:?}"
        ))
        .await;

    browser
        .open(&format!("{}/board/{HALL}?lang=en", server.base))
        .await;
    browser
        .until("document.querySelector('#now .big-no')")
        .await;
    assert_eq!(browser.text("#hall-name").await, "Service center");
    assert_eq!(browser.chinese_outside("none").await, json!([]));
    assert_eq!(browser.eval(CUT_OFF).await, json!([]), "in English");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
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
    tokio::time::sleep(Duration::from_millis(700)).await;
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
    tokio::time::sleep(Duration::from_millis(900)).await;
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
