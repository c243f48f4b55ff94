//! One line of a CSV table, split into its fields.
//!
//! A whole CSV reader is not needed: our tables have no line breaks inside fields, and splitting the lines ourselves
//! keeps every line number exact, whatever the line endings and blank lines.

/// The fields of one line, trimmed, quotes removed. `None` if a quote is left open or is followed by other text.
pub(crate) fn split_fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => take_quoted(quoted)?,
            None => take_plain(rest),
        };
        fields.push(field);
        match after {
            Some(after) => rest = after,
            None => return Some(fields),
        }
    }
}

/// A field up to the next comma, and what follows that comma.
fn take_plain(rest: &str) -> (String, Option<&str>) {
    match rest.split_once(',') {
        Some((field, after)) => (field.trim().to_owned(), Some(after)),
        None => (rest.trim().to_owned(), None),
    }
}

/// A field up to its closing quote (a doubled quote stands for one), and what follows the comma behind it.
fn take_quoted(quoted: &str) -> Option<(String, Option<&str>)> {
    let mut field = String::new();
    let mut rest = quoted;
    loop {
        let (text, after) = rest.split_once('"')?;
        field.push_str(text);
        if let Some(after) = after.strip_prefix('"') {
            field.push('"');
            rest = after;
            continue;
        }
        let after = after.trim_start();
        return match after.strip_prefix(',') {
            Some(after) => Some((field, Some(after))),
            None if after.is_empty() => Some((field, None)),
            None => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<String> {
        split_fields(line).expect("a well-formed line")
    }

    #[test]
    fn plain_fields_are_split_at_commas_and_trimmed() {
        assert_eq!(split("a, b ,,c"), ["a", "b", "", "c"]);
    }

    #[test]
    fn a_quoted_field_may_hold_commas_and_doubled_quotes() {
        assert_eq!(
            split(r#"1,"taxes, ""local""",2"#),
            ["1", r#"taxes, "local""#, "2"]
        );
    }

    #[test]
    fn an_open_quote_or_text_behind_a_closing_quote_is_refused() {
        assert_eq!(split_fields(r#"1,"taxes"#), None);
        assert_eq!(split_fields(r#"1,"taxes" x,2"#), None);
    }
}
