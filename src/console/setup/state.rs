//! The state of the Setup page between requests.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::{SetupParts, limits::TestLimits};
use crate::outbox::{DeliveryId, ReceiverName};

pub(in crate::console) struct SetupState {
    pub(in crate::console) parts: SetupParts,
    tests: Mutex<Tests>,
}

#[derive(Default)]
struct Tests {
    limits: TestLimits,
    /// The last test message of each receiver since the start.
    last: BTreeMap<ReceiverName, DeliveryId>,
}

impl SetupState {
    pub(in crate::console) fn new(parts: SetupParts) -> Self {
        Self { parts, tests: Mutex::default() }
    }

    /// Counts a test message, or returns the time until the next one is allowed.
    pub(super) fn take_test(&self, receiver: &ReceiverName, now: Timestamp) -> Result<(), Duration> {
        self.tests.lock().unwrap_or_else(PoisonError::into_inner).limits.take(receiver, now)
    }

    pub(super) fn tested(&self, receiver: ReceiverName, delivery: DeliveryId) {
        self.tests.lock().unwrap_or_else(PoisonError::into_inner).last.insert(receiver, delivery);
    }

    pub(super) fn last_test(&self, receiver: &ReceiverName) -> Option<DeliveryId> {
        self.tests.lock().unwrap_or_else(PoisonError::into_inner).last.get(receiver).copied()
    }
}
