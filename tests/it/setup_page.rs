//! The set-up of interfaces and feeds in a real browser: made, refused with the field that is wrong, changed,
//! checked, and used as it was set up.

use awc::http::Method;
use serde_json::{Value, json};

use crate::desks::enter;
use crate::harness::{Client, Server, list, text};
use crate::webdriver::Browser;

const SIZES: [(u32, u32); 2] = [(1366, 768), (1920, 1080)];

/// What is cut off, lies outside, or has no words in this language. The page itself may scroll down.
const FAULTS: &str = "(() => { const bad = []; const page = document.documentElement; \
    if (page.scrollWidth > innerWidth) bad.push('the page scrolls sideways'); \
    for (const node of document.querySelectorAll('.btn, .tabs a, .bar h1, .field > span, .field select, td, th, h2, h3')) { \
      if (!node.offsetParent) continue; const box = node.getBoundingClientRect(); \
      if (node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== 'inline') bad.push('cut: ' + node.textContent); \
      if (box.right > innerWidth + 1 && !node.closest('.scroll')) bad.push('outside: ' + node.textContent); } \
    for (const node of document.querySelectorAll('.scroll')) if (node.scrollWidth > node.clientWidth + 1) bad.push('scrolls: ' + node.textContent.slice(0, 60)); \
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); \
    while (walk.nextNode()) if (/^[a-z]+(-[a-z]+)*\\.[a-z_.-]+$/.test(walk.currentNode.data.trim()) && !walk.currentNode.parentElement.closest('.id, .as-is, textarea, script')) bad.push('no words: ' + walk.currentNode.data); \
    return bad; })()";

/// A page of the set-up, open for an engineer.
struct Page {
    browser: Browser,
    server: Server,
    admin: Client,
}

impl Page {
    async fn open(path: &str, halls: &[&str]) -> Option<Self> {
        let browser = Browser::start().await?;
        let server = Server::start().await;
        let admin = server.hall("H1", 2).await;
        server.person("zhao", "engineer", halls).await;
        browser.resize(1366, 768).await;
        enter(&browser, &server, "zhao", path).await;
        browser
            .until("document.querySelector('#line').textContent.includes('●')")
            .await;
        Some(Self {
            browser,
            server,
            admin,
        })
    }

    /// Puts a value into a field, as typing it does.
    async fn set(&self, name: &str, value: &str) {
        let root = "(document.querySelector('dialog') || document.querySelector('#setup'))";
        let script = format!(
            "(() => {{ const input = {root}.querySelector('[name=\"{name}\"]'); if (input.type === 'checkbox') input.checked = {value:?} === 'on'; \
             else input.value = {value:?}; input.dispatchEvent(new Event('input', {{bubbles: true}})); \
             input.dispatchEvent(new Event('change', {{bubbles: true}})); return input.value === {value:?} || input.checked === ({value:?} === 'on'); }})()"
        );
        assert_eq!(self.browser.eval(&script).await, json!(true), "{name}");
    }

    /// Sends the form, or that of the dialog, which then closes.
    async fn send(&self) {
        let dialog = self
            .browser
            .eval("Boolean(document.querySelector('dialog'))");
        if dialog.await == json!(true) {
            self.browser.click("dialog [type=submit]").await;
            self.browser
                .until("!document.querySelector('dialog form')")
                .await;
        } else {
            self.browser.click("#setup form [type=submit]").await;
        }
    }

    /// Sends what cannot be: the words stand at the field, which has the focus.
    async fn refused(&self, field: &str) -> String {
        let dialog = "Boolean(document.querySelector('dialog'))";
        let dialog = self.browser.eval(dialog).await == json!(true);
        let form = if dialog { "dialog" } else { "#setup" };
        self.browser.click(&format!("{form} [type=submit]")).await;
        let at = format!("[data-field=\"{field}\"].wrong strong");
        self.browser
            .until(&format!("document.querySelector('{at}')"))
            .await;
        let inside = format!(
            "document.querySelector('[data-field=\"{field}\"]').contains(document.activeElement)"
        );
        assert_eq!(self.browser.eval(&inside).await, json!(true), "{field}");
        self.browser.text(&at).await
    }

