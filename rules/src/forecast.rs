//! Waiting-time estimates. One formula for now; a better estimator takes this place behind the
//! same function.

use serde::{Deserialize, Serialize};

/// How long a wait will be: half of all waits are at most `p50_secs`, four in five at most `p80_secs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitEstimate {
    pub p50_secs: u64,
    pub p80_secs: u64,
}

/// Estimated wait of a ticket with `ahead` people before it: people ahead × mean service time ÷
/// open windows. `None` when no window is open: nobody can say then.
///
/// The upper figure takes the wait as the sum of `ahead` independent services at the pooled rate,
/// each as variable as an exponential one, so its spread is the mean over √ahead, and the 80 %
/// point of the normal law lies 0.8416 spreads above it.
pub fn wait_estimate(
    ahead: u64,
    mean_service_secs: f64,
    windows_open: u64,
) -> Option<WaitEstimate> {
    if windows_open == 0 {
        return None;
    }
    let mean = ahead as f64 * mean_service_secs / windows_open as f64;
    let spread = if ahead == 0 {
        0.0
    } else {
        mean / (ahead as f64).sqrt()
    };
    Some(WaitEstimate {
        p50_secs: mean.round() as u64,
        p80_secs: (mean + 0.8416 * spread).round() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_ahead_of_two_windows_at_six_minutes_wait_24_and_of_one_window_48() {
        let secs = |windows| wait_estimate(8, 360.0, windows).map(|e| e.p50_secs);
        assert_eq!(secs(2), Some(24 * 60));
        assert_eq!(secs(1), Some(48 * 60));
        assert_eq!(secs(0), None);
    }
}
