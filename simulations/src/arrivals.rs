//! Arrivals files: who came when, as text handed in by the caller.
//!
//! Two forms, told apart by the header line:
//!
//! ```text
//! at,hall,service                   one row per visitor
//! timestamp,count                   visitors per bin, of one unnamed queue
//! timestamp,hall,queue,count        visitors per bin of each queue
//! ```
//!
//! Times are local, `YYYY-MM-DD HH:MM` with optional seconds, a space or a `T` between; a bin is named by its start.
//! The width of the bins is inferred. Rows may come in any order; a byte-order mark, CRLF line ends and blank lines
//! are tolerated. Everything else that is odd is refused.
//!
//! **Invariant:** a file is taken whole or not at all. One bad row refuses the file, and the error names the line,
//! the field and the reason of every bad row (the first [`LISTED_MAX`] of them), so a file is mended in one go.
//!
//! Deliberately absent: time zones and summer time. The hour that a clock change repeats shows up as duplicate bins.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{NaiveDate, NaiveDateTime};

use crate::table::split_fields;

/// How many bad rows an [`ArrivalsError`] lists; the others are only counted.
pub const LISTED_MAX: usize = 20;

/// Name of the queue in files of the form `timestamp,count`.
pub const UNNAMED_QUEUE: &str = "all";

/// Width of the bins of a file in which no queue has two bins to measure between, seconds.
pub const DEFAULT_BIN_SECS: u32 = 15 * 60;

/// Largest believable count of one bin. Counts become single visitors, so a slip of the keyboard must not ask for
/// a billion of them; no hall sees a tenth of this in a day.
pub const COUNT_MAX: u32 = 100_000;

/// The content of one arrivals file, in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrivals {
    /// One entry per visitor.
    Visits(Vec<Visit>),
    /// How many visitors came in each bin.
    Counts(Counts),
}

/// One visitor of a file of the form `at,hall,service`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Visit {
    /// Local time of arrival.
    pub at: NaiveDateTime,
    pub hall: String,
    pub service: String,
}

/// Visitors per bin; all bins are equally wide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Width of every bin, seconds: the smallest distance between two bins of the same queue.
    pub bin_secs: u32,
    /// By start, then hall, then queue.
    pub bins: Vec<Bin>,
}

/// The visitors of one queue in one bin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bin {
    /// Local time at which the bin starts.
    pub start: NaiveDateTime,
    /// Absent in files of the form `timestamp,count`.
    pub hall: Option<String>,
    /// [`UNNAMED_QUEUE`] in files of the form `timestamp,count`.
    pub queue: String,
    pub count: u32,
}

/// Why a file was refused: its bad rows in order of line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ArrivalsError {
    /// The first [`LISTED_MAX`] bad rows.
    pub bad_rows: Vec<BadRow>,
    /// How many more there are.
    pub unlisted_count: usize,
}

/// One row that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, field {field}: {reason}")]
pub struct BadRow {
    /// Line in the file; the header is line 1.
    pub line: u64,
    /// Name of the column, or `header`, or `row` when no single column is at fault.
    pub field: String,
    pub reason: Reason,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error(
        "expected at,hall,service or timestamp,count or timestamp,hall,queue,count, found {}",
        shown(found)
    )]
    UnknownHeader { found: String },
    #[error("expected {expected} fields, found {found}")]
    FieldCount { expected: usize, found: usize },
    #[error("a quote is not closed, or text follows it")]
    BrokenQuotes,
    #[error("not valid utf-8")]
    NotUtf8,
    #[error("must not be empty")]
    Empty,
    #[error(
        "expected a local time such as 2020-01-13 08:15, found {}",
        shown(found)
    )]
    NotATime { found: String },
    #[error(
        "expected a whole number from 0 to {COUNT_MAX}, found {}",
        shown(found)
    )]
    NotACount { found: String },
    #[error("this bin was already given on line {first_line}")]
    DuplicateBin { first_line: u64 },
}

