//! Formats of lines, and what a line says.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr2;

use super::{json, time};
use crate::channels::tally::{Measured, Outcome};
use crate::name::Lang;
use crate::time::Timestamp;

/// nginx's and Apache's combined format, in nginx's words; common is the same without the last two.
const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;
const COMMON: &str =
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent"#;

/// Pieces of a pattern at most.
const PIECES_MAX: usize = 64;

/// What a line says of one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry<'a> {
    pub at: Timestamp,
    pub address: Cow<'a, [u8]>,
    pub user: Cow<'a, [u8]>,
    pub method: Cow<'a, [u8]>,
    /// Path and query.
    pub target: Cow<'a, [u8]>,
    /// None: the client went, or none was sent.
    pub status: Option<u16>,
    pub bytes: Option<u64>,
    /// Whole microseconds.
    pub micros: Option<u64>,
    pub trace_id: Cow<'a, [u8]>,
}

impl Entry<'_> {
    /// Who called: the user if there is one, the address otherwise.
    pub fn caller(&self) -> &[u8] {
        if self.user.is_empty() {
            &self.address
        } else {
            &self.user
        }
    }

    /// What statistics need of it; `caller` is [`Entry::caller`] as text.
    pub fn measured<'a>(&self, caller: &'a str, fails_from_status: u16) -> Measured<'a> {
        let ok = self.status.is_some_and(|status| status < fails_from_status);
        Measured {
            caller,
            version: "",
            outcome: if ok { Outcome::Ok } else { Outcome::Failed },
            status: self.status,
            micros: self.micros,
        }
    }
}

/// Why a line is no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineFault {
    /// This variable does not end where the format says, or something is left behind it.
    Form(&'static str),
    /// This variable is there, but cannot be.
    Value(&'static str),
    /// This variable is missing.
    Missing(&'static str),
    NotJson,
    TooLong,
}

impl LineFault {
    pub fn sentence(self, lang: Lang) -> String {
        let (zh, en) = match self {
            Self::Form(name) => (
                format!("{name} 处与格式不符"),
                format!("it leaves the format at {name}"),
            ),
            Self::Value(name) => (format!("{name} 不正确"), format!("{name} cannot be")),
            Self::Missing(name) => (format!("缺少 {name}"), format!("{name} is missing")),
            Self::NotJson => (
                "不是 JSON 对象".to_owned(),
                "it is no JSON object".to_owned(),
            ),
            Self::TooLong => (
                "超过 64 KiB".to_owned(),
                "it is longer than 64 KiB".to_owned(),
            ),
        };
        match lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(Lang::En))
    }
}

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternFault {
    /// No variable, or none that tells when it was.
    NoTime,
    NoStatus,
    /// Nothing stands between two variables, so that no one can tell where the first ends.
    Together(String),
    TooLong,
}

impl fmt::Display for PatternFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTime => f.write_str("the pattern needs $time_local, $time_iso8601 or $msec"),
            Self::NoStatus => f.write_str("the pattern needs $status"),
            Self::Together(name) => {
                write!(f, "nothing stands between ${name} and the next variable")
            }
            Self::TooLong => write!(f, "the pattern has more than {PIECES_MAX} variables"),
        }
    }
}

impl std::error::Error for PatternFault {}

/// The variables that are understood, by their names in nginx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    Address,
    User,
    TimeLocal,
    TimeIso,
    Msec,
    Request,
    Method,
    Target,
    Status,
    Bytes,
    RequestTime,
    TraceId,
    /// Read and left aside.
    Other,
}

impl Variable {
    pub(super) fn named(name: &str) -> Self {
        match name {
            "remote_addr" | "client_ip" => Self::Address,
            "remote_user" => Self::User,
            "time_local" => Self::TimeLocal,
            "time_iso8601" | "time" | "timestamp" | "@timestamp" => Self::TimeIso,
            "msec" => Self::Msec,
            "request" => Self::Request,
            "request_method" | "method" => Self::Method,
            "request_uri" | "uri" | "path" => Self::Target,
            "status" => Self::Status,
            "body_bytes_sent" | "bytes_sent" => Self::Bytes,
            "request_time" => Self::RequestTime,
            "request_id" | "http_x_request_id" | "trace_id" => Self::TraceId,
            _ => Self::Other,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Address => "remote_addr",
            Self::User => "remote_user",
            Self::TimeLocal => "time_local",
            Self::TimeIso => "time_iso8601",
            Self::Msec => "msec",
            Self::Request => "request",
            Self::Method => "request_method",
            Self::Target => "request_uri",
            Self::Status => "status",
            Self::Bytes => "body_bytes_sent",
            Self::RequestTime => "request_time",
            Self::TraceId => "request_id",
            Self::Other => "another variable",
        }
    }
}

