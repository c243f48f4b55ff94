//! What the staff has to say over all public screens of a hall.

use serde::{Deserialize, Serialize};

use crate::hall::Refusal;
use crate::name::Name;
use crate::time::Timestamp;

/// Longest text of a notice in each language, in characters: two lines of a board.
pub const NOTICE_MAX_CHARS: usize = 200;

/// A notice with an end ends within so many seconds: what is said for longer belongs on paper.
const NOTICE_MAX_SECS: u64 = 31 * 86_400;

/// How much room a notice takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeLevel {
    /// One line beside the calls.
    Notice,
    /// The whole of every screen.
    Emergency,
}

impl NoticeLevel {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Emergency => "emergency",
        }
    }
}

/// A notice; a hall has one at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub level: NoticeLevel,
    pub text: Name,
    /// When it goes by itself; without it, when somebody takes it down.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

impl Notice {
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), Refusal> {
        for (field, text) in [("text.zh", &self.text.zh), ("text.en", &self.text.en)] {
            let long = text.chars().count() > NOTICE_MAX_CHARS;
            if long || text.trim().is_empty() || text.chars().any(char::is_control) {
                return Err(Refusal::invalid(
                    field,
                    format!("1 to {NOTICE_MAX_CHARS} characters on one line"),
                ));
            }
        }
        let within = now.plus_secs(NOTICE_MAX_SECS);
        match self.until {
            Some(until) if until <= now || until > within => Err(Refusal::invalid(
                "until",
                format!("ahead, by at most {} days", NOTICE_MAX_SECS / 86_400),
            )),
            _ => Ok(()),
        }
    }
}

/// A notice as it hangs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    pub notice: Notice,
    pub since: Timestamp,
}
