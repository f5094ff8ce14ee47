//! Deletes what was settled longer ago than the retention, a little at a time.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, delivery::step::earlier, outbox::Outbox};

/// How often to look.
const INTERVAL: Duration = Duration::from_secs(60);
/// How much to delete in one transaction, so that accepting never waits long for it.
const BATCH: u32 = 200;

/// Deletes until `stop`, what is older than the latest of `retention`.
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
                    tracing::warn!(%error, "old messages could not be deleted; trying again later");
                    break;
                }
            }
        }
    }
}