/// Parses a file's content, bytes or text.
pub fn parse(content: impl AsRef<[u8]>) -> Result<Arrivals, ArrivalsError> {
    let mut lines = Lines::new(content.as_ref());
    let form = match lines.next() {
        Some(header) => Form::of_header(header).map_err(ArrivalsError::one)?,
        None => return Err(ArrivalsError::one(unknown_header(1, String::new()))),
    };
    match form {
        Form::Visits(columns) => visits(lines, columns).map(Arrivals::Visits),
        Form::Counts(columns) => counts(lines, &columns).map(Arrivals::Counts),
    }
}

impl Arrivals {
    /// How many visitors the file tells of.
    pub fn total(&self) -> u64 {
        match self {
            Self::Visits(visits) => visits.len() as u64,
            Self::Counts(counts) => counts.bins.iter().map(|bin| u64::from(bin.count)).sum(),
        }
    }

    /// The local days on which anybody or any bin is recorded.
    pub fn days(&self) -> BTreeSet<NaiveDate> {
        match self {
            Self::Visits(visits) => visits.iter().map(|visit| visit.at.date()).collect(),
            Self::Counts(counts) => counts.bins.iter().map(|bin| bin.start.date()).collect(),
        }
    }

    /// The halls named in the file; none in files of the form `timestamp,count`.
    pub fn halls(&self) -> BTreeSet<&str> {
        match self {
            Self::Visits(visits) => visits.iter().map(|visit| visit.hall.as_str()).collect(),
            Self::Counts(counts) => counts
                .bins
                .iter()
                .filter_map(|bin| bin.hall.as_deref())
                .collect(),
        }
    }
}

impl ArrivalsError {
    fn one(bad_row: BadRow) -> Self {
        Self {
            bad_rows: vec![bad_row],
            unlisted_count: 0,
        }
    }
}

/// One line per bad row.
impl fmt::Display for ArrivalsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, bad_row) in self.bad_rows.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{bad_row}")?;
        }
        match self.unlisted_count {
            0 => Ok(()),
            more => write!(f, "\nand {more} more bad rows"),
        }
    }
}

/// Which form a file has, with the position of each column.
enum Form {
    Visits([Column; 3]),
    Counts(CountColumns),
}

#[derive(Clone, Copy)]
struct Column {
    name: &'static str,
    index: usize,
}

struct CountColumns {
    timestamp: Column,
    /// Hall and queue, unless the file counts a single unnamed queue.
    place: Option<[Column; 2]>,
    count: Column,
}

impl Form {
    fn of_header(header: Line<'_>) -> Result<Self, BadRow> {
        let names: Vec<String> = header
            .fields()?
            .iter()
            .map(|name| name.to_ascii_lowercase())
            .collect();
        let find = |name: &'static str| {
            let index = names.iter().position(|found| found == name)?;
            Some(Column { name, index })
        };
        let visits = || Some([find("at")?, find("hall")?, find("service")?]);
        let binned = || Some((find("timestamp")?, find("count")?));
        let place = || Some([find("hall")?, find("queue")?]);
        // Columns may be in any order; the number of names rules out further ones and repeats.
        let form = match (names.len(), visits(), binned(), place()) {
            (3, Some(columns), _, _) => Some(Self::Visits(columns)),
            (2, _, Some(binned), _) => Some(Self::counts(binned, None)),
            (4, _, Some(binned), Some(place)) => Some(Self::counts(binned, Some(place))),
            _ => None,
        };
        form.ok_or_else(|| unknown_header(header.number, names.join(",")))
    }

    fn counts((timestamp, count): (Column, Column), place: Option<[Column; 2]>) -> Self {
        Self::Counts(CountColumns {
            timestamp,
            place,
            count,
        })
    }
}

fn visits(lines: Lines<'_>, [at, hall, service]: [Column; 3]) -> Result<Vec<Visit>, ArrivalsError> {
    let mut visits = Vec::new();
    let mut bad = BadRows::default();
    for line in lines {
        let visit = Row::of(line, 3).and_then(|row| {
            Ok(Visit {
                at: row.time(at)?,
                hall: row.text(hall)?,
                service: row.text(service)?,
            })
        });
        match visit {
            Ok(visit) => visits.push(visit),
            Err(bad_row) => bad.push(bad_row),
        }
    }
    bad.none()?;
    visits.sort();
    Ok(visits)
}

