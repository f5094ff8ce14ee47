//! The way to a host: its name and its port. The first of both is the proxy's, where there is one.

use std::{io, net::IpAddr, net::SocketAddr, time::Duration};

use reqwest::Url;
use tokio::{net::TcpStream, time::timeout};

use super::finding::Finding;
use crate::config::App;

/// The server that a connection goes to first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct First {
    host: String,
    port: u16,
    /// The key of the configuration that names it.
    key: &'static str,
    proxy: bool,
}

impl First {
    /// Of an app's `proxy_url`, else of its `api_url`; `None` for an address without a port, which there is none of.
    pub(super) fn of(app: &App) -> Option<Self> {
        let (text, key, proxy) = match &app.proxy_url {
            Some(proxy_url) => (proxy_url.expose(), "proxy_url", true),
            None => (app.api_url.as_str(), "api_url", false),
        };
        let url = Url::parse(text).ok()?;
        let usual = if url.scheme().starts_with("socks") { Some(1080) } else { None };
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self { host, port: url.port_or_known_default().or(usual)?, key, proxy })
    }

    /// The name of the check that connects to it.
    pub(super) fn check(&self) -> &'static str {
        if self.proxy { "proxy" } else { "connect" }
    }
}

/// Looks the host up.
pub(super) async fn dns(first: &First, limit: Duration) -> (Finding, Vec<SocketAddr>) {
    let First { host, port, .. } = first;
    if let Ok(ip) = host.parse::<IpAddr>() {
        return (Finding::ok("dns", format!("{host} is an address")), vec![SocketAddr::new(ip, *port)]);
    }
    let found = timeout(limit, tokio::net::lookup_host((host.as_str(), *port))).await;
    let addresses: io::Result<Vec<_>> = match found {
        Ok(found) => found.map(Iterator::collect),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, late(limit))),
    };
    (looked_up(first, &addresses), addresses.unwrap_or_default())
}

fn looked_up(First { host, key, .. }: &First, addresses: &io::Result<Vec<SocketAddr>>) -> Finding {
    let why = match addresses {
        Ok(addresses) if !addresses.is_empty() => {
            let count = addresses.len();
            let es = if count == 1 { "" } else { "es" };
            return Finding::ok("dns", format!("{host} → {count} address{es}"));
        }
        Ok(_) => "it has no address".to_owned(),
        Err(error) => error.to_string(),
    };
    let mend = format!(
        "see that {key} is spelled right, and that this machine's DNS (/etc/resolv.conf; in a container, its own) \
         knows the name"
    );
    Finding::failed("dns", format!("{host} is not found: {why}"), mend)
}

/// Opens a connection to one of the addresses, and closes it.
pub(super) async fn connect(first: &First, addresses: &[SocketAddr], limit: Duration) -> Finding {
    let connected = match timeout(limit, TcpStream::connect(addresses)).await {
        Ok(connected) => connected.map(drop),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, late(limit))),
    };
    connection(first, connected)
}

fn connection(first: &First, connected: io::Result<()>) -> Finding {
    let First { host, port, key, proxy } = first;
    let Err(error) = connected else {
        return Finding::ok(first.check(), format!("{host} port {port} takes connections"));
    };
    let seen = format!("{host} port {port} takes no connection: {error}");
    let mend = match (proxy, error.kind()) {
        (true, io::ErrorKind::ConnectionRefused) => {
            format!("nothing listens there: see that the proxy runs, and the port in {key}")
        }
        (false, io::ErrorKind::ConnectionRefused) => {
            format!("nothing listens there, or a firewall refuses: see the host and port in {key}")
        }
        (true, _) => format!("see {key}, and the firewall between this machine and the proxy"),
        (false, _) => format!(
            "see {key}, and the firewall: this machine must be allowed out to {host} port {port}, or give the proxy \
             that leads there in proxy_url"
        ),
    };
    Finding::failed(first.check(), seen, mend)
}

/// Of what did not come in time.
pub(super) fn late(limit: Duration) -> String {
    format!("no answer within {limit:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(proxy: bool) -> First {
        let key = if proxy { "proxy_url" } else { "api_url" };
        First { host: "wecom.example.com".to_owned(), port: 443, key, proxy }
    }

    #[test]
    fn addresses_are_counted_and_none_is_a_failure() {
        let address: SocketAddr = "192.0.2.1:443".parse().unwrap();
        let seen = |count| looked_up(&first(false), &Ok(vec![address; count])).seen;
        assert_eq!(seen(1), "wecom.example.com → 1 address");
        assert_eq!(seen(3), "wecom.example.com → 3 addresses");
        assert!(looked_up(&first(false), &Ok(Vec::new())).has_failed());
    }

    #[test]
    fn a_firewall_that_drops_is_told_from_a_port_that_refuses() {
        let mend = |proxy, kind| connection(&first(proxy), Err(io::Error::from(kind))).mend;
        assert!(mend(false, io::ErrorKind::TimedOut).contains("allowed out to wecom.example.com port 443"));
        assert!(mend(false, io::ErrorKind::ConnectionRefused).contains("nothing listens there"));
        assert!(mend(true, io::ErrorKind::ConnectionRefused).contains("see that the proxy runs"));
    }
}
