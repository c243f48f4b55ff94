//! Series of samples in promtool's notation: `40 40 _ stale 1+2x5`.
//!
//! * `40`, `true`, `waiting`: one sample, of the variable's kind.
//! * `_`: not known at this instant; `_x3` three times.
//! * `stale`: the subject is gone from here until its next sample.
//! * `1+2x5`: 1, 3, 5, 7, 9, 11, that is the first and five more; `10-1x3` falls; `7x4` is `7+0x4`.

use std::sync::Arc;

use crate::alerts::subject::{Value, ValueKind, Variable};

/// Longest series, in samples.
pub const SAMPLES_MAX: usize = 10_000;

/// One sample of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum Sample {
    Value(Value),
    Stale,
}

/// Reads a series of a variable.
///
/// # Errors
/// The bytes of the word that cannot be read, and what is expected in Chinese and English.
pub fn parse(
    text: &str,
    variable: &Variable,
) -> Result<Vec<Sample>, (std::ops::Range<usize>, &'static str, &'static str)> {
    let mut samples = Vec::new();
    let mut at = 0;
    for word in text.split(char::is_whitespace) {
        let start = at;
        at += word.len()
            + text[at + word.len()..]
                .chars()
                .next()
                .map_or(0, char::len_utf8);
        if word.is_empty() {
            continue;
        }
        let span = start..start + word.len();
        let (zh, en) = expected(variable.kind);
        samples.extend(expand(word, variable.kind).ok_or((span.clone(), zh, en))?);
        if samples.len() > SAMPLES_MAX {
            return Err((span, "样本太多", "too many samples"));
        }
    }
    Ok(samples)
}

const fn expected(kind: ValueKind) -> (&'static str, &'static str) {
    match kind {
        ValueKind::Number => (
            "应为数、1+2x5、7x4、_ 或 stale",
            "a number, 1+2x5, 7x4, _ or stale is expected here",
        ),
        ValueKind::Bool => (
            "应为 true、false、_ 或 stale",
            "true, false, _ or stale is expected here",
        ),
        ValueKind::Text => (
            "应为文本、_ 或 stale",
            "a text, _ or stale is expected here",
        ),
    }
}

fn expand(word: &str, kind: ValueKind) -> Option<Vec<Sample>> {
    if let Some(times) = word.strip_prefix('_') {
        let times = match times {
            "" => 1,
            _ => count(times.strip_prefix('x')?)?,
        };
        return Some(vec![Sample::Value(Value::Missing); times]);
    }
    if word == "stale" {
        return Some(vec![Sample::Stale]);
    }
    let (first, more) = match word.rsplit_once('x') {
        Some((first, times)) if !first.is_empty() && count(times).is_some() => {
            (first, count(times)?)
        }
        _ => (word, 0),
    };
    match kind {
        ValueKind::Number => numbers(first, more, word == first),
        ValueKind::Bool => {
            let flag = first.parse().ok()?;
            Some(vec![Sample::Value(Value::Bool(flag)); more + 1])
        }
        ValueKind::Text => Some(vec![Sample::Value(Value::Text(Arc::from(first))); more + 1]),
    }
}

fn count(digits: &str) -> Option<usize> {
    digits.parse().ok().filter(|times| *times <= SAMPLES_MAX)
}

/// `a`, `axn` or `a±bxn`.
fn numbers(first: &str, more: usize, single: bool) -> Option<Vec<Sample>> {
    let sign = first
        .char_indices()
        .skip(1)
        .find(|(at, c)| matches!(c, '+' | '-') && !first[..*at].ends_with(['e', 'E']))
        .map(|(at, _)| at);
    let (begin, step) = match sign {
        Some(_) if single => return None,
        Some(at) => (&first[..at], first[at..].parse::<f64>().ok()?),
        None => (first, 0.0),
    };
    let begin: f64 = begin.parse().ok()?;
    let all = (0..=more).map(|n| begin + step * n as f64);
    all.map(|number| {
        number
            .is_finite()
            .then_some(Sample::Value(Value::Number(number)))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::facts::{flag, number, text};
    use crate::alerts::subject::Unit;

    fn written(series: &str, variable: &Variable) -> String {
        let samples = parse(series, variable).expect("a series");
        let one = |sample: &Sample| match sample {
            Sample::Stale => "stale".to_owned(),
            Sample::Value(Value::Missing) => "_".to_owned(),
            Sample::Value(Value::Number(number)) => number.to_string(),
            Sample::Value(Value::Bool(flag)) => flag.to_string(),
            Sample::Value(Value::Text(text)) => text.to_string(),
        };
        samples.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn promtools_notation_is_read_as_promtool_reads_it() {
        let count = number("n", Unit::Count, "", "");
        assert_eq!(
            written("40 40 _ stale 1+2x5", &count),
            "40 40 _ stale 1 3 5 7 9 11"
        );
        assert_eq!(
            written("10-1x3 7x2  _x2 -5 1e3", &count),
            "10 9 8 7 7 7 7 _ _ -5 1000"
        );
        assert_eq!(
            written("truex1 false", &flag("f", "", "")),
            "true true false"
        );
        assert_eq!(
            written("openx1 closed", &text("t", &[], "", "")),
            "open open closed"
        );
    }

    #[test]
    fn a_word_that_is_no_sample_is_named_with_its_place() {
        let count = number("n", Unit::Count, "", "");
        for (series, at) in [("1 2 drei", 4..8), ("1+2", 0..3), ("5x99999999", 0..10)] {
            assert_eq!(parse(series, &count).expect_err(series).0, at);
        }
    }
}