/// A line that is being read.
#[derive(Default)]
pub(super) struct Reading<'a> {
    entry: Entry<'a>,
    has_time: bool,
    has_status: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn set(
        &mut self,
        variable: Variable,
        value: Cow<'a, [u8]>,
    ) -> Result<(), LineFault> {
        let absent = matches!(&*value, b"-" | b"");
        let fault = LineFault::Value(variable.name());
        match variable {
            Variable::TimeLocal => self.time(time::local(&value), fault)?,
            Variable::TimeIso => self.time(time::iso(&value), fault)?,
            Variable::Msec => self.time(time::seconds(&value, 3), fault)?,
            Variable::Status => {
                self.has_status = true;
                let status = if absent { Some(0) } else { number(&value) };
                let status = status.filter(|status| *status < 600).ok_or(fault)?;
                // 0 and `-`: none was sent.
                self.entry.status = Some(status as u16).filter(|status| *status >= 100);
            }
            _ if absent => {}
            Variable::Bytes => self.entry.bytes = Some(number(&value).ok_or(fault)?),
            Variable::RequestTime => {
                let micros = time::seconds(&value, 6).ok_or(fault)?;
                self.entry.micros = u64::try_from(micros).ok();
            }
            Variable::Address => self.entry.address = value,
            Variable::User => self.entry.user = value,
            Variable::Method => self.entry.method = value,
            Variable::Target => self.entry.target = value,
            Variable::TraceId => self.entry.trace_id = value,
            Variable::Request => self.request(value),
            Variable::Other => {}
        }
        Ok(())
    }

    fn time(&mut self, millis: Option<i64>, fault: LineFault) -> Result<(), LineFault> {
        self.entry.at = Timestamp::from_millis(millis.ok_or(fault)?);
        self.has_time = true;
        Ok(())
    }

    /// `GET /path HTTP/1.1`; what is no request line, as scanners send it, is the target as a whole.
    fn request(&mut self, request: Cow<'a, [u8]>) {
        let blank = |b: &u8| *b == b' ';
        let first = request.iter().position(blank);
        let Some(first) = first.filter(|at| request[..*at].iter().all(u8::is_ascii_uppercase))
        else {
            self.entry.target = request;
            return;
        };
        let last = request.iter().rposition(blank).filter(|last| *last > first);
        let end = last
            .filter(|at| request[at + 1..].starts_with(b"HTTP/"))
            .unwrap_or(request.len());
        match request {
            Cow::Borrowed(bytes) => {
                self.entry.method = Cow::Borrowed(&bytes[..first]);
                self.entry.target = Cow::Borrowed(&bytes[first + 1..end]);
            }
            Cow::Owned(bytes) => {
                self.entry.method = Cow::Owned(bytes[..first].to_vec());
                self.entry.target = Cow::Owned(bytes[first + 1..end].to_vec());
            }
        }
    }

    pub(super) fn done(self) -> Result<Entry<'a>, LineFault> {
        match (self.has_time, self.has_status) {
            (false, _) => Err(LineFault::Missing("time_local")),
            (_, false) => Err(LineFault::Missing("status")),
            _ => Ok(self.entry),
        }
    }
}

fn number(text: &[u8]) -> Option<u64> {
    let good = (1..=18).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    good.then(|| text.iter().fold(0, |sum, b| sum * 10 + u64::from(b - b'0')))
}

/// A `log_format`: what stands before the first variable, and each variable with what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    lead: Vec<u8>,
    pieces: Vec<(Variable, Vec<u8>)>,
}

