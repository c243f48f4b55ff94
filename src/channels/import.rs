//! `hallkeeper import calls`: an access log, checked and counted, and on wish taken into the history of
//! a channel, in this machine's database or over HTTP in a running server.
//!
//! Lines that do not fit are counted and listed, and do not keep the others out. A line's id is made of
//! its number and its contents, so the same log again changes nothing, and an import that broke off is
//! simply started again. While the database writes, the next lines are read, checked and masked.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::ops::ControlFlow;
use std::path::PathBuf;

use actix_web::rt::task::spawn_blocking;
use anyhow::Context as _;
use clap::Args;
use rules::channels::Limits;
use rules::channels::NewCall;
use rules::channels::access_log::import::BAD_LINES_MAX;
use rules::channels::access_log::{Counts, Format, Import, Line, Report};
use rules::ids::ChannelId;
use tokio::sync::mpsc;

use super::follow;
use super::taker::{Taker, bodies_of};
use crate::cli::Failure;

/// Bytes read at a time.
const PIECE: usize = 1024 * 1024;

/// Bytes of a line of which few are shorter.
const SHORT_LINE: usize = 128;

/// Pieces that are read ahead.
const AHEAD: usize = 2;

/// Lines of a table, and bad lines, that are printed; `--json` has more.
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
    let file = File::open(&options.file).map_err(bad)?;
    let total = file.metadata().map_err(bad)?.len();
    let mut taker = Taker::of(&options).await?;
    let limits = Limits::default();
    let mut log = Import::new(format, limits.fails_from_status, limits.slow_micros());
    if options.follow {
        follow::run(&options, &mut log, &mut taker).await?;
        return print(&options, &log.report(), taker.finish().await?);
    }
    let log = Reading { file, log, total };
    let report = match &mut taker {
        Taker::Nowhere => log.hand(|_| Ok(()), |_| Ok(()), async |_| Ok(())).await,
        Taker::Server(server) => {
            let told = |line: &Line<'_>| Ok(line.told());
            let bodies = |told: Vec<NewCall>| bodies_of(&told);
            log.hand(told, bodies, async |bodies| server.take(bodies).await)
                .await
        }
        Taker::Database(database) => {
            let (checks, packer) = (database.checks(), database.packer());
            let checked = move |line: &Line<'_>| checks.call(line);
            let packed = move |calls| packer.pack(calls);
            log.hand(checked, packed, async |packed| database.keep(packed).await)
                .await
        }
    };
    let report = report.map_err(|cause| match cause.downcast() {
        Ok(why) => bad(why),
        Err(cause) => cause.into(),
    })?;
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

/// What is made of each line of a piece of a log; an empty piece is its end.
///
/// # Errors
/// Of a line nothing can be made.
pub(super) fn calls_of<C, E>(
    log: &mut Import,
    piece: &[u8],
    mut make: impl FnMut(&Line<'_>) -> Result<C, E>,
) -> Result<Vec<C>, E> {
    let (mut made, mut fault) = (Vec::with_capacity(piece.len() / SHORT_LINE), None);
    let mut each = |line: &Line<'_>| match make(line) {
        Ok(call) => {
            made.push(call);
            ControlFlow::Continue(())
        }
        Err(cause) => {
            fault = Some(cause);
            ControlFlow::Break(())
        }
    };
    let _ = match piece {
        [] => log.finish(&mut each),
        _ => log.feed(piece, &mut each),
    };
    fault.map_or(Ok(made), Err)
}

/// A log that is read on a thread of its own, while what was read before is taken.
struct Reading {
    file: File,
    log: Import,
    total: u64,
}

impl Reading {
    /// Makes something of every line, packs what was made of a piece, and hands it over.
    ///
    /// # Errors
    /// The log cannot be read, of a line nothing can be made, or what was made is not taken. What was
    /// taken before stays so.
    async fn hand<C, P: Send + 'static>(
        self,
        make: impl FnMut(&Line<'_>) -> anyhow::Result<C> + Send + 'static,
        pack: impl FnMut(Vec<C>) -> anyhow::Result<P> + Send + 'static,
        mut take: impl AsyncFnMut(&mut P) -> anyhow::Result<()>,
    ) -> anyhow::Result<Report> {
        let total = self.total;
        let (hand, mut pieces) = mpsc::channel(AHEAD);
        let (give_back, taken) = std::sync::mpsc::channel();
        let reading = spawn_blocking(move || self.read(make, pack, &hand, &taken));
        while let Some((mut packed, done)) = pieces.recv().await {
            take(&mut packed).await?;
            progress(done, total);
            // Nobody reads any more when the last pieces are taken.
            let _ = give_back.send(packed);
        }
        reading.await.context("the log is read no more")?
    }

    /// What was taken comes back to be dropped here: memory is given back fastest by the thread that
    /// took it.
    fn read<C, P>(
        mut self,
        mut make: impl FnMut(&Line<'_>) -> anyhow::Result<C>,
        mut pack: impl FnMut(Vec<C>) -> anyhow::Result<P>,
        hand: &mpsc::Sender<(P, u64)>,
        taken: &std::sync::mpsc::Receiver<P>,
    ) -> anyhow::Result<Report> {
        let mut piece = vec![0; PIECE];
        loop {
            taken.try_iter().for_each(drop);
            let read = self.file.read(&mut piece)?;
            let made = calls_of(&mut self.log, &piece[..read], &mut make)?;
            let handed = hand.blocking_send((pack(made)?, self.log.progress().0));
            // Whoever takes nothing any more says why.
            if read == 0 || handed.is_err() {
                return Ok(self.log.report());
            }
        }
    }
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
    for bad in report.bad_lines.iter().take(SHOWN) {
        text += &format!("line {}: {}\n", bad.number, bad.fault);
    }
    let more = report.bad.saturating_sub(SHOWN as u64);
    if more > 0 {
        text += &format!("{more} more bad lines; --json lists the first {BAD_LINES_MAX}\n");
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
