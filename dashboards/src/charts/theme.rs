//! Colours and sizes of charts. Colours are the tokens of the pages (`assets/tokens.css`).

use plotters::style::RGBColor;

/// Width and height of a chart, in pixels at its natural size; pages scale it.
pub(super) const SIZE: (u32, u32) = (560, 230);

pub(super) const TEXT_PX: i32 = 12;
pub(super) const TITLE_PX: i32 = 14;

/// For which ground a chart is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// People at work.
    #[default]
    Light,
    /// Public screens.
    Dark,
}

impl Theme {
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "light" => Some(Self::Light),
            "dark" => Some(Self::Dark),
            _ => None,
        }
    }

    pub(super) const fn colors(self) -> Colors {
        match self {
            Self::Light => Colors {
                text: RGBColor(0x1c, 0x23, 0x2b),
                faint: RGBColor(0x47, 0x52, 0x5e),
                line: RGBColor(0xc3, 0xc9, 0xd1),
                main: RGBColor(0x0b, 0x57, 0xa4),
                soft: RGBColor(0x9c, 0xc3, 0xea),
                bad: RGBColor(0xb3, 0x26, 0x1e),
                warn: RGBColor(0x8a, 0x4b, 0x00),
            },
            Self::Dark => Colors {
                text: RGBColor(0xf4, 0xf7, 0xfa),
                faint: RGBColor(0xb4, 0xc5, 0xd6),
                line: RGBColor(0x2b, 0x46, 0x65),
                main: RGBColor(0x7f, 0xe0, 0xff),
                soft: RGBColor(0x2f, 0x6d, 0x94),
                bad: RGBColor(0xff, 0xa6, 0x9e),
                warn: RGBColor(0xff, 0xd9, 0xa0),
            },
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Colors {
    pub(super) text: RGBColor,
    pub(super) faint: RGBColor,
    pub(super) line: RGBColor,
    pub(super) main: RGBColor,
    pub(super) soft: RGBColor,
    pub(super) bad: RGBColor,
    pub(super) warn: RGBColor,
}
