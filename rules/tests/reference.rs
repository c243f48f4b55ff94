//! The reference of the rule language in `docs/rules.md` says what the catalogue says.

use rules::alerts::catalogue::variables;
use rules::alerts::subject::{SubjectKind, Unit, ValueKind, Variable};

const BEGIN: &str = "<!-- catalogue: written by rules/tests/reference.rs -->\n";
const END: &str = "<!-- end of the catalogue -->";

fn row(variable: &Variable) -> String {
    let form = match variable.kind {
        ValueKind::Bool => "true or false".to_owned(),
        ValueKind::Text if variable.texts.is_empty() => "text".to_owned(),
        ValueKind::Text => variable.texts.join(", "),
        ValueKind::Number => match variable.unit {
            Unit::None => "number".to_owned(),
            unit => unit.words().1.to_owned(),
        },
    };
    format!(
        "| `{}` | {form} | {} | {} |\n",
        variable.name, variable.zh, variable.en
    )
}

fn catalogue() -> String {
    let mut text = String::new();
    for kind in SubjectKind::ALL {
        text += &format!(
            "\n### {}\n\n| name | value | 含义 | meaning |\n|---|---|---|---|\n",
            kind.name()
        );
        for variable in variables(kind) {
            text += &row(variable);
        }
    }
    text.push('\n');
    text
}

/// `UPDATE=1 cargo test -p rules --test reference` writes it anew.
#[test]
fn the_reference_names_every_variable() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rules.md");
    let text = std::fs::read_to_string(path).expect("docs/rules.md");
    let (before, rest) = text.split_once(BEGIN).expect("its catalogue");
    let (written, after) = rest.split_once(END).expect("the end of its catalogue");
    if written == catalogue() {
        return;
    }
    assert!(
        std::env::var_os("UPDATE").is_some(),
        "docs/rules.md is behind the catalogue: UPDATE=1 cargo test -p rules --test reference"
    );
    let text = format!("{before}{BEGIN}{}{END}{after}", catalogue());
    std::fs::write(path, text).expect("written");
}
