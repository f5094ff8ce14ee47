//! DNS and TCP checks of the first hop: the proxy if there is one, else the API server.

use std::{io, net::IpAddr, net::SocketAddr, time::Duration};

use reqwest::Url;
use tokio::{net::TcpStream, time::timeout};

use super::finding::Finding;
use crate::wecom::client::Connection;

/// The server that the relay connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FirstHop {
    host: String,
    port: u16,
    /// The key of the configuration with its URL.
    key: &'static str,
    is_proxy: bool,
}

impl FirstHop {
    /// Reads `proxy_url` if it is set, else `api_url`. Returns `None` if the URL has no host or no port.
    pub(super) fn of(connection: &Connection) -> Option<Self> {
        let (text, key) = match &connection.proxy_url {
            Some(proxy_url) => (proxy_url.expose(), "proxy_url"),
            None => (connection.api_url.as_str(), "api_url"),
        };
        let is_proxy = connection.proxy_url.is_some();
        let url = Url::parse(text).ok()?;
        let default_port = if url.scheme().starts_with("socks") { Some(1080) } else { None };
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self { host, port: url.port_or_known_default().or(default_port)?, key, is_proxy })
    }

    /// The name of the connection check.
    pub(super) fn check(&self) -> &'static str {
        if self.is_proxy { "proxy" } else { "connect" }
    }
}

/// Looks up the host.
pub(super) async fn dns(hop: &FirstHop, limit: Duration) -> (Finding, Vec<SocketAddr>) {
    let FirstHop { host, port, .. } = hop;
    if let Ok(ip) = host.parse::<IpAddr>() {
        return (Finding::ok("dns", format!("{host} is an address")), vec![SocketAddr::new(ip, *port)]);
    }
    let found = timeout(limit, tokio::net::lookup_host((host.as_str(), *port))).await;
    let addresses: io::Result<Vec<_>> = match found {
        Ok(found) => found.map(Iterator::collect),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, no_answer(limit))),
    };
    (looked_up(hop, &addresses), addresses.unwrap_or_default())
}

fn looked_up(FirstHop { host, key, .. }: &FirstHop, addresses: &io::Result<Vec<SocketAddr>>) -> Finding {
    let reason = match addresses {
        Ok(addresses) if !addresses.is_empty() => {
            let count = addresses.len();
            let es = if count == 1 { "" } else { "es" };
            return Finding::ok("dns", format!("{host} → {count} address{es}"));
        }
        Ok(_) => "it has no address".to_owned(),
        Err(error) => error.to_string(),
    };
    let help = format!(
        "check the spelling of {key}, and this machine's DNS (/etc/resolv.conf; a container has its own)"
    );
    Finding::failed("dns", format!("{host} is not found: {reason}"), help)
}

/// Opens and closes a connection to one of the addresses.
pub(super) async fn connect(hop: &FirstHop, addresses: &[SocketAddr], limit: Duration) -> Finding {
    let connected = match timeout(limit, TcpStream::connect(addresses)).await {
        Ok(connected) => connected.map(drop),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, no_answer(limit))),
    };
    connection(hop, connected)
}

fn connection(hop: &FirstHop, connected: io::Result<()>) -> Finding {
    let FirstHop { host, port, key, is_proxy } = hop;
    let Err(error) = connected else {
        return Finding::ok(hop.check(), format!("{host} port {port} accepts connections"));
    };
    let message = format!("{host} port {port} does not accept connections: {error}");
    let help = match (is_proxy, error.kind()) {
        (true, io::ErrorKind::ConnectionRefused) => {
            format!("nothing listens there: check that the proxy runs, and the port in {key}")
        }
        (false, io::ErrorKind::ConnectionRefused) => {
            format!("nothing listens there, or a firewall refuses: check the host and port in {key}")
        }
        (true, _) => format!("check {key}, and the firewall between this machine and the proxy"),
        (false, _) => format!(
            "check {key}, and the firewall: it must allow connections to {host} port {port}; if a proxy is needed, set \
             proxy_url"
        ),
    };
    Finding::failed(hop.check(), message, help)
}

fn no_answer(limit: Duration) -> String {
    format!("no answer within {limit:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(is_proxy: bool) -> FirstHop {
        let key = if is_proxy { "proxy_url" } else { "api_url" };
        FirstHop { host: "wecom.example.com".to_owned(), port: 443, key, is_proxy }
    }

    #[test]
    fn no_address_is_a_failure() {
        let address: SocketAddr = "192.0.2.1:443".parse().unwrap();
        let message = |count| looked_up(&first(false), &Ok(vec![address; count])).message;
        assert_eq!(message(1), "wecom.example.com → 1 address");
        assert_eq!(message(3), "wecom.example.com → 3 addresses");
        assert!(looked_up(&first(false), &Ok(Vec::new())).has_failed());
    }

    #[test]
    fn timeout_and_refused_connection_have_different_help() {
        let help = |proxy, kind| connection(&first(proxy), Err(io::Error::from(kind))).help;
        assert!(
            help(false, io::ErrorKind::TimedOut)
                .contains("it must allow connections to wecom.example.com port 443")
        );
        assert!(help(false, io::ErrorKind::ConnectionRefused).contains("nothing listens there"));
        assert!(help(true, io::ErrorKind::ConnectionRefused).contains("check that the proxy runs"));
    }
}
