//! API channels: every interface the centre calls or offers, watched from call to correction.
//!
//! * [`setup`]: what a channel is. * [`access`]: its versions, and who may call which.
//! * [`tally`], [`histogram`], [`statistics`]: its calls in numbers, over sliding windows in fixed memory;
//!   [`callers`]: who makes them; [`usual`]: how many are usual; [`course`]: what charts are drawn from.
//! * [`abuse`]: who calls far more than usual, or is refused often.
//! * [`call`]: the record of one call; [`masking`]: what of it is kept; [`path`]: which calls are of one kind.
//! * [`access_log`]: calls from the logs of web servers.
//! * [`feed`]: data received and pushed by agreement, batch by batch.
//! * [`upstream`]: where the gateway forwards to; [`probe`]: what is asked now and then; [`trace`]: which
//!   trace a call belongs to.
//! * [`seen`]: calls that were seen and not told.
//! * [`health`]: what the numbers make of it. * [`channel`]: all of it as a machine.
//!
//! A *call* is one request and what came back. It is *carried out* and succeeds or fails, or it is
//! *refused* because its caller is not allowed.

pub mod abuse;
pub mod access;
pub mod access_log;
pub mod call;
pub mod callers;
pub mod channel;
pub mod course;
pub mod event;
pub mod feed;
pub mod health;
pub mod histogram;
pub mod masking;
pub mod path;
pub mod probe;
pub mod refusal;
mod ring;
pub mod seen;
pub mod setup;
pub mod statistics;
pub mod tally;
pub mod trace;
pub mod upstream;
pub mod usual;

pub use access::{CallRefusal, Grant, KeyHash, Version, VersionState};
pub use call::{Call, CallFault, NewCall};
pub use channel::{Channel, Maintenance};
pub use event::{ChannelCommand, ChannelEvent};
pub use health::{GroupHealth, Health, Reason};
pub use masking::Masking;
pub use probe::Probe;
pub use refusal::ChannelRefusal;
pub use setup::{Direction, Limits, Setup};
pub use statistics::{Figures, Statistics, Times, Window};
pub use tally::{Measured, Outcome, Tally};
pub use upstream::Upstream;
