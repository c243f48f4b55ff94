//! A log of cases as CSV: one row per step, the case's own columns repeated in each.
//!
//! `case_no,channel,department,group,responsible,received_at,due_at,planned_end_at,closed_at,activity,resource,at`
//! A file is taken whole or not at all; every fault is told with its line and field.

use std::collections::BTreeMap;

use csv::StringRecord;
use rules::calendar::{Moment, instant};
use rules::cases::{CaseNo, Limit, Step, StepKind, Telling, Told};
use rules::time::Timestamp;

/// The columns, of which those marked must be there.
const COLUMNS: [(&str, bool); 12] = [
    ("case_no", true),
    ("channel", false),
    ("department", false),
    ("group", false),
    ("responsible", false),
    ("received_at", true),
    ("due_at", false),
    ("planned_end_at", false),
    ("closed_at", false),
    ("activity", true),
    ("resource", false),
    ("at", true),
];

/// Columns that are the same in all rows of a case.
const OF_CASE: [&str; 8] = [
    "channel",
    "department",
    "group",
    "responsible",
    "received_at",
    "due_at",
    "planned_end_at",
    "closed_at",
];

/// Faults told at once.
const FAULTS_MAX: usize = 20;

/// What a file holds.
#[derive(Debug)]
pub struct Log {
    /// In the order of the file.
    pub cases: Vec<Telling>,
    /// The line on which each case begins.
    pub lines: BTreeMap<CaseNo, u64>,
    pub rows: usize,
}

/// Reads a log.
///
/// # Errors
/// All faults found, one a line, as `line N: FIELD: why`.
pub fn parse(content: &[u8]) -> Result<Log, String> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content));
    let headers = reader
        .headers()
        .map_err(|error| format!("line 1: {error}"))?;
    let columns = Columns::of(headers)?;
    let mut reading = Reading::default();
    for record in reader.into_records() {
        match record {
            Ok(record) => reading.take(&columns, &record),
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                reading.fault(line, "row", &error.to_string());
            }
        }
        if reading.faults.len() >= FAULTS_MAX {
            break;
        }
    }
    reading.finish()
}

/// Where each column stands.
struct Columns {
    places: BTreeMap<String, usize>,
    count: usize,
}

impl Columns {
    fn of(headers: &StringRecord) -> Result<Self, String> {
        let mut places = BTreeMap::new();
        for (place, name) in headers.iter().enumerate() {
            if !COLUMNS.iter().any(|(known, _)| *known == name) {
                let known = COLUMNS.map(|(name, _)| name).join(",");
                return Err(format!("line 1: {name}: no such column; they are {known}"));
            }
            if places.insert(name.to_owned(), place).is_some() {
                return Err(format!("line 1: {name}: stands there twice"));
            }
        }
        let missing = |(name, needed): &&(&str, bool)| *needed && !places.contains_key(*name);
        match COLUMNS.iter().find(missing) {
            Some((name, _)) => Err(format!("line 1: {name}: this column is missing")),
            None => Ok(Self {
                places,
                count: headers.len(),
            }),
        }
    }

    fn get<'r>(&self, record: &'r StringRecord, name: &str) -> &'r str {
        let place = self.places.get(name);
        place
            .and_then(|place| record.get(*place))
            .unwrap_or_default()
    }
}

#[derive(Default)]
struct Reading {
    cases: Vec<Telling>,
    /// A case's place in `cases`, its first line and that row.
    known: BTreeMap<CaseNo, (usize, u64, StringRecord)>,
    rows: usize,
    faults: Vec<String>,
}

impl Reading {
    fn fault(&mut self, line: u64, field: &str, why: &str) {
        self.faults.push(format!("line {line}: {field}: {why}"));
    }

    fn take(&mut self, columns: &Columns, record: &StringRecord) {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != columns.count {
            let why = format!("{} fields, and {} columns", record.len(), columns.count);
            self.fault(line, "row", &why);
            return;
        }
        self.rows += 1;
        let row = Row { columns, record };
        if let Err((field, why)) = self.take_row(&row, line) {
            self.fault(line, field, &why);
        }
    }

    fn take_row(&mut self, row: &Row<'_>, line: u64) -> Result<(), (&'static str, String)> {
        let case_no: CaseNo = row.get("case_no").parse().map_err(|why| ("case_no", why))?;
        let activity = row.get("activity");
        if activity.is_empty() {
            return Err(("activity", "is empty".to_owned()));
        }
        let step = Step {
            by: row.text("resource"),
            note: Some(activity.to_owned()),
            ..Step::new(StepKind::Progress, instant(row.moment("at")?))
        };
        let place = match self.known.get(&case_no) {
            Some((place, first_line, first)) => {
                row.agrees_with(first, *first_line)?;
                *place
            }
            None => {
                let telling = row.case(case_no.clone())?;
                self.cases.push(telling);
                let place = self.cases.len() - 1;
                self.known
                    .insert(case_no, (place, line, row.record.clone()));
                place
            }
        };
        self.cases[place].steps.push(step);
        Ok(())
    }

