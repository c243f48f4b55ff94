//! All cases of all departments, as one machine.
//!
//! It is one desk and not one per department, because the parts of a joint approval belong to several
//! departments and end together. Open cases are in memory; an ended one is put away some weeks after it
//! was last heard of, and its row in the list of items keeps everything that was known.
//!
//! How the time of a case stands is not journalled: it follows from the case and the clock
//! ([`super::limits`]).

mod judge;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Settings;
use super::case::{Case, CaseNo, Told, WrongOrder};
use super::refusal::CaseRefusal;
use super::steps::{State, Step, StepKind};
use crate::machine::{Item, ItemKind, JournalEvent, Machine, Recorded};
use crate::time::Timestamp;

/// Cases in memory at most.
pub const CASES_MAX: usize = 500_000;

/// Steps of one case at most.
pub const STEPS_MAX: usize = 500;

/// Cases put away by one pass of the clock, so that no transaction grows without bound.
const PUT_AWAY_AT_ONCE: usize = 500;

const DAY_SECS: u64 = 24 * 3600;

/// A draft, or a case that its applicant did not submit again, is put away after so many days.
const IDLE_DAYS: u64 = 365;

/// A case as a source tells it, with the steps it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    pub case_no: CaseNo,
    pub told: Told,
    pub steps: Vec<Step>,
}

/// What the desk is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseCommand {
    /// Limits are counted by this from now on.
    SetSettings(Settings),
    /// All of these cases or, if one of them cannot be, none.
    Tell(Vec<Telling>),
    /// Something happened to a case, somewhere.
    TellStep { case_no: CaseNo, step: Step },
    /// Accept it here and now.
    Accept {
        case_no: CaseNo,
        note: Option<String>,
    },
    /// Send it back to its applicant here and now.
    Return {
        case_no: CaseNo,
        note: Option<String>,
    },
    /// Remind its handler.
    Urge {
        case_no: CaseNo,
        note: Option<String>,
    },
    Assign {
        case_no: CaseNo,
        to: String,
        note: Option<String>,
    },
}

/// What happened, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CaseEvent {
    SettingsSet {
        settings: Settings,
    },
    CaseTold {
        case_no: CaseNo,
        told: Told,
        steps: Vec<Step>,
    },
    CaseChanged {
        case_no: CaseNo,
        told: Told,
    },
    StepTold {
        case_no: CaseNo,
        step: Step,
    },
    /// Once per case: this step came after one that follows it.
    WrongOrderNoted {
        case_no: CaseNo,
        step: StepKind,
        at: Timestamp,
    },
    CasePutAway {
        case_no: CaseNo,
    },
}

impl CaseEvent {
    /// The case it is about.
    pub const fn case_no(&self) -> Option<&CaseNo> {
        match self {
            Self::SettingsSet { .. } => None,
            Self::CaseTold { case_no, .. }
            | Self::CaseChanged { case_no, .. }
            | Self::StepTold { case_no, .. }
            | Self::WrongOrderNoted { case_no, .. }
            | Self::CasePutAway { case_no } => Some(case_no),
        }
    }
}

impl JournalEvent for CaseEvent {
    fn kind(&self) -> &'static str {
        match self {
            Self::SettingsSet { .. } => "settings_set",
            Self::CaseTold { .. } => "case_told",
            Self::CaseChanged { .. } => "case_changed",
            Self::StepTold { .. } => "step_told",
            Self::WrongOrderNoted { .. } => "wrong_order_noted",
            Self::CasePutAway { .. } => "case_put_away",
        }
    }
}

/// The desk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CaseDesk {
    seq: u64,
    settings: Settings,
    /// The event that last changed the settings.
    settings_seq: u64,
    cases: BTreeMap<CaseNo, Held>,
    /// Cases by the event that last changed them.
    changed: BTreeMap<u64, CaseNo>,
    /// Ended cases by when they are put away.
    leaving: BTreeSet<(Timestamp, CaseNo)>,
}

/// A case in memory, and where it stands in the two indexes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    case: Case,
    seq: u64,
    leaves_at: Option<Timestamp>,
}

impl CaseDesk {
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A case in memory.
    pub fn case(&self, case_no: &CaseNo) -> Option<&Case> {
        self.cases.get(case_no).map(|held| &held.case)
    }

