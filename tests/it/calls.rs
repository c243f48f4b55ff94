//! `hallkeeper import calls`: a real web server's log, counted and taken into a channel's history.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::cases::{fails, run, succeeds};
use crate::harness::{Client, Folder, Server, list, number, text};

fn log() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/access-log.txt");
    path.to_str().expect("a path").to_owned()
}

/// Statuses counted by cutting the lines at their blanks, as one would with awk.
fn statuses() -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in std::fs::read_to_string(log()).expect("the log").lines() {
        let status = line.split(' ').nth(8).expect("a status");
        *counts.entry(status.to_owned()).or_default() += 1;
    }
    counts
}

async fn counted(admin: &Client) -> BTreeMap<String, u64> {
    let path = "/channels/site/calls/summary?by=status";
    let by = admin.get(path).await.expect(200);
    let pair = |one: &Value| (text(&one["key"]).to_owned(), number(&one["calls"]));
    list(&by["items"]).iter().map(pair).collect()
}

#[test]
fn a_log_is_counted_without_a_server() {
    let folder = Folder::new();
    let told = run(folder.path(), "", &["import", "calls", &log(), "--json"]);
    let report: Value = serde_json::from_str(&succeeds(&told)).expect("JSON");
    assert_eq!((&report["good"], &report["bad"]), (&json!(4525), &json!(0)));
    let of: BTreeMap<String, u64> = serde_json::from_value(report["by_status"].clone()).unwrap();
    assert_eq!(of, statuses());
    let words = succeeds(&run(folder.path(), "", &["import", "calls", &log()]));
    assert!(
        words.starts_with("4525 lines: 4525 calls, 0 bad; 2015-05-1"),
        "{words}"
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "it wrote something"
    );
}

#[actix_web::test]
async fn a_log_is_imported_once_into_a_channels_history() {
    let server = Server::start().await;
    let admin = server.admin();
    let setup =
        json!({"name": {"zh": "网站", "en": "Site"}, "provider": "web", "direction": "inbound"});
    admin.put("/channels/site", setup).await.expect(200);
    let folder = server.folder.path().to_owned();
    let password = std::fs::read_to_string(folder.join("initial-admin-password")).unwrap();
    let base = server.base.clone();
    let run_into = move |channel: &str| {
        let file = log();
        let arguments = [
            "import",
            "calls",
            &file,
            "--channel",
            channel,
            "--target",
            &base,
        ];
        run(&folder, password.trim(), &arguments)
    };
    let why = fails(&run_into("nosuch"), 2);
    assert!(why.contains("channel nosuch"), "{why}");
    let import = || succeeds(&run_into("site"));
    let first = import();
    assert!(
        first.contains("4525 new in channel site, 0 known"),
        "{first}"
    );
    assert_eq!(counted(&admin).await, statuses());
    let again = import();
    assert!(
        again.contains("0 new in channel site, 4525 known"),
        "{again}"
    );
    assert_eq!(counted(&admin).await, statuses());
    // Calls of another year say nothing of how the channel is now.
    let face = admin.get("/channels/site").await.expect(200);
    assert_eq!(face["health"], "healthy");
    assert_eq!(face["figures"][3]["calls"], 0);
}

#[test]
fn what_is_no_call_is_listed_and_what_cannot_be_asked_is_refused() {
    let folder = Folder::new();
    let file = folder.path().join("log.txt");
    let good = r#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "-""#;
    std::fs::write(&file, format!("{good}\nnonsense\n{good}")).unwrap();
    let name = file.to_str().unwrap();
    let told = succeeds(&run(folder.path(), "", &["import", "calls", name]));
    assert!(told.starts_with("3 lines: 2 calls, 1 bad"), "{told}");
    assert!(
        told.contains("\nline 2: it leaves the format at remote_addr\n"),
        "{told}"
    );
    let odd = ["import", "calls", name, "--format", "$nothing"];
    assert!(fails(&run(folder.path(), "", &odd), 2).contains("--format"));
    let nowhere = ["import", "calls", name, "--channel", "none"];
    let why = fails(&run(folder.path(), "", &nowhere), 2);
    assert!(why.contains("no channel none"), "{why}");
    std::fs::write(&file, "nonsense\nmore of it\n").unwrap();
    let rubbish = run(folder.path(), "", &["import", "calls", name]);
    let told = String::from_utf8_lossy(&rubbish.stdout).into_owned();
    assert!(told.starts_with("2 lines: 0 calls, 2 bad"), "{told}");
    assert!(!told.contains("by status"), "{told}");
    assert!(fails(&rubbish, 2).contains("no line is written as"));
    // A wrong file does not fill the terminal.
    std::fs::write(&file, "nonsense\n".repeat(60)).unwrap();
    let rubbish = run(folder.path(), "", &["import", "calls", name]);
    let told = String::from_utf8_lossy(&rubbish.stdout).into_owned();
    assert_eq!(told.matches("it leaves the format").count(), 10, "{told}");
    assert!(told.contains("\n50 more bad lines; --json "), "{told}");
    let missing = ["import", "calls", "missing.txt"];
    assert!(fails(&run(folder.path(), "", &missing), 2).contains("missing.txt"));
}
