//! DNS and TCP checks of the first hop: the proxy if there is one, else the API server.

use std::{io, net::IpAddr, net::SocketAddr, time::Duration};

use reqwest::Url;
use tokio::{net::TcpStream, time::timeout};

use crate::{doctor::Finding, language::Bilingual, wecom::client::Connection};

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
        let message = Bilingual::new(format!("{host} is an address"), format!("{host} 是 IP 地址"));
        return (Finding::ok("dns", message), vec![SocketAddr::new(ip, *port)]);
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
            let message =
                Bilingual::new(format!("{host} → {count} address{es}"), format!("{host} → {count} 个地址"));
            return Finding::ok("dns", message);
        }
        Ok(_) => Bilingual::new("it has no address", "没有地址").into(),
        Err(error) => Bilingual::same(error.to_string()),
    };
    let Bilingual { en, zh } = reason;
    let message = Bilingual::new(format!("{host} is not found: {en}"), format!("找不到 {host}：{zh}"));
    let help = Bilingual::new(
        format!(
            "check the spelling of {key}, and this machine's DNS (/etc/resolv.conf; a container has its own)"
        ),
        format!("请检查 {key} 的拼写和本机的 DNS（/etc/resolv.conf；容器有自己的一份）"),
    );
    Finding::failed("dns", message, help)
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
        let message = Bilingual::new(
            format!("{host} port {port} accepts connections"),
            format!("{host} 端口 {port} 可以连接"),
        );
        return Finding::ok(hop.check(), message);
    };
    let message = Bilingual::new(
        format!("{host} port {port} does not accept connections: {error}"),
        format!("{host} 端口 {port} 无法连接：{error}"),
    );
    let help = match (is_proxy, error.kind()) {
        (true, io::ErrorKind::ConnectionRefused) => Bilingual::new(
            format!("nothing listens there: check that the proxy runs, and the port in {key}"),
            format!("该端口没有程序监听：请检查代理是否在运行，以及 {key} 中的端口"),
        ),
        (false, io::ErrorKind::ConnectionRefused) => Bilingual::new(
            format!("nothing listens there, or a firewall refuses: check the host and port in {key}"),
            format!("该端口没有程序监听，或被防火墙拒绝：请检查 {key} 中的主机和端口"),
        ),
        (true, _) => Bilingual::new(
            format!("check {key}, and the firewall between this machine and the proxy"),
            format!("请检查 {key}，以及本机与代理之间的防火墙"),
        ),
        (false, _) => Bilingual::new(
            format!(
                "check {key}, and the firewall: it must allow connections to {host} port {port}; if a proxy is needed, set \
                 proxy_url"
            ),
            format!("请检查 {key} 和防火墙：必须允许连接 {host} 端口 {port}；如果需要代理，请设置 proxy_url"),
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
        let message = |count| looked_up(&first(false), &Ok(vec![address; count])).message.en;
        assert_eq!(message(1), "wecom.example.com → 1 address");
        assert_eq!(message(3), "wecom.example.com → 3 addresses");
        assert!(looked_up(&first(false), &Ok(Vec::new())).has_failed());
    }

    #[test]
    fn timeout_and_refused_connection_have_different_help() {
        let help = |proxy, kind| connection(&first(proxy), Err(io::Error::from(kind))).help.en;
        assert!(
            help(false, io::ErrorKind::TimedOut)
                .contains("it must allow connections to wecom.example.com port 443")
        );
        assert!(help(false, io::ErrorKind::ConnectionRefused).contains("nothing listens there"));
        assert!(help(true, io::ErrorKind::ConnectionRefused).contains("check that the proxy runs"));
    }
}
