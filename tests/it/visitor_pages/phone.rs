//! The phone.

use serde_json::json;

use super::{
    HALL, ID_CARD, SOCIAL_CODE, booking_code, issued, open_kiosk, scan, step_is, traces_of,
};
use crate::harness::{CHINA, Server, list, text};
use crate::webdriver::Browser;

/// A page that may not keep a socket, as some messengers do to pages in the background; and a phone that notes each
/// time it is shaken.
const NO_SOCKETS: &str = "window.WebSocket = function () { setTimeout(() => this.onclose && this.onclose(), 5); this.close = () => {}; };";
const SHAKEN: &str = "navigator.vibrate = (pattern) => { (window.shaken = window.shaken || []).push(pattern.length); return true; };";

const PHONES: [(u32, u32); 2] = [(390, 844), (360, 640)];

async fn fits_phones(browser: &Browser, name: &str) {
    for (width, height) in PHONES {
        browser.resize(width, height).await;
        let wide = "document.documentElement.scrollWidth <= innerWidth && \
            Array.from(document.querySelectorAll('p, b, button, a, li')).every((n) => !n.offsetParent || n.scrollWidth <= n.clientWidth + 1)";
        assert_eq!(
            browser.eval(wide).await,
            json!(true),
            "{name} at {width}×{height}"
        );
        let targets = "Array.from(document.querySelectorAll('main button, main a')).every((n) => n.getBoundingClientRect().height >= 44)";
        assert_eq!(
            browser.eval(targets).await,
            json!(true),
            "{name} at {width}×{height}"
        );
        browser.shot(&format!("phone-{name}-{width}")).await;
    }
}

#[actix_web::test]
async fn a_phone_follows_its_number_from_the_queue_to_the_rating() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall(HALL, 1).await;
    let policy = json!({"postpone": {"places_max": 3, "times_max": 1}, "no_show_after_calls": 1});
    admin.put("/halls/H1/policy", policy).await.expect(200);
    admin.open_windows(HALL, &["1"]).await;
    for _ in 0..4 {
        admin.issue(HALL, "S1").await;
    }
    let mine = admin.issue(HALL, "S1").await;
    for _ in 0..3 {
        admin.issue(HALL, "S1").await;
    }
    browser.at_each_page(SHAKEN).await;
    let address = format!("{}/t/{}", server.base, text(&mine["token"]));
    browser.open(&address).await;
    browser.until(&state_is("waiting")).await;
    assert!(browser.text(".card").await.contains("前面还有 4 人"));
    browser.click("#number").await; // a page that was never touched may not shake the phone
    assert_eq!(
        browser
            .eval("document.querySelectorAll('.band').length")
            .await,
        json!(0)
    );
    fits_phones(&browser, "waiting").await;

    admin.serve_next(HALL, "1").await;
    browser.until("document.querySelector('.band')").await;
    assert_eq!(
        browser.eval("window.shaken").await,
        json!([1]),
        "shaken once"
    );
    fits_phones(&browser, "soon").await;
    browser.click("[data-places='2']").await;
    browser.shot("phone-postpone").await;
    browser.click("dialog .big.go").await;
    browser
        .until("document.querySelector('.card').textContent.includes('前面还有 5 人')")
        .await;
    assert_eq!(
        browser
            .eval("document.querySelectorAll('[data-places]').length")
            .await,
        json!(0)
    );

    for _ in 0..5 {
        admin.serve_next(HALL, "1").await;
    }
    admin.window(HALL, "1", "call-next", json!({})).await;
    browser.until(&state_is("called")).await;
    let title = browser.eval("document.title").await;
    assert_eq!(title, "【到号】B005→1号窗口");
    let shaken = browser.eval("window.shaken").await;
    assert_eq!(
        list(&shaken).iter().filter(|n| **n == 5).count(),
        1,
        "{shaken}"
    );
    fits_phones(&browser, "called").await;
    admin.window(HALL, "1", "no-show", json!({})).await;
    browser.until(&state_is("missed")).await;
    assert!(browser.text(".card").await.contains("可再激活 1 次"));
    fits_phones(&browser, "missed").await;
    let requeue = format!("/halls/H1/tickets/{}/requeue", mine["id"]);
    admin.post(&requeue, json!({})).await.expect(200);
    browser.until(&state_is("waiting")).await;
    for _ in 0..3 {
        let called = admin.window(HALL, "1", "call-next", json!({})).await;
        admin.window(HALL, "1", "start", json!({})).await;
        if called["ticket"]["number"] == "B005" {
            break;
        }
        admin.window(HALL, "1", "complete", json!({})).await;
    }
    browser.until(&state_is("serving")).await;
    admin.window(HALL, "1", "complete", json!({})).await;
    browser.until(&state_is("completed")).await;
    browser.click(".stars button:nth-child(4)").await;
    fits_phones(&browser, "rating").await;
    browser.click(".big.go:enabled").await;
    browser.until("document.querySelector('.card .band')").await;

    // Cancelled, with a question first; and a number that never was.
    let other = admin.issue(HALL, "S1").await;
    browser
        .open(&format!(
            "{}/t/{}?lang=en",
            server.base,
            text(&other["token"])
        ))
        .await;
    browser.until(&state_is("waiting")).await;
    assert_eq!(browser.chinese_outside("button").await, json!([]));
    fits_phones(&browser, "english").await;
    browser.click("main > div > .big.bad").await;
    browser.click("dialog .big.bad").await;
    browser.until(&state_is("cancelled")).await;
    browser
        .open(&format!("{}/t/H1.{}", server.base, "0".repeat(32)))
        .await;
    browser.until(&state_is("gone")).await;
    assert!(browser.text(".card").await.contains("号码不存在或已失效"));
    assert!(browser.text("main a").await.contains("重新取号"));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