    /// Every case in memory: all that have not ended, and those that ended lately.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.cases.values().map(|held| &held.case)
    }

    /// Cases in memory from a number on, for pages of a list.
    pub fn cases_after(&self, after: Option<&CaseNo>) -> impl Iterator<Item = &Case> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.cases
            .range::<CaseNo, _>((from, Unbounded))
            .map(|(_, held)| &held.case)
    }

    /// The cases changed after an event, each once; all of them when the settings were. Cases put away
    /// since are not among them.
    pub fn changed_after(&self, seq: u64) -> Box<dyn Iterator<Item = &Case> + '_> {
        if seq < self.settings_seq {
            return Box::new(self.cases());
        }
        let changed = self.changed.range(seq.saturating_add(1)..);
        Box::new(changed.filter_map(|(_, case_no)| self.case(case_no)))
    }

    fn get(&self, case_no: &CaseNo) -> Result<&Case, CaseRefusal> {
        self.case(case_no).ok_or_else(|| CaseRefusal::UnknownCase {
            case_no: case_no.clone(),
        })
    }

    /// Keeps a case and its places in the indexes.
    fn hold(&mut self, case: Case, seq: u64) {
        let case_no = case.case_no.clone();
        let leaves_at = leaves_at(&case, &self.settings);
        if let Some(at) = leaves_at {
            self.leaving.insert((at, case_no.clone()));
        }
        self.changed.insert(seq, case_no.clone());
        let held = Held {
            case,
            seq,
            leaves_at,
        };
        self.cases.insert(case_no, held);
    }

    fn release(&mut self, case_no: &CaseNo) -> Option<Case> {
        let held = self.cases.remove(case_no)?;
        self.changed.remove(&held.seq);
        if let Some(at) = held.leaves_at {
            self.leaving.remove(&(at, case_no.clone()));
        }
        Some(held.case)
    }

    fn set_settings(&mut self, settings: &Settings, seq: u64) {
        self.settings = settings.clone();
        self.settings_seq = seq;
        self.leaving.clear();
        for (case_no, held) in &mut self.cases {
            held.case.work_out(settings);
            held.leaves_at = leaves_at(&held.case, settings);
            if let Some(at) = held.leaves_at {
                self.leaving.insert((at, case_no.clone()));
            }
        }
    }
}

impl Machine for CaseDesk {
    type Command = CaseCommand;
    type Event = CaseEvent;
    type Refusal = CaseRefusal;

    const NAME: &'static str = "cases";

    fn seq(&self) -> u64 {
        self.seq
    }

