//! `hallkeeper import calls --follow`: a log that grows, is rotated and is cut, into a running server.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE, Server, list, number, text};

struct Following {
    server: Server,
    admin: Client,
    log: PathBuf,
    written: u64,
}

fn line(n: u64) -> String {
    format!(
        "10.0.0.{} - - [17/May/2015:10:05:03 +0000] \"GET /a/{n} HTTP/1.1\" 200 5 \"-\" \"-\"\n",
        n % 200
    )
}

impl Following {
    async fn new() -> Self {
        let server = Server::start().await;
        let admin = server.admin();
        let setup = json!({"name": {"zh": "网站", "en": "Site"}, "provider": "web", "direction": "inbound"});
        admin.put("/channels/site", setup).await.expect(200);
        let log = server.folder.path().join("access.log");
        File::create(&log).unwrap();
        Self {
            server,
            admin,
            log,
            written: 0,
        }
    }

    fn start(&self) -> Child {
        let password = self.server.folder.path().join("initial-admin-password");
        let password = fs::read_to_string(password).unwrap();
        Command::new(env!("CARGO_BIN_EXE_hallkeeper"))
            .args([
                "import",
                "calls",
                "--follow",
                "--channel",
                "site",
                "--target",
            ])
            .arg(&self.server.base)
            .arg(&self.log)
            .env("HALLKEEPER_PASSWORD", password.trim())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn write(&mut self, lines: u64) {
        let text: String = (self.written..self.written + lines).map(line).collect();
        self.append(&text);
        self.written += lines;
    }

    fn append(&self, text: &str) {
        let log = OpenOptions::new().append(true).create(true).open(&self.log);
        log.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn rotate(&self, to: &str) {
        fs::rename(&self.log, self.log.with_file_name(to)).unwrap();
    }

    /// Waits until the history has all that was written, and each line of it once.
    async fn arrives(&self) {
        let until = std::time::Instant::now() + PATIENCE;
        loop {
            let page = self.admin.get("/channels/site/calls?limit=1").await;
            let total = number(&page.expect(200)["total"]);
            assert!(total <= self.written, "{total} of {} lines", self.written);
            if total == self.written {
                break;
            }
            assert!(
                std::time::Instant::now() < until,
                "{total} of {}",
                self.written
            );
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
        let mut paths = Vec::new();
        let mut after = String::new();
        loop {
            let page = self
                .admin
                .get(&format!("/channels/site/calls?limit=1000{after}"))
                .await;
            let page = page.expect(200);
            let path = |call: &Value| text(&call["request"]["path"]).to_owned();
            paths.extend(list(&page["items"]).iter().map(path));
            let Some(next) = page["next"].as_str() else {
                break;
            };
            after = format!("&after={next}");
        }
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len() as u64, self.written, "lines doubled or lost");
    }
}

fn stop(child: Child) -> Output {
    let pid = child.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    child.wait_with_output().unwrap()
}

#[actix_web::test]
async fn a_growing_log_is_followed_through_rotation_and_restart() {
    let mut following = Following::new().await;
    following.write(30);
    let child = following.start();
    following.arrives().await;
    // Half a line is no line yet.
    let whole = line(following.written);
    following.append(&whole[..40]);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    following.arrives().await;
    following.append(&whole[40..]);
    following.written += 1;
    following.write(20);
    following.arrives().await;
    // Renamed; who writes goes on with the old one for a moment.
    following.rotate("access.log.1");
    let old = following.log.with_file_name("access.log.1");
    let mut old = OpenOptions::new().append(true).open(old).unwrap();
    old.write_all(line(following.written).as_bytes()).unwrap();
    following.written += 1;
    following.write(15);
    following.arrives().await;
    // Cut and written anew, longer than it was.
    File::create(&following.log).unwrap();
    following.write(40);
    following.arrives().await;
    following.append("nonsense\n");
    following.write(5);
    following.arrives().await;
    let ended = stop(child);
    assert!(ended.status.success(), "{ended:?}");
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(errors.lines().count(), 1, "progress in a pipe: {errors}");
    assert!(errors.contains("line 41: "), "{errors}");
    let report = String::from_utf8_lossy(&ended.stdout);
    assert!(report.contains("112 calls, 1 bad"), "{report}");
    assert!(report.contains("112 new in channel site"), "{report}");
    // While nobody follows the log it grows, is rotated, and grows again.
    following.write(7);
    following.rotate("access.log.2");
    following.write(9);
    let child = following.start();
    following.arrives().await;
    stop(child);
    // Killed, nothing is noted in good order.
    let mut child = following.start();
    following.write(500);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    child.kill().unwrap();
    child.wait().unwrap();
    following.write(3);
    let child = following.start();
    following.arrives().await;
    stop(child);
}

#[actix_web::test]
async fn a_note_that_is_none_is_refused() {
    let following = Following::new().await;
    fs::write(following.log.with_file_name(".access.log.followed"), "{").unwrap();
    let child = following.start();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(errors.contains(".access.log.followed"), "{errors}");
}
