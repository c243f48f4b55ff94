//! The bytes that strips understand: Hallkeeper's own lines and two vendors' frames.

use actors::strip::StripMessage;
use dashboards::strip::{Colour, Show};
use encoding_rs::GBK;

/// Longest text of a JQueue frame, in bytes: its length is one byte that counts eight more.
const JQUEUE_TEXT_MAX: usize = u8::MAX as usize - 8;

/// A text that runs through a CXT card does so at this speed, and one that stands does so for this
/// long before the card shows it anew, in tenths of a second.
const CXT_SPEED: u8 = 8;
const CXT_STAY: u32 = 16;

/// `SHOW <window> <what> <ttl in seconds> <text>`, UTF-8, one line. A second line of text follows a
/// tab. `CALL` flashes; a call that stands already, and words for a silent server, are `TEXT`.
pub(super) fn line(message: &StripMessage) -> String {
    let what = match message.show {
        Show::Call if message.flash => "CALL",
        Show::Call | Show::Staff => "TEXT",
        Show::Serve => "SERVE",
        Show::Idle => "IDLE",
        Show::Pause => "PAUSE",
        Show::Off => "OFF",
    };
    let lines: Vec<String> = message.lines.iter().map(|text| printable(text)).collect();
    format!(
        "SHOW {} {what} {} {}\n",
        message.window,
        message.holds.as_secs(),
        lines.join("\t")
    )
}

/// Names have no control characters; nothing that reaches a wire may end a line early.
fn printable(text: &str) -> String {
    text.chars().filter(|sign| !sign.is_control()).collect()
}

/// Accepts `OK <window> <seq>`.
///
/// # Errors
/// What the strip said in its place.
pub(super) fn check_answer(answer: &[u8], window: &str) -> Result<u64, String> {
    let said = || format!("the strip said {:?}", String::from_utf8_lossy(answer));
    let text = std::str::from_utf8(answer).map_err(|_| said())?;
    let mut words = text.strip_suffix('\n').ok_or_else(said)?.split(' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some("OK"), Some(name), Some(seq), None) if name == window => {
            seq.trim_end_matches('\r').parse().map_err(|_| said())
        }
        _ => Err(said()),
    }
}

/// GBK, which holds GB2312; what it does not have is `?`.
fn gbk(text: &str, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for sign in text.chars().filter(|sign| !sign.is_control()) {
        let text = sign.to_string();
        let (encoded, _, unknown) = GBK.encode(&text);
        let encoded = if unknown { b"?".as_slice() } else { &encoded };
        if bytes.len() + encoded.len() > most {
            break;
        }
        bytes.extend_from_slice(encoded);
    }
    bytes
}

/// JQueue: `AA AA AA 4E`, the length of all that follows, `00 53 00 FF`, the text in GBK, and the
/// exclusive or of everything from the length on as two bytes of four bits each, then `1A`.
pub(super) fn jqueue(text: &str) -> Vec<u8> {
    let text = gbk(text, JQUEUE_TEXT_MAX);
    let mut frame = vec![
        0xAA,
        0xAA,
        0xAA,
        0x4E,
        text.len() as u8 + 8,
        0,
        0x53,
        0,
        0xFF,
    ];
    frame.extend(text);
    let sum = frame[4..].iter().fold(0, |sum, byte| sum ^ byte);
    frame.extend([sum >> 4, sum & 0x0F, 0x1A]);
    frame
}

/// CXT CX-H: `21 21 55 AA`, zone, colour, effect, speed, stay, length, the text in GB2312.
pub(super) fn cxt(zone: u8, colour: Colour, scrolls: bool, text: &str) -> Vec<u8> {
    let text = gbk(text, u16::MAX as usize);
    let colour = match colour {
        Colour::Red => 1,
        Colour::Green => 2,
        Colour::Yellow => 3,
    };
    let effect = if scrolls { 3 } else { 0 };
    let mut frame = vec![0x21, 0x21, 0x55, 0xAA, zone, colour, effect, CXT_SPEED];
    frame.extend(CXT_STAY.to_le_bytes());
    frame.extend((text.len() as u16).to_le_bytes());
    frame.extend(text);
    frame
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_cxt_frame_is_the_makers_own_sample() {
        let sample = [
            0x21, 0x21, 0x55, 0xAA, 0x00, 0x01, 0x03, 0x08, 0x10, 0x00, 0x00, 0x00, 0x04, 0x00,
            0xB0, 0xA1, 0xB0, 0xA2,
        ];
        assert_eq!(cxt(0, Colour::Red, true, "啊阿"), sample);
    }

    #[test]
    fn a_jqueue_frame_counts_and_sums_what_follows_its_length() {
        // 请A012号 in GBK is C7 EB 41 30 31 32 BA C5.
        let frame = jqueue("请A012号");
        let expected = [
            0xAA, 0xAA, 0xAA, 0x4E, 0x10, 0x00, 0x53, 0x00, 0xFF, 0xC7, 0xEB, 0x41, 0x30, 0x31,
            0x32, 0xBA, 0xC5, 0x09, 0x0D, 0x1A,
        ];
        assert_eq!(frame[..17], expected[..17]);
        let sum = frame[4..17].iter().fold(0, |sum, byte| sum ^ byte);
        assert_eq!(frame[17..], [sum >> 4, sum & 0x0F, 0x1A]);
        assert_eq!(frame, expected);
    }

    #[test]
    fn a_text_too_long_for_a_frame_ends_at_a_whole_sign() {
        let frame = jqueue(&"号".repeat(200));
        assert_eq!((frame.len(), frame[4]), (4 + 254, 254));
        assert_eq!(gbk("A𠀀B", 10), b"A?B");
    }

    #[test]
    fn a_line_says_what_and_for_how_long_and_never_ends_early() {
        let mut message = StripMessage {
            window: "3".parse().unwrap_or_else(|_| unreachable!()),
            show: Show::Call,
            flash: true,
            lines: vec!["请A012号办理".to_owned(), "社\n保".to_owned()],
            scrolls: false,
            colour: Colour::Yellow,
            holds: Duration::from_secs(30),
        };
        assert_eq!(line(&message), "SHOW 3 CALL 30 请A012号办理\t社保\n");
        message.flash = false;
        assert!(line(&message).starts_with("SHOW 3 TEXT 30 "));
        assert_eq!(check_answer(b"OK 3 17\n", "3"), Ok(17));
        let bad = [
            "OK 2 17\n",
            "OK 3\n",
            "OK 3 x\n",
            "ERR busy\n",
            "OK 3 17",
            "\u{fffd}",
        ];
        for answer in bad {
            assert!(check_answer(answer.as_bytes(), "3").is_err(), "{answer}");
        }
    }
}
