//! The bytes that reach the printer, and what a printer makes of them.

use dashboards::slip::{Paper, Slip, escpos, svg};
use encoding_rs::GBK;
use rules::name::{Lang, Name};

fn slip() -> Slip {
    Slip {
        windows: ["3", "5", "7"]
            .map(|n| Name::new(format!("{n}号窗口"), format!("Window {n}")))
            .to_vec(),
        service: Name::new("社保", "Social security"),
        number: "B005".to_owned(),
        ahead: 4,
        address: "http://hall.example/t/H1.0123456789abcdef0123456789abcdef".to_owned(),
    }
}

/// What the bytes put on paper: lines of text with their size, and the raster.
#[derive(Debug, Default)]
struct Printed {
    lines: Vec<(u8, String)>,
    raster: Vec<Vec<bool>>,
    cut: bool,
}

/// A printer that knows exactly the commands we send, and no other.
fn print(bytes: &[u8]) -> Printed {
    let mut printed = Printed::default();
    let (mut at, mut size, mut line) = (0, 1, Vec::new());
    while at < bytes.len() {
        assert!(!printed.cut, "nothing comes after the cut");
        let rest = &bytes[at..];
        at += match rest {
            [0x1b, b'@', ..] | [0x1c, b'&', ..] => 2,
            [0x1b, b'a', 1, ..] | [0x1b, b'J', _, ..] => 3,
            [0x1d, b'!', n, ..] => {
                assert_eq!(n >> 4, n & 7, "as wide as high");
                size = (n & 7) + 1;
                3
            }
            [0x1d, b'v', b'0', 0, xl, xh, yl, yh, data @ ..] => {
                let wide = usize::from(u16::from_le_bytes([*xl, *xh]));
                let high = usize::from(u16::from_le_bytes([*yl, *yh]));
                for row in data[..wide * high].chunks(wide) {
                    let dots = row
                        .iter()
                        .flat_map(|b| (0..8).map(move |i| b & (0x80 >> i) != 0));
                    printed.raster.push(dots.collect());
                }
                8 + wide * high
            }
            [0x1d, b'V', b'B', _, ..] => {
                printed.cut = true;
                4
            }
            [b'\n', ..] => {
                let (text, _, broken) = GBK.decode(&line);
                assert!(!broken, "{line:x?} is no GBK");
                printed.lines.push((size, text.into_owned()));
                line.clear();
                1
            }
            [byte, ..] => {
                assert!(
                    *byte >= 0x20,
                    "an unknown command at {at}: {:x?}",
                    &rest[..4]
                );
                line.push(*byte);
                1
            }
            [] => unreachable!(),
        };
    }
    assert!(line.is_empty(), "the last line is ended");
    printed
}

fn wide(line: &str, size: u8) -> usize {
    line.chars()
        .map(|c| if c.is_ascii() { 12 } else { 24 })
        .sum::<usize>()
        * usize::from(size)
}

/// AC-A05-1 on paper.
#[test]
fn exactly_five_things_stand_on_paper_of_either_width() {
    for (paper, dots) in [(Paper::Mm58, 384), (Paper::Mm80, 576)] {
        let printed = print(&escpos(&slip(), paper, Lang::Zh));
        let lines: Vec<&str> = printed
            .lines
            .iter()
            .map(|(_, text)| text.as_str())
            .collect();
        let expected = [
            "社保",
            "B005",
            "您前面还有 4 人",
            "窗口：3号窗口、5号窗口、7号窗口",
        ];
        assert_eq!(lines, expected);
        let number = printed
            .lines
            .iter()
            .find(|(_, text)| text == "B005")
            .expect("the number");
        assert_eq!(number.0, 6, "the number is the largest");
        for (size, text) in &printed.lines {
            assert!(wide(text, *size) <= dots, "{text} runs off the paper");
        }
        assert!(printed.cut);
        assert!(
            printed.raster.iter().all(|row| row.len() == dots),
            "as wide as the paper"
        );
    }
}

