//! What belongs to the shells: order, refusal under trouble, rebuilding, frames, late wake-ups.
//! What a hall decides is tested with the rules.

// A test that cannot go on says so by a panic.
#![allow(clippy::unwrap_used)]

mod day;
mod desk;
mod hall;
mod hub;
mod journal;
mod phones;
mod queues;
mod supervision;
mod support;
mod voice;
mod windows;
