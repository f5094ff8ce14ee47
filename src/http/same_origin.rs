//! The middleware that refuses requests that a browser sends for a page of another site.
//!
//! A page of any site can let the browser of an operator send requests to the relay, with the credentials or the
//! certificate that the browser has for it. Such a request changes nothing here, because it is answered with 403.
//! Alertmanager, Grafana, Prometheus and curl send neither `Origin` nor `Sec-Fetch-Site`.
//!
//! With DNS rebinding, the name of a foreign site resolves to this machine, so that the browser takes the relay for a
//! part of that site. A relay that everybody may use on this machine therefore also checks `Host`.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, Method, Uri,
        header::{CONNECTION, HOST, HeaderValue, ORIGIN},
        uri::Authority,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::field::display;

use super::{answer::Rejection, connection::Peer, log_throttle::RequestLog, state::ServerState};
use crate::telemetry::clip;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Passes a request on, or answers 403 before its body is read and closes the connection.
pub(super) async fn refuse_foreign<O: Send + Sync + 'static>(
    State(state): State<Arc<ServerState<O>>>,
    request: Request,
    next: Next,
) -> Response {
    // A reload can make the relay open.
    let checks_host = state.is_on_loopback && state.security.current().is_open();
    let rejection = if is_cross_origin(&request) {
        Rejection::CrossOrigin
    } else if checks_host && names_foreign_host(&request) {
        Rejection::ForeignHost
    } else {
        return next.run(request).await;
    };
    state.metrics.forbidden();
    if let Some(suppressed) = state.log_throttles.allow(RequestLog::Forbidden, "") {
        log_forbidden(&request, &rejection, suppressed);
    }
    let mut response = rejection.into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn log_forbidden(request: &Request, rejection: &Rejection, suppressed: u64) {
    let peer = request.extensions().get::<Peer>().map(|Peer(address)| display(address.ip()));
    let text = |name: HeaderName| {
        let value = request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        value.map(|value| clip(&value).to_owned())
    };
    let (host, origin, answer) = (text(HOST), text(ORIGIN), rejection.to_string());
    tracing::error!(peer, host, origin, answer, suppressed, "request rejected, the sender will not retry");
}

/// True if a browser sends a request that may change something for a page of another origin.
///
/// A page on another port of this machine is of the same site, but of another origin.
fn is_cross_origin(request: &Request) -> bool {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let headers = request.headers();
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        // `none` is an action of the user, such as a bookmark. A page cannot set this header.
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    // Older browsers send only `Origin`.
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let hosts: Vec<&str> = hosts(request.uri(), headers).collect();
    let is_own = |(_, authority): (&str, &str)| hosts.iter().all(|host| host.eq_ignore_ascii_case(authority));
    hosts.is_empty() || !origin.is_some_and(is_own)
}

/// True if the request names a host that anybody can let resolve to this machine. These are all names of the DNS, but
/// not addresses, `localhost`, and names without a dot, which come from /etc/hosts.
fn names_foreign_host(request: &Request) -> bool {
    hosts(request.uri(), request.headers()).any(|host| !is_local(host))
}

/// The hosts that the request names. A host that is not text is empty.
fn hosts<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> impl Iterator<Item = &'r str> {
    let in_headers = headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
    uri.authority().map(Authority::as_str).into_iter().chain(in_headers)
}

fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let is_from_dns = name.contains('.') && !name.ends_with(".localhost");
    !is_from_dns || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().method(method).uri("/webhook");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(axum::body::Body::empty()).unwrap()
    }

    #[test]
    fn only_requests_for_pages_of_another_origin_are_refused() {
        let refused = |headers: &[(&str, &str)]| {
            let headers = [&[("host", "127.0.0.1:8061")], headers].concat();
            is_cross_origin(&request(Method::POST, &headers))
        };
        for allowed in [
            &[][..],
            &[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8061")],
            &[("sec-fetch-site", "none")],
            &[("origin", "http://127.0.0.1:8061")],
            // A proxy has changed the host.
            &[("sec-fetch-site", "same-origin"), ("origin", "https://relay.example.com")],
        ] {
            assert!(!refused(allowed), "{allowed:?}");
        }
        for foreign in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:3000")],
            &[("sec-fetch-site", "")],
            &[("origin", "http://evil.example")],
            &[("origin", "http://127.0.0.1:3000")],
            &[("origin", "http://127.0.0.1:8061.evil.example")],
            &[("origin", "null")],
            &[("origin", "")],
        ] {
            assert!(refused(foreign), "{foreign:?}");
        }
    }

    #[test]
    fn requests_that_only_read_are_not_checked_for_their_origin() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert!(!is_cross_origin(&request(method, &[("sec-fetch-site", "cross-site")])));
        }
    }

    #[test]
    fn addresses_and_localhost_are_no_foreign_hosts() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:8061",
            "[::1]:8061",
            "localhost:8061",
            "LOCALHOST.",
            "a.localhost",
            "relay:8061",
        ] {
            assert!(!names_foreign_host(&request(Method::GET, &[("host", host)])), "{host}");
        }
        for host in ["evil.example:8061", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::1"] {
            assert!(names_foreign_host(&request(Method::GET, &[("host", host)])), "{host}");
        }
        assert!(!names_foreign_host(&request(Method::GET, &[])));
        assert!(names_foreign_host(&request(
            Method::GET,
            &[("host", "localhost"), ("host", "evil.example")]
        )));
    }
}