    async fn looks_well(&self, name: &str) {
        for (width, height) in SIZES {
            self.browser.resize(width, height).await;
            let laid = "(window.laid = false, requestAnimationFrame(() => requestAnimationFrame(() => { window.laid = true; })), true)";
            self.browser.eval(laid).await;
            self.browser.until("window.laid").await;
            assert_eq!(self.browser.eval(FAULTS).await, json!([]), "{name} {width}");
            self.browser.shot(&format!("{name}-{width}")).await;
            let high = self
                .browser
                .eval("document.querySelector('.top').offsetHeight + document.querySelector('#setup').scrollHeight")
                .await;
            let high = u32::try_from(high.as_u64().unwrap()).unwrap();
            if high > height && std::env::var_os("HALLKEEPER_PICTURES").is_some() {
                self.browser.resize(width, high).await;
                self.browser.shot(&format!("{name}-{width}-whole")).await;
                self.browser.resize(width, height).await;
            }
        }
    }

    async fn end(self) {
        assert_eq!(self.browser.complaints().await, Vec::<String>::new());
        self.browser.stop().await;
    }
}

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

/// A feed from nothing to records that are checked as agreed, and changed; refusals at the field.
#[actix_web::test]
async fn a_feed_is_agreed_on_the_page_and_its_records_are_checked_so() {
    let Some(page) = Page::open("/setup#feeds", &["*"]).await else {
        return;
    };
    let browser = &page.browser;
    browser
        .until("document.querySelector('#feed-list').textContent.includes('还没有登记数据任务')")
        .await;
    page.looks_well("setup-feeds-empty-zh").await;
    browser.click("#add").await;
    browser.until("document.querySelector('[name=feed]')").await;
    page.set("feed", "hotline").await;
    page.set("name", "热线工单").await;
    page.set("kind", "ratings").await;
    assert!(page.refused("party").await.contains("来自或送往何处"));
    page.set("party", "12345 热线").await;
    page.set("when", "every").await;
    page.set("schedule", "5").await;
    assert!(page.refused("schedule").await.contains("10 秒"));
    page.set("when", "daily").await;
    page.set("at", "02:00").await;
    page.set("limit_secs", "7200").await;
    page.set("key", "phone").await;
    assert!(page.refused("key").await.contains("脱敏"));
    page.set("key", "no").await;
    browser.click("[data-do=add-check]").await;
    browser.click("[data-do=add-check]").await;
    let parts = "(() => { const rows = document.querySelectorAll('[data-check]'); const part = (row, name) => rows[row].querySelector('[data-part=' + name + ']'); \
        part(0, 'name').value = 'date'; part(0, 'kind').value = 'date'; part(0, 'required').checked = true; \
        part(1, 'kind').value = 'code'; part(1, 'kind').dispatchEvent(new Event('change')); part(1, 'values').value = 'A1, A2'; return rows.length; })()";
    assert_eq!(browser.eval(parts).await, json!(2));
    assert!(
        page.refused("checks[1]")
            .await
            .contains("第 2 行没有填写字段名")
    );
    browser
        .eval("(document.querySelectorAll('[data-part=name]')[1].value = 'item', true)")
        .await;
    page.looks_well("setup-feed-new-zh").await;
    page.send().await;
    browser
        .until("document.querySelector('#feed-top') && location.hash.includes('id=hotline')")
        .await;
    let feed = page.admin.get("/feeds/hotline").await.expect(200);
    let setup = &feed["setup"];
    assert_eq!(
        (&setup["schedule"], &setup["limit_secs"], &setup["key"]),
        (
            &json!({"when": "daily", "at": "02:00"}),
            &json!(7200),
            &json!("no")
        )
    );
    assert_eq!(
        setup["checks"],
        json!([{"name": "date", "kind": "date", "required": true}, {"name": "item", "kind": "code", "values": ["A1", "A2"], "required": false}])
    );
    assert_eq!(feed["standard_masking"], true);
    let records = json!({"records": [{"body": {"no": "1", "date": "2026-11-02", "item": "A1"}}, {"body": {"no": "2", "item": "B9"}}]});
    let told = page
        .admin
        .post("/feeds/hotline/batches/b1/records", records)
        .await
        .expect(201);
    assert_eq!(
        (&told["taken"]["accepted"], &told["taken"]["quarantined"]),
        (&json!(1), &json!(1)),
        "{told}"
    );
    // Masking of its own, which a later look finds again.
    page.set("masking", "own").await;
    page.set("masking.fields", "caller*\nplate").await;
    page.send().await;
    browser
        .until("document.querySelector('form .said.good')")
        .await;
    let feed = page.admin.get("/feeds/hotline").await.expect(200);
    assert_eq!(
        feed["setup"]["masking"],
        json!({"fields": ["caller*", "plate"], "patterns": true})
    );
    assert_eq!(
        (&feed["setup"]["checks"], &feed["standard_masking"]),
        (&setup["checks"], &json!(false))
    );
    for lang in ["zh-CN", "en"] {
        browser
            .open(&format!(
                "{}/setup?lang={lang}#feeds?id=hotline",
                page.server.base
            ))
            .await;
        browser
            .until(
                "document.querySelector('[name=\"masking.fields\"]').value === 'caller*\\nplate'",
            )
            .await;
        page.looks_well(&format!("setup-feed-{lang}")).await;
        browser.click("[data-tab=feeds]").await;
        browser
            .until("document.querySelector('tr[data-feed=hotline]')")
            .await;
        page.looks_well(&format!("setup-feeds-{lang}")).await;
        if lang == "en" {
            assert_eq!(browser.chinese_outside(".bar .btn, td").await, json!([]));
        }
    }
    a_feed_changed_meanwhile(&page).await;
    pushes(&page).await;
    page.end().await;
}

