//! The HTTP client below all outgoing calls: timeouts, root certificates, proxy and redirects.

use std::{error::Error, io, time::Duration};

use crate::tls::{ExtraRoots, client_config};

/// Less than the usual keep-alive time of servers, so that few pooled connections are stale when they are used.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// TLS or the proxy could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client: {0}")]
pub struct SetupError(String);

/// The settings of a client.
#[derive(Debug, Clone, Copy)]
pub struct HttpClientSettings<'s> {
    /// Trusted beside the built-in certificates.
    pub extra_roots: &'s ExtraRoots,
    /// `None` connects directly, even if the environment names a proxy.
    pub proxy_url: Option<&'s str>,
    /// At most half of `call_timeout` is used, so that time is left for a reply.
    pub connect_timeout: Duration,
    pub call_timeout: Duration,
}

/// A client that follows no redirect, because a POST would become a GET, and that repeats nothing.
///
/// # Errors
/// [`SetupError`]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that sets timeouts, root certificates, proxy and redirects"
)]
pub fn http_client(settings: HttpClientSettings<'_>) -> Result<reqwest::Client, SetupError> {
    let tls = client_config(settings.extra_roots).map_err(|error| SetupError(error.to_string()))?;
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(settings.connect_timeout.min(settings.call_timeout / 2))
        .timeout(settings.call_timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(concat!("wecom-relay/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy_url) = settings.proxy_url {
        let proxy = reqwest::Proxy::all(proxy_url).map_err(|error| SetupError(describe(error)))?;
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| SetupError(describe(error)))
}

/// The error and its causes. The URL is left out, because it may contain secrets.
pub fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The error itself, then the errors below it.
pub fn causes_of<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}

/// The failure of TLS below an error.
pub fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    causes_of(error).find_map(|cause| {
        // `io::Error::source` skips the error that an `io::Error` wraps, so the wrapped error is searched as well.
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause.downcast_ref().or_else(|| wrapped.and_then(|wrapped| tls_error(wrapped)))
    })
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;

    #[test]
    fn a_tls_error_is_found_within_an_io_error() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::Expired);
        let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls.clone()));
        assert_eq!(tls_error(&error), Some(&tls));
        assert_eq!(tls_error(&io::Error::other("refused")), None);
    }
}
