//! Heartbeats of all dispatchers, for the watchdog.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{heartbeat::Heartbeat, outbox::SenderName};

/// Clones share the list, so a watchdog sees dispatchers that a reload starts.
#[derive(Debug, Clone, Default)]
pub struct Heartbeats(Arc<Mutex<BTreeMap<SenderName, Heartbeat>>>);

impl Heartbeats {
    pub fn all(&self) -> Vec<(SenderName, Heartbeat)> {
        self.lock().iter().map(|(sender, heartbeat)| (sender.clone(), heartbeat.clone())).collect()
    }

    pub(super) fn add(&self, sender: SenderName, heartbeat: Heartbeat) {
        self.lock().insert(sender, heartbeat);
    }

    pub(super) fn remove(&self, sender: &SenderName) {
        self.lock().remove(sender);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SenderName, Heartbeat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
