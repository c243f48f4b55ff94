//! Alert rules and the alert desk, driven without a runtime and without a clock.

mod bench;
mod desk;
mod engine;
mod given;
mod support;
mod watch;
