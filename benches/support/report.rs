//! One JSON document on standard output; progress on standard error, and only for a person.

use crate::support::{disk, procfs};
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

/// What a program found: figures, and promises it saw broken.
#[derive(Default)]
pub(crate) struct Report {
    figures: Map<String, Value>,
    violations: Vec<String>,
    unlisted: usize,
}

/// A broken promise tends to be broken on every round; the first few tell which one.
const LISTED: usize = 20;

impl Report {
    pub(crate) fn new(program: &str) -> Self {
        let mut report = Self::default();
        report.put("program", json!(program));
        report
    }

    pub(crate) fn put(&mut self, name: &str, value: Value) {
        self.figures.insert(name.into(), value);
    }

    pub(crate) fn violation(&mut self, what: String) {
        if self.violations.len() < LISTED {
            progress(&format!("VIOLATION: {what}"));
            self.violations.push(what);
        } else {
            self.unlisted += 1;
        }
    }

    pub(crate) fn expect(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.violation(otherwise());
        }
    }

    fn print(mut self) -> ExitCode {
        let code = if self.violations.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
        if self.unlisted > 0 {
            self.violations.push(format!("and {} more", self.unlisted));
        }
        self.put("violations", json!(self.violations));
        let written = writeln!(std::io::stdout(), "{:#}", Value::Object(self.figures));
        // Whoever closed the pipe did not read the verdict either.
        if written.is_ok() {
            code
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Runs a program on one thread: the client shares the machine with the server it measures.
pub(crate) fn run(program: impl Future<Output = Result<Report>>) -> ExitCode {
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("building the runtime")
        .and_then(|runtime| tokio::task::LocalSet::new().block_on(&runtime, program));
    match outcome {
        Ok(report) => report.print(),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Figures of an unoptimised build mislead. `cargo test --all-targets` makes one and runs it.
pub(crate) fn skipped_when_unoptimised(program: &str, asked_for_quick: bool) -> bool {
    let skip = cfg!(debug_assertions) && !asked_for_quick;
    if skip {
        println!(
            "{:#}",
            json!({ "program": program, "skipped": "built without optimisation; use `cargo bench`" })
        );
    }
    skip
}

pub(crate) fn progress(line: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{line}");
    }
}

/// What one has to know about the machine before comparing figures.
pub(crate) fn machine(data: &Path, pinned: bool) -> Value {
    json!({
        "nproc": procfs::cores(),
        "cpu": procfs::cpu_model(),
        "kernel": procfs::kernel(),
        "load_average": procfs::load_average(),
        "pinned": pinned,
        "data_on_tmpfs": disk::on_tmpfs(data),
    })
}

/// Three decimals are more than any of these figures deserves.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
