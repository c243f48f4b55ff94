//! Alert rules: what is watched, when it is wrong, for how long, and who hears of it.
//!
//! * [`subject`]: what rules are about, and the values known of it.
//! * [`rule`]: a rule as checked data.
//!
//! Nothing here reads a clock. The live desk, unit tests of rules, back-tests and replay after a crash
//! run these lines.

pub mod rule;
pub mod subject;
