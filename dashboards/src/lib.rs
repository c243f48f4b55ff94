//! What screens see: read models as pure functions of a hall and of what just happened, the frames
//! that carry them, and the files of the pages.
//!
//! No web server, no database and no clock here; instants are handed in. **Invariant:** the views
//! of this crate that go to public topics ([`board`], [`queue`], [`window`], [`ticket`], [`city`])
//! have no field that could carry a person's name, phone or document number.

pub mod answer;
pub mod assets;
pub mod board;
pub mod cases;
pub mod channels;
pub mod charts;
pub mod city;
pub mod floor;
pub mod frame;
pub mod journey;
pub mod queue;
pub mod slip;
pub mod strip;
pub mod ticket;
pub mod voice;
pub mod window;
