//! `server`: the address for webhooks, credentials, TLS and memory.

use std::net::SocketAddr;

use super::{
    certificates::{LONGEST_PEM_BYTES, pem},
    console,
    context::LoadContext,
    credentials,
    secrets::private_file,
};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed},
        model::Server,
        raw::{self, Field},
        size,
    },
    console::ExternalUrl,
    http::{DEFAULT_MAX_MEMORY, MIN_MAX_MEMORY, ServerSecurity, TlsConfig, TlsError},
    secret::Secret,
};

/// No webhook needs more. A larger value is a mistyped unit.
const MAX_MEMORY: usize = 64 << 30;

pub(super) fn read(
    field: &Field<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Server, ErrorGuaranteed> {
    let raw = raw::Server::read(field, diagnostics)?;
    let help = "write an IP address and a port, such as 0.0.0.0:8061 or [::1]:8061";
    let listen = raw.listen.parsed(|text| text.parse().ok(), "an address to listen on", help, diagnostics);
    let callback_listen = callback_listen(&raw.callback_listen, diagnostics);
    let callback_external_url = callback_external_url(&raw.callback_external_url, diagnostics);
    let credentials = credentials::read(&raw.auth, context, diagnostics);
    let tls = tls(&raw.tls, context, diagnostics);
    let max_memory_bytes = max_memory_bytes(&raw.max_memory, diagnostics);
    let console = console::read(&raw.console, credentials.as_ref().ok(), context, diagnostics);
    let listen: SocketAddr = listen?.unwrap_or_else(|| ([0, 0, 0, 0], 8061).into());
    let security = ServerSecurity { access: credentials?.access(), tls: tls? };
    if security.is_open() && !listen.ip().to_canonical().is_loopback() {
        let message = format!("anyone who can reach {listen} can send messages through the apps");
        let help = format!("set server.auth, or listen on 127.0.0.1:{} only", listen.port());
        diagnostics.warn(&raw.listen.location, message, help);
    }
    let callback_listen = callback_listen?;
    if callback_listen == Some(listen) && listen.port() != 0 {
        let message = format!("server.listen is {listen} too");
        let help = "choose another port, or remove the key to serve the callback on server.listen";
        return Err(diagnostics.error(&raw.callback_listen.location, message, help));
    }
    Ok(Server {
        listen,
        callback_listen,
        callback_external_url: callback_external_url?,
        security,
        max_memory_bytes: max_memory_bytes?,
        console: console?,
    })
}

fn callback_listen(
    field: &Field<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<SocketAddr>, ErrorGuaranteed> {
    let help = "write an IP address and a port, such as 0.0.0.0:8063 or 127.0.0.1:8063";
    field.parsed(|text| text.parse().ok(), "an address to listen on", help, diagnostics)
}

fn callback_external_url(
    field: &Field<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<ExternalUrl>, ErrorGuaranteed> {
    let help = "write the beginning of the URL in WeCom's console, such as https://callback.example.com";
    let url = field.parsed(ExternalUrl::parse, "an http or https URL", help, diagnostics)?;
    if let Some(ExternalUrl { origin, prefix }) = &url
        && let Some(before) = before_callback(prefix)
    {
        let message = "this is the whole URL, and /callback/NAME would be added to it";
        let help = format!("write only its beginning: {origin}{before}");
        return Err(diagnostics.error(&field.location, message, help));
    }
    Ok(url)
}

/// The part of a path before `/callback` or `/callback/NAME` at its end.
fn before_callback(path: &str) -> Option<&str> {
    let (before, name) = path.rsplit_once("/callback")?;
    let is_name = name.strip_prefix('/').is_some_and(|name| !name.contains('/'));
    (name.is_empty() || is_name).then_some(before)
}

fn max_memory_bytes(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<usize, ErrorGuaranteed> {
    let size = field.parsed(size::parse, "a size", "write it as 384MiB or 1GiB", diagnostics)?;
    let size = size.map_or(DEFAULT_MAX_MEMORY, |size| usize::try_from(size).unwrap_or(usize::MAX));
    if size < MIN_MAX_MEMORY {
        let help = format!(
            "write at least {}MiB; a body may have 32 MiB, and its values need more",
            MIN_MAX_MEMORY >> 20
        );
        return Err(diagnostics.error(&field.location, "this is too small", help));
    }
    if size > MAX_MEMORY {
        let help = format!("write at most {}GiB", MAX_MEMORY >> 30);
        return Err(diagnostics.error(&field.location, "this is too large", help));
    }
    Ok(size)
}

fn tls(
    field: &Field<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<TlsConfig>, ErrorGuaranteed> {
    if !field.is_written() {
        return Ok(None);
    }
    let raw = raw::Tls::read(field, diagnostics)?;
    let help = "name a PEM file with the certificate of the relay, followed by the intermediate certificates";
    let certificates = pem(&raw.cert_file, help, context, diagnostics);
    let help = "name a PEM file with the private key of the certificate";
    let key = private_file(&raw.key_file, help, LONGEST_PEM_BYTES, context, diagnostics);
    let client_ca = match raw.client_ca_file.is_written() {
        true => {
            let help =
                "name a PEM file with the CA that signed the certificates of clients, or remove the key";
            pem(&raw.client_ca_file, help, context, diagnostics).map(Some)
        }
        false => Ok(None),
    };
    let (certificates, key, client_ca) = (certificates?, Secret::new(key?), client_ca?);
    let tls = TlsConfig::new(certificates.as_bytes(), &key, client_ca.as_deref().map(str::as_bytes));
    tls.map(Some).map_err(|error| {
        let (location, help) = match &error {
            TlsError::Certificate(_) => (
                &raw.cert_file.location,
                "it must start with -----BEGIN CERTIFICATE-----, and the certificate of the relay comes first",
            ),
            TlsError::Key(_) => (
                &raw.key_file.location,
                "name the private key of the certificate, in PEM and without a passphrase",
            ),
            TlsError::ClientCa(_) => (
                &raw.client_ca_file.location,
                "it must contain the CA that signed the certificates of clients, in PEM",
            ),
        };
        diagnostics.error(location, format!("this file cannot be used: {error}"), help)
    })
}
