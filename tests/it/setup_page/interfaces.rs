//! Interfaces: versions, keys and what the page lists.

use awc::http::Method;
use serde_json::{Value, json};

use super::Page;
use crate::desks::enter;
use crate::harness::{list, text};

/// Issue: an interface from nothing to a granted call through the gateway, and back, without the API.
#[actix_web::test]
async fn an_interface_is_set_up_checked_granted_and_taken_back_on_the_page() {
    let Some(page) = Page::open("/setup", &["*"]).await else {
        return;
    };
    let (browser, base) = (&page.browser, page.server.base.clone());
    browser
        .until("document.querySelector('tr[data-channel=own-live]')")
        .await;
    // By keyboard: the link has the focus and is followed with Enter.
    browser
        .eval("(document.querySelector('#add').focus(), true)")
        .await;
    browser.keys("#add", "\n").await;
    browser
        .until("document.querySelector('[name=channel]')")
        .await;
    page.set("channel", "pay").await;
    page.set("name", "缴费平台").await;
    page.set("name_en", "Payment").await;
    assert!(page.refused("provider").await.contains("不符合要求"));
    page.set("provider", "bank").await;
    page.set("direction", "through").await;
    page.set("limits.slow_ms", "1.5").await;
    assert!(
        page.refused("limits.slow_ms")
            .await
            .contains("1 至 3600000")
    );
    page.set("limits.slow_ms", "800").await;
    page.set("upstream", "on").await;
    page.set("upstream.url", "ftp://elsewhere").await;
    assert!(
        page.refused("upstream.url")
            .await
            .contains("以 http 或 https 开头")
    );
    page.set("upstream.url", &base).await;
    page.set("upstream.max_request_bytes", "0.5").await;
    page.set("upstream.request_headers", "no colon").await;
    assert!(
        page.refused("upstream.request_headers")
            .await
            .contains("no colon")
    );
    page.set(
        "upstream.request_headers",
        "X-City: Changsha\nAuthorization: Basic secret",
    )
    .await;
    page.set("upstream.request_headers.remove", "X-Debug").await;
    page.set("probe.kind", "http").await;
    page.set("probe.url", &format!("{base}/healthz")).await;
    page.set("probe.status", "99-200").await;
    assert!(page.refused("probe.status").await.contains("200-299"));
    page.set("probe.status", "200").await;
    page.set("probe.every_secs", "600").await;
    page.looks_well("setup-channel-new-zh").await;
    page.send().await;
    browser
        .until("document.querySelector('#channel-top') && location.hash.includes('id=pay')")
        .await;

    let one = page.admin.get("/channels/pay").await.expect(200);
    let setup = &one["setup"];
    assert_eq!(setup["name"], json!({"zh": "缴费平台", "en": "Payment"}));
    assert_eq!(
        (
            &setup["limits"]["slow_ms"],
            &setup["limits"]["consecutive_failures"]
        ),
        (&json!(800), &json!(5))
    );
    assert_eq!(setup["upstream"]["max_request_bytes"], 512 * 1024);
    assert_eq!(setup["upstream"]["connect_ms"], 2000);
    assert_eq!(
        setup["upstream"]["request_headers"],
        json!({"set": {"Authorization": "***", "X-City": "Changsha"}, "remove": ["X-Debug"]})
    );
    assert_eq!(
        (&setup["probe"]["status"], &setup["probe"]["every_secs"]),
        (&json!([200, 200]), &json!(600))
    );

    checks_and_changes(&page).await;
    grants_and_takes_back(&page).await;
    page.end().await;
}

