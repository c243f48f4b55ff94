//! The family of a path: `/cases/350102/steps/17` and its like are one, `/cases/{n}/steps/{n}`.

/// Segments of a path that count; what lies deeper is one family.
pub const DEPTH: usize = 4;

/// Longest family, in bytes.
pub const FAMILY_MAX: usize = 160;

/// What a segment that names one single thing is replaced with.
fn placeholder(segment: &[u8]) -> Option<&'static str> {
    let digits = segment.iter().filter(|b| b.is_ascii_digit()).count();
    // Most segments are words.
    if digits == 0 {
        return None;
    }
    let hex = segment.iter().filter(|b| b.is_ascii_hexdigit()).count();
    let dashes = segment.iter().filter(|b| **b == b'-').count();
    let filling = |b: &u8| matches!(b, b'-' | b'_' | b'.' | b',' | b':');
    let fillings = segment.iter().filter(|b| filling(b)).count();
    let length = segment.len();
    let last_is_x = matches!(segment.last(), Some(b'x' | b'X'));
    if digits + fillings == length || (digits == 17 && length == 18 && last_is_x) {
        return Some("{n}");
    }
    if length == 36 && hex == 32 && dashes == 4 {
        return Some("{uuid}");
    }
    if length >= 8 && hex == length {
        return Some("{hex}");
    }
    let word = |b: &u8| b.is_ascii_alphanumeric() || filling(b) || *b == b'%';
    (length >= 32 && segment.iter().all(word) && digits >= 4).then_some("{token}")
}

/// What stands behind the scheme and the host of a target that has them.
fn path_of(target: &[u8]) -> &[u8] {
    let scheme = target.iter().take_while(|b| b.is_ascii_alphanumeric());
    let Some(behind) = target[scheme.count()..].strip_prefix(b"://") else {
        return target;
    };
    let path = behind.iter().position(|b| matches!(b, b'/' | b'?' | b'#'));
    path.map_or(b"", |at| &behind[at..])
}

/// Writes the family of a path, or of a whole request target, into `family`, which is emptied first.
/// Bytes that are no UTF-8 become U+FFFD.
pub fn family_into(target: &[u8], depth: usize, family: &mut String) {
    family.clear();
    let target = path_of(target);
    let end = target.iter().position(|b| matches!(b, b'?' | b'#'));
    let path = &target[..end.unwrap_or(target.len())];
    let mut segments = path.split(|b| *b == b'/').filter(|one| !one.is_empty());
    for _ in 0..depth {
        let Some(segment) = segments.next() else {
            break;
        };
        family.push('/');
        match placeholder(segment) {
            Some(name) => family.push_str(name),
            None => match std::str::from_utf8(segment) {
                Ok(text) => family.push_str(text),
                Err(_) => family.push_str(&String::from_utf8_lossy(segment)),
            },
        }
        if family.len() > FAMILY_MAX {
            break;
        }
    }
    if segments.next().is_some() {
        family.push_str("/…");
    }
    if family.is_empty() {
        family.push('/');
    }
    if family.len() > FAMILY_MAX {
        let end = (0..=FAMILY_MAX - '…'.len_utf8())
            .rev()
            .find(|at| family.is_char_boundary(*at));
        family.truncate(end.unwrap_or(0));
        family.push('…');
    }
}

/// The family of a path or request target.
pub fn family_of(target: &str, depth: usize) -> String {
    let mut family = String::new();
    family_into(target.as_bytes(), depth, &mut family);
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_one_thing_is_replaced_and_the_rest_stays() {
        for (target, family) in [
            ("/", "/"),
            ("", "/"),
            ("*", "/*"),
            ("http://10.0.0.7:8080/health?full=1", "/health"),
            ("https://upstream", "/"),
            ("/api/v1/cases", "/api/v1/cases"),
            ("/cases/350102/steps/17", "/cases/{n}/steps/{n}"),
            ("/cases/350102?phone=1#x", "/cases/{n}"),
            ("/day/2026-11-02/", "/day/{n}"),
            ("/person/11010519491231002X", "/person/{n}"),
            ("/o/6f9619ff-8b86-d011-b42d-00cf4fc964ff", "/o/{uuid}"),
            ("/o/6f9619ff8b86d011", "/o/{hex}"),
            ("/o/deadbeef", "/o/deadbeef"),
            ("/t/eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.x1", "/t/{token}"),
            ("/a/b/c/d/e/f", "/a/b/c/d/…"),
            ("//a///b", "/a/b"),
            ("/办事/大厅", "/办事/大厅"),
        ] {
            assert_eq!(family_of(target, DEPTH), family, "{target}");
        }
        let long = family_of(&format!("/{}", "办".repeat(200)), DEPTH);
        assert!(long.len() <= FAMILY_MAX && long.ends_with('…'), "{long}");
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let mut family = "left over".to_owned();
        family_into(b"/a/\xff\xfe", DEPTH, &mut family);
        assert_eq!(family, "/a/\u{fffd}\u{fffd}");
    }
}
