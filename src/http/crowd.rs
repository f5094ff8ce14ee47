//! When every place is taken: connections that wait for their client give theirs up, and so does each that was answered.
//!
//! What they lose is a connection on which nothing is under way, and their client opens another. Without that, clients
//! that say nothing could keep the others waiting for all the time that a head may take, and clients that ask for
//! their health every second could do so for ever. To spare those with credentials was rejected: without
//! `server.auth` that is everybody, and a new connection costs Alertmanager next to nothing.

use std::{
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep},
};

/// How long a connection may wait for its client when all places are taken.
const CROWDED_WAIT: Duration = Duration::from_secs(2);

/// The places of connections.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    crowded: watch::Sender<bool>,
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), crowded: watch::Sender::new(false) }
    }

    /// A place, when there is one. Nothing is lost when this is dropped.
    pub(super) async fn take(&self) -> OwnedSemaphorePermit {
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            self.crowded.send_if_modified(std::mem::take);
            return place;
        }
        self.crowded.send_replace(true);
        match Arc::clone(&self.free).acquire_owned().await {
            Ok(place) => place,
            // The semaphore is never closed.
            Err(_) => pending().await,
        }
    }

    /// For a connection that begins now.
    pub(super) fn waiting(&self) -> Waiting {
        Waiting { crowded: self.crowded.subscribe(), since: Arc::new(Mutex::new(Some(Instant::now()))) }
    }
}

/// Since when a connection waits for its client.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    crowded: watch::Receiver<bool>,
    since: Arc<Mutex<Option<Instant>>>,
}

impl Waiting {
    /// A request is there.
    pub(super) fn end(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A request is answered, and another one may come.
    pub(super) fn begin(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether others wait for a place, so that the connection must end with its answer.
    pub(super) fn is_crowded(&self) -> bool {
        *self.crowded.borrow()
    }

    /// Returns when the connection must give up its place.
    pub(super) async fn too_long(mut self) {
        loop {
            if self.crowded.wait_for(|crowded| *crowded).await.is_err() {
                // Nothing is let in any more.
                return pending().await;
            }
            let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
            let left = since.map_or(CROWDED_WAIT, |since| CROWDED_WAIT.saturating_sub(since.elapsed()));
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_its_client_gives_up_its_place_only_when_all_are_taken() {
        let places = Places::new(2);
        let (_first, _second) = (places.take().await, places.take().await);
        let waiting = places.waiting();
        assert!(timeout(LONG, waiting.clone().too_long()).await.is_err());
        let busy = places.waiting();
        busy.end();
        assert!(timeout(Duration::from_secs(1), places.take()).await.is_err());
        assert!(timeout(Duration::ZERO, waiting.too_long()).await.is_ok());
        assert!(timeout(LONG, busy.clone().too_long()).await.is_err(), "a request was cut off");
        busy.begin();
        let began = Instant::now();
        busy.too_long().await;
        assert_eq!(began.elapsed(), CROWDED_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn when_there_are_places_again_nobody_is_cut_off() {
        let places = Places::new(1);
        let first = places.take().await;
        assert!(timeout(Duration::from_secs(1), places.take()).await.is_err());
        drop(first);
        let _second = places.take().await;
        assert!(timeout(LONG, places.waiting().too_long()).await.is_err());
    }
}
