//! Frames of the live feed, encoded once and shared by every subscriber.

use serde::Serialize;

/// What a frame of a topic carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The whole state at `seq`.
    Snapshot,
    /// The step from `seq - 1` to `seq`.
    Delta,
}

#[derive(Serialize)]
struct Frame<'a, T> {
    topic: &'a str,
    kind: Kind,
    seq: u64,
    at: &'a str,
    data: &'a T,
}

/// One frame as JSON text.
pub fn encode<T: Serialize>(topic: &str, kind: Kind, seq: u64, at: &str, data: &T) -> String {
    // Views are plain data with text keys, which serde_json cannot fail on.
    serde_json::to_string(&Frame {
        topic,
        kind,
        seq,
        at,
        data,
    })
    .unwrap_or_default()
}

/// A WebSocket text frame (RFC 6455 §5.2, final, unmasked) around a text.
pub fn text_frame(text: &str) -> Vec<u8> {
    let len = text.len();
    let mut frame = Vec::with_capacity(len + 10);
    frame.push(0x81);
    match len {
        0..=125 => frame.push(len as u8),
        126..=0xFFFF => {
            frame.push(126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(text.as_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_text_frame_takes_one_three_or_nine_bytes() {
        for (len, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            assert_eq!(text_frame(&"x".repeat(len)).len(), len + header);
        }
    }
}
