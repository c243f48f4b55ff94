//! The start page of a screen's box: a local file that waits for its server. And what a page does
//! when its server comes back, or comes back newer.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Folder, Server};
use crate::webdriver::Browser;

const HALL: &str = "H1";

#[actix_web::test]
async fn the_loader_waits_for_its_server_and_the_screen_outlives_it() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let mut server = Server::start_to_come_back().await;
    let address = server.base.trim_start_matches("http://").to_owned();
    let admin = server.hall(HALL, 1).await;
    let screen = server.device("wall", "screen", HALL).await;
    let file = admin.get("/loader.html").await;
    let disposition = file.header("content-disposition").unwrap_or_default();
    assert!(disposition.starts_with("attachment"), "{disposition}");
    let folder = Folder::new();
    let path = folder.path().join("loader.html");
    std::fs::write(&path, &file.text).unwrap();

    // The server is away: the box says so calmly, with the address it waits for and the time.
    server.kill();
    let token = screen.token.as_deref().unwrap();
    let start = format!(
        "file://{}?server=http://{address}&page=/board/{HALL}&t={token}",
        path.display()
    );
    browser.resize(1920, 1080).await;
    browser.open(&start).await;
    browser
        .until("document.querySelector('#more').textContent")
        .await;
    let shown = browser.eval("document.body.innerText").await;
    let shown = shown.as_str().unwrap();
    assert!(
        shown.contains("正在连接服务器") && shown.contains("Connecting"),
        "{shown}"
    );
    assert!(
        shown.contains(&format!("{address}/board/{HALL}")),
        "{shown}"
    );
    assert!(!shown.contains(token), "the token stands on no screen");
    browser
        .until("/^\\d\\d:\\d\\d$/.test(document.querySelector('#clock').textContent)")
        .await;

    // It comes, and the box goes to its screen by itself.
    server.restart();
    let live = "document.body.dataset.state === 'live'";
    browser.until("location.pathname === '/board/H1'").await;
    browser.until(live).await;

    // It goes and comes again: the screen waits where it is, and is not loaded again.
    browser.eval("(window.same = 'page')").await;
    server.kill();
    browser
        .until("document.body.dataset.state !== 'live'")
        .await;
    server.restart();
    browser.until(live).await;
    assert_eq!(browser.eval("window.same").await, json!("page"));

    // Opened without settings the file remembers those of the last time; without any it says so.
    browser.open(&format!("file://{}", path.display())).await;
    browser.until("location.pathname === '/board/H1'").await;
    browser
        .open(&format!("file://{}?server=nonsense", path.display()))
        .await;
    let said = browser.text("#en").await;
    assert!(said.contains("No server address"), "{said}");
    browser.stop().await;
}

/// A page of an older build loads itself again once, and only once, and not while the server
/// cannot serve it.
#[actix_web::test]
async fn a_page_of_another_build_loads_itself_again_once() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start().await;
    server.hall(HALL, 1).await;
    let screen = server.device("wall", "screen", HALL).await;
    // Every page believes to be of an older build, and counts how often it was loaded.
    let older = "Math.random = () => 0;
        try { sessionStorage.loads = Number(sessionStorage.loads || 0) + 1; } catch (_) {}
        new MutationObserver(() => {
            const meta = document.querySelector('meta[name=build]');
            if (meta) meta.content = 'older';
        }).observe(document, { subtree: true, childList: true });";
    let params = json!({"source": older});
    browser
        .devtools("Page.addScriptToEvaluateOnNewDocument", params)
        .await;
    let token = screen.token.as_deref().unwrap();
    browser
        .open(&format!("{}/led/{HALL}/1?t={token}", server.base))
        .await;
    browser.until("sessionStorage.loads === '2'").await;
    browser.until("document.body.dataset.show === 'off'").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(browser.eval("sessionStorage.loads").await, json!("2"));
    browser.stop().await;
}
