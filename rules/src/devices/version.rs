//! Which of two versions of a device's software is the older.

/// Words come before numbers, so that `2.1-rc1` is older than `2.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Word(&'a str),
    Number(u64),
}

/// Whether a version comes before another: numbers by their value, so that `1.9` is older than
/// `1.10`; missing parts are 0; a leading `v` means nothing.
pub fn is_older(own: &str, other: &str) -> bool {
    let (own, other) = (parts(own), parts(other));
    let length = own.len().max(other.len());
    let padded = |parts: &[Part<'_>], at: usize| match parts.get(at) {
        Some(Part::Word(word)) => (0, 0, (*word).to_owned()),
        Some(Part::Number(number)) => (1, *number, String::new()),
        None => (1, 0, String::new()),
    };
    let own = (0..length).map(|at| padded(&own, at));
    own.lt((0..length).map(|at| padded(&other, at)))
}

/// The newest of some versions.
pub fn newest<'a>(all: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    all.into_iter()
        .reduce(|best, one| if is_older(best, one) { one } else { best })
}

fn parts(version: &str) -> Vec<Part<'_>> {
    let version = version.trim().trim_start_matches(['v', 'V']);
    let mut parts = Vec::new();
    let mut rest = version;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let same = |c: char| c.is_alphanumeric() && c.is_ascii_digit() == digits;
        let end = match first.is_alphanumeric() {
            true => rest.find(|c| !same(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (part, after) = rest.split_at(end);
        match (part.parse(), first.is_alphanumeric()) {
            (Ok(number), _) => parts.push(Part::Number(number)),
            (Err(_), true) => parts.push(Part::Word(part)),
            (Err(_), false) => {}
        }
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_by_value() {
        for (older, newer) in [
            ("1.9", "1.10"),
            ("v1.2.3", "1.2.4"),
            ("2.1-rc1", "2.1"),
            ("2.1-rc1", "2.1-rc2"),
            ("1.2", "1.2.1"),
            ("2024-11-02", "2025-01-01"),
            ("固件1.0", "固件1.1"),
        ] {
            assert!(is_older(older, newer), "{older} < {newer}");
            assert!(!is_older(newer, older), "{newer} > {older}");
        }
        assert!(!is_older("1.2", "1.2.0") && !is_older("1.2.0", "v1.2"));
        assert_eq!(newest(["1.9", "1.10", "1.2"]), Some("1.10"));
        assert_eq!(newest([]), None);
    }
}