fn counts(lines: Lines<'_>, columns: &CountColumns) -> Result<Counts, ArrivalsError> {
    let mut counted = BTreeMap::new();
    let mut bad = BadRows::default();
    for line in lines {
        let number = line.number;
        match bin(line, columns) {
            Ok(bin) => {
                let key = (bin.start, bin.hall, bin.queue);
                match counted.get(&key) {
                    Some(&(_, first_line)) => bad.push(BadRow {
                        line: number,
                        field: columns.timestamp.name.to_owned(),
                        reason: Reason::DuplicateBin { first_line },
                    }),
                    None => drop(counted.insert(key, (bin.count, number))),
                }
            }
            Err(bad_row) => bad.push(bad_row),
        }
    }
    bad.none()?;
    let bins: Vec<Bin> = counted
        .into_iter()
        .map(|((start, hall, queue), (count, _))| Bin {
            start,
            hall,
            queue,
            count,
        })
        .collect();
    Ok(Counts {
        bin_secs: bin_secs(&bins),
        bins,
    })
}

fn bin(line: Line<'_>, columns: &CountColumns) -> Result<Bin, BadRow> {
    let row = Row::of(line, if columns.place.is_some() { 4 } else { 2 })?;
    let start = row.time(columns.timestamp)?;
    let (hall, queue) = match columns.place {
        Some([hall, queue]) => (Some(row.text(hall)?), row.text(queue)?),
        None => (None, UNNAMED_QUEUE.to_owned()),
    };
    let count = row.count(columns.count)?;
    Ok(Bin {
        start,
        hall,
        queue,
        count,
    })
}

/// The smallest distance between two bins of the same queue. Measured per queue, since two queues' bins may be
/// offset against each other.
fn bin_secs(bins: &[Bin]) -> u32 {
    let mut last = BTreeMap::new();
    let mut smallest = None;
    for bin in bins {
        if let Some(previous) = last.insert((&bin.hall, &bin.queue), bin.start) {
            let gap = (bin.start - previous).num_seconds();
            smallest = Some(smallest.map_or(gap, |smallest: i64| smallest.min(gap)));
        }
    }
    smallest
        .and_then(|gap| u32::try_from(gap).ok())
        .unwrap_or(DEFAULT_BIN_SECS)
}

/// Bad rows found so far, bounded.
#[derive(Default)]
struct BadRows {
    listed: Vec<BadRow>,
    unlisted_count: usize,
}

impl BadRows {
    fn push(&mut self, bad_row: BadRow) {
        if self.listed.len() < LISTED_MAX {
            self.listed.push(bad_row);
        } else {
            self.unlisted_count += 1;
        }
    }

    fn none(self) -> Result<(), ArrivalsError> {
        if self.listed.is_empty() {
            return Ok(());
        }
        Err(ArrivalsError {
            bad_rows: self.listed,
            unlisted_count: self.unlisted_count,
        })
    }
}

/// The fields of one line, each read as what its column holds.
struct Row {
    line: u64,
    fields: Vec<String>,
}

impl Row {
    fn of(line: Line<'_>, expected: usize) -> Result<Self, BadRow> {
        let fields = line.fields()?;
        if fields.len() != expected {
            let found = fields.len();
            return Err(line.bad(Reason::FieldCount { expected, found }));
        }
        Ok(Self {
            line: line.number,
            fields,
        })
    }

    fn text(&self, column: Column) -> Result<String, BadRow> {
        match self.fields[column.index].as_str() {
            "" => Err(self.bad(column, Reason::Empty)),
            text => Ok(text.to_owned()),
        }
    }

    fn time(&self, column: Column) -> Result<NaiveDateTime, BadRow> {
        let found = self.text(column)?;
        local_time(&found).ok_or_else(|| self.bad(column, Reason::NotATime { found }))
    }

    fn count(&self, column: Column) -> Result<u32, BadRow> {
        let found = self.text(column)?;
        match found.parse() {
            Ok(count) if count <= COUNT_MAX => Ok(count),
            _ => Err(self.bad(column, Reason::NotACount { found })),
        }
    }

    fn bad(&self, column: Column, reason: Reason) -> BadRow {
        BadRow {
            line: self.line,
            field: column.name.to_owned(),
            reason,
        }
    }
}

