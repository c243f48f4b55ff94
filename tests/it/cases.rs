//! `hallkeeper import cases` and `hallkeeper cases`: a real log of permit receipts, taken as it is.
//!
//! The log in `tests/data` is an extract; `HALLKEEPER_PERMIT_LOG` names another file of the same form.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chrono::{DateTime, Datelike as _, Days, FixedOffset, TimeDelta, Weekday};
use serde_json::json;

use crate::harness::{Folder, Server, list};

fn log_file() -> PathBuf {
    let extract =
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/permit-receipts-extract.csv");
    std::env::var_os("HALLKEEPER_PERMIT_LOG").map_or_else(extract, PathBuf::from)
}

pub fn run(folder: &Path, password: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hallkeeper"))
        .args(arguments)
        .env("HALLKEEPER__DATA__DIR", folder)
        .env("HALLKEEPER_PASSWORD", password)
        .output()
        .expect("it runs")
}

#[track_caller]
pub fn succeeds(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "", "quiet in a pipe");
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[track_caller]
pub fn fails(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

type Moment = DateTime<FixedOffset>;

/// What a list needs to know of a case, read straight from the file.
struct Receipt {
    received: Moment,
    due_text: String,
    due: Moment,
    closed: Option<Moment>,
}

fn receipts(file: &Path) -> BTreeMap<String, Receipt> {
    let mut reader = csv::Reader::from_path(file).expect("the log");
    let rows = reader.deserialize::<BTreeMap<String, String>>();
    let moment = |text: &str| DateTime::parse_from_rfc3339(text).ok();
    rows.map(|row| {
        let row = row.expect("a row");
        let receipt = Receipt {
            received: moment(&row["received_at"]).expect("a time"),
            due: moment(&row["due_at"]).expect("a time"),
            due_text: row["due_at"].clone(),
            closed: moment(&row["closed_at"]),
        };
        (row["case_no"].clone(), receipt)
    })
    .collect()
}

impl Receipt {
    /// Computed anew from the definition: the working day before the due time, at the same local time.
    fn near_from(&self) -> Moment {
        let mut before = self.due - Days::new(1);
        while matches!(before.weekday(), Weekday::Sat | Weekday::Sun) {
            before = before - Days::new(1);
        }
        before
    }

    fn state(&self, at: Moment) -> Option<&'static str> {
        let open = self.received <= at && self.closed.is_none_or(|closed| at < closed);
        let state = if at > self.due {
            "overdue"
        } else if at >= self.near_from() {
            "near-due"
        } else {
            "on-time"
        };
        open.then_some(state)
    }
}

fn expected(receipts: &BTreeMap<String, Receipt>, at: Moment, which: &str) -> String {
    let mut lines = String::from("case_no,due_at,state\n");
    for (case_no, receipt) in receipts {
        match receipt.state(at) {
            Some(state) if which == "open" || which == state => {
                lines += &format!("{case_no},{},{state}\n", receipt.due_text);
            }
            _ => {}
        }
    }
    lines
}

/// Instants all over the log, and around the limits of some cases to the second.
fn instants(receipts: &BTreeMap<String, Receipt>) -> Vec<Moment> {
    let first = receipts.values().map(|r| r.received).min().expect("a case");
    let mut all: Vec<Moment> = (0..22)
        .map(|n| first + TimeDelta::hours(n * 557 + 3))
        .collect();
    let second = TimeDelta::seconds(1);
    let weekend = |r: &&Receipt| matches!(r.due.weekday(), Weekday::Sat | Weekday::Sun);
    let late = |r: &&Receipt| r.closed.is_some_and(|closed| closed > r.due);
    let some = receipts.values().filter(weekend).take(1);
    for receipt in some.chain(receipts.values().filter(late).take(1)) {
        all.extend([receipt.near_from() - second, receipt.near_from()]);
        all.extend([receipt.due, receipt.due + second]);
    }
    let closed = receipts
        .values()
        .filter_map(|r| r.closed)
        .next()
        .expect("closed");
    all.extend([closed - second, closed, first]);
    all
}

