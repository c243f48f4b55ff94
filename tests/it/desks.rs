//! The desks of the staff in a real browser: the console in trouble and in its narrow form, the
//! floor, and what a manager sees before saving.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE, Server, text};
use crate::webdriver::Browser;

const HALL: &str = "H1";

/// Whether the page is wider than its window, or a text is cut off.
const CUT_OFF: &str = "(() => { const bad = []; const page = document.documentElement; \
    if (page.scrollWidth > innerWidth) bad.push('the page scrolls sideways'); \
    for (const node of document.querySelectorAll('.spot .no, .spot .what, .spot .name, .ticket-no, .keys .btn, #primary, .bar h1')) { \
    if (node.offsetParent && node.scrollWidth > node.clientWidth + 1) bad.push(node.className + ': ' + node.textContent); } \
    return bad; })()";

/// Signs in with the page's own means, and goes on to a page.
pub async fn enter(browser: &Browser, server: &Server, username: &str, path: &str) {
    browser.open(&format!("{}/", server.base)).await;
    browser
        .until("document.querySelector('[name=password]')")
        .await;
    browser.keys("[name=username]", username).await;
    browser.keys("[name=password]", "long-enough-7").await;
    browser.click("form .btn.go").await;
    browser.until("document.querySelector('.hall-row')").await;
    browser.open(&format!("{}{path}", server.base)).await;
}

fn signal(server: &Server, name: &str) {
    let pid = server.pid().to_string();
    let sent = Command::new("kill").args([name, &pid]).status();
    assert!(sent.is_ok_and(|status| status.success()));
}

async fn called(admin: &Client) -> (Value, Value) {
    let hall = admin.get(&format!("/halls/{HALL}")).await.expect(200);
    (
        hall["figures"]["called"].clone(),
        hall["figures"]["waiting"].clone(),
    )
}

/// C01 and P01: one key a step in the narrow form; a slow server is announced; a lost one leaves
/// the number, the words and the line on the screen, and nobody is called twice.
#[actix_web::test]
async fn the_console_in_its_narrow_form_lives_through_a_slow_and_a_lost_server() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let mut server = Server::start_to_come_back().await;
    let admin = server.hall(HALL, 1).await;
    let clerk = server.person("wang", "clerk", &[HALL]).await;
    clerk.open_windows(HALL, &["1"]).await;
    for _ in 0..6 {
        admin.issue(HALL, "S1").await;
    }
    browser.resize(1366, 768).await;
    let page = format!("/console?hall={HALL}&window=1");
    enter(&browser, &server, "wang", &page).await;
    let ready = "document.querySelector('[data-action=call_next]:enabled')";
    browser.until(ready).await;
    assert_eq!(browser.eval(CUT_OFF).await, json!([]), "1366×768");
    let inside = "document.documentElement.scrollHeight <= innerHeight";
    assert_eq!(browser.eval(inside).await, json!(true), "1366×768");

    browser.resize(360, 620).await;
    browser
        .open(&format!("{}{page}&form=strip", server.base))
        .await;
    browser.until(ready).await;
    assert_eq!(browser.eval(CUT_OFF).await, json!([]), "narrow");
    let keys = "document.querySelector('.keys').getBoundingClientRect().bottom < innerHeight";
    assert_eq!(browser.eval(keys).await, json!(true));

    // The server hangs: one press and a second one, and the page says that it works on it.
    signal(&server, "-STOP");
    browser.press("F2", "F2", 2).await;
    browser
        .until("document.querySelector('.said-line.busy')")
        .await;
    assert!(browser.text(".said-line").await.contains("处理中"));
    browser.press("F2", "F2", 1).await;
    signal(&server, "-CONT");
    browser
        .until("(document.querySelector('#ticket-number') || {}).textContent === 'B001'")
        .await;
    tokio::time::sleep(Duration::from_millis(1600)).await;
    browser.press("F2", "F2", 1).await;
    browser.press("F4", "F4", 1).await;
    browser
        .until("document.querySelector('.ticket[data-state=serving]')")
        .await;
    assert_eq!(called(&admin).await, (json!(0), json!(5)));

    // The server is gone.
    browser
        .until("document.querySelectorAll('#next-panel li').length === 1")
        .await;
    server.kill();
    browser.until("document.querySelector('#away')").await;
    let words = browser.text("#away").await;
    assert!(words.contains("断网：可人工叫号，恢复后补录"), "{words}");
    assert_eq!(browser.text("#ticket-number").await, "B001");
    assert_eq!(
        browser
            .eval("document.querySelectorAll('#next-panel li').length")
            .await,
        json!(5),
        "the whole line that was known"
    );
    let blocked = "document.querySelector('[data-action=call_next]').disabled";
    assert_eq!(browser.eval(blocked).await, json!(true));
    server.restart();
    browser.until("!document.querySelector('#away')").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    browser.press("0", "Numpad0", 1).await;
    browser.until(ready).await;

    // Calling by itself is off until asked for.
    assert_eq!(called(&admin).await, (json!(0), json!(5)));
    browser.click("#auto").await;
    browser
        .until("(document.querySelector('#ticket-number') || {}).textContent === 'B002'")
        .await;
    browser
        .open(&format!("{}{page}&form=strip&lang=en", server.base))
        .await;
    browser
        .until("document.querySelector('#ticket-number')")
        .await;
    assert_eq!(browser.chinese_outside("none").await, json!([]));
    assert_eq!(browser.eval(CUT_OFF).await, json!([]), "narrow, in English");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// The floor's states in shape, word and colour; clerks' names for supervisors alone; a screen that
