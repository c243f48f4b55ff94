//! The catalogue: which variables a rule may name, by the kind of subject it is about.
//!
//! Each kind's table stands beside the code that fills it, in [`crate::alerts::facts`]. A name that
//! is in no table is refused when the rule is saved, with the nearest name that is.

use crate::alerts::facts::{batch, case, channel, desk, device, hall, indicator};
use crate::alerts::subject::{SubjectKind, Variable};

/// The variables of a kind of subject, in the order of [`crate::alerts::subject::Facts::values`].
pub const fn variables(kind: SubjectKind) -> &'static [Variable] {
    match kind {
        SubjectKind::Case => case::VARIABLES,
        SubjectKind::Ticket => hall::TICKET,
        SubjectKind::Queue => hall::QUEUE,
        SubjectKind::Hall => hall::HALL,
        SubjectKind::Window => hall::WINDOW,
        SubjectKind::Channel => channel::VARIABLES,
        SubjectKind::Device => device::VARIABLES,
        SubjectKind::Indicator => indicator::VARIABLES,
        SubjectKind::Batch => batch::VARIABLES,
        SubjectKind::Desk => desk::VARIABLES,
    }
}

/// Stands between names in a text variable that holds several.
pub const LIST_COMMA: &str = "、";

/// A variable and its slot in the values, by its name.
pub fn find(kind: SubjectKind, name: &str) -> Option<(usize, &'static Variable)> {
    let mut all = variables(kind).iter().enumerate();
    all.find(|(_, variable)| variable.name == name)
}

/// The candidate that somebody who wrote `name` most likely meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bearable = (name.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= bearable)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance: insertions, deletions and replacements from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_the_one_that_was_meant() {
        let names = ["waiting", "open_windows", "longest_wait_minutes"];
        assert_eq!(nearest("wating", names), Some("waiting"));
        assert_eq!(nearest("open_window", names), Some("open_windows"));
        assert_eq!(nearest("temperature", names), None);
    }

    #[test]
    fn names_are_unique_within_a_kind_and_are_words_of_the_language() {
        for kind in SubjectKind::ALL {
            let names: Vec<&str> = variables(kind).iter().map(|v| v.name).collect();
            let unique: std::collections::BTreeSet<&&str> = names.iter().collect();
            assert_eq!(unique.len(), names.len(), "{}", kind.name());
            for name in names {
                let word = name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit());
                assert!(
                    word && name != "param" && name != "has" && name != "in",
                    "{name}"
                );
            }
        }
    }
}
