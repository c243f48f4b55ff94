//! Data that comes in, or goes out, by agreement: feeds, their batches, and what becomes of each record.
//!
//! * [`setup`]: what was agreed. * [`schedule`]: when data is due. * [`check`]: whether a record may be
//!   taken, and what is corrected.
//! * [`record`]: one record, from what came to what is kept. * [`batch`]: one delivery in numbers.
//! * [`mod@compare`]: what differs between the two sides.
//! * [`machine`]: a feed as a machine that lives by its journal. * [`refusal`]: every polite no.
//!
//! The records themselves lie in a table. The machine knows their numbers, which are counted from the
//! table whenever something changed there: told twice they are the same.
//!
//! Nothing is made up and nothing is lost: a record that cannot be taken is held in quarantine as it
//! came; a corrected one keeps what stood there before; what the other side has and we have not is
//! listed, never invented.

pub mod batch;
pub mod check;
pub mod compare;
pub mod machine;
pub mod record;
pub mod refusal;
pub mod schedule;
pub mod setup;

pub use batch::{Batch, BatchState, Totals};
pub use check::{Checks, FieldCheck, FieldCorrection, FieldFault, FieldKind};
pub use compare::{Difference, Differs, Own, compare};
pub use machine::{Feed, FeedCommand, FeedEvent};
pub use record::{Known, NewRecord, Record, RecordState};
pub use refusal::FeedRefusal;
pub use schedule::Schedule;
pub use setup::{FeedDirection, FeedSetup, Source, Target};
