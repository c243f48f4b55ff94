//! Alert rules and the alert desk, driven without a runtime and without a clock.

mod bench;
mod desk;
mod engine;
mod escalating;
mod given;
mod quieting;
mod support;
mod watch;
