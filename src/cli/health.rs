//! `wecom-relay health`: asks a running relay if it is healthy. Container health checks use it where there is no `curl`.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use reqwest::{Identity, Url, redirect};
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::{
    failure::Failure,
    output::Output,
    runtime::{http_client, runtime, unverified_client},
};
use crate::{
    config::Server,
    tls::{ExtraRoots, client_config},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The exit code is 0 if the relay is healthy, and 1 otherwise.

Examples:
  wecom-relay health
  wecom-relay health --ready --url http://127.0.0.1:8061
  wecom-relay health --url https://relay.example:8061 --ca company-ca.crt
  wecom-relay health --cert client.crt --key client.key    with server.tls.client_ca_file")]
pub(super) struct Args {
    /// Ask the relay at this URL [default: server.listen of the configuration, on this machine]
    #[arg(long, value_name = "URL", value_parser = http_url)]
    url: Option<Url>,
    /// Ask if the relay accepts alerts, and not only if it is alive
    #[arg(long)]
    ready: bool,
    /// Trust the CAs in this PEM file too, for a relay at --url with a private certificate
    #[arg(long, value_name = "FILE", env = "WECOM_RELAY_HEALTH_CA", requires = "url")]
    ca: Option<PathBuf>,
    /// Use this client certificate, in PEM, for a relay with server.tls.client_ca_file
    #[arg(long, value_name = "FILE", env = "WECOM_RELAY_HEALTH_CERT", requires = "key")]
    cert: Option<PathBuf>,
    /// Use this private key of --cert, in PEM
    #[arg(long, value_name = "FILE", env = "WECOM_RELAY_HEALTH_KEY", requires = "cert")]
    key: Option<PathBuf>,
}

fn http_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or("write http:// or https://, a host and a port, such as http://127.0.0.1:8061")
}

/// The certificate and the key of this client, in PEM.
struct ClientCertificate(Vec<u8>);

impl ClientCertificate {
    fn read(args: &Args) -> anyhow::Result<Option<Self>> {
        let (Some(cert), Some(key)) = (&args.cert, &args.key) else { return Ok(None) };
        Ok(Some(Self([read(cert)?, b"\n".to_vec(), read(key)?].concat())))
    }

    fn identity(&self) -> anyhow::Result<Identity> {
        Identity::from_pem(&self.0)
            .context("use --cert and --key: both must be PEM, the key without a passphrase")
    }

    fn add_to(&self, mut config: ClientConfig) -> anyhow::Result<ClientConfig> {
        let chain = CertificateDer::pem_slice_iter(&self.0).collect::<Result<Vec<_>, _>>();
        let key = PrivateKeyDer::from_pem_slice(&self.0);
        let certified = CertifiedKey::from_der(
            chain.context("use --cert: it must be PEM")?,
            key.context("use --key: it must be PEM, without a passphrase")?,
            config.crypto_provider(),
        )?;
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
        Ok(config)
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// This is shorter than the time limit of container health checks, so that this command can print the reason.
const TIMEOUT: Duration = Duration::from_secs(4);

/// `load_server` is called only without `--url`, because the configuration is not needed otherwise.
pub(super) fn run(
    args: Args,
    load_server: impl FnOnce() -> Result<Server, Failure>,
    output: &mut Output,
) -> Result<(), Failure> {
    let certificate = ClientCertificate::read(&args).map_err(Failure::Other)?;
    let extra_roots = extra_roots(args.ca.as_deref()).map_err(Failure::Other)?;
    let (base, trust) = match args.url {
        Some(url) => (url, Trust::Roots(extra_roots)),
        None => (base_url(&load_server()?).map_err(Failure::Other)?, Trust::Any),
    };
    let path = if args.ready { "-/ready" } else { "-/healthy" };
    let url = format!("{}/{path}", base.as_str().trim_end_matches('/'));
    let answer = runtime()?.block_on(ask(&url, trust, certificate)).map_err(Failure::Other)?;
    output.line(&answer)?;
    Ok(())
}

fn extra_roots(file: Option<&Path>) -> anyhow::Result<ExtraRoots> {
    let Some(file) = file else { return Ok(ExtraRoots::default()) };
    let pem = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    ExtraRoots::from_pem(&pem).map_err(|problem| anyhow!("{} cannot be used: {problem}", file.display()))
}

/// The certificates that the client accepts.
enum Trust {
    /// Certificates of the public certification authorities, and of these.
    Roots(ExtraRoots),
    /// Any certificate, because it does not name the address of this machine, and no secret is sent.
    Any,
}

/// The URL of the configured relay on this machine.
fn base_url(server: &Server) -> anyhow::Result<Url> {
    let listen = server.listen;
    if listen.port() == 0 {
        return Err(anyhow!(
            "server.listen lets the system choose the port (0), so the port is not known: use --url"
        ));
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let scheme = if server.security.tls.is_some() { "https" } else { "http" };
    Ok(Url::parse(&format!("{scheme}://{}", SocketAddr::new(ip, listen.port())))?)
}

/// Asks the relay at `url`. A relay that is not healthy is an error.
async fn ask(url: &str, trust: Trust, certificate: Option<ClientCertificate>) -> anyhow::Result<String> {
    let client = match (trust, certificate) {
        (Trust::Roots(extra), None) => http_client()?.tls_backend_preconfigured(client_config(&extra)?),
        (Trust::Roots(extra), Some(certificate)) => {
            http_client()?.tls_backend_preconfigured(certificate.add_to(client_config(&extra)?)?)
        }
        (Trust::Any, None) => unverified_client(),
        (Trust::Any, Some(certificate)) => unverified_client().identity(certificate.identity()?),
    };
    let client = client.redirect(redirect::Policy::none()).timeout(TIMEOUT).build();
    let client = client.context("cannot set up the HTTP client")?;
    let no_answer = || format!("no answer from {url}: is the relay running, and is this where it listens?");
    let response = client.get(url).send().await.map_err(reqwest::Error::without_url);
    let response = response.with_context(no_answer)?;
    let status = response.status();
    let text = response.text().await.map_err(reqwest::Error::without_url).with_context(no_answer)?;
    if !status.is_success() {
        return Err(anyhow!("{url} answered {}: {}", status.as_u16(), text.trim_end()));
    }
    Ok(format!("{} ({url})", text.trim_end()))
}
