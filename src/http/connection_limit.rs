//! A limit for open connections.
//!
//! When the limit is reached, idle connections are closed, and every response closes its connection. Neither loses a
//! request, and the client can connect again. Without this, silent clients could keep others waiting for as long as a
//! request head may take, and clients that ask for `/-/healthy` every second could keep their connections for ever.

use std::{
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep},
};

/// The time that a connection may be idle when the limit is reached.
const IDLE_TIME_AT_LIMIT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct ConnectionSlots {
    free: Arc<Semaphore>,
    is_full: watch::Sender<bool>,
}

impl ConnectionSlots {
    pub(super) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), is_full: watch::Sender::new(false) }
    }

    /// Waits for a slot. Cancel safe.
    pub(super) async fn acquire(&self) -> OwnedSemaphorePermit {
        if let Ok(slot) = Arc::clone(&self.free).try_acquire_owned() {
            self.is_full.send_if_modified(std::mem::take);
            return slot;
        }
        self.is_full.send_replace(true);
        match Arc::clone(&self.free).acquire_owned().await {
            Ok(slot) => slot,
            // The semaphore is never closed.
            Err(_closed) => pending().await,
        }
    }

    /// The timer of a new connection.
    pub(super) fn idle_timer(&self) -> IdleTimer {
        let idle_since = Arc::new(Mutex::new(Some(Instant::now())));
        IdleTimer { is_full: self.is_full.subscribe(), idle_since }
    }
}

/// Measures the time for which a connection has no request. Clones share the state.
#[derive(Debug, Clone)]
pub(super) struct IdleTimer {
    is_full: watch::Receiver<bool>,
    /// `None` while a request is handled.
    idle_since: Arc<Mutex<Option<Instant>>>,
}

impl IdleTimer {
    pub(super) fn request_started(&self) {
        self.set_idle_since(None);
    }

    pub(super) fn request_answered(&self) {
        self.set_idle_since(Some(Instant::now()));
    }

    /// True if other connections wait for a slot.
    pub(super) fn is_limit_reached(&self) -> bool {
        *self.is_full.borrow()
    }

    /// Returns when the connection must be closed, because it is idle and others wait for a slot.
    pub(super) async fn expired(mut self) {
        loop {
            if self.is_full.wait_for(|is_full| *is_full).await.is_err() {
                // The server has stopped accepting connections.
                return pending().await;
            }
            let left = match self.idle_since() {
                Some(since) => IDLE_TIME_AT_LIMIT.saturating_sub(since.elapsed()),
                None => IDLE_TIME_AT_LIMIT,
            };
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }

    fn idle_since(&self) -> Option<Instant> {
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_idle_since(&self, since: Option<Instant>) {
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn idle_connections_expire_only_at_the_limit() {
        let slots = ConnectionSlots::new(2);
        let (_first, _second) = (slots.acquire().await, slots.acquire().await);
        let idle = slots.idle_timer();
        assert!(timeout(LONG, idle.clone().expired()).await.is_err());
        let busy = slots.idle_timer();
        busy.request_started();
        assert!(timeout(Duration::from_secs(1), slots.acquire()).await.is_err());
        assert!(timeout(Duration::ZERO, idle.expired()).await.is_ok());
        assert!(timeout(LONG, busy.clone().expired()).await.is_err(), "a request was interrupted");
        busy.request_answered();
        let began = Instant::now();
        busy.expired().await;
        assert_eq!(began.elapsed(), IDLE_TIME_AT_LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn connections_do_not_expire_when_slots_are_free_again() {
        let slots = ConnectionSlots::new(1);
        let first = slots.acquire().await;
        assert!(timeout(Duration::from_secs(1), slots.acquire()).await.is_err());
        drop(first);
        let _second = slots.acquire().await;
        assert!(timeout(LONG, slots.idle_timer().expired()).await.is_err());
    }
}
