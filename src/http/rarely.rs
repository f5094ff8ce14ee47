//! Log lines that strangers can cause, at most one in an interval.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Says when a line may be logged, and how many were not since the last one.
#[derive(Debug)]
pub(super) struct Rarely {
    interval: Duration,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    last: Option<Instant>,
    unlogged: u64,
}

impl Rarely {
    /// One line in `interval`, the first at once.
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, told: Mutex::default() }
    }

    /// Whether to log now; with the number of lines that were left out.
    pub(super) fn tell(&self, now: Instant) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.last.is_some_and(|last| now.duration_since(last) < self.interval) {
            told.unlogged += 1;
            return None;
        }
        told.last = Some(now);
        Some(std::mem::take(&mut told.unlogged))
    }
}

/// When it is logged that a request is nothing that can be taken: as often as an operator can read.
#[derive(Debug)]
pub struct Complaints(Rarely);

impl Default for Complaints {
    fn default() -> Self {
        Self(Rarely::new(Duration::from_secs(1)))
    }
}

impl Complaints {
    /// Whether to log now; with the number of lines that were left out.
    pub(super) fn tell(&self) -> Option<u64> {
        self.0.tell(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_in_an_interval_and_the_next_counts_the_rest() {
        let rarely = Rarely::new(Duration::from_secs(60));
        let at = |seconds| Instant::now() + Duration::from_secs(seconds);
        let told: Vec<_> = [0, 0, 1, 59, 60, 61, 121].map(|seconds| rarely.tell(at(seconds))).to_vec();
        assert_eq!(told, [Some(0), None, None, None, Some(3), None, Some(1)]);
    }
}
