//! Who gets in and how, as one value that can be swapped while requests are served.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Access, Tls};

/// What a client must bring and how it talks: credentials and TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admission {
    /// The credentials of which a request must bring one.
    pub access: Access,
    /// How connections are encrypted; `None` is not at all.
    pub tls: Option<Tls>,
}

impl Admission {
    /// Whether everybody who reaches the port can send alerts.
    pub fn is_open(&self) -> bool {
        self.access.is_open() && !self.tls.as_ref().is_some_and(Tls::asks_for_certificates)
    }
}

/// The [`Admission`] that is in force; clones share it.
#[derive(Debug, Clone)]
pub struct Entrance(watch::Sender<Arc<Admission>>);

impl Entrance {
    /// With this one in force.
    pub fn new(admission: Admission) -> Self {
        Self(watch::Sender::new(Arc::new(admission)))
    }

    /// Puts another one in force, as a whole: for each request from now on, and for each new connection. Open
    /// connections finish their request and are closed, since their TLS was agreed on under the old one. An equal one
    /// changes nothing.
    pub fn replace(&self, admission: Admission) {
        self.0.send_if_modified(|current| {
            let differs = **current != admission;
            if differs {
                *current = Arc::new(admission);
            }
            differs
        });
    }

    pub(super) fn current(&self) -> Arc<Admission> {
        Arc::clone(&self.0.borrow())
    }

    /// Sees each change after this call.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<Admission>> {
        self.0.subscribe()
    }
}
