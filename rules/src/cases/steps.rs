//! What can happen to a case, and the state that follows from all that is known to have happened.
//!
//! Other systems report what happened, not always in order. So steps are facts with a time of their
//! own, and the state is read off the facts in the order of their times: it does not depend on the order
//! in which they were told.
//!
//! ```text
//! draft → submitted → pre_review → pre_review_passed → awaiting_materials ┐
//!              └────────────┴──────────────┴───────────────────────────────┴→ accepted → in_review → closed → result_issued → archived
//! in_review ↔ supplement, suspended      any open → refused, returned, void      returned → submitted
//! ```

use serde::{Deserialize, Serialize};

use crate::calendar::Moment;
use crate::time::Timestamp;

/// How far a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Draft,
    Submitted,
    PreReview,
    PreReviewPassed,
    AwaitingMaterials,
    Accepted,
    InReview,
    Supplement,
    Suspended,
    Returned,
    Closed,
    Refused,
    Void,
    ResultIssued,
    Archived,
}

impl State {
    pub const ALL: [Self; 15] = [
        Self::Draft,
        Self::Submitted,
        Self::PreReview,
        Self::PreReviewPassed,
        Self::AwaitingMaterials,
        Self::Accepted,
        Self::InReview,
        Self::Supplement,
        Self::Suspended,
        Self::Returned,
        Self::Closed,
        Self::Refused,
        Self::Void,
        Self::ResultIssued,
        Self::Archived,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::PreReview => "pre_review",
            Self::PreReviewPassed => "pre_review_passed",
            Self::AwaitingMaterials => "awaiting_materials",
            Self::Accepted => "accepted",
            Self::InReview => "in_review",
            Self::Supplement => "supplement",
            Self::Suspended => "suspended",
            Self::Returned => "returned",
            Self::Closed => "closed",
            Self::Refused => "refused",
            Self::Void => "void",
            Self::ResultIssued => "result_issued",
            Self::Archived => "archived",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == text)
    }

    /// Nothing more is decided about it.
    pub const fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Closed | Self::Refused | Self::Void | Self::ResultIssued | Self::Archived
        )
    }

    /// Begun and not ended. A returned case is open: its applicant may submit again.
    pub const fn is_open(self) -> bool {
        !self.is_ended() && !matches!(self, Self::Draft)
    }

    /// Whether somebody still has to accept it.
    pub const fn is_before_acceptance(self) -> bool {
        matches!(
            self,
            Self::Submitted | Self::PreReview | Self::PreReviewPassed | Self::AwaitingMaterials
        )
    }

    /// Time in it is not counted: the applicant's turn, or a special procedure.
    pub const fn is_paused(self) -> bool {
        matches!(self, Self::Supplement | Self::Suspended | Self::Returned)
    }
}

/// The kinds of steps, in the order in which they come when nothing is out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    Submitted,
    PreReviewBegun,
    PreReviewPassed,
    /// The applicant needs more time for the paper documents (需要更多时间提交纸质材料).
    MaterialsDelayed,
    /// The applicant has handed in the paper documents (已提交纸质材料); accepted with it.
    MaterialsSubmitted,
    Accepted,
    ReviewBegun,
    SupplementAsked,
    SupplementAnswered,
    Suspended,
    Resumed,
    /// Worked on, in the words of the note; changes no state.
    Progress,
    /// A new due time, in `due_at`.
    Extended,
    Assigned,
    Urged,
    SyncSent,
    SyncAcked,
    Returned,
    Refused,
    Voided,
    Closed,
    ResultIssued,
    Archived,
}

