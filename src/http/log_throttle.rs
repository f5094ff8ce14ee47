//! Limits for log lines that any client can cause.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::telemetry::clip;

/// Allows one log line per interval.
#[derive(Debug)]
pub(super) struct LogThrottle {
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    suppressed: u64,
}

impl LogThrottle {
    pub(super) fn every(interval: Duration) -> Self {
        Self { interval, state: Mutex::default() }
    }

    /// Returns `None` if the line must not be logged, else the number of lines that were suppressed since the last one.
    pub(super) fn allow(&self) -> Option<u64> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).allow(self.interval)
    }
}

impl State {
    fn allow(&mut self, interval: Duration) -> Option<u64> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < interval) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

/// The log lines about requests, each with a throttle of its own for each receiver.
#[derive(Debug, Default)]
pub struct LogThrottles(Mutex<HashMap<(RequestLog, String), State>>);

/// The subject of a log line about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum RequestLog {
    Duplicate,
    NotStored,
    Repaired,
    /// With the reason.
    Rejected(&'static str),
    Unauthorized,
    Forbidden,
    /// The outbox did not answer a scrape.
    Depths,
}

impl RequestLog {
    fn interval(self) -> Duration {
        Duration::from_secs(match self {
            Self::Rejected(_) => 1,
            Self::Duplicate | Self::NotStored | Self::Repaired => 10,
            Self::Unauthorized | Self::Forbidden | Self::Depths => 60,
        })
    }
}

impl LogThrottles {
    /// As [`LogThrottle::allow`]. A client may choose `receiver`: the receivers beyond a limit share one throttle.
    pub(super) fn allow(&self, log: RequestLog, receiver: &str) -> Option<u64> {
        const MAX_THROTTLES: usize = 256;
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (log, clip(receiver).to_owned());
        let key = if states.len() < MAX_THROTTLES || states.contains_key(&key) {
            key
        } else {
            (log, String::new())
        };
        states.entry(key).or_default().allow(log.interval())
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

    #[tokio::test(start_paused = true)]
    async fn each_reason_and_receiver_has_its_own_limit() {
        let throttles = LogThrottles::default();
        let all = [RequestLog::Duplicate, RequestLog::NotStored, RequestLog::Rejected("rejected")];
        let allow_all = || all.map(|log| ["a", "b"].map(|receiver| throttles.allow(log, receiver)));
        assert_eq!(allow_all(), [[Some(0); 2]; 3]);
        assert_eq!(allow_all(), [[None; 2]; 3]);
        advance(Duration::from_secs(1)).await;
        assert_eq!(allow_all(), [[None; 2], [None; 2], [Some(1); 2]]);
        advance(Duration::from_secs(9)).await;
        assert_eq!(allow_all(), [[Some(2); 2], [Some(2); 2], [Some(0); 2]]);
    }
}
