//! Serves connections until the relay stops.
//!
//! The number of open connections is limited. Further connections wait in the kernel's queue. The time for the TLS
//! handshake, for the head of a request, for its body and for reading a response is limited too.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use tokio::{
    net::TcpSocket,
    task::{JoinError, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    acceptor::{AcceptedConnection, Acceptor},
    connection::Connection,
    security::SecurityHandle,
};
use crate::telemetry::LogThrottle;

/// The maximum number of open connections.
pub const MAX_CONNECTIONS: usize = 2000;
/// The maximum number of open connections of a listener for the callback alone.
pub const MAX_CALLBACK_CONNECTIONS: usize = 256;
/// The length of the kernel's queue; `net.core.somaxconn` limits it too.
const BACKLOG: u32 = 4096;
/// The time for requests to finish after the stop.
const GRACE: Duration = Duration::from_secs(10);
/// One failed handshake is logged per interval.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Listens on `address`, with a queue for a burst of connections. Must be called within a runtime.
///
/// # Errors
/// The address is not available.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Serves `router` on `listener` until `stop`, then lets open requests finish.
///
/// # Errors
/// The listener cannot be used.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    security: SecurityHandle,
    max_connections: usize,
    stop: CancellationToken,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let acceptor = Acceptor::new(tokio::net::TcpListener::from_std(listener)?, max_connections);
    let log_throttle = Arc::new(LogThrottle::every(LOG_INTERVAL));
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = open.join_next() => {
                log_panic(ended);
                continue;
            }
            accepted = acceptor.accept() => accepted,
        };
        let AcceptedConnection { stream, peer, idle_timer, slot } = accepted;
        let connection = Connection {
            peer,
            security: security.subscribe(),
            idle_timer: idle_timer.clone(),
            router: router.clone(),
            log_throttle: Arc::clone(&log_throttle),
            stop: stop.clone(),
        };
        open.spawn(async move {
            tokio::select! {
                () = connection.serve(stream) => {}
                () = idle_timer.expired() => {
                    tracing::debug!(peer = %peer.ip(), "idle connection closed: connection limit reached");
                }
            }
            drop(slot);
        });
    }
    drop(acceptor);
    let finish = async {
        while let Some(ended) = open.join_next().await {
            log_panic(ended);
        }
    };
    // Connections that are still open then are closed when the set is dropped.
    _ = timeout(GRACE, finish).await;
    Ok(())
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "request handler panicked; please report it");
    }
}
