//! What is known of each kind of subject: its table of variables and the code that fills it.

use crate::alerts::subject::{Unit, Value, ValueKind, Variable};

pub mod batch;
pub mod case;
pub mod channel;
pub mod desk;
pub mod device;
pub mod hall;
pub mod indicator;

/// A variable that is a number.
pub const fn number(
    name: &'static str,
    unit: Unit,
    zh: &'static str,
    en: &'static str,
) -> Variable {
    Variable {
        name,
        kind: ValueKind::Number,
        unit,
        zh,
        en,
        texts: &[],
    }
}

/// A variable that is true or false.
pub const fn flag(name: &'static str, zh: &'static str, en: &'static str) -> Variable {
    Variable {
        name,
        kind: ValueKind::Bool,
        unit: Unit::None,
        zh,
        en,
        texts: &[],
    }
}

/// A variable that is one of some texts; of any text where none are given.
pub const fn text(
    name: &'static str,
    texts: &'static [&'static str],
    zh: &'static str,
    en: &'static str,
) -> Variable {
    Variable {
        name,
        kind: ValueKind::Text,
        unit: Unit::None,
        zh,
        en,
        texts,
    }
}

/// The values of a table, written with their names so that the order cannot slip: a debug build
/// compares every name.
pub fn values<const N: usize>(
    table: &'static [Variable],
    pairs: [(&'static str, Value); N],
) -> Box<[Value]> {
    debug_assert!(
        table.iter().map(|v| v.name).eq(pairs.iter().map(|p| p.0)),
        "the values are not in the catalogue's order: {:?}",
        pairs.iter().map(|p| p.0).collect::<Vec<_>>()
    );
    pairs.into_iter().map(|(_, value)| value).collect()
}

/// Minutes between two instants, with their fractions.
pub fn minutes(from: crate::time::Timestamp, to: crate::time::Timestamp) -> Value {
    Value::Number(to.millis_since(from) as f64 / 60_000.0)
}
