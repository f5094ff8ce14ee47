//! Wakes the worker that acts on presses.

use std::sync::Arc;

use tokio::sync::Notify;

/// A signal that a press was stored. Clones share it. It carries no data, because the outbox has the presses.
#[derive(Debug, Clone, Default)]
pub struct PressWaker(Arc<Notify>);

impl PressWaker {
    /// Wakes the worker, or lets its next [`Self::woken`] return at once.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Returns after a [`Self::wake`]. Several calls of it before may count as one.
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wake_before_the_wait_is_not_lost() {
        let waker = PressWaker::default();
        waker.clone().wake();
        waker.wake();
        assert!(timeout(Duration::ZERO, waker.woken()).await.is_ok());
        assert!(timeout(Duration::from_secs(1), waker.woken()).await.is_err());
    }
}
