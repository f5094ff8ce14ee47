//! Access control and TLS as one value, which a reload replaces as a whole.

use std::sync::Arc;

use tokio::sync::watch;

use super::{access_control::AccessControl, tls::TlsConfig};

/// The requirements for clients: credentials and TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerSecurity {
    pub access: AccessControl,
    /// `None` is plain HTTP.
    pub tls: Option<TlsConfig>,
}

impl ServerSecurity {
    /// The requirements of a listener for the callback alone: the same TLS without certificates of clients, because WeCom
    /// has none.
    pub fn of_callback(&self) -> Self {
        let tls = self.tls.as_ref().map(TlsConfig::without_client_certificates);
        Self { access: AccessControl::default(), tls }
    }

    /// True if everybody who reaches the port can send alerts.
    pub fn is_open(&self) -> bool {
        self.access.is_open() && !self.tls.as_ref().is_some_and(TlsConfig::asks_for_certificates)
    }
}

/// The [`ServerSecurity`] in force. Clones share it.
#[derive(Debug, Clone)]
pub struct SecurityHandle(watch::Sender<Arc<ServerSecurity>>);

impl SecurityHandle {
    pub fn new(security: ServerSecurity) -> Self {
        Self(watch::Sender::new(Arc::new(security)))
    }

    /// Replaces the value for each later request and connection. Open connections finish their request and are closed,
    /// because their TLS session belongs to the old value. An equal value changes nothing.
    pub fn replace(&self, security: ServerSecurity) {
        self.0.send_if_modified(|current| {
            let differs = **current != security;
            if differs {
                *current = Arc::new(security);
            }
            differs
        });
    }

    pub(super) fn current(&self) -> Arc<ServerSecurity> {
        Arc::clone(&self.0.borrow())
    }

    /// Sees each later change.
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<ServerSecurity>> {
        self.0.subscribe()
    }
}
