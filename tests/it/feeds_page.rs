//! Data received and pushed, on the operations page, in a real browser.

use serde_json::json;

use crate::desks::enter;
use crate::harness::Server;
use crate::webdriver::Browser;

/// An engineer sees what is held back and why, puts it right, and sees the original beside it.
#[actix_web::test]
async fn a_record_in_quarantine_is_put_right_on_the_page() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    let admin = server.hall("H1", 1).await;
    server.person("zhao", "engineer", &["*"]).await;
    let setup = json!({
        "name": {"zh": "热线工单", "en": "Hotline"}, "direction": "receive", "kind": "ratings",
        "party": "12345 热线", "schedule": {"when": "every", "secs": 600},
        "checks": [{"name": "date", "kind": "date"}, {"name": "item", "kind": "code", "values": ["A1"]}],
    });
    admin.put("/feeds/hotline", setup).await.expect(200);
    let records = json!({"records": [
        {"id": "H1", "row": 2, "body": {"date": "2026-11-02", "item": "A1"}},
        {"id": "H2", "row": 3, "body": {"date": "someday", "item": "A1"}},
    ]});
    let path = "/feeds/hotline/batches/b1/records";
    admin.post(path, records).await.expect(201);
    browser.resize(1366, 768).await;
    enter(&browser, &server, "zhao", "/ops#data").await;
    browser
        .until("document.querySelector('[data-record=H2]')")
        .await;
    let list = browser.text("[data-feed=hotline]").await;
    assert!(
        list.contains("热线工单") && list.contains("不完整"),
        "{list}"
    );
    let held = browser.text("[data-record=H2]").await;
    assert!(
        held.contains("不是日期") && held.contains("someday"),
        "{held}"
    );
    browser.shot("feeds").await;
    browser.click("[data-record=H2] [data-do=correct]").await;
    browser
        .until("document.querySelector('dialog input[name=date]')")
        .await;
    let set = |value: &str| {
        format!("document.querySelector('dialog input[name=date]').value = '{value}'")
    };
    browser.eval(&set("never")).await;
    browser.click("dialog button[type=submit]").await;
    browser
        .until("!document.querySelector('dialog [role=alert]').hidden")
        .await;
    browser.eval(&set("2026/11/3")).await;
    browser.click("dialog button[type=submit]").await;
    browser
        .until("document.querySelector('[data-fixed=H2]') && !document.querySelector('[data-record=H2]')")
        .await;
    let fixed = browser.text("[data-fixed=H2]").await;
    assert!(
        fixed.contains("someday") && fixed.contains("2026-11-03") && fixed.contains("zhao"),
        "{fixed}"
    );
}
