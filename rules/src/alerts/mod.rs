//! Alert rules: what is watched, when it is wrong, for how long, and who hears of it.
//!
//! * [`subject`]: what rules are about, and the values known of it.
//! * [`facts`] and [`catalogue`]: the variables of each kind, and the code that fills them.
//! * [`condition`]: what a rule asks, in CEL's syntax.
//! * [`rule`]: a rule as checked data.
//! * [`source`]: rule files.
//! * [`watch`]: one rule on one subject, from quiet to firing and back.
//! * [`engine`]: all rules on all subjects, and [`message`], what is said of one.
//! * [`trial`]: unit tests of rules, in simulated time. * [`backtest`]: what rules would have done.
//! * [`shipped`]: the rules that come with the product.
//!
//! Nothing here reads a clock. The live desk, unit tests of rules, back-tests and replay after a crash
//! run these lines.

pub mod backtest;
pub mod catalogue;
pub mod condition;
pub mod duration;
pub mod engine;
pub mod facts;
pub mod message;
pub mod rule;
pub mod shipped;
pub mod source;
pub mod subject;
pub mod trial;
pub mod watch;