#[test]
fn an_imported_log_gives_the_same_lists_as_the_file_itself_at_any_instant() {
    let folder = Folder::new();
    let file = log_file();
    let name = file.to_str().expect("a path");
    let receipts = receipts(&file);
    let count = receipts.len();
    let told = succeeds(&run(folder.path(), "", &["import", "cases", name]));
    assert!(
        told.contains(&format!(
            "{count} cases: {count} new, 0 changed, 0 as known"
        )),
        "{told}"
    );
    let again = succeeds(&run(folder.path(), "", &["import", "cases", name]));
    assert!(
        again.contains(&format!("0 new, 0 changed, {count} as known")),
        "{again}"
    );
    for at in instants(&receipts) {
        let at_text = at.to_rfc3339();
        let listed = succeeds(&run(folder.path(), "", &["cases", "--at", &at_text]));
        assert_eq!(listed, expected(&receipts, at, "open"), "{at_text}");
    }
    let at = instants(&receipts)[6];
    let out = folder.path().join("out.csv");
    for which in ["near-due", "overdue"] {
        let out_name = out.to_str().expect("a path");
        let arguments = [
            "cases",
            "--at",
            &at.to_rfc3339(),
            "--state",
            which,
            "--out",
            out_name,
        ];
        assert_eq!(succeeds(&run(folder.path(), "", &arguments)), "");
        let written = std::fs::read_to_string(&out).expect("written");
        assert_eq!(written, expected(&receipts, at, which));
    }
}

#[actix_web::test]
async fn a_log_is_imported_into_a_running_server_and_read_beside_it() {
    let server = Server::start().await;
    let file = log_file();
    let name = file.to_str().expect("a path");
    let receipts = receipts(&file);
    let folder = server.folder.path();
    // Its own database is held by the server.
    let held = fails(&run(folder, "", &["import", "cases", name]), 1);
    assert!(held.contains("--target URL"), "{held}");
    let password = std::fs::read_to_string(folder.join("initial-admin-password")).expect("kept");
    let import = ["import", "cases", name, "--target", &server.base];
    let count = receipts.len();
    let told = succeeds(&run(folder, password.trim(), &import));
    assert!(told.contains(&format!("{count} new, 0 changed")), "{told}");
    let again = succeeds(&run(folder, password.trim(), &import));
    assert!(
        again.contains(&format!("0 new, 0 changed, {count} as known")),
        "{again}"
    );
    let at = instants(&receipts)[9];
    let listed = succeeds(&run(folder, "", &["cases", "--at", &at.to_rfc3339()]));
    assert_eq!(listed, expected(&receipts, at, "open"));
    // Those never closed are open today, and long overdue.
    let never = receipts.values().filter(|r| r.closed.is_none()).count();
    let admin = server.admin();
    let board = admin.get("/cases/board").await.expect(200);
    let overdue = &board["time"][2];
    assert_eq!(
        (&overdue["name"], &overdue["count"]),
        (&json!("overdue"), &json!(never))
    );
    let page = admin
        .get("/cases?time=overdue&stage=open&limit=1000")
        .await
        .expect(200);
    assert_eq!(list(&page["items"]).len(), never);
}

#[test]
fn a_log_with_a_bad_row_is_refused_with_line_and_field_and_nothing_is_taken() {
    let folder = Folder::new();
    let text = std::fs::read_to_string(log_file()).expect("the log");
    let mut lines: Vec<String> = text.lines().take(20).map(str::to_owned).collect();
    let good = lines.join("\n");
    let last = lines[19].rsplit_once(',').expect("fields").0.to_owned();
    lines[19] = format!("{last},2010-13-45T00:00:00+02:00");
    let file = folder.path().join("bad.csv");
    let name = file.to_str().expect("a path");
    let import = |text: &str| {
        std::fs::write(&file, text).expect("written");
        run(folder.path(), "", &["import", "cases", name])
    };
    let why = fails(&import(&lines.join("\n")), 2);
    assert!(
        why.contains("bad.csv: line 20: at: '2010-13-45T00:00:00+02:00' is no time"),
        "{why}"
    );
    assert!(
        !folder.path().join("hallkeeper.db").exists(),
        "nothing was touched"
    );
    succeeds(&import(&good));
    let at = fails(&run(folder.path(), "", &["cases", "--at", "yesterday"]), 2);
    assert!(
        at.contains("--at: 'yesterday' is no time of RFC 3339"),
        "{at}"
    );
}
