//! Guards over the pages' files: they run on old browsers, in both languages, from one server.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What the pages' files may weigh together, without those of the desk, of operations and of the set-up.
const BUDGET_BYTES: usize = 400 * 1024;

/// The desk is opened on computers of the staff, never on a screen's box.
const DESK_BUDGET_BYTES: usize = 136 * 1024;

/// The operations page, likewise; the desk uses a part of it.
const OPS_BUDGET_BYTES: usize = 96 * 1024;

/// The set-up of interfaces and feeds: forms, each field with its rule in two languages.
const SETUP_BUDGET_BYTES: usize = 96 * 1024;

/// What Chromium 80, found on many screens, does not have. Written in parts where a language's own
/// feature would be meant otherwise.
const MISSING_IN_SCRIPTS: [&str; 24] = [
    "??=",
    "||=",
    "&&=",
    ".replaceAll(",
    ".at(",
    ".replaceChildren(",
    "structuredClone(",
    "Object.hasOwn(",
    "Object.groupBy(",
    ".findLast(",
    ".toSorted(",
    ".toReversed(",
    "AbortSignal.timeout(",
    "AbortSignal.any(",
    "randomUUID(",
    "Promise.any(",
    "Promise.withResolvers(",
    "Array.fromAsync(",
    "wakeLock",
    "navigator.locks",
    "static {",
    "import.meta.resolve",
    "new WeakRef(",
    ".requestSubmit(",
];

const MISSING_IN_STYLES: [&str; 21] = [
    "inset:",
    "inset-inline",
    "aspect-ratio:",
    ":is(",
    ":where(",
    ":has(",
    "color-mix(",
    "dvh",
    "svh",
    "lvh",
    "@container",
    "@layer",
    "@property",
    "subgrid",
    "accent-color",
    "content-visibility",
    "overflow: clip",
    "text-wrap:",
    "scrollbar-gutter",
    "translate:",
    "display: flex", // its gaps are missing there; the pages use grids
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets")
}

/// Every file with its path inside of the folder.
fn files() -> Vec<(String, String)> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                let name = path.strip_prefix(root).expect("inside").to_string_lossy();
                let text = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
                found.push((name.replace('\\', "/"), text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&folder(), &folder(), &mut found);
    assert!(found.len() > 10, "the pages' files are in {:?}", folder());
    found
}

fn with_ending(ending: &str) -> Vec<(String, String)> {
    files()
        .into_iter()
        .filter(|(name, _)| name.ends_with(ending))
        .collect()
}

/// Where `text` has one of `words`, as `file:line`.
fn finds(name: &str, text: &str, words: &[&str]) -> Vec<String> {
    text.lines()
        .enumerate()
        .flat_map(|(at, line)| {
            words
                .iter()
                .filter(move |word| line.contains(**word))
                .map(move |word| format!("{name}:{}: {word}", at + 1))
        })
        .collect()
}

/// Every string that stands between `before` and `after`.
fn between<'a>(text: &'a str, before: &str, after: char) -> Vec<&'a str> {
    text.split(before)
        .skip(1)
        .filter_map(|rest| rest.split(after).next())
        .collect()
}

