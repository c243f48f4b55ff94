//! A real headless Chromium, driven through chromedriver.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::harness::{Folder, PATIENCE};

/// Set to 1 where no browser can be had: the browser's tests then pass without having looked.
const NO_BROWSER: &str = "HALLKEEPER_NO_BROWSER";

const FLAGS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--window-size=1920,1080",
];

/// A browser of one's own, with an empty profile. It ends with its owner.
pub struct Browser {
    pub page: fantoccini::Client,
    driver: Child,
    /// The session's address at the driver, for what is not in the standard.
    session: String,
    _profile: Folder,
}

/// A program by its environment variable or its usual place.
fn program(variable: &str, name: &str) -> PathBuf {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let path = named.unwrap_or_else(|| PathBuf::from("/usr/bin").join(name));
    assert!(
        path.is_file(),
        "the tests need {name}, which is not at {}: install it (Debian: apt-get install chromium \
         chromium-driver), name it in {variable}, or set {NO_BROWSER}=1 to go without",
        path.display()
    );
    path
}

impl Browser {
    /// Starts one; `None` if the environment forgoes it.
    pub async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// Starts one with further flags.
    pub async fn start_with(more: &[&str]) -> Option<Self> {
        if std::env::var_os(NO_BROWSER).is_some_and(|value| value == "1") {
            return None;
        }
        let chromium = program("HALLKEEPER_CHROMIUM", "chromium");
        let chromedriver = program("HALLKEEPER_CHROMEDRIVER", "chromedriver");
        let profile = Folder::new();
        let (driver, address) = start_driver(&chromedriver);
        let mut flags: Vec<String> = FLAGS
            .iter()
            .chain(more)
            .map(|flag| (*flag).to_owned())
            .collect();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let wishes = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": chromium, "args": flags},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(wishes.as_object().cloned().unwrap_or_default())
            .connect(&address)
            .await
            .expect("chromium starts");
        let id = page.session_id().await.ok().flatten().expect("a session");
        let session = format!("{address}/session/{id}");
        Some(Self {
            page,
            driver,
            session,
            _profile: profile,
        })
    }

    /// Ends the browser in good order; also dropping ends it, less gently.
    pub async fn stop(self) {
        let _ = self.page.clone().close().await;
    }

