//! `hallkeeper import records`: a CSV file, one record a row, into a batch of a feed, in this machine's
//! database or over HTTP in a running server.
//!
//! The file is read whole before anything is changed, and a header that cannot be ends it there. Rows
//! that do not fit go to quarantine with their line in the file. The same file again changes nothing.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::http::StatusCode;
use anyhow::{Context as _, anyhow};
use clap::Args;
use rules::channels::feed::batch::RECORDS_MAX;
use rules::channels::feed::{FeedCommand, NewRecord};
use rules::ids::FeedId;
use serde_json::{Map, Value, json};

use super::{FeedError, Feeds, Holder, Taken, digest};
use crate::cli::Failure;
use crate::http_client::HttpClient;
use crate::store::Records;
use crate::store::records::FeedRecordFilter;
use crate::{config, store};

/// Largest file.
const FILE_MAX: u64 = 256 << 20;

/// Columns at most.
const COLUMNS_MAX: usize = 500;

/// Records handed over at a time, and their bytes over HTTP.
const AT_ONCE: usize = 5_000;
const BODY_BYTES: usize = 2 << 20;

/// Rows in quarantine that are printed.
const SHOWN: u32 = 50;

#[derive(Args)]
pub struct Options {
    /// The CSV file, UTF-8, its first line naming the fields
    file: PathBuf,
    /// The feed whose records they are
    #[arg(long, value_name = "ID")]
    feed: FeedId,
    /// The batch they belong to; without it the file's name
    #[arg(long, value_name = "NAME")]
    batch: Option<String>,
    /// Settings file, for the database to write to
    #[arg(long, value_name = "FILE", conflicts_with = "target")]
    config: Option<PathBuf>,
    /// Address of a running server to import into, instead of this machine's database
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    /// Account to sign in with at the target; its password is read from HALLKEEPER_PASSWORD
    #[arg(long, default_value = "admin")]
    username: String,
}

/// Runs the import.
///
/// # Errors
/// Bad input names the file and the line; a failure names the step.
pub async fn run(options: Options) -> Result<(), Failure> {
    let file = options.file.display();
    let bad = |why: String| Failure::BadInput(format!("{file}: {why}"));
    let size = std::fs::metadata(&options.file)
        .map_err(|cause| bad(cause.to_string()))?
        .len();
    if size > FILE_MAX {
        return Err(bad("is larger than 256 MiB: split it".to_owned()));
    }
    let content = std::fs::read(&options.file).map_err(|cause| bad(cause.to_string()))?;
    let rows = parse(&content).map_err(bad)?;
    let stem = options
        .file
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let batch = options.batch.clone().or(stem).unwrap_or_default();
    let count = rows.len();
    let (taken, held) = match &options.target {
        Some(target) => over_http(target, &options, &batch, rows).await?,
        None => into_database(&options, &batch, rows).await?,
    };
    let mut text = format!(
        "{count} rows into batch {batch} of {}: {} accepted, {} corrected, {} in quarantine, {} known",
        options.feed,
        taken.accepted + taken.waiting,
        taken.corrected,
        taken.quarantined,
        taken.duplicates
    );
    for record in held {
        let faults = record["faults"].as_array().into_iter().flatten();
        let faults = faults.map(|fault| {
            let part = |name: &str| fault[name].as_str().unwrap_or_default();
            format!("{} {} {}", part("field"), part("reason"), part("value"))
                .trim()
                .to_owned()
        });
        let faults: Vec<String> = faults.collect();
        text += &format!("\nline {}: {}", record["row"], faults.join("; "));
    }
    // Whoever closed the pipe has read enough.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(())
}