/// hangs it up is a device like any other.
#[actix_web::test]
async fn the_floor_shows_every_window_and_names_clerks_to_supervisors_only() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let mut server = Server::start().await;
    let admin = server.hall(HALL, 5).await;
    server.person("chen", "supervisor", &[HALL]).await;
    let clerk = server.person("wang", "clerk", &[HALL]).await;
    clerk.open_windows(HALL, &["1", "2", "3", "4"]).await;
    for _ in 0..4 {
        admin.issue(HALL, "S1").await;
    }
    clerk.serve_next(HALL, "1").await;
    clerk.window(HALL, "1", "call-next", json!({})).await;
    clerk.window(HALL, "1", "start", json!({})).await;
    clerk.window(HALL, "2", "call-next", json!({})).await;
    let lunch = json!({"reason": "午间值守"});
    clerk.window(HALL, "3", "pause", lunch).await;
    let path = format!("/floor/{HALL}");
    enter(&browser, &server, "chen", &path).await;
    for (window, word) in [
        ("1", "● 办理中"),
        ("2", "◆ 叫号中"),
        ("3", "‖ 暂停服务"),
        ("5", "– 未开窗"),
    ] {
        browser
            .until(&format!(
                "(document.querySelector('[data-window=\"{window}\"] .what') || {{}}).textContent === {word:?}"
            ))
            .await;
    }
    browser
        .until("document.querySelector('[data-window=\"1\"] .who').textContent === 'wang'")
        .await;
    // Free for a quarter of a minute while somebody waits.
    browser
        .until("document.querySelector('[data-window=\"4\"].unused')")
        .await;
    let words = browser.text("[data-window='4'] .what").await;
    assert_eq!(words, "▲ 空闲 · 1 人在等");
    browser.click("[data-window='1']").await;
    browser
        .until("document.querySelector('[data-drill=\"1\"]')")
        .await;
    let drill = browser.text("[data-drill='1']").await;
    for part in ["B002", "wang", "B001", "已办结"] {
        assert!(drill.contains(part), "{part} is not in {drill}");
    }
    for (width, height) in [(1024, 768), (1366, 768), (1920, 1080)] {
        browser.resize(width, height).await;
        browser.until(&format!("innerWidth === {width}")).await;
        assert_eq!(browser.eval(CUT_OFF).await, json!([]), "{width}×{height}");
    }
    browser
        .open(&format!("{}{path}?lang=en", server.base))
        .await;
    browser.until("document.querySelector('.spot')").await;
    browser
        .until("document.querySelector('[data-window=\"3\"] .who').textContent")
        .await;
    // A pause's reason is the clerk's own words, windows are named by the hall.
    let left = browser.chinese_outside(".who, .name, .btn").await;
    assert_eq!(left, json!([]));
    assert_eq!(browser.eval(CUT_OFF).await, json!([]), "in English");

    // On a screen's own token: the same states, and nobody's name.
    let screen = server.device("hall-tablet", "screen", HALL).await;
    admin.delete("/users/chen").await;
    let token = screen.token.clone().unwrap();
    browser
        .open(&format!("{}{path}?t={token}&lang=zh-CN", server.base))
        .await;
    browser.until("document.querySelector('.spot')").await;
    assert!(!browser.text("body").await.contains("wang"));
    screen
        .get(&format!("/halls/{HALL}/floor"))
        .await
        .refused(403, "forbidden");
    let began = std::time::Instant::now();
    let seen = loop {
        let listed = admin
            .get(&format!("/halls/{HALL}/devices"))
            .await
            .expect(200);
        if listed["summary"]["online"] == 1 {
            break listed["items"][0].clone();
        }
        assert!(began.elapsed() < PATIENCE, "{listed}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(seen["report"]["page"], path.as_str());
    assert_eq!(seen["report"]["viewport"], "1920x1080");
    assert_eq!(seen["newest_build"], true);
    assert!(
        text(&seen["report"]["browser"]).starts_with("Chrome/"),
        "{seen}"
    );
    let order = |verb: &str| format!("/halls/{HALL}/devices/hall-tablet/{verb}");
    admin.post(&order("identify"), json!({})).await.expect(200);
    browser.until("document.querySelector('#identify')").await;
    assert!(browser.text("#identify").await.contains("hall-tablet"));
    browser.until("!document.querySelector('#identify')").await;
    browser.eval("(window.before = true)").await;
    admin.post(&order("reload"), json!({})).await.expect(200);
    browser.until("!window.before").await;
    browser.until("document.querySelector('.spot')").await;

    let pause = format!("/halls/{HALL}/pause-issuing");
    admin.post(&pause, json!({})).await.expect(200);
    browser.until("document.querySelector('.note.warn')").await;
    server.kill();
    browser.until("document.querySelector('.note.bad')").await;
    assert!(browser.text(".note.bad").await.contains("连接中断"));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// A large hall on the wall of its office: 42 windows in three zones, all in one view.
#[actix_web::test]
async fn a_floor_of_42_windows_is_seen_whole_at_1920_by_1080() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall(HALL, 42).await;
    server.person("chen", "supervisor", &[HALL]).await;
    let zone = |id: &str, name: &str| json!({"id": id, "name": {"zh": name, "en": id}});
    let zones = [zone("A", "A区"), zone("B", "B区"), zone("C", "C区")];
    let options = json!({"options": {"zones": zones}});
    let path = format!("/halls/{HALL}");
    admin.put(&path, options).await.expect(200);
    for n in 1..=42 {
        let zone = ["A", "B", "C"][(n - 1) / 14];
        let name = json!({"zh": format!("{n}号综合窗口"), "en": format!("Window {n}")});
        let plan = json!({"name": name, "services": ["S1", "S2"], "zone": zone});
        let path = format!("/halls/{HALL}/windows/{n}");
        admin.put(&path, plan).await.expect(200);
    }
    admin.open_windows(HALL, &["1", "2", "3", "20"]).await;
    admin.issue(HALL, "S1").await;
    admin.window(HALL, "1", "call-next", json!({})).await;
    browser.resize(1920, 1080).await;
    for lang in ["zh-CN", "en"] {
        enter(
            &browser,
            &server,
            "chen",
            &format!("/floor/{HALL}?lang={lang}"),
        )
        .await;
        browser
            .until("document.querySelectorAll('.spot').length === 42")
            .await;
        browser
            .until("document.querySelector('[data-window=\"1\"] .who').textContent.trim()")
            .await;
        browser.shot(&format!("floor-42-{lang}")).await;
        let page = "[document.documentElement.scrollHeight, innerHeight]";
        let page = browser.eval(page).await;
        assert!(page[0].as_u64() <= page[1].as_u64(), "{lang}: {page}");
        assert_eq!(browser.eval(CUT_OFF).await, json!([]), "{lang}");
        browser.eval("(localStorage.clear(), true)").await;
        browser.page.delete_all_cookies().await.unwrap();
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// A manager changes the policy in the form and sees the order it gives before anything is saved.
#[actix_web::test]
async fn a_manager_sees_the_order_of_a_changed_policy_before_saving_it() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall(HALL, 1).await;
    server.person("zhou", "manager", &[HALL]).await;
    let green = json!({"green": {"tags": ["elderly"]}});
    admin
        .put(&format!("/halls/{HALL}/policy"), green)
        .await
        .expect(200);
    for tags in [json!([]), json!([]), json!(["elderly"]), json!(["elderly"])] {
        let wish = json!({"service": "S1", "tags": tags});
        admin
            .post(&format!("/halls/{HALL}/tickets"), wish)
            .await
            .expect(201);
    }
    browser.resize(1366, 768).await;
    enter(&browser, &server, "zhou", "/manage#policy").await;
    browser
        .until("document.querySelector('[data-do=preview]')")
        .await;
    let ratio = "(() => { const f = document.querySelector('form').elements; f.mix.value = 'ratio'; \
         f.mix.dispatchEvent(new Event('change')); f.priority.value = 1; return true; })()";
    browser.eval(ratio).await;
    browser.click("[data-do=preview]").await;
    browser
        .until("document.querySelector('[data-preview=S1]')")
        .await;
    let line = |row: u32| {
        format!(
            "document.querySelectorAll('[data-preview=S1] tr')[{row}].querySelector('td').textContent.trim()"
        )
    };
    assert_eq!(browser.eval(&line(0)).await, "B003 B004 B001 B002");
    assert_eq!(browser.eval(&line(1)).await, "B003 ▲B001 ▼B004 B002");
    let policy = admin
        .get(&format!("/halls/{HALL}/policy"))
        .await
        .expect(200);
    assert_eq!(policy["mix"]["kind"], "strict", "nothing is saved");

    // The devices' desk: one kiosk out of paper.
    let kiosk = server.device("kiosk-1", "kiosk", HALL).await;
    let fault = json!({"faults": [{"function": "print", "code": "paper_out"}]});
    kiosk.post("/device/report", fault).await.expect(200);
    browser.eval("(location.hash = '#devices')").await;
    browser
        .until("document.querySelector('[data-device=kiosk-1][data-state=online]')")
        .await;
    assert!(browser.text("#devices-sum").await.contains("在线 1/1"));
    let print = "[data-device=kiosk-1] [data-function=print]";
    assert_eq!(browser.text(print).await, "✕ 打印 缺纸");
    // Registering shows the token once, with an address and a code for the camera.
    browser.click("section .btn.go").await;
    browser
        .until("document.querySelector('dialog [name=id]')")
        .await;
    browser.keys("dialog [name=id]", "wall").await;
    browser.click("dialog .btn.go").await;
    browser
        .until("(document.querySelector('#device-code') || {}).naturalWidth > 0")
        .await;
    let address = browser.text("#device-address").await;
    assert!(address.contains("/board/H1?t="), "{address}");
    browser.click("dialog .btn.go").await;
    browser
        .until("document.querySelector('[data-device=wall][data-state=never]')")
        .await;
    for tab in ["today", "setup", "policy", "devices"] {
        browser
            .open(&format!("{}/manage?x={tab}&lang=en#{tab}", server.base))
            .await;
        browser
            .until("document.querySelector('main section h2')")
            .await;
        let left = browser
            .chinese_outside("td, .bar button, [data-preview]")
            .await;
        assert_eq!(left, json!([]), "{tab}");
        assert_eq!(browser.eval(CUT_OFF).await, json!([]), "{tab}");
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}
