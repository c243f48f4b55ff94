//! Dots: a small bitmap, and text set in GNU Unifont, whose signs are 8 or 16 dots wide.

use std::fmt::Write as _;

use unifont::{Glyph, get_glyph};

/// Stands for a sign that the font does not have.
const UNKNOWN: char = '〓';

/// A field of dots. Rows begin on a byte, the leftmost dot is the highest bit, as in a raw PBM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitmap {
    columns: u16,
    rows: u16,
    bytes: Vec<u8>,
}

fn glyph(sign: char) -> Option<&'static Glyph> {
    get_glyph(sign).or_else(|| get_glyph(UNKNOWN))
}

fn glyph_width(glyph: &Glyph) -> u16 {
    if glyph.is_fullwidth() { 16 } else { 8 }
}

/// Columns that a text takes.
pub fn width(text: &str) -> u16 {
    let widths = text.chars().filter_map(glyph).map(glyph_width);
    widths.fold(0, u16::saturating_add)
}

impl Bitmap {
    pub fn blank(columns: u16, rows: u16) -> Self {
        let bytes = vec![0; usize::from(columns.div_ceil(8)) * usize::from(rows)];
        Self {
            columns,
            rows,
            bytes,
        }
    }

    /// A line of text as wide as it is, each dot drawn `scale` times in both directions.
    pub(super) fn of_text(text: &str, scale: u16) -> Self {
        let mut bitmap = Self::blank(width(text).saturating_mul(scale), 16 * scale);
        let mut left = 0;
        for glyph in text.chars().filter_map(glyph) {
            let wide = glyph_width(glyph);
            for y in 0..16 * scale {
                for x in 0..wide * scale {
                    if glyph.get_pixel(usize::from(x / scale), usize::from(y / scale)) {
                        bitmap.light(left + x, y);
                    }
                }
            }
            left += wide * scale;
        }
        bitmap
    }

    pub fn columns(&self) -> u16 {
        self.columns
    }

    pub fn rows(&self) -> u16 {
        self.rows
    }

    fn stride(&self) -> usize {
        usize::from(self.columns.div_ceil(8))
    }

    /// Whether a dot is lit; outside none is.
    pub fn lit(&self, x: u16, y: u16) -> bool {
        let inside = x < self.columns && y < self.rows;
        inside && self.bytes[self.place_of(x, y)] & (0x80 >> (x % 8)) != 0
    }

    fn light(&mut self, x: u16, y: u16) {
        if x < self.columns && y < self.rows {
            let place = self.place_of(x, y);
            self.bytes[place] |= 0x80 >> (x % 8);
        }
    }

    fn place_of(&self, x: u16, y: u16) -> usize {
        usize::from(y) * self.stride() + usize::from(x / 8)
    }

    /// Draws another over this one; what does not fit is cut off.
    pub(super) fn place(&mut self, other: &Self, left: u16, top: u16) {
        for y in 0..other.rows {
            for x in 0..other.columns {
                if other.lit(x, y) {
                    self.light(left.saturating_add(x), top.saturating_add(y));
                }
            }
        }
    }

    /// The rows, each packed into bytes.
    pub fn packed_rows(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(self.stride().max(1))
    }

    pub(super) fn to_hex(&self) -> Vec<String> {
        let hex = |row: &[u8]| {
            row.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
        };
        self.packed_rows().map(hex).collect()
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        for y in 0..self.rows {
            text.extend((0..self.columns).map(|x| if self.lit(x, y) { '#' } else { '.' }));
            text.push('\n');
        }
        text
    }

    pub(super) fn to_pbm(&self) -> Vec<u8> {
        let mut file = format!("P4\n{} {}\n", self.columns, self.rows).into_bytes();
        file.extend_from_slice(&self.bytes);
        file
    }
}
