//! The HTTP client below the calls: timeouts, root certificates, proxy and redirects.

use std::{error::Error as _, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::{roots::ExtraRoots, settings::ClientSettings};

/// Less than the usual keep-alive time of servers, so that few pooled connections are stale when they are used.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// TLS or the proxy could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client: {0}")]
pub struct SetupError(String);

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that sets timeouts, root certificates, proxy and redirects"
)]
pub(super) fn http_client(settings: &ClientSettings) -> Result<reqwest::Client, SetupError> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls_config(&settings.extra_roots)?)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(settings.connect_timeout.min(settings.call_timeout / 2))
        .timeout(settings.call_timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(concat!("wecom-relay/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy_url) = &settings.proxy_url {
        let proxy = reqwest::Proxy::all(proxy_url.expose()).map_err(|error| SetupError(describe(error)))?;
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| SetupError(describe(error)))
}

/// TLS with the bundled root certificates and `extra` ones. Neither the system's certificate store nor a process-wide
/// default provider is needed.
///
/// # Errors
/// [`SetupError`], never in practice.
pub fn tls_config(extra: &ExtraRoots) -> Result<ClientConfig, SetupError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    extra.add_to(&mut roots);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The error and its causes. The URL is left out, because it contains secrets.
pub(super) fn describe(error: reqwest::Error) -> String {
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
