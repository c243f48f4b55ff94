//! Conditions: what a rule asks of a subject, in CEL's syntax.
//!
//! The text is read by the parser of the `cel` crate and checked against the catalogue of the rule's
//! subject; what remains is a typed expression over slots, which cannot fail, loop or allocate when
//! it is evaluated. Where this differs from CEL on purpose:
//!
//! * Integers and decimals are one kind of number (64-bit floating point), so `waiting * 1.5` is
//!   fine and `3 / 2` is 1.5.
//! * A value that is not known makes a comparison [`Verdict::Missing`], never silently false, and
//!   decides nothing that the known values decide already (Kleene's logic); `has(x)` asks whether it
//!   is known. A division by zero is missing, too.
//! * Numbers have units. A bare number takes the unit of the other side.

mod check;
mod eval;
mod syntax;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alerts::catalogue;
use crate::alerts::subject::{SubjectKind, Value};
pub use crate::alerts::watch::Verdict;
use crate::name::Name;
use eval::Test;

/// Longest condition, in bytes.
pub const SOURCE_MAX_BYTES: usize = 4096;
/// Most operators, names and numbers in one condition.
pub const NODES_MAX: usize = 200;
/// Deepest nesting.
pub const DEPTH_MAX: usize = 32;

/// A mistake in a condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Error {
    /// Bytes of the text it is about.
    pub start: usize,
    pub end: usize,
    /// `syntax`, `unknown_variable`, `unknown_parameter`, `unknown_text`, `type`, `unit`,
    /// `unsupported`, `constant`, `too_long`, `too_deep` or `too_many_nodes`.
    pub code: &'static str,
    pub message: Name,
}

/// One comparison of a condition, as it came out: what a person needs to see why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// As the condition says it, e.g. `waiting > 2 * open_windows`.
    pub text: String,
    pub left: Value,
    /// `>`, `==`, `in`, `is known` …
    pub op: String,
    pub right: Value,
    pub holds: Verdict,
}

impl Comparison {
    /// With numbers of six decimals at most, as it is journalled: a number of up to fifteen digits
    /// reads back from JSON as it was, and one of seventeen may differ in its last bit.
    #[must_use]
    pub fn rounded(mut self) -> Self {
        for side in [&mut self.left, &mut self.right] {
            if let Value::Number(number) = side {
                *number = (*number * 1e6).round() / 1e6;
            }
        }
        self
    }
}

/// Values of a rule's parameters, in the order of their names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters(Box<[f64]>);

impl Parameters {
    /// The rule's own numbers, with those of a hall in place of the rule's.
    pub fn of(rule: &BTreeMap<String, f64>, hall: Option<&BTreeMap<String, f64>>) -> Self {
        let own = |name: &String| hall.and_then(|hall| hall.get(name).copied());
        let numbers = rule
            .iter()
            .map(|(name, number)| own(name).unwrap_or(*number));
        Self(numbers.collect())
    }
}

/// A checked condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    kind: SubjectKind,
    /// Names of the parameters, in order.
    parameters: Vec<String>,
    /// Slots of the variables it reads, in order and each once.
    reads: Vec<u16>,
    test: Test,
}

impl Condition {
    /// Reads and checks a condition. `parameters` are the rule's, by name: their order is that of
    /// the numbers handed to [`Condition::eval`].
    ///
    /// # Errors
    /// Every mistake found, in the order of the text; of mistakes in the syntax only the first,
    /// because the others follow from it.
    pub fn parse(
        text: &str,
        kind: SubjectKind,
        parameters: &BTreeMap<String, f64>,
    ) -> Result<Self, Vec<Error>> {
        let (tree, source) = syntax::parse(text)?;
        let parameters: Vec<String> = parameters.keys().cloned().collect();
        let (test, reads) = check::check(&tree, &source, kind, &parameters)?;
        Ok(Self {
            kind,
            parameters,
            reads: reads.into_iter().collect(),
            test,
        })
    }

    /// Whether the condition holds of these values.
    pub fn eval(&self, values: &[Value], parameters: &Parameters) -> Verdict {
        let seen = eval::Seen {
            values,
            parameters: &parameters.0,
        };
        eval::verdict(self.test.eval(&seen))
    }

    /// Every comparison of the condition with its values, in the order of the text.
    pub fn explain(&self, values: &[Value], parameters: &Parameters) -> Vec<Comparison> {
        let seen = eval::Seen {
            values,
            parameters: &parameters.0,
        };
        let names = eval::Names {
            variables: catalogue::variables(self.kind),
            parameters: &self.parameters,
        };
        let mut found = Vec::new();
        self.test.explain(&seen, names, &mut found);
        found
    }

    /// The variables it reads whose values are missing.
    pub fn missing(&self, values: &[Value]) -> Vec<&'static str> {
        let table = catalogue::variables(self.kind);
        let absent = |slot: &&u16| {
            let value = values.get(usize::from(**slot));
            matches!(value, None | Some(Value::Missing))
        };
        let slots = self.reads.iter().filter(absent);
        slots
            .filter_map(|slot| Some(table.get(usize::from(*slot))?.name))
            .collect()
    }

    /// The variables it reads.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> {
        let table = catalogue::variables(self.kind);
        self.reads
            .iter()
            .filter_map(|slot| Some(table.get(usize::from(*slot))?.name))
    }

    pub fn kind(&self) -> SubjectKind {
        self.kind
    }
}
