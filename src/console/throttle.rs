//! Slows down wrong passwords. Nobody is locked out, because behind a proxy all readers have one address.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::telemetry::LogThrottle;

/// Failures a minute before attempts must wait for their turn.
const FREE_FAILURES: usize = 60;
const WINDOW: Duration = Duration::from_secs(60);
/// The time of one turn.
const TURN: Duration = Duration::from_secs(1);
/// Attempts that may wait.
const PLACES: usize = 64;

/// One failure is logged per interval, because strangers cause them.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The recent failures of all readers.
#[derive(Debug)]
pub(super) struct LoginThrottle {
    failures: Mutex<VecDeque<Instant>>,
    turn: tokio::sync::Mutex<()>,
    waiting: AtomicUsize,
    log: LogThrottle,
}

impl Default for LoginThrottle {
    fn default() -> Self {
        Self {
            failures: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            waiting: AtomicUsize::default(),
            log: LogThrottle::every(LOG_INTERVAL),
        }
    }
}

/// Too many attempts wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManyAttempts;

impl LoginThrottle {
    /// Waits until a password may be tried.
    pub(super) async fn wait(&self) -> Result<(), TooManyAttempts> {
        if self.recent() < FREE_FAILURES {
            return Ok(());
        }
        let place = Place::take(&self.waiting)?;
        let turn = self.turn.lock().await;
        sleep(TURN).await;
        drop((turn, place));
        Ok(())
    }

    /// Records and logs a wrong password.
    pub(super) fn failed(&self, peer: &str) {
        if let Some(suppressed) = self.log.allow() {
            tracing::warn!(peer, suppressed, "console: login refused, the password is wrong");
        }
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.push_back(Instant::now());
        if failures.len() > FREE_FAILURES {
            failures.pop_front();
        }
    }

    /// Failures within the last minute, up to [`FREE_FAILURES`].
    fn recent(&self) -> usize {
        let now = Instant::now();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        while failures.front().is_some_and(|failure| now.duration_since(*failure) > WINDOW) {
            failures.pop_front();
        }
        failures.len()
    }
}

/// A place in the queue, until it is dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, TooManyAttempts> {
        let before = waiting.fetch_add(1, Ordering::AcqRel);
        let place = Self(waiting);
        if before < PLACES { Ok(place) } else { Err(TooManyAttempts) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_failures_slow_attempts_down() {
        let throttle = LoginThrottle::default();
        let began = Instant::now();
        for _ in 0..FREE_FAILURES {
            assert_eq!(throttle.wait().await, Ok(()));
            throttle.failed("192.0.2.1");
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        let answers = join_all((0..PLACES + 10).map(|_| throttle.wait())).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 10);
        assert!(began.elapsed() >= TURN * 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_later_nobody_waits() {
        let throttle = LoginThrottle::default();
        (0..200).for_each(|_| throttle.failed("192.0.2.1"));
        sleep(WINDOW + TURN).await;
        let began = Instant::now();
        assert_eq!(throttle.wait().await, Ok(()));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
