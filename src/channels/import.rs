//! `hallkeeper import calls`: an access log, checked and counted, and on wish taken into the history of
//! a channel, in this machine's database or over HTTP in a running server.
//!
//! Lines that do not fit are counted and listed, and do not keep the others out. A line's id is made of
//! its number and its contents, so the same log again changes nothing, and an import that broke off is
//! simply started again.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::http::StatusCode;
use anyhow::{Context as _, anyhow, ensure};
use clap::Args;
use rules::channels::access_log::{Counts, Format, Import, Report};
use rules::channels::call::{Call, NewCall};
use rules::channels::{Limits, Masking};
use rules::ids::ChannelId;
use serde_json::Value;

use super::{Channels, Watched};
use crate::cli::Failure;
use crate::http_client::HttpClient;
use crate::{config, store};

/// Bytes read at a time.
const PIECE: usize = 256 * 1024;

/// Calls written in one transaction.
const AT_ONCE: usize = 2_000;

/// A request's body stays below what servers take unless set otherwise.
const BODY_BYTES: usize = 60_000;

/// Lines of a table that are printed; `--json` has them all.
const SHOWN: usize = 10;

#[derive(Args)]
pub struct Options {
    /// The access log
    file: PathBuf,
    /// The channel whose calls they are; without it the log is only checked and counted
    #[arg(long, value_name = "ID")]
    channel: Option<ChannelId>,
    /// How its lines are written: combined, nginx-json, or a log_format of nginx
    #[arg(long, default_value = "combined")]
    format: String,
    /// Print all that was counted as one JSON document
    #[arg(long)]
    json: bool,
    /// Settings file, for the database to write to
    #[arg(long, value_name = "FILE", conflicts_with = "target")]
    config: Option<PathBuf>,
    /// Address of a running server to import into, instead of this machine's database
    #[arg(long, value_name = "URL", requires = "channel")]
    target: Option<String>,
    /// Account to sign in with at the target; its password is read from HALLKEEPER_PASSWORD
    #[arg(long, default_value = "admin")]
    username: String,
}

/// Where calls go.
enum Taker {
    /// Nowhere.
    Counting,
    Server(HttpClient, ChannelId),
    Database(Channels, Arc<Watched>, Limits),
}

/// Runs the import.
///
/// # Errors
/// Bad input names the file or the option; a failure names the step.
pub async fn run(options: Options) -> Result<(), Failure> {
    let format = match options.format.as_str() {
        "combined" => Format::combined(),
        "nginx-json" => Format::nginx_json(),
        pattern => Format::pattern(pattern)
            .map_err(|fault| Failure::BadInput(format!("--format: {fault}")))?,
    };
    let bad = |why: std::io::Error| Failure::BadInput(format!("{}: {why}", options.file.display()));
    let mut file = File::open(&options.file).map_err(bad)?;
    let total = file.metadata().map_err(bad)?.len();
    let taker = taker(&options).await?;
    let limits = Limits::default();
    let mut log = Import::new(format, limits.fails_from_status, limits.slow_micros());
    let (mut new, mut piece) = (0, vec![0; PIECE]);
    loop {
        let read = file.read(&mut piece).map_err(bad)?;
        let mut told = Vec::new();
        let mut each = |line: &rules::channels::access_log::Line<'_>| {
            if !matches!(taker, Taker::Counting) {
                told.push(line.told());
            }
            ControlFlow::Continue(())
        };
        let _ = match read {
            0 => log.finish(&mut each),
            _ => log.feed(&piece[..read], &mut each),
        };
        new += taker.take(told).await?;
        progress(log.progress().0, total);
        if read == 0 {
            break;
        }
    }
    if let Taker::Database(channels, ..) = &taker {
        channels.keep_all().await;
    }
    print(&options, &log.report(), new)
}

async fn taker(options: &Options) -> Result<Taker, Failure> {
    let Some(channel) = &options.channel else {
        return Ok(Taker::Counting);
    };
    if let Some(target) = &options.target {
        let client = HttpClient::sign_in(target, &options.username).await?;
        return Ok(Taker::Server(client, channel.clone()));
    }
    let settings = config::Settings::load(options.config.as_deref())
        .map_err(|error| Failure::BadInput(format!("{error:#}")))?;
    let stores = store::open(&settings.database.url, &settings.data.dir)
        .await
        .context("if a server is running on this data, import through it with --target URL")?;
    let system = actors::System::start(stores.journal, 1);
    let channels = Channels::start(system.journal, stores.records).await?;
    let watched = channels.get(channel).ok_or_else(|| {
        Failure::BadInput(format!("there is no channel {channel}: set it up first"))
    })?;
    let limits = watched.desk.read(|channel, _| channel.limits()).await;
    let limits = limits.context("the channel does not answer")?;
    Ok(Taker::Database(channels, watched, limits))
}

