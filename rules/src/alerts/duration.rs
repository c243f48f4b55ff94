//! Spans of time as people write them: `90s`, `5m`, `1h30m`, `2d`.

/// Units from the longest, with their milliseconds. A day is 24 hours here, not a working day.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("ms", 1),
    ("m", 60_000),
    ("s", 1000),
];

/// Milliseconds of a span such as `1h30m`; none when it is malformed, negative or beyond reason.
pub fn parse_ms(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (name, ms) = UNITS.iter().find(|(name, _)| rest.starts_with(name))?;
        total = total.checked_add(number.checked_mul(*ms)?)?;
        rest = &rest[name.len()..];
    }
    (total <= 1000 * 365 * 86_400_000).then_some(total)
}

/// Whole seconds of a span.
pub fn parse_secs(text: &str) -> Option<u64> {
    parse_ms(text)
        .filter(|ms| ms % 1000 == 0)
        .map(|ms| ms / 1000)
}

/// The shortest writing of so many seconds; [`parse_secs`] reads it back.
pub fn write_secs(secs: u64) -> String {
    let mut rest = secs;
    let mut text = String::new();
    for (name, size) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        if rest >= size {
            text += &format!("{}{name}", rest / size);
            rest %= size;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_as_people_write_them() {
        for (text, ms) in [
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("2d", 172_800_000),
        ] {
            assert_eq!(parse_ms(text), Some(ms), "{text}");
        }
        for bad in ["", "5", "m", "-5m", "5 m", "1.5h", "5x", "99999999999d"] {
            assert_eq!(parse_ms(bad), None, "{bad}");
        }
        for secs in [0, 59, 60, 5400, 86_461] {
            assert_eq!(parse_secs(&write_secs(secs)), Some(secs));
        }
    }
}
