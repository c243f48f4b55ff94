//! A whole log, fed in pieces of any size.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use memchr::memchr;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::format::{Entry, Format, LineFault};
use crate::channels::call::{Call, CallFault, NewCall};
use crate::channels::histogram::Histogram;
use crate::channels::path::{DEPTH, family_into};
use crate::channels::seen::{Body, Keeping, Seen};
use crate::channels::setup::{TEXT_MAX, is_text};
use crate::channels::statistics::Times;
use crate::channels::tally::Tally;
use crate::ids::{ChannelId, ID_MAX_CHARS};
use crate::name::Lang;
use crate::time::Timestamp;

/// Longest line that is read, in bytes.
pub const LINE_MAX: usize = 64 * 1024;

/// Bad lines that are listed; more are counted.
pub const BAD_LINES_MAX: usize = 100;

/// How much of a bad line is shown, in characters.
const EXCERPT_MAX_CHARS: usize = 160;

/// Different callers and path families that are counted one by one; more are counted together.
pub const KEYS_MAX: usize = 2000;

/// Different hours that are counted one by one: more than a year of them.
const HOURS_MAX: usize = 10_000;

const HOUR_MS: i64 = 3_600_000;

/// A line that is no call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// From 1.
    pub number: u64,
    pub fault: LineFault,
    /// Its beginning. It is shown as it is: mask it before it leaves the machine.
    pub excerpt: String,
}

impl Serialize for BadLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({
            "line": self.number,
            "reason": {"zh": self.fault.sentence(Lang::Zh), "en": self.fault.sentence(Lang::En)},
            "excerpt": self.excerpt,
        })
        .serialize(serializer)
    }
}

/// A good line, as whoever imports sees it.
#[derive(Debug)]
pub struct Line<'a> {
    /// From 1.
    pub number: u64,
    pub entry: &'a Entry<'a>,
    pub caller: &'a str,
    pub path_family: &'a str,
    /// The same for the same line at the same place: a log that is imported twice tells nothing new.
    pub id: LineId,
}

impl Line<'_> {
    /// The call that the line tells of. A path that is no UTF-8 has U+FFFD in places.
    pub fn told(&self) -> NewCall {
        NewCall {
            id: Some(self.id.text()),
            caller: caller_of(self.caller).into_owned(),
            version: None,
            at: self.entry.at,
            duration_ms: self.entry.micros.map(|micros| micros as f64 / 1000.0),
            status: self.entry.status,
            result: None,
            reason: None,
            trace_id: self.trace_id(),
            request: Some(json!({
                "method": known(&self.entry.method),
                "path": String::from_utf8_lossy(&self.entry.target),
            })),
            response: self.entry.bytes.map(|bytes| json!({"bytes": bytes})),
        }
    }

    /// The same call, checked and masked as it is kept.
    ///
    /// # Errors
    /// The first field that cannot be.
    pub fn call(
        &self,
        keeping: &Keeping,
        channel: &ChannelId,
        fails_from_status: u16,
        now: Timestamp,
    ) -> Result<Call, CallFault> {
        let method = known(&self.entry.method);
        let seen = Seen {
            id: self.id.text(),
            caller: &caller_of(self.caller),
            version: None,
            at: self.entry.at,
            micros: self.entry.micros,
            status: self.entry.status,
            result: None,
            reason: None,
            trace_id: self.trace_id(),
            method: method.as_deref(),
            path: &String::from_utf8_lossy(&self.entry.target),
            path_family: Some(self.path_family),
            query: None,
            request: Body::default(),
            response: Body {
                bytes: self.entry.bytes,
                text: &[],
            },
        };
        keeping.call(seen, channel, fails_from_status, now)
    }

    fn trace_id(&self) -> Option<String> {
        let visible =
            |id: &str| id.len() <= ID_MAX_CHARS && id.bytes().all(|b| b.is_ascii_graphic());
        let known = known(&self.entry.trace_id).filter(|id| visible(id));
        known.map(Cow::into_owned)
    }
}

/// A text that is not empty.
fn known(bytes: &[u8]) -> Option<Cow<'_, str>> {
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes))
}

/// A caller as records have them: one line, not empty, not too long.
fn caller_of(caller: &str) -> Cow<'_, str> {
    if is_text(caller) && caller.trim().len() == caller.len() {
        return caller.into();
    }
    let line = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut caller: String = caller.trim().chars().map(line).collect();
    while caller.len() > TEXT_MAX {
        caller.pop();
    }
    match caller.is_empty() {
        true => "unknown".into(),
        false => caller.into(),
    }
}

/// Number and checksum of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineId(u64, u64);

impl LineId {
    /// The number has so many digits, or more: of one length ids rise, and an index of them only grows
    /// at its end.
    const DIGITS: usize = 10;

