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

use clap::Args;
use rules::channels::access_log::{Counts, Format, Import, Line, Report};
use rules::channels::{Limits, NewCall};
use rules::ids::ChannelId;

use super::follow;
use super::taker::Taker;
use crate::cli::Failure;

/// Bytes read at a time.
const PIECE: usize = 1024 * 1024;

/// Lines of a table that are printed; `--json` has them all.
const SHOWN: usize = 10;

#[derive(Args)]
pub struct Options {
    /// The access log
    pub(super) file: PathBuf,
    /// The channel whose calls they are; without it the log is only checked and counted
    #[arg(long, value_name = "ID")]
    pub(super) channel: Option<ChannelId>,
    /// How its lines are written: combined, nginx-json, or a log_format of nginx
    #[arg(long, default_value = "combined")]
    format: String,
    /// Print all that was counted as one JSON document
    #[arg(long)]
    json: bool,
    /// Settings file, for the database to write to
    #[arg(long, value_name = "FILE", conflicts_with = "target")]
    pub(super) config: Option<PathBuf>,
    /// Address of a running server to import into, instead of this machine's database
    #[arg(long, value_name = "URL", requires = "channel")]
    pub(super) target: Option<String>,
    /// Account to sign in with at the target; its password is read from HALLKEEPER_PASSWORD
    #[arg(long, default_value = "admin")]
    pub(super) username: String,
    /// Go on reading as the log grows and is rotated, until told to stop
    #[arg(long, requires = "channel")]
    follow: bool,
    /// Where --follow notes how far it has come; beside the log unless said otherwise
    #[arg(long, value_name = "FILE", requires = "follow")]
    pub(super) state: Option<PathBuf>,
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
    let mut taker = Taker::of(&options).await?;
    let limits = Limits::default();
    let mut log = Import::new(format, limits.fails_from_status, limits.slow_micros());
    if options.follow {
        follow::run(&options, &mut log, &mut taker).await?;
        return print(&options, &log.report(), taker.finish().await?);
    }
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece).map_err(bad)?;
        let told = calls_of(&mut log, &piece[..read], taker.takes());
        taker.take(told).await?;
        progress(log.progress().0, total);
        if read == 0 {
            break;
        }
    }
    let report = log.report();
    print(&options, &report, taker.finish().await?)?;
    match report.lines > 0 && report.good == 0 {
        true => Err(Failure::BadInput(format!(
            "{}: no line is written as --format says ({})",
            options.file.display(),
            options.format
        ))),
        false => Ok(()),
    }
}

/// The calls of a piece of a log; an empty piece is its end.
pub(super) fn calls_of(log: &mut Import, piece: &[u8], wanted: bool) -> Vec<NewCall> {
    let mut told = Vec::new();
    let mut each = |line: &Line<'_>| {
        if wanted {
            told.push(line.told());
        }
        ControlFlow::Continue(())
    };
    let _ = match piece {
        [] => log.finish(&mut each),
        _ => log.feed(piece, &mut each),
    };
    told
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
    text += "\n";
    if report.good > 0 {
        text += "\nby status\n";
        for (status, calls) in &report.by_status {
            text += &format!("{calls:>10}  {status}\n");
        }
        text += &table("by path", &report.by_path_family);
        text += &table("by caller", &report.by_caller);
    }
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