/// A local time in one of the accepted spellings.
pub(crate) fn local_time(text: &str) -> Option<NaiveDateTime> {
    const SPELLINGS: [&str; 4] = [
        "%Y-%m-%d %H:%M",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%dT%H:%M:%S",
    ];
    SPELLINGS
        .iter()
        .find_map(|spelling| NaiveDateTime::parse_from_str(text, spelling).ok())
}

/// The lines of a file that are not blank, with their numbers.
struct Lines<'a> {
    rest: Option<&'a [u8]>,
    number: u64,
}

struct Line<'a> {
    number: u64,
    bytes: &'a [u8],
}

impl<'a> Lines<'a> {
    fn new(content: &'a [u8]) -> Self {
        const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
        Self {
            rest: Some(content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content)),
            number: 0,
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        while let Some(rest) = self.rest {
            self.number += 1;
            let (bytes, after) = match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => (&rest[..end], Some(&rest[end + 1..])),
                None => (rest, None),
            };
            self.rest = after;
            let bytes = bytes.trim_ascii();
            if !bytes.is_empty() {
                return Some(Line {
                    number: self.number,
                    bytes,
                });
            }
        }
        None
    }
}

impl Line<'_> {
    fn fields(&self) -> Result<Vec<String>, BadRow> {
        let text = std::str::from_utf8(self.bytes).map_err(|_| self.bad(Reason::NotUtf8))?;
        split_fields(text).ok_or_else(|| self.bad(Reason::BrokenQuotes))
    }

    fn bad(&self, reason: Reason) -> BadRow {
        BadRow {
            line: self.number,
            field: "row".to_owned(),
            reason,
        }
    }
}

fn unknown_header(line: u64, found: String) -> BadRow {
    BadRow {
        line,
        field: "header".to_owned(),
        reason: Reason::UnknownHeader { found },
    }
}

