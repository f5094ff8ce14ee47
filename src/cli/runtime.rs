//! The async runtime and the HTTP clients of commands.

use crate::tls::{ExtraRoots, client_config};

pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// A client for calls to a relay. It has its own root certificates, because a container may have none.
#[expect(clippy::disallowed_methods, reason = "this client calls a relay, and not WeCom")]
pub(super) fn http_client() -> Result<reqwest::ClientBuilder, rustls::Error> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(client_config(&ExtraRoots::default())?)
        .no_proxy())
}

/// A client that accepts every certificate.
#[expect(clippy::disallowed_methods, reason = "this client calls a relay, and not WeCom")]
pub(super) fn unverified_client() -> reqwest::ClientBuilder {
    // An error means that a provider is installed already.
    _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy()
}
