//! What rules may ask of the centre's own working.

use crate::alerts::subject::Variable;

pub const VARIABLES: &[Variable] = &[];
