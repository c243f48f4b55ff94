//! What the case desk decides, told as given, when, then. One file per subject.

mod backtest;
mod board;
mod desk;
mod limits;
mod parts;
mod properties;

use rules::calendar::{Moment, instant};
use rules::cases::{
    Case, CaseCommand, CaseDesk, CaseEvent, CaseNo, CaseRefusal, Limit, Step, StepKind, Telling,
    Told,
};
use rules::machine::{Machine as _, Recorded};
use rules::time::Timestamp;

/// A desk in November 2026, driven by hand.
#[derive(Default, Clone, PartialEq, Debug)]
pub struct Desk {
    pub machine: CaseDesk,
    pub journal: Vec<Recorded<CaseEvent>>,
}

/// A moment in Shanghai: `11-02 09:00` of 2026.
pub fn moment(text: &str) -> Moment {
    let (date, time) = text.split_once(' ').expect("date and time");
    let seconds = if time.len() == 5 { ":00" } else { "" };
    Moment::parse_from_rfc3339(&format!("2026-{date}T{time}{seconds}+08:00")).expect("a moment")
}

pub fn at(text: &str) -> Timestamp {
    instant(moment(text))
}

pub fn no(text: &str) -> CaseNo {
    text.parse().expect("a case number")
}

pub fn step(kind: StepKind, when: &str) -> Step {
    Step::new(kind, at(when))
}

pub fn of_part(part: &str, kind: StepKind, when: &str) -> Step {
    Step {
        part: Some(part.to_owned()),
        ..step(kind, when)
    }
}

/// An application received then.
pub fn received(when: &str) -> Told {
    Told {
        item: "企业设立".to_owned(),
        department: "market".to_owned(),
        handler: Some("li".to_owned()),
        received_at: Some(at(when)),
        ..Told::default()
    }
}

/// An application received then, with a promise of so many working days.
pub fn promised(when: &str, days: u32) -> Told {
    Told {
        due: Some(Limit::Days(days)),
        ..received(when)
    }
}

/// An application received then and due then.
pub fn due(when: &str, due: &str) -> Told {
    Told {
        due: Some(Limit::At(moment(due))),
        ..received(when)
    }
}

impl Desk {
    pub fn submit(&mut self, command: &CaseCommand, now: &str) -> Result<usize, CaseRefusal> {
        self.submit_at(command, at(now))
    }

    pub fn submit_at(
        &mut self,
        command: &CaseCommand,
        now: Timestamp,
    ) -> Result<usize, CaseRefusal> {
        let events = self.machine.decide(command, "wang", now)?;
        let count = events.len();
        self.record(events, now);
        Ok(count)
    }

    fn record(&mut self, events: Vec<CaseEvent>, at: Timestamp) {
        for event in events {
            let recorded = Recorded {
                seq: self.machine.seq() + 1,
                at,
                by: "wang".to_owned(),
                event,
            };
            self.machine.apply(&recorded);
            self.journal.push(recorded);
        }
    }

    pub fn pass(&mut self, now: &str) {
        let events = self.machine.elapse(at(now));
        self.record(events, at(now));
    }

    pub fn tell(&mut self, case: &str, told: Told, now: &str) -> Result<usize, CaseRefusal> {
        self.tell_with(case, told, &[], now)
    }

    pub fn tell_with(
        &mut self,
        case: &str,
        told: Told,
        steps: &[Step],
        now: &str,
    ) -> Result<usize, CaseRefusal> {
        let telling = Telling {
            case_no: no(case),
            told,
            steps: steps.to_vec(),
        };
        self.submit(&CaseCommand::Tell(vec![telling]), now)
    }

    pub fn step(&mut self, case: &str, step: Step, now: &str) -> Result<usize, CaseRefusal> {
        let case_no = no(case);
        self.submit(&CaseCommand::TellStep { case_no, step }, now)
    }

    /// A step told at the time at which it happened.
    pub fn happens(&mut self, case: &str, kind: StepKind, when: &str) {
        let told = self.step(case, step(kind, when), when);
        assert_eq!(told.map(|_| ()), Ok(()), "{kind:?} at {when}");
    }

    #[track_caller]
    pub fn case(&self, case: &str) -> &Case {
        self.machine.case(&no(case)).expect("a case in memory")
    }

    /// The code of a refusal, which must have changed nothing.
    #[track_caller]
    pub fn refused(&mut self, command: &CaseCommand, now: &str) -> &'static str {
        let before = self.clone();
        let refusal = self.submit(command, now).expect_err("a refusal");
        assert_eq!(*self, before, "a refusal changes nothing");
        refusal.code()
    }

    #[track_caller]
    pub fn step_refused(&mut self, case: &str, step: Step, now: &str) -> &'static str {
        let case_no = no(case);
        self.refused(&CaseCommand::TellStep { case_no, step }, now)
    }
}
