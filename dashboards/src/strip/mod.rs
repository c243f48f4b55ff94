//! What the LED strip over a window shows: a few words, and their dots.
//!
//! A strip is 16 or 32 dots high; a Chinese sign takes 16 × 16 dots, a letter or digit 8 × 16. The
//! same window and size always give the same dots, so the page, the previews and the tests agree
//! with the wall. Nothing here knows how the dots reach a strip, or when they flash.

mod dots;
mod png;
mod words;

use std::fmt;
use std::str::FromStr;

use rules::name::Lang;
use serde::Serialize;

use crate::window::WindowView;

pub use dots::{Bitmap, width};

/// Height of a line of text, in dots.
const LINE_ROWS: u16 = 16;

/// Dots of a strip, by columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    S64x16,
    S96x16,
    S128x16,
    S128x32,
}

impl Size {
    pub const ALL: [Self; 4] = [Self::S64x16, Self::S96x16, Self::S128x16, Self::S128x32];

    pub const fn name(self) -> &'static str {
        match self {
            Self::S64x16 => "64x16",
            Self::S96x16 => "96x16",
            Self::S128x16 => "128x16",
            Self::S128x32 => "128x32",
        }
    }

    pub const fn columns(self) -> u16 {
        match self {
            Self::S64x16 => 64,
            Self::S96x16 => 96,
            Self::S128x16 | Self::S128x32 => 128,
        }
    }

    pub const fn rows(self) -> u16 {
        match self {
            Self::S64x16 | Self::S96x16 | Self::S128x16 => 16,
            Self::S128x32 => 32,
        }
    }
}

impl FromStr for Size {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|size| size.name() == text);
        known.ok_or("64x16, 96x16, 128x16 or 128x32")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Size {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What a strip says, whatever its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Show {
    /// A number is called to the window.
    Call,
    /// The number is being served.
    Serve,
    Idle,
    Pause,
    /// Nobody is signed in.
    Off,
    /// The console is lost, or the server: follow the staff. Never an old number.
    Staff,
}

impl Show {
    pub const ALL: [Self; 6] = [
        Self::Call,
        Self::Serve,
        Self::Idle,
        Self::Pause,
        Self::Off,
        Self::Staff,
    ];

    /// What a window's strip says.
    pub fn of(view: &WindowView) -> Self {
        match (view.state, &view.ticket) {
            ("calling", Some(_)) => Self::Call,
            ("serving", Some(_)) => Self::Serve,
            ("idle", _) => Self::Idle,
            ("paused", _) => Self::Pause,
            ("closed", _) => Self::Off,
            _ => Self::Staff,
        }
    }

    pub const fn colour(self) -> Colour {
        match self {
            Self::Call => Colour::Yellow,
            Self::Serve | Self::Idle => Colour::Green,
            Self::Pause | Self::Off | Self::Staff => Colour::Red,
        }
    }
}

/// Colour of the lit dots; strips of two colours have no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    Red,
    Green,
    Yellow,
}

/// One call at a window. A strip flashes when it differs from the one shown last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallMark {
    pub number: String,
    pub calls: u32,
    pub at: Option<String>,
}

/// A strip at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strip {
    pub size: Size,
    pub show: Show,
    pub call: Option<CallMark>,
    pub lines: Vec<Line>,
}

/// One line of text on a strip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    /// Rows of dots above it.
    pub top: u16,
    /// The text is wider than the strip in every form: it must run through, and `dots` is as wide
    /// as the text.
    pub scrolls: bool,
    pub dots: Bitmap,
}

impl Strip {
    /// The strip over a window.
    pub fn of(view: &WindowView, size: Size, lang: Lang) -> Self {
        let show = Show::of(view);
        let call = view.ticket.as_ref().filter(|_| show == Show::Call);
        Self {
            size,
            show,
            call: call.map(|ticket| CallMark {
                number: ticket.number.clone(),
                calls: ticket.calls,
                at: ticket.at.clone(),
            }),
            lines: lines(words::words(show, view, size, lang), size),
        }
    }

    /// What a strip says when the server is silent.
    pub fn staff(size: Size, lang: Lang) -> Self {
        Self {
            size,
            show: Show::Staff,
            call: None,
            lines: lines(words::staff(size, lang), size),
        }
    }

    /// The words, line by line.
    pub fn text(&self) -> Vec<&str> {
        self.lines.iter().map(|line| line.text.as_str()).collect()
    }

    /// The dots of the whole strip; of a line that runs through, its beginning.
    pub fn dots(&self) -> Bitmap {
        let mut all = Bitmap::blank(self.size.columns(), self.size.rows());
        for line in &self.lines {
            let left = self.size.columns().saturating_sub(line.dots.columns()) / 2;
            all.place(&line.dots, left, line.top);
        }
        all
    }

    /// The strip for people and tests: `#` is a lit dot, with the words above.
    pub fn to_text(&self) -> String {
        let marks = self.lines.iter().map(|line| match line.scrolls {
            true => format!("{} (scrolls)", line.text),
            false => line.text.clone(),
        });
        let words: Vec<String> = marks.collect();
        format!("{}\n{}", words.join(" / "), self.dots().to_text())
    }

    /// A portable bitmap, raw (`P4`), one bit a dot.
    pub fn to_pbm(&self) -> Vec<u8> {
        self.dots().to_pbm()
    }

    /// A picture with one bit a dot; lit is white.
    pub fn to_png(&self) -> Vec<u8> {
        png::encode(&self.dots())
    }

    /// The strip for a page or program that draws it.
    pub fn view(&self) -> StripView {
        StripView {
            size: self.size,
            columns: self.size.columns(),
            rows: self.size.rows(),
            show: self.show,
            colour: self.show.colour(),
            call: self.call.clone(),
            lines: self.lines.iter().map(LineView::of).collect(),
        }
    }
}

/// A strip as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StripView {
    pub size: Size,
    pub columns: u16,
    pub rows: u16,
    pub show: Show,
    pub colour: Colour,
    pub call: Option<CallMark>,
    pub lines: Vec<LineView>,
}

/// A line as JSON: its dots row by row, in hexadecimal, the leftmost dot first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineView {
    pub text: String,
    pub top: u16,
    /// Columns of `dots`; they stand in the middle of the strip, or run through it.
    pub columns: u16,
    pub scrolls: bool,
    pub dots: Vec<String>,
}

impl LineView {
    fn of(line: &Line) -> Self {
        Self {
            text: line.text.clone(),
            top: line.top,
            columns: line.dots.columns(),
            scrolls: line.scrolls,
            dots: line.dots.to_hex(),
        }
    }
}

fn lines(words: words::Words, size: Size) -> Vec<Line> {
    let one = |text: String, top: u16, scale: u16| {
        let dots = Bitmap::of_text(&text, scale);
        Line {
            scrolls: dots.columns() > size.columns(),
            text,
            top,
            dots,
        }
    };
    match words {
        words::Words::One(text) => vec![one(text, 0, 1)],
        words::Words::Double(text) => vec![one(text, 0, 2)],
        words::Words::Two(above, below) => vec![one(above, 0, 1), one(below, LINE_ROWS, 1)],
    }
}
