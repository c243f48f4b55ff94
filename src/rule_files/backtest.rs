//! `hallkeeper rules backtest`: what rules would have done in the past.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use rules::Timestamp;
use rules::alerts::backtest::{Backtest, Difference, Report, instants};
use rules::alerts::duration;
use rules::alerts::rule::Rule;
use rules::alerts::shipped::shipped;
use rules::alerts::source::RuleFile;
use rules::alerts::subject::SubjectKind;
use rules::cases::{Case, Settings};
use serde::Serialize;

use super::history::{self, Tape};
use super::print;
use crate::cli::Failure;
use crate::store::Records;
use crate::{cases, config, store};

/// Which rules, and what past.
#[derive(Args)]
pub struct Options {
    /// The rule file to try
    file: PathBuf,
    /// From this instant [default: the beginning of the record]
    #[arg(long, value_name = "RFC3339")]
    from: Option<String>,
    /// Until this instant [default: the end of the record]
    #[arg(long, value_name = "RFC3339")]
    until: Option<String>,
    /// Try it on a log of cases in place of the database
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    /// Rule file to compare with [default: the database's rules in force, or those shipped]
    #[arg(long, value_name = "FILE")]
    rules_in_force: Option<PathBuf>,
    /// People at the alert desk
    #[arg(long, value_name = "N", default_value_t = 1)]
    operators: u32,
    /// Halls are looked at so often
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    step: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Settings file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The past that rules are tried on.
struct Past {
    cases: Vec<Case>,
    settings: Settings,
    records: Option<Records>,
    halls: Vec<Tape>,
}

#[derive(Serialize)]
struct Outcome {
    report: Report,
    against_rules_in_force: Vec<Difference>,
}

/// Runs it.
///
/// # Errors
/// Bad input names file, line and field; a failure names the step.
pub(super) async fn run(options: Options) -> Result<(), Failure> {
    let rules = rules_of(&options.file)?;
    let step = duration::parse_secs(&options.step)
        .filter(|secs| *secs > 0)
        .ok_or_else(|| Failure::BadInput("--step: a duration such as 10s".to_owned()))?;
    let from = instant("--from", options.from.as_deref())?;
    let until = instant("--until", options.until.as_deref())?;
    let mut past = Past::open(&options, &rules).await?;
    let (first, last) = past.span().await?;
    let (from, until) = (from.unwrap_or(first), until.unwrap_or(last));
    if until < from {
        return Err(Failure::BadInput("--until lies before --from".to_owned()));
    }
    let in_force = in_force(&options, past.records.as_ref(), &rules).await?;
    let mut tests = [backtest(&rules, from)?, backtest(&in_force, from)?];
    past.walk(&mut tests, &rules, &in_force, (from, until), step)
        .await?;
    let [mut new, mut old] = tests;
    let zone = past.settings.calendar.zone;
    old.pass_until(until);
    let report = new.report(from, until, options.operators, zone);
    let against = new.against(&old, until);
    if options.json {
        let outcome = Outcome {
            report,
            against_rules_in_force: against,
        };
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        print::report(&report, &against);
    }
    Ok(())
}

/// Tries a rule on what a running server has recorded, beside the one in force.
///
/// # Errors
/// The store does not answer, or holds what cannot be.
pub async fn on_records(
    records: Records,
    settings: Settings,
    rule: Rule,
    in_force: Option<Rule>,
    (from, until): (Timestamp, Timestamp),
) -> anyhow::Result<(Report, Vec<Difference>)> {
    let wanted = |kinds: &[SubjectKind]| kinds.contains(&rule.subject);
    let of_halls = [
        SubjectKind::Hall,
        SubjectKind::Queue,
        SubjectKind::Window,
        SubjectKind::Ticket,
    ];
    let mut past = Past {
        cases: match wanted(&[SubjectKind::Case, SubjectKind::Ticket]) {
            true => history::cases_of_database(&records).await?,
            false => Vec::new(),
        },
        halls: match wanted(&of_halls) {
            true => Tape::all(&records).await?,
            false => Vec::new(),
        },
        settings,
        records: Some(records),
    };
    let words = |_| anyhow::anyhow!("the rule's condition cannot be read");
    let (rules, in_force) = (vec![rule], Vec::from_iter(in_force));
    let mut tests = [
        Backtest::new(&rules, from).map_err(words)?,
        Backtest::new(&in_force, from).map_err(words)?,
    ];
    // Some thousand looks at each hall: a person waits for the answer.
    let step = (until.secs_since(from) / 5_000).max(10);
    past.walk(&mut tests, &rules, &in_force, (from, until), step)
        .await
        .map_err(|_| anyhow::anyhow!("the record cannot be read"))?;
    let [mut new, mut old] = tests;
    old.pass_until(until);
    let report = new.report(from, until, 1, past.settings.calendar.zone);
    let against = new.against(&old, until);
    Ok((report, against))
}

fn rules_of(path: &PathBuf) -> Result<Vec<Rule>, Failure> {
    let mut files = super::read_all(std::slice::from_ref(path))?;
    let rules = files.remove(0).1.rules;
    match rules.is_empty() {
        true => Err(Failure::BadInput(format!(
            "{}: holds no rule",
            path.display()
        ))),
        false => Ok(rules),
    }
}

fn instant(option: &str, text: Option<&str>) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = text else {
        return Ok(None);
    };
    let at = Timestamp::parse_rfc3339(text);
    let why = || Failure::BadInput(format!("{option}: '{text}' is no time of RFC 3339"));
    at.map(Some).ok_or_else(why)
}