#[actix_web::test]
async fn a_phone_whose_sockets_are_killed_asks_every_15_seconds_and_says_so() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let mut server = Server::start().await;
    let admin = server.hall(HALL, 1).await;
    admin.open_windows(HALL, &["1"]).await;
    let mine = admin.issue(HALL, "S1").await;
    browser.resize(390, 844).await;
    browser.at_each_page(NO_SOCKETS).await;
    browser
        .open(&format!("{}/t/{}", server.base, text(&mine["token"])))
        .await;
    browser.until(&state_is("waiting")).await;
    browser
        .until("document.getElementById('line').textContent.includes('每 15 秒')")
        .await;
    browser.shot("phone-polling").await;
    // Back in the foreground it asks at once.
    admin.window(HALL, "1", "call-next", json!({})).await;
    browser
        .eval("document.dispatchEvent(new Event('visibilitychange')) || true")
        .await;
    browser.until(&state_is("called")).await;
    let before = browser.eval("performance.now()").await.as_f64().unwrap();
    admin.window(HALL, "1", "start", json!({})).await;
    browser.until(&state_is("serving")).await;
    let waited = browser.eval("performance.now()").await.as_f64().unwrap() - before;
    assert!(waited < 17_000.0, "asked by itself after {waited} ms");
    // No answers any more: the page says that it is old.
    server.kill();
    browser
        .eval("document.dispatchEvent(new Event('visibilitychange')) || true")
        .await;
    browser
        .until("document.getElementById('line').classList.contains('bad')")
        .await;
    browser.stop().await;
}

/// A11 on the visitor's own phone.
#[actix_web::test]
async fn a_visitor_scans_the_halls_code_and_takes_a_number_on_the_phone() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall_in(CHINA, HALL, 1).await;
    let page = format!("{}/take/{HALL}", server.base);
    browser.resize(390, 844).await;
    browser.open(&page).await;
    browser.until(&state_is("off")).await;
    assert!(browser.text(".card").await.contains("不支持手机取号"));
    let options = json!({"options": {"visitor_issuing": true}});
    admin.put("/halls/H1", options).await.expect(200);
    browser.open(&page).await;
    browser
        .until("document.querySelector('[data-service=S1]')")
        .await;
    fits_phones(&browser, "take").await;
    browser.click("[data-service=S1]").await;
    browser.eval("(() => { const kind = document.querySelector('[name=kind]'); kind.value = 'id_card'; \
        kind.dispatchEvent(new Event('input')); kind.dispatchEvent(new Event('change')); return true; })()").await;
    browser.keys("[name=number]", "110105194912310021").await;
    browser.click("#go").await;
    browser.until("document.querySelector('.said')").await;
    assert!(browser.text(".said").await.contains("校验码不符"));
    fits_phones(&browser, "take-form").await;
    browser.eval("(() => { const at = document.querySelector('[name=number]'); at.value = ''; return true; })()").await;
    browser.keys("[name=number]", ID_CARD).await;
    browser
        .keys("[name=booked]", &booking_code("AP7", 5, 35))
        .await;
    browser.click("#go").await;
    browser.until("location.pathname.startsWith('/t/')").await;
    browser.until(&state_is("waiting")).await;
    let listed = admin.get("/halls/H1/tickets").await.expect(200);
    let ticket = &listed["items"][0];
    assert_eq!(
        (&ticket["channel"], &ticket["holder"]["kind"]),
        (&json!("scan"), &json!("id_card"))
    );
    assert_eq!(issued(&admin).await, 1);
    // Scanned again, the page leads back to the number.
    browser.open(&page).await;
    browser.until("document.querySelector('.no')").await;
    assert!(browser.text(".card").await.contains("您在本大厅已有号码"));
    assert_eq!(browser.eval(&traces_of(ID_CARD)).await, json!([]));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// One visitor is refused and walks away; the next one's code begins afresh.
