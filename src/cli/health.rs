//! `wecom-relay health`: asks the daemon of this configuration how it is. For containers without a shell, and for
//! people.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
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

use super::{Failure, http_client, output::Output, runtime, unverified_client};
use crate::{config::Server, wecom::client::tls_config};

/// Arguments of `health`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The exit code is 0 when the relay answers that it is well, and 1 otherwise.

Examples:
  wecom-relay health
  wecom-relay health --ready --url http://127.0.0.1:8061
  wecom-relay health --cert client.crt --key client.key    with server.tls.client_ca_file")]
pub(super) struct Args {
    /// Where the relay listens [default: server.listen of the configuration, on this machine]
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// Ask whether alerts are taken, and not only whether the process is alive
    #[arg(long)]
    ready: bool,
    /// The certificate to show to a relay with server.tls.client_ca_file, in PEM
    #[arg(long, value_name = "FILE", env = "WECOM_RELAY_HEALTH_CERT", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of --cert, in PEM
    #[arg(long, value_name = "FILE", env = "WECOM_RELAY_HEALTH_KEY", requires = "cert")]
    key: Option<PathBuf>,
}

/// What this client shows of itself: its certificate and its key, in PEM.
struct Own(Vec<u8>);

impl Own {
    fn read(args: &Args) -> anyhow::Result<Option<Self>> {
        let (Some(cert), Some(key)) = (&args.cert, &args.key) else { return Ok(None) };
        let read = |path: &PathBuf| fs::read(path).with_context(|| format!("read {}", path.display()));
        Ok(Some(Self([read(cert)?, b"\n".to_vec(), read(key)?].concat())))
    }

    fn identity(&self) -> anyhow::Result<Identity> {
        Identity::from_pem(&self.0)
            .context("use --cert and --key: both must be PEM, the key without a passphrase")
    }

    /// `config` with this shown.
    fn shown_by(&self, mut config: ClientConfig) -> anyhow::Result<ClientConfig> {
        let chain = CertificateDer::pem_slice_iter(&self.0).collect::<Result<Vec<_>, _>>();
        let key = PrivateKeyDer::from_pem_slice(&self.0);
        let shown = CertifiedKey::from_der(
            chain.context("use --cert: it must be PEM")?,
            key.context("use --key: it must be PEM, without a passphrase")?,
            config.crypto_provider(),
        )?;
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(shown));
        Ok(config)
    }
}

/// Below the time-out of the checks of containers, so that the reason is told by this command.
const PATIENCE: Duration = Duration::from_secs(4);

/// `server` gives the configuration's, which need not be there when `--url` is.
pub(super) fn run(
    args: Args,
    server: impl FnOnce() -> Result<Server, Failure>,
    output: &mut Output,
) -> Result<(), Failure> {
    let own = Own::read(&args).map_err(Failure::Other)?;
    let (base, trust) = match args.url {
        Some(url) => (url, Trust::Roots),
        None => (base_url(&server()?).map_err(Failure::Other)?, Trust::Whoever),
    };
    let path = if args.ready { "-/ready" } else { "-/healthy" };
    let url = format!("{}/{path}", base.as_str().trim_end_matches('/'));
    let answer = runtime()?.block_on(ask(&url, trust, own)).map_err(Failure::Other)?;
    output.line(&answer)?;
    Ok(())
}

/// Whose certificate is good enough.
enum Trust {
    /// One that the usual certification authorities have signed.
    Roots,
    /// Any: this machine is asked by its address, which stands in no certificate, and nothing is told to it.
    Whoever,
}

/// The daemon of this configuration, as it is reached on this machine.
fn base_url(server: &Server) -> anyhow::Result<Url> {
    let listen = server.listen;
    if listen.port() == 0 {
        return Err(anyhow!(
            "server.listen leaves the port to the system (0): say with --url where the relay listens"
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

/// The answer of a relay that is well.
async fn ask(url: &str, trust: Trust, own: Option<Own>) -> anyhow::Result<String> {
    let client = match (trust, own) {
        (Trust::Roots, None) => http_client()?,
        (Trust::Roots, Some(own)) => http_client()?.tls_backend_preconfigured(own.shown_by(tls_config()?)?),
        (Trust::Whoever, None) => unverified_client(),
        (Trust::Whoever, Some(own)) => unverified_client().identity(own.identity()?),
    };
    let client = client.redirect(redirect::Policy::none()).timeout(PATIENCE).build();
    let client = client.context("set up the HTTP client")?;
    let unanswered = || format!("no answer from {url}: is the relay running, and is this where it listens?");
    let response = client.get(url).send().await.map_err(reqwest::Error::without_url);
    let response = response.with_context(unanswered)?;
    let status = response.status();
    let text = response.text().await.map_err(reqwest::Error::without_url).with_context(unanswered)?;
    match status.is_success() {
        true => Ok(format!("{} ({url})", text.trim_end())),
        false => Err(anyhow!("{url} answered {}: {}", status.as_u16(), text.trim_end())),
    }
}
