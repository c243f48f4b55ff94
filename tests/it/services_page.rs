//! On-line services on the operations page, in a real browser: what they told of, which went silent, and
//! that figures which are no longer fresh say so.

use serde_json::{Value, json};

use crate::desk_page::FAULTS;
use crate::desks::enter;
use crate::harness::{Client, Server};
use crate::webdriver::Browser;

const SIZES: [(u32, u32); 2] = [(1366, 768), (1920, 1080)];

/// An event of a service, so many days ago.
fn event(id: &str, what: (&str, &str, &str), days: i64, result: Option<&str>) -> Value {
    let (class, code, name) = what;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let ago = days * 86_400_000 + 60_000;
    let at = i64::try_from(now.unwrap().as_millis()).unwrap() - ago;
    let happened = if result.is_some() { "case" } else { "visit" };
    let (code_field, name_field) = match class {
        "page" => ("app_code", "page_url"),
        _ => ("item_code", "item_name"),
    };
    json!({
        "id": id, "event": happened, "class": class, code_field: code, name_field: name, "region_code": "430100",
        "region_name": "长沙市", "user_id": "u-1", "location": "28.2,112.9", "device_type": "phone",
        "at": rules::Timestamp::from_millis(at).rfc3339_utc(), "department": "人社局", "result": result,
    })
}

const REGISTER: (&str, &str, &str) = ("handling", "430100-01", "社保登记");
const ASK: (&str, &str, &str) = ("query", "430100-02", "公积金查询");

async fn tell(admin: &Client) {
    let mut all = Vec::new();
    for n in 0..10 {
        all.push(event(&format!("v{n}"), REGISTER, 0, None));
    }
    for n in 0..4 {
        let result = if n == 3 { "failed" } else { "accepted" };
        all.push(event(&format!("c{n}"), REGISTER, 0, Some(result)));
    }
    all.push(event("q1", ASK, 3, None));
    all.push(event("p1", ("page", "wdcs", "app/home"), 0, None));
    let told = admin
        .post("/telemetry/events", json!(all))
        .await
        .expect(200);
    assert_eq!(told["kept"], 16, "{told}");
}

async fn looks_well(browser: &Browser, name: &str) {
    for (width, height) in SIZES {
        browser.resize(width, height).await;
        let laid = "(window.laid = false, requestAnimationFrame(() => requestAnimationFrame(() => { window.laid = true; })), true)";
        browser.eval(laid).await;
        browser.until("window.laid").await;
        assert_eq!(browser.eval(FAULTS).await, json!([]), "{name} {width}");
        let wide = "Array.from(document.querySelectorAll('#services, #services .scroll')).filter((one) => one.scrollWidth > one.clientWidth + 1).length";
        assert_eq!(browser.eval(wide).await, json!(0), "{name} {width}");
        browser.shot(&format!("{name}-{width}")).await;
    }
}

/// D08 as engineers see it: empty, told of, silent, filtered, and old.
#[actix_web::test]
async fn services_show_visits_cases_and_results_and_which_went_silent() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let mut server = Server::start_to_come_back().await;
    let admin = server.hall("H1", 1).await;
    server.person("zhao", "engineer", &["*"]).await;
    server.person("li", "engineer", &["H1"]).await;
    browser.resize(1366, 768).await;
    enter(&browser, &server, "zhao", "/ops#services").await;
    browser
        .until("document.querySelector('#services').textContent.includes('没有线上服务上报')")
        .await;
    looks_well(&browser, "services-empty-zh").await;
    tell(&admin).await;
    for lang in ["zh-CN", "en"] {
        let path = format!("{}/ops?lang={lang}#services", server.base);
        browser.open(&path).await;
        browser
            .until("document.querySelectorAll('tr[data-service]').length === 3")
            .await;
        looks_well(&browser, &format!("services-{lang}")).await;
        if lang == "en" {
            let data = ".bar .btn, td, .filters";
            assert_eq!(browser.chinese_outside(data).await, json!([]));
        }
    }
    shows_what_was_told(&browser).await;

    server.kill();
    browser
        .until("document.querySelector('#services-age .stale') && document.querySelector('#services .note.bad') && !document.querySelector('#lost').hidden")
        .await;
    // What was known stands, marked as old.
    let rows = "document.querySelectorAll('tr[data-service]').length";
    assert_eq!(browser.eval(rows).await, json!(1));
    browser.shot("services-lost-en").await;
    server.restart();
    browser
        .until("!document.querySelector('#services-age .stale') && !document.querySelector('#services .note.bad')")
        .await;
    browser.eval("(localStorage.clear(), true)").await;
    browser.page.delete_all_cookies().await.unwrap();
    enter(&browser, &server, "li", "/ops#services").await;
    browser
        .until("document.querySelector('#main .note.warn').textContent.includes('全部大厅')")
        .await;
    browser.stop().await;
}

/// In English, at last with the silent ones alone.
async fn shows_what_was_told(browser: &Browser) {
    let row = browser.text("tr[data-service='430100-01']").await;
    for part in [
        "社保登记",
        "Handling",
        "长沙市",
        "人社局",
        "40",
        "accepted 3",
        "failed 1",
        "Heard of",
    ] {
        assert!(row.contains(part), "{part} is not in {row}");
    }
    let asked = browser
        .text("tr[data-service='430100-02'][data-silent=true]")
        .await;
    assert!(asked.contains("Silent for 3 d"), "{asked}");
    for (key, value) in [
        ("services", "3"),
        ("visits", "12"),
        ("cases", "4"),
        ("silent", "◆ 1"),
    ] {
        let shown = browser.text(&format!("[data-figure={key}] b")).await;
        assert_eq!(shown, value, "{key}");
    }
    let choose = "(() => { const pick = document.querySelector('[data-filter=\"service.state\"]'); pick.value = 'silent'; \
        pick.dispatchEvent(new Event('change')); return true; })()";
    browser.eval(choose).await;
    browser
        .until("document.querySelectorAll('tr[data-service]').length === 1 && document.querySelector('tr[data-silent=true]')")
        .await;
}
