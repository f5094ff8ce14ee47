//! A limit for log lines that any client can cause.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Allows one log line per interval.
#[derive(Debug)]
pub struct LogThrottle {
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    suppressed: u64,
}

impl LogThrottle {
    pub fn every(interval: Duration) -> Self {
        Self { interval, state: Mutex::default() }
    }

    /// Returns `None` if the line must not be logged, else the number of lines that were suppressed since the last one.
    pub fn allow(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.last.is_some_and(|last| now.duration_since(last) < self.interval) {
            state.suppressed += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_per_interval_counts_the_suppressed_ones() {
        let throttle = LogThrottle::every(Duration::from_secs(60));
        let mut allowed = Vec::new();
        for seconds in [0, 0, 1, 58, 1, 1, 60] {
            advance(Duration::from_secs(seconds)).await;
            allowed.push(throttle.allow());
        }
        assert_eq!(allowed, [Some(0), None, None, None, Some(3), None, Some(1)]);
    }
}
