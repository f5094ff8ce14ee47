//! Limits for log lines that any client can cause.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::telemetry::{LogThrottle, clip};

/// The log lines about requests, each with a throttle of its own for each receiver.
#[derive(Debug, Default)]
pub struct LogThrottles(Mutex<HashMap<(RequestLog, String), LogThrottle>>);

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
    /// A callback, with the reason.
    Callback(&'static str),
}

impl RequestLog {
    fn interval(self) -> Duration {
        Duration::from_secs(match self {
            Self::Rejected(_) => 1,
            Self::Duplicate | Self::NotStored | Self::Repaired => 10,
            Self::Unauthorized | Self::Forbidden | Self::Depths | Self::Callback(_) => 60,
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
        states.entry(key).or_insert_with(|| LogThrottle::every(log.interval())).allow()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

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
