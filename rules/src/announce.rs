//! What is said in one zone of a hall, in which order, and which of its screens says it.
//!
//! ```text
//! called ─→ waiting ─→ saying, 1st time ─ended→ saying, 2nd time ─ended→ spoken
//!              │             │  └─ended, others wait→ spoken
//!              │             └─ the speaker is gone → waiting again, in front
//!              └─ too old, recalled, failed, no end …→ dropped, with the reason
//! ```
//!
//! A call is said twice while at most one other waits, else once; from five on without the chime.
//! What could not begin within 45 s (30 s if the server was started after the call) is left to the
//! screens. Several screens may hang in a zone: one holds the *lease* and speaks; when it is
//! silent for ten seconds another takes it.
//!
//! **Invariant:** called = spoken + dropped + waiting + being said.
//!
//! Two clocks are handed in ([`Moment`]): a call ages by the hall's, which a rehearsal may run
//! faster; a voice takes its time by the machine's.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::ids::WindowId;
use crate::time::Timestamp;

/// A call older than this is not begun any more.
pub const AGE_SECS_MAX: u64 = 45;

/// The same for a call made before the server was started: it may have been said by then.
pub const RESUMED_AGE_SECS_MAX: u64 = 30;

/// A speaker that is not heard of for so long loses its lease.
pub const LEASE_SECS: u64 = 10;

/// A saying of one language that has not ended after so long is given up.
pub const SAYING_SECS_MAX: u64 = 12;

/// With so many others waiting a call is said once.
const ONCE_FROM: usize = 2;

/// With so many others waiting the chime is left out.
const NO_CHIME_FROM: usize = 5;

/// Calls that may wait in one zone: far more than can be said before they are too old.
const WAITING_MAX: usize = 100;

/// Dropped calls remembered.
const DROPPED_KEPT: usize = 8;

/// One instant by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub hall: Timestamp,
    pub machine: Timestamp,
}

/// A number that is called to a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub number: String,
    pub window: WindowId,
    /// By the hall's clock.
    pub at: Timestamp,
}

/// Why a call was not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It could not begin in time.
    TooOld,
    /// The same number was called again before its turn; that call stands in its place.
    Recalled,
    /// The speaker's player reported an error.
    Failed,
    /// The speaker did not report its end in time.
    NoEnd,
    /// More wait than can be said.
    TooMany,
    /// The hall does without a voice.
    SwitchedOff,
}

/// A call that was not said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    pub call: Call,
    pub reason: Reason,
}

/// A screen that can speak: the device and the one page of it that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Speaker {
    pub device: String,
    pub page: String,
}

/// What a speaker is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saying {
    pub call: Call,
    /// 1 or 2.
    pub round: u8,
    pub chime: bool,
    /// By the machine's clock.
    since: Timestamp,
    age_secs_max: u64,
}

impl Saying {
    /// Names it: number, instant of the call, round. The same after a restart, so that a page
    /// never says twice what it has said.
    pub fn id(&self) -> String {
        format!(
            "{}.{}.{}",
            self.call.number,
            self.call.at.millis(),
            self.round
        )
    }
}

/// How a saying ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Done,
    Failed,
}

/// What became of the calls.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    pub called: u64,
    pub spoken: u64,
    pub dropped: BTreeMap<Reason, u64>,
}

struct Waiting {
    call: Call,
    round: u8,
    age_secs_max: u64,
}

struct Lease {
    speaker: Speaker,
    /// By the machine's clock.
    until: Timestamp,
}

/// The voice of one zone.
pub struct Announcer {
    on: bool,
    saying_secs_max: u64,
    waiting: VecDeque<Waiting>,
    saying: Option<Saying>,
    lease: Option<Lease>,
    dropped: VecDeque<Dropped>,
    tally: Tally,
}

impl Default for Announcer {
    fn default() -> Self {
        Self {
            on: true,
            saying_secs_max: SAYING_SECS_MAX,
            waiting: VecDeque::new(),
            saying: None,
            lease: None,
            dropped: VecDeque::new(),
            tally: Tally::default(),
        }
    }
}

impl Announcer {
    /// Switches the voice on or off; `languages` are said one after the other.
    pub fn set_up(&mut self, on: bool, languages: usize) {
        self.on = on;
        self.saying_secs_max = SAYING_SECS_MAX * languages.max(1) as u64;
        if !on {
            let waiting = std::mem::take(&mut self.waiting);
            for one in waiting {
                self.drop_waiting(one, Reason::SwitchedOff);
            }
            self.end_saying(Some(Reason::SwitchedOff));
        }
    }

    /// A number is called, or called again.
    pub fn call(&mut self, call: Call, now: Moment) {
        self.elapse(now);
        self.put(call, AGE_SECS_MAX);
        self.elapse(now);
    }

    /// Calls from before a start of the server, oldest first.
    pub fn resume(&mut self, calls: Vec<Call>, now: Moment) {
        for call in calls {
            self.put(call, RESUMED_AGE_SECS_MAX);
        }
        self.elapse(now);
    }

    /// A screen offers to speak, or goes on to. It gets or keeps the lease unless another has it.
    pub fn attend(&mut self, speaker: &Speaker, now: Moment) {
        self.elapse(now);
        if self.lease.as_ref().is_none_or(|l| l.speaker == *speaker) {
            self.lease = Some(Lease {
                speaker: speaker.clone(),
                until: now.machine.plus_secs(LEASE_SECS),
            });
        }
        self.elapse(now);
    }

