//! From text to the syntax tree of the `cel` crate, with its mistakes put in words.

use cel::common::ast::{IdedExpr, SourceInfo};

use super::{DEPTH_MAX, Error, SOURCE_MAX_BYTES};
use crate::name::Name;

/// What people write who do not know CEL, and what CEL calls it.
const HINTS: &[(&str, &str)] = &[
    ("and", "&&"),
    ("AND", "&&"),
    ("&", "&&"),
    ("or", "||"),
    ("OR", "||"),
    ("|", "||"),
    ("not", "!"),
    ("=", "=="),
    ("<>", "!="),
];

/// Reads a condition's text.
///
/// # Errors
/// That it is too long, or the first mistake in its syntax.
pub(super) fn parse(text: &str) -> Result<(IdedExpr, SourceInfo), Vec<Error>> {
    if text.len() > SOURCE_MAX_BYTES {
        return Err(vec![Error {
            start: 0,
            end: text.len(),
            code: "too_long",
            message: Name::new(
                format!("条件最多 {SOURCE_MAX_BYTES} 字节"),
                format!("a condition has at most {SOURCE_MAX_BYTES} bytes"),
            ),
        }]);
    }
    if let Some(at) = too_deep(text) {
        return Err(vec![Error {
            start: at,
            end: at + 1,
            code: "too_deep",
            message: Name::new(
                format!("嵌套最多 {DEPTH_MAX} 层"),
                format!("brackets nest at most {DEPTH_MAX} deep"),
            ),
        }]);
    }
    // An environment without macros leaves has(x) as the call it is written as.
    let parser = cel::Env::default().parser().enable_optional_syntax(false);
    parser
        .parse_with_source_info(text)
        .map_err(|found| vec![first(text, &found.errors)])
}

/// The first bracket that nests too deep: found before the parser, whose work grows with it.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.bytes().enumerate().find_map(|(at, byte)| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth > DEPTH_MAX).then_some(at)
    })
}

fn first(text: &str, errors: &[cel::ParseError]) -> Error {
    let Some(error) = errors.first() else {
        return syntax(text, text.len(), "");
    };
    let start = offset(text, error.pos);
    let token = token(&error.msg);
    match token {
        Some("<EOF>") => syntax(text, text.len(), ""),
        Some(token) => syntax(text, start, token),
        None if error.msg.contains("literal") => Error {
            start,
            end: word_end(text, start),
            code: "syntax",
            message: Name::new(
                "这个数写得不对或太大",
                "this number is malformed or too large",
            ),
        },
        None => syntax(text, start, &text[start..word_end(text, start)]),
    }
}

/// The token that a message of the parser is about.
fn token(message: &str) -> Option<&str> {
    let quoted = ["input ", "at: "].iter().find_map(|before| {
        let (_, after) = message.split_once(before)?;
        after.strip_prefix('\'')
    })?;
    let end = quoted.find("' expecting").or_else(|| quoted.rfind('\''))?;
    Some(quoted[..end].trim_end())
}

fn syntax(text: &str, start: usize, token: &str) -> Error {
    let end = (start + token.len()).min(text.len());
    let hint = HINTS.iter().find(|(wrong, _)| *wrong == token);
    let rest = &text[..start];
    let duration =
        rest.ends_with(|c: char| c.is_ascii_digit()) && token.starts_with(char::is_alphabetic);
    let message = if token.is_empty() {
        Name::new("条件没有写完", "the condition ends too early")
    } else if let Some((_, right)) = hint {
        Name::new(
            format!("“{token}”应写作 {right}"),
            format!("'{token}' is written {right} here"),
        )
    } else if duration {
        Name::new(
            "时长写作 duration(\"30m\")",
            "a duration is written duration(\"30m\")",
        )
    } else {
        Name::new(
            format!("此处不应有“{token}”"),
            format!("'{token}' does not belong here"),
        )
    };
    Error {
        start,
        end: end.max(start),
        code: "syntax",
        message,
    }
}

/// The byte of a line and column, both counted from 1, the column in characters.
fn offset(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line - 1).unwrap_or(0);
    let column = usize::try_from(column - 1).unwrap_or(0);
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = &text[before.min(text.len())..];
    let inside = rest
        .char_indices()
        .nth(column)
        .map_or(rest.len(), |(at, _)| at);
    (before + inside).min(text.len())
}

fn word_end(text: &str, start: usize) -> usize {
    let rest = &text[start..];
    let length = rest
        .find(|c: char| c.is_whitespace() || "()[],".contains(c))
        .unwrap_or(rest.len());
    start + length.max(rest.chars().next().map_or(0, char::len_utf8))
}
