//! Rule files: TOML with `[[rule]]` tables, and `[[test]]` tables that try them in simulated time.
//!
//! A file is read whole: every mistake is reported with its line and column, and a file with one
//! mistake gives no rule at all.

mod reader;
mod rule;
mod sense;
mod sentence;
pub mod series;
mod test;

use std::fmt;
use std::ops::Range;

use serde::Serialize;
use toml::de::DeTable;

use crate::alerts::rule::Rule;
use crate::name::Name;
use reader::Reader;
pub use test::{Expected, UnitTest};

/// Longest rule file, in bytes.
pub const FILE_MAX_BYTES: usize = 1024 * 1024;
/// Most rules in one file.
pub const RULES_MAX: usize = 1000;

/// A mistake in a rule file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Bytes of the file it is about.
    pub start: usize,
    pub end: usize,
    /// As of a condition's error, and `toml`, `missing`, `unknown_field`, `value`, `nonsense`, `twice`.
    pub code: &'static str,
    pub message: Name,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message.en)
    }
}

/// What a rule file holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleFile {
    pub rules: Vec<Rule>,
    pub tests: Vec<UnitTest>,
}

impl RuleFile {
    /// Reads and checks a rule file.
    ///
    /// # Errors
    /// Every mistake, in the order of the file.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::new(text);
        if text.len() > FILE_MAX_BYTES {
            let most = FILE_MAX_BYTES / 1024;
            reader.fault(
                0..0,
                "too_long",
                format!("规则文件最大 {most} KiB"),
                format!("a rule file has at most {most} KiB"),
            );
            return Err(reader.finish());
        }
        let (table, mistakes) = DeTable::parse_recoverable(text);
        for mistake in &mistakes {
            let span = mistake.span().unwrap_or(0..0);
            let message = mistake.message().to_owned();
            reader.fault(span, "toml", message.clone(), message);
        }
        let file = read(&mut reader, table.get_ref(), table.span());
        match reader.finish() {
            faults if faults.is_empty() => Ok(file),
            faults => Err(faults),
        }
    }
}

fn read(reader: &mut Reader<'_>, table: &DeTable<'_>, span: Range<usize>) -> RuleFile {
    reader.known(table, &["version", "rule", "test"]);
    let version = reader.required(table, &span, "version", Reader::number);
    if version.is_some_and(|version| version != 1.0) {
        let span = reader::get(table, "version").map_or(span.clone(), |value| value.span());
        reader.fault(
            span,
            "value",
            "此版本的规则文件为 version = 1",
            "this reads rule files of version = 1",
        );
    }
    let mut rules: Vec<Rule> = Vec::new();
    for (table, span) in reader.tables(table, "rule", RULES_MAX) {
        let read = rule::read(reader, table, span.clone());
        let Some(read) = read else { continue };
        if rules.iter().any(|known| known.id == read.id) {
            let id = &read.id;
            let zh = format!("规则 {id} 出现两次");
            reader.fault(span, "twice", zh, format!("rule {id} stands twice"));
        }
        rules.push(read);
    }
    let tests = reader.tables(table, "test", RULES_MAX);
    let tests = tests
        .into_iter()
        .filter_map(|(table, span)| test::read(reader, table, span, &rules))
        .collect();
    RuleFile { rules, tests }
}