/// The same as of an interface: the other's change stands.
async fn a_feed_changed_meanwhile(page: &Page) {
    let browser = &page.browser;
    browser
        .open(&format!(
            "{}/setup?lang=en#feeds?id=hotline",
            page.server.base
        ))
        .await;
    browser
        .until("document.querySelector('[name=party]')")
        .await;
    let mut theirs = page.admin.get("/feeds/hotline").await.expect(200)["setup"].clone();
    theirs["kind"] = json!("orders");
    page.admin.put("/feeds/hotline", theirs).await.expect(200);
    page.set("party", "12345").await;
    page.send().await;
    browser.until("document.querySelector('#changed')").await;
    let setup = page.admin.get("/feeds/hotline").await.expect(200)["setup"].clone();
    assert_eq!(
        (&setup["kind"], &setup["party"]),
        (&json!("orders"), &json!("12345 热线"))
    );
}

/// A feed that pushes, with a secret that the server does not have.
async fn pushes(page: &Page) {
    let browser = &page.browser;
    browser
        .open(&format!("{}/setup?lang=en#feeds?new", page.server.base))
        .await;
    browser.until("document.querySelector('[name=feed]')").await;
    page.set("feed", "hotline").await;
    for (name, value) in [
        ("name", "Tickets"),
        ("kind", "tickets"),
        ("party", "province"),
        ("feed_direction", "push"),
        ("source", "tickets"),
        ("target.url", "http://127.0.0.1:9/x"),
        ("target.secret", "none"),
    ] {
        page.set(name, value).await;
    }
    assert!(page.refused("feed").await.contains("taken"));
    page.set("feed", "upload").await;
    assert!(
        page.refused("target.secret")
            .await
            .contains("feeds.secrets")
    );
    page.set("target.secret", "").await;
    page.set("target.attempts_max", "101").await;
    assert!(
        page.refused("target.attempts_max")
            .await
            .contains("from 1 to 100")
    );
    page.set("target.attempts_max", "").await;
    page.send().await;
    browser
        .until("document.querySelector('#feed-top') && location.hash.includes('id=upload')")
        .await;
    let setup = page.admin.get("/feeds/upload").await.expect(200)["setup"].clone();
    assert_eq!(
        setup["target"],
        json!({"url": "http://127.0.0.1:9/x", "secret": null, "attempts_max": 8})
    );
    assert_eq!(setup["source"], "tickets");
}