/// The rows of a file as records.
///
/// # Errors
/// The line and what is wrong with it: nothing of such a file can be taken.
fn parse(content: &[u8]) -> Result<Vec<NewRecord>, String> {
    let content = content
        .strip_prefix("\u{feff}".as_bytes())
        .unwrap_or(content);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(content);
    let header = reader
        .headers()
        .map_err(|cause| format!("line 1: {cause}"))?
        .clone();
    let names: Vec<&str> = header.iter().map(str::trim).collect();
    if names.is_empty() || names.len() > COLUMNS_MAX {
        return Err("line 1: names 1 to 500 fields".to_owned());
    }
    let mut seen = BTreeSet::new();
    for (place, name) in names.iter().enumerate() {
        if name.is_empty() || name.len() > 64 {
            return Err(format!(
                "line 1: column {}: a name of 1 to 64 bytes is needed",
                place + 1
            ));
        }
        if !seen.insert(name) {
            return Err(format!("line 1: column {}: {name} stands twice", place + 1));
        }
    }
    let mut rows = Vec::new();
    for row in reader.byte_records() {
        let row = row.map_err(|cause| cause.to_string())?;
        if rows.len() == RECORDS_MAX {
            return Err(format!("has more than {RECORDS_MAX} rows: split it"));
        }
        rows.push(record(&names, &row, line_of(content, &row)));
    }
    if rows.is_empty() {
        return Err("has no rows".to_owned());
    }
    Ok(rows)
}

/// The line where a row begins. Its position is before the blank lines that were skipped.
fn line_of(content: &[u8], row: &csv::ByteRecord) -> u64 {
    let Some(position) = row.position() else {
        return 0;
    };
    let at = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = content.get(at..).unwrap_or_default();
    let blank = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
    position.line() + blank.filter(|byte| **byte == b'\n').count() as u64
}

fn record(names: &[&str], row: &csv::ByteRecord, line: u64) -> NewRecord {
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    let utf8 = row.iter().all(|field| std::str::from_utf8(field).is_ok());
    let unreadable = match (row.len() == names.len(), utf8) {
        (false, _) => Some(format!("{} fields instead of {}", row.len(), names.len())),
        (_, false) => Some("not UTF-8".to_owned()),
        _ => None,
    };
    // What has no column is kept under its place: nothing of the row is lost.
    let name = |place: usize| {
        names.get(place).map_or_else(
            || format!("column {}", place + 1),
            |name| (*name).to_owned(),
        )
    };
    let fields = row.iter().enumerate();
    let body: Map<String, Value> = fields
        .map(|(place, field)| {
            let value = text(field);
            let value = if value.is_empty() {
                Value::Null
            } else {
                Value::String(value)
            };
            (name(place), value)
        })
        .collect();
    let body = Value::Object(body);
    let digest = digest(&body);
    NewRecord {
        // A row that cannot be read is no record with a name.
        id: unreadable
            .is_some()
            .then(|| format!("line-{line}-{}", &digest[..12])),
        row: Some(line),
        digest,
        changed_at: None,
        body,
        unreadable,
    }
}

async fn into_database(
    options: &Options,
    batch: &str,
    rows: Vec<NewRecord>,
) -> Result<(Taken, Vec<Value>), Failure> {
    let settings = config::Settings::load(options.config.as_deref())
        .map_err(|error| Failure::BadInput(format!("{error:#}")))?;
    let stores = store::open(&settings.database.url, &settings.data.dir)
        .await
        .context("if a server is running on this data, import through it with --target URL")?;
    let system = actors::System::start(stores.journal, 1);
    let records: Records = stores.records;
    let feeds = Feeds::start(system.journal, records.clone()).await?;
    let unknown = || {
        Failure::BadInput(format!(
            "there is no feed {}: set it up first",
            options.feed
        ))
    };
    let holder: Arc<Holder> = feeds.get(&options.feed).ok_or_else(unknown)?;
    let setup = holder.setup().await.map_err(refused)?;
    if setup.checks.needs_windows() {
        let why =
            "its checks need the directory: import through a running server with --target URL";
        return Err(Failure::BadInput(format!("feed {}: {why}", options.feed)));
    }
    let open = FeedCommand::Open {
        batch: batch.to_owned(),
        expected: Some(rows.len() as u64),
    };
    // One that is there goes on.
    let _ = holder.submit(open, "import").await;
    let mut taken = Taken::default();
    for some in rows.chunks(AT_ONCE) {
        let of = feeds.take(&holder, batch, some.to_vec(), BTreeSet::new(), "import");
        taken.add(&of.await.map_err(refused)?);
    }
    let close = FeedCommand::Close {
        batch: batch.to_owned(),
    };
    holder.submit(close, "import").await.map_err(refused)?;
    let filter = FeedRecordFilter {
        batch: Some(batch.to_owned()),
        states: vec!["quarantined".to_owned()],
        limit: SHOWN,
        ..FeedRecordFilter::default()
    };
    let held = records.feed_records(&options.feed, &filter).await?;
    let held = held.items.into_iter().map(|one| json!(one)).collect();
    feeds.keep_all().await;
    Ok((taken, held))
}

