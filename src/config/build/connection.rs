//! `api_url`, `proxy_url`, `ca_file` and `timeout` of a sender.

use std::time::Duration;

use super::{certificates, context::LoadContext, secrets::SecretSource, values::duration};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed},
        raw::{self, Field},
    },
    tls::ExtraRoots,
    wecom::{
        client::{CALL_TIMEOUT, CONNECT_TIMEOUT, Connection, LONGEST_CALL_TIMEOUT},
        endpoint::{ApiUrl, ProxyUrl},
    },
};

const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);

/// The keys of a connection.
pub(super) struct ConnectionKeys<'f, 'y> {
    api_url: &'f Field<'y>,
    proxy_url: SecretSource<'f, 'y>,
    ca_file: &'f Field<'y>,
    timeout: &'f Field<'y>,
    /// The API of a webhook URL, if there is no `api_url`.
    default_api_url: Option<ApiUrl>,
}

impl<'f, 'y> ConnectionKeys<'f, 'y> {
    pub(super) fn of_app(raw: &'f raw::App<'y>) -> Self {
        Self {
            api_url: &raw.api_url,
            proxy_url: SecretSource::of_proxy(
                [&raw.proxy_url, &raw.proxy_url_file, &raw.proxy_url_env],
                "the app",
            ),
            ca_file: &raw.ca_file,
            timeout: &raw.timeout,
            default_api_url: None,
        }
    }

    pub(super) fn of_robot(raw: &'f raw::Robot<'y>, default_api_url: Option<ApiUrl>) -> Self {
        let proxy_url = [&raw.proxy_url, &raw.proxy_url_file, &raw.proxy_url_env];
        Self {
            api_url: &raw.api_url,
            proxy_url: SecretSource::of_proxy(proxy_url, "the robot"),
            ca_file: &raw.ca_file,
            timeout: &raw.timeout,
            default_api_url,
        }
    }

    /// `environment_roots` are trusted beside the CAs of `ca_file`.
    pub(super) fn read(
        self,
        environment_roots: &ExtraRoots,
        context: &LoadContext<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Connection, ErrorGuaranteed> {
        let api_url = api_url(self.api_url, self.default_api_url, diagnostics);
        let proxy_url = proxy_url(&self.proxy_url, context, diagnostics);
        let extra_roots = certificates::ca_file(self.ca_file, context, diagnostics);
        let call_timeout = call_timeout(self.timeout, diagnostics);
        Ok(Connection {
            api_url: api_url?,
            proxy_url: proxy_url?,
            extra_roots: extra_roots?.with(environment_roots),
            connect_timeout: CONNECT_TIMEOUT,
            call_timeout: call_timeout?,
        })
    }
}

/// The time limit of a call of WeCom or Alertmanager.
pub(super) fn call_timeout(
    field: &Field<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Duration, ErrorGuaranteed> {
    let given = duration(field, Duration::ZERO, CALL_TIMEOUT, diagnostics)?;
    if !(SHORTEST_TIMEOUT..=LONGEST_CALL_TIMEOUT).contains(&given) {
        let message = "a call needs a time limit between 1s and 30s";
        return Err(diagnostics.error(&field.location, message, "write a duration such as 10s"));
    }
    Ok(given)
}

fn api_url(
    field: &Field<'_>,
    default: Option<ApiUrl>,
    diagnostics: &mut Diagnostics,
) -> Result<ApiUrl, ErrorGuaranteed> {
    let url = match (field.text(diagnostics)?, default) {
        (None, Some(default)) => default,
        (written, _) => ApiUrl::parse(written.unwrap_or("https://qyapi.weixin.qq.com/cgi-bin/"))
            .map_err(|error| diagnostics.error(&field.location, error.to_string(), ""))?,
    };
    let local = ["http://127.", "http://[::1]", "http://localhost"];
    if url.as_str().starts_with("http:") && !local.iter().any(|local| url.as_str().starts_with(local)) {
        diagnostics.warn(&field.location, "the secret goes over the network unencrypted", "use https");
    }
    Ok(url)
}

/// `proxy_url` is read as a secret, because it may contain a password.
fn proxy_url(
    source: &SecretSource<'_, '_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<ProxyUrl>, ErrorGuaranteed> {
    let Some(written) = source.read(context, diagnostics)? else { return Ok(None) };
    let parsed = ProxyUrl::parse(&written).map(Some);
    parsed.map_err(|error| diagnostics.error(source.location(), error.to_string(), ""))
}
