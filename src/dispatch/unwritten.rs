//! Results on their way to the outbox.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::{
    delivery::gate::Change,
    outbox::{DeliveryId, Outbox, Settlement, StoreResult},
};

/// What is to be written down, as often as it takes.
pub(super) enum Unwritten {
    /// The end of a claim.
    Settlement(Settlement, Timestamp),
    /// A change of the hold, and which one it is.
    Change(Change, u64, Arc<Order>),
}

/// Keeps the changes of a sender's hold in order: the last one is what the outbox is left with.
#[derive(Debug, Default)]
pub(super) struct Holding(Arc<Order>);

#[derive(Debug, Default)]
pub(super) struct Order {
    last: AtomicU64,
    writing: Mutex<()>,
}

impl Holding {
    /// `change`, which is later than all before it.
    pub(super) fn change(&self, change: Change) -> Unwritten {
        let number = 1 + self.0.last.fetch_add(1, Ordering::AcqRel);
        Unwritten::Change(change, number, Arc::clone(&self.0))
    }
}

impl Unwritten {
    /// The delivery that it is about, if it is about one.
    pub(super) fn delivery(&self) -> Option<DeliveryId> {
        match self {
            Self::Settlement(settlement, _) => Some(settlement.delivery),
            Self::Change(..) => None,
        }
    }

    /// Writes it once.
    pub(super) async fn write<O: Outbox>(&self, outbox: &O) -> StoreResult<()> {
        match self {
            Self::Settlement(settlement, at) => outbox.settle(settlement.clone(), *at).await,
            Self::Change(change, number, order) => {
                let _alone = order.writing.lock().await;
                // One that was overtaken while it waited would undo what came after it.
                if *number < order.last.load(Ordering::Acquire) {
                    return Ok(());
                }
                match change {
                    Change::Held(hold) => outbox.hold(hold.clone()).await,
                    Change::Released(hold) => outbox.release(&hold.sender).await,
                }
            }
        }
    }
}
