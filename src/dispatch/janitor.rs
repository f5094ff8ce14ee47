//! Purges deliveries that were settled longer ago than `outbox.retention`, in small batches.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, delivery::decide::earlier, outbox::Outbox};

/// The time between two rounds.
const INTERVAL: Duration = Duration::from_secs(60);
/// The most deliveries in one transaction, so that acceptance never waits long.
const BATCH: u32 = 200;

/// Purges until `stop`, by the latest value of `retention`.
pub async fn run<O: Outbox>(
    outbox: O,
    retention: watch::Receiver<Duration>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        let retention = *retention.borrow();
        loop {
            match outbox.purge(earlier(clock.now(), retention), BATCH).await {
                Ok(deleted) if deleted < BATCH => break,
                Ok(_) if stop.is_cancelled() => break,
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => {
                    tracing::warn!(%error, "old deliveries could not be purged; trying again later");
                    break;
                }
            }
        }
    }
}
