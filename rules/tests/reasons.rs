//! Every reason for which a field is refused has its Chinese: the sources are read for them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rules::reason::{chinese, sentence};

/// Names of functions that tell reasons without refusing themselves.
const TELLERS: [&str; 6] = [
    "fn fault(&self",
    "fn fault(self",
    "fn fault(all",
    "fn pushing_fault(",
    "fn written(",
    "fn check_address(",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The text up to the bracket that closes the one opened before it.
fn inside(text: &str, open: char, close: char) -> &str {
    let (mut depth, mut quoted, mut escaped) = (1, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            _ if c == open => depth += 1,
            _ if c == close => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

/// The literals of a piece of code, with a figure for what is put in at run time.
fn literals(code: &str) -> Vec<String> {
    let code = code.replace("\\\"", "\u{1}");
    let quoted = code.split('"').skip(1).step_by(2);
    let plain = quoted.map(|text| {
        let mut text = text.replace("{{", "\u{2}").replace("}}", "\u{3}");
        while let (Some(from), Some(to)) = (text.find('{'), text.find('}')) {
            text.replace_range(from..=to, "7");
        }
        text.replace('\u{1}', "\"")
            .replace('\u{2}', "{")
            .replace('\u{3}', "}")
            .replace("\\\\", "\\")
    });
    plain.collect()
}

/// What is said as a reason in one source.
fn reasons(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or(source);
    // Neither names nor separators; calls told by others have both languages at their place.
    let worded = |text: &String| {
        text.contains(' ')
            && text.contains(|c: char| c.is_ascii_alphabetic())
            && !text.contains(|c: char| ('一'..='龥').contains(&c))
    };
    let mut found = Vec::new();
    for (at, call) in source.match_indices("invalid(") {
        let before = source[..at].trim_end();
        if before.ends_with("fn") {
            continue;
        }
        // The field's name is no sentence.
        let given = literals(inside(&source[at + call.len()..], '(', ')'));
        found.extend(given.into_iter().filter(worded));
    }
    for teller in TELLERS {
        for (at, _) in source.match_indices(teller) {
            let body = source[at..].split_once('{').map_or("", |(_, body)| body);
            let given = literals(inside(body, '{', '}'));
            found.extend(given.into_iter().filter(worded));
        }
    }
    found
}

#[test]
fn every_reason_has_its_chinese() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("../src"), &mut files);
    let mut all = BTreeSet::new();
    for file in &files {
        all.extend(reasons(&fs::read_to_string(file).expect("a source")));
    }
    assert!(all.len() > 120, "found {}", all.len());
    let bare: Vec<&String> = all.iter().filter(|one| chinese(one).is_none()).collect();
    assert!(bare.is_empty(), "without Chinese: {bare:#?}");
}

#[test]
fn a_refusal_reads_as_a_sentence_in_either_language() {
    let said = |field, reason| {
        let name = sentence(field, reason);
        (name.zh, name.en)
    };
    let both = |zh: &str, en: &str| (zh.to_owned(), en.to_owned());
    assert_eq!(
        said("title", "is empty"),
        both("字段 title 不正确：不能为空", "the field title is empty")
    );
    assert_eq!(
        said("limit", "1 to 1000"),
        both(
            "字段 limit 不正确：须为 1 至 1000",
            "the field limit is not right: 1 to 1000"
        )
    );
    let parsed = "invalid value: integer `-7`, expected u32 at line 1 column 63";
    assert_eq!(
        said("every_secs", parsed),
        both(
            "字段 every_secs 不正确：须为不小于 0 的整数",
            "the field every_secs is not right: invalid value: integer `-7`, expected u32"
        )
    );
    assert_eq!(
        chinese("unknown field `nmae`, expected `name` or `title`").as_deref(),
        Some("没有字段 nmae，可用 `name` or `title`")
    );
    assert!(!sentence("x", "quite new").zh.contains("quite"));
}
