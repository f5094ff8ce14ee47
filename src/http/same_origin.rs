//! The middleware that refuses requests that a browser sends for a page of another site.
//!
//! A page of any site can let the browser of an operator send requests to the relay, with the credentials or the
//! certificate that the browser has for it. Such a request changes nothing here, because it is answered with 403.
//! Alertmanager, Grafana, Prometheus and curl send neither `Origin` nor `Sec-Fetch-Site`.
//!
//! With DNS rebinding, the name of a foreign site resolves to this machine, so that the browser takes the relay for a
//! part of that site. A relay that everybody may use on this machine therefore also checks `Host`.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderName, Method,
        header::{CONNECTION, HOST, HeaderValue, ORIGIN},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::field::display;

use super::{answer::Rejection, log_throttle::RequestLog, refusals::peer, state::ServerState};
use crate::{
    pages::{SEC_FETCH_SITE, hosts, names_foreign_host},
    telemetry::clip,
};

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
    } else if checks_host && names_foreign_host(request.uri(), request.headers()) {
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
    let peer = peer(request.extensions()).map(|peer| display(peer.ip()));
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
}
