//! The URL of a PostgreSQL database, as libpq reads it.
//!
//! tokio-postgres is more lenient: it knows fewer values of `sslmode`, and its default allows a session without TLS. So
//! the relay reads the URL itself, and every mistake is named with what would be right.
//!
//! A password can stand anywhere in a mistyped URL, so no text of a [`UrlProblem`] quotes more than the name of a key.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Config, LoadBalanceHosts, SslMode, TargetSessionAttrs};

use crate::{nearest::nearest, secret::Secret};

const DEFAULT_PORT: u16 = 5432;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// An unacknowledged write ends a connection after this time, so that a cut network is noticed within a lease.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(5);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_RETRIES: u32 = 3;

const EXAMPLE: &str = "write postgres://relay:PASSWORD@db1,db2/relay";
const ENCODE: &str = "in a user or password, write %40 for @, %2F for /, %3A for :, %3F for ? and %25 for %";

/// The keys after the `?` that the relay uses.
const KEYS: [&str; 10] = [
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "load_balance_hosts",
    "application_name",
    "options",
    "user",
    "password",
    "dbname",
    "host",
];
/// Keys of libpq that would change what the relay relies on.
const OWN_KEYS: [&str; 8] = [
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "keepalives_retries",
    "client_encoding",
];

/// The place of a database, and how to log in there. The whole URL is a secret; [`fmt::Display`] shows the database and its
/// hosts only.
#[derive(Clone)]
pub struct PostgresUrl {
    text: Secret,
    config: Config,
    database: String,
    hosts: Vec<HostPort>,
    transport: Transport,
    root_certificate: Option<PathBuf>,
}

/// The protection of the sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TLS with a verified certificate and name.
    Tls,
    /// Sockets of this machine, or its loopback addresses.
    Local,
    /// A network without TLS, because the URL says `sslmode=disable`.
    Plain,
}

/// A mistake in a URL, without any part of the URL that may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlProblem {
    pub message: String,
    pub help: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct HostPort {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Name(String),
    Socket(PathBuf),
}

/// The values of the URL, before they are checked together.
#[derive(Default)]
struct Parts {
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    hosts: Vec<HostPort>,
    ssl_mode: Option<String>,
    root_certificate: Option<PathBuf>,
    application_name: Option<String>,
    options: Option<String>,
    spread: bool,
}

impl PostgresUrl {
    /// Reads a URL: `postgres://USER:PASSWORD@HOST[:PORT][,HOST…]/DATABASE[?KEY=VALUE…]`.
    ///
    /// # Errors
    /// The first mistake.
    pub fn parse(url: &Secret) -> Result<Self, UrlProblem> {
        let text = url.expose().trim();
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let Some(rest) = rest else { return Err(no_scheme(text)) };
        let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, query)| (rest, query));
        let (authority, path) =
            rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
        if path.contains('@') || query.contains('@') {
            return Err(problem("an @ stands after the host", ENCODE));
        }
        let mut parts = Parts::default();
        let hosts = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => {
                parts.log_in(credentials)?;
                hosts
            }
            None => authority,
        };
        parts.add_hosts(hosts)?;
        if !path.is_empty() {
            parts.database = Some(decoded(path, "the name of the database")?);
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(problem("a key after the ? has no value", "write key=value, joined by &"));
            };
            parts.set(key, value)?;
        }
        parts.finish(url)
    }

    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The file of `sslrootcert`.
    pub fn root_certificate(&self) -> Option<&Path> {
        self.root_certificate.as_deref()
    }

    /// The whole URL.
    pub fn secret(&self) -> &Secret {
        &self.text
    }

    /// True if the URLs differ at most in the password.
    pub fn is_same_but_for_password(&self, other: &Self) -> bool {
        let without_password = |url: &Self| {
            let mut config = url.config.clone();
            config.password("");
            config
        };
        without_password(self) == without_password(other) && self.root_certificate == other.root_certificate
    }

    /// `text` without the URL and its password.
    pub fn hide_in(&self, text: &str) -> String {
        let text = self.text.hide_in(text);
        match self.config.get_password().map(String::from_utf8_lossy) {
            Some(password) => Secret::new(password).hide_in(&text),
            None => text,
        }
    }

    /// The settings of a session.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "database {} on ", self.database)?;
        for (i, host) in self.hosts.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(f, "{comma}{host}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

impl PartialEq for PostgresUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text.expose() == other.text.expose()
    }
}