impl StepKind {
    pub const ALL: [Self; 23] = [
        Self::Submitted,
        Self::PreReviewBegun,
        Self::PreReviewPassed,
        Self::MaterialsDelayed,
        Self::MaterialsSubmitted,
        Self::Accepted,
        Self::ReviewBegun,
        Self::SupplementAsked,
        Self::SupplementAnswered,
        Self::Suspended,
        Self::Resumed,
        Self::Progress,
        Self::Extended,
        Self::Assigned,
        Self::Urged,
        Self::SyncSent,
        Self::SyncAcked,
        Self::Returned,
        Self::Refused,
        Self::Voided,
        Self::Closed,
        Self::ResultIssued,
        Self::Archived,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::PreReviewBegun => "pre_review_begun",
            Self::PreReviewPassed => "pre_review_passed",
            Self::MaterialsDelayed => "materials_delayed",
            Self::MaterialsSubmitted => "materials_submitted",
            Self::Accepted => "accepted",
            Self::ReviewBegun => "review_begun",
            Self::SupplementAsked => "supplement_asked",
            Self::SupplementAnswered => "supplement_answered",
            Self::Suspended => "suspended",
            Self::Resumed => "resumed",
            Self::Progress => "progress",
            Self::Extended => "extended",
            Self::Assigned => "assigned",
            Self::Urged => "urged",
            Self::SyncSent => "sync_sent",
            Self::SyncAcked => "sync_acked",
            Self::Returned => "returned",
            Self::Refused => "refused",
            Self::Voided => "voided",
            Self::Closed => "closed",
            Self::ResultIssued => "result_issued",
            Self::Archived => "archived",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text)
    }

    /// Moves the case along; the others only tell of it.
    pub const fn moves(self) -> bool {
        !matches!(
            self,
            Self::Progress
                | Self::Extended
                | Self::Assigned
                | Self::Urged
                | Self::SyncSent
                | Self::SyncAcked
        )
    }

    /// Happens once between submission and end, unless the case was returned.
    pub const fn is_once(self) -> bool {
        matches!(
            self,
            Self::PreReviewBegun
                | Self::PreReviewPassed
                | Self::MaterialsSubmitted
                | Self::Accepted
                | Self::ReviewBegun
                | Self::Refused
                | Self::Voided
                | Self::Closed
                | Self::ResultIssued
                | Self::Archived
        )
    }

    pub const fn ends(self) -> bool {
        matches!(self, Self::Refused | Self::Voided | Self::Closed)
    }

    /// May be told of one department's part.
    pub const fn is_for_parts(self) -> bool {
        matches!(
            self,
            Self::Accepted
                | Self::ReviewBegun
                | Self::SupplementAsked
                | Self::SupplementAnswered
                | Self::Suspended
                | Self::Resumed
                | Self::Progress
                | Self::Extended
                | Self::Refused
                | Self::Closed
        )
    }
}

/// One thing that happened to a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub kind: StepKind,
    pub at: Timestamp,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The part of a joint approval it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Of an extension: the new due time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Moment>,
    /// Of an assignment: who has it in hand from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl Step {
    pub fn new(kind: StepKind, at: Timestamp) -> Self {
        Self {
            kind,
            at,
            by: None,
            note: None,
            part: None,
            due_at: None,
            to: None,
        }
    }

    /// Whether both tell of the same thing. Work in progress goes by its note as well.
    pub fn is_repeat_of(&self, other: &Self) -> bool {
        let same = self.kind == other.kind && self.at == other.at && self.part == other.part;
        let words = self.kind == StepKind::Progress || self.kind == StepKind::Assigned;
        same && (!words || (self.note == other.note && self.to == other.to))
    }

    /// Steps in the order of their times; what happened at one instant in the order of the lifecycle.
    pub(crate) fn order(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.kind, &self.part, &self.note, &self.to).cmp(&(
            other.at,
            other.kind,
            &other.part,
            &other.note,
            &other.to,
        ))
    }
}

/// Time that is not counted; open while `until` is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

/// How a case or a part of it went, as read off its steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Course {
    pub(crate) state: State,
    pub(crate) received_at: Option<Timestamp>,
    pub(crate) accepted_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) pauses: Vec<Pause>,
    /// The state to fall back to when a suspension ends before the supplement it overlaps, and the reverse.
    beneath: Option<State>,
}

