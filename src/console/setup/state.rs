//! The state of the Setup page between requests.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use tokio::time::Instant;

use super::{SetupParts, limits::TestLimits};
use crate::outbox::{DeliveryId, ReceiverName};

/// The least time between two reloads that readers ask for.
const RELOAD_PAUSE: Duration = Duration::from_secs(5);

pub(in crate::console) struct SetupState {
    pub(in crate::console) parts: SetupParts,
    tests: Mutex<Tests>,
    last_reload: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Tests {
    limits: TestLimits,
    /// The last test message of each receiver since the start.
    last: BTreeMap<ReceiverName, DeliveryId>,
}

impl SetupState {
    pub(in crate::console) fn new(parts: SetupParts) -> Self {
        Self { parts, tests: Mutex::default(), last_reload: Mutex::default() }
    }

    /// Counts a test message, or returns the time until the next one is allowed.
    pub(super) fn take_test(&self, receiver: &ReceiverName, now: Timestamp) -> Result<(), Duration> {
        self.tests.lock().unwrap_or_else(PoisonError::into_inner).limits.take(receiver, now)
    }

    /// Counts a reload, or returns the time until the next one is allowed.
    pub(super) fn take_reload(&self) -> Result<(), Duration> {
        let mut last = self.last_reload.lock().unwrap_or_else(PoisonError::into_inner);
        match last.and_then(|last| RELOAD_PAUSE.checked_sub(last.elapsed())) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                *last = Some(Instant::now());
                Ok(())
            }
        }
    }

    pub(super) fn tested(&self, receiver: ReceiverName, delivery: DeliveryId) {
        self.tests.lock().unwrap_or_else(PoisonError::into_inner).last.insert(receiver, delivery);
    }

    pub(super) fn last_test(&self, receiver: &ReceiverName) -> Option<DeliveryId> {
        self.tests.lock().unwrap_or_else(PoisonError::into_inner).last.get(receiver).copied()
    }
}
