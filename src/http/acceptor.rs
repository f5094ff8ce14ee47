//! Accepts connections within the limit.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
    time::sleep,
};

use super::connection_limit::{ConnectionSlots, IdleTimer};
use crate::telemetry::LogThrottle;

/// The pause after a failed accept, because the system needs time to free resources.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// One failed accept is logged per interval.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

pub(super) struct Acceptor {
    listener: TcpListener,
    slots: ConnectionSlots,
    log_throttle: LogThrottle,
}

/// A new connection. The slot is used until `slot` is dropped.
pub(super) struct AcceptedConnection {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) idle_timer: IdleTimer,
    pub(super) slot: OwnedSemaphorePermit,
}

impl Acceptor {
    pub(super) fn new(listener: TcpListener, max_connections: usize) -> Self {
        let slots = ConnectionSlots::new(max_connections);
        Self { listener, slots, log_throttle: LogThrottle::every(LOG_INTERVAL) }
    }

    /// Waits for a slot and then for a connection. Cancel safe.
    pub(super) async fn accept(&self) -> AcceptedConnection {
        loop {
            let slot = self.slots.acquire().await;
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    return AcceptedConnection { stream, peer, idle_timer: self.slots.idle_timer(), slot };
                }
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    if let Some(suppressed) = self.log_throttle.allow() {
                        tracing::error!(%error, suppressed, "cannot accept connections; raise the limit of open files");
                    }
                    sleep(RETRY_PAUSE).await;
                }
            }
        }
    }
}

/// True if the client closed the connection before it was accepted.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