/// "Check now" tells what it found, well and ill; what is changed is changed and nothing else.
async fn checks_and_changes(page: &Page) {
    let browser = &page.browser;
    browser.click("[data-do='channel.check']").await;
    browser
        .until("document.querySelector('[data-checked=ok]')")
        .await;
    let told = browser.text("#checked").await;
    assert!(
        told.contains("接口正常应答") && told.contains("200") && told.contains("正常"),
        "{told}"
    );
    page.set("probe.status", "500-599").await;
    page.send().await;
    browser
        .until("document.querySelector('form .said.good')")
        .await;
    browser.click("[data-do='channel.check']").await;
    browser
        .until("document.querySelector('[data-checked=failed]')")
        .await;
    let told = browser.text("#checked").await;
    assert!(
        told.contains("未正常应答") && told.contains("状态码不符"),
        "{told}"
    );
    let setup = page.admin.get("/channels/pay").await.expect(200)["setup"].clone();
    assert_eq!(setup["probe"]["status"], json!([500, 599]));
    assert_eq!(
        (
            &setup["limits"]["slow_ms"],
            &setup["upstream"]["max_request_bytes"]
        ),
        (&json!(800), &json!(512 * 1024))
    );
    asks_before_it_undoes(page).await;
    // Announced work, and its end.
    browser.click("[data-do='channel.maintain']").await;
    browser
        .until("document.querySelector('dialog [name=reason]')")
        .await;
    page.set("reason", "换证书").await;
    page.send().await;
    browser
        .until("document.querySelector('#channel-top [data-health=maintenance]')")
        .await;
    browser.click("[data-do='channel.maintain-end']").await;
    browser
        .until("!document.querySelector('#channel-top [data-health=maintenance]')")
        .await;
}

/// Somebody else changed it while the form was open: nothing is put back, and what was typed stays.
async fn asks_before_it_undoes(page: &Page) {
    let browser = &page.browser;
    let mut theirs = page.admin.get("/channels/pay").await.expect(200)["setup"].clone();
    theirs["provider"] = json!("another bank");
    page.admin.put("/channels/pay", theirs).await.expect(200);
    page.set("name_en", "Pay").await;
    page.send().await;
    browser.until("document.querySelector('#changed')").await;
    browser.shot("setup-changed-zh").await;
    let told = browser.text("form .said.bad").await;
    assert!(told.contains("设置已被他人修改"), "{told}");
    let typed = browser
        .eval("document.querySelector('[name=name_en]').value")
        .await;
    assert_eq!(typed, json!("Pay"));
    let setup = page.admin.get("/channels/pay").await.expect(200)["setup"].clone();
    assert_eq!(
        (&setup["provider"], &setup["name"]["en"]),
        (&json!("another bank"), &json!("Payment"))
    );
    browser.click("#changed .btn").await;
    let anew = "document.querySelector('[name=provider]') && document.querySelector('[name=provider]').value === 'another bank'";
    browser.until(anew).await;
    page.set("name_en", "Pay").await;
    page.send().await;
    browser
        .until("document.querySelector('form .said.good')")
        .await;
}

async fn call(page: &Page, key: &str) -> u16 {
    let headers = [("X-Api-Key", key)];
    let caller = page.server.visitor();
    caller
        .send(Method::GET, "/gateway/pay/v1/healthz", None, &headers)
        .await
        .status
}

