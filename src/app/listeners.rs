//! The sockets on which the relay listens.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

/// The listeners of a relay.
#[derive(Debug)]
pub struct Listeners {
    /// For everything, `server.listen`.
    pub main: TcpListener,
    /// For the callback alone, `server.callback_listen`.
    pub callback: Option<TcpListener>,
}

impl Listeners {
    /// True if only this machine can reach the main listener.
    pub(super) fn is_on_loopback(&self) -> bool {
        self.main.local_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback())
    }

    /// The address of the listener that serves the callback.
    pub(super) fn callback_address(&self) -> io::Result<SocketAddr> {
        self.callback.as_ref().unwrap_or(&self.main).local_addr()
    }
}

impl From<TcpListener> for Listeners {
    fn from(main: TcpListener) -> Self {
        Self { main, callback: None }
    }
}
