//! What a device says of itself, and how it is kept.

use std::collections::BTreeMap;

use rules::devices::usage::{TOTAL_MAX, Totals};
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Codes with which a function still works.
const WARNINGS: &[&str] = &["paper_low"];

/// What is wrong with one function of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Such as `print`, `audio`, `scan` or `display`.
    pub function: String,
    /// Such as `paper_out`.
    pub code: String,
}

impl Fault {
    /// Such as `paper_low`: somebody should look, but the function still works.
    pub(super) fn is_warning(&self) -> bool {
        WARNINGS.contains(&self.code.as_str())
    }
}

/// What a device says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// The build of its page.
    pub build: String,
    /// Such as `1920x1080`.
    pub viewport: String,
    pub browser: String,
    /// Its clock less the server's.
    pub skew_ms: Option<i64>,
    /// `on`, `blocked` (the browser waits for a touch), `muted` or `none`.
    pub audio: Option<String>,
    /// Path of its page.
    pub page: String,
    /// Every fault it has now; none left means all is well.
    pub faults: Vec<Fault>,
    /// Of the software of a device that shows no page of ours.
    pub version: Option<String>,
    /// How often its functions were used since it started: `{"run": …, "used": {"print": 3}}`.
    #[schema(value_type = Option<Object>)]
    pub usage: Option<Totals>,
}

impl Report {
    /// What is wrong with the report: field and reason.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str)> {
        let long = |text: &str, most: usize| text.chars().count() > most;
        let word = |text: &str| {
            (1..=40).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        if long(&self.build, 64) {
            return Some(("build", "at most 64 characters"));
        }
        if long(&self.viewport, 40) {
            return Some(("viewport", "at most 40 characters"));
        }
        if long(&self.browser, 200) {
            return Some(("browser", "at most 200 characters"));
        }
        if long(&self.page, 200) {
            return Some(("page", "at most 200 characters"));
        }
        if self.audio.as_deref().is_some_and(|audio| !word(audio)) {
            return Some(("audio", "a word of a-z, 0-9 and '_'"));
        }
        if self.faults.len() > 16 {
            return Some(("faults", "at most 16"));
        }
        let words = |fault: &Fault| word(&fault.function) && word(&fault.code);
        if !self.faults.iter().all(words) {
            return Some(("faults", "function and code are words of a-z, 0-9 and '_'"));
        }
        let printable = |text: &str| {
            let good = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
            good && (1..=40).contains(&text.len())
        };
        if self.version.as_deref().is_some_and(|text| !printable(text)) {
            return Some(("version", "1 to 40 printable ASCII characters"));
        }
        let usage = self.usage.as_ref()?;
        if !printable(&usage.run) {
            return Some(("usage.run", "1 to 40 printable ASCII characters"));
        }
        let total = |(function, total): (&String, &u64)| word(function) && *total <= TOTAL_MAX;
        if usage.used.len() > 16 || !usage.used.iter().all(total) {
            return Some((
                "usage.used",
                "at most 16 totals by function, each at most 10⁹",
            ));
        }
        None
    }
}

/// A report as it is kept: with the beginning of each fault, which the device need not remember.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    pub(super) report: Report,
    pub(super) since: BTreeMap<String, Timestamp>,
    /// The totals it told last, also while it tells none.
    pub(super) totals: Option<Totals>,
}