#[test]
fn scripts_and_styles_keep_to_what_an_old_screen_understands() {
    let mut found = Vec::new();
    for (name, text) in with_ending(".js") {
        found.extend(finds(&name, &text, &MISSING_IN_SCRIPTS));
    }
    for (name, text) in with_ending(".css").into_iter().chain(with_ending(".html")) {
        let style = text
            .replace("min-aspect-ratio", "")
            .replace("max-aspect-ratio", "");
        found.extend(finds(&name, &style, &MISSING_IN_STYLES));
    }
    let loader = dashboards::assets::loader();
    found.extend(finds("loader", loader, &MISSING_IN_SCRIPTS));
    let style = loader.replace("max-aspect-ratio", "");
    found.extend(finds("loader", &style, &MISSING_IN_STYLES));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_text_is_there_in_both_languages() {
    // The common table, and those of single pages.
    let tables: Vec<_> = with_ending("strings.js");
    let lines = tables.iter().flat_map(|(_, table)| table.lines());
    let mut keys = BTreeSet::new();
    let mut faults = Vec::new();
    for line in lines.filter(|line| line.starts_with("  \"")) {
        // "key": ["中文", "English"], …
        for entry in line.trim().split("],") {
            let entry = entry.trim();
            if entry.is_empty() {
                continue;
            }
            let parts: Vec<&str> = entry.split('"').collect();
            let complete = parts.len() == 7 && !parts[3].is_empty() && !parts[5].is_empty();
            let holes = |text: &str| between(text, "{", '}').len();
            if !complete {
                faults.push(format!("incomplete: {entry}"));
            } else if !keys.insert(parts[1].to_owned()) {
                faults.push(format!("twice: {}", parts[1]));
            } else if holes(parts[3]) == 0 && holes(parts[5]) > 0 {
                faults.push(format!("a value is lost in Chinese: {entry}"));
            } else if parts[5].chars().any(is_chinese) && !entry.contains("社保") {
                faults.push(format!("Chinese in English: {entry}"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(keys.len() > 200, "{} keys", keys.len());

    let mut unknown = Vec::new();
    for (name, text) in files() {
        // memory.get("…") ends like t("…")
        let text = text
            .replace(".get(", "")
            .replace(".set(", "")
            .replace(".closest(", "");
        let quoted = [
            "t(\"",
            "t2(\"",
            "th(\"",
            "thin(\"",
            "data-t=\"",
            "data-t2=\"",
        ];
        for key in quoted.iter().flat_map(|before| between(&text, before, '"')) {
            // "hall." and the like are completed by a state
            let whole = key.contains('.') && !key.ends_with(['.', '-']) && !key.contains(' ');
            let prefix = keys.iter().any(|known| known.starts_with(key));
            if whole && !keys.contains(key) && !prefix {
                unknown.push(format!("{name}: {key}"));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn chinese_stands_only_in_the_table_of_texts() {
    // The page's title before its script runs, and the switch that names the other language.
    let allowed = |line: &str| line.contains("<title>") || line.contains("\"中文\"");
    let comment = |line: &str| line.trim_start().starts_with(['/', '*']) || line.contains("// ");
    let mut found = Vec::new();
    for (name, text) in files() {
        if name.ends_with("strings.js") || name.ends_with(".css") {
            continue;
        }
        for (at, line) in text.lines().enumerate() {
            let doc = comment(line) || line.trim_start().starts_with("<!--");
            if line.chars().any(is_chinese) && !allowed(line) && !doc {
                found.push(format!("{name}:{}: {line}", at + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

fn is_chinese(sign: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&sign)
}

#[test]
fn nothing_is_fetched_from_elsewhere() {
    let mut found = Vec::new();
    for (name, text) in files() {
        // The picture's own name, and the print bridge on the kiosk's own machine.
        let icon = text
            .replace("http://www.w3.org/2000/svg", "")
            .replace("\"http://127.0.0.1:\"", "")
            // How an address looks, in an empty field.
            .replace("http://10.0.0.5", "");
        let words = ["http://", "https://", "\"//", "'//", "url(//", "@import"];
        found.extend(finds(&name, &icon, &words));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_files_stay_small() {
    let part = |name: &str| {
        ["desk", "ops", "setup"]
            .into_iter()
            .find(|part| name.starts_with(part))
    };
    let weigh = |wanted| -> usize {
        let some = files().into_iter().filter(|(name, _)| part(name) == wanted);
        some.map(|(_, text)| text.len()).sum()
    };
    for (part, budget) in [
        (None, BUDGET_BYTES),
        (Some("desk"), DESK_BUDGET_BYTES),
        (Some("ops"), OPS_BUDGET_BYTES),
        (Some("setup"), SETUP_BUDGET_BYTES),
    ] {
        let bytes = weigh(part);
        assert!(bytes <= budget, "{bytes} bytes of {budget} for {part:?}");
    }
}

#[test]
fn every_file_that_a_page_or_script_names_exists() {
    let all = files();
    let names: BTreeSet<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    let mut used = BTreeSet::new();
    let mut missing = Vec::new();
    for (name, text) in &all {
        for asked in between(text, "{{assets}}/", '"') {
            used.insert(asked.to_owned());
            if !names.contains(asked) {
                missing.push(format!("{name}: {asked}"));
            }
        }
        let imported = between(text, " from \"./", '"').into_iter();
        for asked in imported.chain(between(text, "new URL(\"./", '"')) {
            let base = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            let path = format!("{base}/{asked}").trim_start_matches('/').to_owned();
            if !names.contains(path.as_str()) {
                missing.push(format!("{name}: {path}"));
            }
            used.insert(path);
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    let unused: Vec<_> = names
        .iter()
        .filter(|name| !name.ends_with(".html") && !used.contains(**name))
        .collect();
    assert!(unused.is_empty(), "nobody asks for {unused:?}");
}

#[test]
fn pages_are_served_whole_and_their_files_by_build() {
    for page in [
        "index", "board", "led", "console", "kiosk", "ticket", "take", "manage", "floor", "desk",
        "rater", "ops", "setup",
    ] {
        let html = dashboards::assets::page(page).expect("a page");
        assert!(!html.contains("{{"), "{page} has an unfilled place");
        for asked in between(&html, "/assets/", '"') {
            let (build, name) = asked.split_once('/').expect("a build and a name");
            assert_eq!(build, dashboards::assets::build());
            assert!(dashboards::assets::file(name).is_some(), "{page}: {name}");
        }
    }
    assert!(dashboards::assets::file("board.html").is_none());
    assert!(dashboards::assets::file("../Cargo.toml").is_none());
}
