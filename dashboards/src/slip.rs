//! The paper slip of a ticket: exactly five things (windows, business, number, people ahead, code),
//! laid out once and drawn twice, as ESC/POS bytes for a thermal printer and as a picture for whoever
//! sets up the hall.
//!
//! Text goes out as GBK, which every printer sold for Chinese has; the code goes out as a raster the
//! width of the paper, so that neither the printer's own QR routine nor its idea of centring matters.

use std::fmt::Write as _;

use encoding_rs::GBK;
use qrcode::{Color, EcLevel, QrCode};
use rules::hall::Hall;
use rules::ids::ServiceId;
use rules::name::{Lang, Name};

/// Windows named one by one; a slip does not list half the hall.
const WINDOWS_NAMED: usize = 6;

/// A halfwidth sign at size 1 is 12 × 24 dots, a Chinese one 24 × 24.
const SIGN_WIDE: usize = 12;
const SIGN_HIGH: usize = 24;

/// The number's magnification where the paper is wide enough: 18 mm high.
const NUMBER_SIZE_MAX: usize = 6;

/// Width of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    Mm58,
    Mm80,
}

impl Paper {
    /// Paper of so many millimetres.
    pub const fn of_mm(mm: u32) -> Option<Self> {
        match mm {
            58 => Some(Self::Mm58),
            80 => Some(Self::Mm80),
            _ => None,
        }
    }

    /// Printable dots across, at 8 dots a millimetre.
    pub const fn dots(self) -> usize {
        match self {
            Self::Mm58 => 384,
            Self::Mm80 => 576,
        }
    }
}

/// What stands on a slip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slip {
    pub windows: Vec<Name>,
    pub service: Name,
    pub number: String,
    pub ahead: u64,
    /// What the code leads to: the ticket's own page.
    pub address: String,
}

impl Slip {
    /// The windows and name of a service as the hall has them; `None` for an unknown service.
    pub fn of(
        hall: &Hall,
        service: &ServiceId,
        number: String,
        ahead: u64,
        address: String,
    ) -> Option<Self> {
        Some(Self {
            windows: hall
                .windows_for(service)
                .map(|w| w.plan.name.clone())
                .collect(),
            service: hall.config().services.get(service)?.name.clone(),
            number,
            ahead,
            address,
        })
    }
}

/// One piece of the slip, from top to bottom. All are centred.
enum Piece {
    Text { text: String, size: usize },
    Code(Code),
    Gap,
}

/// A code as dark and light modules.
struct Code {
    modules: Vec<Color>,
    side: usize,
}

fn windows_line(windows: &[Name], lang: Lang) -> String {
    let shown: Vec<&str> = windows.iter().map(|name| name.get(lang)).collect();
    let named = !shown.is_empty() && shown.len() <= WINDOWS_NAMED;
    match (lang, named) {
        (Lang::Zh, true) => format!("窗口：{}", shown.join("、")),
        (Lang::Zh, false) => "窗口：以叫号屏显示为准".to_owned(),
        (Lang::En, true) => format!("Go to: {}", shown.join(", ")),
        (Lang::En, false) => "Window: as called on screen".to_owned(),
    }
}

fn layout(slip: &Slip, paper: Paper, lang: Lang) -> Vec<Piece> {
    let service = slip.service.get(lang).to_owned();
    let fits = |text: &str, size: usize| columns(text) * SIGN_WIDE * size <= paper.dots();
    let service_size = if fits(&service, 2) { 2 } else { 1 };
    let number_size = (1..=NUMBER_SIZE_MAX)
        .rev()
        .find(|size| fits(&slip.number, *size))
        .unwrap_or(1);
    let ahead = match lang {
        Lang::Zh => format!("您前面还有 {} 人", slip.ahead),
        Lang::En => format!("{} people ahead of you", slip.ahead),
    };
    let ahead_size = if fits(&ahead, 2) { 2 } else { 1 };
    let mut pieces = Vec::new();
    let mut text = |text: &str, size: usize| {
        for line in wrapped(text, paper.dots() / (SIGN_WIDE * size)) {
            pieces.push(Piece::Text { text: line, size });
        }
    };
    text(&service, service_size);
    text(&slip.number, number_size);
    text(&ahead, ahead_size);
    text(&windows_line(&slip.windows, lang), 1);
    pieces.push(Piece::Gap);
    pieces.extend(code(&slip.address).map(Piece::Code));
    pieces
}

/// Halfwidth columns that a text takes.
fn columns(text: &str) -> usize {
    text.chars().map(|c| 1 + usize::from(!c.is_ascii())).sum()
}

