//! The actors: thin shells that bring facts to the pure core and carry its decisions out.
//!
//! ```text
//!              System
//!    ┌───────────┼─────────────┬────────────┐
//! Supervisor  ScreenHub    CityActor     Journal (task)
//!    │ one per hall, by factory             ↑ group commit
//! HallActor ────────────────────────────────┘
//!    ├── WindowActor  one per window
//!    ├── QueueActor   one per service
//!    └── VoiceActor   what is said in its zones
//! ```
//!
//! * [`hall`]: one hall, one command at a time; journals, then applies, then shows.
//! * [`window`]: one window's clerk, heartbeat and day; asks its hall.
//! * [`queue`]: the flow through one queue, and its wait estimates.
//! * [`strip`]: the link to one LED strip on a wire; follows its window.
//! * [`voice`]: what is said in a hall's zones, and which screen says it.
//! * [`hub`]: topics, their last frames, and who follows them.
//! * [`city`]: every hall's latest face.
//! * [`journal`]: what many halls write, in one durable transaction.
//! * `turn`: one thing at a time in an actor, deciding included.
//! * [`supervisor`]: starts halls and starts them again.
//! * [`alert_desk`]: drives the alert desk: what is known, evaluated once a second.
//! * [`desk`]: the shell of the machines beside the halls, one command at a time.
//! * [`demo`]: plays a recorded day through a hall's own commands.
//! * [`ports`], [`memory`], [`clock`]: what is needed from the world, and what needs nothing.

pub mod alert_desk;
mod answers;
pub mod city;
pub mod clock;
pub mod demo;
pub mod desk;
pub mod hall;
pub mod hub;
pub mod journal;
pub mod memory;
pub mod ports;
pub mod publisher;
pub mod queue;
pub mod strip;
pub mod supervisor;
pub mod system;
mod turn;
pub mod voice;
pub mod window;

pub use system::System;