    fn decide(
        &self,
        command: &CaseCommand,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<CaseEvent>, CaseRefusal> {
        match command {
            CaseCommand::SetSettings(settings) if *settings == self.settings => Ok(Vec::new()),
            CaseCommand::SetSettings(settings) => Ok(vec![CaseEvent::SettingsSet {
                settings: settings.clone(),
            }]),
            CaseCommand::Tell(tellings) => self.tell(tellings, now),
            CaseCommand::TellStep { case_no, step } => {
                let case = self.get(case_no)?;
                told::check_step(step, now)?;
                told::take_step(case, step, now)
            }
            CaseCommand::Accept { case_no, note } => {
                let case = self.get(case_no)?;
                judge::may_be_accepted(case)?;
                Ok(done_here(case, StepKind::Accepted, note, None, by, now))
            }
            CaseCommand::Return { case_no, note } => {
                let case = self.get(case_no)?;
                judge::is_in_hand(case)?;
                Ok(done_here(case, StepKind::Returned, note, None, by, now))
            }
            CaseCommand::Urge { case_no, note } => {
                let case = self.get(case_no)?;
                judge::is_in_hand(case)?;
                Ok(done_here(case, StepKind::Urged, note, None, by, now))
            }
            CaseCommand::Assign { case_no, to, note } => {
                let case = self.get(case_no)?;
                judge::is_in_hand(case)?;
                Ok(done_here(case, StepKind::Assigned, note, Some(to), by, now))
            }
        }
        .and_then(judge::within_bounds(self))
    }

    fn apply(&mut self, recorded: &Recorded<CaseEvent>) {
        debug_assert_eq!(recorded.seq, self.seq + 1, "events come in order");
        let (seq, at) = (recorded.seq, recorded.at);
        self.seq = seq;
        let settings = self.settings.clone();
        match &recorded.event {
            CaseEvent::SettingsSet { settings } => self.set_settings(settings, seq),
            CaseEvent::CaseTold {
                case_no,
                told,
                steps,
            } => {
                let case = Case::new(case_no.clone(), told.clone(), steps, at, &settings);
                self.hold(case, seq);
            }
            CaseEvent::CaseChanged { case_no, told } => {
                self.change(case_no, seq, |case| case.tell(told, at, &settings));
            }
            CaseEvent::StepTold { case_no, step } => {
                self.change(case_no, seq, |case| case.add(step, at, &settings));
            }
            CaseEvent::WrongOrderNoted {
                case_no,
                step,
                at: of,
            } => {
                let note = WrongOrder {
                    noted_at: at,
                    kind: *step,
                    at: *of,
                };
                self.change(case_no, seq, |case| case.wrong_order = Some(note));
            }
            CaseEvent::CasePutAway { case_no } => {
                self.release(case_no);
            }
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.leaving.first().map(|(at, _)| *at)
    }

    fn elapse(&self, now: Timestamp) -> Vec<CaseEvent> {
        self.leaving
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(PUT_AWAY_AT_ONCE)
            .map(|(_, case_no)| CaseEvent::CasePutAway {
                case_no: case_no.clone(),
            })
            .collect()
    }

    fn items(&self, recorded: &[Recorded<CaseEvent>]) -> Vec<Item> {
        let touched: Option<BTreeSet<&CaseNo>> =
            recorded.iter().map(|r| r.event.case_no()).collect();
        let mut after = Self {
            seq: self.seq,
            settings: self.settings.clone(),
            ..Self::default()
        };
        // New settings touch every case.
        let cases = self.cases.iter();
        after.cases = cases
            .filter(|(case_no, _)| touched.as_ref().is_none_or(|t| t.contains(case_no)))
            .map(|(case_no, held)| (case_no.clone(), held.clone()))
            .collect();
        for event in recorded {
            after.apply(event);
        }
        after.cases().map(item).collect()
    }
}

impl CaseDesk {
    fn change(&mut self, case_no: &CaseNo, seq: u64, with: impl FnOnce(&mut Case)) {
        if let Some(mut case) = self.release(case_no) {
            with(&mut case);
            self.hold(case, seq);
        }
    }
}

/// When a case is put away: some weeks after its end or, if it never came to one, a year after it was
/// last heard of.
fn leaves_at(case: &Case, settings: &Settings) -> Option<Timestamp> {
    let days = match case.state {
        State::Draft | State::Returned => IDLE_DAYS,
        state if state.is_ended() => u64::from(settings.keep_ended_days),
        _ => return None,
    };
    Some(case.heard_at.plus_secs(DAY_SECS * days))
}

/// What somebody does with a case at this desk, as a step.
fn done_here(
    case: &Case,
    kind: StepKind,
    note: &Option<String>,
    to: Option<&String>,
    by: &str,
    now: Timestamp,
) -> Vec<CaseEvent> {
    let step = Step {
        by: Some(by.to_owned()),
        note: note.clone(),
        to: to.cloned(),
        ..Step::new(kind, now)
    };
    let case_no = case.case_no.clone();
    vec![CaseEvent::StepTold { case_no, step }]
}

/// The row of a case in lists; its body is the whole case.
fn item(case: &Case) -> Item {
    Item {
        kind: ItemKind::Case,
        id: case.case_no.to_string(),
        state: case.state.name().to_owned(),
        hall: case.told.hall.clone(),
        department: Some(case.told.department.clone()).filter(|name| !name.is_empty()),
        person: case.handler.clone(),
        about: Some(case.told.item.clone()).filter(|item| !item.is_empty()),
        topic: None,
        subject: None,
        rank: 0,
        opened_at: case.received_at.unwrap_or(case.told_at),
        due_at: case.due_at(),
        ended_at: case.ended_at,
        // A case is made of texts and numbers with text keys: that always has a JSON.
        body: serde_json::to_string(case).unwrap_or_default(),
    }
}
