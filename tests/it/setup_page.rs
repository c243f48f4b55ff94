//! The set-up of interfaces and feeds in a real browser: made, refused with the field that is wrong, changed,
//! checked, and used as it was set up.

mod directory;
mod feeds;
mod interfaces;

use serde_json::json;

use crate::desks::enter;
use crate::harness::{Client, Server};
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
