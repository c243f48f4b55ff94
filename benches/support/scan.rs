//! Single fields out of JSON text without parsing it: thousands of answers and frames a second have
//! to cost the client next to nothing. Good for fields whose name occurs once, or first where wanted.

/// The unsigned number after `key`, for example `"seq":`.
pub(crate) fn number(text: &[u8], key: &str) -> Option<u64> {
    let digits = after(text, key)?
        .iter()
        .map_while(|b| (*b as char).to_digit(10));
    digits.fold(None, |sum, digit| {
        Some(sum.unwrap_or(0u64) * 10 + u64::from(digit))
    })
}

/// The string after `key`, up to the next quotation mark: ids, codes and numbers have no escapes.
pub(crate) fn string<'a>(text: &'a [u8], key: &str) -> Option<&'a str> {
    let value = after(text, key)?.strip_prefix(b"\"")?;
    let end = value.iter().position(|b| *b == b'"')?;
    std::str::from_utf8(&value[..end]).ok()
}

pub(crate) fn contains(text: &[u8], needle: &str) -> bool {
    find(text, needle.as_bytes()).is_some()
}

fn after<'a>(text: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let at = find(text, key.as_bytes())? + key.len();
    Some(text[at..].trim_ascii_start())
}

pub(crate) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len())
        .position(|window| window == needle)
}
