//! One queue's flow: topic `queue.{h}.{s}`. Every frame is the whole view.

use rules::forecast::WaitEstimate;
use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueView {
    pub service: String,
    pub waiting: u64,
    pub windows_open: u64,
    /// For one who would take a number now.
    pub estimate: Option<WaitEstimate>,
    pub mean_service_secs: u64,
    pub arrivals_per_hour: u32,
    pub served_per_hour: u32,
    pub longest_wait_secs: u64,
}