fn backtest(rules: &[Rule], from: Timestamp) -> Result<Backtest, Failure> {
    Backtest::new(rules, from).map_err(|errors| {
        let words: Vec<&str> = errors
            .iter()
            .map(|error| error.message.en.as_str())
            .collect();
        Failure::BadInput(words.join("; "))
    })
}

/// The rules of the same names that are in force.
async fn in_force(
    options: &Options,
    records: Option<&Records>,
    rules: &[Rule],
) -> Result<Vec<Rule>, Failure> {
    let known = match (&options.rules_in_force, records) {
        (Some(path), _) => rules_of(path)?,
        (None, Some(records)) => history::rules_in_force(records).await?,
        (None, None) => Vec::new(),
    };
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let known: Vec<Rule> = match known.is_empty() {
        false => known,
        true => shipped()
            .iter()
            .filter_map(|(_, text)| RuleFile::parse(text).ok())
            .flat_map(|file| file.rules)
            .collect(),
    };
    Ok(known
        .into_iter()
        .filter(|rule| ids.contains(&rule.id.as_str()))
        .collect())
}

impl Past {
    async fn open(options: &Options, rules: &[Rule]) -> Result<Self, Failure> {
        let settings = config::Settings::load(options.config.as_deref())
            .map_err(|error| Failure::BadInput(format!("{error:#}")))?;
        let counted_by = cases::settings(&settings.cases)?;
        if let Some(file) = &options.cases {
            return Ok(Self {
                cases: history::cases_of_file(file, &counted_by)?,
                settings: counted_by,
                records: None,
                halls: Vec::new(),
            });
        }
        let about = |kinds: &[SubjectKind]| rules.iter().any(|r| kinds.contains(&r.subject));
        let records = store::open_to_read(&settings.database.url, &settings.data.dir).await?;
        let of_halls = [
            SubjectKind::Hall,
            SubjectKind::Queue,
            SubjectKind::Window,
            SubjectKind::Ticket,
        ];
        Ok(Self {
            cases: match about(&[SubjectKind::Case, SubjectKind::Ticket]) {
                true => history::cases_of_database(&records).await?,
                false => Vec::new(),
            },
            halls: match about(&of_halls) {
                true => Tape::all(&records).await?,
                false => Vec::new(),
            },
            settings: counted_by,
            records: Some(records),
        })
    }

    /// The first and the last instant of the record.
    async fn span(&mut self) -> Result<(Timestamp, Timestamp), Failure> {
        let steps = self
            .cases
            .iter()
            .flat_map(|case| case.steps.iter().map(|step| step.at));
        let received = self.cases.iter().filter_map(|case| case.received_at);
        let mut all: Vec<Timestamp> = steps.chain(received).collect();
        if let Some(records) = &self.records {
            for hall in &mut self.halls {
                all.extend(hall.next_at(records).await?);
                all.extend(
                    records
                        .last_event_at(hall.stream())
                        .await
                        .map_err(anyhow::Error::from)?,
                );
            }
        }
        match (all.iter().min(), all.iter().max()) {
            (Some(first), Some(last)) => Ok((*first, *last)),
            _ => Err(Failure::BadInput(
                "the record is empty: there is nothing to try rules on".to_owned(),
            )),
        }
    }

    /// Hands everything that was known to each test, in order of time.
    async fn walk(
        &mut self,
        tests: &mut [Backtest],
        rules: &[Rule],
        in_force: &[Rule],
        (from, until): (Timestamp, Timestamp),
        step: u64,
    ) -> Result<(), Failure> {
        let all: Vec<Rule> = rules.iter().chain(in_force).cloned().collect();
        let places = instants(&self.cases, &self.settings, &all, from, until);
        let registered = history::registered(&self.cases);
        let mut places = places.into_iter().peekable();
        let progress = Progress::new(from, until);
        let mut tick = from;
        loop {
            let end = if self.halls.is_empty() {
                until
            } else {
                tick.min(until)
            };
            while let Some((at, place)) = places.next_if(|(at, _)| *at <= end) {
                for test in &mut *tests {
                    test.feed_case(&self.cases[place], &self.settings, at);
                }
            }
            if self.halls.is_empty() || tick > until {
                break;
            }
            if let Some(records) = &self.records {
                for hall in &mut self.halls {
                    hall.play(records, tick).await?;
                    let facts = hall.facts(registered.get(&hall.id), tick);
                    for test in &mut *tests {
                        test.feed(hall.id.as_str(), &facts, tick);
                    }
                }
            }
            progress.tell(tick, step);
            tick = tick.plus_secs(step);
        }
        progress.end();
        Ok(())
    }
}

/// Shown on a terminal only.
struct Progress {
    from: Timestamp,
    until: Timestamp,
    shown: bool,
}

impl Progress {
    fn new(from: Timestamp, until: Timestamp) -> Self {
        Self {
            from,
            until,
            shown: std::io::stderr().is_terminal(),
        }
    }

    fn tell(&self, at: Timestamp, step: u64) {
        let all = self.until.secs_since(self.from).max(1);
        let done = at.secs_since(self.from);
        // A hundred lines at most.
        if self.shown && done * 100 / all != (done + step) * 100 / all {
            eprint!("\r{} %", done * 100 / all);
        }
    }

    fn end(&self) {
        if self.shown {
            eprint!("\r      \r");
        }
    }
}