/// A08: the directory of organisations and windows, changed by one and loaded from a file.
#[actix_web::test]
async fn the_directory_is_kept_on_the_page_and_loaded_from_a_file() {
    let Some(mut page) = Page::open("/setup#directory", &["*"]).await else {
        return;
    };
    let browser = &page.browser;
    browser
        .until("document.querySelector('tr[data-hall=H1]').textContent.includes('未归属机构')")
        .await;
    page.looks_well("setup-directory-empty-zh").await;
    for (id, name, parent) in [("city", "市数据局", ""), ("hrss", "市人社局", "city")] {
        browser.click("#organisations [data-do=add]").await;
        browser
            .until("document.querySelector('dialog [name=id]')")
            .await;
        assert!(page.refused("id").await.contains("不可重复"));
        page.set("id", id).await;
        page.set("name", name).await;
        page.set("parent", parent).await;
        page.set("halls", "on").await;
        if parent.is_empty() {
            page.send().await;
            browser
                .until("document.querySelector('tr[data-organisation=city]')")
                .await;
        } else {
            assert!(
                page.refused("halls")
                    .await
                    .contains("一个大厅只能属于一个机构")
            );
            page.set("halls", "off").await;
            page.send().await;
        }
    }
    browser
        .until(
            "document.querySelector('tr[data-organisation=hrss]').textContent.includes('市数据局')",
        )
        .await;
    browser.click("tr[data-organisation=city] .btn.bad").await;
    browser
        .until("document.querySelector('dialog [role=alert]').textContent.includes('市人社局')")
        .await;
    browser.click("dialog .btn").await;
    for lang in ["zh-CN", "en"] {
        browser
            .open(&format!("{}/setup?lang={lang}#directory", page.server.base))
            .await;
        browser
            .until("document.querySelector('tr[data-organisation=hrss]')")
            .await;
        page.looks_well(&format!("setup-directory-{lang}")).await;
        if lang == "en" {
            assert_eq!(browser.chinese_outside(".bar .btn, td").await, json!([]));
        }
    }
    loads_a_file(&page).await;
    // Without the server nothing is saved, and the page says so.
    page.server.kill();
    let lost = "!document.querySelector('#lost').hidden && document.querySelector('#lost').textContent.includes('nothing can be saved')";
    page.browser.until(lost).await;
    page.browser.shot("setup-lost-en").await;
    page.end().await;
}

/// A line that cannot be is named and changes nothing; a good file takes the place of all there was.
async fn loads_a_file(page: &Page) {
    let browser = &page.browser;
    let choose = |text: &str| {
        let text = json!(text);
        format!(
            "(() => {{ const input = document.querySelector('input[type=file]'); const all = new DataTransfer(); all.items.add(new File([{text}], 'o.csv')); \
             input.files = all.files; input.dispatchEvent(new Event('change')); return true; }})()"
        )
    };
    let ids = || async {
        let all = page.admin.get("/directory/organisations").await.expect(200);
        let ids = list(&all["organisations"]).iter();
        ids.map(|one| text(&one["id"]).to_owned())
            .collect::<Vec<_>>()
    };
    browser
        .eval(&choose(
            "id,name,parent\na,Bureau A,\n\nb,Bureau B,nobody\n",
        ))
        .await;
    browser.click("dialog [data-do=replace]").await;
    browser
        .until(
            "document.querySelector('dialog [role=alert]').textContent.includes('Line 4, parent')",
        )
        .await;
    assert_eq!(ids().await, ["city", "hrss"]);
    browser.click("dialog .btn").await;
    browser.until("!document.querySelector('dialog')").await;
    browser
        .eval(&choose("id,name,halls\na,\"Bureau, A\",H1\nb,Bureau B\n"))
        .await;
    browser.until("document.querySelector('dialog [role=alert]').textContent.includes('Line 3 has 2 columns')").await;
    browser.click("dialog .btn").await;
    browser.until("!document.querySelector('dialog')").await;
    browser
        .eval(&choose(
            "\u{feff}id,name,halls\r\na,\"Bureau, A\",H1\r\nb,Bureau B,\r\n",
        ))
        .await;
    browser.click("dialog [data-do=replace]").await;
    browser.until("document.querySelector('tr[data-organisation=a]') && document.querySelector('tr[data-hall=H1]').textContent.includes('Bureau, A')").await;
    assert_eq!(ids().await, ["a", "b"]);
}
