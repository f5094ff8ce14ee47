//! Checks that a request comes from a page of this site: CSRF and DNS rebinding.

use std::net::IpAddr;

use axum::http::{
    HeaderMap, HeaderName, Uri,
    header::{HOST, ORIGIN},
    uri::Authority,
};

pub const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origin that forms of this site have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnOrigin<'a> {
    /// Such as `https://ops.example.com`.
    Configured(&'a str),
    /// That of the header `Host`, by any scheme, because a proxy may end TLS.
    OfHost,
}

/// A request that did not come from a page of this site, with the values that show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreign {
    /// The browser says so.
    Site { site: String },
    /// The header `Origin` is another one, or missing.
    Origin { origin: String, expected: String },
}

impl OwnOrigin<'_> {
    /// Checks a request that changes something.
    ///
    /// # Errors
    /// It does not come from a page of this site.
    pub fn check(self, uri: &Uri, headers: &HeaderMap) -> Result<(), Foreign> {
        if let Some(site) = headers.get(SEC_FETCH_SITE)
            && site.as_bytes() != b"same-origin"
        {
            return Err(Foreign::Site { site: String::from_utf8_lossy(site.as_bytes()).into_owned() });
        }
        let origin =
            headers.get(ORIGIN).map(|origin| String::from_utf8_lossy(origin.as_bytes()).into_owned());
        let origin = origin.unwrap_or_default();
        let (is_own, expected) = match self {
            Self::Configured(expected) => (origin.eq_ignore_ascii_case(expected), expected.to_owned()),
            Self::OfHost => {
                let hosts: Vec<&str> = hosts(uri, headers).collect();
                let authority = origin.split_once("://").map(|(_, authority)| authority);
                let is_own = |host: &&str| authority.is_some_and(|own| host.eq_ignore_ascii_case(own));
                (!hosts.is_empty() && hosts.iter().all(is_own), hosts.join(", "))
            }
        };
        if is_own { Ok(()) } else { Err(Foreign::Origin { origin, expected }) }
    }
}

/// True if the request names a host that anybody can let resolve to this machine. These are all names of the DNS, but
/// not addresses, `localhost`, and names without a dot, which come from /etc/hosts.
pub fn names_foreign_host(uri: &Uri, headers: &HeaderMap) -> bool {
    hosts(uri, headers).any(|host| !is_outside_of_dns(host))
}

/// The hosts that a request names. A host that is not text is empty.
pub fn hosts<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> impl Iterator<Item = &'r str> {
    let in_headers = headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
    uri.authority().map(Authority::as_str).into_iter().chain(in_headers)
}

/// True for `localhost`, names below it, and addresses of this machine itself. A name without a dot may be that of another
/// machine, because the resolver adds search domains.
pub fn is_local_host(host: &str) -> bool {
    let Some(name) = name_of(host) else { return false };
    let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
    name == "localhost" || name.ends_with(".localhost") || address_of(&name).is_some_and(is_loopback)
}

/// True for addresses, `localhost` and names without a dot.
fn is_outside_of_dns(host: &str) -> bool {
    let Some(name) = name_of(host) else { return false };
    !name.contains('.') || name.ends_with(".localhost") || address_of(&name).is_some()
}

/// The name or the address of a host, without its port.
fn name_of(host: &str) -> Option<String> {
    let authority = host.parse::<Authority>().ok()?;
    Some(authority.host().trim_end_matches('.').to_ascii_lowercase())
}

fn address_of(name: &str) -> Option<IpAddr> {
    name.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(own: OwnOrigin<'_>, headers: &[(HeaderName, &'static str)]) -> Result<(), Foreign> {
        let all = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        own.check(&Uri::from_static("/lang"), &all.collect())
    }

    #[test]
    fn a_form_of_the_site_itself_is_accepted() {
        let own = OwnOrigin::Configured("https://ops.example.com");
        for headers in [
            &[(HOST, "relay:8061"), (ORIGIN, "http://relay:8061")][..],
            &[(HOST, "relay:8061"), (ORIGIN, "https://RELAY:8061"), (SEC_FETCH_SITE, "same-origin")],
        ] {
            assert_eq!(check(OwnOrigin::OfHost, headers), Ok(()), "{headers:?}");
        }
        assert_eq!(check(own, &[(HOST, "10.0.0.5:8061"), (ORIGIN, "https://ops.example.com")]), Ok(()));
    }

    #[test]
    fn a_form_of_another_site_is_refused() {
        for headers in [
            &[(HOST, "relay:8061")][..],
            &[(HOST, "relay:8061"), (ORIGIN, "null")],
            &[(HOST, "relay:8061"), (ORIGIN, "http://evil.example")],
            &[(HOST, "relay:8061"), (ORIGIN, "http://relay:3000")],
            &[(HOST, "relay:8061"), (ORIGIN, "http://relay:8061"), (SEC_FETCH_SITE, "cross-site")],
            &[(HOST, "relay:8061"), (ORIGIN, "http://relay:8061"), (SEC_FETCH_SITE, "none")],
            &[(ORIGIN, "http://relay:8061")],
        ] {
            assert!(check(OwnOrigin::OfHost, headers).is_err(), "{headers:?}");
        }
        let own = OwnOrigin::Configured("https://ops.example.com");
        assert!(check(own, &[(HOST, "ops.example.com"), (ORIGIN, "http://ops.example.com")]).is_err());
    }

    #[test]
    fn localhost_and_loopback_addresses_are_local_hosts() {
        let local =
            ["127.0.0.1", "127.0.0.1:8061", "[::1]:8061", "localhost:8061", "LOCALHOST.", "a.localhost"];
        assert!(local.into_iter().all(|host| is_local_host(host) && is_outside_of_dns(host)));
        // /etc/hosts may give a name without a dot, and so may a search domain.
        let of_machines = ["relay:8061", "192.0.2.7", "[2001:db8::1]:8061", "0.0.0.0"];
        assert!(of_machines.into_iter().all(|host| !is_local_host(host) && is_outside_of_dns(host)));
        let foreign = ["evil.example:8061", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::1"];
        assert!(!foreign.into_iter().any(|host| is_local_host(host) || is_outside_of_dns(host)));
    }
}
