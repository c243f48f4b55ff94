//! Instants as logs write them, in milliseconds since 1970.

/// Two digits, as a number.
fn two(text: &[u8], at: usize) -> Option<i64> {
    match text.get(at..at + 2)? {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(i64::from(a - b'0') * 10 + i64::from(b - b'0')),
        _ => None,
    }
}

fn four(text: &[u8], at: usize) -> Option<i64> {
    Some(two(text, at)? * 100 + two(text, at + 2)?)
}

/// Days since 1970 of a date of the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date
/// algorithms", `days_from_civil`); none if there is no such date.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=12).contains(&month) || !(1..=last).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// A clock time and an offset such as `+0800`, `+08:00` or `Z`, in milliseconds.
fn clock(hour: i64, minute: i64, second: i64, offset: &[u8]) -> Option<i64> {
    // A leap second is the last one of its minute.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let offset = match offset {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let minutes_at = if rest.get(2) == Some(&b':') { 3 } else { 2 };
            let (hours, minutes) = (two(rest, 0)?, two(rest, minutes_at)?);
            if rest.len() != minutes_at + 2 || hours > 15 || minutes > 59 {
                return None;
            }
            let minutes = hours * 60 + minutes;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    Some(((hour * 60 + minute - offset) * 60 + second.min(59)) * 1000)
}

/// `17/May/2015:10:05:03 +0000`.
pub(super) fn local(text: &[u8]) -> Option<i64> {
    let month = match text.get(3..6)? {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    let signs = [
        (2, b'/'),
        (6, b'/'),
        (11, b':'),
        (14, b':'),
        (17, b':'),
        (20, b' '),
    ];
    if signs.iter().any(|(at, sign)| text.get(*at) != Some(sign)) {
        return None;
    }
    let date = days(four(text, 7)?, month, two(text, 0)?)?;
    let clock = clock(two(text, 12)?, two(text, 15)?, two(text, 18)?, &text[21..])?;
    Some(date * 86_400_000 + clock)
}

/// `2015-05-17T10:05:03+00:00`, with or without a fraction of a second.
pub(super) fn iso(text: &[u8]) -> Option<i64> {
    let signs = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if signs.iter().any(|(at, sign)| text.get(*at) != Some(sign)) {
        return None;
    }
    if !matches!(text.get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let date = days(four(text, 0)?, two(text, 5)?, two(text, 8)?)?;
    let rest = text.get(19..)?;
    let (fraction, offset) = match rest.strip_prefix(b".") {
        Some(rest) => {
            let end = rest.iter().position(|b| !b.is_ascii_digit())?;
            (thousandths(&rest[..end])?, &rest[end..])
        }
        None => (0, rest),
    };
    let clock = clock(two(text, 11)?, two(text, 14)?, two(text, 17)?, offset)?;
    Some(date * 86_400_000 + clock + fraction)
}

/// The first three digits behind a decimal point.
fn thousandths(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 12 {
        return None;
    }
    let digit = |at: usize| digits.get(at).map_or(0, |b| i64::from(b - b'0'));
    Some(digit(0) * 100 + digit(1) * 10 + digit(2))
}

/// Seconds with a fraction, such as `1431857103.123` or `0.005`, in units of `10^-places` seconds.
pub(super) fn seconds(text: &[u8], places: u32) -> Option<i64> {
    let point = text.iter().position(|b| *b == b'.').unwrap_or(text.len());
    let (whole, fraction) = (&text[..point], text.get(point + 1..).unwrap_or(b""));
    let good = (1..=11).contains(&whole.len()) && fraction.len() <= 12;
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    if !good || !digits(whole) || !digits(fraction) {
        return None;
    }
    let digit = |b: &u8| i64::from(b - b'0');
    let whole = whole.iter().fold(0, |sum, b| sum * 10 + digit(b));
    let fraction =
        (0..places as usize).fold(0, |sum, at| sum * 10 + fraction.get(at).map_or(0, digit));
    Some(whole * 10_i64.pow(places) + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn instants_are_what_the_calendar_says() {
        for (text, same) in [
            ("17/May/2015:10:05:03 +0000", "2015-05-17T10:05:03Z"),
            ("02/Nov/2026:09:00:00 +0800", "2026-11-02T09:00:00+08:00"),
            ("29/Feb/2024:23:59:60 -0330", "2024-02-29T23:59:59-03:30"),
            ("31/Dec/1999:23:59:59 +0000", "1999-12-31T23:59:59Z"),
            ("01/Jan/1970:00:00:00 +0000", "1970-01-01T00:00:00Z"),
        ] {
            let exact = Timestamp::parse_rfc3339(same).map(Timestamp::millis);
            assert_eq!(local(text.as_bytes()), exact, "{text}");
            assert_eq!(iso(same.as_bytes()), exact, "{same}");
        }
        assert_eq!(
            iso(b"2015-05-17T10:05:03.1239+08:00"),
            iso(b"2015-05-17T02:05:03.123Z")
        );
        assert_eq!(seconds(b"1431857103.123", 3), Some(1_431_857_103_123));
        assert_eq!(seconds(b"0.0056789", 6), Some(5_678));
        assert_eq!(seconds(b"12", 6), Some(12_000_000));
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for text in [
            "",
            "17/May/2015",
            "17/Mai/2015:10:05:03 +0000",
            "31/Apr/2015:10:05:03 +0000",
            "29/Feb/2023:10:05:03 +0000",
            "17/May/2015:24:05:03 +0000",
            "17/May/2015:10:05:03 0000",
            "17/May/2015:10:05:03 +000",
            "1x/May/2015:10:05:03 +0000",
            "17/May/2015:10:05:03 +0000 ",
        ] {
            assert_eq!(local(text.as_bytes()), None, "{text}");
        }
        for text in [
            "2015-05-17T10:05:03",
            "2015-05-17T10:05:03.Z",
            "2015-05-17T10:05:03.1",
            "2015-13-17T10:05:03Z",
        ] {
            assert_eq!(iso(text.as_bytes()), None, "{text}");
        }
        for text in [
            "",
            "-",
            ".5",
            "1.2.3",
            "1e3",
            "999999999999",
            "0.1234567890123",
        ] {
            assert_eq!(seconds(text.as_bytes(), 6), None, "{text}");
        }
    }
}