/// A version and a key from draft to the end: the key that is shown once opens the gateway, until it is taken back.
async fn grants_and_takes_back(page: &Page) {
    let browser = &page.browser;
    browser.click("[data-do=version]").await;
    browser
        .until("document.querySelector('dialog [name=version]')")
        .await;
    page.set("version", "has blanks").await;
    assert!(page.refused("version").await.contains("至多 32 个"));
    page.set("version", "v1").await;
    page.send().await;
    browser
        .until("document.querySelector('[data-version=v1] [data-state=draft]')")
        .await;
    browser.click("[data-version=v1] .btn").await;
    browser.click("dialog .btn.go").await;
    browser
        .until("document.querySelector('[data-version=v1] [data-state=published]')")
        .await;
    browser.click("[data-do=grant]").await;
    browser
        .until("document.querySelector('dialog [name=caller]')")
        .await;
    assert!(page.refused("caller").await.contains("1 至 64"));
    page.set("caller", "我的长沙").await;
    page.set("version", "v1").await;
    page.send().await;
    browser.until("document.querySelector('#key')").await;
    let key = browser.text("#key").await;
    assert_eq!(key.len(), 48, "{key}");
    browser.shot("setup-key-zh").await;
    browser.click("dialog .btn.go").await;
    browser
        .until("document.querySelector('[data-grant=\"1\"][data-state=now]')")
        .await;
    let left = browser.eval("document.documentElement.innerHTML").await;
    assert!(!text(&left).contains(&key), "the key is shown once");
    assert_eq!(call(page, &key).await, 200);
    browser.click("[data-grant=\"1\"] .btn.bad").await;
    browser
        .until("document.querySelector('dialog [name=reason]')")
        .await;
    page.send().await;
    browser
        .until("document.querySelector('[data-grant=\"1\"][data-state=revoked]')")
        .await;
    assert_eq!(call(page, &key).await, 403);
    browser.click("[data-version=v1] .btn.bad").await;
    browser
        .until("document.querySelector('dialog [name=reason]')")
        .await;
    page.send().await;
    browser
        .until("document.querySelector('[data-version=v1] [data-state=revoked]')")
        .await;
    page.looks_well("setup-channel-zh").await;
    let one = page.admin.get("/channels/pay").await.expect(200);
    assert_eq!(
        list(&one["grants"])
            .iter()
            .map(|one| text(&one["caller"]))
            .collect::<Vec<_>>(),
        ["我的长沙"]
    );
}

/// Both languages and sizes, full and empty; nobody sees what is of other halls, and only engineers get in.
#[actix_web::test]
async fn the_lists_are_whole_in_both_languages_and_within_ones_halls() {
    let Some(page) = Page::open("/setup", &["H1"]).await else {
        return;
    };
    let browser = &page.browser;
    let empty = "document.querySelector('#channel-list').textContent.includes('还没有登记接口')";
    browser.until(empty).await;
    page.looks_well("setup-channels-empty-zh").await;
    for (id, hall) in [("sms", Value::Null), ("reports", json!("H1"))] {
        let setup = json!({"name": {"zh": "上报接口", "en": "Reports"}, "provider": "province", "direction": "outbound", "hall": hall,
            "group": "部级", "probe": {"kind": "tcp", "address": "127.0.0.1:9"}, "upstream": {"url": "http://127.0.0.1:9/api/{version}"}});
        page.admin
            .put(&format!("/channels/{id}"), setup)
            .await
            .expect(200);
    }
    page.admin
        .post("/channels/reports/versions", json!({"version": "2.1"}))
        .await
        .expect(200);
    page.admin
        .post("/channels/reports/grants", json!({"caller": "app"}))
        .await
        .expect(201);
    for lang in ["zh-CN", "en"] {
        browser
            .open(&format!("{}/setup?lang={lang}", page.server.base))
            .await;
        browser
            .until("document.querySelector('tr[data-channel=reports]')")
            .await;
        assert_eq!(
            browser
                .eval("document.querySelectorAll('tr[data-channel]').length")
                .await,
            json!(1)
        );
        page.looks_well(&format!("setup-channels-{lang}")).await;
        browser.click("tr[data-channel=reports] a").await;
        browser
            .until("document.querySelector('[data-grant]')")
            .await;
        page.looks_well(&format!("setup-one-{lang}")).await;
        if lang == "en" {
            assert_eq!(
                browser.chinese_outside(".bar .btn, .as-is, select").await,
                json!([])
            );
        }
    }
    // One of the whole city is not theirs: said in words, with a way to try again.
    browser
        .open(&format!(
            "{}/setup?lang=zh-CN#channels?id=sms",
            page.server.base
        ))
        .await;
    browser
        .until("document.querySelector('#setup .note.bad')")
        .await;
    browser.shot("setup-refused-zh").await;
    page.server.person("chen", "supervisor", &["*"]).await;
    browser.eval("(localStorage.clear(), true)").await;
    browser.page.delete_all_cookies().await.unwrap();
    enter(browser, &page.server, "chen", "/setup").await;
    browser
        .until("document.querySelector('#setup .note.warn').textContent.includes('运维工程师') && document.querySelector('#bar a[href=\"/\"]') && document.querySelectorAll('#bar button').length === 2")
        .await;
    page.end().await;
}