    fn finish(self) -> Result<Log, String> {
        if !self.faults.is_empty() {
            let more = match self.faults.len() >= FAULTS_MAX {
                true => "\n… and perhaps more",
                false => "",
            };
            return Err(format!("{}{more}", self.faults.join("\n")));
        }
        if self.cases.is_empty() {
            return Err("line 1: row: there are no cases".to_owned());
        }
        let lines = self.known.into_iter().map(|(no, (_, line, _))| (no, line));
        Ok(Log {
            cases: self.cases,
            lines: lines.collect(),
            rows: self.rows,
        })
    }
}

struct Row<'a> {
    columns: &'a Columns,
    record: &'a StringRecord,
}

impl Row<'_> {
    fn get(&self, name: &str) -> &str {
        self.columns.get(self.record, name)
    }

    fn text(&self, name: &str) -> Option<String> {
        Some(self.get(name))
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    }

    fn moment(&self, name: &'static str) -> Result<Moment, (&'static str, String)> {
        let text = self.get(name);
        let read = Moment::parse_from_rfc3339(text).ok();
        let fit = read.filter(|at| (1900..2200).contains(&chrono::Datelike::year(at)));
        fit.ok_or_else(|| (name, format!("'{text}' is no time of RFC 3339")))
    }

    fn moment_if_any(&self, name: &'static str) -> Result<Option<Moment>, (&'static str, String)> {
        match self.get(name) {
            "" => Ok(None),
            _ => self.moment(name).map(Some),
        }
    }

    /// The case that begins with this row.
    fn case(&self, case_no: CaseNo) -> Result<Telling, (&'static str, String)> {
        let due = self.moment_if_any("due_at")?;
        let received = self.moment("received_at")?;
        self.moment_if_any("planned_end_at")?;
        let closed = self.moment_if_any("closed_at")?.map(instant);
        if due.is_some_and(|due| due < received) {
            return Err(("due_at", "lies before received_at".to_owned()));
        }
        Ok(Telling {
            case_no,
            told: Told {
                department: self.get("department").to_owned(),
                group: self.text("group"),
                handler: self.text("responsible"),
                channel: self.text("channel"),
                received_at: Some(instant(received)),
                due: due.map(Limit::At),
                // The log does not say when a case was accepted.
                acceptance_limit_days: Some(0),
                ..Told::default()
            },
            steps: closed.map(closing).into_iter().collect(),
        })
    }

    fn agrees_with(&self, first: &StringRecord, line: u64) -> Result<(), (&'static str, String)> {
        let differs = |name: &&str| self.get(name) != self.columns.get(first, name);
        match OF_CASE.into_iter().find(differs) {
            Some(name) => {
                let told = self.columns.get(first, name);
                Err((
                    name,
                    format!("differs from line {line}, which says '{told}'"),
                ))
            }
            None => Ok(()),
        }
    }
}

fn closing(at: Timestamp) -> Step {
    Step::new(StepKind::Closed, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "case_no,channel,department,group,responsible,received_at,due_at,planned_end_at,closed_at,activity,resource,at";

    fn log(rows: &str) -> Result<Log, String> {
        parse(format!("{HEAD}\n{rows}").as_bytes())
    }

    const FIRST: &str = "c1,Desk,General,,R1,2010-10-04T01:06:40+02:00,2010-11-29T01:06:40+01:00,,,Receipt,R1,2010-10-05T08:32:48+02:00";

    #[test]
    fn rows_of_a_case_become_its_steps_and_its_due_time_keeps_its_offset() {
        let second = FIRST
            .replace("Receipt", "Check")
            .replace("08:32:48", "09:00:00");
        let log = log(&format!("{FIRST}\n{second}")).expect("a log");
        assert_eq!((log.rows, log.cases.len()), (2, 1));
        let case = &log.cases[0];
        assert_eq!(case.steps.len(), 2);
        let due = Moment::parse_from_rfc3339("2010-11-29T01:06:40+01:00").expect("a moment");
        assert_eq!(case.told.due, Some(Limit::At(due)));
    }

    #[test]
    fn every_fault_is_told_with_its_line_and_field() {
        let bad = [
            FIRST.replace("2010-10-05T08:32:48+02:00", "5 October"),
            FIRST.replace("c1", "c/1"),
            FIRST
                .replace("Desk", "Post")
                .replace("R1,2010-10-05", "R2,2010-10-05"),
            FIRST
                .replace("c1", "c2")
                .replace("2010-11-29", "2010-09-29"),
            "c9,only".to_owned(),
        ];
        let why = log(&format!("{FIRST}\n{}", bad.join("\n"))).expect_err("refused");
        let lines: Vec<&str> = why.lines().collect();
        assert_eq!(lines[0], "line 3: at: '5 October' is no time of RFC 3339");
        assert!(
            lines[1].starts_with("line 4: case_no: a case number has"),
            "{why}"
        );
        assert_eq!(
            lines[2],
            "line 5: channel: differs from line 2, which says 'Desk'"
        );
        assert_eq!(lines[3], "line 6: due_at: lies before received_at");
        assert_eq!(lines[4], "line 7: row: 2 fields, and 12 columns");
    }

    #[test]
    fn a_wrong_header_is_refused_by_its_column() {
        let missing = parse(b"case_no,received_at,activity\n").expect_err("refused");
        assert_eq!(missing, "line 1: at: this column is missing");
        let unknown = parse(b"case_no,due,received_at,activity,at\n").expect_err("refused");
        assert!(
            unknown.starts_with("line 1: due: no such column"),
            "{unknown}"
        );
    }
}
