//! Feeds: what is agreed, and pushes.

use serde_json::json;

use super::Page;

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
