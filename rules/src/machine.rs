//! The shape that every journalled machine beside the halls has, so that one shell carries them all.
//!
//! A machine is a value. [`Machine::decide`] says what a command would make happen or refuses,
//! [`Machine::apply`] remembers what happened and cannot fail, [`Machine::next_deadline`] and
//! [`Machine::elapse`] tell what time alone brings; asking too early is harmless. The journal stands
//! between deciding and applying: what could not be written did not happen.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ids::HallId;
use crate::name::Lang;
use crate::time::Timestamp;

/// An event with its place in a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded<E> {
    /// 1 for the journal's first event, rising by one.
    pub seq: u64,
    pub at: Timestamp,
    /// The account or device that asked for it; `clock` when time alone did.
    pub by: String,
    pub event: E,
}

/// What happened, as the journal keeps it: fields may be added, never changed or removed.
pub trait JournalEvent:
    Clone + Serialize + DeserializeOwned + Send + Sync + Unpin + 'static
{
    /// The event's name, for the journal's index and for logs.
    fn kind(&self) -> &'static str;
}

/// What kind of "no" a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// What was named does not exist.
    Unknown,
    /// A field does not fit; the refusal names it.
    Invalid,
    /// It exists, but not in a state that allows this.
    Conflict,
    /// It was changed since whoever asks has read it.
    Stale,
}

impl RefusalKind {
    /// Codes tell it by their beginning: `unknown_…`, `invalid_…`, `changed_…`, or none of them.
    pub fn of_code(code: &str) -> Self {
        match code.split('_').next() {
            Some("unknown") => Self::Unknown,
            Some("invalid") => Self::Invalid,
            Some("changed") => Self::Stale,
            _ => Self::Conflict,
        }
    }
}

/// Why a machine does not do what it was asked. Nothing has changed. Its own fields explain it.
pub trait Refuse: std::error::Error + Clone + Serialize + Send + 'static {
    fn kind(&self) -> RefusalKind {
        RefusalKind::of_code(self.code())
    }

    /// Stable; programs go by it.
    fn code(&self) -> &'static str;

    /// A sentence for a person.
    fn sentence(&self, lang: Lang) -> String;
}

/// Makes a refusal of a type that has a `code` and `words`: its sentence in either language, in English
/// where it is an error.
macro_rules! refuse_in_words {
    ($refusal:ty) => {
        impl std::fmt::Display for $refusal {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.words().en)
            }
        }

        impl std::error::Error for $refusal {}

        impl $crate::machine::Refuse for $refusal {
            fn code(&self) -> &'static str {
                self.code()
            }

            fn sentence(&self, lang: $crate::name::Lang) -> String {
                self.words().get(lang).to_owned()
            }
        }
    };
}
pub(crate) use refuse_in_words;

/// A pure state machine that lives by its journal. A fresh one is `Default`.
pub trait Machine: Default + Serialize + DeserializeOwned + Send + Unpin + 'static {
    type Command: Send + 'static;
    type Event: JournalEvent;
    type Refusal: Refuse;

    /// Name of its journal, e.g. `cases`; where there are several of a kind,
    /// each has its id behind it.
    const NAME: &'static str;

    /// Sequence number of the last event applied, 0 before the first.
    fn seq(&self) -> u64;

    /// What the command makes happen. A refusal has changed nothing.
    ///
    /// # Errors
    /// The reason, for a person and with a stable code.
    fn decide(
        &self,
        command: &Self::Command,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// Remembers one event. It must be the one after [`Machine::seq`].
    fn apply(&mut self, recorded: &Recorded<Self::Event>);

    /// When [`Machine::elapse`] has something to say next, as far as is known.
    fn next_deadline(&self) -> Option<Timestamp>;

    /// The program starts again at `now`, with a machine from its snapshot and events.
    fn resume(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// Lets time pass, where that changes what no event tells of. Called before [`Machine::elapse`].
    fn advance(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// What has fallen due until `now`, in order of time.
    fn elapse(&self, now: Timestamp) -> Vec<Self::Event>;

    /// Everything that these events touch, as it is after them: rows for lists and searches.
    fn items(&self, recorded: &[Recorded<Self::Event>]) -> Vec<Item>;
}

/// What a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    Case,
    Alert,
    WorkOrder,
    Problem,
    Message,
    Channel,
    Batch,
}

impl ItemKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Alert => "alert",
            Self::WorkOrder => "work_order",
            Self::Problem => "problem",
            Self::Message => "message",
            Self::Channel => "channel",
            Self::Batch => "batch",
        }
    }
}

/// One row of a list: what may be filtered and sorted by, and the thing itself as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub kind: ItemKind,
    /// Unique within its kind.
    pub id: String,
    pub state: String,
    /// The hall whose people may see it; none: only those whose scope is all halls.
    pub hall: Option<HallId>,
    pub department: Option<String>,
    /// Who has it in hand: handler, assignee or receiver.
    pub person: Option<String>,
    /// What it is about: an alert's rule, an order's or problem's source, a message's alert, a case's item code.
    pub about: Option<String>,
    /// An alert's topic and subject, e.g. `flow` and `H1/A`.
    pub topic: Option<String>,
    pub subject: Option<String>,
    /// Urgency, 0 the least.
    pub rank: u8,
    pub opened_at: Timestamp,
    pub due_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// JSON of the thing itself.
    pub body: String,
}
