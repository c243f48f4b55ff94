//! Who did what when, as orders and problems remember it, and the figures of how long it took.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::time::Timestamp;

/// Entries that one thing remembers. Comments end there; steps are always noted, in the place of
/// the oldest comment.
pub const HISTORY_MAX: usize = 200;

/// Longest comment, reason, finding or correction, in characters.
pub const TEXT_MAX_CHARS: usize = 2_000;

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    pub by: String,
    /// The event's name, e.g. `order_assigned`.
    pub what: String,
    /// To whom, if it was given to somebody.
    #[serde(default)]
    pub to: Option<String>,
    #[serde(default)]
    pub text: Option<String>,
}

impl Entry {
    pub fn new(at: Timestamp, by: &str, what: &str) -> Self {
        Self {
            at,
            by: by.to_owned(),
            what: what.to_owned(),
            to: None,
            text: None,
        }
    }

    pub fn face(&self) -> Value {
        json!({
            "at": self.at.rfc3339_utc(), "by": self.by, "what": self.what, "to": self.to,
            "text": self.text,
        })
    }
}

/// Notes one more entry; the first one, which says where the thing came from, always stays.
pub(super) fn note(history: &mut Vec<Entry>, entry: Entry) {
    if history.len() >= HISTORY_MAX {
        history.remove(1);
    }
    history.push(entry);
}

/// What a person wrote, without blanks around it; why it cannot be, otherwise.
pub(super) fn written(text: &str, chars_max: usize) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty");
    }
    if text.chars().count() > chars_max {
        return Err("is too long");
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err("has characters that cannot be printed");
    }
    Ok(text.to_owned())
}

/// How long things took: half of them at most `p50_secs`, nine in ten at most `p90_secs`
/// (nearest rank).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Spread {
    pub count: usize,
    pub p50_secs: Option<u64>,
    pub p90_secs: Option<u64>,
}

impl Spread {
    pub fn of(secs: impl IntoIterator<Item = u64>) -> Self {
        let mut secs: Vec<u64> = secs.into_iter().collect();
        secs.sort_unstable();
        let rank = |percent: usize| (secs.len() * percent).div_ceil(100).checked_sub(1);
        let at = |percent| secs.get(rank(percent)?).copied();
        Self {
            count: secs.len(),
            p50_secs: at(50),
            p90_secs: at(90),
        }
    }
}

/// `part` of `whole` in percent with one decimal; none when there is no whole.
pub(super) fn percent(part: usize, whole: usize) -> Option<f64> {
    let share = part as f64 / whole as f64;
    (whole > 0).then(|| (share * 1000.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_and_nine_in_ten_are_by_nearest_rank() {
        let spread = Spread::of([40, 10, 20, 30]);
        assert_eq!((spread.p50_secs, spread.p90_secs), (Some(20), Some(40)));
        assert_eq!(Spread::of([7]).p90_secs, Some(7));
        assert_eq!(Spread::of([]), Spread::default());
        assert_eq!(Spread::of(1..=100).p90_secs, Some(90));
    }
}
