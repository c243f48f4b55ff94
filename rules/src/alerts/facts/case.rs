//! What rules may ask of a case.

use crate::alerts::subject::Variable;

pub const VARIABLES: &[Variable] = &[];
