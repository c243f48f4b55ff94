//! `hallkeeper rules`: checks rule files, runs their unit tests, and tries rules on the past.

pub mod backtest;
mod history;
mod print;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use rules::alerts::rule::Rule;
use rules::alerts::source::{Fault, RuleFile};
use rules::alerts::trial;
use rules::name::Lang;

use crate::cli::Failure;

/// What to do with rule files.
#[derive(Subcommand)]
pub enum Action {
    /// Look for mistakes, all of them at once 检查规则文件
    Check(Files),
    /// Run the unit tests of rule files in simulated time 运行规则测试
    Test(Files),
    /// Tell what the rules of a file would have done in the past 用历史数据回测规则
    Backtest(backtest::Options),
}

#[derive(Args)]
pub struct Files {
    /// Rule files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// Mistakes in a file are bad input, each with file, line and column; a test that does not pass is a
/// failure.
pub async fn run(action: Action) -> Result<(), Failure> {
    match action {
        Action::Check(files) => check(&files.files),
        Action::Test(files) => test(&files.files),
        Action::Backtest(options) => backtest::run(options).await,
    }
}

/// The language of this terminal.
fn lang() -> Lang {
    let tag = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|tag| !tag.is_empty()));
    tag.and_then(|tag| Lang::from_tag(&tag)).unwrap_or(Lang::En)
}

/// The rules of a file, or all that is wrong with it as `file:line:column: message`.
fn read(path: &Path) -> Result<RuleFile, Vec<String>> {
    let file = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| vec![format!("{file}: {error}")])?;
    let lang = lang();
    let line = |fault: &Fault| {
        let message = fault.message.get(lang);
        format!("{file}:{}:{}: {message}", fault.line, fault.column)
    };
    RuleFile::parse(&text).map_err(|faults| faults.iter().map(line).collect())
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<(PathBuf, RuleFile)>, Failure> {
    let mut files = Vec::new();
    let mut faults = Vec::new();
    for path in paths {
        match read(path) {
            Ok(file) => files.push((path.clone(), file)),
            Err(found) => faults.extend(found),
        }
    }
    faults.extend(twice(&files));
    if faults.is_empty() {
        return Ok(files);
    }
    for fault in &faults {
        eprintln!("{fault}");
    }
    let words = if faults.len() == 1 {
        "1 mistake"
    } else {
        &format!("{} mistakes", faults.len())
    };
    Err(Failure::BadInput(words.to_owned()))
}

/// Rules that stand in more than one file.
fn twice(files: &[(PathBuf, RuleFile)]) -> Vec<String> {
    let mut seen: Vec<(&str, &Path)> = Vec::new();
    let mut faults = Vec::new();
    for (path, file) in files {
        for rule in &file.rules {
            match seen.iter().find(|(id, _)| *id == rule.id) {
                Some((id, other)) => faults.push(format!(
                    "{}: rule {id} stands in {} too",
                    path.display(),
                    other.display()
                )),
                None => seen.push((&rule.id, path)),
            }
        }
    }
    faults
}

fn check(paths: &[PathBuf]) -> Result<(), Failure> {
    let files = read_all(paths)?;
    let rules: Vec<&Rule> = files.iter().flat_map(|(_, file)| &file.rules).collect();
    for rule in &rules {
        let named = rule.supersedes.iter().chain(&rule.inhibits);
        for other in named.filter(|id| !rules.iter().any(|rule| rule.id == **id)) {
            eprintln!(
                "note: {} names {other}, which is in none of these files",
                rule.id
            );
        }
    }
    println!(
        "{} rules in {} files, no mistakes",
        rules.len(),
        files.len()
    );
    Ok(())
}

fn test(paths: &[PathBuf]) -> Result<(), Failure> {
    let mut passed = 0;
    let mut failed = 0;
    for (path, file) in read_all(paths)? {
        for test in &file.tests {
            let rule = file.rules.iter().find(|rule| rule.id == test.rule);
            let failures = rule.map_or(Ok(Vec::new()), |rule| trial::run(test, rule));
            let failures = failures.map_err(|errors| {
                anyhow::anyhow!(
                    "{}: {} mistakes in {}",
                    path.display(),
                    errors.len(),
                    test.rule
                )
            })?;
            match failures.is_empty() {
                true => passed += 1,
                false => {
                    failed += 1;
                    println!("{}:{}: {}", path.display(), test.line, test.name);
                    failures.iter().for_each(|failure| println!("  {failure}"));
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    match failed {
        0 => Ok(()),
        _ => Err(anyhow::anyhow!("{failed} tests failed").into()),
    }
}