impl Eq for PostgresUrl {}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) if name.contains(':') => write!(f, "[{name}]")?,
            Host::Name(name) => f.write_str(name)?,
            Host::Socket(path) => write!(f, "{}", path.display())?,
        }
        if self.port != DEFAULT_PORT {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

impl Host {
    fn is_loopback(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Name(name) => {
                name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

impl Parts {
    fn log_in(&mut self, credentials: &str) -> Result<(), UrlProblem> {
        let (user, password) = credentials
            .split_once(':')
            .map_or((credentials, None), |(user, password)| (user, Some(password)));
        if !user.is_empty() {
            self.user = Some(decoded(user, "the user")?);
        }
        self.password = password.map(|password| decoded(password, "the password")).transpose()?;
        Ok(())
    }

    /// Hosts with ports, joined by commas.
    fn add_hosts(&mut self, hosts: &str) -> Result<(), UrlProblem> {
        for host in hosts.split(',').filter(|_| !hosts.is_empty()) {
            self.hosts.push(host_and_port(host)?);
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), UrlProblem> {
        if key == "host" {
            return self.add_hosts(value);
        }
        let value = decoded(value, key)?;
        match key {
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "dbname" => self.database = Some(value),
            "sslmode" => self.ssl_mode = Some(value),
            // The built-in CAs are those of the system.
            "sslrootcert" if value == "system" => {}
            "sslrootcert" => self.root_certificate = Some(PathBuf::from(value)),
            "application_name" => self.application_name = Some(value),
            "options" => self.options = Some(value),
            "target_session_attrs" if matches!(value.as_str(), "read-write" | "primary") => {}
            "target_session_attrs" => {
                return Err(problem(
                    "target_session_attrs allows a server that cannot be written to",
                    "write target_session_attrs=read-write, which is also the default",
                ));
            }
            "load_balance_hosts" => {
                self.spread = match value.as_str() {
                    "disable" => false,
                    "random" => true,
                    _ => {
                        return Err(problem(
                            "load_balance_hosts has an unknown value",
                            "write disable or random",
                        ));
                    }
                }
            }
            _ => return Err(unknown_key(key)),
        }
        Ok(())
    }

    fn finish(self, url: &Secret) -> Result<PostgresUrl, UrlProblem> {
        let user = self.user.filter(|user| !user.is_empty());
        let user = user.ok_or_else(|| problem("the URL names no user", EXAMPLE))?;
        if self.hosts.is_empty() {
            return Err(problem("the URL names no host", &format!("{EXAMPLE}, or ?host=/run/postgresql")));
        }
        let database = self.database.filter(|name| !name.is_empty()).unwrap_or_else(|| user.clone());
        let transport = transport(&self.hosts, self.ssl_mode.as_deref())?;
        let mut config = Config::new();
        for HostPort { host, port } in &self.hosts {
            match host {
                Host::Name(name) => config.host(name),
                Host::Socket(path) => config.host_path(path),
            };
            config.port(*port);
        }
        config.user(&user).dbname(&database);
        if let Some(password) = &self.password {
            config.password(password);
        }
        if let Some(options) = &self.options {
            config.options(options);
        }
        if self.spread {
            config.load_balance_hosts(LoadBalanceHosts::Random);
        }
        config
            .application_name(self.application_name.as_deref().unwrap_or("wecom-relay"))
            .ssl_mode(if transport == Transport::Tls { SslMode::Require } else { SslMode::Disable })
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(TCP_USER_TIMEOUT)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES);
        let Self { hosts, root_certificate, .. } = self;
        Ok(PostgresUrl { text: url.clone(), config, database, hosts, transport, root_certificate })
    }
}

fn transport(hosts: &[HostPort], ssl_mode: Option<&str>) -> Result<Transport, UrlProblem> {
    let sockets = hosts.iter().filter(|host| matches!(host.host, Host::Socket(_))).count();
    let is_local = hosts.iter().all(|host| host.host.is_loopback());
    match ssl_mode {
        None if is_local => Ok(Transport::Local),
        Some("disable") if is_local => Ok(Transport::Local),
        Some("disable") => Ok(Transport::Plain),
        None | Some("require" | "verify-ca" | "verify-full") if sockets == hosts.len() => {
            Ok(Transport::Local)
        }
        None | Some("require" | "verify-ca" | "verify-full") if sockets == 0 => Ok(Transport::Tls),
        None | Some("require" | "verify-ca" | "verify-full") => Err(problem(
            "the URL names sockets and other hosts",
            "name either a socket, or hosts of a network",
        )),
        Some("prefer" | "allow") => Err(problem(
            "sslmode prefer and allow use a session without TLS when the server, or an attacker, refuses TLS",
            "write sslmode=verify-full, which is also the default, or sslmode=disable for a network that you trust",
        )),
        Some(_) => Err(problem(
            "sslmode has an unknown value",
            "write verify-full, which is also the default, or disable",
        )),
    }
}

fn host_and_port(text: &str) -> Result<HostPort, UrlProblem> {
    let wrong = || problem("a host or port is not valid", ENCODE);
    let bracketed = text.strip_prefix('[').map(|rest| rest.split_once(']').ok_or_else(wrong)).transpose()?;
    let (host, port) = match bracketed {
        Some((address, "")) => (address, None),
        Some((address, port)) => (address, Some(port.strip_prefix(':').ok_or_else(wrong)?)),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        None | Some("") => DEFAULT_PORT,
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?,
    };
    let host = decoded(host, "the host")?;
    if host.starts_with('/') {
        return Ok(HostPort { host: Host::Socket(PathBuf::from(host)), port });
    }
    let is_name =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let is_valid = if bracketed.is_some() { host.parse::<Ipv6Addr>().is_ok() } else { is_name };
    is_valid.then_some(HostPort { host: Host::Name(host), port }).ok_or_else(wrong)
}

fn decoded(text: &str, place: &str) -> Result<String, UrlProblem> {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    let stray = (0..bytes.len())
        .any(|i| bytes.get(i) == Some(&b'%') && !(is_digit(bytes.get(i + 1)) && is_digit(bytes.get(i + 2))));
    let decoded = percent_decode_str(text).decode_utf8().ok().filter(|text| !stray && !text.contains('\0'));
    decoded
        .map(|text| text.into_owned())
        .ok_or_else(|| problem(&format!("{place} is not percent-encoded UTF-8"), "write %25 for each %"))
}

fn no_scheme(text: &str) -> UrlProblem {
    let message = match text {
        "" => "the URL is empty",
        _ if text.contains("host=") => "this is a list of keys and values, and not a URL",
        _ => "the URL does not start with postgres://",
    };
    problem(message, EXAMPLE)
}

fn unknown_key(key: &str) -> UrlProblem {
    if OWN_KEYS.contains(&key) {
        return problem(&format!("the key {key} is not accepted"), "remove it: the relay sets it itself");
    }
    match key {
        "sslcert" | "sslkey" | "sslpassword" => {
            problem("client certificates are not supported", "use a user and a password")
        }
        "service" | "passfile" => problem(
            "the URL refers to a file of libpq, which the relay does not read",
            "write user, password, host and database into the URL, and the URL into url_file",
        ),
        "hostaddr" | "port" => {
            problem(&format!("the key {key} is not accepted"), "write host:port before the /")
        }
        _ => match nearest(key, KEYS) {
            Some(near) => problem("a key after the ? is unknown", &format!("did you mean {near}?")),
            None => {
                problem("a key after the ? is unknown", &format!("the known keys are {}", KEYS.join(", ")))
            }
        },
    }
}

fn problem(message: &str, help: &str) -> UrlProblem {
    UrlProblem { message: message.to_owned(), help: help.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<PostgresUrl, UrlProblem> {
        PostgresUrl::parse(&Secret::new(url))
    }

    fn refused(url: &str) -> String {
        let UrlProblem { message, help } = parse(url).unwrap_err();
        format!("{message}: {help}")
    }

    #[test]
    fn a_url_shows_its_database_and_hosts_only() {
        for (url, shown) in [
            ("postgres://relay:s3cr3t@db1/alerts", "database alerts on db1"),
            (
                "postgresql://relay:s3cr3t@db1:5433,[fd00::1],db2:5432/",
                "database relay on db1:5433,[fd00::1],db2",
            ),
            ("postgres://relay@%2Frun%2Fpostgresql/relay", "database relay on /run/postgresql"),
            ("postgres:///relay?host=/tmp/s&user=relay&password=s3cr3t", "database relay on /tmp/s"),
            ("postgres://s3%40cr3t:s3c@r3t#@db1", "database s3@cr3t on db1"),
        ] {
            assert_eq!(parse(url).unwrap().to_string(), shown, "{url}");
        }
        let url = parse("postgres://relay:p%2Fw@db1").unwrap();
        assert_eq!(format!("{url:?}"), "PostgresUrl(database relay on db1)");
        assert_eq!(url.config().get_password(), Some(b"p/w".as_slice()));
        assert_eq!(
            url.hide_in("p/w is wrong in postgres://relay:p%2Fw@db1"),
            "[secret] is wrong in [secret]"
        );
    }

    #[test]
    fn another_password_makes_no_other_database() {
        let is_same = |one: &str, other: &str| {
            parse(&format!("postgres://{one}"))
                .unwrap()
                .is_same_but_for_password(&parse(&format!("postgres://{other}")).unwrap())
        };
        assert!(is_same("relay:one@db1/alerts", "relay:two@db1/alerts"));
        assert!(is_same("relay@db1/alerts", "relay@db1/alerts?password=two"));
        for other in [
            "other:one@db1/alerts",
            "relay:one@db2/alerts",
            "relay:one@db1:5433/alerts",
            "relay:one@db1,db2/alerts",
            "relay:one@db1/other",
            "relay:one@db1/alerts?sslmode=disable",
            "relay:one@db1/alerts?sslrootcert=/etc/ca.crt",
        ] {
            assert!(!is_same("relay:one@db1/alerts", other), "{other}");
        }
    }

    #[test]
    fn tls_is_the_default_outside_of_the_machine() {
        let transport = |url: &str| parse(url).unwrap().transport();
        for mode in ["", "?sslmode=require", "?sslmode=verify-ca", "?sslmode=verify-full"] {
            assert_eq!(transport(&format!("postgres://relay@db1{mode}")), Transport::Tls);
        }
        assert_eq!(transport("postgres://relay@127.0.0.1?sslmode=require"), Transport::Tls);
        assert_eq!(transport("postgres://relay@127.0.0.1,[::1],localhost"), Transport::Local);
        assert_eq!(transport("postgres://relay@%2Frun?sslmode=verify-full"), Transport::Local);
        assert_eq!(transport("postgres://relay@localhost,db1"), Transport::Tls);
        assert_eq!(transport("postgres://relay@db1?sslmode=disable"), Transport::Plain);
    }

    #[test]
    fn every_session_may_write_and_ends_when_the_network_is_cut() {
        let url = parse("postgres://relay@db1,db2:5433?target_session_attrs=primary").unwrap();
        let config = url.config();
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(config.get_ports(), [5432, 5433]);
        assert_eq!(config.get_tcp_user_timeout(), Some(&TCP_USER_TIMEOUT));
        assert_eq!(config.get_application_name(), Some("wecom-relay"));
    }

    #[test]
    fn a_mistake_is_named_with_what_would_be_right() {
        insta::assert_snapshot!(refused(""), @"the URL is empty: write postgres://relay:PASSWORD@db1,db2/relay");
        insta::assert_snapshot!(refused("host=db1 user=relay"), @"this is a list of keys and values, and not a URL: write postgres://relay:PASSWORD@db1,db2/relay");
        insta::assert_snapshot!(refused("mysql://relay@db1"), @"the URL does not start with postgres://: write postgres://relay:PASSWORD@db1,db2/relay");
        insta::assert_snapshot!(refused("postgres://db1/relay"), @"the URL names no user: write postgres://relay:PASSWORD@db1,db2/relay");
        insta::assert_snapshot!(refused("postgres://relay@/relay"), @"the URL names no host: write postgres://relay:PASSWORD@db1,db2/relay, or ?host=/run/postgresql");
        insta::assert_snapshot!(refused("postgres://relay@db1?sslmode=prefer"), @"sslmode prefer and allow use a session without TLS when the server, or an attacker, refuses TLS: write sslmode=verify-full, which is also the default, or sslmode=disable for a network that you trust");
        insta::assert_snapshot!(refused("postgres://relay@db1?sslmode=full"), @"sslmode has an unknown value: write verify-full, which is also the default, or disable");
        insta::assert_snapshot!(refused("postgres://relay@db1?target_session_attrs=any"), @"target_session_attrs allows a server that cannot be written to: write target_session_attrs=read-write, which is also the default");
        insta::assert_snapshot!(refused("postgres://relay@db1?ssl_mode=require"), @"a key after the ? is unknown: did you mean sslmode?");
        insta::assert_snapshot!(refused("postgres://relay@db1?connect_timeout=30"), @"the key connect_timeout is not accepted: remove it: the relay sets it itself");
        insta::assert_snapshot!(refused("postgres://relay@db1?sslcert=/a.crt"), @"client certificates are not supported: use a user and a password");
        insta::assert_snapshot!(refused("postgres://relay@db1?sslmode"), @"a key after the ? has no value: write key=value, joined by &");
        insta::assert_snapshot!(refused("postgres://relay:100%@db1"), @"the password is not percent-encoded UTF-8: write %25 for each %");
        insta::assert_snapshot!(refused("postgres://relay@db1,/run"), @"a host or port is not valid: in a user or password, write %40 for @, %2F for /, %3A for :, %3F for ? and %25 for %");
    }

    #[test]
    fn a_misplaced_password_is_never_quoted() {
        for url in [
            "postgres://relay:s3/cr3t@db1/relay",
            "postgres://relay:12/s3cr3t@db1/relay",
            "postgres://relay:s3?cr3t=1@db1",
            "postgres://relay:s3cr3t/relay",
            "postgres://relay@db1:s3cr3t",
            "postgres://relay@db1?s3cr3t=1",
            "postgres://relay@s3:cr3t:db1",
            "s3cr3t",
        ] {
            let text = refused(url);
            assert!(!text.contains("s3") && !text.contains("cr3t"), "{url}: {text}");
        }
    }
}