impl Course {
    /// Reads steps in their order. `received_at` is when the case came in; none for a draft.
    pub(crate) fn read<'a>(
        received_at: Option<Timestamp>,
        steps: impl IntoIterator<Item = &'a Step>,
    ) -> Self {
        let mut course = Self {
            state: match received_at {
                Some(_) => State::Submitted,
                None => State::Draft,
            },
            received_at,
            accepted_at: None,
            ended_at: None,
            pauses: Vec::new(),
            beneath: None,
        };
        for step in steps {
            course.take(step);
        }
        course
    }

    fn take(&mut self, step: &Step) {
        use StepKind as K;
        let at = step.at;
        if self.state.is_ended() {
            self.take_after_end(step);
            return;
        }
        match step.kind {
            K::Submitted => self.submit(at),
            K::PreReviewBegun => self.forward_to(State::PreReview),
            K::PreReviewPassed => self.forward_to(State::PreReviewPassed),
            K::MaterialsDelayed => self.forward_to(State::AwaitingMaterials),
            K::MaterialsSubmitted | K::Accepted => self.accept(at),
            K::ReviewBegun => self.forward_to(State::InReview),
            K::SupplementAsked => self.pause(State::Supplement, at),
            K::Suspended => self.pause(State::Suspended, at),
            K::SupplementAnswered => self.go_on(State::Supplement, at),
            K::Resumed => self.go_on(State::Suspended, at),
            K::Returned => self.pause(State::Returned, at),
            K::Refused => self.end(State::Refused, at),
            K::Voided => self.end(State::Void, at),
            K::Closed => self.end(State::Closed, at),
            K::ResultIssued => self.end(State::ResultIssued, at),
            K::Archived => self.end(State::Archived, at),
            K::Progress | K::Extended | K::Assigned | K::Urged | K::SyncSent | K::SyncAcked => {}
        }
    }

    /// After its end a case is only handed out and put into the archive; that it was accepted may be
    /// told with a time after its end, which is a fault to be shown and not to be lost.
    fn take_after_end(&mut self, step: &Step) {
        match step.kind {
            StepKind::ResultIssued if self.state == State::Closed => {
                self.state = State::ResultIssued;
            }
            StepKind::Archived if matches!(self.state, State::Closed | State::ResultIssued) => {
                self.state = State::Archived;
            }
            StepKind::Accepted | StepKind::MaterialsSubmitted => {
                self.accepted_at.get_or_insert(step.at);
            }
            _ => {}
        }
    }

    fn submit(&mut self, at: Timestamp) {
        if self.state == State::Returned {
            // A new round: its acceptance and its limits begin again.
            self.accepted_at = None;
            self.pauses.clear();
            self.beneath = None;
        } else if self.state != State::Draft {
            return;
        }
        self.state = State::Submitted;
        self.received_at = Some(at);
    }

    /// Moves on, never back; what was skipped is taken to have happened.
    fn forward_to(&mut self, state: State) {
        if self.state < state && !self.state.is_paused() {
            self.state = state;
        }
    }

    fn accept(&mut self, at: Timestamp) {
        self.accepted_at.get_or_insert(at);
        self.forward_to(State::Accepted);
    }

    fn pause(&mut self, state: State, at: Timestamp) {
        if self.state == State::Returned {
            return;
        }
        if !self.state.is_paused() {
            self.pauses.push(Pause {
                from: at,
                until: None,
            });
        } else if self.state != state {
            self.beneath = Some(self.state);
        }
        self.state = state;
    }

    fn go_on(&mut self, from: State, at: Timestamp) {
        if self.beneath == Some(from) {
            self.beneath = None;
            return;
        }
        if self.state != from {
            return;
        }
        if let Some(beneath) = self.beneath.take() {
            self.state = beneath;
            return;
        }
        self.end_pause(at);
        self.state = match self.accepted_at {
            Some(_) => State::InReview,
            None => State::Submitted,
        };
    }

    fn end(&mut self, state: State, at: Timestamp) {
        self.end_pause(at);
        self.ended_at = Some(at);
        self.state = state;
    }

    fn end_pause(&mut self, at: Timestamp) {
        if let Some(pause) = self.pauses.last_mut().filter(|p| p.until.is_none()) {
            pause.until = Some(at);
        }
    }
}