#[actix_web::test]
async fn a_code_read_after_a_refusal_has_nothing_of_the_visitor_before() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall_in(CHINA, HALL, 1).await;
    browser.resize(1920, 1080).await;
    open_kiosk(&browser, &server, &admin, "").await;
    scan(&browser, ID_CARD).await;
    browser
        .until("!document.getElementById('known').hidden")
        .await;
    scan(&browser, &booking_code("AP1", 90, 120)).await;
    browser.until(&step_is("refused")).await;

    // A card: only its own last signs are shown.
    scan(&browser, SOCIAL_CODE).await;
    browser
        .click("[data-choice='kiosk.social_security_code']")
        .await;
    browser
        .until("!document.getElementById('known').hidden")
        .await;
    assert!(browser.text("#known").await.contains("1728"));
    assert_eq!(browser.eval(&traces_of("002X")).await, json!([]));
    // An appointment: it is not given in another's name.
    scan(&browser, &booking_code("AP2", 90, 120)).await;
    browser.until(&step_is("refused")).await;
    scan(&browser, &booking_code("AP3", 5, 35)).await;
    browser.until("document.querySelector('#number')").await;
    let listed = admin.get("/halls/H1/tickets").await.expect(200);
    assert_eq!(list(&listed["items"]).len(), 1);
    assert!(listed["items"][0]["holder"].is_null(), "{listed}");
    assert_eq!(browser.eval(&traces_of("1728")).await, json!([]));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// Answers of the server that are done but get lost: the page is told that it is unavailable.
const LOST_ANSWERS: &str = "window.keys = []; window.losing = 0; const ask = window.fetch; \
    window.fetch = async (url, options) => { \
      const answer = await ask(url, options); \
      if (options.method !== 'POST') return answer; \
      window.keys.push(options.headers['Idempotency-Key']); \
      if (!window.losing) return answer; \
      window.losing -= 1; \
      return new Response(JSON.stringify({code: 'unavailable', detail: 'lost'}), \
        {status: 503, headers: {'Content-Type': 'application/problem+json'}}); };";

/// The same key for the same wish until the server has said yes or no, also after going back.
#[actix_web::test]
async fn a_wish_on_the_phone_whose_answer_is_lost_is_asked_again_and_counts_once() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall(HALL, 1).await;
    let options = json!({"options": {"visitor_issuing": true}});
    admin.put("/halls/H1", options).await.expect(200);
    let policy = json!({"postpone": {"places_max": 3, "times_max": 2}});
    admin.put("/halls/H1/policy", policy).await.expect(200);
    browser.resize(390, 844).await;
    browser.at_each_page(LOST_ANSWERS).await;
    browser.open(&format!("{}/take/{HALL}", server.base)).await;
    browser.click("[data-service=S1]").await;
    browser.until("document.querySelector('#go')").await;
    browser.eval("(window.losing = 2)").await;
    let lost = "document.querySelector('.said') && document.querySelector('#go:enabled')";
    browser.click("#go").await;
    browser.until(lost).await;
    browser.click("#go").await;
    browser.until("window.keys.length === 2").await;
    browser.until(lost).await;
    // Back to the services, and the same wish again.
    browser.click("main .big:not(.go)").await;
    browser.click("[data-service=S1]").await;
    let keys = browser.eval("window.keys").await;
    browser.click("#go").await;
    browser.until("location.pathname.startsWith('/t/')").await;
    browser.until(&state_is("waiting")).await;
    assert_eq!(keys[0], keys[1]);
    assert_eq!(issued(&admin).await, 1, "one ticket for one wish");

    for _ in 0..3 {
        admin.issue(HALL, "S1").await;
    }
    for losing in [1, 0] {
        browser
            .eval(&format!("(window.losing = {losing}, true)"))
            .await;
        browser.click("[data-places='1']").await;
        browser.click("dialog .big.go").await;
        browser
            .until(&format!("window.keys.length === {}", 2 - losing))
            .await;
    }
    browser
        .until("document.querySelector('.card').textContent.includes('前面还有 1 人')")
        .await;
    let keys = browser.eval("window.keys").await;
    assert_eq!(keys[0], keys[1], "postponed once");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

fn state_is(state: &str) -> String {
    format!("document.body.dataset.state === {state:?}")
}