impl Taker {
    /// How many of the calls were new.
    async fn take(&self, told: Vec<NewCall>) -> anyhow::Result<u64> {
        match self {
            Self::Counting => Ok(0),
            Self::Server(client, channel) => send(client, channel, &told).await,
            Self::Database(channels, watched, limits) => {
                let mut new = 0;
                let calls = checked(&watched.id, told, limits)?;
                for some in calls.chunks(AT_ONCE) {
                    new += channels.record(watched, some).await?;
                }
                Ok(new)
            }
        }
    }
}

fn checked(channel: &ChannelId, told: Vec<NewCall>, limits: &Limits) -> anyhow::Result<Vec<Call>> {
    use actors::ports::Clock as _;
    let (now, masking) = (actors::clock::SystemClock.now(), Masking::default());
    let calls = told.into_iter().map(|call| {
        // Each line has an id.
        let call = call.checked(channel, String::new, limits, &masking, now);
        call.map_err(|fault| anyhow!("a line cannot be kept: {fault}"))
    });
    calls.collect()
}

async fn send(client: &HttpClient, channel: &ChannelId, told: &[NewCall]) -> anyhow::Result<u64> {
    let (mut new, mut body) = (0, String::from("["));
    for (n, call) in told.iter().enumerate() {
        if body.len() > 1 {
            body.push(',');
        }
        body.push_str(&serde_json::to_string(call)?);
        let next = told.get(n + 1).map(serde_json::to_string).transpose()?;
        if next.is_none_or(|next| body.len() + next.len() > BODY_BYTES) {
            body.push(']');
            let calls: Value = serde_json::from_str(&body)?;
            let path = format!("/channels/{channel}/calls");
            let (status, answer) = client.post(&path, &calls).await?;
            ensure!(
                status == StatusCode::CREATED,
                "{status} {}; what came before it is imported, the same import can be run again",
                answer["detail"]
            );
            new += answer["kept"].as_u64().unwrap_or(0);
            body = String::from("[");
        }
    }
    Ok(new)
}

/// How far it is, on a terminal only.
fn progress(done: u64, total: u64) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        let end = if done >= total { "\n" } else { "" };
        let _ = write!(out, "\r{} of {} MiB  {end}", done >> 20, total >> 20);
        let _ = out.flush();
    }
}

fn print(options: &Options, report: &Report, new: u64) -> Result<(), Failure> {
    if options.json {
        println!("{}", serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    let mut text = format!(
        "{} lines: {} calls, {} bad",
        report.lines, report.good, report.bad
    );
    if let (Some(first), Some(last)) = (&report.first_at, &report.last_at) {
        text += &format!("; {first} to {last}");
    }
    if let Some(channel) = &options.channel {
        text += &format!(
            "\n{new} new in channel {channel}, {} known",
            report.good - new
        );
    }
    text += "\n\nby status\n";
    for (status, calls) in &report.by_status {
        text += &format!("{calls:>10}  {status}\n");
    }
    text += &table("by path", &report.by_path_family);
    text += &table("by caller", &report.by_caller);
    if let (Some(p50), Some(p95)) = (report.times.p50_ms, report.times.p95_ms) {
        text += &format!("\nmedian {p50} ms, 95th percentile {p95} ms\n");
    }
    for bad in &report.bad_lines {
        let why = serde_json::to_value(bad)?;
        text += &format!("line {}: {}\n", why["line"], why["reason"]["en"]);
    }
    // Whoever closed the pipe has read enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

fn table(title: &str, counts: &Counts) -> String {
    let mut most: Vec<(&String, &u64)> = counts.of.iter().collect();
    most.sort_by_key(|(name, calls)| (std::cmp::Reverse(**calls), *name));
    let mut text = format!("\n{title}\n");
    for (name, calls) in most.iter().take(SHOWN) {
        text += &format!("{calls:>10}  {name}\n");
    }
    let rest: u64 = most.iter().skip(SHOWN).map(|(_, calls)| **calls).sum();
    if rest + counts.others > 0 {
        text += &format!("{:>10}  others\n", rest + counts.others);
    }
    text
}