    /// A screen cannot speak any more; what it was saying is said by the next one.
    pub fn leave(&mut self, speaker: &Speaker, now: Moment) {
        if self.speaker() == Some(speaker) {
            self.lose_speaker();
        }
        self.elapse(now);
    }

    /// The speaker reports the end of a saying. A report of another saying, as a repeat is, changes
    /// nothing.
    pub fn ended(&mut self, speaker: &Speaker, id: &str, end: End, now: Moment) {
        let known = self.saying.as_ref().is_some_and(|one| one.id() == id);
        if !known || self.speaker() != Some(speaker) {
            return self.elapse(now);
        }
        match end {
            End::Failed => self.end_saying(Some(Reason::Failed)),
            End::Done => {
                if self.may_repeat(now) {
                    self.repeat(now);
                } else {
                    self.end_saying(None);
                }
            }
        }
        self.elapse(now);
    }

    /// Time has passed: gives up what is overdue and begins what can begin. Calling too early is
    /// harmless.
    pub fn elapse(&mut self, now: Moment) {
        if self.lease.as_ref().is_some_and(|l| l.until <= now.machine) {
            self.lose_speaker();
        }
        let overdue = |one: &Saying| one.since.plus_secs(self.saying_secs_max) <= now.machine;
        if self.saying.as_ref().is_some_and(overdue) {
            self.end_saying(Some(Reason::NoEnd));
        }
        self.drop_too_old(now);
        if self.saying.is_none() && self.lease.is_some() {
            self.begin(now);
        }
    }

    pub const fn is_on(&self) -> bool {
        self.on
    }

    /// What is being said.
    pub const fn saying(&self) -> Option<&Saying> {
        self.saying.as_ref()
    }

    /// Who speaks in this zone.
    pub fn speaker(&self) -> Option<&Speaker> {
        self.lease.as_ref().map(|lease| &lease.speaker)
    }

    /// The calls that wait, in their order.
    pub fn waiting(&self) -> impl ExactSizeIterator<Item = &Call> {
        self.waiting.iter().map(|one| &one.call)
    }

    /// The calls dropped of late, oldest first.
    pub fn dropped(&self) -> impl Iterator<Item = &Dropped> {
        self.dropped.iter()
    }

    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    fn put(&mut self, call: Call, age_secs_max: u64) {
        self.tally.called += 1;
        let wanted = Waiting {
            call,
            round: 1,
            age_secs_max,
        };
        if !self.on {
            return self.drop_waiting(wanted, Reason::SwitchedOff);
        }
        let same = |one: &&mut Waiting| one.call.number == wanted.call.number;
        if let Some(earlier) = self.waiting.iter_mut().find(same) {
            let earlier = std::mem::replace(earlier, wanted);
            return self.drop_waiting(earlier, Reason::Recalled);
        }
        self.waiting.push_back(wanted);
        if self.waiting.len() > WAITING_MAX
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.drop_waiting(oldest, Reason::TooMany);
        }
    }

    fn drop_too_old(&mut self, now: Moment) {
        let waiting = std::mem::take(&mut self.waiting);
        for one in waiting {
            if is_young(&one.call, one.age_secs_max, now) {
                self.waiting.push_back(one);
            } else {
                self.drop_waiting(one, Reason::TooOld);
            }
        }
    }

    fn begin(&mut self, now: Moment) {
        let Some(next) = self.waiting.pop_front() else {
            return;
        };
        self.saying = Some(Saying {
            call: next.call,
            round: next.round,
            chime: next.round == 1 && self.waiting.len() < NO_CHIME_FROM,
            since: now.machine,
            age_secs_max: next.age_secs_max,
        });
    }

    fn may_repeat(&self, now: Moment) -> bool {
        self.saying.as_ref().is_some_and(|one| {
            one.round == 1
                && self.waiting.len() < ONCE_FROM
                && self.waiting().all(|w| w.number != one.call.number)
                && is_young(&one.call, one.age_secs_max, now)
        })
    }

    fn repeat(&mut self, now: Moment) {
        if let Some(saying) = &mut self.saying {
            saying.round = 2;
            saying.chime = false;
            saying.since = now.machine;
        }
    }

    /// The speaker is gone: what it was saying waits in front for the next one.
    fn lose_speaker(&mut self) {
        self.lease = None;
        let Some(saying) = self.saying.take() else {
            return;
        };
        let again = Waiting {
            call: saying.call,
            round: saying.round,
            age_secs_max: saying.age_secs_max,
        };
        if self.waiting().any(|w| w.number == again.call.number) {
            self.drop_waiting(again, Reason::Recalled);
        } else {
            self.waiting.push_front(again);
        }
    }

    fn end_saying(&mut self, fault: Option<Reason>) {
        let Some(saying) = self.saying.take() else {
            return;
        };
        match fault {
            Some(reason) => {
                let one = Waiting {
                    call: saying.call,
                    round: saying.round,
                    age_secs_max: saying.age_secs_max,
                };
                self.drop_waiting(one, reason);
            }
            None => self.tally.spoken += 1,
        }
    }

    /// What was said once counts as spoken, whatever keeps it from being said again.
    fn drop_waiting(&mut self, one: Waiting, reason: Reason) {
        if one.round > 1 {
            self.tally.spoken += 1;
            return;
        }
        *self.tally.dropped.entry(reason).or_default() += 1;
        self.dropped.push_back(Dropped {
            call: one.call,
            reason,
        });
        if self.dropped.len() > DROPPED_KEPT {
            self.dropped.pop_front();
        }
    }
}

fn is_young(call: &Call, age_secs_max: u64, now: Moment) -> bool {
    now.hall.millis_since(call.at) <= age_secs_max * 1000
}