#[test]
fn the_code_on_the_paper_is_the_code_of_the_address_in_the_middle() {
    let code = qrcode::QrCode::with_error_correction_level(&slip().address, qrcode::EcLevel::M)
        .expect("a code");
    for paper in [Paper::Mm58, Paper::Mm80] {
        let raster = print(&escpos(&slip(), paper, Lang::Zh)).raster;
        let dots = raster.len() / code.width();
        assert_eq!(raster.len() % code.width(), 0);
        assert!(
            dots >= 4,
            "{dots} dots a module are half a millimetre at least"
        );
        let left = (paper.dots() - raster.len()) / 2;
        assert!(left >= 4 * dots, "the quiet zone is left white");
        for (y, row) in raster.iter().enumerate() {
            for (x, dark) in row.iter().enumerate() {
                let inside = x >= left && x < left + raster.len();
                let expected = inside && code[((x - left) / dots, y / dots)] == qrcode::Color::Dark;
                assert_eq!(*dark, expected, "dot {x}, {y}");
            }
        }
    }
}

/// The very bytes before the code: a change here is a change on every printer.
#[test]
fn the_bytes_before_the_code_are_these() {
    let bytes = escpos(&slip(), Paper::Mm80, Lang::Zh);
    let mut expected = b"\x1b@\x1c&\x1ba\x01\x1d!\x11".to_vec();
    expected.extend([0xc9, 0xe7, 0xb1, 0xa3]); // 社保
    expected.extend(b"\n\x1d!\x55B005\n\x1d!\x11");
    expected.extend([0xc4, 0xfa, 0xc7, 0xb0, 0xc3, 0xe6, 0xbb, 0xb9, 0xd3, 0xd0]); // 您前面还有
    expected.extend(b" 4 ");
    expected.extend([0xc8, 0xcb]); // 人
    expected.extend(b"\n\x1d!\x00");
    assert_eq!(bytes[..expected.len()], expected);
    assert_eq!(bytes[bytes.len() - 4..], *b"\x1dVB\x00");
}

#[test]
fn long_names_are_wrapped_and_many_windows_are_left_to_the_screen() {
    let mut long = slip();
    long.service = Name::new(
        "企业职工基本养老保险关系转移接续申请",
        "Transfer of a basic pension insurance relation of employees",
    );
    long.windows = (1..=40).map(|n| Name::same(format!("{n}"))).collect();
    long.number = "AB1234567".to_owned();
    for lang in [Lang::Zh, Lang::En] {
        for paper in [Paper::Mm58, Paper::Mm80] {
            let printed = print(&escpos(&long, paper, lang));
            for (size, text) in &printed.lines {
                assert!(wide(text, *size) <= paper.dots(), "{text}");
            }
            let text: String = printed
                .lines
                .iter()
                .map(|(_, text)| text.as_str())
                .collect();
            let on_screen = if lang == Lang::Zh {
                "以叫号屏显示为准"
            } else {
                "as called on"
            };
            assert!(text.contains(on_screen), "{text}");
        }
    }
}

#[test]
fn a_sign_that_gbk_has_not_is_a_question_mark_and_commands_in_a_name_are_dropped() {
    let mut odd = slip();
    odd.service = Name::same("社保\u{1f600}\x1dV\x00");
    let printed = print(&escpos(&odd, Paper::Mm80, Lang::Zh));
    assert_eq!(printed.lines[0].1, "社保?V");
}

#[test]
fn the_picture_says_the_same() {
    let picture = svg(&slip(), Paper::Mm58, Lang::En);
    for text in [
        "Social security",
        "B005",
        "4 people ahead of you",
        "Go to: Window 3",
    ] {
        assert!(picture.contains(text), "{text} in {picture}");
    }
    let mut odd = slip();
    odd.service = Name::same("<b>&");
    assert!(svg(&odd, Paper::Mm80, Lang::Zh).contains("&lt;b&gt;&amp;"));
}
