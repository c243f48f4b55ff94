//! The trace that a call belongs to, as W3C Trace Context writes it:
//! `00-{trace id, 32 hexadecimal digits}-{parent id, 16}-{flags, 2}`.

/// The trace id of a `traceparent`, if it is one. A later version may say more behind the flags.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, digits: usize| {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        text.len() == digits && text.bytes().all(digit)
    };
    let zeros = |text: &str| text.bytes().all(|b| b == b'0');
    let ends = parts.next().is_none() || version != "00";
    let known = hex(version, 2) && version != "ff" && ends;
    let good = known && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    (good && !zeros(trace) && !zeros(parent)).then_some(trace)
}

/// A `traceparent` of a trace that begins here.
pub fn traceparent(trace: u128, parent: u64) -> String {
    let mut text = String::with_capacity(55);
    text.push_str("00-");
    push_hex(&mut text, &trace.max(1).to_be_bytes());
    text.push('-');
    push_hex(&mut text, &parent.max(1).to_be_bytes());
    text.push_str("-01");
    text
}

/// Appends bytes as hexadecimal digits. Ids are written for each call, where the formatter takes
/// several times as long.
pub fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
}
