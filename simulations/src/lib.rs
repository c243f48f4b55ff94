//! Simulated people for a service hall: visitors who come, clerks who serve them, and one recorded day to rehearse.
//!
//! **Invariant:** everything here is a function of its arguments and a seed. The crate reads no clock, file, socket
//! or entropy, keeps no order that differs from run to run, and starts no task; the same seed gives the same day,
//! to the byte. Whoever drives it (a demonstration, a test, a digital twin) owns the clock and says what time it is.
//!
//! In reading order:
//!
//! - [`arrivals`]: parses arrivals files, single visitors or counts per time bin; refuses bad rows by line and field
//! - [`schedule`]: turns one day of such a file into single arrivals with a seeded generator
//! - [`office`]: the recorded day of a large Warsaw municipal office that ships with the crate, see `data/README.md`
//! - [`staffing`]: which windows that record says were staffed at what time, its faults repaired by stated rules
//! - [`clerks`]: what a clerk at a window does that cannot be recorded: how long, for whom, and who never came
//! - [`departments`]: what departments do with the cases they have in hand, for demonstrations
//! - [`interfaces`]: what goes over the interfaces between systems, for demonstrations
//! - [`deliveries`]: what other authorities hand over, complete, late or wrong, for demonstrations
//! - [`online`]: what on-line services tell of their visits, for demonstrations
//!
//! Deliberately absent: a queue, a calling order, an alert. Those are decided elsewhere, by the same code that runs
//! the live hall; a second copy here would drift. The full simulator (scenario files, a heap of what happens next,
//! replications and their report) is a later piece that stands on these modules.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

// In reading order rather than by alphabet.
pub mod arrivals;

pub mod schedule;

pub mod office;

pub mod staffing;

pub mod clerks;

pub mod departments;

pub mod interfaces;

pub mod deliveries;

pub mod online;

mod random;
mod table;
