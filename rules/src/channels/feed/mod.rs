//! Data that comes in, or goes out, by agreement: feeds, their batches, and what becomes of each record.
//!
//! * [`schedule`]: when data is due. * [`check`]: whether a record may be taken, and what is corrected.
//! * [`batch`]: one delivery: what was expected, came, was corrected, held back, acknowledged.
//! * [`machine`]: a feed as a machine that lives by its journal. * [`refusal`]: every polite no.
//!
//! Nothing is made up and nothing is lost: a record that cannot be taken is held in quarantine as it
//! came; a corrected one keeps what stood there before; what the other side has and we have not is
//! listed, never invented.

pub mod batch;
pub mod check;
pub mod machine;
pub mod refusal;
pub mod schedule;

pub use batch::{Batch, BatchState, Difference, NewRecord, Sent};
pub use check::{Checks, FieldCheck, FieldCorrection, FieldFault, FieldKind};
pub use machine::{Feed, FeedCommand, FeedDirection, FeedEvent, FeedSetup};
pub use refusal::FeedRefusal;
pub use schedule::Schedule;
