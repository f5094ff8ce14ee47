//! The rule of openness: who may see the console, as a pure function.

use axum::{
    extract::Request,
    http::{HeaderName, Version, header},
};

use super::settings::ConsoleConfig;
use crate::pages::{hosts, is_local_host};

/// The access to the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// A reader needs a password.
    Login,
    /// Everybody on this machine is an operator.
    Open,
}

/// The reason why nobody may see the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Closed {
    /// Other machines can reach it.
    InNetwork,
    /// A page of a foreign site may have this name on this machine.
    ForeignHost(String),
    /// A proxy may open it to other machines. It sent this header.
    Proxied(HeaderName),
    /// A proxy may open it to other machines. Browsers do not speak HTTP/1.0, but nginx does by default, without any of the
    /// headers [`OF_PROXIES`].
    Http10,
}

/// Headers that proxies add. A proxy that adds none and speaks HTTP/1.1 looks like a browser on this machine.
const OF_PROXIES: [HeaderName; 6] = [
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
    header::VIA,
];

pub(super) fn access(
    config: &ConsoleConfig,
    is_on_loopback: bool,
    request: &Request,
) -> Result<Access, Closed> {
    if !config.passwords.is_empty() {
        return Ok(Access::Login);
    }
    if !is_on_loopback || config.external_url.is_some() {
        return Err(Closed::InNetwork);
    }
    let headers = request.headers();
    if let Some(name) = OF_PROXIES.into_iter().find(|name| headers.contains_key(name)) {
        return Err(Closed::Proxied(name));
    }
    if request.version() < Version::HTTP_11 {
        return Err(Closed::Http10);
    }
    match hosts(request.uri(), headers).find(|host| !is_local_host(host)) {
        Some(host) => Err(Closed::ForeignHost(host.to_owned())),
        None => Ok(Access::Open),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;

    use super::*;
    use crate::{
        console::{Passwords, Role, settings::ExternalUrl},
        secret::Secret,
    };

    fn config() -> ConsoleConfig {
        ConsoleConfig {
            keep_payloads: 0,
            enabled: true,
            external_url: None,
            passwords: Passwords::default(),
            session: Duration::from_secs(60),
        }
    }

    fn of(
        config: &ConsoleConfig,
        is_on_loopback: bool,
        headers: &[(&'static str, &'static str)],
    ) -> Result<Access, Closed> {
        access(config, is_on_loopback, &request(Version::HTTP_11, headers))
    }

    fn request(version: Version, headers: &[(&'static str, &'static str)]) -> Request {
        let begun = Request::get("/").version(version);
        let with_headers = headers.iter().fold(begun, |request, (name, value)| request.header(*name, *value));
        with_headers.body(Body::empty()).unwrap()
    }

    #[test]
    fn a_password_leads_to_the_login_everywhere() {
        let mut config = config();
        config.passwords.add(&Secret::new("a long password"), Role::Operator);
        for is_on_loopback in [true, false] {
            let headers = [("host", "evil.example"), ("x-forwarded-for", "192.0.2.1")];
            assert_eq!(of(&config, is_on_loopback, &headers), Ok(Access::Login));
        }
    }

    #[test]
    fn without_a_password_only_this_machine_may_read() {
        let local = [("host", "127.0.0.1:8061")];
        assert_eq!(of(&config(), true, &local), Ok(Access::Open));
        assert_eq!(of(&config(), false, &local), Err(Closed::InNetwork));
        let behind_proxy =
            ConsoleConfig { external_url: ExternalUrl::parse("https://ops.example.com"), ..config() };
        assert_eq!(of(&behind_proxy, true, &local), Err(Closed::InNetwork));
        for header in ["x-forwarded-for", "x-real-ip", "via", "forwarded"] {
            let closed = of(&config(), true, &[local[0], (header, "x")]);
            assert_eq!(closed, Err(Closed::Proxied(HeaderName::from_static(header))));
        }
        // A search domain can give a name without a dot to another machine.
        for host in ["evil.example", "relay", "192.0.2.7"] {
            let foreign = of(&config(), true, &[("host", host)]);
            assert_eq!(foreign, Err(Closed::ForeignHost(host.to_owned())));
        }
    }

    #[test]
    fn the_http_of_a_proxy_needs_a_password() {
        let mut config = config();
        for version in [Version::HTTP_09, Version::HTTP_10] {
            let request = request(version, &[("host", "127.0.0.1:8061")]);
            assert_eq!(access(&config, true, &request), Err(Closed::Http10));
        }
        config.passwords.add(&Secret::new("a long password"), Role::Operator);
        assert_eq!(access(&config, true, &request(Version::HTTP_10, &[])), Ok(Access::Login));
    }
}