    /// Driver and browser are one group of processes; killed alone, the driver leaves the browser.
    fn end(&mut self) {
        let group = format!("-{}", self.driver.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.driver.wait();
    }

    pub async fn open(&self, url: &str) {
        self.page.goto(url).await.expect("the page opens");
    }

    /// The size of what a page sees, without any frame around it.
    pub async fn resize(&self, width: u32, height: u32) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
        )
        .await;
    }

    /// Runs a script in each page opened from now on, before the page's own.
    pub async fn at_each_page(&self, script: &str) {
        let source = json!({"source": script});
        self.devtools("Page.addScriptToEvaluateOnNewDocument", source)
            .await;
    }

    /// Keeps a picture of the page as it is, where `HALLKEEPER_PICTURES` names a folder.
    pub async fn shot(&self, name: &str) {
        if let Some(folder) = std::env::var_os("HALLKEEPER_PICTURES") {
            let picture = self.page.screenshot().await.expect("a picture");
            let file = PathBuf::from(folder).join(format!("{name}.png"));
            std::fs::write(file, picture).expect("kept");
        }
    }

    /// Asks the browser itself.
    pub async fn devtools(&self, name: &str, params: Value) -> Value {
        let body = json!({"cmd": name, "params": params});
        self.ask_driver("goog/cdp/execute", body).await
    }

    async fn ask_driver(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/{path}", self.session);
        let http = awc::Client::builder().timeout(PATIENCE).finish();
        let mut answer = http
            .post(url)
            .send_json(&body)
            .await
            .expect("the driver answers");
        let text = answer.body().limit(8 << 20).await.expect("its answer");
        let answer: Value = serde_json::from_slice(&text).expect("JSON");
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }

    /// Runs `return …` in the page.
    pub async fn eval(&self, script: &str) -> Value {
        let script = format!("return ({script});");
        self.page.execute(&script, Vec::new()).await.expect(&script)
    }

    /// Waits until an expression is true. What it speaks of may not be there yet.
    pub async fn until(&self, script: &str) {
        let began = Instant::now();
        let holds = format!("try {{ return Boolean({script}); }} catch (_) {{ return false; }}");
        // The driver refuses to run a script in a page that is just going elsewhere.
        while !matches!(
            self.page.execute(&holds, Vec::new()).await,
            Ok(Value::Bool(true))
        ) {
            if began.elapsed() > PATIENCE {
                let text = self.eval("document.body.innerText").await;
                panic!("not in time: {script}\nthe page says: {text}");
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// The text of the first element that fits, or nothing.
    pub async fn text(&self, selector: &str) -> String {
        let script = format!("(document.querySelector({selector:?}) || {{}}).textContent || ''");
        self.eval(&script)
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Presses what fits, as a finger would.
    pub async fn click(&self, selector: &str) {
        self.until(&format!("document.querySelector({selector:?})"))
            .await;
        // A page that paints itself anew may take the element away between finding and pressing, or
        // move it.
        for _ in 0..5 {
            self.rests(selector).await;
            let found = self.page.find(Locator::Css(selector)).await;
            if let Ok(element) = found
                && element.click().await.is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("could not press {selector}");
    }

    /// Waits until an element stays where it is, as a person does who presses it.
    async fn rests(&self, selector: &str) {
        let place = format!(
            "return JSON.stringify((document.querySelector({selector:?}) || document.body).getBoundingClientRect());"
        );
        let began = Instant::now();
        let mut before = Value::Null;
        while began.elapsed() < PATIENCE {
            // The driver refuses to run a script in a page that is just going elsewhere.
            let now = self.page.execute(&place, Vec::new()).await;
            let now = now.unwrap_or_default();
            if now.is_string() && now == before {
                return;
            }
            before = now;
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    }

    /// Types into a field, or into the page itself.
    pub async fn keys(&self, selector: &str, keys: &str) {
        // A page paints a moment after what it was pressed for.
        self.until(&format!("document.querySelector({selector:?})"))
            .await;
        let element = self
            .page
            .find(Locator::Css(selector))
            .await
            .expect(selector);
        element.send_keys(keys).await.expect("typed");
    }

    /// Presses a key of the number pad or elsewhere, as the page hears it. `times` presses come in
    /// one go.
    pub async fn press(&self, key: &str, code: &str, times: u32) {
        let script = format!(
            "(() => {{ for (let i = 0; i < {times}; i += 1) document.dispatchEvent(new \
             KeyboardEvent('keydown', {{key: {key:?}, code: {code:?}, bubbles: true, cancelable: \
             true}})); return true; }})()"
        );
        self.eval(&script).await;
    }

    /// What the page complained of since the last call, without the refusals that a test provokes.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.ask_driver("se/log", json!({"type": "browser"})).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")))
            .filter(|entry| entry["source"] != "network")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .filter(|message| !message.contains("WebSocket connection to"))
            .collect()
    }

    /// Chinese signs that the page shows outside of the elements that fit `data`.
    pub async fn chinese_outside(&self, data: &str) -> Value {
        self.eval(&format!(
            "(() => {{ const found = []; const walk = document.createTreeWalker(document.body, \
             NodeFilter.SHOW_TEXT); while (walk.nextNode()) {{ const at = \
             walk.currentNode.parentElement; if (/[\\u4e00-\\u9fff]/.test(walk.currentNode.data) \
             && at.offsetParent && !at.closest({data:?})) found.push(walk.currentNode.data); }} \
             return found; }})()"
        ))
        .await
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts the driver on a port that it finds itself. Another one may take that port for the other kind
/// of IP at the same instant; then it ends without a word, and the next attempt finds another port.
fn start_driver(chromedriver: &Path) -> (Child, String) {
    let mut attempts = (0..5).map(|_| {
        let mut driver = Command::new(chromedriver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("chromedriver starts");
        let address = address_of(&mut driver);
        if address.is_none() {
            let _ = driver.wait();
        }
        Some((driver, address?))
    });
    attempts
        .find_map(|started| started)
        .expect("chromedriver says its port")
}

fn address_of(driver: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
    let port = loop {
        let line = lines.next().and_then(Result::ok)?;
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            break port.trim_end_matches('.').trim().to_owned();
        }
    };
    std::thread::spawn(move || lines.for_each(drop));
    Some(format!("http://127.0.0.1:{port}"))
}
