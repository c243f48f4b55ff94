//! API channels: every interface the centre calls or offers.
//!
//! * [`histogram`]: durations, counted so that percentiles are right within one percent.

pub mod histogram;
