//! Results on their way to the outbox.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::service::STORE_PAUSE;
use crate::{
    delivery::circuit_breaker::HoldChange,
    outbox::{DeliveryId, Lease, Settlement, StoreError, StoreResult},
};

/// The maximum number of attempts to write to a damaged row. Other deliveries of the sender wait meanwhile.
const MAX_DAMAGED: u32 = 20;

/// A result that is written again and again until the outbox has stored it.
pub(super) enum PendingWrite {
    /// The end of a claim, at this time.
    Settlement(Settlement, Timestamp),
    /// A change of the sender's hold.
    Hold(NumberedChange),
}

/// Keeps the changes of a hold in order, because the outbox must end up with the last one.
#[derive(Debug, Default)]
pub(super) struct HoldChanges(Arc<HoldOrder>);

#[derive(Debug, Default)]
struct HoldOrder {
    last: AtomicU64,
    writing: Mutex<()>,
}

/// A change of a hold with its place in the order of changes.
pub(super) struct NumberedChange {
    change: HoldChange,
    number: u64,
    order: Arc<HoldOrder>,
}

impl HoldChanges {
    /// Puts `change` behind all earlier changes.
    pub(super) fn next(&self, change: HoldChange) -> PendingWrite {
        let number = 1 + self.0.last.fetch_add(1, Ordering::AcqRel);
        PendingWrite::Hold(NumberedChange { change, number, order: Arc::clone(&self.0) })
    }
}

impl NumberedChange {
    async fn write<L: Lease>(&self, lease: &L) -> StoreResult<()> {
        let _one_at_a_time = self.order.writing.lock().await;
        // A later change must not be overwritten by an earlier one that was tried again.
        if self.number < self.order.last.load(Ordering::Acquire) {
            return Ok(());
        }
        match &self.change {
            HoldChange::Held(hold, _) | HoldChange::StillHeld(hold, _) => {
                lease.hold(Some(hold.clone())).await
            }
            HoldChange::Released(_) => lease.hold(None).await,
        }
    }
}

impl PendingWrite {
    fn delivery(&self) -> Option<DeliveryId> {
        match self {
            Self::Settlement(settlement, _) => Some(settlement.delivery),
            Self::Hold(_) => None,
        }
    }

    async fn write<L: Lease>(&self, lease: &L) -> StoreResult<()> {
        match self {
            Self::Settlement(settlement, at) => lease.settle(settlement.clone(), *at).await,
            Self::Hold(change) => change.write(lease).await,
        }
    }

    /// Writes the result, and tries again until the outbox takes it. Meanwhile `unstored` counts it, and the dispatcher
    /// claims nothing.
    pub(super) async fn write_until_stored<L: Lease>(
        self,
        lease: L,
        app: String,
        unstored: Arc<AtomicUsize>,
    ) {
        let error = match self.write(&lease).await {
            // The process that has the lease now stores its own hold.
            Ok(()) | Err(StoreError::LeaseLost) => return,
            Err(error) => error,
        };
        unstored.fetch_add(1, Ordering::AcqRel);
        let delivery = self.delivery().map(|id| id.0);
        tracing::error!(
            app, delivery, %error,
            "a result cannot be stored; it is kept in memory, and nothing more is sent until it is stored"
        );
        let mut damaged = 0;
        loop {
            tokio::time::sleep(STORE_PAUSE).await;
            match self.write(&lease).await {
                Ok(()) | Err(StoreError::LeaseLost) => break,
                // The next process recovers the delivery.
                Err(StoreError::Closed) => return,
                Err(error @ StoreError::Damaged(_)) if damaged >= MAX_DAMAGED => {
                    tracing::error!(
                        app, delivery, %error,
                        "a result is given up, because its row is damaged; the next start sends the delivery again"
                    );
                    unstored.fetch_sub(1, Ordering::AcqRel);
                    return;
                }
                Err(StoreError::Damaged(_)) => damaged += 1,
                Err(_) => {}
            }
        }
        unstored.fetch_sub(1, Ordering::AcqRel);
        tracing::info!(app, "results are stored again");
    }
}
