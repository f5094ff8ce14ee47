//! The HTTP client below the calls: timeouts, root certificates, proxy and redirects.

use std::{error::Error as _, time::Duration};

use super::settings::Connection;
use crate::tls::client_config;

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
pub(super) fn http_client(connection: &Connection) -> Result<reqwest::Client, SetupError> {
    let tls = client_config(&connection.extra_roots).map_err(|error| SetupError(error.to_string()))?;
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(connection.connect_timeout.min(connection.call_timeout / 2))
        .timeout(connection.call_timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(concat!("wecom-relay/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy_url) = &connection.proxy_url {
        let proxy = reqwest::Proxy::all(proxy_url.expose()).map_err(|error| SetupError(describe(error)))?;
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| SetupError(describe(error)))
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
