//! The directory of organisations and windows.

use serde_json::json;

use super::Page;
use crate::harness::{list, text};

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
