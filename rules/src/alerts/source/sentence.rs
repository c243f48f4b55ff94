//! The sentence of a notice: what may stand in its braces.

use crate::alerts::catalogue;
use crate::alerts::condition::Error;
use crate::alerts::subject::SubjectKind;
use crate::name::Name;

/// What every subject has besides its variables.
const COMMON: [&str; 4] = ["label", "hall", "department", "handler"];

/// What cannot be filled in: names that neither the kind of subject nor the rule has.
pub(super) fn faults<'a>(
    text: &str,
    kind: SubjectKind,
    parameters: impl Iterator<Item = &'a str> + Clone,
) -> Vec<Error> {
    let mut faults = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find('{').map(|found| at + found + 1) {
        let Some(length) = text[start..].find('}') else {
            faults.push(Error {
                start: start - 1,
                end: text.len(),
                code: "syntax",
                message: Name::new("“{”没有对应的“}”", "this '{' has no '}'"),
            });
            break;
        };
        let end = start + length;
        if let Some(message) = unknown(&text[start..end], kind, parameters.clone()) {
            faults.push(Error {
                start,
                end,
                code: "unknown_variable",
                message,
            });
        }
        at = end + 1;
    }
    faults
}

fn unknown<'a>(
    name: &str,
    kind: SubjectKind,
    mut parameters: impl Iterator<Item = &'a str> + Clone,
) -> Option<Name> {
    if let Some(parameter) = name.strip_prefix("param.") {
        let known = parameters.clone().any(|known| known == parameter);
        let near = catalogue::nearest(parameter, &mut parameters);
        return (!known).then(|| told(name, near.map(|near| format!("param.{near}"))));
    }
    if COMMON.contains(&name) || catalogue::find(kind, name).is_some() {
        return None;
    }
    let names = catalogue::variables(kind).iter().map(|v| v.name);
    let near = catalogue::nearest(name, names.chain(COMMON));
    Some(told(name, near.map(str::to_owned)))
}

fn told(name: &str, near: Option<String>) -> Name {
    let hint = |before: &str, after: &str| {
        near.as_ref()
            .map_or_else(String::new, |near| format!("{before}{near}{after}"))
    };
    Name::new(
        format!("没有“{name}”可填{}", hint("，是否指 ", "？")),
        format!(
            "there is no '{name}' to fill in{}",
            hint(", did you mean ", "?")
        ),
    )
}
