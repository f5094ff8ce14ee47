//! Signs of life of a loop, for who must know that it still turns.
//!
//! A time of the last beat was rejected: a loop with nothing to do rests for as long as it likes, and is well.
//! Who wants to know wakes it and waits for the next beat.

use tokio::sync::watch;

/// The heartbeat of one loop. Clones are the same heartbeat.
#[derive(Debug, Clone)]
pub struct Heartbeat(watch::Sender<u64>);

impl Default for Heartbeat {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Heartbeat {
    /// The loop turned.
    pub fn beat(&self) {
        self.0.send_modify(|beats| *beats = beats.wrapping_add(1));
    }

    /// Returns with the next beat after this call.
    pub fn next(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut beats = self.0.subscribe();
        let sender = self.clone();
        async move {
            // The sender is kept here, so that there is no other end than a beat.
            let _ = beats.changed().await;
            drop(sender);
        }
    }
}