impl Pattern {
    fn new(text: &str) -> Result<Self, PatternFault> {
        let mut parts = text.split('$');
        let lead = parts.next().unwrap_or("").as_bytes().to_vec();
        let mut pieces: Vec<(Variable, Vec<u8>)> = Vec::new();
        let mut names = Vec::new();
        for part in parts {
            let part = part.strip_prefix('{').unwrap_or(part);
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = part.find(|c| !is_name(c)).unwrap_or(part.len());
            let rest = part[end..].strip_prefix('}').unwrap_or(&part[end..]);
            pieces.push((Variable::named(&part[..end]), rest.as_bytes().to_vec()));
            names.push(part[..end].to_owned());
        }
        if pieces.len() > PIECES_MAX {
            return Err(PatternFault::TooLong);
        }
        let together = pieces
            .iter()
            .rev()
            .skip(1)
            .position(|(_, rest)| rest.is_empty());
        if let Some(place) = together {
            return Err(PatternFault::Together(
                names[pieces.len() - 2 - place].clone(),
            ));
        }
        let has = |wanted: &[Variable]| pieces.iter().any(|(one, _)| wanted.contains(one));
        if !has(&[Variable::TimeLocal, Variable::TimeIso, Variable::Msec]) {
            return Err(PatternFault::NoTime);
        }
        if !has(&[Variable::Status]) {
            return Err(PatternFault::NoStatus);
        }
        Ok(Self { lead, pieces })
    }

    fn read<'a>(&self, line: &'a [u8]) -> Result<Entry<'a>, LineFault> {
        let mut reading = Reading::default();
        let first = self
            .pieces
            .first()
            .map_or("", |(variable, _)| variable.name());
        let mut rest = line
            .strip_prefix(&*self.lead)
            .ok_or(LineFault::Form(first))?;
        for (variable, literal) in &self.pieces {
            let fault = LineFault::Form(variable.name());
            let end = if literal.is_empty() {
                rest.len()
            } else {
                find(rest, literal).ok_or(fault)?
            };
            reading.set(*variable, Cow::Borrowed(&rest[..end]))?;
            rest = &rest[end + literal.len()..];
        }
        match rest.is_empty() {
            true => reading.done(),
            false => Err(LineFault::Form("the end of the line")),
        }
    }
}

/// Where a literal begins. One that begins with a quotation mark ends a quoted value, in which a mark
/// behind a backslash stands for itself.
fn find(text: &[u8], literal: &[u8]) -> Option<usize> {
    let (first, others) = literal.split_first()?;
    let escape = if *first == b'"' { b'\\' } else { *first };
    let mut at = 0;
    loop {
        at += memchr2(*first, escape, text.get(at..)?)?;
        if text[at] != *first {
            at += 2;
        } else if text[at + 1..].starts_with(others) {
            return Some(at);
        } else {
            at += 1;
        }
    }
}

/// How the lines of a log are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Pattern(Pattern),
    /// The first one that fits.
    Either(Pattern, Pattern),
    Json,
}

impl Format {
    /// Combined format; common is understood too.
    pub fn combined() -> Self {
        match (Pattern::new(COMBINED), Pattern::new(COMMON)) {
            (Ok(combined), Ok(common)) => Self(Kind::Either(combined, common)),
            // Both are constants, and a test reads them.
            _ => Self(Kind::Json),
        }
    }

    /// One JSON object a line, with nginx's variables as names.
    pub const fn nginx_json() -> Self {
        Self(Kind::Json)
    }

    /// A `log_format` of nginx, e.g. `$msec $status $request_time "$request"`. Variables that are not
    /// understood are skipped.
    ///
    /// # Errors
    /// What the pattern lacks.
    pub fn pattern(text: &str) -> Result<Self, PatternFault> {
        Ok(Self(Kind::Pattern(Pattern::new(text)?)))
    }

    /// Reads one line, without its end.
    ///
    /// # Errors
    /// Where it leaves the format.
    pub fn read<'a>(&self, line: &'a [u8]) -> Result<Entry<'a>, LineFault> {
        match &self.0 {
            Kind::Pattern(pattern) => pattern.read(line),
            Kind::Either(one, other) => one
                .read(line)
                .or_else(|fault| other.read(line).map_err(|_| fault)),
            Kind::Json => json::read(line),
        }
    }
}