/// A field's text as a message may show it: quoted, its end cut off when it is long.
fn shown(text: &str) -> String {
    const SHOWN_CHARS: usize = 60;
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_sorted_and_their_bin_width_inferred() {
        let counts = counts_of(
            "timestamp,count\n2020-01-13 08:30,2\n2020-01-13 08:00,7\n2020-01-13 08:15:00,0\n",
        );
        let read: Vec<(String, u32)> = counts
            .bins
            .iter()
            .map(|bin| (bin.start.format("%H:%M").to_string(), bin.count))
            .collect();
        assert_eq!(counts.bin_secs, 900);
        assert_eq!(
            read,
            [
                ("08:00".into(), 7),
                ("08:15".into(), 0),
                ("08:30".into(), 2)
            ]
        );
        assert!(
            counts
                .bins
                .iter()
                .all(|bin| bin.hall.is_none() && bin.queue == UNNAMED_QUEUE)
        );
    }

    #[test]
    fn the_bin_width_is_measured_within_a_queue_not_between_queues() {
        let counts = counts_of(
            "timestamp,hall,queue,count\n\
             2020-01-13 08:00,H,a,1\n2020-01-13 08:05,H,b,1\n2020-01-13 08:30,H,a,1\n2020-01-13 08:35,H,b,1\n",
        );
        assert_eq!(counts.bin_secs, 1800);
    }

    #[test]
    fn a_single_bin_gets_the_default_width() {
        assert_eq!(
            counts_of("timestamp,count\n2020-01-13 08:00,1").bin_secs,
            DEFAULT_BIN_SECS
        );
    }

    #[test]
    fn single_visitors_are_read_in_order_of_time_and_two_may_come_at_once() {
        let file = "at,hall,service\n\
                    2020-01-13T08:00:30,H1,tax\n2020-01-13 08:00,H1,\"taxes, local\"\n2020-01-13 08:00:30,H1,tax\n";
        let Arrivals::Visits(visits) = parse(file).expect("a good file") else {
            panic!("expected single visitors");
        };
        let services: Vec<&str> = visits.iter().map(|visit| visit.service.as_str()).collect();
        assert_eq!(services, ["taxes, local", "tax", "tax"]);
    }

    #[test]
    fn a_byte_order_mark_crlf_and_blank_lines_are_survived() {
        let file = "\u{feff}Timestamp,Hall,Queue,Count\r\n\r\n2020-01-13 08:00,H,a,3\r\n2020-01-13 08:15,H,a,4\r\n\r\n";
        let arrivals = parse(file).expect("a good file");
        assert_eq!(arrivals.total(), 7);
        assert_eq!(arrivals.halls(), BTreeSet::from(["H"]));
        assert_eq!(arrivals.days().len(), 1);
    }

    #[test]
    fn columns_may_come_in_any_order() {
        assert_eq!(
            counts_of("count,timestamp\n5,2020-01-13 08:00\n").bins[0].count,
            5
        );
    }

    #[test]
    fn every_bad_row_is_refused_with_its_line_and_field() {
        let file = "timestamp,hall,queue,count\r\n\
                    2020-01-13 08:00,H,a,3\r\n\
                    2020-13-01 08:00,H,a,3\r\n\
                    \r\n\
                    2020-01-13 08:15,,a,3\r\n\
                    2020-01-13 08:15,H,a,-1\r\n\
                    2020-01-13 08:15,H,a,1.5\r\n\
                    2020-01-13 08:15,H,a\r\n\
                    2020-01-13 08:15,H,\"a,1\r\n\
                    2020-01-13 08:15,H,a,4000000000\r\n";
        let refused: Vec<(u64, String)> = bad_rows(file)
            .into_iter()
            .map(|row| (row.line, row.field))
            .collect();
        let expected = [
            (3, "timestamp"),
            (5, "hall"),
            (6, "count"),
            (7, "count"),
            (8, "row"),
            (9, "row"),
            (10, "count"),
        ];
        assert_eq!(
            refused,
            expected.map(|(line, field)| (line, field.to_owned()))
        );
    }

    #[test]
    fn a_bin_given_twice_is_refused_naming_both_lines() {
        let file =
            "timestamp,count\n2020-01-13 08:15,1\n2020-01-13 08:00,1\n2020-01-13T08:15:00,1\n";
        let error = parse(file).expect_err("a duplicate bin");
        assert_eq!(
            error.to_string(),
            "line 4, field timestamp: this bin was already given on line 2"
        );
    }

    #[test]
    fn the_first_twenty_bad_rows_are_listed_and_the_others_counted() {
        let file = format!("timestamp,count\n{}", "soon,1\n".repeat(25));
        let error = parse(file).expect_err("bad times");
        assert_eq!((error.bad_rows.len(), error.unlisted_count), (20, 5));
        let message = error.to_string();
        assert!(message.starts_with(
            "line 2, field timestamp: expected a local time such as 2020-01-13 08:15, found \"soon\"\nline 3"
        ));
        assert!(message.ends_with("\nand 5 more bad rows"));
    }

    #[test]
    fn a_file_without_a_known_header_is_refused() {
        for file in [
            "",
            "\n\n",
            "2020-01-13 08:00,1\n",
            "timestamp,count,count\n",
            "at,hall\n",
            "timestamp,hall,count\n",
        ] {
            let refused = bad_rows(file);
            assert_eq!(refused[0].field, "header", "{file:?}");
        }
    }

    #[test]
    fn text_that_is_not_utf_8_is_refused_with_its_line() {
        let error = parse(b"at,hall,service\n2020-01-13 08:00,H,\xb3\n").expect_err("latin text");
        assert_eq!(
            error.bad_rows,
            [BadRow {
                line: 2,
                field: "row".into(),
                reason: Reason::NotUtf8
            }]
        );
    }

    #[test]
    fn a_long_field_is_cut_off_in_the_message() {
        let error = parse(format!(
            "timestamp,count\n2020-01-13 08:00,{}\n",
            "9".repeat(5000)
        ))
        .expect_err("no count");
        assert!(error.to_string().len() < 200);
    }

    fn counts_of(file: &str) -> Counts {
        match parse(file).expect("a good file") {
            Arrivals::Counts(counts) => counts,
            Arrivals::Visits(_) => panic!("expected counts"),
        }
    }

    fn bad_rows(file: &str) -> Vec<BadRow> {
        parse(file).expect_err("a bad file").bad_rows
    }
}
