//! Heartbeats of all loops that must not hang, for the watchdog.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::heartbeat::Heartbeat;

/// Clones share the list, so a watchdog sees dispatchers that a reload starts.
#[derive(Debug, Clone, Default)]
pub struct Heartbeats(Arc<Mutex<BTreeMap<String, Heartbeat>>>);

impl Heartbeats {
    /// The loops by their names, such as `the dispatcher of ops`.
    pub fn all(&self) -> Vec<(String, Heartbeat)> {
        self.lock().iter().map(|(name, heartbeat)| (name.clone(), heartbeat.clone())).collect()
    }

    pub(super) fn add(&self, name: String, heartbeat: Heartbeat) {
        self.lock().insert(name, heartbeat);
    }

    pub(super) fn remove(&self, name: &str) {
        self.lock().remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Heartbeat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
