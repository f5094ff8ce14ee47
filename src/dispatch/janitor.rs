//! Purges deliveries that were settled longer ago than `outbox.retention`, in small batches, and records the time.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Clock as _, ReadingRecord, RelayClock},
    delivery::decide::earlier,
    outbox::{Outbox, StoreResult},
};

/// The time between two rounds.
const INTERVAL: Duration = Duration::from_secs(60);
/// The time between two rounds while the outbox does not answer. Its time is needed as soon as it answers again.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// The maximum number of deliveries in one transaction, so that acceptance never waits long.
const BATCH: u32 = 200;

/// Purges until `stop`, by the latest value of `retention`.
pub async fn run<O: Outbox>(
    outbox: O,
    retention: watch::Receiver<Duration>,
    clock: Arc<RelayClock>,
    stop: CancellationToken,
) {
    let mut is_first_failure = true;
    loop {
        let is_recorded = record_time(&outbox, &clock, is_first_failure).await;
        let pause = if is_recorded { INTERVAL } else { RETRY_INTERVAL };
        is_first_failure = is_recorded;
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
        if !is_recorded {
            continue;
        }
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

/// Returns true if the time was recorded. A failure is logged only once in a row.
async fn record_time(outbox: &impl Outbox, clock: &RelayClock, is_first_failure: bool) -> bool {
    match learn_and_record(outbox, clock).await {
        Ok(()) => return true,
        Err(error) if is_first_failure => {
            tracing::warn!(%error, "the time could not be recorded; trying again later");
        }
        Err(error) => tracing::debug!(%error, "the time could not be recorded"),
    }
    false
}

async fn learn_and_record(outbox: &impl Outbox, clock: &RelayClock) -> StoreResult<()> {
    if !clock.is_known() {
        // It shows the wall clock, which may be wrong, and must not become the time of the outbox.
        let present = clock.read();
        let relay_time = outbox.relay_time(present.reading.clone()).await?;
        clock.catch_up(&ReadingRecord { relay_time, ..present });
    }
    let present = clock.read();
    let relay_time = outbox.record_time(present.clone()).await?;
    clock.catch_up(&ReadingRecord { relay_time, ..present });
    Ok(())
}
