//! What Hallkeeper knows of a service hall, as plain values.
//!
//! Nothing here reads a clock, a socket, a file or a random number: instants and tokens are handed
//! in, and the same calls give the same answers. The live system, recovery after a crash, rehearsal
//! and every screen run these lines.
//!
//! # Words
//! A *hall* has *windows* and *services*; people queue for a service, so each service is one
//! *queue*. A *ticket* is one person's turn; its *holder* is that person, a *clerk* sits at a
//! window. A *call* asks a ticket to a window; a *recall* repeats it; a ticket that does not come
//! is *missed* and may be *requeued*.
//!
//! # Invariants
//! 1. A number is held by at most one open ticket of a hall; numbers are unique by (day of
//!    issue, number, round).
//! 2. A ticket is at one window at most; a window has one ticket at most.
//! 3. Issued = waiting + called + serving + held + completed + missed + cancelled + expired.
//! 4. A refused command changes nothing; `decide` takes `&self`, so the compiler holds us to it.
//! 5. Applying a hall's events from the first gives the same hall, to the byte.
//!
//! Modules in reading order.

pub mod alerts;
pub mod announce;
pub mod calendar;
pub mod calling;
pub mod cases;
pub mod channels;
pub mod desk;
pub mod devices;
pub mod figures;
pub mod flow;
pub mod forecast;
pub mod hall;
pub mod hours;
pub mod identity;
pub mod ids;
pub mod machine;
pub mod name;
pub mod number;
pub mod policy;
pub mod reason;
pub mod speech;
pub mod telemetry;
pub mod ticket;
pub mod time;
pub mod window;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use hall::{Command, Event, Hall, Recorded, Refusal};
pub use time::Timestamp;
