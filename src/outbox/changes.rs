//! Wake-ups from the outbox to the dispatcher of a sender.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use super::{Destination, ReceiverName};

/// The destinations of one sender whose deliveries may have become claimable. Clones share the same set.
///
/// An engine marks destinations after its commit. The dispatcher takes the set and looks at those destinations. A mark
/// that is set while the dispatcher is busy stays until the next [`Self::take`], so no wake-up is lost.
#[derive(Debug, Clone, Default)]
pub struct Changes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    changed: Mutex<ChangedDestinations>,
    notify: Notify,
}

/// The changes since the last [`Changes::take`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangedDestinations {
    /// These destinations changed.
    pub destinations: HashSet<Destination>,
    /// Another process changed something: any destination may have changed.
    pub everything: bool,
    /// The receivers of deliveries that became dead letters because their rows cannot be read.
    pub damaged: Vec<ReceiverName>,
}

impl Changes {
    /// Marks destinations as changed.
    pub fn mark(&self, destinations: impl IntoIterator<Item = Destination>) {
        self.update(|changed| changed.destinations.extend(destinations));
    }

    /// Reports a delivery of `receiver` whose row cannot be read.
    pub fn mark_damaged(&self, receiver: ReceiverName) {
        self.update(|changed| changed.damaged.push(receiver));
    }

    /// Marks every destination as changed.
    pub fn mark_everything(&self) {
        self.update(|changed| changed.everything = true);
    }

    /// Returns the changes since the last call, without waiting.
    pub fn take(&self) -> ChangedDestinations {
        std::mem::take(&mut *self.0.changed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns when something was marked after the last [`Self::take`]. It may return early, but never misses a mark.
    pub async fn notified(&self) {
        self.0.notify.notified().await;
    }

    fn update(&self, update: impl FnOnce(&mut ChangedDestinations)) {
        update(&mut self.0.changed.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.notify.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::outbox::Key;

    #[tokio::test]
    async fn a_mark_is_kept_until_it_is_taken() {
        let (changes, destination) = (Changes::default(), Destination(Key([1; 16])));
        changes.mark([destination]);
        changes.notified().await;
        changes.mark_everything();
        let taken = changes.take();
        assert_eq!((taken.destinations.contains(&destination), taken.everything), (true, true));
        assert_eq!(changes.take(), ChangedDestinations::default());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_reported_without_a_mark() {
        let changes = Changes::default();
        assert!(tokio::time::timeout(Duration::from_secs(9), changes.notified()).await.is_err());
    }
}