    /// `L0000000001-0123456789abcdef`. One is made for each line: by the formatter, that was a tenth of
    /// the time of reading a log.
    pub fn text(self) -> String {
        let mut text = String::with_capacity("L-".len() + Self::DIGITS + 16);
        let number = self.0.to_string();
        text.push('L');
        text.extend((number.len()..Self::DIGITS).map(|_| '0'));
        text.push_str(&number);
        text.push('-');
        let digits = (0..16)
            .rev()
            .map(|place| (self.1 >> (4 * place)) as u32 & 15);
        text.extend(digits.filter_map(|digit| char::from_digit(digit, 16)));
        text
    }
}

/// FNV-1a over eight bytes at a time: it tells lines apart and protects nothing.
fn checksum(line: &[u8]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut sum: u64 = 0xcbf2_9ce4_8422_2325;
    for bytes in line.chunks(8) {
        let mut eight = [0; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        sum = (sum ^ u64::from_le_bytes(eight)).wrapping_mul(PRIME);
        sum ^= sum >> 29;
    }
    sum
}

/// Counts by a name, at most [`KEYS_MAX`] of them.
#[derive(Debug, Default)]
struct Keyed {
    /// Where the count of a name is: apart from the counts, so that names lie close together.
    places: BTreeMap<Box<str>, usize>,
    counts: Vec<Tally>,
    others: Tally,
}

impl Keyed {
    fn of(&mut self, key: &str) -> &mut Tally {
        let place = self.places.get(key).copied().unwrap_or_else(|| {
            let next = self.counts.len();
            if next < KEYS_MAX {
                self.places.insert(key.into(), next);
                self.counts.push(Tally::default());
            }
            next
        });
        self.counts.get_mut(place).unwrap_or(&mut self.others)
    }

    fn counted(&self) -> Counts {
        let mut of = BTreeMap::new();
        for (name, place) in &self.places {
            of.insert(name.to_string(), self.counts[*place].asked());
        }
        Counts {
            of,
            others: self.others.asked(),
        }
    }
}

/// The calls of one hour.
#[derive(Debug, Default)]
struct Hour {
    tally: Tally,
    histogram: Histogram,
}

/// A log that is being read.
pub struct Import {
    format: Format,
    fails_from_status: u16,
    slow_micros: u64,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    /// The line that is going on is too long: its end is waited for.
    skipping: bool,
    bytes: u64,
    lines: u64,
    /// In its log; lines are of all logs.
    line_number: u64,
    good: u64,
    bad: u64,
    bad_lines: Vec<BadLine>,
    all: Tally,
    histogram: Histogram,
    statuses: BTreeMap<u16, u64>,
    hours: BTreeMap<i64, Hour>,
    families: Keyed,
    callers: Keyed,
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
    family: String,
    caller: String,
}

impl Import {
    /// Slow is what took longer than `slow_micros`.
    pub fn new(format: Format, fails_from_status: u16, slow_micros: u64) -> Self {
        Self {
            format,
            fails_from_status,
            slow_micros,
            rest: Vec::new(),
            skipping: false,
            bytes: 0,
            lines: 0,
            line_number: 0,
            good: 0,
            bad: 0,
            bad_lines: Vec::new(),
            all: Tally::default(),
            histogram: Histogram::default(),
            statuses: BTreeMap::new(),
            hours: BTreeMap::new(),
            families: Keyed::default(),
            callers: Keyed::default(),
            first_at: None,
            last_at: None,
            family: String::new(),
            caller: String::new(),
        }
    }

    /// Reads a piece; `each` sees every good line, and may break off. A line may begin in one piece and
    /// end in another.
    pub fn feed(
        &mut self,
        piece: &[u8],
        each: &mut impl FnMut(&Line<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.bytes += piece.len() as u64;
        let mut left = piece;
        while let Some(end) = memchr(b'\n', left) {
            let (line, after) = (&left[..end], &left[end + 1..]);
            left = after;
            if self.rest.is_empty() && !self.skipping {
                self.line(line, each)?;
            } else {
                self.keep(line);
                self.end_of_line(each)?;
            }
        }
        self.keep(left);
        ControlFlow::Continue(())
    }

    /// The log is over: what has no end of line is a line as well.
    pub fn finish(
        &mut self,
        each: &mut impl FnMut(&Line<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if self.rest.is_empty() && !self.skipping {
            return ControlFlow::Continue(());
        }
        self.end_of_line(each)
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.rest.len() + piece.len() > LINE_MAX {
            self.skipping = true;
            let room = (EXCERPT_MAX_CHARS * 4).saturating_sub(self.rest.len());
            self.rest.extend_from_slice(&piece[..room.min(piece.len())]);
            self.rest.truncate(EXCERPT_MAX_CHARS * 4);
        } else if !self.skipping {
            self.rest.extend_from_slice(piece);
        }
    }

    fn end_of_line(
        &mut self,
        each: &mut impl FnMut(&Line<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let line = std::mem::take(&mut self.rest);
        let flow = if std::mem::take(&mut self.skipping) {
            self.begin_line();
            self.note(&line, LineFault::TooLong);
            ControlFlow::Continue(())
        } else {
            self.line(&line, each)
        };
        self.rest = line;
        self.rest.clear();
        flow
    }

    fn line(
        &mut self,
        line: &[u8],
        each: &mut impl FnMut(&Line<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.begin_line();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return ControlFlow::Continue(());
        }
        if line.len() > LINE_MAX {
            self.note(line, LineFault::TooLong);
            return ControlFlow::Continue(());
        }
        match self.format.read(line) {
            Ok(entry) => self.take(line, &entry, each),
            Err(fault) => {
                self.note(line, fault);
                ControlFlow::Continue(())
            }
        }
    }

    const fn begin_line(&mut self) {
        self.lines += 1;
        self.line_number += 1;
    }

    fn take(
        &mut self,
        line: &[u8],
        entry: &Entry<'_>,
        each: &mut impl FnMut(&Line<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut family = std::mem::take(&mut self.family);
        let mut caller = std::mem::take(&mut self.caller);
        family_into(&entry.target, DEPTH, &mut family);
        caller.clear();
        caller.push_str(&String::from_utf8_lossy(entry.caller()));
        self.count(entry, &family, &caller);
        let flow = each(&Line {
            number: self.line_number,
            entry,
            caller: &caller,
            path_family: &family,
            id: LineId(self.line_number, checksum(line)),
        });
        (self.family, self.caller) = (family, caller);
        flow
    }

    fn count(&mut self, entry: &Entry<'_>, family: &str, caller: &str) {
        self.good += 1;
        let call = entry.measured(caller, self.fails_from_status);
        let slow = self.slow_micros;
        self.all.record(&call, slow);
        self.families.of(family).record(&call, slow);
        self.callers.of(caller).record(&call, slow);
        *self.statuses.entry(entry.status.unwrap_or(0)).or_default() += 1;
        let hour = entry.at.millis().div_euclid(HOUR_MS) * HOUR_MS;
        if self.hours.len() < HOURS_MAX || self.hours.contains_key(&hour) {
            let hour = self.hours.entry(hour).or_default();
            hour.tally.record(&call, slow);
            if let Some(micros) = entry.micros {
                hour.histogram.record(micros);
            }
        }
        if let Some(micros) = entry.micros {
            self.histogram.record(micros);
        }
        self.first_at = Some(self.first_at.map_or(entry.at, |at| at.min(entry.at)));
        self.last_at = Some(self.last_at.map_or(entry.at, |at| at.max(entry.at)));
    }

    fn note(&mut self, line: &[u8], fault: LineFault) {
        self.bad += 1;
        if self.bad_lines.len() < BAD_LINES_MAX {
            let beginning = &line[..line.len().min(EXCERPT_MAX_CHARS * 4)];
            let text = String::from_utf8_lossy(beginning);
            self.bad_lines.push(BadLine {
                number: self.line_number,
                fault,
                excerpt: text.chars().take(EXCERPT_MAX_CHARS).collect(),
            });
        }
    }

    /// Bytes and lines read so far, for progress.
    pub const fn progress(&self) -> (u64, u64) {
        (self.bytes, self.lines)
    }

    /// The next line is the one behind so many of its log, which is another one or was left there.
    pub fn go_on_after(&mut self, lines: u64) {
        self.rest.clear();
        self.skipping = false;
        self.line_number = lines;
    }

    /// The number of the last line that was read whole, from 1.
    pub const fn line_number(&self) -> u64 {
        self.line_number
    }

    /// The bad lines, the first ones of them.
    pub fn bad_lines(&self) -> &[BadLine] {
        &self.bad_lines
    }

    /// What was read.
    pub fn report(&self) -> Report {
        let hour = |(from, hour): (&i64, &Hour)| HourReport {
            from: Timestamp::from_millis(*from).rfc3339_utc(),
            times: Times::of(&hour.tally, &hour.histogram),
        };
        Report {
            bytes: self.bytes,
            lines: self.lines,
            good: self.good,
            bad: self.bad,
            bad_lines: self.bad_lines.clone(),
            first_at: self.first_at.map(Timestamp::rfc3339_utc),
            last_at: self.last_at.map(Timestamp::rfc3339_utc),
            times: Times::of(&self.all, &self.histogram),
            by_status: self.statuses.clone(),
            by_hour: self.hours.iter().map(hour).collect(),
            by_path_family: self.families.counted(),
            by_caller: self.callers.counted(),
        }
    }
}

/// What a log held. Empty lines are counted in `lines` and neither good nor bad.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub bytes: u64,
    pub lines: u64,
    pub good: u64,
    pub bad: u64,
    /// The first ones.
    pub bad_lines: Vec<BadLine>,
    pub first_at: Option<String>,
    pub last_at: Option<String>,
    #[serde(flatten)]
    pub times: Times,
    /// 0: none was sent.
    pub by_status: BTreeMap<u16, u64>,
    pub by_hour: Vec<HourReport>,
    pub by_path_family: Counts,
    pub by_caller: Counts,
}

/// One hour of a log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HourReport {
    /// Its beginning.
    pub from: String,
    #[serde(flatten)]
    pub times: Times,
}

/// Counts by a name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counts {
    pub of: BTreeMap<String, u64>,
    /// Those whose names came after the first 2,000.
    pub others: u64,
}
