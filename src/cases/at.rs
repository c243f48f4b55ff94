//! `hallkeeper cases`: which cases were open, near due or overdue at an instant, as CSV.
//!
//! It reads the database only, so it works beside a running server.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use rules::calendar::Moment;
use rules::cases::{Case, Settings, TimeState};
use rules::machine::ItemKind;
use rules::time::Timestamp;

use crate::cli::Failure;
use crate::store::Records;
use crate::store::records::{ItemFilter, PAGE_MAX, StoreError};
use crate::{config, store};

#[derive(Args)]
pub struct Options {
    /// The instant
    #[arg(long, value_name = "RFC3339")]
    at: String,
    /// Which cases
    #[arg(long, value_enum, default_value_t = Which::Open)]
    state: Which,
    /// File to write; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Settings file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    Open,
    NearDue,
    Overdue,
}

/// Writes the list.
///
/// # Errors
/// Bad input names the option; a failure names the step.
pub async fn run(options: Options) -> Result<(), Failure> {
    let Some(at) = Timestamp::parse_rfc3339(&options.at) else {
        let why = format!("--at: '{}' is no time of RFC 3339", options.at);
        return Err(Failure::BadInput(why));
    };
    let settings = config::Settings::load(options.config.as_deref())
        .map_err(|error| Failure::BadInput(format!("{error:#}")))?;
    let counted_by = super::settings(&settings.cases)?;
    let records = store::open_to_read(&settings.database.url, &settings.data.dir).await?;
    let cases = open_cases(&records, at, &counted_by)
        .await
        .context("could not read the cases")?;
    let chosen = cases.iter().filter(|case| {
        let time = case.time_state(at);
        match options.state {
            Which::Open => true,
            Which::NearDue => time == TimeState::NearDue,
            Which::Overdue => time == TimeState::Overdue,
        }
    });
    let file = options.out.display();
    if options.out.as_os_str() == "-" {
        write(std::io::stdout().lock(), chosen, at)?;
    } else {
        let out = std::fs::File::create(&options.out)
            .map_err(|error| Failure::BadInput(format!("--out: {file}: {error}")))?;
        write(out, chosen, at).with_context(|| format!("could not write {file}"))?;
    }
    Ok(())
}

/// The cases open at an instant, in the order of their numbers.
async fn open_cases(
    records: &Records,
    at: Timestamp,
    settings: &Settings,
) -> Result<Vec<Case>, StoreError> {
    let mut cases = Vec::new();
    let mut filter = ItemFilter {
        limit: PAGE_MAX,
        ..ItemFilter::default()
    };
    loop {
        let page = records.items(ItemKind::Case, &filter).await?;
        for item in &page.items {
            let then = super::read(&item.body)?.as_of(at, settings);
            cases.extend(then.filter(|case| case.state.is_open()));
        }
        filter.cursor = page.next;
        if filter.cursor.is_none() {
            break;
        }
    }
    cases.sort_by(|a, b| a.case_no.cmp(&b.case_no));
    Ok(cases)
}

fn write<'a>(
    out: impl Write,
    cases: impl Iterator<Item = &'a Case>,
    at: Timestamp,
) -> anyhow::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record(["case_no", "due_at", "state"])?;
    for case in cases {
        let due = case.limits.due.as_ref().map(Moment::to_rfc3339);
        let state = match case.time_state(at) {
            TimeState::None => "no-limit",
            TimeState::OnTime => "on-time",
            TimeState::NearDue => "near-due",
            TimeState::Overdue => "overdue",
        };
        out.write_record([case.case_no.as_str(), due.as_deref().unwrap_or(""), state])?;
    }
    out.flush()?;
    Ok(())
}
