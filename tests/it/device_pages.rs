//! What people see of devices in a real browser: lost functions, use and old software in the
//! manager's list, and the people that cameras count on the floor.

use serde_json::json;

use crate::desks::enter;
use crate::harness::{Server, SetClock};
use crate::webdriver::Browser;

const HALL: &str = "H1";

/// A10-1, A10-2 as the manager sees them: who is online, what is lost, what is left.
#[actix_web::test]
async fn a_manager_sees_lost_functions_use_and_old_software() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    server.hall(HALL, 1).await;
    server.person("zhou", "manager", &[HALL]).await;
    for (id, kind, said) in [
        (
            "kiosk-1",
            "kiosk",
            json!({"faults": [{"function": "print", "code": "paper_out"}],
                "usage": {"run": "r", "used": {"print": 37, "scan": 12}}}),
        ),
        ("reader-1", "reader", json!({"version": "2.9"})),
        ("reader-2", "reader", json!({"version": "2.10"})),
        ("camera-1", "camera", json!({})),
    ] {
        let device = server.device(id, kind, HALL).await;
        device.post("/device/report", said).await.expect(200);
    }
    server.device("rater-1", "rater", HALL).await;
    browser.resize(1366, 768).await;
    for (lang, online, printing, used, old) in [
        (
            "zh-CN",
            "4/5",
            "✕ 打印 缺纸",
            "今日使用：打印 37、扫码 12",
            "旧版本 2.9，应为 2.10",
        ),
        (
            "en",
            "4/5",
            "✕ Printing out of paper",
            "Used today: Printing 37, Scanning 12",
            "Old version 2.9, expected 2.10",
        ),
    ] {
        let path = format!("/manage?hall={HALL}&lang={lang}#devices");
        enter(&browser, &server, "zhou", &path).await;
        browser
            .until("document.querySelector('[data-device=kiosk-1]')")
            .await;
        browser.shot(&format!("manage-devices-{lang}")).await;
        assert!(browser.text("#devices-sum").await.contains(online));
        let kiosk = "[data-device=kiosk-1] ";
        let lost = browser.text(&format!("{kiosk}[data-function=print]")).await;
        assert_eq!(lost, printing);
        for left in ["issue", "scan", "display"] {
            let shown = format!("document.querySelector('{kiosk}[data-function={left}]').dataset");
            assert_eq!(browser.eval(&shown).await["available"], "true", "{left}");
        }
        assert_eq!(browser.text("[data-usage=kiosk-1]").await, used);
        let marked = browser.text("[data-device=reader-1] [data-old]").await;
        assert!(marked.contains(old), "{marked}");
        browser.eval("(localStorage.clear(), true)").await;
        browser.page.delete_all_cookies().await.unwrap();
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// AC-A09-3 on the floor, in words and not in colour alone.
#[actix_web::test]
async fn the_floor_shows_the_people_counted_and_says_when_the_count_is_old() {
    let (Some(browser), Some(clock)) = (Browser::start().await, SetClock::new()) else {
        return;
    };
    let settings = clock.settings();
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let server = Server::start_with(&settings, &[]).await;
    let admin = server.hall(HALL, 6).await;
    server.person("chen", "supervisor", &[HALL]).await;
    for _ in 0..12 {
        admin.issue(HALL, "S1").await;
    }
    let camera = server.device("camera-1", "camera", HALL).await;
    browser.resize(1366, 768).await;
    let mut ahead = 0;
    for (lang, fresh, old) in [
        ("zh-CN", "● 实时", "⚠ 数据已过时"),
        ("en", "● live", "⚠ stale: counted"),
    ] {
        let told = json!({"people": 180});
        camera
            .post(&format!("/halls/{HALL}/occupancy"), told)
            .await
            .expect(200);
        let path = format!("/floor/{HALL}?lang={lang}");
        enter(&browser, &server, "chen", &path).await;
        let shown = |words: &str| {
            format!(
                "document.querySelector('.counted b').textContent === '180' && \
                 document.querySelector('.counted').textContent.includes({words:?})"
            )
        };
        browser.until(&shown(fresh)).await;
        browser.shot(&format!("floor-counted-{lang}")).await;
        let waiting = "document.querySelector('.totals').textContent.includes('12')";
        assert_eq!(browser.eval(waiting).await, json!(true));
        ahead += 61;
        clock.set_ahead(ahead);
        browser.until(&shown(old)).await;
        browser.shot(&format!("floor-stale-{lang}")).await;
        browser.eval("(localStorage.clear(), true)").await;
        browser.page.delete_all_cookies().await.unwrap();
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// A kiosk that a manager opens to look at it, without a device's token, is a whole kiosk.
#[actix_web::test]
async fn a_kiosk_opened_by_a_manager_never_says_that_it_is_cut_off() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    server.hall(HALL, 1).await;
    server.person("zhou", "manager", &[HALL]).await;
    browser.resize(1080, 1920).await;
    // Whatever the page says at any moment is remembered.
    let listen = "window.said = []; new MutationObserver(() => { const main = document.getElementById('main'); \
        if (main && document.getElementById('line').textContent.includes('●')) window.said.push(main.textContent); })\
        .observe(document, {subtree: true, childList: true, characterData: true})";
    browser.at_each_page(listen).await;
    enter(&browser, &server, "zhou", &format!("/kiosk/{HALL}")).await;
    browser
        .until("document.querySelector('[data-service=S1]')")
        .await;
    let cut_off =
        "window.said.filter((words) => words.includes('连接中断') || words.includes('断开'))";
    assert_eq!(browser.eval(cut_off).await, json!([]));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}

/// A09-1 as the visitor sees it: asked, answered for, rated and thanked, in both languages.
#[actix_web::test]
async fn a_visitor_rates_on_the_rater_with_one_touch() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall(HALL, 1).await;
    admin.open_windows(HALL, &["1"]).await;
    browser.resize(800, 480).await;
    for (lang, stars) in [("zh-CN", 5), ("en", 2)] {
        let body =
            json!({"id": format!("rater-{stars}"), "kind": "rater", "hall": HALL, "window": "1"});
        let added = admin.post("/devices", body).await.expect(201);
        let address = added["address"].as_str().unwrap();
        browser.open(&format!("{address}&lang={lang}")).await;
        browser
            .until("document.body.dataset.step === 'rest' && document.querySelector('#line').textContent.includes('●')")
            .await;
        browser.shot(&format!("rater-rest-{lang}")).await;
        let ticket = admin.issue(HALL, "S1").await;
        admin.serve_next(HALL, "1").await;
        browser
            .until("document.querySelectorAll('[data-stars]').length === 5")
            .await;
        assert_eq!(
            browser.text("#number").await,
            ticket["number"].as_str().unwrap()
        );
        let outside = "[...document.querySelectorAll('button')].filter((b) => { const box = b.getBoundingClientRect(); \
            return box.right > innerWidth || box.bottom > innerHeight || b.scrollWidth > b.clientWidth + 1 || \
            b.scrollHeight > b.clientHeight + 1; }).length";
        assert_eq!(browser.eval(outside).await, json!(0), "{lang}");
        browser.shot(&format!("rater-ask-{lang}")).await;
        browser.click(&format!("[data-stars='{stars}']")).await;
        browser
            .until("document.body.dataset.step === 'thanks'")
            .await;
        browser.shot(&format!("rater-thanks-{lang}")).await;
        let path = format!("/halls/{HALL}/tickets/{}", ticket["id"]);
        let rated = admin.get(&path).await.expect(200);
        assert_eq!(rated["rating"]["stars"], stars, "{rated}");
        let device = format!("/devices/rater-{stars}");
        assert_eq!(admin.delete(&device).await.status, 204);
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.stop().await;
}
