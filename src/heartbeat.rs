//! Liveness check for a background loop.
//!
//! We do not compare timestamps, because an idle loop may sleep for hours. A checker asks for the next tick instead:
//! the request wakes the loop, and the loop ticks at the start of each iteration.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// The heartbeat of one loop. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Heartbeat(Arc<State>);

#[derive(Debug, Default)]
struct State {
    ticks: watch::Sender<u64>,
    requests: Notify,
}

impl Heartbeat {
    /// Counts one iteration of the loop.
    pub fn tick(&self) {
        self.0.ticks.send_modify(|ticks| *ticks = ticks.wrapping_add(1));
    }

    /// Waits until a checker wants a tick. The loop selects on this. Cancel-safe: a request that arrives while
    /// nobody waits is kept.
    pub async fn requested(&self) {
        self.0.requests.notified().await;
    }

    /// Requests a tick and waits for the first one after this call.
    pub async fn wait_for_tick(&self) {
        let mut ticks = self.0.ticks.subscribe();
        self.0.requests.notify_one();
        // `self` holds the sender, so the channel cannot close.
        let _ = ticks.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_wakes_the_loop_and_its_tick_answers() {
        let heartbeat = Heartbeat::default();
        heartbeat.tick();
        let working = async {
            heartbeat.requested().await;
            heartbeat.tick();
        };
        tokio::join!(heartbeat.wait_for_tick(), working);
    }

    #[tokio::test]
    async fn a_request_is_kept_while_the_loop_is_busy() {
        let heartbeat = Heartbeat::default();
        let waiting = heartbeat.wait_for_tick();
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        // The loop drops its wait, as `select!` does, and waits anew.
        {
            let dropped = heartbeat.requested();
            tokio::pin!(dropped);
            let _ = futures_util::poll!(&mut dropped);
        }
        heartbeat.tick();
        waiting.await;
    }
}