/// A text in lines of at most so many columns, broken at spaces where there are any.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for sign in text.chars().filter(|c| !c.is_control()) {
        let wide = columns(&line) + columns(sign.encode_utf8(&mut [0; 4])) > width;
        if wide {
            let rest = match line.rfind(' ') {
                Some(at) if sign != ' ' && sign.is_ascii() => line.split_off(at),
                _ => String::new(),
            };
            lines.push(std::mem::take(&mut line));
            line = rest.trim_start().to_owned();
        }
        if !(line.is_empty() && sign == ' ') {
            line.push(sign);
        }
    }
    lines.push(line);
    lines.retain(|line| !line.is_empty());
    lines
}

/// `None` for an address that no code can hold.
fn code(address: &str) -> Option<Code> {
    let code = QrCode::with_error_correction_level(address, EcLevel::M).ok()?;
    Some(Code {
        side: code.width(),
        modules: code.into_colors(),
    })
}

impl Code {
    /// Light modules around it, which readers need.
    const QUIET: usize = 4;

    /// Dots for one module: about two thirds of the paper for the whole, at most a millimetre each.
    fn module_dots(&self, paper: Paper) -> usize {
        (paper.dots() * 2 / 3 / (self.side + 2 * Self::QUIET)).clamp(1, 8)
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        x < self.side && y < self.side && self.modules[y * self.side + x] == Color::Dark
    }
}

/// The slip as ESC/POS bytes, cut at the end.
pub fn escpos(slip: &Slip, paper: Paper, lang: Lang) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 * 1024);
    out.extend(b"\x1b@"); // as after switching on
    out.extend(b"\x1c&"); // Chinese signs on
    out.extend(b"\x1ba\x01"); // centred
    for piece in layout(slip, paper, lang) {
        match piece {
            Piece::Text { text, size } => {
                out.extend([0x1d, b'!', ((size - 1) << 4 | (size - 1)) as u8]);
                out.extend(GBK.encode(&printable(&text)).0.iter());
                out.push(b'\n');
            }
            Piece::Code(code) => raster(&mut out, &code, paper),
            Piece::Gap => out.extend(b"\x1bJ\x18"), // feed 24 dots
        }
    }
    out.extend(b"\x1dVB\x00"); // feed to the knife and cut
    out
}

/// GBK has no number for some signs; encoders would write `&#…;` for them.
fn printable(text: &str) -> String {
    text.chars()
        .map(|sign| {
            let mut bytes = [0; 4];
            let (_, _, lost) = GBK.encode(sign.encode_utf8(&mut bytes));
            if lost { '?' } else { sign }
        })
        .collect()
}

/// `GS v 0`: the code in the middle of a raster that is as wide as the paper.
fn raster(out: &mut Vec<u8>, code: &Code, paper: Paper) {
    let dots = code.module_dots(paper);
    let row_bytes = paper.dots() / 8;
    let high = code.side * dots;
    let left = (paper.dots() - high) / 2;
    out.extend(b"\x1dv0\x00");
    out.extend((row_bytes as u16).to_le_bytes());
    out.extend((high as u16).to_le_bytes());
    for y in 0..code.side {
        let mut row = vec![0_u8; row_bytes];
        for x in (0..code.side).filter(|x| code.is_dark(*x, y)) {
            for dot in left + x * dots..left + (x + 1) * dots {
                row[dot / 8] |= 0x80 >> (dot % 8);
            }
        }
        for _ in 0..dots {
            out.extend(&row);
        }
    }
}

/// The slip as a picture of the same lines.
pub fn svg(slip: &Slip, paper: Paper, lang: Lang) -> String {
    let wide = paper.dots();
    let mut y = 24;
    let mut body = String::new();
    for piece in layout(slip, paper, lang) {
        match piece {
            Piece::Text { text, size } => {
                let high = SIGN_HIGH * size;
                let _ = write!(
                    body,
                    "<text x=\"{}\" y=\"{}\" font-size=\"{}\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\">{}</text>",
                    wide / 2,
                    y + high * 5 / 6,
                    high,
                    columns(&text) * SIGN_WIDE * size,
                    escaped(&text),
                );
                y += high + 6;
            }
            Piece::Code(code) => {
                let dots = code.module_dots(paper);
                let left = (wide - code.side * dots) / 2;
                let mut path = String::new();
                for my in 0..code.side {
                    for mx in (0..code.side).filter(|mx| code.is_dark(*mx, my)) {
                        let (px, py) = (left + mx * dots, y + my * dots);
                        let _ = write!(path, "M{px} {py}h{dots}v{dots}h-{dots}z");
                    }
                }
                let _ = write!(body, "<path d=\"{path}\"/>");
                y += code.side * dots;
            }
            Piece::Gap => y += 24,
        }
    }
    let high = y + 48;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" \
         height=\"{high}\" font-family=\"monospace\" text-anchor=\"middle\">\
         <rect width=\"{wide}\" height=\"{high}\" fill=\"#fff\"/>{body}</svg>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
