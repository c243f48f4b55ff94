//! `hallkeeper import cases`: a log of cases into this machine's database, or over HTTP into a running
//! server.
//!
//! The file is read and checked whole before anything is changed. The same file again changes nothing,
//! so an import that broke off is simply started again.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use actix_web::http::StatusCode;
use anyhow::{Context as _, anyhow};
use clap::Args;
use futures_util::{StreamExt as _, stream};
use rules::cases::{Case, CaseCommand, CaseDesk, CaseEvent, CaseRefusal, Limit, Telling, Told};
use rules::machine::Machine as _;
use rules::time::Timestamp;
use serde_json::{Value, json};

use super::log::{Log, parse};
use crate::cli::Failure;
use crate::http_client::HttpClient;
use crate::{config, store};

/// Cases written in one transaction.
const AT_ONCE: usize = 500;

/// Requests under way at a time.
const REQUESTS: usize = 8;

#[derive(Args)]
pub struct Options {
    /// The log: one row per step
    file: PathBuf,
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

/// What became of the cases.
#[derive(Default)]
struct Outcome {
    new: usize,
    changed: usize,
    known: usize,
}

/// Runs the import.
///
/// # Errors
/// Bad input names file, line and field; a failure names the step.
pub async fn run(options: Options) -> Result<(), Failure> {
    let log = read(&options.file)?;
    let (rows, cases) = (log.rows, log.cases.len());
    let outcome = match &options.target {
        Some(target) => over_http(target, &options.username, log).await?,
        None => into_database(&options, log).await?,
    };
    println!(
        "{rows} rows, {cases} cases: {} new, {} changed, {} as known",
        outcome.new, outcome.changed, outcome.known
    );
    Ok(())
}

fn read(path: &Path) -> Result<Log, Failure> {
    let file = path.display();
    let bad = |why: String| Failure::BadInput(format!("{file}: {why}"));
    let content = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    let log = parse(&content).map_err(|why| bad(why.replace('\n', &format!("\n{file}: "))))?;
    // What the desk would refuse of cases it does not know: the same checks, on an empty desk.
    let now = now();
    for telling in &log.cases {
        let tell = CaseCommand::Tell(vec![telling.clone()]);
        if let Err(refusal) = CaseDesk::default().decide(&tell, "import", now) {
            let line = log.lines.get(&telling.case_no).copied().unwrap_or_default();
            return Err(bad(format!("line {line}: {}: {refusal}", telling.case_no)));
        }
    }
    Ok(log)
}

fn now() -> Timestamp {
    use actors::ports::Clock as _;
    actors::clock::SystemClock.now()
}

async fn into_database(options: &Options, log: Log) -> Result<Outcome, Failure> {
    let settings = config::Settings::load(options.config.as_deref())
        .map_err(|error| Failure::BadInput(format!("{error:#}")))?;
    if !settings.database.url.starts_with("sqlite") {
        let why = "a PostgreSQL database is filled through its server: name it with --target URL";
        return Err(Failure::BadInput(why.to_owned()));
    }
    std::fs::create_dir_all(&settings.data.dir)
        .with_context(|| format!("could not make {}", settings.data.dir.display()))?;
    let stores = store::open(&settings.database.url, &settings.data.dir)
        .await
        .context("if a server is running on this data, import through it with --target URL")?;
    let counted_by = super::settings(&settings.cases)?;
    let system = actors::System::start(stores.journal.clone(), 1);
    let desk = super::start(&system, &counted_by).await?;
    let (log, mut outcome) = without_put_away(log, &desk, &stores.records).await?;
    let all = CaseCommand::Tell(log.cases.clone());
    let possible = desk.read(move |desk, now| desk.decide(&all, "import", now).map(drop));
    if let Some(Err(refusal)) = possible.await {
        return Err(anyhow!("{refusal}").into());
    }
    let mut progress = Progress::new(log.cases.len());
    for cases in log.cases.chunks(AT_ONCE) {
        let done = desk
            .submit(CaseCommand::Tell(cases.to_vec()), "import", None)
            .await
            .map_err(|error| anyhow!("{error}"))?;
        let mut touched = BTreeSet::new();
        for recorded in &done.recorded {
            match &recorded.event {
                CaseEvent::CaseTold { .. } => outcome.new += 1,
                event => drop(touched.insert(event.case_no().cloned())),
            }
        }
        outcome.changed += touched.len();
        progress.step(cases.len());
    }
    outcome.known += log.cases.len() - outcome.new - outcome.changed;
    progress.end();
    desk.keep_snapshot().await;
    Ok(outcome)
}

/// Cases that ended long ago are no longer at the desk: what is already known of them is passed over,
/// anything else is refused.
async fn without_put_away(
    mut log: Log,
    desk: &actors::desk::Desk<CaseDesk>,
    records: &store::Records,
) -> Result<(Log, Outcome), Failure> {
    let names: Vec<_> = log.cases.iter().map(|c| c.case_no.clone()).collect();
    let held = desk
        .read(move |desk, _| {
            let held = names.into_iter().filter(|name| desk.case(name).is_some());
            held.collect::<BTreeSet<_>>()
        })
        .await
        .context("the case desk does not answer")?;
    let mut left = Vec::new();
    let mut outcome = Outcome::default();
    for telling in std::mem::take(&mut log.cases) {
        if held.contains(&telling.case_no) {
            left.push(telling);
            continue;
        }
        match super::put_away(records, &telling.case_no).await? {
            None => left.push(telling),
            Some(case) if says_nothing_new(&case, &telling) => outcome.known += 1,
            Some(_) => {
                let line = log.lines.get(&telling.case_no).copied().unwrap_or_default();
                let case_no = telling.case_no;
                let why = CaseRefusal::CasePutAway { case_no };
                return Err(Failure::BadInput(format!("line {line}: {why}")));
            }
        }
    }
    log.cases = left;
    Ok((log, outcome))
}

/// Whether everything told is known of a case already.
pub fn says_nothing_new(case: &Case, telling: &Telling) -> bool {
    let known = |step: &rules::cases::Step| case.steps.iter().any(|k| step.is_repeat_of(k));
    case.told == telling.told && telling.steps.iter().all(known)
}

async fn over_http(target: &str, username: &str, log: Log) -> Result<Outcome, Failure> {
    let client = HttpClient::sign_in(target, username).await?;
    let mut progress = Progress::new(log.cases.len());
    let mut outcome = Outcome::default();
    let answers = stream::iter(&log.cases).map(|telling| {
        let client = &client;
        async move { (telling, client.post("/cases", &body(telling)).await) }
    });
    let mut answers = answers.buffer_unordered(REQUESTS);
    while let Some((telling, answer)) = answers.next().await {
        match answer? {
            (StatusCode::CREATED, _) => outcome.new += 1,
            (StatusCode::OK, body) if body["changed"] == true => outcome.changed += 1,
            (StatusCode::OK, _) => outcome.known += 1,
            (status, body) => {
                progress.end();
                return Err(anyhow!(
                    "case {}: {status} {}; what came before it is imported, the same import can be run again",
                    telling.case_no,
                    body["detail"]
                )
                .into());
            }
        }
        progress.step(1);
    }
    progress.end();
    Ok(outcome)
}

/// A case as `POST /cases` takes it.
fn body(telling: &Telling) -> Value {
    let Told {
        department,
        group,
        handler,
        channel,
        received_at,
        due,
        acceptance_limit_days,
        ..
    } = &telling.told;
    let due_at = match due {
        Some(Limit::At(due)) => Some(due.to_rfc3339()),
        _ => None,
    };
    let steps: Vec<Value> = telling
        .steps
        .iter()
        .map(|step| {
            json!({
                "kind": step.kind, "at": step.at.rfc3339_utc(), "by": step.by, "note": step.note,
            })
        })
        .collect();
    json!({
        "case_no": telling.case_no, "department": department, "group": group, "handler": handler,
        "channel": channel, "received_at": received_at.map(Timestamp::rfc3339_utc),
        "due_at": due_at, "acceptance_limit_days": acceptance_limit_days, "steps": steps,
    })
}

/// How far it is, on a terminal only.
struct Progress {
    total: usize,
    done: usize,
    live: bool,
}

impl Progress {
    fn new(total: usize) -> Self {
        Self {
            total,
            done: 0,
            live: std::io::stderr().is_terminal(),
        }
    }

    fn step(&mut self, more: usize) {
        self.done += more;
        if self.live {
            eprint!("\r{}/{} cases  ", self.done, self.total);
            let _ = std::io::stderr().flush();
        }
    }

    fn end(&self) {
        if self.live {
            eprintln!();
        }
    }
}