fn refused(error: FeedError) -> Failure {
    match error {
        FeedError::Refused(refusal) => Failure::BadInput(refusal.to_string()),
        other => Failure::Failed(other.into()),
    }
}

async fn over_http(
    target: &str,
    options: &Options,
    batch: &str,
    rows: Vec<NewRecord>,
) -> Result<(Taken, Vec<Value>), Failure> {
    let client = HttpClient::sign_in(target, &options.username).await?;
    let path = format!("/feeds/{}/batches", options.feed);
    let open = json!({"batch": batch, "expected": rows.len()});
    match client.post(&path, &open).await? {
        (StatusCode::CREATED | StatusCode::CONFLICT, _) => {}
        (_, answer) => return Err(told(&answer)),
    }
    let path = format!("{path}/{}", percent_encoded(batch));
    let (mut taken, mut some, mut bytes) = (Taken::default(), Vec::new(), 0);
    for row in rows {
        let row = json!({
            "id": row.id, "row": row.row, "digest": row.digest, "body": row.body,
            "unreadable": row.unreadable,
        });
        bytes += row.to_string().len();
        some.push(row);
        if bytes >= BODY_BYTES || some.len() == AT_ONCE {
            taken.add(&hand_over(&client, &path, &mut some).await?);
            bytes = 0;
        }
    }
    taken.add(&hand_over(&client, &path, &mut some).await?);
    let (status, answer) = client.post(&format!("{path}/close"), &json!({})).await?;
    if status != StatusCode::OK {
        return Err(told(&answer));
    }
    let path = format!(
        "/feeds/{}/quarantine?batch={}&limit={SHOWN}",
        options.feed,
        percent_encoded(batch)
    );
    let mut page = client.get(&path).await?;
    let held = page["items"].as_array_mut().map(std::mem::take);
    Ok((taken, held.unwrap_or_default()))
}

async fn hand_over(
    client: &HttpClient,
    path: &str,
    some: &mut Vec<Value>,
) -> Result<Taken, Failure> {
    if some.is_empty() {
        return Ok(Taken::default());
    }
    let body = json!({"records": std::mem::take(some)});
    let (status, mut answer) = client.post(&format!("{path}/records"), &body).await?;
    if status != StatusCode::CREATED {
        return Err(told(&answer));
    }
    Ok(serde_json::from_value(answer["taken"].take())?)
}

fn told(answer: &Value) -> Failure {
    let detail = answer["detail"].as_str().unwrap_or("no answer");
    match answer["status"].as_u64() {
        Some(404 | 409 | 422) => Failure::BadInput(detail.to_owned()),
        _ => Failure::Failed(anyhow!("{detail}; the same import can be run again")),
    }
}

fn percent_encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_records_and_those_that_do_not_fit_are_kept_as_they_came() {
        let rows =
            parse("\u{feff}no,item\n1,A\n2\n\n3,B,more\n\"4\n5\",C\n".as_bytes()).expect("rows");
        let lines: Vec<u64> = rows.iter().filter_map(|row| row.row).collect();
        assert_eq!(lines, [2, 3, 5, 6]);
        let fit: Vec<bool> = rows.iter().map(|row| row.unreadable.is_none()).collect();
        assert_eq!(fit, [true, false, false, true]);
        assert_eq!(
            rows[2].body,
            json!({"no": "3", "item": "B", "column 3": "more"})
        );
        assert_eq!(rows[3].body["no"], "4\n5");
    }

    #[test]
    fn a_header_that_cannot_be_ends_it() {
        for (content, why) in [
            ("", "line 1"),
            ("a,,b\n1,2,3\n", "column 2"),
            ("a,b,a\n1,2,3\n", "column 3: a stands twice"),
            ("a,b\n", "no rows"),
        ] {
            let refused = parse(content.as_bytes()).expect_err("a refusal");
            assert!(refused.contains(why), "{content:?}: {refused}");
        }
        assert!(
            parse(b"a,\xff\xfe\n1,2\n").is_err(),
            "a header in another encoding"
        );
    }
}
